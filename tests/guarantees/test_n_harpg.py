"""Guarantees of the momentum policy gradients on drawn models, directions, schedules and constants."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mdps.continuous import CauchyBandit, ScalarLQR
from mdps.instances import random_dense_discounted
from solvers import n_harpg as algorithms
from solvers import n_harpg_policies as policies
from solvers.n_harpg_exact import FiniteWorld, compatible_fit, fisher_matrix
from theory import n_harpg as theory
from theory import n_harpg_regularity as regularity

BOUNDS = {
    claim.id.split(".")[1]: claim.bound for claim in (*theory.CLAIMS, *regularity.CLAIMS) if claim.bound is not None
}
SEEDS = st.integers(0, 2**32 - 1)
DISCOUNTS = st.sampled_from([0.1, 0.5, 0.9, 0.97])
FAMILIES = st.sampled_from(["softmax", "sigmoid", "gauged", "log-linear", "ring"])
POSITIVE = st.floats(0.05, 20.0)


def drawn(name, seed, discount):
    """Random model with a family of policies, and a parameter."""
    rng = np.random.default_rng(seed)
    n_states, n_actions = int(rng.integers(1, 4)), {"ring": 3, "sigmoid": 2}.get(name, int(rng.integers(2, 4)))
    families = {
        "softmax": lambda: policies.softmax_policy(n_states, n_actions),
        "sigmoid": lambda: policies.sigmoid_policy(n_states),
        "gauged": lambda: policies.gauged_softmax_policy(n_states, n_actions),
        "log-linear": lambda: policies.log_linear_policy(rng.uniform(-1.0, 1.0, (n_states, n_actions, 2))),
        "ring": lambda: policies.ring_policy(n_states),
    }
    mdp = random_dense_discounted(n_states, n_actions, discount, seed % 1000)
    world = FiniteWorld(mdp, families[name]())
    return world, rng.uniform(-2.0, 2.0, world.dimension)


def constants(world, **more):
    found = world.policy.regularity
    sizes = {"M_g": found.score, "M_h": found.hessian, "l_2": found.third, "r_max": world.largest_reward}
    return sizes | {"gamma": world.mdp.discount} | more


def norm(matrix):
    return float(np.linalg.norm(matrix, 2))


@settings(max_examples=40)
@given(FAMILIES, SEEDS, DISCOUNTS, st.integers(1, 30))
def test_sizes_of_derivatives_and_of_their_tails(name, seed, discount, horizon):
    world, theta = drawn(name, seed, discount)
    sizes = constants(world, H=horizon)
    slope, curvature = world.gradient(theta), world.hessian(theta)
    assert norm(slope[None]) <= BOUNDS["gradient_norm"].evaluate(**sizes)
    assert norm(curvature) <= BOUNDS["smoothness"].evaluate(**sizes)
    assert norm((world.gradient(theta, horizon) - slope)[None]) <= BOUNDS["gradient_tail"].evaluate(**sizes) + 1e-9
    assert norm(world.hessian(theta, horizon) - curvature) <= BOUNDS["hessian_tail"].evaluate(**sizes) + 1e-9
    step = 1e-3 * np.eye(world.dimension)[0]
    for finite in (None, horizon):
        change = norm(world.hessian(theta + step, finite) - world.hessian(theta - step, finite)) / 2e-3
        assert change <= BOUNDS["hessian_lipschitz"].evaluate(**sizes)


@settings(max_examples=40)
@given(FAMILIES, SEEDS, DISCOUNTS)
def test_the_gradient_dominates_the_gap_up_to_the_bias(name, seed, discount):
    world, theta = drawn(name, seed, discount)
    fit = compatible_fit(world, theta)
    least = fit.least_positive_eigenvalue
    assume(least > 1e-6)
    largest = np.linalg.norm(world.policy.scores(theta), axis=-1).max()
    slope = largest / least * np.linalg.norm(fit.gradient)
    assert fit.gap <= slope + max(fit.signed_bias, 0.0) / (1.0 - discount) + 1e-8
    assert abs(fit.signed_bias) <= math.sqrt(fit.bias) + 1e-9
    if name in ("softmax", "sigmoid", "gauged"):
        assert fit.bias <= 1e-12


@settings(max_examples=40)
@given(FAMILIES, SEEDS, DISCOUNTS, st.floats(0.0, 1.0), st.floats(1e-4, 2.0), st.integers(1, 10))
def test_ascent_of_a_normalised_step(name, seed, discount, c, length, horizon):
    world, theta = drawn(name, seed, discount)
    direction = np.random.default_rng(seed + 1).normal(size=world.dimension)
    gain = world.value(theta + length * direction / np.linalg.norm(direction)) - world.value(theta)
    short, whole = world.gradient(theta, horizon), world.gradient(theta)
    loss = (1.0 + c) * np.linalg.norm(direction - short) + np.linalg.norm(whole - short)
    smooth = BOUNDS["smoothness"].evaluate(**constants(world))
    assert gain >= length * (c * np.linalg.norm(short) - loss) - 0.5 * smooth * length**2 - 1e-9


@settings(max_examples=30)
@given(SEEDS, DISCOUNTS, st.integers(1, 3), st.integers(2, 4))
def test_the_softmax_has_information_off_its_null_directions(seed, discount, n_states, n_actions):
    world = FiniteWorld(
        random_dense_discounted(n_states, n_actions, discount, seed % 1000),
        policies.softmax_policy(n_states, n_actions),
    )
    theta = np.random.default_rng(seed).uniform(-2.0, 2.0, world.dimension)
    matrix = fisher_matrix(world, theta)
    ones = np.kron(np.eye(n_states), np.ones((n_actions, 1)))
    np.testing.assert_allclose(matrix @ ones, 0.0, atol=1e-12)
    spectrum = np.linalg.eigvalsh(matrix + ones @ ones.T)
    floor = (1.0 - discount) * world.mdp.initial.min() * world.policy.probabilities(theta).min()
    assert spectrum[0] >= floor - 1e-12


@settings(max_examples=30)
@given(POSITIVE, POSITIVE, POSITIVE, POSITIVE, POSITIVE, st.integers(1, 400), st.floats(0.1, 1.0))
def test_the_gaps_solve_their_recursions(kappa, noise, smooth, third, square, count, c):
    """For any ascent constant c, bias and truncation."""
    bias, cut, factor = 0.3, 0.2, 1.0 + c
    sizes = {"sigma_g": noise, "L_g": smooth, "L_h": third, "B_2": square, "scale": 1.0 / (c * kappa), "C_2": factor}
    sizes |= {"b": bias, "D": cut, "T": count}
    root = {
        "n_harpg": lambda t: math.sqrt(BOUNDS["n_harpg_error"].evaluate(**sizes, t=t)),
        "n_pg_igt": lambda t: BOUNDS["igt_error"].evaluate(**sizes, t=t),
        "n_pg_m": lambda t: BOUNDS["momentum_error"].evaluate(**sizes, t=t),
    }
    for name, error in root.items():
        gap = 1e3
        for t in range(count):
            step = 2.0 * sizes["scale"] / (t + 2.0)
            gap = (1.0 - c * kappa * step) * gap + factor * step * (error(t) + cut) + 0.5 * smooth * step**2
            gap += c * kappa * bias * step
        assert gap <= BOUNDS[name].evaluate(**sizes) * (1.0 + 1e-9)


@settings(max_examples=15)
@given(SEEDS, st.floats(2.0, 50.0), st.floats(0.05, 1.0), st.integers(1, 60))
def test_a_normalised_method_cannot_leave_the_ball_of_its_steps(seed, offset, scale, count):
    offset = max(offset, 2.0)
    schedule = algorithms.power_schedule(count, scale, 1.0, 1.0, offset=offset)
    run = algorithms.run_policy_gradient(
        CauchyBandit(), algorithms.N_HARPG, schedule, 1, count, 3, seed, start=[0.5], record=1
    )
    steps = schedule.steps[:count].sum()
    assert run.reach[:, -1, 0].max() <= steps + 1e-9
    assert steps <= BOUNDS["path_length"].evaluate(T=count, tau_0=offset, c=1.0, kappa=1.0 / scale) + 1e-9


@settings(max_examples=15)
@given(SEEDS, st.floats(-3.0, 3.0))
def test_products_of_the_bandit_estimate_its_hessian(seed, theta):
    """Within five standard errors; |r (psi^2 + Psi)| is at most 2."""
    world, count = CauchyBandit(), 400
    path = np.array([[theta], [theta + 1e-3]])
    schedule = algorithms.Schedule(np.array([1.0, 0.0]), np.zeros(1))
    curvature = (12.0 * theta**2 - 16.0) / (4.0 + theta**2) ** 3
    for method in (algorithms.N_HARPG, algorithms.N_HARPG_CAUSAL):
        run = algorithms.run_policy_gradient(world, method, schedule, 1, 1, count, seed, path=path, record=[0, 1])
        draws = (run.directions[:, 1, 0] - run.directions[:, 0, 0]) / 1e-3
        assert abs(draws.mean() - curvature) <= 5.0 * math.sqrt(21 / 32 / count) + 1e-2
        assert np.abs(draws).max() <= 2.0 + 1e-6


@settings(max_examples=40)
@given(st.floats(-0.2, 3.6), st.floats(0.1, 3.0), st.floats(0.05, 1.0))
def test_domination_of_the_regulator(gain, cost, exploration):
    world = ScalarLQR(control_cost=cost, exploration=exploration)
    theta, best = np.array([gain]), np.array([world.optimal_gain])
    assume(0.9 * (0.9 - 0.5 * gain) ** 2 < 0.95)
    gap, slope = float(world.optimum() - world.value(theta)), float(world.gradient(theta)[0])
    own, star = float(world.second_moment(theta)), float(world.second_moment(best))
    curvature = cost + 0.9 * 0.5**2 * float(world.riccati(theta))
    assert -1e-9 <= gap <= 0.1 * star * slope**2 / (4.0 * own**2 * curvature) + 1e-9
    assert gap <= star / own * abs(slope) * abs(gain - best[0]) + 1e-9


@pytest.mark.parametrize("name", ["N_PG_M", "N_PG_IGT", "N_HARPG"])
def test_a_zero_direction_does_not_move(name):
    method = replace(getattr(algorithms, name))
    schedule = algorithms.Schedule(np.ones(6), np.ones(5), first_weight=0.0)
    mdp = random_dense_discounted(1, 2, 0.0, 0)
    still = FiniteWorld(type(mdp)(mdp.transitions, np.zeros((1, 2)), 0.0, mdp.initial), policies.sigmoid_policy(1))
    run = algorithms.run_policy_gradient(still, method, schedule, 1, 5, 2, 0, start=[0.3], record=1)
    np.testing.assert_array_equal(run.parameters[:, -1], 0.3)
