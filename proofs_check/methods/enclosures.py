r"""Enclosures of scalar expressions: one straight-line program, three arithmetics.

A SymPy expression is compiled once to straight-line Python with common subexpressions shared. The program runs on

* **arb balls** (python-flint), the fast rigorous arithmetic of finite boxes. A ball that leaves the domain of a
  function becomes NaN, and no comparison with NaN is ever true;
* **spans** :class:`Span`: intervals with arb end points, which may be infinite and know whether they are attained.
  They are exact at zero, so that squares are nonnegative and :math:`1 - p` is positive for :math:`p < 1`, and cover
  unbounded boxes. Leaving the domain raises :class:`UndefinedError`;
* **boxes** :class:`Boxes`: arrays of floating-point intervals, *not* rounded outwards. They only guess where a proof
  may be found, and nothing is ever concluded from them.

Trusted here: arb, the translation of expressions to programs, and the case distinctions of `Span`.
"""

import functools
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import sympy as sp
from flint import arb, ctx, fmpq

PRECISION = 64
"""Working precision of arb in bits."""

Floats = npt.NDArray[np.float64]
Backend = Literal["arb", "span", "boxes"]


class IntervalError(ValueError):
    """A statement that this method cannot read; the message names the entry."""


class UndefinedError(ArithmeticError):
    """An expression may be undefined (or not smooth) somewhere on a box."""


class XLogX(sp.Function):
    """The function x log x, continued by 0 at x = 0."""

    nargs = 1


FUNCTIONS: dict[Any, str] = {
    sp.exp: "exp",
    sp.log: "log",
    sp.sinh: "sinh",
    sp.cosh: "cosh",
    sp.tanh: "tanh",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.atan: "atan",
    sp.erf: "erf",
    sp.LambertW: "lambertw",
    XLogX: "xlogx",
}
"""SymPy functions that have an enclosure, and the method that computes it."""


ATOMS: dict[sp.Expr, Callable[[], arb]] = {sp.pi: arb.pi, sp.E: arb.const_e, sp.EulerGamma: arb.const_euler}
"""Irrational constants."""


def fuse_entropy(expression: sp.Expr) -> sp.Expr:
    """Rewrite products a^k log(a) with k >= 1 by `XLogX`, which is defined at a = 0."""

    def fuse(product: sp.Mul) -> sp.Expr:
        powers = product.as_powers_dict()
        for factor in product.args:
            if isinstance(factor, sp.log):
                base = factor.args[0]
                exponent = sp.sympify(powers[base])
                if exponent.is_Rational and exponent >= 1:
                    return product / (base * factor) * XLogX(base)
        return product

    return expression.replace(lambda node: node.is_Mul and node.has(sp.log), fuse)


def reject_floats(expression: sp.Basic) -> None:
    """Raise an error that names the first floating-point number of an expression."""
    floats = sorted(expression.atoms(sp.Float), key=str)
    if floats:
        exact = Fraction(str(floats[0])).limit_denominator(10**9)
        raise IntervalError(
            f"{expression}: {floats[0]} is a float; write Rational({exact.numerator}, {exact.denominator})"
        )


class _Writer:
    """Prints SymPy expressions as Python expressions in named temporaries and constants."""

    def __init__(self, names: dict[sp.Symbol, str], backend: Backend, *, fold: bool = True) -> None:
        self.names = names
        self.backend = backend
        self.fold = fold
        self.constants: dict[sp.Expr, str] = {}

    def constant(self, value: sp.Expr) -> str:
        return self.constants.setdefault(value, f"c{len(self.constants)}")

    def write(self, node: sp.Expr) -> str:
        if node in self.names:
            return self.names[node]
        if node in ATOMS or node.is_Rational or (self.fold and not node.free_symbols):
            return self.constant(node)
        if node.is_Add:
            return self._sum(node)
        if node.is_Mul:
            return self._product(node)
        if node.is_Pow:
            return self._power(node)
        if isinstance(node, sp.Max | sp.Min):
            name = "max" if isinstance(node, sp.Max) else "min"
            texts = [self.write(part) for part in sorted(node.args, key=lambda part: bool(part.is_number))]
            return functools.reduce(lambda left, right: f"({left}).{name}({right})", texts)
        if isinstance(node, sp.Abs):
            return f"abs({self.write(node.args[0])})"
        name = FUNCTIONS.get(node.func, "")
        if not name or len(node.args) != 1:
            raise IntervalError(f"{node}: no enclosure of {type(node).__name__} is available")
        argument = self.write(node.args[0])
        return f"xlogx({argument})" if name == "xlogx" else f"({argument}).{name}()"

    def _sum(self, node: sp.Add) -> str:
        terms = sorted(node.args, key=lambda term: (_negative(term), bool(term.is_number)))
        text = self.write(terms[0])
        for term in terms[1:]:
            text += f" - {self.write(-term)}" if _negative(term) else f" + {self.write(term)}"
        return f"({text})"

    def _product(self, node: sp.Mul) -> str:
        if _negative(node):
            return f"(-{self.write(-node)})"
        above: list[str] = []
        below: list[str] = []
        for factor in sorted(node.args, key=lambda factor: not factor.is_number):
            if factor.is_Pow and factor.exp.is_Rational and factor.exp < 0:
                below.append(self.write(1 / factor))
            else:
                above.append(self.write(factor))
        text = " * ".join(above) or self.constant(sp.Integer(1))
        return f"({text} / ({' * '.join(below)}))" if below else f"({text})"

    def _power(self, node: sp.Pow) -> str:
        base, exponent = node.args
        if exponent.is_Integer and exponent < 0:
            return f"({self.constant(sp.Integer(1))} / {self.write(1 / node)})"
        text = self.write(base)
        if exponent == 2 and self.backend == "arb" and text.isidentifier():
            return f"({text} * {text})"
        if exponent.is_Integer:
            return f"({text})**{int(exponent)}"
        if exponent == sp.Rational(1, 2):
            return f"({text}).sqrt()"
        if not base.free_symbols or exponent.free_symbols:
            return f"({self.write(exponent)} * {self.write(sp.log(base))}).exp()"
        return f"power({text}, {self.constant(exponent)})"


def _negative(term: sp.Expr) -> bool:
    return bool(term.as_coeff_Mul()[0].is_negative)


@dataclass(frozen=True)
class Source:
    """Straight-line code: statements, the value of each output, and the constants that they name."""

    lines: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: dict[str, sp.Expr]


def source(outputs: Sequence[sp.Expr], symbols: Sequence[sp.Symbol], backend: Backend) -> Source:
    """Translate expressions to statements over the variables ``x0, x1, ...``, sharing common subexpressions."""
    for output in outputs:
        reject_floats(output)
        strange = sorted(output.free_symbols - set(symbols), key=str)
        if strange:
            raise IntervalError(f"{output}: no range is given for {strange[0]}")
    expressions = [fuse_entropy(output) for output in outputs]
    writer = _Writer({symbol: f"x{index}" for index, symbol in enumerate(symbols)}, backend)
    lines = []
    for index, shared in enumerate(_shared(expressions)):
        lines.append(f"t{index} = {writer.write(shared)}")
        writer.names[shared] = f"t{index}"
    texts = tuple(writer.write(expression) for expression in expressions)
    return Source(tuple(lines), texts, {name: value for value, name in writer.constants.items()})


def _shared(expressions: Sequence[sp.Expr]) -> list[sp.Expr]:
    """Return the compound subexpressions that occur more than once, inner ones first."""
    uses: dict[sp.Expr, int] = {}

    def visit(node: sp.Expr) -> None:
        uses[node] = uses.get(node, 0) + 1
        if uses[node] == 1:
            for part in node.args:
                visit(part)
            uses[node] = uses.pop(node)  # keeps the order of insertion: after all parts

    for expression in expressions:
        visit(expression)
    return [node for node, count in uses.items() if count > 1 and node.args and node.free_symbols]


def compile_program(
    outputs: Sequence[sp.Expr], symbols: Sequence[sp.Symbol], backend: Backend, kind: type["Span"] | None = None
) -> Callable[..., tuple[Any, ...]]:
    """Return a function of the variables that evaluates all outputs in one arithmetic."""
    key: tuple[Any, ...] = (tuple(outputs), tuple(symbols), backend, kind, ctx.prec)
    program: Callable[..., tuple[Any, ...]] = _compile_program(*key)
    return program


@functools.lru_cache(maxsize=1024)
def _compile_program(
    outputs: tuple[sp.Expr, ...],
    symbols: tuple[sp.Symbol, ...],
    backend: Backend,
    kind: Any,
    precision: int,
) -> Callable[..., tuple[Any, ...]]:
    """Compile once for each precision, which is that of the constants."""
    del precision
    code = source(outputs, symbols, backend)
    arguments = ", ".join(f"x{index}" for index in range(len(symbols)))
    body = "\n    ".join((*code.lines, f"return ({', '.join(code.outputs)},)"))
    return execute(f"def program({arguments}):\n    {body}\n", "program", code.constants, backend, kind)


def execute(
    text: str,
    name: str,
    constants: dict[str, sp.Expr],
    backend: Backend,
    kind: type["Span"] | None = None,
    names: dict[str, Any] | None = None,
) -> Callable[..., Any]:
    """Compile generated code with its constants in the arithmetic of a backend, and with further names."""
    namespace: dict[str, Any] = {"arb": arb, "ZERO": arb(0), **HELPERS[backend], **(names or {})}
    for key, value in constants.items():
        namespace[key] = _constant(value, backend, kind)
    exec(compile(text, f"<{backend} program>", "exec"), namespace)
    function: Callable[..., Any] = namespace[name]
    return function


def _constant(value: sp.Expr, backend: Backend, kind: type["Span"] | None) -> Any:
    if backend == "boxes":
        return float(value)
    ball = number(value)
    return ball if backend == "arb" else (kind or Span)(ball.lower(), ball.upper(), False, False)


def number(value: sp.Expr) -> arb:
    """Return a ball that contains an exact number such as ``log(2) + 1/3``."""
    if value in ATOMS:
        return ATOMS[value]()
    if value.is_Rational:
        return arb(rational(value))
    reject_floats(value)
    writer = _Writer({}, "arb", fold=False)
    text = writer.write(fuse_entropy(value))
    names = {name: number(part) for part, name in writer.constants.items()}
    return eval(text, {**HELPERS["arb"], **names})


def rational(value: sp.Rational | Fraction | int) -> fmpq:
    """Return an exact rational as fmpq."""
    return fmpq(int(value.numerator), int(value.denominator))


def _arb_xlogx(ball: arb) -> arb:
    return ball if ball == 0 else ball * ball.log()


def _arb_power(base: arb, exponent: arb) -> arb:
    return (exponent * base.log()).exp()


# ---------------------------------------------------------------------------------------------------------------------
# Spans: rigorous, with infinite and open end points
# ---------------------------------------------------------------------------------------------------------------------

_INFINITY = arb.pos_inf()
_ZERO = arb(0)
_LIMITS: dict[str, tuple[arb | None, arb | None]] = {
    "exp": (_ZERO, _INFINITY),
    "log": (None, _INFINITY),
    "sqrt": (None, _INFINITY),
    "sinh": (-_INFINITY, _INFINITY),
    "tanh": (arb(-1), arb(1)),
    "erf": (arb(-1), arb(1)),
    "lambertw": (None, _INFINITY),
}


@dataclass(frozen=True, slots=True)
class Span:
    """Real interval with exact arb end points; an open end is not attained, an infinite end is always open."""

    lo: arb
    hi: arb
    lo_open: bool
    hi_open: bool

    smooth: ClassVar[bool] = False

    @classmethod
    def between(cls, lo: fmpq | None, hi: fmpq | None, lo_open: bool = False, hi_open: bool = False) -> Self:
        """Return the span between rational end points; None stands for an infinite end."""
        return cls(
            -_INFINITY if lo is None else arb(lo).lower(),
            _INFINITY if hi is None else arb(hi).upper(),
            lo is None or lo_open,
            hi is None or hi_open,
        )

    @property
    def positive(self) -> bool:
        """Whether every element is > 0."""
        return bool(self.lo > 0 or (self.lo == 0 and self.lo_open))

    @property
    def negative(self) -> bool:
        """Whether every element is < 0."""
        return bool(self.hi < 0 or (self.hi == 0 and self.hi_open))

    @property
    def nonnegative(self) -> bool:
        """Whether every element is >= 0."""
        return bool(self.lo >= 0)

    def _make(self, lo: arb, hi: arb, lo_open: bool, hi_open: bool) -> Self:
        """Round outwards; a value that is not a number means that something was undefined."""
        if lo.is_nan() or hi.is_nan():
            raise UndefinedError("an end point is not a number")
        low, high = lo.lower(), hi.upper()
        return type(self)(low, high, lo_open or not low.is_finite(), hi_open or not high.is_finite())

    def __neg__(self) -> Self:
        return self._make(-self.hi, -self.lo, self.hi_open, self.lo_open)

    def __add__(self, other: Self) -> Self:
        return self._make(
            self.lo + other.lo, self.hi + other.hi, self.lo_open or other.lo_open, self.hi_open or other.hi_open
        )

    def __sub__(self, other: Self) -> Self:
        return self + (-other)

    def __mul__(self, other: Self) -> Self:
        corners = [
            _corner(a, a_open, b, b_open)
            for a, a_open in ((self.lo, self.lo_open), (self.hi, self.hi_open))
            for b, b_open in ((other.lo, other.lo_open), (other.hi, other.hi_open))
        ]
        lo, hi = corners[0], corners[0]
        for corner in corners[1:]:
            lo = _lower_corner(lo, corner)
            hi = _upper_corner(hi, corner)
        return self._make(lo[0], hi[1], lo[2], hi[2])

    def _reciprocal(self) -> Self:
        if self.positive:
            top = _INFINITY if self.lo == 0 else 1 / self.lo
            return self._make(_ZERO if not self.hi.is_finite() else 1 / self.hi, top, self.hi_open, self.lo_open)
        if self.negative:
            return -((-self)._reciprocal())
        raise UndefinedError("division by an interval that contains zero")

    def __truediv__(self, other: Self) -> Self:
        return self * other._reciprocal()

    def __pow__(self, exponent: int) -> Self:
        base = self._size() if exponent % 2 == 0 else self
        lo, hi = (end**exponent if end.is_finite() else end for end in (base.lo, base.hi))
        return self._make(lo, hi, base.lo_open, base.hi_open)

    def __abs__(self) -> Self:
        if self.smooth and not (self.positive or self.negative):
            raise UndefinedError("an absolute value is not smooth at zero")
        return self._size()

    def _size(self) -> Self:
        if self.nonnegative:
            return self
        if self.hi <= 0:
            return -self
        if -self.lo == self.hi:
            return self._make(_ZERO, self.hi, False, self.lo_open and self.hi_open)
        left = bool(-self.lo > self.hi)
        return self._make(_ZERO, -self.lo if left else self.hi, False, self.lo_open if left else self.hi_open)

    def _increasing(self, name: str) -> Self:
        below, above = _LIMITS[name]
        lo = getattr(self.lo, name)() if self.lo.is_finite() else below
        hi = getattr(self.hi, name)() if self.hi.is_finite() else above
        if lo is None or hi is None:
            raise UndefinedError(f"{name} is not defined on the whole interval")
        return self._make(lo, hi, self.lo_open, self.hi_open)

    def exp(self) -> Self:
        """Return the exponential."""
        return self._increasing("exp")

    def sinh(self) -> Self:
        """Return the hyperbolic sine."""
        return self._increasing("sinh")

    def tanh(self) -> Self:
        """Return the hyperbolic tangent."""
        return self._increasing("tanh")

    def erf(self) -> Self:
        """Return the error function."""
        return self._increasing("erf")

    def atan(self) -> Self:
        """Return the arc tangent."""
        half = arb.pi() / 2
        lo = self.lo.atan() if self.lo.is_finite() else -half
        hi = self.hi.atan() if self.hi.is_finite() else half
        return self._make(lo, hi, self.lo_open, self.hi_open)

    def _ball(self) -> arb:
        """Return a ball that contains the interval."""
        return self.lo.union(self.hi) if self.lo.is_finite() and self.hi.is_finite() else arb(0, _INFINITY)

    def sin(self) -> Self:
        """Return the sine."""
        return self._bounded(self._ball().sin())

    def cos(self) -> Self:
        """Return the cosine."""
        return self._bounded(self._ball().cos())

    def _bounded(self, ball: arb) -> Self:
        one = arb(1)
        return self._make((-one).max(ball.lower()), one.min(ball.upper()), False, False)

    def cosh(self) -> Self:
        """Return the hyperbolic cosine: even, and increasing on the half-line."""
        size = self._size()
        hi = size.hi.cosh() if size.hi.is_finite() else _INFINITY
        return self._make(size.lo.cosh(), hi, size.lo_open, size.hi_open)

    def log(self) -> Self:
        """Return the logarithm of a positive interval."""
        if not self.positive:
            raise UndefinedError("logarithm of an interval that is not positive")
        lo = -_INFINITY if self.lo == 0 else self.lo.log()
        return self._make(lo, self.hi.log() if self.hi.is_finite() else _INFINITY, self.lo_open, self.hi_open)

    def sqrt(self) -> Self:
        """Return the square root of a nonnegative interval (positive, where smoothness is asked for)."""
        if not (self.positive if self.smooth else self.nonnegative):
            raise UndefinedError("square root of an interval that is not positive")
        return self._increasing("sqrt")

    def lambertw(self) -> Self:
        """Return the principal branch of Lambert's W on [0, oo) or above -1/e."""
        if not (self.lo.is_finite() and self.lo * arb.const_e() > -1):
            raise UndefinedError("Lambert W of an interval that is not above -1/e")
        return self._increasing("lambertw")

    def xlogx(self) -> Self:
        """Return x log x: decreasing up to 1/e, then increasing; 0 at 0."""
        if not (self.positive if self.smooth else self.nonnegative):
            raise UndefinedError("x log x of an interval that is not positive")
        lo = _ZERO if self.lo == 0 else self.lo * self.lo.log()
        hi = self.hi * self.hi.log() if self.hi.is_finite() else _INFINITY
        turn = (-arb(1)).exp()
        if self.lo > turn:
            return self._make(lo, hi, self.lo_open, self.hi_open)
        if self.hi < turn:
            return self._make(hi if self.hi > 0 else _ZERO, lo, self.hi_open, self.lo_open)
        return self._make(-turn, lo.max(hi) if hi.is_finite() else _INFINITY, False, False)

    def max(self, other: Self) -> Self:
        """Return the larger of two values."""
        if self.smooth and not ((self - other).positive or (other - self).positive):
            raise UndefinedError("a maximum is not smooth where its arguments cross")
        return self._make(self.lo.max(other.lo), self.hi.max(other.hi), False, False)

    def min(self, other: Self) -> Self:
        """Return the smaller of two values."""
        return -((-self).max(-other))


class SmoothSpan(Span):
    """Span that raises `UndefinedError` also where a function is continuous but not smooth."""

    __slots__ = ()
    smooth: ClassVar[bool] = True


def _corner(a: arb, a_open: bool, b: arb, b_open: bool) -> tuple[arb, arb, bool]:
    """Return a lower and an upper bound of a product of end points, and whether it is not attained."""
    if a == 0 or b == 0:
        attained = (a == 0 and not a_open) or (b == 0 and not b_open)
        return _ZERO, _ZERO, not attained
    product = a * b if a.is_finite() and b.is_finite() else (_INFINITY if (a > 0) == (b > 0) else -_INFINITY)
    return product.lower(), product.upper(), a_open or b_open


def _lower_corner(one: tuple[arb, arb, bool], two: tuple[arb, arb, bool]) -> tuple[arb, arb, bool]:
    if one[0] == two[0]:
        return one if not one[2] else two
    return one if one[0] < two[0] else two


def _upper_corner(one: tuple[arb, arb, bool], two: tuple[arb, arb, bool]) -> tuple[arb, arb, bool]:
    if one[1] == two[1]:
        return one if not one[2] else two
    return one if one[1] > two[1] else two


def _span_power(base: Span, exponent: Span) -> Span:
    if base.nonnegative and base.lo == 0 and not base.lo_open:
        if base.smooth or not exponent.positive:
            raise UndefinedError("power of zero")
        top = base._make(base.hi, base.hi, base.hi_open, base.hi_open) if base.hi > 0 else None
        high = (exponent * top.log()).exp() if top is not None else None
        return base._make(_ZERO, high.hi if high is not None else _ZERO, False, base.hi_open)
    return (exponent * base.log()).exp()


# ---------------------------------------------------------------------------------------------------------------------
# Boxes: arrays of unrounded intervals, for the search only
# ---------------------------------------------------------------------------------------------------------------------


class Boxes:
    """Array of floating-point intervals without outward rounding; NaN where something is undefined."""

    __slots__ = ("hi", "lo")

    def __init__(self, lo: Any, hi: Any) -> None:
        self.lo = lo
        self.hi = hi

    def __neg__(self) -> "Boxes":
        return Boxes(-self.hi, -self.lo)

    def __add__(self, other: "Boxes | float") -> "Boxes":
        if isinstance(other, Boxes):
            return Boxes(self.lo + other.lo, self.hi + other.hi)
        return Boxes(self.lo + other, self.hi + other)

    __radd__ = __add__

    def __sub__(self, other: "Boxes | float") -> "Boxes":
        if isinstance(other, Boxes):
            return Boxes(self.lo - other.hi, self.hi - other.lo)
        return Boxes(self.lo - other, self.hi - other)

    def __rsub__(self, other: float) -> "Boxes":
        return Boxes(other - self.hi, other - self.lo)

    def __mul__(self, other: "Boxes | float") -> "Boxes":
        if not isinstance(other, Boxes):
            ends = (self.lo * other, self.hi * other)
            return Boxes(*ends) if other >= 0 else Boxes(*ends[::-1])
        a, b, c, d = self.lo * other.lo, self.lo * other.hi, self.hi * other.lo, self.hi * other.hi
        return Boxes(np.minimum(np.minimum(a, b), np.minimum(c, d)), np.maximum(np.maximum(a, b), np.maximum(c, d)))

    __rmul__ = __mul__

    def __truediv__(self, other: "Boxes | float") -> "Boxes":
        return self * other._reciprocal() if isinstance(other, Boxes) else self * (1.0 / other)

    def __rtruediv__(self, other: float) -> "Boxes":
        return other * self._reciprocal()

    def _reciprocal(self) -> "Boxes":
        bad = (self.lo <= 0.0) & (self.hi >= 0.0)
        return Boxes(np.where(bad, np.nan, 1.0 / self.hi), np.where(bad, np.nan, 1.0 / self.lo))

    def __pow__(self, exponent: int) -> "Boxes":
        base = abs(self) if exponent % 2 == 0 else self
        return Boxes(base.lo**exponent, base.hi**exponent)

    def __abs__(self) -> "Boxes":
        return Boxes(np.maximum(np.maximum(self.lo, -self.hi), 0.0), np.maximum(-self.lo, self.hi))

    def _increasing(self, function: Callable[[Any], Any]) -> "Boxes":
        return Boxes(function(self.lo), function(self.hi))

    def exp(self) -> "Boxes":
        """Return the exponential."""
        return self._increasing(np.exp)

    def log(self) -> "Boxes":
        """Return the logarithm."""
        return self._increasing(np.log)

    def sqrt(self) -> "Boxes":
        """Return the square root."""
        return self._increasing(np.sqrt)

    def sinh(self) -> "Boxes":
        """Return the hyperbolic sine."""
        return self._increasing(np.sinh)

    def cosh(self) -> "Boxes":
        """Return the hyperbolic cosine."""
        return abs(self)._increasing(np.cosh)

    def tanh(self) -> "Boxes":
        """Return the hyperbolic tangent."""
        return self._increasing(np.tanh)

    def atan(self) -> "Boxes":
        """Return the arc tangent."""
        return self._increasing(np.arctan)

    def sin(self) -> "Boxes":
        """Return the sine."""
        return self._bounded(np.sin)

    def cos(self) -> "Boxes":
        """Return the cosine."""
        return self._bounded(np.cos)

    def _bounded(self, function: Callable[[Any], Any]) -> "Boxes":
        """Bound a function with values and slopes in [-1, 1]."""
        centre, radius = function((self.lo + self.hi) / 2), (self.hi - self.lo) / 2
        return Boxes(np.maximum(centre - radius, -1.0), np.minimum(centre + radius, 1.0))

    def erf(self) -> "Boxes":
        """Return the error function."""
        from scipy import special

        return self._increasing(special.erf)

    def lambertw(self) -> "Boxes":
        """Return the principal branch of Lambert's W."""
        from scipy import special

        return self._increasing(lambda x: np.where(x < -np.exp(-1.0), np.nan, special.lambertw(x).real))

    def xlogx(self) -> "Boxes":
        """Return x log x, 0 at 0."""
        ends = [np.where(x == 0.0, 0.0, x * np.log(x)) for x in (self.lo, self.hi)]
        turn = np.exp(-1.0)
        low = np.where((self.lo < turn) & (self.hi > turn), -turn, np.minimum(*ends))
        return Boxes(low, np.maximum(*ends))

    def max(self, other: "Boxes | float") -> "Boxes":
        """Return the larger of two values."""
        lo, hi = (other.lo, other.hi) if isinstance(other, Boxes) else (other, other)
        return Boxes(np.maximum(self.lo, lo), np.maximum(self.hi, hi))

    def min(self, other: "Boxes | float") -> "Boxes":
        """Return the smaller of two values."""
        lo, hi = (other.lo, other.hi) if isinstance(other, Boxes) else (other, other)
        return Boxes(np.minimum(self.lo, lo), np.minimum(self.hi, hi))


def _boxes_power(base: Boxes, exponent: float) -> Boxes:
    ends = (base.lo**exponent, base.hi**exponent)
    return Boxes(*ends) if exponent >= 0 else Boxes(*ends[::-1])


HELPERS: dict[Backend, dict[str, Callable[..., Any]]] = {
    "arb": {"xlogx": _arb_xlogx, "power": _arb_power},
    "span": {"xlogx": operator.methodcaller("xlogx"), "power": _span_power},
    "boxes": {"xlogx": operator.methodcaller("xlogx"), "power": _boxes_power},
}
"""Functions that generated code may call besides methods of its numbers."""
