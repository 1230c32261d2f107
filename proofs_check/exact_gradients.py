r"""Policy-gradient estimators as exact means over all trajectories.

Policies are *affine* in their parameters: :math:`\pi_\theta(a \mid s) = b(a \mid s) + \sum_i \theta_i G_i(a \mid s)`
with :math:`\sum_a G_i(a \mid s) = 0`. Everything below is then rational, and :math:`J(\theta)` is a polynomial of
degree at most H. A parameter may move several states at once. Score and log-Hessian are

.. math:: \psi_i = G_i / \pi_\theta, \qquad \Psi_{ij} = \nabla^2_{ij} \log \pi_\theta = - G_i G_j / \pi_\theta^2 .

With the discount already in the rewards, :math:`R_h = \gamma^h r_h`, and :math:`w_t = \sum_{h \ge t} R_h`,

.. math::
    g = \sum_t w_t \psi_t, \qquad
    B = g \Big( \sum_t \psi_t \Big)^\top + \sum_t w_t \Psi_t, \qquad
    \tilde B = \sum_h R_h \Big( S_h S_h^\top + \sum_{k \le h} \Psi_k \Big), \quad S_h = \sum_{k \le h} \psi_k .

The derivatives that these are compared with come from another route: dynamic programming at rational nodes, and
interpolation of the polynomial J.
"""

import functools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any, TypeAlias

from flint import fmpq

from mdps.rational import RationalMDP
from proofs_check.cases import Table, random_case
from proofs_check.methods.exact import trajectories
from solvers import rational_planning as planning

Vector: TypeAlias = list[Any]
"""Rationals (fmpq) by parameter."""
Matrix: TypeAlias = list[Vector]
Theta: TypeAlias = tuple[Fraction, ...]

NODE = Fraction(1, 256)
"""Distance of the nodes of interpolation, in multiples of a parameter."""


@dataclass(frozen=True)
class AffineFamily:
    """Policies ``base + sum_i theta_i slopes[i]``, as tables ``[s][a]``; the rows of slopes sum to zero."""

    base: Table
    slopes: tuple[Table, ...]

    def policy(self, theta: Sequence[Fraction]) -> Table:
        """Return the policy at a parameter."""
        return tuple(
            tuple(
                entry
                + sum((weight * slope[s][a] for weight, slope in zip(theta, self.slopes, strict=True)), Fraction(0))
                for a, entry in enumerate(row)
            )
            for s, row in enumerate(self.base)
        )

    def scores(self, theta: Sequence[Fraction]) -> list[list[Vector]]:
        """Return the scores ``[s][a][i]``."""
        return [
            [[_fmpq(slope[s][a] / mass) for slope in self.slopes] for a, mass in enumerate(row)]
            for s, row in enumerate(self.policy(theta))
        ]


@dataclass(frozen=True)
class GradientCase:
    """An episodic model whose rewards carry the discount, an affine family, and the ends of a step in its parameter."""

    mdp: RationalMDP
    family: AffineFamily
    before: Theta
    theta: Theta
    discount: Fraction

    @property
    def largest_reward(self) -> Fraction:
        """Largest absolute reward before discounting, r_max."""
        stages = [self.mdp.rewards[h % len(self.mdp.rewards)] for h in range(self.mdp.horizon)]
        return max(abs(r) / self.discount**h for h, stage in enumerate(stages) for row in stage for r in row)

    @property
    def score_bound(self) -> Fraction:
        """Square of the largest norm of a score, M_g^2, which for affine policies is the largest norm of Psi, M_h."""
        largest = max(_dot(score, score) for row in self.family.scores(self.theta) for score in row)
        return fraction(largest)


@dataclass(frozen=True)
class Path:
    """Probability, discounted rewards and scores of a trajectory."""

    probability: Any
    rewards: Vector
    scores: Matrix

    def to_go(self, discount: Fraction | None = None) -> Vector:
        """Return w_t; with a discount, the rewards are discounted from t on instead of from the start (a mistake)."""
        sums: Vector = []
        total = fmpq(0)
        for reward in reversed(self.rewards):
            total += reward
            sums.append(total)
        sums.reverse()
        return sums if discount is None else [w / _fmpq(discount**t) for t, w in enumerate(sums)]


Estimator: TypeAlias = Callable[[Path], list[Any]]


def _fmpq(value: Fraction | int) -> Any:
    return fmpq(value.numerator, value.denominator)


def fraction(value: Any) -> Fraction:
    """Return a rational of FLINT as a fraction."""
    return Fraction(int(value.p), int(value.q))


def _dot(left: Vector, right: Vector) -> Any:
    return sum((x * y for x, y in zip(left, right, strict=True)), fmpq(0))


def paths(case: GradientCase, scored: Theta, sampled: Theta | None = None) -> Iterator[Path]:
    """Yield all trajectories of the policy at ``sampled`` (default: at ``scored``) with the scores at ``scored``."""
    table = case.family.scores(scored)
    stages = [case.mdp.rewards[h % len(case.mdp.rewards)] for h in range(case.mdp.horizon)]
    rewards = [[[_fmpq(r) for r in row] for row in stage] for stage in stages]
    for path in trajectories(case.mdp, [case.family.policy(scored if sampled is None else sampled)]):
        pairs = list(zip(path.states, path.actions, strict=True))
        earned = [rewards[h][s][a] for h, (s, a) in enumerate(pairs)]
        yield Path(_fmpq(path.probability), earned, [table[s][a] for s, a in pairs])


def mean(case: GradientCase, estimator: Estimator, scored: Theta, sampled: Theta | None = None) -> list[Fraction]:
    """Return the exact mean of an estimator, entry by entry."""
    total: list[Any] = []
    for path in paths(case, scored, sampled):
        entries = estimator(path)
        total = total or [fmpq(0)] * len(entries)
        for index, entry in enumerate(entries):
            total[index] += path.probability * entry
    return [fraction(entry) for entry in total]


# Estimators of one trajectory; matrices are flattened row by row


def gpomdp(path: Path, *, discount: Fraction | None = None, delay: int = 0) -> Vector:
    """Return g; ``delay`` drops the rewards of that many stages from each sum."""
    weights = [*path.to_go(discount)[delay:], *[fmpq(0)] * delay]
    return [_dot(weights, [score[i] for score in path.scores]) for i in range(len(path.scores[0]))]


def reinforce(path: Path, *, averaged: bool = False) -> Vector:
    """Return the total reward times the total score."""
    total = sum(path.rewards, fmpq(0)) / (len(path.rewards) if averaged else 1)
    return [total * entry for entry in _total_score(path)]


def _total_score(path: Path) -> Vector:
    return [sum((score[i] for score in path.scores), fmpq(0)) for i in range(len(path.scores[0]))]


def hessian(path: Path, *, score_term: int = 1, discount: Fraction | None = None, transposed: bool = False) -> Vector:
    """Return B, or its transpose; ``score_term`` multiplies the product of g with the score of the trajectory."""
    size = range(len(path.scores[0]))
    weights, left, right = path.to_go(discount), gpomdp(path, discount=discount), _total_score(path)
    if transposed:
        left, right = right, left
    curvature = [[-_dot(weights, [s[i] * s[j] for s in path.scores]) for j in size] for i in size]
    return [score_term * left[i] * right[j] + curvature[i][j] for i in size for j in size]


def causal_hessian(path: Path, *, cross_terms: bool = True) -> Vector:
    """Return B-tilde; without cross terms the products of scores of different stages are left out (a mistake)."""
    size = len(path.scores[0])
    total = [fmpq(0)] * (size * size)
    so_far = [fmpq(0)] * size
    squares = [fmpq(0)] * (size * size)
    for reward, score in zip(path.rewards, path.scores, strict=True):
        so_far = [x + y for x, y in zip(so_far, score, strict=True)]
        for i in range(size):
            for j in range(size):
                squares[size * i + j] += score[i] * score[j]
                outer = so_far[i] * so_far[j] if cross_terms else squares[size * i + j]
                total[size * i + j] += reward * (outer - squares[size * i + j])
    return total


def hessian_vector(path: Path, step: Vector, *, score_term: int = 1, curvature: int = 1) -> Vector:
    """Return B times a step, without forming B."""
    weights = path.to_go()
    total = score_term * _dot(_total_score(path), step)
    gradient = gpomdp(path)
    along = [curvature * w * _dot(score, step) for w, score in zip(weights, path.scores, strict=True)]
    return [total * gradient[i] - _dot(along, [score[i] for score in path.scores]) for i in range(len(path.scores[0]))]


def squared_norm(vector: Vector) -> Vector:
    """Return the squared norm, as a list."""
    return [_dot(vector, vector)]


# Derivatives by interpolation


@functools.cache
def derivative_weights(count: int) -> tuple[Fraction, ...]:
    """Return weights c_j with f'(0) = sum_j c_j f(j) for all polynomials f of degree below ``count``."""
    weights = [sum((Fraction(-1, m) for m in range(1, count)), Fraction(0))]
    for j in range(1, count):
        top, bottom = 1, j
        for m in range(1, count):
            if m != j:
                top, bottom = top * -m, bottom * (j - m)
        weights.append(Fraction(top, bottom))
    return tuple(weights)


def _moved(theta: Theta, index: int, amount: Fraction) -> Theta:
    return tuple(value + amount * (i == index) for i, value in enumerate(theta))


def value(case: GradientCase, theta: Theta) -> Fraction:
    """Return J, by dynamic programming."""
    return planning.policy_value(case.mdp, planning.evaluate(case.mdp, [case.family.policy(theta)]))


def _derivative(function: Callable[[Theta], Fraction], theta: Theta, index: int, degree: int) -> Fraction:
    weights = derivative_weights(degree + 1)
    return sum((c * function(_moved(theta, index, j * NODE)) for j, c in enumerate(weights)), Fraction(0)) / NODE


def gradient(case: GradientCase, theta: Theta) -> list[Fraction]:
    """Return the gradient of J: derivatives of polynomials of degree H through values."""
    return [_derivative(partial(value, case), theta, i, case.mdp.horizon) for i in range(len(theta))]


def hessian_matrix(case: GradientCase, theta: Theta) -> list[Fraction]:
    """Return the Hessian of J, flattened: derivatives of the entries of `gradient`."""
    size, degree = len(theta), case.mdp.horizon

    def entry(i: int, moved: Theta) -> Fraction:
        return _derivative(partial(value, case), moved, i, degree)

    return [_derivative(partial(entry, i), theta, j, degree - 1) for i in range(size) for j in range(size)]


# Cases


def discounted(mdp: RationalMDP, discount: Fraction) -> RationalMDP:
    """Return the model with rewards ``discount**h r_h``."""
    stages = [mdp.rewards[h % len(mdp.rewards)] for h in range(mdp.horizon)]
    rewards = [[[discount**h * r for r in row] for row in stage] for h, stage in enumerate(stages)]
    return RationalMDP(mdp.transitions, rewards, mdp.horizon, mdp.initial)


def two_state_case(horizon: int) -> GradientCase:
    """Return the model with two states and two actions on which the estimators were first checked by hand.

    The probabilities of action 1 are the parameters; the step goes from (3/7, 2/5) to (1/2, 5/9), gamma = 9/10.
    """
    one, zero = Fraction(1), Fraction(0)
    kernel = [[[3, 1], [1, 4]], [[1, 1], [2, 1]]]
    rewards = [[0, 1], [Fraction(-1, 2), Fraction(3, 5)]]
    mdp = RationalMDP.from_weights(kernel, rewards, horizon, [2, 1])
    move, stay = (-one, one), (zero, zero)
    family = AffineFamily(((one, zero), (one, zero)), ((move, stay), (stay, move)))
    before, theta = (Fraction(3, 7), Fraction(2, 5)), (Fraction(1, 2), Fraction(5, 9))
    return GradientCase(discounted(mdp, Fraction(9, 10)), family, before, theta, Fraction(9, 10))


def shared_case(seed: int, n_states: int, n_actions: int, horizon: int, discount: Fraction) -> GradientCase:
    """Return a model without structure and two parameters, each of which moves the policy in all states."""
    rng = random.Random(seed)
    mdp = random_case(seed, n_states, n_actions, horizon, staged=False).mdp
    slopes = []
    for _ in range(2):
        rows = [[rng.randint(-3, 3) for _ in range(n_actions - 1)] for _ in range(n_states)]
        slopes.append(tuple(tuple(Fraction(x, 9 * n_actions) for x in (*row, -sum(row))) for row in rows))
    uniform = tuple((Fraction(1, n_actions),) * n_actions for _ in range(n_states))
    ends = [tuple(Fraction(rng.randint(-4, 4), 8 * n_actions) for _ in range(2)) for _ in range(2)]
    return GradientCase(discounted(mdp, discount), AffineFamily(uniform, tuple(slopes)), ends[0], ends[1], discount)


def walk_case(horizon: int, discount: Fraction, *, squared: bool = False) -> GradientCase:
    """Return the simple random walk, with one parameter for the probability of a step up, at one half.

    It pays the sign of its position, or with ``squared`` the sign of (position^2 - number of steps): the gradient or
    the Hessian of J is then nearly as large as it can be.
    """
    n_states = 2 * horizon + 1

    def sign(number: int) -> int:
        return (number > 0) - (number < 0)

    positions = range(-horizon, horizon + 1)
    moves = [[min(max(x + step, -horizon), horizon) for step in (1, -1)] for x in positions]
    kernel = [[[int(t == target + horizon) for t in range(n_states)] for target in row] for row in moves]
    rewards = [
        [[discount**h * sign(y * y - h - 1 if squared else y) for y in row] for row in moves] for h in range(horizon)
    ]
    mdp = RationalMDP(
        [[[Fraction(p) for p in law] for law in row] for row in kernel], rewards, horizon,
        [int(x == 0) for x in positions],
    )  # fmt: skip
    half, quarter = Fraction(1, 2), Fraction(1, 4)
    family = AffineFamily(((half, half),) * n_states, (((quarter, -quarter),) * n_states,))
    return GradientCase(mdp, family, (half,), (Fraction(0),), discount)


def coin_case() -> GradientCase:
    """Return one stage, two actions paying 1 and -1, at one half: the gradient estimator has constant norm."""
    half = Fraction(1, 2)
    mdp = RationalMDP([[[1], [1]]], [[1, -1]], 1)
    family = AffineFamily(((half, half),), (((half, -half),),))
    return GradientCase(mdp, family, (half,), (Fraction(0),), Fraction(9, 10))


GRADIENT_CASES: Mapping[str, Callable[[], GradientCase]] = {
    "two states, H=3": partial(two_state_case, 3),
    "two states, H=4": partial(two_state_case, 4),
    "shared S=3 A=2 H=3": partial(shared_case, 1, 3, 2, 3, Fraction(1, 2)),
    "shared S=2 A=3 H=3": partial(shared_case, 2, 2, 3, 3, Fraction(9, 10)),
    "coin": coin_case,
}
"""Affine families on small models."""

STEP_CASES: Mapping[str, Callable[[], GradientCase]] = {
    "two states, H=4": partial(two_state_case, 4),
    "shared S=2 A=2 H=5": partial(shared_case, 3, 2, 2, 5, Fraction(9, 10)),
}
"""Steps in the parameter with H >= 4: at H = 3 the midpoint of the step is as good as a uniform point."""

WALK_CASES: Mapping[str, Callable[[], GradientCase]] = {
    f"random walk, H={horizon}, gamma={discount}": partial(walk_case, horizon, discount)
    for horizon, discount in ((6, Fraction(9, 10)), (8, Fraction(99, 100)))
}
"""Nearly worst cases for the size of gradients."""

SQUARED_WALK_CASES: Mapping[str, Callable[[], GradientCase]] = {
    f"random walk, H={horizon}, gamma={discount}": partial(walk_case, horizon, discount, squared=True)
    for horizon, discount in ((6, Fraction(9, 10)), (8, Fraction(99, 100)))
}
"""Nearly worst cases for the size of Hessians."""
