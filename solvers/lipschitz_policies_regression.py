r"""Empirical risk minimisation over Lipschitz maps: exact, fast and certified solvers.

.. math:: \varphi(\alpha) = \min_V \; \tfrac1{2N} \sum_i \|v_i - u_i\|^2
          \quad\text{subject to}\quad \|v_i - v_j\| \le \alpha \|x_i - x_j\| ;

the dual and the certificates are in ``solvers.lipschitz_policies_duality``. Every result carries both points.

``lipschitz_regression`` picks the solver:

* *line* (n = 1): only neighbours matter. Scalar values take one forward and one backward pass over a piecewise linear
  derivative; vector values a cone programme of N - 1 cones.
* *forest* (m = 1): the dual is an optimal transport, of which a vertex is a forest. Rounds of: add the worst violated
  partners of every sample; over-relaxed dual sweeps; cancel cycles and climb to the optimum of a face, exactly. The
  end is finite: no pair is violated, the multipliers have kept their signs, and the gap is rounding.
* *cutting planes* (m >= 2): a cone programme (Clarabel) on a subset of the pairs, to which violated ones are added.
  The first subset is what dual sweeps find active.

``cone_regression`` states the programme with all pairs in CVXPY, for the squared, the supremum and the Huber loss; it
is the reference of the tests. ``least_biased`` solves the supremum loss for scalar values in closed form.

**Linear experts.** If u = G x with singular values :math:`\sigma_k` and the samples are invariant under reflections
along every right singular vector with :math:`\sigma_k > \alpha`, the optimum is the gain with singular values
:math:`\min(\sigma_k, \alpha)` (`mdps.control.LinearPolicy.clipped`), of loss
:math:`\tfrac1{2N} \sum_{ik} (\sigma_k - \alpha)_+^2 s_{ik}^2` with s the coordinates in the right singular basis.

**Bias** (m = 1). The least sup-norm distance of an :math:`\alpha`-Lipschitz map from the samples is
:math:`\tfrac12 \max_{ij} (|u_i - u_j| - \alpha d_{ij})_+`.

**Spanners.** If every :math:`d_{ij}` is at most :math:`\eta` times the length of a path through a set S of pairs, the
optimum on S lies between :math:`\varphi(\alpha)` and :math:`\varphi(\eta \alpha)` (``graph_stretch`` gives
:math:`\eta`).

**Graph dynamics.** ``saddle_point_dynamics`` integrates the flow
:math:`\dot f = -(L_w f + (f - u)/N)`, :math:`\dot w_e = [\|f_i - f_j\| - \alpha d_{ij}]_{w_e \ge 0}` of the authors'
earlier method by extragradient steps, or by plain Euler steps, which do not settle. Its equilibria are those of the
programme, with :math:`w_e = \mu_e / \|f_i - f_j\|`.

References
----------
A. A. Al Makdah, V. Krishnan, F. Pasqualetti (2021). Learning Lipschitz feedback policies from expert demonstrations:
closed-loop guarantees, generalization and robustness. arXiv 2103.16629. Algorithms and constants are derived here;
they are not the authors'.
"""

import warnings
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError
from mdps.validation import FloatArray, IntArray, as_float_array
from solvers import lipschitz_policies_regression_kernels as kernels
from solvers.lipschitz_policies_duality import (
    Loss,
    Merged,
    Regression,
    all_pairs,
    certify,
    check_data,
    divergence,
    dual_value,
    feasible_values,
    merge,
    pair_distances,
    primal_value,
)

ROUNDING = 1e-13
"""Violation of a pair that counts as none, relative to the spread of the values."""

FRESH = 0.6
"""Share of the pairs found by the last scan that must be violated still (among all found so far) to go without one."""

MAX_ROUNDS, MAX_CONE_ROUNDS = 500, 30


class NotConvergedError(ArithmeticError):
    """A solver has not reached its tolerance; the message says how far it came."""


class _Solved(NamedTuple):
    """Feasible values, pairs and dual of the merged problem (in units of the mean loss), rounds, whether it is done."""

    values: FloatArray
    pairs: IntArray
    dual: FloatArray
    rounds: int
    converged: bool


def lipschitz_regression(
    points: npt.ArrayLike,
    targets: npt.ArrayLike,
    alpha: float,
    *,
    tolerance: float = 1e-8,
    start: Regression | None = None,
    check: bool = True,
) -> Regression:
    """Return the alpha-Lipschitz values with the least mean squared distance from the targets, certified.

    Parameters
    ----------
    points, targets
        ``(N, n)`` and ``(N, m)``; one-dimensional arrays are columns. States may coincide.
    alpha
        Lipschitz budget, at least zero.
    tolerance
        Certified gap that counts as converged, in units of the squared spread of the targets.
    start
        A result for the same samples, say at a neighbouring alpha: its pairs are where the search starts.
    check
        Whether to raise if the certified gap stays above the tolerance.

    Raises
    ------
    InvalidModelError
        Naming what is wrong with the data.
    NotConvergedError
        If the gap stays above the tolerance.
    """
    states, inputs = check_data(points, targets, alpha)
    merged = merge(states, inputs)
    pairs = _pairs_of(start, merged)
    spread = float(np.ptp(inputs, axis=0).max()) or 1.0
    if alpha == 0.0 or len(merged.points) == 1:
        solved = _constant(merged)
    elif inputs.shape[1] > 1:
        scaled = replace(merged, targets=(merged.targets - merged.targets.mean(axis=0)) / spread)
        line = states.shape[1] == 1
        solved = (
            _vector_line(scaled, alpha / spread, tolerance)
            if line
            else _cutting_planes(scaled, alpha / spread, tolerance, pairs)
        )
        values = merged.targets.mean(axis=0) + spread * solved.values
        solved = solved._replace(values=values, dual=spread * solved.dual)
    elif states.shape[1] == 1:
        solved = _line(merged, alpha)
    else:
        solved = _forest(merged, alpha, pairs)
    result = certify(states, inputs, alpha, merged, solved[:3], solved.rounds, solved.converged)
    if check and not (solved.converged and result.gap <= tolerance * spread**2):
        wanted = tolerance * spread**2
        raise NotConvergedError(f"certified gap {result.gap:.3g} after {result.rounds} rounds, not {wanted:.3g}")
    return result


def _pairs_of(start: Regression | None, merged: Merged) -> IntArray:
    if start is None:
        return np.empty((0, 2), dtype=np.int64)
    ends = np.sort(merged.group[start.pairs], axis=1)
    return np.unique(ends[ends[:, 0] != ends[:, 1]], axis=0)


def _constant(merged: Merged) -> _Solved:
    """Solve for alpha zero (or one state): the weighted mean, held by a star of pairs."""
    size, total = len(merged.points), merged.weights.sum()
    mean = merged.weights @ merged.targets / total
    pairs = np.stack([np.zeros(size - 1, dtype=np.int64), np.arange(1, size)], axis=1)
    pull = merged.weights[:, None] * (merged.targets - mean) / total
    return _Solved(np.broadcast_to(mean, merged.targets.shape).copy(), pairs, -pull[1:], 1, True)


def _line(merged: Merged, alpha: float) -> _Solved:
    """Solve for states on a line: neighbours only."""
    order = np.argsort(merged.points[:, 0])
    ends = np.stack([order[:-1], order[1:]], axis=1)
    limits = alpha * pair_distances(merged.points, ends)
    values, targets, weights = np.empty(len(order)), merged.targets[order, 0].copy(), merged.weights[order]
    kernels.chain_regression(targets, weights, limits, values)
    dual = np.cumsum(weights * (targets - values))[:-1, None] / merged.weights.sum()
    result = np.empty((len(order), 1))
    result[order, 0] = values
    flipped = ends[:, :1] > ends[:, 1:]
    return _Solved(result, np.sort(ends, axis=1), np.where(flipped, -dual, dual), 1, True)


def _local_order(points: FloatArray) -> IntArray:
    """Return an order of the points, cell by cell of a grid, in which blocks of neighbours are close in space."""
    size, n = points.shape
    cells = max(round((size / kernels.BLOCK) ** (1.0 / n)), 1)
    low, extent = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-300)
    place = np.minimum((points - low) / extent * cells, cells - 1).astype(np.int64)
    return np.argsort(place @ cells ** np.arange(n), kind="stable")


def _forest(
    merged: Merged,
    alpha: float,
    start: IntArray,
    *,
    partners: int = 5,
    sweeps: int = 50,
    relaxation: float = 1.5,
) -> _Solved:
    """Solve for scalar values by dual ascent with exact steps on forests; ``start`` are pairs to begin with."""
    size, order = len(merged.points), _local_order(merged.points)
    points, targets, weights = merged.points[order], merged.targets[order, 0], merged.weights[order]
    columns, inverse = np.array(points.T, order="C"), 1.0 / weights
    tolerance = ROUNDING * float(np.ptp(targets))
    pairs = np.argsort(order)[start]
    limits, dual, values = alpha * pair_distances(points, pairs), np.zeros(len(pairs)), targets.copy()
    found, excess = np.empty((size * partners, 2), np.int64), np.empty(size * partners)
    parent, link = np.empty(size, np.int64), np.empty(size, np.int64)
    known, reach, last = np.empty((0, 2), np.int64), np.empty(0), 0
    for rounds in range(MAX_ROUNDS):
        if rounds or len(pairs) == 0:
            violated = np.abs(values[known[:, 0]] - values[known[:, 1]]) > reach + tolerance
            new, room = known[violated], reach[violated]
            if len(new) <= FRESH * last:
                count = kernels.worst_partners(columns, values[None], alpha, 0.0, found, excess)
                new = found[:count][excess[:count] > tolerance]
                if len(new) == 0:
                    break
                room = alpha * pair_distances(points, new)
                known, reach, last = np.concatenate([known, new]), np.concatenate([reach, room]), len(new)
            kept = dual != 0.0
            pairs, limits = np.concatenate([pairs[kept], new]), np.concatenate([limits[kept], room])
            dual = np.concatenate([dual[kept], np.zeros(len(new))])
        kernels.scalar_sweeps(pairs, limits, inverse, dual, values, relaxation, sweeps)
        kernels.span_forest(pairs, limits, dual, parent, link)
        kernels.face_step(pairs, limits, weights, targets, dual, parent, link, values)
    else:
        raise NotConvergedError(f"pairs are violated after {MAX_ROUNDS} rounds")
    result = np.empty((size, 1))
    result[order] = _envelope(points, values, alpha, found[:count], partners)
    return _Solved(result, order[pairs], dual[:, None] / weights.sum(), rounds, True)


def _envelope(points: FloatArray, values: FloatArray, alpha: float, violated: IntArray, partners: int) -> FloatArray:
    """Return the upper envelope, ``(N, 1)``, of values of which the violated pairs are listed, at most some a point."""
    if np.bincount(violated[:, 1], minlength=1).max() == partners:  # the list may be incomplete
        return feasible_values(points, values[:, None], alpha)
    lowered = values.copy()
    falling = values[violated[:, 0]] < values[violated[:, 1]]
    low, high = np.where(falling, violated.T, violated.T[::-1])
    np.minimum.at(lowered, high, values[low] + alpha * pair_distances(points, violated))
    return lowered[:, None]


def _vector_line(merged: Merged, alpha: float, tolerance: float) -> _Solved:
    """Solve for vector values of states on a line: neighbours only, and feasible increments summed up."""
    order = np.argsort(merged.points[:, 0])
    pairs = np.sort(np.stack([order[:-1], order[1:]], axis=1), axis=1)
    values, dual = _cone_step(merged, alpha, pairs)
    increments = np.diff(values[order], axis=0)
    limits = alpha * pair_distances(merged.points, pairs)
    lengths = np.sqrt(np.sum(increments**2, axis=1))
    increments *= np.minimum(1.0, np.divide(limits, lengths, out=np.ones_like(limits), where=lengths > 0.0))[:, None]
    feasible = np.empty_like(values)
    feasible[order] = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(increments, axis=0)])
    feasible += merged.weights @ (merged.targets - feasible) / merged.weights.sum()
    gap = _weighted_loss(merged, feasible) - _weighted_dual(merged, alpha, pairs, dual)
    return _Solved(feasible, pairs, dual, 1, gap <= tolerance)


def _cutting_planes(merged: Merged, alpha: float, tolerance: float, start: IntArray) -> _Solved:
    """Solve for vector values, of spread about one, by cone programmes on a changing set of pairs."""
    size, order = len(merged.points), _local_order(merged.points)
    columns = np.array(merged.points[order].T, order="C")
    pairs = _likely_pairs(merged, alpha, order, start)
    if len(pairs) == 0:
        return _Solved(merged.targets.copy(), pairs, np.empty((0, merged.targets.shape[1])), 1, True)
    found, excess = np.empty((size * 8, 2), np.int64), np.empty(size * 8)
    for rounds in range(1, MAX_CONE_ROUNDS + 1):
        values, dual = _cone_step(merged, alpha, pairs)
        feasible = feasible_values(merged.points, values, alpha)
        solved = _Solved(feasible, pairs, dual, rounds, False)
        if _weighted_loss(merged, feasible) - _weighted_dual(merged, alpha, pairs, dual) <= tolerance:
            return solved._replace(converged=True)
        here = np.array(values[order].T, order="C")
        count = kernels.worst_partners(columns, here, alpha, 1e-10, found, excess)
        if count == 0:
            return solved
        slack = alpha * pair_distances(merged.points, pairs) - pair_distances(values, pairs)
        kept = pairs[(slack < 0.02 * np.ptp(values)) | (rounds > 5)]
        pairs = np.unique(np.concatenate([kept, np.sort(order[found[:count]], axis=1)]), axis=0)
    return solved


def _weighted_loss(merged: Merged, values: FloatArray) -> float:
    squares = np.sum((values - merged.targets) ** 2, axis=1)
    return 0.5 * float(merged.weights @ squares) / float(merged.weights.sum())


def _weighted_dual(merged: Merged, alpha: float, pairs: IntArray, dual: FloatArray) -> float:
    flow = divergence(pairs, dual, len(merged.points))
    quadratic = 0.5 * merged.weights.sum() * np.sum(flow**2 / merged.weights[:, None])
    cost = alpha * pair_distances(merged.points, pairs) @ np.sqrt(np.sum(dual**2, axis=1))
    return float(np.sum(merged.targets * flow) - quadratic - cost)


def _likely_pairs(
    merged: Merged,
    alpha: float,
    order: IntArray,
    start: IntArray,
    *,
    partners: int = 4,
    sweeps: int = 40,
    relaxation: float = 1.5,
    rounds: int = 20,
) -> IntArray:
    """Return the pairs that a rough dual ascent finds active, ``(P, 2)`` with i < j."""
    size, m = merged.targets.shape
    points, values = merged.points[order], merged.targets[order]
    columns, inverse = np.array(points.T, order="C"), 1.0 / merged.weights[order]
    pairs = np.sort(np.argsort(order)[start], axis=1)
    dual = np.zeros((len(pairs), m))
    found, excess = np.empty((size * partners, 2), np.int64), np.empty(size * partners)
    for _ in range(rounds):
        here = np.array(values.T, order="C")
        count = kernels.worst_partners(columns, here, alpha, 1e-4, found, excess)
        new = found[:count]
        new = new[~np.isin(new @ [size, 1], pairs @ [size, 1])]
        pairs, dual = np.concatenate([pairs, new]), np.concatenate([dual, np.zeros((len(new), m))])
        limits = alpha * pair_distances(points, pairs)
        kernels.vector_sweeps(pairs, limits, inverse, dual, values, relaxation, sweeps)
        kept = np.any(dual != 0.0, axis=1)
        pairs, dual = pairs[kept], dual[kept]
        if count == 0:
            break
    return np.sort(order[pairs], axis=1)


def _cone_step(merged: Merged, alpha: float, pairs: IntArray) -> tuple[FloatArray, FloatArray]:
    """Solve the programme on the given pairs with Clarabel; return values and dual in units of the mean loss."""
    import clarabel
    from scipy import sparse

    size, m, count = *merged.targets.shape, len(pairs)
    total = merged.weights.sum()
    rows = (np.arange(count) * (m + 1))[:, None] + np.arange(1, m + 1)
    columns = pairs[:, :, None] * m + np.arange(m)
    entries = np.ones((count, m))
    A = sparse.csc_matrix(
        (
            np.concatenate([-entries.ravel(), entries.ravel()]),
            (np.concatenate([rows.ravel()] * 2), np.concatenate([columns[:, 0].ravel(), columns[:, 1].ravel()])),
        ),
        shape=(count * (m + 1), size * m),
    )
    b = np.zeros((count, m + 1))
    b[:, 0] = alpha * pair_distances(merged.points, pairs)
    weights = np.repeat(merged.weights, m) / total
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    solution = clarabel.DefaultSolver(
        sparse.diags(weights, format="csc"),
        -weights * merged.targets.ravel(),
        A,
        b.ravel(),
        [clarabel.SecondOrderConeT(m + 1)] * count,
        settings,
    ).solve()
    multipliers = np.array(solution.z).reshape(count, m + 1)
    return np.array(solution.x).reshape(size, m), -multipliers[:, 1:]


# Reference


def cone_regression(
    points: npt.ArrayLike,
    targets: npt.ArrayLike,
    alpha: float,
    *,
    loss: Loss = Loss.SQUARED,
    threshold: float = 1.0,
    pairs: IntArray | None = None,
) -> Regression:
    """Solve the programme in CVXPY (Clarabel), for any loss and any set of pairs.

    With a subset of the pairs ``values`` satisfy those only (up to the solver's tolerance), and ``upper`` is their
    loss; the dual value is a lower bound of the full programme all the same.

    Parameters
    ----------
    points, targets
        ``(N, n)`` and ``(N, m)``, of different states.
    threshold
        Where the Huber loss turns linear.
    pairs
        ``(P, 2)``, all pairs if not given: then ``values`` are feasible.

    Raises
    ------
    InvalidModelError
        If two states coincide, or the data are wrong.
    """
    import cvxpy

    states, inputs = check_data(points, targets, alpha)
    if len(merge(states, inputs).points) < len(states):
        raise InvalidModelError("points coincide; merge them, or use lipschitz_regression")
    chosen = all_pairs(len(states)) if pairs is None else np.asarray(pairs, dtype=np.int64)
    distances = pair_distances(states, chosen)
    V = cvxpy.Variable(inputs.shape)
    difference = V[chosen[:, 0]] - V[chosen[:, 1]]
    scalar = inputs.shape[1] == 1
    size = cvxpy.abs(difference[:, 0]) if scalar else cvxpy.norm(difference, 2, axis=1)
    constraint = size <= alpha * distances
    problem = cvxpy.Problem(cvxpy.Minimize(_cvxpy_loss(V - inputs, loss, threshold)), [constraint])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the certified gap says how accurate the solution is
        problem.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    if V.value is None:
        raise NotConvergedError(f"Clarabel ended with status {problem.status}")
    values = np.asarray(V.value, dtype=float)
    gaps = values[chosen[:, 0]] - values[chosen[:, 1]]
    lengths = np.sqrt(np.sum(gaps**2, axis=1, keepdims=True))
    unit = np.divide(gaps, lengths, out=np.zeros_like(gaps), where=lengths > 0.0)
    dual = unit * np.maximum(np.asarray(constraint.dual_value, dtype=float), 0.0)[:, None]
    dual = _in_domain(dual, chosen, len(states), loss, threshold)
    values = feasible_values(states, values, alpha) if pairs is None else values
    upper = primal_value(inputs, values, loss, threshold)
    lower = dual_value(states, inputs, alpha, chosen, dual, loss, threshold)
    kept = np.any(dual != 0.0, axis=1)
    return Regression(alpha, values, chosen[kept], distances[kept], dual[kept], upper, lower, 1, upper - lower <= 1e-7)


def _cvxpy_loss(residual: Any, loss: Loss, threshold: float) -> Any:
    import cvxpy

    size = residual.shape[0]
    if loss is Loss.SQUARED:
        return cvxpy.sum_squares(residual) / (2 * size)
    distance = cvxpy.norm(residual, 2, axis=1)
    if loss is Loss.SUPREMUM:
        return cvxpy.max(distance)
    return cvxpy.sum(cvxpy.huber(distance, threshold)) / (2 * size)


def _in_domain(dual: FloatArray, pairs: IntArray, size: int, loss: Loss, threshold: float) -> FloatArray:
    """Scale a dual into the domain of the conjugate of the loss."""
    if loss is Loss.SQUARED:
        return dual
    norms = np.sqrt(np.sum(divergence(pairs, dual, size) ** 2, axis=1))
    excess = norms.sum() if loss is Loss.SUPREMUM else norms.max() * size / threshold
    return dual / (excess * (1.0 + 1e-14)) if excess > 1.0 - 1e-14 else dual


# Linear experts, bias, spanners


def clipped_loss(points: npt.ArrayLike, gain: npt.ArrayLike, alpha: float) -> float:
    """Return the mean squared loss of the clipped gain on the states ``(N, n)`` of the linear expert u = gain x."""
    _, sizes, right = np.linalg.svd(as_float_array("gain", gain), full_matrices=False)
    coordinates = as_float_array("points", points) @ right.T
    return 0.5 * float(np.mean(np.sum((np.maximum(sizes - alpha, 0.0) * coordinates) ** 2, axis=1)))


def approximation_bias(points: npt.ArrayLike, targets: npt.ArrayLike, alpha: float) -> float:
    """Return the least sup-norm distance of an alpha-Lipschitz map from scalar samples (half the largest excess)."""
    states, inputs = check_data(points, targets, alpha)
    if inputs.shape[1] != 1:
        raise InvalidModelError(f"targets have {inputs.shape[1]} components; the formula holds for one")
    if len(states) == 1:
        return 0.0
    columns = np.array(states.T, order="C"), np.array(inputs.T, order="C")
    return 0.5 * max(float(kernels.pair_extremes(*columns, alpha)[3]), 0.0)


def least_biased(points: npt.ArrayLike, targets: npt.ArrayLike, alpha: float) -> FloatArray:
    """Return alpha-Lipschitz values ``(N, 1)`` at sup-norm distance ``approximation_bias`` from scalar samples."""
    states, inputs = check_data(points, targets, alpha)
    bias = approximation_bias(states, inputs, alpha)
    lowered = feasible_values(states, inputs, alpha)
    return lowered + bias


def graph_stretch(points: npt.ArrayLike, pairs: IntArray) -> float:
    """Return the largest ratio of path length through the pairs to distance; infinite if they do not connect."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import shortest_path

    states = as_float_array("points", points)
    weights = pair_distances(states, pairs)
    graph = coo_matrix((weights, (pairs[:, 0], pairs[:, 1])), shape=(len(states), len(states)))
    paths = shortest_path(graph.tocsr(), directed=False)
    ends = all_pairs(len(states))
    return float((paths[ends[:, 0], ends[:, 1]] / pair_distances(states, ends)).max())


# Graph dynamics


def saddle_point_dynamics(
    points: npt.ArrayLike,
    targets: npt.ArrayLike,
    alpha: float,
    *,
    iterations: int = 1000,
    step: float = 0.5,
    extragradient: bool = True,
    pairs: IntArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return the values ``(N, m)`` and edge multipliers ``(P,)`` after some iterations from zero.

    Parameters
    ----------
    step
        Step size of values and multipliers.
    extragradient
        Whether gradients are taken at a trial step, or (plain Euler) at the point itself.
    pairs
        ``(P, 2)``, all pairs if not given.
    """
    states, inputs = check_data(points, targets, alpha)
    chosen = all_pairs(len(states)) if pairs is None else np.asarray(pairs, dtype=np.int64)
    values, multipliers = np.zeros(inputs.shape), np.zeros(len(chosen))
    limits = alpha * pair_distances(states, chosen)
    kernels.graph_dynamics(chosen, limits, inputs, step, step, iterations, extragradient, values, multipliers)
    return values, multipliers
