r"""LSVI-UCB-Ent: regularised identification in linear models, for a fixed number T of episodes.

With ridge :math:`\alpha`, :math:`\Lambda_h = \alpha I + \sum \phi \phi^\top` and the least-squares regressions
:math:`w = \Lambda_h^{-1} \sum \phi\, V_{h+1}(s')` of the upper and the lower values, before each episode, backwards,

.. math:: \bar Q_h = \operatorname{clip}(r_h + \phi^\top \bar w_h + B \|\phi\|_{\Lambda_h^{-1}}, 0, H - h + 1), \qquad
          \underline Q_h = \operatorname{clip}(r_h + \phi^\top \underline w_h - B \|\phi\|_{\Lambda_h^{-1}}, 0, H-h+1) ,

without a bonus at the last stage. Values, the policy and the exploration are those of UCBVI-Ent+
(`solvers.demonstration_regularized`), and B is `theory.demonstration_regularized_parameters.linear_bonus`. The output
is the Markov mixture :math:`\hat\pi_h(a|s) \propto \sum_t d^t_h(s) \bar\pi^t_h(a|s)` of the T policies, or one of them
at random; with probability :math:`1 - \delta` and :math:`\alpha = 1` their mean regularised gap is at most
`theory.demonstration_regularized_parameters.LINEAR_GAP`. The mixture and all gaps are computed here with the true
model, which a learner does not know: it would draw one policy.

Per stage :math:`\Lambda^{-1}` and the matrix :math:`\Lambda^{-1} \sum \phi e_{s'}^\top` are kept, so that nothing grows
with T.

References
----------
D. Tiapkin et al. (2024). Demonstration-Regularized RL. ICLR. The variant, its bonus and its bound are derived.
"""

import math
from dataclasses import dataclass

import numpy as np

from mdps.jit import kernel
from mdps.kernels import Seed, WordArray, seed_lanes, uniform
from mdps.linear import LinearMDP
from mdps.validation import FloatArray, IntArray
from solvers.demonstration_regularized import Memory
from solvers.demonstration_regularized_cloning import (
    regularised_gap,
    regularised_optimum,
    require_reference,
    require_regularisation,
    start_values,
)
from solvers.demonstration_regularized_kernels import (
    BOTTOM,
    CDF,
    LAW,
    LOWER,
    TOP,
    UPPER,
    VIOLATION,
    compare,
    soft_value,
)
from solvers.episodic import (
    by_pair,
    by_row,
    draw_row,
    require_non_negative,
    require_positive,
    require_probability,
    require_unit_rewards,
    world,
)
from theory.demonstration_regularized_parameters import linear_bonus

REFRESH = 1000
"""Episodes between two computations of the inverses from scratch, outside the kernels."""


@dataclass(frozen=True, eq=False)
class LinearRun:
    """Outcome of R independent runs of T episodes.

    Attributes
    ----------
    bonus
        B in force.
    mean_gap
        ``(R,)``: mean regularised gap of the T policies, exact.
    mixture, mixture_gap
        The mixture of the policies ``(R, H, S, A)``, the reference where none of them arrives, and its regularised gap.
    violations
        ``(R,)``: number of plans whose bounds miss an optimal action value.
    upper_q, lower_q
        Bounds of the last plan, ``(R, H, S, A)``.
    """

    bonus: float
    mean_gap: FloatArray
    mixture: FloatArray
    mixture_gap: FloatArray
    violations: IntArray
    upper_q: FloatArray
    lower_q: FloatArray


def run_lsvi_entropy(
    mdp: LinearMDP,
    reference: FloatArray,
    lam: float,
    episodes: int,
    *,
    seeds: Seed,
    runs: int = 1,
    delta: float = 0.1,
    scale: float = 1.0,
    ridge: float = 1.0,
) -> LinearRun:
    """Run LSVI-UCB-Ent ``runs`` times, independently.

    Parameters
    ----------
    mdp
        The true model; rewards in [0, 1] (up to rounding).
    reference
        ``(H, S, A)``, positive.
    episodes
        T.
    seeds
        Not consumed. Run i depends on ``seeds`` and i only.
    scale
        Factor of B. Only ``scale >= 1`` is covered by proofs.
    ridge
        alpha. The bound on the gap is for 1.

    Raises
    ------
    ValueError, InvalidPolicyError
        For an argument outside its domain.
    """
    require_probability("delta", delta)
    require_positive("runs", runs)
    require_positive("episodes", episodes)
    require_non_negative("scale", scale)
    if not 0.0 < ridge < np.inf:
        raise ValueError(f"ridge is {ridge!r}, not positive and finite")
    table = mdp.to_tabular()
    require_unit_rewards(table)
    H, S, A, d = table.horizon, table.n_states, table.n_actions, mdp.n_factors
    base = np.log(require_reference(table, reference))
    weight = float(require_regularisation(lam))
    optimum = regularised_optimum(table, reference, weight)
    bonus = scale * linear_bonus(d, H, episodes, delta, ridge)
    features = np.ascontiguousarray(mdp.staged_features.swapaxes(1, 2)).reshape(H, S * A, d)
    model, state = world(table), seed_lanes(seeds, runs)
    q_star, optimal = by_row(optimum.q), float(start_values(table, optimum.values))
    mixtures, bounds = np.empty((runs, H, S, A)), np.empty((2, runs, H, S, A))
    mean_gap, violations = np.empty(runs), np.empty(runs, dtype=np.int64)
    for run in range(runs):
        memory, statistics = Memory.empty(table), np.zeros((2, H, d, d))
        statistics[...] = np.eye(d) * np.array([ridge, 1.0 / ridge])[:, None, None, None]
        regressions, visited = np.zeros((2, H, d, S)), np.zeros((H, S, A))
        total = np.zeros(2)
        for first in range(0, episodes, REFRESH):
            total += learn(
                min(REFRESH, episodes - first), state, run, *model, features, base, weight, bonus, q_star, optimal,
                statistics, regressions, memory.pairs, memory.states, memory.policy, memory.widest, visited,
            )  # fmt: skip
            refresh(statistics, regressions)
        mean_gap[run], violations[run] = total[0] / episodes, int(total[1])
        reached = visited.sum(axis=-1, keepdims=True)
        mixtures[run] = np.where(reached > 0.0, visited / np.where(reached > 0.0, reached, 1.0), reference)
        bounds[0, run], bounds[1, run] = by_pair(memory.pairs[TOP], S), by_pair(memory.pairs[BOTTOM], S)
    mixture_gap = regularised_gap(table, mixtures, reference, weight)
    return LinearRun(bonus, mean_gap, mixtures, mixture_gap, violations, bounds[0], bounds[1])


def refresh(statistics: FloatArray, regressions: FloatArray) -> None:
    """Compute the inverses and the regressions anew."""
    statistics[INVERSE] = np.linalg.inv(statistics[0])
    regressions[REGRESSION] = statistics[INVERSE] @ regressions[0]


INVERSE = 1
"""Table of the statistics; the other one, 0, is Lambda itself."""

REGRESSION = 1
"""Table of the regressions; the other one, 0, is the sum of phi e_s'."""


@kernel
def plan(
    features: FloatArray,
    rewards: FloatArray,
    base: FloatArray,
    lam: float,
    bonus: float,
    statistics: FloatArray,
    regressions: FloatArray,
    pairs: FloatArray,
    states: FloatArray,
    policy: FloatArray,
    widest: IntArray,
) -> None:
    """Plan backwards; tables as in `solvers.demonstration_regularized_kernels`."""
    n_stages, n_states, n_actions = base.shape
    d = features.shape[2]
    weights = np.zeros((2, d))
    for h in range(n_stages - 1, -1, -1):
        for i in range(d):
            weights[0, i] = weights[1, i] = 0.0
            for t in range(n_states):
                weights[0, i] += regressions[REGRESSION, h, i, t] * states[UPPER, h + 1, t]
                weights[1, i] += regressions[REGRESSION, h, i, t] * states[LOWER, h + 1, t]
        for row in range(n_states * n_actions):
            square, mean_u, mean_l = 0.0, rewards[h, row], rewards[h, row]
            for i in range(d):
                mean_u += features[h, row, i] * weights[0, i]
                mean_l += features[h, row, i] * weights[1, i]
                for j in range(d):
                    square += features[h, row, i] * statistics[INVERSE, h, i, j] * features[h, row, j]
            width = bonus * math.sqrt(max(square, 0.0)) if h + 1 < n_stages else 0.0
            pairs[TOP, h, row] = min(max(mean_u + width, 0.0), float(n_stages - h))
            pairs[BOTTOM, h, row] = min(max(mean_l - width, 0.0), float(n_stages - h))
        for s in range(n_states):
            states[LOWER, h, s] = soft_value(base, lam, pairs[BOTTOM], h, s, policy[LAW, h, s])
            states[UPPER, h, s] = soft_value(base, lam, pairs[TOP], h, s, policy[LAW, h, s])
            total, width = 0.0, -np.inf
            for a in range(n_actions):
                row = a * n_states + s
                if pairs[TOP, h, row] - pairs[BOTTOM, h, row] > width:
                    widest[h, s] = a
                    width = pairs[TOP, h, row] - pairs[BOTTOM, h, row]
                total += policy[LAW, h, s, a]
                policy[CDF, h, s, a] = total if a + 1 < n_actions else np.inf


@kernel
def observe(phi: FloatArray, following: int, h: int, statistics: FloatArray, regressions: FloatArray) -> None:
    """Add one step to the statistics of a stage, by the formula of Sherman and Morrison."""
    d, n_states = regressions.shape[2:]
    g, norm = np.zeros(d), 1.0
    for i in range(d):
        for j in range(d):
            g[i] += statistics[INVERSE, h, i, j] * phi[j]
        norm += phi[i] * g[i]
    for t in range(n_states):
        residual = 1.0 if t == following else 0.0
        for j in range(d):
            residual -= regressions[REGRESSION, h, j, t] * phi[j]
        for i in range(d):
            regressions[REGRESSION, h, i, t] += g[i] / norm * residual
    for i in range(d):
        regressions[0, h, i, following] += phi[i]
        for j in range(d):
            statistics[0, h, i, j] += phi[i] * phi[j]
            statistics[INVERSE, h, i, j] -= g[i] * g[j] / norm


@kernel
def add_occupancy(transitions: FloatArray, initial: FloatArray, policy: FloatArray, visited: FloatArray) -> None:
    """Add the occupancy of the policy to ``visited (H, S, A)``; ``transitions`` has a kernel for each stage."""
    n_stages, n_states, n_actions = visited.shape
    here, later = initial.copy(), np.zeros(n_states)
    for h in range(n_stages):
        for t in range(n_states):
            later[t] = 0.0
        for s in range(n_states):
            for a in range(n_actions):
                mass = here[s] * policy[LAW, h, s, a]
                visited[h, s, a] += mass
                first = ((h * n_actions + a) * n_states + s) * n_states
                for t in range(n_states):
                    later[t] += mass * transitions[first + t]
        for t in range(n_states):
            here[t] = later[t]


@kernel
def learn(
    episodes: int,
    state: WordArray,
    lane: int,
    initial: FloatArray,
    initial_cdf: FloatArray,
    next_cdf: FloatArray,
    transitions: FloatArray,
    rewards: FloatArray,
    features: FloatArray,
    base: FloatArray,
    lam: float,
    bonus: float,
    q_star: FloatArray,
    optimal: float,
    statistics: FloatArray,
    regressions: FloatArray,
    pairs: FloatArray,
    states: FloatArray,
    policy: FloatArray,
    widest: IntArray,
    visited: FloatArray,
) -> tuple[float, int]:
    """Plan and play ``episodes`` times; add the occupancies of the policies to ``visited``.

    Returns
    -------
    Sum of the regularised gaps of the policies, and number of plans whose bounds miss an optimal action value.
    """
    n_stages, n_states, _ = base.shape
    values = np.zeros((n_stages + 1, n_states))
    total, violations = 0.0, 0
    for _ in range(episodes):
        plan(features, rewards, base, lam, bonus, statistics, regressions, pairs, states, policy, widest)
        worst, start = compare(transitions, rewards, initial, q_star, pairs, states, policy, values)
        total += optimal - start
        violations += 1 if worst > VIOLATION else 0
        add_occupancy(transitions, initial, policy, visited)
        explored = int(uniform(state, lane) * n_stages)
        s, u = 0, uniform(state, lane)
        while u >= initial_cdf[0, 0, s]:
            s += 1
        for h in range(n_stages - 1):
            action = widest[h, s]
            if explored != h + 1:
                action, u = 0, uniform(state, lane)
                while u >= policy[CDF, h, s, action]:
                    action += 1
            row = action * n_states + s
            s = draw_row(next_cdf, h, row, uniform(state, lane))
            observe(features[h, row], s, h, statistics, regressions)
    return total, violations
