r"""Checks of identification with demonstrations, and of the same without regularisation.

Clones, regularisations and runs are those of `solvers.demonstration_regularized.demonstration_identify`, each run with
demonstrations of its own. Losses are exact, in the rewards of the model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdps import demonstration_instances as instances
from mdps.demonstrations import noisy
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray
from proofs_check.cases import OnModel
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Json
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.montecarlo import MonteCarlo, Sample
from proofs_check.methods.rates import Rates
from proofs_check.papers.demonstration_regularized import ALPHA, DELTA, expert_of
from proofs_check.papers.demonstration_regularized_cloning import BOUNDS
from proofs_check.papers.demonstration_regularized_exploration import (
    FEWER,
    LAZY,
    RUNS,
    Problem,
    doors,
    uniform,
    with_uniform,
)
from solvers.demonstration_regularized import CERTIFIED, DivergenceBound, Identification, demonstration_identify
from solvers.demonstration_regularized_baselines import bpi_kl
from solvers.demonstration_regularized_cloning import policy_gap


@dataclass(frozen=True, eq=False)
class Taught(OnModel):
    """A model, an expert, a number of its demonstrations, an accuracy and a bound on the divergence of the clone."""

    mdp: FiniteHorizonMDP
    expert: FloatArray
    size: int
    epsilon: float
    bound: DivergenceBound


def half_as_good(mdp: FiniteHorizonMDP, epsilon: float) -> FloatArray:
    """Return a noisy expert that lacks nearly epsilon / 2, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        enough = float(policy_gap(mdp, expert_of(mdp, middle))) <= 0.5 * epsilon
        low, high = (middle, high) if enough else (low, middle)
    return expert_of(mdp, low)


def few_doors(n_actions: int = 3) -> Taught:
    """Return doors with four demonstrations of an optimal expert: not enough for the clone to be good."""
    mdp = doors(2, n_actions)
    return Taught(mdp, noisy(np.zeros((2, 2), dtype=np.int64), n_actions, 0.0), 4, 0.45, "high_probability")


TAUGHT: Mapping[str, Callable[[], Taught]] = {
    "doors, A=6, 4 demonstrations": partial(few_doors, 6),
    "chain S=3 H=3, 10^6 demonstrations": lambda: Taught(
        instances.reflecting_chain(3, 3), half_as_good(instances.reflecting_chain(3, 3), 0.2), 10**6, 0.2, "markov"
    ),
}


def taught_rule(
    case: Taught,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    factor: float = 1.0,
    teach: bool = True,
) -> Sample:
    """Return the exact gaps of the outputs; without an expert a uniform policy demonstrates."""
    expert = case.expert if teach else uniform(case.mdp)
    found = demonstration_identify(
        case.mdp, expert, case.size, case.epsilon, seeds=seeds, runs=runs, delta=DELTA, bound=case.bound, settings=LAZY
    )
    return Sample(found.gap, factor * BOUNDS["demonstration_pac"].evaluate(epsilon=case.epsilon))


def taught_episodes(case: Taught, seeds: np.random.SeedSequence, runs: int, *, factor: float = 1.0) -> Sample:
    """Return the stopping times, and the right sides of their bound at these times."""
    found = demonstration_identify(
        case.mdp,
        case.expert,
        case.size,
        case.epsilon,
        seeds=seeds,
        runs=runs,
        delta=DELTA,
        bound=case.bound,
        settings=CERTIFIED,
    )
    known: dict[str, float] = {"S": case.mdp.n_states, "A": case.mdp.n_actions, "H": case.mdp.horizon}
    known |= {"epsilon": case.epsilon, "delta": DELTA}
    times, bound = found.identification.episodes, BOUNDS["demonstration_complexity"]
    sides = [
        factor * bound.evaluate(**known, kbar=K, T=float(max(T, 1))) for T, K in zip(times, found.kbar, strict=True)
    ]
    return Sample(times, sides)


def demonstrations_rate(
    budget: int,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    fixed: int = 0,
    faster: float = 0.0,
) -> FloatArray:
    """Return the stopping times on a small chain after so many demonstrations, times a power of their number."""
    mdp = instances.reflecting_chain(3, 3)
    size = fixed or budget
    found = demonstration_identify(
        mdp, expert_of(mdp, 0.02), size, 0.2, seeds=seeds, runs=runs, delta=DELTA, bound="markov", settings=LAZY
    )
    return found.identification.episodes * float(budget) ** faster


def advantage(size: int, seeds: np.random.SeedSequence, runs: int, *, factor: float = 20.0) -> Sample:
    """Return multiples of the stopping times with demonstrations, and those without, on a small chain."""
    mdp = instances.reflecting_chain(3, 3)
    first, second = seeds.spawn(2)
    taught = demonstration_identify(
        mdp, expert_of(mdp, 0.02), size, 0.4, seeds=first, runs=runs, delta=DELTA, bound="markov", settings=LAZY
    )
    alone = bpi_kl(mdp, 0.4, seeds=second, runs=runs, delta=DELTA, growth=LAZY.growth)
    return Sample(factor * taught.identification.episodes, alone.episodes.astype(np.float64))


# Without regularisation


def unregularised_rule(problem: Problem, seeds: np.random.SeedSequence, runs: int, *, factor: float = 1.0) -> Sample:
    """Return the exact gaps of the outputs of BPI-KL."""
    found = bpi_kl(problem.mdp, problem.epsilon, seeds=seeds, runs=runs, delta=DELTA, growth=LAZY.growth)
    return Sample(
        policy_gap(problem.mdp, found.policy), factor * BOUNDS["unregularised_pac"].evaluate(epsilon=problem.epsilon)
    )


def unregularised_episodes(
    problem: Problem, seeds: np.random.SeedSequence, runs: int, *, factor: float = 1.0
) -> Sample:
    """Return the stopping times of BPI-KL, and the right sides of their bound at these times."""
    times = bpi_kl(problem.mdp, problem.epsilon, seeds=seeds, runs=runs, delta=DELTA, growth=LAZY.growth).episodes
    bound = BOUNDS["unregularised_complexity"]
    return Sample(times, [factor * bound.evaluate(**problem.sizes, T=float(max(T, 1))) for T in times])


# Figures


def _times(run: Callable[[float], Identification], budgets: tuple[float, ...]) -> dict[str, Json]:
    found = [run(budget).episodes for budget in budgets]
    low, high = np.quantile(found, [0.1, 0.9], axis=1)
    return {"x": budgets, "y": np.mean(found, axis=1), "low": low, "high": high}


def episodes_figure(tier: Tier) -> Json:
    """Episodes against accuracy on the chain: without demonstrations, and with clones of more and more of them."""
    runs, mdp = 2 if tier == Tier.QUICK else 20, instances.reflecting_chain()
    accuracies = (1.0, 0.71, 0.5) if tier == Tier.QUICK else (1.0, 0.71, 0.5, 0.35, 0.25, 0.18, 0.125)
    expert, seeds = expert_of(mdp, 0.01), np.random.SeedSequence(0)

    def alone(epsilon: float) -> Identification:
        return bpi_kl(mdp, epsilon, seeds=seeds, runs=runs, delta=DELTA, growth=LAZY.growth)

    def taught(size: int, epsilon: float) -> Identification:
        found = demonstration_identify(mdp, expert, size, epsilon, seeds=seeds, runs=runs, delta=DELTA, bound="markov")
        return found.identification

    curves = [{"label": "no demonstrations", **_times(alone, accuracies)}]
    curves += [
        {"label": f"{size} demonstrations", **_times(partial(taught, size), accuracies)}
        for size in (3000, 10_000, 30_000)
    ]
    return {
        "kind": "curves",
        "title": "Episodes until the certificate, with and without demonstrations",
        "xlabel": "accuracy",
        "ylabel": "episodes",
        "xscale": "log",
        "yscale": "log",
        "caption": "With few demonstrations the certified regularisation is weak; with many it saves most episodes.",
        "curves": curves,
    }


def demonstrations_figure(tier: Tier) -> Json:
    """Episodes against the number of demonstrations, for bounds on the divergence of growing optimism."""
    runs = 2 if tier == Tier.QUICK else 40
    sizes = (100, 300, 1000, 3000, 10_000)
    mdp, seeds = instances.reflecting_chain(3, 3), np.random.SeedSequence(0)
    expert = expert_of(mdp, 0.02)
    labels: dict[DivergenceBound, str] = {
        "high_probability": "bound from the counts",
        "markov": "Markov's inequality",
        "expectation": "mean (no guarantee)",
        "oracle": "true divergence (no guarantee)",
    }

    def taught(bound: DivergenceBound, size: float) -> Identification:
        found = demonstration_identify(mdp, expert, int(size), 0.2, seeds=seeds, runs=runs, delta=DELTA, bound=bound)
        return found.identification

    curves = []
    for bound, label in labels.items():
        curve = _times(partial(taught, bound), sizes)
        reached = [k for k, y in enumerate(curve["y"]) if y >= 1.0]
        part = {key: [float(values[k]) for k in reached] for key, values in curve.items()}
        curves.append({"label": label, **part, "muted": "no guarantee" in label})
    alone = float(bpi_kl(mdp, 0.2, seeds=seeds, runs=runs, delta=DELTA, growth=LAZY.growth).episodes.mean())
    curves.append({"label": "no demonstrations", "x": sizes, "y": [alone] * len(sizes), "muted": True})
    return {
        "kind": "curves",
        "title": "Episodes fall with the number of demonstrations",
        "xlabel": "demonstrations",
        "ylabel": "episodes",
        "xscale": "log",
        "yscale": "log",
        "caption": "The inverse rate, then no episode at all where the regularisation passes its threshold.",
        "curves": curves,
    }


TAUGHT_CHECKS = (
    Check(
        "demonstration_regularized.demonstration_pac",
        MonteCarlo(TAUGHT, Sizes(FEWER + 10, full=RUNS), delta=DELTA, alpha=ALPHA),
        taught_rule,
        (
            Mutant("bad_expert", "demonstrations of a uniform policy", {"teach": False}),
            Mutant("more_accurate", "0.45 epsilon: less than what the expert lacks", {"factor": 0.45}),
        ),
        figure=demonstrations_figure,
    ),
    Check(
        "demonstration_regularized.demonstration_complexity",
        MonteCarlo({"doors, A=3, 4 demonstrations": few_doors}, Sizes(FEWER), delta=DELTA, alpha=ALPHA),
        taught_episodes,
        (Mutant("much_smaller", "2e-5 of the bound", {"factor": 2e-5}),),
        figure=episodes_figure,
    ),
    Check(
        "demonstration_regularized.demonstrations_rate",
        Rates(-1.0, "most", Sizes((100, 320, 1000, 3200)), Sizes(8, full=40)),
        demonstrations_rate,
        (
            Mutant("few", "the same 100 demonstrations, whatever their number", {"fixed": 100}),
            Mutant("faster", "the rate N^-2", {"faster": 1.0}),
        ),
    ),
    Check(
        "demonstration_regularized.advantage",
        MonteCarlo({"5000 demonstrations": lambda: 5000}, Sizes(FEWER), delta=DELTA, alpha=ALPHA),
        advantage,
        (Mutant("more", "a factor of 50 instead of 20", {"factor": 50.0}),),
    ),
)

BASELINES = {
    "chain S=2 H=2, epsilon=0.3": lambda: with_uniform(instances.reflecting_chain(2, 2), 1.0, 0.3),
    "doors that pay 0.2, epsilon=0.21": lambda: with_uniform(doors(2, paying=0, pay=0.2), 1.0, 0.21),
}

BASELINE_CHECKS = (
    Check(
        "demonstration_regularized.unregularised_pac",
        MonteCarlo(BASELINES, Sizes(FEWER + 10, full=RUNS), delta=DELTA, alpha=ALPHA),
        unregularised_rule,
        (Mutant("more_accurate", "0.9 epsilon", {"factor": 0.9}),),
    ),
    Check(
        "demonstration_regularized.unregularised_complexity",
        MonteCarlo(BASELINES, Sizes(FEWER + 10), delta=DELTA, alpha=ALPHA),
        unregularised_episodes,
        (Mutant("much_smaller", "1/1250 of the bound", {"factor": 8e-4}),),
    ),
)

CHECKS = (*TAUGHT_CHECKS, *BASELINE_CHECKS)
