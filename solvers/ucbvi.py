r"""UCBVI: optimistic value iteration with bonuses of explicit constants.

Stages are numbered h = 1, ..., H here and from 0 in the code; rewards are known and lie in [0, 1], transitions are not.
Before each episode, with counts n and empirical kernels :math:`\hat p = n(\cdot, t) / n`, backwards from
:math:`V_{H+1} = 0`,

.. math:: Q_h(s, a) = \min\{ Q_h^{\text{before}}(s, a),\; C_h,\; r_h(s, a) + \hat p V_{h+1}(s, a) + b_h(s, a) \},
          \qquad V_h(s) = \max_a Q_h(s, a),

and the greedy policy is played, ties to the lowest action. The first term of the minimum, the ceiling C, the bonus b, the
value of a pair without a visit and the pooling of the stages (one count for all of them) tell the variants apart:

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

where :math:`N'_h(t)` counts the episodes that were in state t at stage h. The last two are the algorithms of Azar et al.
for one kernel shared by all stages; the first, for a kernel per stage, is an explicit-constant variant that is not
published: its ceilings and its value of unvisited pairs make the last stage, where nothing is unknown, free of bonus.

**Incremental planning.** An episode changes the counts of at most H pairs. A stage whose next values are unchanged
is planned again at those pairs only, all others in full: exactly what planning all of it gives, bit for bit.

References
----------
M. G. Azar, I. Osband and R. Munos (2017). Minimax regret bounds for reinforcement learning. ICML, PMLR 70:263-272;
Algorithms 1 to 4.
"""

from dataclasses import dataclass
from math import isfinite, log
from typing import Literal, NamedTuple

import numpy as np

from mdps.jit import kernel
from mdps.kernels import WordArray, seed_lanes
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray
from solvers.episodic import (
    Chain,
    OptimismReport,
    Path,
    RegretCurve,
    World,
    add_weighted,
    evaluate_from,
    follow,
    follow_all,
    new_chain,
    new_path,
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
        Q of a pair without a visit: ``"reward"`` is r + H - h, ``"clip"`` is the ceiling.
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
    unvisited: Literal["reward", "clip"] = "reward"
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


class Bonus(NamedTuple):
    """The numbers of a `BonusSpec` for one model, as the kernels take them."""

    root: FloatArray  # (H,): factor of 1 / sqrt(n)
    linear: FloatArray  # (H,): factor of 1 / n
    cap: FloatArray  # (H,): largest sum of the two above
    variance: float  # factor of v / n, inside the root
    product_std: bool
    third: float
    numerator: float
    largest: float  # H^2, the most that one term of the third part counts
    scale: float
    ceiling: FloatArray  # (H,)
    unvisited: FloatArray  # (H, S * A)
    monotone: bool


class Memory(NamedTuple):
    """What a learner has seen and planned. G is 1 if the stages are pooled, else H; a row is ``a * S + s``."""

    moves: FloatArray  # (G, S, S * A): visits to a row that went on to t, at [., t, row]; float32 where that is exact
    visits: FloatArray  # (G, S * A)
    inverse: FloatArray  # (G, S * A): 1 / n, and 0 for n = 0
    known: FloatArray  # (H, S * A): the part of Q that does not depend on the next values
    below: IntArray  # (H,): number of visited rows whose known part is below the ceiling
    arrivals: FloatArray  # (H + 1, S): N'
    weights: FloatArray  # (H + 1, S): min{numerator / N', largest}
    q: FloatArray  # (H, S * A)
    values: FloatArray  # (H + 1, S)
    policy: IntArray  # (H, S)
    truth: FloatArray  # (H + 1, S): true values of the policy
    states: IntArray  # (H + 1,): of the last episode
    rows: IntArray  # (H,): of the last episode
    means: FloatArray  # (S * A,), scratch
    widths: FloatArray  # (S * A,), scratch
    sums: FloatArray  # (S * A,), scratch
    best: FloatArray  # (S,), scratch
    actions: IntArray  # (S,), scratch


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
    keep_visits
        Whether to return the final counts.
    check_optimism
        Whether to compare each plan with Q* (at the pairs that the plan changed; costs up to as much as planning).

    Raises
    ------
    ValueError
        For an argument outside its domain, or a variant that pools the stages of a non-stationary model.
    """
    spec = _spec(bonus)
    require_positive("episodes", episodes)
    require_positive("runs", runs)
    require_probability("delta", delta)
    require_non_negative("scale", scale)
    require_unit_rewards(mdp)
    if spec.pooled and not mdp.stationary:
        raise ValueError(f"bonus {spec.name!r} pools the stages, but the model has {mdp.horizon} transition kernels")
    points = record_points(episodes, record)
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    optimum = backward_induction(mdp, keep_q_values=check_optimism)
    q_star = np.empty((0, S * A)) if optimum.q_values is None else optimum.q_values.reshape(H, S * A)
    counts = _new_counts(1 if spec.pooled else H, H, S, A)
    regret, changes = np.empty((runs, points.size)), np.empty(runs, dtype=np.int64)
    first, largest = np.zeros(runs, dtype=np.int64), np.full(runs, -np.inf)
    visits = np.zeros((runs, counts.visits.shape[0], S, A), dtype=np.int64)
    state = seed_lanes(seeds, runs)
    setting = (world(mdp), bonus_numbers(spec, mdp, episodes, delta, scale), policy_value(mdp, optimum.values))
    work = (counts, _new_plan(H, S, A), new_chain(H, S), new_path(H))
    for run in range(runs):
        changes[run], first[run], largest[run] = _learn(
            points, state, run, *setting, *work, q_star, regret[run]
        )
        visits[run] = counts.visits.reshape(visits[run].shape)
    optimism = OptimismReport(first, largest) if check_optimism else None
    return RegretCurve(points, regret, changes, visits if keep_visits else None, optimism)


def bonus_numbers(spec: BonusSpec, mdp: FiniteHorizonMDP, episodes: int, delta: float, scale: float = 1.0) -> Bonus:
    """Return the numbers of a variant of UCBVI for one model, number of episodes and delta."""
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    log_term = spec.log_term(mdp, episodes, delta)
    spread = _stage_range(spec.hoeffding_range, H)
    ceiling = _stage_range("stage" if spec.clip == "stage" else "horizon", H)
    trivial = np.broadcast_to(mdp.rewards, (H, S, A)) + _stage_range("remaining", H)[:, None, None]
    unvisited = trivial if spec.unvisited == "reward" else np.broadcast_to(ceiling[:, None, None], (H, S, A))
    return Bonus(
        root=spec.hoeffding * spread * log_term**spec.hoeffding_log_power,
        linear=spec.linear * _stage_range(spec.linear_range, H) * log_term**spec.linear_log_power,
        cap=spread if spec.saturate else np.full(H, np.inf),
        variance=spec.variance * log_term**spec.variance_log_power,
        product_std=spec.variance_formula == "product_std",
        third=spec.third,
        numerator=spec.third_numerator * H**3 * S**2 * A * log_term**2,
        largest=float(H**2),
        scale=float(scale),
        ceiling=ceiling,
        unvisited=np.array(unvisited.reshape(H, S * A)),
        monotone=spec.monotone,
    )


def _spec(bonus: BonusSpec | str) -> BonusSpec:
    if isinstance(bonus, BonusSpec):
        return bonus
    if bonus not in BONUSES:
        raise ValueError(f"bonus is {bonus!r}, not a BonusSpec nor one of {', '.join(BONUSES)}")
    return BONUSES[bonus]


def _stage_range(name: Range, horizon: int) -> FloatArray:
    """Return the factor of each stage, ``(H,)``; the first of them is stage h = 1 of the papers."""
    if name in ("remaining", "stage"):
        return np.arange(horizon - 1, -1, -1, dtype=np.float64) + (name == "stage")
    return np.full(horizon, float(horizon) if name == "horizon" else 1.0)


def _new_counts(groups: int, n_stages: int, n_states: int, n_actions: int) -> Counts:
    rows = n_states * n_actions
    return Counts(
        moves=np.zeros((groups, n_states, rows)),
        visits=np.zeros((groups, rows)),
        inverse=np.zeros((groups, rows)),
        root=np.zeros((groups, rows)),
        arrivals=np.zeros((n_stages + 1, n_states)),
        weights=np.zeros((n_stages + 1, n_states)),
    )


def _new_plan(n_stages: int, n_states: int, n_actions: int) -> Plan:
    rows = n_states * n_actions
    return Plan(
        q=np.zeros((n_stages, rows)),
        values=np.zeros((n_stages + 1, n_states)),
        means=np.zeros(rows),
        widths=np.zeros(rows),
        sums=np.zeros(rows),
    )


@kernel
def _learn(
    points: IntArray,
    state: WordArray,
    lane: int,
    world: World,
    bonus: Bonus,
    optimal: float,
    counts: Counts,
    plan: Plan,
    chain: Chain,
    path: Path,
    q_star: FloatArray,
    regret: FloatArray,
) -> tuple[int, int, float]:
    """One run. Fill ``regret`` at the ``points``; return the policy changes, the first and the largest violation."""
    n_stages, n_rows = plan.q.shape
    forget(world, bonus, counts, plan, chain)
    worst = -np.inf
    for h in range(q_star.shape[0]):
        worst = max(worst, shortfall(q_star[h], plan.q[h], 0, n_rows))
    first = 1 if worst > OPTIMISM_TOLERANCE else 0
    gap = optimal - evaluate_from(world, chain, n_stages - 1)
    total, since, changes, record, episodes = 0.0, 0, 0, 0, points[-1]
    for k in range(1, episodes + 1):
        play(world, chain.policy, state, lane, path)
        observe(path, bonus, counts)
        if k == points[record]:
            regret[record] = total + gap * (k - since)
            record += 1
        if k == episodes:
            break
        top, lack = replan(world, bonus, counts, plan, chain, path, q_star)
        if lack > worst:
            worst = lack
            if first == 0 and lack > OPTIMISM_TOLERANCE:
                first = k + 1
        if top >= 0:
            total += gap * (k - since)
            since = k
            changes += 1
            gap = optimal - evaluate_from(world, chain, top)
    return changes, first, worst


@kernel
def forget(world: World, bonus: Bonus, counts: Counts, plan: Plan, chain: Chain) -> None:
    """Return to the state before the first episode: no counts, every pair at its value without a visit."""
    counts.moves[:] = 0.0
    counts.visits[:] = 0.0
    counts.inverse[:] = 0.0
    counts.root[:] = 0.0
    counts.arrivals[:] = 0.0
    counts.weights[:] = bonus.largest
    plan.q[:] = bonus.unvisited
    plan.values[:] = 0.0
    n_stages, n_states = chain.policy.shape
    chain.values[n_stages, :] = 0.0
    for h in range(n_stages):
        for s in range(n_states):
            greedy(world, plan, chain, h, s)
    follow_all(world, chain)


@kernel
def observe(path: Path, bonus: Bonus, counts: Counts) -> None:
    """Count one episode."""
    n_groups = counts.visits.shape[0]
    n_stages = path.rows.shape[0]
    for h in range(n_stages):
        g = h if n_groups > 1 else 0
        row = path.rows[h]
        counts.moves[g, path.states[h + 1], row] += 1.0
        counts.visits[g, row] += 1.0
        counts.inverse[g, row] = 1.0 / counts.visits[g, row]
        counts.root[g, row] = np.sqrt(counts.inverse[g, row])
    if bonus.third > 0.0:
        for h in range(n_stages + 1):
            counts.arrivals[h, path.states[h]] += 1.0


@kernel
def replan(
    world: World, bonus: Bonus, counts: Counts, plan: Plan, chain: Chain, path: Path, q_star: FloatArray
) -> tuple[int, float]:
    """Plan again after the episode ``path`` was counted; ``chain.values`` are stale afterwards if the policy changed.

    Returns
    -------
    The last stage at which the policy changed, -1 if none; the largest ``Q* - Q`` at the pairs planned again, minus
    infinity if ``q_star`` is empty.
    """
    n_stages, n_states = chain.policy.shape
    n_rows = plan.q.shape[1]
    pooled = counts.visits.shape[0] == 1
    few = n_stages * STRIDED_COST < n_rows if pooled else True
    top, lack = -1, -np.inf
    moved = False  # whether a value of the next stage has changed
    for h in range(n_stages - 1, -1, -1):
        reweighted = bonus.third > 0.0 and reweight(bonus, counts, h + 1, path.states[h + 1])
        if moved or reweighted or not few:
            replan_rows(world, bonus, counts, plan, h, 0, n_rows)
            if q_star.shape[0] > 0:
                lack = max(lack, shortfall(q_star[h], plan.q[h], 0, n_rows))
            moved, switched = False, False
            for s in range(n_states):
                move, switch = greedy(world, plan, chain, h, s)
                moved |= move
                switched |= switch
        else:
            moved, switched = False, False
            for visit in range(0 if pooled else h, n_stages if pooled else h + 1):
                row = path.rows[visit]
                replan_rows(world, bonus, counts, plan, h, row, row + 1)
                if q_star.shape[0] > 0:
                    lack = max(lack, shortfall(q_star[h], plan.q[h], row, row + 1))
                move, switch = greedy(world, plan, chain, h, path.states[visit])
                moved |= move
                switched |= switch
        if switched and top < 0:
            top = h
    return top, lack


@kernel
def replan_rows(
    world: World, bonus: Bonus, counts: Counts, plan: Plan, h: int, first: int, last: int
) -> None:
    """Set Q of the rows ``first <= s * A + a < last`` of stage ``h`` from the values of stage ``h + 1``."""
    g = h if counts.visits.shape[0] > 1 else 0
    visits, inverse, root = counts.visits[g], counts.inverse[g], counts.root[g]
    rewards, q, means, widths = world.rewards[h], plan.q[h], plan.means, plan.widths
    by_root, by_count, cap, scale, ceiling = bonus.root[h], bonus.linear[h], bonus.cap[h], bonus.scale, bonus.ceiling[h]
    capped = True
    for i in range(first, last):
        width = by_root * root[i] + by_count * inverse[i]
        widths[i] = cap if width > cap else width
        capped &= (visits[i] == 0.0) | (rewards[i] + scale * widths[i] >= ceiling)
        means[i] = 0.0
    if not capped:  # else Q is the ceiling whatever the means, which are not negative
        expect(bonus, counts, plan, h, first, last)
    for i in range(first, last):
        value = (rewards[i] + means[i]) + scale * widths[i]
        value = ceiling if value > ceiling else value
        before = q[i]
        value = before if bonus.monotone and before < value else value
        q[i] = before if visits[i] == 0.0 else value


@kernel
def expect(bonus: Bonus, counts: Counts, plan: Plan, h: int, first: int, last: int) -> None:
    """Set the empirical means of the next values, and add to the widths what depends on the next values."""
    g = h if counts.visits.shape[0] > 1 else 0
    moves, inverse, following = counts.moves[g], counts.inverse[g], plan.values[h + 1]
    means, widths, sums = plan.means, plan.widths, plan.sums
    add_weighted(moves, following, first, last, means)
    for i in range(first, last):
        means[i] *= inverse[i]
    if bonus.variance > 0.0:
        if bonus.product_std:
            product_variance(moves, inverse, following, means, first, last, sums)
        else:
            empirical_variance(moves, inverse, following, means, first, last, sums)
        for i in range(first, last):
            widths[i] += np.sqrt(bonus.variance * sums[i] * inverse[i])
    if bonus.third > 0.0:
        sums[first:last] = 0.0
        add_weighted(moves, counts.weights[h + 1], first, last, sums)
        for i in range(first, last):
            widths[i] += np.sqrt(bonus.third * (sums[i] * inverse[i]) * inverse[i])


@kernel
def empirical_variance(
    moves: FloatArray,
    inverse: FloatArray,
    following: FloatArray,
    means: FloatArray,
    first: int,
    last: int,
    variance: FloatArray,
) -> None:
    """Set ``variance`` to that of the next values under the empirical law: two passes, hence never negative."""
    variance[first:last] = 0.0
    for t in range(moves.shape[0]):
        for i in range(first, last):
            variance[i] += moves[t, i] * (following[t] - means[i]) ** 2
    for i in range(first, last):
        variance[i] *= inverse[i]


@kernel
def product_variance(
    moves: FloatArray,
    inverse: FloatArray,
    following: FloatArray,
    means: FloatArray,
    first: int,
    last: int,
    variance: FloatArray,
) -> None:
    """Set ``variance`` to ``np.std(p * V) ** 2`` over the next states: the mistake that a check must notice."""
    n = moves.shape[0]
    variance[first:last] = 0.0
    for t in range(n):
        for i in range(first, last):
            variance[i] += (moves[t, i] * inverse[i] * following[t] - means[i] / n) ** 2
    for i in range(first, last):
        variance[i] /= n


@kernel
def reweight(bonus: Bonus, counts: Counts, h: int, s: int) -> bool:
    """Update the weight of one next state in the third part of the bonus; return whether it changed."""
    weight = min(bonus.numerator / counts.arrivals[h, s], bonus.largest)
    changed = weight != counts.weights[h, s]
    counts.weights[h, s] = weight
    return changed


@kernel
def greedy(world: World, plan: Plan, chain: Chain, h: int, s: int) -> tuple[bool, bool]:
    """Be greedy in state ``s`` at stage ``h``; return whether its value and whether its action changed."""
    n_actions = plan.q.shape[1] // plan.values.shape[1]
    q = plan.q[h]
    start = s * n_actions
    best = 0
    for a in range(1, n_actions):
        if q[start + a] > q[start + best]:
            best = a
    moved = plan.values[h, s] != q[start + best]
    plan.values[h, s] = q[start + best]
    switched = chain.policy[h, s] != best
    if switched:
        follow(world, chain, h, s, best)
    return moved, switched


@kernel
def shortfall(target: FloatArray, values: FloatArray, first: int, last: int) -> float:
    """Return the largest ``target - values`` over ``first <= i < last``."""
    largest = -np.inf
    for i in range(first, last):
        largest = max(largest, target[i] - values[i])
    return largest
