r"""The recursion of the momentum policy gradients, compiled.

With :math:`\hat\theta_t = q_t \theta_t + (1 - q_t) \theta_{t-1}`,
:math:`\Delta_t = \theta_t - \theta_{t-1}` and
:math:`\tilde\theta_t = \theta_t + x \frac{1 - \eta_t}{\eta_t} \Delta_t`,

.. math:: d_t = (1 - \eta_t)(d_{t-1} + v_t) + \eta_t\, g(\tau_t, \tilde\theta_t), \qquad
          \theta_{t+1} = \theta_t + \gamma_t d_t \ \text{ or } \ \theta_t + \gamma_t d_t / \|d_t\|,

where :math:`v_t` is nothing, a Hessian-vector product at :math:`\hat\theta_t`, or a difference of two gradients on one
trajectory with importance weights.
"""

from math import sqrt

import numpy as np

from mdps.jit import kernel
from solvers.n_harpg_finite import finite_estimate
from solvers.n_harpg_kernels import (
    IMPORTANCE,
    LOCATION,
    NO_PRODUCT,
    NONE,
    ORACLE,
    TRANSPOSED,
    WEIGHTED,
    FloatArray,
    IntArray,
    Recursion,
    Tables,
    WordArray,
    Work,
    next_uniform,
)
from solvers.n_harpg_scalar import oracle_estimate, scalar_estimate


@kernel
def place(work: Work, recursion: Recursion, lanes: int, product: int, reach: float) -> None:
    """Write where each lane samples and scores, and its step, to ``work.vectors[4:7]``.

    ``reach`` multiplies the step in the point at which g is sampled.
    """
    vectors = work.vectors
    for lane in range(lanes):
        q = 1.0
        if product <= TRANSPOSED:
            q = recursion.point if recursion.point >= 0.0 else next_uniform(work.state, lane)
        for j in range(vectors.shape[2]):
            theta, previous = vectors[0, lane, j], vectors[1, lane, j]
            scored = q * theta + (1.0 - q) * previous
            if product == NO_PRODUCT:
                scored = theta + reach * (theta - previous)
            elif product == WEIGHTED:
                scored = previous
            away = product == WEIGHTED or (product <= TRANSPOSED and recursion.sampled_here)
            vectors[4, lane, j], vectors[5, lane, j] = theta if away else scored, scored
            vectors[6, lane, j] = theta - previous


@kernel
def momentum(recursion: Recursion, t: int, eta: float, state: WordArray) -> tuple[float, float, int]:
    """Return the factors of (d_{t-1} + v_t) and of g, and the batch of g."""
    if t == 0:
        return 0.0, recursion.first_weight, recursion.first_batch
    restart = recursion.period > 0 and t % recursion.period == 0
    if recursion.restart_probability > 0.0:  # such runs advance alone: their generator is that of the only lane
        for lane in range(state.shape[1]):
            restart = next_uniform(state, lane) < recursion.restart_probability
    if restart:
        return 0.0, 1.0, recursion.restart_batch
    return 1.0 - eta, eta, recursion.batch


@kernel
def settle(vectors: FloatArray, lanes: int, factor: float, far: FloatArray) -> None:
    """Add ``factor`` times the estimates to d; keep the largest distance of a sampling point, ``far (2, LANES, d)``."""
    for lane in range(lanes):
        distance = 0.0
        for j in range(vectors.shape[2]):
            vectors[2, lane, j] += factor * vectors[3, lane, j]
            move = vectors[4, lane, j] - far[0, lane, j]
            distance += move * move
        far[1, lane, 0] = max(far[1, lane, 0], sqrt(distance))


@kernel
def write_records(
    vectors: FloatArray, farthest: FloatArray, far: FloatArray, trajectories: int, first: int, lanes: int, record: int,
    records: FloatArray, reach: FloatArray, used: IntArray,
) -> None:  # fmt: skip
    """Record theta_t, d_t, the distances so far, and the number of trajectories."""
    for lane in range(lanes):
        for j in range(vectors.shape[2]):
            records[0, first + lane, record, j] = vectors[0, lane, j]
            records[1, first + lane, record, j] = vectors[2, lane, j]
        reach[first + lane, record, 0], reach[first + lane, record, 1] = farthest[lane], far[1, lane, 0]
        used[first + lane, record] = trajectories


@kernel
def move(
    vectors: FloatArray, lanes: int, normalised: bool, step: float, path: FloatArray, t: int, far: FloatArray,
    farthest: FloatArray,
) -> None:  # fmt: skip
    """Replace theta_t by theta_{t+1} (no move where d is zero), or by the next point of the path."""
    for lane in range(lanes):
        norm = 0.0
        for j in range(vectors.shape[2]):
            norm += vectors[2, lane, j] * vectors[2, lane, j]
        length = sqrt(norm) if normalised else 1.0
        factor, distance = step / length if length > 0.0 else 0.0, 0.0
        for j in range(vectors.shape[2]):
            theta = vectors[0, lane, j]
            vectors[1, lane, j] = theta
            vectors[0, lane, j] = path[t + 1, j] if path.shape[0] > 0 else theta + factor * vectors[2, lane, j]
            gone = vectors[0, lane, j] - far[0, lane, j]
            distance += gone * gone
        farthest[lane] = max(farthest[lane], sqrt(distance))


@kernel
def begin(work: Work, start: FloatArray, path: FloatArray, state: WordArray, first: int, lanes: int) -> None:
    """Put the lanes at their first points, with d = 0 and their own generators."""
    for lane in range(lanes):
        for j in range(start.shape[1]):
            theta = start[first + lane, j] if path.shape[0] == 0 else path[0, j]
            work.vectors[0, lane, j], work.vectors[1, lane, j], work.vectors[2, lane, j] = theta, theta, 0.0
        for i in range(4):
            work.state[i, lane] = state[i, first + lane]


@kernel
def plan(recursion: Recursion, corrects: bool, batch: int) -> tuple[int, float, float, int, bool, bool]:
    """Return product, factors of its terms, number of trajectories, whether they are new, and scored where sampled."""
    if not corrects:
        return NO_PRODUCT, 1.0, 0.0, batch, True, True
    fresh = not recursion.shared
    trials = recursion.correction_batch if fresh else batch
    if recursion.correction == IMPORTANCE:
        return WEIGHTED, 1.0, 0.0, trials, fresh, False
    same = fresh and not recursion.sampled_here
    return recursion.product, recursion.score_factor, recursion.curvature_factor, trials, fresh, same


@kernel
def run(
    world: Tables,
    work: Work,
    recursion: Recursion,
    etas: FloatArray,
    steps: FloatArray,
    start: FloatArray,
    path: FloatArray,
    points: IntArray,
    state: WordArray,
    first: int,
    last: int,
    records: FloatArray,
    reach: FloatArray,
    used: IntArray,
) -> None:
    """Run the lanes ``first``, ..., ``last - 1``, at most LANES, and record theta_t and d_t at ``points (R,)``.

    ``records (2, N, R, d)``, ``reach (N, R, 2)`` and ``used (N, R)`` are described by the facade. With a
    ``path (T + 1, d)`` the parameters are prescribed (open loop); it is empty otherwise.
    """
    vectors, lanes, size = work.vectors, last - first, start.shape[1]
    far, farthest = np.zeros((2, lanes, size)), np.zeros(lanes)
    begin(work, start, path, state, first, lanes)
    for lane in range(lanes):
        for j in range(size):
            far[0, lane, j] = vectors[0, lane, j]
    record, trajectories = 0, 0
    for t in range(points[-1] + 1):
        keep, add, batch = momentum(recursion, t, etas[t], work.state)
        for lane in range(lanes):
            for j in range(size):
                vectors[2, lane, j] *= keep
        for job in range(2):
            corrects = job == 1
            needless = keep == 0.0 or recursion.correction == NONE if corrects else add == 0.0 and not recursion.shared
            if needless:
                continue
            product, factor, curvature, trials, fresh, same = plan(recursion, corrects, batch)
            ahead = recursion.extrapolation * keep / add if not corrects and add > 0.0 else 0.0
            place(work, recursion, lanes, product, ahead)
            if world.kind == ORACLE:
                oracle_estimate(world.numbers, vectors, work.state, lanes, product, trials, curvature)
            elif world.kind == LOCATION:
                scalar_estimate(world, work, lanes, fresh, product, trials, factor, curvature)
            else:
                finite_estimate(world, work, lanes, same, fresh, product, trials, factor, curvature)
            trajectories += trials if fresh else 0
            settle(vectors, lanes, keep if corrects else add, far)
        if points[record] == t:
            write_records(vectors, farthest, far, trajectories, first, lanes, record, records, reach, used)
            record += 1
        if t < points[-1]:
            move(vectors, lanes, recursion.normalised, steps[t], path, t, far, farthest)
