r"""Momentum policy gradients with one or two trajectories per iteration, simulated with exact values and gradients.

=============== ============================================================= ===================== ==================
method          direction                                                     eta_t                 step
=============== ============================================================= ===================== ==================
`PG`            g(tau_t, theta_t)                                             1                     gamma_t d
`N_PG_M`        (1 - eta) d + eta g(tau_t, theta_t)                           (2 / (t + 2))^(2/3)   gamma_t d / |d|
`N_PG_IGT`      (1 - eta) d + eta g(tau~_t, theta~_t), extrapolated           (2 / (t + 2))^(4/5)   gamma_t d / |d|
`HARPG`         (1 - eta) (d + B(tau^_t, theta^_t) Delta_t) + eta g           2 / (t + 2)           gamma_t d
`N_HARPG`       the same                                                      2 / (t + 2)           gamma_t d / |d|
=============== ============================================================= ===================== ==================

``theta^_t`` is a uniform point of the last step's segment and ``tau^_t`` an independent trajectory of its policy; no
importance weights. Baselines with them: `STORM_PG`, `page_pg`, `srvr_pg`, `hspga`; with batches of Hessian-vector
products: `hapg`; the natural gradient: `solvers.n_harpg_natural`.

A `Method` is a frozen record of everything that the recursion does: what a mutant changes is one field of it, e.g.
``replace(N_HARPG, score_factor=-1.0)``. Schedules are arrays. `run_policy_gradient` is the only runner.

Sources
-------
I. Fatkhullin, A. Barakat, A. Kireeva and N. He (2023). Stochastic policy gradient methods: improved sample complexity
for Fisher-non-degenerate policies. ICML, arXiv 2302.01734.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mdps.continuous import CauchyBandit, ClippedControl, LogisticOracle, ScalarLQR
from mdps.errors import InvalidModelError
from mdps.kernels import Seed, alias_table, seed_lanes
from mdps.validation import FloatArray, IntArray, as_float_array
from solvers import n_harpg_kernels as kernels
from solvers.episodic import record_points, require_positive
from solvers.n_harpg_exact import FiniteWorld
from solvers.n_harpg_finite import batch_estimates
from solvers.n_harpg_kernels import CAUSAL, HESSIAN, IMPORTANCE, NONE, OUTER, TRANSPOSED, Recursion, Tables, Work
from solvers.n_harpg_methods import (
    HARPG,
    N_HARPG,
    N_HARPG_CAUSAL,
    N_PG_IGT,
    N_PG_M,
    PG,
    STORM_PG,
    UNIFORM_POINT,
    Method,
    Schedule,
    constant_schedule,
    hapg,
    hspga,
    page_pg,
    power_schedule,
    srvr_pg,
)
from solvers.n_harpg_recursion import run

__all__ = [
    "CAUSAL",
    "HARPG",
    "HESSIAN",
    "IMPORTANCE",
    "NONE",
    "N_HARPG",
    "N_HARPG_CAUSAL",
    "N_PG_IGT",
    "N_PG_M",
    "OUTER",
    "PG",
    "STORM_PG",
    "TRANSPOSED",
    "UNIFORM_POINT",
    "BatchEstimator",
    "Method",
    "PolicyGradientRun",
    "Schedule",
    "World",
    "constant_schedule",
    "hapg",
    "hspga",
    "make_tables",
    "make_work",
    "page_pg",
    "power_schedule",
    "run_policy_gradient",
    "srvr_pg",
]

World: TypeAlias = FiniteWorld | CauchyBandit | ScalarLQR | ClippedControl | LogisticOracle
"""What a method can run on. All have ``dimension``; all but `ClippedControl` have ``value`` and ``gradient``."""

# Results


@dataclass(frozen=True, eq=False)
class PolicyGradientRun:
    """N independent runs of a method, seen at R iterations t_1 < ... < t_R = T.

    Attributes
    ----------
    world, horizon
        What was optimised: J of the world, through trajectories of ``horizon`` stages.
    iterations
        ``(R,)``: the t.
    parameters
        ``(N, R, d)``: theta_t.
    directions
        ``(N, R, d)``: d_t, which estimates the gradient of J_H at theta_t. (At t = T it is made, but no step is.)
    reach
        ``(N, R, 2)``: largest distance from theta_0 of theta_s, and of the points at which g was sampled, s <= t.
    trajectories
        ``(N, R)``: number of trajectories sampled for d_0, ..., d_t.
    """

    world: World
    horizon: int
    iterations: IntArray
    parameters: FloatArray
    directions: FloatArray
    reach: FloatArray
    trajectories: IntArray

    @property
    def values(self) -> FloatArray:
        """J(theta_t) ``(N, R)``, exact.

        Raises
        ------
        InvalidModelError
            If the world has no closed form.
        """
        return _with_closed_form(self.world).value(self.parameters)

    @property
    def gaps(self) -> FloatArray:
        """J* - J(theta_t) ``(N, R)``, exact, never clipped."""
        world = _with_closed_form(self.world)
        return world.optimum() - world.value(self.parameters)

    @property
    def errors(self) -> FloatArray:
        """Distance of d_t to the exact gradient of J_H at theta_t, ``(N, R)``."""
        exact = _with_closed_form(self.world).gradient(self.parameters, self.horizon)
        return np.asarray(np.linalg.norm(self.directions - exact, axis=-1))


def _with_closed_form(world: World) -> FiniteWorld | CauchyBandit | ScalarLQR | LogisticOracle:
    if isinstance(world, ClippedControl):
        raise InvalidModelError("clipped control has no closed form: see its sample_returns")
    return world


# The runner


def run_policy_gradient(
    world: World,
    method: Method,
    schedule: Schedule,
    horizon: int,
    iterations: int,
    runs: int,
    seed: Seed,
    *,
    start: npt.ArrayLike | None = None,
    path: npt.ArrayLike | None = None,
    record: int | Sequence[int] = 20,
    workers: int = 1,
) -> PolicyGradientRun:
    """Run a method ``runs`` times for T = ``iterations`` updates; run n is the same whatever ``runs`` is.

    Parameters
    ----------
    world
        A `FiniteWorld`, `CauchyBandit` (horizon 1), `ScalarLQR`, `ClippedControl` or `LogisticOracle` (horizon 1).
    method, schedule
        What to do, and with which step sizes: at least T + 1 values of eta and T steps.
    horizon
        H, stages of a trajectory.
    seed
        An integer or a SeedSequence; run n uses lane n of it alone.
    start
        theta_0, ``(d,)`` or ``(N, d)``; zeros if omitted.
    path
        ``(T + 1, d)``: prescribed parameters (open loop); steps are then ignored.
    record
        Number of log-spaced iterations to record (T always is one), or the iterations themselves, increasing in 0..T;
        T is added.
    workers
        Threads; no bit of the result depends on them.

    Raises
    ------
    ValueError
        Naming what does not fit.
    """
    for name, number in (("horizon", horizon), ("iterations", iterations), ("runs", runs), ("workers", workers)):
        require_positive(name, number)
    _require_fit(world, method, schedule, horizon, iterations)
    points = _points(record, iterations)
    first = _start(start, runs, world.dimension)
    prescribed = (
        np.zeros((0, world.dimension)) if path is None else np.array(path, dtype=np.float64, ndmin=2, order="C")
    )
    if path is not None and prescribed.shape != (iterations + 1, world.dimension):
        raise ValueError(f"path has shape {prescribed.shape}, not {(iterations + 1, world.dimension)}")
    tables, recursion = (
        make_tables(world, horizon, relative_weights=method.relative_weights),
        _recursion(method, schedule),
    )
    etas, steps = np.array(schedule.eta[: iterations + 1]), np.array(schedule.steps[:iterations])
    records = np.empty((2, runs, points.size, world.dimension))
    reach, used = np.empty((runs, points.size, 2)), np.empty((runs, points.size), dtype=np.int64)
    state = seed_lanes(seed, runs)
    together = kernels.LANES if method.restart_probability == 0.0 else 1  # runs that restart alone advance alone

    def launch(a: int, b: int) -> None:
        work = make_work(tables, world.dimension, min(together, b - a))
        for begin in range(a, b, together):
            run(
                tables, work, recursion, etas, steps, first, prescribed, points, state, begin, min(begin + together, b),
                records, reach, used,
            )  # fmt: skip

    bounds = np.linspace(0, runs, min(workers, runs) + 1).astype(np.int64)
    parts = [(int(a), int(b)) for a, b in pairwise(bounds)]
    if len(parts) == 1:
        launch(0, runs)
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            for done in [pool.submit(launch, a, b) for a, b in parts]:
                done.result()
    return PolicyGradientRun(world, horizon, points, records[0], records[1], reach, used)


def _require_fit(world: World, method: Method, schedule: Schedule, horizon: int, iterations: int) -> None:
    if schedule.eta.size < iterations + 1 or schedule.steps.size < iterations:
        raise ValueError(
            f"schedule has {schedule.eta.size} values of eta and {schedule.steps.size} steps,"
            f" not {iterations + 1} and {iterations}"
        )
    if isinstance(world, CauchyBandit | LogisticOracle) and horizon != 1:
        raise ValueError(f"horizon is {horizon}, not 1: the world has one stage")
    if method.correction == IMPORTANCE and not isinstance(world, FiniteWorld):
        raise ValueError("importance weights are for finite worlds")
    if method.extrapolation != 0.0 and np.any(schedule.eta[1 : iterations + 1] == 0.0):
        raise ValueError("eta is zero somewhere: the extrapolated point does not exist")


def _points(record: int | Sequence[int], iterations: int) -> IntArray:
    if isinstance(record, int | np.integer):
        return record_points(iterations, int(record))
    points = np.asarray(record, dtype=np.int64)
    if points.ndim != 1 or np.any(points < 0) or np.any(points > iterations) or np.any(np.diff(points) <= 0):
        raise ValueError(f"record must be increasing iterations in 0..{iterations}")
    return points if points.size and points[-1] == iterations else np.append(points, iterations)


def _start(start: npt.ArrayLike | None, runs: int, dimension: int) -> FloatArray:
    first = as_float_array("start", np.zeros(dimension) if start is None else start)
    if first.shape not in ((dimension,), (runs, dimension)):
        raise ValueError(f"start has shape {first.shape}, not ({dimension},) or ({runs}, {dimension})")
    return np.array(np.broadcast_to(first, (runs, dimension)), order="C")


def _recursion(method: Method, schedule: Schedule) -> Recursion:
    return Recursion(
        correction=int(method.correction),
        product=int(method.product),
        extrapolation=float(method.extrapolation),
        normalised=bool(method.normalised),
        score_factor=float(method.score_factor),
        curvature_factor=float(method.curvature_factor),
        point=float(method.point),
        sampled_here=bool(method.sampled_here),
        shared=bool(method.shared),
        batch=int(method.batch),
        correction_batch=int(method.correction_batch),
        period=int(method.period),
        restart_probability=float(method.restart_probability),
        restart_batch=int(method.restart_batch),
        first_batch=int(schedule.first_batch),
        first_weight=float(schedule.first_weight),
    )


# Layout for the kernels


def make_tables(world: World, horizon: int, *, relative_weights: bool = False) -> Tables:
    """Return a world in the layout of the kernels; ``relative_weights`` discounts rewards from each stage on."""
    discount = world.mdp.discount if isinstance(world, FiniteWorld) else getattr(world, "discount", 1.0)
    base = 1.0 if relative_weights else float(discount)
    powers = np.asarray(np.power(base, np.arange(horizon)), dtype=np.float64)
    later = float(discount) if relative_weights else 1.0
    if isinstance(world, FiniteWorld):
        mdp, policy = world.mdp, world.policy
        pairs = mdp.rewards.size
        if pairs > np.iinfo(np.uint16).max:
            raise InvalidModelError(f"the model has {pairs} pairs: trajectories name them with 16 bits")
        return Tables(
            kind=int(policy.kind),
            n_actions=mdp.n_actions,
            features=np.array(policy.features.reshape(pairs, -1), order="C"),
            pairs=np.stack([mdp.rewards.reshape(pairs), policy.base.reshape(pairs)]),
            cells=np.concatenate([alias_table(world.kernel).reshape(pairs, -1), alias_table(mdp.initial)[None]]),
            powers=powers,
            later=later,
            numbers=np.array([policy.amplitude]),
        )
    kind, numbers = _scalar_numbers(world)
    none = np.zeros((1, world.dimension))
    return Tables(kind, 1, none, np.zeros((2, 1)), np.zeros((2, 1), np.uint64), powers, later, np.array(numbers))


def _scalar_numbers(world: CauchyBandit | ScalarLQR | ClippedControl | LogisticOracle) -> tuple[int, list[float]]:
    """Return the kind of a world and its constants in the order of `n_harpg_scalar.roll_scalar`."""
    far = float(np.finfo(np.float64).max)
    match world:
        case CauchyBandit(width, scale, target):
            numbers = [kernels.CAUCHY, kernels.BUMP, 0, 0, 0, 0, scale, 1, far, far, 1, 0, 0, width, target]
        case ScalarLQR(a, b, q, r, _, exploration, noise, initial):
            numbers = [kernels.GAUSSIAN, kernels.QUADRATIC, a, b, noise, initial, exploration]
            numbers += [1, far, far, -1, q, r, 1, 0]
        case ClippedControl():
            law = {"cauchy": kernels.CAUCHY, "gaussian": kernels.GAUSSIAN, "truncated": kernels.TRUNCATED}[world.law]
            numbers = [law, kernels.CLIPPED, world.drift, world.control, world.noise, world.initial, world.scale]
            numbers += [world.cut, world.bound, 1, 1, world.state_cost, world.control_cost, 1, 0]
        case LogisticOracle(gradient_noise, hessian_noise, exact):
            return kernels.ORACLE, [gradient_noise, hessian_noise, float(exact)]
    return kernels.LOCATION, [float(number) for number in numbers]


def make_work(tables: Tables, dimension: int, lanes: int = kernels.LANES) -> Work:
    """Return scratch for one thread that advances up to ``lanes`` runs together."""
    pairs, horizon = tables.pairs.shape[1], tables.powers.size
    scalar = tables.kind == kernels.LOCATION
    return Work(
        state=np.empty((4, lanes), dtype=np.uint64),
        words=np.empty((5, lanes), dtype=np.uint64),
        tables=np.zeros((6, lanes, pairs)),
        scores=np.zeros((2, lanes, pairs, 0 if tables.kind == kernels.SOFTMAX else dimension)),
        pairs=np.empty((horizon, lanes), dtype=np.uint16),
        sums=np.empty((3, lanes)),
        steps=np.empty((5, lanes, horizon)),
        contexts=np.empty((lanes, horizon, dimension) if scalar else (1, 1, dimension)),
        vectors=np.zeros((7, lanes, dimension)),
    )


# Batches of given trajectories


class BatchEstimator:
    """Mean gradient estimate and Hessian-vector product of a batch of trajectories that exists already.

    Parameters
    ----------
    world, horizon, batch
        Finite world, H and B.
    product
        ``OUTER`` (B) or ``CAUSAL`` (B-tilde).

    Raises
    ------
    ValueError
        If a size is not a positive integer or the product is another one.
    """

    def __init__(self, world: FiniteWorld, horizon: int, batch: int, product: int = OUTER) -> None:
        require_positive("horizon", horizon)
        require_positive("batch", batch)
        if product not in (OUTER, CAUSAL):
            raise ValueError(f"product is {product!r}, not OUTER or CAUSAL")
        tables = make_tables(world, horizon)
        work = make_work(tables, world.dimension, 1)
        pairs = tables.pairs.shape[1]
        self._shape, self._product = (horizon, batch), int(product)
        self._first = (tables.kind, tables.n_actions, tables.features, tables.pairs, float(tables.numbers[0]))
        self._weights = (tables.powers, tables.later)
        scratch = np.zeros((4, pairs)), work.scores[0, 0], np.zeros((3, batch)), np.zeros((pairs, 2))
        self._scratch = (*scratch, np.zeros((2, world.dimension)))

    def __call__(
        self, theta: FloatArray, pairs: npt.NDArray[np.uint16], delta: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return views, valid until the next call, of the means ``(d,)`` of g and of the product with ``delta``.

        Parameters
        ----------
        theta, delta
            Writable, contiguous float64 ``(d,)``; without ``delta`` the second result is left as it was.
        pairs
            ``(H, B)`` uint16: ``s * A + a``, trajectories in columns.
        """
        if pairs.shape != self._shape:
            raise ValueError(f"pairs has shape {pairs.shape}, not {self._shape}")
        product = self._product if delta is not None else kernels.NO_PRODUCT
        step = theta if delta is None else delta
        batch_estimates(*self._first, *self._weights, product, theta, step, pairs, *self._scratch)
        return self._scratch[-1][0], self._scratch[-1][1]
