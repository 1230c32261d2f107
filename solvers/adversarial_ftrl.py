r"""Follow the regularised leader in adversarial MDPs: the algorithms, simulated with exact regret.

============================ =========== ======================================================================
function                     feedback    algorithm
============================ =========== ======================================================================
`run_hedge`                  losses      exponential weights (or log-barrier) per state on exact action values
`run_soft_dp`                losses      soft dynamic programming: the leader for the entropy of trajectories
`run_oreps`                  either      O-REPS: the leader over the occupancy polytope, projections certified
`run_policy_optimisation`    trajectory  importance-weighted action values minus dilated bonuses
`run_linear`                 trajectory  linear action values: log-barrier, magnitude-reduced or plain estimates
============================ =========== ======================================================================

Each runs N independent copies ("runs") of K episodes on an adversary and returns the learner's exact cumulative loss
and the sum of the losses at the recorded numbers of episodes, in memory that does not depend on K. Run n of a seed is
the same whatever N is, and the number of worker threads does not change a bit of any result. Two algorithms with the
same seed meet the same losses, if the adversary is oblivious.

Regret against the best fixed policy in hindsight is `AdversarialRun.regret`. Where the adversary is adaptive the
expectation theorems bound something weaker, :math:`\max_\pi E[\operatorname{Reg}(\pi)]`; see
`AdversarialRun.pseudo_regret`.

The parameters under which a bound holds are in `solvers.adversarial_ftrl_parameters`; nothing here checks them, so that
they may be broken on purpose.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from mdps.adversarial import (
    AdversarialMDP,
    Dynamics,
    LossProcess,
    action_values,
    best_fixed_policy,
    dynamics,
    hindsight_values,
    loss_table,
    occupancy_of,
    require_features,
    require_policy,
)
from mdps.errors import InvalidModelError
from mdps.kernels import Seed, WordArray, seed_lanes
from mdps.validation import FloatArray, IntArray, as_float_array, require_shape
from solvers import adversarial_ftrl_linear as linear
from solvers import adversarial_ftrl_oreps as oreps
from solvers import adversarial_ftrl_tabular as tabular
from solvers.adversarial_ftrl_simplex import ENTROPY, LOG_BARRIER
from solvers.episodic import record_points, require_positive

PROJECTION_TOLERANCE = 1e-10
"""Violation of a flow constraint that a projection aims at; 1e-8, also for the duality gap, is what is promised."""


class ProjectionError(RuntimeError):
    """A projection onto the occupancy polytope did not reach the promised accuracy."""


# Results


@dataclass(frozen=True, eq=False)
class Certificate:
    r"""The parts of the regret against a fixed comparator, ``(N,)`` each, summed over the episodes of each run.

    ``leader + bonus + bias + martingale`` is the regret against the comparator, exactly;
    ``bonus + comparator_bonus + spread_bonus = dilated_bonus``; the conditional variances of the martingale's steps
    sum to ``quadratic_variation``; ``estimate_squares`` and ``bonus_squares`` are the sums of
    :math:`E_{\mu^*, \pi_k}` of the squares of the estimates and of the dilated bonuses.
    """

    leader: FloatArray
    bonus: FloatArray
    bias: FloatArray
    martingale: FloatArray
    quadratic_variation: FloatArray
    estimate_squares: FloatArray
    bonus_squares: FloatArray
    dilated_bonus: FloatArray
    comparator_bonus: FloatArray
    spread_bonus: FloatArray

    @property
    def regret(self) -> FloatArray:
        """Regret against the comparator."""
        return self.leader + self.bonus + self.bias + self.martingale


@dataclass(frozen=True, eq=False)
class Projections:
    """The worst of all projections of each run, ``(N,)`` each.

    ``violation``: of a flow constraint; ``gap``: duality gap; ``iterations``: of Newton's method; ``stability``: of
    one step over the product of the layers' simplices, divided by its bound (at most one).
    """

    violation: FloatArray
    gap: FloatArray
    iterations: FloatArray
    stability: FloatArray


@dataclass(frozen=True, eq=False)
class AdversarialRun:
    """N runs of a learner against an adversary.

    Attributes
    ----------
    mdp
        The world.
    episodes
        ``(R,)``: numbers of episodes at which the sums are recorded, increasing, the last one is K.
    learner_losses
        ``(N, R)``: exact cumulative loss of the policies played.
    loss_sums
        ``(N, R, H, S, A)``: sum of the losses.
    occupancy_sums
        ``(N, R, H, S, A)``: sum of the occupancies :math:`q_k` of the policies played.
    least_exponent, largest_bonus, least_estimate
        ``(N,)``: least eta (Qhat - B), largest eta B, least eta Qhat over all episodes and pairs; None if the learner
        estimates nothing.
    certificate, projections
        What was recorded on request, or by `run_oreps`.
    """

    mdp: AdversarialMDP
    episodes: IntArray
    learner_losses: FloatArray
    loss_sums: FloatArray
    occupancy_sums: FloatArray
    least_exponent: FloatArray | None = None
    largest_bonus: FloatArray | None = None
    least_estimate: FloatArray | None = None
    certificate: Certificate | None = None
    projections: Projections | None = None

    @property
    def regret(self) -> FloatArray:
        """Exact regret ``(N, R)`` against the best fixed policy in hindsight of each run; negative if it is."""
        return self.learner_losses - hindsight_values(self.mdp, self.loss_sums)

    @property
    def pseudo_regret(self) -> FloatArray:
        """Largest regret ``(R,)`` of the mean over runs against one policy: estimates the maximum of expectations."""
        return self.learner_losses.mean(axis=0) - hindsight_values(self.mdp, self.loss_sums.mean(axis=0))

    def mean_regret(self, means: npt.ArrayLike) -> FloatArray:
        """Return the exact regret ``(N, R)``, had the losses been ``means (H, S, A)`` in every episode.

        For losses drawn independently with these means its expectation is that of the regret against the policy that is
        best for them, and its variance is much smaller.
        """
        losses = as_float_array("means", means)
        require_shape("means", losses, self.mdp.shape)
        return self.occupancy_sums.reshape(*self.learner_losses.shape, -1) @ losses.ravel() - (
            self.episodes * hindsight_values(self.mdp, losses)
        )

    def regret_against(self, policy: npt.ArrayLike) -> FloatArray:
        """Return the exact regret ``(N, R)`` against a policy ``(H, S, A)``."""
        pi = require_policy(self.mdp, policy)
        rows = self.loss_sums.reshape(-1, *self.mdp.shape)
        values = [self.mdp.initial @ action_values(self.mdp, pi, row)[0][0] for row in rows]
        return self.learner_losses - np.reshape(values, self.learner_losses.shape)

    def best_policy(self, run: int = 0) -> FloatArray:
        """Return the best fixed policy of one run in hindsight, ``(H, S, A)``, deterministic."""
        actions = best_fixed_policy(self.mdp, self.loss_sums[run, -1])[1]
        return np.eye(self.mdp.n_actions)[actions]


# Simulation


def _simulate(
    mdp: AdversarialMDP,
    losses: LossProcess,
    episodes: int,
    runs: int,
    seed: Seed,
    record: int,
    workers: int,
    launch: Callable[[WordArray, int, int, IntArray, FloatArray, FloatArray], None],
) -> AdversarialRun:
    """Split the lanes among threads (the kernels release the interpreter) and collect what they record."""
    require_positive("runs", runs)
    require_positive("workers", workers)
    points = record_points(episodes, record)
    if losses.shape != mdp.shape:
        raise InvalidModelError(f"losses have shape {losses.shape}, the model {mdp.shape}")
    state = seed_lanes(seed, 3 * runs)
    learner, sums = np.zeros((runs, points.size)), np.zeros((runs, points.size, 2, *mdp.shape))
    bounds = np.linspace(0, runs, min(workers, runs) + 1).astype(np.int64)
    parts = [(int(a), int(b)) for a, b in pairwise(bounds)]
    if len(parts) == 1:
        launch(state, 0, runs, points, learner, sums)
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            for done in [pool.submit(launch, state, a, b, points, learner, sums) for a, b in parts]:
                done.result()
    return AdversarialRun(mdp, points, learner, sums[:, :, 0], sums[:, :, 1])


def _require_rule(regulariser: int, positive: dict[str, float], non_negative: dict[str, float] | None = None) -> None:
    """Raise ``ValueError`` naming the first parameter out of range."""
    if regulariser not in (ENTROPY, LOG_BARRIER):
        raise ValueError(f"regulariser is {regulariser!r}, not ENTROPY or LOG_BARRIER")
    for name, number in (positive | (non_negative or {})).items():
        if not (np.isfinite(number) and (number > 0.0 or (name not in positive and number == 0.0))):
            kind = "finite positive number" if name in positive else "finite number >= 0"
            raise ValueError(f"{name} is {number!r}, not a {kind}")


# Full information


def run_hedge(
    mdp: AdversarialMDP,
    losses: LossProcess,
    episodes: int,
    rates: npt.ArrayLike,
    *,
    regulariser: int = ENTROPY,
    runs: int = 1,
    seed: Seed = 0,
    record: int = 20,
    workers: int = 1,
) -> AdversarialRun:
    """Follow the leader in every state, fed with the exact action values of the policy played.

    Parameters
    ----------
    rates
        Eta of each stage, ``(H,)``, or one for all (`solvers.adversarial_ftrl_parameters.hedge_rates`).
    runs, seed, record, workers
        Number of independent runs, their seed, number of log-spaced records, threads.

    Raises
    ------
    ValueError
        If a rate is not positive or a count is not a positive integer.
    """
    etas = np.array(np.broadcast_to(as_float_array("rates", rates), (mdp.horizon,)))
    _require_rule(regulariser, {f"rates[h={h}]": float(eta) for h, eta in enumerate(etas)})
    world, table = dynamics(mdp), loss_table(losses)

    def launch(state: WordArray, a: int, b: int, points: IntArray, learner: FloatArray, sums: FloatArray) -> None:
        tabular.run_hedge(world, table, regulariser, etas, state, a, b, points, learner, sums)

    return _simulate(mdp, losses, episodes, runs, seed, record, workers, launch)


def run_soft_dp(
    mdp: AdversarialMDP,
    losses: LossProcess,
    episodes: int,
    eta: float,
    *,
    runs: int = 1,
    seed: Seed = 0,
    record: int = 20,
    workers: int = 1,
) -> AdversarialRun:
    r"""Play :math:`\pi \propto \exp(-\eta \Lambda + P W)` with W the log-partition of the next stage.

    Follows the leader for the conditional entropy of the occupancy, whose divergence is that of the laws of the
    trajectories. Parameters and errors: see `run_hedge`.
    """
    _require_rule(ENTROPY, {"eta": eta})
    world, table, rate = dynamics(mdp), loss_table(losses), float(eta)

    def launch(state: WordArray, a: int, b: int, points: IntArray, learner: FloatArray, sums: FloatArray) -> None:
        tabular.run_soft(world, table, rate, state, a, b, points, learner, sums)

    return _simulate(mdp, losses, episodes, runs, seed, record, workers, launch)


# O-REPS


def _leader(
    mdp: AdversarialMDP, eta: float, bandit: bool, from_uniform: bool, weight_by_policy: bool, iterations: int
) -> oreps.Leader:
    reachable = mdp.reachable().astype(np.float64)
    return oreps.Leader(float(eta), bandit, from_uniform, weight_by_policy, reachable, PROJECTION_TOLERANCE, iterations)


def _workspace(mdp: AdversarialMDP) -> oreps.Workspace:
    H, S, A = mdp.shape
    return oreps.Workspace(
        trial=np.zeros((H, S)),
        gradient=np.zeros((H, S)),
        step=np.zeros((H, S)),
        diagonal=np.zeros((H, S, S)),
        coupling=np.zeros((H, S, S)),
        minus=np.zeros(S),
        soft=np.zeros((H + 1, S)),
        log_q=np.zeros((H, S, A)),
    )


@dataclass(frozen=True, eq=False)
class Projection:
    """The point of the occupancy polytope nearest to exp(exponent), with its certificate.

    Attributes
    ----------
    occupancy
        ``(H, S, A)``: q of ``policy``, which satisfies the flow constraints exactly.
    policy
        ``(H, S, A)``.
    dual
        ``(H, S)``: v.
    violation, gap, iterations
        Largest violation of a flow constraint at the dual point, duality gap, Newton iterations.
    """

    occupancy: FloatArray
    policy: FloatArray
    dual: FloatArray
    violation: float
    gap: float
    iterations: int


def project_occupancy(
    mdp: AdversarialMDP, exponent: npt.ArrayLike, dual: npt.ArrayLike | None = None, iterations: int = 100
) -> Projection:
    r"""Minimise :math:`\sum q \ln q - \langle q, x \rangle` over the occupancies of all policies.

    Parameters
    ----------
    exponent
        x, ``(H, S, A)``; minus eta times the losses.
    dual
        Where to start, ``(H, S)``; near the optimum, by soft dynamic programming, if omitted.

    Raises
    ------
    ProjectionError
        If the flow constraints are not met to 1e-8.
    """
    x = as_float_array("exponent", exponent).copy()
    require_shape("exponent", x, mdp.shape)
    initial, transitions = mdp.initial.copy(), mdp.transitions.copy()
    world = Dynamics(initial, initial, transitions, transitions, mdp.horizon)  # nothing is sampled: no cdf needed
    work, rule = _workspace(mdp), _leader(mdp, 1.0, False, False, False, iterations)
    q, policy, mass = np.empty(mdp.shape), np.empty(mdp.shape), np.empty((mdp.horizon, mdp.n_states))
    v = np.empty((mdp.horizon, mdp.n_states))
    if dual is None:
        oreps.near_start(world, x, policy, work, v)
    else:
        v[:] = as_float_array("dual", dual)
    steps, violation = oreps.project(world, rule, x, v, q, work)
    oreps.policy_of_dual(world, x, v, policy)
    occupancy_of(world, policy, mass)
    gap = oreps.duality_gap(mass, policy, q, work.log_q)
    if not (violation <= 1e-8 and gap <= 1e-8):
        raise ProjectionError(f"after {steps} iterations: flow violated by {violation:.3g}, duality gap {gap:.3g}")
    return Projection(mass[..., None] * policy, policy, v, violation, gap, steps)


def run_oreps(
    mdp: AdversarialMDP,
    losses: LossProcess,
    episodes: int,
    eta: float,
    *,
    bandit: bool,
    from_uniform: bool = False,
    weight_by_policy: bool = False,
    iterations: int = 100,
    certify: bool = True,
    runs: int = 1,
    seed: Seed = 0,
    record: int = 20,
    workers: int = 1,
) -> AdversarialRun:
    """Follow the leader over the occupancy polytope (O-REPS), each projection certified.

    Parameters
    ----------
    bandit
        Whether only the losses of the trajectory are seen; they are then divided by their occupancy q.
    from_uniform
        Start from the occupancy of the uniform policy in place of the maximum-entropy one.
    weight_by_policy
        Divide by the policy in place of the occupancy, which is wrong.
    certify
        Whether to raise unless every projection met the flow constraints and closed the duality gap to 1e-8.

    Raises
    ------
    ProjectionError
        If ``certify`` and a projection was not accurate.
    """
    _require_rule(ENTROPY, {"eta": eta})
    world, table = dynamics(mdp), loss_table(losses)
    rule = _leader(mdp, eta, bandit, from_uniform, weight_by_policy, iterations)
    worst = np.zeros((runs, 4))

    def launch(state: WordArray, a: int, b: int, points: IntArray, learner: FloatArray, sums: FloatArray) -> None:
        oreps.run_oreps(world, table, rule, _workspace(mdp), state, a, b, points, learner, sums, worst)

    run = _simulate(mdp, losses, episodes, runs, seed, record, workers, launch)
    if certify and not (worst[:, :2].max() <= 1e-8):
        raise ProjectionError(f"flow violated by {worst[:, 0].max():.3g}, duality gap {worst[:, 1].max():.3g}")
    return _with(run, projections=Projections(*worst.T))


def _with(run: AdversarialRun, **changes: object) -> AdversarialRun:
    values = {field.name: getattr(run, field.name) for field in fields(run)}
    return AdversarialRun(**(values | changes))


# Policy optimisation with bonuses


@dataclass(frozen=True)
class PolicyOptimisation:
    r"""Policy optimisation with dilated bonuses (see `solvers.adversarial_ftrl_tabular`).

    Attributes
    ----------
    regulariser
        `ENTROPY` or `LOG_BARRIER`.
    eta, gamma, omega
        Rate, implicit exploration, dilation.
    kappa_q
        The bonus of a pair is (kappa_q eta H_h^2 + gamma H_h) / (q + gamma).
    local
        Whether the first part of the bonus is multiplied by the policy.
    bonus_scale
        Multiplies the bonuses; 0 drops them.
    weight_by_policy
        Divide estimates by pi + gamma in place of q + gamma, which is wrong.
    """

    regulariser: int
    eta: float
    gamma: float
    omega: float
    kappa_q: float
    local: bool = False
    bonus_scale: float = 1.0
    weight_by_policy: bool = False

    def rule(self, horizon: int) -> tabular.BonusRule:
        """Lay out the algorithm for the kernel."""
        left = np.arange(horizon, 0, -1.0)
        return tabular.BonusRule(
            self.regulariser,
            float(self.eta),
            float(self.gamma),
            float(self.omega),
            self.bonus_scale * self.kappa_q * self.eta * left**2,
            self.bonus_scale * self.gamma * left,
            1 if self.local else 0,
            self.weight_by_policy,
        )


def run_policy_optimisation(
    mdp: AdversarialMDP,
    losses: LossProcess,
    episodes: int,
    algorithm: PolicyOptimisation,
    *,
    comparator: npt.ArrayLike | None = None,
    runs: int = 1,
    seed: Seed = 0,
    record: int = 20,
    workers: int = 1,
) -> AdversarialRun:
    """Run policy optimisation with importance-weighted estimates and dilated bonuses.

    Parameters
    ----------
    comparator
        Policy ``(H, S, A)`` against which to record a `Certificate`; none if omitted.

    Raises
    ------
    ValueError
        If a parameter is not finite, a rate not positive or a count not a positive integer.
    """
    p = algorithm
    _require_rule(p.regulariser, {"eta": p.eta}, {"gamma": p.gamma, "omega": p.omega, "kappa_q": p.kappa_q})
    world, table, rule = dynamics(mdp), loss_table(losses), p.rule(mdp.horizon)
    certify = comparator is not None
    star = np.zeros(mdp.shape) if comparator is None else require_policy(mdp, comparator)
    extremes, terms = np.zeros((runs, 2)), np.zeros((runs, len(tabular.CERTIFICATE_TERMS)))

    def launch(state: WordArray, a: int, b: int, points: IntArray, learner: FloatArray, sums: FloatArray) -> None:
        tabular.run_policy_optimisation(
            world, table, rule, star, certify, state, a, b, points, learner, sums, extremes, terms
        )

    run = _simulate(mdp, losses, episodes, runs, seed, record, workers, launch)
    certificate = Certificate(*terms.T) if certify else None
    return _with(run, least_exponent=extremes[:, 0], largest_bonus=extremes[:, 1], certificate=certificate)


# Linear action values


@dataclass(frozen=True)
class LinearAlgorithm:
    """An algorithm for linear action values (see `solvers.adversarial_ftrl_linear`).

    Attributes
    ----------
    regulariser
        `ENTROPY` or `LOG_BARRIER`.
    estimator
        ``PLAIN``, ``REDUCED`` or ``UNCENTRED`` of `solvers.adversarial_ftrl_linear`.
    eta, beta, gamma, omega
        Rate, size of the bonus (0: none), regularisation of the covariance, dilation.
    draws
        Draws of the simulator for each covariance; 0 for the exact one.
    """

    regulariser: int
    estimator: int
    eta: float
    beta: float
    gamma: float
    omega: float
    draws: int = 0


def run_linear(
    mdp: AdversarialMDP,
    features: FloatArray,
    losses: LossProcess,
    episodes: int,
    algorithm: LinearAlgorithm,
    *,
    runs: int = 1,
    seed: Seed = 0,
    record: int = 20,
    workers: int = 1,
) -> AdversarialRun:
    """Run an algorithm for linear action values.

    Parameters
    ----------
    features
        ``(H, S, A, d)``, of norm at most one. That action values are linear in them is not checked here
        (`mdps.adversarial_instances.linear_q_defect`).

    Raises
    ------
    InvalidModelError
        If the features do not fit the model or leave the unit ball.
    ValueError
        If a parameter is out of range.
    """
    p = algorithm
    if p.estimator not in (linear.PLAIN, linear.REDUCED, linear.UNCENTRED):
        raise ValueError(f"estimator is {p.estimator!r}, not PLAIN, REDUCED or UNCENTRED")
    positive = {"eta": p.eta, "gamma": p.gamma}
    _require_rule(p.regulariser, positive, {"beta": p.beta, "omega": p.omega, "draws": p.draws})
    phi = as_float_array("features", features).copy()
    require_features(mdp, phi)
    world, table = dynamics(mdp), loss_table(losses)
    rule = linear.LinearRule(
        p.regulariser, p.estimator, float(p.eta), float(p.beta), float(p.gamma), float(p.omega), p.draws
    )
    extremes = np.zeros((runs, 3))

    def launch(state: WordArray, a: int, b: int, points: IntArray, learner: FloatArray, sums: FloatArray) -> None:
        work = _linear_workspace(mdp, phi.shape[3])
        linear.run_linear(world, phi, table, rule, work, state, a, b, points, learner, sums, extremes)

    run = _simulate(mdp, losses, episodes, runs, seed, record, workers, launch)
    return _with(run, least_exponent=extremes[:, 0], largest_bonus=extremes[:, 1], least_estimate=extremes[:, 2])


def _linear_workspace(mdp: AdversarialMDP, n_features: int) -> linear.LinearWork:
    H, S, A = mdp.shape
    return linear.LinearWork(
        pairs=np.zeros(S * A),
        covariance=np.zeros((n_features, n_features)),
        whitened=np.zeros((H, S * A, n_features)),
        reduction=np.zeros((H, S * A)),
        bonus=np.zeros((H, S, A)),
        ahead=np.zeros((2, S)),
    )
