r"""Linear mixtures of Markov decision processes: one known kernel a factor, unknown weights.

.. math:: p_h(s' \mid s, a) = \sum_{i=1}^d \theta_{h,i}\, p^{(i)}(s' \mid s, a), \qquad \theta_h \in \Delta_d .

Against a linear model (`mdps.linear`) the roles are exchanged: here the features, of (s, a, s'), are known laws, and
one vector a stage is learned; no next state has parameters of its own.

References
----------
A. Ayoub, Z. Jia, C. Szepesvari, M. Wang and L. F. Yang (2020). Model-based reinforcement learning with value-targeted
regression. ICML.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, as_float_array, require_distributions, require_shape


@dataclass(frozen=True, eq=False)
class LinearMixture:
    """An episodic linear mixture, with known rewards; the start is state 0.

    Parameters
    ----------
    kernels
        ``(d, S, A, S)``, row-stochastic.
    weights
        theta, ``(H, d)``, laws.
    rewards
        ``(H, S, A)``.

    Raises
    ------
    InvalidModelError
        Naming the first offending entry.
    """

    kernels: FloatArray
    weights: FloatArray
    rewards: FloatArray

    def __init__(self, kernels: npt.ArrayLike, weights: npt.ArrayLike, rewards: npt.ArrayLike) -> None:
        laws, theta, means = (
            as_float_array(name, values)
            for name, values in (("kernels", kernels), ("weights", weights), ("rewards", rewards))
        )
        if laws.ndim != 4 or laws.shape[1] != laws.shape[3] or laws.size == 0:
            raise InvalidModelError(f"kernels has shape {laws.shape}, not (d, S, A, S)")
        if theta.ndim != 2 or theta.shape[1] != laws.shape[0] or theta.size == 0:
            raise InvalidModelError(f"weights has shape {theta.shape}, not (H, {laws.shape[0]})")
        require_distributions("kernels", laws, "isa")
        require_distributions("weights", theta, "h")
        require_shape("rewards", means, (theta.shape[0], *laws.shape[1:3]))
        object.__setattr__(self, "kernels", laws)
        object.__setattr__(self, "weights", theta)
        object.__setattr__(self, "rewards", means)

    @property
    def horizon(self) -> int:
        """Number of stages H."""
        return self.weights.shape[0]

    @property
    def n_factors(self) -> int:
        """Number of kernels d."""
        return self.kernels.shape[0]

    def features(self, values: FloatArray) -> FloatArray:
        """Return the expected next values under each kernel, ``(S, A, d)``."""
        means: FloatArray = np.moveaxis(self.kernels @ values, 0, -1)
        return means

    def to_tabular(self) -> FiniteHorizonMDP:
        """Return the model as a table of transitions and rewards."""
        transitions = np.einsum("hi,isat->hsat", self.weights, self.kernels)
        return FiniteHorizonMDP(transitions, self.rewards, self.horizon)


def random_mixture(
    seed: int, n_factors: int = 3, n_states: int = 5, n_actions: int = 3, horizon: int = 3
) -> LinearMixture:
    """Random kernels (Dirichlet(1/2)), weights (uniform on the simplex) and rewards (uniform in [0, 1]).

    Easy: no structure.

    Source: folklore; the same for the same seed.
    """
    random = np.random.default_rng(seed)
    kernels = random.dirichlet(np.full(n_states, 0.5), (n_factors, n_states, n_actions))
    weights = random.dirichlet(np.ones(n_factors), horizon)
    return LinearMixture(kernels, weights, random.random((horizon, n_states, n_actions)))
