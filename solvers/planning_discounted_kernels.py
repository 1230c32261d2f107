r"""Kernels of discounted dynamic programming, one for dense and sparse models.

A model is its rows: ``data`` with ``indices`` and ``indptr`` in CSR form, row ``s * A + a`` holding
:math:`p(\cdot \mid s, a)`; a dense model has its rows one after the other in ``data``, and no ``indices``.
``rewards`` is ``(S, A)``, ``values`` and ``out`` are ``(S,)``. Nothing is checked here.

.. math:: (T V)(s) = \max_a \, r(s, a) + \gamma \sum_t p(t \mid s, a) V(t),
          \qquad (T_\pi V)(s) = r(s, \pi(s)) + \gamma \sum_t p(t \mid s, \pi(s)) V(t).

Stopping rules used inside the loops (g stands for the discount). With :math:`\ell \le V_{n+1} - V_n \le u` in all
coordinates and :math:`V_{n+1} = T V_n`,

.. math:: V_{n+1} + \tfrac{g}{1 - g} \ell \le V^* \le V_{n+1} + \tfrac{g}{1 - g} u
          \qquad \text{(MacQueen 1966; Puterman 1994, section 6.6)},

so that the middle of the two bounds is within :math:`\frac{g}{2 (1 - g)} (u - \ell)` of the optimum. They decide
when to stop, never what is reported: the caller certifies the final values by a full sweep of their own.
"""

import numpy as np
import numpy.typing as npt

from mdps.jit import inlined_kernel, kernel
from mdps.validation import FloatArray, IntArray
from solvers.planning_kernels import EPSILON, dot

Indices = npt.NDArray[np.int32] | None
"""A CSR index array, or None for a dense model: numba drops the other branch when it compiles, once for each kind."""


@inlined_kernel
def expectation(data: FloatArray, indices: Indices, indptr: Indices, row: int, values: FloatArray) -> float:
    """Return the mean of ``values`` under one row.

    Inlined: a call with all array descriptors costs several times the price of a row of one entry.
    """
    if indices is None or indptr is None:
        total = dot(data, row * values.size, values, 0, values.size)
    else:
        total = 0.0
        for k in range(indptr[row], indptr[row + 1]):
            total += data[k] * values[indices[k]]
    return total


@kernel
def optimality_sweep(
    data: FloatArray,
    indices: Indices,
    indptr: Indices,
    rewards: FloatArray,
    discount: float,
    values: FloatArray,
    out: FloatArray,
    policy: IntArray,
) -> tuple[float, float, float, int]:
    """Write T ``values`` into ``out`` and a greedy policy (ties to the lowest action) into ``policy``.

    Returns the least and the largest of ``out - values``; the largest |reward| plus discount times the largest
    |value|, which scales the rounding error of an entry of ``out``; and the number of changed entries of ``policy``.
    """
    changed = 0
    low, high, reward_scale, value_scale = np.inf, -np.inf, 0.0, 0.0
    n_states, n_actions = rewards.shape
    for s in range(n_states):
        best, greedy = -np.inf, 0
        for a in range(n_actions):
            expected = expectation(data, indices, indptr, s * n_actions + a, values)
            candidate = rewards[s, a] + discount * expected
            reward_scale = max(reward_scale, abs(rewards[s, a]))
            if candidate > best:
                best, greedy = candidate, a
        changed += greedy != policy[s]
        out[s], policy[s] = best, greedy
        low, high = min(low, best - values[s]), max(high, best - values[s])
        value_scale = max(value_scale, abs(values[s]))
    return low, high, reward_scale + discount * value_scale, changed


@kernel
def eliminating_sweep(
    data: FloatArray,
    indices: Indices,
    indptr: Indices,
    rewards: FloatArray,
    discount: float,
    values: FloatArray,
    out: FloatArray,
    policy: IntArray,
    upper: FloatArray,
    ceiling: FloatArray,
    rise: float,
    slack: float,
) -> tuple[float, float]:
    """As `optimality_sweep`, without reading the actions that cannot be greedy; ``policy`` is the last sweep's.

    Parameters
    ----------
    upper, ceiling
        ``(S, A)`` and ``(S,)``: a bound of each expected next value, and the largest bound of an action value other
        than the policy's, both less ``rise`` (the latter times the discount) at the time they were written.
    rise
        Bound of how far an expected next value has risen in total.
    slack
        Bound of all rounding errors in the comparison.

    Returns
    -------
    tuple
        The least and the largest of ``out - values``.
    """
    low, high = np.inf, -np.inf
    n_states, n_actions = rewards.shape
    for s in range(n_states):
        greedy = policy[s]
        expected = expectation(data, indices, indptr, s * n_actions + greedy, values)
        upper[s, greedy] = expected - rise
        best = rewards[s, greedy] + discount * expected
        if ceiling[s] + discount * rise + slack >= best:
            incumbent = greedy
            for a in range(n_actions):
                if a != incumbent and rewards[s, a] + discount * (upper[s, a] + rise) + slack >= best:
                    expected = expectation(data, indices, indptr, s * n_actions + a, values)
                    upper[s, a] = expected - rise
                    candidate = rewards[s, a] + discount * expected
                    if candidate > best or (candidate == best and a < greedy):
                        best, greedy = candidate, a
            top = -np.inf
            for a in range(n_actions):
                if a != greedy:
                    top = max(top, rewards[s, a] + discount * upper[s, a])
            ceiling[s] = top
            policy[s] = greedy
        out[s] = best
        low, high = min(low, best - values[s]), max(high, best - values[s])
    return low, high


@kernel
def value_iteration(
    data: FloatArray,
    indices: Indices,
    indptr: Indices,
    rewards: FloatArray,
    discount: float,
    values: FloatArray,
    out: FloatArray,
    policy: IntArray,
    upper: FloatArray,
    ceiling: FloatArray,
    tolerance: float,
    span: bool,
    mass_tolerance: float,
    rounding: float,
    max_iterations: int,
) -> int:
    """Iterate T with exact action elimination until the span rule (or the sup rule) meets ``tolerance``, or stalls.

    The result is in ``values``, with MacQueen's shift under the span rule. Returns the number of sweeps. Rounding
    errors stall the iteration when they are as large as the changes.
    """
    factor = discount / (1.0 - discount)
    reward_scale, scale = 0.0, 0.0
    largest = -np.inf
    for value in values:
        largest = max(largest, value)
        scale = max(scale, abs(value))
    for s in range(values.size):
        ceiling[s] = np.inf
        policy[s] = 0
        for a in range(rewards.shape[1]):
            upper[s, a] = largest + mass_tolerance * abs(largest)
            reward_scale = max(reward_scale, abs(rewards[s, a]))
    rise, drift = 0.0, 0.0
    for iteration in range(1, max_iterations + 1):
        slack = rounding * (reward_scale + scale + abs(rise)) + drift
        low, high = eliminating_sweep(
            data, indices, indptr, rewards, discount, values, out, policy, upper, ceiling, rise, slack
        )
        rise += high + mass_tolerance * abs(high)
        drift += 2.0 * EPSILON * abs(rise)
        scale = max(scale, _copy_largest(out, values))
        change = 0.5 * (high - low) if span else max(abs(low), abs(high))
        if factor * change <= tolerance or change <= rounding * scale:
            if span:
                _shift(values, 0.5 * factor * (low + high))
            return iteration
    return max_iterations


@kernel
def _shift(values: FloatArray, amount: float) -> None:
    for s in range(values.size):
        values[s] += amount


@kernel
def _copy_largest(source: FloatArray, target: FloatArray) -> float:
    """Copy ``source`` into ``target`` and return its largest absolute entry."""
    largest = 0.0
    for s in range(source.size):
        target[s] = source[s]
        largest = max(largest, abs(source[s]))
    return largest


@kernel
def gauss_seidel(
    data: FloatArray,
    indices: Indices,
    indptr: Indices,
    rewards: FloatArray,
    discount: float,
    values: FloatArray,
    tolerance: float,
    rounding: float,
    max_iterations: int,
) -> int:
    """Update state by state in place until g / (1 - g) times the largest change meets ``tolerance``, or stalls.

    A sweep is a g-contraction in the sup norm with the same fixed point (Puterman 1994, section 6.3.3).
    """
    factor = discount / (1.0 - discount)
    n_states, n_actions = rewards.shape
    for iteration in range(1, max_iterations + 1):
        change, scale = 0.0, 0.0
        for s in range(n_states):
            best = -np.inf
            for a in range(n_actions):
                expected = expectation(data, indices, indptr, s * n_actions + a, values)
                best = max(best, rewards[s, a] + discount * expected)
            change = max(change, abs(best - values[s]))
            scale = max(scale, abs(best))
            values[s] = best
        if factor * change <= tolerance or change <= rounding * scale:
            return iteration
    return max_iterations


@kernel
def policy_sweeps(
    data: FloatArray,
    indices: Indices,
    indptr: Indices,
    rewards: FloatArray,
    discount: float,
    policy: IntArray,
    values: FloatArray,
    out: FloatArray,
    n_sweeps: int,
) -> None:
    """Apply T_pi to ``values`` in place, ``n_sweeps`` times; ``out`` is work space."""
    n_states, n_actions = rewards.shape
    for _ in range(n_sweeps):
        for s in range(n_states):
            a = policy[s]
            expected = expectation(data, indices, indptr, s * n_actions + a, values)
            out[s] = rewards[s, a] + discount * expected
        _copy_largest(out, values)


@kernel
def modified_policy_iteration(
    data: FloatArray,
    indices: Indices,
    indptr: Indices,
    rewards: FloatArray,
    discount: float,
    values: FloatArray,
    out: FloatArray,
    policy: IntArray,
    tolerance: float,
    rounding: float,
    n_sweeps: int,
    max_iterations: int,
) -> int:
    """Alternate a greedy sweep and ``n_sweeps`` sweeps of its policy until the span rule is met, or stalls."""
    factor = discount / (1.0 - discount)
    for iteration in range(1, max_iterations + 1):
        low, high, scale, _ = optimality_sweep(data, indices, indptr, rewards, discount, values, out, policy)
        _copy_largest(out, values)
        change = 0.5 * (high - low)
        if factor * change <= tolerance or change <= rounding * scale:
            _shift(values, 0.5 * factor * (low + high))
            return iteration
        policy_sweeps(data, indices, indptr, rewards, discount, policy, values, out, n_sweeps)
    return max_iterations


@kernel
def inexact_policy_iteration(
    data: FloatArray,
    indices: Indices,
    indptr: Indices,
    rewards: FloatArray,
    discount: float,
    values: FloatArray,
    out: FloatArray,
    policy: IntArray,
    tolerance: float,
    rounding: float,
    forcing: float,
    patience: float,
    n_sweeps: int,
    max_inner: int,
    max_iterations: int,
) -> int:
    """Iterate T, with Krylov evaluations of the greedy policy, until the span rule is met, or stalls.

    A policy is evaluated once a sweep leaves it as it was and shrinks the span by less than ``patience``. The inner
    system is solved until its residual is ``forcing`` times the optimality residual. A solve that did not bring its
    residual down is thrown away for ``n_sweeps`` sweeps of the policy, which always do.
    """
    factor = discount / (1.0 - discount)
    n_states, n_actions = rewards.shape
    selected = np.empty(n_states, np.int64)
    right = np.empty(n_states)
    work = np.empty((5, n_states))
    for s in range(n_states):
        policy[s] = 0
    previous = np.inf
    for iteration in range(1, max_iterations + 1):
        low, high, scale, changed = optimality_sweep(data, indices, indptr, rewards, discount, values, out, policy)
        _copy_largest(out, values)
        change = 0.5 * (high - low)
        if factor * change <= tolerance or change <= rounding * scale:
            _shift(values, 0.5 * factor * (low + high))
            return iteration
        worthwhile = changed == 0 and change > patience * previous
        previous = change
        if not worthwhile:
            continue
        for s in range(n_states):
            selected[s] = s * n_actions + policy[s]
            right[s] = rewards[s, policy[s]]
        residual = max(abs(low), abs(high))
        target = forcing * residual
        achieved = bicgstab(data, indices, indptr, selected, discount, right, values, work, target, max_inner)
        if not achieved <= discount * residual:
            _copy_largest(out, values)
            policy_sweeps(data, indices, indptr, rewards, discount, policy, values, out, n_sweeps)
    return max_iterations


@kernel
def _apply(
    data: FloatArray,
    indices: Indices,
    indptr: Indices,
    selected: IntArray,
    discount: float,
    x: FloatArray,
    out: FloatArray,
) -> None:
    """Write (I - g P) ``x`` into ``out``, P being the selected rows."""
    for s in range(x.size):
        out[s] = x[s] - discount * expectation(data, indices, indptr, selected[s], x)


@kernel
def _inner(x: FloatArray, y: FloatArray) -> float:
    return dot(x, 0, y, 0, x.size)


@kernel
def bicgstab(
    data: FloatArray,
    indices: Indices,
    indptr: Indices,
    selected: IntArray,
    discount: float,
    right: FloatArray,
    x: FloatArray,
    work: FloatArray,
    target: float,
    max_iterations: int,
) -> float:
    """Solve (I - g P) x = ``right`` in place until the sup norm of the residual is at most ``target``.

    P is the matrix of the ``selected`` rows. Returns the sup norm of the *recomputed* residual, which may exceed the
    target: the method can break down (van der Vorst 1992).

    Parameters
    ----------
    work
        Work space ``(5, S)``.
    """
    r, shadow, p, v, t = work[0], work[1], work[2], work[3], work[4]
    _apply(data, indices, indptr, selected, discount, x, v)
    for s in range(x.size):
        r[s] = right[s] - v[s]
        shadow[s] = r[s]
        p[s] = r[s]
    rho = _inner(shadow, r)
    for _ in range(max_iterations):
        _apply(data, indices, indptr, selected, discount, p, v)
        bottom = _inner(shadow, v)
        if bottom == 0.0 or rho == 0.0:
            break
        alpha = rho / bottom
        for s in range(x.size):
            r[s] -= alpha * v[s]
        _apply(data, indices, indptr, selected, discount, r, t)
        square = _inner(t, t)
        omega = _inner(t, r) / square if square > 0.0 else 0.0
        largest = 0.0
        for s in range(x.size):
            x[s] += alpha * p[s] + omega * r[s]
            r[s] -= omega * t[s]
            largest = max(largest, abs(r[s]))
        following = _inner(shadow, r)
        if largest <= target or omega == 0.0:
            break
        beta = following / rho * (alpha / omega)
        rho = following
        for s in range(x.size):
            p[s] = r[s] + beta * (p[s] - omega * v[s])
    _apply(data, indices, indptr, selected, discount, x, v)
    largest = 0.0
    for s in range(x.size):
        error = abs(right[s] - v[s])
        if not error <= largest:  # a NaN must come through
            largest = error
    return largest
