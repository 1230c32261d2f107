r"""DR-RPO: optimistic robust learning with regularised policies in linear MDPs, with explicit constants.

The paper's abstract announces sublinear regret for online policy optimisation in d-rectangular robust linear MDPs,
matching value-based methods. Its text was not available to us: every statement with constants below is ours, for the
regularised optimistic value step of ``solvers.dr_rpo``, which may differ from the paper's update. Stages are numbered
from one; :math:`\nu` is a factor backup of `theory.lemmas.robust_duality`, :math:`g_i = \sqrt{(\Lambda_h^{-1})_{ii}}`,
:math:`\beta_h` the radii of `theory.dr_rpo_parameters`, and *the event* is

.. math:: |\hat\nu^k_{h,i} - \nu_{h,i}(\hat V^k_{h+1})| \le \beta_h g^k_{h,i} \quad \text{for all } k \le K, h < H, i .

Values are robust and regularised, at the temperature :math:`\eta` and the reference :math:`\tilde\pi`.
"""

import sympy as sp

from theory.assumptions import UNIT_REWARDS
from theory.claim import Assumption, Bound, Claim, Fails, Holds, Kind, Level, Origin, Source
from theory.references import GU_2025, LIU_2024
from theory.symbols import H, K, beta, delta, error, eta, lam, n, regret, rho, t

SUMS = "both sides are sums over a model, not expressions in scalars"
VECTORS = "a statement about vectors or matrices"

pi_min = sp.Symbol("pi_min", positive=True)
"""Least probability of the reference."""

kappa = sp.Symbol("kappa", positive=True)
"""Coverage: least eigenvalue of the expected outer product of the features, over the policies that can be played."""

TIE_RADIUS = sp.Rational(39, 40)
"""Radius at which both actions of `mdps.robust_instances.stuck` are worth the same."""

beta_squares = sp.Symbol("beta_squares", positive=True)
"""Sum over stages of the squares of the sums of the radii from there on."""


def _fail_state(model: object) -> Holds | Fails:
    return Holds() if getattr(model, "fail_state", None) is not None else Fails("there is no fail state")


def _one_hot(model: object) -> Holds | Fails:
    return Holds() if getattr(model, "one_hot", False) else Fails("a pair mixes factors")


def _below_tie(setting: object) -> Holds | Fails:
    radius = getattr(setting, "radius", 1)
    return Holds() if radius < TIE_RADIUS else Fails(f"the radius {radius} is not below {TIE_RADIUS}")


def _event(trial: object) -> Holds | Fails:
    return Holds() if getattr(trial, "on_event", False) else Fails("the event holds in no recorded episode")


FAIL_STATE = Assumption("fail_state", r"r_h(s_f, a) = 0,\ p_h(s_f | s_f, a) = 1", _fail_state)
ONE_HOT = Assumption("one_hot", r"\phi(s, a) \text{ is a unit vector of its own}", _one_hot)
BELOW_TIE = Assumption("below_tie", r"\rho < \tfrac{39}{40}", _below_tie)
EVENT = Assumption("event", r"\text{the event holds in an episode that is looked at}", _event)


def _ours(note: str = "") -> Source:
    return Source(Origin.DERIVED, GU_2025, note=note)


def _explicit(note: str = "") -> Source:
    return Source(Origin.EXPLICIT, GU_2025, note=note)


DISCOUNTED_STAGES = (1 - (1 - rho) ** H) / rho
"""Sum of (1 - rho)^j over the stages."""

PRICE = eta * sp.log(1 / pi_min) * DISCOUNTED_STAGES
"""What regularisation costs at most."""

TABULAR_REGRET = 2 * beta * (2 * sp.sqrt(n * K) + sp.sqrt(K / 2 * sp.log(2 * H / delta)))
"""Regret with one-hot features; beta is the sum of the radii at delta / 2, n the number of pairs outside s_f."""

COVERAGE_LOSS = 2 * beta / sp.sqrt(lam + kappa * (t - 1) / 2)
"""Loss of episode t under coverage; beta is the sum of the radii at delta / 2."""

QUADRATIC_LOSS = beta_squares / (2 * eta * (lam + kappa * (t - 1) / 2))
"""Loss of episode t under coverage with regularised policies."""

IDENTITIES = (
    Claim(
        id="dr_rpo.three_point",
        title="Three-point identity of the proximal policy step",
        statement=(
            r"F(\pi) = \langle \pi, Q \rangle - \eta\,\mathrm{KL}(\pi \| \tilde\pi) - \tfrac1\alpha \mathrm{KL}(\pi \| "
            r"\pi_k),\ c = \eta + \tfrac1\alpha,\ \pi^+ = \arg\max F:\quad F(\pi) = F(\pi^+) - c\,\mathrm{KL}(\pi \| "
            r"\pi^+)"
        ),
        kind=Kind.IDENTITY,
        source=_ours("An identity; only the inequality is needed for regret."),
        expected=Level.PROVED,
        no_bound=VECTORS,
        uses=("regularised_values.gibbs",),
    ),
    Claim(
        id="dr_rpo.repeated_feature",
        title="Inverse covariance after k copies of a mixed feature",
        statement=(
            r"\Lambda = \lambda I + k v v^\top,\ v = (\tfrac12, \tfrac12):\quad (\Lambda^{-1})_{ii} = \tfrac1\lambda "
            r"\Big(1 - \frac{k / 4}{\lambda + k / 2}\Big) > \frac{1}{2 \lambda}"
        ),
        kind=Kind.IDENTITY,
        source=_ours("So the bonuses of the factors have no elliptical potential: they do not tend to zero."),
        expected=Level.PROVED,
        no_bound=VECTORS,
        uses=("elliptical_potential.sherman_morrison",),
    ),
    Claim(
        id="dr_rpo.linear_programme",
        title="The robust value of a policy is the value of one linear programme",
        statement=(
            r"V_1^\pi = \max V_1 \text{ s.t. } V_h \le \langle \pi_h, \phi^\top(\theta_h + \nu_h) \rangle,\ \nu_i \le "
            r"\mu_i^\top y_i - \rho_i (\alpha_i - m),\ y_i \le V_{h+1},\ y_i \le \alpha_i,\ m \le V_{h+1},\ \alpha_i "
            r"\ge m"
        ),
        kind=Kind.IDENTITY,
        source=_ours("Total variation without a fail state; the programme's dual is an adversary."),
        expected=Level.CERTIFIED,
        no_bound=SUMS,
        uses=("robust_duality.tv_constrained",),
    ),
)

POLICIES = (
    Claim(
        id="dr_rpo.performance_sandwich",
        title="Performance difference of robust regularised policies",
        statement=(
            r"\mathbb E^{\pi, P^\star} \sum_h \eta\,\mathrm{KL}(\pi_h \| \pi_h^\star) \le V_1^\star - V_1^\pi \le "
            r"\mathbb E^{\pi, P^\pi} \sum_h \eta\,\mathrm{KL}(\pi_h \| \pi_h^\star)"
        ),
        kind=Kind.INEQUALITY,
        source=_ours("P* is the worst model for V*, P^pi that for V^pi; without an adversary both are equalities."),
        expected=Level.SUPPORTED,
        no_bound=SUMS,
        uses=("regularised_values.gibbs", "robust_duality.worst_law"),
    ),
    Claim(
        id="dr_rpo.quadratic_gap",
        title="A softmax policy loses a square of the span of its errors",
        statement=(
            r"\pi_h \propto \tilde\pi e^{\hat Q_h / \eta} \Rightarrow V_1^\star - V_1^\pi \le \mathbb E^{\pi, P^\pi} "
            r"\sum_h \min\big\{ \tfrac{1}{8 \eta} \mathrm{span}(\hat Q_h - Q_h^\star)^2,\ \mathrm{span}(\hat Q_h - "
            r"Q_h^\star) \big\}"
        ),
        kind=Kind.INEQUALITY,
        source=_ours("For any table Q-hat; no event is needed."),
        expected=Level.SUPPORTED,
        no_bound=SUMS,
        uses=("dr_rpo.performance_sandwich", "regularised_values.softmax_divergence"),
    ),
    Claim(
        id="dr_rpo.price_of_regularisation",
        title="What the regularisation costs",
        statement=(r"0 \le V_{1,0}^\star - V_{1,\eta}^\star \le \eta \log(1/\pi_{\min}) \sum_{j<H} (1 - \rho)^j"),
        kind=Kind.INEQUALITY,
        source=_ours("A ball of total variation with a fail state, one radius for all factors."),
        expected=Level.SUPPORTED,
        bound=Bound(sp.Le(error, PRICE)),
        assumptions=(FAIL_STATE,),
        uses=("robust_duality.fail_state",),
    ),
    Claim(
        id="dr_rpo.online_regret",
        title="Online regret of the regularised proximal step in one state",
        statement=(
            r"Q^k \in [0, H]^A:\quad \sum_{k \le K} J_{Q^k}(p) - J_{Q^k}(\pi^k) \le \frac{\mathrm{KL}(p \| "
            r"\tilde\pi)}{\alpha} + \frac{K H^2}{2 (\eta + 1/\alpha)} \quad (\alpha_k = \alpha), \qquad \le "
            r"\eta\,\mathrm{KL}(p \| \tilde\pi) + \frac{H^2}{2 \eta} \sum_{k \le K} \frac{1}{k + 1} \quad "
            r"(1/\alpha_k = \eta k)"
        ),
        kind=Kind.INEQUALITY,
        source=_ours(
            "Logarithmic in K with growing 1/alpha_k; J includes the divergence to the reference. Compared at H = 1: "
            "dividing Q, eta and 1/alpha by H divides both sides by it. No sequence was seen to use half of the bound "
            "with growing 1/alpha."
        ),
        expected=Level.SUPPORTED,
        no_bound="a statement about sequences of tables",
        uses=("dr_rpo.three_point", "regularised_values.softmax_divergence"),
    ),
    Claim(
        id="dr_rpo.softmax_coverage",
        title="Softmax policies keep a part of the reference's coverage",
        statement=(
            r"Q_j \in [0, B_j] \Rightarrow \mathbb E^\pi[\phi_h \phi_h^\top] \succeq e^{-\sum_{j \le h} B_j / \eta}\, "
            r"\mathbb E^{\tilde\pi}[\phi_h \phi_h^\top]"
        ),
        kind=Kind.INEQUALITY,
        source=_ours(),
        expected=Level.SUPPORTED,
        no_bound=VECTORS,
    ),
)

ADVERSARIES = (
    Claim(
        id="dr_rpo.adversary",
        title="The robust value of a policy is attained by a model of the set, and least",
        statement=(
            r"V^\pi_1 = \min_P \mathbb E^{\pi, P} \sum_h \big( r_h - \eta\,\mathrm{KL}(\pi_h \| \tilde\pi) \big),\ "
            r"P \text{ in the d-rectangular ball}"
        ),
        kind=Kind.IDENTITY,
        source=_ours(
            "The divergence is a cost of the state once the policy is fixed. Balls of three divergences: the worst "
            "model is in the ball and attains the value; models with mass moved to one state, as far as the ball "
            "allows, do not fall below it."
        ),
        expected=Level.SUPPORTED,
        no_bound=SUMS,
        uses=("robust_duality.worst_law", "robust_duality.monotone"),
    ),
    Claim(
        id="dr_rpo.caps",
        title="With a fail state robust values are small",
        statement=(
            r"V_h^\star \le B_h:\quad B_h = 1 + (1 - \rho) B_{h+1} \text{ (a ball)},\quad B_h = 1 + \min\{\sigma, "
            r"B_{h+1}\} \text{ (a penalty)}"
        ),
        kind=Kind.INEQUALITY,
        source=_ours("Total variation; H - h + 1 for the other divergences."),
        expected=Level.SUPPORTED,
        no_bound="a statement about all stages and states",
        assumptions=(UNIT_REWARDS,),
        uses=("robust_duality.fail_state",),
    ),
    Claim(
        id="dr_rpo.worst_occupancy",
        title="The worst model of total variation visits no other state more often",
        statement=r"V^\pi \ge 0 = V^\pi(s_f) \Rightarrow d_h^{\pi, P^\pi}(s) \le d_h^{\pi, P^0}(s),\ s \ne s_f",
        kind=Kind.INEQUALITY,
        source=_ours(
            "So the ratio of visits that enters the regret is one. Where several laws are worst, of the one that moves "
            "mass to the fail state: 1e-9 is added to the values of the other states."
        ),
        expected=Level.SUPPORTED,
        no_bound="a statement about all states",
        assumptions=(FAIL_STATE,),
        uses=("robust_duality.worst_law", "robust_duality.density"),
    ),
    Claim(
        id="dr_rpo.support_shift",
        title="Without a fail state nobody can learn",
        statement=(
            r"\text{Two models that no trajectory tells apart: } \max_{m = 1, 2} \mathbb E\,\mathrm{Regret}_K \ge "
            r"\tfrac12 \sum_{m = 1, 2} \mathbb E\,\mathrm{Regret}_K = \tfrac12 K \rho (1 - \rho)"
        ),
        kind=Kind.LOWER_BOUND,
        source=_ours(
            "After Lu, Zhong, Zhang and Blanchet (2024); the value is (1-rho)^2 + rho (1-rho) x exactly. One episode "
            "is compared: every policy has the same mean loss over the two models."
        ),
        expected=Level.SUPPORTED,
        bound=Bound(sp.Ge(regret, K * rho * (1 - rho) / 2)),
    ),
)

LEARNING = (
    Claim(
        id="dr_rpo.bonus_order",
        title="Bonus of the factors between the elliptic norm and the least eigenvalue",
        statement=(
            r"\|\phi\|_{\Lambda^{-1}} \le \sum_i \phi_i \sqrt{(\Lambda^{-1})_{ii}} \le \lambda_{\min}(\Lambda)^{-1/2}"
        ),
        kind=Kind.INEQUALITY,
        source=_ours("The left side is an equality for one-hot features."),
        expected=Level.SUPPORTED,
        no_bound=VECTORS,
    ),
    Claim(
        id="dr_rpo.aligned_errors",
        title="Errors of the factors may align: the bonus has to be linear in the features",
        statement=r"\max\{ \phi^\top e : |e_i| \le \beta g_i \} \le \beta \sum_i \phi_i g_i",
        kind=Kind.INEQUALITY,
        source=Source(
            Origin.DERIVED, LIU_2024, note="The square root of sum phi_i^2 g_i^2 falls short by up to sqrt(d)."
        ),
        expected=Level.SUPPORTED,
        no_bound=VECTORS,
    ),
    Claim(
        id="dr_rpo.good_event",
        title="All estimated backups are within their radii",
        statement=(
            r"P\big(\exists k, h, i : |\hat\nu^k_{h,i} - \nu_{h,i}(\hat V^k_{h+1})| > \beta_h g^k_{h,i}\big) \le \delta"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=_explicit("Radii of `theory.dr_rpo_parameters`, for four kinds of sets."),
        expected=Level.SUPPORTED,
        no_bound="the statement bounds a probability by delta",
        assumptions=(UNIT_REWARDS,),
        uses=(
            "concentration.self_normalised",
            "elliptical_potential.ridge_projection",
            "elliptical_potential.determinant_trace",
            "robust_duality.clipped_logarithm",
        ),
    ),
    Claim(
        id="dr_rpo.optimism",
        title="On the event plans are optimistic",
        statement=r"\text{On the event } \hat Q_h \ge Q_h^\star \text{ at all stages and pairs}",
        kind=Kind.INEQUALITY,
        source=_explicit("Checked at multiples of the radii too, where the event holds."),
        expected=Level.SUPPORTED,
        no_bound="a statement about all pairs of all plans",
        assumptions=(EVENT,),
        uses=("dr_rpo.aligned_errors", "dr_rpo.caps", "robust_duality.monotone"),
    ),
    Claim(
        id="dr_rpo.episode_bound",
        title="Loss of an episode by the bonuses that its policy meets in its worst model",
        statement=(
            r"\text{On the event}\quad V_1^\star - V_1^{\pi^k} \le 2 \sum_h \beta_h \mathbb E^{\pi^k, P^k}\big[ 1\{s_h "
            r"\ne s_f\} \textstyle\sum_i \phi_i g^k_{h,i} \big]"
        ),
        kind=Kind.INEQUALITY,
        source=_explicit("P^k is the worst model for the values of the policy of episode k."),
        expected=Level.SUPPORTED,
        no_bound=SUMS,
        assumptions=(EVENT,),
        uses=("dr_rpo.optimism",),
    ),
    Claim(
        id="dr_rpo.tabular_regret",
        title="Regret with one factor a pair",
        statement=(
            r"\eta = 0:\ \text{with probability at least } 1 - \delta\quad \mathrm{Regret}_K \le 2 \beta \Big( "
            r"2 \sqrt{n K} + \sqrt{\tfrac K2 \log \tfrac{2H}{\delta}} \Big),\quad \beta = \textstyle\sum_h \beta_h"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=_explicit(
            "A ball of total variation with a fail state; radii at delta / 2; n pairs outside s_f. Vacuous where the "
            "worst policy in every episode would not lose more."
        ),
        expected=Level.SUPPORTED,
        bound=Bound(sp.Le(regret, TABULAR_REGRET)),
        assumptions=(UNIT_REWARDS, FAIL_STATE, ONE_HOT),
        uses=("dr_rpo.episode_bound", "dr_rpo.worst_occupancy", "counting.inverse_root_sum"),
    ),
    Claim(
        id="dr_rpo.coverage_loss",
        title="Loss of an episode under coverage",
        statement=(
            r"\text{With probability at least } 1 - \delta, \text{ for } k > \lceil (8/\kappa) \log(2dHK/\delta) "
            r"\rceil:\quad V_1^\star - V_1^{\pi^k} \le \frac{2 \sum_h \beta_h}{\sqrt{\lambda + \kappa (k-1) / 2}}"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=_explicit(
            "So the regret is of order sqrt(K / kappa) after a burn-in. Radii at delta / 2. Compared at 200 log-spaced "
            "episodes of a run."
        ),
        expected=Level.SUPPORTED,
        from_tier="full",
        bound=Bound(sp.Le(error, COVERAGE_LOSS)),
        uses=("dr_rpo.episode_bound", "dr_rpo.bonus_order", "concentration.matrix_chernoff"),
    ),
    Claim(
        id="dr_rpo.logarithmic_loss",
        title="Loss of an episode under coverage with regularised policies: a rate 1 / k",
        statement=(
            r"\text{On the same event, } \eta > 0:\quad V_1^\star - V_1^{\pi^k} \le \frac{\sum_h (\sum_{j \ge h} "
            r"\beta_j)^2}{2 \eta\, (\lambda + \kappa (k-1) / 2)}"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=_ours(
            "So the regret is logarithmic in K, up to the logarithms in the radii. Compared at 200 log-spaced episodes "
            "of a run."
        ),
        expected=Level.SUPPORTED,
        from_tier="full",
        bound=Bound(sp.Le(error, QUADRATIC_LOSS)),
        uses=("dr_rpo.quadratic_gap", "dr_rpo.optimism", "dr_rpo.bonus_order", "concentration.matrix_chernoff"),
    ),
    Claim(
        id="dr_rpo.coverage_sums",
        title="Losses under coverage, summed over the episodes",
        statement=(
            r"\sum_{k \le K} (\lambda + \kappa \tfrac{k-1}{2})^{-1/2} \le \lambda^{-1/2} + \sqrt{8 K / \kappa}, \qquad "
            r"\sum_{k \le K} (\lambda + \kappa \tfrac{k-1}{2})^{-1} \le \lambda^{-1} + \tfrac2\kappa \log\big(1 + "
            r"\tfrac{\kappa K}{2 \lambda}\big)"
        ),
        kind=Kind.INEQUALITY,
        source=_ours("By integrals; they turn the losses of the episodes into regret of order sqrt(K) and log K."),
        expected=Level.SUPPORTED,
        no_bound="two inequalities between sums and closed forms",
        uses=("counting.inverse_root_sum", "counting.harmonic_sum"),
    ),
    Claim(
        id="dr_rpo.stuck_regret",
        title="Greedy optimism with one bonus a factor may never try the better action",
        statement=(
            r"\rho < \tfrac{39}{40}:\quad \mathrm{Regret}_K = K \big( \tfrac25 (1 - \rho) - \tfrac1{100} \big) "
            r"\text{ on every path}"
        ),
        kind=Kind.COUNTEREXAMPLE,
        source=Source(
            Origin.DERIVED,
            LIU_2024,
            note="Ties to the lowest action; for every bonus multiplier and every ridge. From the radius 39/40 on the "
            "action that is played is the better one.",
        ),
        expected=Level.SUPPORTED,
        bound=Bound(sp.Eq(regret, K * (sp.Rational(2, 5) * (1 - rho) - sp.Rational(1, 100)))),
        assumptions=(BELOW_TIE,),
        uses=("dr_rpo.repeated_feature",),
    ),
)

CLAIMS = (*IDENTITIES, *POLICIES, *ADVERSARIES, *LEARNING)
