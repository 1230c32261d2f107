r"""Kernels of the worst-case expectations :math:`\inf_q E_q v` over laws q near a law p.

Batches of N pairs: ``laws (N, n)``; ``values (M, n)`` with M = N (each law has its own) or M = 1 (all share one row);
``levels (N,)``, the radius :math:`\rho` of a ball or the penalty :math:`\sigma`; ``order (M, n)``, indices that sort
the rows of ``values``. All arrays are C-contiguous; outputs are filled in place; nothing is checked here. The formulas
and their sources are in `solvers.robust_planning`; here is how they are kept exact to a few units of roundoff, relative
to the spread of the values:

* Values are measured from the least one, so that a common offset is added last.
* **TV.** The value of a ball is a sum of nonnegative terms over the ranks, without the difference of two means.
* **KL.** With :math:`w = v - v_{\min} \ge 0`, :math:`Z_t = E_p e^{-t w}` and the tilted law
  :math:`p_t \propto p e^{-t w}`, the divergence :math:`\mathrm{KL}(p_t \| p) = -t E_{p_t} w - \log Z_t` increases in t,
  from 0 to :math:`-\log p(w = 0)`. It is solved for :math:`\rho` by Newton steps on its square root (nearly linear for
  small t) or on the logarithm of what is missing to its limit (nearly linear for large t), inside a bracket that starts
  at :math:`t \ge \sqrt{8 \rho} / \max w`. The dual :math:`-(\log Z_t + \rho) / t` is flat at the optimum: after a
  relative step s it is off by :math:`t \operatorname{Var}_{p_t}(w) s^2 / 2` up to terms of third order. Of :math:`e^x`
  both :math:`e^x` and :math:`e^x - 1` are needed to full relative accuracy.
* **chi2.** The functions :math:`G_1(\eta) = E_p (\eta - v)_+` and :math:`G_2(\eta) = E_p (\eta - v)_+^2` are carried
  from value to value in ascending order by sums of nonnegative terms, so that nothing cancels in the decision which
  values lie below the optimal threshold. On these, of mass c, the mean m and the variance are then summed anew.
"""

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from mdps.jit import kernel
from mdps.validation import FloatArray, IntArray
from solvers.planning_kernels import dot

LEAST_EXPONENT = -708.0
"""Arguments of the exponential below this one are replaced by it: results stay normal numbers."""

LOG2_E = 1.4426950408889634
LN2_HIGH = 0.6931471803691238
"""The first 32 bits of log 2: products with small integers are exact."""
LN2_LOW = 1.9082149292705877e-10
ROUNDER = 6755399441055744.0
"""1.5 * 2**52: adding it rounds to an integer, which then is in the low bits."""
UNIT_BITS = 1023 << 52
"""Bits of the number one."""

MAX_STEPS = 200
"""Steps of the root search: Newton takes three to six, bisection of the logarithm of t would take 70."""

STAGNATION = 1e-7
"""Relative steps below this one are due to rounding as soon as they no longer decrease."""


# --------------------------------------------------------------------------------------------------- input and order


@kernel
def are_laws(laws: FloatArray, tolerance: float) -> bool:
    """Whether all rows are nonnegative and of mass one; not so if an entry is not a number."""
    N, n = laws.shape
    ones = np.ones(n)
    lowest = 0.0
    for i in range(N):
        for j in range(n):
            lowest = laws[i, j] if laws[i, j] < lowest else lowest
        if not abs(dot(laws, i * n, ones, 0, n) - 1.0) <= tolerance:
            return False
    return lowest >= 0.0


@kernel
def sort_short_rows(values: FloatArray, order: IntArray) -> None:
    """Fill ``order`` with the indices that sort each row ascending, by insertion; ties keep their order."""
    M, n = values.shape
    for r in range(M):
        for j in range(n):
            key = values[r, j]
            k = j
            while k > 0 and values[r, order[r, k - 1]] > key:
                order[r, k] = order[r, k - 1]
                k -= 1
            order[r, k] = j


# ---------------------------------------------------------------------------------------------------- total variation


@kernel
def tv_four(laws: FloatArray, i: int, values: FloatArray, order: IntArray, radii: FloatArray, out: FloatArray) -> None:
    """`tv_ball` for the laws i, ..., i + 3 with common values: four running sums hide the latency of one."""
    n = laws.shape[1]
    tail, second, third, fourth = -radii[i], -radii[i + 1], -radii[i + 2], -radii[i + 3]
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for k in range(n - 1, 0, -1):
        j = order[0, k]
        gap = values[0, j] - values[0, order[0, k - 1]]
        tail += laws[i, j]
        second += laws[i + 1, j]
        third += laws[i + 2, j]
        fourth += laws[i + 3, j]
        a += gap * (tail if tail > 0.0 else 0.0)
        b += gap * (second if second > 0.0 else 0.0)
        c += gap * (third if third > 0.0 else 0.0)
        d += gap * (fourth if fourth > 0.0 else 0.0)
    least = values[0, order[0, 0]]
    out[i], out[i + 1], out[i + 2], out[i + 3] = least + a, least + b, least + c, least + d


@kernel
def tv_ball(laws: FloatArray, values: FloatArray, order: IntArray, radii: FloatArray, out: FloatArray) -> None:
    """The least value plus the sum over ranks k of (v_k - v_{k-1}) (P(v >= v_k) - rho)_+, all terms nonnegative."""
    N, n = laws.shape
    own = len(values) > 1
    fours = 0 if own else N - N % 4
    for i in range(0, fours, 4):
        tv_four(laws, i, values, order, radii, out)
    for i in range(fours, N):
        r = i if own else 0
        tail, total = -radii[i], 0.0
        for k in range(n - 1, 0, -1):
            j = order[r, k]
            tail += laws[i, j]
            if tail > 0.0:
                total += (values[r, j] - values[r, order[r, k - 1]]) * tail
        out[i] = values[r, order[r, 0]] + total


@kernel
def first_least(values: FloatArray, r: int) -> int:
    """Return the first index of the least value of a row."""
    least = 0
    for j in range(1, values.shape[1]):
        if values[r, j] < values[r, least]:
            least = j
    return least


@kernel
def tv_ball_unsorted(laws: FloatArray, values: FloatArray, radii: FloatArray, out: FloatArray) -> None:
    """`tv_ball` for short rows of own values: the largest ones are looked up one by one until rho is used up."""
    N, n = laws.shape
    w = np.empty(n)
    for i in range(N):
        least = values[i, first_least(values, i)]
        for j in range(n):
            w[j] = values[i, j] - least
        rest, last, gain = radii[i], np.inf, 0.0
        while rest > 0.0 and last > 0.0:
            top, mass = 0.0, 0.0
            for j in range(n):
                if top <= w[j] < last:
                    mass = laws[i, j] + (mass if w[j] == top else 0.0)
                    top = w[j]
            moved = min(mass, rest)
            gain += moved * top
            rest -= moved
            last = top
        out[i] = least + max(dot(laws, i * n, w, 0, n) - gain, 0.0)


@kernel
def tv_penalty(laws: FloatArray, values: FloatArray, penalties: FloatArray, out: FloatArray) -> None:
    """The least value plus the mean of what the others exceed it by, clipped at the penalty."""
    N, n = laws.shape
    own = len(values) > 1
    clipped = np.empty(n)
    least = 0.0
    for i in range(N):
        r = i if own else 0
        if own or i == 0 or penalties[i] != penalties[i - 1]:
            least = values[r, first_least(values, r)]
            for j in range(n):
                above = values[r, j] - least
                clipped[j] = above if above < penalties[i] else penalties[i]
        out[i] = least + dot(laws, i * n, clipped, 0, n)


@kernel
def tv_ball_laws(laws: FloatArray, order: IntArray, radii: FloatArray, out: FloatArray) -> None:
    """Move the mass rho from the largest values to the first least one."""
    N, n = laws.shape
    for i in range(N):
        r = i if len(order) > 1 else 0
        for j in range(n):
            out[i, j] = laws[i, j]
        rest, k = radii[i], n - 1
        while rest > 0.0 and k > 0:
            j = order[r, k]
            moved = min(laws[i, j], rest)
            out[i, j] -= moved
            out[i, order[r, 0]] += moved
            rest -= moved
            k -= 1


@kernel
def tv_penalty_laws(laws: FloatArray, values: FloatArray, penalties: FloatArray, out: FloatArray) -> None:
    """Move all mass that lies above the least value by more than the penalty to the first least value."""
    N, n = laws.shape
    for i in range(N):
        r = i if len(values) > 1 else 0
        target = first_least(values, r)
        moved = 0.0
        for j in range(n):
            above = values[r, j] - values[r, target] > penalties[i]
            moved += laws[i, j] if above else 0.0
            out[i, j] = 0.0 if above else laws[i, j]
        out[i, target] += moved


# --------------------------------------------------------------------------------------------------- relative entropy


@intrinsic
def fma(typing_context: Any, x: Any, y: Any, z: Any) -> Any:
    """Return ``x * y + z``, rounded once: half the instructions, and the same result on every machine."""
    del typing_context, x, y, z

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), generate


@kernel
def exponentials(w: FloatArray, t: float, scale: FloatArray, bits: IntArray, e: FloatArray, less: FloatArray) -> None:
    """Fill ``e`` with exp(-t w) and ``less`` with exp(-t w) - 1, to relative errors of some 1e-16.

    ``x = k log 2 + r`` with ``|r| <= log(2) / 2``; Taylor's polynomial of degree 13 in r; the power of two is written
    into the exponent. ``scale`` and ``bits`` are one piece of memory. Loops without branches, which are vectorised.
    """
    n = len(w)
    for j in range(n):
        x = -t * w[j]
        x = x if x > LEAST_EXPONENT else LEAST_EXPONENT
        shifted = x * LOG2_E + ROUNDER
        k = shifted - ROUNDER
        r = (x - k * LN2_HIGH) - k * LN2_LOW
        q = fma(1.0 / 6227020800.0, r, 1.0 / 479001600.0)
        q = fma(q, r, 1.0 / 39916800.0)
        q = fma(q, r, 1.0 / 3628800.0)
        q = fma(q, r, 1.0 / 362880.0)
        q = fma(q, r, 1.0 / 40320.0)
        q = fma(q, r, 1.0 / 5040.0)
        q = fma(q, r, 1.0 / 720.0)
        q = fma(q, r, 1.0 / 120.0)
        q = fma(q, r, 1.0 / 24.0)
        q = fma(q, r, 1.0 / 6.0)
        q = fma(q, r, 0.5)
        less[j] = fma(q * r, r, r)
        scale[j] = shifted
    for j in range(n):
        bits[j] = (bits[j] << 52) + UNIT_BITS
    for j in range(n):
        tail = scale[j] * less[j]
        e[j] = scale[j] + tail
        less[j] = (scale[j] - 1.0) + tail


@kernel
def lift(laws: FloatArray, i: int, values: FloatArray, r: int, w: FloatArray) -> tuple[float, float, float]:
    """Fill ``w`` with the values above the least one of positive mass (0 without mass).

    Returns
    -------
    tuple
        The least value, its mass, and the largest ``w``.
    """
    n = len(w)
    least = np.inf
    for j in range(n):
        if values[r, j] < least and laws[i, j] > 0.0:
            least = values[r, j]
    mass, span = 0.0, 0.0
    for j in range(n):
        above = values[r, j] - least
        w[j] = above if laws[i, j] > 0.0 else 0.0
        mass += laws[i, j] if above == 0.0 else 0.0
        span = max(span, w[j])
    return least, mass, span


@kernel
def log_partition(laws: FloatArray, i: int, e: FloatArray, less: FloatArray) -> tuple[float, float]:
    """Return Z = E_p e and its logarithm, from whichever of ``e`` and ``e - 1`` is the more accurate."""
    n = len(e)
    below = dot(laws, i * n, less, 0, n)
    if below > -0.5:
        return 1.0 + below, math.log1p(below)
    total = dot(laws, i * n, e, 0, n)
    return total, math.log(total)


@kernel
def kl_step(t: float, low: float, high: float, kl: float, variance: float, radius: float, limit: float) -> float:
    """Return the next t: a Newton step if it stays in the bracket, else a bisection of log t (a factor 4 if unbounded).

    ``limit`` is the supremum -log p(w = 0) of the divergence.
    """
    slope = t * variance
    following = -1.0
    if slope > 0.0 and kl > 0.0:
        if 2.0 * radius < limit:
            following = t + 2.0 * (math.sqrt(radius) - math.sqrt(kl)) * math.sqrt(kl) / slope
        elif kl < limit:
            following = t + math.log((limit - kl) / (limit - radius)) * (limit - kl) / slope
    if low <= following <= high:
        return following
    return 4.0 * t if high == np.inf else math.sqrt(low) * math.sqrt(high)


@kernel
def kl_ball(laws: FloatArray, values: FloatArray, radii: FloatArray, precision: float, out: FloatArray) -> None:
    """Row by row, (value, t) of the tilted law of divergence rho; t is 0 for p itself and infinite for the least value.

    ``precision`` bounds the third-order error of the value, relative to the spread; at 0 the steps go on until they no
    longer get smaller, so that t is as exact as it gets.
    """
    N, n = laws.shape
    own = len(values) > 1
    w, squares, e, less, tilted = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    scale = np.empty(n)
    bits = scale.view(np.int64)
    for i in range(N):
        least, mass, span = lift(laws, i, values, i if own else 0, w)
        limit = -math.log(min(mass, 1.0))
        mean = dot(laws, i * n, w, 0, n)
        if radii[i] <= 0.0 or span == 0.0:
            out[i, 0], out[i, 1] = least + mean, 0.0
            continue
        if radii[i] >= limit:
            out[i, 0], out[i, 1] = least, np.inf
            continue
        for j in range(n):
            squares[j] = (w[j] - mean) * (w[j] - mean)
        spread = math.sqrt(dot(laws, i * n, squares, 0, n))
        for j in range(n):
            squares[j] = w[j] * w[j]
        low, high = math.sqrt(8.0 * radii[i]) / span, np.inf
        t = max(math.sqrt(2.0 * radii[i]) / max(spread, 1e-9 * span), low)
        value, last = 0.0, np.inf
        for _ in range(MAX_STEPS):
            exponentials(w, t, scale, bits, e, less)
            total, log_total = log_partition(laws, i, e, less)
            for j in range(n):
                tilted[j] = laws[i, j] * e[j]
            mean = dot(tilted, 0, w, 0, n) / total
            variance = max(dot(tilted, 0, squares, 0, n) / total - mean * mean, 0.0)
            kl = -t * mean - log_total
            value = -(log_total + radii[i]) / t
            if kl < radii[i]:
                low = t
            else:
                high = t
            following = kl_step(t, low, high, kl, variance, radii[i], limit)
            step = abs(following / t - 1.0)
            if step < STAGNATION and step >= last:
                break
            curvature = 0.5 * t * variance * step * step
            t = following
            if curvature * step <= precision * span and step < 0.1:
                value += curvature
                break
            last = step
        out[i, 0], out[i, 1] = least + max(value, 0.0), t


@kernel
def kl_penalty(laws: FloatArray, values: FloatArray, penalties: FloatArray, out: FloatArray) -> None:
    """The soft minimum -sigma log E_p exp(-v / sigma).

    Exponentials are those of the law before, if values and penalty are shared and both laws allow the least value.
    """
    N, n = laws.shape
    own = len(values) > 1
    w, e, less, scale = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    bits = scale.view(np.int64)
    target = first_least(values, 0)
    least, known = 0.0, -1.0
    for i in range(N):
        sigma = penalties[i]
        if own or sigma != known or laws[i, target] <= 0.0:
            least, _, _ = lift(laws, i, values, i if own else 0, w)
            if not own and laws[i, target] > 0.0:
                for j in range(n):
                    w[j] = values[0, j] - least
            known = sigma if laws[i, target] > 0.0 else -1.0
            if 0.0 < sigma < np.inf:
                exponentials(w, min(1.0 / sigma, 1e300), scale, bits, e, less)
        if sigma == 0.0:
            out[i] = least
        elif sigma == np.inf:
            out[i] = least + dot(laws, i * n, w, 0, n)
        else:
            out[i] = least - sigma * log_partition(laws, i, e, less)[1]


@kernel
def kl_tilted_laws(laws: FloatArray, values: FloatArray, tilts: FloatArray, out: FloatArray) -> None:
    """Laws proportional to p exp(-t v); an infinite t keeps the least value only."""
    N, n = laws.shape
    own = len(values) > 1
    w, e, less, scale = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    bits = scale.view(np.int64)
    for i in range(N):
        lift(laws, i, values, i if own else 0, w)
        exponentials(w, min(tilts[i], 1e300), scale, bits, e, less)
        for j in range(n):
            if tilts[i] == np.inf and w[j] > 0.0:
                e[j] = 0.0
        total = dot(laws, i * n, e, 0, n)
        for j in range(n):
            out[i, j] = laws[i, j] * e[j] / total


# ---------------------------------------------------------------------------------------------------------------- chi2


@kernel
def chi2_count(
    laws: FloatArray, i: int, values: FloatArray, order: IntArray, r: int, level: float, ball: bool
) -> tuple[int, int]:
    """Return (first, count): the ranks first, ..., count - 1 hold the values below the optimal threshold eta.

    At the next value G_2 <= (1 + rho) G_1^2 (a ball) or G_1 >= 2 sigma (a penalty): eta is not above it. Both
    conditions are monotone in the value. Values so close that G_1^2 underflows count as equal.
    """
    n = laws.shape[1]
    first = 0
    while laws[i, order[r, first]] <= 0.0:
        first += 1
    mass, one, two = laws[i, order[r, first]], 0.0, 0.0
    value = values[r, order[r, first]]
    for k in range(first + 1, n):
        j = order[r, k]
        gap = values[r, j] - value
        if gap > 0.0:
            two += gap * (2.0 * one + gap * mass)
            one += gap * mass
            square = one * one
            if (square > 0.0 and two <= (1.0 + level) * square) if ball else (one >= 2.0 * level):
                return first, k
            value = values[r, j]
        mass += laws[i, j]
    return first, n


@kernel
def chi2_moments(
    laws: FloatArray, i: int, values: FloatArray, order: IntArray, r: int, first: int, count: int
) -> tuple[float, float, float, float]:
    """Return mass, mean (above the least value) and variance of the kept ranks, and the mass of the others."""
    n = laws.shape[1]
    least = values[r, order[r, first]]
    mass, mean = 0.0, 0.0
    for k in range(first, count):
        j = order[r, k]
        mass += laws[i, j]
        mean += laws[i, j] * (values[r, j] - least)
    mean /= mass
    variance = 0.0
    for k in range(first, count):
        j = order[r, k]
        deviation = (values[r, j] - least) - mean
        variance += laws[i, j] * deviation * deviation
    others = 0.0
    for k in range(n - 1, count - 1, -1):
        others += laws[i, order[r, k]]
    return mass, mean, variance / mass, others


@kernel
def chi2_excess(radius: float, mass: float, others: float) -> float:
    """Return (1 + rho) c - 1 from the smaller of the mass c below the threshold and the mass 1 - c of the others."""
    if mass < 0.5:
        return max((1.0 + radius) * mass - 1.0, 0.0)
    return max(radius - (1.0 + radius) * others, 0.0)


@kernel
def chi2_ball(laws: FloatArray, values: FloatArray, order: IntArray, radii: FloatArray, out: FloatArray) -> None:
    """Mean less standard deviation times the root of (1 + rho) c - 1, of the values below the threshold."""
    N = len(laws)
    own = len(values) > 1
    for i in range(N):
        r = i if own else 0
        first, count = chi2_count(laws, i, values, order, r, radii[i], True)
        mass, mean, variance, others = chi2_moments(laws, i, values, order, r, first, count)
        if variance > 0.0:
            mean -= math.sqrt(variance * chi2_excess(radii[i], mass, others))
        out[i] = values[r, order[r, first]] + max(mean, 0.0)


@kernel
def chi2_penalty(laws: FloatArray, values: FloatArray, order: IntArray, penalties: FloatArray, out: FloatArray) -> None:
    """Mean plus sigma (1 / c - 1) less c times variance / (4 sigma), of the values below the threshold."""
    N = len(laws)
    own = len(values) > 1
    for i in range(N):
        r = i if own else 0
        first, count = chi2_count(laws, i, values, order, r, penalties[i], False)
        mass, mean, variance, others = chi2_moments(laws, i, values, order, r, first, count)
        if others > 0.0:
            mean += penalties[i] * others / mass
        if variance > 0.0:
            mean -= mass * variance / (4.0 * penalties[i])
        out[i] = values[r, order[r, first]] + max(mean, 0.0)


@kernel
def chi2_laws(
    laws: FloatArray, values: FloatArray, order: IntArray, levels: FloatArray, ball: bool, out: FloatArray
) -> None:
    """Laws proportional to p (eta - v)_+; to p on the values below eta if these are equal, or p itself is worst.

    With the last value u below the threshold, eta - v = (eta - u) + (u - v), and eta - u is the positive root of
    c k x^2 + 2 k G_1 x = G_2 - (1 + rho) G_1^2 with k = (1 + rho) c - 1 (a ball), or (2 sigma - G_1) / c (a penalty);
    c, G_1 and G_2 are taken at u.
    """
    N = len(laws)
    own = len(values) > 1
    for i in range(N):
        r = i if own else 0
        first, count = chi2_count(laws, i, values, order, r, levels[i], ball)
        mass, _, variance, others = chi2_moments(laws, i, values, order, r, first, count)
        excess = chi2_excess(levels[i], mass, others) if ball else 0.0
        proportional = variance == 0.0 or (ball and excess == 0.0) or levels[i] == np.inf
        last = values[r, order[r, count - 1]]
        one, two, above, total = 0.0, 0.0, 0.0, 0.0
        for k in range(first, count):
            j = order[r, k]
            one += laws[i, j] * (last - values[r, j])
            two += laws[i, j] * (last - values[r, j]) * (last - values[r, j])
        if not proportional and ball:
            rest = max(two - (1.0 + levels[i]) * one * one, 0.0)
            above = rest / (one * excess + math.sqrt(one * excess * one * excess + mass * excess * rest))
        elif not proportional:
            above = max(2.0 * levels[i] - one, 0.0) / mass
        for j in range(laws.shape[1]):
            out[i, j] = 0.0
        for k in range(first, count):
            j = order[r, k]
            out[i, j] = laws[i, j] * (1.0 if proportional else above + (last - values[r, j]))
            total += out[i, j]
        for k in range(first, count):
            out[i, order[r, k]] /= total
