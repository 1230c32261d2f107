r"""Feedback policies, demonstrations and measurement errors of deterministic control.

A policy maps states :math:`x \in R^n` to inputs :math:`\pi(x) \in R^m`; all of them are Lipschitz, and say how much.

**Clipping.** A linear policy with singular values :math:`\sigma_k` becomes :math:`\alpha`-Lipschitz when they are
replaced by :math:`\min(\sigma_k, \alpha)`.

Every array is checked on construction and cannot be written to afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError
from mdps.validation import FloatArray, as_float_array, entry, first_index, require_shape


def as_matrix(name: str, values: npt.ArrayLike) -> FloatArray:
    """Return a validated matrix; a number is a 1 by 1 matrix.

    Raises
    ------
    InvalidModelError
        If it is not a matrix, is empty, or has an entry that is not finite.
    """
    array = as_float_array(name, values)
    if array.ndim == 0:
        array = as_float_array(name, array.reshape(1, 1))
    if array.ndim != 2 or array.size == 0:
        raise InvalidModelError(f"{name} has shape {array.shape}, not a matrix")
    return array


def require_positive(name: str, value: float, *, strict: bool = True) -> float:
    """Return ``value`` as a float; raise `InvalidModelError` unless it is finite and positive (or zero if allowed)."""
    number = float(value)
    if not isfinite(number) or number < 0.0 or (strict and number == 0.0):
        raise InvalidModelError(f"{name} is {value!r}, not {'positive' if strict else 'nonnegative'} and finite")
    return number


def require_symmetric(name: str, matrix: FloatArray, size: int, *, definite: bool) -> None:
    """Raise unless a matrix is ``(size, size)``, symmetric and positive (semi)definite."""
    require_shape(name, matrix, (size, size))
    skew = np.abs(matrix - matrix.T) > 1e-12 * max(1.0, float(np.abs(matrix).max()))
    if skew.any():
        index = first_index(skew)
        raise InvalidModelError(f"{entry(name, index)} is {matrix[index]}, but {entry(name, index[::-1])} is not")
    least = float(np.linalg.eigvalsh(matrix)[0])
    floor = 0.0 if definite else -1e-12 * max(1.0, float(np.abs(matrix).max()))
    kind = "positive definite" if definite else "positive semidefinite"
    if least < floor or (definite and least == 0.0):
        raise InvalidModelError(f"{name} has the eigenvalue {least:.12g}, not {kind}")


def unit_vectors(vectors: FloatArray) -> FloatArray:
    """Return the unit vectors of vectors ``(..., n)``; zero for zero."""
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0.0)


# Policies


class Policy(Protocol):
    """A static feedback: states ``(..., n)`` to inputs ``(..., m)``."""

    @property
    def n_states(self) -> int:
        """Dimension n of the state."""

    @property
    def n_inputs(self) -> int:
        """Dimension m of the input."""

    def __call__(self, states: npt.ArrayLike) -> FloatArray:
        """Return the inputs ``(..., m)`` at states ``(..., n)``."""


@dataclass(frozen=True, eq=False)
class LinearPolicy:
    r""":math:`\pi(x) = -K x`, or :math:`-K\, \mathrm{clip}(x, -s, s)` (entry by entry) with a saturation s.

    Parameters
    ----------
    gain
        K, ``(m, n)``; a number for scalar plants.
    saturation
        s > 0; infinite if omitted.

    Raises
    ------
    InvalidModelError
        If an entry is not finite or the saturation is not positive.
    """

    gain: FloatArray
    saturation: float

    def __init__(self, gain: npt.ArrayLike, saturation: float = inf) -> None:
        object.__setattr__(self, "gain", as_matrix("gain", gain))
        if not saturation > 0.0:
            raise InvalidModelError(f"saturation is {saturation!r}, not positive")
        object.__setattr__(self, "saturation", float(saturation))

    @property
    def n_states(self) -> int:
        """Dimension n of the state."""
        return self.gain.shape[1]

    @property
    def n_inputs(self) -> int:
        """Dimension m of the input."""
        return self.gain.shape[0]

    @property
    def lipschitz(self) -> float:
        """The least Lipschitz constant, in Euclidean norms: the spectral norm of K."""
        return float(np.linalg.norm(self.gain, 2))

    def __call__(self, states: npt.ArrayLike) -> FloatArray:
        """Return the inputs ``(..., m)`` at states ``(..., n)``."""
        inputs: FloatArray = -np.clip(states, -self.saturation, self.saturation) @ self.gain.T
        return inputs

    def clipped(self, alpha: float) -> "LinearPolicy":
        """Return the linear policy with singular values min(sigma, alpha), alpha >= 0."""
        require_positive("alpha", alpha, strict=False)
        left, values, right = np.linalg.svd(self.gain, full_matrices=False)
        return LinearPolicy((left * np.minimum(values, alpha)) @ right, self.saturation)

    def scaled(self, factor: float) -> "LinearPolicy":
        """Return the linear policy with gain ``factor * K``."""
        return LinearPolicy(factor * self.gain, self.saturation)


@dataclass(frozen=True, eq=False)
class InterpolatedPolicy:
    """Scalar policy, linear between knots and constant beyond the outer ones.

    Parameters
    ----------
    knots
        ``(k,)``, increasing.
    values
        ``(k,)``: inputs at the knots.

    Raises
    ------
    InvalidModelError
        Naming the first offending entry.
    """

    knots: FloatArray
    values: FloatArray

    def __init__(self, knots: npt.ArrayLike, values: npt.ArrayLike) -> None:
        x, u = as_float_array("knots", knots), as_float_array("values", values)
        if x.ndim != 1 or x.size == 0:
            raise InvalidModelError(f"knots has shape {x.shape}, not (k,)")
        require_shape("values", u, x.shape)
        late = np.diff(x) <= 0.0
        if late.any():
            index = first_index(late)[0] + 1
            raise InvalidModelError(f"knots[{index}] is {x[index]}, not above the one before")
        object.__setattr__(self, "knots", x)
        object.__setattr__(self, "values", u)

    n_states = 1
    n_inputs = 1

    @property
    def lipschitz(self) -> float:
        """The least Lipschitz constant: the steepest segment."""
        return float(np.abs(np.diff(self.values) / np.diff(self.knots)).max(initial=0.0))

    def __call__(self, states: npt.ArrayLike) -> FloatArray:
        """Return the inputs ``(..., 1)`` at states ``(..., 1)``."""
        return np.interp(np.asarray(states, dtype=np.float64), self.knots, self.values)


def metric_root(metric: npt.ArrayLike | None, size: int) -> FloatArray:
    """Return T with T'T = P, for which the norm of x in the metric P is that of T x; the identity if omitted.

    Raises
    ------
    InvalidModelError
        If P is not symmetric positive definite.
    """
    if metric is None:
        return as_float_array("transform", np.eye(size))
    matrix = as_matrix("metric", metric)
    require_symmetric("metric", matrix, size, definite=True)
    return as_float_array("transform", np.linalg.cholesky(matrix).T)


@dataclass(frozen=True, eq=False)
class EnvelopePolicy:
    r"""McShane-Whitney extension of scalar inputs: each side is ``alpha``-Lipschitz.

    .. math::
        \pi_{\text{up}}(x) = \min_i (v_i + \alpha \| x - x_i \|), \quad
        \pi_{\text{lo}}(x) = \max_i (v_i - \alpha \| x - x_i \|), \quad
        \pi_{\text{c}} = (\pi_{\text{up}} + \pi_{\text{lo}}) / 2.

    Parameters
    ----------
    points
        ``(N, n)``.
    values
        ``(N,)``.
    alpha
        Nonnegative.
    side
        "upper", "lower" or "central".
    metric
        P ``(n, n)``, positive definite: distances are sqrt((x - y)' P (x - y)); Euclidean if omitted.

    Raises
    ------
    InvalidModelError
        Naming the first offending entry.
    """

    points: FloatArray
    values: FloatArray
    alpha: float
    side: Literal["upper", "lower", "central"]
    transform: FloatArray

    def __init__(
        self,
        points: npt.ArrayLike,
        values: npt.ArrayLike,
        alpha: float,
        side: Literal["upper", "lower", "central"] = "central",
        metric: npt.ArrayLike | None = None,
    ) -> None:
        x, v = as_matrix("points", points), as_float_array("values", values)
        require_shape("values", v, (x.shape[0],))
        if side not in ("upper", "lower", "central"):
            raise InvalidModelError(f"side is {side!r}, not 'upper', 'lower' or 'central'")
        object.__setattr__(self, "points", x)
        object.__setattr__(self, "values", v)
        object.__setattr__(self, "alpha", require_positive("alpha", alpha, strict=False))
        object.__setattr__(self, "side", side)
        object.__setattr__(self, "transform", metric_root(metric, x.shape[1]))

    @property
    def n_states(self) -> int:
        """Dimension n of the state."""
        return self.points.shape[1]

    @property
    def coordinates(self) -> FloatArray:
        """The points in coordinates whose Euclidean distances are those of the metric, ``(N, n)``."""
        coordinates: FloatArray = self.points @ self.transform.T
        return coordinates

    n_inputs = 1

    @property
    def lipschitz(self) -> float:
        """A Lipschitz constant in the metric: alpha."""
        return self.alpha

    def __call__(self, states: npt.ArrayLike) -> FloatArray:
        """Return the inputs ``(..., 1)`` at states ``(..., n)``."""
        x = np.asarray(states, dtype=np.float64)
        steps = (x[..., None, :] - self.points) @ self.transform.T
        reach = self.alpha * np.linalg.norm(steps, axis=-1)
        upper, lower = (self.values + reach).min(axis=-1), (self.values - reach).max(axis=-1)
        inputs: FloatArray = {"upper": upper, "lower": lower, "central": (upper + lower) / 2.0}[self.side]
        return inputs[..., None]


# Data and disturbances


@dataclass(frozen=True, eq=False)
class Demonstrations:
    """Pairs of states ``(N, n)`` and inputs ``(N, m)`` of an expert.

    Raises
    ------
    InvalidModelError
        If the arrays do not fit together, are empty, or have an entry that is not finite.
    """

    states: FloatArray
    inputs: FloatArray

    def __init__(self, states: npt.ArrayLike, inputs: npt.ArrayLike) -> None:
        x, u = as_matrix("states", states), as_matrix("inputs", inputs)
        require_shape("inputs", u, (x.shape[0], u.shape[1]))
        object.__setattr__(self, "states", x)
        object.__setattr__(self, "inputs", u)

    @property
    def size(self) -> int:
        """Number N of pairs."""
        return self.states.shape[0]


def demonstrate(expert: Callable[[FloatArray], FloatArray], states: npt.ArrayLike) -> Demonstrations:
    """Return what an expert plays at states ``(N, n)``, without noise."""
    x = as_matrix("states", states)
    return Demonstrations(x, expert(x))


@dataclass(frozen=True, eq=False)
class MeasurementDisturbance:
    """Errors ``sequence (T, n)`` of the measured state, each of Euclidean norm at most ``bound`` (zeta).

    Raises
    ------
    InvalidModelError
        Naming the first error that is too large.
    """

    sequence: FloatArray
    bound: float

    def __init__(self, sequence: npt.ArrayLike, bound: float) -> None:
        errors = as_matrix("sequence", sequence)
        zeta = require_positive("bound", bound, strict=False)
        norms = np.linalg.norm(errors, axis=1)
        large = norms > zeta * (1.0 + 1e-12)
        if large.any():
            t = first_index(large)[0]
            raise InvalidModelError(f"sequence[t={t}] has norm {norms[t]:.12g}, above the bound {zeta:.12g}")
        object.__setattr__(self, "sequence", errors)
        object.__setattr__(self, "bound", zeta)
