r"""Exact dynamic programming.

Finite horizon. Backward induction computes, for :math:`h = H-1, \dots, 0` with :math:`V_H = 0`,

.. math:: Q_h(s, a) = r_h(s, a) + \sum_t p_h(t \mid s, a) V_{h+1}(t), \qquad V_h(s) = \max_a Q_h(s, a),

and the greedy policy is optimal. A policy :math:`\pi` is evaluated by the same recursion with
:math:`V_h^\pi(s) = \sum_a \pi_h(a \mid s) Q_h^\pi(s, a)`; its occupancy measure is
:math:`d_h^\pi(s, a) = P_\pi(s_h = s, a_h = a)`, and
:math:`J(\pi) = \rho^\top V_0^\pi = \sum_h \langle d_h^\pi, r_h \rangle`.

References
----------
M. L. Puterman, Markov Decision Processes, Wiley 1994, chapter 4.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdps.tabular import FiniteHorizonMDP
from mdps.validation import MASS_TOLERANCE, FloatArray, IntArray
from solvers import planning_kernels as kernels
from solvers.planning_discounted import (
    Certificate,
    DiscountedSolution,
    LinearProgrammeSolution,
    NotConvergedError,
    bellman_optimality,
    bellman_policy,
    certify,
    discounted_occupancy,
    evaluate_discounted,
    inexact_policy_iteration,
    linear_programme,
    modified_policy_iteration,
    policy_iteration,
    solve,
    value_iteration,
)
from solvers.planning_policies import as_policy, random_policy

__all__ = [
    "Certificate",
    "DiscountedSolution",
    "LinearProgrammeSolution",
    "NotConvergedError",
    "Plan",
    "as_policy",
    "backward_induction",
    "bellman_optimality",
    "bellman_policy",
    "certify",
    "discounted_occupancy",
    "evaluate",
    "evaluate_discounted",
    "inexact_policy_iteration",
    "linear_programme",
    "modified_policy_iteration",
    "occupancy",
    "policy_iteration",
    "policy_value",
    "q_values",
    "random_policy",
    "solve",
    "value_iteration",
]


@dataclass(frozen=True, eq=False)
class Plan:
    """An optimal plan of a finite-horizon MDP.

    Attributes
    ----------
    values
        Optimal values ``(H + 1, S)``; row H is zero.
    policy
        Optimal actions ``(H, S)``, int64, ties to the lowest index.
    q_values
        Optimal action values ``(H, S, A)`` if asked for, else None.
    """

    values: FloatArray
    policy: IntArray
    q_values: FloatArray | None = None


def backward_induction(mdp: FiniteHorizonMDP, *, keep_q_values: bool = False) -> Plan:
    """Return the optimal values and the greedy policy of ``mdp`` (ties to the lowest action).

    A stationary kernel is read with exact action elimination, unless the action values are asked for.

    Parameters
    ----------
    keep_q_values
        Whether to return the action values ``(H, S, A)`` too.
    """
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    values = np.empty((H + 1, S))
    policy = np.empty((H, S), np.int64)
    if mdp.stationary and not keep_q_values:
        rounding = kernels.EPSILON * (2 * (S // 16 + 12) + 8 * H + 32)
        upper, ceiling = np.empty((S, A)), np.empty(S)
        kernels.backward_induction(
            mdp.transitions, mdp.rewards, values, policy, upper, ceiling, 2.0 * MASS_TOLERANCE, rounding
        )
        return Plan(values, policy)
    q = np.empty((H if keep_q_values else 1, S, A))
    kernels.full_backward_induction(mdp.transitions, mdp.rewards, values, q, policy)
    return Plan(values, policy, q if keep_q_values else None)


def evaluate(mdp: FiniteHorizonMDP, policy: npt.ArrayLike) -> FloatArray:
    """Return the values ``(H + 1, S)`` of a policy.

    Parameters
    ----------
    policy
        Integers ``(S,)`` or ``(H, S)`` (deterministic), floats ``(S, A)`` or ``(H, S, A)`` (stochastic).

    Raises
    ------
    InvalidPolicyError
        Naming the first offending entry.
    """
    staged = as_policy(policy, mdp.n_states, mdp.n_actions, mdp.horizon)
    values = np.empty((mdp.horizon + 1, mdp.n_states))
    if staged.ndim == 2:
        kernels.evaluate_deterministic(mdp.transitions, mdp.rewards, staged, values)
    else:
        kernels.evaluate_stochastic(mdp.transitions, mdp.rewards, staged, values)
    return values


def q_values(mdp: FiniteHorizonMDP, values: FloatArray) -> FloatArray:
    """Return the one-step look-ahead ``(H, S, A)`` of ``values (H + 1, S)``."""
    values = np.ascontiguousarray(values, np.float64)
    if values.shape != (mdp.horizon + 1, mdp.n_states):
        raise ValueError(f"values has shape {values.shape}, not {(mdp.horizon + 1, mdp.n_states)}")
    q = np.empty((mdp.horizon, mdp.n_states, mdp.n_actions))
    kernels.action_values(mdp.transitions, mdp.rewards, values, q)
    return q


def occupancy(mdp: FiniteHorizonMDP, policy: npt.ArrayLike) -> FloatArray:
    """Return the occupancy measure ``(H, S, A)`` of a policy from ``mdp.initial``; each stage sums to one.

    Raises
    ------
    InvalidPolicyError
        Naming the first offending entry.
    """
    staged = as_policy(policy, mdp.n_states, mdp.n_actions, mdp.horizon)
    measure = np.empty((mdp.horizon, mdp.n_states, mdp.n_actions))
    laws = np.empty((mdp.horizon + 1, mdp.n_states))
    if staged.ndim == 2:
        kernels.occupancy_deterministic(mdp.transitions, staged, mdp.initial, laws, measure)
    else:
        kernels.occupancy_stochastic(mdp.transitions, staged, mdp.initial, laws, measure)
    return measure


def policy_value(mdp: FiniteHorizonMDP, values: FloatArray) -> float:
    """Return the value of the start, ``initial @ values[0]``."""
    return float(mdp.initial @ values[0])
