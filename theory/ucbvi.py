r"""UCBVI: optimism and regret with explicit constants.

Rewards are known, deterministic and in [0, 1]; transitions are unknown; stages are numbered from one. With :math:`L_K
= \log(6SAHK/\delta)` the Hoeffding variant for kernels that may depend on the stage uses the bonus
:math:`(H-h)\min\{1, \sqrt{L_K/(2n)}\}` and clips at :math:`H-h+1`. Its regret bound is an explicit-constant version
of what Azar, Osband and Munos (2017) show; it is not printed there. The bounds of that paper's own two algorithms
(one kernel for all stages) are quoted from memory of the paper and marked so in their notes.
"""

import sympy as sp

from theory.assumptions import KNOWN_REWARDS, STATIONARY, UNIT_REWARDS
from theory.claim import Bound, Claim, Kind, Level, Origin, Source
from theory.references import AZAR_2017
from theory.symbols import A, H, K, S, delta, i, regret

RECALLED = "Constants as recalled, not compared with the printed text."

LOG_HOEFFDING = sp.log(6 * S * A * H * K / delta)
"""L_K of the Hoeffding variant."""

BETA_KL = sp.log(3 * S * A * H / delta) + sp.Sum(sp.log(1 + K / i), (i, 1, S - 1))
"""Radius of the time-uniform Kullback-Leibler ball around an empirical kernel, at K samples."""

HOEFFDING_REGRET = sp.E * (
    8 * sp.sqrt(2) * H * (H - 1) * sp.sqrt(S * A * K * LOG_HOEFFDING)
    + 16 * (H**2 / sp.Integer(2) + H / sp.Integer(3)) * (H - 1) * S * A * BETA_KL * sp.log(1 + K)
)
"""Regret of the Hoeffding variant."""

_T = K * H
_L_CH = sp.log(5 * S * A * _T / delta)
_L_BF = sp.log(5 * H * S * A * _T / delta)

CHERNOFF_HOEFFDING_REGRET = 20 * H * _L_CH * sp.sqrt(S * A * _T) + 250 * H**2 * S**2 * A * _L_CH**2
"""Regret of UCBVI-CH."""

BERNSTEIN_REGRET = (
    30 * H * _L_BF * sp.sqrt(S * A * K)
    + 2500 * H**2 * S**2 * A * _L_BF**2
    + 4 * H ** sp.Rational(3, 2) * sp.sqrt(K * _L_BF)
)
"""Regret of UCBVI-BF."""

TRIVIAL = K * H
"""Regret that no policy can exceed with rewards in [0, 1]."""

OPTIMISM = Claim(
    id="ucbvi.optimism",
    title="Plans with Hoeffding bonuses are optimistic",
    statement=r"P\big(\exists k, h, s, a : Q_{k,h}(s, a) < Q^\star_h(s, a)\big) \le \delta",
    kind=Kind.HIGH_PROBABILITY,
    source=Source(
        Origin.EXPLICIT, AZAR_2017, note="Kernels may depend on the stage; bonus (H-h) min{1, sqrt(L/(2n))}."
    ),
    expected=Level.SUPPORTED,
    no_bound="the statement bounds a probability by delta",
    assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
    uses=("concentration.hoeffding",),
)

STAGE_CEILING = Claim(
    id="ucbvi.stage_ceiling",
    title="No planned value exceeds the rewards that are left",
    statement=r"Q_{k,h}(s, a) \le H - h + 1",
    kind=Kind.INEQUALITY,
    source=Source(Origin.EXPLICIT, AZAR_2017, note="For the Hoeffding variant; the paper's own variants clip at H."),
    expected=Level.SUPPORTED,
    no_bound="a statement about all pairs of all plans",
    assumptions=(UNIT_REWARDS,),
)

HOEFFDING = Claim(
    id="ucbvi.hoeffding_regret",
    title="Regret of UCBVI with Hoeffding bonuses",
    statement=(
        r"\text{With probability at least } 1 - \delta:\quad "
        r"\mathrm{Regret}_K \le e \Big[ 8\sqrt2\, H(H-1)\sqrt{SAK L_K} "
        r"+ 16 \big(\tfrac{H^2}{2} + \tfrac{H}{3}\big)(H-1) SA\, \beta_K \log(1+K) \Big]"
    ),
    kind=Kind.HIGH_PROBABILITY,
    source=Source(
        Origin.EXPLICIT,
        AZAR_2017,
        note="Kernels may depend on the stage; constants tracked by us; a pair without a visit is worth r + H - h.",
    ),
    expected=Level.SUPPORTED,
    bound=Bound(sp.Le(regret, HOEFFDING_REGRET)),
    assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
    uses=(
        "ucbvi.optimism",
        "ucbvi.stage_ceiling",
        "value_difference.telescoping",
        "counting.inverse_root_sum",
        "counting.harmonic_sum",
    ),
)

CEILING = Claim(
    id="ucbvi.unvisited_at_ceiling",
    title="The same bound when a pair without a visit is worth the ceiling H - h + 1",
    statement=r"\text{As ucbvi.hoeffding\_regret, with } Q_{k,h}(s, a) = H - h + 1 \text{ where } n = 0",
    kind=Kind.COUNTEREXAMPLE,
    source=Source(Origin.DERIVED, AZAR_2017, note="How optimistic initialisation is usually described."),
    expected=Level.REFUTED,
    erratum=(
        "False for H = 1: the bound is 0, for the rewards are known and nothing is left to learn, but every arm is "
        "tried once. The last stage must not be optimistic: start from r + H - h."
    ),
    bound=Bound(sp.Le(regret, HOEFFDING_REGRET)),
    assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
)

CHERNOFF_HOEFFDING = Claim(
    id="ucbvi.chernoff_hoeffding_regret",
    title="Regret of UCBVI-CH",
    statement=(
        r"\text{With probability at least } 1 - \delta:\quad "
        r"\mathrm{Regret}_K \le 20 H L \sqrt{SAT} + 250 H^2 S^2 A L^2,"
        r"\quad L = \log(5SAT/\delta),\ T = KH"
    ),
    kind=Kind.HIGH_PROBABILITY,
    source=Source(Origin.STATED, AZAR_2017, "Theorem 1", note=RECALLED),
    expected=Level.SUPPORTED,
    from_tier="full",
    bound=Bound(sp.Le(regret, CHERNOFF_HOEFFDING_REGRET)),
    assumptions=(UNIT_REWARDS, KNOWN_REWARDS, STATIONARY),
    uses=("concentration.hoeffding", "value_difference.telescoping", "counting.inverse_root_sum"),
)

BERNSTEIN = Claim(
    id="ucbvi.bernstein_regret",
    title="Regret of UCBVI-BF",
    statement=(
        r"\text{With probability at least } 1 - \delta:\quad "
        r"\mathrm{Regret}_K \le 30 H L \sqrt{SAK} + 2500 H^2 S^2 A L^2 "
        r"+ 4 H^{3/2} \sqrt{K L},\quad L = \log(5HSAT/\delta),\ T = KH"
    ),
    kind=Kind.HIGH_PROBABILITY,
    source=Source(Origin.STATED, AZAR_2017, "Theorem 2", note=RECALLED),
    expected=Level.SUPPORTED,
    from_tier="soak",
    bound=Bound(sp.Le(regret, BERNSTEIN_REGRET)),
    assumptions=(UNIT_REWARDS, KNOWN_REWARDS, STATIONARY),
    uses=("concentration.empirical_bernstein", "value_difference.telescoping", "counting.inverse_root_sum"),
)

ROOT_RATE = Claim(
    id="ucbvi.worst_case_rate",
    title="Worst-case regret of UCBVI over gaps grows as the root of K, up to a logarithm",
    statement=r"\sup_{\Delta} \mathbb E\,\mathrm{Regret}_K = O(\sqrt{K \log K})",
    kind=Kind.RATE,
    source=Source(
        Origin.DERIVED,
        AZAR_2017,
        note="Two-armed instances; the fitted exponent is resolved to 0.1 only, the logarithm included.",
    ),
    expected=Level.SUPPORTED,
    no_bound="a rate: the exponent 1/2 up to a logarithm is claimed, no constant",
    uses=("ucbvi.hoeffding_regret",),
)

CLAIMS = (OPTIMISM, STAGE_CEILING, HOEFFDING, CEILING, CHERNOFF_HOEFFDING, BERNSTEIN, ROOT_RATE)
