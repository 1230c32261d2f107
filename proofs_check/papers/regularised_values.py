r"""Checks of the values of KL-regularised control.

Identities are compared coefficient by coefficient on models whose values are rational combinations of logarithms of
primes (`proofs_check.logarithms`): nothing is rounded, and the optimal values come from soft dynamic programming on the
rewards. Those that hold stage by stage are proved for all models, as in `proofs_check.papers.value_difference`: for the
occupancy d, policies Pi and the kernel P as operators, :math:`\sum_{k<h} d_k g_k + d_h (V_h - V'_h)` does not depend on
the stage. Inequalities between values are certified in ball arithmetic. Statements about vectors of any length are
proved through the few quantities that they depend on: three weights and the sum of all others, or mean and second
moment.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import sympy as sp
from flint import arb

from mdps.rational import RationalMDP
from proofs_check import logarithms
from proofs_check.cases import Case, Table, random_case
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.logarithms import LogSum, Policy, SoftCase, SoftPlan, divergence, entropy, equal, positive, soft_case
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.exact import Exact, trajectories
from proofs_check.methods.interval import Inequality as RealInequality
from proofs_check.methods.interval import Interval, Taylor
from proofs_check.methods.operators import OperatorIdentity, operators
from proofs_check.methods.polynomial import Polynomial
from proofs_check.methods.symbolic import Identity, Inequality, Obligation, Symbolic
from solvers import rational_planning as planning
from theory.lemmas import scalar
from theory.symbols import lam, x

ONE, EIGHTH = sp.Integer(1), sp.Rational(1, 8)

# The soft maximum


def gibbs(*, scale: sp.Expr = ONE) -> Identity:
    """Return the identity of the terms of one action; the mean over actions under pi is the claim, as pi sums to one.

    The soft maximum is ``lambda log z``, the maximiser ``reference exp(x / lambda) / z``.
    """
    law, reference, z = sp.symbols("p q z", positive=True)
    value = sp.Symbol("v", real=True)
    maximiser = reference * sp.exp(value / lam) / z
    left = value - lam * sp.log(law / reference)
    right = scale * lam * sp.log(z) - lam * sp.log(law / maximiser)
    return Identity(left, sp.expand_log(right, force=True))


def soft_maximum_derivatives(*, temperature: sp.Expr = ONE) -> dict[str, Obligation]:
    """Return gradient and Hessian for three actions and the sum of all other weights w = reference exp(x / lambda).

    The derivative along x_a is ``(w_a / lambda) d/dw_a``.
    """
    a, b, c = sp.symbols("w_a w_b w_c", positive=True)
    whole = a + b + c + sp.Symbol("rest", nonnegative=True)
    soft = lam * sp.log(whole)

    def along(weight: sp.Symbol, expr: sp.Expr) -> sp.Expr:
        return weight / lam * sp.diff(expr, weight)

    own, other = a / whole, b / whole
    return {
        "gradient": Identity(along(a, soft), own),
        "diagonal": Identity(along(a, along(a, soft)), temperature * own * (1 - own) / lam),
        "off the diagonal": Identity(along(b, along(a, soft)), -temperature * own * other / lam),
    }


def curvature(*, quarter: sp.Expr = sp.Rational(1, 4), half: sp.Expr = sp.Rational(1, 2)) -> dict[str, Obligation]:
    """Return Popoviciu's inequality for values between m and m + s, through mean and second moment of u = v - m.

    slack := E u (s - u), a mean of nonnegative terms, gives the second moment. Then (2 m + s)^2 >= 0 bounds s^2 by the
    squares of the two extreme values.
    """
    low, mean = sp.symbols("m mean", real=True)
    span, slack = sp.symbols("s slack", nonnegative=True)
    moment = span * mean - slack
    return {
        "variance": Inequality(moment - mean**2, quarter * span**2),
        "norm": Inequality(span**2 / 4, half * (low**2 + (low + span) ** 2)),
    }


def soft_maximum_convex(*, slope: sp.Expr = ONE) -> RealInequality:
    """Return exp(u) >= 1 + u: the mean of exp(t) = exp(m) exp(u) under pi^x is at least exp(m), m the mean of t."""
    u = sp.Symbol("u", real=True)
    return RealInequality(sp.Ge(sp.exp(u), 1 + slope * u, evaluate=False), ((u, -sp.oo, sp.oo),))


def softmax_divergence(*, constant: sp.Expr = EIGHTH) -> tuple[RealInequality, ...]:
    """Return two inequalities that imply the claim, with t = (y - x) / lambda between l and l + w.

    The divergence is lambda (log E exp(t) - E t) under pi^x. By (1 + z)^s <= 1 + s z with z = exp(w) - 1 and
    t = l + s w, averaged, it is at most log(1 - p + p exp(w)) - p w with p = E s: the case of two actions.
    """
    s = sp.Symbol("s", real=True)
    chord = sp.Le(sp.exp(s * sp.log(1 + x)), 1 + s * x, evaluate=False)
    unit = (0, 1)
    return (
        RealInequality(
            scalar.hoeffding_core(constant=constant),
            ((scalar.p, *unit), (scalar.u, -sp.oo, sp.oo)),
            (Taylor(scalar.u, 0, 2),),
        ),
        RealInequality(chord, ((x, 0, sp.oo), (s, *unit)), (Taylor(x, 0, 2),)),
    )


@dataclass(frozen=True)
class Weights:
    """A positive law and two vectors of exp(x / lambda)."""

    reference: tuple[Fraction, ...]
    first: tuple[Fraction, ...]
    second: tuple[Fraction, ...]


def random_weights(seed: int, size: int) -> Weights:
    """Return weights without structure."""
    rng = random.Random(seed)
    parts = [rng.randint(1, 9) for _ in range(size)]
    vectors = [tuple(Fraction(rng.randint(1, 30), rng.randint(1, 30)) for _ in range(size)) for _ in range(2)]
    return Weights(tuple(Fraction(x, sum(parts)) for x in parts), *vectors)


def shifted_weights() -> Weights:
    """Return two vectors that differ by a constant: the soft maximum moves by just that."""
    reference = (Fraction(1, 6), Fraction(1, 3), Fraction(1, 2))
    first = (Fraction(2), Fraction(5), Fraction(1, 7))
    return Weights(reference, first, tuple(3 * entry for entry in first))


WEIGHTS: Mapping[str, Callable[[], Weights]] = {
    "shift": shifted_weights,
    "aligned": partial(Weights, (Fraction(1, 2),) * 2, (Fraction(100), Fraction(1)), (Fraction(10), Fraction(1))),
    **{
        f"random A={size} #{seed}": partial(random_weights, seed, size)
        for seed, size in enumerate((2, 3, 4, 6), start=1)
    },
}


def soft_maximum_order(
    case: Weights, *, factor: Fraction = Fraction(1), largest: bool = True, shift: Fraction = Fraction(3)
) -> Iterator[Comparison]:
    """Compare exp(F / lambda): at two vectors, after a shift, and with the extremes."""
    first, second = (
        sum((p * w for p, w in zip(case.reference, vector, strict=True)), Fraction(0))
        for vector in (case.first, case.second)
    )
    ratios = [x / y for x, y in zip(case.first, case.second, strict=True)]
    mean = sum((p * ratio for p, ratio in zip(case.reference, ratios, strict=True)), Fraction(0))
    yield Comparison(first, factor * (max(ratios) if largest else mean) * second, where="above")
    yield Comparison(min(ratios) * second, first, where="below")
    moved = sum((p * 3 * w for p, w in zip(case.reference, case.first, strict=True)), Fraction(0))
    yield Comparison(moved, shift * first, "==", where="shift")
    yield Comparison(first, max(case.first), where="largest entry")
    yield Comparison(min(case.first), first, where="smallest entry")


# Identities between logarithms


SOFT_CASES: Mapping[str, Callable[[], SoftCase]] = {
    "one stage, three actions": partial(soft_case, 1, 1, 3, 1, Fraction(1, 2)),
    "S=2 A=2 H=2": partial(soft_case, 2, 2, 2, 2, Fraction(3, 10)),
    "S=3 A=2 H=3": partial(soft_case, 3, 3, 2, 3, Fraction(2)),
    "S=3 A=3 H=3, uniform reference": partial(soft_case, 4, 3, 3, 3, Fraction(3, 10), uniform=True),
}


def gap_identity(
    case: SoftCase, *, reverse: bool = False, weights: str = "policy", scale: bool = True
) -> Iterator[Comparison]:
    """Regularised gap against lambda times the divergence to the optimal policy."""
    plan = SoftPlan.of(case)
    pair = (plan.policy, positive(case.policy)) if reverse else (case.policy, plan.policy)
    terms = case.divergences(*pair)
    right = case.along(case.policy if weights == "policy" else plan.policy, terms)
    left = case.start(plan.values) - case.start(case.evaluate(case.policy))
    yield from equal(left, case.temperature * right if scale else right)


def penalty(case: SoftCase, *, reverse: bool = False, stages: int = 0) -> Iterator[Comparison]:
    """Regularised value against value less lambda times the divergence to the reference."""
    policy = case.comparator
    terms = case.divergences(case.reference, policy) if reverse else case.divergences(policy, case.reference)
    terms = [[LogSum()] * len(row) for row in terms[:stages]] + terms[stages:]
    plain = case.start(case.evaluate(policy, penalty=Fraction(0)))
    yield from equal(case.start(case.evaluate(policy)), plain - case.temperature * case.along(policy, terms))


def performance_difference(
    case: SoftCase, *, weights: str = "policy", reference_term: bool = True
) -> Iterator[Comparison]:
    """Difference of two regularised values against one-step differences along the first policy."""
    ours, theirs = case.policy, case.comparator
    values = case.evaluate(theirs)
    tables = [case.look_ahead(h, values[h + 1]) for h in range(case.horizon)]
    terms = []
    for h, stage in enumerate(tables):
        row = []
        for s, q_row in enumerate(stage):
            moved = logarithms.total((p - w) * q for p, w, q in zip(ours[h][s], theirs[h][s], q_row, strict=True))
            paid = divergence(ours[h][s], case.reference[h][s])
            if reference_term:
                paid = paid - divergence(theirs[h][s], case.reference[h][s])
            row.append(moved - case.temperature * paid)
        terms.append(row)
    left = case.start(case.evaluate(ours)) - case.start(values)
    yield from equal(left, case.along(ours if weights == "policy" else theirs, terms))


def trajectory_divergence(case: SoftCase, *, weights: str = "policy", dropped: int = 0) -> Iterator[Comparison]:
    """Divergence of the laws of trajectories, by enumeration, against the expected sum of the stages."""
    free = [[0] * len(case.reference[0][0])] * len(case.initial)
    mdp = RationalMDP(case.transitions, free, case.horizon, case.initial)
    left = LogSum()
    for path in trajectories(mdp, case.policy):
        ratio = Fraction(1)
        for h, (s, a) in enumerate(zip(path.states, path.actions, strict=True)):
            ratio *= case.policy[h][s][a] / case.comparator[h][s][a]
        left += path.probability * LogSum.log(ratio)
    terms = case.divergences(case.policy, case.comparator)
    terms = terms[: case.horizon - dropped] + [[LogSum()] * len(case.initial)] * dropped
    yield from equal(left, case.along(case.policy if weights == "policy" else case.comparator, terms))


def maximum_entropy(case: SoftCase, *, constant: bool = True, sign: int = 1) -> Iterator[Comparison]:
    """Regularised value for a uniform reference against value plus lambda times the entropies."""
    policy = case.policy
    terms = [[sign * entropy(law) for law in stage] for stage in policy]
    offset = case.temperature * case.horizon * LogSum.log(len(policy[0][0])) if constant else LogSum()
    plain = case.start(case.evaluate(policy, penalty=Fraction(0)))
    yield from equal(case.start(case.evaluate(policy)) + offset, plain + case.temperature * case.along(policy, terms))


# The step from one stage to the next, for operators of all sizes

VISITS, MEAN, OTHER_MEAN, KERNEL = operators("d Pi Pi' P")
REWARD, NEXT, OTHER_NEXT, COST, OTHER_COST = operators("r V_next V'_next k k'")
SHAPES = {
    VISITS: ("1", "S"),
    MEAN: ("S", "SA"),
    OTHER_MEAN: ("S", "SA"),
    KERNEL: ("SA", "S"),
    REWARD: ("SA", "1"),
    NEXT: ("S", "1"),
    OTHER_NEXT: ("S", "1"),
    COST: ("S", "1"),
    OTHER_COST: ("S", "1"),
}
"""Occupancy, policies, kernel and reward of a stage, values of the next one, and two vectors of divergences."""


def _step(difference: sp.Expr, term: sp.Expr, arriving: sp.Expr, later: sp.Expr) -> OperatorIdentity:
    """Return d (V - V') = d g + d_next (V_next - V'_next): the sum of all d g is then the difference at the start."""
    return OperatorIdentity(sp.expand(VISITS * difference), sp.expand(VISITS * term + arriving * later), SHAPES)


def penalty_step(*, scale: sp.Expr = ONE) -> OperatorIdentity:
    """Return the step for regularised and plain values of a policy with divergences k from the reference."""
    soft = MEAN * (REWARD + KERNEL * NEXT) - lam * COST
    plain = MEAN * (REWARD + KERNEL * OTHER_NEXT)
    return _step(soft - plain, -scale * lam * COST, VISITS * MEAN * KERNEL, NEXT - OTHER_NEXT)


def performance_difference_step(*, weights: str = "policy", reference_term: bool = True) -> OperatorIdentity:
    """Return the step for two policies with divergences k and k' from the reference."""
    ours, theirs = REWARD + KERNEL * NEXT, REWARD + KERNEL * OTHER_NEXT
    difference = MEAN * ours - lam * COST - OTHER_MEAN * theirs + lam * OTHER_COST
    paid = lam * COST - (lam * OTHER_COST if reference_term else 0)
    arriving = VISITS * (MEAN if weights == "policy" else OTHER_MEAN) * KERNEL
    return _step(difference, (MEAN - OTHER_MEAN) * theirs - paid, arriving, NEXT - OTHER_NEXT)


def gap_step(*, weights: str = "policy", scale: sp.Expr = ONE) -> OperatorIdentity:
    """Return the step for the optimal value; by Gibbs' principle it is Pi Q* - lambda k + lambda k'.

    k and k' are the divergences of the policy from the reference and from the optimal policy.
    """
    best = MEAN * (REWARD + KERNEL * OTHER_NEXT) - lam * COST + lam * OTHER_COST
    value = MEAN * (REWARD + KERNEL * NEXT) - lam * COST
    arriving = VISITS * (MEAN if weights == "policy" else OTHER_MEAN) * KERNEL
    return _step(best - value, scale * lam * OTHER_COST, arriving, OTHER_NEXT - NEXT)


# Inequalities in balls

BallTable = list[list[list[Any]]]


def ball(value: Fraction | Any) -> Any:
    """Return a rational as a ball."""
    return arb(value.numerator) / value.denominator if isinstance(value, Fraction) else value


def _mean(law: Sequence[Any], values: Sequence[Any]) -> Any:
    return sum((ball(p) * v for p, v in zip(law, values, strict=True) if not _is_zero(p)), arb(0))


def _is_zero(mass: Any) -> bool:
    return isinstance(mass, Fraction) and mass == 0


@dataclass(frozen=True)
class BallCase:
    """A model with a reference policy and a temperature."""

    case: Case
    reference: Policy
    temperature: Fraction

    @property
    def mdp(self) -> RationalMDP:
        """The model."""
        return self.case.mdp

    def look_ahead(self, h: int, values: Sequence[Any]) -> list[list[Any]]:
        """Return r + p V at a stage."""
        kernel = self.mdp.transitions[h % len(self.mdp.transitions)]
        rewards = self.mdp.rewards[h % len(self.mdp.rewards)]
        return [
            [ball(r) + _mean(law, values) for r, law in zip(row, laws, strict=True)]
            for row, laws in zip(rewards, kernel, strict=True)
        ]

    def softmax(self, h: int, table: list[list[Any]]) -> tuple[list[Any], list[list[Any]]]:
        """Return soft maxima and maximisers at a stage."""
        scale = ball(self.temperature)
        values, policy = [], []
        for law, row in zip(self.reference[h], table, strict=True):
            weights = [ball(p) * (q / scale).exp() for p, q in zip(law, row, strict=True)]
            whole = sum(weights, arb(0))
            values.append(scale * whole.log())
            policy.append([w / whole for w in weights])
        return values, policy

    def optimum(self) -> tuple[Any, BallTable, BallTable]:
        """Return the optimal regularised value, action values and policy."""
        values: list[Any] = [arb(0)] * self.mdp.n_states
        tables: BallTable = []
        policy: BallTable = []
        for h in reversed(range(self.mdp.horizon)):
            tables.insert(0, self.look_ahead(h, values))
            values, best = self.softmax(h, tables[0])
            policy.insert(0, best)
        return self.start(values), tables, policy

    def start(self, values: Sequence[Any]) -> Any:
        """Return the value of the first state."""
        return _mean(self.mdp.initial, values)

    def divergence(self, policy: Any, h: int, s: int) -> Any:
        """Return KL(policy || reference); entries that are the number zero do not count."""
        pairs = zip(policy[h][s], self.reference[h][s], strict=True)
        return sum((ball(p) * (ball(p) / ball(q)).log() for p, q in pairs if not _is_zero(p)), arb(0))

    def evaluate(self, policy: Any, penalty: Fraction) -> Any:
        """Return the value of a policy with a penalty."""
        values: list[Any] = [arb(0)] * self.mdp.n_states
        for h in reversed(range(self.mdp.horizon)):
            table = self.look_ahead(h, values)
            values = [
                _mean(policy[h][s], row) - (ball(penalty) * self.divergence(policy, h, s) if penalty else arb(0))
                for s, row in enumerate(table)
            ]
        return self.start(values)

    def along(self, policy: Any, terms: Sequence[Sequence[Any]]) -> Any:
        """Return the expected sum of ``terms[h][s]`` along a policy."""
        values: list[Any] = [arb(0)] * self.mdp.n_states
        for h in reversed(range(self.mdp.horizon)):
            kernel = self.mdp.transitions[h % len(self.mdp.transitions)]
            arriving = [[_mean(law, values) for law in row] for row in kernel]
            values = [terms[h][s] + _mean(policy[h][s], row) for s, row in enumerate(arriving)]
        return self.start(values)

    def trajectory_divergence(self, policy: Any) -> Any:
        """Return KL_traj(policy || reference)."""
        terms = [[self.divergence(policy, h, s) for s in range(self.mdp.n_states)] for h in range(self.mdp.horizon)]
        return self.along(policy, terms)


def random_ball_case(
    seed: int, shape: tuple[int, int, int], temperature: Fraction, *, uniform: bool = False
) -> BallCase:
    """Return a case without structure; the reference is that of `soft_case`."""
    case = random_case(seed, *shape)
    even = (((Fraction(1, shape[1]),) * shape[1],) * shape[0],) * shape[2]
    return BallCase(case, even if uniform else positive(case.comparator), temperature)


def bandit_case(
    rewards: tuple[Fraction, ...], law: tuple[Fraction, ...], guess: tuple[Fraction, ...], temperature: Fraction
) -> BallCase:
    """Return one state and one stage; the first action is that of the policy, the law of the reference is given."""
    actions = len(rewards)
    mdp = RationalMDP([[[1]] * actions], [rewards], 1)
    first: Table = (tuple(Fraction(int(a == 0)) for a in range(actions)),)
    return BallCase(Case(mdp, mdp, (first,), (first,), ((guess,),)), ((law,),), temperature)


def unvisited_case() -> BallCase:
    """Return two policies that part at the first stage; one of them is far from the reference where it never goes."""
    one, zero, half, rare = Fraction(1), Fraction(0), Fraction(1, 2), Fraction(1, 10**6)
    stays = [[0, 1, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 1]]
    mdp = RationalMDP.from_weights([[[0, 1, 0], [0, 0, 1]], *stays], [[0, 0]] * 3, 2)
    reference = (((half, half),) * 3, ((half, half), (1 - rare, rare), (half, half)))
    left = (((one, zero), (one, zero), (one, zero)), ((one, zero), (one, zero), (half, half)))
    right = (((zero, one), (one, zero), (one, zero)), ((one, zero), (zero, one), (half, half)))
    return BallCase(Case(mdp, mdp, left, right, left), reference, one)


HALF = (Fraction(1, 2), Fraction(1, 2))
SIZES = ((2, 2, 2), (3, 2, 3), (2, 3, 3))
RANDOM_CASES: Mapping[str, Callable[[], BallCase]] = {
    f"random S={s} A={a} H={h}, lambda={temperature}": partial(random_ball_case, seed, (s, a, h), temperature)
    for seed, ((s, a, h), temperature) in enumerate(
        zip(SIZES, (Fraction(3, 10), Fraction(1), Fraction(1, 10)), strict=True), start=1
    )
}
GAP_CASES: Mapping[str, Callable[[], BallCase]] = {
    **RANDOM_CASES,
    "two arms, small error": partial(
        bandit_case, (Fraction(0),) * 2, HALF, (Fraction(1, 200), Fraction(-1, 200)), Fraction(1)
    ),
}
DEMONSTRATION_CASES: Mapping[str, Callable[[], BallCase]] = {
    **RANDOM_CASES,
    "rare good arm": partial(
        bandit_case,
        (Fraction(1), Fraction(0)),
        (Fraction(1, 10**300), 1 - Fraction(1, 10**300)),
        (Fraction(0),) * 2,
        Fraction(1477, 10**6),
    ),
}
BIAS_CASES: Mapping[str, Callable[[], BallCase]] = {
    "two arms": partial(bandit_case, (Fraction(1), Fraction(0)), HALF, (Fraction(0),) * 2, Fraction(1, 10)),
    **{
        f"random S={s} A={a} H={h}": partial(random_ball_case, seed, (s, a, h), Fraction(1, 5), uniform=True)
        for seed, (s, a, h) in enumerate(SIZES)
    },
}
MIXTURE_CASES = {**RANDOM_CASES, "a state that one policy never visits": unvisited_case}


def quadratic_gap(
    case: BallCase, *, span: Fraction = Fraction(1, 8), largest: Fraction = Fraction(1, 2)
) -> Iterator[BallComparison]:
    """Gap of the softmax policy of the guess against spans, and spans against largest errors."""
    best, tables, _ = case.optimum()
    guess = case.case.guess
    policy, spans, squares = [], [], []
    for h, stage in enumerate(tables):
        errors = [[ball(g) - q for g, q in zip(*pair, strict=True)] for pair in zip(guess[h], stage, strict=True)]
        policy.append(case.softmax(h, [[ball(g) for g in row] for row in guess[h]])[1])
        spans.append([(_largest(row) + _largest([-e for e in row])) ** 2 for row in errors])
        squares.append([_largest([abs(e) for e in row]) ** 2 for row in errors])
    gap = best - case.evaluate(policy, case.temperature)
    by_span, by_square = (case.along(policy, terms) / ball(case.temperature) for terms in (spans, squares))
    yield BallComparison(gap, ball(span) * by_span, where="spans")
    yield BallComparison(gap, ball(largest) * by_square, where="largest errors")


def _largest(values: Sequence[Any]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = result.max(value)
    return result


def demonstrations(
    case: BallCase, *, constant: Fraction = Fraction(1), divergence_of: str = "expert"
) -> BallComparison:
    """Gap of the optimal regularised policy against those of the expert and its divergence."""
    mdp, expert = case.mdp, case.case.policy
    best = ball(planning.policy_value(mdp, planning.backward_induction(mdp).values))
    _, _, policy = case.optimum()
    paid = case.trajectory_divergence(expert if divergence_of == "expert" else policy)
    regret = best - case.evaluate(expert, Fraction(0))
    right = regret + ball(constant * case.temperature) * paid
    return BallComparison(best - case.evaluate(policy, Fraction(0)), right)


def entropy_bias(case: BallCase, *, constant: Fraction = Fraction(1), stages: bool = True) -> Iterator[BallComparison]:
    """Loss of the optimal value by regularisation, from below and above."""
    mdp = case.mdp
    loss = ball(planning.policy_value(mdp, planning.backward_induction(mdp).values)) - case.optimum()[0]
    length = mdp.horizon if stages else 1
    yield BallComparison(arb(0), loss, where="below")
    yield BallComparison(loss, ball(constant * case.temperature * length) * arb(mdp.n_actions).log(), where="above")


def mixture(case: BallCase, *, weighted: bool = True) -> Iterator[BallComparison]:
    """Occupancy of the mixture, exactly, and its divergence from the reference."""
    mdp, policies = case.mdp, (case.case.policy, case.case.comparator)
    shares = (Fraction(1, 2), Fraction(1, 2))
    measures = [planning.occupancy(mdp, policy) for policy in policies]
    mixed = []
    for h, s in itertools.product(range(mdp.horizon), range(mdp.n_states)):
        rows = measures if weighted else policies
        sums = [
            sum((w * m[h][s][a] for w, m in zip(shares, rows, strict=True)), Fraction(0)) for a in range(mdp.n_actions)
        ]
        whole = sum(sums, Fraction(0))
        mixed.append(tuple(x / whole for x in sums) if whole else policies[0][h][s])
    policy = [tuple(mixed[h * mdp.n_states : (h + 1) * mdp.n_states]) for h in range(mdp.horizon)]
    if weighted:
        reached = planning.occupancy(mdp, policy)
        for h, s, a in itertools.product(range(mdp.horizon), range(mdp.n_states), range(mdp.n_actions)):
            mean = sum((w * m[h][s][a] for w, m in zip(shares, measures, strict=True)), Fraction(0))
            yield BallComparison(ball(abs(reached[h][s][a] - mean)), arb(0), where=f"occupancy {h} {s} {a}")
    right = sum((ball(w) * case.trajectory_divergence(p) for w, p in zip(shares, policies, strict=True)), arb(0))
    yield BallComparison(case.trajectory_divergence(policy), right, where="divergence")


PROOFS = (
    Check(
        "regularised_values.gibbs",
        Symbolic(),
        gibbs,
        (Mutant("scale", "99/100 of the soft maximum", {"scale": sp.Rational(99, 100)}),),
    ),
    Check(
        "regularised_values.soft_maximum_derivatives",
        Symbolic(),
        soft_maximum_derivatives,
        (Mutant("temperature", "the Hessian times 99/100", {"temperature": sp.Rational(99, 100)}),),
    ),
    Check(
        "regularised_values.curvature",
        Polynomial(),
        curvature,
        (
            Mutant("smaller_quarter", "0.24 instead of 1/4", {"quarter": sp.Rational(24, 100)}),
            Mutant("smaller_half", "0.49 instead of 1/2", {"half": sp.Rational(49, 100)}),
        ),
    ),
    Check(
        "regularised_values.soft_maximum_convex",
        Interval(),
        soft_maximum_convex,
        (Mutant("slope", "slope 1.01 of the tangent at 0", {"slope": sp.Rational(101, 100)}),),
    ),
    Check(
        "regularised_values.softmax_divergence",
        Interval(),
        softmax_divergence,
        (Mutant("constant_too_small", "0.124 instead of 1/8", {"constant": sp.Rational(124, 1000)}),),
    ),
)

OPERATOR_PROOFS = (
    Check(
        "regularised_values.penalty",
        Symbolic(),
        penalty_step,
        (Mutant("scale", "99/100 of the divergence", {"scale": sp.Rational(99, 100)}),),
    ),
    Check(
        "regularised_values.performance_difference",
        Symbolic(),
        performance_difference_step,
        (
            Mutant("other_weights", "expectation along the second policy", {"weights": "comparator"}),
            Mutant("one_penalty", "the penalty of the second policy is left out", {"reference_term": False}),
        ),
    ),
    Check(
        "regularised_values.gap_identity",
        Symbolic(),
        gap_step,
        (
            Mutant("optimal_weights", "expectation along another policy", {"weights": "optimal"}),
            Mutant("scale", "99/100 of the divergence", {"scale": sp.Rational(99, 100)}),
        ),
    ),
)

EXACT_CHECKS = (
    Check(
        "regularised_values.soft_maximum_order",
        Exact(WEIGHTS, per_unit=6),
        soft_maximum_order,
        (
            Mutant("factor", "less than the largest difference, by the factor 0.99", {"factor": Fraction(99, 100)}),
            Mutant("mean_ratio", "the mean ratio instead of the largest one", {"largest": False}),
            Mutant("shift", "a shift of log 3 moves the soft maximum by log 2.99", {"shift": Fraction(299, 100)}),
        ),
    ),
    Check(
        "regularised_values.penalty",
        Exact(SOFT_CASES),
        penalty,
        (
            Mutant("reversed", "the divergence of the reference from the policy", {"reverse": True}),
            Mutant("stage_dropped", "nothing is paid at the first stage", {"stages": 1}),
        ),
    ),
    Check(
        "regularised_values.trajectory_divergence",
        Exact(SOFT_CASES),
        trajectory_divergence,
        (
            Mutant("other_weights", "expectation along the second policy", {"weights": "comparator"}),
            Mutant("stage_dropped", "the last stage is left out", {"dropped": 1}),
        ),
    ),
    Check(
        "regularised_values.gap_identity",
        Exact(SOFT_CASES),
        gap_identity,
        (
            Mutant("reversed", "the divergence of the optimal policy from the policy", {"reverse": True}),
            Mutant("optimal_weights", "expectation along the optimal policy", {"weights": "optimal"}),
            Mutant("scale_missing", "lambda is left out", {"scale": False}),
        ),
    ),
    Check(
        "regularised_values.performance_difference",
        Exact(SOFT_CASES),
        performance_difference,
        (
            Mutant("other_weights", "expectation along the second policy", {"weights": "comparator"}),
            Mutant("one_penalty", "the penalty of the second policy is left out", {"reference_term": False}),
        ),
    ),
    Check(
        "regularised_values.maximum_entropy",
        Exact(SOFT_CASES),
        maximum_entropy,
        (
            Mutant("constant_missing", "lambda H log A is left out", {"constant": False}),
            Mutant("sign", "the entropy is subtracted", {"sign": -1}),
        ),
    ),
)

BALL_CHECKS = (
    Check(
        "regularised_values.quadratic_gap",
        Balls(GAP_CASES),
        quadratic_gap,
        (
            Mutant("span_constant", "1/8.01 instead of 1/8", {"span": Fraction(100, 801)}),
            Mutant("error_constant", "1/2.01 instead of 1/2", {"largest": Fraction(100, 201)}),
        ),
    ),
    Check(
        "regularised_values.demonstrations",
        Balls(DEMONSTRATION_CASES),
        demonstrations,
        (
            Mutant("constant_too_small", "0.97 lambda", {"constant": Fraction(97, 100)}),
            Mutant("half", "lambda / 2", {"constant": Fraction(1, 2)}),
            Mutant("own_divergence", "divergence of the solution, not of the expert", {"divergence_of": "solution"}),
        ),
    ),
    Check(
        "regularised_values.entropy_bias",
        Balls(BIAS_CASES),
        entropy_bias,
        (
            Mutant("constant_too_small", "0.99 times the bound", {"constant": Fraction(99, 100)}),
            Mutant("no_horizon", "the factor H is left out", {"stages": False}),
        ),
    ),
    Check(
        "regularised_values.mixture",
        Balls(MIXTURE_CASES),
        mixture,
        (Mutant("unweighted", "the mean of the policies, whatever they visit", {"weighted": False}),),
    ),
)

CHECKS = PROOFS + OPERATOR_PROOFS + EXACT_CHECKS + BALL_CHECKS
