r"""Estimates in scalar systems with a location family of actions, and noisy derivatives, compiled.

With location :math:`m = \theta^\top \phi` the score is :math:`\ell' \phi` and its derivative
:math:`\ell'' \phi \phi^\top`, the derivatives of the log-density in m: an estimate takes one pass over a trajectory
and two numbers a step. The estimates themselves are those of `solvers.n_harpg_finite`.
"""

from math import erfc, exp, log, pi, sqrt, tan

from mdps.jit import kernel
from solvers.n_harpg_kernels import (
    BUMP,
    CAUCHY,
    CAUSAL,
    CLIPPED,
    GAUSSIAN,
    NO_PRODUCT,
    OUTER,
    TRANSPOSED,
    FloatArray,
    Tables,
    WordArray,
    Work,
    next_uniform,
    normal,
)


@kernel
def truncated_normal(low: float, high: float, state: WordArray, lane: int) -> float:
    """Return a standard normal number conditioned on ``[low, high]``, by rejection from the law that suits the place.

    Astride zero: from the normal if the interval is wide, else from the uniform law. On one side: from the exponential
    law with the rate of the near end.
    """
    near, width = max(low, -high), high - low
    while True:
        u = next_uniform(state, lane)
        if near > 0.0:
            z = -log(1.0 - u * (1.0 - exp(-near * width))) / near if near * width > 1e-9 else u * width
            if next_uniform(state, lane) <= exp(-0.5 * z * z):
                return near + z if low > 0.0 else -near - z
        elif width > 2.5:
            z = normal(state, lane)
            if low <= z <= high:
                return z
        else:
            z = low + width * u
            if next_uniform(state, lane) <= exp(-0.5 * z * z):
                return z


@kernel
def location_derivatives(law: int, scale: float, cut: float, mean: float, action: float) -> tuple[float, float]:
    """Return the first and second derivative of the log-density in the location."""
    u = action - mean
    s2 = scale * scale
    if law == CAUCHY:
        below = s2 + u * u
        return 2.0 * u / below, 2.0 * (u * u - s2) / (below * below)
    if law == GAUSSIAN:
        return u / s2, -1.0 / s2
    sign = 1.0 if mean <= 0.0 else -1.0  # of the reflection that keeps the larger tail on the right
    low, high = (-cut - sign * mean) / scale, (cut - sign * mean) / scale
    mass = 0.5 * (erfc(low / sqrt(2.0)) - erfc(high / sqrt(2.0)))
    at_low, at_high = exp(-0.5 * low * low) / sqrt(2.0 * pi), exp(-0.5 * high * high) / sqrt(2.0 * pi)
    shift = (at_low - at_high) / mass
    variance = 1.0 + (low * at_low - high * at_high) / mass - shift * shift
    return u / s2 - sign * shift / scale, -variance / s2


@kernel
def roll_scalar(
    n: FloatArray, vectors: FloatArray, state: WordArray, lane: int, contexts: FloatArray, steps: FloatArray
) -> None:
    """Write features, actions and rewards of one trajectory of a lane, with the parameters ``vectors[4]``.

    ``n``: law, reward, drift, control, noise, initial, scale, cut, bound of the state, bound of the feature, sign of
    the feature, q, R, width, target. Arrays are indexed whole: a view costs more than a step.
    """
    law, reward = int(n[0]), int(n[1])
    scale, cut = n[6], n[7]
    x = n[5] * normal(state, lane) if n[5] > 0.0 else 0.0
    for h in range(steps.shape[2]):
        contexts[lane, h, 0] = n[10] * min(max(x, -n[9]), n[9]) if reward != BUMP else 1.0
        mean = vectors[4, lane, 0] * contexts[lane, h, 0]
        if vectors.shape[2] > 1:
            contexts[lane, h, 1] = 1.0
            mean += vectors[4, lane, 1]
        if law == CAUCHY:
            action = mean + scale * tan(pi * (next_uniform(state, lane) - 0.5))
        elif law == GAUSSIAN:
            action = mean + scale * normal(state, lane)
        else:
            action = mean + scale * truncated_normal((-cut - mean) / scale, (cut - mean) / scale, state, lane)
        steps[1, lane, h] = action
        if reward == BUMP:
            miss = action - n[14]
            steps[2, lane, h] = n[13] * n[13] / (n[13] * n[13] + miss * miss)
            continue
        cost = n[11] * x * x + n[12] * action * action
        steps[2, lane, h] = -min(cost, 1.0) if reward == CLIPPED else -cost
        x = n[2] * x + n[3] * action
        if n[4] > 0.0:
            x += n[4] * normal(state, lane)
        x = min(max(x, -n[8]), n[8])


@kernel
def accumulate_scalar(
    n: FloatArray,
    powers: FloatArray,
    later: float,
    product: int,
    score_factor: float,
    curvature_factor: float,
    vectors: FloatArray,
    lane: int,
    contexts: FloatArray,
    steps: FloatArray,
) -> None:
    """Add g (``NO_PRODUCT``) or the Hessian-vector product of one trajectory to ``vectors[3]``, scored at ``[5]``."""
    law, horizon, size = int(n[0]), powers.shape[0], vectors.shape[2]
    total, w, part = 0.0, 0.0, 0.0
    for h in range(horizon):
        mean, step = 0.0, 0.0
        for j in range(size):
            mean += vectors[5, lane, j] * contexts[lane, h, j]
            step += vectors[6, lane, j] * contexts[lane, h, j]
        slope, bend = location_derivatives(law, n[6], n[7], mean, steps[1, lane, h])
        steps[0, lane, h], steps[3, lane, h], steps[4, lane, h] = slope, bend * step, slope * step
        total += slope * step
    if product == TRANSPOSED:
        total = 0.0
        for h in range(horizon - 1, -1, -1):
            w = powers[h] * steps[2, lane, h] + later * w
            total += w * steps[4, lane, h]
        w = 0.0
    for h in range(horizon - 1, -1, -1):
        reward = powers[h] * steps[2, lane, h]
        w = reward + later * w
        part += reward * total
        u = w * total if product == OUTER else (total if product == TRANSPOSED else part)
        coefficient = score_factor * u * steps[0, lane, h] + curvature_factor * w * steps[3, lane, h]
        if product == NO_PRODUCT:
            coefficient = score_factor * w * steps[0, lane, h]
        elif product == CAUSAL:
            total -= steps[4, lane, h]
        for j in range(size):
            vectors[3, lane, j] += coefficient * contexts[lane, h, j]


@kernel
def scalar_estimate(
    world: Tables,
    work: Work,
    lanes: int,
    fresh: bool,
    product: int,
    batch: int,
    score_factor: float,
    curvature_factor: float,
) -> None:
    """As `solvers.n_harpg_finite.finite_estimate`, for a scalar system."""
    n, powers, vectors, contexts, steps = world.numbers, world.powers, work.vectors, work.contexts, work.steps
    score, bend = score_factor / batch, curvature_factor / batch
    for lane in range(lanes):
        for j in range(vectors.shape[2]):
            vectors[3, lane, j] = 0.0
        for _ in range(batch):
            if fresh:
                roll_scalar(n, vectors, work.state, lane, contexts, steps)
            accumulate_scalar(n, powers, world.later, product, score, bend, vectors, lane, contexts, steps)


@kernel
def _logistic_slope(x: float) -> float:
    """Return 1 / (1 + e^x)."""
    return 1.0 / (1.0 + exp(x)) if x < 0.0 else exp(-x) / (1.0 + exp(-x))


@kernel
def oracle_estimate(
    n: FloatArray, vectors: FloatArray, state: WordArray, lanes: int, product: int, batch: int, curvature_factor: float
) -> None:
    """As `solvers.n_harpg_finite.finite_estimate`, for noisy derivatives.

    ``n``: noise of the gradient, noise of the Hessian, whether the correction is the exact difference.
    """
    for lane in range(lanes):
        theta, previous, step = vectors[0, lane, 0], vectors[1, lane, 0], vectors[6, lane, 0]
        slope, noise = _logistic_slope(vectors[5, lane, 0]), n[0]
        if product != NO_PRODUCT:
            slope, noise = -curvature_factor * slope * (1.0 - slope) * step, n[1] * step
            if n[2] != 0.0:
                slope = _logistic_slope(theta) - _logistic_slope(previous)
        vectors[3, lane, 0] = slope
        if noise != 0.0:
            vectors[3, lane, 0] += noise / sqrt(float(batch)) * normal(state, lane)
