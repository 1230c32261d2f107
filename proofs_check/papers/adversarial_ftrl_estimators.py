r"""Checks of the estimators in adversarial MDPs: importance weighting, linear estimates, covariances.

Moments are compared exactly, by enumeration of the trajectories of rational models, of the atoms of rational laws or of
sequences of draws. Losses take the place of the rewards of `mdps.rational.RationalMDP`.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy as sp

from mdps.rational import RationalMDP
from mdps.validation import FloatArray
from proofs_check.cases import CASES, Case
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes
from proofs_check.methods.exact import Exact, trajectories
from proofs_check.methods.search import Box, Maximiser, Search, Simplex, Space
from proofs_check.methods.symbolic import Inequality, Symbolic
from solvers import adversarial_ftrl_parameters as parameters
from solvers import rational_planning as planning
from theory import adversarial_ftrl as theory
from theory.adversarial_ftrl_parameters import QUARTER

Staged = Sequence[Sequence[Sequence[Fraction]]]
Instance = Mapping[str, Any]
Matrix = list[list[Fraction]]

SMALL_CASES = {
    name: CASES[name] for name in ("one of everything", "extreme", "random S=2 A=2 H=2 #1", "random S=3 A=2 H=3 #2")
}
"""Cases whose trajectories are few enough to be enumerated."""

ZERO, ONE = Fraction(0), Fraction(1)
TENTH = Fraction(1, 10)
NINE_NINETY = Fraction(99, 100)


def maximiser(build: Callable[..., Any], **blocks: Any) -> Maximiser:
    """Return a climb that is cheap at the quick tier."""
    return Maximiser(Space(**blocks), build, Sizes(4, 32, 128), Sizes(200, 2_000))


# Importance weighting


@dataclass(frozen=True)
class Weighted:
    """Enumerated moments of L_h on {(s_h, a_h) = (s, a)}, each ``[h][s][a]``."""

    first: dict[tuple[int, int, int], Fraction]
    second: dict[tuple[int, int, int], Fraction]


def enumerate_moments(mdp: RationalMDP, policy: Staged) -> Weighted:
    """Sum the losses to go and their squares over all trajectories through each pair."""
    first: dict[tuple[int, int, int], Fraction] = {}
    second: dict[tuple[int, int, int], Fraction] = {}
    for path in trajectories(mdp, policy):
        tail = path.total
        for h, (s, a) in enumerate(zip(path.states, path.actions, strict=True)):
            first[h, s, a] = first.get((h, s, a), ZERO) + path.probability * tail
            second[h, s, a] = second.get((h, s, a), ZERO) + path.probability * tail**2
            tail -= path.rewards[h]
    return Weighted(first, second)


def second_moments(mdp: RationalMDP, policy: Staged, table: Staged, cross: int) -> Staged:
    """Return E[L_h^2 | s, a] by backward induction, l^2 + ``cross`` l E V' + E V2'."""
    squares: list[list[list[Fraction]]] = []
    mean, square = [ZERO] * mdp.n_states, [ZERO] * mdp.n_states
    for h in reversed(range(mdp.horizon)):
        kernel, losses = mdp.transitions[h % len(mdp.transitions)], mdp.rewards[h % len(mdp.rewards)]
        rows = []
        for s in range(mdp.n_states):
            row = []
            for a in range(mdp.n_actions):
                ahead = sum((p * v for p, v in zip(kernel[s][a], mean, strict=True)), ZERO)
                ahead_square = sum((p * v for p, v in zip(kernel[s][a], square, strict=True)), ZERO)
                row.append(losses[s][a] ** 2 + cross * losses[s][a] * ahead + ahead_square)
            rows.append(row)
        squares.append(rows)
        laws = policy[h]
        square = [sum((p * q for p, q in zip(laws[s], rows[s], strict=True)), ZERO) for s in range(mdp.n_states)]
        mean = [sum((p * q for p, q in zip(laws[s], table[h][s], strict=True)), ZERO) for s in range(mdp.n_states)]
    return squares[::-1]


def implicit_exploration(
    case: Case, *, optimistic: bool = True, cross: int = 2, bias: Fraction = ONE, squared: bool = False
) -> Iterator[Comparison]:
    """Moments of the estimate by enumeration against their formulas and bounds."""
    mdp, policy = case.mdp, case.policy
    table = planning.q_values(mdp, planning.evaluate(mdp, policy))
    visits, moments = planning.occupancy(mdp, policy), enumerate_moments(mdp, policy)
    squares = second_moments(mdp, policy, table, cross)
    for h, s, a in itertools.product(range(mdp.horizon), range(mdp.n_states), range(mdp.n_actions)):
        q, left, where = visits[h][s][a], mdp.horizon - h, f"h={h} s={s} a={a}"
        below = q + TENTH
        mean = moments.first.get((h, s, a), ZERO) / below
        second = moments.second.get((h, s, a), ZERO) / below**2
        yield Comparison(mean, table[h][s][a] * q / below, "==", where)
        yield Comparison(mean, table[h][s][a], "<=" if optimistic else ">=", where)
        yield Comparison(table[h][s][a] - mean, bias * TENTH * left / below, "<=", where)
        yield Comparison(second, q * squares[h][s][a] / below**2, "==", where)
        yield Comparison(second, Fraction(left if squared else left**2) / below, "<=", where)


def exploration_sum(*, scale: sp.Expr = sp.S.One) -> dict[str, Inequality]:
    """Return both scalar inequalities."""
    q, ridge, law = theory.MASS, theory.RIDGE, theory.POLICY
    return {
        "pairs": Inequality(q / (q + ridge), scale),
        "states": Inequality(q * law / (q + ridge), scale * law),
    }


def spectrum(*, quarter: sp.Expr = QUARTER) -> dict[str, Inequality]:
    """Return both scalar inequalities."""
    value, ridge = theory.EIGENVALUE, theory.RIDGE
    return {
        "square": Inequality(value / (value + ridge) ** 2, quarter / ridge),
        "trace": Inequality(value / (value + ridge), sp.S.One),
    }


# Linear estimates, with matrices of order two


def inverse(matrix: Matrix) -> Matrix:
    """Return the inverse of a 2 x 2 matrix."""
    (a, b), (c, e) = matrix
    determinant = a * e - b * c
    return [[e / determinant, -b / determinant], [-c / determinant, a / determinant]]


def product(left: Matrix, right: Matrix) -> Matrix:
    """Return the product of two matrices."""
    return [
        [sum((x * y for x, y in zip(row, column, strict=True)), ZERO) for column in zip(*right, strict=True)]
        for row in left
    ]


def plus(left: Matrix, right: Matrix, scale: Fraction = ONE) -> Matrix:
    """Return left + scale * right."""
    return [[x + scale * y for x, y in zip(row, other, strict=True)] for row, other in zip(left, right, strict=True)]


def identity(scale: Fraction = ONE) -> Matrix:
    """Return a multiple of the 2 x 2 identity."""
    return [[scale, ZERO], [ZERO, scale]]


def outer(vector: Sequence[Fraction]) -> Matrix:
    """Return v v'."""
    return [[x * y for y in vector] for x in vector]


def dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    """Return the inner product."""
    return sum((x * y for x, y in zip(left, right, strict=True)), ZERO)


def times(matrix: Matrix, vector: Sequence[Fraction]) -> list[Fraction]:
    """Return M v."""
    return [dot(row, vector) for row in matrix]


@dataclass(frozen=True)
class LinearCase:
    """A linear MDP of two features: ``features[h][s][a]``, ``measures[h][i]``, theta ``[h]``, and a policy."""

    mdp: RationalMDP
    features: tuple[tuple[tuple[tuple[Fraction, Fraction], ...], ...], ...]
    measures: tuple[tuple[tuple[Fraction, ...], ...], ...]
    theta: tuple[tuple[Fraction, Fraction], ...]
    policy: tuple[tuple[tuple[Fraction, ...], ...], ...]


def linear_case(seed: int, n_states: int, n_actions: int, horizon: int) -> LinearCase:
    """Return a linear MDP whose features are mixtures of two measures; losses in [0, 1]."""
    rng = np.random.default_rng(seed)

    def law(size: int) -> tuple[Fraction, ...]:
        weights = [int(weight) for weight in rng.integers(1, 8, size)]
        return tuple(Fraction(weight, sum(weights)) for weight in weights)

    shape = range(horizon), range(n_states), range(n_actions)
    features = tuple(
        tuple(tuple((share := Fraction(int(rng.integers(0, 7)), 6), 1 - share) for _ in shape[2]) for _ in shape[1])
        for _ in shape[0]
    )
    measures = tuple((law(n_states), law(n_states)) for _ in shape[0])
    theta = tuple((Fraction(int(rng.integers(0, 5)), 4), Fraction(int(rng.integers(0, 5)), 4)) for _ in shape[0])
    kernel = [
        [[[dot(phi, pair) for pair in zip(*measures[h], strict=True)] for phi in features[h][s]] for s in shape[1]]
        for h in shape[0]
    ]
    losses = [[[dot(phi, theta[h]) for phi in features[h][s]] for s in shape[1]] for h in shape[0]]
    policy = tuple(tuple(law(n_actions) for _ in shape[1]) for _ in shape[0])
    return LinearCase(RationalMDP(kernel, losses, horizon), features, measures, theta, policy)


LINEAR_CASES = {
    "S=2 A=2 H=1": partial(linear_case, 1, 2, 2, 1),
    "S=2 A=2 H=2": partial(linear_case, 2, 2, 2, 2),
    "S=3 A=2 H=3": partial(linear_case, 3, 3, 2, 3),
}


def linear_estimate(
    case: LinearCase, *, sign: int = 1, reused: bool = False, square: Fraction = ONE
) -> Iterator[Comparison]:
    """Moments of Z L by enumeration, with gamma = 1/10."""
    mdp, phi = case.mdp, case.features
    visits, values = planning.occupancy(mdp, case.policy), planning.evaluate(mdp, case.policy)
    table = planning.q_values(mdp, values)
    sigma: list[Matrix] = []
    for h in range(mdp.horizon):
        total = identity(ZERO)
        for s, a in itertools.product(range(mdp.n_states), range(mdp.n_actions)):
            total = plus(total, outer(phi[h][s][a]), visits[h][s][a])
        sigma.append(total)
    weighted = enumerate_moments(mdp, case.policy)
    for h in range(mdp.horizon):
        ridge = inverse(plus(identity(TENTH), sigma[h]))
        ahead = [dot(measure, values[h + 1]) for measure in case.measures[h]]
        theta = [x + y for x, y in zip(case.theta[h], ahead, strict=True)]
        for s, a in itertools.product(range(mdp.n_states), range(mdp.n_actions)):
            target, left = phi[h][s][a], mdp.horizon - h
            mean, second = ZERO, ZERO
            for (stage, t, b), moment in weighted.first.items():
                if stage != h:
                    continue
                seen = plus(identity(TENTH), plus(sigma[h], outer(phi[h][t][b]))) if reused else None
                z = dot(target, times(inverse(seen) if seen else ridge, phi[h][t][b]))
                mean += z * moment
                second += z**2 * weighted.second[stage, t, b]
            pulled, where = times(ridge, target), f"h={h} s={s} a={a}"
            spread = dot(pulled, times(sigma[h], pulled))
            yield Comparison(mean, table[h][s][a] - sign * TENTH * dot(pulled, theta), "==", where)
            yield Comparison(second, square * left**2 * spread, "<=", where)
            yield Comparison(spread, dot(target, pulled), "<=", where)


@dataclass(frozen=True)
class Atoms:
    """A law on points of the plane with losses in [0, 1], and the point whose value is estimated."""

    points: tuple[tuple[Fraction, Fraction], ...]
    law: tuple[Fraction, ...]
    losses: tuple[Fraction, ...]
    target: tuple[Fraction, Fraction]
    ridge: Fraction = Fraction(1, 100)

    def covariance(self) -> Matrix:
        """Return the mean of the outer products."""
        total = identity(ZERO)
        for point, mass in zip(self.points, self.law, strict=True):
            total = plus(total, outer(point), mass)
        return total

    def products(self) -> list[Fraction]:
        """Return Z of each atom."""
        pulled = times(inverse(plus(identity(self.ridge), self.covariance())), self.target)
        return [dot(pulled, point) for point in self.points]


def _fractions(*pairs: Any) -> tuple[Any, ...]:
    return tuple(tuple(map(Fraction, pair)) if isinstance(pair, tuple) else Fraction(pair) for pair in pairs)


def opposed(first: str, second: str, third: str) -> Atoms:
    """Return two rare points, one at an obtuse angle to the other's mirror image, and a frequent third one."""
    points = _fractions(("3/5", "4/5"), ("3/5", "-4/5"), ("1", "0"))
    return Atoms(points, _fractions("1/20", "1/20", "9/10"), _fractions(first, second, third), points[0])


def mirrored(loss: str) -> Atoms:
    """Return two opposite points of equal mass and loss."""
    points = _fractions(("1", "0"), ("-1", "0"))
    return Atoms(points, _fractions("1/2", "1/2"), _fractions(loss, loss), points[0])


def random_atoms(seed: int) -> Atoms:
    """Return four points inside the unit disc."""
    rng = np.random.default_rng(seed)
    numbers = [[Fraction(int(x), 10) for x in rng.integers(-7, 8, 2)] for _ in range(5)]
    weights = [int(w) for w in rng.integers(1, 9, 4)]
    losses = tuple(Fraction(int(x), 4) for x in rng.integers(0, 5, 4))
    points = tuple((x, y) for x, y in numbers)
    return Atoms(points[:4], tuple(Fraction(w, sum(weights)) for w in weights), losses, points[4], TENTH)


ATOMS: Mapping[str, Callable[[], Atoms]] = {
    "opposed": partial(opposed, "1/2", "1/4", "1"),
    "full losses": partial(opposed, "1", "1", "1"),
    "mirrored, no loss": partial(mirrored, "0"),
    "one point": lambda: Atoms(_fractions(("1", "0")), (ONE,), (ONE,), (ONE, ZERO)),
    **{f"random #{seed}": partial(random_atoms, seed) for seed in range(12)},
}


def reduced_unbiased(
    case: Atoms, *, centred: bool = True, signed: bool = False, constant: Fraction = ONE
) -> Iterator[Comparison]:
    """First two moments of the magnitude-reduced estimate, one stage."""
    losses = [2 * loss - 1 if signed else loss for loss in case.losses]
    z = case.products()
    low = [min(value, ZERO) for value in z]
    centre = dot(case.law, low) if centred else ZERO
    estimates = [value * loss - below + centre for value, loss, below in zip(z, losses, low, strict=True)]
    plain = [value * loss for value, loss in zip(z, losses, strict=True)]
    yield Comparison(dot(case.law, estimates), dot(case.law, plain), "==", "mean")
    square = dot(case.law, [value**2 for value in z])
    yield Comparison(dot(case.law, [x**2 for x in estimates]), constant * square, "<=", "second moment")


def _disc(points: FloatArray) -> FloatArray:
    inside: FloatArray = points / np.maximum(1.0, np.linalg.norm(points, axis=-1, keepdims=True))
    return inside


def scatter(
    points: FloatArray, law: FloatArray, target: FloatArray, ridge: float, losses: FloatArray | None = None, **more: Any
) -> Instance:
    """Return a law on points of the unit disc."""
    return {"points": _disc(points), "law": law, "target": _disc(target), "ridge": ridge, "losses": losses, **more}


def regular_inverse(instance: Instance) -> FloatArray:
    """Return the inverse of gamma I + Sigma."""
    points = instance["points"]
    sigma = np.einsum("n,ni,nj->ij", instance["law"], points, points)
    found: FloatArray = np.linalg.inv(instance["ridge"] * np.eye(points.shape[1]) + sigma)
    return found


def reduced_floor(
    instance: Instance, *, constant: float = 1.0, signed: bool = False, reduced: bool = True
) -> Comparison:
    """Minus the least estimate against 1 / (2 sqrt(gamma)), one stage."""
    losses = 2.0 * instance["losses"] - 1.0 if signed else instance["losses"]
    z = instance["points"] @ regular_inverse(instance) @ instance["target"]
    low = np.minimum(z, 0.0)
    estimates = z * losses + (instance["law"] @ low - low if reduced else 0.0)
    played = instance["law"] > 0.0
    return Comparison(-float(estimates[played].min()), constant / (2.0 * math.sqrt(instance["ridge"])))


def linear_bias(instance: Instance, *, constant: float = 1.0) -> Comparison:
    """The bias against bonus and norm."""
    sigma, phi, theta, c = regular_inverse(instance), instance["target"], instance["theta"], instance["c"]
    ridge = instance["ridge"]
    rhs = c * float(phi @ sigma @ phi) + ridge * float(theta @ theta) / (4.0 * c)
    return Comparison(ridge * abs(float(phi @ sigma @ theta)), constant * rhs)


SCATTER = {
    "points": Box(-1.0, 1.0, (3, 2)),
    "law": Simplex(3),
    "target": Box(-1.0, 1.0, (2,)),
    "ridge": Box(1e-4, 1.0, log=True),
}


def _one_point() -> Instance:
    """Return a single point at the distance sqrt(gamma) opposite to the target, at full loss: equality."""
    return scatter(np.array([[-0.1, 0.0]]), np.ones(1), np.array([1.0, 0.0]), 0.01, np.ones(1))


def _rare_gain() -> Instance:
    """Return a rare first point whose loss is negative once losses are signed."""
    points = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    return scatter(points, np.array([0.001, 0.9985, 0.0005]), points[0], 1e-4, np.array([0.25, 0.5, 0.5]))


def _unseen() -> Instance:
    """Return a direction that no point has: the bias is as large as bonus and norm together."""
    return scatter(np.eye(1, 2), np.ones(1), np.array([0.0, 1.0]), 0.01, theta=np.array([0.0, 1.0]), c=0.005)


# Covariances


@dataclass(frozen=True)
class Draws:
    """A law on points of the plane from which features are drawn; a mutant adds a term only where ``matched``."""

    points: tuple[tuple[Fraction, Fraction], ...]
    law: tuple[Fraction, ...]
    ridge: Fraction
    depth: int
    matched: tuple[bool, ...]


def _plane(ridge: str, depth: int, match: str = "1") -> Draws:
    """Return (1, 0) and (3/5, 4/5), equally likely where an independent coin matches, else the zero vector."""
    points = _fractions(("1", "0"), ("3/5", "4/5"), ("0", "0"))
    share = Fraction(match)
    return Draws(points, (share / 2, share / 2, 1 - share), Fraction(ridge), depth, (True, True, False))


DRAWS = {
    "gamma=1/10, N=3": partial(_plane, "1/10", 3),
    "gamma=1/2, N=1": partial(_plane, "1/2", 1),
    "one arm of three tenths, gamma=0, N=4": partial(_plane, "0", 4, "3/10"),
}


def resampling_mean(case: Draws, *, depth_offset: int = 1, matched_only: bool = False) -> Iterator[Comparison]:
    """Enumerate all sequences of N draws, c = 1/2."""
    c = Fraction(1, 2)
    steps = [plus(identity(1 - c * case.ridge), outer(point), -c) for point in case.points]
    total = identity(ZERO)
    live = [(mass, index) for index, mass in enumerate(case.law) if mass]
    for path in itertools.product(live, repeat=case.depth):
        mass = math.prod((share for share, _ in path), start=ONE)
        current, inner = identity(), identity(c)
        for _, index in path:
            current = product(current, steps[index])
            if case.matched[index] or not matched_only:
                inner = plus(inner, current, c)
        total = plus(total, inner, mass)
    sigma = identity(case.ridge)
    for point, share in zip(case.points, case.law, strict=True):
        sigma = plus(sigma, outer(point), share)
    power = identity()
    for _ in range(case.depth + depth_offset):
        power = product(power, plus(identity(), sigma, -c))
    claimed = product(inverse(sigma), plus(identity(), power, -ONE))
    for (i, row), j in itertools.product(enumerate(claimed), range(2)):
        yield Comparison(total[i][j], row[j], "==", f"entry {i}, {j}")


def sequence(points: FloatArray, ridge: float, share: float) -> Instance:
    """Return draws from the unit disc, a regularisation, and c as a part of 1 / (1 + gamma)."""
    return {"points": _disc(points), "ridge": ridge, "c": share / (1.0 + ridge)}


def resampling_norm(instance: Instance, *, constant: float = 1.0, step: float | None = None) -> Comparison:
    """Operator norm of one run of matrix geometric resampling against its bound."""
    points, ridge = instance["points"], instance["ridge"]
    c = instance["c"] if step is None else step
    product, total = np.eye(2), c * np.eye(2)
    for point in points:
        product = product @ ((1.0 - c * ridge) * np.eye(2) - c * np.outer(point, point))
        total = total + c * product
    bound = (1.0 - (1.0 - c * ridge) ** (len(points) + 1)) / ridge
    return Comparison(float(np.linalg.norm(total, 2)), constant * bound)


def _one_direction() -> Instance:
    """Return ten draws of one unit vector: nothing is seen in the other direction."""
    return sequence(np.tile([1.0, 0.0], (10, 1)), 0.1, 1.0)


def depth_instance(ridge: float, epsilon: float, share: float, spread: float) -> Instance:
    """Return a regularisation, an accuracy, c as a part of 1 / (1 + gamma), and an eigenvalue."""
    return {"ridge": ridge, "epsilon": epsilon, "c": share / (1.0 + ridge), "eigenvalue": ridge + spread}


def resampling_depth(instance: Instance, *, short: bool = False, step: float | None = None) -> Comparison:
    """The bias of the mean at an eigenvalue, at the depth that is asked for."""
    ridge, epsilon, value = instance["ridge"], instance["epsilon"], instance["eigenvalue"]
    c = instance["c"] if step is None else step
    depth = math.ceil(1.0 / ridge) if short else parameters.resampling_depth(ridge, epsilon, c)
    factor = abs(1.0 - c * value)
    growth = math.exp(min((depth + 1) * math.log(factor), 50.0)) if factor > 0.0 else 0.0
    return Comparison(growth / value, epsilon)


def covariance_average(case: Draws, *, power: int = 1) -> Iterator[Comparison]:
    """Enumerate three draws; theta = (1, -1) has |phi' theta| <= 1 on all points used."""
    size, theta = 3, [ONE, -ONE]
    sigma = identity(ZERO)
    for point, share in zip(case.points, case.law, strict=True):
        sigma = plus(sigma, outer(point), share)
    ridge = inverse(plus(identity(case.ridge), sigma))
    live = [(mass, index) for index, mass in enumerate(case.law) if mass]
    error = ZERO
    for path in itertools.product(live, repeat=size):
        mean = identity(ZERO)
        for _, index in path:
            mean = plus(mean, outer(case.points[index]), Fraction(1, size))
        off = times(plus(mean, sigma, -ONE), theta)
        error += math.prod((share for share, _ in path), start=ONE) * dot(off, times(ridge, off))
    trace = sum((product(ridge, sigma)[i][i] for i in range(2)), ZERO)
    yield Comparison(error, trace / size**power, "<=", "trace")
    yield Comparison(trace, Fraction(2), "<=", "dimension")


def _axes() -> Draws:
    return Draws(_fractions(("1", "0"), ("0", "1")), _fractions("1/2", "1/2"), TENTH, 0, (True, True))


AVERAGES: Mapping[str, Callable[[], Draws]] = {"axes": _axes, "plane": partial(_plane, "1/10", 0)}


def exploration_weights(case: Case, *, include: bool = True, weighted: bool = True) -> Iterator[Comparison]:
    """Mean weight of each pair, over the stage h* at which exploration ends; delta = 1/4, the comparator covers."""
    mdp, delta = case.mdp, Fraction(1, 4)
    own, cover = planning.occupancy(mdp, case.policy), planning.occupancy(mdp, case.comparator)
    spliced = []
    for switch in range(mdp.horizon):
        end = switch + 1 if include else switch
        spliced.append(planning.occupancy(mdp, (*case.comparator[:end], *case.policy[end:])))
    for h, s, a in itertools.product(range(mdp.horizon), range(mdp.n_states), range(mdp.n_actions)):
        mean = (1 - delta) * own[h][s][a]
        for switch in range(mdp.horizon):
            weight = mdp.horizon if switch == h else 0
            mean += delta / mdp.horizon * (weight if weighted else 1) * spliced[switch][h][s][a]
        mixture = (1 - delta) * own[h][s][a] + delta * cover[h][s][a]
        yield Comparison(mean, mixture, "==", f"h={h} s={s} a={a}")


CHECKS = (
    Check(
        "adversarial_ftrl.implicit_exploration",
        Exact(SMALL_CASES),
        implicit_exploration,
        (
            Mutant("sign", "the estimate is above the action value on average", {"optimistic": False}),
            Mutant("cross", "the cross term once instead of twice", {"cross": 1}),
            Mutant("bias", "a bias of at most 0.99 gamma H_h / (q + gamma)", {"bias": NINE_NINETY}),
            Mutant("range", "a second moment of at most H_h / (q + gamma)", {"squared": True}),
        ),
    ),
    Check(
        "adversarial_ftrl.exploration_sum",
        Symbolic(),
        exploration_sum,
        (Mutant("scale", "0.99: equality without exploration", {"scale": sp.Rational(99, 100)}),),
    ),
    Check(
        "adversarial_ftrl.spectrum",
        Symbolic(),
        spectrum,
        (Mutant("quarter", "0.249: equality at lambda = gamma", {"quarter": sp.Rational(249, 1000)}),),
    ),
    Check(
        "adversarial_ftrl.linear_estimate",
        Exact(LINEAR_CASES),
        linear_estimate,
        (
            Mutant("sign", "the bias has the other sign", {"sign": -1}),
            Mutant("reused", "the episode that is weighed enters its own covariance", {"reused": True}),
            Mutant("square", "a third of the second moment", {"square": Fraction(1, 3)}),
        ),
    ),
    Check(
        "adversarial_ftrl.linear_bias",
        Search(
            maximise=maximiser(scatter, **SCATTER, theta=Box(-2.0, 2.0, (2,)), c=Box(1e-3, 10.0, log=True)),
            corners={"unseen direction": _unseen},
        ),
        linear_bias,
        (Mutant("constant", "0.99: equality in a direction that is never seen", {"constant": 0.99}),),
    ),
    Check(
        "adversarial_ftrl.reduced_unbiased",
        Exact(ATOMS, per_unit=len(ATOMS)),
        reduced_unbiased,
        (
            Mutant("uncentred", "without the mean of the reduced part", {"centred": False}),
            Mutant("signed", "losses in [-1, 1]", {"signed": True}),
            Mutant(
                "constant", "0.99 of the second moment: equality without negative products", {"constant": NINE_NINETY}
            ),
        ),
    ),
    Check(
        "adversarial_ftrl.reduced_floor",
        Search(
            maximise=maximiser(scatter, **SCATTER, losses=Box(0.0, 1.0, (3,))),
            corners={"one point": _one_point, "rare gain": _rare_gain},
        ),
        reduced_floor,
        (
            Mutant("constant", "0.99: equality for one point", {"constant": 0.99}),
            Mutant("signed", "losses in [-1, 1]: -454 where the floor is -50", {"signed": True}),
            Mutant("plain", "without magnitude reduction", {"reduced": False}),
        ),
    ),
    Check(
        "adversarial_ftrl.resampling_mean",
        Exact(DRAWS, per_unit=len(DRAWS)),
        resampling_mean,
        (
            Mutant("depth", "power N instead of N + 1", {"depth_offset": 0}),
            Mutant(
                "matched",
                "a term is added only if the drawn action matches, as in public code: another matrix is inverted",
                {"matched_only": True},
            ),
        ),
    ),
    Check(
        "adversarial_ftrl.resampling_norm",
        Search(
            maximise=maximiser(
                sequence, points=Box(-1.0, 1.0, (4, 2)), ridge=Box(1e-3, 1.0, log=True), share=Box(0.05, 1.0)
            ),
            corners={"one direction": _one_direction},
        ),
        resampling_norm,
        (
            Mutant("constant", "0.99: equality in a direction that is never seen", {"constant": 0.99}),
            Mutant("step", "a step c = 2.5, above 1 / (1 + gamma): the products grow", {"step": 2.5}),
        ),
    ),
    Check(
        "adversarial_ftrl.resampling_depth",
        Search(
            maximise=maximiser(
                depth_instance,
                ridge=Box(1e-3, 1.0, log=True),
                epsilon=Box(1e-4, 0.5, log=True),
                share=Box(0.05, 1.0),
                spread=Box(0.0, 1.0),
            ),
            corners={"top": partial(depth_instance, 0.1, 0.1, 0.55, 1.0)},
        ),
        resampling_depth,
        (
            Mutant("short", "N = 1 / gamma", {"short": True}),
            Mutant("step", "a step c = 2.1, above 1 / (1 + gamma): the products grow", {"step": 2.1}),
        ),
    ),
    Check(
        "adversarial_ftrl.covariance_average",
        Exact(AVERAGES, per_unit=2),
        covariance_average,
        (Mutant("power", "1 / n^2 instead of 1 / n", {"power": 2}),),
    ),
    Check(
        "adversarial_ftrl.exploration_weights",
        Exact(CASES, per_unit=4),
        exploration_weights,
        (
            Mutant("excluded", "the covering policy stops before h*", {"include": False}),
            Mutant("unweighted", "weight one instead of H 1[h = h*]", {"weighted": False}),
        ),
    ),
)
