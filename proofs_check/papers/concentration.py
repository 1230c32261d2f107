"""Checks of the concentration inequalities on laws that are small, skewed or as wide as possible.

Where the probability of a violation can be computed it is: binomial tails by enclosures, martingales on trees and
counts by dynamic programming in rationals. Exponents are compared instead of probabilities where these are tiny.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import comb
from typing import Any

import numpy as np
import sympy as sp

from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes
from proofs_check.methods.exact import Exact
from proofs_check.methods.interval import Inequality, Interval
from proofs_check.methods.montecarlo import MonteCarlo, Sample
from proofs_check.methods.symbolic import Identity, Symbolic
from proofs_check.rigorous import log_binomial_tail, separated
from theory.lemmas import concentration as theory
from theory.symbols import x

DELTA = 0.01
RUNS = Sizes(20_000, full=200_000, soak=2_000_000)


@dataclass(frozen=True, eq=False)
class Law:
    """A law on finitely many values in [0, 1] and a sample size."""

    values: FloatArray
    masses: FloatArray
    size: int

    def counts(self, seeds: np.random.SeedSequence, runs: int) -> FloatArray:
        """Return how often each value occurs in ``runs`` samples, ``(runs, len(values))``."""
        counts: FloatArray = np.random.default_rng(seeds).multinomial(self.size, self.masses, size=runs).astype(float)
        return counts


def _coin(mean: float, size: int) -> Law:
    return Law(np.array([0.0, 1.0]), np.array([1.0 - mean, mean]), size)


def _next_state_law(n_states: int, size: int) -> Law:
    """Return a value function spread over uniformly likely next states."""
    return Law(np.linspace(0.0, 1.0, n_states), np.full(n_states, 1.0 / n_states), size)


LAWS: Mapping[str, Callable[[], Law]] = {
    "fair coin, n=100": partial(_coin, 0.5, 100),
    "rare coin, n=50": partial(_coin, 0.04, 50),
    "ten next states, n=500": partial(_next_state_law, 10, 500),
}


def hoeffding(
    law: Law, seeds: np.random.SeedSequence, runs: int, *, logarithm: bool = True, scale: float = 1.0
) -> Sample:
    """Deviation of the mean against Hoeffding's radius."""
    deviation = law.counts(seeds, runs) @ law.values / law.size - law.masses @ law.values
    delta = DELTA if logarithm else np.exp(-1.0)
    return Sample(
        deviation,
        scale * theory.HOEFFDING.explicit_bound.evaluate(n=law.size, delta=delta),
        where="deviation of the mean",
    )


def empirical_bernstein(
    law: Law,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    variance: str = "sample",
    logarithm: bool = True,
    linear_term: bool = True,
) -> Sample:
    """Deviation of the mean against the empirical Bernstein radius, evaluated run by run."""
    counts = law.counts(seeds, runs)
    frequencies = counts / law.size
    means = frequencies @ law.values
    if variance == "sample":
        spread = (counts @ law.values**2 - law.size * means**2) / (law.size - 1)
    else:
        spread = np.std(frequencies * law.values, axis=1) ** 2
    log_term = np.log(2.0 / DELTA) if logarithm else 1.0
    radius = np.sqrt(2.0 * np.maximum(spread, 0.0) * log_term / law.size)
    if linear_term:
        radius += 7.0 * log_term / (3.0 * (law.size - 1))
    return Sample(law.masses @ law.values - means, radius)


MEAN_CHECKS = (
    Check(
        "concentration.hoeffding",
        MonteCarlo(LAWS, RUNS, delta=DELTA),
        hoeffding,
        (
            Mutant("no_logarithm", "log(1/delta) is left out", {"logarithm": False}),
            Mutant("factor_0.7", "0.7 times the radius", {"scale": 0.7}),
        ),
    ),
    Check(
        "concentration.empirical_bernstein",
        MonteCarlo(LAWS, RUNS, delta=DELTA),
        empirical_bernstein,
        (
            Mutant(
                "std_of_product", "np.std(P * V)**2 in the place of the variance of V under P", {"variance": "product"}
            ),
            Mutant("no_logarithm", "log(2/delta) is left out", {"logarithm": False}),
            Mutant("no_linear_term", "the term in 1/n is left out", {"linear_term": False}),
        ),
    ),
)


# Exact tails


@dataclass(frozen=True)
class Tail:
    """The event that at least ``least`` of ``size`` tosses succeed."""

    size: int
    mean: Fraction
    least: int

    @property
    def excess(self) -> Fraction:
        """Deviation of the frequency from the mean."""
        return Fraction(self.least, self.size) - self.mean

    @property
    def variance(self) -> Fraction:
        """Variance of one toss."""
        return self.mean * (1 - self.mean)

    def compare(self, exponent: Callable[[], Any], where: str) -> Comparison:
        """Compare the exponent of a bound with that of the probability, enclosed by balls."""
        return separated(lambda: (exponent(), -log_binomial_tail(self.size, self.mean, self.least)), where=where)


MANY = 10**8
TAILS: Mapping[str, Callable[[], Tail]] = {
    "fair, all of one toss": partial(Tail, 1, Fraction(1, 2), 1),
    "rare, all of three tosses": partial(Tail, 3, Fraction(1, 10), 3),
    "fair, 14 of 20": partial(Tail, 20, Fraction(1, 2), 14),
    "rare, 9 of 50": partial(Tail, 50, Fraction(1, 25), 9),
    "fair, 60 standard deviations": partial(Tail, MANY, Fraction(1, 2), MANY // 2 + 300_000),
    "rare, half as many again": partial(Tail, 10 * MANY, Fraction(1, 10_000), 150_000),
}
"""Tails that a bound should not be far from: whole samples, moderate deviations, and rare events in large samples."""


def ball(value: Fraction) -> Any:
    """Return a rational as a ball."""
    from flint import arb, fmpq

    return arb(fmpq(value.numerator, value.denominator))


def hoeffding_tail(tail: Tail, *, constant: Fraction = Fraction(2)) -> Comparison:
    """Exponent 2 n t^2."""
    exponent = constant * tail.size * tail.excess**2
    return tail.compare(lambda: ball(exponent), where="exponents")


def chernoff_kl(tail: Tail, *, factor: Fraction = Fraction(1)) -> Comparison:
    """Exponent n kl(q, p); for whole samples the two sides are one number."""
    if tail.least == tail.size and factor == 1:
        return Comparison(tail.mean**tail.size, tail.mean**tail.size, where="probabilities")

    def exponent() -> Any:
        share, mean = Fraction(tail.least, tail.size), tail.mean
        total = ball(share) * (ball(share) / ball(mean)).log()
        if share < 1:
            total += ball(1 - share) * (ball(1 - share) / ball(1 - mean)).log()
        return ball(factor * tail.size) * total

    return tail.compare(exponent, where="exponents")


def bernstein_tail(tail: Tail, *, linear: Fraction = Fraction(1, 3), variance: Fraction = Fraction(1)) -> Comparison:
    """Exponent n t^2 / (2 (variance + t / 3))."""
    exponent = tail.size * tail.excess**2 / (2 * (variance * tail.variance + linear * tail.excess))
    return tail.compare(lambda: ball(exponent), where="exponents")


# Martingales with two-point increments


@dataclass(frozen=True)
class Tree:
    """A martingale on a tree: each step goes up by ``up`` with probability ``mean``, or down to keep the mean.

    Parameters
    ----------
    stake
        Called with (step, sum, variance so far); returns the size of the step up, at most one, and its probability.
        A step of size zero stays.
    reach
        The level a.
    budget
        The largest predictable variance v.
    """

    stake: Callable[[int, Fraction, Fraction], tuple[Fraction, Fraction]]
    steps: int
    reach: Fraction
    budget: Fraction

    def crossing(self, *, limited: bool = True) -> tuple[Fraction, Fraction]:
        """Return the probability that the sum reaches a within the budget, and the mean of the final variance."""
        states = {(Fraction(0), Fraction(0)): Fraction(1)}
        reached, spent = Fraction(0), Fraction(0)
        for step in range(self.steps):
            following: dict[tuple[Fraction, Fraction], Fraction] = {}
            for (total, variance), mass in states.items():
                up, mean = self.stake(step, total, variance)
                down = -up * mean / (1 - mean)
                used = variance + mean * up**2 + (1 - mean) * down**2
                for move, chance in ((up, mean), (down, 1 - mean)):
                    if total + move >= self.reach and (used <= self.budget or not limited):
                        reached += mass * chance
                        spent += mass * chance * used
                    else:
                        key = (total + move, used)
                        following[key] = following.get(key, Fraction(0)) + mass * chance
            states = following
        return reached, spent + sum((mass * variance for (_, variance), mass in states.items()), Fraction(0))


def _steady(mean: Fraction, step: int, total: Fraction, variance: Fraction) -> tuple[Fraction, Fraction]:
    del step, total, variance
    return Fraction(1), mean


def _until_down(step: int, total: Fraction, variance: Fraction) -> tuple[Fraction, Fraction]:
    """Play on while the sum is above -2."""
    del step, variance
    return (Fraction(1), Fraction(1, 2)) if total > -2 else (Fraction(0), Fraction(1, 2))


def _lucky_start(step: int, total: Fraction, variance: Fraction) -> tuple[Fraction, Fraction]:
    """Play on only after a lucky first step of probability 1/20."""
    if step == 0:
        return Fraction(1), Fraction(1, 20)
    return (
        (Fraction(1), Fraction(1, 2))
        if variance > 0 and total > -1 + Fraction(18, 19)
        else (Fraction(0), Fraction(1, 2))
    )


TREES: Mapping[str, Callable[[], Tree]] = {
    "coin": partial(Tree, partial(_steady, Fraction(1, 2)), 40, Fraction(12), Fraction(40)),
    "rare steps": partial(Tree, partial(_steady, Fraction(1, 50)), 100, Fraction(6), Fraction(100, 49)),
    "until down": partial(Tree, _until_down, 30, Fraction(10), Fraction(20)),
    "lucky start": partial(Tree, _lucky_start, 40, Fraction(12), Fraction(40)),
}


def freedman(case: Tree | Tail, *, linear: Fraction = Fraction(1, 3), pathwise: bool = True) -> Comparison:
    """Exponent a^2 / (2 (v + a / 3)) against that of the exact probability of crossing.

    A tail of independent tosses is the special case in which the variance is not random.
    """
    if isinstance(case, Tail):
        reach, budget = case.size * case.excess, case.size * case.variance
        exponent = reach**2 / (2 * (budget + linear * reach))
        return case.compare(lambda: ball(exponent), where="exponents")
    chance, mean = case.crossing(limited=pathwise)
    budget = case.budget if pathwise else mean
    exponent = case.reach**2 / (2 * (budget + linear * case.reach))
    return separated(lambda: (ball(exponent), -ball(chance).log()), where="exponents")


def exponential_chord(*, constant: sp.Expr = theory.CHORD) -> Inequality:
    """Return 1 - exp(-x) >= (1 - 1/e) x on [0, 1]; both ends touch."""
    return Inequality(theory.exponential_chord(constant=constant), ((x, 0, 1),))


@dataclass(frozen=True)
class Visits:
    """Visits with probability ``high`` until ``switch`` of them are made, then with probability ``low``."""

    high: Fraction
    low: Fraction
    switch: int
    steps: int


VISITS: Mapping[str, Callable[[], Visits]] = {
    "fair coin": partial(Visits, Fraction(1, 2), Fraction(1, 2), 0, 100),
    "certain visits": partial(Visits, Fraction(9, 10), Fraction(9, 10), 0, 60),
    "fewer after three visits": partial(Visits, Fraction(3, 4), Fraction(1, 8), 3, 40),
}


def visit_counts(case: Visits, *, factor: str = "1 - 1/e", logarithm: bool = True) -> Comparison:
    """Exact probability of ever having too few visits, delta = 1/10; the state is (visits, sum of probabilities)."""
    from flint import arb

    scale = 1 - (-arb(1)).exp() if factor == "1 - 1/e" else arb(1)
    allowance = arb(10).log() if logarithm else arb(0)
    thresholds: dict[Fraction, int] = {}

    def needed(expected: Fraction) -> int:
        """Return the least number of visits that is enough."""
        if expected not in thresholds:
            least = (scale * ball(expected) - allowance).ceil().unique_fmpz()
            if least is None:
                raise ArithmeticError(f"the threshold after {expected} expected visits is not told from an integer")
            thresholds[expected] = int(least)
        return thresholds[expected]

    states = {(0, Fraction(0)): Fraction(1)}
    failed = Fraction(0)
    for _ in range(case.steps):
        following: dict[tuple[int, Fraction], Fraction] = {}
        for (visits, expected), mass in states.items():
            chance = case.high if visits < case.switch else case.low
            after = expected + chance
            for made, weight in ((visits + 1, chance), (visits, 1 - chance)):
                if made < needed(after):
                    failed += mass * weight
                else:
                    following[made, after] = following.get((made, after), Fraction(0)) + mass * weight
        states = following
    return Comparison(failed, Fraction(1, 10), where="probability")


# Empirical laws


@dataclass(frozen=True)
class Empirical:
    """A law on a few outcomes and a sample size."""

    law: tuple[Fraction, ...]
    size: int


THIRDS = (Fraction(1, 3),) * 3
SKEWED = (Fraction(1, 10), Fraction(1, 5), Fraction(7, 10))
EMPIRICAL: Mapping[str, Callable[[], Empirical]] = {
    "one toss": partial(Empirical, (Fraction(1, 2), Fraction(1, 2)), 1),
    "three outcomes, n=12": partial(Empirical, THIRDS, 12),
    "skewed, n=15": partial(Empirical, SKEWED, 15),
}


def compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """Yield all vectors of counts with a given sum."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in compositions(total - first, parts - 1):
            yield (first, *rest)


def multinomial(counts: Sequence[int], law: Sequence[Fraction]) -> Fraction:
    """Return the probability of a vector of counts."""
    chance, left = Fraction(1), sum(counts)
    for count, mass in zip(counts, law, strict=True):
        chance *= comb(left, count) * mass**count
        left -= count
    return chance


def _exponents(bound: Callable[[], Any], chance: Fraction) -> tuple[Any, Any]:
    return bound(), -ball(chance).log()


def weissman(
    case: Empirical | Tail, *, constant: Fraction = Fraction(1, 2), union: bool = True
) -> Iterator[Comparison]:
    """Exponents of the bound and of the exact probability, for every distance that occurs (but zero)."""

    def bound(size: int, distance: Fraction, events: int) -> Callable[[], Any]:
        exponent = constant * size * distance**2
        return lambda: ball(exponent) - (ball(Fraction(events)).log() if union else 0)

    if isinstance(case, Tail):
        # A fair coin: the distance is twice the excess, and both signs are equally likely.
        exponent = bound(case.size, 2 * case.excess, 2)
        log_two = Fraction(2)
        yield separated(
            lambda: (exponent(), -log_binomial_tail(case.size, case.mean, case.least) - ball(log_two).log()),
            where="exponents",
        )
        return
    chances: dict[Fraction, Fraction] = {}
    for counts in compositions(case.size, len(case.law)):
        distance = sum((abs(Fraction(k, case.size) - p) for k, p in zip(counts, case.law, strict=True)), Fraction(0))
        chances[distance] = chances.get(distance, Fraction(0)) + multinomial(counts, case.law)
    tail = Fraction(0)
    for distance in sorted(chances, reverse=True):
        tail += chances[distance]
        if distance > 0:
            exponent = bound(case.size, distance, 2 ** len(case.law) - 2)
            yield separated(partial(_exponents, exponent, tail), where=f"distance {distance}")


def mixture_martingale(*, pseudo: int = 3) -> Identity:
    """Return the mean of the next factor against one."""
    counts = sp.symbols("n_1:4", nonnegative=True)
    masses = sp.symbols("p_1:4", positive=True)
    alpha = sp.Symbol("alpha", positive=True)
    total = sum(counts) + pseudo * alpha
    return Identity(sum(p * (k + alpha) / (total * p) for k, p in zip(counts, masses, strict=True)), sp.S.One)


def mixture(counts: Sequence[int], law: Sequence[Fraction], alpha: Fraction) -> Fraction:
    """Return M_n for any order of the observations: the product of its factors, one outcome after the other."""
    value, seen = Fraction(1), 0
    for count, mass in zip(counts, law, strict=True):
        for earlier in range(count):
            value *= (earlier + alpha) / ((seen + len(counts) * alpha) * mass)
            seen += 1
    return value


def likelihood_ratio(counts: Sequence[int], law: Sequence[Fraction]) -> Fraction:
    """Return exp(n KL(p-hat | p))."""
    size = sum(counts)
    value = Fraction(1)
    for count, mass in zip(counts, law, strict=True):
        value *= (Fraction(count, size) / mass) ** count
    return value


def laplace_mixture(case: Empirical, *, missing: int = 0) -> Iterator[Comparison]:
    """Both sides for all vectors of counts."""
    outcomes = len(case.law)
    for counts in compositions(case.size, outcomes):
        size = case.size
        frequencies = [Fraction(k, size) for k in counts]
        paths = comb(size + outcomes - 1 - missing, outcomes - 1)
        claimed = mixture(counts, case.law, Fraction(1)) * paths * multinomial(counts, frequencies)
        yield Comparison(likelihood_ratio(counts, case.law), claimed, "==", where=f"counts {counts}")


def kt_mixture(size: int, *, constant: Fraction = Fraction(2)) -> Iterator[Comparison]:
    """Squares of both sides for all counts of a coin."""
    law = (Fraction(1, 3), Fraction(2, 3))
    for counts in compositions(size, 2):
        claimed = constant**2 * size * mixture(counts, law, Fraction(1, 2)) ** 2
        yield Comparison(likelihood_ratio(counts, law) ** 2, claimed, where=f"counts {counts}")


@dataclass(frozen=True)
class Watched:
    """A law that is watched after each of many observations."""

    law: tuple[Fraction, ...]
    steps: int


WATCHED: Mapping[str, Callable[[], Watched]] = {
    "fair coin": partial(Watched, (Fraction(1, 2), Fraction(1, 2)), 120),
    "rare coin": partial(Watched, (Fraction(1, 20), Fraction(19, 20)), 80),
    "three outcomes": partial(Watched, THIRDS, 20),
}


def categorical_kl(
    case: Watched, *, delta: Fraction = Fraction(1, 10), paths: bool = True, share: int = 1
) -> Comparison:
    """Exact probability that the radius is ever exceeded, by dynamic programming over the counts."""
    outcomes = len(case.law)
    states = {(0,) * outcomes: Fraction(1)}
    failed = Fraction(0)
    for size in range(1, case.steps + 1):
        following: dict[tuple[int, ...], Fraction] = {}
        for counts, mass in states.items():
            for i, chance in enumerate(case.law):
                key = (*counts[:i], counts[i] + 1, *counts[i + 1 :])
                following[key] = following.get(key, Fraction(0)) + mass * chance
        limit = (comb(size + outcomes - 1, outcomes - 1) if paths else 1) / delta
        states = {}
        for counts, mass in following.items():
            if likelihood_ratio(counts, case.law) > limit:
                failed += mass
            else:
                states[counts] = mass
    return Comparison(failed, delta / share, where="probability")


# Vectors and matrices


def method_of_mixtures(steps: int, *, growth: bool = True, doubled: bool = True) -> Comparison:
    """Exact probability that fair signs ever cross the boundary, delta = 1/10, lambda = 1, by counting paths."""
    from flint import arb

    paths = {0: 1}
    failed = Fraction(0)
    for n in range(1, steps + 1):
        following: dict[int, int] = {}
        for total, count in paths.items():
            for move in (-1, 1):
                following[total + move] = following.get(total + move, 0) + count
        square = (n + 1) * ((arb(n + 1).log() if growth else 0) + (2 if doubled else 1) * arb(10).log())
        crossed = {total for total in following if square < total * total}
        if any(not square < total * total and not square > total * total for total in following):
            raise ArithmeticError(f"the boundary at {n} is not told from an integer")
        failed += Fraction(sum(following[total] for total in crossed), 2**n)
        paths = {total: count for total, count in following.items() if total not in crossed}
    return Comparison(failed, Fraction(1, 10), where="probability")


@dataclass(frozen=True)
class Regression:
    """Features in the plane, chosen along the current residual with probability ``greedy``, else on the circle."""

    steps: int
    ridge: float
    greedy: float


REGRESSIONS: Mapping[str, Callable[[], Regression]] = {
    "features on the circle": partial(Regression, 60, 1.0, 0.0),
    "features along the residual": partial(Regression, 60, 0.1, 0.7),
}
MIXTURE_DELTA = 0.1


def self_normalised(
    case: Regression, seeds: np.random.SeedSequence, runs: int, *, determinant: bool = True, noise: float = 1.0
) -> Sample:
    """Largest excess over time of the squared norm over the growth of the determinant, against 2 log(1 / delta)."""
    rng = np.random.default_rng(seeds)
    gram = np.tile(case.ridge * np.eye(2), (runs, 1, 1))
    total = np.zeros((runs, 2))
    largest = np.full(runs, -np.inf)
    for _ in range(case.steps):
        angles = rng.uniform(0.0, 2.0 * np.pi, runs)
        circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        norms = np.linalg.norm(total, axis=1, keepdims=True)
        along = np.where(norms > 0.0, total / np.where(norms > 0.0, norms, 1.0), circle)
        phi = np.where(rng.random((runs, 1)) < case.greedy, along, circle)
        total += phi * (noise * rng.standard_normal(runs))[:, None]
        gram += phi[:, :, None] * phi[:, None, :]
        determinants = gram[:, 0, 0] * gram[:, 1, 1] - gram[:, 0, 1] ** 2
        adjugate = (
            gram[:, 1, 1] * total[:, 0] ** 2
            - 2.0 * gram[:, 0, 1] * total[:, 0] * total[:, 1]
            + gram[:, 0, 0] * total[:, 1] ** 2
        )
        growth = np.log(determinants / case.ridge**2) if determinant else 0.0
        largest = np.maximum(largest, adjugate / determinants - growth)
    return Sample(largest, 2.0 * np.log(1.0 / MIXTURE_DELTA))


@dataclass(frozen=True, eq=False)
class RandomMatrices:
    """Independent rank-one matrices: one of the rows of ``frame`` ``(k, d)``, of norm one, each equally likely."""

    frame: FloatArray
    size: int


def _axes(d: int, size: int) -> RandomMatrices:
    return RandomMatrices(np.eye(d), size)


def _star(points: int, size: int) -> RandomMatrices:
    angles = np.pi * np.arange(points) / points
    return RandomMatrices(np.stack([np.cos(angles), np.sin(angles)], axis=1), size)


FRAMES: Mapping[str, Callable[[], RandomMatrices]] = {
    "axes of order 20": partial(_axes, 20, 400),
    "three directions of the plane": partial(_star, 3, 60),
}
MATRIX_DELTA = 0.05


def chernoff_excess(mean: float, dimension: float) -> float:
    """Return the relative excess at which the bound is delta, by bisection."""
    target = np.log(dimension / MATRIX_DELTA) / mean
    low, high = 0.0, 1.0
    while (1 + high) * np.log1p(high) - high < target:
        high *= 2.0
    for _ in range(100):
        middle = (low + high) / 2.0
        low, high = (middle, high) if (1 + middle) * np.log1p(middle) - middle < target else (low, middle)
    return high


def matrix_chernoff(
    case: RandomMatrices, seeds: np.random.SeedSequence, runs: int, *, dimension: bool = True, power: float = 1.0
) -> Sample:
    """Largest eigenvalue of the sum against the value that is exceeded with probability at most delta."""
    points, d = case.frame.shape
    squares = case.frame[:, :, None] * case.frame[:, None, :]
    counts = np.random.default_rng(seeds).multinomial(case.size, np.full(points, 1.0 / points), size=runs)
    sums = np.tensordot(counts.astype(float), squares, axes=1)
    mean = case.size * float(np.linalg.eigvalsh(squares.mean(axis=0))[-1])
    excess = chernoff_excess(power * mean, d if dimension else 1.0)
    return Sample(np.linalg.eigvalsh(sums)[:, -1], (1.0 + excess) * mean, tolerance=0.0)


@dataclass(frozen=True, eq=False)
class Covariance:
    """Features on the axes with these probabilities, and the regularisation."""

    masses: FloatArray
    ridge: float


COVARIANCES: Mapping[str, Callable[[], Covariance]] = {
    "three rare axes": partial(Covariance, np.array([0.97, 0.01, 0.01, 0.01]), 0.01),
    "uniform": partial(Covariance, np.full(4, 0.25), 0.1),
}


def covariance_estimate(
    case: Covariance, seeds: np.random.SeedSequence, runs: int, *, samples: int | None = None
) -> Sample:
    """Largest relative error of an eigenvalue against one half."""
    size = samples or int(np.ceil(samples_needed(case)))
    counts = np.random.default_rng(seeds).multinomial(size, case.masses, size=runs)
    errors = np.abs(counts / size - case.masses) / (case.ridge + case.masses)
    return Sample(errors.max(axis=1), 0.5)


def samples_needed(case: Covariance) -> float:
    """Return the number of samples that the claim asks for."""
    claim = next(claim for claim in theory.CLAIMS if claim.id == "concentration.covariance_estimate")
    return claim.explicit_bound.evaluate(ridge=case.ridge, d=case.masses.size, delta=MIXTURE_DELTA)


TAIL_CHECKS = (
    Check(
        "concentration.hoeffding",
        Exact(TAILS, per_unit=len(TAILS)),
        hoeffding_tail,
        (
            Mutant(
                "exponent", "2.01 n t^2: two is approached far out in large samples", {"constant": Fraction(201, 100)}
            ),
        ),
        name="exact tails",
    ),
    Check(
        "concentration.chernoff_kl",
        Exact(TAILS, per_unit=len(TAILS)),
        chernoff_kl,
        (
            Mutant("exponent", "1.01 n kl(q, p): equality for whole samples", {"factor": Fraction(101, 100)}),
            Mutant("exponent_1.002", "1.002 n kl(q, p)", {"factor": Fraction(1002, 1000)}),
        ),
    ),
    Check(
        "concentration.bernstein",
        Exact(TAILS, per_unit=len(TAILS)),
        bernstein_tail,
        (
            Mutant("linear", "0.3 instead of 1/3", {"linear": Fraction(3, 10)}),
            Mutant("variance", "0.99 of the variance", {"variance": Fraction(99, 100)}),
        ),
    ),
    Check(
        "concentration.freedman",
        Exact({**TREES, **TAILS}, per_unit=4),
        freedman,
        (
            Mutant("linear", "0.3 instead of 1/3", {"linear": Fraction(3, 10)}),
            Mutant("gaussian", "the linear term is left out", {"linear": Fraction(0)}),
            Mutant("mean_variance", "the mean of the variance instead of its value on the path", {"pathwise": False}),
        ),
    ),
    Check(
        "concentration.exponential_chord",
        Interval(),
        exponential_chord,
        (
            Mutant(
                "constant", "0.64 instead of 1 - 1/e = 0.6321: equality at x = 1", {"constant": sp.Rational(64, 100)}
            ),
        ),
    ),
    Check(
        "concentration.visit_counts",
        Exact(VISITS, per_unit=len(VISITS)),
        visit_counts,
        (
            Mutant("factor", "1 instead of 1 - 1/e", {"factor": "1"}),
            Mutant("no_logarithm", "log(1/delta) is left out", {"logarithm": False}),
        ),
    ),
)

LAW_CHECKS = (
    Check(
        "concentration.weissman",
        Exact(
            {**EMPIRICAL, "fair, 60 standard deviations": TAILS["fair, 60 standard deviations"]},
            per_unit=len(EMPIRICAL) + 1,
        ),
        weissman,
        (
            Mutant("exponent", "0.505 instead of 1/2", {"constant": Fraction(101, 200)}),
            Mutant("no_union", "1 instead of 2^S - 2", {"union": False}),
        ),
    ),
    Check(
        "concentration.mixture_martingale",
        Symbolic(),
        mixture_martingale,
        (Mutant("pseudo", "2 alpha instead of 3 alpha in the denominator", {"pseudo": 2}),),
    ),
    Check(
        "concentration.laplace_mixture",
        Exact(EMPIRICAL, per_unit=len(EMPIRICAL)),
        laplace_mixture,
        (Mutant("paths", "n + S - 2 over S - 1", {"missing": 1}),),
    ),
    Check(
        "concentration.kt_mixture",
        Exact({f"n={n}": partial(int, n) for n in (1, 2, 5, 20, 60)}, per_unit=5),
        kt_mixture,
        (Mutant("constant", "1.98 instead of 2: equality for one observation", {"constant": Fraction(198, 100)}),),
    ),
    Check(
        "concentration.categorical_kl",
        Exact(WATCHED, per_unit=len(WATCHED)),
        categorical_kl,
        (
            Mutant("no_paths", "the binomial coefficient is left out", {"paths": False}),
            Mutant("tenth", "failure probability delta / 10 is promised", {"share": 10}),
        ),
    ),
)

VECTOR_CHECKS = (
    Check(
        "concentration.method_of_mixtures",
        Exact({"150 signs": partial(int, 150)}),
        method_of_mixtures,
        (
            Mutant("no_growth", "the logarithm of the growth is left out", {"growth": False}),
            Mutant("half", "log(1/delta) instead of 2 log(1/delta)", {"doubled": False}),
        ),
    ),
    Check(
        "concentration.self_normalised",
        MonteCarlo(REGRESSIONS, Sizes(3_000, full=100_000), delta=MIXTURE_DELTA),
        self_normalised,
        (
            Mutant("no_determinant", "the growth of the determinant is left out", {"determinant": False}),
            Mutant("noise", "noise of standard deviation 1.4", {"noise": 1.4}),
        ),
    ),
    Check(
        "concentration.matrix_chernoff",
        MonteCarlo(FRAMES, Sizes(4_000, full=100_000), delta=MATRIX_DELTA),
        matrix_chernoff,
        (
            Mutant("no_dimension", "1 instead of d", {"dimension": False}),
            Mutant("exponent", "mu / R instead of mu / (2 R)", {"power": 2.0}),
        ),
    ),
    Check(
        "concentration.covariance_estimate",
        MonteCarlo(COVARIANCES, Sizes(4_000, full=100_000), delta=MIXTURE_DELTA),
        covariance_estimate,
        (Mutant("hundred", "100 samples", {"samples": 100}),),
    ),
)

CHECKS = (*MEAN_CHECKS, *TAIL_CHECKS, *LAW_CHECKS, *VECTOR_CHECKS)
