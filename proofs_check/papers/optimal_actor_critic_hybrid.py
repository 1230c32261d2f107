r"""Checks of tabular learners with offline data: hybrid NORA, NOAH, and what happens without data or optimism.

Offline data are part of the instance: the statements are conditional on them. Besides data that are drawn from a law,
there are data that mislead: on a lock, transitions of the actions that end it and of no others. A learner without
optimism then never tries the right ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mdps.actor_critic_instances import flat, lock_solution, random_tabular, two_state_lock
from mdps.offline import (
    OfflineData,
    mixture,
    no_data,
    offline_counts,
    offline_draws,
    offline_trajectories,
    tabular_concentrability,
)
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray
from proofs_check.cases import OnModel
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.montecarlo import MonteCarlo, Sample
from proofs_check.methods.search import Search
from proofs_check.methods.statistics import runs_needed
from proofs_check.papers.optimal_actor_critic_regret import ALPHA, DELTA, FAILURE, ROUNDING
from solvers import optimal_actor_critic as algorithms
from solvers.optimal_actor_critic import TabularLearner, TabularRun
from solvers.planning import backward_induction
from theory import optimal_actor_critic as theory
from theory import optimal_actor_critic_offline as offline_theory
from theory import optimal_actor_critic_parameters as parameters
from theory.claim import Claim

CLAIMS: Mapping[str, Claim] = {claim.id.split(".")[1]: claim for claim in offline_theory.CLAIMS}


@dataclass(frozen=True, eq=False)
class Hybrid(OnModel):
    """A model with offline data, the number of episodes, and a step size."""

    mdp: FiniteHorizonMDP
    data: OfflineData
    episodes: int
    eta: float = 10.0

    @property
    def visits(self) -> list[list[float]]:
        """Offline visits of all pairs, by stage."""
        flat: list[list[float]] = self.data.counts.reshape(self.mdp.horizon, -1).astype(float).tolist()
        return flat

    def values(self, uncovered: float) -> dict[str, float]:
        """Values of the symbols of the bounds; ``uncovered`` is C_off."""
        mdp, T, visits = self.mdp, self.episodes, self.visits
        sizes = {"S": mdp.n_states, "A": mdp.n_actions, "H": mdp.horizon, "T": T, "N_off": self.data.size}
        data = {
            "G": parameters.hybrid_water(visits, T),
            "Z": parameters.hybrid_unseen(visits),
            "C_off": uncovered,
            "N_T": min(float(T), parameters.hybrid_epochs(visits[:-1], T)),
        }
        step = {"eta": self.eta, "W_A": parameters.lambert(mdp.n_actions)}
        return {**sizes, **data, **step, "delta": DELTA, "delta_prime": DELTA}

    def run(self, learner: TabularLearner, seeds: np.random.SeedSequence, runs: int) -> TabularRun:
        """Run a learner from the offline data."""
        learner = replace(learner, delta=DELTA)
        return algorithms.run(
            self.mdp, learner, episodes=self.episodes, seeds=seeds, runs=runs, record=1, offline=self.data
        )


def uniform_data(mdp: FiniteHorizonMDP, n: int, seed: int = 0) -> OfflineData:
    """Return ``n`` transitions a stage from uniformly drawn pairs."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    return offline_draws(mdp, np.full(shape, 1.0 / (shape[1] * shape[2])), n, seed)


def misleading(lock: FiniteHorizonMDP, n: int) -> OfflineData:
    """Return ``n`` transitions of every action that ends the lock, and none of those that keep it."""
    counts = np.full((lock.horizon, lock.n_states, lock.n_actions), n, dtype=np.int64)
    counts[np.arange(lock.horizon), 0, lock_solution(lock)] = 0
    return offline_counts(lock, counts, 0)


def demonstrations(lock: FiniteHorizonMDP, n: int) -> OfflineData:
    """Return ``n`` episodes of a policy that mixes the optimal and the uniform one evenly."""
    uniform = np.full((lock.horizon, lock.n_states, lock.n_actions), 1.0 / lock.n_actions)
    best = np.zeros_like(uniform)
    stages, states = np.indices(uniform.shape[:2])
    best[stages, states, backward_induction(lock).policy] = 1.0
    return offline_trajectories(lock, mixture(lock, [best, uniform]), n, 0)


def hybrid(mdp: FiniteHorizonMDP, data: Callable[[FiniteHorizonMDP], OfflineData], episodes: int, eta: float) -> Hybrid:
    """Return a setting with data of a model."""
    return Hybrid(mdp, data(mdp), episodes, eta)


# Regret


def regret(
    setting: Hybrid,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    name: str,
    optimistic: bool,
    covered: float = 1.0,
) -> Sample:
    """Exact regret of independent runs against the bound of a claim.

    Parameters
    ----------
    covered
        Factor of C_off.
    """
    run = setting.run(TabularLearner(eta=setting.eta, optimistic=optimistic), seeds, runs)
    values = setting.values(covered * algorithms.coverage_term(run))
    bound = CLAIMS[name].explicit_bound.evaluate(**values)
    return Sample(run.regret[:, -1], bound, vacuous=bound >= setting.mdp.horizon * setting.episodes)


def hybrid_settings(tier: Tier) -> Mapping[str, Callable[[], Hybrid]]:
    """Return settings at which the bound of hybrid NORA says something."""
    settings: dict[str, Callable[[], Hybrid]] = {
        "lock, H=2, A=2, misleading data": lambda: hybrid(
            two_state_lock(2, 2), partial(misleading, n=500), 2_000, 100.0
        ),
        "random (3, 2, 3), 1000 uniform": lambda: hybrid(
            random_tabular(3, 2, 3, 0), partial(uniform_data, n=1_000), 1_500, 10.0
        ),
    }
    if tier != Tier.QUICK:
        for n in (0, 100, 10_000):
            settings[f"random (3, 2, 3), {n} uniform"] = partial(
                hybrid, random_tabular(3, 2, 3, 1), partial(uniform_data, n=n), 10_000, 1.0
            )
    return settings


def noah_settings(tier: Tier) -> Mapping[str, Callable[[], Hybrid]]:
    """Return settings at which the bound of NOAH says something."""
    settings: dict[str, Callable[[], Hybrid]] = {
        "lock, H=2, A=4, no data": lambda: hybrid(two_state_lock(2, 4), no_data, 1_500, 100.0),
        "random (3, 2, 3), 1000 uniform": lambda: hybrid(
            random_tabular(3, 2, 3, 0), partial(uniform_data, n=1_000), 2_000, 1.0
        ),
    }
    if tier != Tier.QUICK:
        settings["lock, H=6, A=4, no data"] = lambda: hybrid(two_state_lock(6, 4), no_data, 400_000, 10.0)
        for n in (1_000, 10_000):
            settings[f"random (4, 2, 3), {n} uniform"] = partial(
                hybrid, random_tabular(4, 2, 3, 1), partial(uniform_data, n=n), 20_000, 1.0
            )
    return settings


def lock_episodes(tier: Tier) -> Mapping[str, Callable[[], int]]:
    """Return half of the number of episodes on the lock."""
    return {"lock, H=6, A=4": lambda: 400 if tier == Tier.QUICK else 10_000}


def lock_regret(
    episodes: int,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    demonstrated: int = 0,
    optimistic: bool = False,
    slope: float = 0.9,
) -> Sample:
    """Regret of the second half of a run on the lock against ``slope`` an episode; more than 0.9 it cannot be."""
    lock = two_state_lock(6, 4)
    run = algorithms.run(
        lock,
        TabularLearner(eta=10.0, optimistic=optimistic, delta=DELTA),
        episodes=2 * episodes,
        seeds=seeds,
        runs=runs,
        record=None,
        offline=demonstrations(lock, demonstrated),
    )
    paid = run.regret[:, -1] - run.regret[:, episodes - 1]
    return Sample(paid, slope * episodes, ">=", tolerance=1e-4)


# Potentials and coverage


def potential(setting: Hybrid, *, scale: float = 1.0, forgotten: bool = False) -> Comparison:
    """Compare the Bellman errors that hybrid NORA met with their bound, if the event holds.

    Parameters
    ----------
    forgotten
        Whether the learner starts without the data that the bound counts on.
    """
    played = replace(setting, data=no_data(setting.mdp)) if forgotten else setting
    run = played.run(TabularLearner(eta=setting.eta), np.random.SeedSequence(0), 1)
    if max(-run.least_error[0], run.largest_excess[0]) > ROUNDING:
        return Comparison(0.0, 0.0, where="off the event")
    bound = CLAIMS["hybrid_tabular_potential"].explicit_bound.evaluate(**setting.values(0.0))
    return Comparison(float(run.realised[0, -1].sum()), scale * bound)


def hybrids() -> Any:
    """Return the strategy of random models with few, many, or uneven offline data."""
    from hypothesis import strategies as st

    def build(model: int, horizon: int, counts: list[int], episodes: int) -> Hybrid:
        mdp = random_tabular(2, 2, horizon, model)
        table = np.resize(np.array(counts, dtype=np.int64), (horizon, 2, 2))
        return Hybrid(mdp, offline_counts(mdp, table, model), episodes, 1.0)

    counts = st.lists(st.sampled_from([0, 1, 3, 10, 100, 1_000]), min_size=1, max_size=8)
    return st.builds(build, st.integers(0, 2**16), st.integers(1, 4), counts, st.integers(1, 600))


def flat_hybrid(*known: int) -> Hybrid:
    """Two actions of one state, known from so many transitions."""
    mdp = flat(1, 2, 2)
    counts = np.broadcast_to(np.array(known, dtype=np.int64), (2, 1, 2))
    return Hybrid(mdp, offline_counts(mdp, counts, 0), 20_000, 10.0)


@dataclass(frozen=True, eq=False)
class Coverage:
    """Visits of the optimal policy ``(H, S)``, one action each, a law of the data over them, and their number."""

    visits: FloatArray
    measure: FloatArray
    samples: int
    iota: float

    @property
    def concentrability(self) -> float:
        """Largest ratio of the visits and the law of the data."""
        return tabular_concentrability(self.visits, self.measure)


def coverages() -> Any:
    """Return the strategy of visits and laws of which each gives some mass to every visited pair."""
    from hypothesis import strategies as st

    def build(horizon: int, states: int, seed: int, samples: int, iota: float) -> Coverage:
        rng = np.random.default_rng(seed)
        visits, measure = rng.dirichlet(np.ones(states), (2, horizon))
        return Coverage(visits, measure, samples, iota)

    numbers = st.integers(1, 10**6)
    return st.builds(build, st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**16), numbers, st.floats(1.0, 50.0))


def even_coverage(horizon: int, states: int, share: float, samples: int) -> Coverage:
    """Return even visits, of which the data have the same share everywhere: the bound is attained."""
    visits = np.full((horizon, states), 1.0 / states)
    return Coverage(visits, share * visits, samples, 12.0)


def noah_samples(instance: Coverage, *, scale: float = 1.0) -> Comparison:
    """Compare C_off, if every pair has half of its share of the data, with its bound."""
    horizon, states = instance.visits.shape
    counts = instance.samples * instance.measure / 2.0
    missed = parameters.coverage(instance.visits.tolist(), counts.tolist(), instance.iota)
    bound = CLAIMS["noah_samples"].explicit_bound.evaluate(
        H=horizon, S=states, iota=instance.iota, c_star=instance.concentrability, N_off=instance.samples
    )
    return Comparison(missed, scale * bound)


IDLE: Mapping[str, Callable[[], Hybrid]] = {
    "flat, one action known": partial(flat_hybrid, 3_000, 0),
    "flat, both known": partial(flat_hybrid, 50_000, 50_000),
}


# Figure


OFFLINE_SIZES: IntArray = np.array([0, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 100_000])


def gain_figure(tier: Tier) -> Json:
    """Return regret and bound of hybrid NORA against the number of offline transitions."""
    runs, episodes = (2, 2_000) if tier == Tier.QUICK else (20, 10_000)
    curves = []
    for label, optimistic, name in (("NORA", True, "hybrid_tabular_regret"), ("NOAH", False, "noah_tabular_regret")):
        means, bounds = [], []
        for n in OFFLINE_SIZES:
            lock = two_state_lock(6, 4)
            setting = Hybrid(lock, uniform_data(lock, int(n)), episodes, 10.0)
            run = setting.run(TabularLearner(eta=10.0, optimistic=optimistic), np.random.SeedSequence(0), runs)
            means.append(run.regret[:, -1].mean())
            bounds.append(CLAIMS[name].explicit_bound.evaluate(**setting.values(algorithms.coverage_term(run))))
        curves.append({"label": label, "x": OFFLINE_SIZES + 1, "y": means, "bound": bounds})
    ends = np.array([1, OFFLINE_SIZES[-1] + 1])
    trivial = {"label": "HT", "x": ends, "y": [6 * episodes] * 2, "muted": True}
    return {
        "kind": "curves",
        "title": "What offline data save on a combination lock (six stages, four actions)",
        "xlabel": "1 + offline transitions of one stage, drawn uniformly",
        "ylabel": f"regret of {episodes} episodes",
        "xscale": "log",
        "yscale": "log",
        "caption": "Dashed: the bounds, vacuous above HT. NOAH has no bonus: without data it never opens the lock.",
        "curves": [*curves, trivial],
    }


RUNS = Sizes(runs_needed(FAILURE, ALPHA / 2), full=runs_needed(FAILURE, ALPHA / 5))

CHECKS = (
    Check(
        f"{theory.FAMILY}.hybrid_tabular_regret",
        MonteCarlo(hybrid_settings, RUNS, delta=FAILURE, alpha=ALPHA),
        partial(regret, name="hybrid_tabular_regret", optimistic=True),
        (Mutant("no_optimism", "no bonus: misleading data are believed", {"optimistic": False}),),
        figure=gain_figure,
    ),
    Check(
        f"{theory.FAMILY}.hybrid_tabular_potential",
        Search(hybrids, Sizes(25, full=1_000), corners=IDLE),
        potential,
        (
            Mutant("less", "41/100 of the bound", {"scale": 0.41}),
            Mutant("forgotten", "the bound with data, a learner without them", {"forgotten": True}),
        ),
    ),
    Check(
        f"{theory.FAMILY}.noah_tabular_regret",
        MonteCarlo(noah_settings, RUNS, delta=FAILURE, alpha=ALPHA),
        partial(regret, name="noah_tabular_regret", optimistic=False),
        (Mutant("no_slope", "the bound without T C_off", {"covered": 0.0}),),
    ),
    Check(
        f"{theory.FAMILY}.noah_without_data",
        MonteCarlo(lock_episodes, Sizes(runs_needed(DELTA, ALPHA)), delta=DELTA, alpha=ALPHA),
        lock_regret,
        (
            Mutant("demonstrated", "fifty episodes of data", {"demonstrated": 50}),
            Mutant("optimistic", "a bonus", {"optimistic": True}),
            Mutant("steeper", "0.901 an episode", {"slope": 0.901}),
        ),
    ),
    Check(
        f"{theory.FAMILY}.noah_samples",
        Search(
            coverages,
            Sizes(60, full=3_000),
            corners={"even": partial(even_coverage, 4, 3, 0.5, 10_000)},
        ),
        noah_samples,
        (Mutant("hundredth_less", "99/100 of the bound", {"scale": 0.99}),),
    ),
)
