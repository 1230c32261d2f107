"""Leaders on the simplex: steps, stability and worst cases against bisection, cone programmes and brute force."""

from itertools import product
from math import e, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdps.adversarial import cycle_losses, equality_case, loss_sequence
from mdps.kernels import seed_lanes
from solvers import adversarial_ftrl_simplex as simplex
from solvers.adversarial_ftrl_parameters import barrier_penalty, best_smoothing, kappa
from solvers.adversarial_ftrl_simplex import ENTROPY, LOG_BARRIER, TSALLIS

REGULARISERS = (ENTROPY, LOG_BARRIER, TSALLIS)


def bisection(gaps, power):
    """The root of sum 1 / (g + x) ** power = 1 on [1, n], to the last bit."""
    low, high = 1.0, float(len(gaps))
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if np.sum(1.0 / (gaps + middle) ** power) > 1.0 else (low, middle)
    return 1.0 / (gaps + low) ** power


def interior(seed, n, floor=1e-9):
    x = np.maximum(np.random.default_rng(seed).dirichlet(np.full(n, 0.3)), floor)
    return x / x.sum()


@given(st.integers(2, 30), st.integers(0, 10**6), st.floats(-3.0, 7.0))
def test_newton_from_one_agrees_with_bisection(n, seed, magnitude):
    gaps = np.random.default_rng(seed).random(n) * 10.0**magnitude
    gaps -= gaps.min()
    for regulariser, power in ((LOG_BARRIER, 1), (TSALLIS, 2)):
        x = simplex.leader(gaps, 1.0, regulariser)
        np.testing.assert_allclose(x, bisection(gaps, power), rtol=1e-10, atol=0.0)
        assert x.sum() == pytest.approx(1.0, abs=1e-14)


@given(st.floats(0.0, 1e12))
def test_the_closed_form_of_two_arms_has_no_cancellation(gap):
    x = simplex.leader([gap, 0.0], 1.0, LOG_BARRIER)
    assert x[0] == pytest.approx(bisection(np.array([gap, 0.0]), 1)[0], rel=1e-12)
    assert 1.0 / x[0] - 1.0 / x[1] == pytest.approx(gap, rel=1e-9, abs=1e-9)


def test_entropy_is_the_softmax_and_a_shift_changes_nothing():
    losses = np.array([3.0, 1.0, 2.5])
    expected = np.exp(-0.7 * losses) / np.exp(-0.7 * losses).sum()
    np.testing.assert_allclose(simplex.leader(losses, 0.7, ENTROPY), expected, rtol=1e-14)
    for regulariser in REGULARISERS:
        shifted = simplex.leader(losses + 1e6, 0.7, regulariser)
        np.testing.assert_allclose(shifted, simplex.leader(losses, 0.7, regulariser), rtol=1e-9)


@given(st.sampled_from(REGULARISERS), st.integers(2, 6), st.integers(0, 10**6), st.floats(-2.0, 2.0))
def test_regret_is_penalty_plus_stability(regulariser, n, seed, magnitude):
    rng, eta = np.random.default_rng(seed), 0.3
    losses = rng.standard_t(2, (40, n)) * 10.0**magnitude
    losses = np.clip(losses, -100.0, 100.0)
    x, u = simplex.iterates(losses, eta, regulariser), interior(seed + 1, n, 1e-3)
    steps = eta * np.sum((x[:-1] - x[1:]) * losses, axis=1) - simplex.divergence(x[1:], x[:-1], regulariser)
    right = simplex.regulariser_value(u, regulariser) - simplex.regulariser_value(x[0], regulariser)
    scale = np.abs(steps).sum() + eta * np.abs(losses).sum()
    if regulariser == ENTROPY and x.min() == 0.0:
        return  # underflow: the identity needs interior points
    right += steps.sum() - simplex.divergence(u, x[-1], regulariser)
    assert eta * np.sum((x[:-1] - u) * losses) == pytest.approx(right, abs=1e-9 * max(scale, 1.0))
    assert (steps >= -1e-9 * scale).all()


@given(st.sampled_from(REGULARISERS), st.integers(2, 8), st.integers(0, 10**6), st.floats(-3.0, 4.0))
def test_stability_is_certified_from_both_sides(regulariser, n, seed, magnitude):
    x, g = interior(seed, n, 1e-6), np.random.default_rng(seed).normal(size=n) * 10.0**magnitude
    found = simplex.stability(x, g, regulariser)
    scale = max(abs(found.upper), np.abs(g).max(), 1.0)
    assert found.lower <= found.upper + 1e-10 * scale
    assert found.upper - found.lower <= 1e-8 * scale
    others = np.random.default_rng(seed + 1).dirichlet(np.ones(n), 20)
    values = (x - others) @ g - simplex.divergence(others, x, regulariser)
    assert values.max() <= found.upper + 1e-10 * scale
    if regulariser == LOG_BARRIER:
        assert found.lower <= 0.25 * simplex.variance(x, g) * (1 + 1e-9) + 1e-13


@pytest.mark.parametrize("regulariser", [ENTROPY, LOG_BARRIER])
def test_stability_equals_that_of_a_cone_programme(regulariser):
    cp = pytest.importorskip("cvxpy")
    x, g = np.array([0.2, 0.5, 0.3]), np.array([2.0, -1.0, 0.7])
    y = cp.Variable(3)
    if regulariser == ENTROPY:
        divergence = cp.sum(cp.rel_entr(y, x))
    else:
        divergence = cp.sum(cp.multiply(1 / x, y) - 1 - cp.log(y) + np.log(x))
    problem = cp.Problem(cp.Maximize((x - y) @ g - divergence), [cp.sum(y) == 1, y >= 0])
    problem.solve(solver=cp.CLARABEL)
    found = simplex.stability(x, g, regulariser)
    assert found.upper == pytest.approx(problem.value, abs=1e-7)
    np.testing.assert_allclose(found.y, y.value, atol=1e-4)


@given(st.integers(2, 8), st.integers(0, 10**6))
def test_itakura_saito_dominates_chi_square(n, seed):
    x, y = interior(seed, n, 1e-12), interior(seed + 1, n, 1e-12)
    chi = simplex.chi_square(y, x)
    assert simplex.divergence(y, x, LOG_BARRIER) >= chi * (1 - 1e-12)


def test_the_quarter_is_attained():
    x, y = np.array([1 / 11, 10 / 11]), np.array([10 / 11, 1 / 11])
    assert simplex.divergence(y, x, LOG_BARRIER) == pytest.approx(8.1)
    assert simplex.chi_square(y, x) == pytest.approx(8.1)
    g = -2.0 * (y / x - 1.0)
    found = simplex.stability(x, g, LOG_BARRIER)
    assert found.lower == pytest.approx(8.1)
    assert found.upper == pytest.approx(0.25 * simplex.variance(x, g))
    for p in (0.3, 1e-2, 1e-5):
        point, losses, swapped, common = equality_case(p)
        found = simplex.stability(point, losses, LOG_BARRIER)
        assert found.lower == pytest.approx(common, rel=1e-9)
        assert 0.25 * simplex.variance(point, losses) == pytest.approx(common, rel=1e-9)
        np.testing.assert_allclose(found.y, swapped, rtol=1e-9)


def test_a_local_norm_without_floor_does_not_bound_the_log_barrier():
    x, g = np.array([1e-4, 1 - 1e-4]), np.array([-2e4, 0.0])
    assert np.sum(x**2 * g**2) == pytest.approx(4.0)
    assert simplex.stability(x, g, LOG_BARRIER).lower == pytest.approx(1e4, rel=0.01)


@pytest.mark.parametrize(
    ("p", "entropy", "tsallis"),
    [(1e-2, (9.19, 5.39), (18.0, 2.75)), (1e-4, (18.4, 271), (198, 25.2)), (1e-6, (27.6, 18096), (2001, 250))],
)
def test_no_constant_serves_entropy_or_tsallis(p, entropy, tsallis):
    x = np.array([p, 1 - p])
    for regulariser, (size, ratio) in ((ENTROPY, entropy), (TSALLIS, tsallis)):
        g = np.array([-size, 0.0])
        assert simplex.stability(x, g, regulariser).lower / simplex.variance(x, g) == pytest.approx(ratio, rel=2e-3)
    assert simplex.stability(x, np.array([-entropy[0], 0.0]), LOG_BARRIER).upper <= 0.25 * p * entropy[0] ** 2


def test_the_constant_of_exponential_weights_is_false_below_minus_one():
    p, g = 1e-9, np.array([-2.0, 0.0])
    x = np.array([p, 1 - p])
    assert simplex.stability(x, g, ENTROPY).lower / np.sum(x * g**2) == pytest.approx((e**2 - 3) / 4, rel=1e-6)
    assert kappa(1.0) == pytest.approx(e - 2)
    assert kappa(0.0) == 0.5
    assert kappa(1e-4) == pytest.approx(kappa(1.01e-4), rel=1e-5)
    assert kappa(1.793282) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("eta", "period", "barrier", "bound", "entropy", "claim"),
    [
        (0.1, 200, 4139.88, 4156.87, 5031.7, 374.9),
        (0.05, 400, 8259.06, 8276.05, 10038.2, 387.5),
        (0.02, 1000, 20616.60, 20633.59, 25057.6, 427.3),
    ],
)
def test_cycles_are_tight_for_the_log_barrier_and_break_exponential_weights(
    eta, period, barrier, bound, entropy, claim
):
    rounds = period // 2 + 50 * (period + 1)
    losses = loss_sequence(cycle_losses(period), rounds, seed_lanes(0, 1), 0)[:, 0, 0]
    least = losses.sum(axis=0).min()
    x = simplex.iterates(losses, eta, LOG_BARRIER)[:-1]
    regret = np.sum(x * losses) - least
    assert regret == pytest.approx(barrier, abs=0.01)
    gap = abs(losses[:, 0].sum() - losses[:, 1].sum())
    alpha = best_smoothing(2, eta * gap / 2)
    computed = barrier_penalty(2, alpha) / eta + eta / 4 * simplex.variance(x, losses).sum() + alpha * gap / 2
    assert computed == pytest.approx(bound, abs=0.01)
    assert 0.995 * computed < regret <= computed
    x = simplex.iterates(losses, eta, ENTROPY)[:-1]
    assert np.sum(x * losses) - least == pytest.approx(entropy, abs=0.05)
    assert log(2) / eta + (e - 2) * eta * np.sum(x * losses**2) == pytest.approx(claim, abs=0.06)


@given(st.integers(2, 20), st.floats(1e-3, 1e5))
def test_the_best_smoothing_is_a_minimum(n, cost):
    alpha = best_smoothing(n, cost)
    assert 0.0 < alpha <= 1.0
    here = barrier_penalty(n, alpha) + cost * alpha
    for other in (0.9 * alpha, min(1.0, 1.1 * alpha)):
        assert here <= barrier_penalty(n, other) + cost * other + 1e-9 * abs(here)


# Worst cases


@pytest.mark.parametrize("regulariser", REGULARISERS)
def test_worst_case_equals_brute_force(regulariser):
    rounds, eta = 9, 0.6
    regrets = []
    for choice in product(range(2), repeat=rounds):
        losses = np.eye(2)[list(choice)]
        x = simplex.iterates(losses, eta, regulariser)[:-1]
        regrets.append(np.sum(x * losses) - losses.sum(axis=0).min())
    assert simplex.worst_case_regret(regulariser, eta, rounds) == pytest.approx(max(regrets), abs=1e-12)


@pytest.mark.parametrize(
    ("rounds", "hedge", "barrier", "barrier_bound"),
    [(100, 5.550906, 7.276, 10.116), (1000, 18.150138, 28.445, 37.091), (4000, 36.683367, 62.723, 79.609)],
)
def test_worst_cases_are_the_known_ones_and_below_the_bounds(rounds, hedge, barrier, barrier_bound):
    worst = simplex.worst_case_regret(ENTROPY, sqrt(8 * log(2) / rounds), rounds)
    assert worst == pytest.approx(hedge, abs=1e-6)
    assert 0.94 < worst / sqrt(rounds * log(2) / 2) <= 1.0
    if rounds == 4000:
        assert worst > sqrt(0.48 * rounds * log(2))
    eta = sqrt(16 * log(rounds) / rounds)
    assert simplex.worst_case_regret(LOG_BARRIER, eta, rounds) == pytest.approx(barrier, abs=1e-3)
    alpha = best_smoothing(2, eta * rounds / 2)
    bound = barrier_penalty(2, alpha) / eta + eta * rounds / 16 + alpha * rounds / 2
    assert bound == pytest.approx(barrier_bound, abs=1e-3)


# Bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simplex.leader([1.0, 2.0], 0.0, ENTROPY), "eta"),
        (lambda: simplex.leader([1.0, 2.0], np.nan, ENTROPY), "eta"),
        (lambda: simplex.leader([1.0, np.nan], 1.0, ENTROPY), "not finite"),
        (lambda: simplex.leader([1.0, 2.0], 1.0, 7), "regulariser"),
        (lambda: simplex.iterates(np.zeros((2, 2, 2)), 1.0, ENTROPY), "shape"),
        (lambda: simplex.stability([0.0, 1.0], [1.0, 2.0], ENTROPY), "interior"),
        (lambda: simplex.stability([0.5, 0.6], [1.0, 2.0], ENTROPY), "interior"),
        (lambda: simplex.stability([0.5, 0.5], [1.0], ENTROPY), "shape"),
        (lambda: simplex.worst_case_regret(ENTROPY, 1.0, 0), "rounds"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
