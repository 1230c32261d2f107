r"""Dynamic programming in exact rational arithmetic, on the models of `mdps.rational`.

The recursions are those of `solvers.planning`,

.. math:: Q_h(s, a) = r_h(s, a) + \sum_t p_h(t \mid s, a) V_{h+1}(t), \qquad V_h(s) = \max_a Q_h(s, a), \qquad V_H = 0,

and, discounted, :math:`(I - \gamma P_\pi) V^\pi = r_\pi` with Howard's policy iteration, which ends after finitely many
strict improvements. Nothing is rounded: an equality that holds here is an identity on the instance, a strict inequality
is a counter-example. Inputs and outputs are `fractions.Fraction` in nested tuples; the arithmetic is FLINT's.

A policy is a nested sequence of integers, ``[s]`` or ``[h][s]`` (deterministic), or of laws on the actions, ``[s][a]``
or ``[h][s][a]``, with at least one `Fraction` among its entries (stochastic).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint

from mdps.errors import InvalidPolicyError
from mdps.rational import Law, Means, RationalDiscountedMDP, RationalMDP
from mdps.validation import entry

Values = tuple[Law, ...]
"""Values ``[h][s]``, or any table of fractions with two indices."""
Measure = tuple[Means, ...]
"""Tables ``[h][s][a]``."""
Policy = Sequence[Any]


@dataclass(frozen=True)
class RationalPlan:
    """An optimal plan: ``values[h][s]`` (h = 0, ..., H), ``q_values[h][s][a]``, ``policy[h][s]`` (first maximisers)."""

    values: Values
    q_values: Measure
    policy: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class RationalSolution:
    """The optimal values ``[s]``, the first optimal policy ``[s]``, and the number of policies tried."""

    values: Law
    policy: tuple[int, ...]
    iterations: int


def backward_induction(mdp: RationalMDP) -> RationalPlan:
    """Return the optimal values, action values and policy (ties to the lowest action)."""
    values: list[Law] = [(Fraction(0),) * mdp.n_states]
    tables: list[Means] = []
    kernels = [_matrix(_pairs(stage)) for stage in mdp.transitions]
    for h in reversed(range(mdp.horizon)):
        tables.append(_look_ahead(kernels[h % len(kernels)], mdp.rewards[h % len(mdp.rewards)], values[-1]))
        values.append(tuple(max(row) for row in tables[-1]))
    tables.reverse()
    policy = tuple(tuple(row.index(max(row)) for row in table) for table in tables)
    return RationalPlan(tuple(reversed(values)), tuple(tables), policy)


def evaluate(mdp: RationalMDP, policy: Policy) -> Values:
    """Return the values ``[h][s]``, h = 0, ..., H, of a policy.

    Raises
    ------
    InvalidPolicyError
        Naming the first offending entry.
    """
    laws = _laws(policy, mdp.n_states, mdp.n_actions, mdp.horizon)
    values: list[Law] = [(Fraction(0),) * mdp.n_states]
    kernels = [_matrix(_pairs(stage)) for stage in mdp.transitions]
    for h in reversed(range(mdp.horizon)):
        table = _look_ahead(kernels[h % len(kernels)], mdp.rewards[h % len(mdp.rewards)], values[-1])
        values.append(tuple(_mean(law, row) for law, row in zip(laws[h % len(laws)], table, strict=True)))
    return tuple(reversed(values))


def q_values(mdp: RationalMDP, values: Sequence[Sequence[Fraction]]) -> Measure:
    """Return the one-step look-ahead ``[h][s][a]`` of ``values[h][s]``, h = 0, ..., H."""
    kernels = [_matrix(_pairs(stage)) for stage in mdp.transitions]
    return tuple(
        _look_ahead(kernels[h % len(kernels)], mdp.rewards[h % len(mdp.rewards)], values[h + 1])
        for h in range(mdp.horizon)
    )


def occupancy(mdp: RationalMDP, policy: Policy) -> Measure:
    """Return the probabilities ``[h][s][a]`` of being in s and playing a at stage h, from ``mdp.initial``.

    Raises
    ------
    InvalidPolicyError
        Naming the first offending entry.
    """
    laws = _laws(policy, mdp.n_states, mdp.n_actions, mdp.horizon)
    kernels = [_matrix(_pairs(stage)).transpose() for stage in mdp.transitions]
    state: Law = mdp.initial
    measure: list[Means] = []
    for h in range(mdp.horizon):
        stage = laws[h % len(laws)]
        measure.append(tuple(tuple(mass * p for p in law) for mass, law in zip(state, stage, strict=True)))
        state = _fractions(kernels[h % len(kernels)] * _column([mass for row in measure[-1] for mass in row]))
    return tuple(measure)


def policy_value(mdp: RationalMDP | RationalDiscountedMDP, values: Sequence[Any]) -> Fraction:
    """Return the value of the start: of ``values[h][s]`` at stage 0, or of ``values[s]`` if discounted."""
    first = values[0] if isinstance(mdp, RationalMDP) else values
    return _mean(mdp.initial, first)


def bellman_optimality(mdp: RationalDiscountedMDP, values: Sequence[Fraction]) -> Law:
    """Return T ``values``, exactly."""
    return tuple(max(row) for row in _discounted_look_ahead(mdp, _matrix(_pairs(mdp.transitions)), values))


def discounted_q_values(mdp: RationalDiscountedMDP, values: Sequence[Fraction]) -> Means:
    """Return the one-step look-ahead ``[s][a]`` of ``values[s]``."""
    return _discounted_look_ahead(mdp, _matrix(_pairs(mdp.transitions)), values)


def is_optimal(mdp: RationalDiscountedMDP, values: Sequence[Fraction]) -> bool:
    """Say whether ``values`` are the optimal ones: the only solution of the optimality equation."""
    return bellman_optimality(mdp, values) == tuple(values)


def evaluate_discounted(mdp: RationalDiscountedMDP, policy: Policy) -> Law:
    """Return the values ``[s]`` of a stationary policy, ``[s]`` or ``[s][a]``.

    Raises
    ------
    InvalidPolicyError
        Naming the first offending entry.
    """
    (laws,) = _laws(policy, mdp.n_states, mdp.n_actions, 1)
    rewards = [_mean(law, row) for law, row in zip(laws, mdp.rewards, strict=True)]
    return _fractions(_system(mdp, laws).solve(_column(rewards)))


def discounted_occupancy(mdp: RationalDiscountedMDP, policy: Policy) -> Means:
    r"""Return :math:`(1 - \gamma) \sum_t \gamma^t P_\pi(s_t = s, a_t = a)`, of mass one, from ``mdp.initial``.

    Raises
    ------
    InvalidPolicyError
        Naming the first offending entry.
    """
    (laws,) = _laws(policy, mdp.n_states, mdp.n_actions, 1)
    start = _column([(1 - mdp.discount) * mass for mass in mdp.initial])
    state = _fractions(_system(mdp, laws).transpose().solve(start))
    return tuple(tuple(mass * p for p in law) for mass, law in zip(state, laws, strict=True))


def policy_iteration(mdp: RationalDiscountedMDP, initial_policy: Sequence[int] | None = None) -> RationalSolution:
    """Return the exact optimal values by Howard's policy iteration.

    Parameters
    ----------
    initial_policy
        Actions ``[s]``; the greedy policy of the rewards if omitted.

    Raises
    ------
    InvalidPolicyError
        Naming the first offending entry.
    """
    kernel = _matrix(_pairs(mdp.transitions))
    policy = list(initial_policy) if initial_policy is not None else [row.index(max(row)) for row in mdp.rewards]
    iterations = 0
    while True:
        iterations += 1
        values = evaluate_discounted(mdp, policy)
        table = _discounted_look_ahead(mdp, kernel, values)
        better = [s for s, row in enumerate(table) if max(row) > values[s]]
        if not better:
            greedy = tuple(row.index(max(row)) for row in table)
            return RationalSolution(values, greedy, iterations)
        for s in better:
            policy[s] = table[s].index(max(table[s]))


def _look_ahead(kernel: Any, rewards: Means, values: Sequence[Fraction]) -> Means:
    """Return ``rewards[s][a] + sum_t p(t | s, a) values[t]``; the kernel is ``(S * A, S)``."""
    expected = iter(_fractions(kernel * _column(values)))
    return tuple(tuple(reward + next(expected) for reward in row) for row in rewards)


def _discounted_look_ahead(mdp: RationalDiscountedMDP, kernel: Any, values: Sequence[Fraction]) -> Means:
    return _look_ahead(kernel, mdp.rewards, [mdp.discount * value for value in values])


def _system(mdp: RationalDiscountedMDP, laws: Means) -> Any:
    """Return I - gamma P_pi."""
    n = mdp.n_states
    chain = [
        [_mean(law, [row[t] for row in actions]) for t in range(n)]
        for law, actions in zip(laws, mdp.transitions, strict=True)
    ]
    return _matrix([[int(s == t) - mdp.discount * chain[s][t] for t in range(n)] for s in range(n)])


def _mean(law: Sequence[Fraction], values: Sequence[Fraction]) -> Fraction:
    return sum((p * value for p, value in zip(law, values, strict=True) if p), Fraction(0))


def _laws(policy: Policy, n_states: int, n_actions: int, horizon: int) -> Measure:
    """Return a policy as laws ``[g][s][a]`` with g of one stage or ``horizon`` stages, checked."""
    deterministic = not _has_fraction(policy)
    depth = _depth(policy) + (1 if deterministic else 0)
    if depth not in (2, 3):
        kind = "deterministic" if deterministic else "stochastic"
        raise InvalidPolicyError(f"{kind} policy has {_depth(policy)} axes")
    stages = policy if depth == 3 else [policy]
    if len(stages) not in (1, horizon):
        raise InvalidPolicyError(f"policy has {len(stages)} stages, not {horizon}")
    for h, stage in enumerate(stages):
        if len(stage) != n_states:
            raise InvalidPolicyError(f"{entry('policy', (h,), 'h')} has {len(stage)} states, not {n_states}")
    check = _point_mass if deterministic else _checked_law
    return tuple(
        tuple(check(choice, n_actions, entry("policy", (h, s), "hs")) for s, choice in enumerate(stage))
        for h, stage in enumerate(stages)
    )


def _point_mass(action: Any, n_actions: int, place: str) -> Law:
    if isinstance(action, Sequence) or not 0 <= action < n_actions:
        raise InvalidPolicyError(f"{place} is {action}, not an action 0 .. {n_actions - 1}")
    return tuple(Fraction(int(a == action)) for a in range(n_actions))


def _checked_law(law: Any, n_actions: int, place: str) -> Law:
    if not isinstance(law, Sequence) or len(law) != n_actions:
        raise InvalidPolicyError(f"{place} is {law!r}, not a law on {n_actions} actions")
    for a, mass in enumerate(law):
        if isinstance(mass, float) or mass < 0:
            raise InvalidPolicyError(f"{place[:-1]}, a={a}] is {mass}, not a rational probability")
    if sum(law) != 1:
        raise InvalidPolicyError(f"{place} sums to {sum(law)}, not 1")
    return tuple(Fraction(mass) for mass in law)


def _has_fraction(policy: Any) -> bool:
    if isinstance(policy, Sequence):
        return any(_has_fraction(part) for part in policy)
    return isinstance(policy, Fraction | float)


def _depth(policy: Any) -> int:
    return 1 + _depth(policy[0]) if isinstance(policy, Sequence) and policy else 0


def _pairs(kernel: Sequence[Sequence[Law]]) -> list[Law]:
    """Return the rows ``p(. | s, a)`` in the order of the pairs."""
    return [row for actions in kernel for row in actions]


def _matrix(rows: Sequence[Sequence[Fraction | int]]) -> Any:
    return flint.fmpq_mat([[flint.fmpq(x.numerator, x.denominator) for x in row] for row in rows])


def _column(values: Sequence[Fraction]) -> Any:
    return _matrix([[value] for value in values])


def _fractions(matrix: Any) -> Law:
    return tuple(Fraction(int(x.p), int(x.q)) for x in matrix.entries())
