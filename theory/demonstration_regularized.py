r"""Demonstration-regularised reinforcement learning: cloning and identification, with explicit constants.

The abstract of the paper announces that N expert demonstrations cut the sample complexity of identifying a good policy
to :math:`\tilde O(\mathrm{Poly}(S, A, H) / (\varepsilon^2 N))`: a clone of the expert by regularised maximum likelihood
is the reference of a value iteration with a Kullback-Leibler penalty. Its text was not available to us. The statements
below are ours, for the algorithms of ``solvers.demonstration_regularized``, whose bonuses, stopping rules and constants
may differ from the paper's.

Transitions are unknown and differ between stages, rewards are known and in [0, 1]. :math:`\tilde\pi` is the reference,
:math:`V_\lambda` a value with penalty :math:`\lambda \mathrm{KL}(\pi_h \| \tilde\pi_h)` a stage,
:math:`\mathrm{KL}_{\mathrm{traj}}(\pi \| \pi') = \sum_h \mathbb E_{d_h^\pi} \mathrm{KL}(\pi_h \| \pi'_h)`,
:math:`d_h` the occupancies of the expert :math:`\pi^E`, and :math:`\pi^{BC}` Laplace's clone of it,
:math:`(N_h(s, a) + 1) / (N_h(s) + A)`. Radii and bounds are in `theory.demonstration_regularized_parameters`.
"""

import sympy as sp

from theory import demonstration_regularized_parameters as parameters
from theory.assumptions import KNOWN_REWARDS, UNIT_REWARDS
from theory.claim import Bound, Claim, Kind, Level, Origin, Source
from theory.demonstration_regularized_parameters import expert_gap, kbar
from theory.references import TIAPKIN_2024
from theory.symbols import A, H, N, T, epsilon, error, lam

SUMS = "both sides are sums over a model, not expressions in scalars"
SLOPE = "a statement about the slope of a curve"

_k, _j = sp.symbols("k j", integer=True, nonnegative=True)


def ours(note: str = "") -> Source:
    """Return the source of a statement that is ours."""
    return Source(Origin.DERIVED, TIAPKIN_2024, note=note)


def explicit(note: str = "") -> Source:
    """Return the source of a statement that gives constants to what the paper claims."""
    return Source(Origin.EXPLICIT, TIAPKIN_2024, note=note)


def bayes_risk(visits: sp.Expr) -> sp.Expr:
    r"""Return :math:`r_A(n)`: the least mean divergence of a uniformly drawn law on A actions from any estimate of it.

    .. math:: r_A(n) = \mathbb E \sum_a p_a \log p_a - A \mathbb E[q \log q], \quad q = (K + 1) / (n + A),

    K a count under the prior (beta-binomial with parameters 1 and A - 1); the first term is -(1/2 + ... + 1/A).
    """
    mass = (A - 1) / (visits + A - 1) * sp.exp(sp.Sum(sp.log((visits - _k + _j) / (visits + _j)), (_j, 1, A - 2)))
    guess = (_k + 1) / (visits + A)
    return -sp.Sum(1 / _j, (_j, 2, A)) - A * sp.Sum(mass * guess * sp.log(guess), (_k, 0, visits))


mass = sp.Symbol("mass", nonnegative=True)
"""Probability that the expert is in a state at a stage."""

spread = sp.Symbol("spread", nonnegative=True)
"""Variance of the return of the clone."""

CLONING_STATE_EXPECTATION = (A - 1) * (1 - (1 - mass) ** (N + 1)) / (N + 1)
"""Part of a state in the mean divergence of the expert from Laplace's clone."""

LOSS_BY_RANGE = H * sp.sqrt(kbar / 2)
"""What the clone loses against the expert, by the range of returns."""

LOSS_BY_VARIANCE = sp.sqrt(2 * spread * kbar) + H * kbar / 3
"""The same by the variance of the return of the clone."""

MINIMAX = H * bayes_risk(N)
"""Lower bound with one state."""

CLONING = (
    Claim(
        id="demonstration_regularized.cloning_expectation",
        title="Mean divergence of the expert from Laplace's clone",
        statement=(
            r"\mathbb E\, \mathrm{KL}_{\mathrm{traj}}(\pi^E \| \pi^{BC}) \le \sum_{h, s} \frac{(A - 1) \big( 1 - (1 - "
            r"d_h(s))^{N + 1} \big)}{N + 1} \le \frac{S H (A - 1)}{N + 1}"
        ),
        kind=Kind.EXPECTATION,
        source=explicit("No logarithm; for any Markov expert and any transitions."),
        expected=Level.CERTIFIED,
        bound=Bound(sp.Le(error, parameters.CLONING_EXPECTATION)),
        uses=(
            "demonstration_regularized.laplace_divergence",
            "demonstration_regularized.binomial_reciprocal",
            "regularised_values.trajectory_divergence",
        ),
    ),
    Claim(
        id="demonstration_regularized.cloning_markov",
        title="Divergence of the expert from Laplace's clone, by Markov's inequality",
        statement=(
            r"P\Big( \mathrm{KL}_{\mathrm{traj}}(\pi^E \| \pi^{BC}) > \frac{S H (A - 1)}{(N + 1) \delta} \Big) \le "
            r"\delta"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=explicit(
            "Short for moderate delta, where the bound with log(1 / delta) has larger constants. Checked for two "
            "actions and one stage."
        ),
        expected=Level.CERTIFIED,
        bound=Bound(sp.Le(error, parameters.CLONING_MARKOV)),
        uses=("demonstration_regularized.cloning_expectation",),
    ),
    Claim(
        id="demonstration_regularized.cloning_deviation",
        title="Divergence of the expert from Laplace's clone, with log(1 / delta)",
        statement=(
            r"\text{With probability } 1 - \delta,\ \text{for } L = \log\tfrac{2SH}\delta,\ U(n) = L + \log\binom{n + "
            r"A - 1}{A - 1}:\quad \mathrm{KL}_{\mathrm{traj}}(\pi^E \| \pi^{BC}) \le \frac{e}{(e - 1) N} \sum_{h, s} "
            r"\Big[ 1\{n > 0\} \big( U \max(1, \log U) + A \big) + L \log(n + A) \Big], \quad n = N_h(s)"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=explicit(
            "Computable from the demonstrations. The bound given is the worst case over the counts. Enclosed for two "
            "actions and one stage, where at most a fifth of the bound is used; sampled clones use a hundredth."
        ),
        expected=Level.CERTIFIED,
        bound=Bound(sp.Le(error, parameters.CLONING_HIGH_PROBABILITY)),
        uses=(
            "demonstration_regularized.smoothing_link",
            "concentration.categorical_kl",
            "concentration.visit_counts",
        ),
    ),
    Claim(
        id="demonstration_regularized.cloning_shorter",
        title="A bound with a product of two logarithms follows from ours",
        statement=(
            r"S, A, H \le 100,\ A \le N \le 10^9,\ \delta \ge 10^{-20}:\quad \text{the bound of cloning\_deviation} "
            r"\le \tfrac{7}{50} \Big( \frac{6 S A H \log(2 e^4 N) \log(12 H N^2 / \delta)}{N} + \frac{18 A H}{N} "
            r"\Big)"
        ),
        kind=Kind.INEQUALITY,
        source=ours(
            "On a grid of the ends of these ranges, not between them. The right side is a form that we recall and "
            "cannot quote: nothing is attributed. The ratio is largest at N = 2, where both bounds are vacuous."
        ),
        expected=Level.CERTIFIED,
        bound=Bound(
            sp.Le(parameters.CLONING_HIGH_PROBABILITY, sp.Rational(7, 50) * parameters.CLONING_RECALLED_FINITE)
        ),
    ),
    Claim(
        id="demonstration_regularized.cloning_finite_class",
        title="Divergence of the expert from the best policy of a finite class",
        statement=(
            r"\pi^E_h \in F_h,\ \pi \ge \gamma \text{ on } F_h,\ 0 \le R_h \le M:\quad P\Big( "
            r"\mathrm{KL}_{\mathrm{traj}}(\pi^E \| \pi^{BC}) > \big( 2 + \log\tfrac1\gamma \big) \sum_h \frac{2 "
            r"\log(H |F_h| / \delta) + M}{N} \Big) \le \delta"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=explicit(
            "Penalised maximum likelihood, step by step. Checked for two laws of two actions in one state: at most "
            "half of the bound is used, and a third of the penalty."
        ),
        expected=Level.CERTIFIED,
        bound=Bound(sp.Le(error, parameters.CLONING_FINITE_CLASS)),
        uses=("divergences.hellinger_upper",),
    ),
    Claim(
        id="demonstration_regularized.cloning_general_class",
        title="Divergence of the expert from the best policy of a class with covering numbers",
        statement=(
            r"(1 - \kappa) \pi^E_h + \kappa / A \in F_h,\ \pi \ge \gamma \text{ on } F_h,\ 0 \le R_h \le M:\quad "
            r"P\Big( \mathrm{KL}_{\mathrm{traj}}(\pi^E \| \pi^{BC}) > \big( 2 + \log\tfrac1\gamma \big) H \Big\{ "
            r"\frac{4 \log(H \mathcal N_{1/(AN)} / \delta) + 2 M + 6}{N} + 2 \log\frac{1}{1 - \kappa} \Big\} \Big) "
            r"\le \delta"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=explicit(
            "Covering numbers of the classes of one stage in supremum norm. Checked for all laws of two actions above "
            "a floor, in one state at one stage: less than a quarter of the bound is used, and a 25th of the penalty."
        ),
        expected=Level.CERTIFIED,
        bound=Bound(sp.Le(error, parameters.CLONING_COVERING)),
        uses=("divergences.hellinger_upper",),
    ),
    Claim(
        id="demonstration_regularized.bayes_risk",
        title="Least mean divergence of a uniformly drawn law from an estimate of it",
        statement=(
            r"p \text{ uniform},\ K \mid p \text{ multinomial of } n \text{ draws}:\quad \min_q \mathbb E\, "
            r"\mathrm{KL}(p \| q(K)) = r_A(n) = \psi(2) - \psi(A + 1) - A\, \mathbb E\Big[ \frac{K_1 + 1}{n + A} "
            r"\log\frac{K_1 + 1}{n + A} \Big]"
        ),
        kind=Kind.IDENTITY,
        source=ours(
            "What is compared is the risk of Laplace's rule. It is the least one as the rule is the mean given the "
            "counts, and a mean divergence exceeds that from the mean by the divergence of the mean."
        ),
        expected=Level.CERTIFIED,
        no_bound="both sides are sums of logarithms of primes with rational coefficients",
    ),
    Claim(
        id="demonstration_regularized.cloning_lower_bound",
        title="No estimate of the expert has a smaller worst risk than Laplace's has on average",
        statement=(
            r"d_h(s) \text{ free of the policy: for every } \hat\pi \text{ some expert has}\quad \mathbb E\, "
            r"\mathrm{KL}_{\mathrm{traj}}(\pi^E \| \hat\pi) \ge \sum_{h, s} d_h(s)\, \mathbb E_{n \sim "
            r"\mathrm{Bin}(N, d_h(s))}\, r_A(n)"
        ),
        kind=Kind.LOWER_BOUND,
        source=ours(
            "Bayes risk of independent uniform laws; r_A(n) is about (A - 1) / (2 n). The bound: one state. Checked "
            "against eight rules for two actions, among them asymptotically minimax ones."
        ),
        expected=Level.CERTIFIED,
        bound=Bound(sp.Ge(error, MINIMAX)),
        uses=("demonstration_regularized.bayes_risk", "regularised_values.trajectory_divergence"),
    ),
    Claim(
        id="demonstration_regularized.cloning_rate",
        title="Cloning is fast: its divergence falls as the inverse of the number of demonstrations",
        statement=r"\mathbb E\, \mathrm{KL}_{\mathrm{traj}}(\pi^E \| \pi^{BC}) = O(1 / N)",
        kind=Kind.RATE,
        source=explicit("A slope over the stated range of N, for a noisy and for a deterministic expert."),
        expected=Level.SUPPORTED,
        no_bound=SLOPE,
        uses=("demonstration_regularized.cloning_expectation",),
    ),
    Claim(
        id="demonstration_regularized.cloning_alone",
        title="What the clone alone guarantees",
        statement=(
            r"V^{\pi^E} - V^{\pi^{BC}} \le H \sqrt{K / 2},\quad V^{\pi^E} - V^{\pi^{BC}} \le \sqrt{2 "
            r"\mathrm{Var}_{\pi^{BC}}(\textstyle\sum_h r_h)\, K} + \tfrac H3 K, \quad K = "
            r"\mathrm{KL}_{\mathrm{traj}}(\pi^E \| \pi^{BC})"
        ),
        kind=Kind.INEQUALITY,
        source=ours("A slow rate in the number of demonstrations, where regularisation has a fast one."),
        expected=Level.SUPPORTED,
        bound=Bound(sp.Le(error, sp.Min(LOSS_BY_RANGE, LOSS_BY_VARIANCE))),
        assumptions=(UNIT_REWARDS,),
        uses=(
            "demonstration_regularized.span_change_of_measure",
            "demonstration_regularized.variance_change_of_measure",
            "regularised_values.trajectory_divergence",
        ),
    ),
)

REGULARISATION = (
    Claim(
        id="demonstration_regularized.largest_gap",
        title="A regularised gap may exceed the horizon",
        statement=(
            r"\bar\pi_h \propto \tilde\pi_h e^{\bar Q_h / \lambda},\ 0 \le Q^\star_{\lambda, h} \le \bar Q_h \le H - h "
            r"+ 1:\quad V^\star_{\lambda, 1} - V^{\bar\pi}_{\lambda, 1} \le \sum_{h} (H - h + 1) = \tfrac{H (H + 1)}{2}"
        ),
        kind=Kind.INEQUALITY,
        source=ours(
            "Regularised values of other policies may be negative: certificates must not be clipped at H. For values "
            "that are not optimistic the gap may be twice as large."
        ),
        expected=Level.CERTIFIED,
        bound=Bound(sp.Le(error, H * (H + 1) / 2)),
        uses=("demonstration_regularized.regularised_gap",),
    ),
    Claim(
        id="demonstration_regularized.demonstrations",
        title="Loss of a solution that is regularised towards a clone",
        statement=(
            r"\mathrm{KL}_{\mathrm{traj}}(\pi^E \| \tilde\pi) \le \bar K,\ \lambda = \varepsilon / \bar K,\ "
            r"V^\star_{\lambda, 1} - V^\pi_{\lambda, 1} \le \varepsilon:\quad V^\star_1 - V^\pi_1 \le (V^\star_1 - "
            r"V^{\pi^E}_1) + 2 \varepsilon"
        ),
        kind=Kind.INEQUALITY,
        source=explicit(),
        expected=Level.CERTIFIED,
        bound=Bound(sp.Le(error, expert_gap + 2 * epsilon)),
        uses=("regularised_values.demonstrations",),
    ),
)

mean_radius = sp.Symbol("mean_radius", nonnegative=True)
"""Expected sum of min(1, x) over the stages before the last, under the mixture of the H exploring policies."""

IDENTIFICATION = (
    Claim(
        id="demonstration_regularized.optimism",
        title="Plans of UCBVI-Ent+ enclose the optimal regularised action values on the event",
        statement=(
            r"\mathrm{KL}(\hat p_h(s, a) \| p_h(s, a)) \le x_h(s, a) \Rightarrow \underline Q \le Q^\star_\lambda \le "
            r"\bar Q"
        ),
        kind=Kind.INEQUALITY,
        source=explicit("For any estimates and radii; the spreads of the next values may be data-dependent."),
        expected=Level.SUPPORTED,
        no_bound="a statement about all pairs",
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=(
            "demonstration_regularized.span_change_of_measure",
            "divergences.span_deviation",
            "regularised_values.soft_maximum_order",
        ),
    ),
    Claim(
        id="demonstration_regularized.certificate",
        title="The certificate of UCBVI-Ent+ bounds the loss of its policy on the event",
        statement=(
            r"V^\star_{\lambda, 1} - V^{\bar\pi}_{\lambda, 1} \le \mathbb E_{\bar\pi} \sum_h w_h(s_h) \le W_1,\quad "
            r"w_h = \min\Big\{ \frac{\max_a D_h^2}{8 \lambda}, \max_a D_h \Big\}"
        ),
        kind=Kind.INEQUALITY,
        source=explicit("W is computed with the estimated transitions."),
        expected=Level.SUPPORTED,
        no_bound=SUMS,
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=(
            "demonstration_regularized.optimism",
            "demonstration_regularized.regularised_gap",
            "demonstration_regularized.true_mean_bound",
            "divergences.true_mean",
        ),
    ),
    Claim(
        id="demonstration_regularized.certificate_by_radii",
        title="The certificate by the radii that the exploring policies meet",
        statement=(
            r"W_1 \le e^2 H \max\Big\{ \frac{9 (H - 1)^3}{8 \lambda}, c_H \min\Big[ \frac{H (H - 1)}{2}, \frac{(H - "
            r"1) H (2 H - 1)}{48 \lambda} \Big] \Big\}\, \mathbb E_{\mathrm{mix}} \sum_{h < H} \min(1, x_h),\quad "
            r"c_H = \frac{(H + 1) (6 H + 5)}{6 H}"
        ),
        kind=Kind.INEQUALITY,
        source=explicit("On the event, H at least 2. At H = 2 at most 2 / (9 e^2), three percent, was seen used."),
        expected=Level.SUPPORTED,
        bound=Bound(sp.Le(error, sp.exp(2) * H * parameters.GAP_WIDTH * mean_radius)),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=(
            "demonstration_regularized.certificate",
            "demonstration_regularized.round_trip_bound",
            "divergences.empirical_mean",
        ),
    ),
    Claim(
        id="demonstration_regularized.event",
        title="All plans of a run enclose the optimum, and all certificates bound the loss",
        statement=(
            r"P\big( \exists t: \underline Q^t \not\le Q^\star_\lambda \text{ or } Q^\star_\lambda \not\le \bar Q^t "
            r"\text{ or } V^\star_{\lambda, 1} - V^{\bar\pi^t}_{\lambda, 1} > W^t_1 \big) \le \tfrac\delta2"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=explicit("Whenever plans are made."),
        expected=Level.SUPPORTED,
        no_bound="the statement bounds a probability by delta / 2",
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=("demonstration_regularized.certificate", "concentration.categorical_kl"),
    ),
    Claim(
        id="demonstration_regularized.pac",
        title="The certified stopping rule of UCBVI-Ent+ is right",
        statement=(
            r"P\big( \text{UCBVI-Ent+ stops with } V^\star_{\lambda, 1} - V^{\bar\pi}_{\lambda, 1} > \varepsilon "
            r"\big) \le \delta"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=explicit("Our variant of the algorithm; at every time the gap is at most the certificate W."),
        expected=Level.SUPPORTED,
        bound=Bound(sp.Le(error, epsilon)),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=("demonstration_regularized.event",),
    ),
    Claim(
        id="demonstration_regularized.sample_complexity",
        title="Episodes of UCBVI-Ent+",
        statement=(
            r"H \ge 2:\ \text{with probability } 1 - \delta\quad T \le \frac{16 e^2 S A H (H - 1) \beta(T) \log(1 + "
            r"T)}{\varepsilon} \max\Big\{ \frac{9 (H - 1)^3}{8 \lambda}, c_H \min\Big[ \frac{H (H - 1)}{2}, \frac{(H "
            r"- 1) H (2 H - 1)}{48 \lambda} \Big] \Big\},\quad \beta(n) = \log\frac{2SAH}{\delta} + \log\binom{n + S "
            r"- 1}{S - 1},\quad c_H = \frac{(H + 1) (6 H + 5)}{6 H}"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=explicit(
            "Planning before every episode. Observed stopping times are below 6e-5 of the bound: the check shows "
            "little about the constant and, at H = 2 and 3, nothing about the powers. The links of the "
            "proof are certificate_by_radii, of which three percent are seen used, and lemmas."
        ),
        expected=Level.SUPPORTED,
        bound=Bound(sp.Le(T, parameters.SAMPLE_COMPLEXITY, evaluate=False)),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=(
            "demonstration_regularized.pac",
            "demonstration_regularized.certificate_by_radii",
            "demonstration_regularized.expected_counts",
            "demonstration_regularized.fractional_visits",
            "concentration.visit_counts",
        ),
    ),
    Claim(
        id="demonstration_regularized.no_exploration",
        title="Strong regularisation needs no episode",
        statement=(
            r"\lambda \ge \frac{(H - 1) H (2 H - 1)}{48 \varepsilon} \Rightarrow \text{UCBVI-Ent+ stops before its "
            r"first episode}"
        ),
        kind=Kind.INEQUALITY,
        source=ours("Sharp: attained where every stage has a state that pays 1 and one that pays nothing."),
        expected=Level.SUPPORTED,
        bound=Bound(sp.Ge(lam, parameters.NO_EXPLORATION, evaluate=False)),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=("regularised_values.soft_maximum_order",),
    ),
    Claim(
        id="demonstration_regularized.hidden_action",
        title="One greedy stage finds out about an action that the plan hardly plays",
        statement=(
            r"\text{On a chain, } S = H = 3,\ \tilde\pi(\text{left}) = 10^{-3},\ \lambda = 0.3,\ \varepsilon = "
            r"0.05:\quad P(T > 10^4) \le \delta = \tfrac1{10}"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=ours(
            "A measured stopping time, far below the bound of sample_complexity. Episodes of the planned policy only "
            "have not stopped after 2 10^4, where the check gives up."
        ),
        expected=Level.SUPPORTED,
        no_bound="a statement about one stopping time",
    ),
    Claim(
        id="demonstration_regularized.accuracy_rate",
        title="Regularised identification is fast: its episodes grow as the inverse of the accuracy",
        statement=r"T = \tilde O(1 / \varepsilon) \text{ at fixed } \lambda",
        kind=Kind.RATE,
        source=explicit(
            "A slope over the stated range, 1.2 with room of 0.3 for two logarithms; a certificate that adds its "
            "errors has 1.5 there."
        ),
        expected=Level.SUPPORTED,
        no_bound=SLOPE,
        uses=("demonstration_regularized.sample_complexity",),
    ),
    Claim(
        id="demonstration_regularized.demonstration_pac",
        title="Cloning, then UCBVI-Ent+ with the clone as its reference",
        statement=(
            r"\varepsilon_E \le \tfrac\varepsilon2,\ \bar K \text{ valid with probability } 1 - \tfrac\delta2,\ "
            r"\lambda = \frac{\varepsilon}{4 \bar K}:\quad P\big( V^\star_1 - V^{\bar\pi}_1 > \varepsilon \big) \le "
            r"\delta"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=explicit(
            "With the bound of cloning_deviation or of cloning_markov for the clone. Losses seen are half of epsilon, "
            "about what the expert lacks; what the other half is for is checked in `demonstrations` and `pac`."
        ),
        expected=Level.SUPPORTED,
        bound=Bound(sp.Le(error, epsilon)),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=(
            "demonstration_regularized.pac",
            "demonstration_regularized.demonstrations",
            "demonstration_regularized.cloning_deviation",
            "demonstration_regularized.cloning_markov",
        ),
    ),
    Claim(
        id="demonstration_regularized.demonstration_complexity",
        title="Episodes with demonstrations",
        statement=(
            r"H \ge 2,\ \lambda = \frac{\varepsilon}{4 \bar K}:\ \text{with probability } 1 - "
            r"\delta\quad T \le \frac{64 e^2 S A H (H - 1) \beta(T) \log(1 + "
            r"T)}{\varepsilon} \max\Big\{ \frac{9 (H - 1)^3 \bar K}{2 \varepsilon}, c_H \min\Big[ \frac{H (H - "
            r"1)}{2}, \frac{(H - 1) H (2 H - 1) \bar K}{12 \varepsilon} \Big] \Big\},\quad \beta(n) = "
            r"\log\frac{4SAH}{\delta} + \log\binom{n + S - 1}{S - 1},\quad c_H = \frac{(H + 1) (6 H + 5)}{6 H}"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=explicit(
            "The headline of the abstract, as the divergence is of order SAH / N. Checked at H = 2, where 2.2e-5 of "
            "the bound are used: little is shown about the constant, nothing about the powers of H."
        ),
        expected=Level.SUPPORTED,
        bound=Bound(sp.Le(T, parameters.DEMONSTRATION_SAMPLE_COMPLEXITY, evaluate=False)),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=("demonstration_regularized.sample_complexity", "demonstration_regularized.demonstration_pac"),
    ),
    Claim(
        id="demonstration_regularized.demonstrations_rate",
        title="Episodes fall as the inverse of the number of demonstrations",
        statement=r"T = \tilde O(1 / N) \text{ at fixed } \varepsilon",
        kind=Kind.RATE,
        source=explicit("A slope over the stated range of N."),
        expected=Level.SUPPORTED,
        no_bound=SLOPE,
        uses=("demonstration_regularized.demonstration_complexity",),
    ),
    Claim(
        id="demonstration_regularized.advantage",
        title="Demonstrations save episodes",
        statement=(
            r"\text{On a chain, with probability } 1 - \delta = \tfrac9{10}:\quad 20\, T_{\mathrm{demonstrations}} \le "
            r"T_{\mathrm{none}}"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=ours(
            "A measured factor: 5000 demonstrations and the bound of cloning_markov, S = H = 3, against our BPI. The "
            "claims used say that both stop rightly, not the factor."
        ),
        expected=Level.SUPPORTED,
        no_bound="a statement about two stopping times",
        uses=("demonstration_regularized.demonstration_pac", "demonstration_regularized.unregularised_pac"),
    ),
)

BASELINES = (
    Claim(
        id="demonstration_regularized.unregularised_pac",
        title="The stopping rule of certified identification without regularisation is right",
        statement=r"P\big( V^\star_1 - V^{\bar\pi}_1 > \varepsilon \text{ when it stops} \big) \le \delta",
        kind=Kind.HIGH_PROBABILITY,
        source=ours("Our baseline: the same confidence sets, greedy policies."),
        expected=Level.SUPPORTED,
        bound=Bound(sp.Le(error, epsilon)),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=("concentration.categorical_kl", "divergences.span_deviation"),
    ),
    Claim(
        id="demonstration_regularized.unregularised_complexity",
        title="Episodes without regularisation",
        statement=(
            r"\text{With probability } 1 - \delta\quad T \le \frac{512 (H - 1)^4 S A \beta(T)}{\varepsilon^2},\quad "
            r"\beta(n) = \log\frac{2SAH}{\delta} + \log\binom{n + S - 1}{S - 1}"
        ),
        kind=Kind.HIGH_PROBABILITY,
        source=ours(
            "Planning before every episode; the check plans after 2 percent more of them, which delays a stop. "
            "At H = 2, where the powers of H - 1 are one and a thousandth of the bound is used."
        ),
        expected=Level.SUPPORTED,
        bound=Bound(sp.Le(T, parameters.UNREGULARISED_SAMPLE_COMPLEXITY, evaluate=False)),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=("demonstration_regularized.unregularised_pac", "concentration.visit_counts"),
    ),
)

CLAIMS = (*CLONING, *REGULARISATION, *IDENTIFICATION, *BASELINES)
