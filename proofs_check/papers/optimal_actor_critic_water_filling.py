"""Checks of water filling: where visits and updates cost optimistic actor-critics most, after a start from data.

With integer counts and rational eigenvalues the water level is rational, and so is the largest determinant.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import combinations
from typing import Any

import sympy as sp
from flint import arb

from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.exact import Exact
from proofs_check.methods.symbolic import Inequality as Claimed
from proofs_check.methods.symbolic import Obligation, Symbolic
from proofs_check.papers.elliptical_potential import exact, fraction, outer, unit_vector
from proofs_check.papers.optimal_actor_critic_scalars import around_one, root_tangent
from proofs_check.papers.optimal_actor_critic_tracking import ball

ONE, HALF = Fraction(1), Fraction(1, 2)
CLOSE, NEARLY = sp.Rational(999, 1000), Fraction(99, 100)

Counts = tuple[int, ...]


def partition_steps(
    *, known: sp.Expr = sp.S.One, unknown: sp.Expr = sp.S.One, tangent: sp.Expr = sp.S.One
) -> dict[str, Obligation]:
    """Return the steps for a pair with data, which ends at y^2 times its start, and for one without.

    A pair that starts at s gains sqrt(s) (y - 1), at most sqrt(s) (y^2 - 1) / 2 = x / (2 sqrt(s)); and at most sqrt(x),
    for sqrt(1 + p^2) <= 1 + p. These roots are at most their tangents at the mean, with sum sqrt(|X_on| sum of x).
    """
    p = sp.Symbol("p", nonnegative=True)
    return {
        **around_one(lambda y: (y - 1, (y**2 * known - 1) / 2)),
        "unknown": Claimed(1 + p**2, (1 + unknown * p) ** 2),
        **{f"unknown, {side}": root for side, root in root_tangent(factor=tangent).items()},
    }


def water_level(starts: Sequence[Fraction], total: Fraction) -> Fraction:
    """Return nu with sum of (nu - start)_+ equal to a total."""
    ordered = sorted(starts)
    for count in range(1, len(ordered) + 1):
        level = (total + sum(ordered[:count])) / count
        if count == len(ordered) or level <= ordered[count]:
            return level
    raise ValueError("there is nothing to fill")


def filled(starts: Sequence[Fraction], total: Fraction) -> list[Fraction]:
    """Return the amounts (nu - start)_+."""
    level = water_level(starts, total)
    return [max(level - start, Fraction(0)) for start in starts]


def water_steps(*, wet: sp.Expr = sp.S.One, level: sp.Expr = sp.S.One) -> dict[str, Obligation]:
    """Return that no amount x gains more, less x / 2, than the water-filled one; roots in units of the level's.

    A pair goes from r^2 to y^2 = r^2 + x and gains y - r. A wet one is best at y = 1, a dry one, r >= 1, at y = r:
    its gain is below the tangent x / (2 r). The sum of all x is the same, so that x / 2 cancels.
    """
    above, more = sp.symbols("p q", nonnegative=True)
    r = level + above
    end = r + more
    return {
        **around_one(lambda y: (y - y**2 / 2, wet / 2)),
        "dry, tangent": Claimed(more, sp.expand(end**2 - r**2) / (2 * r)),
        "dry, slope": Claimed(1 / r, sp.S.One),
    }


@dataclass(frozen=True)
class Pairs:
    """Visits of the pairs before the start, at least one each, and the visits that are still to come."""

    visits: Counts
    total: int

    @property
    def starts(self) -> list[Fraction]:
        """Visits less one half."""
        return [Fraction(a) - HALF for a in self.visits]

    def gain(self, amounts: Sequence[Fraction]) -> Any:
        """Return the sum of sqrt(a + x - 1/2) - sqrt(a - 1/2)."""
        terms = (ball(s + amount).sqrt() - ball(s).sqrt() for s, amount in zip(self.starts, amounts, strict=True))
        return sum(terms, arb(0))

    def rivals(self) -> Iterator[tuple[str, list[Fraction]]]:
        """Yield other amounts of the same sum."""
        best = filled(self.starts, Fraction(self.total))
        size = len(best)
        yield "equal parts", [Fraction(self.total, size)] * size
        for i, j in combinations(range(size), 2):
            for giver, taker in ((i, j), (j, i)):
                moved = list(best)
                step = min(best[giver], Fraction(1, 10))
                if step:
                    moved[giver], moved[taker] = moved[giver] - step, moved[taker] + step
                    yield f"{step} from {giver} to {taker}", moved


def water_filling_counts(
    case: Pairs, *, factor: Fraction = ONE, proportional: bool = False
) -> Iterator[BallComparison]:
    """Gains of other amounts against the water-filled one; proportional: claimed to be best in proportion to 1 / a."""
    best = filled(case.starts, Fraction(case.total))
    if proportional:
        weights = [1 / s for s in case.starts]
        best = [case.total * w / sum(weights) for w in weights]
    for name, amounts in case.rivals():
        if amounts != best:
            yield BallComparison(case.gain(amounts), ball(factor) * case.gain(best), where=name)


def water_filling_partition(case: Pairs, *, known: Fraction = ONE, unknown: Fraction = ONE) -> Iterator[BallComparison]:
    """The water-filled gain against the bound of every partition."""
    gain = case.gain(filled(case.starts, Fraction(case.total)))
    size = len(case.visits)
    for count in range(size + 1):
        for offline in combinations(range(size), count):
            bound = ball(unknown) * arb((size - count) * case.total).sqrt()
            if offline:
                least = min(case.starts[i] for i in offline)
                bound += ball(known) * case.total / (2 * ball(least).sqrt())
            yield BallComparison(gain, bound, where=f"offline {offline}")


@dataclass(frozen=True)
class Updates:
    """Eigenvalues of a covariance and updates of a given trace, as weights of unit vectors."""

    eigenvalues: tuple[Fraction, ...]
    total: Fraction
    directions: tuple[tuple[Fraction, ...], ...]


def water_filling_determinant(case: Updates, *, factor: Fraction = ONE, equal: bool = False) -> Iterator[Comparison]:
    """Growth of the determinant by updates along each direction, all together, and by the water-filled one."""
    d = len(case.eigenvalues)
    amounts = filled(case.eigenvalues, case.total)
    if equal:
        amounts = [case.total / d] * d
    bound = ONE
    for value, amount in zip(case.eigenvalues, amounts, strict=True):
        bound *= 1 + factor * amount / value
    base = exact([[value * (i == j) for j in range(d)] for i, value in enumerate(case.eigenvalues)])
    outers = [outer(direction) for direction in case.directions]
    best = filled(case.eigenvalues, case.total)
    updates = {f"direction {i}": _scaled(matrix, case.total) for i, matrix in enumerate(outers)}
    updates["all directions"] = _scaled(sum(outers[1:], outers[0]), case.total / len(outers))
    updates["water-filled"] = exact([[best[i] * (i == j) for j in range(d)] for i in range(d)])
    for name, update in updates.items():
        yield Comparison(fraction((base + update).det()) / fraction(base.det()), bound, where=name)


def _scaled(matrix: Any, factor: Fraction) -> Any:
    return matrix * exact([[factor]])[0, 0]


def _updates(*eigenvalues: str, total: int = 1) -> Updates:
    d = len(eigenvalues)
    directions = tuple(unit_vector(*(3 * i - j - 1 for j in range(d - 1)), scale=2) for i in range(4))
    return Updates(tuple(Fraction(value) for value in eigenvalues), Fraction(total), directions)


PAIRS: Mapping[str, Callable[[], Pairs]] = {
    "no data": partial(Pairs, (1, 1), 100_000),
    "much data": partial(Pairs, (1000, 1000), 4),
    "some data": partial(Pairs, (1, 5, 40), 30),
    "one dry pair": partial(Pairs, (2, 3, 3, 90), 12),
}
UPDATES: Mapping[str, Callable[[], Updates]] = {
    "equal eigenvalues": partial(_updates, "1", "1", "1", total=5),
    "one dry direction": partial(_updates, "1/2", "1", "7", total=3),
    "two directions": partial(_updates, "1/10", "2", total=1),
}

CHECKS = (
    Check(
        "optimal_actor_critic.water_filling_counts",
        Symbolic(),
        water_steps,
        (
            Mutant("wet", "0.999 of the tangent", {"wet": CLOSE}),
            Mutant("level", "pairs that start at 0.999 of the level's root stay dry", {"level": CLOSE}),
        ),
    ),
    Check(
        "optimal_actor_critic.water_filling_counts",
        Balls(PAIRS),
        water_filling_counts,
        (
            Mutant("factor", "0.999 of the gain", {"factor": Fraction(999, 1000)}),
            Mutant("proportional", "visits in proportion to 1 / (a - 1/2)", {"proportional": True}),
        ),
    ),
    Check(
        "optimal_actor_critic.water_filling_partition",
        Symbolic(),
        partition_steps,
        (
            Mutant("known", "0.999 of the tangent", {"known": CLOSE}),
            Mutant("unknown", "0.99 of the root", {"unknown": sp.Rational(99, 100)}),
            Mutant("tangent", "0.999 of the tangent at the mean of the roots", {"tangent": CLOSE}),
        ),
    ),
    Check(
        "optimal_actor_critic.water_filling_partition",
        Balls(PAIRS),
        water_filling_partition,
        (
            Mutant("known", "0.99 of the term of the known pairs", {"known": NEARLY}),
            Mutant("unknown", "0.99 of the term of the unknown pairs", {"unknown": NEARLY}),
        ),
    ),
    Check(
        "optimal_actor_critic.water_filling_determinant",
        Exact(UPDATES, per_unit=len(UPDATES)),
        water_filling_determinant,
        (
            Mutant(
                "factor", "0.999 of the amounts: attained by the water-filled update", {"factor": Fraction(999, 1000)}
            ),
            Mutant("equal", "equal amounts in all directions", {"equal": True}),
        ),
    ),
)
