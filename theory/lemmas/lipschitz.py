r"""Lipschitz maps: extension from finitely many points, covering numbers, stable loops, and certificates by matrices.

A map is :math:`\alpha`-Lipschitz if :math:`\| f(x) - f(y) \| \le \alpha\, d(x, y)`. A loop :math:`x_{t+1} = F(x_t)` is
exponentially stable with constants (M, beta) if :math:`\| F^t(x) - F^t(y) \| \le M \beta^t \| x - y \|`. Symmetric
matrices are ordered by :math:`X \preceq Y`: :math:`Y - X` is positive semidefinite.
"""

from theory.claim import Claim, Kind, Level, Origin, Paper, Source
from theory.references import AL_MAKDAH_2021, FAZLYAB_2019, KIRSZBRAUN_1934, MCSHANE_1934

PRACH_2022 = Paper(
    "prach_2022",
    "Almost-Orthogonal Layers for Efficient General-Purpose Lipschitz Networks",
    ("Prach", "Lampert"),
    2022,
    "ECCV",
    arxiv="2208.03160",
)

VECTORS = "a statement about maps or vectors"
MATRICES = "a statement about matrices"


def _derived(note: str) -> Source:
    return Source(Origin.DERIVED, AL_MAKDAH_2021, note=note)


EXTENSION = Claim(
    id="lipschitz.extension",
    title="McShane-Whitney extension",
    statement=(
        r"\underline f(x) = \max_i \{ v_i - \alpha d(x, x_i) \} \le f(x) \le \overline f(x) = "
        r"\min_i \{ v_i + \alpha d(x, x_i) \}"
        r"\quad\text{for every } \alpha\text{-Lipschitz interpolant } f;\ \text{both ends are such interpolants, and }"
        r"\overline f(x) - \underline f(x) \le 2 \alpha \min_i d(x, x_i)"
    ),
    kind=Kind.INEQUALITY,
    source=Source(Origin.FOLKLORE, MCSHANE_1934, "main theorem", note="The gap of the envelopes is ours."),
    expected=Level.CERTIFIED,
    no_bound=VECTORS,
)

NEAREST = Claim(
    id="lipschitz.nearest_sample",
    title="Error of an interpolant by the distance to the nearest sample",
    statement=r"| \hat f(x) - f^\star(x) | \le (\alpha + L^\star) \min_i d(x, x_i)",
    kind=Kind.INEQUALITY,
    source=_derived("Attained by an interpolant that moves against the target."),
    expected=Level.CERTIFIED,
    no_bound=VECTORS,
)

COMPONENTWISE = Claim(
    id="lipschitz.componentwise",
    title="Extending m components one by one costs the factor sqrt(m)",
    statement=r"\| F(x) - F(y) \|_2^2 \le m\, \alpha^2 d(x, y)^2",
    kind=Kind.INEQUALITY,
    source=_derived("Attained: the constant alpha is not preserved."),
    expected=Level.CERTIFIED,
    no_bound=VECTORS,
    uses=("lipschitz.extension",),
)

KIRSZBRAUN = Claim(
    id="lipschitz.kirszbraun",
    title="Kirszbraun's theorem, one more point",
    statement=(
        r"\| v_i - v_j \|_2 \le \alpha \| x_i - x_j \|_2 \implies "
        r"\min_v \max_i \big( \| v - v_i \|_2^2 - \alpha^2 \| x - x_i \|_2^2 \big) \le 0"
    ),
    kind=Kind.INEQUALITY,
    source=Source(Origin.FOLKLORE, KIRSZBRAUN_1934, "main theorem"),
    expected=Level.CERTIFIED,
    no_bound=VECTORS,
    uses=("lipschitz.weighted_pairs",),
)

WEIGHTED_PAIRS = Claim(
    id="lipschitz.weighted_pairs",
    title="Weighted squared distances between pairs, and to a point",
    statement=(
        r"\tfrac12 \sum_{i, j} \lambda_i \lambda_j \| x_i - x_j \|^2 = \sum_i \lambda_i \| x_i - x \|^2 - "
        r"\Big\| \sum_i \lambda_i (x_i - x) \Big\|^2,\quad \sum_i \lambda_i = 1"
    ),
    kind=Kind.IDENTITY,
    source=_derived("The dual of Kirszbraun's problem is at most zero by this identity, used for x and for v."),
    expected=Level.PROVED,
    no_bound=VECTORS,
)

COVERING = Claim(
    id="lipschitz.covering",
    title="Covering number of a cube in the supremum norm",
    statement=r"N\big( [0, a]^n, \| \cdot \|_\infty, \epsilon \big) = \lceil a / (2 \epsilon) \rceil^n",
    kind=Kind.IDENTITY,
    source=_derived("Cells of a grid cover; the points of a slightly coarser grid need one ball each."),
    expected=Level.CERTIFIED,
    no_bound="a statement about all coverings",
)

GEOMETRIC = Claim(
    id="lipschitz.geometric_sum",
    title="Accumulated deviation of a stable loop",
    statement=r"e_0 = 0,\ e_{n+1} = \beta e_n + 1 \implies e_n = \frac{1 - \beta^n}{1 - \beta}",
    kind=Kind.IDENTITY,
    source=_derived("The sum of the telescoped one-step differences."),
    expected=Level.PROVED,
    no_bound="a recursion",
)

PERTURBED = Claim(
    id="lipschitz.perturbed_loop",
    title="Deviation of a perturbed loop from an exponentially stable one",
    statement=(
        r"x_{t+1} = F x_t + w_t,\ \| w_t \| \le \omega,\ \| F^t \| \le M \beta^t \implies "
        r"\| x_T - F^T x_0 \| \le M \omega \frac{1 - \beta^T}{1 - \beta}"
    ),
    kind=Kind.INEQUALITY,
    source=_derived("Linear loops, against the worst perturbation; equality for scalar loops."),
    expected=Level.CERTIFIED,
    no_bound=VECTORS,
    uses=("lipschitz.geometric_sum",),
)

GRONWALL = Claim(
    id="lipschitz.gronwall",
    title="Discrete Gronwall inequality",
    statement=(
        r"a_t \le c + b \sum_{k < t} a_k \implies \sum_{k < n} a_k \le \frac{c\, ((1 + b)^n - 1)}{b},\ "
        r"a_n \le c\, (1 + b)^n"
    ),
    kind=Kind.INEQUALITY,
    source=_derived("For errors relative to the state."),
    expected=Level.PROVED,
    no_bound="a statement about all sequences",
)

DISCOUNTED_DEVIATION = Claim(
    id="lipschitz.discounted_deviation",
    title="Discounted sum of deviations",
    statement=(
        r"\sum_{t=1}^n \gamma^t \frac{1 - \beta^t}{1 - \beta} = \frac{1}{1 - \beta} \Big( "
        r"\frac{\gamma (1 - \gamma^n)}{1 - \gamma} "
        r"- \frac{\gamma \beta (1 - (\gamma \beta)^n)}{1 - \gamma \beta} \Big) "
        r"\to \frac{\gamma}{(1 - \gamma)(1 - \gamma \beta)}"
    ),
    kind=Kind.IDENTITY,
    source=_derived("The constant of the regret in terms of the deviation; 0 < gamma, beta < 1."),
    expected=Level.PROVED,
    no_bound="a sum and its limit",
    uses=("lipschitz.geometric_sum",),
)

CONVERSE = Claim(
    id="lipschitz.converse_lyapunov",
    title="Converse Lyapunov function of an exponentially stable loop",
    statement=(
        r"V(x) = \sum_{k < T} \| F^k x \|,\ 2 M \beta^T \le 1 \implies "
        r"\| x \| \le V(x) \le M \frac{1 - \beta^T}{1 - \beta} \| x \|,\quad V(F x) - V(x) \le -\tfrac12 \| x \|"
    ),
    kind=Kind.INEQUALITY,
    source=_derived("Finite sums suffice once M beta^T <= 1/2."),
    expected=Level.CERTIFIED,
    no_bound=VECTORS,
)

VERTICES = Claim(
    id="lipschitz.vertex_contraction",
    title="A contraction certified at the ends of a segment of matrices",
    statement=(
        r"J(c)^\top P J(c) \preceq \beta^2 P \quad (c \in [0.8775, 1]) \text{ for the linearisations } J(c) "
        r"\text{ of the inverted pendulum under its feedback},\ \beta = 0.89"
    ),
    kind=Kind.INEQUALITY,
    source=_derived("By convexity of J -> J'PJ the two ends suffice; checked at both and between."),
    expected=Level.CERTIFIED,
    no_bound=MATRICES,
    uses=("lipschitz.matrix_convexity",),
)

CONVEX_FORM = Claim(
    id="lipschitz.matrix_convexity",
    title="Quadratic forms of matrices are convex",
    statement=(
        r"J_c = c J_1 + (1 - c) J_0:\quad c\, J_1^\top P J_1 + (1 - c) J_0^\top P J_0 - J_c^\top P J_c = "
        r"c (1 - c) (J_1 - J_0)^\top P (J_1 - J_0)"
    ),
    kind=Kind.IDENTITY,
    source=_derived("Matrices of any size; nonnegative for P >= 0 and 0 <= c <= 1."),
    expected=Level.PROVED,
    no_bound=MATRICES,
)

SLOPES = Claim(
    id="lipschitz.slope_restriction",
    title="Incremental inequality of slope-restricted functions",
    statement=r"\Delta\varphi = s\, \Delta z,\ 0 \le s \le 1 \implies \Delta\varphi\, (\Delta z - \Delta\varphi) \ge 0",
    kind=Kind.INEQUALITY,
    source=Source(
        Origin.FOLKLORE, FAZLYAB_2019, "slope-restricted activations", note="Holds for each neuron by itself."
    ),
    expected=Level.PROVED,
    no_bound=VECTORS,
)

SLOPE_LMI = Claim(
    id="lipschitz.slope_lmi",
    title="Soundness of the neuron-wise semidefinite bound of a network with one hidden layer",
    statement=(
        r"T \ge 0 \text{ diagonal},\ \begin{pmatrix} \rho & -W_0^\top T \\ -T W_0 & 2 T - W_1^\top W_1 \end{pmatrix} "
        r"\succeq 0 \implies (W_1 D W_0)^2 \le \rho \quad\text{for all } D = \mathrm{diag}(0 \text{ or } 1)"
    ),
    kind=Kind.INEQUALITY,
    source=Source(Origin.EXPLICIT, FAZLYAB_2019, note="Scalar input and output; diagonal multipliers only."),
    expected=Level.CERTIFIED,
    no_bound=MATRICES,
    uses=("lipschitz.slope_restriction",),
)

SLOPE_OPTIMUM = Claim(
    id="lipschitz.slope_optimum",
    title="Optimum of the semidefinite bound",
    statement=(
        r"\min \rho = \Big( \max_{D} | W_1 D W_0 | \Big)^2 = 1.85^2 \quad\text{for } W_0 = (0.5, 1, 1.2)^\top,\ "
        r"W_1 = (-0.5, -1.6, 1.4)"
    ),
    kind=Kind.IDENTITY,
    source=Source(Origin.DERIVED, FAZLYAB_2019, note="An instance on which the bound has no slack."),
    expected=Level.CERTIFIED,
    no_bound=MATRICES,
    uses=("lipschitz.slope_lmi",),
)

GAIN = Claim(
    id="lipschitz.bounded_real",
    title="Peak gain of a scalar loop by a semidefinite programme",
    statement=(
        r"\min \Big\{ g : \begin{pmatrix} (1 - \beta^2) P - 1 & -\beta b P \\ -\beta b P & g - b^2 P \end{pmatrix} "
        r"\succeq 0 \Big\} = \frac{b^2}{(1 - \beta)^2} \quad (0 \le \beta < 1)"
    ),
    kind=Kind.IDENTITY,
    source=_derived("Bounded real lemma for x' = beta x + b w."),
    expected=Level.CERTIFIED,
    no_bound=MATRICES,
)

ORTHOGONAL = Claim(
    id="lipschitz.almost_orthogonal",
    title="Rescaling by row sums of the Gram matrix makes a layer 1-Lipschitz",
    statement=(
        r"W^\top W \preceq \mathrm{diag} \Big( \sum_j | W^\top W |_{ij} \Big),\quad"
        r"\text{since } 2 g u v \le |g| (u^2 + v^2)"
    ),
    kind=Kind.INEQUALITY,
    source=Source(Origin.FOLKLORE, PRACH_2022, "main theorem"),
    expected=Level.PROVED,
    no_bound=MATRICES,
)

GRAM = Claim(
    id="lipschitz.gram_iteration",
    title="Spectral norm from powers of the Gram matrix",
    statement=(r"\| W \|_2 \le \| (W^\top W)^{2^k} \|_F^{1 / 2^{k+1}},\quad\text{nonincreasing in } k"),
    kind=Kind.INEQUALITY,
    source=_derived("A certificate, which a power iteration is not."),
    expected=Level.CERTIFIED,
    no_bound=MATRICES,
)

REFLECTION = Claim(
    id="lipschitz.reflection",
    title="Best clipped gain on a pair of mirrored samples",
    statement=(
        r"(\sigma s - p)^2 + (\sigma s + p')^2 \ge 2 (\sigma - \alpha)^2 s^2 \quad"
        r"(\sigma \ge \alpha \ge 0,\ |p - p'| \le 2 \alpha |s|)"
    ),
    kind=Kind.INEQUALITY,
    source=_derived("A Lipschitz policy cannot fit a steeper linear expert better than the clipped gain does."),
    expected=Level.PROVED,
    no_bound="an inequality between polynomials",
)

REGRET = Claim(
    id="lipschitz.gain_regret",
    title="Regret of a linear gain in the scalar linear-quadratic problem",
    statement=(
        r"\frac{q + r k^2}{1 - \gamma (a - b k)^2} - P = \frac{(r + \gamma b^2 P) (k - k^\star)^2}"
        r"{1 - \gamma (a - b k)^2},\quad k^\star = \frac{\gamma a b P}{r + \gamma b^2 P},\ "
        r"P = q + \gamma a^2 P - \frac{\gamma^2 a^2 b^2 P^2}{r + \gamma b^2 P}"
    ),
    kind=Kind.IDENTITY,
    source=_derived("Completion of squares: quadratic in the error of the gain."),
    expected=Level.PROVED,
    no_bound="an identity between rational functions",
)

SOFTMAX = Claim(
    id="lipschitz.softmax_variation",
    title="Softmax policies are Lipschitz from the supremum norm to total variation",
    statement=r"\| \mathrm{softmax}(x) - \mathrm{softmax}(y) \|_1 \le \| x - y \|_\infty",
    kind=Kind.INEQUALITY,
    source=_derived("The constant one is attained in the limit of two equal actions."),
    expected=Level.SUPPORTED,
    no_bound=VECTORS,
    uses=("regularised_values.curvature",),
)

CLAIMS = (
    EXTENSION,
    NEAREST,
    COMPONENTWISE,
    KIRSZBRAUN,
    WEIGHTED_PAIRS,
    COVERING,
    GEOMETRIC,
    PERTURBED,
    GRONWALL,
    DISCOUNTED_DEVIATION,
    CONVERSE,
    VERTICES,
    CONVEX_FORM,
    SLOPES,
    SLOPE_LMI,
    SLOPE_OPTIMUM,
    GAIN,
    ORTHOGONAL,
    GRAM,
    REFLECTION,
    REGRET,
    SOFTMAX,
)
