r"""Confidence radii of DR-RPO with explicit constants, as expressions.

For ridge :math:`\lambda \ge 1`, failure probability :math:`\delta` and K episodes, the empirical factor backups are
within :math:`\beta_h \sqrt{(\Lambda_h^{-1})_{ii}}` of the true ones at the optimistic values, for all episodes, stages
and factors at once, with probability :math:`1 - \delta`. Here b is the cap of the next values, and
:math:`L = B_{h+2} + \beta_{h+1} / \sqrt\lambda` (0 if h + 1 = H) the width of the box of vectors
:math:`\theta + \hat\nu + \beta g` that the next values are functions of: the cover is over d numbers, because the bonus
is linear in the features. The radii are computed backwards, from :math:`\beta_H = 0`.
"""

import sympy as sp

from theory.symbols import H, K, d, delta, lam, sigma

b = sp.Symbol("b", positive=True)
"""Cap of the next values."""

L = sp.Symbol("L", nonnegative=True)
"""Width of the box of the next plan."""

HALF = sp.Rational(1, 2)

BASE = d * HALF * sp.log(1 + K / (lam * d)) + sp.log(H / delta)
"""Growth of the determinant, and a union over the stages."""


def _cover(width: sp.Expr) -> sp.Expr:
    return d * sp.log(sp.Max(1, sp.ceiling(width * sp.sqrt(K))))


_GRID = sp.log(sp.ceiling(2 * sp.sqrt(K)))
"""Logarithm of the number of thresholds alpha."""

_CAPPED = sp.Min(sigma, b)
_KEPT = 1 - sp.exp(-b / sigma)


def _radius(log_cover: sp.Expr) -> sp.Expr:
    return sp.sqrt(lam * d) + 1 + sp.sqrt(HALF * (BASE + log_cover))


_CHI2_DEVIATION = sp.sqrt(HALF * (BASE + _cover(2 * L / b) + _GRID + sp.log(2)))

BETAS: dict[str, sp.Expr] = {
    "tv_constrained": b * _radius(_cover(2 * L / b) + _GRID),
    "tv_regularised": _CAPPED * _radius(_cover(L / _CAPPED)),
    "kl_regularised": sigma * (sp.exp(b / sigma) - 1) * _radius(_cover(L / (sigma * _KEPT))),
    "chi2_regularised": (1 + b / (2 * sigma)) * b * (sp.sqrt(lam * d) + 1 + _CHI2_DEVIATION)
    + b**2 * (sp.sqrt(lam * d) + 2 + _CHI2_DEVIATION) / (4 * sigma),
}
"""Radius beta of one stage, by kind of set."""
