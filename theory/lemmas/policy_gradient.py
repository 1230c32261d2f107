r"""Policy gradients: score identities, unbiased estimators, and the recursions that their analyses end in.

:math:`\psi_\theta(s, a) = \nabla_\theta \log \pi_\theta(a \mid s)` is the score,
:math:`\Psi_\theta = \nabla^2_\theta \log \pi_\theta` the log-Hessian; :math:`\|\psi\| \le M_g, \|\Psi\| \le M_h`;
:math:`J_H(\theta) = \mathbb E \sum_{h < H} \gamma^h r_h`, :math:`|r| \le r_{\max}`. Along a trajectory
:math:`S_h = \sum_{k \le h} \psi_k` and :math:`w_t = \sum_{h \ge t} \gamma^h r_h`. Stages count from 0. :math:`d^\pi` is
the discounted occupancy of mass one; :math:`F` the Fisher matrix :math:`\mathbb E_{d^\pi} \psi \psi^\top`.
"""

from typing import Any

import sympy as sp

from theory.claim import Assumption, Bound, Claim, Fails, Holds, Kind, Level, Origin, Source
from theory.references import AGARWAL_2021, BAXTER_2001, FATKHULLIN_2023, WILLIAMS_1992
from theory.symbols import error, gamma, n, t

SUMS = "both sides are sums over a model, not expressions in scalars"
VECTORS = "a statement about vectors"


def _full_support(case: Any) -> Holds | Fails:
    positive = all(mass > 0 for mass in case.mdp.initial)
    return Holds() if positive else Fails("the first state does not reach every state")


FULL_SUPPORT = Assumption("full_support", r"\rho(s) > 0 \text{ for all } s", _full_support)

SCORE_MEAN = Claim(
    id="policy_gradient.score_mean",
    title="The score has mean zero",
    statement=r"\mathbb E_{a \sim \pi_\theta(\cdot | s)} \big[ \psi_\theta(s, a) \big] = 0",
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, WILLIAMS_1992, "proof of the main theorem"),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
)

SOFTMAX_SCORE = Claim(
    id="policy_gradient.softmax_score",
    title="Score and log-Hessian of the softmax, any number of actions",
    statement=(
        r"\pi = \mathrm{softmax}(\theta):\quad \partial_b \log \pi_a = 1[a = b] - \pi_b,\quad "
        r"\partial_{bc} \log \pi_a = -\pi_b (1[b = c] - \pi_c),\quad \sum_a \pi_a\, \partial_b \log \pi_a = 0"
    ),
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, AGARWAL_2021, "section on softmax policies"),
    expected=Level.PROVED,
    no_bound=VECTORS,
)

INFORMATION_MATRIX = Claim(
    id="policy_gradient.information_matrix",
    title="Information-matrix identity along trajectories",
    statement=(
        r"\mathbb E\big[ S_{H-1} S_{H-1}^\top \big] = \sum_h \mathbb E \big[ \psi_h \psi_h^\top \big] "
        r"= -\sum_h \mathbb E \big[ \Psi_h \big]"
    ),
    kind=Kind.IDENTITY,
    source=Source(Origin.DERIVED, FATKHULLIN_2023, note="Scores of different stages are uncorrelated."),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    uses=("policy_gradient.score_mean",),
)

THEOREM = Claim(
    id="policy_gradient.theorem",
    title="Policy gradient theorem, finite horizon, with any baseline",
    statement=(
        r"\nabla J_H(\theta) = \sum_h \mathbb E_{d_h^\pi} \big[ (Q_h^\pi(s, a) - b_h(s))\, \psi_\theta(s, a) \big]"
        r"\quad\text{for every } b_h : S \to \mathbb R"
    ),
    kind=Kind.IDENTITY,
    source=Source(
        Origin.FOLKLORE,
        AGARWAL_2021,
        "policy gradient theorem, as recalled there",
        note="Stated there for the discounted case.",
    ),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    uses=("policy_gradient.score_mean",),
)

DISCOUNTED_THEOREM = Claim(
    id="policy_gradient.discounted_theorem",
    title="Policy gradient theorem, discounted",
    statement=r"\nabla J(\theta) = \tfrac{1}{1 - \gamma} \mathbb E_{d^\pi} \big[ Q^\pi(s, a)\, \psi_\theta(s, a) \big]",
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, AGARWAL_2021, "policy gradient theorem, as recalled there"),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
)

GPOMDP = Claim(
    id="policy_gradient.gpomdp",
    title="GPOMDP is unbiased",
    statement=r"\mathbb E \Big[ \sum_t w_t \psi_t \Big] = \nabla J_H(\theta)",
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, BAXTER_2001, "the GPOMDP estimator", note="There for long-run averages."),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    uses=("policy_gradient.score_mean",),
)

REINFORCE = Claim(
    id="policy_gradient.reinforce",
    title="REINFORCE and GPOMDP agree in expectation",
    statement=r"\mathbb E \big[ S_{H-1}\, w_0 \big] = \mathbb E \Big[ \sum_t w_t \psi_t \Big]",
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, WILLIAMS_1992, "episodic REINFORCE"),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    uses=("policy_gradient.gpomdp",),
)

HESSIAN = Claim(
    id="policy_gradient.hessian_estimator",
    title="Three unbiased estimators of the Hessian",
    statement=(
        r"\mathbb E[B] = \mathbb E[B^\top] = \mathbb E[\tilde B] = \nabla^2 J_H(\theta),\quad "
        r"B = \Big( \sum_t w_t \psi_t \Big) S_{H-1}^\top + \sum_t w_t \Psi_t,\quad "
        r"\tilde B = \sum_h \gamma^h r_h \Big( S_h S_h^\top + \sum_{k \le h} \Psi_k \Big)"
    ),
    kind=Kind.IDENTITY,
    source=Source(Origin.DERIVED, FATKHULLIN_2023, note="B is the estimator of the paper; the causal one is ours."),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    uses=("policy_gradient.gpomdp",),
)

HESSIAN_VECTOR = Claim(
    id="policy_gradient.hessian_vector",
    title="The Hessian-vector correction is unbiased for the difference of gradients",
    statement=(
        r"\mathbb E_{q \sim U[0, 1]} \mathbb E_{\hat\tau \sim \hat\theta(q)} "
        r"\big[ B(\hat\tau, \hat\theta(q)) \Delta \big] = \nabla J_H(\theta) - \nabla J_H(\theta'),\quad "
        r"\hat\theta(q) = q \theta + (1 - q) \theta',\ \Delta = \theta - \theta'"
    ),
    kind=Kind.IDENTITY,
    source=Source(Origin.DERIVED, FATKHULLIN_2023, note="The variance-reduction step of (N-)HARPG."),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    uses=("policy_gradient.hessian_estimator",),
)

NATURAL_GRADIENT = Claim(
    id="policy_gradient.natural_gradient",
    title="The natural gradient of the tabular softmax is the advantage",
    statement=r"F(\theta)\, A^\pi = \nabla J_H(\theta),\quad F = \mathbb E \big[ S_{H-1} S_{H-1}^\top \big]",
    kind=Kind.IDENTITY,
    source=Source(
        Origin.FOLKLORE,
        AGARWAL_2021,
        "section on the natural policy gradient",
        note="In the discounted case with stationary policies A / (1 - gamma) takes the place of A.",
    ),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    uses=("policy_gradient.theorem",),
)

COMPATIBLE = Claim(
    id="policy_gradient.compatible_features",
    title="The natural gradient is the least-squares fit of the advantage by the scores",
    statement=(
        r"F u = (1 - \gamma) \nabla J(\theta) \iff \mathbb E_{d^\pi} \big[ (A^\pi - u^\top \psi)\, \psi \big] = 0 "
        r"\iff u \in \arg\min_v \mathbb E_{d^\pi} \big[ (A^\pi - v^\top \psi)^2 \big]"
    ),
    kind=Kind.EQUIVALENCE,
    source=Source(Origin.FOLKLORE, AGARWAL_2021, "section on the natural policy gradient"),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    uses=("policy_gradient.discounted_theorem",),
)

DOMINATION_IDENTITY = Claim(
    id="policy_gradient.domination_identity",
    title="Optimality gap through the natural gradient",
    statement=(
        r"J(\pi^\star) - J(\theta) = \tfrac{1}{1 - \gamma}\, b(\theta) "
        r"+ w^\top \mathbb E_{d^{\pi^\star}} [\psi_\theta],\quad "
        r"w = F(\theta)^{-1} \nabla J(\theta),\ b(\theta) = \mathbb E_{d^{\pi^\star}} \big[ A^{\pi_\theta} - "
        r"(1 - \gamma) w^\top \psi_\theta \big]"
    ),
    kind=Kind.IDENTITY,
    source=Source(
        Origin.DERIVED,
        FATKHULLIN_2023,
        note="Implies relaxed weak gradient domination by ||w|| <= ||grad J|| / mu_F and ||E psi|| <= M_g.",
    ),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    uses=("value_difference.discounted", "policy_gradient.discounted_theorem"),
)

DIRECT_DOMINATION = Claim(
    id="policy_gradient.direct_domination",
    title="Gradient domination of the direct parametrisation",
    statement=(
        r"J(\pi^\star) - J(\pi) \le \Big\| \frac{d^{\pi^\star}}{d^\pi} \Big\|_\infty "
        r"\max_{\bar\pi} \langle \bar\pi - \pi, \nabla_\pi J(\pi) \rangle"
    ),
    kind=Kind.INEQUALITY,
    source=Source(Origin.FOLKLORE, AGARWAL_2021, "gradient domination lemma for the direct parametrisation"),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    assumptions=(FULL_SUPPORT,),
    uses=("value_difference.discounted", "policy_gradient.discounted_theorem"),
)

SCORE_SECOND_MOMENT = Claim(
    id="policy_gradient.score_second_moment",
    title="Second moment of the score of a trajectory",
    statement=r"\mathbb E \| S_{n-1} \|^2 \le n M_g^2",
    kind=Kind.EXPECTATION,
    source=Source(Origin.DERIVED, FATKHULLIN_2023, note="Orthogonality of martingale differences."),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    uses=("policy_gradient.score_mean",),
)

SCORE_FOURTH_MOMENT = Claim(
    id="policy_gradient.score_fourth_moment",
    title="Fourth moment of a martingale with bounded differences in a Euclidean space",
    statement=(
        r"a_1 = 1,\ a_{n+1} = a_n + 6 n + 1 + 4 \sqrt n \implies a_n \le 4 n^2,\quad "
        r"\text{so that } \mathbb E \| S_{n-1} \|^4 \le 4 n^2 M_g^4"
    ),
    kind=Kind.INEQUALITY,
    source=Source(Origin.DERIVED, FATKHULLIN_2023, note="The recursion bounds E||S_n||^4 / M_g^4 term by term."),
    expected=Level.PROVED,
    bound=Bound(sp.Le(error, 4 * n**2)),
    uses=("policy_gradient.score_second_moment",),
)

GRADIENT_MOMENT = Claim(
    id="policy_gradient.gradient_second_moment",
    title="Second moment of the GPOMDP estimator",
    statement=(
        r"\mathbb E \Big\| \sum_t w_t \psi_t \Big\|^2 \le r_{\max}^2 M_g^2 \Big( \sum_{t < H} \gamma^t \Big) "
        r"\Big( \sum_{t < H} (t+1) \gamma^t \Big) \le \frac{r_{\max}^2 M_g^2}{(1-\gamma)^3}"
    ),
    kind=Kind.EXPECTATION,
    source=Source(Origin.DERIVED, FATKHULLIN_2023, note="The form with finite H is sharper than the one in use."),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    uses=("policy_gradient.score_second_moment", "policy_gradient.discounted_sum"),
)

SMOOTHNESS = Claim(
    id="policy_gradient.smoothness",
    title="Smoothness of the objective",
    statement=(
        r"\| \nabla^2 J_H(\theta) \| \le r_{\max} (M_g^2 + M_h) \sum_{t < H} (t+1) \gamma^t "
        r"\le \frac{r_{\max} (M_g^2 + M_h)}{(1 - \gamma)^2}"
    ),
    kind=Kind.INEQUALITY,
    source=Source(Origin.DERIVED, FATKHULLIN_2023, note="Finite-horizon form of the smoothness constant in use."),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    uses=(
        "policy_gradient.hessian_estimator",
        "policy_gradient.score_second_moment",
        "policy_gradient.discounted_sum",
    ),
)

DISCOUNTED_SUM = Claim(
    id="policy_gradient.discounted_sum",
    title="Discounted sum of counts",
    statement=r"\sum_{t=1}^{n} t \gamma^{t-1} = \frac{1 - (n+1) \gamma^n + n \gamma^{n+1}}{(1-\gamma)^2}",
    kind=Kind.IDENTITY,
    source=Source(Origin.DERIVED, FATKHULLIN_2023, note="Elementary."),
    expected=Level.PROVED,
    bound=Bound(
        sp.Eq(
            sp.Sum(t * gamma ** (t - 1), (t, 1, n)),
            (1 - (n + 1) * gamma**n + n * gamma ** (n + 1)) / (1 - gamma) ** 2,
            evaluate=False,
        )
    ),
)

ASCENT = Claim(
    id="policy_gradient.normalised_ascent",
    title="Ascent of a normalised step",
    statement=(
        r"-\frac{\langle g, d \rangle}{\| d \|} \le -c \| g \| + (1 + c) \| d - g \|,\quad "
        r"d \ne 0,\ c \in [0, 1]"
    ),
    kind=Kind.INEQUALITY,
    source=Source(
        Origin.DERIVED,
        FATKHULLIN_2023,
        note="In any inner-product space; with c = 1/3 the constant 4/3 is half of the one in use.",
    ),
    expected=Level.PROVED,
    no_bound=VECTORS,
)

RECURSION = Claim(
    id="policy_gradient.weighted_recursion",
    title="Recursion with steps 2 / (a (t + tau))",
    statement=(
        r"r_{t+1} \le \Big( 1 - \tfrac{2}{t + \tau} \Big) r_t + \beta_t \ (t + \tau \ge 2) \implies "
        r"(T + \tau - 1)^2\, r_T \le (t_0 + \tau - 1)^2\, r_{t_0} + \sum_{t = t_0}^{T-1} (t + \tau)^2 \beta_t"
    ),
    kind=Kind.INEQUALITY,
    source=Source(Origin.DERIVED, FATKHULLIN_2023, note="Induction over T; the proof is its step."),
    expected=Level.PROVED,
    no_bound="a statement about all sequences",
)

STEP_SIZES = Claim(
    id="policy_gradient.momentum_weights",
    title="Momentum weights decay slowly",
    statement=(r"\eta_t = \Big( \tfrac{2}{t+2} \Big)^q,\ q \in [0, 1] \implies \eta_t (1 - \eta_{t+1}) \le \eta_{t+1}"),
    kind=Kind.INEQUALITY,
    source=Source(Origin.DERIVED, FATKHULLIN_2023, note="Equivalent to 1 / eta_{t+1} - 1 / eta_t <= 1."),
    expected=Level.PROVED,
    no_bound="an inequality for all real t >= 0 and q",
)

MOMENTUM_VARIANCE = Claim(
    id="policy_gradient.momentum_variance",
    title="Variance of a momentum average",
    statement=(
        r"a_{t+1} = (1 - \eta_{t+1})^2 a_t + \eta_{t+1}^2,\ a_t \le \eta_t,\ \eta_t (1 - \eta_{t+1}) \le \eta_{t+1} "
        r"\implies a_{t+1} \le \eta_{t+1}"
    ),
    kind=Kind.INEQUALITY,
    source=Source(Origin.DERIVED, FATKHULLIN_2023, note="The step of the induction for sum_t eta_t^2 prod (1-eta)^2."),
    expected=Level.PROVED,
    no_bound="an inequality between elements of sequences",
    uses=("policy_gradient.momentum_weights",),
)

HARPG_VARIANCE = Claim(
    id="policy_gradient.variance_recursion",
    title="Error of momentum with a Hessian correction, eta = 2 / (t + 2)",
    statement=(
        r"V_0 \le \sigma^2,\ V_t \le \Big( \tfrac{t}{t+2} \Big)^2 \big( V_{t-1} + \tfrac{4 S}{(t+1)^2} \big) "
        r"+ \tfrac{4 \sigma^2}{(t+2)^2} \implies V_t \le \frac{4 (\sigma^2 + S)}{3 (t + 1)}\ (t \ge 1)"
    ),
    kind=Kind.INEQUALITY,
    source=Source(
        Origin.DERIVED, FATKHULLIN_2023, note="S bounds the variance of the correction at step scale one; 4/3 is sharp."
    ),
    expected=Level.PROVED,
    no_bound="an inequality between elements of sequences",
)

LYAPUNOV = Claim(
    id="policy_gradient.lyapunov_weights",
    title="Weights of the Lyapunov function of HARPG",
    statement=r"(u - 1)^4\, u \le (u - 2)^2 (u + 1)^3 \quad (u \ge 3)",
    kind=Kind.INEQUALITY,
    source=Source(Origin.DERIVED, FATKHULLIN_2023, note="With u = t + 2."),
    expected=Level.PROVED,
    no_bound="an inequality between polynomials",
)

SOFTMAX_CURVATURE = Claim(
    id="policy_gradient.softmax_fisher",
    title="Fisher information of the softmax on vectors of mean zero",
    statement=(
        r"v^\top \big( \mathrm{diag}\, p - p p^\top \big) v \ge \min_a p_a\, \| v \|^2 "
        r"\quad\text{whenever } \textstyle\sum_a v_a = 0"
    ),
    kind=Kind.INEQUALITY,
    source=Source(Origin.DERIVED, FATKHULLIN_2023, note="Fisher non-degeneracy on policies bounded away from 0."),
    expected=Level.PROVED,
    no_bound=VECTORS,
)

CLAIMS = (
    SCORE_MEAN,
    SOFTMAX_SCORE,
    INFORMATION_MATRIX,
    THEOREM,
    DISCOUNTED_THEOREM,
    GPOMDP,
    REINFORCE,
    HESSIAN,
    HESSIAN_VECTOR,
    NATURAL_GRADIENT,
    COMPATIBLE,
    DOMINATION_IDENTITY,
    DIRECT_DOMINATION,
    SCORE_SECOND_MOMENT,
    SCORE_FOURTH_MOMENT,
    GRADIENT_MOMENT,
    SMOOTHNESS,
    DISCOUNTED_SUM,
    ASCENT,
    RECURSION,
    STEP_SIZES,
    MOMENTUM_VARIANCE,
    HARPG_VARIANCE,
    LYAPUNOV,
    SOFTMAX_CURVATURE,
)
