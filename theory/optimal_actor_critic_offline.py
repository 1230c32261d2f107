r"""Optimistic actor-critics that start from offline data, and actor-critics without optimism that need them.

*Hybrid NORA* starts its counts, covariances or losses from the offline transitions and is otherwise unchanged. With
:math:`a = \max(n_{off}, 1)` offline visits its potential is a water filling

.. math:: G_h = \max\Big\{ \sum_{s, a} \big( \sqrt{a + x - \tfrac12} - \sqrt{a - \tfrac12} \big) : x \ge 0,\
          \textstyle\sum x = T \Big\}, \qquad
          \Gamma_h = \max\Big\{ \sum_i \log\big( 1 + x_i / \lambda_i(\Lambda_{off, h}) \big) : x \ge 0,\
          \textstyle\sum x = T \Big\},

which interpolates between :math:`\sqrt{SAT}` without data and :math:`T / (2 \sqrt{n_{off}})`. *NOAH* has no bonus. Its
bound is linear in T with the slope

.. math:: C_{off} = \sum_h \sum_{s, a} d^\star_h(s, a) (H - h) \min\Big\{ 1, \sqrt{\frac{\iota}{2 n_{off, h}(s, a)}}
          \Big\} .

All statements are conditional on the offline data. Everything here is ours, after the announcement of Tan, Fan and Wei
(2025) that offline data help and that enough of them, in proportion to the concentrability, replace optimism.
"""

import sympy as sp

from theory import optimal_actor_critic_parameters as parameters
from theory.assumptions import KNOWN_REWARDS, UNIT_REWARDS
from theory.claim import Bound, Kind, Level, Origin
from theory.optimal_actor_critic import LINEAR_MODEL, bounded, claim
from theory.symbols import H, S, error

HYBRID_POTENTIAL = 4 * sp.sqrt(parameters.IOTA_HYBRID) * parameters.WATER + parameters.UNSEEN
"""Bellman errors met with offline data."""

COVERAGE_LOSS = H * (H - 1) / 2 * sp.sqrt(parameters.IOTA * parameters.CONCENTRABILITY * S / parameters.OFFLINE)
"""C_off at most, if the data have their share of visits everywhere."""

RIDGE_WITH_DATA = (
    "concentration.self_normalised",
    "elliptical_potential.ridge_projection",
    "width_staleness",
    "water_filling_determinant",
    "width_potential",
)
"""What confidence sets of ridge regressions and sums of their widths rest on."""

CLAIMS = (
    claim(
        "hybrid_tabular_regret",
        "Regret of the tabular NORA with offline data",
        (
            r"\text{With probability at least } 1 - \delta - \delta':\quad \mathrm{Reg}(T) \le \sum_h 4 (H - h) "
            r"\sqrt\iota\, G_h + \sum_h (H - h)\, \#\{ n_{off, h} = 0 \} + \frac{H(H-1)}{2} \sqrt{\tfrac T2 \log "
            r"\tfrac1{\delta'}} + \frac{H W_A}{\eta} N \Big( 1 + \log \frac TN \Big), \quad N \le 1 + \sum_{h < H} "
            r"\sum_{s, a} \Big[ \log_2 \frac{n_{off} + T}{a} + 1\{ n_{off} = 0 \} \Big],\ \iota = S \log 2 + \log "
            r"\tfrac{HSA (T + N_{off})}{\delta}"
        ),
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        bound=bounded(parameters.NORA_H),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=(
            "optimism_gap",
            "hybrid_tabular_potential",
            "elliptical_potential.count_doubling",
            "tracking_run",
            "azuma",
        ),
    ),
    claim(
        "hybrid_tabular_potential",
        "Bellman errors that the tabular NORA with offline data meets",
        (
            r"\text{On the event}\quad \sum_{t \le T} \sum_h \delta_h(s_h^t, a_h^t) \le \sum_h 4 (H - h) \sqrt\iota\, "
            r"G_h + \sum_h (H - h)\, \#\{ n_{off, h} = 0 \}, \quad \iota = S \log 2 + \log \tfrac{HSA (T + "
            r"N_{off})}{\delta}"
        ),
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="Realised, along the trajectories.",
        bound=Bound(sp.Le(error, HYBRID_POTENTIAL, evaluate=False)),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=("concentration.weissman", "optimism_step", "midpoint_sum", "water_filling_counts"),
    ),
    claim(
        "hybrid_linear_regret",
        "Regret of the linear NORA with offline data",
        (
            r"\text{With probability at least } 1 - \delta - \delta':\quad \mathrm{Reg}(T) \le 2 \sqrt2\, \beta \sum_h "
            r"\sqrt{\frac{T\, \Gamma_h}{\log 2}} + \frac{H(H+1)}{2} \sqrt{\tfrac T2 \log \tfrac1{\delta'}} + \frac{H "
            r"W_A}{\eta} N \Big( 1 + \log \frac TN \Big), \quad N \le 1 + \sum_h \Gamma_h / \log 2"
        ),
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        from_tier="full",
        note="Water filling in the eigenvalues of the offline covariances. The radius is that of T + N_off episodes.",
        bound=bounded(parameters.NORA_H_LINEAR),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS, LINEAR_MODEL),
        uses=(
            "optimism_gap",
            "optimism_step",
            *RIDGE_WITH_DATA,
            "elliptical_potential.ridge_norm",
            "net_distance",
            "tracking_run",
            "azuma",
        ),
    ),
    claim(
        "noah_tabular_regret",
        "Regret of the tabular NOAH",
        (
            r"\text{With probability at least } 1 - \delta - \delta':\quad \mathrm{Reg}(T) \le T\, C_{off} + \sum_h "
            r"2 (H - h) \sqrt\iota\, G_h + \sum_h (H - h)\, \#\{ n_{off, h} = 0 \} + H (H - 1) \sqrt{\tfrac T2 \log "
            r"\tfrac1{\delta'}} + \frac{H W_A}{\eta} N \Big( 1 + \log \frac TN \Big)"
        ),
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        note=(
            "Iota as in hybrid NORA. Without a bonus the slope is needed: regret can be linear if the data miss the "
            "optimal policy."
        ),
        bound=bounded(parameters.NOAH_T),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=(
            "optimism_gap",
            "optimal_value_gap",
            "concentration.weissman",
            "midpoint_sum",
            "water_filling_counts",
            "elliptical_potential.count_doubling",
            "tracking_run",
            "azuma",
        ),
    ),
    claim(
        "noah_linear_regret",
        "Regret of the linear NOAH",
        (
            r"\text{With probability at least } 1 - \delta - \delta':\quad \mathrm{Reg}(T) \le T \sum_h \mathbb "
            r"E_{d^\star} \big[ \min\{ B_h, \beta_0 \|\phi\|_{\Lambda_{off,h}^{-1}} \} \big] + \sqrt2\, \beta_0 "
            r"\sum_h \sqrt{\frac{T\, \Gamma_h}{\log 2}} + H (H + 1) \sqrt{\tfrac T2 \log \tfrac1{\delta'}} + "
            r"\frac{H W_A}{\eta} N \Big( 1 + \log \frac TN \Big)"
        ),
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        from_tier="full",
        note=(
            "The radius is that of hybrid NORA but for its net of targets, of min{S log(1 + 2 sqrt(T)), d log(1 + 8 "
            "T)} without a bonus, and of order sqrt(d), not d."
        ),
        bound=bounded(parameters.NOAH_LINEAR),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS, LINEAR_MODEL),
        uses=(
            "optimism_gap",
            "optimal_value_gap",
            *RIDGE_WITH_DATA,
            "elliptical_potential.ridge_norm",
            "tracking_run",
            "azuma",
        ),
    ),
    claim(
        "noah_samples",
        "Offline samples that replace optimism",
        (
            r"d^\star_h \le c^\star \mu_h,\ n_{off} \ge \tfrac12 N_{off} \mu_h:\quad C_{off} \le \frac{H (H - 1)}{2} "
            r"\sqrt{\frac{\iota c^\star S}{N_{off}}}, \text{ so that } N_{off} \ge \frac{c^\star S H^2 (H - 1)^2 "
            r"\iota}{4 \varepsilon^2} \implies C_{off} \le \varepsilon"
        ),
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="Compare the announced number, c* d H^4 / epsilon^2. Equality for evenly spread visits and data.",
        bound=Bound(sp.Le(error, COVERAGE_LOSS, evaluate=False)),
    ),
    claim(
        "noah_without_data",
        "Neither optimism nor data: linear regret on a combination lock",
        r"\text{With probability at least } 0.95:\quad \mathrm{Reg}(T) = 0.9\, T - O(1) \text{ for NOAH without "
        r"offline data, on the lock with six stages and four actions}",
        Kind.COUNTEREXAMPLE,
        Level.SUPPORTED,
        origin=Origin.DERIVED,
        note="The first bad action pays 0.1; nothing ever makes the learner look behind it.",
        no_bound="a statement about the regret of runs at two times",
        uses=("noah_tabular_regret",),
    ),
)
