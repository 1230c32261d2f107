r"""UCBVI: optimistic value iteration with bonuses of explicit constants.

Stages are numbered h = 1, ..., H here and from 0 in the code; rewards are known and lie in [0, 1], transitions are not.
Before each episode, with counts n and empirical kernels :math:`\hat p = n(\cdot, t) / n`, backwards from
:math:`V_{H+1} = 0`,

.. math:: Q_h(s, a) = \min\{ Q_h^{\text{before}}(s, a),\; C_h,\; r_h(s, a) + \hat p V_{h+1}(s, a) + b_h(s, a) \},
          \qquad V_h(s) = \max_a Q_h(s, a),

and the greedy policy is played, ties to the lowest action. The first term of the minimum, the ceiling C, the bonus b,
the value of a pair without a visit and the pooling of the stages (one count for all) tell the variants apart:

=============================== ==================== ==================== ======= ========= =========================
variant                         bonus b              log term L           C       unvisited counts
=============================== ==================== ==================== ======= ========= =========================
`HOEFFDING`                     (1)                  log(6 S A H K/delta) H-h+1   r + H - h one a stage
`CHERNOFF_HOEFFDING`            7 H L / sqrt(n)      log(5 S A T/delta)   H       H         pooled; Q never increases
`BERNSTEIN_FREEDMAN`            (2)                  log(5 H S A T/delta) H       H         pooled; Q never increases
=============================== ==================== ==================== ======= ========= =========================

with T = K H and

.. math:: b_h = (H - h) \min\{1, \sqrt{L / (2 n)}\} \tag{1}

.. math:: b_h = \sqrt{\frac{8 L \operatorname{Var}_{\hat p}(V_{h+1})}{n}} + \frac{14 H L}{3 n}
    + \sqrt{\frac{8}{n} \sum_t \hat p(t) \min\Big\{ \frac{100^2 H^3 S^2 A L^2}{N'_{h+1}(t)},\, H^2 \Big\}} \tag{2}

where :math:`N'_h(t)` counts the episodes that were in state t at stage h, the state after the last action included. The
last two are the algorithms of Azar et al. for one kernel shared by all stages. The first, for a kernel per stage, is an
explicit-constant variant that is not published. Nothing is unknown at its last stage, so that Q = r there: with any
other value of unvisited pairs a learner would explore a bandit (H = 1) whose rewards it knows.

**Incremental planning.** An episode changes the counts of at most H pairs. With a count per stage, and a bonus that
needs no next values, a stage whose next values are unchanged is planned again at its visited pair only. Where reward
plus bonus of every visited pair is at the ceiling already, the next values are not read. Both give what planning all of
it gives, bit for bit.

References
----------
M. G. Azar, I. Osband and R. Munos (2017). Minimax regret bounds for reinforcement learning. ICML, PMLR 70:263-272;
Algorithms 1 to 4.
"""

from dataclasses import dataclass
from math import log
from typing import Literal, NamedTuple

import numpy as np

from mdps.jit import kernel
from mdps.kernels import WordArray, seed_lanes
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray
from solvers.episodic import (
    OptimismReport,
    RegretCurve,
    World,
    add_weighted,
    by_pair,
    by_row,
    evaluate_from,
    play,
    record_points,
    require_non_negative,
    require_positive,
    require_probability,
    require_unit_rewards,
    world,
)
from solvers.planning import backward_induction, policy_value

Range = Literal["remaining", "stage", "horizon", "one"]
"""A factor per stage h = 1, ..., H: H - h (the range of the next value), H - h + 1 (of the value), H, or 1."""

STRIDED_COST = 4
"""Planning a row alone costs as much as this many rows of a whole stage, which vectorises."""

OPTIMISM_TOLERANCE = 1e-9
"""A plan counts as optimistic when ``Q >= Q* - OPTIMISM_TOLERANCE`` everywhere: room for rounding only."""


@dataclass(frozen=True)
class BonusSpec:
    r"""A variant of UCBVI: its bonus, and the rules that go with it. Nothing here is validated against a theorem.

    With L = ``log(log_constant * S * A * H ** log_horizon_power * K / delta)`` and R, R' the factors that
    ``hoeffding_range`` and ``linear_range`` name, the bonus of a pair that was visited n times is

    .. math:: b = \min\{\text{cap},\, c_1 R L^{e_1} / \sqrt n + c_2 R' L^{e_2} / n\} + \sqrt{c_3 L^{e_3} v / n}
              + \sqrt{\tfrac{c_4}{n} \textstyle\sum_t \hat p(t) \min\{c_5 H^3 S^2 A L^2 / N'_{h+1}(t), H^2\}} .

    `HOEFFDING`, `CHERNOFF_HOEFFDING` and `BERNSTEIN_FREEDMAN` are the variants that come with a theorem;
    ``dataclasses.replace`` makes others of them, about which no theorem says anything.

    Attributes
    ----------
    hoeffding, hoeffding_range, hoeffding_log_power
        c1, R and e1.
    saturate
        Whether cap is R (no bonus needs to exceed the range of what it covers); no cap otherwise.
    linear, linear_range, linear_log_power
        c2, R' and e2.
    variance, variance_log_power
        c3 and e3.
    variance_formula
        ``"variance"``: v is the variance of V_{h+1} under the empirical law. ``"product_std"``: v is
        ``np.std(p * V) ** 2`` of the elementwise product over next states, a published mistake, kept as a mutant.
    third, third_numerator
        c4 and c5.
    log_constant, log_horizon_power
        What stands inside the logarithm.
    clip
        The ceiling: ``"stage"`` is H - h + 1, ``"horizon"`` is H at every stage.
    unvisited
        Q of a pair without a visit: ``"reward"`` is r + H - h, ``"clip"`` is the ceiling. ``"reward only"`` is r, not
        optimistic: a mutant that never tries what pays late.
    monotone
        Whether Q may not exceed its value of the episode before.
    pooled
        Whether all stages share their counts (sound for a stationary kernel only).
    """

    name: str
    hoeffding: float = 0.0
    hoeffding_range: Range = "remaining"
    hoeffding_log_power: float = 0.5
    saturate: bool = False
    linear: float = 0.0
    linear_range: Range = "horizon"
    linear_log_power: float = 1.0
    variance: float = 0.0
    variance_log_power: float = 1.0
    variance_formula: Literal["variance", "product_std"] = "variance"
    third: float = 0.0
    third_numerator: float = 100.0**2
    log_constant: float = 5.0
    log_horizon_power: float = 1.0
    clip: Literal["stage", "horizon"] = "stage"
    unvisited: Literal["reward", "clip", "reward only"] = "reward"
    monotone: bool = False
    pooled: bool = False

    def log_term(self, mdp: FiniteHorizonMDP, episodes: int, delta: float) -> float:
        """Return L."""
        size = mdp.n_states * mdp.n_actions * float(mdp.horizon) ** self.log_horizon_power
        return log(self.log_constant * size * episodes / delta)


HOEFFDING = BonusSpec(name="hoeffding", hoeffding=0.5**0.5, saturate=True, log_constant=6.0)
"""One kernel a stage, bonus (1): an explicit-constant variant, not a published one."""

CHERNOFF_HOEFFDING = BonusSpec(
    name="chernoff-hoeffding",
    hoeffding=7.0,
    hoeffding_range="horizon",
    hoeffding_log_power=1.0,
    clip="horizon",
    unvisited="clip",
    monotone=True,
    pooled=True,
)
"""UCBVI-CH: Azar et al. (2017), Algorithms 1 to 3."""

BERNSTEIN_FREEDMAN = BonusSpec(
    name="bernstein-freedman",
    linear=14.0 / 3.0,
    variance=8.0,
    third=8.0,
    log_horizon_power=2.0,
    clip="horizon",
    unvisited="clip",
    monotone=True,
    pooled=True,
)
"""UCBVI-BF: Azar et al. (2017), Algorithms 1, 2 and 4, with the logarithm of their Theorem 2."""

HEURISTIC = BonusSpec(
    name="heuristic",
    hoeffding=1.0,
    hoeffding_range="one",
    hoeffding_log_power=0.0,
    linear=1.0,
    linear_range="stage",
    linear_log_power=0.0,
)
"""1 / sqrt(n) + (H - h + 1) / n, the shape of bonus that teaching libraries ship. No theorem covers it."""

BONUSES = {spec.name: spec for spec in (HOEFFDING, CHERNOFF_HOEFFDING, BERNSTEIN_FREEDMAN, HEURISTIC)}


KNOWN, UPPER, Q = 0, 1, 2
"""Tables of `Memory.tables`."""

BY_ROOT, BY_COUNT, CAP, CEILING = 0, 1, 2, 3
"""Rows of `Bonus.stages`."""


class Bonus(NamedTuple):
    """The numbers of a `BonusSpec` for one model, as the kernels take them."""

    stages: FloatArray  # (4, H): factors of 1 / sqrt(n) and of 1 / n, largest sum of the two, ceiling of Q
    variance: float  # factor of v / n, inside the root
    product_std: bool
    third: float
    numerator: float
    largest: float  # H^2, the most that one term of the third part counts
    scale: float
    monotone: bool


class Memory(NamedTuple):
    """What a learner has seen and planned. G is 1 if the stages are pooled, else H; a row is ``a * S + s``."""

    moves: FloatArray  # (G, S, S * A): visits to a row that went on to t, at [., t, row]; float32 where that is exact
    visits: FloatArray  # (2, G, S * A): n, and 1 / n (0 for n = 0)
    tables: FloatArray  # (3, H, S * A): reward plus the bonus that needs no next values (inf for n = 0), limit, Q
    below: IntArray  # (H,): number of rows with KNOWN < UPPER, for which alone the next values matter
    arrivals: FloatArray  # (2, H + 1, S): N', and min{numerator / N', largest}
    values: FloatArray  # (H + 1, S)
    policy: IntArray  # (H, S)
    truth: FloatArray  # (H + 1, S): true values of the policy
    path: IntArray  # (2, H + 1): states and rows of the last episode
    means: FloatArray  # (S * A,): of the next values; scratch, as all that follows
    widths: FloatArray  # (S * A,): the part of the bonus that depends on the next values
    sums: FloatArray  # (S * A,)
    best: FloatArray  # (S,)
    actions: IntArray  # (S,)


def run_ucbvi(
    mdp: FiniteHorizonMDP,
    *,
    episodes: int,
    seeds: np.random.SeedSequence,
    delta: float = 0.1,
    bonus: BonusSpec | str = HOEFFDING,
    runs: int = 1,
    scale: float = 1.0,
    record: int = 64,
    keep_visits: bool = False,
    keep_plans: bool = False,
    check_optimism: bool = False,
) -> RegretCurve:
    """Run UCBVI ``runs`` times, independently, and return the exact regret.

    Parameters
    ----------
    mdp
        The true model; mean rewards in [0, 1], taken as known to the learner whatever the reward law.
    episodes
        K, which the bonuses of every variant must know.
    seeds
        Not consumed. Run i depends on ``seeds`` and i only, not on ``runs``.
    delta
        Probability with which the guarantee may fail, in (0, 1).
    bonus
        A `BonusSpec`, or a name of `BONUSES`.
    scale
        Factor of the whole bonus. Only ``scale >= 1`` is covered by the proofs of optimism, and only 1 by the theorems.
    record
        Number of log-spaced records of the regret.
    keep_visits, keep_plans
        Whether to return the final counts, and the Q of the last plan.
    check_optimism
        Whether to compare each plan with Q* (at the pairs that the plan changed; costs up to as much as planning).

    Raises
    ------
    ValueError
        For an argument outside its domain, or a variant that pools the stages of a non-stationary model.
    """
    spec = _spec(bonus)
    points = record_points(episodes, record)
    require_positive("runs", runs)
    _require_setting(spec, mdp, delta, scale)
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    optimum = backward_induction(mdp, keep_q_values=check_optimism)
    q_star = np.empty((0, S * A)) if optimum.q_values is None else by_row(optimum.q_values)
    numbers = bonus_numbers(spec, mdp, episodes, delta, scale)
    memory = new_memory(H, S, A, episodes, pooled=spec.pooled)
    start = unvisited_values(spec, mdp)
    setting = (world(mdp), numbers, memory, q_star, policy_value(mdp, optimum.values))
    regret, changes = np.empty((runs, points.size)), np.empty(runs, dtype=np.int64)
    first, largest = np.empty(runs, dtype=np.int64), np.empty(runs)
    visits = np.empty((runs, memory.visits.shape[1], S, A), dtype=np.int64)
    plans = np.empty((runs, H, S, A))
    state = seed_lanes(seeds, runs)
    for run in range(runs):
        forget(memory, start, numbers.largest)
        changes[run], first[run], largest[run] = learn(points, state, run, *setting, regret[run])
        visits[run] = by_pair(memory.visits[0], S)
        plans[run] = by_pair(memory.tables[Q], S)
    optimism = OptimismReport(first, largest) if check_optimism else None
    seen, planned = visits if keep_visits else None, plans if keep_plans else None
    return RegretCurve(points, regret, changes, seen, optimism, planned)


def bonus_numbers(spec: BonusSpec, mdp: FiniteHorizonMDP, episodes: int, delta: float, scale: float = 1.0) -> Bonus:
    """Return the numbers of a variant of UCBVI for one model, number of episodes and delta."""
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    log_term = spec.log_term(mdp, episodes, delta)
    spread = stage_range(spec.hoeffding_range, H)
    stages = np.empty((4, H))
    stages[BY_ROOT] = spec.hoeffding * spread * log_term**spec.hoeffding_log_power
    stages[BY_COUNT] = spec.linear * stage_range(spec.linear_range, H) * log_term**spec.linear_log_power
    stages[CAP] = spread if spec.saturate else np.inf
    stages[CEILING] = stage_range(spec.clip, H)
    return Bonus(
        stages=stages,
        variance=spec.variance * log_term**spec.variance_log_power,
        product_std=spec.variance_formula == "product_std",
        third=float(spec.third),
        numerator=spec.third_numerator * H**3 * S**2 * A * log_term**2,
        largest=float(H**2),
        scale=float(scale),
        monotone=spec.monotone,
    )


def unvisited_values(spec: BonusSpec, mdp: FiniteHorizonMDP) -> FloatArray:
    """Return Q of the pairs without a visit, ``(H, S, A)``."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    if spec.unvisited == "clip":
        return np.array(np.broadcast_to(stage_range(spec.clip, mdp.horizon)[:, None, None], shape))
    if spec.unvisited == "reward only":
        return np.array(np.broadcast_to(mdp.rewards, shape))
    return np.broadcast_to(mdp.rewards, shape) + stage_range("remaining", mdp.horizon)[:, None, None]


def stage_range(name: Range, horizon: int) -> FloatArray:
    """Return the factor of each stage, ``(H,)``; the first of them is stage h = 1 of the papers."""
    if name in ("remaining", "stage"):
        return np.arange(horizon - 1, -1, -1, dtype=np.float64) + (name == "stage")
    return np.full(horizon, float(horizon) if name == "horizon" else 1.0)


def _require_setting(spec: BonusSpec, mdp: FiniteHorizonMDP, delta: float, scale: float) -> None:
    require_probability("delta", delta)
    require_non_negative("scale", scale)
    require_unit_rewards(mdp)
    if spec.pooled and not mdp.stationary:
        raise ValueError(f"bonus {spec.name!r} pools the stages, but the model has {mdp.horizon} transition kernels")


def _spec(bonus: BonusSpec | str) -> BonusSpec:
    if isinstance(bonus, BonusSpec):
        return bonus
    if bonus not in BONUSES:
        raise ValueError(f"bonus is {bonus!r}, not a BonusSpec nor one of {', '.join(BONUSES)}")
    return BONUSES[bonus]


def new_memory(n_stages: int, n_states: int, n_actions: int, episodes: int, *, pooled: bool) -> Memory:
    """Allocate the memory of a learner; `forget` fills it."""
    H, S, rows, groups = n_stages, n_states, n_states * n_actions, 1 if pooled else n_stages
    exact_in_float32 = episodes * (H // groups) < 2**24  # halves what planning reads
    return Memory(
        moves=np.empty((groups, S, rows), dtype=np.float32 if exact_in_float32 else np.float64),
        visits=np.empty((2, groups, rows)),
        tables=np.empty((3, H, rows)),
        below=np.empty(H, dtype=np.int64),
        arrivals=np.empty((2, H + 1, S)),
        values=np.empty((H + 1, S)),
        policy=np.empty((H, S), dtype=np.int64),
        truth=np.empty((H + 1, S)),
        path=np.empty((2, H + 1), dtype=np.int64),
        means=np.empty(rows),
        widths=np.empty(rows),
        sums=np.empty(rows),
        best=np.empty(S),
        actions=np.empty(S, dtype=np.int64),
    )


def forget(memory: Memory, start: FloatArray, largest: float) -> None:
    """Return to the state before the first episode: no counts, and Q is ``start``, ``(H, S, A)``."""
    for array in memory:
        array[...] = 0
    memory.tables[KNOWN] = np.inf
    memory.tables[UPPER:] = by_row(start)
    memory.arrivals[1] = largest
    memory.values[:-1] = start.max(axis=2)
    memory.policy[...] = start.argmax(axis=2)


@kernel
def learn(
    points: IntArray,
    state: WordArray,
    lane: int,
    world: World,
    bonus: Bonus,
    memory: Memory,
    q_star: FloatArray,
    optimal: float,
    regret: FloatArray,
) -> tuple[int, int, float]:
    """One run from a memory that was just cleared by `forget`: fill ``regret`` at the ``points``.

    ``q_star`` is ``(H, S * A)``, or empty if optimism is not to be checked.

    Returns
    -------
    Number of policy changes, first episode whose plan was not optimistic (0 if none), largest ``Q* - Q``.
    """
    initial, initial_cdf, next_cdf, transitions, rewards = world
    stages, variance, product_std, third, numerator, largest, scale, monotone = bonus
    moves, visits, tables, below, arrivals, values, policy, truth, path = memory[:9]
    means, widths, sums, best, actions = memory[9:]
    episodes = points[-1]
    worst = shortfall(q_star, tables)
    first = 1 if worst > OPTIMISM_TOLERANCE else 0
    gap = optimal - evaluate_from(transitions, rewards, initial, policy, truth, policy.shape[0] - 1)
    total, since, changes, record = 0.0, 0, 0, 0
    for k in range(1, episodes + 1):
        play(initial_cdf, next_cdf, policy, state, lane, path)
        observe(path, rewards, stages, scale, moves, visits, tables, below)
        if k == points[record]:
            regret[record] = total + gap * (k - since)
            record += 1
        if k == episodes:
            break
        if third > 0.0:
            reweight(path, numerator, largest, arrivals)
        top = replan(
            path, moves, visits, arrivals, tables, below, values, policy,
            scale, variance, product_std, third, monotone, means, widths, sums, best, actions,
        )  # fmt: skip
        if q_star.shape[0] > 0:
            worst = max(worst, shortfall(q_star, tables))
            first = k + 1 if first == 0 and worst > OPTIMISM_TOLERANCE else first
        if top >= 0:
            total += gap * (k - since)
            since = k
            changes += 1
            gap = optimal - evaluate_from(transitions, rewards, initial, policy, truth, top)
    return changes, first, worst


@kernel
def observe(
    path: IntArray,
    rewards: FloatArray,
    stages: FloatArray,
    scale: float,
    moves: FloatArray,
    visits: FloatArray,
    tables: FloatArray,
    below: IntArray,
) -> None:
    """Count an episode, and renew the part of Q that needs no next values for the rows that it visited."""
    n_stages = rewards.shape[0]
    pooled = visits.shape[1] == 1
    for visit in range(n_stages):
        g, row = 0 if pooled else visit, path[1, visit]
        moves[g, path[0, visit + 1], row] += 1.0
        visits[0, g, row] += 1.0
        inverse = 1.0 / visits[0, g, row]
        visits[1, g, row] = inverse
        root = np.sqrt(inverse)
        for h in range(0 if pooled else visit, n_stages if pooled else visit + 1):
            width = min(stages[CAP, h], stages[BY_ROOT, h] * root + stages[BY_COUNT, h] * inverse)
            below[h] -= 1 if tables[KNOWN, h, row] < tables[UPPER, h, row] else 0
            tables[KNOWN, h, row] = rewards[h, row] + scale * width
            tables[UPPER, h, row] = stages[CEILING, h]
            below[h] += 1 if tables[KNOWN, h, row] < tables[UPPER, h, row] else 0


@kernel
def reweight(path: IntArray, numerator: float, largest: float, arrivals: FloatArray) -> None:
    """Count the states of an episode by stage, and renew their weights in the third part of the bonus."""
    for h in range(path.shape[1]):
        s = path[0, h]
        arrivals[0, h, s] += 1.0
        arrivals[1, h, s] = min(numerator / arrivals[0, h, s], largest)


@kernel
def replan(
    path: IntArray,
    moves: FloatArray,
    visits: FloatArray,
    arrivals: FloatArray,
    tables: FloatArray,
    below: IntArray,
    values: FloatArray,
    policy: IntArray,
    scale: float,
    variance: float,
    product_std: bool,
    third: float,
    monotone: bool,
    means: FloatArray,
    widths: FloatArray,
    sums: FloatArray,
    best: FloatArray,
    actions: IntArray,
) -> int:
    """Plan again after an episode was observed; return the last stage at which the policy changed, -1 if none."""
    staged = visits.shape[1] > 1
    partial = staged and variance == 0.0 and third == 0.0
    top = -1
    moved = False  # whether a value of the next stage has changed
    for h in range(policy.shape[0] - 1, -1, -1):
        if partial and not moved:
            replan_row(moves, visits, values, h, path[1, h], monotone, tables)
            moved, switched = greedy_state(tables, h, path[0, h], values, policy)
        else:
            g = h if staged else 0
            for i in range(means.size):
                means[i] = 0.0
                widths[i] = 0.0
            if below[h] > 0:  # else Q is at its limit whatever the next values, which are not negative
                expect(moves, visits, g, values, h + 1, means)
                if variance > 0.0:
                    add_spread(moves, visits, g, values, h + 1, scale, variance, product_std, means, sums, widths)
                if third > 0.0:
                    add_third(moves, visits, g, arrivals, h + 1, scale, third, sums, widths)
            limit(tables, h, monotone, means, widths)
            moved, switched = greedy_stage(tables, h, values, policy, best, actions)
        top = h if switched and top < 0 else top
    return top


@kernel
def replan_row(
    moves: FloatArray, visits: FloatArray, values: FloatArray, h: int, row: int, monotone: bool, tables: FloatArray
) -> None:
    """Set Q of one row of stage ``h`` where every stage has its own counts and the bonus needs no next values."""
    mean = 0.0
    if tables[KNOWN, h, row] < tables[UPPER, h, row]:
        for t in range(moves.shape[1]):
            mean += values[h + 1, t] * moves[h, t, row]
    value = min(tables[UPPER, h, row], tables[KNOWN, h, row] + mean * visits[1, h, row])
    tables[Q, h, row] = min(tables[Q, h, row], value) if monotone else value


@kernel
def expect(
    moves: FloatArray, visits: FloatArray, g: int, values: FloatArray, following: int, means: FloatArray
) -> None:
    """Set ``means``, all zero, to the means of ``values[following]`` under the empirical kernels of all rows."""
    add_weighted(moves, g, values, following, means)
    for i in range(moves.shape[2]):
        means[i] *= visits[1, g, i]


@kernel
def add_spread(
    moves: FloatArray,
    visits: FloatArray,
    g: int,
    values: FloatArray,
    following: int,
    scale: float,
    factor: float,
    product_std: bool,
    means: FloatArray,
    sums: FloatArray,
    widths: FloatArray,
) -> None:
    """Add ``scale * sqrt(factor * v / n)`` to the widths ``widths``; v is a variance, or a mistake for it.

    The variance takes two passes, the means ``means`` first, and is therefore never negative.
    """
    n_next, n_rows = moves.shape[1], moves.shape[2]
    share = 1.0 / n_next
    for i in range(n_rows):
        sums[i] = 0.0
    for t in range(n_next):
        v = values[following, t]
        if product_std:
            for i in range(n_rows):
                sums[i] += (moves[g, t, i] * visits[1, g, i] * v - means[i] * share) ** 2
        else:
            for i in range(n_rows):
                sums[i] += moves[g, t, i] * (v - means[i]) ** 2
    for i in range(n_rows):
        spread = sums[i] * (share if product_std else visits[1, g, i])
        widths[i] += scale * np.sqrt(factor * spread * visits[1, g, i])


@kernel
def add_third(
    moves: FloatArray,
    visits: FloatArray,
    g: int,
    arrivals: FloatArray,
    following: int,
    scale: float,
    factor: float,
    sums: FloatArray,
    widths: FloatArray,
) -> None:
    """Add ``scale * sqrt(factor / n * sum_t p(t) weight(t))`` to the widths ``widths``."""
    n_rows = moves.shape[2]
    for i in range(n_rows):
        sums[i] = 0.0
    add_weighted(moves, g, arrivals[1], following, sums)
    for i in range(n_rows):
        widths[i] += scale * np.sqrt(factor * (sums[i] * visits[1, g, i]) * visits[1, g, i])


@kernel
def limit(tables: FloatArray, h: int, monotone: bool, means: FloatArray, widths: FloatArray) -> None:
    """Set Q of stage ``h`` to the sum of its parts, at most the upper limit and, if monotone, what it was."""
    for i in range(tables.shape[2]):
        value = tables[KNOWN, h, i] + means[i] + widths[i]
        value = tables[UPPER, h, i] if value > tables[UPPER, h, i] else value
        tables[Q, h, i] = tables[Q, h, i] if monotone and tables[Q, h, i] < value else value


@kernel
def greedy_stage(
    tables: FloatArray, h: int, values: FloatArray, policy: IntArray, best: FloatArray, actions: IntArray
) -> tuple[bool, bool]:
    """Be greedy at stage ``h``; return whether a value and whether an action changed."""
    n_states = policy.shape[1]
    for s in range(n_states):
        best[s] = tables[Q, h, s]
        actions[s] = 0
    for a in range(1, tables.shape[2] // n_states):
        for s in range(n_states):
            value = tables[Q, h, a * n_states + s]
            better = value > best[s]
            best[s] = value if better else best[s]
            actions[s] = a if better else actions[s]
    moved, switched = False, False
    for s in range(n_states):
        moved |= values[h, s] != best[s]
        switched |= policy[h, s] != actions[s]
        values[h, s] = best[s]
        policy[h, s] = actions[s]
    return moved, switched


@kernel
def greedy_state(tables: FloatArray, h: int, s: int, values: FloatArray, policy: IntArray) -> tuple[bool, bool]:
    """Be greedy in state ``s`` of stage ``h``; return whether its value and whether its action changed."""
    n_states = policy.shape[1]
    best, value = 0, tables[Q, h, s]
    for a in range(1, tables.shape[2] // n_states):
        if tables[Q, h, a * n_states + s] > value:
            best, value = a, tables[Q, h, a * n_states + s]
    moved, switched = values[h, s] != value, policy[h, s] != best
    values[h, s] = value
    policy[h, s] = best
    return moved, switched


@kernel
def shortfall(target: FloatArray, tables: FloatArray) -> float:
    """Return the largest ``target - Q``, minus infinity if the target is empty."""
    largest = -np.inf
    for h in range(target.shape[0]):
        for i in range(target.shape[1]):
            largest = max(largest, target[h, i] - tables[Q, h, i])
    return largest
