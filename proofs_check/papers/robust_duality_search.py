r"""Checks of the properties that every worst-case expectation must have, by search over laws, values and levels.

Corners are the laws at which a bound is tight (a fair coin, a rare large value) or a formula likes to fail (ties,
states without mass, a rare least value, a common offset); random draws, shrunk by Hypothesis, come after them.
Quantities are computed by `solvers.robust_planning`, whose values are certified in
`proofs_check.papers.robust_duality`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes
from proofs_check.methods.search import Search
from proofs_check.papers.robust_duality import clipped_moments, unshifted_tv_dual
from solvers.robust_planning import FactorSet, backup, divergence, worst_laws


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
        radii = sorted(choose(st.integers(0, 2000)) / 1000 for _ in range(2))
        penalties = sorted(choose(st.integers(1, 4000)) / 1000 for _ in range(2))
        values, other = (np.round(choose(vectors), 6) for _ in range(2))
        return Draw(law, values, other, (radii[0], radii[1]), (penalties[0], penalties[1]))

    return build()


def _search(examples: int = 30) -> Search:
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
            before, after = (unshifted_tv_dual(case.law, case.values + shift, level) for shift in (0.0, 2.0))
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
    centre, variance = clipped_moments(p, v, np.inf)
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
        centre, variance = clipped_moments(p, v, alpha)
        return centre - float(np.sqrt(radius_factor * rho * variance))

    low, high = float(v.min()), float(v.max())
    yield from _shape(objective, low, high, concave_shape, "shape")
    expected = _value(FactorSet.CHI2_CONSTRAINED, case.law, case.values, rho)
    yield Comparison(_golden(objective, low, high), expected, "==", where="maximum", tolerance=1e-7)


# -------------------------------------------------------------------------------------------------------------- checks


def _check(statement: Callable[..., Any], method: Any, *mutants: Mutant) -> Check:
    return Check(f"robust_duality.{statement.__name__}", method, statement, mutants)


def _constant(key: str, value: float, why: str = "the constant is the best one") -> Mutant:
    return Mutant(f"{key}_{value:g}", why, {key: value})


def _each(key: str, why: str) -> tuple[Mutant, ...]:
    """Return one mutant a divergence."""
    return tuple(Mutant(f"{key}_{name}", why, {key: name}) for name in ("tv", "kl", "chi2"))


CHECKS = (
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
        tv_dual_concave,
        _search(),
        Mutant("signed_weights", "weights of either sign", {"signed": True}),
        Mutant("unshifted", "rho alpha instead of rho (alpha - least value)", {"shifted": False}),
    ),
    _check(
        chi2_dual_concave, _search(), _constant("scale", 0.9, "the one under the root is needed for laws of mass one")
    ),
    _check(
        chi2_unimodal,
        Search(
            draws,
            examples=Sizes(quick=30, full=3_000, soak=60_000),
            corners={**CORNERS, "no concavity": partial(draw, "50 48 2", "0 0.4 1", "0 0 0", "1 5", "1 1")},
        ),
        Mutant("concave", "concave, not only quasi-concave", {"concave_shape": True}),
        _constant("radius_factor", 0.5, "half of the radius"),
    ),
)
