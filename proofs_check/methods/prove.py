r"""Prove or refute one inequality or identity, in three lines.

>>> from sympy import exp, symbols
>>> from proofs_check import prove
>>> x = symbols("x")
>>> prove(exp(x) <= 1 + x + x**2, where=[(x, -1, 1)]).level  # doctest: +SKIP
<Level.PROVED: 'PROVED'>

An identity goes to `symbolic`; a relation between rational functions to `polynomial`; everything else, and what these
leave open, to `interval`. How the sides touch is found here: points by sampling, curves as the roots of a derivative.
What is found only proposes a proof, whose every step is checked (see `proof_rules`).
"""

import functools
import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy as sp

from proofs_check.evidence import Evidence, Finding
from proofs_check.methods.base import Context, Method, Tier
from proofs_check.methods.enclosures import IntervalError
from proofs_check.methods.interval import Interval, cancels
from proofs_check.methods.proof_rules import Goal, Hint, Inequality, Slope, Taylor, derivative, is_zero, vanishes
from theory.claim import Level

Range = tuple[Any, ...]


@dataclass(frozen=True)
class Proof:
    """Answer of `prove`.

    Parameters
    ----------
    level
        PROVED, REFUTED or INCONCLUSIVE.
    statement
        The relation and its domain.
    reason
        How it was proved, where it fails, or what is missing.
    point
        For a refutation: exact values of the variables.
    evidence
        What `recheck` of the method needs.
    """

    level: Level
    statement: str
    method: str
    reason: str
    point: dict[str, Fraction] | None = None
    evidence: Evidence | None = None

    def __bool__(self) -> bool:
        return self.level == Level.PROVED

    def __str__(self) -> str:
        return f"{self.level} ({self.method}): {self.statement}\n  {self.reason}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        colour = {Level.PROVED: "#1a7f37", Level.REFUTED: "#cf222e"}.get(self.level, "#9a6700")
        return (
            f'<div><b style="color:{colour}">{self.level}</b> <code>{html.escape(self.statement)}</code>'
            f"<br>{html.escape(self.method)}: {html.escape(self.reason)}</div>"
        )


def prove(relation: Any, where: Sequence[Range] = (), *, tier: str = "quick") -> Proof:
    """Prove ``relation`` for all values in ``where``, or find a point at which it fails.

    Parameters
    ----------
    relation
        SymPy ``<=, >=, <, >`` or ``Eq`` with exact numbers, in up to four real variables.
    where
        ``(symbol, lo, hi)`` with rational or infinite ends, or ``(symbol, sympy.Interval(...))``. A symbol that is not
        named ranges over what its assumptions allow.

    Raises
    ------
    IntervalError
        If the relation or a range cannot be read; the message names the entry.
    """
    if relation in (sp.true, sp.false):
        level = Level.PROVED if relation == sp.true else Level.REFUTED
        return Proof(level, str(relation), "SymPy", "SymPy decides the relation when it is written down")
    relation, ranges = _real(relation, where)
    if relation in (sp.true, sp.false):
        level = Level.PROVED if relation == sp.true else Level.REFUTED
        return Proof(level, str(relation), "SymPy", "SymPy decides the relation for real symbols")
    context = Context(Tier(tier))
    if isinstance(relation, sp.Eq):
        return _by_symbolic(relation, ranges, context)
    inequality = Inequality(relation, ranges)
    if _is_rational(inequality):
        answer = _by_polynomial(inequality, context)
        if answer is not None:
            return answer
    hinted = Inequality(relation, ranges, tuple(touching_hints(inequality)))
    return _answer(Interval(), hinted, hinted.text, context)


def _real(relation: Any, where: Sequence[Range]) -> tuple[Any, tuple[Range, ...]]:
    """Replace symbols without a domain by real ones, and add the ranges that assumptions imply."""
    if not isinstance(relation, sp.Rel):
        raise IntervalError(f"{relation} is not a relation between two expressions")
    symbols = sorted(relation.free_symbols | {entry[0] for entry in where}, key=str)
    new = {symbol: _declared(symbol, where) for symbol in symbols if symbol.is_real is None}
    ranges = [(new.get(entry[0], entry[0]), *entry[1:]) for entry in where]
    named = {entry[0] for entry in where}
    ranges += [(new.get(symbol, symbol), *_assumed(symbol)) for symbol in symbols if symbol not in named]
    sides = [side.xreplace(new) for side in relation.args]
    return relation.func(*sides), tuple(ranges)


def _declared(symbol: sp.Symbol, where: Sequence[Range]) -> sp.Symbol:
    """Return a symbol that is declared real, and nonnegative if its range is."""
    starts = [
        entry[1].start if isinstance(entry[1], sp.Interval) else entry[1] for entry in where if entry[0] == symbol
    ]
    if starts and sp.sympify(starts[0]) >= 0:
        return sp.Symbol(symbol.name, nonnegative=True)
    return sp.Symbol(symbol.name, real=True)


def _assumed(symbol: sp.Symbol) -> Range:
    if symbol.is_nonnegative:
        return (sp.Interval(0, sp.oo, left_open=bool(symbol.is_positive)),)
    if symbol.is_nonpositive:
        return (sp.Interval(-sp.oo, 0, right_open=bool(symbol.is_negative)),)
    return (-sp.oo, sp.oo)


def _answer(method: Method, statement: Any, text: str, context: Context) -> Proof:
    """Run a method on a fixed statement."""
    fixed = functools.partial(_identity, statement)
    evidence = method.fold({unit: method.run(fixed, unit, context) for unit in method.units(context.tier)})
    point = None
    if evidence.finding == Finding.VIOLATION:
        point = {name: Fraction(value) for name, value in evidence.witness.get("point", {}).items()}
    return Proof(evidence.finding.level, text, method.name, evidence.summary, point, evidence)


def _identity(statement: Any) -> Any:
    return statement


def _relations(ranges: Sequence[Range]) -> tuple[Any, ...]:
    """Return ranges as relations."""
    relations: list[Any] = []
    for symbol, *ends in ranges:
        interval = ends[0] if len(ends) == 1 else sp.Interval(*ends)
        if interval.start != -sp.oo:
            relations.append(symbol > interval.start if interval.left_open else symbol >= interval.start)
        if interval.end != sp.oo:
            relations.append(symbol < interval.end if interval.right_open else symbol <= interval.end)
    return tuple(relation for relation in relations if relation != sp.true)


def _by_symbolic(relation: sp.Eq, ranges: tuple[Range, ...], context: Context) -> Proof:
    from proofs_check.methods import symbolic

    statement = symbolic.Identity(relation.lhs, relation.rhs, _relations(ranges))
    return _answer(symbolic.Symbolic(), statement, str(relation), context)


def _is_rational(inequality: Inequality) -> bool:
    relation = inequality.relation
    return all(side.is_rational_function(*inequality.region.symbols) for side in (relation.lhs, relation.rhs)) and not (
        relation.atoms(sp.NumberSymbol) or any(not power.exp.is_Integer for power in relation.atoms(sp.Pow))
    )


def _by_polynomial(inequality: Inequality, context: Context) -> Proof | None:
    """Return the answer of `polynomial` if it has one."""
    from proofs_check.expressions import UnsupportedError
    from proofs_check.methods import polynomial, symbolic

    relation = inequality.relation
    statement = symbolic.Inequality(relation.lhs, relation.rhs, _relations(inequality.where), relation.rel_op)
    try:
        answer = _answer(polynomial.Polynomial(), statement, inequality.text, context)
    except UnsupportedError:
        return None
    return answer if answer.level != Level.INCONCLUSIVE else None


def touching_hints(inequality: Inequality) -> Iterator[Hint]:
    """Propose hints for two and more variables: curves on which f and its derivative along one variable vanish."""
    goal = inequality.goal.reduced
    if len(goal.symbols) < 2 or goal.strict:
        return
    for symbol in goal.symbols:
        for at in _stationary(goal, symbol):
            if vanishes(goal.f.subs(symbol, at), goal.region.without(symbol.name)):
                if cancels(goal.f, symbol, at):
                    yield Slope(symbol, at)
                if not at.is_Rational or is_zero(derivative(goal.f, symbol, 1).subs(symbol, at)):
                    yield Taylor(symbol, at, 2)


def _stationary(goal: Goal, symbol: sp.Symbol) -> list[sp.Expr]:
    """Return simple roots of the derivative along a symbol: of linear factors, zero, and the other symbols."""
    slope = derivative(goal.f, symbol, 1)
    roots: list[sp.Expr] = []
    for factor in sp.Mul.make_args(sp.factor(sp.together(slope))):
        base = factor.as_base_exp()[0]
        if base.is_polynomial(symbol) and sp.degree(base, symbol) == 1:
            linear = sp.Poly(base, symbol)
            roots.append(sp.factor(-linear.coeff_monomial(1) / linear.coeff_monomial(symbol)))
    others = [other for other in goal.symbols if other != symbol]
    candidates = dict.fromkeys([*roots, sp.Integer(0), *others])
    return [root for root in candidates if is_zero(slope.subs(symbol, root))]
