"""Checks of decompositions and optimism of optimistic actor-critics.

Decompositions are proved stage by stage for operators of all sizes, as in `proofs_check.papers.value_difference`, and
certified on rational models by two routes: policy evaluation backward, occupancies forward.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy as sp

from mdps.rational import RationalMDP
from proofs_check.cases import CASES, Case
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.exact import Exact
from proofs_check.methods.operators import OperatorIdentity, operators
from proofs_check.methods.symbolic import Inequality, Obligation, Symbolic
from solvers import rational_planning as planning

ONE, ZERO = Fraction(1), Fraction(0)
CLOSE = sp.Rational(999, 1000)

Table = Sequence[Sequence[Fraction]]
Staged = Sequence[Table]

# The step from one stage to the next, for operators of all sizes

VISITS, ACTOR, OTHER, KERNEL, REWARD = operators("d Pi Pi' P r")
CRITIC, BEST, BEST_NEXT, MEAN_NEXT, NEXT, OTHER_NEXT = operators("f V^f V^f_next F_next V_next V'_next")
SHAPES = {
    VISITS: ("1", "S"),
    ACTOR: ("S", "SA"),
    OTHER: ("S", "SA"),
    KERNEL: ("SA", "S"),
    REWARD: ("SA", "1"),
    CRITIC: ("SA", "1"),
    BEST: ("S", "1"),
    BEST_NEXT: ("S", "1"),
    MEAN_NEXT: ("S", "1"),
    NEXT: ("S", "1"),
    OTHER_NEXT: ("S", "1"),
}
"""Occupancy, actor and optimal policy, model; critic, its maxima V^f and means F under the actor; values."""

ERROR = CRITIC - REWARD - KERNEL * BEST_NEXT
"""delta = f - T f_next."""
OWN_ERROR = CRITIC - REWARD - KERNEL * MEAN_NEXT
"""e = f - T^pi f_next."""
VALUE = ACTOR * (REWARD + KERNEL * NEXT)
OTHER_VALUE = OTHER * (REWARD + KERNEL * OTHER_NEXT)


def _step(difference: sp.Expr, terms: sp.Expr, along: sp.Expr, later: sp.Expr) -> OperatorIdentity:
    """Return d (difference) = d (terms) + d_next (later), with d_next = d Pi P along a policy."""
    return OperatorIdentity(
        sp.expand(VISITS * difference), sp.expand(VISITS * terms + VISITS * along * KERNEL * later), SHAPES
    )


def optimism_gap_step(*, tracking: bool = True, along: str = "actor") -> OperatorIdentity:
    """Return the step of V^f - V^pi with the tracking gap V^f - Pi f and the Bellman error."""
    gap = BEST - ACTOR * CRITIC if tracking else 0
    policy = ACTOR if along == "actor" else OTHER
    return _step(BEST - VALUE, gap + ACTOR * ERROR, policy, BEST_NEXT - NEXT)


def optimal_value_gap_step(*, sign: int = -1, along: str = "optimal") -> OperatorIdentity:
    """Return the step of V* - V^f along the optimal policy."""
    policy = OTHER if along == "optimal" else ACTOR
    return _step(OTHER_VALUE - BEST, OTHER * CRITIC - BEST + sign * OTHER * ERROR, policy, OTHER_NEXT - BEST_NEXT)


def actor_decomposition_steps(*, own: bool = True, sign: int = 1) -> dict[str, Obligation]:
    """Return the steps of F - V^pi along the actor and of V* - F along the optimal policy, F = Pi f, and the residual.

    Own: the errors are those of the actor's backup. The last identity is f - T^pi f_next = delta + P omega_next.
    """
    residual = OWN_ERROR if own else ERROR
    mean = ACTOR * CRITIC
    return {
        "along the actor": _step(mean - VALUE, ACTOR * residual, ACTOR, MEAN_NEXT - NEXT),
        "along the optimal policy": _step(
            OTHER_VALUE - mean, (OTHER - ACTOR) * CRITIC - OTHER * residual, OTHER, OTHER_NEXT - MEAN_NEXT
        ),
        "residual": OperatorIdentity(
            sp.expand(OWN_ERROR), sp.expand(ERROR + sign * KERNEL * (BEST_NEXT - MEAN_NEXT)), SHAPES
        ),
    }


def best_action(*, share: sp.Expr = sp.S.One) -> Inequality:
    """Return that one action's part p f of a mean is at most p times the maximum f + gap."""
    law, gap = sp.symbols("p gap", nonnegative=True)
    f = sp.Symbol("f", real=True)
    return Inequality(law * f, law * (f + share * gap))


# Rational models

MODELS = {name: CASES[name] for name in list(CASES)[:5]}
"""The smaller ones: all statements but one are proved besides."""


@dataclass(frozen=True)
class Critic:
    """A critic of a model and what follows from it: tables ``[h][s]`` and ``[h][s][a]``."""

    mdp: RationalMDP
    values: Staged

    @property
    def maxima(self) -> list[list[Fraction]]:
        """Values V^f ``[h][s]``, h = 0, ..., H."""
        return [*([max(row) for row in stage] for stage in self.values), [ZERO] * self.mdp.n_states]

    def means(self, policy: Staged) -> list[list[Fraction]]:
        """Return <f, pi> ``[h][s]``, h = 0, ..., H."""
        rows = [
            [dot(law, row) for law, row in zip(laws, stage, strict=True)]
            for laws, stage in zip(policy, self.values, strict=True)
        ]
        return [*rows, [ZERO] * self.mdp.n_states]

    def errors(self, following: Table) -> list[list[list[Fraction]]]:
        """Return f - r - P V for the next values V ``[h][s]``."""
        backed = planning.q_values(self.mdp, following)
        return [
            [[f - q for f, q in zip(x, y, strict=True)] for x, y in zip(a, b, strict=True)]
            for a, b in zip(self.values, backed, strict=True)
        ]


def dot(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    """Return a sum of products."""
    return sum((x * y for x, y in zip(left, right, strict=True)), ZERO)


def along(occupancy: Staged, terms: Staged) -> Fraction:
    """Return the sum of ``d_h(s, a) * terms[h][s][a]``."""
    return sum((dot(x, y) for a, b in zip(occupancy, terms, strict=True) for x, y in zip(a, b, strict=True)), ZERO)


def along_states(occupancy: Staged, terms: Table) -> Fraction:
    """Return the sum of ``d_h(s) * terms[h][s]``."""
    return sum((dot([sum(row, ZERO) for row in a], b) for a, b in zip(occupancy, terms, strict=False)), ZERO)


def _differences(left: Table, right: Table) -> list[list[Fraction]]:
    return [[x - y for x, y in zip(a, b, strict=True)] for a, b in zip(left, right, strict=True)]


def _optimal(mdp: RationalMDP) -> tuple[Fraction, Staged]:
    """Return the optimal value and the occupancy of an optimal policy."""
    plan = planning.backward_induction(mdp)
    laws = [[[Fraction(a == best) for a in range(mdp.n_actions)] for best in stage] for stage in plan.policy]
    return planning.policy_value(mdp, plan.values), planning.occupancy(mdp, laws)


def optimism_gap(case: Case, *, tracking: bool = True, along_actor: bool = True) -> Comparison:
    """V^f_1 - V^pi_1 against tracking gaps and Bellman errors along the actor."""
    critic = Critic(case.mdp, case.guess)
    occupancy = planning.occupancy(case.mdp, case.policy if along_actor else case.comparator)
    rhs = along(occupancy, critic.errors(critic.maxima))
    if tracking:
        rhs += along_states(occupancy, _differences(critic.maxima, critic.means(case.policy)))
    lhs = dot(case.mdp.initial, critic.maxima[0])
    return Comparison(lhs - planning.policy_value(case.mdp, planning.evaluate(case.mdp, case.policy)), rhs, "==")


def optimal_value_gap(case: Case, *, errors: int = 1) -> Iterator[Comparison]:
    """V*_1 - V^f_1 along an optimal policy, as an equation and without the actions' term as an inequality."""
    critic = Critic(case.mdp, case.guess)
    best, occupancy = _optimal(case.mdp)
    lhs = best - dot(case.mdp.initial, critic.maxima[0])
    lost = errors * along(occupancy, critic.errors(critic.maxima))
    actions = along(occupancy, case.guess) - along_states(occupancy, critic.maxima)
    yield Comparison(lhs, actions - lost, "==", where="identity")
    yield Comparison(lhs, -lost, where="inequality")


def actor_decomposition(case: Case, *, own: bool = True) -> Comparison:
    """V* - V^pi against the actions under the optimal occupancy and the actor's Bellman errors under both."""
    critic = Critic(case.mdp, case.guess)
    best, occupancy = _optimal(case.mdp)
    means = critic.means(case.policy)
    errors = critic.errors(means if own else critic.maxima)
    actions = along(occupancy, case.guess) - along_states(occupancy, means)
    rhs = actions + along(planning.occupancy(case.mdp, case.policy), errors) - along(occupancy, errors)
    return Comparison(best - planning.policy_value(case.mdp, planning.evaluate(case.mdp, case.policy)), rhs, "==")


def optimism_step(*, bonus: sp.Expr = sp.S.One, twice: sp.Expr = sp.Integer(2)) -> dict[str, Obligation]:
    """Return the error min(P V + e + b, m) - P V for a deviation -b <= e <= b, on both sides of the cap, b = 1.

    With P V = m - room it is min(e + b, room): the uncapped case is e + b <= room. The induction is that Q - Q* is
    the error plus P (V - V*). A bonus of zero is the limit: both sides are homogeneous.
    """
    room, value, error, later = sp.symbols("room v error later", nonnegative=True)
    e = sp.Symbol("e", real=True)
    event = (e >= -1, e <= 1)
    raised = e + bonus
    return {
        "optimistic": Inequality(sp.S.Zero, raised, event),
        "optimistic at the cap": Inequality(sp.S.Zero, room),
        "twice the bonus": Inequality(raised, twice, event),
        "twice the bonus at the cap": Inequality(room, twice, (*event, room <= raised)),
        "range": Inequality(room, room + value),
        "induction": Inequality(sp.S.Zero, error + later),
    }


def optimism(case: Case, *, bonus: Fraction = ONE, twice: Fraction = Fraction(2), cap: int = 0) -> Iterator[Comparison]:
    """A critic that is planned in the other model, with the least valid bonus, against Q* and its own backups."""
    truth, model = case.mdp, RationalMDP(case.other.transitions, case.mdp.rewards, case.mdp.horizon, case.mdp.initial)
    best = planning.backward_induction(truth)
    horizon, later = truth.horizon, [ZERO] * truth.n_states
    for h in reversed(range(horizon)):
        room = Fraction(horizon - h - 1 + cap)
        exact, learned = (_look_ahead(m, h, later) for m in (truth, model))
        following = []
        for s in range(truth.n_states):
            row = []
            for a, (p, q) in enumerate(zip(exact[s], learned[s], strict=True)):
                width = abs(q - p)
                error = min(q + bonus * width, room) - p
                row.append(truth.rewards[h % len(truth.rewards)][s][a] + p + error)
                place = f"stage {h}, state {s}, action {a}"
                yield Comparison(ZERO, error, where=place)
                yield Comparison(error, twice * width, where=place)
                yield Comparison(error, Fraction(horizon - h - 1), where=place)
                yield Comparison(best.q_values[h][s][a], row[-1], where=place)
            following.append(max(row))
        later = following


def _look_ahead(mdp: RationalMDP, h: int, values: Sequence[Fraction]) -> list[list[Fraction]]:
    """Return P_h V ``[s][a]``."""
    return [[dot(law, values) for law in row] for row in mdp.transitions[h % len(mdp.transitions)]]


def regret_to_pac(case: Case, *, states: bool = False) -> Comparison:
    """Suboptimality of the mixture of two policies, by its occupancy, against the mean of the two regrets.

    States: the slip of averaging the action laws in every state.
    """
    mdp, policies = case.mdp, (case.policy, case.comparator)
    best, _ = _optimal(mdp)
    regret = sum((best - planning.policy_value(mdp, planning.evaluate(mdp, policy)) for policy in policies), ZERO)
    if states:
        pairs = zip(*policies, strict=True)
        mixed = [[_half(x, y) for x, y in zip(a, b, strict=True)] for a, b in pairs]
        occupancy: Any = planning.occupancy(mdp, mixed)
    else:
        each = [planning.occupancy(mdp, policy) for policy in policies]
        occupancy = [[_half(x, y) for x, y in zip(a, b, strict=True)] for a, b in zip(*each, strict=True)]
    rewards = [mdp.rewards[h % len(mdp.rewards)] for h in range(mdp.horizon)]
    return Comparison(best - along(occupancy, rewards), regret / 2, "==")


def _half(left: Sequence[Fraction], right: Sequence[Fraction]) -> list[Fraction]:
    return [(x + y) / 2 for x, y in zip(left, right, strict=True)]


CHECKS = (
    Check(
        "optimal_actor_critic.optimism_gap",
        Symbolic(),
        optimism_gap_step,
        (
            Mutant("no_tracking", "the tracking gap is left out", {"tracking": False}),
            Mutant("other_weights", "occupancy of another policy", {"along": "other"}),
        ),
    ),
    Check(
        "optimal_actor_critic.optimism_gap",
        Exact(MODELS, per_unit=2),
        optimism_gap,
        (
            Mutant("no_tracking", "the tracking gap is left out", {"tracking": False}),
            Mutant("other_weights", "occupancy of another policy", {"along_actor": False}),
        ),
    ),
    Check(
        "optimal_actor_critic.optimal_value_gap",
        Symbolic(),
        optimal_value_gap_step,
        (
            Mutant("sign", "Bellman errors with the other sign", {"sign": 1}),
            Mutant("actor_weights", "occupancy of the actor", {"along": "actor"}),
        ),
        name="identity",
        part=True,
    ),
    Check(
        "optimal_actor_critic.optimal_value_gap",
        Symbolic(),
        best_action,
        (Mutant("share", "the maximum less a thousandth of the gap", {"share": sp.Rational(-1, 1000)}),),
        name="inequality",
        part=True,
    ),
    Check(
        "optimal_actor_critic.optimal_value_gap",
        Exact(MODELS, per_unit=2),
        optimal_value_gap,
        (Mutant("sign", "Bellman errors with the other sign", {"errors": -1}),),
    ),
    Check(
        "optimal_actor_critic.actor_decomposition",
        Symbolic(),
        actor_decomposition_steps,
        (
            Mutant("optimal_backup", "Bellman errors of the optimality backup", {"own": False}),
            Mutant("residual_sign", "delta - P omega instead of delta + P omega", {"sign": -1}),
        ),
    ),
    Check(
        "optimal_actor_critic.actor_decomposition",
        Exact(MODELS, per_unit=2),
        actor_decomposition,
        (Mutant("optimal_backup", "Bellman errors of the optimality backup", {"own": False}),),
    ),
    Check(
        "optimal_actor_critic.optimism_step",
        Symbolic(),
        optimism_step,
        (
            Mutant("bonus", "0.999 b: equality where the model is pessimistic by b", {"bonus": CLOSE}),
            Mutant("twice", "1.999 b: equality where it is optimistic by b", {"twice": sp.Rational(1999, 1000)}),
        ),
    ),
    Check(
        "optimal_actor_critic.optimism_step",
        Exact(MODELS, per_unit=2),
        optimism,
        (
            Mutant("bonus", "0.99 of the deviation", {"bonus": Fraction(99, 100)}),
            Mutant("twice", "1.99 of the bonus", {"twice": Fraction(199, 100)}),
            Mutant("cap", "capped one unit higher", {"cap": 1}),
            Mutant("low_cap", "capped one unit lower", {"cap": -1}),
        ),
    ),
    Check(
        "optimal_actor_critic.regret_to_pac",
        Exact(MODELS, per_unit=2),
        regret_to_pac,
        (Mutant("states", "the action laws are averaged in every state", {"states": True}),),
    ),
)
