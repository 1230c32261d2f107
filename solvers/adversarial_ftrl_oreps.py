r"""Kernels of O-REPS: follow the regularised leader over the occupancy polytope, by a dual Newton projection.

With :math:`\Lambda` the sum of losses (or of their estimates) and :math:`\Delta(P)` the occupancies of all policies,

.. math:: q = \arg\min_{q \in \Delta(P)} \; \eta \langle q, \Lambda \rangle + \sum_{h,s,a} q_h(s, a) \ln q_h(s, a) .

The dual has one number per stage and state: with :math:`v_H = 0` (stages from zero),

.. math:: q_h(s, a) \propto \exp\Big( x_h(s, a) - v_h(s) + \sum_t p_h(t|s, a) v_{h+1}(t) \Big), \qquad x = -\eta\Lambda,
          \qquad g(v) = -\sum_h \ln Z_h - \rho^\top v_0 ,

is concave and its gradient :math:`\sum_a q_h(s, a) - \text{inflow}_h(s)` is the violation of the flow constraints.
Minus its Hessian, :math:`\sum_h \operatorname{Cov}_{q_h}(f)` with f = 1 at (h, s) and :math:`-p_h(\cdot|s, a)` on the
next layer, is singular, because a constant added to one layer of v changes nothing. The second moments
:math:`\sum_h E_{q_h}[f f^\top]` exceed it by :math:`\sum_h m_h m_h^\top`, :math:`m_h = E_{q_h} f`; they are definite,
and give the same step: a gradient sums to zero over each layer, hence the step is orthogonal to every :math:`m_h`. They
couple neighbouring layers only, so that a step is a block-tridiagonal Cholesky factorisation, whose first block is
diagonal. States that no policy reaches are left out. A step is accepted if g increases enough or the violation shrinks:
near the optimum g is flat to rounding, and a test on g alone stalls.

**Certificate.** The policy :math:`\pi \propto q` has an occupancy q' that satisfies all constraints exactly; its primal
value exceeds the dual value g(v) by

.. math:: \sum_h \operatorname{KL}(q'_h \,\|\, q_h) \;\ge\; 0 ,

the duality gap, computed without cancellation. The learner plays :math:`\pi`, and weighs by q'.

References
----------
A. Zimin and G. Neu (2013). Online learning in episodic Markovian decision processes by relative entropy policy search.
NeurIPS 26.
"""

from typing import NamedTuple

import numpy as np

from mdps.adversarial import Dynamics, LossTable, fill_losses, occupancy_of, play
from mdps.jit import kernel
from mdps.kernels import WordArray
from mdps.validation import FloatArray, IntArray
from solvers.adversarial_ftrl_tabular import add_losses, clear, soft_backward, write_record

RIDGE = 1e-14
"""Added to the diagonal of the Hessian: states of less mass than this may keep any dual value."""

ACCEPTED = 1e-10
"""A violation this small is left alone once Newton's method no longer halves it."""

SMALLEST_STEP = 1e-12
"""A Newton step is halved until it is accepted, or is below this fraction of itself: then the ascent gives up."""


class Leader(NamedTuple):
    """O-REPS, laid out for the kernel."""

    eta: float
    bandit: bool
    from_uniform: bool  # start from the occupancy of the uniform policy in place of the uniform tables
    weight_by_policy: bool  # divide by pi in place of q
    reachable: FloatArray  # (H, S): one or zero
    tolerance: float
    max_iterations: int


class Workspace(NamedTuple):
    """Scratch of the projection."""

    trial: FloatArray  # (H, S)
    gradient: FloatArray  # (H, S)
    step: FloatArray  # (H, S)
    diagonal: FloatArray  # (H, S, S)
    coupling: FloatArray  # (H, S, S)
    minus: FloatArray  # (S,): minus ones
    soft: FloatArray  # (H + 1, S)
    log_q: FloatArray  # (H, S, A)


@kernel
def _weigh_pairs(
    world: Dynamics, reachable: FloatArray, exponent: FloatArray, v: FloatArray, log_q: FloatArray
) -> None:
    """Write the logarithms of q before normalisation; minus infinity in states that no policy reaches."""
    n_stages, n_states, n_actions = exponent.shape
    last = world.transitions.shape[0] - 1
    for h in range(n_stages):
        g = min(h, last)
        for s in range(n_states):
            for a in range(n_actions):
                total = exponent[h, s, a] - v[h, s]
                if h + 1 < n_stages:
                    for t in range(n_states):
                        total += world.transitions[g, s, a, t] * v[h + 1, t]
                log_q[h, s, a] = total if reachable[h, s] > 0.0 else -np.inf


@kernel
def _normalise(log_q: FloatArray, q: FloatArray) -> float:
    """Normalise every layer; return the sum of the ln Z."""
    n_stages, n_states, n_actions = q.shape
    partition = 0.0
    for h in range(n_stages):
        top, mass = -np.inf, 0.0
        for s in range(n_states):
            for a in range(n_actions):
                top = max(top, log_q[h, s, a])
        for s in range(n_states):
            for a in range(n_actions):
                q[h, s, a] = np.exp(log_q[h, s, a] - top)
                mass += q[h, s, a]
        shift = top + np.log(mass)
        for s in range(n_states):
            for a in range(n_actions):
                q[h, s, a] /= mass
                log_q[h, s, a] -= shift
        partition += shift
    return partition


@kernel
def _flow(world: Dynamics, q: FloatArray, gradient: FloatArray) -> float:
    """Write outflow minus inflow of every state; return the largest, in absolute value."""
    n_stages, n_states, n_actions = q.shape
    last = world.transitions.shape[0] - 1
    for s in range(n_states):
        gradient[0, s] = -world.initial[s]
        for h in range(1, n_stages):
            gradient[h, s] = 0.0
    violation = 0.0
    for h in range(n_stages):
        g = min(h, last)
        for s in range(n_states):
            for a in range(n_actions):
                gradient[h, s] += q[h, s, a]
                if h + 1 < n_stages:
                    for t in range(n_states):
                        gradient[h + 1, t] -= q[h, s, a] * world.transitions[g, s, a, t]
            violation = max(violation, abs(gradient[h, s]))
    return violation


@kernel
def dual_point(
    world: Dynamics, reachable: FloatArray, exponent: FloatArray, v: FloatArray, q: FloatArray, work: Workspace
) -> tuple[float, float]:
    """Write q, its logarithm and the gradient of g at v; return g and the largest violation of a flow constraint."""
    _weigh_pairs(world, reachable, exponent, v, work.log_q)
    dual = -_normalise(work.log_q, q)
    for s in range(v.shape[1]):
        dual -= world.initial[s] * v[0, s]
    return dual, _flow(world, q, work.gradient)


@kernel
def _add_squares(rows: FloatArray, weights: FloatArray, block: FloatArray) -> None:
    """Add ``sum_i weights[i] rows[i]' rows[i]``, four rows at a time: whole rows of the block, for the vector units."""
    n_rows, n = rows.shape
    whole = n_rows - n_rows % 4
    for i in range(0, whole, 4):
        if weights[i] == 0.0 and weights[i + 1] == 0.0 and weights[i + 2] == 0.0 and weights[i + 3] == 0.0:
            continue
        for t in range(n):
            p0, p1 = weights[i] * rows[i, t], weights[i + 1] * rows[i + 1, t]
            p2, p3 = weights[i + 2] * rows[i + 2, t], weights[i + 3] * rows[i + 3, t]
            for r in range(n):
                block[t, r] += (p0 * rows[i, r] + p1 * rows[i + 1, r]) + (p2 * rows[i + 2, r] + p3 * rows[i + 3, r])
    for i in range(whole, n_rows):
        for t in range(n):
            p0 = weights[i] * rows[i, t]
            for r in range(n):
                block[t, r] += p0 * rows[i, r]


@kernel
def _add_layer(transitions: FloatArray, q: FloatArray, coupling: FloatArray, following: FloatArray) -> None:
    """Write the coupling of a layer ``q (S, A)`` with the next one; add its part of the next diagonal block."""
    n_states, n_actions = q.shape
    for s in range(n_states):
        for t in range(n_states):
            coupling[s, t] = 0.0
        for a in range(n_actions):
            p = q[s, a]
            for t in range(n_states):
                coupling[s, t] -= p * transitions[s, a, t]
    n_pairs = n_states * n_actions
    _add_squares(transitions.reshape((n_pairs, n_states)), q.reshape(n_pairs), following)


@kernel
def _second_moments(world: Dynamics, reachable: FloatArray, q: FloatArray, work: Workspace) -> None:
    """Write the blocks of ``sum_h E_{q_h}[f f']`` (see the module), with a ridge."""
    n_stages, n_states, n_actions = q.shape
    last = world.transitions.shape[0] - 1
    diagonal, coupling = work.diagonal, work.coupling
    for h in range(n_stages):
        for s in range(n_states):
            for t in range(n_states):
                diagonal[h, s, t] = 0.0
            mass = RIDGE if reachable[h, s] > 0.0 else 1.0
            for a in range(n_actions):
                mass += q[h, s, a]
            diagonal[h, s, s] = mass
    for h in range(n_stages - 1):
        _add_layer(world.transitions[min(h, last)], q[h], coupling[h], diagonal[h + 1])


@kernel
def _cholesky(block: FloatArray) -> None:
    """Overwrite the upper triangle of U'U with U, row by row; pivots below the ridge are lifted to it."""
    n = block.shape[0]
    for j in range(n):
        pivot = np.sqrt(max(block[j, j], RIDGE))
        block[j, j] = pivot
        for t in range(j + 1, n):
            block[j, t] /= pivot
        for i in range(j + 1, n):
            factor = block[j, i]
            if factor != 0.0:
                for t in range(i, n):
                    block[i, t] -= factor * block[j, t]


@kernel
def _factor(work: Workspace) -> None:
    """Overwrite the blocks with their Cholesky factor: upper triangles U_h and ``W_h = U_h^-T O_h``."""
    diagonal, coupling = work.diagonal, work.coupling
    n_stages, n_states, _ = diagonal.shape
    for s in range(n_states):
        work.minus[s] = -1.0
    for h in range(n_stages):
        _cholesky(diagonal[h])
        if h + 1 == n_stages:
            return
        for i in range(n_states):
            for r in range(i):
                factor = diagonal[h, r, i]
                if factor != 0.0:  # the first block is diagonal
                    for t in range(n_states):
                        coupling[h, i, t] -= factor * coupling[h, r, t]
            for t in range(n_states):
                coupling[h, i, t] /= diagonal[h, i, i]
        _add_squares(coupling[h], work.minus, diagonal[h + 1])


@kernel
def _solve(work: Workspace) -> None:
    """Write the Newton step for the gradient to ``work.step``."""
    diagonal, coupling, step = work.diagonal, work.coupling, work.step
    n_stages, n_states, _ = diagonal.shape
    for h in range(n_stages):
        for i in range(n_states):
            total = work.gradient[h, i]
            if h > 0:
                for r in range(n_states):
                    total -= coupling[h - 1, r, i] * step[h - 1, r]
            for r in range(i):
                total -= diagonal[h, r, i] * step[h, r]
            step[h, i] = total / diagonal[h, i, i]
    for h in range(n_stages - 1, -1, -1):
        for i in range(n_states - 1, -1, -1):
            total = step[h, i]
            if h + 1 < n_stages:
                for t in range(n_states):
                    total -= coupling[h, i, t] * step[h + 1, t]
            for r in range(i + 1, n_states):
                total -= diagonal[h, i, r] * step[h, r]
            step[h, i] = total / diagonal[h, i, i]


@kernel
def _newton_step(world: Dynamics, rule: Leader, q: FloatArray, work: Workspace) -> float:
    """Write the Newton step at the point that q and the gradient belong to; return its slope."""
    _second_moments(world, rule.reachable, q, work)
    _factor(work)
    _solve(work)
    slope = 0.0
    for h in range(q.shape[0]):
        for s in range(q.shape[1]):
            slope += work.gradient[h, s] * work.step[h, s]
    return slope


@kernel
def project(
    world: Dynamics, rule: Leader, exponent: FloatArray, v: FloatArray, q: FloatArray, work: Workspace
) -> tuple[int, float]:
    """Maximise g from ``v (H, S)``, which is overwritten; write q; return the iterations and the largest violation.

    If Newton's method fails from v, it starts again from the log-partitions of soft dynamic programming, where q is the
    uniform law of the state times a policy near the optimal one: from there it gets home however large the losses are.
    A failing step is left at the last point tried, so that q, v and the violation always belong together.
    """
    n_stages, n_states, _ = q.shape
    total, iteration, restarted = 0, 0, False
    dual, violation, slope, size = -np.inf, np.inf, 0.0, 0.0
    while True:
        for h in range(n_stages):
            for s in range(n_states):
                work.trial[h, s] = v[h, s] + (size * work.step[h, s] if size > 0.0 else 0.0)
        new_dual, new_violation = dual_point(world, rule.reachable, exponent, work.trial, q, work)
        accepted = new_dual >= dual + 1e-4 * size * slope or new_violation < (1.0 - 1e-4 * size) * violation
        if not accepted and size > SMALLEST_STEP:
            size *= 0.5
            continue
        stalled = violation <= ACCEPTED and new_violation > 0.5 * violation  # rounding, no more to gain
        dual, violation = new_dual, new_violation
        for h in range(n_stages):
            for s in range(n_states):
                v[h, s] = work.trial[h, s]
        if violation > rule.tolerance and accepted and not stalled and iteration < rule.max_iterations:
            slope, size = _newton_step(world, rule, q, work), 1.0
            iteration += 1
            continue
        total += iteration
        if restarted or violation <= max(rule.tolerance, ACCEPTED):
            return total, violation
        soft_start(world, exponent, q, work.soft, v)
        restarted, iteration = True, 0
        dual, violation, slope, size = -np.inf, np.inf, 0.0, 0.0


@kernel
def soft_start(world: Dynamics, exponent: FloatArray, scratch: FloatArray, soft: FloatArray, v: FloatArray) -> None:
    """Write the log-partitions of soft dynamic programming to ``v (H, S)``; ``scratch (H, S, A)`` is overwritten."""
    soft_backward(world, exponent, -1.0, soft, scratch)
    for h in range(v.shape[0]):
        for s in range(v.shape[1]):
            v[h, s] = soft[h, s]


@kernel
def near_start(world: Dynamics, exponent: FloatArray, policy: FloatArray, work: Workspace, v: FloatArray) -> None:
    """Write a point near the optimum to ``v (H, S)``: one fixed-point step from soft dynamic programming.

    At the optimum v_h is the log-partition of the stage, given the next v, less the logarithm of the occupancy of the
    state; here that of the soft policy, which is left in ``policy (H, S, A)``.
    """
    soft_backward(world, exponent, -1.0, work.soft, policy)
    occupancy_of(world, policy, work.trial)
    n_stages, n_states, n_actions = exponent.shape
    last = world.transitions.shape[0] - 1
    for h in range(n_stages - 1, -1, -1):
        g = min(h, last)
        for s in range(n_states):
            top, mass = -np.inf, 0.0
            for a in range(n_actions):
                total = exponent[h, s, a]
                if h + 1 < n_stages:
                    for t in range(n_states):
                        total += world.transitions[g, s, a, t] * v[h + 1, t]
                mass = mass * np.exp(min(top - total, 0.0)) + np.exp(min(total - top, 0.0))
                top = max(top, total)
            v[h, s] = top + np.log(mass) - np.log(max(work.trial[h, s], RIDGE))


@kernel
def policy_of_dual(world: Dynamics, exponent: FloatArray, v: FloatArray, policy: FloatArray) -> None:
    """Write the policy proportional to q, in every state, also where q underflows."""
    n_stages, n_states, n_actions = policy.shape
    last = world.transitions.shape[0] - 1
    for h in range(n_stages):
        g = min(h, last)
        for s in range(n_states):
            top = -np.inf
            for a in range(n_actions):
                total = exponent[h, s, a]
                if h + 1 < n_stages:
                    for t in range(n_states):
                        total += world.transitions[g, s, a, t] * v[h + 1, t]
                policy[h, s, a] = total
                top = max(top, total)
            mass = 0.0
            for a in range(n_actions):
                policy[h, s, a] = np.exp(policy[h, s, a] - top)
                mass += policy[h, s, a]
            for a in range(n_actions):
                policy[h, s, a] /= mass


@kernel
def duality_gap(mass: FloatArray, policy: FloatArray, q: FloatArray, log_q: FloatArray) -> float:
    """Return the sum over stages of KL(mass * policy || q).

    Summed as p ln(p / q) - p + q, whose terms are not negative: the additions sum to zero over a layer.
    """
    gap = 0.0
    for h in range(q.shape[0]):
        for s in range(q.shape[1]):
            for a in range(q.shape[2]):
                played = mass[h, s] * policy[h, s, a]
                if played == 0.0:
                    gap += q[h, s, a]
                    continue
                excess = np.log(played) - log_q[h, s, a]
                if abs(excess) < 1e-3:  # the terms cancel
                    gap += played * excess**2 * (0.5 - excess * (1.0 / 6.0 - excess / 24.0))
                else:
                    gap += played * (excess - 1.0) + q[h, s, a]
    return gap


@kernel
def stability_ratio(rule: Leader, mass: FloatArray, policy: FloatArray, change: FloatArray) -> float:
    """Return the stability of one step over the product of simplices, divided by its bound.

    The bound is ``H eta^2 / 8`` for losses in [0, 1] (full information), ``eta^2 / 2 * sum q c^2`` else.
    """
    n_stages = change.shape[0]
    total, square = 0.0, 0.0
    for h in range(n_stages):
        mean, weight = 0.0, 0.0
        for s in range(change.shape[1]):
            for a in range(change.shape[2]):
                played = mass[h, s] * policy[h, s, a]
                mean += played * change[h, s, a]
                square += played * change[h, s, a] ** 2
        for s in range(change.shape[1]):
            for a in range(change.shape[2]):
                if mass[h, s] * policy[h, s, a] > 0.0:
                    weight += mass[h, s] * policy[h, s, a] * np.exp(-rule.eta * (change[h, s, a] - mean))
        total += np.log(weight)
    bound = 0.5 * rule.eta**2 * square if rule.bandit else n_stages * rule.eta**2 / 8.0
    return total / bound if bound > 0.0 else 0.0


@kernel
def _weigh(
    rule: Leader,
    losses: FloatArray,
    mass: FloatArray,
    policy: FloatArray,
    states: IntArray,
    actions: IntArray,
    change: FloatArray,
) -> None:
    """Write the importance-weighted losses of one episode to ``change``."""
    clear(change)
    for h in range(states.shape[0]):
        s, a = states[h], actions[h]
        weight = policy[h, s, a] if rule.weight_by_policy else mass[h, s] * policy[h, s, a]
        change[h, s, a] = losses[h, s, a] / weight


@kernel
def start_exponent(world: Dynamics, rule: Leader, policy: FloatArray, mass: FloatArray, exponent: FloatArray) -> None:
    """Write the exponent before any loss: zero, or the logarithm of the uniform policy's occupancy."""
    clear(exponent)
    if not rule.from_uniform:
        return
    n_stages, n_states, n_actions = policy.shape
    for h in range(n_stages):
        for s in range(n_states):
            for a in range(n_actions):
                policy[h, s, a] = 1.0 / n_actions
    occupancy_of(world, policy, mass)
    for h in range(n_stages):
        for s in range(n_states):
            for a in range(n_actions):
                if mass[h, s] > 0.0:
                    exponent[h, s, a] = np.log(mass[h, s] / n_actions)


@kernel
def run_oreps(
    world: Dynamics,
    losses: LossTable,
    rule: Leader,
    work: Workspace,
    state: WordArray,
    first: int,
    last: int,
    points: IntArray,
    learner: FloatArray,
    sums: FloatArray,
    certificates: FloatArray,
) -> None:
    """Run O-REPS; ``certificates (N, 4)`` starts at zero and receives the worst of all episodes.

    They are: violation of a flow constraint, duality gap, iterations of a projection, `stability_ratio`.
    """
    n_stages, n_states, n_actions = sums.shape[3:]
    arrays = np.empty((5, n_stages, n_states, n_actions))
    policy, loss, q, exponent, change = arrays[0], arrays[1], arrays[2], arrays[3], arrays[4]
    theta = np.empty((n_stages, 1, losses.table.shape[3]))
    mass = np.empty((n_stages, n_states))
    states, actions = np.empty(n_stages, dtype=np.int64), np.empty(n_stages, dtype=np.int64)
    for lane in range(first, last):
        v = np.zeros((n_stages, n_states))
        cumulative = np.zeros((2, n_stages, n_states, n_actions))
        start_exponent(world, rule, policy, mass, exponent)
        total, record = 0.0, 0
        worst = certificates[lane]
        for k in range(points[-1]):
            iterations, violation = project(world, rule, exponent, v, q, work)
            policy_of_dual(world, exponent, v, policy)
            occupancy_of(world, policy, mass)
            worst[0] = max(worst[0], violation)
            worst[1] = max(worst[1], duality_gap(mass, policy, q, work.log_q))
            worst[2] = max(worst[2], iterations)
            fill_losses(losses, k, policy, state, 3 * lane + 1, theta, loss)
            total += add_losses(loss, mass, policy, cumulative)
            observed = loss
            if rule.bandit:
                play(world, policy, state, 3 * lane, states, actions)
                _weigh(rule, loss, mass, policy, states, actions, change)
                observed = change
            worst[3] = max(worst[3], stability_ratio(rule, mass, policy, observed))
            for h in range(n_stages):
                for s in range(n_states):
                    for a in range(n_actions):
                        exponent[h, s, a] -= rule.eta * observed[h, s, a]
            if k + 1 == points[record]:
                write_record(total, cumulative, lane, record, learner, sums)
                record += 1
