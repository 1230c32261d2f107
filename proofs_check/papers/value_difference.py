r"""Checks of the value-difference lemmas, in exact rational arithmetic.

Both sides are computed by different routes: the left one by policy evaluation (backward), the right one from
occupancies (forward) and one-step differences.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import sympy as sp

from mdps.rational import RationalMDP
from proofs_check.cases import CASES, DISCOUNTED_CASES, Case, DiscountedCase
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.exact import Exact
from proofs_check.methods.operators import OperatorIdentity, operators
from proofs_check.methods.symbolic import Symbolic
from solvers import rational_planning as planning
from theory.symbols import gamma

Staged = Sequence[Sequence[Sequence[Fraction]]]


def _value(mdp: RationalMDP, policy: Staged) -> Fraction:
    return planning.policy_value(mdp, planning.evaluate(mdp, policy))


def _along(occupancy: Staged, terms: Any, stages: int) -> Fraction:
    """Return the sum of ``d_h(s, a) * terms[h][s][a]`` over the first stages."""
    total = Fraction(0)
    for h in range(stages):
        for law, row in zip(occupancy[h], terms[h], strict=True):
            total += sum((mass * term for mass, term in zip(law, row, strict=True)), Fraction(0))
    return total


def _states(occupancy: Staged) -> list[list[Fraction]]:
    return [[sum(row, Fraction(0)) for row in stage] for stage in occupancy]


def performance_difference(
    case: Case, *, weights: str = "policy", skipped: int = 0, advantage_of: str = "comparator", clip: bool = False
) -> Comparison:
    """J(pi) - J(pi') against the expected advantages of pi' along pi."""
    mdp, policies = case.mdp, {"policy": case.policy, "comparator": case.comparator}
    values = planning.evaluate(mdp, policies[advantage_of])
    q_values = planning.q_values(mdp, values)
    advantages = [
        [[max(q - v, Fraction(0)) if clip else q - v for q in row] for row, v in zip(stage, values[h], strict=True)]
        for h, stage in enumerate(q_values)
    ]
    occupancy = planning.occupancy(mdp, policies[weights])
    lhs = _value(mdp, case.policy) - _value(mdp, case.comparator)
    return Comparison(lhs, _along(occupancy, advantages, mdp.horizon - skipped), "==")


def comparator_order(case: Case, *, weights: str = "comparator", values_of: str = "policy") -> Comparison:
    """J(pi) - J(pi') against <pi - pi', Q^pi> along pi'."""
    mdp, policies = case.mdp, {"policy": case.policy, "comparator": case.comparator}
    q_values = planning.q_values(mdp, planning.evaluate(mdp, policies[values_of]))
    visits = _states(planning.occupancy(mdp, policies[weights]))
    rhs = Fraction(0)
    for h in range(mdp.horizon):
        for s, mass in enumerate(visits[h]):
            for a, q in enumerate(q_values[h][s]):
                rhs += mass * (case.policy[h][s][a] - case.comparator[h][s][a]) * q
    return Comparison(_value(mdp, case.policy) - _value(mdp, case.comparator), rhs, "==")


def discounted(case: DiscountedCase, *, normalised: bool = False, weights: str = "policy") -> Comparison:
    """The discounted form; the occupancy d has total mass one."""
    mdp, policies = case.mdp, {"policy": case.policy, "comparator": case.comparator}
    theirs = planning.evaluate_discounted(mdp, case.comparator)
    q_values = planning.discounted_q_values(mdp, theirs)
    occupancy = planning.discounted_occupancy(mdp, policies[weights])
    total = Fraction(0)
    for s, row in enumerate(occupancy):
        total += sum((mass * (q_values[s][a] - theirs[s]) for a, mass in enumerate(row)), Fraction(0))
    scale = Fraction(1) if normalised else 1 / (1 - mdp.discount)
    ours = planning.evaluate_discounted(mdp, case.policy)
    lhs = sum((p * (v - w) for p, v, w in zip(mdp.initial, ours, theirs, strict=True)), Fraction(0))
    return Comparison(lhs, scale * total, "==")


def regret_by_gaps(case: Case, *, gap_error: Fraction = Fraction(0), weights: str = "policy") -> Comparison:
    """J* - J(pi) against the expected gaps along pi."""
    mdp, policies = case.mdp, {"policy": case.policy, "comparator": case.comparator}
    best = planning.backward_induction(mdp)
    q_values = planning.q_values(mdp, best.values)
    gaps = [
        [[best.values[h][s] - q + gap_error for q in row] for s, row in enumerate(stage)]
        for h, stage in enumerate(q_values)
    ]
    lhs = planning.policy_value(mdp, best.values) - _value(mdp, case.policy)
    return Comparison(lhs, _along(planning.occupancy(mdp, policies[weights]), gaps, mdp.horizon), "==")


def _model_differences(case: Case, values: Sequence[Sequence[Fraction]]) -> list[list[list[Fraction]]]:
    """Return (r - r') + (p - p') V_{h+1}, indexed ``[h][s][a]``."""
    ours, theirs = planning.q_values(case.mdp, values), planning.q_values(case.other, values)
    return [
        [[q - w for q, w in zip(x, y, strict=True)] for x, y in zip(a, b, strict=True)]
        for a, b in zip(ours, theirs, strict=True)
    ]


def telescoping(case: Case, *, along: str = "first", values_in: str = "second") -> Comparison:
    """J_M(pi) - J_M'(pi) against the one-step differences along pi in M."""
    models = {"first": case.mdp, "second": case.other}
    values = planning.evaluate(models[values_in], case.policy)
    occupancy = planning.occupancy(models[along], case.policy)
    rhs = _along(occupancy, _model_differences(case, values), case.mdp.horizon)
    return Comparison(_value(case.mdp, case.policy) - _value(case.other, case.policy), rhs, "==")


def extended(case: Case, *, average: str = "comparator", drop_policy_term: bool = False) -> Comparison:
    """The guess of Q with the policy pi-hat (the comparator) against the value of pi."""
    mdp, policies = case.mdp, {"policy": case.policy, "comparator": case.comparator}
    followed = policies[average]
    guessed = [
        [sum((p * q for p, q in zip(followed[h][s], row, strict=True)), Fraction(0)) for s, row in enumerate(stage)]
        for h, stage in enumerate(case.guess)
    ]
    guessed.append([Fraction(0)] * mdp.n_states)
    backed = planning.q_values(mdp, guessed)
    visits = _states(planning.occupancy(mdp, case.policy))
    rhs = Fraction(0)
    for h in range(mdp.horizon):
        for s, mass in enumerate(visits[h]):
            for a, q in enumerate(case.guess[h][s]):
                rhs += mass * case.policy[h][s][a] * (q - backed[h][s][a])
                if not drop_policy_term:
                    rhs += mass * (case.comparator[h][s][a] - case.policy[h][s][a]) * q
    lhs = sum((p * v for p, v in zip(mdp.initial, guessed[0], strict=True)), Fraction(0))
    return Comparison(lhs - _value(mdp, case.policy), rhs, "==")


def simulation(case: Case, *, half: Fraction = Fraction(1, 2), shorter: int = 0) -> Comparison:
    """|J_M(pi) - J_M'(pi)| against rewards and total variations along pi in M."""
    horizon = case.mdp.horizon
    occupancy = planning.occupancy(case.mdp, case.policy)
    rhs = Fraction(0)
    for h in range(horizon):
        p, q = (m.transitions[h if len(m.transitions) > 1 else 0] for m in (case.mdp, case.other))
        r, w = (m.rewards[h if len(m.rewards) > 1 else 0] for m in (case.mdp, case.other))
        for s, row in enumerate(occupancy[h]):
            for a, mass in enumerate(row):
                distance = sum((abs(x - y) for x, y in zip(p[s][a], q[s][a], strict=True)), Fraction(0))
                rhs += mass * (abs(r[s][a] - w[s][a]) + half * (horizon - h - 1 - shorter) * distance)
    return Comparison(abs(_value(case.mdp, case.policy) - _value(case.other, case.policy)), rhs)


# The step from one stage to the next, for operators of all sizes

VISITS, MEAN, OTHER_MEAN, KERNEL, OTHER_KERNEL = operators("d Pi Pi' P P'")
REWARD, OTHER_REWARD, NEXT, OTHER_NEXT, GUESS, GUESS_NEXT, BEST = operators("r r' V_next V'_next Q W_next V")
SHAPES = {
    VISITS: ("1", "S"),
    MEAN: ("S", "SA"),
    OTHER_MEAN: ("S", "SA"),
    KERNEL: ("SA", "S"),
    OTHER_KERNEL: ("SA", "S"),
    REWARD: ("SA", "1"),
    OTHER_REWARD: ("SA", "1"),
    NEXT: ("S", "1"),
    OTHER_NEXT: ("S", "1"),
    GUESS: ("SA", "1"),
    GUESS_NEXT: ("S", "1"),
    BEST: ("S", "1"),
}
"""Occupancy, policies, kernels and rewards of a stage, values of the next one, guesses of values."""


def _step(difference: sp.Expr, term: sp.Expr, arriving: sp.Expr, later: sp.Expr) -> OperatorIdentity:
    """Return d (V - V') = d g + d_next (V_next - V'_next)."""
    return OperatorIdentity(sp.expand(VISITS * difference), sp.expand(VISITS * term + arriving * later), SHAPES)


def performance_difference_step(*, weights: str = "policy", own_advantage: bool = False) -> OperatorIdentity:
    """Return the step for the advantages of the comparator along the policy."""
    ours, theirs = REWARD + KERNEL * NEXT, REWARD + KERNEL * OTHER_NEXT
    term = MEAN * (ours if own_advantage else theirs) - OTHER_MEAN * theirs
    arriving = VISITS * (MEAN if weights == "policy" else OTHER_MEAN) * KERNEL
    return _step(MEAN * ours - OTHER_MEAN * theirs, term, arriving, NEXT - OTHER_NEXT)


def comparator_order_step(*, weights: str = "comparator") -> OperatorIdentity:
    """Return the step for <pi - pi', Q^pi> along the comparator."""
    ours, theirs = REWARD + KERNEL * NEXT, REWARD + KERNEL * OTHER_NEXT
    arriving = VISITS * (OTHER_MEAN if weights == "comparator" else MEAN) * KERNEL
    return _step(MEAN * ours - OTHER_MEAN * theirs, (MEAN - OTHER_MEAN) * ours, arriving, NEXT - OTHER_NEXT)


def discounted_balance(*, normalised: bool = False) -> OperatorIdentity:
    """Return (1 - gamma) rho (V - V') = d (Pi Q' - V') with (1 - gamma) rho = d - gamma d Pi P.

    The mean reward is that of the equation of the policy's values, V - gamma Pi P V.
    """
    mean_reward = NEXT - gamma * MEAN * KERNEL * NEXT
    advantage = mean_reward + gamma * MEAN * KERNEL * OTHER_NEXT - OTHER_NEXT
    start = VISITS - (1 if normalised else gamma) * VISITS * MEAN * KERNEL
    return OperatorIdentity(sp.expand(start * (NEXT - OTHER_NEXT)), sp.expand(VISITS * advantage), SHAPES)


def gaps_step(*, weights: str = "policy") -> OperatorIdentity:
    """Return the step for the gaps V* - Q*, where V* may be any vectors."""
    ours, best = REWARD + KERNEL * NEXT, REWARD + KERNEL * OTHER_NEXT
    arriving = VISITS * (MEAN if weights == "policy" else OTHER_MEAN) * KERNEL
    return _step(BEST - MEAN * ours, BEST - MEAN * best, arriving, OTHER_NEXT - NEXT)


def telescoping_step(*, along: str = "first", values_in: str = "second") -> OperatorIdentity:
    """Return the step for two models under one policy."""
    ours, theirs = REWARD + KERNEL * NEXT, OTHER_REWARD + OTHER_KERNEL * OTHER_NEXT
    values = OTHER_NEXT if values_in == "second" else NEXT
    term = MEAN * (REWARD - OTHER_REWARD + (KERNEL - OTHER_KERNEL) * values)
    arriving = VISITS * MEAN * (KERNEL if along == "first" else OTHER_KERNEL)
    return _step(MEAN * ours - MEAN * theirs, term, arriving, NEXT - OTHER_NEXT)


def extended_step(*, average: str = "guess", drop_policy_term: bool = False) -> OperatorIdentity:
    """Return the step for a guess Q of the action values, averaged over another policy."""
    followed = OTHER_MEAN if average == "guess" else MEAN
    error = MEAN * (GUESS - REWARD - KERNEL * GUESS_NEXT)
    policies = 0 if drop_policy_term else (OTHER_MEAN - MEAN) * GUESS
    difference = followed * GUESS - MEAN * (REWARD + KERNEL * NEXT)
    return _step(difference, policies + error, VISITS * MEAN * KERNEL, GUESS_NEXT - NEXT)


PROOFS = (
    Check(
        "value_difference.performance_difference",
        Symbolic(),
        performance_difference_step,
        (
            Mutant("comparator_weights", "occupancy of pi' instead of pi", {"weights": "comparator"}),
            Mutant("own_advantage", "action values of pi itself", {"own_advantage": True}),
        ),
    ),
    Check(
        "value_difference.comparator_order",
        Symbolic(),
        comparator_order_step,
        (Mutant("learner_weights", "occupancy of pi instead of pi'", {"weights": "policy"}),),
    ),
    Check(
        "value_difference.discounted",
        Symbolic(),
        discounted_balance,
        (Mutant("undiscounted_flow", "gamma is left out of the flow", {"normalised": True}),),
    ),
    Check(
        "value_difference.regret_by_gaps",
        Symbolic(),
        gaps_step,
        (Mutant("comparator_weights", "occupancy of another policy", {"weights": "comparator"}),),
    ),
    Check(
        "value_difference.telescoping",
        Symbolic(),
        telescoping_step,
        (
            Mutant("other_model_weights", "occupancy in M'", {"along": "second"}),
            Mutant("own_values", "values of M", {"values_in": "first"}),
        ),
    ),
    Check(
        "value_difference.extended",
        Symbolic(),
        extended_step,
        (
            Mutant("averaged_over_pi", "the guess is averaged over pi instead of pi-hat", {"average": "policy"}),
            Mutant("policy_term_dropped", "the term <Q, pi-hat - pi> is left out", {"drop_policy_term": True}),
        ),
    ),
)

EXACT_CHECKS = (
    Check(
        "value_difference.performance_difference",
        Exact(CASES),
        performance_difference,
        (
            Mutant("comparator_weights", "expectation along pi' instead of pi", {"weights": "comparator"}),
            Mutant("last_stage_dropped", "the last stage is left out of the sum", {"skipped": 1}),
            Mutant("own_advantage", "advantages of pi itself, which average to zero", {"advantage_of": "policy"}),
            Mutant(
                "clipped",
                "negative advantages are clipped to zero, as in a regret that is never negative",
                {"clip": True},
            ),
        ),
    ),
    Check(
        "value_difference.comparator_order",
        Exact(CASES),
        comparator_order,
        (
            Mutant("learner_weights", "expectation along pi instead of pi'", {"weights": "policy"}),
            Mutant("comparator_values", "Q of pi' instead of pi", {"values_of": "comparator"}),
        ),
    ),
    Check(
        "value_difference.discounted",
        Exact(DISCOUNTED_CASES),
        discounted,
        (
            Mutant(
                "factor_missing", "the factor 1/(1-gamma) of a normalised occupancy is left out", {"normalised": True}
            ),
            Mutant("comparator_weights", "occupancy of pi' instead of pi", {"weights": "comparator"}),
        ),
    ),
    Check(
        "value_difference.regret_by_gaps",
        Exact(CASES),
        regret_by_gaps,
        (
            Mutant("gap_plus_a_tenth", "every gap is too large by 0.1", {"gap_error": Fraction(1, 10)}),
            Mutant("comparator_weights", "expectation along another policy", {"weights": "comparator"}),
        ),
    ),
    Check(
        "value_difference.telescoping",
        Exact(CASES),
        telescoping,
        (
            Mutant("other_model_weights", "expectation in M' while the values are of M' too", {"along": "second"}),
            Mutant("own_values", "values of M while the expectation is in M too", {"values_in": "first"}),
        ),
    ),
    Check(
        "value_difference.extended",
        Exact(CASES),
        extended,
        (
            Mutant("averaged_over_pi", "the guess is averaged over pi instead of pi-hat", {"average": "policy"}),
            Mutant("policy_term_dropped", "the term <Q, pi-hat - pi> is left out", {"drop_policy_term": True}),
        ),
    ),
    Check(
        "value_difference.simulation",
        Exact(CASES),
        simulation,
        (
            Mutant(
                "constant_too_small", "0.49 instead of 1/2 in front of the total variation", {"half": Fraction(49, 100)}
            ),
            Mutant("horizon_off_by_one", "H - h - 2 stages instead of H - h - 1", {"shorter": 1}),
        ),
    ),
)

CHECKS = PROOFS + EXACT_CHECKS
