"""Checks of the dynamic-programming lemmas: exact on listed models, searched where a statement is about all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from mdps.tabular import DiscountedMDP
from mdps.validation import FloatArray
from proofs_check.cases import CASES, DISCOUNTED_CASES, Case, DiscountedCase
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes
from proofs_check.methods.exact import Exact
from proofs_check.methods.search import Search
from solvers import rational_planning as planning

SWEEPS = 3
"""Iterates of value iteration that are compared."""

Values = Sequence[Fraction]


def _distance(left: Values, right: Values) -> Fraction:
    return max(abs(x - y) for x, y in zip(left, right, strict=True))


def _iterates(case: DiscountedCase, sweeps: int) -> list[Values]:
    """Return V_0 (the values of the case) and its iterates under the optimality operator."""
    iterates: list[Values] = [case.values]
    for _ in range(sweeps):
        iterates.append(planning.bellman_optimality(case.mdp, iterates[-1]))
    return iterates


def stopping(
    case: DiscountedCase,
    *,
    constant: Fraction = Fraction(1),
    gamma_factor: bool = True,
    fixed_sweeps: int | None = None,
) -> Iterator[Comparison]:
    """Error of the iterate against what the stopping rule reports."""
    gamma = case.mdp.discount
    optimal = planning.policy_iteration(case.mdp).values
    if fixed_sweeps is not None:
        last = _iterates(case, fixed_sweeps)[-1]
        yield Comparison(_distance(last, optimal), Fraction(1, 1000), where=f"after {fixed_sweeps} sweeps")
        return
    scale = constant * (gamma / (1 - gamma) if gamma_factor else 1)
    iterates = _iterates(case, SWEEPS)
    for n in range(SWEEPS):
        reported = scale * _distance(iterates[n + 1], iterates[n])
        yield Comparison(_distance(iterates[n + 1], optimal), reported, where=f"sweep {n + 1}")


def span_stopping(case: DiscountedCase, *, gamma_factor: bool = True, swapped: bool = False) -> Iterator[Comparison]:
    """Both MacQueen bounds at the state where they are least comfortable."""
    gamma = case.mdp.discount
    optimal = planning.policy_iteration(case.mdp).values
    scale = gamma / (1 - gamma) if gamma_factor else gamma
    iterates = _iterates(case, SWEEPS)
    for n in range(SWEEPS):
        steps = [x - y for x, y in zip(iterates[n + 1], iterates[n], strict=True)]
        low, high = (max(steps), min(steps)) if swapped else (min(steps), max(steps))
        errors = [best - value for best, value in zip(optimal, iterates[n + 1], strict=True)]
        yield Comparison(scale * low, min(errors), where=f"sweep {n + 1}, below")
        yield Comparison(max(errors), scale * high, where=f"sweep {n + 1}, above")


def _greedy(case: DiscountedCase, values: Values) -> list[int]:
    table = planning.discounted_q_values(case.mdp, values)
    return [row.index(max(row)) for row in table]


def greedy_loss(case: DiscountedCase, *, constant: Fraction = Fraction(2)) -> Comparison:
    """Largest loss of the greedy policy against the error of the values."""
    gamma = case.mdp.discount
    optimal = planning.policy_iteration(case.mdp).values
    achieved = planning.evaluate_discounted(case.mdp, _greedy(case, case.values))
    loss = max(best - value for best, value in zip(optimal, achieved, strict=True))
    return Comparison(loss, constant * gamma / (1 - gamma) * _distance(case.values, optimal))


def policy_improvement(case: DiscountedCase, *, look_ahead: bool = True) -> Iterator[Comparison]:
    """Largest decrease of the value under a greedy step, which must not be positive."""
    for name, policy in (("given policy", case.policy), ("optimal policy", planning.policy_iteration(case.mdp).policy)):
        before = planning.evaluate_discounted(case.mdp, policy)
        after = planning.evaluate_discounted(
            case.mdp, _greedy(case, before if look_ahead else [Fraction(0)] * len(before))
        )
        yield Comparison(max(x - y for x, y in zip(before, after, strict=True)), Fraction(0), where=name)


def flow(case: Case, *, kernel_shift: int = 0, reward_shift: int = 0) -> Iterator[Comparison]:
    """Outflow of each state at each stage against its inflow; then the return as a linear function of the flow."""
    mdp = case.mdp
    occupancy = planning.occupancy(mdp, case.policy)
    inflow: Sequence[Fraction] = mdp.initial
    value = Fraction(0)
    for h in range(mdp.horizon):
        outflow = [sum(row, Fraction(0)) for row in occupancy[h]]
        for s, (out, into) in enumerate(zip(outflow, inflow, strict=True)):
            yield Comparison(out, into, "==", where=f"stage {h}, state {s}")
        kernel = mdp.transitions[(h + kernel_shift) % len(mdp.transitions)]
        rewards = mdp.rewards[(h + reward_shift) % len(mdp.rewards)]
        arriving = [Fraction(0)] * mdp.n_states
        for s, row in enumerate(occupancy[h]):
            for a, mass in enumerate(row):
                value += mass * rewards[s][a]
                for t, p in enumerate(kernel[s][a]):
                    arriving[t] += mass * p
        inflow = arriving
    expected = planning.policy_value(mdp, planning.evaluate(mdp, case.policy))
    yield Comparison(value, expected, "==", where="return")


def linear_programme(
    case: DiscountedCase, *, slack: Fraction = Fraction(0), normalised: bool = False, discount_flow: bool = True
) -> Iterator[Comparison]:
    """A feasible point of each programme with one objective: V* below and the occupancy of an optimal policy above."""
    mdp, gamma = case.mdp, case.mdp.discount
    solution = planning.policy_iteration(mdp)
    values = [value - slack for value in solution.values]
    table = planning.discounted_q_values(mdp, values)
    for s, row in enumerate(table):
        yield Comparison(max(row), values[s], where=f"primal feasibility, state {s}")
    scale = Fraction(1) if normalised else 1 / (1 - gamma)
    measure = [[scale * mass for mass in row] for row in planning.discounted_occupancy(mdp, solution.policy)]
    for t in range(mdp.n_states):
        arriving = sum(
            (mass * mdp.transitions[s][a][t] for s, row in enumerate(measure) for a, mass in enumerate(row)),
            Fraction(0),
        )
        inflow = mdp.initial[t] + (gamma if discount_flow else 1) * arriving
        yield Comparison(sum(measure[t], Fraction(0)), inflow, "==", where=f"dual feasibility, state {t}")
        yield Comparison(Fraction(0), min(measure[t]), where=f"dual sign, state {t}")
    primal = planning.policy_value(mdp, values)
    dual = sum((mass * mdp.rewards[s][a] for s, row in enumerate(measure) for a, mass in enumerate(row)), Fraction(0))
    yield Comparison(primal, dual, "==", where="objectives")


@dataclass(frozen=True, eq=False)
class OperatorCase:
    """A discounted model and two value vectors ``(S,)``."""

    mdp: DiscountedMDP
    left: FloatArray
    right: FloatArray


def operator_cases() -> Any:
    """Return the strategy of the operator lemmas."""
    from hypothesis import strategies as st

    from mdps import strategies

    models = strategies.discounted_mdps()

    @st.composite
    def build(draw: Any) -> OperatorCase:
        mdp = draw(models)
        vectors = strategies.value_vectors(mdp.n_states, -4.0, 4.0)
        return OperatorCase(mdp, draw(vectors), draw(vectors))

    return build()


def optimality_operator(mdp: DiscountedMDP, values: FloatArray, deviations: float = 0.0) -> FloatArray:
    """Return max_a { r + gamma (p V - deviations * standard deviation of V under p) }, ``(S,)``."""
    kernel = np.asarray(mdp.transitions)
    means = kernel @ values
    spread = np.sqrt(np.maximum(kernel @ values**2 - means**2, 0.0))
    result: FloatArray = (mdp.rewards + mdp.discount * (means - deviations * spread)).max(axis=1)
    return result


def monotone(case: OperatorCase, *, deviations: float = 0.0) -> Comparison:
    """Largest excess of T min(V, W) over T V, which must not be positive."""
    lower = np.minimum(case.left, case.right)
    excess = optimality_operator(case.mdp, lower, deviations) - optimality_operator(case.mdp, case.left, deviations)
    return Comparison(float(excess.max()), 0.0)


def contraction(case: OperatorCase, *, modulus: float = 1.0) -> Comparison:
    """|| T V - T W || against gamma || V - W ||."""
    images = [optimality_operator(case.mdp, values) for values in (case.left, case.right)]
    distance = float(np.abs(case.left - case.right).max())
    return Comparison(float(np.abs(images[0] - images[1]).max()), modulus * case.mdp.discount * distance)


EXAMPLES = Sizes(quick=80, full=10_000, soak=200_000)

CHECKS = (
    Check(
        "dynamic_programming.monotone",
        Search(operator_cases, examples=EXAMPLES),
        monotone,
        (
            Mutant(
                "deviation_penalty", "a penalty of three standard deviations inside the operator", {"deviations": 3.0}
            ),
        ),
    ),
    Check(
        "dynamic_programming.contraction",
        Search(operator_cases, examples=EXAMPLES),
        contraction,
        (Mutant("smaller_modulus", "modulus 0.95 gamma", {"modulus": 0.95}),),
    ),
    Check(
        "dynamic_programming.stopping",
        Exact(DISCOUNTED_CASES),
        stopping,
        (
            Mutant("constant_too_small", "0.99 gamma / (1 - gamma)", {"constant": Fraction(99, 100)}),
            Mutant("no_factor", "the last change itself is reported as the error", {"gamma_factor": False}),
            Mutant("fixed_sweeps", "accuracy 1/1000 is promised after 8 sweeps, whatever gamma", {"fixed_sweeps": 8}),
        ),
    ),
    Check(
        "dynamic_programming.span_stopping",
        Exact(DISCOUNTED_CASES),
        span_stopping,
        (
            Mutant("no_geometric_sum", "gamma instead of gamma / (1 - gamma)", {"gamma_factor": False}),
            Mutant("swapped", "minimum and maximum exchanged", {"swapped": True}),
        ),
    ),
    Check(
        "dynamic_programming.greedy_loss",
        Exact(DISCOUNTED_CASES),
        greedy_loss,
        (
            Mutant("constant_too_small", "1.99 instead of 2", {"constant": Fraction(199, 100)}),
            Mutant(
                "half", "1 instead of 2: the loss of the value is taken for the loss of the policy", {"constant": 1}
            ),
        ),
    ),
    Check(
        "dynamic_programming.policy_improvement",
        Exact(DISCOUNTED_CASES),
        policy_improvement,
        (Mutant("myopic", "greedy for the next reward only", {"look_ahead": False}),),
    ),
    Check(
        "dynamic_programming.flow",
        Exact(CASES),
        flow,
        (
            Mutant("next_kernel", "the kernel of the next stage", {"kernel_shift": 1}),
            Mutant("next_reward", "the reward of the next stage", {"reward_shift": 1}),
        ),
    ),
    Check(
        "dynamic_programming.linear_programme",
        Exact(DISCOUNTED_CASES),
        linear_programme,
        (
            Mutant("below_the_optimum", "V* - 1/100 is claimed to be feasible", {"slack": Fraction(1, 100)}),
            Mutant("mass_one", "an occupancy of mass one instead of 1 / (1 - gamma)", {"normalised": True}),
            Mutant("undiscounted_flow", "gamma is left out of the flow", {"discount_flow": False}),
        ),
    ),
)
