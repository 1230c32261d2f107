r"""Elliptical potentials: how often a sequence of features can still be new.

For features :math:`\phi_t \in \mathbb R^d` with :math:`\|\phi_t\| \le L` let
:math:`\Lambda_{t+1} = \Lambda_t + \phi_t \phi_t^\top`, :math:`\Lambda_1 = \lambda I`, and
:math:`u_t = \phi_t^\top \Lambda_t^{-1} \phi_t`, the squared width of the confidence ellipsoid in the direction that is
played. One rank-one update multiplies the determinant by :math:`1 + u_t`, so sums of widths are bounded by
:math:`\log \det \Lambda_{T+1} / \det \Lambda_1`, and this by the trace. The scalar forms at the end are the same
argument for counts and for visits with fractional weights :math:`u_t \in [0, 1]`, :math:`U_t = u_1 + \dots + u_t`.
"""

from typing import Any

import sympy as sp

from theory.claim import Bound, Claim, Kind, Level, Origin, Paper, Source
from theory.references import ABBASI_2011, LATTIMORE_2020, TAN_2025, TIAPKIN_2024

IN_MATRICES = "a statement about matrices"
IN_SEQUENCES = "a statement about sequences of features or visits"

s, u, v, U = sp.symbols("s u v U", real=True)

INVERSE_LOG_TWO = 1 / sp.log(2)
STEP = 1 / sp.log(sp.Rational(3, 2))
"""Best constant of one step of the logarithmic pigeonhole bound; equality at u = U = 1."""
ROOT_STEP = 1 + sp.sqrt(2)
"""Best constant of one step of the pigeonhole bound with roots; equality at u = U = 1."""


def _le(left: Any, right: Any) -> Any:
    return sp.Le(left, right, evaluate=False)


def chord(*, factor: sp.Expr = sp.S.One) -> Any:
    """Return s log(1 + v) <= log(1 + s v) for 0 <= s <= 1 and v >= 0."""
    return _le(s * sp.log(1 + v), factor * sp.log(1 + s * v))


def pigeonhole_below(*, constant: sp.Expr = STEP) -> Any:
    """Return u <= constant log((1 + U + u) / (1 + U)), the step for U <= 1."""
    return _le(u, constant * sp.log(1 + u / (1 + U)))


def pigeonhole_above(*, constant: sp.Expr = STEP) -> Any:
    """Return u <= constant U log((1 + U + u) / (1 + U)), the step for U >= 1."""
    return _le(u, constant * U * sp.log(1 + u / (1 + U)))


def root_below(*, constant: sp.Expr = ROOT_STEP) -> Any:
    """Return sqrt(U + u) + sqrt(U) <= constant, the step for U <= 1 multiplied by its right side."""
    return _le(sp.sqrt(U + u) + sp.sqrt(U), constant)


def root_above(*, constant: sp.Expr = ROOT_STEP) -> Any:
    """Return sqrt(1 + s) + 1 <= constant, the step for U >= 1 divided by sqrt(U), with s = u / U."""
    return _le(sp.sqrt(1 + s) + 1, constant)


def midpoint(*, constant: sp.Expr = sp.S.One) -> Any:
    """Return s <= sqrt(1 + s) - sqrt(1 - s) for 0 <= s <= 1/2: divided by sqrt(m), with s = 1 / (2 m)."""
    return _le(s, constant * (sp.sqrt(1 + s) - sp.sqrt(1 - s)))


def _claim(
    name: str, title: str, statement: str, kind: Kind, source: Source, expected: Level = Level.SUPPORTED, **more: Any
) -> Claim:
    if "bound" not in more:
        more.setdefault("no_bound", IN_SEQUENCES)
    return Claim(f"elliptical_potential.{name}", title, statement, kind, source, expected, **more)


def _book(paper: Paper, where: str, note: str = "") -> Source:
    return Source(Origin.FOLKLORE, paper, where, note)


def _ours(paper: Paper, note: str = "") -> Source:
    return Source(Origin.DERIVED, paper, note=note)


MATRICES = (
    _claim(
        "sherman_morrison",
        "Sherman-Morrison formula",
        r"(A + \phi \phi^\top)^{-1} = A^{-1} - \frac{A^{-1} \phi \phi^\top A^{-1}}{1 + \phi^\top A^{-1} \phi} "
        r"\quad (A \succ 0 \text{ of order } 2, 3)",
        Kind.IDENTITY,
        _ours(ABBASI_2011, "In an eigenbasis of A; listed rational matrices up to order 6 besides."),
        Level.PROVED,
        no_bound=IN_MATRICES,
    ),
    _claim(
        "rank_one_determinant",
        "Determinant of a rank-one update",
        r"\det(A + \phi \phi^\top) = \det(A) \, (1 + \phi^\top A^{-1} \phi) \quad (A \succ 0 \text{ of order } 2, 3)",
        Kind.IDENTITY,
        _ours(ABBASI_2011, "In an eigenbasis of A; listed rational matrices up to order 6 besides."),
        Level.PROVED,
        no_bound=IN_MATRICES,
    ),
    _claim(
        "determinant_trace",
        "Determinant-trace inequality",
        r"\det A \le (\mathrm{tr}\, A / d)^d \quad (A \succeq 0 \text{ of order } d = 2, 3, \text{ by eigenvalues})",
        Kind.INEQUALITY,
        _book(LATTIMORE_2020, "Lemma 19.4", "step of its proof: arithmetic and geometric mean of the eigenvalues"),
        Level.PROVED,
        no_bound=IN_MATRICES,
    ),
    _claim(
        "determinant_ratio",
        "A larger matrix is at most the ratio of determinants larger",
        r"A \succeq B \succ 0 \implies x^\top A x \le \frac{\det A}{\det B} \, x^\top B x \quad (\text{order } 2, 3)",
        Kind.INEQUALITY,
        _ours(ABBASI_2011, "In a basis that makes B the identity and A diagonal; larger orders on listed matrices."),
        Level.PROVED,
        no_bound=IN_MATRICES,
    ),
    _claim(
        "lazy_norm",
        "Widths between switches",
        r"\det \Lambda_t \le 2 \det \Lambda_k, \ \Lambda_t \succeq \Lambda_k \implies "
        r"\| x \|^2_{\Lambda_k^{-1}} \le 2 \| x \|^2_{\Lambda_t^{-1}}",
        Kind.INEQUALITY,
        _ours(TAN_2025, "Rare switching costs a factor of sqrt(2) in the widths."),
        Level.CERTIFIED,
        uses=("elliptical_potential.determinant_ratio",),
    ),
    _claim(
        "ridge_projection",
        "Ridge regression does not expand predictions",
        r"\Phi (\Phi^\top \Phi + \lambda I)^{-1} \Phi^\top \preceq I",
        Kind.INEQUALITY,
        _ours(TAN_2025),
        Level.CERTIFIED,
        no_bound=IN_MATRICES,
    ),
    _claim(
        "ridge_norm",
        "Norm of ridge regression weights",
        r"\| (\Phi^\top \Phi + \lambda I)^{-1} \Phi^\top y \| \le \frac{\| y \|}{2 \sqrt\lambda}",
        Kind.INEQUALITY,
        _ours(TAN_2025, "The usual form lacks the one half; equality at singular value sqrt(lambda)."),
        Level.CERTIFIED,
        no_bound=IN_MATRICES,
    ),
    _claim(
        "root_of_forms",
        "Bonuses of nearby matrices",
        r"\big| \sqrt{x^\top A x} - \sqrt{x^\top B x} \big| \le \sqrt{\| A - B \|_F} \quad (\| x \| "
        r"\le 1, A, B \succeq 0)",
        Kind.INEQUALITY,
        _ours(TAN_2025, "Covering numbers of bonus functions rest on it."),
        no_bound=IN_MATRICES,
    ),
    _claim(
        "drift",
        "Relative errors do not grow under rank-one updates",
        r"\hat P_{t+1} = (1 \pm \varepsilon) \text{-perturbation of } f_t(\hat P_t), \ P_{t+1} = f_t(P_t) \implies "
        r"(1 - \varepsilon)^T P_T \preceq \hat P_T \preceq (1 + \varepsilon)^T P_T, \quad "
        r"f_t(P) = (P^{-1} + \phi_t \phi_t^\top)^{-1}",
        Kind.INEQUALITY,
        _ours(TAN_2025, "The update is monotone and sub-homogeneous: rounding errors add up, they are not amplified."),
        Level.CERTIFIED,
        no_bound=IN_MATRICES,
        uses=("elliptical_potential.sherman_morrison",),
    ),
)

POTENTIALS = (
    _claim(
        "chord",
        "Logarithm above its chord",
        r"s \log(1 + v) \le \log(1 + s v) \quad (0 \le s \le 1,\ v \ge 0)",
        Kind.INEQUALITY,
        _ours(LATTIMORE_2020, "Concavity; gives the best constant for widths of at most v."),
        Level.PROVED,
        bound=Bound(chord()),
    ),
    _claim(
        "clipped",
        "Elliptical potential lemma with clipping",
        r"\sum_{t=1}^T \min(1, u_t) \le 2 \log \frac{\det \Lambda_{T+1}}{\det \Lambda_1}",
        Kind.INEQUALITY,
        _book(LATTIMORE_2020, "Lemma 19.4"),
        uses=("elliptical_potential.rank_one_determinant", "scalar.potential"),
    ),
    _claim(
        "clipped_sharp",
        "Elliptical potential lemma with clipping, best constant",
        r"\sum_{t=1}^T \min(1, u_t) \le \frac{1}{\log 2} \log \frac{\det \Lambda_{T+1}}{\det \Lambda_1}",
        Kind.INEQUALITY,
        _ours(LATTIMORE_2020, "1 / log 2 = 1.4427 instead of 2; equality for one feature of width one."),
        uses=("elliptical_potential.rank_one_determinant", "scalar.log_two"),
    ),
    _claim(
        "unclipped",
        "Elliptical potential lemma without clipping",
        r"\sum_{t=1}^T u_t \le \frac{c}{\log(1 + c)} \log \frac{\det \Lambda_{T+1}}{\det \Lambda_1}, "
        r"\quad c = L^2 / \lambda",
        Kind.INEQUALITY,
        _ours(LATTIMORE_2020, "c = 1 gives 1 / log 2; for small lambda the constant grows like c / log c."),
        uses=("elliptical_potential.rank_one_determinant", "elliptical_potential.chord"),
    ),
    _claim(
        "determinant_growth",
        "Growth of the determinant",
        r"\frac{\det \Lambda_{T+1}}{\det \Lambda_1} \le \Big( 1 + \frac{T L^2}{d \lambda} \Big)^d",
        Kind.INEQUALITY,
        _book(LATTIMORE_2020, "Lemma 19.4"),
        Level.CERTIFIED,
        uses=("elliptical_potential.determinant_trace",),
    ),
    _claim(
        "dimension",
        "Elliptical potential lemma in the dimension",
        r"\sum_{t=1}^T \min(1, u_t) \le \frac{d}{\log 2} \log \Big( 1 + \frac{T L^2}{d \lambda} \Big)",
        Kind.INEQUALITY,
        _ours(TIAPKIN_2024, "The usual constant is 2 d; equality for the vectors of a basis with L^2 = lambda."),
        uses=("elliptical_potential.clipped_sharp", "elliptical_potential.determinant_growth"),
    ),
    _claim(
        "switches",
        "Number of determinant doublings",
        r"\#\{ \text{switches} \} \le d \log_2 \Big( 1 + \frac{T L^2}{d \lambda} \Big) \quad "
        r"\text{if the determinant has at least doubled at every switch}",
        Kind.INEQUALITY,
        _ours(ABBASI_2011, "Equality for d = 1 and T = 2^j - 1, lambda = L = 1."),
        Level.CERTIFIED,
        uses=("elliptical_potential.determinant_growth",),
    ),
)

COUNTS = (
    _claim(
        "midpoint",
        "Midpoint comparison for inverse roots",
        r"\frac{1}{\sqrt m} \le 2 \big( \sqrt{m + \tfrac12} - \sqrt{m - \tfrac12} \big) \quad (m \ge 1; \ s = 1/(2m))",
        Kind.INEQUALITY,
        _ours(TAN_2025, "Summed: visits a, ..., a+n-1 pay at most 2 (sqrt(a+n-1/2) - sqrt(a-1/2))."),
        Level.PROVED,
        bound=Bound(midpoint()),
    ),
    _claim(
        "count_doubling",
        "Visits under doubling of counts",
        r"j + 1 \le 2 n_k \text{ at a visit with } j \ge 1 \text{ earlier ones}, \qquad "
        r"\#\{ \text{epochs} \} \le 1 + |X| (1 + \log_2 T)",
        Kind.INEQUALITY,
        _ours(TAN_2025, "n_k is the count at the last refresh, made when a count reaches max(1, 2 n_k)."),
    ),
    _claim(
        "pigeonhole_log_step",
        "One step of the logarithmic pigeonhole bound",
        r"\frac{u}{\max(1, U)} \le \frac{1}{\log(3/2)} \log \frac{1 + U + u}{1 + U} \quad (0 \le u \le 1,\ U \ge 0)",
        Kind.INEQUALITY,
        _ours(TIAPKIN_2024, "Summed: the constant 2.4663 for every sequence; equality at u = U = 1."),
        Level.PROVED,
        bound=Bound(pigeonhole_above()),
        uses=("elliptical_potential.chord",),
    ),
    _claim(
        "pigeonhole_log",
        "Logarithmic pigeonhole bound for fractional visits",
        r"\sum_{t=1}^T \frac{u_t}{\max(1, U_{t-1})} \le \frac{2}{\log 3} \log(1 + U_T) \quad (0 \le u_t \le 1)",
        Kind.INEQUALITY,
        _ours(TIAPKIN_2024, "The best constant that the search finds, attained by u = (1, 1); 2.4663 is proved."),
        uses=("elliptical_potential.pigeonhole_log_step",),
    ),
    _claim(
        "pigeonhole_root_step",
        "One step of the pigeonhole bound with roots",
        r"\frac{u}{\sqrt{\max(1, U)}} \le (1 + \sqrt2) \big( \sqrt{U + u} - \sqrt U \big) \quad (0 "
        r"\le u \le 1,\ U \ge 0)",
        Kind.INEQUALITY,
        _ours(TIAPKIN_2024, "Summed: the constant 2.4143 for every sequence; equality at u = U = 1."),
        Level.PROVED,
        bound=Bound(root_above()),
    ),
    _claim(
        "pigeonhole_root",
        "Pigeonhole bound with roots for fractional visits",
        r"\sum_{t=1}^T \frac{u_t}{\sqrt{\max(1, U_{t-1})}} \le 2 \sqrt{U_T} \quad (0 \le u_t \le 1)",
        Kind.INEQUALITY,
        _ours(TIAPKIN_2024, "Approached by many whole visits; 2.4143 is proved."),
        uses=("elliptical_potential.pigeonhole_root_step",),
    ),
    _claim(
        "pseudo_counts",
        "Bonuses at counts against bonuses at expected counts",
        r"n \ge \tfrac12 \bar n - b,\ \beta \ge \max(b, \tfrac14) \implies "
        r"\min\Big( 1, \frac{\beta(n)}{n} \Big) \le \frac{4 \beta(\bar n)}{\max(1, \bar n)} \quad "
        r"(\beta \text{ nondecreasing},\ \beta(x) / x \text{ nonincreasing})",
        Kind.INEQUALITY,
        _ours(
            TIAPKIN_2024,
            "Searched for beta(x) = c + s log(1 + x); equality for constant beta = b = n, four times n expected.",
        ),
        no_bound="a statement about functions beta",
    ),
    _claim(
        "eluder_pigeonhole",
        "Pigeonhole bound for functions that fit their past, finite sets",
        r"\sum_{i < t} \phi_t(x_i)^2 \le \beta,\ |\phi_t| \le C \implies \sum_{t=1}^T |\phi_t(x_t)| "
        r"\le \min(T, |X|) C + 2 \sqrt{|X| \beta T}, \quad "
        r"\sum_{t=1}^T \phi_t(x_t)^2 \le \min(T, |X|) C^2 + |X| \beta (1 + \log T)",
        Kind.INEQUALITY,
        _ours(TAN_2025, "For point masses as test distributions the eluder dimension is at most |X|."),
        uses=("counting.inverse_root_sum", "counting.harmonic_sum"),
    ),
)

CLAIMS = (*MATRICES, *POTENTIALS, *COUNTS)
