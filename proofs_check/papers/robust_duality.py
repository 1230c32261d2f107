r"""Checks of the duality of worst-case expectations: cone programmes, exact primal and dual points, and search.

The adversary's problem is written down three times, independently of the closed forms of `solvers.robust_planning`: as
a cone programme in rational data (certified by `Convex`), as exact points in fractions, and through properties that
every backup must have. Mutants are the usual slips: a missing shift by the least value, the 1-norm for half of it,
mass on states without any, a minimum for a maximum, a law tilted the wrong way.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy as sp

from mdps.validation import FloatArray
from proofs_check.engine import Check, Control, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.convex import Cones, ConicProgram, Convex, Optimum
from proofs_check.methods.exact import Exact
from proofs_check.methods.interval import Inequality, Interval, Slope
from proofs_check.methods.symbolic import Identity, Symbolic
from solvers.robust_planning import FactorSet, backup
from theory.symbols import beta, rho, sigma

Row = dict[int, Any]
Formula = Callable[[FloatArray, FloatArray, float], float]


@dataclass(frozen=True)
class Pair:
    """A nominal law, values, a radius and a penalty, all rational."""

    law: tuple[Fraction, ...]
    values: tuple[Fraction, ...]
    radius: Fraction
    penalty: Fraction

    def level(self, kind: FactorSet) -> Fraction:
        """Return the radius or the penalty."""
        return self.radius if kind.constrained else self.penalty


def pair(law: str, values: str, radius: str, penalty: str) -> Pair:
    """Read a pair from numbers separated by blanks; the law is normalised."""
    weights = [Fraction(word) for word in law.split()]
    numbers = tuple(Fraction(word) for word in values.split())
    return Pair(tuple(w / sum(weights) for w in weights), numbers, Fraction(radius), Fraction(penalty))


PAIRS: Mapping[str, Pair] = {
    "two states": pair("1 1", "1 2", "1/4", "1/5"),
    "truncated": pair("3 3 4", "1/2 1 2", "1", "1/10"),
    "zero mass at the least value": pair("0 1 2", "0 1 3", "1/4", "2"),
    "ties": pair("1 2 3 2 2", "1 0 1 0 3", "1/10", "1/2"),
    "rare least value": pair("1 50 49", "0 1 2", "1/5", "1/3"),
}
"""Small enough for every certificate; each mutant is killed on one of them."""

MORE_PAIRS: Mapping[str, Pair] = {
    **PAIRS,
    "six states": pair("3 1 4 1 5 9", "2 7 1 8 3 5/2", "1/3", "3"),
    "likely least value": pair("90 5 5", "-1 1 2", "1/20", "1/7"),
    "zero mass inside": pair("2 0 3 0 1", "-2 5 1 -3 4", "1/2", "1"),
}

BOUNDARY: Mapping[str, Pair] = {
    "no radius": pair("1 2 3", "3 1 2", "0", "1"),
    "all mass": pair("1 2 3", "3 1 2", "1", "1"),
    "exactly the mass above": pair("3 1 1", "0 2 1", "2/5", "1"),
    "constant values": pair("1 2 3", "1 1 1", "1/4", "1"),
}
"""Further pairs for total variation, whose programmes are linear: no interior is needed."""


def arrays(case: Pair) -> tuple[FloatArray, FloatArray]:
    """Return law and values in floating point."""
    return np.array([float(p) for p in case.law]), np.array([float(v) for v in case.values])


# ------------------------------------------------------------------------------------------------- cone programmes


@dataclass
class Builder:
    """Rows of ``b - A x`` in cones, for variables q (the law) and s (one a state)."""

    zero: list[tuple[Row, Fraction]]
    nonneg: list[tuple[Row, Fraction]]
    blocks: list[tuple[Row, Fraction]]

    def program(self, objective: Sequence[Any], constant: Any, soc: int = 0, exp: int = 0) -> ConicProgram:
        """Put the rows together: ``soc`` blocks of three rows, or ``exp`` ones."""
        lines = [*self.zero, *self.nonneg, *self.blocks]
        n = len(objective)
        table = [[row.get(j, 0) for j in range(n)] for row, _ in lines]
        cones = Cones(len(self.zero), len(self.nonneg), (3,) * soc, (), exp)
        return ConicProgram.of(objective, table, [b for _, b in lines], cones, constant=constant)


def program(kind: FactorSet, case: Pair) -> ConicProgram:
    """Return the adversary's programme: the law q and, per state, an upper bound s of its share of the divergence."""
    return _variation_program(kind, case) if kind.divergence == "tv" else _density_program(kind, case)


def _variation_program(kind: FactorSet, case: Pair) -> ConicProgram:
    """Half of the sum of s >= |q - p| is the total variation."""
    n, half = len(case.law), Fraction(1, 2)
    one = Fraction(1)
    build = Builder([(dict.fromkeys(range(n), one), one)], [], [])
    for j, p in enumerate(case.law):
        build.nonneg += [({j: one, n + j: -one}, p), ({j: -one, n + j: -one}, -p), ({j: -one}, Fraction(0))]
    if kind.constrained:
        build.nonneg.append(({n + j: half for j in range(n)}, case.radius))
    price = Fraction(0) if kind.constrained else case.penalty * half
    return build.program([*case.values, *[price] * n], 0)


def _density_program(kind: FactorSet, case: Pair) -> ConicProgram:
    """On the support of p: s >= q log(q / p) as an exponential cone, s >= q^2 / p as a second-order cone."""
    kept = [(p, v) for p, v in zip(case.law, case.values, strict=True) if p > 0]
    n, one, nothing = len(kept), Fraction(1), Fraction(0)
    build = Builder([(dict.fromkeys(range(n), one), one)], [({j: -one}, nothing) for j in range(n)], [])
    offset = nothing if kind.divergence == "kl" else one
    if kind.constrained:
        build.nonneg.append(({n + j: one for j in range(n)}, case.radius + offset))
    for j, (p, _) in enumerate(kept):
        if kind.divergence == "kl":
            build.blocks += [({n + j: one}, nothing), ({j: -one}, nothing), ({}, p)]
        else:
            build.blocks += [({n + j: -one}, p), ({n + j: -one}, -p), ({j: Fraction(-2)}, nothing)]
    price = nothing if kind.constrained else case.penalty
    objective = [*(v for _, v in kept), *[price] * n]
    counts = {"exp": n} if kind.divergence == "kl" else {"soc": n}
    return build.program(objective, -price * offset, **counts)


def cvxpy_problem(kind: FactorSet, case: Pair) -> Any:
    """Return the adversary's problem as it would be written by hand, on the support of p where that is demanded."""
    import cvxpy

    law, values = arrays(case)
    kept = (law > 0.0) if kind.absolutely_continuous else np.ones(len(law), dtype=bool)
    p, v, q = law[kept], values[kept], cvxpy.Variable(int(kept.sum()))
    distance = {
        "tv": lambda: 0.5 * cvxpy.norm1(q - p),
        "kl": lambda: cvxpy.sum(cvxpy.rel_entr(q, p)),
        "chi2": lambda: cvxpy.sum(cvxpy.multiply(1.0 / p, cvxpy.square(q - p))),
    }[kind.divergence]()
    simplex = [q >= 0, cvxpy.sum(q) == 1]
    level = float(case.level(kind))
    if kind.constrained:
        return cvxpy.Problem(cvxpy.Minimize(v @ q), [*simplex, distance <= level])
    return cvxpy.Problem(cvxpy.Minimize(v @ q + level * distance), simplex)


# --------------------------------------------------------------------------------------------------- wrong closed forms


def _threshold_maximum(
    p: FloatArray, v: FloatArray, objective: Callable[[float], float], *, best: Callable[..., float] = max
) -> float:
    return float(best(objective(alpha) for alpha in np.linspace(0.0, v.max(), 401)))


def clipped_moments(p: FloatArray, v: FloatArray, alpha: float) -> tuple[float, float]:
    """Return mean and variance of min(v, alpha)."""
    clipped = np.minimum(v, alpha)
    mean = float(p @ clipped)
    return mean, float(p @ (clipped - mean) ** 2)


def unshifted_tv_dual(p: FloatArray, v: FloatArray, rho: float) -> float:
    """Return max E min(v, alpha) - rho alpha over alpha >= 0: right if the least value is zero."""
    return max(float(p @ np.minimum(v, alpha)) - rho * float(alpha) for alpha in (0.0, *v))


def _from_below(p: FloatArray, v: FloatArray, rho: float) -> float:
    order, rest, law = np.argsort(v), rho, p.copy()
    for j in order[1:]:
        moved = min(law[j], rest)
        law[j] -= moved
        law[order[0]] += moved
        rest -= moved
    return float(law @ v)


def _on_support(kind: str, p: FloatArray, v: FloatArray, level: float) -> float:
    return float(backup(kind, p[p > 0.0], v[p > 0.0], level))


def _scaled(kind: str, factor: float, p: FloatArray, v: FloatArray, level: float) -> float:
    return float(backup(kind, p, v, factor * level))


def _least(p: FloatArray, v: FloatArray, level: float) -> float:
    del level
    return float(v.min()) if (p[v == v.min()] == 0.0).all() else float("nan")


def _quadratic(scale: float, p: FloatArray, v: FloatArray, sigma: float) -> float:
    mean, variance = clipped_moments(p, v, np.inf)
    return mean - variance / (scale * sigma)


def _deviation(scale: float, p: FloatArray, v: FloatArray, rho: float) -> float:
    mean, variance = clipped_moments(p, v, np.inf)
    return mean - float(np.sqrt(scale * rho * variance))


def _risk_seeking(p: FloatArray, v: FloatArray, sigma: float) -> float:
    return float(v.max() + sigma * np.log(p @ np.exp((v - v.max()) / sigma)))


def _minimised(p: FloatArray, v: FloatArray, sigma: float) -> float:
    def objective(alpha: float) -> float:
        mean, variance = clipped_moments(p, v, alpha)
        return mean - variance / (4.0 * sigma)

    return _threshold_maximum(p, v, objective, best=min)


WRONG: Mapping[str, Formula] = {
    "tvunshifted_tv_dual": unshifted_tv_dual,
    "tv_from_below": _from_below,
    "tv_support": partial(_on_support, "tv_constrained"),
    "tv_one_norm": partial(_scaled, "tv_constrained", 0.5),
    "tv_double": partial(_scaled, "tv_constrained", 2.0),
    "tv_penaltyunshifted_tv_dual": lambda p, v, sigma: float(p @ np.minimum(v, sigma)),
    "tv_penalty_support": partial(_on_support, "tv_regularised"),
    "tv_penalty_one_norm": partial(_scaled, "tv_regularised", 2.0),
    "kl_deviation": partial(_deviation, 2.0),
    "kl_half": partial(_scaled, "kl_constrained", 0.5),
    "any_state": _least,
    "kl_quadratic": partial(_quadratic, 2.0),
    "kl_risk_seeking": _risk_seeking,
    "chi2_untruncated": partial(_deviation, 1.0),
    "chi2_half": partial(_scaled, "chi2_constrained", 0.5),
    "chi2_minimum": _minimised,
    "chi2_quadratic": partial(_quadratic, 4.0),
    "chi2_penalty_half": partial(_scaled, "chi2_regularised", 0.5),
}
"""False closed forms by name; each differs from the true one on one of `PAIRS`."""


def duality(case: Pair, *, kind: FactorSet, tolerance: Any, formula: str = "", modelled: bool = False) -> Optimum:
    """The value of the adversary's programme against the closed form (or a false one)."""
    law, values = arrays(case)
    level = float(case.level(kind))
    value = WRONG[formula](law, values, level) if formula else float(backup(kind, law, values, level))
    if not np.isfinite(value):  # the slip makes no difference on this instance
        value = float(backup(kind, law, values, level))
    problem = cvxpy_problem(kind, case) if modelled else program(kind, case)
    return Optimum(problem, value, tolerance)


SLIPS: Mapping[FactorSet, Mapping[str, str]] = {
    FactorSet.TV_CONSTRAINED: {
        "tvunshifted_tv_dual": "rho alpha instead of rho (alpha - least value)",
        "tv_one_norm": "the 1-norm instead of half of it",
        "tv_double": "the radius counted twice",
        "tv_support": "the adversary is kept on the support",
        "tv_from_below": "mass is taken from the small values first",
    },
    FactorSet.TV_REGULARISED: {
        "tv_penaltyunshifted_tv_dual": "values are clipped at sigma instead of the least value plus sigma",
        "tv_penalty_one_norm": "the 1-norm instead of half of it",
        "tv_penalty_support": "the adversary is kept on the support",
    },
    FactorSet.KL_CONSTRAINED: {
        "kl_deviation": "the first term in the root of rho for all of it",
        "kl_half": "half of the radius",
        "any_state": "the adversary may leave the support",
    },
    FactorSet.KL_REGULARISED: {
        "kl_risk_seeking": "sigma log E exp(v / sigma): the sign of sigma",
        "kl_quadratic": "the first term in 1 / sigma for all of it",
        "any_state": "the adversary may leave the support",
    },
    FactorSet.CHI2_CONSTRAINED: {
        "chi2_untruncated": "mean less root of rho times variance, as if densities could be negative",
        "chi2_half": "half of the radius",
        "any_state": "the adversary may leave the support",
    },
    FactorSet.CHI2_REGULARISED: {
        "chi2_minimum": "the minimum over thresholds from 0, as in public code",
        "chi2_quadratic": "mean less variance / (4 sigma), as if densities could be negative",
        "chi2_penalty_half": "half of the penalty",
    },
}

EXACT_TOLERANCE = Fraction(1, 10**12)
CONE_TOLERANCE = Fraction(1, 10**8)
MODEL_TOLERANCE = Fraction(1, 10**7)
"""For data in floating point: a law that sums to one up to rounding moves the optimum as well."""


def duality_checks(kind: FactorSet) -> Iterator[Check]:
    """Yield the check in rational data, and for the full tier that of the problem as modelled in CVXPY."""
    linear = kind.divergence == "tv"
    pairs = {**MORE_PAIRS, **BOUNDARY} if linear else MORE_PAIRS
    quick = {**PAIRS, **BOUNDARY} if linear else PAIRS
    slips = SLIPS[kind].items()
    mutants = tuple(Mutant(name, why, {"formula": name}) for name, why in slips)
    tolerance = EXACT_TOLERANCE if linear else CONE_TOLERANCE
    statement = partial(duality, kind=kind, tolerance=tolerance)
    yield Check(f"robust_duality.{kind}", Convex(Sizes(quick, pairs)), statement, mutants)
    modelled = partial(duality, kind=kind, tolerance=MODEL_TOLERANCE, modelled=True)
    yield Check(f"robust_duality.{kind}", Convex(MORE_PAIRS), modelled, mutants, name="modelled", tier=Tier.FULL)


# ----------------------------------------------------------------------------------------- primal and dual in fractions

Law = Sequence[Fraction]


def mean(law: Law, values: Sequence[Fraction]) -> Fraction:
    """Return E_p v exactly."""
    return sum((p * v for p, v in zip(law, values, strict=True)), Fraction(0))


def strip(case: Pair, *, target: str = "least", ascending: bool = False) -> list[Fraction]:
    """Return the law with the mass rho moved from the largest values to the first least (or another) state."""
    order = sorted(range(len(case.law)), key=lambda j: case.values[j])
    goal = order[0] if target == "least" else order[len(order) // 2]
    law, rest = list(case.law), case.radius
    for j in order[1:] if ascending else reversed(order[1:]):
        moved = min(law[j], rest)
        law[j] -= moved
        law[goal] += moved
        rest -= moved
    return law


def clip(case: Pair, *, factor: Fraction = Fraction(1)) -> list[Fraction]:
    """Return the law with all mass above the least value plus sigma moved to the first least state."""
    least = min(case.values)
    goal = case.values.index(least)
    law = [p if v <= least + factor * case.penalty else Fraction(0) for p, v in zip(case.law, case.values, strict=True)]
    law[goal] += 1 - sum(law)
    return law


def truncate(case: Pair, *, scale: int = 2) -> tuple[list[Fraction], Fraction]:
    """Return p (eta - v)_+ / (2 sigma) and its threshold eta, at which it has mass one."""
    support = sorted((v, p) for p, v in zip(case.law, case.values, strict=True) if p > 0)
    mass, first, eta = Fraction(0), Fraction(0), Fraction(0)
    for k, (v, p) in enumerate(support):
        mass, first = mass + p, first + p * v
        eta = (scale * case.penalty + first) / mass
        if k + 1 == len(support) or eta <= support[k + 1][0]:
            break
    law = [p * max(eta - v, Fraction(0)) / (2 * case.penalty) for p, v in zip(case.law, case.values, strict=True)]
    return law, eta


def chi2(law: Law, nominal: Law) -> Fraction:
    """Return sum (q - p)^2 / p on the support of p."""
    return sum(((q - p) ** 2 / p for q, p in zip(law, nominal, strict=True) if p > 0), Fraction(0))


def variation(law: Law, nominal: Law) -> Fraction:
    """Return half of the 1-norm."""
    return sum((abs(q - p) for q, p in zip(law, nominal, strict=True)), Fraction(0)) / 2


def tv_dual(case: Pair, alpha: Fraction) -> Fraction:
    """Return E_p min(v, alpha) - rho (alpha - least value)."""
    return mean(case.law, [min(v, alpha) for v in case.values]) - case.radius * (alpha - min(case.values))


def _law_comparisons(law: Law, where: str) -> Iterator[Comparison]:
    yield Comparison(sum(law, Fraction(0)), Fraction(1), "==", where=f"{where}: mass")
    yield Comparison(Fraction(0), min(law), where=f"{where}: sign")


def _computed(kind: FactorSet, case: Pair) -> Fraction:
    """Return the solver's value as the fraction that it is."""
    return Fraction(float(backup(kind, *arrays(case), float(case.level(kind)))))


def rational_worst_law(
    case: Pair, *, target: str = "least", ascending: bool = False, factor: Fraction = Fraction(1), scale: int = 2
) -> Iterator[Comparison]:
    """Value of the stated law against the dual, and the solver's value against both."""
    law = strip(case, target=target, ascending=ascending)
    yield from _law_comparisons(law, "ball")
    yield Comparison(variation(law, case.law), case.radius, where="ball: radius")
    dual = max(tv_dual(case, alpha) for alpha in case.values)
    yield Comparison(mean(law, case.values), dual, "==", where="ball: value")
    yield Comparison(abs(_computed(FactorSet.TV_CONSTRAINED, case) - dual), EXACT_TOLERANCE, where="ball: solver")
    law = clip(case, factor=factor)
    value = mean(law, case.values) + case.penalty * variation(law, case.law)
    dual = mean(case.law, [min(v, min(case.values) + case.penalty) for v in case.values])
    yield Comparison(value, dual, "==", where="penalty: value")
    yield Comparison(abs(_computed(FactorSet.TV_REGULARISED, case) - dual), EXACT_TOLERANCE, where="penalty: solver")
    law, eta = truncate(case, scale=scale)
    yield from _law_comparisons(law, "chi2")
    value = mean(law, case.values) + case.penalty * chi2(law, case.law)
    second = mean(case.law, [max(eta - v, Fraction(0)) ** 2 for v in case.values])
    dual = eta - case.penalty - second / (4 * case.penalty)
    yield Comparison(value, dual, "==", where="chi2: value")
    yield Comparison(abs(_computed(FactorSet.CHI2_REGULARISED, case) - dual), EXACT_TOLERANCE, where="chi2: solver")


# A fail state


@dataclass(frozen=True)
class FailCase:
    """Two value vectors that are nonnegative and zero at state 0, where the nominal law may have mass."""

    pair: Pair
    other: tuple[Fraction, ...]


def fail_case(law: str, values: str, other: str, radius: str) -> FailCase:
    """Read a case; the first state is the fail state."""
    return FailCase(pair(law, values, radius, "1"), tuple(Fraction(word) for word in other.split()))


FAIL_CASES: Mapping[str, FailCase] = {
    "no leak": fail_case("0 1 1", "0 1 2", "0 0 1", "1/4"),
    "leak": fail_case("1 4 2 3", "0 2 1 3", "0 1 3 2", "1/3"),
    "radius cuts an atom": fail_case("1 2 3 4", "0 3 2 1", "0 3 2 3", "1/5"),
    "radius one": fail_case("1 1", "0 1", "0 2", "1"),
    "no radius": fail_case("0 3 4", "0 1 3", "0 2 4", "0"),
    "ties": fail_case("1 2 2 1", "0 1 1 1", "0 2 2 2", "1/6"),
}


def lower_tail(law: Law, values: Sequence[Fraction], level: Fraction, *, upper: bool = False) -> Fraction:
    """Return the integral of the quantile function over [0, level] (or over the uppermost levels)."""
    total, rest = Fraction(0), level
    for v, p in sorted(zip(values, law, strict=True), reverse=upper):
        total += min(p, rest) * v
        rest -= min(p, rest)
    return total


def cvar(
    case: FailCase, *, level: str = "1 - rho", factor: bool = True, upper: bool = False, fail_value: int = 0
) -> Iterator[Comparison]:
    """Primal and simplified dual of the ball against the lower tail."""
    base, rho = case.pair, case.pair.radius
    lifted = tuple(v + fail_value for v in base.values)
    shifted = Pair(base.law, lifted, rho, base.penalty)
    tail = lower_tail(base.law, lifted, 1 - rho if level == "1 - rho" else rho, upper=upper)
    if not factor:
        tail = tail / (1 - rho) if rho < 1 else tail
    yield Comparison(mean(strip(shifted), lifted), tail, "==", where="primal")
    thresholds = [Fraction(0), *lifted]
    dual = max(mean(base.law, [min(v, a) for v in lifted]) - rho * a for a in thresholds)
    yield Comparison(dual, tail, "==", where="dual")


def fail_state(case: FailCase, *, modulus: Fraction = Fraction(1), fail_value: int = 0) -> Comparison:
    """Difference of the two backups against (1 - rho) times the distance of the values."""
    base, rho = case.pair, case.pair.radius
    left = tuple(v + fail_value for v in base.values)
    first = Pair(base.law, left, rho, base.penalty)
    second = Pair(base.law, case.other, rho, base.penalty)
    gap = abs(mean(strip(first), left) - mean(strip(second), case.other))
    distance = max(abs(v - w) for v, w in zip(left, case.other, strict=True))
    return Comparison(gap, modulus * (1 - rho) * distance)


# The estimated dual of total variation


@dataclass(frozen=True)
class RidgeData:
    """Features ``[sample][i]``, values of the next states, and the factor that is estimated; the ridge is 1."""

    features: tuple[tuple[Fraction, ...], ...]
    values: tuple[Fraction, ...]
    factor: int
    radius: Fraction


RIDGE_DATA: Mapping[str, RidgeData] = {
    "two samples": RidgeData(
        ((Fraction(1), Fraction(0)), (Fraction(1, 2), Fraction(1, 2))), (Fraction(1), Fraction(2)), 1, Fraction(3, 10)
    ),
    "three samples": RidgeData(
        ((Fraction(2, 3), Fraction(1, 3)), (Fraction(1), Fraction(0)), (Fraction(1, 4), Fraction(3, 4))),
        (Fraction(1, 2), Fraction(3, 2), Fraction(3)),
        1,
        Fraction(1, 3),
    ),
}


def ridge_weights(data: RidgeData) -> list[Fraction]:
    """Return e_i' (I + Phi' Phi)^-1 Phi' for two factors."""
    gram = [[sum((f[i] * f[j] for f in data.features), Fraction(i == j)) for j in range(2)] for i in range(2)]
    determinant = gram[0][0] * gram[1][1] - gram[0][1] * gram[1][0]
    i, j = data.factor, 1 - data.factor
    row = {i: gram[j][j] / determinant, j: -gram[i][j] / determinant}
    return [row[0] * f[0] + row[1] * f[1] for f in data.features]


def empirical_tv_dual(data: RidgeData, *, weights: str = "ridge") -> Iterator[Comparison]:
    """Concavity at every triple of neighbouring breakpoints, 0 among them."""
    count = len(data.features)
    masses = ridge_weights(data) if weights == "ridge" else [Fraction(1, count)] * count
    points = sorted({Fraction(0), *data.values})
    heights = [mean(masses, [min(v, a) for v in data.values]) - data.radius * a for a in points]
    for k in range(1, len(points) - 1):
        a, b, c = points[k - 1 : k + 2]
        chord = ((c - b) * heights[k - 1] + (b - a) * heights[k + 1]) / (c - a)
        yield Comparison(chord, heights[k], where=f"breakpoint {k}")


# ----------------------------------------------------------------------------------------------- identities and scalars

weights = sp.symbols("a1:4", positive=True)
others = sp.symbols("b1:4", positive=True)
v1, v2, v3 = sp.symbols("v1:4", real=True)
below1, below2, above3 = sp.symbols("x1 x2 u3", nonnegative=True)
threshold = sp.Symbol("threshold", real=True)
t, r = sp.symbols("t r", real=True)

NOMINAL = [a / sum(weights) for a in weights]
ADVERSARY = [b / sum(others) for b in others]


def gibbs(*, reverse: bool = False, sign: int = 1) -> Identity:
    """What q loses against the tilted law, for three states."""
    values = (v1, v2, v3)
    partition = sum(p * sp.exp(-v / sigma) for p, v in zip(NOMINAL, values, strict=True))
    tilted = [sp.log(p) - sign * v / sigma - sp.log(partition) for p, v in zip(NOMINAL, values, strict=True)]
    left = sum(
        q * (v + sigma * (sp.log(q) - sp.log(p))) for q, p, v in zip(ADVERSARY, NOMINAL, values, strict=True)
    ) + sigma * sp.log(partition)
    if reverse:
        loss = sum(sp.exp(w) * (w - sp.log(q)) for q, w in zip(ADVERSARY, tilted, strict=True))
    else:
        loss = sum(q * (sp.log(q) - w) for q, w in zip(ADVERSARY, tilted, strict=True))
    return Identity(left, sigma * loss)


def chi2_completion(*, quarter: int = 4, slack: bool = True) -> Identity:
    """What q loses against the truncated law, for two states below the threshold and one above."""
    p, q = NOMINAL, ADVERSARY
    values = (threshold - below1, threshold - below2, threshold + above3)
    truncated = (p[0] * below1 / (2 * sigma), p[1] * below2 / (2 * sigma), sp.Integer(0))
    distance = sum((x - y) ** 2 / y for x, y in zip(q, p, strict=True))
    dual = threshold - sigma - (p[0] * below1**2 + p[1] * below2**2) / (quarter * sigma)
    left = sum(x * v for x, v in zip(q, values, strict=True)) + sigma * distance - dual
    loss = sigma * sum((x - z) ** 2 / y for x, z, y in zip(q, truncated, p, strict=True))
    return Identity(left, loss + (q[2] * above3 if slack else 0))


def kl_dual_concave(*, power: int = 3, second_moment: bool = False) -> Identity:
    """Second derivative of the dual of a KL ball, for three states."""
    values = (v1, v2, v3)
    shares = [p * sp.exp(-v / beta) for p, v in zip(NOMINAL, values, strict=True)]
    total = sum(shares)
    dual = -beta * sp.log(total) - beta * rho
    first = sum(s * v for s, v in zip(shares, values, strict=True)) / total
    second = sum(s * v**2 for s, v in zip(shares, values, strict=True)) / total
    variance = second if second_moment else second - first**2
    return Identity(sp.diff(dual, beta, 2), -variance / beta**power)


def chi2_ratio(*, factor: int = 2, power: int = 3) -> Identity:
    """Derivative of G_2 / G_1^2 in the threshold, for three states below it."""
    gaps = (below1, below2, above3)
    shift = sp.Symbol("h", positive=True)
    one = sum(p * (gap + shift) for p, gap in zip(NOMINAL, gaps, strict=True))
    two = sum(p * (gap + shift) ** 2 for p, gap in zip(NOMINAL, gaps, strict=True))
    pairs = sum(NOMINAL[s] * NOMINAL[k] * (gaps[s] - gaps[k]) ** 2 for k in range(3) for s in range(k))
    return Identity(sp.diff(two / one**2, shift), -factor * pairs / one**power)


def clipped_logarithm(*, amplified: bool = True) -> Inequality:
    """With x = (1 + r) exp(-b) and y = (1 + t) x the claim reads log(1 + t) <= (1 + r) t.

    Without the factor exp(b) the right side is exp(-b) times that; b = 1.
    """
    factor = 1 if amplified else sp.exp(-1)
    return Inequality(
        sp.Le(sp.log(1 + t), (1 + r) * factor * t, evaluate=False), ((t, 0, sp.oo), (r, 0, sp.oo)), (Slope(t, 0),)
    )


# -------------------------------------------------------------------------------------------------------------- checks


def _check(statement: Callable[..., Any], method: Any, *mutants: Mutant, name: str = "") -> Check:
    return Check(f"robust_duality.{name or statement.__name__}", method, statement, mutants)


def _instances(cases: Mapping[str, Any]) -> dict[str, Callable[[], Any]]:
    return {name: partial(_given, case) for name, case in cases.items()}


def _given(case: Any) -> Any:
    return case


CHECKS = (
    *(check for kind in FactorSet for check in duality_checks(kind)),
    _check(
        rational_worst_law,
        Exact(_instances({**MORE_PAIRS, **BOUNDARY}), per_unit=20),
        Mutant("another_target", "the mass is moved to a middle value", {"target": "middle"}),
        Mutant("sort_order", "the mass is taken from the small values first", {"ascending": True}),
        Mutant("half_the_penalty", "values are clipped at half of the penalty", {"factor": Fraction(1, 2)}),
        Mutant("threshold", "sigma in the place of 2 sigma", {"scale": 1}),
    ),
    _check(
        cvar,
        Exact(_instances(FAIL_CASES), per_unit=20),
        Mutant("level_rho", "the tail of level rho", {"level": "rho"}),
        Mutant("no_discount", "the CVaR itself, without 1 - rho", {"factor": False}),
        Mutant("upper_tail", "the largest values", {"upper": True}),
        Mutant("no_fail_state", "all values are raised by one", {"fail_value": 1}),
    ),
    _check(
        fail_state,
        Exact(_instances(FAIL_CASES), per_unit=20),
        Mutant("smaller_modulus", "99/100 (1 - rho)", {"modulus": Fraction(99, 100)}),
        Mutant("no_fail_state", "one of the vectors is raised by one", {"fail_value": 1}),
    ),
    _check(
        empirical_tv_dual,
        Exact(_instances(RIDGE_DATA), per_unit=20),
        Control("nonnegative_weights", "frequencies in the place of the ridge weights", {"weights": "frequencies"}),
        name="empirical_tv_dual_concave",
    ),
    _check(
        gibbs,
        Symbolic(),
        Mutant("reverse", "the divergence the other way round", {"reverse": True}),
        Mutant("sign", "tilted towards large values", {"sign": -1}),
    ),
    _check(
        chi2_completion,
        Symbolic(),
        Mutant("half", "2 sigma in the place of 4 sigma", {"quarter": 2}),
        Mutant("no_slack", "the mass above the threshold costs nothing", {"slack": False}),
    ),
    _check(
        kl_dual_concave,
        Symbolic(),
        Mutant("power", "beta squared", {"power": 2}),
        Mutant("second_moment", "the second moment in the place of the variance", {"second_moment": True}),
    ),
    _check(
        chi2_ratio,
        Symbolic(),
        Mutant("factor", "one in the place of two", {"factor": 1}),
        Mutant("power", "the square in the place of the cube", {"power": 2}),
    ),
    _check(clipped_logarithm, Interval(), Mutant("not_amplified", "without exp(b / sigma)", {"amplified": False})),
)
