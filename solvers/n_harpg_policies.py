r"""Parametric policies with explicit constants of regularity.

For a policy :math:`\pi_\theta`, the score is :math:`\psi = \nabla_\theta \log \pi_\theta` and the curvature is
:math:`\Psi = \nabla^2_\theta \log \pi_\theta`. The constants are suprema over all parameters, states and actions,

.. math:: M_g = \sup \| \psi \|, \qquad M_h = \sup \| \Psi \|_{op}, \qquad
          l_2 = \sup \| \nabla^3_\theta \log \pi_\theta \| .

**Log-linear**, :math:`\pi_\theta(a \mid s) \propto \exp \theta^\top \phi(s, a)`:
:math:`\psi = \phi - E_\pi \phi` and :math:`\Psi = - \operatorname{Cov}_\pi \phi`, whatever the action. With D the
largest distance of two feature vectors of one state, :math:`M_g = D`, :math:`M_h = D^2 / 4` (Popoviciu) and
:math:`l_2 = D^3 / (6 \sqrt 3)`, the largest third central moment of a variable with range D. Tabular softmax has
:math:`D = \sqrt 2`, one logit for the second of two actions ("sigmoid") has D = 1.

**Affine**, :math:`\pi_\theta = \pi_0 + \sum_i \theta_i \sigma_i`: :math:`\Psi = - \psi \psi^\top`. It is a policy only
on a part of the parameter space and has no such constants.

**Ring**, three actions and one parameter, :math:`\pi_k = 1/3 + c \cos(\theta - 2 \pi k / 3)` with :math:`c < 1/3`:
:math:`M_g = c / \sqrt{1/9 - c^2}`, :math:`M_h = c / (1/3 - c)`, and the Fisher information is bounded below on the
whole line.

**Location families** on the actions of the real line, mean :math:`m = \theta^\top \phi(s)`, scale :math:`\sigma`:
Cauchy, Gaussian (unbounded score) and Gaussian truncated to :math:`|a - m| \le` no more than the interval
:math:`[-c, c]` of actions.
"""

from dataclasses import dataclass
from math import inf, pi, sqrt

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidPolicyError
from mdps.validation import FloatArray, as_float_array, entry, first_index
from solvers.n_harpg_kernels import AFFINE, LOG_LINEAR, RING, SOFTMAX

RING_AMPLITUDE = 0.3
"""c of the ring policy."""


@dataclass(frozen=True)
class Regularity:
    """Suprema over all parameters: of the score ``M_g``, its derivative ``M_h``, and its second derivative ``l_2``."""

    score: float
    hessian: float
    third: float


@dataclass(frozen=True, eq=False)
class FinitePolicy:
    """A family of policies on S states and A actions with d parameters; make one with the functions below.

    Attributes
    ----------
    kind
        ``SOFTMAX``, ``LOG_LINEAR``, ``AFFINE`` or ``RING``.
    features
        ``(S, A, d)``: features (log-linear), slopes (affine), phases (ring); empty for the tabular softmax.
    base
        ``(S, A)``: what the affine family adds to; zero elsewhere.
    dimension
        d. Parameters of the tabular softmax are logits, row-major in (s, a).
    amplitude
        c of the ring policy; zero elsewhere.
    """

    kind: int
    features: FloatArray
    base: FloatArray
    dimension: int
    amplitude: float = 0.0

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return self.base.shape[0]

    @property
    def n_actions(self) -> int:
        """Number of actions A."""
        return self.base.shape[1]

    def probabilities(self, theta: npt.ArrayLike) -> FloatArray:
        """Return the policies ``(..., S, A)`` at parameters ``(..., d)``.

        Raises
        ------
        InvalidPolicyError
            If a parameter is not finite, has the wrong length, or leaves the simplex (affine families).
        """
        parameters = self.require_parameters(theta)
        lead = parameters.shape[:-1]
        if self.kind == SOFTMAX:
            return _softmax(parameters.reshape(*lead, *self.base.shape))
        if self.kind == LOG_LINEAR:
            return _softmax(np.einsum("...d,sad->...sa", parameters, self.features))
        if self.kind == RING:
            return 1.0 / 3.0 + self.amplitude * np.cos(parameters[..., None] - self.features[..., 0])
        table = self.base + np.einsum("...d,sad->...sa", parameters, self.features)
        if np.any(table <= 0.0):
            index = first_index(table <= 0.0)
            raise InvalidPolicyError(f"{entry('policy', index)} is {table[index]}, not a positive probability")
        return table

    def scores(self, theta: npt.ArrayLike) -> FloatArray:
        """Return the scores ``(..., S, A, d)``."""
        parameters = self.require_parameters(theta)
        policy = self.probabilities(parameters)
        if self.kind == SOFTMAX:
            n_states, n_actions = self.base.shape
            table = np.zeros((*policy.shape, n_states, n_actions))
            states, actions = np.arange(n_states), np.arange(n_actions)
            for b in range(n_actions):
                table[..., states, :, states, b] = -np.moveaxis(policy[..., b], -1, 0)[..., None]
            table[..., states[:, None], actions, states[:, None], actions] += 1.0
            return table.reshape(*policy.shape, self.dimension)
        if self.kind == LOG_LINEAR:
            return self.features - np.einsum("...sa,sad->...sd", policy, self.features)[..., None, :]
        if self.kind == AFFINE:
            return self.features / policy[..., None]
        slopes = -self.amplitude * np.sin(parameters[..., None] - self.features[..., 0])
        return (slopes / policy)[..., None]

    def hessians(self, theta: npt.ArrayLike) -> FloatArray:
        """Return the Hessians of the log-probabilities, ``(..., S, A, d, d)``."""
        parameters = self.require_parameters(theta)
        policy, scores = self.probabilities(parameters), self.scores(parameters)
        if self.kind in (SOFTMAX, LOG_LINEAR):
            covariance = np.einsum("...sa,...sai,...saj->...sij", policy, scores, scores)
            return np.repeat(-covariance[..., None, :, :], self.n_actions, axis=-3)
        outer = scores[..., :, None] * scores[..., None, :]
        if self.kind == AFFINE:
            return -outer
        return ((1.0 / 3.0 - policy) / policy)[..., None, None] - outer

    @property
    def regularity(self) -> Regularity:
        """Constants of the class.

        Raises
        ------
        InvalidPolicyError
            For affine families, which have none.
        """
        if self.kind == SOFTMAX:
            return _of_diameter(sqrt(2.0) if self.n_actions > 1 else 0.0)
        if self.kind == LOG_LINEAR:
            differences = self.features[:, :, None, :] - self.features[:, None, :, :]
            return _of_diameter(float(np.linalg.norm(differences, axis=-1).max()))
        if self.kind == RING:
            return _ring_regularity(self.amplitude)
        raise InvalidPolicyError("an affine family has no constants: its scores grow without bound")

    def require_parameters(self, theta: npt.ArrayLike) -> FloatArray:
        """Return parameters as an array ``(..., d)``; raise `InvalidPolicyError` if they do not fit."""
        try:
            parameters = as_float_array("theta", theta)
        except ValueError as error:
            raise InvalidPolicyError(str(error)) from error
        if parameters.ndim == 0 or parameters.shape[-1] != self.dimension:
            raise InvalidPolicyError(f"theta has shape {parameters.shape}, not (..., {self.dimension})")
        return parameters


def _softmax(logits: FloatArray) -> FloatArray:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def _of_diameter(diameter: float) -> Regularity:
    return Regularity(diameter, diameter**2 / 4.0, diameter**3 / (6.0 * sqrt(3.0)))


def _ring_regularity(c: float) -> Regularity:
    """Return the suprema; that of the third derivative c sin x (a^2 - a c cos x - 2 c^2) / p^3 by refined search."""
    a = 1.0 / 3.0

    def third(x: FloatArray) -> FloatArray:
        return np.abs(c * np.sin(x) * (a * a - a * c * np.cos(x) - 2.0 * c * c) / (a + c * np.cos(x)) ** 3)

    low, high = 0.0, pi
    for _ in range(8):
        x = np.linspace(low, high, 4097)
        best = int(np.argmax(third(x)))
        low, high = x[max(best - 1, 0)], x[min(best + 1, x.size - 1)]
    return Regularity(c / sqrt(a * a - c * c), c / (a - c), float(third(np.array([0.5 * (low + high)]))[0]))


# Families


def softmax_policy(n_states: int, n_actions: int) -> FinitePolicy:
    """Return the tabular softmax, d = S A."""
    _require_sizes(n_states, n_actions)
    empty = np.zeros((n_states, n_actions, 0))
    return FinitePolicy(SOFTMAX, empty, np.zeros((n_states, n_actions)), n_states * n_actions)


def sigmoid_policy(n_states: int) -> FinitePolicy:
    """Return the policies on two actions with one logit per state, that of action 1; d = S."""
    _require_sizes(n_states, 2)
    features = np.zeros((n_states, 2, n_states))
    features[np.arange(n_states), 1, np.arange(n_states)] = 1.0
    return log_linear_policy(features)


def gauged_softmax_policy(n_states: int, n_actions: int) -> FinitePolicy:
    """Return the softmax whose last logit is zero in each state, d = S (A - 1)."""
    _require_sizes(n_states, n_actions)
    features = np.zeros((n_states, n_actions, n_states, n_actions - 1))
    for s in range(n_states):
        features[s, : n_actions - 1, s] = np.eye(n_actions - 1)
    return log_linear_policy(features.reshape(n_states, n_actions, -1))


def log_linear_policy(features: npt.ArrayLike) -> FinitePolicy:
    """Return the log-linear policies with the given features ``(S, A, d)``."""
    table = _table("features", features)
    return FinitePolicy(LOG_LINEAR, table, np.zeros(table.shape[:2]), table.shape[2])


def affine_policy(base: npt.ArrayLike, slopes: npt.ArrayLike) -> FinitePolicy:
    """Return the policies ``base + sum_i theta_i slopes[..., i]``: base ``(S, A)``, slopes ``(S, A, d)``.

    Raises
    ------
    InvalidPolicyError
        If the rows of ``base`` do not sum to one, or those of ``slopes`` to zero.
    """
    table, start = _table("slopes", slopes), np.array(base, dtype=np.float64)
    if start.shape != table.shape[:2]:
        raise InvalidPolicyError(f"base has shape {start.shape}, not {table.shape[:2]}")
    if np.any(np.abs(start.sum(axis=1) - 1.0) > 1e-12) or np.any(np.abs(table.sum(axis=1)) > 1e-12):
        raise InvalidPolicyError("rows of base must sum to one, rows of slopes to zero")
    return FinitePolicy(AFFINE, table, start, table.shape[2])


def ring_policy(n_states: int = 1, amplitude: float = RING_AMPLITUDE) -> FinitePolicy:
    """Return the ring policy, the same in all states; d = 1, A = 3."""
    _require_sizes(n_states, 3)
    if not 0.0 < amplitude < 1.0 / 3.0:
        raise InvalidPolicyError(f"amplitude is {amplitude!r}, outside (0, 1/3)")
    phases = np.broadcast_to(2.0 * pi * np.arange(3)[:, None] / 3.0, (n_states, 3, 1))
    return FinitePolicy(RING, np.ascontiguousarray(phases), np.zeros((n_states, 3)), 1, amplitude)


def _table(name: str, values: npt.ArrayLike) -> FloatArray:
    try:
        table = as_float_array(name, values)
    except ValueError as error:
        raise InvalidPolicyError(str(error)) from error
    if table.ndim != 3 or table.size == 0:
        raise InvalidPolicyError(f"{name} has shape {table.shape}, not (S, A, d)")
    return table


def _require_sizes(n_states: int, n_actions: int) -> None:
    if n_states < 1 or n_actions < 1:
        raise InvalidPolicyError(f"{n_states} states and {n_actions} actions make no policy")


# Location families


def cauchy_regularity(scale: float, feature_bound: float = 1.0) -> Regularity:
    """Return the constants of the Cauchy law around a linear location."""
    phi = feature_bound / scale
    return Regularity(phi, 2.0 * phi**2, (3.0 + 2.0 * sqrt(2.0)) / 2.0 * phi**3)


def gaussian_regularity(scale: float, feature_bound: float = 1.0) -> Regularity:
    """Return the constants of the Gaussian law of fixed scale: its score is unbounded."""
    return Regularity(inf, (feature_bound / scale) ** 2, 0.0)


def truncated_gaussian_regularity(scale: float, cut: float, feature_bound: float = 1.0) -> Regularity:
    """Return the constants of the Gaussian law conditioned on actions in ``[-cut, cut]``."""
    phi = feature_bound / scale
    return Regularity(
        2.0 * cut * phi / scale,
        min(cut**2, scale**2) * phi**2 / scale**2,
        8.0 * (cut * phi / scale) ** 3 / (6.0 * sqrt(3.0)),
    )
