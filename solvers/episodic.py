r"""Learning episode by episode: what all episodic learners share.

Before episode k = 1, ..., K a learner chooses a policy :math:`\pi_k` from what it has seen, and plays it once. Its
regret is

.. math:: \operatorname{Reg}_K = \sum_{k=1}^{K} \big( J^\star - J(\pi_k) \big), \qquad J(\pi) = \rho^\top V_0^\pi ,

a random number (the policies are) of which every term is computed *exactly*, by policy evaluation in the true model,
never from sampled returns, and never clipped: a term below zero by more than rounding is an error, not noise.

**Evaluation.** A stage is evaluated again only if the policy has changed at that stage or at a later one. The regret of
a policy that stays is its gap times the number of its episodes.

**Layout.** The pair (s, a) is the row ``a * S + s`` of the kernels' tables: a maximum over actions then runs over all
states at once. Tables that a learner sums over the next state t are stored ``(., S, S * A)``, t first: the sum of every
row keeps the order t = 0, 1, ..., S - 1 whether one row or all of them are computed, hence partial re-planning equals
full re-planning bit for bit.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mdps.jit import kernel
from mdps.kernels import WordArray, cumulative, uniform
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray, entry, first_index
from solvers.planning_kernels import dot


@dataclass(frozen=True, eq=False)
class OptimismReport:
    """Whether the plans of each of N runs were optimistic, ``Q_k,h(s, a) >= Q*_h(s, a)`` for all h, s, a.

    Attributes
    ----------
    first_violation
        ``(N,)`` int64: the first episode (from 1) planned with a Q below Q* by more than the tolerance; 0 if none.
    largest_violation
        ``(N,)``: the largest ``Q*_h(s, a) - Q_k,h(s, a)`` over all k, h, s, a; above zero only if there was one.
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
    plans
        ``(N, H, S, A)``: the Q of the last plan, if asked for.
    """

    episodes: IntArray
    regret: FloatArray
    policy_changes: IntArray
    visits: IntArray | None = None
    optimism: OptimismReport | None = None
    plans: FloatArray | None = None


class World(NamedTuple):
    """The true model, laid out for the kernels (see the module); G is 1 (stationary) or H."""

    initial: FloatArray  # (S,)
    initial_cdf: FloatArray  # (1, 1, S)
    next_cdf: FloatArray  # (G, S * A, S)
    transitions: FloatArray  # (G * S * A * S,), rows one after the other
    rewards: FloatArray  # (H, S * A)


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
    rows = np.ascontiguousarray(mdp.transitions.swapaxes(1, 2)).reshape(-1, S * A, S)
    return World(
        initial=mdp.initial.copy(),
        initial_cdf=cumulative(mdp.initial)[None, None],
        next_cdf=cumulative(rows),
        transitions=rows.reshape(rows.size),
        rewards=by_row(np.broadcast_to(mdp.rewards, (H, S, A))),
    )


def by_row(table: FloatArray) -> FloatArray:
    """Lay out ``(., S, A)`` as ``(., S * A)``, row ``a * S + s``; always a new array."""
    return np.array(table.swapaxes(1, 2), order="C").reshape(table.shape[0], -1)


def by_pair(rows: FloatArray, n_states: int) -> FloatArray:
    """Undo `by_row`."""
    return rows.reshape(rows.shape[0], -1, n_states).swapaxes(1, 2)


@kernel
def draw_row(cdf: FloatArray, g: int, row: int, u: float) -> int:
    """Return the least i with ``u < cdf[g, row, i]``; the last value must be one (see `mdps.kernels.cumulative`)."""
    n = cdf.shape[2]
    if n <= 8:
        for i in range(n - 1):
            if u < cdf[g, row, i]:
                return i
        return n - 1
    count = 0
    for i in range(n):  # no branch to mispredict, and it vectorises
        count += 1 if cdf[g, row, i] <= u else 0
    return count


@kernel
def play(
    initial_cdf: FloatArray,
    next_cdf: FloatArray,
    policy: IntArray,
    state: WordArray,
    lane: int,
    path: IntArray,
) -> None:
    """Play one episode of a deterministic policy ``(H, S)``: fill ``path (2, H + 1)``, its states and its rows."""
    n_stages, n_states = policy.shape
    n_kernels = next_cdf.shape[0]
    s = draw_row(initial_cdf, 0, 0, uniform(state, lane))
    path[0, 0] = s
    for h in range(n_stages):
        row = policy[h, s] * n_states + s
        path[1, h] = row
        s = draw_row(next_cdf, h if n_kernels > 1 else 0, row, uniform(state, lane))
        path[0, h + 1] = s


@kernel
def evaluate_from(
    transitions: FloatArray, rewards: FloatArray, initial: FloatArray, policy: IntArray, values: FloatArray, top: int
) -> float:
    """Evaluate ``policy (H, S)`` at stages ``top``, ..., 0 and return its value from the start.

    ``values (H + 1, S)`` must be current after ``top`` and is filled up to it.
    """
    n_states, n_rows = policy.shape[1], rewards.shape[1]
    stationary = transitions.size == n_rows * n_states
    flat_values = values.reshape(values.size)
    for h in range(top, -1, -1):
        first = 0 if stationary else h * n_rows
        for s in range(n_states):
            row = policy[h, s] * n_states + s
            mean = dot(transitions, (first + row) * n_states, flat_values, (h + 1) * n_states, n_states)
            values[h, s] = rewards[h, row] + mean
    start = 0.0
    for s in range(n_states):
        start += initial[s] * values[0, s]
    return start


@kernel
def add_weighted(table: FloatArray, g: int, weights: FloatArray, h: int, totals: FloatArray) -> None:
    """Add ``sum_t weights[h, t] * table[g, t, i]`` to ``totals[i]`` for all i, term by term in the order of t."""
    n_terms, n = table.shape[1], table.shape[2]
    for block in range(n_terms // 4):  # four terms a pass: one load and one store of the total instead of four
        t = 4 * block
        w0, w1, w2, w3 = weights[h, t], weights[h, t + 1], weights[h, t + 2], weights[h, t + 3]
        for i in range(n):
            part = totals[i] + w0 * table[g, t, i]
            part = part + w1 * table[g, t + 1, i]
            part = part + w2 * table[g, t + 2, i]
            totals[i] = part + w3 * table[g, t + 3, i]
    for t in range(n_terms - n_terms % 4, n_terms):
        w0 = weights[h, t]
        for i in range(n):
            totals[i] = totals[i] + w0 * table[g, t, i]
