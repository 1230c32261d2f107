r"""Layers of small networks: activations, certified norms, and layers of norm at most one by construction.

Upper bounds of a spectral norm are decided in rational arithmetic, for floating-point entries taken as exact numbers:
the singular values propose s, and :math:`s^2 I - W^\top W \succeq 0` is read off the pivots of :math:`L D L^\top`. The
iterated Gram matrix gives upper bounds without singular values,

.. math:: \| W \| \le \| (W^\top W)^{2^k} \|_F^{1 / 2^{k+1}} \quad (k = 0, 1, \dots;\ \text{nonincreasing}) .

A power iteration bounds a norm from below and certifies nothing.

Layers of norm at most one: Cayley transforms :math:`(I - S)(I + S)^{-1}` of skew S are orthogonal; almost orthogonal
layers :math:`W \operatorname{diag}(\sum_j |W^\top W|_{ij})^{-1/2}`, by diagonal dominance; residual layers
:math:`x - 2 W T^{-1} \varphi(W^\top x + b)` with slopes of :math:`\varphi` in [0, 1] and
:math:`T_{ii} = \sum_j |W^\top W|_{ij}\, q_j / q_i`, since :math:`\Delta\varphi_i (\Delta z_i - \Delta\varphi_i) \ge 0`
and :math:`W^\top W \preceq T` give
:math:`|\Delta f|^2 \le |\Delta x|^2 - 4 \Delta\varphi^\top T^{-1} (T - W^\top W) T^{-1} \Delta\varphi`.

References
----------
B. Prach, C. Lampert (2022). Almost-orthogonal layers for efficient general-purpose Lipschitz networks. ECCV.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from flint import fmpq, fmpq_mat

from mdps.errors import InvalidPolicyError
from mdps.validation import FloatArray

RESIDUAL_SLACK = 3e-12
"""What the rounding of T may add to the constant of a residual layer."""


@dataclass(frozen=True)
class Activation:
    """An activation with its derivative and the range [low, high] of its slopes."""

    name: str
    function: Callable[[FloatArray], FloatArray]
    derivative: Callable[[FloatArray], FloatArray]
    low: float = 0.0
    high: float = 1.0


LEAK = 0.01
ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("relu", lambda z: np.maximum(z, 0.0), lambda z: (z > 0.0).astype(np.float64)),
        Activation("tanh", np.tanh, lambda z: 1.0 - np.tanh(z) ** 2),
        Activation("softplus", lambda z: np.logaddexp(0.0, z), lambda z: 1.0 / (1.0 + np.exp(-z))),
        Activation("leaky_relu", lambda z: np.maximum(z, LEAK * z), lambda z: np.where(z > 0.0, 1.0, LEAK), LEAK),
    )
}
"""Activations by name; each is monotone with slopes at most one."""


# ------------------------------------------------------------------------------------------------ exact arithmetic


def flint_matrix(matrix: npt.ArrayLike) -> fmpq_mat:
    """Return a floating-point matrix with the same entries as FLINT rationals, fast at a few dozen rows."""
    ratios = [[float(entry).as_integer_ratio() for entry in row] for row in np.asarray(matrix)]
    return fmpq_mat([[fmpq(*ratio) for ratio in row] for row in ratios])


def _floats(matrix: fmpq_mat) -> FloatArray:
    return np.array([[int(entry.p) / int(entry.q) for entry in row] for row in matrix.table()])


def scaled_identity(size: int, scale: fmpq) -> fmpq_mat:
    """Return a multiple of the identity."""
    return fmpq_mat([[scale * int(i == j) for j in range(size)] for i in range(size)])


def is_positive_semidefinite(matrix: fmpq_mat) -> bool:
    """Decide it exactly: no pivot of L D L' is negative, and the row of a zero pivot is zero."""
    rows = matrix.table()
    for k, row in enumerate(rows):
        if row[k] < 0 or (row[k] == 0 and any(entry != 0 for entry in row[k + 1 :])):
            return False
        for below in rows[k + 1 :]:
            if below[k] != 0:
                factor = below[k] / row[k]
                below[k:] = [x - factor * y for x, y in zip(below[k:], row[k:], strict=True)]
    return True


# ---------------------------------------------------------------------------------------------------------- norms


def norm_bound(matrix: npt.ArrayLike) -> float:
    """Return an upper bound of the spectral norm, at most 1e-9 above it, that rational arithmetic confirms.

    The singular values propose it; :math:`s^2 I - W^T W` is then decided to be positive semidefinite exactly.
    """
    return exact_norm_bound(flint_matrix(matrix))


def exact_norm_bound(matrix: fmpq_mat) -> float:
    """As `norm_bound`, of a matrix of rationals."""
    tall = matrix if matrix.nrows() >= matrix.ncols() else matrix.transpose()
    gram, size = tall.transpose() * tall, float(np.linalg.norm(_floats(tall), 2))
    for slack in (0.0, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9):
        bound = size * (1.0 + slack)
        if is_positive_semidefinite(scaled_identity(gram.nrows(), fmpq(*bound.as_integer_ratio()) ** 2) - gram):
            return bound
    raise ArithmeticError(f"the norm of a {matrix.nrows()} x {matrix.ncols()} matrix is not {size} to nine digits")


def gram_bounds(matrix: npt.ArrayLike, steps: int = 5) -> tuple[float, ...]:
    r"""Return :math:`\| (W^\top W)^{2^k} \|_F^{1 / 2^{k+1}}` for k = 0, ..., steps - 1.

    They are upper bounds of the spectral norm and nonincreasing, to rounding; rescaled powers cannot overflow.
    """
    weights = np.asarray(matrix, dtype=np.float64)
    largest = float(np.abs(weights).max()) or 1.0
    gram, log_scale, found = (weights / largest).T @ (weights / largest), 2.0 * math.log(largest), []
    for k in range(steps):
        size = float(np.linalg.norm(gram))
        if size == 0.0:
            return (0.0,) * steps
        found.append(math.exp((math.log(size) + log_scale) / 2 ** (k + 1)))
        gram, log_scale = (gram / size) @ (gram / size), 2.0 * (log_scale + math.log(size))
    return tuple(found)


def power_iteration(matrix: npt.ArrayLike, start: npt.ArrayLike, steps: int) -> float:
    """Return |W v| for the unit vector v after some steps of the power method: a *lower* bound of the norm."""
    weights, vector = np.asarray(matrix, dtype=np.float64), np.asarray(start, dtype=np.float64)
    vector = vector / np.linalg.norm(vector)
    for _ in range(steps):
        vector = weights.T @ (weights @ vector)
        vector = vector / np.linalg.norm(vector)
    return float(np.linalg.norm(weights @ vector))


# --------------------------------------------------------------------------------- layers of norm at most one


def cayley(skew: npt.ArrayLike) -> FloatArray:
    """Return the orthogonal matrix (I - S)(I + S)^-1 of the skew part S of a square matrix."""
    matrix = np.asarray(skew, dtype=np.float64)
    part = 0.5 * (matrix - matrix.T)
    identity = np.eye(len(matrix))
    return np.asarray(np.linalg.solve((identity + part).T, (identity - part).T).T, dtype=np.float64)


def almost_orthogonal(weights: npt.ArrayLike) -> FloatArray:
    r"""Return :math:`W \operatorname{diag}(\sum_j |W^\top W|_{ij})^{-1/2}`; a zero column stays zero."""
    matrix = np.asarray(weights, dtype=np.float64)
    sums = np.abs(matrix.T @ matrix).sum(axis=1)
    return matrix / np.sqrt(np.where(sums > 0.0, sums, 1.0))


def residual_scaling(weights: npt.ArrayLike, scaling: npt.ArrayLike) -> FloatArray:
    r"""Return the diagonal :math:`T_{ii} = \sum_j |W^\top W|_{ij}\, q_j / q_i`; one for a zero column."""
    matrix, q = np.asarray(weights, dtype=np.float64), np.asarray(scaling, dtype=np.float64)
    sums = np.abs(matrix.T @ matrix) @ q / q
    return np.where(sums > 0.0, sums, 1.0)


def residual_layer(
    points: FloatArray, weights: FloatArray, bias: FloatArray, scaling: FloatArray, activation: str = "relu"
) -> FloatArray:
    r"""Return :math:`x - 2 W T^{-1} \varphi(W^\top x + b)`, nonexpansive for slopes in [0, 1]; ``points`` (..., w)."""
    inner = ACTIVATIONS[activation].function(points @ weights + bias)
    return points - 2.0 * (inner / residual_scaling(weights, scaling)) @ weights.T


def require_nonexpansive(weights: FloatArray, scaling: FloatArray) -> None:
    """Raise unless (1 + 1e-12) T - W'W is positive semidefinite, decided exactly.

    The constant of the layer is then at most 1 + `RESIDUAL_SLACK`.
    """
    rows = flint_matrix(weights)
    diagonal = flint_matrix(np.diag(residual_scaling(weights, scaling) * (1.0 + 1e-12)))
    if not is_positive_semidefinite(diagonal - rows.transpose() * rows):
        raise InvalidPolicyError("a residual layer has a scaling T that is below W'W")
