r"""Checks of UCBVI: optimism, regret against explicit bounds, and the exponent of its worst-case regret.

Regret is exact and compared at K episodes in independent runs. The bounds say nothing before the K at which they fall
below K H; only instances beyond it count, and the others are listed with that K. Mutants of the algorithm must exceed
the bound.
"""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mdps import gymnasium, instances, strategies
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray
from proofs_check.cases import OnModel
from proofs_check.engine import Check, Control, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.exact import Instances
from proofs_check.methods.montecarlo import MonteCarlo, Sample
from proofs_check.methods.rates import Rates
from proofs_check.methods.search import Search
from proofs_check.methods.statistics import runs_needed
from solvers import ucbvi
from solvers.baselines import run_q_learning, run_uniform
from solvers.ucbvi import BonusSpec, run_ucbvi
from theory import ucbvi as theory
from theory.claim import Claim

DELTA = 0.1
"""Failure probability of the runs that are asked for optimism."""

REGRET_DELTA = 0.25
"""Failure probability of the runs whose regret is compared with its bound: a larger one takes fewer long runs."""

ALPHA = 0.01
RUNS = Sizes(runs_needed(REGRET_DELTA, ALPHA), full=runs_needed(REGRET_DELTA, ALPHA / 2))
"""Runs that support the failure probability on one instance, at tier full on two together, if none fails."""

ENVIRONMENT_RUNS = 4
"""Runs on environments where the bounds say nothing yet: their regret is shown, not judged."""

RECORD = 40
"""Log-spaced records of the regret for the figure."""


@dataclass(frozen=True, eq=False)
class Setting(OnModel):
    """An instance and the number of episodes K that the algorithm is told and run for."""

    mdp: FiniteHorizonMDP
    episodes: int


def two_doors() -> FiniteHorizonMDP:
    """Two states, two stages: action 1 leads to the state that pays 1, action 0 stays where nothing is paid.

    The smallest model with anything to learn; a learner that never tries action 1 loses 1 an episode.
    """
    transitions = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.5, 0.5]]])
    rewards = np.array([[[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [1.0, 1.0]]])
    return FiniteHorizonMDP(transitions, rewards, 2)


def noisy_doors() -> FiniteHorizonMDP:
    """`two_doors` with coins: action 1 reaches the paying state with probability 0.6, action 0 with 0.4."""
    transitions = np.array([[[0.6, 0.4], [0.4, 0.6]], [[0.5, 0.5], [0.5, 0.5]]])
    return FiniteHorizonMDP(transitions, two_doors().rewards, 2)


def known_bandit() -> Setting:
    """One state, one stage, three arms with known rewards 0, 1/2 and 1: nothing to learn."""
    return Setting(FiniteHorizonMDP(np.ones((1, 3, 1)), np.array([[0.0, 0.5, 1.0]]), 1), 100)


def _gymnasium_settings() -> dict[str, Callable[[], Setting]]:
    """Return Gymnasium's environments where the extra is installed; Taxi without its unreachable states."""
    if importlib.util.find_spec("gymnasium") is None:
        return {}

    def lake(size: str, horizon: int, episodes: int) -> Setting:
        return Setting(gymnasium.from_gymnasium("FrozenLake-v1", horizon, map_name=size), episodes)

    def taxi() -> Setting:
        mdp, _ = gymnasium.restrict_to_reachable(gymnasium.from_gymnasium("Taxi-v4", 10, unit_rewards=True))
        return Setting(mdp, 5)

    return {
        "FrozenLake 4x4, H=20": partial(lake, "4x4", 20, 100),
        "FrozenLake 8x8, H=30": partial(lake, "8x8", 30, 20),
        "Taxi (reachable states), H=10": taxi,
    }


def hoeffding_settings(tier: Tier) -> Mapping[str, Callable[[], Setting]]:
    """Return the instances of the Hoeffding variant; the doors are beyond the K at which its bound bites."""
    noisy = {"noisy doors": lambda: Setting(noisy_doors(), 700_000)}
    return {"two doors": lambda: Setting(two_doors(), 550_000), **({} if tier == Tier.QUICK else noisy)}


def pooled_settings(enough: Mapping[Tier, int], tier: Tier) -> Mapping[str, Callable[[], Setting]]:
    """Return the instance of the two published variants, whose bounds bite after millions of episodes only."""
    return {"two doors": lambda: Setting(two_doors(), enough[tier])}


def environments(tier: Tier, everywhere: bool) -> Mapping[str, Callable[[], Setting]]:
    """Return environments that people know, on which the bounds are vacuous for a long time."""
    river = {"RiverSwim, H=20": lambda: Setting(instances.river_swim(), 100)}
    return {**river, **(_gymnasium_settings() if everywhere or tier != Tier.QUICK else {})}


def regret(
    setting: Setting,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    claim: Claim,
    bonus: BonusSpec,
    scale: float = 1.0,
) -> Sample:
    """Exact regret of independent runs against the bound of a claim."""
    mdp, episodes = setting.mdp, setting.episodes
    bound = claim.explicit_bound
    sizes: dict[str, float] = {"S": mdp.n_states, "A": mdp.n_actions, "H": mdp.horizon, "delta": REGRET_DELTA}
    first = bound.nonvacuous_from("K", theory.TRIVIAL, sizes)
    curve = run_ucbvi(
        mdp, episodes=episodes, seeds=seeds, delta=REGRET_DELTA, bonus=bonus, runs=runs, scale=scale, record=RECORD
    )
    bounds = [bound.evaluate(K=int(k), **sizes) for k in curve.episodes]
    quantiles = np.quantile(curve.regret, [0.1, 0.5, 0.9], axis=0)
    return Sample(
        curve.regret[:, -1],
        bounds[-1],
        vacuous=bounds[-1] >= mdp.horizon * episodes,
        nonvacuous_from=first,
        plot={
            "kind": "regret",
            "episodes": curve.episodes,
            "low": quantiles[0],
            "median": quantiles[1],
            "high": quantiles[2],
            "bound": bounds,
            "trivial": mdp.horizon * curve.episodes,
            "nonvacuous_from": first,
        },
    )


def optimism(setting: Setting, seeds: np.random.SeedSequence, runs: int, *, bonus: BonusSpec) -> Sample:
    """Largest shortfall of the planned Q below Q*, over all episodes, stages and pairs; it must not be positive."""
    curve = run_ucbvi(
        setting.mdp,
        episodes=setting.episodes,
        seeds=seeds,
        delta=DELTA,
        bonus=bonus,
        runs=runs,
        record=2,
        check_optimism=True,
    )
    if curve.optimism is None:
        raise RuntimeError("the run kept no record of its optimism")
    return Sample(curve.optimism.largest_violation, 0.0, tolerance=ucbvi.OPTIMISM_TOLERANCE)


def stage_ceiling(mdp: FiniteHorizonMDP, *, bonus: BonusSpec) -> Comparison:
    """Largest excess of the sixth plan over the number of stages that are left; it must not be positive."""
    curve = run_ucbvi(mdp, episodes=6, seeds=np.random.SeedSequence(0), delta=DELTA, bonus=bonus, keep_plans=True)
    if curve.plans is None:
        raise RuntimeError("the run kept no plan")
    left = np.arange(mdp.horizon, 0, -1)[:, None, None]
    return Comparison(float((curve.plans[0] - left).max()), 0.0)


GAPS = (1.0, 2.0, 4.0, np.inf)
"""Multiples of sqrt(A / K) that the gap of the two-armed instance runs over; capped at 1/4, hence the last one."""


def worst_regret(episodes: int, seeds: np.random.SeedSequence, runs: int, *, learner: str = "ucbvi") -> FloatArray:
    """Final regrets ``(runs,)`` on the two-armed instance whose gap is worst for this learner and K."""
    final = []
    for gap, seed in zip(GAPS, seeds.spawn(len(GAPS)), strict=True):
        mdp = instances.two_armed_hard(episodes, scale=gap)
        final.append(_final_regret(learner, mdp, episodes, seed, runs))
    return max(final, key=lambda regrets: float(regrets.mean()))


def _final_regret(
    learner: str, mdp: FiniteHorizonMDP, episodes: int, seeds: np.random.SeedSequence, runs: int
) -> FloatArray:
    if learner == "uniform":
        return run_uniform(mdp, episodes=episodes, runs=runs, record=1).regret[:, -1]
    if learner == "epsilon-greedy":
        return run_q_learning(mdp, episodes=episodes, seeds=seeds, epsilon=0.1, runs=runs, record=1).regret[:, -1]
    return run_ucbvi(mdp, episodes=episodes, seeds=seeds, runs=runs, record=1).regret[:, -1]


NO_EXPLORATION = "no bonus, and pairs without a visit are worth their reward alone: the second door is never tried"


def _without_exploration(bonus: BonusSpec) -> BonusSpec:
    """Return a variant that never explores."""
    return replace(
        bonus,
        name=f"{bonus.name} without exploration",
        hoeffding=0.0,
        linear=0.0,
        variance=0.0,
        third=0.0,
        unvisited="reward only",
    )


def _regret_checks(claim: Claim, bonus: BonusSpec, settings: Instances) -> tuple[Check, Check]:
    """Return the check of a regret bound, whose mutant must exceed it on `two_doors`, and its runs on environments.

    The latter judge nothing: the bounds are vacuous there, and a check that has no mutant may not show anything.
    """
    mutant = Mutant(
        "no_exploration", NO_EXPLORATION, {"bonus": _without_exploration(bonus)}, tier=Tier(claim.from_tier)
    )
    statement = partial(regret, claim=claim, bonus=bonus)
    return (
        Check(claim.id, MonteCarlo(settings, RUNS, delta=REGRET_DELTA, alpha=ALPHA), statement, (mutant,)),
        Check(
            claim.id,
            MonteCarlo(
                partial(environments, everywhere=bonus is ucbvi.HOEFFDING),
                Sizes(ENVIRONMENT_RUNS),
                delta=REGRET_DELTA,
                alpha=ALPHA,
            ),
            statement,
            name="environments",
        ),
    )


def _optimism_settings() -> Mapping[str, Callable[[], Setting]]:
    return {
        "tuned two-armed, H=4": lambda: Setting(instances.two_armed_hard(2_000, horizon=4), 2_000),
        "RiverSwim, H=10": lambda: Setting(instances.river_swim(horizon=10), 500),
        "lower-bound family, A=2": lambda: Setting(instances.tabular_lower_bound(), 1_000),
    }


CHECKS = (
    Check(
        "ucbvi.optimism",
        MonteCarlo(_optimism_settings(), Sizes(80, full=400), delta=DELTA),
        partial(optimism, bonus=ucbvi.HOEFFDING),
        (
            Mutant(
                "no_logarithm",
                "a bonus without its logarithm",
                {"bonus": replace(ucbvi.HOEFFDING, name="no logarithm", hoeffding_log_power=0.0)},
            ),
            Mutant(
                "no_horizon",
                "a bonus of range 1 instead of H - h",
                {"bonus": replace(ucbvi.HOEFFDING, name="no horizon", hoeffding_range="one")},
            ),
        ),
    ),
    Check(
        "ucbvi.stage_ceiling",
        Search(strategies.finite_horizon_mdps, examples=Sizes(40, full=2_000)),
        partial(stage_ceiling, bonus=ucbvi.HOEFFDING),
        (
            Mutant(
                "one_ceiling",
                "clipped at V_max of the first stage at every stage, as in a library in use",
                {"bonus": replace(ucbvi.HOEFFDING, name="one ceiling", clip="horizon")},
            ),
        ),
    ),
    *_regret_checks(theory.HOEFFDING, ucbvi.HOEFFDING, hoeffding_settings),
    Check(
        "ucbvi.unvisited_at_ceiling",
        MonteCarlo({"known bandit, H=1": known_bandit}, RUNS, delta=REGRET_DELTA, alpha=ALPHA),
        partial(regret, claim=theory.CEILING, bonus=replace(ucbvi.HOEFFDING, name="ceiling", unvisited="clip")),
        (
            Control(
                "reward_and_rest",
                "pairs without a visit are worth r + H - h: no regret when nothing is unknown",
                {"bonus": ucbvi.HOEFFDING},
            ),
        ),
    ),
    *_regret_checks(
        theory.CHERNOFF_HOEFFDING,
        ucbvi.CHERNOFF_HOEFFDING,
        partial(pooled_settings, {Tier.QUICK: 1_000, Tier.FULL: 15_000_000, Tier.SOAK: 15_000_000}),
    ),
    *_regret_checks(
        theory.BERNSTEIN,
        ucbvi.BERNSTEIN_FREEDMAN,
        partial(pooled_settings, {Tier.QUICK: 1_000, Tier.FULL: 1_000_000, Tier.SOAK: 100_000_000}),
    ),
    Check(
        "ucbvi.worst_case_rate",
        Rates(
            0.5,
            "most",
            budgets=Sizes((300, 1_000, 3_000, 10_000, 30_000), full=(1_000, 3_000, 10_000, 30_000, 100_000, 300_000)),
            runs=Sizes(32, full=128),
            resolution=0.1,
        ),
        worst_regret,
        (
            Mutant("uniform", "a learner that never prefers an action: linear regret", {"learner": "uniform"}),
            Mutant("constant_exploration", "epsilon-greedy with epsilon fixed at 0.1", {"learner": "epsilon-greedy"}),
        ),
    ),
)
