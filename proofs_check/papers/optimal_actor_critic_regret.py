r"""Checks of the tabular optimistic actor-critics: critics, switches, tracking, regret and its exponent.

Regret, tracking gaps and Bellman errors are exact: every policy that is played is pushed forward through the true
model. Bounds are compared where they say something; how loose they are there is reported as tightness. The parts of a
bound have instances that use more of them: one state and equal rewards, where every Bellman error is its whole bonus
(`flat`), and coins, which deviate as far as counts of one transition can (`coins`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from mdps.actor_critic_instances import flat, minimax, random_tabular, two_state_lock
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray
from proofs_check.cases import OnModel
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.montecarlo import MonteCarlo, Sample
from proofs_check.methods.rates import Rates
from proofs_check.methods.search import Search
from proofs_check.methods.statistics import runs_needed
from solvers import optimal_actor_critic as algorithms
from solvers.optimal_actor_critic import TabularLearner, TabularRun
from theory import optimal_actor_critic as theory
from theory import optimal_actor_critic_parameters as parameters
from theory.claim import Claim

CLAIMS: Mapping[str, Claim] = {claim.id.split(".")[1]: claim for claim in theory.CLAIMS}

DELTA = 0.05
"""delta and delta'."""

FAILURE = 2.0 * DELTA
"""Probability with which a regret bound may fail."""

ALPHA = 0.01
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Setting(OnModel):
    """A model, the number of episodes, and a step size."""

    mdp: FiniteHorizonMDP
    episodes: int
    eta: float = 10.0

    @property
    def values(self) -> dict[str, float]:
        """Values of the symbols of the tabular bounds."""
        mdp = self.mdp
        sizes = {"S": mdp.n_states, "A": mdp.n_actions, "H": mdp.horizon, "T": self.episodes}
        step = {"eta": self.eta, "W_A": parameters.lambert(mdp.n_actions)}
        return {**sizes, **step, "delta": DELTA, "delta_prime": DELTA}

    def run(self, seeds: np.random.SeedSequence, runs: int, changes: Mapping[str, Any], record: int = 1) -> TabularRun:
        """Run NORA with some settings changed."""
        learner = replace(TabularLearner(eta=self.eta, delta=DELTA), **changes)
        return algorithms.run(self.mdp, learner, episodes=self.episodes, seeds=seeds, runs=runs, record=record)


def bound_of(name: str, setting: Setting) -> float:
    """Return the bound of a claim at a setting."""
    return CLAIMS[name].explicit_bound.evaluate(**setting.values)


def coins(n_actions: int) -> FiniteHorizonMDP:
    """Two stages: every action tosses a fair coin for a second stage that pays 1 or nothing."""
    rewards = np.zeros((2, 2, n_actions))
    rewards[1, 1] = 1.0
    return FiniteHorizonMDP(np.full((2, n_actions, 2), 0.5), rewards, 2)


# Critics


def event(setting: Setting, seeds: np.random.SeedSequence, runs: int, **changes: Any) -> Sample:
    """Return by how much, at worst, a critic falls short of Q*, or a Bellman error leaves its range."""
    run = setting.run(seeds, runs, changes)
    worst = np.max([-run.least_gap, -run.least_error, run.largest_excess], axis=0)
    return Sample(worst, 0.0, tolerance=ROUNDING)


def event_settings(tier: Tier) -> Mapping[str, Callable[[], Setting]]:
    """Return coins, a lock, and random models."""
    settings: dict[str, Callable[[], Setting]] = {
        "16 coins": lambda: Setting(coins(16), 400, 1.0),
        "random (3, 2, 3)": lambda: Setting(random_tabular(3, 2, 3, 0), 200, 1.0),
    }
    if tier != Tier.QUICK:
        settings["lock, H=6, A=4"] = lambda: Setting(two_state_lock(6, 4), 5_000, 1.0)
    return settings


# Single runs


@dataclass(frozen=True, eq=False)
class Trial:
    """A setting and a seed."""

    setting: Setting
    seed: int

    @property
    def unit_rewards(self) -> bool:
        """Whether rewards lie in [0, 1]."""
        return self.setting.unit_rewards

    @property
    def reward_law(self) -> str:
        """Law of the rewards around their means."""
        return self.setting.reward_law


def trials() -> Any:
    """Return the strategy of trials on random models."""
    from hypothesis import strategies as st

    def build(states: int, actions: int, horizon: int, model: int, episodes: int, eta: float) -> Trial:
        return Trial(Setting(random_tabular(states, actions, horizon, model), episodes, eta), model)

    sizes = st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)
    numbers, episodes = st.integers(0, 2**16), st.integers(1, 600)
    return st.builds(build, *sizes, numbers, episodes, st.sampled_from([0.1, 1.0, 10.0]))


def trial(mdp: FiniteHorizonMDP, episodes: int, eta: float) -> Callable[[], Trial]:
    """Return the constructor of a trial."""
    return lambda: Trial(Setting(mdp, episodes, eta), 0)


def single(instance: Trial, changes: Mapping[str, Any], record: int = 12) -> TabularRun:
    """Run once, with records at log-spaced times."""
    return instance.setting.run(np.random.SeedSequence(instance.seed), 1, changes, record)


def switches(instance: Trial, *, scale: float = 1.0, **changes: Any) -> Comparison:
    """Compare the number of epochs with its bound."""
    epochs = int(single(instance, changes, 1).epochs[0, -1])
    return Comparison(float(epochs), scale * bound_of("nora_tabular_switches", instance.setting))


def potential(instance: Trial, *, scale: float = 1.0) -> Comparison:
    """Compare the Bellman errors that were met with their bound, if the event holds."""
    run = single(instance, {}, 1)
    if max(-run.least_error[0], run.largest_excess[0]) > ROUNDING:
        return Comparison(0.0, 0.0, where="off the event")
    bound = bound_of("nora_tabular_potential", instance.setting)
    return Comparison(float(run.realised[0, -1].sum()), scale * bound)


def tracking(instance: Trial, *, scale: float = 1.0, **changes: Any) -> Comparison:
    """Compare the tracking error of a run with its bound; bonuses are scaled down, for they do not matter here."""
    run = single(instance, {"bonus_scale": 0.2, **changes}, 1)
    bound = bound_of("nora_tabular_tracking", instance.setting)
    return Comparison(float(run.tracking[0, -1].sum()), scale * bound)


def sharpest() -> Trial:
    """One episode of one state: two actions with the gap (1 + W_2) / eta, which attains the last-iterate bound."""
    eta = 10.0
    rewards = np.array([[(1.0 + parameters.lambert(2)) / eta, 0.0]])
    return Trial(Setting(FiniteHorizonMDP(np.ones((1, 2, 1)), rewards, 1), 1, eta), 0)


def single_action(episodes: int) -> Trial:
    """One state and one action: its count doubles as often as it can, and a switch is due in the last episode."""
    return Trial(Setting(flat(1, 1, 2), episodes), 0)


# Regret


def regret(
    setting: Setting,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    name: str,
    learner: Callable[[Setting], TabularLearner],
    plot: bool = False,
    **changes: Any,
) -> Sample:
    """Exact regret of independent runs against the bound of a claim."""
    bound = CLAIMS[name].explicit_bound
    played = replace(learner(setting), delta=DELTA, **changes)
    run = algorithms.run(
        setting.mdp, played, episodes=setting.episodes, seeds=seeds, runs=runs, record=40 if plot else 1
    )
    bounds = [bound.evaluate(**{**setting.values, "T": int(t)}) for t in run.episodes]
    first = bound.nonvacuous_from("T", parameters.TRIVIAL, setting.values)
    return Sample(
        run.regret[:, -1],
        bounds[-1],
        vacuous=bounds[-1] >= setting.mdp.horizon * setting.episodes,
        nonvacuous_from=first,
        plot=_figure(run, bounds, first) if plot else None,
    )


def _figure(run: TabularRun, bounds: list[float], first: int | None) -> Json:
    low, median, high = np.quantile(run.regret, [0.1, 0.5, 0.9], axis=0)
    trivial = run.mdp.horizon * run.episodes
    curves = {"low": low, "median": median, "high": high, "bound": bounds, "trivial": trivial}
    return {"kind": "regret", "episodes": run.episodes, **curves, "nonvacuous_from": first}


def nora(setting: Setting) -> TabularLearner:
    """Return NORA at the step size of a setting."""
    return algorithms.nora(setting.eta)


def douhua(setting: Setting) -> TabularLearner:
    """Return DOUHUA at the step size of its theorem."""
    return algorithms.douhua(setting.mdp, setting.episodes)


def tuned(mdp: FiniteHorizonMDP, episodes: int) -> Setting:
    """Return a setting whose step size is best in the generic lemma for the largest number of epochs."""
    rate = parameters.RATE_EPOCHS.subs(parameters.EPOCHS, parameters.EPOCHS_TABULAR)
    sizes = {"S": mdp.n_states, "A": mdp.n_actions, "H": mdp.horizon, "T": episodes}
    return Setting(mdp, episodes, parameters.evaluate(rate, **sizes))


def regret_settings(tier: Tier) -> Mapping[str, Callable[[], Setting]]:
    """Return settings at which the bound of NORA says something; on the lock it is less than what ignorance costs."""
    settings: dict[str, Callable[[], Setting]] = {
        "lock, H=2, A=2, eta=100": lambda: Setting(two_state_lock(2, 2), 1_500, 100.0),
        "random (2, 2, 2), eta=1": lambda: Setting(random_tabular(2, 2, 2, 0), 600, 1.0),
    }
    if tier != Tier.QUICK:
        settings["random (2, 2, 3), eta=10"] = lambda: Setting(random_tabular(2, 2, 3, 0), 1_500)
        for seed in range(3):
            settings[f"random (4, 2, 3) {seed}, tuned eta"] = partial(tuned, random_tabular(4, 2, 3, seed), 20_000)
        settings["random (5, 3, 5), eta=10"] = lambda: Setting(random_tabular(5, 3, 5, 0), 60_000)
        settings["lock, H=6, A=4, eta=1"] = lambda: Setting(two_state_lock(6, 4), 100_000, 1.0)
    return settings


def douhua_settings(tier: Tier) -> Mapping[str, Callable[[], Setting]]:
    """Return settings at which the bound of DOUHUA says something."""
    settings: dict[str, Callable[[], Setting]] = {"lock, H=2, A=4": lambda: Setting(two_state_lock(2, 4), 2_400)}
    if tier != Tier.QUICK:
        settings["random (2, 2, 3)"] = lambda: Setting(random_tabular(2, 2, 3, 0), 1_000)
        settings["random (4, 2, 3)"] = lambda: Setting(random_tabular(4, 2, 3, 0), 20_000)
        settings["random (5, 3, 5)"] = lambda: Setting(random_tabular(5, 3, 5, 0), 30_000)
    return settings


def bounds_figure(tier: Tier) -> Json:
    """Return regrets of NORA and DOUHUA with their bounds on a random model."""
    runs, episodes = (2, 5_000) if tier == Tier.QUICK else (8, 100_000)
    model = random_tabular(4, 2, 3, 0)
    learners: dict[str, tuple[str, float, Callable[[Setting], TabularLearner]]] = {
        "NORA, eta = 10": ("nora_tabular_regret", 10.0, nora),
        "NORA, eta = 1": ("nora_tabular_regret", 1.0, nora),
        "DOUHUA": ("douhua_tabular_regret", 10.0, douhua),
    }
    curves: list[dict[str, Any]] = []
    firsts = []
    for label, (name, eta, learner) in learners.items():
        setting, bound = Setting(model, episodes, eta), CLAIMS[name].explicit_bound
        run = algorithms.run(
            model, learner(setting), episodes=episodes, seeds=np.random.SeedSequence(0), runs=runs, record=30
        )
        bounds = [bound.evaluate(**{**setting.values, "T": int(t)}) for t in run.episodes]
        curves.append({"label": label, "x": run.episodes, "y": run.regret.mean(axis=0), "bound": bounds})
        firsts.append(bound.nonvacuous_from("T", parameters.TRIVIAL, setting.values))
    curves.append({"label": "HT", "x": curves[0]["x"], "y": 3 * curves[0]["x"], "muted": True})
    return {
        "kind": "curves",
        "title": "Tabular actor-critics and their bounds on a random model, (S, A, H) = (4, 2, 3)",
        "xlabel": "episodes",
        "ylabel": "regret",
        "xscale": "log",
        "yscale": "log",
        "caption": (
            f"Dashed: the bounds, which bite from {firsts[0]}, {firsts[1]} and {firsts[2]} episodes on; each is that "
            "of a learner that knows this number of episodes, the curves are of one that knows the last."
        ),
        "curves": curves,
    }


def worst_regret(episodes: int, seeds: np.random.SeedSequence, runs: int, *, power: float = 0.0) -> FloatArray:
    """Regrets ``(runs,)`` at the gap that is tuned to T, times T to the ``power``."""
    run = algorithms.run(minimax(episodes), algorithms.nora(1.0), episodes=episodes, seeds=seeds, runs=runs, record=1)
    regrets: FloatArray = run.regret[:, -1] * float(episodes) ** power
    return regrets


RUNS = Sizes(runs_needed(FAILURE, ALPHA / 2), full=runs_needed(FAILURE, ALPHA / 8))

CHECKS = (
    Check(
        f"{theory.FAMILY}.nora_tabular_event",
        MonteCarlo(event_settings, Sizes(130, full=600), delta=DELTA, alpha=ALPHA),
        event,
        (
            Mutant("fifth", "a fifth of iota", {"iota_scale": 0.2}),
            Mutant("thirtieth", "three hundredths of iota", {"iota_scale": 0.03}, tier=Tier.FULL),
            Mutant("no_bonus", "no bonus", {"bonus_scale": 0.0}, tier=Tier.FULL),
        ),
    ),
    Check(
        f"{theory.FAMILY}.nora_tabular_switches",
        Search(trials, Sizes(25, full=1_000), corners={"one action": partial(single_action, 2**12 + 1)}),
        switches,
        (
            Mutant("hundredth_less", "99/100 of the number", {"scale": 0.99}),
            Mutant("each_episode", "a critic in each episode", {"refresh": "episode"}),
        ),
    ),
    Check(
        f"{theory.FAMILY}.nora_tabular_potential",
        Search(trials, Sizes(25, full=1_000), corners={"flat": trial(flat(1, 2, 2), 10_000, 10.0)}),
        potential,
        (Mutant("less", "41/100 of the bound", {"scale": 0.41}),),
    ),
    Check(
        f"{theory.FAMILY}.nora_tabular_tracking",
        Search(
            trials,
            Sizes(25, full=1_000),
            corners={
                "random (4, 2, 3)": trial(random_tabular(4, 2, 3, 0), 4_000, 1.0),
                "one state, one episode": sharpest,
            },
        ),
        tracking,
        (
            Mutant("each_episode", "reset and a new critic in each episode", {"refresh": "episode"}),
            Mutant("hundredth_less", "99/100 of the bound", {"scale": 0.99}),
        ),
    ),
    Check(
        f"{theory.FAMILY}.nora_tabular_regret",
        MonteCarlo(regret_settings, RUNS, delta=FAILURE, alpha=ALPHA),
        partial(regret, name="nora_tabular_regret", learner=nora, plot=True),
        (Mutant("no_optimism", "no bonus, unvisited pairs worth their reward", {"optimistic": False}),),
    ),
    Check(
        f"{theory.FAMILY}.douhua_tabular_regret",
        MonteCarlo(douhua_settings, RUNS, delta=FAILURE, alpha=ALPHA),
        partial(regret, name="douhua_tabular_regret", learner=douhua),
        (Mutant("reset", "the actor is reset in each episode", {"reset": True}),),
        figure=bounds_figure,
    ),
    Check(
        f"{theory.FAMILY}.nora_tabular_rate",
        Rates(
            0.5,
            "most",
            Sizes((250, 1_000, 4_000, 16_000)),
            Sizes(300),
            resolution=0.04,
        ),
        worst_regret,
        (Mutant("less", "the exponent 2/5", {"power": 0.1}),),
        tier=Tier.FULL,
    ),
)
