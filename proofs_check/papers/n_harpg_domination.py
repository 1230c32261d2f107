r"""Checks of gradient domination, of the gain of a normalised step, and of the linear-quadratic regulator.

Gradient domination holds at every parameter with the least Fisher eigenvalue and the largest score there, so that it
can be searched pointwise; bandits with ring policies attain it. The regulator is rational in its gain once the weight
of the state is eliminated by the optimality of :math:`K^\star`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy as sp
from flint import fmpq, fmpq_mat

from mdps.tabular import DiscountedMDP
from mdps.validation import FloatArray
from proofs_check.cases import random_discounted_case
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.exact_gradients import AffineFamily, fraction
from proofs_check.methods.exact import Exact
from proofs_check.methods.search import Box, Search, Simplex, Stochastic
from proofs_check.methods.symbolic import Identity, Inequality, Obligation, Symbolic
from proofs_check.papers.n_harpg_regularity import BOUNDS, POINTS, Point, maximiser, point
from proofs_check.papers.policy_gradient import AffineDiscountedCase
from solvers import n_harpg_exact as exact
from solvers import n_harpg_policies as policies
from solvers.n_harpg_exact import FiniteWorld

R = sp.Rational
ONE = sp.S.One


# Domination


def log_linear(**drawn: Any) -> Point:
    """Return a point of a model with three actions and two features."""
    return Point(
        drawn["transitions"],
        drawn["rewards"],
        drawn["initial"],
        float(drawn["discount"]),
        drawn["theta"],
        drawn["features"],
    )


@dataclass(frozen=True)
class Ring:
    """A bandit with three actions, a ring policy at a parameter, and a comparator."""

    rewards: tuple[float, float, float]
    theta: float
    action: int

    @property
    def world(self) -> FiniteWorld:
        """The bandit with its family."""
        return ring_bandit(np.array(self.rewards))

    @property
    def least_fisher(self) -> float:
        """Fisher information."""
        return float(exact.fisher_matrix(self.world, np.array([self.theta]))[0, 0])


def ring_bandit(rewards: FloatArray) -> FiniteWorld:
    """Return the bandit with ring policies."""
    mdp = DiscountedMDP(np.ones((1, 3, 1)), rewards.reshape(1, 3), 0.0, np.ones(1))
    return FiniteWorld(mdp, policies.ring_policy())


def domination(
    instance: Point | Ring,
    *,
    signed: bool = False,
    weight: float = 1.0,
    gradient: float = 1.0,
    scale: bool = True,
) -> Comparison:
    """Optimality gap (none if it is only rounding) against gradient and bias, with the constants at the parameter."""
    here, theta = instance.world, np.atleast_1d(instance.theta)
    comparator = np.array([instance.action]) if isinstance(instance, Ring) else None
    fit = exact.compatible_fit(here, theta, comparator)
    largest = float(np.linalg.norm(here.policy.scores(theta), axis=-1).max())
    bias = max(fit.signed_bias, 0.0) if signed else math.sqrt(max(fit.bias, 0.0))
    bias /= 1.0 - here.mdp.discount if scale else 1.0
    slope = gradient * largest * float(np.linalg.norm(fit.gradient)) / fit.least_eigenvalue
    gap = 0.0 if abs(fit.gap) < 1e-7 else fit.gap
    return Comparison(gap, weight * bias + slope)


LOG_LINEAR: dict[str, Any] = {
    "transitions": Stochastic((2, 3), 2),
    "rewards": Box(-1.0, 1.0, (2, 3)),
    "initial": Simplex(2),
    "discount": Box(0.05, 0.95),
    "theta": Box(-1.5, 1.5, (2,)),
    "features": Box(-1.0, 1.0, (2, 3, 2)),
}
DOMINATION = Search(
    maximise=maximiser(log_linear, **LOG_LINEAR),
    corners={
        "ring, the worst parameter": partial(Ring, (1.0, 0.0, 0.0), math.pi, 0),
        "ring, the worst parameter, comparator 1": partial(Ring, (0.0, 1.0, 0.0), -math.pi / 3.0, 1),
        "ring, in between": partial(Ring, (1.0, 0.0, 0.0), 1.0, 0),
    },
)


def tabular_bias(seed: int, *, states: int = 2, factor: bool = True) -> Iterator[Comparison]:
    """Compare the advantages with their fit, for a model with two states and three actions and all of its parameters.

    ``states`` is the number of states that have parameters.
    """
    drawn = random_discounted_case(seed, 2, 3, Fraction(9, 10))
    slopes = []
    for s in range(states):
        for a in range(2):
            rows = [[Fraction(int((k, b) == (s, a)) - int((k, b) == (s, 2))) for b in range(3)] for k in range(2)]
            slopes.append(tuple(tuple(row) for row in rows))
    base = (Fraction(1, 2), Fraction(1, 3), Fraction(1, 6))
    family = AffineFamily((base, base[::-1]), tuple(slopes))
    case = AffineDiscountedCase(drawn.mdp, family, (Fraction(0),) * len(slopes))
    rate = 1 - drawn.mdp.discount if factor else Fraction(1)
    weights = solve(case.fisher(), [rate * entry for entry in case.gradient()])
    scores = family.scores(case.theta)
    for s, row in enumerate(case.advantages()):
        for a, advantage in enumerate(row):
            fit = sum((w * fraction(c) for w, c in zip(weights, scores[s][a], strict=True)), Fraction(0))
            yield Comparison(advantage, fit, "==", where=f"state {s}, action {a}")


def solve(matrix: Sequence[Sequence[Fraction]], right: Sequence[Fraction]) -> list[Fraction]:
    """Return the solution of a rational linear system."""
    size = len(right)
    flat = [fmpq(entry.numerator, entry.denominator) for row in matrix for entry in row]
    column = fmpq_mat(size, 1, [fmpq(entry.numerator, entry.denominator) for entry in right])
    return [fraction(entry) for entry in fmpq_mat(size, size, flat).solve(column).entries()]


# Ascent


@dataclass(frozen=True, eq=False)
class Step:
    """A point of a model, a direction, and the length of the step along it."""

    at: Point
    direction: FloatArray
    length: float


def step(direction: FloatArray, length: Any, **drawn: Any) -> Step:
    """Return a step from a drawn point."""
    return Step(point(**drawn), np.asarray(direction), float(length))


def wrong_way() -> Step:
    """Return a tiny step against the gradient along which the direction vanishes: 2 is the best constant there."""
    at = Point(np.ones((1, 2, 1)), np.array([[0.0, 1.0]]), np.ones(1), 0.0, np.zeros(1))
    return Step(at, np.array([-2.5e-5]), 1e-5)


def too_far() -> Step:
    """Return a long step along the gradient of a concave part."""
    at = Point(np.ones((1, 2, 1)), np.array([[0.0, 1.0]]), np.ones(1), 0.0, np.ones(1))
    return Step(at, at.world.gradient(at.theta), 1.0)


def ascent_step(instance: Step, *, error: float = 1.0, smooth: bool = True) -> list[Comparison]:
    """Gain of a normalised step against its bound with c = 0 and 1 and three stages; the error counts 1 + c error."""
    at, theta = instance.at, instance.at.theta
    here = at.world
    norm = float(np.linalg.norm(instance.direction))
    if norm == 0.0:
        return [Comparison(0.0, 0.0)]
    gain = float(here.value(theta + instance.length * instance.direction / norm) - here.value(theta))
    short, whole = here.gradient(theta, 3), here.gradient(theta)
    curvature = BOUNDS["smoothness"].evaluate(**at.constants) * instance.length**2 / 2.0
    cut, off = float(np.linalg.norm(whole - short)), float(np.linalg.norm(instance.direction - short))
    found = []
    for c in (0.0, 1.0):
        slope = c * float(np.linalg.norm(short)) - (1.0 + c * error) * off - cut
        right = instance.length * slope - (curvature if smooth else 0.0)
        found.append(Comparison(right, gain, where=f"c={c:g}", tolerance=1e-12))
    return found


# The scalar linear-quadratic regulator


def lqr_gap(*, sign: int = 1, twice: int = 2, own: bool = False) -> dict[str, Obligation]:
    """Return gap and gradient of J = -(P_K m + R s^2) / (1 - gamma), with exploration of variance s^2.

    m = (1 - gamma) E x_0^2 + gamma (b^2 s^2 + w^2), with noise of variance w^2. The closed loops a - b K and a - b K*
    are e and e_s; q is eliminated by h(K*) = 0. Both sides are multiplied by the positive numbers 1 - gamma,
    D = 1 - gamma e^2 and D_s = 1 - gamma e_s^2 (the gradient by D twice), and P_K = N / D.
    """
    b, cost, closed, g = sp.symbols("b R e_s g", positive=True)
    best, move, m = sp.symbols("K_s Delta m", real=True)
    loop, gain = closed - b * move, best + move
    below, below_best = 1 - g * loop**2, 1 - g * closed**2
    value_best = cost * best / (g * b * closed)
    top = value_best * below_best - cost * best**2 + cost * gain**2
    h, curvature = cost * gain * below - g * b * top * loop, cost * below + g * b**2 * top
    left = m * (top - value_best * below) * (below if own else below_best)
    return {
        "gap": Identity(left, m * (twice * h * move - sign * curvature * move**2)),
        "gradient": Identity(sp.diff(top, move) * below - top * sp.diff(below, move), 2 * h),
    }


def lqr_domination(*, constant: sp.Expr = ONE, slope: sp.Expr = ONE) -> dict[str, Inequality]:
    """Return 2 h Delta - C Delta^2 <= h^2 / C and <= 2 |h Delta|, multiplied by m_* / (1 - gamma).

    |h| = (1 - gamma) |J'| / (2 m_K).
    """
    move, rest = sp.symbols("Delta rest", real=True)
    curvature = sp.Symbol("C", positive=True)
    product, bent = sp.symbols("hDelta bent", nonnegative=True)
    h = curvature * move + rest
    return {
        "square": Inequality(2 * h * move - curvature * move**2, constant * h**2 / curvature),
        "product": Inequality(2 * product - bent, slope * 2 * product),
    }


DOMINATION_CHECKS = (
    Check(
        "n_harpg.relaxed_domination",
        DOMINATION,
        domination,
        (
            Mutant("no_bias", "without the bias", {"weight": 0.0}),
            Mutant("weight", "0.99 times the bias", {"weight": 0.99}),
            Mutant("no_gradient", "without the gradient", {"gradient": 0.0}),
        ),
    ),
    Check(
        "n_harpg.signed_domination",
        DOMINATION,
        partial(domination, signed=True),
        (
            Mutant("no_bias", "without the bias", {"weight": 0.0}),
            Mutant("weight", "0.99 times the bias", {"weight": 0.99}),
            Mutant("no_gradient", "without the gradient", {"gradient": 0.0}),
        ),
    ),
    Check(
        "n_harpg.tabular_bias",
        Exact({f"seed {seed}": partial(int, seed) for seed in (2, 3, 4)}),
        tabular_bias,
        (
            Mutant("one_state", "parameters for one of the two states only", {"states": 1}),
            Mutant("factor", "without the factor 1 - gamma", {"factor": False}),
        ),
    ),
    Check(
        "n_harpg.ascent_step",
        Search(
            maximise=maximiser(step, direction=Box(-1.0, 1.0, (2,)), length=Box(1e-5, 1.0, log=True), **POINTS),
            corners={"against the gradient": wrong_way, "too far": too_far},
        ),
        ascent_step,
        (
            Mutant("error", "1 + 0.9 c times the error", {"error": 0.9}),
            Mutant("no_curvature", "without the smoothness term", {"smooth": False}),
        ),
    ),
)

LQR_CHECKS = (
    Check(
        "n_harpg.lqr_gap",
        Symbolic(),
        lqr_gap,
        (
            Mutant("sign", "plus the quadratic term", {"sign": -1}),
            Mutant("once", "h (K - K*) instead of twice that", {"twice": 1}),
            Mutant("own", "the second moment of K itself", {"own": True}),
        ),
    ),
    Check(
        "n_harpg.lqr_domination",
        Symbolic(),
        lqr_domination,
        (
            Mutant("constant", "0.99 times the first bound", {"constant": R(99, 100)}),
            Mutant("slope", "0.99 times the second bound", {"slope": R(99, 100)}),
        ),
    ),
)

CHECKS = (*DOMINATION_CHECKS, *LQR_CHECKS)
