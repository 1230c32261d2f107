"""Exact models: normalisation, agreement with the float64 classes, and named errors."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings

from mdps.errors import InvalidModelError
from mdps.rational import RationalDiscountedMDP, RationalMDP
from mdps.strategies import rational_discounted_mdps, rational_mdps

HALF = Fraction(1, 2)
STAY = [[[1, 0]], [[0, 1]]]
PAY = [[1], [0]]


def test_from_weights_normalises_and_derives_the_sizes():
    mdp = RationalMDP.from_weights([[[1, 2], [0, 3]], [[1, 1], [3, 4]]], [[1, 0], [0, HALF]], 3, [2, 6])
    assert (mdp.n_states, mdp.n_actions, mdp.horizon, mdp.stationary) == (2, 2, 3, True)
    assert mdp.transitions == (
        (
            ((Fraction(1, 3), Fraction(2, 3)), (Fraction(0), Fraction(1))),
            ((HALF, HALF), (Fraction(3, 7), Fraction(4, 7))),
        ),
    )
    assert mdp.rewards == (((Fraction(1), Fraction(0)), (Fraction(0), HALF)),)
    assert mdp.initial == (Fraction(1, 4), Fraction(3, 4))


def test_staged_weights_and_default_first_law():
    mdp = RationalMDP.from_weights([STAY, [[[1, 1]], [[1, 3]]]], PAY, np.int64(2))
    assert not mdp.stationary
    assert mdp.transitions[1] == (((HALF, HALF),), ((Fraction(1, 4), Fraction(3, 4)),))
    assert mdp.initial == (1, 0)
    assert mdp.to_float().transitions.shape == (2, 2, 1, 2)


def test_models_are_values():
    first, second = (RationalMDP.from_weights(STAY, PAY, 2) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != RationalMDP.from_weights(STAY, PAY, 3)
    with pytest.raises(AttributeError):
        first.horizon = 5


def test_discounted_models_start_uniformly_unless_told():
    mdp = RationalDiscountedMDP.from_weights(STAY, PAY, HALF)
    assert (mdp.n_states, mdp.n_actions) == (2, 1)
    assert mdp.initial == (HALF, HALF)
    assert RationalDiscountedMDP.from_weights(STAY, PAY, 0, [0, 1]).initial == (0, 1)
    assert mdp.to_float().discount == 0.5
    np.testing.assert_array_equal(mdp.to_float().initial, [0.5, 0.5])


@settings(max_examples=30)
@given(rational_mdps(unit_rewards=False))
def test_to_float_rounds_entry_by_entry(mdp):
    rounded = mdp.to_float()
    np.testing.assert_array_equal(rounded.transitions, np.array(mdp.transitions, dtype=float))
    np.testing.assert_array_equal(rounded.rewards, np.array(mdp.rewards, dtype=float))
    np.testing.assert_array_equal(rounded.initial, np.array(mdp.initial, dtype=float))
    assert (rounded.n_states, rounded.n_actions, rounded.horizon, rounded.stationary) == (
        mdp.n_states,
        mdp.n_actions,
        mdp.horizon,
        mdp.stationary,
    )


@settings(max_examples=30)
@given(rational_discounted_mdps())
def test_to_float_of_discounted_models(mdp):
    rounded = mdp.to_float()
    np.testing.assert_array_equal(rounded.transitions, np.array(mdp.transitions, dtype=float))
    np.testing.assert_array_equal(rounded.rewards, np.array(mdp.rewards, dtype=float))
    assert rounded.discount == float(mdp.discount)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RationalMDP([[[0.5, 0.5]]] * 2, PAY, 1), r"transitions\[h=0, s=0, a=0, t=0\] is 0.5, a float"),
        (lambda: RationalMDP([[[True, 0]], [[0, 1]]], PAY, 1), "is True, a bool, not a rational"),
        (lambda: RationalMDP(STAY, [[1], ["x"]], 1), r"rewards\[h=0, s=1, a=0\] is 'x', a str"),
        (lambda: RationalMDP([[[1, 1]], [[0, 1]]], PAY, 1), r"transitions\[h=0, s=0, a=0\] sums to 2, not 1"),
        (
            lambda: RationalMDP([[[1, 0]], [[Fraction(3, 2), -HALF]]], PAY, 1),
            r"transitions\[h=0, s=1, a=0, t=1\] is -1/2, a negative mass",
        ),
        (lambda: RationalMDP(STAY, PAY, 0), "horizon is 0, not a positive integer"),
        (lambda: RationalMDP(STAY, PAY, True), "horizon is True, not a positive integer"),
        (lambda: RationalMDP([STAY, STAY], PAY, 3), "transitions has 2 stages, not 3"),
        (lambda: RationalMDP(STAY, [PAY, PAY], 3), "rewards has 2 stages, not 3"),
        (lambda: RationalMDP([], PAY, 1), "transitions has 1 axes, not 3"),
        (lambda: RationalMDP([[[]]], PAY, 1), "no states or no actions"),
        (lambda: RationalMDP([[[1]], [[1]]], PAY, 1), "transitions has 1 next states, not 2"),
        (lambda: RationalMDP([[[1, 0]], [[1]]], PAY, 1), r"transitions\[h=0, s=1, a=0\] has 1 entries, not 2"),
        (lambda: RationalMDP(STAY, [[1, 1], [0, 0]], 1), r"rewards\[h=0, s=0\] has 2 entries, not 1"),
        (lambda: RationalMDP(STAY, [[1]], 1), r"rewards\[h=0\] has 1 entries, not 2"),
        (lambda: RationalMDP(STAY, [1, 2], 1), "rewards has 1 axes, not 2"),
        (lambda: RationalMDP(STAY, PAY, 1, [1]), "initial has 1 entries, not 2"),
        (lambda: RationalMDP(STAY, PAY, 1, [1, 1]), "initial sums to 2, not 1"),
        (lambda: RationalMDP.from_weights([[[0, 0]], [[0, 1]]], PAY, 1), r"transitions\[s=0, a=0\] has no positive"),
        (
            lambda: RationalMDP.from_weights([[[2, -1]], [[0, 1]]], PAY, 1),
            r"transitions\[s=0, a=0, t=1\] is -1, a negative weight",
        ),
        (
            lambda: RationalMDP.from_weights([STAY, [[[1, 1]], [[0, 0]]]], PAY, 2),
            r"transitions\[h=1, s=1, a=0\] has no",
        ),
        (lambda: RationalMDP.from_weights([1, 2], PAY, 1), r"transitions\[s=0\] is 1, not a list of weights"),
        (lambda: RationalDiscountedMDP(STAY, PAY, 1), r"discount is 1, outside \[0, 1\)"),
        (lambda: RationalDiscountedMDP(STAY, PAY, 0.5), "discount is 0.5, a float, not a rational"),
        (lambda: RationalDiscountedMDP([STAY], PAY, HALF), "transitions has 4 axes, not 3"),
        (lambda: RationalDiscountedMDP(STAY, [PAY], HALF), "rewards has 3 axes, not 2"),
        (lambda: RationalDiscountedMDP(3, PAY, HALF), "transitions has 0 axes, not 3"),
    ],
)
def test_bad_entries_are_named(make, message):
    with pytest.raises(InvalidModelError, match=message):
        make()
