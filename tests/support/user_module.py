"""A user's module with claims of every fate; the tests copy and change it."""

from fractions import Fraction

from proofs_check import Check, Comparison, Mutant
from proofs_check.methods.exact import Exact
from theory import Claim, Kind, Level, Origin, Paper, Source

PAPER = Paper("user_2026", "A user's paper", ("User",), 2026, "preprint", arxiv="2601.00001")


def claim(name: str) -> Claim:
    """Return a claim about rationals."""
    return Claim(
        id=f"user.{name}",
        title=name,
        statement="x^2 \\ge 0",
        kind=Kind.INEQUALITY,
        source=Source(Origin.DERIVED, PAPER),
        expected=Level.CERTIFIED,
        no_bound="a test",
    )


def square(x, least=0):
    """x^2 is at least ``least``."""
    return Comparison(Fraction(least), x * x, where=f"x = {x}")


def constant(x, least=0):
    """Compare zero with zero, whatever the mutant says."""
    del x, least
    return Comparison(Fraction(0), Fraction(0))


INSTANCES = {f"x={k}/7": (lambda k=k: Fraction(k, 7)) for k in range(-3, 4)}
MUTANT = Mutant("positive", "0 is a square", {"least": Fraction(1, 100)})

CLAIMS = (claim("true"), claim("false"), claim("powerless"))
CHECKS = (
    Check("user.true", Exact(INSTANCES), square, (MUTANT,)),
    Check("user.false", Exact(INSTANCES), lambda x: square(x, Fraction(1, 1000)), ()),
    Check("user.powerless", Exact(INSTANCES), constant, (MUTANT,)),
)
