r"""Parameters of the algorithms for adversarial MDPs, and the bounds that they give, with explicit constants.

H stages, :math:`H_h = H - h + 1`, S states a stage, X states in all, A actions, K episodes, d features. None of the
constants is quoted from a paper: they are explicit versions of published orders.

**Policy optimisation with bonuses.** With implicit exploration :math:`\gamma` and dilation :math:`\omega` the bonuses
are at most

.. math:: B_{\max} = \frac 1\gamma \sum_{j=1}^H (1 + \omega)^{j-1} (\kappa_Q \eta H_j^2 + \gamma H_j), \qquad
          \bar y = \eta B_{\max}, \qquad \text{and} \quad \kappa_B \bar y \le \omega

is what lets them pay for their own variance. The pairs of constants are

=================== ============================ =========================================== ====================
variant             :math:`\kappa_Q`             :math:`\kappa_B`                            needs
=================== ============================ =========================================== ====================
``ENTROPY_SQUARE``  e - 2                        e - 2                                       :math:`\bar y \le 1`
``ENTROPY_MIXED``   :math:`e^{\bar y} / 2`       :math:`(e^{\bar y} - 1 - \bar y)/\bar y^2`
``BARRIER``         1/4                          1/4
``BARRIER_LOCAL``   1/2                          :math:`1 / (2 (1 - \bar y))`                :math:`\bar y < 1`
=================== ============================ =========================================== ====================

(the last one has a bonus whose first part is multiplied by :math:`\pi(a|s)`).

**Linear action values.** :math:`B_{\max} = (2\beta/\gamma) \sum_{j=1}^H (1 + \omega)^{j-1}`; with the constants c and
c' of the variant, :math:`\beta > c\, \eta H^2`, :math:`c'\, \eta B_{\max} \le \omega` and, for exponential weights,
:math:`\eta (\hat Q - B) \ge -1`.
"""

from typing import Any

import sympy as sp

from theory.lemmas.concentration import SAMPLES, ridge
from theory.symbols import A, H, K, S, X, alpha, beta, d, delta, eta, gamma, i, omega

ENTROPY_SQUARE, ENTROPY_MIXED, BARRIER, BARRIER_LOCAL = "entropy_square", "entropy_mixed", "barrier", "barrier_local"
"""Variants of policy optimisation (see the module)."""

LINEAR_BARRIER, LINEAR_REDUCED, LINEAR_PLAIN = "linear_barrier", "linear_reduced", "linear_plain"
"""Log-barrier; entropy with magnitude-reduced estimates; entropy with plain estimates."""

LINEAR_DRAWN = "linear_drawn"
"""Log-barrier, covariances averaged over draws."""

HALF, QUARTER = sp.Rational(1, 2), sp.Rational(1, 4)
EXP_TWO = sp.E - 2
"""Second-order coefficient of exponential weights for losses of at least -1 / eta."""

LEFT = H - i + 1
"""Stages left at stage i."""

YBAR = sp.Symbol("ybar", nonnegative=True)
"""Eta times the largest bonus."""

KAPPA = sp.Symbol("kappa", positive=True)
"""Second-order coefficient kappa_Q of the estimates."""

KAPPA_SERIES = (sp.exp(YBAR) - 1 - YBAR) / YBAR**2
"""Second-order coefficient of exponential weights for losses of at least -ybar / eta; 1/2 at zero."""

BONUS_CONSTANTS: dict[str, tuple[sp.Expr, sp.Expr]] = {
    ENTROPY_SQUARE: (EXP_TWO, EXP_TWO),
    ENTROPY_MIXED: (sp.exp(YBAR) / 2, KAPPA_SERIES),
    BARRIER: (QUARTER, QUARTER),
    BARRIER_LOCAL: (HALF, 1 / (2 * (1 - YBAR))),
}
"""Variant -> kappa_Q and kappa_B."""

LINEAR_CONSTANTS: dict[str, tuple[sp.Expr, sp.Expr]] = {
    LINEAR_BARRIER: (HALF, HALF),
    LINEAR_DRAWN: (sp.S.One, HALF),
    LINEAR_REDUCED: (2 * EXP_TWO, 2 * EXP_TWO),
    LINEAR_PLAIN: (2 * EXP_TWO, 2 * EXP_TWO),
}
"""Variant -> c, c'."""

LINEAR_FLOORS: dict[str, sp.Expr] = {LINEAR_REDUCED: eta * H / (2 * sp.sqrt(gamma)), LINEAR_PLAIN: eta * H / gamma}
"""Variant of exponential weights -> eta times the largest -Qhat."""


# Full information and bandits


def barrier_penalty(smoothing: Any, actions: Any = A) -> sp.Expr:
    """Return the penalty of a vertex mixed with the uniform law: sum_i log(1 / (A u_i))."""
    return (actions - 1) * sp.log(1 / smoothing) - sp.log(actions * (1 - smoothing) + smoothing)


HEDGE_RATE = sp.sqrt(8 * sp.log(A) / K) / LEFT
"""Rate of Hedge at stage i."""

HEDGE_SINGLE_RATE = sp.sqrt(48 * sp.log(A) / (K * (H + 1) * (2 * H + 1)))
SOFT_RATE = sp.sqrt(8 * sp.log(A) / (K * H))
OREPS_RATE = sp.sqrt(8 * sp.log(X * A / H) / K)
OREPS_UNIFORM_RATE = 2 * sp.sqrt((H + 1) * sp.log(A) / K)
OREPS_BANDIT_RATE = sp.sqrt(2 * H * sp.log(X * A / H) / (X * A * K))

HEDGE = H * (H + 1) / 2 * sp.sqrt(K * sp.log(A) / 2)
HEDGE_SINGLE = H * sp.sqrt((H + 1) * (2 * H + 1) * K * sp.log(A) / 12)
SOFT = H ** sp.Rational(3, 2) * sp.sqrt(K * sp.log(A) / 2)
OREPS = H * sp.sqrt(K * sp.log(X * A / H) / 2)
OREPS_UNIFORM = H / 2 * sp.sqrt((H + 1) * K * sp.log(A))
OREPS_BANDIT = sp.sqrt(2 * H * X * A * K * sp.log(X * A / H))


# Policy optimisation with bonuses


def stage_cost(constant: Any, local: bool = False) -> sp.Expr:
    """Return the cost of the bonuses of stage i in one episode, (1 + omega)^i (c eta H_i^2 + gamma H_i) A S.

    ``local``: the first part is multiplied by the policy, and loses the factor A.
    """
    actions = 1 if local else A
    return (1 + omega) ** i * (constant * eta * LEFT**2 * actions + gamma * LEFT * A) * S


def dilated_pairs(constant: Any, local: bool = False) -> sp.Expr:
    """Return the cost of the bonuses of all stages in one episode."""
    return sp.Sum(stage_cost(constant, local), (i, 1, H))


def largest_bonus(constant: Any) -> sp.Expr:
    """Return the largest dilated bonus of policy optimisation."""
    return sp.Sum((1 + omega) ** (i - 1) * (constant * eta * LEFT**2 + gamma * LEFT), (i, 1, H)) / gamma


LARGEST_BONUS = largest_bonus(KAPPA)
ENTROPY_PENALTY = H * sp.log(A) / eta
BARRIER_PENALTY = H * barrier_penalty(alpha) / eta


def smoothing_cost(constant: Any) -> sp.Expr:
    """Return what mixing the comparator with the uniform policy, weight alpha, costs in K episodes."""
    return alpha * K * (H * (H + 1) / 2 + H * largest_bonus(constant))


ENTROPY_PO = ENTROPY_PENALTY + K * dilated_pairs(EXP_TWO)
"""Policy optimisation with exponential weights."""

ENTROPY_PO_MIXED = ENTROPY_PENALTY + K * dilated_pairs(KAPPA)
"""Policy optimisation with exponential weights, estimates and bonuses treated apart."""

BARRIER_PO = BARRIER_PENALTY + smoothing_cost(QUARTER) + K * dilated_pairs(QUARTER)
BARRIER_PO_LOCAL = BARRIER_PENALTY + smoothing_cost(HALF) + K * dilated_pairs(HALF, local=True)

DILATION = sp.Sum((1 + 1 / H) ** i * (EXP_TWO * LEFT**2 + H * LEFT), (i, 1, H)) / H**3
"""C(H): 3.4366 at H = 1, decreasing."""

ENTROPY_CLOSED_RATE = sp.sqrt(sp.log(A) / (H**2 * S * A * K * DILATION))
"""Eta of the closed form; gamma = eta H, omega = 1/H."""

ENTROPY_CLOSED = 2 * sp.sqrt(DILATION) * H**2 * sp.sqrt(S * A * K * sp.log(A))

BARRIER_BANDIT_RATE = sp.sqrt(2 * (A - 1) * sp.log(K) / K)
BARRIER_BANDIT = (A - 1) * sp.log(K) / eta + sp.Min(eta * A * K / 4, eta * K / (2 * (1 - eta))) + 2
"""For eta < 1."""

# Linear action values

DILATED_SUM = sp.Sum((1 + omega) ** i, (i, 1, H))
LARGEST_LINEAR_BONUS = 2 * beta / gamma * sp.Sum((1 + omega) ** (i - 1), (i, 1, H))


def linear_cost(constant: Any, bias: int = 1, traces: int = 1) -> sp.Expr:
    """Return bias and bonuses: beta pays for c eta H^2 of stability, the rest for the bias.

    ``bias`` and ``traces`` multiply the square of the bias and the mean of the bonuses.
    """
    spare = beta - constant * eta * H**2
    paid = 2 * traces * beta * d * K * DILATED_SUM
    return bias * gamma * d * H**3 * K * (1 / (4 * spare) + 1 / (4 * beta)) + paid


def _barrier_fixed(distance: int) -> sp.Expr:
    """Return penalty and smoothing, alpha = 1/K, if estimates are off by at most ``distance`` sqrt(d) H on average."""
    return H * (A - 1) * sp.log(K) / eta + H * (H * (1 + 2 * distance * sp.sqrt(d)) + LARGEST_LINEAR_BONUS)


BARRIER_LINEAR = _barrier_fixed(1) + linear_cost(HALF)
REDUCED_LINEAR = ENTROPY_PENALTY + linear_cost(2 * EXP_TWO)

DRAWN_LINEAR = _barrier_fixed(2) + linear_cost(1, bias=4, traces=2) + delta * H * K
"""Log-barrier with covariances that are averaged over draws, and fail with probability delta in all."""

DRAWS = SAMPLES.subs({ridge: gamma, delta: delta / (H * K)})
"""Draws of one covariance."""

BARRIER_LINEAR_FIXED = H * (A - 1) * sp.log(K) + 2
BARRIER_LINEAR_GROWTH = (sp.E - 1) * d * K * (sp.Rational(3, 4) * H**5 + 2 * H**2 * (H + 1))
BARRIER_LINEAR_CLOSED = 2 * sp.sqrt(BARRIER_LINEAR_FIXED * BARRIER_LINEAR_GROWTH) + H**2 * (1 + 2 * sp.sqrt(d))
"""At omega = 1/H, beta = eta H^2, gamma = (e - 1) H^4 eta^2, eta^2 = FIXED / GROWTH."""

REDUCED_LINEAR_FIXED = H * sp.log(A)
REDUCED_LINEAR_GROWTH = (sp.E - 1) * EXP_TWO * d * K * (3 * H**5 + 8 * H**2 * (H + 1))
REDUCED_LINEAR_CLOSED = 2 * sp.sqrt(REDUCED_LINEAR_FIXED * REDUCED_LINEAR_GROWTH)
"""At omega = 1/H, beta = 4 (e - 2) eta H^2, gamma = 16 (e - 2)^2 (e - 1) H^4 eta^2, eta^2 = FIXED / GROWTH."""

CLOSED_OMEGA = 1 / H
ENTROPY_CLOSED_GAMMA = eta * H
BARRIER_LINEAR_RATE = sp.sqrt(BARRIER_LINEAR_FIXED / BARRIER_LINEAR_GROWTH)
BARRIER_LINEAR_BETA, BARRIER_LINEAR_GAMMA = eta * H**2, (sp.E - 1) * H**4 * eta**2
BARRIER_LINEAR_ALPHA = 1 / K
"""Smoothing of the comparator."""

REDUCED_LINEAR_RATE = sp.sqrt(REDUCED_LINEAR_FIXED / REDUCED_LINEAR_GROWTH)
REDUCED_LINEAR_BETA = 4 * EXP_TWO * eta * H**2
REDUCED_LINEAR_GAMMA = 16 * EXP_TWO**2 * (sp.E - 1) * H**4 * eta**2

# Lower bounds

PINSKER = 4 * sp.log(sp.Rational(4, 3))
"""Relative entropy of coins of means 1/2 and 1/2 - eps in units of eps^2, eps <= 1/4."""

LOWER_GAP = (1 - 1 / A) / (2 * sp.sqrt(PINSKER * (1 + S / K))) * sp.sqrt(A * S / K)
"""By how much the hidden action is better, at most 1/4."""

LOWER_BANDIT_EXACT = H * LOWER_GAP * K * (1 - 1 / A - LOWER_GAP * sp.sqrt(PINSKER * (K / S + 1) / A))
LOWER_BANDIT = sp.Rational(233, 1000) * (1 - 1 / A) ** 2 * H * sp.sqrt(S * A * K) / sp.sqrt(1 + S / K)

_HALF_WAY = sp.ceiling(K / 2)
WALK = 2 * _HALF_WAY * sp.exp(sp.Sum(sp.log(1 - 1 / (2 * i)), (i, 1, _HALF_WAY)))
"""Mean absolute value of a simple random walk after K steps, as a product that does not overflow."""

TRIVIAL = K * H
"""Regret that no policy can exceed with losses in [0, 1]."""
