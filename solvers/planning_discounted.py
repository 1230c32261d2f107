r"""Discounted dynamic programming with certified errors.

For :math:`\gamma \in [0, 1)` the optimal value is the fixed point of

.. math:: (T V)(s) = \max_a \, r(s, a) + \gamma \sum_t p(t \mid s, a) V(t) .

**Certificate.** T is monotone and, with the largest row mass m (one, up to the tolerance of the model), a
:math:`\gamma m`-contraction in the sup norm. Hence for *any* V, wherever it comes from,

.. math:: \| V - V^* \|_\infty \le \frac{ \| T V - V \|_\infty }{1 - \gamma m}, \qquad
          V^* - V^\pi \le \frac{ \max(T V - V)^+ + \max(V - T V)^+ }{1 - \gamma m}
          \quad (\pi \text{ greedy for } V),

and the computed :math:`T V` differs from the exact one by at most
:math:`\epsilon (n + 4)(\max |r| + \gamma m \max |V|)` with n the depth of the sums. Every solver below, whatever its
own stopping rule, reports this bound, evaluated by one full sweep at the values that it returns: ``error_bound`` holds
for the model as stored, rounding included.

**Methods.** Value iteration stops by the span of :math:`V_{n+1} - V_n` and returns the middle of MacQueen's bounds, or
by its sup norm. Policy iteration solves :math:`(I - \gamma P_\pi) V = r_\pi`, modified policy iteration sweeps it a few
times, inexact policy iteration reduces its residual by a constant factor with a Krylov method. The linear programme is
:math:`\min w^\top V` subject to :math:`V \ge T_a V` for all a; its dual is the occupancy measure.

References
----------
J. MacQueen (1966). A modified dynamic programming method for Markovian decision problems. J. Math. Anal. Appl. 14,
38-43.
M. L. Puterman (1994). Markov Decision Processes. Wiley, chapter 6.
M. L. Puterman and M. C. Shin (1978). Modified policy iteration algorithms for discounted Markov decision problems.
Management Science 24(11), 1127-1137.
H. A. van der Vorst (1992). Bi-CGSTAB. SIAM J. Sci. Stat. Comput. 13(2), 631-644.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mdps.tabular import DiscountedMDP
from mdps.validation import MASS_TOLERANCE, FloatArray, IntArray
from solvers import planning_discounted_kernels as kernels
from solvers.planning_kernels import EPSILON
from solvers.planning_policies import as_policy

Method = Literal[
    "auto",
    "value_iteration",
    "gauss_seidel",
    "policy_iteration",
    "modified_policy_iteration",
    "inexact_policy_iteration",
    "linear_programme",
]


class NotConvergedError(RuntimeError):
    """An iterative solver did not reach the certified error that was asked for."""


@dataclass(frozen=True, eq=False)
class DiscountedSolution:
    """Values within a certified distance of the optimal ones.

    Attributes
    ----------
    values
        ``(S,)``.
    policy
        A greedy policy for ``values``, ``(S,)`` int64, ties to the lowest index.
    converged
        Whether ``error_bound`` is at most the tolerance asked for.
    error_bound
        Certified bound of the sup-norm distance of ``values`` to the optimal values, rounding included.
    iterations
        Sweeps of value iteration, policies of policy iteration, or pivots of the linear programme.
    method
        The name of the method.
    policy_error_bound
        Certified bound of the loss of ``policy`` in any state, rounding included.
    """

    values: FloatArray
    policy: IntArray
    converged: bool
    error_bound: float
    iterations: int
    method: str
    policy_error_bound: float


@dataclass(frozen=True, eq=False)
class LinearProgrammeSolution:
    """A solved linear programme and its dual.

    Attributes
    ----------
    solution
        The values, certified like those of the other methods.
    occupancy
        Discounted occupancy measure ``(S, A)`` of an optimal policy started from ``start``, of mass one.
    start
        The weights of the objective: the model's initial law if it is positive everywhere, else uniform.
    flow_residual
        Sup norm of the violation of the flow equations by ``occupancy`` (negative entries were set to zero before).
    duality_gap
        ``start @ values`` minus the return of ``occupancy``, in units of value.
    """

    solution: DiscountedSolution
    occupancy: FloatArray
    start: FloatArray
    flow_residual: float
    duality_gap: float


class Certificate(NamedTuple):
    """What one full sweep proves about given values (see the module docstring)."""

    error_bound: float
    policy_error_bound: float
    policy: IntArray


class Rows(NamedTuple):
    """The rows of a model as the kernels take them, and the depth of the sums over one."""

    data: FloatArray
    indices: kernels.Indices
    indptr: kernels.Indices
    depth: int


def as_rows(matrix: "FloatArray | sparse.csr_array") -> Rows:
    """Return the rows of a dense array (last axis) or of a CSR matrix, without copying the entries."""
    if not isinstance(matrix, np.ndarray):
        indices = matrix.indices.astype(np.int32, copy=False)
        indptr = matrix.indptr.astype(np.int32, copy=False)
        return Rows(_read_only(matrix.data), indices, indptr, int(np.diff(indptr).max()) + 2)
    return Rows(_read_only(matrix.reshape(-1)), None, None, matrix.shape[-1] // 16 + 12)


def _read_only(array: FloatArray) -> FloatArray:
    view = array.view()
    view.setflags(write=False)  # the models' arrays are: one compiled signature for all
    return view


def contraction(mdp: DiscountedMDP) -> float:
    """Return the contraction factor of T in the sup norm: the discount times a bound of the largest row mass.

    Raises
    ------
    ValueError
        If the factor is not below one: rows of mass above one undo a discount this close to one.
    """
    if mdp.discount <= 1.0 - 1e-6:
        return mdp.discount * (1.0 + 2.0 * MASS_TOLERANCE)
    mass = float(mdp.transitions.sum(axis=-1).max()) * (1.0 + mdp.n_states * EPSILON)
    factor = mdp.discount * mass * (1.0 + EPSILON)
    if factor >= 1.0:
        raise ValueError(f"discount {mdp.discount} with rows of mass up to {mass} is no certified contraction")
    return factor


def certify(mdp: DiscountedMDP, values: npt.ArrayLike) -> Certificate:
    """Bound the distance of any ``values (S,)`` to the optimal ones, and the loss of their greedy policy.

    Raises
    ------
    ValueError
        If the shape is wrong or an entry is not finite, or as for `contraction`.
    """
    checked = _as_values(values, mdp.n_states)
    return _certify(as_rows(mdp.transitions), mdp.rewards, mdp.discount, contraction(mdp), checked)


def _certify(rows: Rows, rewards: FloatArray, discount: float, factor: float, values: FloatArray) -> Certificate:
    out, policy = np.empty_like(values), np.empty(values.size, np.int64)
    low, high, scale, _ = kernels.optimality_sweep(*rows[:3], rewards, discount, values, out, policy)
    rounding = EPSILON * (rows.depth + 4) * (1.0 + 2.0 * MASS_TOLERANCE) * scale
    above, below = max(high, 0.0) + rounding, max(-low, 0.0) + rounding
    unit = (1.0 + 8.0 * EPSILON) / (1.0 - factor)
    return Certificate(max(above, below) * unit, (above + below) * unit, policy)


def bellman_optimality(mdp: DiscountedMDP, values: npt.ArrayLike) -> FloatArray:
    """Return T ``values``, shape ``(S,)``."""
    checked = _as_values(values, mdp.n_states)
    out, policy = np.empty(mdp.n_states), np.empty(mdp.n_states, np.int64)
    rows = as_rows(mdp.transitions)
    kernels.optimality_sweep(*rows[:3], mdp.rewards, mdp.discount, checked, out, policy)
    return out


def bellman_policy(mdp: DiscountedMDP, policy: npt.ArrayLike, values: npt.ArrayLike) -> FloatArray:
    """Return T_pi ``values``, shape ``(S,)``, for a deterministic ``(S,)`` or stochastic ``(S, A)`` policy.

    Raises
    ------
    InvalidPolicyError
        Naming the first offending entry of the policy.
    """
    checked = _as_values(values, mdp.n_states)
    matrix, rewards = policy_chain(mdp, policy)
    return rewards + mdp.discount * (matrix @ checked)


def policy_chain(mdp: DiscountedMDP, policy: npt.ArrayLike) -> "tuple[FloatArray | sparse.csr_array, FloatArray]":
    """Return the transition matrix ``(S, S)`` (dense or CSR, as the model) and the mean rewards ``(S,)`` of a policy.

    Raises
    ------
    InvalidPolicyError
        Naming the first offending entry.
    """
    S, A = mdp.n_states, mdp.n_actions
    staged = as_policy(policy, S, A, 1)[0]
    states = np.arange(S)
    if staged.ndim == 1:
        rewards = mdp.rewards[states, staged]
        if isinstance(mdp.transitions, np.ndarray):
            return mdp.transitions[states, staged], rewards
        return mdp.transitions[states * A + staged], rewards
    rewards = np.einsum("sa,sa->s", staged, mdp.rewards)
    if isinstance(mdp.transitions, np.ndarray):
        return np.matmul(staged[:, None, :], mdp.transitions)[:, 0], rewards
    weights = sparse.csr_array((staged.ravel(), np.arange(S * A), np.arange(0, S * A + 1, A)), shape=(S, S * A))
    return sparse.csr_array(weights @ mdp.transitions), rewards


def evaluate_discounted(mdp: DiscountedMDP, policy: npt.ArrayLike, tolerance: float | None = None) -> FloatArray:
    """Return the values ``(S,)`` of a policy, with a certified sup-norm error of at most ``tolerance``.

    Parameters
    ----------
    policy
        ``(S,)`` integers or ``(S, A)`` floats.
    tolerance
        In units of value; 1e-9 times the largest possible value, ``max |rewards| / (1 - discount)``, if omitted.

    Raises
    ------
    InvalidPolicyError
        Naming the first offending entry.
    NotConvergedError
        If the residual of the computed values does not certify the tolerance.
    """
    matrix, rewards = policy_chain(mdp, policy)
    factor = contraction(mdp)
    if tolerance is None:
        tolerance = max(1e-9 * float(np.abs(mdp.rewards).max()) / (1.0 - factor), np.finfo(np.float64).tiny)
    _require_tolerance(tolerance)
    values = _solve(matrix, mdp.discount, rewards, 0.5 * tolerance * (1.0 - factor))
    bound = _certify(as_rows(matrix), rewards[:, None], mdp.discount, factor, values).error_bound
    if not bound <= tolerance:
        raise NotConvergedError(f"policy evaluation reached a certified error of {bound:.3g}, not {tolerance:.3g}")
    return values


def discounted_occupancy(mdp: DiscountedMDP, policy: npt.ArrayLike, tolerance: float = 1e-9) -> FloatArray:
    r"""Return :math:`d(s, a) = (1 - \gamma) \sum_t \gamma^t P_\pi(s_t = s, a_t = a)`, shape ``(S, A)``, of mass one.

    The l1 error of the law of the states is certified to be at most ``tolerance``.

    Raises
    ------
    InvalidPolicyError
        Naming the first offending entry.
    NotConvergedError
        If the residual does not certify the tolerance.
    """
    _require_tolerance(tolerance)
    matrix, _ = policy_chain(mdp, policy)
    factor = contraction(mdp)
    transposed = np.ascontiguousarray(matrix.T) if isinstance(matrix, np.ndarray) else sparse.csr_array(matrix.T)
    start = (1.0 - mdp.discount) * mdp.initial
    target = 0.5 * tolerance * (1.0 - factor) / mdp.n_states
    law = _solve(transposed, mdp.discount, start, target)
    law = np.maximum(law, 0.0)  # the exact law is not negative: this only comes closer to it
    residual = start + mdp.discount * (transposed @ law) - law
    rounding = EPSILON * (mdp.n_states + 4) * 2.0
    bound = (float(np.abs(residual).sum()) + rounding) / (1.0 - factor)
    if not bound <= tolerance:
        raise NotConvergedError(f"occupancy reached a certified error of {bound:.3g}, not {tolerance:.3g}")
    staged = as_policy(policy, mdp.n_states, mdp.n_actions, 1)[0]
    if staged.ndim == 2:
        return law[:, None] * staged
    measure = np.zeros((mdp.n_states, mdp.n_actions))
    measure[np.arange(mdp.n_states), staged] = law
    return measure


def _solve(matrix: "FloatArray | sparse.csr_array", discount: float, right: FloatArray, target: float) -> FloatArray:
    """Solve (I - discount * matrix) x = right; sparse systems by BiCGStab to ``target``, directly if it fails."""
    n = right.size
    if isinstance(matrix, np.ndarray):
        system = -discount * matrix
        system[np.diag_indices(n)] += 1.0
        return np.asarray(np.linalg.solve(system, right), np.float64)
    x, work = np.zeros(n), np.empty((5, n))
    rows = as_rows(matrix)
    achieved = kernels.bicgstab(*rows[:3], np.arange(n), discount, right, x, work, target, KRYLOV_LIMIT)
    if achieved <= target:
        return x
    from scipy.sparse.linalg import spsolve  # rarely needed, slow to import

    return np.asarray(spsolve(sparse.csc_array(sparse.eye_array(n) - discount * matrix), right))


KRYLOV_LIMIT = 2000
"""Steps of BiCGStab before a sparse direct solve is tried."""


def value_iteration(
    mdp: DiscountedMDP,
    tolerance: float = 1e-6,
    *,
    variant: Literal["jacobi", "gauss_seidel"] = "jacobi",
    stopping: Literal["span", "residual"] = "span",
    initial_values: npt.ArrayLike | None = None,
    max_iterations: int = 1_000_000,
    allow_unconverged: bool = False,
) -> DiscountedSolution:
    """Iterate T from ``initial_values`` (zero if omitted) to a certified error of ``tolerance``.

    Parameters
    ----------
    variant
        ``"jacobi"`` (with exact action elimination) or ``"gauss_seidel"`` (in place, always stopped by the residual).
    stopping
        Rule of the Jacobi variant: ``"span"`` (MacQueen's bounds) or ``"residual"`` (sup norm of the change).

    Raises
    ------
    NotConvergedError
        Unless ``allow_unconverged``.
    """
    if variant not in ("jacobi", "gauss_seidel"):
        raise ValueError(f"variant is {variant!r}, not 'jacobi' or 'gauss_seidel'")
    if stopping not in ("span", "residual"):
        raise ValueError(f"stopping is {stopping!r}, not 'span' or 'residual'")
    rows = as_rows(mdp.transitions)
    S, A = mdp.n_states, mdp.n_actions
    rounding = EPSILON * (2 * rows.depth + 16)
    model = (*rows[:3], mdp.rewards, mdp.discount)

    def jacobi(values: FloatArray, target: float, limit: int) -> int:
        work = (np.empty(S), np.empty(S, np.int64), np.empty((S, A)), np.empty(S))
        span = stopping == "span"
        mass = 2.0 * MASS_TOLERANCE
        return kernels.value_iteration(*model, values, *work, target, span, mass, rounding, limit)

    def gauss_seidel(values: FloatArray, target: float, limit: int) -> int:
        return kernels.gauss_seidel(*model, values, target, rounding, limit)

    step, name = (jacobi, "value_iteration") if variant == "jacobi" else (gauss_seidel, "gauss_seidel")
    return _iterate(mdp, rows, step, name, tolerance, initial_values, max_iterations, allow_unconverged)


def modified_policy_iteration(
    mdp: DiscountedMDP,
    tolerance: float = 1e-6,
    *,
    n_sweeps: int = 20,
    initial_values: npt.ArrayLike | None = None,
    max_iterations: int = 100_000,
    allow_unconverged: bool = False,
) -> DiscountedSolution:
    """Alternate a greedy sweep and ``n_sweeps`` sweeps of its policy (Puterman and Shin 1978).

    Raises
    ------
    NotConvergedError
        Unless ``allow_unconverged``.
    """
    rows = as_rows(mdp.transitions)
    rounding = EPSILON * (2 * rows.depth + 16)

    def step(values: FloatArray, target: float, limit: int) -> int:
        model = (*rows[:3], mdp.rewards, mdp.discount)
        work = (np.empty(values.size), np.empty(values.size, np.int64))
        return kernels.modified_policy_iteration(*model, values, *work, target, rounding, n_sweeps, limit)

    name = "modified_policy_iteration"
    return _iterate(mdp, rows, step, name, tolerance, initial_values, max_iterations, allow_unconverged)


def inexact_policy_iteration(
    mdp: DiscountedMDP,
    tolerance: float = 1e-6,
    *,
    forcing: float = 0.1,
    patience: float = 0.5,
    n_sweeps: int = 20,
    max_inner: int = 200,
    initial_values: npt.ArrayLike | None = None,
    max_iterations: int = 10_000,
    allow_unconverged: bool = False,
) -> DiscountedSolution:
    """Policy iteration whose linear systems are solved by BiCGStab to ``forcing`` times the Bellman residual.

    Parameters
    ----------
    patience
        A policy is evaluated once a sweep neither changes it nor shrinks the span of the change by this factor; until
        then value iteration goes on, which is cheaper while it makes progress.
    n_sweeps
        Sweeps of the policy that replace a failed inner solve.
    max_inner
        Steps of the inner solver.

    Raises
    ------
    NotConvergedError
        Unless ``allow_unconverged``.
    """
    rows = as_rows(mdp.transitions)
    rounding = EPSILON * (2 * rows.depth + 16)

    def step(values: FloatArray, target: float, limit: int) -> int:
        model = (*rows[:3], mdp.rewards, mdp.discount)
        work = (np.empty(values.size), np.empty(values.size, np.int64))
        return kernels.inexact_policy_iteration(
            *model, values, *work, target, rounding, forcing, patience, n_sweeps, max_inner, limit
        )

    name = "inexact_policy_iteration"
    return _iterate(mdp, rows, step, name, tolerance, initial_values, max_iterations, allow_unconverged)


def policy_iteration(
    mdp: DiscountedMDP,
    tolerance: float = 1e-6,
    *,
    initial_policy: npt.ArrayLike | None = None,
    max_iterations: int = 1000,
    allow_unconverged: bool = False,
) -> DiscountedSolution:
    """Evaluate exactly and improve until the policy stays (Howard's policy iteration).

    Parameters
    ----------
    initial_policy
        ``(S,)`` integers; the greedy policy of the rewards if omitted.

    Raises
    ------
    NotConvergedError
        Unless ``allow_unconverged``.
    """
    _require_tolerance(tolerance)
    _require_limit(max_iterations)
    rows, factor = as_rows(mdp.transitions), contraction(mdp)
    floor = EPSILON * (2 * rows.depth + 16)
    out, improved = np.empty(mdp.n_states), np.empty(mdp.n_states, np.int64)
    policy = mdp.rewards.argmax(axis=1)
    if initial_policy is not None:
        policy = as_policy(np.asarray(initial_policy, np.int64), mdp.n_states, mdp.n_actions, 1)[0]
    iterations = 0
    while iterations < max_iterations:
        iterations += 1
        matrix, rewards = policy_chain(mdp, policy)
        values = _solve(matrix, mdp.discount, rewards, 0.25 * tolerance * (1.0 - factor))
        _, high, scale, _ = kernels.optimality_sweep(*rows[:3], mdp.rewards, mdp.discount, values, out, improved)
        if high <= floor * scale or np.array_equal(improved, policy):
            break
        policy = improved.copy()
    certificate = _certify(rows, mdp.rewards, mdp.discount, factor, values)
    return _solution(values, certificate, iterations, "policy_iteration", tolerance, allow_unconverged)


HIGHS_OPTIONS: Any = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
"""The tightest tolerances that HiGHS admits."""


def linear_programme(
    mdp: DiscountedMDP, tolerance: float = 1e-6, *, allow_unconverged: bool = False
) -> LinearProgrammeSolution:
    """Solve min ``start @ V`` subject to ``V(s) >= r(s, a) + discount * p(. | s, a) @ V`` with HiGHS's dual simplex.

    The values are certified by a Bellman sweep; the dual variables are scaled to an occupancy measure whose flow
    equations and return are evaluated again here.

    Raises
    ------
    NotConvergedError
        If HiGHS fails, or if the values are not certified (unless ``allow_unconverged``).
    """
    from scipy.optimize import linprog  # slow to import

    _require_tolerance(tolerance)
    S, A = mdp.n_states, mdp.n_actions
    if isinstance(mdp.transitions, np.ndarray):
        kernel = sparse.csr_array(mdp.transitions.reshape(S * A, S))
    else:
        kernel = mdp.transitions
    states = sparse.kron(sparse.eye_array(S), np.ones((A, 1)), format="csr")
    start = mdp.initial if mdp.initial.min() > 0.0 else np.full(S, 1.0 / S)
    below: Any = sparse.csr_array(mdp.discount * kernel - states)
    limits = -mdp.rewards.ravel()
    result: Any = linprog(start, below, limits, bounds=(None, None), method="highs-ds", options=HIGHS_OPTIONS)
    if result.status != 0:
        raise NotConvergedError(f"HiGHS: {result.message}")
    values = np.ascontiguousarray(result.x)
    occupancy = np.maximum(-result.ineqlin.marginals, 0.0) * (1.0 - mdp.discount)
    flow = states.T @ occupancy - mdp.discount * (kernel.T @ occupancy) - (1.0 - mdp.discount) * start
    gain = float(occupancy @ mdp.rewards.ravel()) / (1.0 - mdp.discount)
    certificate = certify(mdp, values)
    solution = _solution(values, certificate, int(result.nit), "linear_programme", tolerance, allow_unconverged)
    gap = float(start @ values) - gain
    return LinearProgrammeSolution(solution, occupancy.reshape(S, A), start, float(np.abs(flow).max()), gap)


def solve(
    mdp: DiscountedMDP,
    tolerance: float = 1e-6,
    method: Method = "auto",
    *,
    allow_unconverged: bool = False,
) -> DiscountedSolution:
    """Return values within ``tolerance`` of the optimal ones, certified, by the named method.

    ``"auto"`` is inexact policy iteration, preceded on large models by some sweeps of value iteration: action
    elimination then saves most of the reading (measured in ``benchmarks/planning.py``).

    Raises
    ------
    NotConvergedError
        Unless ``allow_unconverged``.
    """
    if method == "auto":
        return _solve_automatically(mdp, tolerance, allow_unconverged)
    if method == "gauss_seidel":
        return value_iteration(mdp, tolerance, variant="gauss_seidel", allow_unconverged=allow_unconverged)
    if method == "linear_programme":
        return linear_programme(mdp, tolerance, allow_unconverged=allow_unconverged).solution
    solvers: dict[str, Callable[..., DiscountedSolution]] = {
        "value_iteration": value_iteration,
        "policy_iteration": policy_iteration,
        "modified_policy_iteration": modified_policy_iteration,
        "inexact_policy_iteration": inexact_policy_iteration,
    }
    if method not in solvers:
        raise ValueError(f"method is {method!r}, not one of {', '.join(get_args(Method))}")
    return solvers[method](mdp, tolerance, allow_unconverged=allow_unconverged)


LARGE_MODEL = 100_000
"""Stored transition probabilities from which action elimination pays for its book-keeping."""

FIRST_SWEEPS = 60


def _solve_automatically(mdp: DiscountedMDP, tolerance: float, allow_unconverged: bool) -> DiscountedSolution:
    start = None
    if mdp.transitions.size >= LARGE_MODEL:
        first = value_iteration(mdp, tolerance, max_iterations=FIRST_SWEEPS, allow_unconverged=True)
        if first.converged:
            return first
        start = first.values
    return inexact_policy_iteration(mdp, tolerance, initial_values=start, allow_unconverged=allow_unconverged)


def _iterate(
    mdp: DiscountedMDP,
    rows: Rows,
    step: Callable[[FloatArray, float, int], int],
    method: str,
    tolerance: float,
    initial_values: npt.ArrayLike | None,
    max_iterations: int,
    allow_unconverged: bool,
) -> DiscountedSolution:
    """Run ``step`` until the values that it leaves are certified; its own rule may be short by a rounding error."""
    _require_tolerance(tolerance)
    _require_limit(max_iterations)
    factor = contraction(mdp)
    values = np.zeros(mdp.n_states) if initial_values is None else _as_values(initial_values, mdp.n_states)
    iterations = 0
    for target in (tolerance, 0.5 * tolerance, 0.1 * tolerance):
        iterations += step(values, target, max_iterations - iterations)
        certificate = _certify(rows, mdp.rewards, mdp.discount, factor, values)
        if certificate.error_bound <= tolerance or iterations >= max_iterations:
            break
    return _solution(values, certificate, iterations, method, tolerance, allow_unconverged)


def _solution(
    values: FloatArray,
    certificate: Certificate,
    iterations: int,
    method: str,
    tolerance: float,
    allow_unconverged: bool,
) -> DiscountedSolution:
    bound = certificate.error_bound
    converged = bool(bound <= tolerance)
    if not (converged or allow_unconverged):
        raise NotConvergedError(
            f"{method} reached a certified error of {bound:.3g} after {iterations} iterations, not {tolerance:.3g}"
        )
    return DiscountedSolution(
        values, certificate.policy, converged, bound, iterations, method, certificate.policy_error_bound
    )


def _as_values(values: npt.ArrayLike, n_states: int) -> FloatArray:
    """Return a writable copy of ``values``, checked."""
    array = np.array(values, np.float64)
    if array.shape != (n_states,):
        raise ValueError(f"values has shape {array.shape}, not {(n_states,)}")
    if not np.isfinite(array).all():
        raise ValueError(f"values[{int(np.argmin(np.isfinite(array)))}] is not finite")
    return array


def _require_tolerance(tolerance: float) -> None:
    if not 0.0 < tolerance < np.inf:
        raise ValueError(f"tolerance is {tolerance!r}, not a positive number")


def _require_limit(max_iterations: int) -> None:
    if max_iterations < 1:
        raise ValueError(f"max_iterations is {max_iterations}, not a positive integer")
