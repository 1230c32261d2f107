r"""Exact quantities of a parametric policy in a finite discounted MDP.

With :math:`V = (I - \gamma P_\pi)^{-1} r_\pi`, :math:`Q = r + \gamma P V` and
:math:`\lambda^\top = \rho^\top (I - \gamma P_\pi)^{-1}`,

.. math::

   J &= \rho^\top V, \qquad
   \partial_i V = (I - \gamma P_\pi)^{-1} \big[ \partial_i \pi \cdot Q \big], \\
   \partial_{ij} J &= \lambda^\top \big[ \partial_{ij} \pi \cdot Q + \partial_i \pi \cdot \gamma P\, \partial_j V
                      + \partial_j \pi \cdot \gamma P\, \partial_i V \big],

where :math:`\partial_i \pi = \pi \psi_i`, :math:`\partial_{ij} \pi = \pi (\Psi_{ij} + \psi_i \psi_j)` and the dot sums
over actions. The objective of H stages, :math:`J_H = E \sum_{t < H} \gamma^t r_t`, has the same formulas along the
backward recursion :math:`V_h = r_\pi + \gamma P_\pi V_{h+1}`.

The occupancy :math:`d_\rho = (1 - \gamma) \lambda` weighs the Fisher matrix
:math:`F_\rho = E_{d_\rho, \pi} [\psi \psi^\top]`. The compatible fit of the advantage,
:math:`w^* = F_\rho^\dagger \nabla J`, leaves the residual
:math:`A^\pi - (1 - \gamma) w^{*\top} \psi`; its signed mean :math:`b(\theta)` and its second moment
:math:`\epsilon_{bias}(\theta)` under the occupancy of a comparator :math:`\pi^*` enter

.. math:: J(\pi^*) - J(\theta) = \frac{b(\theta)}{1 - \gamma} + w^{*\top} E_{d^*, \pi^*} [\psi_\theta],
          \qquad |b(\theta)| \le \sqrt{\epsilon_{bias}(\theta)} .

Everything is float64; parameters may have leading axes, which all results keep.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError, InvalidPolicyError
from mdps.tabular import DiscountedMDP
from mdps.validation import FloatArray
from solvers.episodic import require_positive
from solvers.n_harpg_policies import FinitePolicy
from solvers.planning_discounted import policy_iteration
from solvers.planning_policies import as_policy

PSEUDO_INVERSE_CUTOFF = 1e-10
"""Eigenvalues of the Fisher matrix below this multiple of the largest count as zero."""


@dataclass(frozen=True, eq=False)
class FiniteWorld:
    """A dense finite discounted MDP and a family of policies on it.

    Raises
    ------
    InvalidModelError
        If the model is sparse or the numbers of states or actions differ.
    """

    mdp: DiscountedMDP
    policy: FinitePolicy

    def __post_init__(self) -> None:
        if self.mdp.is_sparse:
            raise InvalidModelError("transitions are sparse, not dense")
        if (self.policy.n_states, self.policy.n_actions) != self.mdp.rewards.shape:
            raise InvalidModelError(
                f"policy has {self.policy.n_states} states and {self.policy.n_actions} actions,"
                f" the model {self.mdp.n_states} and {self.mdp.n_actions}"
            )

    @property
    def dimension(self) -> int:
        """Number of parameters d."""
        return self.policy.dimension

    @property
    def kernel(self) -> FloatArray:
        """Transitions ``(S, A, S)``."""
        return np.asarray(self.mdp.transitions)

    @property
    def largest_reward(self) -> float:
        """Largest absolute mean reward."""
        return float(np.abs(self.mdp.rewards).max())

    def optimum(self) -> float:
        """Return J*, the largest value over *all* policies."""
        return float(_values(self, optimal_policy(self), None)[0] @ self.mdp.initial)

    def value(self, theta: npt.ArrayLike, horizon: int | None = None) -> FloatArray:
        """Return J ``(...)``, or J_H."""
        return _values(self, self.policy.probabilities(theta), horizon)[0] @ self.mdp.initial

    def gradient(self, theta: npt.ArrayLike, horizon: int | None = None) -> FloatArray:
        """Return the gradient ``(..., d)`` of J, or of J_H."""
        parameters = self.policy.require_parameters(theta)
        policy = self.policy.probabilities(parameters)
        if horizon is None:
            q, weights = _values(self, policy, None)[1], _discounted_visits(self, policy)
            weighted = weights[..., None] * policy * q
        else:
            weighted = _finite_gradient_weights(self, policy, horizon)
        return np.einsum("...sa,...sad->...d", weighted, self.policy.scores(parameters))

    def hessian(self, theta: npt.ArrayLike, horizon: int | None = None) -> FloatArray:
        """Return the Hessian ``(d, d)`` of J, or of J_H, at one parameter ``(d,)``."""
        derivatives = _derivatives(self, theta)
        return (
            _discounted_hessian(self, derivatives) if horizon is None else _finite_hessian(self, derivatives, horizon)
        )


# Values, visits, gradients


def _values(world: FiniteWorld, policy: FloatArray, horizon: int | None) -> tuple[FloatArray, FloatArray]:
    """Return V ``(..., S)`` and Q ``(..., S, A)``; with a horizon, those of the first of H stages."""
    gamma, rewards, kernel = world.mdp.discount, world.mdp.rewards, world.kernel
    mean = (policy * rewards).sum(axis=-1)
    if horizon is None:
        chain = np.einsum("...sa,sat->...st", policy, kernel)
        values = np.linalg.solve(np.eye(world.mdp.n_states) - gamma * chain, mean[..., None])[..., 0]
        return values, rewards + gamma * np.einsum("sat,...t->...sa", kernel, values)
    require_positive("horizon", horizon)
    values, q = np.zeros_like(mean), np.zeros_like(policy)
    for _ in range(horizon):
        q = rewards + gamma * np.einsum("sat,...t->...sa", kernel, values)
        values = (policy * q).sum(axis=-1)
    return values, q


def _discounted_visits(world: FiniteWorld, policy: FloatArray) -> FloatArray:
    """Return lambda ``(..., S)``, of mass 1 / (1 - gamma)."""
    chain = np.einsum("...sa,sat->...ts", policy, world.kernel)
    matrix = np.eye(world.mdp.n_states) - world.mdp.discount * chain
    right = np.broadcast_to(world.mdp.initial, policy.shape[:-1])[..., None]
    return np.linalg.solve(matrix, right)[..., 0]


def _finite_gradient_weights(world: FiniteWorld, policy: FloatArray, horizon: int) -> FloatArray:
    """Return sum_t gamma^t P(s_t = s) pi(a | s) Q_t(s, a), ``(..., S, A)``."""
    require_positive("horizon", horizon)
    gamma, rewards, kernel = world.mdp.discount, world.mdp.rewards, world.kernel
    mass = np.broadcast_to(world.mdp.initial, policy.shape[:-1])
    visits = []
    for _ in range(horizon):
        pairs = mass[..., None] * policy
        visits.append(pairs)
        mass = gamma * np.einsum("...sa,sat->...t", pairs, kernel)
    total, values = np.zeros_like(policy), np.zeros(policy.shape[:-1])
    for pairs in reversed(visits):
        q = rewards + gamma * np.einsum("sat,...t->...sa", kernel, values)
        values = (policy * q).sum(axis=-1)
        total += pairs * q
    return total


# Hessians


@dataclass(frozen=True, eq=False)
class _Derivatives:
    policy: FloatArray  # (S, A)
    first: FloatArray  # (S, A, d)
    second: FloatArray  # (S, A, d, d)


def _derivatives(world: FiniteWorld, theta: npt.ArrayLike) -> _Derivatives:
    parameters = world.policy.require_parameters(theta)
    if parameters.ndim != 1:
        raise InvalidPolicyError(f"theta has shape {parameters.shape}, not ({world.dimension},)")
    policy, scores = world.policy.probabilities(parameters), world.policy.scores(parameters)
    outer = scores[..., :, None] * scores[..., None, :]
    second = policy[..., None, None] * (world.policy.hessians(parameters) + outer)
    return _Derivatives(policy, policy[..., None] * scores, second)


def _cross(world: FiniteWorld, d: _Derivatives, q: FloatArray, slopes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the sources of the first and second derivatives of V, ``(S, d)`` and ``(S, d, d)``.

    ``slopes`` ``(S, d)`` are the derivatives of the value of the next state.
    """
    ahead = world.mdp.discount * np.einsum("sat,ti->sai", world.kernel, slopes)
    mixed = np.einsum("sai,saj->sij", d.first, ahead)
    second = np.einsum("saij,sa->sij", d.second, q) + mixed + np.swapaxes(mixed, 1, 2)
    return np.einsum("sai,sa->si", d.first, q), second


def _discounted_hessian(world: FiniteWorld, d: _Derivatives) -> FloatArray:
    q, visits = _values(world, d.policy, None)[1], _discounted_visits(world, d.policy)
    chain = np.einsum("sa,sat->st", d.policy, world.kernel)
    resolvent = np.eye(world.mdp.n_states) - world.mdp.discount * chain
    slopes = np.linalg.solve(resolvent, np.einsum("sai,sa->si", d.first, q))
    return np.einsum("s,sij->ij", visits, _cross(world, d, q, slopes)[1])


def _finite_hessian(world: FiniteWorld, d: _Derivatives, horizon: int) -> FloatArray:
    require_positive("horizon", horizon)
    gamma, size = world.mdp.discount, world.dimension
    chain = gamma * np.einsum("sa,sat->st", d.policy, world.kernel)
    values, slopes = np.zeros(world.mdp.n_states), np.zeros((world.mdp.n_states, size))
    curvatures = np.zeros((world.mdp.n_states, size, size))
    for _ in range(horizon):
        q = world.mdp.rewards + gamma * np.einsum("sat,t->sa", world.kernel, values)
        first, second = _cross(world, d, q, slopes)
        values = (d.policy * q).sum(axis=1)
        slopes, curvatures = first + chain @ slopes, second + np.einsum("st,tij->sij", chain, curvatures)
    return np.einsum("s,sij->ij", world.mdp.initial, curvatures)


# Fisher matrix and the compatible fit


@dataclass(frozen=True, eq=False)
class CompatibleFit:
    r"""The fit of the advantage by the scores, at one parameter, and what it leaves under a comparator.

    Attributes
    ----------
    gap
        J(pi*) - J(theta).
    gradient
        ``(d,)``: of J.
    occupancy
        ``(S,)``: d_rho, normalised.
    fisher
        ``(d, d)``: F_rho.
    weights
        ``(d,)``: w*.
    signed_bias, bias
        Mean b(theta) and second moment eps_bias(theta) of the residual under the comparator.
    transferred_score
        ``(d,)``: mean score under the comparator.
    fitting_error
        Second moment of the residual under the policy itself, the least that any weights leave.
    """

    gap: float
    gradient: FloatArray
    occupancy: FloatArray
    fisher: FloatArray
    weights: FloatArray
    signed_bias: float
    bias: float
    transferred_score: FloatArray
    fitting_error: float

    @property
    def least_eigenvalue(self) -> float:
        """Least eigenvalue of the Fisher matrix; zero (up to rounding) if the family has null directions."""
        return float(np.linalg.eigvalsh(self.fisher)[0])

    @property
    def least_positive_eigenvalue(self) -> float:
        """Least eigenvalue above the cut-off of the pseudo-inverse."""
        spectrum = np.linalg.eigvalsh(self.fisher)
        return float(spectrum[spectrum > PSEUDO_INVERSE_CUTOFF * spectrum[-1]].min())


def occupancy(world: FiniteWorld, theta: npt.ArrayLike) -> FloatArray:
    """Return d_rho ``(..., S)``, of mass one."""
    return (1.0 - world.mdp.discount) * _discounted_visits(world, world.policy.probabilities(theta))


def advantage(world: FiniteWorld, theta: npt.ArrayLike) -> FloatArray:
    """Return A = Q - V, ``(..., S, A)``."""
    values, q = _values(world, world.policy.probabilities(theta), None)
    return q - values[..., None]


def fisher_matrix(world: FiniteWorld, theta: npt.ArrayLike) -> FloatArray:
    """Return F_rho ``(..., d, d)``."""
    parameters = world.policy.require_parameters(theta)
    pairs = occupancy(world, parameters)[..., None] * world.policy.probabilities(parameters)
    scores = world.policy.scores(parameters)
    return np.einsum("...sa,...sai,...saj->...ij", pairs, scores, scores)


def optimal_policy(world: FiniteWorld) -> FloatArray:
    """Return an optimal deterministic policy as laws ``(S, A)``."""
    return np.eye(world.mdp.n_actions)[policy_iteration(world.mdp).policy]


def compatible_fit(world: FiniteWorld, theta: npt.ArrayLike, comparator: npt.ArrayLike | None = None) -> CompatibleFit:
    """Return the compatible fit at one parameter ``(d,)``.

    Parameters
    ----------
    comparator
        Laws ``(S, A)`` or actions ``(S,)``; an optimal policy if omitted.

    Raises
    ------
    InvalidPolicyError
        If the comparator or the parameter does not fit.
    """
    parameters = _derivatives(world, theta)
    gamma = world.mdp.discount
    own = parameters.policy
    scores = world.policy.scores(theta)
    star = optimal_policy(world) if comparator is None else _laws(world, comparator)
    visits, star_visits = _discounted_visits(world, own), _discounted_visits(world, star)
    values, q = _values(world, own, None)
    gradient = np.einsum("s,sai,sa->i", visits, parameters.first, q)
    pairs, star_pairs = ((1.0 - gamma) * d[:, None] * law for d, law in ((visits, own), (star_visits, star)))
    fisher = np.einsum("sa,sai,saj->ij", pairs, scores, scores)
    weights = np.linalg.pinv(fisher, rcond=PSEUDO_INVERSE_CUTOFF, hermitian=True) @ gradient
    residual = q - values[:, None] - (1.0 - gamma) * (scores @ weights)
    return CompatibleFit(
        gap=float(world.mdp.initial @ (_values(world, star, None)[0] - values)),
        gradient=gradient,
        occupancy=(1.0 - gamma) * visits,
        fisher=fisher,
        weights=weights,
        signed_bias=float((star_pairs * residual).sum()),
        bias=float((star_pairs * residual**2).sum()),
        transferred_score=np.einsum("sa,sai->i", star_pairs, scores),
        fitting_error=float((pairs * residual**2).sum()),
    )


def _laws(world: FiniteWorld, comparator: npt.ArrayLike) -> FloatArray:
    laws = as_policy(comparator, world.mdp.n_states, world.mdp.n_actions, 1)[0]
    return np.eye(world.mdp.n_actions)[laws] if laws.ndim == 1 else np.asarray(laws, dtype=np.float64)
