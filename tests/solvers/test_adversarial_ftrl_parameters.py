"""Rates, conditions and bounds: known values, closed forms against optimisation, and reasons of refusal."""

from dataclasses import replace
from math import comb, e, expm1, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solvers import adversarial_ftrl_parameters as par

TABULAR = (par.ENTROPY_SQUARE, par.ENTROPY_MIXED, par.BARRIER, par.BARRIER_LOCAL)
LINEAR = (par.LINEAR_BARRIER, par.LINEAR_REDUCED, par.LINEAR_PLAIN)


def first_informative(bound, horizon, factor=1.0):
    """The least K with bound <= horizon * K / factor, by bisection."""
    low, high = 1, 2
    while bound(high) > horizon * high / factor:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if bound(middle) <= horizon * middle / factor else (middle, high)
    return high


@pytest.mark.parametrize(
    ("shape", "episodes", "entropy", "barrier", "oreps"),
    [
        ((1, 1, 2), 10**4, 186, 453, 167),
        ((2, 2, 2), 10**5, 2536, 6866, 2106),
        ((3, 3, 3), 10**5, 9917, 29733, 5966),
        ((3, 3, 3), 10**6, 30250, 97971, 18867),
    ],
)
def test_tuned_tabular_bounds_are_the_known_ones(shape, episodes, entropy, barrier, oreps):
    H, S, A = shape
    for variant, known in ((par.ENTROPY_MIXED, entropy), (par.BARRIER, barrier)):
        parameters, bound = par.tuned_tabular(variant, [S] * H, A, episodes)
        assert 0.99 * known < bound <= known + 1.0
        assert par.inadmissible_tabular(parameters, H) is None
    assert par.oreps_bandit_bound(H, H * S * A, episodes) == pytest.approx(oreps, abs=1.0)


def test_the_local_bonus_is_better_for_many_episodes():
    assert par.tuned_tabular(par.BARRIER_LOCAL, [3] * 3, 3, 10**5)[1] == pytest.approx(28672, rel=1e-3)
    assert par.tuned_tabular(par.BARRIER_LOCAL, [3] * 3, 3, 10**6)[1] == pytest.approx(89168, rel=1e-3)


@pytest.mark.parametrize(
    ("shape", "episodes", "known"),
    [
        ((1, 2, 2), 10**5, (6411, 2497, 9284)),
        ((2, 2, 4), 10**5, (48612, 19163, 59461)),
        ((3, 2, 4), 10**6, (477787, 174955, 619296)),
    ],
)
def test_tuned_linear_bounds_are_the_known_ones(shape, episodes, known):
    H, A, d = shape
    for variant, value in zip(LINEAR, known, strict=True):
        parameters, bound = par.tuned_linear(variant, H, A, d, episodes)
        assert 0.985 * value < bound <= value + 1.0
        assert par.inadmissible_linear(parameters, H) is None


def test_exponents_of_the_optimised_bounds():
    for variant, exponent in zip(LINEAR, (0.529, 0.500, 0.666), strict=True):
        small, large = (par.tuned_linear(variant, 2, 2, 2, K)[1] for K in (10**6, 10**8))
        assert log(large / small) / log(100) == pytest.approx(exponent, abs=0.003)


def test_first_informative_numbers_of_episodes():
    assert first_informative(lambda K: par.oreps_bandit_bound(2, 8, K), 2) == 12
    assert first_informative(lambda K: par.oreps_bandit_bound(3, 27, K), 3, 10) == 3956
    assert abs(first_informative(lambda K: par.tuned_tabular(par.ENTROPY_MIXED, [2, 2], 2, K)[1], 2) - 36) <= 1


@pytest.mark.parametrize("horizon", [1, 2, 3, 5, 10])
def test_tabular_corollary(horizon):
    constants = {1: 3.437, 2: 2.053, 3: 1.674, 5: 1.399, 10: 1.209}
    assert par.dilation_constant(horizon) == pytest.approx(constants[horizon], abs=1e-3)
    S, A = 3, 3
    episodes = int(np.ceil(2.9 * horizon**4 * log(A) / (S * A)))
    parameters, bound = par.tabular_corollary(horizon, S, A, episodes)
    assert par.inadmissible_tabular(parameters, horizon) is None
    assert par.tabular_bound(parameters, [S] * horizon, A, episodes) == pytest.approx(bound, rel=1e-12)
    assert bound <= 3.71 * horizon**2 * sqrt(S * A * episodes * log(A))
    assert par.tuned_tabular(par.ENTROPY_SQUARE, [S] * horizon, A, 100 * episodes)[1] <= 10 * bound


@pytest.mark.parametrize(("horizon", "episodes"), [(1, 1000), (2, 10**5), (4, 10**6)])
def test_linear_corollaries(horizon, episodes):
    A, d = 3, 4
    parameters, bound = par.linear_corollary(par.LINEAR_BARRIER, horizon, A, d, episodes)
    assert par.inadmissible_linear(parameters, horizon) is None
    assert par.linear_bound(parameters, horizon, A, d, episodes) <= bound * (1 + 1e-9)
    tail = horizon**2 * (1 + 2 * sqrt(d))
    assert bound <= 5.72 * horizon**3 * sqrt(d * episodes * ((A - 1) * log(episodes) + 2 / horizon)) + tail
    parameters, bound = par.linear_corollary(par.LINEAR_REDUCED, horizon, A, d, episodes)
    assert par.inadmissible_linear(parameters, horizon) is None
    assert par.linear_bound(parameters, horizon, A, d, episodes) <= bound * (1 + 1e-9)
    assert bound <= 9.69 * horizon**3 * sqrt(d * episodes * log(A))
    with pytest.raises(ValueError, match="closed forms"):
        par.linear_corollary(par.LINEAR_PLAIN, horizon, A, d, episodes)


@given(st.sampled_from(TABULAR), st.integers(1, 5), st.floats(-12.0, -2.0), st.floats(-3.0, 3.0))
def test_the_dilation_is_the_least_admissible_one(variant, horizon, log_eta, log_ratio):
    eta, gamma = np.exp(log_eta), np.exp(log_eta + log_ratio)
    parameters = par.tabular_parameters(variant, horizon, 3, 1000, eta, gamma)
    if parameters is None:
        for omega in (0.01, 0.1, 0.5, 1.0, 3.0):
            kappa_q = {par.ENTROPY_SQUARE: e - 2, par.ENTROPY_MIXED: 2.0, par.BARRIER: 0.25, par.BARRIER_LOCAL: 0.5}
            tried = par.TabularParameters(variant, eta, gamma, omega, kappa_q[variant])
            assert par.inadmissible_tabular(tried, horizon) is not None
        return
    assert par.inadmissible_tabular(parameters, horizon) is None
    smaller = replace(parameters, omega=0.999 * parameters.omega)
    assert "exceeds omega" in par.inadmissible_tabular(smaller, horizon)


def test_refusals_say_why():
    good = par.tabular_parameters(par.ENTROPY_MIXED, 3, 3, 10**5, 1e-4, 1e-4)
    assert "kappa_Q" in par.inadmissible_tabular(replace(good, kappa_q=0.4), 3)
    assert "positive" in par.inadmissible_tabular(replace(good, eta=-1.0), 3)
    assert "exceeds omega" in par.inadmissible_tabular(replace(good, omega=0.0), 3)
    assert "exceeds 1" in par.inadmissible_tabular(par.TabularParameters(par.ENTROPY_SQUARE, 1.0, 0.1, 1.0, e - 2), 3)
    assert par.tabular_parameters(par.ENTROPY_MIXED, 5, 3, 10**5, 1.0, 0.01) is None
    with pytest.raises(ValueError, match="variant"):
        par.tabular_parameters("x", 2, 2, 10, 0.1, 0.1)
    linear = par.linear_corollary(par.LINEAR_REDUCED, 2, 2, 2, 10**6)[0]
    assert "does not exceed" in par.inadmissible_linear(replace(linear, beta=0.1 * linear.beta), 2)
    assert "exceeds omega" in par.inadmissible_linear(replace(linear, omega=0.0), 2)
    assert "below -1" in par.inadmissible_linear(replace(linear, variant=par.LINEAR_PLAIN), 2)
    assert "positive" in par.inadmissible_linear(replace(linear, gamma=0.0), 2)


def test_lower_bounds():
    assert par.bandit_lower_bound(3, 3, 4, 20_000) == pytest.approx(192.6, abs=0.1)
    assert par.bandit_lower_bound(2, 2, 10, 20_000) == pytest.approx(238.7, abs=0.1)
    assert par.bandit_lower_bound(2, 3, 2, 6000) == pytest.approx(22.1, abs=0.1)
    rounded = 0.233 * (3 / 4) ** 2 * 3 * sqrt(3 * 4 * 20_000) / sqrt(1 + 3 / 20_000)
    assert par.bandit_lower_bound(3, 3, 4, 20_000) >= rounded
    for steps in (1, 2, 3, 7, 30, 31):
        mean = sum(comb(steps, i) * abs(steps - 2 * i) for i in range(steps + 1)) / 2**steps
        assert par.walk_range(steps) == pytest.approx(mean, rel=1e-12)
    assert par.walk_range(10**6) == pytest.approx(sqrt(2e6 / np.pi), rel=1e-5)


def test_sizes_of_the_covariance_estimators():
    assert par.resampling_depth(0.1, 0.1) + 1 == 93
    assert par.direct_draws(0.1, 3, 0.5) == 253
    assert par.direct_draws(0.1, 3, 0.1) == 417
    assert par.chernoff_exponent() == pytest.approx(0.10820, abs=1e-5)


def test_full_information_bounds():
    assert par.hedge_bound(3, 3, 50_000, per_stage=False) == pytest.approx(1074, abs=1)
    assert par.soft_bound(5, 3, 10_000) == pytest.approx(829, abs=1)
    assert par.oreps_bound(5, 60, 3, 10_000) == pytest.approx(557, abs=1)
    assert par.oreps_bandit_bound(5, 60, 10_000) == pytest.approx(3861, abs=1)
    assert par.oreps_bound(3, 27, 3, 4000, from_uniform=True) == pytest.approx(198.9, abs=0.1)
    assert par.oreps_bound(5, 20, 2, 4000, from_uniform=True) == pytest.approx(322.4, abs=0.1)
    for per_stage in (True, False):  # eta balances penalty and stability of every stage
        rates = par.hedge_rates(3, 3, 1000, per_stage)
        total = np.sum(log(3) / rates + rates * 1000 * np.arange(3, 0, -1.0) ** 2 / 8)
        assert total == pytest.approx(par.hedge_bound(3, 3, 1000, per_stage))
    rate = par.soft_rate(3, 3, 1000)
    assert 3 * log(3) / rate + rate * 1000 * 9 / 8 == pytest.approx(par.soft_bound(3, 3, 1000))


def test_bandit_without_exploration():
    assert par.barrier_bandit_bound(2, 256_000, sqrt(2 * log(256_000) / 256_000)) == pytest.approx(2527, abs=1)
    assert par.barrier_bandit_bound(2, 1000, sqrt(2 * log(1000) / 1000)) == pytest.approx(120, abs=1)


@pytest.mark.parametrize("b", [-0.9, -1e-3, 1e-6, 0.3, 0.999, 1.001, 4.0])
def test_the_second_order_coefficient_of_the_exponential(b):
    assert par.kappa(b) == pytest.approx((expm1(b) - b) / b**2, rel=1e-9 if abs(b) > 1e-4 else 1e-4)


def test_the_second_order_coefficient_at_its_known_points():
    assert par.kappa(0.0) == 0.5
    assert par.kappa(1.0) == pytest.approx(e - 2)
    assert par.kappa(1.793282) == pytest.approx(1.0, abs=1e-6)


def test_parameters_for_drawn_covariances():
    bounds = []
    for draws in (10_000, 100_000):
        parameters, bound = par.drawn_parameters(1, 2, 2, 2_000, draws)
        assert par.inadmissible_linear(parameters, 1) is None
        assert par.missing_draws(parameters, 1, 2, 2_000) is None
        needed = (1 + 1 / parameters.gamma) * log(2 * 2 * 2_000 / parameters.delta) / par.chernoff_exponent()
        assert draws == pytest.approx(needed, rel=1e-6)
        bounds.append(bound)
    assert bounds[1] < 2_000 < bounds[0]
    assert "draws are fewer than" in par.missing_draws(replace(parameters, draws=99_000), 1, 2, 2_000)
    assert "outside" in par.missing_draws(replace(parameters, delta=0.0), 1, 2, 2_000)
    with pytest.raises(ValueError, match="draws is 10"):
        par.drawn_parameters(1, 2, 2, 2_000, 10)
