r"""Kernels of the tabular algorithms: Hedge per state, soft dynamic programming, policy optimisation with bonuses.

Every kernel runs lanes ``first, ..., last - 1`` one after the other, each for K episodes, with memory that does not
depend on K. Lane n owns three generators, number 3n for the learner's episodes, 3n + 1 for the adversary and 3n + 2 for
simulation, so that two algorithms with one seed meet the same oblivious losses. At the recorded numbers of episodes the
learner's exact cumulative loss, the sum of the losses and that of the occupancies of its policies are written out,
``sums (N, R, 2, H, S, A)``; regret is computed from them.

**Policy optimisation with dilated bonuses.** In episode k, with :math:`q = \mu^{\pi_k} \pi_k` and
:math:`L_h = \sum_{j \ge h} \ell_j(s_j, a_j)`,

.. math:: \hat Q_h(s, a) = \frac{L_h \mathbb 1[(s, a) = (s_h, a_h)]}{q_h(s, a) + \gamma}, \qquad
          b_h(s) = \sum_a \pi(a|s) \frac{\sigma_h \pi(a|s)^{e} + \lambda_h}{q_h(s, a) + \gamma}, \; e \in \{0, 1\},

.. math:: B_h(s, a) = b_h(s) + (1 + \omega) \sum_t p_h(t|s, a) \sum_{a'} \pi(a'|t) B_{h+1}(t, a'),

and each state's leader is fed :math:`\hat Q - B`.

**Certificate of a run.** Against a fixed comparator with occupancy :math:`\mu^*` the regret is the sum of four terms,
each of which is :math:`\sum_k \sum_h E_{\mu^*} \langle \pi_k - \pi^*, \cdot \rangle` of one of
:math:`\hat Q - B` (follow the leader: a deterministic bound), :math:`B` (the dilated identity),
:math:`Q - E \hat Q` (bias) and :math:`E \hat Q - \hat Q` (a martingale). The conditional variance of the last is
exact: with :math:`w_h = \mu^*_h (\pi - \pi^*) / (q + \gamma)` the episode's term is :math:`B_0 = \sum_h w_h L_h`, and
:math:`B_h = w_h L_h + B_{h+1}`, :math:`L_h = \ell_h + L_{h+1}` give its first two moments by backward induction.
"""

from typing import NamedTuple

import numpy as np

from mdps.adversarial import Dynamics, LossTable, evaluate, fill_losses, occupancy_of, play
from mdps.jit import kernel
from mdps.kernels import WordArray
from mdps.validation import FloatArray, IntArray
from solvers.adversarial_ftrl_simplex import ftrl_step

CERTIFICATE_TERMS = (
    "leader",  # sum of E_mu* <pi - pi*, Qhat - B>
    "bonus",  # sum of E_mu* <pi - pi*, B>
    "bias",  # sum of E_mu* <pi - pi*, Q - E Qhat>
    "martingale",  # sum of E_mu* <pi - pi*, E Qhat - Qhat>
    "quadratic_variation",  # sum of the conditional variances of the martingale's increments
    "estimate_squares",  # sum of E_mu*,pi [Qhat^2]
    "bonus_squares",  # sum of E_mu*,pi [B^2]
    "dilated_bonus",  # sum of (1 + omega)^h E_q [b]
    "comparator_bonus",  # sum of E_mu* [b]
    "spread_bonus",  # sum of omega E_mu*,pi [B]
)


class BonusRule(NamedTuple):
    """Policy optimisation, laid out for the kernel (see the module)."""

    regulariser: int
    eta: float
    gamma: float
    omega: float
    square: FloatArray  # (H,): sigma
    linear: FloatArray  # (H,): lambda
    power: int  # e
    weight_by_policy: bool  # divide by pi + gamma in place of q + gamma


@kernel
def add_losses(losses: FloatArray, mass: FloatArray, policy: FloatArray, cumulative: FloatArray) -> float:
    """Add losses and occupancy of one episode to ``cumulative (2, H, S, A)``; return the policy's expected loss."""
    n_stages, n_states, n_actions = losses.shape
    total = 0.0
    for h in range(n_stages):
        for s in range(n_states):
            mean = 0.0
            for a in range(n_actions):
                cumulative[0, h, s, a] += losses[h, s, a]
                cumulative[1, h, s, a] += mass[h, s] * policy[h, s, a]
                mean += policy[h, s, a] * losses[h, s, a]
            total += mass[h, s] * mean
    return total


@kernel
def clear(array: FloatArray) -> None:
    """Set ``array (H, S, A)`` to zero."""
    for h in range(array.shape[0]):
        for s in range(array.shape[1]):
            for a in range(array.shape[2]):
                array[h, s, a] = 0.0


@kernel
def write_record(
    total: float, cumulative: FloatArray, lane: int, record: int, learner: FloatArray, sums: FloatArray
) -> None:
    """Record one point of a run. Loops: assigning one array to another compiles an error message's formatting too."""
    learner[lane, record] = total
    for i in range(2):
        for h in range(cumulative.shape[1]):
            for s in range(cumulative.shape[2]):
                for a in range(cumulative.shape[3]):
                    sums[lane, record, i, h, s, a] = cumulative[i, h, s, a]


@kernel
def leaders(regulariser: int, fed: FloatArray, eta: float, policy: FloatArray) -> None:
    """Write the policy that follows the leader in every state."""
    for h in range(fed.shape[0]):
        for s in range(fed.shape[1]):
            ftrl_step(regulariser, fed, eta, h, s, policy)


# Full information


@kernel
def run_hedge(
    world: Dynamics,
    losses: LossTable,
    regulariser: int,
    rates: FloatArray,
    state: WordArray,
    first: int,
    last: int,
    points: IntArray,
    learner: FloatArray,
    sums: FloatArray,
) -> None:
    """Follow the leader in every state, fed with exact action values; ``rates (H,)`` is eta per stage."""
    n_stages, n_states, n_actions = sums.shape[3:]
    theta = np.empty((n_stages, 1, losses.table.shape[3]))
    policy, table, fed = np.empty(sums.shape[3:]), np.empty(sums.shape[3:]), np.empty(sums.shape[3:])
    loss, mass, values = np.empty(sums.shape[3:]), np.empty((n_stages, n_states)), np.empty((n_stages + 1, n_states))
    for lane in range(first, last):
        clear(fed)
        cumulative = np.zeros((2, n_stages, n_states, n_actions))
        total, record = 0.0, 0
        for k in range(points[-1]):
            for h in range(n_stages):
                for s in range(n_states):
                    ftrl_step(regulariser, fed, rates[h], h, s, policy)
            fill_losses(losses, k, policy, state, 3 * lane + 1, theta, loss)
            occupancy_of(world, policy, mass)
            total += add_losses(loss, mass, policy, cumulative)
            evaluate(world, loss, policy, values, table)
            for h in range(n_stages):
                for s in range(n_states):
                    for a in range(n_actions):
                        fed[h, s, a] += table[h, s, a]
            if k + 1 == points[record]:
                write_record(total, cumulative, lane, record, learner, sums)
                record += 1


@kernel
def soft_backward(world: Dynamics, cumulative: FloatArray, eta: float, soft: FloatArray, policy: FloatArray) -> None:
    r"""Write :math:`\pi_h \propto \exp(-\eta \Lambda_h + p_h W_{h+1})` and its log-partition W, ``soft (H + 1, S)``."""
    n_stages, n_states, n_actions = policy.shape
    last = world.transitions.shape[0] - 1
    for s in range(n_states):
        soft[n_stages, s] = 0.0
    for h in range(n_stages - 1, -1, -1):
        g = min(h, last)
        for s in range(n_states):
            top = -np.inf
            for a in range(n_actions):
                exponent = -eta * cumulative[h, s, a]
                if h + 1 < n_stages:
                    for t in range(n_states):
                        exponent += world.transitions[g, s, a, t] * soft[h + 1, t]
                policy[h, s, a] = exponent
                top = max(top, exponent)
            total = 0.0
            for a in range(n_actions):
                policy[h, s, a] = np.exp(policy[h, s, a] - top)
                total += policy[h, s, a]
            for a in range(n_actions):
                policy[h, s, a] /= total
            soft[h, s] = top + np.log(total)


@kernel
def run_soft(
    world: Dynamics,
    losses: LossTable,
    eta: float,
    state: WordArray,
    first: int,
    last: int,
    points: IntArray,
    learner: FloatArray,
    sums: FloatArray,
) -> None:
    """Soft dynamic programming on the sum of the losses."""
    n_stages, n_states, n_actions = sums.shape[3:]
    theta = np.empty((n_stages, 1, losses.table.shape[3]))
    policy, loss, mass = np.empty(sums.shape[3:]), np.empty(sums.shape[3:]), np.empty((n_stages, n_states))
    soft = np.empty((n_stages + 1, n_states))
    for lane in range(first, last):
        cumulative = np.zeros((2, n_stages, n_states, n_actions))
        total, record = 0.0, 0
        for k in range(points[-1]):
            soft_backward(world, cumulative[0], eta, soft, policy)
            occupancy_of(world, policy, mass)
            fill_losses(losses, k, policy, state, 3 * lane + 1, theta, loss)
            total += add_losses(loss, mass, policy, cumulative)
            if k + 1 == points[record]:
                write_record(total, cumulative, lane, record, learner, sums)
                record += 1


# Bandit feedback


@kernel
def state_bonuses(rule: BonusRule, mass: FloatArray, policy: FloatArray, bonus: FloatArray) -> None:
    """Write b, the same for all actions, to ``bonus (H, S, A)``. With gamma = 0 a pair never reached adds nothing."""
    for h in range(policy.shape[0]):
        for s in range(policy.shape[1]):
            total = 0.0
            for a in range(policy.shape[2]):
                p = policy[h, s, a]
                below = mass[h, s] * p + rule.gamma
                if below > 0.0:
                    total += p * (rule.square[h] * (p if rule.power == 1 else 1.0) + rule.linear[h]) / below
            for a in range(policy.shape[2]):
                bonus[h, s, a] = total


@kernel
def dilate(
    world: Dynamics, omega: float, bonus: FloatArray, policy: FloatArray, ahead: FloatArray, out: FloatArray
) -> None:
    """Write B, ``(H, S, A)``, for bonuses b ``(H, S, A)``; ``ahead (2, S)`` is scratch. ``out`` may be ``bonus``."""
    n_stages, n_states, n_actions = policy.shape
    last = world.transitions.shape[0] - 1
    for h in range(n_stages - 1, -1, -1):
        g, new, old = min(h, last), h % 2, (h + 1) % 2
        for s in range(n_states):
            mean = 0.0
            for a in range(n_actions):
                total = 0.0
                if h + 1 < n_stages:
                    for t in range(n_states):
                        total += world.transitions[g, s, a, t] * ahead[old, t]
                out[h, s, a] = bonus[h, s, a] + (1.0 + omega) * total
                mean += policy[h, s, a] * out[h, s, a]
            ahead[new, s] = mean


@kernel
def functional_variance(
    world: Dynamics, policy: FloatArray, losses: FloatArray, weights: FloatArray, moments: FloatArray
) -> float:
    """Return the variance of ``sum_h w_h(s_h, a_h) L_h`` over episodes; ``moments (2, 5, S)`` is scratch."""
    n_stages, n_states, n_actions = policy.shape
    last = world.transitions.shape[0] - 1
    for i in range(5):
        for s in range(n_states):
            moments[n_stages % 2, i, s] = 0.0
    for h in range(n_stages - 1, -1, -1):
        g, new, old = min(h, last), h % 2, (h + 1) % 2
        for s in range(n_states):
            for i in range(5):
                moments[new, i, s] = 0.0
            for a in range(n_actions):
                tail, tail_square, rest, product, rest_square = 0.0, 0.0, 0.0, 0.0, 0.0
                for t in range(n_states):
                    p = world.transitions[g, s, a, t]
                    tail += p * moments[old, 0, t]
                    tail_square += p * moments[old, 1, t]
                    rest += p * moments[old, 2, t]
                    product += p * moments[old, 3, t]
                    rest_square += p * moments[old, 4, t]
                loss, w, p = losses[h, s, a], weights[h, s, a], policy[h, s, a]
                mean, square = loss + tail, loss * loss + 2.0 * loss * tail + tail_square
                cross = loss * rest + product
                moments[new, 0, s] += p * mean
                moments[new, 1, s] += p * square
                moments[new, 2, s] += p * (w * mean + rest)
                moments[new, 3, s] += p * (w * square + cross)
                moments[new, 4, s] += p * (w * w * square + 2.0 * w * cross + rest_square)
    first, second = 0.0, 0.0
    for s in range(n_states):
        first += world.initial[s] * moments[0, 2, s]
        second += world.initial[s] * moments[0, 4, s]
    return second - first * first


@kernel
def add_certificate(
    rule: BonusRule,
    mass: FloatArray,
    comparator_mass: FloatArray,
    parts: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    weights: FloatArray,
    terms: FloatArray,
) -> None:
    """Add one episode to the certificate's terms, all but the variance, whose ``weights (H, S, A)`` are written.

    ``parts`` are, each ``(H, S, A)``: policy, exact action values, estimates, bonuses b, dilated bonuses, comparator.
    """
    policy, table, estimate, bonus, dilated, comparator = parts
    factor = 1.0
    for h in range(policy.shape[0]):
        factor *= 1.0 + rule.omega
        for s in range(policy.shape[1]):
            star = comparator_mass[h, s]
            for a in range(policy.shape[2]):
                p, q = policy[h, s, a], mass[h, s] * policy[h, s, a]
                below = (p if rule.weight_by_policy else q) + rule.gamma
                share = q / below if below > 0.0 else 0.0
                difference = star * (p - comparator[h, s, a])
                expected = table[h, s, a] * share
                weights[h, s, a] = difference / below if below > 0.0 else 0.0
                terms[0] += difference * (estimate[h, s, a] - dilated[h, s, a])
                terms[1] += difference * dilated[h, s, a]
                terms[2] += difference * (table[h, s, a] - expected)
                terms[3] += difference * (expected - estimate[h, s, a])
                terms[5] += star * p * estimate[h, s, a] ** 2
                terms[6] += star * p * dilated[h, s, a] ** 2
                terms[7] += factor * q * bonus[h, s, a]
                terms[8] += star * comparator[h, s, a] * bonus[h, s, a]
                terms[9] += rule.omega * star * p * dilated[h, s, a]


@kernel
def weigh_episode(
    rule: BonusRule,
    losses: FloatArray,
    mass: FloatArray,
    policy: FloatArray,
    states: IntArray,
    actions: IntArray,
    estimate: FloatArray,
) -> None:
    """Write the importance-weighted losses to go of the pairs of one episode to ``estimate``."""
    tail = 0.0
    for h in range(states.shape[0] - 1, -1, -1):
        s, a = states[h], actions[h]
        tail += losses[h, s, a]
        weight = policy[h, s, a] if rule.weight_by_policy else mass[h, s] * policy[h, s, a]
        estimate[h, s, a] = tail / (weight + rule.gamma)


@kernel
def forget_episode(states: IntArray, actions: IntArray, estimate: FloatArray) -> None:
    """Set the entries of one episode back to zero."""
    for h in range(states.shape[0]):
        estimate[h, states[h], actions[h]] = 0.0


@kernel
def feed(estimate: FloatArray, dilated: FloatArray, fed: FloatArray, eta: float, extremes: FloatArray) -> None:
    """Add Qhat - B to what the leaders follow; keep the least eta (Qhat - B) and the largest eta B."""
    least, largest = 0.0, 0.0
    for h in range(fed.shape[0]):
        for s in range(fed.shape[1]):
            for a in range(fed.shape[2]):
                change = estimate[h, s, a] - dilated[h, s, a]
                fed[h, s, a] += change
                least = min(least, change)
                largest = max(largest, dilated[h, s, a])
    extremes[0] = min(extremes[0], eta * least)
    extremes[1] = max(extremes[1], eta * largest)


@kernel
def run_policy_optimisation(
    world: Dynamics,
    losses: LossTable,
    rule: BonusRule,
    comparator: FloatArray,
    certify: bool,
    state: WordArray,
    first: int,
    last: int,
    points: IntArray,
    learner: FloatArray,
    sums: FloatArray,
    extremes: FloatArray,
    terms: FloatArray,
) -> None:
    """Policy optimisation with importance-weighted estimates and dilated bonuses.

    ``extremes (N, 2)`` and ``terms (N, 10)`` start at zero and receive the extremes of `feed` and, if ``certify``, the
    sums of `CERTIFICATE_TERMS` against the policy ``comparator (H, S, A)``.
    """
    n_stages, n_states, n_actions = sums.shape[3:]
    work = np.empty((8, n_stages, n_states, n_actions))
    policy, loss, fed, estimate, bonus, dilated = work[0], work[1], work[2], work[3], work[4], work[5]
    theta = np.empty((n_stages, 1, losses.table.shape[3]))
    mass, ahead = np.empty((n_stages, n_states)), np.empty((2, n_states))
    states, actions = np.empty(n_stages, dtype=np.int64), np.empty(n_stages, dtype=np.int64)
    comparator_mass, values = np.empty((n_stages, n_states)), np.empty((n_stages + 1, n_states))
    moments = np.empty((2, 5, n_states))
    if certify:
        occupancy_of(world, comparator, comparator_mass)
    clear(estimate)
    for lane in range(first, last):
        clear(fed)
        cumulative = np.zeros((2, n_stages, n_states, n_actions))
        total, record = 0.0, 0
        for k in range(points[-1]):
            leaders(rule.regulariser, fed, rule.eta, policy)
            occupancy_of(world, policy, mass)
            state_bonuses(rule, mass, policy, bonus)
            dilate(world, rule.omega, bonus, policy, ahead, dilated)
            fill_losses(losses, k, policy, state, 3 * lane + 1, theta, loss)
            total += add_losses(loss, mass, policy, cumulative)
            play(world, policy, state, 3 * lane, states, actions)
            weigh_episode(rule, loss, mass, policy, states, actions, estimate)
            feed(estimate, dilated, fed, rule.eta, extremes[lane])
            if certify:
                table, weights = work[6], work[7]
                evaluate(world, loss, policy, values, table)
                parts = (policy, table, estimate, bonus, dilated, comparator)
                add_certificate(rule, mass, comparator_mass, parts, weights, terms[lane])
                terms[lane, 4] += functional_variance(world, policy, loss, weights, moments)
            forget_episode(states, actions, estimate)
            if k + 1 == points[record]:
                write_record(total, cumulative, lane, record, learner, sums)
                record += 1
