r"""Rules of calculus for inequalities on boxes and half-lines, and the checker of proofs made of them.

Write a claim as :math:`f \ge 0` or :math:`f > 0` on a box :math:`D`, with :math:`f = \mathrm{rhs} - \mathrm{lhs}`. A
proof is a tree of goals :math:`(f, D)`, closed or reduced to simpler goals by these rules:

* *zero*: :math:`f` is identically zero;
* *span*: the natural interval extension of :math:`f` over the whole of :math:`D`, infinite ends included, is
  nonnegative;
* *boxes*: bisection of :math:`D`; on every box :math:`B` with centre :math:`c` the natural extension :math:`f(B)` or
  the mean-value form :math:`f(c) + \nabla f(B) (B - c)` is nonnegative in ball arithmetic;
* *factor*: :math:`f = g h` with :math:`g > 0` (or an even power :math:`g \ge 0`) on :math:`D`; :math:`h \ge 0` remains;
* *cut*: :math:`D` is cut in two at a rational coordinate;
* *taylor*: along one variable :math:`x` from :math:`a`, every term of
  :math:`f = \sum_{k<m} f^{(k)}(a) (x-a)^k / k! + f^{(m)}(\xi) (x-a)^m / m!` is nonnegative. With
  :math:`f(a) = \dots = f^{(m-1)}(a) = 0` this is a *touching point*; with :math:`f(a) \ge 0` and :math:`f' \ge 0` on a
  half-line it is a *tail*;
* *slope*: :math:`f(a) = 0` and :math:`\partial_x f = (x - a) g` with :math:`g \ge 0`, so that :math:`f` falls towards
  :math:`a` and rises after it. In *taylor* and *slope*, :math:`a` may be a function of the other variables;
* *terms*: :math:`f` is a sum of nonnegative terms;
* *invert*: :math:`x = 1 / s` for positive :math:`x`, where both sides meet at infinity.

For :math:`\le` and :math:`\ge` it is enough to prove the interior of :math:`D`: both sides are continuous wherever they
are defined. At end points where a side is undefined nothing is claimed. Strict relations are proved with their ends.

Everything in this module is trusted: `subgoals` states the side conditions of every rule once, for the planner that
looks for proofs and for the checker `verify` that replays them. Trusted besides: `enclosures`, arb, and SymPy's
differentiation, substitution, `factor`, `together`, `expand`, and `simplify` where it answers zero.
"""

import base64
import functools
import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import sympy as sp
from flint import fmpq

from proofs_check.evidence import Json
from proofs_check.expressions import assumed_of
from proofs_check.methods.enclosures import (
    Floats,
    IntervalError,
    SmoothSpan,
    Span,
    UndefinedError,
    compile_program,
    execute,
    number,
    rational,
    reject_floats,
    source,
)

MAX_VARIABLES = 4
MAX_DEPTH = 44
"""Deepest bisection, in levels over all variables: box corners stay exact in double precision."""

MAX_TREE_BYTES = 2**27
"""Largest tree of boxes that is unpacked."""

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint8]
Node = dict[str, Any]
"""A step of a proof: its rule, the parameters of the rule, and the proofs of what remains (``parts``)."""


class RejectedError(ValueError):
    """A step of a proof does not hold; the message, in one part or several, says which and why.

    Parts become text when the message is read: a planner tries many steps, and long expressions print slowly.
    """

    def __str__(self) -> str:
        return "".join(map(str, self.args))


class UnprovedError(ValueError):
    """The planner found no proof of a goal."""


# ---------------------------------------------------------------------------------------------------------------------
# Statements
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taylor:
    """Expand along ``symbol`` around ``at`` up to ``order``, for ``lo <= symbol <= hi`` (default: everywhere).

    ``at`` is a rational, or an expression in the other variables (then the order is even). ``then`` are hints for the
    derivative of that order, ``base`` for the value at ``at``.
    """

    symbol: sp.Symbol
    at: Any
    order: int
    lo: Any = None
    hi: Any = None
    then: "tuple[Hint, ...]" = ()
    base: "tuple[Hint, ...]" = ()


@dataclass(frozen=True)
class Slope:
    """The derivative along ``symbol`` is ``(symbol - at) * factor`` with a factor >= 0 (default: the quotient)."""

    symbol: sp.Symbol
    at: Any
    factor: Any = None
    then: "tuple[Hint, ...]" = ()


@dataclass(frozen=True)
class Terms:
    """The difference of the two sides is the sum of these terms, each of which is nonnegative."""

    terms: tuple[Any, ...]
    then: "tuple[Hint, ...]" = ()


Hint = Taylor | Slope | Terms


@dataclass(frozen=True)
class Inequality:
    """A relation with the ranges of its variables.

    Parameters
    ----------
    relation
        SymPy ``<=, >=, <, >`` between expressions with exact numbers.
    where
        ``(symbol, lo, hi)`` with rational or infinite ends, or ``(symbol, sympy.Interval(...))`` for open ends.
    hints
        The idea of the proof where it needs one: how the two sides touch.

    Raises
    ------
    IntervalError
        Naming a float, a missing range, an end that is not rational, or an assumption that contradicts a range.
    """

    relation: sp.Rel
    where: Sequence[tuple[Any, ...]]
    hints: tuple[Hint, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "where", tuple(self.where))
        if not isinstance(self.relation, sp.Le | sp.Ge | sp.Lt | sp.Gt):
            raise IntervalError(
                f"{self.relation} is not an inequality (SymPy may have evaluated it: use evaluate=False)"
            )
        reject_floats(self.relation)
        if not 1 <= len(self.where) <= MAX_VARIABLES:
            raise IntervalError(f"{self.relation}: 1 to {MAX_VARIABLES} ranges are needed, not {len(self.where)}")
        missing = sorted(self.relation.free_symbols - set(self.region.symbols), key=str)
        if missing:
            raise IntervalError(f"{self.relation}: no range is given for {missing[0]}")

    @functools.cached_property
    def region(self) -> "Region":
        """The box of all values."""
        region = Region(tuple(_axis(entry) for entry in self.where))
        names = [symbol.name for symbol in region.symbols]
        if len(set(names)) < len(names):
            raise IntervalError(f"{self.relation}: two ranges are given for one name")
        return region

    @property
    def strict(self) -> bool:
        """Whether equality is excluded."""
        return isinstance(self.relation, sp.Lt | sp.Gt)

    @property
    def goal(self) -> "Goal":
        """The claim as f >= 0 (or f > 0) on the box."""
        return Goal(self.relation.gts - self.relation.lts, self.region, self.strict)

    @functools.cached_property
    def text(self) -> str:
        """Relation and ranges in one line."""
        return f"{self.relation} for {self.region}"

    @property
    def digest(self) -> str:
        """Fingerprint of relation and ranges."""
        content = "|".join([self.text, *assumed_of(self.relation.free_symbols)])
        return hashlib.sha256(content.encode()).hexdigest()[:32]


def _end(value: Any, symbol: sp.Symbol) -> fmpq | None:
    end = sp.sympify(Fraction(value) if isinstance(value, Fraction) else value)
    if end in (sp.oo, -sp.oo):
        return None
    if not end.is_Rational:
        raise IntervalError(f"range of {symbol}: {value} is not rational")
    return rational(end)


def _axis(entry: tuple[Any, ...]) -> "Axis":
    symbol, *ends = entry
    interval = ends[0] if len(ends) == 1 else sp.Interval(*(sp.sympify(end) for end in ends))
    if not isinstance(symbol, sp.Symbol) or not isinstance(interval, sp.Interval):
        raise IntervalError(f"range {entry}: expected (symbol, lo, hi) with lo < hi")
    if len(ends) == 2 and any(sp.sympify(end).is_Float for end in ends):
        raise IntervalError(f"range of {symbol}: {ends} has a float for an end")
    axis = Axis(
        symbol,
        _end(interval.start, symbol),
        _end(interval.end, symbol),
        bool(interval.left_open),
        bool(interval.right_open),
    )
    if symbol.is_integer:
        raise IntervalError(f"{symbol} is declared an integer; the proof is for real values: use a real symbol")
    below = axis.lo is None or axis.lo < 0
    above = axis.hi is None or axis.hi > 0
    if (symbol.is_nonnegative and below) or (symbol.is_nonpositive and above):
        raise IntervalError(f"{symbol} is declared of one sign, but ranges over {axis}")
    return axis


def _rational_text(value: fmpq | None, infinite: str) -> str:
    return infinite if value is None else str(value)


@dataclass(frozen=True)
class Axis:
    """Range of one variable; None stands for an infinite end."""

    symbol: sp.Symbol
    lo: fmpq | None
    hi: fmpq | None
    lo_open: bool = False
    hi_open: bool = False

    def __str__(self) -> str:
        left = "(" if self.lo is None or self.lo_open else "["
        right = ")" if self.hi is None or self.hi_open else "]"
        return f"{self.symbol} in {left}{_rational_text(self.lo, '-oo')}, {_rational_text(self.hi, 'oo')}{right}"

    def at(self, u: fmpq) -> fmpq | None:
        """Map the unit interval onto the range; None where the value is infinite."""
        if self.lo is not None and self.hi is not None:
            return self.lo + (self.hi - self.lo) * u
        if (u == 0 and self.lo is None) or (u == 1 and self.hi is None):
            return None
        if self.lo is not None:
            return self.lo + u / (1 - u)
        if self.hi is not None:
            return self.hi - (1 - u) / u
        return (2 * u - 1) / (u * (1 - u))

    def floats(self, u: Floats) -> Floats:
        """Floating-point version of `at`."""
        with np.errstate(all="ignore"):
            if self.lo is not None and self.hi is not None:
                return float_of(self.lo) + float_of(self.hi - self.lo) * u
            if self.lo is not None:
                return float_of(self.lo) + u / (1.0 - u)
            if self.hi is not None:
                return float_of(self.hi) - (1.0 - u) / u
            return (2.0 * u - 1.0) / (u * (1.0 - u))

    def rounding(self, values: Floats) -> Floats:
        """Bound of the rounding errors of `floats`: a few units in the last place of what was added."""
        ends = sum(abs(float_of(end)) for end in (self.lo, self.hi) if end is not None)
        return 2.0**-48 * (ends + values)

    @functools.cached_property
    def exact(self) -> bool:
        """Whether `floats` is exact at every corner of the first 20 bisections."""
        if self.lo is None or self.hi is None:
            return False
        return all(abs(int(end.p)) <= 2**20 and int(end.q) in (1, 2, 4, 8, 16, 32, 64) for end in (self.lo, self.hi))

    def contains(self, value: fmpq) -> bool:
        """Whether a rational lies in the range."""
        above = self.lo is None or value > self.lo or (value == self.lo and not self.lo_open)
        below = self.hi is None or value < self.hi or (value == self.hi and not self.hi_open)
        return above and below

    def inside(self, value: fmpq) -> bool:
        """Whether a rational lies strictly between the ends."""
        return (self.lo is None or value > self.lo) and (self.hi is None or value < self.hi)


def float_of(value: fmpq) -> float:
    """Round a rational to the nearest float."""
    return int(value.p) / int(value.q)


@dataclass(frozen=True)
class Region:
    """Box of all variables."""

    axes: tuple[Axis, ...]

    def __str__(self) -> str:
        return ", ".join(str(axis) for axis in self.axes)

    @property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """Variables, in order."""
        return tuple(axis.symbol for axis in self.axes)

    def axis(self, name: str) -> Axis:
        """Return the range of a variable."""
        for axis in self.axes:
            if axis.symbol.name == name:
                return axis
        raise RejectedError(f"no variable is called {name}")

    def without(self, name: str) -> "Region":
        """Drop a variable."""
        return Region(tuple(axis for axis in self.axes if axis.symbol.name != name))

    def with_axis(self, new: Axis) -> "Region":
        """Replace the range of a variable."""
        return Region(tuple(new if axis.symbol == new.symbol else axis for axis in self.axes))

    def opened(self) -> "Region":
        """Return the interior."""
        return Region(tuple(replace(axis, lo_open=True, hi_open=True) for axis in self.axes))

    def spans(self, low: Sequence[fmpq], high: Sequence[fmpq], kind: type[Span] = Span) -> list[Span]:
        """Return the spans of a box given in unit coordinates."""
        return [
            kind.between(axis.at(a), axis.at(b), a == 0 and axis.lo_open, b == 1 and axis.hi_open)
            for axis, a, b in zip(self.axes, low, high, strict=True)
        ]

    def whole(self, kind: type[Span] = Span) -> list[Span]:
        """Return the spans of the region itself."""
        size = len(self.axes)
        return self.spans([fmpq(0)] * size, [fmpq(1)] * size, kind)


@dataclass(frozen=True)
class Goal:
    """To prove: ``f >= 0`` in the interior of a region, or ``f > 0`` on all of it."""

    f: sp.Expr
    region: Region
    strict: bool = False

    @functools.cached_property
    def reduced(self) -> "Goal":
        """The same goal without variables that do not occur; the interior, where that is enough."""
        axes = tuple(axis for axis in self.region.axes if axis.symbol in self.f.free_symbols)
        region = Region(axes)
        return Goal(self.f, region if self.strict else region.opened(), self.strict)

    @property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """Variables of the region."""
        return self.region.symbols

    def accepts(self, value: Span) -> bool:
        """Whether a span of values of f settles the goal."""
        return value.positive if self.strict else value.nonnegative

    def on(self, axis: Axis) -> "Goal":
        """Return the same goal on a smaller range of one variable."""
        return replace(self, region=self.region.with_axis(axis))


# ---------------------------------------------------------------------------------------------------------------------
# Symbolic facts
# ---------------------------------------------------------------------------------------------------------------------


def _unfold_lambert(f: sp.Expr) -> sp.Expr:
    """Write factors W(z) as z exp(-W(z)), the same by definition: in W' = W / (z (1 + W)) it cancels z."""

    def unfold(product: sp.Mul) -> sp.Expr:
        for factor in product.args:
            if isinstance(factor, sp.LambertW):
                return product / factor * factor.args[0] * sp.exp(-factor)
        return product

    return f.replace(lambda node: node.is_Mul and node.has(sp.LambertW), unfold) if f.has(sp.LambertW) else f


FORMS: tuple[Callable[[sp.Expr], sp.Expr], ...] = (
    lambda f: f,
    lambda f: sp.factor(sp.together(f), deep=True),
    sp.expand,
    _unfold_lambert,
)
"""Ways to write an expression; natural extensions depend on it."""


HYPERBOLIC = (sp.sinh, sp.cosh, sp.tanh)


@functools.lru_cache(maxsize=512)
def form(f: sp.Expr, index: int) -> sp.Expr:
    """Return an expression in another form."""
    return FORMS[index](f)


@functools.lru_cache(maxsize=512)
def derivative(f: sp.Expr, symbol: sp.Symbol, order: int) -> sp.Expr:
    """Return a partial derivative."""
    return f if order == 0 else sp.diff(derivative(f, symbol, order - 1), symbol)


@functools.lru_cache(maxsize=512)
def is_zero(f: sp.Expr) -> bool:
    """Whether SymPy reduces an expression to the literal 0 (first asking arb for a point where it is not)."""
    if f == 0:
        return True
    point = {symbol: sp.Rational(k + 2, 2 * k + 7) for k, symbol in enumerate(sorted(f.free_symbols, key=str))}
    try:
        if not number(f.subs(point)).contains(0):
            return False
    except (IntervalError, KeyError):
        pass
    if sp.expand(f) == 0 or (f.has(*HYPERBOLIC) and sp.expand(f.rewrite(sp.exp)) == 0):
        return True
    return bool(sp.simplify(f) == 0)


def vanishes(f: sp.Expr, region: Region) -> bool:
    """Whether f = 0 on a region: literally, or because its derivatives do and its value at one point does."""
    if is_zero(f):
        return True
    free = [axis for axis in region.axes if axis.symbol in f.free_symbols]
    if not free:
        return False
    centre = {axis.symbol: _sympy(_centre(axis)) for axis in free}
    try:
        defined(f, Region(tuple(free)).opened(), SmoothSpan)
    except RejectedError:
        return False
    return is_zero(f.subs(centre)) and all(is_zero(sp.diff(f, axis.symbol)) for axis in free)


def _centre(axis: Axis) -> fmpq:
    centre = axis.at(fmpq(1, 2))
    assert centre is not None  # only the ends of a range are infinite
    return centre


def _sympy(value: fmpq) -> sp.Rational:
    return sp.Rational(int(value.p), int(value.q))


def _rational(text: str) -> fmpq:
    try:
        fraction = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise RejectedError(f"{text!r} is not a rational number") from None
    return fmpq(fraction.numerator, fraction.denominator)


def defined(f: sp.Expr, region: Region, kind: type[Span] = Span, limit: int = 4096) -> None:
    """Check that f is defined (and smooth, for `SmoothSpan`) everywhere on a region, by bisection.

    Raises
    ------
    RejectedError
        With a box on which that could not be shown.
    """
    program = compile_program([f], region.symbols, "span", kind)
    size = len(region.axes)
    boxes = [([fmpq(0)] * size, [fmpq(1)] * size)]
    for _ in range(limit):
        if not boxes:
            return
        low, high = boxes.pop()
        try:
            program(*region.spans(low, high, kind))
        except UndefinedError as problem:
            widths = [b - a for a, b in zip(low, high, strict=True)]
            if not size or max(widths) < fmpq(1, 4096):
                raise RejectedError(f"{f} may be undefined on {_box_text(region, low, high)}: {problem}") from None
            axis = widths.index(max(widths))
            middle = (low[axis] + high[axis]) / 2
            boxes.append((low, [*high[:axis], middle, *high[axis + 1 :]]))
            boxes.append(([*low[:axis], middle, *low[axis + 1 :]], high))
    raise RejectedError(f"{f} may be undefined somewhere on {region}")


def _box_text(region: Region, low: Sequence[fmpq], high: Sequence[fmpq]) -> str:
    parts = []
    for axis, a, b in zip(region.axes, low, high, strict=True):
        ends = [axis.at(a), axis.at(b)]
        texts = [
            infinite if end is None else f"{float_of(end):.9g}"
            for end, infinite in zip(ends, ("-oo", "oo"), strict=True)
        ]
        parts.append(f"{axis.symbol} in [{texts[0]}, {texts[1]}]")
    return ", ".join(parts)


# ---------------------------------------------------------------------------------------------------------------------
# Trees of boxes
# ---------------------------------------------------------------------------------------------------------------------

NATURAL, MEAN, SPAN, SPLIT = 0, 1, 2, 3
"""Codes of a box: how its enclosure is computed, or ``SPLIT + axis`` where it is bisected."""


class Certifier:
    """Rigorous tests of f >= 0 (or f > 0) on boxes of a region, given in unit coordinates."""

    def __init__(self, goal: Goal, index: int) -> None:
        self.goal = goal
        self.f = form(goal.f, index)
        self.gradient = [derivative(self.f, symbol, 1) for symbol in goal.symbols]

    def certify(self, code: int, low: Floats, high: Floats, level: int) -> Bools:
        """Test all boxes ``low, high: (d, n)`` in one of the three ways."""
        if low.shape[1] == 0:
            return np.zeros(0, dtype=np.bool_)
        if code == SPAN:
            return self._spans(low, high)
        test = self._natural if code == NATURAL else self._mean
        centres, radii = self._balls(low, high, level)
        return np.array(test(*centres.tolist(), *radii.tolist()), dtype=np.bool_)

    def _balls(self, low: Floats, high: Floats, level: int) -> tuple[Floats, Floats]:
        """Return centres and radii of balls that contain the boxes."""
        centres, radii = np.empty_like(low), np.empty_like(low)
        for row, axis in enumerate(self.goal.region.axes):
            left, right = axis.floats(low[row]), axis.floats(high[row])
            centres[row] = (left + right) / 2
            radii[row] = (right - left) / 2
            if level > 20 or not axis.exact:
                radii[row] += axis.rounding(np.maximum(np.abs(left), np.abs(right)))
        return centres, radii

    @functools.cached_property
    def _natural(self) -> Callable[..., list[bool]]:
        code = source([self.f], self.goal.symbols, "arb")
        body = [*code.lines, f"out.append({code.outputs[0]} {self._relation} ZERO)"]
        return execute(_loop(body, len(self.goal.symbols)), "test", code.constants, "arb")

    @functools.cached_property
    def _mean(self) -> Callable[..., list[bool]]:
        size = len(self.goal.symbols)
        code = source(self.gradient, self.goal.symbols, "arb")
        at_centre = compile_program([self.f], self.goal.symbols, "arb")
        terms = [f"({output}) * arb(0, r{index})" for index, output in enumerate(code.outputs)]
        centre = f"centre({', '.join(f'arb(m{index})' for index in range(size))})[0]"
        body = [*code.lines, f"out.append({' + '.join([centre, *terms])} {self._relation} ZERO)"]
        return execute(_loop(body, size), "test", code.constants, "arb", names={"centre": at_centre})

    @property
    def _relation(self) -> str:
        return ">" if self.goal.strict else ">="

    @functools.cached_property
    def span(self) -> Callable[..., tuple[Span]]:
        """Natural extension in span arithmetic."""
        return compile_program([self.f], self.goal.symbols, "span")

    def _spans(self, low: Floats, high: Floats) -> Bools:
        answers = []
        for a, b in zip(low.T.tolist(), high.T.tolist(), strict=True):
            box = self.goal.region.spans([_exact(u) for u in a], [_exact(u) for u in b])
            try:
                answers.append(self.goal.accepts(self.span(*box)[0]))
            except UndefinedError:
                answers.append(False)
        return np.array(answers, dtype=np.bool_)


def _exact(value: float) -> fmpq:
    return fmpq(*value.as_integer_ratio())


def _loop(body: Sequence[str], size: int) -> str:
    """Return the code of a function that runs ``body`` on the balls ``x = arb(m, r)`` of all boxes."""
    centres = ", ".join(f"m{index}" for index in range(size))
    radii = ", ".join(f"r{index}" for index in range(size))
    arguments = ", ".join([*(f"M{index}" for index in range(size)), *(f"R{index}" for index in range(size))])
    balls = [f"x{index} = arb(m{index}, r{index})" for index in range(size)]
    lines = "\n        ".join([*balls, *body])
    return (
        f"def test({arguments}):\n    out = []\n"
        f"    for {centres}, {radii} in zip({arguments}):\n        {lines}\n    return out\n"
    )


def children(low: Floats, high: Floats, axes: Codes) -> tuple[Floats, Floats]:
    """Bisect each box along its axis; the two halves follow each other."""
    low, high = np.repeat(low, 2, axis=1), np.repeat(high, 2, axis=1)
    first, rows = np.arange(0, low.shape[1], 2), axes.astype(np.intp)
    middle = (low[rows, first] + high[rows, first]) / 2
    high[rows, first] = middle
    low[rows, first + 1] = middle
    return low, high


def pack(levels: Sequence[Codes]) -> str:
    """Write the codes of a tree, level by level, as text."""
    return base64.b85encode(zlib.compress(b"".join(level.tobytes() for level in levels), 9)).decode()


def unpack(text: str) -> Codes:
    """Invert `pack`."""
    try:
        data = zlib.decompressobj().decompress(base64.b85decode(text), MAX_TREE_BYTES)
    except (ValueError, zlib.error) as problem:
        raise RejectedError(f"the tree of boxes cannot be read: {problem}") from None
    return np.frombuffer(data, dtype=np.uint8)


def verify_tree(goal: Goal, index: int, text: str) -> None:
    """Check that a stored tree covers the region, and that f >= 0 (or f > 0) on each of its boxes.

    Raises
    ------
    RejectedError
        With the first box that fails, or the reason why the tree does not cover the region.
    """
    codes, size, used, level = unpack(text), len(goal.region.axes), 0, 0
    certifier = Certifier(goal, index)
    low, high = np.zeros((size, 1)), np.ones((size, 1))
    while low.shape[1]:
        here = codes[used : used + low.shape[1]]
        if here.size < low.shape[1] or level > MAX_DEPTH:
            raise RejectedError(f"the tree of boxes does not cover {goal.region}")
        if np.any(here >= SPLIT + size):
            raise RejectedError("the tree of boxes splits along a variable that does not exist")
        for code in (NATURAL, MEAN, SPAN):
            chosen = here == code
            failed = np.flatnonzero(~certifier.certify(code, low[:, chosen], high[:, chosen], level))
            if failed.size:
                a, b = low[:, chosen][:, failed[0]], high[:, chosen][:, failed[0]]
                box = _box_text(goal.region, [_exact(float(u)) for u in a], [_exact(float(u)) for u in b])
                raise RejectedError(f"{goal.f} is not shown to be nonnegative on {box}")
        split = here >= SPLIT
        used += here.size
        low, high = children(low[:, split], high[:, split], here[split] - SPLIT)
        level += 1
    if used != codes.size:
        raise RejectedError("the tree of boxes has more entries than boxes")


# ---------------------------------------------------------------------------------------------------------------------
# Rules
# ---------------------------------------------------------------------------------------------------------------------

Subgoal = tuple[Goal, tuple[Hint, ...]]


def subgoals(goal: Goal, node: Node, hints: tuple[Hint, ...]) -> list[Subgoal]:
    """Check the side conditions of a step and return what remains to be proved.

    Raises
    ------
    RejectedError
        If the step is not justified.
    """
    rule = node.get("rule")
    if not isinstance(rule, str) or rule not in _RULES:
        raise RejectedError(f"unknown rule {rule!r}")
    return _RULES[rule](goal, node, hints)


def verify(goal: Goal, node: Json, hints: tuple[Hint, ...]) -> None:
    """Check a proof.

    Raises
    ------
    RejectedError
        Naming the first step that does not hold.
    """
    goal = goal.reduced
    try:
        remaining = subgoals(goal, node, hints)
        parts = node.get("parts", [])
        if len(parts) != len(remaining):
            raise RejectedError(
                f"step {node['rule']} leaves {len(remaining)} goals, but {len(parts)} proofs are stored"
            )
    except (AttributeError, KeyError, TypeError, IndexError) as problem:
        raise RejectedError(f"a step cannot be read: {type(problem).__name__} {problem}") from None
    for (subgoal, subhints), part in zip(remaining, parts, strict=True):
        verify(subgoal, part, subhints)


def _zero(goal: Goal, node: Node, hints: tuple[Hint, ...]) -> list[Subgoal]:
    """F = 0 identically."""
    del node, hints
    if goal.strict or not vanishes(goal.f, goal.region):
        raise RejectedError(f"{goal.f} is not identically zero")
    return []


def _span(goal: Goal, node: Node, hints: tuple[Hint, ...]) -> list[Subgoal]:
    """Natural extension over the whole region."""
    del hints
    expression = form(goal.f, int(node["form"]))
    try:
        value = compile_program([expression], goal.symbols, "span")(*goal.region.whole())[0]
    except UndefinedError as problem:
        raise RejectedError(expression, " on ", goal.region, ": ", problem) from None
    if not goal.accepts(value):
        raise RejectedError(expression, " is not shown to be nonnegative on ", goal.region)
    return []


def _boxes(goal: Goal, node: Node, hints: tuple[Hint, ...]) -> list[Subgoal]:
    """Bisection."""
    del hints
    verify_tree(goal, int(node["form"]), node["tree"])
    return []


def _cut(goal: Goal, node: Node, hints: tuple[Hint, ...]) -> list[Subgoal]:
    """Two halves; for a strict goal both contain the cut."""
    axis, at = goal.region.axis(node["symbol"]), _rational(node["at"])
    if not axis.inside(at):
        raise RejectedError(f"{at} is not inside {axis}")
    return [
        (goal.on(replace(axis, hi=at, hi_open=False)), hints),
        (goal.on(replace(axis, lo=at, lo_open=False)), hints),
    ]


def _factor(goal: Goal, node: Node, hints: tuple[Hint, ...]) -> list[Subgoal]:
    """Factors of one sign are left out."""
    del node
    rest, sign = signed_rest(goal)
    if not rest:
        raise RejectedError(f"{goal.f} has no factor of one sign")
    product = sign * sp.Mul(*(base**exponent for base, exponent in rest if base != 1))
    if product == 1:
        return []
    return [(replace(goal, f=product), hints)]


def signed_rest(goal: Goal) -> tuple[list[tuple[sp.Expr, sp.Expr]], int]:
    """Return the factors of f whose sign is not known (or (1, 1) if none is left), and the sign of the others.

    The list is empty where nothing can be left out.
    """
    rest: list[tuple[sp.Expr, sp.Expr]] = []
    sign, progress = 1, False
    for factor in sp.Mul.make_args(form(goal.f, 1)):
        base, exponent = factor.as_base_exp()
        here = _sign_on(base, goal.region)
        if here is None and exponent.is_Integer and exponent % 2 == 0 and exponent > 0 and not goal.strict:
            here = 1
        if here is None or (here < 0 and not exponent.is_Integer):
            rest.append((base, exponent))
            continue
        progress = progress or bool(factor.free_symbols)
        if here < 0 and exponent % 2:
            sign = -sign
    if not progress:
        return [], 1
    return (rest or [(sp.Integer(1), sp.Integer(1))]), sign


def _sign_on(f: sp.Expr, region: Region) -> int | None:
    try:
        value = compile_program([f], region.symbols, "span")(*region.whole())[0]
    except (UndefinedError, IntervalError):
        return None
    return 1 if value.positive else -1 if value.negative else None


def _hinted(
    goal: Goal, node: Node, hints: tuple[Hint, ...], kind: type[Taylor | Slope]
) -> tuple[Axis, sp.Expr, Taylor | Slope | None]:
    """Return the variable and the point of a step: a hint of the statement, or a stored rational."""
    if "hint" in node:
        hint = hints[int(node["hint"])]
        if not isinstance(hint, kind):
            raise RejectedError(f"hint {node['hint']} is not for this rule")
        return goal.region.axis(hint.symbol.name), sp.sympify(hint.at), hint
    return goal.region.axis(node["symbol"]), _sympy(_rational(node["at"])), None


def _check_curve(goal: Goal, axis: Axis, at: sp.Expr) -> None:
    """Check that a curve stays strictly inside the range, for all values of the other variables."""
    others = goal.region.without(axis.symbol.name)
    if axis.symbol in at.free_symbols:
        raise RejectedError(f"{at} depends on {axis.symbol}")
    for end, gap in ((axis.lo, 1), (axis.hi, -1)):
        if end is None:
            continue
        if _sign_on(sp.factor(sp.together(gap * (at - _sympy(end)))), others.opened()) != 1:
            raise RejectedError(f"{axis.symbol} = {at} is not shown to lie inside {axis}")
    defined(at, others.opened(), SmoothSpan)


def _taylor(goal: Goal, node: Node, hints: tuple[Hint, ...]) -> list[Subgoal]:
    """Lagrange's form of the remainder along one variable."""
    axis, at, hint = _hinted(goal, node, hints, Taylor)
    hint = hint if isinstance(hint, Taylor) else None
    order = hint.order if hint else int(node["order"])
    if not 1 <= order <= 12:
        raise RejectedError(f"order {order} is not between 1 and 12")
    if at.is_Rational:
        point = rational(at)
        if point not in (axis.lo, axis.hi):
            raise RejectedError(f"{at} is not an end of {axis}: cut there first")
        side = 1 if point == axis.lo else -1
        closed = replace(axis, lo_open=side < 0, hi_open=side > 0)
    else:
        _check_curve(goal, axis, at)
        if order % 2:
            raise RejectedError("an expansion around a curve needs an even order")
        side, closed = 1, replace(axis, lo_open=True, hi_open=True)
    defined(goal.f, goal.region.opened().with_axis(closed), SmoothSpan)
    others = goal.region.without(axis.symbol.name)
    goals: list[Subgoal] = []
    for k in range(order):
        base = side**k * derivative(goal.f, axis.symbol, k).subs(axis.symbol, at)
        strict = goal.strict and k == 0
        if strict or not vanishes(base, others):
            goals.append((Goal(base, others, strict), hint.base if hint and k == 0 else ()))
    top = side**order * derivative(goal.f, axis.symbol, order)
    return [*goals, (Goal(top, goal.region), hint.then if hint else ())]


def _terms(goal: Goal, node: Node, hints: tuple[Hint, ...]) -> list[Subgoal]:
    """Nonnegative terms."""
    hint = hints[int(node["hint"])]
    if not isinstance(hint, Terms) or goal.strict:
        raise RejectedError(f"hint {node['hint']} is not for this rule")
    if not is_zero(goal.f - sp.Add(*hint.terms)):
        raise RejectedError(f"{goal.f} is not the sum of {hint.terms}")
    return [(Goal(sp.sympify(term), goal.region), hint.then) for term in hint.terms]


def _slope(goal: Goal, node: Node, hints: tuple[Hint, ...]) -> list[Subgoal]:
    """Monotone on both sides of a zero."""
    axis, at, hint = _hinted(goal, node, hints, Slope)
    if goal.strict:
        raise RejectedError("a zero refutes a strict relation")
    region = goal.region.opened()
    if at.is_Rational:
        point = rational(at)
        closed = replace(region.axis(axis.symbol.name), lo_open=point != axis.lo, hi_open=point != axis.hi)
        if not replace(axis, lo_open=False, hi_open=False).contains(point):
            raise RejectedError(f"{at} is not in {axis}")
        defined(goal.f, region.with_axis(closed))
    else:
        _check_curve(goal, axis, at)
    defined(goal.f, region, SmoothSpan)
    if not vanishes(goal.f.subs(axis.symbol, at), region.without(axis.symbol.name)):
        raise RejectedError(f"{goal.f} is not zero at {axis.symbol} = {at}")
    slope = derivative(goal.f, axis.symbol, 1)
    if isinstance(hint, Slope) and hint.factor is not None:
        quotient = sp.sympify(hint.factor)
        if not is_zero(slope - (axis.symbol - at) * quotient):
            raise RejectedError(f"the derivative is not ({axis.symbol} - ({at})) times {quotient}")
    else:
        quotient = quotient_of(slope, axis.symbol - at)
    return [(Goal(quotient, goal.region), hint.then if hint else ())]


@functools.lru_cache(maxsize=512)
def quotient_of(slope: sp.Expr, gap: sp.Expr) -> sp.Expr:
    """Return slope / gap with the gap cancelled."""
    return sp.factor(sp.cancel(sp.together(slope / gap)))


def _invert(goal: Goal, node: Node, hints: tuple[Hint, ...]) -> list[Subgoal]:
    """Substitution x = 1 / s."""
    del hints
    axis = goal.region.axis(node["symbol"])
    if axis.lo is None or axis.lo < 0 or (axis.lo == 0 and not axis.lo_open):
        raise RejectedError(f"{axis} is not positive")
    new = sp.Symbol(f"{axis.symbol.name}_inverse", positive=True)
    lo, hi = fmpq(0) if axis.hi is None else 1 / axis.hi, None if axis.lo == 0 else 1 / axis.lo
    inverse = Axis(new, lo, hi, axis.hi is None or axis.hi_open, axis.lo_open)
    axes = tuple(inverse if other == axis else other for other in goal.region.axes)
    return [(Goal(inverted(goal.f, axis.symbol, new), Region(axes), goal.strict), ())]


@functools.lru_cache(maxsize=512)
def inverted(f: sp.Expr, symbol: sp.Symbol, new: sp.Symbol) -> sp.Expr:
    """Return f with ``symbol = 1 / new``, simplified."""
    return sp.simplify(f.subs(symbol, 1 / new))


_RULES: dict[str, Callable[[Goal, Node, tuple[Hint, ...]], list[Subgoal]]] = {
    "zero": _zero,
    "span": _span,
    "boxes": _boxes,
    "cut": _cut,
    "factor": _factor,
    "taylor": _taylor,
    "slope": _slope,
    "invert": _invert,
    "terms": _terms,
}
