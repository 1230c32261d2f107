r"""Learning episode by episode: what all episodic learners share.

Before episode k = 1, ..., K a learner chooses a policy :math:`\pi_k` from what it has seen; it plays it once. Its regret is

.. math:: \operatorname{Reg}_K = \sum_{k=1}^{K} \big( J^\star - J(\pi_k) \big), \qquad J(\pi) = \rho^\top V_0^\pi ,

a random number (the policies are) of which every term is computed *exactly*, by policy evaluation in the true model,
never from sampled returns, and never clipped: a term below zero by more than rounding is an error, not noise.

**Evaluation.** The Markov chain of the current policy is kept by next state, :math:`P^\pi_h[t, s] = p_h(t \mid s, \pi_h(s))`,
so that the sum over t of :math:`V_h = r_h^\pi + \sum_t P^\pi_h[t, \cdot]\, V_{h+1}(t)` is one vectorised pass a term.
A stage is evaluated again only if the policy has changed at that stage or at a later one; the regret of a policy that
stays is its gap times the number of its episodes.

**Layout.** A pair (s, a) is the row ``s * A + a``. Tables that are summed over the next state t are stored ``(., S, S * A)``,
t first: the sum of each row keeps the order t = 0, 1, ..., S - 1 whether one row or all of them are computed, hence
partial re-planning equals full re-planning bit for bit.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mdps.jit import kernel
from mdps.kernels import WordArray, cumulative, draw_cdf, uniform
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray, entry, first_index
from solvers.planning import backward_induction, policy_value


@dataclass(frozen=True, eq=False)
class OptimismReport:
    """Whether the plans of each of N runs were optimistic, ``Q_k,h(s, a) >= Q*_h(s, a)`` for all h, s, a.

    Attributes
    ----------
    first_violation
        ``(N,)`` int64: the first episode (from 1) that was planned with a Q below Q* by more than the tolerance; 0 if none.
    largest_violation
        ``(N,)``: the largest ``Q*_h(s, a) - Q_k,h(s, a)`` over all k, h, s, a; not above zero if there was no violation.
    """

    first_violation: IntArray
    largest_violation: FloatArray


@dataclass(frozen=True, eq=False)
class RegretCurve:
    """Exact cumulative regret of N independent runs.

    Attributes
    ----------
    episodes
        ``(R,)`` int64: numbers of episodes at which the regret is recorded, increasing, the last one is K.
    regret
        ``(N, R)``: exact cumulative regret after that many episodes, in units of reward; never clipped.
    policy_changes
        ``(N,)`` int64: number of episodes whose policy differs from that of the episode before.
    visits
        ``(N, H, S, A)`` int64, or ``(N, 1, S, A)`` for a learner that pools the stages: final counts, if asked for.
    optimism
        What was seen of the optimism of the plans, if asked for.
    """

    episodes: IntArray
    regret: FloatArray
    policy_changes: IntArray
    visits: IntArray | None = None
    optimism: OptimismReport | None = None


class World(NamedTuple):
    """The true model, laid out for the kernels (see the module)."""

    initial: FloatArray  # (S,)
    initial_cdf: FloatArray  # (S,)
    next_cdf: FloatArray  # (G, S * A, S)
    arrivals: FloatArray  # (G, S, S * A): p(t | s, a) at [., t, s * A + a]
    rewards: FloatArray  # (H, S * A)


class Chain(NamedTuple):
    """The Markov chain of the current deterministic policy, and its values."""

    policy: IntArray  # (H, S)
    arrivals: FloatArray  # (H, S, S): p_h(t | s, pi_h(s)) at [h, t, s]
    rewards: FloatArray  # (H, S)
    values: FloatArray  # (H + 1, S)


class Path(NamedTuple):
    """One episode: states ``(H + 1,)`` and rows ``s * A + a`` ``(H,)``, int64."""

    states: IntArray
    rows: IntArray


def record_points(episodes: int, n: int) -> IntArray:
    """Return at most ``n`` increasing, log-spaced numbers of episodes, from 1 to ``episodes`` (only the last if n = 1).

    Raises
    ------
    ValueError
        If ``episodes`` or ``n`` is no positive integer.
    """
    require_positive("episodes", episodes)
    require_positive("record", n)
    if n == 1:
        return np.array([episodes], dtype=np.int64)
    points = np.rint(np.geomspace(1.0, episodes, n)).astype(np.int64)
    points[-1] = episodes
    return np.unique(points)


def require_positive(name: str, value: int) -> None:
    """Raise ``ValueError`` unless ``value`` is an integer of at least one."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} is {value!r}, not a positive integer")


def require_probability(name: str, value: float) -> None:
    """Raise ``ValueError`` unless ``value`` lies in the open interval (0, 1)."""
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} is {value!r}, outside (0, 1)")


def require_non_negative(name: str, value: float) -> None:
    """Raise ``ValueError`` unless ``value`` is finite and not below zero."""
    if not (np.isfinite(value) and value >= 0.0):
        raise ValueError(f"{name} is {value!r}, not a finite number >= 0")


def require_unit_rewards(mdp: FiniteHorizonMDP) -> None:
    """Raise ``ValueError``, naming the first entry, unless all mean rewards lie in [0, 1]."""
    if not mdp.unit_rewards:
        index = first_index((mdp.rewards < 0.0) | (mdp.rewards > 1.0))
        raise ValueError(f"{entry('rewards', index, 'hsa')} is {mdp.rewards[index]}, outside [0, 1]")


def world(mdp: FiniteHorizonMDP) -> World:
    """Lay out a model for the kernels."""
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    rows = mdp.transitions.reshape(-1, S * A, S)
    return World(
        initial=mdp.initial.copy(),
        initial_cdf=cumulative(mdp.initial),
        next_cdf=cumulative(rows),
        arrivals=np.ascontiguousarray(rows.transpose(0, 2, 1)),
        rewards=np.array(np.broadcast_to(mdp.rewards.reshape(-1, S * A), (H, S * A))),
    )


def new_chain(n_stages: int, n_states: int) -> Chain:
    """Allocate a chain; `follow_all` fills it."""
    return Chain(
        policy=np.zeros((n_stages, n_states), dtype=np.int64),
        arrivals=np.zeros((n_stages, n_states, n_states)),
        rewards=np.zeros((n_stages, n_states)),
        values=np.zeros((n_stages + 1, n_states)),
    )


def new_path(n_stages: int) -> Path:
    """Allocate an episode; `play` fills it."""
    return Path(np.zeros(n_stages + 1, dtype=np.int64), np.zeros(n_stages, dtype=np.int64))


def optimal_start_value(mdp: FiniteHorizonMDP) -> float:
    """Return J*, the value of an optimal policy from ``mdp.initial``."""
    return policy_value(mdp, backward_induction(mdp).values)


@kernel
def play(world: World, policy: IntArray, state: WordArray, lane: int, path: Path) -> None:
    """Play one episode of a deterministic policy ``(H, S)``: fill ``path``, advance the generator's lane."""
    n_stages, n_states = policy.shape
    n_actions = world.rewards.shape[1] // n_states
    n_kernels = world.next_cdf.shape[0]
    s = draw_cdf(world.initial_cdf, uniform(state, lane))
    path.states[0] = s
    for h in range(n_stages):
        row = s * n_actions + policy[h, s]
        path.rows[h] = row
        s = draw_cdf(world.next_cdf[h if n_kernels > 1 else 0, row], uniform(state, lane))
        path.states[h + 1] = s


@kernel
def follow(world: World, chain: Chain, h: int, s: int, action: int) -> None:
    """Let the chain take ``action`` in state ``s`` at stage ``h``; its values are stale until `evaluate_from`."""
    n_states = chain.policy.shape[1]
    row = s * (world.rewards.shape[1] // n_states) + action
    source = world.arrivals[h if world.arrivals.shape[0] > 1 else 0]
    chain.policy[h, s] = action
    chain.rewards[h, s] = world.rewards[h, row]
    for t in range(n_states):
        chain.arrivals[h, t, s] = source[t, row]


@kernel
def follow_all(world: World, chain: Chain) -> None:
    """Rebuild the chain of ``chain.policy``."""
    for h in range(chain.policy.shape[0]):
        for s in range(chain.policy.shape[1]):
            follow(world, chain, h, s, chain.policy[h, s])


@kernel
def add_weighted(table: FloatArray, weights: FloatArray, first: int, last: int, total: FloatArray) -> None:
    """Add ``sum_t weights[t] * table[t, i]`` to ``total[i]`` for ``first <= i < last``, term by term in the order of t."""
    n = table.shape[0]
    blocked = n - n % 4
    for t in range(0, blocked, 4):  # four terms a pass: one load and one store of the total instead of four
        w0, w1, w2, w3 = weights[t], weights[t + 1], weights[t + 2], weights[t + 3]
        for i in range(first, last):
            part = total[i] + w0 * table[t, i]
            part = part + w1 * table[t + 1, i]
            part = part + w2 * table[t + 2, i]
            total[i] = part + w3 * table[t + 3, i]
    for t in range(blocked, n):
        w0 = weights[t]
        for i in range(first, last):
            total[i] = total[i] + w0 * table[t, i]


@kernel
def evaluate_from(world: World, chain: Chain, top: int) -> float:
    """Evaluate the chain at stages ``top``, ..., 0 (later stages are current) and return its value from the start."""
    n_states = chain.policy.shape[1]
    for h in range(top, -1, -1):
        values = chain.values[h]
        values[:] = 0.0
        add_weighted(chain.arrivals[h], chain.values[h + 1], 0, n_states, values)
        for s in range(n_states):
            values[s] = chain.rewards[h, s] + values[s]
    start = 0.0
    for s in range(n_states):
        start += world.initial[s] * chain.values[0, s]
    return start
