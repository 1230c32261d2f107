"""Checks of certificates by matrices: contraction, invariant sets, peak gains and sectors.

A matrix is semidefinite if the pivots of its L D L' are nonnegative, in rationals; optima are enclosed by exact points.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.base import Tier
from proofs_check.methods.convex import Cones, ConicProgram, Convex, Optimum, triangle
from proofs_check.methods.exact import Exact
from proofs_check.papers import lipschitz as lemmas
from proofs_check.papers.lipschitz import Matrix, Vector
from proofs_check.papers.lipschitz_policies import dot, times
from proofs_check.papers.lipschitz_policies_loops import ROTATION, ROTATION_GAIN, Learned, closed
from solvers.lipschitz_policies_exact import block, combine, identity, multiply, transpose

ZERO, ONE, HALF = Fraction(0), Fraction(1), Fraction(1, 2)


CONTRACTION: Matrix = [
    [Fraction(22_748, 10_000), Fraction(12_931, 10_000)],
    [Fraction(12_931, 10_000), Fraction(23_137, 10_000)],
]
PEAK_FORM: Matrix = [[Fraction(137, 100), Fraction(273, 1000)], [Fraction(273, 1000), Fraction(12_015, 10_000)]]
PEAK_RATE, PEAK_WEIGHT = Fraction(79, 100), Fraction(5174, 10_000)
COSINE = Fraction(8775, 10_000)
"""Below the cosine of 1/2."""


def definite(name: str, matrix: Any) -> Iterator[Comparison]:
    """Compare the pivots of a matrix with zero."""
    for index, pivot in enumerate(lemmas.pivots([list(row) for row in matrix])):
        yield Comparison(ZERO, pivot, where=f"{name}, pivot {index}")


def exact(matrix: Matrix) -> Any:
    """Return a matrix as nested tuples."""
    return tuple(tuple(row) for row in matrix)


def rotation_contraction(
    case: str, *, rate: Fraction = Fraction(78, 100), upper: Fraction = Fraction(3589, 1000)
) -> Iterator[Comparison]:
    """Pivots of P - I, upper I - P and rate^2 P - F'PF."""
    del case
    form, loop = exact(CONTRACTION), exact(closed(ROTATION, (ZERO, HALF), ROTATION_GAIN))
    yield from definite("lower", combine((1, form), (-1, identity(2))))
    yield from definite("upper", combine((upper, identity(2)), (-1, form)))
    yield from definite("contraction", combine((rate**2, form), (-1, multiply(transpose(loop), form, loop))))


def pendulum_set(
    case: str,
    *,
    angle: Fraction = HALF,
    omega: Fraction = Fraction(21_358, 100_000),
    rate: Fraction = Fraction(89, 100),
) -> Iterator[Comparison]:
    """Containment, contraction, norm of the input, admissible error, and squared slope of the expert.

    The set is invariant as the rate and omega times the norm of the input are at most 1 together.
    """
    del case
    form = exact(lemmas.PENDULUM_FORM)
    corner = ((1 / angle**2, ZERO), (ZERO, ZERO))
    yield from definite("angle", combine((1, form), (-1, corner)))
    lever = Fraction(5, 100) / Fraction(375, 10_000)
    norm = form[1][1] * lever**2
    yield Comparison(norm, Fraction(51_503, 100_000) ** 2, where="norm of the input")
    yield Comparison(omega**2 * norm, (1 - rate) ** 2, where="omega times the norm of the input")
    for vertex in (ONE, COSINE):
        for found in lemmas.vertex_contraction(vertex, rate=rate):
            yield replace(found, where=f"contraction at the cosine {vertex}, {found.where}")
    determinant = form[0][0] * form[1][1] - form[0][1] ** 2
    inverse = [[form[1][1], -form[0][1]], [-form[0][1], form[0][0]]]
    slope = dot(lemmas.FEEDBACK, times(inverse, lemmas.FEEDBACK)) / determinant
    yield Comparison(slope, Fraction(99_144, 100_000) ** 2, where="slope of the expert")
    cosine = 1 - HALF**2 / 2 + HALF**4 / 24 - HALF**6 / 720
    yield Comparison(COSINE, cosine, where="cosine of 1/2, by an alternating series")


def peak_lmi(case: str, *, gain: Fraction = Fraction(157, 100), weight: Fraction = ONE) -> Iterator[Comparison]:
    """Pivots of the certificate, its gain, and states of the loop for the worst inputs of norm 1.

    The inequality says that x'Px grows to at most lambda x'Px + mu omega^2 in a step: to mu omega^2 / (1 - lambda).
    """
    del case
    inputs = (ZERO, HALF)
    form, loop = exact(PEAK_FORM), exact(closed(ROTATION, inputs, ROTATION_GAIN))
    column = exact([[b] for b in inputs])
    mu = weight * PEAK_WEIGHT
    inside = multiply(transpose(loop), form, loop)
    edge = multiply(transpose(loop), form, column)
    corner = combine((mu, identity(1)), (-1, multiply(transpose(column), form, column)))
    upper = combine((PEAK_RATE, form), (-1, inside))
    yield from definite("form", combine((1, form), (-1, identity(2))))
    yield from definite("inequality", block([[upper, combine((-1, edge))], [combine((-1, transpose(edge))), corner]]))
    yield Comparison(mu, gain**2 * (1 - PEAK_RATE), where="gain")
    chosen = Learned([list(row) for row in loop], inputs, Fraction(39, 50), 16, ONE)
    state: Vector = (ZERO, ZERO)
    for t, push in enumerate(chosen.worst(16)):
        state = tuple(x + b * push for x, b in zip(times(chosen.matrix, state), inputs, strict=True))
        level = dot(state, times(PEAK_FORM, state))
        yield Comparison(dot(state, state), level, where=f"norm and form after {t + 1} steps")
        yield Comparison(level, mu * (1 - PEAK_RATE ** (t + 1)) / (1 - PEAK_RATE), where=f"form after {t + 1} steps")
    yield Comparison(dot(state, state), gain**2, where="a state that is reached")


@dataclass(frozen=True)
class Sector:
    """A rational loop with a scalar input."""

    matrix: Matrix
    inputs: Vector

    @property
    def response(self) -> tuple[Vector, Vector]:
        """Coefficients in c = cos(angle) of the numerator and the denominator of the squared gain at a frequency.

        For two states (z I - F) adj(z I - F) = z^2 - z tr F + det F, and the adjugate is z I + F - (tr F) I.
        """
        if len(self.inputs) == 1:
            pole, push = self.matrix[0][0], self.inputs[0]
            return (push**2, ZERO), (1 + pole**2, -2 * pole, ZERO)
        (a, b), (c, d) = self.matrix
        trace, determinant = a + d, a * d - b * c
        moved = times([[-d, b], [c, -a]], self.inputs)
        over = (dot(self.inputs, self.inputs) + dot(moved, moved), 2 * dot(self.inputs, moved))
        return over, ((1 - determinant) ** 2 + trace**2, -2 * trace * (1 + determinant), 4 * determinant)

    @property
    def square(self) -> Fraction:
        """Square of the largest gain over the frequencies, in rationals, too large by less than the slack.

        It is at most s where s times the denominator less the numerator, a parabola in c, is nonnegative on [-1, 1].
        """
        over, under = self.response

        def gain(c: Fraction) -> Fraction:
            return (over[0] + over[1] * c) / (under[0] + under[1] * c + under[2] * c**2)

        low, high = -ONE, ONE
        while high - low > Fraction(1, 10**6):
            first, second = low + (high - low) / 3, high - (high - low) / 3
            low, high = (first, high) if gain(first) < gain(second) else (low, second)
            low, high = low.limit_denominator(10**9), high.limit_denominator(10**9)
        bound = max(gain(c) for c in (-ONE, ONE, (low + high) / 2)) * (1 + SLACK)
        constant, linear = bound * under[0] - over[0], bound * under[1] - over[1]
        curvature = bound * under[2]
        least = min(constant + curvature + linear, constant + curvature - linear)
        if curvature > 0 and abs(linear) < 2 * curvature:
            least = min(least, constant - linear**2 / (4 * curvature))
        if least < 0:
            raise ArithmeticError("the gain is larger at another frequency")
        return bound


SLACK = Fraction(1, 10**8)
"""Relative error of the squares of the largest gains."""

SECTORS: Mapping[str, Sector] = {
    "stable scalar": Sector([[Fraction(36_233, 100_000)]], (ONE,)),
    "rotation": Sector(closed(ROTATION, (ZERO, HALF), ROTATION_GAIN), (ZERO, HALF)),
    "double integrator": Sector(
        closed(
            [[ONE, Fraction(1, 10)], [ZERO, ONE]],
            (Fraction(5, 1000), Fraction(1, 10)),
            (Fraction(276_235, 100_000), Fraction(250_754, 100_000)),
        ),
        (Fraction(5, 1000), Fraction(1, 10)),
    ),
}


def sector_radius(case: Sector, *, power: int = -1, scale: Fraction = ONE) -> Optimum:
    """Return the programme max kappa^2 over kappa^2 and the entries of P."""
    size = len(case.inputs)
    entries = triangle(size * (size + 1) // 2)
    rows: list[list[Fraction]] = []
    right: list[Fraction] = []
    units: list[Matrix] = []
    for i, j in entries:
        units.append([[Fraction(int((r, c) in ((i, j), (j, i)))) for c in range(size)] for r in range(size)])
    for i, j in entries:
        rows.append([ZERO, *(-unit[i][j] for unit in units)])
        right.append(ZERO)
    loop, column = exact(case.matrix), exact([[b] for b in case.inputs])
    parts = []
    for unit in map(exact, units):
        inside = combine((1, multiply(transpose(loop), unit, loop)), (-1, unit))
        edge = multiply(transpose(loop), unit, column)
        parts.append(block([[inside, edge], [transpose(edge), multiply(transpose(column), unit, column)]]))
    for i, j in triangle((size + 1) * (size + 2) // 2):
        rows.append([Fraction(int(i == j < size)), *(part[i][j] for part in parts)])
        right.append(Fraction(int(i == j == size)))
    cones = Cones(psd=(size, size + 1))
    program = ConicProgram.of([1] + [0] * len(units), rows, right, cones, maximise=True)
    return Optimum(program, scale * case.square**power, tolerance=Fraction(1, 10**5))


def invariance_figure(tier: Tier) -> Json:
    """States of the rotation under the worst errors of the input, inside the certified ellipsoid."""
    del tier
    loop = np.array([[float(e) for e in row] for row in closed(ROTATION, (ZERO, HALF), ROTATION_GAIN)])
    inputs, omega = np.array([0.0, 0.5]), 0.2
    form = np.array([[float(e) for e in row] for row in PEAK_FORM])
    level = omega * math.sqrt(float(PEAK_WEIGHT / (1 - PEAK_RATE)))
    angles = np.linspace(0.0, 2.0 * np.pi, 121)
    circle = np.stack([np.cos(angles), np.sin(angles)])
    ellipse = level * np.linalg.solve(np.linalg.cholesky(form).T, circle)
    state, path = np.zeros(2), [np.zeros(2)]
    for t in range(120):
        direction = np.array([np.cos(0.35 * t), -np.sin(0.35 * t)])
        state = loop @ state + inputs * omega * np.sign(direction @ loop @ inputs + 1e-12)
        path.append(state)
    steps = np.array(path)
    return {
        "kind": "curves",
        "title": "Certified set and a disturbed trajectory",
        "xlabel": "x_1",
        "ylabel": "x_2",
        "xscale": "linear",
        "yscale": "linear",
        "caption": f"Input errors of up to {omega:g}; the set is invariant by a rational certificate.",
        "curves": [
            {"label": "certified set", "x": ellipse[0], "y": ellipse[1], "muted": True},
            {"label": "trajectory", "x": steps[:, 0], "y": steps[:, 1], "style": "points"},
        ],
    }


CHECKS = (
    Check(
        "lipschitz_policies.rotation_contraction",
        Exact({"rotation": lambda: "rotation"}),
        rotation_contraction,
        (
            Mutant("rate", "0.77 in the place of 0.78", {"rate": Fraction(77, 100)}),
            Mutant("growth", "3.58 in the place of 3.589", {"upper": Fraction(358, 100)}),
        ),
    ),
    Check(
        "lipschitz_policies.pendulum_set",
        Exact({"pendulum": lambda: "pendulum"}),
        pendulum_set,
        (
            Mutant("angle", "angles up to 0.49", {"angle": Fraction(49, 100)}),
            Mutant("omega", "errors up to 0.2137", {"omega": Fraction(2137, 10_000)}),
            Mutant("rate", "the rate 0.885", {"rate": Fraction(885, 1000)}),
        ),
    ),
    Check(
        "lipschitz_policies.peak_lmi",
        Exact({"rotation": lambda: "rotation"}),
        peak_lmi,
        (
            Mutant("weight", "0.99 mu", {"weight": Fraction(99, 100)}),
            Mutant("gain", "1.56", {"gain": Fraction(156, 100)}),
        ),
        figure=invariance_figure,
    ),
    Check(
        "lipschitz_policies.sector_radius",
        Convex(SECTORS),
        sector_radius,
        (
            Mutant("scale", "0.999 times the value", {"scale": Fraction(999, 1000)}),
            Mutant("power", "the square of the gain in the place of its inverse", {"power": 1}),
        ),
    ),
)
