r"""Instances for actor-critics: exploration with a trap, incomplete critics, and a critic that is hard to track.

The worst cases here are about the *actor*: within an epoch the critic f is fixed, and the actor of episode j is
:math:`\operatorname{softmax}(\eta j f)`. Its distance :math:`\omega(s) = \max_a f(s, a) - \langle f(s, \cdot), \pi
\rangle` from the greedy policy is summed under its own, moving occupancy (`tracking_counterexample`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdps.critics import FiniteCritics, optimal_q
from mdps.errors import InvalidModelError
from mdps.instances import random_dense, two_armed_hard
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray, as_float_array


def two_state_lock(horizon: int = 6, n_actions: int = 4, seed: int = 0, trap: float = 0.1) -> FiniteHorizonMDP:
    """Play the hidden action of every stage to be paid 1 at the end; any other action pays ``trap`` once and ends it.

    Hard for learners without optimism: the trap pays at once. State 0 is good, state 1 is dead; V* = 1.

    Raises
    ------
    InvalidModelError
        For fewer than one stage or two actions, or a trap outside [0, 1).
    """
    if horizon < 1 or n_actions < 2:
        raise InvalidModelError(f"a lock of {horizon} stages and {n_actions} actions")
    if not 0.0 <= trap < 1.0:
        raise InvalidModelError(f"trap is {trap!r}, outside [0, 1)")
    hidden = np.random.default_rng(seed).integers(0, n_actions, horizon)
    stages = np.arange(horizon)
    transitions = np.zeros((horizon, 2, n_actions, 2))
    transitions[..., 1] = 1.0
    transitions[stages, 0, hidden] = 1.0, 0.0
    rewards = np.zeros((horizon, 2, n_actions))
    rewards[:, 0] = trap
    rewards[stages, 0, hidden] = 0.0
    rewards[-1, 0, hidden[-1]] = 1.0
    return FiniteHorizonMDP(transitions, rewards, horizon)


def lock_solution(mdp: FiniteHorizonMDP) -> IntArray:
    """Return the hidden actions of a `two_state_lock`, ``(H,)``."""
    return np.argmax(mdp.transitions[:, 0, :, 0], axis=1)


def minimax(episodes: int, n_actions: int = 2) -> FiniteHorizonMDP:
    """Return a two-stage model whose gap, 2 sqrt(A/T) up to 1/4, makes regret grow as sqrt(T): see `two_armed_hard`."""
    return two_armed_hard(episodes, horizon=2, n_actions=n_actions, scale=2.0)


def random_tabular(n_states: int, n_actions: int, horizon: int, seed: int = 0) -> FiniteHorizonMDP:
    """Return a random model with one kernel a stage, rows Dirichlet(1/2), rewards uniform on [0, 1]."""
    return random_dense(n_states, n_actions, horizon, seed, concentration=0.5, stationary=False)


@dataclass(frozen=True, eq=False)
class TrackingTree:
    """A model of two stages with a fixed critic ``(2, S, A)``."""

    mdp: FiniteHorizonMDP
    critic: FloatArray


def tracking_tree(first: npt.ArrayLike, leaves: npt.ArrayLike) -> TrackingTree:
    """Return the tree in which action a leads from state 0 to leaf a, and a critic on it.

    Parameters
    ----------
    first
        The critic in state 0 at the first stage, ``(A,)``.
    leaves
        The critic in the leaves at the second stage, ``(A, A)``.

    Raises
    ------
    InvalidModelError
        If the shapes do not fit.
    """
    root, below = as_float_array("first", first), as_float_array("leaves", leaves)
    if root.ndim != 1 or below.shape != (root.size, root.size):
        raise InvalidModelError(f"first has shape {root.shape} and leaves {below.shape}, not (A,) and (A, A)")
    A = root.size
    transitions = np.zeros((2, A + 1, A, A + 1))
    transitions[0, 0, np.arange(A), 1 + np.arange(A)] = 1.0
    transitions[0, 1:, :, 0] = 1.0
    transitions[1, :, :, 0] = 1.0
    critic = np.zeros((2, A + 1, A))
    critic[0, 0] = root
    critic[1, 1:] = below
    return TrackingTree(FiniteHorizonMDP(transitions, np.zeros((2, A + 1, A)), 2), critic)


def tracking_counterexample() -> TrackingTree:
    """Two actions, eta = 1: the gaps of the second stage add up to more than log 2 under the actor's own occupancy.

    The actor drifts away from the leaf that is quick to track while the other one is still far from greedy.
    """
    return tracking_tree((0.38, 0.50), ((0.44, 0.0), (0.02, 0.0)))


def wide_tracking_counterexample(
    first: float = 0.4355, own: float = 0.08836, other: float = 0.9074, n_actions: int = 8
) -> TrackingTree:
    """The same with more actions: the leaf below the action that becomes likely has the smaller gap, ``own``."""
    leaves = np.zeros((n_actions, n_actions))
    leaves[:, 0] = other
    leaves[0, 0] = own
    return tracking_tree(np.eye(n_actions)[0] * first, leaves)


def incomplete(completed: bool = False) -> tuple[FiniteHorizonMDP, FiniteCritics]:
    """Return two stages, two actions, and a class that is realizable but, unless ``completed``, not complete.

    Every action leads to state 1, where the first action pays 1 and the second 0.2. Stage 0 knows Q* alone; the first
    critic of stage 1 is right about what it plays, the second action, and worthless about the first. Its mistake shows
    in the backup only, which stage 0 cannot express.
    """
    transitions = np.zeros((2, 2, 1, 2))
    transitions[..., 1] = 1.0
    rewards = np.zeros((2, 2, 2))
    rewards[1, 1] = 1.0, 0.2
    mdp = FiniteHorizonMDP(np.broadcast_to(transitions, (2, 2, 2, 2)), rewards, 2)
    q = optimal_q(mdp)
    blind = q[1].copy()
    blind[1] = 0.0, 0.2
    stage = [q[0]] if not completed else [q[0], np.full((2, 2), 0.2)]
    return mdp, FiniteCritics([stage, [blind, q[1]]])


def flat(n_states: int = 2, n_actions: int = 2, horizon: int = 2) -> FiniteHorizonMDP:
    """Return a model without rewards, all laws uniform: an optimistic critic is its bonus alone.

    All policies are optimal, yet the Bellman errors of optimistic critics are as large as they can be for as long as
    possible, at all pairs: hard for the bounds of their sums.
    """
    law = np.full(n_states, 1.0 / n_states)
    transitions = np.broadcast_to(law, (n_states, n_actions, n_states))
    return FiniteHorizonMDP(transitions, np.zeros((n_states, n_actions)), horizon, law)
