r"""Radii, thresholds and bounds of demonstration-regularised learning, with explicit constants.

Stages are numbered from one, rewards are known, deterministic and in [0, 1], and only transitions are unknown. All of
what follows is derived, with the constants tracked by us, except for the expressions that are named RECALLED.

**Cloning.** N demonstrations give the counts :math:`N_h(s)`, and Laplace's rule
:math:`\pi^{BC}_h(a|s) = (N_h(s,a) + 1) / (N_h(s) + A)`.

**Identification.** After n visits the true law of the next state is within x of the empirical one in
:math:`\mathrm{KL}(\hat p \| p)`, at all times and pairs at once, with probability :math:`1 - \delta / 2`:

.. math:: x(n) = \frac{1}{n} \Big[ \log\frac{2SAH}{\delta} + \log\binom{n+S-1}{S-1} \Big] .

**Preferences.** The learner of the rewards has a class of them and N_RM labelled comparisons; :math:`\zeta = 2 + e^H +
e^{-H}` is the inverse of the least slope of the logistic function on [-H, H].
"""

import math
from collections.abc import Callable, Mapping
from functools import cache

import sympy as sp

from theory.claim import TheoryError
from theory.symbols import A, H, N, S, T, d, delta, epsilon, i, lam, n

kbar = sp.Symbol("kbar", positive=True)
"""Upper bound on the trajectory divergence of the expert from its clone."""

bonus = sp.Symbol("bonus", positive=True)
"""Multiplier B of the elliptic bonus."""

floor = sp.Symbol("floor", positive=True)
"""Least probability of an action under the policies of a class."""

kappa = sp.Symbol("kappa", nonnegative=True)
"""Weight of the uniform law in the greedy expert that a class contains."""

penalty = sp.Symbol("penalty", nonnegative=True)
"""Largest value of the regulariser of a class, at one stage."""

log_class = sp.Symbol("log_class", nonnegative=True)
"""Logarithm of the size of a finite class: of the policies of one stage, or of all rewards."""

log_cover = sp.Symbol("log_cover", nonnegative=True)
"""Logarithm of a covering number."""

comparisons = sp.Symbol("N_RM", integer=True, positive=True)
"""Number of labelled comparisons."""

expert_gap = sp.Symbol("expert_gap", nonnegative=True)
"""Sub-optimality of the expert."""

concentrability = sp.Symbol("concentrability", nonnegative=True)
"""Largest ratio of the mean of a reward error under the expert to its root mean square over comparisons."""

reward_deviation = sp.Symbol("reward_deviation", nonnegative=True)
"""Root mean square, over comparisons, of the error of a difference of returns."""

_HALF = sp.Rational(1, 2)


def _log_binomial(count: sp.Expr, size: sp.Expr) -> sp.Expr:
    """Return the logarithm of the number of compositions of ``count`` into ``size`` parts."""
    return sp.Sum(sp.log(1 + count / i), (i, 1, size - 1))


# Cloning

CLONING_EXPECTATION = S * H * (A - 1) / (N + 1)
"""Mean trajectory divergence of the expert from Laplace's clone."""

CLONING_MARKOV = CLONING_EXPECTATION / delta
"""The same with probability 1 - delta, by Markov's inequality."""

CLONING_CAP = H * sp.log(N + A)
"""What no trajectory divergence from Laplace's clone exceeds."""

_CLONING_UNION = sp.log(2 * S * H / delta)
_CLONING_FACTOR = sp.E / (sp.E - 1) / N


def _cloning_term(count: sp.Expr) -> sp.Expr:
    radius = _CLONING_UNION + _log_binomial(count, A)
    return radius * sp.Max(1, sp.log(radius)) + A + _CLONING_UNION * sp.log(count + A)


CLONING_UNSEEN = _CLONING_FACTOR * _CLONING_UNION * sp.log(A)
"""Part of a state without a visit in the bound with high probability."""

CLONING_STATE = _CLONING_FACTOR * _cloning_term(n)
"""Part of a state with n visits in the bound with high probability."""

CLONING_HIGH_PROBABILITY = S * H * _CLONING_FACTOR * _cloning_term(N)
"""Its worst case over the counts."""

CLONING_RECALLED_FINITE = 6 * S * A * H * sp.log(2 * sp.E**4 * N) * sp.log(12 * H * N**2 / delta) / N + 18 * A * H / N
"""RECALLED: the corollary of the paper for finite models, N >= A."""

CLONING_FINITE_CLASS = (2 + sp.log(1 / floor)) * H * (2 * (log_class + sp.log(H / delta)) + penalty) / N
"""Divergence of an expert in a finite class from its penalised maximum-likelihood estimate."""

CLONING_COVERING = (
    (2 + sp.log(1 / floor))
    * H
    * ((4 * (log_cover + sp.log(H / delta)) + 2 * penalty + 6) / N + 2 * sp.log(1 / (1 - kappa)))
)
"""The same for a class that is covered at 1 / (A N) and contains the kappa-greedy expert."""

# Identification

LOG_CONFIDENCE = sp.log(2 * S * A * H / delta)
"""L."""

RADIUS = (LOG_CONFIDENCE + _log_binomial(n, S)) / n
"""x, after n visits."""

BETA = LOG_CONFIDENCE + _log_binomial(T, S)
"""T x(T), the radius in the bounds on the number T of episodes."""

C_H = (H + 1) * (6 * H + 5) / (6 * H)
"""Constant of the second-order term in the propagation of the gap."""

GAP_WIDTH = sp.Max(
    9 * (H - 1) ** 3 / (8 * lam),
    C_H * sp.Min(H * (H - 1) / 2, (H - 1) * H * (2 * H - 1) / (48 * lam)),
)
"""Factor of the mean radius under the exploring policies in the bound on the certificate, less e^2 H."""

SAMPLE_COMPLEXITY = 16 * sp.exp(2) * S * A * H * (H - 1) * BETA * sp.log(1 + T) / epsilon * GAP_WIDTH
"""What the number T of episodes of the regularised identification does not exceed; H >= 2."""

NO_EXPLORATION = (H - 1) * H * (2 * H - 1) / (48 * epsilon)
"""Regularisation from which no episode is needed."""

UNREGULARISED_SAMPLE_COMPLEXITY = 512 * (H - 1) ** 4 * S * A * BETA / epsilon**2
"""What the number T of episodes of the unregularised identification does not exceed."""

# Demonstrations

DEMONSTRATION_ACCURACY = epsilon / 4
"""Accuracy that is asked of the regularised identification."""

DEMONSTRATION_REGULARISATION = epsilon / (4 * kbar)
"""Regularisation towards the clone."""

DEMONSTRATION_SAMPLE_COMPLEXITY = SAMPLE_COMPLEXITY.subs(
    {epsilon: DEMONSTRATION_ACCURACY, lam: DEMONSTRATION_REGULARISATION, delta: delta / 2}, simultaneous=True
)
"""What the number T of episodes does not exceed when half of delta is left to the cloning."""

# Linear models, T episodes

LINEAR_GAP = 4 * bonus**2 * H * (H - 1) ** 2 / (lam * T) * (2 * d * sp.log(1 + T / d) + sp.log(2 / delta))
"""Regularised gap of the mixture of the T policies, with ridge 1."""

# Preferences

ZETA = 2 + sp.exp(H) + sp.exp(-H)
"""Inverse of the least slope of the logistic function on [-H, H]."""

REWARD_ERROR = 8 * ZETA * (log_class + sp.log(1 / delta)) / comparisons
"""Mean squared error of a difference of returns under the estimate from a finite class."""

REWARD_ERROR_COVER = 16 * ZETA * (log_cover + sp.log(1 / delta) + 1) / comparisons + 8 / comparisons**2
"""The same for a class that is covered at 1 / N_RM, inside itself, in the return of every trajectory."""

PREFERENCE_REGULARISATION = sp.Rational(4, 3) * H
"""Regularisation from which the guarantee with learned rewards holds."""

_ERROR_OF_LEARNER = reward_deviation**2 / (2 * lam)

PREFERENCE_GAP = expert_gap + epsilon + lam * kbar + concentrability * reward_deviation + _ERROR_OF_LEARNER
"""Gap, in the true rewards, of an epsilon-optimal regularised policy for learned rewards."""

PREFERENCE_GAP_FREE = (
    expert_gap + epsilon + (lam + 2 * H / sp.Integer(3)) * kbar + reward_deviation * sp.sqrt(kbar) + _ERROR_OF_LEARNER
)
"""The same without concentrability."""

# Fixed points


@cache
def _compiled(expression: sp.Expr, names: tuple[str, ...]) -> Callable[..., float]:
    symbols = {symbol.name: symbol for symbol in expression.free_symbols}
    missing = sorted(set(symbols) - set(names))
    if missing:
        raise TheoryError(f"no value for {missing[0]} in {expression}")
    ordered = [symbols.get(name, sp.Symbol(f"unused_{name}")) for name in names]
    function: Callable[..., float] = sp.lambdify(ordered, expression, modules=["math"])
    return function


def evaluate(expression: sp.Expr, values: Mapping[str, float]) -> float:
    """Return an expression at values given by the names of its symbols; others are ignored.

    Raises
    ------
    TheoryError
        Naming the first missing symbol.
    """
    names = tuple(sorted(values))
    return float(_compiled(expression, names)(*(values[name] for name in names)))


START = 1024.0
"""Least number of episodes at which the search for a fixed point starts."""


def largest_fixed_point(right_side: sp.Expr, values: Mapping[str, float], tolerance: float = 1e-12) -> float:
    """Return the largest T with T <= right_side(T), for a right side of which right_side(T) / T falls from 1024 on.

    Parameters
    ----------
    right_side
        An expression in ``theory.symbols.T``, such as `SAMPLE_COMPLEXITY`.
    values
        Values of its other symbols by name.
    tolerance
        Relative change at which the iteration, which comes from above, stops.
    """
    top = START
    while evaluate(right_side, {**values, "T": top}) > top:
        top *= 2.0
    while True:
        following = evaluate(right_side, {**values, "T": top})
        if top - following <= tolerance * top:
            return following
        top = following


def linear_bonus(
    n_factors: int, horizon: int, episodes: int, delta: float, ridge: float = 1.0, iterations: int = 50
) -> float:
    r"""Return the multiplier B of the bonus :math:`B \|\phi\|_{\Lambda^{-1}}`: the smallest fixed point.

    .. math::

        B = H \sqrt{\alpha d} + H \Big\{ \tfrac12 \Big[ \tfrac d2 \log\big(1 + \tfrac T{\alpha d}\big) + \log N_e
            + \log\tfrac{4H}\delta \Big] \Big\}^{1/2} + 2 e \sqrt T, \qquad e = H / \sqrt T, \\
        \log N_e = d \log\Big(1 + \tfrac{4 H \sqrt{d T / \alpha}}{e}\Big)
            + d^2 \log\Big(1 + \tfrac{8 \sqrt d B^2}{\alpha e^2}\Big) ,

    with ridge :math:`\alpha`; the right side grows with B, and the iteration starts below, at B = 1.
    """
    d, H, T, width = n_factors, horizon, episodes, horizon / math.sqrt(episodes)
    fixed = d * math.log(1 + 4 * H * math.sqrt(d * T / ridge) / width) + math.log(4 * H / delta)
    growth = d / 2 * math.log(1 + T / (ridge * d))
    multiplier = 1.0
    for _ in range(iterations):
        cover = d * d * math.log(1 + 8 * math.sqrt(d) * multiplier**2 / (ridge * width**2))
        multiplier = H * math.sqrt(ridge * d) + H * math.sqrt((growth + fixed + cover) / 2) + 2 * width * math.sqrt(T)
    return multiplier
