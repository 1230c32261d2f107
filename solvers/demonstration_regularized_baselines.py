r"""Best-policy identification without demonstrations: BPI-KL, BPI-UCBVI and RF-Express.

All three play a deterministic policy, and differ in how they plan. Rewards are known, so that nothing is uncertain at
the last stage. n is the number of visits to a pair, and everything works backwards from zero at stage H + 1.

**BPI-KL** (derived). With radius x, :math:`s = \min\{1, \sqrt{x/2}\}` and spreads as in
`solvers.demonstration_regularized`,

.. math::

    \bar V_h &= \max_a \min\{ r + \hat p \bar V_{h+1} + (\operatorname{span} \bar V_{h+1}) s,\; r + \max \bar V_{h+1},\;
        H - h + 1 \}, \\
    U_h &= \min\{ 2 (\operatorname{span} \bar V_{h+1}) s + \hat p U_{h+1} + (\operatorname{span} U_{h+1}) s,\;
        \operatorname{span} \bar V_{h+1} + \max U_{h+1},\; H - h + 1 \}

at the greedy action; it stops when U is at most epsilon at the start.

**BPI-UCBVI**, constants as recalled. With :math:`\beta = \log(3SAH/\delta) + S \log(8e(n+1))`, :math:`\beta^\star =
\log(3SAH/\delta) + \log(8e(n+1))` and :math:`\sigma^2 = \operatorname{Var}_{\hat p}(\bar V_{h+1})`,

.. math::

    \bar Q_h, \underline Q_h &= \operatorname{clip}_{[0, H]} \big( r + \hat p V_{h+1} \pm \{ 3 \sigma
        \sqrt{\beta^\star / n} + 14 H^2 \beta / n + \tfrac1H \hat p (\bar V_{h+1} - \underline V_{h+1}) \} \big), \\
    G_h &= \min\{ H,\; 6 \sigma \sqrt{\beta^\star / n} + 36 H^2 \beta / n + (1 + \tfrac3H) \hat p G_{h+1} \} .

**RF-Express**, constants as in its authors' code, explores without rewards: it plays the actions of the largest
:math:`W_h = 15 H^2 \beta / \max(n, 1) + (1 + \tfrac1H) \hat p \max_a W_{h+1}`, cut at H, stops when
:math:`3 e \sqrt W + W \le \varepsilon / 2` at the start, and plans in the empirical model then.

UCBVI with Hoeffding bonuses is in `solvers.ucbvi`.

References
----------
P. Menard et al. (2021). Fast active learning for pure exploration in reinforcement learning. ICML.
"""

import math
from collections.abc import Callable

import numpy as np

from mdps.jit import kernel
from mdps.kernels import Seed, action_laws, seed_lanes
from mdps.preferences import staged_rewards
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray
from solvers import demonstration_regularized_kernels as kernels
from solvers.demonstration_regularized import LIMIT, Identification, Memory, confidence, empirical_laws
from solvers.demonstration_regularized_kernels import EMPIRICAL, GAP, LAW, LOWER, RADIUS, TOP, UPPER, VISITS, extremes
from solvers.episodic import (
    by_pair,
    by_row,
    require_non_negative,
    require_positive,
    require_probability,
    require_unit_rewards,
    world,
)
from solvers.planning import backward_induction

Planner = Callable[[FloatArray, float, Memory], None]


def bpi_kl(
    mdp: FiniteHorizonMDP,
    epsilon: float,
    *,
    seeds: Seed,
    runs: int = 1,
    delta: float = 0.1,
    growth: float = 1.005,
    limit: int = LIMIT,
) -> Identification:
    """Run BPI-KL ``runs`` times, independently; the certificate is U at the start.

    Parameters
    ----------
    epsilon
        Accuracy.
    seeds
        Not consumed. Run i depends on ``seeds`` and i only.
    growth
        Plan again when the number of episodes has grown by this factor.
    limit
        Number of episodes after which a run gives up.

    Raises
    ------
    ValueError
        For an argument outside its domain.
    """
    return _run(mdp, _kullback, float, 2.0, delta, epsilon, seeds, runs, growth, limit)


def bpi_ucbvi(
    mdp: FiniteHorizonMDP,
    epsilon: float,
    *,
    seeds: Seed,
    runs: int = 1,
    delta: float = 0.1,
    growth: float = 1.005,
    limit: int = LIMIT,
) -> Identification:
    """Run BPI-UCBVI; the certificate is G at the start. Arguments as in `bpi_kl`."""
    return _run(mdp, _variance, float, 3.0, delta, epsilon, seeds, runs, growth, limit)


def rf_express(
    mdp: FiniteHorizonMDP,
    epsilon: float,
    *,
    seeds: Seed,
    runs: int = 1,
    delta: float = 0.1,
    growth: float = 1.005,
    limit: int = LIMIT,
) -> Identification:
    """Run RF-Express; the certificate is twice the left side of its stopping rule. Arguments as in `bpi_kl`."""
    return _run(mdp, _reward_free, _reward_free_statistic, 3.0, delta, epsilon, seeds, runs, growth, limit)


def _reward_free_statistic(width: float) -> float:
    return 2.0 * (3.0 * math.e * math.sqrt(width) + width)


def _kullback(rewards: FloatArray, log_confidence: float, memory: Memory) -> None:
    del log_confidence
    plan_kullback(rewards, memory.pairs, memory.laws, memory.states, memory.policy)


def _variance(rewards: FloatArray, log_confidence: float, memory: Memory) -> None:
    plan_variance(rewards, log_confidence, memory.pairs, memory.laws, memory.states, memory.policy)


def _reward_free(rewards: FloatArray, log_confidence: float, memory: Memory) -> None:
    del rewards
    plan_reward_free(log_confidence, memory.pairs, memory.laws, memory.states, memory.policy)


def _run(
    mdp: FiniteHorizonMDP,
    planner: Planner,
    statistic: Callable[[float], float],
    events: float,
    delta: float,
    epsilon: float,
    seeds: Seed,
    runs: int,
    growth: float,
    limit: int,
) -> Identification:
    """Plan and play by turns; log(``events`` S A H / delta) is the constant of the algorithm."""
    require_unit_rewards(mdp)
    require_probability("delta", delta)
    require_positive("runs", runs)
    require_positive("limit", limit)
    require_non_negative("epsilon", epsilon)
    if not 1.0 <= growth < np.inf:
        raise ValueError(f"growth is {growth!r}, below 1 or not finite")
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    model, memory, log_confidence = world(mdp), Memory.empty(mdp), confidence(mdp, 2.0 * delta / events)
    state, rewards = seed_lanes(seeds, runs), by_row(staged_rewards(mdp))
    episodes, plans = np.zeros(runs, dtype=np.int64), np.zeros(runs, dtype=np.int64)
    certificate, policy, visits = np.empty(runs), np.empty((runs, H, S, A)), np.empty((runs, H, S, A))
    for run in range(runs):
        memory.forget()
        while True:
            kernels.estimate(memory.pairs, memory.laws, log_confidence)
            planner(rewards, log_confidence, memory)
            memory.policy[kernels.CDF] = memory.policy[LAW].cumsum(axis=-1)
            plans[run] += 1
            certificate[run] = statistic(float(mdp.initial @ memory.states[GAP, 0]))
            if certificate[run] <= epsilon or episodes[run] >= limit:
                break
            due = min(max(int(episodes[run]) + 1, math.ceil(growth * episodes[run])), limit)
            kernels.play(
                model.initial_cdf, model.next_cdf, memory.policy, memory.widest, False, due - int(episodes[run]),
                state, run, memory.pairs, memory.laws,
            )  # fmt: skip
            episodes[run] = due
        policy[run] = memory.policy[LAW]
        if planner is _reward_free:
            found = FiniteHorizonMDP(empirical_laws(memory.moves), mdp.rewards, H, mdp.initial)
            policy[run] = action_laws(mdp, backward_induction(found).policy)
        visits[run] = by_pair(memory.pairs[VISITS], S)
    unknown = np.full(runs, np.nan)
    never = np.full(runs, -1, dtype=np.int64)
    stopped = certificate <= epsilon
    return Identification(episodes, stopped, certificate, policy, plans, visits, None, never, unknown, unknown)


@kernel
def choose(policy: FloatArray, h: int, s: int, action: int) -> None:
    """Make the policy play an action."""
    for a in range(policy.shape[3]):
        policy[LAW, h, s, a] = 1.0 if a == action else 0.0


@kernel
def plan_kullback(
    rewards: FloatArray, pairs: FloatArray, laws: FloatArray, states: FloatArray, policy: FloatArray
) -> None:
    """Plan by BPI-KL: upper values, the greedy policy, and U as the gap."""
    n_stages, n_states, n_actions = policy.shape[1:]
    for h in range(n_stages - 1, -1, -1):
        left = float(n_stages - h)
        low, high = extremes(states[UPPER], h + 1)
        low_gap, high_gap = extremes(states[GAP], h + 1)
        for s in range(n_states):
            best, best_gap, action = -np.inf, 0.0, 0
            for a in range(n_actions):
                row = a * n_states + s
                width = min(1.0, math.sqrt(0.5 * pairs[RADIUS, h, row]))
                mean, mean_gap = 0.0, 0.0
                for t in range(n_states):
                    mean += laws[EMPIRICAL, h, row, t] * states[UPPER, h + 1, t]
                    mean_gap += laws[EMPIRICAL, h, row, t] * states[GAP, h + 1, t]
                bonus = (high - low) * width
                value = min(rewards[h, row] + mean + bonus, rewards[h, row] + high, left)
                pairs[TOP, h, row] = value
                if value > best:
                    best, action = value, a
                    best_gap = min(2.0 * bonus + mean_gap + (high_gap - low_gap) * width, high - low + high_gap, left)
            states[UPPER, h, s] = best
            states[GAP, h, s] = best_gap
            choose(policy, h, s, action)


@kernel
def plan_variance(
    rewards: FloatArray,
    log_confidence: float,
    pairs: FloatArray,
    laws: FloatArray,
    states: FloatArray,
    policy: FloatArray,
) -> None:
    """Plan by BPI-UCBVI: upper and lower values, the greedy policy of the upper ones, and G as the gap."""
    n_stages, n_states, n_actions = policy.shape[1:]
    H = float(n_stages)
    for h in range(n_stages - 1, -1, -1):
        for s in range(n_states):
            best, lower, best_gap, action = -np.inf, -np.inf, 0.0, 0
            for a in range(n_actions):
                row = a * n_states + s
                mean_u, mean_l, square, mean_gap = 0.0, 0.0, 0.0, 0.0
                for t in range(n_states):
                    mass, value = laws[EMPIRICAL, h, row, t], states[UPPER, h + 1, t]
                    mean_u += mass * value
                    mean_l += mass * states[LOWER, h + 1, t]
                    square += mass * value * value
                    mean_gap += mass * states[GAP, h + 1, t]
                root, linear = 0.0, 0.0
                if h + 1 < n_stages:
                    n = max(pairs[VISITS, h, row], 1e-300)
                    growth = math.log(8.0 * math.e * (n + 1.0))
                    root = math.sqrt(max(square - mean_u * mean_u, 0.0) * (log_confidence + growth) / n)
                    linear = H * H * (log_confidence + n_states * growth) / n
                bonus = 3.0 * root + 14.0 * linear + (mean_u - mean_l) / H
                value = min(max(rewards[h, row] + mean_u + bonus, 0.0), H)
                lower = max(lower, min(max(rewards[h, row] + mean_l - bonus, 0.0), H))
                pairs[TOP, h, row] = value
                if value > best:
                    best, action = value, a
                    best_gap = min(H, 6.0 * root + 36.0 * linear + (1.0 + 3.0 / H) * mean_gap)
            states[UPPER, h, s] = best
            states[LOWER, h, s] = lower
            states[GAP, h, s] = best_gap
            choose(policy, h, s, action)


@kernel
def plan_reward_free(
    log_confidence: float, pairs: FloatArray, laws: FloatArray, states: FloatArray, policy: FloatArray
) -> None:
    """Plan by RF-Express: the largest W of a state as the gap, and the policy that attains it."""
    n_stages, n_states, n_actions = policy.shape[1:]
    H = float(n_stages)
    for h in range(n_stages - 1, -1, -1):
        for s in range(n_states):
            best, action = -np.inf, 0
            for a in range(n_actions):
                row = a * n_states + s
                width = 0.0
                if h + 1 < n_stages:
                    n = pairs[VISITS, h, row]
                    beta = log_confidence + n_states * math.log(8.0 * math.e * (n + 1.0))
                    width = 15.0 * H * H * beta / max(n, 1.0)
                    for t in range(n_states):
                        width += (1.0 + 1.0 / H) * laws[EMPIRICAL, h, row, t] * states[GAP, h + 1, t]
                if width > best:
                    best, action = width, a
            states[GAP, h, s] = min(H, best)
            choose(policy, h, s, action)
