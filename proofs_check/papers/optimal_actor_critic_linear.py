r"""Checks of the linear optimistic actor-critics: critics, switches, stale covariances, regret, offline data.

Regret is exact. Models are random features on the simplex, and three small ones: `needle`, a single stage where one
action out of sixteen is better and has a feature of its own; `one_direction`, a single feature, whose covariance grows
as fast as it can; and `silent`, one stage that pays nothing, where a Bellman error is its whole bonus.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from math import log, sqrt
from typing import Any

import numpy as np

from mdps.linear import LinearMDP
from mdps.linear_instances import random_simplex
from mdps.offline import OfflineData, no_data, offline_counts, offline_draws
from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.montecarlo import MonteCarlo, Sample
from proofs_check.methods.search import Search
from proofs_check.methods.statistics import runs_needed
from proofs_check.papers.optimal_actor_critic_hybrid import CLAIMS as OFFLINE_CLAIMS
from proofs_check.papers.optimal_actor_critic_regret import ALPHA, CLAIMS, DELTA, FAILURE, ROUNDING
from solvers import optimal_actor_critic_linear as algorithms
from solvers.optimal_actor_critic_linear import LinearLearner, LinearRuns
from solvers.planning import backward_induction, occupancy
from theory import optimal_actor_critic as theory
from theory import optimal_actor_critic_parameters as parameters


@dataclass(frozen=True, eq=False)
class LinearSetting:
    """A linear model, the number of episodes, a step size, and offline data if there are any."""

    mdp: LinearMDP
    episodes: int
    eta: float = 10.0
    data: OfflineData | None = None
    seed: int = 0

    @property
    def unit_rewards(self) -> bool:
        """Whether rewards lie in [0, 1]."""
        return self.mdp.unit_rewards

    @property
    def reward_law(self) -> str:
        """Rewards are their means."""
        return "deterministic"

    @property
    def norm_excess(self) -> float:
        """By how much a feature is longer than 1, or reward weights than sqrt(d); factors are laws, hence short."""
        longest = np.linalg.norm(self.mdp.features, axis=-1).max() - 1.0
        return float(max(longest, np.linalg.norm(self.mdp.weights, axis=1).max() - sqrt(self.mdp.n_factors)))

    @property
    def offline(self) -> OfflineData:
        """The offline data, possibly none."""
        return no_data(self.mdp.to_tabular()) if self.data is None else self.data

    @property
    def values(self) -> dict[str, float]:
        """Values of the symbols of the bounds that do not depend on data."""
        mdp = self.mdp
        sizes = {"d": mdp.n_factors, "A": mdp.n_actions, "H": mdp.horizon, "T": self.episodes}
        step = {"eta": self.eta, "W_A": parameters.lambert(mdp.n_actions)}
        return {**sizes, **step, "delta_prime": DELTA}

    @property
    def radius(self) -> float:
        """Beta without offline data."""
        return self._radius(True)

    def _radius(self, bonus: bool) -> float:
        mdp, total = self.mdp, self.episodes + (0 if self.data is None else self.data.size)
        return parameters.linear_radius(mdp.n_factors, mdp.n_states, mdp.horizon, total, DELTA, bonus=bonus)

    def offline_values(self, bonus: bool) -> dict[str, float]:
        """Values of the symbols of the bounds with offline data; ``C_off`` is that of the radius without bonuses."""
        mdp, counts = self.mdp, self.offline.counts
        covariances = np.eye(mdp.n_factors) + np.einsum(
            "hsa,hsai,hsaj->hij", counts, mdp.staged_features, mdp.staged_features
        )
        growth = [
            parameters.linear_water_filling(np.linalg.eigvalsh(stage).tolist(), self.episodes) for stage in covariances
        ]
        beta = self._radius(bonus)
        widths = np.sqrt(
            np.einsum("hsai,hij,hsaj->hsa", mdp.staged_features, np.linalg.inv(covariances), mdp.staged_features)
        )
        model = mdp.to_tabular()
        visits = occupancy(model, backward_induction(model).policy)
        left = np.arange(mdp.horizon, 0, -1)[:, None, None]
        return {
            **self.values,
            "beta": beta,
            "Gamma": sum(sqrt(stage) for stage in growth),
            "N_T": min(float(self.episodes), 1.0 + sum(growth) / log(2.0)),
            "C_off": float((visits * np.minimum(left, beta * widths)).sum()),
        }

    def run(self, learner: LinearLearner, seeds: np.random.SeedSequence, runs: int, **options: Any) -> LinearRuns:
        """Run a learner from the offline data."""
        learner = replace(learner, delta=DELTA)
        options = {"record": 1, **options}
        return algorithms.run_linear(
            self.mdp, learner, episodes=self.episodes, seeds=seeds, runs=runs, offline=self.data, **options
        )


def simplex(
    sizes: tuple[int, int, int, int], seed: int, episodes: int, eta: float = 10.0, offline: int = 0
) -> LinearSetting:
    """Return a random linear model with (d, S, A, H) = ``sizes`` and uniformly drawn offline transitions."""
    mdp = random_simplex(seed, *sizes)
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    law = np.full(shape, 1.0 / (mdp.n_states * mdp.n_actions))
    data = offline_draws(mdp.to_tabular(), law, offline, seed) if offline else None
    return LinearSetting(mdp, episodes, eta, data, seed)


def arms(features: FloatArray, weights: list[float]) -> LinearMDP:
    """Return a model of one state and one stage with the given features ``(A, d)``."""
    return LinearMDP(features[None], np.ones((1, features.shape[1], 1)), [weights])


def needle(episodes: int, first: int = 0, last: int = 0) -> LinearSetting:
    """Fifteen actions that pay 0.1 and share a feature, one that pays 1; offline data of the first and the last."""
    features = np.zeros((16, 2))
    features[:15, 0], features[15, 1] = 1.0, 1.0
    mdp = arms(features, [0.1, 1.0])
    counts = np.zeros((1, 1, 16), dtype=np.int64)
    counts[0, 0, 0], counts[0, 0, 15] = first, last
    return LinearSetting(mdp, episodes, 100.0, offline_counts(mdp.to_tabular(), counts, 0) if first + last else None)


def one_direction(episodes: int) -> LinearSetting:
    """One action with one feature: its determinant doubles as often as it can."""
    return LinearSetting(arms(np.ones((1, 1)), [0.5]), episodes)


@dataclass(frozen=True, eq=False)
class Silent(LinearSetting):
    """One action that pays nothing, with a radius of its own: any radius is valid, and none is clipped."""

    beta: float = field(default=0.1, kw_only=True)


def silent(episodes: int) -> Silent:
    """Return the setting."""
    return Silent(arms(np.ones((1, 1)), [0.0]), episodes)


def draws() -> Any:
    """Return the strategy of random linear models."""
    from hypothesis import strategies as st

    def build(d: int, states: int, actions: int, horizon: int, seed: int, episodes: int, eta: float) -> LinearSetting:
        return simplex((d, states, actions, horizon), seed, episodes, eta)

    sizes = st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)
    return st.builds(build, *sizes, st.integers(0, 2**16), st.integers(1, 400), st.sampled_from([0.1, 1.0, 10.0]))


def single(setting: LinearSetting, **changes: Any) -> LinearRuns:
    """Run NORA once with some settings changed."""
    beta = setting.beta if isinstance(setting, Silent) else None
    learner = LinearLearner(eta=setting.eta, beta=beta, **changes)
    return setting.run(learner, np.random.SeedSequence(setting.seed), 1)


# Critics and switches


def event(setting: LinearSetting, seeds: np.random.SeedSequence, runs: int, **changes: Any) -> Sample:
    """Return by how much, at worst, a critic falls short of Q*, or a Bellman error leaves its range."""
    run = setting.run(LinearLearner(eta=setting.eta, **changes), seeds, runs, evaluated=False)
    return Sample(np.max([-run.optimism, -run.low, run.high], axis=0), 0.0, tolerance=ROUNDING)


def event_settings(tier: Tier) -> Mapping[str, Callable[[], LinearSetting]]:
    """Return random models; the last critics of the first one are below their caps at nearly half of the pairs."""
    settings = {"(2, 3, 2, 2)": lambda: simplex((2, 3, 2, 2), 0, 1_000)}
    if tier != Tier.QUICK:
        settings["(4, 10, 3, 3)"] = lambda: simplex((4, 10, 3, 3), 1, 5_000)
    return settings


def switches(setting: LinearSetting, *, scale: float = 1.0, **changes: Any) -> Comparison:
    """Compare the number of critics with its bound."""
    run = single(setting, **changes)
    bound = CLAIMS["nora_linear_switches"].explicit_bound.evaluate(**setting.values)
    return Comparison(float(run.switches[0, -1]), scale * bound)


def staleness(setting: LinearSetting, *, factor: float = 2.0, **changes: Any) -> Comparison:
    """Compare the largest ratio of squared widths at visited pairs, in the inverses of the critic and of now."""
    return Comparison(float(single(setting, **changes).staleness[0]), factor)


def potential(setting: LinearSetting, *, scale: float = 1.0) -> Comparison:
    """Compare the Bellman errors that were met with their bound, if the event holds."""
    run = single(setting)
    if max(-run.low[0], run.high[0]) > ROUNDING:
        return Comparison(0.0, 0.0, where="off the event")
    bound = CLAIMS["nora_linear_potential"].explicit_bound.evaluate(**setting.values, beta=run.beta)
    return Comparison(float(run.bellman[0, -1]), scale * bound)


# Regret


def regret(setting: LinearSetting, seeds: np.random.SeedSequence, runs: int, **changes: Any) -> Sample:
    """Exact regret of independent runs of NORA against its bound."""
    bound = CLAIMS["nora_linear_regret"].explicit_bound

    def at(episodes: int) -> float:
        then = replace(setting, episodes=episodes)
        return bound.evaluate(**then.values, beta=then.radius)

    run = setting.run(LinearLearner(eta=setting.eta, **changes), seeds, runs, record=30)
    low, median, high = np.quantile(run.regret, [0.1, 0.5, 0.9], axis=0)
    trivial = setting.mdp.horizon * run.episodes
    bounds = [at(int(t)) for t in run.episodes]
    first = first_biting(at, setting.mdp.horizon)
    return Sample(
        run.regret[:, -1],
        bounds[-1],
        vacuous=bounds[-1] >= trivial[-1],
        nonvacuous_from=first,
        plot={
            "kind": "regret",
            "episodes": run.episodes,
            **{"low": low, "median": median, "high": high, "bound": bounds, "trivial": trivial},
            "nonvacuous_from": first,
        },
    )


def first_biting(bound: Callable[[int], float], value: float) -> int:
    """Return the first number of episodes at which a bound is below the value of as many episodes."""
    high = 1
    while bound(high) >= value * high:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if bound(middle) < value * middle else (middle, high)
    return high


def regret_settings(tier: Tier) -> Mapping[str, Callable[[], LinearSetting]]:
    """Return settings at which the bound of NORA says something."""
    settings = {"needle": lambda: needle(7_000)}
    if tier != Tier.QUICK:
        settings["(2, 3, 2, 2), eta=10"] = lambda: simplex((2, 3, 2, 2), 0, 40_000)
        settings["(2, 3, 2, 2), eta=1"] = lambda: simplex((2, 3, 2, 2), 1, 60_000, 1.0)
    return settings


def offline_regret(
    setting: LinearSetting,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    name: str,
    bonus: bool,
    covered: float = 1.0,
    believed: bool = False,
) -> Sample:
    """Exact regret of independent runs with offline data against the bound of a claim.

    Parameters
    ----------
    covered
        Factor of C_off.
    believed
        Whether the learner has no bonus all the same.
    """
    values = setting.offline_values(bonus)
    bound = OFFLINE_CLAIMS[name].explicit_bound.evaluate(**{**values, "C_off": covered * values["C_off"]})
    run = setting.run(LinearLearner(eta=setting.eta, bonus=bonus and not believed), seeds, runs)
    return Sample(run.regret[:, -1], bound, vacuous=bound >= setting.mdp.horizon * setting.episodes)


def offline_settings(tier: Tier) -> Mapping[str, Callable[[], LinearSetting]]:
    """Return settings with offline data; on the first one only the bound of hybrid NORA says something."""
    settings = {
        "needle, 1000 of the first action": lambda: needle(6_000, 1_000),
        "needle, 1000 of the last action": lambda: needle(3_000, 0, 1_000),
    }
    if tier != Tier.QUICK:
        settings["(2, 3, 2, 2), 20000 uniform"] = lambda: simplex((2, 3, 2, 2), 0, 5_000, 10.0, 20_000)
        settings["(2, 3, 2, 2), 5000 uniform"] = lambda: simplex((2, 3, 2, 2), 1, 10_000, 1.0, 5_000)
    return settings


# Step sizes


def tuned_rate(setting: LinearSetting) -> float:
    """Return the step size that is best in the generic lemma for the largest number of epochs."""
    epochs = parameters.evaluate(parameters.EPOCHS_LINEAR, **setting.values, **{"lambda": 1.0})
    return parameters.evaluate(parameters.RATE_EPOCHS, **setting.values, N_T=epochs)


def forgetful_step(
    sizes: tuple[int, int, int, int],
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    ratio: float = 2.0,
    forgetful: bool = True,
) -> Sample:
    """Regrets at the two step sizes, each run on a model of its own."""
    paid = np.empty((2, runs))
    for i, seed in enumerate(seeds.generate_state(runs)):
        setting = simplex(sizes, int(seed), 5_000)
        other = parameters.evaluate(parameters.RATE_FORGETFUL, **setting.values) if forgetful else 1.0
        for row, eta in enumerate((other, tuned_rate(setting))):
            learner = LinearLearner(eta=eta, scale=0.05)
            paid[row, i] = setting.run(learner, np.random.SeedSequence(seed), 1).regret[0, -1]
    return Sample(paid[0], ratio * paid[1], ">=")


# Figures


def bounds_figure(tier: Tier) -> Json:
    """Return regrets of NORA and of LSVI-UCB with rare switching against their bounds, and of two other learners."""
    runs, episodes = (2, 2_000) if tier == Tier.QUICK else (4, 100_000)
    setting = simplex((2, 3, 2, 2), 0, episodes)
    bound = CLAIMS["nora_linear_regret"].explicit_bound

    def at(episodes: int, tracked: bool) -> float:
        then = replace(setting, episodes=episodes)
        values = then.values if tracked else {**then.values, "W_A": 0.0}
        return bound.evaluate(**values, beta=then.radius)

    learners: dict[str, tuple[LinearLearner, bool | None]] = {
        "NORA, eta = 10": (LinearLearner(eta=10.0), True),
        "rare LSVI-UCB": (algorithms.rare_lsvi_ucb(), False),
        "LSVI-UCB": (algorithms.lsvi_ucb(), None),
        "DOUHUA": (algorithms.douhua(setting.mdp, episodes), None),
    }
    curves: list[dict[str, Any]] = []
    for label, (learner, tracked) in learners.items():
        run = setting.run(learner, np.random.SeedSequence(0), runs, record=24)
        curve = {"label": label, "x": run.episodes, "y": run.regret.mean(axis=0)}
        if tracked is not None:
            curve["bound"] = [at(int(t), tracked) for t in run.episodes]
        curves.append(curve)
    trivial = setting.mdp.horizon
    firsts = [first_biting(partial(at, tracked=tracked), trivial) for tracked in (True, False)]
    curves.append({"label": "HT", "x": curves[0]["x"], "y": trivial * curves[0]["x"], "muted": True})
    return {
        "kind": "curves",
        "title": "Linear learners and their bounds on a random linear model, (d, S, A, H) = (2, 3, 2, 2)",
        "xlabel": "episodes",
        "ylabel": "regret",
        "xscale": "log",
        "yscale": "log",
        "caption": (
            f"Dashed: the bounds, which bite from {firsts[0]} episodes on (greedy: {firsts[1]}); each is that of a "
            "learner that knows this number of episodes, the curves are of one that knows the last."
        ),
        "curves": curves,
    }


def learners_figure(tier: Tier) -> Json:
    """Return regrets of NORA, DOUHUA and LSVI-UCB with a twentieth of beta, which no bound covers."""
    runs, episodes = (2, 2_000) if tier == Tier.QUICK else (10, 20_000)
    setting = simplex((4, 10, 3, 3), 1, episodes, 1.0)
    learners = {
        "NORA, eta = 1": LinearLearner(eta=1.0, scale=0.05),
        "NORA, eta for its epochs": LinearLearner(eta=tuned_rate(setting), scale=0.05),
        "DOUHUA": algorithms.douhua(setting.mdp, episodes, 0.05),
        "rare LSVI-UCB": algorithms.rare_lsvi_ucb(0.05),
        "LSVI-UCB": algorithms.lsvi_ucb(0.05),
    }
    curves: list[dict[str, Any]] = []
    for label, learner in learners.items():
        run = setting.run(learner, np.random.SeedSequence(0), runs, record=24)
        spread = {"low": run.regret.min(axis=0), "high": run.regret.max(axis=0)}
        curves.append({"label": label, "x": run.episodes, "y": run.regret.mean(axis=0), **spread})
    bound, trivial = CLAIMS["nora_linear_regret"].explicit_bound, 3
    first = first_biting(
        lambda t: bound.evaluate(**replace(setting, episodes=t).values, beta=replace(setting, episodes=t).radius),
        trivial,
    )
    curves.append({"label": "HT", "x": curves[0]["x"], "y": trivial * curves[0]["x"], "muted": True})
    return {
        "kind": "curves",
        "title": "Linear actor-critics and LSVI-UCB on a random linear model, (d, S, A, H) = (4, 10, 3, 3)",
        "xlabel": "episodes",
        "ylabel": "regret",
        "xscale": "log",
        "yscale": "log",
        "caption": f"A twentieth of beta: no bound. With beta, that of NORA (eta = 1) bites from {first} episodes on.",
        "curves": curves,
    }


RUNS = Sizes(runs_needed(FAILURE, ALPHA), full=runs_needed(FAILURE, ALPHA / 4))

CHECKS = (
    Check(
        f"{theory.FAMILY}.nora_linear_event",
        MonteCarlo(event_settings, Sizes(runs_needed(DELTA, ALPHA), full=200), delta=DELTA, alpha=ALPHA),
        event,
        (
            Mutant("less", "15/100 of beta", {"scale": 0.15}),
            Mutant("no_bonus", "no bonus", {"scale": 0.0}),
        ),
        figure=bounds_figure,
    ),
    Check(
        f"{theory.FAMILY}.nora_linear_switches",
        Search(draws, Sizes(20, full=600), corners={"one direction": partial(one_direction, 2**14 - 1)}),
        switches,
        (
            Mutant("hundredth_less", "99/100 of the number", {"scale": 0.99}),
            Mutant("each_episode", "a critic in each episode", {"rare": False}),
        ),
    ),
    Check(
        f"{theory.FAMILY}.nora_linear_staleness",
        Search(draws, Sizes(20, full=600), corners={"one direction": partial(one_direction, 2**14 - 1)}),
        staleness,
        (
            Mutant("fresh", "1.99 instead of 2", {"factor": 1.99}),
            Mutant("lazier", "a switch when a determinant has grown by 2.02", {"doubling": 2.02}),
        ),
    ),
    Check(
        f"{theory.FAMILY}.nora_linear_potential",
        Search(draws, Sizes(20, full=600), corners={"silent": partial(silent, 2)}),
        potential,
        (Mutant("less", "39/100 of the bound", {"scale": 0.39}),),
    ),
    Check(
        f"{theory.FAMILY}.nora_linear_regret",
        MonteCarlo(regret_settings, RUNS, delta=FAILURE, alpha=ALPHA),
        regret,
        (Mutant("no_bonus", "no bonus: the needle is not looked for", {"bonus": False}),),
    ),
    Check(
        f"{theory.FAMILY}.hybrid_linear_regret",
        MonteCarlo(offline_settings, RUNS, delta=FAILURE, alpha=ALPHA),
        partial(offline_regret, name="hybrid_linear_regret", bonus=True),
        (Mutant("no_bonus", "no bonus: misleading data are believed", {"believed": True}),),
        tier=Tier.FULL,
    ),
    Check(
        f"{theory.FAMILY}.noah_linear_regret",
        MonteCarlo(offline_settings, RUNS, delta=FAILURE, alpha=ALPHA),
        partial(offline_regret, name="noah_linear_regret", bonus=False),
        (Mutant("no_slope", "the bound without T C_off", {"covered": 0.0}),),
        tier=Tier.FULL,
    ),
    Check(
        f"{theory.FAMILY}.forgetful_step",
        MonteCarlo(
            {"(4, 10, 3, 3)": lambda: (4, 10, 3, 3)}, Sizes(runs_needed(FAILURE, ALPHA)), delta=FAILURE, alpha=ALPHA
        ),
        forgetful_step,
        (
            Mutant("other", "the step size one in its place", {"forgetful": False}),
            Mutant("sixfold", "6 times the regret", {"ratio": 6.0}),
        ),
        tier=Tier.FULL,
        figure=learners_figure,
    ),
)
