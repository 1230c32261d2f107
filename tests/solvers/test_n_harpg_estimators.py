"""Estimates averaged over all trajectories: unbiasedness, golden moments, and the exact error of the momentum."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdps.instances import random_dense_discounted
from mdps.tabular import DiscountedMDP
from solvers.n_harpg_estimators import (
    enumerate_trajectories,
    error_second_moments,
    gradient_estimates,
    hessian_estimates,
    mean_correction,
    moments,
)
from solvers.n_harpg_exact import FiniteWorld
from solvers.n_harpg_policies import affine_policy, log_linear_policy, ring_policy, softmax_policy

TRANSITIONS = [[[3 / 4, 1 / 4], [1 / 5, 4 / 5]], [[1 / 2, 1 / 2], [2 / 3, 1 / 3]]]
TWO_STATES = DiscountedMDP(TRANSITIONS, [[0.0, 1.0], [-0.5, 0.6]], 0.9, [2 / 3, 1 / 3])
WORLD = FiniteWorld(TWO_STATES, softmax_policy(2, 2))
MOVES = np.zeros((2, 2, 2))
MOVES[0, :, 0] = MOVES[1, :, 1] = [-1.0, 1.0]
DIRECT = FiniteWorld(TWO_STATES, affine_policy([[1.0, 0.0], [1.0, 0.0]], MOVES))
"""The probabilities of action 1 are the parameters."""
BEFORE, AFTER = (3 / 7, 2 / 5), (1 / 2, 5 / 9)


def prescribed_path(iterations):
    path = np.zeros((iterations + 1, 4))
    for t in range(iterations):
        path[t + 1] = path[t] + 2.0 / (t + 2) * np.cos(t) * np.array([0.5, -0.5, 0.5, -0.5])
    return path


@given(st.sampled_from(["softmax", "log-linear", "ring", "affine"]), st.integers(0, 10**6), st.integers(1, 3))
def test_all_estimates_are_unbiased(name, seed, horizon):
    rng = np.random.default_rng(seed)
    slopes = np.array([[[0.2], [-0.1], [-0.1]], [[-0.1], [0.1], [0.0]]])
    policy = {
        "softmax": softmax_policy(2, 3),
        "log-linear": log_linear_policy(rng.normal(size=(2, 3, 2))),
        "ring": ring_policy(2),
        "affine": affine_policy(np.full((2, 3), 1 / 3), slopes),
    }[name]
    world = FiniteWorld(random_dense_discounted(2, 3, 0.7, seed), policy)
    theta = rng.uniform(-1.0, 1.0, world.dimension)
    paths = enumerate_trajectories(world, theta, horizon)
    assert paths.probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    g = gradient_estimates(world, theta, paths.states, paths.actions)
    np.testing.assert_allclose(paths.probabilities @ g, world.gradient(theta, horizon), atol=1e-12)
    for causal in (False, True):
        b = hessian_estimates(world, theta, paths.states, paths.actions, causal=causal)
        mean = np.einsum("n,nij->ij", paths.probabilities, b)
        np.testing.assert_allclose(mean, world.hessian(theta, horizon), atol=1e-12)
        np.testing.assert_allclose(mean, mean.T, atol=1e-12)


def test_golden_moments_at_the_uniform_policy():
    squares = (0.2175, 0.5898, 1.2702, 2.1076, 3.1085, 4.2257)
    operator = (0.0, 0.3552, 1.5000, 3.8294, 7.6971, 13.2707)
    frobenius = (0.0, 0.3828, 1.5728, 4.0247, 8.1257, 13.9736)
    causal = (0.0, 0.2047, 0.8053, 1.9508, 3.7686, 6.2492)
    for horizon in range(1, 7):
        plain = moments(WORLD, np.zeros(4), horizon)
        lower = moments(WORLD, np.zeros(4), horizon, causal=True)
        assert plain.gradient_square == pytest.approx(squares[horizon - 1], abs=5e-5)
        assert plain.hessian_variance == pytest.approx(operator[horizon - 1], abs=5e-5)
        assert plain.frobenius_variance == pytest.approx(frobenius[horizon - 1], abs=5e-5)
        assert lower.hessian_variance == pytest.approx(causal[horizon - 1], abs=5e-5)
        np.testing.assert_allclose(plain.hessian, lower.hessian, atol=1e-13)


@pytest.mark.parametrize(
    ("horizon", "golden"),
    [
        (3, (Fraction(117273433, 2646000000), Fraction(4254869, 352800000))),
        (4, (Fraction(353677168373, 5556600000000), Fraction(110835093101, 8890560000000))),
    ],
)
def test_the_correction_is_the_difference_of_gradients(horizon, golden):
    exact = DIRECT.gradient(AFTER, horizon) - DIRECT.gradient(BEFORE, horizon)
    np.testing.assert_allclose(exact, [float(x) for x in golden], rtol=1e-12)
    for causal in (False, True):
        np.testing.assert_allclose(mean_correction(DIRECT, BEFORE, AFTER, horizon, causal=causal), exact, atol=1e-14)


@pytest.mark.parametrize(
    ("horizon", "mistake", "error"),
    [
        (3, {"score_factor": 0.0}, (-0.393, -0.231)),
        (3, {"score_factor": -1.0}, (-0.787, -0.463)),
        (3, {"point": 1.0}, (-1.783e-3, -9.63e-4)),
        (3, {"sampled_here": True}, (0.134, 0.109)),
        (4, {"point": 0.5}, (-3.76e-5, -1.76e-5)),
        (4, {"relative_weights": True}, (3.39e-3, 3.867e-3)),
    ],
)
def test_mistakes_have_the_known_bias(horizon, mistake, error):
    exact = DIRECT.gradient(AFTER, horizon) - DIRECT.gradient(BEFORE, horizon)
    found = mean_correction(DIRECT, BEFORE, AFTER, horizon, **mistake) - exact
    np.testing.assert_allclose(found, error, rtol=5e-3)


def test_the_midpoint_is_exact_for_three_stages():
    exact = DIRECT.gradient(AFTER, 3) - DIRECT.gradient(BEFORE, 3)
    np.testing.assert_allclose(mean_correction(DIRECT, BEFORE, AFTER, 3, point=0.5), exact, atol=1e-14)


def test_golden_errors_on_the_prescribed_path():
    path, eta = prescribed_path(30), 2.0 / (np.arange(31) + 2)
    errors = error_second_moments(WORLD, path, eta, 3)
    golden = (0.83488486, 0.47380189, 0.26372585, 0.21037116, 0.12505249, 0.05041733)
    np.testing.assert_allclose(errors[[0, 1, 2, 5, 10, 30]], golden, atol=5e-9)
    assert np.all(error_second_moments(WORLD, path[:4], eta[:4], 3, causal=True)[1:] < errors[1:4])
    batched = error_second_moments(WORLD, path[:1], eta[:1], 3, first_batch=5)
    assert batched[0] == pytest.approx(errors[0] / 5)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="more than 2000000 trajectories"):
        enumerate_trajectories(WORLD, np.zeros(4), 12)
    with pytest.raises(ValueError, match=r"path has shape \(3, 4\) and eta \(2,\)"):
        error_second_moments(WORLD, np.zeros((3, 4)), np.ones(2), 3)
