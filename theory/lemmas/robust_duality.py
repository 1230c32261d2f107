r"""Duality of the six factor backups: worst-case expectations over laws near a nominal one.

For a nominal law p, values v, a radius :math:`\rho \ge 0` and a penalty :math:`\sigma > 0`,

.. math:: C(\rho) = \min \{ E_q v : D(q, p) \le \rho \}, \qquad R(\sigma) = \min_q \{ E_q v + \sigma D(q, p) \},

where D is the total variation (half the 1-norm; q may leave the support of p), relative entropy or chi2 (q may not).
:math:`v_\circ` is the least value, on all states for total variation and on the support of p otherwise;
:math:`\mathrm{sp}(v) = \max v - v_\circ`, on the same states.
"""

import sympy as sp

from theory.claim import Bound, Claim, Kind, Level, Origin, Source
from theory.references import BOUCHERON_2013, GU_2025, IYENGAR_2005, LIU_2024, NILIM_2005, ROCKAFELLAR_2000
from theory.symbols import epsilon, error, rho, x, y

DERIVED = Source(Origin.DERIVED, GU_2025)
IN_BALLS = Source(Origin.DERIVED, IYENGAR_2005)


def _duality(name: str, title: str, statement: str, source: Source) -> Claim:
    return Claim(
        id=f"robust_duality.{name}",
        title=title,
        statement=statement,
        kind=Kind.IDENTITY,
        source=source,
        expected=Level.CERTIFIED,
        no_bound="an equality of two optima",
    )


def _property(name: str, title: str, statement: str, *uses: str, level: Level = Level.SUPPORTED) -> Claim:
    return Claim(
        id=f"robust_duality.{name}",
        title=title,
        statement=statement,
        kind=Kind.INEQUALITY,
        source=DERIVED,
        expected=level,
        no_bound="a statement about six functionals at once",
        uses=tuple(f"robust_duality.{key}" for key in uses),
    )


# ----------------------------------------------------------------------------------------------------------- duality

TV_CONSTRAINED = _duality(
    "tv_constrained",
    "Strong duality for a ball in total variation",
    r"C(\rho) = \max_\alpha \{ E_p \min(v, \alpha) - \rho (\alpha - v_\circ) \}, \quad 0 \le \rho \le 1",
    IN_BALLS,
)

TV_REGULARISED = _duality(
    "tv_regularised",
    "Strong duality for a penalty in total variation",
    r"R(\sigma) = E_p \min(v, v_\circ + \sigma)",
    DERIVED,
)

KL_CONSTRAINED = _duality(
    "kl_constrained",
    "Strong duality for a ball in relative entropy",
    r"C(\rho) = \max_{\beta \ge 0} \{ -\beta \log E_p e^{-v / \beta} - \beta \rho \}",
    Source(
        Origin.DERIVED, NILIM_2005, note="The dual is known from there; the boundary case and the solver are derived."
    ),
)

KL_REGULARISED = _duality(
    "kl_regularised",
    "Strong duality for a penalty in relative entropy",
    r"R(\sigma) = -\sigma \log E_p e^{-v / \sigma}",
    Source(Origin.FOLKLORE, BOUCHERON_2013, "duality formula of the relative entropy, chapter 4"),
)

CHI2_CONSTRAINED = _duality(
    "chi2_constrained",
    "Strong duality for a chi2 ball",
    r"C(\rho) = \max_\eta \{ \eta - \sqrt{(1 + \rho)\, E_p (\eta - v)_+^2} \} = m - s \sqrt{(1 + \rho) c - 1}, "
    r"\quad c, m, s: \text{mass, mean, deviation of } v \text{ below the optimal } \eta",
    IN_BALLS,
)

CHI2_REGULARISED = _duality(
    "chi2_regularised",
    "Strong duality for a chi2 penalty",
    r"R(\sigma) = \max_\alpha \{ E_p \min(v, \alpha) - \operatorname{Var}_p(\min(v, \alpha)) / (4 \sigma) \}",
    DERIVED,
)

GIBBS = Claim(
    id="robust_duality.gibbs",
    title="What a law loses against the tilted one",
    statement=(
        r"E_q v + \sigma\, \mathrm{KL}(q \| p) + \sigma \log E_p e^{-v/\sigma} = "
        r"\sigma\, \mathrm{KL}(q \| q^\star), \quad q^\star \propto p\, e^{-v/\sigma}"
    ),
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, BOUCHERON_2013, "duality formula of the relative entropy, chapter 4"),
    expected=Level.PROVED,
    no_bound="an identity between laws, written out for three states",
)

CHI2_COMPLETION = Claim(
    id="robust_duality.chi2_completion",
    title="What a law loses against the truncated one",
    statement=(
        r"E_q v + \sigma \chi^2(q \| p) - \big( \eta - \sigma - \tfrac{E_p (\eta - v)_+^2}{4 \sigma} \big) = "
        r"\sigma \sum \tfrac{(q - q_\eta)^2}{p} + E_q (v - \eta)_+, \quad q_\eta = \tfrac{p (\eta - v)_+}{2 \sigma}, "
        r"\text{ for all } \eta"
    ),
    kind=Kind.IDENTITY,
    source=DERIVED,
    expected=Level.PROVED,
    no_bound="an identity between laws, written out for three states on either side of eta",
)

WORST_LAW = _property(
    "worst_law",
    "The stated laws are admissible and attain the backups",
    r"D(q^\star, p) \le \rho,\ E_{q^\star} v = C(\rho) \quad\text{and}\quad "
    r"E_{q^\star} v + \sigma D(q^\star, p) = R(\sigma)",
)

RATIONAL_WORST_LAW = Claim(
    id="robust_duality.rational_worst_law",
    title="Moving mass, clipping and truncating are optimal: primal and dual meet exactly",
    statement=(
        r"E_{q^\star} v = \text{dual} \text{ (TV ball)}, \quad E_{q^\star} v + \sigma D(q^\star, p) = \text{dual} "
        r"\text{ (TV and chi2 penalties)}, \quad q^\star \text{ admissible}"
    ),
    kind=Kind.IDENTITY,
    source=DERIVED,
    expected=Level.CERTIFIED,
    no_bound="an equality of two optima",
)

# -------------------------------------------------------------------------------------------- properties of the backups

MONOTONE = _property(
    "monotone",
    "All six backups are monotone",
    r"v \le w \implies C_v(\rho) \le C_w(\rho),\ R_v(\sigma) \le R_w(\sigma)",
)

NONEXPANSIVE = _property(
    "nonexpansive",
    "All six backups are non-expansive in the supremum norm",
    r"|C_v(\rho) - C_w(\rho)| \le \|v - w\|_\infty, \quad |R_v(\sigma) - R_w(\sigma)| \le \|v - w\|_\infty",
    "monotone",
    "translation",
)

TRANSLATION = _property(
    "translation",
    "All six backups commute with the addition of a constant",
    r"C_{v + c}(\rho) = C_v(\rho) + c, \quad R_{v + c}(\sigma) = R_v(\sigma) + c",
)

CONCAVE = _property(
    "concave",
    "All six backups are concave in the values, and at most the nominal mean",
    r"C_{(v + w)/2} \ge \tfrac12 (C_v + C_w), \quad C_v(\rho) \le E_p v, \quad \text{and so for } R",
)

CONVEX_IN_RADIUS = _property(
    "level",
    "In the radius nonincreasing and convex, in the penalty nondecreasing and concave",
    r"C(\rho) \ge C(\rho'),\ C(\tfrac{\rho + \rho'}2) \le \tfrac12 (C(\rho) + C(\rho')), \quad "
    r"R(\sigma) \le R(\sigma'),\ R(\tfrac{\sigma + \sigma'}2) \ge \tfrac12 (R(\sigma) + R(\sigma')) "
    r"\quad (\rho \le \rho', \sigma \le \sigma')",
)

LEGENDRE = _property(
    "legendre",
    "Constraint and penalty are a Legendre pair",
    r"C(\rho) \ge R(\sigma) - \sigma \rho, \quad R(\sigma) = C(\rho^\star) + \sigma \rho^\star, \quad "
    r"\rho^\star = D(q^\star_\sigma, p)",
    "worst_law",
)

DENSITY = _property(
    "density",
    "Densities of the worst laws",
    r"\frac{q^\star}{p} \le 1 \text{ off the least state (TV)}, \quad "
    r"\frac{q^\star}{p} \le e^{(E_p v - v_\circ)/\sigma} \text{ (KL penalty)}, \quad "
    r"\frac{q^\star}{p} \le 1 + \frac{E_p v - v_\circ}{2\sigma} \text{ (chi2 penalty)}",
    "worst_law",
)

# --------------------------------------------------------------------------------------------------------------- limits

SMALL_RADIUS = _property(
    "small_radius",
    "What a small ball costs",
    r"E_p v - C(\rho) \le \rho\, \mathrm{sp}(v) \text{ (TV)}; \quad \le \min\{ \sqrt{\rho / 2}\, \mathrm{sp}(v), "
    r"\sqrt{2 \rho E_p (v - v_\circ)^2} \} \text{ (KL)}; \quad \le \sqrt{\rho \operatorname{Var}_p v} \text{ (chi2)}, "
    r"\text{ with equality if } \rho (\max v - E_p v)^2 \le \operatorname{Var}_p v",
)

LARGE_PENALTY = _property(
    "large_penalty",
    "What a large penalty leaves to the adversary",
    r"E_p v - R(\sigma) = E_p (v - v_\circ - \sigma)_+ \text{ (TV)}; \quad "
    r"\le \min\{ \tfrac{\mathrm{sp}(v)^2}{8 \sigma}, \tfrac{E_p (v - v_\circ)^2}{2 \sigma} \} \text{ (KL)}; \quad "
    r"\le \tfrac{\operatorname{Var}_p v}{4 \sigma} \text{ (chi2)}, "
    r"\text{with equality if } \max v - E_p v \le 2 \sigma",
)

SMALL_PENALTY = _property(
    "small_penalty",
    "What a small penalty saves from the worst value",
    r"R(\sigma) - v_\circ \le \sigma (1 - p_\circ) \text{ (TV)}; \quad \le \sigma \log(1 / p_\circ) \text{ (KL)}; "
    r"\quad \le \sigma (1 / p_\circ - 1) \text{ (chi2)}, \quad p_\circ = p(v = v_\circ)",
)

SATURATION = _property(
    "saturation",
    "The radius from which only the least value is left",
    r"C(\rho) = v_\circ \iff \rho \ge 1 - p_\circ \text{ (TV)}, \quad \rho \ge \log(1 / p_\circ) \text{ (KL)}, \quad "
    r"\rho \ge 1 / p_\circ - 1 \text{ (chi2)}",
)

CLIPPED_LOGARITHM = Claim(
    id="robust_duality.clipped_logarithm",
    title="The logarithm in the KL backup amplifies errors by at most exp(b / sigma)",
    statement=(
        r"\sigma \log y - \sigma \log x \le \sigma e^{b / \sigma} (y - x), \quad e^{-b/\sigma} \le x \le y \quad "
        r"(\text{here } \sigma = 1 \text{ and } b = \epsilon, \text{ without loss of generality})"
    ),
    kind=Kind.INEQUALITY,
    source=DERIVED,
    expected=Level.PROVED,
    bound=Bound(sp.Le(sp.log(y / x), sp.exp(epsilon) * (y - x))),
)

# ------------------------------------------------------------------------------------------------- total variation only

CVAR = Claim(
    id="robust_duality.cvar",
    title="With a fail state a ball in total variation is a discounted CVaR",
    statement=(
        r"v \ge 0,\ v(s_f) = 0 \implies C(\rho) = \max_{\alpha \ge 0} \{ E_p \min(v, \alpha) - \rho \alpha \} = "
        r"\int_0^{1 - \rho} F_v^{-1}(u)\, du = (1 - \rho)\, \mathrm{CVaR}^{\mathrm{low}}_{1 - \rho}(v)"
    ),
    kind=Kind.IDENTITY,
    source=Source(
        Origin.DERIVED,
        ROCKAFELLAR_2000,
        note="The CVaR as a maximum over thresholds is theirs; the fail state and the factor are derived.",
    ),
    expected=Level.CERTIFIED,
    no_bound="an equality of functionals",
    uses=("robust_duality.tv_constrained",),
)

FAIL_STATE = Claim(
    id="robust_duality.fail_state",
    title="With a fail state the backup contracts by 1 - rho",
    statement=(
        r"v, w \ge 0,\ v(s_f) = w(s_f) = 0 \implies |C_v(\rho) - C_w(\rho)| \le (1 - \rho) \| v - w \|_\infty "
        r"\quad (\text{TV ball})"
    ),
    kind=Kind.INEQUALITY,
    source=DERIVED,
    expected=Level.CERTIFIED,
    bound=Bound(sp.Le(error, (1 - rho) * epsilon)),
    uses=("robust_duality.cvar",),
)

# ------------------------------------------------------------------------------------------------ shape of the duals

TV_DUAL = _property(
    "tv_dual_concave",
    "The dual objective of a ball in total variation is concave",
    r"\alpha \mapsto E_p \min(v, \alpha) - \rho (\alpha - v_\circ) \text{ is concave}",
)

EMPIRICAL_TV_DUAL = Claim(
    id="robust_duality.empirical_tv_dual_concave",
    title="The ridge estimate of the dual in total variation is concave (false)",
    statement=(
        r"\alpha \mapsto \sum_s W(s) \min(v(s), \alpha) - \rho \alpha \text{ is concave for the weights } "
        r"W = e_i^\top \Lambda^{-1} \Phi^\top \text{ of a ridge regression}"
    ),
    kind=Kind.COUNTEREXAMPLE,
    source=Source(
        Origin.DERIVED,
        LIU_2024,
        note="Not stated there; a local search from one start, as in public code, presumes something like it.",
    ),
    expected=Level.REFUTED,
    no_bound="a statement about a function on the line",
    erratum=(
        "The weights of a ridge regression are signed, so that the objective is piecewise linear but not concave, and "
        "a local search may stop at a wrong maximum: all breakpoints have to be looked at."
    ),
)

KL_DUAL = Claim(
    id="robust_duality.kl_dual_concave",
    title="The dual objective of a ball in relative entropy is concave",
    statement=(
        r"\frac{d^2}{d\beta^2} \big( -\beta \log E_p e^{-v/\beta} - \beta \rho \big) = "
        r"-\beta^{-3} \operatorname{Var}_{p_\beta}(v), \quad p_\beta \propto p\, e^{-v/\beta}"
    ),
    kind=Kind.IDENTITY,
    source=DERIVED,
    expected=Level.PROVED,
    no_bound="an identity between functions, written out for three states",
)

CHI2_RATIO = Claim(
    id="robust_duality.chi2_ratio",
    title="The ratio that decides the chi2 threshold is nonincreasing",
    statement=(
        r"\frac{d}{d\eta} \frac{E_p (\eta - v)_+^2}{(E_p (\eta - v)_+)^2} = "
        r"-\frac{2}{(E_p (\eta - v)_+)^3} \sum_{s < t} p_s p_t (v_s - v_t)^2, \quad s, t \text{ below } \eta"
    ),
    kind=Kind.IDENTITY,
    source=DERIVED,
    expected=Level.PROVED,
    no_bound="an identity between functions, written out for three states",
)

CHI2_UNIMODAL = _property(
    "chi2_unimodal",
    "The second dual of a chi2 ball has no spurious maximum",
    r"\alpha \mapsto E_p \min(v, \alpha) - \sqrt{\rho \operatorname{Var}_p \min(v, \alpha)} \text{ is quasi-concave }"
    r"\text{on } [v_\circ, \max v] \text{ (not concave)}, \text{ with maximum } C(\rho)",
    "chi2_ratio",
)

CHI2_DUAL = _property(
    "chi2_dual_concave",
    "The first dual of a chi2 ball is concave",
    r"\eta \mapsto \eta - \sqrt{(1 + \rho)\, E_p (\eta - v)_+^2} \text{ is concave, with maximum } C(\rho)",
)

CLAIMS = (
    TV_CONSTRAINED,
    TV_REGULARISED,
    KL_CONSTRAINED,
    KL_REGULARISED,
    CHI2_CONSTRAINED,
    CHI2_REGULARISED,
    GIBBS,
    CHI2_COMPLETION,
    WORST_LAW,
    RATIONAL_WORST_LAW,
    MONOTONE,
    TRANSLATION,
    NONEXPANSIVE,
    CONCAVE,
    CONVEX_IN_RADIUS,
    LEGENDRE,
    DENSITY,
    SMALL_RADIUS,
    LARGE_PENALTY,
    SMALL_PENALTY,
    SATURATION,
    CLIPPED_LOGARITHM,
    CVAR,
    FAIL_STATE,
    TV_DUAL,
    EMPIRICAL_TV_DUAL,
    KL_DUAL,
    CHI2_RATIO,
    CHI2_UNIMODAL,
    CHI2_DUAL,
)
