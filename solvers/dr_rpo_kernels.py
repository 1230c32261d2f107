r"""Kernels of the optimistic robust learners: sufficient statistics, empirical factor backups, plans, episodes.

Per stage h a learner keeps :math:`\Lambda^{-1}` (Sherman and Morrison's formula, refreshed by Cholesky's) and
:math:`W = \Lambda^{-1} M` with :math:`M = \sum_\tau \phi_\tau e_{s'_\tau}^\top`, ``(d, S)``, so that
:math:`\Lambda^{-1} \sum_\tau \phi_\tau f(s'_\tau) = W f` for any f: nothing grows with the number of episodes. After a
step :math:`(\phi, s')`, with :math:`g = \Lambda^{-1} \phi / (1 + \phi^\top \Lambda^{-1} \phi)`,

.. math:: \Lambda^{-1} \leftarrow \Lambda^{-1} - g\, (\Lambda^{-1} \phi)^\top, \qquad
          W \leftarrow W + g\, (e_{s'} - W^\top \phi)^\top .

The entries of W have signs. The empirical dual of total variation, :math:`W_i \min(V, \alpha) - \rho \alpha`, is
therefore piecewise linear in :math:`\alpha` but not concave, and is scanned over all its breakpoints; that of chi2 over
its breakpoints, vertices and the points where a moment meets its clip.

States that were never reached at a stage have zero columns in W: their values are neither needed nor computed.
"""

import math
from typing import NamedTuple

import numpy as np

from mdps.jit import kernel
from mdps.kernels import WordArray, draw_cdf, uniform
from mdps.validation import FloatArray, IntArray

TV_CONSTRAINED, TV_REGULARISED, KL_REGULARISED, CHI2_REGULARISED = 0, 1, 2, 3
"""Sets with an empirical backup."""

LINEAR, ROOT, ELLIPTIC = 0, 1, 2
"""Bonuses: beta times sum_i phi_i g_i, sqrt(sum_i phi_i^2 g_i^2), or sqrt(phi' Lambda^{-1} phi)."""

REFRESH = 1000
"""Updates between two computations of the inverse from scratch."""


class Problem(NamedTuple):
    """A model as the kernels take it."""

    features: FloatArray  # (H, S, A, d)
    cdf: FloatArray  # (H, S, A, S): distribution functions of the next state
    initial_cdf: FloatArray  # (S,)
    weights: FloatArray  # (H, d)
    levels: FloatArray  # (H, d)
    ceilings: FloatArray  # (H, d): clips of the backups
    caps: FloatArray  # (H,): clips of Q
    betas: FloatArray  # (H,)
    base: FloatArray  # (S, A): reference in the values
    played: FloatArray  # (S, A): reference in the policy that is played; the same but in a mutant


class Rules(NamedTuple):
    """What tells the learners apart."""

    kind: int
    bonus: int
    eta: float
    ridge: float
    floor: float  # lower clip of backups and of Q
    fail: int  # -1: none
    regressed: bool  # whether rewards are estimated as well
    rare: bool  # whether a new plan waits until a determinant has doubled
    kept: bool  # whether the inverse of the plan is needed


class Memory(NamedTuple):
    """What a learner has seen, and its plan."""

    covariance: FloatArray  # (H, d, d)
    inverse: FloatArray  # (H, d, d)
    moments: FloatArray  # (H, d, S): M
    regression: FloatArray  # (H, d, S): W
    updates: IntArray  # (H,)
    growth: FloatArray  # (H,): log det Lambda since the last plan
    reached: IntArray  # (H, S): the states reached at a stage, in ascending order of their values
    counts: IntArray  # (H,): how many they are
    known: IntArray  # (H, S): whether a state is among them
    valued: IntArray  # (H,): how many have a value that no longer changes, at a stage where nothing is estimated
    values: FloatArray  # (H, S)
    plan: FloatArray  # (H, d): theta + nu + beta g, the last term for the linear bonus only
    backups: FloatArray  # (H, d)
    widths: FloatArray  # (H, d): g
    frozen: FloatArray  # (H, d, d): the inverse at the time of the plan


class Trace(NamedTuple):
    """Copies of the plan at the recorded episodes."""

    plan: FloatArray  # (R, H, d)
    backups: FloatArray  # (R, H, d)
    widths: FloatArray  # (R, H, d)
    inverses: FloatArray  # (R, H, d, d)


@kernel
def sort_states(states: IntArray, n: int, values: FloatArray) -> None:
    """Sort the first n states by their values; insertion, as they nearly are in order from the plan before."""
    for k in range(1, n):
        state = states[k]
        j = k
        while j > 0 and values[states[j - 1]] > values[state]:
            states[j] = states[j - 1]
            j -= 1
        states[j] = state


@kernel
def scan_tv(row: FloatArray, states: IntArray, n: int, values: FloatArray, radius: float) -> float:
    """Return the largest of W min(V, alpha) - radius alpha over alpha = 0 and all values; these are nonnegative."""
    rest = 0.0
    for k in range(n):
        rest += row[states[k]]
    best, below = 0.0, 0.0
    for k in range(n):
        s = states[k]
        below += row[s] * values[s]
        rest -= row[s]
        best = max(best, below + values[s] * (rest - radius))
    return best


@kernel
def chi2_dual(one: float, two: float, cap: float, penalty: float) -> float:
    """Return the dual m1 - (m2 - m1^2) / (4 sigma) of moments that are clipped to [0, cap] and [0, cap^2]."""
    m1 = min(max(one, 0.0), cap)
    m2 = min(max(two, 0.0), cap * cap)
    return m1 - (m2 - m1 * m1) / (4.0 * penalty)


@kernel
def scan_chi2(row: FloatArray, states: IntArray, n: int, values: FloatArray, penalty: float, cap: float) -> float:
    """Return the largest clipped dual over thresholds: on an interval m1 = a + b alpha and m2 = c + b alpha^2."""
    a, b, c = 0.0, 0.0, 0.0
    for k in range(n):
        b += row[states[k]]
    best, low = 0.0, 0.0
    points = np.empty(6)
    for k in range(n):
        s = states[k]
        high = values[s]
        if high > low:
            points[0] = high
            points[1] = (2.0 * penalty + a) / (1.0 - b) if b != 1.0 else high
            points[2] = -a / b if b != 0.0 else high
            points[3] = (cap - a) / b if b != 0.0 else high
            points[4] = math.sqrt(-c / b) if b != 0.0 and -c / b > 0.0 else high
            points[5] = math.sqrt((cap * cap - c) / b) if b != 0.0 and (cap * cap - c) / b > 0.0 else high
            for p in points:
                if low < p <= high:
                    best = max(best, chi2_dual(a + b * p, c + b * p * p, cap, penalty))
            low = high
        a += row[s] * high
        c += row[s] * high * high
        b -= row[s]
    return best


@kernel
def factor_backup(
    kind: int, row: FloatArray, states: IntArray, n: int, values: FloatArray, level: float, cap: float
) -> float:
    """Return the empirical backup of one factor before its last clip; 0 is the value of the fail state."""
    if kind == TV_CONSTRAINED:
        return scan_tv(row, states, n, values, level)
    if kind == CHI2_REGULARISED and level < np.inf:
        return scan_chi2(row, states, n, values, level, cap)
    if kind == KL_REGULARISED and level < np.inf:
        x = 1.0
        for k in range(n):
            s = states[k]
            x += row[s] * math.expm1(-values[s] / level)
        return -level * math.log(min(max(x, math.exp(-cap / level)), 1.0))
    total = 0.0
    for k in range(n):
        s = states[k]
        total += row[s] * (min(values[s], level) if kind == TV_REGULARISED else values[s])
    return total


@kernel
def learns(problem: Problem, rules: Rules, h: int, H: int) -> bool:
    """Whether anything is estimated at a stage: at the last one only if rewards are, or if there is a bonus."""
    return h + 1 < H or rules.regressed or problem.betas[h] > 0.0


@kernel
def plan_row(problem: Problem, rules: Rules, memory: Memory, h: int, s: int, q: FloatArray) -> float:
    """Fill ``q`` with the clipped optimistic values of the actions, and return their regularised maximum."""
    A, d = q.shape[0], memory.plan.shape[1]
    if s == rules.fail:
        q[:] = 0.0
        return 0.0
    top = -np.inf
    for a in range(A):
        value, square = 0.0, 0.0
        for i in range(d):
            phi = problem.features[h, s, a, i]
            if phi != 0.0:
                value += phi * memory.plan[h, i]
                if rules.bonus == ROOT:
                    square += (phi * memory.widths[h, i]) ** 2
                elif rules.bonus == ELLIPTIC:
                    for j in range(d):
                        square += phi * memory.frozen[h, i, j] * problem.features[h, s, a, j]
        value += problem.betas[h] * math.sqrt(max(square, 0.0))
        q[a] = min(max(value, rules.floor), problem.caps[h])
        top = max(top, q[a])
    if rules.eta == 0.0:
        return top
    total = 0.0
    for a in range(A):
        total += problem.base[s, a] * math.exp((q[a] - top) / rules.eta)
    return top + rules.eta * math.log(total)


@kernel
def plan_stages(problem: Problem, rules: Rules, memory: Memory, q: FloatArray) -> None:
    """Plan backwards from what was seen."""
    H, d = memory.plan.shape
    for h in range(H - 1, -1, -1):
        n = memory.counts[h + 1] if h + 1 < H else 0
        if n > 0:
            sort_states(memory.reached[h + 1], n, memory.values[h + 1])
        for i in range(d):
            nu = 0.0
            if n > 0:
                cap = problem.ceilings[h, i]
                row, states, values = memory.regression[h, i], memory.reached[h + 1], memory.values[h + 1]
                nu = factor_backup(rules.kind, row, states, n, values, problem.levels[h, i], cap)
                nu = min(max(nu, rules.floor), cap)
            width = math.sqrt(memory.inverse[h, i, i])
            memory.backups[h, i] = nu
            memory.widths[h, i] = width
            memory.plan[h, i] = problem.weights[h, i] + nu
            if rules.bonus == LINEAR:
                memory.plan[h, i] += problem.betas[h] * width
            for j in range(d if rules.kept else 0):
                memory.frozen[h, i, j] = memory.inverse[h, i, j]
            for j in range(d if rules.regressed else 0):
                memory.plan[h, i] -= rules.ridge * memory.inverse[h, i, j] * problem.weights[h, j]
        memory.growth[h] = 0.0
        if h > 0:
            if h == H - 1 and not learns(problem, rules, h, H):
                first, memory.valued[h] = memory.valued[h], memory.counts[h]
            else:
                first = 0
            for k in range(first, memory.counts[h]):
                s = memory.reached[h, k]
                memory.values[h, s] = plan_row(problem, rules, memory, h, s, q)


@kernel
def cholesky_inverse(matrix: FloatArray, inverse: FloatArray) -> None:
    """Fill ``inverse`` with that of a positive definite ``matrix`` L L', as the product of those of its factors."""
    d = matrix.shape[0]
    lower, back = np.zeros((d, d)), np.zeros((d, d))
    for i in range(d):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            lower[i, j] = math.sqrt(total) if i == j else total / lower[j, j]
        for j in range(i + 1):
            total = 1.0 if i == j else 0.0
            for k in range(j, i):
                total -= lower[i, k] * back[k, j]
            back[i, j] = total / lower[i, i]
    for i in range(d):
        for j in range(d):
            total = 0.0
            for k in range(max(i, j), d):
                total += back[k, i] * back[k, j]
            inverse[i, j] = total


@kernel
def refresh(memory: Memory, h: int) -> None:
    """Compute the inverse and W of a stage anew."""
    d, S = memory.moments.shape[1:]
    cholesky_inverse(memory.covariance[h], memory.inverse[h])
    for i in range(d):
        for s in range(S):
            total = 0.0
            for j in range(d):
                total += memory.inverse[h, i, j] * memory.moments[h, j, s]
            memory.regression[h, i, s] = total


@kernel
def observe(memory: Memory, h: int, phi: FloatArray, following: int, g: FloatArray) -> None:
    """Add one step to the statistics of a stage; ``g`` is scratch of length d."""
    d, S = memory.moments.shape[1:]
    norm = 1.0
    for i in range(d):
        g[i] = 0.0
        for j in range(d):
            if phi[j] != 0.0:
                g[i] += memory.inverse[h, i, j] * phi[j]
        norm += phi[i] * g[i]
    for s in range(S):
        residual = 1.0 if s == following else 0.0
        for j in range(d):
            if phi[j] != 0.0:
                residual -= memory.regression[h, j, s] * phi[j]
        if residual != 0.0:
            for i in range(d):
                memory.regression[h, i, s] += g[i] / norm * residual
    for i in range(d):
        memory.moments[h, i, following] += phi[i]
        for j in range(d):
            memory.covariance[h, i, j] += phi[i] * phi[j]
            memory.inverse[h, i, j] -= g[i] * g[j] / norm
    memory.growth[h] += math.log(norm)
    memory.updates[h] += 1
    if memory.updates[h] % REFRESH == 0:
        refresh(memory, h)


@kernel
def play(
    problem: Problem, rules: Rules, memory: Memory, state: WordArray, lane: int, q: FloatArray, g: FloatArray
) -> None:
    """Play one episode in the nominal model and learn from it."""
    H = memory.plan.shape[0]
    A = q.shape[0]
    s = draw_cdf(problem.initial_cdf, uniform(state, lane))
    for h in range(H):
        top = -np.inf
        plan_row(problem, rules, memory, h, s, q)
        action, total = 0, 0.0
        for a in range(A):
            if q[a] > top:
                top, action = q[a], a
        if rules.eta > 0.0:
            for a in range(A):
                q[a] = problem.played[s, a] * math.exp((q[a] - top) / rules.eta)
                total += q[a]
            rest = uniform(state, lane) * total
            action = A - 1
            for a in range(A - 1):
                rest -= q[a]
                if rest < 0.0:
                    action = a
                    break
        following = draw_cdf(problem.cdf[h, s, action], uniform(state, lane))
        if learns(problem, rules, h, H):
            observe(memory, h, problem.features[h, s, action], following, g)
        if h + 1 < H and memory.known[h + 1, following] == 0:
            memory.known[h + 1, following] = 1
            memory.reached[h + 1, memory.counts[h + 1]] = following
            memory.counts[h + 1] += 1
        s = following


@kernel
def learn(
    points: IntArray, state: WordArray, lane: int, problem: Problem, rules: Rules, memory: Memory, trace: Trace
) -> int:
    """Play the episodes 1, ..., points[-1], record the plans of those named, and return the number of plans made."""
    A, d = problem.base.shape[1], memory.plan.shape[1]
    q, g = np.empty(A), np.empty(d)
    recorded, plans = 0, 0
    for episode in range(1, points[-1] + 1):
        doubled = episode == 1 or not rules.rare
        for h in range(memory.growth.shape[0]):
            doubled = doubled or memory.growth[h] >= 0.6931471805599453
        if doubled:
            plan_stages(problem, rules, memory, q)
            plans += 1
        if episode == points[recorded]:
            trace.plan[recorded] = memory.plan
            trace.backups[recorded] = memory.backups
            trace.widths[recorded] = memory.widths
            if trace.inverses.shape[0] > 0:
                trace.inverses[recorded] = memory.frozen
            recorded += 1
        play(problem, rules, memory, state, lane, q, g)
    return plans
