"""Finite classes of critics: the recipe, the predicates, and the Dirac eluder dimension by other means."""

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps.actor_critic_instances import incomplete, random_tabular
from mdps.critics import (
    FiniteCritics,
    backup,
    bellman_errors,
    complete_class,
    completeness_gap,
    eluder_dimension,
    optimal_indices,
    optimal_q,
    policy_completeness_gap,
    reachable_pairs,
    realizability_gap,
    within_range,
)
from mdps.errors import InvalidModelError
from mdps.tabular import FiniteHorizonMDP
from solvers.planning import backward_induction


def test_optimal_q_is_that_of_planning():
    mdp = random_tabular(4, 3, 5, seed=3)
    assert np.allclose(optimal_q(mdp), backward_induction(mdp, keep_q_values=True).q_values, atol=1e-12)


@settings(max_examples=30)
@given(st.integers(0, 50), st.integers(0, 4), st.integers(1, 4))
def test_the_recipe_is_realizable_and_complete(seed, distractors, horizon):
    mdp = random_tabular(3, 2, horizon, seed)
    critics = complete_class(mdp, distractors, seed)
    assert critics.sizes.tolist() == [1 + (horizon - h) * distractors for h in range(horizon)]
    assert realizability_gap(mdp, critics) == 0.0
    assert completeness_gap(mdp, critics) == 0.0
    assert optimal_indices(mdp, critics).tolist() == [0] * horizon
    assert within_range(critics)


def test_sizes_of_the_recipe_and_number_of_pairs():
    critics = complete_class(random_tabular(2, 2, 2), 10)
    assert critics.sizes.tolist() == [21, 11]
    assert critics.pairs == 21 * 11 + 11


def test_completeness_fails_where_it_should():
    mdp, critics = incomplete()
    assert realizability_gap(mdp, critics) == 0.0
    assert completeness_gap(mdp, critics) == pytest.approx(0.8, abs=1e-12)
    assert completeness_gap(*incomplete(completed=True)) == 0.0


def test_an_absent_optimum_is_said_to_be_absent():
    mdp, critics = incomplete()
    without = FiniteCritics([critics.functions[0] + 0.25, critics.functions[1]])
    assert realizability_gap(mdp, without) == 0.25
    assert optimal_indices(mdp, without).tolist() == [-1, 1]
    assert not within_range(FiniteCritics([critics.functions[0] + 2.0, critics.functions[1]]))


def test_completeness_for_policies_is_another_matter():
    mdp = random_tabular(3, 2, 2, seed=1)
    critics = complete_class(mdp, 3)
    uniform = np.full((2, 3, 2), 0.5)
    assert policy_completeness_gap(mdp, critics, uniform) > 0.01
    greedy = np.eye(2)[optimal_q(mdp).argmax(axis=2)]
    alone = complete_class(mdp, 0)
    assert policy_completeness_gap(mdp, alone, greedy) == pytest.approx(0.0, abs=1e-12)


def test_bellman_errors_by_hand():
    mdp = random_tabular(3, 2, 3, seed=2)
    critics = complete_class(mdp, 2)
    errors = bellman_errors(mdp, critics)
    assert [e.shape for e in errors] == [(7, 5, 3, 2), (5, 3, 3, 2), (3, 1, 3, 2)]
    g = critics.functions[1][4].max(axis=1)
    expected = critics.functions[0][5, 1, 0] - mdp.rewards[0, 1, 0] - mdp.transitions[0, 1, 0] @ g
    assert errors[0][5, 4, 1, 0] == pytest.approx(expected, abs=1e-14)
    assert not errors[1][0, 0].any()


def test_reachable_pairs():
    transitions = np.zeros((3, 2, 3))
    transitions[0, :, 0] = transitions[1, :, 2] = transitions[2, :, 2] = 1.0
    transitions[0, 1] = 0.0, 1.0, 0.0
    assert reachable_pairs(FiniteHorizonMDP(transitions, np.zeros((3, 2)), 4)).tolist() == [2, 4, 6, 6]


def eluder_by_permutations(table, epsilon):
    """Return the dimension by its definition: all sequences, all scales at which anything changes, exactly."""
    squares = [[Fraction(v) ** 2 for v in row] for row in table]
    points = len(squares[0])
    scales = {Fraction(epsilon) ** 2} | {
        sum(row[i] for i in range(points) if m >> i & 1) for row in squares for m in range(2**points)
    }
    longest = 0
    for order in permutations(range(points)):
        for scale in scales:
            if scale < Fraction(epsilon) ** 2:
                continue
            length = 0
            for k, x in enumerate(order):
                if not any(sum(row[p] for p in order[:k]) <= scale < row[x] for row in squares):
                    break
                length += 1
            longest = max(longest, length)
    return longest


@settings(max_examples=30)
@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=4, max_size=4), min_size=1, max_size=4),
    st.sampled_from([0.5, 1.0, 1.5]),
)
def test_eluder_dimension_agrees_with_its_definition(table, epsilon):
    assert eluder_dimension(np.array(table, dtype=np.float64), epsilon) == eluder_by_permutations(table, epsilon)


def test_indicators_reach_the_number_of_points():
    assert eluder_dimension(np.eye(8), 0.5) == 8
    assert eluder_dimension(np.eye(8), 1.0) == 0
    assert eluder_dimension(np.ones((1, 5)), 0.5) == 1


def test_bad_input_is_named():
    with pytest.raises(InvalidModelError, match="no stage"):
        FiniteCritics([])
    with pytest.raises(InvalidModelError, match="stage 1 have shape"):
        FiniteCritics([np.zeros((1, 2, 2)), np.zeros((2, 2))])
    with pytest.raises(InvalidModelError, match="stage 1 has shape"):
        FiniteCritics([np.zeros((1, 2, 2)), np.zeros((1, 3, 2))])
    with pytest.raises(InvalidModelError, match="distractors is -1"):
        complete_class(random_tabular(2, 2, 2), -1)
    with pytest.raises(InvalidModelError, match="1 to 8 points"):
        eluder_dimension(np.eye(9), 0.5)
    with pytest.raises(InvalidModelError, match="epsilon is 0"):
        eluder_dimension(np.eye(2), 0.0)
    with pytest.raises(InvalidModelError, match="the model 3 of"):
        completeness_gap(random_tabular(2, 2, 3), complete_class(random_tabular(2, 2, 2), 1))


def test_backup_takes_leading_axes():
    mdp = random_tabular(3, 2, 2, seed=5)
    values = np.arange(6.0).reshape(2, 3)
    assert np.allclose(backup(mdp, 1, values)[1], mdp.rewards[1] + mdp.transitions[1] @ values[1])
