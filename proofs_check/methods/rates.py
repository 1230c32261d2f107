r"""Exponents: how fast a regret or an error grows with the budget, from log-log regression with bootstrap intervals.

With mean outcomes :math:`\bar y_k` at budgets :math:`K_1 < \dots < K_m`, the slope is that of least squares through
:math:`(\log K_k, \log \bar y_k)`,

.. math:: \hat b = \sum_k w_k \log \bar y_k, \qquad w_k = \frac{x_k - \bar x}{\sum_j (x_j - \bar x)^2},
          \quad x_k = \log K_k .

Every run is one independent cluster: it contributes one number at one budget and is resampled as a whole within that
budget. The limits are bias-corrected and accelerated (Efron, 1987), with the influence
:math:`w_k (y_{ki} - \bar y_k) / \bar y_k` of run :math:`i` at budget :math:`k`.

*What it shows.* A slope over the range of budgets that was run, with one-sided limits at a stated level; never an
asymptotic statement. "The slope is at most :math:`c`" is supported if the upper limit is at most :math:`c` plus the
stated ``resolution``, which is there because logarithmic factors and finite ranges bend every curve. It is refuted if
the lower limit is above that and so is the local slope at the end, less what a significant bend would take off it over
another decade. Lower bounds are the mirror image. A burn-in
(leading budgets at which the curve still bends) is left out of the fit and reported. Less than one and a half decades
decide nothing, nor do budgets at which the bound is vacuous.

*What it trusts.* That the instance is tuned to each budget, so that a worst-case rate is seen at all; that runs are
independent; the bootstrap, which is approximate for few runs (fewer than ``MIN_RUNS`` are refused).

*How it can be fooled.* By a range on which the claimed rate is not visible yet: the local slope at the end is reported,
and mutants with another exponent must be rejected. ``tests/proofs_check/test_rates.py`` tries burn-ins, logarithmic
factors, heavy tails, short ranges, regrets of the wrong sign, and measures how often the limits cover a known slope.

*Checking again.* All outcomes are stored. `Rates.recheck` fits them again and draws the cheapest budgets anew from
their seeds.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from mdps.validation import FloatArray
from proofs_check.evidence import Confidence, Evidence, Finding, Json, plain
from proofs_check.methods import statistics
from proofs_check.methods.base import Context, Method, Sizes, Statement, Tier
from proofs_check.methods.exact import RECHECKED_PART, digest
from proofs_check.methods.montecarlo import Sample

MIN_DECADES = 1.5
"""Shortest range of budgets that a slope is read from."""

MIN_BUDGETS = 4
MIN_RUNS = 8

END_DECADES = 0.75
"""Length of the range at the end on which the local slope is taken."""

REPLICATES = 10_000
"""Bootstrap replicates."""

BOOTSTRAP_SEED = 20_240_229
"""The bootstrap is part of the arithmetic: the same outcomes have the same limits."""


@dataclass(frozen=True)
class Fit:
    """Slope over a range of budgets, with one-sided limits."""

    slope: float
    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Outcomes of all runs by budget.

    Parameters
    ----------
    budgets
        Increasing.
    values
        ``(runs,)`` at each budget, with a positive mean.
    """

    budgets: tuple[int, ...]
    values: tuple[FloatArray, ...]

    @property
    def means(self) -> FloatArray:
        """Mean at each budget."""
        return np.array([value.mean() for value in self.values])

    @property
    def decades(self) -> float:
        """Length of the range of budgets."""
        return math.log10(self.budgets[-1] / self.budgets[0])

    def since(self, first: int) -> "Outcomes":
        """Return the outcomes from the budget with this position on."""
        return Outcomes(self.budgets[first:], self.values[first:])

    def ending(self) -> "Outcomes":
        """Return the outcomes at the end: the last budgets over `END_DECADES`, at least two."""
        start = self.budgets[-1] / 10.0**END_DECADES
        first = next(position for position, budget in enumerate(self.budgets) if budget >= start * (1.0 - 1e-9))
        return self.since(min(first, len(self.budgets) - 2))


def slope_weights(budgets: tuple[int, ...]) -> FloatArray:
    """Return the weights of the logarithms in the least-squares slope, ``(m,)``."""
    x = np.log(np.array(budgets, dtype=np.float64))
    centred = x - x.mean()
    weights: FloatArray = centred / np.sum(centred**2)
    return weights


def curvature_weights(budgets: tuple[int, ...]) -> FloatArray:
    """Return the weights of the logarithms in the quadratic coefficient of a least-squares parabola, ``(m,)``."""
    x = np.log(np.array(budgets, dtype=np.float64))
    design = np.vander(x - x.mean(), 3)
    weights: FloatArray = np.linalg.pinv(design)[0]
    return weights


def bootstrap_means(outcomes: Outcomes, replicates: int = REPLICATES) -> FloatArray:
    """Return the means of resampled runs at each budget, ``(replicates, m)``."""
    means = np.empty((replicates, len(outcomes.budgets)))
    for column, (budget, values) in enumerate(zip(outcomes.budgets, outcomes.values, strict=True)):
        rng = np.random.default_rng([BOOTSTRAP_SEED, budget])
        rows = max(1, 2_000_000 // values.size)
        for start in range(0, replicates, rows):
            count = min(rows, replicates - start)
            chosen = rng.integers(0, values.size, (count, values.size))
            means[start : start + count, column] = values[chosen].mean(axis=1)
    return means


def fit(outcomes: Outcomes, means: FloatArray, weights: FloatArray, alpha: float) -> Fit:
    """Return a weighted sum of log-means with its bootstrap limits, each at level ``alpha``.

    Parameters
    ----------
    means
        Of `bootstrap_means`, ``(B, m)``; replicates in which a mean is not positive are left out.
    weights
        `slope_weights` or `curvature_weights`, ``(m,)``.
    """
    estimate = float(weights @ np.log(outcomes.means))
    positive = means[(means > 0.0).all(axis=1)]
    if len(positive) < 10.0 / alpha:
        return Fit(estimate, -math.inf, math.inf)
    influence = np.concatenate(
        [
            weight * (values / values.mean() - 1.0) / values.size
            for weight, values in zip(weights, outcomes.values, strict=True)
        ]
    )
    return Fit(estimate, *statistics.bca_limits(estimate, np.log(positive) @ weights, influence, alpha))


def burn_in(outcomes: Outcomes, means: FloatArray, alpha: float) -> int:
    """Return how many leading budgets to leave out: while the rest is still bent, and long enough."""
    first = 0
    while first + 1 + MIN_BUDGETS <= len(outcomes.budgets):
        rest = outcomes.since(first)
        bend = fit(rest, means[:, first:], curvature_weights(rest.budgets), alpha)
        shorter = outcomes.since(first + 1)
        if bend.lower <= 0.0 <= bend.upper or shorter.decades < MIN_DECADES:
            break
        first += 1
    return first


@dataclass(frozen=True)
class Rates(Method):
    """Test an exponent on worst-case instances that are tuned to each budget.

    The statement is called with a budget K, a ``numpy.random.SeedSequence`` and a number of runs, and returns the
    outcomes (regrets, errors) of the runs, ``(runs,)``; or a `Sample` with them as its left side, whose ``vacuous``
    says that the bound says nothing at this budget. It tunes the instance and the parameters of the algorithm to K.

    Parameters
    ----------
    claimed_slope
        Exponent of the claim, such as 1/2.
    at
        ``"most"`` for upper bounds, ``"least"`` for lower bounds.
    budgets
        Increasing values of K by tier, over at least one and a half decades.
    runs
        Runs at each budget by tier.
    alpha
        Level of each one-sided limit; the bootstrap resolves 0.001 at the least.
    resolution
        Differences of slopes up to this are not told apart.
    """

    claimed_slope: float
    at: Literal["most", "least"]
    budgets: Sizes[tuple[int, ...]]
    runs: Sizes[int]
    alpha: float = 0.01
    resolution: float = 0.05

    name: ClassVar[str] = "rates"

    def __post_init__(self) -> None:
        statistics.require_level("alpha", self.alpha)
        if self.at not in ("most", "least"):
            raise ValueError(f"at is {self.at!r}, not 'most' or 'least'")
        if self.alpha * REPLICATES < 10.0:
            raise ValueError(f"alpha is {self.alpha:g}: {REPLICATES} replicates do not resolve it")
        for tier in Tier:
            budgets = self.budgets.at(tier)
            if len(budgets) < MIN_BUDGETS or budgets[0] < 1 or any(np.diff(budgets) <= 0):
                raise ValueError(f"budgets at tier {tier} are {budgets}, not {MIN_BUDGETS} or more increasing numbers")
            if self.runs.at(tier) < MIN_RUNS:
                raise ValueError(f"{self.runs.at(tier)} runs at tier {tier} are fewer than {MIN_RUNS}")

    def units(self, tier: Tier) -> tuple[str, ...]:
        """Return one key for each budget."""
        return tuple(f"K={budget}" for budget in self.budgets.at(tier))

    def run(self, statement: Statement, unit: str, context: Context) -> Json:
        """Return the outcomes at one budget, with their seed."""
        budget, runs = int(unit.removeprefix("K=")), self.runs.at(context.tier)
        reason = context.unmet(budget)
        if reason is not None:
            return {"budget": budget, "skipped": reason}
        seed = statistics.seed_record(context.seed)
        sample = _outcomes(statement(budget, statistics.seed_from(seed), runs), runs, unit)
        values = np.asarray(sample.lhs)
        if sample.vacuous:
            until = "" if sample.nonvacuous_from is None else f" until K = {sample.nonvacuous_from}"
            return {"budget": budget, "skipped": f"the bound is vacuous{until}", "from": sample.nonvacuous_from}
        return plain({"budget": budget, "seed": seed, "values": values})

    def fold(self, results: Mapping[str, Json]) -> Evidence:
        """Return what the slope says about the claimed exponent."""
        skipped = {unit: result["skipped"] for unit, result in results.items() if "skipped" in result}
        used = {unit: result for unit, result in results.items() if unit not in skipped}
        stored = {unit: {"seed": result["seed"], "values": result["values"]} for unit, result in used.items()}
        budgets = tuple(result["budget"] for result in used.values())
        outcomes = Outcomes(budgets, tuple(np.array(result["values"], dtype=np.float64) for result in used.values()))
        certificate = {"outcomes": stored, "digest": digest(stored)}
        shared: dict[str, Any] = {"instances": tuple(used), "skipped": skipped, "certificate": certificate}
        first = {"K": next((result["from"] for result in results.values() if result.get("from")), None)}
        nonvacuous = first if any("from" in result for result in results.values()) else {}
        problem = _unfit(outcomes, skipped)
        if problem is not None:
            return Evidence(self.name, Finding.UNDECIDED, problem, nonvacuous_from=nonvacuous, **shared)
        return self._judge(outcomes, shared, nonvacuous)

    def _judge(self, outcomes: Outcomes, shared: dict[str, Any], nonvacuous: dict[str, int | None]) -> Evidence:
        means = bootstrap_means(outcomes)
        first = burn_in(outcomes, means, self.alpha)
        tail = outcomes.since(first)
        whole = fit(tail, means[:, first:], slope_weights(tail.budgets), self.alpha)
        last = tail.ending()
        end = fit(last, means[:, -len(last.budgets) :], slope_weights(last.budgets), self.alpha)
        bend = fit(tail, means[:, first:], curvature_weights(tail.budgets), self.alpha)
        finding, verdict = self._conclusion(whole, end, bend)
        left_out = f", after a burn-in until K = {tail.budgets[0]}" if first else ""
        runs = sum(values.size for values in tail.values)
        summary = (
            f"slope {whole.slope:.3f} in [{whole.lower:.3f}, {whole.upper:.3f}] at level {self.alpha:g} over K = "
            f"{tail.budgets[0]} to {tail.budgets[-1]}{left_out}; local slope at the end {end.slope:.3f}; claimed at "
            f"{self.at} {self.claimed_slope:.4g}, resolution {self.resolution:g}{verdict}"
        )
        witness = None
        if finding == Finding.VIOLATION:
            witness = {"K": list(tail.budgets), "means": tail.means, "slope": whole.slope, "end": end.slope}
        return Evidence(
            self.name,
            finding,
            summary,
            witness=plain(witness),
            confidence=Confidence(runs, self.alpha, whole.lower, whole.upper, self.claimed_slope),
            nonvacuous_from=nonvacuous,
            plot=self._plot(outcomes, means, whole, end, tail.budgets[0]),
            **shared,
        )

    def _conclusion(self, whole: Fit, end: Fit, bend: Fit) -> tuple[Finding, str]:
        """Compare the limits with the claimed exponent; lower bounds are the mirror image of upper ones.

        A curve that bends towards the claim is refuted only if its local slope would still be wrong a decade later.
        """
        sign = 1.0 if self.at == "most" else -1.0
        threshold = sign * self.claimed_slope + self.resolution
        near, far = (whole.lower, whole.upper) if self.at == "most" else (-whole.upper, -whole.lower)
        end_near = end.lower if self.at == "most" else -end.upper
        bending = bend.upper < 0.0 if self.at == "most" else bend.lower > 0.0
        later = sign * end.slope + (2.0 * math.log(10.0) * sign * bend.slope if bending else 0.0)
        if near > threshold and later > threshold:
            return Finding.VIOLATION, ": refuted on this range"
        if near > threshold:
            return Finding.UNDECIDED, ": the curve still bends towards the claim; larger budgets are needed"
        if end_near > threshold:
            return Finding.UNDECIDED, ": the curve bends away from the claim at the end; larger budgets are needed"
        if far <= threshold:
            return Finding.NO_VIOLATION, ""
        width = far - near
        distance = abs(threshold - sign * whole.slope)
        more = (width / max(distance, 0.05 * width)) ** 2 / 4.0
        return Finding.UNDECIDED, f": undecided; about {math.ceil(max(more, 1.5))} times as many runs are needed"

    def _plot(self, outcomes: Outcomes, means: FloatArray, whole: Fit, end: Fit, start: int) -> Json:
        low, high = np.quantile(means, [self.alpha, 1.0 - self.alpha], axis=0)
        logs = np.log(outcomes.means)
        return plain(
            {
                "kind": "rate",
                "x": list(outcomes.budgets),
                "y": outcomes.means,
                "low": low,
                "high": high,
                "slope": whole.slope,
                "interval": [whole.lower, whole.upper],
                "claimed": self.claimed_slope,
                "at": self.at,
                "from": start,
                "end_slope": end.slope,
                "end_interval": [end.lower, end.upper],
                "local_slopes": np.diff(logs) / np.diff(np.log(outcomes.budgets)),
            }
        )

    def recheck(self, statement: Statement, evidence: Evidence) -> str | None:
        """Fit the stored outcomes again, and draw the cheapest budgets again from their seeds."""
        stored = evidence.certificate["outcomes"]
        if digest(stored) != evidence.certificate["digest"]:
            return "the stored outcomes do not have the stored digest"
        results: dict[str, Json] = {unit: {**record, "budget": _budget(unit)} for unit, record in stored.items()}
        results |= {unit: {"budget": _budget(unit), "skipped": reason} for unit, reason in evidence.skipped.items()}
        again = self.fold(dict(sorted(results.items(), key=lambda item: _budget(item[0]))))
        compared = ("finding", "confidence", "witness", "summary")
        if any(getattr(again, key) != getattr(evidence, key) for key in compared):
            return f"the stored outcomes show: {again.finding} ({again.summary})"
        allowed = sum(_budget(unit) for unit in stored) / RECHECKED_PART
        for position, unit in enumerate(sorted(stored, key=_budget)):
            allowed -= _budget(unit)
            if position and allowed < 0.0:
                break
            problem = _redrawn(statement, unit, stored[unit])
            if problem is not None:
                return problem
        return None


def _redrawn(statement: Statement, unit: str, record: Json) -> str | None:
    values = np.array(record["values"], dtype=np.float64)
    answer = statement(_budget(unit), statistics.seed_from(record["seed"]), values.size)
    fresh = np.asarray(_outcomes(answer, values.size, unit).lhs)
    if np.allclose(fresh, values, rtol=1e-9, atol=1e-9 * float(np.abs(values).max(initial=1.0))):
        return None
    return f"{unit}: the outcomes drawn from the stored seed are not those stored"


def _budget(unit: str) -> int:
    return int(unit.removeprefix("K="))


def _outcomes(answer: Any, runs: int, place: str) -> Sample:
    sample = answer if isinstance(answer, Sample) else Sample(np.asarray(answer, dtype=np.float64), 0.0)
    return Sample.of(sample, runs, place)


def _unfit(outcomes: Outcomes, skipped: Mapping[str, str]) -> str | None:
    """Say why no slope can be read from these outcomes, or None."""
    left = f" ({'; '.join(f'{unit}: {reason}' for unit, reason in skipped.items())})" if skipped else ""
    if len(outcomes.budgets) < MIN_BUDGETS:
        return f"only {len(outcomes.budgets)} budgets count, {MIN_BUDGETS} are needed{left}"
    if outcomes.decades < MIN_DECADES - 1e-9:
        return f"the budgets span {outcomes.decades:.2f} decades, {MIN_DECADES} are needed{left}"
    for budget, mean in zip(outcomes.budgets, outcomes.means, strict=True):
        if mean <= 0.0:
            return f"the mean at K = {budget} is {mean:.6g}: it has no logarithm"
    return None
