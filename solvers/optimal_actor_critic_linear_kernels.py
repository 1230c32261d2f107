r"""Kernels of optimistic actor-critics on linear models: statistics, critic, actor, exact evaluation, episodes.

Per stage h a learner keeps :math:`\Lambda = \lambda I + \sum_t \phi_t \phi_t^\top` and its inverse,
:math:`u = \sum_t \phi_t r_t` and :math:`M = \sum_t e_{s'_t} \phi_t^\top`, ``(S, d)``: nothing grows with the number of
episodes. After a step, with :math:`g = \Lambda^{-1} \phi` and :math:`x = \phi^\top g`,

.. math:: \Lambda^{-1} \leftarrow \Lambda^{-1} - g g^\top / (1 + x), \qquad
          \log\det\Lambda \leftarrow \log\det\Lambda + \log(1 + x) .

A new critic is made when :math:`\log\det\Lambda` of a stage has grown by more than a threshold since the last one. The
inverses are then computed anew, and backwards from :math:`V_{H+1} = 0`

.. math:: w_h = \Lambda_h^{-1} (u_h + M_h^\top V_{h+1}), \qquad
          Q_h = \operatorname{clip}(\phi^\top w_h + \beta \|\phi\|_{\Lambda_h^{-1}}, 0, B_h), \qquad
          V_h = \max_a Q_h(\cdot, a) .

In between the actor of the j-th episode is :math:`\operatorname{softmax}(\eta j Q_h)`: the pair (j, Q) is kept, no sum.

**Layout.** The pair (s, a) is row ``a * S + s``. Features are kept twice: ``(G, d, P)`` for tables over all pairs,
which are then sums of d rows of length P, and ``(G, P, d)`` for the pair that is visited. G is 1 or H.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mdps.jit import kernel
from mdps.kernels import WordArray, draw_cdf, uniform
from mdps.validation import FloatArray, IntArray
from solvers.episodic import add_weighted
from solvers.planning_kernels import dot


class LinearWorld(NamedTuple):
    """A linear model as the kernels take it; P = S A pairs."""

    features: FloatArray  # (G, d, P)
    rows: FloatArray  # (G, P, d)
    factors: FloatArray  # (H, S, d): factors of the next state, transposed
    weights: FloatArray  # (H, d): of the rewards
    rewards: FloatArray  # (H, P)
    next_cdf: FloatArray  # (H, P, S)
    initial: FloatArray  # (S,)
    initial_cdf: FloatArray  # (S,)
    optimum: FloatArray  # (H, P): Q*
    best: float  # V* of the start


class LinearRules(NamedTuple):
    """What tells the learners apart."""

    eta: float  # inf: greedy, ties to the lowest action
    beta: float
    ridge: float
    caps: FloatArray  # (H,): upper clips of Q
    threshold: float  # growth of log det Lambda that makes a new critic; negative: every episode
    reset: bool  # whether the actor starts from the uniform law with each critic
    first: int  # multiple of Q in the first episode of a critic: 1, or 0 if the actor is one step late
    to_actor: bool  # whether the critic targets the actor, not the optimum
    evaluated: bool  # whether every episode is evaluated, not the recorded ones only


class LinearMemory(NamedTuple):
    """What a learner has seen, and its critic."""

    fresh: FloatArray  # (H, P): visits since the last critic
    covariance: FloatArray  # (H, d, d): Lambda of the last critic, its lower triangle
    inverse: FloatArray  # (H, d, d): of the present Lambda
    responses: FloatArray  # (H, d): u of the last critic
    moments: FloatArray  # (H, S, d): M
    growth: FloatArray  # (H,): of log det Lambda since the last critic
    norms: FloatArray  # (H, P): squared norms in the inverse of the last critic
    q: FloatArray  # (H, P)
    values: FloatArray  # (H + 1, S)
    errors: FloatArray  # (H, P): Bellman errors of the critic
    past: FloatArray  # (H, P): sum of the critics of earlier epochs, zero after a reset


class LinearTrace(NamedTuple):
    """What is kept of one run."""

    regret: FloatArray  # (R,): cumulative, if evaluated
    gaps: FloatArray  # (R,): loss of the policy of the recorded episode
    tracking: FloatArray  # (R,): cumulative, if evaluated
    bellman: FloatArray  # (R,): cumulative Bellman errors that were met
    switches: IntArray  # (R,): critics made so far
    extremes: FloatArray  # (4,): least Q - Q*, least error, largest error over its bound, largest staleness
    potential: FloatArray  # (2, H): sums of squared norms, current and stale
    growth: FloatArray  # (H,): of log det Lambda over the run


class LinearWork(NamedTuple):
    """Scratch."""

    pairs: FloatArray  # (2, P)
    vectors: FloatArray  # (2, d)
    ahead: FloatArray  # (2, S)
    law: FloatArray  # (A,)
    lower: FloatArray  # (d, d)
    back: FloatArray  # (d, d)


@intrinsic
def add_multiple(typing_context: Any, factor: Any, rows: Any, i: Any, totals: Any, j: Any, n: Any) -> Any:
    """Add ``factor * rows[i : i + n]`` to ``totals[j : j + n]`` of C-contiguous arrays, seen as flat.

    The two ranges are the same or apart. Written in vector instructions, as `solvers.planning_kernels.dot`: the
    compiler does not know that, and its checks cost more than a row of twenty numbers.
    """
    signature = types.void(types.float64, rows, types.intp, totals, types.intp, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        starts = [
            builder.gep(context.make_array(signature.args[k])(context, builder, arguments[k]).data, [arguments[k + 1]])
            for k in (1, 3)
        ]
        word, double, pack = ir.IntType(64), ir.DoubleType(), ir.VectorType(ir.DoubleType(), 4)
        length = arguments[5]
        wholes, fours = builder.and_(length, word(-16)), builder.and_(length, word(-4))
        wide = ir.Constant(pack, ir.Undefined)
        for lane in range(4):
            wide = builder.insert_element(wide, arguments[0], ir.IntType(32)(lane))

        def accumulate(k: Any, kind: Any, scale: Any) -> None:
            source, target = (builder.bitcast(builder.gep(start, [k]), kind.as_pointer()) for start in starts)
            row, total = builder.load(source), builder.load(target)
            row.align = total.align = 8
            builder.store(builder.fadd(total, builder.fmul(scale, row)), target).align = 8

        with cgutils.for_range_slice(builder, word(0), wholes, word(16), word) as (k, _):
            for lane in range(4):
                accumulate(builder.add(k, word(4 * lane)), pack, wide)
        with cgutils.for_range_slice(builder, wholes, fours, word(4), word) as (k, _):
            accumulate(k, pack, wide)
        with cgutils.for_range_slice(builder, fours, length, word(1), word) as (k, _):
            accumulate(k, double, arguments[0])
        return context.get_dummy_value()

    return signature, generate


@kernel
def actor(eta: float, past: FloatArray, q: FloatArray, h: int, s: int, count: int, law: FloatArray) -> None:
    """Fill ``law`` with the actor's at a state: softmax of eta (past + count Q), or greedy."""
    n_actions = law.shape[0]
    n_states = q.shape[1] // n_actions
    top, best = -np.inf, 0
    for a in range(n_actions):
        law[a] = past[h, a * n_states + s] + count * q[h, a * n_states + s]
        if law[a] > top:
            top, best = law[a], a
    total = 0.0
    for a in range(n_actions):
        if eta == np.inf:
            law[a] = 1.0 if a == best else 0.0
        else:
            law[a] = math.exp(eta * (law[a] - top))
        total += law[a]
    for a in range(n_actions):
        law[a] /= total


@kernel
def observe(
    rows: FloatArray,
    row: int,
    inverse: FloatArray,
    moments: FloatArray,
    h: int,
    following: int,
    g: FloatArray,
) -> float:
    """Add one step to the inverse and to M of a stage and return phi' Lambda^-1 phi of before; ``g`` is scratch.

    phi begins at ``row`` of the rows, seen as flat.
    """
    n_states, d = moments.shape[1:]
    for i in range(d):
        g[i] = dot(inverse, (h * d + i) * d, rows, row, d)
    x = dot(g, 0, rows, row, d)
    scale = -1.0 / (1.0 + x)
    for i in range(d):
        add_multiple(scale * g[i], g, 0, inverse, (h * d + i) * d, d)
    add_multiple(1.0, rows, row, moments, (h * n_states + following) * d, d)
    return x


@kernel
def collect(
    rows: FloatArray, rewards: FloatArray, h: int, fresh: FloatArray, covariance: FloatArray, responses: FloatArray
) -> None:
    """Add the visits since the last critic to Lambda, its lower triangle, and to u: once a pair, not once a visit."""
    n_pairs, d = fresh.shape[1], responses.shape[1]
    for pair in range(n_pairs):
        visits = fresh[h, pair]
        if visits > 0.0:
            fresh[h, pair] = 0.0
            row = ((h % rows.shape[0]) * n_pairs + pair) * d
            add_multiple(visits * rewards[h, pair], rows, row, responses, h * d, d)
            for i in range(d):
                factor = visits * rows[h % rows.shape[0], pair, i]
                add_multiple(factor, rows, row, covariance, (h * d + i) * d, i + 1)


@kernel
def invert(covariance: FloatArray, h: int, lower: FloatArray, back: FloatArray, inverse: FloatArray) -> None:
    """Compute the inverse of Lambda anew from Cholesky's factor L, as the product of those of L' and L.

    ``lower`` and ``back (d, d)`` are scratch for L and its inverse, whose rows end at the diagonal.
    """
    d = lower.shape[0]
    for i in range(d):
        for j in range(i):
            back[i, j] = 0.0
            lower[i, j] = (covariance[h, i, j] - dot(lower, i * d, lower, j * d, j)) / lower[j, j]
        lower[i, i] = math.sqrt(covariance[h, i, i] - dot(lower, i * d, lower, i * d, i))
        for j in range(i):
            add_multiple(-lower[i, j], back, j * d, back, i * d, j + 1)
        back[i, i] = 1.0
        for j in range(i + 1):
            back[i, j] /= lower[i, i]
        for j in range(d):
            inverse[h, i, j] = 0.0
        for j in range(i + 1):
            add_multiple(back[i, j], back, i * d, inverse, (h * d + j) * d, i + 1)


@kernel
def apply(features: FloatArray, g: int, weights: FloatArray, k: int, out: FloatArray) -> None:
    """Fill ``out (P,)`` with the products of the features of all pairs with row k of the weights."""
    for p in range(out.shape[0]):
        out[p] = 0.0
    add_weighted(features, g, weights, k, out)


@kernel
def fill_norms(features: FloatArray, g: int, inverse: FloatArray, buffer: FloatArray, norms: FloatArray) -> None:
    """Fill the squared norms of all pairs: the lower triangle, four rows a pass."""
    n = norms.shape[0]
    for p in range(n):
        norms[p] = 0.0
    for i in range(inverse.shape[0]):
        for p in range(n):
            buffer[p] = 0.5 * inverse[i, i] * features[g, i, p]
        for block in range(i // 4):
            j = 4 * block
            w0, w1, w2, w3 = inverse[i, j], inverse[i, j + 1], inverse[i, j + 2], inverse[i, j + 3]
            for p in range(n):
                part = w0 * features[g, j, p] + w1 * features[g, j + 1, p]
                buffer[p] += part + (w2 * features[g, j + 2, p] + w3 * features[g, j + 3, p])
        for j in range(i - i % 4, i):
            w0 = inverse[i, j]
            for p in range(n):
                buffer[p] += w0 * features[g, j, p]
        for p in range(n):
            norms[p] += 2.0 * features[g, i, p] * buffer[p]


@kernel
def fill_errors(
    q: FloatArray,
    backup: FloatArray,
    optimum: FloatArray,
    norms: FloatArray,
    beta: float,
    cap: float,
    errors: FloatArray,
    extremes: FloatArray,
) -> None:
    """Fill the Bellman errors of all pairs of a stage, and follow their extremes."""
    gap, low, high = extremes[0], extremes[1], extremes[2]
    for p in range(q.shape[0]):
        error = q[p] - backup[p]
        errors[p] = error
        gap = min(gap, q[p] - optimum[p])
        low = min(low, error)
        high = max(high, error - min(2.0 * beta * math.sqrt(norms[p]), cap))
    extremes[0], extremes[1], extremes[2] = gap, low, high


@kernel
def fill_values(
    rules: LinearRules, past: FloatArray, q: FloatArray, h: int, law: FloatArray, values: FloatArray
) -> None:
    """Fill the values of a stage that the stage before targets."""
    n_states = values.shape[1]
    for s in range(n_states):
        top, mean = -np.inf, 0.0
        if rules.to_actor:
            actor(rules.eta, past, q, h, s, 0, law)
        for a in range(law.shape[0]):
            top = max(top, q[h, a * n_states + s])
            mean += law[a] * q[h, a * n_states + s]
        values[h, s] = mean if rules.to_actor else top


@kernel
def make_critic(
    world: LinearWorld, rules: LinearRules, memory: LinearMemory, work: LinearWork, extremes: FloatArray
) -> None:
    """Make a critic from what was seen, and compare it with its exact backups."""
    d, moments, weights, buffer = work.vectors.shape[1], work.vectors[0], work.vectors[1:], work.pairs[0]
    for h in range(memory.q.shape[0] - 1, -1, -1):
        inverse, norms, q = memory.inverse[h], memory.norms[h], memory.q[h]
        g = h % world.features.shape[0]
        collect(world.rows, world.rewards, h, memory.fresh, memory.covariance, memory.responses)
        invert(memory.covariance, h, work.lower, work.back, memory.inverse)
        fill_norms(world.features, g, inverse, buffer, norms)
        for i in range(d):
            moments[i] = memory.responses[h, i]
        add_weighted(memory.moments, h, memory.values, h + 1, moments)
        for i in range(d):
            weights[0, i] = 0.0
            for j in range(d):
                weights[0, i] += inverse[i, j] * moments[j]
        apply(world.features, g, weights, 0, q)
        for p in range(q.shape[0]):
            q[p] = min(max(q[p] + rules.beta * math.sqrt(norms[p]), 0.0), rules.caps[h])
        fill_values(rules, memory.past, memory.q, h, work.law, memory.values)
        for i in range(d):
            weights[0, i] = world.weights[h, i]
        add_weighted(world.factors, h, memory.values, h + 1, weights[0])
        apply(world.features, g, weights, 0, buffer)
        fill_errors(q, buffer, world.optimum[h], norms, rules.beta, rules.caps[h], memory.errors[h], extremes)
        memory.growth[h] = 0.0


@kernel
def evaluate_actor(
    world: LinearWorld, eta: float, past: FloatArray, q: FloatArray, count: int, work: LinearWork
) -> tuple[float, float]:
    r"""Return the exact value of the actor and the exact sum over h of its mean gap to the greedy policy of Q.

    Both by one backward recursion, with the rewards and with the gaps :math:`\max Q_h - \langle Q_h, \pi_h \rangle`.
    """
    law, ahead, pairs, vectors = work.law, work.ahead, work.pairs, work.vectors
    n_states = ahead.shape[1]
    for s in range(n_states):
        ahead[0, s] = 0.0
        ahead[1, s] = 0.0
    for h in range(q.shape[0] - 1, -1, -1):
        for i in range(vectors.shape[1]):
            vectors[0, i] = world.weights[h, i]
            vectors[1, i] = 0.0
        for k in range(2):
            add_weighted(world.factors, h, ahead, k, vectors[k])
            apply(world.features, h % world.features.shape[0], vectors, k, pairs[k])
        for s in range(n_states):
            actor(eta, past, q, h, s, count, law)
            value, tracked, top = 0.0, 0.0, -np.inf
            for a in range(law.shape[0]):
                p = a * n_states + s
                value += law[a] * pairs[0, p]
                tracked += law[a] * (pairs[1, p] - q[h, p])
                top = max(top, q[h, p])
            ahead[0, s] = value
            ahead[1, s] = tracked + top
    value, tracked = 0.0, 0.0
    for s in range(n_states):
        value += world.initial[s] * ahead[0, s]
        tracked += world.initial[s] * ahead[1, s]
    return value, tracked


@kernel
def play(
    world: LinearWorld,
    eta: float,
    memory: LinearMemory,
    count: int,
    state: WordArray,
    lane: int,
    work: LinearWork,
    trace: LinearTrace,
) -> float:
    """Play one episode, learn from it, and return the sum of the Bellman errors that it met."""
    past, q, norms, errors, law, met = memory.past, memory.q, memory.norms, memory.errors, work.law, 0.0
    rows, (n_states, d) = world.rows, memory.moments.shape[1:]
    s = draw_cdf(world.initial_cdf, uniform(state, lane))
    for h in range(q.shape[0]):
        actor(eta, past, q, h, s, count, law)
        rest, action = uniform(state, lane), law.shape[0] - 1
        for a in range(law.shape[0] - 1):
            rest -= law[a]
            if rest < 0.0:
                action = a
                break
        pair = action * n_states + s
        s = draw_cdf(world.next_cdf[h, pair], uniform(state, lane))
        row = ((h % rows.shape[0]) * rows.shape[1] + pair) * d
        x = observe(rows, row, memory.inverse, memory.moments, h, s, work.vectors[0])
        memory.fresh[h, pair] += 1.0
        growth, stale = math.log1p(x), norms[h, pair]
        memory.growth[h] += growth
        trace.growth[h] += growth
        trace.potential[0, h] += x
        trace.potential[1, h] += stale
        trace.extremes[3] = max(trace.extremes[3], stale / x)
        met += errors[h, pair]
    return met


@kernel
def is_due(growth: FloatArray, threshold: float) -> bool:
    """Whether log det Lambda of a stage has grown by more than the threshold."""
    largest = -np.inf
    for value in growth:
        largest = max(largest, value)
    return largest > threshold


@kernel
def learn(
    points: IntArray,
    state: WordArray,
    lane: int,
    world: LinearWorld,
    rules: LinearRules,
    memory: LinearMemory,
    work: LinearWork,
    trace: LinearTrace,
) -> None:
    """Play the episodes 1, ..., points[-1] of one run and keep its trace at those named."""
    regret, tracking, bellman, played, made, recorded = 0.0, 0.0, 0.0, 0, 0, 0
    for episode in range(1, points[-1] + 1):
        if episode == 1 or is_due(memory.growth, rules.threshold):
            for h in range(0 if rules.reset else memory.q.shape[0]):
                for p in range(memory.q.shape[1]):
                    memory.past[h, p] += played * memory.q[h, p]
            make_critic(world, rules, memory, work, trace.extremes)
            played = 0
            made += 1
        played += 1
        count = played - 1 + rules.first
        if rules.evaluated or episode == points[recorded]:
            value, tracked = evaluate_actor(world, rules.eta, memory.past, memory.q, count, work)
            trace.gaps[recorded] = world.best - value
            regret += world.best - value
            tracking += tracked
        bellman += play(world, rules.eta, memory, count, state, lane, work, trace)
        if episode == points[recorded]:
            trace.regret[recorded] = regret
            trace.tracking[recorded] = tracking
            trace.bellman[recorded] = bellman
            trace.switches[recorded] = made
            recorded += 1
