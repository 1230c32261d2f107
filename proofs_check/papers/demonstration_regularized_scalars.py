r"""Checks of the lemmas of demonstration-regularised learning on gaps, distances, classes and visits.

Sums of visits are bounded by induction, of which every step is an inequality in one or two real variables.
"""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from typing import Any

import sympy as sp
from flint import arb

from proofs_check.engine import Check, Mutant
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.enclosures import number
from proofs_check.methods.interval import Inequality as RealInequality
from proofs_check.methods.interval import Interval, Taylor, Terms
from proofs_check.methods.operators import OperatorIdentity, operators
from proofs_check.methods.polynomial import Polynomial
from proofs_check.methods.proof_rules import Hint
from proofs_check.methods.symbolic import Identity, Inequality, Obligation, Symbolic
from proofs_check.papers import elliptical_potential
from proofs_check.papers.regularised_values import ball
from theory import demonstration_regularized_lemmas as theory
from theory.demonstration_regularized_lemmas import U, first, s, second, u, v
from theory.demonstration_regularized_parameters import ZETA
from theory.lemmas import scalar
from theory.symbols import H

R = sp.Rational
ONE, TWO, HALF, THIRD, EIGHTH = sp.Integer(1), sp.Integer(2), R(1, 2), R(1, 3), R(1, 8)
UNIT = (0, 1)
Instances = Mapping[str, Callable[[], Any]]


# The gap of a softmax policy


def gap_width(*, constant: sp.Expr = ONE) -> RealInequality:
    """Return the width as a bound on the divergence of two softmax laws; the bound by its square is in the library.

    With t = (y - x) / lambda of width w the divergence is log E exp(t) - E t, at most log(1 - p + p exp(w)) - p w for
    p = E t / w with t from its least value on, by the chord of the exponential.
    """
    return RealInequality(
        theory.two_points_linear(constant=constant),
        ((scalar.p, *UNIT), (scalar.u, 0, sp.oo)),
        (Taylor(scalar.u, 0, 1),),
    )


def error_width(*, factor: sp.Expr = TWO) -> dict[str, Obligation]:
    """Return the bounds on the width of errors from ``low`` to ``high``: by the largest one, and by an enclosure."""
    low, high = sp.symbols("low high", real=True)
    size, gap = sp.symbols("size gap", nonnegative=True)
    inside = tuple(sp.Le(error, size) for error in (low, -low, high, -high))
    return {
        "largest": Inequality(high - low, factor * size, inside),
        "enclosure": Inequality(high - low, gap, (sp.Ge(low, 0), sp.Le(high, gap))),
    }


ERRORS: Instances = {
    name: partial(tuple, (Fraction(error), Fraction(scale)))
    for name, error, scale in (
        ("small", "1/100", "1"),
        ("0.1", "1/10", "1"),
        ("large", "30", "1"),
        ("cold", "1", "1/50"),
    )
}
"""Errors of the value of one of two actions, both worth nothing and equally likely in the reference, and lambda."""


def gap_points(case: tuple[Fraction, Fraction], *, constant: sp.Expr = EIGHTH) -> Iterator[BallComparison]:
    """Return the gap of the softmax policy of the wrong values, lambda KL(policy | uniform), against both bounds."""
    error, scale = case
    odds = (ball(error / scale)).exp()
    chances = [odds / (1 + odds), 1 / (1 + odds)]
    gap = ball(scale) * sum((chance * (2 * chance).log() for chance in chances), arb(0))
    yield BallComparison(gap, number(theory.gap_bound(R(error), R(scale), constant=constant)), where="square")
    yield BallComparison(gap, ball(error), where="width")


GAP_CHECKS = (
    Check(
        "demonstration_regularized.regularised_gap",
        Interval(),
        gap_width,
        (Mutant("linear", "0.98 of the width: the ratio tends to one for rare actions", {"constant": R(98, 100)}),),
        name="two actions",
        part=True,
    ),
    Check(
        "demonstration_regularized.regularised_gap",
        Polynomial(squares=False),
        error_width,
        (Mutant("factor", "1.99 max |e|", {"factor": R(199, 100)}),),
        name="width",
        part=True,
    ),
    Check(
        "demonstration_regularized.regularised_gap",
        Balls(ERRORS),
        gap_points,
        (
            Mutant("ninth", "1/9 instead of 1/8: false at an error of 0.1", {"constant": R(1, 9)}),
            Mutant("constant", "1/8.001: the ratio tends to one for small errors", {"constant": R(1000, 8001)}),
        ),
        name="bandits",
    ),
)


# Hellinger distances


def logistic_sine(*, sign: int = 1) -> dict[str, Obligation]:
    """Return that 1 - cos^2 is the expression in hyperbolic functions."""
    rest, claimed = theory.sine_squared()
    return {"sine": Identity(rest, claimed.subs(second, second**sign))}


def logistic_hellinger(*, factor: sp.Expr = ONE) -> RealInequality:
    """Return Hel^2 >= sin^2: the slack is (1 - cos)^2. The curvature of the affinity is in the library."""
    return RealInequality(theory.chord_above_sine(factor=factor), ((v, 0, 1),))


COMPARED: Instances = {
    name: partial(tuple, (Fraction(x), Fraction(y), Fraction(horizon)))
    for name, x, y, horizon in (
        ("close, at the end", "3", "299/100", "3"),
        ("closer, at the end", "3", "29999/10000", "3"),
        ("opposite", "3", "-3", "3"),
        ("close, in the middle", "1/100", "0", "3"),
        ("five and four", "5", "4", "5"),
    )
}


def logistic_points(
    case: tuple[Fraction, Fraction, Fraction], *, constant: Fraction = Fraction(1)
) -> Iterator[BallComparison]:
    """Return the squared Hellinger distance of the two coins against both bounds."""
    x, y = (ball(value) for value in case[:2])
    heads = [1 / (1 + (-value).exp()) for value in (x, y)]
    distance = sum(((a.sqrt() - b.sqrt()) ** 2 for a, b in (heads, [1 - head for head in heads])), arb(0))
    hyperbolic = ((x - y) / 4).sinh() ** 2 / ((x / 2).cosh() * (y / 2).cosh())
    yield BallComparison(hyperbolic, distance, where="angle")
    zeta = number(ZETA.subs(H, R(case[2])))
    yield BallComparison(ball(constant) * (x - y) ** 2 / (4 * zeta), hyperbolic, where="curvature")


def ratio_slope(*, power: int = 3) -> dict[str, Obligation]:
    """Return the derivative of the ratio along the root, and that its numerator changes the sign with 1 / x for x."""
    root = first
    numerator = theory.hellinger_slope(root)
    slope = 2 * numerator / (root - 1) ** power
    return {
        "slope": Identity(sp.diff(theory.hellinger_ratio(root), root), slope, (sp.Ne(root, 1),)),
        "below one": Identity(theory.hellinger_slope(1 / root), -numerator / root**2),
    }


def ratio_sign(*, factor: sp.Expr = TWO) -> RealInequality:
    """Return that the numerator of the slope is not negative from one on."""
    numerator = theory.hellinger_slope(first, factor=factor)
    return RealInequality(sp.Ge(numerator, 0, evaluate=False), ((first, 1, sp.oo),))


DISTANCE_CHECKS = (
    Check(
        "demonstration_regularized.logistic_hellinger",
        Symbolic(),
        logistic_sine,
        (Mutant("opposite", "odds of the opposite sign in the sine", {"sign": -1}),),
        name="sine",
        part=True,
    ),
    Check(
        "demonstration_regularized.logistic_hellinger",
        Interval(),
        logistic_hellinger,
        (Mutant("affinity", "0.99 Hel^2: equality in the limit of close coins", {"factor": R(99, 100)}),),
        name="chord",
        part=True,
    ),
    Check(
        "demonstration_regularized.logistic_hellinger",
        Balls(COMPARED),
        logistic_points,
        (
            Mutant("half", "1 / (2 zeta): false at H = x = 3, y = 2.99", {"constant": Fraction(2)}),
            Mutant("constant", "1.01 / (4 zeta): the limit for close x, y at H", {"constant": Fraction(101, 100)}),
        ),
        name="points",
    ),
    Check(
        "demonstration_regularized.hellinger_ratio",
        Symbolic(),
        ratio_slope,
        (Mutant("power", "(x - 1)^2 in the denominator of the slope", {"power": 2}),),
        name="slope",
        part=True,
    ),
    Check(
        "demonstration_regularized.hellinger_ratio",
        Interval(),
        ratio_sign,
        (Mutant("steeper", "2.02 x log x: the first terms cancel at x = 1", {"factor": R(202, 100)}),),
        name="sign",
        part=True,
    ),
)


# Classes of policies and features


def softmax_class(*, mass: sp.Expr = HALF, log: sp.Expr = TWO) -> dict[str, Obligation]:
    """Return the bounds on the slopes, in units of |w - w'|; the logits move by ``own`` and by a mean of ``others``.

    With both signs changed these are the bounds from below.
    """
    chance = sp.Symbol("p", nonnegative=True)
    own, others = sp.symbols("own others", real=True)
    small = (sp.Le(chance, 1), *(sp.Le(move, 1) for move in (own, -own, others, -others)))
    slope = theory.softmax_slope(chance, own, others)
    return {
        "mass": Inequality(slope, mass, small),
        "logarithm": Inequality(sp.expand(sp.cancel(slope / chance)), log, small),
    }


FEATURE, TRANSPOSED, TOP, BOTTOM = operators("psi psi' x y")
FEATURE_SHAPES = {FEATURE: ("d", "1"), TRANSPOSED: ("1", "d"), TOP: ("d", "m"), BOTTOM: ("1", "m")}


def determinant_lemma(*, width: sp.Expr = ONE) -> dict[str, Obligation]:
    """Return det(I + psi psi') = 1 + psi' psi by elimination: three block maps in turn, applied to (x, y).

    (x, y) -> (x, y - psi' x) and (x, y) -> (x, y + psi' x) have determinant one, between them
    (x, y) -> (x + psi psi' x + psi y, y) has that of I + psi psi'. Together they are
    (x, y) -> (x + psi y, (1 + psi' psi) y). With psi = Lambda^(-1/2) phi one update of Lambda multiplies its
    determinant by 1 + u, and the trace bounds the product: the mean of the eigenvalues is at most alpha + T / d.
    """
    left = BOTTOM - TRANSPOSED * TOP
    upper = TOP + FEATURE * TRANSPOSED * TOP + FEATURE * left
    lower = left + TRANSPOSED * upper
    return {
        "upper": OperatorIdentity(sp.expand(upper), TOP + FEATURE * BOTTOM, FEATURE_SHAPES),
        "lower": OperatorIdentity(sp.expand(lower), BOTTOM + width * TRANSPOSED * FEATURE * BOTTOM, FEATURE_SHAPES),
    }


PLAYED: Instances = {
    "basis of order 3, ridge 1.001": partial(
        elliptical_potential.Features, tuple(elliptical_potential.basis(3, i) for i in range(3)), Fraction(1001, 1000)
    ),
    **{name: elliptical_potential.FEATURES[name] for name in ("one direction, 15 rounds", "scattered, order 6")},
}


def elliptical_sum(case: elliptical_potential.Features, **changes: Any) -> BallComparison:
    """Return the clipped widths of a sequence, summed exactly, against the bound."""
    widths = (
        elliptical_potential.form(matrix.inv(), phi) for matrix, phi in zip(case.matrices(), case.vectors, strict=False)
    )
    total = sum((min(Fraction(1), width) for width in widths), Fraction(0))
    bound = theory.dimension_bound(len(case.vectors), R(case.ridge), dimension=case.dimension, **changes)
    return BallComparison(ball(total), number(bound))


CLASS_CHECKS = (
    Check(
        "demonstration_regularized.softmax_class",
        Polynomial(squares=False),
        softmax_class,
        (
            Mutant("mass", "0.49 instead of 1/2: false at p = 1/2 for opposite features", {"mass": R(49, 100)}),
            Mutant("logarithm", "1.98 instead of 2: false for a rare action", {"log": R(198, 100)}),
        ),
    ),
    Check(
        "demonstration_regularized.elliptical_dimension",
        Symbolic(),
        determinant_lemma,
        (Mutant("width", "1 + 0.99 psi' psi", {"width": R(99, 100)}),),
        name="determinant",
        part=True,
    ),
    Check(
        "demonstration_regularized.elliptical_dimension",
        Balls(PLAYED),
        elliptical_sum,
        (Mutant("constant", "1.44 instead of 1 / log 2 = 1.4427: the vectors of a basis", {"constant": R(144, 100)}),),
        name="sums",
    ),
)


# Visits


def expected_counts(*, constant: sp.Expr = sp.Integer(4), half: sp.Expr = HALF) -> dict[str, Obligation]:
    """Return min(1, b / N) max(1, m) <= 4 B for N visits, m expected ones, b = beta(N), B = beta(m), three cases.

    Where 4 B >= m there is nothing to show, as the minimum is at most one; otherwise N is positive.
    """
    offset, small, large = sp.symbols("c b B", positive=True)
    expected, visits = sp.symbols("m N", positive=True)
    beta = (sp.Ge(large, offset), sp.Ge(large, R(1, 4)))
    many = (*beta, sp.Ge(expected, 1), sp.Ge(expected, constant * large), sp.Ge(visits, half * expected - offset))
    claim = (small * expected, constant * large * visits)
    return {
        "few expected": Inequality(ONE, constant * large, beta),
        "fewer than expected": Inequality(*claim, (*many, sp.Le(visits, expected), sp.Le(small, large))),
        "more than expected": Inequality(
            *claim, (*many, sp.Ge(visits, expected), sp.Le(small * expected, large * visits))
        ),
    }


def real(relation: Callable[..., Any], *where: tuple[Any, ...], hints: tuple[Hint, ...] = ()) -> Callable[..., Any]:
    """Return the statement of a step of an induction, whose constants a mutant may change."""

    def step(**constants: Any) -> RealInequality:
        return RealInequality(relation(**constants), where, hints)

    return step


def step_check(claim: str, name: str, statement: Callable[..., Any], *mutants: Mutant) -> Check:
    """Return the check of one step of an induction; all steps are needed."""
    return Check(f"demonstration_regularized.{claim}", Interval(), statement, mutants, name=name, part=True)


def best(value: sp.Rational, why: str) -> Mutant:
    """Return a mutant with a smaller constant."""
    return Mutant(f"constant {value}", why, {"constant": value})


TWO_VISITS = best(R(182, 100), "2 / log 3 = 1.8205 is attained by u = (1, 1)")

VISITS: Instances = {
    "less than one": partial(tuple, (Fraction(1, 3), Fraction(1, 4))),
    "two whole visits": partial(tuple, (Fraction(1),) * 2),
    "halves": partial(tuple, (Fraction(1, 2),) * 30),
    "many, after a small one": partial(tuple, (Fraction(1, 5), *(Fraction(1),) * 40)),
}
MANY_VISITS: Instances = {**VISITS, "3000 whole visits": partial(tuple, (Fraction(1),) * 3000)}


def visit_sums(visits: tuple[Fraction, ...], *, constant: sp.Expr | None = None, root: bool = False) -> BallComparison:
    """Return the sum of u_t / max(1, U_{t-1}), or of that with roots, against the bound of the claim."""
    paid, total = arb(0), Fraction(0)
    for visit in visits:
        earlier = ball(max(Fraction(1), total))
        paid += ball(visit) / (earlier.sqrt() if root else earlier)
        total += visit
    bound = theory.root_bound if root else theory.visits_bound
    return BallComparison(paid, number(bound(R(total)) if constant is None else bound(R(total), constant=constant)))


VISIT_CHECKS = (
    step_check("fractional_visits", "least", real(theory.visits_least, (U, 1, 2)), TWO_VISITS),
    step_check("fractional_visits", "crossing", real(theory.visits_crossing, (s, *UNIT)), TWO_VISITS),
    step_check(
        "fractional_visits",
        "after",
        real(theory.visits_after, (s, 0, THIRD)),
        best(R(173, 100), "1.738 is the least constant of this step, at U = 2"),
    ),
    step_check(
        "fractional_visits_root",
        "start",
        real(theory.root_start, (s, 0, R(13, 25))),
        best(R(193, 100), "1.934 is the least constant of this step, at its end"),
    ),
    step_check(
        "fractional_visits_root",
        "step",
        real(theory.root_step, (s, 0, HALF), (u, *UNIT), hints=(Taylor(u, 1, 1, base=(Taylor(s, 0, 2),)),)),
        best(R(199, 100), "the ratio tends to one for many whole visits"),
    ),
    step_check(
        "fractional_visits_root",
        "end",
        real(theory.root_end, (s, 0, HALF), hints=(Terms((2 - 2 * sp.sqrt(1 - s), (2 - sp.sqrt(2)) * sp.sqrt(s))),)),
        best(R(141, 100), "below sqrt(2) it fails for large U"),
    ),
    Check(
        "demonstration_regularized.fractional_visits",
        Balls(VISITS),
        visit_sums,
        (TWO_VISITS, best(R(3, 2), "1.5 log(1 + U): false for u = (1, 1)")),
        name="sums",
    ),
    Check(
        "demonstration_regularized.fractional_visits_root",
        Balls(MANY_VISITS),
        partial(visit_sums, root=True),
        (best(R(199, 100), "the ratio tends to 2 for whole visits"),),
        name="sums",
    ),
)

COUNT_CHECKS = (
    Check(
        "demonstration_regularized.expected_counts",
        Polynomial(squares=False),
        expected_counts,
        (
            Mutant("constant", "3.99 instead of 4", {"constant": R(399, 100)}),
            Mutant("half", "0.49 of the expected visits: fewer visits than the constant allows", {"half": R(49, 100)}),
        ),
    ),
    *VISIT_CHECKS,
)

CHECKS = (*GAP_CHECKS, *DISTANCE_CHECKS, *CLASS_CHECKS, *COUNT_CHECKS)
