r"""Checks of what smoothing the counts of demonstrations costs.

Statements about laws of any size are proved through one action at a time: what the sum over actions adds up to is said
where the terms are returned. Beside each proof the claim itself is evaluated in ball arithmetic, on laws and counts
where it is nearly attained.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import comb
from typing import Any

import sympy as sp
from flint import arb

from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.base import Tier
from proofs_check.methods.enclosures import compile_program, number
from proofs_check.methods.exact import Exact
from proofs_check.methods.interval import Inequality as RealInequality
from proofs_check.methods.interval import Interval, Slope, Terms
from proofs_check.methods.symbolic import Identity, Obligation, Symbolic
from proofs_check.papers.concentration import compositions
from proofs_check.papers.regularised_values import ball
from theory import demonstration_regularized_lemmas as theory
from theory.demonstration_regularized_lemmas import ell, k, mu, z
from theory.symbols import A, n

R = sp.Rational
ONE = sp.Integer(1)
POSITIVE = sp.Interval.open(0, sp.oo)
Law = tuple[Fraction, ...]
Instances = Mapping[str, Callable[[], Any]]


# The psi inequality


def psi_below(*, offset: sp.Expr = ONE, weight: Callable[[Any], Any] = theory.one) -> RealInequality:
    """Return the inequality for mu <= k; the slack is (k + mu) log(k / mu) - 2 (k - mu) + mu log(1 + 1 / k)."""
    small = sp.exp(-ell)
    terms = (k * ((1 + small) * ell - 2 * (1 - small)), k * small * sp.log(1 + 1 / k))
    where = ((k, POSITIVE), (ell, 0, sp.oo))
    return RealInequality(theory.psi_below(offset=offset, weight=weight), where, (Terms(terms),))


def psi_above(*, offset: sp.Expr = ONE) -> tuple[RealInequality, ...]:
    """Return the inequality for mu >= k > 0, and for k = 0.

    With y = z exp(l) / (1 + l) the slack is (1 + l) (y - 1 - log y) + exp(l) - 1 - (1 + l) log(1 + l).
    """
    ratio = sp.exp(ell)
    gibbs = ratio * z - (1 + ell) - (1 + ell) * (ell + sp.log(z) - sp.log(1 + ell))
    terms = (gibbs, ratio - 1 - (1 + ell) * sp.log(1 + ell))
    curve = Slope(z, (1 + ell) * sp.exp(-ell), ratio / z)
    where = ((z, POSITIVE), (ell, 0, sp.oo))
    return (
        RealInequality(theory.psi_above(offset=offset), where, (Terms(terms, then=(curve,)),)),
        RealInequality(theory.psi_unvisited(offset=offset), ((mu, POSITIVE),)),
    )


PSI_POINTS: Instances = {
    name: partial(tuple, (Fraction(count), Fraction(mean)))
    for name, count, mean in (
        ("nothing seen or expected", "1/1000000", "1/1000000"),
        ("less than expected", "27/200", "51/5000"),
        ("never seen, often expected", "0", "100000000"),
        ("never seen, expected beyond measure", "0", f"{10**60}"),
        ("equal", "7", "7"),
        ("one more", "4", "5"),
        ("many, D = 1.03", "1000000", "1001436"),
        ("many, D = e", "1000000", "1002333"),
        ("many, half", "1000000", "500000"),
        ("one, thousand expected", "1", "1000"),
    )
}
"""Counts and their expectations; both sides meet at the first, where they are one, and in the limit of the fourth."""


def psi_points(point: tuple[Fraction, Fraction], **changes: Any) -> BallComparison:
    """Return both sides of the inequality as it is claimed."""
    count, mean = point
    relation = theory.psi_inequality(R(count), R(mean), **changes)
    return BallComparison(number(relation.lhs), number(relation.rhs))


def psi_figure(tier: Tier) -> Json:
    """Return how much of the right side of the inequality is used, for a few counts."""
    del tier
    sides = theory.psi_inequality()
    ratio = sp.lambdify((k, mu), sides.lhs / sides.rhs, "math")
    grid = [10.0 ** (step / 8) for step in range(-24, 49)]
    curves: list[Json] = []
    for count in (1, 10, 100, 10_000):
        means = [x * (count + 1) for x in grid]
        curves.append({"label": f"k = {count}", "x": grid, "y": [ratio(count, mean) for mean in means]})
    nothing = sp.lambdify(mu, theory.psi_inequality(sp.S.Zero, mu).lhs / theory.psi_inequality(sp.S.Zero, mu).rhs)
    curves.append({"label": "k = 0", "x": grid, "y": [float(nothing(mean)) for mean in grid]})
    return {
        "kind": "curves",
        "title": "A smoothed count against its expectation",
        "xlabel": "mu / (k + 1)",
        "ylabel": "left side / right side",
        "xscale": "log",
        "yscale": "linear",
        "caption": "The bound is attained where nothing is seen or expected, and in the limit where much is missing.",
        "curves": curves,
    }


def softer(total: Any) -> Any:
    """Return log(1 + total), smaller than the true factor for small totals."""
    return sp.log(1 + total)


NO_OFFSET = Mutant("no_offset", "without the one: false where nothing is seen or expected", {"offset": sp.S.Zero})
OFFSET = Mutant("offset", "0.99 instead of the one, which is attained in the limit k, mu -> 0", {"offset": R(99, 100)})
FACTOR = Mutant("factor", "0.99 D max(1, log D) + 1: false for k = 0 once log mu > 100", {"factor": R(99, 100)})

PSI_CHECKS = (
    Check(
        "demonstration_regularized.psi_inequality",
        Interval(),
        psi_below,
        (OFFSET, Mutant("softer", "log(1 + D) instead of max(1, log D)", {"weight": softer})),
        name="below",
        part=True,
    ),
    Check(
        "demonstration_regularized.psi_inequality",
        Interval(),
        psi_above,
        (OFFSET,),
        name="above",
        part=True,
    ),
    Check(
        "demonstration_regularized.psi_inequality",
        Balls(PSI_POINTS),
        psi_points,
        (
            OFFSET,
            NO_OFFSET,
            Mutant("softer", "D log(1 + D) + 1: false at k = 0.135, mu = 0.0102", {"weight": softer}),
            Mutant("no_logarithm", "D + 1: false for k = 0 and a large mu", {"weight": theory.one}),
            FACTOR,
        ),
        name="points",
        figure=psi_figure,
    ),
)


# Laplace's estimate


@dataclass(frozen=True)
class Counted:
    """Counts of a sample and the law that it is from; the empirical law need not be close to it."""

    counts: tuple[int, ...]
    law: Law


def counted_cases() -> Instances:
    """Return all counts of small samples from a few laws, and samples at which the bound is close."""
    laws = {
        "fair": (Fraction(1, 2), Fraction(1, 2)),
        "rare": (Fraction(1, 1000), Fraction(999, 1000)),
        "three": (Fraction(1, 10), Fraction(3, 10), Fraction(3, 5)),
    }
    small = {
        f"{name} {counts}": partial(Counted, counts, law)
        for name, law in laws.items()
        for size in (1, 2, 4)
        for counts in compositions(size, len(law))
    }
    tiny = Fraction(1, 10**12)
    special = {
        "one action of three, always": Counted((10**4, 0, 0), (1 - 2 * tiny, tiny, tiny)),
        "one action of three, a point mass": Counted((10**4, 0, 0), (Fraction(1), Fraction(0), Fraction(0))),
        "the other action": Counted((0, 10**4), (Fraction(1, 2), Fraction(1, 2))),
        "never the likely one": Counted((0, 10**8), (1 - Fraction(1, 10**3), Fraction(1, 10**3))),
    }
    return small | {name: partial(Counted, case.counts, case.law) for name, case in special.items()}


def smoothing_terms(*, pseudo: sp.Expr = ONE) -> dict[str, Obligation]:
    """Return the terms of one action in both divergences, with mean m = n p.

    Summed over actions, m - k - 1 is - A and k - m is zero, and n log(1 + A / n) <= A: so n KL(p | estimate) is at
    most the sum of D(m, k + 1), and n KL(empirical | p) = U is the sum of D(k, m). By the psi inequality, and D <= U in
    every action, the first sum is at most U max(1, log U) + A.
    """
    law = theory.p
    mean = n * law
    estimate = mean * (sp.log(law) + sp.log(n + pseudo * A) - sp.log(k + pseudo))
    growth = mean * (sp.log(n + A) - sp.log(n))
    return {
        "estimate": Identity(estimate, sp.expand_log(theory.divergence(mean, k + 1)) + mean - k - 1 + growth),
        "empirical law": Identity(
            k * (sp.log(k) - sp.log(n) - sp.log(law)), sp.expand_log(theory.divergence(k, mean)) + k - mean
        ),
    }


def smoothing_link(case: Counted, **changes: Any) -> BallComparison:
    """Return n KL(p | estimate) against the bound of the claim at U = n KL(empirical law | p)."""
    size, n_actions = sum(case.counts), len(case.counts)
    pairs = list(zip(case.counts, case.law, strict=True))
    left = sum((size * ball(q) * ball(q * (size + n_actions) / (c + 1)).log() for c, q in pairs if q), arb(0))
    total = sum((c * ball(Fraction(c, size) / q).log() for c, q in pairs if c), arb(0))
    bound = compile_program([theory.smoothing_bound(n_actions=n_actions, **changes)], (theory.U,), "arb")
    return BallComparison(left, bound(total)[0])


def binomial_terms(*, more: sp.Expr = ONE) -> dict[str, Obligation]:
    """Return the term of K = j in (n + 1) p E 1 / (K + 1) against that of j + 1 in a binomial law of n + 1 trials.

    The latter sum to one less the term of zero, (1 - p)^(n + 1). In terms of the factorials of j, of n - j and of n.
    """
    j, rest, hits, misses, whole = sp.symbols("j rest hits misses whole", positive=True)
    size = j + rest
    ways, further = whole / (hits * misses), (size + 1) * whole / ((j + 1) * hits * misses)
    return {"ways": Identity((size + more) * ways / (j + 1), further)}


def binomial_reciprocal(case: tuple[int, Fraction], *, more: int = 1) -> Comparison:
    """Return the mean of 1 / (K + 1), summed, against the claim."""
    size, mean = case
    left = sum(
        (comb(size, j) * mean**j * (1 - mean) ** (size - j) * Fraction(1, j + 1) for j in range(size + 1)), Fraction(0)
    )
    return Comparison(left, theory.binomial_reciprocal(size, mean, more=more), "==")


BINOMIALS: Instances = {
    f"n={size}, p={mean}": partial(tuple, (size, mean))
    for size in (0, 1, 2, 7, 30)
    for mean in (Fraction(1), Fraction(1, 2), Fraction(1, 97))
}


def laplace_terms(*, less: sp.Expr = ONE) -> dict[str, Obligation]:
    """Return the terms of one action, with r = (n + 1) p / (k + 1) and log r <= r - 1.

    The mean of r is 1 - (1 - p)^(n + 1): so that of p log r is at most - p (1 - p)^(n + 1). The rest is log(1 + x) with
    x = (A - 1) / (n + 1), at most x.
    """
    law = theory.p
    term = law * (sp.log(law) + sp.log(n + A) - sp.log(k + 1))
    log_ratio = sp.log(n + less) + sp.log(law) - sp.log(k + 1)
    return {
        "one action": Identity(term, law * (sp.expand_log(theory.laplace_bound(), force=True) + log_ratio)),
        "simple": Identity(sp.exp(theory.laplace_bound()), 1 + theory.laplace_simple()),
    }


def expected_divergence(law: Law, size: int) -> Any:
    """Return a ball of E KL(p | Laplace's estimate) after ``size`` samples, by the binomial laws of the counts."""
    total = arb(0)
    for mass in law:
        if mass == 0:
            continue
        fewest = size if mass == 1 else 0
        for count in range(fewest, size + 1):
            chance = comb(size, count) * mass**count * (1 - mass) ** (size - count)
            total += ball(mass * chance) * ball(mass * (size + len(law)) / (count + 1)).log()
    return total


def laplace_divergence(
    case: tuple[Law, int], *, factor: Fraction = Fraction(1), simple: Callable[..., Any] = theory.laplace_simple
) -> Iterator[BallComparison]:
    """Return the expectation against the logarithm less the missing masses, the logarithm, and (A - 1) / (n + 1).

    For a point mass the first two are equalities between one number and itself, and are left out.
    """
    law, size = case
    left = expected_divergence(law, size)
    logarithm = ball(factor) * number(theory.laplace_bound(sp.Integer(size), sp.Integer(len(law))))
    if 1 not in law:
        missing = sum((mass * (1 - mass) ** (size + 1) for mass in law), Fraction(0))
        yield BallComparison(left, logarithm - ball(missing), where="less the missing masses")
        yield BallComparison(left, logarithm, where="logarithm")
    yield BallComparison(left, number(simple(sp.Integer(size), sp.Integer(len(law)))), where="simple")


def half_asymptotic(size: Any, n_actions: Any) -> Any:
    """Return (A - 1) / (2 n), the minimax rate of the same risk: too small for a point mass."""
    return (n_actions - 1) / (2 * size)


def nearly_simple(size: Any, n_actions: Any) -> Any:
    """Return 0.99 (A - 1) / (n + 1)."""
    return R(99, 100) * theory.laplace_simple(size, n_actions)


RARE = Fraction(1, 10**9)
EXPECTATIONS: Instances = {
    name: partial(tuple, case)
    for name, case in {
        "point mass of three, n=100": ((Fraction(1), Fraction(0), Fraction(0)), 100),
        "nearly a point mass of three, n=20": ((1 - 2 * RARE, RARE, RARE), 20),
        "fair coin, n=1": ((Fraction(1, 2),) * 2, 1),
        "rare coin, n=30": ((Fraction(1, 30), Fraction(29, 30)), 30),
        "three, n=12": ((Fraction(1, 10), Fraction(3, 10), Fraction(3, 5)), 12),
        "five equal, n=8": ((Fraction(1, 5),) * 5, 8),
        "skewed coin, n=2": ((Fraction(1, 4), Fraction(3, 4)), 2),
    }.items()
}

SMOOTHING_CHECKS = (
    Check(
        "demonstration_regularized.smoothing_link",
        Symbolic(),
        smoothing_terms,
        (Mutant("half_counts", "one half added to every count instead of one", {"pseudo": R(1, 2)}),),
        name="one action",
        part=True,
    ),
    Check(
        "demonstration_regularized.smoothing_link",
        Balls(counted_cases()),
        smoothing_link,
        (
            Mutant("fewer", "A - 1.01 instead of A: A - 1 is approached by a point mass", {"spare": R(101, 100)}),
            Mutant("no_logarithm", "U + A: false if a likely action was never seen", {"weight": theory.one}),
        ),
        name="counts",
    ),
    Check(
        "demonstration_regularized.binomial_reciprocal",
        Symbolic(),
        binomial_terms,
        (Mutant("size", "n p E 1 / (K + 1)", {"more": sp.S.Zero}),),
        name="one term",
        part=True,
    ),
    Check(
        "demonstration_regularized.binomial_reciprocal",
        Exact(BINOMIALS, per_unit=len(BINOMIALS)),
        binomial_reciprocal,
        (Mutant("size", "n + 2 in the place of n + 1", {"more": 2}),),
        name="sums",
    ),
    Check(
        "demonstration_regularized.laplace_divergence",
        Symbolic(),
        laplace_terms,
        (Mutant("size", "n in the place of n + 1", {"less": sp.S.Zero}),),
        name="one action",
        part=True,
    ),
    Check(
        "demonstration_regularized.laplace_divergence",
        Balls(EXPECTATIONS),
        laplace_divergence,
        (
            Mutant("factor", "0.999 times the logarithm: equality for a point mass", {"factor": Fraction(999, 1000)}),
            Mutant("minimax", "(A - 1) / (2 n), what the best estimate has in the limit", {"simple": half_asymptotic}),
            Mutant("simple", "0.99 (A - 1) / (n + 1): the ratio tends to one", {"simple": nearly_simple}),
        ),
        name="enumeration",
    ),
)

CHECKS = (*PSI_CHECKS, *SMOOTHING_CHECKS)
