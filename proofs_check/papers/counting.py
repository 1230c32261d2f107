"""Checks of the sums over visits: inductions proved symbolically and by intervals, sequences of visits searched."""

from typing import Any

import numpy as np
import sympy as sp

from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes
from proofs_check.methods.interval import Inequality, Interval
from proofs_check.methods.search import Search
from proofs_check.methods.symbolic import Induction, Symbolic
from theory.symbols import n, x

PREVIOUS = sp.Symbol("previous", positive=True)


def inverse_root_sum(*, slope: sp.Expr = sp.Integer(2)) -> Induction:
    """Return the induction u(1) = 1, u(n + 1) = u(n) + 1/sqrt(n + 1), u(n) <= slope sqrt(n) - (slope - 1)."""
    claimed = slope * sp.sqrt(n) - (slope - 1)
    return Induction(claimed, sp.Integer(1), PREVIOUS + 1 / sp.sqrt(n + 1), PREVIOUS, n, relation="<=")


def harmonic_step(*, slope: sp.Expr = sp.Integer(1)) -> Inequality:
    """Return the step of the induction for 1 + slope log(n): 1/(n + 1) <= slope log(1 + 1/n), with x = 1/n in (0, 1].

    The base is an equality, u(1) = 1 = 1 + slope log(1), for every slope.
    """
    return Inequality(sp.Le(x / (1 + x), slope * sp.log(1 + x)), where=[(x, 0, 1)])


def visit_sequences() -> Any:
    """Return the strategy of sequences of visits to at most four pairs."""
    from hypothesis import strategies as st

    return st.lists(st.integers(0, 3), min_size=1, max_size=60)


def pigeonhole(visits: list[int], *, root: float = 2.0, pairs: bool = True) -> Comparison:
    """Sum of 1/sqrt(max(1, visits before)) against 2 sqrt(|X| K)."""
    counts = dict.fromkeys(visits, 0)
    total = 0.0
    for pair in visits:
        total += 1.0 / np.sqrt(max(1, counts[pair]))
        counts[pair] += 1
    size = len(counts) if pairs else 1
    return Comparison(total, root * np.sqrt(size * len(visits)))


CHECKS = (
    Check(
        "counting.inverse_root_sum",
        Symbolic(),
        inverse_root_sum,
        (
            Mutant("slope_too_small", "1.9 sqrt(n) - 0.9, which holds for n = 1 only", {"slope": sp.Rational(19, 10)}),
            Mutant("slope_1.95", "1.95 sqrt(n) - 0.95, which holds up to n = 10", {"slope": sp.Rational(39, 20)}),
        ),
    ),
    Check(
        "counting.harmonic_sum",
        Interval(),
        harmonic_step,
        (Mutant("slope_too_small", "1 + 0.99 log(n)", {"slope": sp.Rational(99, 100)}),),
    ),
    Check(
        "counting.pigeonhole",
        Search(
            visit_sequences,
            examples=Sizes(100, full=5_000, soak=100_000),
            corners={"one pair": lambda: [0] * 60, "four pairs in turn": lambda: [0, 1, 2, 3] * 15},
        ),
        pigeonhole,
        (
            Mutant("constant_too_small", "1.9 instead of 2", {"root": 1.9}),
            Mutant("one_pair", "the number of pairs is left out of the root", {"pairs": False}),
        ),
    ),
)
