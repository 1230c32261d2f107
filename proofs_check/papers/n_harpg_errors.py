r"""Checks of the momentum estimators: exact means and variances, and errors along a prescribed path.

*Exactly*, by enumeration of trajectories of affine policies, whose estimates are rational: the conditional mean of the
error, and the variance recursion of a run in closed loop.

*Along a prescribed path* of the Cauchy bandit, mean :math:`m_t` and variance of :math:`\hat e_t` obey linear recursions
with coefficients that are integrals over one angle (:math:`a = \theta + \tan(\varphi/2)`, :math:`\varphi` uniform): the
error of every method, and of every mistake in it, follows without sampling. A run that chooses its own path hides such
mistakes, since its steps change sign at an optimum and biases cancel.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from flint import fmpq
from numpy.polynomial import chebyshev

from mdps.validation import FloatArray, IntArray
from proofs_check import exact_gradients as gradients
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.exact_gradients import STEP_CASES, GradientCase, Path, Theta
from proofs_check.methods.base import Tier
from proofs_check.methods.exact import Exact
from proofs_check.methods.search import Search
from proofs_check.papers.policy_gradient import RULES, hessian_vector
from theory import n_harpg as theory

ZERO, HALF = Fraction(0), Fraction(1, 2)
ENDS = ((ZERO, HALF), (Fraction(1), HALF))
"""A law of q that is as good as the uniform one for H <= 3: the integrand is affine."""


# Exact means


@dataclass(frozen=True)
class Recursion:
    """An iteration of (N-)HARPG, and what may be wrong with it; see `error_martingale`."""

    rule: str = "uniform"
    score_term: int = 1
    curvature: int = 1
    sampled: str = "between"
    restart: bool = False


def product(path: Path, step: list[Any], recursion: Recursion, discount: Fraction | None) -> list[Any]:
    """Return B times a step; with a discount, rewards-to-go are discounted from t on (a mistake)."""
    if discount is None:
        return gradients.hessian_vector(path, step, score_term=recursion.score_term, curvature=recursion.curvature)
    size, entries = range(len(step)), gradients.hessian(path, discount=discount)
    return [sum((entries[len(step) * i + j] * step[j] for j in size), fmpq(0)) for i in size]


def difference(case: GradientCase) -> list[Any]:
    """Return the step theta_t - theta_{t-1}."""
    pairs = zip(case.theta, case.before, strict=True)
    return [fmpq((u - v).numerator, (u - v).denominator) for u, v in pairs]


def between(case: GradientCase, q: Fraction) -> Theta:
    """Return q theta_t + (1 - q) theta_{t-1}."""
    return tuple(q * u + (1 - q) * v for u, v in zip(case.theta, case.before, strict=True))


def error_martingale(case: GradientCase, *, eta: Fraction = Fraction(1, 3), **changes: Any) -> Iterator[Comparison]:
    """Mean of e_t given the past against (1 - eta) e_{t-1}, for d_{t-1} = (1, 1/2, ...)."""
    recursion = Recursion(**changes)
    discount = case.discount if recursion.restart else None
    estimator = partial(product, step=difference(case), recursion=recursion, discount=discount)
    correction = [ZERO] * len(case.theta)
    for q, weight in RULES[recursion.rule]:
        point = between(case, q)
        mean = gradients.mean(case, estimator, point, case.theta if recursion.sampled == "end" else point)
        correction = [entry + weight * term for entry, term in zip(correction, mean, strict=True)]
    fresh = gradients.mean(case, partial(gradients.gpomdp, discount=discount), case.theta)
    now, last = gradients.gradient(case, case.theta), gradients.gradient(case, case.before)
    for i, (v, g) in enumerate(zip(correction, fresh, strict=True)):
        direction = Fraction(1, i + 1)
        mean_error = (1 - eta) * (direction + v) + eta * g - now[i]
        yield Comparison(mean_error, (1 - eta) * (direction - last[i]), "==", where=f"parameter {i}")


def midpoint(build: Callable[[int], GradientCase], *, horizon: int = 3, rule: str = "midpoint") -> Iterator[Comparison]:
    """Mean of the correction at the midpoint against the difference of the gradients."""
    yield from hessian_vector(build(horizon), rule=rule)


def shared_parameters(horizon: int) -> GradientCase:
    """Return a model without structure whose parameters move both states."""
    return gradients.shared_case(3, 2, 2, horizon, Fraction(9, 10))


def _squared(vector: Sequence[Any]) -> Any:
    return sum((entry * entry for entry in vector), fmpq(0))


def _moments(draws: Sequence[tuple[Any, list[Any]]]) -> tuple[list[Any], Any]:
    """Return the mean and the variance of weighted vectors."""
    size = range(len(draws[0][1]))
    mean = [sum((p * v[i] for p, v in draws), fmpq(0)) for i in size]
    return mean, sum((p * _squared(v) for p, v in draws), fmpq(0)) - _squared(mean)


def _after(case: GradientCase, first: list[Any]) -> GradientCase:
    """Return the case after a step of 1/20 along the first direction."""
    moved = tuple(u + gradients.fraction(g) / 20 for u, g in zip(case.before, first, strict=True))
    return GradientCase(case.mdp, case.family, case.before, moved, case.discount)


def error_identity(
    case: GradientCase,
    *,
    eta: Fraction = Fraction(2, 3),
    shared: bool = False,
    squared: bool = True,
    noise: bool = True,
    start: int = 1,
) -> Comparison:
    """V_1 of a run in closed loop, by enumeration of its trajectories, against the recursion.

    ``shared``: one trajectory at theta_1 serves both estimates (the correction is unbiased all the same for H = 2).
    d_0 is the first estimate divided by ``start``.
    """
    keep, weight = (fmpq(e.numerator, e.denominator) for e in (1 - eta, eta))
    estimates = [(path.probability, gradients.gpomdp(path)) for path in gradients.paths(case, case.before)]
    first = [(p, [entry / start for entry in g]) for p, g in estimates]
    left, drift, noises = fmpq(0), fmpq(0), fmpq(0)
    for p, direction in first:
        here = _after(case, direction)
        now = [fmpq(g.numerator, g.denominator) for g in gradients.gradient(here, here.theta)]
        step, right = difference(here), Recursion()
        fresh = [(path.probability, gradients.gpomdp(path)) for path in gradients.paths(here, here.theta)]
        corrections = []
        for q, mass in ((Fraction(1), Fraction(1)),) if shared else ENDS:
            share = fmpq(mass.numerator, mass.denominator)
            corrections += [
                (share * path.probability, product(path, step, right, None))
                for path in gradients.paths(here, between(here, q))
            ]
        pairs = (
            [(a, g, v) for (a, g), (_, v) in zip(fresh, corrections, strict=True)]
            if shared
            else [(a * b, g, v) for a, g in fresh for b, v in corrections]
        )
        for mass_, g, v in pairs:
            error = [keep * (d + c) + weight * h - n for d, c, h, n in zip(direction, v, g, now, strict=True)]
            left += p * mass_ * _squared(error)
        drift += p * keep**2 * _moments(corrections)[1]
        noises += p * weight**2 * _moments(fresh)[1]
    right_side = (keep**2 if squared else keep) * _moments(estimates)[1] + drift + (noises if noise else 0)
    return Comparison(gradients.fraction(left), gradients.fraction(right_side), "==")


# Along a prescribed path


@dataclass(frozen=True)
class Moments:
    """Means over the actions of the Cauchy bandit at parameters: (r psi^2, r Psi), and second moments of these."""

    score: FloatArray
    curvature: FloatArray
    score_score: FloatArray
    score_curvature: FloatArray
    curvature_curvature: FloatArray


@functools.cache
def _interpolants(low: float, high: float, degree: int = 60, nodes: int = 256) -> tuple[FloatArray, ...]:
    """Return Chebyshev coefficients of the moments on an interval."""
    angle = 2.0 * np.pi * (np.arange(nodes) + 0.5) / nodes - np.pi
    u = np.tan(angle / 2.0)
    theta = 0.5 * (low + high) + 0.5 * (high - low) * chebyshev.chebpts1(degree + 1)
    r = 1.0 / (1.0 + (theta[:, None] + u) ** 2)
    a, b = r * (2.0 * u / (1.0 + u**2)) ** 2, -r * 2.0 * (1.0 - u**2) / (1.0 + u**2) ** 2
    tables = (a, b, a * a, a * b, b * b)
    x = chebyshev.chebpts1(degree + 1)
    return tuple(chebyshev.chebfit(x, table.mean(axis=1), degree) for table in tables)


def moments(theta: FloatArray, low: float = -3.0, high: float = 3.0) -> Moments:
    """Return the moments at parameters inside [low, high]."""
    x = (2.0 * theta - low - high) / (high - low)
    found = [
        np.asarray(chebyshev.chebval(x, coefficients), dtype=np.float64) for coefficients in _interpolants(low, high)
    ]
    return Moments(*found)


def gradient(theta: FloatArray) -> FloatArray:
    """Return J'."""
    return -4.0 * theta / (4.0 + theta**2) ** 2


def noise(theta: FloatArray) -> FloatArray:
    """Return Var g."""
    z = theta**2
    return (40.0 + 52.0 * z + 2.5 * z**2) / (4.0 + z) ** 4


@functools.cache
def prescribed_path(iterations: int) -> FloatArray:
    """Return theta_0 = 1/2, theta_{t+1} = theta_t + 2 cos(2 log(t + 2)) / (t + 2), ``(T + 1,)``."""
    t = np.arange(iterations)
    return 0.5 + np.append(0.0, np.cumsum(2.0 / (t + 2.0) * np.cos(2.0 * np.log(t + 2.0))))


@dataclass(frozen=True)
class Estimator:
    """A momentum estimator along a path; what a mutant changes is one field of it."""

    power: float
    corrected: bool = False
    extrapolation: float = 0.0
    score_factor: float = 1.0
    curvature_factor: float = 1.0


MOMENTUM, IGT = Estimator(2.0 / 3.0), Estimator(4.0 / 5.0, extrapolation=1.0)
HARPG = Estimator(1.0, corrected=True)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(5)


@functools.cache
def path_moments(iterations: int) -> Moments:
    """Return the moments at a uniform point of each step of the path, ``(T + 1,)`` each."""
    path = prescribed_path(iterations)
    q, move = 0.5 + 0.5 * NODES, np.diff(path, prepend=path[0])
    found = moments(path[:, None] - (1.0 - q) * move[:, None])
    return Moments(*(table @ (0.5 * WEIGHTS) for table in vars(found).values()))


def open_loop(estimator: Estimator, iterations: int) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance of the error, ``(T + 1,)`` each."""
    path = prescribed_path(iterations)
    eta = (2.0 / (np.arange(iterations + 1) + 2.0)) ** estimator.power
    move = np.diff(path, prepend=path[0])
    sampled = path + estimator.extrapolation * (1.0 - eta) / eta * move
    shift, spread = -np.diff(gradient(path), prepend=gradient(path[:1])), np.zeros(iterations + 1)
    if estimator.corrected:
        found, s, k = path_moments(iterations), estimator.score_factor, estimator.curvature_factor
        first = s * found.score + k * found.curvature
        square = s * s * found.score_score + 2.0 * s * k * found.score_curvature + k * k * found.curvature_curvature
        shift, spread = shift + move * first, move**2 * (square - first**2)
    fresh = eta * (gradient(sampled) - gradient(path))
    keep = 1.0 - eta
    mean, variance = np.zeros(iterations + 1), np.empty(iterations + 1)
    variance[0] = noise(path[:1])[0]
    added, noises = keep * shift + fresh, keep**2 * spread + eta**2 * noise(sampled)
    for t in range(1, iterations + 1):
        mean[t] = keep[t] * mean[t - 1] + added[t]
        variance[t] = keep[t] ** 2 * variance[t - 1] + noises[t]
    return mean, variance


CONSTANTS: Mapping[str, float] = {
    "sigma_g": float(theory.CAUCHY_NOISE) ** 0.5,
    "B_2": float(theory.CAUCHY_HESSIAN_MOMENT),
    "L_g": float(theory.CAUCHY_SMOOTHNESS),
    "L_h": float(theory.CAUCHY_HESSIAN_LIPSCHITZ),
    "scale": 1.0,
}
"""Of the Cauchy bandit, for steps of length 2 / (t + 2)."""

CLAIMS = {claim.id.split(".")[1]: claim for claim in theory.CLAIMS}


def checkpoints(iterations: int, count: int = 60) -> IntArray:
    """Return log-spaced iterations."""
    return np.unique(np.geomspace(1, iterations, count).astype(np.int64))


def bounds_of(name: str, at: IntArray) -> FloatArray:
    """Return the bound of the root mean squared error of a claim at iterations."""
    bound = CLAIMS[name].explicit_bound
    values = np.array([bound.evaluate(**CONSTANTS, t=int(t)) for t in at])
    return np.sqrt(values) if name == "n_harpg_error" else values


def path_error(iterations: int, *, name: str, estimator: Estimator, scale: float = 1.0) -> Iterator[Comparison]:
    """Root mean squared error along the path against the bound, at log-spaced iterations."""
    mean, variance = open_loop(estimator, iterations)
    at = checkpoints(iterations)
    rms = np.sqrt(mean**2 + variance)[at]
    for t, left, right in zip(at, rms, scale * bounds_of(name, at), strict=True):
        yield Comparison(float(left), float(right), where=f"t={t}")


def changed(base: Estimator, name: str, why: str, **fields: Any) -> Mutant:
    """Return a mutant of an estimator."""
    return Mutant(name, why, {"estimator": Estimator(**{**vars(base), **fields})})


def path_checks(
    name: str, estimator: Estimator, *mutants: Mutant, figure: Callable[[Tier], Json] | None = None
) -> tuple[Check, Check]:
    """Return the checks of the error of one estimator along a short and a long path."""
    statement = partial(path_error, name=name, estimator=estimator)
    short, long = ({f"T={count}": partial(int, count)} for count in (10_000, 100_000))
    return (
        Check(f"n_harpg.{name}", Search(corners=short), statement, mutants, name="path", figure=figure),
        Check(f"n_harpg.{name}", Search(corners=long), statement, mutants, name="long path", tier=Tier.FULL),
    )


PATH_MUTANTS = (
    changed(HARPG, "dropped", "no correction", score_factor=0.0, curvature_factor=0.0),
    changed(HARPG, "no_score", "the score term is dropped", score_factor=0.0),
    changed(HARPG, "score_sign", "the score term is subtracted, as in public code", score_factor=-1.0),
    changed(HARPG, "sign", "the whole correction is subtracted", score_factor=-1.0, curvature_factor=-1.0),
)


def path_figure(tier: Tier) -> Json:
    """Return the errors along the path: the methods with their bounds, and two mistakes in the correction."""
    iterations = 100_000 if tier != Tier.QUICK else 10_000
    at = checkpoints(iterations, 60)
    mistakes = {m.name: m.changes["estimator"] for m in PATH_MUTANTS}
    lines = (
        ("N-PG-M", MOMENTUM, "momentum_error", -1.0 / 3.0),
        ("N-PG-IGT", IGT, "igt_error", -2.0 / 5.0),
        ("N-HARPG", HARPG, "n_harpg_error", -1.0 / 2.0),
        ("N-HARPG, no correction", mistakes["dropped"], None, None),
        ("N-HARPG, score term dropped", mistakes["no_score"], None, None),
        ("N-HARPG, score term subtracted", mistakes["score_sign"], None, None),
    )
    curves = []
    for label, estimator, name, claimed in lines:
        mean, variance = open_loop(estimator, iterations)
        curve: dict[str, Json] = {"label": label, "x": at, "y": np.sqrt(mean**2 + variance)[at], "muted": name is None}
        if name is not None:
            curve |= {"bound": bounds_of(name, at), "claimed": claimed}
        curves.append(curve)
    return {
        "kind": "curves",
        "title": "Error of the direction along a prescribed path",
        "xlabel": "iteration t",
        "ylabel": "root mean squared error",
        "xscale": "log",
        "yscale": "log",
        "caption": "Cauchy bandit, steps of length 2 cos(2 log(t + 2)) / (t + 2); computed without sampling.",
        "curves": curves,
    }


EXACT_CHECKS = (
    Check(
        "n_harpg.error_martingale",
        Exact(STEP_CASES, per_unit=1),
        error_martingale,
        (
            Mutant("end", "q = 1: the product is taken at theta_t", {"rule": "end"}),
            Mutant("midpoint", "q = 1/2", {"rule": "midpoint"}),
            Mutant("dropped", "no correction", {"score_term": 0, "curvature": 0}),
            Mutant("no_score", "the score term is dropped", {"score_term": 0}),
            Mutant("score_sign", "the score term is subtracted, as in public code", {"score_term": -1}),
            Mutant("sign", "the whole correction is subtracted", {"score_term": -1, "curvature": -1}),
            Mutant("sampled_at_end", "a trajectory of theta_t, scored in between", {"sampled": "end"}),
            Mutant("restart", "gamma^(h-t) in the place of gamma^h", {"restart": True}),
        ),
    ),
    Check(
        "n_harpg.midpoint",
        Exact({"two states": lambda: gradients.two_state_case, "shared": lambda: shared_parameters}),
        midpoint,
        (
            Mutant("four_stages", "four stages", {"horizon": 4}),
            Mutant("end", "the end point", {"rule": "end"}),
        ),
    ),
    Check(
        "n_harpg.error_identity",
        Exact(
            {"two states, H=2": partial(gradients.two_state_case, 2), "shared, H=2": partial(shared_parameters, 2)},
            per_unit=1,
        ),
        error_identity,
        (
            Mutant("shared", "one trajectory for both estimates", {"shared": True}),
            Mutant("not_squared", "1 - eta instead of its square", {"squared": False}),
            Mutant("no_noise", "without the variance of g", {"noise": False}),
            Mutant("zero_start", "d_{-1} = 0 and eta_0 = 1/2 in the place of one", {"start": 2}),
        ),
    ),
)

CHECKS = (
    *EXACT_CHECKS,
    *path_checks("n_harpg_error", HARPG, *PATH_MUTANTS, figure=path_figure),
    *path_checks(
        "igt_error",
        IGT,
        changed(IGT, "no_extrapolation", "the trajectory is sampled at theta_t", extrapolation=0.0),
        Mutant("constant", "0.4 times the bound", {"scale": 0.4}),
    ),
    *path_checks(
        "momentum_error",
        MOMENTUM,
        changed(MOMENTUM, "slow", "weights (2 / (t + 2))^(9/10): the direction lags behind", power=0.9),
        Mutant("constant", "0.4 times the bound", {"scale": 0.4}),
    ),
)
