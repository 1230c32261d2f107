r"""Checks of Lipschitz learning: duality, clipping, bias, interpolation, and what the Lipschitz constant trades off.

Demonstrations are rational. Distances are sums of absolute differences, or Euclidean where only their squares are
needed or where they are rational: a mirrored pair is twice as far apart as one coordinate is large. Fits are compared
with dual points, so that no solver is involved.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial

import sympy as sp

from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.convex import Cones, ConicProgram, Convex, Optimum
from proofs_check.methods.exact import Exact
from proofs_check.methods.symbolic import Identity, Obligation, Symbolic
from proofs_check.papers import lipschitz as lemmas
from proofs_check.papers.lipschitz import ExtensionCase, Matrix, Vector, manhattan
from theory.symbols import N

ZERO, ONE, HALF = Fraction(0), Fraction(1), Fraction(1, 2)
R = sp.Rational


def dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    """Return the inner product."""
    return sum((x * y for x, y in zip(left, right, strict=True)), ZERO)


def minus(left: Sequence[Fraction], right: Sequence[Fraction]) -> Vector:
    """Return the difference."""
    return tuple(x - y for x, y in zip(left, right, strict=True))


def times(matrix: Matrix, vector: Sequence[Fraction]) -> Vector:
    """Return M v."""
    return tuple(dot(row, vector) for row in matrix)


def transposed(matrix: Matrix) -> Matrix:
    """Return the transpose."""
    return [list(column) for column in zip(*matrix, strict=True)]


def positive(value: Fraction) -> Fraction:
    """Return the positive part."""
    return max(value, ZERO)


# Duality


SAMPLES, INPUTS = 5, 3
"""Sizes at which the sums of the duality are written out."""


def duality_identities(
    *, weight: sp.Expr = sp.S.Half, cross: sp.Expr = sp.S.One, sign: int = -1
) -> dict[str, Obligation]:
    """Return the parts of loss - dual value: a square per coordinate, summation by parts, and Lagrange's identity.

    For b = (By)_i the sums of <v_i, b_i> over the samples and of <v_i - v_j, y_ij> over the pairs are the same; each of
    their terms involves one pair, so that five samples are enough. Lagrange's identity is a sum over pairs of inputs.
    """
    u, v, b = sp.symbols("u v b", real=True)
    size = N
    dual = u * b - weight * size * b**2
    values = sp.symbols(f"v:{SAMPLES}", real=True)
    pairs = {pair: sp.Symbol(f"y{pair[0]}{pair[1]}", real=True) for pair in itertools.combinations(range(SAMPLES), 2)}
    balance = [
        sum(y for (j, _), y in pairs.items() if j == i) + sign * sum(y for (_, j), y in pairs.items() if j == i)
        for i in range(SAMPLES)
    ]
    w, y = sp.symbols(f"w:{INPUTS}", real=True), sp.symbols(f"y:{INPUTS}", real=True)
    inner, norms = sum(map(sp.Mul, w, y)), sum(e**2 for e in w) * sum(e**2 for e in y)
    areas = sum((w[k] * y[m] - w[m] * y[k]) ** 2 for k, m in itertools.combinations(range(INPUTS), 2))
    return {
        "square": Identity((v - u) ** 2 / (2 * size) - dual + v * b, (v - u + size * b) ** 2 / (2 * size)),
        "summation by parts": Identity(
            sum(map(sp.Mul, values, balance)), sum((values[i] - values[j]) * y for (i, j), y in pairs.items())
        ),
        "Cauchy and Schwarz": Identity(norms - inner**2, cross * areas),
    }


@dataclass(frozen=True)
class Dual:
    """States, inputs of the expert, a feasible fit of slope at most alpha, and a dual point; one input."""

    points: tuple[Vector, ...]
    inputs: Vector
    fit: Vector
    slope: Fraction
    multipliers: Mapping[tuple[int, int], Fraction]

    def value(self, *, quadratic: Fraction = HALF, distances: Fraction = ONE) -> Fraction:
        """Return the dual value."""
        balance = [ZERO] * len(self.points)
        cost = ZERO
        for (i, j), y in self.multipliers.items():
            balance[i] += y
            balance[j] -= y
            cost += manhattan(self.points[i], self.points[j]) * abs(y)
        square = dot(balance, balance)
        return dot(self.inputs, balance) - quadratic * len(self.points) * square - distances * self.slope * cost

    @property
    def loss(self) -> Fraction:
        """Training loss of the fit."""
        residual = minus(self.fit, self.inputs)
        return dot(residual, residual) / (2 * len(self.points))


def random_dual(seed: int, count: int, dimension: int, size: int) -> Dual:
    """Return an envelope as the fit and a dual point with entries of the given size in thousandths."""
    rng = random.Random(seed)
    case = lemmas.random_extension(seed, dimension, manhattan)
    points = case.points[:count]
    slope = case.slope * Fraction(rng.randint(1, 9), 10)
    fit = tuple(case.envelope(x, slope, 1) for x in points)
    inputs = case.values[:count]
    pairs = {pair: Fraction(rng.randint(-size, size), 1000) for pair in itertools.combinations(range(count), 2)}
    return Dual(points, inputs, fit, slope, pairs)


def pair_dual() -> Dual:
    """Return two samples with their best fit and their best dual point."""
    steep, slope = Fraction(3), ONE
    return Dual(((-ONE,), (ONE,)), (-steep, steep), (-slope, slope), slope, {(0, 1): (slope - steep) / 2})


DUALS: Mapping[str, Callable[[], Dual]] = {
    "two samples, optimal": pair_dual,
    "line": partial(random_dual, 1, 5, 1, 40),
    "plane": partial(random_dual, 2, 6, 2, 100),
    "space, large multipliers": partial(random_dual, 3, 6, 3, 2000),
}


def weak_duality(case: Dual, *, quadratic: Fraction = HALF, distances: Fraction = ONE) -> Iterator[Comparison]:
    """Feasibility of the fit, and both sides of weak duality."""
    for i, j in itertools.combinations(range(len(case.points)), 2):
        gap = case.slope * manhattan(case.points[i], case.points[j])
        yield Comparison(abs(case.fit[i] - case.fit[j]), gap, where=f"slope {i} {j}")
    yield Comparison(case.value(quadratic=quadratic, distances=distances), case.loss, where="dual value")


def noise_projection(*, half: sp.Expr = sp.S.One) -> Identity:
    """Return one coordinate of the identity: the two variational inequalities make up the difference."""
    u, v, other, fit = sp.symbols("u v u* v*", real=True)
    variational = (u - v) * (fit - v) + (other - fit) * (v - fit)
    return Identity(half * (v - fit) ** 2, (u - other) * (v - fit) + variational)


@dataclass(frozen=True)
class Projected:
    """Two samples, two sets of inputs, and a feasible pair of values."""

    distance: Fraction
    slope: Fraction
    first: Vector
    second: Vector
    feasible: Vector

    def fit(self, inputs: Vector, step: Fraction = ONE) -> Vector:
        """Return the best fit: both inputs move by half the excess of their difference."""
        gap = inputs[1] - inputs[0]
        excess = step * positive(abs(gap) - self.slope * self.distance) / 2
        move = excess if gap > 0 else -excess
        return (inputs[0] + move, inputs[1] - move)


def random_projection(seed: int) -> Projected:
    """Return random inputs; the feasible pair is the clipped one."""
    rng = random.Random(seed)
    first, second, third = (tuple(Fraction(rng.randint(-20, 20), 4) for _ in range(2)) for _ in range(3))
    case = Projected(Fraction(rng.randint(1, 8), 4), Fraction(rng.randint(1, 8), 4), first, second, (ZERO, ZERO))
    return Projected(case.distance, case.slope, first, second, case.fit(third))


def projections(case: Projected, *, step: Fraction = ONE) -> Iterator[Comparison]:
    """Variational inequality of the fit, and the inequality for two sets of inputs."""
    fits = [case.fit(inputs, step) for inputs in (case.first, case.second)]
    for name, inputs, fit in zip(("first", "second"), (case.first, case.second), fits, strict=True):
        yield Comparison(dot(minus(inputs, fit), minus(case.feasible, fit)), ZERO, where=f"variational, {name}")
        yield Comparison(abs(fit[1] - fit[0]), case.slope * case.distance, where=f"slope, {name}")
    moved = minus(*fits)
    yield Comparison(dot(moved, moved), dot(minus(case.first, case.second), moved), where="two fits")


# Linear experts on mirrored data


ROTATION: Matrix = [[Fraction(3, 5), Fraction(-4, 5)], [Fraction(4, 5), Fraction(3, 5)]]
FRAME: Matrix = [
    [Fraction(1, 3), Fraction(2, 3), Fraction(2, 3)],
    [Fraction(2, 3), Fraction(1, 3), Fraction(-2, 3)],
    [Fraction(2, 3), Fraction(-2, 3), Fraction(1, 3)],
]


@dataclass(frozen=True)
class Mirrored:
    """A linear expert Y diag(sigma) W' and states given by their coordinates s = W' x.

    Parameters
    ----------
    left, right
        Columns of Y (m rows) and of W (n rows); orthonormal.
    """

    left: Matrix
    right: Matrix
    values: Vector
    coordinates: tuple[Vector, ...]
    slope: Fraction

    @property
    def without_mirror(self) -> str | None:
        """First sample without its mirror image in a direction whose value exceeds the slope, or None."""
        for k, value in enumerate(self.values):
            missing = [s for s in self.coordinates if value > self.slope and self.mirror(s, k) not in self.coordinates]
            if missing:
                return str([str(entry) for entry in missing[0]])
        return None

    @staticmethod
    def mirror(s: Vector, k: int) -> Vector:
        """Return s with the sign of coordinate k changed."""
        return (*s[:k], -s[k], *s[k + 1 :])

    def gained(self, gains: Sequence[Fraction]) -> list[Vector]:
        """Return Y diag(gains) s for all samples."""
        return [
            times(self.left, [gain * entry for gain, entry in zip(gains, s, strict=False)]) for s in self.coordinates
        ]

    @cached_property
    def states(self) -> list[Vector]:
        """States x = W s."""
        return [times(self.right, s) for s in self.coordinates]

    def loss(self, fit: Sequence[Vector], inputs: Sequence[Vector]) -> Fraction:
        """Return the training loss."""
        residuals = [minus(v, u) for v, u in zip(fit, inputs, strict=True)]
        return sum((dot(r, r) for r in residuals), ZERO) / (2 * len(fit))

    def formula(self, slope: Fraction) -> Fraction:
        """Return the closed form of the loss."""
        total = ZERO
        for s in self.coordinates:
            total += sum((positive(v - slope) ** 2 * e**2 for v, e in zip(self.values, s, strict=False)), ZERO)
        return total / (2 * len(self.coordinates))

    def multipliers(self) -> Iterator[tuple[int, int, Fraction, int]]:
        """Yield i, j, y and k: the dual point is y times column k of Y on the mirrored pair i < j."""
        place = {s: i for i, s in enumerate(self.coordinates)}
        for k, value in enumerate(self.values):
            for s, i in place.items():
                j = place.get(self.mirror(s, k))
                if value > self.slope and j is not None and i < j:
                    yield i, j, (value - self.slope) * s[k] / len(place), k

    def dual(self) -> tuple[Fraction, Fraction]:
        """Return the dual value, and the sum of multipliers times distances."""
        size, columns = len(self.coordinates), transposed(self.left)
        balance = [[ZERO] * len(self.left) for _ in range(size)]
        paid = ZERO
        for i, j, y, k in self.multipliers():
            balance[i] = [b + y * e for b, e in zip(balance[i], columns[k], strict=True)]
            balance[j] = [b - y * e for b, e in zip(balance[j], columns[k], strict=True)]
            paid += abs(y) * 2 * abs(self.coordinates[i][k])
        inputs = self.gained(self.values)
        linear = sum((dot(u, b) for u, b in zip(inputs, balance, strict=True)), ZERO)
        square = sum((dot(b, b) for b in balance), ZERO)
        return linear - size * square / 2 - self.slope * paid, paid


def mirrored(left: Matrix, right: Matrix, values: Vector, slope: Fraction, seed: int, count: int) -> Mirrored:
    """Return random base points with all changes of sign."""
    rng = random.Random(seed)
    bases = [tuple(Fraction(rng.randint(1, 12), 6) for _ in right) for _ in range(count)]
    flips = list(itertools.product((1, -1), repeat=len(right)))
    points = [tuple(sign * e for sign, e in zip(flip, base, strict=True)) for base in bases for flip in flips]
    return Mirrored(left, right, values, tuple(dict.fromkeys(points)), slope)


EYE: Matrix = [[ONE]]
MIRRORED: Mapping[str, Callable[[], Mirrored]] = {
    "n=1, m=1": partial(mirrored, EYE, EYE, (Fraction(2),), Fraction(3, 4), 1, 4),
    "n=2, m=1": partial(mirrored, EYE, ROTATION, (Fraction(3, 2),), Fraction(1, 2), 2, 3),
    "n=2, m=2, one value clipped": partial(
        mirrored, ROTATION, ROTATION, (Fraction(2), Fraction(3, 4)), Fraction(1), 3, 3
    ),
    "n=3, m=2, both clipped": partial(mirrored, ROTATION, FRAME, (Fraction(2), Fraction(3, 2)), Fraction(1, 2), 4, 2),
    "n=1, alpha=0": partial(mirrored, EYE, EYE, (Fraction(2),), ZERO, 5, 3),
}


def lopsided() -> Mirrored:
    """Return two samples on the same side of the origin."""
    return Mirrored(EYE, EYE, (Fraction(2),), ((ONE,), (Fraction(2),)), Fraction(1))


def clipped_gain(case: Mirrored, *, clip: Fraction = ONE, value: Fraction = ONE) -> Iterator[Comparison]:
    """Feasibility of the clipped gain, its loss, no gain by a shift, and the dual value."""
    fit = case.gained([min(gain, clip * case.slope) for gain in case.values])
    inputs = case.gained(case.values)
    for i, j in itertools.combinations(range(len(fit)), 2):
        move, step = minus(fit[i], fit[j]), minus(case.states[i], case.states[j])
        yield Comparison(dot(move, move), case.slope**2 * dot(step, step), where=f"slope {i} {j}")
    loss = case.loss(fit, inputs)
    residuals = [minus(u, v) for u, v in zip(inputs, fit, strict=True)]
    shift = [sum(column, ZERO) / len(fit) for column in zip(*residuals, strict=True)]
    shifted = [tuple(x + y for x, y in zip(v, shift, strict=True)) for v in fit]
    yield Comparison(loss, case.loss(shifted, inputs), where="against the fit shifted by its mean residual")
    yield Comparison(loss, value * case.formula(case.slope), "==", where="closed form")
    yield Comparison(case.dual()[0], loss, "==", where="dual value")


def training_loss(case: Mirrored, *, slope: Fraction = ONE, sign: int = 1) -> Iterator[Comparison]:
    """Subgradient inequality, monotony, and the derivative of the closed form; the slopes are alpha j / 4."""
    unit = max(case.slope, HALF) / 4
    grid = [unit * j for j in range(13)]
    values = [case.formula(alpha) for alpha in grid]
    for alpha, below in zip(grid, values, strict=True):
        here = Mirrored(case.left, case.right, case.values, case.coordinates, alpha)
        total = slope * here.dual()[1]
        for other, above in zip(grid, values, strict=True):
            yield Comparison(below - (other - alpha) * total, above, where=f"tangent at {alpha} against {other}")
        exact = ZERO
        for s in case.coordinates:
            exact += sum((positive(v - alpha) * e**2 for v, e in zip(case.values, s, strict=False)), ZERO)
        yield Comparison(total, exact / len(case.coordinates), "==", where=f"derivative at {alpha}")
    for first, second in itertools.pairwise(values):
        yield Comparison(sign * second, sign * first, where="nonincreasing")


# Bias and interpolation


def bias(case: ExtensionCase, *, half: Fraction = HALF, slack: Fraction = ONE) -> Iterator[Comparison]:
    """Error and slopes of the lower envelope shifted by e, for several alpha below the slope of the data."""
    pairs = list(itertools.combinations(range(len(case.points)), 2))
    for share in (ZERO, Fraction(1, 3), Fraction(9, 10)):
        alpha = slack * share * case.slope
        excess = [
            abs(case.values[i] - case.values[j]) - share * case.slope * case.metric(case.points[i], case.points[j])
            for i, j in pairs
        ]
        claimed = half * max(*excess, ZERO)
        fit = [case.envelope(x, alpha, 1) + claimed for x in case.points]
        error = max(abs(p - v) for p, v in zip(fit, case.values, strict=True))
        yield Comparison(error, claimed, "==", where=f"error at {share} L")
        centred = [case.envelope(x, share * case.slope, 1) + max(*excess, ZERO) / 2 for x in case.points]
        error = max(abs(p - v) for p, v in zip(centred, case.values, strict=True))
        yield Comparison(claimed, error, where=f"error of the shifted envelope at {share} L")
        for i, j in pairs:
            gap = share * case.slope * case.metric(case.points[i], case.points[j])
            yield Comparison(abs(fit[i] - fit[j]), gap, where=f"slope {i} {j} at {share} L")


TRIANGLE = ((ZERO, ZERO), (ONE, ZERO), (HALF, Fraction(866, 1000)))
"""Almost an equilateral triangle; no side is longer than 1."""


def bias_program(slope: Fraction, *, vectors: bool = False) -> Optimum:
    """Return min e over fits of three states at unit distances, for values 0, 1, 1/2 or on a triangle."""
    values = TRIANGLE if vectors else tuple((corner[0],) for corner in TRIANGLE)
    size, columns = len(values[0]), 1 + 3 * len(values[0])
    rows: list[list[Fraction]] = []
    right: list[Fraction] = []

    def add(entries: Mapping[int, Fraction], constant: Fraction) -> None:
        rows.append([-entries.get(column, ZERO) for column in range(columns)])
        right.append(constant)

    for i in range(3):
        add({0: ONE}, ZERO)
        for axis in range(size):
            add({1 + size * i + axis: ONE}, -values[i][axis])
    for i, j in itertools.combinations(range(3), 2):
        add({}, slope)
        for axis in range(size):
            add({1 + size * i + axis: ONE, 1 + size * j + axis: -ONE}, ZERO)
    program = ConicProgram.of([1] + [0] * (columns - 1), rows, right, Cones(soc=(size + 1,) * 6))
    return Optimum(program, (1 - slope) / 2, tolerance=Fraction(1, 10**6))


def interpolation_error(
    case: ExtensionCase,
    *,
    both: bool = True,
    share: Fraction = ONE,
    central: Fraction = ONE,
    residual: Fraction = ONE,
) -> Iterator[Comparison]:
    """Errors of an envelope, of an envelope of perturbed data, and of the central policy, at the queries."""
    target = case.slope
    noise = [Fraction((-1) ** i, 4) for i in range(len(case.points))]
    for scale in (ONE, Fraction(3, 2)):
        learner = scale * target
        bound = share * (learner + target) if both else max(learner, target)
        for i, x in enumerate(case.queries):
            gap = case.metric(x, case.points[case.nearest(x)])
            truth = case.envelope(x, target, -1)
            error = abs(case.envelope(x, learner, 1) - truth)
            yield Comparison(error, bound * gap, where=f"slope {scale} L, point {i}")
            middle = (case.envelope(x, learner, 1) + case.envelope(x, learner, -1)) / 2
            yield Comparison(abs(middle - truth), central * learner * gap, where=f"central, {scale} L, point {i}")
            shifted = ExtensionCase(
                case.points, tuple(v + e for v, e in zip(case.values, noise, strict=True)), (), case.metric
            )
            slope = max(learner, shifted.slope)
            off = residual * max(abs(e) for e in noise)
            error = abs(shifted.envelope(x, slope, 1) - truth)
            yield Comparison(error, (slope + target) * gap + off, where=f"noise, {scale} L, point {i}")


# Graphs


@dataclass(frozen=True)
class Graph:
    """Points with the sum metric and the edges on which slopes are constrained."""

    points: tuple[Vector, ...]
    edges: tuple[tuple[int, int], ...]

    @cached_property
    def lengths(self) -> list[list[Fraction | None]]:
        """Lengths of shortest paths between all pairs (Floyd and Warshall); None without a path."""
        size = len(self.points)
        table: list[list[Fraction | None]] = [[ZERO if i == j else None for j in range(size)] for i in range(size)]
        for i, j in self.edges:
            table[i][j] = table[j][i] = manhattan(self.points[i], self.points[j])
        for k, i, j in itertools.product(range(size), repeat=3):
            first, second, known = table[i][k], table[k][j], table[i][j]
            if first is not None and second is not None and (known is None or first + second < known):
                table[i][j] = first + second
        return table

    def length(self, i: int, j: int) -> Fraction:
        """Return the length of a shortest path."""
        found = self.lengths[i][j]
        if found is None:
            raise ValueError(f"no path from {i} to {j}")
        return found

    @property
    def stretch(self) -> Fraction:
        """Largest ratio of path length to distance."""
        pairs = itertools.combinations(range(len(self.points)), 2)
        return max(self.length(i, j) / manhattan(self.points[i], self.points[j]) for i, j in pairs)


def horseshoe(count: int = 4) -> Graph:
    """Return points on three sides of a square, open at the top, each joined to the next."""
    side = [Fraction(i, count) for i in range(count + 1)]
    points = [(ZERO, 1 - s) for s in side] + [(s, ZERO) for s in side[1:]] + [(ONE, s) for s in side[1:]]
    closer = [(x + (HALF - x) * Fraction(4, 5) * y, y) for x, y in points]
    return Graph(tuple(closer), tuple(itertools.pairwise(range(len(points)))))


def random_graph(seed: int, count: int) -> Graph:
    """Return random points, joined to their two nearest and along their order."""
    rng = random.Random(seed)
    points = tuple(
        dict.fromkeys((Fraction(rng.randrange(64), 8), Fraction(rng.randrange(64), 8)) for _ in range(count))
    )
    edges = set(itertools.pairwise(range(len(points))))
    for i, x in enumerate(points):
        near = sorted((manhattan(x, other), j) for j, other in enumerate(points) if j != i)
        edges |= {(min(i, j), max(i, j)) for _, j in near[:2]}
    return Graph(points, tuple(sorted(edges)))


GRAPHS: Mapping[str, Callable[[], Graph]] = {"horseshoe": horseshoe, "random": partial(random_graph, 1, 10)}


def graph_stretch(graph: Graph, *, stretched: bool = True, share: Fraction = ONE) -> Iterator[Comparison]:
    """Slopes of the distances along the graph, which are feasible on its edges, from each vertex."""
    bound = share * (graph.stretch if stretched else ONE)
    size = range(len(graph.points))
    for source in size[:3]:
        for i, j in graph.edges:
            jump = abs(graph.length(source, i) - graph.length(source, j))
            yield Comparison(jump, manhattan(graph.points[i], graph.points[j]), where=f"edge {i} {j} from {source}")
        for i, j in itertools.combinations(size, 2):
            jump = abs(graph.length(source, i) - graph.length(source, j))
            distance = manhattan(graph.points[i], graph.points[j])
            yield Comparison(jump, bound * distance, where=f"pair {i} {j} from {source}")
    largest = max(
        abs(graph.length(i, i) - graph.length(i, j)) / manhattan(graph.points[i], graph.points[j])
        for i, j in itertools.combinations(size, 2)
    )
    yield Comparison(largest, bound, "==", where="attained")


CHECKS = (
    Check(
        "lipschitz_policies.weak_duality",
        Symbolic(),
        duality_identities,
        (
            Mutant("quadratic_term", "one third of N in the place of one half", {"weight": R(1, 3)}),
            Mutant("cross_term", "1.01 times Lagrange's squares", {"cross": R(101, 100)}),
            Mutant("balance", "multipliers added at both of their samples", {"sign": 1}),
        ),
    ),
    Check(
        "lipschitz_policies.weak_duality",
        Exact(DUALS, per_unit=4),
        weak_duality,
        (
            Mutant("quadratic_term", "0.49 N in the place of N / 2", {"quadratic": Fraction(49, 100)}),
            Mutant("distances", "0.99 of the price of the multipliers", {"distances": Fraction(99, 100)}),
        ),
    ),
    Check(
        "lipschitz_policies.clipped_gain",
        Exact({**MIRRORED, "one side only": lopsided}),
        clipped_gain,
        (
            Mutant("asymmetric", "samples on one side of the origin only", drop=("mirrored",)),
            Mutant("clipped_lower", "values clipped at 0.99 alpha", {"clip": Fraction(99, 100)}),
            Mutant("clipped_higher", "values clipped at 1.01 alpha", {"clip": Fraction(101, 100)}),
            Mutant("value", "0.99 of the loss", {"value": Fraction(99, 100)}),
        ),
    ),
    Check(
        "lipschitz_policies.training_loss",
        Exact(MIRRORED, per_unit=2),
        training_loss,
        (
            Mutant("steeper", "1.01 times the sum of the multipliers", {"slope": Fraction(101, 100)}),
            Mutant("flatter", "0.99 times it", {"slope": Fraction(99, 100)}),
            Mutant("increasing", "a larger constant makes the fit worse", {"sign": -1}),
        ),
    ),
    Check(
        "lipschitz_policies.noise_projection",
        Symbolic(),
        noise_projection,
        (Mutant("factor", "1.01 times the square", {"half": R(101, 100)}),),
    ),
    Check(
        "lipschitz_policies.noise_projection",
        Exact({f"seed {seed}": partial(random_projection, seed) for seed in range(12)}, per_unit=12),
        projections,
        (Mutant("overshoot", "each input moves by 3/4 of the excess", {"step": Fraction(3, 2)}),),
    ),
    Check(
        "lipschitz_policies.bias",
        Exact(lemmas.EXTENSIONS, per_unit=4),
        bias,
        (
            Mutant("constant", "0.49 in the place of one half", {"half": Fraction(49, 100)}),
            Mutant("whole", "the whole excess", {"half": ONE}),
            Mutant("steeper", "the envelope of slope 1.1 alpha", {"slack": Fraction(11, 10)}),
        ),
    ),
    Check(
        "lipschitz_policies.bias",
        Convex({"alpha=0.1": Fraction(1, 10), "alpha=0.5": HALF}),
        bias_program,
        (Mutant("two_inputs", "the formula for values on an equilateral triangle", {"vectors": True}),),
    ),
    Check(
        "lipschitz_policies.graph_stretch",
        Exact(GRAPHS),
        graph_stretch,
        (
            Mutant("neighbours", "constraints between neighbours hold for all pairs", {"stretched": False}),
            Mutant("factor", "0.99 of the stretch", {"share": Fraction(99, 100)}),
        ),
    ),
    Check(
        "lipschitz_policies.interpolation_error",
        Exact(lemmas.EXTENSIONS, per_unit=4),
        interpolation_error,
        (
            Mutant("larger_slope_only", "max(alpha, L) h for every interpolant", {"both": False}),
            Mutant("any", "0.99 (alpha + L) h for every interpolant", {"share": Fraction(99, 100)}),
            Mutant("central", "0.99 alpha h for the central policy", {"central": Fraction(99, 100)}),
            Mutant("residual", "0.99 of the misfit at the samples", {"residual": Fraction(99, 100)}),
        ),
    ),
)
