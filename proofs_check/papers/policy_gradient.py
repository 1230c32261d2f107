r"""Checks of the policy-gradient lemmas.

Estimators are averaged over all trajectories in rational arithmetic, and compared with derivatives of the polynomial J
that come from dynamic programming and interpolation (`proofs_check.exact_gradients`). The discounted objective is a
quotient of polynomials along a segment of policies; it is differentiated in the same way. Statements about vectors of
any length are proved through the moments that they depend on: for the softmax, three actions and the sum of all other
weights; for a triangle :math:`g, d, d - g` of an inner-product space, its three lengths.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import sympy as sp
from flint import fmpq, fmpq_mat

from mdps.rational import RationalDiscountedMDP
from proofs_check import exact_gradients as gradients
from proofs_check.cases import (
    CASES,
    DISCOUNTED_CASES,
    Case,
    DiscountedCase,
    Table,
    constant_gap_case,
    random_discounted_case,
)
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.exact_gradients import (
    GRADIENT_CASES,
    SQUARED_WALK_CASES,
    STEP_CASES,
    WALK_CASES,
    AffineFamily,
    GradientCase,
    Path,
    fraction,
)
from proofs_check.methods.exact import Exact, fisher, policy_gradient, softmax_score
from proofs_check.methods.interval import Inequality as RealInequality
from proofs_check.methods.interval import Interval, Taylor
from proofs_check.methods.polynomial import Polynomial
from proofs_check.methods.symbolic import Identity, Induction, Inequality, Obligation, Symbolic, telescoping
from solvers import rational_planning as planning
from theory.symbols import gamma, n, x
from theory.symbols import t as count

ZERO = Fraction(0)
ONE, THREE, FOUR, FOUR_THIRDS = sp.Integer(1), sp.Integer(3), sp.Integer(4), sp.Rational(4, 3)
BOOLE = tuple((Fraction(k, 4), Fraction(weight, 90)) for k, weight in enumerate((7, 32, 12, 32, 7)))
"""Nodes and weights of a quadrature on [0, 1] that is exact up to degree 5."""

RULES: Mapping[str, tuple[tuple[Fraction, Fraction], ...]] = {
    "uniform": BOOLE,
    "end": ((Fraction(1), Fraction(1)),),
    "midpoint": ((Fraction(1, 2), Fraction(1)),),
}
"""Laws of the point q at which the Hessian-vector product is taken."""


def _equal(left: Sequence[Fraction], right: Sequence[Fraction], what: str = "entry") -> Iterator[Comparison]:
    for index, (lhs, rhs) in enumerate(zip(left, right, strict=True)):
        yield Comparison(lhs, rhs, "==", where=f"{what} {index}")


# Score identities


def score_mean(case: GradientCase, *, weights: str = "policy") -> Iterator[Comparison]:
    """Mean score in each state, under the policy itself (or under the uniform law)."""
    policy = case.family.policy(case.theta)
    scores = case.family.scores(case.theta)
    for s, row in enumerate(policy):
        law = row if weights == "policy" else (Fraction(1, len(row)),) * len(row)
        for i in range(len(case.theta)):
            mean = sum((mass * fraction(scores[s][a][i]) for a, mass in enumerate(law)), ZERO)
            yield Comparison(mean, ZERO, "==", where=f"state {s}, parameter {i}")


def softmax_identities(*, own: sp.Expr = ONE) -> dict[str, Obligation]:
    """Return the derivatives of log softmax for three actions and the sum of all other weights.

    With weights u = exp(theta), the derivative along theta_b is ``u_b d/du_b``. ``own`` stands for the 1 in 1[a = b].
    """
    a, b, c = sp.symbols("u_a u_b u_c", positive=True)
    total = a + b + c + sp.Symbol("rest", nonnegative=True)

    def along(weight: sp.Symbol, expr: sp.Expr) -> sp.Expr:
        return weight * sp.diff(expr, weight)

    score_a, score_b = along(a, sp.log(a / total)), along(b, sp.log(a / total))
    p_a, p_b, p_c = a / total, b / total, c / total
    return {
        "own score": Identity(score_a, own - p_a),
        "other score": Identity(score_b, -p_b),
        "own curvature": Identity(along(a, score_a), -p_a * (own - p_a)),
        "other curvature": Identity(along(b, score_b), -p_b * (own - p_b)),
        "mixed curvature": Identity(along(c, score_b), p_b * p_c),
        "mixed curvature with the own action": Identity(along(b, score_a), p_a * p_b),
        "mean": Identity(p_a * (own - p_a) - (1 - p_a) * p_a, sp.S.Zero),
    }


def information_matrix(
    case: GradientCase, *, sign: int = -1, cross_terms: bool = True, weights: str = "policy"
) -> Iterator[Comparison]:
    """Second moment of the total score, sum of the second moments, and minus the sum of the mean log-Hessians."""
    size = len(case.theta)
    pairs = [(i, j) for i in range(size) for j in range(size)]

    def total(path: Path) -> list[Any]:
        score = [sum((s[i] for s in path.scores), fmpq(0)) for i in range(size)]
        return [score[i] * score[j] for i, j in pairs]

    def single(path: Path) -> list[Any]:
        stages = path.scores if cross_terms else path.scores[:1]
        return [sum((s[i] * s[j] for s in stages), fmpq(0)) for i, j in pairs]

    sampled = case.theta if weights == "policy" else case.before
    together = gradients.mean(case, total, case.theta, sampled)
    yield from _equal(together, gradients.mean(case, single, case.theta), "stagewise entry")
    policy, slopes = case.family.policy(case.theta), case.family.slopes
    occupancy = planning.occupancy(case.mdp, [policy])
    curvature = []
    for i, j in pairs:
        terms = (
            mass * -slopes[i][s][a] * slopes[j][s][a] / policy[s][a] ** 2
            for stage in occupancy
            for s, row in enumerate(stage)
            for a, mass in enumerate(row)
        )
        curvature.append(sign * sum(terms, ZERO))
    yield from _equal(together, curvature, "curvature entry")


# Gradients and Hessians


def _baseline(case: GradientCase, kind: str) -> Callable[[int, int, int], Fraction]:
    rng = random.Random(5)
    shape = (case.mdp.horizon, case.mdp.n_states, case.mdp.n_actions)
    table = [
        [[Fraction(rng.randint(-9, 9), 4) for _ in range(shape[2])] for _ in range(shape[1])] for _ in range(shape[0])
    ]
    return lambda h, s, a: {"none": ZERO, "state": table[h][s][0], "action": table[h][s][a]}[kind]


def theorem(
    case: GradientCase, *, baseline: str = "state", values: str = "to go", weights: str = "policy"
) -> Iterator[Comparison]:
    """Compare the derivative of J, by interpolation, with the sum of occupancy times (Q - b) times score."""
    policy = case.family.policy(case.theta)
    mdp = case.mdp
    q_values = (
        planning.q_values(mdp, planning.evaluate(mdp, [policy]))
        if values == "to go"
        else [mdp.rewards[h % len(mdp.rewards)] for h in range(mdp.horizon)]
    )
    occupancy = planning.occupancy(mdp, [policy if weights == "policy" else case.family.policy(case.before)])
    offset = _baseline(case, baseline)
    for i, derivative in enumerate(gradients.gradient(case, case.theta)):
        total = ZERO
        for h, stage in enumerate(occupancy):
            for s, row in enumerate(stage):
                visits = sum(row, ZERO)
                for a, slope in enumerate(case.family.slopes[i][s]):
                    total += visits * slope * (q_values[h][s][a] - offset(h, s, a))
        yield Comparison(derivative, total, "==", where=f"parameter {i}")


def gpomdp(case: GradientCase, *, restart: bool = False, delay: int = 0) -> Iterator[Comparison]:
    """Mean of the GPOMDP estimator against the derivative of J."""
    estimator = partial(gradients.gpomdp, discount=case.discount if restart else None, delay=delay)
    yield from _equal(gradients.mean(case, estimator, case.theta), gradients.gradient(case, case.theta))


def reinforce(case: GradientCase, *, averaged: bool = False, product_of_means: bool = False) -> Iterator[Comparison]:
    """Mean of total reward times total score against the mean of the GPOMDP estimator."""
    if product_of_means:
        scores = gradients.mean(
            case, lambda path: [sum(s, fmpq(0)) for s in zip(*path.scores, strict=True)], case.theta
        )
        total = gradients.value(case, case.theta)
        left = [total * score for score in scores]
    else:
        left = gradients.mean(case, partial(gradients.reinforce, averaged=averaged), case.theta)
    yield from _equal(left, gradients.mean(case, gradients.gpomdp, case.theta))


def hessian_estimator(
    case: GradientCase, *, score_term: int = 1, restart: bool = False, cross_terms: bool = True
) -> Iterator[Comparison]:
    """Means of B, its transpose and the causal estimator against the Hessian of J."""
    discount = case.discount if restart else None
    exact = gradients.hessian_matrix(case, case.theta)
    for transposed in (False, True):
        estimator = partial(gradients.hessian, score_term=score_term, discount=discount, transposed=transposed)
        yield from _equal(gradients.mean(case, estimator, case.theta), exact, "B'" if transposed else "B")
    causal = partial(gradients.causal_hessian, cross_terms=cross_terms)
    yield from _equal(gradients.mean(case, causal, case.theta), exact, "causal")


def hessian_vector(
    case: GradientCase,
    *,
    rule: str = "uniform",
    score_term: int = 1,
    curvature: int = 1,
    sampled: str = "between",
) -> Iterator[Comparison]:
    """Mean of the correction over trajectories and q against the difference of the gradients at the two ends."""
    step = [fmpq(d.numerator, d.denominator) for d in (u - v for u, v in zip(case.theta, case.before, strict=True))]
    estimator = partial(gradients.hessian_vector, step=step, score_term=score_term, curvature=curvature)
    total = [ZERO] * len(step)
    for q, weight in RULES[rule]:
        point = tuple(q * u + (1 - q) * v for u, v in zip(case.theta, case.before, strict=True))
        mean = gradients.mean(case, estimator, point, case.theta if sampled == "end" else point)
        total = [entry + weight * term for entry, term in zip(total, mean, strict=True)]
    ends = (gradients.gradient(case, case.theta), gradients.gradient(case, case.before))
    yield from _equal(total, [u - v for u, v in zip(*ends, strict=True)], "parameter")


# The natural gradient


def natural_gradient(case: Case, *, values: str = "policy", scale: Fraction = Fraction(1)) -> Iterator[Comparison]:
    """Fisher matrix of the trajectory times the advantages against the gradient, both by enumeration."""
    chosen = case.policy if values == "policy" else case.comparator
    state_values = planning.evaluate(case.mdp, chosen)
    q_values = planning.q_values(case.mdp, state_values)
    if values == "myopic":
        q_values = tuple(case.mdp.rewards[h % len(case.mdp.rewards)] for h in range(case.mdp.horizon))
    score = softmax_score(case.policy)
    advantages = [
        q - state_values[h][s] for h, stage in enumerate(q_values) for s, row in enumerate(stage) for q in row
    ]
    matrix = fisher(case.mdp, case.policy, score)
    product = [sum((entry * a for entry, a in zip(row, advantages, strict=True)), ZERO) for row in matrix]
    yield from _equal([scale * entry for entry in product], policy_gradient(case.mdp, case.policy, score))


@dataclass(frozen=True)
class AffineDiscountedCase:
    """A discounted model and an affine family of policies at a parameter."""

    mdp: RationalDiscountedMDP
    family: AffineFamily
    theta: tuple[Fraction, ...]

    @property
    def policy(self) -> Table:
        """The policy at the parameter."""
        return self.family.policy(self.theta)

    def moments(self, occupancy: Sequence[Sequence[Fraction]], table: Sequence[Sequence[Fraction]]) -> list[Fraction]:
        """Return the mean of the scores times a table, under an occupancy."""
        scores = self.family.scores(self.theta)
        pairs = [(s, a, mass) for s, row in enumerate(occupancy) for a, mass in enumerate(row)]
        return [
            sum((mass * table[s][a] * fraction(scores[s][a][i]) for s, a, mass in pairs), ZERO)
            for i in range(len(self.theta))
        ]

    def fisher(self) -> list[list[Fraction]]:
        """Return the Fisher matrix under the discounted occupancy."""
        scores = self.family.scores(self.theta)
        occupancy = planning.discounted_occupancy(self.mdp, self.policy)
        size = range(len(self.theta))
        tables = [[[fraction(score[j]) for score in row] for row in scores] for j in size]
        return [self.moments(occupancy, tables[j]) for j in size]

    def advantages(self) -> list[list[Fraction]]:
        """Return Q - V of the policy."""
        values = planning.evaluate_discounted(self.mdp, self.policy)
        return [[q - values[s] for q in row] for s, row in enumerate(planning.discounted_q_values(self.mdp, values))]

    def gradient(self) -> list[Fraction]:
        """Return the gradient of J as a quotient of polynomials."""
        return [_slope_of_value(self.mdp, partial(_along, self.family, self.theta, i)) for i in range(len(self.theta))]


def _along(family: AffineFamily, theta: Sequence[Fraction], index: int, q: Fraction) -> Table:
    return family.policy([value + q * (i == index) for i, value in enumerate(theta)])


def _slope_of_value(mdp: RationalDiscountedMDP, policy: Callable[[Fraction], Table]) -> Fraction:
    """Return dJ/dq at 0 along a segment of policies.

    det(I - gamma P) and its product with J are polynomials of degree at most S in q: both are differentiated by
    interpolation, and J' = (N' - J D') / D.
    """
    weights = gradients.derivative_weights(mdp.n_states + 1)
    nodes = [policy(j * gradients.NODE) for j in range(len(weights))]
    bottoms = [_determinant(mdp, law) for law in nodes]
    values = [planning.policy_value(mdp, planning.evaluate_discounted(mdp, law)) for law in nodes]
    slope_d = sum((c * d for c, d in zip(weights, bottoms, strict=True)), ZERO)
    slope_n = sum((c * d * v for c, d, v in zip(weights, bottoms, values, strict=True)), ZERO)
    return (slope_n - values[0] * slope_d) / bottoms[0] / gradients.NODE


def _determinant(mdp: RationalDiscountedMDP, policy: Table) -> Fraction:
    states = range(mdp.n_states)
    entries = [
        int(s == target)
        - mdp.discount * sum((m * mdp.transitions[s][a][target] for a, m in enumerate(policy[s])), ZERO)
        for s in states
        for target in states
    ]
    rows = [fmpq(Fraction(e).numerator, Fraction(e).denominator) for e in entries]
    return fraction(fmpq_mat(mdp.n_states, mdp.n_states, rows).det())


def discounted_theorem(
    case: DiscountedCase, *, scale: bool = True, weights: str = "policy", values: str = "policy"
) -> Comparison:
    """Compare the derivative of J towards the comparator with occupancy times Q times direction."""
    mdp = case.mdp
    policies = {"policy": case.policy, "comparator": case.comparator}
    slope = [
        [v - u for u, v in zip(left, right, strict=True)]
        for left, right in zip(case.policy, case.comparator, strict=True)
    ]

    def towards(q: Fraction) -> Table:
        return tuple(
            tuple(p + q * d for p, d in zip(row, change, strict=True))
            for row, change in zip(case.policy, slope, strict=True)
        )

    visits = [sum(row, ZERO) for row in planning.discounted_occupancy(mdp, policies[weights])]
    q_values = planning.discounted_q_values(mdp, planning.evaluate_discounted(mdp, policies[values]))
    total = sum(
        (m * q * d for m, qs, ds in zip(visits, q_values, slope, strict=True) for q, d in zip(qs, ds, strict=True)),
        ZERO,
    )
    return Comparison(_slope_of_value(mdp, towards), total / ((1 - mdp.discount) if scale else 1), "==")


def _solve(matrix: Sequence[Sequence[Fraction]], right: Sequence[Fraction]) -> list[Fraction]:
    size = len(right)
    flat = [fmpq(entry.numerator, entry.denominator) for row in matrix for entry in row]
    column = fmpq_mat(size, 1, [fmpq(entry.numerator, entry.denominator) for entry in right])
    return [fraction(entry) for entry in fmpq_mat(size, size, flat).solve(column).entries()]


def compatible_features(
    case: AffineDiscountedCase, *, factor: bool = True, shift: Fraction = ZERO
) -> Iterator[Comparison]:
    """Check the normal equations of the fit at the natural gradient, and that no move of it fits better."""
    gamma_ = case.mdp.discount
    weights = _solve(case.fisher(), [(1 - gamma_ if factor else 1) * entry for entry in case.gradient()])
    occupancy = planning.discounted_occupancy(case.mdp, case.policy)
    advantages, scores = case.advantages(), case.family.scores(case.theta)

    def residuals(fit: Sequence[Fraction]) -> list[list[Fraction]]:
        return [
            [
                a - sum((w * fraction(c) for w, c in zip(fit, scores[s][b], strict=True)), ZERO)
                for b, a in enumerate(row)
            ]
            for s, row in enumerate(advantages)
        ]

    def loss(fit: Sequence[Fraction]) -> Fraction:
        table = residuals(fit)
        return sum((m * table[s][a] ** 2 for s, row in enumerate(occupancy) for a, m in enumerate(row)), ZERO)

    weights = [w + shift for w in weights]
    yield from _equal(case.moments(occupancy, residuals(weights)), [ZERO] * len(weights), "normal equation")
    for i in range(len(weights)):
        for change in (Fraction(-1, 100), Fraction(1, 100)):
            moved = [w + change * (i == j) for j, w in enumerate(weights)]
            yield Comparison(loss(weights), loss(moved), where=f"fit moved along {i}")


def domination_identity(
    case: AffineDiscountedCase, *, bias: bool = True, factor: bool = True, weights: str = "optimal"
) -> Comparison:
    """Optimality gap against bias and inner product, under the occupancy of an optimal policy."""
    mdp, gamma_ = case.mdp, case.mdp.discount
    solution = planning.policy_iteration(mdp)
    occupancy = planning.discounted_occupancy(mdp, solution.policy if weights == "optimal" else case.policy)
    ones = [[Fraction(1)] * mdp.n_actions for _ in range(mdp.n_states)]
    natural, mean_score = _solve(case.fisher(), case.gradient()), case.moments(occupancy, ones)
    product = sum((w * m for w, m in zip(natural, mean_score, strict=True)), ZERO)
    advantages = case.advantages()
    gain = sum((m * advantages[s][a] for s, row in enumerate(occupancy) for a, m in enumerate(row)), ZERO)
    signed = gain - (1 - gamma_ if factor else 1) * product if bias else ZERO
    ours = planning.policy_value(mdp, planning.evaluate_discounted(mdp, case.policy))
    return Comparison(planning.policy_value(mdp, solution.values) - ours, signed / (1 - gamma_) + product, "==")


def direct_domination(
    case: DiscountedCase, *, constant: Fraction = Fraction(1), mismatch: bool = True, scale: bool = True
) -> Comparison:
    """Optimality gap against mismatch times the best linear gain over all policies."""
    mdp = case.mdp
    solution = planning.policy_iteration(mdp)
    values = planning.evaluate_discounted(mdp, case.policy)
    visits, best = (
        [sum(row, ZERO) for row in planning.discounted_occupancy(mdp, policy)]
        for policy in (case.policy, solution.policy)
    )
    ratio = max(b / v for b, v in zip(best, visits, strict=True) if v) if mismatch else Fraction(1)
    gains = [max(row) - values[s] for s, row in enumerate(planning.discounted_q_values(mdp, values))]
    linear = sum((v * gain for v, gain in zip(visits, gains, strict=True)), ZERO) / ((1 - mdp.discount) if scale else 1)
    gap = planning.policy_value(mdp, solution.values) - planning.policy_value(mdp, values)
    return Comparison(gap, constant * ratio * linear)


# Sizes


def _power_sum(case: GradientCase, *, counted: bool) -> Fraction:
    return sum((case.discount**h * (h + 1 if counted else 1) for h in range(case.mdp.horizon)), ZERO)


def score_second_moment(case: GradientCase, *, constant: Fraction = Fraction(1), exponent: int = 1) -> Comparison:
    """Mean squared norm of the total score against H M_g^2."""

    def total(path: Path) -> list[Any]:
        return gradients.squared_norm([sum(s, fmpq(0)) for s in zip(*path.scores, strict=True)])

    (moment,) = gradients.mean(case, total, case.theta)
    return Comparison(moment, constant * case.mdp.horizon**exponent * case.score_bound)


def score_fourth_moment(*, constant: sp.Expr = FOUR) -> Induction:
    """Return the induction a(1) = 1, a(n + 1) = a(n) + 6 n + 1 + 4 sqrt(n), a(n) <= 4 n^2."""
    previous = sp.Symbol("previous", nonnegative=True)
    step = previous + 6 * n + 1 + 4 * sp.sqrt(n)
    return Induction(constant * n**2, sp.Integer(1), step, previous, n, relation="<=")


def gradient_second_moment(case: GradientCase, *, constant: Fraction = Fraction(1), counted: bool = True) -> Comparison:
    """Mean squared norm of the GPOMDP estimator against its bound with finite H."""
    (moment,) = gradients.mean(case, lambda path: gradients.squared_norm(gradients.gpomdp(path)), case.theta)
    sums = _power_sum(case, counted=False) * _power_sum(case, counted=counted)
    return Comparison(moment, constant * case.largest_reward**2 * case.score_bound * sums)


def smoothness(
    case: GradientCase, *, constant: Fraction = Fraction(1), counted: bool = True, score_term: bool = True
) -> Iterator[Comparison]:
    """Quadratic form of the Hessian in a few directions against the smoothness constant."""
    size = len(case.theta)
    matrix = gradients.mean(case, gradients.causal_hessian, case.theta)
    bound = case.largest_reward * case.score_bound * (2 if score_term else 1) * _power_sum(case, counted=counted)
    directions = [(1,)] if size == 1 else [(1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (-1, 2)]
    for v in directions:
        form = sum((v[i] * v[j] * matrix[size * i + j] for i in range(size) for j in range(size)), ZERO)
        yield Comparison(abs(form), constant * bound * sum(e * e for e in v), where=f"direction {v}")


def discounted_sum(*, shift: int = 0) -> Induction:
    """Return the induction over n for the sum of t gamma^(t - 1)."""
    claim = (1 - (n + 1 + shift) * gamma**n + (n + shift) * gamma ** (n + 1)) / (1 - gamma) ** 2
    return telescoping(count * gamma ** (count - 1), count, claim, n)


# Recursions

LENGTHS = sp.symbols("G D E", positive=True)
"""Lengths of g, d and d - g."""


def normalised_ascent(*, constant: sp.Expr = ONE, corner: bool = False) -> dict[str, Inequality]:
    """Return -<g, d> <= |d| (-c |g| + (1 + c) |d - g|) for c = 1 and c = 0; it is linear in c.

    The inner product is (G^2 + D^2 - E^2) / 2, and the lengths of a triangle satisfy three inequalities.
    """
    g, d, e = LENGTHS
    triangle = (sp.Le(g, d + e), sp.Le(d, g + e), sp.Le(e, g + d))
    inner = (g**2 + d**2 - e**2) / 2
    ends = {"c = 1": -g + (1 + constant) * e, "c = 0": constant * e}
    if corner:
        ends = {"c = 1": -g + e}
    return {name: Inequality(-inner, d * end, triangle) for name, end in ends.items()}


def weighted_recursion(*, shift: int = 1) -> Inequality:
    """Return the step of the induction, u = t + tau: from C for (u - 1)^2 r_t to C + u^2 beta for u^2 r_{t+1}."""
    u = sp.Symbol("u", positive=True)
    bound, extra = sp.symbols("C beta", nonnegative=True)
    step = (1 - 2 / u) * bound / (u - shift) ** 2 + extra
    return Inequality(step * (u + 1 - shift) ** 2, bound + extra * (u + 1 - shift) ** 2, (sp.Ge(u, 2 + (shift > 1)),))


def momentum_weights(*, power: sp.Expr = ONE) -> tuple[RealInequality, ...]:
    """Return two inequalities that imply 1/eta_{t+1} - 1/eta_t = (z + 1/2)^q - z^q <= q/2, z = (t + 2)/2 = 1 + u.

    With x = 1/(2 z) the left side is z^q ((1 + x)^q - 1) <= z^q q x = (q / 2) z^(q - 1), by Bernoulli's inequality, and
    z^(q - 1) <= 1. ``power`` is the largest exponent q.
    """
    q, u = sp.symbols("q u", real=True)
    bernoulli = sp.Le(sp.exp(q * sp.log(1 + x)), 1 + q * x, evaluate=False)
    decrease = sp.Le((q - 1) * sp.log(1 + u), 0, evaluate=False)
    return (
        RealInequality(bernoulli, ((x, 0, sp.Rational(1, 2)), (q, 0, power)), (Taylor(x, 0, 2),)),
        RealInequality(decrease, ((u, 0, sp.oo), (q, 0, power))),
    )


def momentum_variance(*, constant: sp.Expr = ONE, weights: bool = True) -> Inequality:
    """Return (1 - e) y + e^2 <= e for 0 <= y <= e <= 1, with e = eta_{t+1} and y = (1 - e) a_t.

    The two hypotheses give y <= (1 - e) eta_t <= e; without ``weights`` there is only y <= 1 - e.
    """
    e, y = sp.symbols("e y", nonnegative=True)
    return Inequality((1 - e) * y + e**2, constant * e, (sp.Le(e, 1), sp.Le(y, e if weights else 1 - e)))


def variance_recursion(*, constant: sp.Expr = FOUR_THIRDS, start: int = 1) -> dict[str, Obligation]:
    """Return the closed form of the recursion with equality, and its bound."""
    t = sp.Symbol("k", integer=True, nonnegative=True)
    noise, curvature, previous = sp.symbols("sigma2 S V", nonnegative=True)

    def closed(t: sp.Expr) -> sp.Expr:
        whole = noise * (2 * t + 3) / (t + 2) + curvature * t * (2 * t + 1) / (t + 2) ** 2
        return sp.Rational(2, 3) * whole / (t + 1)

    step = ((t + 1) / (t + 3)) ** 2 * (previous + 4 * curvature / (t + 2) ** 2) + 4 * noise / (t + 3) ** 2
    bound = constant * (noise + curvature) / (t + 1)
    return {
        "closed form": Induction(closed(t), noise, step, previous, t, start=0),
        "bound": Inequality(closed(t), bound, (sp.Ge(t, start),)),
    }


def lyapunov_weights(*, start: sp.Expr = THREE) -> Inequality:
    """Return the inequality between the two polynomials of degree five for u >= start."""
    u = sp.Symbol("u", positive=True)
    return Inequality((u - 1) ** 4 * u, (u - 2) ** 2 * (u + 1) ** 3, (sp.Ge(u, start),))


def softmax_fisher(*, constant: sp.Expr = ONE, centred: bool = True) -> dict[str, Obligation]:
    """Return the two steps for any number of actions, with m = min p, mu the mean of v under p.

    The variance of v is the sum of p (v - mu)^2, each term at least m (v - mu)^2; and the sum of (v - mu)^2 over k
    actions is |v|^2 - 2 mu s + k mu^2 with s the sum of v, which vanishes.
    """
    m, extra, norm = sp.symbols("m excess norm2", nonnegative=True)
    v, mu, total = sp.symbols("v mu s", real=True)
    k = sp.Symbol("k", integer=True, positive=True)
    spread = norm - (0 if centred else 2 * mu * total) + k * mu**2
    return {
        "term": Inequality(constant * m * (v - mu) ** 2, (m + extra) * (v - mu) ** 2),
        "sum": Inequality(m * norm, m * spread),
    }


AFFINE_DISCOUNTED_CASES: Mapping[str, Callable[[], AffineDiscountedCase]] = {
    name: partial(
        lambda seed, s, a, g: AffineDiscountedCase(
            random_discounted_case(seed, s, a, g).mdp,
            gradients.shared_case(seed, s, a, 1, g).family,
            gradients.shared_case(seed, s, a, 1, g).theta,
        ),
        seed,
        s,
        a,
        g,
    )
    for name, (seed, s, a, g) in {
        "S=2 A=2, gamma=1/2": (1, 2, 2, Fraction(1, 2)),
        "S=3 A=2, gamma=9/10": (2, 3, 2, Fraction(9, 10)),
        "S=3 A=3, gamma=99/100": (3, 3, 3, Fraction(99, 100)),
    }.items()
}
"""Two parameters for at least four free probabilities: the fit of the advantages has an error."""


def two_armed_case(discount: Fraction) -> DiscountedCase:
    """Return one state with two actions, where gradient domination is an equality."""
    mdp = RationalDiscountedMDP.from_weights([[[1], [1]]], [[1, 0]], discount)
    half = Fraction(1, 2)
    return DiscountedCase(mdp, ((half, half),), ((Fraction(1), ZERO),), (ZERO,))


DOMINATION_CASES: Mapping[str, Callable[[], DiscountedCase]] = {
    "one state, gamma=0": partial(constant_gap_case, ZERO),
    "two arms, gamma=9/10": partial(two_armed_case, Fraction(9, 10)),
    **{name: case for name, case in DISCOUNTED_CASES.items() if name.startswith("random")},
}

SMALL_CASES = {
    name: CASES[name] for name in ("one of everything", "extreme", "random S=2 A=2 H=2 #1", "random S=3 A=2 H=3 #2")
}
"""Cases with so few trajectories that their products of scores can be enumerated."""

BOUNDED_CASES = {**GRADIENT_CASES, **WALK_CASES}
CURVED_CASES = {**GRADIENT_CASES, **SQUARED_WALK_CASES}

EXACT_CHECKS = (
    Check(
        "policy_gradient.score_mean",
        Exact(GRADIENT_CASES, per_unit=5),
        score_mean,
        (Mutant("uniform_weights", "average under the uniform law instead of the policy", {"weights": "uniform"}),),
    ),
    Check(
        "policy_gradient.information_matrix",
        Exact(GRADIENT_CASES),
        information_matrix,
        (
            Mutant("wrong_sign", "plus the mean log-Hessian", {"sign": 1}),
            Mutant("first_stage_only", "the scores of the first stage alone", {"cross_terms": False}),
            Mutant("other_policy", "trajectories of another policy, scored at theta", {"weights": "before"}),
        ),
    ),
    Check(
        "policy_gradient.theorem",
        Exact(GRADIENT_CASES),
        theorem,
        (
            Mutant("action_baseline", "a baseline that depends on the action", {"baseline": "action"}),
            Mutant("myopic", "the reward in the place of Q", {"values": "reward"}),
            Mutant("other_occupancy", "occupancy of the policy before the step", {"weights": "before"}),
        ),
    ),
    Check(
        "policy_gradient.discounted_theorem",
        Exact(DISCOUNTED_CASES, per_unit=4),
        discounted_theorem,
        (
            Mutant("factor_missing", "the factor 1/(1-gamma) is left out", {"scale": False}),
            Mutant("other_occupancy", "occupancy of the comparator", {"weights": "comparator"}),
            Mutant("other_values", "Q of the comparator", {"values": "comparator"}),
        ),
    ),
    Check(
        "policy_gradient.gpomdp",
        Exact(GRADIENT_CASES),
        gpomdp,
        (
            Mutant("discount_from_t", "gamma^(h-t) in the place of gamma^h", {"restart": True}),
            Mutant("reward_missing", "the reward of the stage itself is left out of w_t", {"delay": 1}),
        ),
    ),
    Check(
        "policy_gradient.reinforce",
        Exact(GRADIENT_CASES),
        reinforce,
        (
            Mutant("mean_over_time", "the mean of the rewards instead of their sum", {"averaged": True}),
            Mutant("product_of_means", "mean reward times mean score", {"product_of_means": True}),
        ),
    ),
    Check(
        "policy_gradient.hessian_estimator",
        Exact(GRADIENT_CASES),
        hessian_estimator,
        (
            Mutant("no_score_term", "the product of gradient and score is left out", {"score_term": 0}),
            Mutant("score_term_sign", "the product of gradient and score is subtracted", {"score_term": -1}),
            Mutant("discount_from_t", "gamma^(h-t) in the place of gamma^h", {"restart": True}),
            Mutant("no_cross_terms", "squares of scores instead of the square of their sum", {"cross_terms": False}),
        ),
    ),
    Check(
        "policy_gradient.hessian_vector",
        Exact(STEP_CASES),
        hessian_vector,
        (
            Mutant("end", "the product is taken at the new parameter, q = 1", {"rule": "end"}),
            Mutant("midpoint", "the product is taken at the midpoint: exact for H <= 3 only", {"rule": "midpoint"}),
            Mutant("no_score_term", "only the derivative of the weighted log-likelihood", {"score_term": 0}),
            Mutant("score_term_sign", "the score term is subtracted", {"score_term": -1}),
            Mutant("dropped", "no correction at all", {"score_term": 0, "curvature": 0}),
            Mutant("sampled_at_end", "trajectory of the new policy, scored between the two", {"sampled": "end"}),
        ),
    ),
    Check(
        "policy_gradient.natural_gradient",
        Exact(SMALL_CASES),
        natural_gradient,
        (
            Mutant("comparator_values", "advantages of another policy", {"values": "comparator"}),
            Mutant("myopic", "rewards in the place of action values", {"values": "myopic"}),
            Mutant("scale", "99/100 of the advantage", {"scale": Fraction(99, 100)}),
        ),
    ),
    Check(
        "policy_gradient.compatible_features",
        Exact(AFFINE_DISCOUNTED_CASES),
        compatible_features,
        (
            Mutant("factor_missing", "the factor 1-gamma is left out", {"factor": False}),
            Mutant("shifted", "every coordinate is off by 1/1000", {"shift": Fraction(1, 1000)}),
        ),
    ),
    Check(
        "policy_gradient.domination_identity",
        Exact(AFFINE_DISCOUNTED_CASES),
        domination_identity,
        (
            Mutant("no_bias", "the error of the fit is left out", {"bias": False}),
            Mutant("factor_missing", "the factor 1-gamma is left out of the bias", {"factor": False}),
            Mutant("own_occupancy", "averages along the policy itself", {"weights": "policy"}),
        ),
    ),
    Check(
        "policy_gradient.direct_domination",
        Exact(DOMINATION_CASES, per_unit=7),
        direct_domination,
        (
            Mutant("constant_too_small", "0.99 times the bound", {"constant": Fraction(99, 100)}),
            Mutant("no_mismatch", "the mismatch of the occupancies is left out", {"mismatch": False}),
            Mutant("factor_missing", "the factor 1/(1-gamma) is left out", {"scale": False}),
        ),
    ),
    Check(
        "policy_gradient.score_second_moment",
        Exact(BOUNDED_CASES),
        score_second_moment,
        (
            Mutant("constant_too_small", "0.99 times the bound", {"constant": Fraction(99, 100)}),
            Mutant("no_horizon", "the factor H is left out", {"exponent": 0}),
        ),
    ),
    Check(
        "policy_gradient.gradient_second_moment",
        Exact(BOUNDED_CASES),
        gradient_second_moment,
        (
            Mutant("constant_too_small", "0.99 times the bound", {"constant": Fraction(99, 100)}),
            Mutant("one_sum_flat", "(sum gamma^t)^2: one power of 1/(1-gamma) less", {"counted": False}),
        ),
    ),
    Check(
        "policy_gradient.smoothness",
        Exact(CURVED_CASES),
        smoothness,
        (
            Mutant("constant_too_small", "2/5 of the bound; the walk attains 0.46 of it", {"constant": Fraction(2, 5)}),
            Mutant("one_power_less", "sum gamma^t: one power of 1/(1-gamma) less", {"counted": False}),
        ),
    ),
)

PROOFS = (
    Check(
        "policy_gradient.softmax_score",
        Symbolic(),
        softmax_identities,
        (Mutant("indicator", "99/100 in the place of 1[a = b]", {"own": sp.Rational(99, 100)}),),
    ),
    Check(
        "policy_gradient.score_fourth_moment",
        Symbolic(),
        score_fourth_moment,
        (Mutant("constant_too_small", "7/2 instead of 4; it fails from n = 4 on", {"constant": sp.Rational(7, 2)}),),
    ),
    Check(
        "policy_gradient.discounted_sum",
        Symbolic(),
        discounted_sum,
        (Mutant("shifted", "one more in both counts", {"shift": 1}),),
    ),
    Check(
        "policy_gradient.normalised_ascent",
        Polynomial(),
        normalised_ascent,
        (
            Mutant("constant_too_small", "1.99 |d - g| instead of 2", {"constant": sp.Rational(99, 100)}),
            Mutant("one", "|d - g| alone for c = 1", {"corner": True}),
        ),
    ),
    Check(
        "policy_gradient.weighted_recursion",
        Symbolic(),
        weighted_recursion,
        (Mutant("weights_shifted", "weights (t + tau - 2)^2", {"shift": 2}),),
    ),
    Check(
        "policy_gradient.momentum_weights",
        Interval(),
        momentum_weights,
        (Mutant("larger_power", "exponents up to 3/2", {"power": sp.Rational(3, 2)}),),
    ),
    Check(
        "policy_gradient.momentum_variance",
        Polynomial(),
        momentum_variance,
        (
            Mutant("constant_too_small", "0.99 eta", {"constant": sp.Rational(99, 100)}),
            Mutant("fast_weights", "without the condition on the weights", {"weights": False}),
        ),
    ),
    Check(
        "policy_gradient.variance_recursion",
        Symbolic(),
        variance_recursion,
        (
            Mutant(
                "constant_too_small",
                "1.3 instead of 4/3, from t = 300 on",
                {"constant": sp.Rational(13, 10), "start": 300},
            ),
        ),
    ),
    Check(
        "policy_gradient.lyapunov_weights",
        Symbolic(),
        lyapunov_weights,
        (Mutant("larger_range", "from u = 5/2 on", {"start": sp.Rational(5, 2)}),),
    ),
    Check(
        "policy_gradient.softmax_fisher",
        Symbolic(),
        softmax_fisher,
        (
            Mutant("constant_too_large", "1.01 times the smallest probability", {"constant": sp.Rational(101, 100)}),
            Mutant("not_centred", "vectors of any mean", {"centred": False}),
        ),
    ),
)

CHECKS = EXACT_CHECKS + PROOFS
