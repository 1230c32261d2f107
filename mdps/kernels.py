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
(vectorised), a second one gathers, a third one decides (vectorised): 2-3 times faster than one fused loop. Only the
support of a law gets cells, which name both their points, ``threshold << 32 | own << 16 | alias``: a deterministic
transition is one cell, and a sparse model stays in the cache. The upper half of a word first picks one of W action
cells, and what is left of it one of n next-state cells: the bias of a step is at most W n 2^-32 in total variation.

References
----------
D. Blackman and S. Vigna (2021). Scrambled linear pseudorandom number generators. ACM TOMS 47(4), 36.
M. D. Vose (1991). A linear algorithm for generating random numbers with a given distribution. IEEE TSE 17(9), 972-975.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError, InvalidPolicyError
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

_MASK, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_NARROW, _QUARTER = np.uint64(0xFFFF), np.uint64(16)
MAX_POINTS = 2**16
"""Largest number of states or actions of a roll-out: a cell names its points with 16 bits."""
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
    mass, scaled = np.empty(n), np.empty(n)
    work = np.empty(n, dtype=np.int64)
    for k in range(rows.shape[0]):
        for i in range(n):  # to a writable array, as for the other caller: the construction is compiled once
            mass[i] = rows[k, i]
        _fill_alias_row(mass, scaled, work, table[k])


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


# Roll-outs

UNIFORM, DETERMINISTIC, MIXED = range(3)
"""How an action is chosen: the cell is the action; there is one cell; a coin decides between the points of a cell."""


@dataclass(frozen=True, eq=False)
class Simulator:
    """A model and a policy as tables of cells ``threshold << 32 | own << 16 | alias``.

    Parameters
    ----------
    actions
        Cells of the actions ``(P, S, W)``: P = 1 (stationary) or H, W = 1 (deterministic) or A.
    choice
        ``UNIFORM``, ``DETERMINISTIC`` or ``MIXED``.
    rows
        ``(G, S * A)``: where the cells of a transition begin, and how many there are, ``begin << 32 | n``.
    cells
        Cells of all transitions, one after the other.
    initial
        Cells of the first state.
    rewards
        Means ``(R, S * A)``.
    bernoulli
        Whether a reward is a coin with the mean given, instead of the mean.
    """

    actions: WordArray
    choice: int
    rows: WordArray
    cells: WordArray
    initial: WordArray
    rewards: FloatArray
    bernoulli: bool
    horizon: int

    def run(self, state: WordArray, rounds: int) -> FloatArray:
        """Return the returns ``(rounds, N)`` of ``rounds`` episodes in each lane of ``state``, which is advanced."""
        returns = np.empty((rounds, state.shape[1]))
        roll_out(
            state,
            self.actions,
            self.choice,
            self.rows,
            self.cells,
            self.initial,
            self.rewards,
            self.bernoulli,
            self.horizon,
            returns,
        )
        return returns


def simulator(mdp: "FiniteHorizonMDP", policy: Policy) -> Simulator:
    """Return the tables with which `roll_out` simulates a policy in a model.

    Raises
    ------
    InvalidPolicyError
        If the policy does not fit the model.
    InvalidModelError
        If the model has more than 2^16 states or actions.
    """
    if max(mdp.n_states, mdp.n_actions) > MAX_POINTS:
        raise InvalidModelError(f"roll-outs take up to {MAX_POINTS} states and actions")
    if policy is not None and np.asarray(policy).dtype.kind in "iu":
        actions = _staged_actions(mdp, np.asarray(policy)).astype(np.uint64)[..., None]
        choice = DETERMINISTIC
    else:
        actions = _with_own_points(alias_table(action_laws(mdp, policy)))
        choice = UNIFORM if policy is None else MIXED
    laws = mdp.transitions.reshape(-1, mdp.n_states)
    sizes = np.count_nonzero(laws, axis=1)
    begins = np.cumsum(sizes) - sizes
    cells = np.empty(int(sizes.sum()), dtype=np.uint64)
    _fill_sparse_cells(laws, begins, cells)
    rows = (begins.astype(np.uint64) << _HALF) | sizes.astype(np.uint64)
    return Simulator(
        actions,
        choice,
        rows.reshape(mdp.transitions.shape[0], -1),
        cells,
        _with_own_points(alias_table(mdp.initial)),
        mdp.rewards.reshape(mdp.rewards.shape[0], -1),
        mdp.reward_law == "bernoulli",
        mdp.horizon,
    )


def _with_own_points(table: WordArray) -> WordArray:
    """Write the number of each cell into its word, between the threshold and the alias."""
    return table | (np.arange(table.shape[-1], dtype=np.uint64) << _QUARTER)


@kernel
def _fill_sparse_cells(laws: FloatArray, begins: IntArray, cells: WordArray) -> None:
    """Write the cells of the supports of the laws ``(n, S)``, one law after the other."""
    n_points = laws.shape[1]
    scaled, mass = np.empty(n_points), np.empty(n_points)
    work, support = np.empty(n_points, dtype=np.int64), np.empty(n_points, dtype=np.int64)
    for k in range(laws.shape[0]):
        size = 0
        for point in range(n_points):
            if laws[k, point] > 0.0:
                support[size] = point
                mass[size] = laws[k, point]
                size += 1
        row = cells[begins[k] : begins[k] + size]
        _fill_alias_row(mass[:size], scaled, work, row)
        for i in range(size):
            alias = support[row[i] & _MASK]
            row[i] = (row[i] & ~_MASK) | (np.uint64(support[i]) << _QUARTER) | np.uint64(alias)


@kernel
def _split(words: WordArray, n: int, cells: WordArray, rests: WordArray) -> None:
    """Cut the upper half of each word into one of ``n`` cells and a fraction (32 bits) that is left."""
    for lane in range(words.shape[0]):
        scaled = (words[lane] >> _HALF) * np.uint64(n)
        cells[lane] = scaled >> _HALF
        rests[lane] = scaled & _MASK


@kernel
def _decide(packed: WordArray, coins: WordArray, points: WordArray) -> None:
    """Let the coins choose between the cells' own points and their aliases.

    Kept apart from the gathers: alone it vectorises, together it compiles to a branch that no predictor can guess.
    """
    for lane in range(packed.shape[0]):
        own = (coins[lane] & _MASK) < (packed[lane] >> _HALF)
        points[lane] = ((packed[lane] & _MASK) >> _QUARTER) if own else packed[lane] & _NARROW


@kernel
def _gather_actions(actions: WordArray, states: WordArray, cells: WordArray, packed: WordArray) -> None:
    for lane in range(states.shape[0]):
        packed[lane] = actions[states[lane], cells[lane]]


@kernel
def _gather(
    rows: WordArray,
    cells: WordArray,
    rewards: FloatArray,
    n_actions: int,
    states: WordArray,
    actions: WordArray,
    rests: WordArray,
    packed: WordArray,
    means: FloatArray,
) -> None:
    """Fetch the mean reward of every lane, and the cell of its next state."""
    for lane in range(states.shape[0]):
        pair = states[lane] * np.uint64(n_actions) + actions[lane]
        means[lane] = rewards[pair]
        row = rows[pair]
        packed[lane] = cells[(row >> _HALF) + ((rests[lane] * (row & _MASK)) >> _HALF)]


@kernel
def _toss(words: WordArray, means: FloatArray) -> None:
    """Replace every mean by a coin of that mean."""
    for lane in range(words.shape[0]):
        means[lane] = 1.0 if (words[lane] >> np.uint64(11)) * _TWO_TO_MINUS_53 < means[lane] else 0.0


@kernel
def roll_out(
    state: WordArray,
    action_cells: WordArray,
    choice: int,
    rows: WordArray,
    cells: WordArray,
    initial: WordArray,
    rewards: FloatArray,
    bernoulli: bool,
    horizon: int,
    returns: FloatArray,
) -> None:
    """Write the returns ``(rounds, N)`` of episodes in N lanes and advance ``state`` (the rest: see `Simulator`)."""
    rounds, lanes = returns.shape
    words, coins = np.empty(lanes, dtype=np.uint64), np.empty(lanes, dtype=np.uint64)
    states, actions = np.empty(lanes, dtype=np.uint64), np.empty(lanes, dtype=np.uint64)
    rests, packed = np.empty(lanes, dtype=np.uint64), np.empty(lanes, dtype=np.uint64)
    means = np.empty(lanes)
    n_actions = rewards.shape[1] // action_cells.shape[1]
    for episode in range(rounds):
        total = returns[episode]
        total[:] = 0.0
        advance(state, words)
        _split(words, initial.shape[0], actions, rests)
        for lane in range(lanes):
            packed[lane] = initial[actions[lane]]
        _decide(packed, words, states)
        for h in range(horizon):
            g, r, p = min(h, rows.shape[0] - 1), min(h, rewards.shape[0] - 1), min(h, action_cells.shape[0] - 1)
            advance(state, words)
            _split(words, action_cells.shape[2], actions, rests)
            if choice != UNIFORM:
                _gather_actions(action_cells[p], states, actions, packed)
                if choice == MIXED:
                    advance(state, coins)
                _decide(packed, coins, actions)
            _gather(rows[g], cells, rewards[r], n_actions, states, actions, rests, packed, means)
            _decide(packed, words, states)
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
    rounds = -(-n_episodes // lanes)
    returns = simulator(mdp, policy).run(seed_lanes(seed, lanes), rounds)
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
