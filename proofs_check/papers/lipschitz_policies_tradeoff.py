r"""Checks of what the Lipschitz constant trades off: bias against disturbance, nominal cost against sensitivity.

Experts are piecewise linear on a line, so that their moduli of continuity are attained at knots and rational.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial

import numpy as np
import sympy as sp

from mdps.control_instances import double_integrator, rotation, scalar_stable, scalar_unstable
from proofs_check.engine import Check, Control, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.base import Tier
from proofs_check.methods.exact import Exact
from proofs_check.methods.polynomial import Polynomial
from proofs_check.methods.symbolic import Identity, Inequality, Obligation, Symbolic
from proofs_check.papers.lipschitz import Vector
from proofs_check.papers.lipschitz_policies import positive
from solvers.lipschitz_policies_certificates import measurement_gain

ZERO, ONE, HALF = Fraction(0), Fraction(1), Fraction(1, 2)


@dataclass(frozen=True)
class Expert:
    """A scalar expert on [0, 1], linear between its values at the points i / (number of pieces)."""

    values: Vector

    @property
    def step(self) -> Fraction:
        """Distance of the knots."""
        return Fraction(1, len(self.values) - 1)

    @cached_property
    def modulus(self) -> list[Fraction]:
        """Omega at the multiples of the step; for a piecewise linear expert the knots suffice."""
        largest, found = ZERO, []
        for gap in range(len(self.values)):
            pairs = zip(self.values, self.values[gap:], strict=False)
            largest = max(largest, *(abs(u - v) for u, v in pairs))
            found.append(largest)
        return found

    def majorant(self, at: Fraction) -> Fraction:
        """Return the least concave majorant of the modulus by its chords."""
        found = ZERO
        for i, j in itertools.combinations_with_replacement(range(len(self.modulus)), 2):
            low, high = self.step * i, self.step * j
            if i == j and low <= at:
                found = max(found, self.modulus[i])
            elif low <= at <= high and i < j:
                weight = (at - low) / (high - low)
                found = max(found, (1 - weight) * self.modulus[i] + weight * self.modulus[j])
        return found

    def bias(self, alpha: Fraction) -> Fraction:
        """Return e(alpha); |pi(x) - pi(y)| - alpha |x - y| is largest at knots."""
        return max(positive(omega - alpha * self.step * k) for k, omega in enumerate(self.modulus)) / 2


def random_expert(seed: int, pieces: int) -> Expert:
    """Return an expert without structure."""
    rng = random.Random(seed)
    return Expert(tuple(Fraction(rng.randint(-8, 8), 8) for _ in range(pieces + 1)))


def staircase(stairs: int, pieces: int) -> Expert:
    """Return stairs of height 1, each rising on the first of its pieces only."""
    values = [ZERO]
    for _ in range(stairs):
        values += [values[-1] + 1] * pieces
    return Expert(tuple(values))


EXPERTS: Mapping[str, Callable[[], Expert]] = {
    "one steep piece": lambda: Expert((ZERO, ZERO, ZERO, ONE, ONE, ONE, ONE)),
    "linear": lambda: Expert(tuple(Fraction(i, 4) for i in range(9))),
    "stairs": partial(staircase, 2, 7),
    "random 1": partial(random_expert, 1, 8),
    "random 2": partial(random_expert, 2, 7),
}


def modulus_majorant(expert: Expert, *, factor: Fraction = Fraction(2)) -> Iterator[Comparison]:
    """The modulus, its majorant, and twice the modulus, at the knots."""
    for k, omega in enumerate(expert.modulus):
        above = expert.majorant(expert.step * k)
        yield Comparison(omega, above, where=f"majorant at {k}")
        yield Comparison(above, factor * omega, where=f"twice the modulus at {k}")


def modulus_tradeoff(expert: Expert, *, concave: bool = True, doubled: int = 2) -> Iterator[Comparison]:
    """The least value of e(alpha) + alpha s over all breakpoints of e, s being half a knot, and where it is taken."""
    knots = [(expert.step * k, omega) for k, omega in enumerate(expert.modulus)]
    slopes = {ZERO, *(omega / d for d, omega in knots[1:])}
    slopes |= {(w - v) / (d - c) for (c, v), (d, w) in itertools.combinations(knots, 2)}
    nearby = expert.step / 1000
    for k, (distance, omega) in enumerate(knots):
        s = distance / 2
        least = min(expert.bias(alpha) + alpha * s for alpha in slopes if alpha >= 0)
        value = expert.majorant(doubled * s) if concave else omega
        yield Comparison(least, value / 2, "==", where=f"s = {s}")
        if k + 1 < len(knots):
            alpha = (expert.majorant(distance + nearby) - expert.majorant(distance)) / nearby
            yield Comparison(expert.bias(alpha) + alpha * s, least, "==", where=f"slope of the majorant at {distance}")


def measurement_lower_bound(expert: Expert, *, half: Fraction = HALF, seed: int = 1) -> Iterator[Comparison]:
    """Errors of the midrange policy (attained) and of arbitrary policies of the measurement.

    Measurements are multiples of half the step, with errors of up to k / 2 steps.
    """
    rng = random.Random(seed)
    size = len(expert.values)
    for k in range(1, min(size, 6)):
        bound = half * expert.modulus[k]

        def worst(policy: Callable[[int], Fraction], k: int = k) -> Fraction:
            return max(abs(policy(z) - u) for i, u in enumerate(expert.values) for z in range(2 * i - k, 2 * i + k + 1))

        def midrange(z: int, k: int = k) -> Fraction:
            near = [u for i, u in enumerate(expert.values) if abs(2 * i - z) <= k]
            return (max(near) + min(near)) / 2

        table = {z: Fraction(rng.randint(-8, 8), 8) for z in range(-size, 3 * size)}
        yield Comparison(worst(midrange), bound, "==", where=f"midrange policy, zeta = {k} half steps")
        yield Comparison(worst(table.__getitem__), bound, ">=", where=f"arbitrary policy, zeta = {k} half steps")


# Peak gain


def peak_gain(*, sign: int = 1, steady: bool = False) -> dict[str, Obligation]:
    """Return the derivative of the gain and the fixed point of its partial sums, with a = c + b k, 0 <= c < 1."""
    a, b, k = sp.Symbol("a", positive=True), sp.Symbol("b", positive=True), sp.Symbol("k", positive=True)
    loop = sp.Symbol("c", nonnegative=True)
    where = (sp.Lt(loop, 1),)
    gain = b * k / (1 - a + (0 if steady else b * k))
    slope = sign * b * (1 - a) / (1 - a + b * k) ** 2

    def closed(expr: sp.Expr) -> sp.Expr:
        return expr.subs(a, loop + b * k)

    return {
        "fixed point of the partial sums": Identity(closed((a - b * k) * gain + b * k), closed(gain), where),
        "derivative": Identity(closed(sp.diff(gain, k)), closed(slope), where),
    }


def monotone_tradeoff(*, stable: bool = False) -> Inequality:
    """Return g(k) <= g(k') for k <= k', optionally for plants that are stable without feedback."""
    a, b = sp.Symbol("a", positive=True), sp.Symbol("b", positive=True)
    low, more = sp.Symbol("k", nonnegative=True), sp.Symbol("more", nonnegative=True)
    high = low + more
    where = (sp.Ge(a - b * high, 0), sp.Lt(a - b * low, 1), *((sp.Le(a, 1),) if stable else ()))
    gains = [b * k / (1 - a + b * k) for k in (low, high)]
    return Inequality(gains[0], gains[1], where)


def gain_figure(tier: Tier) -> Json:
    """Peak gain from the measurement error to the state for shares of the expert's gain, for four plants."""
    shares = np.linspace(0.3, 1.2, 10 if tier == Tier.QUICK else 37)
    plants = {
        "scalar, a = 0.9": scalar_stable(),
        "scalar, a = 1.2": scalar_unstable(),
        "rotation": rotation(),
        "double integrator": double_integrator(),
    }
    return {
        "kind": "curves",
        "title": "Sensitivity to errors of the measurement",
        "xlabel": "alpha / L*",
        "ylabel": "peak gain",
        "xscale": "linear",
        "caption": "Exact peak gain of u = -s K (x + delta): it rises with the Lipschitz constant for stable "
        "plants and falls for an unstable one; that of the double integrator has its minimum inside.",
        "curves": [
            {
                "label": label,
                "x": shares,
                "y": [measurement_gain(instance.linear, s * instance.gain) for s in shares],
            }
            for label, instance in plants.items()
        ],
    }


CHECKS = (
    Check(
        "lipschitz_policies.modulus_majorant",
        Exact(EXPERTS, per_unit=5),
        modulus_majorant,
        (Mutant("factor", "1.8 in the place of 2", {"factor": Fraction(9, 5)}),),
    ),
    Check(
        "lipschitz_policies.modulus_tradeoff",
        Exact(EXPERTS, per_unit=5),
        modulus_tradeoff,
        (
            Mutant("modulus", "half the modulus itself is attained by Lipschitz policies", {"concave": False}),
            Mutant("undoubled", "the majorant at s in the place of 2 s", {"doubled": 1}),
        ),
    ),
    Check(
        "lipschitz_policies.measurement_lower_bound",
        Exact(EXPERTS, per_unit=5),
        measurement_lower_bound,
        (
            Mutant("constant", "0.51 in the place of one half", {"half": Fraction(51, 100)}),
            Mutant("whole", "the whole modulus", {"half": ONE}),
        ),
    ),
    Check(
        "lipschitz_policies.peak_gain",
        Symbolic(),
        peak_gain,
        (
            Mutant("sign", "the gain falls with k for stable plants", {"sign": -1}),
            Mutant("open_loop", "the sum of the powers of a", {"steady": True}),
        ),
    ),
    Check(
        "lipschitz_policies.monotone_tradeoff",
        Polynomial(),
        monotone_tradeoff,
        (Control("stable_plants", "the same for plants that are stable without feedback", {"stable": True}),),
        figure=gain_figure,
    ),
)
