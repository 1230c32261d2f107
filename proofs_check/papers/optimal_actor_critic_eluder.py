"""Checks of eluder dimensions, numbers of actors, coverage and nets of optimistic actor-critics.

Eluder dimensions and the sequences that are worst for them are found by exhaustion, over the multisets of points that
a sequence has visited: what a function may do depends on nothing else. Classes have integer values, so that everything
but roots and logarithms is exact.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from itertools import product
from math import comb
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.base import Sizes
from proofs_check.methods.exact import Exact
from proofs_check.methods.search import Box, Maximiser, Search, Space
from proofs_check.methods.symbolic import Identity, Obligation, Symbolic
from proofs_check.papers.elliptical_potential import exact, form, fraction, minors, outer
from proofs_check.papers.optimal_actor_critic_tracking import ball

ONE, ZERO = Fraction(1), Fraction(0)
NEARLY = Fraction(99, 100)

Values = tuple[int, ...]
Vector = tuple[Fraction, ...]
Instance = Mapping[str, Any]


# Eluder dimensions


@dataclass(frozen=True)
class FunctionClass:
    """Functions on points ``[function][point]``; the points may be pairs of a state and one of some actions."""

    functions: tuple[Values, ...]
    n_actions: int = 1

    @property
    def size(self) -> int:
        """Number of points."""
        return len(self.functions[0])

    @property
    def reach(self) -> int:
        """Largest absolute value."""
        return max(abs(value) for values in self.functions for value in values)


def past(values: Values, visits: Values) -> int:
    """Return the sum of squares of a function over visited points."""
    return sum(count * value * value for count, value in zip(visits, values, strict=True))


@cache
def dimension(case: FunctionClass, epsilon: int) -> int:
    """Return the Dirac eluder dimension: the largest length over all accuracies of at least epsilon.

    Only accuracies that are epsilon or the root of a sum of squares over the past can be worst.
    """
    subsets = list(product((0, 1), repeat=case.size))
    levels = {past(values, subset) for values in case.functions for subset in subsets}
    return max(_longest(case, level) for level in {epsilon**2, *(v for v in levels if v > epsilon**2)})


def _longest(case: FunctionClass, level: int) -> int:
    """Return the length of the longest sequence of points, each independent of those before, at one accuracy."""

    @cache
    def length(visits: Values) -> int:
        allowed = [values for values in case.functions if past(values, visits) <= level]
        new = {i for values in allowed for i, value in enumerate(values) if value * value > level}
        return max((1 + length(_more(visits, i)) for i in new), default=0)

    return length((0,) * case.size)


@cache
def most_often_large(case: FunctionClass, beta: int, epsilon: int) -> int:
    """Return how often functions with a past of at most beta can exceed epsilon, over all sequences."""

    @cache
    def times(visits: Values) -> int:
        allowed = [values for values in case.functions if past(values, visits) <= beta]
        large = {i for values in allowed for i, value in enumerate(values) if abs(value) > epsilon}
        return max((1 + times(_more(visits, i)) for i in large), default=0)

    return times((0,) * case.size)


@cache
def largest_sum(case: FunctionClass, beta: int, rounds: int, power: int) -> int:
    """Return the largest sum of powers of abs(phi_t(x_t)) with pasts of at most beta, over all sequences."""

    @cache
    def largest(visits: Values, left: int) -> int:
        if left == 0:
            return 0
        allowed = [values for values in case.functions if past(values, visits) <= beta]
        gains = [max((abs(values[i]) for values in allowed), default=0) for i in range(case.size)]
        return max(gain**power + largest(_more(visits, i), left - 1) for i, gain in enumerate(gains))

    return largest((0,) * case.size, rounds)


def _more(visits: Values, point: int) -> Values:
    return tuple(count + (i == point) for i, count in enumerate(visits))


def indicators(n_points: int, height: int = 1, n_actions: int = 1) -> FunctionClass:
    """Return the multiples of the indicators of all points."""
    return FunctionClass(tuple(tuple(height * (i == j) for j in range(n_points)) for i in range(n_points)), n_actions)


def random_classes(count: int, n_points: int) -> tuple[FunctionClass, ...]:
    """Return classes of two to five functions with values from 0 to 4."""
    rng = random.Random(n_points)
    sizes = [rng.randint(2, 5) for _ in range(count)]
    return tuple(
        FunctionClass(tuple(tuple(rng.randint(0, 4) for _ in range(n_points)) for _ in range(size))) for size in sizes
    )


def eluder_points(classes: tuple[FunctionClass, ...], *, states: bool = False, fewer: int = 0) -> Iterator[Comparison]:
    """Dimensions at accuracies 0 and 1 against the number of points, or of states."""
    for index, functions in enumerate(classes):
        bound = functions.size // (functions.n_actions if states else 1) - fewer
        for epsilon in (0, 1):
            yield Comparison(dimension(functions, epsilon), bound, where=f"class {index}, epsilon {epsilon}")
        if functions == indicators(functions.size, functions.reach, functions.n_actions):
            yield Comparison(dimension(functions, 0), functions.size, "==", where=f"class {index}, indicators")


def eluder_count(
    classes: tuple[FunctionClass, ...], *, extra: Fraction = ONE, states: bool = False
) -> Iterator[Comparison]:
    """Numbers of large values over all sequences against (beta / epsilon^2 + 1) times the dimension.

    Epsilon is one less than the largest value, and 1 where that is small; beta is four largest squares, and one less.
    """
    for index, functions in enumerate(classes):
        top = functions.reach
        for epsilon in {max(1, top - 1), 1 if top < 10 else top - 1}:
            for beta in {4 * top**2, 4 * top**2 - 1} if top >= 10 else {3, 2 * top**2}:
                d = dimension(functions, epsilon) // (functions.n_actions if states else 1)
                bound = (Fraction(beta, epsilon**2) + extra) * d
                place = f"class {index}, beta {beta}, epsilon {epsilon}"
                yield Comparison(most_often_large(functions, beta, epsilon), bound, where=place)


@dataclass(frozen=True)
class Extremal:
    """Points in turn, with functions that are as large there as their past allows: beta = C = 1, accuracy -> 0."""

    size: int
    rounds: int

    def sums(self) -> tuple[Any, Any]:
        """Return the sum of the values and of their squares."""
        visits = self.rounds // self.size
        values = sum((1 / arb(k).sqrt() for k in range(1, visits)), arb(1))
        squares = sum((1 / arb(k) for k in range(1, visits)), arb(1))
        return self.size * values, self.size * squares


def eluder_pigeonhole(
    case: tuple[FunctionClass, ...] | Extremal, *, root: Fraction = Fraction(2), squared: Fraction = ONE
) -> Iterator[BallComparison]:
    """Largest sums of values and squares over all sequences of the class, or of one long sequence."""
    if isinstance(case, Extremal):
        values, squares = case.sums()
        yield from _pigeonhole(values, squares, (0, case.size, 1, 1, case.rounds), (root, squared), "one sequence")
        return
    for index, functions in enumerate(case):
        for omega, beta, rounds in ((1, 2, 5), (1, 9, 6)):
            values, squares = (ball(largest_sum(functions, beta, rounds, power)) for power in (1, 2))
            sizes = (omega, dimension(functions, omega), functions.reach, beta, rounds)
            yield from _pigeonhole(values, squares, sizes, (root, squared), f"class {index}, beta {beta}")


def _pigeonhole(
    values: Any, squares: Any, sizes: tuple[int, int, int, int, int], factors: tuple[Fraction, Fraction], where: str
) -> Iterator[BallComparison]:
    omega, d, reach, beta, rounds = sizes
    root, squared = (ball(factor) for factor in factors)
    first = min(rounds, d)
    bound = omega * rounds + first * reach + root * arb(d * beta * rounds).sqrt()
    yield BallComparison(values, bound, where=f"{where}, values")
    bound = omega**2 * rounds + first * reach**2 + squared * d * beta * (1 + arb(rounds).log())
    yield BallComparison(squares, bound, where=f"{where}, squares")


# Numbers of actors


@dataclass(frozen=True)
class Critics:
    """Scores of critics in one state, affinely independent up to constants, and a number of episodes."""

    scores: tuple[Values, ...]
    episodes: int

    def resets(self) -> int:
        """Return the number of actors j f up to a number of episodes j."""
        return len({_law([j * f for f in critic]) for critic in self.scores for j in range(1, self.episodes + 1)})

    def sums(self) -> int:
        """Return the number of actors after all sequences of critics."""
        sequences = product(self.scores, repeat=self.episodes)
        return len({_law([sum(column) for column in zip(*chosen, strict=True)]) for chosen in sequences})


def _law(scores: list[int]) -> Values:
    """Return what a softmax depends on: differences of scores."""
    return tuple(score - scores[0] for score in scores)


def actor_class(case: Critics, *, linear: bool = False, choices: int = 1) -> Iterator[Comparison]:
    """Numbers of actors with and without resets."""
    t, size = case.episodes, len(case.scores)
    yield Comparison(case.resets(), t * size, where="with resets")
    if linear:
        yield Comparison(case.sums(), t * size, where="without resets")
    else:
        yield Comparison(case.sums(), comb(t + size - choices, t), "==", where="without resets")


def multisets(*, choices: int = 1) -> dict[str, Obligation]:
    """Return that the claimed number of multisets of t critics out of k obeys its recursion and its initial values.

    A multiset of t + 1 critics lacks the last critic, or has it and t more. Divided by the number for t and k.
    """
    t, k = sp.symbols("t k", integer=True, positive=True)

    def number(size: sp.Expr, critics: sp.Expr) -> sp.Expr:
        return sp.binomial(size + critics - choices, size)

    lacking, following = (sp.gammasimp(number(t + 1, c) / number(t, k)) for c in (k - 1, k))
    return {
        "recursion": Identity(following, lacking + 1),
        "no critic yet": Identity(number(sp.S.Zero, k), sp.S.One),
        "one critic": Identity(sp.expand_func(number(t, sp.S.One)), sp.S.One),
    }


# Coverage


@dataclass(frozen=True)
class Coverage:
    """Features of pairs, an optimal and an offline law on them."""

    features: tuple[Vector, ...]
    optimal: Vector
    offline: Vector

    def covariance(self, law: Vector) -> Any:
        """Return E phi phi' as an exact matrix."""
        parts = [outer(phi) * exact([[mass]])[0, 0] for phi, mass in zip(self.features, law, strict=True)]
        return sum(parts[1:], parts[0])

    @property
    def density(self) -> Fraction:
        """Largest ratio of the laws."""
        return max(p / q for p, q in zip(self.optimal, self.offline, strict=True))

    def spectrum(self) -> tuple[Fraction, Vector]:
        """Return a rational number just above the largest generalised eigenvalue, and a direction close to its own."""
        from scipy.linalg import eigh

        size = len(self.features[0])
        tables = (
            [[float(fraction(self.covariance(law)[i, j])) for j in range(size)] for i in range(size)]
            for law in (self.optimal, self.offline)
        )
        values, vectors = eigh(*tables)
        above = Fraction(int(values[-1] * 10**6) + 2, 10**6)
        return above, tuple(Fraction(round(1000 * float(x)), 1000) for x in vectors[:, -1])


def concentrability_order(case: Coverage, *, density: Fraction = ONE, spectral: Fraction = ONE) -> Iterator[Comparison]:
    """Definiteness of c Sigma_mu - Sigma* for the largest ratio c, and ratios of residuals against an upper bound.

    That the bound is one on the largest eigenvalue is part of the comparisons.
    """
    optimal, offline = case.covariance(case.optimal), case.covariance(case.offline)
    above, top = case.spectrum()
    for name, scale in (("density", density * case.density), ("spectrum", spectral * above)):
        for place, minor in minors(offline * exact([[scale]])[0, 0] - optimal):
            yield Comparison(ZERO, minor, where=f"{name}, {place}")
    size = len(case.features[0])
    for theta in (top, *(tuple(Fraction(int(i == j)) for j in range(size)) for i in range(size))):
        where = f"residual {theta}"
        yield Comparison(form(optimal, theta), spectral * above * form(offline, theta), where=where)


def concentrability_width(
    case: Coverage, *, jensen: Fraction = ONE, samples: Fraction = ONE, size: int = 10_000
) -> Iterator[BallComparison]:
    """Mean width, and trace for a covariance I + N Sigma_mu / 2 with N = 10000."""
    d = len(case.features[0])
    identity = exact([[Fraction(int(i == j)) for j in range(d)] for i in range(d)])
    inverse = (identity + case.covariance(case.offline) * exact([[Fraction(size, 2)]])[0, 0]).inv()
    widths = (ball(p) * ball(form(inverse, phi)).sqrt() for phi, p in zip(case.features, case.optimal, strict=True))
    product_matrix = case.covariance(case.optimal) * inverse
    trace = sum((fraction(product_matrix[i, i]) for i in range(d)), ZERO)
    yield BallComparison(sum(widths, arb(0)), ball(jensen) * ball(trace).sqrt(), where="width")
    above, _ = case.spectrum()
    yield BallComparison(ball(trace), ball(samples * above * 2 * d / size), where="trace")


def _law_of(*weights: int) -> Vector:
    return tuple(Fraction(weight, sum(weights)) for weight in weights)


def _mixed(*rows: tuple[int, ...]) -> tuple[Vector, ...]:
    return tuple(_law_of(*row) for row in rows)


COVERED: Mapping[str, Callable[[], Coverage]] = {
    "nearly uniform indicators": partial(
        Coverage,
        _mixed((1, 0, 0), (0, 1, 0), (0, 0, 1)),
        _law_of(1000, 1001, 1002),
        _law_of(1000, 1001, 1002),
    ),
    "indicators, half of the coverage": partial(
        Coverage, _mixed((1, 0, 0), (0, 1, 0), (0, 0, 1)), _law_of(2, 1, 1), _law_of(1, 1, 2)
    ),
    "five pairs, two features": partial(
        Coverage, _mixed((1, 0), (0, 1), (1, 1), (3, 1), (1, 4)), _law_of(0, 0, 1, 5, 0), _law_of(4, 4, 1, 1, 2)
    ),
    "four pairs, three features": partial(
        Coverage, _mixed((1, 0, 0), (1, 2, 0), (1, 1, 3), (0, 1, 1)), _law_of(3, 1, 1, 0), _law_of(1, 2, 3, 4)
    ),
}


# Nets


def net_distance(instance: Instance, *, factor: float = 1.0, frobenius: float = 1.0) -> Comparison:
    """Difference of two clipped optimistic values, the largest over two actions, against that of their parameters."""
    norms = np.linalg.norm(instance["phi"], axis=1, keepdims=True)
    phi = instance["phi"] / np.maximum(1.0, norms)
    first, second = ((instance[w], instance[m] @ instance[m].T) for w, m in (("w", "m"), ("v", "k")))

    def value(weights: FloatArray, matrix: FloatArray) -> float:
        bonus = np.sqrt(np.maximum(np.einsum("ai,ij,aj->a", phi, matrix, phi), 0.0))
        return float(np.clip(phi @ weights + bonus, 0.0, 3.0).max())

    distance = float(np.linalg.norm(first[0] - second[0]))
    spread = float(np.sqrt(np.linalg.norm(first[1] - second[1])))
    return Comparison(abs(value(*first) - value(*second)), factor * distance + frobenius * spread)


def _linear(weight: float, bonus: float) -> Instance:
    zero = np.zeros((2, 2))
    return {
        "phi": np.array([[1.0, 0.0], [0.0, 0.0]]),
        "w": np.array([weight, 0.0]),
        "v": np.zeros(2),
        "m": np.array([[bonus, 0.0], [0.0, 0.0]]),
        "k": zero,
    }


RANDOM = {f"12 classes on {n} points": partial(random_classes, 12, n) for n in (2, 3)}
PAIRS = {"indicators of two states and two actions": lambda: (indicators(4, 1, 2),)}
TALL = {"two tall indicators": lambda: (indicators(2, 1001, 2),)}

ELUDER = (
    Check(
        "optimal_actor_critic.eluder_points",
        Exact({**RANDOM, **PAIRS}, per_unit=3),
        eluder_points,
        (
            Mutant("states", "the number of states: indicators of pairs have dimension S A", {"states": True}),
            Mutant("fewer", "one point less", {"fewer": 1}),
        ),
    ),
    Check(
        "optimal_actor_critic.eluder_count",
        Exact({**RANDOM, **TALL}, per_unit=3),
        eluder_count,
        (
            Mutant("extra", "0.99 instead of 1 next to beta / epsilon^2", {"extra": NEARLY}),
            Mutant("states", "the dimension divided by the number of actions", {"states": True}),
        ),
    ),
    Check(
        "optimal_actor_critic.eluder_pigeonhole",
        Balls({**RANDOM, "extremal sequence": partial(Extremal, 4, 100_000)}),
        eluder_pigeonhole,
        (
            Mutant("root", "1.98 instead of 2: 1263.06 > 1256.28", {"root": Fraction(198, 100)}),
            Mutant("squares", "0.85 of the logarithm", {"squared": Fraction(85, 100)}),
        ),
    ),
)

CLASSES = (
    Check(
        "optimal_actor_critic.actor_class",
        Symbolic(),
        multisets,
        (Mutant("choices", "binomial coefficient of t + |F| - 2", {"choices": 2}),),
        name="multisets",
    ),
    Check(
        "optimal_actor_critic.actor_class",
        Exact(
            {
                **{
                    f"three critics, {t} episodes": partial(Critics, ((0, 2, 3), (0, 5, 7), (0, 11, 2)), t)
                    for t in range(1, 7)
                },
                "two critics, 8 episodes": partial(Critics, ((0, 1), (0, 3)), 8),
                "four critics, 4 episodes": partial(
                    Critics, ((0, 1, 2, 3), (0, 5, 1, 7), (0, 2, 9, 1), (0, 4, 4, 11)), 4
                ),
            },
            per_unit=8,
        ),
        actor_class,
        (
            Mutant("linear", "t |F| actors without resets: 15 > 12 for |F| = 3, t = 4", {"linear": True}),
            Mutant("choices", "binomial coefficient of t + |F| - 2", {"choices": 2}),
        ),
    ),
    Check(
        "optimal_actor_critic.concentrability_order",
        Exact(COVERED, per_unit=len(COVERED)),
        concentrability_order,
        (
            Mutant("density", "0.999 of the largest ratio: equality for indicators", {"density": Fraction(999, 1000)}),
            Mutant("spectral", "0.999 of the largest eigenvalue", {"spectral": Fraction(999, 1000)}),
        ),
    ),
    Check(
        "optimal_actor_critic.concentrability_width",
        Balls(COVERED),
        concentrability_width,
        (
            Mutant("jensen", "0.999 of the root of the trace", {"jensen": Fraction(999, 1000)}),
            Mutant("samples", "0.999 of the bound on the trace", {"samples": Fraction(999, 1000)}),
        ),
    ),
    Check(
        "optimal_actor_critic.net_distance",
        Search(
            maximise=Maximiser(
                Space(
                    phi=Box(-1.0, 1.0, (2, 2)),
                    w=Box(-1.0, 1.0, (2,)),
                    v=Box(-1.0, 1.0, (2,)),
                    m=Box(-1.0, 1.0, (2, 2)),
                    k=Box(-1.0, 1.0, (2, 2)),
                ),
                dict,
                Sizes(1, 32, 128),
                Sizes(60, 2_000),
            ),
            corners={"weights": partial(_linear, 1.0, 0.0), "matrices": partial(_linear, 0.0, 1.0)},
        ),
        net_distance,
        (
            Mutant("weights", "0.99 of the distance of the weights", {"factor": 0.99}),
            Mutant("matrices", "0.99 of the root of the distance of the matrices", {"frobenius": 0.99}),
        ),
    ),
)

CHECKS = (*ELUDER, *CLASSES)
