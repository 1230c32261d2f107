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
from proofs_check.methods.search import Search
from proofs_check.methods.symbolic import Identity, Symbolic
from solvers.robust_planning import FactorSet, backup, divergence, worst_laws

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


def _clipped_moments(p: FloatArray, v: FloatArray, alpha: float) -> tuple[float, float]:
    clipped = np.minimum(v, alpha)
    mean = float(p @ clipped)
    return mean, float(p @ (clipped - mean) ** 2)


def _unshifted(p: FloatArray, v: FloatArray, rho: float) -> float:
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
    mean, variance = _clipped_moments(p, v, np.inf)
    return mean - variance / (scale * sigma)


def _deviation(scale: float, p: FloatArray, v: FloatArray, rho: float) -> float:
    mean, variance = _clipped_moments(p, v, np.inf)
    return mean - float(np.sqrt(scale * rho * variance))


def _risk_seeking(p: FloatArray, v: FloatArray, sigma: float) -> float:
    return float(v.max() + sigma * np.log(p @ np.exp((v - v.max()) / sigma)))


def _minimised(p: FloatArray, v: FloatArray, sigma: float) -> float:
    def objective(alpha: float) -> float:
        mean, variance = _clipped_moments(p, v, alpha)
        return mean - variance / (4.0 * sigma)

    return _threshold_maximum(p, v, objective, best=min)


WRONG: Mapping[str, Formula] = {
    "tv_unshifted": _unshifted,
    "tv_from_below": _from_below,
    "tv_support": partial(_on_support, "tv_constrained"),
    "tv_one_norm": partial(_scaled, "tv_constrained", 0.5),
    "tv_double": partial(_scaled, "tv_constrained", 2.0),
    "tv_penalty_unshifted": lambda p, v, sigma: float(p @ np.minimum(v, sigma)),
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
        "tv_unshifted": "rho alpha instead of rho (alpha - least value)",
        "tv_one_norm": "the 1-norm instead of half of it",
        "tv_double": "the radius counted twice",
        "tv_support": "the adversary is kept on the support",
        "tv_from_below": "mass is taken from the small values first",
    },
    FactorSet.TV_REGULARISED: {
        "tv_penalty_unshifted": "values are clipped at sigma instead of the least value plus sigma",
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
    modelled = partial(duality, kind=kind, tolerance=CONE_TOLERANCE, modelled=True)
    yield Check(f"robust_duality.{kind}", Convex(pairs), modelled, mutants, name="modelled", tier=Tier.FULL)


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


# ------------------------------------------------------------------------------------------------------------- search


@dataclass(frozen=True, eq=False)
class Draw:
    """A law ``(n,)``, two value vectors ``(n,)``, two radii and two penalties, each pair in ascending order."""

    law: FloatArray
    values: FloatArray
    other: FloatArray
    radii: tuple[float, float]
    penalties: tuple[float, float]

    def levels(self, kind: FactorSet) -> tuple[float, float]:
        """Return the radii or the penalties."""
        return self.radii if kind.constrained else self.penalties

    def states(self, kind: FactorSet) -> Any:
        """Return the mask of the states that the adversary may use."""
        return (self.law > 0.0) if kind.absolutely_continuous else np.ones(len(self.law), dtype=bool)

    def least(self, kind: FactorSet) -> tuple[float, float]:
        """Return the least value and its mass."""
        least = float(self.values[self.states(kind)].min())
        return least, float(self.law[self.states(kind) & (self.values == least)].sum())


def draw(law: str, values: str, other: str, radii: str, penalties: str) -> Draw:
    """Read a draw from numbers separated by blanks; the law is normalised."""
    weights, left, right, rho, sigma = (
        np.array([float(word) for word in text.split()]) for text in (law, values, other, radii, penalties)
    )
    return Draw(weights / weights.sum(), left, right, (rho[0], rho[1]), (sigma[0], sigma[1]))


CORNERS: Mapping[str, Callable[[], Draw]] = {
    "fair coin": partial(draw, "1 1", "0 1", "1 1", "0.001 0.01", "0.5 50"),
    "fair coin, large radius": partial(draw, "1 1", "0 1", "0 2", "0.2 0.4", "0.1 0.3"),
    "rare large value": partial(draw, "99 1", "0 1", "0 0.5", "0.000001 0.001", "20 50"),
    "opposite moves": partial(draw, "9 1", "0 1", "0.1 0.9", "0.05 0.5", "0.3 4"),
    "rare least value": partial(draw, "1 50 49", "0 1 2", "0 2 2", "0.3 5", "0.01 0.02"),
    "zero mass at the least value": partial(draw, "0 1 2", "0 1 3", "-1 1 3", "0.25 0.5", "0.3 4"),
    "ties": partial(draw, "1 2 3 2 2", "1 0 1 0 3", "1 0 1 0 4", "0.1 0.7", "0.5 1"),
    "constant values": partial(draw, "1 2 3", "1 1 1", "2 2 2", "0.1 0.2", "1 2"),
    "point mass": partial(draw, "0 1 0", "0 1 2", "0 2 2", "0.1 3", "1 2"),
    "offset": partial(draw, "1 1 2", "100 101 103", "101 102 103", "0.05 0.5", "0.5 3"),
}


def draws() -> Any:
    """Return the strategy of all searches."""
    from hypothesis import strategies as st

    from mdps import strategies

    @st.composite
    def build(choose: Any) -> Draw:
        law = choose(strategies.distributions())
        vectors = strategies.value_vectors(len(law), -1.0, 2.0)
        radii = sorted((choose(st.floats(0.0, 2.0)), choose(st.floats(0.0, 2.0))))
        penalties = sorted((choose(st.floats(1e-3, 4.0)), choose(st.floats(1e-3, 4.0))))
        values, other = choose(vectors), choose(vectors)
        return Draw(law, values, other, (radii[0], radii[1]), (penalties[0], penalties[1]))

    return build()


def _search(examples: int = 60) -> Search:
    return Search(draws, examples=Sizes(quick=examples, full=3_000, soak=60_000), corners=CORNERS)


def _value(kind: FactorSet, law: FloatArray, values: FloatArray, level: float) -> float:
    return float(backup(kind, law, values, level, check=False))


def worst_law(case: Draw, *, reflected: str = "", level_factor: float = 1.0) -> Iterator[Comparison]:
    """Mass, divergence and value of the solver's law; a mutant tilts it the wrong way or to another level."""
    for kind in FactorSet:
        level = case.levels(kind)[1]
        values = -case.values if reflected == kind.divergence else case.values
        law = worst_laws(kind, case.law, values, level_factor * level)
        yield Comparison(float(law.sum()), 1.0, "==", where=f"{kind}: mass", tolerance=1e-12)
        yield Comparison(0.0, float(law.min()), where=f"{kind}: sign", tolerance=0.0)
        distance = float(divergence(kind.divergence, law, case.law))
        attained = float(law @ case.values)
        if kind.constrained:
            yield Comparison(distance, level, where=f"{kind}: radius", tolerance=1e-10)
        else:
            attained += level * distance
        expected = _value(kind, case.law, case.values, level)
        yield Comparison(attained, expected, "==", where=f"{kind}: value", tolerance=1e-10)


def _penalised_mean(law: FloatArray, values: FloatArray, deviations: float) -> float:
    centre = float(law @ values)
    return centre - deviations * float(np.sqrt(law @ (values - centre) ** 2))


def _evaluated(kind: FactorSet, case: Draw, values: FloatArray, deviations: float) -> float:
    """Return the backup, or the mean less some standard deviations in its place."""
    if deviations:
        return _penalised_mean(case.law, values, deviations)
    return _value(kind, case.law, values, case.levels(kind)[0])


def monotone(case: Draw, *, deviations: float = 0.0) -> Iterator[Comparison]:
    """The backup of the smaller of two value vectors against that of either."""
    lower = np.minimum(case.values, case.other)
    for kind in FactorSet:
        smaller, larger = (_evaluated(kind, case, values, deviations) for values in (lower, case.values))
        yield Comparison(smaller, larger, where=kind)


def nonexpansive(case: Draw, *, modulus: float = 1.0, deviations: float = 0.0) -> Iterator[Comparison]:
    """Distance of two backups against the distance of the values."""
    distance = float(np.abs(case.values - case.other).max())
    for kind in FactorSet:
        left, right = (_evaluated(kind, case, values, deviations) for values in (case.values, case.other))
        yield Comparison(abs(left - right), modulus * distance, where=kind)


def translation(case: Draw, *, simplified: bool = False) -> Iterator[Comparison]:
    """The backup of values plus two against the backup plus two."""
    for kind in FactorSet:
        level = case.levels(kind)[0]
        if simplified and kind == FactorSet.TV_CONSTRAINED:
            before, after = (_unshifted(case.law, case.values + shift, level) for shift in (0.0, 2.0))
        else:
            before, after = (_value(kind, case.law, case.values + shift, level) for shift in (0.0, 2.0))
        yield Comparison(after, before + 2.0, "==", where=kind)


def concave(case: Draw, *, seeking: bool = False, nominal: bool = True) -> Iterator[Comparison]:
    """Half the sum of two backups against the backup of half the sum; the backup against the nominal mean."""
    middle = 0.5 * (case.values + case.other)
    for kind in FactorSet:
        level = case.levels(kind)[0]
        sign = -1.0 if seeking else 1.0
        left, right, centre = (
            sign * _value(kind, case.law, sign * values, level) for values in (case.values, case.other, middle)
        )
        yield Comparison(0.5 * (left + right), centre, where=f"{kind}: middle")
        small, large = (left, float(case.law @ case.values)) if nominal else (float(case.law @ case.values), left)
        yield Comparison(small, large, where=f"{kind}: mean")


def level(case: Draw, *, increasing: str = "", shape: str = "") -> Iterator[Comparison]:
    """Monotonicity and curvature in the radius (nonincreasing, convex) and the penalty (nondecreasing, concave)."""
    for kind in FactorSet:
        low, high = case.levels(kind)
        first, last, middle = (
            _value(kind, case.law, case.values, number) for number in (low, high, 0.5 * low + 0.5 * high)
        )
        sign = 1.0 if kind.constrained else -1.0
        order = -sign if increasing == kind.divergence else sign
        curvature = -sign if shape == kind.divergence else sign
        yield Comparison(order * last, order * first, where=f"{kind}: order")
        yield Comparison(curvature * middle, curvature * 0.5 * (first + last), where=f"{kind}: curvature")


def legendre(case: Draw, *, radius_of: str = "worst law", sign: float = 1.0) -> Iterator[Comparison]:
    """The inequality at a radius and a penalty that have nothing to do with each other, equality where they match."""
    for name in ("tv", "kl", "chi2"):
        ball, penalised = FactorSet(f"{name}_constrained"), FactorSet(f"{name}_regularised")
        rho, sigma = case.radii[1], case.penalties[0]
        regularised = _value(penalised, case.law, case.values, sigma)
        constrained = _value(ball, case.law, case.values, rho)
        yield Comparison(regularised - sign * sigma * rho, constrained, where=f"{name}: below")
        nominal = case.law
        if radius_of == "uniform law":
            nominal = np.where(case.law > 0.0, 1.0, 0.0) / np.count_nonzero(case.law)
        matched = float(divergence(name, worst_laws(penalised, nominal, case.values, sigma), nominal))
        attained = _value(ball, case.law, case.values, matched) + sigma * matched
        yield Comparison(attained, regularised, "==", where=f"{name}: matched", tolerance=1e-8)


def density(case: Draw, *, kl_scale: float = 1.0, chi2_scale: float = 2.0, tv_cap: float = 1.0) -> Iterator[Comparison]:
    """Largest density of the worst laws against its bound."""
    support = case.law > 0.0
    for kind in FactorSet:
        sigma = case.levels(kind)[1]
        law = worst_laws(kind, case.law, case.values, sigma, check=False)
        least, _ = case.least(kind)
        excess = float(case.law @ case.values) - least
        ratio = law[support] / case.law[support]
        if kind.divergence == "tv":
            above = ratio[case.values[support] > least]
            if len(above):
                yield Comparison(float(above.max()), tv_cap, where=kind)
        elif kind == FactorSet.KL_REGULARISED:
            yield Comparison(float(np.log(ratio.max())), excess / (kl_scale * sigma), where=kind)
        elif kind == FactorSet.CHI2_REGULARISED:
            yield Comparison(float(ratio.max()), 1.0 + excess / (chi2_scale * sigma), where=kind)


@dataclass(frozen=True)
class Spread:
    """Mean, variance, range and second moment of the values above the least admissible one."""

    mean: float
    variance: float
    span: float
    second: float
    top: float


def _spread(case: Draw, kind: FactorSet) -> Spread:
    least, _ = case.least(kind)
    above = np.where(case.states(kind), case.values - least, 0.0)
    centre, second = float(case.law @ above), float(case.law @ above**2)
    variance = float(case.law @ (above - centre) ** 2)
    top = float(above[case.law > 0.0].max())
    return Spread(centre, variance, float(above.max()), second, top)


def small_radius(
    case: Draw, *, tv: float = 1.0, pinsker: float = 0.5, second: float = 2.0, chi2: float = 1.0, equality: bool = True
) -> Iterator[Comparison]:
    """What a ball takes from the mean, against its bounds."""
    rho = case.radii[0]
    for kind in FactorSet:
        if not kind.constrained:
            continue
        spread = _spread(case, kind)
        least, _ = case.least(kind)
        cost = least + spread.mean - _value(kind, case.law, case.values, rho)
        if kind.divergence == "tv":
            yield Comparison(cost, tv * rho * spread.span, where=kind)
        elif kind.divergence == "kl":
            yield Comparison(cost, float(np.sqrt(pinsker * rho)) * spread.span, where=f"{kind}: range")
            yield Comparison(cost, float(np.sqrt(second * rho * spread.second)), where=f"{kind}: second moment")
        else:
            bound = float(np.sqrt(chi2 * rho * spread.variance))
            whole = rho * (spread.top - spread.mean) ** 2 <= spread.variance
            yield Comparison(cost, bound, "==" if whole or not equality else "<=", where=kind)


def large_penalty(
    case: Draw,
    *,
    tv: float = 1.0,
    hoeffding: float = 8.0,
    second: float = 2.0,
    chi2: float = 4.0,
    equality: bool = True,
) -> Iterator[Comparison]:
    """What a penalised adversary takes from the mean, against its bounds."""
    sigma = case.penalties[1]
    for kind in FactorSet:
        if kind.constrained:
            continue
        spread = _spread(case, kind)
        least, _ = case.least(kind)
        cost = least + spread.mean - _value(kind, case.law, case.values, sigma)
        if kind.divergence == "tv":
            excess = float(case.law @ np.maximum(case.values - least - tv * sigma, 0.0))
            yield Comparison(cost, excess, "==", where=kind)
        elif kind.divergence == "kl":
            yield Comparison(cost, spread.span**2 / (hoeffding * sigma), where=f"{kind}: range")
            yield Comparison(cost, spread.second / (second * sigma), where=f"{kind}: second moment")
        else:
            whole = spread.top - spread.mean <= 2.0 * sigma
            bound = spread.variance / (chi2 * sigma)
            yield Comparison(cost, bound, "==" if whole or not equality else "<=", where=kind)


def small_penalty(case: Draw, *, factor: str = "") -> Iterator[Comparison]:
    """What a penalty saves from the least value, against its bound."""
    sigma = case.penalties[0]
    for kind in FactorSet:
        if kind.constrained:
            continue
        least, mass = case.least(kind)
        scale = {
            "tv": 1.0 - mass,
            "kl": -np.log(mass) if mass else np.inf,
            "chi2": 1.0 / mass - 1.0 if mass else np.inf,
        }
        saved = _value(kind, case.law, case.values, sigma) - least
        allowed = (0.9 if factor == kind.divergence else 1.0) * sigma * max(float(scale[kind.divergence]), 0.0)
        yield Comparison(saved, allowed, where=kind)


KEPT_AT_HALF = {"tv": 0.5, "kl": 0.18, "chi2": 1.0 - 0.5**0.5}
"""Least part of the mass above the least value that stays there at half the saturating radius.

Two states decide it: exactly for total variation and chi2; for relative entropy the infimum over their masses is
0.1866, the root of x log x - x + 1 = 1/2.
"""


def saturation(case: Draw, *, factor: str = "", at: float = 0.5) -> Iterator[Comparison]:
    """The least value at the stated radius; more than that at half of it."""
    for kind in FactorSet:
        if not kind.constrained:
            continue
        least, mass = case.least(kind)
        threshold = {"tv": 1.0 - mass, "kl": -np.log(mass) if mass else 0.0, "chi2": 1.0 / mass - 1.0 if mass else 0.0}
        radius = max(float(threshold[kind.divergence]), 0.0)
        scale = 0.9 if factor == kind.divergence else 1.0
        reached = _value(kind, case.law, case.values, scale * radius)
        yield Comparison(reached, least, "==", where=f"{kind}: at the radius", tolerance=1e-7)
        gaps = case.values[(case.law > 0.0) & (case.values > least)] - least
        if len(gaps):
            kept = KEPT_AT_HALF[kind.divergence] * (1.0 - mass) * float(gaps.min())
            before = _value(kind, case.law, case.values, at * radius)
            yield Comparison(kept, before - least, where=f"{kind}: at half of it")


# ------------------------------------------------------------------------------------------------- shape of the duals

POINTS = 7
"""Points at which the shape of a dual is examined."""


def _golden(objective: Callable[[float], float], low: float, high: float) -> float:
    """Return the maximum of a unimodal function on an interval."""
    ratio = 0.5 * (5.0**0.5 - 1.0)
    a, b = low, high
    c, d = b - ratio * (b - a), a + ratio * (b - a)
    left, right = objective(c), objective(d)
    for _ in range(60):
        if left < right:
            a, c, left = c, d, right
            d = a + ratio * (b - a)
            right = objective(d)
        else:
            b, d, right = d, c, left
            c = b - ratio * (b - a)
            left = objective(c)
    return max(left, right, objective(low), objective(high))


def _shape(
    objective: Callable[[float], float], low: float, high: float, concave_shape: bool, where: str
) -> Iterator[Comparison]:
    """Compare the middle of neighbouring points with the mean (concave) or the minimum (quasi-concave) of both ends."""
    points = [float(point) for point in np.linspace(low, high, POINTS)]
    heights = [objective(point) for point in points]
    for k in range(1, POINTS - 1):
        ends = heights[k - 1], heights[k + 1]
        floor = 0.5 * (ends[0] + ends[1]) if concave_shape else min(ends)
        yield Comparison(floor, heights[k], where=where)


def tv_dual_concave(case: Draw, *, signed: bool = False, shifted: bool = True) -> Iterator[Comparison]:
    """Concavity of the dual in the threshold, and its maximum against the backup."""
    rho, least, top = min(case.radii[0], 1.0), float(case.values.min()), float(case.values.max())
    weights = 2.0 * case.law - 1.0 / len(case.law) if signed else case.law
    base = least if shifted else 0.0

    def objective(alpha: float) -> float:
        return float(weights @ np.minimum(case.values, alpha)) - rho * (alpha - base)

    yield from _shape(objective, least, top, True, "shape")
    best = max(objective(float(alpha)) for alpha in case.values)
    yield Comparison(best, _value(FactorSet.TV_CONSTRAINED, case.law, case.values, rho), "==", where="maximum")


def chi2_dual_concave(case: Draw, *, scale: float = 1.0) -> Iterator[Comparison]:
    """Concavity of the first dual of a chi2 ball, and its maximum against the backup."""
    rho = max(case.radii[1], 1e-3)
    kept = case.law > 0.0
    p, v = case.law[kept], case.values[kept]

    def objective(eta: float) -> float:
        return eta - float(np.sqrt((scale + rho) * (p @ np.maximum(eta - v, 0.0) ** 2)))

    low = float(v.min())
    centre, variance = _clipped_moments(p, v, np.inf)
    high = max(float(v.max()), centre + float(np.sqrt(variance / rho)))
    yield from _shape(objective, low, high, True, "shape")
    expected = _value(FactorSet.CHI2_CONSTRAINED, case.law, case.values, rho)
    yield Comparison(_golden(objective, low, high), expected, "==", where="maximum", tolerance=1e-7)


def chi2_unimodal(case: Draw, *, concave_shape: bool = False, radius_factor: float = 1.0) -> Iterator[Comparison]:
    """Quasi-concavity of the second dual of a chi2 ball, and its maximum against the backup."""
    rho = case.radii[1]
    kept = case.law > 0.0
    p, v = case.law[kept], case.values[kept]

    def objective(alpha: float) -> float:
        centre, variance = _clipped_moments(p, v, alpha)
        return centre - float(np.sqrt(radius_factor * rho * variance))

    low, high = float(v.min()), float(v.max())
    yield from _shape(objective, low, high, concave_shape, "shape")
    expected = _value(FactorSet.CHI2_CONSTRAINED, case.law, case.values, rho)
    yield Comparison(_golden(objective, low, high), expected, "==", where="maximum", tolerance=1e-7)


# ----------------------------------------------------------------------------------------------- identities and scalars

weights = sp.symbols("a1:4", positive=True)
others = sp.symbols("b1:4", positive=True)
v1, v2, v3 = sp.symbols("v1:4", real=True)
sigma, rho, beta = sp.symbols("sigma rho beta", positive=True)
below1, below2, above3 = sp.symbols("x1 x2 u3", nonnegative=True)
eta = sp.Symbol("eta", real=True)
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
    values = (eta - below1, eta - below2, eta + above3)
    truncated = (p[0] * below1 / (2 * sigma), p[1] * below2 / (2 * sigma), sp.Integer(0))
    distance = sum((x - y) ** 2 / y for x, y in zip(q, p, strict=True))
    dual = eta - sigma - (p[0] * below1**2 + p[1] * below2**2) / (quarter * sigma)
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


def _constant(key: str, value: float, why: str = "the constant is the best one") -> Mutant:
    return Mutant(f"{key}_{value:g}", why, {key: value})


def _each(key: str, why: str) -> tuple[Mutant, ...]:
    """Return one mutant a divergence."""
    return tuple(Mutant(f"{key}_{name}", why, {key: name}) for name in ("tv", "kl", "chi2"))


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
        worst_law,
        _search(),
        *_each("reflected", "the law is that of -v"),
        _constant("level_factor", 0.99, "the law of a smaller level does not attain the value"),
        _constant("level_factor", 1.01, "the law of a larger radius is not admissible"),
    ),
    _check(monotone, _search(), _constant("deviations", 1.0, "the mean less a standard deviation, without truncation")),
    _check(
        nonexpansive,
        _search(),
        _constant("modulus", 0.99, "a constant shift moves a backup by as much"),
        _constant("deviations", 1.0, "the mean less a standard deviation, without truncation"),
    ),
    _check(
        translation,
        _search(),
        Mutant(
            "simplified_dual", "the dual of a model with a fail state: rho alpha is not shifted", {"simplified": True}
        ),
    ),
    _check(
        concave,
        _search(),
        Mutant("risk_seeking", "the best law instead of the worst", {"seeking": True, "nominal": False}),
        Mutant("above_the_mean", "the robust value is at least the nominal one", {"nominal": False}),
    ),
    _check(
        level,
        _search(),
        *_each("increasing", "the opposite order"),
        *_each("shape", "the opposite curvature"),
    ),
    _check(
        legendre,
        _search(),
        Mutant("one_radius_for_all", "the radius matched to another law", {"radius_of": "uniform law"}),
        _constant("sign", -1.0, "the penalty is added to the smaller side"),
    ),
    _check(
        density,
        _search(),
        _constant("kl_scale", 2.0, "half of the exponent"),
        _constant("chi2_scale", 4.0, "half of the slope"),
        _constant("tv_cap", 0.99, "untouched states keep their mass"),
    ),
    _check(
        small_radius,
        _search(),
        _constant("tv", 0.99, "equality while no atom is used up"),
        _constant("pinsker", 0.49, "tight for a fair coin"),
        _constant("second", 1.9, "tight for a rare large value"),
        _constant("chi2", 0.99, "equality before truncation"),
    ),
    _check(
        large_penalty,
        _search(),
        _constant("tv", 0.9, "an equality"),
        _constant("hoeffding", 8.1, "tight for a fair coin"),
        _constant("second", 2.1, "tight for a rare large value"),
        _constant("chi2", 4.1, "equality before truncation"),
    ),
    _check(small_penalty, _search(), *_each("factor", "tight for small penalties")),
    _check(
        saturation,
        _search(),
        *_each("factor", "nine tenths of the radius"),
        _constant("at", 0.6, "the constants belong to one half"),
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
        tv_dual_concave,
        _search(),
        Mutant("signed_weights", "weights of either sign", {"signed": True}),
        Mutant("unshifted", "rho alpha instead of rho (alpha - least value)", {"shifted": False}),
    ),
    _check(
        empirical_tv_dual,
        Exact(_instances(RIDGE_DATA), per_unit=20),
        Control("nonnegative_weights", "frequencies in the place of the ridge weights", {"weights": "frequencies"}),
        name="empirical_tv_dual_concave",
    ),
    _check(
        chi2_dual_concave, _search(), _constant("scale", 0.9, "the one under the root is needed for laws of mass one")
    ),
    _check(
        chi2_unimodal,
        Search(
            draws,
            examples=Sizes(quick=60, full=3_000, soak=60_000),
            corners={**CORNERS, "no concavity": partial(draw, "50 48 2", "0 0.4 1", "0 0 0", "1 5", "1 1")},
        ),
        Mutant("concave", "concave, not only quasi-concave", {"concave_shape": True}),
        _constant("radius_factor", 0.5, "half of the radius"),
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
