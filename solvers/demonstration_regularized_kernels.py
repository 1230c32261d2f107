r"""Kernels of best-policy identification: counting, planning with certificates, episodes.

A run keeps, for each of the stages but the last one (whose rewards are known, so that nothing there needs data), the
counts of the pairs and of their next states. Planning turns them into the empirical law :math:`\hat p` (uniform without
a visit) and the radius x, and works backwards; it fills the same tables for all algorithms. The pair (s, a) is the row
``a * S + s``, as in `solvers.episodic`. Few arrays with a leading axis of meanings compile faster than many:

========== ================== ==========================================================================
array      shape              leading axis
========== ================== ==========================================================================
pairs      (5, H, S * A)      VISITS, COUNTED (the visits that the estimates rest on), RADIUS, TOP, BOTTOM
laws       (2, H, S * A, S)   MOVES (counts by next state), EMPIRICAL
states     (4, H + 1, S)      UPPER, LOWER, GAP (row H is zero), LOCAL (what of the gap arises in a state)
policy     (2, H, S, A)       LAW, CDF (its distribution functions)
widest     (H, S)             the action of the widest bounds
========== ================== ==========================================================================

TOP and BOTTOM are the upper and lower action values. Every constant that tells a certified algorithm from a mutant is
an entry of `Rules`.
"""

import math
from typing import NamedTuple

import numpy as np

from mdps.jit import kernel
from mdps.kernels import WordArray, uniform
from mdps.validation import FloatArray, IntArray
from solvers.episodic import draw_row

VISITS, COUNTED, RADIUS, TOP, BOTTOM = range(5)
MOVES, EMPIRICAL = range(2)
UPPER, LOWER, GAP, LOCAL = range(4)
LAW, CDF = range(2)

INVERSE, ADDITIVE, ADDITIVE_FIXED = 0, 1, 2
"""Propagation of the gap: by inversion of the divergence ball, by a bonus times the largest gap, or times H."""

HUGE = 1e200
"""A product of counts beyond this is turned into its logarithm."""

VIOLATION = 1e-9
"""Bounds that are missed by less are missed by rounding."""


class Rules(NamedTuple):
    """What tells the variants of UCBVI-Ent+ and its mutants apart."""

    span: bool  # whether a bonus multiplies the spread of the next values, or the range that they might have
    constant: float  # 8 of D^2 / (8 lambda)
    scale: float  # factor of sqrt(x / 2) in the bonuses of the action values
    propagation: int
    by_values: bool  # whether to stop by the difference of the upper and the lower value of the start
    exploration: bool  # whether one stage at random is played greedily in the width of the action values
    growth: float  # plan again when the number of episodes has grown by this factor
    log_confidence: float  # L
    lam: float
    epsilon: float
    limit: int


@kernel
def log_types(count: float, n_points: int) -> float:
    """Return log binom(count + n - 1, n - 1), the logarithm of the number of types of ``count`` draws of n points."""
    total, product = 0.0, 1.0
    for i in range(1, n_points):
        product *= 1.0 + count / i
        if product > HUGE:
            total += math.log(product)
            product = 1.0
    return total + math.log(product)


@kernel
def estimate(pairs: FloatArray, laws: FloatArray, log_confidence: float) -> None:
    """Renew the empirical laws and the radii of the pairs that were visited since."""
    n_stages, n_rows, n_states = laws.shape[1:]
    for h in range(n_stages - 1):
        for row in range(n_rows):
            n = pairs[VISITS, h, row]
            if n != pairs[COUNTED, h, row]:
                pairs[COUNTED, h, row] = n
                pairs[RADIUS, h, row] = (log_confidence + log_types(n, n_states)) / n
                for t in range(n_states):
                    laws[EMPIRICAL, h, row, t] = laws[MOVES, h, row, t] / n


@kernel
def extremes(values: FloatArray, h: int) -> tuple[float, float]:
    """Return the least and the largest entry of a stage of ``values (H + 1, S)``."""
    low, high = np.inf, -np.inf
    for s in range(values.shape[1]):
        low = min(low, values[h, s])
        high = max(high, values[h, s])
    return low, high


@kernel
def bound_stage(
    pairs: FloatArray, laws: FloatArray, states: FloatArray, rewards: FloatArray, span: bool, scale: float, h: int
) -> None:
    """Fill the upper and the lower action values of a stage."""
    n_stages, n_rows, n_states = laws.shape[1:]
    low_u, high_u = extremes(states[UPPER], h + 1)
    low_l, high_l = extremes(states[LOWER], h + 1)
    left = float(n_stages - h)
    spread_u = high_u - low_u if span else left - 1.0
    spread_l = high_l - low_l if span else left - 1.0
    for row in range(n_rows):
        reward = rewards[h, row]
        radius = pairs[RADIUS, h, row]
        width = min(1.0, scale * math.sqrt(0.5 * radius)) if radius < np.inf else 1.0
        mean_u, mean_l = 0.0, 0.0
        for t in range(n_states):
            mass = laws[EMPIRICAL, h, row, t]
            mean_u += mass * states[UPPER, h + 1, t]
            mean_l += mass * states[LOWER, h + 1, t]
        pairs[TOP, h, row] = min(reward + mean_u + spread_u * width, reward + high_u, left)
        pairs[BOTTOM, h, row] = max(reward + mean_l - spread_l * width, reward + low_l, 0.0)


@kernel
def soft_value(base: FloatArray, lam: float, values: FloatArray, h: int, s: int, row: FloatArray) -> float:
    """Return the soft maximum of ``values (H, S * A)`` in one state, and fill ``row`` with the law that attains it."""
    n_states, n_actions = base.shape[1:]
    top, total = -np.inf, 0.0
    for a in range(n_actions):
        row[a] = base[h, s, a] + values[h, a * n_states + s] / lam
        top = max(top, row[a])
    for a in range(n_actions):
        row[a] = math.exp(row[a] - top)
        total += row[a]
    for a in range(n_actions):
        row[a] /= total
    return lam * (top + math.log(total))


@kernel
def gap_stage(
    pairs: FloatArray, laws: FloatArray, states: FloatArray, policy: FloatArray, widest: IntArray, rules: Rules, h: int
) -> None:
    """Fill the gaps of a stage."""
    n_stages, n_states, n_actions = policy.shape[1:]
    largest = extremes(states[GAP], h + 1)[1]
    for s in range(n_states):
        width, later = -np.inf, 0.0
        for a in range(n_actions):
            row = a * n_states + s
            if pairs[TOP, h, row] - pairs[BOTTOM, h, row] > width:
                widest[h, s] = a
                width = pairs[TOP, h, row] - pairs[BOTTOM, h, row]
            radius, mean = pairs[RADIUS, h, row], 0.0
            for t in range(n_states):
                mean += laws[EMPIRICAL, h, row, t] * states[GAP, h + 1, t]
            if rules.propagation == INVERSE:
                half = 0.5 * largest * radius
                part = largest
                if radius < np.inf:
                    part = min(largest, (math.sqrt(half) + math.sqrt(half + mean)) ** 2)
            elif rules.propagation == ADDITIVE:
                part = min(largest, mean + largest * min(1.0, math.sqrt(0.5 * radius)))
            else:
                part = mean + n_stages * min(1.0, math.sqrt(0.5 * radius))
            later += policy[LAW, h, s, a] * part
        states[LOCAL, h, s] = min(width * width / (rules.constant * rules.lam), width)
        states[GAP, h, s] = states[LOCAL, h, s] + (later if h + 1 < n_stages else 0.0)


@kernel
def plan_entropy(
    initial: FloatArray,
    rewards: FloatArray,
    base: FloatArray,
    rules: Rules,
    pairs: FloatArray,
    laws: FloatArray,
    states: FloatArray,
    policy: FloatArray,
    widest: IntArray,
) -> float:
    """Plan by UCBVI-Ent+; ``base (H, S, A)`` is the logarithm of the reference.

    Returns
    -------
    The statistic of the stopping rule.
    """
    n_stages, n_states, n_actions = base.shape
    for h in range(n_stages - 1, -1, -1):
        if h + 1 < n_stages:
            bound_stage(pairs, laws, states, rewards, rules.span, rules.scale, h)
        else:
            for row in range(rewards.shape[1]):
                pairs[TOP, h, row] = pairs[BOTTOM, h, row] = rewards[h, row]
        for s in range(n_states):
            states[LOWER, h, s] = soft_value(base, rules.lam, pairs[BOTTOM], h, s, policy[LAW, h, s])
            states[UPPER, h, s] = soft_value(base, rules.lam, pairs[TOP], h, s, policy[LAW, h, s])
            total = 0.0
            for a in range(n_actions):
                total += policy[LAW, h, s, a]
                policy[CDF, h, s, a] = total if a + 1 < n_actions else np.inf
        gap_stage(pairs, laws, states, policy, widest, rules, h)
    statistic = 0.0
    for s in range(n_states):
        width = states[UPPER, 0, s] - states[LOWER, 0, s]
        statistic += initial[s] * (width if rules.by_values else states[GAP, 0, s])
    return statistic


@kernel
def play(
    initial_cdf: FloatArray,
    next_cdf: FloatArray,
    policy: FloatArray,
    widest: IntArray,
    exploration: bool,
    episodes: int,
    state: WordArray,
    lane: int,
    pairs: FloatArray,
    laws: FloatArray,
) -> None:
    """Play episodes up to the last stage, and count them."""
    n_stages, n_states = widest.shape
    n_kernels = next_cdf.shape[0]
    for _ in range(episodes):
        explored = int(uniform(state, lane) * n_stages) if exploration else 0
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
            g = h if n_kernels > 1 else 0
            s = draw_row(next_cdf, g, row, uniform(state, lane))
            pairs[VISITS, h, row] += 1.0
            laws[MOVES, h, row, s] += 1.0


@kernel
def compare(
    transitions: FloatArray,
    rewards: FloatArray,
    initial: FloatArray,
    q_star: FloatArray,
    pairs: FloatArray,
    states: FloatArray,
    policy: FloatArray,
    values: FloatArray,
) -> tuple[float, float]:
    r"""Compare a plan of UCBVI-Ent+ with the true model.

    The divergence of the policy from the reference costs :math:`\sum_a \pi(a) \bar Q(s, a) - \bar V(s)`.

    Returns
    -------
    By how much optimal action values ``(H, S * A)`` are outside the bounds, at most (negative if all are inside), and
    the true regularised value of the policy at the start. ``values (H + 1, S)`` is scratch; its last row is zero.
    """
    n_stages, n_states, n_actions = policy.shape[1:]
    n_rows = n_states * n_actions
    stationary = transitions.size == n_rows * n_states
    worst, start = -np.inf, 0.0
    for h in range(n_stages - 1, -1, -1):
        first = 0 if stationary else h * n_rows
        for s in range(n_states):
            total = states[UPPER, h, s]
            for a in range(n_actions):
                row = a * n_states + s
                worst = max(worst, q_star[h, row] - pairs[TOP, h, row], pairs[BOTTOM, h, row] - q_star[h, row])
                value = rewards[h, row] - pairs[TOP, h, row]
                for t in range(n_states):
                    value += transitions[(first + row) * n_states + t] * values[h + 1, t]
                total += policy[LAW, h, s, a] * value
            values[h, s] = total
    for s in range(n_states):
        start += initial[s] * values[0, s]
    return worst, start


@kernel
def identify(
    state: WordArray,
    lane: int,
    initial: FloatArray,
    initial_cdf: FloatArray,
    next_cdf: FloatArray,
    transitions: FloatArray,
    rewards: FloatArray,
    base: FloatArray,
    rules: Rules,
    q_star: FloatArray,
    optimal: float,
    pairs: FloatArray,
    laws: FloatArray,
    states: FloatArray,
    policy: FloatArray,
    widest: IntArray,
    values: FloatArray,
) -> tuple[int, bool, float, int, int, float, float]:
    """Run UCBVI-Ent+ until its stopping rule holds, or up to the limit; ``q_star`` is empty if nothing is compared.

    Returns
    -------
    Number of episodes, whether it stopped, last statistic, number of plans, number of episodes before the first plan
    whose bounds miss an optimal action value (-1: none), largest violation, and largest excess of the true gap over the
    statistic.
    """
    episodes, plans, first = 0, 0, -1
    worst, excess = -np.inf, -np.inf
    while True:
        estimate(pairs, laws, rules.log_confidence)
        statistic = plan_entropy(initial, rewards, base, rules, pairs, laws, states, policy, widest)
        plans += 1
        if q_star.shape[0] > 0:
            violation, start = compare(transitions, rewards, initial, q_star, pairs, states, policy, values)
            if violation > VIOLATION and first < 0:
                first = episodes
            worst = max(worst, violation)
            excess = max(excess, optimal - start - statistic)
        if statistic <= rules.epsilon or episodes >= rules.limit:
            return episodes, statistic <= rules.epsilon, statistic, plans, first, worst, excess
        due = min(max(episodes + 1, math.ceil(rules.growth * episodes)), rules.limit)
        play(initial_cdf, next_cdf, policy, widest, rules.exploration, due - episodes, state, lane, pairs, laws)
        episodes = due
