r"""Follow the regularised leader on the simplex: steps, stability, and exact worst cases.

With cumulative losses :math:`G \in \mathbb R^A`, a rate :math:`\eta` and a regulariser :math:`\Psi`, the next point is
:math:`x = \arg\min_{x \in \Delta} \{\eta \langle x, G \rangle + \Psi(x)\}`. With :math:`g_i = \eta (G_i - \min G)`:

=============== =========================== =============================== ========================================
regulariser     :math:`\Psi(x)`             x                               Bregman divergence of y from x
=============== =========================== =============================== ========================================
``ENTROPY``     :math:`\sum x_i \ln x_i`    :math:`\propto e^{-g_i}`        Kullback-Leibler
``LOG_BARRIER`` :math:`-\sum \ln x_i`       :math:`1 / (g_i + \lambda)`     Itakura-Saito
``TSALLIS``     :math:`-2 \sum \sqrt{x_i}`  :math:`1 / (g_i + \lambda)^2`   :math:`\sum(\sqrt y-\sqrt x)^2/\sqrt x`
=============== =========================== =============================== ========================================

The Itakura-Saito divergence is :math:`\operatorname{IS}(y, x) = \sum_i y_i/x_i - 1 - \ln(y_i/x_i)`.

The normalisation :math:`\lambda \ge 1` is the root of a convex decreasing function that is not negative at one:
Newton's method from one increases monotonically to it, and needs no safeguard. For the log-barrier with two arms
:math:`x_{\text{worse}} = 2 / (g + 2 + \sqrt{g^2 + 4})`.

**Identity.** For losses c_1, ..., c_T, iterates x_1, ..., x_{T+1} and any u in the interior

.. math:: \eta \sum_t \langle x_t - u, c_t \rangle = \Psi(u) - \Psi(x_1) - D(u, x_{T+1})
          + \sum_t \big[ \eta \langle x_t - x_{t+1}, c_t \rangle - D(x_{t+1}, x_t) \big] ,

so that the regret is at most penalty plus stability,
:math:`\operatorname{stab}(x, g) = \sup_{y \in \Delta} \langle x - y, g \rangle - D(y, x)` with :math:`g = \eta c`.
For the entropy it is :math:`\ln \sum x_i e^{-(g_i - \langle x, g \rangle)}`; for the log-barrier
:math:`\min_\lambda \sum \varphi(x_i (g_i + \lambda))` with :math:`\varphi(w) = w - \ln(1 + w)`. There every
:math:`\lambda` gives an upper bound and every y a lower one, which certify each other.

**Exact worst case.** Against an adversary that plays (1, 0) or (0, 1) in each of K rounds, the state of a two-armed
learner is the difference D of the cumulative losses: with :math:`W_K(D) = -(K - |D|)/2`,
:math:`W_k(D) = \max\{x_1(D) + W_{k+1}(D + 1),\; x_2(D) + W_{k+1}(D - 1)\}` is computed exactly; :math:`W_0(0)`
is the largest regret.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdps.jit import kernel
from mdps.validation import FloatArray, as_float_array

ENTROPY, LOG_BARRIER, TSALLIS = range(3)
"""Regularisers (see the module)."""


# Steps


@kernel
def entropy_step(cumulative: FloatArray, eta: float, h: int, s: int, policy: FloatArray) -> None:
    """Write the softmax of ``-eta * cumulative[h, s]`` to ``policy[h, s]``."""
    n = cumulative.shape[2]
    least = cumulative[h, s, 0]
    for a in range(1, n):
        least = min(least, cumulative[h, s, a])
    total = 0.0
    for a in range(n):
        policy[h, s, a] = np.exp(-eta * (cumulative[h, s, a] - least))
        total += policy[h, s, a]
    for a in range(n):
        policy[h, s, a] /= total


@kernel
def barrier_step(cumulative: FloatArray, eta: float, power: int, h: int, s: int, policy: FloatArray) -> None:
    """Write ``1 / (g_i + lambda) ** power`` to ``policy[h, s]``: log-barrier (power 1) or Tsallis (power 2)."""
    n = cumulative.shape[2]
    if n == 2 and power == 1:
        gap = eta * (cumulative[h, s, 0] - cumulative[h, s, 1])
        worse = 2.0 / (abs(gap) + 2.0 + np.sqrt(gap * gap + 4.0))
        policy[h, s, 0] = worse if gap > 0.0 else 1.0 - worse
        policy[h, s, 1] = 1.0 - worse if gap > 0.0 else worse
        return
    least = cumulative[h, s, 0]
    for a in range(1, n):
        least = min(least, cumulative[h, s, a])
    shift = 1.0
    for _ in range(200):
        excess, slope = -1.0, 0.0
        for a in range(n):
            x = 1.0 / (eta * (cumulative[h, s, a] - least) + shift)
            mass = x if power == 1 else x * x
            excess += mass
            slope += power * mass * x
        step = excess / slope
        shift += step
        if step < 1e-14 * shift:
            break
    total = 0.0
    for a in range(n):
        x = 1.0 / (eta * (cumulative[h, s, a] - least) + shift)
        policy[h, s, a] = x if power == 1 else x * x
        total += policy[h, s, a]
    for a in range(n):
        policy[h, s, a] /= total


@kernel
def ftrl_step(regulariser: int, cumulative: FloatArray, eta: float, h: int, s: int, policy: FloatArray) -> None:
    """Write the leader's law for ``cumulative[h, s]`` to ``policy[h, s]``."""
    if regulariser == ENTROPY:
        entropy_step(cumulative, eta, h, s, policy)
    else:
        barrier_step(cumulative, eta, 1 if regulariser == LOG_BARRIER else 2, h, s, policy)


@kernel
def _iterates(regulariser: int, losses: FloatArray, eta: float, points: FloatArray) -> None:
    n_rounds, n = losses.shape
    cumulative, policy = np.zeros((1, 1, n)), np.empty((1, 1, n))
    for t in range(n_rounds + 1):
        ftrl_step(regulariser, cumulative, eta, 0, 0, policy)
        for a in range(n):
            points[t, a] = policy[0, 0, a]
            if t < n_rounds:
                cumulative[0, 0, a] += losses[t, a]


def leader(cumulative: npt.ArrayLike, eta: float, regulariser: int) -> FloatArray:
    """Return the point ``(A,)`` of the simplex that follows cumulative losses ``(A,)``."""
    rows = _vectors(cumulative).copy()
    points = np.empty((2, rows.shape[1]))
    _iterates(_known(regulariser), rows, _rate(eta), points)
    return points[1]


def iterates(losses: npt.ArrayLike, eta: float, regulariser: int) -> FloatArray:
    """Return the points ``(T + 1, A)`` played on losses ``(T, A)`` of any sign and size; the first one is uniform."""
    rows = _vectors(losses).copy()
    points = np.empty((rows.shape[0] + 1, rows.shape[1]))
    _iterates(_known(regulariser), rows, _rate(eta), points)
    return points


def _vectors(values: npt.ArrayLike) -> FloatArray:
    array = as_float_array("losses", values)
    rows = array[None] if array.ndim == 1 else array
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(f"losses has shape {array.shape}, not (A,) or (T, A)")
    return rows


def _rate(eta: float) -> float:
    if not (np.isfinite(eta) and eta > 0.0):
        raise ValueError(f"eta is {eta!r}, not a finite positive rate")
    return float(eta)


def _known(regulariser: int) -> int:
    if regulariser not in (ENTROPY, LOG_BARRIER, TSALLIS):
        raise ValueError(f"regulariser is {regulariser!r}, not ENTROPY, LOG_BARRIER or TSALLIS")
    return regulariser


# Divergences and stability


def regulariser_value(x: FloatArray, regulariser: int) -> FloatArray:
    """Return Psi of the points on the last axis."""
    if _known(regulariser) == ENTROPY:
        return np.sum(np.where(x > 0.0, x * np.log(np.where(x > 0.0, x, 1.0)), 0.0), axis=-1)
    return -np.sum(np.log(x), axis=-1) if regulariser == LOG_BARRIER else -2.0 * np.sum(np.sqrt(x), axis=-1)


def phi(w: FloatArray) -> FloatArray:
    """Return ``w - ln(1 + w)``, without cancellation near zero."""
    small = np.abs(w) < 1e-3
    tame = np.where(small, w, 0.0)
    series = tame**2 * (1 / 2 - tame * (1 / 3 - tame * (1 / 4 - tame * (1 / 5 - tame * (1 / 6 - tame / 7)))))
    return np.where(small, series, w - np.log1p(np.where(small, 0.0, w)))


def divergence(y: FloatArray, x: FloatArray, regulariser: int) -> FloatArray:
    """Return the Bregman divergence of y from x, on the last axis; both in the interior of the simplex."""
    if _known(regulariser) == ENTROPY:
        return np.sum(np.where(y > 0.0, y * np.log(np.where(y > 0.0, y, 1.0) / x), 0.0) - y + x, axis=-1)
    if regulariser == LOG_BARRIER:
        return np.sum(phi(y / x - 1.0), axis=-1)
    return np.sum((np.sqrt(y) - np.sqrt(x)) ** 2 / np.sqrt(x), axis=-1)


def chi_square(y: FloatArray, x: FloatArray) -> FloatArray:
    """Return the chi-square divergence of y from x, on the last axis."""
    return np.sum((y - x) ** 2 / x, axis=-1)


def variance(x: FloatArray, c: FloatArray) -> FloatArray:
    """Return the variance of c under the law x, on the last axis."""
    mean = np.sum(x * c, axis=-1, keepdims=True)
    return np.sum(x * (c - mean) ** 2, axis=-1)


@dataclass(frozen=True, eq=False)
class Stability:
    """The stability of one step between two numbers: ``lower`` is attained at ``y``, ``upper`` is a dual value."""

    lower: float
    upper: float
    y: FloatArray


def stability(x: npt.ArrayLike, g: npt.ArrayLike, regulariser: int) -> Stability:
    r"""Return :math:`\sup_{y \in \Delta} \langle x - y, g \rangle - D(y, x)` with a certificate.

    Parameters
    ----------
    x
        Point of the interior of the simplex, ``(A,)``.
    g
        Scaled losses eta c, ``(A,)``, of any sign and size.

    Raises
    ------
    ValueError
        If x is not in the interior of the simplex.
    """
    point, losses = as_float_array("x", x), as_float_array("g", g)
    if point.shape != losses.shape or point.ndim != 1:
        raise ValueError(f"x has shape {point.shape}, g {losses.shape}: not twice (A,)")
    if point.min() <= 0.0 or abs(point.sum() - 1.0) > 1e-9:
        raise ValueError("x is not in the interior of the simplex")
    centred = losses - point @ losses
    if _known(regulariser) == ENTROPY:
        least = float(centred.min())
        weights = point * np.exp(-(centred - least))
        y = weights / weights.sum()
        upper = float(np.log(weights.sum()) - least)
    elif regulariser == LOG_BARRIER:
        y = leader(1.0 / point + centred, 1.0, LOG_BARRIER)
        tilt = centred + _multiplier(1.0 / y - 1.0 / point - centred, y)
        upper = float(phi(point * tilt).sum())
    else:
        root = np.sqrt(point)
        y = leader(1.0 / root + centred, 1.0, TSALLIS)
        tilt = centred + _multiplier(1.0 / np.sqrt(y) - 1.0 / root - centred, y)
        upper = float(np.sum(point * tilt + 1.0 / (1.0 / root + tilt) - root))
    lower = float(-(y - point) @ centred - divergence(y, point, regulariser))
    return Stability(lower, upper, y)


def _multiplier(candidates: FloatArray, y: FloatArray) -> float:
    """Return lambda as the largest entry of y gives it, with the least rounding; any lambda gives a valid bound."""
    return float(candidates[np.argmax(y)])


# Exact worst cases


@kernel
def _worst_case(regulariser: int, eta: float, n_rounds: int) -> float:
    cumulative, policy = np.zeros((1, 1, 2)), np.empty((1, 1, 2))
    worse = np.empty(n_rounds + 1)  # probability of the arm that lost D more than the other
    for gap in range(n_rounds + 1):
        cumulative[0, 0, 0] = gap
        ftrl_step(regulariser, cumulative, eta, 0, 0, policy)
        worse[gap] = policy[0, 0, 0]
    values = np.empty(n_rounds + 2)  # W by |D|, which the symmetry of the arms allows
    for gap in range(n_rounds + 1):
        values[gap] = -0.5 * (n_rounds - gap)
    for k in range(n_rounds - 1, -1, -1):
        below = values[1]  # W(|D| - 1) before it was overwritten; D = 0 moves to 1 either way
        for gap in range(k + 1):
            here = values[gap]
            wider = worse[gap] + values[gap + 1]
            narrower = 1.0 - worse[gap] + below
            values[gap] = max(wider, narrower)
            below = here
    return values[0]


def worst_case_regret(regulariser: int, eta: float, rounds: int) -> float:
    """Return the largest regret of two-armed FTRL over all sequences of losses (1, 0) and (0, 1), in O(K^2) time.

    The adversary sees the learner's law (not its draw) before it chooses, and the learner sees all losses.
    """
    if rounds < 1:
        raise ValueError(f"rounds is {rounds!r}, not a positive integer")
    return float(_worst_case(_known(regulariser), _rate(eta), rounds))
