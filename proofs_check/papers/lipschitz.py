r"""Checks of the lemmas about Lipschitz maps and stable loops.

Extensions, loops and semidefinite certificates are computed in rationals: metrics are sums or maxima of absolute
differences, or squares of Euclidean distances, and a matrix is semidefinite if the pivots of its :math:`L D L^\top` are
nonnegative. Optima of cone programmes are enclosed by exact primal and dual points.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import combinations, product
from typing import Any, TypeVar

import numpy as np
import sympy as sp

from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes
from proofs_check.methods.convex import AtMost, Cones, ConicProgram, Convex, Optimum
from proofs_check.methods.exact import Exact
from proofs_check.methods.operators import OperatorIdentity, operators
from proofs_check.methods.polynomial import Polynomial
from proofs_check.methods.search import Box, Maximiser, Search, Space
from proofs_check.methods.symbolic import Identity, Induction, Inequality, Obligation, Symbolic, telescoping
from theory.symbols import n, t

R = sp.Rational
ONE, HALF = sp.Integer(1), R(1, 2)
Vector = tuple[Fraction, ...]
Matrix = list[list[Fraction]]
ZERO = Fraction(0)


def pivots(matrix: Matrix) -> list[Fraction]:
    """Return the pivots of L D L' of a symmetric matrix; -1 for a zero pivot whose row is not zero.

    The matrix is positive semidefinite exactly if all are nonnegative.
    """
    rows = [list(row) for row in matrix]
    found: list[Fraction] = []
    for k, row in enumerate(rows):
        pivot = row[k]
        if pivot == 0:
            found.append(Fraction(-1) if any(row[k + 1 :]) else pivot)
            continue
        found.append(pivot)
        for below in rows[k + 1 :]:
            factor = below[k] / pivot
            below[k:] = [x - factor * y for x, y in zip(below[k:], row[k:], strict=True)]
    return found


def _multiply(left: Matrix, right: Matrix) -> Matrix:
    return [
        [sum((x * y for x, y in zip(row, column, strict=True)), ZERO) for column in zip(*right, strict=True)]
        for row in left
    ]


def _apply(matrix: Matrix, vector: Sequence[Fraction]) -> Vector:
    return tuple(sum((x * y for x, y in zip(row, vector, strict=True)), ZERO) for row in matrix)


def _gram(matrix: Matrix) -> Matrix:
    return _multiply([list(row) for row in zip(*matrix, strict=True)], matrix)


def _largest(vector: Sequence[Fraction]) -> Fraction:
    return max(abs(entry) for entry in vector)


def _norm(matrix: Matrix) -> Fraction:
    """Return the operator norm for the supremum norm: the largest absolute row sum."""
    return max(sum((abs(entry) for entry in row), ZERO) for row in matrix)


# Extension


def manhattan(x: Vector, y: Vector) -> Fraction:
    """Return the sum of the absolute differences."""
    return sum((abs(p - q) for p, q in zip(x, y, strict=True)), ZERO)


def chebyshev(x: Vector, y: Vector) -> Fraction:
    """Return the largest absolute difference."""
    return max(abs(p - q) for p, q in zip(x, y, strict=True))


@dataclass(frozen=True)
class ExtensionCase:
    """Samples with values, further points, and a metric."""

    points: tuple[Vector, ...]
    values: Vector
    queries: tuple[Vector, ...]
    metric: Callable[[Vector, Vector], Fraction]

    @property
    def slope(self) -> Fraction:
        """Lipschitz constant of the samples."""
        pairs = combinations(zip(self.points, self.values, strict=True), 2)
        return max(abs(u - v) / self.metric(x, y) for (x, u), (y, v) in pairs)

    def envelope(self, x: Vector, slope: Fraction, side: int) -> Fraction:
        """Return the upper (side 1) or lower (side -1) envelope."""
        cones = (v + side * slope * self.metric(x, y) for y, v in zip(self.points, self.values, strict=True))
        return min(cones) if side > 0 else max(cones)

    def nearest(self, x: Vector) -> int:
        """Return the index of the nearest sample."""
        return min(range(len(self.points)), key=lambda i: self.metric(x, self.points[i]))


def random_extension(seed: int, dimension: int, metric: Callable[[Vector, Vector], Fraction]) -> ExtensionCase:
    """Return samples on a grid of multiples of 1/8 in a cube, all different."""
    rng = random.Random(seed)
    grid = [tuple(Fraction(rng.randrange(17), 8) for _ in range(dimension)) for _ in range(40)]
    points = tuple(dict.fromkeys(grid))
    values = tuple(Fraction(rng.randint(-8, 8), 4) for _ in range(6))
    return ExtensionCase(points[:6], values, points[6:14], metric)


def single_sample() -> ExtensionCase:
    """Return two samples with slope one and points beyond them, on a line."""
    line = [(Fraction(k, 2),) for k in range(-4, 9)]
    return ExtensionCase(((ZERO,), (Fraction(1),)), (ZERO, Fraction(1)), tuple(line), manhattan)


EXTENSIONS: Mapping[str, Callable[[], ExtensionCase]] = {
    "two samples on a line": single_sample,
    "line": partial(random_extension, 1, 1, manhattan),
    "plane, sum metric": partial(random_extension, 2, 2, manhattan),
    "space, maximum metric": partial(random_extension, 3, 3, chebyshev),
}


def extension(
    case: ExtensionCase, *, scale: Fraction = Fraction(1), width: int = 2, kind: str = "cone"
) -> Iterator[Comparison]:
    """Interpolation and slopes of the envelopes, another interpolant between them, and their distance."""
    slope = scale * case.slope
    points = [*case.points, *case.queries]

    def value(x: Vector, side: int) -> Fraction:
        return case.values[case.nearest(x)] if kind == "nearest" else case.envelope(x, slope, side)

    table = {side: [value(x, side) for x in points] for side in (-1, 1)}
    for side, row in table.items():
        for i, v in enumerate(case.values):
            yield Comparison(row[i], v, "==", where=f"sample {i}, side {side}")
        for i, j in combinations(range(len(points)), 2):
            distance = case.metric(points[i], points[j])
            yield Comparison(abs(row[i] - row[j]), slope * distance, where=f"slope {i} {j}, side {side}")
    other = ExtensionCase(
        (*case.points, points[-1]), (*case.values, (table[-1][-1] + table[1][-1]) / 2), (), case.metric
    )
    for i, x in enumerate(points):
        inside = other.envelope(x, slope, 1)
        yield Comparison(table[-1][i], inside, where=f"above the lower envelope at {i}")
        yield Comparison(inside, table[1][i], where=f"below the upper envelope at {i}")
        gap = case.metric(x, case.points[case.nearest(x)])
        yield Comparison(table[1][i] - table[-1][i], width * slope * gap, where=f"width at {i}")


def nearest_sample(case: ExtensionCase, *, both: bool = True) -> Iterator[Comparison]:
    """Distance of one envelope to the other, taken as the target, with different slopes."""
    target = case.slope
    for scale in (Fraction(1), Fraction(3, 2)):
        learner = scale * target
        bound = learner + target if both else max(learner, target)
        for i, x in enumerate(case.queries):
            error = abs(case.envelope(x, learner, 1) - case.envelope(x, target, -1))
            gap = case.metric(x, case.points[case.nearest(x)])
            yield Comparison(error, bound * gap, where=f"slope {scale} L, point {i}")


def componentwise(case: ExtensionCase, *, components: Fraction = Fraction(2)) -> Iterator[Comparison]:
    """Squared slopes of two upper envelopes together, for vector values (v, -v) and for (0, 0) at one sample."""
    alone = ExtensionCase(case.points[:1], (ZERO,), case.queries, case.metric)
    flipped = ExtensionCase(case.points, tuple(-v for v in case.values), case.queries, case.metric)
    slope = case.slope
    for name, pair in (("samples", (case, flipped)), ("one sample", (alone, alone))):
        rows = [[part.envelope(x, slope, 1) for part in pair] for x in case.queries]
        for i, j in combinations(range(len(rows)), 2):
            distance = case.metric(case.queries[i], case.queries[j])
            square = sum(((u - v) ** 2 for u, v in zip(rows[i], rows[j], strict=True)), ZERO)
            yield Comparison(square, components * slope**2 * distance**2, where=f"{name}, {i} {j}")


@dataclass(frozen=True)
class MapCase:
    """Points and their images, and one more point."""

    points: tuple[Vector, ...]
    images: tuple[Vector, ...]
    query: Vector


def _squared(x: Vector, y: Vector) -> Fraction:
    return sum(((p - q) ** 2 for p, q in zip(x, y, strict=True)), ZERO)


def random_map(seed: int, dimension: int, codimension: int, count: int) -> MapCase:
    """Return points and images on integer grids, the points all different from each other and from the query."""
    rng = random.Random(seed)
    drawn = [tuple(Fraction(rng.randint(-4, 4)) for _ in range(dimension)) for _ in range(8 * count)]
    points = tuple(dict.fromkeys(drawn))[: count + 1]
    images = tuple(tuple(Fraction(rng.randint(-4, 4)) for _ in range(codimension)) for _ in range(count))
    return MapCase(points[:-1], images, points[-1])


def _triangle_map() -> MapCase:
    """Return three points at maximum distance 2 whose images are almost an equilateral triangle of side 2."""
    one = Fraction(1)
    images = ((ZERO, ZERO), (2 * one, ZERO), (one, Fraction(1732, 1000)))
    return MapCase(((one, -one), (-one, one), (one, one)), images, (ZERO, ZERO))


MAPS: Mapping[str, MapCase] = {
    "between two samples": MapCase(
        ((ZERO, ZERO), (Fraction(2), ZERO)), ((ZERO, ZERO), (ZERO, Fraction(3))), (Fraction(1), ZERO)
    ),
    "triangle": _triangle_map(),
    "plane, five samples": random_map(1, 2, 2, 5),
    "space, six samples": random_map(2, 3, 2, 6),
}


def kirszbraun(case: MapCase, *, scale: Fraction = Fraction(1), maximum_metric: bool = False) -> AtMost:
    """Return the cone programme min s, |v - v_i|^2 <= s + k_i, with k_i the squared distance times alpha^2.

    A square below a sum: ``|(2 (v - v_i), s + k_i - 1)| <= s + k_i + 1``.
    """
    distance = (lambda x, y: chebyshev(x, y) ** 2) if maximum_metric else _squared
    pairs = combinations(range(len(case.points)), 2)
    slope = scale * max(
        _squared(case.images[i], case.images[j]) / distance(case.points[i], case.points[j]) for i, j in pairs
    )
    size = len(case.images[0])
    rows: list[list[int]] = []
    right: list[Fraction] = []
    for point, image in zip(case.points, case.images, strict=True):
        k = slope * distance(point, case.query)
        rows.append([0] * size + [-1])
        right.append(k + 1)
        for axis, entry in enumerate(image):
            rows.append([-2 * int(axis == i) for i in range(size)] + [0])
            right.append(-2 * entry)
        rows.append([0] * size + [-1])
        right.append(k - 1)
    cones = Cones(soc=(size + 2,) * len(case.points))
    return AtMost(ConicProgram.of([0] * size + [1], rows, right, cones), 0)


def weighted_pairs(*, half: sp.Expr = HALF, centred: bool = True) -> Identity:
    """Return the identity for one coordinate and any number of points, in the moments sum l, sum l x and sum l x^2.

    The double sum of l_i l_j (x_i^2 - 2 x_i x_j + x_j^2) is 2 m_2 m_0 - 2 m_1^2, with m_0 = 1; coordinates add up.
    """
    first, second, point = sp.symbols("m1 m2 x0", real=True)
    double = 2 * second - 2 * first**2
    spread = second - 2 * point * first + point**2
    return Identity(half * double, spread - ((first - point) ** 2 if centred else 0))


def covering(case: tuple[Fraction, Fraction, int], *, diameter: int = 2, down: bool = False) -> Iterator[Comparison]:
    """Number of balls of radius eps, by a greedy cover of the sides and by points of which no ball has two."""
    side, radius, dimension = case
    cells = side / (diameter * radius)
    claimed = (cells.numerator // cells.denominator if down else -(-cells.numerator // cells.denominator)) ** dimension
    covered, balls = ZERO, 0
    while covered < side:
        covered, balls = covered + 2 * radius, balls + 1
    yield Comparison(balls**dimension, claimed, "==", where="cells of a grid")
    apart = 1
    unit = Fraction(1, 2 * side.denominator * radius.denominator)
    while apart * (2 * radius + unit / (apart + 1)) <= side:
        apart += 1
    yield Comparison(claimed, apart**dimension, where="points more than 2 eps apart")


Given = TypeVar("Given")


def _given(value: Given) -> Given:
    return value


COVERINGS: Mapping[str, Callable[[], tuple[Fraction, Fraction, int]]] = {
    f"a={a}, eps={eps}, n={dimension}": partial(_given, (a, eps, dimension))
    for a, eps, dimension in (
        (Fraction(1), Fraction(1, 4), 2),
        (Fraction(1), Fraction(1, 7), 3),
        (Fraction(2), Fraction(3, 10), 1),
        (Fraction(5, 2), Fraction(1), 4),
        (Fraction(1), Fraction(3), 2),
    )
}

# Loops


@dataclass(frozen=True)
class Loop:
    """A linear loop, a rate and a number of steps."""

    matrix: Matrix
    rate: Fraction
    steps: int

    def powers(self, count: int) -> list[Matrix]:
        """Return F^0, ..., F^count."""
        size = len(self.matrix)
        found = [[[Fraction(int(i == j)) for j in range(size)] for i in range(size)]]
        for _ in range(count):
            found.append(_multiply(self.matrix, found[-1]))
        return found

    @property
    def constant(self) -> Fraction:
        """Least M with ``|F^k| <= M rate^k`` for all k below the number of steps."""
        return max(_norm(power) / self.rate**k for k, power in enumerate(self.powers(self.steps - 1)))

    def converse(self, *, use_constant: bool = True) -> "Loop":
        """Return the loop with the least T such that 2 M rate^T <= 1; M covers all powers up to T."""
        steps = 1
        while True:
            loop = Loop(self.matrix, self.rate, steps + 1)
            if 2 * (loop.constant if use_constant else 1) * self.rate**steps <= 1:
                return Loop(self.matrix, self.rate, steps)
            steps += 1


LOOPS: Mapping[str, Callable[[], Loop]] = {
    "scalar": lambda: Loop([[Fraction(9, 10)]], Fraction(9, 10), 12),
    "not normal": lambda: Loop([[Fraction(1, 2), Fraction(5)], [ZERO, Fraction(1, 2)]], Fraction(3, 5), 12),
    "rotation": lambda: Loop(
        [[Fraction(9, 10), Fraction(3, 10)], [Fraction(-3, 10), Fraction(47, 100)]], Fraction(3, 4), 10
    ),
}


def perturbed_loop(loop: Loop, *, use_constant: bool = True, factor: Fraction = Fraction(1)) -> Iterator[Comparison]:
    """Deviation under the perturbation that pushes one coordinate as far as it goes, after each number of steps."""
    rate, omega = loop.rate, Fraction(1, 10)
    constant = factor * (loop.constant if use_constant else Fraction(1))
    powers = loop.powers(loop.steps)
    start = tuple(Fraction(i + 1) for i in range(len(loop.matrix)))
    for steps in range(1, loop.steps + 1):
        reach = [sum((abs(e) for power in powers[:steps] for e in power[i]), ZERO) for i in range(len(start))]
        worst = reach.index(max(reach))
        state = start
        for k in range(steps):
            push = [omega if entry >= 0 else -omega for entry in powers[steps - 1 - k][worst]]
            state = tuple(x + w for x, w in zip(_apply(loop.matrix, state), push, strict=True))
        deviation = _largest([x - y for x, y in zip(state, _apply(powers[steps], start), strict=True)])
        yield Comparison(deviation, constant * omega * (1 - rate**steps) / (1 - rate), where=f"after {steps} steps")


def converse_lyapunov(loop: Loop, *, use_constant: bool = True, drop_constant: bool = False) -> Iterator[Comparison]:
    """Bounds of the Lyapunov function and its decrease along the loop, at a few states."""
    chosen = loop.converse(use_constant=use_constant)
    powers = chosen.powers(chosen.steps)
    constant = Fraction(1) if drop_constant else chosen.constant
    upper = constant * (1 - chosen.rate**chosen.steps) / (1 - chosen.rate)

    def lyapunov(x: Sequence[Fraction]) -> Fraction:
        return sum((_largest(_apply(power, x)) for power in powers[: chosen.steps]), ZERO)

    for x in product((Fraction(-1), ZERO, Fraction(1, 2), Fraction(1)), repeat=len(loop.matrix)):
        if not any(x):
            continue
        value, size = lyapunov(x), _largest(x)
        yield Comparison(size, value, where=f"below at {[str(e) for e in x]}")
        yield Comparison(value, upper * size, where=f"above at {[str(e) for e in x]}")
        fall = value - lyapunov(_apply(loop.matrix, x))
        yield Comparison(size / 2, fall, where=f"decrease at {[str(e) for e in x]}")


def geometric_sum(*, shift: int = 0) -> Induction:
    """Return the induction e_0 = 0, e_{n+1} = beta e_n + 1."""
    rate, previous = sp.Symbol("beta_", real=True, positive=True), sp.Symbol("e", real=True)
    k = sp.Symbol("k", integer=True, nonnegative=True)
    claim = (1 - rate ** (k + shift)) / (1 - rate)
    return Induction(claim, sp.S.Zero, rate * previous + 1, previous, k, start=0, where=(sp.Lt(rate, 1),))


def gronwall(*, power: sp.Expr = sp.S.Zero) -> Induction:
    """Return the induction for sums s_0 = 0, s_{n+1} <= s_n + c + b s_n; then a_n <= c + b s_n <= c (1 + b)^n."""
    b, c = sp.symbols("b c", positive=True)
    previous = sp.Symbol("s", real=True)
    k = sp.Symbol("k", integer=True, nonnegative=True)
    claim = c * ((1 + (1 - power) * b) ** k - 1) / b
    return Induction(claim, sp.S.Zero, (1 + b) * previous + c, previous, k, start=0, relation="<=")


def discounted_deviation(*, shift: int = 0) -> dict[str, Obligation]:
    """Return the induction for the sum, and the value of its two limits together."""
    discount, rate = sp.symbols("gamma_ beta_", positive=True)
    where = (sp.Lt(discount, 1), sp.Lt(rate, 1))
    term = (discount**t - (discount * rate) ** t) / (1 - rate)

    def geometric(base: sp.Expr) -> sp.Expr:
        return base * (1 - base ** (n + shift)) / (1 - base)

    limit = (discount / (1 - discount) - discount * rate / (1 - discount * rate)) / (1 - rate)
    claim = (geometric(discount) - geometric(discount * rate)) / (1 - rate)
    return {
        "sum": telescoping(term, t, claim, n, where=where),
        "limit": Identity(limit, discount / ((1 - discount) * (1 - discount * rate)), where),
    }


# Matrices


def matrix_convexity(*, weight: sp.Expr = ONE) -> OperatorIdentity:
    """Return the gap between the mean of two quadratic forms and the form of the mean."""
    first, second, first_t, second_t, form = operators("J1 J0 J1' J0' P")
    c = sp.Symbol("c", real=True)
    mean, mean_t = c * first + (1 - c) * second, c * first_t + (1 - c) * second_t
    gap = c * first_t * form * first + (1 - c) * second_t * form * second - mean_t * form * mean
    rest = weight * c * (1 - c) * (first_t - second_t) * form * (first - second)
    shapes = {first: ("m", "n"), second: ("m", "n"), form: ("m", "m")}
    return OperatorIdentity(sp.expand(gap), sp.expand(rest), shapes, {first_t: first, second_t: second})


PENDULUM_FORM: Matrix = [[Fraction(8753, 1000), Fraction(842, 1000)], [Fraction(842, 1000), Fraction(1492, 10_000)]]
FEEDBACK = (Fraction(1667, 1000), Fraction(3734, 10_000))


def pendulum(cosine: Fraction) -> Matrix:
    """Return the linearisation at a cosine of the angle: step 1/20 s, length 1/2 m, mass 0.15 kg, friction 0.05."""
    step, inertia = Fraction(1, 20), Fraction(375, 10_000)
    gravity = Fraction(981, 50)
    return [
        [Fraction(1), step],
        [
            step * (gravity * cosine - FEEDBACK[0] / inertia),
            1 - step * Fraction(5, 100) / inertia - step * FEEDBACK[1] / inertia,
        ],
    ]


def vertex_contraction(
    cosine: Fraction, *, rate: Fraction = Fraction(89, 100), form: str = "P"
) -> Iterator[Comparison]:
    """Pivots of rate^2 P - J'PJ."""
    identity = [[Fraction(1), ZERO], [ZERO, Fraction(1)]]
    weight = PENDULUM_FORM if form == "P" else identity
    matrix = pendulum(cosine)
    transposed = [list(row) for row in zip(*matrix, strict=True)]
    image = _multiply(transposed, _multiply(weight, matrix))
    gap = [[rate**2 * x - y for x, y in zip(*rows, strict=True)] for rows in zip(weight, image, strict=True)]
    for index, pivot in enumerate(pivots(gap)):
        yield Comparison(ZERO, pivot, where=f"pivot {index}")


COSINES: Mapping[str, Callable[[], Fraction]] = {
    name: partial(_given, value)
    for name, value in {"1": Fraction(1), "0.94": Fraction(94, 100), "0.8775": Fraction(8775, 10_000)}.items()
}


def slope_restriction(*, largest: sp.Expr = ONE) -> Inequality:
    """Return s z (z - s z) >= 0 for 0 <= s <= largest."""
    z, s = sp.Symbol("z", real=True), sp.Symbol("s", nonnegative=True)
    return Inequality(sp.S.Zero, s * z * (z - s * z), (sp.Le(s, largest),))


@dataclass(frozen=True)
class Network:
    """A network 1-m-1 and the multipliers of a certificate; ``pairs`` are those of (e_i - e_j)(e_i - e_j)'."""

    inner: Vector
    outer: Vector
    bound: Fraction
    multipliers: Vector
    pairs: Mapping[tuple[int, int], Fraction]

    def certificate(self, *, pairs: bool) -> Matrix:
        """Return the matrix that must be semidefinite."""
        size = range(len(self.inner))
        weights = [[self.multipliers[i] if i == j else ZERO for j in size] for i in size]
        for (i, j), value in self.pairs.items() if pairs else ():
            for k, m, sign in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
                weights[k][m] += sign * value
        edge = [-entry for entry in _apply(weights, self.inner)]
        rows = [[self.bound, *edge]]
        inside = [[2 * weights[i][j] - self.outer[i] * self.outer[j] for j in size] for i in size]
        return rows + [[edge[i], *inside[i]] for i in size]


WEIGHTS = (Fraction(1, 2), Fraction(1), Fraction(6, 5)), (Fraction(-1, 2), Fraction(-8, 5), Fraction(7, 5))


def relu_network(*, pairs: bool = False) -> Network:
    """Return the network on which multipliers for pairs of neurons give a bound below the true slope."""
    if pairs:
        crossed = {(0, 1): Fraction(98, 1000), (1, 2): Fraction(315, 100)}
        return Network(*WEIGHTS, Fraction(1, 4), (Fraction(55, 100), Fraction(41, 1000), ZERO), crossed)
    single = (Fraction(1851, 1000), Fraction(2961, 1000), Fraction(2159, 1000))
    return Network(*WEIGHTS, Fraction(7, 2), single, {})


def slope_lmi(case: str, *, pairs: bool = False, bound: Fraction | None = None) -> Iterator[Comparison]:
    """Pivots of the certificate, and the squared slopes for all patterns of active neurons."""
    del case
    network = relu_network(pairs=pairs)
    if bound is not None:
        network = Network(network.inner, network.outer, bound, network.multipliers, network.pairs)
    for index, pivot in enumerate(pivots(network.certificate(pairs=pairs))):
        yield Comparison(ZERO, pivot, where=f"pivot {index}")
    for pattern in product((0, 1), repeat=len(network.inner)):
        slope = sum((d * w * v for d, w, v in zip(pattern, network.inner, network.outer, strict=True)), ZERO)
        yield Comparison(slope**2, network.bound, where=f"active {pattern}")


def slope_optimum(case: str, *, slope: Fraction = Fraction(185, 100)) -> Optimum:
    """Return the programme min rho over rho and nonnegative multipliers."""
    del case
    inner, outer = WEIGHTS
    size = len(inner)
    rows: list[list[Fraction]] = [[Fraction(-int(i == j)) for j in range(-1, size)] for i in range(size)]
    right = [ZERO] * size
    for column in range(size + 1):
        for row in range(column + 1):
            entry, constant = [ZERO] * (size + 1), ZERO
            if row == column == 0:
                entry[0] = Fraction(-1)
            elif row == 0:
                entry[column] = inner[column - 1]
            else:
                constant = -outer[row - 1] * outer[column - 1]
                entry[column] = Fraction(-2 * int(row == column))
            rows.append(entry)
            right.append(constant)
    cones = Cones(nonneg=size, psd=(size + 1,))
    return Optimum(ConicProgram.of([1] + [0] * size, rows, right, cones), slope**2)


def bounded_real(case: tuple[Fraction, Fraction], *, sign: int = -1, scale: Fraction = Fraction(1)) -> Optimum:
    """Return the programme min g over P and g."""
    rate, gain = case
    rows = [[-(1 - rate**2), 0], [rate * gain, 0], [gain**2, -1]]
    program = ConicProgram.of([0, 1], rows, [-1, 0, 0], Cones(psd=(2,)))
    return Optimum(program, scale * gain**2 / (1 + sign * rate) ** 2)


SCALAR_LOOPS = {
    f"beta={rate}, b={gain}": (rate, gain)
    for rate, gain in (
        (Fraction(36, 100), Fraction(1)),
        (Fraction(4, 5), Fraction(1, 2)),
        (Fraction(1, 10), Fraction(3)),
    )
}


def almost_orthogonal(*, scale: sp.Expr = ONE) -> dict[str, Inequality]:
    """Return 2 s u v <= u^2 + v^2 at s = 1 and -1: with g = s |g| half the sum over all pairs i, j is the claim."""
    u, v = sp.symbols("u v", real=True)
    return {f"s = {s}": Inequality(2 * s * u * v, scale * (u**2 + v**2)) for s in (1, -1)}


GRAMS: Mapping[str, Callable[[], Matrix]] = {
    "diagonal": lambda: [[Fraction(1), ZERO], [ZERO, Fraction(2)]],
    "ones": lambda: [[Fraction(1)] * 3] * 2,
    "random 3 x 4": lambda: [[Fraction(x) for x in row] for row in ((3, -1, 2, 0), (1, 4, -2, 5), (-3, 2, 2, 1))],
}
ITERATIONS = 4


def gram_iteration(matrix: Matrix, *, power: int = 1, rule: str = "gram") -> Iterator[Comparison]:
    """Rayleigh quotients of a few vectors against the norms of the powers, all raised to the same power."""
    gram = _gram(matrix)
    columns = len(gram)
    vectors = [tuple(Fraction(int(i == j)) for j in range(columns)) for i in range(columns)]
    vectors.append(tuple(Fraction(1) for _ in range(columns)))
    tilted = (Fraction(1), *(Fraction(1, 10**9) for _ in range(columns - 1)))
    previous = None
    for k in range(ITERATIONS):
        square = sum((entry**2 for row in gram for entry in row), ZERO)
        if rule == "power iteration":
            image = _apply(gram, tilted)
            square = (
                sum((x * y for x, y in zip(image, tilted, strict=True)), ZERO) ** 2
                / _squared(tilted, (ZERO,) * columns) ** 2
            )
        for i, vector in enumerate(vectors):
            size = _squared(vector, (ZERO,) * columns)
            stretched = _squared(_apply(matrix, vector), (ZERO,) * len(matrix)) / size
            yield Comparison(stretched ** (2 * 2**k * power), square, where=f"power {2**k}, vector {i}")
        if previous is not None:
            yield Comparison(square, previous**2, where=f"power {2**k}, decrease")
        previous, gram = square, _multiply(gram, gram)


# Quadratic problems and softmax


def reflection(*, width: sp.Expr = ONE) -> Inequality:
    """Return the inequality for mirrored samples s and -s; p and p' are the values there."""
    excess, alpha = sp.symbols("excess alpha_", nonnegative=True)
    s, p, q = sp.symbols("s p p'", real=True)
    sigma = alpha + excess
    near = sp.Le((p - q) ** 2, 4 * width * alpha**2 * s**2)
    return Inequality(2 * excess**2 * s**2, (sigma * s - p) ** 2 + (sigma * s + q) ** 2, (near,))


def gain_regret(*, optimal: sp.Expr = ONE) -> Identity:
    """Return the identity with q eliminated by the Riccati equation, and k by the closed loop c = a - b k, b > 0.

    The discount is d / (1 + c^2 d) with d > 0, so that 1 - discount c^2 > 0.
    """
    a, c = sp.symbols("a c", real=True)
    b, r, value, d = sp.symbols("b r P d", positive=True)
    discount = d / (1 + c**2 * d)
    k = (a - c) / b
    weight = r + discount * b**2 * value
    best = optimal * discount * a * b * value / weight
    q = value - discount * a**2 * value + discount**2 * a**2 * b**2 * value**2 / weight
    closed = 1 - discount * c**2
    return Identity(sp.together((q + r * k**2) / closed - value), sp.together(weight * (k - best) ** 2 / closed))


@dataclass(frozen=True, eq=False)
class Logits:
    """Two vectors of logits."""

    first: Any
    second: Any


def _softmax(logits: Any) -> Any:
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def softmax_variation(case: Logits, *, constant: float = 1.0) -> Comparison:
    """Sum of absolute differences of probabilities against the largest difference of logits."""
    variation = float(np.abs(_softmax(case.first) - _softmax(case.second)).sum())
    return Comparison(variation, constant * float(np.abs(case.first - case.second).max()))


def nearly_equal() -> Logits:
    """Return two actions whose logits differ by a little, in both directions."""
    return Logits(np.array([0.0, 0.0]), np.array([0.01, -0.01]))


def _logits(actions: int) -> Maximiser:
    def build(first: Any, change: Any) -> Logits:
        return Logits(first, first + change)

    space = Space(first=Box(-3.0, 3.0, (actions,)), change=Box(-1.0, 1.0, (actions,)))
    return Maximiser(space, build, starts=Sizes(4, full=16), evaluations=Sizes(250, full=2_000))


EXTENSION_CHECKS = (
    Check(
        "lipschitz.extension",
        Exact(EXTENSIONS),
        extension,
        (
            Mutant(
                "slope_too_small", "envelopes of slope 0.99 times that of the samples", {"scale": Fraction(99, 100)}
            ),
            Mutant("width", "the envelopes are alpha d apart instead of 2 alpha d", {"width": 1}),
            Mutant("nearest_neighbour", "the value of the nearest sample instead of an envelope", {"kind": "nearest"}),
        ),
    ),
    Check(
        "lipschitz.nearest_sample",
        Exact(EXTENSIONS, per_unit=4),
        nearest_sample,
        (Mutant("larger_slope_only", "max(alpha, L) in the place of alpha + L", {"both": False}),),
    ),
    Check(
        "lipschitz.componentwise",
        Exact(EXTENSIONS, per_unit=4),
        componentwise,
        (
            Mutant("no_factor", "the constant of the samples is preserved", {"components": Fraction(1)}),
            Mutant("factor_too_small", "1.99 instead of m = 2", {"components": Fraction(199, 100)}),
        ),
    ),
    Check(
        "lipschitz.kirszbraun",
        Convex(MAPS),
        kirszbraun,
        (
            Mutant("slope_too_small", "0.999 alpha^2", {"scale": Fraction(999, 1000)}),
            Mutant("maximum_metric", "distances of the points in the maximum norm", {"maximum_metric": True}),
        ),
    ),
    Check(
        "lipschitz.weighted_pairs",
        Symbolic(),
        weighted_pairs,
        (
            Mutant("half", "0.51 instead of one half", {"half": R(51, 100)}),
            Mutant("centre_dropped", "the distance of the centre is left out", {"centred": False}),
        ),
    ),
    Check(
        "lipschitz.covering",
        Exact(COVERINGS, per_unit=5),
        covering,
        (
            Mutant("radius", "eps in the place of the diameter 2 eps", {"diameter": 1}),
            Mutant("rounded_down", "a / (2 eps) rounded down", {"down": True}),
        ),
    ),
)

LOOP_CHECKS = (
    Check(
        "lipschitz.geometric_sum",
        Symbolic(),
        geometric_sum,
        (Mutant("shifted", "beta^(n+1) in the place of beta^n", {"shift": 1}),),
    ),
    Check(
        "lipschitz.perturbed_loop",
        Exact(LOOPS),
        perturbed_loop,
        (
            Mutant("constant_dropped", "M = 1 for a matrix that is not normal", {"use_constant": False}),
            Mutant("factor", "0.99 times the bound", {"factor": Fraction(99, 100)}),
        ),
    ),
    Check(
        "lipschitz.gronwall",
        Symbolic(),
        gronwall,
        (Mutant("slower", "growth 1 + 0.99 b", {"power": R(1, 100)}),),
    ),
    Check(
        "lipschitz.discounted_deviation",
        Symbolic(),
        discounted_deviation,
        (Mutant("shifted", "powers n + 1 in the place of n", {"shift": 1}),),
    ),
    Check(
        "lipschitz.converse_lyapunov",
        Exact(LOOPS),
        converse_lyapunov,
        (
            Mutant("too_few_terms", "T is chosen for M = 1", {"use_constant": False}),
            Mutant("constant_dropped", "M is left out of the upper bound", {"drop_constant": True}),
        ),
    ),
)

MATRIX_CHECKS = (
    Check(
        "lipschitz.matrix_convexity",
        Symbolic(),
        matrix_convexity,
        (Mutant("weight", "1.01 times the gap", {"weight": R(101, 100)}),),
    ),
    Check(
        "lipschitz.vertex_contraction",
        Exact(COSINES, per_unit=3),
        vertex_contraction,
        (
            Mutant("rate", "0.885 instead of 0.89", {"rate": Fraction(885, 1000)}),
            Mutant("identity_form", "the Euclidean norm", {"form": "I"}),
        ),
    ),
    Check(
        "lipschitz.slope_restriction",
        Polynomial(),
        slope_restriction,
        (Mutant("slope", "slopes up to 1.01", {"largest": R(101, 100)}),),
    ),
    Check(
        "lipschitz.slope_lmi",
        Exact({"relu 1-3-1": lambda: "relu"}),
        slope_lmi,
        (
            Mutant("pairs", "multipliers for pairs of neurons: 1/2 is certified for a slope of 1.85", {"pairs": True}),
            Mutant("bound_too_small", "rho = 3.4", {"bound": Fraction(34, 10)}),
        ),
    ),
    Check(
        "lipschitz.slope_optimum",
        Convex({"relu 1-3-1": "relu"}),
        slope_optimum,
        (Mutant("smaller", "a slope of 1.849", {"slope": Fraction(1849, 1000)}),),
    ),
    Check(
        "lipschitz.bounded_real",
        Convex(SCALAR_LOOPS),
        bounded_real,
        (
            Mutant("sign", "the gain of the loop with rate -beta at the frequency zero", {"sign": 1}),
            Mutant("scale", "0.999 times the value", {"scale": Fraction(999, 1000)}),
        ),
    ),
    Check(
        "lipschitz.almost_orthogonal",
        Polynomial(),
        almost_orthogonal,
        (Mutant("scale", "0.99 times the row sums", {"scale": R(99, 100)}),),
    ),
    Check(
        "lipschitz.gram_iteration",
        Exact(GRAMS),
        gram_iteration,
        (
            Mutant("wrong_root", "the root of half the order", {"power": 2}),
            Mutant("power_iteration", "a Rayleigh quotient as an upper bound", {"rule": "power iteration"}),
        ),
    ),
)

SCALAR_CHECKS = (
    Check(
        "lipschitz.reflection",
        Polynomial(),
        reflection,
        (Mutant("wider", "(p - p')^2 up to 1.01 times as large", {"width": R(101, 100)}),),
    ),
    Check(
        "lipschitz.gain_regret",
        Symbolic(),
        gain_regret,
        (Mutant("other_gain", "0.99 times the optimal gain", {"optimal": R(99, 100)}),),
    ),
    Check(
        "lipschitz.softmax_variation",
        Search(maximise=_logits(3), corners={"nearly equal actions": nearly_equal}),
        softmax_variation,
        (Mutant("constant_too_small", "0.99 instead of 1", {"constant": 0.99}),),
    ),
)

CHECKS = EXTENSION_CHECKS + LOOP_CHECKS + MATRIX_CHECKS + SCALAR_CHECKS
