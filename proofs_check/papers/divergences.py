r"""Checks of the divergences: dualities by exact primal and dual points, inequalities searched to their equality cases.

Instances of the searches are mappings of laws ``p``, ``q`` and functions ``f`` ``(n,)``, and of kernels ``(n, m)``.
"""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import sympy as sp

from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes
from proofs_check.methods.convex import Cones, ConicProgram, Convex, Optimum
from proofs_check.methods.exact import Exact
from proofs_check.methods.polynomial import Polynomial
from proofs_check.methods.search import Box, Maximiser, Search, Simplex, Space, Stochastic
from proofs_check.methods.symbolic import Inequality
from proofs_check.rigorous import relative_entropy
from theory.lemmas import divergences as theory

OUTCOMES = 3
FINE = 1e-13
"""Tolerance of comparisons whose sides may be far below one."""

Instance = Mapping[str, Any]
Law = tuple[Fraction, ...]


def maximiser(build: Callable[..., Any], **blocks: Any) -> Maximiser:
    """Return a climb that is cheap at the quick tier."""
    return Maximiser(Space(**blocks), build, Sizes(4, 32, 128), Sizes(250, 2_000))


def laws(p: FloatArray, q: FloatArray, margin: float, **more: Any) -> Instance:
    """Return an instance whose second law has full support; laws that differ by rounding only are made equal."""
    second = (1.0 - margin) * q + margin / q.size
    return {"p": second if np.abs(p - second).max() < 1e-9 else p, "q": second, **more}


LAWS = {"p": Simplex(OUTCOMES), "q": Simplex(OUTCOMES), "margin": Box(1e-6, 1.0, log=True)}
VALUES = Box(0.0, 1.0, (OUTCOMES,))


def coins(first: float, second: float, **more: Any) -> Instance:
    """Return two coins with these probabilities of the second outcome."""
    return {"p": np.array([1.0 - first, first]), "q": np.array([1.0 - second, second]), **more}


def total_variation(p: FloatArray, q: FloatArray) -> float:
    """Return half of the L1 distance."""
    return float(np.abs(p - q).sum()) / 2.0


def kl(p: FloatArray, q: FloatArray) -> float:
    """Return KL(p | q), accurate for close laws too: the sum of q ((1 + r) log(1 + r) - r) with r = p / q - 1."""
    change = p / q - 1.0
    small = np.abs(change) < 0.01
    series = change**2 * (1 / 2 - change * (1 / 6 - change * (1 / 12 - change * (1 / 20 - change / 30))))
    safe = np.where(small | (change <= -1.0), 0.0, change)
    exact = np.where(change <= -1.0, 1.0, (1.0 + safe) * np.log1p(safe) - safe)
    return float(q @ np.where(small, series, exact))


def chi_square(p: FloatArray, q: FloatArray) -> float:
    """Return the sum of (p - q)^2 / q."""
    return float(((p - q) ** 2 / q).sum())


def hellinger(p: FloatArray, q: FloatArray) -> float:
    """Return the squared Hellinger distance."""
    return float(((np.sqrt(p) - np.sqrt(q)) ** 2).sum())


# The chain of divergences


def pinsker(instance: Instance, *, constant: float = 2.0) -> Comparison:
    """Squared total variation against the relative entropy."""
    p, q = instance["p"], instance["q"]
    return Comparison(constant * total_variation(p, q) ** 2, kl(p, q), tolerance=FINE)


def bretagnolle_huber(instance: Instance, *, factor: float = 1.0, power: float = 1.0) -> Comparison:
    """Squared total variation against 1 - exp(-KL)."""
    p, q = instance["p"], instance["q"]
    return Comparison(factor * total_variation(p, q) ** 2, float(-np.expm1(-power * kl(p, q))), tolerance=FINE)


def chi_square_bound(instance: Instance, *, factor: float = 1.0) -> Iterator[Comparison]:
    """Relative entropy against log(1 + chi-square), and this against chi-square."""
    p, q = instance["p"], instance["q"]
    logarithm = float(np.log1p(chi_square(p, q)))
    yield Comparison(kl(p, q), factor * logarithm, where="logarithm", tolerance=FINE)
    yield Comparison(logarithm, chi_square(p, q), where="chi-square", tolerance=FINE)


def reverse_pinsker(instance: Instance, *, constant: float = 2.0) -> Comparison:
    """Relative entropy against total variation and the smallest mass."""
    p, q = instance["p"], instance["q"]
    bound = float(np.log1p(constant * total_variation(p, q) ** 2 / q.min()))
    return Comparison(kl(p, q), bound, tolerance=FINE)


def hellinger_lower(instance: Instance, *, factor: float = 2.0) -> Comparison:
    """Logarithm of the affinity against the relative entropy."""
    p, q = instance["p"], instance["q"]
    return Comparison(-factor * float(np.log1p(-hellinger(p, q) / 2.0)), kl(p, q), tolerance=FINE)


def hellinger_upper(instance: Instance, *, constant: float = 2.0) -> Comparison:
    """Relative entropy against the Hellinger distance."""
    p, q = instance["p"], instance["q"]
    bound = (constant + float(np.log((p / q).max()))) * hellinger(p, q)
    return Comparison(kl(p, q), bound, tolerance=FINE)


def hellinger_total_variation(instance: Instance, *, half: float = 0.5, quarter: float = 0.25) -> Iterator[Comparison]:
    """Total variation between its two bounds by the Hellinger distance."""
    p, q = instance["p"], instance["q"]
    distance, square = total_variation(p, q), hellinger(p, q)
    yield Comparison(half * square, distance, where="below", tolerance=FINE)
    yield Comparison(distance**2, square * (1.0 - quarter * square), where="above", tolerance=FINE)


def data_processing(instance: Instance, *, factor: float = 1.0, backwards: bool = False) -> Iterator[Comparison]:
    """Divergences after and before a kernel."""
    p, q, kernel = instance["p"], instance["q"], instance["kernel"]
    for name, divergence in (("TV", total_variation), ("KL", kl), ("chi-square", chi_square)):
        after, before = divergence(p @ kernel, q @ kernel), divergence(p, q)
        small, large = (before, after) if backwards else (after, before)
        yield Comparison(small, factor * large, where=name, tolerance=1e-9)


def _processed(p: FloatArray, q: FloatArray, margin: float, kernel: FloatArray) -> Instance:
    return laws(p, q, margin, kernel=0.99 * kernel + 0.01 / kernel.shape[1])


def chapman_robbins(instance: Instance, *, factor: float = 1.0) -> Comparison:
    """Squared difference of means against chi-square times variance."""
    p, q, f = instance["p"], instance["q"], instance["f"]
    spread = float(q @ (f - q @ f) ** 2)
    return Comparison(float((p - q) @ f) ** 2, factor * chi_square(p, q) * spread, tolerance=FINE)


NEAR_FAIR = partial(coins, 0.52, 0.5)
POINT_MASS = partial(coins, 0.0, 0.25)

CHAIN = (
    Check(
        "divergences.pinsker",
        Search(maximise=maximiser(laws, **LAWS), corners={"near a fair coin": NEAR_FAIR}),
        pinsker,
        (Mutant("constant", "2.02 instead of 2: equality in the limit at a fair coin", {"constant": 2.02}),),
    ),
    Check(
        "divergences.bretagnolle_huber",
        Search(maximise=maximiser(laws, **LAWS), corners={"almost disjoint": partial(coins, 0.0, 1.0 - 1e-4)}),
        bretagnolle_huber,
        (
            Mutant("factor", "1.01 TV^2: equality for laws that are almost disjoint", {"factor": 1.01}),
            Mutant("half", "KL / 2 in the exponent", {"power": 0.5}),
        ),
    ),
    Check(
        "divergences.chi_square",
        Search(maximise=maximiser(laws, **LAWS), corners={"point mass": POINT_MASS, "close": NEAR_FAIR}),
        chi_square_bound,
        (Mutant("factor", "0.99 log(1 + chi-square): equality for a point mass", {"factor": 0.99}),),
    ),
    Check(
        "divergences.reverse_pinsker",
        Search(maximise=maximiser(laws, **LAWS), corners={"point mass": partial(coins, 0.0, 0.5)}),
        reverse_pinsker,
        (Mutant("constant", "1.97 instead of 2: equality for a point mass and a fair coin", {"constant": 1.97}),),
    ),
    Check(
        "divergences.hellinger_lower",
        Search(maximise=maximiser(laws, **LAWS), corners={"point mass": POINT_MASS}),
        hellinger_lower,
        (Mutant("factor", "2.02 instead of 2: equality for a point mass", {"factor": 2.02}),),
    ),
    Check(
        "divergences.hellinger_upper",
        Search(maximise=maximiser(laws, **LAWS), corners={"close": partial(coins, 0.501, 0.5)}),
        hellinger_upper,
        (
            Mutant("constant", "1.98 instead of 2: the limit for close laws", {"constant": 1.98}),
            Mutant("one", "1 + log V instead of 2 + log V", {"constant": 1.0}),
        ),
    ),
    Check(
        "divergences.hellinger_total_variation",
        Search(
            maximise=maximiser(laws, **LAWS),
            corners={"disjoint": partial(coins, 0.0, 1.0), "exchanged": partial(coins, 0.3, 0.7)},
        ),
        hellinger_total_variation,
        (
            Mutant("half", "0.505 instead of 1/2: equality for disjoint laws", {"half": 0.505}),
            Mutant("quarter", "0.27 instead of 1/4: equality for exchanged masses", {"quarter": 0.27}),
        ),
    ),
    Check(
        "divergences.data_processing",
        Search(
            maximise=maximiser(_processed, **LAWS, kernel=Stochastic(OUTCOMES, 2)),
            corners={
                "nothing lost": partial(coins, 0.3, 0.6, kernel=np.eye(2)),
                "noise": partial(coins, 0.3, 0.6, kernel=np.array([[0.9, 0.1], [0.2, 0.8]])),
            },
        ),
        data_processing,
        (
            Mutant("factor", "0.99 times the divergence: equality if nothing is lost", {"factor": 0.99}),
            Mutant("backwards", "processing increases divergences", {"backwards": True}),
        ),
    ),
    Check(
        "divergences.chapman_robbins",
        Search(
            maximise=maximiser(laws, **LAWS, f=VALUES),
            corners={"likelihood ratio": partial(coins, 0.7, 0.4, f=np.array([0.0, 1.0]))},
        ),
        chapman_robbins,
        (Mutant("factor", "0.99 times chi-square: equality for the likelihood ratio", {"factor": 0.99}),),
    ),
)


# Dualities and identities


RATIONAL_LAWS: Mapping[str, tuple[Law, Law]] = {
    "two outcomes": ((Fraction(1, 4), Fraction(3, 4)), (Fraction(1, 2), Fraction(1, 2))),
    "three outcomes": (
        (Fraction(1, 6), Fraction(1, 3), Fraction(1, 2)),
        (Fraction(1, 2), Fraction(2, 5), Fraction(1, 10)),
    ),
    "four outcomes, a zero": (
        (Fraction(0), Fraction(1, 5), Fraction(3, 10), Fraction(1, 2)),
        (Fraction(1, 10), Fraction(1, 5), Fraction(2, 5), Fraction(3, 10)),
    ),
}
PAIRS = {name: partial(tuple, pair) for name, pair in RATIONAL_LAWS.items()}


def entropy_value(pair: tuple[Law, Law]) -> float:
    """Return KL(p | q) of rational laws."""
    p, q = pair
    return float(sum(float(a) * np.log(float(a / b)) for a, b in zip(p, q, strict=True) if a > 0))


def donsker_varadhan(pair: tuple[Law, Law], *, factor: float = 1.0, swapped: bool = False) -> Optimum:
    """Maximise p f over sum_i q_i z_i <= 1, exp(f_i) <= z_i; outcomes of mass zero under p are left out.

    Where p has no mass, f tends to minus infinity: there z = 0, which the programme has as a constant.
    """
    p, q = pair
    kept = [i for i, mass in enumerate(p) if mass > 0]
    n = len(kept)
    cost = [p[i] for i in kept] + [Fraction(0)] * n
    rows: list[list[Fraction]] = [[Fraction(0)] * n + [q[i] for i in kept]]
    right = [Fraction(1)]
    for k in range(n):
        exponent = [Fraction(0)] * (2 * n)
        exponent[k] = Fraction(-1)
        value = [Fraction(0)] * (2 * n)
        value[n + k] = Fraction(-1)
        rows += [exponent, [Fraction(0)] * (2 * n), value]
        right += [Fraction(0), Fraction(1), Fraction(0)]
    program = ConicProgram.of(cost, rows, right, Cones(nonneg=1, exp=n), maximise=True)
    return Optimum(program, factor * entropy_value((q, p) if swapped else pair))


def coupling(pair: tuple[Law, Law], *, factor: Fraction = Fraction(1, 2), complement: bool = False) -> Optimum:
    """Minimise the mass off the diagonal of a joint law with given marginals."""
    p, q = pair
    n = len(p)
    cells = list(product(range(n), repeat=2))
    cost = [int(i != j) for i, j in cells]
    rows = [[int(i == a) for i, _ in cells] for a in range(n)] + [[int(j == b) for _, j in cells] for b in range(n - 1)]
    rows += [[-int(cell == other) for other in cells] for cell in cells]
    right = [*p, *q[:-1], *[0] * len(cells)]
    program = ConicProgram.of(cost, rows, right, Cones(zero=2 * n - 1, nonneg=n * n))
    distance = factor * sum((abs(a - b) for a, b in zip(p, q, strict=True)), Fraction(0))
    return Optimum(program, 1 - distance if complement else distance)


def events(pair: tuple[Law, Law], *, half: Fraction = Fraction(1, 2)) -> Comparison:
    """Half of the L1 distance against the maximum over all events."""
    p, q = pair
    difference = [a - b for a, b in zip(p, q, strict=True)]
    best = max(
        sum((value for value, inside in zip(difference, event, strict=True) if inside), Fraction(0))
        for event in product((False, True), repeat=len(p))
    )
    return Comparison(half * sum((abs(value) for value in difference), Fraction(0)), best, "==")


Joint = tuple[Law, tuple[Law, ...]]
"""A law of X and the conditional laws of Y."""

JOINTS: Mapping[str, tuple[Joint, Joint]] = {
    "two by two": (
        ((Fraction(1, 3), Fraction(2, 3)), ((Fraction(1, 4), Fraction(3, 4)), (Fraction(1, 2), Fraction(1, 2)))),
        ((Fraction(1, 2), Fraction(1, 2)), ((Fraction(1, 5), Fraction(4, 5)), (Fraction(2, 3), Fraction(1, 3)))),
    ),
    "two by three, a zero": (
        (
            (Fraction(2, 5), Fraction(3, 5)),
            (RATIONAL_LAWS["three outcomes"][0], (Fraction(0), Fraction(1), Fraction(0))),
        ),
        ((Fraction(1, 7), Fraction(6, 7)), (RATIONAL_LAWS["three outcomes"][1], RATIONAL_LAWS["three outcomes"][0])),
    ),
}


def chain_rule(pair: tuple[Joint, Joint], *, average: int = 0) -> Iterator[Comparison]:
    """Relative entropy of the joint laws against that of the marginals and the mean of the conditional ones."""
    (p, p_given), (q, q_given) = pair
    joint = [tuple(a * b for a, row in zip(law, given, strict=True) for b in row) for law, given in pair]
    rest = relative_entropy(p, q)
    for mass, mine, theirs in zip((p, q)[average], p_given, q_given, strict=True):
        rest += relative_entropy(mine, theirs) * mass
    yield from relative_entropy(joint[0], joint[1]).equal(rest)


DUALITY = (
    Check(
        "divergences.donsker_varadhan",
        Convex({name: pair() for name, pair in PAIRS.items()}),
        donsker_varadhan,
        (
            Mutant("factor", "0.9999 KL", {"factor": 0.9999}),
            Mutant("larger", "1.0001 KL", {"factor": 1.0001}),
        ),
    ),
    Check(
        "divergences.coupling",
        Convex({name: pair() for name, pair in PAIRS.items()}),
        coupling,
        (
            Mutant("no_half", "the L1 distance without one half", {"factor": Fraction(1)}),
            Mutant("complement", "the probability of equality", {"complement": True}),
        ),
    ),
    Check(
        "divergences.events",
        Exact(PAIRS, per_unit=len(PAIRS)),
        events,
        (Mutant("no_half", "the L1 distance without one half", {"half": Fraction(1)}),),
    ),
    Check(
        "divergences.chain_rule",
        Exact({name: partial(tuple, pair) for name, pair in JOINTS.items()}, per_unit=len(JOINTS)),
        chain_rule,
        (Mutant("average", "conditional entropies averaged under q", {"average": 1}),),
    ),
)


# Means


def span_deviation(instance: Instance, *, half: float = 0.5) -> Comparison:
    """Difference of means against the span."""
    p, q, f = instance["p"], instance["q"], instance["f"] - instance["f"].min()
    return Comparison(abs(float((p - q) @ f)), float(np.ptp(f) * np.sqrt(half * kl(p, q))), tolerance=FINE)


def bernstein_variational(instance: Instance, *, linear: float = 1 / 3, square: float = 2.0) -> Comparison:
    """Excess of the mean under p of a function centred under q against its standard deviation under q."""
    p, q = instance["p"], instance["q"]
    above = instance["f"] - instance["f"].min()
    u = above - q @ above
    entropy = kl(p, q)
    bound = np.sqrt(square * float(q @ u**2) * entropy) + linear * float(u.max()) * entropy
    return Comparison(max(0.0, float((p - q) @ above)), float(bound), tolerance=FINE)


def true_mean(instance: Instance, *, factor: float = 1.0) -> Comparison:
    """Excess of the mean under q over that under p; x is factor times KL(p | q)."""
    p, q, f = instance["p"], instance["q"], instance["f"]
    half = f.max() * factor * kl(p, q) / 2.0
    empirical = float(p @ f)
    # (sqrt(h) + sqrt(h + m))^2 - m, without cancellation.
    bound = 2.0 * half + 2.0 * np.sqrt(half * (half + empirical))
    return Comparison(max(0.0, float((q - p) @ f)), float(bound), tolerance=FINE)


def empirical_mean(instance: Instance, *, linear: float = 1 / 3, square: float = 2.0) -> Comparison:
    """Excess of the mean under p over that under q."""
    p, q, f = instance["p"], instance["q"], instance["f"]
    radius = f.max() * kl(p, q)
    bound = np.sqrt(square * radius * float(q @ f)) + linear * radius
    return Comparison(max(0.0, float((p - q) @ f)), float(bound), tolerance=FINE)


def round_trip(instance: Instance, *, factor: float = 1.0, clipped: bool = True) -> Comparison:
    """Both sides less the true mean, with c_H from the claim."""
    p, q, f, steps = instance["p"], instance["q"], instance["f"], instance["H"]
    radius, largest, mean = kl(p, q), float(f.max()), float(q @ f)
    half = largest * radius / 2.0
    # The mean under p is written as mean plus difference, to lose no digits.
    excess = float((p - q) @ f) + 2.0 * half + 2.0 * np.sqrt(half * (half + float(p @ f)))
    lhs = min(largest - mean, float(excess)) if clipped else float(excess)
    constant = factor * float(theory.round_trip_constant(steps))
    growth = (2.0 / steps + 1.0 / steps**2) * mean
    return Comparison(max(0.0, lhs), growth + constant * largest * min(1.0, radius), tolerance=FINE)


def round_trip_scalar(*, factor: sp.Expr = sp.S.One) -> dict[str, Inequality]:
    """Return the bound on sqrt((q + 1)^2 + 2/3), which is what the left side contains, squared."""
    k = sp.Symbol("k", positive=True)
    q = sp.Symbol("q", nonnegative=True)
    where = (sp.Le(k, sp.Rational(1, 2)),)
    constant = factor * theory.round_trip_constant(1 / k)
    # (sqrt(1/2) + sqrt(5/6 + m + sqrt(2 m)))^2 = 4/3 + m + q + sqrt((q + 1)^2 + 2/3) for m = q^2 / 2.
    left = (1 + k) ** 2 * q**2 / 2 + constant - sp.Rational(4, 3) - q - q**2 / 2
    return {
        "sign": Inequality(sp.S.Zero, sp.factor(6 * k * left), where),
        "square": Inequality(
            sp.S.Zero, sp.expand((6 * k * left) ** 2 - 36 * k**2 * ((q + 1) ** 2 + sp.Rational(2, 3))), where
        ),
    }


RARE = 1e-3
RARE_EVENT = np.array([0.0, 1.0])


def rare(ratio: float, **more: Any) -> Instance:
    """Return p and q that give an event of small probability under q, ``ratio`` times that under p."""
    return coins(ratio * RARE, RARE, f=RARE_EVENT, **more)


MEANS = (
    Check(
        "divergences.span_deviation",
        Search(
            maximise=maximiser(laws, **LAWS, f=VALUES),
            corners={"near a fair coin": partial(NEAR_FAIR, f=np.array([0.0, 1.0]))},
        ),
        span_deviation,
        (Mutant("constant", "0.49 instead of 1/2: equality in the limit at a fair coin", {"half": 0.49}),),
    ),
    Check(
        "divergences.bernstein_variational",
        Search(
            maximise=maximiser(laws, **LAWS, f=VALUES),
            corners={"rare, doubled": partial(rare, 2.0), "rare, 1 percent up": partial(rare, 1.01)},
        ),
        bernstein_variational,
        (
            Mutant("linear", "0.3 instead of 1/3", {"linear": 0.3}),
            Mutant("square", "1.98 instead of 2 under the root", {"square": 1.98}),
        ),
    ),
    Check(
        "divergences.true_mean",
        Search(
            maximise=maximiser(laws, **LAWS, f=VALUES),
            corners={"rare, 1 percent down": partial(rare, 1 / 1.01), "rare, never seen": partial(rare, 0.0)},
        ),
        true_mean,
        (Mutant("factor", "0.97 KL instead of KL: equality in the limit of close laws", {"factor": 0.97}),),
    ),
    Check(
        "divergences.empirical_mean",
        Search(
            maximise=maximiser(laws, **LAWS, f=VALUES),
            corners={"rare, doubled": partial(rare, 2.0), "rare, 1 percent up": partial(rare, 1.01)},
        ),
        empirical_mean,
        (
            Mutant("linear", "0.3 instead of 1/3", {"linear": 0.3}),
            Mutant("square", "1.98 instead of 2 under the root", {"square": 1.98}),
        ),
    ),
    Check(
        "divergences.round_trip_scalar",
        Polynomial(squares=False),
        round_trip_scalar,
        (Mutant("factor", "0.95 c_H: the ratio tends to one for long horizons", {"factor": sp.Rational(19, 20)}),),
    ),
    Check(
        "divergences.round_trip",
        Search(
            maximise=maximiser(laws, **LAWS, f=VALUES, H=Box(2.0, 40.0, log=True)),
            corners={f"rare, H = {steps}": partial(rare, 1 + 2 / steps, H=float(steps)) for steps in (2, 10, 100)},
        ),
        round_trip,
        (Mutant("factor", "0.98 c_H: the ratio tends to one for long horizons", {"factor": 0.98}),),
    ),
)

CHECKS = (*CHAIN, *DUALITY, *MEANS)
