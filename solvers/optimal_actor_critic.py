r"""Optimistic actor-critics for tabular models: NORA, DOUHUA, and hybrids with offline data.

Rewards are known and lie in [0, 1]. In an epoch the critic :math:`Q` is fixed, and with j = 1, 2, ... the number of the
episode within the epoch the actor is

.. math:: \pi_h(\cdot \mid s) = \operatorname{softmax}(\eta\, j\, Q_h(s, \cdot)),

mirror ascent from the uniform policy, to which it is *reset* whenever the critic is refreshed. NORA-T refreshes when
the visits n of some pair have doubled since the last refresh (at a stage before the last), backwards from
:math:`V = 0`,

.. math:: Q_h = r_h + \min\big\{ H - h,\ \hat P_h V_{h+1} + (H - h) \sqrt{\iota / (2n)} \big\}, \qquad V_h = \max_a Q_h,
          \qquad \iota = S \log 2 + \log(HSAT / \delta),

with :math:`r + H - h` where n = 0: the critic targets :math:`Q^\star`, not the actor. DOUHUA-T refreshes in each
episode, without resets, and targets the actor of that episode, :math:`V_h = \langle Q_h, \pi_h \rangle`. With offline
data the counts start from them (NORA-H); without the bonus, and with Q = r where n = 0, this is NOAH. A greedy actor
(:math:`\eta = \infty`) gives rarely switching optimistic value iteration. Everything that a proof may forget is a
field of `TabularLearner`.

All expectations are exact: each episode's policy is pushed forward through the true model, which gives its regret, its
mean tracking gaps :math:`\omega_h = \max_a Q_h - \langle Q_h, \pi_h \rangle` and its mean Bellman errors
:math:`\delta_h = Q_h - r_h - P_h \max_a Q_{h+1}`. They satisfy
:math:`\max_a Q_1 - V_1^\pi = \sum_h \mathbb E_\pi [\omega_h + \delta_h]`.

References
----------
K. Tan, W. Fan and Y. Wei (2025). Actor-critics can achieve optimal sample efficiency. ICML. The algorithms here are
reconstructions with explicit constants.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mdps.kernels import seed_lanes
from mdps.offline import OfflineData, no_data
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray
from solvers import optimal_actor_critic_kernels as kernels
from solvers.episodic import (
    record_points,
    require_non_negative,
    require_positive,
    require_probability,
    require_unit_rewards,
)
from solvers.planning import backward_induction, occupancy, policy_value
from theory import optimal_actor_critic_parameters as parameters

Refresh = Literal["rarely", "episode", "never"]

REFRESHES: dict[str, int] = {"rarely": kernels.RARELY, "episode": kernels.EACH_EPISODE, "never": kernels.ONCE}


@dataclass(frozen=True)
class TabularLearner:
    """Settings of a tabular actor-critic; those that are not given are NORA-T's.

    Attributes
    ----------
    eta
        Step size of the actor; infinite for a greedy one, ties to the lowest action.
    target
        What the critic estimates: the optimal values, or those of the actor.
    refresh
        When the critic is computed anew: as counts double, in each episode, or only once, at the start.
    reset
        Whether the actor starts from the uniform policy in each epoch; else from the sum of all critics so far.
    late
        Whether the first episode of an epoch is played before the first step (j = 0).
    optimistic
        Whether there is a bonus, and unvisited pairs are worth the most.
    bonus_scale, iota_scale
        Factors of the bonus, and of iota inside the radius of the confidence sets.
    delta
        Failure probability of the confidence sets.
    """

    eta: float = 10.0
    target: Literal["optimum", "actor"] = "optimum"
    refresh: Refresh = "rarely"
    reset: bool = True
    late: bool = False
    optimistic: bool = True
    bonus_scale: float = 1.0
    iota_scale: float = 1.0
    delta: float = 0.05

    def require_sound(self) -> None:
        """Raise ``ValueError`` for a setting outside its domain."""
        require_actor(self.eta, self.refresh, self.delta)
        require_non_negative("bonus_scale", self.bonus_scale)
        require_non_negative("iota_scale", self.iota_scale)
        if self.target not in ("optimum", "actor"):
            raise ValueError(f"target is {self.target!r}, not 'optimum' or 'actor'")


def nora(eta: float = 10.0) -> TabularLearner:
    """Return NORA-T."""
    return TabularLearner(eta=eta)


def douhua(mdp: FiniteHorizonMDP, episodes: int, eta: float | None = None) -> TabularLearner:
    """Return DOUHUA-T, with the step size of its theorem unless another is given."""
    if eta is None:
        eta = parameters.evaluate(parameters.RATE_ONE_EPOCH, A=mdp.n_actions, H=mdp.horizon, T=episodes)
    return TabularLearner(eta=eta, target="actor", refresh="episode", reset=False, late=True)


def noah(eta: float = 1.0) -> TabularLearner:
    """Return NOAH, which has no bonus and needs offline data."""
    return TabularLearner(eta=eta, optimistic=False)


@dataclass(frozen=True, eq=False)
class ExactRun:
    """What any of the actor-critics did in N independent runs.

    Everything is summed over the episodes up to the recorded ones, exactly, in units of reward.

    Attributes
    ----------
    mdp, offline
        The model, and the data that the learner started from.
    iota
        Logarithm inside the confidence radii.
    episodes
        The recorded ones, ``(R,)``.
    regret
        V* - V^pi, ``(N, R)``.
    optimism
        Values of the critics minus V* at the start, ``(N, R)``.
    tracking, bellman
        Mean gaps omega_h and mean Bellman errors delta_h under the policies played, ``(N, R, H)``.
    realised
        Bellman errors at the pairs visited, ``(N, R, H)``.
    epochs
        Number of epochs so far, ``(N, R)``.
    counts
        Final visits, offline ones included, ``(N, H, S, A)``.
    critics, frozen, starts
        The first critics of each run ``(N, keep, H, S, A)``, the visits that they rest on, and the episode of their
        refresh ``(N, keep)``, 0 where there were fewer.
    """

    mdp: FiniteHorizonMDP
    offline: OfflineData
    iota: float
    episodes: IntArray
    regret: FloatArray
    optimism: FloatArray
    tracking: FloatArray
    bellman: FloatArray
    realised: FloatArray
    epochs: IntArray
    counts: IntArray
    critics: FloatArray
    frozen: IntArray
    starts: IntArray


@dataclass(frozen=True, eq=False)
class TabularRun(ExactRun):
    """Runs of a tabular actor-critic.

    Attributes
    ----------
    learner
        Its settings; ``iota`` leaves ``iota_scale`` out.
    least_gap, least_error
        Least Q - Q* and least Bellman error over all refreshes and pairs, ``(N,)``.
    largest_excess
        Largest excess of a Bellman error over min(2b, H - h), or of its absolute value over min(b, H - h) for a critic
        without bonus, ``(N,)``.
    """

    learner: TabularLearner
    least_gap: FloatArray
    least_error: FloatArray
    largest_excess: FloatArray


def run(
    mdp: FiniteHorizonMDP,
    learner: TabularLearner,
    *,
    episodes: int,
    seeds: np.random.SeedSequence,
    runs: int = 1,
    record: int | None = 64,
    offline: OfflineData | None = None,
    keep: int = 0,
) -> TabularRun:
    """Run a tabular actor-critic ``runs`` times, independently.

    Parameters
    ----------
    episodes
        T, which the bonus must know.
    seeds
        Not consumed. Run i depends on ``seeds`` and i only.
    record
        Number of log-spaced records; None for all episodes.
    offline
        Data to start from; none if omitted.
    keep
        Number of critics to keep.

    Raises
    ------
    ValueError
        For an argument outside its domain.
    """
    learner.require_sound()
    require_unit_rewards(mdp)
    require_positive("runs", runs)
    points = recorded(episodes, record)
    data = no_data(mdp) if offline is None else offline
    data.require_fit(mdp)
    iota = tabular_iota(mdp, episodes, learner.delta, data.size)
    problem = lay_out(mdp)
    eta = float(learner.eta)  # an integer would compile everything once more
    rules = kernels.Rules(eta, REFRESHES[learner.refresh], learner.reset, learner.late, learner.optimistic)
    trace = new_traces(mdp, runs, len(points), keep, (np.inf, np.inf, -np.inf))
    visits = np.empty((runs, mdp.horizon, mdp.n_states, mdp.n_actions))
    state = seed_lanes(seeds, runs)
    radius = float(np.sqrt(learner.iota_scale * iota / 2.0))
    target = (learner.target == "actor", radius, float(learner.bonus_scale))
    for i in range(runs):
        counts = first_counts(data)
        part = kernels.Trace(*(array[i] for array in trace))
        kernels.learn_table(points, state, i, problem, rules, *target, new_actor(mdp), counts, part)
        visits[i] = counts.visits[kernels.NOW]
    return TabularRun(
        **vars(exact_run(mdp, data, iota, points, trace, visits)),
        learner=learner,
        least_gap=trace.extremes[:, 0],
        least_error=trace.extremes[:, 1],
        largest_excess=trace.extremes[:, 2],
    )


def tabular_iota(mdp: FiniteHorizonMDP, episodes: int, delta: float, offline: int = 0) -> float:
    """Return iota for a number of episodes and of offline transitions a stage."""
    S, A, H = mdp.n_states, mdp.n_actions, mdp.horizon
    return parameters.evaluate(parameters.IOTA_HYBRID, S=S, A=A, H=H, T=episodes, delta=delta, N_off=offline)


def coverage_term(run: TabularRun) -> float:
    """Return C_off, what the offline data leave open about the greedy optimal policy."""
    best = occupancy(run.mdp, backward_induction(run.mdp).policy)
    H = run.mdp.horizon
    return parameters.coverage(best.reshape(H, -1).tolist(), run.offline.counts.reshape(H, -1).tolist(), run.iota)


def require_actor(eta: float, refresh: str, delta: float) -> None:
    """Raise ``ValueError`` unless the settings that all learners share are in their domains."""
    if not eta > 0.0:
        raise ValueError(f"eta is {eta!r}, not positive")
    if refresh not in REFRESHES:
        raise ValueError(f"refresh is {refresh!r}, not one of {', '.join(REFRESHES)}")
    require_probability("delta", delta)


def recorded(episodes: int, record: int | None) -> IntArray:
    """Return the episodes to record: log-spaced, or all of them."""
    if record is not None:
        return record_points(episodes, record)
    require_positive("episodes", episodes)
    return np.arange(1, episodes + 1)


def lay_out(mdp: FiniteHorizonMDP) -> kernels.Problem:
    """Lay out a model and its optimum for the kernels."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    optimum = backward_induction(mdp, keep_q_values=True)
    tables = np.empty((2, *shape))
    tables[kernels.REWARD], tables[kernels.OPTIMUM] = mdp.rewards, optimum.q_values
    return kernels.Problem(
        transitions=np.array(np.broadcast_to(mdp.transitions, (*shape, mdp.n_states)), order="C"),
        tables=tables,
        initial=mdp.initial.copy(),
        optimum=policy_value(mdp, optimum.values),
    )


def new_actor(mdp: FiniteHorizonMDP) -> kernels.Actor:
    """Return the memory of an actor without a critic."""
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    path = np.zeros((3, H), dtype=np.int64)
    return kernels.Actor(np.zeros((4, H, S, A)), np.zeros((H + 1, S)), np.zeros((2, S)), path)


def first_counts(data: OfflineData) -> kernels.Counts:
    """Return the counts that offline data start from."""
    visits = np.stack([data.counts, data.counts]).astype(np.float64)
    return kernels.Counts(visits, data.transitions.astype(np.float64))


def new_traces(mdp: FiniteHorizonMDP, runs: int, records: int, keep: int, extremes: tuple[float, ...]) -> kernels.Trace:
    """Return the memory of what all runs record, with a leading axis of length ``runs``."""
    H = mdp.horizon
    return kernels.Trace(
        np.zeros((runs, records + 1, kernels.STAGES + 3 * H)),
        np.tile(extremes, (runs, 1)),
        np.zeros((runs, 2, keep, H, mdp.n_states, mdp.n_actions)),
        np.zeros((runs, keep), dtype=np.int64),
    )


def exact_run(
    mdp: FiniteHorizonMDP, data: OfflineData, iota: float, points: IntArray, trace: kernels.Trace, visits: FloatArray
) -> ExactRun:
    """Return what the traces of all runs say."""
    records = trace.totals[:, 1:]
    stages = records[:, :, kernels.STAGES :].reshape(*records.shape[:2], 3, mdp.horizon)
    return ExactRun(
        mdp=mdp,
        offline=data,
        iota=iota,
        episodes=points,
        regret=records[:, :, kernels.REGRET],
        optimism=records[:, :, kernels.OPTIMISM],
        tracking=stages[:, :, 0],
        bellman=stages[:, :, 1],
        realised=stages[:, :, 2],
        epochs=records[:, :, kernels.EPOCHS].astype(np.int64),
        counts=visits.astype(np.int64),
        critics=trace.critics[:, 0],
        frozen=trace.critics[:, 1].astype(np.int64),
        starts=trace.starts,
    )
