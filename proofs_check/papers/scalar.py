"""Checks of the scalar inequalities: interval proofs on their whole domains, with mutants a few per cent away."""

from collections.abc import Callable
from typing import Any

import sympy as sp

from proofs_check.engine import Check, Mutant
from proofs_check.methods.interval import Inequality, Interval, Slope, Taylor, Terms
from proofs_check.methods.proof_rules import Hint
from theory.lemmas import scalar
from theory.lemmas.scalar import a, d, e, h, p, q, u, v
from theory.symbols import x

R = sp.Rational
LINE = (-sp.oo, sp.oo)
HALF_LINE = (0, sp.oo)
UNIT = (0, 1)

Where = tuple[tuple[Any, ...], ...]


def statement(relation: Callable[..., Any], where: Where, hints: tuple[Hint, ...] = ()) -> Callable[..., Inequality]:
    """Return the statement of a check: a mutant may change constants of the relation, and its domain."""

    def inequality(*, where: Where = where, **constants: Any) -> Inequality:
        return Inequality(relation(**constants), where, hints)

    return inequality


def check(
    relation: Callable[..., Any], where: Where, *mutants: Mutant, hints: tuple[Hint, ...] = (), claim: str = ""
) -> Check:
    """Return the check of the lemma with the name of its relation."""
    name = claim or relation.__name__
    return Check(f"scalar.{name}", Interval(), statement(relation, where, hints), mutants)


def constant(value: Any, why: str = "the constant is the best one", key: str = "constant") -> Mutant:
    """Return a mutant with another constant."""
    return Mutant(f"{key} {value}", why, {key: value})


def domain(*where: tuple[Any, ...], why: str = "the two sides cross at the end of the domain") -> Mutant:
    """Return a mutant with a larger domain."""
    return Mutant("larger domain", why, {"where": where})


DEVIATION = sp.sqrt(p * (1 - p))
"""Standard deviation of a Bernoulli variable."""

CURVATURE_TERMS = (
    16 * sp.cosh(u + v) ** 2 * (sp.sinh(v) ** 2 - v**2),
    32 * v**2 * sp.cosh(u + v) * sp.sinh(u) * sp.sinh(v),
)
"""The logistic lemma at H = max(|y|, |z|), by cosh(u + v) - cosh(u - v) = 2 sinh(u) sinh(v)."""

CHECKS = (
    check(
        scalar.exp_quadratic,
        ((x, -sp.oo, 1),),
        constant(R(71, 100), "below e - 2 it fails at x = 1"),
        domain((x, -sp.oo, R(9, 5)), why="the two sides cross at 1.7932"),
    ),
    check(
        scalar.exp_negative,
        ((x, *HALF_LINE),),
        constant(R(49, 100), "one half is the second derivative at 0"),
        domain((x, R(-1, 20), sp.oo), why="the third derivative has the wrong sign below 0"),
    ),
    check(
        scalar.exp_unit,
        ((x, -sp.oo, 1),),
        constant(R(99, 100) * (sp.E - 2), "equality at x = 1"),
        domain((x, -sp.oo, R(51, 50)), why="the two sides cross at 1"),
    ),
    check(
        scalar.exp_remainder,
        ((x, -sp.oo, R(179, 100)),),
        constant(R(99, 100), "the crossing moves below 1.79"),
        domain((x, -sp.oo, R(9, 5)), why="the two sides cross at 1.7932"),
    ),
    check(
        scalar.bernstein_mgf,
        ((u, sp.Interval.Ropen(0, 3)),),
        constant(R(31, 10), "three is the ratio of the first Taylor coefficients", "radius"),
    ),
    check(
        scalar.compound,
        ((x, sp.Interval.open(0, sp.oo)),),
        constant(R(99, 100), "the limit at infinity is one"),
    ),
    check(
        scalar.log_lower,
        ((x, sp.Interval.open(-1, sp.oo)),),
        constant(R(101, 100), "the tangent at 0"),
        constant(R(99, 100), "the tangent at 0"),
    ),
    check(
        scalar.log_upper,
        ((x, sp.Interval.open(-1, sp.oo)),),
        constant(R(99, 100), "the tangent at 0"),
        constant(R(101, 100), "the tangent at 0"),
    ),
    check(
        scalar.log_tangent,
        ((x, sp.Interval.open(0, sp.oo)), (a, sp.Interval.open(0, sp.oo))),
        constant(R(101, 100), "equality at a x = 1", "offset"),
        hints=(Slope(x, 1 / a),),
    ),
    check(
        scalar.log_rational,
        ((x, *HALF_LINE),),
        constant(R(202, 100), "the tangent at 0"),
        domain((x, R(-1, 10), sp.oo), why="the first term of the error is of odd order"),
    ),
    check(
        scalar.log_quadratic,
        ((x, *HALF_LINE),),
        constant(R(49, 100), "one half is the second derivative at 0"),
        domain((x, R(-1, 10), sp.oo), why="the first term of the error is of odd order"),
    ),
    check(
        scalar.log_square,
        ((x, R(-1, 2), sp.oo),),
        constant(R(77, 100), "the best constant on this domain is 4 log 2 - 2 = 0.7726"),
        domain((x, R(-7, 10), sp.oo), why="the two sides cross at -0.6838"),
    ),
    check(
        scalar.log_two,
        ((x, *UNIT),),
        constant(R(99, 100), "equality at x = 1"),
        domain((x, 0, R(51, 50)), why="the chord ends at 1"),
    ),
    check(
        scalar.potential,
        ((x, *UNIT),),
        constant(R(144, 100), "the best constant is 1 / log 2 = 1.4427"),
        domain((x, 0, R(26, 10)), why="the two sides cross at 2.5129"),
    ),
    check(
        scalar.entropy_generator,
        ((x, *HALF_LINE),),
        constant(R(99, 100), "equality at x = 1, where the slopes agree"),
        constant(R(101, 100), "equality at x = 1, where the slopes agree"),
    ),
    check(
        scalar.lambert,
        ((x, *HALF_LINE),),
        constant(R(102, 100), "the slope at 0", "scale"),
    ),
    check(
        scalar.lambert_over_e,
        ((x, 1, sp.oo),),
        constant(sp.E, "W multiplied by e inside instead of divided", "scale"),
        constant(R(14, 10), "the best scale is 2 log 2 = 1.3863, with equality at x = 1", "scale"),
    ),
    check(
        scalar.root_step,
        ((x, 1, sp.oo),),
        constant(R(51, 100), "the ratio tends to one"),
    ),
    check(
        scalar.harmonic_step,
        ((x, sp.Interval.open(1, sp.oo)),),
        constant(R(101, 100), "the ratio tends to one"),
    ),
    check(
        scalar.hoeffding_core,
        ((p, *UNIT), (u, *LINE)),
        constant(R(12, 100), "one quarter is the largest variance, reached at p = 1/2"),
        hints=(Taylor(u, 0, 2),),
    ),
    check(
        scalar.bennett_bernstein,
        ((u, *HALF_LINE),),
        constant(R(65, 100), "two thirds matches the third derivative at 0", "scale"),
    ),
    check(
        scalar.bennett_cubic,
        ((u, *HALF_LINE),),
        constant(R(16, 100), "one sixth is the third Taylor coefficient"),
    ),
    check(
        scalar.sub_gamma,
        ((u, *HALF_LINE),),
        constant(R(51, 100), "one half is the second derivative at 0"),
    ),
    check(
        scalar.absolute_deviation,
        ((p, *UNIT),),
        constant(R(202, 100), "equality at p = 1/2"),
        hints=(Terms((DEVIATION * (1 - 2 * DEVIATION),)),),
    ),
    check(
        scalar.pinsker,
        ((p, *UNIT), (q, *UNIT)),
        constant(R(205, 100), "two is the curvature at p = q = 1/2"),
        hints=(Slope(q, p),),
    ),
    check(
        scalar.reverse_pinsker,
        ((p, *UNIT), (q, *UNIT)),
        constant(R(98, 100), "tight at p = 1, q -> 1"),
        hints=(Slope(q, p, (p * (1 - q) ** 2 + (1 - p) * q**2) / (q**2 * (1 - q) ** 2)),),
    ),
    check(
        scalar.bretagnolle_huber,
        ((p, *UNIT), (q, *UNIT)),
        constant(R(101, 100), "for p = 1 and small q the right side must stay finite"),
        hints=(
            Slope(q, p, ((1 - p) * (1 - q) ** 2 + p * q**2 + p * (1 - p)) / (q * (1 - q) * (1 - p + q) * (1 + p - q))),
        ),
    ),
    check(
        scalar.bretagnolle_huber_root,
        ((u, *UNIT),),
        constant(R(51, 100), "one half is the slope at 0"),
    ),
    check(
        scalar.hellinger_above,
        ((x, 1, sp.oo),),
        constant(R(198, 100), "the limit of the ratio at t = 1 is two"),
    ),
    check(
        scalar.hellinger_below,
        ((x, sp.Interval.Lopen(0, 1)),),
        constant(R(198, 100), "the limit of the ratio at t = 1 is two"),
    ),
    check(
        scalar.barrier_lower,
        ((x, *HALF_LINE),),
        constant(R(130, 100), "four thirds matches the third derivative at 0", "scale"),
    ),
    check(
        scalar.barrier_young,
        ((d, *HALF_LINE), (e, sp.Interval.Ropen(0, 1))),
        constant(R(101, 100), "equality on d = e / (1 - e)"),
        hints=(Slope(d, e / (1 - e)),),
    ),
    check(
        scalar.logistic_curvature,
        ((u, *HALF_LINE), (v, *HALF_LINE), (h, *HALF_LINE)),
        constant(R(102, 100), "equality in the limit v -> 0, h = 0"),
        hints=(Taylor(h, 0, 1, base=(Terms(CURVATURE_TERMS),)),),
    ),
)
