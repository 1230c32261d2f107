r"""Checks of policy classes and of the regularity of the objective.

Constants of policies are proved in a variable that makes them rational: :math:`\cos` of an angle, or the half angle.
Sizes of gradients and Hessians are searched over small models; what is nearly worst for them is a random walk that pays
the sign of a Hermite polynomial of its position, with one logit for the probability of a step up. With
:math:`p = 1/2` and steps :math:`\pm 1`,

.. math:: J^{(k)}(\theta) = 2^{-k} \sum_{t \ge 0} \gamma^t\, \mathbb E |He_k(X_{t+1}, t + 1)|, \quad
          He_1 = x,\ He_2 = x^2 - n,\ He_3 = x^3 - 3 n x .
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy as sp
from flint import arb, fmpq

from mdps.tabular import DiscountedMDP
from mdps.validation import FloatArray
from proofs_check import exact_gradients as gradients
from proofs_check.engine import Check, Control, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.base import Sizes
from proofs_check.methods.exact import Exact
from proofs_check.methods.interval import Inequality as RealInequality
from proofs_check.methods.interval import Interval
from proofs_check.methods.proof_rules import Terms
from proofs_check.methods.search import Box, Maximiser, Search, Simplex, Space, Stochastic
from proofs_check.methods.symbolic import Identity, Inequality, Obligation, Symbolic
from solvers import n_harpg_exact as exact
from solvers import n_harpg_policies as policies
from solvers.n_harpg_exact import FiniteWorld
from theory import n_harpg as theory
from theory.n_harpg_regularity import CLAIMS
from theory.symbols import H, gamma

R = sp.Rational
ONE, THIRD = sp.S.One, R(1, 3)
LARGEST_THIRD = R(1, 108)
"""Square of the largest third central moment on [0, 1]."""
BOUNDS = {claim.id.split(".")[1]: claim.bound for claim in CLAIMS if claim.bound is not None}


def maximiser(build: Callable[..., Any], **blocks: Any) -> Maximiser:
    """Return a climb that is cheap at the quick tier."""
    return Maximiser(Space(**blocks), build, Sizes(2, 12, 96), Sizes(60, 300))


# Policies


def third_moment(*, constant: sp.Expr = LARGEST_THIRD, split: sp.Expr = THIRD) -> dict[str, Obligation]:
    """Return the steps for a variable on [0, 1] with mean m; s is its distance from an end.

    m <= split: y^3 lies below a line of value m (1 - m) (1 - 2 m) at 0, as y = s - m shows. m >= split: below a tangent
    of value (1 - m)^3 / 4. Both values squared are at most 1/108; w stands for m (1 - m).
    """
    m, s, w, y = (sp.Symbol(name, nonnegative=True) for name in ("m", "s", "w", "y"))
    z = sp.Symbol("z", real=True)
    chord = z**3 - (1 - 3 * m + 3 * m**2) * z - m * (1 - m) * (1 - 2 * m)
    half = (1 - m) / 2
    return {
        "chord": Identity(chord, (z + m) * (z + m - 1) * (z + 1 - 2 * m)),
        "below the chord": Inequality(s * (s - 1) * (s + 1 - 3 * m), sp.S.Zero, (sp.Le(s, 1), sp.Le(m, split))),
        "value of the chord": Inequality(w**2 * (1 - 4 * w), constant, (sp.Le(w, R(1, 4)),)),
        "tangent": Identity(z**3 - 3 * half**2 * z - 2 * half**3, (z + half) ** 2 * (z - 2 * half)),
        "value of the tangent": Inequality(((1 - m) ** 3 / 4) ** 2, constant, (sp.Ge(m, split), sp.Le(m, 1))),
        "variance": Inequality(y * (1 - y), R(1, 4), (sp.Le(y, 1),)),
    }


def softmax_scores(
    *, score: sp.Expr = theory.POLICY_CLASSES["softmax"].score, square: sp.Expr = sp.Integer(2), sign: int = -1
) -> dict[str, Obligation]:
    """Return norm of a score, range of a direction, and the derivatives of log sum exp as cumulants.

    The squared norm is (1 - p)^2 and the sum of the other p_b^2, which is a share of (1 - p)^2 <= 1.
    """
    share = sp.Symbol("share", nonnegative=True)
    u, v, e = sp.symbols("u v e", real=True)
    m = sp.symbols("m1:4", real=True)
    log_sum = sp.log(1 + m[0] * e + m[1] * e**2 / 2 + m[2] * e**3 / 6)
    cumulants = [sp.diff(log_sum, e, order).subs(e, 0) for order in (2, 3)]
    bounds = theory.POLICY_CLASSES["softmax"]
    return {
        "norm": Inequality(1 + share, score**2, (sp.Le(share, 1),)),
        "range": Inequality((u - v) ** 2, square * (u**2 + v**2)),
        "variance": Identity(cumulants[0], m[1] + sign * m[0] ** 2),
        "third": Identity(cumulants[1], m[2] - 3 * m[0] * m[1] + 2 * m[0] ** 3),
        "curvature": Identity(bounds.curvature, R(2, 4)),
        "third bound": Identity(bounds.third, sp.sqrt(2) ** 3 / (6 * sp.sqrt(3))),
    }


def cauchy_derivatives(*, square: int = 2) -> dict[str, Obligation]:
    """Return score, log-Hessian and third derivative in u = a - theta against their forms in cos phi."""
    u = sp.Symbol("u", real=True)
    cosine = (1 - u**2) / (1 + u**2)
    score = sp.diff(sp.log(1 + u**2), u)
    second, third = -sp.diff(score, u), sp.diff(score, u, 2)
    return {
        "score": Identity(score**2, 1 - cosine**2),
        "curvature": Identity(second, -(1 + cosine) * cosine),
        "third": Identity(third**2, (1 + cosine) ** 2 * (1 - cosine**2) * (1 + 2 * cosine) ** square),
    }


def cauchy_sizes(*, third: sp.Expr = ONE, curvature: sp.Expr = ONE) -> tuple[RealInequality, ...]:
    """Return the bounds in w = cos phi; the third one touches at w = 2^(-1/2)."""
    w = sp.Symbol("w", real=True)
    bounds, unit = theory.POLICY_CLASSES["cauchy"], ((w, -1, 1),)
    cube = (1 + w) ** 2 * (1 - w**2) * (1 + 2 * w) ** 2
    touching = (w - 1 / sp.sqrt(2)) ** 2
    rest, _ = sp.div(sp.expand(bounds.third**2 - cube), sp.expand(touching), w)
    hints = (Terms((touching * rest,)),) if third == 1 else ()
    return (
        RealInequality(sp.Le((1 + w) * w, curvature * bounds.curvature, evaluate=False), unit),
        RealInequality(sp.Le(-(1 + w) * w, curvature * bounds.curvature, evaluate=False), unit),
        RealInequality(sp.Le(cube, third * bounds.third**2, evaluate=False), unit, hints),
    )


def ring_sizes(*, scale: sp.Expr = ONE, floor: sp.Expr = theory.RING_FISHER[0]) -> tuple[RealInequality, ...]:
    """Return the bounds of the derivatives in w = cos of the angle, and of the information in w = cos 3 theta."""
    w = sp.Symbol("w", real=True)
    bounds, a, c = theory.POLICY_CLASSES["ring"], R(1, 3), theory.RING_AMPLITUDE
    mass, unit = a + c * w, ((w, -1, 1),)
    curvature = (a * c * w + c**2) / mass**2
    third = (1 - w**2) * sp.factor(sp.diff(curvature, w)) ** 2
    fisher = ring_information(w)
    relations = (
        sp.Le(c**2 * (1 - w**2) / mass**2, scale * bounds.score**2, evaluate=False),
        sp.Le(curvature, scale * bounds.curvature, evaluate=False),
        sp.Le(-curvature, scale * bounds.curvature, evaluate=False),
        sp.Le(third, scale * bounds.third**2, evaluate=False),
        sp.Le(floor, fisher, evaluate=False),
        sp.Le(fisher, theory.RING_FISHER[1], evaluate=False),
    )
    return tuple(RealInequality(relation, unit) for relation in relations)


def ring_information(cosine: sp.Expr) -> sp.Expr:
    """Return the Fisher information as a function of cos 3 theta."""
    a, c = R(1, 3), theory.RING_AMPLITUDE
    s = a / c
    return 1 + (c**2 - a**2) / c * (12 * s**2 - 3) / (4 * s**3 - 3 * s + cosine)


def ring_derivatives(*, sign: int = 1) -> dict[str, Obligation]:
    """Return the curvature of log(a + c cos x) and the sum of the three terms of the information; h is a half angle."""
    h, angle = sp.symbols("h phi", real=True)
    a, c, root = R(1, 3), theory.RING_AMPLITUDE, sp.sqrt(3)
    cosine, sine = (1 - h**2) / (1 + h**2), 2 * h / (1 + h**2)
    turns = [(ONE, sp.S.Zero), (-R(1, 2), root / 2), (-R(1, 2), -root / 2)]
    cosines = [cosine * u + sine * v for u, v in turns]
    information = sum((c**2 * (1 - w**2) / (a + c * w) for w in cosines), sp.S.Zero)
    at = {sp.cos(angle): cosine, sp.sin(angle): sine}
    second = sp.diff(sp.log(a + c * sp.cos(angle)), angle, 2).subs(at)
    return {
        "curvature": Identity(second, -(a * c * cosine + sign * c**2) / (a + c * cosine) ** 2),
        "information": Identity(sp.together(information), ring_information(4 * cosine**3 - 3 * cosine)),
    }


def gauge_fisher(*, gauge: bool = True) -> Inequality:
    """Return q - (sum p v)^2 >= p_A m |v|^2, q = sum p v^2 = m |v|^2 + more, (sum p v)^2 = share (1 - p_A) q."""
    p, share, m, norm, more = sp.symbols("p share m norm2 more", nonnegative=True)
    q = m * norm + more
    return Inequality((p if gauge else 1) * m * norm, q * (1 - share * (1 - p)), (sp.Le(p, 1), sp.Le(share, 1)))


# Models


@dataclass(frozen=True, eq=False)
class Point:
    """A model and a parameter."""

    transitions: FloatArray
    rewards: FloatArray
    initial: FloatArray
    discount: float
    theta: FloatArray
    features: FloatArray | None = None

    @property
    def mdp(self) -> DiscountedMDP:
        """The model."""
        return DiscountedMDP(self.transitions, self.rewards, self.discount, self.initial)

    @functools.cached_property
    def world(self) -> FiniteWorld:
        """The model with log-linear policies, or with one logit for each state."""
        if self.features is None:
            return FiniteWorld(self.mdp, policies.sigmoid_policy(len(self.rewards)))
        return FiniteWorld(self.mdp, policies.log_linear_policy(self.features))

    @property
    def least_fisher(self) -> float:
        """Least eigenvalue of the Fisher matrix."""
        return float(np.linalg.eigvalsh(exact.fisher_matrix(self.world, self.theta))[0])

    def size(self, name: str, horizon: int) -> float:
        """Return the norm of the derivative that a claim bounds."""
        here, theta = self.world, self.theta
        if name == "gradient_norm":
            return float(np.linalg.norm(here.gradient(theta)))
        if name == "smoothness":
            return _norm(here.hessian(theta))
        if name == "gradient_tail":
            return float(np.linalg.norm(here.gradient(theta, horizon) - here.gradient(theta)))
        if name == "hessian_tail":
            return _norm(here.hessian(theta, horizon) - here.hessian(theta))
        step = 1e-4 * np.eye(len(theta))[0]
        return _norm(here.hessian(theta + step) - here.hessian(theta - step)) / 2e-4

    @property
    def constants(self) -> dict[str, float]:
        """Values of the symbols of the bounds."""
        found = self.world.policy.regularity
        return {
            "M_g": found.score,
            "M_h": found.hessian,
            "l_2": found.third,
            "r_max": self.world.largest_reward,
            "gamma": self.discount,
        }


def _norm(matrix: FloatArray) -> float:
    return float(np.linalg.norm(matrix, 2))


@dataclass(frozen=True)
class Walk:
    """The random walk of one discount."""

    discount: float

    def size(self, name: str, horizon: int) -> float:
        """Return the derivative at one half, for the reward that is worst for it."""
        order = {"gradient_norm": 0, "gradient_tail": 0, "smoothness": 1, "hessian_tail": 1, "hessian_lipschitz": 2}
        moments = walk_moments()[order[name]]
        first = horizon if name.endswith("tail") else 0
        return float((moments * self.discount ** np.arange(len(moments)))[first:].sum())

    @property
    def constants(self) -> dict[str, float]:
        """Values of the symbols of the bounds: one logit of the second of two actions."""
        found = theory.POLICY_CLASSES["sigmoid"]
        sizes = {"M_g": found.score, "M_h": found.curvature, "l_2": found.third}
        return {name: float(value) for name, value in sizes.items()} | {"r_max": 1.0, "gamma": self.discount}


@functools.cache
def walk_moments(steps: int = 2_400) -> FloatArray:
    """Return 2^-k E|He_k(X_n, n)| for k = 1, 2, 3 and n = 1, ..., steps."""
    law, found = np.array([1.0]), np.empty((3, steps))
    for n in range(1, steps + 1):
        law = 0.5 * (np.append(law, 0.0) + np.append(0.0, law))
        x = np.arange(-n, n + 1, 2, dtype=float)
        found[:, n - 1] = [law @ np.abs(x) / 2.0, law @ np.abs(x**2 - n) / 4.0, law @ np.abs(x**3 - 3 * n * x) / 8.0]
    return found


HORIZONS = {0.99: 200, 0.9: 20}


def regularity(
    instance: Point | Walk,
    *,
    name: str,
    factor: float = 1.0,
    weaken: Callable[[float, float], float] | None = None,
) -> Comparison:
    """Size of a derivative against a part of its bound; ``weaken`` takes (bound, discount) to a smaller one."""
    horizon = HORIZONS.get(instance.discount, 3)
    bound = BOUNDS[name]
    rhs = factor * bound.evaluate(**instance.constants, H=horizon)
    if weaken is not None:
        rhs = weaken(rhs, instance.discount)
    return Comparison(instance.size(name, horizon), rhs, where=name, tolerance=1e-6)


def point(**drawn: Any) -> Point:
    """Return a point of a model with two states and two actions."""
    return Point(drawn["transitions"], drawn["rewards"], drawn["initial"], float(drawn["discount"]), drawn["theta"])


POINTS: dict[str, Any] = {
    "transitions": Stochastic((2, 2), 2),
    "rewards": Box(-1.0, 1.0, (2, 2)),
    "initial": Simplex(2),
    "discount": Box(0.05, 0.97),
    "theta": Box(-2.0, 2.0, (2,)),
}
REGULARITY = Search(
    maximise=maximiser(point, **POINTS), corners={f"walk, gamma={g}": partial(Walk, g) for g in HORIZONS}
)


def one_power(bound: float, discount: float) -> float:
    """Return the bound with one factor 1 / (1 - gamma) less."""
    return bound * (1.0 - discount)


def half_power(bound: float, discount: float) -> float:
    """Return the bound with one factor (1 - gamma)^(-1/2) less."""
    return bound * math.sqrt(1.0 - discount)


def no_root(bound: float, discount: float) -> float:
    """Return D_g gamma^H without the root of 1 / (1 - gamma) + H."""
    return bound / math.sqrt(1.0 / (1.0 - discount) + HORIZONS.get(discount, 3))


def no_horizon(bound: float, discount: float) -> float:
    """Return D_h gamma^H without the factor H + 1 / (1 - gamma)."""
    return bound / (1.0 / (1.0 - discount) + HORIZONS.get(discount, 3))


def regularity_check(name: str, part: float, key: str, why: str, weaken: Callable[[float, float], float]) -> Check:
    """Return the check of one bound; the random walk refutes ``part`` of it."""
    return Check(
        f"n_harpg.{name}",
        REGULARITY,
        partial(regularity, name=name),
        (Mutant(key, why, {"weaken": weaken}), Mutant("factor", f"{part:g} times the bound", {"factor": part})),
    )


def discount_sums(*, shift: int = 0) -> dict[str, Identity]:
    """Return tail(n) - tail(n + 1) = term(n) for the tails from n on, and the product of Cauchy and Schwarz."""
    n, g = sp.Symbol("n", integer=True, positive=True), sp.Symbol("g", positive=True)

    def counts(m: sp.Expr) -> sp.Expr:
        return g**m * ((m + shift) / (1 - g) + 1 / (1 - g) ** 2)

    def squares(m: sp.Expr) -> sp.Expr:
        return g ** (m - 1) * (m**2 / (1 - g) + 2 * m * g / (1 - g) ** 2 + g * (1 + g) / (1 - g) ** 3)

    inside = (sp.Lt(g, 1),)
    return {
        "counts": Identity(counts(n) - counts(n + 1), g**n * (n + 1), inside),
        "squares": Identity(squares(n) - squares(n + 1), n**2 * g ** (n - 1), inside),
        "first": Identity(squares(sp.Integer(1)), (1 + g) / (1 - g) ** 3, inside),
        "product": Identity(counts(sp.Integer(0)) * squares(sp.Integer(1)), (1 + g) / (1 - g) ** 5, inside),
    }


def softmax_fisher(instance: Point, *, factor: float = 1.0, discounted: bool = True) -> Comparison:
    """Least eigenvalue of the softmax on vectors that sum to zero in each state against its bound."""
    n_states, n_actions = instance.rewards.shape
    here = FiniteWorld(instance.mdp, policies.softmax_policy(n_states, n_actions))
    basis = np.linalg.qr(np.eye(n_actions) - np.ones((n_actions, n_actions)) / n_actions)[0][:, : n_actions - 1]
    frame = np.kron(np.eye(n_states), basis)
    least = np.linalg.eigvalsh(frame.T @ exact.fisher_matrix(here, instance.theta) @ frame)[0]
    mass = here.policy.probabilities(instance.theta).min() * instance.initial.min()
    return Comparison(factor * (1.0 - instance.discount if discounted else 1.0) * float(mass), float(least))


def equal_actions() -> Point:
    """Return one state with three equally likely actions: the bound is attained."""
    return Point(np.ones((1, 3, 1)), np.zeros((1, 3)), np.ones(1), 0.0, np.zeros(3))


def one_way() -> Point:
    """Return two states of which the first, where one starts rarely, is left for ever."""
    ahead = np.zeros((2, 2, 2))
    ahead[..., 1] = 1.0
    return Point(ahead, np.zeros((2, 2)), np.array([0.01, 0.99]), 0.9, np.zeros(4))


# Second moments of the Hessian estimators


def moment_bound(name: str, score_square: Fraction, curvature: Fraction, **more: Any) -> Fraction:
    """Return the bound of a claim at M_g^2, M_h and, unless they are 1, 0 and 1, r_max, gamma and H."""
    values = {"r_max": 1, "gamma": 0, "H": 1} | more
    sizes = {theory.M_g: sp.sqrt(R(score_square)), theory.M_h: R(curvature), theory.r_max: R(values["r_max"])}
    found = sp.Rational(BOUNDS[name].rhs.subs({**sizes, gamma: R(values["gamma"]), H: values["H"]}))
    return Fraction(int(found.p), int(found.q))


@dataclass(frozen=True)
class ExactWalk:
    """The random walk with H stages; it pays one, or with ``squared`` the sign of X_n^2 - n."""

    horizon: int
    discount: Fraction
    squared: bool = False

    def second_moment(self, causal: bool) -> Fraction:
        """Return E B^2 or E B-tilde^2.

        At one half, Psi = -psi^2 = -1/4. So B = A S - C with S the last score of the sums, and B-tilde = A, where A
        sums gamma^h r_h times S_h, or S_h^2 - n / 4, and C sums gamma^h r_h n / 4, n = h + 1. What is carried from
        stage to stage are P(x) and E[A; x], E[C; x], E[A^2; x], E[A C; x], E[C^2; x] for all positions x.
        """
        law: dict[int, list[Any]] = {0: [fmpq(1), *[fmpq(0)] * 5]}
        discount, weight = fmpq(self.discount.numerator, self.discount.denominator), fmpq(1)
        for n in range(1, self.horizon + 1):
            after: dict[int, list[Any]] = {}
            for x, old in law.items():
                for y in (x - 1, x + 1):
                    after[y] = [u + v / 2 for u, v in zip(after.get(y, [fmpq(0)] * 6), old, strict=True)]
            for y, (mass, first, other, square, product, rest) in after.items():
                reward = weight * ((y * y > n) - (y * y < n) if self.squared else 1)
                a = reward * (fmpq(y * y - n, 4) if causal else fmpq(y, 2))
                c = reward * fmpq(0 if causal else n, 4)
                square, product = square + a * (2 * first + a * mass), product + a * other + c * (first + a * mass)
                rest = rest + c * (2 * other + c * mass)
                after[y] = [mass, first + a * mass, other + c * mass, square, product, rest]
            law, weight = after, weight * discount
        ends = {y: fmpq(1) if causal else fmpq(y, 2) for y in law}
        total = sum((m[3] * ends[y] ** 2 - 2 * m[4] * ends[y] + m[5] for y, m in law.items()), fmpq(0))
        return gradients.fraction(total)


def path_moments(case: gradients.GradientCase, causal: bool) -> Iterator[tuple[str, Fraction]]:
    """Yield E||B v||^2 / ||v||^2, or that of B-tilde, for unit vectors v and the diagonal, over all trajectories."""
    estimator = gradients.causal_hessian if causal else gradients.hessian
    size = len(case.theta)
    draws = [(path.probability, estimator(path)) for path in gradients.paths(case, case.theta)]
    for k in range(size + 1):
        v = [int(j == k or k == size) for j in range(size)]
        total = fmpq(0)
        for mass, b in draws:
            total += mass * sum(sum(b[size * i + j] * v[j] for j in range(size)) ** 2 for i in range(size))
        yield f"direction {k}", gradients.fraction(total) / sum(v)


def stages_moment(
    case: gradients.GradientCase | ExactWalk, *, name: str, horizon: int | None = None, powers: int = 0
) -> Iterator[Comparison]:
    """Second moment of an estimator of an affine policy against its bound, with M_g and M_h at the parameter.

    ``horizon`` is the H of the bound; ``powers`` factors 1 / (1 - gamma) are left out.
    """
    causal = name == "causal_moment"
    if isinstance(case, ExactWalk):
        stages, size, reward = case.horizon, Fraction(1, 4), Fraction(1)
        found = iter([("", case.second_moment(causal))])
    else:
        stages, size, reward = case.mdp.horizon, case.score_bound, case.largest_reward
        found = path_moments(case, causal)
    stages = stages if horizon is None else horizon
    bound = moment_bound(name, size, size, r_max=reward, gamma=case.discount, H=stages)
    for where, moment in found:
        yield Comparison(moment, bound * (1 - case.discount) ** powers, where=where)


SHARED = "shared S=3 A=2 H=3"
PATH_CASES: dict[str, Any] = {SHARED: gradients.GRADIENT_CASES[SHARED]}
PLAIN_WALKS = {
    f"walk, H={h}, gamma={g}": partial(ExactWalk, h, g) for h, g in ((8, Fraction(1, 8)), (16, Fraction(7, 8)))
}
SQUARED_WALK = {"squared walk, H=64, gamma=15/16": partial(ExactWalk, 64, Fraction(15, 16), True)}


# A counter-example to the bound without its cross term

QUARTER, CORNER, OTHERS = Fraction(65, 100), Fraction(2, 100), Fraction(41, 100)
"""Quarter period of the waves, half-width of their corners, and mass of two actions together."""

UNIT = Fraction(1)
SLOPE, CURVATURE = QUARTER - CORNER / 2, Fraction(1)
"""M_g and M_h of the policy."""


@dataclass(frozen=True)
class Wave:
    """A periodic function whose second derivative is a trapezoidal wave between 1 and -1.

    It starts at a zero of the slope; slope and value are integrated piece by piece. It vanishes where the slope is
    largest.
    """

    ends: tuple[Fraction, ...]
    coefficients: tuple[tuple[Fraction, Fraction, Fraction, Fraction], ...]

    def piece(self, at: Fraction) -> int:
        """Return the number of the piece to the right of a point of the period."""
        return max(k for k, end in enumerate(self.ends[:-1]) if end <= at)

    def derivatives(self, piece: int, x: arb) -> tuple[arb, arb, arb]:
        """Return value, slope and second derivative at a ball inside one piece."""
        f, m, a, b = (_ball(number) for number in self.coefficients[piece])
        t = x - _ball(self.ends[piece])
        return f + t * (m + t * (a / 2 + t * b / 6)), m + t * (a + t * b / 2), a + t * b


def _ball(number: Fraction) -> arb:
    return arb(number.numerator) / arb(number.denominator)


@functools.cache
def wave() -> Wave:
    """Return the wave with the constants above."""
    q, w = QUARTER, CORNER
    ends = (Fraction(0), q - w, q + w, 3 * q - w, 3 * q + w, 4 * q)
    values = (Fraction(1), Fraction(1), Fraction(-1), Fraction(-1), Fraction(1), Fraction(1))
    pieces: list[tuple[Fraction, Fraction, Fraction, Fraction]] = []
    f, m = Fraction(0), Fraction(0)
    for k in range(5):
        length = ends[k + 1] - ends[k]
        rise = (values[k + 1] - values[k]) / length
        pieces.append((f, m, values[k], rise))
        f += m * length + values[k] * length**2 / 2 + rise * length**3 / 6
        m += values[k] * length + rise * length**2 / 2
    first = pieces[1]
    middle = first[0] + first[1] * w + first[2] * w**2 / 2 + first[3] * w**3 / 6
    return Wave(ends, tuple((f - middle, m, a, b) for f, m, a, b in pieces))


def two_waves(theta: arb, first: int, second: int, shift: Fraction) -> tuple[arb, arb, arb]:
    """Return score and log-Hessian of the third action, and E B^2, one wave being ahead of the other by ``shift``."""
    half = _ball(OTHERS / 2)
    curve = wave()
    f, df, ddf = curve.derivatives(first, theta)
    g, dg, ddg = curve.derivatives(second, theta + _ball(shift))
    p, q = half * f.exp(), half * g.exp()
    rest = 1 - p - q
    slope, bend = p * df + q * dg, (p * (df * df + ddf), q * (dg * dg + ddg))
    score = -slope / rest
    total = bend[0] + bend[1]
    moment = bend[0] * bend[0] / p + bend[1] * bend[1] / q + total * total / rest
    return score, -total / rest - score * score, moment


def hessian_estimator_moment(
    boxes: int, *, name: str = "hessian_moment", factor: Fraction = UNIT
) -> Iterator[BallComparison]:
    """E B^2 of the policy of two waves, one stage and reward 1, against a bound; and its constants on the whole line.

    The first two actions have slopes and curvatures at most M_g and M_h by construction.
    """
    curve, period = wave(), 4 * QUARTER
    lead = 2 * QUARTER + 2 * CORNER
    cuts = sorted(set(curve.ends) | {(end - lead) % period for end in curve.ends} | {period})
    score, curvature = arb(0), arb(0)
    for low, high in itertools.pairwise(cuts):
        ahead = (low + lead) % period
        shift = ahead - low
        first, second = curve.piece(low), curve.piece(ahead)
        for k in range(boxes):
            middle = low + (high - low) * Fraction(2 * k + 1, 2 * boxes)
            ball = _ball(middle) + arb(0, 1) * _ball((high - low) / (2 * boxes))
            found = two_waves(ball, first, second, shift)
            score, curvature = score.max(abs(found[0])), curvature.max(abs(found[1]))
    yield BallComparison(score, _ball(SLOPE), "<=", "score of the third action")
    yield BallComparison(curvature, _ball(CURVATURE), "<=", "log-Hessian of the third action")
    at = QUARTER - CORNER
    moment = two_waves(_ball(at), curve.piece(at), curve.piece((at + lead) % period), lead)[2]
    yield BallComparison(moment, _ball(factor * moment_bound(name, SLOPE**2, CURVATURE)), "<=", "second moment")


TWO_WAVES = Balls({"two waves of slope 0.64": partial(int, 60)})


POLICY_CHECKS = (
    Check(
        "n_harpg.third_moment",
        Symbolic(),
        third_moment,
        (
            Mutant("constant", "1/109 for the square", {"constant": R(1, 109)}),
            Mutant("split", "the chord for every m", {"split": ONE}),
        ),
    ),
    Check(
        "n_harpg.softmax_scores",
        Symbolic(),
        softmax_scores,
        (
            Mutant("score", "a score of 1.3", {"score": R(13, 10)}),
            Mutant("range", "a range of 1.9^(1/2)", {"square": R(19, 10)}),
            Mutant("sign", "plus the square of the mean", {"sign": 1}),
        ),
    ),
    Check(
        "n_harpg.cauchy_scores",
        Symbolic(),
        cauchy_derivatives,
        (Mutant("square", "the factor 1 + 2 cos phi instead of its square", {"square": 1}),),
        name="derivatives",
        part=True,
    ),
    Check(
        "n_harpg.cauchy_scores",
        Interval(),
        cauchy_sizes,
        (
            Mutant("third", "0.999 of the square of the third bound", {"third": R(999, 1000)}),
            Mutant("curvature", "0.99 times M_h", {"curvature": R(99, 100)}),
        ),
        name="sizes",
        part=True,
    ),
    Check(
        "n_harpg.ring_scores",
        Symbolic(),
        ring_derivatives,
        (Mutant("sign", "minus the square of the amplitude", {"sign": -1}),),
        name="derivatives",
        part=True,
    ),
    Check(
        "n_harpg.ring_scores",
        Interval(),
        ring_sizes,
        (
            Mutant("scale", "0.999 times the bounds", {"scale": R(999, 1000)}),
            Mutant("floor", "a Fisher information of 0.2794", {"floor": R(2794, 10**4)}),
        ),
        name="sizes",
        part=True,
    ),
    Check(
        "n_harpg.gauge_fisher",
        Symbolic(),
        gauge_fisher,
        (Mutant("no_gauge", "without the factor p_A", {"gauge": False}),),
    ),
    Check(
        "n_harpg.softmax_fisher",
        Search(
            maximise=maximiser(point, **{**POINTS, "theta": Box(-2.0, 2.0, (4,))}),
            corners={"one state": equal_actions, "one way": one_way},
        ),
        softmax_fisher,
        (
            Mutant("factor", "1.01 times the bound", {"factor": 1.01}),
            Mutant("undiscounted", "without the factor 1 - gamma", {"discounted": False}),
        ),
    ),
)

SIZE_CHECKS = (
    regularity_check("gradient_norm", 0.35, "half_power", "r M_g / (1 - gamma)", half_power),
    regularity_check("smoothness", 0.19, "one_power", "one factor 1 / (1 - gamma) less", one_power),
    regularity_check("gradient_tail", 0.39, "no_root", "without the root of 1 / (1 - gamma) + H", no_root),
    regularity_check("hessian_tail", 0.19, "no_horizon", "without the factor H + 1 / (1 - gamma)", no_horizon),
    regularity_check("hessian_lipschitz", 0.06, "one_power", "one factor 1 / (1 - gamma) less", one_power),
    Check(
        "n_harpg.hessian_moment",
        TWO_WAVES,
        hessian_estimator_moment,
        (
            Mutant("no_cross_term", "H^2 M_g^4 + M_h^2", {"name": "printed_hessian_moment"}),
            Mutant("factor", "0.66 times the bound", {"factor": Fraction(66, 100)}),
        ),
        name="one stage",
        part=True,
    ),
    Check(
        "n_harpg.hessian_moment",
        Exact({**PATH_CASES, **PLAIN_WALKS}),
        partial(stages_moment, name="hessian_moment"),
        (
            Mutant("no_horizon", "H = 1 in the bound", {"horizon": 1}),
            Mutant("powers", "1 / (1 - gamma) instead of its fourth power", {"powers": 3}),
        ),
        name="more stages",
        part=True,
    ),
    Check(
        "n_harpg.causal_moment",
        TWO_WAVES,
        partial(hessian_estimator_moment, name="causal_moment"),
        (
            Mutant("no_cross_term", "H^2 M_g^4 + M_h^2", {"name": "printed_hessian_moment"}),
            Mutant("factor", "0.4 times the bound", {"factor": Fraction(40, 100)}),
        ),
        name="one stage",
        part=True,
    ),
    Check(
        "n_harpg.causal_moment",
        Exact({**PATH_CASES, **PLAIN_WALKS, **SQUARED_WALK}, per_unit=1),
        partial(stages_moment, name="causal_moment"),
        (Mutant("power", "one factor 1 / (1 - gamma) less", {"powers": 1}),),
        name="more stages",
        part=True,
    ),
    Check(
        "n_harpg.printed_hessian_moment",
        TWO_WAVES,
        partial(hessian_estimator_moment, name="printed_hessian_moment"),
        (
            Control("safe", "with the cross term", {"name": "hessian_moment"}),
            Control("larger", "1.15 times the printed bound", {"factor": Fraction(115, 100)}),
        ),
    ),
    Check(
        "n_harpg.discount_sums",
        Symbolic(),
        discount_sums,
        (Mutant("shift", "one more in the count", {"shift": 1}),),
    ),
)

CHECKS = (*POLICY_CHECKS, *SIZE_CHECKS)
