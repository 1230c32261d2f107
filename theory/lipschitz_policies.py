r"""Lipschitz feedback policies from demonstrations: learning, extension, closed loops, robustness, trade-offs.

An expert plays :math:`u = \pi^\star(x)` in :math:`x_{t+1} = f(x_t, u_t)`. From N pairs :math:`(x_i, u_i)` a policy
:math:`\hat\pi` is learned without the model, by least squares over all policies of Lipschitz constant at most
:math:`\alpha`:

.. math::
    \varphi(\alpha) = \min_V \frac{1}{2N} \sum_i \| v_i - u_i \|^2 \quad\text{s.t.}\quad
    \| v_i - v_j \| \le \alpha d_{ij},

followed by an :math:`\alpha`-Lipschitz extension of V. The learned policy acts on :math:`x_t + \delta_t`,
:math:`\| \delta_t \| \le \zeta`.

:math:`L^\star` is the Lipschitz constant of the expert, :math:`L_x, L_u` those of f, :math:`\ell_x, \ell_u` those of
the stage cost, :math:`\epsilon = \sup \| \hat\pi - \pi^\star \|` the learning error, :math:`\omega = \epsilon + \alpha
\zeta` the error of the input, (M, beta) constants of incremental exponential stability of the expert's loop,
:math:`\Gamma = M L_u / (1 - \beta)`, and h the distance to the nearest sample (its supremum: the fill distance).

Al Makdah, Krishnan and Pasqualetti (2021) announce a bound on the learning error in the number of samples, robust
stability of the learned loop, a bound on its regret, a bound on the deterioration of its cost under errors of the
measurement, and a potential trade-off between the last two. Every constant here is ours: an explicit version of such
a bound, or a statement next to it, derived in the setting of the paper. Nothing is a numbered theorem of it.
"""

from typing import Any

import sympy as sp

from theory.claim import Assumption, Bound, Claim, Fails, Holds, Kind, Level, Origin, Source
from theory.references import AL_MAKDAH_2021, FAZLYAB_2019
from theory.symbols import N, alpha, beta, delta, epsilon, error, gamma, n, omega, regret, t

L, L_U, L_X = (sp.Symbol(name, nonnegative=True) for name in ("L", "L_u", "L_x"))
COST_X, COST_U = (sp.Symbol(name, nonnegative=True) for name in ("l_x", "l_u"))
M = sp.Symbol("M", positive=True)
ZETA, KAPPA, DISTANCE = (sp.Symbol(name, nonnegative=True) for name in ("zeta", "kappa", "h"))
SIDE = sp.Symbol("a", positive=True)
"""Side of the cube of states."""

RADIUS, START = sp.Symbol("r", positive=True), sp.Symbol("r_0", nonnegative=True)
SHARPNESS = sp.Symbol("Lambda", nonnegative=True)
"""Largest eigenvalue of S = R + gamma B' P B, of K' S K where the policy is the expert."""

STEP = sp.Symbol("s", positive=True)
"""1 / n."""

GROWTH = sp.Symbol("g", nonnegative=True)
"""1 / N."""

EXTRA, PAST = sp.Symbol("w", nonnegative=True), sp.Symbol("v", nonnegative=True)
"""ln(N / delta) - 1, and N / m - ln(N / delta) for m cells."""

DRIFT, INPUT, GAIN = sp.Symbol("a", positive=True), sp.Symbol("b", positive=True), sp.Symbol("k", nonnegative=True)
"""A scalar plant x' = a x + b u with u = -k y."""


# Constants


def value_slope(discount: Any = gamma) -> sp.Expr:
    """Return C_R: how much the cost moves per unit of input error, times 1 - gamma."""
    return COST_U + discount * (COST_X + COST_U * L) * M * L_U / (1 - discount * beta)


DEVIATION = M * L_U * omega * (1 - beta**t) / (1 - beta)
REGRET_SLOPE = value_slope()
REGRET = omega * REGRET_SLOPE / (1 - gamma)
LQR_REGRET = SHARPNESS * omega**2 / (1 - gamma)

LOOP_SLOPE = L_X + L_U * alpha
"""A Lipschitz constant of the learned loop."""

DETERIORATION = (
    alpha * ZETA / (1 - gamma) * (COST_U + gamma * L_U * (COST_X + COST_U * alpha) / (1 - gamma * LOOP_SLOPE))
)
DETERIORATION_STABLE = (
    alpha * ZETA / (1 - gamma) * (COST_U + gamma * L_U * (COST_X + COST_U * alpha) * M / (1 - gamma * beta))
)
DETERIORATION_EXPERT = REGRET_SLOPE * (alpha * ZETA + gamma * (2 * epsilon + sp.Min(alpha, L) * ZETA) / (1 - gamma))
DETERIORATION_OPTIMAL = SHARPNESS * ZETA**2 / (1 - gamma)

MEAN_DISTANCE = SIDE * sp.sqrt(n) * sp.gamma(1 + 1 / n) * N ** (-1 / n)
LEARNING_ERROR = (alpha + L) * MEAN_DISTANCE
CELLS = sp.floor((N / sp.log(N / delta)) ** (1 / n))
FILL_DISTANCE = SIDE * sp.sqrt(n) / CELLS
BALL = sp.pi ** (n / 2) / sp.gamma(n / 2 + 1)
"""Volume of the unit ball."""

LEAST_DISTANCE = SIDE * n / (n + 1) * (N * BALL) ** (-1 / n)

_DYADIC = 2 ** (n / 2 - 1)
WASSERSTEIN = SIDE * sp.sqrt(n) * (2 + 2 * _DYADIC / (_DYADIC - 1)) * N ** (-1 / n)

MARGIN = (RADIUS - M * START) * (1 - beta) / (M * L_U) - alpha * ZETA
"""Error of the learned policy that keeps the loop within the radius."""

SAMPLES = sp.ceiling(SIDE * sp.sqrt(n) * (alpha + L) / MARGIN) ** n

PEAK_GAIN = INPUT * GAIN / (1 - DRIFT + INPUT * GAIN)
PEAK_SLOPE = INPUT * (1 - DRIFT) / (1 - DRIFT + INPUT * GAIN) ** 2


# Assumptions


def _exponential(model: Any) -> Holds | Fails:
    defect = model.stability_defect
    return Holds() if defect <= 1e-9 else Fails(f"the loop exceeds M beta^t by the factor {1.0 + defect:.4g}")


def _mirrored(model: Any) -> Holds | Fails:
    missing = model.without_mirror
    return Holds() if missing is None else Fails(f"sample {missing} has no mirror image")


def _stays(model: Any) -> Holds | Fails:
    excess = model.excursion
    return Holds() if excess <= 0 else Fails(f"the state may leave the domain of the data by {float(excess):.4g}")


def _contracting(model: Any) -> Holds | Fails:
    slope = model.discount * model.loop_slope
    return Holds() if slope < 1 else Fails(f"gamma (L_x + L_u alpha) is {float(slope):.4g}, not below 1")


def _optimal(model: Any) -> Holds | Fails:
    residual = model.optimality_residual
    return (
        Holds() if residual == 0 else Fails(f"the gain of the expert is off the optimal one by {float(residual):.4g}")
    )


EXPONENTIAL = Assumption("exponential", r"\|F^t(x) - F^t(y)\| \le M \beta^t \|x - y\|,\ \beta < 1", _exponential)
MIRRORED = Assumption(
    "mirrored",
    r"\{x_i\} \text{ is invariant under the reflections of the right-singular directions with } \sigma_k > \alpha",
    _mirrored,
)
STAYS = Assumption("stays", r"\text{the learned loop stays where the data are}", _stays)
CONTRACTING = Assumption("contracting", r"\gamma (L_x + L_u \alpha) < 1", _contracting)
OPTIMAL = Assumption("optimal", r"\pi^\star(x) = -K x,\ K = \gamma S^{-1} B^\top P A", _optimal)


def _claim(name: str, title: str, statement: str, kind: Kind, expected: Level, **more: Any) -> Claim:
    origin = more.pop("origin", Origin.DERIVED)
    source = Source(origin, more.pop("paper", AL_MAKDAH_2021), note=more.pop("note", ""))
    return Claim(f"lipschitz_policies.{name}", title, statement, kind, source, expected, **more)


def _most(left: Any, right: Any) -> Bound:
    return Bound(sp.Le(left, right, evaluate=False))


def _least(left: Any, right: Any) -> Bound:
    return Bound(sp.Ge(left, right, evaluate=False))


IN_DATA = "a statement about finite sets of demonstrations"
IN_LOOPS = "a statement about loops and policies"
IN_MATRICES = "a statement about matrices"
EXPLICIT_VERSION = "An explicit-constant version of the paper's claim on "

LEARNING = (
    _claim(
        "weak_duality",
        "Every dual point bounds the training loss from below",
        r"\sum_i \langle u_i, (By)_i \rangle - \tfrac N2 \sum_i \|(By)_i\|^2 - \alpha \sum_{i<j} d_{ij} \|y_{ij}\| "
        r"\le \tfrac{1}{2N} \sum_i \|v_i - u_i\|^2, \quad (By)_i = \sum_{j>i} y_{ij} - \sum_{j<i} y_{ji}",
        Kind.INEQUALITY,
        Level.PROVED,
        note="For every y and every V with slopes of at most alpha; the difference is a sum of squares and of gaps of "
        "Cauchy and Schwarz. Sums are written out for five samples and three inputs; each term involves one pair.",
        no_bound=IN_DATA,
    ),
    _claim(
        "clipped_gain",
        "The best Lipschitz fit of a linear expert clips its singular values",
        r"u = G x,\ G = Y \mathrm{diag}(\sigma) W^\top: \quad v_i = Y \mathrm{diag}(\min(\sigma, \alpha)) W^\top x_i, "
        r"\quad \varphi(\alpha) = \frac{1}{2N} \sum_i \sum_k (\sigma_k - \alpha)_+^2 (W^\top x_i)_k^2",
        Kind.IDENTITY,
        Level.CERTIFIED,
        note="On mirrored data, by the inequality of mirrored pairs summed over the samples; certified by an exact "
        "dual point, which lives on the mirrored pairs.",
        no_bound=IN_DATA,
        assumptions=(MIRRORED,),
        uses=("lipschitz.reflection", "lipschitz_policies.weak_duality"),
    ),
    _claim(
        "training_loss",
        "The training loss is convex in the Lipschitz constant, with slope minus the total multiplier",
        r"\varphi(\alpha') \ge \varphi(\alpha) - (\alpha' - \alpha) \sum_{i<j} \mu_{ij} d_{ij}, \quad "
        r"\varphi \text{ nonincreasing},\ \varphi'(\alpha) = - \sum_{i<j} \mu_{ij} d_{ij}",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        note="The dual function is affine in alpha; certified on mirrored data, where all of it is known exactly.",
        no_bound=IN_DATA,
        uses=("lipschitz_policies.clipped_gain",),
    ),
    _claim(
        "noise_projection",
        "Fitting is a projection: noise in the inputs of the expert is not amplified",
        r"\| V - V^\star \|^2 \le \langle U - U^\star, V - V^\star \rangle \le \| U - U^\star \|\, \| V - V^\star \|",
        Kind.INEQUALITY,
        Level.PROVED,
        note="The difference is the sum of the two variational inequalities of the projections, which the fits of "
        "small data meet exactly.",
        no_bound=IN_DATA,
    ),
    _claim(
        "bias",
        "Best uniform approximation by Lipschitz policies",
        r"\min_{\mathrm{lip}(\pi) \le \alpha} \sup |\pi - \pi^\star| = \tfrac12 \sup_{x, y} \big( |\pi^\star(x) - "
        r"\pi^\star(y)| - \alpha \|x - y\| \big)_+",
        Kind.IDENTITY,
        Level.CERTIFIED,
        note="One input; (L - alpha)_+ r for a linear expert on a ball. With more inputs the right side is only a "
        "lower bound. A shifted envelope attains it; that no fit is better is compared for three states, by a "
        "programme.",
        no_bound=IN_DATA,
        uses=("lipschitz.extension",),
    ),
    _claim(
        "graph_stretch",
        "Constraints on the edges of a graph bound all slopes up to its stretch",
        r"|v_i - v_j| \le \alpha d_{ij} \text{ on the edges} \implies |v_i - v_j| \le \alpha\, \mathrm{stretch}\, "
        r"d_{ij} \text{ for all pairs}",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        note="Attained. Neighbourhood graphs may have any stretch; a spanner sandwiches the loss between "
        "phi_S(alpha) and phi_S(alpha / stretch).",
        no_bound=IN_DATA,
    ),
    _claim(
        "interpolation_error",
        "Error of a learned policy by the distance to the nearest sample",
        r"|\hat\pi(x) - \pi^\star(x)| \le (\alpha + L^\star) \min_i d(x, x_i) + \max_i |v_i - u_i|, \quad "
        r"|\hat\pi_c(x) - \pi^\star(x)| \le \alpha \min_i d(x, x_i)",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        origin=Origin.EXPLICIT,
        note=EXPLICIT_VERSION + "the learning error; the second for the mean of the two envelopes of exact data, "
        "alpha >= L*. Both are attained. Compared for one input.",
        bound=_most(error, (alpha + L) * DISTANCE),
        uses=("lipschitz.nearest_sample", "lipschitz.extension"),
    ),
)

TRADE_OFF = (
    _claim(
        "modulus_majorant",
        "A modulus of continuity and its concave majorant",
        r"\Omega \le \Omega^{conc} \le 2\, \Omega",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        note="On a convex domain; the factor 2 is approached by staircases.",
        no_bound=IN_DATA,
    ),
    _claim(
        "modulus_tradeoff",
        "The best trade-off between bias and disturbance",
        r"\min_{\alpha \ge 0} \{ e(\alpha) + \alpha s \} = \tfrac12 \Omega^{conc}(2 s)",
        Kind.IDENTITY,
        Level.CERTIFIED,
        origin=Origin.EXPLICIT,
        note=EXPLICIT_VERSION + "the trade-off, for the error of the input of one step: e is the bias of "
        "lipschitz_policies.bias, Omega the modulus of continuity of the expert. An optimal alpha is a slope of the "
        "majorant at 2 s.",
        no_bound=IN_DATA,
        uses=("lipschitz_policies.bias", "lipschitz_policies.modulus_majorant"),
    ),
    _claim(
        "measurement_lower_bound",
        "No policy of the measurement does better than half the modulus of continuity",
        r"\sup_{x, \|\delta\| \le \zeta} |\pi(x + \delta) - \pi^\star(x)| \ge \tfrac12 \Omega(2 \zeta) "
        r"\text{ for every policy } \pi",
        Kind.LOWER_BOUND,
        Level.CERTIFIED,
        note="The midpoint of two states is a measurement of both. Attained by the midrange of the expert over the "
        "states that a measurement allows; Lipschitz policies lose at most the factor 2.",
        no_bound=IN_DATA,
        uses=("lipschitz_policies.modulus_majorant",),
    ),
    _claim(
        "peak_gain",
        "Peak gain from the measurement error to the state of a scalar loop",
        r"g(k) = \sum_{t \ge 0} b k (a - b k)^t = \frac{b k}{1 - a + b k}, \quad g'(k) = \frac{b (1 - a)}"
        r"{(1 - a + b k)^2} \qquad (0 \le a - b k < 1)",
        Kind.IDENTITY,
        Level.PROVED,
        note="The gain rises with k for a stable plant and falls for an unstable one.",
        bound=Bound(sp.Eq(sp.Symbol("gain", nonnegative=True), PEAK_GAIN, evaluate=False)),
    ),
    _claim(
        "monotone_tradeoff",
        "A larger Lipschitz constant always makes the loop more sensitive",
        r"k \le k' \implies g(k) \le g(k') \quad\text{for all } a > 0,\ 0 \le a - b k' \le a - b k < 1",
        Kind.INEQUALITY,
        Level.REFUTED,
        origin=Origin.EXPLICIT,
        note="A universal reading of the trade-off that the paper calls potential; the paper does not state it.",
        erratum="False for every plant that is unstable without feedback: there the peak gain falls with k. True for "
        "a <= 1.",
        no_bound="an inequality between two gains",
        uses=("lipschitz_policies.peak_gain",),
    ),
)

COVERING = (
    _claim(
        "beta_integral",
        "The integral behind the mean distance to the nearest sample",
        r"\int_0^1 (1 - \tau^n)^N d\tau = \prod_{k=1}^N \frac{k}{k + s} = \frac{\Gamma(1 + s) \Gamma(N + 1)}"
        r"{\Gamma(N + 1 + s)}, \quad s = 1 / n",
        Kind.IDENTITY,
        Level.PROVED,
        note="By parts, (1 + n N) I_N = n N I_{N-1} and I_0 = 1: what is shown is the derivative of tau (1 - tau^n)^N. "
        "Gamma functions obey the same recursion.",
        no_bound="a recursion",
    ),
    _claim(
        "gamma_ratio",
        "A ratio of Gamma functions",
        r"\frac{\Gamma(N + 1)}{\Gamma(N + 1 + s)} \le N^{-s} \quad (0 \le s \le 1)",
        Kind.INEQUALITY,
        Level.PROVED,
        note="The left side times N^s increases to 1 with N: (1 + 1/N)^s >= 1 + s / (N + 1), shown for g = 1/N in "
        "[0, 1]; that the limit is 1 is Stirling's formula.",
        bound=_most(sp.log(1 + STEP * GROWTH / (1 + GROWTH)), STEP * sp.log(1 + GROWTH)),
    ),
    _claim(
        "nearest_distance",
        "Mean distance to the nearest of N uniform samples in a cube",
        r"\mathbb E\, d(x) \le a \sqrt n\, \Gamma(1 + 1/n)\, N^{-1/n}, \quad\text{hence } "
        r"\mathbb E \| \hat\pi - \pi^\star \| \le (\alpha + L^\star)\, a \sqrt n\, \Gamma(1 + 1/n)\, N^{-1/n}",
        Kind.EXPECTATION,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note=EXPLICIT_VERSION
        + "the learning error with finitely many samples, in the mean; sampled for a constant expert and the upper "
        "envelope, whose error is alpha d(x).",
        bound=_most(error, LEARNING_ERROR),
        uses=(
            "lipschitz_policies.interpolation_error",
            "lipschitz_policies.beta_integral",
            "lipschitz_policies.gamma_ratio",
        ),
    ),
    _claim(
        "empty_cells",
        "All cells of a grid are hit",
        r"k = \Big\lfloor \Big( \frac{N}{\ln(N / \delta)} \Big)^{1/n} \Big\rfloor \ge 1 \implies "
        r"P(\text{one of } k^n \text{ equal cells is empty}) \le \delta",
        Kind.HIGH_PROBABILITY,
        Level.CERTIFIED,
        note="The probability by inclusion and exclusion.",
        no_bound="a probability",
        uses=("lipschitz_policies.empty_cells_scalar",),
    ),
    _claim(
        "empty_cells_scalar",
        "The union bound over the cells of a grid",
        r"m \ln(N / \delta) \le N,\ N \ge e \delta \implies m\, e^{-N / m} \le \delta",
        Kind.INEQUALITY,
        Level.PROVED,
        note="With 1 + w = ln(N / delta) and N / m = 1 + w + v the left side is delta e^{-v} / (1 + w + v).",
        bound=_most(sp.exp(-PAST) / (1 + EXTRA + PAST), 1),
    ),
    _claim(
        "fill_distance",
        "Every state is near a sample, with high probability",
        r"P \Big( \sup_x d(x) > \frac{a \sqrt n}{k} \Big) \le \delta, \quad "
        r"k = \Big\lfloor \Big( \frac{N}{\ln(N / \delta)} \Big)^{1/n} \Big\rfloor",
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note=EXPLICIT_VERSION + "the learning error with finitely many samples, uniformly over the states.",
        bound=_most(error, FILL_DISTANCE),
        uses=("lipschitz_policies.empty_cells", "lipschitz_policies.interpolation_error"),
    ),
    _claim(
        "empirical_transfer",
        "From the samples to the population by the Wasserstein distance",
        r"\mathbb E_\mu |\hat\pi - \pi^\star| \le \frac1N \sum_i |\hat\pi(x_i) - \pi^\star(x_i)| + (\alpha + "
        r"L^\star)\, W_1(\mu, \mu_N)",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        note="For data with residuals; exact laws on a line, one input. Attained.",
        no_bound=IN_DATA,
    ),
    _claim(
        "wasserstein_rate",
        "Mean Wasserstein distance of a uniform sample from the uniform law in a cube",
        r"\mathbb E\, W_1(\mu, \mu_N) \le a \sqrt n \Big( 2 + \frac{2 q}{q - 1} \Big) N^{-1/n}, \quad "
        r"q = 2^{n/2 - 1},\ n \ge 3",
        Kind.EXPECTATION,
        Level.SUPPORTED,
        note="From a dyadic bound that is not re-proved here. Checked through the distance of two samples, whose mean "
        "is at least as large; about twenty times loose.",
        bound=_most(error, WASSERSTEIN),
        uses=("lipschitz_policies.empirical_transfer",),
        from_tier="full",
    ),
    _claim(
        "lower_bound",
        "No estimator beats the mean distance to the nearest sample",
        r"\max_{\pm} \mathbb E_x | \hat\pi(x) \mp L^\star d(x) | \ge L^\star \mathbb E_x d(x) \ge "
        r"L^\star a \frac{n}{n + 1} (N v_n)^{-1/n}, \quad v_n = \frac{\pi^{n/2}}{\Gamma(n/2 + 1)}",
        Kind.LOWER_BOUND,
        Level.SUPPORTED,
        note="Both experts are consistent with zero inputs at the samples; the rate 1/n of the upper bounds cannot be "
        "improved. Exact on a line, where equally spaced samples attain it.",
        bound=_least(error, L * LEAST_DISTANCE),
    ),
    _claim(
        "grid_certificate",
        "Certificates for all states from a grid",
        r"\sup_x d(x) \le \max_c d(c) + \eta, \quad \sup_x |\hat\pi(x) - \pi^\star(x)| \le \max_c |\hat\pi(c) - "
        r"\pi^\star(c)| + (\alpha + L^\star)\, \eta \quad (\text{cells of radius } \eta \text{ about } c)",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        note="Attained.",
        no_bound=IN_DATA,
    ),
)

LOOPS = (
    _claim(
        "deviation",
        "Deviation of the learned loop from the expert's",
        r"\| x_t - x_t^\star \| \le M L_u\, \omega\, \frac{1 - \beta^t}{1 - \beta}, \quad \omega = \epsilon + "
        r"\alpha \zeta",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        origin=Origin.EXPLICIT,
        note=EXPLICIT_VERSION + "robust stability of the learned loop. Attained by scalar loops. Exponential stability "
        "is needed: a loop that is only asymptotically stable has no finite gain. Linear loops with one input, and "
        "contractions with as many as states.",
        bound=_most(error, DEVIATION),
        assumptions=(EXPONENTIAL,),
        uses=("lipschitz.perturbed_loop", "lipschitz.geometric_sum"),
    ),
    _claim(
        "practical_stability",
        "The learned loop ends in a ball about the origin",
        r"\| x_t \| \le M \beta^t \| x_0 \| + \Gamma \omega, \quad \Gamma = \frac{M L_u}{1 - \beta}",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        origin=Origin.EXPLICIT,
        note=EXPLICIT_VERSION + "robust stability of the learned loop. Finitely many exact demonstrations, the origin "
        "among them, do not give convergence to the origin. Compared for one input.",
        bound=_most(error, M * beta**t * START + M * L_U * omega / (1 - beta)),
        uses=("lipschitz_policies.deviation",),
    ),
    _claim(
        "relative_error",
        "Exponential stability under a relative error",
        r"\| \hat\pi(x) - \pi^\star(x) \| \le \kappa \| x \|,\ \zeta = 0 \implies \| x_t \| \le M (\beta + M L_u "
        r"\kappa)^t \| x_0 \|",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        origin=Origin.EXPLICIT,
        note=EXPLICIT_VERSION + "robust stability of the learned loop. Attained by scalar loops. Compared for one "
        "input.",
        bound=_most(error, M * (beta + M * L_U * KAPPA) ** t * START),
        assumptions=(EXPONENTIAL,),
        uses=("lipschitz.gronwall", "lipschitz_policies.deviation"),
    ),
    _claim(
        "lyapunov_deviation",
        "The learned loop under a Lyapunov function of the expert's",
        r"c_1 \|x\| \le V(x) \le c_2 \|x\|,\ V(F(x)) \le \lambda V(x),\ \mathrm{lip}(V) = c_4 \implies "
        r"\| x_t \| \le \frac{c_2}{c_1} \lambda^t \| x_0 \| + \frac{c_4 L_u \omega}{c_1} "
        r"\frac{1 - \lambda^t}{1 - \lambda}",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        note="From exponential stability of the expert's loop alone, by its converse Lyapunov function. Compared for "
        "one input.",
        no_bound=IN_LOOPS,
        uses=("lipschitz.converse_lyapunov", "lipschitz.geometric_sum"),
    ),
    _claim(
        "invariance",
        "The learned loop stays where the data are",
        r"M r_0 + \Gamma \omega \le r \implies \| x_t \| \le r; \quad \beta s + \| B \| \omega \le s \implies "
        r"\{ \| x \| \le s \} \text{ is invariant}",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        note="Errors are bounded on the domain of the data only. The second form is attained. Compared for one input.",
        bound=_most(error, M * START + M * L_U * omega / (1 - beta)),
        assumptions=(STAYS,),
        uses=("lipschitz_policies.practical_stability",),
    ),
    _claim(
        "sample_size",
        "Number of demonstrations that keeps the learned loop in the domain of the data",
        r"\frac{N}{\ln(N / \delta)} \ge \Big\lceil \frac{a \sqrt n\, (\alpha + L^\star)}{\Delta} \Big\rceil^n,\ "
        r"\Delta = \frac{(r - M r_0)(1 - \beta)}{M L_u} - \alpha \zeta > 0 \implies P \Big( M r_0 + \Gamma \big( "
        r"(\alpha + L^\star) \sup_x d(x) + \alpha \zeta \big) \le r \Big) \ge 1 - \delta",
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note=EXPLICIT_VERSION + "stability with finitely many samples: by lipschitz_policies.invariance the states "
        "then stay within r. Compared: that radius, and eight steps of the loop. The central policy of exact data "
        "needs alpha in the place of alpha + L*.",
        bound=_least(N / sp.log(N / delta), SAMPLES),
        uses=("lipschitz_policies.fill_distance", "lipschitz_policies.invariance"),
    ),
    _claim(
        "tube",
        "Errors on the trajectory of the expert are enough",
        r"\| \hat\pi(x_t^\star) - \pi^\star(x_t^\star) \| \le e \implies \| x_t - x_t^\star \| \le M L_u e "
        r"\sum_{j < t} (\beta + M L_u (\alpha + L^\star))^j",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        note="At most M L_u e / (1 - beta - M L_u (alpha + L*)) if that is positive. Attained by scalar loops. "
        "Compared for one input.",
        bound=_most(
            error,
            M * L_U * epsilon * (1 - (beta + M * L_U * (alpha + L)) ** t) / (1 - beta - M * L_U * (alpha + L)),
        ),
        uses=("lipschitz.gronwall",),
    ),
    _claim(
        "rotation_contraction",
        "A rational certificate of exponential stability",
        r"I \preceq P \preceq 3.589\, I,\ F^\top P F \preceq 0.78^2 P \text{ for a slow rotation with its "
        r"linear-quadratic gain}: \quad M = \sqrt{3.589},\ \beta = 0.78",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        no_bound=IN_MATRICES,
    ),
    _claim(
        "pendulum_set",
        "How large an error of the input the inverted pendulum withstands",
        r"\{ x^\top P x \le 1 \} \subset \{ |\theta| \le 1/2 \},\ \| B \|_P \le 0.51503: \quad "
        r"\text{the set is invariant for all } \omega \le 0.21358",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        note="The contraction of lipschitz.vertex_contraction on that set, 0.89, and the error times the norm of the "
        "input are at most 1 together; the expert is 0.99144-Lipschitz in the norm of P.",
        no_bound=IN_MATRICES,
        uses=("lipschitz.vertex_contraction", "lipschitz_policies.invariance"),
    ),
    _claim(
        "peak_lmi",
        "Peak gain by a matrix inequality",
        r"\begin{pmatrix} F^\top P F - \lambda P & F^\top P B \\ B^\top P F & B^\top P B - \mu \end{pmatrix} \preceq 0,"
        r"\ P \succeq I,\ x_0 = 0 \implies \| x_t \| \le \omega \sqrt{\mu / (1 - \lambda)} \le 1.57\, \omega",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        note="For the rotation; the exact peak gain is 1.3976, that of (M, beta) from a semidefinite programme 4.2. "
        "x'Px grows to at most lambda x'Px + mu omega^2 in a step, as compared for sixteen of the worst inputs.",
        no_bound=IN_MATRICES,
        uses=("lipschitz.geometric_sum",),
    ),
    _claim(
        "sector_radius",
        "Largest relative error that a quadratic function certifies",
        r"\max \Big\{ \kappa^2 : \begin{pmatrix} F^\top P F - P + \kappa^2 I & F^\top P B \\ B^\top P F & B^\top P B - "
        r"I \end{pmatrix} \preceq 0 \Big\} = \frac{1}{\| (z I - F)^{-1} B \|_\infty^2}",
        Kind.EQUIVALENCE,
        Level.CERTIFIED,
        note="Bounded real lemma for one input and up to two states; the right side in rationals, up to 10^-8: a "
        "parabola in the cosine of the frequency is nonnegative.",
        no_bound=IN_MATRICES,
        uses=("lipschitz.bounded_real",),
    ),
)

REGRETS = (
    _claim(
        "performance_difference",
        "Performance difference in deterministic control",
        r"J(\pi) - J(\pi^\star) = \sum_{t < T} \gamma^t \big( c(x_t, u_t) + \gamma V^\star_{t+1}(x_{t+1}) - "
        r"V^\star_t(x_t) \big)",
        Kind.IDENTITY,
        Level.CERTIFIED,
        note="For every expert; states and inputs are those of the learner.",
        no_bound=IN_LOOPS,
        uses=("value_difference.performance_difference",),
    ),
    _claim(
        "regret",
        "Regret of the learned loop",
        r"| J(\hat\pi; \delta) - J(\pi^\star) | \le \frac{\omega\, C_R}{1 - \gamma}, \quad C_R = \ell_u + "
        r"\frac{\gamma (\ell_x + \ell_u L^\star) M L_u}{1 - \gamma \beta}",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        origin=Origin.EXPLICIT,
        note=EXPLICIT_VERSION + "the regret with respect to the expert. Linear in the error, and attained by constant "
        "errors for ever. Compared for one input.",
        bound=_most(regret, REGRET),
        uses=(
            "lipschitz_policies.performance_difference",
            "lipschitz_policies.deviation",
            "lipschitz.discounted_deviation",
        ),
    ),
    _claim(
        "completion_of_squares",
        "The linear-quadratic cost as a square",
        r"x^\top Q x + u^\top R u + \gamma f^\top P f - x^\top P x = (u + K x)^\top S (u + K x), \quad f = A x + B u,\ "
        r"S = R + \gamma B^\top P B,\ S K = \gamma B^\top P A,\ P = Q + \gamma A^\top P A - K^\top S K",
        Kind.IDENTITY,
        Level.PROVED,
        note="Matrices of any size; proved with the residual of S K = gamma B'PA as a term of its own.",
        no_bound=IN_MATRICES,
    ),
    _claim(
        "lqr_regret",
        "Regret against an optimal linear-quadratic expert is quadratic in the error",
        r"\sum_{t < T} \gamma^t c_t + \gamma^T x_T^\top P x_T - x_0^\top P x_0 = \sum_{t < T} \gamma^t \| u_t + K x_t "
        r"\|_S^2 \le \| S \|\, \omega^2 \sum_{t < T} \gamma^t",
        Kind.IDENTITY,
        Level.CERTIFIED,
        note="So at most ||S|| omega^2 / (1 - gamma); per step ||S|| omega^2 if gamma = 1. Attained by constant "
        "errors. Compared for one input over twelve steps, with the terminal term.",
        bound=_most(regret, LQR_REGRET),
        assumptions=(OPTIMAL,),
        uses=("lipschitz_policies.completion_of_squares",),
    ),
    _claim(
        "lqr_relative_regret",
        "Regret against an optimal linear-quadratic expert under a relative error",
        r"\mathrm{Reg} \le \frac{\| S \| \kappa^2 M^2 \| x_0 \|^2}{1 - (\beta + M L_u \kappa)^2} \quad (\gamma = 1)",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        note="Attained by a scalar gain that is too small. For an expert that is not optimal the regret is linear. "
        "Compared for one input; with M > 1 over twelve steps and the terminal term.",
        bound=_most(regret, SHARPNESS * KAPPA**2 * M**2 * START**2 / (1 - (beta + M * L_U * KAPPA) ** 2)),
        assumptions=(OPTIMAL,),
        uses=("lipschitz_policies.lqr_regret", "lipschitz_policies.relative_error", "lipschitz.gain_regret"),
    ),
    _claim(
        "deterioration",
        "Deterioration of the cost under errors of the measurement",
        r"J(\hat\pi; \delta) - J(\hat\pi; 0) \le \frac{\alpha \zeta}{1 - \gamma} \Big( \ell_u + \frac{\gamma L_u "
        r"(\ell_x + \ell_u \alpha)}{1 - \gamma (L_x + L_u \alpha)} \Big)",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        origin=Origin.EXPLICIT,
        note=EXPLICIT_VERSION + "the deterioration of the cost under bounded, possibly adversarial, errors. No "
        "stability is needed; increasing in alpha; attained by a policy of the wrong sign. Compared for one state.",
        bound=_most(error, DETERIORATION),
        assumptions=(CONTRACTING,),
        uses=("lipschitz.discounted_deviation",),
    ),
    _claim(
        "deterioration_stable",
        "Deterioration of the cost of a stable learned loop",
        r"J(\hat\pi; \delta) - J(\hat\pi; 0) \le \frac{\alpha \zeta}{1 - \gamma} \Big( \ell_u + \frac{\gamma L_u "
        r"(\ell_x + \ell_u \alpha) \hat M}{1 - \gamma \hat\beta} \Big)",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        origin=Origin.EXPLICIT,
        note=EXPLICIT_VERSION + "the deterioration of the cost. Attained by a dead-beat loop under errors of "
        "alternating signs. Compared for one input; with M > 1 over a finite horizon.",
        bound=_most(error, DETERIORATION_STABLE),
        uses=("lipschitz_policies.performance_difference", "lipschitz.discounted_deviation"),
    ),
    _claim(
        "deterioration_expert",
        "Deterioration of the cost through the expert's",
        r"J(\hat\pi; \delta) - J(\hat\pi; 0) \le C_R \Big( \alpha \zeta + \frac{\gamma}{1 - \gamma} (2 \epsilon + "
        r"\min(\alpha, L^\star) \zeta) \Big)",
        Kind.INEQUALITY,
        Level.CERTIFIED,
        note="The performance differences from the expert, with and without errors: the inputs are off the expert's by "
        "at most epsilon + min(alpha, L*) zeta and epsilon, and the first two, played at one state, differ by at most "
        "alpha zeta. Needs no stability of the learned loop. Attained by a policy that rises by 2 epsilon over the "
        "expert within zeta. Checked for M > 1 with epsilon = 0.",
        bound=_most(error, DETERIORATION_EXPERT),
        uses=("lipschitz_policies.performance_difference", "lipschitz_policies.regret"),
    ),
    _claim(
        "optimal_deterioration",
        "What measurement errors cost an optimal linear-quadratic policy, exactly",
        r"\sup_\delta J(-K; \delta) - J(-K; 0) = \frac{\zeta^2 \lambda_{\max}(K^\top S K)}{1 - \gamma}",
        Kind.IDENTITY,
        Level.CERTIFIED,
        note="Whatever the initial state; attained by errors along the top eigenvector with any signs. For any other "
        "learned policy the deterioration is at most the regret of lipschitz_policies.lqr_regret. Compared for one "
        "input, where K'SK has rank one, over twelve steps with the terminal term and sum gamma^t for 1 / (1 - gamma).",
        bound=Bound(sp.Eq(error, DETERIORATION_OPTIMAL, evaluate=False)),
        assumptions=(OPTIMAL,),
        uses=("lipschitz_policies.lqr_regret",),
    ),
)

NETWORKS = (
    _claim(
        "pair_multipliers",
        "Multipliers for pairs of neurons give an upper bound of the slope of a network",
        r"T = \mathrm{diag}(\lambda) + \sum_{i<j} \lambda_{ij} (e_i - e_j)(e_i - e_j)^\top,\ \lambda \ge 0,\ "
        r"\begin{pmatrix} \rho & -W_0^\top T \\ -T W_0 & 2 T - W_1^\top W_1 \end{pmatrix} \succeq 0 \implies "
        r"\mathrm{lip} \le \sqrt\rho",
        Kind.INEQUALITY,
        Level.REFUTED,
        origin=Origin.EXPLICIT,
        paper=FAZLYAB_2019,
        note="The multipliers of the variant called LipSDP-Network, for one hidden layer, input and output scalar.",
        erratum="Two neurons with slopes 1 and 0 break the inequality behind the terms for pairs. A network with three "
        "hidden neurons has the slope 1.43, and a certificate for 1/2. Multipliers for single neurons are sound.",
        no_bound=IN_MATRICES,
        uses=("lipschitz.slope_lmi",),
    ),
    _claim(
        "half_bound",
        "Slope of a network with one hidden layer",
        r"2\, W_1 D W_0 = W_1 W_0 + W_1 (2 D - I) W_0, \quad\text{so } \mathrm{lip} \le \tfrac12 ( \| W_1 W_0 \| + "
        r"\| W_1 \| \| W_0 \| )",
        Kind.IDENTITY,
        Level.PROVED,
        note="Slopes in [0, 1]: the norm of 2 D - I is at most 1.",
        no_bound=IN_MATRICES,
        uses=("lipschitz.slope_restriction",),
    ),
    _claim(
        "residual_layer",
        "A residual layer that does not expand",
        r"x \mapsto x - 2 W T^{-1} \varphi(W^\top x + b),\ T_{ii} = \sum_j | W^\top W |_{ij} \frac{q_j}{q_i}: \quad "
        r"\| \Delta x \|^2 - \| \Delta y \|^2 = 4\, \Delta\varphi^\top T^{-1} (\Delta z - \Delta\varphi) + 4\, "
        r"g^\top (T - W^\top W) g \ge 0,\ g = T^{-1} \Delta\varphi",
        Kind.INEQUALITY,
        Level.PROVED,
        note="The identity for matrices of any size; T dominates the Gram matrix term by term.",
        no_bound=IN_MATRICES,
        uses=("lipschitz.slope_restriction", "lipschitz.almost_orthogonal"),
    ),
)

LEARNED = (
    _claim(
        "erm_reduction",
        "Learning over Lipschitz policies is a programme over their values at the samples",
        r"\min_{\mathrm{lip}(\pi) \le \alpha} \frac{1}{2N} \sum_i \| \pi(x_i) - u_i \|^2 = \varphi(\alpha), \quad "
        r"\text{attained by every } \alpha\text{-Lipschitz extension of the optimal } V",
        Kind.EQUIVALENCE,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note="Made explicit by the extensions of McShane (one input) and Kirszbraun. Constraints between neighbours, "
        "the nearest sample, and interpolation on a triangle do not keep the constant.",
        no_bound=IN_DATA,
        uses=("lipschitz.extension", "lipschitz.kirszbraun"),
    ),
    _claim(
        "explicit_extension",
        "An explicit Lipschitz extension of vectors",
        r"\pi(x) = \sum_i \lambda_i v_i,\ \lambda \in \arg\min_{\Delta} \alpha \Big\| x - \tfrac12 \sum \lambda_i x_i "
        r"\Big\|^2 + \frac{1}{4 \alpha} \Big\| \sum \lambda_i v_i \Big\|^2 - \sum \lambda_i \Big( \frac{\|v_i\|^2}"
        r"{4 \alpha} - \frac{\alpha \|x_i\|^2}{4} \Big): \quad \pi(x_i) = v_i,\ \mathrm{lip}(\pi) \le \alpha",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="The formula of Azagra, Le Gruyer and Mudarra (2018, arXiv 1810.10288) for finite data, as one simplex "
        "programme a query. The best value for each query by itself is not Lipschitz with the same constant.",
        no_bound=IN_DATA,
        uses=("lipschitz.kirszbraun",),
    ),
    _claim(
        "spanner",
        "Fitting with the constraints of a spanner only",
        r"\varphi_S(\alpha) \le \varphi(\alpha) \le \varphi_S(\alpha / \mathrm{stretch})",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="For a path through the samples, whose fits are those of a line.",
        no_bound=IN_DATA,
        uses=("lipschitz_policies.graph_stretch", "lipschitz_policies.erm_reduction"),
    ),
    _claim(
        "saddle_point",
        "Extragradient steps on the graph find the best fit",
        r"\dot f = -(L_w f + (f - u) / N),\ \dot w_e = [\| f_i - f_j \| - \alpha d_{ij}]_{w_e \ge 0}: \quad "
        r"\| f - V \|_\infty \le 10^{-6} \text{ after } 1000 \text{ extragradient steps of length } 1/2",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="Twenty samples and all pairs, instances of ours. Plain Euler steps circle about the optimum.",
        no_bound=IN_DATA,
        uses=("lipschitz_policies.erm_reduction",),
    ),
    _claim(
        "learned_loop",
        "The chain of guarantees from the demonstrations to the cost",
        r"\epsilon \le (\alpha + L^\star) h: \quad \| x_t - x_t^\star \| \le \Gamma \epsilon, \quad |J - J^\star| \le "
        r"\frac{\epsilon\, C_R}{1 - \gamma}, \quad J_{\mathrm{LQR}} - J_{\mathrm{LQR}}^\star \le \frac{\| S \| "
        r"\epsilon^2}{1 - \gamma}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note=EXPLICIT_VERSION + "the closed loop, end to end: upper envelopes of grids of demonstrations, one input, "
        "200 steps and, for the linear-quadratic cost, the value of the last state.",
        no_bound=IN_LOOPS,
        uses=(
            "lipschitz_policies.interpolation_error",
            "lipschitz_policies.deviation",
            "lipschitz_policies.invariance",
            "lipschitz_policies.regret",
            "lipschitz_policies.lqr_regret",
        ),
    ),
    _claim(
        "learning_rates",
        "Rates of the error and of the two regrets in the number of demonstrations",
        r"\epsilon = O((\ln N / N)^{1/n}), \quad \mathrm{Reg} = O((\ln N / N)^{1/n}), \quad "
        r"\mathrm{Reg}_{\mathrm{LQR}} = O((\ln N / N)^{2/n})",
        Kind.RATE,
        Level.SUPPORTED,
        origin=Origin.EXPLICIT,
        note=EXPLICIT_VERSION + "learning with finitely many samples; slopes for a plant of two states.",
        no_bound="a statement about exponents",
        uses=("lipschitz_policies.fill_distance", "lipschitz_policies.learned_loop"),
        from_tier="full",
    ),
    _claim(
        "network_order",
        "Order of the bounds for the slope of a network with one hidden layer",
        r"\max_{\text{active patterns}} \le \max_{\text{all patterns}} \| W_1 D W_0 \| \le \mathrm{neuron} \le "
        r"\mathrm{layer} \le \| W_1 \| \| W_0 \|, \quad \max_{\text{all patterns}} \le \tfrac12 (\| W_1 W_0 \| + "
        r"\| W_1 \| \| W_0 \|)",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        paper=FAZLYAB_2019,
        note="Semidefinite bounds with one multiplier a neuron and one a layer, each confirmed in rationals.",
        no_bound=IN_MATRICES,
        uses=("lipschitz.slope_lmi", "lipschitz_policies.half_bound"),
        from_tier="full",
    ),
)

CLAIMS = (*LEARNING, *COVERING, *LOOPS, *REGRETS, *TRADE_OFF, *NETWORKS, *LEARNED)
