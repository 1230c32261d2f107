"""Rigorous suprema: grids with known fill distance, brute force, policies with certified errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps.errors import InvalidModelError
from solvers import lipschitz_policies_covering as covering
from solvers.lipschitz_policies_extension import mcshane


def grid(count, n):
    axes = np.meshgrid(*[np.linspace(-1.0, 1.0, count)] * n)
    return np.stack([axis.ravel() for axis in axes], axis=1)


@pytest.mark.parametrize(("count", "n"), [(2, 1), (5, 1), (10, 2), (3, 3)])
def test_fill_distance_of_a_grid(count, n):
    exact = n**0.5 / (count - 1)
    found = covering.fill_distance(grid(count, n), [-1.0] * n, [1.0] * n, tolerance=5e-3)
    assert found.converged
    assert found.lower <= exact + 1e-12
    assert exact <= found.upper <= found.lower + 5e-3 + 1e-12


@given(st.integers(0, 10**6), st.integers(1, 20), st.integers(1, 2))
@settings(max_examples=20)
def test_fill_distance_encloses_every_sample(seed, size, n):
    rng = np.random.default_rng(seed)
    points, x = rng.random((size, n)), rng.random((200, n))
    found = covering.fill_distance(points, np.zeros(n), np.ones(n), tolerance=1e-2)
    distances = np.linalg.norm(x[:, None] - points, axis=2).min(axis=1)
    np.testing.assert_allclose(covering.nearest_distances(points, x), distances, atol=1e-13)
    assert distances.max() <= found.upper
    assert covering.nearest_distances(points, found.witness[None])[0] == found.lower


def test_a_constant_that_is_too_small_misses_the_supremum():
    def spike(x):
        return np.maximum(0.0, 1.0 - 20.0 * np.abs(x[:, 0] - 0.3))

    right = covering.lipschitz_supremum(spike, 20.0, [-1.0], [1.0], tolerance=1e-3)
    assert right.lower <= 1.0 <= right.upper
    assert covering.lipschitz_supremum(spike, 0.1, [-1.0], [1.0], tolerance=0.2).upper < 1.0


def test_a_search_that_ends_early_still_encloses():
    def ring(x):
        return -np.abs(np.linalg.norm(x, axis=1) - 0.7)

    found = covering.lipschitz_supremum(ring, 1.0, [-1.0] * 3, [1.0] * 3, tolerance=1e-6, max_cells=5000)
    assert not found.converged
    assert found.evaluations <= 5000
    assert found.lower <= 0.0 <= found.upper


def test_the_error_of_the_central_policy_is_enclosed_and_within_the_a_priori_bound():
    gain = np.array([[-0.01290485, 0.85922773]])
    alpha, points = 1.2 * np.linalg.norm(gain), grid(10, 2)

    def expert(x):
        return -x @ gain.T

    def policy(x):
        return mcshane(points, expert(points), alpha, x)

    found = covering.policy_error(policy, expert, alpha + np.linalg.norm(gain), [-1, -1], [1, 1], tolerance=2e-3)
    assert found.converged
    x = np.random.default_rng(0).uniform(-1.0, 1.0, (20_000, 2))
    assert np.abs(policy(x) - expert(x)).max() <= found.upper
    fill = covering.fill_distance(points, [-1, -1], [1, 1])
    assert found.lower <= alpha * fill.upper


def test_the_central_policy_attains_its_bound():
    # experts +d and -d agree on the sample; the central policy is zero, at distance alpha d of both
    found = covering.policy_error(
        lambda x: mcshane([[0.0]], [0.0], 1.0, x), lambda x: np.abs(x), 2.0, [-1.0], [1.0], tolerance=1e-6
    )
    assert found.lower <= 1.0 <= found.upper
    assert found.upper == pytest.approx(1.0, abs=1e-5)


def test_mean_distance_between_the_two_bounds():
    mean, error = covering.mean_distance(1000, 2, repetitions=2000)
    assert error < 4e-4
    assert 0.0119 < mean - 4.0 * error < mean + 4.0 * error < 0.0396
    assert abs(mean - 0.0160) < 5.0 * error
    assert covering.mean_distance(1000, 2, side=2.0, repetitions=2000)[0] == pytest.approx(2.0 * mean)


def test_bad_input_is_named():
    with pytest.raises(InvalidModelError, match=r"low\[1\] is 1.0, above high\[1\]"):
        covering.fill_distance([[0.0, 0.0]], [0.0, 1.0], [1.0, 0.0])
    with pytest.raises(InvalidModelError, match="not both"):
        covering.fill_distance([[0.0, 0.0]], [0.0, 1.0], [1.0])
    with pytest.raises(InvalidModelError, match="the tolerance 0"):
        covering.lipschitz_supremum(lambda x: x[:, 0], 1.0, [0.0], [1.0], tolerance=0.0)
    with pytest.raises(InvalidModelError, match="repetitions 1"):
        covering.mean_distance(10, 2, repetitions=1)
