"""Exact values, derivatives, Fisher matrices and compatible fits of parametric policies, and their constants."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdps.errors import InvalidModelError, InvalidPolicyError
from mdps.instances import random_dense_discounted
from mdps.tabular import DiscountedMDP
from solvers.n_harpg_exact import (
    FiniteWorld,
    advantage,
    compatible_fit,
    fisher_matrix,
    occupancy,
    optimal_policy,
)
from solvers.n_harpg_policies import (
    affine_policy,
    cauchy_regularity,
    gauged_softmax_policy,
    gaussian_regularity,
    log_linear_policy,
    ring_policy,
    sigmoid_policy,
    softmax_policy,
    truncated_gaussian_regularity,
)

TRANSITIONS = [[[3 / 4, 1 / 4], [1 / 5, 4 / 5]], [[1 / 2, 1 / 2], [2 / 3, 1 / 3]]]
TWO_STATES = DiscountedMDP(TRANSITIONS, [[0.0, 1.0], [-0.5, 0.6]], 0.9, [2 / 3, 1 / 3])


def family(name, n_states, n_actions, rng):
    if name == "ring":
        return ring_policy(n_states)
    if name == "softmax":
        return softmax_policy(n_states, n_actions)
    if name == "gauged":
        return gauged_softmax_policy(n_states, n_actions)
    if name == "log-linear":
        return log_linear_policy(rng.normal(size=(n_states, n_actions, 2)))
    slopes = rng.uniform(-1.0, 1.0, (n_states, n_actions, 2)) * 0.1 / n_actions
    return affine_policy(np.full((n_states, n_actions), 1.0 / n_actions), slopes - slopes.mean(axis=1, keepdims=True))


FAMILIES = st.sampled_from(["softmax", "gauged", "log-linear", "ring", "affine"])


def random_world(name, seed, discount=0.8):
    rng = np.random.default_rng(seed)
    n_states, n_actions = int(rng.integers(1, 4)), 3 if name == "ring" else int(rng.integers(2, 4))
    world = FiniteWorld(
        random_dense_discounted(n_states, n_actions, discount, seed), family(name, n_states, n_actions, rng)
    )
    return world, rng.uniform(-0.9, 0.9, world.dimension)


def central(function, theta, step=1e-5):
    return np.stack([(function(theta + e) - function(theta - e)) / (2 * step) for e in step * np.eye(theta.size)], -1)


def test_golden_numbers_of_the_two_state_model():
    world, uniform = FiniteWorld(TWO_STATES, softmax_policy(2, 2)), np.zeros(4)
    fit = compatible_fit(world, uniform)
    assert world.value(uniform) == pytest.approx(2569 / 878, rel=1e-14)
    assert world.value(uniform, 3) == pytest.approx(0.8349425, abs=1e-12)
    assert world.value(uniform, 10) == pytest.approx(1.92581153, abs=1e-8)
    assert world.optimum() == pytest.approx(7.87793427, abs=1e-8)
    np.testing.assert_array_equal(optimal_policy(world), [[0, 1], [0, 1]])
    np.testing.assert_allclose(fit.gradient, [-1.07421696, 1.07421696, -1.33833063, 1.33833063], atol=1e-8)
    np.testing.assert_allclose(fit.occupancy, [0.53910402, 0.46089598], atol=1e-8)
    np.testing.assert_allclose(np.linalg.eigvalsh(fit.fisher), [0, 0, 0.23044799, 0.26955201], atol=1e-8)
    np.testing.assert_allclose(fit.weights, [-3.98519362, 3.98519362, -5.80751708, 5.80751708], atol=1e-8)
    assert fit.least_positive_eigenvalue == pytest.approx(0.23044799, abs=1e-8)
    assert abs(fit.least_eigenvalue) < 1e-15
    assert fit.bias < 1e-28


@given(FAMILIES, st.integers(0, 10**6), st.sampled_from([None, 1, 2, 5]))
def test_derivatives_agree_with_differences(name, seed, horizon):
    world, theta = random_world(name, seed)
    slope = central(lambda x: world.value(x, horizon), theta)
    np.testing.assert_allclose(world.gradient(theta, horizon), slope, atol=1e-7)
    curvature = central(lambda x: world.gradient(x, horizon), theta)
    hessian = world.hessian(theta, horizon)
    np.testing.assert_allclose(hessian, curvature, atol=1e-6)
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-12)


@given(FAMILIES, st.integers(0, 10**6))
def test_scores_and_curvatures_are_derivatives_of_log_probabilities(name, seed):
    world, theta = random_world(name, seed)
    policy = world.policy
    np.testing.assert_allclose(
        policy.scores(theta), central(lambda x: np.log(policy.probabilities(x)), theta), atol=1e-7
    )
    np.testing.assert_allclose(policy.hessians(theta), central(policy.scores, theta), atol=1e-6)
    mean = np.einsum("sa,sai->si", policy.probabilities(theta), policy.scores(theta))
    np.testing.assert_allclose(mean, 0.0, atol=1e-12)


@given(st.sampled_from(["softmax", "gauged", "log-linear", "ring"]), st.integers(0, 10**6))
def test_gap_is_signed_bias_plus_transferred_score(name, seed):
    world, theta = random_world(name, seed)
    fit = compatible_fit(world, theta)
    identity = fit.signed_bias / (1.0 - world.mdp.discount) + fit.weights @ fit.transferred_score
    assert fit.gap == pytest.approx(identity, abs=1e-10)
    assert abs(fit.signed_bias) <= sqrt(fit.bias) * (1 + 1e-9) + 1e-12
    np.testing.assert_allclose(fit.gradient, world.gradient(theta), atol=1e-10)
    np.testing.assert_allclose(fit.fisher, fisher_matrix(world, theta), atol=1e-14)
    np.testing.assert_allclose(fit.occupancy, occupancy(world, theta), atol=1e-14)
    if name in ("softmax", "gauged"):
        assert fit.bias < 1e-16


@given(st.integers(0, 10**6))
def test_no_other_weights_fit_the_advantage_better(seed):
    world, theta = random_world("log-linear", seed)
    fit = compatible_fit(world, theta)
    pairs = (fit.occupancy[:, None] * world.policy.probabilities(theta)).ravel()
    scores = world.policy.scores(theta).reshape(pairs.size, -1)
    root = np.sqrt(pairs)
    solution, *_ = np.linalg.lstsq(root[:, None] * scores, root * advantage(world, theta).ravel(), rcond=None)
    np.testing.assert_allclose((1.0 - world.mdp.discount) * scores @ fit.weights, scores @ solution, atol=1e-6)
    residual = advantage(world, theta).ravel() - scores @ solution
    assert fit.fitting_error == pytest.approx(pairs @ residual**2, abs=1e-10)


def test_a_long_horizon_is_an_infinite_one_and_leading_axes_stay():
    world = FiniteWorld(random_dense_discounted(4, 3, 0.9, 5), softmax_policy(4, 3))
    theta = np.random.default_rng(0).normal(size=(2, 3, 12))
    np.testing.assert_allclose(world.value(theta, 400), world.value(theta), rtol=1e-12)
    np.testing.assert_allclose(world.gradient(theta, 400), world.gradient(theta), atol=1e-12)
    np.testing.assert_allclose(world.hessian(theta[0, 0], 400), world.hessian(theta[0, 0]), atol=1e-11)
    assert world.value(theta).shape == (2, 3)
    for i, j in ((0, 0), (1, 2)):
        np.testing.assert_allclose(world.gradient(theta)[i, j], world.gradient(theta[i, j]), atol=1e-14)
        np.testing.assert_allclose(world.gradient(theta, 3)[i, j], world.gradient(theta[i, j], 3), atol=1e-14)


def test_ring_bandit_meets_the_vacuity_bound_with_equality():
    mdp = DiscountedMDP(np.ones((1, 3, 1)), [[1.0, 0.0, 0.0]], 0.0)
    world = FiniteWorld(mdp, ring_policy())
    thetas = np.linspace(0.0, 2.0 * np.pi, 721)[:, None]
    biases = [compatible_fit(world, theta).bias for theta in thetas]
    assert sqrt(max(biases)) == pytest.approx(29 / 30, abs=1e-9)
    assert world.optimum() - world.value(thetas).min() == pytest.approx(29 / 30, abs=1e-12)
    fishers = fisher_matrix(world, thetas)[:, 0, 0]
    assert (fishers.min(), fishers.max()) == (pytest.approx(0.27931, abs=1e-5), pytest.approx(0.73636, abs=1e-5))
    at_pi = compatible_fit(world, np.array([np.pi]), world.policy.probabilities(np.zeros(1)))
    assert abs(at_pi.gradient[0]) < 1e-15
    assert at_pi.gap == pytest.approx(0.6, abs=1e-12)
    mild = [compatible_fit(world, theta, world.policy.probabilities(np.zeros(1))).bias for theta in thetas]
    assert sqrt(max(mild)) == pytest.approx(0.7696, abs=1e-4)


def test_constants_of_the_families():
    assert softmax_policy(2, 3).regularity.score == sqrt(2)
    assert softmax_policy(2, 3).regularity.hessian == pytest.approx(0.5)
    assert softmax_policy(2, 3).regularity.third == pytest.approx(0.27217, abs=1e-5)
    sigmoid = sigmoid_policy(3).regularity
    assert (sigmoid.score, sigmoid.hessian) == (1.0, 0.25)
    assert sigmoid.third == pytest.approx(0.09623, abs=1e-5)
    ring = ring_policy().regularity
    assert (ring.score, ring.hessian, ring.third) == (
        pytest.approx(2.06474, abs=1e-5), pytest.approx(9.0), pytest.approx(28.59, abs=1e-2),
    )  # fmt: skip
    assert cauchy_regularity(2.0, 3.0).hessian == pytest.approx(4.5)
    assert cauchy_regularity(1.0).third == pytest.approx(2.9142, abs=1e-4)
    assert gaussian_regularity(0.5).score == np.inf
    assert truncated_gaussian_regularity(0.5, 2.0).score == 16.0
    assert truncated_gaussian_regularity(0.5, 0.1).hessian == pytest.approx(0.16)


@given(st.sampled_from(["softmax", "gauged", "log-linear", "ring"]), st.integers(0, 10**6), st.floats(0.1, 5.0))
def test_no_parameter_exceeds_the_constants(name, seed, size):
    world, theta = random_world(name, seed)
    policy, bound, theta = world.policy, world.policy.regularity, size * theta
    hessians = policy.hessians(theta)
    assert np.linalg.norm(policy.scores(theta), axis=-1).max() <= bound.score * (1 + 1e-12)
    assert np.linalg.norm(hessians, ord=2, axis=(-2, -1)).max() <= bound.hessian * (1 + 1e-9)
    direction = np.random.default_rng(seed).normal(size=theta.size)
    direction *= 1e-4 / np.linalg.norm(direction)
    change = np.linalg.norm(policy.hessians(theta + direction) - hessians, ord=2, axis=(-2, -1)).max()
    assert change <= bound.third * 1e-4 * (1 + 1e-6) + 1e-11


def test_bad_input_is_named():
    world = FiniteWorld(TWO_STATES, softmax_policy(2, 2))
    with pytest.raises(InvalidPolicyError, match=r"theta has shape \(3,\), not \(\.\.\., 4\)"):
        world.value(np.zeros(3))
    with pytest.raises(InvalidPolicyError, match="not finite"):
        world.value(np.array([0.0, np.nan, 0.0, 0.0]))
    with pytest.raises(InvalidPolicyError, match=r"not \(4,\)"):
        world.hessian(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="horizon is 0"):
        world.gradient(np.zeros(4), 0)
    with pytest.raises(InvalidModelError, match="policy has 3 states"):
        FiniteWorld(TWO_STATES, softmax_policy(3, 2))
    with pytest.raises(InvalidPolicyError, match="sums to"):
        compatible_fit(world, np.zeros(4), [[0.5, 0.4], [0.5, 0.5]])
    with pytest.raises(InvalidPolicyError, match=r"policy\[0, 1\] is -"):
        affine_policy([[0.5, 0.5]], [[[1.0], [-1.0]]]).probabilities([0.6])
    with pytest.raises(InvalidPolicyError, match="no constants"):
        _ = affine_policy([[0.5, 0.5]], [[[1.0], [-1.0]]]).regularity
    with pytest.raises(InvalidPolicyError, match="sum to one"):
        affine_policy([[0.5, 0.4]], [[[1.0], [-1.0]]])
    with pytest.raises(InvalidPolicyError, match="outside"):
        ring_policy(1, 0.4)
    with pytest.raises(InvalidPolicyError, match=r"not \(S, A, d\)"):
        log_linear_policy([[1.0]])
