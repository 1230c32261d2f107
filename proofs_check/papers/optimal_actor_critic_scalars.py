"""Checks of potentials and epoch lengths of optimistic actor-critics.

Sums of roots are bounded term by term, by tangents at their mean q: sqrt(u) <= (u / sqrt(q) + sqrt(q)) / 2 sums to
the inequality of Cauchy and Schwarz for any number of terms. What is left are inequalities between a few reals,
proved for all of them; sequences on which the sums are nearly attained kill the mutants.
"""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.base import Sizes
from proofs_check.methods.exact import Exact
from proofs_check.methods.interval import Inequality, Interval, Taylor
from proofs_check.methods.search import Box, Maximiser, Search, Space
from proofs_check.methods.symbolic import Identity, Obligation, Symbolic, telescoping
from proofs_check.methods.symbolic import Inequality as Claimed
from proofs_check.papers.elliptical_potential import Features, form, fraction, unit_vector
from proofs_check.papers.optimal_actor_critic_tracking import ball, bound_ball
from proofs_check.papers.optimal_actor_critic_tracking import one_epoch as epoch_tangent
from theory import optimal_actor_critic_lemmas as theory
from theory.claim import Claim
from theory.lemmas import scalar
from theory.optimal_actor_critic_lemmas import CAP, FIRST, RADIUS
from theory.optimal_actor_critic_parameters import EPOCHS
from theory.symbols import K, T, d, n, x

R = sp.Rational
ONE = Fraction(1)
CLOSE, NEARLY = R(999, 1000), Fraction(99, 100)
HALF, MIDDLE = Fraction(1, 2), R(1, 2)

Counts = tuple[int, ...]
Instance = Mapping[str, Any]

CLAIMS: Mapping[str, Claim] = {claim.id.split(".")[1]: claim for claim in theory.CLAIMS}


# Tangents


def around_one(relation: Callable[[sp.Expr], tuple[sp.Expr, sp.Expr]]) -> dict[str, Obligation]:
    """Return lhs <= rhs for all y >= 0, as y = 1 + g and y = 1 - g: the sides touch at one."""
    g = sp.Symbol("g", nonnegative=True)
    (above, higher), (below, lower) = relation(1 + g), relation(1 - g)
    return {
        "above": Claimed(sp.expand(above), sp.expand(higher)),
        "below": Claimed(sp.expand(below), sp.expand(lower), (g <= 1,)),
    }


def root_tangent(*, factor: sp.Expr = sp.S.One) -> dict[str, Obligation]:
    """Return y <= (1 + y^2) / 2: the tangent of the root at one, for y^2."""
    return around_one(lambda y: (y, factor * (1 + y**2) / 2))


def count_total(*, factor: sp.Expr = sp.S.One) -> dict[str, Obligation]:
    """Return that first visits and the roots of all later ones, K cells of T / K visits each, add up to the bound.

    A cell of n visits costs 2 m sqrt(iota) times the sum of 1 / sqrt(j), at most 2 sqrt(n); roots at most their tangent
    at the mean.
    """
    cells = K * 2 * CAP * sp.sqrt(RADIUS) * 2 * sp.sqrt(T / K)
    return {
        **root_tangent(factor=factor),
        "total": Identity(CAP * K + cells, CLAIMS["count_potential"].explicit_bound.rhs),
    }


def width_total(*, factor: sp.Expr = sp.S.One) -> dict[str, Obligation]:
    """Return that T times the root of the mean squared width, at most doubled by staleness, is the bound.

    Roots are at most their tangent at the mean.
    """
    squares = d * sp.log(1 + T / d) / sp.log(2)
    return {
        **root_tangent(factor=factor),
        "total": Identity(T * sp.sqrt(2 * squares / T), CLAIMS["width_potential"].explicit_bound.rhs, (T >= 1, d >= 1)),
    }


def width_chord(*, constant: sp.Expr = sp.S.One) -> Inequality:
    """Return that a squared width of at most one is at most its logarithm log(1 + width) / log 2.

    The logarithms add up to that of the determinant, at most d log of the mean eigenvalue: log z <= z - 1 for
    eigenvalues z times their mean.
    """
    ends = (Taylor(x, 0, 1, hi=R(2, 5)), Taylor(x, 1, 1, lo=MIDDLE)) if constant == 1 else ()
    return Inequality(scalar.log_two(constant=constant), ((x, 0, 1),), ends)


def width_staleness(*, factor: sp.Expr = sp.S.One) -> Claimed:
    """Return old <= (1 + width) new for the squared norms old and new = old - product^2 / (1 + width) of a vector.

    Cauchy and Schwarz: product^2 = old * width - slack.
    """
    old, width, slack = sp.symbols("old width slack", nonnegative=True)
    new = old - (old * width - slack) / (1 + width)
    return Claimed(old, factor * (1 + width) * new)


def ridge_regression(
    *, half: sp.Expr = MIDDLE, root: sp.Expr = sp.S.One, one: sp.Expr = sp.S.One
) -> dict[str, Obligation]:
    """Return the inequalities: p^2 is the ridge, p + s and p / (1 + s) are singular values, y and y + g the roots."""
    ridge = sp.Symbol("p", positive=True)
    value, s, y, g = sp.symbols("sigma s y g", nonnegative=True)

    def weight(singular: sp.Expr) -> sp.Expr:
        return singular / (singular**2 + ridge**2)

    return {
        "projection": Claimed(value**2, one * value**2 + ridge**2),
        "weights, large": Claimed(weight(ridge + s), half / ridge),
        "weights, small": Claimed(weight(ridge / (1 + s)), half / ridge),
        "roots": Claimed(g**2, root * ((y + g) ** 2 - y**2)),
    }


def epoch_lengths(*, factor: sp.Expr = sp.S.One, log_factor: sp.Expr = sp.S.One) -> dict[str, Obligation]:
    """Return the sum of the tangents over epochs n = z T / N, the derivative along N and its sign for T = (1 + s) N."""
    s = sp.Symbol("s", nonnegative=True)
    claimed = CLAIMS["epoch_lengths"].explicit_bound.rhs
    slope = sp.log(T / EPOCHS)
    return {
        "sum": Identity(EPOCHS * sp.log(T / EPOCHS) + EPOCHS, factor * claimed),
        "derivative": Identity(sp.diff(claimed, EPOCHS), log_factor * slope),
        "sign": Claimed(sp.S.Zero, sp.log(1 + s)),
    }


def midpoint_telescopes(*, half: sp.Expr = MIDDLE) -> Obligation:
    """Return that the steps of the midpoint comparison add up to the bound, from a >= 1 visits on."""
    i = sp.Symbol("i", integer=True, positive=True)
    term = 2 * (sp.sqrt(FIRST + i - half) - sp.sqrt(FIRST + i - 1 - half))
    claimed = CLAIMS["midpoint_sum"].explicit_bound.rhs
    return telescoping(term, i, claimed, n, where=(FIRST >= 1,))


# Counts


def count_steps(*, stale: sp.Expr = sp.Integer(2)) -> Claimed:
    """Return (2 m)^2 iota / (2 n_k) <= (2 m)^2 iota / j for a critic with more than half of the j earlier visits."""
    j, cap, radius = sp.symbols("j m iota", positive=True)
    more = sp.Symbol("more", nonnegative=True)
    known = j / stale + more
    return Claimed(2 * cap**2 * radius / known, 4 * cap**2 * radius / j)


def count_potential(instance: Instance, *, factor: float = 1.0) -> Comparison:
    """Capped bonuses along visits, with counts of the last refresh, against the bound; m = 1."""
    visits, radius = instance["visits"], instance["iota"]
    cells = int(instance["cells"])
    counts, known = [0] * cells, [0] * cells
    total = 0.0
    for cell in visits.tolist():
        if any(now >= max(1, 2 * old) for now, old in zip(counts, known, strict=True)):
            known = list(counts)
        total += min(1.0, 2.0 * float(np.sqrt(radius / (2 * known[cell])))) if known[cell] else 1.0
        counts[cell] += 1
    rounds = len(visits)
    first = CLAIMS["count_potential"].explicit_bound.evaluate(m=1.0, K=cells, iota=0.0, T=rounds)
    whole = CLAIMS["count_potential"].explicit_bound.evaluate(m=1.0, K=cells, iota=radius, T=rounds)
    return Comparison(total, first + factor * (whole - first))


def _visits(draws: Any, iota: float) -> Instance:
    return {"visits": np.minimum((draws * 3).astype(np.int64), 2), "iota": iota, "cells": 3}


def _one_cell(rounds: int) -> Instance:
    return {"visits": np.zeros(rounds, dtype=np.int64), "iota": 0.5, "cells": 1}


# Widths


def width_potential(case: Features, *, potential: Fraction = ONE, stale: Fraction = ONE) -> Iterator[BallComparison]:
    """Squared widths against d log(1 + T/d) / log 2, and widths at the last doubling against the claimed root."""
    d, rounds = case.dimension, len(case.vectors)
    squares, widths = Fraction(0), arb(0)
    last = None
    for matrix, phi in zip(case.matrices(), case.vectors, strict=False):
        if last is None or fraction(matrix.det()) > 2 * fraction(last.det()):
            last = matrix
        squares += form(matrix.inv(), phi)
        widths += ball(form(last.inv(), phi)).sqrt()
    growth = d * (1 + arb(rounds) / d).log() / arb(2).log()
    yield BallComparison(ball(squares), ball(potential) * growth, where="squared widths")
    bound = bound_ball(CLAIMS["width_potential"], d=d, T=rounds)
    yield BallComparison(widths, ball(stale) * bound, where="stale widths")


def _basis(d: int, rounds: int, size: Fraction = Fraction(999, 1000)) -> Features:
    return Features(tuple(tuple(size * (i == t % d) for i in range(d)) for t in range(rounds)))


def _scattered(d: int, rounds: int) -> Features:
    draws = np.random.default_rng(7).integers(-4, 5, size=(rounds, d - 1))
    return Features(tuple(unit_vector(*(int(value) for value in row), scale=3) for row in draws))


SEQUENCES: Mapping[str, Callable[[], Features]] = {
    "basis of order 3": partial(_basis, 3, 3),
    "one direction, two rounds": partial(_basis, 1, 2),
    "one direction, 15 rounds": partial(_basis, 1, 15),
    "scattered, order 2": partial(_scattered, 2, 30),
}


def staleness(case: Features, *, factor: Fraction = ONE) -> Iterator[Comparison]:
    """Squared widths of later features before and after every update."""
    matrices = list(case.matrices())
    for t, (before, after) in enumerate(pairwise(matrices)):
        growth = fraction(after.det()) / fraction(before.det())
        for phi in case.vectors[t :: max(1, len(case.vectors) // 4)]:
            yield Comparison(form(before.inv(), phi), factor * growth * form(after.inv(), phi), where=f"update {t + 1}")


def midpoint_sum(case: tuple[int, int], *, offset: Fraction = HALF) -> BallComparison:
    """Sum of inverse roots from a on against the bound; offset 0 replaces the midpoints by the ends."""
    first, visits = case
    total = sum((1 / arb(m).sqrt() for m in range(first, first + visits)), arb(0))
    claimed = bound_ball(CLAIMS["midpoint_sum"], a=ball(first + HALF - offset), n=visits)
    return BallComparison(total, claimed)


CHECKS = (
    Check(
        "optimal_actor_critic.count_potential",
        Symbolic(),
        count_steps,
        (Mutant("stale", "2.001: the critic may know less than half of the visits", {"stale": R(2001, 1000)}),),
        name="one visit",
        part=True,
    ),
    Check(
        "optimal_actor_critic.count_potential",
        Symbolic(),
        count_total,
        (Mutant("factor", "0.999 of the tangent", {"factor": CLOSE}),),
        name="all cells",
        part=True,
    ),
    Check(
        "optimal_actor_critic.count_potential",
        Search(
            maximise=Maximiser(
                Space(draws=Box(0.0, 1.0, (24,)), iota=Box(0.05, 5.0, log=True)),
                _visits,
                Sizes(2, 32, 128),
                Sizes(100, 2_000),
            ),
            corners={"one cell": partial(_one_cell, 2**11)},
        ),
        count_potential,
        (
            Mutant("factor", "0.83 of the second term: one cell tends to 0.8536 of it", {"factor": 0.83}),
            Mutant("staleness", "1 / sqrt(2) of it, as if counts were fresh", {"factor": 0.7071}),
        ),
    ),
    Check(
        "optimal_actor_critic.width_staleness",
        Symbolic(),
        width_staleness,
        (Mutant("factor", "0.999 of the growth: equality along the update", {"factor": CLOSE}),),
    ),
    Check(
        "optimal_actor_critic.width_staleness",
        Exact({name: SEQUENCES[name] for name in ("basis of order 3", "scattered, order 2")}, per_unit=2),
        staleness,
        (Mutant("factor", "0.999 of the growth", {"factor": Fraction(999, 1000)}),),
    ),
    Check(
        "optimal_actor_critic.width_potential",
        Interval(),
        width_chord,
        (
            Mutant("natural", "1 instead of 1 / log 2", {"constant": sp.log(2)}),
            Mutant("chord", "0.999 / log 2", {"constant": CLOSE}),
        ),
        name="squared widths",
        part=True,
    ),
    Check(
        "optimal_actor_critic.width_potential",
        Symbolic(),
        width_total,
        (Mutant("factor", "0.999 of the tangent", {"factor": CLOSE}),),
        name="stale widths",
        part=True,
    ),
    Check(
        "optimal_actor_critic.width_potential",
        Balls(SEQUENCES),
        width_potential,
        (
            Mutant("potential", "0.99 / log 2: equality for the vectors of a basis", {"potential": NEARLY}),
            Mutant("natural", "1 instead of 1 / log 2", {"potential": Fraction(6931, 10_000)}),
            Mutant("stale", "0.79 of the bound on stale widths", {"stale": Fraction(79, 100)}),
        ),
    ),
    Check(
        "optimal_actor_critic.ridge_regression",
        Symbolic(),
        ridge_regression,
        (
            Mutant("half", "0.499 instead of one half: equality at the root of the ridge", {"half": R(499, 1000)}),
            Mutant("root", "0.999 of the distance: equality where one form vanishes", {"root": CLOSE}),
            Mutant("one", "0.999 of the identity: large singular values", {"one": CLOSE}),
        ),
    ),
    Check(
        "optimal_actor_critic.midpoint_sum",
        Symbolic(),
        midpoint_telescopes,
        (Mutant("half", "differences at thirds", {"half": R(1, 3)}),),
        name="all visits",
    ),
    Check(
        "optimal_actor_critic.midpoint_sum",
        Balls(
            {
                f"{visits} visits from {first} on": partial(tuple, (first, visits))
                for first, visits in ((1, 40), (50, 100))
            }
        ),
        midpoint_sum,
        (
            Mutant("ends", "sqrt(a + n) - sqrt(a), without the halves", {"offset": Fraction(0)}),
            Mutant("offset", "0.498 instead of one half", {"offset": Fraction(498, 1000)}),
        ),
    ),
    Check(
        "optimal_actor_critic.epoch_lengths",
        Interval(),
        epoch_tangent,
        (Mutant("factor", "0.999 z - 1: epochs of equal length", {"factor": CLOSE}),),
        name="one epoch",
        part=True,
    ),
    Check(
        "optimal_actor_critic.epoch_lengths",
        Symbolic(),
        epoch_lengths,
        (
            Mutant("factor", "0.999 of the bound: epochs of equal length", {"factor": CLOSE}),
            Mutant("derivative", "0.999 log(T / N)", {"log_factor": CLOSE}),
        ),
        name="all epochs",
        part=True,
    ),
)
