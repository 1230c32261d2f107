r"""Gradient and Hessian estimates in finite worlds, compiled.

**Estimates.** A trajectory :math:`(s_t, a_t)_{t < H}` with discounted rewards :math:`R_t` has reward-to-go weights
:math:`w_t = \sum_{h \ge t} R_h`. All estimates of a finite world are sums over *pairs*: with

.. math:: W(s, a) = \sum_t w_t 1\{(s_t, a_t) = (s, a)\}, \qquad U(s, a) = \sum_t u_t 1\{(s_t, a_t) = (s, a)\},

.. math:: g = \sum_{s, a} W \psi, \qquad
          B \Delta = \sum_{s, a} \big( U \psi + W \Psi \Delta \big), \qquad
          u_t = \begin{cases} w_t \sum_k \langle \psi_k, \Delta \rangle & B \\
                \sum_k w_k \langle \psi_k, \Delta \rangle & B^\top \\
                \sum_{h \ge t} R_h \sum_{k \le h} \langle \psi_k, \Delta \rangle & \tilde B \end{cases}

so that a trajectory costs a few table look-ups a step and the policy is differentiated once per estimate, in closed
form: for the softmax, :math:`\sum W \psi = W - \pi \sum_a W` and
:math:`\Psi \Delta = - \pi (\Delta - \langle \pi, \Delta \rangle)`.

**Randomness.** A step of a finite world takes two words: 53 bits choose the action from the distribution function of
its state, one alias cell the next state, whose law is within :math:`S 2^{-32}` of the model in total variation.
"""

from math import cos, exp, sin

import numpy as np

from mdps.jit import kernel
from solvers.n_harpg_kernels import (
    AFFINE,
    CAUSAL,
    LOG_LINEAR,
    NO_PRODUCT,
    OUTER,
    RING,
    SOFTMAX,
    TRANSPOSED,
    WEIGHTED,
    FloatArray,
    PairArray,
    Tables,
    WordArray,
    Work,
    next_word,
)

_MASK, _HALF, _ELEVEN = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(11)
_TWO_TO_MINUS_53 = 2.0**-53


@kernel
def fill_policy(
    kind: int,
    n_actions: int,
    features: FloatArray,
    base: FloatArray,
    amplitude: float,
    theta: FloatArray,
    policy: FloatArray,
    scores: FloatArray,
) -> None:
    """Write the policy ``(S A,)`` and, for all but the softmax, its scores ``(S A, d)``."""
    n_pairs, size = policy.shape[0], theta.shape[0]
    if kind == RING:
        fill_ring(features, amplitude, theta[0], policy, scores)
        return
    for i in range(n_pairs):
        total = theta[i] if kind == SOFTMAX else base[i]
        for j in range(features.shape[1]):
            total += features[i, j] * theta[j]
        policy[i] = total
    if kind == AFFINE:
        for i in range(n_pairs):
            for j in range(size):
                scores[i, j] = features[i, j] / policy[i]
        return
    normalise(n_actions, policy)
    if kind == LOG_LINEAR:
        for first in range(0, n_pairs, n_actions):
            for j in range(size):
                mean = 0.0
                for i in range(first, first + n_actions):
                    mean += policy[i] * features[i, j]
                for i in range(first, first + n_actions):
                    scores[i, j] = features[i, j] - mean


@kernel
def fill_ring(phases: FloatArray, amplitude: float, theta: float, policy: FloatArray, scores: FloatArray) -> None:
    """As `fill_policy`, for the ring."""
    for i in range(policy.shape[0]):
        x = theta - phases[i, 0]
        policy[i] = 1.0 / 3.0 + amplitude * cos(x)
        scores[i, 0] = -amplitude * sin(x) / policy[i]


@kernel
def normalise(n_actions: int, policy: FloatArray) -> None:
    """Replace logits by probabilities, state by state."""
    for first in range(0, policy.shape[0], n_actions):
        top, total = policy[first], 0.0
        for i in range(first + 1, first + n_actions):
            top = max(top, policy[i])
        for i in range(first, first + n_actions):
            policy[i] = exp(policy[i] - top)
            total += policy[i]
        for i in range(first, first + n_actions):
            policy[i] /= total


@kernel
def fill_along(
    kind: int, n_actions: int, policy: FloatArray, scores: FloatArray, delta: FloatArray, along: FloatArray
) -> None:
    """Write <psi(s, a), Delta> for all pairs."""
    for first in range(0, policy.shape[0], n_actions):
        mean = 0.0
        for i in range(first, first + n_actions):
            total = 0.0
            if kind == SOFTMAX:
                total = delta[i]
                mean += policy[i] * total
            else:
                for j in range(delta.shape[0]):
                    total += scores[i, j] * delta[j]
            along[i] = total
        for i in range(first, first + n_actions):
            along[i] -= mean


@kernel
def pull_back(
    kind: int,
    n_actions: int,
    policy: FloatArray,
    scores: FloatArray,
    products: FloatArray,
    factor: float,
    weights: FloatArray,
    bend: float,
    along: FloatArray,
    delta: FloatArray,
    out: FloatArray,
) -> None:
    """Add ``factor`` times sum U psi, and ``bend`` times sum W Psi Delta, to ``out (d,)``."""
    size = out.shape[0]
    for first in range(0, policy.shape[0], n_actions):
        total, mass = 0.0, 0.0
        for i in range(first, first + n_actions):
            total += products[i]
            mass += weights[i]
        for i in range(first, first + n_actions):
            if kind == SOFTMAX:
                out[i] += factor * (products[i] - policy[i] * total)
                if bend != 0.0:
                    out[i] -= bend * mass * policy[i] * along[i]
                continue
            slope = factor * products[i]
            if bend != 0.0:
                slope -= bend * along[i] * (mass * policy[i] if kind == LOG_LINEAR else weights[i])
                if kind == RING:
                    out[0] += bend * weights[i] * (1.0 / 3.0 - policy[i]) / policy[i] * delta[0]
            for j in range(size):
                out[j] += slope * scores[i, j]


# Trajectories of finite worlds


@kernel
def draw_words(state: WordArray, lanes: int, first: WordArray, second: WordArray) -> None:
    """Write the next two words of every lane, in two loops that vectorise."""
    for lane in range(lanes):
        first[lane] = next_word(state, lane)
    for lane in range(lanes):
        second[lane] = next_word(state, lane)


@kernel
def gather(
    cells: WordArray,
    n_actions: int,
    cdfs: FloatArray,
    lanes: int,
    states: WordArray,
    choices: WordArray,
    moves: WordArray,
    owns: WordArray,
    packed: WordArray,
    pairs: PairArray,
) -> None:
    """Choose the actions and fetch the cells of the next states."""
    n_states = np.uint64(cells.shape[1])
    for lane in range(lanes):
        u = (choices[lane] >> _ELEVEN) * _TWO_TO_MINUS_53
        first = int(states[lane]) * n_actions
        pair = first
        for i in range(first, first + n_actions - 1):
            pair += int(u >= cdfs[lane, i])
        pairs[lane] = pair
        cell = ((moves[lane] >> _HALF) * n_states) >> _HALF
        owns[lane] = cell
        packed[lane] = cells[pair, cell]


@kernel
def decide(lanes: int, coins: WordArray, owns: WordArray, packed: WordArray, states: WordArray) -> None:
    """Let the coins choose between the cells' own points and their aliases; kept apart, it vectorises."""
    for lane in range(lanes):
        own = (coins[lane] & _MASK) < (packed[lane] >> _HALF)
        states[lane] = owns[lane] if own else packed[lane] & _MASK


@kernel
def roll_out(
    state: WordArray,
    words: WordArray,
    cells: WordArray,
    n_actions: int,
    policies: FloatArray,
    cdfs: FloatArray,
    lanes: int,
    pairs: PairArray,
) -> None:
    """Write the pairs ``s * A + a`` of one trajectory of each lane to ``pairs (H, LANES)``."""
    choices, moves, owns, packed, states = words[0], words[1], words[2], words[3], words[4]
    n_states, last = np.uint64(cells.shape[1]), cells.shape[0] - 1
    for lane in range(lanes):
        for first in range(0, last, n_actions):
            total = 0.0
            for i in range(first, first + n_actions):
                total += policies[lane, i]
                cdfs[lane, i] = total
        moves[lane] = next_word(state, lane)
        owns[lane] = ((moves[lane] >> _HALF) * n_states) >> _HALF
        packed[lane] = cells[last, owns[lane]]
    decide(lanes, moves, owns, packed, states)
    for h in range(pairs.shape[0]):
        draw_words(state, lanes, choices, moves)
        gather(cells, n_actions, cdfs, lanes, states, choices, moves, owns, packed, pairs[h])
        decide(lanes, moves, owns, packed, states)


@kernel
def sum_along(
    pairs: PairArray,
    lanes: int,
    rewards: FloatArray,
    powers: FloatArray,
    later: float,
    product: int,
    along: FloatArray,
    sums: FloatArray,
) -> None:
    """Write the sums of <psi, Delta> over each trajectory, weighted by w_t for the transpose, to ``sums[1]``."""
    to_go, dots = sums[0], sums[1]
    for lane in range(lanes):
        to_go[lane], dots[lane] = 0.0, 0.0
    for h in range(powers.shape[0] - 1, -1, -1):
        if product == TRANSPOSED:
            for lane in range(lanes):
                to_go[lane] = powers[h] * rewards[pairs[h, lane]] + later * to_go[lane]
                dots[lane] += to_go[lane] * along[lane, pairs[h, lane]]
        else:
            for lane in range(lanes):
                dots[lane] += along[lane, pairs[h, lane]]


@kernel
def accumulate(
    pairs: PairArray,
    lanes: int,
    rewards: FloatArray,
    powers: FloatArray,
    later: float,
    product: int,
    along: FloatArray,
    weights: FloatArray,
    products: FloatArray,
    sums: FloatArray,
) -> None:
    """Add W and U ``(lanes, S A)`` of one trajectory of each lane; ``sums (3, lanes)`` is scratch."""
    to_go, dots, parts = sums[0], sums[1], sums[2]
    if product <= TRANSPOSED:
        sum_along(pairs, lanes, rewards, powers, later, product, along, sums)
    for lane in range(lanes):
        to_go[lane], parts[lane] = 0.0, 0.0
    for h in range(powers.shape[0] - 1, -1, -1):
        power = powers[h]
        for lane in range(lanes):
            pair = pairs[h, lane]
            reward = power * rewards[pair]
            w = reward + later * to_go[lane]
            to_go[lane] = w
            weights[lane, pair] += w
            if product == OUTER:
                products[lane, pair] += dots[lane] * w
            elif product == TRANSPOSED:
                products[lane, pair] += dots[lane]
            elif product == CAUSAL:
                parts[lane] += reward * dots[lane]
                products[lane, pair] += parts[lane]
                dots[lane] -= along[lane, pair]


@kernel
def accumulate_weighted(world: Tables, work: Work, lanes: int) -> None:
    """Add W of ``work.pairs`` with rewards times the importance weights of their prefixes, to U."""
    horizon = world.powers.shape[0]
    for lane in range(lanes):
        ratio, w = 1.0, 0.0
        for h in range(horizon):
            pair = work.pairs[h, lane]
            ratio *= work.tables[1, lane, pair] / work.tables[0, lane, pair]
            work.steps[0, lane, h] = world.powers[h] * world.pairs[0, pair] * ratio
        for h in range(horizon - 1, -1, -1):
            w = work.steps[0, lane, h] + world.later * w
            work.tables[5, lane, work.pairs[h, lane]] += w


@kernel
def finite_estimate(
    world: Tables,
    work: Work,
    lanes: int,
    same: bool,
    fresh: bool,
    product: int,
    batch: int,
    score_factor: float,
    curvature_factor: float,
) -> None:
    """Write the estimates ``work.vectors[3]`` of all lanes from points and steps ``work.vectors[4:7]``.

    ``same``: scored where sampled; ``fresh``: from new trajectories, else from the last ones.
    """
    kind, n_actions, tables, scores = world.kind, world.n_actions, work.tables, work.scores
    amplitude, k = world.numbers[0], 0 if same else 1
    for lane in range(lanes):
        for j in range(2 - (1 if same else 0)):
            theta = work.vectors[4 + j, lane]
            fill_policy(
                kind, n_actions, world.features, world.pairs[1], amplitude, theta, tables[j, lane], scores[j, lane]
            )
        if product <= TRANSPOSED:
            fill_along(
                kind, n_actions, tables[k, lane], scores[k, lane], work.vectors[6, lane], tables[3, lane]
            )  # fmt: skip
        for i in range(tables.shape[2]):
            tables[4, lane, i], tables[5, lane, i] = 0.0, 0.0
    for _ in range(batch):
        if fresh:
            roll_out(work.state, work.words, world.cells, n_actions, tables[0], tables[2], lanes, work.pairs)
        accumulate(
            work.pairs, lanes, world.pairs[0], world.powers, world.later, product, tables[3], tables[4],
            tables[5], work.sums,
        )  # fmt: skip
        if product == WEIGHTED:
            accumulate_weighted(world, work, lanes)
    first = 5 if product <= TRANSPOSED else 4
    for lane in range(lanes):
        out = work.vectors[3, lane]
        for j in range(out.shape[0]):
            out[j] = 0.0
        for part in range(2 if product == WEIGHTED else 1):
            index = part if product == WEIGHTED else k
            factor = (-1.0 if part == 1 else score_factor) / batch
            pull_back(
                kind, n_actions, tables[index, lane], scores[index, lane], tables[first + part, lane], factor,
                tables[4, lane], curvature_factor / batch, tables[3, lane], work.vectors[6, lane], out,
            )  # fmt: skip


@kernel
def accumulate_batch(
    pairs: PairArray,
    rewards: FloatArray,
    powers: FloatArray,
    later: float,
    product: int,
    along: FloatArray,
    sums: FloatArray,
    totals: FloatArray,
) -> None:
    """Add W and U, the columns of ``totals (S A, 2)``, of the trajectories ``pairs (H, B)`` of one policy."""
    to_go, dots, parts = sums[0], sums[1], sums[2]
    horizon, batch = pairs.shape
    for b in range(batch):
        to_go[b], dots[b], parts[b] = 0.0, 0.0, 0.0
    if product != NO_PRODUCT:
        for h in range(horizon):
            for b in range(batch):
                dots[b] += along[pairs[h, b]]
    for h in range(horizon - 1, -1, -1):
        power = powers[h]
        for b in range(batch):
            pair = pairs[h, b]
            reward = power * rewards[pair]
            w = reward + later * to_go[b]
            to_go[b] = w
            totals[pair, 0] += w
            if product == OUTER:
                totals[pair, 1] += dots[b] * w
            elif product == CAUSAL:
                parts[b] += reward * dots[b]
                totals[pair, 1] += parts[b]
                dots[b] -= along[pair]


@kernel
def batch_estimates(
    kind: int,
    n_actions: int,
    features: FloatArray,
    table: FloatArray,
    amplitude: float,
    powers: FloatArray,
    later: float,
    product: int,
    theta: FloatArray,
    delta: FloatArray,
    pairs: PairArray,
    rows: FloatArray,
    scores: FloatArray,
    sums: FloatArray,
    totals: FloatArray,
    out: FloatArray,
) -> None:
    """Write the means ``out (2, d)`` of g and of B Delta (or B-tilde Delta) over given trajectories ``pairs (H, B)``.

    ``table (2, S A)`` are rewards and base; ``rows (4, S A)``, ``scores``, ``sums (3, B)`` and ``totals (S A, 2)`` are
    scratch. With ``NO_PRODUCT`` only g is made.
    """
    policy, along = rows[0], rows[1]
    fill_policy(kind, n_actions, features, table[1], amplitude, theta, policy, scores)
    if product != NO_PRODUCT:
        fill_along(kind, n_actions, policy, scores, delta, along)
    for i in range(policy.shape[0]):
        totals[i, 0], totals[i, 1] = 0.0, 0.0
    accumulate_batch(pairs, table[0], powers, later, product, along, sums, totals)
    for i in range(policy.shape[0]):
        rows[2, i], rows[3, i] = totals[i, 0] / pairs.shape[1], totals[i, 1] / pairs.shape[1]
    for k in range(1 if product == NO_PRODUCT else 2):
        for j in range(out.shape[1]):
            out[k, j] = 0.0
        bend = 1.0 if k == 1 else 0.0
        pull_back(kind, n_actions, policy, scores, rows[2 + k], 1.0, rows[2], bend, along, delta, out[k])
