r"""Identities between linear operators of all sizes.

An expression in noncommutative symbols with scalar coefficients is an element of a free algebra; it vanishes for all
matrices of fitting shapes if it vanishes there, that is if the coefficient of every word is zero. `words` expands
expressions by itself, without SymPy's rules for products.

This is how an identity of dynamic programming is proved for all numbers of states, actions and stages: policies and
kernels are operators :math:`\Pi : \mathbb R^{S \times A} \to \mathbb R^S` and :math:`P : \mathbb R^S \to
\mathbb R^{S \times A}`, values are vectors, occupancies row vectors with :math:`d_{h+1} = d_h \Pi_h P_h`, and the
identity says that a quantity does not change from one stage to the next.

Numbers of rows and columns have names, equal names meaning equal sizes; ``"1"`` is the size one. Expressions are also
evaluated at random rational matrices of several sizes: an identity that fails there is refuted by them.

*What it trusts.* SymPy, for the order of factors in the expression that it is given and for `cancel` on scalar
coefficients; the matrices of FLINT for refutations. *How it can be fooled.* An identity is all that is shown: that the
sum over the stages follows from it is said by the check that uses it. A relation between operators that is not in the
expression, such as rows that sum to one, is not known, so that an identity that needs it is refuted.
``tests/proofs_check/test_lemmas_b.py`` tries factors that commute for scalars only, coefficients off by 1e-40, shapes
that do not fit, transposes, functions of operators, and edited witnesses.
"""

import hashlib
import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import sympy as sp
from flint import fmpq, fmpq_mat

from proofs_check.evidence import Json

Word: TypeAlias = tuple[sp.Symbol, ...]

LARGEST_SIZE = 4
"""Largest number of rows and columns of random matrices."""

LARGEST_ENTRY = 9
"""Largest numerator and denominator of random entries."""


class OperatorError(ValueError):
    """An expression is none between operators of the declared shapes; the message names it."""


def operators(names: str) -> tuple[sp.Symbol, ...]:
    """Return noncommutative symbols."""
    return tuple(sp.Symbol(name, commutative=False) for name in names.split())


def words(expr: sp.Expr) -> dict[Word, sp.Expr]:
    """Return the coefficients of a noncommutative polynomial by word, those that vanish left out.

    Raises
    ------
    OperatorError
        If it is none.
    """
    if expr.is_commutative:
        return _pruned({(): expr})
    if isinstance(expr, sp.Symbol):
        return {(expr,): sp.S.One}
    if isinstance(expr, sp.Add):
        result: dict[Word, sp.Expr] = {}
        for term in expr.args:
            for word, coefficient in words(term).items():
                result[word] = result.get(word, sp.S.Zero) + coefficient
        return _pruned(result)
    factors = list(expr.args) if isinstance(expr, sp.Mul) else None
    if isinstance(expr, sp.Pow) and expr.exp.is_Integer and expr.exp > 0:
        factors = [expr.base] * int(expr.exp)
    if factors is None:
        raise OperatorError(f"{expr} is not a polynomial in operators")
    product: dict[Word, sp.Expr] = {(): sp.S.One}
    for factor in factors:
        product = _product(product, words(factor))
    return product


def _product(left: Mapping[Word, sp.Expr], right: Mapping[Word, sp.Expr]) -> dict[Word, sp.Expr]:
    result: dict[Word, sp.Expr] = {}
    for word, x in left.items():
        for other, y in right.items():
            result[word + other] = result.get(word + other, sp.S.Zero) + x * y
    return _pruned(result)


def _pruned(result: Mapping[Word, sp.Expr]) -> dict[Word, sp.Expr]:
    expanded = {word: sp.cancel(sp.together(coefficient)) for word, coefficient in result.items()}
    return {word: coefficient for word, coefficient in expanded.items() if coefficient != 0}


@dataclass(frozen=True)
class OperatorGoal:
    """``lhs == rhs`` for all matrices of the declared shapes."""

    lhs: sp.Expr
    rhs: sp.Expr
    shapes: Mapping[sp.Symbol, tuple[str, str]]
    transposes: Mapping[sp.Symbol, sp.Symbol]

    def __str__(self) -> str:
        return f"{self.lhs} == {self.rhs}"

    @property
    def domain(self) -> str:
        """The declared shapes."""
        return ", ".join(f"{symbol} of shape {rows} x {columns}" for symbol, (rows, columns) in self.shapes.items())

    @property
    def text(self) -> str:
        """Everything that the goal depends on."""
        parts = [sp.srepr(self.lhs), sp.srepr(self.rhs), self.domain, str(self.transposes)]
        return "|".join(parts)

    @cached_property
    def open_words(self) -> dict[Word, sp.Expr]:
        """Words whose coefficients on the two sides differ."""
        return words(self.lhs - self.rhs)

    def check_shapes(self) -> None:
        """Raise OperatorError unless all words have one shape, and fit together."""
        known = {*self.shapes, *self.transposes}
        ends = set()
        for word in {**words(self.lhs), **words(self.rhs)}:
            if not word:
                raise OperatorError(f"{self}: a scalar is added to operators")
            for symbol in word:
                if symbol not in known:
                    raise OperatorError(f"{symbol} has no shape")
            shapes = [self.shape(symbol) for symbol in word]
            for (_, columns), (rows, _) in itertools.pairwise(shapes):
                if columns != rows:
                    raise OperatorError(f"{' '.join(map(str, word))}: {columns} columns meet {rows} rows")
            ends.add((shapes[0][0], shapes[-1][1]))
        if len(ends) > 1:
            raise OperatorError(f"{self} has terms of different shapes {sorted(ends)}")

    def shape(self, symbol: sp.Symbol) -> tuple[str, str]:
        """Return the names of rows and columns of a symbol."""
        if symbol in self.shapes:
            return self.shapes[symbol]
        rows, columns = self.shapes[self.transposes[symbol]]
        return columns, rows

    def spot(self, index: int) -> tuple[dict[str, int], Json]:
        """Return sizes, and the first entry at which the sides differ at random matrices, or None."""
        rng = random.Random(int(hashlib.sha256(f"{self.text}|{index}".encode()).hexdigest(), 16))
        names = sorted({name for shape in self.shapes.values() for name in shape} - {"1"})
        sizes = {name: rng.randint(1, LARGEST_SIZE) for name in names}
        values: dict[sp.Symbol, Any] = {}
        for symbol, (rows, columns) in self.shapes.items():
            count = (sizes.get(rows, 1), sizes.get(columns, 1))
            values[symbol] = fmpq_mat(*count, [_entry(rng) for _ in range(count[0] * count[1])])
        for symbol, original in self.transposes.items():
            values[symbol] = values[original].transpose()
        scalars = sorted((self.lhs.free_symbols | self.rhs.free_symbols) - set(values), key=str)
        values.update({symbol: abs(_entry(rng)) / (LARGEST_ENTRY + 1) for symbol in scalars})
        left, right = (evaluate(side, values) for side in (self.lhs, self.rhs))
        return sizes, _difference(left, right)


def _entry(rng: random.Random) -> Any:
    return fmpq(rng.choice([-1, 1]) * rng.randint(1, LARGEST_ENTRY), rng.randint(1, LARGEST_ENTRY))


def _difference(left: Any, right: Any) -> Json:
    """Return the first entry in which two matrices differ; the number zero is the zero matrix."""
    matrix = next((side for side in (left, right) if isinstance(side, fmpq_mat)), fmpq_mat(1, 1, [0]))
    for i in range(matrix.nrows()):
        for j in range(matrix.ncols()):
            x, y = (side[i, j] if isinstance(side, fmpq_mat) else side for side in (left, right))
            if x != y:
                return {"entry": [i, j], "lhs": str(x), "relation": "==", "rhs": str(y)}
    return None


def evaluate(expr: sp.Expr, values: Mapping[sp.Symbol, Any]) -> Any:
    """Return an expression at rational matrices and scalars."""
    if isinstance(expr, sp.Symbol):
        return values[expr]
    if expr.is_Rational:
        return fmpq(int(expr.p), int(expr.q))
    if isinstance(expr, sp.Pow) and expr.exp.is_Integer:
        base = evaluate(expr.base, values)
        return base ** int(expr.exp)
    if not isinstance(expr, sp.Add | sp.Mul):
        raise OperatorError(f"{expr} is not a polynomial in operators")
    parts = [evaluate(argument, values) for argument in expr.args]
    result = parts[0]
    for part in parts[1:]:
        result = result + part if isinstance(expr, sp.Add) else result * part
    return result


@dataclass(frozen=True)
class OperatorIdentity:
    """``lhs == rhs`` for all operators of the declared shapes and all real scalars.

    Parameters
    ----------
    shapes
        Noncommutative symbol -> names of the numbers of rows and columns.
    transposes
        Symbol -> the symbol whose transpose it is.
    """

    lhs: sp.Expr
    rhs: sp.Expr
    shapes: Mapping[sp.Symbol, tuple[str, str]]
    transposes: Mapping[sp.Symbol, sp.Symbol] = field(default_factory=dict)

    def goals(self) -> dict[str, OperatorGoal]:
        """Return the single goal."""
        lhs, rhs = sp.sympify(self.lhs), sp.sympify(self.rhs)
        used = lhs.free_symbols | rhs.free_symbols
        transposes = {symbol: original for symbol, original in self.transposes.items() if symbol in used}
        used |= set(transposes.values())
        goal = OperatorGoal(lhs, rhs, {s: shape for s, shape in self.shapes.items() if s in used}, transposes)
        goal.check_shapes()
        return {"operator identity": goal}
