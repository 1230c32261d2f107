r"""Scalar inequalities that proofs of regret and concentration bounds rest on, with their best constants.

Each lemma is a function that returns a SymPy relation; its keyword arguments are the constants in it, so that a check
can ask what happens to smaller ones. The domain is in the statement. Notation: :math:`h(u) = (1+u) \log(1+u) - u` is
Bennett's function, :math:`\psi(z) = z - \log(1 + z)` the Bregman function of the logarithmic barrier, and
:math:`\mathrm{kl}(p, q)` the relative entropy between Bernoulli distributions.
"""

from typing import Any

import sympy as sp

from theory.claim import Bound, Claim, Kind, Level, Origin, Paper, Source
from theory.references import BOUCHERON_2013, CESA_BIANCHI_2006, LATTIMORE_2020
from theory.symbols import x

CORLESS_1996 = Paper(
    "corless_1996",
    "On the Lambert W Function",
    ("Corless", "Gonnet", "Hare", "Jeffrey", "Knuth"),
    1996,
    "Advances in Computational Mathematics",
    doi="10.1007/BF02124750",
)
MITRINOVIC_1970 = Paper(
    "mitrinovic_1970", "Analytic Inequalities", ("Mitrinović",), 1970, "Springer", doi="10.1007/978-3-642-99970-3"
)
TSYBAKOV_2009 = Paper(
    "tsybakov_2009",
    "Introduction to Nonparametric Estimation",
    ("Tsybakov",),
    2009,
    "Springer",
    doi="10.1007/b13794",
)
WEI_2018 = Paper(
    "wei_2018",
    "More Adaptive Algorithms for Adversarial Bandits",
    ("Wei", "Luo"),
    2018,
    "COLT",
    arxiv="1801.03265",
)
ZHU_2023 = Paper(
    "zhu_2023",
    "Principled Reinforcement Learning with Human Feedback from Pairwise or K-wise Comparisons",
    ("Zhu", "Jiao", "Jordan"),
    2023,
    "ICML",
    arxiv="2301.11270",
)

a, d, e, h, p, q, u, v = sp.symbols("a d e h p q u v", real=True)
"""Real variables of the lemmas, besides x."""

ONE, TWO, THREE = sp.Integer(1), sp.Integer(2), sp.Integer(3)
HALF, SIXTH, EIGHTH = sp.Rational(1, 2), sp.Rational(1, 6), sp.Rational(1, 8)
TWO_THIRDS, FOUR_THIRDS = sp.Rational(2, 3), sp.Rational(4, 3)
E_MINUS_TWO, INVERSE_E = sp.E - 2, sp.exp(-1)
Relation = Any


def _le(left: Any, right: Any) -> Relation:
    return sp.Le(left, right, evaluate=False)


def _ge(left: Any, right: Any) -> Relation:
    return sp.Ge(left, right, evaluate=False)


def bernoulli_kl(first: sp.Expr, second: sp.Expr) -> sp.Expr:
    """Return kl(p, q) in a form that is defined at p = 0 and p = 1."""
    log = sp.log
    return first * log(first) + (1 - first) * log(1 - first) - first * log(second) - (1 - first) * log(1 - second)


def bennett(value: sp.Expr) -> sp.Expr:
    """Return Bennett's function h(u) = (1 + u) log(1 + u) - u."""
    return (1 + value) * sp.log(1 + value) - value


def barrier(value: sp.Expr) -> sp.Expr:
    """Return psi(z) = z - log(1 + z)."""
    return value - sp.log(1 + value)


# Exponentials


def exp_quadratic(*, constant: sp.Expr = ONE) -> Relation:
    """Return exp(x) <= 1 + x + x^2 for x <= 1."""
    return _le(sp.exp(x), 1 + x + constant * x**2)


def exp_negative(*, constant: sp.Expr = HALF) -> Relation:
    """Return exp(-x) <= 1 - x + x^2 / 2 for x >= 0."""
    return _le(sp.exp(-x), 1 - x + constant * x**2)


def exp_unit(*, constant: sp.Expr = E_MINUS_TWO) -> Relation:
    """Return exp(x) <= 1 + x + (e - 2) x^2 for x <= 1."""
    return _le(sp.exp(x), 1 + x + constant * x**2)


def exp_remainder(*, constant: sp.Expr = ONE) -> Relation:
    """Return exp(x) - 1 - x <= x^2 for x <= 1.79."""
    return _le(sp.exp(x) - 1 - x, constant * x**2)


def bernstein_mgf(*, radius: sp.Expr = THREE) -> Relation:
    """Return exp(u) - 1 - u <= u^2 / (2 (1 - u / 3)) for 0 <= u < 3."""
    return _le(sp.exp(u) - 1 - u, radius * u**2 / (2 * (radius - u)))


def compound(*, constant: sp.Expr = ONE) -> Relation:
    """Return x log(1 + 1 / x) <= 1 for x > 0: (1 + 1 / H)^H <= e."""
    return _le(x * sp.log(1 + 1 / x), constant)


# Logarithms


def log_lower(*, constant: sp.Expr = ONE) -> Relation:
    """Return log(1 + x) >= x / (1 + x) for x > -1."""
    return _ge(sp.log(1 + x), constant * x / (1 + x))


def log_upper(*, constant: sp.Expr = ONE) -> Relation:
    """Return log(1 + x) <= x for x > -1."""
    return _le(sp.log(1 + x), constant * x)


def log_tangent(*, offset: sp.Expr = ONE) -> Relation:
    """Return log(x) <= a x - log(a) - 1 for a, x > 0."""
    return _le(sp.log(x), a * x - sp.log(a) - offset)


def log_rational(*, constant: sp.Expr = TWO) -> Relation:
    """Return log(1 + x) >= 2 x / (2 + x) for x >= 0."""
    return _ge(sp.log(1 + x), constant * x / (2 + x))


def log_quadratic(*, constant: sp.Expr = HALF) -> Relation:
    """Return log(1 + x) >= x - x^2 / 2 for x >= 0."""
    return _ge(sp.log(1 + x), x - constant * x**2)


def log_square(*, constant: sp.Expr = ONE) -> Relation:
    """Return log(1 + x) >= x - x^2 for x >= -1/2."""
    return _ge(sp.log(1 + x), x - constant * x**2)


def log_two(*, constant: sp.Expr = ONE) -> Relation:
    """Return x <= log(1 + x) / log(2) for 0 <= x <= 1."""
    return _le(x, constant * sp.log(1 + x) / sp.log(2))


def potential(*, constant: sp.Expr = TWO) -> Relation:
    """Return x <= 2 log(1 + x) for 0 <= x <= 1."""
    return _le(x, constant * sp.log(1 + x))


def entropy_generator(*, constant: sp.Expr = ONE) -> Relation:
    """Return x log(x) >= x - 1 for x >= 0."""
    return _ge(x * sp.log(x), constant * (x - 1))


def lambert(*, scale: sp.Expr = ONE) -> Relation:
    """Return W(x) <= log(1 + x) for x >= 0."""
    return _le(sp.LambertW(scale * x), sp.log(1 + x))


def lambert_over_e(*, scale: sp.Expr = INVERSE_E) -> Relation:
    """Return W(x / e) <= log(1 + x) for x >= 1."""
    return _le(sp.LambertW(scale * x), sp.log(1 + x))


# Sums and integrals


def root_step(*, constant: sp.Expr = HALF) -> Relation:
    """Return sqrt(x) - sqrt(x - 1) >= 1 / (2 sqrt(x)) for x >= 1."""
    return _ge(sp.sqrt(x) - sp.sqrt(x - 1), constant / sp.sqrt(x))


def harmonic_step(*, constant: sp.Expr = ONE) -> Relation:
    """Return log(x / (x - 1)) >= 1 / x for x > 1."""
    return _ge(sp.log(x / (x - 1)), constant / x)


# Concentration


def hoeffding_core(*, constant: sp.Expr = EIGHTH) -> Relation:
    """Return log(1 - p + p exp(u)) - p u <= u^2 / 8 for 0 <= p <= 1."""
    return _le(sp.log(1 - p + p * sp.exp(u)) - p * u, constant * u**2)


def bennett_bernstein(*, scale: sp.Expr = TWO_THIRDS) -> Relation:
    """Return h(u) >= u^2 / (2 + 2 u / 3) for u >= 0."""
    return _ge(bennett(u), u**2 / (2 + scale * u))


def bennett_cubic(*, constant: sp.Expr = SIXTH) -> Relation:
    """Return h(u) >= u^2 / 2 - u^3 / 6 for u >= 0."""
    return _ge(bennett(u), u**2 / 2 - constant * u**3)


def sub_gamma(*, constant: sp.Expr = HALF) -> Relation:
    """Return 1 + u - sqrt(1 + 2 u) >= u^2 / (2 (1 + u)) for u >= 0."""
    return _ge(1 + u - sp.sqrt(1 + 2 * u), constant * u**2 / (1 + u))


def absolute_deviation(*, constant: sp.Expr = TWO) -> Relation:
    """Return 2 p (1 - p) <= sqrt(p (1 - p)) for 0 <= p <= 1."""
    return _le(constant * p * (1 - p), sp.sqrt(p * (1 - p)))


# Divergences


def pinsker(*, constant: sp.Expr = TWO) -> Relation:
    """Return kl(p, q) >= 2 (p - q)^2."""
    return _ge(bernoulli_kl(p, q), constant * (p - q) ** 2)


def reverse_pinsker(*, constant: sp.Expr = ONE) -> Relation:
    """Return kl(p, q) <= (p - q)^2 / (q (1 - q))."""
    return _le(bernoulli_kl(p, q), constant * (p - q) ** 2 / (q * (1 - q)))


def bretagnolle_huber(*, constant: sp.Expr = ONE) -> Relation:
    """Return kl(p, q) >= -log(1 - (p - q)^2)."""
    return _ge(bernoulli_kl(p, q), -sp.log(1 - constant * (p - q) ** 2))


def bretagnolle_huber_root(*, constant: sp.Expr = HALF) -> Relation:
    """Return sqrt(1 - u) <= 1 - u / 2 for 0 <= u <= 1."""
    return _le(sp.sqrt(1 - u), 1 - constant * u)


def hellinger_above(*, constant: sp.Expr = TWO) -> Relation:
    """Return t log t - t + 1 <= (2 + log t) (sqrt(t) - 1)^2 for t = x^2 >= 1."""
    return _le(2 * x**2 * sp.log(x) - x**2 + 1, (constant + 2 * sp.log(x)) * (x - 1) ** 2)


def hellinger_below(*, constant: sp.Expr = TWO) -> Relation:
    """Return t log t - t + 1 <= 2 (sqrt(t) - 1)^2 for t = x^2 in (0, 1]."""
    return _le(2 * x**2 * sp.log(x) - x**2 + 1, constant * (x - 1) ** 2)


# Barriers and links


def barrier_lower(*, scale: sp.Expr = FOUR_THIRDS) -> Relation:
    """Return psi(x) >= x^2 / (2 + 4 x / 3) for x >= 0."""
    return _ge(barrier(x), x**2 / (2 + scale * x))


def barrier_young(*, constant: sp.Expr = ONE) -> Relation:
    """Return psi(d) + psi(-e) >= d e for d >= 0 and 0 <= e < 1."""
    return _ge(barrier(d) + barrier(-e), constant * d * e)


def logistic_curvature(*, constant: sp.Expr = ONE) -> Relation:
    """Return the bound 4 zeta sinh((y - z) / 4)^2 >= (y - z)^2 cosh(y / 2) cosh(z / 2), zeta = 2 + 2 cosh H.

    For y and z in [-H, H], in the coordinates y = 2 (u + v), z = 2 (u - v), H = 2 (u + v) + h with u, v, h >= 0, which
    by symmetry cover all y, z and H.
    """
    zeta = 2 + 2 * sp.cosh(2 * (u + v) + h)
    return _ge(4 * zeta * sp.sinh(v) ** 2, constant * 16 * v**2 * sp.cosh(u + v) * sp.cosh(u - v))


def _claim(name: str, title: str, statement: str, relation: Relation, source: Source, **more: Any) -> Claim:
    return Claim(
        id=f"scalar.{name}",
        title=title,
        statement=statement,
        kind=Kind.INEQUALITY,
        source=source,
        expected=Level.PROVED,
        bound=Bound(relation),
        **more,
    )


def _book(paper: Paper, where: str, note: str = "") -> Source:
    return Source(Origin.FOLKLORE, paper, where, note)


def _ours(paper: Paper, note: str) -> Source:
    return Source(Origin.DERIVED, paper, note=note)


CLAIMS = (
    _claim(
        "exp_quadratic",
        "Exponential below a parabola",
        r"e^x \le 1 + x + x^2 \quad (x \le 1)",
        exp_quadratic(),
        _book(LATTIMORE_2020, "Section 11.4", "step of the analysis of Exp3"),
    ),
    _claim(
        "exp_negative",
        "Exponential of a loss",
        r"e^{-x} \le 1 - x + \tfrac{x^2}{2} \quad (x \ge 0)",
        exp_negative(),
        _book(LATTIMORE_2020, "Section 11.4", "step of the sharper analysis of Exp3"),
    ),
    _claim(
        "exp_unit",
        "Exponential with the constant e - 2",
        r"e^x \le 1 + x + (e - 2) x^2 \quad (x \le 1)",
        exp_unit(),
        _book(
            CESA_BIANCHI_2006,
            "Appendix A",
            "ingredient of Bernstein's inequality for martingales; the place is quoted from memory",
        ),
    ),
    _claim(
        "exp_remainder",
        "Range of the quadratic bound of the exponential",
        r"e^x - 1 - x \le x^2 \quad (x \le 1.79)",
        exp_remainder(),
        _ours(CESA_BIANCHI_2006, "The usual range is x <= 1; the two sides cross at 1.7932."),
    ),
    _claim(
        "bernstein_mgf",
        "Moment generating function under Bernstein's condition",
        r"e^u - 1 - u \le \frac{u^2}{2 (1 - u/3)} \quad (0 \le u < 3)",
        bernstein_mgf(),
        _book(BOUCHERON_2013, "Section 2.8"),
    ),
    _claim(
        "compound",
        "Compounding over a horizon",
        r"x \log(1 + 1/x) \le 1 \quad (x > 0), \text{ so that } (1 + 1/H)^H \le e",
        compound(),
        _book(MITRINOVIC_1970, "Section 3.6", "the section is quoted from memory"),
    ),
    _claim(
        "log_lower",
        "Logarithm from below",
        r"\log(1+x) \ge \frac{x}{1+x} \quad (x > -1)",
        log_lower(),
        _book(MITRINOVIC_1970, "Section 3.6", "the section is quoted from memory"),
    ),
    _claim(
        "log_upper",
        "Logarithm from above",
        r"\log(1+x) \le x \quad (x > -1), \text{ so that } \psi \ge 0",
        log_upper(),
        _book(MITRINOVIC_1970, "Section 3.6", "the section is quoted from memory"),
    ),
    _claim(
        "log_tangent",
        "Logarithm below its tangents",
        r"\log x \le a x - \log a - 1 \quad (a, x > 0)",
        log_tangent(),
        _ours(LATTIMORE_2020, "Concavity; resolves x <= A + B log x."),
        uses=("scalar.log_upper",),
    ),
    _claim(
        "log_rational",
        "Rational lower bound of the logarithm",
        r"\log(1+x) \ge \frac{2x}{2+x} \quad (x \ge 0)",
        log_rational(),
        _book(MITRINOVIC_1970, "Section 3.6", "the section is quoted from memory"),
    ),
    _claim(
        "log_quadratic",
        "Quadratic lower bound of the logarithm",
        r"\log(1+x) \ge x - \tfrac{x^2}{2} \quad (x \ge 0)",
        log_quadratic(),
        _book(MITRINOVIC_1970, "Section 3.6", "the section is quoted from memory"),
    ),
    _claim(
        "log_square",
        "Logarithm in second-order regret bounds",
        r"\log(1+x) \ge x - x^2 \quad (x \ge -\tfrac12), \text{ or } \psi(x) \le x^2",
        log_square(),
        _book(CESA_BIANCHI_2006, "Lemma 2.4"),
    ),
    _claim(
        "log_two",
        "Logarithm above its chord",
        r"x \le \log(1+x) / \log 2 \quad (0 \le x \le 1)",
        log_two(),
        _ours(LATTIMORE_2020, "The best constant of the potential argument on the unit interval."),
    ),
    _claim(
        "potential",
        "Step of the elliptical potential lemma",
        r"x \le 2 \log(1+x) \quad (0 \le x \le 1)",
        potential(),
        _book(LATTIMORE_2020, "Lemma 19.4", "step of its proof"),
        uses=("scalar.log_two",),
    ),
    _claim(
        "entropy_generator",
        "Generator of the relative entropy",
        r"x \log x \ge x - 1 \quad (x \ge 0)",
        entropy_generator(),
        _book(TSYBAKOV_2009, "Section 2.4"),
        uses=("scalar.log_upper",),
    ),
    _claim(
        "lambert",
        "Lambert W below the logarithm",
        r"W(x) \le \log(1+x) \quad (x \ge 0)",
        lambert(),
        _ours(CORLESS_1996, "Equality at 0."),
    ),
    _claim(
        "lambert_over_e",
        "Lambert W of x / e",
        r"W(x/e) \le \log(1+x) \quad (x \ge 1)",
        lambert_over_e(),
        _ours(CORLESS_1996, "Resolves x <= A exp(-x)-type balances of exploration."),
        uses=("scalar.lambert",),
    ),
    _claim(
        "root_step",
        "Integral comparison for inverse roots",
        r"\sqrt n - \sqrt{n-1} \ge \frac{1}{2 \sqrt n} \quad (n \ge 1)",
        root_step(),
        _ours(LATTIMORE_2020, "One step of sum_k 1/sqrt(k) <= 2 sqrt(n)."),
    ),
    _claim(
        "harmonic_step",
        "Integral comparison for the harmonic sum",
        r"\log \tfrac{n}{n-1} \ge \tfrac1n \quad (n > 1)",
        harmonic_step(),
        _ours(LATTIMORE_2020, "One step of sum_k 1/k <= 1 + log(n)."),
        uses=("scalar.log_upper",),
    ),
    _claim(
        "hoeffding_core",
        "Hoeffding's lemma for two points",
        r"\log(1 - p + p e^u) - p u \le \tfrac{u^2}{8} \quad (0 \le p \le 1)",
        hoeffding_core(),
        _book(BOUCHERON_2013, "Lemma 2.2", "two-point core; the lemma follows by convexity"),
    ),
    _claim(
        "bennett_bernstein",
        "From Bennett's to Bernstein's inequality",
        r"(1+u) \log(1+u) - u \ge \frac{u^2}{2 + 2u/3} \quad (u \ge 0)",
        bennett_bernstein(),
        _book(BOUCHERON_2013, "Section 2.7"),
    ),
    _claim(
        "bennett_cubic",
        "Cubic lower bound of Bennett's function",
        r"(1+u) \log(1+u) - u \ge \tfrac{u^2}{2} - \tfrac{u^3}{6} \quad (u \ge 0)",
        bennett_cubic(),
        _ours(BOUCHERON_2013, "Taylor expansion with alternating remainder."),
    ),
    _claim(
        "sub_gamma",
        "Rate function of sub-gamma variables",
        r"1 + u - \sqrt{1 + 2u} \ge \frac{u^2}{2 (1+u)} \quad (u \ge 0)",
        sub_gamma(),
        _book(BOUCHERON_2013, "Section 2.4"),
    ),
    _claim(
        "absolute_deviation",
        "Mean absolute deviation of a Bernoulli variable",
        r"2 p (1-p) \le \sqrt{p (1-p)} \quad (0 \le p \le 1)",
        absolute_deviation(),
        _ours(BOUCHERON_2013, "Jensen's inequality for two points; equality at p = 0, 1/2, 1."),
    ),
    _claim(
        "pinsker",
        "Pinsker's inequality for Bernoulli distributions",
        r"\mathrm{kl}(p, q) \ge 2 (p-q)^2",
        pinsker(),
        _book(LATTIMORE_2020, "Lemma 10.2"),
    ),
    _claim(
        "reverse_pinsker",
        "Relative entropy below chi-square",
        r"\mathrm{kl}(p, q) \le \frac{(p-q)^2}{q (1-q)}",
        reverse_pinsker(),
        _book(TSYBAKOV_2009, "Section 2.4", "Bernoulli case of KL <= chi-square"),
    ),
    _claim(
        "bretagnolle_huber",
        "Bretagnolle-Huber inequality for Bernoulli distributions",
        r"\mathrm{kl}(p, q) \ge - \log(1 - (p-q)^2), \text{ or } |p-q| \le \sqrt{1 - e^{-\mathrm{kl}(p,q)}}",
        bretagnolle_huber(),
        _book(LATTIMORE_2020, "Theorem 14.2", "Bernoulli case of the form with the root"),
    ),
    _claim(
        "bretagnolle_huber_root",
        "From the root to the exponential form of Bretagnolle-Huber",
        r"\sqrt{1 - u} \le 1 - \tfrac u2 \quad (0 \le u \le 1, \; u = e^{-\mathrm{KL}})",
        bretagnolle_huber_root(),
        _book(TSYBAKOV_2009, "Section 2.4"),
    ),
    _claim(
        "hellinger_above",
        "Relative entropy and Hellinger distance, large likelihood ratios",
        r"t \log t - t + 1 \le (2 + \log t) (\sqrt t - 1)^2 \quad (t = x^2 \ge 1)",
        hellinger_above(),
        _ours(TSYBAKOV_2009, "KL is at most (2 + log of the largest ratio) times squared Hellinger distance."),
    ),
    _claim(
        "hellinger_below",
        "Relative entropy and Hellinger distance, small likelihood ratios",
        r"t \log t - t + 1 \le 2 (\sqrt t - 1)^2 \quad (t = x^2 \in (0, 1])",
        hellinger_below(),
        _ours(TSYBAKOV_2009, "The other half-line of the same bound."),
    ),
    _claim(
        "barrier_lower",
        "Logarithmic barrier from below",
        r"x - \log(1+x) \ge \frac{x^2}{2 + 4x/3} \quad (x \ge 0)",
        barrier_lower(),
        _ours(WEI_2018, "Padé form; tight to third order at 0."),
    ),
    _claim(
        "barrier_young",
        "Fenchel-Young inequality of the logarithmic barrier",
        r"\psi(d) + \psi(-e) \ge d e \quad (d \ge 0, \; 0 \le e < 1), \text{ with equality at } d = e / (1-e)",
        barrier_young(),
        _ours(WEI_2018, "Stability of follow-the-regularised-leader with the logarithmic barrier."),
        uses=("scalar.log_upper",),
    ),
    _claim(
        "logistic_curvature",
        "Curvature of the Hellinger affinity of logistic links",
        (
            r"\frac{\sinh^2((y-z)/4)}{\cosh(y/2) \cosh(z/2)} \ge \frac{(y-z)^2}{4 \zeta}, \quad \zeta = 2 + 2 \cosh H "
            r"\quad (|y|, |z| \le H), \text{ with } y = 2(u+v),\, z = 2(u-v),\, H = 2(u+v) + h"
        ),
        logistic_curvature(),
        _ours(ZHU_2023, "From probabilities of comparisons back to reward differences."),
    ),
)
