r"""Kernels of exact dynamic programming on arrays.

Shapes: ``transitions (G, S, A, S)`` and ``rewards (R, S, A)`` with one stage (stationary) or H stages, ``policy``
with one or H stages, ``values (H + 1, S)``. All arrays are C-contiguous; outputs are filled in place; nothing is
checked here.

.. math:: Q_h(s, a) = r_h(s, a) + \sum_t p_h(t \mid s, a) V_{h+1}(t), \quad V_h(s) = \max_a Q_h(s, a), \quad V_H = 0.

**Inner products.** All kernels sum in one fixed order, whatever the machine: sixteen running sums (lane k takes the
terms k, k + 16, ...), folded to four, which then take what is left in fours, folded to one, which takes the last three.
The rounding error of a product of n terms is thus at most ``n // 16 + 12`` units of roundoff, relative to
:math:`\sum_t |p_t v_t|`.

**Exact action elimination.** With one kernel p for all stages, the expected next value moves by
:math:`p(\cdot \mid s, a)^\top (V_{h+1} - V_{h+2}) \le \max_t (V_{h+1} - V_{h+2})(t)` from a stage to the one before.
The sum U of these maxima therefore bounds every action value from its last computed one, and an action whose bound
stays below the value of another need not be read. The bound is inflated by what rows may miss of unit mass and by all
rounding errors, so that the result is that of the full computation, bit for bit.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mdps.jit import kernel
from mdps.validation import FloatArray, IntArray

EPSILON = float(np.finfo(np.float64).eps)


@intrinsic
def dot(typing_context: Any, rows: Any, i: Any, vector: Any, j: Any, n: Any) -> Any:
    """Return ``rows[i : i + n] @ vector[j : j + n]`` of C-contiguous arrays, seen as flat, in the module's order.

    Written in LLVM's vector instructions because the order of summation is part of the result: the compiler must not
    choose it, and without being told it would not vectorise the sum at all.
    """
    signature = types.float64(rows, types.intp, vector, types.intp, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_types = signature.args[0], signature.args[2]
        starts = [
            builder.gep(context.make_array(kind)(context, builder, array).data, [offset])
            for kind, array, offset in zip(array_types, arguments[0:3:2], arguments[1:4:2], strict=True)
        ]
        word, double, pack = ir.IntType(64), ir.DoubleType(), ir.VectorType(ir.DoubleType(), 4)
        length = arguments[4]
        wholes = builder.and_(length, word(-16))
        fours = builder.and_(length, word(-4))

        def accumulate(slot: Any, k: Any, kind: Any) -> None:
            factors = []
            for start in starts:
                address = builder.bitcast(builder.gep(start, [k]), kind.as_pointer())
                factor = builder.load(address)
                factor.align = 8
                factors.append(factor)
            builder.store(builder.fadd(builder.load(slot), builder.fmul(*factors)), slot)

        zero = ir.Constant(pack, [0.0] * 4)
        slots = [cgutils.alloca_once_value(builder, zero) for _ in range(4)]
        with cgutils.for_range_slice(builder, word(0), wholes, word(16), word) as (k, _):
            for lane, slot in enumerate(slots):
                accumulate(slot, builder.add(k, word(4 * lane)), pack)
        a, b, c, d = (builder.load(slot) for slot in slots)
        folded = cgutils.alloca_once_value(builder, builder.fadd(builder.fadd(a, b), builder.fadd(c, d)))
        with cgutils.for_range_slice(builder, wholes, fours, word(4), word) as (k, _):
            accumulate(folded, k, pack)
        packed = builder.load(folded)
        a, b, c, d = (builder.extract_element(packed, ir.IntType(32)(lane)) for lane in range(4))
        total = cgutils.alloca_once_value(builder, builder.fadd(builder.fadd(a, b), builder.fadd(c, d)))
        with cgutils.for_range_slice(builder, fours, length, word(1), word) as (k, _):
            accumulate(total, k, double)
        return builder.load(total)

    return signature, generate


@kernel
def backward_induction(
    transitions: FloatArray,
    rewards: FloatArray,
    values: FloatArray,
    policy: IntArray,
    upper: FloatArray,
    ceiling: FloatArray,
    mass_tolerance: float,
    rounding: float,
) -> None:
    """Fill ``values (H + 1, S)`` and ``policy (H, S)`` for a stationary kernel, with exact action elimination.

    Ties go to the lowest action.

    Parameters
    ----------
    upper, ceiling
        Work space ``(S, A)`` and ``(S,)``: a bound of the expected next value less U, and the largest bound of an
        action value other than the policy's, less U and the rise of the rewards.
    mass_tolerance
        Bound of the deviation of each row's mass from one.
    rounding
        Relative bound of all rounding errors, times the largest value.
    """
    n_stages, n_states = policy.shape
    n_actions = rewards.shape[2]
    largest = 0.0
    for stage in rewards:
        for row in stage:
            for reward in row:
                largest = max(largest, abs(reward))
    slack = rounding * n_stages * largest * (1.0 + mass_tolerance) ** n_stages
    for s in range(n_states):
        values[n_stages, s] = 0.0
    for s in range(n_states):
        _greedy(rewards[(n_stages - 1) % rewards.shape[0]], s, values, policy, n_stages - 1)
        ceiling[s] = np.inf
        for a in range(n_actions):
            upper[s, a] = 0.0
    rise = 0.0  # U: how far an expected next value may have risen
    reward_rise = 0.0
    for h in range(n_stages - 2, -1, -1):
        r = rewards[h % rewards.shape[0]]
        step = -np.inf
        for t in range(n_states):
            step = max(step, values[h + 1, t] - values[h + 2, t])
        rise += step + mass_tolerance * abs(step)
        if rewards.shape[0] > 1:
            reward_rise += _largest_rise(rewards, h)
        for s in range(n_states):
            greedy = policy[h + 1, s]
            expected = dot(transitions, (s * n_actions + greedy) * n_states, values, (h + 1) * n_states, n_states)
            upper[s, greedy] = expected - rise
            best = r[s, greedy] + expected
            if ceiling[s] + reward_rise + rise + slack >= best:
                start = (h + 1) * n_states
                best, greedy = _compare(transitions, r, values, start, upper, s, greedy, best, rise, slack)
                ceiling[s] = _second(r, upper, s, greedy) - reward_rise
            policy[h, s] = greedy
            values[h, s] = best


@kernel
def _compare(
    transitions: FloatArray,
    r: FloatArray,
    values: FloatArray,
    start: int,
    upper: FloatArray,
    s: int,
    incumbent: int,
    best: float,
    rise: float,
    slack: float,
) -> tuple[float, int]:
    """Read the actions of state s that may beat the incumbent's value ``best``; return the best value and action."""
    greedy = incumbent
    n_states, n_actions = r.shape
    for a in range(n_actions):
        if a != incumbent and r[s, a] + upper[s, a] + rise + slack >= best:
            expected = dot(transitions, (s * n_actions + a) * n_states, values, start, n_states)
            upper[s, a] = expected - rise
            candidate = r[s, a] + expected
            if candidate > best or (candidate == best and a < greedy):
                best, greedy = candidate, a
    return best, greedy


@kernel
def _second(r: FloatArray, upper: FloatArray, s: int, greedy: int) -> float:
    """Return the largest ``r + upper`` of state s among the actions other than ``greedy``."""
    top = -np.inf
    for a in range(r.shape[1]):
        if a != greedy:
            top = max(top, r[s, a] + upper[s, a])
    return top


@kernel
def _greedy(action_values: FloatArray, s: int, values: FloatArray, policy: IntArray, h: int) -> None:
    """Write the first best action of state s, and its value, into stage h."""
    best = 0
    for a in range(1, action_values.shape[1]):
        if action_values[s, a] > action_values[s, best]:
            best = a
    policy[h, s] = best
    values[h, s] = action_values[s, best]


@kernel
def _largest_rise(rewards: FloatArray, h: int) -> float:
    """Return the largest of ``rewards[h] - rewards[h + 1]``."""
    rise = -np.inf
    for s in range(rewards.shape[1]):
        for a in range(rewards.shape[2]):
            rise = max(rise, rewards[h, s, a] - rewards[h + 1, s, a])
    return rise


@kernel
def _look_ahead(
    transitions: FloatArray, first: int, r: FloatArray, values: FloatArray, start: int, q: FloatArray
) -> None:
    """Fill ``q (S, A)`` with ``r`` plus the expected values, from the given flat offsets of the rows and values."""
    n_states, n_actions = r.shape
    for s in range(n_states):
        for a in range(n_actions):
            row = first + (s * n_actions + a) * n_states
            q[s, a] = r[s, a] + dot(transitions, row, values, start, n_states)


@kernel
def full_backward_induction(
    transitions: FloatArray, rewards: FloatArray, values: FloatArray, q_values: FloatArray, policy: IntArray
) -> None:
    """Fill ``values (H + 1, S)``, ``policy (H, S)`` and ``q_values``; ties go to the lowest action.

    ``q_values`` is ``(H, S, A)``, or ``(1, S, A)`` to keep only stage 0.
    """
    n_stages, n_states = policy.shape
    n_actions = rewards.shape[2]
    for s in range(n_states):
        values[n_stages, s] = 0.0
    for h in range(n_stages - 1, -1, -1):
        first = (h % transitions.shape[0]) * n_states * n_actions * n_states
        q = q_values[h % q_values.shape[0]]
        _look_ahead(transitions, first, rewards[h % rewards.shape[0]], values, (h + 1) * n_states, q)
        for s in range(n_states):
            _greedy(q, s, values, policy, h)


@kernel
def action_values(transitions: FloatArray, rewards: FloatArray, values: FloatArray, q_values: FloatArray) -> None:
    """Fill ``q_values (H, S, A)`` with the one-step look-ahead of the given ``values (H + 1, S)``."""
    n_stages, n_states, n_actions = q_values.shape
    for h in range(n_stages):
        first = (h % transitions.shape[0]) * n_states * n_actions * n_states
        r = rewards[h % rewards.shape[0]]
        _look_ahead(transitions, first, r, values, (h + 1) * n_states, q_values[h])


@kernel
def evaluate_deterministic(transitions: FloatArray, rewards: FloatArray, policy: IntArray, values: FloatArray) -> None:
    """Fill ``values (H + 1, S)`` with the values of ``policy (H or 1, S)``."""
    n_stages = values.shape[0] - 1
    n_states = values.shape[1]
    n_actions = rewards.shape[2]
    for s in range(n_states):
        values[n_stages, s] = 0.0
    for h in range(n_stages - 1, -1, -1):
        first = (h % transitions.shape[0]) * n_states
        r = rewards[h % rewards.shape[0]]
        actions = policy[h % policy.shape[0]]
        for s in range(n_states):
            row = ((first + s) * n_actions + actions[s]) * n_states
            values[h, s] = r[s, actions[s]] + dot(transitions, row, values, (h + 1) * n_states, n_states)


@kernel
def evaluate_stochastic(transitions: FloatArray, rewards: FloatArray, policy: FloatArray, values: FloatArray) -> None:
    """Fill ``values (H + 1, S)`` with the values of ``policy (H or 1, S, A)``."""
    n_stages = values.shape[0] - 1
    n_states = values.shape[1]
    n_actions = policy.shape[2]
    for s in range(n_states):
        values[n_stages, s] = 0.0
    for h in range(n_stages - 1, -1, -1):
        first = (h % transitions.shape[0]) * n_states
        r = rewards[h % rewards.shape[0]]
        law = policy[h % policy.shape[0]]
        for s in range(n_states):
            mean = 0.0
            for a in range(n_actions):
                if law[s, a] != 0.0:
                    row = ((first + s) * n_actions + a) * n_states
                    expected = dot(transitions, row, values, (h + 1) * n_states, n_states)
                    mean += law[s, a] * (r[s, a] + expected)
            values[h, s] = mean


@kernel
def occupancy_deterministic(
    transitions: FloatArray, policy: IntArray, initial: FloatArray, laws: FloatArray, occupancy: FloatArray
) -> None:
    r"""Fill ``occupancy (H, S, A)`` with :math:`P_\pi(s_h = s, a_h = a)` of ``policy (H or 1, S)``.

    ``laws (H + 1, S)`` receives the laws of the states.
    """
    n_stages, n_states, n_actions = occupancy.shape
    for s in range(n_states):
        laws[0, s] = initial[s]
    for h in range(n_stages):
        p = transitions[h % transitions.shape[0]]
        actions = policy[h % policy.shape[0]]
        for t in range(n_states):
            laws[h + 1, t] = 0.0
        for s in range(n_states):
            for a in range(n_actions):
                occupancy[h, s, a] = 0.0
            occupancy[h, s, actions[s]] = laws[h, s]
            _push(p[s, actions[s]], laws[h, s], laws[h + 1])


@kernel
def occupancy_stochastic(
    transitions: FloatArray, policy: FloatArray, initial: FloatArray, laws: FloatArray, occupancy: FloatArray
) -> None:
    r"""Fill ``occupancy (H, S, A)`` with :math:`P_\pi(s_h = s, a_h = a)` of ``policy (H or 1, S, A)``.

    ``laws (H + 1, S)`` receives the laws of the states.
    """
    n_stages, n_states, n_actions = occupancy.shape
    for s in range(n_states):
        laws[0, s] = initial[s]
    for h in range(n_stages):
        p = transitions[h % transitions.shape[0]]
        actions = policy[h % policy.shape[0]]
        for t in range(n_states):
            laws[h + 1, t] = 0.0
        for s in range(n_states):
            for a in range(n_actions):
                occupancy[h, s, a] = laws[h, s] * actions[s, a]
                _push(p[s, a], occupancy[h, s, a], laws[h + 1])


@kernel
def _push(row: FloatArray, mass: float, law: FloatArray) -> None:
    """Add ``mass`` times ``row`` to ``law``."""
    if mass != 0.0:
        for t in range(law.size):
            law[t] += mass * row[t]


@kernel
def first_bad_action(policy: IntArray, n_actions: int) -> int:
    """Return the flat index of the first action outside ``0 .. n_actions - 1`` of ``policy (., S)``, or -1."""
    n_stages, n_states = policy.shape
    for h in range(n_stages):
        for s in range(n_states):
            if policy[h, s] < 0 or policy[h, s] >= n_actions:
                return h * n_states + s
    return -1


@kernel
def first_bad_law(policy: FloatArray, tolerance: float) -> int:
    """Return the flat row index of the first row of ``policy (., S, A)`` that is no distribution, or -1."""
    n_stages, n_states, n_actions = policy.shape
    for h in range(n_stages):
        for s in range(n_states):
            total = 0.0
            valid = True
            for a in range(n_actions):
                total += policy[h, s, a]
                valid = valid and policy[h, s, a] >= 0.0
            if not (valid and abs(total - 1.0) <= tolerance):
                return h * n_states + s
    return -1
