"""Checks of the tracking theorem: proofs for any number of actions, and runs in ball arithmetic that nearly attain it.

The proofs are of the terms that the sums consist of: one action of a softmax, a pair of actions, one round, one epoch.
Lambert's constant enters through its equation, W exp(1 + W) = A - 1. The runs are deterministic, with rational critics
in a list of states; the actor is an exact softmax of them, enclosed by balls.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy as sp
from flint import arb, fmpq

from mdps.actor_critic_instances import tracking_counterexample, wide_tracking_counterexample
from proofs_check.engine import Check, Control, Mutant
from proofs_check.evidence import Json
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.base import Tier
from proofs_check.methods.enclosures import compile_program
from proofs_check.methods.interval import Inequality, Interval
from proofs_check.methods.symbolic import Identity, Obligation, Symbolic
from proofs_check.methods.symbolic import Inequality as Claimed
from solvers.optimal_actor_critic_tracking import on_policy_tracking
from theory import optimal_actor_critic_tracking as theory
from theory.claim import Claim
from theory.optimal_actor_critic_lemmas import EPOCH_LENGTHS
from theory.optimal_actor_critic_parameters import W, lambert
from theory.optimal_actor_critic_tracking import u, z
from theory.symbols import A, H, n

R = sp.Rational
ONE = Fraction(1)
LINE = (-sp.oo, sp.oo)

Scores = tuple[Fraction, ...]
"""Values of a critic in one state, by action."""
Table = tuple[Scores, ...]
"""Values of a critic ``[s][a]``."""

CLAIMS: Mapping[str, Claim] = {claim.id.split(".")[1]: claim for claim in theory.CLAIMS}


# Balls


def ball(value: Fraction | int) -> Any:
    """Return a rational as a ball."""
    ratio = Fraction(value)
    return arb(fmpq(ratio.numerator, ratio.denominator))


def lambert_ball(n_actions: int) -> Any:
    """Return W((A - 1) / e) as a ball."""
    return (arb(n_actions - 1) / arb(1).exp()).lambertw()


def expression_ball(expression: sp.Expr, **values: Any) -> Any:
    """Return an expression at balls; values of symbols that do not occur are ignored."""
    symbols = sorted(expression.free_symbols, key=lambda symbol: symbol.name)
    return compile_program([expression], symbols, "arb")(*(arb(values[symbol.name]) for symbol in symbols))[0]


def bound_ball(claim: Claim, **values: Any) -> Any:
    """Return the right side of a claim at balls."""
    return expression_ball(claim.explicit_bound.rhs, **values)


def tracking_gap(scores: Scores, exponents: list[Any]) -> Any:
    """Return max f - <f, softmax(exponents)> of one state as a ball."""
    weights = [exponent.exp() for exponent in exponents]
    best = max(scores)
    lost = sum((ball(best - f) * weight for f, weight in zip(scores, weights, strict=True)), arb(0))
    return lost / sum(weights, arb(0))


# Proofs


def one_action(*, factor: sp.Expr = sp.S.One) -> Inequality:
    """Return the term of one action."""
    return Inequality(theory.one_action(factor=factor), ((u, *LINE),))


def all_actions(*, constant: sp.Expr = sp.S.One, scaled_gap: sp.Expr = 1 + W) -> dict[str, Obligation]:
    """Return the sum over the A - 1 other actions of weights q and scaled gaps y Delta, and its case of equality.

    By `one_action` the sum of q y Delta is at most W times the sum of q, plus (A - 1) exp(-1 - W).
    """
    others = W * sp.exp(1 + W)
    weights, slack = sp.symbols("q slack", nonnegative=True)
    lost = W * weights + others * sp.exp(-1 - W) - slack
    best = others * sp.exp(-scaled_gap)
    return {
        "sum": Claimed(lost / (1 + weights), constant * W),
        "equality": Identity(best * scaled_gap / (1 + best), W),
    }


def swapped(*, least: sp.Expr = sp.S.Zero) -> Inequality:
    """Return the contribution of a pair of actions."""
    return Inequality(theory.swapped(least=least), ((z, *LINE),))


def pairs(*, sign: int = 1) -> dict[str, Obligation]:
    """Return the summand of Z_sigma Z_tau (<f, pi_sigma> - <f, pi_tau>) for two actions and its swap, and its sign.

    p and q are weights under sigma = tau + s and tau; f_a (p_a q_b - q_a p_b), summed over ordered pairs, is the
    difference of the means times Z_sigma Z_tau. Up to positive factors a pair contributes z (exp(z) - 1).
    """
    f_a, f_b, tau = sp.symbols("f_a f_b tau", real=True)
    p_a, p_b, q_a, q_b, s = sp.symbols("p_a p_b q_a q_b s", positive=True)
    one, other = f_a * (p_a * q_b - q_a * p_b), f_b * (p_b * q_a - q_b * p_a)
    gap, sigma = s * (f_a - f_b), tau + s
    crossed = sp.exp(tau * f_a + sigma * f_b)
    return {
        "pair": Identity(one + sign * other, (f_a - f_b) * (p_a * q_b - q_a * p_b)),
        "sign": Identity(gap * (sp.exp(sigma * f_a + tau * f_b) - crossed), gap * (sp.exp(gap) - 1) * crossed),
    }


def one_round(*, slope: sp.Expr = sp.S.One) -> Inequality:
    """Return the tangent of the exponential."""
    return Inequality(theory.one_round(slope=slope), ((u, *LINE),))


def all_rounds(*, constant: sp.Expr = sp.S.One) -> Claimed:
    """Return -log Z_n <= log A, where A Z_n is one for the best action plus q for the weights of the others.

    The rounds telescope: eta times the sum of the gaps is at most log Z_0 - log Z_n, and Z_0 = 1.
    """
    others = sp.Symbol("q", nonnegative=True)
    return Claimed(sp.log(A) - sp.log(1 + others), constant * sp.log(A), (A >= 2,))


def harmonic(*, factor: sp.Expr = sp.S.One) -> Inequality:
    """Return the step of the harmonic sum for j >= 2."""
    return Inequality(theory.harmonic(factor=factor), ((u, 0, R(1, 2)),))


def one_epoch(*, factor: sp.Expr = sp.S.One) -> Inequality:
    """Return the tangent of the logarithm: summed over epochs of T episodes in all, z - 1 cancels."""
    return Inequality(theory.one_epoch(factor=factor), ((z, sp.Interval.open(0, sp.oo)),))


def moving_rounds(*, factor: sp.Expr = sp.S.One) -> dict[str, Obligation]:
    """Return that the bound starts at the last-iterate bound of round 1, and grows by -n log(1 - 1/n) of round n's.

    By `harmonic` that is no less than round n costs, whatever its state distribution.
    """
    last, claimed = (CLAIMS[name].explicit_bound.rhs for name in ("tracking_last_iterate", "tracking_moving"))
    claimed = factor * claimed
    growth = claimed - claimed.subs(n, n - 1)
    return {
        "round 1": Identity(last.subs(n, 1), claimed.subs(n, 1)),
        "round n": Identity(growth, -n * sp.log((n - 1) / n) * last, (n >= 2,)),
    }


def all_epochs(*, factor: sp.Expr = sp.S.One) -> Identity:
    """Return H W / eta times the sum of 1 + log(n_k) over epochs of equal length, the largest, and the bound."""
    cost = CLAIMS["tracking_moving"].explicit_bound.rhs / (1 + sp.log(n))
    return Identity(H * cost * EPOCH_LENGTHS, factor * CLAIMS["tracking_run"].explicit_bound.rhs)


# Runs


@dataclass(frozen=True)
class Run:
    """A critic for each epoch and the states that its episodes visit; one stage, rational step size."""

    critics: tuple[Table, ...]
    visits: tuple[tuple[int, ...], ...]
    rate: Fraction = ONE

    @property
    def values(self) -> dict[str, Any]:
        """Values of the symbols in the bounds; n is the length of the last epoch."""
        n_actions = len(self.critics[0][0])
        return {
            "A": n_actions,
            "W_A": lambert_ball(n_actions),
            "eta": ball(self.rate),
            "H": 1,
            "N_T": len(self.visits),
            "T": sum(map(len, self.visits)),
            "n": len(self.visits[-1]),
        }

    def epoch(self, index: int, *, reset: bool = True) -> Any:
        """Return the sum of the tracking gaps of an epoch; without a reset the actor goes on from the last one."""
        rate, critic, total = self.rate, self.critics[index], arb(0)
        for j, state in enumerate(self.visits[index], start=1):
            scores = critic[state]
            start = [Fraction(0)] * len(scores)
            if not reset:
                for earlier, visits in zip(self.critics[:index], self.visits, strict=False):
                    start = [a + len(visits) * f for a, f in zip(start, earlier[state], strict=True)]
            exponents = [ball(rate * (a + j * f)) for a, f in zip(start, scores, strict=True)]
            total += tracking_gap(scores, exponents)
        return total


def tracking(
    run: Run, *, claimed: str, factor: Fraction = ONE, reset: bool = True, last: bool = False
) -> BallComparison:
    """Sum of the tracking gaps of a run, or of its last epoch, against the bound of a claim."""
    epochs = range(len(run.visits) - 1 if last else 0, len(run.visits))
    lost = sum((run.epoch(index, reset=reset) for index in epochs), arb(0))
    return BallComparison(lost, ball(factor) * bound_ball(CLAIMS[claimed], **run.values))


def _scaled_gap(n_actions: int) -> Fraction:
    """Return 1 + W to six digits."""
    return Fraction(round(10**6 * (1.0 + lambert(n_actions))), 10**6)


def _worst(n_actions: int, at: int = 1, rate: Fraction = ONE) -> Scores:
    """Return the scores with which the gap in round ``at`` is largest: all actions but the first are equal."""
    return (Fraction(0), *(-_scaled_gap(n_actions) / (rate * at) for _ in range(n_actions - 1)))


def _one_round(n_actions: int, rate: Fraction = ONE) -> Run:
    return Run(((_worst(n_actions, 1, rate),),), ((0,),), rate)


def _moving(rounds: int, epochs: int = 1) -> Run:
    """Return a run in which every round of an epoch is spent where its gap is largest."""
    table = tuple(_worst(2, j) for j in range(1, rounds + 1))
    return Run((table,) * epochs, (tuple(range(rounds)),) * epochs)


def _fixed(n_actions: int, rounds: int) -> Run:
    """Return one state with a slow actor: the sum of the gaps is nearly log(A) / eta."""
    scores = (ONE, *(Fraction(0),) * (n_actions - 1))
    return Run(((scores,),), ((0,) * rounds,), Fraction(1, 50))


def _exchanged(rounds: int) -> Run:
    """Return the critic e_1 and then e_2, for the same number of episodes each."""
    one, zero = ONE, Fraction(0)
    return Run((((one, zero),), ((zero, one),)), ((0,) * rounds,) * 2, Fraction(1, 10))


def _spread(*gaps: str) -> Run:
    return Run(((tuple(-Fraction(gap) for gap in ("0", *gaps)),),), ((0,),))


def monotone(run: Run, *, exchanged: bool = False) -> Iterator[BallComparison]:
    """Gaps of successive rounds; exchanged: the actor follows the first epoch's critic, the gap is of the second's."""
    followed, judged = run.critics[0], run.critics[-1] if exchanged else run.critics[0]
    before = None
    for j in range(1, 9):
        exponents = [ball(run.rate * j * f) for f in followed[0]]
        gap = tracking_gap(judged[0], exponents)
        if before is not None:
            yield BallComparison(gap, before, where=f"rounds {j - 1} and {j}")
        before = gap


# The actor's own occupancy


@dataclass(frozen=True)
class TwoStages:
    """A critic on two stages: action a of the first leads to a state where action 0 is better by ``leaves[a]``."""

    first: Scores
    leaves: Scores
    rounds: int

    def lost(self, *, moving: bool = True) -> Any:
        """Return the sum of the expected gaps of the second stage; else under the occupancy of the first round."""
        n_actions = len(self.first)
        total = arb(0)
        for j in range(1, self.rounds + 1):
            weights = [(ball(f) * (j if moving else 1)).exp() for f in self.first]
            gaps = {
                leaf: tracking_gap((leaf, *(Fraction(0),) * (n_actions - 1)), self._exponents(leaf, j))
                for leaf in set(self.leaves)
            }
            terms = (weight * gaps[leaf] for weight, leaf in zip(weights, self.leaves, strict=True))
            total += sum(terms, arb(0)) / sum(weights, arb(0))
        return total

    def _exponents(self, leaf: Fraction, j: int) -> list[Any]:
        return [ball(leaf * j), *(arb(0) for _ in self.first[1:])]


def _two_actions(rounds: int) -> TwoStages:
    return TwoStages((Fraction("0.38"), Fraction("0.50")), (Fraction("0.44"), Fraction("0.02")), rounds)


def _eight_actions() -> TwoStages:
    zeros = (Fraction(0),) * 7
    return TwoStages((Fraction("0.4355"), *zeros), (Fraction("0.08836"), *(Fraction("0.9074"),) * 7), 50)


def naive_tracking(case: TwoStages, *, moving: bool = True, claimed: str = "naive_tracking") -> BallComparison:
    """Sum of the gaps of the second stage along the actor against the bound of a claim, eta = 1."""
    n_actions = len(case.first)
    bound = bound_ball(CLAIMS[claimed], A=n_actions, W_A=lambert_ball(n_actions), eta=1, n=case.rounds)
    return BallComparison(case.lost(moving=moving), bound)


def two_stages(tier: Tier) -> Mapping[str, Callable[[], TwoStages]]:
    """Return the critics; the long run only from tier full."""
    cases: dict[str, Callable[[], TwoStages]] = {
        "eight actions, 50 rounds": _eight_actions,
        "two actions, 200 rounds": partial(_two_actions, 200),
    }
    if tier != Tier.QUICK:
        cases["two actions, 2000 rounds"] = partial(_two_actions, 2_000)
    return cases


def tracking_figure(tier: Tier) -> Json:
    """Sums of the gaps of the second stage along the actor, next to the price of one state and to the proved bound."""
    last = 200 if tier == Tier.QUICK else 2_000
    rounds = np.arange(1, last + 1)
    curves: list[Json] = []
    trees = {"two actions": tracking_counterexample(), "eight actions": wide_tracking_counterexample()}
    for label, tree in trees.items():
        n_actions = tree.mdp.n_actions
        lost = on_policy_tracking(tree.mdp, tree.critic, 1.0, last)[:, 1]
        moving = CLAIMS["tracking_moving"].explicit_bound
        bound = [moving.evaluate(W_A=lambert(n_actions), eta=1.0, n=j) for j in rounds.tolist()]
        price = CLAIMS["naive_tracking"].explicit_bound.evaluate(A=n_actions, eta=1.0)
        curves.append({"label": label, "x": rounds, "y": lost.cumsum(), "bound": bound})
        curves.append({"label": f"log A, {label}", "x": rounds, "y": np.full(rounds.size, price), "muted": True})
    return {
        "kind": "curves",
        "title": "Tracking gaps under the actor's own occupancy, step size 1",
        "xlabel": "round",
        "ylabel": "sum of the expected gaps",
        "xscale": "log",
        "yscale": "linear",
        "caption": "One critic, two stages: the sums pass log A, the price of one state, not W (1 + log n), dashed.",
        "curves": curves,
    }


SINGLE = {
    **{f"{n} actions, equal gaps": partial(_one_round, n) for n in (2, 3, 4, 10, 100)},
    "two actions, eta = 1/7": partial(_one_round, 2, Fraction(1, 7)),
    "unequal gaps": partial(_spread, "1/10", "1", "2", "5"),
}
EXCHANGED = partial(_exchanged, 300)

CLOSE = R(999, 1000)
NEARLY = Fraction(999, 1000)

CHECKS = (
    Check(
        "optimal_actor_critic.tracking_last_iterate",
        Interval(),
        one_action,
        (Mutant("factor", "0.999 of the largest term", {"factor": CLOSE}),),
        name="one action",
        part=True,
    ),
    Check(
        "optimal_actor_critic.tracking_last_iterate",
        Symbolic(),
        all_actions,
        (
            Mutant("constant", "0.999 W", {"constant": CLOSE}),
            Mutant("equality", "equality at gaps W / (eta tau)", {"scaled_gap": W}),
        ),
        name="all actions",
        part=True,
    ),
    Check(
        "optimal_actor_critic.tracking_last_iterate",
        Balls(SINGLE),
        partial(tracking, claimed="tracking_last_iterate"),
        (
            Mutant("constant", "0.999 W: equality for equal gaps", {"factor": NEARLY}),
            Mutant("nine_tenths", "0.9 W", {"factor": Fraction(9, 10)}),
        ),
    ),
    Check(
        "optimal_actor_critic.tracking_monotone",
        Interval(),
        swapped,
        (Mutant("strict", "a pair contributes z^2 / 1000 at least: not as z -> -oo", {"least": R(1, 1000)}),),
        name="one pair",
        part=True,
    ),
    Check(
        "optimal_actor_critic.tracking_monotone",
        Symbolic(),
        pairs,
        (Mutant("sign", "the swapped summand is subtracted", {"sign": -1}),),
        name="all pairs",
        part=True,
    ),
    Check(
        "optimal_actor_critic.tracking_monotone",
        Balls({"exchanged critics": EXCHANGED, "four gaps": partial(_spread, "1/10", "1", "2", "5")}),
        monotone,
        (Mutant("another_critic", "the gap is that of a critic that the actor does not follow", {"exchanged": True}),),
    ),
    Check(
        "optimal_actor_critic.tracking_sum",
        Interval(),
        one_round,
        (Mutant("slope", "slope 1.001 of the tangent", {"slope": R(1001, 1000)}),),
        name="one round",
        part=True,
    ),
    Check(
        "optimal_actor_critic.tracking_sum",
        Symbolic(),
        all_rounds,
        (Mutant("constant", "0.999 log A", {"constant": CLOSE}),),
        name="all rounds",
        part=True,
    ),
    Check(
        "optimal_actor_critic.tracking_sum",
        Balls({f"{n} actions, eta = 1/50": partial(_fixed, n, 400) for n in (2, 3)}),
        partial(tracking, claimed="tracking_sum"),
        (Mutant("constant", "0.99 log A: attained for small step sizes", {"factor": Fraction(99, 100)}),),
    ),
    Check(
        "optimal_actor_critic.tracking_moving",
        Interval(),
        harmonic,
        (Mutant("factor", "0.999 of the logarithm: equality as j grows", {"factor": CLOSE}),),
        name="harmonic step",
        part=True,
    ),
    Check(
        "optimal_actor_critic.tracking_moving",
        Symbolic(),
        moving_rounds,
        (Mutant("factor", "0.999 W: equality in round 1", {"factor": CLOSE}),),
        name="all rounds",
        part=True,
    ),
    Check(
        "optimal_actor_critic.tracking_moving",
        Balls({"one round": partial(_one_round, 2), "300 rounds, 300 states": partial(_moving, 300)}),
        partial(tracking, claimed="tracking_moving"),
        (
            Mutant("constant", "0.999 W: equality in round 1", {"factor": NEARLY}),
            Mutant("one_state", "log(A) / eta, as for one state", {"claimed": "tracking_sum"}),
        ),
    ),
    Check(
        "optimal_actor_critic.tracking_run",
        Symbolic(),
        all_epochs,
        (Mutant("factor", "0.999 W", {"factor": CLOSE}),),
        name="all epochs",
    ),
    Check(
        "optimal_actor_critic.tracking_run",
        Balls(
            {
                "five epochs of one episode": partial(_moving, 1, 5),
                "three epochs, 20 states": partial(_moving, 20, 3),
                "exchanged critics": EXCHANGED,
            }
        ),
        partial(tracking, claimed="tracking_run"),
        (
            Mutant("no_reset", "the actor goes on when the critic changes: 299 > 37", {"reset": False}),
            Mutant("constant", "0.999 W: equality for epochs of one episode", {"factor": NEARLY}),
        ),
    ),
    Check(
        "optimal_actor_critic.naive_tracking",
        Balls(two_stages),
        naive_tracking,
        (
            Control("fixed", "the state distribution of the first round throughout", {"moving": False}),
            Control("harmonic", "(1 + log n) W / eta instead of log(A) / eta", {"claimed": "tracking_moving"}),
        ),
        figure=tracking_figure,
    ),
    Check(
        "optimal_actor_critic.lazy_tracking",
        Balls({"exchanged critics": EXCHANGED}),
        partial(tracking, claimed="lazy_tracking", reset=False, last=True),
        (Control("reset", "the actor starts uniform when the critic changes", {"reset": True}),),
    ),
)
