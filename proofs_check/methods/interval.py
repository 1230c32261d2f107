r"""Interval proofs of transcendental inequalities on boxes and half-lines, and their refutation by exact points.

The statement ``statement(**changes)`` returns an :class:`Inequality`, or a tuple of them: SymPy relations in up to four
real variables with their ranges, and hints where two sides touch along a curve.

**Proves** the relation for all values in its ranges (finding PROOF): by a tree of the rules in `proof_rules`, which
ends in enclosures by ball or span arithmetic. Or refutes it by an exact rational point at which ball arithmetic
certifies the opposite (VIOLATION). Everything else is UNDECIDED, with the first box that is left.

**Trusted**: `proof_rules` and `enclosures` (see there), arb, and a part of SymPy: differentiation, substitution,
changes of form, and `simplify` where it answers zero. The search in this module (floating point, sampling) is not
trusted: it only proposes what is then checked.

**How it can be fooled**: by numbers that are not what they seem (a float is rejected by name); by symbols whose
assumptions contradict their range (``sqrt(x**2)`` becomes ``x`` for a positive symbol; rejected); by a function that
is undefined on a part of the domain (checked first, and in every rule); by stored evidence that belongs to another
statement, or whose boxes do not cover the domain (`recheck` recomputes both). The tests of this module try each.
"""

import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import sympy as sp
from flint import arb, ctx, fmpq

from proofs_check.evidence import Evidence, Finding, Json, Tightness
from proofs_check.methods.base import Context, Method, Sizes, Statement, Tier
from proofs_check.methods.enclosures import (
    PRECISION,
    Boxes,
    Floats,
    IntervalError,
    compile_program,
    rational,
)
from proofs_check.methods.proof_rules import (
    FORMS,
    MAX_DEPTH,
    MEAN,
    NATURAL,
    SPAN,
    SPLIT,
    Axis,
    Bools,
    Certifier,
    Codes,
    Goal,
    Hint,
    Inequality,
    Node,
    Region,
    RejectedError,
    Slope,
    Taylor,
    Terms,
    UnprovedError,
    children,
    defined,
    derivative,
    float_of,
    form,
    is_zero,
    pack,
    quotient_of,
    signed_rest,
    subgoals,
    verify,
)

__all__ = ["Inequality", "Interval", "IntervalError", "Slope", "Taylor", "Terms"]

MAX_RULES = 5
"""Deepest nesting of rules that the planner tries."""

MAX_GOALS = 150
"""Most goals that the planner looks at for one inequality."""

MAX_CUT, MIN_CUT = 1024, fmpq(1, 2**14)
"""Farthest point at which a half-line is cut, and shortest interval that is."""

PRECISIONS = (64, 256, 1024)
"""Bits at which a violation is certified; the first that succeeds ends the search."""


# ---------------------------------------------------------------------------------------------------------------------
# Branch and bound
# ---------------------------------------------------------------------------------------------------------------------


class Search:
    """Bisection of one goal: unrounded floating-point boxes propose, the certifier decides."""

    def __init__(self, goal: Goal, index: int) -> None:
        self.goal = goal
        self.certifier = Certifier(goal, index)
        self.f = compile_program([self.certifier.f], goal.symbols, "boxes")
        self.boxes = 0

    @functools.cached_property
    def gradient(self) -> Any:
        """Program of the gradient, or None where a derivative has no enclosure."""
        try:
            return compile_program(self.certifier.gradient, self.goal.symbols, "boxes")
        except IntervalError:
            return None

    def run(self, budget: int) -> str:
        """Return a packed tree of boxes that proves the goal.

        Raises
        ------
        UnprovedError
            With the first box that is left when the budget or the depth is exhausted.
        """
        size = len(self.goal.region.axes)
        low, high = np.zeros((size, 1)), np.ones((size, 1))
        levels: list[Codes] = []
        while low.shape[1]:
            if self.boxes + low.shape[1] > budget or len(levels) > MAX_DEPTH:
                box = self._text(low[:, 0], high[:, 0])
                raise UnprovedError(f"{self.goal.f} >= 0 is undecided on {box} after {self.boxes} boxes")
            self.boxes += low.shape[1]
            codes = self._classify(low, high, len(levels))
            levels.append(codes)
            split = codes >= SPLIT
            low, high = children(low[:, split], high[:, split], codes[split] - SPLIT)
        return pack(levels)

    def _text(self, low: Floats, high: Floats) -> str:
        ends = [
            (axis.floats(np.array([a, b])), axis.symbol)
            for axis, a, b in zip(self.goal.region.axes, low, high, strict=True)
        ]
        return ", ".join(f"{symbol} in [{pair[0]:.9g}, {pair[1]:.9g}]" for pair, symbol in ends)

    def _classify(self, low: Floats, high: Floats, level: int) -> Codes:
        """Return the code of each box: the way in which it is certified, or the axis of its split."""
        axes = self.goal.region.axes
        ends = [(axis.floats(a), axis.floats(b)) for axis, a, b in zip(axes, low, high, strict=True)]
        codes = np.full(low.shape[1], SPLIT, dtype=np.uint8)
        with np.errstate(all="ignore"):
            value = np.broadcast_to(self.f(*(Boxes(a, b) for a, b in ends))[0].lo, codes.shape)
            self._settle(codes, NATURAL, np.flatnonzero(value >= 0.0), low, high, level)
            left = np.flatnonzero(codes >= SPLIT)
            if left.size and self.gradient is not None:
                self._mean_value(codes, left, ends, low, high, level)
            elif len(axes) > 1:
                codes[left] = SPLIT + np.argmax(high[:, left] - low[:, left], axis=0)
        at_end = np.any((low == 0.0) | (high == 1.0), axis=0)
        hopeful = np.flatnonzero((codes >= SPLIT) & at_end & ~(value < 0.0))
        self._settle(codes, SPAN, hopeful[:256], low, high, level)
        return codes

    def _settle(self, codes: Codes, code: int, chosen: Any, low: Floats, high: Floats, level: int) -> None:
        good: Bools = self.certifier.certify(code, low[:, chosen], high[:, chosen], level)
        codes[chosen[good]] = code

    def _mean_value(self, codes: Codes, left: Any, ends: Any, low: Floats, high: Floats, level: int) -> None:
        """Try f(c) + f'(B) (B - c); where it fails, split along the variable that contributes most."""
        boxes = [Boxes(a[left], b[left]) for a, b in ends]
        centres = [Boxes(*[(box.lo + box.hi) / 2] * 2) for box in boxes]
        at_centre = self.f(*centres)[0].lo
        spread = np.empty((len(boxes), left.size))
        for row, (slope, box) in enumerate(zip(self.gradient(*boxes), boxes, strict=True)):
            bound = np.maximum(np.abs(slope.lo), np.abs(slope.hi)) if isinstance(slope, Boxes) else abs(slope)
            spread[row] = bound * (box.hi - box.lo) / 2
        self._settle(codes, MEAN, left[at_centre - spread.sum(axis=0) > 0.0], low, high, level)
        if len(boxes) > 1:
            open_ = codes[left] >= SPLIT
            widths = high[:, left] - low[:, left]
            known = np.all(np.isfinite(spread), axis=0)
            weight = np.where(known, np.where(widths > 2.0**-10 * widths.max(axis=0), spread, -1.0), widths)
            codes[left[open_]] = SPLIT + np.argmax(weight, axis=0)[open_]


# ---------------------------------------------------------------------------------------------------------------------
# Planning
# ---------------------------------------------------------------------------------------------------------------------


@dataclass
class Planner:
    """Looks for a proof; whatever it proposes is checked by `subgoals`, as the checker will do."""

    budget: int
    boxes: int = 0
    goals: int = 0

    def plan(self, goal: Goal, hints: tuple[Hint, ...] = (), depth: int = 0) -> Node:
        """Return a proof of a goal.

        Raises
        ------
        UnprovedError
            With what stands in the way.
        """
        goal = goal.reduced
        self.goals += 1
        if self.goals > MAX_GOALS or depth > MAX_RULES:
            raise UnprovedError(f"{goal.f} >= 0 on {goal.region}: no proof within {MAX_GOALS} goals")
        reason = ""
        for step in self._steps(goal, hints):
            try:
                if step["rule"] == "bisect":
                    return self._bisect(goal, step["budget"])
                return self._apply(goal, step, hints, depth)
            except (RejectedError, UnprovedError) as problem:
                if isinstance(problem, UnprovedError):
                    reason = str(problem)
                if self.goals > MAX_GOALS:
                    break
        raise UnprovedError(reason or f"{goal.f} >= 0 on {goal.region}: no rule applies")

    def _apply(self, goal: Goal, step: Node, hints: tuple[Hint, ...], depth: int) -> Node:
        remaining = subgoals(goal, step, hints)
        grow = 0 if step["rule"] == "cut" else 1
        return {**step, "parts": [self.plan(subgoal, rest, depth + grow) for subgoal, rest in remaining]}

    def _bisect(self, goal: Goal, budget: int) -> Node:
        problem = UnprovedError(f"{goal.f} >= 0 on {goal.region} is false")
        for index in itertools.islice(distinct_forms(goal.f), 2):
            if not form(goal.f, index).free_symbols:
                continue
            search = Search(goal, index)
            try:
                tree = search.run(min(budget, self.budget - self.boxes))
                return {"rule": "boxes", "form": index, "tree": tree, "boxes": search.boxes, "parts": []}
            except UnprovedError as failure:
                problem = failure
            finally:
                self.boxes += search.boxes
        raise problem

    def _steps(self, goal: Goal, hints: tuple[Hint, ...]) -> Iterator[Node]:
        """Yield the steps worth trying, the simplest first."""
        if goal.f == 0:
            yield {"rule": "zero"}
        yield from ({"rule": "span", "form": index} for index in distinct_forms(goal.f))
        counter = negative_sample(goal)
        if counter:
            raise UnprovedError(f"{goal.f} >= 0 fails at {counter}")
        for index, hint in enumerate(hints):
            yield from _hint_steps(goal, index, hint)
        if signed_rest(goal)[0]:
            yield {"rule": "factor"}
        if len(goal.symbols) == 1:
            yield from self._line_steps(goal)
        else:
            yield {"rule": "bisect", "budget": self.budget}

    def _line_steps(self, goal: Goal) -> Iterator[Node]:
        """Yield steps for one variable: zeros and infinite or singular ends need more than bisection."""
        axis = goal.region.axes[0]
        zeros = [] if goal.strict else interior_zeros(goal)
        for zero in zeros:
            yield from _slope_step(goal, zero)
        if zeros:
            yield _at("cut", axis, zeros[0])
            return
        ends = {side: _end_kind(goal, end) for side, end in (("lo", axis.lo), ("hi", axis.hi))}
        if "infinite" not in ends.values() and "zero" not in ends.values():
            yield {"rule": "bisect", "budget": self.budget if set(ends.values()) == {"regular"} else 20_000}
        if set(ends.values()) == {"regular"}:
            return
        for side, end in (("lo", axis.lo), ("hi", axis.hi)):
            if end is not None and ends[side] == "zero":
                yield from _slope_step(goal, end)
                order = _multiplicity(goal, end)
                yield from ({**_at("taylor", axis, end), "order": k} for k in {order: 0, min(order, 2): 0})
            elif end is not None and ends[side] == "regular":
                yield from ({**_at("taylor", axis, end), "order": order} for order in (1, 2, 3))
        if axis.hi is None and axis.lo is not None and axis.lo > 0:
            yield {"rule": "invert", "symbol": axis.symbol.name}
        middle = _middle(axis)
        wide = axis.lo is None or axis.hi is None or axis.hi - axis.lo >= MIN_CUT
        if wide and abs(middle) <= MAX_CUT:
            yield _at("cut", axis, middle)


def _at(rule: str, axis: Axis, at: fmpq) -> Node:
    return {"rule": rule, "symbol": axis.symbol.name, "at": str(at)}


def _slope_step(goal: Goal, zero: fmpq) -> Iterator[Node]:
    """Yield the slope rule where the zero of the derivative cancels."""
    if cancels(goal.f, goal.symbols[0], _sympy(zero)):
        yield _at("slope", goal.region.axes[0], zero)


def cancels(f: sp.Expr, symbol: sp.Symbol, at: sp.Expr) -> bool:
    """Whether a derivative that is zero at a point has a quotient by the distance to it without a pole there."""
    quotient = quotient_of(derivative(f, symbol, 1), symbol - at)
    return not sp.fraction(quotient)[1].subs(symbol, at).is_zero


def _hint_steps(goal: Goal, index: int, hint: Hint) -> Iterator[Node]:
    """Yield the step of a hint, or the cuts that make room for it."""
    if isinstance(hint, Terms):
        yield {"rule": "terms", "hint": index}
        return
    if hint.symbol not in goal.symbols:
        return
    if isinstance(hint, Slope):
        yield {"rule": "slope", "hint": index}
        return
    axis = goal.region.axis(hint.symbol.name)
    at, lo, hi = (None if value is None else sp.sympify(value) for value in (hint.at, hint.lo, hint.hi))
    for point in (at, lo, hi):
        if point is not None and point.is_Rational and axis.inside(rational(point)):
            yield _at("cut", axis, rational(point))
            return
    starts = lo is None or (axis.lo is not None and axis.lo >= rational(lo))
    stops = hi is None or (axis.hi is not None and axis.hi <= rational(hi))
    if starts and stops:
        yield {"rule": "taylor", "hint": index}


def distinct_forms(f: sp.Expr) -> Iterator[int]:
    """Yield the indices of the forms of an expression that differ; a form is made when it is asked for."""
    seen: set[sp.Expr] = set()
    for index in range(len(FORMS)):
        written = form(f, index)
        if written not in seen:
            seen.add(written)
            yield index


def _end_kind(goal: Goal, end: fmpq | None) -> str:
    """Say whether an end of a range is infinite, regular, a zero of f, or singular."""
    if end is None:
        return "infinite"
    value = goal.f.subs(goal.symbols[0], _sympy(end))
    if not value.is_finite or value.has(sp.nan, sp.zoo, sp.oo) or value.is_real is False:
        return "singular"
    if not goal.strict and is_zero(value):
        return "zero"
    try:
        slope = derivative(goal.f, goal.symbols[0], 1).subs(goal.symbols[0], _sympy(end))
    except (TypeError, ValueError):
        return "regular"
    return "singular" if slope.has(sp.nan, sp.zoo, sp.oo) else "regular"


def _multiplicity(goal: Goal, zero: fmpq, largest: int = 8) -> int:
    """Return the order of the first derivative that does not vanish."""
    for order in range(1, largest):
        if not is_zero(derivative(goal.f, goal.symbols[0], order).subs(goal.symbols[0], _sympy(zero))):
            return order
    return largest


def _middle(axis: Axis) -> fmpq:
    """Return where to cut a range next; towards an infinite end the pieces double."""
    if axis.lo is not None and axis.hi is not None:
        return (axis.lo + axis.hi) / 2
    if axis.lo is not None:
        return fmpq(0) if axis.lo < 0 else fmpq(1) if axis.lo < 1 else 2 * axis.lo
    if axis.hi is not None:
        return fmpq(0) if axis.hi > 0 else fmpq(-1) if axis.hi > -1 else 2 * axis.hi
    return fmpq(0)


def _sympy(value: fmpq) -> sp.Rational:
    return sp.Rational(int(value.p), int(value.q))


# ---------------------------------------------------------------------------------------------------------------------
# Sampling: counter-examples, zeros, tightness
# ---------------------------------------------------------------------------------------------------------------------

LINE, PLANE, SPACE = 1025, 129, 25
"""Sample points per axis for one, two, and more variables (besides those near the ends)."""


def unit_grid(count: int, ends: int) -> Floats:
    """Return points of the open unit interval: uniform, and geometrically close to both ends."""
    uniform = np.linspace(0.0, 1.0, count)[1:-1]
    near = 2.0 ** -np.arange(2.0, 2.0 + ends)
    return np.unique(np.concatenate([uniform, near, 1.0 - near]))


def samples(region: Region) -> list[Floats]:
    """Return sample points of a region, one array per variable, the ends of closed ranges included."""
    size = len(region.axes)
    count, ends = (LINE, 40) if size == 1 else (PLANE, 16) if size == 2 else (SPACE if size == 3 else 11, 4)
    grids = []
    for axis in region.axes:
        grid = [axis.floats(unit_grid(count, ends))]
        if axis.lo is not None and axis.hi is not None and axis.lo < 0 < axis.hi:
            small = 2.0 ** -np.arange(1.0, 2.0 + ends)
            grid.append(np.concatenate([small * float_of(axis.hi), small * float_of(axis.lo), [0.0]]))
        closed = [(axis.lo, axis.lo_open), (axis.hi, axis.hi_open)]
        grid.append(np.array([float_of(end) for end, is_open in closed if end is not None and not is_open]))
        grids.append(np.unique(np.concatenate(grid)))
    return [mesh.ravel() for mesh in np.meshgrid(*grids, indexing="ij")]


def evaluate(f: sp.Expr, symbols: tuple[sp.Symbol, ...], points: list[Floats]) -> Floats:
    """Return floating-point values of f (NaN where undefined)."""
    program = compile_program([f], symbols, "boxes")
    with np.errstate(all="ignore"):
        value = program(*(Boxes(column, column) for column in points))[0]
    return np.array(np.broadcast_to(value.lo if isinstance(value, Boxes) else value, points[0].shape), dtype=np.float64)


def sign_at(f: sp.Expr, point: Mapping[sp.Symbol, fmpq]) -> int | None:
    """Return the certified sign of f at a rational point: -1 or 1, or None if it is not known (or f is undefined)."""
    symbols = tuple(point)
    for bits in PRECISIONS:
        with ctx.workprec(bits):
            value = compile_program([f], symbols, "arb")(*(arb(point[symbol]) for symbol in symbols))[0]
            if value < 0:
                return -1
            if value > 0:
                return 1
    return None


def negative_sample(goal: Goal) -> str:
    """Return a point at which f is certified to be negative, or an empty string if the sample has none."""
    if not goal.symbols:
        return ""
    points = samples(goal.region)
    values = evaluate(goal.f, goal.symbols, points)
    if not np.any(values < 0.0):
        return ""
    lowest = int(np.nanargmin(values))
    point = {symbol: exact(column[lowest]) for symbol, column in zip(goal.symbols, points, strict=True)}
    if sign_at(goal.f, point) != -1:
        return ""
    return ", ".join(f"{symbol} = {float_of(value):.9g}" for symbol, value in point.items())


def exact(value: float) -> fmpq:
    """Return a float as a rational."""
    return fmpq(*float(value).as_integer_ratio())


def interior_zeros(goal: Goal) -> list[fmpq]:
    """Return the simple rationals inside a range at which a nonnegative f of one variable is exactly zero."""
    axis, symbol = goal.region.axes[0], goal.symbols[0]
    (x,) = samples(goal.region)
    values = evaluate(goal.f, goal.symbols, [x])
    inner = np.flatnonzero((values[1:-1] <= values[:-2]) & (values[1:-1] <= values[2:])) + 1
    zeros: list[fmpq] = []
    for index in inner[np.argsort(values[inner])][:8]:
        lowest = _local_minimum(goal, float(x[index - 1]), float(x[index + 1]))
        for candidate in simple_rationals(lowest, 1e-4):
            if axis.inside(candidate) and candidate not in zeros and is_zero(goal.f.subs(symbol, _sympy(candidate))):
                zeros.append(candidate)
                break
    return sorted(zeros)


def _local_minimum(goal: Goal, left: float, right: float) -> float:
    """Narrow down a local minimum by repeated sampling."""
    for _ in range(6):
        x = np.linspace(left, right, 33)
        lowest = int(np.nanargmin(np.nan_to_num(evaluate(goal.f, goal.symbols, [x]), nan=np.inf)))
        left, right = float(x[max(lowest - 1, 0)]), float(x[min(lowest + 1, 32)])
    return (left + right) / 2


def simple_rationals(value: float, tolerance: float) -> list[fmpq]:
    """Return rationals with small denominators close to a float, the simplest first."""
    found = []
    for denominator in (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 100):
        fraction = Fraction(round(value * denominator), denominator)
        if abs(float(fraction) - value) <= tolerance * max(1.0, abs(value)) and fraction not in found:
            found.append(fraction)
    return [fmpq(fraction.numerator, fraction.denominator) for fraction in found]


def find_violation(inequality: Inequality, rng: np.random.Generator) -> dict[sp.Symbol, fmpq] | None:
    """Return a simple rational point at which the relation is certified to fail, or None."""
    goal = inequality.goal
    points = samples(goal.region)
    values = evaluate(goal.f, goal.symbols, points)
    size = evaluate(sp.Abs(inequality.relation.lhs) + sp.Abs(inequality.relation.rhs), goal.symbols, points)
    with np.errstate(all="ignore"):
        relative = values / size
    for points_, values_ in ((points, values), (points, relative), *_zoom(goal, points, values, rng)):
        order = np.argsort(np.nan_to_num(values_, nan=np.inf))[:8]
        for index in order[values_[order] <= 0.0]:
            point = _certified(goal, [float(column[index]) for column in points_])
            if point is not None:
                return point
    return None


def _zoom(
    goal: Goal, points: list[Floats], values: Floats, rng: np.random.Generator
) -> Iterator[tuple[list[Floats], Floats]]:
    """Sample around the lowest value, closer and closer."""
    if not np.any(np.isfinite(values)):
        return
    for start in np.argsort(np.nan_to_num(values, nan=np.inf))[:4]:
        centre = [float(column[start]) for column in points]
        lowest = float(values[start])
        for scale in 0.1 * 0.5 ** np.arange(12):
            near = [c + scale * max(abs(c), 1e-3) * rng.standard_normal(256) for c in centre]
            here = evaluate(goal.f, goal.symbols, near)
            inside = np.all(
                [_inside(axis, column) for axis, column in zip(goal.region.axes, near, strict=True)], axis=0
            )
            here[~inside] = np.inf
            best = int(np.argmin(np.nan_to_num(here, nan=np.inf)))
            if here[best] < lowest:
                centre, lowest = [float(column[best]) for column in near], float(here[best])
        yield [np.array([c]) for c in centre], np.array([lowest])


def _inside(axis: Axis, column: Floats) -> Bools:
    low = -np.inf if axis.lo is None else float_of(axis.lo)
    high = np.inf if axis.hi is None else float_of(axis.hi)
    return (column > low) & (column < high)


def _certified(goal: Goal, point: list[float]) -> dict[sp.Symbol, fmpq] | None:
    """Return the simplest rational point near a float point that certainly violates, if there is one."""
    if not np.all(np.isfinite(point)):
        return None
    for denominator in (1, 2, 5, 10, 20, 100, 1000, 10**4, 10**6, 0):
        fractions = [Fraction(x).limit_denominator(denominator) if denominator else Fraction(x) for x in point]
        candidate = {s: rational(q) for s, q in zip(goal.symbols, fractions, strict=True)}
        if violates(goal, candidate):
            return candidate
    return None


def violates(goal: Goal, point: Mapping[sp.Symbol, fmpq]) -> bool:
    """Whether a point of the domain certainly violates f >= 0 (or f > 0)."""
    if not all(axis.contains(point[axis.symbol]) for axis in goal.region.axes):
        return False
    sign = sign_at(goal.f, point)
    if sign is None and goal.strict:
        return is_zero(goal.f.subs({symbol: _sympy(value) for symbol, value in point.items()}))
    return sign == -1


def tightness(inequality: Inequality) -> Tightness | None:
    """Return the largest ratio of the smaller to the larger side on the sample, where both are positive."""
    region = inequality.region
    points = samples(region)
    small = evaluate(inequality.relation.lts, region.symbols, points)
    large = evaluate(inequality.relation.gts, region.symbols, points)
    with np.errstate(all="ignore"):
        ratios = np.where((small >= 0.0) & (large > 1e-9) & np.isfinite(large), small / large, -1.0)
    ratios = np.nan_to_num(ratios, nan=-1.0)
    best = int(np.argmax(ratios))
    if ratios[best] < 0.0:
        return None
    where = ", ".join(f"{symbol} = {column[best]:.6g}" for symbol, column in zip(region.symbols, points, strict=True))
    return Tightness(float(min(ratios[best], 1.0)), where)


# ---------------------------------------------------------------------------------------------------------------------
# The method
# ---------------------------------------------------------------------------------------------------------------------


class Interval(Method):
    """Proof or refutation of scalar inequalities by rigorous enclosures.

    Parameters
    ----------
    max_boxes
        Boxes to look at for one inequality, by tier.
    """

    name: ClassVar[str] = "interval"

    def __init__(self, max_boxes: Sizes[int] | None = None) -> None:
        self.max_boxes = max_boxes or Sizes(200_000, 2_000_000, 20_000_000)

    def units(self, tier: Tier) -> tuple[str, ...]:
        """Return one unit per tier: its budget is part of its key."""
        return (f"boxes {self.max_boxes.at(tier)}",)

    def run(self, statement: Statement, unit: str, context: Context) -> Json:
        """Prove or refute each inequality of the statement."""
        budget = int(unit.split()[-1])
        rng = np.random.default_rng(context.seed)
        with ctx.workprec(PRECISION):
            return {"inequalities": [decide(item, budget, rng) for item in inequalities(statement)]}

    def settles(self, result: Json) -> bool:
        """Return whether one inequality is refuted."""
        return any(item["finding"] == Finding.VIOLATION for item in result["inequalities"])

    def fold(self, results: Mapping[str, Json]) -> Evidence:
        """Join the inequalities: one violation refutes, and a proof needs all of them."""
        items = [item for result in results.values() for item in result["inequalities"]]
        certificate = [{key: item[key] for key in ("digest", "text", "proof")} for item in items]
        ratios = [Tightness(**item["tightness"]) for item in items if item["tightness"]]
        largest = max(ratios, key=lambda ratio: ratio.ratio, default=None)
        for finding in (Finding.VIOLATION, Finding.UNDECIDED):
            for index, item in enumerate(items):
                if item["finding"] == finding:
                    witness = {"inequality": index, **item["witness"]} if item["witness"] else None
                    return Evidence(
                        self.name, finding, item["summary"], tightness=largest, witness=witness, certificate=certificate
                    )
        summary = "; ".join(item["summary"] for item in items)
        return Evidence(self.name, Finding.PROOF, summary, tightness=largest, certificate=certificate)

    def recheck(self, statement: Statement, evidence: Evidence) -> str | None:
        """Replay the stored proof, or evaluate the stored counter-example, without any search."""
        with ctx.workprec(PRECISION):
            try:
                return _recheck(inequalities(statement), evidence)
            except (RejectedError, IntervalError) as problem:
                return str(problem)


def inequalities(statement: Statement) -> tuple[Inequality, ...]:
    """Call a statement and return its inequalities."""
    answer = statement()
    items = tuple(answer) if isinstance(answer, tuple | list) else (answer,)
    if not items or not all(isinstance(item, Inequality) for item in items):
        raise IntervalError("a statement of this method returns an Inequality or a tuple of them")
    return items


def decide(inequality: Inequality, budget: int, rng: np.random.Generator) -> Json:
    """Return the finding for one inequality, with its proof or its counter-example."""
    data: dict[str, Json] = {
        "digest": inequality.digest,
        "text": inequality.text,
        "finding": Finding.VIOLATION,
        "proof": None,
        "witness": None,
        "tightness": None,
    }
    point = find_violation(inequality, rng)
    if point is not None:
        witness = _witness(inequality, point)
        where = ", ".join(f"{name} = {value}" for name, value in witness["point"].items())
        sides = f"{witness['lhs']} {inequality.relation.rel_op} {witness['rhs']}"
        return {**data, "witness": witness, "summary": f"{inequality.relation} fails at {where}: {sides} is false"}
    ratio = tightness(inequality)
    data["tightness"] = {"ratio": ratio.ratio, "where": ratio.where} if ratio else None
    planner = Planner(budget)
    goal = inequality.goal
    try:
        defined(goal.f, (goal if goal.strict else goal.reduced).region)
        proof = planner.plan(goal, inequality.hints)
    except (RejectedError, UnprovedError) as problem:
        return {**data, "finding": Finding.UNDECIDED, "summary": f"{inequality.text}: {problem}"}
    rules = ", ".join(sorted(set(_rules(proof))))
    summary = f"{inequality.text}: proved ({rules}; {_count(proof)} boxes)"
    return {**data, "finding": Finding.PROOF, "proof": proof, "summary": summary}


def _rules(node: Node) -> Iterator[str]:
    yield node["rule"]
    for part in node["parts"]:
        yield from _rules(part)


def _count(node: Node) -> int:
    return int(node.get("boxes", 0)) + sum(_count(part) for part in node["parts"])


def _witness(inequality: Inequality, point: Mapping[sp.Symbol, fmpq]) -> Json:
    sides = {}
    for side in ("lhs", "rhs"):
        expression = getattr(inequality.relation, side)
        with ctx.workprec(PRECISIONS[-1]):
            program = compile_program([expression], tuple(point), "arb")
            sides[side] = program(*(arb(value) for value in point.values()))[0].str(18, radius=False)
    return {"point": {symbol.name: str(value) for symbol, value in point.items()}, **sides}


def _recheck(items: tuple[Inequality, ...], evidence: Evidence) -> str | None:
    stored = evidence.certificate
    if len(stored) != len(items) or any(a["digest"] != b.digest for a, b in zip(stored, items, strict=True)):
        return "the evidence belongs to another statement"
    if evidence.finding == Finding.VIOLATION:
        item = items[int(evidence.witness["inequality"])]
        values = {symbol: evidence.witness["point"].get(symbol.name) for symbol in item.region.symbols}
        point = {symbol: rational(Fraction(text)) for symbol, text in values.items() if text is not None}
        if len(point) < len(values) or not violates(item.goal, point):
            return f"{item.relation} does not fail at {evidence.witness['point']}"
    if evidence.finding == Finding.PROOF:
        for item, entry in zip(items, stored, strict=True):
            defined(item.goal.f, (item.goal if item.strict else item.goal.reduced).region)
            verify(item.goal, entry["proof"], item.hints)
    return None
