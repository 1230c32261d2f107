r"""Optimistic actor-critics: regret with explicit constants, for tabular, linear and finite critics.

Tan, Fan and Wei (2025) announce an actor-critic that needs of order
:math:`d H^5 \log |\mathcal A| / \varepsilon^2 + d H^4 \log |\mathcal F| / \varepsilon^2` trajectories, with regret of
order :math:`\sqrt T`, and hybrid versions that use offline data. Only their abstract was available to us: the
algorithms and every constant below are our instantiations of the scheme that it describes. An optimistic critic
targets :math:`Q^\star` off policy and is refreshed rarely; at each refresh the actor is reset to the uniform policy,
and in the j-th episode of such an *epoch* it is :math:`\operatorname{softmax}(\eta j \hat Q)`. T is the number of
*episodes*, :math:`B_h = H - h + 1`, and for a critic f

.. math:: \delta_h = f_h - \mathcal T_h f_{h+1}, \qquad \omega_h(s) = \max_a f_h(s, a) - \langle f_h, \pi_h \rangle(s)

are its Bellman error and the tracking gap of the actor. If the critic is optimistic, the loss of an episode is at most
:math:`\sum_h \mathbb E_\pi [\delta_h + \omega_h]`. Known rewards in [0, 1], a fixed first state, unknown kernels. The
tracking theorem and the lemmas are in the modules of the same stem, the bounds as expressions in
`theory.optimal_actor_critic_parameters`; the numbers that this module gives are `theory.optimal_actor_critic_tables`.
"""

from typing import Any

import sympy as sp

from theory import optimal_actor_critic_parameters as parameters
from theory.assumptions import KNOWN_REWARDS, UNIT_REWARDS
from theory.claim import Assumption, Bound, Claim, Fails, Holds, Kind, Level, Origin, Source
from theory.references import TAN_2025
from theory.symbols import error, lam, regret

FAMILY = "optimal_actor_critic"


def _realizable(model: Any) -> Holds | Fails:
    gap = float(model.realizability_gap)
    return Holds() if gap <= 1e-12 else Fails(f"the class misses Q* by {gap:.3g}")


def _complete(model: Any) -> Holds | Fails:
    gap = float(model.completeness_gap)
    return Holds() if gap <= 1e-12 else Fails(f"a backup is off the class by {gap:.3g}")


def _in_range(model: Any) -> Holds | Fails:
    return Holds() if model.within_range else Fails("a function of the class leaves [0, B_h]")


def _normed(model: Any) -> Holds | Fails:
    excess = float(model.norm_excess)
    return Holds() if excess <= 1e-12 else Fails(f"a norm is too large by {excess:.3g}")


REALIZABLE = Assumption("realizable", r"Q^\star_h \in \mathcal F_h", _realizable)
COMPLETE = Assumption("complete", r"\mathcal T_h g \in \mathcal F_h \text{ for } g \in \mathcal F_{h+1}", _complete)
IN_RANGE = Assumption("in_range", r"0 \le f_h \le B_h \text{ for } f_h \in \mathcal F_h", _in_range)
LINEAR_MODEL = Assumption(
    "linear_model",
    (
        r"p_h = \langle \phi, \mu_h \rangle,\ r_h = \langle \phi, \theta_h \rangle,\ \|\phi\| \le 1,\ \|\theta_h\| \le "
        r"\sqrt d,\ \| \textstyle\sum_s V(s) \mu_h(s) \| \le \sqrt d\, \|V\|_\infty"
    ),
    _normed,
)
FINITE_CLASS = (UNIT_REWARDS, KNOWN_REWARDS, REALIZABLE, COMPLETE, IN_RANGE)


def claim(name: str, title: str, statement: str, kind: Kind, expected: Level, **more: Any) -> Claim:
    """Return a claim of this paper: an explicit version of what it announces, unless said otherwise."""
    origin = more.pop("origin", Origin.EXPLICIT)
    source = Source(origin, TAN_2025, note=more.pop("note", ""))
    uses = tuple(use if "." in use else f"{FAMILY}.{use}" for use in more.pop("uses", ()))
    return Claim(f"{FAMILY}.{name}", title, statement, kind, source, expected, uses=uses, **more)


def bounded(right: sp.Expr) -> Bound:
    """Return the bound Regret <= right."""
    return Bound(sp.Le(regret, right, evaluate=False))


TABULAR = (
    claim(
        "nora_tabular_event",
        "Every critic of the tabular NORA is optimistic, and not by much",
        (
            r"P\Big( \exists \text{ switch}, h, s, a : Q_h < Q^\star_h \text{ or } \delta_h < 0 \text{ or } \delta_h > "
            r"\min\big\{ 2 (H - h) \sqrt{\iota / (2 n)},\ H - h \big\} \Big) \le \delta, \quad "
            r"\iota = S \log 2 + \log \tfrac{HSAT}{\delta}"
        ),
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        note="At every pair, visited or not, of every critic: no average over switches would do.",
        no_bound="the statement bounds a probability by delta",
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=("concentration.weissman", "optimism_step"),
    ),
    claim(
        "nora_tabular_switches",
        "The tabular NORA switches its critic rarely",
        r"N \le \min\{ T,\ 1 + (H - 1) S A (1 + \log_2 T) \}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="On every path: counts double. The last stage needs none, for rewards are known.",
        bound=Bound(sp.Le(parameters.EPOCHS, parameters.EPOCHS_TABULAR, evaluate=False)),
        uses=("elliptical_potential.count_doubling",),
    ),
    claim(
        "nora_tabular_potential",
        "Bellman errors that the tabular NORA meets",
        (
            r"\text{On the event}\quad \sum_{t \le T} \sum_h \delta_h(s_h^t, a_h^t) \le 2 H (H - 1) \sqrt{SAT \iota} "
            r"+ \frac{SA\, H (H - 1)}{2}"
        ),
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="Realised, along the trajectories; the episode of a switch included.",
        bound=Bound(
            sp.Le(error, parameters.NORA_T_POTENTIAL.subs(parameters.IOTA, parameters.IOTA_TABULAR), evaluate=False)
        ),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=("nora_tabular_event", "count_potential"),
    ),
    claim(
        "nora_tabular_tracking",
        "The actor of the tabular NORA loses a polylogarithm, whatever its step size",
        r"\sum_{t \le T} \sum_h \mathbb E_{\pi_t} [\omega_h] \le \frac{H W_A}{\eta} N_T \Big( 1 + \log \frac{T}{N_T} "
        r"\Big), \quad N_T = \min\{ T, 1 + (H - 1) S A (1 + \log_2 T) \}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="Exact expectations under the moving actor. Rare switching is needed: one critic an episode breaks it.",
        bound=Bound(
            sp.Le(error, parameters.TRACKING.subs(parameters.EPOCHS, parameters.EPOCHS_TABULAR), evaluate=False)
        ),
        uses=("tracking_run", "epoch_lengths", "nora_tabular_switches"),
    ),
    claim(
        "nora_tabular_regret",
        "Regret of the tabular NORA",
        (
            r"\text{With probability at least } 1 - \delta - \delta':\quad \mathrm{Reg}(T) \le 2 H (H - 1) "
            r"\sqrt{SAT \iota} + \frac{SA\,H(H-1)}{2} + \frac{H(H-1)}{2} \sqrt{\tfrac T2 \log \tfrac1{\delta'}} + "
            r"\frac{H W_A}{\eta} N_T \Big( 1 + \log \frac{T}{N_T} \Big)"
        ),
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        note="The bound of DOUHUA is smaller: a tabular critic has no covering problem for resets to solve.",
        bound=bounded(parameters.NORA_T),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=("optimism_gap", "nora_tabular_potential", "nora_tabular_tracking", "azuma"),
    ),
    claim(
        "nora_tabular_scalings",
        "How the bound of the tabular NORA grows: linearly in S, and only the critic's part as the root of T",
        (
            r"\frac{\mathrm{potential}}{\sqrt{T \log T}} \to 2 H (H - 1) \sqrt{SA}\ (T \to \infty), \qquad "
            r"\frac{\mathrm{potential}}{S} \to 2 H (H - 1) \sqrt{A T \log 2} + \frac{A H (H - 1)}{2}\ (S \to \infty), "
            r"\qquad \frac{\mathrm{tracking}}{(\log T)^2} \to \frac{H W_A}{\eta} \frac{(H - 1) SA}{\log 2}\ (T \to "
            r"\infty)"
        ),
        Kind.RATE,
        Level.PROVED,
        from_tier="full",
        note="The potential is that of the critic's errors. Any fixed step size keeps tracking a polylogarithm.",
        no_bound="three limits",
        uses=("nora_tabular_potential", "nora_tabular_tracking"),
    ),
    claim(
        "nora_tabular_rate",
        "Worst-case regret of the tabular NORA over gaps grows as the root of T",
        r"\sup_\Delta \mathbb E\,\mathrm{Reg}(T) = O(\sqrt T)",
        Kind.RATE,
        Level.SUPPORTED,
        from_tier="full",
        note="Two-armed instances whose gap is tuned to T; the fitted exponent includes the logarithm.",
        no_bound="a rate: the exponent 1/2 is claimed, no constant",
        uses=("nora_tabular_regret",),
    ),
    claim(
        "douhua_tabular_regret",
        "Regret of the tabular DOUHUA",
        (
            r"\eta = \sqrt{8 \log A / (H^2 T)}:\ \text{with probability at least } 1 - \delta - \delta'\quad "
            r"\mathrm{Reg}(T) \le H^2 \sqrt{\tfrac T2 \log A} + \sqrt2 H (H - 1) \sqrt{SAT \iota} + "
            r"\frac{SA\,H(H-1)}{2} + \frac{H(H-1)}{2} \sqrt{\tfrac T2 \log \tfrac1{\delta'}}"
        ),
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        note=(
            "A critic that targets the actor, refreshed in every episode, no reset. Tabular only: in general classes "
            "its targets cover ever more actors."
        ),
        bound=bounded(parameters.DOUHUA_T),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS),
        uses=("actor_decomposition", "mirror_ascent", "concentration.weissman", "count_potential", "azuma"),
    ),
)

LINEAR = (
    claim(
        "nora_linear_event",
        "Every critic of the linear NORA is optimistic, and not by much",
        (
            r"P\big( \exists \text{ switch}, h, s, a : Q_h < Q^\star_h \text{ or } \delta_h < 0 \text{ or } \delta_h > "
            r"\min\{ 2 \beta \|\phi\|_{\Lambda_k^{-1}},\ B_h \} \big) \le \delta, \quad \beta = \tfrac H2 \sqrt{d "
            r"\log(1 + T / d) + 2 (C_V + \log \tfrac H\delta)} + \tfrac H2 + H \sqrt d,\ C_V = \min\big\{ S "
            r"\log(1 + 2 \sqrt T),\ d \log(1 + 16 T) + \tfrac{d (d + 1)}{2} \log(1 + 128 \sqrt d "
            r"\beta^2 T / H^2) \big\}"
        ),
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        note="Radius beta by its fixed point: the net of targets depends on it. Ridge 1.",
        no_bound="the statement bounds a probability by delta",
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS, LINEAR_MODEL),
        uses=(
            "concentration.self_normalised",
            "elliptical_potential.ridge_projection",
            "elliptical_potential.ridge_norm",
            "net_distance",
            "optimism_step",
        ),
    ),
    claim(
        "nora_linear_switches",
        "The linear NORA switches its critic rarely",
        r"N \le \min\{ T,\ 1 + d H \log_2(1 + T / d) \}",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="On every path: determinants double. Ridge 1.",
        bound=Bound(
            sp.Le(parameters.EPOCHS, parameters.EPOCHS_LINEAR.subs(lam, 1), evaluate=False),
        ),
        assumptions=(LINEAR_MODEL,),
        uses=("elliptical_potential.switches",),
    ),
    claim(
        "nora_linear_staleness",
        "A stale covariance is at most twice too small",
        r"\|\phi\|^2_{\Lambda_k^{-1}} \le 2\, \|\phi\|^2_{\Lambda_t^{-1}} \text{ for all } \phi \text{ and } t "
        r"\text{ in epoch } k",
        Kind.INEQUALITY,
        Level.SUPPORTED,
        note="Checked at visited pairs. The test for a switch is at the start of an episode; both agree at the first.",
        no_bound="a statement about matrices",
        uses=("width_staleness",),
    ),
    claim(
        "nora_linear_potential",
        "Bellman errors that the linear NORA meets",
        (
            r"\text{On the event}\quad \sum_{t \le T} \sum_h \delta_h(s_h^t, a_h^t) \le 2 \sqrt{2 / \log 2}\; \beta H "
            r"\sqrt{d\, T \log(1 + T / d)}"
        ),
        Kind.INEQUALITY,
        Level.SUPPORTED,
        bound=Bound(sp.Le(error, parameters.NORA_L_POTENTIAL, evaluate=False)),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS, LINEAR_MODEL),
        uses=("nora_linear_event", "nora_linear_staleness", "width_potential"),
    ),
    claim(
        "nora_linear_regret",
        "Regret of the linear NORA",
        (
            r"\text{With probability at least } 1 - \delta - \delta':\quad \mathrm{Reg}(T) \le 2 \sqrt{2 / \log 2}\; "
            r"\beta H \sqrt{d\, T \log(1 + T / d)} + \frac{H (H + 1)}{2} \sqrt{\tfrac T2 \log \tfrac1{\delta'}} + "
            r"\frac{H W_A}{\eta} N_T \Big( 1 + \log \frac{T}{N_T} \Big)"
        ),
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        note="At tier quick on one stage only, where the bound bites after a few thousand episodes. Ridge 1.",
        bound=bounded(parameters.NORA_L),
        assumptions=(UNIT_REWARDS, KNOWN_REWARDS, LINEAR_MODEL),
        uses=("optimism_gap", "nora_linear_potential", "nora_linear_switches", "tracking_run", "azuma"),
    ),
    claim(
        "forgetful_step",
        "The step size that forgets the number of epochs costs more than twice the regret",
        (
            r"P\Big( \mathrm{Reg}_{\eta'}(T) < 2\, \mathrm{Reg}_\eta(T) \Big) \le \tfrac1{10}, \quad \eta' = "
            r"\sqrt{\log A / (H^2 T)},\ \eta = \sqrt{8 N_T \log A / (H^2 T)},\ N_T = 1 + d H \log_2(1 + T / d)"
        ),
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        from_tier="full",
        origin=Origin.DERIVED,
        note=(
            "Over random linear models (d, S, A, H) = (4, 10, 3, 3), T = 5000, with a twentieth of beta; at beta "
            "itself every learner still explores. Typically four times; a fixed step size of one is better than both."
        ),
        no_bound="a comparison of two learners",
        uses=("tuned_tracking",),
    ),
)

FINITE = (
    claim(
        "nora_finite_event",
        "Confidence sets of a finite class keep Q* and errors small, and rarely change",
        (
            r"\text{With probability at least } 1 - \delta:\ Q^\star \text{ in every set, so that } V_1^{f^k}(s_1) \ge "
            r"V_1^\star(s_1);\quad \sum_{i < t} \delta_h(x_h^i)^2 \le 4 \beta_h \text{ at each search},\ \le 2 (\kappa "
            r"+ 1) \beta_h \text{ always};\quad \sum_{\text{epoch}} \delta_h(x_h^i)^2 \ge \big( \tfrac23 (\kappa - 2) "
            r"- 4 \big) \beta_h \text{ if a search was due to } h; \quad \beta_h = B_h^2 \iota,\ \iota = \log \frac{2 "
            r"\sum_h |\mathcal F_h| |\mathcal F_{h+1}|}{\delta},\ \kappa = 11"
        ),
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        no_bound="the statement bounds a probability by delta",
        assumptions=FINITE_CLASS,
        uses=("golf_concentration", "golf_confidence"),
    ),
    claim(
        "nora_finite_regret",
        "Regret of NORA with a finite class",
        (
            r"\text{With probability at least } 1 - \delta - \delta':\quad \mathrm{Reg}(T) \le \sum_h \big[ 2 B_h "
            r"\sqrt{24\, d_h \iota T} + d_h B_h + \sqrt T \big] + H (H + 1) \sqrt{\tfrac T2 \log \tfrac1{\delta'}} + "
            r"\frac{H W_A}{\eta} N_T \Big( 1 + \log \frac{T}{N_T} \Big), \quad N_T = \min\Big\{ T, 1 + \sum_h \big( "
            r"\tfrac12 + d_h (\tfrac12 + 12 (1 + \log T)) \big) \Big\},\ \iota = \log \frac{2 \sum_h |\mathcal F_h| "
            r"|\mathcal F_{h+1}|}{\delta}"
        ),
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        from_tier="full",
        note="Eluder dimensions over Dirac measures: the actors that are played are no greedy policies of the class.",
        bound=bounded(parameters.NORA_F),
        assumptions=FINITE_CLASS,
        uses=("optimism_gap", "nora_finite_event", "eluder_pigeonhole", "eluder_points", "tracking_run", "azuma"),
    ),
    claim(
        "golf_regret",
        "Regret of the same critic searched anew in every episode and played greedily",
        (
            r"\text{With probability at least } 1 - \delta - \delta':\quad \mathrm{Reg}(T) \le \sum_h \big[ 2 B_h "
            r"\sqrt{4\, d_h \iota T} + d_h B_h + \sqrt T \big] + H (H + 1) \sqrt{\tfrac T2 \log \tfrac1{\delta'}}"
        ),
        Kind.HIGH_PROBABILITY,
        Level.SUPPORTED,
        from_tier="full",
        note="The baseline without an actor: what rare switching and tracking add is the difference.",
        bound=bounded(parameters.GOLF),
        assumptions=FINITE_CLASS,
        uses=("optimism_gap", "nora_finite_event", "eluder_pigeonhole", "eluder_points", "azuma"),
    ),
    claim(
        "finite_sample_size",
        "The constant in front of d H^4 log|F| / epsilon^2",
        (
            r"d_h = d:\quad \sum_h 2 B_h \sqrt{24\, d \iota T} \le \varepsilon T \iff T \ge \frac{24\, d H^4 (1 + "
            r"1/H)^2 \iota}{\varepsilon^2}"
        ),
        Kind.EQUIVALENCE,
        Level.PROVED,
        note="The order that the abstract announces. Its log|F| is about half of iota, which counts pairs.",
        no_bound="an equivalence between two inequalities",
        uses=("nora_finite_regret", "regret_to_pac"),
    ),
    claim(
        "incomplete_class",
        "A realizable class that is not complete has linear regret",
        (
            r"\mathrm{Reg}(T) = 0.8\, T - O(1) \text{ for NORA with } \mathcal F_1 = \{ Q_1^\star \},\ "
            r"\mathcal F_2 = \{ g, Q_2^\star \},\ g \text{ right where it leads}"
        ),
        Kind.COUNTEREXAMPLE,
        Level.SUPPORTED,
        origin=Origin.DERIVED,
        note="Two states, two stages; ties to the lowest index. The optimal value is predicted exactly throughout.",
        no_bound="a statement about the regret of runs at two times",
        uses=("golf_confidence",),
    ),
)

CLAIMS = (*TABULAR, *LINEAR, *FINITE)
