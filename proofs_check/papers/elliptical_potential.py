r"""Checks of the elliptical potential: identities symbolically, sequences of rational features in exact arithmetic.

Every potential has an instance on which it is an equality: one feature of width one, the vectors of a basis, or, for
sums over visits, two whole visits.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import sympy as sp

from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes
from proofs_check.methods.exact import Exact
from proofs_check.methods.interval import Inequality, Interval, Slope, Taylor
from proofs_check.methods.search import Box, Integers, Maximiser, Search, Space
from proofs_check.methods.symbolic import Identity, Symbolic
from proofs_check.methods.symbolic import Inequality as Claimed
from theory.lemmas import elliptical_potential as theory
from theory.lemmas.elliptical_potential import U, s, u, v

R = sp.Rational
ONE = Fraction(1)
LOG_TWO = float(np.log(2.0))

Vector = tuple[Fraction, ...]
Instance = Mapping[str, Any]


def maximiser(build: Callable[..., Any], **blocks: Any) -> Maximiser:
    """Return a climb that is cheap at the quick tier."""
    return Maximiser(Space(**blocks), build, Sizes(4, 32, 128), Sizes(200, 2_000))


# Rational sequences


@dataclass(frozen=True)
class Features:
    """A sequence of rational features of norm at most one, and the regularisation."""

    vectors: tuple[Vector, ...]
    ridge: Fraction = ONE

    @property
    def dimension(self) -> int:
        """Length of a feature."""
        return len(self.vectors[0])

    def matrices(self) -> Iterator[Any]:
        """Yield Lambda_1, Lambda_2, ... as exact matrices."""
        d = self.dimension
        rows = [[self.ridge if i == j else Fraction(0) for j in range(d)] for i in range(d)]
        yield exact(rows)
        for phi in self.vectors:
            rows = [[rows[i][j] + phi[i] * phi[j] for j in range(d)] for i in range(d)]
            yield exact(rows)


def exact(rows: Sequence[Sequence[Fraction]]) -> Any:
    """Return a matrix of FLINT."""
    from flint import fmpq, fmpq_mat

    return fmpq_mat([[fmpq(value.numerator, value.denominator) for value in row] for row in rows])


def fraction(value: Any) -> Fraction:
    """Return a rational of FLINT as a fraction."""
    return Fraction(int(value.p), int(value.q))


def column(vector: Vector) -> Any:
    """Return a column of FLINT."""
    return exact([[value] for value in vector])


def form(matrix: Any, vector: Vector) -> Fraction:
    """Return x' A x."""
    x = column(vector)
    return fraction((x.transpose() * matrix * x)[0, 0])


def outer(vector: Vector) -> Any:
    """Return x x'."""
    return column(vector) * column(vector).transpose()


def unit_vector(*parameters: int, scale: int = 1) -> Vector:
    """Return a rational unit vector: the stereographic image of parameters / scale."""
    squares = sum(value * value for value in parameters)
    total = squares + scale * scale
    return (*(Fraction(2 * scale * value, total) for value in parameters), Fraction(squares - scale * scale, total))


def basis(d: int, index: int) -> Vector:
    """Return a vector of the standard basis."""
    return tuple(Fraction(int(i == index)) for i in range(d))


def _cycle(d: int, rounds: int, ridge: Fraction = ONE) -> Features:
    return Features(tuple(basis(d, t % d) for t in range(rounds)), ridge)


def _blocks(d: int, rounds: int) -> Features:
    return Features(tuple(basis(d, t * d // rounds) for t in range(rounds)))


def _scattered(d: int, rounds: int, ridge: Fraction = ONE) -> Features:
    rng = np.random.default_rng(7)
    draws = rng.integers(-4, 5, size=(rounds, d - 1))
    return Features(tuple(unit_vector(*(int(value) for value in row), scale=3) for row in draws), ridge)


FEATURES: Mapping[str, Callable[[], Features]] = {
    "one direction, 15 rounds": partial(_cycle, 1, 15),
    "basis of order 3": partial(_cycle, 3, 3),
    "blocks of order 2": partial(_blocks, 2, 60),
    "scattered, order 2": partial(_scattered, 2, 40),
    "scattered, order 3, ridge 1/10": partial(_scattered, 3, 30, Fraction(1, 10)),
    "scattered, order 6": partial(_scattered, 6, 12),
}


# Matrices


def _eigenbasis(d: int) -> tuple[sp.Matrix, sp.Matrix, sp.Expr]:
    """Return a positive diagonal matrix, a vector, and the squared width of the vector."""
    eigenvalues = sp.symbols(f"a_1:{d + 1}", positive=True)
    phi = sp.Matrix(sp.symbols(f"phi_1:{d + 1}", real=True))
    width = sum(value**2 / a for value, a in zip(phi, eigenvalues, strict=True))
    return sp.diag(*eigenvalues), phi, width


def sherman_morrison(*, normalised: bool = True, sign: int = -1) -> dict[str, Identity]:
    """Return (A + phi phi') times the claimed inverse against the identity; other entries follow by symmetry."""
    goals: dict[str, Identity] = {}
    for d in (2, 3):
        a, phi, width = _eigenbasis(d)
        inverse = a.inv()
        claimed = inverse + sign * inverse * phi * phi.T * inverse / ((1 if normalised else 0) + width)
        product = (a + phi * phi.T) * claimed
        goals |= {
            f"order {d}, entry {i + 1} {j + 1}": Identity(product[i, j], sp.Integer(int(i == j)))
            for i, j in ((0, 0), (0, 1))
        }
    return goals


def sherman_morrison_exact(case: Features, *, normalised: bool = True, sign: int = -1) -> Iterator[Comparison]:
    """The claimed inverse after every update against the inverse, entry by entry."""
    matrices = list(case.matrices())
    for t, (before, after, phi) in enumerate(zip(matrices, matrices[1:], case.vectors, strict=False)):
        inverse, expected = before.inv(), after.inv()
        width = form(inverse, phi) + (1 if normalised else 0)
        change = inverse * outer(phi) * inverse
        for i in range(case.dimension):
            for j in range(case.dimension):
                claimed = fraction(inverse[i, j]) + sign * fraction(change[i, j]) / width
                yield Comparison(claimed, fraction(expected[i, j]), "==", where=f"update {t + 1}, entry {i} {j}")


def rank_one_determinant(*, one: int = 1) -> dict[str, Identity]:
    """Return both determinants."""
    goals = {}
    for d in (2, 3):
        a, phi, width = _eigenbasis(d)
        goals[f"order {d}"] = Identity(sp.expand((a + phi * phi.T).det()), a.det() * (one + width))
    return goals


def rank_one_determinant_exact(case: Features, *, one: int = 1) -> Iterator[Comparison]:
    """Determinants after every update."""
    matrices = list(case.matrices())
    for t, (before, after, phi) in enumerate(zip(matrices, matrices[1:], case.vectors, strict=False)):
        grown = fraction(before.det()) * (one + form(before.inv(), phi))
        yield Comparison(fraction(after.det()), grown, "==", where=f"update {t + 1}")


def determinant_trace(*, factor: sp.Expr = sp.S.One) -> dict[str, Claimed]:
    """Return products of eigenvalues a <= a + p <= a + p + q against powers of their mean."""
    a, p, q = sp.symbols("a p q", nonnegative=True)
    return {
        "order 2": Claimed(a * (a + p), factor * (a + p / 2) ** 2),
        "order 3": Claimed(a * (a + p) * (a + p + q), factor * (a + (2 * p + q) / 3) ** 3),
    }


def determinant_ratio(*, factor: sp.Expr = sp.S.One) -> dict[str, Claimed]:
    """Return both forms where B is the identity and A = diag(1 + a_i)."""
    goals = {}
    for d in (2, 3):
        excess = sp.symbols(f"a_1:{d + 1}", nonnegative=True)
        squares = sp.symbols(f"x_1:{d + 1}", nonnegative=True)
        lhs = sum((1 + a) * q for a, q in zip(excess, squares, strict=True))
        goals[f"order {d}"] = Claimed(lhs, factor * sp.prod([1 + a for a in excess]) * sum(squares))
    return goals


def determinant_ratio_exact(case: Features, *, factor: Fraction = ONE) -> Iterator[Comparison]:
    """Forms of later and earlier matrices on the features of the sequence."""
    matrices = list(case.matrices())
    for k, t in ((0, len(matrices) - 1), (0, 1), (1, 2), (len(matrices) // 2, len(matrices) - 1)):
        ratio = fraction(matrices[t].det()) / fraction(matrices[k].det())
        for phi in case.vectors[:: max(1, len(case.vectors) // 8)]:
            rhs = factor * ratio * form(matrices[k], phi)
            yield Comparison(form(matrices[t], phi), rhs, where=f"matrices {k + 1} and {t + 1}")


def lazy_norm(case: Features, *, factor: Fraction = Fraction(2)) -> Iterator[Comparison]:
    """Squared widths at the last switch and now, for switches when the determinant would more than double."""
    matrices = list(case.matrices())
    last = 0
    for t, phi in enumerate(case.vectors):
        if fraction(matrices[t].det()) > 2 * fraction(matrices[last].det()):
            last = t
        old, new = form(matrices[last].inv(), phi), form(matrices[t].inv(), phi)
        yield Comparison(old, factor * new, where=f"round {t + 1}, switch {last + 1}")


def ridge_projection(case: Features, *, factor: Fraction = ONE) -> Iterator[Comparison]:
    """Form of the projection on several vectors of targets against their squared norm."""
    design = exact(case.vectors)
    *_, last = case.matrices()
    projection = design * last.inv() * design.transpose()
    rounds = len(case.vectors)
    targets = {
        "alternating": tuple(Fraction((-1) ** t) for t in range(rounds)),
        "constant": (ONE,) * rounds,
        "first coordinate": tuple(phi[0] for phi in case.vectors),
    }
    for name, y in targets.items():
        yield Comparison(form(projection, y), factor * sum(value * value for value in y), where=name)


def ridge_norm(case: Features, *, factor: Fraction = Fraction(1, 4)) -> Iterator[Comparison]:
    """Squared norm of the weights, times the ridge, against a quarter of the squared norm of the targets."""
    design = exact(case.vectors)
    *_, last = case.matrices()
    rounds = len(case.vectors)
    targets = {"constant": (ONE,) * rounds, "first coordinate": tuple(phi[0] for phi in case.vectors)}
    for name, y in targets.items():
        weights = last.inv() * design.transpose() * column(y)
        square = sum((fraction(weights[i, 0]) ** 2 for i in range(case.dimension)), Fraction(0))
        yield Comparison(case.ridge * square, factor * sum(value * value for value in y), where=name)


def root_of_forms(instance: Instance, *, factor: float = 1.0) -> Comparison:
    """Difference of two roots of forms against the root of the Frobenius distance."""
    first, second = instance["a"] @ instance["a"].T, instance["b"] @ instance["b"].T
    x = instance["x"] / max(1.0, float(np.linalg.norm(instance["x"])))
    gap = abs(np.sqrt(max(x @ first @ x, 0.0)) - np.sqrt(max(x @ second @ x, 0.0)))
    return Comparison(float(gap), factor * float(np.sqrt(np.linalg.norm(first - second))))


def minors(matrix: Any) -> Iterator[tuple[str, Fraction]]:
    """Yield all principal minors: a symmetric matrix is positive semidefinite exactly if none is negative."""
    order = matrix.nrows()
    for size in range(1, order + 1):
        for chosen in combinations(range(order), size):
            rows = [[fraction(matrix[i, j]) for j in chosen] for i in chosen]
            yield f"minor {chosen}", fraction(exact(rows).det())


def ldl(matrix: Any) -> tuple[list[list[Fraction]], list[Fraction]]:
    """Return the unit lower triangular factor and the pivots of a positive definite matrix."""
    order = matrix.nrows()
    lower = [[Fraction(int(i == j)) for j in range(order)] for i in range(order)]
    pivots: list[Fraction] = []
    for j in range(order):
        pivots.append(fraction(matrix[j, j]) - sum(lower[j][k] ** 2 * pivots[k] for k in range(j)))
        for i in range(j + 1, order):
            known = sum((lower[i][k] * lower[j][k] * pivots[k] for k in range(j)), Fraction(0))
            lower[i][j] = (fraction(matrix[i, j]) - known) / pivots[j]
    return lower, pivots


def perturbed(matrix: Any, error: Fraction, signs: Sequence[int]) -> Any:
    """Return P + e L D S L' for P = L D L' and signs S: it lies between (1 - e) P and (1 + e) P."""
    lower, pivots = ldl(matrix)
    scaled = [pivot * (1 + error * sign) for pivot, sign in zip(pivots, signs, strict=True)]
    factor = exact(lower)
    return (
        factor
        * exact([[scaled[i] if i == j else Fraction(0) for j in range(len(scaled))] for i in range(len(scaled))])
        * factor.transpose()
    )


SIGNS: Mapping[str, Callable[[int, int], int]] = {
    "up": lambda t, i: 1,
    "down": lambda t, i: -1,
    "by round": lambda t, i: (-1) ** t,
    "by coordinate": lambda t, i: (-1) ** i,
    "by both": lambda t, i: (-1) ** (t + i),
}
"""Sign of the relative error in coordinate i at update t."""


def drift(case: Features, *, error: Fraction = Fraction(1, 100), missing: int = 0) -> Iterator[Comparison]:
    """Inverses with relative errors of 1 percent after every update against the exact ones, by all principal minors."""
    rounds, d = min(len(case.vectors), 6), case.dimension
    start, *later = list(case.matrices())[: rounds + 1]
    truth = later[-1].inv()
    for name, sign in SIGNS.items():
        wrong = start.inv()
        for t, phi in enumerate(case.vectors[:rounds]):
            wrong = perturbed((wrong.inv() + outer(phi)).inv(), error, [sign(t, i) for i in range(d)])
        for side, factor in (("above", Fraction(101, 100)), ("below", Fraction(99, 100))):
            scaled = truth * rational(factor ** (rounds - missing))
            for place, minor in minors(scaled - wrong if side == "above" else wrong - scaled):
                yield Comparison(Fraction(0), minor, where=f"{name}, {side}, {place}")


def rational(value: Fraction) -> Any:
    """Return a fraction as a rational of FLINT."""
    from flint import fmpq

    return fmpq(value.numerator, value.denominator)


FAINT = {"faint features": lambda: Features(tuple(tuple(value / 1000 for value in basis(2, t % 2)) for t in range(6)))}
SMALL = {name: case for name, case in FEATURES.items() if "order 6" not in name}

MATRICES = (
    Check(
        "elliptical_potential.sherman_morrison",
        Symbolic(),
        sherman_morrison,
        (
            Mutant("normalisation", "phi' A^-1 phi instead of 1 + phi' A^-1 phi", {"normalised": False}),
            Mutant("sign", "plus instead of minus", {"sign": 1}),
        ),
    ),
    Check(
        "elliptical_potential.sherman_morrison",
        Exact(FEATURES, per_unit=len(FEATURES)),
        sherman_morrison_exact,
        (Mutant("normalisation", "phi' A^-1 phi instead of 1 + phi' A^-1 phi", {"normalised": False}),),
    ),
    Check(
        "elliptical_potential.rank_one_determinant",
        Symbolic(),
        rank_one_determinant,
        (Mutant("without_one", "phi' A^-1 phi instead of 1 + phi' A^-1 phi", {"one": 0}),),
    ),
    Check(
        "elliptical_potential.rank_one_determinant",
        Exact(FEATURES, per_unit=len(FEATURES)),
        rank_one_determinant_exact,
        (Mutant("without_one", "phi' A^-1 phi instead of 1 + phi' A^-1 phi", {"one": 0}),),
    ),
    Check(
        "elliptical_potential.determinant_trace",
        Symbolic(),
        determinant_trace,
        (Mutant("factor", "0.99 times the power of the mean: equality for equal eigenvalues", {"factor": R(99, 100)}),),
    ),
    Check(
        "elliptical_potential.determinant_ratio",
        Symbolic(),
        determinant_ratio,
        (Mutant("factor", "0.99 times the ratio: equality for A = B", {"factor": R(99, 100)}),),
    ),
    Check(
        "elliptical_potential.determinant_ratio",
        Exact(FEATURES, per_unit=len(FEATURES)),
        determinant_ratio_exact,
        (Mutant("factor", "0.99 times the ratio: equality along the update", {"factor": Fraction(99, 100)}),),
    ),
    Check(
        "elliptical_potential.lazy_norm",
        Exact(FEATURES, per_unit=len(FEATURES)),
        lazy_norm,
        (
            Mutant("factor", "1.98 instead of 2: equality in one dimension", {"factor": Fraction(198, 100)}),
            Mutant("none", "1 instead of 2, as if every width were fresh", {"factor": ONE}),
        ),
    ),
    Check(
        "elliptical_potential.ridge_projection",
        Exact({**FEATURES, "tiny ridge": partial(_scattered, 3, 12, Fraction(1, 10**6))}, per_unit=8),
        ridge_projection,
        (Mutant("factor", "0.99 instead of 1: equality as the ridge vanishes", {"factor": Fraction(99, 100)}),),
    ),
    Check(
        "elliptical_potential.ridge_norm",
        Exact(FEATURES, per_unit=len(FEATURES)),
        ridge_norm,
        (Mutant("factor", "0.99 / 4: equality at singular value sqrt(lambda)", {"factor": Fraction(99, 400)}),),
    ),
    Check(
        "elliptical_potential.root_of_forms",
        Search(
            maximise=maximiser(dict, a=Box(-1.0, 1.0, (2, 2)), b=Box(-1.0, 1.0, (2, 2)), x=Box(-1.0, 1.0, (2,))),
            corners={
                "rank one against zero": partial(
                    dict, a=np.array([[1.0, 0.0], [0.0, 0.0]]), b=np.zeros((2, 2)), x=np.array([1.0, 0.0])
                )
            },
        ),
        root_of_forms,
        (Mutant("factor", "0.99 instead of 1: equality for a matrix of rank one and zero", {"factor": 0.99}),),
    ),
    Check(
        "elliptical_potential.drift",
        Exact({**SMALL, **FAINT}, per_unit=len(SMALL) + 1),
        drift,
        (
            Mutant("one_update_less", "T - 1 perturbations instead of T", {"missing": 1}),
            Mutant(
                "larger_error", "perturbations of 1.01 percent, claimed to be of 1", {"error": Fraction(101, 10_000)}
            ),
        ),
    ),
)


# Potentials


@dataclass(frozen=True, eq=False)
class Played:
    """Widths of a sequence of features (before clipping) and the logarithm of the growth of the determinant."""

    widths: FloatArray
    growth: float


def played(instance: Instance) -> Played:
    """Return the widths of features ``(T, d)`` of norm at most one, with ridge ``lambda``."""
    features = instance["features"]
    features = features / np.maximum(1.0, np.linalg.norm(features, axis=1, keepdims=True))
    d, ridge = features.shape[1], instance["ridge"]
    inverse = np.eye(d) / ridge
    widths = np.empty(len(features))
    for t, phi in enumerate(features):
        direction = inverse @ phi
        widths[t] = phi @ direction
        inverse -= np.outer(direction, direction) / (1.0 + widths[t])
    gram = np.eye(d) + features.T @ features / ridge
    return Played(widths, float(np.linalg.slogdet(gram)[1]))


def clipped(instance: Instance, *, constant: float = 2.0, clip: bool = True) -> Comparison:
    """Sum of clipped widths against a multiple of the growth of the determinant."""
    seen = played(instance)
    total = float(np.minimum(1.0, seen.widths).sum() if clip else seen.widths.sum())
    return Comparison(total, constant * seen.growth)


def unclipped(instance: Instance, *, factor: float = 1.0, worst: float | None = None) -> Comparison:
    """Sum of widths against the constant of the largest possible width."""
    seen = played(instance)
    largest = 1.0 / instance["ridge"] if worst is None else worst
    return Comparison(float(seen.widths.sum()), factor * largest / float(np.log1p(largest)) * seen.growth)


def dimension(instance: Instance, *, factor: float = 1.0, trace: bool = True) -> Comparison:
    """Sum of clipped widths against d log(1 + T / (d lambda)) / log 2."""
    seen = played(instance)
    rounds, d = instance["features"].shape
    potential = d * np.log1p(rounds / ((d if trace else rounds * d) * instance["ridge"]))
    return Comparison(float(np.minimum(1.0, seen.widths).sum()), factor * float(potential) / LOG_TWO)


def determinant_growth(case: Features, *, exponent: int = 0) -> Iterator[Comparison]:
    """Growth of the determinant after every round."""
    d = case.dimension
    start, *later = (fraction(matrix.det()) for matrix in case.matrices())
    for t, determinant in enumerate(later, start=1):
        bound = (1 + t / (d * case.ridge)) ** (d + exponent)
        yield Comparison(determinant / start, bound, where=f"round {t}")


def switches(case: Features, *, parts: int = 25, directions: bool = True) -> Iterator[Comparison]:
    """Compare 2^(25 N) with the same power of the bound, where N switches were made at doubled determinants."""
    d = case.dimension
    determinants = [fraction(matrix.det()) for matrix in case.matrices()]
    last, count = determinants[0], 0
    for t, determinant in enumerate(determinants[1:], start=1):
        if determinant >= 2 * last:
            last, count = determinant, count + 1
            bound = (1 + t / (d * case.ridge)) ** ((d if directions else 1) * parts)
            yield Comparison(Fraction(2) ** (25 * count), bound, where=f"round {t}, switch {count}")


def _one_step(width: float = 1.0) -> Instance:
    return {"features": np.array([[1.0, 0.0]]), "ridge": 1.0 / width}


def _orthonormal(d: int) -> Instance:
    return {"features": np.eye(d), "ridge": 1.0}


PLAYED = {"features": Box(-1.5, 1.5, (6, 2)), "ridge": Box(0.05, 5.0, log=True)}
STEPS: Mapping[str, Callable[[], Instance]] = {
    "one feature of width one": _one_step,
    "one feature of width 20": partial(_one_step, 20.0),
    "basis of order 3": partial(_orthonormal, 3),
}


def chord(*, factor: sp.Expr = sp.S.One) -> Inequality:
    """Return the chord; its two ends touch."""
    hints = (Slope(v, 0),) if factor == 1 else ()
    return Inequality(theory.chord(factor=factor), ((s, 0, 1), (v, 0, sp.oo)), hints)


POTENTIALS = (
    Check(
        "elliptical_potential.chord",
        Interval(),
        chord,
        (Mutant("factor", "0.99 log(1 + s v): equality at s = 1", {"factor": R(99, 100)}),),
    ),
    Check(
        "elliptical_potential.clipped",
        Search(maximise=maximiser(dict, **PLAYED), corners=STEPS),
        clipped,
        (
            Mutant("constant", "1.44 instead of 2: the best constant is 1.4427", {"constant": 1.44}),
            Mutant("no_clipping", "widths that are not clipped", {"clip": False}),
        ),
    ),
    Check(
        "elliptical_potential.clipped_sharp",
        Search(maximise=maximiser(dict, **PLAYED), corners=STEPS),
        partial(clipped, constant=1.0 / LOG_TWO),
        (Mutant("constant", "0.99 / log 2: equality for one feature of width one", {"constant": 0.99 / LOG_TWO}),),
    ),
    Check(
        "elliptical_potential.unclipped",
        Search(maximise=maximiser(dict, **PLAYED), corners=STEPS),
        unclipped,
        (
            Mutant(
                "constant", "0.99 times the constant: equality for one feature of the largest width", {"factor": 0.99}
            ),
            Mutant("small_ridge", "1 / log 2 whatever the ridge", {"worst": 1.0}),
        ),
    ),
    Check(
        "elliptical_potential.determinant_growth",
        Exact(FEATURES, per_unit=len(FEATURES)),
        determinant_growth,
        (Mutant("exponent", "d - 1 instead of d", {"exponent": -1}),),
    ),
    Check(
        "elliptical_potential.dimension",
        Search(maximise=maximiser(dict, **PLAYED), corners=STEPS),
        dimension,
        (
            Mutant("constant", "0.99 times the constant: equality for the vectors of a basis", {"factor": 0.99}),
            Mutant("no_growth", "the number of rounds is left out", {"trace": False}),
        ),
    ),
    Check(
        "elliptical_potential.switches",
        Exact(FEATURES, per_unit=len(FEATURES)),
        switches,
        (
            Mutant("constant", "0.96 times the bound: equality in one dimension", {"parts": 24}),
            Mutant("one_direction", "d is left out in front of the logarithm", {"directions": False}),
        ),
    ),
)


# Counts


def midpoint(*, constant: sp.Expr = sp.S.One) -> Inequality:
    """Return the comparison in s = 1 / (2 m)."""
    return Inequality(theory.midpoint(constant=constant), ((s, 0, R(1, 2)),))


def pigeonhole_log_step(*, constant: sp.Expr = theory.STEP) -> tuple[Inequality, ...]:
    """Return the step for U <= 1 and for U >= 1, both by their monotonicity in U."""
    sharp = constant == theory.STEP
    above = (Taylor(U, 1, 1, then=(Taylor(u, 0, 1),)),) if sharp else ()
    below = (Taylor(U, 1, 1),) if sharp else ()
    return (
        Inequality(theory.pigeonhole_below(constant=constant), ((u, 0, 1), (U, 0, 1)), below),
        Inequality(theory.pigeonhole_above(constant=constant), ((u, 0, 1), (U, 1, sp.oo)), above),
    )


def pigeonhole_root_step(*, constant: sp.Expr = theory.ROOT_STEP) -> tuple[Inequality, ...]:
    """Return the step for U <= 1 and for U >= 1."""
    sharp = constant == theory.ROOT_STEP
    return (
        Inequality(theory.root_below(constant=constant), ((u, 0, 1), (U, 0, 1)), (Taylor(u, 1, 1),) if sharp else ()),
        Inequality(theory.root_above(constant=constant), ((s, 0, 1),), (Taylor(s, 1, 1),) if sharp else ()),
    )


def pigeonhole_log(instance: Instance, *, constant: float = 2.0 / float(np.log(3.0))) -> Comparison:
    """Sum over fractional visits against a multiple of log(1 + U)."""
    visits = instance["u"]
    before = np.cumsum(visits) - visits
    total = float((visits / np.maximum(1.0, before)).sum())
    return Comparison(total, constant * float(np.log1p(visits.sum())))


def pigeonhole_root(instance: Instance, *, constant: float = 2.0) -> Comparison:
    """Sum over fractional visits against a multiple of sqrt(U)."""
    visits = instance["u"]
    before = np.cumsum(visits) - visits
    total = float((visits / np.sqrt(np.maximum(1.0, before))).sum())
    return Comparison(total, constant * float(np.sqrt(visits.sum())))


def pseudo_counts(instance: Instance, *, constant: float = 4.0, half: float = 0.5) -> Comparison:
    """Clipped bonus at the least count that is allowed against the bonus at the expected count."""
    offset, slope, expected = instance["offset"], instance["slope"], instance["expected"]
    count = max(0.0, half * expected - instance["part"] * offset)

    def beta(at: float) -> float:
        return float(offset + slope * np.log1p(at))

    lhs = min(1.0, beta(count) / count) if count > 0 else 1.0
    return Comparison(lhs, constant * beta(expected) / max(1.0, expected))


def _whole(rounds: int) -> Instance:
    return {"u": np.ones(rounds)}


def eluder_pigeonhole(instance: Instance, *, root: float = 2.0, first: bool = True) -> Iterator[Comparison]:
    """Both sums for functions concentrated on the current point, scaled to a part of what the past allows."""
    points, n_points = instance["points"], instance["n_points"]
    rounds, beta, cap = len(points), instance["beta"], instance["cap"]
    seen = (points[:, None] == np.arange(n_points)).astype(float)
    earlier = (np.cumsum(seen, axis=0) - seen)[np.arange(rounds), points]
    allowed = np.sqrt(beta / np.maximum(earlier, 1.0))
    values = instance["part"] * np.where(earlier > 0, np.minimum(cap, allowed), cap)
    start = min(rounds, n_points) * cap if first else 0.0
    yield Comparison(float(values.sum()), start + root * float(np.sqrt(n_points * beta * rounds)), where="sum")
    square = min(rounds, n_points) * cap**2 + n_points * beta * (1.0 + np.log(rounds))
    yield Comparison(float((values**2).sum()), float(square), where="sum of squares")


def _visited(points: Any, part: Any, beta: float, cap: float) -> Instance:
    return {"points": points, "part": part, "beta": beta, "cap": cap, "n_points": 3}


def _round_robin(n_points: int, rounds: int) -> Instance:
    return {"points": np.arange(rounds) % n_points, "part": 1.0, "beta": 1.0, "cap": 1.0, "n_points": n_points}


def count_doubling(instance: Instance, *, factor: float = 1.0, epochs_of_one: bool = True) -> Iterator[Comparison]:
    """Counts at the last refresh against counts now, and the number of epochs."""
    visits = instance["visits"]
    cells = int(visits.max()) + 1
    counts, refreshed = [0] * cells, [0] * cells
    epochs, stalest = 1, 0.0
    for t, cell in enumerate(visits.tolist()):
        if t and any(n >= max(1, 2 * old) for n, old in zip(counts, refreshed, strict=True)):
            refreshed = list(counts)
            epochs += 1
        if counts[cell]:
            stalest = max(stalest, (counts[cell] + 1) / (2 * refreshed[cell]))
        counts[cell] += 1
    yield Comparison(stalest, factor, where="counts")
    bound = 1.0 + cells * ((1.0 if epochs_of_one else 0.0) + np.log2(len(visits)))
    yield Comparison(float(epochs), float(bound), where="epochs")


def _one_cell(rounds: int) -> Instance:
    return {"visits": np.zeros(rounds, dtype=np.int64)}


COUNTS = (
    Check(
        "elliptical_potential.midpoint",
        Interval(),
        midpoint,
        (Mutant("constant", "0.99 times the difference of roots: the ratio tends to one", {"constant": R(99, 100)}),),
    ),
    Check(
        "elliptical_potential.pigeonhole_log_step",
        Interval(),
        pigeonhole_log_step,
        (Mutant("constant", "2.45 instead of 2.4663: equality at u = U = 1", {"constant": R(245, 100)}),),
    ),
    Check(
        "elliptical_potential.pigeonhole_root_step",
        Interval(),
        pigeonhole_root_step,
        (Mutant("constant", "2.41 instead of 2.4143: equality at u = U = 1", {"constant": R(241, 100)}),),
    ),
    Check(
        "elliptical_potential.pigeonhole_log",
        Search(maximise=maximiser(dict, u=Box(0.0, 1.0, (5,))), corners={"two visits": partial(_whole, 2)}),
        pigeonhole_log,
        (
            Mutant("constant", "0.99 times 2 / log 3", {"constant": 1.98 / float(np.log(3.0))}),
            Mutant("three_halves", "1.5 instead of 1.8205", {"constant": 1.5}),
        ),
    ),
    Check(
        "elliptical_potential.pigeonhole_root",
        Search(maximise=maximiser(dict, u=Box(0.0, 1.0, (30,))), corners={"many visits": partial(_whole, 10_000)}),
        pigeonhole_root,
        (Mutant("constant", "1.99 instead of 2: approached by many visits", {"constant": 1.99}),),
    ),
    Check(
        "elliptical_potential.pseudo_counts",
        Search(
            maximise=maximiser(
                dict,
                offset=Box(0.25, 10.0, log=True),
                slope=Box(0.0, 5.0),
                part=Box(0.0, 1.0),
                expected=Box(0.1, 1000.0, log=True),
            ),
            corners={"constant": partial(dict, offset=1.0, slope=0.0, part=1.0, expected=4.0)},
        ),
        pseudo_counts,
        (
            Mutant("constant", "3.96 instead of 4: equality for constant beta", {"constant": 3.96}),
            Mutant("third", "counts of a third of the expected ones", {"half": 1 / 3}),
        ),
    ),
    Check(
        "elliptical_potential.eluder_pigeonhole",
        Search(
            maximise=maximiser(
                _visited,
                points=Integers(0, 2, (30,)),
                part=Box(0.0, 1.0, (30,)),
                beta=Box(0.1, 10.0, log=True),
                cap=Box(0.1, 10.0, log=True),
            ),
            corners={"round robin": partial(_round_robin, 4, 50_000), "one round each": partial(_round_robin, 4, 4)},
        ),
        eluder_pigeonhole,
        (
            Mutant("constant", "1.98 instead of 2", {"root": 1.98}),
            Mutant(
                "first_visits", "the first visits are left out, with 1.9 instead of 2", {"root": 1.9, "first": False}
            ),
        ),
    ),
    Check(
        "elliptical_potential.count_doubling",
        Search(maximise=maximiser(dict, visits=Integers(0, 2, (40,))), corners={"one cell": partial(_one_cell, 1_025)}),
        count_doubling,
        (
            Mutant("factor", "(j + 1) <= 0.99 times 2 n_k", {"factor": 0.99}),
            Mutant(
                "first_epochs",
                "|X| log T epochs: the epoch after the first visit is left out",
                {"epochs_of_one": False},
            ),
        ),
    ),
)

CHECKS = (*MATRICES, *POTENTIALS, *COUNTS)
