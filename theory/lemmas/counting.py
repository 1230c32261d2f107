r"""Sums over visits: the pigeonhole arguments at the end of every tabular regret proof.

A pair that is visited for the i-th time pays a bonus of order :math:`1/\sqrt i` or :math:`1/i`; the sums over i are
bounded by induction, and the sums over pairs by concavity.
"""

import sympy as sp

from theory.claim import Bound, Claim, Kind, Level, Origin, Source
from theory.references import AZAR_2017
from theory.symbols import i, n

INVERSE_ROOT = Claim(
    id="counting.inverse_root_sum",
    title="Sum of inverse roots",
    statement=r"\sum_{i=1}^n \tfrac{1}{\sqrt i} \le 2 \sqrt n - 1",
    kind=Kind.INEQUALITY,
    source=Source(
        Origin.DERIVED, AZAR_2017, note="The usual form is 2 sqrt(n); the -1 is free and gives equality at n = 1."
    ),
    expected=Level.PROVED,
    bound=Bound(sp.Le(sp.Sum(1 / sp.sqrt(i), (i, 1, n)), 2 * sp.sqrt(n) - 1)),
)

HARMONIC = Claim(
    id="counting.harmonic_sum",
    title="Harmonic sum",
    statement=r"\sum_{i=1}^n \tfrac1i \le 1 + \log n",
    kind=Kind.INEQUALITY,
    source=Source(Origin.DERIVED, AZAR_2017, note="By induction: equality at n = 1 by hand, the step by machine."),
    expected=Level.PROVED,
    bound=Bound(sp.Le(sp.Sum(1 / i, (i, 1, n)), 1 + sp.log(n))),
)

PIGEONHOLE = Claim(
    id="counting.pigeonhole",
    title="Pigeonhole bound on the sum of bonuses over visits",
    statement=(
        r"\sum_{k=1}^{K} \tfrac{1}{\sqrt{\max(1, N_k(x_k))}} \le 2\sqrt{|X| K}\quad"
        r"\text{for every sequence } x_1, \dots, x_K \in X,\ N_k \text{ the visits before } k"
    ),
    kind=Kind.INEQUALITY,
    source=Source(
        Origin.DERIVED,
        AZAR_2017,
        note="A pair visited N times pays at most 2 sqrt(N): no separate term for first visits is needed.",
    ),
    expected=Level.SUPPORTED,
    no_bound="a statement about all sequences of visits",
    uses=("counting.inverse_root_sum",),
)

CLAIMS = (INVERSE_ROOT, HARMONIC, PIGEONHOLE)
