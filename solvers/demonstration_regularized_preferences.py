r"""Rewards learned from preferences, and control that is regularised towards the policy they were collected with.

**Maximum likelihood.** With labels :math:`o_k` and differences of returns :math:`x_k = r(\tau^1_k) - r(\tau^0_k)`,

.. math:: \hat r \in \arg\max_{r \in \mathcal G} \sum_k \log \sigma\big( (2 o_k - 1) x_k \big) .

A finite class is enumerated (ties to the lowest number). Over all rewards in [0, 1] the likelihood is concave in r; it
is maximised by a quasi-Newton method with bounds, and what the result can lack at most is certified by

.. math:: \max_{r' \in [0, 1]^{HSA}} \langle \nabla \ell(r), r' - r \rangle \ge \max \ell - \ell(r) .

**Error.** The mean squared error of a difference of returns under the sampling policy is twice the variance of the
return of :math:`g = r^\star - \hat r`, computed exactly by dynamic programming on first and second moments.

**Guarantee.** For :math:`\lambda \ge 4H/3` and the sampling policy as reference, an :math:`\varepsilon_{RL}`-optimal
policy of the regularised problem with the learned reward lacks at most
`theory.demonstration_regularized_parameters.PREFERENCE_GAP_FREE` in the true one: no pessimism is needed.

References
----------
D. Tiapkin et al. (2024). Demonstration-Regularized RL. ICLR. All constants are derived.
"""

from dataclasses import dataclass

import numpy as np

from mdps.demonstrations import sample_demonstrations
from mdps.kernels import Policy, Seed, action_laws
from mdps.preferences import Comparisons, logistic, sample_comparisons, staged_rewards
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray
from solvers.demonstration_regularized import FAST, LIMIT, Identification, Settings, identify, substream
from solvers.demonstration_regularized_cloning import (
    laplace,
    policy_gap,
    stage_kernel,
    state_occupancy,
    trajectory_divergence,
)
from solvers.planning import NotConvergedError


def log_likelihood(differences: FloatArray, labels: IntArray) -> FloatArray:
    """Return the log-likelihood of labels ``(..., n)``, 0 or 1, at differences of returns ``(..., n)``, ``(...)``."""
    signed = np.where(labels == 1, differences, -differences)
    total: FloatArray = (np.minimum(signed, 0.0) - np.log1p(np.exp(-np.abs(signed)))).sum(axis=-1)
    return total


def finite_mle(comparisons: Comparisons, rewards: FloatArray) -> int:
    """Return the number of the most likely of ``rewards (G, H, S, A)``; ties to the lowest."""
    return int(log_likelihood(comparisons.differences(rewards), comparisons.labels).argmax())


def sample_finite_mle(
    mdp: FiniteHorizonMDP, sampler: Policy, rewards: FloatArray, size: int, seed: Seed, runs: int = 1
) -> IntArray:
    """Return the most likely rewards of ``runs`` independent sets of ``size`` comparisons, ``(runs,)``.

    Parameters
    ----------
    sampler
        Policy of both episodes.
    rewards
        The class, ``(G, H, S, A)``; number 0 is the true reward, by which labels are drawn.
    """
    drawn = sample_comparisons(mdp, sampler, runs * size, seed, rewards[0])
    differences = drawn.differences(rewards).reshape(len(rewards), runs, size)
    chosen: IntArray = log_likelihood(differences, drawn.labels.reshape(runs, size)).argmax(axis=0)
    return chosen


@dataclass(frozen=True, eq=False)
class LogisticFit:
    """Learned rewards ``(H, S, A)``, and a certified bound on what they lack of the largest log-likelihood."""

    rewards: FloatArray
    lack: float


def logistic_mle(
    comparisons: Comparisons, n_states: int, n_actions: int, tolerance: float = 1e-4, iterations: int = 2000
) -> LogisticFit:
    """Return the most likely reward with entries in [0, 1].

    Directions that no comparison tells apart stay at 1/2, where the search starts.

    Parameters
    ----------
    tolerance
        Largest certified lack of log-likelihood.

    Raises
    ------
    NotConvergedError
        If the result may lack more.
    """
    from scipy.optimize import minimize  # a slow import, needed here only

    designs = comparisons.designs(n_states, n_actions)
    shape = designs.shape[1:]
    matrix = designs.reshape(comparisons.size, -1)
    signs = 2.0 * comparisons.labels - 1.0

    def loss(r: FloatArray) -> tuple[float, FloatArray]:
        signed = signs * (matrix @ r)
        return float(np.logaddexp(0.0, -signed).sum()), -matrix.T @ (signs * logistic(-signed))

    found = minimize(
        loss,
        np.full(matrix.shape[1], 0.5),
        jac=True,
        bounds=[(0.0, 1.0)] * matrix.shape[1],
        method="L-BFGS-B",
        options={"maxiter": iterations, "ftol": 0.0, "gtol": 0.0, "maxcor": 30},
    )
    best = np.clip(found.x, 0.0, 1.0)
    slope = loss(best)[1]
    lack = float(slope @ best - np.minimum(slope, 0.0).sum())
    if lack > tolerance:
        raise NotConvergedError(f"the rewards may lack {lack:.3g} of log-likelihood, more than {tolerance:g}")
    return LogisticFit(best.reshape(shape), lack)


# Errors


def return_variance(mdp: FiniteHorizonMDP, policy: FloatArray, rewards: FloatArray) -> FloatArray:
    """Return the variance of the return of ``rewards (..., H, S, A)`` under a policy ``(H, S, A)``, ``(...)``.

    By the law of total variance: no cancellation, and zero exactly where it is.
    """
    laws = state_occupancy(mdp, policy)
    following = np.zeros((*rewards.shape[:-3], mdp.n_states))
    total = np.zeros(rewards.shape[:-3])
    for h in reversed(range(mdp.horizon)):
        kernel = stage_kernel(mdp, h)
        mean = np.einsum("sat,...t->...sa", kernel, following)
        centred = following[..., None, None, :] - mean[..., None]
        spread = np.einsum("sat,...sat->...sa", kernel, centred**2)
        q = rewards[..., h, :, :] + mean
        values = (policy[h] * q).sum(axis=-1)
        local = (policy[h] * (spread + (q - values[..., None]) ** 2)).sum(axis=-1)
        total = total + local @ laws[h]
        following = values
    return total + (mdp.initial * (following - (following @ mdp.initial)[..., None]) ** 2).sum(axis=-1)


def reward_error(mdp: FiniteHorizonMDP, sampler: FloatArray, difference: FloatArray) -> FloatArray:
    r"""Return :math:`\Delta^2`: the mean squared difference of returns of ``difference (..., H, S, A)``, ``(...)``."""
    return 2.0 * return_variance(mdp, sampler, difference)


def mean_return(mdp: FiniteHorizonMDP, policy: FloatArray, rewards: FloatArray) -> FloatArray:
    """Return the value of ``rewards (..., H, S, A)`` under a policy ``(H, S, A)`` from the start, ``(...)``."""
    occupancy = state_occupancy(mdp, policy)[..., None] * policy
    total: FloatArray = (occupancy * rewards).sum(axis=(-3, -2, -1))
    return total


def concentrability(
    mdp: FiniteHorizonMDP, expert: FloatArray, sampler: FloatArray, rewards: FloatArray, truth: FloatArray
) -> float:
    r"""Return the largest :math:`(E_{\pi^E} g - E_{\pi^S} g) / \Delta_g` over g = truth - r in a class, at least zero.

    Parameters
    ----------
    rewards
        The class, ``(G, H, S, A)``. A reward whose differences of returns agree with those of the truth under the
        sampler, but not under the expert, makes it infinite.
    """
    errors = truth - rewards
    ahead = mean_return(mdp, expert, errors) - mean_return(mdp, sampler, errors)
    deviation = np.sqrt(reward_error(mdp, sampler, errors))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(ahead > 0.0, ahead / deviation, 0.0)
    return float(ratios.max(initial=0.0))


# The learner


@dataclass(frozen=True, eq=False)
class PreferenceRun:
    r"""Outcome of R runs; all but ``identification`` have a leading axis of runs.

    Attributes
    ----------
    identification
        What UCBVI-Ent+ returned for the learned rewards.
    reference
        The clones, ``(R, H, S, A)``, with which comparisons were collected as well.
    chosen
        Numbers of the learned rewards.
    squared_error
        :math:`\Delta^2`, exact.
    divergence
        Trajectory divergence of the expert from the clone.
    gap
        What the output lacks of the optimal value, with the true rewards and without regularisation.
    """

    identification: Identification
    reference: FloatArray
    chosen: IntArray
    squared_error: FloatArray
    divergence: FloatArray
    gap: FloatArray


def preference_identify(
    mdp: FiniteHorizonMDP,
    expert: Policy,
    size: int,
    n_comparisons: int,
    rewards: FloatArray,
    lam: float,
    epsilon: float,
    *,
    seeds: np.random.SeedSequence,
    runs: int = 1,
    delta: float = 0.1,
    settings: Settings = FAST,
    limit: int = LIMIT,
) -> PreferenceRun:
    """Clone an expert, learn a reward from comparisons of episodes of the clone, and identify a policy for it.

    Parameters
    ----------
    size, n_comparisons
        Numbers of demonstrations and of comparisons, new ones for each run.
    rewards
        A finite class ``(G, H, S, A)`` in [0, 1], which contains the reward of the model.
    lam, epsilon
        Regularisation and accuracy of the identification.

    Raises
    ------
    ValueError, InvalidPolicyError
        For an argument outside its domain.
    """
    laws = np.array(np.broadcast_to(action_laws(mdp, expert), (mdp.horizon, mdp.n_states, mdp.n_actions)))
    reference = laplace(sample_demonstrations(mdp, laws, size, substream(seeds, 0), runs))
    generator = np.random.default_rng(substream(seeds, 1))
    chosen, squared = np.empty(runs, dtype=np.int64), np.empty(runs)
    for run in range(runs):
        chosen[run] = finite_mle(sample_comparisons(mdp, reference[run], n_comparisons, generator), rewards)
        squared[run] = reward_error(mdp, reference[run], staged_rewards(mdp) - rewards[chosen[run]])
    found = identify(
        mdp, reference, lam, epsilon,
        seeds=substream(seeds, 2), runs=runs, delta=delta, settings=settings, limit=limit, rewards=rewards[chosen],
    )  # fmt: skip
    divergence = trajectory_divergence(mdp, laws, reference)
    return PreferenceRun(found, reference, chosen, squared, divergence, policy_gap(mdp, found.policy))
