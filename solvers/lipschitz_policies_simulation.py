r"""Closed loops of experts and learned policies, and measurements that are as bad as they can be.

The loop is :math:`x_{t+1} = f(x_t, u_t)`, :math:`u_t = \pi(x_t + \delta_t)`, :math:`\| \delta_t \| \le \zeta`, with the
cost :math:`J = \sum_{t < T} \gamma^t c(x_t, u_t)`. The errors are, from weak to strong,

* random signs along one direction;
* greedy: of a few directions the one with the largest :math:`c(x, u) + \gamma V(x')`, V the expert's value;
* projected gradient ascent over the whole sequence, with restarts;
* for scalar states the exact worst case, by dynamic programming on a grid,
  :math:`V(x) = \max_{|\delta| \le \zeta} c(x, \pi(x + \delta)) + \gamma V(f(x, \pi(x + \delta)))`.

The first three give lower bounds of the deterioration; the last one gives its value up to the grid's error.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdps.control import (
    Cost,
    EnvelopePolicy,
    InterpolatedPolicy,
    LinearPolicy,
    MeasurementDisturbance,
    NormCost,
    Plant,
    as_matrix,
    require_positive,
    unit_vectors,
)
from mdps.errors import InvalidModelError
from mdps.validation import FloatArray, as_float_array, require_shape
from solvers import lipschitz_policies_simulation_kernels as kernels

SWEEP_TOLERANCE = 1e-10
"""Sup-norm change at which the dynamic programme stops, if not told otherwise."""

MAX_SWEEPS = 100_000

DIFFERENCE = 1e-6
"""Step of the central differences of a policy."""


@dataclass(frozen=True, eq=False)
class KirszbraunPolicy:
    """Vector-valued Lipschitz extension of values ``(N, m)`` at points ``(N, n)``; inputs stay in their convex hull.

    Raises
    ------
    InvalidModelError
        If the arrays do not fit together or alpha is not positive.
    """

    points: FloatArray
    values: FloatArray
    alpha: float

    def __init__(self, points: npt.ArrayLike, values: npt.ArrayLike, alpha: float) -> None:
        x, v = as_matrix("points", points), as_matrix("values", values)
        require_shape("values", v, (x.shape[0], v.shape[1]))
        object.__setattr__(self, "points", x)
        object.__setattr__(self, "values", v)
        object.__setattr__(self, "alpha", require_positive("alpha", alpha))

    @property
    def n_states(self) -> int:
        """Dimension n of the state."""
        return self.points.shape[1]

    @property
    def n_inputs(self) -> int:
        """Dimension m of the input."""
        return self.values.shape[1]

    @property
    def lipschitz(self) -> float:
        """A Lipschitz constant, if the data have it: alpha."""
        return self.alpha

    def __call__(self, states: npt.ArrayLike) -> FloatArray:
        """Return the inputs ``(..., m)`` at states ``(..., n)``."""
        return play(self, states)


CompiledPolicy = LinearPolicy | InterpolatedPolicy | EnvelopePolicy | KirszbraunPolicy
"""Policies that the kernels can play."""


def feedback(policy: CompiledPolicy) -> kernels.Feedback:
    """Return a policy laid out for the kernels, with scratch memory of its own.

    Raises
    ------
    InvalidModelError
        If the policy is of another class.
    """
    if not isinstance(policy, CompiledPolicy):
        raise InvalidModelError(f"a {type(policy).__name__} cannot be compiled")
    n, m = policy.n_states, policy.n_inputs
    points, values, alpha = np.zeros((1, n)), np.zeros((1, m)), 0.0
    if isinstance(policy, LinearPolicy):
        kind, points, alpha = kernels.LINEAR, policy.gain, policy.saturation
    elif isinstance(policy, InterpolatedPolicy):
        kind, points, values = kernels.INTERPOLATED, policy.knots[:, None], policy.values[:, None]
    elif isinstance(policy, EnvelopePolicy):
        kind = {"upper": kernels.UPPER, "lower": kernels.LOWER, "central": kernels.CENTRAL}[policy.side]
        points, values, alpha = policy.coordinates, policy.values[:, None], policy.alpha
    else:
        kind, points, values, alpha = kernels.KIRSZBRAUN, policy.points, policy.values, policy.alpha
    transform = policy.transform if isinstance(policy, EnvelopePolicy) else np.eye(n)
    return kernels.Feedback(
        kind,
        float(alpha),
        np.array(points, order="C"),
        np.array(values, order="C"),
        np.array(values[:, 0], order="C"),
        np.array(transform, order="C"),
        np.empty(n),
        np.zeros(n + m + 3, np.int64),
        np.zeros(n + m + 2),
    )


def world(plant: Plant, cost: Cost | None, discount: float | None = None) -> kernels.World:
    """Return a plant and a cost laid out for the kernels; without a cost it is zero.

    Raises
    ------
    InvalidModelError
        If the sizes do not fit.
    """
    stage = NormCost(0.0, 0.0) if cost is None else cost
    if not isinstance(stage, NormCost):
        require_shape("Q", stage.Q, (plant.n_states, plant.n_states))
        require_shape("R", stage.R, (plant.n_inputs, plant.n_inputs))
    kind, dynamics = plant.code
    cost_kind, weights = stage.code
    return kernels.World(
        kind, np.array(dynamics), cost_kind, np.array(weights), stage.discount if discount is None else discount
    )


def play(policy: CompiledPolicy, states: npt.ArrayLike) -> FloatArray:
    """Return the inputs ``(..., m)`` that the compiled policy plays at states ``(..., n)``."""
    x = np.asarray(states, dtype=np.float64)
    if x.shape[-1:] != (policy.n_states,):
        raise InvalidModelError(f"states have shape {x.shape}, not (..., {policy.n_states})")
    table = feedback(policy)
    rows = np.ascontiguousarray(x.reshape(-1, policy.n_states))
    inputs = np.empty((rows.shape[0], policy.n_inputs))
    kernels.play_all(table, rows, inputs)
    return inputs.reshape(*x.shape[:-1], policy.n_inputs)


# Roll-outs


@dataclass(frozen=True, eq=False)
class RollOuts:
    """Closed-loop runs: states ``(R, T + 1, n)``, inputs ``(R, T, m)``, errors ``(R, T, n)``, costs ``(R,)``."""

    states: FloatArray
    inputs: FloatArray
    errors: FloatArray
    costs: FloatArray


def _starts(plant: Plant, policy: CompiledPolicy, starts: npt.ArrayLike) -> FloatArray:
    """Return initial states ``(R, n)``; raise unless plant, policy and states fit together."""
    if (policy.n_states, policy.n_inputs) != (plant.n_states, plant.n_inputs):
        raise InvalidModelError(
            f"the policy maps dimension {policy.n_states} to {policy.n_inputs}, "
            f"the plant has n = {plant.n_states}, m = {plant.n_inputs}"
        )
    x = as_float_array("starts", starts)
    rows = x.reshape(1, -1) if x.ndim < 2 else x
    require_shape("starts", rows, (rows.shape[0], plant.n_states))
    return rows


def _buffers(start: FloatArray, steps: int, n_inputs: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise InvalidModelError(f"steps is {steps!r}, not a positive integer")
    runs, n = start.shape
    states = np.zeros((runs, int(steps) + 1, n))
    states[:, 0] = start
    return states, np.zeros((runs, int(steps), n_inputs)), np.zeros(runs)


def _run(
    plant: Plant,
    cost: Cost | None,
    policy: CompiledPolicy,
    start: FloatArray,
    errors: FloatArray,
    directions: FloatArray,
    value: FloatArray,
) -> RollOuts:
    states, inputs, costs = _buffers(start, errors.shape[1], plant.n_inputs)
    kernels.roll_outs(world(plant, cost), feedback(policy), directions, value, errors, states, inputs, costs)
    return RollOuts(states, inputs, errors, costs)


def simulate(
    plant: Plant,
    policy: CompiledPolicy,
    starts: npt.ArrayLike,
    steps: int,
    cost: Cost | None = None,
    disturbance: MeasurementDisturbance | npt.ArrayLike | None = None,
) -> RollOuts:
    """Close the loop from every start.

    Parameters
    ----------
    starts
        ``(R, n)``, or ``(n,)`` for one run.
    steps
        T, at least one.
    disturbance
        Errors of the measurement ``(T, n)`` for all runs, or ``(R, T, n)``; none if omitted.

    Raises
    ------
    InvalidModelError
        Naming what does not fit.
    """
    start = _starts(plant, policy, starts)
    shape = (start.shape[0], int(steps), plant.n_states)
    given = disturbance.sequence if isinstance(disturbance, MeasurementDisturbance) else disturbance
    errors = np.zeros(shape)
    if given is not None:
        array = as_float_array("disturbance", given)
        require_shape("disturbance", array, shape if array.ndim == 3 else shape[1:])
        errors[:] = array
    return _run(plant, cost, policy, start, errors, np.empty((0, shape[2])), np.zeros((shape[2], shape[2])))


# Adversaries


def random_signs(
    bound: float, direction: npt.ArrayLike, runs: int, steps: int, seed: int | np.random.SeedSequence
) -> FloatArray:
    """Return errors ``(runs, steps, n)``: a random sign times ``bound`` times the unit vector of a direction."""
    zeta, d = require_positive("bound", bound, strict=False), as_float_array("direction", direction)
    norm = float(np.linalg.norm(d))
    if d.ndim != 1 or norm == 0.0:
        raise InvalidModelError("direction is not a vector other than zero")
    signs = np.random.default_rng(seed).integers(0, 2, (runs, steps, 1)) * 2.0 - 1.0
    errors: FloatArray = signs * (zeta * d / norm)
    return errors


def axis_directions(bound: float, dimension: int) -> FloatArray:
    """Return the 2 n + 1 candidates of the greedy adversary: zero, and plus or minus ``bound`` along each axis."""
    zeta = require_positive("bound", bound, strict=False)
    return np.concatenate([np.zeros((1, dimension)), zeta * np.eye(dimension), -zeta * np.eye(dimension)])


def greedy(
    plant: Plant,
    cost: Cost,
    policy: CompiledPolicy,
    starts: npt.ArrayLike,
    steps: int,
    bound: float,
    value: npt.ArrayLike,
    directions: npt.ArrayLike | None = None,
) -> RollOuts:
    """Close the loop against an adversary who looks one step ahead.

    Parameters
    ----------
    value
        P ``(n, n)`` of the value x'Px of what is left, such as the expert's.
    directions
        Candidates ``(D, n)``, none longer than ``bound``; those of `axis_directions` if omitted.

    Raises
    ------
    InvalidModelError
        Naming what does not fit.
    """
    start, n = _starts(plant, policy, starts), plant.n_states
    form = as_matrix("value", value)
    require_shape("value", form, (n, n))
    candidates = axis_directions(bound, n) if directions is None else as_matrix("directions", directions)
    require_shape("directions", candidates, (candidates.shape[0], n))
    MeasurementDisturbance(candidates, bound)
    errors = np.zeros((start.shape[0], int(steps), n))
    return _run(plant, cost, policy, start, errors, np.array(candidates), np.array(form))


def sequence_gradient(plant: Plant, cost: Cost, policy: CompiledPolicy, runs: RollOuts) -> FloatArray:
    r"""Return the gradient ``(R, T, n)`` of the costs in the errors, by the adjoint of the loop.

    .. math::
        g_t = \gamma^t c_u + f_u^\top p_{t+1}, \qquad \partial J / \partial \delta_t = \pi'^\top g_t, \qquad
        p_t = \gamma^t c_x + f_x^\top p_{t+1} + \pi'^\top g_t, \qquad p_T = 0,

    with :math:`\pi'` by central differences: the policies are piecewise smooth.
    """
    x, u = runs.states[:, :-1], runs.inputs
    steps, n = x.shape[1], x.shape[2]
    shifts = DIFFERENCE * np.concatenate([np.eye(n), -np.eye(n)])
    played = play(policy, (x + runs.errors)[:, :, None] + shifts)
    slopes = (played[:, :, :n] - played[:, :, n:]) / (2.0 * DIFFERENCE)  # (R, T, n, m): the transposed Jacobian
    by_state, by_input = plant.derivatives(x, u)
    weights = cost.discount ** np.arange(steps)[:, None]
    cost_state, cost_input = (weights * part for part in cost.gradients(x, u))
    gradient, p = np.empty_like(runs.errors), np.zeros((x.shape[0], n))
    for t in reversed(range(steps)):
        through = cost_input[:, t] + np.einsum("rij,ri->rj", by_input[:, t], p)
        gradient[:, t] = np.einsum("rnm,rm->rn", slopes[:, t], through)
        p = cost_state[:, t] + np.einsum("rij,ri->rj", by_state[:, t], p) + gradient[:, t]
    return gradient


def ascend(
    plant: Plant,
    cost: Cost,
    policy: CompiledPolicy,
    start: npt.ArrayLike,
    steps: int,
    bound: float,
    seed: int | np.random.SeedSequence,
    restarts: int = 32,
    iterations: int = 30,
    step: float = 1.0,
) -> RollOuts:
    """Return the best run found by projected gradient ascent over whole sequences of errors, from random ones.

    Parameters
    ----------
    start
        One initial state ``(n,)``.
    restarts
        Random first sequences: a convex cost has many local maxima.
    step
        Length of a normalised step, in units of ``bound``.

    Returns
    -------
    One run (R = 1): its cost is a lower bound of the worst one.
    """
    first = _starts(plant, policy, start)
    if first.shape[0] != 1 or restarts < 1:
        raise InvalidModelError(f"{first.shape[0]} starts and {restarts} restarts: not one, and at least one")
    zeta = require_positive("bound", bound, strict=False)
    errors = zeta * unit_vectors(np.random.default_rng(seed).normal(size=(restarts, int(steps), plant.n_states)))
    starts = np.repeat(first, restarts, axis=0)
    runs = simulate(plant, policy, starts, steps, cost, errors)
    costs, best = runs.costs, errors.copy()
    for _ in range(iterations):
        errors = errors + step * zeta * unit_vectors(sequence_gradient(plant, cost, policy, runs))
        length = np.linalg.norm(errors, axis=2, keepdims=True)
        errors = np.where(length > zeta, zeta * unit_vectors(errors), errors)
        runs = simulate(plant, policy, starts, steps, cost, errors)
        better = runs.costs > costs
        costs, best[better] = np.maximum(costs, runs.costs), errors[better]
    return simulate(plant, policy, first, steps, cost, best[int(np.argmax(costs))])


# Worst case of scalar states


@dataclass(frozen=True, eq=False)
class WorstCase:
    """Worst costs ``values (G,)`` from the states of a ``grid (G,)``, and the change of the last sweep."""

    grid: FloatArray
    values: FloatArray
    residual: float

    def __call__(self, state: float) -> float:
        """Return the interpolated worst cost from a state on the grid."""
        if not self.grid[0] <= state <= self.grid[-1]:
            raise InvalidModelError(f"state {state!r} is outside [{self.grid[0]:g}, {self.grid[-1]:g}]")
        return float(np.interp(state, self.grid, self.values))


def worst_case(
    plant: Plant,
    cost: Cost,
    policy: Callable[[FloatArray], FloatArray],
    bound: float,
    radius: float,
    points: int = 4001,
    error_points: int = 3,
    tolerance: float = SWEEP_TOLERANCE,
) -> WorstCase:
    """Return the cost under the worst measurement errors for a scalar state, by dynamic programming on a grid.

    Parameters
    ----------
    bound
        zeta.
    radius
        The grid covers [-radius, radius], which the loop must not leave.
    points, error_points
        Numbers of states and of errors tried at each, the extreme ones and zero included (so odd). Three errors are
        exact for a convex cost under a linear policy.
    tolerance
        Sup-norm change at which the sweeps stop.

    Raises
    ------
    InvalidModelError
        If the state is not scalar, the discount is not below one, the loop leaves the grid, or the sweeps do not
        converge.
    """
    if plant.n_states != 1 or not cost.discount < 1.0:
        raise InvalidModelError(f"needs n = 1 and a discount below 1, not n = {plant.n_states}, {cost.discount:g}")
    if points < 2 or error_points < 1 or error_points % 2 == 0:
        raise InvalidModelError(f"{points} states and {error_points} errors: not at least 2, and odd")
    zeta, r = require_positive("bound", bound, strict=False), require_positive("radius", radius)
    grid = np.linspace(-r, r, points)
    x = np.repeat(grid[:, None], error_points, axis=1)[..., None]
    u = policy(x + np.linspace(-zeta, zeta, error_points)[:, None])
    following = plant.step(x, u)[..., 0]
    outside = np.abs(following) > r * (1.0 + 1e-12)
    if outside.any():
        leaving = float(x[..., 0][outside][0])
        raise InvalidModelError(
            f"the loop leaves [-{r:g}, {r:g}] from the state {leaving:.6g}: the radius is too small"
        )
    place = np.clip((following + r) / (2.0 * r) * (points - 1), 0.0, points - 1.0)
    cells = np.minimum(place.astype(np.int64), points - 2)
    values = np.zeros(points)
    change = kernels.worst_case_sweeps(
        np.ascontiguousarray(cost.stage(x, u)), cells, place - cells, cost.discount, tolerance, MAX_SWEEPS, values
    )
    if change > tolerance:
        raise InvalidModelError(f"the sweeps end with a change of {change:.3g}, above {tolerance:.3g}")
    return WorstCase(grid, values, float(change))
