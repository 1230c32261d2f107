r"""Bias against disturbance, exactly, for scalar experts; and how the gain of a scalar loop acts on its robustness.

For an expert on a convex set, :math:`\Omega(s)` is the largest change of its input over a distance of at most s, the
modulus of continuity. With scalar inputs the best :math:`\alpha`-Lipschitz approximation misses it by

.. math:: e(\alpha) = \tfrac12 \sup_d ( \Omega(d) - \alpha d )_+ ,

so that under measurement errors up to s the certified error is :math:`U(\alpha) = e(\alpha) + \alpha s`, and

.. math:: \min_{\alpha \ge 0} U(\alpha) = \tfrac12\, \Omega^{\text{conc}}(2 s),

:math:`\Omega^{\text{conc}}` the least concave nondecreasing majorant; its slope at 2 s is an optimal :math:`\alpha`. No
policy that sees :math:`x + \delta` errs less than :math:`\tfrac12 \Omega(2 s)`.

A piecewise-linear expert has a modulus that is convex between consecutive distances of its knots: the suprema are
attained at these distances, and the majorant is the upper hull of the points there. Nothing is discretised.

**Scalar loops.** For :math:`x' = a x + b u`, :math:`u = -k y`, :math:`0 \le a - b k < 1`, the peak gain from the
measurement error to the state is :math:`g(k) = b k / (1 - a + b k)`, with :math:`g'(k) = b (1 - a) / (1 - a + b k)^2`:
a larger gain is less robust exactly if the plant is stable without it.
"""

from dataclasses import dataclass
from math import inf

import numpy as np
import numpy.typing as npt

from mdps.control import InterpolatedPolicy, LinearPolicy, require_positive
from mdps.errors import InvalidModelError
from mdps.validation import FloatArray


def modulus(expert: InterpolatedPolicy, distances: npt.ArrayLike) -> FloatArray:
    """Return the modulus of continuity of a piecewise-linear expert between its outer knots, at each distance.

    It is attained between two knots, or between a knot and the point at exactly that distance from it.
    """
    s = np.atleast_1d(np.asarray(distances, dtype=np.float64))
    if not np.all(s >= 0.0):
        raise InvalidModelError("a distance is negative or not a number")
    knots, values = expert.knots, expert.values
    gaps = np.abs(knots[:, None] - knots).ravel()
    changes = np.abs(values[:, None] - values).ravel()
    between = np.where(gaps <= s[:, None] * (1.0 + 1e-15), changes, 0.0).max(axis=1)
    shifted = [np.clip(knots + step * s[:, None], knots[0], knots[-1]) for step in (-1.0, 1.0)]
    from_knots = [np.abs(np.interp(points, knots, values) - values).max(axis=1) for points in shifted]
    result: FloatArray = np.maximum(between, np.maximum(*from_knots))
    return result


@dataclass(frozen=True, eq=False)
class ConcaveMajorant:
    """The least concave nondecreasing majorant of a modulus: linear between ``distances`` ``(k,)``, then constant."""

    distances: FloatArray
    values: FloatArray

    def __call__(self, distances: npt.ArrayLike) -> FloatArray:
        """Return the values at nonnegative distances."""
        return np.interp(np.asarray(distances, dtype=np.float64), self.distances, self.values)

    def slope(self, distance: float) -> float:
        """Return the slope to the right of a distance, a supergradient there."""
        right = int(np.searchsorted(self.distances, distance, side="right"))
        if right >= self.distances.size:
            return 0.0
        rise = self.values[right] - self.values[right - 1]
        return float(rise / (self.distances[right] - self.distances[right - 1]))


def knot_distances(expert: InterpolatedPolicy) -> FloatArray:
    """Return the distances of the knots, from zero on, increasing."""
    return np.unique(np.abs(expert.knots[:, None] - expert.knots))


def concave_majorant(expert: InterpolatedPolicy) -> ConcaveMajorant:
    """Return the least concave nondecreasing majorant of the modulus of continuity of a piecewise-linear expert."""
    distances = knot_distances(expert)
    hull: list[tuple[float, float]] = []
    for point in zip(distances.tolist(), modulus(expert, distances).tolist(), strict=True):
        while len(hull) >= 2 and _not_above(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    return ConcaveMajorant(np.array([x for x, _ in hull]), np.array([y for _, y in hull]))


def _not_above(left: tuple[float, float], middle: tuple[float, float], right: tuple[float, float]) -> bool:
    """Whether the middle point lies on or below the chord of the outer two."""
    chord = (right[1] - left[1]) * (middle[0] - left[0])
    return (middle[1] - left[1]) * (right[0] - left[0]) <= chord


def bias(expert: InterpolatedPolicy, alpha: float) -> float:
    """Return e(alpha): the least sup error of an alpha-Lipschitz approximation between the outer knots."""
    require_positive("alpha", alpha, strict=False)
    distances = knot_distances(expert)
    return max(0.0, float((modulus(expert, distances) - alpha * distances).max()) / 2.0)


def linear_bias(expert: LinearPolicy, alpha: float, radius: float) -> float:
    """Return e(alpha) of a linear expert with one input on the ball of a radius: (L* - alpha)_+ r.

    Raises
    ------
    InvalidModelError
        If the expert has several inputs, for which this is a lower bound only.
    """
    if expert.n_inputs != 1:
        raise InvalidModelError(f"the expert has {expert.n_inputs} inputs: the formula is for one")
    require_positive("alpha", alpha, strict=False)
    return max(0.0, expert.lipschitz - alpha) * require_positive("radius", radius)


def certified_error(expert: InterpolatedPolicy, alpha: float, disturbance: float) -> float:
    """Return U(alpha) = e(alpha) + alpha s for measurement errors (and distances to samples) up to s."""
    return bias(expert, alpha) + alpha * require_positive("disturbance", disturbance, strict=False)


@dataclass(frozen=True)
class BestBudget:
    """The least certified error, and a budget that attains it."""

    alpha: float
    error: float


def best_budget(expert: InterpolatedPolicy, disturbance: float) -> BestBudget:
    """Return the budget alpha that minimises the certified error, and the minimum: half the majorant at 2 s."""
    reach = 2.0 * require_positive("disturbance", disturbance, strict=False)
    majorant = concave_majorant(expert)
    return BestBudget(majorant.slope(reach), float(majorant(reach)) / 2.0)


def unavoidable_error(expert: InterpolatedPolicy, disturbance: float) -> float:
    """Return half the modulus at 2 s: no policy errs less under measurement errors up to s."""
    return float(modulus(expert, 2.0 * require_positive("disturbance", disturbance, strict=False))[0]) / 2.0


# Scalar loops


def scalar_peak_gain(drift: float, inputs: float, gain: float) -> float:
    """Return the exact peak gain b k / (1 - |a - b k|) from measurement error to state; infinite if unstable."""
    loop = abs(drift - inputs * gain)
    return abs(inputs * gain) / (1.0 - loop) if loop < 1.0 else inf


def scalar_peak_gain_slope(drift: float, inputs: float, gain: float) -> float:
    """Return its derivative b (1 - a) / (1 - a + b k)^2 in the gain.

    Raises
    ------
    InvalidModelError
        Unless 0 <= a - b k < 1 and b, k >= 0, where the formula holds.
    """
    loop = drift - inputs * gain
    if not (0.0 <= loop < 1.0 and inputs >= 0.0 and gain >= 0.0):
        raise InvalidModelError(f"a - b k is {loop:.6g}, b {inputs:.6g}, k {gain:.6g}: not 0 <= a - b k < 1, b, k >= 0")
    return inputs * (1.0 - drift) / (1.0 - loop) ** 2
