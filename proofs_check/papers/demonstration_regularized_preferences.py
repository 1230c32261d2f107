r"""Checks of learning from preferences.

*Rewards from comparisons* are checked where errors are likeliest: two equally likely episodes of returns 0 and x = H,
and a class of two rewards, the other one of which makes the second return y a little further away than the bound
allows. A comparison of two different episodes, which has probability 1/2, prefers the second one with
:math:`\sigma(x)`; the wrong reward is chosen if U such and W other comparisons satisfy :math:`U \le \kappa W`, with

.. math:: \kappa = \log\frac{\sigma(-y)}{\sigma(-x)} \Big/ \log\frac{\sigma(x)}{\sigma(y)} .

Its probability is summed up in balls. *Losses for learned rewards* are nearly attained by two arms at a large
:math:`\lambda`, where policies, experts and errors are perturbations of a fair reference.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import log, sqrt
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp
from flint import arb

from mdps import demonstration_instances as instances
from mdps.preferences import staged_rewards
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.montecarlo import MonteCarlo, Sample
from proofs_check.methods.search import Search
from proofs_check.methods.statistics import runs_needed
from proofs_check.papers.demonstration_regularized import ALPHA, DELTA, expert_of
from proofs_check.papers.demonstration_regularized_cloning import ball, bound_of
from solvers.demonstration_regularized_cloning import (
    policy_gap,
    regularised_gap,
    regularised_optimum,
    trajectory_divergence,
)
from solvers.demonstration_regularized_preferences import (
    mean_return,
    preference_identify,
    reward_error,
    sample_finite_mle,
)
from theory import demonstration_regularized_parameters as parameters
from theory import demonstration_regularized_preferences as theory

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

BOUNDS = {claim.id.split(".")[1]: claim.explicit_bound for claim in theory.CLAIMS if claim.bound is not None}
"""Bounds of the claims by the second half of their ids."""

FEWER = runs_needed(DELTA, ALPHA)


# Rewards from comparisons


def rarely(size: int, up: arb, down: arb, ratio: arb) -> arb:
    """Return P(U <= ratio W) for U and W counts of two of three outcomes in ``size`` draws.

    Parameters
    ----------
    up, down
        Probabilities of the outcomes that U and W count; the third one has a positive probability.
    """
    idle = 1 - up - down
    total, first = arb(0), idle**size
    odds, other = up / idle, down / idle
    for w in range(size + 1):
        last = min(int(float((ratio * w).upper())), size - w)
        if not last <= ratio * w:
            last -= 1  # the floor, or one less if balls cannot tell
        term, part = first, first
        for u in range(1, last + 1):
            term = term * odds * (size - w - u + 1) / u
            part += term
        total += part
        first = first * other * (size - w) / (w + 1)
    return total


def logistic(x: arb) -> arb:
    """Return 1 / (1 + e^{-x})."""
    return 1 / (1 + (-x).exp())


@dataclass(frozen=True)
class Pairs:
    """A probability of failure, and how far the wrong return is from the true one, which is 1: at most 1."""

    delta: Fraction
    distance: Fraction


def reward_mle(case: Pairs, *, scale: Fraction = Fraction(1)) -> BallComparison:
    """Compare the probability of choosing the wrong reward with delta, for as many comparisons as the bound needs.

    The number of comparisons is the smallest at which the bound is below the error of the wrong reward.
    """
    expression = BOUNDS["reward_mle"].rhs.subs(parameters.log_class, sp.log(2))
    squared = ball(case.distance**2 / 2)
    whole = ball(scale) * bound_of(expression, H=1, delta=case.delta, N_RM=1)
    size = int(float((whole / squared).mid())) + 1
    if not whole / size < squared:
        size += 1
    x, y = arb(1), ball(1 - case.distance)
    ratio = (logistic(-y) / logistic(-x)).log() / (logistic(x) / logistic(y)).log()
    missed = rarely(size, logistic(x) / 2, logistic(-x) / 2, ratio)
    return BallComparison(missed, ball(case.delta), where=f"N={size}")


def compared(tier: Tier) -> Mapping[str, Callable[[], Pairs]]:
    """Return the instances of a class of two rewards."""
    known: dict[str, Callable[[], Pairs]] = {
        "delta=1e-3, returns 1 or 0": lambda: Pairs(Fraction(1, 1000), Fraction(1))
    }
    if tier != Tier.QUICK:
        known["delta=1e-6, returns 1 or 0"] = lambda: Pairs(Fraction(1, 10**6), Fraction(1))
        known["delta=1e-3, returns 1 or 1/2"] = lambda: Pairs(Fraction(1, 1000), Fraction(1, 2))
    return known


def reward_mle_class(size: int, *, scale: Fraction = Fraction(1)) -> BallComparison:
    """Compare the probability that the return of the second episode, any in [0, 1], is estimated too low with delta.

    The true return is 1, and the class is covered at 1 / N by N / 2 of its members.
    """
    delta = Fraction(1, 10_000)
    expression = BOUNDS["reward_mle_class"].rhs.subs(parameters.log_cover, sp.log(sp.Rational(size, 2)))
    limit = ball(scale) * bound_of(expression, H=1, delta=delta, N_RM=size)
    lowest = logistic(1 - (2 * limit).sqrt())
    share = logistic(arb(1))
    missed = rarely(size, share / 2, (1 - share) / 2, lowest / (1 - lowest))
    return BallComparison(missed, ball(delta), where=f"squared error {limit.str(5)} of at most 0.5")


@dataclass(frozen=True, eq=False)
class Candidates:
    """A model, a policy that is compared, a class of rewards with the true one first, and a number of comparisons."""

    mdp: FiniteHorizonMDP
    sampler: FloatArray
    rewards: FloatArray
    size: int


def twelve_rewards() -> Candidates:
    """Return four arms with twelve rewards, at all distances from the truth."""
    mdp = instances.bandit([0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0])
    rewards = instances.reward_class(mdp, 1, 12)
    closeness = 0.8 ** np.arange(12.0)[:, None, None, None]
    return Candidates(mdp, np.full((1, 1, 4), 0.25), closeness * rewards + (1.0 - closeness) * rewards[0], 1500)


def sampled_mle(case: Candidates, seeds: np.random.SeedSequence, runs: int, *, scale: float = 1.0) -> Sample:
    """Return the squared errors of the chosen rewards."""
    chosen = sample_finite_mle(case.mdp, case.sampler, case.rewards, case.size, seeds, runs)
    errors = reward_error(case.mdp, case.sampler, staged_rewards(case.mdp) - case.rewards)
    size = log(len(case.rewards))
    known = {"H": case.mdp.horizon, "N_RM": case.size, "delta": DELTA, "log_class": size}
    bound = scale * BOUNDS["reward_mle"].evaluate(**known)
    return Sample(errors[chosen], bound, vacuous=bool(bound >= errors.max()))


# Losses for learned rewards


@dataclass(frozen=True, eq=False)
class Learned:
    """A model, learned rewards, a reference, an expert and a policy ``(H, S, A)``, and a regularisation."""

    mdp: FiniteHorizonMDP
    learned: FloatArray
    reference: FloatArray
    expert: FloatArray
    policy: FloatArray
    lam: float

    @property
    def horizon(self) -> int:
        """Horizon of the model."""
        return self.mdp.horizon

    @property
    def unit_rewards(self) -> bool:
        """Whether all rewards lie in [0, 1]."""
        return self.mdp.unit_rewards and bool((self.learned >= 0.0).all() and (self.learned <= 1.0).all())


def learned_models() -> "SearchStrategy[Learned]":
    """Return the strategy of random models with independent learned rewards."""
    from hypothesis import strategies as st

    def build(seed: int, shape: tuple[int, int, int], closeness: float, skill: float, strength: float) -> Learned:
        random = np.random.default_rng(seed)
        mdp = instances.random_model(seed, *shape)
        learned = closeness * staged_rewards(mdp) + (1.0 - closeness) * random.random((shape[2], *shape[:2]))
        reference, other = random.dirichlet(np.ones(shape[1]), (2, shape[2], shape[0])) * 0.99 + 0.01 / shape[1]
        expert = skill * other + (1.0 - skill) * reference
        lam = strength * parameters.evaluate(parameters.PREFERENCE_REGULARISATION, {"H": shape[2]})
        return Learned(mdp, learned, reference, expert, other, lam)

    levels = st.sampled_from([0.0, 0.5, 0.9, 1.0])
    shapes = st.tuples(st.integers(1, 3), st.integers(2, 3), st.integers(1, 3))
    return st.builds(build, st.integers(0, 2**16), shapes, levels, levels, st.sampled_from([1.0, 2.0, 10.0]))


def perturbed(skill: float, error: float, lam: float = 1000.0) -> Learned:
    """Return two arms and a fair reference: an expert tilted by ``skill``, and a policy tilted against the ``error``.

    The first arm pays skill + error, and skill is learned; the expert is the optimum of what is learned.
    """
    fair = np.full((1, 1, 2), 0.5)

    def tilted(by: float) -> FloatArray:
        weights = np.exp(np.array([by, 0.0]) / lam)
        return (weights / weights.sum())[None, None]

    mdp = instances.bandit([skill + error, 0.0])
    return Learned(mdp, np.array([[[skill, 0.0]]]), fair, tilted(skill), tilted(-error), lam)


def overestimated(lam: float, found: instances.LearnedReward | None = None) -> Learned:
    """Return the rare arm that is believed to be the best, and the optimal policy for the learned rewards."""
    found = instances.rare_arm() if found is None else found
    best = regularised_optimum(found.mdp, found.reference, lam, found.learned).policy
    return Learned(found.mdp, found.learned, found.reference, found.expert, best, lam)


def modest() -> instances.LearnedReward:
    """Return a rare arm beside one that pays 0.3: following it costs less, and is done at a larger regularisation."""
    rare = instances.rare_arm()
    return instances.LearnedReward(instances.bandit([0.3, 0.0]), np.array([[[0.3, 1.0]]]), rare.reference, rare.expert)


LEARNED: Mapping[str, Callable[[], Learned]] = {
    "skill only": partial(perturbed, 1.0, 0.0),
    "error only": partial(perturbed, 0.0, 1.0),
    "skill and a small error": partial(perturbed, 0.95, 0.05),
    "rare arm, lambda=4/3": partial(overestimated, 4.0 / 3.0),
    "rare arm beside 0.3, lambda=0.2": lambda: overestimated(0.2, modest()),
}


def loss_terms(case: Learned, policy: FloatArray) -> dict[str, float]:
    """Return what the bounds are made of, by the names of their symbols, for a policy."""
    mdp, difference = case.mdp, staged_rewards(case.mdp) - case.learned
    deviation = sqrt(max(float(reward_error(mdp, case.reference, difference)), 0.0))
    ahead = float(mean_return(mdp, case.expert, difference) - mean_return(mdp, case.reference, difference))
    return {
        "H": mdp.horizon,
        "lambda": case.lam,
        "expert_gap": float(policy_gap(mdp, case.expert)),
        "epsilon": max(float(regularised_gap(mdp, policy, case.reference, case.lam, case.learned)), 0.0),
        "kbar": float(trajectory_divergence(mdp, case.expert, case.reference)),
        "reward_deviation": deviation,
        "concentrability": max(ahead, 0.0) / deviation if deviation > 0.0 else 0.0,
    }


def preferences(
    case: Learned,
    *,
    claim: str,
    divergence: float = 1.0,
    cross: float = 1.0,
    error: float = 1.0,
) -> Iterator[Comparison]:
    """Compare the losses of the optimal policy for learned rewards, and of another one, with a bound.

    Mutants shrink its terms: that of the divergence, the mixed one, and the squared error.
    """
    for name, policy in (
        ("optimal", regularised_optimum(case.mdp, case.reference, case.lam, case.learned).policy),
        ("other", case.policy),
    ):
        terms = loss_terms(case, policy)
        bound = BOUNDS[claim]
        whole = bound.evaluate(**terms)
        without_error = bound.evaluate(**{**terms, "reward_deviation": 0.0})
        without_divergence = bound.evaluate(**{**terms, "kbar": 0.0, "concentrability": 0.0})
        alone = bound.evaluate(**{**terms, "kbar": 0.0, "reward_deviation": 0.0})
        parts = (without_error - alone, whole - without_error - without_divergence + alone, without_divergence - alone)
        lessened = sum((1.0 - f) * part for f, part in zip((divergence, cross, error), parts, strict=True))
        yield Comparison(float(policy_gap(case.mdp, policy)), whole - lessened, where=name)


@dataclass(frozen=True, eq=False)
class Compared:
    """A model, an expert, a class of rewards with the true one first, and numbers of demonstrations and comparisons."""

    mdp: FiniteHorizonMDP
    expert: FloatArray
    rewards: FloatArray
    size: int
    n_comparisons: int
    lam: float
    epsilon: float

    @property
    def horizon(self) -> int:
        """Horizon of the model."""
        return self.mdp.horizon

    @property
    def unit_rewards(self) -> bool:
        """Whether all rewards lie in [0, 1]."""
        return self.mdp.unit_rewards


def unskilled() -> Compared:
    """Return two stages and an expert that plays at random half of the time, which costs it 0.36."""
    mdp = instances.reflecting_chain(2, 2)
    expert = expert_of(mdp, 0.5)
    rewards = instances.reward_class(mdp, 1, 12)
    return Compared(mdp, expert, rewards, 5000, 1500, 8.0 / 3.0, 0.05)


def end_to_end(case: Compared, seeds: np.random.SeedSequence, runs: int, *, expert_counts: bool = True) -> Sample:
    """Return the exact losses of independent runs in the true rewards, and what is known about them beforehand."""
    mdp = case.mdp
    found = preference_identify(
        mdp,
        case.expert,
        case.size,
        case.n_comparisons,
        case.rewards,
        case.lam,
        case.epsilon,
        seeds=seeds,
        runs=runs,
        delta=DELTA / 3.0,
    )
    sizes = {"S": mdp.n_states, "A": mdp.n_actions, "H": mdp.horizon, "N": case.size, "delta": DELTA / 3.0}
    bound = BOUNDS["preferences_end_to_end"].evaluate(
        **{
            "H": mdp.horizon,
            "lambda": case.lam,
            "epsilon": case.epsilon,
            "delta": DELTA,
            "kbar": parameters.evaluate(parameters.CLONING_MARKOV, sizes),
            "expert_gap": float(policy_gap(mdp, case.expert)) if expert_counts else 0.0,
            "log_class": log(len(case.rewards)),
            "N_RM": case.n_comparisons,
        }
    )
    return Sample(found.gap, bound, vacuous=bound >= mdp.horizon)


LOSSES = Search(learned_models, Sizes(20, full=600), corners=LEARNED)
LOSS_MUTANTS = (
    Mutant("weak_regularisation", "lambda = H / 5", drop=("strong_regularisation",)),
    Mutant("smaller_divergence", "0.98 of the term of the divergence", {"divergence": 0.98}),
    Mutant("smaller_cross", "0.96 of the mixed term", {"cross": 0.96}),
    Mutant("smaller_error", "0.49 of the term of the squared error", {"error": 0.49}),
)


# Figure


def guarantee_figure(tier: Tier) -> Json:
    """Loss and guarantee against the regularisation, where a rare arm is overestimated."""
    count = 25 if tier == Tier.QUICK else 100
    strengths = np.geomspace(1e-3, 10.0, count)
    losses, bounds, true_losses = [], [], []
    for lam in strengths.tolist():
        case = overestimated(lam)
        terms = loss_terms(case, case.policy)
        losses.append(float(policy_gap(case.mdp, case.policy)))
        bounds.append(BOUNDS["preferences"].evaluate(**terms))
        best = regularised_optimum(case.mdp, case.reference, lam).policy
        true_losses.append(float(policy_gap(case.mdp, best)))
    threshold = parameters.evaluate(parameters.PREFERENCE_REGULARISATION, {"H": 1})
    return {
        "kind": "curves",
        "title": "Loss for learned rewards against the regularisation",
        "xlabel": "lambda",
        "ylabel": "loss in the true rewards",
        "xscale": "log",
        "yscale": "log",
        "caption": f"The guarantee holds from lambda = {threshold:.3f} on; far below, a wrong reward is followed.",
        "curves": [
            {"label": "learned rewards", "x": strengths, "y": losses},
            {"label": "formula of the guarantee", "x": strengths, "y": bounds, "muted": True},
            {"label": "true rewards", "x": strengths, "y": true_losses},
        ],
    }


CHECKS = (
    Check(
        "demonstration_regularized.reward_mle",
        Balls(compared),
        reward_mle,
        (
            Mutant("half", "half of the bound", {"scale": Fraction(1, 2)}),
            Mutant("smaller", "0.65 of the bound", {"scale": Fraction(13, 20)}, tier=Tier.FULL),
        ),
    ),
    Check(
        "demonstration_regularized.reward_mle",
        MonteCarlo({"twelve rewards": twelve_rewards}, Sizes(FEWER), delta=DELTA, alpha=ALPHA),
        sampled_mle,
        (Mutant("much_smaller", "a hundredth of the bound", {"scale": 0.01}),),
        name="sampled",
    ),
    Check(
        "demonstration_regularized.reward_mle_class",
        Balls({"N=3000, delta=1e-4": lambda: 3000}),
        reward_mle_class,
        (Mutant("smaller", "a 25th of the bound", {"scale": Fraction(1, 25)}),),
        tier=Tier.FULL,
    ),
    Check(
        "demonstration_regularized.preferences",
        LOSSES,
        partial(preferences, claim="preferences"),
        LOSS_MUTANTS,
        figure=guarantee_figure,
    ),
    Check(
        "demonstration_regularized.preferences_end_to_end",
        MonteCarlo({"chain S=2 H=2": unskilled}, Sizes(FEWER), delta=DELTA, alpha=ALPHA),
        end_to_end,
        (Mutant("no_expert_gap", "without what the expert lacks", {"expert_counts": False}),),
    ),
    Check(
        "demonstration_regularized.preferences_concentrability",
        LOSSES,
        partial(preferences, claim="preferences_concentrability"),
        LOSS_MUTANTS,
    ),
)
