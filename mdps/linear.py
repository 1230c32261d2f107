r"""Linear Markov decision processes: features on the simplex, and one law of the next state a factor.

With features :math:`\phi_h(s, a) \in \Delta_d`, factors :math:`\mu_{h,i} \in \Delta(\mathcal S)` and reward weights
:math:`\theta_h \in \mathbb R^d`,

.. math:: p_h(\cdot \mid s, a) = \sum_{i=1}^d \phi_{h,i}(s, a)\, \mu_{h,i}, \qquad
          r_h(s, a) = \phi_h(s, a)^\top \theta_h .

A model on finitely many states is tabular at the same time (`LinearMDP.to_tabular`); conversely every tabular model is
linear with one factor a pair (`one_hot`).

References
----------
C. Jin, Z. Yang, Z. Wang and M. I. Jordan (2020). Provably efficient reinforcement learning with linear function
approximation. COLT.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, as_float_array, require_distributions, require_shape


@dataclass(frozen=True, eq=False)
class LinearMDP:
    """An episodic linear MDP on finitely many states, with known rewards.

    Parameters
    ----------
    features
        ``(S, A, d)`` for all stages or ``(H, S, A, d)``; nonnegative, of sum one. Stored as ``(G, S, A, d)`` with
        ``G = 1`` or ``G = H``.
    measures
        Factors ``(H, d, S)``, row-stochastic.
    weights
        Reward weights theta, ``(H, d)``.
    initial
        Law of the first state, ``(S,)``; state 0 if omitted.

    Raises
    ------
    InvalidModelError
        Naming the first offending entry.
    """

    features: FloatArray
    measures: FloatArray
    weights: FloatArray
    initial: FloatArray

    def __init__(
        self,
        features: npt.ArrayLike,
        measures: npt.ArrayLike,
        weights: npt.ArrayLike,
        initial: npt.ArrayLike | None = None,
    ) -> None:
        laws = as_float_array("measures", measures)
        if laws.ndim != 3 or laws.size == 0:
            raise InvalidModelError(f"measures has shape {laws.shape}, not (H, d, S)")
        horizon, n_factors, n_states = laws.shape
        phi = as_float_array("features", features)
        phi = phi[None] if phi.ndim == 3 else phi
        if phi.ndim != 4 or phi.shape[0] not in (1, horizon) or phi.shape[2] == 0:
            raise InvalidModelError(
                f"features has shape {phi.shape}, neither (S, A, d) nor (H, S, A, d) with H={horizon}"
            )
        require_shape("features", phi, (phi.shape[0], n_states, phi.shape[2], n_factors))
        require_distributions("features", phi, "hsa")
        require_distributions("measures", laws, "hi")
        theta = as_float_array("weights", weights)
        require_shape("weights", theta, (horizon, n_factors))
        first = as_float_array("initial", np.eye(1, n_states)[0] if initial is None else initial)
        require_shape("initial", first, (n_states,))
        require_distributions("initial", first, "")
        object.__setattr__(self, "features", phi)
        object.__setattr__(self, "measures", laws)
        object.__setattr__(self, "weights", theta)
        object.__setattr__(self, "initial", first)

    @property
    def horizon(self) -> int:
        """Number of stages H."""
        return self.measures.shape[0]

    @property
    def n_factors(self) -> int:
        """Number of factors d, the dimension of the features."""
        return self.measures.shape[1]

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return self.measures.shape[2]

    @property
    def n_actions(self) -> int:
        """Number of actions A."""
        return self.features.shape[2]

    @property
    def staged_features(self) -> FloatArray:
        """Features ``(H, S, A, d)``, a view where they are the same at all stages."""
        return np.broadcast_to(self.features, (self.horizon, *self.features.shape[1:]))

    @property
    def rewards(self) -> FloatArray:
        """Rewards ``(H, S, A)``."""
        return self.combine(self.weights)

    @property
    def transitions(self) -> FloatArray:
        """Kernel ``(H, S, A, S)``."""
        kernel: FloatArray = np.einsum("hsai,hit->hsat", self.staged_features, self.measures)
        return kernel

    @property
    def unit_rewards(self) -> bool:
        """Whether all rewards lie in [0, 1] (up to rounding)."""
        rewards = self.rewards
        return bool(rewards.min() >= -1e-12 and rewards.max() <= 1.0 + 1e-12)

    def combine(self, numbers: FloatArray) -> FloatArray:
        """Return the inner products of the features with one number a stage and factor: ``(H, d)`` to ``(H, S, A)``."""
        products: FloatArray = np.einsum("hsai,hi->hsa", self.staged_features, numbers)
        return products

    def with_measures(self, measures: npt.ArrayLike) -> "LinearMDP":
        """Return the model with other factors: another member of a set of models that share features and rewards."""
        return LinearMDP(self.features, measures, self.weights, self.initial)

    def to_tabular(self) -> FiniteHorizonMDP:
        """Return the model as a table of transitions and rewards."""
        return FiniteHorizonMDP(self.transitions, self.rewards, self.horizon, self.initial)


def one_hot(mdp: FiniteHorizonMDP, fail_state: int | None = None) -> LinearMDP:
    """Return a tabular model as a linear one, with one factor a pair ``(s, a)`` in the order ``s * A + a``.

    Parameters
    ----------
    fail_state
        If given, all pairs of this state share one factor, the last one; so there are ``(S - 1) A + 1`` factors.

    Raises
    ------
    InvalidModelError
        If the fail state is no state, or its actions differ.
    """
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    kernel = np.broadcast_to(mdp.transitions, (H, S, A, S)).reshape(H, S * A, S)
    rewards = np.broadcast_to(mdp.rewards, (H, S, A)).reshape(H, S * A)
    if fail_state is None:
        return LinearMDP(np.eye(S * A).reshape(S, A, S * A), kernel, rewards, mdp.initial)
    if not 0 <= fail_state < S:
        raise InvalidModelError(f"fail_state is {fail_state!r}, not one of {S} states")
    shared = slice(fail_state * A, (fail_state + 1) * A)
    if np.ptp(kernel[:, shared], axis=1).any() or np.ptp(rewards[:, shared], axis=1).any():
        raise InvalidModelError(f"actions of the fail state {fail_state} differ: they cannot share a factor")
    others = np.delete(np.arange(S * A), np.arange(S * A)[shared])
    kept = np.append(others, fail_state * A)
    features = np.zeros((S * A, len(kept)))
    features[others, np.arange(len(others))] = 1.0
    features[shared, -1] = 1.0
    return LinearMDP(features.reshape(S, A, -1), kernel[:, kept], rewards[:, kept], mdp.initial)
