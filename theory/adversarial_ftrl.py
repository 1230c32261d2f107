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
versions of such orders, derived from the lemmas of this module and of `theory.lemmas.mirror_descent`. This module has
the lemmas, `theory.adversarial_ftrl_regret` the theorems; parameters and bounds are in
`theory.adversarial_ftrl_parameters`.
"""

from typing import Any

import sympy as sp

from theory.claim import Assumption, Bound, Claim, Fails, Holds, Kind, Level, Origin, Source
from theory.references import DAI_2023
from theory.symbols import regret

MASS = sp.Symbol("q", positive=True)
POLICY = sp.Symbol("pi_a", positive=True)
RIDGE = sp.Symbol("ridge", positive=True)
EIGENVALUE = sp.Symbol("ev", nonnegative=True)


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


def claim(name: str, title: str, statement: str, kind: Kind, expected: Level, **more: Any) -> Claim:
    """Return a claim of this paper; derived here, in the setting of Dai et al., unless said otherwise."""
    origin = more.pop("origin", Origin.DERIVED)
    source = Source(origin, more.pop("paper", DAI_2023), more.pop("where", ""), more.pop("note", ""))
    return Claim(f"adversarial_ftrl.{name}", title, statement, kind, source, expected, **more)


def bounded(right: sp.Expr) -> Bound:
    """Return the bound Regret <= right."""
    return Bound(sp.Le(regret, right, evaluate=False))


IN_MODELS = "a statement about models and policies"

LEMMAS = (
    claim(
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
    claim(
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
    claim(
        "exploration_sum",
        "Weights of implicit exploration sum to the number of pairs",
        r"\frac{q}{q + \gamma} \le 1, \quad \frac{q\, \pi}{q + \gamma} \le \pi, \text{ so that } \mathbb E_\mu "
        r"\sum_a "
        r"\frac{\pi}{q + \gamma} \le |S_h| A,\quad \mathbb E_\mu \sum_a \frac{\pi^2}{q + \gamma} \le |S_h|",
        Kind.INEQUALITY,
        Level.PROVED,
        bound=Bound(sp.Le(MASS / (MASS + RIDGE), 1, evaluate=False)),
    ),
    claim(
        "spectrum",
        "Scalar facts about a regularised covariance",
        r"\frac{\lambda}{(\lambda + \gamma)^2} \le \frac{1}{4 \gamma}, \quad \frac{\lambda}{\lambda + \gamma} \le 1, "
        r"\text{ so that } \phi^\top \hat\Sigma \Sigma \hat\Sigma \phi \le \min\{ \|\phi\|^2_{\hat\Sigma}, "
        r"1 / (4 \gamma) \},\ \mathrm{tr}(\hat\Sigma \Sigma) \le d \quad (\|\phi\| \le 1)",
        Kind.INEQUALITY,
        Level.PROVED,
        bound=Bound(sp.Le(EIGENVALUE / (EIGENVALUE + RIDGE) ** 2, 1 / (4 * RIDGE), evaluate=False)),
    ),
    claim(
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
    claim(
        "linear_bias",
        "The bias of the linear estimate is paid by the bonus",
        r"\gamma\, |\phi^\top \hat\Sigma \theta| \le c\, \|\phi\|^2_{\hat\Sigma} + \frac{\gamma \|\theta\|^2}{4 c} "
        r"\quad (c > 0)",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        no_bound="a statement about matrices",
        uses=("adversarial_ftrl.spectrum",),
    ),
    claim(
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
    claim(
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
    claim(
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
    claim(
        "resampling_norm",
        "Size of matrix geometric resampling",
        r"\Big\| c \textstyle\sum_{n=0}^N Z_n \Big\| \le \frac{1 - (1 - c \gamma)^{N+1}}{\gamma} \quad \big( \| "
        r"\phi_n \| \le 1,\ 0 < c \le \tfrac{1}{1 + \gamma} \big)",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="For every sequence of draws; equality in a direction that none of them has.",
        no_bound="a statement about matrices",
    ),
    claim(
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
    claim(
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
    claim(
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
    claim(
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
    claim(
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
    claim(
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
    claim(
        "barrier_identity",
        "Regret of the logarithmic barrier on two arms, exactly",
        (
            r"\eta \sum_t \langle x_t - u, c_t \rangle = \Psi(u) - \Psi(x_1) - D(u, x_{T+1}) + \sum_t \big[ \eta "
            r"\langle x_t - x_{t+1}, c_t \rangle - D(x_{t+1}, x_t) \big], \quad "
            r"\Psi(x) = - \log x_1 - \log x_2"
        ),
        Kind.IDENTITY,
        Level.CERTIFIED,
        note="Both sides enclosed by balls and equal to fifty digits on rational losses; the iterates are algebraic.",
        no_bound="an identity along a run",
        uses=("mirror_descent.ftrl_identity",),
    ),
    claim(
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
    claim(
        "dilation_sum",
        "Powers of 1 + 1/H",
        r"\sum_{h=1}^H (1 + \tfrac1H)^h = (H + 1) \big( (1 + \tfrac1H)^H - 1 \big) \le (e - 1) (H + 1)",
        Kind.INEQUALITY,
        Level.PROVED,
        note="For every H: the geometric sum, and (1 + 1/H)^H <= e from log(1 + x) <= x.",
        no_bound="an identity and an inequality for all H",
        uses=("scalar.log_upper",),
    ),
    claim(
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
    claim(
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
    claim(
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

CLAIMS = (*LEMMAS, *CONSTANTS)
