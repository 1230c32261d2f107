r"""Kernels of the algorithms for linear action values, and of the estimators of an inverse covariance.

With features :math:`\phi_h(s, a) \in \mathbb R^d` of norm at most one, :math:`\Sigma_h = E_{q_h}[\phi\phi^\top]` of the
policy about to be played and :math:`\hat\Sigma_h = (\gamma I + \Sigma_h)^{-1}`, episode k uses

.. math:: \hat Q_h(s, a) = Z L_h, \quad Z = \phi_h(s, a)^\top \hat\Sigma_h \phi_h(s_h, a_h), \qquad
          b_h(s, a) = \beta \Big( \|\phi_h(s, a)\|^2_{\hat\Sigma_h}
          + \sum_{a'} \pi_h(a'|s) \|\phi_h(s, a')\|^2_{\hat\Sigma_h} \Big),

B from b by the dilated recursion, and each state's leader is fed :math:`\hat Q - B`. The regulariser and the estimator
tell the algorithms apart: log-barrier; entropy with the *magnitude-reduced* estimator

.. math:: \hat Q_h(s, a) = Z L_h - H_h (Z)_- + m_h(s, a), \qquad
          m_h(s, a) = H_h\, E_{(s', a') \sim q_h} \big[ (\phi_h(s, a)^\top \hat\Sigma_h \phi_h(s', a'))_- \big] \le 0,

:math:`(x)_- = \min(x, 0)`, :math:`H_h` the number of stages from h on, which has the same mean, is at least
:math:`-H / (2\sqrt\gamma)` for losses in [0, 1] (in place of :math:`-H/\gamma`) and no larger second moment bound; and
entropy with the plain estimator. All expectations are exact, by enumeration of the pairs; or :math:`\Sigma_h` is the
average over n independent draws from :math:`q_h` (a simulator's), independent of the episode that is weighed.

**Matrix geometric resampling** estimates :math:`(\gamma I + \Sigma)^{-1}` without an inverse: with draws
:math:`\phi_1, \phi_2, \dots` from the law, :math:`Z_n = Z_{n-1} (I - c(\gamma I + \phi_n\phi_n^\top))`,
:math:`Z_0 = I`, and :math:`S = c \sum_{n=0}^N Z_n`, averaged over M repetitions, has mean
:math:`\Sigma_\gamma^{-1} (I - (I - c\Sigma_\gamma)^{N+1})`, :math:`\Sigma_\gamma = \gamma I + \Sigma`.

References
----------
Y. Dai, H. Luo, C.-Y. Wei and J. Zimmert (2023). Refined regret for adversarial MDPs with linear function approximation.
ICML. G. Neu and J. Olkhovskaya (2020). Efficient and robust algorithms for adversarial linear contextual bandits. COLT.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mdps.adversarial import Dynamics, LossTable, draw_law, draw_next, fill_losses, occupancy_of, play
from mdps.jit import kernel
from mdps.kernels import WordArray, uniform
from mdps.validation import FloatArray, IntArray
from solvers.adversarial_ftrl_tabular import add_losses, clear, dilate, leaders, write_record

PLAIN, REDUCED, UNCENTRED = range(3)
"""Estimators: Z L; magnitude-reduced; magnitude-reduced without m, which is biased."""


class LinearRule(NamedTuple):
    """An algorithm for linear action values, laid out for the kernel (see the module)."""

    regulariser: int
    estimator: int
    eta: float
    beta: float
    gamma: float
    omega: float
    draws: int  # of the simulator for each covariance; 0: exact


class LinearWork(NamedTuple):
    """Scratch of one stage; P = S A pairs."""

    pairs: FloatArray  # (P,): q of the stage
    covariance: FloatArray  # (d, d): Sigma_gamma, then its Cholesky factor
    whitened: FloatArray  # (H, P, d): L^-1 phi, so that products of rows are phi' Sigmahat phi'
    reduction: FloatArray  # (H, P): m
    bonus: FloatArray  # (H, S, A)
    ahead: FloatArray  # (2, S)


@kernel
def pair_law(mass: FloatArray, policy: FloatArray, h: int, pairs: FloatArray) -> None:
    """Write q of one stage, row ``s * A + a``."""
    n_actions = policy.shape[2]
    for s in range(policy.shape[1]):
        for a in range(n_actions):
            pairs[s * n_actions + a] = mass[h, s] * policy[h, s, a]


@kernel
def add_outer(features: FloatArray, row: int, n_actions: int, weight: float, covariance: FloatArray) -> None:
    """Add ``weight * phi phi'`` of one pair of a stage ``features (S, A, d)`` to the lower triangle."""
    s, a = row // n_actions, row % n_actions
    for i in range(covariance.shape[0]):
        scaled = weight * features[s, a, i]
        for j in range(i + 1):
            covariance[i, j] += scaled * features[s, a, j]


@kernel
def covariance_of(
    features: FloatArray,
    gamma: float,
    draws: int,
    pairs: FloatArray,
    state: WordArray,
    lane: int,
    covariance: FloatArray,
) -> None:
    """Write the lower triangle of gamma I plus Sigma, exact (``draws = 0``) or the average over draws."""
    d, n_actions = covariance.shape[0], features.shape[1]
    for i in range(d):
        for j in range(i + 1):
            covariance[i, j] = gamma if i == j else 0.0
    if draws == 0:
        for row in range(pairs.shape[0]):
            if pairs[row] > 0.0:
                add_outer(features, row, n_actions, pairs[row], covariance)
    for _ in range(draws):
        add_outer(features, draw_law(pairs, uniform(state, lane)), n_actions, 1.0 / draws, covariance)


@kernel
def whiten(features: FloatArray, covariance: FloatArray, whitened: FloatArray) -> None:
    """Factor the covariance into L L', in place, and write ``L^-1 phi`` of every pair to ``whitened (P, d)``."""
    d, n_actions = covariance.shape[0], features.shape[1]
    for i in range(d):
        for j in range(i + 1):
            total = covariance[i, j]
            for r in range(j):
                total -= covariance[i, r] * covariance[j, r]
            covariance[i, j] = np.sqrt(total) if i == j else total / covariance[j, j]
    for row in range(whitened.shape[0]):
        s, a = row // n_actions, row % n_actions
        for i in range(d):
            total = features[s, a, i]
            for r in range(i):
                total -= covariance[i, r] * whitened[row, r]
            whitened[row, i] = total / covariance[i, i]


@kernel
def dot_rows(rows: FloatArray, i: int, j: int) -> float:
    """Return the product of two rows."""
    total = 0.0
    for r in range(rows.shape[1]):
        total += rows[i, r] * rows[j, r]
    return total


@kernel
def norm_bonuses(beta: float, policy: FloatArray, h: int, whitened: FloatArray, bonus: FloatArray) -> None:
    """Write b of one stage."""
    n_actions = policy.shape[2]
    for s in range(policy.shape[1]):
        mean = 0.0
        for a in range(n_actions):
            norm = dot_rows(whitened, s * n_actions + a, s * n_actions + a)
            bonus[h, s, a] = norm
            mean += policy[h, s, a] * norm
        for a in range(n_actions):
            bonus[h, s, a] = beta * (bonus[h, s, a] + mean)


@kernel
def reductions(stages: float, pairs: FloatArray, whitened: FloatArray, reduction: FloatArray) -> None:
    """Write m of one stage, ``(P,)``, with H_h = ``stages``; each of the symmetric products is computed once."""
    n_pairs = pairs.shape[0]
    for i in range(n_pairs):
        reduction[i] = 0.0
    for i in range(n_pairs):
        for j in range(i + 1):
            if pairs[i] > 0.0 or pairs[j] > 0.0:
                z = min(dot_rows(whitened, i, j), 0.0)
                reduction[i] += stages * pairs[j] * z
                if i != j:
                    reduction[j] += stages * pairs[i] * z


@kernel
def prepare(
    world: Dynamics,
    features: FloatArray,
    rule: LinearRule,
    mass: FloatArray,
    policy: FloatArray,
    state: WordArray,
    lane: int,
    work: LinearWork,
    dilated: FloatArray,
) -> None:
    """Do all that comes before the episode is played: covariances, bonuses and the means of the reduced parts."""
    n_stages = policy.shape[0]
    for h in range(n_stages):
        pair_law(mass, policy, h, work.pairs)
        covariance_of(features[h], rule.gamma, rule.draws, work.pairs, state, lane, work.covariance)
        whiten(features[h], work.covariance, work.whitened[h])
        norm_bonuses(rule.beta, policy, h, work.whitened[h], work.bonus)
        if rule.estimator == REDUCED:
            reductions(float(n_stages - h), work.pairs, work.whitened[h], work.reduction[h])
    dilate(world, rule.omega, work.bonus, policy, work.ahead, dilated)


@kernel
def estimate_linear(
    rule: LinearRule, losses: FloatArray, states: IntArray, actions: IntArray, work: LinearWork, estimate: FloatArray
) -> None:
    """Write Qhat for all pairs from one episode."""
    n_stages, n_states, n_actions = estimate.shape
    tail = 0.0
    for h in range(n_stages - 1, -1, -1):
        played = states[h] * n_actions + actions[h]
        tail += losses[h, states[h], actions[h]]
        for s in range(n_states):
            for a in range(n_actions):
                row = s * n_actions + a
                z = dot_rows(work.whitened[h], row, played)
                q = z * tail
                if rule.estimator != PLAIN:
                    q -= (n_stages - h) * min(z, 0.0)
                if rule.estimator == REDUCED:
                    q += work.reduction[h, row]
                estimate[h, s, a] = q


@kernel
def feed_linear(estimate: FloatArray, dilated: FloatArray, fed: FloatArray, eta: float, extremes: FloatArray) -> None:
    """Add Qhat - B to what the leaders follow; keep the least eta (Qhat - B), the largest eta B, the least eta Qhat."""
    for h in range(fed.shape[0]):
        for s in range(fed.shape[1]):
            for a in range(fed.shape[2]):
                change = estimate[h, s, a] - dilated[h, s, a]
                fed[h, s, a] += change
                extremes[0] = min(extremes[0], eta * change)
                extremes[1] = max(extremes[1], eta * dilated[h, s, a])
                extremes[2] = min(extremes[2], eta * estimate[h, s, a])


@kernel
def run_linear(
    world: Dynamics,
    features: FloatArray,
    losses: LossTable,
    rule: LinearRule,
    work: LinearWork,
    state: WordArray,
    first: int,
    last: int,
    points: IntArray,
    learner: FloatArray,
    sums: FloatArray,
    extremes: FloatArray,
) -> None:
    """Run an algorithm for linear action values; ``extremes (N, 3)`` starts at zero (see `feed_linear`)."""
    n_stages, n_states, n_actions = sums.shape[3:]
    arrays = np.empty((5, n_stages, n_states, n_actions))
    policy, loss, fed, estimate, dilated = arrays[0], arrays[1], arrays[2], arrays[3], arrays[4]
    theta = np.empty((n_stages, 1, losses.table.shape[3]))
    mass = np.empty((n_stages, n_states))
    states, actions = np.empty(n_stages, dtype=np.int64), np.empty(n_stages, dtype=np.int64)
    for lane in range(first, last):
        clear(fed)
        cumulative = np.zeros((2, n_stages, n_states, n_actions))
        total, record = 0.0, 0
        for k in range(points[-1]):
            leaders(rule.regulariser, fed, rule.eta, policy)
            occupancy_of(world, policy, mass)
            prepare(world, features, rule, mass, policy, state, 3 * lane + 2, work, dilated)
            fill_losses(losses, k, policy, state, 3 * lane + 1, theta, loss)
            total += add_losses(loss, mass, policy, cumulative)
            play(world, policy, state, 3 * lane, states, actions)
            estimate_linear(rule, loss, states, actions, work, estimate)
            feed_linear(estimate, dilated, fed, rule.eta, extremes[lane])
            if k + 1 == points[record]:
                write_record(total, cumulative, lane, record, learner, sums)
                record += 1


# Estimators of an inverse covariance


@kernel
def resample(
    features: FloatArray,
    cdf: FloatArray,
    matched: npt.NDArray[np.bool_],
    c: float,
    gamma: float,
    depth: int,
    repetitions: int,
    state: WordArray,
    lane: int,
    out: FloatArray,
) -> None:
    """Add the average of matrix geometric resampling to ``out (d, d)``, not symmetrised.

    Parameters
    ----------
    features, cdf
        Features ``(n, d)`` of the points and the distribution function ``(n,)`` of their law.
    matched
        ``(n,)``: whether the term c Z of a draw of this point is added; all true, except for the mutant that skips the
        draws in which another action was taken.
    depth, repetitions
        N and M.
    """
    d = out.shape[0]
    product, row = np.empty((d, d)), np.empty(d)
    for _ in range(repetitions):
        for i in range(d):
            for j in range(d):
                product[i, j] = 1.0 if i == j else 0.0
                out[i, j] += (c if i == j else 0.0) / repetitions
        for _ in range(depth):
            point = draw_next(cdf, uniform(state, lane))
            for i in range(d):
                along = 0.0
                for j in range(d):
                    along += product[i, j] * features[point, j]
                row[i] = along
            for i in range(d):
                for j in range(d):
                    product[i, j] = (1.0 - c * gamma) * product[i, j] - c * row[i] * features[point, j]
                    if matched[point]:
                        out[i, j] += c * product[i, j] / repetitions


@kernel
def average_outer(
    features: FloatArray, cdf: FloatArray, draws: int, state: WordArray, lane: int, out: FloatArray
) -> None:
    """Add the average of phi phi' over independent draws to ``out (d, d)``."""
    d = out.shape[0]
    for _ in range(draws):
        point = draw_next(cdf, uniform(state, lane))
        for i in range(d):
            for j in range(d):
                out[i, j] += features[point, i] * features[point, j] / draws
