r"""Mirror descent and follow the regularised leader (FTRL): identities, stability of regularisers, last iterates.

With a regulariser :math:`\Psi` and its Bregman divergence
:math:`D(y, x) = \Psi(y) - \Psi(x) - \langle \nabla\Psi(x), y - x \rangle`, FTRL with rate :math:`\eta` plays
:math:`x_t = \arg\min_{x \in \Delta} \eta \langle x, \sum_{s<t} c_s \rangle + \Psi(x)` on the simplex. Its regret is a
penalty plus the sum of the *stabilities*

.. math:: \mathrm{stab}(x, c) = \sup_{y \in \Delta} \langle x - y, c \rangle - D(y, x)

of the scaled losses :math:`\eta c_t`. For the negative entropy :math:`D` is the relative entropy KL and
:math:`\mathrm{stab}(x, c) = \log \sum_i x_i e^{-(c_i - \langle x, c \rangle)}`. For the logarithmic barrier
:math:`\Psi(x) = - \sum_i \log x_i`, :math:`D(y, x) = \sum_i \psi(y_i / x_i - 1)` is the Itakura-Saito divergence, with
:math:`\psi(w) = w - \log(1 + w)`. :math:`\mathrm{Var}_x(c)` is the variance of the loss of an action drawn from x, and
:math:`\chi^2(y | x) = \sum_i (y_i - x_i)^2 / x_i`.

Which regulariser tolerates losses of any sign and size is decided by one inequality: a bound
:math:`\mathrm{stab} \le \kappa \mathrm{Var}` for all losses is the same as :math:`D \ge \chi^2 / (4 \kappa)`. The
logarithmic barrier has it with :math:`\kappa = 1/4`; the negative entropy and Tsallis' entropy do not have it.
"""

from typing import Any

import sympy as sp

from theory.claim import Bound, Claim, Kind, Level, Origin, Paper, Source
from theory.references import CESA_BIANCHI_2006, DAI_2023, LATTIMORE_2020, TAN_2025
from theory.symbols import regret, x

IN_VECTORS = "a statement about vectors of any length"
IN_SEQUENCES = "a statement about sequences of losses"

A_REAL = sp.Symbol("A", positive=True)
T_REAL = sp.Symbol("T", positive=True)
r, s, v, w, z = sp.symbols("r s v w z", real=True)

HALF = sp.Rational(1, 2)
HEDGE_BOUND = sp.sqrt(T_REAL * sp.log(A_REAL) / 2)
"""Regret of exponential weights on losses in [0, 1] with rate sqrt(8 log(A) / T)."""


def _le(left: Any, right: Any) -> Any:
    return sp.Le(left, right, evaluate=False)


def kappa_slope() -> sp.Expr:
    """Return (z + 2) exp(-z) + z - 2, which is minus z^3 times the derivative of (exp(-z) - 1 + z) / z^2."""
    return (z + 2) * sp.exp(-z) + z - 2


def mixed_losses(*, square: sp.Expr = HALF, scale: sp.Expr = sp.S.One) -> Any:
    """Return exp(-x + y) <= 1 - x + y + exp(v) x^2 / 2 + (exp(v) - 1 - v) (y / v)^2 for x >= 0, y = s v <= v."""
    bonus = s * v
    rhs = 1 - x + bonus + square * sp.exp(v) * x**2 + scale * (sp.exp(v) - 1 - v) * s**2
    return _le(sp.exp(bonus - x), rhs)


def barrier_dual(*, factor: sp.Expr = sp.S.One) -> Any:
    """Return (1 - r) w - psi(r - 1) <= psi(w) for r > 0 and w > -1."""
    return _le((1 - r) * w - (r - 1 - sp.log(r)), factor * (w - sp.log(1 + w)))


def local_norm_above(*, constant: sp.Expr = HALF) -> Any:
    """Return psi(w) <= w^2 / 2 for w >= 0."""
    return _le(w - sp.log(1 + w), constant * w**2)


def local_norm_below(*, constant: sp.Expr = HALF) -> Any:
    """Return psi(-w) <= w^2 / (2 (1 - w)) for 0 <= w < 1."""
    return _le(-w - sp.log(1 - w), constant * w**2 / (1 - w))


def last_iterate_scalar(*, scale: sp.Expr = sp.S.One) -> Any:
    """Return x <= w + exp(x - 1 - w): with m = w exp(1 + w) this is x / (1 + exp(x) / m) <= w."""
    return _le(x, scale * (w + sp.exp(x - 1 - w)))


def _claim(
    name: str, title: str, statement: str, kind: Kind, source: Source, expected: Level = Level.SUPPORTED, **more: Any
) -> Claim:
    if "bound" not in more:
        more.setdefault("no_bound", IN_VECTORS)
    return Claim(f"mirror_descent.{name}", title, statement, kind, source, expected, **more)


def _book(paper: Paper, where: str, note: str = "") -> Source:
    return Source(Origin.FOLKLORE, paper, where, note)


def _ours(paper: Paper, note: str = "") -> Source:
    return Source(Origin.DERIVED, paper, note=note)


IDENTITIES = (
    _claim(
        "three_point",
        "Three-point identity of Bregman divergences",
        r"D(u, x) = D(u, y) + D(y, x) + \langle \nabla\Psi(y) - \nabla\Psi(x),\, u - y \rangle",
        Kind.IDENTITY,
        _book(LATTIMORE_2020, "Chapter 26", "For any generator; the entropy is checked coordinate by coordinate too."),
        Level.PROVED,
        no_bound="an identity between divergences",
    ),
    _claim(
        "ftrl_step",
        "One round of FTRL",
        (
            r"\eta \langle x_t - u, c_t \rangle = D(u, x_t) - D(u, x_{t+1}) + \big[ \eta \langle x_t "
            r"- x_{t+1}, c_t \rangle "
            r"- D(x_{t+1}, x_t) \big] \quad \text{if } \nabla\Psi(x_{t+1}) = \nabla\Psi(x_t) - \eta c_t + \lambda_t 1"
        ),
        Kind.IDENTITY,
        _ours(DAI_2023, "Iterates inside the simplex; x_t, x_{t+1}, u have the same total mass, so lambda_t cancels."),
        Level.PROVED,
        no_bound="an identity between divergences",
        uses=("mirror_descent.three_point",),
    ),
    _claim(
        "ftrl_identity",
        "Regret of FTRL, exactly",
        (
            r"\eta \sum_t \langle x_t - u, c_t \rangle = \Psi(u) - \Psi(x_1) - D(u, x_{T+1}) "
            r"+ \sum_t \big[ \eta \langle x_t - x_{t+1}, c_t \rangle - D(x_{t+1}, x_t) \big]"
        ),
        Kind.IDENTITY,
        _ours(
            DAI_2023, "Checked for the negative entropy, where both sides are combinations of logarithms of integers."
        ),
        Level.CERTIFIED,
        no_bound=IN_SEQUENCES,
        uses=("mirror_descent.ftrl_step",),
    ),
    _claim(
        "omd_equals_ftrl",
        "Mirror descent and FTRL are one algorithm for the entropy and a constant rate",
        r"x_{t+1} \propto x_t e^{-\eta c_t},\ x_1 \text{ uniform} \implies x_{t+1} \propto e^{-\eta "
        r"\sum_{s \le t} c_s}",
        Kind.EQUIVALENCE,
        _book(LATTIMORE_2020, "Chapter 28", "Holds for Legendre regularisers; the iterates stay inside."),
        Level.CERTIFIED,
        no_bound=IN_SEQUENCES,
    ),
    _claim(
        "euclidean_omd_equals_ftrl",
        "Projected gradient descent is lazy FTRL (false)",
        (
            r"x_{t+1} = \Pi_\Delta(x_t - \eta c_t),\ x_1 \text{ uniform} \implies "
            r"x_{t+1} = \Pi_\Delta \big( x_1 - \eta \textstyle\sum_{s \le t} c_s \big)"
        ),
        Kind.COUNTEREXAMPLE,
        _ours(LATTIMORE_2020, "The textbook equivalence needs a gradient that blows up at the boundary."),
        Level.REFUTED,
        no_bound=IN_SEQUENCES,
        erratum=(
            "False once an iterate reaches the boundary: the projection forgets what it cut off, the "
            "sum does not. True as "
            "long as all iterates stay inside."
        ),
    ),
)

ENTROPY = (
    _claim(
        "exponential_weights_range",
        "Stability of exponential weights by the range of the losses",
        r"\log \sum_i x_i e^{-(c_i - \langle x, c \rangle)} \le \tfrac18 (\max c - \min c)^2",
        Kind.INEQUALITY,
        _book(CESA_BIANCHI_2006, "Theorem 2.2", "one step of its proof"),
        uses=("scalar.hoeffding_core",),
    ),
    _claim(
        "exponential_weights_nonnegative",
        "Stability of exponential weights for nonnegative losses",
        r"c \ge 0 \implies \log \sum_i x_i e^{-(c_i - \langle x, c \rangle)} \le \tfrac12 \sum_i x_i c_i^2",
        Kind.INEQUALITY,
        _book(LATTIMORE_2020, "Section 11.4", "step of the analysis of Exp3"),
        uses=("scalar.exp_negative", "scalar.log_upper"),
    ),
    _claim(
        "exponential_weights_bounded_below",
        "Stability of exponential weights for losses of at least -1",
        r"c \ge -1 \implies \log \sum_i x_i e^{-(c_i - \langle x, c \rangle)} \le (e - 2) \sum_i x_i c_i^2",
        Kind.INEQUALITY,
        _book(CESA_BIANCHI_2006, "Appendix A", "the exponential inequality behind it"),
        uses=("scalar.exp_unit", "scalar.log_upper"),
    ),
    _claim(
        "kappa_decreasing",
        "The second-order coefficient of the exponential decreases",
        (
            r"\frac{d}{dz} \frac{e^{-z} - 1 + z}{z^2} = - \frac{(z + 2) e^{-z} + z - 2}{z^3} \le 0, \text{ so that } "
            r"e^{-z} \le 1 - z + \kappa(b) z^2 \text{ for } z \ge -b,\ \kappa(b) = \frac{e^b - 1 - b}{b^2}"
        ),
        Kind.INEQUALITY,
        _ours(DAI_2023, "kappa(1) = e - 2, and kappa(b) = 1 at b = 1.7932."),
        Level.PROVED,
        bound=Bound(sp.Ge(kappa_slope(), 0, evaluate=False)),
    ),
    _claim(
        "exponential_weights_kappa",
        "Stability of exponential weights for losses of at least -b",
        r"c \ge -b \implies \log \sum_i x_i e^{-(c_i - \langle x, c \rangle)} \le \kappa(b) \sum_i x_i c_i^2",
        Kind.INEQUALITY,
        _ours(DAI_2023),
        uses=("mirror_descent.kappa_decreasing", "scalar.log_upper"),
    ),
    _claim(
        "mixed_losses",
        "Exponential of a loss less a bonus",
        (
            r"e^{-x+y} \le 1 - x + y + \tfrac12 e^{v} x^2 + (e^{v} - 1 - v) (y / v)^2 "
            r"\quad (x \ge 0,\ 0 \le y \le v; \text{ with } y = s v)"
        ),
        Kind.INEQUALITY,
        _ours(DAI_2023, "Importance-weighted losses less a dilated bonus of at most v / eta."),
        Level.PROVED,
        bound=Bound(mixed_losses()),
        uses=("scalar.exp_negative",),
    ),
    _claim(
        "hedge_regret",
        "Regret of exponential weights for losses in [0, 1]",
        r"\sum_t \langle x_t, c_t \rangle - \min_i \sum_t c_{t,i} \le \sqrt{T \log(A) / 2} "
        r"\quad \text{with } \eta = \sqrt{8 \log(A) / T}",
        Kind.INEQUALITY,
        _book(CESA_BIANCHI_2006, "Theorem 2.2"),
        bound=Bound(_le(regret, HEDGE_BOUND)),
        uses=("mirror_descent.exponential_weights_range",),
    ),
    _claim(
        "exponential_weights_any_loss",
        "Exponential weights with losses of any sign (false)",
        r"\sum_t \langle x_t - e_j, c_t \rangle \le \tfrac{\log A}{\eta} + (e - 2) \eta \sum_t \sum_i "
        r"x_{t,i} c_{t,i}^2",
        Kind.COUNTEREXAMPLE,
        _ours(DAI_2023),
        Level.REFUTED,
        no_bound=IN_SEQUENCES,
        erratum=(
            "False without eta c >= -1: on cycles of one loss -M and M losses +1 with eta M = 20 the "
            "regret is more than ten "
            "times the bound. True if eta c >= -1."
        ),
    ),
    _claim(
        "entropy_any_loss",
        "A second-order bound of the negative entropy for losses of any sign (false)",
        r"\log \sum_i x_i e^{-(c_i - \langle x, c \rangle)} \le \kappa\, \mathrm{Var}_x(c) \text{ for all } x, c, "
        r"\text{ with some } \kappa \le 10^4",
        Kind.COUNTEREXAMPLE,
        _ours(DAI_2023, "Follows from KL <= log(1 + chi-square): a relative entropy grows too slowly."),
        Level.REFUTED,
        erratum=(
            "No constant works: with x = (p, 1 - p) and c = (-M, 0) the best M gives ratios 5.39, 271, 18096 at "
            "p = 1e-2, 1e-4, 1e-6. True with a constant that depends on the smallest mass."
        ),
        uses=("mirror_descent.variance_conjugate", "divergences.chi_square"),
    ),
    _claim(
        "tsallis_any_loss",
        "A second-order bound of Tsallis' entropy for losses of any sign (false)",
        r"\langle x - y, c \rangle - \sum_i \frac{(\sqrt{y_i} - \sqrt{x_i})^2}{\sqrt{x_i}} \le "
        r"\kappa\, \mathrm{Var}_x(c) "
        r"\text{ for all } x, y, c, \text{ with some } \kappa \le 100",
        Kind.COUNTEREXAMPLE,
        _ours(DAI_2023, "Divergence of -2 sum_i sqrt(x_i)."),
        Level.REFUTED,
        erratum=(
            "No constant works: the ratio is at least 1 / (4 sqrt(p)) at x = (p, 1 - p). True with a "
            "constant that depends "
            "on the smallest mass."
        ),
        uses=("mirror_descent.variance_conjugate",),
    ),
)

BARRIER = (
    _claim(
        "coupling",
        "The coupling of gains and losses",
        (
            r"p_{ij} = x_i x_j (\delta_i + e_j) / m \implies \sum_{i \in P, j \in N} p_{ij} = \sum_P x_i + \sum_N x_j "
            r"\text{ and } \sum p_{ij} \delta_i e_j = \sum_P x_i \delta_i^2 + \sum_N x_j e_j^2 "
            r"\quad \text{if } m = \sum_P x_i \delta_i = \sum_N x_j e_j \quad (|P|, |N| \le 2)"
        ),
        Kind.IDENTITY,
        _ours(DAI_2023, "delta = y / x - 1 on P = {y >= x}, e = 1 - y / x on N. Both sums factorise for any sizes."),
        Level.PROVED,
        no_bound="an identity between sums",
    ),
    _claim(
        "itakura_saito",
        "The divergence of the logarithmic barrier dominates chi-square",
        r"\sum_i \big( y_i / x_i - 1 - \log(y_i / x_i) \big) \ge \chi^2(y | x) \quad (x, y \in \mathrm{ri}\, \Delta)",
        Kind.INEQUALITY,
        _ours(DAI_2023, "Equality for two actions with y = (x_2, x_1)."),
        uses=("mirror_descent.coupling", "scalar.barrier_young"),
    ),
    _claim(
        "variance_conjugate",
        "The conjugate of the variance is chi-square",
        (
            r"\langle x - y, g \rangle - \kappa \mathrm{Var}_x(g) = \tfrac{1}{4 \kappa} \chi^2(y | x) "
            r"- \kappa \mathrm{Var}_x \big( g + \tfrac{1}{2\kappa} (y / x - 1) \big), \text{ so that } "
            r"\sup_g \langle x - y, g \rangle - \kappa \mathrm{Var}_x(g) = \tfrac{1}{4\kappa} \chi^2(y | x)"
        ),
        Kind.IDENTITY,
        _ours(DAI_2023, "Written in the moments of g and y / x - 1 under x, hence for any number of actions."),
        Level.PROVED,
        no_bound="an identity between moments",
    ),
    _claim(
        "barrier_duality",
        "Stability of the logarithmic barrier by duality, one coordinate",
        (
            r"(x - y)(c + \lambda) - \psi(y / x - 1) \le \psi(x (c + \lambda)), \text{ with equality at } "
            r"y = \frac{x}{1 + x (c + \lambda)} \quad (x, y > 0,\ x (c + \lambda) > -1;\ r = y / x,\ "
            r"w = x (c + \lambda))"
        ),
        Kind.INEQUALITY,
        _ours(DAI_2023, "Summed over coordinates: stab(x, c) = min over lambda of sum_i psi(x_i (c_i + lambda))."),
        Level.PROVED,
        bound=Bound(barrier_dual()),
        uses=("scalar.log_tangent",),
    ),
    _claim(
        "barrier_stability",
        "The logarithmic barrier is stable for losses of any sign and size",
        r"\mathrm{stab}(x, c) = \min_\lambda \sum_i \psi(x_i (c_i + \lambda)) \le \tfrac14 \mathrm{Var}_x(c)",
        Kind.INEQUALITY,
        _ours(DAI_2023, "One quarter is optimal: equality at x = (p, 1 - p), c = -2 (y / x - 1), y = (1 - p, p)."),
        uses=("mirror_descent.itakura_saito", "mirror_descent.variance_conjugate", "mirror_descent.barrier_duality"),
    ),
    _claim(
        "barrier_regret",
        "Regret of FTRL with the logarithmic barrier, losses of any sign and size",
        (
            r"\sum_t \langle x_t - e_j, c_t \rangle \le \frac{(A - 1) \log(1/\alpha) - \log(A (1 - "
            r"\alpha) + \alpha)}{\eta} "
            r"+ \frac{\eta}{4} \sum_t \mathrm{Var}_{x_t}(c_t) + \alpha \sum_t \big\langle \tfrac1A 1 "
            r"- e_j, c_t \big\rangle "
            r"\quad (0 < \alpha < 1)"
        ),
        Kind.INEQUALITY,
        _ours(DAI_2023, "Comparator smoothed by alpha, for a vertex has an infinite penalty."),
        no_bound=IN_SEQUENCES,
        uses=("mirror_descent.barrier_stability", "mirror_descent.ftrl_identity"),
    ),
    _claim(
        "local_norm_scalar",
        "Local norm of the logarithmic barrier, one coordinate",
        r"\psi(w) \le \tfrac12 w^2 \ (w \ge 0), \qquad \psi(-w) \le \frac{w^2}{2 (1 - w)} \ (0 \le w < 1)",
        Kind.INEQUALITY,
        _ours(DAI_2023),
        Level.PROVED,
        bound=Bound(local_norm_below()),
    ),
    _claim(
        "local_norm",
        "Local-norm stability of the logarithmic barrier",
        r"x_i c_i \ge -\tfrac12 \text{ for all } i \implies \mathrm{stab}(x, c) \le \sum_i x_i^2 c_i^2",
        Kind.INEQUALITY,
        _ours(DAI_2023, "No such bound holds without a lower bound on x c."),
        uses=("mirror_descent.barrier_duality", "scalar.log_square"),
    ),
)

LAST_ITERATES = (
    _claim(
        "softmax_lipschitz",
        "The softmax is 1-Lipschitz from the supremum to the total-variation norm",
        r"\| \mathrm{softmax}(f) - \mathrm{softmax}(g) \|_1 \le \| f - g \|_\infty",
        Kind.INEQUALITY,
        _ours(TAN_2025),
        uses=("scalar.absolute_deviation",),
    ),
    _claim(
        "softmax_derivative",
        "The softmax follows its scores (three actions)",
        r"\frac{d}{d\tau} \langle f, \mathrm{softmax}(\tau f) \rangle = "
        r"\mathrm{Var}_{\mathrm{softmax}(\tau f)}(f) \ge 0",
        Kind.IDENTITY,
        _ours(TAN_2025, "So the tracking gap does not increase along mirror ascent with a fixed critic."),
        Level.PROVED,
        no_bound="an identity between functions of three scores",
    ),
    _claim(
        "last_iterate_scalar",
        "The largest gap that a softmax can leave, scalar form",
        (
            r"\frac{x}{1 + e^x / m} \le W(m / e) \quad (x > 0), \text{ with } m = w e^{1 + w},\ w = W(m/e): \quad "
            r"x \le w + e^{x - 1 - w}, \text{ with equality at } x = 1 + w"
        ),
        Kind.INEQUALITY,
        _ours(TAN_2025),
        Level.PROVED,
        bound=Bound(last_iterate_scalar()),
    ),
    _claim(
        "last_iterate",
        "Tracking gap of a softmax, sharp constant",
        r"\max f - \langle f, \mathrm{softmax}(y f) \rangle \le \frac{W((A - 1) / e)}{y} \quad (y > 0)",
        Kind.INEQUALITY,
        _ours(TAN_2025, "Equality with one best action and all other gaps equal to (1 + W) / y; W((A-1)/e) <= log A."),
        uses=("mirror_descent.last_iterate_scalar", "scalar.lambert_over_e"),
    ),
    _claim(
        "tracking_sum",
        "Tracking gaps of mirror ascent with a fixed critic, in one state",
        r"\sum_{j=1}^n \big( \max f - \langle f, \mathrm{softmax}(\eta j f) \rangle \big) \le \frac{\log A}{\eta}",
        Kind.INEQUALITY,
        _ours(TAN_2025),
        no_bound=IN_SEQUENCES,
        uses=("mirror_descent.softmax_derivative",),
    ),
    _claim(
        "tracking_moving",
        "Tracking gaps under any sequence of state distributions",
        r"\sum_{j=1}^n \mathbb E_{\nu_j} \big[ \max f - \langle f, \mathrm{softmax}(\eta j f) \rangle \big] "
        r"\le \frac{W((A - 1) / e)}{\eta} (1 + \log n)",
        Kind.INEQUALITY,
        _ours(TAN_2025, "The gaps may be those of another state in every round."),
        no_bound=IN_SEQUENCES,
        uses=("mirror_descent.last_iterate", "counting.harmonic_sum"),
    ),
    _claim(
        "tracking_on_policy",
        "Tracking gaps under the actor's own occupancy at the price of one state (false)",
        r"\sum_{j=1}^n \mathbb E_{s \sim d^{\pi_j}} \big[ \max f(s, \cdot) - \langle f(s, \cdot), \pi_j \rangle \big] "
        r"\le \frac{\log A}{\eta}, \quad \pi_j = \mathrm{softmax}(\eta j f)",
        Kind.COUNTEREXAMPLE,
        _ours(TAN_2025, "The sum over one state does not transfer to a distribution that moves with the actor."),
        Level.REFUTED,
        no_bound=IN_SEQUENCES,
        erratum=(
            "False already for two actions and two stages: 0.8607 > log 2 after 200 rounds at eta = "
            "1. True for a state "
            "distribution that does not move, and with (1 + log n) W((A-1)/e) / eta for one that does."
        ),
        uses=("mirror_descent.tracking_moving",),
    ),
)

CLAIMS = (*IDENTITIES, *ENTROPY, *BARRIER, *LAST_ITERATES)
