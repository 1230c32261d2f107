r"""Optimistic actor-critics on linear models: NORA-L, its greedy, hybrid and bonus-free relatives.

A ridge critic that targets :math:`Q^\star` (see `solvers.optimal_actor_critic_linear_kernels`) is made anew only when
the determinant of the covariance of a stage has doubled, at most :math:`d H \log_2(1 + T / d)` times; in between the
actor of the j-th episode is :math:`\operatorname{softmax}(\eta j Q_h)`, from the uniform law at each new critic.

=================  ==================================================================================================
NORA-L             the above, with the radius :math:`\beta` of `theory.optimal_actor_critic_parameters.linear_radius`
rare switching     :math:`\eta = \infty`: LSVI-UCB that switches rarely
LSVI-UCB           the same with a new critic each episode, clipped to [0, H]
hybrid             offline steps are in the statistics from the start
NOAH-L             hybrid without bonus
DOUHUA-L           the critic targets the actor, a new one each episode, no reset; no :math:`\sqrt T` bound is claimed
=================  ==================================================================================================

The regret is exact: every policy that is played is evaluated by dynamic programming in the true model.

References
----------
K. Tan, W. Fan and Y. Wei (2025). Actor-critics can achieve optimal sample efficiency. ICML; constants are our own.
C. Jin, Z. Yang, Z. Wang and M. I. Jordan (2020), COLT (LSVI-UCB). T. Wang, D. Zhou and Q. Gu (2021), NeurIPS; M. Gao,
T. Xie, S. S. Du and L. F. Yang (2021), arXiv:2101.00494 (rare switching).
"""

from dataclasses import dataclass
from math import inf, log, sqrt
from typing import Literal

import numpy as np

from mdps.kernels import cumulative, seed_lanes
from mdps.linear import LinearMDP
from mdps.offline import OfflineData
from mdps.validation import FloatArray, IntArray
from solvers import optimal_actor_critic_linear_kernels as kernels
from solvers.episodic import (
    by_pair,
    by_row,
    record_points,
    require_non_negative,
    require_positive,
    require_probability,
)
from theory.optimal_actor_critic_parameters import linear_radius

Target = Literal["optimum", "actor"]
Cap = Literal["stage", "horizon"]


@dataclass(frozen=True)
class LinearLearner:
    r"""Settings of a learner; those that are not given are NORA-L's.

    Attributes
    ----------
    eta
        Step size of the actor, infinite for a greedy one.
    beta
        Factor of the bonus; None for the radius of the theory at ``delta``, with as many episodes as offline steps a
        stage and episodes together.
    scale
        Factor of beta.
    delta
        Failure probability of the radius.
    ridge
        :math:`\lambda`.
    bonus
        Whether the critic is optimistic.
    rare
        Whether a critic is kept until a determinant has grown by more than the factor ``doubling``; else a new one is
        made each episode.
    reset
        Whether the actor starts from the uniform law with each critic; else it keeps the sum of all critics.
    late
        Whether the first policy after a new critic does not use it yet.
    target
        Whether the critic targets the optimum or the actor.
    cap
        Whether Q is clipped at what is left, H - h + 1, or at H.
    """

    eta: float = 1.0
    beta: float | None = None
    scale: float = 1.0
    delta: float = 0.05
    ridge: float = 1.0
    bonus: bool = True
    rare: bool = True
    doubling: float = 2.0
    reset: bool = True
    late: bool = False
    target: Target = "optimum"
    cap: Cap = "stage"

    def __post_init__(self) -> None:
        if not self.eta > 0.0:
            raise ValueError(f"eta is {self.eta!r}, not positive")
        if not 0.0 < self.ridge < inf:
            raise ValueError(f"ridge is {self.ridge!r}, not positive and finite")
        if not 1.0 <= self.doubling < inf:
            raise ValueError(f"doubling is {self.doubling!r}, not a finite number >= 1")
        require_non_negative("scale", self.scale)
        require_probability("delta", self.delta)
        if self.beta is not None:
            require_non_negative("beta", self.beta)
        if self.eta == inf and (self.late or not self.reset or self.target == "actor"):
            raise ValueError("eta is inf: a greedy actor is its last critic's, and has no other to fall back on")

    def beta_of(self, mdp: LinearMDP, episodes: int) -> float:
        """Return the factor of the bonus in force."""
        if not self.bonus:
            return 0.0
        if self.beta is not None:
            return self.scale * self.beta
        radius = linear_radius(mdp.n_factors, mdp.n_states, mdp.horizon, episodes, self.delta, self.ridge)
        return self.scale * radius


def rare_lsvi_ucb(scale: float = 1.0) -> LinearLearner:
    """Return LSVI-UCB with rare switching: NORA-L with a greedy actor."""
    return LinearLearner(eta=inf, scale=scale)


def lsvi_ucb(scale: float = 1.0) -> LinearLearner:
    """Return LSVI-UCB with the radius of NORA-L; see `jin_radius` for the factor that it was published with."""
    return LinearLearner(eta=inf, scale=scale, rare=False, cap="horizon")


def jin_radius(n_factors: int, horizon: int, episodes: int, delta: float, constant: float = 1.0) -> float:
    r"""Return :math:`c\, d H \sqrt{\log(2 d K H / \delta)}`, the factor of LSVI-UCB up to c, which is not specified."""
    return constant * n_factors * horizon * sqrt(log(2.0 * n_factors * episodes * horizon / delta))


def noah(eta: float = 1.0) -> LinearLearner:
    """Return NOAH-L: no bonus, hence hopeless without offline data."""
    return LinearLearner(eta=eta, bonus=False)


def douhua(mdp: LinearMDP, episodes: int, scale: float = 1.0) -> LinearLearner:
    r"""Return the learner whose critic targets the actor, at :math:`\eta = \sqrt{8 \log A / (H^2 T)}`."""
    eta = sqrt(8.0 * log(mdp.n_actions) / (mdp.horizon**2 * episodes))
    return LinearLearner(eta=eta, scale=scale, rare=False, reset=False, late=True, target="actor")


@dataclass(frozen=True, eq=False)
class LinearRuns:
    r"""What the learner did, in all runs; everything is exact but for rounding, and nothing is clipped.

    Attributes
    ----------
    learner, beta
        Its settings, and the factor of the bonus in force.
    episodes
        The recorded ones, ``(R,)``.
    regret
        Cumulative regret after the recorded episodes, ``(runs, R)``; empty unless every episode was evaluated.
    tracking
        Cumulative :math:`\sum_h E_{\pi_t}[\max_a Q_h - \langle Q_h, \pi_t \rangle]`, likewise.
    gaps
        :math:`V^\star_1 - V^{\pi_t}_1` of the recorded episodes, ``(runs, R)``.
    bellman
        Cumulative Bellman errors :math:`\delta_h = Q_h - r_h - P_h V_{h+1}` at the visited pairs, ``(runs, R)``.
    switches
        Critics made up to the recorded episodes, ``(runs, R)``.
    optimism
        Least :math:`Q_h - Q^\star_h` over all critics and pairs, ``(runs,)``.
    low, high
        Least :math:`\delta_h`, and largest :math:`\delta_h - \min(2 \beta \|\phi\|_{\Lambda_k^{-1}}, B_h)`, over all
        critics and pairs, ``(runs,)``.
    staleness
        Largest :math:`\|\phi\|^2_{\Lambda_k^{-1}} / \|\phi\|^2_{\Lambda_t^{-1}}` at the visited pairs, ``(runs,)``;
        :math:`\Lambda_k` is that of the last critic, :math:`\Lambda_t` the present one.
    potential, stale_potential
        Sums of :math:`\|\phi_t\|^2` in the present inverses and in those of the critics, ``(runs, H)``.
    growth
        :math:`\log(\det \Lambda_{T+1} / \det \Lambda_1)`, ``(runs, H)``, where :math:`\Lambda_1` has the offline steps.
    q_values
        The last critic, ``(runs, H, S, A)``.
    """

    learner: LinearLearner
    beta: float
    episodes: IntArray
    regret: FloatArray
    tracking: FloatArray
    gaps: FloatArray
    bellman: FloatArray
    switches: IntArray
    optimism: FloatArray
    low: FloatArray
    high: FloatArray
    staleness: FloatArray
    potential: FloatArray
    stale_potential: FloatArray
    growth: FloatArray
    q_values: FloatArray


def run_linear(
    mdp: LinearMDP,
    learner: LinearLearner,
    *,
    episodes: int,
    seeds: np.random.SeedSequence,
    runs: int = 1,
    record: int | None = 64,
    evaluated: bool = True,
    offline: OfflineData | None = None,
) -> LinearRuns:
    """Run a learner ``runs`` times, independently; memory does not depend on the number of episodes.

    Parameters
    ----------
    episodes
        T.
    seeds
        Not consumed. Run i depends on ``seeds`` and i only.
    record
        Number of log-spaced episodes that are recorded; None for all.
    evaluated
        Whether every episode is evaluated. If not, regret and tracking are left out.
    offline
        Transitions that are known from the start.

    Raises
    ------
    ValueError
        For an argument outside its domain.
    """
    require_positive("runs", runs)
    require_positive("episodes", episodes)
    if not mdp.unit_rewards:
        raise ValueError("the rewards of the model leave [0, 1]")
    points = np.arange(1, episodes + 1) if record is None else record_points(episodes, record)
    beta = learner.beta_of(mdp, episodes + (0 if offline is None else offline.size))
    world, rules = _world(mdp), _rules(mdp, learner, beta, evaluated)
    work, statistics = _new_work(mdp), _statistics(mdp, learner.ridge, offline)
    H, R = mdp.horizon, len(points)
    regret, tracking = np.empty((runs, R)), np.empty((runs, R))
    gaps, bellman = np.empty((runs, R)), np.empty((runs, R))
    switches = np.empty((runs, R), dtype=np.int64)
    extremes = np.tile(np.array([inf, inf, -inf, 0.0]), (runs, 1))
    potential, growth = np.zeros((runs, 2, H)), np.zeros((runs, H))
    q = np.empty((runs, H, mdp.n_states, mdp.n_actions))
    state = seed_lanes(seeds, runs)
    for i in range(runs):
        trace = kernels.LinearTrace(
            regret[i], gaps[i], tracking[i], bellman[i], switches[i], extremes[i], potential[i], growth[i]
        )
        memory = _new_memory(mdp, statistics)
        kernels.learn(points, state, i, world, rules, memory, work, trace)
        q[i] = by_pair(memory.q, mdp.n_states)
    optimism, low, high, staleness = extremes.T
    return LinearRuns(
        learner,
        beta,
        points,
        regret if evaluated else regret[:, :0],
        tracking if evaluated else tracking[:, :0],
        gaps,
        bellman,
        switches,
        optimism,
        low,
        high,
        staleness,
        potential[:, 0],
        potential[:, 1],
        growth,
        q,
    )


def _world(mdp: LinearMDP) -> kernels.LinearWorld:
    H, S, A, d = mdp.horizon, mdp.n_states, mdp.n_actions, mdp.n_factors
    rows = np.array(mdp.features.swapaxes(1, 2).reshape(-1, A * S, d), order="C")
    rewards, transitions = by_row(mdp.rewards), rows @ mdp.measures
    value, optimum = np.zeros(S), np.empty((H, A * S))
    for h in reversed(range(H)):
        optimum[h] = rewards[h] + transitions[h] @ value
        value = optimum[h].reshape(A, S).max(axis=0)
    return kernels.LinearWorld(
        features=np.array(rows.swapaxes(1, 2), order="C"),
        rows=rows,
        factors=np.array(mdp.measures.swapaxes(1, 2), order="C"),
        weights=mdp.weights.copy(),
        rewards=rewards,
        next_cdf=np.cumsum(transitions, axis=2),  # where rounding leaves it below one, `draw_cdf` sees to it
        initial=mdp.initial.copy(),
        initial_cdf=np.array(cumulative(mdp.initial)),
        optimum=optimum,
        best=float(mdp.initial @ value),
    )


def _rules(mdp: LinearMDP, learner: LinearLearner, beta: float, evaluated: bool) -> kernels.LinearRules:
    H = mdp.horizon
    return kernels.LinearRules(
        eta=float(learner.eta),
        beta=beta,
        ridge=float(learner.ridge),
        caps=np.full(H, float(H)) if learner.cap == "horizon" else np.arange(H, 0.0, -1.0),
        threshold=log(learner.doubling) if learner.rare else -1.0,
        reset=learner.reset,
        first=0 if learner.late else 1,
        to_actor=learner.target == "actor",
        evaluated=evaluated,
    )


def _statistics(
    mdp: LinearMDP, ridge: float, offline: OfflineData | None
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return Lambda, its inverse, u and M of the offline transitions."""
    H, S, d = mdp.horizon, mdp.n_states, mdp.n_factors
    covariance, responses, moments = np.array([ridge * np.eye(d)] * H), np.zeros((H, d)), np.zeros((H, S, d))
    if offline is not None:
        offline.require_fit(mdp.to_tabular())
        phi, visits = mdp.staged_features, offline.counts
        covariance += np.einsum("hsa,hsai,hsaj->hij", visits, phi, phi)
        responses += np.einsum("hsa,hsa,hsai->hi", visits, mdp.rewards, phi)
        moments += np.einsum("hsat,hsai->hti", offline.transitions, phi)
    return covariance, np.linalg.inv(covariance), responses, moments


def _new_memory(
    mdp: LinearMDP, statistics: tuple[FloatArray, FloatArray, FloatArray, FloatArray]
) -> kernels.LinearMemory:
    H, S, P = mdp.horizon, mdp.n_states, mdp.n_states * mdp.n_actions
    covariance, inverse, responses, moments = statistics
    return kernels.LinearMemory(
        fresh=np.zeros((H, P)),
        covariance=covariance.copy(),
        inverse=inverse.copy(),
        responses=responses.copy(),
        moments=moments.copy(),
        growth=np.zeros(H),
        norms=np.zeros((H, P)),
        q=np.zeros((H, P)),
        values=np.zeros((H + 1, S)),
        errors=np.zeros((H, P)),
        past=np.zeros((H, P)),
    )


def _new_work(mdp: LinearMDP) -> kernels.LinearWork:
    S, A, d = mdp.n_states, mdp.n_actions, mdp.n_factors
    shapes = ((2, S * A), (2, d), (2, S), (A,), (d, d), (d, d))
    return kernels.LinearWork(*(np.zeros(shape) for shape in shapes))
