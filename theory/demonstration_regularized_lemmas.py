r"""The steps of demonstration-regularised learning that are statements about numbers and about laws of any size.

Three families. *Smoothing*: how far Laplace's estimate :math:`(N(a) + 1) / (n + A)` of a law p from n samples is from
p, in expectation and through the empirical law. With the divergence of two masses

.. math:: D(a, b) = a \log \tfrac ab - a + b \ge 0

everything is a sum over actions, and the scalar core is the inequality
:math:`D(\mu, k + 1) \le D(k, \mu) \max(1, \log D(k, \mu)) + 1` between a count k and its expectation
:math:`\mu = n p`. *Changes of measure*: what a bound on :math:`\mathrm{KL}(p | q)` says about means. The library
searches these (`theory.lemmas.divergences`); here they are proved for all laws, by Gibbs' principle
:math:`p t \le \mathrm{KL}(p | q) + \log q e^t` and one scalar inequality each. *Counts*: visits against expected
visits, and the pigeonhole sums of fractional visits with their best constants, which the library only searches
(`theory.lemmas.elliptical_potential`). Besides, the quadratic gap of softmax policies that the fast rate rests on.

Functions return SymPy relations; keyword arguments are their constants.
"""

from collections.abc import Callable
from typing import Any

import sympy as sp

from theory.claim import Bound, Claim, Kind, Level, Origin, Source
from theory.lemmas import scalar
from theory.lemmas.elliptical_potential import INVERSE_LOG_TWO
from theory.references import TIAPKIN_2024
from theory.symbols import A, T, alpha, d, lam, n

Relation = Any
ONE, FOUR_THIRDS = sp.Integer(1), sp.Rational(4, 3)

k, mu = sp.symbols("k mu", positive=True)
"""A count and its expectation."""
ell, z = sp.symbols("l z", positive=True)
"""Logarithm of a ratio, and k / (k + 1)."""
p = sp.Symbol("p", positive=True)
"""A probability."""
U = sp.Symbol("U", nonnegative=True)
"""n KL(empirical law | p), or a sum of fractional visits."""
u, s, v = sp.symbols("u s v", real=True)
"""Real variables."""
first, second = sp.symbols("X Y", positive=True)
"""Exponentials exp(x / 2), exp(y / 2) of differences of returns."""
value = sp.Symbol("value", real=True)
"""Left side of a bound."""

LOG_BEST = 2 / sp.log(3)
"""Best constant of the logarithmic pigeonhole bound: two whole visits."""


def _le(left: Any, right: Any) -> Relation:
    return sp.Le(left, right, evaluate=False)


def _ge(left: Any, right: Any) -> Relation:
    return sp.Ge(left, right, evaluate=False)


# Smoothing


def divergence(mass: Any, other: Any) -> Any:
    """Return D(a, b) = a log(a / b) - a + b; D(0, b) = b."""
    return other if mass == 0 else mass * sp.log(mass / other) - mass + other


def larger(total: Any) -> Any:
    """Return max(1, log(total)), the factor that the inversion of a divergence costs, in a form defined at zero."""
    return sp.log(sp.Max(sp.E, total))


def psi_inequality(
    count: Any = k,
    mean: Any = mu,
    *,
    offset: Any = ONE,
    factor: Any = ONE,
    weight: Callable[[Any], Any] = larger,
) -> Relation:
    """Return D(mu, k + 1) <= D(k, mu) max(1, log D(k, mu)) + 1 for k >= 0 and mu > 0."""
    counted = divergence(count, mean)
    return _le(divergence(mean, count + 1), factor * counted * weight(counted) + offset)


def one(total: Any) -> Any:
    """Return 1, what `larger` is at least."""
    del total
    return ONE


def psi_below(*, offset: Any = ONE, weight: Callable[[Any], Any] = one) -> Relation:
    """Return the inequality for mu = k exp(-l) < k, where the factor one is enough."""
    mean = k * sp.exp(-ell)
    counted = k * (ell - 1) + mean
    return _le(-ell * mean - mean * sp.log(1 + 1 / k) - mean + k + 1, counted * weight(counted) + offset)


def psi_above(*, offset: Any = ONE) -> Relation:
    """Return the inequality for mu = k exp(l) > k, divided by k, where log D is enough, with k = z / (1 - z).

    D log D is replaced by its tangent (1 + log t) D - t at t = mu / (k + 1) = z exp(l), which lies below it. What is
    left holds for all z > 0.
    """
    ratio = sp.exp(ell)
    left = ratio * (ell + sp.log(z)) - ratio + 1 / z
    tangent = (ratio - 1 - ell) * (1 + ell + sp.log(z)) - (1 - z) * ratio
    return _le(left, tangent + offset * (1 - z) / z)


def psi_unvisited(*, offset: Any = ONE) -> Relation:
    """Return the inequality for k = 0, where D(0, mu) = mu: mu log(mu) is enough."""
    return _le(mu * sp.log(mu) - mu + 1, mu * sp.log(mu) + offset)


def smoothing_bound(
    total: Any = U, n_actions: Any = A, *, spare: Any = sp.S.Zero, weight: Callable[[Any], Any] = larger
) -> Any:
    """Return U max(1, log U) + A, U = n KL(empirical law | p); a mutant spares a part of the last term."""
    return total * weight(total) + n_actions - spare


def binomial_reciprocal(size: Any = n, mean: Any = p, *, more: Any = ONE) -> Any:
    """Return (1 - (1 - p)^(n + 1)) / ((n + 1) p), the mean of 1 / (K + 1) for K ~ Bin(n, p)."""
    return (1 - (1 - mean) ** (size + more)) / ((size + more) * mean)


def laplace_bound(size: Any = n, n_actions: Any = A) -> Any:
    """Return log((n + A) / (n + 1)), the worst expected divergence of Laplace's estimate after n samples."""
    return sp.log((size + n_actions) / (size + 1))


def laplace_simple(size: Any = n, n_actions: Any = A) -> Any:
    """Return (A - 1) / (n + 1), above `laplace_bound`."""
    return (n_actions - 1) / (size + 1)


# Hellinger distances


def sine_squared() -> tuple[Any, Any]:
    """Return 1 - cos^2 of the angle between the vectors of roots of two logistic coins, and what is claimed of it.

    With X = exp(x / 2), Y = exp(y / 2) the vectors are (X, 1) / sqrt(1 + X^2) and (Y, 1) / sqrt(1 + Y^2). Claimed is
    sinh((x - y) / 4)^2 / (cosh(x / 2) cosh(y / 2)), where sinh(u / 2)^2 = (cosh(u) - 1) / 2.
    """
    norm = (1 + first**2) * (1 + second**2)
    sinh_squared = ((first / second + second / first) / 2 - 1) / 2
    cosh_product = (first + 1 / first) / 2 * (second + 1 / second) / 2
    return 1 - (1 + first * second) ** 2 / norm, sinh_squared / cosh_product


def chord_above_sine(*, factor: Any = ONE) -> Relation:
    """Return Hel^2 = 2 - 2 cos >= 1 - cos^2 for every number v in the place of the cosine."""
    return _ge(factor * (2 - 2 * v), 1 - v**2)


def hellinger_ratio(root: Any) -> Any:
    """Return (t log t - t + 1) / (sqrt(t) - 1)^2 at t = root^2."""
    return (2 * root**2 * sp.log(root) - root**2 + 1) / (root - 1) ** 2


def hellinger_slope(root: Any, *, factor: Any = sp.Integer(2)) -> Any:
    """Return what decides the sign of the slope of `hellinger_ratio`: x^2 - 1 - 2 x log(x)."""
    return root**2 - 1 - factor * root * sp.log(root)


# Gaps, classes of policies and features


def two_points_linear(*, constant: Any = ONE) -> Relation:
    """Return log(1 - p + p exp(u)) - p u <= u for 0 <= p <= 1, u >= 0: two softmax laws differ by at most the width."""
    return _le(sp.log(1 - scalar.p + scalar.p * sp.exp(scalar.u)) - scalar.p * scalar.u, constant * scalar.u)


def gap_bound(width: Any, temperature: Any = lam, *, constant: Any = sp.Rational(1, 8)) -> Any:
    """Return width^2 / (8 lambda), what a state contributes to the gap of a softmax policy."""
    return constant * width**2 / temperature


def softmax_slope(mass: Any, own: Any, others: Any) -> Any:
    """Return the slope of a softmax probability whose logit moves by ``own``, the mean of the others by ``others``."""
    return mass * (own - (mass * own + (1 - mass) * others))


def dimension_bound(rounds: Any = T, ridge: Any = alpha, *, dimension: Any = d, constant: Any = INVERSE_LOG_TWO) -> Any:
    """Return d log(1 + T / (d alpha)) / log 2."""
    return constant * dimension * sp.log(1 + rounds / (dimension * ridge))


# Sums of fractional visits


def visits_bound(total: Any = U, *, constant: Any = LOG_BEST) -> Any:
    """Return c log(1 + U)."""
    return constant * sp.log(1 + total)


def visits_least(*, constant: Any = LOG_BEST) -> Relation:
    """Return U + u / U <= c log(1 + U + u) for 1 <= U <= 2 at the least u = 2 - U that leads to 2, multiplied by U.

    The difference of the two sides is concave in u, so that this and u = 1 are enough.
    """
    return _le(U**2 + 2 - U, constant * sp.log(3) * U)


def visits_crossing(*, constant: Any = LOG_BEST) -> Relation:
    """Return U + u / U <= c log(1 + U + u) for 1 <= U = 1 + s <= 2 at u = 1, multiplied by U.

    In the place of log(3 + s) is its chord, which lies below it.
    """
    return _le((1 + s) ** 2 + 1, constant * (1 + s) * (sp.log(3) + s * sp.log(FOUR_THIRDS)))


def visits_after(*, constant: Any = LOG_BEST) -> Relation:
    """Return u <= c U log(1 + u / (1 + U)) for U >= 2 at u = 1, with s = 1 / (1 + U) <= 1/3.

    It is an equality at u = 0, and the right side is concave in u. In the place of log(1 + s) is its chord
    3 s log(4/3); U = (1 - s) / s.
    """
    return _le(ONE, 3 * constant * (1 - s) * sp.log(FOUR_THIRDS))


def root_bound(total: Any = U, *, constant: Any = sp.Integer(2)) -> Any:
    """Return c sqrt(U)."""
    return constant * sp.sqrt(total)


def root_start(*, constant: Any = sp.Integer(2)) -> Relation:
    """Return U <= g(U) for 1 <= U <= 2, where g(U) = c (sqrt(U - 1/2) - sqrt(1/2)) + 1.

    With s the difference of the roots U = 1 + sqrt(2) s + s^2; U <= 2 has s < 13/25. Divided by s.
    """
    return _le(sp.sqrt(2) + s, constant)


def root_step(*, constant: Any = sp.Integer(2)) -> Relation:
    """Return u / sqrt(U) <= g(U + u) - g(U) for U >= 1, divided by its left side, with s = 1 / (2 U)."""
    return _le(sp.sqrt(1 - s + 2 * s * u) + sp.sqrt(1 - s), constant)


def root_end(*, constant: Any = sp.Integer(2)) -> Relation:
    """Return g(U) <= c sqrt(U) for U >= 1, divided by sqrt(U), with s = 1 / (2 U)."""
    return _le(constant * (sp.sqrt(1 - s) - sp.sqrt(s)) + sp.sqrt(2 * s), constant)


def _claim(
    name: str, title: str, statement: str, kind: Kind, note: str, expected: Level = Level.PROVED, **more: Any
) -> Claim:
    return Claim(
        f"demonstration_regularized.{name}",
        title,
        statement,
        kind,
        Source(Origin.DERIVED, TIAPKIN_2024, note=note),
        expected,
        **more,
    )


IN_LAWS = "a statement about laws on any finite set"

SMOOTHING = (
    _claim(
        "psi_inequality",
        "A smoothed count against its expectation",
        (
            r"D(\mu, k + 1) \le D(k, \mu) \max(1, \log D(k, \mu)) + 1 \quad (k \ge 0,\ \mu > 0), "
            r"\qquad D(a, b) = a \log \tfrac ab - a + b"
        ),
        Kind.INEQUALITY,
        "The factor is one for mu <= k, and log D for mu >= k, even where log D < 1. On mu = k exp(l) the slack is "
        "mu kl(1 - (1 + l) exp(-l), 1 / (k + 1)) + k (exp(l) - 1 - (1 + l) log(1 + l)).",
        bound=Bound(psi_inequality()),
        uses=("scalar.log_tangent",),
    ),
    _claim(
        "smoothing_link",
        "Laplace's estimate through the empirical law",
        (
            r"n \mathrm{KL}(p \| \hat p^+) \le U \max(1, \log U) + A, \quad \hat p^+(a) = \frac{N(a) + 1}{n + A},\ "
            r"U = n \mathrm{KL}(\hat p \| p),\ n \ge 1"
        ),
        Kind.INEQUALITY,
        "For all counts. D(N(a), n p(a)) sums to U, hence log D <= log U in every action; one for each action makes A.",
        bound=Bound(_le(value, smoothing_bound())),
        uses=("demonstration_regularized.psi_inequality", "scalar.log_upper"),
    ),
    _claim(
        "binomial_reciprocal",
        "Mean of the inverse of a smoothed binomial count",
        r"\mathbb E \frac{1}{K + 1} = \frac{1 - (1 - p)^{n + 1}}{(n + 1) p}, \quad K \sim \mathrm{Bin}(n, p)",
        Kind.IDENTITY,
        "Term by term, C(n, k) / (k + 1) = C(n + 1, k + 1) / (n + 1); the rest is the binomial theorem.",
        no_bound="an identity",
    ),
    _claim(
        "laplace_divergence",
        "Expected divergence of Laplace's estimate",
        (
            r"\mathbb E\, \mathrm{KL}(p \| \hat p^+) \le \log \frac{n + A}{n + 1} - \sum_a p_a (1 - p_a)^{n + 1} "
            r"\le \log \frac{n + A}{n + 1} \le \frac{A - 1}{n + 1}"
        ),
        Kind.EXPECTATION,
        "The logarithm lies below its tangent at 1 / ((n + 1) p_a). Equality in the first two steps for a point mass.",
        bound=Bound(_le(value, laplace_bound())),
        uses=("demonstration_regularized.binomial_reciprocal", "scalar.log_upper"),
    ),
)

DISTANCES = (
    _claim(
        "logistic_hellinger",
        "Hellinger distance of two comparisons",
        (
            r"\mathrm{Hel}^2(\mathrm{Ber}\, \sigma(x), \mathrm{Ber}\, \sigma(y)) \ge "
            r"\frac{\sinh^2((x - y) / 4)}{\cosh(x / 2) \cosh(y / 2)} \ge \frac{(x - y)^2}{4 \zeta}, \quad "
            r"|x|, |y| \le H,\ \zeta = 2 + e^H + e^{-H}"
        ),
        Kind.INEQUALITY,
        "2 - 2 cos >= 1 - cos^2 for the angle between the vectors of roots. Sharp for close x, y near H.",
        no_bound="a statement about coins",
        uses=("scalar.logistic_curvature",),
    ),
    _claim(
        "hellinger_ratio",
        "The ratio of entropy and Hellinger terms is nondecreasing",
        r"t \mapsto \frac{t \log t - t + 1}{(\sqrt t - 1)^2} \text{ is nondecreasing on } (0, 1) "
        r"\text{ and on } (1, \infty)",
        Kind.INEQUALITY,
        "The slope in x = sqrt(t) is 2 (x^2 - 1 - 2 x log x) / (x - 1)^3; the limit at t = 1 is 2 on both sides.",
        no_bound="a statement about a function",
    ),
)

GAPS = (
    _claim(
        "regularised_gap",
        "The gap of a softmax policy is quadratic in the error of its action values, for all models",
        (
            r"\bar\pi_h \propto \tilde\pi_h e^{\bar Q_h / \lambda},\ e = \bar Q - Q^\star_\lambda,\ "
            r"s_h = \max_a e_h - \min_a e_h:\quad V^\star_{\lambda, 1} - V^{\bar\pi}_{\lambda, 1} \le "
            r"\mathbb E_{\bar\pi} \sum_h \min\Big\{ \frac{s_h^2}{8 \lambda}, s_h \Big\}, \quad "
            r"s_h \le 2 \max_a |e_h|, \quad \underline Q \le Q^\star_\lambda \le \bar Q \implies "
            r"s_h \le \max_a (\bar Q_h - \underline Q_h)"
        ),
        Kind.INEQUALITY,
        "The gap is lambda times the divergence from the optimal policy, state by state that of two softmax laws, "
        "whose square bound is in the library. 1/8 is approached by two actions and a small error; the usual form is "
        "max e^2 / (2 lambda).",
        no_bound="sums over a model",
        uses=("regularised_values.gap_identity", "regularised_values.softmax_divergence"),
    ),
)

CLASSES = (
    _claim(
        "softmax_class",
        "Softmax policies in their parameters",
        (
            r"| \pi_w(a) - \pi_{w'}(a) | \le \tfrac12 \| w - w' \|, \quad "
            r"| \log \pi_w(a) - \log \pi_{w'}(a) | \le 2 \| w - w' \| \quad "
            r"(\pi_w(a) \propto e^{\phi(a)^\top w},\ \| \phi(a) \| \le 1)"
        ),
        Kind.INEQUALITY,
        "Slopes along the segment, on which logits move by at most |w - w'|. Both are approached: the first by a short "
        "step from a fair coin, the second by a rare action.",
        no_bound="a statement about vectors",
    ),
    _claim(
        "elliptical_dimension",
        "Elliptical potential lemma in every dimension",
        (
            r"\sum_{t=1}^T \min(1, \| \phi_t \|^2_{\Lambda_t^{-1}}) \le \frac{d}{\log 2} \log\Big( 1 + "
            r"\frac{T}{d \alpha} \Big) \quad (\Lambda_t = \alpha I + \textstyle\sum_{i < t} \phi_i \phi_i^\top,\ "
            r"\| \phi_t \| \le 1)"
        ),
        Kind.INEQUALITY,
        "The determinant lemma in all orders; then log x <= x / m + log m - 1 for eigenvalues of mean m. Usual is 2 d.",
        bound=Bound(_le(value, dimension_bound())),
        uses=("scalar.log_two", "scalar.log_tangent"),
    ),
)

MEASURES = (
    _claim(
        "span_change_of_measure",
        "Means of functions by their span, for all laws",
        r"| p f - q f | \le \mathrm{span}(f) \sqrt{\mathrm{KL}(p | q) / 2}",
        Kind.INEQUALITY,
        "Hoeffding's lemma in Gibbs' principle, then the best scale of f. The library's form is searched.",
        no_bound=IN_LAWS,
        uses=("regularised_values.gibbs", "regularised_values.softmax_divergence"),
    ),
    _claim(
        "variance_change_of_measure",
        "Change of measure with a variance, for all laws",
        (
            r"p u \le \sqrt{2 \mathrm{Var}_q(u)\, \mathrm{KL}(p | q)} + \tfrac b3 \mathrm{KL}(p | q) "
            r"\quad (q u = 0,\ u \le b)"
        ),
        Kind.INEQUALITY,
        "Bernstein's moment generating function in Gibbs' principle, then the best scale of u.",
        no_bound=IN_LAWS,
        uses=("regularised_values.gibbs", "scalar.bernstein_mgf", "scalar.exp_negative", "scalar.log_upper"),
    ),
    _claim(
        "true_mean_bound",
        "The true mean from the empirical one, and back, for all laws",
        (
            r"q f \le \Big( \sqrt{\tfrac{M x}{2}} + \sqrt{\tfrac{M x}{2} + p f} \Big)^2, \quad "
            r"p f \le q f + \sqrt{2 M x\, q f} + \tfrac{M x}{3} \quad (0 \le f \le M,\ x \ge \mathrm{KL}(p | q))"
        ),
        Kind.INEQUALITY,
        "exp(-t) <= 1 - t + t^2 / 2 and f^2 <= M f; the second bound is the change of measure with Var_q f <= M q f.",
        no_bound=IN_LAWS,
        uses=(
            "regularised_values.gibbs",
            "scalar.exp_negative",
            "scalar.log_upper",
            "demonstration_regularized.variance_change_of_measure",
        ),
    ),
    _claim(
        "round_trip_bound",
        "Round trip between empirical and true means, for all laws",
        (
            r"\min \Big\{ M, \Big( \sqrt{\tfrac{M x}{2}} + \sqrt{\tfrac{M x}{2} + p f} \Big)^2 \Big\} \le "
            r"\big( 1 + \tfrac1H \big)^2 q f + c_H M \min(1, x), \quad c_H = \frac{(H + 1)(6 H + 5)}{6 H} "
            r"\quad (H \ge 2,\ x \ge \mathrm{KL}(p | q))"
        ),
        Kind.INEQUALITY,
        "For x >= 1 by c_H >= 1; for x < 1 by the second bound above in the scalar form, scaled by M x.",
        no_bound=IN_LAWS,
        uses=("demonstration_regularized.true_mean_bound", "divergences.round_trip_scalar"),
    ),
)

COUNTS = (
    _claim(
        "expected_counts",
        "Bonuses at counts against bonuses at expected counts, for every bonus",
        (
            r"n \ge \tfrac12 \bar n - c,\ \beta \ge \max(c, \tfrac14) \implies "
            r"\min\Big( 1, \frac{\beta(n)}{n} \Big) \le \frac{4 \beta(\bar n)}{\max(1, \bar n)} \quad "
            r"(\beta \text{ nondecreasing},\ \beta(x) / x \text{ nonincreasing})"
        ),
        Kind.INEQUALITY,
        "Only b = beta(n) and B = beta(expected n) matter: b <= B for n below, b / n <= B / expected n for n above.",
        no_bound="a statement about functions beta",
    ),
    _claim(
        "fractional_visits",
        "Logarithmic pigeonhole bound with the best constant, for all sequences",
        (
            r"\sum_{t=1}^T \frac{u_t}{\max(1, U_{t-1})} \le \frac{2}{\log 3} \log(1 + U_T) \quad "
            r"(0 \le u_t \le 1,\ U_t = u_1 + \dots + u_t)"
        ),
        Kind.INEQUALITY,
        "By induction the sum is at most U_T up to 2, where U_T is a chord of the right side, and at most the right "
        "side after it. Attained by u = (1, 1).",
        bound=Bound(_le(value, visits_bound())),
        uses=("elliptical_potential.chord",),
    ),
    _claim(
        "fractional_visits_root",
        "Pigeonhole bound with roots and the best constant, for all sequences",
        (
            r"\sum_{t=1}^T \frac{u_t}{\sqrt{\max(1, U_{t-1})}} \le 2 \sqrt{U_T} \quad "
            r"(0 \le u_t \le 1,\ U_t = u_1 + \dots + u_t)"
        ),
        Kind.INEQUALITY,
        "By induction the sum is at most 2 sqrt(U_T - 1/2) + 1 - sqrt(2) once U_T >= 1, and U_T <= sqrt(U_T) before. "
        "Approached by whole visits.",
        bound=Bound(_le(value, root_bound())),
    ),
)

CLAIMS = (*GAPS, *SMOOTHING, *DISTANCES, *CLASSES, *MEASURES, *COUNTS)
