r"""Behaviour cloning, and the exact values of regularised control that a clone serves as a reference for.

With the counts of N demonstrations, Laplace's rule

.. math:: \pi^{BC}_h(a | s) = \frac{N_h(s, a) + 1}{N_h(s) + A}

is the maximum-likelihood policy with the regulariser :math:`\sum_{s,a} \log 1 / \pi_h(a|s)`. It is judged by
:math:`\mathrm{KL}_{\mathrm{traj}}(\pi^E \| \pi^{BC}) = \sum_h \mathbb E_{d_h^{\pi^E}} \mathrm{KL}(\pi^E_h(s) \|
\pi^{BC}_h(s))`, expert first: without smoothing it is infinite as soon as an action of the expert was not seen.

Other classes: finitely many policies a stage, and log-linear policies :math:`\pi_w(a|s) \propto e^{\phi(s,a)^\top w}`
with :math:`\|w\| \le R`, whose concave likelihood is maximised by Newton's method on

.. math:: -\textstyle\sum_{s,a} N(s, a) \log \pi_w(a | s) + \tfrac\mu2 \|w\|^2 ,

with :math:`\mu` such that :math:`\|w\| = R` (or next to zero). The duality gap
:math:`\nabla f(w)^\top w + R \|\nabla f(w)\|` bounds what the result lacks, and is returned.

**Lower bound.** Where the occupancies :math:`d_h(s)` do not depend on the policy, the Bayes risk of Laplace's rule
under independent uniform priors, which no estimator improves for all experts, is
:math:`\sum_{h,s} d_h(s)\, \mathbb E\, r_A(n)` with :math:`n \sim \mathrm{Bin}(N, d_h(s))` and

.. math:: r_A(n) = \psi(2) - \psi(A + 1) - A\, \mathbb E [q \log q], \qquad q = \frac{K + 1}{n + A}, \quad
          K \sim \mathrm{BetaBin}(n; 1, A - 1) .

All functions of policies and counts accept leading axes.

References
----------
D. Tiapkin et al. (2024). Demonstration-Regularized RL. ICLR. The constants and the lower bound here are derived.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdps.demonstrations import Demonstrations
from mdps.errors import InvalidModelError, InvalidPolicyError
from mdps.preferences import staged_rewards
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray, entry, first_index, require_distributions, require_shape
from solvers.dr_rpo_exact import soft_maximum
from solvers.planning import NotConvergedError, backward_induction, policy_value
from solvers.robust_planning import divergence
from theory import demonstration_regularized_parameters as parameters

NEWTON_STEPS, BISECTIONS = 60, 80
"""Limits of the two searches of a log-linear fit."""


# Estimators


def laplace(demonstrations: Demonstrations) -> FloatArray:
    """Return Laplace's clone, ``(..., H, S, A)``; uniform in states that were not seen."""
    counts = demonstrations.counts
    smoothed: FloatArray = (counts + 1.0) / (demonstrations.visits[..., None] + counts.shape[-1])
    return smoothed


def maximum_likelihood(demonstrations: Demonstrations) -> FloatArray:
    """Return the frequencies of the actions, ``(..., H, S, A)``, without smoothing; uniform in states not seen."""
    counts, visits = demonstrations.counts, demonstrations.visits[..., None]
    frequencies: FloatArray = np.where(visits > 0, counts / np.maximum(visits, 1), 1.0 / counts.shape[-1])
    return frequencies


def finite_class(
    demonstrations: Demonstrations, candidates: FloatArray, penalties: FloatArray | None = None
) -> IntArray:
    """Return the number of the penalised maximum-likelihood candidate of each stage, ``(..., H)``; ties to the lowest.

    Parameters
    ----------
    candidates
        Policies ``(F, H, S, A)``; at stage h the class is ``candidates[:, h]``.
    penalties
        Regularisers ``(F, H)``; none if omitted.

    Raises
    ------
    InvalidModelError
        If the candidates do not fit the demonstrations.
    """
    require_shape("candidates", candidates, (len(candidates), *demonstrations.counts.shape[-3:]))
    counts = demonstrations.counts[..., None, :, :, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.where(counts > 0, -counts * np.log(candidates), 0.0).sum(axis=(-2, -1))
    chosen: IntArray = (total if penalties is None else total + penalties).argmin(axis=-2)
    return chosen


@dataclass(frozen=True, eq=False)
class LogLinearFit:
    """Weights ``(H, d)``, the policy ``(H, S, A)`` and the certified lack of log-likelihood of each stage, ``(H,)``."""

    weights: FloatArray
    policy: FloatArray
    lack: FloatArray


def log_linear(
    demonstrations: Demonstrations,
    features: FloatArray,
    radius: float,
    mixing: float = 0.0,
    tolerance: float = 1e-8,
) -> LogLinearFit:
    """Fit a log-linear policy by maximum likelihood on the ball of the given radius.

    Parameters
    ----------
    demonstrations
        A single set.
    features
        ``(S, A, d)`` or ``(H, S, A, d)``.
    mixing
        Weight of the uniform law that is mixed in after the fit; this is not the maximum-likelihood policy of the class
        of mixtures.
    tolerance
        Largest lack of log-likelihood, per demonstration.

    Raises
    ------
    ValueError
        If the radius is not positive, or the mixing outside [0, 1].
    NotConvergedError
        If a stage lacks more.
    """
    if not (0.0 < radius < np.inf and 0.0 <= mixing <= 1.0):
        raise ValueError(f"radius is {radius!r} and mixing {mixing!r}: not positive, or outside [0, 1]")
    counts = demonstrations.counts
    H, S, A = counts.shape
    phi = np.broadcast_to(features, (H, S, A, features.shape[-1]))
    weights, lack = np.zeros((H, phi.shape[-1])), np.zeros(H)
    for h in range(H):
        weights[h], lack[h] = _fit_stage(counts[h].astype(np.float64), phi[h], radius, tolerance)
        if lack[h] > tolerance * demonstrations.size:
            raise NotConvergedError(f"stage {h} lacks {lack[h]:.3g} of log-likelihood")
    fitted = _softmax(np.einsum("hsai,hi->hsa", phi, weights))
    return LogLinearFit(weights, (1.0 - mixing) * fitted + mixing / A, lack)


def _softmax(scores: FloatArray) -> FloatArray:
    uniform = np.full(scores.shape[-1], -np.log(scores.shape[-1]))
    policy: FloatArray = np.exp(soft_maximum(scores, uniform, 1.0)[1])
    return policy


def _fit_stage(counts: FloatArray, phi: FloatArray, radius: float, tolerance: float) -> tuple[FloatArray, float]:
    size = counts.sum()
    weights = np.zeros(phi.shape[-1])
    if size == 0.0:
        return weights, 0.0
    largest = float(np.linalg.norm(phi, axis=-1).max())
    low, high = tolerance * size / radius**2, 2.0 * largest * size / radius  # with the latter the norm is within it
    ridge = low
    for _ in range(BISECTIONS):
        weights = _newton(counts, phi, ridge, weights)
        slope, norm = _slope(counts, phi, weights)[0], float(np.linalg.norm(weights))
        lack = float(slope @ weights + radius * np.linalg.norm(slope))
        if norm <= radius and lack <= tolerance * size:
            break
        low, high = (ridge, high) if norm > radius else (low, ridge)
        ridge = float(np.sqrt(low * high))
    return weights, lack if norm <= radius else np.inf


def _slope(counts: FloatArray, phi: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return gradient and Hessian of the negative log-likelihood."""
    policy = _softmax(phi @ weights)
    visits = counts.sum(axis=-1)
    mean = np.einsum("sa,sai->si", policy, phi)
    centred = phi - mean[:, None]
    gradient = -np.einsum("sa,sai->i", counts, centred)
    hessian = np.einsum("s,sa,sai,saj->ij", visits, policy, centred, centred)
    return gradient, hessian


def _loss(counts: FloatArray, phi: FloatArray, ridge: float, weights: FloatArray) -> float:
    scores = phi @ weights
    uniform = np.full(scores.shape[-1], -np.log(scores.shape[-1]))
    log_policy = soft_maximum(scores, uniform, 1.0)[1]
    return float(-(counts * log_policy).sum() + 0.5 * ridge * weights @ weights)


def _newton(counts: FloatArray, phi: FloatArray, ridge: float, weights: FloatArray) -> FloatArray:
    """Minimise the loss with a ridge, by Newton's method with halved steps."""
    loss = _loss(counts, phi, ridge, weights)
    for _ in range(NEWTON_STEPS):
        gradient, hessian = _slope(counts, phi, weights)
        gradient = gradient + ridge * weights
        step = np.linalg.solve(hessian + ridge * np.eye(len(weights)), gradient)
        decrement, length = float(gradient @ step), 1.0
        while (following := _loss(counts, phi, ridge, weights - length * step)) > loss - 0.25 * length * decrement:
            length *= 0.5
            if length < 1e-8:
                return weights
        weights, loss = weights - length * step, following
        if decrement <= 1e-14 * max(1.0, abs(loss)):
            return weights
    return weights


# Exact values


def state_occupancy(mdp: FiniteHorizonMDP, policy: FloatArray) -> FloatArray:
    """Return the laws of the states at every stage, ``(..., H, S)``."""
    laws = np.empty((*policy.shape[:-3], mdp.horizon, mdp.n_states))
    laws[..., 0, :] = mdp.initial
    for h in range(mdp.horizon - 1):
        mass = laws[..., h, :, None] * policy[..., h, :, :]
        laws[..., h + 1, :] = np.einsum("...sa,sat->...t", mass, stage_kernel(mdp, h))
    return laws


def stage_kernel(mdp: FiniteHorizonMDP, h: int) -> FloatArray:
    """Return the transitions of a stage, ``(S, A, S)``."""
    return mdp.transitions[min(h, mdp.transitions.shape[0] - 1)]


def trajectory_divergence(mdp: FiniteHorizonMDP, policy: FloatArray, other: FloatArray) -> FloatArray:
    """Return the divergence of the episodes of ``policy`` from those of ``other``, ``(...)``; it may be infinite.

    A state that ``policy`` does not reach does not count.
    """
    laws = state_occupancy(mdp, policy)
    local = divergence("kl", policy, other)
    total: FloatArray = np.where(laws > 0.0, laws * np.where(laws > 0.0, local, 0.0), 0.0).sum(axis=(-2, -1))
    return total


@dataclass(frozen=True, eq=False)
class SoftPlan:
    """Optimum of a regularised problem: values ``(..., H + 1, S)``, action values and policy ``(..., H, S, A)``."""

    values: FloatArray
    q: FloatArray
    policy: FloatArray


def require_reference(mdp: FiniteHorizonMDP, reference: npt.ArrayLike) -> FloatArray:
    """Return a reference policy ``(..., H, S, A)``.

    Raises
    ------
    InvalidPolicyError
        If its shape does not fit, a row is no law, or a probability is not positive; the message names the entry.
    """
    array = np.asarray(reference, dtype=np.float64)
    if array.shape[-3:] != (mdp.horizon, mdp.n_states, mdp.n_actions):
        raise InvalidPolicyError(f"reference has shape {array.shape}, not (..., H, S, A)")
    axes = " " * (array.ndim - 3) + "hsa"
    bad = ~(array > 0.0)
    if bad.any():
        index = first_index(bad)
        raise InvalidPolicyError(f"{entry('reference', index, axes)} is {array[index]}, not positive")
    try:
        require_distributions("reference", array, axes[:-1])
    except InvalidModelError as error:
        raise InvalidPolicyError(str(error)) from error
    return array


def require_regularisation(lam: npt.ArrayLike) -> FloatArray:
    """Return regularisations, checked to be positive and finite.

    Raises
    ------
    ValueError
        Otherwise.
    """
    array = np.asarray(lam, dtype=np.float64)
    if not (np.isfinite(array) & (array > 0.0)).all():
        raise ValueError(f"lam is {lam!r}, not positive and finite")
    return array


def regularised_optimum(
    mdp: FiniteHorizonMDP, reference: FloatArray, lam: npt.ArrayLike, rewards: FloatArray | None = None
) -> SoftPlan:
    """Return the optimal regularised values and policy.

    Parameters
    ----------
    reference
        ``(..., H, S, A)``, positive.
    lam
        Regularisation, ``()`` or with the leading axes of the result.
    rewards
        ``(..., H, S, A)``; those of the model if omitted.

    Raises
    ------
    InvalidPolicyError, ValueError
        For a reference or a regularisation outside its domain.
    """
    base, weight = np.log(require_reference(mdp, reference)), require_regularisation(lam)
    means = staged_rewards(mdp) if rewards is None else rewards
    leading = np.broadcast_shapes(base.shape[:-3], weight.shape, means.shape[:-3])
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    values, q, policy = np.zeros((*leading, H + 1, S)), np.empty((*leading, H, S, A)), np.empty((*leading, H, S, A))
    for h in reversed(range(H)):
        following = np.einsum("sat,...t->...sa", stage_kernel(mdp, h), values[..., h + 1, :])
        q[..., h, :, :] = means[..., h, :, :] + following
        scaled, log_policy = soft_maximum(q[..., h, :, :] / weight[..., None, None], base[..., h, :, :], 1.0)
        values[..., h, :] = weight[..., None] * scaled
        policy[..., h, :, :] = np.exp(log_policy)
    return SoftPlan(values, q, policy)


def regularised_values(
    mdp: FiniteHorizonMDP,
    policy: FloatArray,
    reference: FloatArray,
    lam: npt.ArrayLike,
    rewards: FloatArray | None = None,
) -> FloatArray:
    """Return the regularised values of a policy, ``(..., H + 1, S)``; they may be negative (see `regularised_optimum`).

    ``lam`` may be zero here, and then the reference does not matter.
    """
    weight = np.asarray(lam, dtype=np.float64)
    means = staged_rewards(mdp) if rewards is None else rewards
    cost = weight[..., None, None] * np.where((weight > 0.0)[..., None, None], divergence("kl", policy, reference), 0.0)
    leading = np.broadcast_shapes(policy.shape[:-3], reference.shape[:-3], weight.shape, means.shape[:-3])
    values = np.zeros((*leading, mdp.horizon + 1, mdp.n_states))
    for h in reversed(range(mdp.horizon)):
        following = np.einsum("sat,...t->...sa", stage_kernel(mdp, h), values[..., h + 1, :])
        mean = (policy[..., h, :, :] * (means[..., h, :, :] + following)).sum(axis=-1)
        values[..., h, :] = mean - cost[..., h, :]
    return values


def start_values(mdp: FiniteHorizonMDP, values: FloatArray) -> FloatArray:
    """Return the values ``(..., H + 1, S)`` at the start, ``(...)``."""
    start: FloatArray = values[..., 0, :] @ mdp.initial
    return start


def regularised_gap(
    mdp: FiniteHorizonMDP,
    policy: FloatArray,
    reference: FloatArray,
    lam: npt.ArrayLike,
    rewards: FloatArray | None = None,
) -> FloatArray:
    """Return what a policy lacks of the optimal regularised value, ``(...)``, by dynamic programming; never clipped."""
    optimum = regularised_optimum(mdp, reference, lam, rewards).values
    lack: FloatArray = start_values(mdp, optimum - regularised_values(mdp, policy, reference, lam, rewards))
    return lack


def policy_gap(mdp: FiniteHorizonMDP, policy: FloatArray) -> FloatArray:
    """Return what policies ``(..., H, S, A)`` lack of the optimal value, ``(...)``, without regularisation."""
    optimum = policy_value(mdp, backward_induction(mdp).values)
    lack: FloatArray = optimum - start_values(mdp, regularised_values(mdp, policy, policy, 0.0))
    return lack


# Bounds


def high_probability_bound(demonstrations: Demonstrations, delta: float) -> FloatArray:
    """Return what bounds the divergence of the expert from Laplace's clone with probability 1 - delta, ``(...)``.

    The sum of `theory.demonstration_regularized_parameters.CLONING_STATE` over stages and states (CLONING_UNSEEN for
    those that were not seen), or CLONING_CAP if that is less. It depends on the counts only.
    """
    visits = demonstrations.visits
    H, S = visits.shape[-2:]
    size = demonstrations.size
    known = {"S": S, "A": demonstrations.counts.shape[-1], "H": H, "N": size, "delta": delta}
    levels, where = np.unique(visits, return_inverse=True)
    terms = np.array(
        [
            parameters.evaluate(parameters.CLONING_STATE if level else parameters.CLONING_UNSEEN, {**known, "n": level})
            for level in levels.tolist()
        ]
    )
    total = terms[where].reshape(visits.shape).sum(axis=(-2, -1))
    bound: FloatArray = np.minimum(total, parameters.evaluate(parameters.CLONING_CAP, known))
    return bound


def expectation_bound(occupancies: FloatArray, n_actions: int, size: int) -> float:
    """Return what bounds the mean divergence of an expert from Laplace's clone, given its state laws ``(H, S)``.

    It is the sum over stages and states of (A - 1) (1 - (1 - d)^(N + 1)) / (N + 1), at most S H (A - 1) / (N + 1).
    """
    reached = -np.expm1((size + 1) * np.log1p(-np.minimum(occupancies, 1.0 - 1e-16)))
    return float((n_actions - 1) / (size + 1) * reached.sum())


def bayes_risk(n_actions: int, size: int) -> FloatArray:
    """Return r_A(0), ..., r_A(size): the Bayes risk of one state after n visits, under the uniform prior."""
    entropy_of_prior = -sum(1.0 / k for k in range(2, n_actions + 1))  # psi(2) - psi(A + 1)
    risks = np.empty(size + 1)
    for n in range(size + 1):
        k = np.arange(n + 1)
        weights = np.full(n + 1, n_actions - 1.0)
        for j in range(1, n_actions - 1):
            weights *= (n - k + j) / (n + j)
        weights /= n + n_actions - 1
        q = (k + 1.0) / (n + n_actions)
        risks[n] = entropy_of_prior - n_actions * float(weights @ (q * np.log(q)))
    return risks


def minimax_bound(occupancies: FloatArray, n_actions: int, size: int) -> float:
    """Return what the mean divergence of some expert reaches for every estimator, for free ``occupancies (H, S)``.

    See `bayes_risk`.
    """
    risks = bayes_risk(n_actions, size)
    total = 0.0
    for mass, times in zip(*np.unique(occupancies[occupancies > 0.0], return_counts=True), strict=True):
        total += times * mass * float(binomial_law(size, float(mass)) @ risks)
    return total


def binomial_law(size: int, chance: float) -> FloatArray:
    """Return the masses of Bin(size, chance) at 0, ..., size."""
    k = np.arange(size + 1)
    if chance >= 1.0:
        return (k == size).astype(np.float64)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, size + 1)))])
    masses: FloatArray = np.exp(
        logs[size] - logs[k] - logs[size - k] + k * np.log(chance) + (size - k) * np.log1p(-chance)
    )
    return masses
