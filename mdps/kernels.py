r"""Random numbers, sampling and roll-outs, compiled.

**Generator.** xoshiro256++ of Blackman and Vigna keeps four 64-bit words :math:`(x_0, x_1, x_2, x_3)`, not all zero:

.. math::

   \text{output} = \operatorname{rotl}(x_0 + x_3, 23) + x_0, \qquad
   x_2 \mathrel{\oplus}= x_0,\; x_3 \mathrel{\oplus}= x_1,\; x_1 \mathrel{\oplus}= x_2,\; x_0 \mathrel{\oplus}= x_3,\;
   x_2 \mathrel{\oplus}= x_1^{\text{old}} \ll 17,\; x_3 = \operatorname{rotl}(x_3, 45).

The states of N generators ("lanes") form one ``(4, N)`` array, word by word, so that a loop over the lanes vectorises.
Every lane is seeded with 256 bits of its own: no two runs share a state, whatever the number of threads.

**Inverse distribution function.** ``draw_cdf`` returns the least i with :math:`u < F(i)`: 53 bits, exact to rounding.

**Alias tables** (Walker; Vose). A law on n points is cut into n cells of mass 1/n, each shared by its own point i and
one other, ``alias``: a uniform cell and a coin decide. A cell is one 64-bit word, ``threshold << 32 | alias``, and one
random word gives the cell (its upper half times n, shifted right by 32) and the coin (its lower half): one load a draw.
Each cell is chosen with a probability within 2^-32 of 1/n and its threshold is rounded to 32 bits, so that the law
drawn is within n 2^-32 of the law given, in total variation; a point of zero mass is never drawn.

**Roll-outs.** ``simulate_returns`` advances 64 episodes together. At each stage a first loop draws for all lanes
(vectorised), a second one gathers (one load of the table a lane); the two are 2-3 times faster than one fused loop.
The upper half of a word first picks one of W action cells, and what is left of it one of S next-state cells: the bias
of a step is at most W S 2^-32 in total variation.

References
----------
D. Blackman and S. Vigna (2021). Scrambled linear pseudorandom number generators. ACM TOMS 47(4), 36.
M. D. Vose (1991). A linear algorithm for generating random numbers with a given distribution. IEEE TSE 17(9), 972-975.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidPolicyError
from mdps.jit import kernel
from mdps.validation import FloatArray, IntArray, as_float_array, entry, first_index, require_distributions

if TYPE_CHECKING:
    from mdps.tabular import FiniteHorizonMDP

WordArray = npt.NDArray[np.uint64]
Seed = int | np.random.SeedSequence

LANES = 64
"""Episodes advanced together: the generators' states (2 KiB) stay in the first-level cache."""

LANE_KEY = 0x1A9E
"""First spawn key of the lanes, so that they are no child that ``SeedSequence.spawn`` hands out."""

_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_TWO_TO_MINUS_53 = 2.0**-53


# Generator


def seed_lanes(seed: Seed, n: int) -> WordArray:
    """Return the states of ``n`` independent generators.

    Parameters
    ----------
    seed
        A `numpy.random.SeedSequence`, or an integer that makes one. It is not consumed: the same seed gives the same
        lanes, and lane i does not depend on ``n``.
    n
        Number of lanes, at least zero.

    Returns
    -------
    ``(4, n)`` uint64; column i is the state of lane i, never all zero.
    """
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    state = np.empty((4, n), dtype=np.uint64)
    for lane in range(n):
        child = np.random.SeedSequence(
            root.entropy, spawn_key=(*root.spawn_key, LANE_KEY, lane), pool_size=root.pool_size
        )
        state[:, lane] = child.generate_state(4, np.uint64)
    state[0, ~state.any(axis=0)] = 1
    return state


@kernel
def next_u64(state: WordArray, lane: int) -> np.uint64:
    """Return the next 64 random bits of a lane and advance its state (xoshiro256++)."""
    x0, x1, x2, x3 = state[0, lane], state[1, lane], state[2, lane], state[3, lane]
    total = x0 + x3
    output = ((total << np.uint64(23)) | (total >> np.uint64(41))) + x0
    shifted = x1 << np.uint64(17)
    x2 ^= x0
    x3 ^= x1
    x1 ^= x2
    x0 ^= x3
    state[0, lane] = x0
    state[1, lane] = x1
    state[2, lane] = x2 ^ shifted
    state[3, lane] = (x3 << np.uint64(45)) | (x3 >> np.uint64(19))
    return output


@kernel
def uniform(state: WordArray, lane: int) -> float:
    """Return a number of [0, 1) with 53 random bits, and advance the lane."""
    return (next_u64(state, lane) >> np.uint64(11)) * _TWO_TO_MINUS_53


@kernel
def advance(state: WordArray, words: WordArray) -> None:
    """Write the next word of every lane to ``words``, ``(N,)``."""
    for lane in range(words.shape[0]):
        words[lane] = next_u64(state, lane)


# Inverse distribution function


def cumulative(law: npt.ArrayLike) -> FloatArray:
    """Return the distribution functions of the laws on the last axis, fit for `draw_cdf`.

    From the last point of positive mass onwards the value is exactly one, whatever the rounding of the sum.
    """
    mass = np.asarray(law, dtype=np.float64)
    function = np.minimum(np.cumsum(mass, axis=-1), 1.0)
    positive = (mass > 0.0).astype(np.int64)
    later = np.cumsum(positive[..., ::-1], axis=-1)[..., ::-1] - positive
    return np.where(later == 0, 1.0, function)


@kernel
def draw_cdf(cdf: FloatArray, u: float) -> int:
    """Return the least i with ``u < cdf[i]``, by bisection.

    Parameters
    ----------
    cdf
        Distribution function ``(n,)``, non-decreasing.
    u
        Number of [0, 1).

    Returns
    -------
    A point of positive mass. If rounding left ``cdf[-1] <= u``, the last point of positive mass.
    """
    low, high = 0, cdf.shape[0] - 1
    top = cdf[high]
    beyond = u >= top
    while low < high:
        middle = (low + high) >> 1
        if cdf[middle] > u or (beyond and cdf[middle] >= top):
            high = middle
        else:
            low = middle + 1
    return low


# Alias tables


@kernel
def _fill_alias_row(mass: FloatArray, scaled: FloatArray, work: IntArray, row: WordArray) -> None:
    """Vose's construction for one law; ``scaled`` and ``work`` are scratch of the length of the law."""
    n = mass.shape[0]
    total = 0.0
    heaviest = 0
    for i in range(n):
        total += mass[i]
        if mass[i] > mass[heaviest]:
            heaviest = i
    small, large = 0, n  # stacks: small cells grow from the left of work, large ones from its right
    for i in range(n):
        scaled[i] = mass[i] * n / total
        if scaled[i] < 1.0:
            work[small] = i
            small += 1
        else:
            large -= 1
            work[large] = i
    while small > 0 and large < n:
        small -= 1
        i = work[small]
        j = work[large]
        threshold = min(np.uint64(scaled[i] * 4294967296.0 + 0.5), _MASK)
        row[i] = (threshold << _HALF) | np.uint64(j)
        scaled[j] = (scaled[j] + scaled[i]) - 1.0
        if scaled[j] < 1.0:
            large += 1
            work[small] = j
            small += 1
    for k in range(large, n):
        row[work[k]] = (_MASK << _HALF) | np.uint64(work[k])
    for k in range(small):  # cells that only rounding left over are full
        i = work[k]
        row[i] = (_MASK << _HALF) | np.uint64(i if mass[i] > 0.0 else heaviest)
        if mass[i] == 0.0:
            row[i] = np.uint64(heaviest)


@kernel
def _fill_alias_table(rows: FloatArray, table: WordArray) -> None:
    n = rows.shape[1]
    scaled = np.empty(n)
    work = np.empty(n, dtype=np.int64)
    for k in range(rows.shape[0]):
        _fill_alias_row(rows[k], scaled, work, table[k])


def alias_table(rows: npt.ArrayLike) -> WordArray:
    """Return the packed alias tables of the laws on the last axis, one word ``threshold << 32 | alias`` a cell.

    Raises
    ------
    InvalidModelError
        If a row is no distribution; the message names it.
    """
    laws = as_float_array("rows", rows)
    require_distributions("rows", laws, " " * (laws.ndim - 1))
    table = np.empty(laws.shape, dtype=np.uint64)
    n = laws.shape[-1]
    _fill_alias_table(laws.reshape(-1, n), table.reshape(-1, n))
    return table


@kernel
def draw_alias(row: WordArray, word: np.uint64) -> int:
    """Return the point that one random word draws from a row of `alias_table`."""
    cell = ((word >> _HALF) * np.uint64(row.shape[0])) >> _HALF
    own = (word & _MASK) < (row[cell] >> _HALF)
    return int(cell) if own else int(row[cell] & _MASK)


# Policies


UNIFORM, DETERMINISTIC, MIXED = range(3)
"""How an action is chosen: the cell is the action; the one cell's alias is the action; a coin decides between them."""


@dataclass(frozen=True, eq=False)
class ActionTable:
    """A policy as alias tables: ``cells`` is ``(P, S, W)``, P = 1 (stationary) or H, W = 1 (deterministic) or A."""

    cells: WordArray
    choice: int


Policy = npt.ArrayLike | None
"""None (uniform), actions ``(S,)`` or ``(H, S)`` of integers, or laws ``(S, A)`` or ``(H, S, A)`` of floats."""


def action_laws(mdp: "FiniteHorizonMDP", policy: Policy) -> FloatArray:
    """Return a policy as laws of actions ``(P, S, A)``, with P = 1 (stationary) or P = H.

    Raises
    ------
    InvalidPolicyError
        Naming the first entry that does not fit the model.
    """
    n_states, n_actions = mdp.n_states, mdp.n_actions
    if policy is None:
        return np.full((1, n_states, n_actions), 1.0 / n_actions)
    array = np.asarray(policy)
    if array.dtype.kind in "iu":
        return np.eye(n_actions)[_staged_actions(mdp, array)]
    stochastic = array[None] if array.ndim == 2 else array
    if stochastic.ndim != 3 or stochastic.shape[1:] != (n_states, n_actions):
        raise InvalidPolicyError(f"policy has shape {array.shape}, not (S, A) or (H, S, A)")
    _require_stages(mdp, stochastic)
    try:
        laws = as_float_array("policy", stochastic)
        require_distributions("policy", laws, "hs")
    except ValueError as error:
        raise InvalidPolicyError(str(error)) from error
    return laws


def _staged_actions(mdp: "FiniteHorizonMDP", array: npt.NDArray[np.integer]) -> IntArray:
    actions = array[None] if array.ndim == 1 else array
    if actions.ndim != 2 or actions.shape[1] != mdp.n_states:
        raise InvalidPolicyError(f"policy has shape {array.shape}, not (S,) or (H, S)")
    _require_stages(mdp, actions)
    outside = (actions < 0) | (actions >= mdp.n_actions)
    if outside.any():
        index = first_index(outside)
        raise InvalidPolicyError(f"{entry('policy', index, 'hs')} is {actions[index]}, not an action")
    return actions.astype(np.int64)


def _require_stages(mdp: "FiniteHorizonMDP", array: npt.NDArray[np.generic]) -> None:
    if array.shape[0] not in (1, mdp.horizon):
        raise InvalidPolicyError(f"policy has {array.shape[0]} stages, not {mdp.horizon}")


def action_table(mdp: "FiniteHorizonMDP", policy: Policy) -> ActionTable:
    """Return the alias tables of a policy (see `action_laws` for what a policy may be)."""
    if policy is not None and np.asarray(policy).dtype.kind in "iu":
        actions = _staged_actions(mdp, np.asarray(policy))
        return ActionTable(actions.astype(np.uint64)[..., None], DETERMINISTIC)
    return ActionTable(alias_table(action_laws(mdp, policy)), UNIFORM if policy is None else MIXED)


# Roll-outs


@kernel
def _split(words: WordArray, n_actions: int, n_states: int, action_cells: WordArray, cells: WordArray) -> None:
    """Cut the upper half of each word into an action cell and, from what is left, a next-state cell."""
    for lane in range(words.shape[0]):
        scaled = (words[lane] >> _HALF) * np.uint64(n_actions)
        action_cells[lane] = scaled >> _HALF
        cells[lane] = ((scaled & _MASK) * np.uint64(n_states)) >> _HALF


@kernel
def _decide(cells: WordArray, packed: WordArray, coins: WordArray, points: WordArray) -> None:
    """Let the coins choose between the cells' own points and their aliases.

    Kept apart from the gathers: alone it vectorises, together it compiles to a branch that no predictor can guess.
    """
    for lane in range(cells.shape[0]):
        own = (coins[lane] & _MASK) < (packed[lane] >> _HALF)
        points[lane] = cells[lane] if own else packed[lane] & _MASK


@kernel
def _gather_actions(action_table: WordArray, states: WordArray, action_cells: WordArray, packed: WordArray) -> None:
    for lane in range(states.shape[0]):
        packed[lane] = action_table[states[lane], action_cells[lane]]


@kernel
def _gather(
    table: WordArray,
    rewards: FloatArray,
    states: WordArray,
    actions: WordArray,
    cells: WordArray,
    packed: WordArray,
    means: FloatArray,
) -> None:
    for lane in range(states.shape[0]):
        means[lane] = rewards[states[lane], actions[lane]]
        packed[lane] = table[states[lane], actions[lane], cells[lane]]


@kernel
def _toss(words: WordArray, means: FloatArray) -> None:
    """Replace every mean by a coin of that mean."""
    for lane in range(words.shape[0]):
        means[lane] = 1.0 if (words[lane] >> np.uint64(11)) * _TWO_TO_MINUS_53 < means[lane] else 0.0


@kernel
def roll_out(
    state: WordArray,
    action_table: WordArray,
    choice: int,
    table: WordArray,
    rewards: FloatArray,
    initial: WordArray,
    bernoulli: bool,
    horizon: int,
    returns: FloatArray,
) -> None:
    """Write the returns ``(rounds, N)`` of ``rounds`` episodes in each of N lanes.

    Parameters
    ----------
    state
        Generators ``(4, N)``, advanced.
    action_table, table, initial
        Alias tables of the actions ``(P, S, W)``, of the transitions ``(G, S, A, S)`` and of the first state ``(S,)``.
    choice
        ``UNIFORM``, ``DETERMINISTIC`` or ``MIXED``.
    rewards
        Means ``(R, S, A)``.
    bernoulli
        Whether a reward is a coin with the mean given, instead of the mean.
    """
    rounds, lanes = returns.shape
    words, coins = np.empty(lanes, dtype=np.uint64), np.empty(lanes, dtype=np.uint64)
    states, actions = np.empty(lanes, dtype=np.uint64), np.empty(lanes, dtype=np.uint64)
    next_cells, packed = np.empty(lanes, dtype=np.uint64), np.empty(lanes, dtype=np.uint64)
    action_cells, means = np.empty(lanes, dtype=np.uint64), np.empty(lanes)
    n_cells, n_states = action_table.shape[2], table.shape[1]
    for episode in range(rounds):
        total = returns[episode]
        advance(state, words)
        for lane in range(lanes):
            states[lane] = np.uint64(draw_alias(initial, words[lane]))
            total[lane] = 0.0
        for h in range(horizon):
            g, r, p = min(h, table.shape[0] - 1), min(h, rewards.shape[0] - 1), min(h, action_table.shape[0] - 1)
            advance(state, words)
            if choice == UNIFORM:
                _split(words, n_cells, n_states, actions, next_cells)
            else:
                _split(words, n_cells, n_states, action_cells, next_cells)
                _gather_actions(action_table[p], states, action_cells, packed)
                if choice == MIXED:
                    advance(state, coins)
                _decide(action_cells, packed, coins, actions)
            _gather(table[g], rewards[r], states, actions, next_cells, packed, means)
            _decide(next_cells, packed, words, states)
            if bernoulli:
                advance(state, words)
                _toss(words, means)
            for lane in range(lanes):
                total[lane] += means[lane]


def simulate_returns(
    mdp: "FiniteHorizonMDP", policy: Policy, n_episodes: int, seed: Seed, lanes: int = LANES
) -> FloatArray:
    """Return the returns ``(n_episodes,)`` of independent episodes of a policy.

    Parameters
    ----------
    policy
        None for the uniform policy, actions ``(S,)`` or ``(H, S)``, or laws ``(S, A)`` or ``(H, S, A)``.
    seed
        Same seed, same returns; those of fewer episodes are the first of those of more.
    lanes
        Episodes advanced together. Episode e is the one number ``e // lanes`` of lane ``e % lanes``.

    Raises
    ------
    InvalidPolicyError
        If the policy does not fit the model.
    """
    actions = action_table(mdp, policy)
    table, initial = alias_table(mdp.transitions), alias_table(mdp.initial)
    returns = np.empty((-(-n_episodes // lanes), lanes))
    bernoulli = mdp.reward_law == "bernoulli"
    state = seed_lanes(seed, lanes)
    roll_out(state, actions.cells, actions.choice, table, mdp.rewards, initial, bernoulli, mdp.horizon, returns)
    return returns.reshape(-1)[:n_episodes]


@dataclass(frozen=True, eq=False)
class Trajectories:
    """Episodes: ``states`` ``(n, H + 1)``, ``actions`` ``(n, H)`` and ``rewards`` ``(n, H)``."""

    states: IntArray
    actions: IntArray
    rewards: FloatArray


def sample_trajectories(
    mdp: "FiniteHorizonMDP", policy: Policy, n: int, rng: np.random.Generator | Seed
) -> Trajectories:
    """Return ``n`` independent episodes of a policy, drawn with numpy by inverse distribution functions.

    Raises
    ------
    InvalidPolicyError
        If the policy does not fit the model.
    """
    generator = np.random.default_rng(rng)
    laws, cdfs = cumulative(action_laws(mdp, policy)), cumulative(mdp.transitions)
    states = np.empty((n, mdp.horizon + 1), dtype=np.int64)
    actions = np.empty((n, mdp.horizon), dtype=np.int64)
    rewards = np.empty((n, mdp.horizon))
    states[:, 0] = np.searchsorted(cumulative(mdp.initial), generator.random(n), side="right")
    for h in range(mdp.horizon):
        here = states[:, h]
        law = laws[min(h, laws.shape[0] - 1), here]
        actions[:, h] = np.argmax(generator.random(n)[:, None] < law, axis=1)
        cdf = cdfs[min(h, cdfs.shape[0] - 1), here, actions[:, h]]
        states[:, h + 1] = np.argmax(generator.random(n)[:, None] < cdf, axis=1)
        rewards[:, h] = mdp.rewards[min(h, mdp.rewards.shape[0] - 1), here, actions[:, h]]
    if mdp.reward_law == "bernoulli":
        rewards = (generator.random(rewards.shape) < rewards).astype(np.float64)
    return Trajectories(states, actions, rewards)
