r"""Optimal values of cone programmes, enclosed by exact primal and dual points.

A programme in standard form and its dual,

.. math::
    \min_x\; c^\top x \;\text{ s.t. }\; A x + s = b,\; s \in K
    \qquad\qquad
    \max_z\; -b^\top z \;\text{ s.t. }\; A^\top z + c = 0,\; z \in K^*,

with :math:`K` a product of zero, nonnegative, second-order, positive semidefinite and exponential cones. For *any*
feasible x and any :math:`z \in K^*` with residual :math:`r = A^\top z + c`,

.. math:: -b^\top z + r^\top x_{\text{opt}} \;\le\; \text{optimum} \;\le\; c^\top x .

A solver (HiGHS for linear programmes, Clarabel for all others) only proposes x and z. Both are rebuilt in rationals
so that the equations hold *exactly*: a well-conditioned basis of the equations is solved in rational arithmetic, if
need be for points with a small margin in the cones. Membership in the cones is then decided exactly: by squares for
second-order cones, by :math:`L D L^\top` for semidefinite ones, by rigorous balls for exponential ones. A residual that
remains counts against the bound through stated bounds :math:`|x_j| \le R_j`, or there is no bound.

A statement, called with an instance, returns `Optimum`, `AtMost` or `AtLeast` (or a mapping of them): what is claimed
of the optimum. It is certified if the enclosure confirms it within the stated tolerance on every instance; it is
violated if the enclosure excludes it. An enclosure that is too wide or does not exist is UNDECIDED, whatever the solver
says.

What is trusted: the rational arithmetic and balls of FLINT and this module; for statements given as a CVXPY problem
also its reduction to standard form (its data are read as exact numbers, entries of semidefinite blocks after division
by :math:`\sqrt 2`); bounds :math:`R_j`, which the author asserts. Solvers are not trusted; `Convex.recheck` calls none.

How it can be fooled: by a programme that is not the one meant, and by a tolerance wider than the effect of interest.
The tests (``test_convex.py``) tamper with stored primal and dual points by 1e-9, shift claimed values by twice the
tolerance, offer points outside the cones by 1e-12, and programmes that are infeasible, unbounded or without interior.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeAlias

import flint
import numpy as np
from flint import arb, fmpq

from mdps.errors import InvalidModelError
from proofs_check.evidence import Evidence, Finding, Json, Tightness, dumps
from proofs_check.methods.base import Context, Method, Sizes, Statement, Tier

TOLERANCE = Fraction(1, 10**7)
"""Allowance of a comparison between a claimed value and an enclosure, relative to the larger of 1 and the value."""

ROUNDING = 2**44
"""Denominator to which proposed points are rounded before they are repaired."""

MARGINS = (0.0, 1e-10, 3e-10, 1e-9, 3e-9, 1e-8, 3e-8, 1e-7, 3e-7, 1e-6, 1e-5)
"""Tried distances of the points from the boundary of the cones."""

ACTIVE = (1e-9, 1e-7, 1e-5)
"""Tried thresholds below which a slack or multiplier of the nonnegative cone is taken to be zero."""

MAX_EXACT = 400
"""Largest basis that is solved in rational arithmetic."""

EXP_PRECISION = 256
"""Bits of the balls that decide membership in exponential cones."""

Row: TypeAlias = dict[int, Any]
"""Nonzero entries (fmpq) of a row by column."""


def exact(value: Any) -> Any:
    """Return a finite number (float, int, Fraction, SymPy rational) as the same rational (fmpq).

    Raises
    ------
    InvalidModelError
        If it is not finite.
    """
    if isinstance(value, fmpq):
        return value
    if hasattr(value, "is_Rational") and value.is_Rational:
        return fmpq(int(value.p), int(value.q))
    try:
        fraction = Fraction(value)
    except (OverflowError, ValueError, TypeError):
        raise InvalidModelError(f"{value!r} is not a finite number") from None
    return fmpq(fraction.numerator, fraction.denominator)


def parse(text: str) -> Any:
    """Return the rational (fmpq) written as ``p/q`` or ``p``."""
    return fmpq(*map(int, text.split("/")))


# ------------------------------------------------------------------------------------------------------------ cones


@dataclass(frozen=True)
class Cones:
    """Sizes of the cones, in the order of the rows.

    ``psd`` holds orders m of symmetric matrices; such a block has m (m + 1) / 2 rows, the upper triangle column by
    column and *not* scaled. An exponential block is (x, y, z) with y > 0 and y exp(x / y) <= z,
    or a limit of such points.
    """

    zero: int = 0
    nonneg: int = 0
    soc: tuple[int, ...] = ()
    psd: tuple[int, ...] = ()
    exp: int = 0

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.zero + self.nonneg + sum(self.soc) + sum(m * (m + 1) // 2 for m in self.psd) + 3 * self.exp

    @property
    def linear(self) -> bool:
        """Whether the programme is a linear one."""
        return not (self.soc or self.psd or self.exp)

    def blocks(self) -> Iterator[tuple[str, slice]]:
        """Yield kind and rows of each block; the nonnegative rows are one block."""
        start = 0
        sizes = [("zero", self.zero), ("nonneg", self.nonneg), *(("soc", m) for m in self.soc)]
        sizes += [("psd", m * (m + 1) // 2) for m in self.psd] + [("exp", 3)] * self.exp
        for kind, size in sizes:
            if size:
                yield kind, slice(start, start + size)
                start += size

    def weights(self) -> list[int]:
        """Return how often an entry counts in the inner product: 2 off the diagonal of a semidefinite block."""
        weights = [1] * self.rows
        for kind, rows in self.blocks():
            if kind == "psd":
                for index, (i, j) in enumerate(triangle(rows.stop - rows.start)):
                    weights[rows.start + index] = 1 if i == j else 2
        return weights

    def interior(self, *, dual: bool) -> list[int]:
        """Return a point inside the cone (or its dual); zero on the rows of the zero cone."""
        point = [0] * self.rows
        for kind, rows in self.blocks():
            if kind == "nonneg":
                point[rows] = [1] * (rows.stop - rows.start)
            elif kind == "soc":
                point[rows.start] = 1
            elif kind == "psd":
                point[rows] = [int(i == j) for i, j in triangle(rows.stop - rows.start)]
            elif kind == "exp":
                point[rows] = [-1, 0, 1] if dual else [0, 1, 2]
        return point

    def gap(self, vector: Sequence[Any], *, dual: bool = False) -> str | None:
        """Return the block of a rational vector that is not shown to lie in the cone (or its dual), or None."""
        for kind, rows in self.blocks():
            if not (kind == "zero" and dual) and not MEMBER[kind](vector[rows], dual):
                return f"rows {rows.start}..{rows.stop - 1} ({kind})"
        return None


def triangle(size: int) -> list[tuple[int, int]]:
    """Return the index pairs of an upper triangle with ``size`` entries, column by column."""
    order = int((np.sqrt(8 * size + 1) - 1) / 2 + 0.5)
    return [(i, j) for j in range(order) for i in range(j + 1)]


def is_semidefinite(matrix: list[list[Any]]) -> bool:
    """Whether a symmetric rational matrix is positive semidefinite, by exact L D L' without pivoting.

    A zero pivot of a semidefinite matrix has a zero row, so no pivoting is needed.
    """
    rows = [list(row) for row in matrix]
    order = len(rows)
    for k in range(order):
        pivot = rows[k][k]
        if pivot < 0:
            return False
        if pivot == 0:
            if any(rows[k][j] != 0 for j in range(k + 1, order)):
                return False
            continue
        for i in range(k + 1, order):
            factor = rows[i][k] / pivot
            if factor != 0:
                for j in range(i, order):
                    rows[i][j] -= factor * rows[k][j]
                    rows[j][i] = rows[i][j]
    return True


def _in_soc(vector: Sequence[Any], dual: bool) -> bool:
    del dual
    return bool(vector[0] >= 0 and vector[0] * vector[0] >= sum((v * v for v in vector[1:]), fmpq(0)))


def _in_psd(vector: Sequence[Any], dual: bool) -> bool:
    del dual
    pairs = triangle(len(vector))
    order = pairs[-1][1] + 1
    matrix = [[fmpq(0)] * order for _ in range(order)]
    for (i, j), value in zip(pairs, vector, strict=True):
        matrix[i][j] = matrix[j][i] = value
    return is_semidefinite(matrix)


def _in_exp(vector: Sequence[Any], dual: bool) -> bool:
    x, y, z = vector
    if dual:
        # The dual cone: u < 0 and -u exp(v / u) <= e w, that is (u - v, -u, w) in K; or u = 0 and v, w >= 0.
        if x == 0:
            return bool(y >= 0 and z >= 0)
        x, y = x - y, -x
    if y <= 0:
        return bool(y == 0 and x <= 0 and z >= 0) and not dual
    with flint.ctx.workprec(EXP_PRECISION):
        return bool(arb(y) * arb(x / y).exp() <= arb(z))


MEMBER: dict[str, Any] = {
    "zero": lambda vector, dual: all(v == 0 for v in vector),
    "nonneg": lambda vector, dual: all(v >= 0 for v in vector),
    "soc": _in_soc,
    "psd": _in_psd,
    "exp": _in_exp,
}


# ------------------------------------------------------------------------------------------------------- programmes


@dataclass(frozen=True)
class ConicProgram:
    """Minimise (or maximise) ``c'x + constant`` subject to ``b - A x`` in a cone; all data are rationals (fmpq).

    Parameters
    ----------
    rows
        Rows of A.
    bounds
        Numbers R_j with ``|x_j| <= R_j`` for all feasible x, or None: asserted by whoever states them.
    maximise
        Whether the programme stands for the maximum of ``-(c'x + constant)``.
    """

    c: tuple[Any, ...]
    rows: tuple[Row, ...]
    b: tuple[Any, ...]
    cones: Cones
    bounds: tuple[Any, ...] | None = None
    constant: Any = field(default_factory=lambda: fmpq(0))
    maximise: bool = False

    def __post_init__(self) -> None:
        if not len(self.rows) == len(self.b) == self.cones.rows:
            raise InvalidModelError(f"A has {len(self.rows)} rows, b {len(self.b)}, the cones {self.cones.rows}")
        if self.bounds is not None and len(self.bounds) != len(self.c):
            raise InvalidModelError(f"{len(self.bounds)} bounds for {len(self.c)} variables")

    @classmethod
    def of(
        cls,
        c: Any,
        A: Any,
        b: Any,
        cones: Cones,
        *,
        bounds: Any = None,
        constant: Any = 0,
        maximise: bool = False,
    ) -> "ConicProgram":
        """Read numbers (floats as exactly what they are, fractions, integers) from arrays, lists or a sparse A.

        With ``maximise`` the data are those of the maximisation: maximise ``c'x + constant``.

        Raises
        ------
        InvalidModelError
            Naming sizes that do not fit or an entry that is not finite.
        """
        columns = len(c)
        rows: list[Row] = []
        table = A.toarray() if hasattr(A, "toarray") else A
        for i, row in enumerate(table):
            if len(row) != columns:
                raise InvalidModelError(f"row {i} of A has {len(row)} entries, c has {columns}")
            rows.append({j: exact(value) for j, value in enumerate(row) if value != 0})
        sign = fmpq(-1 if maximise else 1)
        return cls(
            tuple(sign * exact(v) for v in c),
            tuple(rows),
            tuple(exact(v) for v in b),
            cones,
            None if bounds is None else tuple(exact(v) for v in bounds),
            sign * exact(constant),
            maximise,
        )

    @cached_property
    def digest(self) -> str:
        """Fingerprint of the exact data."""
        rows = [sorted((j, str(v)) for j, v in row.items() if v != 0) for row in self.rows]
        data = [[str(v) for v in self.c], rows, [str(v) for v in self.b], asdict(self.cones), str(self.constant)]
        bounds = None if self.bounds is None else [str(v) for v in self.bounds]
        return hashlib.sha256(dumps([*data, bounds, self.maximise]).encode()).hexdigest()[:16]

    @cached_property
    def columns(self) -> list[Row]:
        """Columns of A, weighted as in the inner product: entry i of column j is w_i A_ij."""
        weights = self.cones.weights()
        columns: list[Row] = [{} for _ in self.c]
        for i, row in enumerate(self.rows):
            for j, value in row.items():
                columns[j][i] = weights[i] * value
        return columns

    def slack(self, x: Sequence[Any]) -> list[Any]:
        """Return ``b - A x`` exactly."""
        return [b - sum((v * x[j] for j, v in row.items()), fmpq(0)) for row, b in zip(self.rows, self.b, strict=True)]

    def primal_value(self, x: Sequence[Any]) -> tuple[Any, str]:
        """Return the value of a feasible point, a rigorous upper bound of the minimum, or (None, what is violated)."""
        gap = self.cones.gap(self.slack(x))
        if gap is not None:
            return None, f"the primal point violates {gap}"
        return self.constant + sum((c * v for c, v in zip(self.c, x, strict=True)), fmpq(0)), ""

    def dual_value(self, z: Sequence[Any]) -> tuple[Any, str]:
        """Return a rigorous lower bound of the minimum, or (None, what is violated)."""
        gap = self.cones.gap(z, dual=True)
        if gap is not None:
            return None, f"the dual point violates {gap}"
        residual = [
            c + sum((v * z[i] for i, v in col.items()), fmpq(0)) for c, col in zip(self.c, self.columns, strict=True)
        ]
        loss = fmpq(0)
        for j, r in enumerate(residual):
            if r != 0:
                if self.bounds is None:
                    return None, f"equation {j} of the dual is violated by {float(Fraction(int(r.p), int(r.q))):.3g}"
                loss += abs(r) * self.bounds[j]
        weighted = (w * b * v for w, b, v in zip(self.cones.weights(), self.b, z, strict=True))
        return self.constant - sum(weighted, fmpq(0)) - loss, ""


def from_cvxpy(problem: Any, *, bounds: Any = None) -> ConicProgram:
    """Return the standard form of a CVXPY problem, as CVXPY reduces it for Clarabel.

    Raises
    ------
    InvalidModelError
        If the reduction uses a cone that is not supported, or is no programme at all.
    """
    import cvxpy

    data, _, _ = problem.get_problem_data(cvxpy.CLARABEL, solver_opts={"use_quad_obj": False})
    dims = data["dims"]
    if dims.p3d or dims.pnd or data.get("lower_bounds") is not None or data.get("upper_bounds") is not None:
        raise InvalidModelError("power cones and variable bounds of CVXPY are not supported")
    cones = Cones(int(dims.zero), int(dims.nonneg), tuple(map(int, dims.soc)), tuple(map(int, dims.psd)), int(dims.exp))
    offset = data["param_prob"].apply_parameters()[1]
    table, b = data["A"].toarray(), np.array(data["b"], dtype=float)
    for i, weight in enumerate(cones.weights()):
        if weight == 2:
            table[i] = [_unscaled(value) for value in table[i]]
            b[i] = _unscaled(b[i])
    maximise = isinstance(problem.objective, cvxpy.Maximize)
    sign = -1.0 if maximise else 1.0
    return ConicProgram.of(
        sign * data["c"], table, b, cones, bounds=bounds, constant=sign * float(offset), maximise=maximise
    )


def _unscaled(value: float) -> float:
    """Return the simplest number whose product with sqrt(2) is ``value`` in floating point."""
    quotient = value / np.sqrt(2.0)
    simple = float(Fraction(quotient).limit_denominator(10**6))
    return simple if abs(simple * np.sqrt(2.0) - value) <= 4 * np.spacing(abs(value)) else float(quotient)


# ---------------------------------------------------------------------------------------------------------- solvers


@dataclass(frozen=True)
class Proposal:
    """What a solver suggests; nothing of it is believed."""

    x: Any
    z: Any
    status: str


def _dense(program: ConicProgram) -> tuple[Any, Any, Any]:
    table = np.zeros((len(program.rows), len(program.c)))
    for i, row in enumerate(program.rows):
        for j, value in row.items():
            table[i, j] = _float(value)
    return np.array([_float(v) for v in program.c]), table, np.array([_float(v) for v in program.b])


def _float(value: Any) -> float:
    return int(value.p) / int(value.q)


def propose(program: ConicProgram) -> Proposal:
    """Ask HiGHS (linear programmes) or Clarabel for primal and dual points."""
    c, table, b = _dense(program)
    if not len(b):
        return Proposal(np.zeros(len(c)), np.zeros(0), "no constraints")
    return _highs(c, table, b, program.cones) if program.cones.linear else clarabel(c, table, b, program.cones)


def _highs(c: Any, table: Any, b: Any, cones: Cones) -> Proposal:
    from scipy.optimize import linprog

    split = cones.zero
    equalities = (table[:split], b[:split]) if split else (None, None)
    inequalities = (table[split:], b[split:]) if cones.nonneg else (None, None)
    upper, lower = inequalities, equalities
    answer: Any = linprog(c, upper[0], upper[1], lower[0], lower[1], bounds=(None, None), method="highs-ds")
    if answer.x is None:
        return Proposal(None, None, str(answer.message))
    marginals = [-answer.eqlin.marginals] if split else []
    marginals += [-answer.ineqlin.marginals] if cones.nonneg else []
    return Proposal(answer.x, np.concatenate(marginals), str(answer.message))


def clarabel(c: Any, table: Any, b: Any, cones: Cones) -> Proposal:
    """Solve with Clarabel on one thread; semidefinite rows are scaled for it and scaled back."""
    import clarabel as solver
    from scipy import sparse

    scale = np.sqrt(np.array(cones.weights(), dtype=float))
    settings = solver.DefaultSettings()
    settings.verbose, settings.max_threads = False, 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-10
    kinds = [
        *([solver.ZeroConeT(cones.zero)] if cones.zero else []),
        *([solver.NonnegativeConeT(cones.nonneg)] if cones.nonneg else []),
        *(solver.SecondOrderConeT(m) for m in cones.soc),
        *(solver.PSDTriangleConeT(m) for m in cones.psd),
        *(solver.ExponentialConeT() for _ in range(cones.exp)),
    ]
    scaled = sparse.csc_matrix(scale[:, None] * table)
    nothing = sparse.csc_matrix((len(c), len(c)))
    answer = solver.DefaultSolver(nothing, c, scaled, scale * b, kinds, settings).solve()
    status = str(answer.status)
    if "Infeasible" in status:
        return Proposal(None, None, status)
    return Proposal(np.array(answer.x), np.array(answer.z) / scale, status)


def propose_inside(program: ConicProgram, margin: float) -> Proposal:
    """Ask Clarabel for nearly optimal points with a margin in both cones.

    With ``s - m e`` in K and ``z - m f`` in K* for e and f inside the cones, the programme has the data ``b - m e`` and
    ``c + m A'f``: one solve gives both points, and the optimum moves by no more than its sensitivity times m.
    """
    c, table, b = _dense(program)
    weights = np.array(program.cones.weights(), dtype=float)
    primal = np.array(program.cones.interior(dual=False), dtype=float)
    dual = np.array(program.cones.interior(dual=True), dtype=float)
    answer = clarabel(c + margin * table.T @ (weights * dual), table, b - margin * primal, program.cones)
    return answer if answer.z is None else Proposal(answer.x, answer.z + margin * dual, answer.status)


# ----------------------------------------------------------------------------------------------------------- repair


def _rounded(vector: Any) -> list[Any]:
    return [fmpq(int(np.rint(v * ROUNDING)), ROUNDING) for v in vector]


def solve_exactly(equations: Sequence[Row], right: Sequence[Any], start: list[Any], room: Any) -> list[Any] | None:
    """Change few entries of a point so that linear equations hold exactly, or return None.

    Parameters
    ----------
    room
        (len(start),) how freely an entry may move; entries with room 0 stay. The basis prefers entries with much room.
    """
    from scipy.linalg import qr

    if not equations:
        return start
    matrix = np.zeros((len(equations), len(start)))
    for i, row in enumerate(equations):
        for j, value in row.items():
            matrix[i, j] = _float(value)
    scaled = matrix * room
    if not scaled.any():
        basis, chosen = np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    else:
        _, r, columns = qr(scaled, mode="economic", pivoting=True)
        diagonal = np.abs(np.diag(r))
        rank = int(np.sum(diagonal > 1e-9 * diagonal[0]))
        basis = columns[:rank]
        chosen = qr(matrix[:, basis].T, mode="r", pivoting=True)[1][:rank]
    if len(basis) > MAX_EXACT:
        return None
    moved = list(start)
    if len(basis):
        misfit = [[right[i] - sum((v * start[j] for j, v in equations[i].items()), fmpq(0))] for i in map(int, chosen)]
        square = [[equations[i].get(j, fmpq(0)) for j in map(int, basis)] for i in map(int, chosen)]
        try:
            change = flint.fmpq_mat(square).solve(flint.fmpq_mat(misfit))
        except ZeroDivisionError:
            return None
        for k, j in enumerate(map(int, basis)):
            moved[j] += change[k, 0]
    fits = all(
        sum((v * moved[j] for j, v in row.items()), fmpq(0)) == b for row, b in zip(equations, right, strict=True)
    )
    return moved if fits else None


def _primal_candidates(program: ConicProgram, x: Any) -> Iterator[list[Any] | None]:
    """Yield exact points near x, on faces of the nonnegative cone where slacks are tiny."""
    _, table, b = _dense(program)
    slack = b - table @ x
    equal = program.cones.zero
    for threshold in (*ACTIVE, -np.inf):
        active = [i for i in range(equal + program.cones.nonneg) if i < equal or slack[i] < threshold]
        yield solve_exactly(
            [program.rows[i] for i in active], [program.b[i] for i in active], _rounded(x), np.ones(len(x))
        )


def _dual_candidates(program: ConicProgram, z: Any) -> Iterator[list[Any] | None]:
    """Yield exact multipliers near z, without the nonnegative ones that are tiny."""
    right = [-c for c in program.c]
    nonneg = slice(program.cones.zero, program.cones.zero + program.cones.nonneg)
    for threshold in (*ACTIVE, 0.0):
        kept = np.array(z, dtype=float)
        kept[nonneg] = np.where(kept[nonneg] < threshold, 0.0, np.maximum(kept[nonneg], 0.0))
        room = np.maximum(np.abs(kept), 1e-6)
        room[: program.cones.zero] = max(1.0, float(np.max(room, initial=0.0)))
        room[nonneg] = kept[nonneg]
        yield solve_exactly(program.columns, right, _rounded(kept), room)
        if program.bounds is not None:
            yield _rounded(kept)


# ------------------------------------------------------------------------------------------------------ certificate


@dataclass(frozen=True)
class Certificate:
    """Rigorous enclosure of an optimum with the points that show it; None where there is no bound.

    ``lower`` and ``upper`` enclose the optimum in the sense of the programme (maximum or minimum).
    """

    lower: Any
    upper: Any
    x: tuple[Any, ...] | None
    z: tuple[Any, ...] | None
    status: str

    @property
    def gap(self) -> Any:
        """Width of the enclosure, None if it is infinite."""
        return None if self.lower is None or self.upper is None else self.upper - self.lower


def certify(program: ConicProgram) -> Certificate:
    """Solve a programme and enclose its optimum by exactly feasible points.

    A bound that cannot be certified is None; the status says why, in the solver's words and ours.
    """
    proposal = propose(program)
    status = f"solver: {proposal.status}"
    x, z, notes = None, None, ("", "")
    for margin in MARGINS:
        if margin:
            proposal = propose_inside(program, margin)
        if proposal.x is not None and np.isfinite(proposal.x).all() and np.isfinite(proposal.z).all():
            x, first = (x, "") if x else _first_valid(_primal_candidates(program, proposal.x), program.primal_value)
            z, second = (z, "") if z else _first_valid(_dual_candidates(program, proposal.z), program.dual_value)
            notes = (first, second)
        if (x and z) or (not margin and proposal.x is None):
            break
    return enclosure(program, x, z, "; ".join(filter(None, (status, *notes))))


def _first_valid(candidates: Iterator[list[Any] | None], value: Any) -> tuple[tuple[Any, ...] | None, str]:
    reason = "the equations cannot be met exactly"
    for candidate in candidates:
        if candidate is not None:
            bound, gap = value(candidate)
            if bound is not None:
                return tuple(candidate), ""
            reason = gap
    return None, reason


def enclosure(program: ConicProgram, x: Any, z: Any, status: str = "") -> Certificate:
    """Evaluate given points exactly; no solver is involved."""
    upper = None if x is None else program.primal_value(x)[0]
    lower = None if z is None else program.dual_value(z)[0]
    if program.maximise:
        lower, upper = (None if upper is None else -upper), (None if lower is None else -lower)
    return Certificate(lower, upper, x, z, status)


# ----------------------------------------------------------------------------------------------------------- claims


@dataclass(frozen=True)
class Claimed:
    """What is claimed of the optimum of ``problem`` (a `ConicProgram` or a CVXPY problem).

    ``tolerance`` is relative to the larger of 1 and the value; ``bounds`` are passed to `from_cvxpy`.
    """

    problem: Any
    value: Any
    tolerance: Any = TOLERANCE
    bounds: Any = None
    relation: ClassVar[Literal["==", "<=", ">="]]

    @property
    def program(self) -> ConicProgram:
        """The programme in standard form."""
        return self.problem if isinstance(self.problem, ConicProgram) else from_cvxpy(self.problem, bounds=self.bounds)

    def judge(self, certificate: Certificate) -> tuple[Finding, str]:
        """Compare the claim with an enclosure."""
        value = exact(self.value)
        allowance = exact(self.tolerance) * max(fmpq(1), abs(value))
        low, high = certificate.lower, certificate.upper
        above = self.relation != ">=" and low is not None and low > value + allowance
        below = self.relation != "<=" and high is not None and high < value - allowance
        if above or below:
            return Finding.VIOLATION, f"the optimum is {'above' if above else 'below'} {value}"
        enough_low = self.relation == "<=" or (low is not None and low >= value - allowance)
        enough_high = self.relation == ">=" or (high is not None and high <= value + allowance)
        if enough_low and enough_high:
            return Finding.CERTIFICATE, ""
        width = "no certified bound" if certificate.gap is None else f"width {_decimal(certificate.gap)}"
        return Finding.UNDECIDED, f"the enclosure does not decide ({width}; {certificate.status})"


@dataclass(frozen=True)
class Optimum(Claimed):
    """The optimum equals ``value``."""

    relation = "=="


@dataclass(frozen=True)
class AtMost(Claimed):
    """The optimum is at most ``value``."""

    relation = "<="


@dataclass(frozen=True)
class AtLeast(Claimed):
    """The optimum is at least ``value``."""

    relation = ">="


def _decimal(value: Any) -> str:
    return "none" if value is None else f"{_float(value):.12g}"


def claims_of(returned: Any) -> dict[str, Claimed]:
    """Return the named claims of a statement."""
    claims = dict(returned) if isinstance(returned, Mapping) else {"": returned}
    for name, claim in claims.items():
        if not isinstance(claim, Claimed):
            raise TypeError(f"claim {name or '(unnamed)'} is a {type(claim).__name__}, not Optimum, AtMost or AtLeast")
    if not claims:
        raise ValueError("the statement returned no claim")
    return claims


# ----------------------------------------------------------------------------------------------------------- method


class Convex(Method):
    """Certify what a statement, called with an instance, says about an optimum, on each of the named instances."""

    name: ClassVar[str] = "convex"

    def __init__(self, instances: Mapping[str, Any] | Sizes[Mapping[str, Any]]) -> None:
        self.instances = instances if isinstance(instances, Sizes) else Sizes(instances)
        if not self.instances.quick:
            raise ValueError("no instances")

    def units(self, tier: Tier) -> tuple[str, ...]:
        """One unit an instance."""
        return tuple(self.instances.at(tier))

    def _instance(self, name: str) -> Any:
        for tier in Tier:
            if name in self.instances.at(tier):
                return self.instances.at(tier)[name]
        raise KeyError(f"no instance is called {name}")

    def run(self, statement: Statement, unit: str, context: Context) -> Json:
        """Certify the claims on one instance."""
        instance = self._instance(unit)
        unmet = context.unmet(instance)
        if unmet is not None:
            return {"skipped": unmet, "claims": []}
        return {"skipped": None, "claims": [_record(name, c) for name, c in claims_of(statement(instance)).items()]}

    def settles(self, result: Json) -> bool:
        """One violated claim refutes the statement."""
        return any(claim["finding"] == Finding.VIOLATION for claim in result["claims"])

    def fold(self, results: Mapping[str, Json]) -> Evidence:
        """Combine instances: all must be certified."""
        records = [(where, record) for where, result in results.items() for record in result["claims"]]
        common: dict[str, Any] = {
            "instances": tuple(where for where, result in results.items() if result["skipped"] is None),
            "skipped": {where: result["skipped"] for where, result in results.items() if result["skipped"] is not None},
            "certificate": {"claims": [{"instance": where, **record} for where, record in records]},
            "tightness": _tightness(records),
        }
        for where, record in records:
            if record["finding"] == Finding.VIOLATION:
                witness = {"instance": where, **record}
                text = f"{record['reason']} on {where}, by exact points"
                return Evidence(self.name, Finding.VIOLATION, text, witness=witness, **common)
        undecided = [(where, record) for where, record in records if record["finding"] != Finding.CERTIFICATE]
        if undecided or not records:
            where, reason = (
                (undecided[0][0], undecided[0][1]["reason"]) if undecided else ("all", "no instance is left")
            )
            text = f"{len(undecided)} of {len(records)} claims undecided; {where}: {reason}"
            return Evidence(self.name, Finding.UNDECIDED, text, **common)
        widths = [parse(record["gap"]) for _, record in records if record["gap"] is not None]
        widest = f", widest enclosure {_float(max(widths)):.2g}" if widths else ""
        tolerance = max(_float(parse(record["tolerance"])) for _, record in records)
        text = f"{len(records)} claims on {len(common['instances'])} instances hold within {tolerance:.2g}{widest}"
        return Evidence(self.name, Finding.CERTIFICATE, text, **common)

    def recheck(self, statement: Statement, evidence: Evidence) -> str | None:
        """Evaluate the stored points exactly on the statement's programmes; no solver is called."""
        try:
            claims = {where: claims_of(statement(self._instance(where))) for where in evidence.instances}
        except KeyError as unknown:
            return str(unknown)
        try:
            return _recheck(claims, evidence)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, IndexError) as damage:
            return f"the evidence is damaged: {damage!r}"


def _recheck(claims: Mapping[str, Mapping[str, Claimed]], evidence: Evidence) -> str | None:
    stored: dict[str, dict[str, Json]] = {}
    for record in evidence.certificate["claims"]:
        stored.setdefault(record["instance"], {})[record["name"]] = record
    if set(stored) != set(claims):
        return f"the evidence holds points for {sorted(stored)}, not for {sorted(claims)}"
    findings = []
    for where, records in stored.items():
        if list(claims[where]) != list(records):
            return f"{where}: the statement claims {list(claims[where])}, the evidence {list(records)}"
        for name, claim in claims[where].items():
            wrong = _recheck_record(claim, records[name])
            if wrong is not None:
                return f"{where}: {wrong}"
            findings.append(records[name]["finding"])
    return _recheck_finding(evidence, findings)


def _recheck_finding(evidence: Evidence, findings: list[str]) -> str | None:
    expected = Finding.CERTIFICATE
    if Finding.VIOLATION in findings:
        expected = Finding.VIOLATION
    elif Finding.UNDECIDED in findings or not findings:
        expected = Finding.UNDECIDED
    return None if evidence.finding == expected else f"the claims amount to {expected}, not {evidence.finding}"


def _record(name: str, claim: Claimed) -> dict[str, Json]:
    program = claim.program
    certificate = certify(program)
    finding, reason = claim.judge(certificate)

    def text(value: Any) -> Json:
        return None if value is None else str(value)

    def texts(point: Any) -> Json:
        return None if point is None else [str(value) for value in point]

    return {
        "name": name,
        "relation": claim.relation,
        "value": str(exact(claim.value)),
        "tolerance": str(exact(claim.tolerance)),
        "lower": text(certificate.lower),
        "upper": text(certificate.upper),
        "gap": text(certificate.gap),
        "finding": finding.value,
        "reason": reason,
        "status": certificate.status,
        "digest": program.digest,
        "x": texts(certificate.x),
        "z": texts(certificate.z),
    }


def _recheck_record(claim: Claimed, record: Json) -> str | None:
    program = claim.program
    said = (record["relation"], record["value"], record["tolerance"])
    meant = (claim.relation, str(exact(claim.value)), str(exact(claim.tolerance)))
    if said != meant:
        return f"the claim is {' '.join(meant)}, the evidence says {' '.join(said)}"
    if record["digest"] != program.digest:
        return "the evidence is for another programme"
    try:
        x, z = (None if record[key] is None else tuple(map(parse, record[key])) for key in "xz")
    except (ValueError, ZeroDivisionError):
        return "a stored point is not rational"
    if (x is not None and len(x) != len(program.c)) or (z is not None and len(z) != len(program.rows)):
        return "a stored point has the wrong size"
    certificate = enclosure(program, x, z, record["status"])
    for key, value in (("lower", certificate.lower), ("upper", certificate.upper)):
        if (None if value is None else str(value)) != record[key]:
            return f"the {key} bound is {_decimal(value)}, not {record[key]}"
    finding, _ = claim.judge(certificate)
    return None if finding == record["finding"] else f"the enclosure says {finding}, the evidence {record['finding']}"


def _tightness(records: Sequence[tuple[str, Json]]) -> Tightness | None:
    """Return the largest ratio of the optimum to a claimed upper bound, or of a lower bound to the optimum."""
    best: Tightness | None = None
    for where, record in records:
        if record["relation"] == "<=" and record["lower"] is not None:
            small, large = parse(record["lower"]), parse(record["value"])
        elif record["relation"] == ">=" and record["upper"] is not None:
            small, large = parse(record["value"]), parse(record["upper"])
        else:
            continue
        if small >= 0 and large > 0 and (best is None or _float(small / large) > best.ratio):
            best = Tightness(_float(small / large), where)
    return best
