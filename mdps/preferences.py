r"""Preferences between episodes: the model of Bradley and Terry.

Two episodes :math:`\tau^0, \tau^1` of one policy are drawn independently, and the second one is preferred (label 1)
with probability :math:`\sigma(r(\tau^1) - r(\tau^0))`, where :math:`r(\tau) = \sum_h r_h(s_h, a_h)` and
:math:`\sigma(x) = 1 / (1 + e^{-x})`. Only differences of returns can be learned from such labels.

References
----------
R. A. Bradley and M. E. Terry (1952). Rank analysis of incomplete block designs. Biometrika 39, 324-345.
"""

from dataclasses import dataclass

import numpy as np

from mdps.errors import InvalidModelError
from mdps.kernels import Policy, Seed, Trajectories, sample_trajectories
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray, require_shape


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Labelled pairs of episodes: ``labels (n,)`` are 1 where the ``second`` one is preferred, else 0.

    Raises
    ------
    InvalidModelError
        If the numbers of episodes and of labels differ, or a label is neither 0 nor 1.
    """

    first: Trajectories
    second: Trajectories
    labels: IntArray

    def __post_init__(self) -> None:
        sizes = len(self.first.actions), len(self.second.actions), len(self.labels)
        if len(set(sizes)) != 1:
            raise InvalidModelError(f"there are {sizes[0]} first and {sizes[1]} second episodes and {sizes[2]} labels")
        if not np.isin(self.labels, (0, 1)).all():
            raise InvalidModelError("labels has an entry that is neither 0 nor 1")

    @property
    def size(self) -> int:
        """Number of comparisons."""
        return len(self.labels)

    def differences(self, rewards: FloatArray) -> FloatArray:
        """Return r(second) - r(first) under ``rewards (..., H, S, A)``, ``(..., n)``."""
        if rewards.ndim == 3:
            return returns(self.second, rewards) - returns(self.first, rewards)
        n_states, n_actions = rewards.shape[-2:]
        flat = self.designs(n_states, n_actions).reshape(self.size, -1)
        result: FloatArray = rewards.reshape(*rewards.shape[:-3], -1) @ flat.T  # one product instead of many gathers
        return result

    def designs(self, n_states: int, n_actions: int) -> FloatArray:
        """Return the visits of the second less those of the first episode, ``(n, H, S, A)``."""
        return visits(self.second, n_states, n_actions) - visits(self.first, n_states, n_actions)


def logistic(x: FloatArray) -> FloatArray:
    """Return 1 / (1 + exp(-x)) without overflow."""
    result: FloatArray = 0.5 * (1.0 + np.tanh(0.5 * x))
    return result


def returns(trajectories: Trajectories, rewards: FloatArray) -> FloatArray:
    """Return the sums of ``rewards (..., H, S, A)`` along episodes, ``(..., n)``."""
    horizon = trajectories.actions.shape[1]
    stages = np.arange(horizon)
    picked = rewards[..., stages, trajectories.states[:, :horizon], trajectories.actions]
    total: FloatArray = picked.sum(axis=-1)
    return total


def visits(trajectories: Trajectories, n_states: int, n_actions: int) -> FloatArray:
    """Return the indicators of the pairs that each episode visits, ``(n, H, S, A)``."""
    n, horizon = trajectories.actions.shape
    indicators = np.zeros((n, horizon, n_states, n_actions))
    states = trajectories.states[:, :horizon]
    indicators[np.arange(n)[:, None], np.arange(horizon), states, trajectories.actions] = 1.0
    return indicators


def sample_comparisons(
    mdp: FiniteHorizonMDP, policy: Policy, n: int, seed: Seed | np.random.Generator, rewards: FloatArray | None = None
) -> Comparisons:
    """Draw ``n`` labelled comparisons of independent episodes of one policy.

    Parameters
    ----------
    rewards
        True rewards ``(H, S, A)``; those of the model if omitted.

    Raises
    ------
    InvalidPolicyError, InvalidModelError
        If the policy or the rewards do not fit the model.
    """
    generator = np.random.default_rng(seed)
    truth = staged_rewards(mdp) if rewards is None else rewards
    require_shape("rewards", truth, (mdp.horizon, mdp.n_states, mdp.n_actions))
    both = sample_trajectories(mdp, policy, 2 * n, generator)
    first, second = (
        Trajectories(both.states[part], both.actions[part], both.rewards[part])
        for part in (slice(0, n), slice(n, 2 * n))
    )
    chances = logistic(returns(second, truth) - returns(first, truth))
    return Comparisons(first, second, (generator.random(n) < chances).astype(np.int64))


def staged_rewards(mdp: FiniteHorizonMDP) -> FloatArray:
    """Return the mean rewards of every stage, ``(H, S, A)``."""
    rewards: FloatArray = np.broadcast_to(mdp.rewards, (mdp.horizon, mdp.n_states, mdp.n_actions))
    return rewards
