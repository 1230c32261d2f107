r"""Lemmas behind the regret of optimistic actor-critics: decompositions, optimism, confidence sets, potentials, counts.

Notation of `theory.optimal_actor_critic`: a critic :math:`f` with :math:`V^f_h = \max_a f_h`, its Bellman error
:math:`\delta_h = f_h - \mathcal T_h f_{h+1}`, the tracking gap :math:`\omega_h` of an actor :math:`\pi`, and
:math:`\mathcal T^\pi` the backup of the actor. Only two facts link a critic to the regret: the identity of
`optimism_gap`, which needs optimism in the first state alone, and that of `actor_decomposition`.

The *Dirac eluder dimension* :math:`\dim(\Phi, \varepsilon)` of functions on a set is the largest length of a sequence
of points for which some :math:`\varepsilon' \ge \varepsilon` makes each point independent of those before it: a
function of :math:`\Phi` has :math:`\sum_{j<i} \phi(x_j)^2 \le \varepsilon'^2` and :math:`|\phi(x_i)| > \varepsilon'`.

What the library has is used and not repeated: Hoeffding's and Weissman's inequalities, the self-normalised bound,
determinant ratios, elliptical potentials, counts under doubling, ridge projections and the softmax's Lipschitz bound.
"""

from typing import Any

import sympy as sp

from theory.claim import Bound, Kind, Level
from theory.optimal_actor_critic_parameters import EPOCHS
from theory.optimal_actor_critic_tracking import derived
from theory.symbols import K, T, d, delta, error, n

IN_MODELS = "both sides are sums over a model, not expressions in scalars"
IN_SEQUENCES = "a statement about sequences"
IN_CLASSES = "a statement about classes of functions"
IN_MATRICES = "a statement about matrices"

CAP = sp.Symbol("m", positive=True)
"""Largest Bellman error of a pair: H - h for a tabular critic."""

RADIUS = sp.Symbol("iota", positive=True)
"""Logarithm inside a confidence radius."""

FIRST = sp.Symbol("a", positive=True)
"""Visits before the first one that is counted, at least one."""

COUNT_POTENTIAL = CAP * K + 4 * CAP * sp.sqrt(RADIUS * K * T)
WIDTH_POTENTIAL = sp.sqrt(2 / sp.log(2)) * sp.sqrt(d * T * sp.log(1 + T / d))
MIDPOINT_SUM = 2 * (sp.sqrt(FIRST + n - sp.Rational(1, 2)) - sp.sqrt(FIRST - sp.Rational(1, 2)))
EPOCH_LENGTHS = EPOCHS * (1 + sp.log(T / EPOCHS))


def _le(left: Any, right: Any) -> Any:
    return sp.Le(left, right, evaluate=False)


DECOMPOSITIONS = (
    derived(
        "optimism_gap",
        "What an actor loses against the value that its critic predicts",
        r"V^f_1(s_1) - V^\pi_1(s_1) = \sum_h \mathbb E_\pi [\omega_h] + \sum_h \mathbb E_\pi [\delta_h] \quad "
        r"\text{for every critic and every actor}",
        Kind.IDENTITY,
        Level.PROVED,
        "The extended value difference with the greedy policy of the critic as the second policy.",
        no_bound=IN_MODELS,
        uses=("value_difference.extended",),
    ),
    derived(
        "optimal_value_gap",
        "What a critic misses of the optimal value",
        r"V^\star_1 - V^f_1 = \sum_h \mathbb E_{\pi^\star} \big[ \langle f_h, \pi^\star_h \rangle - \max_a f_h \big] - "
        r"\sum_h \mathbb E_{\pi^\star} [\delta_h] \le - \sum_h \mathbb E_{\pi^\star} [\delta_h]",
        Kind.IDENTITY,
        Level.PROVED,
        "A critic that is no optimist pays under the optimal occupancy, which offline data have to cover.",
        no_bound=IN_MODELS,
        uses=("value_difference.extended",),
    ),
    derived(
        "actor_decomposition",
        "Regret of an actor whose critic targets the actor",
        r"V^\star_1 - V^\pi_1 = \sum_h \mathbb E_{\pi^\star} \langle f_h, \pi^\star_h - \pi_h \rangle + \sum_h \mathbb "
        r"E_\pi [e_h] - \sum_h \mathbb E_{\pi^\star} [e_h], \quad e_h = f_h - \mathcal T^\pi_h f_{h+1} = \delta_h + "
        r"P_h \omega_{h+1}",
        Kind.IDENTITY,
        Level.PROVED,
        "Mirror ascent pays the first sum, under a fixed occupancy; optimism against the actor makes e nonnegative.",
        no_bound=IN_MODELS,
        uses=("value_difference.extended",),
    ),
    derived(
        "optimism_step",
        "One stage of optimism",
        r"|(\hat P - P) V| \le b,\ 0 \le V \le H - h,\ Q = r + \min(\hat P V + b, H - h) \implies 0 \le Q - r - P V "
        r"\le \min(2 b, H - h), \text{ and } V \ge V^\star_{h+1} \text{ gives } Q \ge Q^\star_h",
        Kind.INEQUALITY,
        Level.PROVED,
        "By induction over the stages a critic is optimistic everywhere. The cap is on the backup, not on the sum.",
        no_bound=IN_MODELS,
    ),
    derived(
        "regret_to_pac",
        "Regret is the suboptimality of the mixture of all played policies, times T",
        r"V^\star_1 - V_1^{\bar\pi} = \frac{\mathrm{Reg}(T)}{T}, \quad \bar\pi \text{ draws one of } \pi_1, \dots, "
        r"\pi_T \text{ before the first stage}",
        Kind.IDENTITY,
        Level.CERTIFIED,
        "The mean of the occupancies, not the policy that averages the action laws in every state.",
        no_bound=IN_MODELS,
    ),
)

CONFIDENCE = (
    derived(
        "golf_concentration",
        "Cross terms of squared losses, uniformly in time",
        r"P\Big( \exists n: \Big| \sum_{i \le n} 2 \Delta_i \xi_i \Big| > \tfrac12 \sum_{i \le n} \Delta_i^2 + B^2 "
        r"\iota \Big) \le 2 e^{-\iota} \quad (\Delta_i \text{ predictable},\ \xi_i \text{ centred, of range } B)",
        Kind.HIGH_PROBABILITY,
        Level.CERTIFIED,
        "exp(2 Delta xi / B^2 - Delta^2 / (2 B^2)) is a supermartingale, by Hoeffding's lemma; Ville's inequality.",
        no_bound="a bound on a path",
        uses=("scalar.hoeffding_core",),
    ),
    derived(
        "golf_confidence",
        "What the loss of a critic says about its Bellman errors",
        r"\Big| \sum 2 \Delta \xi \Big| \le \tfrac12 \sum \Delta^2 + \beta \text{ for all pairs} \implies E[\mathcal T "
        r"g, g] \le \beta, \quad E \le \beta \Rightarrow \sum \Delta^2 \le 4 \beta, \quad E \le \kappa \beta "
        r"\Rightarrow \sum \Delta^2 \le 2 (\kappa + 1) \beta, \quad E > \kappa \beta \Rightarrow \sum \Delta^2 \ge "
        r"\tfrac23 (\kappa - 2) \beta",
        Kind.INEQUALITY,
        Level.PROVED,
        "E[f, g] is the loss of f on targets of g less the smallest one; complete classes contain the backup of g.",
        no_bound="four implications between linear inequalities",
    ),
)

POTENTIALS = (
    derived(
        "count_potential",
        "Capped bonuses at counts that are refreshed when one of them doubles",
        r"\sum_{t \le T} \min\Big( m, 2 m \sqrt{\frac{\iota}{2 n_k(x_t)}} \Big) \le m K + 4 m \sqrt{\iota K T} \quad "
        r"\text{for } K \text{ cells, } n_k \text{ the counts at the last refresh}",
        Kind.INEQUALITY,
        Level.PROVED,
        "First visits pay m; later ones have at least half of their count in the critic.",
        bound=Bound(_le(error, COUNT_POTENTIAL)),
        uses=("elliptical_potential.count_doubling", "counting.inverse_root_sum"),
    ),
    derived(
        "width_staleness",
        "Rank-one updates shrink widths by the growth of the determinant at most, any dimension",
        r"\| x \|^2_{\Lambda^{-1}} \le (1 + \| \phi \|^2_{\Lambda^{-1}}) \, \| x \|^2_{(\Lambda + \phi "
        r"\phi^\top)^{-1}}, \text{ so that } \| x \|^2_{\Lambda_k^{-1}} \le \frac{\det \Lambda_t}{\det \Lambda_k} \, "
        r"\| x \|^2_{\Lambda_t^{-1}}",
        Kind.INEQUALITY,
        Level.PROVED,
        "Sherman-Morrison and Cauchy-Schwarz: in terms of the two squared widths and their product, no dimension "
        "enters. These formulas are classical for any order; the library proves them by machine for orders 2 and 3. "
        "Equality for x along phi.",
        no_bound=IN_MATRICES,
        uses=("elliptical_potential.sherman_morrison", "elliptical_potential.rank_one_determinant"),
    ),
    derived(
        "width_potential",
        "Sum of the widths at covariances that are refreshed when a determinant doubles",
        r"\sum_{t \le T} \| \phi_t \|_{\Lambda_t^{-1}}^2 \le \frac{d}{\log 2} \log(1 + T/d), \quad \sum_{t \le T} \| "
        r"\phi_t \|_{\Lambda_k^{-1}} \le \sqrt{\tfrac{2}{\log 2}} \sqrt{d\, T \log(1 + T / d)} \quad (\| \phi \| \le "
        r"1,\ \Lambda_1 = I)",
        Kind.INEQUALITY,
        Level.PROVED,
        "The ridge is one. The first sum is attained by the vectors of a basis. Determinants of rank-one updates are "
        "classical for any order; the library proves them by machine for orders 2 and 3.",
        bound=Bound(_le(error, WIDTH_POTENTIAL)),
        uses=("width_staleness", "scalar.log_two", "scalar.log_upper", "elliptical_potential.rank_one_determinant"),
    ),
    derived(
        "ridge_regression",
        "Ridge regression and bonuses in singular values, any dimension",
        r"\frac{\sigma^2}{\sigma^2 + \lambda} \le 1, \quad \frac{\sigma}{\sigma^2 + \lambda} \le \frac{1}{2 "
        r"\sqrt\lambda}, \quad |\sqrt a - \sqrt b| \le \sqrt{|a - b|}: \quad \Phi (\Phi^\top \Phi + \lambda I)^{-1} "
        r"\Phi^\top \preceq I, \quad \| w \| \le \tfrac{H}{2} \sqrt{T / \lambda} \text{ for targets in } [0, H]",
        Kind.INEQUALITY,
        Level.PROVED,
        "In bases of singular vectors both matrices are diagonal. The usual bound on the weights is twice as large.",
        no_bound=IN_MATRICES,
    ),
    derived(
        "midpoint_sum",
        "Visits after a start from a counts",
        r"\sum_{m = a}^{a + n - 1} \frac{1}{\sqrt m} \le 2 \Big( \sqrt{a + n - \tfrac12} - \sqrt{a - \tfrac12} \Big) "
        r"\quad (a \ge 1)",
        Kind.INEQUALITY,
        Level.PROVED,
        "Offline visits count as the first a. Without the halves it is false.",
        bound=Bound(_le(error, MIDPOINT_SUM)),
        uses=("elliptical_potential.midpoint",),
    ),
    derived(
        "epoch_lengths",
        "Epochs of equal length are the worst",
        r"\sum_{k \le N} (1 + \log n_k) \le N \big( 1 + \log \tfrac TN \big) \text{ for } \sum_k n_k = T, \text{ "
        r"nondecreasing in } N \le T",
        Kind.INEQUALITY,
        Level.PROVED,
        "The derivative along N is log(T / N). Hence a bound on the number of epochs may be put in its place.",
        bound=Bound(_le(error, EPOCH_LENGTHS)),
    ),
)

WATER_FILLING = (
    derived(
        "water_filling_counts",
        "Visits that cost most after a start from known counts",
        r"\sum_i \big( \sqrt{a_i + x_i - \tfrac12} - \sqrt{a_i - \tfrac12} \big) \le G \text{ for } x \ge 0,\ \sum_i "
        r"x_i = T, \quad G \text{ its value at } x_i = (\nu - a_i + \tfrac12)_+",
        Kind.INEQUALITY,
        Level.PROVED,
        "Tangents of the root at the water level; no pair that stays dry would pay more.",
        no_bound=IN_SEQUENCES,
    ),
    derived(
        "water_filling_partition",
        "Water filling is no worse than the best partition into known and unknown pairs",
        r"G \le \frac{T}{2 \sqrt{\min_{X_{\mathrm{off}}} a - \frac12}} + \sqrt{|X_{\mathrm{on}}| \, T} \quad \text{for "
        r"every } X_{\mathrm{off}} \sqcup X_{\mathrm{on}}",
        Kind.INEQUALITY,
        Level.PROVED,
        "From the root of all pairs without data to T / sqrt(data); the algorithm does not know the partition.",
        no_bound=IN_SEQUENCES,
        uses=("water_filling_counts",),
    ),
    derived(
        "water_filling_determinant",
        "Growth of a determinant by updates of bounded trace",
        r"\frac{\det(\Lambda + M)}{\det \Lambda} \le \prod_i \Big( 1 + \frac{x_i}{\lambda_i} \Big), \quad x_i = (\nu - "
        r"\lambda_i)_+,\ \sum_i x_i = T \quad (M \succeq 0,\ \mathrm{tr}\, M \le T)",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        "lambda_i are the eigenvalues of Lambda; equality for M that fills them up to the same level.",
        no_bound=IN_MATRICES,
    ),
)

MARTINGALES = (
    derived(
        "multiplicative_martingale",
        "Realised against expected sums, multiplicatively and uniformly in time",
        r"P\Big( \exists n: (1 - 1/e) \sum_{t \le n} \mathbb E_{t-1} X_t > \sum_{t \le n} X_t + R \log \tfrac1\delta "
        r"\Big) \le \delta \quad (0 \le X_t \le R)",
        Kind.HIGH_PROBABILITY,
        Level.CERTIFIED,
        "Sharp for rare visits, where it is visit_counts: the probability tends to delta. To be chosen before the data "
        "are seen.",
        no_bound="a bound on a path",
        uses=("concentration.exponential_chord",),
    ),
    derived(
        "azuma",
        "Azuma's inequality for predictable ranges",
        r"P\Big( \sum_{t \le T} (\mathbb E_{t-1} X_t - X_t) > R \sqrt{\tfrac T2 \log \tfrac1\delta} \Big) \le \delta "
        r"\quad (X_t \in [l_t, l_t + R],\ l_t \text{ known at } t - 1)",
        Kind.HIGH_PROBABILITY,
        Level.CERTIFIED,
        "From expected Bellman errors to those that are met. The bound is written for R = 1.",
        bound=Bound(_le(error, sp.sqrt(T * sp.log(1 / delta) / 2))),
        uses=("scalar.hoeffding_core",),
    ),
    derived(
        "net_distance",
        "Distance of two optimistic linear critics by their parameters",
        r"\big| \mathrm{clip}(\phi^\top w + \| \phi \|_{M}) - \mathrm{clip}(\phi^\top w' + \| \phi \|_{M'}) \big| \le "
        r"\| w - w' \| + \sqrt{\| M - M' \|_F} \quad (\| \phi \| \le 1), \text{ also for the maxima over actions}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        "A net of weights and matrices is a net of targets: half of the accuracy for each.",
        no_bound=IN_MATRICES,
        uses=("elliptical_potential.root_of_forms",),
    ),
)

ELUDER = (
    derived(
        "eluder_points",
        "Dirac eluder dimension of functions on a finite set",
        r"\dim(\Phi, \varepsilon) \le |X|, \text{ with equality for the indicators of points and } \varepsilon < 1",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        "A point is never independent of a sequence that contains it. For a tabular class |X| is S A, not S.",
        no_bound=IN_CLASSES,
    ),
    derived(
        "eluder_count",
        "How often functions that fit their past can be large",
        r"\sum_{i < t} \phi_t(x_i)^2 \le \beta \text{ for all } t \implies \#\{ t: |\phi_t(x_t)| > \varepsilon \} \le "
        r"\Big( \frac{\beta}{\varepsilon^2} + 1 \Big) \dim(\Phi, \varepsilon)",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        "All sequences of the listed classes, by exhaustion.",
        no_bound=IN_CLASSES,
    ),
    derived(
        "eluder_pigeonhole",
        "Pigeonhole bound in the Dirac eluder dimension",
        r"\sum_{i < t} \phi_t(x_i)^2 \le \beta,\ |\phi_t| \le C \implies \sum_{t \le T} |\phi_t(x_t)| \le \omega T + "
        r"\min(T, d) C + 2 \sqrt{d \beta T}, \quad \sum_{t \le T} \phi_t(x_t)^2 \le \omega^2 T + \min(T, d) C^2 + d "
        r"\beta (1 + \log T), \quad d = \dim(\Phi, \omega)",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        "All sequences of the listed classes, by exhaustion, and a long one for which the constant 2 is sharp. It "
        "implies elliptical_potential.eluder_pigeonhole.",
        no_bound=IN_CLASSES,
        uses=("eluder_count",),
    ),
)

CLASSES = (
    derived(
        "actor_class",
        "Resets keep the class of actors small",
        r"\#\{ \mathrm{softmax}(\eta j f): f \in \mathcal F,\ j \le t \} \le t\, |\mathcal F|, \quad \#\Big\{ "
        r"\mathrm{softmax}\Big( \eta \sum_{i \le t} f_i \Big): f_i \in \mathcal F \Big\} = \binom{t + |\mathcal F| - "
        r"1}{t} \text{ in general position}",
        Kind.IDENTITY,
        Level.PROVED,
        "Without a reset the actor depends on the multiset of all critics so far: this is why a critic that targets "
        "such an actor has a growing class of targets. In general position the sums of no two multisets differ by a "
        "function of the state alone; what is proved is the number of multisets.",
        no_bound="a statement about numbers of policies",
    ),
    derived(
        "concentrability_order",
        "Three measures of the coverage of an optimal policy",
        r"\max_{f, g} \frac{\mathbb E_{d^\star} [(f - \mathcal T g)^2]}{\mathbb E_\mu [(f - \mathcal T g)^2]} \le "
        r"\lambda_{\max}\big( \Sigma_\mu^{-1/2} \Sigma_\star \Sigma_\mu^{-1/2} \big) \le \max_{s, a} "
        r"\frac{d^\star(s, a)}{\mu(s, a)} \quad \text{for residuals that are linear in the features}",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        "By all principal minors of rational matrices; a class may be covered where single pairs are not.",
        no_bound=IN_MATRICES,
    ),
    derived(
        "concentrability_width",
        "Mean width under the optimal occupancy",
        r"\mathbb E_{d^\star} \| \phi \|_{\Lambda^{-1}} \le \sqrt{\mathrm{tr}(\Sigma_\star \Lambda^{-1})}, \quad "
        r"\Lambda \succeq \tfrac12 N \Sigma_\mu \implies \mathrm{tr}(\Sigma_\star \Lambda^{-1}) \le \frac{2 d}{N} "
        r"\lambda_{\max}\big( \Sigma_\mu^{-1/2} \Sigma_\star \Sigma_\mu^{-1/2} \big)",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        "Jensen's inequality, and a trace of d numbers that are at most the largest.",
        no_bound=IN_MATRICES,
    ),
)

CLAIMS = (*DECOMPOSITIONS, *CONFIDENCE, *POTENTIALS, *WATER_FILLING, *MARTINGALES, *ELUDER, *CLASSES)
