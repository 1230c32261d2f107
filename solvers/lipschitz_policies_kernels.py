r"""Kernels of Lipschitz extension: envelopes, and the simplex programme of the vector extension.

**Simplex programme** of the vector extension (see ``solvers.lipschitz_policies_extension``): with
:math:`e_i = x_i - x`, values :math:`w_i` relative to any one of them and means :math:`\bar e, \bar w` under
:math:`\lambda`,

.. math:: \min_{\lambda \in \Delta} \; \alpha \big( \|\bar e\|^2 + \textstyle\sum_i \lambda_i \|e_i\|^2 \big)
          - \tfrac1\alpha \big( \sum_i \lambda_i \|w_i\|^2 - \|\bar w\|^2 \big) ,

solved by an active set of affinely independent points (Wolfe). Its duality gap is
:math:`\sum_i \lambda_i g_i - \min_i g_i` with the gradient g.
"""

import numpy as np

from mdps.jit import kernel
from mdps.validation import FloatArray, IntArray

ROUNDING = 2e-15
"""Rounding error of a duality gap, relative to the largest entry of the gradient."""

DEPENDENT = 1e-11
"""Relative pivot below which a point counts as affinely dependent on the active ones."""


# Extension


@kernel
def envelope_at(points: FloatArray, values: FloatArray, alpha: float, x: FloatArray) -> tuple[float, float]:
    """Return ``max_i (v_i - alpha d_i)`` and ``min_i (v_i + alpha d_i)`` at x; ``points`` are ``(N, n)``."""
    lower, upper = -np.inf, np.inf
    for i in range(points.shape[0]):
        square = 0.0
        for k in range(points.shape[1]):
            square += (points[i, k] - x[k]) ** 2
        reach = alpha * np.sqrt(square)
        lower = max(lower, values[i] - reach)
        upper = min(upper, values[i] + reach)
    return lower, upper


@kernel
def envelopes(points: FloatArray, values: FloatArray, alpha: float, queries: FloatArray, out: FloatArray) -> None:
    """Write the lower and upper envelopes of scalar values at ``queries`` ``(Q, n)`` to ``out`` ``(Q, 2)``."""
    for q in range(queries.shape[0]):
        out[q, 0], out[q, 1] = envelope_at(points, values, alpha, queries[q])


@kernel
def _slopes(
    points: FloatArray,
    values: FloatArray,
    alpha: float,
    x: FloatArray,
    support: IntArray,
    weights: FloatArray,
    mean: FloatArray,
    slopes: FloatArray,
) -> None:
    """Write the means of e and w, ``(n + m,)``, and the gradient of the simplex programme, ``(N,)``."""
    n, m, centre = points.shape[1], values.shape[1], support[1]
    for k in range(n + m):
        mean[k] = 0.0
    for s in range(support[0]):
        i = support[1 + s]
        for k in range(n):
            mean[k] += weights[s] * (points[i, k] - x[k])
        for k in range(m):
            mean[n + k] += weights[s] * (values[i, k] - values[centre, k])
    for i in range(points.shape[0]):
        rise, fall = 0.0, 0.0
        for k in range(n):
            e = points[i, k] - x[k]
            rise += e * (e + 2.0 * mean[k])
        for k in range(m):
            w = values[i, k] - values[centre, k]
            fall += w * (w - 2.0 * mean[n + k])
        slopes[i] = alpha * rise - fall / alpha


@kernel
def _drop(support: IntArray, weights: FloatArray, place: int) -> None:
    for s in range(place, support[0] - 1):
        support[1 + s] = support[2 + s]
        weights[s] = weights[s + 1]
    support[0] -= 1
    total = 0.0
    for s in range(support[0]):
        total += weights[s]
    for s in range(support[0]):
        weights[s] /= total


@kernel
def _gram_factor(points: FloatArray, values: FloatArray, alpha: float, support: IntArray, factor: FloatArray) -> bool:
    """Write the Cholesky factor of D D', D the differences to the first active point; whether the last is dependent."""
    n, m, size, base = points.shape[1], values.shape[1], support[0] - 1, support[1]
    dependent = False
    for a in range(size):
        for b in range(a + 1):
            i, j = support[2 + a], support[2 + b]
            total = 0.0
            for k in range(n):
                total += alpha * (points[i, k] - points[base, k]) * (points[j, k] - points[base, k])
            for k in range(m):
                total += (values[i, k] - values[base, k]) * (values[j, k] - values[base, k]) / alpha
            least = DEPENDENT * total
            for k in range(b):
                total -= factor[a, k] * factor[b, k]
            if a > b:
                factor[a, b] = total / factor[b, b]
            else:
                dependent = total <= least
                factor[a, a] = np.sqrt(max(total, least))
    return dependent


@kernel
def _direction(dependent: bool, slopes: FloatArray, support: IntArray, factor: FloatArray, step: FloatArray) -> None:
    """Write the Newton step of the weights of the active points, or the dependence along which the programme falls.

    Newton's step solves ``D D' step = -(slopes - slopes[0]) / 2``; the first weight takes what the others leave.
    """
    size, base = support[0], slopes[support[1]]
    rank = size - 2 if dependent else size - 1
    for a in range(rank):
        if dependent:
            step[1 + a] = -factor[rank, a]
        else:
            total = -0.5 * (slopes[support[2 + a]] - base)
            for k in range(a):
                total -= factor[a, k] * step[1 + k]
            step[1 + a] = total / factor[a, a]
    for a in range(rank - 1, -1, -1):
        for k in range(a + 1, rank):
            step[1 + a] -= factor[k, a] * step[1 + k]
        step[1 + a] /= factor[a, a]
    rise, step[0] = 0.0, 0.0
    if dependent:
        step[size - 1] = 1.0
        for s in range(1, size):
            rise += step[s] * (slopes[support[1 + s]] - base)
    for s in range(1, size):
        step[s] = -step[s] if rise > 0.0 else step[s]
        step[0] -= step[s]


@kernel
def _move(unbounded: bool, support: IntArray, weights: FloatArray, step: FloatArray) -> bool:
    """Follow the step until it ends or a weight vanishes, whose point is dropped; whether the step was completed."""
    length, leaving = np.inf if unbounded else 1.0, -1
    for s in range(support[0]):
        if step[s] < 0.0 and weights[s] < -length * step[s]:
            length, leaving = -weights[s] / step[s], s
    for s in range(support[0]):
        weights[s] += length * step[s]
    if leaving >= 0:
        _drop(support, weights, leaving)
    return leaving < 0


@kernel
def _nearest(points: FloatArray, x: FloatArray) -> int:
    best, nearest = np.inf, 0
    for i in range(points.shape[0]):
        square = 0.0
        for k in range(points.shape[1]):
            square += (points[i, k] - x[k]) ** 2
        if square < best:
            best, nearest = square, i
    return nearest


@kernel
def kirszbraun_at(
    points: FloatArray,
    values: FloatArray,
    alpha: float,
    x: FloatArray,
    support: IntArray,
    weights: FloatArray,
    out: FloatArray,
) -> float:
    """Write the vector extension at x to ``out`` ``(m,)``; return the duality gap of its programme, rounding included.

    Parameters
    ----------
    points, values
        ``(N, n)`` and ``(N, m)``.
    support, weights
        Warm start and result: ``support[0]`` active points ``support[1:]`` ``(n + m + 3,)`` with ``weights``
        ``(n + m + 2,)``. ``support[0] = 0`` starts at the nearest sample.

    Notes
    -----
    The value is within ``sqrt(alpha * gap)`` of the extension.
    """
    n, m, size = points.shape[1], values.shape[1], points.shape[0]
    most = n + m + 2
    mean, slopes, step, factor = np.empty(n + m), np.empty(size), np.empty(most), np.empty((most, most))
    if support[0] == 0:
        support[0], support[1], weights[0] = 1, _nearest(points, x), 1.0
    gap, settled = np.inf, False
    for _ in range(50 * most):
        _slopes(points, values, alpha, x, support, weights, mean, slopes)
        average, scale, entering = 0.0, 0.0, 0
        for s in range(support[0]):
            average += weights[s] * slopes[support[1 + s]]
        for i in range(size):
            scale = max(scale, abs(slopes[i]))
            entering = i if slopes[i] < slopes[entering] else entering
        gap = average - slopes[entering] + ROUNDING * scale
        if settled:
            known = support[0] == most or average - slopes[entering] <= 4e-16 * scale
            for s in range(support[0]):
                known = known or support[1 + s] == entering
            if known:
                break
            support[1 + support[0]], weights[support[0]] = entering, 0.0
            support[0] += 1
        dependent = _gram_factor(points, values, alpha, support, factor)
        _direction(dependent, slopes, support, factor, step)
        settled = _move(dependent, support, weights, step)
    for k in range(m):
        out[k] = values[support[1], k] + mean[n + k]
    return gap


@kernel
def kirszbraun(
    points: FloatArray, values: FloatArray, alpha: float, queries: FloatArray, out: FloatArray, gaps: FloatArray
) -> None:
    """Write the vector extension at ``queries`` ``(Q, n)`` to ``out`` ``(Q, m)``, each started from the one before."""
    most = points.shape[1] + values.shape[1] + 2
    support, weights = np.zeros(most + 1, np.int64), np.empty(most)
    for q in range(queries.shape[0]):
        gaps[q] = kirszbraun_at(points, values, alpha, queries[q], support, weights, out[q])
