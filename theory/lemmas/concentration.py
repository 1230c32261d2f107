r"""Concentration of empirical means and laws, with the constants that the bonuses are made of."""

import sympy as sp

from theory.claim import Bound, Claim, Kind, Level, Origin, Source
from theory.references import BOUCHERON_2013, MAURER_2009
from theory.symbols import delta, deviation, n, variance

HOEFFDING_RADIUS = sp.sqrt(sp.log(1 / delta) / (2 * n))
"""One-sided deviation of the mean of n independent observations in [0, 1]."""

EMPIRICAL_BERNSTEIN_RADIUS = sp.sqrt(2 * variance * sp.log(2 / delta) / n) + sp.Rational(7, 3) * sp.log(2 / delta) / (
    n - 1
)
"""The same with the sample variance (n - 1 in its denominator) in the place of the variance."""

HOEFFDING = Claim(
    id="concentration.hoeffding",
    title="Hoeffding's inequality",
    statement=r"P\Big( \hat\mu_n - \mu \ge \sqrt{\tfrac{\log(1/\delta)}{2n}} \Big) \le \delta",
    kind=Kind.HIGH_PROBABILITY,
    source=Source(Origin.FOLKLORE, BOUCHERON_2013, "Theorem 2.8"),
    expected=Level.SUPPORTED,
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

CLAIMS = (HOEFFDING, EMPIRICAL_BERNSTEIN)
