r"""Polynomial inequalities for all real values, by sums of squares in rationals or by a decision procedure.

A statement, called without arguments, returns `proofs_check.methods.symbolic.Inequality` objects whose sides are
rational functions of their symbols. With p the product of numerator and denominator of rhs - lhs, and the domain
written as :math:`g_j \ge 0, h_k = 0` (integers are relaxed to reals), two ways are tried in turn.

*Sums of squares* (Putinar's and Schmüdgen's certificates, with Reznick's multiplier):

.. math:: m^r \, p = \epsilon + \sum_J \sigma_J \prod_{j \in J} g_j + \sum_k f_k h_k,
    \qquad \sigma_J = b_J^\top Q_J b_J, \; Q_J \succeq 0, \; \epsilon \ge 0,

with :math:`m = 1 + |x|^2`, or :math:`m = |x|^2` for a form p, which vanishes at the origin anyway. Clarabel proposes
the matrices with the largest margin. If the margin vanishes, their kernels are rounded to rationals and divided out
(facial reduction). Then the matrices are rounded, the identity is restored by solving for a few entries exactly, and
:math:`Q_J \succeq 0` is decided by :math:`L D L^\top` over the rationals. The stored certificate is solver-free:
`Polynomial.recheck` multiplies it out and factors the matrices, nothing else. A strict inequality needs
:math:`\epsilon > 0`.

*z3* (nlsat, cylindrical algebraic cells): the negation is unsatisfiable. The effort is limited in z3's resource units,
not by a clock. Here z3 itself is trusted and no certificate exists: a re-check runs it again.

A VIOLATION is a rational point of the domain at which the inequality fails in exact arithmetic: sampled, or rounded
from a model of z3.

What is trusted: polynomial and rational arithmetic of FLINT, SymPy's conversion of the sides to polynomials, and for
route "z3" the program z3. How it can be fooled: by a domain other than the one meant. The tests
(``test_polynomial.py``) try false inequalities with a slack of 1e-12, Motzkin's polynomial (nonnegative, no sum of
squares), certificates with one perturbed Gram entry, exhausted resources, poles inside the domain, and counter-examples
at irrational points only.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import flint
import numpy as np
import sympy as sp
from flint import fmpq

from proofs_check.evidence import Finding, Json
from proofs_check.expressions import Domain, Point, UnsupportedError, nonzero
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.convex import Cones, clarabel, is_semidefinite, parse, solve_exactly
from proofs_check.methods.symbolic import MIN_SPOTS, SPOTS, AnyGoal, Attempt, Goal, GoalMethod, compare, sample, show

Monomial: TypeAlias = tuple[int, ...]
Terms: TypeAlias = dict[Monomial, Any]
"""A polynomial: coefficients (fmpq) by exponents."""

RESOURCES = Sizes(quick=10**7, full=10**8, soak=10**9)
"""Resource units of z3 for one query; 10^6 take a fraction of a second."""

MAX_BASIS = 40
"""Largest Gram matrix that is tried."""

MAX_PRODUCTS = 5
"""Products of two constraints are used up to this many constraints."""

ROUNDS = 4
"""Facial reductions before giving up."""

MARGIN = 1e-7
"""Margin above which Gram matrices are rounded as they are."""

KERNEL = (1e-4, 1e-6)
"""Eigenvalues below these parts of the largest one are tried as kernels."""

DENOMINATORS = (2**8, 2**16, 2**30, 2**44)
"""Denominators that Gram entries are rounded to, the simplest first."""


# --------------------------------------------------------------------------------------------------------- problems


@dataclass(frozen=True)
class Constraint:
    """``polynomial >= 0``, or ``> 0`` if strict, or ``== 0``."""

    terms: Terms
    kind: str


@dataclass(frozen=True)
class Problem:
    """Show ``objective >= 0`` (``> 0`` if strict) wherever the constraints hold."""

    symbols: tuple[sp.Symbol, ...]
    objective: Terms
    strict: bool
    constraints: tuple[Constraint, ...]

    @cached_property
    def context(self) -> Any:
        """Polynomial ring of FLINT in the symbols."""
        return flint.fmpq_mpoly_ctx.get([f"x{i}" for i in range(max(1, len(self.symbols)))], "lex")

    def ring(self, terms: Terms) -> Any:
        """Return a polynomial as an element of the ring."""
        return self.context.from_dict({m or (0,): c for m, c in terms.items()})

    @property
    def inequalities(self) -> list[Terms]:
        """Polynomials that are nonnegative on the (closed) domain."""
        return [c.terms for c in self.constraints if c.kind != "=="]

    @property
    def equalities(self) -> list[Terms]:
        """Polynomials that vanish on the domain."""
        return [c.terms for c in self.constraints if c.kind == "=="]

    def products(self) -> list[tuple[int, ...]]:
        """Return the sets of inequalities that are multiplied with a sum of squares."""
        count = len(self.inequalities)
        pairs = itertools.combinations(range(count), 2) if count <= MAX_PRODUCTS else iter(())
        return [(), *((j,) for j in range(count)), *pairs]

    def product(self, indices: Sequence[int]) -> Terms:
        """Return the product of inequalities."""
        result = {self.one: fmpq(1)}
        for j in indices:
            result = multiply(result, self.inequalities[j])
        return result

    @property
    def one(self) -> Monomial:
        """Exponents of the constant."""
        return (0,) * len(self.symbols)

    @cached_property
    def multiplier(self) -> Terms:
        """|x|^2 for a form that need not be positive, else 1 + |x|^2."""
        count = len(self.symbols)
        squares = {tuple(2 * int(i == k) for k in range(count)): fmpq(1) for i in range(count)}
        form = not self.strict and len({sum(m) for m in self.objective}) == 1 and degree(self.objective) > 0
        return squares if form else {self.one: fmpq(1), **squares}

    def lifted(self, power: int) -> Terms:
        """Return ``multiplier ** power`` times the objective."""
        result = self.objective
        for _ in range(power):
            result = multiply(result, self.multiplier)
        return result


def terms_of(expr: sp.Expr, symbols: tuple[sp.Symbol, ...]) -> Terms:
    """Return a polynomial with rational coefficients.

    Raises
    ------
    UnsupportedError
        If the expression is none; the message holds it.
    """
    if not symbols:
        return {(): _rational(expr)} if expr != 0 else {}
    try:
        polynomial = sp.Poly(expr, *symbols)
    except sp.PolynomialError:
        raise UnsupportedError(f"{expr} is not a polynomial in {', '.join(map(str, symbols))}") from None
    return {monomial: _rational(value) for monomial, value in polynomial.terms() if value != 0}


def _rational(value: sp.Expr) -> Any:
    if not value.is_Rational:
        raise UnsupportedError(f"the coefficient {value} is not rational")
    return fmpq(int(value.p), int(value.q))


def multiply(left: Terms, right: Terms) -> Terms:
    """Return the product of two polynomials."""
    result: Terms = {}
    for (a, x), (b, y) in itertools.product(left.items(), right.items()):
        key = tuple(i + j for i, j in zip(a, b, strict=True))
        result[key] = result.get(key, fmpq(0)) + x * y
    return {key: value for key, value in result.items() if value != 0}


def degree(terms: Terms) -> int:
    """Return the total degree."""
    return max((sum(m) for m in terms), default=0)


def _product_form(expr: sp.Expr) -> sp.Expr:
    """Return a polynomial of the same sign as a rational function, where that is defined."""
    if expr.is_polynomial():
        return sp.expand(expr)
    top, bottom = sp.fraction(sp.together(expr))
    return sp.expand(top * bottom)


def problem_of(goal: Goal) -> Problem:
    """Translate a goal into polynomials.

    Raises
    ------
    UnsupportedError
        If a side or a constraint is not a rational function with rational coefficients.
    """
    domain = goal.domain
    symbols = tuple(domain.ranges)
    constraints = [Constraint(terms_of(_product_form(expr), symbols), kind) for expr, kind in _conditions(domain)]
    objective = terms_of(_product_form(goal.excess), symbols)
    return Problem(symbols, objective, goal.strict, tuple(constraints))


def _conditions(domain: Domain) -> Iterator[tuple[sp.Expr, str]]:
    """Yield expressions that are nonnegative, positive or zero on the domain."""
    for symbol, interval in domain.ranges.items():
        if interval.low is not None:
            yield symbol - interval.low, ">" if interval.low_open else ">="
        if interval.high is not None:
            yield interval.high - symbol, ">" if interval.high_open else ">="
    for relation in domain.relations:
        if isinstance(relation, sp.Eq):
            yield relation.lhs - relation.rhs, "=="
        elif isinstance(relation, sp.Le | sp.Lt | sp.Ge | sp.Gt):
            yield relation.gts - relation.lts, ">" if isinstance(relation, sp.Lt | sp.Gt) else ">="
        elif isinstance(relation, sp.Ne):
            # Two points of equality do not separate: x != y is (x - y)^2 > 0.
            yield (relation.lhs - relation.rhs) ** 2, ">"
        else:
            raise UnsupportedError(f"{relation} is not a polynomial constraint")


# --------------------------------------------------------------------------------------------------- sums of squares


@dataclass(frozen=True)
class Block:
    """A sum of squares b' Q b times a product of inequalities; ``basis`` holds the polynomials b."""

    factors: tuple[int, ...]
    basis: tuple[tuple[tuple[Monomial, Any], ...], ...]

    @property
    def size(self) -> int:
        """Order of Q."""
        return len(self.basis)


@dataclass(frozen=True)
class Relaxation:
    """Blocks and free multipliers of an identity of a given degree; the last block is the constant epsilon."""

    problem: Problem
    power: int
    blocks: tuple[Block, ...]
    free: tuple[tuple[int, Monomial], ...]

    @cached_property
    def unknowns(self) -> list[tuple[int, int, int]]:
        """Entries (block, row, column) of the upper triangles, column by column."""
        return [(b, i, j) for b, block in enumerate(self.blocks) for j in range(block.size) for i in range(j + 1)]

    @cached_property
    def columns(self) -> list[Terms]:
        """Polynomial that multiplies each unknown: Gram entries, then coefficients of free multipliers."""
        products = [self.problem.product(block.factors) for block in self.blocks]
        columns = []
        for b, i, j in self.unknowns:
            basis = self.blocks[b].basis
            term = multiply(multiply(dict(basis[i]), dict(basis[j])), products[b])
            columns.append({m: c * (1 if i == j else 2) for m, c in term.items()})
        return columns + [multiply(self.problem.equalities[k], {m: fmpq(1)}) for k, m in self.free]

    @cached_property
    def equations(self) -> tuple[list[dict[int, Any]], list[Any]]:
        """Linear equations of the coefficients, one for each monomial."""
        target = self.problem.lifted(self.power)
        rows: dict[Monomial, dict[int, Any]] = {m: {} for m in sorted(target)}
        for j, column in enumerate(self.columns):
            for monomial, coefficient in column.items():
                rows.setdefault(monomial, {})[j] = coefficient
        return list(rows.values()), [target.get(m, fmpq(0)) for m in rows]


def monomials(count: int, limit: int) -> list[Monomial]:
    """Return all exponents of ``count`` variables up to a total degree."""
    if count == 0:
        return [()]
    grid = itertools.product(range(limit + 1), repeat=count)
    return sorted((m for m in grid if sum(m) <= limit), key=lambda m: (sum(m), m))


def relaxations(problem: Problem) -> Iterator[Relaxation]:
    """Yield relaxations, cheap ones first."""
    lowest = max([degree(problem.objective), *(degree(c.terms) for c in problem.constraints)])
    start = lowest + lowest % 2
    for extra, power in ((0, 0), (2, 0), (2, 1), (4, 2)):
        if power == 0 and extra and not problem.constraints:
            continue  # without constraints a higher degree without a multiplier adds nothing
        relaxation = _relaxation(problem, start + extra, power)
        if relaxation is not None:
            yield relaxation


def _relaxation(problem: Problem, top: int, power: int) -> Relaxation | None:
    blocks = []
    for factors in problem.products():
        room = top - degree(problem.product(factors))
        if room < 0:
            continue
        basis = monomials(len(problem.symbols), room // 2)
        if not factors and not problem.constraints:
            basis = newton(problem.lifted(power), basis)
        if len(basis) > MAX_BASIS:
            if len(factors) == 2:
                continue
            return None
        if basis:
            blocks.append(Block(factors, tuple(((m, fmpq(1)),) for m in basis)))
    blocks.append(Block((), (((problem.one, fmpq(1)),),)))
    free = [
        (k, m)
        for k, h in enumerate(problem.equalities)
        for m in monomials(len(problem.symbols), max(0, top - degree(h)))
    ]
    return Relaxation(problem, power, tuple(blocks), tuple(free))


def newton(target: Terms, basis: list[Monomial]) -> list[Monomial]:
    """Drop monomials that no square can contain: 2m is no term of the target and no sum of two others."""
    kept = list(basis)
    while True:
        sums = {tuple(a + b for a, b in zip(x, y, strict=True)) for x, y in itertools.combinations(kept, 2)}
        fewer = [m for m in kept if (double := tuple(2 * a for a in m)) in target or double in sums]
        if len(fewer) == len(kept):
            return kept
        kept = fewer


def solve(relaxation: Relaxation) -> tuple[float, list[Any]] | None:
    """Return the largest t with Q - t I semidefinite for all blocks (at most 1), and the matrices; not verified."""
    rows, right = relaxation.equations
    unknowns, count = relaxation.unknowns, len(relaxation.columns)
    table = np.zeros((len(rows) + 1 + len(unknowns), count + 1))
    b = np.zeros(len(table))
    for i, row in enumerate(rows):
        for j, value in row.items():
            table[i, j] = int(value.p) / int(value.q)
        b[i] = int(right[i].p) / int(right[i].q)
    table[len(rows), -1], b[len(rows)] = 1.0, 1.0
    for k, (_, i, j) in enumerate(unknowns):
        table[len(rows) + 1 + k, k] = -1.0
        table[len(rows) + 1 + k, -1] = float(i == j)
    cost = np.zeros(count + 1)
    cost[-1] = -1.0
    cones = Cones(len(rows), 1, (), tuple(block.size for block in relaxation.blocks))
    answer = clarabel(cost, table, b, cones)
    if answer.x is None or not np.isfinite(answer.x).all():
        return None
    return float(answer.x[-1]), list(answer.x[:-1])


def grams(relaxation: Relaxation, values: Sequence[Any]) -> list[list[list[Any]]]:
    """Arrange unknowns as symmetric matrices."""
    matrices: list[list[list[Any]]] = [[[0] * block.size for _ in range(block.size)] for block in relaxation.blocks]
    for (b, i, j), value in zip(relaxation.unknowns, values, strict=False):
        matrices[b][i][j] = matrices[b][j][i] = value
    return matrices


def reduced(relaxation: Relaxation, values: Sequence[float], threshold: float) -> Relaxation | None:
    """Divide out the kernels of the matrices, rounded to simple rationals; None if there are none."""
    blocks, changed = [], False
    for block, gram in zip(relaxation.blocks, grams(relaxation, values), strict=True):
        eigenvalues, vectors = np.linalg.eigh(np.array(gram, dtype=float))
        kernel = vectors[:, eigenvalues < threshold * max(1.0, float(eigenvalues[-1]))].T
        complement = _complement(kernel, block.size) if len(kernel) else None
        if complement is None:
            blocks.append(block)
            continue
        changed = True
        basis = tuple(_combine(row, block.basis) for row in complement)
        if basis:
            blocks.append(Block(block.factors, basis))
    return replace(relaxation, blocks=tuple(blocks)) if changed else None


def _combine(row: Sequence[Any], basis: Sequence[Any]) -> tuple[tuple[Monomial, Any], ...]:
    total: Terms = {}
    for factor, polynomial in zip(row, basis, strict=True):
        for monomial, coefficient in polynomial:
            total[monomial] = total.get(monomial, fmpq(0)) + factor * coefficient
    return tuple(sorted((m, c) for m, c in total.items() if c != 0))


def _complement(kernel: Any, size: int) -> list[list[Any]] | None:
    """Return a rational basis of the vectors orthogonal to a numerical kernel, or None if it has no simple form."""
    echelon = np.array(kernel)
    pivots: list[int] = []
    for k in range(len(echelon)):
        rest = np.abs(echelon[k:]).copy()
        rest[:, pivots] = 0.0
        i, j = divmod(int(np.argmax(rest)), size)
        if rest[i, j] < 1e-6:
            return None
        echelon[[k, k + i], :] = echelon[[k + i, k], :]
        echelon[k] /= echelon[k, j]
        for other in range(len(echelon)):
            if other != k:
                echelon[other] -= echelon[other, j] * echelon[k]
        pivots.append(j)
    simple = [[sp.Rational(float(v)).limit_denominator(256) for v in row] for row in echelon]
    if np.max(np.abs(np.array(simple, dtype=float) - echelon)) > 1e-3:
        return None
    rows = []
    for j in range(size):
        if j not in pivots:
            row = [fmpq(int(j == k)) for k in range(size)]
            for pivot, vector in zip(pivots, simple, strict=True):
                row[pivot] = -fmpq(int(vector[j].p), int(vector[j].q))
            rows.append(row)
    return rows


def certificate(problem: Problem) -> Json:
    """Return an exact certificate as JSON, or None."""
    largest = max((abs(c) for c in problem.objective.values()), default=fmpq(1))
    scaled = replace(problem, objective={m: c / largest for m, c in problem.objective.items()})
    for relaxation in relaxations(scaled):
        for threshold in KERNEL:
            found = _search(relaxation, threshold)
            if found is not None:
                return _written(*found, largest)
    return None


def _search(relaxation: Relaxation, threshold: float) -> tuple[Relaxation, list[Any]] | None:
    current: Relaxation | None = relaxation
    for _ in range(ROUNDS):
        if current is None or not current.blocks:
            return None
        solution = solve(current)
        if solution is None or solution[0] < -MARGIN:
            return None
        exact = _rounded(current, solution[1]) if solution[0] > MARGIN else None
        if exact is not None:
            return current, exact
        current = reduced(current, solution[1], threshold)
    return None


def _rounded(relaxation: Relaxation, values: Sequence[float]) -> list[Any] | None:
    """Round the unknowns, restore the identity exactly and check that all matrices are semidefinite."""
    rows, right = relaxation.equations
    for denominator in DENOMINATORS:
        start = [fmpq(int(np.rint(v * denominator)), denominator) for v in values]
        moved = solve_exactly(rows, right, start, np.ones(len(start)))
        if moved is not None and all(is_semidefinite(gram) for gram in grams(relaxation, moved)):
            return moved
    return None


def _written(relaxation: Relaxation, values: list[Any], scale: Any) -> Json:
    matrices = grams(relaxation, [scale * v for v in values])
    count = len(relaxation.unknowns)
    return {
        "power": relaxation.power,
        "blocks": [
            {
                "factors": list(block.factors),
                "basis": [[[list(m), str(c)] for m, c in polynomial] for polynomial in block.basis],
                "gram": [[str(v) for v in row] for row in gram],
            }
            for block, gram in zip(relaxation.blocks, matrices, strict=True)
        ],
        "free": [
            [k, list(m), str(scale * v)] for (k, m), v in zip(relaxation.free, values[count:], strict=True) if v != 0
        ],
    }


def verify(problem: Problem, stored: Json) -> str | None:
    """Return what is wrong with a certificate, or None: multiply out, compare, factor the matrices."""
    total = problem.ring({})
    epsilon = fmpq(0)
    for number, block in enumerate(stored["blocks"]):
        gram = [[parse(v) for v in row] for row in block["gram"]]
        basis = [{tuple(m): parse(c) for m, c in polynomial} for polynomial in block["basis"]]
        size = len(basis)
        if len(gram) != size or any(len(row) != size for row in gram):
            return f"block {number} has the wrong shape"
        if any(gram[i][j] != gram[j][i] for i in range(size) for j in range(i)) or not is_semidefinite(gram):
            return f"block {number} is not positive semidefinite"
        if any(not 0 <= j < len(problem.inequalities) for j in block["factors"]):
            return f"block {number} uses a constraint that does not exist"
        squares = problem.ring({})
        elements = [problem.ring(polynomial) for polynomial in basis]
        for i, j in itertools.product(range(size), repeat=2):
            if gram[i][j] != 0:
                squares += elements[i] * elements[j] * gram[i][j]
        if not block["factors"] and basis == [{problem.one: fmpq(1)}]:
            epsilon += gram[0][0]
        total += squares * problem.ring(problem.product(block["factors"]))
    for k, monomial, value in stored["free"]:
        total += problem.ring(problem.equalities[k]) * problem.ring({tuple(monomial): parse(value)})
    if not 0 <= stored["power"] <= 8 or total != problem.ring(problem.lifted(stored["power"])):
        return "the certificate does not multiply out to the inequality"
    return "the certificate has no positive constant" if problem.strict and epsilon <= 0 else None


# --------------------------------------------------------------------------------------------------------------- z3


def ask_z3(problem: Problem, resources: int) -> tuple[str, list[Any]]:
    """Ask z3 for a point of the domain that violates the inequality.

    Returns
    -------
    tuple
        ``("unsat", [])``; ``("sat", values)`` with z3's numbers; or ``("unknown: reason", [])``.
    """
    import z3

    context = z3.Context()
    variables = [z3.Real(f"x{i}", context) for i in range(len(problem.symbols))]
    solver = z3.Tactic("qfnra-nlsat", context).solver()
    solver.set("rlimit", resources)
    for constraint in problem.constraints:
        value = _z3_polynomial(constraint.terms, variables, context)
        solver.add({">=": value >= 0, ">": value > 0, "==": value == 0}[constraint.kind])
    objective = _z3_polynomial(problem.objective, variables, context)
    solver.add(objective <= 0 if problem.strict else objective < 0)
    answer = solver.check()
    if answer == z3.sat:
        model = solver.model()
        return "sat", [model.eval(variable, model_completion=True) for variable in variables]
    return ("unsat", []) if answer == z3.unsat else (f"unknown: {solver.reason_unknown()}", [])


def _z3_polynomial(terms: Terms, variables: Sequence[Any], context: Any) -> Any:
    import z3

    total = z3.RealVal(0, context)
    for monomial, coefficient in terms.items():
        product = z3.RealVal(str(coefficient), context)
        for variable, power in zip(variables, monomial, strict=True):
            for _ in range(power):
                product = product * variable
        total = total + product
    return total


def rational_points(values: Sequence[Any], symbols: Sequence[sp.Symbol]) -> Iterator[Point]:
    """Round z3's numbers to rationals, ever more precisely; integers are rounded down and up."""
    import z3

    for digits in (3, 10, 30, 60):
        choices = []
        for value, symbol in zip(values, symbols, strict=True):
            number = value.approx(digits) if z3.is_algebraic_value(value) else value
            rational = fmpq(number.numerator_as_long(), number.denominator_as_long())
            integer = bool(symbol.is_integer)
            choices.append([fmpq(rational.floor()), fmpq(rational.ceil())] if integer else [rational])
        for combination in itertools.islice(itertools.product(*choices), 64):
            yield dict(zip(symbols, combination, strict=True))


# ----------------------------------------------------------------------------------------------------------- method


class Polynomial(GoalMethod):
    """Decide the polynomial inequalities that a statement, called without arguments, returns.

    Parameters
    ----------
    resources
        Resource units of z3 for one query, by tier.
    squares
        Whether sums of squares are tried before z3.
    """

    name: ClassVar[str] = "polynomial"

    def __init__(self, resources: Sizes[int] = RESOURCES, *, squares: bool = True) -> None:
        self.resources = resources
        self.squares = squares

    def attempt(self, name: str, goal: AnyGoal, tier: Tier, seed: int) -> Attempt:
        """Sample points, then try sums of squares, then z3."""
        problem = problem_of(_inequality(goal))
        assert isinstance(goal, Goal)
        sampled = sample(name, goal, SPOTS.at(tier), seed)
        if sampled.spots < MIN_SPOTS and sampled.witness is None and _nonempty(problem, self.resources.at(tier)):
            sampled = replace(sampled, reason="")
        if sampled.witness is not None or sampled.reason:
            return sampled
        pole = _pole(goal, self.resources.at(tier))
        if pole is not None:
            return replace(sampled, reason=pole)
        found = certificate(problem) if self.squares else None
        if found is not None and verify(problem, found) is None:
            return replace(sampled, finding=Finding.PROOF.value, route="sums of squares", certificate=found)
        return self._by_z3(goal, problem, sampled, self.resources.at(tier))

    def _by_z3(self, goal: Goal, problem: Problem, sampled: Attempt, resources: int) -> Attempt:
        answer, values = ask_z3(problem, resources)
        if answer == "unsat":
            route = "z3, which is trusted here"
            return replace(sampled, finding=Finding.PROOF.value, route=route, certificate={"resources": resources})
        if answer != "sat":
            reason = f"no sum of squares found; z3 stopped after {resources} resource units ({answer})"
            return replace(sampled, reason=reason)
        for point in rational_points(values, problem.symbols):
            witness = _witness(goal, point)
            if witness is not None:
                return replace(sampled, finding=Finding.VIOLATION.value, witness=witness)
        return replace(sampled, reason=f"z3 finds a counter-example, but none at a rational point near {values}")

    def reprove(self, goal: AnyGoal, stored: Attempt) -> str | None:
        """Verify a certificate exactly; only for route z3, ask z3 again."""
        problem = problem_of(_inequality(goal))
        assert isinstance(goal, Goal)
        pole = _pole(goal, self.resources.quick)
        if pole is not None:
            return pole
        if stored.route == "sums of squares":
            return verify(problem, stored.certificate)
        if stored.route != "z3, which is trusted here":
            return f"there is no route {stored.route}"
        answer, _ = ask_z3(problem, int(stored.certificate["resources"]))
        return None if answer == "unsat" else f"z3 now answers {answer}"


def _inequality(goal: AnyGoal) -> Goal:
    if not isinstance(goal, Goal) or goal.relation == "==" or goal.sufficient:
        raise UnsupportedError(f"{goal} is not an inequality between two sides")
    return goal


def _pole(goal: Goal, resources: int) -> str | None:
    """Return a reason if a denominator of a side may vanish on the domain, by signs of coefficients or z3."""
    domain = goal.domain
    powers = {p for side in (goal.lhs, goal.rhs) for p in side.atoms(sp.Pow) if p.exp.is_Integer and p.exp < 0}
    for base in sorted({power.base for power in powers}, key=str):
        if nonzero(base, domain):
            continue
        where = (*goal.where, sp.Eq(base, 0, evaluate=False))
        answer, _ = ask_z3(problem_of(Goal(sp.S.Zero, "<", sp.S.Zero, where)), resources)
        if answer != "unsat":
            return f"the denominator {base} is not shown to be nonzero for {domain}"
    return None


def _nonempty(problem: Problem, resources: int) -> bool:
    """Whether z3 finds a point of the domain: asked only if sampling does not."""
    return ask_z3(replace(problem, objective={}, strict=True), resources)[0] == "sat"


def _witness(goal: Goal, point: Point) -> Json:
    if not goal.domain.contains(point):
        return None
    holds, lhs, rhs = compare(goal, point)
    if holds is not False:
        return None
    plain = {symbol.name: str(value) for symbol, value in point.items()}
    return {"point": plain, "lhs": show(lhs), "relation": goal.relation, "rhs": show(rhs)}
