"""Checks of mirror ascent with critics that change, and of the step sizes that are best for it.

The proofs are of the sum over the rounds and of the best step size; runs in ball arithmetic come close to the bound.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import sympy as sp
from flint import arb

from proofs_check.engine import Check, Mutant
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.symbolic import Identity, Obligation, Symbolic
from proofs_check.methods.symbolic import Inequality as Claimed
from proofs_check.papers.optimal_actor_critic_tracking import (
    CLAIMS,
    CLOSE,
    ONE,
    Scores,
    ball,
    bound_ball,
    expression_ball,
)
from theory import optimal_actor_critic_tracking as theory
from theory.optimal_actor_critic_parameters import EPOCHS, RATE_EPOCHS
from theory.symbols import A, H, T, d, eta


def best_step(cost: sp.Expr, step: sp.Expr, value: sp.Expr) -> dict[str, Obligation]:
    """Return that a cost at s times a step size is its claimed value times (s + 1 / s) / 2, at least the value."""
    s = sp.Symbol("s", positive=True)
    scaled = sp.expand(cost.subs(eta, s * step))
    return {
        "every step size": Identity(scaled, value * (s + 1 / s) / 2, (A >= 2,)),
        "the best one": Claimed(sp.Integer(1), (s + 1 / s) / 2),
    }


def mirror_ascent(
    *, value: sp.Expr = sp.S.One, step: sp.Expr = theory.MIRROR_STAGES_RATE, start: sp.Expr = sp.S.One
) -> dict[str, Obligation]:
    """Return the sum over the rounds and the best step size for H stages.

    A round takes the law of the comparator's action from p to p exp(eta f) / z, z the mean of exp(eta f), so that eta f
    - log z telescopes, from p = 1 / A to p = 1 / (1 + q) at last; by Hoeffding's lemma log z is at most the mean of
    eta f plus (eta H)^2 / 8.
    """
    others = sp.Symbol("q", nonnegative=True)
    return {
        "all rounds": Claimed(sp.log(A) - sp.log(1 + others), start * sp.log(A), (A >= 2,)),
        **best_step(theory.MIRROR_STAGES, step, value * CLAIMS["mirror_ascent"].explicit_bound.rhs),
    }


def tuned_tracking(*, value: sp.Expr = sp.S.One, epochs: sp.Expr = EPOCHS) -> dict[str, Obligation]:
    """Return the same for N epochs, and the value for N = d H log T."""
    claimed = value * CLAIMS["tuned_tracking"].explicit_bound.rhs
    order = sp.sqrt(d * H**5 * T * sp.log(T) * sp.log(A) / 2)
    return {
        **best_step(theory.EPOCH_COST, RATE_EPOCHS.subs(EPOCHS, epochs), claimed),
        "order": Identity(claimed.subs(EPOCHS, d * H * sp.log(T)), value * order, (A >= 2, T >= 2)),
    }


# Runs


@dataclass(frozen=True)
class Rewards:
    """Critics of one state by round, the same in all stages, with values in [0, H]."""

    rounds: tuple[Scores, ...]
    horizon: int

    def regret(self, rate: Any) -> Any:
        """Return the regret of mirror ascent in all stages, against the best action, as a ball."""
        n_actions = len(self.rounds[0])
        total, earned = (Fraction(0),) * n_actions, arb(0)
        for scores in self.rounds:
            weights = [(rate * ball(a)).exp() for a in total]
            parts = (ball(f) * weight for f, weight in zip(scores, weights, strict=True))
            earned += sum(parts, arb(0)) / sum(weights, arb(0))
            total = tuple(a + f for a, f in zip(total, scores, strict=True))
        return self.horizon * (ball(max(total)) - earned)


def mirror_run(case: Rewards, *, factor: Fraction = ONE) -> BallComparison:
    """Regret at the step size of the claim against its bound."""
    sizes = {"A": len(case.rounds[0]), "H": case.horizon, "n": len(case.rounds)}
    regret = case.regret(expression_ball(theory.MIRROR_STAGES_RATE, **sizes))
    return BallComparison(regret, ball(factor) * bound_ball(CLAIMS["mirror_ascent"], **sizes))


def _units(best: tuple[int, ...], n_actions: int, horizon: int) -> Rewards:
    return Rewards(tuple(tuple(horizon * Fraction(a == b) for a in range(n_actions)) for b in best), horizon)


CHECKS = (
    Check(
        "optimal_actor_critic.mirror_ascent",
        Symbolic(),
        mirror_ascent,
        (
            Mutant("value", "0.999 of the value", {"value": CLOSE}),
            Mutant("start", "0.999 log A for the first law", {"start": CLOSE}),
            Mutant(
                "range", "the step size of critics of range sqrt(H)", {"step": theory.MIRROR_STAGES_RATE * sp.sqrt(H)}
            ),
        ),
    ),
    Check(
        "optimal_actor_critic.mirror_ascent",
        Balls(
            {
                "one round, two actions, three stages": partial(_units, (0,), 2, 3),
                "one critic, 20 rounds": partial(_units, (0,) * 20, 3, 2),
                "two critics in turn, 20 rounds": partial(_units, (0, 1) * 10, 2, 2),
            }
        ),
        mirror_run,
        (Mutant("factor", "0.849 of the bound: one round of two actions", {"factor": Fraction(849, 1000)}),),
    ),
    Check(
        "optimal_actor_critic.tuned_tracking",
        Symbolic(),
        tuned_tracking,
        (
            Mutant("value", "0.999 of the value", {"value": CLOSE}),
            Mutant("one_epoch", "the step size of one epoch: the number of epochs is forgotten", {"epochs": sp.S.One}),
        ),
    ),
)
