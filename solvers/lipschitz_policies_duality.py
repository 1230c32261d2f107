r"""Lipschitz regression: its dual, and certificates that hold without trust in any solver.

Demonstrations :math:`(x_i, u_i)`, :math:`i = 1 \dots N`, states in :math:`\mathbb R^n`, inputs in :math:`\mathbb R^m`,
and a budget :math:`\alpha`. Because every :math:`\alpha`-Lipschitz map on the samples extends to the whole space
(McShane for m = 1, Kirszbraun for Euclidean norms), learning a policy is the cone programme

.. math:: \varphi(\alpha) = \min_V \; \tfrac1{2N} \sum_i \|v_i - u_i\|^2
          \quad\text{subject to}\quad \|v_i - v_j\| \le \alpha \|x_i - x_j\| .

**Dual.** One vector :math:`y_{ij}` a pair, :math:`(By)_i = \sum_{j>i} y_{ij} - \sum_{j<i} y_{ji}`. For *every* y

.. math:: D(y) = \sum_i \langle u_i, (By)_i \rangle - R^*(By) - \alpha \sum_{i<j} d_{ij} \|y_{ij}\|
          \;\le\; \varphi(\alpha) ,

=========================== ============================================= ==========================================
loss                        primal                                        :math:`R^*(b)`
=========================== ============================================= ==========================================
squared                     :math:`\frac1{2N}\sum_i\|v_i-u_i\|^2`         :math:`\frac N2 \sum_i \|b_i\|^2`
supremum                    :math:`\max_i \|v_i-u_i\|`                    0 if :math:`\sum_i \|b_i\| \le 1`
Huber, threshold k          :math:`\frac1N\sum_i h_k(\|v_i-u_i\|)`        :math:`\frac N2 \sum_i \|b_i\|^2` if all
                                                                          :math:`\|b_i\| \le k/N`
=========================== ============================================= ==========================================

(infinite otherwise). At the optimum of the squared loss :math:`V = U - N By`, :math:`\mu_{ij} = \|y_{ij}\|` are
the multipliers, and :math:`\varphi'(\alpha) = -\sum \mu_{ij} d_{ij}`. ``exact_dual_value`` evaluates a lower bound
of D in rationals, so that a certificate can be checked again without any solver.

The feasible point that carries the upper bound is the McShane envelope of V (m = 1), or V drawn towards its mean
(m >= 2). Coinciding states are merged first, with weights, and the dual is spread again: pairs of length zero cost
nothing. The solvers are in ``solvers.lipschitz_policies_regression``.

References
----------
A. A. Al Makdah, V. Krishnan, F. Pasqualetti (2021). Learning Lipschitz feedback policies from expert demonstrations:
closed-loop guarantees, generalization and robustness. arXiv 2103.16629. The dual, the algorithms and their
certificates are derived here; they are not the authors'.
"""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import isqrt

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError
from mdps.validation import FloatArray, IntArray, as_float_array
from solvers import lipschitz_policies_kernels as extension_kernels
from solvers import lipschitz_policies_regression_kernels as kernels


class Loss(StrEnum):
    """How the distance from the demonstrated inputs is measured (see the module)."""

    SQUARED = "squared"
    SUPREMUM = "supremum"
    HUBER = "huber"


@dataclass(frozen=True)
class Regression:
    """A feasible point of the learning problem and a dual point that certifies it.

    Attributes
    ----------
    alpha
        Lipschitz budget.
    values
        ``(N, m)``; alpha-Lipschitz on the samples (up to rounding).
    pairs, distances
        ``(P, 2)`` with i < j, and ``(P,)``: the pairs with a dual vector that does not vanish.
    dual
        ``(P, m)``.
    upper, lower
        Loss of ``values`` and dual value of ``dual``: the optimum lies between (up to rounding).
    rounds
        Rounds of the solver.
    converged
        Whether the solver reached its tolerance.
    """

    alpha: float
    values: FloatArray
    pairs: IntArray
    distances: FloatArray
    dual: FloatArray
    upper: float
    lower: float
    rounds: int
    converged: bool

    @property
    def gap(self) -> float:
        """Certified distance of the loss from the optimum."""
        return self.upper - self.lower

    @property
    def multipliers(self) -> FloatArray:
        """Multipliers of the pairs, ``(P,)``."""
        norms: FloatArray = np.sqrt(np.sum(self.dual**2, axis=1))
        return norms

    @property
    def slope(self) -> float:
        """Derivative of the optimal loss in alpha, minus the sum of multiplier times distance."""
        return -float(self.multipliers @ self.distances)


# Data


def check_data(points: npt.ArrayLike, targets: npt.ArrayLike, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Return the samples as ``(N, n)`` and ``(N, m)`` arrays; one-dimensional arrays become columns.

    Raises
    ------
    InvalidModelError
        Naming what does not fit, is not finite, or a budget that is negative.
    """
    states, inputs = as_float_array("points", points), as_float_array("targets", targets)
    states = states[:, None] if states.ndim == 1 else states
    inputs = inputs[:, None] if inputs.ndim == 1 else inputs
    if states.ndim != 2 or inputs.ndim != 2 or 0 in states.shape or 0 in inputs.shape:
        raise InvalidModelError(f"points have shape {states.shape}, targets {inputs.shape}, not (N, n) and (N, m)")
    if len(states) != len(inputs):
        raise InvalidModelError(f"{len(states)} points but {len(inputs)} targets")
    if not (np.isfinite(alpha) and alpha >= 0.0):
        raise InvalidModelError(f"alpha is {alpha}, not a finite number >= 0")
    return states, inputs


def all_pairs(size: int) -> IntArray:
    """Return all pairs i < j, ``(N (N - 1) / 2, 2)``."""
    return np.stack(np.triu_indices(size, 1), axis=1)


def neighbour_pairs(points: npt.ArrayLike, neighbours: int) -> IntArray:
    """Return the pairs i < j of which one is among the nearest ``neighbours`` of the other, ``(P, 2)``."""
    from scipy.spatial import cKDTree

    states = np.atleast_2d(np.asarray(points, dtype=float))
    count = min(neighbours + 1, len(states))
    near = cKDTree(states).query(states, k=count)[1].reshape(len(states), count)
    ends = np.stack([np.repeat(np.arange(len(states)), count), near.ravel()], axis=1)
    ends = np.sort(ends[ends[:, 0] != ends[:, 1]], axis=1)
    return np.unique(ends, axis=0)


def pair_distances(points: FloatArray, pairs: IntArray) -> FloatArray:
    """Return the distances of the pairs, ``(P,)``."""
    distances: FloatArray = np.sqrt(np.sum((points[pairs[:, 0]] - points[pairs[:, 1]]) ** 2, axis=1))
    return distances


def lipschitz_constant(points: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """Return the largest ``|v_i - v_j| / |x_i - x_j|``; infinite if a state has two values."""
    states, inputs = check_data(points, values, 0.0)
    return float(kernels.pair_extremes(_columns(states), _columns(inputs), 0.0)[0])


def _columns(rows: FloatArray) -> FloatArray:
    return np.array(rows.T, order="C")


# Certificates


def divergence(pairs: IntArray, dual: FloatArray, size: int) -> FloatArray:
    """Return By, ``(N, m)``: what leaves a sample minus what arrives."""
    total = np.zeros((size, dual.shape[1]))
    np.add.at(total, pairs[:, 0], dual)
    np.subtract.at(total, pairs[:, 1], dual)
    return total


def primal_value(targets: FloatArray, values: FloatArray, loss: Loss = Loss.SQUARED, threshold: float = 1.0) -> float:
    """Return the loss of values; ``threshold`` is that of the Huber loss."""
    square = np.sum((values - targets) ** 2, axis=1)
    if loss is Loss.SQUARED:
        return 0.5 * float(square.mean())
    distance = np.sqrt(square)
    if loss is Loss.SUPREMUM:
        return float(distance.max())
    return float(np.where(distance <= threshold, 0.5 * square, threshold * (distance - 0.5 * threshold)).mean())


def dual_value(
    points: FloatArray,
    targets: FloatArray,
    alpha: float,
    pairs: IntArray,
    dual: FloatArray,
    loss: Loss = Loss.SQUARED,
    threshold: float = 1.0,
) -> float:
    """Return D(y), a lower bound of the optimal loss (see the module); minus infinity outside the domain of R*."""
    flow = divergence(pairs, dual, len(points))
    norms = np.sqrt(np.sum(flow**2, axis=1))
    value = np.sum(targets * flow) - alpha * pair_distances(points, pairs) @ np.sqrt(np.sum(dual**2, axis=1))
    if loss is Loss.SUPREMUM:
        return float(value) if norms.sum() <= 1.0 else -np.inf
    if loss is Loss.HUBER and norms.max() > threshold / len(points):
        return -np.inf
    return float(value - 0.5 * len(points) * norms @ norms)


def _root_above(square: Fraction) -> Fraction:
    """Return a rational that is at least the square root, within a relative 2**-60 or so."""
    if square == 0:
        return square
    shift = 64 + max(0, square.denominator.bit_length() - square.numerator.bit_length())
    scaled = (square.numerator << (2 * shift)) // square.denominator
    return Fraction(isqrt(scaled) + 1, 1 << shift)


def exact_dual_value(
    points: FloatArray,
    targets: FloatArray,
    alpha: float | Fraction,
    pairs: IntArray,
    dual: FloatArray,
) -> Fraction:
    r"""Return a rational lower bound of the optimal squared loss: D(y) with norms rounded upwards.

    The data are read as exactly the numbers that they are; weak duality then holds without any tolerance.
    """
    states = [[Fraction(x) for x in row] for row in points.tolist()]
    rows = [[Fraction(x) for x in row] for row in dual.tolist()]
    flow = [[Fraction(0)] * dual.shape[1] for _ in states]
    cost = Fraction(0)
    for (i, j), y in zip(pairs.tolist(), rows, strict=True):
        for k, part in enumerate(y):
            flow[i][k] += part
            flow[j][k] -= part
        square = sum(((p - q) ** 2 for p, q in zip(states[i], states[j], strict=True)), Fraction(0))
        cost += _root_above(square * sum((part * part for part in y), Fraction(0)))
    value = -Fraction(alpha) * cost
    for target, parts in zip(targets.tolist(), flow, strict=True):
        for u, b in zip(target, parts, strict=True):
            value += b * (Fraction(u) - b * len(states) / 2)
    return value


def is_feasible(points: FloatArray, values: FloatArray, alpha: float | Fraction) -> bool:
    """Decide in rationals whether values are alpha-Lipschitz on the samples; all pairs, so for small N."""
    states = [[Fraction(x) for x in row] for row in points.tolist()]
    inputs = [[Fraction(x) for x in row] for row in values.tolist()]
    square = Fraction(alpha) ** 2
    return all(
        sum((a - b) ** 2 for a, b in zip(inputs[i], inputs[j], strict=True))
        <= square * sum((a - b) ** 2 for a, b in zip(states[i], states[j], strict=True))
        for i in range(len(states))
        for j in range(i)
    )


def feasible_values(points: FloatArray, values: FloatArray, alpha: float) -> FloatArray:
    """Return alpha-Lipschitz values near the given ones: the upper envelope (m = 1), or values drawn to their mean."""
    if values.shape[1] == 1:
        return _upper_envelope(points, values, alpha)
    ratio = kernels.pair_extremes(_columns(points), _columns(values), alpha)[0]
    mean = values.mean(axis=0)
    if np.isinf(ratio):
        return np.broadcast_to(mean, values.shape).copy()
    return mean + min(1.0, alpha / ratio if ratio > 0.0 else 1.0) * (values - mean)


def _upper_envelope(points: FloatArray, values: FloatArray, alpha: float) -> FloatArray:
    out = np.empty((len(points), 2))
    extension_kernels.envelopes(points, values[:, 0].copy(), alpha, points, out)
    return out[:, 1:].copy()


# Merging


@dataclass(frozen=True)
class Merged:
    """Samples with coinciding states merged: means and multiplicities, and where each sample went."""

    points: FloatArray
    targets: FloatArray
    weights: FloatArray
    group: IntArray
    first: IntArray


def merge(points: FloatArray, targets: FloatArray) -> Merged:
    """Merge samples with coinciding states."""
    unique, first, group, counts = np.unique(points, axis=0, return_index=True, return_inverse=True, return_counts=True)
    group = group.reshape(-1)
    if len(unique) == len(points):
        return Merged(points, targets, np.ones(len(points)), np.arange(len(points)), np.arange(len(points)))
    total = np.zeros((len(unique), targets.shape[1]))
    np.add.at(total, group, targets)
    weights = counts.astype(float)
    return Merged(unique, total / weights[:, None], weights, group, first)


def spread(merged: Merged, targets: FloatArray, pairs: IntArray, dual: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return a dual of the original samples with the same value: pairs of length zero share out the flow of a group."""
    ends = merged.first[pairs]
    signs = np.where(ends[:, 0] < ends[:, 1], 1.0, -1.0)
    ends, dual = np.sort(ends, axis=1), dual * signs[:, None]
    if len(merged.points) == len(targets):
        return ends, dual
    flow = divergence(pairs, dual * signs[:, None], len(merged.points)) / merged.weights[:, None]
    share = flow[merged.group] + (targets - merged.targets[merged.group]) / len(targets)
    others = np.setdiff1d(np.arange(len(targets)), merged.first)
    stars = np.stack([merged.first[merged.group[others]], others], axis=1)
    return np.concatenate([ends, stars]), np.concatenate([dual, -share[others]])


def certify(
    points: FloatArray,
    targets: FloatArray,
    alpha: float,
    merged: Merged,
    solved: tuple[FloatArray, IntArray, FloatArray],
    rounds: int,
    converged: bool,
) -> Regression:
    """Turn feasible values, pairs and dual of the merged problem into a certified result for the original samples."""
    values, pairs, dual = solved
    feasible = values[merged.group]
    kept = np.any(dual != 0.0, axis=1)
    pairs, dual = spread(merged, targets, pairs[kept], dual[kept])
    kept = np.any(dual != 0.0, axis=1)
    pairs, dual = pairs[kept], dual[kept]
    return Regression(
        alpha,
        feasible,
        pairs,
        pair_distances(points, pairs),
        dual,
        primal_value(targets, feasible),
        dual_value(points, targets, alpha, pairs, dual),
        rounds,
        converged,
    )
