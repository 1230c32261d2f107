r"""Checks of the guarantees for clones of an expert, exact where sets of demonstrations can be summed over.

The counts of N independent demonstrations at a stage are multinomial with the occupancies :math:`d_h(s, a)` of the
expert: given n visits of a state its actions are independent draws from :math:`p = \pi^E_h(s)`. With pseudo-counts
:math:`\alpha` (Laplace: 1) a state contributes

.. math:: d \Big[ \sum_a p_a \log p_a + \mathbb E \log(n + A \alpha) - \sum_a p_a \mathbb E \log(K_a + \alpha) \Big],
          \quad n \sim \mathrm{Bin}(N, d),\ K_a \sim \mathrm{Bin}(N, d p_a),

to the mean divergence, which is a sum of finitely many terms. Sums are enclosed in balls. For statements with high
probability the law of the ratio of both sides is computed for states whose visits do not depend on the expert, and its
quantile :math:`1 - \delta` is compared with one.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from typing import Any

import flint
import sympy as sp
from flint import arb

from mdps.rational import RationalMDP
from proofs_check.cases import random_case
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.expressions import evaluate
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.base import Tier
from proofs_check.methods.exact import Exact
from proofs_check.rigorous import ZERO, Logs
from solvers import rational_planning as planning
from theory import demonstration_regularized as theory
from theory import demonstration_regularized_parameters as parameters

BOUNDS = {claim.id.split(".")[1]: claim.explicit_bound for claim in theory.CLAIMS if claim.bound is not None}
"""Bounds of the claims by the second half of their ids."""

TINY = Fraction(1, 10**1000)
"""Stands for a probability or pseudo-count of zero, so that infinite divergences become finite and huge."""

Law = tuple[Fraction, ...]
Values = dict[str, Fraction | int]


def ball(value: Fraction | int) -> arb:
    """Return a rational as a ball."""
    return arb(flint.fmpq(value.numerator, value.denominator))


def bound_of(expression: sp.Expr, **values: Fraction | int) -> arb:
    """Return a ball that contains an expression at rational values of its symbols, at the current precision."""
    point = {}
    for symbol in expression.free_symbols:
        value = Fraction(values[symbol.name])
        point[symbol] = flint.fmpq(value.numerator, value.denominator)
    return arb(evaluate(expression, point, flint.ctx.prec))


def binomial(trials: int, mean: Fraction) -> list[arb]:
    """Return the probabilities of 0, ..., trials successes."""
    if mean == 0 or mean == 1:
        certain = 0 if mean == 0 else trials
        return [arb(int(k == certain)) for k in range(trials + 1)]
    masses = [ball(1 - mean) ** trials]
    odds = ball(mean) / ball(1 - mean)
    for k in range(trials):
        masses.append(masses[-1] * odds * (trials - k) / (k + 1))
    return masses


def divergence(left: Sequence[arb], right: Sequence[arb]) -> arb:
    """Return KL(left || right); entries of the left law that are exactly zero do not count."""
    return sum((p * (p / q).log() for p, q in zip(left, right, strict=True) if not p.is_zero()), arb(0))


# Expectation


@dataclass(frozen=True)
class Demonstrated:
    """A number of demonstrations and, for each stage and state, its probability and the law of the expert there."""

    size: int
    horizon: int
    states: tuple[tuple[Fraction, Law], ...]

    @property
    def n_states(self) -> int:
        """Number of states of a stage."""
        return len(self.states) // self.horizon

    @property
    def n_actions(self) -> int:
        """Number of actions."""
        return len(self.states[0][1])


def one_state(law: Sequence[Fraction | int], size: int) -> Demonstrated:
    """Return one state and one stage."""
    return Demonstrated(size, 1, ((Fraction(1), tuple(map(Fraction, law))),))


def in_model(mdp: RationalMDP, expert: Any, size: int) -> Demonstrated:
    """Return the states that an expert reaches in a model."""
    reached = planning.occupancy(mdp, expert)
    pairs = itertools.product(range(mdp.horizon), range(mdp.n_states))
    return Demonstrated(
        size, mdp.horizon, tuple((sum(reached[h][s], Fraction(0)), tuple(expert[h][s])) for h, s in pairs)
    )


def _random_demonstrated(seed: int, shape: tuple[int, int, int], size: int) -> Demonstrated:
    case = random_case(seed, *shape)
    return in_model(case.mdp, case.policy, size)


def mean_divergence(case: Demonstrated, pseudo: Fraction = Fraction(1)) -> arb:
    """Return the mean divergence of the expert from its clone with a pseudo-count."""
    total = arb(0)
    logs = [ball(k + pseudo).log() for k in range(case.size + 1)]
    sums = [ball(n + case.n_actions * pseudo).log() for n in range(case.size + 1)]
    for mass, law in case.states:
        if mass == 0:
            continue
        part = _mean(binomial(case.size, mass), sums)
        for p in law:
            if p > 0:
                part += ball(p) * (ball(p).log() - _mean(binomial(case.size, mass * p), logs))
        total += ball(mass) * part
    return total


def reversed_divergence(case: Demonstrated) -> arb:
    """Return the mean divergence of the clone from the expert, weighted as the expert visits."""
    total = arb(0)
    for mass, law in case.states:
        for n, weight in enumerate(binomial(case.size, mass)):
            if weight.is_zero():
                continue
            for p in law:
                for k, chance in enumerate(binomial(n, p)):
                    guess = ball(Fraction(k + 1, n + case.n_actions))
                    total += ball(mass) * weight * chance * guess * (guess / ball(max(p, TINY))).log()
    return total


def _mean(masses: Sequence[arb], values: Sequence[arb]) -> arb:
    return sum((mass * value for mass, value in zip(masses, values, strict=True)), arb(0))


EXPECTED: Mapping[str, Callable[[], Demonstrated]] = {
    "two arms, deterministic expert, N=100": partial(one_state, (1, 0), 100),
    "three arms, deterministic expert, N=100": partial(one_state, (1, 0, 0), 100),
    "two arms, nine to one, N=5": partial(one_state, (Fraction(9, 10), Fraction(1, 10)), 5),
    "two arms, fair, N=20": partial(one_state, (Fraction(1, 2), Fraction(1, 2)), 20),
    "random S=2 A=2 H=2, N=8": partial(_random_demonstrated, 3, (2, 2, 2), 8),
    "random S=3 A=3 H=3, N=12": partial(_random_demonstrated, 4, (3, 3, 3), 12),
}


def cloning_expectation(
    case: Demonstrated, *, pseudo: Fraction = Fraction(1), scale: Fraction = Fraction(1), reverse: bool = False
) -> Iterator[BallComparison]:
    """Compare the mean divergence with the sum over states and with its worst case."""
    mean = reversed_divergence(case) if reverse else mean_divergence(case, pseudo)
    N, A = case.size, case.n_actions
    part = theory.CLONING_STATE_EXPECTATION
    by_state = sum((bound_of(part, A=A, N=N, mass=mass) for mass, _ in case.states), arb(0))
    worst = bound_of(BOUNDS["cloning_expectation"].rhs, S=case.n_states, A=A, H=case.horizon, N=N)
    yield BallComparison(mean, ball(scale) * by_state, where="sum over states")
    yield BallComparison(mean, ball(scale) * worst, where="worst case")


# High probability


@dataclass(frozen=True)
class FreeStates:
    """States with two actions, reached with fixed probabilities at the only stage: demonstrations, delta, and laws.

    ``rare`` are the expert's probabilities of the second action, ``masses`` those of the states.
    """

    size: int
    delta: Fraction
    rare: Law
    masses: Law = (Fraction(1),)


Counts = tuple[tuple[int, int], ...]
"""Visits, and second actions among them, of each state."""


def all_counts(case: FreeStates) -> Iterator[tuple[arb, Counts]]:
    """Yield every outcome of the demonstrations with its probability; one state, or two."""
    visits = binomial(case.size, case.masses[0])
    for n, mass in enumerate(visits):
        if mass.is_zero():
            continue
        numbers = (n, case.size - n)[: len(case.rare)]
        laws = [binomial(number, p) for number, p in zip(numbers, case.rare, strict=True)]
        for taken in itertools.product(*(range(number + 1) for number in numbers)):
            chance = mass
            for law, k in zip(laws, taken, strict=True):
                chance = chance * law[k]
            if not chance.is_zero():
                yield chance, tuple(zip(numbers, taken, strict=True))


def clone_divergence(case: FreeStates, counts: Counts, pseudo: Fraction = Fraction(1), reverse: bool = False) -> arb:
    """Return the divergence between the expert and its clone from these counts."""
    total, added = arb(0), ball(pseudo)
    for mass, p, (n, k) in zip(case.masses, case.rare, counts, strict=True):
        whole, weights = n + 2 * added, (k + added, n - k + added)
        if reverse:
            logs = [ball(max(chance, TINY)).log() for chance in (p, 1 - p)]
            parts = [w / whole * ((w / whole).log() - log) for w, log in zip(weights, logs, strict=True)]
            total += ball(mass) * (parts[0] + parts[1])
        else:
            rare = ball(p)
            cross = rare * weights[0].log() + (1 - rare) * weights[1].log()
            total += ball(mass) * (negative_entropy(p) + whole.log() - cross)
    return total


@cache
def negative_entropy(rare: Fraction) -> arb:
    """Return the sum of p log p over both actions, at 512 bits."""
    with flint.ctx.workprec(512):
        return sum((ball(p) * ball(p).log() for p in (rare, 1 - rare) if p), arb(0))


def quantile(law: Sequence[tuple[arb, arb]], delta: Fraction) -> arb:
    """Return the largest value that is left when values of total probability at most delta are dropped from the top.

    Parameters
    ----------
    law
        Pairs of a probability and a value.
    """
    order = sorted(law, key=lambda pair: -float(pair[1].mid()))
    dropped, level = arb(0), ball(delta)
    for index, (mass, _) in enumerate(order):
        dropped += mass
        if not dropped <= level:
            rest = order[index][1]
            for _, value in order[index + 1 :]:
                rest = rest.max(value)
            return rest
    raise ValueError("delta is at least one")


def unseen_rate(size: int, delta: Fraction, horizon: int = 1) -> Fraction:
    """Return a probability of an action that N demonstrations do not show, with a little more than delta, at a stage.

    With several stages, in at least one of them.
    """
    with flint.ctx.workprec(2048):
        missed = 1 - (1 - ball(delta * Fraction(1001, 1000))).root(horizon)
        rate = 1 - missed.root(size)
        return Fraction(int((rate * 10**40).lower().floor().unique_fmpz()), 10**40)


RARE = Fraction(1, 10**60)
SPLIT = (Fraction(1, 10), Fraction(9, 10))
DEVIATING: Mapping[str, Callable[[], FreeStates]] = {
    "fair, N=60, delta=1/10": partial(FreeStates, 60, Fraction(1, 10), (Fraction(1, 2),)),
    "deterministic, N=400, delta=99/100": partial(FreeStates, 400, Fraction(99, 100), (Fraction(0),)),
    "one in N, N=200, delta=1/10": partial(FreeStates, 200, Fraction(1, 10), (Fraction(1, 200),)),
    "just unseen, N=1000, delta=1e-60": lambda: FreeStates(1000, RARE, (unseen_rate(1000, RARE),)),
    "two states, N=20, delta=1/2": partial(FreeStates, 20, Fraction(1, 2), (Fraction(1, 5), Fraction(0)), SPLIT),
}


def cloning_markov(case: FreeStates, *, scale: Fraction = Fraction(1), no_delta: bool = False) -> BallComparison:
    """Compare the quantile of the divergence with the bound."""
    delta = Fraction(1) if no_delta else case.delta
    bound = bound_of(BOUNDS["cloning_markov"].rhs, S=len(case.rare), A=2, H=1, N=case.size, delta=delta)
    law = [(mass, clone_divergence(case, counts)) for mass, counts in all_counts(case)]
    return BallComparison(quantile(law, case.delta), ball(scale) * bound)


def cloning_deviation(
    case: FreeStates,
    *,
    pseudo: Fraction = Fraction(1),
    reverse: bool = False,
    scale: Fraction = Fraction(1),
) -> Iterator[BallComparison]:
    """Compare quantiles: of the ratio of divergence and computable bound, and of the divergence with its worst case."""
    shared: Values = {"S": len(case.rare), "A": 2, "H": 1, "N": case.size, "delta": case.delta}

    @cache
    def part(n: int) -> arb:
        expression = parameters.CLONING_STATE if n else parameters.CLONING_UNSEEN
        return bound_of(expression, n=n, **shared)

    ratios, divergences = [], []
    for mass, counts in all_counts(case):
        lost = clone_divergence(case, counts, pseudo, reverse)
        divergences.append((mass, lost))
        ratios.append((mass, lost / (ball(scale) * sum((part(n) for n, _ in counts), arb(0)))))
    yield BallComparison(quantile(ratios, case.delta), arb(1), where="from the counts")
    worst = bound_of(BOUNDS["cloning_deviation"].rhs, **shared)
    yield BallComparison(quantile(divergences, case.delta), ball(scale) * worst, where="worst case")


# A bound with two logarithms


def shorter_grid(tier: Tier) -> Mapping[str, Callable[[], tuple[int, int]]]:
    """Return the numbers of states and actions of the grid."""
    states, actions = ((1, 100), (2, 100)) if tier == Tier.QUICK else ((1, 2, 10, 30, 100), (2, 3, 5, 20, 100))
    return {f"S={S} A={A}": partial(lambda S, A: (S, A), S, A) for S, A in itertools.product(states, actions)}


def cloning_shorter(sizes: tuple[int, int], *, factor: Fraction = Fraction(1)) -> Iterator[BallComparison]:
    """Compare both bounds on a grid of horizons, demonstrations and levels."""
    S, A = sizes
    bound = BOUNDS["cloning_shorter"]
    numbers = sorted({max(A, N) for N in (2, 10**9)})
    levels = (Fraction(99, 100), Fraction(1, 10), Fraction(1, 10**20))
    for H, N, delta in itertools.product((1, 100), numbers, levels):
        values: Values = {"S": S, "A": A, "H": H, "N": N, "delta": delta}
        where = f"H={H} N={N} delta={float(delta):g}"
        yield BallComparison(bound_of(bound.lhs, **values), ball(factor) * bound_of(bound.rhs, **values), where=where)


# Classes


@dataclass(frozen=True)
class Classes:
    """An expert of one state and two actions, with a class of such laws at each of H independent stages.

    ``rare`` is the expert's probability of the second action, ``floor`` the least probability of the class: a finite
    one of the expert and of the law (1 - floor, floor), or all laws that are nowhere below the floor. The class holds
    the mixture of the expert and, with weight ``kappa``, the uniform law. ``penalty`` is what the regulariser asks of
    every law but (1 - floor, floor), which is free.
    """

    size: int
    delta: Fraction
    rare: Fraction
    floor: Fraction
    horizon: int = 1
    kappa: Fraction = Fraction(0)
    penalty: int = 0


def _classes(size: int, delta: Fraction, floor: Fraction, horizon: int = 1) -> Classes:
    return Classes(size, delta, unseen_rate(size, delta, horizon), floor, horizon)


ROUGH, SHARP = Fraction(1, 10**3), Fraction(1, 10**300)
FINITE: Mapping[str, Callable[[], Classes]] = {
    "one stage, N=2000, delta=1e-20": partial(_classes, 2000, Fraction(1, 10**20), SHARP),
    "one stage, N=30, delta=1/10": partial(_classes, 30, Fraction(1, 10), ROUGH),
    "three stages, N=30, delta=1/10": partial(_classes, 30, Fraction(1, 10), SHARP, 3),
    "penalty 85, N=5000, delta=1/10": partial(
        Classes, 5000, Fraction(1, 10), Fraction(1, 2), Fraction(2, 5), penalty=85
    ),
}
COVERED: Mapping[str, Callable[[], Classes]] = {
    "floor 1e-300, N=2000, delta=1e-100": partial(_classes, 2000, Fraction(1, 10**100), SHARP),
    "floor 1e-3, N=200, delta=1/10": partial(_classes, 200, Fraction(1, 10), ROUGH),
    "deterministic expert outside of the class, N=20000": partial(
        Classes, 20_000, Fraction(1, 10), Fraction(0), Fraction(1, 25), kappa=Fraction(2, 25)
    ),
    "penalty 200, N=1000, delta=1/10": partial(
        Classes, 1000, Fraction(1, 10), Fraction(1, 2), Fraction(1, 5), penalty=200
    ),
}


def _independent(stage: Sequence[tuple[arb, arb]], horizon: int) -> list[tuple[arb, arb]]:
    """Return the law of the sum of independent copies."""
    law = [(arb(1), arb(0))]
    for _ in range(horizon):
        law = [(p * q, x + y) for (p, x), (q, y) in itertools.product(law, stage)]
    return law


def cloning_finite_class(
    case: Classes, *, scale: Fraction = Fraction(1), ratio: bool = True, penalised: Fraction = Fraction(1)
) -> BallComparison:
    """Compare the quantile of the divergence from the more likely of two laws with the bound."""
    p, floor = case.rare, case.floor
    expert, other = [ball(1 - p), ball(p)], [ball(1 - floor), ball(floor)]
    lost = divergence(expert, other)
    missed, steps = arb(0), [(mine / theirs).log() for mine, theirs in zip(expert, other, strict=True)]
    for k, mass in enumerate(binomial(case.size, p)):
        if not (case.size - k) * steps[0] + k * steps[1] > case.penalty:
            missed += mass
    law = _independent([(missed, lost), (1 - missed, arb(0))], case.horizon)
    values: Values = {
        "H": case.horizon,
        "N": case.size,
        "delta": case.delta,
        "floor": floor if ratio else 1,
        "penalty": penalised * case.penalty,
    }
    expression = BOUNDS["cloning_finite_class"].rhs.subs(parameters.log_class, sp.log(2))
    return BallComparison(quantile(law, case.delta), ball(scale) * bound_of(expression, **values))


def _likelihood_gain(case: Classes, k: int, guess: Fraction) -> arb:
    """Return what k second actions gain in log-likelihood by a guess, over the law at the floor."""
    rare, common = ball(guess / case.floor), ball((1 - guess) / (1 - case.floor))
    return k * rare.log() + (case.size - k) * common.log()


def cloning_general_class(
    case: Classes,
    *,
    scale: Fraction = Fraction(1),
    ratio: bool = True,
    greedy: bool = True,
    penalised: Fraction = Fraction(1),
) -> BallComparison:
    """Compare the quantile of the divergence from the empirical law, kept above the floor, with the bound.

    With a penalty the law at the floor is chosen instead where the likelihood gains no more than the penalty.
    """
    expert, top = [ball(1 - case.rare), ball(case.rare)], 1 - case.floor
    law = []
    for k, mass in enumerate(binomial(case.size, case.rare)):
        if mass.is_zero():
            continue
        guess = min(max(Fraction(k, case.size), case.floor), top)
        if case.penalty and not _likelihood_gain(case, k, guess) > case.penalty:
            guess = case.floor
        law.append((mass, divergence(expert, [ball(1 - guess), ball(guess)])))
    floor = case.floor if ratio else 1
    values: Values = {"H": 1, "N": case.size, "delta": case.delta, "floor": floor}
    values["penalty"] = penalised * case.penalty
    values["kappa"] = case.kappa if greedy else 0
    expression = BOUNDS["cloning_general_class"].rhs.subs(parameters.log_cover, sp.log(case.size))
    return BallComparison(quantile(law, case.delta), ball(scale) * bound_of(expression, **values))


# Lower bound


@dataclass(frozen=True)
class Estimator:
    """A rule for two actions: k of N counts and their pseudo-count."""

    size: int
    pseudo: Callable[[int], Fraction]


def _fixed(pseudo: Fraction, k: int) -> Fraction:
    return pseudo


def _by_count(k: int) -> Fraction:
    """Return the pseudo-counts of Braess and Sauer, which are asymptotically minimax: 1/2, 1, then 3/4."""
    return (Fraction(1, 2), Fraction(1), Fraction(3, 4))[min(k, 2)]


ESTIMATORS: Mapping[str, Callable[[], Estimator]] = {
    "by count, N=60": partial(Estimator, 60, _by_count),
    "by count, N=5": partial(Estimator, 5, _by_count),
    **{
        f"pseudo-count {c}, N={N}": partial(Estimator, N, partial(_fixed, c))
        for c, N in itertools.product((Fraction(1, 2), Fraction(3, 4), Fraction(1)), (2, 20))
    },
}


def cloning_lower_bound(rule: Estimator, *, factor: Fraction = Fraction(1)) -> BallComparison:
    """Compare the bound with the risk of an estimator at the worst of some experts."""
    N = rule.size
    guesses = []
    for k in range(N + 1):
        weights = k + rule.pseudo(k), N - k + rule.pseudo(N - k)
        guesses.append(weights[0] / sum(weights))
    worst = arb(0)
    for p in (Fraction(0), *(Fraction(j, 8 * N) for j in (1, 2, 3, 4, 6, 8)), Fraction(1, 4), Fraction(1, 2)):
        expert = [ball(p), ball(1 - p)]
        losses = [divergence(expert, [ball(guess), ball(1 - guess)]) for guess in guesses]
        worst = worst.max(_mean(binomial(N, p), losses))
    return BallComparison(ball(factor) * bound_of(BOUNDS["cloning_lower_bound"].rhs, A=2, H=1, N=N), worst)


def bayes_risk(size: tuple[int, int], *, shift: int = 1) -> Iterator[Comparison]:
    r"""Compare r_A(n), coefficient by coefficient, with the mean divergence of Dirichlet laws from their means.

    Given the counts k the law is Dirichlet with parameters k + 1, so that :math:`\mathbb E[p_a \log p_a] = q_a
    (\psi(k_a + 2) - \psi(n + A + 1))`, and differences of digamma functions at integers are rational.
    """
    A, n = size
    mean, known = ZERO, ZERO
    for k in range(n + 1):
        mass = Fraction(A - 1, n + A - 1)
        for j in range(1, A - 1):
            mass *= Fraction(n - k + j, n + j)
        guess = Fraction(k + 1, n + A)
        mean -= (Logs.rational(sum(Fraction(1, j) for j in range(k + 2, n + A + 1))) + Logs.of(guess)) * (
            A * mass * guess
        )
        shifted = Fraction(k + shift, n + A * shift)
        known -= Logs.of(shifted) * (A * mass * shifted)
    known -= Logs.rational(sum(Fraction(1, j) for j in range(2, A + 1)))
    yield from mean.equal(known)


def _size(A: int, n: int) -> tuple[int, int]:
    return A, n


DIRICHLET = {f"A={A}, n={n}": partial(_size, A, n) for A, n in ((2, 0), (2, 7), (3, 4), (4, 9), (6, 5))}

CHECKS = (
    Check(
        "demonstration_regularized.cloning_expectation",
        Balls(EXPECTED),
        cloning_expectation,
        (
            Mutant("smaller", "0.995 of the bound: a deterministic expert needs more", {"scale": Fraction(199, 200)}),
            Mutant("minimax", "half of the bound, which is what the best estimator needs", {"scale": Fraction(1, 2)}),
            Mutant("larger_pseudo_count", "pseudo-counts of 1.02", {"pseudo": Fraction(51, 50)}),
            Mutant("no_smoothing", "maximum likelihood: pseudo-counts of 1e-1000", {"pseudo": TINY}),
            Mutant("reversed", "the divergence of the clone from the expert", {"reverse": True}),
        ),
    ),
    Check(
        "demonstration_regularized.cloning_markov",
        Balls(DEVIATING),
        cloning_markov,
        (
            Mutant("smaller", "0.98 of the bound", {"scale": Fraction(49, 50)}),
            Mutant("no_delta", "the mean bound with probability 1 - delta", {"no_delta": True}),
        ),
    ),
    Check(
        "demonstration_regularized.cloning_deviation",
        Balls(DEVIATING),
        cloning_deviation,
        (
            Mutant("smaller", "0.19 of the bound", {"scale": Fraction(19, 100)}),
            Mutant("no_smoothing", "maximum likelihood: pseudo-counts of 1e-1000", {"pseudo": TINY}),
            Mutant("reversed", "the divergence of the clone from the expert", {"reverse": True}),
        ),
    ),
    Check(
        "demonstration_regularized.cloning_shorter",
        Balls(shorter_grid),
        cloning_shorter,
        (Mutant("smaller", "0.139 instead of 0.14", {"factor": Fraction(139, 140)}),),
    ),
    Check(
        "demonstration_regularized.cloning_finite_class",
        Balls(FINITE),
        cloning_finite_class,
        (
            Mutant("smaller", "0.48 of the bound", {"scale": Fraction(12, 25)}),
            Mutant("no_floor", "2 instead of 2 + log(1 / floor)", {"ratio": False}),
            Mutant("small_penalty", "a third of the penalty", {"penalised": Fraction(1, 3)}),
        ),
    ),
    Check(
        "demonstration_regularized.cloning_general_class",
        Balls(COVERED),
        cloning_general_class,
        (
            Mutant("smaller", "0.22 of the bound", {"scale": Fraction(11, 50)}),
            Mutant("no_floor", "2 instead of 2 + log(1 / floor)", {"ratio": False}),
            Mutant("no_kappa", "without the term of an expert outside of the class", {"greedy": False}),
            Mutant("small_penalty", "a 25th of the penalty", {"penalised": Fraction(1, 25)}),
        ),
    ),
    Check(
        "demonstration_regularized.cloning_lower_bound",
        Balls(ESTIMATORS),
        cloning_lower_bound,
        (Mutant("larger", "1.05 times the bound", {"factor": Fraction(21, 20)}),),
    ),
    Check(
        "demonstration_regularized.bayes_risk",
        Exact(DIRICHLET),
        bayes_risk,
        (Mutant("pseudo_count", "pseudo-counts of 2 in the second term", {"shift": 2}),),
    ),
)
