"""Estimators, exact values and bounds of cloning against enumeration, other methods and golden numbers."""

import itertools
from math import comb

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import digamma

from mdps.demonstration_instances import dirichlet_policy, free_occupancies, random_model, reflecting_chain
from mdps.demonstrations import Demonstrations, noisy, sample_demonstrations
from mdps.errors import InvalidModelError, InvalidPolicyError
from solvers.demonstration_regularized_cloning import (
    _newton,
    bayes_risk,
    binomial_law,
    expectation_bound,
    finite_class,
    high_probability_bound,
    laplace,
    log_linear,
    maximum_likelihood,
    minimax_bound,
    policy_gap,
    regularised_gap,
    regularised_optimum,
    regularised_values,
    start_values,
    state_occupancy,
    trajectory_divergence,
)
from solvers.planning import NotConvergedError, backward_induction, evaluate, occupancy, policy_value
from theory import demonstration_regularized_parameters as parameters
from theory.demonstration_regularized import MINIMAX

CHAIN = reflecting_chain()
SMALL = random_model(0, 2, 3, 3)
COUNTS = Demonstrations(np.array([[[3, 0, 1], [0, 0, 0]], [[0, 2, 0], [1, 1, 0]]]))


def paths(model, policy):
    """Return the probability of every episode, by states and actions."""
    H, S, A = model.horizon, model.n_states, model.n_actions
    kernel = np.broadcast_to(model.transitions, (H, S, A, S))
    for states in itertools.product(range(S), repeat=H):
        for actions in itertools.product(range(A), repeat=H):
            chance = model.initial[states[0]]
            for h in range(H):
                chance *= policy[h, states[h], actions[h]]
                if h + 1 < H:
                    chance *= kernel[h, states[h], actions[h], states[h + 1]]
            yield states, actions, chance


# Estimators


def test_laplace():
    np.testing.assert_allclose(laplace(COUNTS)[0, 0], np.array([4, 1, 2]) / 7)
    np.testing.assert_allclose(laplace(COUNTS)[0, 1], 1 / 3)


def test_laplace_is_the_regularised_maximum_likelihood_policy():
    random = np.random.default_rng(0)
    others = random.dirichlet(np.ones(3), (500, 2, 2))

    def objective(policy):
        return -((COUNTS.counts + 1) * np.log(policy)).sum(axis=(-3, -2, -1))

    assert (objective(others) >= objective(laplace(COUNTS))).all()


def test_maximum_likelihood():
    clone = maximum_likelihood(COUNTS)
    np.testing.assert_allclose(clone[0], [[0.75, 0.0, 0.25], [1 / 3] * 3])
    np.testing.assert_allclose(clone[1], [[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]])


def test_finite_class_is_found_by_enumeration():
    candidates = np.random.default_rng(1).dirichlet(np.ones(2), (7, 5, 4))
    candidates[3, 2, :, 0], candidates[3, 2, :, 1] = 1.0, 0.0
    penalties = np.random.default_rng(2).random((7, 5))
    drawn = sample_demonstrations(CHAIN, None, 20, 0, runs=4)
    chosen = finite_class(drawn, candidates, penalties)
    for run, h in itertools.product(range(4), range(5)):
        with np.errstate(divide="ignore", invalid="ignore"):
            losses = [
                np.nansum(-drawn.counts[run, h] * np.log(c[h])) + p[h]
                for c, p in zip(candidates, penalties, strict=True)
            ]
        assert chosen[run, h] == int(np.argmin(losses))


def test_finite_class_finds_the_expert():
    candidates = dirichlet_policy(CHAIN, 4, runs=6)
    drawn = sample_demonstrations(CHAIN, candidates[5], 20_000, 0)
    assert finite_class(drawn, candidates).tolist() == [5] * 5
    with pytest.raises(InvalidModelError, match=r"candidates has shape \(6, 1, 4, 2\)"):
        finite_class(drawn, candidates[:, :1])


@pytest.mark.parametrize("radius", [0.3, 2.0, 1000.0])
def test_log_linear_fit_agrees_with_another_solver(radius):
    phi = np.random.default_rng(0).normal(size=(4, 2, 3)) / 2
    drawn = sample_demonstrations(CHAIN, dirichlet_policy(CHAIN, 1), 300, 0)
    fit = log_linear(drawn, phi, radius)
    assert (np.linalg.norm(fit.weights, axis=1) <= radius * (1 + 1e-9)).all()
    for h in range(5):

        def loss(w, h=h):
            scores = phi @ w
            return -(drawn.counts[h] * (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))).sum()

        ball = {"type": "ineq", "fun": lambda w: radius**2 - w @ w}
        other = minimize(loss, np.zeros(3), method="SLSQP", constraints=[ball], options={"ftol": 1e-10})
        assert loss(fit.weights[h]) <= other.fun + 1e-4
        assert loss(fit.weights[h]) - fit.lack[h] <= other.fun + 1e-6
    np.testing.assert_allclose(fit.policy.sum(axis=-1), 1.0)


def test_log_linear_fit_mixes_and_skips_empty_stages():
    phi = np.random.default_rng(0).normal(size=(2, 3, 2))
    fit = log_linear(Demonstrations(np.zeros((2, 2, 3), dtype=np.int64)), phi, 1.0)
    np.testing.assert_allclose(fit.policy, 1 / 3)
    mixed = log_linear(COUNTS, phi, 2.0, mixing=0.3).policy
    np.testing.assert_allclose(mixed, 0.7 * log_linear(COUNTS, phi, 2.0).policy + 0.1)
    with pytest.raises(NotConvergedError, match="stage 0 lacks"):
        log_linear(COUNTS, phi, 2.0, tolerance=1e-18)
    with pytest.raises(ValueError, match=r"radius is 0\.0"):
        log_linear(COUNTS, phi, 0.0)


def test_newton_stops_at_the_minimum():
    phi = np.random.default_rng(3).normal(size=(2, 3, 2))
    found = _newton(COUNTS.counts[0].astype(float), phi, 0.1, np.zeros(2))
    again = _newton(COUNTS.counts[0].astype(float), phi, 0.1, found)
    np.testing.assert_allclose(found, again, atol=1e-6)


# Exact values


def test_trajectory_divergence_by_enumeration():
    policy, other = dirichlet_policy(SMALL, 0), dirichlet_policy(SMALL, 1)
    total = sum(
        p * np.log(p / q) for (_, _, p), (_, _, q) in zip(paths(SMALL, policy), paths(SMALL, other), strict=True) if p
    )
    assert trajectory_divergence(SMALL, policy, other) == pytest.approx(total, abs=1e-13)


def test_divergence_is_infinite_only_where_it_matters():
    policy = noisy(np.zeros((5, 4), int), 2, 0.0)
    other = np.full((5, 4, 2), 0.5)
    other[1, 0] = 0.0, 1.0
    assert trajectory_divergence(CHAIN, policy, other) == np.inf
    other[1, 0] = 0.5
    other[0, 3] = 0.0, 1.0  # not reached at the first stage
    assert trajectory_divergence(CHAIN, policy, other) == pytest.approx(5 * np.log(2))
    assert trajectory_divergence(CHAIN, policy, policy) == 0.0


def test_occupancy_and_values_are_those_of_the_planner():
    policies = dirichlet_policy(CHAIN, 0, runs=3)
    laws = state_occupancy(CHAIN, policies)
    optimum = policy_value(CHAIN, backward_induction(CHAIN).values)
    for k in range(3):
        np.testing.assert_allclose(laws[k], occupancy(CHAIN, policies[k]).sum(axis=-1))
        gap = optimum - policy_value(CHAIN, evaluate(CHAIN, policies[k]))
        assert policy_gap(CHAIN, policies)[k] == pytest.approx(gap, abs=1e-14)


@pytest.mark.parametrize("lam", [1e-3, 0.3, 40.0])
def test_regularised_identities(lam):
    reference, policies = dirichlet_policy(SMALL, 5), dirichlet_policy(SMALL, 6, runs=4)
    optimum = regularised_optimum(SMALL, reference, lam)
    plain = start_values(SMALL, regularised_values(SMALL, policies, reference, 0.0))
    values = start_values(SMALL, regularised_values(SMALL, policies, reference, lam))
    np.testing.assert_allclose(values, plain - lam * trajectory_divergence(SMALL, policies, reference), atol=1e-12)
    gaps = regularised_gap(SMALL, policies, reference, lam)
    assert (gaps >= -1e-12).all()
    if lam > 0.1:  # otherwise the optimal probabilities underflow
        np.testing.assert_allclose(gaps, lam * trajectory_divergence(SMALL, policies, optimum.policy), rtol=1e-10)
    assert regularised_gap(SMALL, optimum.policy, reference, lam) == pytest.approx(0.0, abs=1e-12)


def test_leading_axes():
    references, lam = dirichlet_policy(SMALL, 1, runs=3), np.array([0.1, 1.0, 5.0])
    policies = dirichlet_policy(SMALL, 2, runs=3)
    rewards = np.random.default_rng(0).random((3, 3, 2, 3))
    together = regularised_gap(SMALL, policies, references, lam, rewards)
    alone = [regularised_gap(SMALL, policies[k], references[k], lam[k], rewards[k]) for k in range(3)]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_bad_references():
    with pytest.raises(InvalidPolicyError, match=r"reference\[h=0, s=1, a=0\] is 0"):
        regularised_optimum(
            SMALL, np.where(np.arange(2)[:, None] == 1, [0.0, 0.5, 0.5], np.full((3, 2, 3), 1 / 3)), 1.0
        )
    with pytest.raises(ValueError, match="lam is nan"):
        regularised_optimum(SMALL, dirichlet_policy(SMALL, 0), np.nan)


# Bounds


@pytest.mark.parametrize(
    ("size", "lower", "upper"),
    [((5, 4, 5, 200), 0.1656, 0.3731), ((5, 4, 5, 2000), 0.01845, 0.03748), ((3, 2, 2, 50), 0.0522, 0.1176)],
)
def test_golden_minimax_bounds(size, lower, upper):
    S, A, H, N = size
    free = np.full((H, S), 1 / S)
    assert minimax_bound(free, A, N) == pytest.approx(lower, rel=2e-3)
    assert expectation_bound(free, A, N) == pytest.approx(upper, rel=1e-3)
    known = {"S": S, "A": A, "H": H, "N": N}
    assert expectation_bound(free, A, N) <= parameters.evaluate(parameters.CLONING_EXPECTATION, known)


@pytest.mark.parametrize(("actions", "n"), [(2, 0), (2, 3), (3, 4), (5, 7)])
def test_bayes_risk_is_the_formula(actions, n):
    k = np.arange(n + 1)
    masses = [
        comb(n, i) * np.prod([1.0 + j for j in range(i)]) * np.prod([actions - 1.0 + j for j in range(n - i)])
        / np.prod([actions + j for j in range(n)])
        for i in range(n + 1)
    ]  # fmt: skip
    assert sum(masses) == pytest.approx(1.0)
    q = (k + 1) / (n + actions)
    expected = digamma(2) - digamma(actions + 1) - actions * (np.array(masses) @ (q * np.log(q)))
    assert bayes_risk(actions, n)[n] == pytest.approx(expected, rel=1e-12)
    assert parameters.evaluate(MINIMAX, {"A": actions, "H": 1, "N": n}) == pytest.approx(expected, rel=1e-12)


def test_bayes_risk_by_simulation_and_asymptotics():
    random = np.random.default_rng(0)
    laws = random.dirichlet(np.ones(3), 40_000)
    counts = random.multinomial(6, laws)
    clone = (counts + 1) / 9
    risk = (laws * np.log(laws / clone)).sum(axis=1)
    assert bayes_risk(3, 6)[6] == pytest.approx(risk.mean(), abs=4 * risk.std() / 200)
    assert bayes_risk(4, 3000)[-1] * 2 * 3000 / 3 == pytest.approx(1.0, rel=5e-3)


@pytest.mark.parametrize("chance", [1e-9, 0.3, 1.0])
def test_binomial_law(chance):
    expected = [comb(9, k) * chance**k * (1 - chance) ** (9 - k) for k in range(10)]
    np.testing.assert_allclose(binomial_law(9, chance), expected, atol=1e-14)


def test_mean_divergence_is_between_its_bounds():
    model = free_occupancies(3, 2, 2)
    experts = dirichlet_policy(model, 0, runs=1000)
    laws = np.full((2, 3), 1 / 3)
    found = []
    for k in range(1000):
        clone = laplace(sample_demonstrations(model, experts[k], 50, k))
        found.append(float(trajectory_divergence(model, experts[k], clone)))
    mean, error = np.mean(found), np.std(found) / np.sqrt(1000)
    assert mean == pytest.approx(minimax_bound(laws, 2, 50), abs=4 * error)
    assert mean < expectation_bound(laws, 2, 50)


def test_high_probability_bound_holds_and_is_the_sum_of_its_terms():
    expert = noisy(backward_induction(CHAIN).policy, 2, 0.1)
    drawn = sample_demonstrations(CHAIN, expert, 3000, 0, runs=40)
    bound = high_probability_bound(drawn, 0.1)
    divergence = trajectory_divergence(CHAIN, expert, laplace(drawn))
    assert (divergence <= bound).all()
    worst = parameters.evaluate(parameters.CLONING_HIGH_PROBABILITY, {"S": 4, "A": 2, "H": 5, "N": 3000, "delta": 0.1})
    assert (bound <= worst).all()
    union = np.log(2 * 4 * 5 / 0.1)
    n = drawn.visits[0].astype(float)
    radius = union + np.log(n + 1)
    terms = np.where(n > 0, radius * np.maximum(1.0, np.log(radius)) + 2, 0.0) + union * np.log(n + 2)
    expected = np.e / (np.e - 1) / 3000 * terms.sum()
    assert bound[0] == pytest.approx(expected, rel=1e-12)


def test_high_probability_bound_is_capped():
    drawn = sample_demonstrations(CHAIN, None, 3, 0)
    assert high_probability_bound(drawn, 0.1) == pytest.approx(5 * np.log(5))
