r"""Exact arithmetic with SymPy expressions: domains, values, normal forms and signs.

Four questions about an expression :math:`f` over a box-like domain :math:`D`, answered without floating point:

* *value*: :math:`f(q)` at a rational point is a rational (`fmpq`) or a ball that encloses it (`arb`);
* *zero*: is :math:`f = 0` as a quotient of polynomials in its symbols, radicals, powers and other atoms?
* *sign*: is :math:`f \ge 0` on :math:`D`? Substitutions such as :math:`x = (a + b u) / (1 + u)` map :math:`D` onto an
  orthant :math:`u \ge 0`; a quotient of polynomials whose coefficients all have one sign is nonnegative there. A
  polynomial in one symbol is decided by counting its real roots (Sturm);
* *definedness*: are all denominators nonzero and all logarithms finite on :math:`D`?

``None`` always means "not decided", never "no". What SymPy cancels while an expression is being built (``x / x``
becomes 1) cannot be seen here.
"""

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import flint
import sympy as sp
from flint import arb, fmpq
from sympy.functions.elementary.piecewise import ExprCondPair

from theory.symbols import QUANTITIES

Point: TypeAlias = dict[sp.Symbol, Any]
"""Values (fmpq) of symbols."""

PRECISIONS = (128, 512, 2048)
"""Bits of the balls, tried in turn until the sign is known."""

MAX_TERMS = 10_000
"""Longest sum or product that is written out."""

MAX_CASES = 64
"""Most pieces that a domain is split into."""

MAX_POWER_BITS = 20_000
"""Size of the largest power that is formed exactly; larger ones become balls."""


MAX_SQUARED = 400
"""Operations of the largest expression from which a root is removed."""


def assumed_of(symbols: Iterable[sp.Symbol]) -> list[str]:
    """Return all that is assumed of each symbol, as texts in a fixed order.

    Equal symbols that were declared in different words (positive; real and positive) give the same text: SymPy's caches
    may put either of them into an expression, so that `sympy.srepr` depends on the history of the process.
    """
    return sorted(f"{symbol}: {sorted(symbol.assumptions0.items())}" for symbol in symbols)


class UndefinedValueError(ArithmeticError):
    """An expression has no real value at a point."""


class UnsupportedError(ValueError):
    """An expression contains something that has no exact meaning here; the message names it."""


class DomainError(ValueError):
    """A symbol has no declared real domain; the message names it."""


# ---------------------------------------------------------------------------------------------------------- domains


@dataclass(frozen=True)
class Range:
    """Interval of a symbol; a bound may be an expression in other symbols, None is infinity."""

    low: sp.Expr | None = None
    high: sp.Expr | None = None
    low_open: bool = False
    high_open: bool = False
    integer: bool = False

    def __str__(self) -> str:
        left = "(-oo" if self.low is None else f"{'(' if self.low_open else '['}{self.low}"
        right = "oo)" if self.high is None else f"{self.high}{')' if self.high_open else ']'}"
        return f"{left}, {right}" + (" integer" if self.integer else "")


@dataclass(frozen=True)
class Domain:
    """Ranges of symbols, in an order in which bounds depend on earlier symbols only, and further relations."""

    ranges: dict[sp.Symbol, Range]
    relations: tuple[sp.Basic, ...]

    def __str__(self) -> str:
        parts = [f"{symbol} in {interval}" for symbol, interval in self.ranges.items()]
        return ", ".join(parts + [str(relation) for relation in self.relations])

    def contains(self, point: Point) -> bool:
        """Whether a point provably satisfies all ranges and relations."""
        for symbol, interval in self.ranges.items():
            value = point[symbol]
            if interval.integer and value.q != 1:
                return False
            for bound, side, strict in (
                (interval.low, 1, interval.low_open),
                (interval.high, -1, interval.high_open),
            ):
                if bound is None:
                    continue
                sign = sign_at(side * (symbol - bound), point)
                if sign is None or sign < 0 or (strict and sign == 0):
                    return False
        return all(truth(relation, point) for relation in self.relations)


def declared_range(symbol: sp.Symbol) -> Range:
    """Return the range of a symbol: that of `theory.symbols` if it is from there, else that of its assumptions.

    Raises
    ------
    DomainError
        If the symbol is not declared real.
    """
    quantity = QUANTITIES.get(symbol.name)
    if quantity is not None and quantity.symbol == symbol:
        return _parse(quantity.domain)
    integer = bool(symbol.is_integer)
    for holds, interval in (
        (symbol.is_positive, Range(sp.Integer(1), None, integer=True) if integer else Range(sp.S.Zero, low_open=True)),
        (symbol.is_nonnegative, Range(sp.S.Zero, integer=integer)),
        (
            symbol.is_negative,
            Range(None, sp.Integer(-1), integer=True) if integer else Range(high=sp.S.Zero, high_open=True),
        ),
        (symbol.is_nonpositive, Range(high=sp.S.Zero, integer=integer)),
        (symbol.is_real, Range(integer=integer)),
    ):
        if holds:
            return interval
    raise DomainError(f"symbol {symbol} has no declared domain: make it real, positive, nonnegative or an integer")


def _parse(text: str) -> Range:
    if text == "positive integers":
        return Range(sp.S.One, integer=True)
    if text == "reals":
        return Range()
    low, high = (sp.sympify(part) for part in text[1:-1].split(","))
    return Range(low, None if high == sp.oo else high, text[0] == "(", text[-1] == ")")


def domain_of(symbols: Iterable[sp.Symbol], where: Iterable[Any] = ()) -> Domain:
    """Return the domain of symbols, narrowed by relations.

    ``x <= expression`` and its like tighten the range of ``x``; any other relation is kept as it is.

    Raises
    ------
    DomainError
        If a symbol is not real or a relation is false outright.
    """
    relations = tuple(where)
    if any(relation in (sp.false, False) for relation in relations):
        raise DomainError("the domain is empty: one of its relations is false")
    everything: set[sp.Symbol] = set(symbols).union(*(sp.sympify(relation).free_symbols for relation in relations))
    names = sorted(symbol.name for symbol in everything)
    for name, following in itertools.pairwise(names):
        if name == following:
            raise DomainError(f"two symbols are called {name}: take them from theory.symbols")
    ranges = {symbol: declared_range(symbol) for symbol in sorted(everything, key=lambda symbol: symbol.name)}
    before: dict[sp.Symbol, set[sp.Symbol]] = {symbol: set() for symbol in ranges}
    kept: list[sp.Basic] = []
    for relation in relations:
        if relation not in (sp.true, True):
            kept += _tighten(ranges, before, relation)
    order: list[sp.Symbol] = []
    while len(order) < len(ranges):
        order += [symbol for symbol in ranges if symbol not in order and before[symbol] <= set(order)]
    ranges = {symbol: _integral(ranges[symbol]) for symbol in order}
    for symbol in reversed(order):
        _pass_on(ranges, symbol)
    return Domain(ranges, tuple(kept))


def _pass_on(ranges: dict[sp.Symbol, Range], symbol: sp.Symbol) -> None:
    """Where a <= x <= t + c also t >= a - c: give t the rational end that follows, and likewise from above."""
    interval = ranges[symbol]
    for near, far, side in ((interval.low, interval.high, "low"), (interval.high, interval.low, "high")):
        if near is None or far is None or not near.is_Rational:
            continue
        shift, rest = far.as_coeff_Add()
        if not rest.is_Symbol or not shift.is_Rational:
            continue
        old = getattr(ranges[rest], side)
        if old is None or (old.is_Rational and (near - shift > old if side == "low" else near - shift < old)):
            opened = interval.low_open or interval.high_open
            ranges[rest] = _integral(replace(ranges[rest], **{side: near - shift, f"{side}_open": opened}))


def _integral(interval: Range) -> Range:
    """Move the ends of a range of integers to integers inside, where that can be told."""
    low, high = interval.low, interval.high
    if interval.integer and low is not None:
        if low.is_Rational:
            low = sp.floor(low) + 1 if interval.low_open else sp.ceiling(low)
        elif low.is_integer and interval.low_open:
            low = low + 1
        interval = replace(interval, low=low, low_open=interval.low_open and not low.is_integer)
    if interval.integer and high is not None:
        if high.is_Rational:
            high = sp.ceiling(high) - 1 if interval.high_open else sp.floor(high)
        elif high.is_integer and interval.high_open:
            high = high - 1
        interval = replace(interval, high=high, high_open=interval.high_open and not high.is_integer)
    return interval


def _tighten(ranges: dict[sp.Symbol, Range], before: dict[sp.Symbol, set[sp.Symbol]], relation: Any) -> list[sp.Basic]:
    """Fold a relation into the range of a symbol where it bounds one, and return what has to be kept besides."""
    if not isinstance(relation, sp.Le | sp.Lt | sp.Ge | sp.Gt):
        return [relation]
    strict = isinstance(relation, sp.Lt | sp.Gt)
    small, large = relation.lts, relation.gts
    for symbol, bound, side in ((small, large, "high"), (large, small, "low")):
        if not isinstance(symbol, sp.Symbol) or bound.is_infinite:
            continue
        old = getattr(ranges[symbol], side)
        if symbol in _ancestors(before, bound.free_symbols) or (old is not None and old.free_symbols):
            continue
        opened = getattr(ranges[symbol], f"{side}_open")
        if old is not None and not bound.free_symbols:
            slack = (bound - old) if side == "low" else (old - bound)
            if slack.is_negative or (slack.is_zero and (opened or not strict)):
                return []
        before[symbol] |= set(bound.free_symbols)
        ranges[symbol] = replace(ranges[symbol], **{side: bound, f"{side}_open": strict})
        if old is None or not bound.free_symbols:
            return []
        return [_bound(symbol, old, side, opened)]
    return [relation]


def _bound(symbol: sp.Symbol, value: sp.Expr, side: str, strict: bool) -> sp.Basic:
    relation = {("low", True): sp.Gt, ("low", False): sp.Ge, ("high", True): sp.Lt, ("high", False): sp.Le}
    return relation[side, strict](symbol, value, evaluate=False)


def _ancestors(before: Mapping[sp.Symbol, set[sp.Symbol]], symbols: Iterable[sp.Symbol]) -> set[sp.Symbol]:
    seen: set[sp.Symbol] = set()
    todo = list(symbols)
    while todo:
        symbol = todo.pop()
        if symbol not in seen:
            seen.add(symbol)
            todo += before[symbol]
    return seen


def points(domain: Domain, count: int, seed: int, special: Iterable[Any] = ()) -> Iterator[Point]:
    """Yield up to ``count`` rational points of a domain: ends, simple values, random fractions.

    ``special`` values (fmpq) are tried for every symbol too.
    """
    if not domain.ranges:
        yield {}
        return
    rng = random.Random(seed)
    favoured = sorted(special)
    solved = _solved(domain)
    fixed: list[Any] = ["low", "high", "middle", *favoured]
    found = 0
    for attempt in range(40 * count):
        point: Point = {}
        for symbol, interval in domain.ranges.items():
            wish = fixed[attempt] if attempt < len(fixed) else None
            if wish is None and favoured and rng.random() < 0.2:
                wish = rng.choice(favoured)
            value = _draw(interval, point, rng, wish)
            if value is None:
                break
            point[symbol] = value
        if len(point) == len(domain.ranges) and _solve(point, solved) and domain.contains(point):
            yield point
            found += 1
            if found == count:
                return


def _solved(domain: Domain) -> list[tuple[sp.Symbol, sp.Expr]]:
    """Solve each equation among the relations for a symbol that occurs linearly."""
    solved: list[tuple[sp.Symbol, sp.Expr]] = []
    for relation in domain.relations:
        if isinstance(relation, sp.Eq):
            gap = relation.lhs - relation.rhs
            for symbol in reversed(domain.ranges):
                slope = sp.diff(gap, symbol)
                if slope != 0 and symbol not in slope.free_symbols and symbol not in dict(solved):
                    solved.append((symbol, -gap.subs(symbol, 0) / slope))
                    break
    return solved


def _solve(point: Point, solved: list[tuple[sp.Symbol, sp.Expr]]) -> bool:
    """Set the symbols that equations determine; False if one has no rational value."""
    for symbol, expr in solved:
        try:
            value = evaluate(expr, point)
        except UndefinedValueError:
            return False
        if not isinstance(value, fmpq):
            return False
        point[symbol] = value
    return True


def _ends(interval: Range, point: Point) -> list[Any]:
    """Return the bounds of a range at a point as rationals, or None where there are none."""
    ends: list[Any] = []
    for bound in (interval.low, interval.high):
        value = None if bound is None else evaluate(bound, point)
        if isinstance(value, arb):
            if not abs(value) < 2**40:
                raise UndefinedValueError(f"{bound} is out of reach")
            value = fmpq(int((value.mid() * 2**40).floor().unique_fmpz()), 2**40)
        ends.append(value)
    return ends


def _draw(interval: Range, point: Point, rng: random.Random, wish: Any) -> Any:
    """Draw a value of a symbol, given those of earlier symbols; ``wish`` is a value or the name of one."""
    try:
        low, high = _ends(interval, point)
    except UndefinedValueError:
        return None
    if isinstance(wish, fmpq):
        return wish
    if interval.integer:
        start = int(low.ceil()) if low is not None else -12 if high is None else int(high.floor()) - 12
        stop = start + 12 if high is None else min(int(high.floor()), start + 24)
        if start > stop:
            return None
        return fmpq({"low": start, "high": stop}.get(wish, rng.randint(start, stop)))
    scale = fmpq(rng.choice((1, 1, 1, 1, 10, 1000)))
    part = {"low": fmpq(0), "high": fmpq(1), "middle": fmpq(1, 2)}.get(wish) or _part(rng, wish == "low")
    if low is not None and high is not None:
        return low + (high - low) * (part if part <= 1 else 1 / part)
    if low is not None:
        return low + part * scale
    if high is not None:
        return high - part * scale
    return part * scale * rng.choice((1, -1))


def _part(rng: random.Random, zero: bool) -> Any:
    kind = rng.random()
    if zero:
        return fmpq(0)
    if kind > 0.9:
        return fmpq(1, rng.choice((10**3, 10**6, 10**9)))
    if kind > 0.5:
        return fmpq(rng.choice((0, 1, 1, 2, 2, 3)), rng.choice((1, 2, 3, 4)))
    return fmpq(rng.randint(1, 99), 100)


def special_values(*expressions: sp.Basic) -> set[Any]:
    """Return the rational numbers in conditions of expressions, at which pieces begin and end."""
    conditions = set().union(*(expr.atoms(sp.Rel) for expr in expressions))
    numbers = set().union(*(condition.atoms(sp.Rational) for condition in conditions))
    return {fmpq(int(number.p), int(number.q)) for number in numbers}


# ----------------------------------------------------------------------------------------------------------- values


def evaluate(expr: sp.Expr, point: Point, precision: int = PRECISIONS[0]) -> Any:
    """Return the value of an expression at a rational point: fmpq where no irrational number occurs, else arb.

    Raises
    ------
    UndefinedValueError
        If the value is not a real number, for instance a quotient by zero.
    UnsupportedError
        If the expression contains floating-point numbers or functions not known here.
    """
    with flint.ctx.workprec(precision):
        return _value(expr, point)


def sign_at(expr: sp.Expr, point: Point, precisions: tuple[int, ...] = PRECISIONS) -> int | None:
    """Return the sign of an expression at a point, or None if the balls cannot tell it from zero."""
    for precision in precisions:
        with flint.ctx.workprec(precision):
            value = _value(expr, point)
            if value > 0:
                return 1
            if value < 0:
                return -1
            if not isinstance(value, arb) or value.is_zero():
                return 0
    return None


def truth(relation: Any, point: Point) -> bool | None:
    """Return whether a relation holds at a point, or None if that cannot be told."""
    if relation in (sp.true, sp.false):
        return bool(relation)
    if isinstance(relation, sp.And | sp.Or):
        answers = [truth(part, point) for part in relation.args]
        settled = isinstance(relation, sp.Or)
        return settled if settled in answers else None if None in answers else not settled
    if isinstance(relation, sp.Not):
        answer = truth(relation.args[0], point)
        return None if answer is None else not answer
    if not isinstance(relation, sp.Rel):
        raise UnsupportedError(f"{relation} is not a relation")
    sign = sign_at(relation.lhs - relation.rhs, point)
    if sign is None:
        return None
    return {
        sp.Eq: sign == 0, sp.Ne: sign != 0, sp.Le: sign <= 0, sp.Lt: sign < 0, sp.Ge: sign >= 0, sp.Gt: sign > 0,
    }[relation.func]  # fmt: skip


def _ball(value: Any) -> Any:
    return value if isinstance(value, arb) else arb(value)


def _value(expr: sp.Basic, point: Point) -> Any:
    if expr.is_Symbol:
        if expr not in point:
            raise UnsupportedError(f"symbol {expr} has no value")
        return point[expr]
    if expr.is_Rational:
        return fmpq(int(expr.p), int(expr.q))
    if expr.is_Add:
        return sum((_value(arg, point) for arg in expr.args), fmpq(0))
    if expr.is_Mul:
        product: Any = fmpq(1)
        for arg in expr.args:
            product = product * _value(arg, point)
        return product
    if expr.is_Pow:
        return _power(_value(expr.base, point), _value(expr.exp, point))
    if expr in CONSTANTS:
        return CONSTANTS[expr]()
    return _call(expr, point)


def _call(expr: sp.Basic, point: Point) -> Any:
    if isinstance(expr, sp.Sum | sp.Product):
        return _series(expr, point)
    if isinstance(expr, sp.Piecewise):
        return _piece(expr, point)
    if expr.func in FUNCTIONS:
        value = FUNCTIONS[expr.func](*(_value(arg, point) for arg in expr.args))
        if isinstance(value, arb) and not value.is_finite():
            raise UndefinedValueError(f"{expr} is undefined")
        return value
    what = "the floating-point number " if expr.is_Float else ""
    raise UnsupportedError(f"{what}{expr} has no exact value: write numbers as Rational and functions in closed form")


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(exponent, fmpq) and exponent.q == 1:
        power = int(exponent)
        if base == 0 and power < 0:
            raise UndefinedValueError("division by zero")
        if isinstance(base, fmpq) and abs(power) * base.height_bits() <= MAX_POWER_BITS:
            return base**power
        result = _ball(base) ** power
        if not result.is_finite():
            raise UndefinedValueError("division by a number that may be zero")
        return result
    if base == 0 and isinstance(exponent, fmpq) and exponent > 0:
        return fmpq(0)
    if isinstance(base, fmpq) and isinstance(exponent, fmpq) and base > 0 and exponent.q == 2:
        roots = [part.isqrt() for part in (base.p, base.q)]
        if all(root * root == part for root, part in zip(roots, (base.p, base.q), strict=True)):
            return _power(fmpq(*roots), fmpq(exponent.p))
    if not base > 0:
        raise UndefinedValueError(f"a fractional power of {base}, which is not surely positive")
    return _ball(base) ** _ball(exponent)


def _series(expr: Any, point: Point) -> Any:
    if len(expr.limits) != 1:
        raise UnsupportedError(f"{expr} has more than one index")
    index, low, high = expr.limits[0]
    first, last = _value(low, point), _value(high, point)
    if not (isinstance(first, fmpq) and isinstance(last, fmpq) and first.q == last.q == 1):
        raise UndefinedValueError(f"the limits of {expr} are not integers")
    if last - first >= MAX_TERMS:
        raise UnsupportedError(f"{expr} has too many terms")
    total: Any = fmpq(0) if isinstance(expr, sp.Sum) else fmpq(1)
    for step in range(int(first), int(last) + 1):
        term = _value(expr.function, {**point, index: fmpq(step)})
        total = total + term if isinstance(expr, sp.Sum) else total * term
    return total


def _piece(expr: sp.Piecewise, point: Point) -> Any:
    for value, condition in expr.args:
        answer = truth(condition, point)
        if answer is None:
            raise UndefinedValueError(f"{condition} cannot be decided")
        if answer:
            return _value(value, point)
    raise UndefinedValueError(f"no piece of {expr} applies")


def _log(value: Any) -> Any:
    if value == 1:
        return fmpq(0)
    if not value > 0:
        raise UndefinedValueError(f"log of {value}, which is not surely positive")
    return _ball(value).log()


def _natural(value: Any) -> int:
    if not isinstance(value, fmpq) or value.q != 1 or value < 0:
        raise UndefinedValueError(f"{value} is not a natural number")
    return int(value)


def _extreme(largest: bool) -> Any:
    def extreme(*values: Any) -> Any:
        if all(isinstance(value, fmpq) for value in values):
            return max(values) if largest else min(values)
        best = _ball(values[0])
        for value in values[1:]:
            best = best.max(_ball(value)) if largest else best.min(_ball(value))
        return best

    return extreme


def _round(up: bool) -> Any:
    def rounded(value: Any) -> Any:
        if isinstance(value, fmpq):
            return fmpq(value.ceil() if up else value.floor())
        whole = (value.ceil() if up else value.floor()).unique_fmpz()
        if whole is None:
            raise UndefinedValueError("rounding a number that may be an integer")
        return fmpq(whole)

    return rounded


def _sign(value: Any) -> Any:
    if value == 0 or value > 0 or value < 0:
        return fmpq(0 if value == 0 else 1 if value > 0 else -1)
    raise UndefinedValueError("sign of a number that may be zero")


def _transcendental(name: str, at_zero: int) -> Any:
    def function(value: Any) -> Any:
        return fmpq(at_zero) if value == 0 else getattr(_ball(value), name)()

    return function


CONSTANTS: dict[sp.Basic, Any] = {
    sp.pi: lambda: arb.pi(),
    sp.E: lambda: arb.const_e(),
    sp.EulerGamma: lambda: arb.const_euler(),
    sp.GoldenRatio: lambda: (1 + arb(5).sqrt()) / 2,
}

FUNCTIONS: dict[Any, Any] = {
    sp.exp: _transcendental("exp", 1),
    sp.log: _log,
    sp.sin: _transcendental("sin", 0),
    sp.cos: _transcendental("cos", 1),
    sp.sinh: _transcendental("sinh", 0),
    sp.cosh: _transcendental("cosh", 1),
    sp.tanh: _transcendental("tanh", 0),
    sp.atan: _transcendental("atan", 0),
    sp.erf: _transcendental("erf", 0),
    sp.Abs: abs,
    sp.sign: _sign,
    sp.Max: _extreme(True),
    sp.Min: _extreme(False),
    sp.floor: _round(False),
    sp.ceiling: _round(True),
    sp.factorial: lambda value: fmpq(flint.fmpz.fac_ui(_natural(value))),
    sp.binomial: lambda n, k: fmpq(flint.fmpz.bin_uiui(_natural(n), _natural(k))),
    sp.harmonic: lambda value: fmpq.harmonic(_natural(value)),
}

EVERYWHERE = {sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.atan, sp.erf, sp.Abs, sp.sign, sp.Max, sp.Min,
              sp.floor, sp.ceiling}  # fmt: skip
"""Functions that are defined for all real arguments."""

LOGICAL = (sp.Piecewise, ExprCondPair, sp.Rel, sp.And, sp.Or, sp.Not)


# ----------------------------------------------------------------------------------------------------- normal forms

Generator: TypeAlias = tuple[sp.Expr, sp.Expr]
"""``(base, rest)`` stands for base**(rest / q), where q is the common denominator of its rational exponents."""


@dataclass(frozen=True)
class Quotient:
    """Numerator and denominator (fmpq_mpoly) in named generators."""

    numerator: Any
    denominator: Any

    def __add__(self, other: "Quotient") -> "Quotient":
        top = self.numerator * other.denominator + other.numerator * self.denominator
        return Quotient(top, self.denominator * other.denominator).reduced()

    def __mul__(self, other: "Quotient") -> "Quotient":
        return Quotient(self.numerator * other.numerator, self.denominator * other.denominator).reduced()

    def __pow__(self, power: int) -> "Quotient":
        if power >= 0:
            return Quotient(self.numerator**power, self.denominator**power)
        if self.numerator == 0:
            raise UndefinedValueError("division by zero")
        return Quotient(self.denominator**-power, self.numerator**-power)

    def reduced(self) -> "Quotient":
        """Cancel common factors."""
        if self.denominator.is_one():
            return self
        common = self.numerator.gcd(self.denominator)
        if common.is_one() or common == 0:
            return self
        return Quotient(self.numerator / common, self.denominator / common)


def _factors(base: sp.Expr, exponent: sp.Expr) -> Iterator[tuple[sp.Expr, sp.Expr, sp.Rational]]:
    """Split base**exponent into powers base**(rest * coefficient) with rational coefficients."""
    for term in sp.Add.make_args(sp.expand(exponent)):
        coefficient, rest = term.as_coeff_Mul()
        if not coefficient.is_Rational:
            coefficient, rest = sp.S.One, term
        if base.is_Rational and base.is_positive and not (rest == 1 and coefficient.is_Integer):
            for prime, multiplicity in sp.factorrat(base, limit=10_000).items():
                yield sp.Integer(prime), rest, coefficient * multiplicity
        else:
            yield base, rest, coefficient


def _composite(base: sp.Expr, rest: sp.Expr) -> bool:
    """Whether integer powers of a base are written out instead of being generators."""
    return bool(rest == 1 and (base.is_Add or base.is_Mul or base.is_Rational))


class NormalForm:
    """Expressions as quotients of polynomials over the rationals in shared generators.

    Generators are symbols, radicals, powers with symbolic exponents and opaque atoms. Radicals are reduced by
    ``g**q = base``, so that a numerator 0 proves an expression zero wherever it is defined; nothing is concluded from
    a numerator that is not 0, because opaque generators may be dependent.
    """

    def __init__(self, *expressions: sp.Expr) -> None:
        self.roots: dict[Generator, int] = {}
        for expr in expressions:
            self._collect(expr)
        self.generators = sorted(self.roots, key=str)
        self.context = flint.fmpq_mpoly_ctx.get([f"g{i}" for i in range(max(1, len(self.generators)))], "lex")
        self.variables = dict(zip(self.generators, self.context.gens(), strict=False))

    def _collect(self, expr: sp.Expr) -> None:
        if expr.is_Rational:
            return
        if expr.is_Add or expr.is_Mul:
            for arg in expr.args:
                self._collect(arg)
            return
        if expr.is_Float or expr.has(sp.nan, sp.zoo, sp.oo):
            raise UnsupportedError(f"{expr} is not an exact finite number")
        for base, rest, coefficient in _factors(*expr.as_base_exp()):
            if _composite(base, rest):
                self._collect(base)
                if coefficient.is_Integer:
                    continue
            self.roots[base, rest] = sp.ilcm(self.roots.get((base, rest), 1), coefficient.q)

    def quotient(self, expr: sp.Expr) -> Quotient:
        """Return the quotient of one of the expressions given at construction."""
        result = self._convert(expr)
        for index, (base, rest) in enumerate(self.generators):
            if rest == 1 and not base.is_Symbol and self.roots[base, rest] > 1:
                result = self._lower(result, index, self._convert(base), self.roots[base, rest])
        return result

    def _convert(self, expr: sp.Expr) -> Quotient:
        one = self.context.constant(1)
        if expr.is_Rational:
            return Quotient(self.context.constant(fmpq(int(expr.p), int(expr.q))), one)
        if expr.is_Add:
            total = Quotient(self.context.constant(0), one)
            for arg in expr.args:
                total = total + self._convert(arg)
            return total
        product = Quotient(one, one)
        if expr.is_Mul:
            for arg in expr.args:
                product = product * self._convert(arg)
            return product
        for base, rest, coefficient in _factors(*expr.as_base_exp()):
            if not (_composite(base, rest) and coefficient.is_Integer):
                power = int(coefficient * self.roots[base, rest])
                product = product * Quotient(self.variables[base, rest], one) ** power
            else:
                product = product * self._convert(base) ** int(coefficient)
        return product

    def _lower(self, value: Quotient, index: int, base: Quotient, root: int) -> Quotient:
        """Replace g**e by g**(e mod root) * base**(e div root) in numerator and denominator."""
        one = self.context.constant(1)

        def lowered(polynomial: Any) -> Quotient:
            parts: dict[int, dict[tuple[int, ...], Any]] = {}
            for exponents, coefficient in polynomial.to_dict().items():
                whole, left = divmod(int(exponents[index]), root)
                monomial = tuple(left if i == index else int(e) for i, e in enumerate(exponents))
                parts.setdefault(whole, {})[monomial] = coefficient
            total = Quotient(self.context.constant(0), one)
            for whole, terms in parts.items():
                total = total + Quotient(self.context.from_dict(terms), one) * base**whole
            return total

        top, bottom = lowered(value.numerator), lowered(value.denominator)
        return value if bottom.numerator == 0 else top * bottom**-1


def is_zero(expr: sp.Expr) -> bool | None:
    """Return True if the normal form of an expression is zero, else None: nothing is shown."""
    try:
        form = NormalForm(expr)
        return True if form.quotient(expr).numerator == 0 else None
    except (UnsupportedError, UndefinedValueError):
        return None


# ------------------------------------------------------------------------------------------------------------ signs


def prove_sign(expr: sp.Expr, domain: Domain, *, strict: bool = False) -> str | None:
    """Return how ``expr >= 0`` (or ``> 0``) was shown for all points of the domain where it is defined, or None."""
    if not expr.free_symbols:
        try:
            sign = sign_at(expr, {})
        except (UndefinedValueError, UnsupportedError):
            return None
        if sign == 0 or (sign is None and is_zero(expr)):
            return None if strict else "value"
        return "value" if sign == 1 else None
    if _by_coefficients(expr, domain, strict):
        return "coefficients"
    if _by_roots(expr, domain, strict):
        return "roots"
    if _by_factors(expr, domain, strict):
        return "factors"
    if _by_squaring(expr, domain, strict):
        return "squaring"
    return None


def _pieces(symbol: sp.Symbol, interval: Range) -> list[sp.Expr]:
    """Return parametrisations by nonnegative symbols that cover the range of a symbol."""

    def fresh(positive: bool, integer: bool = False) -> sp.Symbol:
        assumptions = {"positive": True} if positive else {"nonnegative": True}
        return sp.Symbol(f"u_{symbol.name}", **assumptions, **({"integer": True} if integer else {}))

    def beyond(bound: sp.Expr, is_open: bool) -> sp.Expr:
        # Only the distance between integers is an integer.
        if interval.integer and bound.is_integer:
            return fresh(is_open, integer=True)
        return fresh(is_open)

    low, high = interval.low, interval.high
    if low is None and high is None:
        return [fresh(False, interval.integer), -fresh(False, interval.integer)]
    if high is None:
        return [low + beyond(low, interval.low_open)]
    if low is None:
        return [high - beyond(high, interval.high_open)]
    part = fresh(interval.low_open)
    inside = [(low + high * part) / (1 + part)]
    return inside if interval.high_open else [*inside, high]


def _cases(expr: sp.Expr, domain: Domain) -> Iterator[sp.Expr] | None:
    """Return the expression on each piece of the domain, in terms of nonnegative symbols."""
    needed = set(expr.free_symbols)
    for symbol, interval in reversed(domain.ranges.items()):
        if symbol in needed:
            for bound in (interval.low, interval.high):
                needed |= bound.free_symbols if bound is not None else set()
    choices = [(symbol, _pieces(symbol, domain.ranges[symbol])) for symbol in domain.ranges if symbol in needed]
    number = 1
    for _, pieces in choices:
        number *= len(pieces)
    if number > MAX_CASES:
        return None

    def substituted(combination: tuple[sp.Expr, ...]) -> sp.Expr:
        values: dict[sp.Symbol, sp.Expr] = {}
        for (symbol, _), piece in zip(choices, combination, strict=True):
            values[symbol] = piece.xreplace(values)
        return expr.xreplace(values)

    return (substituted(combination) for combination in itertools.product(*(pieces for _, pieces in choices)))


def _by_coefficients(expr: sp.Expr, domain: Domain, strict: bool) -> bool:
    cases = _cases(expr, domain)
    if cases is None:
        return False
    try:
        return all(_one_sign(case, strict) for case in cases)
    except (UnsupportedError, UndefinedValueError):
        return False


def _one_sign(expr: sp.Expr, strict: bool) -> bool:
    """Whether all coefficients have one sign and every generator is nonnegative."""
    form = NormalForm(expr)
    quotient = form.quotient(expr)
    signs = [_generator_sign(base) for base, _ in form.generators]
    top = _common_sign(quotient.numerator, signs)
    bottom = _common_sign(quotient.denominator, signs)
    if quotient.numerator == 0:
        return not strict
    if top is None or bottom is None or top * bottom < 0:
        return False
    if not strict:
        return True
    positive = {index for index, sign in enumerate(signs) if sign == 1}
    return any(all(e == 0 or i in positive for i, e in enumerate(m)) for m in quotient.numerator.to_dict())


def _generator_sign(base: sp.Expr) -> int | None:
    """Return 1 for a positive base, 0 for a nonnegative one, None if not known."""
    if base.is_positive:
        return 1
    if base.is_nonnegative:
        return 0
    if base.is_Add or base.is_Mul:
        try:
            return 1 if _one_sign(base, True) else 0 if _one_sign(base, False) else None
        except (UnsupportedError, UndefinedValueError):
            return None
    return None


def _common_sign(polynomial: Any, signs: list[int | None]) -> int | None:
    """Return the sign that all terms share; generators of unknown sign may occur in even powers only."""
    shared: int | None = None
    for exponents, coefficient in polynomial.to_dict().items():
        if any(e % 2 and signs[i] is None for i, e in enumerate(exponents) if i < len(signs)):
            return None
        sign = 1 if coefficient > 0 else -1
        if shared not in (None, sign):
            return None
        shared = sign
    return shared


def _by_roots(expr: sp.Expr, domain: Domain, strict: bool) -> bool:
    """Decide a quotient of polynomials in one symbol, with rational ends of its range, by counting roots."""
    if len(expr.free_symbols) != 1:
        return False
    (symbol,) = expr.free_symbols
    interval = domain.ranges[symbol]
    ends = [interval.low, interval.high]
    if any(end is not None and not end.is_Rational for end in ends):
        return False
    top, bottom = sp.fraction(sp.together(expr))
    product = sp.expand(top * bottom)
    if not product.is_polynomial(symbol):
        return False
    polynomial = sp.Poly(product, symbol)
    if not polynomial.get_domain().is_QQ and not polynomial.get_domain().is_ZZ:
        return False
    low, high = (None if end is None else sp.Rational(end) for end in ends)
    inside = _inner_point(low, high)
    odd = sp.Poly(1, symbol)
    for factor, multiplicity in polynomial.sqf_list()[1]:
        if multiplicity % 2:
            odd = odd * factor
    if _roots_inside(odd, low, high, open_ends=(True, True)) or _sign_between(polynomial, inside, low, high) < 0:
        return False
    return not strict or not _roots_inside(polynomial, low, high, open_ends=(interval.low_open, interval.high_open))


def _by_factors(expr: sp.Expr, domain: Domain, strict: bool) -> bool:
    """Drop even powers of factors and multiply the signs of the others."""
    content, factors = sp.factor(expr).as_coeff_mul()
    parts = [factor.as_base_exp() for factor in factors]
    if not content.is_Rational or content == 0 or (len(parts) == 1 and not parts[0][1].is_even):
        return False
    negative = bool(content < 0)
    for base, power in parts:
        if power.is_even and power.is_number:
            if strict and not nonzero(base, domain):
                return False
        elif not prove_sign(base**power, domain, strict=strict):
            if not prove_sign(-(base**power), domain, strict=strict):
                return False
            negative = not negative
    return not negative


def _by_squaring(expr: sp.Expr, domain: Domain, strict: bool) -> bool:
    """Remove one square root g: p + q g >= 0 follows from p >= 0 and p^2 >= q^2 g^2, or q >= 0 and q^2 g^2 >= p^2."""
    roots = {power.base for power in expr.atoms(sp.Pow) if power.exp.is_Rational and power.exp.q == 2}
    for base in sorted(roots, key=str):
        root = sp.Symbol("g_root", positive=True)
        top, bottom = sp.fraction(sp.together(expr.subs(sp.sqrt(base), root)))
        if not top.is_polynomial(root) or not prove_sign(bottom.subs(root, sp.sqrt(base)), domain, strict=True):
            continue
        even, odd = sp.S.Zero, sp.S.Zero
        for (power,), coefficient in sp.Poly(sp.expand(top), root).terms():
            half = coefficient * base ** (power // 2)
            even, odd = (even, odd + half) if power % 2 else (even + half, odd)
        gap = sp.expand(even**2 - odd**2 * base)
        if gap.count_ops() > MAX_SQUARED:
            continue
        for leading, excess in ((even, gap), (odd, -gap)):
            if prove_sign(excess, domain, strict=strict) and prove_sign(leading, domain):
                return True
    return False


def _inner_point(low: Any, high: Any) -> Any:
    if low is not None and high is not None:
        return (low + high) / 2
    return low + 1 if low is not None else high - 1 if high is not None else sp.S.Zero


def _sign_between(polynomial: Any, inside: Any, low: Any, high: Any) -> int:
    """Return the sign that a polynomial without sign change has in the open interval."""
    candidates = [inside]
    for k in range(1, polynomial.degree() + 1):
        if low is not None and high is not None:
            candidates.append(low + (high - low) * sp.Rational(k, 2 * (polynomial.degree() + 1)))
        else:
            candidates.append(inside + k if high is None else inside - k)
    for candidate in candidates:
        value = polynomial.eval(candidate)
        if value != 0:
            return 1 if value > 0 else -1
    return 0


def _roots_inside(polynomial: Any, low: Any, high: Any, *, open_ends: tuple[bool, bool]) -> int:
    if polynomial.degree() <= 0:
        return 0
    count = int(polynomial.count_roots(low, high))
    if low is not None and open_ends[0] and polynomial.eval(low) == 0:
        count -= 1
    if high is not None and high != low and open_ends[1] and polynomial.eval(high) == 0:
        count -= 1
    return count


# ------------------------------------------------------------------------------------------------------ definedness


def undefined_part(expr: sp.Expr, domain: Domain) -> str | None:
    """Return a part of the expression that is not shown to be defined on the whole domain, or None if all is."""
    return next(_gaps(expr, domain), None)


def resolved(expr: sp.Expr, domain: Domain) -> sp.Expr:
    """Return the expression without the pieces whose conditions hold nowhere on the domain."""

    def holds(condition: Any) -> Any:
        if isinstance(condition, sp.Eq) and nonzero(condition.lhs - condition.rhs, domain):
            return sp.false
        if isinstance(condition, sp.Ne) and nonzero(condition.lhs - condition.rhs, domain):
            return sp.true
        return condition

    pieces = expr.atoms(sp.Piecewise)
    values = {piece: sp.Piecewise(*((value, holds(test)) for value, test in piece.args)) for piece in pieces}
    return expr.xreplace(values)


def _gaps(expr: sp.Basic, domain: Domain) -> Iterator[str]:
    if expr.is_Symbol or expr.is_Rational or expr in CONSTANTS or expr in (sp.true, sp.false):
        return
    if isinstance(expr, sp.Sum | sp.Product):
        yield from _series_gaps(expr, domain)
        return
    if expr.is_Pow:
        if not _power_defined(expr.base, expr.exp, domain):
            yield str(expr)
    elif expr.func == sp.log:
        if not prove_sign(expr.args[0], domain, strict=True):
            yield str(expr)
    elif expr.func in (sp.factorial, sp.binomial, sp.harmonic):
        if not all(arg.is_integer and prove_sign(arg, domain) for arg in expr.args):
            yield str(expr)
    elif not (expr.is_Add or expr.is_Mul or expr.func in EVERYWHERE or isinstance(expr, LOGICAL)):
        yield str(expr)
    for arg in expr.args:
        yield from _gaps(arg, domain)


def _series_gaps(expr: Any, domain: Domain) -> Iterator[str]:
    if len(expr.limits) != 1:
        yield str(expr)
        return
    index, low, high = expr.limits[0]
    yield from _gaps(low, domain)
    yield from _gaps(high, domain)
    if not (low.is_integer and high.is_integer):
        yield str(expr)
        return
    ranges = {**domain.ranges, index: Range(low, high, integer=True)}
    yield from _gaps(expr.function, Domain(ranges, domain.relations))


def _power_defined(base: sp.Expr, exponent: sp.Expr, domain: Domain) -> bool:
    if exponent.is_Integer or (exponent.is_integer and not exponent.is_Rational):
        nonnegative = exponent >= 0 if exponent.is_Integer else prove_sign(exponent, domain) is not None
        return bool(nonnegative) or nonzero(base, domain)
    strict = not (exponent.is_Rational and exponent > 0)
    return base == sp.E or prove_sign(base, domain, strict=strict) is not None


def nonzero(expr: sp.Expr, domain: Domain) -> bool:
    """Whether an expression is shown to vanish nowhere on the domain."""
    if prove_sign(expr, domain, strict=True) or prove_sign(-expr, domain, strict=True):
        return True
    for relation in domain.relations:
        if isinstance(relation, sp.Ne) and (
            is_zero(expr - relation.lhs + relation.rhs) or is_zero(expr + relation.lhs - relation.rhs)
        ):
            return True
    factors = sp.Mul.make_args(sp.factor(expr))
    return len(factors) > 1 and all(nonzero(factor, domain) for factor in factors)
