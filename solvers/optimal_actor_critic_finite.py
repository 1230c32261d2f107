r"""Optimistic actor-critics with a finite class of critics: NORA-F, GOLF, and a variant without optimism.

With the losses, confidence radii and excess losses

.. math:: L_h(f, g) = \sum_i \big( f(s_h^i, a_h^i) - r_h^i - \max_a g(s_{h+1}^i, a) \big)^2, \qquad
          \beta_h = (H - h + 1)^2 \log\Big( \frac2\delta \sum_h |\mathcal F_h| |\mathcal F_{h+1}| \Big), \qquad
          E_h(f, g) = L_h(f, g) - \min_{f'} L_h(f', g),

the confidence set is that of all critics with :math:`E_h(f_h, f_{h+1}) \le \beta_h` at all h. NORA-F takes the member
with the largest value at the start, keeps it until :math:`\max_h E_h / \beta_h > \kappa` (11), and resets the actor
then. The constraint couples successive stages only, hence the maximum over the product class is exact, by dynamic
programming backwards over the members that can be completed (ties to the lowest index). GOLF refreshes in each episode
and is greedy. Without optimism the critic is that of fitted Q-iteration, :math:`f_h = \arg\min_f L_h(f, f_{h+1})`
backwards.

References
----------
C. Jin, Q. Liu and S. Miryoosefi (2021). Bellman eluder dimension: new rich classes of RL problems, and sample-efficient
algorithms. NeurIPS (GOLF). K. Tan, W. Fan and Y. Wei (2025). Actor-critics can achieve optimal sample efficiency. ICML.
The algorithms here are reconstructions with explicit constants.
"""

from dataclasses import dataclass

import numpy as np

from mdps.critics import FiniteCritics, optimal_indices, stage_rewards
from mdps.kernels import seed_lanes
from mdps.offline import OfflineData, no_data
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray
from solvers import optimal_actor_critic_kernels as kernels
from solvers.episodic import require_positive, require_unit_rewards
from solvers.optimal_actor_critic import (
    REFRESHES,
    ExactRun,
    Refresh,
    exact_run,
    first_counts,
    lay_out,
    new_actor,
    new_traces,
    recorded,
    require_actor,
)
from theory import optimal_actor_critic_parameters as parameters


@dataclass(frozen=True)
class FiniteLearner:
    """Settings of an actor-critic with a finite class; those that are not given are NORA-F's.

    Attributes
    ----------
    eta
        Step size of the actor; infinite for a greedy one, ties to the lowest action.
    refresh
        When the critic is computed anew: as its excess loss passes the threshold, in each episode, or never again.
    kappa
        Threshold of the excess loss, in units of the confidence radius.
    reset
        Whether the actor starts from the uniform policy in each epoch; else from the sum of all critics so far.
    late
        Whether the first episode of an epoch is played before the first step (j = 0).
    optimistic
        Whether the critic is the optimistic member of the confidence set; else that of fitted Q-iteration.
    beta_scale
        Factor of the confidence radii.
    delta
        Failure probability of the confidence sets.
    """

    eta: float = 10.0
    refresh: Refresh = "rarely"
    kappa: float = float(parameters.SWITCH_THRESHOLD)
    reset: bool = True
    late: bool = False
    optimistic: bool = True
    beta_scale: float = 1.0
    delta: float = 0.05

    def require_sound(self) -> None:
        """Raise ``ValueError`` for a setting outside its domain."""
        require_actor(self.eta, self.refresh, self.delta)
        if not 0.0 < self.beta_scale < np.inf:
            raise ValueError(f"beta_scale is {self.beta_scale!r}, not a positive number")
        if not self.kappa >= 0.0:
            raise ValueError(f"kappa is {self.kappa!r}, negative")


def nora(eta: float = 10.0) -> FiniteLearner:
    """Return NORA-F."""
    return FiniteLearner(eta=eta)


def golf() -> FiniteLearner:
    """Return GOLF."""
    return FiniteLearner(eta=float("inf"), refresh="episode")


def noah(eta: float = 1.0) -> FiniteLearner:
    """Return the variant without optimism, which needs offline data."""
    return FiniteLearner(eta=eta, optimistic=False)


@dataclass(frozen=True, eq=False)
class FiniteRun(ExactRun):
    """Runs of an actor-critic with a finite class.

    Attributes
    ----------
    candidates
        The class of critics.
    learner
        Its settings; ``iota`` leaves ``beta_scale`` out.
    betas
        Confidence radii in force, ``(H,)``.
    initial_gap
        Least value of a critic minus V* at the start, over all refreshes, ``(N,)``.
    optimum_excess
        Largest E_h(Q*_h, Q*_{h+1}) / beta_h at the start of an episode, ``(N,)``; -inf if Q* is not in the class.
    at_refresh, at_all_times
        Largest sum of squared Bellman errors of the critic on the data so far, over 4 beta_h at a refresh and over
        2 (kappa + 1) beta_h in any episode, ``(N,)``.
    trigger
        Least sum of squared Bellman errors, over beta_h, within an epoch, at a stage that ended it, ``(N,)``; inf if
        there was no switch.
    """

    candidates: FiniteCritics
    learner: FiniteLearner
    betas: FloatArray
    initial_gap: FloatArray
    optimum_excess: FloatArray
    at_refresh: FloatArray
    at_all_times: FloatArray
    trigger: FloatArray


def run(
    mdp: FiniteHorizonMDP,
    critics: FiniteCritics,
    learner: FiniteLearner,
    *,
    episodes: int,
    seeds: np.random.SeedSequence,
    runs: int = 1,
    record: int | None = 64,
    offline: OfflineData | None = None,
    keep: int = 0,
) -> FiniteRun:
    """Run an actor-critic with a finite class ``runs`` times, independently.

    Parameters
    ----------
    episodes
        T.
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
        For an argument outside its domain, or critics that do not fit the model.
    """
    learner.require_sound()
    require_unit_rewards(mdp)
    require_positive("runs", runs)
    points = recorded(episodes, record)
    data = no_data(mdp) if offline is None else offline
    data.require_fit(mdp)
    star = np.append(optimal_indices(mdp, critics), 0)
    iota = parameters.evaluate(parameters.IOTA_FINITE, F_2=critics.pairs, delta=learner.delta)
    betas = learner.beta_scale * iota * np.arange(mdp.horizon, 0, -1, dtype=np.float64) ** 2
    problem = lay_out(mdp)
    eta = float(learner.eta)  # an integer would compile everything once more
    rules = kernels.Rules(eta, REFRESHES[learner.refresh], learner.reset, learner.late, learner.optimistic)
    trace = new_traces(mdp, runs, len(points), keep, (np.inf, -np.inf, -np.inf, -np.inf, np.inf))
    losses = pair_losses(mdp, critics, data)
    visits = np.empty((runs, mdp.horizon, mdp.n_states, mdp.n_actions))
    state = seed_lanes(seeds, runs)
    for i in range(runs):
        counts = first_counts(data)
        search = _search(critics, betas, learner.kappa, star, losses)
        part = kernels.Trace(*(array[i] for array in trace))
        kernels.learn_finite(points, state, i, problem, rules, new_actor(mdp), counts, search, part)
        visits[i] = counts.visits[kernels.NOW]
    return FiniteRun(
        **vars(exact_run(mdp, data, iota, points, trace, visits)),
        candidates=critics,
        learner=learner,
        betas=betas,
        initial_gap=trace.extremes[:, 0],
        optimum_excess=trace.extremes[:, 1],
        at_refresh=trace.extremes[:, 2],
        at_all_times=trace.extremes[:, 3],
        trigger=trace.extremes[:, 4],
    )


def pair_losses(mdp: FiniteHorizonMDP, critics: FiniteCritics, data: OfflineData) -> list[FloatArray]:
    """Return the losses L_h(f, g) of all pairs of functions on a data set, for each stage ``(F_h, F_{h+1})``."""
    losses = []
    for h, functions in enumerate(critics.functions):
        moves = data.transitions[h].astype(np.float64)
        targets = stage_rewards(mdp, h)[None, ..., None] + critics.values(h + 1)[:, None, None]
        residuals = functions[:, None, ..., None] - targets[None]
        losses.append(np.einsum("sat,fgsat->fg", moves, residuals**2))
    return losses


def _search(
    critics: FiniteCritics, betas: FloatArray, kappa: float, star: IntArray, losses: list[FloatArray]
) -> kernels.Search:
    """Lay out a class and its losses for the kernels, functions padded to the largest stage."""
    H, most = critics.horizon, int(critics.sizes.max())
    S, A = critics.functions[0].shape[1:]
    table, tops, start = np.zeros((H, S, A, most)), np.zeros((H + 1, S, most)), np.zeros((H, most, most))
    for h, functions in enumerate(critics.functions):
        table[h, :, :, : len(functions)] = np.moveaxis(functions, 0, -1)
        tops[h, :, : len(functions)] = critics.values(h).T
        start[h, : losses[h].shape[0], : losses[h].shape[1]] = losses[h]
    names = np.stack([np.append(critics.sizes, 1), star, np.zeros(H + 1, dtype=np.int64)])
    stages = np.zeros((3, H))
    stages[kernels.BETA] = betas
    return kernels.Search(table, tops, start, names, np.zeros((2, H + 1, most), dtype=np.int64), stages, float(kappa))
