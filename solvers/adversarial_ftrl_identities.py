r"""The identities and moments on which the analysis rests, evaluated on a model.

**Performance difference.** With the occupancy :math:`\mu^*` of the *comparator*,
:math:`V^\pi(\rho) - V^{\pi^*}(\rho) = \sum_h E_{s \sim \mu^*_h} \langle \pi_h - \pi^*_h, Q^\pi_h(s, \cdot) \rangle`.

**Dilated bonus.** If :math:`B_h(s, a) = b_h(s, a) + (1 + \omega) E[B_{h+1}(s', a')]`, a' from :math:`\pi`, then for
every :math:`\omega \ge 0` and every b (stages from one)

.. math:: \sum_h E_{\mu^*} \langle \pi - \pi^*, B_h \rangle + \sum_h E_{\mu^*, \pi^*} [b_h]
          + \omega \sum_h E_{\mu^*, \pi} [B_h] = \sum_{h=1}^H (1 + \omega)^h E_{q^\pi_h} [b_h] .

**Moments of importance weighting.** :math:`\hat Q_h = L_h 1[(s, a) = (s_h, a_h)] / (q_h + \gamma)` has mean
:math:`Q_h q_h / (q_h + \gamma)` and second moment :math:`q_h E[L_h^2 | s, a] / (q_h + \gamma)^2`, where
:math:`E[L_h^2] = \ell^2 + 2 \ell E[V_{h+1}] + E[V^{(2)}_{h+1}]` is a backward induction.

**Exploration inside an epoch.** A learner without simulator explores with probability :math:`\delta`: it draws a stage
h* uniformly, follows a covering policy up to *and including* h* and the policy :math:`\pi` afterwards; it weighs
stage h by one if it did not explore, else by :math:`H 1[h = h^*]`. Then
:math:`E[w_h \phi\phi^\top] = (1 - \delta) \Sigma^\pi_h + \delta \Sigma^{cover}_h`.

References
----------
H. Luo, C.-Y. Wei and C.-W. Lee (2021). Policy optimization in adversarial MDPs: improved exploration via dilated
bonuses. NeurIPS. Y. Dai, H. Luo, C.-Y. Wei and J. Zimmert (2023). Refined regret for adversarial MDPs with linear
function approximation. ICML.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mdps.adversarial import (
    AdversarialMDP,
    action_values,
    dynamics,
    occupancy,
    require_features,
    require_policy,
    value,
)
from mdps.kernels import Seed, cumulative, seed_lanes
from mdps.validation import FloatArray, as_float_array, require_distributions, require_shape
from solvers.adversarial_ftrl_linear import average_outer, resample
from solvers.adversarial_ftrl_tabular import dilate


@dataclass(frozen=True)
class Sides:
    """The two sides of an identity."""

    left: float
    right: float

    @property
    def gap(self) -> float:
        """Right minus left."""
        return self.right - self.left


def performance_difference(
    mdp: AdversarialMDP,
    policy: npt.ArrayLike,
    comparator: npt.ArrayLike,
    losses: npt.ArrayLike,
    weights: Literal["comparator", "policy"] = "comparator",
) -> Sides:
    """Return both sides of the performance difference; with the policy's own occupancy as weights it is false."""
    pi, star = require_policy(mdp, policy), require_policy(mdp, comparator)
    _, table = action_values(mdp, pi, losses)
    mass = occupancy(mdp, star if weights == "comparator" else pi)
    right = float(np.einsum("hs,hsa->", mass, (pi - star) * table))
    return Sides(value(mdp, pi, losses) - value(mdp, star, losses), right)


def dilated_bonus(mdp: AdversarialMDP, policy: npt.ArrayLike, bonus: npt.ArrayLike, omega: float) -> FloatArray:
    """Return B, ``(H, S, A)``, for bonuses b ``(H, S, A)``."""
    table = as_float_array("bonus", bonus)
    require_shape("bonus", table, mdp.shape)
    out = np.empty(mdp.shape)
    dilate(dynamics(mdp), omega, table.copy(), require_policy(mdp, policy), np.empty((2, mdp.n_states)), out)
    return out


def dilated_identity(
    mdp: AdversarialMDP,
    policy: npt.ArrayLike,
    comparator: npt.ArrayLike,
    bonus: npt.ArrayLike,
    omega: float,
    exponent_offset: int = 0,
) -> Sides:
    """Return both sides of the dilated identity, the right with factors ``(1 + omega) ** (h + exponent_offset)``."""
    pi, star = require_policy(mdp, policy), require_policy(mdp, comparator)
    b = as_float_array("bonus", bonus)
    B = dilated_bonus(mdp, pi, b, omega)
    mass, star_mass = occupancy(mdp, pi), occupancy(mdp, star)
    left = np.einsum("hs,hsa->", star_mass, (pi - star) * B + star * b + omega * pi * B)
    factors = (1.0 + omega) ** (np.arange(1, mdp.horizon + 1) + exponent_offset)
    return Sides(float(left), float(np.einsum("h,hs,hsa->", factors, mass, pi * b)))


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and second moment of an estimator of Q, each ``(H, S, A)``."""

    mean: FloatArray
    second: FloatArray


def estimator_moments(mdp: AdversarialMDP, policy: npt.ArrayLike, losses: npt.ArrayLike, gamma: float) -> Moments:
    """Return the exact moments of the importance-weighted estimator; zero where q + gamma = 0."""
    pi, loss = require_policy(mdp, policy), as_float_array("losses", losses)
    _, table = action_values(mdp, pi, loss)
    H, S, _ = mdp.shape
    squares, first, second = np.empty(mdp.shape), np.zeros(S), np.zeros(S)
    for h in range(H - 1, -1, -1):
        rows = mdp.transitions[min(h, mdp.transitions.shape[0] - 1)]
        squares[h] = loss[h] ** 2 + 2.0 * loss[h] * (rows @ first) + rows @ second
        first, second = (pi[h] * table[h]).sum(axis=1), (pi[h] * squares[h]).sum(axis=1)
    q = occupancy(mdp, pi)[..., None] * pi
    below = np.where(q + gamma > 0.0, q + gamma, 1.0)
    return Moments(table * q / below, squares * q / below**2)


def state_covariances(mdp: AdversarialMDP, policy: npt.ArrayLike, features: FloatArray) -> FloatArray:
    """Return Sigma of each stage, ``(H, d, d)``."""
    require_features(mdp, features)
    pi = require_policy(mdp, policy)
    q = occupancy(mdp, pi)[..., None] * pi
    return np.einsum("hsa,hsai,hsaj->hij", q, features, features)


def reduced_estimates(products: FloatArray, weights: FloatArray, losses: FloatArray, stages: float) -> FloatArray:
    r"""Return the magnitude-reduced estimates of one pair for each atom of the trajectory's law.

    Parameters
    ----------
    products
        Z of each atom, ``(n,)``.
    weights
        Probabilities of the atoms, ``(n,)``.
    losses
        L of each atom, ``(n,)``, in [0, ``stages``].
    stages
        H_h.
    """
    negative = np.minimum(products, 0.0)
    return products * losses - stages * negative + stages * float(weights @ negative)


def exploration_covariance(
    mdp: AdversarialMDP,
    policy: npt.ArrayLike,
    cover: npt.ArrayLike,
    features: FloatArray,
    probability: float,
    include_switch: bool = True,
) -> FloatArray:
    """Return E[w phi phi'] of each stage, ``(H, d, d)``, by enumeration of the stage h* at which exploration ends.

    Parameters
    ----------
    probability
        Of exploring in an episode.
    include_switch
        Whether the covering policy still acts at h*; else the weights do not give the mixture of covariances.
    """
    pi, covering = require_policy(mdp, policy), require_policy(mdp, cover)
    total = (1.0 - probability) * state_covariances(mdp, pi, features)
    for switch in range(mdp.horizon):
        spliced = pi.copy()
        end = switch + 1 if include_switch else switch
        spliced[:end] = covering[:end]
        weight = probability / mdp.horizon * mdp.horizon  # chance of h*, times the weight H
        total[switch] += weight * state_covariances(mdp, spliced, features)[switch]
    return total


def _law(features: npt.ArrayLike, law: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    rows, mass = as_float_array("features", features), as_float_array("law", law)
    if rows.ndim != 2:
        raise ValueError(f"features has shape {rows.shape}, not (n, d)")
    require_shape("law", mass, (rows.shape[0],))
    require_distributions("law", mass, "")
    return rows.copy(), cumulative(mass)


def geometric_resampling(
    features: npt.ArrayLike,
    law: npt.ArrayLike,
    gamma: float,
    depth: int,
    repetitions: int,
    seed: Seed,
    c: float = 0.5,
    matched: npt.ArrayLike | None = None,
) -> FloatArray:
    """Estimate the inverse of gamma I + Sigma, ``(d, d)``, by matrix geometric resampling; symmetrised.

    Parameters
    ----------
    features, law
        Features ``(n, d)``, of norm at most one, and the probabilities ``(n,)`` of the points.
    depth, repetitions
        N and M.
    c
        Step; at most ``1 / (1 + gamma)`` for the products not to grow.
    matched
        ``(n,)``: False at points whose draws add no term, which makes the estimate that of another matrix.
    """
    rows, cdf = _law(features, law)
    flags = np.ones(rows.shape[0], dtype=np.bool_) if matched is None else np.array(matched, dtype=np.bool_)
    out = np.zeros((rows.shape[1], rows.shape[1]))
    resample(rows, cdf, flags, c, gamma, depth, repetitions, seed_lanes(seed, 1), 0, out)
    return 0.5 * (out + out.T)


def resampling_mean(sigma: FloatArray, gamma: float, depth: int, c: float = 0.5) -> FloatArray:
    """Return the mean of `geometric_resampling` for the covariance ``sigma (d, d)``."""
    regular = gamma * np.eye(sigma.shape[0]) + sigma
    power = np.linalg.matrix_power(np.eye(sigma.shape[0]) - c * regular, depth + 1)
    return np.linalg.solve(regular, np.eye(sigma.shape[0]) - power)


def matched_resampling_mean(sigma: FloatArray, match: float, depth: int, c: float = 0.5) -> FloatArray:
    """Return the mean if only draws that match (probability ``match``, features zero else) add a term; gamma = 0."""
    identity = np.eye(sigma.shape[0])
    total, power = c * identity, identity
    for _ in range(depth):
        total = total + c * power @ (match * identity - c * sigma)
        power = power @ (identity - c * sigma)
    return total


def sampled_covariance(features: npt.ArrayLike, law: npt.ArrayLike, draws: int, seed: Seed) -> FloatArray:
    """Return the average of phi phi' over independent draws, ``(d, d)``."""
    rows, cdf = _law(features, law)
    out = np.zeros((rows.shape[1], rows.shape[1]))
    average_outer(rows, cdf, draws, seed_lanes(seed, 1), 0, out)
    return out
