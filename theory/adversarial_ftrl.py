r"""Adversarial episodic MDPs: follow the regularised leader, dilated bonuses, magnitude reduction.

In episode k an adversary fixes losses :math:`\ell_{k,h}(s, a)` and the learner plays :math:`\pi_k` once; transitions
are known. Regret is :math:`\sum_k V^{\pi_k}(\rho; \ell_k) - V^{\pi^\star}(\rho; \ell_k)` for a fixed comparator
:math:`\pi^\star`, the best one in hindsight unless said otherwise. Stages are numbered from one, H_h = H - h + 1
of them are left at stage h, and :math:`(x)_- = \min(x, 0)`.

With full information the leader is followed in every state (Hedge), over trajectories (soft dynamic programming) or
over occupancies (O-REPS). With bandit feedback action values are estimated by importance weighting, regularised by
:math:`\gamma`, and the *dilated bonus*

.. math:: B_h(s, a) = b_h(s, a) + (1 + \omega)\, \mathbb E_{s', a' \sim \pi}[B_{h+1}(s', a')]

is subtracted from them. Linear action values use :math:`Z = \phi(s, a)^\top \hat\Sigma \phi(s_h, a_h)`,
:math:`\hat\Sigma = (\gamma I + \mathbb E \phi\phi^\top)^{-1}`: the plain estimate is :math:`Z L_h`, the
magnitude-reduced one :math:`Z L_h - H_h (Z)_- + H_h\, \mathbb E (Z)_-`.

Dai, Luo, Wei and Zimmert (2023) show regret of order :math:`\sqrt K` for two algorithms: the logarithmic barrier with
plain estimates, and exponential weights with magnitude-reduced ones. All constants here are ours: they are explicit
versions of such orders, derived from the lemmas of this module and of `theory.lemmas.mirror_descent`; the bounds are
functions of the parameters, and the named settings of parameters give their closed forms.
"""

from typing import Any

import sympy as sp

from theory.claim import Assumption, Bound, Claim, Fails, Holds, Kind, Level, Origin, Source
from theory.references import CESA_BIANCHI_2006, DAI_2023
from theory.symbols import A, H, K, S, X, alpha, beta, d, eta, gamma, i, omega, regret

HALF, QUARTER = sp.Rational(1, 2), sp.Rational(1, 4)
EXP_TWO = sp.E - 2
"""Second-order coefficient of exponential weights for losses of at least -1 / eta."""

LEFT = H - i + 1
"""Stages left at stage i."""

MASS = sp.Symbol("q", positive=True)
POLICY = sp.Symbol("pi_a", positive=True)
RIDGE = sp.Symbol("ridge", positive=True)
EIGENVALUE = sp.Symbol("ev", nonnegative=True)


# Settings of parameters and their bounds


def barrier_penalty(smoothing: Any, actions: Any = A) -> sp.Expr:
    """Return the penalty of a vertex mixed with the uniform law: sum_i log(1 / (A u_i))."""
    return (actions - 1) * sp.log(1 / smoothing) - sp.log(actions * (1 - smoothing) + smoothing)


HEDGE_RATE = sp.sqrt(8 * sp.log(A) / K) / LEFT
"""Rate of Hedge at stage i."""

HEDGE_SINGLE_RATE = sp.sqrt(48 * sp.log(A) / (K * (H + 1) * (2 * H + 1)))
SOFT_RATE = sp.sqrt(8 * sp.log(A) / (K * H))
OREPS_RATE = sp.sqrt(8 * sp.log(X * A / H) / K)
OREPS_UNIFORM_RATE = 2 * sp.sqrt((H + 1) * sp.log(A) / K)
OREPS_BANDIT_RATE = sp.sqrt(2 * H * sp.log(X * A / H) / (X * A * K))

HEDGE = H * (H + 1) / 2 * sp.sqrt(K * sp.log(A) / 2)
HEDGE_SINGLE = H * sp.sqrt((H + 1) * (2 * H + 1) * K * sp.log(A) / 12)
SOFT = H ** sp.Rational(3, 2) * sp.sqrt(K * sp.log(A) / 2)
OREPS = H * sp.sqrt(K * sp.log(X * A / H) / 2)
OREPS_UNIFORM = H / 2 * sp.sqrt((H + 1) * K * sp.log(A))
OREPS_BANDIT = sp.sqrt(2 * H * X * A * K * sp.log(X * A / H))


def dilated_pairs(constant: Any, local: bool = False) -> sp.Expr:
    """Return the bonuses' cost of one episode, sum_h (1 + omega)^h (c eta H_h^2 + gamma H_h) A S.

    ``local``: the first part is multiplied by the policy, and loses the factor A.
    """
    actions = 1 if local else A
    return sp.Sum((1 + omega) ** i * (constant * eta * LEFT**2 * actions + gamma * LEFT * A) * S, (i, 1, H))


def largest_bonus(constant: Any) -> sp.Expr:
    """Return the largest dilated bonus of policy optimisation."""
    return sp.Sum((1 + omega) ** (i - 1) * (constant * eta * LEFT**2 + gamma * LEFT), (i, 1, H)) / gamma


ENTROPY_PO = H * sp.log(A) / eta + K * dilated_pairs(EXP_TWO)
"""Policy optimisation with exponential weights."""


KAPPA = sp.Symbol("kappa", positive=True)
"""Second-order coefficient kappa_Q of the estimates."""

ENTROPY_PO_MIXED = H * sp.log(A) / eta + K * dilated_pairs(KAPPA)
"""Policy optimisation with exponential weights, estimates and bonuses treated apart."""


def _barrier_po(constant: Any, local: bool) -> sp.Expr:
    smoothing = alpha * K * (H * (H + 1) / 2 + H * largest_bonus(constant))
    return H * barrier_penalty(alpha) / eta + smoothing + K * dilated_pairs(constant, local)


BARRIER_PO = _barrier_po(QUARTER, False)
BARRIER_PO_LOCAL = _barrier_po(HALF, True)

DILATION = sp.Sum((1 + 1 / H) ** i * (EXP_TWO * LEFT**2 + H * LEFT), (i, 1, H)) / H**3
"""C(H): 3.4366 at H = 1, decreasing."""

ENTROPY_CLOSED_RATE = sp.sqrt(sp.log(A) / (H**2 * S * A * K * DILATION))
"""Eta of the closed form; gamma = eta H, omega = 1/H."""

ENTROPY_CLOSED = 2 * sp.sqrt(DILATION) * H**2 * sp.sqrt(S * A * K * sp.log(A))

BARRIER_BANDIT_RATE = sp.sqrt(2 * (A - 1) * sp.log(K) / K)
BARRIER_BANDIT = (A - 1) * sp.log(K) / eta + sp.Min(eta * A * K / 4, eta * K / (2 * (1 - eta))) + 2
"""For eta < 1."""

DILATED_SUM = sp.Sum((1 + omega) ** i, (i, 1, H))
LARGEST_LINEAR_BONUS = 2 * beta / gamma * sp.Sum((1 + omega) ** (i - 1), (i, 1, H))


def _linear_cost(constant: Any) -> sp.Expr:
    """Return bias and bonuses: beta pays for c eta H^2 of stability, the rest for the bias."""
    spare = beta - constant * eta * H**2
    return gamma * d * H**3 * K * (1 / (4 * spare) + 1 / (4 * beta)) + 2 * beta * d * K * DILATED_SUM


BARRIER_LINEAR = (
    H * (A - 1) * sp.log(K) / eta + H * (H * (1 + 2 * sp.sqrt(d)) + LARGEST_LINEAR_BONUS) + _linear_cost(HALF)
)
REDUCED_LINEAR = H * sp.log(A) / eta + _linear_cost(2 * EXP_TWO)

BARRIER_LINEAR_FIXED = H * (A - 1) * sp.log(K) + 2
BARRIER_LINEAR_GROWTH = (sp.E - 1) * d * K * (sp.Rational(3, 4) * H**5 + 2 * H**2 * (H + 1))
BARRIER_LINEAR_CLOSED = 2 * sp.sqrt(BARRIER_LINEAR_FIXED * BARRIER_LINEAR_GROWTH) + H**2 * (1 + 2 * sp.sqrt(d))
"""At omega = 1/H, beta = eta H^2, gamma = (e - 1) H^4 eta^2, eta^2 = FIXED / GROWTH."""

REDUCED_LINEAR_FIXED = H * sp.log(A)
REDUCED_LINEAR_GROWTH = (sp.E - 1) * EXP_TWO * d * K * (3 * H**5 + 8 * H**2 * (H + 1))
REDUCED_LINEAR_CLOSED = 2 * sp.sqrt(REDUCED_LINEAR_FIXED * REDUCED_LINEAR_GROWTH)
"""At omega = 1/H, beta = 4 (e - 2) eta H^2, gamma = 16 (e - 2)^2 (e - 1) H^4 eta^2, eta^2 = FIXED / GROWTH."""

CLOSED_OMEGA = 1 / H
ENTROPY_CLOSED_GAMMA = eta * H
BARRIER_LINEAR_RATE = sp.sqrt(BARRIER_LINEAR_FIXED / BARRIER_LINEAR_GROWTH)
BARRIER_LINEAR_BETA, BARRIER_LINEAR_GAMMA = eta * H**2, (sp.E - 1) * H**4 * eta**2
BARRIER_LINEAR_ALPHA = 1 / K
"""Smoothing of the comparator."""

REDUCED_LINEAR_RATE = sp.sqrt(REDUCED_LINEAR_FIXED / REDUCED_LINEAR_GROWTH)
REDUCED_LINEAR_BETA = 4 * EXP_TWO * eta * H**2
REDUCED_LINEAR_GAMMA = 16 * EXP_TWO**2 * (sp.E - 1) * H**4 * eta**2

LOWER_BANDIT = sp.Rational(233, 1000) * (1 - 1 / A) ** 2 * H * sp.sqrt(S * A * K) / sp.sqrt(1 + S / K)

_HALF_WAY = sp.ceiling(K / 2)
WALK = 2 * _HALF_WAY * sp.exp(sp.Sum(sp.log(1 - 1 / (2 * i)), (i, 1, _HALF_WAY)))
"""Mean absolute value of a simple random walk after K steps, as a product that does not overflow."""

TRIVIAL = K * H
"""Regret that no policy can exceed with losses in [0, 1]."""


# Assumptions


def _unit_losses(model: Any) -> Holds | Fails:
    low, high = model.span
    return Holds() if low >= -1e-12 and high <= 1.0 + 1e-12 else Fails(f"losses in [{low:.6g}, {high:.6g}]")


def _signed_losses(model: Any) -> Holds | Fails:
    low, high = model.span
    return Holds() if low >= -1.0 - 1e-12 and high <= 1.0 + 1e-12 else Fails(f"losses in [{low:.6g}, {high:.6g}]")


def _admissible(model: Any) -> Holds | Fails:
    return Holds() if model.inadmissible is None else Fails(str(model.inadmissible))


def _linear_values(model: Any) -> Holds | Fails:
    residual, norm, limit = model.linear_defect
    if residual > 1e-9:
        return Fails(f"action values are off the span of the features by {residual:.3g}")
    return (
        Holds()
        if norm <= limit * (1.0 + 1e-9)
        else Fails(f"parameters of norm {norm:.6g} exceed sqrt(d) H = {limit:.6g}")
    )


UNIT_LOSSES = Assumption("unit_losses", r"0 \le \ell_{k,h}(s, a) \le 1", _unit_losses)
SIGNED_LOSSES = Assumption("signed_losses", r"-1 \le \ell_{k,h}(s, a) \le 1", _signed_losses)
ADMISSIBLE = Assumption(
    "admissible", r"\text{the parameters meet the conditions under which the bonuses pay for themselves}", _admissible
)
LINEAR_VALUES = Assumption(
    "linear_values", r"Q^\pi_h = \phi_h^\top \theta_h,\ \|\theta_h\| \le \sqrt d\, H,\ \|\phi_h\| \le 1", _linear_values
)


def _claim(name: str, title: str, statement: str, kind: Kind, expected: Level, **more: Any) -> Claim:
    origin = more.pop("origin", Origin.DERIVED)
    source = Source(origin, more.pop("paper", DAI_2023), note=more.pop("note", ""))
    return Claim(f"adversarial_ftrl.{name}", title, statement, kind, source, expected, **more)


def _bounded(right: sp.Expr) -> Bound:
    return Bound(sp.Le(regret, right, evaluate=False))


IN_MODELS = "a statement about models and policies"

LEMMAS = (
    _claim(
        "dilated_identity",
        "What dilated bonuses cost and what they pay for",
        (
            r"\sum_h \mathbb E_{\mu^\star} \langle \pi - \pi^\star, B_h \rangle "
            r"+ \sum_h \mathbb E_{\mu^\star, \pi^\star} [b_h] + \omega \sum_h \mathbb E_{\mu^\star, \pi} [B_h] "
            r"= \sum_{h=1}^H (1 + \omega)^h\, \mathbb E_{\mu^\pi_h, \pi} [b_h]"
        ),
        Kind.IDENTITY,
        Level.PROVED,
        note=(
            "For every omega and every b. With E_mu* <pi - pi*, Q - B> <= R + E[b] + omega E[B] it bounds the "
            "regret by "
            "R plus the right side. The sum over the stages follows from the step that is proved."
        ),
        no_bound=IN_MODELS,
        uses=("value_difference.comparator_order",),
    ),
    _claim(
        "implicit_exploration",
        "Moments of importance weighting with implicit exploration",
        (
            r"\mathbb E \hat Q_h = \frac{q}{q + \gamma} Q_h, \quad 0 \le Q_h - \mathbb E \hat Q_h \le "
            r"\frac{\gamma H_h}{q + \gamma}, \quad "
            r"\mathbb E \hat Q_h^2 = \frac{q\, \mathbb E[L_h^2 | s, a]}{(q + \gamma)^2} \le \frac{H_h^2}{q + \gamma}"
        ),
        Kind.IDENTITY,
        Level.CERTIFIED,
        note="The second moment of L by backward induction: E L^2 = l^2 + 2 l E V' + E V2'.",
        no_bound=IN_MODELS,
    ),
    _claim(
        "exploration_sum",
        "Weights of implicit exploration sum to the number of pairs",
        r"\frac{q}{q + \gamma} \le 1, \quad \frac{q\, \pi}{q + \gamma} \le \pi, \text{ so that } \mathbb E_\mu "
        r"\sum_a "
        r"\frac{\pi}{q + \gamma} \le |S_h| A,\quad \mathbb E_\mu \sum_a \frac{\pi^2}{q + \gamma} \le |S_h|",
        Kind.INEQUALITY,
        Level.PROVED,
        bound=Bound(sp.Le(MASS / (MASS + RIDGE), 1, evaluate=False)),
    ),
    _claim(
        "spectrum",
        "Scalar facts about a regularised covariance",
        r"\frac{\lambda}{(\lambda + \gamma)^2} \le \frac{1}{4 \gamma}, \quad \frac{\lambda}{\lambda + \gamma} \le 1, "
        r"\text{ so that } \phi^\top \hat\Sigma \Sigma \hat\Sigma \phi \le \min\{ \|\phi\|^2_{\hat\Sigma}, "
        r"1 / (4 \gamma) \},\ \mathrm{tr}(\hat\Sigma \Sigma) \le d \quad (\|\phi\| \le 1)",
        Kind.INEQUALITY,
        Level.PROVED,
        bound=Bound(sp.Le(EIGENVALUE / (EIGENVALUE + RIDGE) ** 2, 1 / (4 * RIDGE), evaluate=False)),
    ),
    _claim(
        "linear_estimate",
        "Moments of the linear estimate",
        (
            r"\mathbb E [Z L_h] = Q_h - \gamma\, \phi^\top \hat\Sigma \theta_h, \quad "
            r"\mathbb E [(Z L_h)^2] \le H_h^2\, \phi^\top \hat\Sigma \Sigma \hat\Sigma \phi "
            r"\le H_h^2\, \|\phi\|^2_{\hat\Sigma}"
        ),
        Kind.IDENTITY,
        Level.CERTIFIED,
        note="In a linear MDP, by enumeration of the trajectories.",
        no_bound=IN_MODELS,
        uses=("adversarial_ftrl.spectrum",),
    ),
    _claim(
        "linear_bias",
        "The bias of the linear estimate is paid by the bonus",
        r"\gamma\, |\phi^\top \hat\Sigma \theta| \le c\, \|\phi\|^2_{\hat\Sigma} + \frac{\gamma \|\theta\|^2}{4 c} "
        r"\quad (c > 0)",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        no_bound="a statement about matrices",
        uses=("adversarial_ftrl.spectrum",),
    ),
    _claim(
        "reduced_unbiased",
        "Magnitude reduction changes no mean and no second moment for the worse",
        (
            r"\mathbb E [\hat Q^{red}] = \mathbb E [Z L], \quad \mathbb E [(\hat Q^{red})^2] \le H^2\, \mathbb E "
            r"[Z^2], "
            r"\quad \hat Q^{red} = Z L - H (Z)_- + H\, \mathbb E (Z)_-, \ 0 \le L \le H"
        ),
        Kind.IDENTITY,
        Level.CERTIFIED,
        note="For every law of (Z, L) with 0 <= L <= H; losses of both signs break the second part.",
        no_bound="a statement about laws on finitely many points",
    ),
    _claim(
        "reduced_floor",
        "Magnitude-reduced estimates are not very negative",
        r"\hat Q^{red} \ge H\, \mathbb E (Z)_- \ge - H\, \mathbb E |Z| \ge - \frac{H}{2 \sqrt\gamma} \quad (0 \le L "
        r"\le H)",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="Plain estimates are only at least -H / gamma. Equality for one played point at distance gamma^(1/2).",
        no_bound="a statement about laws on finitely many points",
        uses=("adversarial_ftrl.spectrum",),
    ),
    _claim(
        "resampling_mean",
        "Mean of matrix geometric resampling",
        r"\mathbb E \big[ c \textstyle\sum_{n=0}^N Z_n \big] = \Sigma_\gamma^{-1} \big( I - (I - c "
        r"\Sigma_\gamma)^{N+1} \big), "
        r"\quad Z_n = Z_{n-1} (I - c (\gamma I + \phi_n \phi_n^\top)),\ Z_0 = I",
        Kind.IDENTITY,
        Level.CERTIFIED,
        note="By enumeration of all sequences of draws from laws on two or three points of the plane.",
        no_bound="an identity between matrices",
    ),
    _claim(
        "resampling_depth",
        "Depth of matrix geometric resampling",
        r"N + 1 \ge \frac{\log(1 / (\varepsilon \gamma))}{c \gamma} \implies \frac{(1 - c \lambda)^{N+1}}{\lambda} "
        r"\le "
        r"\varepsilon \quad \big( \gamma \le \lambda \le 1 + \gamma,\ 0 < c \le \tfrac{1}{1 + \gamma} \big)",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="The bias in operator norm, at an eigenvalue of gamma I + Sigma.",
        no_bound="the statement bounds a bias by epsilon",
        uses=("adversarial_ftrl.resampling_mean",),
    ),
    _claim(
        "covariance_average",
        "Error of a covariance that is averaged over draws",
        r"\mathbb E \| (\tilde\Sigma - \Sigma) \theta \|^2_{\Sigma_\gamma^{-1}} \le "
        r"\frac{H^2\, \mathrm{tr}(\Sigma_\gamma^{-1} \Sigma)}{n} \le \frac{H^2 d}{n} \quad (|\phi^\top \theta| \le "
        r"H)",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        note="The better alternative to resampling; how many draws it needs is concentration.covariance_estimate.",
        no_bound="a statement about laws on finitely many points",
        uses=("concentration.covariance_estimate", "adversarial_ftrl.spectrum"),
    ),
    _claim(
        "exploration_weights",
        "Weights of exploration inside an epoch give a mixture of covariances",
        (
            r"\mathbb E [ w_h \phi_h \phi_h^\top ] = (1 - \delta)\, \Sigma^\pi_h + \delta\, \Sigma^{cover}_h, \quad "
            r"w_h = 1 \text{ without exploration, else } H\, 1[h = h^\star],\ h^\star \text{ uniform}"
        ),
        Kind.IDENTITY,
        Level.CERTIFIED,
        note=(
            "The covering policy acts up to and including stage h*, then pi. Shown for one-hot features: all others "
            "are linear images."
        ),
        no_bound=IN_MODELS,
    ),
    _claim(
        "soft_optimality",
        "Soft dynamic programming follows the leader for the entropy of trajectories",
        (
            r"\eta \langle q^\pi, \Lambda \rangle + \sum_h \mathbb E_{q^\pi} [\log \pi_h] = - \rho^\top W_1 + \sum_h "
            r"\mathbb E_{\mu^\pi} \mathrm{KL}(\pi_h | \pi^{soft}_h), \quad "
            r"W_h = \log \sum_a e^{-\eta \Lambda_h + P_h W_{h+1}}"
        ),
        Kind.IDENTITY,
        Level.SUPPORTED,
        note="For every policy; the left side is smallest at the soft policy.",
        no_bound=IN_MODELS,
    ),
    _claim(
        "oreps_projection",
        "The dual Newton projection is an optimal point of the occupancy polytope",
        (
            r"\sum q \log q - \langle q, x \rangle - g(v) = \sum_h \mathrm{KL}(q'_h | q_h) \le 10^{-8}, \quad "
            r"g(v) = - \sum_h \log Z_h - \rho^\top v_1"
        ),
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="Primal feasible point and dual value are computed anew from the returned policy and dual variables.",
        no_bound="a statement about convex programmes",
    ),
    _claim(
        "run_certificate",
        "The regret of a run, split into what each lemma bounds",
        (
            r"\mathrm{Reg}(\pi^\star) = \sum_k \sum_h \mathbb E_{\mu^\star} \langle \pi_k - \pi^\star, "
            r"(\hat Q_k - B_k) + B_k + (Q_k - \mathbb E \hat Q_k) + (\mathbb E \hat Q_k - \hat Q_k) \rangle, \quad "
            r"\text{first} \le \frac{H \log A}{\eta} + (e - 2) \eta \sum_k \sum_h \mathbb E_{\mu^\star, \pi_k} "
            r"[\hat Q_k^2 "
            r"+ B_k^2], \quad (e - 2) \eta \sum \mathbb E [B_k^2] \le \omega \sum \mathbb E [B_k]"
        ),
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="Every part is recorded along the run; the last one is a martingale, compared with four deviations.",
        no_bound="a statement about runs",
        uses=(
            "adversarial_ftrl.dilated_identity",
            "adversarial_ftrl.implicit_exploration",
            "mirror_descent.exponential_weights_bounded_below",
        ),
    ),
    _claim(
        "exponent_floor",
        "Magnitude reduction keeps the losses of exponential weights above -1",
        r"\eta (\hat Q^{red}_k - B_k) \ge - \frac{\eta H}{2 \sqrt\gamma} - \eta B_{\max} \ge -1",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="Along runs with the parameters of adversarial_ftrl.reduced_linear_closed; not true for plain estimates.",
        no_bound="a statement about runs",
        assumptions=(UNIT_LOSSES, ADMISSIBLE),
        uses=("adversarial_ftrl.reduced_floor",),
    ),
)

CONSTANTS = (
    _claim(
        "dilation_sum",
        "Powers of 1 + 1/H",
        r"\sum_{h=1}^H (1 + \tfrac1H)^h = (H + 1) \big( (1 + \tfrac1H)^H - 1 \big) \le (e - 1) (H + 1)",
        Kind.INEQUALITY,
        Level.PROVED,
        note="For every H: the geometric sum, and (1 + 1/H)^H <= e from log(1 + x) <= x.",
        no_bound="an identity and an inequality for all H",
        uses=("scalar.log_upper",),
    ),
    _claim(
        "closed_constants",
        "Constants of the closed forms",
        (
            r"2 \sqrt{C(H)} \le 3.71, \quad 2 \sqrt{H (e - 1) \big( \tfrac34 H^5 + 2 H^2 (H + 1) \big)} \le 5.72\, "
            r"H^3, "
            r"\quad 2 \sqrt{H (e - 1) (e - 2) \big( 3 H^5 + 8 H^2 (H + 1) \big)} \le 9.69\, H^3"
        ),
        Kind.INEQUALITY,
        Level.CERTIFIED,
        note="H = 1, ..., 60, by ball arithmetic; the largest values are those of H = 1.",
        no_bound="three inequalities between numbers for each H",
        uses=("adversarial_ftrl.dilation_sum",),
    ),
    _claim(
        "optimised_exponents",
        "Exponents of the optimised bounds for linear action values",
        r"\frac{\log \mathrm{bound}(10^8) - \log \mathrm{bound}(10^6)}{\log 10^2} = 0.529,\ 0.500,\ 0.666 \pm 0.002 "
        r"\quad \text{(barrier, reduced, plain)}",
        Kind.IDENTITY,
        Level.SUPPORTED,
        note="The logarithm of K shows in the first one; the third is the exponent 2/3 that the paper improves on.",
        no_bound="three numbers",
        uses=(
            "adversarial_ftrl.barrier_linear",
            "adversarial_ftrl.reduced_linear",
            "adversarial_ftrl.plain_linear",
        ),
    ),
    _claim(
        "simulator_free_vacuity",
        "A bound of order K^(8/9) is vacuous for small K",
        r"A^{1/9} d^{2/3} H^{20/9} K^{8/9} \le H K \iff K \ge A\, d^6 H^{11}",
        Kind.EQUIVALENCE,
        Level.PROVED,
        note=(
            "The abstract states the exponent 8/9 without a simulator; the other exponents are recalled, with "
            "constant "
            "one and no logarithms. For A = d = H = 2 this is 262144 episodes."
        ),
        no_bound="an equivalence between two inequalities",
    ),
)

FULL_INFORMATION = (
    _claim(
        "hedge",
        "Regret of Hedge in every state, a rate per stage",
        r"\mathrm{Reg} \le \tfrac{H (H + 1)}{2} \sqrt{K \log(A) / 2}, \quad \eta_h = \sqrt{8 \log(A) / K} / H_h",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="For every adversary, one that sees the policy too.",
        bound=_bounded(HEDGE),
        assumptions=(UNIT_LOSSES,),
        uses=("value_difference.comparator_order", "mirror_descent.exponential_weights_range"),
    ),
    _claim(
        "hedge_single_rate",
        "Regret of Hedge in every state, one rate",
        r"\mathrm{Reg} \le H \sqrt{(H + 1) (2 H + 1) K \log(A) / 12}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="For every adversary, one that sees the policy too.",
        bound=_bounded(HEDGE_SINGLE),
        assumptions=(UNIT_LOSSES,),
        uses=("value_difference.comparator_order", "mirror_descent.exponential_weights_range"),
    ),
    _claim(
        "soft",
        "Regret of soft dynamic programming",
        r"\mathrm{Reg} \le H^{3/2} \sqrt{K \log(A) / 2}, \quad \eta = \sqrt{8 \log(A) / (K H)}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="For every adversary, one that sees the policy too.",
        bound=_bounded(SOFT),
        assumptions=(UNIT_LOSSES,),
        uses=("adversarial_ftrl.soft_optimality", "mirror_descent.exponential_weights_range"),
    ),
    _claim(
        "oreps",
        "Regret of O-REPS with full information",
        r"\mathrm{Reg} \le H \sqrt{K \log(X A / H) / 2}, \quad \eta = \sqrt{8 \log(X A / H) / K}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="X counts the reachable states of all stages. For every adversary, one that sees the policy too.",
        bound=_bounded(OREPS),
        assumptions=(UNIT_LOSSES,),
        uses=("adversarial_ftrl.oreps_projection", "mirror_descent.exponential_weights_range"),
    ),
    _claim(
        "oreps_from_uniform",
        "Regret of O-REPS that starts from the uniform policy",
        r"\mathrm{Reg} \le \tfrac H2 \sqrt{(H + 1) K \log A}, \quad \eta = 2 \sqrt{(H + 1) \log(A) / K}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="Free of the number of states. For every adversary, one that sees the policy too.",
        bound=_bounded(OREPS_UNIFORM),
        assumptions=(UNIT_LOSSES,),
        uses=("adversarial_ftrl.oreps_projection", "mirror_descent.exponential_weights_range"),
    ),
    _claim(
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
    _claim(
        "oreps_bandit",
        "Regret of O-REPS with bandit feedback",
        r"\mathbb E\, \mathrm{Reg} \le \sqrt{2 H X A K \log(X A / H)}, \quad \eta = \sqrt{2 H \log(X A / H) / (X A "
        r"K)}",
        Kind.EXPECTATION,
        Level.SUPPORTED,
        bound=_bounded(OREPS_BANDIT),
        assumptions=(UNIT_LOSSES,),
        uses=("adversarial_ftrl.oreps_projection", "mirror_descent.exponential_weights_nonnegative"),
    ),
    _claim(
        "entropy_bonus",
        "Regret of policy optimisation with dilated bonuses, exponential weights",
        (
            r"\mathbb E\, \mathrm{Reg} \le \frac{H \log A}{\eta} + K A S \sum_h (1 + \omega)^h \big( (e - 2) \eta "
            r"H_h^2 "
            r"+ \gamma H_h \big) \quad \text{if } (e - 2) \bar y \le \omega,\ \bar y = \eta B_{\max} \le 1"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        bound=_bounded(ENTROPY_PO),
        assumptions=(UNIT_LOSSES, ADMISSIBLE),
        uses=(
            "adversarial_ftrl.dilated_identity",
            "adversarial_ftrl.implicit_exploration",
            "adversarial_ftrl.exploration_sum",
            "mirror_descent.exponential_weights_bounded_below",
            "value_difference.comparator_order",
        ),
    ),
    _claim(
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
        bound=_bounded(ENTROPY_PO_MIXED),
        assumptions=(UNIT_LOSSES, ADMISSIBLE),
        uses=(
            "adversarial_ftrl.dilated_identity",
            "adversarial_ftrl.implicit_exploration",
            "adversarial_ftrl.exploration_sum",
            "mirror_descent.mixed_losses",
            "value_difference.comparator_order",
        ),
    ),
    _claim(
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
        bound=_bounded(ENTROPY_CLOSED),
        assumptions=(UNIT_LOSSES, ADMISSIBLE),
        uses=("adversarial_ftrl.entropy_bonus", "adversarial_ftrl.closed_constants"),
    ),
    _claim(
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
        bound=_bounded(BARRIER_PO),
        assumptions=(UNIT_LOSSES, ADMISSIBLE),
        uses=(
            "adversarial_ftrl.dilated_identity",
            "adversarial_ftrl.implicit_exploration",
            "adversarial_ftrl.exploration_sum",
            "mirror_descent.barrier_regret",
        ),
    ),
    _claim(
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
        bound=_bounded(BARRIER_PO_LOCAL),
        assumptions=(UNIT_LOSSES, ADMISSIBLE),
        uses=(
            "adversarial_ftrl.dilated_identity",
            "adversarial_ftrl.implicit_exploration",
            "adversarial_ftrl.exploration_sum",
            "mirror_descent.local_norm_scalar",
        ),
    ),
    _claim(
        "barrier_bandit",
        "A bandit with losses of both signs, without exploration and without bonus",
        r"\mathbb E\, \mathrm{Reg} \le \frac{(A - 1) \log K}{\eta} + \min\Big\{ \frac{\eta A K}{4}, "
        r"\frac{\eta K}{2 (1 - \eta)} \Big\} + 2 \quad (H = S = 1,\ -1 \le \ell \le 1,\ \eta < 1)",
        Kind.EXPECTATION,
        Level.SUPPORTED,
        note="Logarithmic barrier on importance-weighted losses; exponential weights have linear regret there.",
        bound=_bounded(BARRIER_BANDIT),
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
    _claim(
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
        bound=_bounded(BARRIER_LINEAR),
        assumptions=LINEAR_CONDITIONS,
        uses=(*LINEAR_USES, "mirror_descent.barrier_regret"),
    ),
    _claim(
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
        bound=_bounded(BARRIER_LINEAR_CLOSED),
        assumptions=LINEAR_CONDITIONS,
        uses=("adversarial_ftrl.barrier_linear", "adversarial_ftrl.closed_constants"),
    ),
    _claim(
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
        bound=_bounded(REDUCED_LINEAR),
        assumptions=LINEAR_CONDITIONS,
        uses=(
            *LINEAR_USES,
            "adversarial_ftrl.reduced_unbiased",
            "adversarial_ftrl.reduced_floor",
            "mirror_descent.exponential_weights_bounded_below",
        ),
    ),
    _claim(
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
        bound=_bounded(REDUCED_LINEAR_CLOSED),
        assumptions=LINEAR_CONDITIONS,
        uses=("adversarial_ftrl.reduced_linear", "adversarial_ftrl.closed_constants"),
    ),
    _claim(
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
        bound=_bounded(REDUCED_LINEAR),
        assumptions=LINEAR_CONDITIONS,
        uses=(*LINEAR_USES, "mirror_descent.exponential_weights_bounded_below"),
    ),
)

LOWER = (
    _claim(
        "bandit_lower_bound",
        "Every algorithm with bandit feedback",
        (
            r"\mathbb E\, \mathrm{Reg} \ge 0.233\, (1 - \tfrac1A)^2 H \sqrt{S A K} / \sqrt{1 + S / K} \quad "
            r"\text{on hidden actions of gap } \varepsilon = c \sqrt{A S / K} \le \tfrac14"
        ),
        Kind.LOWER_BOUND,
        Level.SUPPORTED,
        note="Transitions do not depend on the action; checked on learners of one state and one stage, exact "
        "pseudo-regret.",
        bound=Bound(sp.Ge(regret, LOWER_BANDIT, evaluate=False)),
        uses=("scalar.pinsker",),
    ),
    _claim(
        "full_information_lower_bound",
        "Every algorithm with full information, two actions",
        r"\mathbb E\, \mathrm{Reg} \ge \tfrac H2\, \mathbb E |R_K| = \tfrac H2 \cdot "
        r"\frac{K \binom{K-1}{\lfloor (K-1)/2 \rfloor}}{2^{K-1}} \quad \text{on fair coins } (1, 0), (0, 1)",
        Kind.LOWER_BOUND,
        Level.CERTIFIED,
        paper=CESA_BIANCHI_2006,
        note="An equality with one state a stage; by enumeration of all coins against exponential weights.",
        bound=Bound(sp.Ge(regret, H / 2 * WALK, evaluate=False)),
    ),
)

CLAIMS = (*LEMMAS, *CONSTANTS, *FULL_INFORMATION, *BANDIT, *LINEAR, *LOWER)
