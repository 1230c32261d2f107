r"""Checks of regret and deterioration, in exact arithmetic.

Costs with the slopes l_x, l_u are linear along trajectories that do not change sign, so that infinite discounted sums
are rational: this is where the bounds are attained. Linear-quadratic experts are built from the value matrix P, the
plant and R; then K, S and Q are rational. Finite horizons keep the terminal term :math:`\gamma^T x_T^\top P x_T`.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial

import numpy as np
import sympy as sp

from mdps.control_instances import double_integrator, rotation, scalar_stable, scalar_unstable
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.base import Tier
from proofs_check.methods.exact import Exact
from proofs_check.methods.operators import OperatorIdentity, operators
from proofs_check.methods.symbolic import Symbolic
from proofs_check.papers.lipschitz import Vector
from proofs_check.papers.lipschitz_policies import dot, times
from proofs_check.papers.lipschitz_policies_loops import LEARNED, Learned, bound, largest
from solvers.lipschitz_policies_certificates import sphere_cost
from solvers.lipschitz_policies_exact import Matrix, combine, multiply, transpose
from theory.symbols import gamma

ZERO, ONE, HALF = Fraction(0), Fraction(1), Fraction(1, 2)


def discounted(discount: Fraction, rate: Fraction) -> Fraction:
    """Return sum_t discount^t (1 - rate^t) / (1 - rate)."""
    return discount / ((1 - discount) * (1 - discount * rate))


# Performance difference


@dataclass(frozen=True)
class Piecewise:
    """Scalar system x' = a x + c |x| + b u with cost l_x |x| + l_u |u|, and two piecewise linear policies.

    A policy (k, k', o) plays k max(x, 0) + k' min(x, 0) + o.
    """

    system: Vector
    cost: tuple[Fraction, Fraction]
    learner: Vector
    expert: Vector
    start: Fraction
    discount: Fraction
    horizon: int

    @staticmethod
    def play(policy: Vector, x: Fraction) -> Fraction:
        """Return the input at a state."""
        up, down, offset = policy
        return (up if x > 0 else down) * x + offset

    def step(self, x: Fraction, u: Fraction) -> Fraction:
        """Return the next state."""
        a, c, b = self.system
        return a * x + c * abs(x) + b * u

    def stage(self, x: Fraction, u: Fraction) -> Fraction:
        """Return the cost of a stage."""
        return self.cost[0] * abs(x) + self.cost[1] * abs(u)

    def value(self, policy: Vector, x: Fraction, stages: int) -> Fraction:
        """Return the cost of a policy over a number of stages."""
        total = ZERO
        for t in range(stages):
            u = self.play(policy, x)
            total += self.discount**t * self.stage(x, u)
            x = self.step(x, u)
        return total


def random_piecewise(seed: int) -> Piecewise:
    """Return a system and policies without structure."""
    rng = random.Random(seed)

    def draw(count: int, scale: int) -> Vector:
        return tuple(Fraction(rng.randint(-6, 6), scale) for _ in range(count))

    cost = (Fraction(rng.randint(1, 4)), Fraction(rng.randint(0, 4)))
    return Piecewise(draw(3, 5), cost, draw(3, 7), draw(3, 7), Fraction(rng.randint(1, 9), 3), Fraction(9, 10), 8)


PIECEWISE = {f"seed {seed}": partial(random_piecewise, seed) for seed in range(4)}


def performance_difference(case: Piecewise, *, states: str = "learner", discounting: bool = True) -> Comparison:
    """Both sides over a finite horizon."""
    own = case.value(case.learner, case.start, case.horizon)
    other = case.value(case.expert, case.start, case.horizon)
    x, total = case.start, ZERO
    for t in range(case.horizon):
        left = case.horizon - t
        u = case.play(case.learner, x)
        ahead = case.value(case.expert, case.step(x, u), left - 1)
        gain = case.stage(x, u) + (case.discount if discounting else ONE) * ahead - case.value(case.expert, x, left)
        total += case.discount**t * gain
        x = case.step(x, u if states == "learner" else case.play(case.expert, x))
    return Comparison(own - other, total, "==")


# Costs that are linear along the trajectories


@dataclass(frozen=True)
class Linear:
    """x' = a x + b u with the expert u = k x, 0 < a + b k < 1, cost l_x |x| + l_u |u|; x_0 > 0 large."""

    drift: Fraction
    inputs: Fraction
    gain: Fraction
    cost: tuple[Fraction, Fraction]
    discount: Fraction

    @property
    def rate(self) -> Fraction:
        """Beta."""
        return self.drift + self.inputs * self.gain

    @property
    def constants(self) -> dict[str, Fraction]:
        """Values of the symbols of the bounds."""
        loop = {"M": ONE, "L_u": self.inputs, "beta": self.rate, "L": self.gain}
        return {**loop, "l_x": self.cost[0], "l_u": self.cost[1], "gamma": self.discount}

    def shifted(self, error: Fraction) -> Fraction:
        """Return how much the cost of u = k x + error exceeds that of the expert, all states staying positive."""
        moved = self.inputs * error * discounted(self.discount, self.rate)
        return self.cost[0] * moved + self.cost[1] * (self.gain * moved + error / (1 - self.discount))

    def sampled(self, errors: list[Fraction], start: Fraction) -> Fraction:
        """Return the same over a finite horizon for varying errors and any start."""
        x, y, total = start, start, ZERO
        for t, error in enumerate(errors):
            u, v = self.gain * x + error, self.gain * y
            total += self.discount**t * (self.cost[0] * (abs(x) - abs(y)) + self.cost[1] * (abs(u) - abs(v)))
            x, y = self.drift * x + self.inputs * u, self.drift * y + self.inputs * v
        return total


LINEAR: Mapping[str, Callable[[], Linear]] = {
    "state cost only": lambda: Linear(Fraction(3, 5), ONE, ZERO, (ONE, ZERO), Fraction(19, 20)),
    "both costs": lambda: Linear(Fraction(2, 5), ONE, Fraction(3, 10), (ONE, Fraction(2)), Fraction(9, 10)),
    "small input": lambda: Linear(Fraction(1, 10), HALF, Fraction(6, 5), (Fraction(3), ONE), Fraction(4, 5)),
}
ERROR = Fraction(1, 10)
STEPS = 12


def regret(
    case: Linear, *, expert: bool = True, rate: bool = True, power: int = 1, share: Fraction = ONE
) -> Iterator[Comparison]:
    """Regret of a constant error, attained, and of varying ones, against the bound."""
    changed = {**({} if expert else {"L": ZERO}), **({} if rate else {"beta": ZERO})}
    limit = share * bound("regret", **{**case.constants, **changed}, omega=ERROR**power)
    yield Comparison(case.shifted(ERROR), limit, where="constant error")
    rng = random.Random(1)
    for run in range(6):
        errors = [Fraction(rng.randint(-10, 10), 100) for _ in range(12)]
        moved = case.sampled(errors, Fraction(rng.randint(-3, 3), 4))
        yield Comparison(abs(moved), limit, where=f"varying errors {run}")


@dataclass(frozen=True)
class Ramp:
    """A loop with the policy k x + e(x), k >= 0, where e rises from -epsilon to epsilon over [0, width].

    Its Lipschitz constant is k + 2 epsilon / width. The cost is l_x |x + c| + l_u |u + c| with the given level c, which
    is linear near the origin if c is large.
    """

    linear: Linear
    width: Fraction
    level: Fraction
    epsilon: Fraction = ERROR
    zeta: Fraction = Fraction(1, 7)

    @property
    def constants(self) -> dict[str, Fraction]:
        """Values of the symbols of the bound."""
        slope = self.linear.gain + 2 * self.epsilon / self.width
        return {**self.linear.constants, "alpha": slope, "epsilon": self.epsilon, "zeta": self.zeta}

    def play(self, x: Fraction) -> Fraction:
        """Return the input at a measurement."""
        rise = 2 * self.epsilon * x / self.width - self.epsilon
        return self.linear.gain * x + max(-self.epsilon, min(self.epsilon, rise))

    def run(self, errors: list[Fraction], start: Fraction) -> tuple[Fraction, list[Fraction]]:
        """Return the cost under errors of the measurement, and by how much the inputs are off the expert's."""
        loop, x, total, off = self.linear, start, ZERO, []
        for t, error in enumerate(errors):
            u = self.play(x + error)
            off.append(u - loop.gain * x)
            total += loop.discount**t * (loop.cost[0] * abs(x + self.level) + loop.cost[1] * abs(u + self.level))
            x = loop.drift * x + loop.inputs * u
        return total, off


def deterioration_expert(
    case: Linear, *, learning: Fraction = ONE, noise: Fraction = ONE, share: Fraction = ONE
) -> Iterator[Comparison]:
    """Deterioration of policies with a ramp; attained where one error of the measurement crosses it at once."""
    ramp = Ramp(case, Fraction(1, 7), Fraction(100))

    def limit(policy: Ramp) -> Fraction:
        values = policy.constants
        values.update(epsilon=learning * values["epsilon"], zeta=noise * values["zeta"])
        return share * bound("deterioration_expert", **values)

    highest = ramp.epsilon + case.gain * ramp.zeta
    for error, constant in ((ramp.zeta, highest), (ZERO, -ramp.epsilon)):
        for t, off in enumerate(ramp.run([error] * STEPS, ZERO)[1]):
            yield Comparison(off, constant, "==", where=f"error of the input {t} under {error}")
    yield Comparison(case.shifted(highest) - case.shifted(-ramp.epsilon), limit(ramp), where="these errors for ever")
    rng = random.Random(2)
    for run in range(6):
        other = Ramp(case, Fraction(rng.randint(1, 8), 28), Fraction(100 * (run % 2)))
        start = Fraction(rng.randint(-4, 4), 28)
        errors = [rng.choice((-1, 1)) * other.zeta for _ in range(STEPS)]
        moved = other.run(errors, start)[0] - other.run([ZERO] * STEPS, start)[0]
        yield Comparison(moved, limit(other), where=f"varying errors {run}")


# A loop with a large constant of stability


@dataclass(frozen=True)
class Sheared:
    """A loop closed by u = k'x, at rest, with the cost |x| + |u| in the supremum norm."""

    loop: Learned
    gain: Vector
    discount: Fraction = Fraction(9, 10)

    @property
    def slope(self) -> Fraction:
        """Lipschitz constant of the policy."""
        return sum((abs(k) for k in self.gain), ZERO)

    def constants(self, *, use_growth: bool) -> dict[str, Fraction]:
        """Values of the symbols of the bounds; the errors of the input come from the measurement, alpha zeta."""
        policy = {"L": self.slope, "alpha": self.slope, "epsilon": ZERO, "zeta": self.loop.omega / self.slope}
        cost = {"l_x": ONE, "l_u": ONE, "gamma": self.discount}
        return {**self.loop.constants(use_growth=use_growth), **policy, **cost}

    def cost(self, errors: list[Fraction]) -> Fraction:
        """Return the cost from rest, where that of the policy without errors is zero."""
        states = self.loop.run(tuple(ZERO for _ in self.gain), errors)
        paid = (largest(x) + abs(dot(self.gain, x) + error) for x, error in zip(states, errors, strict=False))
        return sum((self.discount**t * stage for t, stage in enumerate(paid)), ZERO)


SHEARED: Mapping[str, Callable[[], Sheared]] = {
    "not normal": lambda: Sheared(LEARNED["not normal"](), (ZERO, Fraction(1, 4))),
}


def sheared(case: Sheared, *, name: str, use_growth: bool = True) -> Iterator[Comparison]:
    """Cost of the errors that move one coordinate as far as possible against the bound of a claim."""
    limit = bound(name, **case.constants(use_growth=use_growth))
    for steps in (2, case.loop.steps):
        yield Comparison(case.cost(case.loop.worst(steps)), limit, where=f"{steps} steps")


def large_constant(name: str) -> Check:
    """Return the check of a bound for a loop with M > 1."""
    return Check(
        f"lipschitz_policies.{name}",
        Exact(SHEARED),
        partial(sheared, name=name),
        (Mutant("growth_dropped", "M = 1 for a loop that is not normal", {"use_growth": False}),),
        name="M > 1",
    )


# Deterioration


@dataclass(frozen=True)
class Disturbed:
    """x' = a x + b u with u = k (x + delta), |delta| <= zeta; alpha = |k|."""

    drift: Fraction
    inputs: Fraction
    gain: Fraction
    cost: tuple[Fraction, Fraction]
    discount: Fraction
    zeta: Fraction = Fraction(1, 10)

    @property
    def slope(self) -> Fraction:
        """Alpha."""
        return abs(self.gain)

    @property
    def loop_slope(self) -> Fraction:
        """L_x + L_u alpha."""
        return abs(self.drift) + abs(self.inputs) * self.slope

    @property
    def rate(self) -> Fraction:
        """Rate of the learned loop."""
        return abs(self.drift + self.inputs * self.gain)

    @property
    def direct(self) -> Fraction:
        """Part of the bounds that the inputs themselves cost."""
        return self.slope * self.zeta * self.cost[1] / (1 - self.discount)

    def bound(self, name: str, *, expert: bool = True) -> Fraction:
        """Return the bound of a claim; without ``expert``, alpha l_u is left out of the slope of the value."""
        loop = {"alpha": self.slope, "zeta": self.zeta, "gamma": self.discount, "L_u": abs(self.inputs)}
        plant = {"L_x": abs(self.drift), "M": ONE, "beta": self.rate}
        full, states = (bound(name, **loop, **plant, l_x=self.cost[0], l_u=u) for u in (self.cost[1], ZERO))
        return full if expert else states + self.direct

    def pushed(self) -> Fraction:
        """Return the deterioration for delta = zeta where gain, drift and the start are positive."""
        moved = self.inputs * self.gain * self.zeta * discounted(self.discount, self.rate)
        return self.cost[0] * moved + self.cost[1] * (self.gain * moved + self.gain * self.zeta / (1 - self.discount))

    def sampled(self, signs: list[int], start: Fraction) -> Fraction:
        """Return the deterioration over a finite horizon for errors of given signs."""
        x, y, total = start, start, ZERO
        for t, sign in enumerate(signs):
            u, v = self.gain * (x + sign * self.zeta), self.gain * y
            total += self.discount**t * (self.cost[0] * (abs(x) - abs(y)) + self.cost[1] * (abs(u) - abs(v)))
            x, y = self.drift * x + self.inputs * u, self.drift * y + self.inputs * v
        return total

    def alternating(self) -> Fraction:
        """Return the deterioration from rest for errors of alternating signs in a loop with rate zero."""
        state = abs(self.inputs) * self.slope * self.zeta
        later = self.cost[0] * state + self.cost[1] * self.slope * (state + self.zeta)
        first = self.cost[1] * self.slope * self.zeta
        return first + self.discount * later / (1 - self.discount)


def wrong_sign(alpha: str) -> Disturbed:
    """Return x' = x / 2 + u with u = alpha x, gamma = 9/10."""
    return Disturbed(HALF, ONE, Fraction(alpha), (ONE, ONE), Fraction(9, 10))


DISTURBED: Mapping[str, Callable[[], Disturbed]] = {
    **{f"u = {alpha} x": partial(wrong_sign, alpha) for alpha in ("1/20", "1/10", "2/5")},
    "other costs": lambda: Disturbed(Fraction(3, 5), HALF, Fraction(2, 5), (Fraction(3), Fraction(2)), Fraction(4, 5)),
    "not contracting": lambda: Disturbed(HALF, ONE, Fraction(4, 5), (ONE, ONE), Fraction(9, 10)),
}
STABLE: Mapping[str, Callable[[], Disturbed]] = {
    "dead-beat": lambda: Disturbed(HALF, ONE, -HALF, (ONE, ONE), Fraction(9, 10)),
    "u = -x / 5": lambda: Disturbed(HALF, ONE, Fraction(-1, 5), (ONE, ONE), Fraction(9, 10)),
    "unstable plant": lambda: Disturbed(Fraction(6, 5), ONE, Fraction(-4, 5), (ONE, ONE), Fraction(19, 20)),
}


def _signs(case: Disturbed) -> Iterator[tuple[str, Fraction]]:
    """Yield deteriorations for random signs, alternating signs, and the sign of the state."""
    rng = random.Random(3)
    for start in (ZERO, ONE):
        for run in range(3):
            yield f"random signs {run}, from {start}", case.sampled([rng.choice((-1, 1)) for _ in range(14)], start)
        yield f"alternating, from {start}", case.sampled([(-1) ** t for t in range(14)], start)
        yield f"constant, from {start}", case.sampled([1] * 14, start)


def deterioration(case: Disturbed, *, expert: bool = True, share: Fraction = ONE) -> Iterator[Comparison]:
    """Deteriorations against the bound that needs no stability; attained by delta = zeta."""
    limit = share * case.bound("deterioration", expert=expert)
    if case.discount * case.rate < 1:
        yield Comparison(case.pushed(), limit, where="delta = zeta")
    for where, value in _signs(case):
        yield Comparison(value, limit, where=where)


def deterioration_stable(
    case: Disturbed, *, expert: bool = True, share: Fraction = ONE, open_loop: bool = False
) -> Iterator[Comparison]:
    """Deteriorations against the bound with the rate of the learned loop."""
    limit = share * case.bound("deterioration_stable", expert=expert) - (case.direct if open_loop else ZERO)
    if case.rate == 0:
        yield Comparison(case.alternating(), limit, where="alternating, for ever")
    for where, value in _signs(case):
        yield Comparison(value, limit, where=where)


# Linear-quadratic experts


STATE, STATE_T, INPUT, INPUT_T = operators("x x' u u'")
DRIFT, DRIFT_T, ACTION, ACTION_T, VALUE, WEIGHT, FEEDBACK, FEEDBACK_T = operators("A A' B B' P S K K'")


def completion_of_squares(*, sign: int = 1, undiscounted: bool = False) -> OperatorIdentity:
    """Return cost - square = u' E x + x' E' u with E = gamma B'PA - S K, Q and R eliminated; E = 0 is the optimum."""
    factor = sp.S.One if undiscounted else gamma
    Q = VALUE - gamma * DRIFT_T * VALUE * DRIFT + FEEDBACK_T * WEIGHT * FEEDBACK
    R = WEIGHT - gamma * ACTION_T * VALUE * ACTION
    following, following_t = DRIFT * STATE + ACTION * INPUT, STATE_T * DRIFT_T + INPUT_T * ACTION_T
    cost = STATE_T * Q * STATE + INPUT_T * R * INPUT + factor * following_t * VALUE * following
    square = (INPUT_T + sign * STATE_T * FEEDBACK_T) * WEIGHT * (INPUT + sign * FEEDBACK * STATE)
    residual = gamma * ACTION_T * VALUE * DRIFT - WEIGHT * FEEDBACK
    residual_t = gamma * DRIFT_T * VALUE * ACTION - FEEDBACK_T * WEIGHT
    shapes = {
        STATE: ("n", "1"),
        INPUT: ("m", "1"),
        DRIFT: ("n", "n"),
        ACTION: ("n", "m"),
        VALUE: ("n", "n"),
        WEIGHT: ("m", "m"),
        FEEDBACK: ("m", "n"),
    }
    transposes = {
        STATE_T: STATE,
        INPUT_T: INPUT,
        DRIFT_T: DRIFT,
        ACTION_T: ACTION,
        FEEDBACK_T: FEEDBACK,
    }
    left = sp.expand(cost - STATE_T * VALUE * STATE - square)
    return OperatorIdentity(
        left, sp.expand(INPUT_T * residual * STATE + STATE_T * residual_t * INPUT), shapes, transposes
    )


@dataclass(frozen=True)
class Regulated:
    """A linear-quadratic problem with one input, built from A, B, R and the value matrix P.

    ``gain`` is the gain of the expert; the optimal one if None.
    """

    drift: Matrix
    inputs: Matrix
    value: Matrix
    effort: Fraction
    discount: Fraction
    start: Matrix
    gain: Matrix | None = None

    @cached_property
    def weight(self) -> Fraction:
        """S."""
        return self.effort + self.discount * multiply(transpose(self.inputs), self.value, self.inputs)[0][0]

    @cached_property
    def optimal(self) -> Matrix:
        """Optimal gain."""
        product = multiply(transpose(self.inputs), self.value, self.drift)
        return combine((self.discount / self.weight, product))

    @cached_property
    def expert(self) -> Matrix:
        """Gain of the expert."""
        return self.optimal if self.gain is None else self.gain

    @property
    def optimality_residual(self) -> Fraction:
        """Largest difference of the expert's gain from the optimal one."""
        return max(abs(k - o) for k, o in zip(self.expert[0], self.optimal[0], strict=True))

    @cached_property
    def state_cost(self) -> Matrix:
        """Q = P - gamma A'PA + K'SK."""
        inside = multiply(transpose(self.drift), self.value, self.drift)
        square = multiply(transpose(self.optimal), self.optimal)
        return combine((1, self.value), (-self.discount, inside), (self.weight, square))

    def form(self, matrix: Matrix, x: Matrix) -> Fraction:
        """Return x'Mx."""
        return multiply(transpose(x), matrix, x)[0][0]

    def play(self, x: Matrix) -> Fraction:
        """Return the input of the expert."""
        return -multiply(self.expert, x)[0][0]

    def run(self, errors: list[Fraction], *, terminal: bool = True) -> Fraction:
        """Return the discounted cost of u = -K x + error, with the terminal value."""
        x, total, factor = self.start, ZERO, ONE
        for error in errors:
            u = self.play(x) + error
            total += factor * (self.form(self.state_cost, x) + self.effort * u**2)
            x = combine((1, multiply(self.drift, x)), (u, self.inputs))
            factor *= self.discount
        return total + (factor * self.form(self.value, x) if terminal else ZERO)

    def partial(self, name: str, steps: int, **values: Fraction) -> Fraction:
        """Return the bound of a claim over a horizon: sum_{t < steps} gamma^t in the place of 1 / (1 - gamma)."""
        return bound(name, **values, gamma=ZERO) * sum((self.discount**t for t in range(steps)), ZERO)


def scalar(discount: str, gain: str | None = None, effort: str = "1") -> Regulated:
    """Return a = 9/10, b = 1 with P = 3/2."""
    chosen = None if gain is None else ((Fraction(gain),),)
    return Regulated(
        ((Fraction(9, 10),),), ((ONE,),), ((Fraction(3, 2),),), Fraction(effort), Fraction(discount), ((ONE,),), chosen
    )


def planar(discount: str, gain: Matrix | None = None) -> Regulated:
    """Return a slow rotation with one input."""
    drift = ((Fraction(9, 10), Fraction(3, 10)), (Fraction(-3, 10), Fraction(9, 10)))
    value = ((Fraction(4), Fraction(1)), (Fraction(1), Fraction(2)))
    return Regulated(drift, ((ZERO,), (HALF,)), value, ONE, Fraction(discount), ((ONE,), (-ONE,)), gain)


REGULATED: Mapping[str, Callable[[], Regulated]] = {
    "scalar": partial(scalar, "19/20"),
    "scalar, undiscounted": partial(scalar, "1"),
    "rotation": partial(planar, "19/20"),
    "rotation, undiscounted": partial(planar, "1"),
    "scalar, another gain": partial(scalar, "19/20", "3/10"),
    "rotation, gain of the undiscounted problem": lambda: planar("19/20", planar("1").optimal),
}


def lqr_regret(
    case: Regulated, *, terminal: bool = True, total: bool = False, share: Fraction = ONE
) -> Iterator[Comparison]:
    """The identity for random errors of the input, and the bound for constant ones, attained, and random ones."""
    rng = random.Random(4)
    best = case.form(case.value, case.start)
    for name in ("constant", "random 1", "random 2"):
        errors = [ERROR if name == "constant" else Fraction(rng.randint(-10, 10), 100) for _ in range(STEPS)]
        excess = case.run(errors, terminal=terminal) - best
        square = case.weight * sum((case.discount**t * e**2 for t, e in enumerate(errors)), ZERO)
        yield Comparison(excess, square, "==", where=f"identity, {name} errors")
        limit = 3 * case.weight * ERROR**2
        if not total:
            limit = share * case.partial("lqr_regret", STEPS, Lambda=case.weight, omega=ERROR)
        yield Comparison(excess, limit, where=f"bound, {name} errors")


def optimal_deterioration(case: Regulated, *, aligned: bool = True, weight: Fraction = ONE) -> Iterator[Comparison]:
    """Cost of measurement errors along the top eigenvector K', of any signs, and along others, against the formula.

    The errors are tau K', so that zeta^2 = tau^2 |K|^2 is rational; the largest eigenvalue of K'SK is S |K|^2. The
    others are turned by a rational angle, or shorter if there is one state.
    """
    rng = random.Random(5)
    top = case.optimal[0]
    size = sum((k**2 for k in top), ZERO)
    # zeta is not rational: the bound, a multiple of zeta^2, is taken at zeta = 1
    formula = (
        weight * ERROR**2 * size * case.partial("optimal_deterioration", STEPS, Lambda=case.weight * size, zeta=ONE)
    )
    turned = (Fraction(3, 5) * top[0] - Fraction(4, 5) * top[-1], Fraction(4, 5) * top[0] + Fraction(3, 5) * top[-1])
    along, across = dot(case.expert[0], top), dot(case.expert[0], turned[: len(top)])
    nominal = case.run([ZERO] * STEPS)
    for run in range(3):
        signs = [rng.choice((-1, 1)) for _ in range(STEPS)]
        errors = [-sign * ERROR * along * (ONE if aligned else HALF) for sign in signs]
        yield Comparison(case.run(errors) - nominal, formula, "==", where=f"top direction, signs {run}")
        others = [-sign * ERROR * across for sign in signs]
        yield Comparison(case.run(others) - nominal, formula, where=f"other direction, signs {run}")


@dataclass(frozen=True)
class Gains:
    """x' = a x + b u, q and r from P: an expert's gain and a learner's that is smaller by kappa; undiscounted."""

    problem: Regulated
    kappa: Fraction

    @property
    def optimality_residual(self) -> Fraction:
        """Difference of the expert's gain from the optimal one."""
        return self.problem.optimality_residual

    def cost(self, gain: Fraction) -> Fraction:
        """Return the cost of u = -gain x from x = 1."""
        loop = self.problem.drift[0][0] - gain
        return (self.problem.state_cost[0][0] + self.problem.effort * gain**2) / (1 - loop**2)


GAINS: Mapping[str, Callable[[], Gains]] = {
    "kappa = 1/100": lambda: Gains(scalar("1"), Fraction(1, 100)),
    "kappa = 1/5": lambda: Gains(scalar("1"), Fraction(1, 5)),
    "expensive input": lambda: Gains(scalar("1", effort="5"), Fraction(1, 20)),
    "another expert": lambda: Gains(scalar("1", "3/10"), Fraction(1, 100)),
}


def lqr_relative_regret(case: Gains, *, share: Fraction = ONE, power: int = 2) -> Iterator[Comparison]:
    """Regret of a smaller and of a larger gain."""
    expert = case.problem.expert[0][0]
    loop = {"M": ONE, "L_u": ONE, "beta": case.problem.drift[0][0] - expert}
    full = bound("lqr_relative_regret", **loop, Lambda=case.problem.weight, kappa=case.kappa, r_0=ONE)
    limit = share * full * case.kappa ** (power - 2)
    for sign in (-1, 1):
        excess = case.cost(expert + sign * case.kappa) - case.cost(expert)
        yield Comparison(excess, limit, where=f"gain {'smaller' if sign < 0 else 'larger'} by kappa")


def shear() -> Regulated:
    """Return an optimal problem whose loop is not normal."""
    drift = ((HALF, Fraction(5)), (ZERO, HALF))
    value = ((ONE, ZERO), (ZERO, Fraction(100)))
    return Regulated(drift, ((ZERO,), (ONE,)), value, Fraction(900), ONE, ((ONE,), (ONE,)))


def relative_shear(case: Regulated, *, use_growth: bool = True) -> Iterator[Comparison]:
    """Regret under errors of kappa times the state, in the supremum norm, with the signs of either direction."""
    kappa = Fraction(1, 100)
    loop = [list(row) for row in combine((1, case.drift), (-1, multiply(case.inputs, case.optimal)))]
    column = tuple(row[0] for row in case.inputs)
    learned = Learned(loop, column, Fraction(3, 5), STEPS)
    values = {**learned.constants(use_growth=use_growth), "Lambda": case.weight, "kappa": kappa, "r_0": ONE}
    limit = bound("lqr_relative_regret", **values)
    for sign in (-1, 1):
        state: Vector = tuple(row[0] for row in case.start)
        errors = []
        for _ in range(STEPS):
            errors.append(sign * kappa * largest(state))
            state = tuple(x + b * errors[-1] for x, b in zip(times(loop, state), column, strict=True))
        excess = case.run(errors) - case.form(case.value, case.start)
        yield Comparison(excess, limit, where=f"errors of sign {sign}")


def cost_figure(tier: Tier) -> Json:
    """Cost of the expert's gain clipped at alpha, over the cost of the expert, for four plants."""
    shares = np.linspace(0.3, 1.2, 10 if tier == Tier.QUICK else 37)
    curves = []
    for label, instance in (
        ("scalar, a = 0.9", scalar_stable()),
        ("scalar, a = 1.2", scalar_unstable()),
        ("rotation", rotation()),
        ("double integrator", double_integrator()),
    ):
        costs = [sphere_cost(instance.linear, instance.quadratic, min(s, 1.0) * instance.gain) for s in (1.0, *shares)]
        curves.append({"label": label, "x": shares, "y": np.array(costs[1:]) / costs[0]})
    return {
        "kind": "curves",
        "title": "Nominal cost against the Lipschitz constant",
        "xlabel": "alpha / L*",
        "ylabel": "cost / cost of the expert",
        "xscale": "linear",
        "caption": "Linear-quadratic cost of the clipped gain, averaged over initial states on the unit sphere: "
        "it falls to the expert's at alpha = L*, and stays there.",
        "curves": curves,
    }


CHECKS = (
    Check(
        "lipschitz_policies.performance_difference",
        Exact(PIECEWISE, per_unit=4),
        performance_difference,
        (
            Mutant("states_of_the_expert", "along the trajectory of the expert", {"states": "expert"}),
            Mutant("undiscounted", "the value ahead is not discounted", {"discounting": False}),
        ),
    ),
    Check(
        "lipschitz_policies.regret",
        Exact(LINEAR, per_unit=3),
        regret,
        (
            Mutant("quadratic", "quadratic in the error for every expert", {"power": 2}),
            Mutant("expert_slope", "the slope of the expert is left out of C_R", {"expert": False}),
            Mutant("rate_dropped", "1 in the place of 1 - gamma beta", {"rate": False}),
            Mutant("factor", "0.99 times the bound", {"share": Fraction(99, 100)}),
        ),
    ),
    large_constant("regret"),
    Check(
        "lipschitz_policies.completion_of_squares",
        Symbolic(),
        completion_of_squares,
        (
            Mutant("sign", "u - K x", {"sign": -1}),
            Mutant("undiscounted", "the next value is not discounted", {"undiscounted": True}),
        ),
    ),
    Check(
        "lipschitz_policies.lqr_regret",
        Exact(REGULATED, per_unit=6),
        lqr_regret,
        (
            Mutant("another_expert", "for any linear expert", drop=("optimal",)),
            Mutant("terminal", "the terminal term is left out", {"terminal": False}),
            Mutant("uniform", "bounded by three steps' worth at every horizon", {"total": True}),
            Mutant("factor", "0.99 times the bound", {"share": Fraction(99, 100)}),
        ),
    ),
    Check(
        "lipschitz_policies.lqr_relative_regret",
        Exact(GAINS, per_unit=4),
        lqr_relative_regret,
        (
            Mutant("another_expert", "for any linear expert: its regret is linear", drop=("optimal",)),
            Mutant("factor", "0.99 times the bound", {"share": Fraction(99, 100)}),
            Mutant("cubic", "of third order", {"power": 3}),
        ),
        figure=cost_figure,
    ),
    Check(
        "lipschitz_policies.lqr_relative_regret",
        Exact({"not normal": shear}),
        relative_shear,
        (Mutant("growth_dropped", "M = 1 for a loop that is not normal", {"use_growth": False}),),
        name="M > 1",
    ),
    Check(
        "lipschitz_policies.deterioration",
        Exact(DISTURBED, per_unit=5),
        deterioration,
        (
            Mutant("contraction", "without gamma (L_x + L_u alpha) < 1", drop=("contracting",)),
            Mutant("input_cost", "alpha l_u is left out of the slope of the value", {"expert": False}),
            Mutant("factor", "0.99 times the bound", {"share": Fraction(99, 100)}),
        ),
    ),
    Check(
        "lipschitz_policies.deterioration_stable",
        Exact(STABLE, per_unit=3),
        deterioration_stable,
        (
            Mutant("input_cost", "alpha l_u is left out of the slope of the value", {"expert": False}),
            Mutant("direct", "the cost of the input itself is left out", {"open_loop": True}),
            Mutant("factor", "0.99 times the bound", {"share": Fraction(99, 100)}),
        ),
    ),
    Check(
        "lipschitz_policies.deterioration_expert",
        Exact(LINEAR, per_unit=3),
        deterioration_expert,
        (
            Mutant("one_error", "the learning error once", {"learning": HALF}),
            Mutant("exact_measurement", "the error of the measurement is left out", {"noise": ZERO}),
            Mutant("factor", "0.99 times the bound", {"share": Fraction(99, 100)}),
        ),
    ),
    large_constant("deterioration_stable"),
    large_constant("deterioration_expert"),
    Check(
        "lipschitz_policies.optimal_deterioration",
        Exact(REGULATED, per_unit=6),
        optimal_deterioration,
        (
            Mutant("another_gain", "for any gain, that of the undiscounted problem say", drop=("optimal",)),
            Mutant("factor", "0.99 times as much", {"weight": Fraction(99, 100)}),
            Mutant("shorter", "errors of half the size cost the same", {"aligned": False}),
        ),
    ),
)
