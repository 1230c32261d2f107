"""Checks of regularised identification in linear models, for a fixed number of episodes.

The bound on the loss says more than what holds without an episode only from millions of episodes on: a dozen such runs,
at a probability of failure of 1/2, decide, and show that losses are far below it.
"""

from dataclasses import dataclass

import numpy as np

from mdps import demonstration_instances as instances
from mdps.linear import LinearMDP
from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.montecarlo import MonteCarlo, Sample
from proofs_check.papers.demonstration_regularized import ALPHA, DELTA
from proofs_check.papers.demonstration_regularized_preferences import BOUNDS, FEWER
from solvers.demonstration_regularized_linear import run_lsvi_entropy
from theory import demonstration_regularized_parameters as parameters

EVEN = 0.5
"""Probability of failure where runs are long: a dozen of them decides."""


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear model and a number of episodes; the reference is uniform."""

    mdp: LinearMDP
    episodes: int
    lam: float

    @property
    def reference(self) -> FloatArray:
        """The uniform policy."""
        return np.full((self.mdp.horizon, self.mdp.n_states, self.mdp.n_actions), 1.0 / self.mdp.n_actions)


def linear_event(case: Linear, seeds: np.random.SeedSequence, runs: int, *, scale: float = 1.0) -> Sample:
    """Return the numbers of plans that miss an optimal action value."""
    found = run_lsvi_entropy(
        case.mdp, case.reference, case.lam, case.episodes, seeds=seeds, runs=runs, delta=DELTA, scale=scale
    )
    return Sample(found.violations, 0.0)


def linear_bound(mdp: LinearMDP, lam: float, episodes: int) -> float:
    """Return the bound on the loss of the mixture, with probability 1/2."""
    bonus = parameters.linear_bonus(mdp.n_factors, mdp.horizon, episodes, EVEN)
    known = {"H": mdp.horizon, "d": mdp.n_factors, "delta": EVEN, "lambda": lam}
    return BOUNDS["linear_mixture"].evaluate(**known, bonus=bonus, T=episodes)


def linear_bites(mdp: LinearMDP, lam: float) -> int:
    """Return the first number of episodes at which the bound is below what holds without any."""
    trivial = (mdp.horizon - 1) * mdp.horizon * (2 * mdp.horizon - 1) / (48.0 * lam)
    trivial = min(trivial, mdp.horizon * (mdp.horizon + 1) / 2.0)
    high = 1
    while linear_bound(mdp, lam, high) >= trivial:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if linear_bound(mdp, lam, middle) < trivial else (middle, high)
    return high


def linear_mixture(case: Linear, seeds: np.random.SeedSequence, runs: int, *, factor: float = 1.0) -> Sample:
    """Return the exact gaps of the mixtures, and their bound."""
    found = run_lsvi_entropy(case.mdp, case.reference, case.lam, case.episodes, seeds=seeds, runs=runs, delta=EVEN)
    first = linear_bites(case.mdp, case.lam)
    bound = factor * linear_bound(case.mdp, case.lam, case.episodes)
    return Sample(found.mixture_gap, bound, vacuous=case.episodes < first, nonvacuous_from=first)


def long_run() -> Linear:
    """Return a small model and a number of episodes at which the bound bites."""
    return Linear(instances.random_features(0, 2, 4, 2, 2), 2_200_000, 1.0)


CHECKS = (
    Check(
        "demonstration_regularized.linear_event",
        MonteCarlo(
            {"d=2 H=3, T=300": lambda: Linear(instances.random_features(0, 2, 4, 2, 3), 300, 0.3)},
            Sizes(FEWER),
            delta=DELTA,
            alpha=ALPHA,
        ),
        linear_event,
        (Mutant("small_bonus", "a twentieth of the bonus", {"scale": 0.05}),),
    ),
    Check(
        "demonstration_regularized.linear_mixture",
        MonteCarlo({"d=2 H=2, T=2200000": long_run}, Sizes(12), delta=EVEN, alpha=ALPHA, block=Sizes(3)),
        linear_mixture,
        (Mutant("much_smaller", "1e-8 of the bound", {"factor": 1e-8}),),
        tier=Tier.FULL,
    ),
)
