r"""Regret in adversarial MDPs: full information, bandit feedback, linear action values, lower bounds.

Setting and notation are those of `theory.adversarial_ftrl`. With full information a theorem holds for every adversary
and the best policy in hindsight; with bandit feedback it bounds :math:`\mathbb E[\mathrm{Reg}(\pi^\star)]` for every
fixed :math:`\pi^\star` (pseudo-regret), which is the expected regret if the adversary does not see the policies.

The abstract of Dai, Luo, Wei and Zimmert (2023) states orders; these are claims of their own, and are tested by the
growth of the regret with K.
"""

import sympy as sp

from theory.adversarial_ftrl import ADMISSIBLE, LINEAR_VALUES, SIGNED_LOSSES, UNIT_LOSSES, bounded, claim
from theory.adversarial_ftrl_parameters import (
    BARRIER_BANDIT,
    BARRIER_LINEAR,
    BARRIER_LINEAR_CLOSED,
    BARRIER_PO,
    BARRIER_PO_LOCAL,
    DRAWN_LINEAR,
    ENTROPY_CLOSED,
    ENTROPY_PO,
    ENTROPY_PO_MIXED,
    HEDGE,
    HEDGE_SINGLE,
    LOWER_BANDIT,
    OREPS,
    OREPS_BANDIT,
    OREPS_UNIFORM,
    REDUCED_LINEAR,
    REDUCED_LINEAR_CLOSED,
    SOFT,
    WALK,
)
from theory.claim import Bound, Kind, Level, Origin
from theory.references import CESA_BIANCHI_2006, LUO_2021
from theory.symbols import H, regret

FULL_INFORMATION = (
    claim(
        "hedge",
        "Regret of Hedge in every state, a rate per stage",
        r"\mathrm{Reg} \le \tfrac{H (H + 1)}{2} \sqrt{K \log(A) / 2}, \quad \eta_h = \sqrt{8 \log(A) / K} / H_h",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="For every adversary, one that sees the policy too.",
        bound=bounded(HEDGE),
        assumptions=(UNIT_LOSSES,),
        uses=("value_difference.comparator_order", "mirror_descent.exponential_weights_range"),
    ),
    claim(
        "hedge_single_rate",
        "Regret of Hedge in every state, one rate",
        r"\mathrm{Reg} \le H \sqrt{(H + 1) (2 H + 1) K \log(A) / 12}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="For every adversary, one that sees the policy too.",
        bound=bounded(HEDGE_SINGLE),
        assumptions=(UNIT_LOSSES,),
        uses=("value_difference.comparator_order", "mirror_descent.exponential_weights_range"),
    ),
    claim(
        "soft",
        "Regret of soft dynamic programming",
        r"\mathrm{Reg} \le H^{3/2} \sqrt{K \log(A) / 2}, \quad \eta = \sqrt{8 \log(A) / (K H)}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="For every adversary, one that sees the policy too.",
        bound=bounded(SOFT),
        assumptions=(UNIT_LOSSES,),
        uses=("adversarial_ftrl.soft_optimality", "mirror_descent.exponential_weights_range"),
    ),
    claim(
        "oreps",
        "Regret of O-REPS with full information",
        r"\mathrm{Reg} \le H \sqrt{K \log(X A / H) / 2}, \quad \eta = \sqrt{8 \log(X A / H) / K}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="X counts the reachable states of all stages. For every adversary, one that sees the policy too.",
        bound=bounded(OREPS),
        assumptions=(UNIT_LOSSES,),
        uses=("adversarial_ftrl.oreps_projection", "mirror_descent.exponential_weights_range"),
    ),
    claim(
        "oreps_from_uniform",
        "Regret of O-REPS that starts from the uniform policy",
        r"\mathrm{Reg} \le \tfrac H2 \sqrt{(H + 1) K \log A}, \quad \eta = 2 \sqrt{(H + 1) \log(A) / K}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="Free of the number of states. For every adversary, one that sees the policy too.",
        bound=bounded(OREPS_UNIFORM),
        assumptions=(UNIT_LOSSES,),
        uses=("adversarial_ftrl.oreps_projection", "mirror_descent.exponential_weights_range"),
    ),
    claim(
        "barrier_worst_case",
        "The logarithmic barrier against all binary losses of two actions",
        r"\max_{\ell \in \{(1,0), (0,1)\}^K} \mathrm{Reg} \le \min_\alpha \frac{\log(1/\alpha) - \log(2 - "
        r"\alpha)}{\eta} "
        r"+ \frac{\eta K}{16} + \frac{\alpha K}{2}, \quad \eta = \sqrt{16 \log(K) / K}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="The left side by dynamic programming over the difference of the losses. For Hedge: "
        "mirror_descent.hedge_regret.",
        no_bound="the right side is a minimum over alpha",
        uses=("mirror_descent.barrier_regret",),
    ),
)

BANDIT = (
    claim(
        "oreps_bandit",
        "Regret of O-REPS with bandit feedback",
        r"\mathbb E\, \mathrm{Reg} \le \sqrt{2 H X A K \log(X A / H)}, \quad \eta = \sqrt{2 H \log(X A / H) / (X A "
        r"K)}",
        Kind.EXPECTATION,
        Level.SUPPORTED,
        bound=bounded(OREPS_BANDIT),
        assumptions=(UNIT_LOSSES,),
        uses=("adversarial_ftrl.oreps_projection", "mirror_descent.exponential_weights_nonnegative"),
    ),
    claim(
        "entropy_bonus",
        "Regret of policy optimisation with dilated bonuses, exponential weights",
        (
            r"\mathbb E\, \mathrm{Reg} \le \frac{H \log A}{\eta} + K A S \sum_h (1 + \omega)^h \big( (e - 2) \eta "
            r"H_h^2 "
            r"+ \gamma H_h \big) \quad \text{if } (e - 2) \bar y \le \omega,\ \bar y = \eta B_{\max} \le 1"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        bound=bounded(ENTROPY_PO),
        assumptions=(UNIT_LOSSES, ADMISSIBLE),
        uses=(
            "adversarial_ftrl.dilated_identity",
            "adversarial_ftrl.implicit_exploration",
            "adversarial_ftrl.exploration_sum",
            "mirror_descent.exponential_weights_bounded_below",
            "value_difference.comparator_order",
        ),
    ),
    claim(
        "entropy_bonus_mixed",
        "Policy optimisation with dilated bonuses, estimates and bonuses treated apart",
        (
            r"\text{As adversarial\_ftrl.entropy\_bonus, with } \kappa = \tfrac12 e^{\bar y} \text{ in place of } e "
            r"- 2 "
            r"\quad \text{if } (e^{\bar y} - 1 - \bar y) / \bar y \le \omega,\ \bar y = \eta B_{\max}"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        note="Sharper for many episodes: kappa tends to 1/2. Without the bonus the regret exceeds it on a long chain.",
        from_tier="full",
        bound=bounded(ENTROPY_PO_MIXED),
        assumptions=(UNIT_LOSSES, ADMISSIBLE),
        uses=(
            "adversarial_ftrl.dilated_identity",
            "adversarial_ftrl.implicit_exploration",
            "adversarial_ftrl.exploration_sum",
            "mirror_descent.mixed_losses",
            "value_difference.comparator_order",
        ),
    ),
    claim(
        "entropy_bonus_closed",
        "Policy optimisation with dilated bonuses, closed form",
        (
            r"\mathbb E\, \mathrm{Reg} \le 2 \sqrt{C(H)}\, H^2 \sqrt{S A K \log A} \le 3.71\, H^2 \sqrt{S A K \log "
            r"A} "
            r"\quad \text{for } K \ge 2.9\, H^4 \log(A) / (S A)"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        note="At omega = 1/H and gamma = eta H.",
        bound=bounded(ENTROPY_CLOSED),
        assumptions=(UNIT_LOSSES, ADMISSIBLE),
        uses=("adversarial_ftrl.entropy_bonus", "adversarial_ftrl.closed_constants"),
    ),
    claim(
        "barrier_bonus",
        "Regret of policy optimisation with dilated bonuses, logarithmic barrier",
        (
            r"\mathbb E\, \mathrm{Reg} \le \tfrac{H}{\eta} \big[ (A - 1) \log \tfrac1\alpha - \log(A (1 - \alpha) + "
            r"\alpha) "
            r"\big] + \alpha K \big[ \tfrac{H (H + 1)}{2} + H B_{\max} \big] + K A S \sum_h (1 + \omega)^h \big( "
            r"\tfrac14 \eta "
            r"H_h^2 + \gamma H_h \big) \quad \text{if } \tfrac14 \eta B_{\max} \le \omega"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        bound=bounded(BARRIER_PO),
        assumptions=(UNIT_LOSSES, ADMISSIBLE),
        uses=(
            "adversarial_ftrl.dilated_identity",
            "adversarial_ftrl.implicit_exploration",
            "adversarial_ftrl.exploration_sum",
            "mirror_descent.barrier_regret",
        ),
    ),
    claim(
        "barrier_bonus_local",
        "Policy optimisation with local bonuses, logarithmic barrier",
        (
            r"\mathbb E\, \mathrm{Reg} \le \tfrac{H}{\eta} \big[ (A - 1) \log \tfrac1\alpha - \log(A (1 - \alpha) + "
            r"\alpha) "
            r"\big] + \alpha K \big[ \tfrac{H (H + 1)}{2} + H B_{\max} \big] + K S \sum_h (1 + \omega)^h \big( "
            r"\tfrac12 \eta "
            r"H_h^2 + \gamma H_h A \big) \quad \text{if } \tfrac{\bar y}{2 (1 - \bar y)} \le \omega,\ \bar y < 1"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        note="The first part of the bonus is multiplied by the policy.",
        bound=bounded(BARRIER_PO_LOCAL),
        assumptions=(UNIT_LOSSES, ADMISSIBLE),
        uses=(
            "adversarial_ftrl.dilated_identity",
            "adversarial_ftrl.implicit_exploration",
            "adversarial_ftrl.exploration_sum",
            "mirror_descent.local_norm_scalar",
        ),
    ),
    claim(
        "barrier_bandit",
        "A bandit with losses of both signs, without exploration and without bonus",
        r"\mathbb E\, \mathrm{Reg} \le \frac{(A - 1) \log K}{\eta} + \min\Big\{ \frac{\eta A K}{4}, "
        r"\frac{\eta K}{2 (1 - \eta)} \Big\} + 2 \quad (H = S = 1,\ -1 \le \ell \le 1,\ \eta < 1)",
        Kind.EXPECTATION,
        Level.SUPPORTED,
        note="Logarithmic barrier on importance-weighted losses; exponential weights have linear regret there.",
        bound=bounded(BARRIER_BANDIT),
        assumptions=(SIGNED_LOSSES,),
        uses=("mirror_descent.barrier_regret", "mirror_descent.local_norm_scalar"),
    ),
)

LINEAR_USES = (
    "adversarial_ftrl.dilated_identity",
    "adversarial_ftrl.linear_estimate",
    "adversarial_ftrl.linear_bias",
    "value_difference.comparator_order",
)
LINEAR_CONDITIONS = (UNIT_LOSSES, LINEAR_VALUES, ADMISSIBLE)

LINEAR = (
    claim(
        "barrier_linear",
        "Linear action values, logarithmic barrier",
        (
            r"\mathbb E\, \mathrm{Reg} \le \tfrac{H (A - 1) \log K}{\eta} + H [H (1 + 2 \sqrt d) + B_{\max}] + "
            r"\gamma d H^3 K "
            r"\Big[ \tfrac{1}{4 (\beta - \eta H^2 / 2)} + \tfrac{1}{4 \beta} \Big] + 2 \beta d K \sum_h (1 + "
            r"\omega)^h \quad "
            r"\text{if } \beta > \eta H^2 / 2,\ \tfrac\eta2 B_{\max} \le \omega"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note="Exact covariances and bonuses, from the known transitions.",
        bound=bounded(BARRIER_LINEAR),
        assumptions=LINEAR_CONDITIONS,
        uses=(*LINEAR_USES, "mirror_descent.barrier_regret"),
    ),
    claim(
        "barrier_linear_closed",
        "Linear action values, logarithmic barrier, closed form",
        (
            r"\mathbb E\, \mathrm{Reg} \le 5.72\, H^3 \sqrt{d K ((A - 1) \log K + 2 / H)} + H^2 (1 + 2 \sqrt d)"
            r"\quad (\omega = 1/H,\ \beta = \eta H^2,\ \gamma = (e - 1) H^4 \eta^2)"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note="The bound kept here is the sharper sum of which 5.72 is the constant at H = 1.",
        bound=bounded(BARRIER_LINEAR_CLOSED),
        assumptions=LINEAR_CONDITIONS,
        uses=("adversarial_ftrl.barrier_linear", "adversarial_ftrl.closed_constants"),
    ),
    claim(
        "reduced_linear",
        "Linear action values, exponential weights with magnitude-reduced estimates",
        (
            r"\mathbb E\, \mathrm{Reg} \le \tfrac{H \log A}{\eta} + \gamma d H^3 K \Big[ \tfrac{1}{4 (\beta - 2 (e "
            r"- 2) \eta "
            r"H^2)} + \tfrac{1}{4 \beta} \Big] + 2 \beta d K \sum_h (1 + \omega)^h \quad \text{if } \beta > 2 (e - "
            r"2) \eta H^2,\ "
            r"2 (e - 2) \eta B_{\max} \le \omega,\ \tfrac{\eta H}{2 \sqrt\gamma} + \eta B_{\max} \le 1"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note="Exact covariances, reductions and bonuses, from the known transitions.",
        bound=bounded(REDUCED_LINEAR),
        assumptions=LINEAR_CONDITIONS,
        uses=(
            *LINEAR_USES,
            "adversarial_ftrl.reduced_unbiased",
            "adversarial_ftrl.reduced_floor",
            "mirror_descent.exponential_weights_bounded_below",
        ),
    ),
    claim(
        "reduced_linear_closed",
        "Linear action values, magnitude-reduced estimates, closed form",
        r"\mathbb E\, \mathrm{Reg} \le 9.69\, H^3 \sqrt{d K \log A} \quad (\omega = 1/H,\ \beta = 4 (e - 2) \eta "
        r"H^2,\ "
        r"\gamma = 16 (e - 2)^2 (e - 1) H^4 \eta^2)",
        Kind.EXPECTATION,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note="The bound kept here is the sharper sum of which 9.69 is the constant at H = 1; A enters by its "
        "logarithm.",
        bound=bounded(REDUCED_LINEAR_CLOSED),
        assumptions=LINEAR_CONDITIONS,
        uses=("adversarial_ftrl.reduced_linear", "adversarial_ftrl.closed_constants"),
    ),
    claim(
        "plain_linear",
        "Linear action values, exponential weights with plain estimates",
        (
            r"\text{As adversarial\_ftrl.reduced\_linear, with } \tfrac{\eta H}{\gamma} + \eta B_{\max} \le 1 "
            r"\text{ in place of "
            r"the last condition}"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        note="What magnitude reduction is compared with; the condition forces gamma >= eta H and the exponent 2/3.",
        bound=bounded(REDUCED_LINEAR),
        assumptions=LINEAR_CONDITIONS,
        uses=(*LINEAR_USES, "mirror_descent.exponential_weights_bounded_below"),
    ),
    claim(
        "drawn_linear",
        "Linear action values, logarithmic barrier, covariances averaged over draws",
        (
            r"\mathbb E\, \mathrm{Reg} \le \tfrac{H (A - 1) \log K}{\eta} + H [H (1 + 4 \sqrt d) + B_{\max}] + "
            r"4 \gamma d H^3 K \Big[ \tfrac{1}{4 (\beta - \eta H^2)} + \tfrac{1}{4 \beta} \Big] + 4 \beta d K \sum_h "
            r"(1 + \omega)^h + \delta H K \quad \text{if } \beta > \eta H^2,\ \tfrac\eta2 B_{\max} \le \omega,\ "
            r"n \ge 9.25\, (1 + \tfrac1\gamma) \log \tfrac{2 d H K}{\delta}"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        note=(
            "Up to the first covariance that is off by more than a half the estimates have twice the variance and four "
            "times the squared bias; after it an episode costs at most H."
        ),
        from_tier="full",
        bound=bounded(DRAWN_LINEAR),
        assumptions=LINEAR_CONDITIONS,
        uses=(*LINEAR_USES, "adversarial_ftrl.covariance_average", "mirror_descent.barrier_regret"),
    ),
)

ONE_BANDIT = (
    "On one bandit of two arms with constant losses and exact covariances; says nothing about H, d or a simulator."
)

ORDERS = (
    claim(
        "barrier_order",
        "Order of the regret with the logarithmic barrier and a simulator",
        r"\mathbb E\, \mathrm{Reg} = \tilde O(\sqrt K)",
        Kind.RATE,
        Level.SUPPORTED,
        origin=Origin.STATED,
        where="abstract",
        note="Tested by growth, with the parameters that minimise adversarial_ftrl.barrier_linear at each K. "
        + ONE_BANDIT,
        from_tier="full",
        no_bound="an order",
        uses=("adversarial_ftrl.barrier_linear",),
    ),
    claim(
        "reduced_order",
        "Order of the regret with magnitude-reduced estimates and a simulator",
        r"\mathbb E\, \mathrm{Reg} = \tilde O(\sqrt K)",
        Kind.RATE,
        Level.SUPPORTED,
        origin=Origin.STATED,
        where="abstract",
        note="Tested by growth, with the parameters that minimise adversarial_ftrl.reduced_linear at each K. "
        + ONE_BANDIT,
        from_tier="full",
        no_bound="an order",
        uses=("adversarial_ftrl.reduced_linear",),
    ),
    claim(
        "plain_order",
        "Order of the regret of exponential weights with plain estimates and a simulator",
        r"\mathbb E\, \mathrm{Reg} = \tilde O(K^{2/3})",
        Kind.RATE,
        Level.SUPPORTED,
        origin=Origin.STATED,
        paper=LUO_2021,
        where="abstract",
        note=(
            "The order that the square root improves on. Tested by growth, on exponential weights with exact "
            "covariances and the parameters that minimise adversarial_ftrl.plain_linear at each K. " + ONE_BANDIT
        ),
        from_tier="full",
        no_bound="an order",
        uses=("adversarial_ftrl.plain_linear",),
    ),
    claim(
        "published_oreps",
        "The published constants of O-REPS follow",
        (
            r"\frac{2 H \sqrt{K \log(X A / H)}}{H \sqrt{K \log(X A / H) / 2}} = 2 \sqrt 2, \quad "
            r"\frac{2 \sqrt{H X A K \log(X A / H)}}{\sqrt{2 H X A K \log(X A / H)}} = \sqrt 2"
        ),
        Kind.IDENTITY,
        Level.PROVED,
        note=(
            "Numerators: the bounds with full information and with bandit feedback in the abstract of Zimin and Neu "
            "(2013); denominators: adversarial_ftrl.oreps and adversarial_ftrl.oreps_bandit."
        ),
        no_bound="two ratios of bounds",
        uses=("adversarial_ftrl.oreps", "adversarial_ftrl.oreps_bandit"),
    ),
)

LOWER = (
    claim(
        "bandit_lower_bound",
        "Every algorithm with bandit feedback",
        (
            r"\mathbb E\, \mathrm{Reg} \ge 0.233\, (1 - \tfrac1A)^2 H \sqrt{S A K} / \sqrt{1 + S / K} \quad "
            r"\text{on hidden actions of gap } \varepsilon = c \sqrt{A S / K} \le \tfrac14"
        ),
        Kind.LOWER_BOUND,
        Level.SUPPORTED,
        note=(
            "On average over the hidden actions. Transitions do not depend on the action; a learner is charged the "
            "mean losses of its policies."
        ),
        bound=Bound(sp.Ge(regret, LOWER_BANDIT, evaluate=False)),
        uses=("scalar.pinsker",),
    ),
    claim(
        "full_information_lower_bound",
        "Every algorithm with full information, two actions",
        r"\mathbb E\, \mathrm{Reg} \ge \tfrac H2\, \mathbb E |R_K| = \tfrac H2 \cdot "
        r"\frac{K \binom{K-1}{\lfloor (K-1)/2 \rfloor}}{2^{K-1}} \quad \text{on fair coins } (1, 0), (0, 1)",
        Kind.LOWER_BOUND,
        Level.CERTIFIED,
        paper=CESA_BIANCHI_2006,
        note=(
            "An equality, whoever learns; by enumeration of all coins against a learner that plays an action in "
            "proportion to what the other one has cost."
        ),
        bound=Bound(sp.Ge(regret, H / 2 * WALK, evaluate=False)),
    ),
)

CLAIMS = (*FULL_INFORMATION, *BANDIT, *LINEAR, *ORDERS, *LOWER)
