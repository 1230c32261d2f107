r"""Semidefinite certificates of stable loops, verified in rational arithmetic.

For a loop :math:`F = A - B K` with inputs through B:

* **growth and rate** :math:`(M, \beta)`: :math:`F^\top P F \preceq \beta^2 P,\; I \preceq P \preceq M^2 I` gives
  :math:`\| F^t \| \le M \beta^t`;
* **peak gain**: :math:`\begin{pmatrix} F^\top P F - \lambda P & F^\top P B \\ B^\top P F & B^\top P B - \mu I
  \end{pmatrix} \preceq 0,\; P \succeq I` gives
  :math:`\limsup_t \| x_t \| \le \sup_t \| w_t \| \sqrt{\mu / (1 - \lambda)}` for :math:`x_{t+1} = F x_t + B w_t`;
* **small gain**: :math:`P \succeq 0` and :math:`\begin{pmatrix} F^\top P F - \beta^2 P + \kappa^2 I & F^\top P B \\
  B^\top P F & B^\top P B - I \end{pmatrix} \preceq 0`: the loop with input :math:`\Delta(x)`,
  :math:`\| \Delta(x) \| \le \kappa \| x \|`, decays at rate :math:`\beta`; the largest :math:`\kappa` for
  :math:`\beta = 1` is one over the :math:`H_\infty` norm of :math:`(zI - F)^{-1} B` (bounded real lemma);
* **invariant ellipsoid**: :math:`J^\top P J \preceq \beta^2 P` at the vertices J of the Jacobians,
  :math:`P_0 \preceq P \preceq P_1`: :math:`\{ x^\top P x \le 1 \}` absorbs input errors up to
  :math:`(1 - \beta) / \| B \|_P`, :math:`\| B \|_P^2 = \lambda_{\max}(B^\top P B)`.

Clarabel only proposes P, with a small margin in every inequality. The inequalities are then decided exactly for the
float64 numbers returned; a proposal that fails is solved again with a larger margin, or there is no certificate.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from mdps.control import LinearPlant, as_matrix, closed_loop
from mdps.errors import InvalidModelError
from mdps.validation import FloatArray, as_float_array, require_shape
from solvers.lipschitz_policies_exact import (
    Matrix,
    between,
    block,
    combine,
    contracts,
    exact_loop,
    exact_matrix,
    identity,
    is_definite,
    multiply,
    transpose,
    vertices_contract,
)

MARGINS = (1e-8, 1e-7, 1e-6, 1e-5)
"""Margins of the inequalities, relative to their right-hand sides, tried in turn."""

GRID = 13
"""Points of the coarse line search over rates."""

REFINEMENTS = 16
"""Golden-section steps of the fine one."""

NEAR = 1e-7
"""Relative distance to the spectral radius of the smallest rate tried."""

GOLDEN = (sqrt(5.0) - 1.0) / 2.0


class NotCertifiedError(InvalidModelError):
    """No certificate was found, or the proposed one does not hold exactly."""


@dataclass(frozen=True, eq=False)
class GrowthCertificate:
    """``||F^t|| <= growth * rate^t``, verified exactly.

    Parameters
    ----------
    growth, rate
        M >= 1 and beta < 1.
    metric
        P ``(n, n)`` with F'PF <= beta^2 P and condition number at most M^2.
    """

    growth: float
    rate: float
    metric: FloatArray

    def gain(self, input_lipschitz: float) -> float:
        """Return Gamma = M L_u / (1 - beta), from input errors to states."""
        return self.growth * input_lipschitz / (1.0 - self.rate)

    def admissible(self, input_lipschitz: float, radius: float, start: float) -> float:
        """Return the input error omega up to which ``M start + Gamma omega <= radius``; negative if there is none."""
        return (radius - self.growth * start) / self.gain(input_lipschitz)


@dataclass(frozen=True, eq=False)
class PeakCertificate:
    """``limsup ||x_t|| <= gain * sup ||w_t||``, verified exactly; ``decay`` is lambda, ``weight`` mu."""

    decay: float
    weight: float
    metric: FloatArray

    @property
    def gain(self) -> float:
        """The square root of mu / (1 - lambda)."""
        return sqrt(self.weight / (1.0 - self.decay))


@dataclass(frozen=True, eq=False)
class SmallGainCertificate:
    """Relative input errors up to ``kappa`` leave the loop exponentially stable with ``rate``, verified exactly."""

    kappa: float
    rate: float
    metric: FloatArray


@dataclass(frozen=True, eq=False)
class EllipsoidCertificate:
    """The ellipsoid x'Px <= 1 is invariant under input errors up to ``admissible``, verified exactly.

    Parameters
    ----------
    rate
        beta: contraction in the norm of P.
    metric
        P ``(n, n)``.
    input_norm
        An upper bound of ||B||_P.
    """

    rate: float
    metric: FloatArray
    input_norm: float

    @property
    def admissible(self) -> float:
        """Largest input error that keeps the ellipsoid invariant."""
        return (1.0 - self.rate) / self.input_norm


# Line search


def spectral_radius(matrix: npt.ArrayLike) -> float:
    """Return the largest modulus of an eigenvalue."""
    return float(np.abs(np.linalg.eigvals(np.asarray(matrix, dtype=np.float64))).max())


def line_search(objective: Callable[[float], float], low: float, high: float) -> float:
    """Return a minimiser in (low, high): a grid, then golden sections around its best point.

    A point next to ``low`` is tried as well, the optimum of normal loops. The result is a minimiser of a quasiconvex
    objective; of any other it is a good point, never a wrong certificate.
    """
    points = np.linspace(low, high, GRID + 2)[1:-1]
    values = [objective(float(point)) for point in points]
    best = int(np.argmin(values))
    edge = low + NEAR * (high - low)
    candidates = [(values[best], float(points[best])), (objective(edge), edge)]
    left = low if best == 0 else float(points[best - 1])
    right = high if best == GRID - 1 else float(points[best + 1])
    inner, outer = right - GOLDEN * (right - left), left + GOLDEN * (right - left)
    at_inner, at_outer = objective(inner), objective(outer)
    for _ in range(REFINEMENTS):
        candidates += [(at_inner, inner), (at_outer, outer)]
        if at_inner <= at_outer:
            right, outer, at_outer = outer, inner, at_inner
            inner = right - GOLDEN * (right - left)
            at_inner = objective(inner)
        else:
            left, inner, at_inner = inner, outer, at_outer
            outer = left + GOLDEN * (right - left)
            at_outer = objective(outer)
    value, point = min(candidates)
    if value == inf:
        raise NotCertifiedError(f"no rate in ({low:.6g}, {high:.6g}) is feasible")
    return point


class _Program:
    """A semidefinite programme in P with one parameter, solved by Clarabel."""

    def __init__(self, build: Callable[[Any, Any, Any, Any], tuple[Any, list[Any]]], size: int) -> None:
        import cvxpy as cp  # slow to import

        self._cp = cp
        self.metric = cp.Variable((size, size), symmetric=True)
        self.parameter, self.margin = cp.Parameter(nonneg=True), cp.Parameter(nonneg=True)
        objective, constraints = build(cp, self.metric, self.parameter, self.margin)
        self._problem = cp.Problem(cp.Minimize(objective), constraints)

    def solve(self, parameter: float, margin: float) -> float:
        """Return the optimum, infinite where the solver finds none; P is then in ``metric.value``."""
        self.parameter.value, self.margin.value = parameter, margin
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an inaccurate proposal is caught by its exact verification
            try:
                self._problem.solve(solver=self._cp.CLARABEL)
            except self._cp.SolverError:
                return inf
        accepted = (self._cp.OPTIMAL, self._cp.OPTIMAL_INACCURATE)
        return float(self._problem.value) if self._problem.status in accepted else inf

    def proposals(self, parameter: float) -> Any:
        """Yield symmetric proposals for P, with growing margins."""
        for margin in MARGINS:
            if self.solve(parameter, margin) < inf:
                metric = np.asarray(self.metric.value)
                yield as_float_array("metric", (metric + metric.T) / 2.0)


def _above(value: float) -> float:
    """Return a slightly larger number: what is left of the eigenvalue's rounding is settled exactly."""
    return value * (1.0 + 1e-12)


# Growth and rate


def _growth_program(loop: FloatArray) -> _Program:
    def build(cp: Any, metric: Any, rate_squared: Any, margin: Any) -> tuple[Any, list[Any]]:
        eye, top = np.eye(loop.shape[0]), cp.Variable()
        contraction = rate_squared * metric - loop.T @ metric @ loop >> margin * eye
        return top, [contraction, metric >> eye, top * eye - metric >> 0]

    return _Program(build, loop.shape[0])


def _certify_growth(loop: Matrix, metric: FloatArray, rate: float) -> GrowthCertificate | None:
    eigenvalues = np.linalg.eigvalsh(metric)
    low, high = eigenvalues[0] * (1.0 - 1e-12), _above(eigenvalues[-1])
    if low <= 0.0:
        return None
    exact, n = exact_matrix("metric", metric), len(loop)
    ordered = between(identity(n, Fraction(float(low))), exact, identity(n, Fraction(float(high))))
    if ordered and contracts(loop, exact, Fraction(rate)):
        return GrowthCertificate(_above(sqrt(high / low)), rate, metric)
    return None


def growth_certificate(plant: LinearPlant, gain: npt.ArrayLike, rate: float) -> GrowthCertificate:
    """Return the least certified M for a given rate.

    Raises
    ------
    NotCertifiedError
        If the rate is not above the spectral radius, or no proposal holds exactly.
    """
    program = _growth_program(closed_loop(plant, gain))
    return _best_growth(program, exact_loop(plant.A, plant.B, as_matrix("gain", gain)), rate)


def _best_growth(program: _Program, loop: Matrix, rate: float) -> GrowthCertificate:
    for metric in program.proposals(rate * rate):
        certificate = _certify_growth(loop, metric, rate)
        if certificate is not None:
            return certificate
    raise NotCertifiedError(f"no matrix P certifies the rate {rate:.9g}")


def _require_stable(loop: FloatArray) -> float:
    radius = spectral_radius(loop)
    if radius >= 1.0:
        raise NotCertifiedError(f"the loop is not stable: its spectral radius is {radius:.9g}")
    return radius


def best_growth_certificate(
    plant: LinearPlant,
    gain: npt.ArrayLike,
    score: Callable[[float, float], float] | None = None,
) -> GrowthCertificate:
    """Return the certificate that minimises ``score(M, beta)``, by default M / (1 - beta).

    Raises
    ------
    NotCertifiedError
        If the loop is not stable or no rate can be certified.
    """
    loop = closed_loop(plant, gain)
    program = _growth_program(loop)
    rank = score or (lambda growth, rate: growth / (1.0 - rate))

    def objective(rate: float) -> float:
        value = program.solve(rate * rate, MARGINS[0])
        return inf if value == inf else rank(sqrt(max(value, 1.0)), rate)

    rate = line_search(objective, _require_stable(loop), 1.0)
    return _best_growth(program, exact_loop(plant.A, plant.B, as_matrix("gain", gain)), rate)


# Peak gain


def _gain_block(loop: Matrix, inputs: Matrix, metric: Matrix, corner: Matrix, weight: Fraction) -> Matrix:
    """Return ``-[[F'PF + corner, F'PB], [B'PF, B'PB - weight I]]``."""
    through = multiply(metric, inputs)
    first = combine((-1, multiply(transpose(loop), metric, loop)), (-1, corner))
    cross = combine((-1, multiply(transpose(loop), through)))
    last = combine((weight, identity(len(inputs[0]))), (-1, multiply(transpose(inputs), through)))
    return block([[first, cross], [transpose(cross), last]])


def _exact_parts(plant: LinearPlant, gain: npt.ArrayLike) -> tuple[Matrix, Matrix]:
    return exact_loop(plant.A, plant.B, as_matrix("gain", gain)), exact_matrix("B", plant.B)


def peak_certificate(plant: LinearPlant, gain: npt.ArrayLike) -> PeakCertificate:
    """Return the least certified peak gain from an input error w to the state.

    Raises
    ------
    NotCertifiedError
        If the loop is not stable or no proposal holds exactly.
    """
    F, B = closed_loop(plant, gain), plant.B
    n, m = B.shape

    def build(cp: Any, metric: Any, decay: Any, margin: Any) -> tuple[Any, list[Any]]:
        weight = cp.Variable()
        corner = F.T @ metric @ F - decay * metric
        last = B.T @ metric @ B - weight * np.eye(m)
        matrix = cp.bmat([[corner, F.T @ metric @ B], [B.T @ metric @ F, last]])
        return weight, [matrix + margin * np.eye(n + m) << 0, metric >> (1.0 + margin) * np.eye(n)]

    program = _Program(build, n)

    def objective(decay: float) -> float:
        value = program.solve(decay, MARGINS[0])
        return inf if value == inf else value / (1.0 - decay)

    decay = line_search(objective, _require_stable(F) ** 2, 1.0)
    loop, inputs = _exact_parts(plant, gain)
    for margin in MARGINS:
        weight = program.solve(decay, margin)
        if weight == inf:
            continue
        value = np.asarray(program.metric.value)
        metric = as_float_array("metric", (value + value.T) / 2.0)
        exact = exact_matrix("metric", metric)
        corner = combine((-Fraction(decay), exact))
        matrix = _gain_block(loop, inputs, exact, corner, Fraction(_above(weight)))
        if is_definite(matrix) and is_definite(combine((1, exact), (-1, identity(n)))):
            return PeakCertificate(decay, _above(weight), metric)
    raise NotCertifiedError("no proposal for the peak gain holds exactly")


# Small gain


def small_gain_certificate(plant: LinearPlant, gain: npt.ArrayLike, rate: float = 1.0) -> SmallGainCertificate:
    """Return the largest certified relative input error that leaves the loop stable with the given rate.

    Raises
    ------
    NotCertifiedError
        If the loop is not stable with this rate, or no proposal holds exactly.
    """
    F, B = closed_loop(plant, gain), plant.B
    n, m = B.shape
    if not 0.0 < rate <= 1.0 or spectral_radius(F) >= rate:
        raise NotCertifiedError(f"the loop has the spectral radius {spectral_radius(F):.9g}, not below {rate:.9g}")

    def build(cp: Any, metric: Any, rate_squared: Any, margin: Any) -> tuple[Any, list[Any]]:
        square = cp.Variable()
        corner = F.T @ metric @ F - rate_squared * metric + square * np.eye(n)
        matrix = cp.bmat([[corner, F.T @ metric @ B], [B.T @ metric @ F, B.T @ metric @ B - np.eye(m)]])
        return -square, [matrix + margin * np.eye(n + m) << 0, metric >> 0]

    program = _Program(build, n)
    loop, inputs = _exact_parts(plant, gain)
    for margin in MARGINS:
        square = -program.solve(rate * rate, margin)
        if not 0.0 < square < inf:
            continue
        value = np.asarray(program.metric.value)
        metric = as_float_array("metric", (value + value.T) / 2.0)
        exact, kappa = exact_matrix("metric", metric), sqrt(square) * (1.0 - 1e-12)
        corner = combine((-(Fraction(rate) ** 2), exact), (Fraction(kappa) ** 2, identity(n)))
        if is_definite(_gain_block(loop, inputs, exact, corner, Fraction(1))) and is_definite(exact):
            return SmallGainCertificate(kappa, rate, metric)
    raise NotCertifiedError("no proposal for the small gain holds exactly")


def frequency_gain(plant: LinearPlant, gain: npt.ArrayLike, points: int = 2001) -> float:
    """Return the largest ``||(zI - F)^-1 B||`` found on the unit circle: a lower bound of the H-infinity norm.

    Raises
    ------
    NotCertifiedError
        If the loop is not stable.
    """
    F = closed_loop(plant, gain)
    _require_stable(F)

    def response(angles: FloatArray) -> FloatArray:
        shifted = np.exp(1j * angles)[:, None, None] * np.eye(F.shape[0]) - F
        norms: FloatArray = np.linalg.norm(np.linalg.solve(shifted, plant.B[None].astype(complex)), 2, axis=(1, 2))
        return norms

    centre, width = np.pi / 2.0, np.pi / 2.0
    for _ in range(4):
        angles = np.linspace(max(0.0, centre - width), min(np.pi, centre + width), points)
        norms = response(angles)
        centre, width = float(angles[np.argmax(norms)]), 4.0 * width / points
    return float(norms.max())


# Invariant ellipsoids


def ellipsoid_certificate(
    loops: Sequence[npt.ArrayLike],
    inputs: npt.ArrayLike,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike | None = None,
    rate: float | None = None,
) -> EllipsoidCertificate:
    """Return an invariant ellipsoid of a polytope of loops that admits the largest input error.

    Parameters
    ----------
    loops
        Vertices J ``(n, n)`` of the Jacobians of the closed loop.
    inputs
        B ``(n, m)``.
    lower, upper
        Bounds of P in the semidefinite order: lower = I / r^2 keeps the ellipsoid in the ball of radius r, upper =
        I / r0^2 keeps the ball of radius r0 inside; no upper bound if omitted.
    rate
        beta; found by a line search if omitted.

    Raises
    ------
    NotCertifiedError
        If a vertex is not stable or no proposal holds exactly.
    """
    vertices, B = [as_matrix("loops", loop) for loop in loops], as_matrix("inputs", inputs)
    n = B.shape[0]
    for vertex in vertices:
        require_shape("loops", vertex, (n, n))
    floor = as_matrix("lower", lower)
    ceiling = None if upper is None else as_matrix("upper", upper)
    for name, bound in (("lower", floor), ("upper", ceiling)):
        if bound is not None:
            require_shape(name, bound, (n, n))
    program = _ellipsoid_program(vertices, B, floor, ceiling)

    def objective(candidate: float) -> float:
        value = program.solve(candidate * candidate, MARGINS[0])
        return inf if value == inf else sqrt(max(value, 0.0)) / (1.0 - candidate)

    radius = max(_require_stable(vertex) for vertex in vertices)
    beta = line_search(objective, radius, 1.0) if rate is None else rate
    for metric in program.proposals(beta * beta):
        certificate = certify_ellipsoid(vertices, B, metric, beta, floor, ceiling)
        if certificate is not None:
            return certificate
    raise NotCertifiedError(f"no ellipsoid contracts by {beta:.9g} at all vertices")


def _ellipsoid_program(
    vertices: Sequence[FloatArray], B: FloatArray, lower: FloatArray, upper: FloatArray | None
) -> _Program:
    n, m = B.shape

    def build(cp: Any, metric: Any, rate_squared: Any, margin: Any) -> tuple[Any, list[Any]]:
        top, eye = cp.Variable(), np.eye(n)
        constraints = [rate_squared * metric - J.T @ metric @ J >> margin * eye for J in vertices]
        constraints += [metric - lower >> margin * eye, top * np.eye(m) - B.T @ metric @ B >> 0]
        if upper is not None:
            constraints.append(upper - metric >> margin * eye)
        return top, constraints

    return _Program(build, n)


def certify_ellipsoid(
    loops: Sequence[Any],
    inputs: Any,
    metric: npt.ArrayLike,
    rate: float,
    lower: npt.ArrayLike,
    upper: npt.ArrayLike | None = None,
) -> EllipsoidCertificate | None:
    """Return the certificate of a given P if it holds exactly for the numbers given, else None.

    Parameters
    ----------
    loops, inputs
        As for `ellipsoid_certificate`; also rows of fractions or decimal strings.
    """
    exact, B = exact_matrix("metric", metric), exact_matrix("inputs", inputs)
    squared = multiply(transpose(B), exact, B)
    top = np.linalg.eigvalsh(np.array([[float(value) for value in row] for row in squared]))[-1]
    norm = _above(sqrt(float(top)))
    ordered = is_definite(combine((1, exact), (-1, exact_matrix("lower", lower))))
    if upper is not None:
        ordered = ordered and is_definite(combine((1, exact_matrix("upper", upper)), (-1, exact)))
    bounded = is_definite(combine((Fraction(norm) ** 2, identity(len(B[0]))), (-1, squared)))
    vertices = [exact_matrix("loops", loop) for loop in loops]
    if ordered and bounded and vertices_contract(vertices, exact, Fraction(rate)):
        return EllipsoidCertificate(rate, as_float_array("metric", metric), norm)
    return None
