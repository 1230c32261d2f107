r"""Finite Markov decision processes, episodic and discounted.

A finite-horizon MDP is :math:`M = (\mathcal S, \mathcal A, H, (p_h), (r_h), \rho)`. An episode starts in
:math:`s_0 \sim \rho`; at stage :math:`h = 0, \dots, H-1` the learner plays :math:`a_h`, receives a reward of mean
:math:`r_h(s_h, a_h)` and moves to :math:`s_{h+1} \sim p_h(\cdot \mid s_h, a_h)`. The value of a policy is

.. math:: V_h^\pi(s) = \mathbb E_\pi \Big[ \sum_{j \ge h} r_j(s_j, a_j) \,\Big|\, s_h = s \Big],
          \qquad V_H^\pi = 0, \qquad J(\pi) = \rho^\top V_0^\pi .

A discounted MDP has one kernel :math:`p`, one reward :math:`r` and a discount :math:`\gamma \in [0, 1)`;
:math:`V^\pi(s) = \mathbb E_\pi [ \sum_t \gamma^t r(s_t, a_t) \mid s_0 = s ]`.

Papers number the stages from one; the code numbers them from zero.
"""

from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mdps.errors import InvalidModelError
from mdps.validation import (
    FloatArray,
    as_float_array,
    require_distributions,
    require_range,
    require_shape,
)

RewardLaw = Literal["deterministic", "bernoulli"]
"""How a reward is drawn around its mean: not at all, or as a coin with that mean."""


@dataclass(frozen=True, eq=False)
class FiniteHorizonMDP:
    """An episodic MDP with finitely many states and actions.

    Parameters
    ----------
    transitions
        ``(S, A, S)`` for a stationary kernel or ``(H, S, A, S)``; row-stochastic. Stored as ``(G, S, A, S)`` with
        ``G = 1`` (stationary, never copied H times) or ``G = H``.
    rewards
        Mean rewards, ``(S, A)`` or ``(H, S, A)``. Stored as ``(R, S, A)`` with ``R = 1`` or ``R = H``.
    horizon
        Number of stages H, at least one.
    initial
        Law of the first state, ``(S,)``; state 0 if omitted.
    reward_law
        ``"deterministic"`` or ``"bernoulli"`` (means must lie in [0, 1]).

    Raises
    ------
    InvalidModelError
        Naming the first offending entry.
    """

    transitions: FloatArray
    rewards: FloatArray
    horizon: int
    initial: FloatArray
    reward_law: RewardLaw

    def __init__(
        self,
        transitions: npt.ArrayLike,
        rewards: npt.ArrayLike,
        horizon: int,
        initial: npt.ArrayLike | None = None,
        reward_law: RewardLaw = "deterministic",
    ) -> None:
        if isinstance(horizon, bool) or not isinstance(horizon, int | np.integer) or horizon < 1:
            raise InvalidModelError(f"horizon is {horizon!r}, not a positive integer")
        kernel = _staged("transitions", as_float_array("transitions", transitions), 4, int(horizon))
        _, n_states, n_actions, n_next = kernel.shape
        if n_states == 0 or n_actions == 0:
            raise InvalidModelError(f"transitions has shape {kernel.shape}: no states or no actions")
        if n_next != n_states:
            raise InvalidModelError(f"transitions has shape {kernel.shape}: {n_next} next states, not {n_states}")
        require_distributions("transitions", kernel, "hsa")
        means = _staged("rewards", as_float_array("rewards", rewards), 3, int(horizon))
        require_shape("rewards", means[0], (n_states, n_actions))
        _require_reward_law(reward_law, means)
        object.__setattr__(self, "transitions", kernel)
        object.__setattr__(self, "rewards", means)
        object.__setattr__(self, "horizon", int(horizon))
        object.__setattr__(self, "initial", _initial_law(initial, n_states))
        object.__setattr__(self, "reward_law", reward_law)

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return self.transitions.shape[1]

    @property
    def n_actions(self) -> int:
        """Number of actions A."""
        return self.transitions.shape[2]

    @property
    def stationary(self) -> bool:
        """Whether one kernel serves all stages."""
        return self.transitions.shape[0] == 1

    @property
    def unit_rewards(self) -> bool:
        """Whether all mean rewards lie in [0, 1], the convention of most regret theorems."""
        return bool(self.rewards.min() >= 0.0 and self.rewards.max() <= 1.0)


@dataclass(frozen=True, eq=False)
class DiscountedMDP:
    """A discounted MDP with a dense or a sparse kernel.

    Parameters
    ----------
    transitions
        Dense ``(S, A, S)``, or a scipy sparse matrix ``(S * A, S)`` whose row ``s * A + a`` is ``p(. | s, a)``.
        Stored as a dense ``(S, A, S)`` array or as a ``csr_array`` with sorted, summed indices.
    rewards
        Mean rewards ``(S, A)``.
    discount
        gamma in [0, 1).
    initial
        Law of the first state, ``(S,)``; uniform if omitted.
    reward_law
        ``"deterministic"`` or ``"bernoulli"``.

    Raises
    ------
    InvalidModelError
        Naming the first offending entry.
    """

    transitions: "FloatArray | sparse.csr_array"
    rewards: FloatArray
    discount: float
    initial: FloatArray
    reward_law: RewardLaw

    def __init__(
        self,
        transitions: "npt.ArrayLike | sparse.sparray | sparse.spmatrix",
        rewards: npt.ArrayLike,
        discount: float,
        initial: npt.ArrayLike | None = None,
        reward_law: RewardLaw = "deterministic",
    ) -> None:
        if not 0.0 <= float(discount) < 1.0:
            raise InvalidModelError(f"discount is {discount!r}, outside [0, 1)")
        means = as_float_array("rewards", rewards)
        if means.ndim != 2 or means.size == 0:
            raise InvalidModelError(f"rewards has shape {means.shape}, not (S, A)")
        n_states, n_actions = means.shape
        kernel: FloatArray | sparse.csr_array
        if isinstance(transitions, sparse.sparray | sparse.spmatrix):
            kernel = _csr_kernel(sparse.csr_array(cast(Any, transitions)), n_states, n_actions)
        else:
            kernel = as_float_array("transitions", transitions)
            require_shape("transitions", kernel, (n_states, n_actions, n_states))
            require_distributions("transitions", kernel, "sa")
        _require_reward_law(reward_law, means[None])
        uniform = np.full(n_states, 1.0 / n_states)
        object.__setattr__(self, "transitions", kernel)
        object.__setattr__(self, "rewards", means)
        object.__setattr__(self, "discount", float(discount))
        object.__setattr__(self, "initial", _initial_law(uniform if initial is None else initial, n_states))
        object.__setattr__(self, "reward_law", reward_law)

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return self.rewards.shape[0]

    @property
    def n_actions(self) -> int:
        """Number of actions A."""
        return self.rewards.shape[1]

    @property
    def is_sparse(self) -> bool:
        """Whether the kernel is stored in CSR form."""
        return sparse.issparse(self.transitions)


def _staged(name: str, array: FloatArray, ndim: int, horizon: int) -> FloatArray:
    """Give a stationary array a leading axis of length one; leave a staged one as it is."""
    if array.ndim == ndim - 1:
        return array[None]
    if array.ndim != ndim:
        raise InvalidModelError(f"{name} has {array.ndim} axes, not {ndim - 1} (stationary) or {ndim}")
    if array.shape[0] not in (1, horizon):
        raise InvalidModelError(f"{name} has {array.shape[0]} stages, not {horizon}")
    return array


def _initial_law(initial: npt.ArrayLike | None, n_states: int) -> FloatArray:
    law = np.eye(1, n_states)[0] if initial is None else initial
    array = as_float_array("initial", law)
    require_shape("initial", array, (n_states,))
    require_distributions("initial", array, "")
    return array


def _require_reward_law(reward_law: str, means: FloatArray) -> None:
    if reward_law not in ("deterministic", "bernoulli"):
        raise InvalidModelError(f"reward_law is {reward_law!r}, not 'deterministic' or 'bernoulli'")
    if reward_law == "bernoulli":
        require_range("rewards", means, 0.0, 1.0, "hsa")


def _csr_kernel(matrix: sparse.csr_array, n_states: int, n_actions: int) -> sparse.csr_array:
    """Return a canonical, validated CSR kernel of shape (S * A, S)."""
    if matrix.shape != (n_states * n_actions, n_states):
        raise InvalidModelError(f"transitions has shape {matrix.shape}, not {(n_states * n_actions, n_states)}")
    matrix = matrix.copy()
    matrix.sum_duplicates()
    matrix.sort_indices()
    matrix.data = as_float_array("transitions.data", matrix.data)
    if np.any(matrix.data < 0.0):
        position = int(np.argmax(matrix.data < 0.0))
        row = int(np.searchsorted(matrix.indptr, position, side="right")) - 1
        state, action = divmod(row, n_actions)
        target = int(matrix.indices[position])
        raise InvalidModelError(
            f"transitions[s={state}, a={action}, t={target}] is {matrix.data[position]}, a negative mass"
        )
    mass = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
    require_distributions("transitions", (mass.reshape(n_states, n_actions))[..., None], "sa")
    return matrix
