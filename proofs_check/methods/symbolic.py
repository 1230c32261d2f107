r"""Symbolic proof of identities, recursions, optimal parameters and asymptotic orders.

A statement, called without arguments, returns one obligation or a mapping of named ones:

* `Identity`: :math:`f = g` on a domain;
* `Inequality`: :math:`f \le g` (or :math:`<`) on a domain;
* `Induction`: :math:`u_{n_0} = b`, :math:`u_{n+1} = \phi(n, u_n)` imply :math:`u_n = c(n)` (or :math:`\le, \ge`);
* `Minimiser`: :math:`x^\star` minimises :math:`f` over the range of :math:`x`, by :math:`f'(x^\star) = 0` and either
  :math:`f'' \ge 0` or :math:`f'(x) / (x - x^\star) \ge 0` on the whole range;
* `Order`: :math:`\lim_{n \to \infty} f(n) / g(n)` is a given constant, zero, finite, or finite and nonzero;
* `OperatorIdentity`: an equation between matrices of all sizes, by expansion in a free algebra.

Each is broken into goals. A goal is proved if both sides are shown to be defined on the whole domain, the residual is
symbolically zero (or its sign is shown), *and* no point of a sample of exact rational points contradicts it. A residual
that cannot be decided is UNDECIDED. A residual whose exact value, or rigorous ball, has the wrong sign at a rational
point of the domain is a VIOLATION with that point.

What is trusted: `proofs_check.expressions` and the polynomial arithmetic and balls of FLINT; for route "simplify" also
`sympy.simplify`; for `Order` the limits of SymPy; for `Minimiser` and monotone inductions the derivatives of SymPy. The
sampled points guard all of them, and a re-check uses fresh points and FLINT's normal form instead of SymPy's.

How it can be fooled: SymPy cancels terms such as ``x / x`` while a side is being built, before definedness is examined;
a residual that `sympy.simplify` wrongly calls zero and that is below :math:`2^{-2048}` at all sampled points would
pass; symbols of an obligation mean what their declared domain says. The tests (``test_symbolic.py``) try an
almost-integer (:math:`e^{\pi\sqrt{163}}`), identities that fail at one point only or are undefined there, undefined and
floating-point expressions, empty domains, false inductions and stationary points that are no minimum.
"""

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeAlias

import flint
import sympy as sp

from proofs_check.evidence import Evidence, Finding, Json
from proofs_check.expressions import (
    PRECISIONS,
    Domain,
    DomainError,
    Point,
    UndefinedValueError,
    UnsupportedError,
    assumed_of,
    declared_range,
    domain_of,
    evaluate,
    is_zero,
    points,
    prove_sign,
    resolved,
    special_values,
    undefined_part,
)
from proofs_check.methods.base import Context, Method, Sizes, Statement, Tier
from proofs_check.methods.operators import OperatorError, OperatorGoal, OperatorIdentity

Comparator: TypeAlias = Literal["==", "<=", "<", ">=", ">"]

SPOTS = Sizes(quick=24, full=200, soak=2000)
"""Sampled points of a goal."""

FRESH_SPOTS = 4
"""Points of a re-check; as many as in the search where only `sympy.simplify` has shown a residual to be zero."""

MIN_SPOTS = 3
"""Fewest points at which a goal must have been evaluated; below, its domain may be empty."""

ORDER_STEPS = (1, 2, 4, 8, 16, 32, 64)
"""A ratio is followed along n = 10**k for these k."""

KINKED = (sp.Abs, sp.sign, sp.Max, sp.Min, sp.floor, sp.ceiling, sp.Piecewise)
"""Functions whose derivatives do not see their jumps."""


@dataclass(frozen=True)
class Goal:
    """A relation to be shown for all points of a domain.

    ``sufficient`` lists sets of goals, each of which implies this one on a domain that is a product of intervals.
    """

    lhs: sp.Expr
    relation: Comparator
    rhs: sp.Expr
    where: tuple[Any, ...] = ()
    sufficient: tuple[tuple["Goal", ...], ...] = ()

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        return f"{self.lhs} {self.relation} {self.rhs}"

    @cached_property
    def domain(self) -> Domain:
        """Domain of all symbols that occur."""
        return domain_of(self.lhs.free_symbols | self.rhs.free_symbols, self.where)

    @property
    def excess(self) -> sp.Expr:
        """Expression that must be nonnegative (positive if `strict`)."""
        return self.rhs - self.lhs if self.relation in ("<=", "<") else self.lhs - self.rhs

    @property
    def strict(self) -> bool:
        """Whether equality is excluded."""
        return self.relation in ("<", ">")


@dataclass(frozen=True)
class LimitGoal:
    """The ratio of two expressions has a limit of the given kind as a symbol tends to infinity."""

    ratio: sp.Expr
    symbol: sp.Symbol
    kind: Literal["~", "Theta", "O", "o"]
    constant: sp.Expr | None = None
    where: tuple[Any, ...] = ()

    def __str__(self) -> str:
        target = {"~": str(self.constant), "Theta": "finite and nonzero", "O": "finite", "o": "0"}[self.kind]
        return f"limit of {self.ratio} as {self.symbol} -> oo is {target}"

    def met_by(self, limit: sp.Expr) -> bool | None:
        """Return whether a limit is of the claimed kind, or None if that is not decided."""
        if limit.is_infinite:
            return False
        if not limit.is_finite:
            return None
        domain = domain_of(limit.free_symbols, [r for r in self.where if self.symbol not in r.free_symbols])
        zero = bool(is_zero(limit)) or sp.simplify(limit) == 0
        nonzero = not zero and bool(prove_sign(limit, domain, strict=True) or prove_sign(-limit, domain, strict=True))
        if self.kind == "O":
            return True
        if self.kind == "~":
            residual = sp.simplify(limit - self.constant)
            return True if residual == 0 else False if residual.is_nonzero else None
        decided = zero or nonzero
        return None if not decided else zero if self.kind == "o" else nonzero


AnyGoal: TypeAlias = Goal | LimitGoal | OperatorGoal


@dataclass(frozen=True)
class Identity:
    """``lhs == rhs`` for all values of the symbols in their domains that satisfy ``where``."""

    lhs: sp.Expr
    rhs: sp.Expr
    where: tuple[Any, ...] = ()

    def goals(self) -> dict[str, AnyGoal]:
        """Return the single goal."""
        return {"identity": Goal(sp.sympify(self.lhs), "==", sp.sympify(self.rhs), self.where)}


@dataclass(frozen=True)
class Inequality:
    """``lhs <= rhs`` (or another relation) for all values in the domain, by signs of coefficients or roots."""

    lhs: sp.Expr
    rhs: sp.Expr
    where: tuple[Any, ...] = ()
    relation: Comparator = "<="

    def goals(self) -> dict[str, AnyGoal]:
        """Return the single goal."""
        return {"inequality": Goal(sp.sympify(self.lhs), self.relation, sp.sympify(self.rhs), self.where)}


@dataclass(frozen=True)
class Induction:
    """A recursion ``u(start) = initial``, ``u(n + 1) = step`` and what is claimed of ``u(n)`` for all n >= start.

    Parameters
    ----------
    claim
        Closed form or bound of u(n), in ``n``.
    step
        u(n + 1) in terms of ``n`` and ``previous``, which stands for u(n).
    previous
        Its domain must contain all u(n): this is shown as part of the induction. For an inequality ``step`` must be
        nondecreasing in it, which is shown too.
    """

    claim: sp.Expr
    initial: sp.Expr
    step: sp.Expr
    previous: sp.Symbol
    n: sp.Symbol
    start: int = 1
    relation: Literal["==", "<=", ">="] = "=="
    where: tuple[Any, ...] = ()

    def goals(self) -> dict[str, AnyGoal]:
        """Return base, step, and for an inequality monotonicity and invariance of the range of ``previous``."""
        interval = declared_range(self.n)
        if not interval.integer or (interval.low is not None and interval.low > self.start):
            raise DomainError(f"the induction over {self.n} must include {self.n} = {self.start}, an integer")
        where = (*self.where, sp.Ge(self.n, self.start, evaluate=False))
        claim, step, initial = sp.sympify(self.claim), sp.sympify(self.step), sp.sympify(self.initial)
        following = claim.subs(self.n, self.n + 1)
        base = Goal(initial, self.relation, claim.subs(self.n, self.start), self.where)
        goals: dict[str, AnyGoal] = {
            "base": base,
            "step": Goal(step.subs(self.previous, claim), self.relation, following, where),
        }
        if self.relation == "==":
            return goals
        if step.has(*KINKED):
            raise UnsupportedError(f"{step} has kinks: its derivative does not show that it is monotone")
        domain = domain_of(step.free_symbols | {self.previous}, where)
        if any(self.previous in relation.free_symbols for relation in domain.relations):
            raise UnsupportedError(f"the domain of {self.previous} is not shown to be an interval: {domain}")
        goals["step is defined"] = Goal(step, "==", step, where)
        goals["monotone"] = Goal(sp.S.Zero, "<=", sp.diff(step, self.previous), where)
        interval = domain.ranges[self.previous]
        sides: tuple[tuple[sp.Expr | None, Comparator], ...] = ((interval.low, "<="), (interval.high, ">="))
        for bound, side in sides:
            if bound is not None:
                at_start, next_bound = bound.subs(self.n, self.start), bound.subs(self.n, self.n + 1)
                goals[f"{bound} {side} initial value"] = Goal(at_start, side, initial, self.where)
                goals[f"{bound} {side} next value"] = Goal(next_bound, side, step, where)
                goals[f"{bound} {side} claim"] = Goal(bound, side, claim, where)
        return goals


def telescoping(
    term: sp.Expr, index: sp.Symbol, claim: sp.Expr, n: sp.Symbol, start: int = 1, where: tuple[Any, ...] = ()
) -> Induction:
    """Return the induction that proves ``sum of term over index = start..n`` to be ``claim``."""
    previous = sp.Symbol("previous", real=True)
    return Induction(
        claim, term.subs(index, start), previous + term.subs(index, n + 1), previous, n, start, where=where
    )


@dataclass(frozen=True)
class Minimiser:
    """``at`` minimises ``expr`` over the whole range of ``symbol``, in its interior; ``value`` is the minimum."""

    expr: sp.Expr
    symbol: sp.Symbol
    at: sp.Expr
    value: sp.Expr | None = None
    where: tuple[Any, ...] = ()

    def goals(self) -> dict[str, AnyGoal]:
        """Return membership, stationarity and minimality."""
        at, expr = sp.sympify(self.at), sp.sympify(self.expr)
        others = tuple(relation for relation in self.where if self.symbol not in relation.free_symbols)
        interval = domain_of(expr.free_symbols | at.free_symbols | {self.symbol}, self.where).ranges[self.symbol]
        slope = sp.diff(expr, self.symbol)
        goals: dict[str, AnyGoal] = {"stationary": Goal(slope.subs(self.symbol, at), "==", sp.S.Zero, others)}
        if interval.low is not None:
            goals["above the lower end"] = Goal(interval.low, "<", at, others)
        if interval.high is not None:
            goals["below the upper end"] = Goal(at, "<", interval.high, others)
        minimum = expr.subs(self.symbol, at)
        unimodal = sp.cancel(sp.together(slope / (self.symbol - at)))
        sufficient: tuple[tuple[Goal, ...], ...] = () if expr.has(*KINKED) else (
            (Goal(sp.S.Zero, "<=", sp.diff(slope, self.symbol), self.where),),
            (Goal(sp.S.Zero, "<=", unimodal, self.where),),
        )  # fmt: skip
        goals["minimum"] = Goal(minimum, "<=", expr, self.where, sufficient)
        if self.value is not None:
            goals["value"] = Goal(minimum, "==", sp.sympify(self.value), others)
        return goals


@dataclass(frozen=True)
class Order:
    """Asymptotic order of ``expr`` relative to ``other`` as ``symbol`` tends to infinity.

    ``kind`` is ``"~"`` (the ratio tends to ``constant``), ``"Theta"``, ``"O"`` or ``"o"``.
    """

    expr: sp.Expr
    other: sp.Expr
    symbol: sp.Symbol
    kind: Literal["~", "Theta", "O", "o"] = "Theta"
    constant: sp.Expr | None = None
    where: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if (self.kind == "~") != (self.constant is not None):
            raise ValueError("a constant belongs to kind '~', and only to it")

    def goals(self) -> dict[str, AnyGoal]:
        """Return the single goal."""
        constant = None if self.constant is None else sp.sympify(self.constant)
        return {"limit": LimitGoal(self.expr / self.other, self.symbol, self.kind, constant, self.where)}


Obligation: TypeAlias = Identity | Inequality | Induction | Minimiser | Order | OperatorIdentity


@dataclass(frozen=True)
class Attempt:
    """Outcome of one goal; plain data."""

    name: str
    text: str
    digest: str
    finding: str
    domain: str = ""
    route: str = ""
    reason: str = ""
    spots: int = 0
    witness: Json = None
    samples: list[Json] = field(default_factory=list)
    certificate: Json = None


def goals_of(claimed: Any) -> dict[str, AnyGoal]:
    """Return the named goals of an obligation, or of a mapping of obligations."""
    obligations = claimed if isinstance(claimed, Mapping) else {"": claimed}
    if not obligations:
        raise ValueError("the statement returned no obligation")
    goals: dict[str, AnyGoal] = {}
    for name, obligation in obligations.items():
        if not isinstance(obligation, Obligation):
            raise TypeError(f"obligation {name or '(unnamed)'} is a {type(obligation).__name__}")
        for part, goal in obligation.goals().items():
            goals[f"{name}: {part}" if name else part] = goal
    return goals


def digest(goal: AnyGoal) -> str:
    """Return a fingerprint of a goal: its text, its conditions, and all that is assumed of its symbols."""
    if isinstance(goal, OperatorGoal):
        return hashlib.sha256(goal.text.encode()).hexdigest()[:16]
    sides = [goal.ratio] if isinstance(goal, LimitGoal) else [goal.lhs, goal.rhs]
    symbols = set().union(*(part.free_symbols for part in (*sides, *goal.where)))
    text = "|".join([str(goal), *(str(relation) for relation in goal.where), *assumed_of(symbols)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


# ------------------------------------------------------------------------------------------------------------ spots


def show(value: Any) -> str:
    """Return an exact rational as ``p/q``, a ball by its digits."""
    return str(value.str(25)) if isinstance(value, flint.arb) else str(value)


def compare(goal: Goal, point: Point) -> tuple[bool | None, Any, Any]:
    """Return whether a goal holds at a point, with both sides; None if the balls cannot tell.

    An equation between irrational sides can be refuted, but not confirmed, by balls: None is then agreement to the
    last precision.
    """
    for precision in PRECISIONS:
        lhs, rhs = evaluate(goal.lhs, point, precision), evaluate(goal.rhs, point, precision)
        with flint.ctx.workprec(precision):
            gap = lhs - rhs
            less, more = bool(gap < 0), bool(gap > 0)
            exact = not isinstance(gap, flint.arb) or gap.is_zero()
        if less or more or exact:
            holds = {
                "==": not less and not more,
                "<=": not more,
                ">=": not less,
                "<": less,
                ">": more,
            }[goal.relation]
            return holds, lhs, rhs
    return None, lhs, rhs


def _plain_point(point: Point) -> dict[str, str]:
    return {symbol.name: str(value) for symbol, value in point.items()}


def _spot(goal: Goal, count: int, seed: int) -> tuple[int, list[Json], Json, str]:
    """Evaluate a goal at rational points; return how many, a few of them, a witness against it, and a reason."""
    spots = 0
    samples: list[Json] = []
    special = special_values(goal.lhs, goal.rhs)
    for point in points(goal.domain, count, seed, special):
        try:
            holds, lhs, rhs = compare(goal, point)
        except UndefinedValueError as undefined:
            return spots, samples, None, f"undefined at {_plain_point(point)}: {undefined}"
        record = {"point": _plain_point(point), "lhs": show(lhs), "relation": goal.relation, "rhs": show(rhs)}
        if holds is False:
            return spots + 1, samples, record, ""
        spots += 1
        if len(samples) < 2:
            samples.append(record)
    return spots, samples, None, ""


# ------------------------------------------------------------------------------------------------------------ proof


def _zero_route(residual: sp.Expr, domain: Domain) -> str:
    """Return how a residual was shown to be zero, or an empty string."""
    residual = resolved(residual.doit(), domain)
    if is_zero(residual):
        return "normal form"
    if sp.expand(sp.together(residual)) == 0:
        return "expand"
    return "simplify" if sp.simplify(residual) == 0 else ""


def _prove(goal: Goal) -> tuple[str, str]:
    """Return (route, reason): the route is empty if the goal is not proved."""
    domain = goal.domain
    for side in (goal.lhs, goal.rhs):
        gap = undefined_part(side, domain)
        if gap is not None:
            return "", f"{gap} is not shown to be defined for {domain}"
    if goal.relation == "==":
        residual = goal.lhs - goal.rhs
        route = _zero_route(residual, domain)
        return route, "" if route else f"the residual {residual} is not decided"
    route = prove_sign(goal.excess, domain, strict=goal.strict) or ""
    if route:
        return route, ""
    if not domain.relations:
        for conditions in goal.sufficient:
            routes = [_prove(condition)[0] for condition in conditions]
            if all(routes):
                return f"sufficient: {', '.join(str(c) for c in conditions)} by {', '.join(routes)}", ""
    return "", f"the sign of {goal.excess} is not decided"


def sample(name: str, goal: Goal, count: int, seed: int) -> Attempt:
    """Return a violation at a sampled point, an undecided attempt with a reason, or one without: then go on."""
    spots, samples, witness, reason = _spot(goal, count, seed)
    if not reason and witness is None and spots < (MIN_SPOTS if goal.domain.ranges else 1):
        reason = f"only {spots} points found in {goal.domain}: the domain may be empty"
    return Attempt(
        name,
        str(goal),
        digest(goal),
        (Finding.UNDECIDED if witness is None else Finding.VIOLATION).value,
        domain=str(goal.domain),
        reason=reason,
        spots=spots,
        witness=witness,
        samples=samples,
    )


def _ratios(goal: LimitGoal, seed: int) -> list[tuple[str, Any]]:
    """Return the ratio along growing values of the symbol, other symbols fixed at one point of their domain."""
    others = domain_of(
        goal.ratio.free_symbols - {goal.symbol}, [r for r in goal.where if goal.symbol not in r.free_symbols]
    )
    fixed = next(points(others, 1, seed))
    ratios = []
    for k in ORDER_STEPS:
        try:
            value = evaluate(goal.ratio, {**fixed, goal.symbol: flint.fmpq(10**k)}, 512)
        except (UnsupportedError, UndefinedValueError):
            break
        ratios.append((f"10^{k}", (value, fixed)))
    return ratios


def _approaches(ratios: list[tuple[str, Any]], limit: sp.Expr) -> bool:
    """Whether the last three ratios come closer and closer to the limit, or grow if it is infinite."""
    if len(ratios) < MIN_SPOTS:
        return False
    with flint.ctx.workprec(512):
        if limit.is_infinite:
            sizes = [1 / abs(flint.arb(value)) for _, (value, _) in ratios[-3:]]
        else:
            sizes = [abs(flint.arb(value - evaluate(limit, fixed, 512))) for _, (value, fixed) in ratios[-3:]]
        first, middle, last = sizes
        return bool(first.is_zero() and last.is_zero()) or bool(
            first > middle and middle > last and 4 * last < 3 * first
        )


def _attempt_limit(name: str, goal: LimitGoal) -> Attempt:
    text, mark = str(goal), digest(goal)
    try:
        limit = sp.limit(goal.ratio, goal.symbol, sp.oo)
    except (NotImplementedError, ValueError) as failure:
        return Attempt(name, text, mark, Finding.UNDECIDED.value, reason=f"SymPy finds no limit: {failure}")
    if limit.has(sp.Limit, goal.symbol, sp.nan, sp.AccumBounds):
        return Attempt(name, text, mark, Finding.UNDECIDED.value, reason=f"SymPy finds no limit, only {limit}")
    met = goal.met_by(limit)
    return _judge_limit(Attempt(name, text, mark, "", route=str(limit)), goal, limit, met)


def _judge_limit(attempt: Attempt, goal: LimitGoal, limit: sp.Expr, met: bool | None) -> Attempt:
    ratios = _ratios(goal, seed=int(attempt.digest, 16))
    samples = [{"at": at, "ratio": show(value), "point": _plain_point(fixed)} for at, (value, fixed) in ratios]
    agrees = _approaches(ratios, limit)
    finding, reason, witness = Finding.UNDECIDED, f"the kind of the limit {limit} is not decided", None
    if met is not None and not agrees:
        reason = f"the ratios do not visibly approach {limit}"
    elif met:
        finding, reason = Finding.PROOF, ""
    elif met is False:
        finding, reason, witness = Finding.VIOLATION, "", {"limit": str(limit), "ratios": samples}
    return Attempt(
        attempt.name, attempt.text, attempt.digest, finding.value,
        route=f"limit {limit}", reason=reason, spots=len(samples), witness=witness, samples=samples,
    )  # fmt: skip


def _attempt_operators(name: str, goal: OperatorGoal, count: int) -> Attempt:
    """Evaluate both sides at random matrices, then expand their difference."""
    attempt = Attempt(name, str(goal), digest(goal), "", domain=goal.domain, route="free algebra", spots=count)
    for index in range(count):
        sizes, difference = goal.spot(index)
        if difference is not None:
            witness = {"point": {name: str(size) for name, size in sizes.items()}, "index": index, **difference}
            return replace(attempt, finding=Finding.VIOLATION.value, spots=index + 1, witness=witness)
    if goal.open_words:
        word, coefficient = next(iter(goal.open_words.items()))
        reason = f"the coefficient {coefficient} of {'*'.join(map(str, word))} is not zero"
        return replace(attempt, finding=Finding.UNDECIDED.value, reason=reason)
    return replace(attempt, finding=Finding.PROOF.value)


# ----------------------------------------------------------------------------------------------------------- method


class GoalMethod(Method):
    """A method that breaks the obligations of a statement into goals and attempts each."""

    @abstractmethod
    def attempt(self, name: str, goal: AnyGoal, tier: Tier, seed: int) -> Attempt:
        """Try to prove or refute one goal."""

    @abstractmethod
    def reprove(self, goal: AnyGoal, stored: Attempt) -> str | None:
        """Return what is wrong with a stored proof, beyond its sampled points."""

    def run(self, statement: Statement, unit: str, context: Context) -> Json:
        """Attempt all goals; the points depend on the seed."""
        del unit
        seed = int(context.seed.generate_state(1)[0])
        try:
            goals = goals_of(statement())
            attempts = [self.attempt(name, goal, context.tier, seed) for name, goal in goals.items()]
        except (UnsupportedError, DomainError, OperatorError) as unfit:
            attempts = [Attempt("statement", "", "", Finding.UNDECIDED.value, reason=str(unfit))]
        return {"attempts": [vars(attempt) for attempt in attempts]}

    def settles(self, result: Json) -> bool:
        """One violated goal refutes the statement."""
        return any(attempt["finding"] == Finding.VIOLATION for attempt in result["attempts"])

    def fold(self, results: Mapping[str, Json]) -> Evidence:
        """Combine goals: one violation refutes, all must be proved for a proof."""
        attempts = [Attempt(**attempt) for result in results.values() for attempt in result["attempts"]]
        certificate = {"attempts": [vars(attempt) for attempt in attempts]}
        for attempt in attempts:
            if attempt.finding == Finding.VIOLATION:
                witness = {"goal": attempt.name, **attempt.witness}
                summary = f"{attempt.text} fails at {attempt.witness.get('point', attempt.route)}"
                return Evidence(self.name, Finding.VIOLATION, summary, witness=witness, certificate=certificate)
        open_goals = [attempt for attempt in attempts if attempt.finding != Finding.PROOF]
        if open_goals:
            first = open_goals[0]
            summary = f"{len(open_goals)} of {len(attempts)} goals open; {first.name}: {first.reason}"
            return Evidence(self.name, Finding.UNDECIDED, summary, certificate=certificate)
        domains = sorted({attempt.domain for attempt in attempts if attempt.domain})
        routes = sorted({attempt.route.split(":")[0] for attempt in attempts})
        summary = (
            f"{len(attempts)} goals shown for all {'; '.join(domains) or 'values'} (by {', '.join(routes)}), "
            f"and met at {sum(attempt.spots for attempt in attempts)} exact points"
        )
        return Evidence(self.name, Finding.PROOF, summary, certificate=certificate)

    def recheck(self, statement: Statement, evidence: Evidence) -> str | None:
        """Compare the stored goals with the statement, and check witness or proofs again."""
        try:
            goals = goals_of(statement())
        except (UnsupportedError, DomainError, OperatorError) as unfit:
            return None if evidence.finding == Finding.UNDECIDED else str(unfit)
        try:
            return self._recheck(goals, evidence)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, IndexError) as damage:
            return f"the evidence is damaged: {damage!r}"

    def _recheck(self, goals: Mapping[str, AnyGoal], evidence: Evidence) -> str | None:
        stored = {item["name"]: Attempt(**item) for item in evidence.certificate["attempts"]}
        if evidence.finding == Finding.UNDECIDED and list(stored) == ["statement"]:
            return None
        if list(goals) != list(stored):
            return f"the statement's goals are {list(goals)}, those of the evidence {list(stored)}"
        for name, goal in goals.items():
            if stored[name].digest != digest(goal) or stored[name].text != str(goal):
                return f"goal {name} of the statement is {goal}, that of the evidence {stored[name].text}"
        if evidence.finding == Finding.VIOLATION:
            return _recheck_violation(goals, evidence.witness)
        if evidence.finding != Finding.PROOF:
            return None if evidence.finding == Finding.UNDECIDED else f"this method never finds {evidence.finding}"
        for name, goal in goals.items():
            wrong = self._recheck_proof(goal, stored[name])
            if wrong is not None:
                return f"goal {name}: {wrong}"
        return None

    def _recheck_proof(self, goal: AnyGoal, stored: Attempt) -> str | None:
        if stored.finding != Finding.PROOF:
            return f"it is {stored.finding}, not proved"
        if isinstance(goal, Goal):
            count = SPOTS.quick if stored.route == "simplify" else FRESH_SPOTS
            _, _, witness, reason = _spot(goal, count, seed=int(stored.digest, 16))
            if witness is not None or reason:
                return f"it fails at a fresh point: {witness or reason}"
            for record in stored.samples:
                wrong = _recheck_sample(goal, record)
                if wrong:
                    return wrong
        return self.reprove(goal, stored)


class Symbolic(GoalMethod):
    """Prove the obligations that a statement, called without arguments, returns."""

    name: ClassVar[str] = "symbolic"

    def attempt(self, name: str, goal: AnyGoal, tier: Tier, seed: int) -> Attempt:
        """Sample points, then try normal forms, signs of coefficients, roots and SymPy's simplification."""
        if isinstance(goal, LimitGoal):
            return _attempt_limit(name, goal)
        if isinstance(goal, OperatorGoal):
            return _attempt_operators(name, goal, SPOTS.at(tier))
        sampled = sample(name, goal, SPOTS.at(tier), seed)
        if sampled.witness is not None or sampled.reason:
            return sampled
        route, reason = _prove(goal)
        finding = Finding.PROOF if route else Finding.UNDECIDED
        return replace(sampled, finding=finding.value, route=route, reason=reason)

    def reprove(self, goal: AnyGoal, stored: Attempt) -> str | None:
        """Check an identity by FLINT's normal form, a sign again, a limit along growing values."""
        if isinstance(goal, LimitGoal):
            return _recheck_limit(goal, stored)
        if isinstance(goal, OperatorGoal):
            again = _attempt_operators(stored.name, goal, FRESH_SPOTS)
            return None if again.finding == Finding.PROOF else again.reason or "the sides differ at a matrix"
        if goal.relation != "==":
            return None if _prove(goal)[0] == stored.route else f"it is not shown by {stored.route}"
        gap = undefined_part(goal.lhs, goal.domain) or undefined_part(goal.rhs, goal.domain)
        if gap is not None:
            return f"{gap} is not shown to be defined"
        if stored.route == "normal form":
            residual = resolved((goal.lhs - goal.rhs).doit(), goal.domain)
            return None if is_zero(residual) else "the residual is not zero in normal form"
        return None if stored.route in ("expand", "simplify") else f"there is no route {stored.route}"


def _recheck_violation(goals: Mapping[str, AnyGoal], witness: Json) -> str | None:
    name = witness["goal"]
    goal = goals.get(name)
    if goal is None:
        return f"the witness is against {name}, which the statement does not contain"
    if isinstance(goal, LimitGoal):
        found = _attempt_limit(name, goal)
        same = found.finding == Finding.VIOLATION and found.witness == {k: v for k, v in witness.items() if k != "goal"}
        return None if same else f"the limit of {name} is not {witness['limit']}"
    if isinstance(goal, OperatorGoal):
        sizes, difference = goal.spot(witness["index"])
        point = {name: str(size) for name, size in sizes.items()}
        same = {"goal": name, "point": point, "index": witness["index"], **(difference or {})} == witness
        return None if same and difference else f"the sides agree at the witness {witness['point']}"
    domain = goal.domain
    try:
        point = {symbol: flint.fmpq(*map(int, witness["point"][symbol.name].split("/"))) for symbol in domain.ranges}
    except (KeyError, ValueError):
        return f"the witness {witness['point']} is not a point of {domain}"
    if not domain.contains(point):
        return f"the witness {witness['point']} is outside {domain}"
    holds, lhs, rhs = compare(goal, point)
    if holds is not False:
        return f"{goal} holds at the witness {witness['point']}"
    same = (show(lhs), show(rhs)) == (witness["lhs"], witness["rhs"])
    return None if same else f"the sides at {witness['point']} are {show(lhs)} and {show(rhs)}"


def _recheck_limit(goal: LimitGoal, stored: Attempt) -> str | None:
    claimed = {"~": goal.constant, "o": sp.S.Zero}.get(goal.kind)
    limit = sp.limit(goal.ratio, goal.symbol, sp.oo) if claimed is None else claimed
    again = _judge_limit(stored, goal, limit, goal.met_by(limit))
    if again.finding != Finding.PROOF:
        return again.reason or f"the limit is {limit}"
    return None if again.samples == stored.samples else "the ratios are not those stored"


def _recheck_sample(goal: Goal, record: Json) -> str | None:
    point = {symbol: flint.fmpq(*map(int, record["point"][symbol.name].split("/"))) for symbol in goal.domain.ranges}
    holds, lhs, rhs = compare(goal, point)
    if holds is False or (show(lhs), show(rhs)) != (record["lhs"], record["rhs"]):
        return f"the sides at {record['point']} are {show(lhs)} and {show(rhs)}"
    return None
