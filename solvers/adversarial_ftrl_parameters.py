r"""Rates, regularisations and bounds with explicit constants, and the conditions under which they hold.

Notation: H stages, :math:`H_h = H - h + 1` for h = 1, ..., H, layers of sizes :math:`|S_h|`, X states in all, A
actions, K episodes, d features; e is Euler's number. None of the constants is quoted from a paper: they are explicit
versions of published orders, and several are smaller than the published ones.

**Policy optimisation with bonuses.** With :math:`\gamma` and the dilation :math:`\omega`, the bonuses are at most

.. math:: B_{\max} = \frac 1\gamma \sum_{j=1}^H (1 + \omega)^{j-1} (\kappa_Q \eta H_j^2 + \gamma H_j), \qquad
          \bar y = \eta B_{\max}, \qquad \text{and} \quad \kappa_B \bar y \le \omega

is what lets the bonuses pay for their own variance. The pairs of constants are

=================== ============================ =========================================== ====================
variant             :math:`\kappa_Q`             :math:`\kappa_B`                            needs
=================== ============================ =========================================== ====================
``ENTROPY_SQUARE``  e - 2                        e - 2                                       :math:`\bar y \le 1`
``ENTROPY_MIXED``   :math:`e^{\bar y} / 2`       :math:`(e^{\bar y} - 1 - \bar y)/\bar y^2`
``BARRIER``         1/4                          1/4
``BARRIER_LOCAL``   1/2                          :math:`1 / (2 (1 - \bar y))`                :math:`\bar y < 1`
=================== ============================ =========================================== ====================

(the last one has a bonus whose first part is multiplied by :math:`\pi(a|s)`). For given :math:`(\eta, \gamma)` the
least :math:`\omega` is the limit of a monotone iteration from zero; where it diverges no :math:`\omega` is admissible.

**Linear action values.** :math:`B_{\max} = (2\beta/\gamma) \sum_{j=0}^{H-1} (1 + \omega)^j`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import e, exp, expm1, inf, isfinite, lgamma, log, sqrt

import numpy as np

from mdps.validation import FloatArray

ENTROPY_SQUARE, ENTROPY_MIXED, BARRIER, BARRIER_LOCAL = "entropy_square", "entropy_mixed", "barrier", "barrier_local"
"""Variants of policy optimisation (see the module)."""

LINEAR_BARRIER, LINEAR_REDUCED, LINEAR_PLAIN = "linear_barrier", "linear_reduced", "linear_plain"
"""Log-barrier; entropy with magnitude-reduced estimates; entropy with plain estimates."""

SLACK = 1e-9
"""Relative rounding that a condition may exceed its limit by: tuned parameters meet some with equality."""


# One simplex


def barrier_penalty(n_actions: int, alpha: float) -> float:
    r"""Return the log-barrier's penalty of :math:`u = (1-\alpha) e_j + \alpha/A`: :math:`\sum_i \ln(1/(A u_i))`."""
    return (n_actions - 1) * log(1.0 / alpha) - log(n_actions * (1.0 - alpha) + alpha)


def best_smoothing(n_actions: int, cost: float) -> float:
    r"""Return the :math:`\alpha \in (0, 1]` that minimises ``barrier_penalty(A, alpha) + cost * alpha``.

    A convex problem whose stationarity condition is quadratic.
    """
    A = n_actions
    if A == 1 or cost <= 0.0:
        return 1.0
    middle = A * (A - 1.0 + cost)
    return min(1.0, 2.0 * A * (A - 1.0) / (middle + sqrt(middle**2 - 4.0 * cost * A * (A - 1.0) ** 2)))


def kappa(b: float) -> float:
    r"""Return :math:`(e^b - 1 - b)/b^2`, 1/2 at zero: the constant of exponential weights for losses above -b/eta."""
    if abs(b) < 1e-4:
        return 0.5 + b / 6.0 + b * b / 24.0
    return (expm1(b) - b) / (b * b)


def barrier_bandit_bound(n_actions: int, episodes: int, eta: float) -> float:
    """Bound of a bandit with losses in [-1, 1], log-barrier, neither exploration nor bonus."""
    local = eta * episodes / (2.0 * (1.0 - eta)) if eta < 1.0 else inf
    return (n_actions - 1) * log(episodes) / eta + min(eta * n_actions * episodes / 4.0, local) + 2.0


# Full information and O-REPS


def hedge_rates(horizon: int, n_actions: int, episodes: int, per_stage: bool = True) -> FloatArray:
    """Return eta of each stage for Hedge in every state, ``(H,)``."""
    left = np.arange(horizon, 0, -1.0)
    if per_stage:
        return np.sqrt(8.0 * log(n_actions) / episodes) / left
    return np.full(horizon, sqrt(48.0 * log(n_actions) / (episodes * (horizon + 1) * (2 * horizon + 1))))


def hedge_bound(horizon: int, n_actions: int, episodes: int, per_stage: bool = True) -> float:
    """Bound on the regret of Hedge in every state, for every adversary."""
    H = horizon
    if per_stage:
        return H * (H + 1) / 2 * sqrt(episodes * log(n_actions) / 2)
    return H * sqrt((H + 1) * (2 * H + 1) * episodes * log(n_actions) / 12)


def soft_rate(horizon: int, n_actions: int, episodes: int) -> float:
    """Return eta of soft dynamic programming."""
    return sqrt(8.0 * log(n_actions) / (episodes * horizon))


def soft_bound(horizon: int, n_actions: int, episodes: int) -> float:
    """Bound on the regret of soft dynamic programming, for every adversary."""
    return horizon**1.5 * sqrt(episodes * log(n_actions) / 2)


def oreps_rate(horizon: int, pairs: int, n_actions: int, episodes: int, from_uniform: bool = False) -> float:
    """Return eta of O-REPS with full information; ``pairs`` counts the reachable pairs of all layers, XA."""
    if from_uniform:
        return 2.0 * sqrt((horizon + 1) * log(n_actions) / episodes)
    return sqrt(8.0 * log(pairs / horizon) / episodes)


def oreps_bound(horizon: int, pairs: int, n_actions: int, episodes: int, from_uniform: bool = False) -> float:
    """Bound on the regret of O-REPS with full information, for every adversary."""
    if from_uniform:
        return horizon / 2 * sqrt((horizon + 1) * episodes * log(n_actions))
    return horizon * sqrt(episodes * log(pairs / horizon) / 2)


def oreps_bandit_rate(horizon: int, pairs: int, episodes: int) -> float:
    """Return eta of O-REPS with bandit feedback."""
    return sqrt(2.0 * horizon * log(pairs / horizon) / (pairs * episodes))


def oreps_bandit_bound(horizon: int, pairs: int, episodes: int) -> float:
    """Bound on the expected regret of O-REPS with bandit feedback."""
    return sqrt(2.0 * horizon * pairs * episodes * log(pairs / horizon))


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
    total = 0.0
    for j in range(horizon):
        left = horizon - j
        total += (1.0 + omega) ** j * (kappa_q * eta * left**2 + gamma * left)
    return total / gamma


def _constants(variant: str, y: float) -> tuple[float, float]:
    """Return kappa_Q and kappa_B for losses whose negative part is at most y; infinite where not admissible."""
    if variant == ENTROPY_SQUARE:
        return (e - 2.0, e - 2.0) if y <= 1.0 + SLACK else (e - 2.0, inf)
    if variant == ENTROPY_MIXED:
        return (0.5 * exp(y), kappa(y)) if y < 50.0 else (inf, inf)
    if variant == BARRIER:
        return 0.25, 0.25
    if variant == BARRIER_LOCAL:
        return 0.5, (0.5 / (1.0 - y) if y < 1.0 else inf)
    raise ValueError(f"variant is {variant!r}, not a variant of policy optimisation")


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
    p, H, A, K = parameters, len(layer_sizes), n_actions, episodes
    bonus = 0.0
    for h, size in enumerate(layer_sizes, start=1):
        left = H - h + 1
        local = p.variant == BARRIER_LOCAL
        pairs = p.kappa_q * p.eta * left**2 * (1 if local else A) + p.gamma * left * A
        bonus += (1.0 + p.omega) ** h * pairs * int(size)
    if p.variant in (ENTROPY_SQUARE, ENTROPY_MIXED):
        return H * log(A) / p.eta + K * bonus
    ceiling = largest_bonus(H, p.eta, p.gamma, p.omega, p.kappa_q)
    smoothing = p.alpha * K * (H * (H + 1) / 2 + H * ceiling)
    return H * barrier_penalty(A, p.alpha) / p.eta + smoothing + K * bonus


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
    H, S, A, K = horizon, n_states, n_actions, episodes
    eta = sqrt(log(A) / (H**2 * S * A * K * dilation_constant(H)))
    parameters = TabularParameters(ENTROPY_SQUARE, eta, eta * H, 1.0 / H, e - 2.0)
    return parameters, 2.0 * sqrt(dilation_constant(H)) * H**2 * sqrt(S * A * K * log(A))


def dilation_constant(horizon: int) -> float:
    r"""Return :math:`C(H) = H^{-3} \sum_h (1 + 1/H)^h ((e - 2) H_h^2 + H H_h)`."""
    H = horizon
    terms = ((1.0 + 1.0 / H) ** h * ((e - 2.0) * (H - h + 1) ** 2 + H * (H - h + 1)) for h in range(1, H + 1))
    return sum(terms) / H**3


# Linear action values


@dataclass(frozen=True)
class LinearParameters:
    """Parameters of an algorithm for linear action values."""

    variant: str
    eta: float
    beta: float
    gamma: float
    omega: float


def largest_linear_bonus(horizon: int, beta: float, gamma: float, omega: float) -> float:
    """Return Bmax."""
    return 2.0 * beta / gamma * sum((1.0 + omega) ** j for j in range(horizon))


def _linear_constants(variant: str) -> tuple[float, float]:
    """Return the constants of ``beta > c eta H^2`` and ``c' eta Bmax <= omega``."""
    if variant == LINEAR_BARRIER:
        return 0.5, 0.5
    if variant in (LINEAR_REDUCED, LINEAR_PLAIN):
        return 2.0 * (e - 2.0), 2.0 * (e - 2.0)
    raise ValueError(f"variant is {variant!r}, not an algorithm for linear action values")


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
    if p.variant == LINEAR_BARRIER:
        return None
    estimate = p.eta * H / (2.0 * sqrt(p.gamma)) if p.variant == LINEAR_REDUCED else p.eta * H / p.gamma
    if estimate + y > 1.0 + SLACK:
        return f"eta (Qhat - B) may fall to -{estimate + y:.6g}, below -1"
    return None


def linear_bound(parameters: LinearParameters, horizon: int, n_actions: int, n_features: int, episodes: int) -> float:
    """Bound on the expected regret of an algorithm for linear action values, whether or not it is admissible."""
    p, H, A, d, K = parameters, horizon, n_actions, n_features, episodes
    spare = p.beta - _linear_constants(p.variant)[0] * p.eta * H**2
    if spare <= 0.0:
        return inf
    bias = p.gamma * d * H**3 * K * (0.25 / spare + 0.25 / p.beta)
    bonus = 2.0 * p.beta * d * K * sum((1.0 + p.omega) ** h for h in range(1, H + 1))
    if p.variant != LINEAR_BARRIER:
        return H * log(A) / p.eta + bias + bonus
    smoothing = H * (H * (1.0 + 2.0 * sqrt(d)) + largest_linear_bonus(H, p.beta, p.gamma, p.omega))
    return H * (A - 1) * log(K) / p.eta + smoothing + bias + bonus


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
    H, A, d, K = horizon, n_actions, n_features, episodes
    if variant == LINEAR_BARRIER:
        fixed, growth = H * (A - 1) * log(K) + 2.0, (e - 1.0) * d * K * (0.75 * H**5 + 2.0 * H**2 * (H + 1))
        eta = sqrt(fixed / growth)
        parameters = LinearParameters(variant, eta, eta * H**2, (e - 1.0) * H**4 * eta**2, 1.0 / H)
        return parameters, 2.0 * sqrt(fixed * growth) + H**2 * (1.0 + 2.0 * sqrt(d))
    if variant == LINEAR_REDUCED:
        fixed = H * log(A)
        growth = (e - 1.0) * (e - 2.0) * d * K * (3.0 * H**5 + 8.0 * H**2 * (H + 1))
        eta = sqrt(fixed / growth)
        gamma = 16.0 * (e - 2.0) ** 2 * (e - 1.0) * H**4 * eta**2
        return LinearParameters(variant, eta, 4.0 * (e - 2.0) * eta * H**2, gamma, 1.0 / H), 2.0 * sqrt(fixed * growth)
    raise ValueError(f"variant is {variant!r}: closed forms exist for LINEAR_BARRIER and LINEAR_REDUCED")


# Estimators of an inverse covariance


def resampling_depth(gamma: float, epsilon: float, c: float = 0.5) -> int:
    """Return the least N for which the bias of matrix geometric resampling is at most epsilon."""
    return max(int(np.ceil(log(1.0 / (epsilon * gamma)) / (c * gamma))) - 1, 0)


def direct_draws(gamma: float, n_features: int, delta: float) -> int:
    """Return n so that gamma I plus a mean of n draws is in [1/2, 3/2] of its expectation, but for delta."""
    return int(np.ceil((1.0 + 1.0 / gamma) * log(2.0 * n_features / delta) / chernoff_exponent()))


def chernoff_exponent() -> float:
    """Return 3/2 ln(3/2) - 1/2, the exponent of the matrix Chernoff bound at 3/2, smaller than that at 1/2."""
    return 1.5 * log(1.5) - 0.5


# Lower bounds


def bandit_lower_bound(horizon: int, n_states: int, n_actions: int, episodes: int) -> float:
    """Return the least expected regret on `mdps.adversarial_instances.lower_bound_instance`, in its exact form."""
    H, S, A, K = horizon, n_states, n_actions, episodes
    visits = K / S
    c = (1.0 - 1.0 / A) / (2.0 * sqrt(4.0 * log(4.0 / 3.0) * (1.0 + S / K)))
    gap = c * sqrt(A * S / K)
    return H * S * gap * visits * (1.0 - 1.0 / A - gap * sqrt(4.0 * log(4.0 / 3.0) * (visits + 1.0) / A))


def walk_range(episodes: int) -> float:
    """Return the mean of the absolute value of a simple random walk after K steps."""
    K, half = episodes, (episodes - 1) // 2
    choose = lgamma(K) - lgamma(half + 1) - lgamma(K - half)
    return exp(log(K) + choose - (K - 1) * log(2.0))


def full_information_lower_bound_value(horizon: int, episodes: int) -> float:
    """Return the expected regret of every algorithm on the fair-coin instance of two actions, at least this much."""
    return horizon / 2 * walk_range(episodes)


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
