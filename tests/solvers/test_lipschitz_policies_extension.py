"""Extensions: Lipschitz, interpolating, optimal; dense quadratic programmes; and the extensions that are not."""

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from mdps.errors import InvalidModelError
from solvers import lipschitz_policies_extension as extension
from solvers.lipschitz_policies_duality import lipschitz_constant
from solvers.lipschitz_policies_kernels import envelope_at, kirszbraun_at
from solvers.lipschitz_policies_regression import lipschitz_regression


def samples(seed, size, n, m, alpha=1.0):
    """States and alpha-Lipschitz values."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1.0, 1.0, (size, n))
    return points, lipschitz_regression(points, rng.normal(size=(size, m)), alpha).values


def simplex_programme(points, values, alpha, x):
    """The extension at x as a dense quadratic programme, as in its statement."""
    share = cvxpy.Variable(len(points))
    linear = np.sum(values**2, axis=1) / (4.0 * alpha) - alpha * np.sum(points**2, axis=1) / 4.0
    objective = alpha * cvxpy.sum_squares(x - 0.5 * points.T @ share)
    objective += cvxpy.sum_squares(values.T @ share) / (4.0 * alpha) - linear @ share
    problem = cvxpy.Problem(cvxpy.Minimize(objective), [share >= 0, cvxpy.sum(share) == 1])
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-12, tol_gap_rel=1e-12)
    return values.T @ share.value


@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 3), st.floats(0.1, 5.0))
@settings(max_examples=40)
def test_envelopes_are_lipschitz_interpolate_and_enclose(seed, size, n, alpha):
    points, values = samples(seed, size, n, 1, alpha)
    x = np.random.default_rng(seed + 1).uniform(-2.0, 2.0, (30, n))
    both = extension.envelopes(points, values, alpha, np.concatenate([points, x]))
    np.testing.assert_allclose(both[:size], np.repeat(values, 2, axis=1), atol=1e-12)
    distances = np.linalg.norm(x[:, None] - points, axis=2)
    np.testing.assert_allclose(both[size:, 0], np.max(values[:, 0] - alpha * distances, axis=1), atol=1e-13)
    np.testing.assert_allclose(both[size:, 1], np.min(values[:, 0] + alpha * distances, axis=1), atol=1e-13)
    for kind in ("lower", "central", "upper"):
        policy = extension.mcshane(points, values, alpha, x, kind)
        assert lipschitz_constant(x, policy) <= alpha * (1.0 + 1e-9)
        assert (both[size:, 0] - 1e-12 <= policy[:, 0]).all()
        assert (policy[:, 0] <= both[size:, 1] + 1e-12).all()
    assert envelope_at(points, values[:, 0].copy(), alpha, x[0]) == tuple(both[size])


def test_an_envelope_attains_the_budget():
    policy = extension.mcshane([[0.0], [1.0]], [0.0, 0.0], 2.0, [-1.0, -0.5, 0.25, 0.5], "upper")
    np.testing.assert_array_equal(policy[:, 0], [2.0, 1.0, 0.5, 1.0])


@given(st.integers(0, 10**6), st.integers(2, 15), st.integers(1, 3), st.integers(1, 3), st.floats(0.1, 5.0))
@settings(max_examples=25)
def test_kirszbraun_is_lipschitz_interpolates_and_stays_in_the_hull(seed, size, n, m, alpha):
    points, values = samples(seed, size, n, m, alpha)
    x = np.random.default_rng(seed + 1).uniform(-2.0, 2.0, (40, n))
    found = extension.kirszbraun(points, values, alpha, np.concatenate([x, points]))
    errors = extension.kirszbraun_error(found, alpha)
    assert errors.max() < 1e-5 * max(alpha, 1.0)
    np.testing.assert_allclose(found.values[40:], values, atol=3e-6)
    everything = np.concatenate([points, x]), np.concatenate([values, found.values[:40]])
    distances = np.linalg.norm(everything[0][:, None] - everything[0], axis=2)
    gaps = np.linalg.norm(everything[1][:, None] - everything[1], axis=2)
    assert (gaps <= alpha * distances * (1.0 + 1e-9) + 2e-6).all()
    for value in found.values[:5]:
        share, residual = nnls(np.vstack([values.T, np.ones(size)]), np.append(value, 1.0))
        assert residual < 1e-9, share


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 1), (2, 2), (3, 3)])
def test_kirszbraun_agrees_with_the_dense_programme(n, m):
    points, values = samples(3, 25, n, m)
    x = np.random.default_rng(4).uniform(-1.5, 1.5, (6, n))
    found = extension.kirszbraun(points, values, 1.0, x)
    for query, value, error in zip(x, found.values, extension.kirszbraun_error(found, 1.0), strict=True):
        np.testing.assert_allclose(simplex_programme(points, values, 1.0, query), value, atol=error + 1e-5)


def test_kirszbraun_does_not_depend_on_the_origins_or_the_start():
    points, values = samples(5, 200, 2, 2)
    angle = np.linspace(0.0, 2.0, 50)
    x = 0.7 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = extension.kirszbraun(points, values, 1.0, x)
    moved = extension.kirszbraun(points + 3.0, values - 7.0, 1.0, x + 3.0)
    np.testing.assert_allclose(moved.values + 7.0, found.values, atol=1e-7)
    for query, value in zip(x[::10], found.values[::10], strict=True):
        support, weights, out = np.zeros(7, np.int64), np.empty(6), np.empty(2)
        gap = kirszbraun_at(points, values, 1.0, query, support, weights, out)
        assert gap < 1e-13
        np.testing.assert_allclose(out, value, atol=1e-7)
        assert weights[: support[0]].sum() == pytest.approx(1.0, abs=1e-13)


def test_kirszbraun_of_scalar_values_lies_between_the_envelopes():
    points, values = samples(6, 30, 2, 1)
    x = np.random.default_rng(7).uniform(-1.0, 1.0, (100, 2))
    both = extension.envelopes(points, values, 1.0, x)
    policy = extension.kirszbraun(points, values, 1.0, x).values[:, 0]
    assert (both[:, 0] - 1e-6 <= policy).all()
    assert (policy <= both[:, 1] + 1e-6).all()


def test_the_gap_detects_data_that_are_not_lipschitz():
    found = extension.kirszbraun([[0.0], [1.0]], [[0.0], [1.0]], 0.5, [[0.0]])
    assert abs(found.values[0, 0]) > 0.1  # the vertex is not optimal: no interpolation


def test_one_point_extension_satisfies_both_identities():
    points, values = samples(8, 7, 2, 2)
    x = np.array([0.3, -0.2])
    distances = np.linalg.norm(points - x, axis=1)
    v, factor = extension.one_point_extension(values, distances)
    assert factor <= lipschitz_constant(points, values) + 1e-8
    gaps = np.linalg.norm(values - v, axis=1)
    active = gaps >= (1.0 - 1e-6) * factor * distances
    rows = np.vstack([(values[active] - v).T, np.ones(active.sum())])
    share, residual = nnls(rows, np.append(np.zeros(2), 1.0))
    assert residual < 1e-5
    between = np.linalg.norm(values[active][:, None] - values[active], axis=2) ** 2
    assert share @ between @ share == pytest.approx(2.0 * factor**2 * share @ distances[active] ** 2, abs=1e-5)
    between = np.linalg.norm(points[active][:, None] - points[active], axis=2) ** 2
    drift = np.sum((share @ (points[active] - x)) ** 2)
    assert share @ between @ share == pytest.approx(2.0 * share @ distances[active] ** 2 - 2.0 * drift, abs=1e-12)


def test_pointwise_minmax_is_not_lipschitz():
    points = [[0.01, 0.99], [1.34, 0.08], [2.51, 0.38], [0.08, -0.87], [-0.40, 0.32]]
    values = [[0.04, 0.20], [0.30, -1.41], [-0.84, -0.45], [-0.60, -1.40], [-0.15, -0.95]]
    constant = lipschitz_constant(points, values)
    assert constant == pytest.approx(1.484, abs=5e-4)
    x = np.array([[0.0, 0.15], [0.0, 0.15] + 0.02 * np.array([-0.5, 0.866])])
    slope = lipschitz_constant(x, extension.pointwise_minmax(points, values, x))
    assert slope / constant == pytest.approx(2.77, abs=5e-3)
    assert lipschitz_constant(x, extension.kirszbraun(points, values, constant, x).values) <= constant + 1e-6


def test_pointwise_minmax_interpolates():
    points, values = samples(9, 5, 2, 2)
    np.testing.assert_array_equal(extension.pointwise_minmax(points, values, points), values)


def test_componentwise_envelopes_lose_the_root_of_the_dimension():
    x = np.array([[0.0, 0.0], [0.3, 0.4]])
    policy = extension.componentwise(x[:1], np.zeros((1, 2)), 1.0, x, "upper")
    assert lipschitz_constant(x, policy) == pytest.approx(2.0**0.5, abs=1e-12)
    points, values = samples(10, 20, 2, 3)
    x = np.random.default_rng(11).uniform(-1.0, 1.0, (60, 2))
    assert lipschitz_constant(x, extension.componentwise(points, values, 1.0, x)) <= 3.0**0.5 * (1.0 + 1e-9)


def test_no_extension_from_the_maximum_metric():
    corners = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    triangle = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 3.0**0.5]])
    for i in range(3):
        assert np.abs(corners[i] - corners[i - 1]).max() == 2.0
        assert np.linalg.norm(triangle[i] - triangle[i - 1]) == pytest.approx(2.0)
    v, factor = extension.one_point_extension(triangle, np.abs(corners).max(axis=1))
    assert factor == pytest.approx(2.0 / 3.0**0.5, abs=1e-8)
    np.testing.assert_allclose(v, triangle.mean(axis=0), atol=1e-4)


def test_edges_of_a_triangle_do_not_certify_its_gradient():
    height = 0.1
    corners, values = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, height]]), np.array([0.0, 0.0, height])
    constant = lipschitz_constant(corners, values)
    assert constant == pytest.approx(height / (1.0 + height**2) ** 0.5)
    gradient = np.linalg.solve(corners[1:] - corners[0], values[1:] - values[0])
    assert np.linalg.norm(gradient) / constant == pytest.approx(10.05, abs=5e-3)


def test_bad_input_is_named():
    with pytest.raises(InvalidModelError, match="queries have shape"):
        extension.envelopes([[0.0, 0.0]], [0.0], 1.0, [[1.0, 2.0, 3.0]])
    with pytest.raises(InvalidModelError, match="2 components"):
        extension.envelopes([[0.0]], [[0.0, 1.0]], 1.0, [[1.0]])
    with pytest.raises(InvalidModelError, match="kind is 'middle'"):
        extension.mcshane([[0.0]], [0.0], 1.0, [[1.0]], "middle")
    with pytest.raises(InvalidModelError, match="alpha is 0"):
        extension.kirszbraun([[0.0]], [[0.0]], 0.0, [[1.0]])
    with pytest.raises(InvalidModelError, match="must be positive"):
        extension.one_point_extension([[0.0]], [0.0])
