r"""Stochastic policy gradients with momentum and Hessian correction: N-PG-IGT, HARPG, N-HARPG and their baselines.

Discounted MDP with :math:`|r| \le r_{\max}` and :math:`J(\theta) = \mathbb E \sum_h \gamma^h r_h`, maximised;
:math:`J_H` stops after H rewards. The score :math:`\psi = \nabla \log \pi_\theta` has norm at most :math:`M_g`, the
log-Hessian :math:`\Psi = \nabla^2 \log \pi_\theta` at most :math:`M_h`, the derivative of that at most
:math:`l_2`. Along a trajectory, with :math:`w_t = \sum_{h \ge t} \gamma^h r_h` and :math:`S_h = \sum_{k \le h} \psi_k`,

.. math::
    g(\tau, \theta) = \sum_t w_t \psi_t, \qquad
    B(\tau, \theta) = g\, S_{H-1}^\top + \sum_t w_t \Psi_t, \qquad
    \tilde B(\tau, \theta) = \sum_h \gamma^h r_h \Big( S_h S_h^\top + \sum_{k \le h} \Psi_k \Big) .

The methods keep a direction :math:`d_t` for :math:`\nabla J_H(\theta_t)`, with error
:math:`\hat e_t = d_t - \nabla J_H(\theta_t)` and :math:`V_t = \mathbb E \|\hat e_t\|^2`, and step along it or along
:math:`u(d) = d / \|d\|`, :math:`u(0) = 0`:

.. math::
    \text{N-PG-M} \quad & d_t = (1 - \eta_t) d_{t-1} + \eta_t\, g(\tau_t, \theta_t), \\
    \text{N-PG-IGT} \quad & d_t = (1 - \eta_t) d_{t-1} + \eta_t\, g(\tilde\tau_t, \tilde\theta_t), \quad
        \tilde\theta_t = \theta_t + \tfrac{1 - \eta_t}{\eta_t} (\theta_t - \theta_{t-1}), \\
    \text{(N-)HARPG} \quad & d_t = (1 - \eta_t) (d_{t-1} + B(\hat\tau_t, \hat\theta_t) (\theta_t - \theta_{t-1}))
        + \eta_t\, g(\tau_t, \theta_t), \quad \hat\theta_t = q_t \theta_t + (1 - q_t) \theta_{t-1} .

Fatkhullin, Barakat, Kireeva and He (2023) show last-iterate rates :math:`T^{-2/5}` and :math:`T^{-1/2}` for policies
whose Fisher matrix is at least :math:`\mu_F I` for all parameters. Two facts about the optimality gap
:math:`\delta_t = \mathbb E[J^\star - J(\theta_t)]` carry the proofs: a normalised step loses at most its error, and the
gradient dominates the gap, :math:`\varepsilon' + \|\nabla J\| \ge \kappa (J^\star - J)` with
:math:`\kappa = \mu_F / M_g`, :math:`\varepsilon' = \kappa b` and :math:`b = \sqrt{\varepsilon_{bias}} / (1 - \gamma)`.
All constants here are ours: explicit versions of the orders in the paper, with an ascent constant c (1/3 in the paper,
1 at best), a step scale :math:`\bar\gamma = 1 / (c \kappa)`, and :math:`\mathbb E \|B v\|^2 \le B_2 \|v\|^2`.

Domination and smoothness on the whole space force :math:`J^\star - J \le b` everywhere (`n_harpg.vacuity`): the global
theorems are true and say nothing about a run. What can be tested is local, and is stated here as such.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from theory.claim import Bound, Claim, Kind, Level, Origin, Source
from theory.references import FATKHULLIN_2023
from theory.symbols import H, T, error, gamma
from theory.symbols import t as iteration

ONE_FIFTH, ONE_THIRD, HALF = sp.Rational(1, 5), sp.Rational(1, 3), sp.Rational(1, 2)

t = iteration
"""Iteration; expressions hold from t = 0 on."""

M_g, M_h, l_2, r_max = sp.symbols("M_g M_h l_2 r_max", nonnegative=True)
"""Bounds of score, log-Hessian, third derivative of the log-policy, and reward."""

kappa, mu, c, scale, gamma_0 = sp.symbols("kappa mu_F c scale gamma_0", positive=True)
"""Domination constant, least Fisher eigenvalue, ascent constant, step scale gamma-bar, first step of PG and HARPG."""

sigma_g, sigma_h, B_2, L_g, L_h, D_h = sp.symbols("sigma_g sigma_h B_2 L_g L_h D_h", nonnegative=True)
"""Noise of the gradient, of the Hessian-vector product, bound of E||B v||^2 / ||v||^2; smoothness; Hessian tail."""

bias, truncation = sp.symbols("b D", nonnegative=True)
"""Bias b = sqrt(eps_bias) / (1 - gamma), and D = D_g gamma^H."""

offset, first_gap = sp.Symbol("tau_0", positive=True), sp.Symbol("delta_0", nonnegative=True)
"""Shift of the schedule, first optimality gap."""

C_2 = sp.Symbol("C_2", positive=True)
"""Factor of the error in the ascent lemma: 1 + c, or 8/3 in the form of the paper."""


# Schedules


@dataclass(frozen=True)
class Schedule:
    """Momentum weight eta_t and step gamma_t as expressions in ``t`` (and ``scale`` or ``gamma_0``), from t = 0 on."""

    momentum: sp.Expr
    step: sp.Expr


def power(exponent: Any, shift: Any = 2) -> sp.Expr:
    """Return (2 / (t + shift))^exponent."""
    return (2 / (t + shift)) ** exponent


NORMALISED_STEP = scale * power(1)
"""Step of the normalised methods; the paper's 6 M_g / (mu_F (t + 2)) is ``scale = 3 M_g / mu_F``."""

SCHEDULES: Mapping[str, Schedule] = {
    "pg": Schedule(sp.S.One, gamma_0 * power(2 * ONE_THIRD)),
    "n_pg_m": Schedule(power(2 * ONE_THIRD), NORMALISED_STEP),
    "n_pg_igt": Schedule(power(4 * ONE_FIFTH), NORMALISED_STEP),
    "harpg": Schedule(power(1), gamma_0 * power(HALF)),
    "n_harpg": Schedule(power(1), NORMALISED_STEP),
    "shifted": Schedule(power(1, offset), 2 / (c * kappa * (t + offset))),
}
"""Schedules of the methods; "shifted" is that of N-HARPG from which bounds that say something follow."""

DOMINATION = mu / M_g
"""kappa on the whole space."""

PAPER_SCALE = 3 / DOMINATION
"""Step scale of the paper: c = 1/3 and kappa = mu_F / M_g."""

HARPG_FIRST_STEP = sp.Min(
    1 / (8 * sp.sqrt(6) * (L_g + sigma_h + D_h * gamma**H)),
    sp.sqrt(2) * M_g / (sp.sqrt(3) * sigma_g * mu),
)
"""gamma_0 of HARPG in the paper; our explicit bound needs ``HARPG_STEP_LIMIT / sqrt(B_2)`` only."""

HARPG_STEP_LIMIT = sp.Rational(39, 100)
HORIZON = sp.log(T + 1) / (1 - gamma)
"""Horizon from which gamma^H <= 1 / (T + 1)."""


# Constants of regularity

ROOT = sp.sqrt(1 + gamma)
SMOOTHNESS = r_max * (M_g**2 + M_h) / (1 - gamma) ** 2
"""L_g."""

GRADIENT_MOMENT = r_max**2 * M_g**2 / (1 - gamma) ** 3
"""sigma_g^2, which bounds E||g||^2 and ||grad J||^2."""

HESSIAN_MOMENT_PRINTED = r_max**2 * (H**2 * M_g**4 + M_h**2) / (1 - gamma) ** 4
"""sigma_h^2 without its cross term: too small in a corner."""

HESSIAN_MOMENT = r_max**2 * (H * M_g**2 + M_h) ** 2 / (1 - gamma) ** 4
"""sigma_h^2: bounds E||B||^2."""

CAUSAL_MOMENT = r_max**2 * (1 + gamma) * (2 * M_g**2 + M_h) ** 2 / (1 - gamma) ** 4
"""Bound of E||B~||^2, free of H."""

GRADIENT_TAIL = M_g * r_max / (1 - gamma) * sp.sqrt(1 / (1 - gamma) + H)
"""D_g."""

HESSIAN_TAIL = r_max * (M_h + M_g**2) / (1 - gamma) * (H + 1 / (1 - gamma))
"""D_h."""

HESSIAN_LIPSCHITZ = r_max * (
    ROOT * (2 * M_g**3 + 3 * M_g * M_h) / (1 - gamma) ** sp.Rational(5, 2) + l_2 / (1 - gamma) ** 2
)
"""L_h."""


@dataclass(frozen=True)
class PolicyClass:
    """Bounds of score, log-Hessian and third derivative of a class of policies."""

    score: sp.Expr
    curvature: sp.Expr
    third: sp.Expr


SQUARE_ROOT_TWO, SQUARE_ROOT_THREE = sp.sqrt(2), sp.sqrt(3)
POLICY_CLASSES: Mapping[str, PolicyClass] = {
    "softmax": PolicyClass(SQUARE_ROOT_TWO, HALF, SQUARE_ROOT_TWO / (3 * SQUARE_ROOT_THREE)),
    "sigmoid": PolicyClass(sp.S.One, sp.Rational(1, 4), 1 / (6 * SQUARE_ROOT_THREE)),
    "cauchy": PolicyClass(sp.S.One, sp.Integer(2), sp.Rational(3, 2) + SQUARE_ROOT_TWO),
    "ring": PolicyClass(sp.Rational(20648, 10**4), sp.Integer(9), sp.Rational(286, 10)),
}
"""Tabular softmax, one logit a state, Cauchy law of unit scale and features, and the ring of three actions."""

RING_AMPLITUDE = sp.Rational(3, 10)
RING_FISHER = (sp.Rational(2793, 10**4), sp.Rational(73637, 10**5))
"""Lower and upper bound of the Fisher information of the ring policy, for all parameters."""


# Bounds of the errors and of the optimality gaps

IGT_BIAS, MOMENTUM_BIAS = sp.Rational(535, 1000), sp.Rational(1008, 1000)
"""Constants of the bias of N-PG-IGT and N-PG-M."""

NOISE = sigma_g**2 + scale**2 * B_2
"""K^2: noise of N-HARPG at step scale gamma-bar."""

HARPG_ERROR_EXACT = (
    sp.Rational(2, 3)
    * ((t + 1) * (t + 2) * (2 * t + 3) * sigma_g**2 + t * (t + 1) * (2 * t + 1) * scale**2 * B_2)
    / ((t + 1) ** 2 * (t + 2) ** 2)
)
HARPG_ERROR = sp.Rational(4, 3) * NOISE / (t + 1)
"""Bounds of V_t of N-HARPG."""

IGT_ERROR = sigma_g * power(2 * ONE_FIFTH) + IGT_BIAS * L_h * scale**2 * power(2 * ONE_FIFTH)
MOMENTUM_ERROR = (sigma_g + MOMENTUM_BIAS * L_g * scale) * power(ONE_THIRD)
"""Bounds of E||e_t|| of N-PG-IGT and N-PG-M."""

FLOOR = bias + C_2 * scale * truncation
"""What no number of iterations removes; (1 + c) / c = 2 times D / kappa for c = 1."""

STEP_TERM = 2 * L_g * scale**2 / (T + 1)


def _from_powers(rate: Any, amplitude: sp.Expr) -> sp.Expr:
    """Return the part of an error amplitude * (2 / (t + 2))^rate in the bound of the gap."""
    return 2 ** (1 + rate) * C_2 * scale * amplitude * (T + 2) ** (2 - rate) / ((2 - rate) * (T + 1) ** 2)


HARPG_GAP_LEADING = (
    4 * C_2 / sp.sqrt(3) * scale * sp.sqrt(NOISE) * (2 * ONE_THIRD / sp.sqrt(T + 1) + 2 / (T + 1) ** sp.Rational(3, 2))
)
N_HARPG_GAP = FLOOR + HARPG_GAP_LEADING + STEP_TERM
N_PG_IGT_GAP = FLOOR + _from_powers(2 * ONE_FIFTH, sigma_g + IGT_BIAS * L_h * scale**2) + STEP_TERM
N_PG_M_GAP = FLOOR + _from_powers(ONE_THIRD, sigma_g + MOMENTUM_BIAS * L_g * scale) + STEP_TERM

PG_GAP = (
    sp.Rational(3, 5)
    * (2 ** (-2 * ONE_THIRD) / (gamma_0 * kappa**2) + 2**ONE_THIRD * L_g * sigma_g**2 * gamma_0**2)
    * (T + 2) ** sp.Rational(5, 3)
    / (T + 1) ** 2
)
"""Without bias; sigma_g^2 bounds E||g||^2 here."""

PG_FIRST_STEP = (4 * L_g * sigma_g**2 * kappa**2) ** (-ONE_THIRD)
"""gamma_0 that minimises ``PG_GAP``."""

LYAPUNOV_START = sp.Symbol("Lambda_1", nonnegative=True)
"""delta_1 + 2 gamma_0 eta_1^(-1/2) V_1."""

HARPG_GAP = 2 * LYAPUNOV_START / (T + 1) + 4 * SQUARE_ROOT_TWO / sp.sqrt(T + 1) * (
    1 / (8 * gamma_0 * kappa**2) + 2 * gamma_0 * sigma_g**2
)
"""Without bias, for gamma_0 <= 0.39 / sqrt(B_2)."""

PATH_LENGTH = 2 / (c * kappa) * sp.log((T + offset - 1) / (offset - 1))
"""Bound of the sum of the steps of the shifted schedule."""


WEIGHTED_LOSSES = sp.Symbol("losses", nonnegative=True)
"""Sum over t < T of (t + tau_0)^2 gamma_t (C_2 (E||e_t|| + D) + L_g gamma_t / 2)."""

SHIFTED_GAP = bias + ((offset - 1) ** 2 * first_gap + WEIGHTED_LOSSES) / (T + offset - 1) ** 2


# The Cauchy bandit: one state, reward 1 / (1 + a^2), action of law Cauchy(theta, 1)

theta, radius = sp.Symbol("theta", real=True), sp.Symbol("R", positive=True)
CAUCHY_VALUE = 2 / (4 + theta**2)
CAUCHY_GRADIENT = -4 * theta / (4 + theta**2) ** 2
CAUCHY_DOMINATION = 8 / (radius * (4 + radius**2))
"""kappa on |theta| <= R, without bias."""

CAUCHY_SMOOTHNESS, CAUCHY_HESSIAN_LIPSCHITZ = sp.Rational(1, 4), sp.Rational(29179, 10**5)
CAUCHY_NOISE, CAUCHY_SECOND_MOMENT, CAUCHY_HESSIAN_MOMENT = (
    sp.Rational(163399, 10**6),
    sp.Rational(18247, 10**5),
    sp.Rational(21, 32),
)
"""Upper bounds of Var g, E g^2 and E B^2 for all theta."""

CAUCHY_G_SQUARED = (40 + 68 * theta**2 + sp.Rational(5, 2) * theta**4) / (4 + theta**2) ** 4
CAUCHY_B_SQUARED = (2688 + 480 * theta**2 + 1416 * theta**4 + 50 * theta**6 + theta**8) / (4 + theta**2) ** 6
"""E g^2 and E B^2, by residues."""


# Claims

IN_MODELS = "a statement about models and policies"
RESTATED = "Quoted after a restatement of the formulas of the paper, whose own numbering is not used."
IN_SEQUENCES = "a statement about sequences"
SHARED = "policy_gradient"

error_norm = sp.Symbol("E_t", nonnegative=True)
"""E||e_t||."""

squared_error = sp.Symbol("V_t", nonnegative=True)
gap = sp.Symbol("delta_T", nonnegative=True)


def claim(name: str, title: str, statement: str, kind: Kind, expected: Level, **more: Any) -> Claim:
    """Return a claim of the paper's family; ``origin``, ``where`` and ``note`` make its source."""
    source = Source(more.pop("origin", Origin.DERIVED), FATKHULLIN_2023, more.pop("where", ""), more.pop("note", ""))
    return Claim(f"n_harpg.{name}", title, statement, kind, source, expected, **more)


def at_most(left: Any, right: Any) -> Bound:
    """Return the bound left <= right, unevaluated."""
    return Bound(sp.Le(left, right, evaluate=False))


def ours(*names: str) -> tuple[str, ...]:
    """Return ids of this family."""
    return tuple(f"n_harpg.{name}" for name in names)


def lemmas(*names: str) -> tuple[str, ...]:
    """Return ids of the policy-gradient lemmas."""
    return tuple(f"{SHARED}.{name}" for name in names)


ERRORS = (
    claim(
        "error_martingale",
        "The error of (N-)HARPG contracts in the mean",
        r"\mathbb E [\hat e_t \mid \mathcal F_{t-1}] = (1 - \eta_t)\, \hat e_{t-1}",
        Kind.IDENTITY,
        Level.CERTIFIED,
        note="By enumeration of both trajectories, on models with four and more stages: with three the midpoint "
        "passes.",
        no_bound=IN_MODELS,
        uses=lemmas("gpomdp", "hessian_vector"),
    ),
    claim(
        "midpoint",
        "With three stages the midpoint is as good as a uniform point",
        r"H \le 3: \quad \mathbb E_{\hat\tau \sim \hat\theta(1/2)} [B(\hat\tau, \hat\theta(\tfrac12)) \Delta] = "
        r"\nabla J_H(\theta) - \nabla J_H(\theta')",
        Kind.IDENTITY,
        Level.CERTIFIED,
        note="For affine policies, whose Hessian is affine along a segment: such models cannot tell a midpoint apart.",
        no_bound=IN_MODELS,
        uses=lemmas("hessian_vector"),
    ),
    claim(
        "error_identity",
        "Variance recursion of N-HARPG, an equality",
        (
            r"V_t = (1 - \eta_t)^2 V_{t-1} + \eta_t^2\, \mathbb E\, \mathrm{Var}(g(\tau_t, \theta_t)) + (1 - "
            r"\eta_t)^2\, \mathbb E\, \mathrm{Var}(B(\hat\tau_t, \hat\theta_t) \Delta_t)"
        ),
        Kind.IDENTITY,
        Level.CERTIFIED,
        note=(
            "The two trajectories of an iteration must be independent. By enumeration of all runs of two iterations, "
            "with a step that depends on the first trajectory and q at an end: as good as uniform for two stages."
        ),
        no_bound=IN_MODELS,
        uses=ours("error_martingale"),
    ),
    claim(
        "n_harpg_error",
        "Error of N-HARPG",
        r"V_t \le \tfrac43\, \frac{\sigma_g^2 + \bar\gamma^2 B_2}{t + 1} \quad (\eta_t = \tfrac{2}{t + 2},\ "
        r"\|\theta_{t+1} - \theta_t\| \le \bar\gamma\, \tfrac{2}{t + 2})",
        Kind.EXPECTATION,
        Level.PROVED,
        origin=Origin.EXPLICIT,
        note=(
            "Proved: the solution of the recursion. Along a prescribed path of the Cauchy bandit mean and variance of "
            "the error follow linear recursions without sampling; these expose every mistake in the estimator."
        ),
        bound=at_most(squared_error, HARPG_ERROR),
        uses=("n_harpg.error_identity", "n_harpg.hessian_moment", *lemmas("variance_recursion")),
    ),
    claim(
        "transport",
        "Extrapolation cancels the linear part of the bias",
        (
            r"(1 - \eta) (\nabla J(\theta_{t-1}) - \nabla J(\theta_t)) + \eta\, (\nabla J(\tilde\theta_t) - \nabla "
            r"J(\theta_t)) \text{ vanishes for quadratic } J, \text{ and has norm at most } \tfrac12 L_h "
            r"\gamma_{t-1}^2 \tfrac{1 - \eta}{\eta}"
        ),
        Kind.IDENTITY,
        Level.PROVED,
        note="Equality for cubic J along a line, with L_h = |J'''|.",
        no_bound="a statement about vectors",
        uses=("n_harpg.hessian_lipschitz",),
    ),
    claim(
        "igt_bias",
        "Bias of N-PG-IGT",
        r"b_T = (1 - \eta_T) \Big( b_{T-1} + \frac{1}{2 \eta_T} \big( \tfrac{2}{T + 1} \big)^2 \Big) \implies b_T \le "
        r"0.535\, \big( \tfrac{2}{T + 2} \big)^{2/5}, \quad \eta_t = \big( \tfrac{2}{t + 2} \big)^{4/5},\ b_0 = 0",
        Kind.INEQUALITY,
        Level.PROVED,
        note="The step of the induction, for all real T >= 1. The largest ratio is that of 0.53475 at T = 131.",
        no_bound=IN_SEQUENCES,
        uses=("n_harpg.transport",),
    ),
    claim(
        "igt_error",
        "Error of N-PG-IGT",
        r"\mathbb E \|\hat e_t\| \le (\sigma_g + 0.535\, L_h \bar\gamma^2) \big( \tfrac{2}{t + 2} \big)^{2/5}",
        Kind.EXPECTATION,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note="Compared along a prescribed path of the Cauchy bandit, without sampling.",
        bound=at_most(error_norm, IGT_ERROR),
        uses=("n_harpg.igt_bias", *lemmas("momentum_variance")),
    ),
    claim(
        "momentum_bias",
        "Bias of N-PG-M",
        r"b_T = (1 - \eta_T) \big( b_{T-1} + \tfrac{2}{T + 1} \big) \implies b_T \le 1.008\, \big( \tfrac{2}{T + 2} "
        r"\big)^{1/3}, \quad \eta_t = \big( \tfrac{2}{t + 2} \big)^{2/3},\ b_0 = 0",
        Kind.INEQUALITY,
        Level.PROVED,
        note="The step of the induction, for all real T >= 1.",
        no_bound=IN_SEQUENCES,
        uses=("n_harpg.smoothness",),
    ),
    claim(
        "momentum_error",
        "Error of N-PG-M",
        r"\mathbb E \|\hat e_t\| \le (\sigma_g + 1.008\, L_g \bar\gamma) \big( \tfrac{2}{t + 2} \big)^{1/3}",
        Kind.EXPECTATION,
        Level.SUPPORTED,
        note="Compared along a prescribed path of the Cauchy bandit, without sampling.",
        bound=at_most(error_norm, MOMENTUM_ERROR),
        uses=("n_harpg.momentum_bias", *lemmas("momentum_variance")),
    ),
)

SUMS = (
    claim(
        "power_sums",
        "Sums behind the closed forms",
        (
            r"\sum_{n=1}^T n^q \le \frac{(T + 1)^{q+1}}{q + 1} \ (q = \tfrac35, \tfrac23), \quad \sum_{n=1}^T \Big( "
            r"\sqrt n + \frac{1}{\sqrt n} \Big) \le \tfrac23 (T + 1)^{3/2} + 2 \sqrt{T + 1}"
        ),
        Kind.INEQUALITY,
        Level.PROVED,
        note="Each term is at most the increment of the right side.",
        no_bound=IN_SEQUENCES,
    ),
    claim(
        "weighted_tails",
        "Sharp constants of the sum lemma",
        (
            r"\sum_{t < T} \gamma_t \prod_{s=t+1}^{T-1} (1 - \eta_s) \le C(p, q)\, \frac{\gamma_T}{\eta_T}, \quad "
            r"\gamma_t = \big( \tfrac{2}{t+2} \big)^p,\ \eta_t = \big( \tfrac{2}{t+2} \big)^q: \quad C(\tfrac85, "
            r"\tfrac45) = 1.396,\ C(\tfrac65, \tfrac45) = 1.177,\ C(1, \tfrac45) = 1.085"
        ),
        Kind.INEQUALITY,
        Level.PROVED,
        origin=Origin.EXPLICIT,
        note=(
            "The step of the induction, from T = 3 for the first pair and from T = 1 for the others, and the values "
            "before. The closed form of the constant in use is of the order 10^15 for the first pair."
        ),
        from_tier="full",
        no_bound=IN_SEQUENCES,
    ),
    claim(
        "horizon",
        "Horizon at which the truncation is harmless",
        r"H \ge \frac{\log(T + 1)}{1 - \gamma} \implies \gamma^H \le \frac{1}{T + 1}",
        Kind.INEQUALITY,
        Level.PROVED,
        note="log(gamma) <= gamma - 1.",
        no_bound="a statement about numbers",
        uses=("scalar.log_upper",),
    ),
    claim(
        "igt_horizon",
        "Horizon of N-PG-IGT, if gradients are truncated before they are transported",
        r"\gamma^H \le (T + 1)^{-6/5} \implies \gamma^H \eta_T^{-1} = O(T^{-2/5}), \quad \eta_T = \big( \tfrac{2}{T + "
        r"2} \big)^{4/5}",
        Kind.RATE,
        Level.PROVED,
        note=(
            "With gamma^H = 1 / (T + 1) only T^(-1/5). No such term arises if the Hessian of J_H itself is taken to "
            "be Lipschitz, as in n_harpg.igt_error."
        ),
        no_bound="a statement about orders",
        uses=("n_harpg.horizon",),
    ),
    claim(
        "harpg_step",
        "Step at which the Lyapunov function of HARPG decreases",
        r"4 a^2 + a \le 1 \quad (0 \le a \le 0.39)",
        Kind.INEQUALITY,
        Level.PROVED,
        note="a = gamma_0 B_2^(1/2).",
        no_bound="an inequality between numbers",
        uses=lemmas("lyapunov_weights"),
    ),
)

LOCAL_ONLY = (
    "Compared: the solution of the recursion with its closed form, not a run. On the whole space only with a bias b "
    "that makes it vacuous (n_harpg.vacuity); use it with local constants."
)

GAPS = (
    claim(
        "n_harpg",
        "Optimality gap of N-HARPG",
        (
            r"\delta_T \le b + C_2 \bar\gamma D + \frac{4 C_2}{\sqrt 3} \bar\gamma \sqrt{\sigma_g^2 + \bar\gamma^2 "
            r"B_2} \Big[ \frac{2}{3 \sqrt{T + 1}} + \frac{2}{(T + 1)^{3/2}} \Big] + \frac{2 L_g \bar\gamma^2}{T + 1}, "
            r"\quad \bar\gamma = \frac{1}{c \kappa},\ C_2 = 1 + c"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note=LOCAL_ONLY,
        bound=at_most(gap, N_HARPG_GAP),
        uses=("n_harpg.gap_recursion", "n_harpg.n_harpg_error", "n_harpg.power_sums", *lemmas("weighted_recursion")),
    ),
    claim(
        "n_pg_igt",
        "Optimality gap of N-PG-IGT",
        (
            r"\delta_T \le b + C_2 \bar\gamma D + \tfrac54 C_2 2^{2/5} \bar\gamma (\sigma_g + 0.535\, L_h "
            r"\bar\gamma^2) \frac{(T + 2)^{8/5}}{(T + 1)^2} + \frac{2 L_g \bar\gamma^2}{T + 1}"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note=LOCAL_ONLY,
        bound=at_most(gap, N_PG_IGT_GAP),
        uses=("n_harpg.gap_recursion", "n_harpg.igt_error", "n_harpg.power_sums", *lemmas("weighted_recursion")),
    ),
    claim(
        "n_pg_m",
        "Optimality gap of N-PG-M",
        (
            r"\delta_T \le b + C_2 \bar\gamma D + \tfrac65 C_2 2^{1/3} \bar\gamma (\sigma_g + 1.008\, L_g \bar\gamma) "
            r"\frac{(T + 2)^{5/3}}{(T + 1)^2} + \frac{2 L_g \bar\gamma^2}{T + 1}"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        note=LOCAL_ONLY,
        bound=at_most(gap, N_PG_M_GAP),
        uses=("n_harpg.gap_recursion", "n_harpg.momentum_error", "n_harpg.power_sums", *lemmas("weighted_recursion")),
    ),
    claim(
        "pg",
        "Optimality gap of the plain policy gradient",
        (
            r"\delta_T \le \tfrac35 \Big[ \frac{2^{-2/3}}{\gamma_0 \kappa^2} + 2^{1/3} L_g \sigma_g^2 \gamma_0^2 "
            r"\Big] \frac{(T + 2)^{5/3}}{(T + 1)^2}, \quad \gamma_t = \gamma_0 \big( \tfrac{2}{t + 2} \big)^{2/3}"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        note="Without bias and truncation; sigma_g^2 bounds E||g||^2. By delta^2 >= 2 s delta - s^2. " + LOCAL_ONLY,
        bound=at_most(gap, PG_GAP),
        uses=("n_harpg.smoothness", "n_harpg.relaxed_domination", "n_harpg.power_sums", *lemmas("weighted_recursion")),
    ),
    claim(
        "harpg",
        "Optimality gap of HARPG",
        (
            r"\delta_T \le \frac{2 \Lambda_1}{T + 1} + \frac{4 \sqrt 2}{\sqrt{T + 1}} \Big[ \frac{1}{8 \gamma_0 "
            r"\kappa^2} + 2 \gamma_0 \sigma_g^2 \Big], \quad \Lambda_1 = \delta_1 + 2 \gamma_0 \eta_1^{-1/2} V_1,\ "
            r"\gamma_0 \le \frac{0.39}{\sqrt{B_2}}"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note="Without bias and truncation; the paper has a bias of 2 b under a further condition on gamma_0. "
        + LOCAL_ONLY,
        bound=at_most(gap, HARPG_GAP),
        uses=(
            "n_harpg.error_identity",
            "n_harpg.harpg_step",
            "n_harpg.relaxed_domination",
            *lemmas("lyapunov_weights", "weighted_recursion"),
        ),
    ),
    claim(
        "stated_orders",
        "The explicit bounds have the orders that the paper states",
        (
            r"\text{beyond } b \text{ and } D: \quad \text{N-HARPG, HARPG } O(T^{-1/2}), \quad \text{N-PG-IGT } "
            r"O(T^{-2/5}), \quad \text{PG, N-PG-M } O(T^{-1/3}); \quad \sqrt T\, (U_T - b) \to \frac{16}{3 \sqrt "
            r"3} \frac{\sqrt{\sigma_g^2 + B_2 / \kappa^2}}{\kappa} \ (c = 1,\ D = 0), \quad U_T \text{ the bound of "
            r"n\_harpg.n\_harpg}"
        ),
        Kind.RATE,
        Level.PROVED,
        origin=Origin.EXPLICIT,
        note=(
            "Stated there: last-iterate rates T^(-2/5) of N-PG-IGT and T^(-1/2) of HARPG (bias 2 b) and N-HARPG (bias "
            "b), so eps^(-5/2) and eps^(-2) trajectories. With the printed c = 1/3 and C_2 = 8/3: 64 / (3 3^(1/2)) / "
            "kappa. The orders are those of the bounds at one choice of constants; the limit is that of their part of "
            "leading order, for all."
        ),
        no_bound="a statement about orders",
        uses=ours("n_harpg", "n_pg_igt", "n_pg_m", "pg", "harpg"),
    ),
)

VACUITY = (
    claim(
        "vacuity",
        "Global domination and smoothness leave no gap beyond the bias",
        (
            r"\kappa f \le \|\nabla f\| + \varepsilon' \text{ and } \nabla f\ L\text{-Lipschitz on } \mathbb R^d "
            r"\implies f \le \varepsilon' / \kappa \text{ everywhere} \quad (f = J^\star - J \ge 0)"
        ),
        Kind.INEQUALITY,
        Level.PROVED,
        note=(
            "Along steepest ascent of f by arc length, a(s) = f - eps'/kappa grows like exp(kappa s), and f by at "
            "most G s + L s^2 / 2 with G the first slope. Proved: at s = 3 L / (a kappa^3) + (6 G / (a "
            "kappa^3))^(1/2) the first exceeds the second for every a > 0. So the global rates hold at the first "
            "iterate already, and a class without bias is non-degenerate everywhere only if J is constant."
        ),
        no_bound="a statement about functions",
    ),
    claim(
        "vacuity_on_rings",
        "On globally non-degenerate families the bias covers all gaps",
        r"\sup_\theta \frac{\sqrt{\varepsilon_{bias}(\theta)}}{1 - \gamma} \ge J^\star - \inf_\theta J(\theta)",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="Models with ring policies and any rewards. Equality, 0.96667, for one state and r = (1, 0, 0).",
        no_bound=IN_MODELS,
        uses=ours("vacuity", "relaxed_domination", "ring_scores"),
    ),
)

LOCAL = (
    claim(
        "shifted_error",
        "Error of N-HARPG under the shifted schedule",
        (
            r"W_t = (t + \tau_0 - 1)^2 (t + \tau_0)^2 V_t: \quad W_t \le W_{t-1} + 4 (t + \tau_0 - 1)^2 \sigma_g^2 + "
            r"4 \bar\gamma^2 B_2 (t + \tau_0 - 2)^2 \quad (\eta_t = \tfrac{2}{t + \tau_0},\ \gamma_t = \bar\gamma\, "
            r"\tfrac{2}{t + \tau_0})"
        ),
        Kind.INEQUALITY,
        Level.PROVED,
        note="An equality for the recursion of n_harpg.error_identity with constant variances.",
        no_bound=IN_SEQUENCES,
        uses=ours("error_identity"),
    ),
    claim(
        "path_length",
        "How far a normalised method can go",
        r"\sum_{t < T} \frac{2}{c \kappa (t + \tau_0)} \le \frac{2}{c \kappa} \log \frac{T + \tau_0 - 1}{\tau_0 - 1}",
        Kind.INEQUALITY,
        Level.PROVED,
        note="1 / n <= log(n / (n - 1)). If the ball of this radius lies in a set, local constants of the set will do.",
        bound=at_most(error, PATH_LENGTH),
    ),
    claim(
        "cauchy_domination",
        "Local domination constant of the Cauchy bandit",
        r"\tfrac12 - J(\theta) \le \frac{|J'(\theta)|}{\kappa(R)}, \quad \kappa(R) = \frac{8}{R (4 + R^2)} \quad "
        r"(|\theta| \le R)",
        Kind.INEQUALITY,
        Level.PROVED,
        note="J = 2 / (4 + theta^2). The signed error of the fit is not positive for |theta| <= 1.25.",
        no_bound="an inequality between functions",
    ),
    claim(
        "cauchy_constants",
        "Constants of the Cauchy bandit",
        r"|J''| \le \tfrac14, \quad |J'''| \le 0.29179, \quad \mathrm{Var}(g) \le 0.163399, \quad \mathbb E g^2 \le "
        r"0.18247, \quad \mathbb E B^2 \le \tfrac{21}{32}",
        Kind.INEQUALITY,
        Level.PROVED,
        note=(
            "Means, and moments as rational functions of theta, by residues of the Cauchy law times the estimator at i "
            "and i - theta; then their maxima."
        ),
        no_bound="numbers",
        uses=("n_harpg.cauchy_scores",),
    ),
    claim(
        "local_gap",
        "N-HARPG started near an optimum, with constants of a ball",
        (
            r"(T + \tau_0 - 1)^2\, (\delta_T - b) \le (\tau_0 - 1)^2 \delta_0 + \sum_{t < T} (t + \tau_0)^2 \gamma_t "
            r"\big( (1 + c) (\sqrt{V_t} + D) + \tfrac12 L_g \gamma_t \big), \quad V_t \text{ from "
            r"n\_harpg.shifted\_error},\ V_0 = \sigma_g^2 / B_0"
        ),
        Kind.EXPECTATION,
        Level.SUPPORTED,
        note=(
            "On the Cauchy bandit, whose iterates stay in |theta| <= R surely, with c = 1 and b = D = 0. Below the "
            "first gap, that is where it says something, only for offsets of 10^4 and more. Gaps of runs are a few "
            "thousandths of it: no constant of it is tested."
        ),
        bound=at_most(gap, SHIFTED_GAP),
        uses=(
            *ours("gap_recursion", "shifted_error", "path_length", "cauchy_domination", "cauchy_constants"),
            *lemmas("weighted_recursion"),
        ),
    ),
)


RATE_USES = {
    "pg": "pg",
    "n_pg_m": "momentum_error",
    "n_pg_igt": "igt_error",
    "harpg": "harpg",
    "n_harpg": "n_harpg_error",
}


def _rate(method: str, name: str, exponent: str, what: str = r"\mathbb E \|\hat e_T\|", note: str = "") -> Claim:
    return claim(
        f"rate_{method}",
        f"Rate of {name} in closed loop",
        rf"{what} = O(T^{{-{exponent}}}) \quad \text{{on the Cauchy bandit}}",
        Kind.RATE,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note=(
            "From theta = 1/2 with steps of scale 1/2. The gap falls about twice as fast there: it is locally convex."
            f"{note}"
        ),
        no_bound="a statement about an exponent",
        from_tier="full",
        uses=ours(RATE_USES[method]),
    )


RATES = (
    _rate("pg", "the plain policy gradient", "1/3", r"\delta_T", " No run tells 1/3 from 2/3."),
    _rate("n_pg_m", "N-PG-M", "1/3"),
    _rate("n_pg_igt", "N-PG-IGT", "2/5"),
    _rate("harpg", "HARPG", "1/2"),
    _rate("n_harpg", "N-HARPG", "1/2"),
)

RUNS = (
    claim(
        "large_steps",
        "Theory-size steps on a policy class that is not Fisher-non-degenerate",
        r"\mathbb P(J^\star - J(\theta_T) > 2) \le 0.2 \quad \text{for the tabular softmax, } \gamma_t = "
        r"\tfrac{4}{t + 2},\ T = 1000",
        Kind.HIGH_PROBABILITY,
        Level.REFUTED,
        erratum=(
            "The softmax saturates in the first steps: on two states and two actions, from the uniform policy, more "
            "than a fifth of the runs still have a gap above 2 after 1000 steps. With steps 1 / (t + 2) at most a "
            "fifth have, after 1000 steps and after 10^4."
        ),
        note="What is lost with the condition on the Fisher matrix. The law of the gap has two modes: no mean is "
        "asserted.",
        no_bound="a statement about runs",
        uses=("n_harpg.softmax_fisher",),
    ),
    claim(
        "equivalences",
        "Without momentum the methods are the normalised policy gradient",
        (
            r"\eta \equiv 1: \text{ N-PG-M} = \text{N-PG-IGT} = \text{N-HARPG} = \text{normalised PG}; \quad "
            r"\text{HARPG with exact gradients and differences} = \text{gradient ascent}"
        ),
        Kind.EQUIVALENCE,
        Level.SUPPORTED,
        note="Parameters and directions of runs; those of HARPG on an oracle without noise.",
        no_bound="an equivalence between algorithms",
    ),
)

CLAIMS = (*ERRORS, *SUMS, *GAPS, *VACUITY, *LOCAL, *RATES, *RUNS)
