r"""Values of control with a Kullback-Leibler penalty towards a reference policy.

:math:`V^\pi_{\lambda, h}(s) = \langle \pi_h, Q^\pi_{\lambda, h} \rangle - \lambda \mathrm{KL}(\pi_h \| \tilde\pi_h)`,
:math:`Q^\pi_{\lambda, h} = r_h + p_h V^\pi_{\lambda, h+1}`, :math:`J_\lambda(\pi) = \rho^\top V^\pi_{\lambda, 0}`. The
soft maximum and its maximiser are

.. math::
    F(x) = \max_\pi \{ \langle \pi, x \rangle - \lambda \mathrm{KL}(\pi \| \tilde\pi) \}
    = \lambda \log \sum_a \tilde\pi(a) e^{x_a / \lambda}, \qquad
    \pi^x(a) = \tilde\pi(a) e^{(x_a - F(x)) / \lambda},

and :math:`\mathrm{KL}_{\mathrm{traj}}(\pi \| \pi') = \sum_h \mathbb E_{d_h^\pi} \mathrm{KL}(\pi_h(s) \| \pi'_h(s))`.
The reference is positive everywhere.
"""

from typing import Any

from theory.claim import Assumption, Claim, Fails, Holds, Kind, Level, Origin, Source
from theory.references import BOUCHERON_2013, TIAPKIN_2024

SUMS = "both sides are sums over a model, not expressions in scalars"
VECTORS = "a statement about vectors"


def _uniform(case: Any) -> Holds | Fails:
    rows = (row for stage in case.reference for row in stage)
    return Holds() if all(len(set(row)) == 1 for row in rows) else Fails("the reference is not uniform")


UNIFORM_REFERENCE = Assumption("uniform_reference", r"\tilde\pi_h(a | s) = 1 / A", _uniform)


def _derived(note: str) -> Source:
    return Source(Origin.DERIVED, TIAPKIN_2024, note=note)


GIBBS = Claim(
    id="regularised_values.gibbs",
    title="Gibbs variational principle, with its remainder",
    statement=(
        r"\langle \pi, x \rangle - \lambda \mathrm{KL}(\pi \| \tilde\pi) = F(x) - \lambda \mathrm{KL}(\pi \| \pi^x) "
        r"\le F(x)"
    ),
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, BOUCHERON_2013, "Chapter 4", note="Duality formula of the entropy."),
    expected=Level.PROVED,
    no_bound=VECTORS,
)

DERIVATIVES = Claim(
    id="regularised_values.soft_maximum_derivatives",
    title="Gradient and Hessian of the soft maximum",
    statement=r"\nabla F(x) = \pi^x,\quad \nabla^2 F(x) = \tfrac1\lambda (\mathrm{diag}\, \pi^x - \pi^x (\pi^x)^\top)",
    kind=Kind.IDENTITY,
    source=_derived("Any number of actions."),
    expected=Level.PROVED,
    no_bound=VECTORS,
)

VARIANCE = Claim(
    id="regularised_values.curvature",
    title="Curvature of the soft maximum",
    statement=(
        r"v^\top \nabla^2 F(x) v = \tfrac1\lambda \mathrm{Var}_{\pi^x}(v) "
        r"\le \frac{(\max v - \min v)^2}{4 \lambda} \le \frac{\| v \|_2^2}{2 \lambda}"
    ),
    kind=Kind.INEQUALITY,
    source=_derived("Popoviciu's inequality; both constants are attained."),
    expected=Level.PROVED,
    no_bound=VECTORS,
    uses=("regularised_values.soft_maximum_derivatives",),
)

ORDER = Claim(
    id="regularised_values.soft_maximum_order",
    title="The soft maximum is monotone, commutes with shifts and is 1-Lipschitz",
    statement=(
        r"\min(x - y) \le F(x) - F(y) \le \max(x - y),\quad F(x + c) = F(x) + c"
        r"\quad\text{with } \min x \le F(x) \le \max x"
    ),
    kind=Kind.INEQUALITY,
    source=_derived("Compared after exponentiation, where all is rational."),
    expected=Level.CERTIFIED,
    no_bound=VECTORS,
)

CONVEXITY = Claim(
    id="regularised_values.soft_maximum_convex",
    title="The soft maximum lies above its tangents",
    statement=(
        r"F(y) - F(x) \ge \langle \pi^x, y - x \rangle,\quad\text{by } e^u \ge 1 + u \text{ at } "
        r"u = t - \mathbb E_{\pi^x} t,\ t = (y - x) / \lambda"
    ),
    kind=Kind.INEQUALITY,
    source=_derived("Jensen's inequality, by its tangent."),
    expected=Level.PROVED,
    no_bound=VECTORS,
)

DIVERGENCE = Claim(
    id="regularised_values.softmax_divergence",
    title="Divergence of two softmax policies (Hoeffding's lemma)",
    statement=(r"\lambda \mathrm{KL}(\pi^x \| \pi^y) \le \frac{(\max (x - y) - \min (x - y))^2}{8 \lambda}"),
    kind=Kind.INEQUALITY,
    source=_derived("Chord of the exponential between the extreme values, then the case of two actions."),
    expected=Level.PROVED,
    no_bound=VECTORS,
    uses=("scalar.hoeffding_core",),
)

PENALTY = Claim(
    id="regularised_values.penalty",
    title="The regularised value is the value less the trajectory divergence",
    statement=r"J_\lambda(\pi) = J(\pi) - \lambda \mathrm{KL}_{\mathrm{traj}}(\pi \| \tilde\pi)",
    kind=Kind.IDENTITY,
    source=_derived("By induction over the stages."),
    expected=Level.PROVED,
    no_bound=SUMS,
)

TRAJECTORY = Claim(
    id="regularised_values.trajectory_divergence",
    title="Chain rule of the trajectory divergence",
    statement=(
        r"\sum_\tau P_\pi(\tau) \log \frac{P_\pi(\tau)}{P_{\pi'}(\tau)} = "
        r"\sum_h \mathbb E_{s \sim d_h^\pi} \mathrm{KL}(\pi_h(s) \| \pi'_h(s))"
    ),
    kind=Kind.IDENTITY,
    source=_derived("The transitions cancel."),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
)

GAP = Claim(
    id="regularised_values.gap_identity",
    title="The regularised gap is a trajectory divergence",
    statement=(r"J^\star_\lambda - J_\lambda(\pi) = \lambda \mathrm{KL}_{\mathrm{traj}}(\pi \| \pi^\star_\lambda)"),
    kind=Kind.IDENTITY,
    source=_derived("Gibbs' principle at every stage."),
    expected=Level.PROVED,
    no_bound=SUMS,
    uses=("regularised_values.gibbs",),
)

DIFFERENCE = Claim(
    id="regularised_values.performance_difference",
    title="Performance difference with a divergence penalty",
    statement=(
        r"J_\lambda(\pi) - J_\lambda(\pi') = \sum_h \mathbb E_{d_h^\pi} \big[ \langle \pi_h - \pi'_h, "
        r"Q^{\pi'}_{\lambda, h} \rangle - \lambda \mathrm{KL}(\pi_h \| \tilde\pi_h) "
        r"+ \lambda \mathrm{KL}(\pi'_h \| \tilde\pi_h) \big]"
    ),
    kind=Kind.IDENTITY,
    source=_derived("The performance difference lemma with the penalty as a reward."),
    expected=Level.PROVED,
    no_bound=SUMS,
    uses=("value_difference.performance_difference",),
)

ENTROPY = Claim(
    id="regularised_values.maximum_entropy",
    title="The uniform reference is an entropy bonus",
    statement=(r"J_\lambda(\pi) + \lambda H \log A = J(\pi) + \lambda \sum_h \mathbb E_{d_h^\pi} \mathcal H(\pi_h(s))"),
    kind=Kind.IDENTITY,
    source=_derived("KL to the uniform law is log A less the entropy."),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    assumptions=(UNIFORM_REFERENCE,),
    uses=("regularised_values.penalty",),
)

QUADRATIC_GAP = Claim(
    id="regularised_values.quadratic_gap",
    title="The gap of a softmax policy is quadratic in the error of its action values",
    statement=(
        r"\bar\pi_h \propto \tilde\pi_h e^{\bar Q_h / \lambda},\ e = \bar Q - Q^\star_\lambda:\quad "
        r"J^\star_\lambda - J_\lambda(\bar\pi) \le \tfrac{1}{8 \lambda} \mathbb E_{\bar\pi} \sum_h "
        r"(\max_a e_h - \min_a e_h)^2 \le \tfrac{1}{2 \lambda} \mathbb E_{\bar\pi} \sum_h \max_a e_h^2"
    ),
    kind=Kind.INEQUALITY,
    source=_derived("1/8 is sharp; the usual form has max |e| and the constant 1/2."),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    uses=("regularised_values.gap_identity", "regularised_values.softmax_divergence"),
)

DEMONSTRATIONS = Claim(
    id="regularised_values.demonstrations",
    title="Sub-optimality of a regularised solution by that of the demonstrator",
    statement=(
        r"J^\star - J(\pi) \le \big( J^\star - J(\pi^E) \big) + \big( J^\star_\lambda - J_\lambda(\pi) \big) "
        r"+ \lambda \mathrm{KL}_{\mathrm{traj}}(\pi^E \| \tilde\pi)"
    ),
    kind=Kind.INEQUALITY,
    source=_derived("The step from regularised to plain values, for any demonstrator."),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    uses=("regularised_values.penalty",),
)

BIAS = Claim(
    id="regularised_values.entropy_bias",
    title="Bias of the uniform regularisation",
    statement=r"0 \le J^\star - J^\star_\lambda \le \lambda H \log A",
    kind=Kind.INEQUALITY,
    source=_derived("Sharp as lambda -> 0 with one optimal action in every state."),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
    assumptions=(UNIFORM_REFERENCE,),
    uses=("regularised_values.penalty",),
)

MIXTURE = Claim(
    id="regularised_values.mixture",
    title="The trajectory divergence is convex in mixtures of policies",
    statement=(
        r"\pi_h(a|s) = \frac{\sum_i \alpha_i d_h^{\pi_i}(s, a)}{\sum_i \alpha_i d_h^{\pi_i}(s)}:\quad "
        r"d_h^\pi = \sum_i \alpha_i d_h^{\pi_i},\quad \mathrm{KL}_{\mathrm{traj}}(\pi \| \pi') \le "
        r"\sum_i \alpha_i \mathrm{KL}_{\mathrm{traj}}(\pi_i \| \pi')"
    ),
    kind=Kind.INEQUALITY,
    source=_derived("Joint convexity of the divergence."),
    expected=Level.CERTIFIED,
    no_bound=SUMS,
)

CLAIMS = (
    GIBBS,
    DERIVATIVES,
    VARIANCE,
    ORDER,
    CONVEXITY,
    DIVERGENCE,
    PENALTY,
    TRAJECTORY,
    GAP,
    DIFFERENCE,
    ENTROPY,
    QUADRATIC_GAP,
    DEMONSTRATIONS,
    BIAS,
    MIXTURE,
)
