r"""Policies, regularity, domination and ascent: what the analysis of `theory.n_harpg` rests on.

Constants of policy classes, sizes of gradients and Hessians of a discounted objective, the tails that a finite horizon
cuts off, gradient domination through the Fisher matrix, and the gain of a normalised step. The last section has the
scalar linear-quadratic regulator, where domination is an identity between rational functions.
"""

from typing import Any

import sympy as sp

from theory.claim import Assumption, Fails, Holds, Kind, Level, Origin
from theory.n_harpg import (
    CAUSAL_MOMENT,
    GRADIENT_MOMENT,
    GRADIENT_TAIL,
    HESSIAN_LIPSCHITZ,
    HESSIAN_MOMENT,
    HESSIAN_MOMENT_PRINTED,
    HESSIAN_TAIL,
    IN_MODELS,
    IN_SEQUENCES,
    RESTATED,
    SMOOTHNESS,
    at_most,
    claim,
    lemmas,
    ours,
)
from theory.symbols import H, error, gamma

LEAST_FISHER = 1e-6
"""Least eigenvalue at which a Fisher matrix in floating point counts as positive."""


def _non_degenerate(case: Any) -> Holds | Fails:
    least = float(case.least_fisher)
    return Holds() if least >= LEAST_FISHER else Fails(f"the least eigenvalue of the Fisher matrix is {least:.3g}")


NON_DEGENERATE = Assumption("fisher_non_degenerate", r"F_\rho(\theta) \succeq \mu_F I,\ \mu_F > 0", _non_degenerate)

POLICIES = (
    claim(
        "third_moment",
        "Third central moment of a bounded variable",
        r"|\mathbb E (X - \mathbb E X)^3| \le \frac{R^3}{6 \sqrt 3}, \quad \mathrm{Var}(X) \le \frac{R^2}{4} \quad (0 "
        r"\le X \le R)",
        Kind.INEQUALITY,
        Level.PROVED,
        note=(
            "With m = E X / R <= 1/3, y^3 lies below the chord from -m to 1 - m on the range of y = X / R - m, and "
            "below a tangent for m >= 1/3; the chord has the value m (1 - m) (1 - 2 m) at 0. Attained by two points."
        ),
        no_bound="a statement about all laws on an interval",
    ),
    claim(
        "softmax_scores",
        "Constants of the softmax",
        r"\|\psi\| \le \sqrt 2, \quad \|\Psi\| \le \tfrac12, \quad \|\nabla^3 \log \pi\| \le \frac{\sqrt 2}{3 \sqrt 3}",
        Kind.INEQUALITY,
        Level.PROVED,
        note=(
            "Along a direction v, the derivatives of log sum exp are the cumulants of v under the policy, whose range "
            "is at most 2^(1/2) |v|. For two actions and one logit the range is |v|: 1, 1/4, 1/(6 3^(1/2))."
        ),
        no_bound="three numbers",
        uses=("n_harpg.third_moment", *lemmas("softmax_score")),
    ),
    claim(
        "cauchy_scores",
        "Constants of the Cauchy policy",
        r"|\psi| \le 1, \quad |\Psi| \le 2, \quad |\partial^3_\theta \log \pi| \le \tfrac{3 + 2 \sqrt 2}{2} \quad "
        r"(\pi_\theta = \mathrm{Cauchy}(\theta, 1))",
        Kind.INEQUALITY,
        Level.PROVED,
        note=(
            "With a - theta = tan(phi / 2) they are sin phi, (1 + cos phi) cos phi and (1 + cos phi) sin phi (1 + 2 "
            "cos phi) up to signs. A scale s and features of norm f give powers of f / s."
        ),
        no_bound="three numbers",
    ),
    claim(
        "ring_scores",
        "A policy with one parameter whose Fisher information is bounded below on the whole line",
        r"\pi_k(\theta) = \tfrac13 + \tfrac{3}{10} \cos(\theta - \tfrac{2 \pi k}{3}): \quad |\psi| \le 2.0648,\ "
        r"|\Psi| \le 9,\ |\partial^3 \log \pi| \le 28.6,\ 0.2793 \le F(\theta) \le 0.73637",
        Kind.INEQUALITY,
        Level.PROVED,
        note="Three actions. The stochastic policies of a ring are Fisher-non-degenerate; by n_harpg.vacuity not for "
        "free.",
        no_bound="numbers",
    ),
    claim(
        "gauge_fisher",
        "Fisher information of the softmax with the last logit fixed",
        r"\sum_{a < A} p_a v_a^2 - \Big( \sum_{a < A} p_a v_a \Big)^2 \ge p_A\, \min_{a < A} p_a\, \|v\|^2",
        Kind.INEQUALITY,
        Level.PROVED,
        note="By Cauchy-Schwarz with weights p_a, whose sum over a < A is 1 - p_A.",
        no_bound="a statement about vectors",
    ),
    claim(
        "softmax_fisher",
        "Fisher matrix of the tabular softmax on policies away from zero",
        r"\lambda_{\min}\big( F_\rho(\theta) |_{1^\perp} \big) \ge (1 - \gamma) \min_s \rho(s) \min_{s, a} "
        r"\pi_\theta(a | s)",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="On vectors whose entries sum to zero in each state; the other directions are in its kernel.",
        no_bound=IN_MODELS,
        uses=lemmas("softmax_fisher"),
    ),
)

REGULARITY = (
    claim(
        "discount_sums",
        "Discounted sums of powers",
        (
            r"\sum_{t \ge H} \gamma^t (t + 1) = \gamma^H \Big( \frac{H}{1 - \gamma} + \frac{1}{(1 - \gamma)^2} \Big), "
            r"\quad \sum_{n \ge 1} n^2 \gamma^{n-1} = \frac{1 + \gamma}{(1 - \gamma)^3}, \quad \sum_{n \ge 1} n^{3/2} "
            r"\gamma^{n-1} \le \frac{\sqrt{1 + \gamma}}{(1 - \gamma)^{5/2}}"
        ),
        Kind.IDENTITY,
        Level.PROVED,
        note=(
            "The tails satisfy tail(H) = (H + 1) gamma^H + tail(H + 1), and likewise for squares, and vanish in the "
            "limit. The last one by Cauchy-Schwarz."
        ),
        no_bound="identities between series",
        uses=lemmas("discounted_sum"),
    ),
    claim(
        "gradient_norm",
        "Size of the gradient",
        r"\|\nabla J(\theta)\| \le \frac{r_{\max} M_g}{(1 - \gamma)^{3/2}}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        bound=at_most(error, sp.sqrt(GRADIENT_MOMENT)),
        uses=lemmas("gradient_second_moment"),
    ),
    claim(
        "smoothness",
        "Smoothness of the discounted objective",
        r"\|\nabla^2 J(\theta)\| \le L_g = \frac{r_{\max} (M_g^2 + M_h)}{(1 - \gamma)^2}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        origin=Origin.STATED,
        where="Proposition on the regularity of the objective",
        note=RESTATED,
        bound=at_most(error, SMOOTHNESS),
        uses=lemmas("smoothness"),
    ),
    claim(
        "gradient_tail",
        "Truncation of the gradient",
        r"\|\nabla J_H - \nabla J\| \le D_g \gamma^H, \quad D_g = \frac{M_g r_{\max}}{1 - \gamma} \sqrt{\tfrac{1}{1 - "
        r"\gamma} + H}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        origin=Origin.STATED,
        where="Lemma on truncation",
        note=RESTATED,
        bound=at_most(error, GRADIENT_TAIL * gamma**H),
        uses=("n_harpg.discount_sums", *lemmas("gpomdp", "score_second_moment")),
    ),
    claim(
        "hessian_tail",
        "Truncation of the Hessian",
        r"\|\nabla^2 J_H - \nabla^2 J\| \le D_h \gamma^H, \quad D_h = \frac{r_{\max} (M_h + M_g^2)}{1 - \gamma} \big( "
        r"H + \tfrac{1}{1 - \gamma} \big)",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        origin=Origin.STATED,
        where="Lemma on truncation",
        note=RESTATED,
        bound=at_most(error, HESSIAN_TAIL * gamma**H),
        uses=("n_harpg.discount_sums", *lemmas("hessian_estimator", "score_second_moment")),
    ),
    claim(
        "hessian_lipschitz",
        "Lipschitz constant of the Hessian",
        r"\|\nabla^3 J\| \le L_h = r_{\max} \Big[ \frac{\sqrt{1 + \gamma}\, (2 M_g^3 + 3 M_g M_h)}{(1 - "
        r"\gamma)^{5/2}} + \frac{l_2}{(1 - \gamma)^2} \Big]",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note=(
            "The paper has the order (1 - gamma)^(-3). Compared: the change of the Hessian along one coordinate; the "
            "nearest instance has 6 % of the bound."
        ),
        bound=at_most(error, HESSIAN_LIPSCHITZ),
        uses=("n_harpg.discount_sums", *lemmas("score_second_moment", "score_fourth_moment")),
    ),
    claim(
        "hessian_moment",
        "Second moment of the Hessian estimator",
        r"\mathbb E \|B v\|^2 \le \frac{r_{\max}^2 (H M_g^2 + M_h)^2}{(1 - \gamma)^4}\, \|v\|^2",
        Kind.EXPECTATION,
        Level.CERTIFIED,
        origin=Origin.EXPLICIT,
        note=(
            "With the cross term that n_harpg.printed_hessian_moment lacks, which is seen with one stage. Affine "
            "policies with up to 16 stages, M_g and M_h being those at the parameter, show a growth with H (not with "
            "its square) and with 1 / (1 - gamma) (not with its fourth power)."
        ),
        bound=at_most(error, HESSIAN_MOMENT),
        uses=lemmas("hessian_estimator"),
    ),
    claim(
        "causal_moment",
        "Second moment of the causal Hessian estimator, free of the horizon",
        r"\mathbb E \|\tilde B v\|^2 \le \frac{r_{\max}^2 (1 + \gamma) (2 M_g^2 + M_h)^2}{(1 - \gamma)^4}\, \|v\|^2",
        Kind.EXPECTATION,
        Level.CERTIFIED,
        note=(
            "Largest share of the bound: 0.4 with one stage, 0.06 for affine policies with up to 64 stages, M_g and "
            "M_h being those at the parameter. The fourth power of 1 / (1 - gamma) is needed there; whether the "
            "factor 1 + gamma is, no instance tells."
        ),
        bound=at_most(error, CAUSAL_MOMENT),
        uses=("n_harpg.discount_sums", *lemmas("hessian_estimator", "score_fourth_moment")),
    ),
    claim(
        "printed_hessian_moment",
        "Second moment of the Hessian estimator, as printed",
        r"\mathbb E \|B - \nabla^2 J_H\|^2 \le \frac{r_{\max}^2 (H^2 M_g^4 + M_h^2)}{(1 - \gamma)^4}",
        Kind.EXPECTATION,
        Level.REFUTED,
        origin=Origin.STATED,
        where="Proposition on the regularity of the objective",
        note=RESTATED,
        erratum=(
            "The square of H M_g^2 + M_h has a cross term. With one stage, three actions, one parameter and reward 1, "
            "two actions may have log-probabilities of slope M_g and -M_g and curvature M_h at the same parameter."
        ),
        bound=at_most(error, HESSIAN_MOMENT_PRINTED),
        uses=("n_harpg.hessian_moment",),
    ),
)

DOMINATION_CLAIMS = (
    claim(
        "relaxed_domination",
        "Relaxed weak gradient domination",
        r"J^\star - J(\theta) \le \frac{M_g}{\mu_F} \|\nabla J(\theta)\| + \frac{\sqrt{\varepsilon_{bias}}}{1 - "
        r"\gamma}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        origin=Origin.STATED,
        where="Lemma on relaxed weak gradient domination",
        note="For any comparator in the place of an optimal policy, with the error of the fit along it. " + RESTATED,
        no_bound=IN_MODELS,
        assumptions=(NON_DEGENERATE,),
        uses=lemmas("domination_identity"),
    ),
    claim(
        "signed_domination",
        "Only the positive part of the mean error of the fit matters",
        r"J^\star - J(\theta) \le \frac{M_g}{\mu_F} \|\nabla J(\theta)\| + \frac{\max\{b(\theta), 0\}}{1 - \gamma}, "
        r"\quad b(\theta) = \mathbb E_{d^\star} [A^{\pi_\theta} - (1 - \gamma) w_\star^\top \psi_\theta]",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="|b| is at most the root of the mean squared error.",
        no_bound=IN_MODELS,
        assumptions=(NON_DEGENERATE,),
        uses=lemmas("domination_identity"),
    ),
    claim(
        "tabular_bias",
        "Full-dimensional tabular policies have no error of the fit",
        r"A^{\pi_\theta}(s, a) = (1 - \gamma)\, w_\star^\top \psi_\theta(s, a) \quad \text{for all } s, a",
        Kind.IDENTITY,
        Level.CERTIFIED,
        note="One parameter for each free probability; by n_harpg.vacuity no such class is non-degenerate everywhere.",
        no_bound=IN_MODELS,
        uses=lemmas("natural_gradient", "compatible_features"),
    ),
)

ASCENT = (
    claim(
        "ascent_printed",
        "Ascent of a normalised step, in the form of the paper",
        r"-\frac{\langle g, d \rangle}{\|d\|} \le -\tfrac13 \|g\| + \tfrac83 \|d - g\|",
        Kind.INEQUALITY,
        Level.PROVED,
        origin=Origin.STATED,
        where="Lemma on normalised steps",
        note="Twice what is needed: 4/3 is the best constant of the error for 1/3, so that 3/2 is still true. "
        + RESTATED,
        no_bound="a statement about vectors",
        uses=lemmas("normalised_ascent"),
    ),
    claim(
        "ascent_step",
        "Ascent of a normalised step on a smooth objective",
        (
            r"J(\theta + \gamma_t u(d)) \ge J(\theta) + c \gamma_t \|\nabla J_H\| - (1 + c) \gamma_t \|d - \nabla "
            r"J_H\| - \gamma_t \|\nabla J - \nabla J_H\| - \tfrac12 L_g \gamma_t^2"
        ),
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="For every direction d other than 0. Compared for c = 0 and 1, between which the bound is affine.",
        no_bound=IN_MODELS,
        uses=("n_harpg.smoothness", *lemmas("normalised_ascent")),
    ),
    claim(
        "gap_recursion",
        "Recursion of the optimality gap of the normalised methods",
        (
            r"\delta_{t+1} \le (1 - c \kappa \gamma_t) \delta_t + (1 + c) \gamma_t (\mathbb E \|\hat e_t\| + D) + "
            r"\tfrac12 L_g \gamma_t^2 + c \varepsilon' \gamma_t"
        ),
        Kind.INEQUALITY,
        Level.PROVED,
        origin=Origin.EXPLICIT,
        note=(
            "The paper has c = 1/3 and 8/3 in the place of 4/3. Proved: that ascent, domination and truncation imply "
            "it."
        ),
        no_bound=IN_SEQUENCES,
        uses=ours("ascent_step", "relaxed_domination", "gradient_tail"),
    ),
)

LQR = (
    claim(
        "lqr_gap",
        "Optimality gap of the scalar linear-quadratic regulator",
        (
            r"J^\star - J(K) = \frac{m_\star}{1 - \gamma} \big[ 2 h_K (K - K^\star) - (R + \gamma b^2 P_K) (K - "
            r"K^\star)^2 \big], \quad J'(K) = - \frac{2 m_K h_K}{1 - \gamma},\ h_K = R K - \gamma b P_K (a - b K)"
        ),
        Kind.IDENTITY,
        Level.PROVED,
        note=(
            "P_K = (q + R K^2) / (1 - gamma (a - b K)^2) and m_K = m / (1 - gamma (a - b K)^2) with the same m for "
            "all K. The domination identity, whose bias is not positive. Scores and rewards are unbounded: not an "
            "instance of the theorems."
        ),
        no_bound="an identity between functions",
        uses=lemmas("domination_identity"),
    ),
    claim(
        "lqr_domination",
        "Gradient domination of the scalar linear-quadratic regulator",
        r"J^\star - J(K) \le \frac{(1 - \gamma)\, m_\star J'(K)^2}{4 m_K^2 (R + \gamma b^2 P_K)}, \quad J^\star - "
        r"J(K) \le \frac{m_\star}{m_K} |J'(K)|\, |K - K^\star|",
        Kind.INEQUALITY,
        Level.PROVED,
        no_bound="an inequality between functions",
        uses=("n_harpg.lqr_gap",),
    ),
)

CLAIMS = (*POLICIES, *REGULARITY, *DOMINATION_CLAIMS, *ASCENT, *LQR)
