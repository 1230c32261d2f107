r"""Checks of the learning error: how far samples are apart, in the mean, with high probability, and at least.

The upper envelope of zero inputs is :math:`\alpha d(x)`: for a constant expert its error is the distance to the nearest
sample, on which all rates rest. The domain is the unit cube. On a line the fill distance and the mean distance are
exact; elsewhere a grid bounds the fill distance from above, distances being 1-Lipschitz.
"""

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from typing import Any

import numpy as np
import sympy as sp

from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.exact import Exact
from proofs_check.methods.interval import Inequality as IntervalInequality
from proofs_check.methods.interval import Interval
from proofs_check.methods.montecarlo import Expectation, MonteCarlo, Sample
from proofs_check.methods.proof_rules import Slope
from proofs_check.methods.rates import Rates
from proofs_check.methods.search import Box, Maximiser, Search, Space
from proofs_check.methods.symbolic import Identity, Symbolic
from proofs_check.papers import lipschitz as lemmas
from proofs_check.papers.lipschitz import ExtensionCase
from theory import lipschitz_policies as theory
from theory import symbols

CLAIMS = {claim.id.split(".")[1]: claim for claim in theory.CLAIMS}
ZERO, ONE, HALF = Fraction(0), Fraction(1), Fraction(1, 2)
FAILURE = Fraction(1, 20)

LEAST_SAMPLES = 5
"""Fewest samples with one cell: N >= ln(20 N)."""

QUERIES = 100
"""Uniform states at which the distance to the nearest sample is averaged in one run."""


# Scalar facts


def beta_integral(*, shift: sp.Expr = sp.S.Zero) -> Identity:
    """Return d/dtau tau q^N = (1 + n N) q^N - n N q^(N-1) for q = 1 - tau^n, whose derivative is -n (1 - q) / tau.

    The left side integrates to zero.
    """
    inside, size = sp.Symbol("q", positive=True), sp.Symbol("N", integer=True, positive=True)
    dimension = sp.Symbol("n", integer=True, positive=True)
    derivative = inside**size - dimension * (1 - inside) * sp.diff(inside**size, inside)
    parts = (1 + dimension * size + shift) * inside**size - dimension * size * inside ** (size - 1)
    return Identity(derivative, parts, (sp.Le(inside, 1),))


def gamma_ratio(*, power: sp.Expr = sp.S.One) -> IntervalInequality:
    """Return the inequality with s times ``power`` on the right."""
    step, growth = sp.Symbol("s", real=True), sp.Symbol("g", real=True)
    relation = sp.Le(sp.log(1 + step * growth / (1 + growth)), power * step * sp.log(1 + growth), evaluate=False)
    slope = step * (1 + step) / ((1 + growth) * (1 + growth + step * growth))
    return IntervalInequality(relation, ((step, 0, 1), (growth, 0, 1)), hints=(Slope(growth, 0, slope),))


def empty_cells_scalar(*, scale: sp.Expr = sp.S.One, least: int = 1) -> IntervalInequality:
    """Return e^{-v} / (least + w + v) <= scale for w, v >= 0."""
    extra, past = sp.Symbol("w", real=True), sp.Symbol("v", real=True)
    relation = sp.Le(sp.exp(-past) / (least + extra + past), scale, evaluate=False)
    return IntervalInequality(relation, ((extra, 0, sp.oo), (past, 0, sp.oo)))


# Cells of a grid


def cells_per_side(dimension: int, size: int, failure: float, rule: str = "logarithm") -> int:
    """Return k; without the logarithm, or with that of 1 / delta only, as other rules."""
    weight = {
        "logarithm": math.log(size / failure),
        "none": 1.0,
        "failure only": math.log(1.0 / failure),
    }[rule]
    return math.floor((size / weight) ** (1.0 / dimension) + 1e-12)


def empty_cells(case: tuple[int, int, Fraction], *, rule: str = "logarithm") -> Comparison:
    """Probability that a cell is empty, by inclusion and exclusion."""
    dimension, size, failure = case
    cells = cells_per_side(dimension, size, float(failure), rule) ** dimension
    signs = ((-1) ** (j + 1) * math.comb(cells, j) * (cells - j) ** size for j in range(1, cells))
    return Comparison(Fraction(sum(signs), cells**size), failure, where=f"{cells} cells")


CELLS = {
    f"n={dimension}, N={size}, delta={failure}": lambda case=(dimension, size, failure): case
    for dimension, size, failure in (
        (1, 33, FAILURE),
        (1, 200, FAILURE),
        (2, 602, FAILURE),
        (2, 1000, Fraction(1, 10)),
        (3, 800, Fraction(1, 100)),
        (1, 2, HALF),
    )
}


# Uniform samples


def nearest(points: FloatArray, queries: FloatArray) -> FloatArray:
    """Return the distance to the nearest point, ``(Q,)``; points ``(N, n)``, queries ``(Q, n)``."""
    if len(points) > 100:
        from scipy.spatial import cKDTree

        return np.asarray(cKDTree(points).query(queries)[0])
    square = np.zeros((len(queries), len(points)))
    for axis in range(points.shape[1]):
        square += np.subtract.outer(queries[:, axis], points[:, axis]) ** 2
    distances: FloatArray = np.sqrt(square.min(axis=1))
    return distances


def fill(points: FloatArray, resolution: int) -> float:
    """Return the fill distance of points in the unit cube: exact on a line, else an upper bound from a grid."""
    if points.shape[1] == 1:
        ordered = np.sort(points[:, 0])
        inside = np.diff(ordered).max(initial=0.0) / 2.0
        return float(max(ordered[0], 1.0 - ordered[-1], inside))
    axis = (np.arange(resolution) + 0.5) / resolution
    grid = np.stack(np.meshgrid(*[axis] * points.shape[1]), axis=-1).reshape(-1, points.shape[1])
    return float(nearest(points, grid).max()) + math.sqrt(points.shape[1]) / (2.0 * resolution)


@dataclass(frozen=True)
class Design:
    """Uniform samples in the unit cube."""

    dimension: int
    size: int


def nearest_distance(
    design: Design, seeds: np.random.SeedSequence, runs: int, *, constant: float = 1.0, power: float = 1.0
) -> Sample:
    """Mean error of the upper envelope of zero inputs against ``constant`` times the bound, at N to the ``power``.

    Alpha is 1.
    """
    rng = np.random.default_rng(seeds)
    errors = np.array(
        [
            nearest(rng.random((design.size, design.dimension)), rng.random((QUERIES, design.dimension))).mean()
            for _ in range(runs)
        ]
    )
    bound = CLAIMS["nearest_distance"].explicit_bound
    values = {"a": 1.0, "n": design.dimension, "L": 0.0, "alpha": 1.0}
    trivial = sp.sqrt(design.dimension)
    return Sample(
        errors,
        constant * bound.evaluate(**values, N=design.size**power),
        nonvacuous_from=bound.nonvacuous_from("N", trivial, values),
        support=(0.0, math.sqrt(design.dimension)),
    )


def designs(tier: Tier) -> Mapping[str, Callable[[], Design]]:
    """Return designs in one to three (four) dimensions."""
    sizes = [(1, 10), (2, 20), (3, 40)]
    if tier != Tier.QUICK:
        sizes += [(1, 100), (2, 200), (4, 400)]
    return {f"n={d}, N={size}": partial(Design, d, size) for d, size in sizes}


def fill_distance(
    design: Design, seeds: np.random.SeedSequence, runs: int, *, rule: str = "logarithm", scale: float = 1.0
) -> Sample:
    """Fill distances of independent samples against the bound."""
    rng = np.random.default_rng(seeds)
    resolution = {1: 0, 2: 40, 3: 20}[design.dimension]
    found = [fill(rng.random((design.size, design.dimension)), resolution) for _ in range(runs)]
    bound = CLAIMS["fill_distance"].explicit_bound
    cells = cells_per_side(design.dimension, design.size, float(FAILURE), rule)
    values = {"a": 1.0, "n": design.dimension, "delta": float(FAILURE)}
    return Sample(
        found,
        scale * math.sqrt(design.dimension) / cells,
        vacuous=cells <= 1,
        nonvacuous_from=bound.nonvacuous_from("N", sp.sqrt(design.dimension), values, LEAST_SAMPLES),
    )


def fill_designs(tier: Tier) -> Mapping[str, Callable[[], Design]]:
    """Return designs in one and two (three) dimensions."""
    sizes = [(1, 33), (1, 200), (2, 300)]
    if tier != Tier.QUICK:
        sizes += [(2, 2799), (3, 500)]
    return {f"n={d}, N={size}": partial(Design, d, size) for d, size in sizes}


def error_rate(size: int, seeds: np.random.SeedSequence, runs: int, *, dimension: int) -> FloatArray:
    """Return mean distances of independent samples in a cube."""
    rng = np.random.default_rng(seeds)
    points = [(rng.random((size, dimension)), rng.random((QUERIES, dimension))) for _ in range(runs)]
    return np.array([nearest(*pair).mean() for pair in points])


def learning_figure(tier: Tier) -> Json:
    """Mean error of the upper envelope for a constant expert against N, between the lower and the upper bound."""
    sizes = [10, 30, 100, 300, 1000] + ([3000] if tier != Tier.QUICK else [])
    upper, lower = CLAIMS["nearest_distance"].explicit_bound, CLAIMS["lower_bound"].explicit_bound
    curves = []
    for dimension in (1, 2, 3):
        means = [
            float(error_rate(size, np.random.SeedSequence((dimension, size)), 3, dimension=dimension).mean())
            for size in sizes
        ]
        values = {"a": 1.0, "n": dimension, "L": 0.0, "alpha": 1.0}
        curves.append(
            {
                "label": f"n = {dimension}",
                "x": sizes,
                "y": means,
                "low": [lower.evaluate(**{**values, "L": 1.0}, N=size) for size in sizes],
                "high": means,
                "bound": [upper.evaluate(**values, N=size) for size in sizes],
                "slope": float(np.polyfit(np.log(sizes), np.log(means), 1)[0]),
                "claimed": -1.0 / dimension,
            }
        )
    return {
        "kind": "curves",
        "title": "Learning error against the number of demonstrations",
        "xlabel": "demonstrations N",
        "ylabel": "mean error / alpha",
        "caption": "Mean error of the upper envelope of a constant expert; dashed: upper bound; the bands reach down "
        "to what no design and no estimator can beat.",
        "curves": curves,
    }


# Transfer by the Wasserstein distance


@dataclass(frozen=True)
class Line:
    """Points on a line with probabilities and numbers of samples, and two slopes."""

    points: tuple[Fraction, ...]
    law: tuple[Fraction, ...]
    counts: tuple[int, ...]
    learner: Fraction
    target: Fraction

    @property
    def wasserstein(self) -> Fraction:
        """Distance of the law and the samples: the area between their distribution functions."""
        gap, area = ZERO, ZERO
        for k, (p, count) in enumerate(zip(self.law[:-1], self.counts[:-1], strict=True)):
            gap += p - Fraction(count, sum(self.counts))
            area += abs(gap) * (self.points[k + 1] - self.points[k])
        return area


def random_line(seed: int, size: int) -> Line:
    """Return ordered points without structure."""
    rng = random.Random(seed)
    points = sorted(rng.sample(range(4 * size), size))
    weights = [rng.randint(1, 9) for _ in points]
    counts = tuple(rng.randint(0, 4) for _ in points[1:])
    law = tuple(Fraction(w, sum(weights)) for w in weights)
    slopes = [Fraction(rng.randint(1, 8), 4) for _ in range(2)]
    return Line(tuple(map(Fraction, points)), law, (*counts, 1), *slopes)


LINES: Mapping[str, Callable[[], Line]] = {
    "all samples at the origin": lambda: Line((ZERO, ONE), (HALF, HALF), (1, 0), ONE, Fraction(2)),
    **{f"seed {seed}": partial(random_line, seed, 6) for seed in range(3)},
}


def empirical_transfer(case: Line, *, both: bool = True, share: Fraction = ONE) -> Comparison:
    """Mean error of u = alpha x for the expert u = -L x, under the law and over the samples."""
    slope = case.learner + case.target
    errors = [slope * abs(x) for x in case.points]
    mean = sum((p * e for p, e in zip(case.law, errors, strict=True)), ZERO)
    sampled = sum((count * e for count, e in zip(case.counts, errors, strict=True)), ZERO) / sum(case.counts)
    bound = slope if both else max(case.learner, case.target)
    return Comparison(mean, sampled + share * bound * case.wasserstein)


def wasserstein_rate(
    design: Design, seeds: np.random.SeedSequence, runs: int, *, constant: float = 1.0, power: float = 1.0
) -> Sample:
    """Distances of two samples, by optimal assignments, against ``constant`` times the bound, at N to the ``power``."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    rng = np.random.default_rng(seeds)
    found = []
    for _ in range(runs):
        first, second = rng.random((2, design.size, design.dimension))
        cost = cdist(first, second)
        found.append(float(cost[linear_sum_assignment(cost)].mean()))
    bound = CLAIMS["wasserstein_rate"].explicit_bound
    values = {"a": 1.0, "n": design.dimension}
    diameter = math.sqrt(design.dimension)
    rhs = constant * bound.evaluate(**values, N=design.size**power)
    first_use = bound.nonvacuous_from("N", sp.sqrt(design.dimension), values)
    return Sample(found, rhs, vacuous=rhs >= diameter, nonvacuous_from=first_use, support=(0.0, diameter))


# Lower bounds


def spaced(points: tuple[Fraction, ...], *, factor: Fraction = ONE) -> Iterator[Comparison]:
    """Mean distance to the nearest of ordered points in [0, 1], and errors of constant estimators for two experts."""
    gaps = [y - x for x, y in itertools.pairwise(points)]
    mean = (points[0] ** 2 + (1 - points[-1]) ** 2) / 2 + sum((gap**2 for gap in gaps), ZERO) / 4
    least = CLAIMS["lower_bound"].explicit_bound.rhs.subs(
        {theory.SIDE: 1, symbols.n: 1, theory.L: 1, symbols.N: len(points)}
    )
    yield Comparison(mean, factor * Fraction(int(least.p), int(least.q)), ">=", where="mean distance")
    queries = [Fraction(j, 60) for j in range(61)]
    distances = [min(abs(q - x) for x in points) for q in queries]
    for guess in (ZERO, Fraction(1, 20), Fraction(-1, 10)):
        errors = [sum((abs(guess - sign * d) for d in distances), ZERO) / len(queries) for sign in (1, -1)]
        floor = factor * sum(distances, ZERO) / len(queries)
        yield Comparison(max(errors), floor, ">=", where=f"estimator {guess}")


def _spread(count: int) -> tuple[Fraction, ...]:
    return tuple(Fraction(2 * i + 1, 2 * count) for i in range(count))


def _scattered(seed: int, count: int) -> tuple[Fraction, ...]:
    return tuple(Fraction(k, 99) for k in sorted(random.Random(seed).sample(range(100), count)))


SPACED: Mapping[str, Callable[[], tuple[Fraction, ...]]] = {
    "one sample": partial(_spread, 1),
    "equally spaced": partial(_spread, 7),
    "scattered": partial(_scattered, 1, 6),
}


@dataclass(frozen=True, eq=False)
class Points:
    """Samples ``(N, 2)`` in the unit square."""

    samples: FloatArray


def lattice(side: int) -> Points:
    """Return the centres of equal squares."""
    axis = (np.arange(side) + 0.5) / side
    return Points(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2))


GRID_SIDE = 40


def mean_in_square(points: Points, *, factor: float = 1.0, power: float = 1.0) -> Comparison:
    """Mean distance over the midpoints of a grid, with an allowance for the quadrature."""
    axis = (np.arange(GRID_SIDE) + 0.5) / GRID_SIDE
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    bound = CLAIMS["lower_bound"].explicit_bound
    least = bound.evaluate(a=1.0, n=2, L=1.0, N=len(points.samples) ** power)
    return Comparison(float(nearest(points.samples, grid).mean()), factor * least, ">=", tolerance=2e-3)


# Grids


@dataclass(frozen=True)
class Covered:
    """Samples on a line with an expert and a learner, as two envelopes, and a number of cells of [-2, 4]."""

    case: ExtensionCase
    cells: int

    @cached_property
    def radius(self) -> Fraction:
        """Half the length of a cell."""
        return Fraction(3, self.cells)

    @cached_property
    def centres(self) -> list[Fraction]:
        """Centres of the cells."""
        return [-2 + (2 * i + 1) * self.radius for i in range(self.cells)]


def grid_certificate(covered: Covered, *, radius: Fraction = ONE, both: bool = True) -> Iterator[Comparison]:
    """Distances and errors at the ends of all cells against their bounds from the centres."""
    case, target = covered.case, covered.case.slope
    learner = 2 * target

    def distance(x: Fraction) -> Fraction:
        return case.metric((x,), case.points[case.nearest((x,))])

    def error(x: Fraction) -> Fraction:
        return abs(case.envelope((x,), learner, 1) - case.envelope((x,), target, -1))

    ends = [-2 + 2 * i * covered.radius for i in range(covered.cells + 1)]
    slope = learner + target if both else learner
    for name, value, factor in (("distance", distance, ONE), ("error", error, slope)):
        certified = max(value((c,)[0]) for c in covered.centres) + factor * radius * covered.radius
        yield Comparison(max(value(x) for x in (*ends, *covered.centres)), certified, where=name)


COVERED: Mapping[str, Callable[[], Covered]] = {
    "two samples, 6 cells": lambda: Covered(lemmas.single_sample(), 6),
    "two samples, 7 cells": lambda: Covered(lemmas.single_sample(), 7),
    "line, 9 cells": lambda: Covered(lemmas.random_extension(1, 1, lemmas.manhattan), 9),
}


def _rate(dimension: int, **mutant: Any) -> Check:
    return Check(
        "lipschitz_policies.nearest_distance",
        Rates(
            claimed_slope=-1.0 / dimension,
            at="most",
            budgets=Sizes((30, 60, 120, 250, 500, 1000, 2000)),
            runs=Sizes(30),
        ),
        partial(error_rate, dimension=dimension),
        (Mutant(**mutant),),
        name=f"rate n={dimension}",
        tier=Tier.FULL,
    )


CHECKS = (
    Check(
        "lipschitz_policies.beta_integral",
        Symbolic(),
        beta_integral,
        (Mutant("shifted", "n N in the place of 1 + n N", {"shift": sp.S.NegativeOne}),),
    ),
    Check(
        "lipschitz_policies.gamma_ratio",
        Interval(),
        gamma_ratio,
        (Mutant("power", "s 0.99 in the place of s", {"power": sp.Rational(99, 100)}),),
    ),
    Check(
        "lipschitz_policies.empty_cells_scalar",
        Interval(),
        empty_cells_scalar,
        (
            Mutant("scale", "0.99 delta", {"scale": sp.Rational(99, 100)}),
            Mutant("few_samples", "N / delta down to sqrt(e) is enough", {"least": sp.Rational(1, 2)}),
        ),
    ),
    Check(
        "lipschitz_policies.empty_cells",
        Exact(CELLS, per_unit=6),
        empty_cells,
        (
            Mutant("no_logarithm", "k = N^(1/n), rounded down", {"rule": "none"}),
            Mutant("failure_only", "ln(1 / delta) in the place of ln(N / delta)", {"rule": "failure only"}),
        ),
    ),
    Check(
        "lipschitz_policies.nearest_distance",
        Expectation(designs, runs=Sizes(400, 6000), block=Sizes(400, 3000)),
        nearest_distance,
        (
            Mutant("constant", "0.3 times the bound", {"constant": 0.3}),
            Mutant("rate", "the rate 2/n", {"power": 2.0}),
        ),
        figure=learning_figure,
    ),
    Check(
        "lipschitz_policies.fill_distance",
        MonteCarlo(fill_designs, runs=Sizes(200, 400), block=Sizes(200), delta=float(FAILURE)),
        fill_distance,
        (
            Mutant("no_logarithm", "k = N^(1/n), rounded down", {"rule": "none"}),
            Mutant("scale", "0.3 times the bound", {"scale": 0.3}),
        ),
    ),
    Check(
        "lipschitz_policies.empirical_transfer",
        Exact(LINES, per_unit=4),
        empirical_transfer,
        (
            Mutant("larger_slope_only", "max(alpha, L) in the place of alpha + L", {"both": False}),
            Mutant("less", "0.99 of the distance of the laws", {"share": Fraction(99, 100)}),
        ),
    ),
    Check(
        "lipschitz_policies.wasserstein_rate",
        Expectation({"n=3, N=700": partial(Design, 3, 700)}, runs=Sizes(160)),
        wasserstein_rate,
        (
            Mutant("constant", "a hundredth of the constant", {"constant": 0.01}),
            Mutant("rate", "the rate 3 / n", {"power": 3.0}),
        ),
        tier=Tier.FULL,
    ),
    Check(
        "lipschitz_policies.lower_bound",
        Exact(SPACED, per_unit=3),
        spaced,
        (Mutant("factor", "1.01 times the bound", {"factor": Fraction(101, 100)}),),
    ),
    Check(
        "lipschitz_policies.lower_bound",
        Search(
            maximise=Maximiser(Space(samples=Box(0.0, 1.0, (4, 2))), Points, Sizes(2, 16), Sizes(60, 1_000)),
            corners={"2 x 2 squares": partial(lattice, 2), "5 x 5 squares": partial(lattice, 5)},
        ),
        mean_in_square,
        (
            Mutant("factor", "1.05 times the bound", {"factor": 1.05}),
            Mutant("slow", "the rate 1 / (2 n)", {"power": 0.5}),
        ),
    ),
    Check(
        "lipschitz_policies.grid_certificate",
        Exact(COVERED, per_unit=3),
        grid_certificate,
        (
            Mutant("radius", "0.99 of the radius of the cells", {"radius": Fraction(99, 100)}),
            Mutant("learner_only", "the slope of the learned policy alone", {"both": False}),
        ),
    ),
    _rate(2, name="another_dimension", why="the rate 1/2 in three dimensions", changes={"dimension": 3}),
)
