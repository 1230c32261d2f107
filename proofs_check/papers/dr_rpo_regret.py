r"""Checks of DR-RPO's learning: the event, optimism, losses of episodes and regret, from runs of `solvers.dr_rpo`.

Losses are exact: the robust values of the policies that were played. Whether the event holds is decided exactly too, as
the true model is known; statements on the event are checked where it holds, also for radii far below those that make it
probable.

*Coverage.* Of `two_paths` and of `mdps.robust_instances.stuck` only the first stage matters, where each of the two
actions has a probability of at least :math:`p_0 = 1 / (1 + e^{B_1 / \eta})`. On the former :math:`\kappa = p_0`. On the
latter one action plays the mixed feature :math:`v = (\tfrac12, \tfrac12)`, with probability p, and :math:`\kappa` is
the least eigenvalue of :math:`p v v^\top + (1 - p) e_1 e_1^\top`. A bound of the loss counts as vacuous on an instance
unless it falls below what the reference policy loses, at the same temperature.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import ceil, exp, log
from typing import TYPE_CHECKING

import numpy as np

from mdps import robust_instances
from mdps.linear import LinearMDP
from mdps.robust import RobustLinearMDP, SetKind
from mdps.validation import FloatArray, IntArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.montecarlo import MonteCarlo, Sample
from proofs_check.methods.search import Search
from proofs_check.methods.statistics import runs_needed
from solvers.dr_rpo import (
    BonusForm,
    LearnedPlans,
    Learner,
    confidence_radii,
    dr_lsvi_ucb_code,
    episode_bounds,
    good_event,
    lsvi_ucb_code,
    nominal_set,
    realised_radius,
    run,
    suboptimality,
)
from solvers.dr_rpo_exact import evaluate, evaluate_under, factor_backups, log_reference, optimal_plan
from theory import dr_rpo as theory

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

DELTA = 0.1
ALPHA = 0.01

BOUNDS = {claim.id: claim.explicit_bound for claim in theory.CLAIMS if claim.bound is not None}

LEARNED: tuple[tuple[SetKind, float], ...] = (
    ("tv_constrained", 0.3),
    ("tv_regularised", 0.5),
    ("kl_regularised", 1.0),
    ("chi2_regularised", 1.0),
)
"""Sets with an explicit radius."""

DEFAULT = Learner()


# On the event


@dataclass(frozen=True, eq=False)
class Trial:
    """A set, a temperature, a factor of the explicit radii, a number of episodes and a seed."""

    robust: RobustLinearMDP
    eta: float
    scale: float
    episodes: int
    seed: int

    def plans(self, learner: Learner = DEFAULT) -> LearnedPlans:
        """Return the recorded plans of one run."""
        return self._default if learner == DEFAULT else self._run(learner)

    @cached_property
    def on_event(self) -> bool:
        """Whether the event holds in a recorded episode of DR-RPO."""
        return bool(good_event(self._default).any())

    @cached_property
    def _default(self) -> LearnedPlans:
        return self._run(DEFAULT)

    def _run(self, learner: Learner) -> LearnedPlans:
        learner = replace(learner, eta=self.eta, scale=self.scale)
        seeds = np.random.SeedSequence(self.seed)
        return run(self.robust, learner, episodes=self.episodes, seeds=seeds, record=12)


def trials() -> "SearchStrategy[Trial]":
    """Return the strategy of trials on random linear and tabular models with two actions."""
    from hypothesis import strategies as st

    def build(linear: bool, model: int, choice: int, eta: float, scale: float, seed: int) -> Trial:
        kind, level = LEARNED[choice]
        mdp = robust_instances.random_linear(model, 4, 2, 2) if linear else robust_instances.random_tabular(model)
        return Trial(RobustLinearMDP(mdp, kind, level, mdp.n_states - 1), eta, scale, 200, seed)

    numbers = st.integers(0, 2**16)
    scales, etas = st.sampled_from([1.0, 0.3, 0.1, 0.03]), st.sampled_from([0.0, 0.1, 0.5])
    return st.builds(build, st.booleans(), numbers, st.integers(0, 3), etas, scales, numbers)


def tabular_trial(model: int, episodes: int = 3_000) -> Trial:
    """Return a tabular trial with a tenth of the radii, long enough for the bonuses to hide nothing."""
    robust = RobustLinearMDP(robust_instances.random_tabular(model), "tv_constrained", 0.2, 2)
    return Trial(robust, 0.1, 0.1, episodes, model)


def rewarding_trial() -> Trial:
    """Return a trial in which every pair outside the fail state pays 1."""
    model = robust_instances.random_tabular(0, reward=1.0)
    return Trial(RobustLinearMDP(model, "kl_regularised", 2.0, 2), 0.1, 1.0, 200, 0)


TRIALS: Mapping[str, Callable[[], Trial]] = {
    "all rewards 1": rewarding_trial,
    **{f"tabular {model}": partial(tabular_trial, model) for model in range(3)},
}


def optimism(trial: Trial, *, caps: tuple[float, ...] | None = None) -> Iterator[Comparison]:
    """Return the largest shortfall of the planned Q below Q* over the recorded episodes on the event."""
    plans = trial.plans(Learner(caps=caps))
    good = good_event(plans)
    best = optimal_plan(trial.robust, trial.eta).q_values
    if good.any():
        yield Comparison(float((best - plans.optimistic().q_values)[good].max()), 0.0)


def episode_bound(trial: Trial, *, played: tuple[float, ...] | None = None) -> Iterator[Comparison]:
    """Compare the loss with its bound at the recorded episode on the event where it uses most of it."""
    plans = trial.plans(Learner(played=played))
    good = good_event(plans)
    if good.any():
        losses, bounds = suboptimality(plans)[good], episode_bounds(plans)[good]
        worst = int(np.argmax(losses - bounds))
        yield Comparison(float(losses[worst]), float(bounds[worst]))


# The event


@dataclass(frozen=True, eq=False)
class Setting:
    """A set and a number of episodes."""

    robust: RobustLinearMDP
    episodes: int

    @property
    def unit_rewards(self) -> bool:
        """Whether all rewards lie in [0, 1]."""
        return self.robust.unit_rewards

    @property
    def fail_state(self) -> int | None:
        """The fail state of the model."""
        return self.robust.fail_state

    @property
    def one_hot(self) -> bool:
        """Whether every pair is a factor of its own."""
        return self.robust.one_hot


def event_settings(tier: Tier) -> Mapping[str, Callable[[], Setting]]:
    """Return a random linear model for each kind of set with an explicit radius."""
    episodes = 150 if tier == Tier.QUICK else 3_000

    def setting(kind: SetKind, level: float) -> Setting:
        mdp = robust_instances.random_linear(1, 4, 2, 2)
        return Setting(RobustLinearMDP(mdp, kind, level, 3), episodes)

    return {kind.replace("_", ", "): partial(setting, kind, level) for kind, level in LEARNED}


def event(setting: Setting, seeds: np.random.SeedSequence, runs: int, *, scale: float = 1.0) -> Sample:
    """Return the largest error of a backup over its radius, over all episodes of a run; at most 1 is good."""
    learner = Learner(eta=0.1, delta=DELTA, scale=scale)
    plans = run(setting.robust, learner, episodes=setting.episodes, seeds=seeds, runs=runs, record=None)
    return Sample(np.minimum(realised_radius(plans).max(axis=1), 1e6), 1.0)


# Regret with one factor a pair


def two_paths(radius: float = 0.2) -> RobustLinearMDP:
    """Two stages: action 0 leads to the fail state, action 1 stays where the second stage pays 1."""
    measures = np.array([[[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]] * 2)
    features = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]] * 2])
    model = LinearMDP(features, measures, [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    return RobustLinearMDP(model, "tv_constrained", radius, 1)


def tabular_bound(robust: RobustLinearMDP, episodes: int, delta: float) -> float:
    """Return the bound of the regret after so many episodes."""
    beta = float(confidence_radii(robust, episodes, delta / 2.0).sum())
    pairs = robust.nominal.n_factors - 1
    return BOUNDS["dr_rpo.tabular_regret"].evaluate(beta=beta, n=pairs, K=episodes, H=robust.horizon, delta=delta)


def largest_loss(robust: RobustLinearMDP) -> float:
    """Return what the worst policy loses in an episode, without regularisation."""
    mdp = robust.nominal
    least = np.zeros(mdp.n_states)
    for h in reversed(range(mdp.horizon)):
        least = (mdp.staged_features[h] @ (mdp.weights[h] + factor_backups(robust, h, least))).min(axis=1)
    return float(optimal_plan(robust).start(mdp) - least @ mdp.initial)


def first_biting(bound: Callable[[int], float], trivial: float) -> int:
    """Return the first number of episodes K at which a bound is below K times what an episode can lose."""
    high = 1
    while bound(high) >= trivial * high:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if bound(middle) < trivial * middle else (middle, high)
    return high


def tabular_regret(setting: Setting, seeds: np.random.SeedSequence, runs: int, *, scale: float = 1.0) -> Sample:
    """Exact regret of independent runs against the bound."""
    robust, K = setting.robust, setting.episodes
    learner = Learner(eta=0.0, delta=DELTA / 2.0, scale=scale)
    losses = suboptimality(run(robust, learner, episodes=K, seeds=seeds, runs=runs, record=None))
    first = first_biting(lambda k: tabular_bound(robust, k, DELTA), largest_loss(robust))
    bound = tabular_bound(robust, K, DELTA)
    return Sample(losses.sum(axis=1), bound, vacuous=first > K, nonvacuous_from=first)


def tabular_settings(tier: Tier) -> Mapping[str, Callable[[], Setting]]:
    """Return the instances; the bound bites on them."""
    settings: dict[str, Callable[[], Setting]] = {"two paths": lambda: Setting(two_paths(), 6_000)}
    if tier != Tier.QUICK:
        random = RobustLinearMDP(robust_instances.random_tabular(0, 3, 2, 2), "tv_constrained", 0.2, 2)
        settings["random, S=2 and a fail state, A=2"] = lambda: Setting(random, 15_000)
    return settings


# Losses under coverage


@dataclass(frozen=True, eq=False)
class Covered:
    """A set, a temperature, the coverage of its softmax policies, and a number of episodes."""

    robust: RobustLinearMDP
    eta: float
    coverage: float
    episodes: int

    @property
    def idle_loss(self) -> float:
        """What a learner loses in an episode that plays the reference for ever."""
        mdp = self.robust.nominal
        base = log_reference(mdp)
        idle = evaluate(self.robust, np.array(np.broadcast_to(base, (mdp.horizon, *base.shape))), self.eta)
        return float(optimal_plan(self.robust, self.eta).start(mdp) - idle.start(mdp))


def least_probability(robust: RobustLinearMDP, temperature: float) -> float:
    """Return the least probability of one of two actions under softmax policies of values within the caps."""
    return 1.0 / (1.0 + exp(float(robust.caps[0]) / temperature))


def covered_paths() -> Covered:
    """Return `two_paths` with a temperature at which its bound falls fast."""
    robust, temperature = two_paths(0.1), 0.9
    return Covered(robust, temperature, least_probability(robust, temperature), 300_000)


def covered_stuck() -> Covered:
    """Return `stuck` with a temperature at which both actions are tried often."""
    return Covered(robust_instances.stuck(), 2.0, stuck_coverage(2.0), 200_000)


def stuck_coverage(temperature: float, radius: float = 0.2) -> float:
    """Return kappa of `stuck`, as the head of the module says; concave in p, hence least at an end."""
    least = least_probability(robust_instances.stuck(radius), temperature)
    mixed, pure = np.full((2, 2), 0.25), np.diag([1.0, 0.0])
    ends = [np.linalg.eigvalsh(p * mixed + (1.0 - p) * pure)[0] for p in (least, 1.0 - least)]
    return float(min(ends))


def burn_in(coverage: float, factors: int, horizon: int, episodes: int, delta: float) -> int:
    """Return the first episode from which the covariance is large enough, with probability 1 - delta / 2."""
    return 1 + ceil(8.0 / coverage * log(2.0 * factors * horizon * episodes / delta))


def coverage_bounds(
    episodes: IntArray, betas: FloatArray, coverage: float, temperature: float
) -> dict[str, FloatArray]:
    """Return both bounds of the loss at the given episodes, for ridge 1."""
    loss, square = BOUNDS["dr_rpo.coverage_loss"], BOUNDS["dr_rpo.logarithmic_loss"]
    tails = np.cumsum(betas[::-1])
    values = {"beta": float(betas.sum()), "beta_squares": float((tails**2).sum()), "kappa": coverage, "lambda": 1.0}
    at = [{**values, "eta": temperature, "t": int(k)} for k in episodes]
    return {
        "coverage": np.array([loss.evaluate(**point) for point in at]),
        "logarithmic": np.array([square.evaluate(**point) for point in at]),
    }


def covered_loss(
    setting: Covered, seeds: np.random.SeedSequence, runs: int, *, which: str, scale: float = 1.0
) -> Sample:
    """Return the largest ratio of loss and bound at the recorded episodes of a run after the burn-in.

    A mutant multiplies the bonuses, not the bound, by ``scale``.
    """
    robust, K = setting.robust, setting.episodes
    learner = Learner(eta=setting.eta, delta=DELTA / 2.0, scale=scale)
    plans = run(robust, learner, episodes=K, seeds=seeds, runs=runs, record=200)
    first = burn_in(setting.coverage, robust.nominal.n_factors, robust.horizon, K, DELTA)
    late = plans.episodes >= first
    betas = confidence_radii(robust, K, DELTA / 2.0)
    bounds = coverage_bounds(plans.episodes, betas, setting.coverage, setting.eta)[which]
    ratios = (suboptimality(plans)[:, late] / bounds[late]).max(axis=1)
    return Sample(ratios, 1.0, vacuous=bool(bounds[-1] >= setting.idle_loss))


# The instance that defeats greedy optimism


@dataclass(frozen=True)
class Greedy:
    """Bonus multiplier, ridge, radius and seed."""

    beta: float
    ridge: float
    radius: float
    seed: int


def greedy_settings() -> "SearchStrategy[Greedy]":
    """Return the strategy of settings."""
    from hypothesis import strategies as st

    def eighths(low: int, high: int) -> "SearchStrategy[float]":
        return st.integers(low, high).map(lambda k: k / 8.0)

    radii = st.integers(0, 38).map(lambda k: k / 40.0)
    return st.builds(Greedy, eighths(0, 64), eighths(1, 16), radii, st.integers(0, 2**16))


def stuck_regret(setting: Greedy, *, temperature: float = 0.0, bonus: BonusForm = "linear") -> Comparison:
    """Compare the regret of 100 episodes with its closed form."""
    robust = robust_instances.stuck(setting.radius)
    learner = Learner(eta=temperature, beta=setting.beta, ridge=setting.ridge, bonus=bonus)
    plans = run(robust, learner, episodes=100, seeds=np.random.SeedSequence(setting.seed), record=None)
    closed = BOUNDS["dr_rpo.stuck_regret"].evaluate(K=100, rho=setting.radius)
    return Comparison(float(suboptimality(plans).sum()), closed, "==")


# Figures


def loss_figure(tier: Tier) -> Json:
    """Losses on `stuck` against the episode: greedy policies never learn, regularised ones at the rate 1 / k."""
    episodes, runs = (10_000, 4) if tier == Tier.QUICK else (200_000, 10)
    curves = []
    for temperature in (0.0, 0.5, 1.0):
        learner = Learner(eta=temperature, beta=2.0)
        seeds = np.random.SeedSequence(0)
        plans = run(robust_instances.stuck(), learner, episodes=episodes, seeds=seeds, runs=runs, record=40)
        losses = suboptimality(plans)
        label = "greedy" if temperature == 0.0 else f"eta = {temperature:g}"
        curves.append({"label": label, "x": plans.episodes, "y": losses.mean(axis=0)})
    return {
        "kind": "curves",
        "title": "Loss of an episode on the instance that defeats greedy optimism",
        "xlabel": "episode",
        "ylabel": "loss, against the optimum of the same temperature",
        "xscale": "log",
        "yscale": "log",
        "caption": "Greedy policies lose 0.31 for ever; regularised ones learn at the rate 1 / k (bonus multiplier 2).",
        "curves": curves,
    }


def off_dynamics_figure(tier: Tier, *, radius: float = 0.5, reach: float = 0.1) -> Json:
    """Returns after 100 training episodes when the good transition fails, of three learners and their extremes."""
    runs = 20 if tier == Tier.QUICK else 200
    robust = robust_instances.simulated_robust(radius, reach)
    learners = (
        ("DR-RPO, eta = 0.05", robust, Learner(eta=0.05, beta=1.0, ridge=0.1)),
        ("DR-LSVI-UCB", robust, dr_lsvi_ucb_code(3)),
        ("LSVI-UCB", nominal_set(robust), lsvi_ucb_code(3)),
    )
    failures = robust_instances.perturbations(11)
    curves = []
    for label, around, learner in learners:
        seeds = np.random.SeedSequence(0)
        policies = run(around, learner, episodes=100, seeds=seeds, runs=runs, record=1).optimistic().log_policy[:, -1]
        returns = np.array(
            [evaluate_under(robust_instances.off_dynamics(q, reach), policies)[:, 0, 0] for q in failures]
        )
        low, high = np.quantile(returns, [0.1, 0.9], axis=1)
        curves.append({"label": label, "x": failures, "y": returns.mean(axis=1), "low": low, "high": high})
    return {
        "kind": "curves",
        "title": "Return in a perturbed simulated linear MDP",
        "xlabel": "probability that the good transition fails",
        "ylabel": "expected return",
        "xscale": "linear",
        "yscale": "linear",
        "caption": "Robust learners give up return at the nominal model and lose less as it is perturbed.",
        "curves": curves,
    }


EVENT_RUNS = Sizes(runs_needed(DELTA, ALPHA / len(LEARNED)))
COVERED_RUNS = Sizes(runs_needed(DELTA, ALPHA))
IDLE = Mutant("idle", "bonuses that leave no difference between actions: the reference for ever", {"scale": 1e6})
TABULAR_RUNS = Sizes(runs_needed(DELTA, ALPHA), full=runs_needed(DELTA, ALPHA / 2))

CHECKS = (
    Check(
        "dr_rpo.good_event",
        MonteCarlo(event_settings, EVENT_RUNS, delta=DELTA, alpha=ALPHA),
        event,
        (Mutant("small_radius", "a tenth of the radii", {"scale": 0.1}),),
        figure=off_dynamics_figure,
    ),
    Check(
        "dr_rpo.optimism",
        Search(trials, Sizes(15, full=600), corners=TRIALS),
        optimism,
        (
            Mutant(
                "tv_caps",
                "clips of total variation with radius 1/2, also for relative entropy",
                {"caps": (1.75, 1.5, 1.0, 0.0)},
            ),
        ),
    ),
    Check(
        "dr_rpo.episode_bound",
        Search(trials, Sizes(15, full=600), corners=TRIALS),
        episode_bound,
        (Mutant("other_reference", "policies near another reference than that of the values", {"played": (0.9, 0.1)}),),
    ),
    Check(
        "dr_rpo.tabular_regret",
        MonteCarlo(tabular_settings, TABULAR_RUNS, delta=DELTA, alpha=ALPHA),
        tabular_regret,
        (Mutant("no_bonus", "a learner without bonuses: it never tries action 1", {"scale": 0.0}),),
    ),
    Check(
        "dr_rpo.coverage_loss",
        MonteCarlo({"two paths, eta=0.9": covered_paths}, COVERED_RUNS, delta=DELTA, alpha=ALPHA),
        partial(covered_loss, which="coverage"),
        (IDLE,),
        tier=Tier.FULL,
    ),
    Check(
        "dr_rpo.logarithmic_loss",
        MonteCarlo({"stuck, eta=2": covered_stuck}, COVERED_RUNS, delta=DELTA, alpha=ALPHA),
        partial(covered_loss, which="logarithmic"),
        (IDLE,),
        tier=Tier.FULL,
    ),
    Check(
        "dr_rpo.stuck_regret",
        Search(greedy_settings, Sizes(40, full=500), corners={"the whole mass": lambda: Greedy(1.0, 1.0, 1.0, 0)}),
        stuck_regret,
        (
            Mutant("softmax", "regularised policies, which try both actions", {"temperature": 0.2}),
            Mutant("elliptic", "the elliptic bonus of LSVI-UCB", {"bonus": "elliptic"}),
            Mutant("every_radius", "radii at which the action that is played is the better one", drop=("below_tie",)),
        ),
        figure=loss_figure,
    ),
)
