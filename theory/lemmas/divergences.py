r"""Divergences between laws on a finite set, and what they say about means.

Notation: :math:`\mathrm{TV}(p, q) = \frac12 \| p - q \|_1`, :math:`\mathrm{KL}(p | q) = \sum_i p_i \log(p_i / q_i)`,
:math:`\chi^2(p | q) = \sum_i (p_i - q_i)^2 / q_i`, :math:`\mathrm{Hel}^2(p, q) = \sum_i (\sqrt{p_i} - \sqrt{q_i})^2`.
The chain of inequalities runs :math:`2 \mathrm{TV}^2 \le \mathrm{KL} \le \log(1 + \chi^2)`, and through the Hellinger
distance. The second half turns a bound on :math:`\mathrm{KL}(\hat p | p)`, which concentration delivers, into bounds on
the mean :math:`p f` of a function with values in :math:`[0, M]`: uniformly over functions, hence also for those chosen
after seeing the data.
"""

from typing import Any

from theory.claim import Claim, Kind, Level, Origin, Paper, Source
from theory.lemmas.scalar import TSYBAKOV_2009
from theory.references import BOUCHERON_2013, LATTIMORE_2020, TIAPKIN_2024

IN_LAWS = "a statement about laws on any finite set"


def round_trip_constant(steps: Any) -> Any:
    """Return the constant c_H = (H + 1) (6 H + 5) / (6 H) of the round trip between empirical and true means."""
    return (steps + 1) * (6 * steps + 5) / (6 * steps)


def _claim(
    name: str, title: str, statement: str, kind: Kind, source: Source, expected: Level = Level.SUPPORTED, **more: Any
) -> Claim:
    if "bound" not in more:
        more.setdefault("no_bound", IN_LAWS)
    return Claim(f"divergences.{name}", title, statement, kind, source, expected, **more)


def _book(paper: Paper, where: str, note: str = "") -> Source:
    return Source(Origin.FOLKLORE, paper, where, note)


def _ours(paper: Paper, note: str = "") -> Source:
    return Source(Origin.DERIVED, paper, note=note)


CHAIN = (
    _claim(
        "pinsker",
        "Pinsker's inequality",
        r"\mathrm{KL}(p | q) \ge 2\, \mathrm{TV}(p, q)^2",
        Kind.INEQUALITY,
        _book(TSYBAKOV_2009, "Lemma 2.5"),
        uses=("scalar.pinsker", "divergences.data_processing"),
    ),
    _claim(
        "bretagnolle_huber",
        "Bretagnolle-Huber inequality",
        r"\mathrm{TV}(p, q)^2 \le 1 - e^{- \mathrm{KL}(p | q)}",
        Kind.INEQUALITY,
        _book(LATTIMORE_2020, "Theorem 14.2", "step of its proof"),
        uses=("scalar.bretagnolle_huber", "divergences.data_processing"),
    ),
    _claim(
        "chi_square",
        "Relative entropy below the logarithm of chi-square",
        r"\mathrm{KL}(p | q) \le \log(1 + \chi^2(p | q)) \le \chi^2(p | q)",
        Kind.INEQUALITY,
        _book(TSYBAKOV_2009, "Lemma 2.7"),
        uses=("scalar.log_upper",),
    ),
    _claim(
        "reverse_pinsker",
        "Reverse Pinsker inequality",
        r"\mathrm{KL}(p | q) \le \log \Big( 1 + \frac{2\, \mathrm{TV}(p, q)^2}{\min_i q_i} \Big)",
        Kind.INEQUALITY,
        _ours(TSYBAKOV_2009, "Equality for a point mass against a fair coin."),
        uses=("divergences.chi_square",),
    ),
    _claim(
        "hellinger_lower",
        "Relative entropy above the Hellinger distance",
        r"\mathrm{KL}(p | q) \ge - 2 \log \big( 1 - \tfrac12 \mathrm{Hel}^2(p, q) \big) \ge \mathrm{Hel}^2(p, q)",
        Kind.INEQUALITY,
        _book(TSYBAKOV_2009, "Lemma 2.4"),
        uses=("scalar.log_upper",),
    ),
    _claim(
        "hellinger_upper",
        "Relative entropy below the Hellinger distance for bounded likelihood ratios",
        r"\mathrm{KL}(p | q) \le (2 + \log V)\, \mathrm{Hel}^2(p, q), \quad V = \max_i p_i / q_i",
        Kind.INEQUALITY,
        _ours(TIAPKIN_2024),
        uses=("scalar.hellinger_above", "scalar.hellinger_below"),
    ),
    _claim(
        "hellinger_total_variation",
        "Total variation between Hellinger distances",
        r"\tfrac12 \mathrm{Hel}^2(p, q) \le \mathrm{TV}(p, q) \le "
        r"\sqrt{\mathrm{Hel}^2(p, q) \big( 1 - \tfrac14 \mathrm{Hel}^2(p, q) \big)}",
        Kind.INEQUALITY,
        _book(TSYBAKOV_2009, "Lemma 2.3"),
    ),
    _claim(
        "data_processing",
        "Data processing inequality",
        r"D(p W, q W) \le D(p, q) \text{ for a stochastic matrix } W \text{ and } D = \mathrm{TV}, \mathrm{KL}, \chi^2",
        Kind.INEQUALITY,
        _book(BOUCHERON_2013, "Chapter 4", "convexity of f-divergences"),
    ),
    _claim(
        "chapman_robbins",
        "Chi-square bounds differences of means by standard deviations",
        r"(p f - q f)^2 \le \chi^2(p | q)\, \mathrm{Var}_q(f)",
        Kind.INEQUALITY,
        _ours(TSYBAKOV_2009, "Cauchy-Schwarz inequality; equality for f = p / q."),
    ),
)

DUALITY = (
    _claim(
        "donsker_varadhan",
        "Variational formula of Donsker and Varadhan",
        r"\mathrm{KL}(p | q) = \sup_f \; p f - \log \sum_i q_i e^{f_i}",
        Kind.IDENTITY,
        _book(BOUCHERON_2013, "Chapter 4", "duality of entropy and exponential moments"),
        Level.CERTIFIED,
        uses=("regularised_values.gibbs",),
    ),
    _claim(
        "coupling",
        "Total variation is the price of the best coupling",
        r"\mathrm{TV}(p, q) = \min \big\{ P(X \ne Y) : X \sim p,\ Y \sim q \big\}",
        Kind.IDENTITY,
        _ours(TSYBAKOV_2009, "The maximal coupling keeps min(p_i, q_i) on the diagonal."),
        Level.CERTIFIED,
    ),
    _claim(
        "events",
        "Total variation is the largest difference on an event",
        r"\tfrac12 \| p - q \|_1 = \max_{A} \, p(A) - q(A)",
        Kind.IDENTITY,
        _book(TSYBAKOV_2009, "Lemma 2.1"),
        Level.CERTIFIED,
    ),
    _claim(
        "chain_rule",
        "Chain rule of the relative entropy",
        r"\mathrm{KL}(p_{XY} | q_{XY}) = \mathrm{KL}(p_X | q_X) + \mathbb E_{x \sim p_X} "
        r"\mathrm{KL}(p_{Y|x} | q_{Y|x})",
        Kind.IDENTITY,
        _book(BOUCHERON_2013, "Chapter 4", "chain rule"),
        Level.CERTIFIED,
    ),
)

MEANS = (
    _claim(
        "span_deviation",
        "Means of functions by their span",
        r"| \hat p f - p f | \le \mathrm{span}(f) \sqrt{\mathrm{KL}(\hat p | p) / 2}",
        Kind.INEQUALITY,
        _ours(TIAPKIN_2024),
        uses=("divergences.pinsker",),
    ),
    _claim(
        "bernstein_variational",
        "Change of measure with a variance",
        r"p u \le \sqrt{2 \mathrm{Var}_q(u)\, \mathrm{KL}(p | q)} + \tfrac b3 \mathrm{KL}(p | q) "
        r"\quad (q u = 0,\ u \le b)",
        Kind.INEQUALITY,
        _ours(TIAPKIN_2024),
        uses=("divergences.donsker_varadhan", "scalar.bernstein_mgf"),
    ),
    _claim(
        "true_mean",
        "The true mean from the empirical one",
        r"p f \le \Big( \sqrt{\tfrac{M x}{2}} + \sqrt{\tfrac{M x}{2} + \hat p f} \Big)^2 "
        r"\quad (0 \le f \le M,\ x = \mathrm{KL}(\hat p | p))",
        Kind.INEQUALITY,
        _ours(TIAPKIN_2024),
        uses=("divergences.donsker_varadhan", "scalar.exp_negative"),
    ),
    _claim(
        "empirical_mean",
        "The empirical mean from the true one",
        r"\hat p f \le p f + \sqrt{2 M x\, p f} + \tfrac{M x}{3} \quad (0 \le f \le M,\ x = \mathrm{KL}(\hat p | p))",
        Kind.INEQUALITY,
        _ours(TIAPKIN_2024),
        uses=("divergences.bernstein_variational",),
    ),
    _claim(
        "round_trip_scalar",
        "Round trip between means, scalar form",
        (
            r"\Big( \sqrt{\tfrac12} + \sqrt{\tfrac12 + m + \sqrt{2 m} + \tfrac13} \Big)^2 \le (1 + k)^2 m + c, \quad "
            r"c = \frac{(1 + k)(6 + 5 k)}{6 k} \quad (m = q^2 / 2 \ge 0,\ 0 < k \le \tfrac12,\ k = 1/H)"
        ),
        Kind.INEQUALITY,
        _ours(TIAPKIN_2024, "Homogeneous: the radius x and the range M are scaled to one. The root is squared away."),
        Level.PROVED,
        no_bound="polynomial in q and k after squaring",
    ),
    _claim(
        "round_trip",
        "Round trip between empirical and true means",
        (
            r"\min \Big\{ M, \Big( \sqrt{\tfrac{M x}{2}} + \sqrt{\tfrac{M x}{2} + \hat p f} \Big)^2 \Big\} \le "
            r"\big( 1 + \tfrac1H \big)^2 p f + c_H M \min(1, x), \quad c_H = \frac{(H + 1)(6 H + "
            r"5)}{6 H} \quad (H \ge 2)"
        ),
        Kind.INEQUALITY,
        _ours(TIAPKIN_2024),
        uses=("divergences.empirical_mean", "divergences.round_trip_scalar"),
    ),
)

CLAIMS = (*CHAIN, *DUALITY, *MEANS)
