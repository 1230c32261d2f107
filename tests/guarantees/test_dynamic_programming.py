"""Guarantees of planning and of the value-difference lemmas, on drawn models in floating point."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps import strategies
from solvers import planning

MODELS = strategies.finite_horizon_mdps()


def stochastic(mdp, policy):
    """Return a policy as laws ``(H, S, A)``."""
    laws = np.eye(mdp.n_actions)[policy] if policy.dtype.kind == "i" else policy
    return np.broadcast_to(laws, (mdp.horizon, mdp.n_states, mdp.n_actions))


@given(st.data(), MODELS)
def test_performance_difference(data, mdp):
    ours = stochastic(mdp, data.draw(strategies.policies(mdp)))
    theirs = stochastic(mdp, data.draw(strategies.policies(mdp)))
    values = planning.evaluate(mdp, theirs)
    advantages = planning.q_values(mdp, values) - values[:-1, :, None]
    difference = planning.policy_value(mdp, planning.evaluate(mdp, ours)) - planning.policy_value(mdp, values)
    assert difference == pytest.approx((planning.occupancy(mdp, ours) * advantages).sum(), abs=1e-12)


@given(st.data(), MODELS)
def test_no_policy_beats_the_plan_and_no_value_exceeds_what_is_left(data, mdp):
    plan = planning.backward_induction(mdp)
    values = planning.evaluate(mdp, data.draw(strategies.policies(mdp)))
    left = np.arange(mdp.horizon, -1, -1)[:, None]
    assert np.all(values <= plan.values + 1e-12)
    assert np.all(plan.values <= left + 1e-12)
    assert np.all(planning.evaluate(mdp, plan.policy) == pytest.approx(plan.values, abs=1e-12))


@given(st.data(), MODELS)
def test_occupancies_are_flows_of_mass_one(data, mdp):
    occupancy = planning.occupancy(mdp, data.draw(strategies.policies(mdp)))
    assert occupancy.sum(axis=(1, 2)) == pytest.approx(np.ones(mdp.horizon))
    for h in range(mdp.horizon - 1):
        kernel = mdp.transitions[min(h, len(mdp.transitions) - 1)]
        inflow = np.einsum("sa,sat->t", occupancy[h], kernel)
        assert occupancy[h + 1].sum(axis=1) == pytest.approx(inflow, abs=1e-12)


@settings(max_examples=50)
@given(strategies.discounted_mdps(), st.sampled_from([1e-2, 1e-6, 1e-9]))
def test_reported_errors_are_errors(mdp, tolerance):
    exact = planning.policy_iteration(mdp).values
    for solve in (planning.value_iteration, planning.modified_policy_iteration):
        solution = solve(mdp, tolerance)
        assert solution.converged
        assert solution.error_bound <= tolerance
        assert np.abs(solution.values - exact).max() <= solution.error_bound + 1e-11
