r"""Named instances, easy to worst case; each says what it is hard for, and where it is from.

Three kinds of hardness occur. *Exploration*: the reward lies behind a sequence of actions that random play finds
with exponentially small probability (`deep_sea`, `combination_lock`, `river_swim`, `chain`). *Statistics*: two
models differ by so little that telling them apart takes all the episodes there are (`two_armed_hard`,
`tabular_lower_bound`); their gap is tuned to the number of episodes K as :math:`\Delta \propto \sqrt{SA/K}`, which
makes the regret grow as :math:`\sqrt K`. *Size and structure*: planning problems (`forest_management`, `garnet`,
`random_sparse`, `grid_world`). A random instance takes a seed and is the same for the same seed.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
from scipy import sparse

from mdps.errors import InvalidModelError
from mdps.tabular import DiscountedMDP, FiniteHorizonMDP, RewardLaw
from mdps.validation import FloatArray


def _at_least(**minima: tuple[int, int]) -> None:
    """Raise unless every named integer is at least its minimum."""
    for name, (value, minimum) in minima.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
            raise InvalidModelError(f"{name} is {value!r}, not an integer of at least {minimum}")


def _within(**ranges: tuple[float, float, float]) -> None:
    """Raise unless every named number lies in its closed range."""
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise InvalidModelError(f"{name} is {value!r}, outside [{low:g}, {high:g}]")


# Exploration


def _river_swim(n_states: int, small: float) -> tuple[FloatArray, FloatArray]:
    _at_least(n_states=(n_states, 2))
    _within(small=(small, 0.0, 1.0))
    states = np.arange(n_states)
    upstream, downstream = np.minimum(states + 1, n_states - 1), np.maximum(states - 1, 0)
    transitions = np.zeros((n_states, 2, n_states))
    transitions[states, 0, downstream] = 1.0
    stay = np.full(n_states, 0.6)
    up, down = np.full(n_states, 0.35), np.full(n_states, 0.05)
    stay[0], up[0], down[0] = 0.4, 0.6, 0.0
    up[-1], down[-1] = 0.0, 0.4
    for target, mass in ((states, stay), (upstream, up), (downstream, down)):
        transitions[states, 1, target] += mass
    rewards = np.zeros((n_states, 2))
    rewards[0, 0], rewards[-1, 1] = small, 1.0
    return transitions, rewards


def river_swim(n_states: int = 6, horizon: int = 20, small: float = 0.005) -> FiniteHorizonMDP:
    """Swim up the river (action 1) or drift down (action 0).

    Hard for exploration without a bonus: a small reward in state 0 distracts from the reward 1
    of the last state, which takes a long swim against the current.

    Source: A. Strehl and M. Littman (2008), J. Comput. Syst. Sci. 74, with the probabilities, rewards and horizon of
    I. Osband, D. Russo and B. Van Roy (2013), (More) Efficient Reinforcement Learning via Posterior Sampling.
    """
    return FiniteHorizonMDP(*_river_swim(n_states, small), horizon)


def river_swim_discounted(n_states: int = 6, discount: float = 0.99, small: float = 0.005) -> DiscountedMDP:
    """`river_swim` without an end, from state 0: a long effective horizon is needed to prefer the far reward."""
    return DiscountedMDP(*_river_swim(n_states, small), discount, np.eye(n_states)[0])


def deep_sea(depth: int = 8, move_cost: float = 0.01, seed: int | None = None) -> FiniteHorizonMDP:
    """Dive through a grid of ``depth`` x ``depth`` cells, one row a stage, one column left or right.

    Hard for undirected exploration: only the policy that moves right at every stage finds the chest, of reward 1, and
    each move right costs ``move_cost / depth``; random play finds it with probability 2^-depth. The state is ``row *
    depth + column``, the horizon ``depth``, the optimal value ``1 - move_cost`` (if positive).

    Parameters
    ----------
    move_cost
        0.01 in the source; 0 makes all rewards lie in [0, 1].
    seed
        If given, which of the two actions moves right is drawn cell by cell; else it is action 1.

    Source: I. Osband, B. Van Roy, D. Russo and Z. Wen (2019), Deep Exploration via Randomized Value Functions, JMLR 20.
    """
    _at_least(depth=(depth, 1))
    _within(move_cost=(move_cost, 0.0, np.inf))
    n_states = depth * depth
    right = np.ones(n_states, dtype=np.int64)
    if seed is not None:
        right = np.random.default_rng(seed).integers(0, 2, n_states)
    transitions = np.zeros((n_states, 2, n_states))
    rewards = np.zeros((n_states, 2))
    for state in range(n_states):
        row, column = divmod(state, depth)
        for action in range(2):
            moves_right = action == right[state]
            target = min(column + 1, depth - 1) if moves_right else max(column - 1, 0)
            below = (row + 1) * depth + target if row + 1 < depth else 0  # the last row is left at the end only
            transitions[state, action, below] = 1.0
            rewards[state, action] = -move_cost / depth if moves_right else 0.0
    rewards[-1, right[-1]] += 1.0
    return FiniteHorizonMDP(transitions, rewards, depth)


def combination_lock(length: int = 8, n_actions: int = 3, seed: int = 0) -> FiniteHorizonMDP:
    """Open a lock of ``length`` digits, one a stage; a wrong digit leads to a state that nothing leaves.

    Hard for exploration: there is no reward but the last one, 1, and random play finds it with probability
    ``n_actions ** -length``. States ``0 .. length - 1`` are the digits, state ``length`` is the sink.

    Source: S. Kakade (2003), On the Sample Complexity of Reinforcement Learning, PhD thesis, University College London;
    the code is drawn from the seed.
    """
    _at_least(length=(length, 1), n_actions=(n_actions, 2))
    code = np.random.default_rng(seed).integers(0, n_actions, length)
    digits = np.arange(length)
    transitions = np.zeros((length + 1, n_actions, length + 1))
    transitions[..., length] = 1.0
    transitions[digits, code] = np.eye(length + 1)[digits + 1]
    rewards = np.zeros((length + 1, n_actions))
    rewards[length - 1, code[-1]] = 1.0
    return FiniteHorizonMDP(transitions, rewards, length)


def _chain(n_states: int, slip: float) -> tuple[FloatArray, FloatArray]:
    _at_least(n_states=(n_states, 2))
    _within(slip=(slip, 0.0, 1.0))
    states = np.arange(n_states)
    forward = np.eye(n_states)[np.minimum(states + 1, n_states - 1)]
    back = np.broadcast_to(np.eye(n_states)[0], (n_states, n_states))
    ahead_reward = (states == n_states - 1).astype(np.float64)
    back_reward = np.full(n_states, 0.2)
    keep = 1.0 - slip
    transitions = np.stack([keep * forward + slip * back, keep * back + slip * forward], axis=1)
    rewards = np.stack([keep * ahead_reward + slip * back_reward, keep * back_reward + slip * ahead_reward], axis=1)
    return transitions, rewards


def chain(n_states: int = 5, horizon: int = 20, slip: float = 0.2) -> FiniteHorizonMDP:
    """Walk forward (action 0) along a chain, or return to its start (action 1) for a small reward.

    Hard for exploration: returning pays 0.2 at once, walking pays 1 only at the end of the chain, and with probability
    ``slip`` the other action is carried out. Rewards are those of the source divided by 10; they depend on the action
    carried out, and the model holds their means.

    Source: M. Strens (2000), A Bayesian Framework for Reinforcement Learning, ICML.
    """
    return FiniteHorizonMDP(*_chain(n_states, slip), horizon)


def chain_discounted(n_states: int = 5, discount: float = 0.99, slip: float = 0.2) -> DiscountedMDP:
    """`chain` without an end, from state 0."""
    return DiscountedMDP(*_chain(n_states, slip), discount, np.eye(n_states)[0])


# Statistics


def two_armed_hard(
    n_episodes: int,
    horizon: int = 2,
    n_bandits: int = 1,
    n_actions: int = 2,
    scale: float = 1.0,
) -> FiniteHorizonMDP:
    r"""Bandits whose reward is known and whose *transitions* decide, with a gap tuned to the number of episodes.

    The first state is one of ``n_bandits`` bandits, uniformly. From there every action leads to the good state with
    probability 1/2, but the last one with probability :math:`1/2 + \Delta`; the good state pays 1 a stage until the
    end, the bad state nothing. With :math:`\Delta = \min(1/4, c \sqrt{BA/K})` the better action can hardly be told
    from the others in K episodes, while each mistake costs :math:`(H - 1)\Delta`: hard for every learner, whose
    worst case is a regret of order :math:`(H - 1)\sqrt{BAK}` over the place of the better action. Here it is the
    last action, the worst place for a learner that breaks ties in favour of the first. The optimal value is
    :math:`(H - 1)(1/2 + \Delta)`.

    States ``0 .. n_bandits - 1`` are the bandits, then the good and the bad state: S = ``n_bandits + 2``.

    Parameters
    ----------
    n_episodes
        K, the number of episodes to which the gap is tuned.
    scale
        c, the multiple of :math:`\sqrt{BA/K}`.

    Source: the two-point argument of P. Auer, N. Cesa-Bianchi, Y. Freund and R. Schapire (2002), SIAM J. Comput. 32,
    embedded in an episodic MDP.
    """
    _at_least(n_episodes=(n_episodes, 1), horizon=(horizon, 2), n_bandits=(n_bandits, 1), n_actions=(n_actions, 2))
    _within(scale=(scale, 0.0, np.inf))
    gap = min(0.25, scale * float(np.sqrt(n_bandits * n_actions / n_episodes)))
    good, bad, n_states = n_bandits, n_bandits + 1, n_bandits + 2
    transitions = np.zeros((n_states, n_actions, n_states))
    transitions[:n_bandits, :, [good, bad]] = 0.5
    transitions[:n_bandits, -1, [good, bad]] = 0.5 + gap, 0.5 - gap
    transitions[good, :, good] = transitions[bad, :, bad] = 1.0
    rewards = np.zeros((n_states, n_actions))
    rewards[good] = 1.0
    initial = np.concatenate([np.full(n_bandits, 1.0 / n_bandits), [0.0, 0.0]])
    return FiniteHorizonMDP(transitions, rewards, horizon, initial)


def tabular_lower_bound(
    n_actions: int = 2,
    depth: int = 2,
    horizon: int = 8,
    gap: float = 0.25,
    hidden: tuple[int, int, int] | None = (1, 0, 1),
) -> FiniteHorizonMDP:
    r"""One member of the family behind the lower bound :math:`\Omega(\sqrt{H^3 S A K})` for stage-dependent kernels.

    The learner waits in a first state for as long as it likes, up to :math:`\bar H = \lfloor H/3 \rfloor` stages,
    then descends an A-ary tree of :math:`d` levels, one a stage. At a leaf every action leads to the good or to the
    bad state with probability 1/2, but one action at one leaf at *one stage* leads to the good state with
    probability :math:`1/2 + \varepsilon`. The good state pays 1 a stage, from the stage onwards at which the last
    waiter can arrive, so that waiting costs nothing. Hard for all learners: :math:`\bar H L A` triples look alike,
    L being the number of leaves.

    States: 0 waits, then the tree, level by level, then the good and the bad state;
    :math:`S = 3 + (A^d - 1)/(A - 1)`. Action 0 waits. The optimal value is
    :math:`(H - \bar H - d)(1/2 + \varepsilon)`.

    Parameters
    ----------
    depth
        d, the number of levels of the tree (the source asks for S >= 6, hence d >= 2).
    horizon
        H, at least 3 d.
    gap
        :math:`\varepsilon` in [0, 1/2]; of order :math:`\sqrt{\bar H L A / K}` it is hardest for K episodes.
    hidden
        ``(exit, leaf, action)``: the zero-based stage ``exit < H // 3`` at which to leave the first state, the
        number of the leaf and the action there. None is the reference model, in which no triple is better than
        another.

    Source: O. D. Domingues, P. Menard, E. Kaufmann and M. Valko (2021), Episodic Reinforcement Learning in Finite MDPs:
    Minimax Lower Bounds Revisited, ALT.
    """
    _at_least(n_actions=(n_actions, 2), depth=(depth, 1), horizon=(horizon, 3 * depth))
    _within(gap=(gap, 0.0, 0.5))
    waiting_stages, n_leaves = horizon // 3, n_actions ** (depth - 1)
    n_nodes = (n_actions**depth - 1) // (n_actions - 1)
    first_leaf, good, bad = 1 + n_nodes - n_leaves, n_nodes + 1, n_nodes + 2
    transitions = np.zeros((horizon, n_nodes + 3, n_actions, n_nodes + 3))
    transitions[:waiting_stages, 0, 0, 0] = 1.0
    transitions[:waiting_stages, 0, 1:, 1] = 1.0
    transitions[waiting_stages:, 0, :, 1] = 1.0
    for node in range(n_nodes - n_leaves):
        for action in range(n_actions):
            transitions[:, 1 + node, action, 2 + node * n_actions + action] = 1.0
    transitions[:, first_leaf:good, :, good:] = 0.5
    if hidden is not None:
        leaving, leaf, action = hidden
        for name, value, size in zip(
            ("exit", "leaf", "action"), hidden, (waiting_stages, n_leaves, n_actions), strict=True
        ):
            _within(**{f"hidden {name}": (value, 0, size - 1)})
        transitions[leaving + depth, first_leaf + leaf, action, good:] = 0.5 + gap, 0.5 - gap
    transitions[:, good, :, good] = transitions[:, bad, :, bad] = 1.0
    rewards = np.zeros((horizon, n_nodes + 3, n_actions))
    rewards[waiting_stages + depth :, good] = 1.0
    return FiniteHorizonMDP(transitions, rewards, horizon)


# Size and structure


def random_dense(
    n_states: int = 20,
    n_actions: int = 4,
    horizon: int = 20,
    seed: int = 0,
    concentration: float = 1.0,
    stationary: bool = True,
    reward_law: RewardLaw = "deterministic",
) -> FiniteHorizonMDP:
    """Rows drawn from a symmetric Dirichlet law, mean rewards uniform on [0, 1].

    Hard for nothing in particular: with ``concentration`` 1 every state is near every other, so that exploration is
    free; a small concentration makes the rows nearly deterministic. Folklore.
    """
    _at_least(n_states=(n_states, 1), n_actions=(n_actions, 1), horizon=(horizon, 1))
    _within(concentration=(concentration, 1e-3, 1e6))
    rng = np.random.default_rng(seed)
    stages = (1 if stationary else horizon, n_states, n_actions)
    transitions = rng.dirichlet(np.full(n_states, concentration), size=stages)
    return FiniteHorizonMDP(transitions, rng.random(stages), horizon, reward_law=reward_law)


def random_dense_discounted(
    n_states: int = 20,
    n_actions: int = 4,
    discount: float = 0.95,
    seed: int = 0,
    concentration: float = 1.0,
) -> DiscountedMDP:
    """`random_dense` without an end, from a uniform first state."""
    model = random_dense(n_states, n_actions, 1, seed, concentration)
    return DiscountedMDP(model.transitions[0], model.rewards[0], discount)


def _garnet(n_states: int, n_actions: int, branching: int, seed: int) -> tuple[FloatArray, FloatArray]:
    _at_least(n_states=(n_states, 1), n_actions=(n_actions, 1), branching=(branching, 1))
    _within(branching=(branching, 1, n_states))
    rng = np.random.default_rng(seed)
    rows = (n_states, n_actions)
    targets = np.argsort(rng.random((*rows, n_states)), axis=-1)[..., :branching]
    cuts = np.sort(rng.random((*rows, branching - 1)), axis=-1)
    masses = np.diff(cuts, axis=-1, prepend=0.0, append=1.0)
    transitions = np.zeros((*rows, n_states))
    np.put_along_axis(transitions, targets, masses, axis=-1)
    return transitions, rng.random(rows)


def garnet(
    n_states: int = 20, n_actions: int = 4, branching: int = 3, horizon: int = 20, seed: int = 0
) -> FiniteHorizonMDP:
    """Random MDP in which every action leads to ``branching`` states, drawn without replacement.

    The masses are the gaps between uniform cuts of [0, 1]; the mean rewards are uniform on [0, 1]. Hard for methods
    that rely on fast mixing: with small branching some states are rarely seen.

    Source: T. Archibald, K. McKinnon and L. Thomas (1995), On the Generation of Markov Decision Processes,
    J. Oper. Res. Soc. 46.
    """
    return FiniteHorizonMDP(*_garnet(n_states, n_actions, branching, seed), horizon)


def garnet_discounted(
    n_states: int = 20, n_actions: int = 4, branching: int = 3, discount: float = 0.95, seed: int = 0
) -> DiscountedMDP:
    """`garnet` without an end, from a uniform first state."""
    return DiscountedMDP(*_garnet(n_states, n_actions, branching, seed), discount)


def _grid_world(rows: int, columns: int, slip: float) -> tuple[FloatArray, FloatArray]:
    _at_least(rows=(rows, 1), columns=(columns, 1))
    _within(slip=(slip, 0.0, 1.0))
    n_states = rows * columns
    row, column = np.divmod(np.arange(n_states), columns)
    moves = [
        np.clip(row + down, 0, rows - 1) * columns + np.clip(column + right, 0, columns - 1)
        for down, right in ((-1, 0), (0, 1), (1, 0), (0, -1))
    ]
    steps = np.eye(n_states)[np.stack(moves, axis=1)]
    sideways = 0.5 * (np.roll(steps, 1, axis=1) + np.roll(steps, -1, axis=1))
    transitions = (1.0 - slip) * steps + slip * sideways
    transitions[-1] = np.eye(n_states)[-1]
    rewards = np.zeros((n_states, 4))
    rewards[-1] = 1.0
    return transitions, rewards


def grid_world(rows: int = 4, columns: int = 4, horizon: int = 20, slip: float = 0.2) -> FiniteHorizonMDP:
    """Walk from the upper left to the lower right corner of a grid; the goal keeps the walker and pays 1 a stage.

    Actions: up, right, down, left; with probability ``slip`` the walker moves at a right angle instead, and walls
    hold it back. Easy: it is a sanity check with a sparse reward, in which exploration by random walks still works.
    Folklore (S. Russell and P. Norvig, Artificial Intelligence, chapter 17, slip in this way with probability 0.2).
    """
    return FiniteHorizonMDP(*_grid_world(rows, columns, slip), horizon)


def grid_world_discounted(rows: int = 4, columns: int = 4, discount: float = 0.95, slip: float = 0.2) -> DiscountedMDP:
    """`grid_world` without an end, from the upper left corner."""
    return DiscountedMDP(*_grid_world(rows, columns, slip), discount, np.eye(rows * columns)[0])


def _forest(n_states: int, old: float, cut: float, fire: float) -> tuple[sparse.csr_array, FloatArray]:
    _at_least(n_states=(n_states, 2))
    _within(fire=(fire, 0.0, 1.0))
    states = np.arange(n_states)
    wait, fell = 2 * states, 2 * states + 1
    row = np.concatenate([wait, wait, fell])
    column = np.concatenate([np.minimum(states + 1, n_states - 1), 0 * states, 0 * states])
    mass = np.concatenate([np.full(n_states, 1.0 - fire), np.full(n_states, fire), np.ones(n_states)])
    rewards = np.zeros((n_states, 2))
    rewards[1:, 1] = 1.0
    rewards[-1] = old, cut
    return sparse.csr_array(sparse.coo_array((mass, (row, column)), shape=(2 * n_states, n_states))), rewards


def forest_management(
    n_states: int = 10, horizon: int = 20, old: float = 4.0, cut: float = 2.0, fire: float = 0.1
) -> FiniteHorizonMDP:
    """Let a forest grow one year older (action 0) or fell it (action 1); it burns with probability ``fire`` a year.

    Felling pays 1, and ``cut`` in the oldest class; waiting pays ``old`` in the oldest class. Hard for planners
    that stop early: with many age classes and a discount near one the reward is far away, and value iteration
    propagates it by one class a sweep. Rewards are not in [0, 1].

    Source: I. Chades et al. (2014), MDPtoolbox, Ecography 37 (its example ``forest``).
    """
    transitions, rewards = _forest(n_states, old, cut, fire)
    return FiniteHorizonMDP(transitions.toarray().reshape(n_states, 2, n_states), rewards, horizon)


def forest_management_discounted(
    n_states: int = 10,
    discount: float = 0.96,
    old: float = 4.0,
    cut: float = 2.0,
    fire: float = 0.1,
    is_sparse: bool = False,
) -> DiscountedMDP:
    """`forest_management` without an end, from a uniform first state; ``is_sparse`` stores the kernel in CSR form."""
    transitions, rewards = _forest(n_states, old, cut, fire)
    kernel = transitions if is_sparse else transitions.toarray().reshape(n_states, 2, n_states)
    return DiscountedMDP(kernel, rewards, discount)


def random_sparse(
    n_states: int = 1000, n_actions: int = 4, branching: int = 10, discount: float = 0.99, seed: int = 0
) -> DiscountedMDP:
    """Random discounted MDP in CSR form, with ``branching`` next states a row drawn with replacement.

    The masses are uniform on the simplex (normalised exponentials), repeated states are summed, and the mean
    rewards are uniform on [0, 1]. Hard for memory: 10^5 states and 4 10^6 entries are a matter of 50 MB here, of
    320 GB densely. Folklore (a sparse variant of `garnet`).
    """
    _at_least(n_states=(n_states, 1), n_actions=(n_actions, 1), branching=(branching, 1))
    rng = np.random.default_rng(seed)
    n_rows = n_states * n_actions
    columns = rng.integers(0, n_states, size=(n_rows, branching), dtype=np.int32)
    masses = rng.standard_exponential((n_rows, branching))
    masses /= masses.sum(axis=1, keepdims=True)
    offsets = np.arange(n_rows + 1, dtype=np.int32) * branching
    kernel = sparse.csr_array((masses.ravel(), columns.ravel(), offsets), shape=(n_rows, n_states))
    return DiscountedMDP(kernel, rng.random((n_states, n_actions)), discount)


INSTANCES: Mapping[str, Callable[[], FiniteHorizonMDP | DiscountedMDP]] = MappingProxyType(
    {
        "river_swim": river_swim,
        "river_swim_discounted": river_swim_discounted,
        "deep_sea": deep_sea,
        "combination_lock": combination_lock,
        "chain": chain,
        "chain_discounted": chain_discounted,
        "two_armed_hard": partial(two_armed_hard, 1000),
        "tabular_lower_bound": tabular_lower_bound,
        "random_dense": random_dense,
        "random_dense_discounted": random_dense_discounted,
        "garnet": garnet,
        "garnet_discounted": garnet_discounted,
        "grid_world": grid_world,
        "grid_world_discounted": grid_world_discounted,
        "forest_management": forest_management,
        "forest_management_discounted": forest_management_discounted,
        "random_sparse": random_sparse,
    }
)
"""The instances by name, with their default arguments (`two_armed_hard` tuned to 1000 episodes)."""
