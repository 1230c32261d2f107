"""Exact dynamic programming against enumeration in fractions."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps.errors import InvalidPolicyError
from mdps.rational import RationalDiscountedMDP, RationalMDP
from mdps.strategies import rational_discounted_mdps, rational_mdps, rational_policies
from solvers import rational_planning as exact

HALF = Fraction(1, 2)


def value(mdp, laws, h, s):
    """The value of a policy, by the definition as a tree of expectations."""
    if h == mdp.horizon:
        return Fraction(0)
    kernel, rewards = mdp.transitions[h % len(mdp.transitions)], mdp.rewards[h % len(mdp.rewards)]
    return sum(
        p * (rewards[s][a] + sum(q * value(mdp, laws, h + 1, t) for t, q in enumerate(kernel[s][a]) if q))
        for a, p in enumerate(laws[h % len(laws)][s])
        if p
    )


def reach(mdp, laws, h, s):
    """The probability of being in s at stage h."""
    if h == 0:
        return mdp.initial[s]
    kernel = mdp.transitions[(h - 1) % len(mdp.transitions)]
    law = laws[(h - 1) % len(laws)]
    return sum(
        reach(mdp, laws, h - 1, u) * law[u][a] * kernel[u][a][s]
        for u, a in product(range(mdp.n_states), range(mdp.n_actions))
    )


@settings(max_examples=50)
@given(st.data(), rational_mdps(max_states=3, max_actions=2, max_horizon=3, unit_rewards=False))
def test_evaluation_and_occupancy_by_definition(data, mdp):
    law = data.draw(rational_policies(mdp))
    policy = data.draw(st.sampled_from([law, [law] * mdp.horizon]))
    laws = [law]
    values, measure = exact.evaluate(mdp, policy), exact.occupancy(mdp, policy)
    for h, s in product(range(mdp.horizon), range(mdp.n_states)):
        assert values[h][s] == value(mdp, laws, h, s)
        assert list(measure[h][s]) == [reach(mdp, laws, h, s) * p for p in law[s]]
    gain = sum(
        d * r
        for h, stage in enumerate(measure)
        for row, means in zip(stage, mdp.rewards[h % len(mdp.rewards)], strict=True)
        for d, r in zip(row, means, strict=True)
    )
    assert gain == exact.policy_value(mdp, values)


@settings(max_examples=25)
@given(rational_mdps(max_states=2, max_actions=2, max_horizon=3))
def test_plan_is_the_best_of_all_policies_and_consistent(mdp):
    plan = exact.backward_induction(mdp)
    shape = [range(mdp.n_actions)] * mdp.n_states
    every = product(product(*shape), repeat=mdp.horizon)
    best = max(exact.policy_value(mdp, exact.evaluate(mdp, policy)) for policy in every)
    assert exact.policy_value(mdp, plan.values) == best
    assert exact.evaluate(mdp, plan.policy) == plan.values
    assert exact.q_values(mdp, plan.values) == plan.q_values
    for table, actions in zip(plan.q_values, plan.policy, strict=True):
        assert all(row.index(max(row)) == a for row, a in zip(table, actions, strict=True))


@settings(max_examples=50)
@given(st.data(), rational_discounted_mdps(max_states=3, max_actions=2, unit_rewards=False))
def test_discounted_evaluation_solves_its_equations(data, mdp):
    policy = data.draw(rational_policies(mdp))
    values, measure = exact.evaluate_discounted(mdp, policy), exact.discounted_occupancy(mdp, policy)
    S, A = range(mdp.n_states), range(mdp.n_actions)
    for s in S:
        backup = sum(
            policy[s][a] * (mdp.rewards[s][a] + mdp.discount * sum(mdp.transitions[s][a][t] * values[t] for t in S))
            for a in A
        )
        assert values[s] == backup
        inflow = sum(measure[u][a] * mdp.transitions[u][a][s] for u in S for a in A)
        assert sum(measure[s]) == (1 - mdp.discount) * mdp.initial[s] + mdp.discount * inflow
        assert list(measure[s]) == [sum(measure[s]) * p for p in policy[s]]
    assert sum(map(sum, measure)) == 1
    gain = sum(measure[s][a] * mdp.rewards[s][a] for s in S for a in A)
    assert gain == (1 - mdp.discount) * exact.policy_value(mdp, values)


@settings(max_examples=50)
@given(rational_discounted_mdps(max_states=3, max_actions=2))
def test_policy_iteration_is_the_best_of_all_policies(mdp):
    solution = exact.policy_iteration(mdp)
    every = [exact.evaluate_discounted(mdp, pi) for pi in product(range(mdp.n_actions), repeat=mdp.n_states)]
    assert solution.values == tuple(max(values[s] for values in every) for s in range(mdp.n_states))
    assert exact.is_optimal(mdp, solution.values)
    assert exact.evaluate_discounted(mdp, solution.policy) == solution.values
    assert not exact.is_optimal(mdp, [v + Fraction(1, 10**30) for v in solution.values])
    worst = exact.policy_iteration(mdp, initial_policy=[mdp.n_actions - 1] * mdp.n_states)
    assert (worst.values, worst.policy) == (solution.values, solution.policy)


def test_a_number_worked_by_hand():
    """Stay (reward 0) or leave for an absorbing state that pays 1: leaving is worth gamma / (1 - gamma)."""
    stay, leave = [1, 0], [0, 1]
    mdp = RationalDiscountedMDP([[stay, leave], [leave, leave]], [[0, 0], [1, 1]], Fraction(9, 10))
    solution = exact.policy_iteration(mdp)
    assert solution.values == (Fraction(9), Fraction(10))
    assert solution.policy == (1, 0)
    assert exact.discounted_occupancy(mdp, [1, 0]) == (
        (Fraction(0), Fraction(1, 20)),
        (Fraction(19, 20), Fraction(0)),
    )


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ([0, 2], r"policy\[h=0, s=1\] is 2, not an action 0 \.\. 1"),
        ([0], r"policy\[h=0\] has 1 states, not 2"),
        ([[0, 0], [0, 0]], "policy has 2 stages, not 3"),
        ([[HALF, HALF], [HALF, 1]], r"policy\[h=0, s=1\] sums to 3/2, not 1"),
        ([[HALF, HALF], [Fraction(3, 2), -HALF]], r"policy\[h=0, s=1, a=1\] is -1/2"),
        ([[0.5, 0.5], [0.5, 0.5]], r"policy\[h=0, s=0, a=0\] is 0\.5, not a rational"),
        ([[HALF, HALF], [Fraction(1)]], r"policy\[h=0, s=1\] is .*, not a law on 2 actions"),
        ([[[[0]]]], "deterministic policy has 4 axes"),
        ([HALF, HALF], "stochastic policy has 1 axes"),
    ],
)
def test_bad_policies_are_named(policy, message):
    mdp = RationalMDP([[[1, 0], [0, 1]], [[1, 0], [0, 1]]], [[0, 1], [1, 0]], 3)
    for function in (exact.evaluate, exact.occupancy):
        with pytest.raises(InvalidPolicyError, match=message):
            function(mdp, policy)
