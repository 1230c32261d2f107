"""Lipschitz regression: solvers against cone programmes, certificates, kernels against numpy, named instances."""

from fractions import Fraction
from itertools import combinations

import cvxpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import solve_discrete_are

from mdps.control import LinearPolicy
from mdps.control_instances import reflected_states
from mdps.errors import InvalidModelError
from solvers import lipschitz_policies_duality as duality
from solvers import lipschitz_policies_regression as regression
from solvers import lipschitz_policies_regression_kernels as kernels
from solvers.lipschitz_policies_duality import Loss, all_pairs, lipschitz_constant, pair_distances


def samples(seed, size, n, m):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1.0, 1.0, (size, n))
    return points, np.sin(2.0 * points @ rng.normal(size=(n, m))) + 0.3 * rng.normal(size=(size, m))


def dual_by_loops(points, targets, alpha, pairs, dual):
    """The dual value of the squared loss, pair by pair."""
    size = len(points)
    flow, cost = np.zeros(targets.shape), 0.0
    for (i, j), y in zip(pairs, dual, strict=True):
        flow[i] += y
        flow[j] -= y
        cost += alpha * np.linalg.norm(points[i] - points[j]) * np.linalg.norm(y)
    return np.sum(targets * flow) - 0.5 * size * np.sum(flow**2) - cost, flow


# Solvers


@pytest.mark.parametrize(
    ("n", "m", "alpha"), [(1, 1, 0.5), (2, 1, 1.0), (3, 1, 0.4), (1, 2, 0.5), (2, 2, 1.0), (3, 2, 0.7)]
)
def test_the_solvers_agree_with_the_cone_programme(n, m, alpha):
    points, targets = samples(n + m, 40, n, m)
    fast, cone = (
        regression.lipschitz_regression(points, targets, alpha),
        regression.cone_regression(points, targets, alpha),
    )
    assert fast.upper == pytest.approx(cone.upper, abs=1e-8)
    np.testing.assert_allclose(fast.values, cone.values, atol=2e-5)
    assert -1e-15 <= fast.gap < 1e-8
    assert cone.converged
    assert fast.converged
    lower, flow = dual_by_loops(points, targets, alpha, fast.pairs, fast.dual)
    assert fast.lower == pytest.approx(lower, abs=1e-14)
    assert fast.upper == pytest.approx(0.5 * np.mean(np.sum((fast.values - targets) ** 2, axis=1)), abs=1e-15)
    np.testing.assert_allclose(fast.values, targets - 40 * flow, atol=1e-5)
    np.testing.assert_allclose(fast.multipliers, np.linalg.norm(fast.dual, axis=1))
    assert (fast.pairs[:, 0] < fast.pairs[:, 1]).all()
    assert lipschitz_constant(points, fast.values) <= alpha * (1.0 + 1e-9)


@given(
    st.integers(0, 10**6),
    st.integers(1, 25),
    st.integers(1, 3),
    st.integers(1, 2),
    st.sampled_from([0.0, 0.2, 1.0, 3.0]),
)
@settings(max_examples=60)
def test_ties_and_coinciding_states_are_certified(seed, size, n, m, alpha):
    rng = np.random.default_rng(seed)
    points = rng.integers(0, 3, (size, n)).astype(float)
    targets = rng.integers(-3, 4, (size, m)).astype(float)
    found = regression.lipschitz_regression(points, targets, alpha, tolerance=1e-6)
    assert -1e-12 <= found.gap <= 1e-6 * 36.0
    lower, _ = dual_by_loops(points, targets, alpha, found.pairs, found.dual)
    assert lower == pytest.approx(found.lower, abs=1e-12)
    first = np.unique(points, axis=0, return_index=True)[1]
    assert lipschitz_constant(points[first], found.values[first]) <= alpha * (1.0 + 1e-9) + 1e-12
    same = np.all(points[:, None] == points, axis=2)
    assert np.abs(found.values[:, None] - found.values)[same].max() == 0.0


@given(st.integers(0, 10**6), st.integers(-6, 6))
@settings(max_examples=15)
def test_scaling_states_and_inputs_scales_the_solution(seed, power):
    points, targets = samples(seed, 20, 2, 1 + seed % 2)
    found = regression.lipschitz_regression(points, targets, 1.0)
    scale = 10.0**power
    scaled = regression.lipschitz_regression(points, scale * targets, scale)
    np.testing.assert_allclose(scaled.values / scale, found.values, atol=2e-5)
    assert scaled.upper / scale**2 == pytest.approx(found.upper, abs=1e-7)


def test_the_line_is_a_chain_for_any_solver():
    points, targets = samples(3, 300, 1, 1)
    line = regression.lipschitz_regression(points, targets, 0.7)
    padded = np.hstack([points, np.zeros_like(points)])
    forest = regression.lipschitz_regression(padded, targets, 0.7)
    np.testing.assert_allclose(line.values, forest.values, atol=1e-12)
    assert abs(line.gap) < 1e-14
    assert abs(forest.gap) < 1e-14
    assert len(line.pairs) <= 299


def test_the_gap_of_a_large_instance_is_rounding():
    for n in (2, 3):
        points, targets = samples(n, 1000, n, 1)
        found = regression.lipschitz_regression(points, targets, 1.0)
        assert abs(found.gap) < 1e-13
        assert len(found.pairs) < 1000


def test_vector_values_at_the_size_of_a_policy():
    points, targets = samples(1, 600, 3, 2)
    found = regression.lipschitz_regression(points, targets, 1.0, tolerance=1e-9)
    assert 0.0 <= found.gap < 1e-7
    near = regression.lipschitz_regression(points, targets, 1.02, start=found)
    assert 0.0 <= near.gap < 1e-7
    assert near.upper < found.upper


def test_trivial_budgets():
    points, targets = samples(4, 10, 2, 2)
    constant = regression.lipschitz_regression(points, targets, 0.0)
    np.testing.assert_allclose(constant.values, np.broadcast_to(targets.mean(axis=0), (10, 2)))
    assert abs(constant.gap) < 1e-15
    free = regression.lipschitz_regression(points, targets, 1e6)
    np.testing.assert_allclose(free.values, targets, rtol=1e-14)
    assert free.upper == pytest.approx(0.0, abs=1e-30)
    assert free.lower == 0.0
    single = regression.lipschitz_regression([[1.0, 2.0]], [[3.0, 4.0]], 1.0)
    assert single.gap == 0.0
    assert len(single.pairs) == 0


@pytest.mark.parametrize("m", [1, 2])
def test_the_loss_is_convex_and_its_slope_is_that_of_the_multipliers(m):
    points, targets = samples(5, 30, 2, m)
    alphas = np.linspace(0.1, 2.0, 12)
    path, start = [], None
    for alpha in alphas:
        start = regression.lipschitz_regression(points, targets, float(alpha), tolerance=1e-9, start=start)
        path.append(start)
    losses = np.array([found.upper for found in path])
    assert (np.diff(losses) <= 1e-9).all()
    assert (np.diff(losses, 2) >= -1e-8).all()
    step = 1e-4
    up, down = (regression.lipschitz_regression(points, targets, 0.8 + s, tolerance=1e-10).upper for s in (step, -step))
    found = regression.lipschitz_regression(points, targets, 0.8, tolerance=1e-10)
    assert (up - down) / (2.0 * step) == pytest.approx(found.slope, rel=1e-3)


def test_the_map_from_targets_to_values_is_nonexpansive():
    points, targets = samples(6, 25, 2, 2)
    others = targets + 0.5 * np.random.default_rng(7).normal(size=targets.shape)
    first, second = (regression.lipschitz_regression(points, u, 0.8).values for u in (targets, others))
    assert np.linalg.norm(first - second) <= np.linalg.norm(targets - others)
    assert np.sum((targets - first) * (second - first)) <= 1e-6


# Certificates


@given(st.integers(0, 10**6))
@settings(max_examples=25)
def test_every_dual_point_is_a_lower_bound_exactly(seed):
    rng = np.random.default_rng(seed)
    points, targets = rng.integers(-4, 5, (6, 2)) / 4.0, rng.integers(-4, 5, (6, 2)) / 4.0
    pairs, dual = all_pairs(6), rng.normal(size=(15, 2)) * 0.1
    bound = duality.exact_dual_value(points, targets, Fraction(1, 2), pairs, dual)
    assert float(bound) == pytest.approx(duality.dual_value(points, targets, 0.5, pairs, dual), abs=1e-12)
    feasible = duality.feasible_values(points, targets, 0.5 * (1.0 - 1e-9))
    if duality.is_feasible(points, feasible, Fraction(1, 2)):
        loss = sum(Fraction(x) ** 2 for x in (feasible - targets).ravel().tolist()) / 12
        assert bound <= loss


def test_the_certificate_holds_in_rationals():
    points, targets = samples(8, 30, 2, 2)
    found = regression.lipschitz_regression(points, targets, 1.0, tolerance=1e-10)
    slightly = Fraction(1) + Fraction(1, 10**12)
    assert duality.is_feasible(points, found.values, slightly)
    assert not duality.is_feasible(points, found.values, Fraction(99, 100))
    bound = duality.exact_dual_value(points, targets, slightly, found.pairs, found.dual)
    assert 0.0 <= found.upper - float(bound) < 1e-8


def test_a_tampered_dual_loses():
    points, targets = samples(9, 30, 2, 1)
    found = regression.lipschitz_regression(points, targets, 1.0)
    for factor in (0.9, 1.1):
        value = duality.dual_value(points, targets, 1.0, found.pairs, factor * found.dual)
        assert value < found.lower - 1e-4


@pytest.mark.parametrize("loss", list(Loss))
@pytest.mark.parametrize("m", [1, 2])
def test_other_losses_are_certified(loss, m):
    points, targets = samples(10, 25, 2, m)
    found = regression.cone_regression(points, targets, 0.5, loss=loss, threshold=0.2)
    assert -1e-9 <= found.gap < 1e-6
    residual = np.linalg.norm(found.values - targets, axis=1)
    if loss is Loss.HUBER:
        expected = np.mean(np.where(residual < 0.2, 0.5 * residual**2, 0.2 * residual - 0.02))
        assert found.upper == pytest.approx(expected, abs=1e-14)
    if loss is Loss.SUPREMUM:
        assert found.upper == residual.max()


def test_a_dual_outside_the_domain_bounds_nothing():
    pairs, dual = np.array([[0, 1]]), np.array([[2.0]])
    data = np.array([[0.0], [1.0]])
    assert duality.dual_value(data, data, 0.5, pairs, dual, Loss.SUPREMUM) == -np.inf
    assert duality.dual_value(data, data, 0.5, pairs, dual, Loss.HUBER, 0.1) == -np.inf


# Named instances


@given(st.integers(0, 10**6), st.integers(2, 12), st.integers(1, 3), st.floats(0.0, 2.0))
@settings(max_examples=25)
def test_the_bias_of_scalar_samples_has_a_closed_form(seed, size, n, alpha):
    points, targets = samples(seed, size, n, 1)
    bias = regression.approximation_bias(points, targets, alpha)
    pairs = combinations(range(size), 2)
    excess = [abs(targets[i, 0] - targets[j, 0]) - alpha * np.linalg.norm(points[i] - points[j]) for i, j in pairs]
    assert bias == pytest.approx(0.5 * max(*excess, 0.0), abs=1e-12)
    values = regression.least_biased(points, targets, alpha)
    assert np.abs(values - targets).max() <= bias + 1e-12
    assert lipschitz_constant(points, values) <= alpha + 1e-9


def test_the_bias_is_the_optimum_of_the_supremum_loss():
    points, targets = samples(11, 20, 2, 1)
    found = regression.cone_regression(points, targets, 0.3, loss=Loss.SUPREMUM)
    assert found.upper == pytest.approx(regression.approximation_bias(points, targets, 0.3), abs=1e-7)


def test_for_vectors_the_bias_formula_is_a_lower_bound_only():
    triangle = [[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]]
    found = regression.cone_regression([[0.0], [1.0], [5.0]], triangle, 0.0, loss=Loss.SUPREMUM)
    assert found.upper == pytest.approx(3.0**-0.5, abs=1e-7)
    assert found.lower > 0.5


@pytest.mark.parametrize("between", [True, False])
def test_clipped_gains_solve_reflected_data(between):
    rng = np.random.default_rng(12)
    A, B = rng.normal(size=(4, 4)) / 2.0, rng.normal(size=(4, 2))
    P = solve_discrete_are(A, B, np.eye(4), np.eye(2))
    gain = -np.linalg.solve(np.eye(2) + B.T @ P @ B, B.T @ P @ A)
    sizes = np.linalg.svd(gain, compute_uv=False)
    alpha = float(sizes.mean() if between else 0.5 * sizes[1])
    points = reflected_states(gain, rng.normal(size=(3, 4)))
    assert len(points) == 48
    found = regression.lipschitz_regression(points, points @ gain.T, alpha, tolerance=1e-10)
    clipped = LinearPolicy(gain).clipped(alpha).gain
    assert np.linalg.norm(clipped, 2) == pytest.approx(alpha)
    loss = regression.clipped_loss(points, gain, alpha)
    assert loss == pytest.approx(0.5 * np.mean(np.sum((points @ (gain - clipped).T) ** 2, axis=1)), abs=1e-14)
    assert found.upper == pytest.approx(loss, abs=2e-10 * max(1.0, loss))
    np.testing.assert_allclose(found.values, points @ clipped.T, atol=2e-5)


def greedy_spanner(points, stretch):
    """The greedy spanner: a pair is added if its path is longer than the stretch allows."""
    pairs = all_pairs(len(points))
    lengths = pair_distances(points, pairs)
    paths, chosen = np.full((len(points), len(points)), np.inf), []
    np.fill_diagonal(paths, 0.0)
    for e in np.argsort(lengths):
        i, j = pairs[e]
        if paths[i, j] > stretch * lengths[e]:
            chosen.append((i, j))
            through = np.minimum(paths[:, [i]] + lengths[e] + paths[j], paths[:, [j]] + lengths[e] + paths[i])
            paths = np.minimum(paths, through)
    return np.array(sorted(chosen))


def test_a_spanner_sandwiches_the_optimum():
    points, targets = samples(13, 40, 2, 1)
    pairs = greedy_spanner(points, 1.3)
    stretch = regression.graph_stretch(points, pairs)
    assert 1.0 <= stretch <= 1.3 + 1e-12
    assert len(pairs) < 150
    on_spanner = regression.cone_regression(points, targets, 1.0, pairs=pairs)
    tightened = regression.cone_regression(points, targets, 1.0 / stretch, pairs=pairs)
    optimum = regression.lipschitz_regression(points, targets, 1.0).upper
    assert on_spanner.upper - 1e-8 <= optimum <= tightened.upper + 1e-8
    assert lipschitz_constant(points, tightened.values) <= 1.0 + 1e-6
    assert lipschitz_constant(points, on_spanner.values) <= stretch + 1e-6


def test_neighbours_on_an_arc_do_not_imply_the_global_bound():
    angle = np.linspace(0.0, 1.9 * np.pi, 40)
    points, targets = np.stack([np.cos(angle), np.sin(angle)], axis=1), np.linspace(0.0, 6.0, 40)
    pairs = duality.neighbour_pairs(points, 2)
    local = regression.cone_regression(points, targets, 1.0, pairs=pairs)
    assert lipschitz_constant(points, local.values) == pytest.approx(19.05, abs=0.02)
    assert local.upper == pytest.approx(6e-5, abs=5e-6)
    assert regression.lipschitz_regression(points, targets, 1.0).upper == pytest.approx(0.804, abs=5e-4)
    assert lipschitz_constant(points, local.values) <= regression.graph_stretch(points, pairs) + 1e-6


def test_extragradient_steps_settle_and_euler_steps_do_not():
    rng = np.random.default_rng(1)
    points, targets = rng.uniform(-1.0, 1.0, (20, 2)), rng.normal(size=(20, 1))
    found = regression.lipschitz_regression(points, targets, 1.0)
    values, multipliers = regression.saddle_point_dynamics(points, targets, 1.0, iterations=1000)
    np.testing.assert_allclose(values, found.values, atol=1e-6)
    pairs = all_pairs(20)
    gaps = np.abs(values[pairs[:, 0], 0] - values[pairs[:, 1], 0])
    dense = np.zeros((20, 20))
    dense[found.pairs[:, 0], found.pairs[:, 1]] = found.multipliers
    np.testing.assert_allclose(multipliers * gaps, dense[pairs[:, 0], pairs[:, 1]], atol=1e-6)
    euler, _ = regression.saddle_point_dynamics(points, targets, 1.0, iterations=60_000, step=0.05, extragradient=False)
    assert np.abs(euler - found.values).max() > 5e-3


# Kernels


def worst_by_loops(points, values, alpha, most):
    found = []
    for i in range(len(points)):
        excess = np.linalg.norm(values[:i] - values[i], axis=1) - alpha * np.linalg.norm(points[:i] - points[i], axis=1)
        order = np.argsort(-excess)[:most]
        found += [(int(j), i, excess[j]) for j in order if excess[j] > 0.0]
    return found


@given(
    st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 3), st.integers(1, 2), st.sampled_from([0.3, 1.0, 4.0])
)
@settings(max_examples=30)
def test_the_scan_finds_the_worst_partners(seed, size, n, m, alpha):
    points, values = samples(seed, size, n, m)
    found, excess = np.empty((3 * size, 2), np.int64), np.empty(3 * size)
    count = kernels.worst_partners(points.T.copy(), values.T.copy(), alpha, 0.0, found, excess)
    expected = worst_by_loops(points, values, alpha, 3)
    assert [tuple(pair) for pair in found[:count]] == [(j, i) for j, i, _ in expected]
    np.testing.assert_allclose(excess[:count], [violation for *_, violation in expected], atol=1e-13)


def test_extremes_of_pairs():
    points, values = samples(15, 40, 2, 2)
    ratio, i, j, excess, k, ell = kernels.pair_extremes(points.T.copy(), values.T.copy(), 0.5)
    pairs = all_pairs(40)
    gaps, distances = pair_distances(values, pairs), pair_distances(points, pairs)
    assert ratio == pytest.approx((gaps / distances).max())
    assert excess == pytest.approx((gaps - 0.5 * distances).max())
    assert tuple(pairs[np.argmax(gaps / distances)]) == (i, j)
    assert tuple(pairs[np.argmax(gaps - 0.5 * distances)]) == (k, ell)
    assert lipschitz_constant([[0.0], [0.0]], [0.0, 1.0]) == np.inf


def soft_threshold_sweeps(pairs, limits, inverse, targets, relaxation, sweeps):
    dual, values = np.zeros((len(pairs), targets.shape[1])), targets.copy()
    for _ in range(sweeps):
        for e, (i, j) in enumerate(pairs):
            total = inverse[i] + inverse[j]
            z = dual[e] + (values[i] - values[j]) / total
            norm = np.linalg.norm(z) * total
            goal = z * (1.0 - limits[e] / norm) if norm > limits[e] else 0.0 * z
            change = (relaxation if norm > limits[e] else 1.0) * (goal - dual[e])
            dual[e] += change
            values[i] -= inverse[i] * change
            values[j] += inverse[j] * change
    return dual, values


@pytest.mark.parametrize("relaxation", [1.0, 1.5])
def test_sweeps_against_numpy(relaxation):
    points, targets = samples(16, 15, 2, 2)
    pairs = all_pairs(15)
    limits, inverse = 0.5 * pair_distances(points, pairs), 1.0 / np.random.default_rng(0).integers(1, 4, 15)
    expected = soft_threshold_sweeps(pairs, limits, inverse, targets, relaxation, 5)
    dual, values = np.zeros((len(pairs), 2)), targets.copy()
    kernels.vector_sweeps(pairs, limits, inverse, dual, values, relaxation, 5)
    np.testing.assert_allclose(dual, expected[0], atol=1e-13)
    np.testing.assert_allclose(values, expected[1], atol=1e-13)
    scalar = targets[:, :1]
    if relaxation == 1.0:
        expected = soft_threshold_sweeps(pairs, limits, inverse, scalar, 1.0, 1)
        dual, values = np.zeros(len(pairs)), scalar[:, 0].copy()
        kernels.scalar_sweeps(pairs, limits, inverse, dual, values, 1.0, 1)
        np.testing.assert_allclose(dual, expected[0][:, 0], atol=1e-13)


def scalar_value(pairs, limits, weights, targets, dual):
    flow = duality.divergence(pairs, dual[:, None], len(targets))[:, 0]
    return targets @ flow - 0.5 * np.sum(flow**2 / weights) - limits @ np.abs(dual), flow


@given(st.integers(0, 10**6), st.integers(2, 15))
@settings(max_examples=40)
def test_forest_and_face_steps_climb(seed, size):
    rng = np.random.default_rng(seed)
    points, targets = samples(seed, size, 2, 1)
    targets, weights = targets[:, 0], rng.integers(1, 4, size).astype(float)
    pairs = all_pairs(size)
    limits = 0.4 * pair_distances(points, pairs)
    dual, values = np.zeros(len(pairs)), targets.copy()
    kernels.scalar_sweeps(pairs, limits, 1.0 / weights, dual, values, 1.5, 3)
    before, flow = scalar_value(pairs, limits, weights, targets, dual)
    np.testing.assert_allclose(values, targets - flow / weights, atol=1e-12)
    parent, link = np.empty(size, np.int64), np.empty(size, np.int64)
    kernels.span_forest(pairs, limits, dual, parent, link)
    middle, same = scalar_value(pairs, limits, weights, targets, dual)
    np.testing.assert_allclose(same, flow, atol=1e-12)
    assert middle >= before - 1e-12
    assert set(np.flatnonzero(dual)) == set(link[link >= 0])
    kernels.face_step(pairs, limits, weights, targets, dual, parent, link, values)
    after, flow = scalar_value(pairs, limits, weights, targets, dual)
    assert after >= middle - 1e-12
    np.testing.assert_allclose(weights * (targets - values), flow, atol=1e-11)
    kept = dual != 0.0
    tight = np.sign(dual[kept]) * (values[pairs[kept, 0]] - values[pairs[kept, 1]])
    np.testing.assert_allclose(tight, limits[kept], atol=1e-11)


@given(st.integers(0, 10**6), st.integers(1, 15), st.floats(0.0, 1.0))
@settings(max_examples=25)
def test_the_chain_against_a_quadratic_programme(seed, size, scale):
    rng = np.random.default_rng(seed)
    targets, weights = rng.normal(size=size), rng.integers(1, 4, size).astype(float)
    limits = scale * rng.random(max(size - 1, 0))
    values = np.empty(size)
    kernels.chain_regression(targets, weights, limits, values)
    v = cvxpy.Variable(size)
    constraints = [cvxpy.abs(cvxpy.diff(v)) <= limits] if size > 1 else []
    problem = cvxpy.Problem(cvxpy.Minimize(cvxpy.sum(cvxpy.multiply(weights, (v - targets) ** 2))), constraints)
    best = problem.solve(solver="CLARABEL")
    assert (np.abs(np.diff(values)) <= limits + 1e-14).all()
    assert weights @ (values - targets) ** 2 <= best + 1e-7


def test_graph_dynamics_against_numpy():
    points, targets = samples(17, 6, 2, 2)
    pairs = all_pairs(6)
    limits = 0.3 * pair_distances(points, pairs)
    incidence = np.zeros((len(pairs), 6))
    incidence[np.arange(len(pairs)), pairs[:, 0]], incidence[np.arange(len(pairs)), pairs[:, 1]] = 1.0, -1.0

    def moved(base, at, step):
        f, w = at
        descent = incidence.T @ (w[:, None] * (incidence @ f)) + (f - targets) / 6
        ascent = np.linalg.norm(incidence @ f, axis=1) - limits
        return base[0] - step * descent, np.maximum(base[1] + step * ascent, 0.0)

    for extragradient in (True, False):
        state = np.zeros((6, 2)), np.zeros(len(pairs))
        for _ in range(30):
            state = moved(state, moved(state, state, 0.2) if extragradient else state, 0.2)
        found = regression.saddle_point_dynamics(
            points, targets, 0.3, iterations=30, step=0.2, extragradient=extragradient
        )
        np.testing.assert_allclose(found[0], state[0], atol=1e-13)
        np.testing.assert_allclose(found[1], state[1], atol=1e-13)


# Bad input


def test_bad_input_is_named():
    with pytest.raises(InvalidModelError, match="3 points but 2 targets"):
        regression.lipschitz_regression([0.0, 1.0, 2.0], [0.0, 1.0], 1.0)
    with pytest.raises(InvalidModelError, match=r"targets\[1\] is nan"):
        regression.lipschitz_regression([0.0, 1.0], [0.0, np.nan], 1.0)
    with pytest.raises(InvalidModelError, match="alpha is -1"):
        regression.lipschitz_regression([0.0], [0.0], -1.0)
    with pytest.raises(InvalidModelError, match="points coincide"):
        regression.cone_regression([0.0, 0.0], [0.0, 1.0], 1.0)
    with pytest.raises(InvalidModelError, match="2 components"):
        regression.approximation_bias([[0.0]], [[0.0, 1.0]], 1.0)


def test_an_unreachable_tolerance_raises():
    points, targets = samples(18, 30, 2, 2)
    with pytest.raises(regression.NotConvergedError, match="certified gap"):
        regression.lipschitz_regression(points, targets, 1.0, tolerance=1e-18)
