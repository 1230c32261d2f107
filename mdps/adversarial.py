r"""Episodic MDPs whose losses an adversary chooses anew in every episode.

The transitions :math:`p_h`, the law :math:`\rho` of the first state and the horizon H are fixed and known. In episode
:math:`k = 1, \dots, K` the adversary fixes losses :math:`\ell_k \in \mathbb R^{H \times S \times A}`, possibly knowing
the policy :math:`\pi_k` that the learner is about to play; the learner plays it once. With
:math:`V^\pi(\rho; \ell) = \mathbb E_\pi [\sum_h \ell_h(s_h, a_h)]`, the regret against the best fixed policy in
hindsight is

.. math:: \operatorname{Reg}_K = \sum_{k=1}^K V^{\pi_k}(\rho; \ell_k) - \min_\pi V^\pi
          \Big(\rho; \sum_{k=1}^K \ell_k \Big),

where the minimum is one backward induction on the *sum* of the losses, because the transitions are fixed. Every term is
exact; nothing is estimated from the sampled episodes and nothing is clipped.

**Adversaries.** A `LossProcess` is a small table of parameters from which kernels make the losses of one episode at a
time, so that memory does not depend on K:

* ``BLOCKS``: the losses of one block of episodes are one row of the table (constant, switching or explicit losses);
* ``BERNOULLI``: as ``BLOCKS``, but the row holds means of independent coins;
* ``SINUSOIDAL``: one half plus one half of a sine, with a frequency and a phase per entry;
* ``MIXTURE``: each episode draws one row of the table uniformly;
* ``FAIR``: two actions, in each (h, s) a fair coin decides which of them costs one, the other costs nothing;
* ``GREEDY``: adaptive; one for the most probable action of the learner's policy, else nothing;
* ``ONE_STEP``: adaptive, two actions; the losses that make one step of the log-barrier as unstable as it can be;
* ``CYCLE``: action 0 costs one for M/2 episodes, then -M once and one M times, over and over; others cost nothing.

**Linear losses.** With features :math:`\phi_h(s, a) \in \mathbb R^d` the table holds :math:`\theta_h \in \mathbb R^d`
in place of losses and :math:`\ell_{k,h}(s, a) = \phi_h(s, a)^\top \theta_{k,h}`. In a *linear MDP* also
:math:`p_h(t \mid s, a) = \phi_h(s, a)^\top \nu_h(t)`; then :math:`Q^\pi_h` is linear in the features for every policy.

Papers number the stages from one; the code numbers them from zero.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError, InvalidPolicyError
from mdps.jit import kernel
from mdps.kernels import WordArray, cumulative, next_u64, uniform
from mdps.validation import (
    FloatArray,
    IntArray,
    as_float_array,
    entry,
    first_index,
    require_distributions,
    require_shape,
)

BLOCKS, BERNOULLI, SINUSOIDAL, MIXTURE, FAIR, GREEDY, ONE_STEP, CYCLE = range(8)
"""Kinds of adversaries (see the module)."""

_TABLED = (BLOCKS, BERNOULLI, MIXTURE)
_TWO_ACTIONS = (FAIR, ONE_STEP)
_NOT_LINEAR = (FAIR, GREEDY, ONE_STEP, CYCLE)
RANGE_TOLERANCE = 1e-12
"""Losses count as in [0, 1], and features as in the unit ball, up to this much rounding."""


# Models


@dataclass(frozen=True, eq=False)
class AdversarialMDP:
    """The fixed part of an episodic MDP with adversarial losses.

    Parameters
    ----------
    transitions
        ``(S, A, S)`` for a kernel shared by all stages or ``(H, S, A, S)``; row-stochastic. Stored as ``(G, S, A, S)``
        with G = 1 or H. That of the last stage is never used.
    horizon
        Number of stages H, at least one.
    initial
        Law of the first state, ``(S,)``; state 0 if omitted.

    Raises
    ------
    InvalidModelError
        Naming the first offending entry.
    """

    transitions: FloatArray
    horizon: int
    initial: FloatArray

    def __init__(self, transitions: npt.ArrayLike, horizon: int, initial: npt.ArrayLike | None = None) -> None:
        if isinstance(horizon, bool) or not isinstance(horizon, int | np.integer) or horizon < 1:
            raise InvalidModelError(f"horizon is {horizon!r}, not a positive integer")
        array = as_float_array("transitions", transitions)
        rows = array[None] if array.ndim == 3 else array
        if rows.ndim != 4 or rows.size == 0 or rows.shape[0] not in (1, horizon) or rows.shape[1] != rows.shape[3]:
            raise InvalidModelError(
                f"transitions has shape {array.shape}, not (S, A, S) or (H, S, A, S), H = {horizon}"
            )
        require_distributions("transitions", rows, "hsa")
        n_states = rows.shape[1]
        law = as_float_array("initial", np.eye(1, n_states)[0] if initial is None else initial)
        require_shape("initial", law, (n_states,))
        require_distributions("initial", law, "")
        object.__setattr__(self, "transitions", rows)
        object.__setattr__(self, "horizon", int(horizon))
        object.__setattr__(self, "initial", law)

    @property
    def n_states(self) -> int:
        """Number of states S of a layer."""
        return self.transitions.shape[1]

    @property
    def n_actions(self) -> int:
        """Number of actions A."""
        return self.transitions.shape[2]

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(H, S, A)``."""
        return self.horizon, self.n_states, self.n_actions

    def reachable(self) -> npt.NDArray[np.bool_]:
        """Return ``(H, S)``: whether some policy reaches the state at the stage."""
        mask = np.zeros((self.horizon, self.n_states), dtype=np.bool_)
        mask[0] = self.initial > 0.0
        for h in range(self.horizon - 1):
            rows = self.transitions[min(h, self.transitions.shape[0] - 1)]
            mask[h + 1] = (rows[mask[h]] > 0.0).any(axis=(0, 1))
        return mask

    def layer_sizes(self) -> IntArray:
        """Return ``(H,)``: the number of reachable states of each layer."""
        return self.reachable().sum(axis=1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class LossProcess:
    """An adversary: how the losses of episode k come about (see the module).

    Parameters
    ----------
    kind
        One of the kinds of this module.
    table
        ``(m, H, S, A)``, or ``(m, H, 1, d)`` with features. ``SINUSOIDAL``: row 0 holds angular frequencies per
        episode, row 1 phases in radians. ``ONE_STEP``: row 0 holds the losses of the first episode. ``FAIR``,
        ``GREEDY`` and ``CYCLE`` read no more than its shape.
    ends
        ``(m,)``: number of the last episode of each block, counted from one, increasing (``BLOCKS``, ``BERNOULLI``);
        the last block goes on for ever. One block if omitted.
    parameter
        ``ONE_STEP``: the learner's rate eta. ``CYCLE``: M.
    features
        ``(H, S, A, d)`` for linear losses.

    Raises
    ------
    InvalidModelError
        Naming what does not fit.
    """

    kind: int
    table: FloatArray
    ends: IntArray
    parameter: float
    features: FloatArray | None

    def __init__(
        self,
        kind: int,
        table: npt.ArrayLike,
        ends: npt.ArrayLike | None = None,
        parameter: float = 0.0,
        features: npt.ArrayLike | None = None,
    ) -> None:
        if kind not in range(8):
            raise InvalidModelError(f"kind is {kind!r}, not a kind of adversary")
        rows = as_float_array("table", table)
        if rows.ndim != 4 or rows.size == 0:
            raise InvalidModelError(f"table has shape {rows.shape}, not (m, H, S, A)")
        phi = None if features is None else as_float_array("features", features)
        if phi is not None:
            if kind in _NOT_LINEAR:
                raise InvalidModelError("this kind of adversary has no linear form")
            if phi.ndim != 4 or rows.shape[1:] != (phi.shape[0], 1, phi.shape[3]):
                raise InvalidModelError(f"table has shape {rows.shape}, features {phi.shape}: not (m, H, 1, d)")
        if kind == BERNOULLI and (rows.min() < 0.0 or rows.max() > 1.0):
            index = first_index((rows < 0.0) | (rows > 1.0))
            raise InvalidModelError(f"{entry('table', index)} is {rows[index]}, not a mean of a coin")
        if kind in _TWO_ACTIONS and rows.shape[3] != 2:
            raise InvalidModelError(f"table has {rows.shape[3]} actions, this kind of adversary needs 2")
        if kind == SINUSOIDAL and rows.shape[0] != 2:
            raise InvalidModelError(f"table has {rows.shape[0]} rows, not frequencies and phases")
        if kind == CYCLE and (parameter < 2 or parameter % 2 != 0):
            raise InvalidModelError(f"parameter is {parameter}, not a positive even period M")
        if kind == ONE_STEP and not (np.isfinite(parameter) and parameter > 0.0):
            raise InvalidModelError(f"parameter is {parameter}, not a positive rate eta")
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "table", rows)
        object.__setattr__(self, "ends", _block_ends(ends, rows.shape[0], kind))
        object.__setattr__(self, "parameter", float(parameter))
        object.__setattr__(self, "features", phi)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(H, S, A)`` of the losses."""
        H, S, A = self.table.shape[1:] if self.features is None else self.features.shape[:3]
        return H, S, A

    @property
    def adaptive(self) -> bool:
        """Whether the losses depend on the learner's policies."""
        return self.kind in (GREEDY, ONE_STEP)

    @property
    def span(self) -> tuple[float, float]:
        """Numbers between which all losses lie."""
        if self.kind == ONE_STEP:
            return -np.inf, np.inf
        if self.kind == CYCLE:
            return -self.parameter, 1.0
        if self.features is None:
            return (float(self.table.min()), float(self.table.max())) if self.kind in (BLOCKS, MIXTURE) else (0.0, 1.0)
        if self.kind in (BLOCKS, MIXTURE):
            losses = np.einsum("hsad,mhd->mhsa", self.features, self.table[:, :, 0])
            return float(losses.min()), float(losses.max())
        return (
            float(np.minimum(self.features, 0.0).sum(axis=-1).min()),
            float(np.maximum(self.features, 0.0).sum(axis=-1).max()),
        )

    @property
    def unit_losses(self) -> bool:
        """Whether all losses lie in [0, 1], the convention of most theorems."""
        low, high = self.span
        return low >= -RANGE_TOLERANCE and high <= 1.0 + RANGE_TOLERANCE


def _block_ends(ends: npt.ArrayLike | None, n_rows: int, kind: int) -> IntArray:
    last = np.iinfo(np.int64).max
    if kind not in (BLOCKS, BERNOULLI) or ends is None:
        if kind in (BLOCKS, BERNOULLI) and n_rows > 1:
            raise InvalidModelError(f"table has {n_rows} blocks but no ends")
        numbers = np.full(n_rows, last, dtype=np.int64)
    else:
        numbers = np.array(ends, dtype=np.int64)
        if numbers.shape != (n_rows,) or numbers[0] < 1 or np.any(np.diff(numbers) <= 0):
            raise InvalidModelError(f"ends is {ends!r}, not {n_rows} increasing numbers of episodes")
        numbers[-1] = last
    numbers.setflags(write=False)
    return numbers


@dataclass(frozen=True, eq=False)
class AdversarialInstance:
    """A world and its adversary; ``features (H, S, A, d)`` if all action values are linear in them."""

    name: str
    mdp: AdversarialMDP
    losses: LossProcess
    features: FloatArray | None = None

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        if self.losses.shape != self.mdp.shape:
            raise InvalidModelError(f"losses have shape {self.losses.shape}, the model {self.mdp.shape}")
        if self.features is not None:
            require_features(self.mdp, self.features)


def require_features(mdp: AdversarialMDP, features: FloatArray) -> None:
    """Raise `InvalidModelError` unless ``features`` is ``(H, S, A, d)``, in the Euclidean unit ball."""
    if features.ndim != 4 or features.shape[:3] != mdp.shape or features.shape[3] == 0:
        raise InvalidModelError(f"features has shape {features.shape}, not (H, S, A, d) with {mdp.shape}")
    norms = np.sqrt((features**2).sum(axis=-1))
    long = ~(norms <= 1.0 + RANGE_TOLERANCE)
    if long.any():
        index = first_index(long)
        raise InvalidModelError(f"{entry('features', index, 'hsa')} has norm {norms[index]:.12g}, above 1")


# Kernels


class Dynamics(NamedTuple):
    """The fixed part of the model, laid out for the kernels; G is 1 or H."""

    initial: FloatArray  # (S,)
    initial_cdf: FloatArray  # (S,)
    transitions: FloatArray  # (G, S, A, S)
    next_cdf: FloatArray  # (G, S, A, S)
    horizon: int


class LossTable(NamedTuple):
    """An adversary laid out for the kernels; without features ``features`` is ``(0, 0, 0, 0)``."""

    kind: int
    table: FloatArray
    ends: IntArray
    parameter: float
    features: FloatArray


def dynamics(mdp: AdversarialMDP) -> Dynamics:
    """Lay out a model for the kernels."""
    initial, transitions = mdp.initial.copy(), mdp.transitions.copy()
    return Dynamics(initial, cumulative(initial), transitions, cumulative(transitions), mdp.horizon)


def loss_table(losses: LossProcess) -> LossTable:
    """Lay out an adversary for the kernels."""
    features = np.empty((0, 0, 0, 0)) if losses.features is None else losses.features.copy()
    return LossTable(losses.kind, losses.table.copy(), losses.ends.copy(), losses.parameter, features)


@kernel
def _block(ends: IntArray, k: int) -> int:
    """Return the block of episode ``k``, counted from zero."""
    low, high = 0, ends.shape[0] - 1
    while low < high:
        middle = (low + high) >> 1
        if k < ends[middle]:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def _fill_by_policy(
    kind: int, table: FloatArray, parameter: float, k: int, policy: FloatArray, out: FloatArray
) -> None:
    """Losses of the two adversaries that see the policy."""
    n_stages, n_states, n_actions = out.shape
    for h in range(n_stages):
        for s in range(n_states):
            if kind == GREEDY:
                top = 0
                for a in range(n_actions):
                    out[h, s, a] = 0.0
                    if policy[h, s, a] > policy[h, s, top]:
                        top = a
                out[h, s, top] = 1.0
            elif k == 0:
                out[h, s, 0] = table[0, h, s, 0]
                out[h, s, 1] = table[0, h, s, 1]
            else:
                tilt = 2.0 * (policy[h, s, 1] - policy[h, s, 0]) / parameter
                out[h, s, 0] = -tilt / policy[h, s, 0]
                out[h, s, 1] = tilt / policy[h, s, 1]


@kernel
def _fill(losses: LossTable, k: int, policy: FloatArray, state: WordArray, lane: int, out: FloatArray) -> None:
    """Write the table's entry of episode ``k`` (losses, or theta of linear losses)."""
    kind, table = losses.kind, losses.table
    n_stages, n_states, n_actions = out.shape
    if kind in (GREEDY, ONE_STEP):
        _fill_by_policy(kind, table, losses.parameter, k, policy, out)
        return
    row = 0
    if kind in (BLOCKS, BERNOULLI):
        row = _block(losses.ends, k)
    elif kind == MIXTURE:
        row = int(uniform(state, lane) * table.shape[0])
    cycle = 0.0
    if kind == CYCLE:
        half = int(losses.parameter) // 2
        dip = k >= half and (k - half) % (2 * half + 1) == 0
        cycle = -losses.parameter if dip else 1.0
    for h in range(n_stages):
        for s in range(n_states):
            if kind == FAIR:
                coin = float(next_u64(state, lane) >> np.uint64(63))
                out[h, s, 0] = coin
                out[h, s, 1] = 1.0 - coin
                continue
            for a in range(n_actions):
                if kind == BERNOULLI:
                    out[h, s, a] = 1.0 if uniform(state, lane) < table[row, h, s, a] else 0.0
                elif kind == SINUSOIDAL:
                    out[h, s, a] = 0.5 + 0.5 * np.sin(table[0, h, s, a] * (k + 1) + table[1, h, s, a])
                elif kind == CYCLE:
                    out[h, s, a] = cycle if a == 0 else 0.0
                else:
                    out[h, s, a] = table[row, h, s, a]


@kernel
def fill_losses(
    losses: LossTable, k: int, policy: FloatArray, state: WordArray, lane: int, theta: FloatArray, out: FloatArray
) -> None:
    """Write the losses of episode ``k`` (from zero) to ``out (H, S, A)``, and advance the adversary's generator.

    Parameters
    ----------
    policy
        The learner's policy ``(H, S, A)`` of this episode.
    theta
        Scratch ``(H, 1, d)``; with linear losses it holds their parameters afterwards.
    """
    n_features = losses.features.shape[3]
    if n_features == 0:
        _fill(losses, k, policy, state, lane, out)
        return
    _fill(losses, k, policy, state, lane, theta)
    n_stages, n_states, n_actions = out.shape
    for h in range(n_stages):
        for s in range(n_states):
            for a in range(n_actions):
                total = 0.0
                for i in range(n_features):
                    total += losses.features[h, s, a, i] * theta[h, 0, i]
                out[h, s, a] = total


@kernel
def occupancy_of(world: Dynamics, policy: FloatArray, mass: FloatArray) -> None:
    """Write the law of the state at each stage, ``mass (H, S)``."""
    n_stages, n_states, n_actions = policy.shape
    last = world.transitions.shape[0] - 1
    for s in range(n_states):
        mass[0, s] = world.initial[s]
    for h in range(n_stages - 1):
        g = min(h, last)
        for t in range(n_states):
            mass[h + 1, t] = 0.0
        for s in range(n_states):
            for a in range(n_actions):
                weight = mass[h, s] * policy[h, s, a]
                for t in range(n_states):
                    mass[h + 1, t] += weight * world.transitions[g, s, a, t]


@kernel
def evaluate(
    world: Dynamics, losses: FloatArray, policy: FloatArray, values: FloatArray, action_values: FloatArray
) -> float:
    """Evaluate a policy: fill ``values (H + 1, S)`` and ``action_values (H, S, A)``; return the value of the start."""
    n_stages, n_states, n_actions = policy.shape
    last = world.transitions.shape[0] - 1
    for s in range(n_states):
        values[n_stages, s] = 0.0
    for h in range(n_stages - 1, -1, -1):
        g = min(h, last)
        for s in range(n_states):
            value = 0.0
            for a in range(n_actions):
                q = losses[h, s, a]
                if h + 1 < n_stages:
                    for t in range(n_states):
                        q += world.transitions[g, s, a, t] * values[h + 1, t]
                action_values[h, s, a] = q
                value += policy[h, s, a] * q
            values[h, s] = value
    start = 0.0
    for s in range(n_states):
        start += world.initial[s] * values[0, s]
    return start


@kernel
def minimise(world: Dynamics, losses: FloatArray, values: FloatArray, actions: IntArray) -> float:
    """Fill least ``values (H + 1, S)`` and greedy ``actions (H, S)``; return the least loss from the start."""
    n_stages, n_states, n_actions = losses.shape
    last = world.transitions.shape[0] - 1
    for s in range(n_states):
        values[n_stages, s] = 0.0
    for h in range(n_stages - 1, -1, -1):
        g = min(h, last)
        for s in range(n_states):
            best = np.inf
            for a in range(n_actions):
                q = losses[h, s, a]
                for t in range(n_states):
                    q += world.transitions[g, s, a, t] * values[h + 1, t]
                if q < best:
                    best = q
                    actions[h, s] = a
            values[h, s] = best
    start = 0.0
    for s in range(n_states):
        start += world.initial[s] * values[0, s]
    return start


@kernel
def draw_law(law: FloatArray, u: float) -> int:
    """Return the point that ``u`` of [0, 1) draws from ``law (n,)``; always one of positive mass."""
    point = 0
    for i in range(law.shape[0]):
        if law[i] > 0.0:
            point = i
            u -= law[i]
            if u < 0.0:
                break
    return point


@kernel
def draw_next(cdf: FloatArray, u: float) -> int:
    """Return the least i with ``u < cdf[i]``; the last value must be one."""
    i = 0
    while u >= cdf[i]:
        i += 1
    return i


@kernel
def play(world: Dynamics, policy: FloatArray, state: WordArray, lane: int, states: IntArray, actions: IntArray) -> None:
    """Play one episode of a policy ``(H, S, A)``: fill ``states (H,)`` and ``actions (H,)``."""
    n_stages = policy.shape[0]
    last = world.transitions.shape[0] - 1
    s = draw_next(world.initial_cdf, uniform(state, lane))
    for h in range(n_stages):
        a = draw_law(policy[h, s], uniform(state, lane))
        states[h] = s
        actions[h] = a
        if h + 1 < n_stages:
            s = draw_next(world.next_cdf[min(h, last), s, a], uniform(state, lane))


# Values, occupancies and regret


def require_policy(mdp: AdversarialMDP, policy: npt.ArrayLike) -> FloatArray:
    """Return a policy as a writable array ``(H, S, A)``.

    Raises
    ------
    InvalidPolicyError
        Naming the first entry that does not fit the model.
    """
    try:
        array = as_float_array("policy", policy)
        require_shape("policy", array, mdp.shape)
        require_distributions("policy", array, "hs")
    except InvalidModelError as error:
        raise InvalidPolicyError(str(error)) from error
    return array.copy()


def occupancy(mdp: AdversarialMDP, policy: npt.ArrayLike) -> FloatArray:
    """Return the law of the state at each stage, ``(H, S)``, under a policy ``(H, S, A)``."""
    mass = np.empty((mdp.horizon, mdp.n_states))
    occupancy_of(dynamics(mdp), require_policy(mdp, policy), mass)
    return mass


def action_values(mdp: AdversarialMDP, policy: npt.ArrayLike, losses: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the values ``(H + 1, S)`` and action values ``(H, S, A)`` of a policy under losses ``(H, S, A)``."""
    values, table = np.empty((mdp.horizon + 1, mdp.n_states)), np.empty(mdp.shape)
    evaluate(dynamics(mdp), _one_episode(mdp, losses), require_policy(mdp, policy), values, table)
    return values, table


def value(mdp: AdversarialMDP, policy: npt.ArrayLike, losses: npt.ArrayLike) -> float:
    """Return the expected loss of one episode of a policy ``(H, S, A)``."""
    return float(mdp.initial @ action_values(mdp, policy, losses)[0][0])


def best_fixed_policy(mdp: AdversarialMDP, losses: npt.ArrayLike) -> tuple[float, IntArray]:
    """Return the least value over all policies and actions ``(H, S)`` that have it, ties to the lowest action.

    Parameters
    ----------
    losses
        ``(H, S, A)``, in general the sum over episodes.
    """
    values, actions = np.empty((mdp.horizon + 1, mdp.n_states)), np.empty((mdp.horizon, mdp.n_states), dtype=np.int64)
    return float(minimise(dynamics(mdp), _one_episode(mdp, losses), values, actions)), actions


def hindsight_values(mdp: AdversarialMDP, cumulative_losses: FloatArray) -> FloatArray:
    """Return the least value over all policies for each of many sums of losses, ``(..., H, S, A)``."""
    tables = np.ascontiguousarray(cumulative_losses, dtype=np.float64).reshape(-1, *mdp.shape)
    world = dynamics(mdp)
    values, actions = np.empty((mdp.horizon + 1, mdp.n_states)), np.empty((mdp.horizon, mdp.n_states), dtype=np.int64)
    least = np.array([minimise(world, table, values, actions) for table in tables])
    return least.reshape(cumulative_losses.shape[:-3])


def _one_episode(mdp: AdversarialMDP, losses: npt.ArrayLike) -> FloatArray:
    array = as_float_array("losses", losses)
    require_shape("losses", array, mdp.shape)
    return array.copy()


def loss_sequence(losses: LossProcess, episodes: int, lanes: WordArray, lane: int) -> FloatArray:
    """Return the losses ``(K, H, S, A)`` of an oblivious adversary, as a learner with the same generator meets them.

    Raises
    ------
    InvalidModelError
        If the adversary is adaptive: its losses depend on the learner.
    """
    if losses.adaptive:
        raise InvalidModelError("an adaptive adversary has no losses without a learner")
    table = loss_table(losses)
    state, policy = lanes.copy(), np.empty(losses.shape)
    theta = np.empty((losses.shape[0], 1, table.table.shape[3]))
    out = np.empty((episodes, *losses.shape))
    for k in range(episodes):
        fill_losses(table, k, policy, state, lane, theta, out[k])
    return out


# Adversaries


def _loss_shape(mdp: AdversarialMDP, features: FloatArray | None) -> tuple[int, int, int]:
    return mdp.shape if features is None else (mdp.horizon, 1, features.shape[3])


def constant_losses(table: npt.ArrayLike, features: FloatArray | None = None) -> LossProcess:
    """Repeat losses ``(H, S, A)`` (or theta ``(H, 1, d)``) in every episode."""
    return LossProcess(BLOCKS, as_float_array("table", table)[None], features=features)


def explicit_losses(tensor: npt.ArrayLike) -> LossProcess:
    """Play the given losses ``(K, H, S, A)``, one row an episode, and repeat the last one after K."""
    rows = as_float_array("table", tensor)
    return LossProcess(BLOCKS, rows, ends=np.arange(1, rows.shape[0] + 1))


def stochastic_losses(
    mdp: AdversarialMDP, seed: int, low: float = 0.3, high: float = 0.7, features: FloatArray | None = None
) -> LossProcess:
    """Independent coins, with means drawn uniformly from [low, high]."""
    means = np.random.default_rng(seed).uniform(low, high, _loss_shape(mdp, features))
    return LossProcess(BERNOULLI, means[None], features=features)


def switching_losses(
    mdp: AdversarialMDP, episodes: int, seed: int, blocks: int = 10, features: FloatArray | None = None
) -> LossProcess:
    """Draw a random table of zeros and ones for each of ``blocks`` equal blocks of episodes."""
    if not 1 <= blocks <= episodes:
        raise InvalidModelError(f"blocks is {blocks}, not in 1, ..., {episodes} episodes")
    rows = np.random.default_rng(seed).integers(0, 2, (blocks, *_loss_shape(mdp, features))).astype(np.float64)
    return LossProcess(BLOCKS, rows, ends=np.arange(1, blocks + 1) * episodes // blocks, features=features)


def sinusoidal_losses(mdp: AdversarialMDP, episodes: int, seed: int, features: FloatArray | None = None) -> LossProcess:
    """One half plus one half of a sine, with a period of K/20 to K/2 episodes and a phase per entry."""
    rng, shape = np.random.default_rng(seed), _loss_shape(mdp, features)
    frequencies = 2.0 * np.pi / rng.uniform(episodes / 20.0, episodes / 2.0, shape)
    return LossProcess(SINUSOIDAL, np.stack([frequencies, rng.uniform(0.0, 2.0 * np.pi, shape)]), features=features)


def fair_losses(mdp: AdversarialMDP) -> LossProcess:
    """Two actions, one of which, by a fair coin per (h, s), costs one: every learner pays a half a stage on average."""
    return LossProcess(FAIR, np.zeros((1, *mdp.shape)))


def greedy_losses(mdp: AdversarialMDP) -> LossProcess:
    """Adaptive: the learner's most probable action costs one, ties to the lowest action."""
    return LossProcess(GREEDY, np.zeros((1, *mdp.shape)))


def one_step_losses(mdp: AdversarialMDP, eta: float) -> LossProcess:
    r"""Adaptive, two actions, unbounded: the losses with which one step of the log-barrier is least stable.

    With policy (p, 1 - p) they satisfy :math:`\eta c = (-2(1 - 2p)/p, 2(1 - 2p)/(1 - p))` (see `equality_case`); the
    first episode costs (1, 0), because from the uniform policy there is nothing to gain.
    """
    first = np.zeros((1, *mdp.shape))
    first[..., 0] = 1.0
    return LossProcess(ONE_STEP, first, parameter=eta)


def cycle_losses(period: int) -> LossProcess:
    """H = S = 1, A = 2: action 0 costs one for M/2 rounds, then -M once and one M times, repeated; action 1 nothing."""
    return LossProcess(CYCLE, np.zeros((1, 1, 1, 2)), parameter=period)


def worst_case_losses(
    regret: Callable[[FloatArray], float], shape: tuple[int, ...], seed: int, sweeps: int = 6, restarts: int = 6
) -> tuple[float, FloatArray]:
    """Search for binary losses of large regret by coordinate ascent.

    Starts from random zeros and ones, flips one entry at a time and keeps the flip if the regret increases, until a
    sweep changes nothing or after ``sweeps`` sweeps; the best of ``restarts`` starts is returned.

    Parameters
    ----------
    regret
        Exact regret of a deterministic learner on losses of the given shape, in general ``(K, H, S, A)``.

    Returns
    -------
    The largest regret found (a lower estimate of the worst case) and losses that attain it.
    """
    rng = np.random.default_rng(seed)
    best_regret, best = -np.inf, np.zeros(shape)
    for _ in range(restarts):
        losses = rng.integers(0, 2, shape).astype(np.float64)
        current, entries = regret(losses), losses.reshape(-1)
        for _ in range(sweeps):
            before = current
            for i in rng.permutation(entries.size):
                entries[i] = 1.0 - entries[i]
                trial = regret(losses)
                if trial > current:
                    current = trial
                else:
                    entries[i] = 1.0 - entries[i]
            if current == before:
                break
        if current > best_regret:
            best_regret, best = current, losses.copy()
    return best_regret, best


def equality_case(p: float) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    r"""Return x = (p, 1-p), the scaled losses g, y = (1-p, p), and :math:`(1-2p)^2/(p(1-p))`.

    That number is at once the Itakura-Saito divergence of y from x and their chi-square divergence; for g the sup over
    the simplex of :math:`\langle x - y, g \rangle - \operatorname{IS}(y, x)` is attained at y and equals one quarter of
    the variance of g under x.
    """
    if not 0.0 < p < 1.0:
        raise InvalidModelError(f"p is {p}, outside (0, 1)")
    x, y = np.array([p, 1.0 - p]), np.array([1.0 - p, p])
    return x, -2.0 * (y / x - 1.0), y, (1.0 - 2.0 * p) ** 2 / (p * (1.0 - p))
