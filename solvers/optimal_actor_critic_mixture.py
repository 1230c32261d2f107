r"""OPPO: optimistic policy optimisation on linear mixtures, by value-targeted regression.

In episode k the actor is :math:`\pi^k_h \propto \exp(\alpha \sum_{i<k} Q^i_h)`. Its critic, backwards from
:math:`V_{H+1} = 0`, regresses the values of earlier critics at the states that followed,

.. math:: \Lambda_h = \lambda I + \sum_{i<k} x_i x_i^\top, \qquad
          w_h = \Lambda_h^{-1} \sum_{i<k} x_i V^i_{h+1}(s^i_{h+1}), \qquad
          x_i = \phi(V^i_{h+1})(s^i_h, a^i_h), \qquad \phi_j(V) = \langle p^{(j)}, V \rangle ,

.. math:: Q^k_h = r_h + \operatorname{clip}\big(\phi(V_{h+1})^\top w_h + \beta \|\phi(V_{h+1})\|_{\Lambda_h^{-1}}, 0,
          H - h\big), \qquad V_h = \langle Q^k_h, \pi^k_h \rangle .

Rewards are known (full information). The step size is :math:`\alpha = \sqrt{2 \log A / (H^2 K)}`. Targets are values of
the critic of their own episode, which is chosen before the transition is drawn: no net of targets is needed, and

.. math:: \beta = \tfrac H2 \sqrt{d \log(1 + K H^2 / \lambda) + 2 \log(H / \delta)} + \sqrt\lambda

covers all w with probability :math:`1 - \delta`, by the self-normalised bound for steps of range H, with
:math:`\|x\|^2 \le d H^2` and :math:`\|\theta\| \le 1`.

References
----------
Q. Cai, Z. Yang, C. Jin and Z. Wang (2020). Provably efficient exploration in policy optimization. ICML; the constant of
the radius is our own.
"""

from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from mdps.kernels import Seed, cumulative
from mdps.linear_mixture import LinearMixture
from mdps.validation import FloatArray, IntArray
from solvers.episodic import record_points, require_positive, require_probability, require_unit_rewards
from solvers.planning import backward_induction, evaluate, policy_value


def oppo_rate(n_actions: int, horizon: int, episodes: int) -> float:
    r"""Return :math:`\alpha = \sqrt{2 \log A / (H^2 K)}`."""
    return sqrt(2.0 * log(n_actions) / (horizon**2 * episodes))


def oppo_radius(n_factors: int, horizon: int, episodes: int, delta: float, ridge: float = 1.0) -> float:
    """Return beta; see the module."""
    require_probability("delta", delta)
    growth = n_factors * log(1.0 + episodes * horizon**2 / ridge)
    return horizon / 2.0 * sqrt(growth + 2.0 * log(horizon / delta)) + sqrt(ridge)


@dataclass(frozen=True, eq=False)
class OPPORun:
    r"""One run of OPPO.

    Attributes
    ----------
    episodes
        The recorded ones, ``(R,)``.
    regret
        Exact cumulative regret, ``(R,)``.
    low
        Least :math:`Q_h - r_h - P_h V_{h+1}` over all episodes and pairs: not negative on the event of the radius.
    errors
        Largest :math:`\|w_h - \theta_h\|_{\Lambda_h} / \beta` over all episodes and stages.
    """

    episodes: IntArray
    regret: FloatArray
    low: float
    errors: float


@dataclass(frozen=True, eq=False)
class _Memory:
    """Statistics of the regressions, and the sum of the critics; filled in place."""

    covariance: FloatArray  # (H, d, d)
    moments: FloatArray  # (H, d)
    past: FloatArray  # (H, S, A)


def run_oppo(
    model: LinearMixture,
    *,
    episodes: int,
    seed: Seed,
    record: int = 64,
    delta: float = 0.05,
    scale: float = 1.0,
    rate: float | None = None,
    ridge: float = 1.0,
) -> OPPORun:
    """Run OPPO.

    Parameters
    ----------
    scale
        Factor of the radius.
    rate
        Step size alpha; None for that of the module.

    Raises
    ------
    ValueError
        For an argument outside its domain.
    """
    require_positive("episodes", episodes)
    table = model.to_tabular()
    require_unit_rewards(table)
    H, S, A = model.rewards.shape
    d, random = model.n_factors, np.random.default_rng(seed)
    beta = scale * oppo_radius(d, H, episodes, delta, ridge)
    alpha = oppo_rate(A, H, episodes) if rate is None else rate
    memory = _Memory(np.array([ridge * np.eye(d)] * H), np.zeros((H, d)), np.zeros((H, S, A)))
    best = policy_value(table, backward_induction(table).values)
    cdf, points = cumulative(table.transitions), record_points(episodes, record)
    gaps, low, errors = np.empty(episodes), np.inf, 0.0
    for k in range(episodes):
        policy = _softmax(alpha * memory.past)
        q, values, distance = _critic(model, memory, policy, beta)
        low = min(low, float((q - model.rewards - _expected(model, values)).min()))
        errors = max(errors, distance / beta if beta > 0.0 else np.inf)
        gaps[k] = best - policy_value(table, evaluate(table, policy))
        _play(model, memory, policy, values, cdf, random)
        memory.past[:] += q
    return OPPORun(points, np.cumsum(gaps)[points - 1], low, errors)


def _softmax(scores: FloatArray) -> FloatArray:
    mass = np.exp(scores - scores.max(axis=-1, keepdims=True))
    law: FloatArray = mass / mass.sum(axis=-1, keepdims=True)
    return law


def _critic(
    model: LinearMixture, memory: _Memory, policy: FloatArray, beta: float
) -> tuple[FloatArray, FloatArray, float]:
    """Return Q, the values ``(H + 1, S)``, and the largest error of w in its covariance."""
    H, S, A = model.rewards.shape
    q, values, worst = np.empty((H, S, A)), np.zeros((H + 1, S)), 0.0
    for h in reversed(range(H)):
        inverse = np.linalg.inv(memory.covariance[h])
        weights = inverse @ memory.moments[h]
        phi = model.features(values[h + 1])
        norms = np.sqrt(np.maximum(((phi @ inverse) * phi).sum(axis=-1), 0.0))
        q[h] = model.rewards[h] + np.clip(phi @ weights + beta * norms, 0.0, H - 1.0 - h)
        values[h] = (policy[h] * q[h]).sum(axis=1)
        off = weights - model.weights[h]
        worst = max(worst, sqrt(max(float(off @ memory.covariance[h] @ off), 0.0)))
    return q, values, worst


def _expected(model: LinearMixture, values: FloatArray) -> FloatArray:
    """Return the true expected next values ``(H, S, A)``."""
    return np.array([model.features(values[h + 1]) @ model.weights[h] for h in range(model.horizon)])


def _play(
    model: LinearMixture,
    memory: _Memory,
    policy: FloatArray,
    values: FloatArray,
    cdf: FloatArray,
    random: np.random.Generator,
) -> None:
    """Play one episode and add it to the statistics."""
    s = 0
    for h in range(model.horizon):
        a = min(int(np.searchsorted(np.cumsum(policy[h, s]), random.random(), side="right")), policy.shape[2] - 1)
        t = int(np.searchsorted(cdf[h, s, a], random.random(), side="right"))
        x = model.kernels[:, s, a] @ values[h + 1]
        memory.covariance[h] += np.outer(x, x)
        memory.moments[h] += x * values[h + 1, t]
        s = t
