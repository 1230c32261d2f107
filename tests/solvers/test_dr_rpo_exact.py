"""Exact robust dynamic programming: against tables, worst models, admissible models, and the nominal limit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps import strategies
from mdps.errors import InvalidModelError, InvalidPolicyError
from mdps.robust import RobustLinearMDP, rectangular
from mdps.robust_instances import random_linear, random_tabular, simulated_robust, support_shift
from mdps.tabular import FiniteHorizonMDP
from solvers.dr_rpo_exact import (
    evaluate,
    evaluate_under,
    log_reference,
    mirror_descent,
    occupancies,
    optimal_plan,
    soft_maximum,
    worst_model,
)
from solvers.planning import backward_induction

KINDS = (
    ("tv_constrained", 0.2),
    ("tv_regularised", 0.4),
    ("kl_constrained", 0.1),
    ("kl_regularised", 0.5),
    ("chi2_constrained", 0.2),
    ("chi2_regularised", 0.5),
)
FEW = settings(max_examples=25)


def test_nominal_optimum_is_backward_induction():
    mdp = random_linear(1)
    plan = optimal_plan(RobustLinearMDP(mdp, "tv_constrained", 0.0))
    np.testing.assert_allclose(plan.values, backward_induction(mdp.to_tabular()).values, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("kind", "level"), KINDS)
@pytest.mark.parametrize("eta", [0.0, 0.2])
def test_worst_model_attains_the_value_of_a_policy(kind, level, eta):
    """A penalty has to be paid on top; then the values agree, and the policy's own optimum is above."""
    robust = RobustLinearMDP(random_linear(2), kind, level)
    log_policy = np.log(np.random.default_rng(0).dirichlet(np.ones(3), (3, 6)))
    plan = evaluate(robust, log_policy, eta)
    model = worst_model(robust, plan.values)
    if robust.constrained:
        attained = evaluate_under(model, log_policy, eta)
        np.testing.assert_allclose(attained, plan.values, rtol=0, atol=1e-9)
    else:
        assert (evaluate_under(model, log_policy, eta) <= plan.values + 1e-9).all()
    assert (optimal_plan(robust, eta).values >= plan.values - 1e-12).all()


@FEW
@given(strategies.robust_mdps(), st.data())
def test_every_admissible_model_gives_at_least_the_robust_value(robust, data):
    log_policy = data.draw(strategies.log_policies(robust.nominal))
    directions = data.draw(strategies.linear_mdps(robust.nominal.n_states - 1, 1, 1, 1))
    target = np.resize(directions.measures[0, 0], robust.nominal.n_states)
    target = target / target.sum() if target.sum() > 0 else np.eye(robust.nominal.n_states)[0]
    measures = (1.0 - robust.levels[..., None]) * robust.nominal.measures + robust.levels[..., None] * target
    inside = robust.nominal.with_measures(measures)
    values = evaluate(robust, log_policy).values
    assert (evaluate_under(inside, log_policy) >= values - 1e-12).all()


def test_several_policies_at_once():
    robust = simulated_robust(0.5)
    laws = np.log(np.random.default_rng(3).dirichlet(np.ones(16), (2, 4, 3, 5)))
    together = evaluate(robust, laws, 0.1)
    for i in range(2):
        for j in range(4):
            np.testing.assert_allclose(together.values[i, j], evaluate(robust, laws[i, j], 0.1).values, atol=1e-14)


def test_value_of_the_optimal_policy_is_the_optimal_value():
    for eta in (0.0, 0.05, 1.0):
        plan = optimal_plan(simulated_robust(0.3), eta)
        again = evaluate(simulated_robust(0.3), plan.log_policy, eta)
        np.testing.assert_allclose(again.values, plan.values, rtol=0, atol=1e-12)


def test_soft_maximum_neither_overflows_nor_underflows():
    q = np.array([[0.0, 1000.0], [-1000.0, -1000.0]])
    value, log_policy = soft_maximum(q, np.log(np.full((2, 2), 0.5)), 0.01)
    np.testing.assert_allclose(value, [1000.0 - 0.01 * np.log(2.0), -1000.0])
    np.testing.assert_allclose(log_policy[0], [-1e5, 0.0])
    greedy, action = soft_maximum(np.array([[1.0, 1.0]]), np.zeros((1, 2)), 0.0)
    assert greedy[0] == 1.0
    np.testing.assert_array_equal(action, [[0.0, -np.inf]])


def test_occupancies_are_those_of_the_table():
    mdp = random_linear(4)
    law = np.random.default_rng(5).dirichlet(np.ones(3), (3, 6))
    visits = occupancies(mdp, np.log(law))
    states = mdp.initial
    for h in range(3):
        np.testing.assert_allclose(visits[h], states[:, None] * law[h], atol=1e-14)
        states = np.einsum("sa,sat->t", visits[h], mdp.transitions[h])


@pytest.mark.parametrize(("kind", "level"), KINDS)
def test_mirror_descent_converges_with_a_known_model(kind, level):
    robust = RobustLinearMDP(random_tabular(6), kind, level, 2 if kind.startswith("tv") else None)
    optimum = optimal_plan(robust, 0.2).values
    iterates = mirror_descent(robust, 0.2, 2.0, 60)
    assert np.abs(iterates[-1] - optimum).max() < 1e-6
    assert (iterates <= optimum + 1e-12).all()
    one_step = mirror_descent(robust, 0.2, np.inf, 4)
    np.testing.assert_allclose(one_step[-1], optimum, atol=1e-12)


def test_linear_set_is_worth_at_least_the_rectangular_ball_of_the_same_radius_never_less_for_one_hot():
    table = FiniteHorizonMDP(random_tabular(7).transitions, random_tabular(7).rewards, 3)
    own = optimal_plan(rectangular(table, "chi2_constrained", 0.3)).values
    same = optimal_plan(RobustLinearMDP(random_tabular(7), "chi2_constrained", 0.3)).values
    np.testing.assert_allclose(own, same, atol=1e-13)
    mixed = random_linear(8)
    ball = rectangular(mixed.to_tabular(), "chi2_constrained", 0.3)
    assert (
        optimal_plan(ball).values <= optimal_plan(RobustLinearMDP(mixed, "chi2_constrained", 0.3)).values + 1e-12
    ).all()


def test_bad_input_is_named():
    mdp = support_shift().nominal
    with pytest.raises(InvalidModelError, match="reference has an action of probability zero"):
        log_reference(mdp, [1.0, 0.0])
    with pytest.raises(InvalidModelError, match=r"reference has shape \(3,\), not \(2, 2\)"):
        log_reference(mdp, [0.2, 0.4, 0.4])
    with pytest.raises(InvalidModelError, match=r"eta is -1\.0"):
        optimal_plan(support_shift(), -1.0)
    with pytest.raises(InvalidPolicyError, match="log_policy has shape"):
        evaluate(support_shift(), np.zeros((2, 2)))
    with pytest.raises(InvalidPolicyError, match="not the logarithm of a law"):
        evaluate(support_shift(), np.zeros((3, 2, 2)))
    with pytest.raises(InvalidModelError, match="no finite update"):
        mirror_descent(support_shift(), 0.0, np.inf, 1)
