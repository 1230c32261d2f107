r"""Checks of changes of measure: what a bound on the divergence of two laws says about means.

A change of measure is Gibbs' principle with a multiple eta of the function, one bound on an exponential moment (both in
the library), and the best eta: the last step is what is proved here, for all means, variances and divergences. Beside
each proof the claim itself is evaluated in ball arithmetic, on events where it is nearly attained.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import sympy as sp
from flint import arb

from proofs_check.engine import Check, Mutant
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.enclosures import number
from proofs_check.methods.polynomial import Polynomial
from proofs_check.methods.symbolic import Inequality, Obligation, Symbolic
from proofs_check.papers import divergences
from proofs_check.papers.regularised_values import ball
from theory.lemmas.divergences import round_trip_constant

R = sp.Rational
ONE, TWO, HALF, THIRD = sp.Integer(1), sp.Integer(2), R(1, 2), R(1, 3)
Instances = Mapping[str, Callable[[], Any]]


def span_scale(*, half: sp.Expr = HALF) -> dict[str, Obligation]:
    """Return gap^2 <= span^2 KL / 2 for gap = |p f - q f|, from KL >= eta gap - eta^2 span^2 / 8 at the best eta."""
    gap, span, entropy = sp.symbols("gap span entropy", positive=True)
    eta = 4 * gap / span**2
    known = sp.Ge(entropy, sp.expand(eta * gap - eta**2 * span**2 / 8))
    return {"best scale": Inequality(gap**2, half * span**2 * entropy, (known,))}


def variance_scale(*, linear: sp.Expr = THIRD, square: sp.Expr = TWO) -> dict[str, Obligation]:
    """Return the bound on p u from KL >= eta p u - eta^2 V / (2 (1 - eta b / 3)) at the best eta.

    In roots: KL = d^2, V = v^2, and eta = w / (1 + w b / 3) with w = sqrt(2) d / v, so that eta b < 3.
    """
    deviation, spread, largest = sp.symbols("d v b", positive=True)
    scale = sp.sqrt(2) * deviation / spread
    eta = scale / (1 + scale * largest / 3)
    bound = deviation**2 / eta + eta * spread**2 / (2 * (1 - eta * largest / 3))
    claimed = sp.sqrt(square) * spread * deviation + linear * largest * deviation**2
    return {
        "scale": Inequality(sp.S.Zero, 1 - eta * largest / 3, relation="<"),
        "bound": Inequality(bound, claimed),
    }


def true_mean(*, stretch: sp.Expr = ONE) -> dict[str, Obligation]:
    """Return q f <= (r + w)^2 for f <= M = 1, with q f = m^2, x = 2 r^2, p f = w^2 - r^2; a mutant takes less than x.

    Known is x >= eta (q f - p f) - eta^2 q f / 2; the best eta is (q f - p f) / q f, if this is positive. Then 2 m r is
    at least q f - p f.
    """
    mean, radius = sp.symbols("m r", positive=True)
    reach = sp.Symbol("w", nonnegative=True)
    gap = sp.Symbol("gap", nonnegative=True)
    eta = gap / mean**2
    excess = mean**2 - reach**2 + radius**2
    return {
        "best scale": Inequality(gap**2 / (2 * mean**2), eta * gap - eta**2 * mean**2 / 2),
        "root": Inequality(mean, radius + reach, (sp.Le(excess, 2 * stretch * mean * radius), sp.Ge(reach, radius))),
    }


def empirical_mean(*, linear: sp.Expr = THIRD, second_moment: sp.Expr = ONE) -> dict[str, Obligation]:
    """Return p f <= q f + sqrt(2 M x q f) + M x / 3 by the change of measure for u = f - q f, in two steps.

    The variance is at most M q f, as f^2 <= M f, and u <= M: so the two roots are in this order.
    """
    mean, largest, moment, entropy = sp.symbols("m M moment x", nonnegative=True)
    narrow, wide = sp.symbols("narrow wide", nonnegative=True)
    return {
        "variance": Inequality(
            moment - mean**2, second_moment * largest * mean, (sp.Le(moment, largest * mean), sp.Le(mean, largest))
        ),
        "sum": Inequality(
            narrow + (largest - mean) * entropy / 3,
            wide + linear * largest * entropy,
            (sp.Le(narrow, wide), sp.Le(mean, largest)),
        ),
    }


def round_trip_bound(*, factor: sp.Expr = ONE) -> dict[str, Obligation]:
    """Return the scalar form for radii below one, and c_H >= 1 for the others."""
    excess = sp.Symbol("H_minus_2", nonnegative=True)
    small = divergences.round_trip_scalar(factor=factor)
    return {**small, "large radius": Inequality(ONE, factor * round_trip_constant(excess + 2))}


# The claims themselves


@dataclass(frozen=True)
class RareEvent:
    """Two laws under which an event has the probabilities p and q, and its indicator as the function."""

    p: Fraction
    q: Fraction

    def divergence(self) -> Any:
        """Return a ball of KL(p | q)."""
        pairs = ((self.p, self.q), (1 - self.p, 1 - self.q))
        return sum((ball(p) * ball(p / q).log() for p, q in pairs if p), arb(0))


def events(**ratios: str) -> Instances:
    """Return events that have a small probability q, and this times the ratio under p; besides some that are not rare.

    Both sides of the bounds by means and variances approach one another for rare events and ratios near one.
    """
    rare = Fraction(1, 10**9)
    near = {f"rare, {name}": partial(RareEvent, rare * Fraction(ratio), rare) for name, ratio in ratios.items()}
    coins = {"half of a coin": ("1/4", "1/2"), "never": ("0", "1/3"), "always": ("1", "1/10")}
    return near | {name: partial(RareEvent, Fraction(p), Fraction(q)) for name, (p, q) in coins.items()}


def span_points(case: RareEvent, *, half: Fraction = Fraction(1, 2)) -> BallComparison:
    """Return the difference of the means against the span times the root of half of the divergence."""
    return BallComparison(ball(abs(case.p - case.q)), (ball(half) * case.divergence()).sqrt())


def variance_points(
    case: RareEvent, *, linear: Fraction = Fraction(1, 3), square: Fraction = Fraction(2)
) -> BallComparison:
    """Return the mean of u = f - q f against its bound."""
    x, spread = case.divergence(), ball(case.q * (1 - case.q))
    return BallComparison(ball(case.p - case.q), (ball(square) * spread * x).sqrt() + ball(linear * (1 - case.q)) * x)


def inverted(x: Any, mean: Any) -> Any:
    """Return (sqrt(x / 2) + sqrt(x / 2 + mean))^2."""
    return ((x / 2).sqrt() + (x / 2 + mean).sqrt()) ** 2


def mean_points(
    case: RareEvent, *, linear: Fraction = Fraction(1, 3), radius: Fraction = Fraction(1)
) -> Iterator[BallComparison]:
    """Return both means against their bounds by the other one."""
    x, p, q = case.divergence(), ball(case.p), ball(case.q)
    yield BallComparison(q, inverted(ball(radius) * x, p), where="true mean")
    yield BallComparison(p, q + (2 * x * q).sqrt() + ball(linear) * x, where="empirical mean")


def round_trip_points(case: RareEvent, *, factor: Fraction = Fraction(1), horizon: int = 50) -> BallComparison:
    """Return the inverted radius against the true mean and the radius, which is the divergence."""
    x = case.divergence()
    bound = ball((1 + Fraction(1, horizon)) ** 2 * case.q)
    bound += ball(factor) * number(round_trip_constant(sp.Integer(horizon))) * arb.min(x, arb(1))
    return BallComparison(arb.min(arb(1), inverted(x, ball(case.p))), bound)


MEASURE_CHECKS = (
    Check(
        "demonstration_regularized.span_change_of_measure",
        Polynomial(squares=False),
        span_scale,
        (Mutant("half", "0.49 instead of 1/2", {"half": R(49, 100)}),),
        name="best scale",
        part=True,
    ),
    Check(
        "demonstration_regularized.span_change_of_measure",
        Balls({"nearly fair coins": partial(RareEvent, Fraction(501, 1000), Fraction(1, 2)), **events()}),
        span_points,
        (Mutant("half", "0.4999 instead of 1/2: the limit at a fair coin", {"half": Fraction(4999, 10000)}),),
        name="events",
    ),
    Check(
        "demonstration_regularized.variance_change_of_measure",
        Symbolic(),
        variance_scale,
        (
            Mutant("linear", "0.33 instead of 1/3", {"linear": R(33, 100)}),
            Mutant("square", "1.99 instead of 2 under the root", {"square": R(199, 100)}),
        ),
        name="best scale",
        part=True,
    ),
    Check(
        "demonstration_regularized.variance_change_of_measure",
        Balls(events(more="101/100", less="99/100")),
        variance_points,
        (
            Mutant("linear", "0.33 instead of 1/3: the limit for rare events", {"linear": Fraction(33, 100)}),
            Mutant("square", "1.999 instead of 2 under the root", {"square": Fraction(1999, 1000)}),
        ),
        name="events",
    ),
    Check(
        "demonstration_regularized.true_mean_bound",
        Polynomial(squares=False),
        true_mean,
        (Mutant("stretch", "x / 1.01 instead of x: 1.005 in the roots", {"stretch": R(1005, 1000)}),),
        name="true mean",
        part=True,
    ),
    Check(
        "demonstration_regularized.true_mean_bound",
        Polynomial(squares=False),
        empirical_mean,
        (
            Mutant("linear", "0.33 instead of 1/3", {"linear": R(33, 100)}),
            Mutant("variance", "Var f <= 0.99 M q f: false for rare events", {"second_moment": R(99, 100)}),
        ),
        name="empirical mean",
        part=True,
    ),
    Check(
        "demonstration_regularized.true_mean_bound",
        Balls(events(more="101/100", less="999/1000")),
        mean_points,
        (
            Mutant("linear", "0.33 instead of 1/3: the limit for rare events", {"linear": Fraction(33, 100)}),
            Mutant("radius", "x / 1.001 instead of x: the limit for rare events", {"radius": Fraction(1000, 1001)}),
        ),
        name="events",
    ),
    Check(
        "demonstration_regularized.round_trip_bound",
        Polynomial(squares=False),
        round_trip_bound,
        (Mutant("factor", "0.99 c_H: the ratio tends to one for long horizons", {"factor": R(99, 100)}),),
        name="scalar form",
        part=True,
    ),
    Check(
        "demonstration_regularized.round_trip_bound",
        Balls(events(more="26/25")),
        round_trip_points,
        (Mutant("factor", "0.99 c_H: the ratio tends to one for long horizons", {"factor": Fraction(99, 100)}),),
        name="events",
    ),
)

CHECKS = MEASURE_CHECKS
