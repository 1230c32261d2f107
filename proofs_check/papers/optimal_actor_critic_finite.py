r"""Checks of NORA with a finite class: confidence sets, regret, and what an incomplete class costs.

Complete classes are built backwards from random distractors (`mdps.critics.complete_class`). The class of `incomplete`
has the optimal critic but not all backups; the claims exclude it by an assumption, which a mutant drops. `tempting` is
the smallest class that is wrong before it has seen anything: one of its two functions promises everything for the
first action, which pays nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mdps.actor_critic_instances import incomplete, random_tabular
from mdps.critics import FiniteCritics, complete_class, completeness_gap, realizability_gap, within_range
from mdps.tabular import FiniteHorizonMDP
from proofs_check.cases import OnModel
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.montecarlo import MonteCarlo, Sample
from proofs_check.methods.search import Search
from proofs_check.methods.statistics import runs_needed
from proofs_check.papers.optimal_actor_critic_regret import ALPHA, CLAIMS, DELTA, FAILURE, ROUNDING
from solvers import optimal_actor_critic_finite as algorithms
from solvers.optimal_actor_critic_finite import FiniteLearner
from theory import optimal_actor_critic as theory
from theory import optimal_actor_critic_parameters as parameters


@dataclass(frozen=True, eq=False)
class FiniteSetting(OnModel):
    """A model, a class of critics, the number of episodes, and a step size."""

    mdp: FiniteHorizonMDP
    critics: FiniteCritics
    episodes: int
    eta: float = 10.0

    @property
    def realizability_gap(self) -> float:
        """Distance of Q* from the class."""
        return realizability_gap(self.mdp, self.critics)

    @property
    def completeness_gap(self) -> float:
        """Largest distance of a backup from the class."""
        return completeness_gap(self.mdp, self.critics)

    @property
    def within_range(self) -> bool:
        """Whether the functions of stage h lie in [0, H - h + 1]."""
        return within_range(self.critics)

    @property
    def values(self) -> dict[str, float]:
        """Values of the symbols of the bounds; the first stage has one state, hence at most A dimensions."""
        mdp = self.mdp
        sizes = {"A": mdp.n_actions, "H": mdp.horizon, "T": self.episodes, "F_2": self.critics.pairs}
        dimensions = {"d": mdp.n_states * mdp.n_actions, "d_1": mdp.n_actions}
        step = {"eta": self.eta, "W_A": parameters.lambert(mdp.n_actions)}
        return {**sizes, **dimensions, **step, "delta": DELTA, "delta_prime": DELTA}


def random_setting(sizes: tuple[int, int, int], distractors: int, seed: int, episodes: int) -> FiniteSetting:
    """Return a random model with a complete class."""
    mdp = random_tabular(*sizes, seed)
    return FiniteSetting(mdp, complete_class(mdp, distractors, seed), episodes)


def incomplete_setting(episodes: int) -> FiniteSetting:
    """Return the model and class that is realizable only."""
    return FiniteSetting(*incomplete(), episodes, 5.0)


def tempting(episodes: int) -> FiniteSetting:
    """One state, one stage, two actions that pay 0 and 0.9; the other function of the class says 1 and 0.9."""
    mdp = FiniteHorizonMDP(np.ones((1, 2, 1)), np.array([[0.0, 0.9]]), 1)
    return FiniteSetting(mdp, FiniteCritics([np.array([[[0.0, 0.9]], [[1.0, 0.9]]])]), episodes, 100.0)


# Confidence sets


def event(
    setting: FiniteSetting,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    always: float = 24.0,
    searched: float = 4.0,
    due: float = 2.0,
    **changes: Any,
) -> Sample:
    """Return by how much, at worst, a confidence set misses what is claimed of it.

    Parameters
    ----------
    always, searched, due
        Sums of squared errors over the radius: at most, in any episode and at a search, and at least, in an epoch
        that a search ends. The first two are recorded in units of 2 (kappa + 1) and 4.
    """
    learner = replace(FiniteLearner(eta=setting.eta, delta=DELTA), **changes)
    run = algorithms.run(
        setting.mdp, setting.critics, learner, episodes=setting.episodes, seeds=seeds, runs=runs, record=1
    )
    worst = [
        -run.initial_gap,
        run.optimum_excess - 1.0,
        4.0 * run.at_refresh / searched - 1.0,
        2.0 * (learner.kappa + 1.0) * run.at_all_times / always - 1.0,
        np.where(np.isfinite(run.trigger), due - run.trigger, -1.0),
    ]
    return Sample(np.max(worst, axis=0), 0.0, tolerance=ROUNDING)


def event_settings(tier: Tier) -> Mapping[str, Callable[[], FiniteSetting]]:
    """Return random complete classes, and the one that is not complete."""
    settings: dict[str, Callable[[], FiniteSetting]] = {
        "(2, 2, 2), 10 distractors, 1": partial(random_setting, (2, 2, 2), 10, 1, 1_500),
        "realizable only": partial(incomplete_setting, 1_500),
    }
    if tier != Tier.QUICK:
        for seed in range(1, 4):
            name = f"(3, 2, 3), 20 distractors, {seed}"
            settings[name] = partial(random_setting, (3, 2, 3), 20, seed, 6_000)
    return settings


# Regret


def regret(
    setting: FiniteSetting,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    name: str,
    learner: Callable[[float], FiniteLearner],
    **changes: Any,
) -> Sample:
    """Exact regret of independent runs against the bound of a claim."""
    bound = CLAIMS[name].explicit_bound
    rhs = bound.evaluate(**setting.values)
    played = replace(learner(setting.eta), delta=DELTA, **changes)
    run = algorithms.run(
        setting.mdp, setting.critics, played, episodes=setting.episodes, seeds=seeds, runs=runs, record=1
    )
    return Sample(
        run.regret[:, -1],
        rhs,
        vacuous=rhs >= setting.mdp.horizon * setting.episodes,
        nonvacuous_from=bound.nonvacuous_from("T", parameters.TRIVIAL, setting.values),
    )


def golf(eta: float) -> FiniteLearner:
    """Return GOLF, whose actor has no step size."""
    del eta
    return algorithms.golf()


def regret_settings(long: int, tier: Tier) -> Mapping[str, Callable[[], FiniteSetting]]:
    """Return settings at which the bounds say something; ``long`` is enough for two stages."""
    del tier
    settings: dict[str, Callable[[], FiniteSetting]] = {"tempting": partial(tempting, 4_000)}
    for seed in (1, 3):
        settings[f"(2, 2, 2), 10 distractors, {seed}"] = partial(random_setting, (2, 2, 2), 10, seed, long)
    return settings


# An incomplete class


@dataclass(frozen=True)
class Incompleteness:
    """A step size, a number of episodes and a seed."""

    eta: float
    episodes: int
    seed: int


def incompleteness() -> Any:
    """Return the strategy of settings; after the first episodes the actor is greedy."""
    from hypothesis import strategies as st

    numbers = st.integers(0, 2**16)
    return st.builds(Incompleteness, st.sampled_from([1.0, 5.0, 10.0]), st.integers(200, 1_000), numbers)


def incomplete_regret(setting: Incompleteness, *, completed: bool = False, slope: float = 0.8) -> Iterator[Comparison]:
    """Compare the regret of the second half of a run with 0.8 an episode; nothing before is more than 0.8 either."""
    mdp, critics = incomplete(completed)
    total, half = 2 * setting.episodes, setting.episodes
    run = algorithms.run(
        mdp,
        critics,
        FiniteLearner(eta=setting.eta, delta=DELTA),
        episodes=total,
        seeds=np.random.SeedSequence(setting.seed),
        record=None,
    )
    paid = run.regret[0]
    yield Comparison(float(paid[-1] - paid[half - 1]), slope * (total - half), "==", "second half")
    yield Comparison(float(paid[half - 1]), slope * half, "<=", "first half")
    yield Comparison(float(abs(run.optimism[0, -1])), 0.0, "==", "the optimal value is predicted")


RUNS = Sizes(runs_needed(FAILURE, ALPHA), full=runs_needed(FAILURE, ALPHA / 3))

CHECKS = (
    Check(
        f"{theory.FAMILY}.nora_finite_event",
        MonteCarlo(
            event_settings,
            Sizes(runs_needed(DELTA, ALPHA / 2), full=runs_needed(DELTA, ALPHA / 5)),
            delta=DELTA,
            alpha=ALPHA,
        ),
        event,
        (
            Mutant("any_class", "an incomplete class", drop=("complete",)),
            Mutant("never", "no search after the first one", {"refresh": "never"}),
            Mutant(
                "late",
                "a search at twice kappa, with a sum of 20",
                {"kappa": 22.0, "always": 20.0},
                tier=Tier.FULL,
            ),
            Mutant("ten", "10 instead of 24 = 2 (kappa + 1)", {"always": 10.0}),
            Mutant("searched", "7/10 instead of 4 at a search", {"searched": 0.7}, tier=Tier.FULL),
            Mutant("eleven", "11.1 instead of 2 in the epochs", {"due": 11.1}),
            Mutant("small_radius", "a ten-thousandth of the radii", {"beta_scale": 1e-4}, tier=Tier.FULL),
        ),
    ),
    Check(
        f"{theory.FAMILY}.nora_finite_regret",
        MonteCarlo(partial(regret_settings, 30_000), RUNS, delta=FAILURE, alpha=ALPHA),
        partial(regret, name="nora_finite_regret", learner=algorithms.nora),
        (Mutant("never", "no search after the first one", {"refresh": "never"}),),
        tier=Tier.FULL,
    ),
    Check(
        f"{theory.FAMILY}.golf_regret",
        MonteCarlo(partial(regret_settings, 10_000), RUNS, delta=FAILURE, alpha=ALPHA),
        partial(regret, name="golf_regret", learner=golf),
        (Mutant("never", "no search after the first one", {"refresh": "never"}),),
        tier=Tier.FULL,
    ),
    Check(
        f"{theory.FAMILY}.incomplete_class",
        Search(incompleteness, Sizes(15, full=200)),
        incomplete_regret,
        (
            Mutant("completed", "all backups are in the class", {"completed": True}),
            Mutant("slower", "0.79 an episode", {"slope": 0.79}),
        ),
    ),
)
