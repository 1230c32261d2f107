"""Guarantees of Lipschitz policies on drawn demonstrations, loops and costs."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps.control import EnvelopePolicy, LinearPlant, LinearPolicy, QuadraticCost, regulator
from mdps.control_instances import reflected_states
from solvers.lipschitz_policies_covering import nearest_distances
from solvers.lipschitz_policies_duality import lipschitz_constant
from solvers.lipschitz_policies_extension import kirszbraun, mcshane
from solvers.lipschitz_policies_layers import residual_layer, residual_scaling
from solvers.lipschitz_policies_regression import clipped_loss, lipschitz_regression
from theory import lipschitz_policies as theory

CLAIMS = {claim.id.split(".")[1]: claim for claim in theory.CLAIMS}
SEEDS = st.integers(0, 2**32 - 1)
RATES = st.floats(0.05, 0.95)
GAINS = st.floats(0.05, 2.0)


def bound(name, **values):
    return CLAIMS[name].explicit_bound.evaluate(**values)


def slopes(points, values):
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    moves = np.linalg.norm(values[:, None] - values[None], axis=2)
    return float((moves[gaps > 0] / gaps[gaps > 0]).max())


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 3), st.integers(2, 12), GAINS)
def test_a_fit_is_feasible_and_no_other_policy_is_better(seed, dimension, size, alpha):
    rng = np.random.default_rng(seed)
    points, targets = rng.uniform(-1, 1, (size, dimension)), rng.uniform(-1, 1, size)
    fit = lipschitz_regression(points, targets, alpha)
    assert lipschitz_constant(points, fit.values) <= alpha * (1 + 1e-9)
    assert fit.upper == pytest.approx(fit.lower, abs=1e-8)
    knots, heights = rng.uniform(-1, 1, (4, dimension)), rng.uniform(-1, 1, 4)
    other = EnvelopePolicy(knots, heights, alpha, "upper")(points)[:, 0]
    assert fit.lower <= ((other - targets) ** 2).mean() / 2 + 1e-12


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 3), st.integers(1, 10), GAINS, st.floats(1.0, 3.0))
def test_the_error_of_an_interpolant_grows_with_the_distance_to_the_samples(seed, dimension, size, target, ratio):
    rng = np.random.default_rng(seed)
    knots = rng.uniform(-1, 1, (5, dimension))
    expert = EnvelopePolicy(knots, rng.uniform(-1, 1, 5), target, "lower")
    points, queries = rng.uniform(-1, 1, (size, dimension)), rng.uniform(-1, 1, (20, dimension))
    alpha, truth = ratio * target, expert(queries)[:, 0]
    distance = nearest_distances(points, queries)
    for side, other in (("upper", target), ("lower", target), ("central", 0.0)):
        error = np.abs(mcshane(points, expert(points)[:, 0], alpha, queries, side)[:, 0] - truth)
        allowed = [bound("interpolation_error", alpha=alpha, L=other, h=h) for h in distance]
        assert np.all(error <= np.array(allowed) + 1e-9), side


@settings(max_examples=25)
@given(SEEDS, st.integers(2, 3), st.integers(2, 3), st.integers(2, 8))
def test_vectors_are_extended_without_a_larger_slope(seed, dimension, inputs, size):
    rng = np.random.default_rng(seed)
    points, values = rng.normal(size=(size, dimension)), rng.normal(size=(size, inputs))
    alpha = lipschitz_constant(points, values)
    states = np.concatenate([points, rng.normal(size=(8, dimension))])
    policy = kirszbraun(points, values, alpha, states).values
    assert policy[:size] == pytest.approx(values, abs=1e-5)
    assert slopes(states, policy) <= alpha * (1 + 1e-4)


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 3), st.integers(1, 2), st.floats(0.0, 2.0))
def test_mirrored_data_are_fitted_by_clipped_gains(seed, dimension, inputs, alpha):
    rng = np.random.default_rng(seed)
    gain = rng.normal(size=(inputs, dimension))
    points = reflected_states(gain, rng.uniform(0.2, 1.0, (2, dimension)))
    fit = lipschitz_regression(points, points @ gain.T, alpha, check=False)
    exact = clipped_loss(points, gain, alpha)
    assert fit.lower - 1e-7 <= exact <= fit.upper + 1e-7
    assert fit.values == pytest.approx(points @ LinearPolicy(gain).clipped(alpha).gain.T, abs=2e-3)


@settings(max_examples=40)
@given(SEEDS, RATES, GAINS, st.floats(0.0, 1.0), st.integers(1, 30))
def test_scalar_loops_stay_within_their_deviation(seed, rate, gain, omega, steps):
    rng = np.random.default_rng(seed)
    constants = {"M": 1.0, "L_u": gain, "beta": rate, "omega": omega}
    for errors in (np.full(steps, omega), omega * rng.uniform(-1, 1, steps)):
        start = rng.uniform(-1, 1)
        state, expert = start, start
        for t, error in enumerate(errors, start=1):
            state, expert = rate * state + gain * error, rate * expert
            limit = bound("deviation", **constants, t=t)
            assert abs(state - expert) <= limit * (1 + 1e-9) + 1e-12
            assert abs(state) <= bound("practical_stability", **constants, t=t, r_0=abs(start)) + 1e-9


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 3), RATES)
def test_contractions_in_several_dimensions_stay_within_their_deviation(seed, dimension, rate):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(dimension, dimension))
    weights *= rate / np.linalg.norm(weights, 2)
    state = expert = rng.normal(size=dimension)
    for t in range(1, 25):
        gap = state - expert
        size = np.linalg.norm(gap)
        push = gap / size if size > 0 else np.eye(dimension)[0]
        state, expert = weights @ np.tanh(state) + 0.1 * push, weights @ np.tanh(expert)
        limit = bound("deviation", M=1.0, L_u=1.0, beta=rate, omega=0.1, t=t)
        assert np.linalg.norm(state - expert) <= limit * (1 + 1e-9)


@settings(max_examples=40)
@given(SEEDS, RATES, GAINS, st.floats(0.0, 0.5), st.floats(0.0, 0.3), st.integers(1, 20))
def test_errors_on_the_trajectory_are_enough(seed, rate, gain, error, slope, steps):
    del seed
    state = 0.0
    for t in range(1, steps + 1):
        state = rate * state + gain * (error + slope * abs(state))
        growth = rate + gain * slope
        if abs(growth - 1.0) > 1e-3:
            limit = bound("tube", M=1.0, L_u=gain, beta=rate, epsilon=max(error, 1e-300), alpha=slope, L=0.0, t=t)
            assert state <= limit * (1 + 1e-6) + 1e-12


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 3), st.integers(1, 2), st.floats(0.5, 1.0))
def test_the_regret_of_an_optimal_expert_is_a_sum_of_squares(seed, dimension, inputs, discount):
    rng = np.random.default_rng(seed)
    plant = LinearPlant(0.4 * rng.normal(size=(dimension, dimension)), rng.normal(size=(dimension, inputs)))
    cost = QuadraticCost(np.eye(dimension), np.eye(inputs), discount)
    expert = regulator(plant, cost)
    state = start = rng.normal(size=dimension)
    total, squares, omega = 0.0, 0.0, 0.0
    for t in range(12):
        error = 0.2 * rng.uniform(-1, 1, inputs)
        omega = max(omega, float(np.linalg.norm(error)))
        u = -expert.gain @ state + error
        total += discount**t * float(cost.stage(state, u))
        squares += discount**t * float(error @ expert.weight @ error)
        state = plant.step(state, u)
    excess = total + discount**12 * float(state @ expert.value @ state) - float(start @ expert.value @ start)
    assert excess == pytest.approx(squares, rel=1e-7, abs=1e-8)
    if discount < 1.0:
        largest = float(np.linalg.norm(expert.weight, 2))
        assert excess <= bound("lqr_regret", Lambda=largest, omega=omega, gamma=discount) + 1e-8


@settings(max_examples=60)
@given(SEEDS, st.floats(-1.0, 1.0), GAINS, st.floats(-1.0, 1.0), st.floats(0.0, 0.5), st.floats(0.1, 0.95))
def test_no_errors_of_the_measurement_cost_more_than_their_bound(seed, drift, gain, policy, zeta, discount):
    rng = np.random.default_rng(seed)
    alpha = abs(policy)
    constants = {"alpha": alpha, "zeta": zeta, "gamma": discount, "L_u": gain, "l_x": 1.0, "l_u": 0.5}
    loop = drift + gain * policy
    limits = []
    if discount * (abs(drift) + gain * alpha) < 0.999:
        limits.append(bound("deterioration", **constants, L_x=abs(drift)))
    if abs(loop) < 0.999:
        limits.append(bound("deterioration_stable", **constants, M=1.0, beta=max(abs(loop), 1e-300)))
    for signs in (np.ones(40), rng.choice([-1.0, 1.0], 40), (-1.0) ** np.arange(40)):
        x = y = rng.uniform(-1, 1)
        moved = 0.0
        for t, sign in enumerate(signs):
            u, v = policy * (x + sign * zeta), policy * y
            moved += discount**t * (abs(x) - abs(y) + 0.5 * (abs(u) - abs(v)))
            x, y = drift * x + gain * u, drift * y + gain * v
        assert all(moved <= limit * (1 + 1e-9) + 1e-9 for limit in limits)


@settings(max_examples=40)
@given(SEEDS, RATES, st.floats(0.0, 1.0), st.floats(0.0, 0.5), st.floats(0.1, 0.95))
def test_the_regret_of_a_disturbed_policy_is_linear_in_the_error(seed, rate, slope, omega, discount):
    rng = np.random.default_rng(seed)
    constants = {"M": 1.0, "L_u": 1.0, "beta": rate, "gamma": discount, "l_x": 1.0, "l_u": 0.5, "L": slope}
    limit = bound("regret", **constants, omega=max(omega, 1e-300))
    drift = rate - slope
    for errors in (np.full(60, omega), omega * rng.uniform(-1, 1, 60)):
        x = y = rng.uniform(0, 2)
        moved = 0.0
        for t, error in enumerate(errors):
            u, v = slope * x + error, slope * y
            moved += discount**t * (abs(x) - abs(y) + 0.5 * (abs(u) - abs(v)))
            x, y = drift * x + u, drift * y + v
        assert abs(moved) <= limit * (1 + 1e-9) + 1e-9


@settings(max_examples=25)
@given(SEEDS, st.integers(1, 4), st.integers(1, 5))
def test_residual_layers_do_not_expand(seed, dimension, width):
    rng = np.random.default_rng(seed)
    weights, bias = rng.normal(size=(dimension, width)), rng.normal(size=width)
    scaling = rng.uniform(0.5, 2.0, width)
    assert residual_scaling(weights, scaling).shape == (width,)
    first, second = rng.normal(size=(2, dimension))
    images = [residual_layer(x, weights, bias, scaling, "relu") for x in (first, second)]
    moved = np.linalg.norm(images[0] - images[1])
    assert moved <= np.linalg.norm(first - second) * (1 + 1e-9)


@settings(max_examples=15)
@given(SEEDS, st.integers(1, 3), st.integers(1, 60))
def test_no_design_covers_better_than_its_lower_bound(seed, dimension, size):
    rng = np.random.default_rng(seed)
    points = rng.random((size, dimension)) ** rng.uniform(0.5, 2.0)
    found = nearest_distances(points, rng.random((4000, dimension)))
    least = bound("lower_bound", a=1.0, n=dimension, N=size, L=1.0)
    assert found.mean() + 5.0 * found.std() / math.sqrt(len(found)) >= least


@settings(max_examples=60)
@given(st.floats(0.05, 2.0), GAINS, st.floats(0.0, 0.95), st.floats(0.0, 0.95))
def test_the_plant_decides_how_the_gain_acts_on_robustness(drift, inputs, first, second):
    low, high = sorted(((drift - first) / inputs, (drift - second) / inputs))
    if low < 0.0 or high - low < 1e-9:
        return
    gains = [bound("peak_gain", a=drift, b=inputs, k=k) for k in (low, high)]
    if drift < 1.0:
        assert gains[0] <= gains[1] * (1 + 1e-9)
    elif drift > 1.0:
        assert gains[0] * (1 + 1e-9) >= gains[1]
