r"""Gradient and Hessian estimates averaged over *all* trajectories, in floating point.

For small H the mean of any function of a trajectory is a finite sum. With the estimates

.. math::

   g = \sum_t w_t \psi_t, \qquad B = g \Big( \sum_t \psi_t \Big)^\top + \sum_t w_t \Psi_t, \qquad
   \tilde B = \sum_t \gamma^t r_t \Big( S_t S_t^\top + \sum_{k \le t} \Psi_k \Big), \quad S_t = \sum_{k \le t} \psi_k,

where :math:`w_t = \sum_{h \ge t} \gamma^h r_h`, the means are :math:`\nabla J_H` and (three times)
:math:`\nabla^2 J_H`, and for a prescribed path of parameters the squared error of the momentum direction obeys exactly

.. math:: V_t = (1 - \eta_t)^2 V_{t-1} + \eta_t^2 \operatorname{Var} g(\tau_t, \theta_t)
                + (1 - \eta_t)^2 \operatorname{Var} \big( B(\hat\tau_t, \hat\theta_t) \Delta_t \big) .
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mdps.validation import FloatArray, IntArray
from solvers.episodic import require_positive
from solvers.n_harpg_exact import FiniteWorld

MAX_TRAJECTORIES = 2_000_000
"""Enumerations above this are refused."""

CHUNK = 4096
"""Trajectories whose Hessian estimates are in memory together."""

NODES = 16
"""Gauss-Legendre nodes for the mean over q."""


@dataclass(frozen=True, eq=False)
class Enumeration:
    """All trajectories of H stages: ``states``, ``actions`` ``(n, H)`` and ``probabilities`` ``(n,)``."""

    states: IntArray
    actions: IntArray
    probabilities: FloatArray


def enumerate_trajectories(world: FiniteWorld, theta: npt.ArrayLike, horizon: int) -> Enumeration:
    """Return all trajectories of positive probability under the policy at ``theta (d,)``.

    Raises
    ------
    ValueError
        If there are more than `MAX_TRAJECTORIES`.
    """
    require_positive("horizon", horizon)
    policy, kernel = world.policy.probabilities(theta), world.kernel
    n_states, n_actions = policy.shape
    states = np.flatnonzero(world.mdp.initial > 0.0)[:, None]
    actions = np.zeros((states.size, 0), dtype=np.int64)
    mass = world.mdp.initial[states[:, 0]]
    for h in range(horizon):
        here = states[:, -1]
        count = mass.size * n_actions * (n_states if h + 1 < horizon else 1)
        if count > MAX_TRAJECTORIES:
            raise ValueError(f"more than {MAX_TRAJECTORIES} trajectories of {horizon} stages")
        chosen = np.tile(np.arange(n_actions), mass.size)
        mass = (mass[:, None] * policy[here]).ravel()
        states, actions = np.repeat(states, n_actions, axis=0), np.repeat(actions, n_actions, axis=0)
        actions = np.column_stack([actions, chosen])
        if h + 1 < horizon:
            following = kernel[states[:, -1], chosen]
            row, target = np.nonzero(following > 0.0)
            mass = mass[row] * following[row, target]
            states, actions = np.column_stack([states[row], target]), actions[row]
    return Enumeration(states, actions, mass)


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates of n trajectories: ``gradients`` ``(n, d)`` and ``hessians`` ``(n, d, d)``, B or B-tilde."""

    gradients: FloatArray
    hessians: FloatArray


def weights_to_go(
    world: FiniteWorld, states: IntArray, actions: IntArray, *, relative_weights: bool = False
) -> FloatArray:
    """Return w_t ``(n, H)``; with ``relative_weights`` sum_h gamma^{h-t} r_h, which is wrong."""
    powers = world.mdp.discount ** np.arange(states.shape[1])
    rewards = powers * world.mdp.rewards[states, actions]
    weights = np.cumsum(rewards[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(weights / powers if relative_weights else weights)


def gradient_estimates(
    world: FiniteWorld, theta: npt.ArrayLike, states: IntArray, actions: IntArray, *, relative_weights: bool = False
) -> FloatArray:
    """Return g ``(n, d)`` of trajectories ``(n, H)``, scored at ``theta (d,)``."""
    scores = world.policy.scores(theta)[states, actions]
    weights = weights_to_go(world, states, actions, relative_weights=relative_weights)
    return np.einsum("nt,ntd->nd", weights, scores)


def hessian_estimates(
    world: FiniteWorld,
    theta: npt.ArrayLike,
    states: IntArray,
    actions: IntArray,
    *,
    causal: bool = False,
    score_factor: float = 1.0,
    curvature_factor: float = 1.0,
    relative_weights: bool = False,
) -> FloatArray:
    """Return B, or with ``causal`` B-tilde, ``(n, d, d)``; the factors multiply the two terms (ones are right)."""
    scores = world.policy.scores(theta)[states, actions]
    curvatures = world.policy.hessians(theta)[states, actions]
    weights = weights_to_go(world, states, actions, relative_weights=relative_weights)
    bends = np.einsum("nt,ntij->nij", weights, curvatures)
    if causal:
        powers = world.mdp.discount ** np.arange(states.shape[1])
        sums = np.cumsum(scores, axis=1)
        outer = np.einsum("nt,nti,ntj->nij", powers * world.mdp.rewards[states, actions], sums, sums)
    else:
        outer = np.einsum("nt,nti,nj->nij", weights, scores, scores.sum(axis=1))
    return score_factor * outer + curvature_factor * bends


@dataclass(frozen=True, eq=False)
class Moments:
    """Exact moments of the estimates at one parameter.

    Attributes
    ----------
    gradient, hessian
        Means ``(d,)`` and ``(d, d)``.
    gradient_square
        E |g|^2.
    hessian_variance, hessian_square
        E ||B - E B||^2 and E ||B||^2 in operator norm.
    frobenius_variance
        E |B - E B|_F^2.
    """

    gradient: FloatArray
    hessian: FloatArray
    gradient_square: float
    hessian_variance: float
    hessian_square: float
    frobenius_variance: float

    @property
    def gradient_variance(self) -> float:
        """E |g - E g|^2."""
        return self.gradient_square - float(self.gradient @ self.gradient)


def _chunks(n: int) -> Iterator[slice]:
    return (slice(begin, min(begin + CHUNK, n)) for begin in range(0, n, CHUNK))


def moments(world: FiniteWorld, theta: npt.ArrayLike, horizon: int, *, causal: bool = False) -> Moments:
    """Return the exact moments of g and of B (or B-tilde) at ``theta (d,)``, by enumeration."""
    paths = enumerate_trajectories(world, theta, horizon)
    mass = paths.probabilities
    gradients = gradient_estimates(world, theta, paths.states, paths.actions)
    matrices = [
        hessian_estimates(world, theta, paths.states[part], paths.actions[part], causal=causal)
        for part in _chunks(mass.size)
    ]
    mean = sum(
        (np.einsum("n,nij->ij", mass[part], b) for part, b in zip(_chunks(mass.size), matrices, strict=True)),
        np.zeros((world.dimension, world.dimension)),
    )
    variance, square, frobenius = 0.0, 0.0, 0.0
    for part, b in zip(_chunks(mass.size), matrices, strict=True):
        variance += float(mass[part] @ np.linalg.norm(b - mean, ord=2, axis=(1, 2)) ** 2)
        square += float(mass[part] @ np.linalg.norm(b, ord=2, axis=(1, 2)) ** 2)
        frobenius += float(mass[part] @ ((b - mean) ** 2).sum(axis=(1, 2)))
    return Moments(mass @ gradients, mean, float(mass @ (gradients**2).sum(axis=1)), variance, square, frobenius)


def mean_correction(
    world: FiniteWorld,
    before: npt.ArrayLike,
    theta: npt.ArrayLike,
    horizon: int,
    *,
    point: float | None = None,
    sampled_here: bool = False,
    causal: bool = False,
    score_factor: float = 1.0,
    curvature_factor: float = 1.0,
    relative_weights: bool = False,
) -> FloatArray:
    """Return the exact mean ``(d,)`` of v on the step from ``before`` to ``theta``.

    With all options as they are it is the gradient of J_H at ``theta`` minus that at ``before``, to the accuracy of
    Gauss-Legendre quadrature in q.

    Parameters
    ----------
    point
        q; uniform if omitted.
    sampled_here
        Trajectories come from the policy at ``theta``.
    """
    start, end = np.asarray(before, dtype=np.float64), np.asarray(theta, dtype=np.float64)
    total = np.zeros(world.dimension)
    for q, weight in _nodes(point):
        middle = q * end + (1.0 - q) * start
        paths = enumerate_trajectories(world, end if sampled_here else middle, horizon)
        for part in _chunks(paths.probabilities.size):
            matrices = hessian_estimates(
                world, middle, paths.states[part], paths.actions[part], causal=causal, score_factor=score_factor,
                curvature_factor=curvature_factor, relative_weights=relative_weights,
            )  # fmt: skip
            total += weight * np.einsum("n,nij,j->i", paths.probabilities[part], matrices, end - start)
    return total


def _nodes(point: float | None) -> list[tuple[float, float]]:
    if point is not None:
        return [(point, 1.0)]
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return [(0.5 * (float(x) + 1.0), 0.5 * float(w)) for x, w in zip(nodes, weights, strict=True)]


def correction_variance(
    world: FiniteWorld, before: npt.ArrayLike, theta: npt.ArrayLike, horizon: int, *, causal: bool = False
) -> float:
    """Return E |v - E v|^2 of the correction on a step, q uniform."""
    start, end = np.asarray(before, dtype=np.float64), np.asarray(theta, dtype=np.float64)
    square, mean = 0.0, np.zeros(world.dimension)
    for q, weight in _nodes(None):
        middle = q * end + (1.0 - q) * start
        paths = enumerate_trajectories(world, middle, horizon)
        for part in _chunks(paths.probabilities.size):
            matrices = hessian_estimates(world, middle, paths.states[part], paths.actions[part], causal=causal)
            products = matrices @ (end - start)
            square += weight * float(paths.probabilities[part] @ (products**2).sum(axis=1))
            mean += weight * (paths.probabilities[part] @ products)
    return square - float(mean @ mean)


def error_second_moments(
    world: FiniteWorld,
    path: npt.ArrayLike,
    eta: npt.ArrayLike,
    horizon: int,
    *,
    first_batch: int = 1,
    causal: bool = False,
) -> FloatArray:
    """Return V_t ``(T + 1,)`` of (N-)HARPG on a prescribed path ``(T + 1, d)`` with momentum ``eta (T + 1,)``."""
    parameters, momentum = np.asarray(path, dtype=np.float64), np.asarray(eta, dtype=np.float64)
    if parameters.ndim != 2 or parameters.shape[1] != world.dimension or momentum.shape != parameters.shape[:1]:
        raise ValueError(f"path has shape {parameters.shape} and eta {momentum.shape}, not (T + 1, d) and (T + 1,)")
    errors = [_gradient_variance(world, parameters[0], horizon) / first_batch]
    for t, (before, theta) in enumerate(pairwise(parameters), start=1):
        keep, own = (1.0 - momentum[t]) ** 2, _gradient_variance(world, theta, horizon)
        moved = correction_variance(world, before, theta, horizon, causal=causal)
        errors.append(keep * errors[-1] + momentum[t] ** 2 * own + keep * moved)
    return np.array(errors)


def _gradient_variance(world: FiniteWorld, theta: FloatArray, horizon: int) -> float:
    paths = enumerate_trajectories(world, theta, horizon)
    gradients = gradient_estimates(world, theta, paths.states, paths.actions)
    mean = paths.probabilities @ gradients
    return float(paths.probabilities @ (gradients**2).sum(axis=1) - mean @ mean)
