"""Checks of the confidence sets of finite classes and of the martingales of optimistic actor-critics.

Probabilities of paths are computed exactly, or enclosed, for adversaries that choose each step from what happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from math import lcm
from typing import Any

import sympy as sp
from flint import arb

from proofs_check.engine import Check, Mutant
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.symbolic import Inequality, Obligation, Symbolic
from proofs_check.papers.optimal_actor_critic_tracking import ball, bound_ball
from proofs_check.rigorous import log_binomial_tail
from theory.optimal_actor_critic_lemmas import MARTINGALES

ONE, ZERO = Fraction(1), Fraction(0)

AZUMA = next(claim for claim in MARTINGALES if claim.id.endswith(".azuma"))


def golf_confidence(
    *, kept: sp.Expr = sp.Integer(4), later: sp.Expr = sp.Integer(2), less: sp.Expr = sp.Integer(2)
) -> dict[str, Obligation]:
    """Return the four implications, with X = sum Delta^2, cross = sum 2 Delta xi and the radius beta = 1.

    Against the backup of g, f has the loss X - cross, and the smallest loss of the class is -low, with low <= 1 because
    each of its losses is at least X / 2 - 1. The conditions hold with slacks, and X solves a linear equation.
    """
    square, kappa = sp.symbols("X kappa", real=True)
    first, second, low = sp.symbols("slack_1 slack_2 low", nonnegative=True)

    def solved(cross: sp.Expr, lowest: sp.Expr, excess: sp.Expr) -> sp.Expr:
        gap = square - cross + lowest - excess
        return sp.expand(-gap.subs(square, 0) / sp.diff(gap, square))

    most, fewest = square / 2 + 1 - first, -square / 2 - 1 + first
    return {
        "backup is kept": Inequality(low, sp.S.One, (low <= 1,)),
        "kept": Inequality(solved(most, low, 1 - second), kept),
        "no switch": Inequality(solved(most, low, kappa - second), later * (kappa + 1), (kappa >= 0,)),
        "switch": Inequality(
            sp.Rational(2, 3) * (kappa - less), solved(fewest, 1 - low, kappa + second), (kappa >= 2,)
        ),
    }


@dataclass(frozen=True)
class Game:
    """An adversary of a squared loss, B = 1: noise of mean zero on q - 1 and q, steps Delta of its choice."""

    up: Fraction
    steps: tuple[Fraction, ...]
    rounds: int
    iota: Fraction


def golf_concentration(game: Game, *, radius: Fraction = ONE, half: Fraction = Fraction(1, 2)) -> BallComparison:
    """Largest probability that sum 2 Delta xi - half sum Delta^2 ever exceeds iota, over all adaptive choices.

    By dynamic programming over the sum, in integers over common denominators; one side, against exp(-iota).
    """
    up, down, over = game.up.numerator, game.up.denominator - game.up.numerator, game.up.denominator
    moves = [(2 * s * (1 - game.up) - half * s**2, -2 * s * game.up - half * s**2) for s in game.steps]
    scale = lcm(*(move.denominator for pair in moves for move in pair))
    jumps = [(int(rise * scale), int(fall * scale)) for rise, fall in moves]
    level = radius * game.iota * scale

    @cache
    def chance(left: int, total: int) -> int:
        if total > level:
            return int(over**left)
        if left == 0:
            return 0
        return max(up * chance(left - 1, total + rise) + down * chance(left - 1, total + fall) for rise, fall in jumps)

    return BallComparison(ball(Fraction(chance(game.rounds, 0), over**game.rounds)), (-ball(game.iota)).exp())


# Martingales


@dataclass(frozen=True)
class Visits:
    """Visits of a fixed chance, each of size R = 1, and a logarithm log(1 / delta)."""

    chance: Fraction
    rounds: int
    logarithm: Fraction


@dataclass(frozen=True)
class Chooser:
    """An adversary that chooses each law on {0, 1/2, 1} from what happened; laws as numbers of eighths, R = 1."""

    laws: tuple[tuple[int, int, int], ...]
    rounds: int
    logarithm: Fraction

    def failed(self, scale: Any, level: Any) -> Any:
        """Return the largest probability that scale times the expected sum ever exceeds the sum plus the level."""

        @cache
        def fails(expected: int, made: int) -> bool:
            gap = scale * ball(Fraction(expected, 16)) - ball(Fraction(made, 2)) - level
            if gap.contains(0):
                raise ArithmeticError(f"{scale} * {expected} / 16 is not told from {made} / 2 + {level}")
            return bool(gap > 0)

        @cache
        def chance(left: int, expected: int, made: int) -> int:
            if fails(expected, made):
                return int(8**left)
            if left == 0:
                return 0
            return max(
                sum(w * chance(left - 1, expected + law[1] + 2 * law[2], made + x) for x, w in enumerate(law) if w)
                for law in self.laws
            )

        return ball(Fraction(chance(self.rounds, 0, 0), 8**self.rounds))


def multiplicative_martingale(
    case: Visits | Chooser, *, factor: Fraction | None = None, share: Fraction = ONE
) -> BallComparison:
    """Probability of ever having too small a sum, enclosed, against delta."""
    scale = 1 - (-arb(1)).exp() if factor is None else ball(factor)
    level = share * case.logarithm
    failed = case.failed(scale, ball(level)) if isinstance(case, Chooser) else _too_few_visits(case, scale, level)
    return BallComparison(failed, (-ball(case.logarithm)).exp())


def _too_few_visits(case: Visits, scale: Any, level: Fraction) -> Any:
    chance = ball(case.chance)
    masses: dict[int, Any] = {0: arb(1)}
    failed = arb(0)
    for n in range(1, case.rounds + 1):
        least = (scale * ball(case.chance * n) - ball(level)).ceil().unique_fmpz()
        if least is None:
            raise ArithmeticError(f"the threshold after {n} rounds is not told from an integer")
        following: dict[int, Any] = {}
        for visits, mass in masses.items():
            for made, weight in ((visits + 1, chance), (visits, 1 - chance)):
                if made < int(least):
                    failed += mass * weight
                elif made <= case.rounds * scale * chance:
                    following[made] = following.get(made, arb(0)) + mass * weight
        masses = following
    return failed


@dataclass(frozen=True)
class Coins:
    """A number of fair coins and an excess of one side over its mean."""

    rounds: int
    excess: Fraction

    def log_chance(self) -> Any:
        """Return the logarithm of the probability of at least this excess."""
        return log_binomial_tail(self.rounds, Fraction(1, 2), self.rounds // 2 + int(self.excess))


@dataclass(frozen=True)
class Gambler:
    """An adversary that chooses the chance of each coin from what happened, to fall short by an excess at the end."""

    chances: tuple[Fraction, ...]
    rounds: int
    excess: Fraction

    def log_chance(self) -> Any:
        """Return the logarithm of the largest probability of at least this excess."""

        @cache
        def chance(left: int, short: Fraction) -> Fraction:
            if left == 0:
                return Fraction(short >= self.excess)
            return max(
                p * chance(left - 1, short + p - 1) + (1 - p) * chance(left - 1, short + p) for p in self.chances
            )

        return ball(chance(self.rounds, ZERO)).log()


def azuma(case: Coins | Gambler, *, factor: Fraction = ONE) -> BallComparison:
    """An excess against the bound at delta, its own largest probability; R = 1.

    A larger excess would pass the bound at some smaller delta with a probability above it.
    """
    bound = bound_ball(AZUMA, T=case.rounds, delta=case.log_chance().exp())
    return BallComparison(ball(case.excess), ball(factor) * bound)


GAMES: Mapping[str, Any] = {
    "fair noise, steps 1/4": partial(Game, Fraction(1, 2), (Fraction(1, 4),), 200, Fraction(1998, 1000)),
    "fair noise, steps 1/2 or 1": partial(Game, Fraction(1, 2), (Fraction(1, 2), ONE), 10, Fraction(36, 100)),
    "skewed noise, steps 1/2 or 1": partial(Game, Fraction(1, 4), (Fraction(1, 2), ONE), 10, Fraction(149, 100)),
}

CHECKS = (
    Check(
        "optimal_actor_critic.golf_concentration",
        Balls(GAMES),
        golf_concentration,
        (
            Mutant("radius", "0.91 B^2 iota", {"radius": Fraction(91, 100)}),
            Mutant("half", "0.45 sum Delta^2", {"half": Fraction(45, 100)}),
        ),
    ),
    Check(
        "optimal_actor_critic.golf_confidence",
        Symbolic(),
        golf_confidence,
        (
            Mutant("kept", "3.999 beta instead of 4 beta", {"kept": sp.Rational(3999, 1000)}),
            Mutant("later", "1.999 (kappa + 1) beta", {"later": sp.Rational(1999, 1000)}),
            Mutant("less", "2/3 (kappa - 1.999) beta", {"less": sp.Rational(1999, 1000)}),
        ),
    ),
    Check(
        "optimal_actor_critic.multiplicative_martingale",
        Balls(
            {
                "chance 1/64, 1000 rounds": partial(Visits, Fraction(1, 64), 1_000, Fraction(3)),
                "chosen laws on 0, 1/2, 1": partial(
                    Chooser, ((7, 0, 1), (6, 2, 0), (4, 2, 2), (0, 8, 0)), 12, Fraction(3, 4)
                ),
            }
        ),
        multiplicative_martingale,
        (
            Mutant("factor", "0.66 instead of 1 - 1/e = 0.632", {"factor": Fraction(66, 100)}),
            Mutant("logarithm", "0.9 log(1/delta)", {"share": Fraction(9, 10)}),
        ),
    ),
    Check(
        "optimal_actor_critic.azuma",
        Balls(
            {
                "40000 coins": partial(Coins, 40_000, Fraction(2_000)),
                "one coin": partial(Gambler, (Fraction(1, 2),), 1, Fraction(1, 2)),
                "chosen chances": partial(
                    Gambler, (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4)), 10, Fraction(5, 2)
                ),
            }
        ),
        azuma,
        (Mutant("factor", "0.985 of the bound", {"factor": Fraction(985, 1000)}),),
    ),
)
