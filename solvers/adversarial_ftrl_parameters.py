r"""Parameters for which the regret of an algorithm is bounded: rates, conditions, and minimisers of the bounds.

Formulas are those of `theory.adversarial_ftrl_parameters`, which says what they mean; here they are evaluated, the
conditions under which they are bounds are decided, and the parameters that make them small are found.

For given :math:`(\eta, \gamma)` the least dilation :math:`\omega` is the limit of a monotone iteration from zero; where
it diverges no :math:`\omega` is admissible. The other parameters minimise the bound, by a simplex search over their
logarithms.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, exp, factorial, inf, isfinite, log, sqrt

import numpy as np
import sympy as sp

from mdps.validation import FloatArray
from theory import adversarial_ftrl_parameters as theory
from theory import symbols
from theory.adversarial_ftrl_parameters import (
    BARRIER,
    BARRIER_LOCAL,
    ENTROPY_MIXED,
    ENTROPY_SQUARE,
    LINEAR_BARRIER,
    LINEAR_DRAWN,
    LINEAR_PLAIN,
    LINEAR_REDUCED,
)
from theory.lemmas import concentration

__all__ = [
    "BARRIER",
    "BARRIER_LOCAL",
    "ENTROPY_MIXED",
    "ENTROPY_SQUARE",
    "LINEAR_BARRIER",
    "LINEAR_DRAWN",
    "LINEAR_PLAIN",
    "LINEAR_REDUCED",
]

SLACK = 1e-9
"""Relative rounding that a condition may exceed its limit by: tuned parameters meet some with equality."""


@functools.cache
def _compiled(expression: sp.Expr) -> tuple[Callable[..., float], tuple[str, ...]]:
    arguments = sorted(expression.free_symbols, key=lambda symbol: symbol.name)
    return sp.lambdify(arguments, expression, modules=["math"]), tuple(symbol.name for symbol in arguments)


def _value(expression: sp.Expr, **values: float) -> float:
    """Evaluate a formula of the theory; values of symbols that do not occur are ignored."""
    function, names = _compiled(expression)
    return float(function(*(values[name] for name in names)))


# One simplex


PENALTY = theory.barrier_penalty(symbols.alpha)


def barrier_penalty(n_actions: int, alpha: float) -> float:
    r"""Return the log-barrier's penalty of :math:`u = (1-\alpha) e_j + \alpha/A`: :math:`\sum_i \ln(1/(A u_i))`."""
    return _value(PENALTY, A=n_actions, alpha=alpha)


def best_smoothing(n_actions: int, cost: float) -> float:
    r"""Return the :math:`\alpha \in (0, 1]` that minimises ``barrier_penalty(A, alpha) + cost * alpha``.

    A convex problem whose stationarity condition is quadratic.
    """
    A = n_actions
    if A == 1 or cost <= 0.0:
        return 1.0
    middle = A * (A - 1.0 + cost)
    return min(1.0, 2.0 * A * (A - 1.0) / (middle + sqrt(middle**2 - 4.0 * cost * A * (A - 1.0) ** 2)))


KAPPA_COEFFICIENTS = tuple(1.0 / factorial(j + 2) for j in range(18))


def kappa(b: float) -> float:
    r"""Return :math:`(e^b - 1 - b)/b^2`, 1/2 at zero: the constant of exponential weights for losses above -b/eta."""
    if abs(b) > 1.0:
        return _value(theory.KAPPA_SERIES, ybar=b)
    total = 0.0  # the formula cancels: its power series
    for coefficient in reversed(KAPPA_COEFFICIENTS):
        total = total * b + coefficient
    return total


def barrier_bandit_bound(n_actions: int, episodes: int, eta: float) -> float:
    """Bound of a bandit with losses in [-1, 1], log-barrier, neither exploration nor bonus; eta < 1."""
    return _value(theory.BARRIER_BANDIT, A=n_actions, K=episodes, eta=eta)


# Full information and O-REPS


def hedge_rates(horizon: int, n_actions: int, episodes: int, per_stage: bool = True) -> FloatArray:
    """Return eta of each stage for Hedge in every state, ``(H,)``."""
    rate = theory.HEDGE_RATE if per_stage else theory.HEDGE_SINGLE_RATE
    return np.array([_value(rate, H=horizon, A=n_actions, K=episodes, i=i) for i in range(1, horizon + 1)])


def hedge_bound(horizon: int, n_actions: int, episodes: int, per_stage: bool = True) -> float:
    """Bound on the regret of Hedge in every state, for every adversary."""
    return _value(theory.HEDGE if per_stage else theory.HEDGE_SINGLE, H=horizon, A=n_actions, K=episodes)


def soft_rate(horizon: int, n_actions: int, episodes: int) -> float:
    """Return eta of soft dynamic programming."""
    return _value(theory.SOFT_RATE, H=horizon, A=n_actions, K=episodes)


def soft_bound(horizon: int, n_actions: int, episodes: int) -> float:
    """Bound on the regret of soft dynamic programming, for every adversary."""
    return _value(theory.SOFT, H=horizon, A=n_actions, K=episodes)


def oreps_rate(horizon: int, pairs: int, n_actions: int, episodes: int, from_uniform: bool = False) -> float:
    """Return eta of O-REPS with full information; ``pairs`` counts the reachable pairs of all layers, XA."""
    rate = theory.OREPS_UNIFORM_RATE if from_uniform else theory.OREPS_RATE
    return _value(rate, H=horizon, X=pairs / n_actions, A=n_actions, K=episodes)


def oreps_bound(horizon: int, pairs: int, n_actions: int, episodes: int, from_uniform: bool = False) -> float:
    """Bound on the regret of O-REPS with full information, for every adversary."""
    bound = theory.OREPS_UNIFORM if from_uniform else theory.OREPS
    return _value(bound, H=horizon, X=pairs / n_actions, A=n_actions, K=episodes)


def oreps_bandit_rate(horizon: int, pairs: int, episodes: int) -> float:
    """Return eta of O-REPS with bandit feedback."""
    return _value(theory.OREPS_BANDIT_RATE, H=horizon, X=pairs, A=1, K=episodes)


def oreps_bandit_bound(horizon: int, pairs: int, episodes: int) -> float:
    """Bound on the expected regret of O-REPS with bandit feedback."""
    return _value(theory.OREPS_BANDIT, H=horizon, X=pairs, A=1, K=episodes)


# Policy optimisation with bonuses


@dataclass(frozen=True)
class TabularParameters:
    """Parameters of policy optimisation; ``alpha`` smooths the comparator of the log-barrier variants (else 0)."""

    variant: str
    eta: float
    gamma: float
    omega: float
    kappa_q: float
    alpha: float = 0.0


def largest_bonus(horizon: int, eta: float, gamma: float, omega: float, kappa_q: float) -> float:
    """Return Bmax."""
    return _value(theory.LARGEST_BONUS, H=horizon, eta=eta, gamma=gamma, omega=omega, kappa=kappa_q)


def _constants(variant: str, y: float) -> tuple[float, float]:
    """Return kappa_Q and kappa_B for losses whose negative part is at most y; infinite where not admissible."""
    if variant not in theory.BONUS_CONSTANTS:
        raise ValueError(f"variant is {variant!r}, not a variant of policy optimisation")
    limit = {ENTROPY_SQUARE: 1.0 + SLACK, ENTROPY_MIXED: 50.0, BARRIER: inf, BARRIER_LOCAL: 1.0}[variant]
    of_estimate, of_bonus = theory.BONUS_CONSTANTS[variant]
    if y > limit or (variant == BARRIER_LOCAL and y == limit):
        return _value(of_estimate, ybar=0.0), inf
    return _value(of_estimate, ybar=y), kappa(y) if variant == ENTROPY_MIXED else _value(of_bonus, ybar=y)


def solve_dilation(variant: str, horizon: int, eta: float, gamma: float) -> tuple[float, float] | None:
    """Return the least admissible omega and its kappa_Q for given rates, or None if there is none."""
    omega, kappa_q, y = 0.0, _constants(variant, 0.0)[0], 0.0
    for _ in range(2000):
        y = eta * largest_bonus(horizon, eta, gamma, omega, kappa_q)
        kappa_q, kappa_b = _constants(variant, y)
        new = kappa_b * y
        if not isfinite(new) or new > 10.0:
            return None
        if abs(new - omega) <= 1e-14 * new:
            return new, kappa_q
        omega = new
    return None


def inadmissible_tabular(parameters: TabularParameters, horizon: int) -> str | None:
    """Return why the bound does not apply to these parameters, or None if it does."""
    p = parameters
    if not (p.eta > 0.0 and p.gamma > 0.0 and p.omega >= 0.0):
        return f"eta = {p.eta}, gamma = {p.gamma}, omega = {p.omega}: rates must be positive, omega not negative"
    y = p.eta * largest_bonus(horizon, p.eta, p.gamma, p.omega, p.kappa_q)
    kappa_q, kappa_b = _constants(p.variant, y)
    if not isfinite(kappa_b):
        return f"eta Bmax = {y:.6g} exceeds 1"
    if p.kappa_q < kappa_q * (1.0 - SLACK):
        return f"kappa_Q = {p.kappa_q:.6g} is below {kappa_q:.6g}"
    if kappa_b * y > p.omega * (1.0 + SLACK):
        return f"kappa_B eta Bmax = {kappa_b * y:.6g} exceeds omega = {p.omega:.6g}"
    return None


def tabular_bound(parameters: TabularParameters, layer_sizes: Sequence[int], n_actions: int, episodes: int) -> float:
    """Bound on the expected regret of policy optimisation, whether or not the parameters are admissible."""
    p = parameters
    values: dict[str, float] = {"H": len(layer_sizes), "A": n_actions, "K": episodes, "kappa": p.kappa_q}
    values |= {"eta": p.eta, "gamma": p.gamma, "omega": p.omega, "alpha": p.alpha}
    cost = STAGE_COST[p.variant == BARRIER_LOCAL]
    bonus = episodes * sum(_value(cost, **values, S=size, i=i) for i, size in enumerate(layer_sizes, start=1))
    if p.variant in (ENTROPY_SQUARE, ENTROPY_MIXED):
        return _value(theory.ENTROPY_PENALTY, **values) + bonus
    return _value(theory.BARRIER_PENALTY, **values) + _value(SMOOTHING_COST, **values) + bonus


STAGE_COST = {local: theory.stage_cost(theory.KAPPA, local) for local in (False, True)}
SMOOTHING_COST = theory.smoothing_cost(theory.KAPPA)


def tabular_parameters(
    variant: str, horizon: int, n_actions: int, episodes: int, eta: float, gamma: float
) -> TabularParameters | None:
    """Return the parameters with the least omega (and best alpha) for given rates, or None if none are admissible."""
    solved = solve_dilation(variant, horizon, eta, gamma)
    if solved is None:
        return None
    omega, kappa_q = solved
    alpha = 0.0
    if variant in (BARRIER, BARRIER_LOCAL):
        ceiling = largest_bonus(horizon, eta, gamma, omega, kappa_q)
        alpha = best_smoothing(n_actions, eta * episodes * ((horizon + 1) / 2 + ceiling))
    return TabularParameters(variant, eta, gamma, omega, kappa_q, alpha)


def tuned_tabular(
    variant: str, layer_sizes: Sequence[int], n_actions: int, episodes: int
) -> tuple[TabularParameters, float]:
    """Return the parameters that minimise the bound, and the bound.

    Raises
    ------
    ValueError
        If no admissible parameters were found.
    """
    return _tuned_tabular(variant, tuple(layer_sizes), n_actions, episodes)


@functools.cache
def _tuned_tabular(
    variant: str, layer_sizes: tuple[int, ...], n_actions: int, episodes: int
) -> tuple[TabularParameters, float]:
    H, A, K = len(layer_sizes), n_actions, episodes

    def candidate(x: Sequence[float]) -> TabularParameters | None:
        return tabular_parameters(variant, H, A, K, exp(x[0]), exp(x[0] + x[1]))

    def objective(x: Sequence[float]) -> float:
        p = candidate(x)
        return inf if p is None else tabular_bound(p, layer_sizes, A, K)

    scale = log(sqrt(log(max(A, 2)) / (H * H * A * sum(layer_sizes) / H * K)))
    starts = [(scale + shift, log(ratio * H)) for shift in (-2.0, -1.0, 0.0) for ratio in (0.05, 0.3, 1.0, 4.0)]
    best = _minimise(objective, starts)
    parameters = candidate(best)
    if parameters is None:
        raise ValueError(f"no admissible parameters for H = {H}, A = {A}, K = {K}")
    return parameters, tabular_bound(parameters, layer_sizes, A, K)


def tabular_corollary(horizon: int, n_states: int, n_actions: int, episodes: int) -> tuple[TabularParameters, float]:
    r"""Return closed-form parameters of ``ENTROPY_SQUARE`` and their bound :math:`2\sqrt{C(H)} H^2 \sqrt{SAK \ln A}`.

    :math:`\omega = 1/H`, :math:`\gamma = \eta H`; admissible once :math:`K \ge 2.9 H^4 \ln A / (SA)` (see
    `inadmissible_tabular`).
    """
    sizes = {"H": horizon, "S": n_states, "A": n_actions, "K": episodes}
    eta = _value(theory.ENTROPY_CLOSED_RATE, **sizes)
    gamma = _value(theory.ENTROPY_CLOSED_GAMMA, **sizes, eta=eta)
    kappa_q = _value(theory.EXP_TWO)
    parameters = TabularParameters(ENTROPY_SQUARE, eta, gamma, _value(theory.CLOSED_OMEGA, H=horizon), kappa_q)
    return parameters, _value(theory.ENTROPY_CLOSED, **sizes)


def dilation_constant(horizon: int) -> float:
    r"""Return :math:`C(H) = H^{-3} \sum_h (1 + 1/H)^h ((e - 2) H_h^2 + H H_h)`."""
    return _value(theory.DILATION, H=horizon)


# Linear action values


@dataclass(frozen=True)
class LinearParameters:
    """Parameters of an algorithm for linear action values.

    ``delta`` is the probability with which some covariance of the run fails and ``draws`` the number of draws of each
    that this takes; both are zero for exact covariances.
    """

    variant: str
    eta: float
    beta: float
    gamma: float
    omega: float
    delta: float = 0.0
    draws: int = 0


def largest_linear_bonus(horizon: int, beta: float, gamma: float, omega: float) -> float:
    """Return Bmax."""
    return _value(theory.LARGEST_LINEAR_BONUS, H=horizon, beta=beta, gamma=gamma, omega=omega)


def _linear_constants(variant: str) -> tuple[float, float]:
    """Return the constants of ``beta > c eta H^2`` and ``c' eta Bmax <= omega``."""
    if variant not in theory.LINEAR_CONSTANTS:
        raise ValueError(f"variant is {variant!r}, not an algorithm for linear action values")
    stability, dilation = theory.LINEAR_CONSTANTS[variant]
    return _value(stability), _value(dilation)


def inadmissible_linear(parameters: LinearParameters, horizon: int) -> str | None:
    """Return why the bound does not apply to these parameters, or None if it does."""
    p, H = parameters, horizon
    if not (p.eta > 0.0 and p.gamma > 0.0 and p.omega >= 0.0):
        return f"eta = {p.eta}, gamma = {p.gamma}, omega = {p.omega}: rates must be positive, omega not negative"
    stability, dilation = _linear_constants(p.variant)
    if p.beta <= stability * p.eta * H**2:
        return f"beta = {p.beta:.6g} does not exceed {stability * p.eta * H**2:.6g}"
    y = p.eta * largest_linear_bonus(H, p.beta, p.gamma, p.omega)
    if dilation * y > p.omega * (1.0 + SLACK):
        return f"{dilation:.6g} eta Bmax = {dilation * y:.6g} exceeds omega = {p.omega:.6g}"
    if p.variant not in theory.LINEAR_FLOORS:
        return None
    estimate = _value(theory.LINEAR_FLOORS[p.variant], eta=p.eta, H=H, gamma=p.gamma)
    if estimate + y > 1.0 + SLACK:
        return f"eta (Qhat - B) may fall to -{estimate + y:.6g}, below -1"
    return None


def missing_draws(parameters: LinearParameters, horizon: int, n_features: int, episodes: int) -> str | None:
    """Return why a run's covariances are not known to hold but for delta, or None if they are."""
    p = parameters
    if not 0.0 < p.delta < 1.0:
        return f"delta = {p.delta:.6g} is outside (0, 1)"
    needed = _value(theory.DRAWS, H=horizon, K=episodes, d=n_features, gamma=p.gamma, delta=p.delta)
    return None if p.draws >= needed * (1.0 - SLACK) else f"{p.draws} draws are fewer than {needed:.6g}"


def linear_bound(parameters: LinearParameters, horizon: int, n_actions: int, n_features: int, episodes: int) -> float:
    """Bound on the expected regret of an algorithm for linear action values, whether or not it is admissible."""
    p = parameters
    if p.beta <= _linear_constants(p.variant)[0] * p.eta * horizon**2:
        return inf
    values: dict[str, float] = {"H": horizon, "A": n_actions, "d": n_features, "K": episodes, "delta": p.delta}
    values |= {"eta": p.eta, "beta": p.beta, "gamma": p.gamma, "omega": p.omega}
    return _value(LINEAR_BOUNDS[p.variant], **values)


LINEAR_BOUNDS = {
    LINEAR_BARRIER: theory.BARRIER_LINEAR,
    LINEAR_DRAWN: theory.DRAWN_LINEAR,
    LINEAR_REDUCED: theory.REDUCED_LINEAR,
    LINEAR_PLAIN: theory.REDUCED_LINEAR,
}


def linear_parameters(variant: str, horizon: int, eta: float, beta: float, gamma: float) -> LinearParameters | None:
    """Return the parameters with the least admissible omega for given rates, or None if there is none."""
    dilation, omega = _linear_constants(variant)[1], 0.0
    for _ in range(2000):
        new = dilation * eta * largest_linear_bonus(horizon, beta, gamma, omega)
        if new > 10.0:
            return None
        if abs(new - omega) <= 1e-14 * new:
            parameters = LinearParameters(variant, eta, beta, gamma, new)
            return parameters if inadmissible_linear(parameters, horizon) is None else None
        omega = new
    return None


def tuned_linear(
    variant: str, horizon: int, n_actions: int, n_features: int, episodes: int
) -> tuple[LinearParameters, float]:
    """Return the parameters that minimise the bound, and the bound.

    Raises
    ------
    ValueError
        If no admissible parameters were found.
    """
    return _tuned_linear(variant, horizon, n_actions, n_features, episodes)


@functools.cache
def _tuned_linear(
    variant: str, horizon: int, n_actions: int, n_features: int, episodes: int
) -> tuple[LinearParameters, float]:
    H, A, d, K = horizon, n_actions, n_features, episodes
    least = _linear_constants(variant)[0] * H**2

    def candidate(x: Sequence[float]) -> LinearParameters | None:
        eta = exp(x[0])
        return linear_parameters(variant, H, eta, eta * least * (1.0 + exp(x[1])), exp(x[2]))

    def objective(x: Sequence[float]) -> float:
        p = candidate(x)
        return inf if p is None else linear_bound(p, H, A, d, K)

    starts = []
    for rate in np.log(np.geomspace(1e-7, 0.1, 15)):
        for spread in (0.0, 1.5):
            base = exp(rate)
            starts += [(rate, spread, log(c * H**4 * base**2)) for c in (3.0, 30.0, 300.0)]
            starts += [(rate, spread, log(c * H * base)) for c in (1.2, 3.0, 20.0)]
    best = _minimise(objective, starts)
    parameters = candidate(best)
    if parameters is None:
        raise ValueError(f"no admissible parameters for H = {H}, A = {A}, d = {d}, K = {K}")
    return parameters, linear_bound(parameters, H, A, d, K)


def linear_corollary(
    variant: str, horizon: int, n_actions: int, n_features: int, episodes: int
) -> tuple[LinearParameters, float]:
    r"""Return closed-form parameters with :math:`\omega = 1/H` and their bound, of order :math:`H^3 \sqrt{dK}`.

    ``LINEAR_BARRIER``: :math:`\beta = \eta H^2`, :math:`\gamma = (e-1) H^4 \eta^2`. ``LINEAR_REDUCED``:
    :math:`\beta = 4(e-2)\eta H^2`, :math:`\gamma = 16 (e-2)^2 (e-1) H^4 \eta^2`. Eta balances the bound's terms.
    """
    if variant not in CLOSED_FORMS:
        raise ValueError(f"variant is {variant!r}: closed forms exist for LINEAR_BARRIER and LINEAR_REDUCED")
    rate, beta, gamma, bound = CLOSED_FORMS[variant]
    sizes = {"H": horizon, "A": n_actions, "d": n_features, "K": episodes}
    eta = _value(rate, **sizes)
    of_bonus, ridge = _value(beta, **sizes, eta=eta), _value(gamma, **sizes, eta=eta)
    return LinearParameters(variant, eta, of_bonus, ridge, _value(theory.CLOSED_OMEGA, H=horizon)), _value(
        bound, **sizes
    )


CLOSED_FORMS = {
    LINEAR_BARRIER: (
        theory.BARRIER_LINEAR_RATE,
        theory.BARRIER_LINEAR_BETA,
        theory.BARRIER_LINEAR_GAMMA,
        theory.BARRIER_LINEAR_CLOSED,
    ),
    LINEAR_REDUCED: (
        theory.REDUCED_LINEAR_RATE,
        theory.REDUCED_LINEAR_BETA,
        theory.REDUCED_LINEAR_GAMMA,
        theory.REDUCED_LINEAR_CLOSED,
    ),
}


def drawn_parameters(
    horizon: int, n_actions: int, n_features: int, episodes: int, draws: int
) -> tuple[LinearParameters, float]:
    """Return the parameters that minimise the bound of ``LINEAR_DRAWN`` with delta = 1/K, and the bound.

    Parameters
    ----------
    draws
        Draws of each covariance, which fix gamma.

    Raises
    ------
    ValueError
        If there are too few draws, or no admissible parameters were found.
    """
    H, A, d, K = horizon, n_actions, n_features, episodes
    least = _linear_constants(LINEAR_DRAWN)[0] * H**2
    once = _value(theory.DRAWS, H=H, K=K, d=d, gamma=1.0, delta=1.0 / K) / 2.0  # n = once (1 + 1/gamma)
    if draws <= once:
        raise ValueError(f"draws is {draws!r}: more than {once:.6g} are needed whatever gamma is")
    gamma = once / (draws - once)

    def candidate(x: Sequence[float]) -> LinearParameters | None:
        eta = exp(x[0])
        found = linear_parameters(LINEAR_DRAWN, H, eta, eta * least * (1.0 + exp(x[1])), gamma)
        return None if found is None else replace(found, delta=1.0 / K, draws=draws)

    def objective(x: Sequence[float]) -> float:
        p = candidate(x)
        return inf if p is None else linear_bound(p, H, A, d, K)

    best = candidate(_minimise(objective, [(log(rate), 1.0) for rate in np.geomspace(1e-7, 0.1, 30)]))
    if best is None:
        raise ValueError(f"no admissible parameters for H = {H}, A = {A}, d = {d}, K = {K} and {draws} draws")
    return best, linear_bound(best, H, A, d, K)


# Estimators of an inverse covariance


def resampling_depth(gamma: float, epsilon: float, c: float = 0.5) -> int:
    """Return the least N for which the bias of matrix geometric resampling is at most epsilon."""
    return max(ceil(log(1.0 / (epsilon * gamma)) / (c * gamma)) - 1, 0)


def direct_draws(gamma: float, n_features: int, delta: float) -> int:
    """Return n so that gamma I plus a mean of n draws is in [1/2, 3/2] of its expectation, but for delta."""
    return ceil(_value(concentration.SAMPLES, ridge=gamma, d=n_features, delta=delta))


def chernoff_exponent() -> float:
    """Return 3/2 ln(3/2) - 1/2, the exponent of the matrix Chernoff bound at 3/2, smaller than that at 1/2."""
    return _value(concentration.GROWTH)


# Lower bounds


def bandit_lower_bound(horizon: int, n_states: int, n_actions: int, episodes: int) -> float:
    """Return the least expected regret on `mdps.adversarial_instances.lower_bound_instance`, in its exact form."""
    return _value(theory.LOWER_BANDIT_EXACT, H=horizon, S=n_states, A=n_actions, K=episodes)


def walk_range(episodes: int) -> float:
    """Return the mean of the absolute value of a simple random walk after K steps."""
    return _value(theory.WALK, K=episodes)


# Minimisation


def _minimise(objective: Callable[[Sequence[float]], float], starts: Sequence[Sequence[float]]) -> Sequence[float]:
    """Return the best point of a Nelder-Mead search from the best few starts."""
    from scipy.optimize import minimize

    def at(x: FloatArray) -> float:
        return objective([float(value) for value in x])

    ranked = sorted(starts, key=objective)[:3]
    best, least = ranked[0], objective(ranked[0])
    for start in ranked:
        if not isfinite(objective(start)):
            continue
        point = list(start)
        for _ in range(2):  # a restarted simplex leaves the corners in which the first one may collapse
            found = minimize(at, np.array(point), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-6})
            point = [float(x) for x in found.x]
        if objective(point) < least:
            best, least = point, objective(point)
    return best
