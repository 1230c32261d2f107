r"""Exact dynamic programming for robust linear MDPs with a cost of leaving a reference policy.

With a reference :math:`\tilde\pi(a | s) > 0`, a temperature :math:`\eta \ge 0` and the factor backups :math:`\nu_{h,i}`
of `solvers.robust_planning`, backwards from :math:`V_{H+1} = 0`,

.. math:: Q_h^\pi = \phi_h^\top (\theta_h + \nu_h(V_{h+1}^\pi)), \qquad
          V_h^\pi(s) = \langle \pi_h, Q_h^\pi \rangle (s) - \eta\, \mathrm{KL}(\pi_h \| \tilde\pi)(s),

which is the least value that any member of the rectangular set gives to the policy, and

.. math:: V_h^*(s) = \eta \log \sum_a \tilde\pi(a | s)\, e^{Q_h^*(s, a) / \eta}, \qquad
          \pi_h^*(a | s) \propto \tilde\pi(a | s)\, e^{Q_h^*(s, a) / \eta}

(the largest Q, ties to the lowest action, if :math:`\eta = 0`). Policies are handed about as *logarithms* of their
probabilities, so that divergences stay exact where probabilities underflow. Functions take any number of policies at
once, along leading axes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError, InvalidPolicyError
from mdps.linear import LinearMDP
from mdps.robust import RobustLinearMDP
from mdps.validation import FloatArray, as_float_array, require_distributions, require_shape
from solvers.robust_planning import backup, worst_laws


@dataclass(frozen=True, eq=False)
class RobustPlan:
    """Values of a policy (or of several, along leading axes), and the policy itself.

    Attributes
    ----------
    values
        ``(..., H + 1, S)``.
    q_values
        ``(..., H, S, A)``.
    log_policy
        Logarithms of the probabilities, ``(..., H, S, A)``; minus infinity where an action is never played.
    """

    values: FloatArray
    q_values: FloatArray
    log_policy: FloatArray

    def start(self, mdp: LinearMDP) -> FloatArray:
        """Return the values under the law of the first state, ``(...)``."""
        result: FloatArray = self.values[..., 0, :] @ mdp.initial
        return result


def log_reference(mdp: LinearMDP, reference: npt.ArrayLike | None = None) -> FloatArray:
    """Return the logarithm of a reference policy, ``(S, A)``; uniform if omitted, one row for all states if ``(A,)``.

    Raises
    ------
    InvalidModelError
        If a probability is not positive, or a row does not sum to one.
    """
    S, A = mdp.n_states, mdp.n_actions
    table = as_float_array("reference", np.full(A, 1.0 / A) if reference is None else reference)
    table = np.array(np.broadcast_to(table, (S, A))) if table.shape == (A,) else table
    require_shape("reference", table, (S, A))
    require_distributions("reference", table, "s")
    if (table <= 0.0).any():
        raise InvalidModelError("reference has an action of probability zero")
    return np.log(table)


def require_temperature(eta: float) -> None:
    """Raise unless ``eta`` is a finite number of at least zero."""
    if not 0.0 <= eta < np.inf:
        raise InvalidModelError(f"eta is {eta!r}, not a finite number of at least 0")


def soft_maximum(q_values: FloatArray, log_base: FloatArray, eta: float) -> tuple[FloatArray, FloatArray]:
    """Return the regularised maximum over the last axis, and the logarithm of the policy that attains it.

    Parameters
    ----------
    q_values
        ``(..., S, A)``.
    log_base
        Logarithm of the reference, ``(S, A)``.
    eta
        Temperature; at 0 the largest entry, attained by the lowest action.
    """
    top = q_values.max(axis=-1, keepdims=True)
    if eta == 0.0:
        best = np.arange(q_values.shape[-1]) == q_values.argmax(axis=-1)[..., None]
        return top[..., 0], np.where(best, 0.0, -np.inf)
    scaled = log_base + (q_values - top) / eta
    total = _log_sum(scaled)
    return (top + eta * total)[..., 0], scaled - total


def divergence_cost(log_policy: FloatArray, log_base: FloatArray, eta: float) -> FloatArray:
    """Return eta times the relative entropy to the reference, summed over the last axis."""
    if eta == 0.0:
        return np.zeros(log_policy.shape[:-1])
    played = log_policy > -np.inf
    terms = np.where(played, log_policy - log_base, 0.0)
    cost: FloatArray = eta * (np.exp(log_policy) * terms).sum(axis=-1)
    return cost


def factor_backups(robust: RobustLinearMDP, h: int, values: FloatArray) -> FloatArray:
    """Return the worst expectations of next values ``(..., S)`` under the factors of stage h, ``(..., d)``."""
    measures = robust.nominal.measures[h]
    if values.ndim == 1:
        return backup(robust.kind, measures, values, robust.levels[h], check=False)
    shape = (*values.shape[:-1], *measures.shape)
    laws, rows = np.broadcast_to(measures, shape), np.broadcast_to(values[..., None, :], shape)
    return backup(robust.kind, laws, rows, np.broadcast_to(robust.levels[h], shape[:-1]), check=False)


def optimal_plan(robust: RobustLinearMDP, eta: float = 0.0, reference: npt.ArrayLike | None = None) -> RobustPlan:
    """Return the optimal robust regularised values and policy."""
    require_temperature(eta)
    mdp = robust.nominal
    base = log_reference(mdp, reference)
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    values, q, log_policy = np.zeros((H + 1, S)), np.empty((H, S, A)), np.empty((H, S, A))
    for h in reversed(range(H)):
        q[h] = mdp.staged_features[h] @ (mdp.weights[h] + factor_backups(robust, h, values[h + 1]))
        values[h], log_policy[h] = soft_maximum(q[h], base, eta)
    return RobustPlan(values, q, log_policy)


def evaluate(
    robust: RobustLinearMDP, log_policy: FloatArray, eta: float = 0.0, reference: npt.ArrayLike | None = None
) -> RobustPlan:
    """Return the exact robust regularised values of policies ``(..., H, S, A)``.

    Raises
    ------
    InvalidPolicyError
        If the policy is not of the shape of the model, or a law does not sum to one.
    """
    require_temperature(eta)
    mdp = robust.nominal
    base = log_reference(mdp, reference)
    probabilities = require_log_policy(mdp, log_policy)
    q, values = np.empty(log_policy.shape), np.zeros((*log_policy.shape[:-3], mdp.horizon + 1, mdp.n_states))
    for h in reversed(range(mdp.horizon)):
        numbers = mdp.weights[h] + factor_backups(robust, h, values[..., h + 1, :])
        q[..., h, :, :] = np.einsum("sai,...i->...sa", mdp.staged_features[h], numbers)
        gain = (probabilities[..., h, :, :] * q[..., h, :, :]).sum(axis=-1)
        values[..., h, :] = gain - divergence_cost(log_policy[..., h, :, :], base, eta)
    return RobustPlan(values, q, log_policy)


def evaluate_under(
    mdp: LinearMDP, log_policy: FloatArray, eta: float = 0.0, reference: npt.ArrayLike | None = None
) -> FloatArray:
    """Return the values ``(..., H + 1, S)`` of policies in one model, no adversary; costs as in `evaluate`."""
    base = log_reference(mdp, reference)
    probabilities = require_log_policy(mdp, log_policy)
    values = np.zeros((*log_policy.shape[:-3], mdp.horizon + 1, mdp.n_states))
    for h in reversed(range(mdp.horizon)):
        numbers = mdp.weights[h] + values[..., h + 1, :] @ mdp.measures[h].T
        q = np.einsum("sai,...i->...sa", mdp.staged_features[h], numbers)
        gain = (probabilities[..., h, :, :] * q).sum(axis=-1)
        values[..., h, :] = gain - divergence_cost(log_policy[..., h, :, :], base, eta)
    return values


def require_log_policy(mdp: LinearMDP, log_policy: FloatArray) -> FloatArray:
    """Return the probabilities of a policy given by logarithms, or raise `InvalidPolicyError`."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    if log_policy.shape[-3:] != shape:
        raise InvalidPolicyError(f"log_policy has shape {log_policy.shape}, not (..., {', '.join(map(str, shape))})")
    probabilities: FloatArray = np.exp(log_policy)
    if not (np.abs(probabilities.sum(axis=-1) - 1.0) <= 1e-9).all():
        raise InvalidPolicyError("a row of log_policy is not the logarithm of a law")
    return probabilities


def worst_model(robust: RobustLinearMDP, values: FloatArray) -> LinearMDP:
    """Return the member of the set that attains all factor backups of ``values (H + 1, S)``."""
    measures = [
        worst_laws(robust.kind, robust.nominal.measures[h], values[h + 1], robust.levels[h], check=False)
        for h in range(robust.horizon)
    ]
    laws = np.array(measures)
    return robust.nominal.with_measures(laws / laws.sum(axis=-1, keepdims=True))


def occupancies(mdp: LinearMDP, log_policy: FloatArray) -> FloatArray:
    """Return the laws of state and action at all stages, ``(..., H, S, A)``, in one model."""
    probabilities = require_log_policy(mdp, log_policy)
    result = np.empty(log_policy.shape)
    states = np.broadcast_to(mdp.initial, (*log_policy.shape[:-3], mdp.n_states))
    for h in range(mdp.horizon):
        result[..., h, :, :] = states[..., None] * probabilities[..., h, :, :]
        factors = np.einsum("sai,...sa->...i", mdp.staged_features[h], result[..., h, :, :])
        states = factors @ mdp.measures[h]
    return result


def mirror_descent(
    robust: RobustLinearMDP, eta: float, step: float, iterations: int, reference: npt.ArrayLike | None = None
) -> FloatArray:
    r"""Return the robust values of the iterates of mirror descent with known model, ``(iterations + 1, H + 1, S)``.

    From the reference, :math:`\pi^{k+1} \propto \exp([Q^{\pi^k} + \eta \log \tilde\pi + \log \pi^k / \alpha] / c)` with
    step :math:`\alpha` and :math:`c = \eta + 1 / \alpha`; an infinite step is one regularised greedy step.
    """
    if not (eta > 0.0 or step < np.inf) or not step > 0.0:
        raise InvalidModelError(f"step is {step!r} with eta={eta!r}: no finite update")
    mdp = robust.nominal
    base = log_reference(mdp, reference)
    log_policy = np.array(np.broadcast_to(base, (mdp.horizon, *base.shape)))
    values = np.empty((iterations + 1, mdp.horizon + 1, mdp.n_states))
    for k in range(iterations + 1):
        plan = evaluate(robust, log_policy, eta, reference)
        values[k] = plan.values
        total = eta + 1.0 / step
        exponent = (plan.q_values + eta * base + log_policy / step) / total
        log_policy = exponent - _log_sum(exponent)
    return values


def _log_sum(exponents: FloatArray) -> FloatArray:
    top = exponents.max(axis=-1, keepdims=True)
    total: FloatArray = top + np.log(np.exp(exponents - top).sum(axis=-1, keepdims=True))
    return total
