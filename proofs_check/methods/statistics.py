r"""Statistics shared by the sampled methods: proportions, bounded means, bootstrap intervals, families of statements.

*Proportions.* With :math:`v` violations in :math:`n` independent runs, the one-sided limits of Clopper and Pearson
(1934) solve

.. math:: P(\mathrm{Bin}(n, u) \le v) = \alpha, \qquad P(\mathrm{Bin}(n, l) \ge v) = \alpha .

They hold for a number of runs that was fixed in advance. When the runs may stop at any time, the mixture martingale

.. math:: M_n(p) = \frac{B(a + v, b + n - v)}{B(a, b)\, p^v (1 - p)^{n - v}}

is used instead: by Ville's inequality :math:`P(\exists n: M_n(p) \ge 1/\alpha) \le \alpha` at the true :math:`p`, so
the set :math:`\{p : M_n(p) < 1/\alpha\}` covers it at all times together (Robbins, 1970).

*Bounded means.* For :math:`x_t \in [0, 1]` with conditional mean at least :math:`m`, the wealth
:math:`\prod_t (1 - \lambda_t (x_t - m))` of a gambler whose bets :math:`\lambda_t \in [0, 1/(1-m))` depend on what was
seen before is a supermartingale; the means at which it ever reached :math:`1/\alpha` are excluded (Waudby-Smith and
Ramdas, 2024, "Estimating means of bounded random variables by betting", with their predictable plug-in bets). The
closed-form empirical-Bernstein sequence of the same paper is there for comparison.

*Bootstrap.* Bias-corrected and accelerated limits (Efron, 1987), with the acceleration from empirical influence values.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mdps.validation import FloatArray
from proofs_check.evidence import Confidence, Json

BISECTIONS = 60
"""Halvings of an interval of length one: to 1e-18."""

BET_FRACTION = 0.75
"""Largest part of the wealth that a bet may lose in one round."""


def require_level(name: str, value: float) -> None:
    """Raise ValueError unless ``value`` lies in (0, 1)."""
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} is {value!r}, outside (0, 1)")


def _require_counts(violations: int, runs: int) -> None:
    if runs < 1 or not 0 <= violations <= runs:
        raise ValueError(f"{violations} violations in {runs} runs is not a count")


def clopper_pearson(violations: int, runs: int, alpha: float) -> tuple[float, float]:
    """Return the exact lower and upper confidence limits of a proportion, each one-sided at level ``alpha``.

    Raises
    ------
    ValueError
        If the counts are impossible or ``alpha`` is outside (0, 1).
    """
    from scipy.special import betaincinv

    _require_counts(violations, runs)
    require_level("alpha", alpha)
    lower = 0.0 if violations == 0 else float(betaincinv(violations, runs - violations + 1, alpha))
    upper = 1.0 if violations == runs else float(betaincinv(violations + 1, runs - violations, 1.0 - alpha))
    return lower, upper


def tail_probability(violations: int, runs: int, proportion: float) -> float:
    """Return P(Bin(runs, proportion) >= violations): the p-value of "the proportion is at most this"."""
    from scipy.special import bdtrc

    _require_counts(violations, runs)
    return 1.0 if violations == 0 else float(bdtrc(violations - 1, runs, proportion))


def runs_needed(proportion: float, alpha: float, violations: int = 0) -> int:
    """Return the least number of runs at which so many violations certify ``proportion`` at level ``alpha``.

    That is, the upper Clopper-Pearson limit is at most ``proportion``: 459 runs without a violation for 0.01 at 99 %.
    """
    return _first_certifying(proportion, alpha, lambda runs: violations, violations + 1)


def runs_needed_at_rate(proportion: float, alpha: float, rate: float) -> int | None:
    """Return about how many runs would certify ``proportion`` if violations went on at ``rate``; None if none would."""
    if rate >= proportion:
        return None
    return _first_certifying(proportion, alpha, lambda runs: math.ceil(rate * runs), 1)


def _first_certifying(proportion: float, alpha: float, violations: Callable[[int], int], start: int) -> int:
    """Double, then bisect, to a number of runs at which the upper limit is at most ``proportion``."""
    from scipy.special import bdtr

    require_level("proportion", proportion)
    require_level("alpha", alpha)

    def certifies(runs: int) -> bool:
        return bool(bdtr(violations(runs), runs, proportion) <= alpha)

    high = start
    while not certifies(high):
        high *= 2
    low = max(high // 2, start - 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if certifies(middle) else (middle, high)
    return high


def proportion_sequence(
    violations: int, runs: int, alpha: float, prior: tuple[float, float] = (0.5, 0.5)
) -> tuple[float, float]:
    """Return confidence limits of a proportion that hold at all numbers of runs together, at level ``alpha``.

    Parameters
    ----------
    prior
        Parameters (a, b) of the mixing Beta law; any choice made before the data is valid.
    """
    from scipy.special import betaln, xlog1py, xlogy

    _require_counts(violations, runs)
    require_level("alpha", alpha)
    a, b = prior
    evidence = float(betaln(a + violations, b + runs - violations) - betaln(a, b))
    threshold = math.log(1.0 / alpha)

    def excluded(p: float) -> bool:
        return evidence - float(xlogy(violations, p) + xlog1py(runs - violations, -p)) >= threshold

    centre = violations / runs
    return _boundary(excluded, 0.0, centre), _boundary(excluded, 1.0, centre)


def _boundary(excluded: Callable[[float], bool], outside: float, inside: float) -> float:
    """Return the excluded end of the last bracket between an end and the centre, or the end if it is not excluded."""
    if not excluded(outside):
        return outside
    for _ in range(BISECTIONS):
        middle = 0.5 * (outside + inside)
        if excluded(middle):
            outside = middle
        else:
            inside = middle
    return outside


def plug_in_bets(values: FloatArray, alpha: float, horizon: int | None = None) -> FloatArray:
    """Return the predictable bets of a gambler: bet t depends on the values before t only.

    Parameters
    ----------
    values
        Observations in [0, 1], ``(n,)``.
    horizon
        Number of observations that the bets are tuned to; None spreads the effort over all times.
    """
    n = values.size
    times = np.arange(1, n + 1, dtype=np.float64)
    means = (0.5 + np.cumsum(values)) / (times + 1.0)
    variances = (0.25 + np.cumsum((values - means) ** 2)) / (times + 1.0)
    before = np.concatenate(([0.25], variances[:-1]))
    effort = times * np.log1p(times) if horizon is None else np.full(n, float(horizon))
    bets: FloatArray = np.sqrt(2.0 * math.log(1.0 / alpha) / (before * effort))
    return bets


def log_wealth(values: FloatArray, bets: FloatArray, mean: float) -> FloatArray:
    """Return the log-wealth over time of betting against "the mean is at least ``mean``", ``(n,)``."""
    stakes = np.minimum(bets, BET_FRACTION / (1.0 - mean)) if mean < 1.0 else bets
    wealth: FloatArray = np.cumsum(np.log1p(-stakes * (values - mean)))
    return wealth


def mean_sequence(
    values: FloatArray, alpha: float, low: float, high: float, horizon: int | None = None
) -> tuple[float, float]:
    """Return limits of the mean of bounded observations, each one-sided at level ``alpha`` and valid at any time.

    Parameters
    ----------
    values
        Independent observations in [low, high] with one mean, ``(n,)``, in the unit of the limits.

    Raises
    ------
    ValueError
        Naming the first observation outside the stated range.
    """
    unit = _to_unit(values, low, high)
    if unit is None:
        return low, high
    upper = _upper_mean(unit, alpha, horizon)
    lower = 1.0 - _upper_mean(1.0 - unit, alpha, horizon)
    return low + (high - low) * lower, low + (high - low) * upper


def _upper_mean(unit: FloatArray, alpha: float, horizon: int | None) -> float:
    bets = plug_in_bets(unit, alpha, horizon)
    threshold = math.log(1.0 / alpha)
    return _boundary(lambda mean: bool(log_wealth(unit, bets, mean).max() >= threshold), 1.0, 0.0)


def mean_excluded(values: FloatArray, alpha: float, low: float, high: float, mean: float) -> tuple[bool, bool]:
    """Return whether the mean is shown to be above, and to be below, a value: `mean_sequence` at one point, cheaper."""
    unit = _to_unit(values, low, high)
    if unit is None:
        return low > mean, low < mean
    point, threshold = (mean - low) / (high - low), math.log(1.0 / alpha)

    def below(data: FloatArray, value: float) -> bool:
        if not 0.0 < value <= 1.0:
            return value > 1.0
        bets = plug_in_bets(data, alpha, data.size)
        return bool(log_wealth(data, bets, value).max() >= threshold)

    return below(1.0 - unit, 1.0 - point), below(unit, point)


def bernstein_sequence(values: FloatArray, alpha: float, low: float, high: float) -> tuple[float, float]:
    """Return the closed-form empirical-Bernstein limits at the last time, each one-sided at level ``alpha``."""
    unit = _to_unit(values, low, high)
    if unit is None:
        return low, high
    bets = np.minimum(plug_in_bets(unit, alpha), BET_FRACTION)
    times = np.arange(1, unit.size + 1, dtype=np.float64)
    means = np.concatenate(([0.5], ((0.5 + np.cumsum(unit)) / (times + 1.0))[:-1]))
    cost = np.sum((unit - means) ** 2 * (-np.log1p(-bets) - bets))
    centre = float(np.sum(bets * unit) / np.sum(bets))
    radius = float((math.log(1.0 / alpha) + cost) / np.sum(bets))
    lower, upper = max(0.0, centre - radius), min(1.0, centre + radius)
    return low + (high - low) * lower, low + (high - low) * upper


def _to_unit(values: FloatArray, low: float, high: float) -> FloatArray | None:
    """Map [low, high] onto [0, 1]; None if the range is a point."""
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"observations have shape {values.shape}, not (n,)")
    outside = ~((values >= low) & (values <= high))
    if outside.any():
        first = int(np.argmax(outside))
        raise ValueError(f"observation {first} is {values[first]}, outside [{low:g}, {high:g}]")
    if high == low:
        return None
    unit: FloatArray = np.clip((values - low) / (high - low), 0.0, 1.0)
    return unit


def bca_limits(estimate: float, replicates: FloatArray, influence: FloatArray, alpha: float) -> tuple[float, float]:
    """Return bias-corrected and accelerated bootstrap limits, each one-sided at level ``alpha``.

    Parameters
    ----------
    replicates
        Estimates on resampled data, ``(B,)`` with ``B >= 10 / alpha``.
    influence
        Empirical influence of every observation on the estimate, divided by the size of its sample; any shape.

    Raises
    ------
    ValueError
        If there are too few replicates to see the quantile that is asked for.
    """
    from scipy.special import ndtr, ndtri

    require_level("alpha", alpha)
    n = replicates.size
    if n * alpha < 10.0:
        raise ValueError(f"{n} replicates are too few for level {alpha:g}: take at least {math.ceil(10.0 / alpha)}")
    spread = float(np.sum(influence**2))
    if spread == 0.0:
        return estimate, estimate
    below = (np.sum(replicates < estimate) + 0.5 * np.sum(replicates == estimate)) / n
    bias = float(ndtri(min(max(below, 1.0 / (n + 1)), n / (n + 1))))
    acceleration = float(np.sum(influence**3)) / (6.0 * spread**1.5)
    shifted = bias + ndtri(np.array([alpha, 1.0 - alpha]))
    levels = ndtr(bias + shifted / (1.0 - acceleration * shifted))
    lower, upper = np.quantile(replicates, levels)
    return float(lower), float(upper)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return the adjusted p-values of Holm (1979): rejecting those at most alpha errs at all with probability alpha."""
    ranked = sorted(p_values, key=lambda name: (p_values[name], name))
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(ranked):
        largest = max(largest, min(1.0, (len(ranked) - rank) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


@dataclass(frozen=True)
class FamilyWise:
    """Joint confidence of several sampled statements.

    Parameters
    ----------
    alpha
        Probability that any of the confidence limits is wrong, at most; one means that nothing is known.
    adjusted
        Holm-adjusted p-values of the statements that rest on counted violations.
    """

    statements: int
    alpha: float
    adjusted: Mapping[str, float]
    sentence: str


def family_wise(confidences: Mapping[str, Confidence]) -> FamilyWise:
    """Say what all sampled statements of a report show together, whatever the dependence between them.

    Parameters
    ----------
    confidences
        Name of a statement -> its statistics.
    """
    from scipy.special import bdtr

    alpha = min(1.0, math.fsum(confidence.alpha for confidence in confidences.values()))
    counted = {name: c for name, c in confidences.items() if c.violations is not None and 0.0 < c.claimed < 1.0}
    adjusted = holm({name: float(bdtr(c.violations or 0, c.runs, c.claimed)) for name, c in counted.items()})
    count = len(confidences)
    if not count:
        sentence = "No statement was sampled."
    elif alpha >= 1.0:
        sentence = f"{count} sampled statements; their levels add up to one, so nothing holds for all of them together."
    else:
        sentence = (
            f"{count} sampled statement{'s' if count > 1 else ''}: all one-sided confidence limits hold together with "
            f"probability at least 1 - {alpha:.3g} (Bonferroni)."
        )
    return FamilyWise(count, alpha, adjusted, sentence)


def seed_record(seed: np.random.SeedSequence) -> Json:
    """Return a seed sequence as JSON."""
    entropy = seed.entropy
    words = entropy if entropy is None or isinstance(entropy, int) else [int(word) for word in entropy]
    return {"entropy": words, "spawn_key": [int(key) for key in seed.spawn_key]}


def seed_from(record: Json) -> np.random.SeedSequence:
    """Return the seed sequence that a record names, with no child spawned yet."""
    return np.random.SeedSequence(record["entropy"], spawn_key=tuple(record["spawn_key"]))
