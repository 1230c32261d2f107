r"""Exact comparisons of numbers that are not rational.

Two kinds are known. *Combinations of logarithms* :math:`c_0 + \sum_p c_p \log p` with rational coefficients over primes
p: relative entropies of rational laws are of this form. Two of them are equal exactly if all coefficients are, because
logarithms of primes are linearly independent over the rationals (unique factorisation) and no nonzero one of them is
rational (Lindemann). *Balls* of FLINT, which contain the number: two that do not overlap are in the order of their
ends, and ends of balls are rational.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import Any

from proofs_check.evidence import Comparison, Relation

SUMMED = 500
"""Binomial tails of samples up to this size are summed exactly."""

PRECISIONS = (128, 512, 2048, 8192)
"""Bits of the balls, tried in turn until they do not overlap."""


@dataclass(frozen=True)
class Logs:
    """Combination ``sum of coefficients[p] * log(p)`` over primes p, with ``coefficients[1]`` for the rational part."""

    coefficients: Mapping[int, Fraction]

    @classmethod
    def of(cls, value: Fraction | int) -> "Logs":
        """Return the logarithm of a positive rational."""
        ratio = Fraction(value)
        coefficients: dict[int, Fraction] = {}
        for number, sign in ((ratio.numerator, 1), (ratio.denominator, -1)):
            for prime, power in _factors(number):
                coefficients[prime] = coefficients.get(prime, Fraction(0)) + sign * power
        return cls(coefficients)

    @classmethod
    def rational(cls, value: Fraction | int) -> "Logs":
        """Return a rational number."""
        return cls({1: Fraction(value)})

    def __add__(self, other: "Logs") -> "Logs":
        primes = self.coefficients.keys() | other.coefficients.keys()
        return Logs({p: self.coefficients.get(p, Fraction(0)) + other.coefficients.get(p, Fraction(0)) for p in primes})

    def __sub__(self, other: "Logs") -> "Logs":
        return self + other * Fraction(-1)

    def __mul__(self, factor: Fraction | int) -> "Logs":
        return Logs({prime: factor * value for prime, value in self.coefficients.items()})

    def equal(self, other: "Logs", where: str = "") -> Iterator[Comparison]:
        """Yield one comparison a coefficient; the numbers are equal exactly if all of them hold."""
        for prime in sorted({1} | self.coefficients.keys() | other.coefficients.keys()):
            part = "rational part" if prime == 1 else f"coefficient of log {prime}"
            mine, theirs = (side.coefficients.get(prime, Fraction(0)) for side in (self, other))
            yield Comparison(mine, theirs, "==", where=f"{where}, {part}" if where else part)


def _factors(number: int) -> Iterator[tuple[int, int]]:
    """Yield prime factors of a positive integer with their powers."""
    prime = 2
    while prime * prime <= number:
        power = 0
        while number % prime == 0:
            number, power = number // prime, power + 1
        if power:
            yield prime, power
        prime += 1
    if number > 1:
        yield number, 1


ZERO = Logs({})


def relative_entropy(left: tuple[Fraction, ...], right: tuple[Fraction, ...]) -> Logs:
    """Return KL(left | right) of rational laws; the right one is positive where the left one is."""
    total = ZERO
    for p, q in zip(left, right, strict=True):
        if p > 0:
            total += Logs.of(p / q) * p
    return total


def fraction_of(end: Any) -> Fraction:
    """Return the exact value of a ball without radius."""
    mantissa, exponent = end.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def log_binomial_tail(size: int, mean: Fraction, least: int, terms: int = 500) -> Any:
    """Return a ball that contains log P(B >= least) for a binomial B, at the current precision.

    In large samples, for ``least`` above the mode, the probabilities fall by ratios that fall themselves: a geometric
    series with the first ratio is above the tail, ``terms`` terms of one with the last of their ratios are below it.
    """
    from flint import arb, fmpq

    success = arb(fmpq(mean.numerator, mean.denominator))
    failure = 1 - success
    if least <= 0:
        return arb(0)
    if size <= SUMMED:
        tail = sum((comb(size, k) * mean**k * (1 - mean) ** (size - k) for k in range(least, size + 1)), Fraction(0))
        return arb(fmpq(tail.numerator, tail.denominator)).log()
    first = arb(size + 1).lgamma() - arb(least + 1).lgamma() - arb(size - least + 1).lgamma()
    first += least * success.log() + (size - least) * failure.log()

    def ratio(step: int) -> Any:
        return arb(max(size - least - step, 0)) / (least + step + 1) * success / failure

    if not ratio(0) < 1:
        raise ValueError(f"{least} is not above the mode of a binomial law of {size} trials")
    last = ratio(terms - 1)
    below = (1 - last**terms) / (1 - last)
    return first + below.log().union(-(1 - ratio(0)).log())


def separated(
    sides: Callable[[], tuple[Any, Any]], relation: Relation = "<=", where: str = "", witness: Any = None
) -> Comparison:
    """Compare two real numbers rigorously, by ends of balls that do not overlap.

    Parameters
    ----------
    sides
        Called at growing precision; returns both sides as balls (or exact rationals of FLINT).

    Returns
    -------
    Comparison
        Between rationals that lie on the same sides of each other as the numbers: bounds that prove the relation, or
        bounds that refute it.

    Raises
    ------
    ArithmeticError
        If the balls overlap at every precision (the numbers may be equal).
    """
    from flint import arb, ctx

    for precision in PRECISIONS:
        with ctx.workprec(precision):
            lhs, rhs = (arb(side) for side in sides())
            if not (lhs.is_finite() and rhs.is_finite()):
                continue
            if lhs < rhs:
                return Comparison(fraction_of(lhs.upper()), fraction_of(rhs.lower()), relation, where, witness)
            if lhs > rhs:
                return Comparison(fraction_of(lhs.lower()), fraction_of(rhs.upper()), relation, where, witness)
    raise ArithmeticError(f"{where or 'both sides'}: {lhs} and {rhs} are not told apart")
