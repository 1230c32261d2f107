r"""Concentration of empirical means and laws, with the constants that the bonuses are made of.

Means of observations in [0, 1] come first: the classical tails, and for binomial laws how close they are to the exact
ones. Then empirical laws on S outcomes, uniformly over time: with counts :math:`n_1, \dots, n_S` the mixtures

.. math:: M_n = \prod_{t=1}^{n} \frac{n_{x_t}(t) + \alpha}{(t - 1 + S \alpha)\, p_{x_t}}

of likelihood ratios, :math:`n_x(t)` the count before observation t, are martingales of mean one (Laplace:
:math:`\alpha = 1`; Krichevsky and Trofimov: :math:`\alpha = 1/2`), so that some :math:`M_n` reaches
:math:`1 / \delta` with probability at most :math:`\delta`. Vectors and matrices come last.
"""

from typing import Any

import sympy as sp

from theory.claim import Bound, Claim, Kind, Level, Origin, Source
from theory.references import (
    ABBASI_2011,
    BOUCHERON_2013,
    DAI_2023,
    FREEDMAN_1975,
    MAURER_2009,
    TAN_2025,
    TIAPKIN_2024,
    TROPP_2012,
)
from theory.symbols import d, delta, deviation, n, variance, x

ridge = sp.Symbol("ridge", positive=True)

HOEFFDING_RADIUS = sp.sqrt(sp.log(1 / delta) / (2 * n))
"""One-sided deviation of the mean of n independent observations in [0, 1]."""

EMPIRICAL_BERNSTEIN_RADIUS = sp.sqrt(2 * variance * sp.log(2 / delta) / n) + sp.Rational(7, 3) * sp.log(2 / delta) / (
    n - 1
)
"""The same with the sample variance (n - 1 in its denominator) in the place of the variance."""

CHORD = 1 - sp.exp(-1)
GROWTH = sp.Rational(3, 2) * sp.log(sp.Rational(3, 2)) - sp.Rational(1, 2)
"""Exponent of an increase by one half, 0.10820; that of a decrease by one half is larger, 0.15343."""

SAMPLES = (1 + 1 / ridge) * sp.log(2 * d / delta) / GROWTH
"""Number of samples after which a regularised covariance is known up to a factor."""

IN_EXPONENTS = "a bound on a probability, compared in its exponent"

HOEFFDING = Claim(
    id="concentration.hoeffding",
    title="Hoeffding's inequality",
    statement=r"P\Big( \hat\mu_n - \mu \ge \sqrt{\tfrac{\log(1/\delta)}{2n}} \Big) \le \delta",
    kind=Kind.HIGH_PROBABILITY,
    source=Source(Origin.FOLKLORE, BOUCHERON_2013, "Theorem 2.8"),
    expected=Level.CERTIFIED,
    bound=Bound(sp.Le(deviation, HOEFFDING_RADIUS)),
)

EMPIRICAL_BERNSTEIN = Claim(
    id="concentration.empirical_bernstein",
    title="Empirical Bernstein inequality",
    statement=(
        r"P\Big( \mu - \hat\mu_n \ge \sqrt{\tfrac{2 V_n \log(2/\delta)}{n}} + \tfrac{7 \log(2/\delta)}{3 (n-1)} \Big) "
        r"\le \delta"
    ),
    kind=Kind.HIGH_PROBABILITY,
    source=Source(Origin.STATED, MAURER_2009, "Theorem 4"),
    expected=Level.SUPPORTED,
    bound=Bound(sp.Le(deviation, EMPIRICAL_BERNSTEIN_RADIUS)),
)


def _claim(
    name: str, title: str, statement: str, kind: Kind, source: Source, expected: Level = Level.SUPPORTED, **more: Any
) -> Claim:
    return Claim(f"concentration.{name}", title, statement, kind, source, expected, **more)


def exponential_chord(*, constant: sp.Expr = CHORD) -> sp.Rel:
    """Return 1 - exp(-x) >= (1 - 1/e) x for 0 <= x <= 1."""
    return sp.Ge(1 - sp.exp(-x), constant * x, evaluate=False)


MEANS = (
    _claim(
        "chernoff_kl",
        "Chernoff's bound with the relative entropy",
        r"P( \hat\mu_n \ge q ) \le e^{- n\, \mathrm{kl}(q, \mu)} \quad (q \ge \mu)",
        Kind.HIGH_PROBABILITY,
        Source(Origin.FOLKLORE, BOUCHERON_2013, "Section 2.2", "Equality for q = 1."),
        Level.CERTIFIED,
        no_bound=IN_EXPONENTS,
    ),
    _claim(
        "bernstein",
        "Bernstein's inequality",
        r"P( \hat\mu_n - \mu \ge t ) \le \exp\Big( - \frac{n t^2}{2 (\sigma^2 + t / 3)} \Big)",
        Kind.HIGH_PROBABILITY,
        Source(Origin.FOLKLORE, BOUCHERON_2013, "Section 2.8", "Observations at most 1 above their mean."),
        Level.CERTIFIED,
        no_bound=IN_EXPONENTS,
        uses=("scalar.bennett_bernstein",),
    ),
    _claim(
        "freedman",
        "Freedman's inequality",
        r"P\big( \exists n: S_n \ge a,\ V_n \le v \big) \le \exp\Big( - \frac{a^2}{2 (v + a / 3)} \Big)",
        Kind.HIGH_PROBABILITY,
        Source(Origin.FOLKLORE, FREEDMAN_1975, "Theorem 1.6", "Increments at most 1, V_n their predictable variance."),
        Level.CERTIFIED,
        no_bound=IN_EXPONENTS,
        uses=("scalar.bennett_bernstein",),
    ),
    _claim(
        "exponential_chord",
        "Exponential above its chord",
        r"1 - e^{-x} \ge (1 - 1/e)\, x \quad (0 \le x \le 1)",
        Kind.INEQUALITY,
        Source(Origin.DERIVED, TAN_2025, note="Multiplicative martingales of variables in [0, 1] rest on it."),
        Level.PROVED,
        bound=Bound(exponential_chord()),
    ),
    _claim(
        "visit_counts",
        "Visits against their conditional probabilities, uniformly in time",
        r"P\Big( \exists t: N_t < (1 - 1/e) \sum_{i \le t} p_i - \log(1/\delta) \Big) \le \delta, \quad "
        r"p_i = P(\text{visit at } i \mid \text{past})",
        Kind.HIGH_PROBABILITY,
        Source(Origin.DERIVED, TIAPKIN_2024),
        Level.CERTIFIED,
        no_bound="a bound on a path",
        uses=("concentration.exponential_chord",),
    ),
)

LAWS = (
    _claim(
        "weissman",
        "L1 deviation of an empirical law",
        r"P\big( \| \hat p_n - p \|_1 \ge \varepsilon \big) \le (2^S - 2)\, e^{- n \varepsilon^2 / 2}",
        Kind.HIGH_PROBABILITY,
        Source(
            Origin.DERIVED, TAN_2025, note="The inequality of Weissman et al. (2003); union over events of Hoeffding."
        ),
        Level.CERTIFIED,
        no_bound=IN_EXPONENTS,
        uses=("concentration.hoeffding", "divergences.events"),
    ),
    _claim(
        "mixture_martingale",
        "Mixtures of likelihood ratios are martingales (three outcomes)",
        r"\mathbb E[ M_{n+1} \mid n_1, n_2, n_3 ] = M_n \sum_i p_i \frac{n_i + \alpha}{(n + 3 \alpha)\, p_i} = M_n",
        Kind.IDENTITY,
        Source(Origin.DERIVED, TIAPKIN_2024, note="For every alpha: Laplace 1, Krichevsky and Trofimov 1/2."),
        Level.PROVED,
        no_bound="an identity",
    ),
    _claim(
        "laplace_mixture",
        "The relative entropy of an empirical law, by its mixture",
        r"e^{n \mathrm{KL}(\hat p_n | p)} = M_n \binom{n + S - 1}{S - 1} \frac{n!}{\prod_i n_i!} "
        r"\prod_i \hat p_i^{n_i}",
        Kind.IDENTITY,
        Source(Origin.DERIVED, TIAPKIN_2024, note="alpha = 1. The last factor is a probability, hence at most one."),
        Level.CERTIFIED,
        no_bound="an identity between integers",
    ),
    _claim(
        "kt_mixture",
        "The relative entropy of a coin, by the mixture of Krichevsky and Trofimov",
        r"e^{n \mathrm{kl}(\hat p_n, p)} \le 2 \sqrt n \, M_n \quad (S = 2,\ \alpha = 1/2)",
        Kind.INEQUALITY,
        Source(Origin.DERIVED, TIAPKIN_2024, note="Equality at n = 1."),
        Level.CERTIFIED,
        no_bound="an inequality between rationals",
    ),
    _claim(
        "categorical_kl",
        "Relative entropy of an empirical law, uniformly in time",
        r"P\Big( \exists n: n \mathrm{KL}(\hat p_n | p) > \log\tfrac1\delta + \log \binom{n + S - "
        r"1}{S - 1} \Big) \le \delta",
        Kind.HIGH_PROBABILITY,
        Source(Origin.DERIVED, TIAPKIN_2024),
        Level.CERTIFIED,
        no_bound="a bound on a path",
        uses=("concentration.mixture_martingale", "concentration.laplace_mixture"),
    ),
)

VECTORS = (
    _claim(
        "method_of_mixtures",
        "Sums uniformly in time by the method of mixtures",
        r"P\Big( \exists n: |S_n| \ge \sqrt{(n + \lambda) \big( \log \tfrac{n + \lambda}{\lambda} + 2 "
        r"\log \tfrac1\delta \big)} "
        r"\Big) \le \delta \quad (1\text{-sub-Gaussian increments})",
        Kind.HIGH_PROBABILITY,
        Source(Origin.FOLKLORE, ABBASI_2011, "the self-normalised bound", "In one dimension."),
        Level.CERTIFIED,
        no_bound="a bound on a path",
    ),
    _claim(
        "self_normalised",
        "Self-normalised bound for vectors",
        r"P\Big( \exists t: \| \textstyle\sum_{i \le t} \phi_i \xi_i \|^2_{\Lambda_t^{-1}} > "
        r"2 \log \tfrac{1}{\delta} + \log \tfrac{\det \Lambda_t}{\det \lambda I} \Big) \le \delta, \quad "
        r"\Lambda_t = \lambda I + \textstyle\sum_{i \le t} \phi_i \phi_i^\top",
        Kind.HIGH_PROBABILITY,
        Source(
            Origin.FOLKLORE, ABBASI_2011, "the self-normalised bound", "Predictable features, 1-sub-Gaussian noise."
        ),
        no_bound="a bound on a path",
        uses=("concentration.method_of_mixtures",),
    ),
    _claim(
        "matrix_chernoff",
        "Chernoff's bound for matrices",
        r"P\big( \lambda_{\max}(\textstyle\sum_k X_k) \ge (1 + \varepsilon) \mu \big) \le "
        r"d \Big( \frac{e^\varepsilon}{(1 + \varepsilon)^{1 + \varepsilon}} \Big)^{\mu / R}, \quad "
        r"\mu = \lambda_{\max}(\textstyle\sum_k \mathbb E X_k),\ 0 \preceq X_k \preceq R I",
        Kind.HIGH_PROBABILITY,
        Source(Origin.STATED, TROPP_2012, "Theorem 1.1"),
        no_bound=IN_EXPONENTS,
    ),
    _claim(
        "covariance_estimate",
        "Covariances from samples",
        r"n \ge \frac{(1 + 1/\gamma) \log(2 d / \delta)}{\tfrac32 \log \tfrac32 - \tfrac12} \implies "
        r"P\big( \tfrac12 \Sigma_\gamma \preceq \gamma I + \hat\Sigma_n \preceq \tfrac32 "
        r"\Sigma_\gamma \big) \ge 1 - \delta, "
        r"\quad \Sigma_\gamma = \gamma I + \mathbb E \phi \phi^\top,\ \| \phi \| \le 1",
        Kind.HIGH_PROBABILITY,
        Source(Origin.DERIVED, DAI_2023),
        bound=Bound(sp.Ge(n, SAMPLES, evaluate=False)),
        uses=("concentration.matrix_chernoff",),
    ),
)

CLAIMS = (HOEFFDING, EMPIRICAL_BERNSTEIN, *MEANS, *LAWS, *VECTORS)
