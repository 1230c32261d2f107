"""Checks of mirror descent: identities in symbols and in exact logarithms, stabilities searched to equality.

Instances of the searches are mappings of plain arrays: laws ``x`` and ``y`` ``(A,)`` inside the simplex, losses ``c``
``(A,)`` with the learning rate absorbed, sequences of losses ``(T, A)``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy as sp

from mdps.validation import FloatArray
from proofs_check.engine import Check, Control, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes
from proofs_check.methods.exact import Exact
from proofs_check.methods.interval import Inequality, Interval, Slope, Taylor, Terms
from proofs_check.methods.search import Box, Maximiser, Search, Simplex, Space
from proofs_check.methods.symbolic import Identity, Symbolic
from proofs_check.rigorous import ZERO, Logs, relative_entropy, separated
from theory.lemmas import mirror_descent as theory
from theory.lemmas.mirror_descent import r, s, v, w, z
from theory.symbols import x

R = sp.Rational
HALF, TWO, FOUR = R(1, 2), R(2), R(4)
ACTIONS = 3
FINE = 1e-13
"""Tolerance of comparisons whose sides may be far below one."""

Instance = Mapping[str, Any]


def maximiser(build: Callable[..., Any], **blocks: Any) -> Maximiser:
    """Return a climb that is cheap at the quick tier."""
    return Maximiser(Space(**blocks), build, Sizes(4, 32, 128), Sizes(250, 2_000))


def inside(law: FloatArray, margin: float) -> FloatArray:
    """Return a law mixed with the uniform one: every mass is at least margin / A."""
    mixed: FloatArray = (1.0 - margin) * law + margin / law.size
    return mixed


def pair(first: float) -> FloatArray:
    """Return the law (p, 1 - p)."""
    return np.array([first, 1.0 - first])


# Identities


def divergence(points: Mapping[str, sp.Expr], gradients: Mapping[str, sp.Expr], first: str, second: str) -> sp.Expr:
    """Return D(first, second) from values of the generator and pairings <gradient at b, a> called ``ba``."""
    return points[first] - points[second] - (gradients[second + first] - gradients[second + second])


def _symbols(names: str) -> tuple[dict[str, sp.Expr], dict[str, sp.Expr]]:
    values = {a: sp.Symbol(f"Psi_{a}", real=True) for a in names}
    pairings = {a + b: sp.Symbol(f"grad_{a}_{b}", real=True) for a in names for b in names}
    return values, pairings


def three_point(*, at: str = "y", order: str = "yx") -> dict[str, Identity]:
    """Return the identity for any generator, and for the entropy in one coordinate."""
    values, pairings = _symbols("uxy")
    d = partial(divergence, values, pairings)
    linear = pairings[at + "u"] - pairings[at + "y"] - pairings["xu"] + pairings["xy"]
    u, first, second = sp.symbols("u x_i y_i", positive=True)
    named = {"u": u, "x": first, "y": second}

    def entropy(a: str, b: str) -> sp.Expr:
        return named[a] * sp.log(named[a] / named[b]) - named[a] + named[b]

    return {
        "any generator": Identity(d("u", "x"), d("u", "y") + d(*order) + linear),
        "entropy": Identity(
            sp.expand_log(entropy("u", "x")),
            sp.expand_log(entropy("u", "y") + entropy(*order) + sp.log(named[at] / first) * (u - second)),
        ),
    }


def ftrl_step(*, order: str = "yx", following: bool = True) -> Identity:
    """Return one round; x and y stand for x_t and x_{t+1}, mass one, and <gradient at y, .> contains eta c_t."""
    values, pairings = _symbols("uxy")
    shift = sp.Symbol("lambda_t", real=True)
    d = partial(divergence, values, pairings)

    def loss(point: str) -> sp.Expr:
        return pairings["x" + point] - pairings["y" + point] + shift

    after = d("u", "y") if following else sp.S.Zero
    return Identity(loss("x") - loss("u"), d("u", "x") - after + loss("x") - loss("y") - d(*order))


Loss = tuple[tuple[int, ...], ...]
LOSSES: Mapping[str, Loss] = {
    "two actions": ((1, 0), (0, 2), (3, 1), (0, 1)),
    "three actions, signs": ((1, 0, -2), (0, -1, 2), (2, 2, 0), (-3, 0, 1), (1, 0, 0)),
    "one bad action": tuple((2, 0, 0, 0) for _ in range(5)),
}
"""Losses in units of log(2) / eta, so that exponential weights are powers of two."""

LOSS_CASES = {name: partial(tuple, losses) for name, losses in LOSSES.items()}


def powers_of_two(total: Sequence[int], rate: int = 1) -> tuple[Fraction, ...]:
    """Return the law with weights 2^(-rate * total)."""
    weights = [Fraction(2) ** (-rate * value) for value in total]
    return tuple(weight / sum(weights) for weight in weights)


def _dot(left: Sequence[Fraction], right: Sequence[int | Fraction]) -> Fraction:
    return sum((p * value for p, value in zip(left, right, strict=True)), Fraction(0))


def ftrl_identity(losses: Loss, *, order: int = 1, last: bool = True) -> Iterator[Comparison]:
    """Both sides for exponential weights, u = (1/2, 1/2 spread over the rest), as combinations of logarithms."""
    n_actions = len(losses[0])
    u = (Fraction(1, 2), *(Fraction(1, 2 * (n_actions - 1)),) * (n_actions - 1))
    totals = [[sum(loss[i] for loss in losses[:t]) for i in range(n_actions)] for t in range(len(losses) + 1)]
    iterates = [powers_of_two(total) for total in totals]
    log_two = Logs.of(2)
    regret, rest = ZERO, ZERO
    for t, loss in enumerate(losses):
        regret += log_two * (_dot(iterates[t], loss) - _dot(u, loss))
        rest += log_two * (_dot(iterates[t], loss) - _dot(iterates[t + 1], loss))
        rest -= relative_entropy(*(iterates[t + 1], iterates[t])[::order])
    # Psi(u) - Psi(x_1) = KL(u, x_1), for x_1 is uniform.
    rest += relative_entropy(u, iterates[0])
    if last:
        rest -= relative_entropy(u, iterates[-1])
    yield from regret.equal(rest)


def omd_equals_ftrl(losses: Loss, *, start: int = 0, change: int = 0) -> Iterator[Comparison]:
    """Multiplicative updates against weights of the cumulative losses, after every round.

    ``start`` moves the first iterate of mirror descent; ``change`` is added to the rate after two rounds.
    """
    n_actions = len(losses[0])
    current = powers_of_two([start, *[0] * (n_actions - 1)])
    total = [0] * n_actions
    for t, loss in enumerate(losses):
        rate = 1 + (change if t >= 2 else 0)
        weights = [p * Fraction(2) ** (-rate * value) for p, value in zip(current, loss, strict=True)]
        current = tuple(weight / sum(weights) for weight in weights)
        total = [before + value for before, value in zip(total, loss, strict=True)]
        for i, (mine, theirs) in enumerate(zip(current, powers_of_two(total, rate), strict=True)):
            yield Comparison(mine, theirs, "==", where=f"round {t + 1}, action {i}")


def project(point: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Return the Euclidean projection onto the simplex."""
    ordered = sorted(point, reverse=True)
    # The mean excess over one of the k largest entries grows with k as long as entry k is above it.
    threshold = max((sum(ordered[: k + 1], Fraction(0)) - 1) / (k + 1) for k in range(len(ordered)))
    return tuple(max(value - threshold, Fraction(0)) for value in point)


def euclidean_omd(losses: Loss, *, rate: Fraction = Fraction(1, 4)) -> Iterator[Comparison]:
    """Projected gradient steps against one projection of the sum."""
    start = (Fraction(1, len(losses[0])),) * len(losses[0])
    current, total = start, start
    for t, loss in enumerate(losses):
        current = project([p - rate * value for p, value in zip(current, loss, strict=True)])
        total = tuple(p - rate * value for p, value in zip(total, loss, strict=True))
        for i, (mine, theirs) in enumerate(zip(current, project(total), strict=True)):
            yield Comparison(mine, theirs, "==", where=f"round {t + 1}, action {i}")


def coupling(*, both: bool = True) -> dict[str, Identity]:
    """Return both sums for two gains and two losses; the second loss is what balances the means."""
    masses = sp.symbols("x_1 x_2 x_3 x_4", positive=True)
    gains = sp.symbols("delta_1 delta_2", positive=True)
    first_loss = sp.Symbol("e_1", positive=True)
    mean = masses[0] * gains[0] + masses[1] * gains[1]
    losses = (first_loss, (mean - masses[2] * first_loss) / masses[3])
    law = {
        (i, j): masses[i] * masses[2 + j] * (gains[i] + (losses[j] if both else 0)) / mean
        for i in range(2)
        for j in range(2)
    }
    product = sum(p * gains[i] * losses[j] for (i, j), p in law.items())
    squares = sum(masses[i] * gains[i] ** 2 + masses[2 + i] * losses[i] ** 2 for i in range(2))
    return {"mass": Identity(sum(law.values()), sum(masses)), "chi-square": Identity(product, squares)}


def variance_conjugate(*, factor: sp.Expr = FOUR) -> Identity:
    """Return the completed square, in the moments under x of g and of q = y / x - 1 (which has mean zero)."""
    mean, square, mixed, chi = sp.symbols("E_g E_gg E_gq chi_square", real=True)
    kappa = sp.Symbol("kappa", positive=True)
    half = 1 / (2 * kappa)
    shifted = square + 2 * half * mixed + half**2 * chi - mean**2
    return Identity(-mixed - kappa * (square - mean**2), chi / (factor * kappa) - kappa * shifted)


def softmax_derivative(*, factor: sp.Expr = sp.S.One) -> Identity:
    """Return the derivative of the expected score along tau, for the scores f = (0, a, b) and u = e^(tau a) etc."""
    scores = sp.symbols("a b", real=True)
    tau = sp.Symbol("tau", real=True)
    weights = [sp.S.One, *(sp.exp(tau * score) for score in scores)]
    total = sum(weights)
    mean = sum(score * weight for score, weight in zip(scores, weights[1:], strict=True)) / total
    square = sum(score**2 * weight for score, weight in zip(scores, weights[1:], strict=True)) / total
    return Identity(sp.diff(mean, tau), factor * (square - mean**2))


IDENTITIES = (
    Check(
        "mirror_descent.three_point",
        Symbolic(),
        three_point,
        (
            Mutant("gradient_at_u", "the gradient at u instead of y", {"at": "u"}),
            Mutant("order", "D(x, y) instead of D(y, x)", {"order": "xy"}),
        ),
    ),
    Check(
        "mirror_descent.ftrl_step",
        Symbolic(),
        ftrl_step,
        (
            Mutant("order", "D(x_t, x_{t+1}) instead of D(x_{t+1}, x_t)", {"order": "xy"}),
            Mutant("following", "the divergence to the next iterate is left out", {"following": False}),
        ),
    ),
    Check(
        "mirror_descent.ftrl_identity",
        Exact(LOSS_CASES, per_unit=len(LOSS_CASES)),
        ftrl_identity,
        (
            Mutant("order", "D(x_t, x_{t+1}) instead of D(x_{t+1}, x_t)", {"order": -1}),
            Mutant("last", "the divergence to the last iterate is left out", {"last": False}),
        ),
    ),
    Check(
        "mirror_descent.omd_equals_ftrl",
        Exact(LOSS_CASES, per_unit=len(LOSS_CASES)),
        omd_equals_ftrl,
        (
            Mutant("start", "mirror descent starts away from the minimiser of the regulariser", {"start": 1}),
            Mutant("rate", "the rate changes: FTRL applies it to the past too, mirror descent does not", {"change": 1}),
        ),
    ),
    Check(
        "mirror_descent.euclidean_omd_equals_ftrl",
        Exact(LOSS_CASES, per_unit=len(LOSS_CASES)),
        euclidean_omd,
        (Control("inside", "rates so small that no iterate reaches the boundary", {"rate": Fraction(1, 100)}),),
    ),
    Check(
        "mirror_descent.coupling",
        Symbolic(),
        coupling,
        (Mutant("gains_only", "x_i x_j delta_i instead of x_i x_j (delta_i + e_j)", {"both": False}),),
    ),
    Check(
        "mirror_descent.variance_conjugate",
        Symbolic(),
        variance_conjugate,
        (Mutant("half", "1 / (2 kappa) instead of 1 / (4 kappa)", {"factor": TWO}),),
    ),
    Check(
        "mirror_descent.softmax_derivative",
        Symbolic(),
        softmax_derivative,
        (Mutant("half", "half of the variance", {"factor": HALF}),),
    ),
)


# Scalar inequalities


def kappa_decreasing(*, middle: sp.Expr = TWO) -> tuple[Inequality, ...]:
    """Return the sign of the derivative for z >= 0, and for z = -w <= 0."""
    slope = theory.kappa_slope() + middle - 2
    return (
        Inequality(sp.Ge(slope, 0, evaluate=False), ((z, 0, sp.oo),)),
        Inequality(sp.Le(slope.subs(z, -w), 0, evaluate=False), ((w, 0, sp.oo),)),
    )


def kappa_derivative(*, power: int = 3) -> Identity:
    """Return the derivative of (exp(-z) - 1 + z) / z^2 for z > 0; that for z < 0 is the same expression."""
    at = sp.Symbol("z", positive=True)
    return Identity(sp.diff((sp.exp(-at) - 1 + at) / at**2, at), -theory.kappa_slope().subs(z, at) / at**power)


def mixed_losses(**constants: Any) -> Inequality:
    """Return the inequality with its terms: each is nonnegative for a reason of its own."""
    bonus = s * v
    # exp(v) - exp(s v) in a form whose sign can be seen.
    above = sp.exp(bonus) * (sp.exp((1 - s) * v) - 1)
    terms = (
        sp.exp(bonus) * (1 - x + x**2 / 2 - sp.exp(-x)),
        (sp.exp(bonus) - 1) * x,
        above * x**2 / 2,
        (sp.exp(v) - 1 - v) * s**2 - (sp.exp(bonus) - 1 - bonus),
    )
    convex = Taylor(v, 0, 2, then=(Terms((s**2 * above,)),))
    hints = () if constants else (Terms(terms, then=(convex,)),)
    return Inequality(theory.mixed_losses(**constants), ((x, 0, sp.oo), (s, 0, 1), (v, 0, sp.oo)), hints)


def barrier_dual(**constants: Any) -> Inequality:
    """Return the scalar duality; the two sides touch at r = 1 / (1 + w)."""
    ranges = ((r, sp.Interval.open(0, sp.oo)), (w, sp.Interval.open(-1, sp.oo)))
    return Inequality(theory.barrier_dual(**constants), ranges, (Slope(r, 1 / (1 + w)),))


def local_norms(*, above: sp.Expr = HALF, below: sp.Expr = HALF) -> tuple[Inequality, ...]:
    """Return both bounds of psi."""
    return (
        Inequality(theory.local_norm_above(constant=above), ((w, 0, sp.oo),)),
        Inequality(theory.local_norm_below(constant=below), ((w, sp.Interval.Ropen(0, 1)),)),
    )


def last_iterate_scalar(*, scale: sp.Expr = sp.S.One) -> Inequality:
    """Return x <= w + exp(x - 1 - w); the two sides touch at x = 1 + w."""
    hints = (Taylor(x, 1 + w, 2),) if scale == 1 else ()
    relation = theory.last_iterate_scalar(scale=scale)
    return Inequality(relation, ((x, sp.Interval.open(0, sp.oo)), (w, sp.Interval.open(0, sp.oo))), hints)


SCALARS = (
    Check(
        "mirror_descent.kappa_decreasing",
        Interval(),
        kappa_decreasing,
        (Mutant("shifted", "the sign changes at another point than zero", {"middle": R(199, 100)}),),
    ),
    Check(
        "mirror_descent.kappa_decreasing",
        Symbolic(),
        kappa_derivative,
        (Mutant("power", "z^2 instead of z^3", {"power": 2}),),
    ),
    Check(
        "mirror_descent.mixed_losses",
        Interval(),
        mixed_losses,
        (
            Mutant("square", "0.49 instead of 1/2 in front of exp(v) x^2", {"square": R(49, 100)}),
            Mutant("bonus", "0.99 times the coefficient of the bonus: equality at x = 0, y = v", {"scale": R(99, 100)}),
        ),
    ),
    Check(
        "mirror_descent.barrier_duality",
        Interval(),
        barrier_dual,
        (Mutant("factor", "0.99 psi: the two sides touch", {"factor": R(99, 100)}),),
    ),
    Check(
        "mirror_descent.local_norm_scalar",
        Interval(),
        local_norms,
        (
            Mutant("above", "0.49 w^2: one half is the curvature at 0", {"above": R(49, 100)}),
            Mutant("below", "0.49 w^2 / (1 - w): one half is the curvature at 0", {"below": R(49, 100)}),
        ),
    ),
    Check(
        "mirror_descent.last_iterate_scalar",
        Interval(),
        last_iterate_scalar,
        (Mutant("scale", "0.99 times the bound: the two sides touch", {"scale": R(99, 100)}),),
    ),
)


# Stability


def entropy_stability(law: FloatArray, losses: FloatArray) -> float:
    """Return log sum_i x_i exp(-(c_i - <x, c>)), accurate for small ranges too."""
    above = losses - losses.min()
    centred = above - law @ above
    small = np.abs(centred) < 0.02
    series = centred**2 * (1 / 2 - centred * (1 / 6 - centred * (1 / 24 - centred * (1 / 120 - centred / 720))))
    remainder = np.where(small, series, np.expm1(-np.where(small, 0.0, centred)) + centred)
    return float(np.log1p(law @ remainder))


def exponential_weights_range(instance: Instance, *, constant: float = 0.125) -> Comparison:
    """Stability against the squared range."""
    law, losses = instance["x"], instance["c"]
    return Comparison(entropy_stability(law, losses), constant * float(np.ptp(losses)) ** 2, tolerance=FINE)


def exponential_weights_square(
    instance: Instance, *, constant: float | None = None, factor: float = 1.0, floor: float = 1.0
) -> Comparison:
    """Stability of losses clipped at -floor against their second moment."""
    law, losses = instance["x"], np.maximum(instance["c"], -floor)
    kappa = (np.e - 2.0) if constant is None else constant
    second = float(law @ losses**2)
    return Comparison(entropy_stability(law, losses), factor * kappa * second, tolerance=FINE)


def exponential_weights_kappa(instance: Instance, *, factor: float = 1.0, excess: float = 0.0) -> Comparison:
    """Compare with kappa(b), for losses clipped at -b - excess."""
    b = instance["b"]
    kappa = float((np.expm1(b) - b) / b**2)
    return exponential_weights_square(instance, constant=kappa, factor=factor, floor=b + excess)


def variance(law: FloatArray, losses: FloatArray) -> float:
    """Return the variance of the loss of an action drawn from a law."""
    return float(law @ (losses - law @ losses) ** 2)


def entropy_any_loss(instance: Instance, *, kappa: float = 1e4, mass: float = 0.0) -> Comparison:
    """Stability of the entropy against the variance; ``mass`` is mixed into the law."""
    law, losses = inside(instance["x"], mass * len(instance["x"])), instance["c"]
    return Comparison(entropy_stability(law, losses - law @ losses), kappa * variance(law, losses))


def tsallis_any_loss(instance: Instance, *, kappa: float = 100.0, mass: float = 0.0) -> Comparison:
    """Gain of one move against the variance, for Tsallis' entropy."""
    law, move = (inside(instance[key], mass * len(instance["x"])) for key in ("x", "y"))
    cost = float(((np.sqrt(move) - np.sqrt(law)) ** 2 / np.sqrt(law)).sum())
    gain = float((law - move) @ instance["c"]) - cost
    return Comparison(gain, kappa * variance(law, instance["c"]))


def barrier_dual_point(gradients: FloatArray) -> FloatArray:
    """Return the positive numbers g + mu whose reciprocals sum to one, along the last axis.

    Newton's method for the convex decreasing sum of 1 / (g - min g + mu) - 1 rises from mu = 1 to the root.
    """
    shifted = gradients - gradients.min(axis=-1, keepdims=True)
    level = np.ones((*shifted.shape[:-1], 1))
    for _ in range(200):
        inverse = 1.0 / (shifted + level)
        step = (inverse.sum(axis=-1, keepdims=True) - 1.0) / (inverse**2).sum(axis=-1, keepdims=True)
        level += np.maximum(step, 0.0)
        if (step <= 4e-16 * level).all():
            break
    point: FloatArray = shifted + level
    return point


def barrier_stability_value(law: FloatArray, losses: FloatArray) -> float:
    """Return min over lambda of sum_i psi(x_i (c_i + lambda))."""
    change = law * barrier_dual_point(1.0 / law + losses) - 1.0
    return float((change - np.log1p(change)).sum())


def barrier_stability(instance: Instance, *, constant: float = 0.25) -> Comparison:
    """Stability of the barrier against the variance."""
    law, losses = instance["x"], instance["c"]
    return Comparison(barrier_stability_value(law, losses), constant * variance(law, losses))


def itakura_saito(instance: Instance, *, constant: float = 1.0) -> Comparison:
    """Chi-square against the divergence of the barrier."""
    change = instance["y"] / instance["x"] - 1.0
    chi_square = float(instance["x"] @ change**2)
    return Comparison(constant * chi_square, float((change - np.log1p(change)).sum()))


def local_norm(instance: Instance, *, constant: float = 1.0, floor: float = 0.5) -> Comparison:
    """Stability against the local norm of losses clipped so that x c >= -floor."""
    law = instance["x"]
    losses = np.maximum(instance["c"], -floor / law)
    return Comparison(barrier_stability_value(law, losses), constant * float((law**2 * losses**2).sum()))


def _laws(x: FloatArray, c: FloatArray, margin: float, **more: Any) -> Instance:
    laws = {key: inside(value, margin) if key == "y" else value for key, value in more.items()}
    return {"x": inside(x, margin), "c": c, **laws}


def _moves(x: FloatArray, y: FloatArray, margin: float) -> Instance:
    return {"x": inside(x, margin), "y": inside(y, margin)}


def _swap(first: float, kappa: float) -> Instance:
    """Return the best response of the variance to the exchange of two masses: c = -(y / x - 1) / (2 kappa)."""
    law = pair(first)
    return {"x": law, "y": law[::-1].copy(), "c": -(law[::-1] / law - 1.0) / (2.0 * kappa)}


LAW = {"x": Simplex(ACTIONS), "margin": Box(1e-6, 0.5, log=True)}


def losses_between(low: float, high: float) -> Box:
    """Return the block of losses of all actions."""
    return Box(low, high, (ACTIONS,))


def rare(loss: float, mass: float, **more: Any) -> Instance:
    """Return one rare action with a loss, and another with none."""
    return {"x": pair(mass), "c": np.array([loss, 0.0]), **more}


STABILITY = (
    Check(
        "mirror_descent.exponential_weights_range",
        Search(
            maximise=maximiser(_laws, **LAW, c=losses_between(-3.0, 3.0)),
            corners={"fair, range 0.1": partial(rare, 0.1, 0.5), "fair, range 2": partial(rare, 2.0, 0.5)},
        ),
        exponential_weights_range,
        (Mutant("constant", "0.99 / 8: equality in the limit of small ranges", {"constant": 0.99 / 8}),),
    ),
    Check(
        "mirror_descent.exponential_weights_nonnegative",
        Search(
            maximise=maximiser(_laws, **LAW, c=losses_between(0.0, 6.0)),
            corners={"small and rare": partial(rare, 0.01, 1e-3), "signed": partial(rare, -3.0, 1e-3)},
        ),
        partial(exponential_weights_square, constant=0.5, floor=0.0),
        (
            Mutant("constant", "0.99 / 2: equality in the limit of small losses", {"factor": 0.99}),
            Mutant("signed", "losses of at least -0.1", {"floor": 0.1}),
        ),
    ),
    Check(
        "mirror_descent.exponential_weights_bounded_below",
        Search(
            maximise=maximiser(_laws, **LAW, c=losses_between(-3.0, 3.0)),
            corners={"rare gain": partial(rare, -3.0, 1e-4)},
        ),
        exponential_weights_square,
        (
            Mutant("constant", "0.99 (e - 2): equality for a rare loss of -1", {"factor": 0.99}),
            Mutant("floor", "losses of at least -2: the ratio tends to (e^2 - 3) / 4", {"floor": 2.0}),
            Mutant("floor_1.02", "losses of at least -1.02", {"floor": 1.02}),
        ),
    ),
    Check(
        "mirror_descent.exponential_weights_kappa",
        Search(
            maximise=maximiser(_laws, **LAW, c=losses_between(-4.0, 3.0), b=Box(0.05, 3.0)),
            corners={
                "rare gain": partial(rare, -4.0, 1e-5, b=1.7932),
                "rare large gain": partial(rare, -4.0, 1e-5, b=3.0),
            },
        ),
        exponential_weights_kappa,
        (
            Mutant("constant", "0.99 kappa(b): equality for a rare loss of -b", {"factor": 0.99}),
            Mutant("floor", "losses of at least -b - 0.05", {"excess": 0.05}),
        ),
    ),
    Check(
        "mirror_descent.entropy_any_loss",
        Search(
            maximise=maximiser(_laws, **LAW, c=losses_between(-30.0, 30.0)),
            corners={f"rare {p:g}": partial(rare, -m, p) for m, p in ((9.19, 1e-2), (18.4, 1e-4), (27.6, 1e-6))},
        ),
        entropy_any_loss,
        (Control("masses", "all masses are at least 0.01", {"mass": 0.01}),),
    ),
    Check(
        "mirror_descent.tsallis_any_loss",
        Search(
            maximise=maximiser(_laws, **LAW, y=Simplex(ACTIONS), c=losses_between(-30.0, 30.0)),
            corners={f"rare {p:g}": partial(rare, -2.0 / np.sqrt(p), p, y=pair(1.0 - p)) for p in (1e-2, 1e-4, 1e-6)},
        ),
        tsallis_any_loss,
        (Control("masses", "all masses are at least 0.01", {"mass": 0.01}),),
    ),
    Check(
        "mirror_descent.barrier_stability",
        Search(
            maximise=maximiser(_laws, **LAW, c=losses_between(-40.0, 40.0)),
            corners={"swapped masses": partial(_swap, 1 / 11, 0.25), "huge gain": partial(rare, -2e4, 1e-4)},
        ),
        barrier_stability,
        (Mutant("constant", "0.99 / 4: equality where two masses are exchanged", {"constant": 0.99 / 4}),),
    ),
    Check(
        "mirror_descent.itakura_saito",
        Search(
            maximise=maximiser(_moves, **LAW, y=Simplex(ACTIONS)),
            corners={"swapped masses": partial(_swap, 1 / 11, 0.25)},
        ),
        itakura_saito,
        (Mutant("constant", "1.01 chi-square: equality where two masses are exchanged", {"constant": 1.01}),),
    ),
    Check(
        "mirror_descent.local_norm",
        Search(
            maximise=maximiser(_laws, **LAW, c=losses_between(-40.0, 40.0)),
            corners={"huge gain": partial(rare, -2e4, 1e-4), "half": partial(rare, -1e3, 5e-4)},
        ),
        local_norm,
        (
            Mutant("no_floor", "no lower bound on x c", {"floor": np.inf}),
            Mutant("constant", "0.75 instead of 1: psi(-1/2) is 0.7726 / 4", {"constant": 0.75}),
        ),
    ),
)


# Runs


def cycle(period: int, cycles: int) -> FloatArray:
    """Return a prefix of half a period of losses (1, 0), then cycles of one loss -period and a period of losses 1."""
    block = np.concatenate([[-float(period)], np.ones(period)])
    first = np.concatenate([np.ones(period // 2), np.tile(block, cycles)])
    return np.stack([first, np.zeros_like(first)], axis=1)


def sequence(instance: Instance) -> FloatArray:
    """Return the losses of an instance ``(T, A)``: a cycle, or as they are."""
    if "cycles" in instance:
        return cycle(instance["period"], instance["cycles"])
    losses: FloatArray = instance["losses"]
    return losses


def cumulative(losses: FloatArray) -> FloatArray:
    """Return the losses before each round ``(T, A)``."""
    total: FloatArray = np.cumsum(losses, axis=0) - losses
    return total


def exponential_weights(losses: FloatArray, rate: float) -> FloatArray:
    """Return the plays ``(T, A)`` of exponential weights."""
    total = cumulative(losses)
    weights = np.exp(-rate * (total - total.min(axis=1, keepdims=True)))
    plays: FloatArray = weights / weights.sum(axis=1, keepdims=True)
    return plays


def regret_of(plays: FloatArray, losses: FloatArray) -> float:
    """Return the regret against the best action in hindsight."""
    return float((plays * losses).sum() - losses.sum(axis=0).min())


def exponential_weights_any_loss(instance: Instance, *, floor: float = np.inf) -> Comparison:
    """Regret against the second-order bound; losses are clipped so that eta c >= -floor."""
    rate = instance["eta"]
    losses = np.maximum(sequence(instance), -floor / rate)
    plays = exponential_weights(losses, rate)
    second = float((plays * losses**2).sum())
    bound = np.log(losses.shape[1]) / rate + (np.e - 2.0) * rate * second
    return Comparison(regret_of(plays, losses), float(bound))


def barrier_regret(instance: Instance, *, constant: float = 0.25, smoothed: bool = True) -> Comparison:
    """Regret of the barrier against the bound with the best of many alphas."""
    rate, losses = instance["eta"], sequence(instance)
    plays = 1.0 / barrier_dual_point(rate * cumulative(losses))
    means = (plays * losses).sum(axis=1)
    spread = float((plays * (losses - means[:, None]) ** 2).sum())
    n_actions = losses.shape[1]
    total = losses.sum(axis=0)
    if smoothed:
        alpha = np.logspace(-9, -1e-9, 400)
        penalty = (n_actions - 1) * np.log(1 / alpha) - np.log(n_actions * (1 - alpha) + alpha)
        cost = float((penalty / rate + alpha * (total.mean() - total.min())).min())
    else:
        cost = n_actions * np.log(n_actions) / rate
    return Comparison(regret_of(plays, losses), cost + constant * rate * spread)


def hedge_worst_case(rounds: int) -> float:
    """Return the largest regret of exponential weights on losses (1, 0) or (0, 1), by dynamic programming.

    The state is the difference of the cumulative losses, which decides the play.
    """
    rate = np.sqrt(8.0 * np.log(2.0) / rounds)
    difference = np.arange(-rounds, rounds + 1, dtype=float)
    # Loss so far less the smaller cumulative one: the comparator pays half of (rounds - |difference|).
    value = -(rounds - np.abs(difference)) / 2.0
    first = 1.0 / (1.0 + np.exp(rate * difference))
    for _ in range(rounds):
        up, down = value[2:] + first[1:-1], value[:-2] + (1.0 - first[1:-1])
        value[1:-1] = np.maximum(up, down)
    return float(value[rounds])


def hedge_regret(instance: Instance, *, half: float = 0.5) -> Comparison:
    """Regret, or the largest one over all binary losses, against sqrt(T log(A) / 2)."""
    if "rounds" in instance:
        rounds, n_actions, lhs = instance["rounds"], 2, hedge_worst_case(instance["rounds"])
    else:
        losses = instance["losses"]
        rounds, n_actions = losses.shape
        lhs = regret_of(exponential_weights(losses, np.sqrt(8.0 * np.log(n_actions) / rounds)), losses)
    bound = float(np.sqrt(half * 2.0)) * theory_bound("hedge_regret", T=rounds, A=n_actions)
    return Comparison(lhs, bound)


def theory_bound(name: str, **values: float) -> float:
    """Return the right side of a claim of this family."""
    claim = next(claim for claim in theory.CLAIMS if claim.id == f"mirror_descent.{name}")
    return claim.explicit_bound.evaluate(**values)


def _run(losses: FloatArray, eta: float) -> Instance:
    return {"losses": losses, "eta": eta}


SIGNED = {"losses": Box(-3.0, 3.0, (12, ACTIONS)), "eta": Box(0.01, 3.0, log=True)}
CYCLE: Callable[[], Instance] = partial(dict, eta=0.1, period=200, cycles=50)
DRIFT: Callable[[], Instance] = partial(dict, eta=0.1, period=40_000, cycles=0)

RUNS = (
    Check(
        "mirror_descent.exponential_weights_any_loss",
        Search(maximise=maximiser(_run, **SIGNED), corners={"cycles": CYCLE}),
        exponential_weights_any_loss,
        (Control("floor", "losses with eta c >= -1", {"floor": 1.0}),),
    ),
    Check(
        "mirror_descent.barrier_regret",
        Search(maximise=maximiser(_run, **SIGNED), corners={"cycles": CYCLE, "one bad action": DRIFT}),
        barrier_regret,
        (
            Mutant("constant", "0.99 / 4", {"constant": 0.99 / 4}),
            Mutant("vertex", "a comparator at a vertex with penalty A log(A) / eta", {"smoothed": False}),
        ),
    ),
    Check(
        "mirror_descent.hedge_regret",
        Search(
            maximise=maximiser(dict, losses=Box(0.0, 1.0, (10, ACTIONS))),
            corners={f"worst case of {n} rounds": partial(dict, rounds=n) for n in (100, 2_000)},
        ),
        hedge_regret,
        (Mutant("constant", "0.48 instead of 1/2 under the root", {"half": 0.48}),),
    ),
)


# Last iterates


def lambert(n_actions: int) -> float:
    """Return W((A - 1) / e)."""
    from scipy.special import lambertw

    return float(lambertw((n_actions - 1) / np.e).real)


def gaps(differences: FloatArray, scales: FloatArray) -> FloatArray:
    """Return max f - <f, softmax(y f)> for gaps ``(..., A - 1)`` of the other actions and scales y ``(...)``."""
    weights = np.exp(-scales[..., None] * differences)
    left: FloatArray = (differences * weights).sum(axis=-1) / (1.0 + weights.sum(axis=-1))
    return left


def softmax(scores: FloatArray) -> FloatArray:
    """Return the softmax of a vector."""
    weights = np.exp(scores - scores.max())
    law: FloatArray = weights / weights.sum()
    return law


def softmax_lipschitz(instance: Instance, *, constant: float = 1.0) -> Comparison:
    """Distance of two softmax laws against that of their scores."""
    f, g = instance["f"], instance["g"]
    distance = float(np.abs(softmax(f) - softmax(g)).sum())
    return Comparison(distance, constant * float(np.abs(f - g).max()), tolerance=FINE)


def last_iterate(instance: Instance, *, constant: float = 1.0) -> Comparison:
    """Gap of one softmax against W((A - 1) / e) / y."""
    differences, scale = instance["gaps"], instance["y"]
    gap = float(gaps(differences, np.asarray(scale)))
    return Comparison(scale * gap, constant * lambert(differences.size + 1))


def tracking_sum(instance: Instance, *, constant: float = 1.0) -> Comparison:
    """Sum of the gaps with a fixed critic, times the rate, against log(A)."""
    rate, differences = instance["eta"], instance["gaps"]
    total = float(gaps(differences, rate * np.arange(1.0, instance["n"] + 1.0)).sum())
    return Comparison(rate * total, constant * float(np.log(differences.size + 1.0)))


def tracking_moving(instance: Instance, *, constant: float = 1.0, harmonic: bool = True) -> Comparison:
    """Sum of the gaps in states that change, times the rate, against W (1 + log n); gaps ``(n, A - 1)``."""
    differences = instance["gaps"]
    rounds, n_actions = len(differences), differences.shape[1] + 1
    total = float(gaps(differences, np.arange(1.0, rounds + 1.0)).sum())
    bound = lambert(n_actions) * (1.0 + np.log(rounds)) if harmonic else np.log(n_actions)
    return Comparison(total, constant * float(bound))


def _worst_gaps(n_actions: int, rounds: int) -> Instance:
    """Return the gaps (1 + W) / j of all other actions in round j, with which every round is at its maximum."""
    per_round = (1.0 + lambert(n_actions)) / np.arange(1.0, rounds + 1.0)
    return {"gaps": np.repeat(per_round[:, None], n_actions - 1, axis=1)}


def _equal_gaps(n_actions: int) -> Instance:
    return {"gaps": np.full(n_actions - 1, 1.0 + lambert(n_actions)), "y": 1.0}


def _fixed_critic(n_actions: int) -> Instance:
    return {"gaps": np.ones(n_actions - 1), "eta": 0.01, "n": 3_000}


ROUNDS = 200
SCORES = {"first stage": ("0.38", "0.50"), "gap after action 0": "0.44", "gap after action 1": "0.02"}
"""Two stages, two actions: action a of the first stage leads to a state with this gap between its two actions."""


def tracking_on_policy(rounds: int, *, moving: bool = True) -> Comparison:
    """Sum of the gaps of the second stage along the actor against log 2, enclosed by balls."""
    from flint import arb

    def sides() -> tuple[Any, Any]:
        def ball(text: str) -> Any:
            value = Fraction(text)
            return arb(value.numerator) / arb(value.denominator)

        difference = ball("0.50") - ball("0.38")
        leaves = [ball(str(SCORES["gap after action 0"])), ball(str(SCORES["gap after action 1"]))]
        total = arb(0)
        for j in range(1, rounds + 1):
            # Action 1 has the higher score, so its probability grows; a fixed distribution is that of round 1.
            better = 1 / (1 + (-difference * (j if moving else 1)).exp())
            for mass, leaf in ((1 - better, leaves[0]), (better, leaves[1])):
                total += mass * leaf / (1 + (leaf * j).exp())
        return total, arb(2).log()

    return separated(sides, where=f"{rounds} rounds")


LAST_ITERATES = (
    Check(
        "mirror_descent.softmax_lipschitz",
        Search(
            maximise=maximiser(dict, f=losses_between(-3.0, 3.0), g=losses_between(-3.0, 3.0)),
            corners={"opposite": partial(dict, f=np.array([0.01, -0.01]), g=np.array([-0.01, 0.01]))},
        ),
        softmax_lipschitz,
        (Mutant("constant", "0.99: equality in the limit of small differences", {"constant": 0.99}),),
    ),
    Check(
        "mirror_descent.last_iterate",
        Search(
            maximise=maximiser(dict, gaps=Box(0.0, 10.0, (ACTIONS,)), y=Box(0.05, 20.0, log=True)),
            corners={f"{n} actions": partial(_equal_gaps, n) for n in (2, 3, 10)},
        ),
        last_iterate,
        (Mutant("constant", "0.99 W: equality for equal gaps", {"constant": 0.99}),),
    ),
    Check(
        "mirror_descent.tracking_sum",
        Search(
            maximise=maximiser(partial(dict, n=60), gaps=Box(0.0, 10.0, (ACTIONS,)), eta=Box(0.05, 3.0, log=True)),
            corners={f"{n} actions": partial(_fixed_critic, n) for n in (2, 10)},
        ),
        tracking_sum,
        (Mutant("constant", "0.99 log(A): equality in the limit of small rates", {"constant": 0.99}),),
    ),
    Check(
        "mirror_descent.tracking_moving",
        Search(
            maximise=maximiser(dict, gaps=Box(0.0, 5.0, (6, ACTIONS))),
            corners={"one round": partial(_worst_gaps, 2, 1), "500 rounds": partial(_worst_gaps, 2, 500)},
        ),
        tracking_moving,
        (
            Mutant("constant", "0.99 W (1 + log n): equality in round 1", {"constant": 0.99}),
            Mutant("one_state", "log(A), as for one state", {"harmonic": False}),
        ),
    ),
    Check(
        "mirror_descent.tracking_on_policy",
        Exact({f"{ROUNDS} rounds": partial(int, ROUNDS)}),
        tracking_on_policy,
        (Control("fixed", "the state distribution of the first round throughout", {"moving": False}),),
    ),
)

CHECKS = (*IDENTITIES, *SCALARS, *STABILITY, *RUNS, *LAST_ITERATES)
