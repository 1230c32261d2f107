r"""Check of the number of demonstrations that keeps the learned loop in the domain of the data.

Demonstrations are uniform on :math:`[-1, 1]^n`, starts have norm at most 1/4, and the policy has the Lipschitz constant
of the expert, a linear-quadratic regulator. The fill distance of the demonstrations certifies the error of the policy,
(alpha + L*) h for any interpolant and alpha h for the central one, and this error and that of the measurement the
radius of the loop. What is compared with the domain is that radius, and a few steps of the loop.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdps.control import EnvelopePolicy, LinearPolicy
from mdps.control_instances import ControlInstance, double_integrator, rotation, scalar_stable, scalar_unstable
from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.montecarlo import MonteCarlo, Sample
from proofs_check.papers.lipschitz_policies_covering import fill
from theory import lipschitz_policies as theory

BOUND, INVARIANCE, INTERPOLATION = (
    next(claim for claim in theory.CLAIMS if claim.id.endswith(f".{name}")).explicit_bound
    for name in ("sample_size", "invariance", "interpolation_error")
)
FAILURE, START = 0.05, 0.25

RESOLUTION = 60
"""Cells along a side of the grid that bounds the fill distance in two dimensions."""

INSTANCES: Mapping[str, Callable[[], ControlInstance]] = {
    "stable scalar": scalar_stable,
    "unstable scalar": scalar_unstable,
    "rotation": rotation,
    "double integrator": double_integrator,
}


@functools.cache
def stability(name: str) -> tuple[float, float]:
    """Return (M, beta) of the expert's loop: exact for scalars, else certified for the largest admissible error."""
    instance = INSTANCES[name]()
    if instance.linear.n_states == 1:
        return 1.0, abs(float((instance.linear.A - instance.linear.B @ instance.gain)[0, 0]))
    from solvers.lipschitz_policies_lmi import best_growth_certificate

    found = best_growth_certificate(
        instance.linear, instance.gain, lambda growth, rate: (growth * START - 1.0) * (1.0 - rate) / growth
    )
    return found.growth, found.rate


@dataclass(frozen=True)
class Chain:
    """An instance by name, whether the policy is the central one, and the error of the measurement."""

    name: str
    central: bool
    zeta: float = 0.0

    @property
    def values(self) -> dict[str, float]:
        """Values of the symbols of the bound; the central policy counts as if L* were zero."""
        instance, (growth, rate) = INSTANCES[self.name](), stability(self.name)
        slope = float(np.linalg.norm(instance.gain, 2))
        gain = float(np.linalg.norm(instance.linear.B, 2))
        loop = {"beta": rate, "M": growth, "L_u": gain, "alpha": slope, "L": 0.0 if self.central else slope}
        cube = {"a": 2.0, "n": instance.linear.n_states, "r": 1.0, "r_0": START}
        return {**loop, **cube, "zeta": self.zeta, "delta": FAILURE}

    @property
    def samples(self) -> int:
        """Least N that meets the claim; N / ln(N / delta) increases from N = 1 on."""
        needed = BOUND.evaluate(**self.values)
        low, high = 0, 1
        while high / math.log(high / FAILURE) < needed:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if middle / math.log(middle / FAILURE) >= needed else (middle, high)
        return high


def largest_state(instance: ControlInstance, policy: EnvelopePolicy, zeta: float) -> float:
    """Return the largest norm over eight steps from states of the largest norm, with outward errors on one axis."""
    dimension = instance.linear.n_states
    states: FloatArray = START * np.concatenate([np.eye(dimension), -np.eye(dimension)])
    found = START
    for _ in range(8):
        seen = states + zeta * np.where(states[:, :1] < 0.0, -1.0, 1.0) * np.eye(dimension)[0]
        states = instance.plant.step(states, np.asarray(policy(seen)))
        found = max(found, float(np.linalg.norm(states, axis=1).max()))
    return found


def sample_size(
    chain: Chain, seeds: np.random.SeedSequence, runs: int, *, share: float = 1.0, logarithm: bool = True
) -> Sample:
    """Certified radius of the loop, or the largest state that is seen, for independent demonstrations."""
    rng = np.random.default_rng(seeds)
    instance, values = INSTANCES[chain.name](), chain.values
    expert, needed = LinearPolicy(instance.gain), chain.samples
    size = math.ceil(share * (needed if logarithm else BOUND.evaluate(**values)))
    radius = INVARIANCE.evaluate
    found = []
    for _ in range(runs):
        points = rng.uniform(-1.0, 1.0, (size, instance.linear.n_states))
        error = INTERPOLATION.evaluate(**values, h=2.0 * fill((points + 1.0) / 2.0, RESOLUTION))
        policy = EnvelopePolicy(points, expert(points)[:, 0], values["alpha"], "central" if chain.central else "upper")
        certified = radius(**values, omega=error + values["alpha"] * chain.zeta)
        found.append(max(certified, largest_state(instance, policy, chain.zeta)))
    return Sample(found, 1.0, nonvacuous_from=needed)


def chains(tier: Tier) -> Mapping[str, Callable[[], Chain]]:
    """Return scalar chains; with certificates by matrices from the full tier on."""
    listed = [("stable scalar", False, 0.2), ("unstable scalar", False, 0.0), ("unstable scalar", True, 0.1)]
    if tier != Tier.QUICK:
        listed += [("stable scalar", True, 0.0), ("rotation", False, 0.0), ("rotation", True, 0.0)]
    return {
        f"{name}, {'central' if central else 'any'}, zeta={zeta:g}": partial(Chain, name, central, zeta)
        for name, central, zeta in listed
    }


CHECKS = (
    Check(
        "lipschitz_policies.sample_size",
        MonteCarlo(chains, runs=Sizes(300, 250), block=Sizes(300, 250), delta=FAILURE),
        sample_size,
        (
            Mutant("no_logarithm", "N >= k^n demonstrations", {"logarithm": False}),
            Mutant("quarter", "a quarter of the demonstrations", {"share": 0.25}),
        ),
    ),
)
