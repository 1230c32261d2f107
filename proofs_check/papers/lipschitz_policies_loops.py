r"""Checks of learned loops: deviation from the expert's, invariance, tubes, and certificates by matrices.

Linear loops are rational and in the supremum norm, with the error of the input that is worst for one coordinate; every
statement holds in any norm. Nonlinear loops are searched.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes
from proofs_check.methods.exact import Exact
from proofs_check.methods.search import Box, Maximiser, Search, Space
from proofs_check.papers.lipschitz import Loop, Matrix, Vector
from proofs_check.papers.lipschitz_policies import minus, times
from theory import lipschitz_policies as theory

CLAIMS = {claim.id.split(".")[1]: claim for claim in theory.CLAIMS}
ZERO, ONE, HALF = Fraction(0), Fraction(1), Fraction(1, 2)


@functools.cache
def _compiled(name: str) -> tuple[tuple[str, ...], Callable[..., Fraction]]:
    bound = CLAIMS[name].explicit_bound
    symbols = sorted(bound.rhs.free_symbols, key=lambda symbol: symbol.name)
    return bound.variables, sp.lambdify(symbols, bound.rhs, modules=["math"])


def bound(name: str, **values: Fraction | int) -> Fraction:
    """Return the bound of a claim at rational values, without rounding; values that do not occur are ignored."""
    variables, function = _compiled(name)
    return function(*(values[variable] for variable in variables))


def largest(vector: Vector) -> Fraction:
    """Return the supremum norm."""
    return max(abs(entry) for entry in vector)


def row_norm(matrix: Any) -> Fraction:
    """Return the norm of a matrix for the supremum norm."""
    return max(sum((abs(entry) for entry in row), ZERO) for row in matrix)


# Linear loops with a scalar input


@dataclass(frozen=True)
class Learned:
    """A loop F with a scalar input b, a rate and steps; errors of the input are at most ``omega``."""

    matrix: Matrix
    inputs: Vector
    rate: Fraction
    steps: int
    omega: Fraction = Fraction(1, 10)

    @cached_property
    def loop(self) -> Loop:
        """The loop without inputs."""
        return Loop(self.matrix, self.rate, self.steps + 1)

    @cached_property
    def powers(self) -> list[Matrix]:
        """F^0, ..., F^steps."""
        return self.loop.powers(self.steps)

    @property
    def growth(self) -> Fraction:
        """M over the steps that are looked at."""
        return self.loop.constant

    @property
    def input_norm(self) -> Fraction:
        """L_u."""
        return largest(self.inputs)

    @property
    def stability_defect(self) -> Fraction:
        """M is chosen to fit."""
        return ZERO

    @property
    def excursion(self) -> Fraction:
        """The radius is chosen to fit."""
        return ZERO

    def constants(self, *, use_growth: bool = True, factor: Fraction = ONE) -> dict[str, Fraction]:
        """Values of the symbols of the bounds; M = 1 without ``use_growth``, and times ``factor``."""
        growth = factor * (self.growth if use_growth else ONE)
        return {"M": growth, "L_u": self.input_norm, "beta": self.rate, "omega": self.omega}

    def responses(self, steps: int) -> list[Vector]:
        """Return F^(steps - 1 - k) b for k < steps."""
        return [times(self.powers[steps - 1 - k], self.inputs) for k in range(steps)]

    def worst(self, steps: int) -> list[Fraction]:
        """Return the errors that move one coordinate as far as possible in a number of steps."""
        responses = self.responses(steps)
        reach = [sum((abs(r[i]) for r in responses), ZERO) for i in range(len(self.inputs))]
        axis = reach.index(max(reach))
        return [self.omega if r[axis] >= 0 else -self.omega for r in responses]

    def run(self, start: Vector, errors: list[Fraction]) -> list[Vector]:
        """Return the states under given errors of the input."""
        states = [start]
        for error in errors:
            states.append(
                tuple(x + b * error for x, b in zip(times(self.matrix, states[-1]), self.inputs, strict=True))
            )
        return states


ROTATION: Matrix = [[Fraction(9, 10), Fraction(3, 10)], [Fraction(-3, 10), Fraction(9, 10)]]
ROTATION_GAIN = (Fraction(-129, 10_000), Fraction(8592, 10_000))


def closed(plant: Matrix, inputs: Vector, gain: Vector) -> Matrix:
    """Return A - b k'."""
    return [[entry - b * k for entry, k in zip(row, gain, strict=True)] for row, b in zip(plant, inputs, strict=True)]


LEARNED: Mapping[str, Callable[[], Learned]] = {
    "scalar": lambda: Learned([[Fraction(2, 5)]], (ONE,), Fraction(2, 5), 10),
    "scalar, small input": lambda: Learned([[Fraction(9, 10)]], (HALF,), Fraction(9, 10), 12),
    "not normal": lambda: Learned([[HALF, Fraction(5)], [ZERO, HALF]], (ZERO, ONE), Fraction(3, 5), 12),
    "rotation": lambda: Learned(closed(ROTATION, (ZERO, HALF), ROTATION_GAIN), (ZERO, HALF), Fraction(39, 50), 10),
}


def small_errors() -> Learned:
    """Return the loop that is not normal, with small errors of the input."""
    loop = LEARNED["not normal"]()
    return Learned(loop.matrix, loop.inputs, loop.rate, loop.steps, Fraction(1, 10_000))


def deviation(
    case: Learned, *, use_growth: bool = True, factor: Fraction = ONE, shift: int = 0
) -> Iterator[Comparison]:
    """Deviation under the worst errors after each number of steps."""
    constants = case.constants(use_growth=use_growth, factor=factor)
    start = tuple(Fraction(i + 1) for i in range(len(case.inputs)))
    for steps in range(1, case.steps + 1):
        states = case.run(start, case.worst(steps))
        moved = largest(minus(states[-1], times(case.powers[steps], start)))
        yield Comparison(moved, bound("deviation", **constants, t=steps + shift), where=f"after {steps} steps")


def ball(case: Learned, *, use_growth: bool = True, share: Fraction = ONE) -> Iterator[Comparison]:
    """States under the worst errors against M beta^t r_0 + Gamma omega; ``share`` of the ball of radius Gamma omega."""
    constants = case.constants(use_growth=use_growth)
    constants["omega"] *= share
    start = tuple(Fraction(i + 1) for i in range(len(case.inputs)))
    for steps in range(1, case.steps + 1):
        limit = bound("practical_stability", **constants, t=steps, r_0=largest(start))
        yield Comparison(largest(case.run(start, case.worst(steps))[-1]), limit, where=f"after {steps} steps")


def stays(case: Learned, *, use_growth: bool = True, share: Fraction = ONE) -> Iterator[Comparison]:
    """States under the worst errors from rest and from a start against the radius M r_0 + Gamma omega."""
    for scale in (0, 1):
        start = tuple(Fraction(scale * (i + 1)) for i in range(len(case.inputs)))
        radius = share * bound("invariance", **case.constants(use_growth=use_growth), r_0=largest(start))
        for steps in range(1, case.steps + 1):
            states = case.run(start, case.worst(steps))
            yield Comparison(largest(states[-1]), radius, where=f"after {steps} steps from {scale}")


def relative_error(
    case: Learned, *, use_growth: bool = True, kappa: Fraction = Fraction(1, 5), share: Fraction = ONE
) -> Iterator[Comparison]:
    """States under errors of kappa times the norm, pushing the largest response of each step."""
    constants = {**case.constants(use_growth=use_growth), "kappa": share * kappa, "r_0": ONE}
    start = tuple(ONE for _ in case.inputs)
    for direction in (1, -1):
        state = start
        for steps in range(1, case.steps + 1):
            push = direction * kappa * largest(state)
            state = tuple(x + b * push for x, b in zip(times(case.matrix, state), case.inputs, strict=True))
            limit = bound("relative_error", **constants, t=steps)
            yield Comparison(largest(state), limit, where=f"after {steps} steps, sign {direction}")


def lyapunov_deviation(
    case: Learned, *, slope: bool = True, ratio: bool = True, factor: Fraction = ONE
) -> Iterator[Comparison]:
    """States under the worst errors, from rest and from a start, against the bound of the converse function."""
    chosen = case.loop.converse()
    terms, growth = chosen.steps, chosen.constant
    upper = growth * (1 - chosen.rate**terms) / (1 - chosen.rate)
    rate = 1 - (1 - growth * chosen.rate**terms) / upper
    lip = sum((row_norm(power) for power in case.loop.powers(terms - 1)), ZERO) if slope else ONE
    for scale in (0, 1):
        start = tuple(Fraction(scale * (i + 1)) for i in range(len(case.inputs)))
        for steps in range(1, case.steps + 1):
            states = case.run(start, case.worst(steps))
            pushed = lip * case.input_norm * case.omega * (1 - rate**steps) / (1 - rate)
            limit = (upper if ratio else ONE) * rate**steps * largest(start) + factor * pushed
            yield Comparison(largest(states[-1]), limit, where=f"after {steps} steps from {scale}")


# Nonlinear loops


@dataclass(frozen=True, eq=False)
class Nonlinear:
    """A loop x' = F(x) + b w of given kind, with its constants and a start.

    ``tanh``: F(x) = W tanh(x), W of norm ``rate``. ``slow``: the scalar loop x - eta x |x|^p / (1 + |x|^p), whose
    input enters with eta / (1 + |x|^p); p = 5, eta = 3/10.
    """

    kind: str
    weights: FloatArray
    rate: float
    omega: float
    start: FloatArray
    steps: int

    def step(self, x: FloatArray, w: FloatArray) -> FloatArray:
        """Return the next state."""
        if self.kind == "tanh":
            return np.asarray(self.weights @ np.tanh(x) + w)
        size = np.abs(x) ** 5
        return np.asarray(x - 0.3 * (x * size - w) / (1.0 + size))

    @property
    def input_norm(self) -> float:
        """L_u."""
        return 1.0 if self.kind == "tanh" else 0.3

    @property
    def stability_defect(self) -> float:
        """Largest excess of |F^t(x)| over rate^t |x|, relative to it, along one trajectory."""
        x, worst = np.full_like(self.start, 0.3), 0.0
        size = float(np.linalg.norm(x))
        zero = np.zeros_like(x)
        for t in range(1, 61):
            x = self.step(x, zero)
            worst = max(worst, float(np.linalg.norm(x)) / (size * self.rate**t) - 1.0)
        return worst


def tanh_loop(weights: FloatArray, rate: float, omega: float, start: FloatArray) -> Nonlinear:
    """Return a loop whose matrix is scaled to the rate."""
    norm = float(np.linalg.norm(weights, 2))
    return Nonlinear("tanh", weights * (rate / norm if norm > 0 else 0.0), rate, omega, start, 25)


def slow_loop() -> Nonlinear:
    """Return the loop that is not exponentially stable, with a rate that it has for large states only."""
    return Nonlinear("slow", np.ones((1, 1)), 0.99, 1e-3, np.zeros(1), 4000)


def tanh_corner() -> Nonlinear:
    """Return a multiple of the identity near the origin, where the bound is attained."""
    return tanh_loop(np.eye(2), 0.9, 1e-4, np.zeros(2))


def nonlinear_deviation(case: Nonlinear, *, factor: float = 1.0) -> Comparison:
    """Deviation under errors that point along it, where it is closest to its bound."""
    x, y = case.start, case.start
    zero = np.zeros_like(x)
    worst = Comparison(0.0, 1.0, where="start")
    constants = {"M": 1.0, "L_u": case.input_norm, "beta": case.rate, "omega": case.omega}
    for t in range(1, case.steps + 1):
        gap = x - y
        size = float(np.linalg.norm(gap))
        push = gap / size if size > 0 else np.eye(len(gap))[0]
        x, y = case.step(x, case.omega * push), case.step(y, zero)
        limit = factor * CLAIMS["deviation"].explicit_bound.evaluate(**constants, t=t)
        here = Comparison(float(np.linalg.norm(x - y)), limit, where=f"t = {t}")
        if here.lhs * worst.rhs > worst.lhs * here.rhs:
            worst = here
    return worst


# Scalar policies that are exact on samples


@dataclass(frozen=True)
class Flat:
    """x' = 3/2 x + u with the expert -x; the policy is zero up to h / 2, then has slope -2: exact at 0 and +-h."""

    spacing: Fraction
    start: Fraction

    def step(self, x: Fraction) -> Fraction:
        """Return the next state of the learned loop."""
        beyond = max(abs(x) - self.spacing / 2, ZERO)
        return Fraction(3, 2) * x - 2 * (beyond if x > 0 else -beyond)


FLAT: Mapping[str, Callable[[], Flat]] = {
    "h = 1/5": lambda: Flat(Fraction(1, 5), Fraction(3, 20)),
    "h = 1, from the edge": lambda: Flat(ONE, ONE),
}


def practical_stability(case: Flat, *, ball: Fraction = ONE) -> Iterator[Comparison]:
    """States of the learned loop against beta^t x_0 + Gamma epsilon, beta = 1/2, epsilon = h / 2, Gamma = 2."""
    constants = {"M": ONE, "L_u": ONE, "beta": HALF, "omega": ball * case.spacing / 2, "r_0": case.start}
    state = case.start
    for steps in range(1, 31):
        state = case.step(state)
        limit = bound("practical_stability", **constants, t=steps)
        yield Comparison(abs(state), limit, where=f"after {steps} steps")


@dataclass(frozen=True)
class Saturated:
    """x' = a x + u with the expert -k x; the policy -k clip(x, -r, r) plus a constant error is learned on [-r, r]."""

    drift: Fraction
    gain: Fraction
    radius: Fraction
    error: Fraction
    start: Fraction

    @property
    def rate(self) -> Fraction:
        """Beta of the expert's loop."""
        return abs(self.drift - self.gain)

    @property
    def excursion(self) -> Fraction:
        """By how much r_0 + Gamma epsilon exceeds r, or the image of the ball of radius r the ball, if that is less."""
        first = bound("invariance", M=ONE, L_u=ONE, beta=self.rate, omega=self.error, r_0=self.start)
        return min(
            first - self.radius,
            max(self.start, self.rate * self.radius + self.error) - self.radius,
        )

    def step(self, x: Fraction) -> Fraction:
        """Return the next state of the learned loop."""
        return self.drift * x - self.gain * max(-self.radius, min(self.radius, x)) + self.error


SATURATED: Mapping[str, Callable[[], Saturated]] = {
    "unstable plant, exact on the domain": lambda: Saturated(Fraction(6, 5), Fraction(7935, 10_000), ONE, ZERO, ONE),
    "largest error of the second form": lambda: Saturated(Fraction(9, 10), HALF, ONE, Fraction(3, 5), ONE),
    "first form": lambda: Saturated(Fraction(6, 5), Fraction(4, 5), ONE, Fraction(3, 10), HALF),
    "unstable plant, far start": lambda: Saturated(Fraction(6, 5), Fraction(7935, 10_000), ONE, ZERO, Fraction(9, 2)),
}


def invariance(case: Saturated, *, radius: Fraction = ONE) -> Iterator[Comparison]:
    """States of the learned loop against the larger of r and the start."""
    state = case.start
    for steps in range(1, 21):
        state = case.step(state)
        yield Comparison(abs(state), radius * max(case.radius, case.start), where=f"after {steps} steps")


# Tubes


@dataclass(frozen=True)
class Tube:
    """A loop with an on-trajectory error e and the slope alpha + L of the difference of the policies."""

    learned: Learned
    error: Fraction
    slope: Fraction


TUBES: Mapping[str, Callable[[], Tube]] = {
    "scalar, contracting": lambda: Tube(Learned([[HALF]], (ONE,), HALF, 12), Fraction(1, 10), Fraction(3, 10)),
    "scalar, expanding": lambda: Tube(Learned([[HALF]], (ONE,), HALF, 8), Fraction(1, 10), ONE),
    "not normal": lambda: Tube(LEARNED["not normal"](), Fraction(1, 10), Fraction(1, 100)),
}


def tube(case: Tube, *, feedback: bool = True, share: Fraction = ONE) -> Iterator[Comparison]:
    """Deviation from the expert at rest, with the error e + (alpha + L) |x| of the input, against both bounds."""
    loop = case.learned
    constants = {
        **loop.constants(),
        "epsilon": share * case.error,
        "alpha": case.slope if feedback else ZERO,
        "L": ZERO,
    }
    rate = loop.rate + constants["M"] * loop.input_norm * constants["alpha"]
    state: Vector = tuple(ZERO for _ in loop.inputs)
    for steps in range(1, loop.steps + 1):
        push = case.error + case.slope * largest(state)
        state = tuple(x + b * push for x, b in zip(times(loop.matrix, state), loop.inputs, strict=True))
        yield Comparison(largest(state), bound("tube", **constants, t=steps), where=f"after {steps} steps")
        if rate < 1:
            limit = constants["M"] * loop.input_norm * constants["epsilon"] / (1 - rate)
            yield Comparison(largest(state), limit, where=f"for ever, seen after {steps} steps")


CHECKS = (
    Check(
        "lipschitz_policies.deviation",
        Exact(LEARNED),
        deviation,
        (
            Mutant("growth_dropped", "M = 1 for a loop that is not normal", {"use_growth": False}),
            Mutant("factor", "0.99 times the bound", {"factor": Fraction(99, 100)}),
            Mutant("one_step_less", "beta^(t-1) in the place of beta^t", {"shift": -1}),
        ),
    ),
    Check(
        "lipschitz_policies.deviation",
        Search(
            maximise=Maximiser(
                Space(
                    weights=Box(-1.0, 1.0, (2, 2)),
                    rate=Box(0.1, 0.9),
                    omega=Box(1e-3, 1.0, log=True),
                    start=Box(-1.0, 1.0, (2,)),
                ),
                tanh_loop,
                Sizes(2, 16),
                Sizes(60, 1_000),
            ),
            corners={"tanh near the origin": tanh_corner, "not exponentially stable": slow_loop},
        ),
        nonlinear_deviation,
        (
            Mutant("asymptotic", "stability without a rate is enough", drop=("exponential",)),
            Mutant("factor", "0.99 times the bound", {"factor": 0.99}),
        ),
    ),
    Check(
        "lipschitz_policies.practical_stability",
        Exact(FLAT, per_unit=2),
        practical_stability,
        (
            Mutant("asymptotic", "exact at the samples, the origin included: the state tends to zero", {"ball": ZERO}),
            Mutant("ball", "0.66 of the radius of the ball", {"ball": Fraction(66, 100)}),
        ),
    ),
    Check(
        "lipschitz_policies.practical_stability",
        Exact(LEARNED),
        ball,
        (
            Mutant("growth_dropped", "M = 1 for a loop that is not normal", {"use_growth": False}),
            Mutant("ball", "0.99 of the radius of the ball", {"share": Fraction(99, 100)}),
        ),
        name="linear loops",
    ),
    Check(
        "lipschitz_policies.relative_error",
        Exact(LEARNED, per_unit=4),
        relative_error,
        (
            Mutant("growth_dropped", "M = 1 for a loop that is not normal", {"use_growth": False}),
            Mutant("share", "0.99 kappa in the rate", {"share": Fraction(99, 100)}),
        ),
    ),
    Check(
        "lipschitz_policies.lyapunov_deviation",
        Exact({**LEARNED, "not normal, small errors": small_errors}, per_unit=5),
        lyapunov_deviation,
        (
            Mutant("slope", "V is taken to be 1-Lipschitz", {"slope": False}),
            Mutant("ratio", "c_2 / c_1 is left out", {"ratio": False}),
            Mutant("factor", "0.99 times the deviation", {"factor": Fraction(99, 100)}),
        ),
    ),
    Check(
        "lipschitz_policies.invariance",
        Exact(SATURATED, per_unit=4),
        invariance,
        (
            Mutant("global", "exact on the domain, hence stable from everywhere", drop=("stays",)),
            Mutant("radius", "the ball of 0.99 r", {"radius": Fraction(99, 100)}),
        ),
    ),
    Check(
        "lipschitz_policies.invariance",
        Exact(LEARNED),
        stays,
        (
            Mutant("growth_dropped", "M = 1 for a loop that is not normal", {"use_growth": False}),
            Mutant("factor", "0.99 (M r_0 + Gamma omega)", {"share": Fraction(99, 100)}),
        ),
        name="linear loops",
    ),
    Check(
        "lipschitz_policies.tube",
        Exact(TUBES),
        tube,
        (
            Mutant("feedback_dropped", "the growth of the error with the deviation is left out", {"feedback": False}),
            Mutant("factor", "0.99 times the bound", {"share": Fraction(99, 100)}),
        ),
    ),
)
