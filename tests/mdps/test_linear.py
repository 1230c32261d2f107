"""Linear models are validated, agree with their tables, and tabular models are linear."""

import numpy as np
import pytest
from hypothesis import given

from mdps import instances, strategies
from mdps.errors import InvalidModelError
from mdps.linear import LinearMDP, one_hot
from mdps.robust_instances import random_linear
from solvers.planning import backward_induction

FEATURES = np.array([[[0.5, 0.5], [1.0, 0.0]], [[0.0, 1.0], [0.25, 0.75]]])
MEASURES = np.array([[[0.5, 0.5], [0.0, 1.0]]] * 2)
WEIGHTS = np.array([[0.0, 1.0], [1.0, 0.5]])


def test_table_is_the_mixture_of_the_factors():
    mdp = LinearMDP(FEATURES, MEASURES, WEIGHTS)
    table = mdp.to_tabular()
    assert (mdp.horizon, mdp.n_factors, mdp.n_states, mdp.n_actions) == (2, 2, 2, 2)
    for h in range(2):
        for s in range(2):
            for a in range(2):
                row = sum(FEATURES[s, a, i] * MEASURES[h, i] for i in range(2))
                np.testing.assert_allclose(table.transitions[h, s, a], row, rtol=0, atol=1e-15)
                assert table.rewards[h, s, a] == pytest.approx(FEATURES[s, a] @ WEIGHTS[h], abs=1e-15)
    assert mdp.unit_rewards
    assert not LinearMDP(FEATURES, MEASURES, 2.0 * WEIGHTS).unit_rewards


def test_arrays_cannot_be_written_to():
    mdp = random_linear(0)
    for array in (mdp.features, mdp.measures, mdp.weights, mdp.initial):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0


@pytest.mark.parametrize("fail", [None, 2])
def test_a_tabular_model_is_linear(fail):
    rows = np.random.default_rng(1).dirichlet(np.ones(3), (3, 2))
    rewards = np.random.default_rng(2).random((3, 2))
    rows[2], rewards[2] = np.eye(3)[2], 0.0
    table = instances.FiniteHorizonMDP(rows, rewards, 3)
    linear = one_hot(table, fail)
    assert linear.n_factors == (6 if fail is None else 5)
    np.testing.assert_array_equal(linear.to_tabular().transitions, np.broadcast_to(rows, (3, 3, 2, 3)))
    optimum = backward_induction(table).values
    np.testing.assert_allclose(backward_induction(linear.to_tabular()).values, optimum, rtol=0, atol=1e-14)


@given(strategies.linear_mdps())
def test_strategy_draws_valid_models_with_a_fail_state(mdp):
    assert mdp.unit_rewards
    np.testing.assert_allclose(mdp.transitions.sum(axis=-1), 1.0)
    assert (mdp.transitions[:, -1, :, -1] == 1.0).all()
    assert (mdp.rewards[:, -1] == 0.0).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": FEATURES * 0.5}, r"features\[h=0, s=0, a=0\] sums to 0.5, not 1"),
        ({"features": FEATURES - np.array([2.0, -2.0])}, r"features\[h=0, s=0, a=0, t=0\] is -1.5, a negative mass"),
        ({"features": FEATURES[:, :, :1]}, r"features has shape \(1, 2, 2, 1\), not \(1, 2, 2, 2\)"),
        ({"features": FEATURES[0]}, r"features has shape \(2, 2\), neither"),
        ({"measures": MEASURES * 0.5}, r"measures\[h=0, i=0\] sums to 0.5, not 1"),
        ({"measures": MEASURES[0]}, r"measures has shape \(2, 2\), not \(H, d, S\)"),
        ({"weights": WEIGHTS[0]}, r"weights has shape \(2,\), not \(2, 2\)"),
        ({"weights": WEIGHTS * np.nan}, r"weights\[0, 0\] is nan, not finite"),
        ({"initial": [0.5, 0.6]}, r"initial sums to 1.1, not 1"),
    ],
)
def test_bad_input_is_named(changes, message):
    arguments = {"features": FEATURES, "measures": MEASURES, "weights": WEIGHTS, **changes}
    with pytest.raises(InvalidModelError, match=message):
        LinearMDP(**arguments)


def test_actions_of_a_shared_factor_must_agree():
    table = instances.river_swim(3, 2)
    with pytest.raises(InvalidModelError, match="actions of the fail state 0 differ"):
        one_hot(table, 0)
    with pytest.raises(InvalidModelError, match="fail_state is 9"):
        one_hot(table, 9)
