"""What ``boundcheck new`` writes: a working claim that a user turns into their own."""

TEMPLATE = '''"""{name}: my claims and how to check them. Run: boundcheck verify {name} --module {name}.py"""

import sympy as sp

from mdps.strategies import finite_horizon_mdps
from proofs_check import Check, Comparison, Mutant
from proofs_check.methods.search import Search
from solvers.planning import backward_induction
from theory import Bound, Claim, Kind, Level, Origin, Paper, Source
from theory.assumptions import UNIT_REWARDS
from theory.symbols import H, error

PAPER = Paper("{name}", "Title of the paper", ("First Author",), 2026, "preprint", arxiv="2601.00000")

CLAIM = Claim(
    id="{name}.value_bound",
    title="No value exceeds the horizon",
    statement=r"\\max_s V^\\star_1(s) \\le H",
    kind=Kind.INEQUALITY,
    source=Source(Origin.DERIVED, PAPER),
    bound=Bound(sp.Le(error, H)),
    assumptions=(UNIT_REWARDS,),
    expected=Level.SUPPORTED,
)


def value_bound(mdp, constant=1.0):
    """Compare both sides on one model; what a mutant changes is an argument."""
    value = backward_induction(mdp).values[0].max()
    return Comparison(value, constant * CLAIM.bound.evaluate(H=mdp.horizon))


TOO_SMALL = Mutant("too_small", "the constant 9/10 is too small", {{"constant": 0.9}})
CLAIMS = (CLAIM,)
CHECKS = (Check(CLAIM.id, Search(finite_horizon_mdps), value_bound, mutants=(TOO_SMALL,)),)
'''


def render(name: str) -> str:
    """Return the text of a new module."""
    return TEMPLATE.format(name=name)
