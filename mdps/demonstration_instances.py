r"""Instances for learning from demonstrations and preferences, easy to hard; each says what it is hard for.

A reference policy is part of such an instance: a regularised problem is as hard as its reference is bad. Where the
reference hardly plays an action that is good *later*, only directed exploration finds data about it; where it hardly
plays anything but a bad action, the problem is easy and the divergence from the expert is large.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError
from mdps.instances import random_dense
from mdps.linear import LinearMDP
from mdps.preferences import staged_rewards
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray


def bandit(means: npt.ArrayLike) -> FiniteHorizonMDP:
    """Return one state and one stage with the given mean rewards. Easy: all is known but which action is asked for."""
    rewards = np.asarray(means, dtype=np.float64)
    return FiniteHorizonMDP(np.ones((1, rewards.size, 1)), rewards[None], 1)


def random_model(
    seed: int, n_states: int = 3, n_actions: int = 2, horizon: int = 3, concentration: float = 0.5
) -> FiniteHorizonMDP:
    """Return a small `mdps.instances.random_dense` with one kernel and one reward a stage. Easy: no structure."""
    return random_dense(n_states, n_actions, horizon, seed, concentration, stationary=False)


def reflecting_chain(n_states: int = 4, horizon: int = 5, start: int = 0) -> FiniteHorizonMDP:
    """Walk right (action 1) or left (action 0), each succeeding with probability 0.9 and going the other way else.

    Walls reflect. Staying at the left end pays 0.05, and moving right at the right end pays 1: hard for exploration, as
    random play seldom gets there. The optimal value of the default is 1.4765. From the middle of a long chain (31
    states, 20 stages) random play hardly ever reaches an end.
    """
    transitions = np.zeros((n_states, 2, n_states))
    for state in range(n_states):
        left, right = max(state - 1, 0), min(state + 1, n_states - 1)
        for action, (likely, other) in enumerate(((left, right), (right, left))):
            transitions[state, action, likely] += 0.9
            transitions[state, action, other] += 0.1
    rewards = np.zeros((n_states, 2))
    rewards[0, 0], rewards[-1, 1] = 0.05, 1.0
    return FiniteHorizonMDP(transitions, rewards, horizon, np.eye(n_states)[start])


def tilted_reference(mdp: FiniteHorizonMDP, first: float) -> FloatArray:
    """Return the policy that plays action 0 with probability ``first`` and the others alike, ``(H, S, A)``.

    On `reflecting_chain` a small ``first`` is hard: the certificate of a good policy needs data about the action that
    the policy hardly plays. A ``first`` near one points away from the goal and makes the regularised problem easy.
    """
    if not 0.0 < first < 1.0:
        raise InvalidModelError(f"first is {first!r}, outside (0, 1)")
    policy = np.full((mdp.horizon, mdp.n_states, mdp.n_actions), (1.0 - first) / max(mdp.n_actions - 1, 1))
    policy[..., 0] = first
    return policy


def free_occupancies(n_states: int = 5, n_actions: int = 4, horizon: int = 5) -> FiniteHorizonMDP:
    """Return the model in which every state is as likely as any other, whatever is played. The last action pays 1.

    Hard for cloning: no state is rare, and nothing is learned about one state from another.
    """
    kernel = np.full((n_states, n_actions, n_states), 1.0 / n_states)
    rewards = np.zeros((n_states, n_actions))
    rewards[:, -1] = 1.0
    return FiniteHorizonMDP(kernel, rewards, horizon, np.full(n_states, 1.0 / n_states))


def dirichlet_policy(mdp: FiniteHorizonMDP, seed: int | np.random.Generator, runs: int | None = None) -> FloatArray:
    """Return a policy that is uniform on the simplex at every stage and state, ``(H, S, A)`` or ``(runs, H, S, A)``.

    As an expert on `free_occupancies` it is the least favourable prior of cloning.
    """
    shape = (mdp.horizon, mdp.n_states) if runs is None else (runs, mdp.horizon, mdp.n_states)
    return np.random.default_rng(seed).dirichlet(np.ones(mdp.n_actions), shape)


def walled_grid(size: int = 5, horizon: int = 10, success: float = 0.9) -> FiniteHorizonMDP:
    """Return a grid with walls at (1, 1) and (2, 2), from (0, 0); being in the last corner pays 1.

    Actions are left, right, down and up. A blocked direction keeps the state for sure; a valid one may slip, uniformly,
    to the other valid neighbours. Hard for exploration: the reward is 8 steps away.

    Source: the grid world of the library rlberry (its rewards depend on the current state).
    """
    walls = {(1, 1), (2, 2)}
    cells = [(row, column) for row in range(size) for column in range(size) if (row, column) not in walls]
    index = {cell: k for k, cell in enumerate(cells)}
    transitions = np.zeros((len(cells), 4, len(cells)))
    for (row, column), state in index.items():
        around = [index.get((row + dr, column + dc)) for dr, dc in ((0, -1), (0, 1), (1, 0), (-1, 0))]
        for action, target in enumerate(around):
            others = [cell for k, cell in enumerate(around) if cell is not None and k != action]
            if target is None:
                transitions[state, action, state] = 1.0
                continue
            transitions[state, action, target] += success if others else 1.0
            for cell in others:
                transitions[state, action, cell] += (1.0 - success) / len(others)
    rewards = np.zeros((len(cells), 4))
    rewards[index[size - 1, size - 1]] = 1.0
    return FiniteHorizonMDP(transitions, rewards, horizon)


def random_features(
    seed: int, n_factors: int = 2, n_states: int = 4, n_actions: int = 2, horizon: int = 3
) -> LinearMDP:
    """Return features uniform on the simplex and factors from a Dirichlet law with parameter 1/2. Easy. Folklore."""
    random = np.random.default_rng(seed)
    features = random.dirichlet(np.ones(n_factors), (n_states, n_actions))
    measures = random.dirichlet(np.full(n_states, 0.5), (horizon, n_factors))
    return LinearMDP(features, measures, random.random((horizon, n_factors)))


def reward_class(mdp: FiniteHorizonMDP, seed: int, size: int = 30) -> FloatArray:
    """Return ``size`` rewards ``(size, H, S, A)``: number 0 is that of the model, the others are uniform in [0, 1]."""
    rewards = np.random.default_rng(seed).random((size, mdp.horizon, mdp.n_states, mdp.n_actions))
    rewards[0] = staged_rewards(mdp)
    return rewards


@dataclass(frozen=True, eq=False)
class LearnedReward:
    """A model with a reward that was learned wrongly, ``(H, S, A)``, a reference policy and an expert."""

    mdp: FiniteHorizonMDP
    learned: FloatArray
    reference: FloatArray
    expert: FloatArray


def rare_arm(rarity: float = 1e-6) -> LearnedReward:
    """Return two arms of true rewards 0.9 and 0, the second of which is believed to pay 1.

    Comparisons between episodes of the reference, which plays it with probability ``rarity``, hardly ever tell: hard
    for a learner without pessimism, unless its regularisation is large.
    """
    return LearnedReward(
        bandit([0.9, 0.0]), np.array([[[0.9, 1.0]]]), np.array([[[1.0 - rarity, rarity]]]), np.array([[[1.0, 0.0]]])
    )
