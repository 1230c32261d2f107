"""Checks of the concentration inequalities on laws that are small, skewed or as wide as possible."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.methods.base import Sizes
from proofs_check.methods.montecarlo import MonteCarlo, Sample
from theory.lemmas import concentration as theory

DELTA = 0.01
RUNS = Sizes(20_000, full=200_000, soak=2_000_000)


@dataclass(frozen=True, eq=False)
class Law:
    """A law on finitely many values in [0, 1] and a sample size."""

    values: FloatArray
    masses: FloatArray
    size: int

    def counts(self, seeds: np.random.SeedSequence, runs: int) -> FloatArray:
        """Return how often each value occurs in ``runs`` samples, ``(runs, len(values))``."""
        counts: FloatArray = np.random.default_rng(seeds).multinomial(self.size, self.masses, size=runs).astype(float)
        return counts


def _coin(mean: float, size: int) -> Law:
    return Law(np.array([0.0, 1.0]), np.array([1.0 - mean, mean]), size)


def _next_state_law(n_states: int, size: int) -> Law:
    """Return a value function spread over uniformly likely next states."""
    return Law(np.linspace(0.0, 1.0, n_states), np.full(n_states, 1.0 / n_states), size)


LAWS: Mapping[str, Callable[[], Law]] = {
    "fair coin, n=100": partial(_coin, 0.5, 100),
    "rare coin, n=50": partial(_coin, 0.04, 50),
    "ten next states, n=500": partial(_next_state_law, 10, 500),
}


def hoeffding(
    law: Law, seeds: np.random.SeedSequence, runs: int, *, logarithm: bool = True, scale: float = 1.0
) -> Sample:
    """Deviation of the mean against Hoeffding's radius."""
    deviation = law.counts(seeds, runs) @ law.values / law.size - law.masses @ law.values
    delta = DELTA if logarithm else np.exp(-1.0)
    return Sample(
        deviation,
        scale * theory.HOEFFDING.explicit_bound.evaluate(n=law.size, delta=delta),
        where="deviation of the mean",
    )


def empirical_bernstein(
    law: Law,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    variance: str = "sample",
    logarithm: bool = True,
    linear_term: bool = True,
) -> Sample:
    """Deviation of the mean against the empirical Bernstein radius, evaluated run by run."""
    counts = law.counts(seeds, runs)
    frequencies = counts / law.size
    means = frequencies @ law.values
    if variance == "sample":
        spread = (counts @ law.values**2 - law.size * means**2) / (law.size - 1)
    else:
        spread = np.std(frequencies * law.values, axis=1) ** 2
    log_term = np.log(2.0 / DELTA) if logarithm else 1.0
    radius = np.sqrt(2.0 * np.maximum(spread, 0.0) * log_term / law.size)
    if linear_term:
        radius += 7.0 * log_term / (3.0 * (law.size - 1))
    return Sample(law.masses @ law.values - means, radius)


CHECKS = (
    Check(
        "concentration.hoeffding",
        MonteCarlo(LAWS, RUNS, delta=DELTA),
        hoeffding,
        (
            Mutant("no_logarithm", "log(1/delta) is left out", {"logarithm": False}),
            Mutant("factor_0.7", "0.7 times the radius", {"scale": 0.7}),
        ),
    ),
    Check(
        "concentration.empirical_bernstein",
        MonteCarlo(LAWS, RUNS, delta=DELTA),
        empirical_bernstein,
        (
            Mutant(
                "std_of_product", "np.std(P * V)**2 in the place of the variance of V under P", {"variance": "product"}
            ),
            Mutant("no_logarithm", "log(2/delta) is left out", {"logarithm": False}),
            Mutant("no_linear_term", "the term in 1/n is left out", {"linear_term": False}),
        ),
    ),
)
