r"""Checks of regularisation towards a clone, of the clone itself, and of the rates at which clones improve.

Statements about regularised values are compared in balls on small rational models, on which they are nearly attained:
one arm that the reference hardly plays (the price of the demonstrations), and rewards of zero with an error at every
stage (a gap beyond the horizon).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from flint import arb

from mdps import demonstration_instances as instances
from mdps.demonstrations import Demonstrations, noisy, sample_demonstrations
from mdps.preferences import staged_rewards
from mdps.rational import RationalMDP
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray
from proofs_check.cases import Case
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods import rates
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.montecarlo import MonteCarlo, Sample
from proofs_check.methods.rates import Rates
from proofs_check.methods.search import Search
from proofs_check.papers.demonstration_regularized_cloning import BOUNDS, ball, bound_of
from proofs_check.papers.regularised_values import RANDOM_CASES, BallCase, bandit_case
from solvers import demonstration_regularized_cloning as cloning
from solvers import rational_planning
from solvers.demonstration_regularized_preferences import return_variance
from solvers.planning import backward_induction
from theory import demonstration_regularized as theory
from theory import demonstration_regularized_parameters as parameters
from theory.claim import Bound
from theory.symbols import error

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

RUNS = Sizes(200)
DELTA = 0.1
ALPHA = 1e-3


# Values that are regularised towards a reference


def misled(horizon: int, sharpness: int) -> BallCase:
    """Return one state without rewards whose reference plays the second action with e^{-(H - h + 1) / lambda}, nearly.

    The policy of the guess, which believes that this action pays all that is left, prefers it.
    """
    zero, one = Fraction(0), Fraction(1)
    temperature = Fraction(1, sharpness)
    mdp = RationalMDP([[[1]] * 2], [[[0, 0]]] * horizon, horizon)
    reference, guess = [], []
    for left in range(horizon, 0, -1):
        rare = Fraction(1, 10 ** int((left - Fraction(1, 50)) * sharpness / Fraction(2303, 1000)))
        reference.append(((1 - rare, rare),))
        guess.append(((zero, Fraction(left)),))
    rows = tuple(((one, zero),) for _ in range(horizon))
    return BallCase(Case(mdp, mdp, rows, rows, tuple(guess)), tuple(reference), temperature)


def opposed(sharpness: int) -> BallCase:
    """Return two arms and a guess that takes one for the other; the reference hardly plays the bad one, as `misled`."""
    rare = misled(1, sharpness).reference[0][0][1]
    zero, one = Fraction(0), Fraction(1)
    return bandit_case((one, zero), (1 - rare, rare), (zero, one), Fraction(1, sharpness))


def largest_gap(
    case: BallCase, *, clip: bool = False, optimistic: bool = True, scale: Fraction = Fraction(1)
) -> BallComparison:
    """Compare the gap of the policy of the guess, raised to the optimum and cut at what is left, with its range."""
    best, optimal, _ = case.optimum()
    H = case.mdp.horizon
    guess = [
        [[ball(min(max(g, Fraction(0)), Fraction(H - h))) for g in row] for row in stage]
        for h, stage in enumerate(case.case.guess)
    ]
    if optimistic:
        guess = [
            [[g.max(q) for g, q in zip(*rows, strict=True)] for rows in zip(*stages, strict=True)]
            for stages in zip(guess, optimal, strict=True)
        ]
    policy = [case.softmax(h, stage)[1] for h, stage in enumerate(guess)]
    bound = arb(H) if clip else bound_of(BOUNDS["largest_gap"].rhs, H=H)
    return BallComparison(best - case.evaluate(policy, case.temperature), ball(scale) * bound)


def hidden_arm(digits: int, sharpness: int) -> BallCase:
    """Return two arms of which the reference hardly plays the good one, at a temperature where it is a solution."""
    rare = Fraction(1, 10**digits)
    return bandit_case((Fraction(1), Fraction(0)), (rare, 1 - rare), (Fraction(0),) * 2, Fraction(1, sharpness))


DEMONSTRATION_CASES: Mapping[str, Callable[[], BallCase]] = {
    **RANDOM_CASES,
    "hidden arm": partial(hidden_arm, 300, 1381),
}


def demonstrations(case: BallCase, *, twice: Fraction = Fraction(2), expert: bool = True) -> Iterator[BallComparison]:
    """Compare the gaps of solutions that are accurate enough with the bound: the optimal one, and the reference.

    The accuracy is the temperature times the divergence of the expert, so that the temperature is the one of the claim.
    """
    mdp = case.mdp
    best = ball(rational_planning.policy_value(mdp, rational_planning.backward_induction(mdp).values))
    optimum, _, solution = case.optimum()
    accuracy = ball(case.temperature) * case.trajectory_divergence(case.case.policy)
    lost = best - case.evaluate(case.case.policy, Fraction(0)) if expert else arb(0)
    for name, policy in (("optimal", solution), ("reference", case.reference)):
        if optimum - case.evaluate(policy, case.temperature) <= accuracy:
            yield BallComparison(best - case.evaluate(policy, Fraction(0)), lost + ball(twice) * accuracy, where=name)


# The clone alone


@dataclass(frozen=True, eq=False)
class Pair:
    """A model, an expert and a clone of full support."""

    mdp: FiniteHorizonMDP
    expert: FloatArray
    clone: FloatArray

    @property
    def unit_rewards(self) -> bool:
        """Whether rewards lie in [0, 1]."""
        return self.mdp.unit_rewards


def pairs() -> "SearchStrategy[Pair]":
    """Return the strategy of pairs on small models."""
    from hypothesis import strategies as st

    from mdps import strategies

    def around(mdp: FiniteHorizonMDP) -> "SearchStrategy[Pair]":
        laws = strategies.stochastic_policies(mdp)
        clones = st.builds(
            lambda law, part: (1.0 - part) * law + part / mdp.n_actions, laws, st.sampled_from([0.5, 0.01])
        )
        return st.builds(Pair, st.just(mdp), laws, clones)

    return strategies.finite_horizon_mdps(max_states=3, max_horizon=3).flatmap(around)


def one_decision(horizon: int, clone: float, expert: float) -> Pair:
    """Return a choice at the start that pays 1 at every stage, or nothing; the probabilities of the good choice."""
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 1] = kernel[0, 1, 2] = 1.0
    kernel[1, :, 1] = kernel[2, :, 2] = 1.0
    rewards = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    mdp = FiniteHorizonMDP(kernel, rewards, horizon)
    policies = np.full((2, horizon, 3, 2), 0.5)
    policies[:, 0, 0] = [[expert, 1.0 - expert], [clone, 1.0 - clone]]
    return Pair(mdp, policies[0], policies[1])


PAIRS: Mapping[str, Callable[[], Pair]] = {
    "half, a little better": partial(one_decision, 3, 0.5, 0.505),
    "rare, much better": partial(one_decision, 3, 0.01, 0.1),
}


BY_RANGE, BY_VARIANCE = (Bound(sp.Le(error, side)) for side in (theory.LOSS_BY_RANGE, theory.LOSS_BY_VARIANCE))


def cloning_alone(
    pair: Pair, *, pinsker: float = 1.0, variance: float = 1.0, remainder: float = 1.0
) -> Iterator[Comparison]:
    """Compare what the clone loses against the expert with both bounds."""
    mdp = pair.mdp
    lost = float(cloning.policy_gap(mdp, pair.clone) - cloning.policy_gap(mdp, pair.expert))
    K = float(cloning.trajectory_divergence(mdp, pair.expert, pair.clone))
    spread = float(return_variance(mdp, pair.clone, staged_rewards(mdp)))
    known = {"H": mdp.horizon, "kbar": K, "spread": spread}
    root = BY_VARIANCE.evaluate(**{**known, "H": 0})
    rest = BY_VARIANCE.evaluate(**known) - root
    yield Comparison(lost, pinsker * BY_RANGE.evaluate(**known), where="range")
    yield Comparison(lost, variance * root + remainder * rest, where="variance")


# Clones of sampled demonstrations


def expert_of(mdp: FiniteHorizonMDP, noise: float) -> FloatArray:
    """Return the optimal policy, which plays a uniform action with probability ``noise``."""
    return noisy(backward_induction(mdp).policy, mdp.n_actions, noise)


def clones(
    noise: float, size: int, seeds: np.random.SeedSequence, runs: int, *, pooled: bool = False
) -> tuple[FloatArray, Demonstrations]:
    """Return the divergences of the expert on the chain from clones of it, ``(runs,)``, and the demonstrations."""
    mdp = instances.reflecting_chain()
    expert = expert_of(mdp, noise)
    counts = sample_demonstrations(mdp, expert, size, seeds, runs=runs)
    if pooled:
        total = counts.counts.sum(axis=1, keepdims=True)
        laws = (total + 1.0) / (total + 1.0).sum(axis=-1, keepdims=True)
        clone = np.broadcast_to(laws, counts.counts.shape)
    else:
        clone = cloning.laplace(counts)
    return cloning.trajectory_divergence(mdp, expert, clone), counts


def sampled_deviation(
    size: int, seeds: np.random.SeedSequence, runs: int, *, pooled: bool = False, delta: float = DELTA
) -> Sample:
    """Return the divergences of clones on the chain, and what the demonstrations say about them."""
    found, counts = clones(0.02, size, seeds, runs, pooled=pooled)
    bound = cloning.high_probability_bound(counts, delta)
    cap = parameters.evaluate(parameters.CLONING_CAP, {"H": 5, "N": size, "A": 2})
    return Sample(found, bound, vacuous=bool(bound.max() >= cap))


def cloning_rate(
    budget: int,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    noise: float,
    pooled: bool = False,
    faster: float = 0.0,
) -> FloatArray:
    """Return the divergences of clones of so many demonstrations, times a power of their number."""
    return clones(noise, budget, seeds, runs, pooled=pooled)[0] * float(budget) ** faster


SIZES = Sizes((100, 300, 1000, 3000, 10_000), full=(100, 300, 1000, 3000, 10_000, 30_000, 100_000))


# Figures


def fitted(budgets: tuple[int, ...], outcomes: Sequence[FloatArray]) -> dict[str, Json]:
    """Return the exponent of the means, with its interval at level 1 %, and the claimed one, -1."""
    data = rates.Outcomes(budgets, tuple(outcomes))
    means = rates.bootstrap_means(data, 2000)
    slope = rates.fit(data, means, rates.slope_weights(budgets), 0.01)
    return {"slope": slope.slope, "interval": [slope.lower, slope.upper], "claimed": -1.0}


def cloning_figure(tier: Tier) -> Json:
    """Divergence of the expert from its clone against the number of demonstrations, with the bounds around it."""
    runs = 50 if tier == Tier.QUICK else 2000
    sizes = (10, 30, 100, 300, 1000, 3000, 10_000, 100_000)
    mdp = instances.reflecting_chain()
    curves = []
    for noise, label in ((0.02, "expert with noise 0.02"), (0.0, "optimal expert")):
        found = [clones(noise, size, np.random.SeedSequence(size), runs)[0] for size in sizes]
        low, high = np.quantile(found, [0.1, 0.9], axis=1)
        curve = {"label": label, "x": sizes, "y": np.mean(found, axis=1), "low": low, "high": high}
        curves.append({**curve, **fitted(sizes[3:], found[3:])})
    occupancies = cloning.state_occupancy(mdp, expert_of(mdp, 0.0))
    values = [{"S": 4, "A": 2, "H": 5, "N": size, "delta": DELTA} for size in sizes]
    bounds = {
        "mean, sum over states": [cloning.expectation_bound(occupancies, 2, size) for size in sizes],
        "with probability 0.9": [parameters.evaluate(parameters.CLONING_HIGH_PROBABILITY, v) for v in values],
        "by Markov's inequality": [parameters.evaluate(parameters.CLONING_MARKOV, v) for v in values],
    }
    curves += [{"label": label, "x": sizes, "y": y, "muted": True} for label, y in bounds.items()]
    return {
        "kind": "curves",
        "title": "Divergence of the expert from its clone",
        "xlabel": "demonstrations",
        "ylabel": "trajectory divergence",
        "xscale": "log",
        "yscale": "log",
        "caption": "Clones on the chain improve as the inverse of the number of demonstrations, and so do the bounds.",
        "curves": curves,
    }


CHECKS = (
    Check(
        "demonstration_regularized.largest_gap",
        Balls(
            {
                "misled, H=3": partial(misled, 3, 500),
                "misled, H=2": partial(misled, 2, 50),
                "opposed": partial(opposed, 50),
                **RANDOM_CASES,
            }
        ),
        largest_gap,
        (
            Mutant("clipped", "the horizon, as for values without regularisation", {"clip": True}),
            Mutant("not_optimistic", "any values in the range", {"optimistic": False}),
            Mutant("smaller", "0.98 of the bound", {"scale": Fraction(49, 50)}),
        ),
    ),
    Check(
        "demonstration_regularized.demonstrations",
        Balls(DEMONSTRATION_CASES),
        demonstrations,
        (
            Mutant("once", "the price of the divergence only, not the accuracy", {"twice": Fraction(1)}),
            Mutant("less", "1.99 instead of 2", {"twice": Fraction(199, 100)}),
        ),
    ),
    Check(
        "demonstration_regularized.cloning_alone",
        Search(pairs, Sizes(25, full=600), corners=PAIRS),
        cloning_alone,
        (
            Mutant("range_too_small", "0.99 of the first bound", {"pinsker": 0.99}),
            Mutant("variance_too_small", "0.98 of the root", {"variance": 0.98}),
            Mutant("no_remainder", "the second bound without its last term", {"remainder": 0.0}),
        ),
    ),
    Check(
        "demonstration_regularized.cloning_deviation",
        MonteCarlo({"chain, N=3000": lambda: 3000}, RUNS, delta=DELTA, alpha=ALPHA),
        sampled_deviation,
        (Mutant("pooled", "one law for all stages", {"pooled": True}),),
        name="sampled",
        figure=cloning_figure,
    ),
    Check(
        "demonstration_regularized.cloning_rate",
        Rates(-1.0, "most", SIZES, Sizes(200, full=2000)),
        partial(cloning_rate, noise=0.02),
        (
            Mutant("pooled", "one law for all stages: the clone does not improve", {"pooled": True}),
            Mutant("faster", "the rate N^-1.2", {"faster": 0.2}),
        ),
        name="noisy expert",
    ),
    Check(
        "demonstration_regularized.cloning_rate",
        Rates(-1.0, "most", SIZES, Sizes(40, full=400)),
        partial(cloning_rate, noise=0.0),
        (Mutant("faster", "the rate N^-1.2", {"faster": 0.2}),),
        name="optimal expert",
    ),
)
