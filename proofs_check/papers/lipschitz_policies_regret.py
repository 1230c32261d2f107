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

    def slope(self, *, expert: bool = True, rate: bool = True) -> Fraction:
        """Return C_R."""
        weight = self.cost[0] + (self.cost[1] * self.gain if expert else ZERO)
        closed = 1 - self.discount * self.rate if rate else ONE
        return self.cost[1] + self.discount * weight * self.inputs / closed

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


def regret(
    case: Linear, *, expert: bool = True, rate: bool = True, power: int = 1, share: Fraction = ONE
) -> Iterator[Comparison]:
    """Regret of a constant error, attained, and of varying ones, against the bound."""
    bound = share * ERROR**power * case.slope(expert=expert, rate=rate) / (1 - case.discount)
    yield Comparison(case.shifted(ERROR), bound, where="constant error")
    rng = random.Random(1)
    for run in range(6):
        errors = [Fraction(rng.randint(-10, 10), 100) for _ in range(12)]
        moved = case.sampled(errors, Fraction(rng.randint(-3, 3), 4))
        yield Comparison(abs(moved), bound, where=f"varying errors {run}")


def deterioration_expert(case: Linear, *, learning: int = 2, share: Fraction = ONE) -> Iterator[Comparison]:
    """Cost of the error epsilon + alpha zeta less that of -epsilon: the worst on both sides of the expert."""
    epsilon, noise = ERROR, Fraction(1, 7)
    bound = share * case.slope() * (learning * epsilon + noise) / (1 - case.discount)
    yield Comparison(case.shifted(epsilon + noise) - case.shifted(-epsilon), bound, where="constant errors")
    rng = random.Random(2)
    for run in range(4):
        signs = [rng.choice((-1, 1)) for _ in range(12)]
        disturbed = case.sampled([sign * (epsilon + noise) for sign in signs], ZERO)
        nominal = case.sampled([sign * epsilon for sign in signs], ZERO)
        yield Comparison(disturbed - nominal, bound, where=f"varying errors {run}")


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

    def bound(self, rate: Fraction, *, expert: bool = True) -> Fraction:
        """Return the bound with a rate of the learned loop."""
        weight = self.cost[0] + (self.cost[1] * self.slope if expert else ZERO)
        inside = self.cost[1] + self.discount * abs(self.inputs) * weight / (1 - self.discount * rate)
        return self.slope * self.zeta / (1 - self.discount) * inside

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
    bound = share * case.bound(case.loop_slope, expert=expert)
    if case.discount * case.rate < 1:
        yield Comparison(case.pushed(), bound, where="delta = zeta")
    for where, value in _signs(case):
        yield Comparison(value, bound, where=where)


def deterioration_stable(
    case: Disturbed, *, expert: bool = True, share: Fraction = ONE, open_loop: bool = False
) -> Iterator[Comparison]:
    """Deteriorations against the bound with the rate of the learned loop."""
    bound = share * case.bound(case.rate, expert=expert)
    if open_loop:
        bound -= case.slope * case.zeta * case.cost[1] / (1 - case.discount)
    if case.rate == 0:
        yield Comparison(case.alternating(), bound, where="alternating, for ever")
    for where, value in _signs(case):
        yield Comparison(value, bound, where=where)


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

    def horizon(self, steps: int) -> Fraction:
        """Return sum_{t < steps} gamma^t."""
        return sum((self.discount**t for t in range(steps)), ZERO)


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
STEPS = 12


def lqr_regret(case: Regulated, *, terminal: bool = True, total: bool = False) -> Iterator[Comparison]:
    """The identity for random errors of the input, and the bound for constant ones, attained, and random ones."""
    rng = random.Random(4)
    best = case.form(case.value, case.start)
    for name in ("constant", "random 1", "random 2"):
        errors = [ERROR if name == "constant" else Fraction(rng.randint(-10, 10), 100) for _ in range(STEPS)]
        excess = case.run(errors, terminal=terminal) - best
        square = case.weight * sum((case.discount**t * e**2 for t, e in enumerate(errors)), ZERO)
        yield Comparison(excess, square, "==", where=f"identity, {name} errors")
        bound = case.weight * ERROR**2 * (3 if total else case.horizon(STEPS))
        yield Comparison(excess, bound, where=f"bound, {name} errors")


def optimal_deterioration(case: Regulated, *, aligned: bool = True, weight: Fraction = ONE) -> Iterator[Comparison]:
    """Cost of measurement errors along the top eigenvector K', of any signs, and along others, against the formula.

    The errors are tau K', so that zeta^2 = tau^2 |K|^2 is rational; the largest eigenvalue of K'SK is S |K|^2.
    """
    rng = random.Random(5)
    size = sum((k**2 for k in case.optimal[0]), ZERO)
    zeta_square = ERROR**2 * size
    formula = weight * zeta_square * case.weight * size * case.horizon(STEPS)
    nominal = case.run([ZERO] * STEPS)
    for run in range(3):
        signs = [rng.choice((-1, 1)) for _ in range(STEPS)]
        length = sum((k * e for k, e in zip(case.expert[0], case.optimal[0], strict=True)), ZERO)
        errors = [-sign * ERROR * length * (ONE if aligned else HALF) for sign in signs]
        yield Comparison(case.run(errors) - nominal, formula, "==", where=f"top direction, signs {run}")
        shorter = [error * Fraction(rng.randint(0, 10), 10) for error in errors]
        yield Comparison(case.run(shorter) - nominal, formula, where=f"other errors {run}")


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
    rate = case.problem.drift[0][0] - expert
    bound = share * case.problem.weight * case.kappa**power / (1 - (rate + case.kappa) ** 2)
    for sign in (-1, 1):
        excess = case.cost(expert + sign * case.kappa) - case.cost(expert)
        yield Comparison(excess, bound, where=f"gain {'smaller' if sign < 0 else 'larger'} by kappa")


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
            Mutant("one_error", "the learning error once", {"learning": 1}),
            Mutant("factor", "0.99 times the bound", {"share": Fraction(99, 100)}),
        ),
    ),
    Check(
        "lipschitz_policies.optimal_deterioration",
        Exact(REGULATED, per_unit=6),
        optimal_deterioration,
        (
            Mutant("another_gain", "for any gain, that of the undiscounted problem say", drop=("optimal",)),
            Mutant("half", "half as much", {"weight": HALF}),
            Mutant("shorter", "errors of half the size cost the same", {"aligned": False}),
        ),
    ),
)
