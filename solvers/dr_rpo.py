r"""DR-RPO: optimistic robust learning with policies kept near a reference, and its greedy relatives.

The learner plays in the nominal model and is judged by the worst model of a d-rectangular set. With features on the
simplex, known rewards, ridge :math:`\lambda`, :math:`g_i = \sqrt{(\Lambda_h^{-1})_{ii}}` and
:math:`W = \Lambda_h^{-1} \sum_\tau \phi_\tau e_{s'_\tau}^\top`, before each episode, backwards from
:math:`\hat V_{H+1} = 0`,

.. math:: \hat Q_h = \operatorname{clip}(\phi^\top (\theta_h + \hat\nu_h(\hat V_{h+1}) + \beta_h g), 0, B_h), \qquad
          \pi_h \propto \tilde\pi\, e^{\hat Q_h / \eta}, \qquad
          \hat V_h = \eta \log \sum_a \tilde\pi(a)\, e^{\hat Q_h(\cdot, a) / \eta},

where :math:`\hat\nu` is the empirical factor backup:

* TV, radius: :math:`\max_{\alpha \ge 0} W_i \min(V, \alpha) - \rho \alpha`, clipped to :math:`[0, (1 - \rho) B_{h+1}]`
* TV, penalty: :math:`W_i \min(V, \sigma)`, clipped to :math:`[0, \min(\sigma, B_{h+1})]`
* KL, penalty: :math:`-\sigma \log x` with :math:`x = 1 + W_i (e^{-V / \sigma} - 1)` clipped to
  :math:`[e^{-B_{h+1} / \sigma}, 1]`
* chi2, penalty: :math:`\max_\alpha m_1 - (m_2 - m_1^2) / (4 \sigma)` with clipped
  :math:`m_j = W_i \min(V, \alpha)^j`.

Greedy policies (:math:`\eta = 0`, ties to the lowest action) give DR-LSVI-UCB (`dr_lsvi_ucb_code` with the settings of
its public code), the nominal set with an elliptic bonus and estimated rewards LSVI-UCB (`lsvi_ucb_code`), one-hot
features the tabular learner, and ``rare`` plans that are remade only when a determinant has doubled the switching rule
of We-DRIVE-U (not its variance weights). The explicit :math:`\beta` are those of `theory.dr_rpo_parameters`.

The regret is exact: the recorded plans determine the policies, whose robust values are computed in the true set.

References
----------
J. Gu, Y. He, Z. Liu and P. Xu (2025). Policy regularized distributionally robust Markov decision processes with linear
function approximation. arXiv:2510.14246; the step above is a reconstruction. Z. Liu and P. Xu (2024), AISTATS
(DR-LSVI-UCB). C. Jin et al. (2020), COLT (LSVI-UCB). Z. Liu, W. Wang and P. Xu (2024), arXiv:2409.20521 (We-DRIVE-U).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import sympy as sp

from mdps.errors import InvalidModelError
from mdps.kernels import cumulative, seed_lanes
from mdps.robust import RobustLinearMDP
from mdps.validation import FloatArray, IntArray
from solvers import dr_rpo_kernels as kernels
from solvers.dr_rpo_exact import (
    RobustPlan,
    evaluate,
    factor_backups,
    log_reference,
    occupancies,
    optimal_plan,
    require_temperature,
    soft_maximum,
    worst_model,
)
from solvers.episodic import record_points, require_positive, require_probability
from theory.dr_rpo_parameters import BETAS

BonusForm = Literal["linear", "root", "elliptic"]

_KINDS = {
    "tv_constrained": kernels.TV_CONSTRAINED,
    "tv_regularised": kernels.TV_REGULARISED,
    "kl_regularised": kernels.KL_REGULARISED,
    "chi2_regularised": kernels.CHI2_REGULARISED,
}
_BONUSES = {"linear": kernels.LINEAR, "root": kernels.ROOT, "elliptic": kernels.ELLIPTIC}

LARGE_PENALTY = 1e6
"""Stands for an infinite penalty in a radius: the limit up to one part in a million, from above."""

EVENT_TOLERANCE = 1e-9
"""Room for rounding where an estimate is compared with its radius."""


@dataclass(frozen=True)
class Learner:
    r"""Settings of a learner; those that are not given are DR-RPO's.

    Attributes
    ----------
    eta
        Temperature of the policies, 0 for greedy ones.
    beta
        Multipliers of the bonus: one for the stages 1, ..., H - 1 (none at H), or H of them; None for the explicit
        radii at ``delta``.
    scale
        Factor of all multipliers.
    delta
        Failure probability of the explicit radii.
    ridge
        :math:`\lambda`.
    bonus
        ``"linear"``: :math:`\beta \sum_i \phi_i g_i`; ``"root"``: :math:`\beta (\sum_i \phi_i^2 g_i^2)^{1/2}`;
        ``"elliptic"``: :math:`\beta \|\phi\|_{\Lambda^{-1}}`.
    caps
        Clips B of the values of the stages 1, ..., H + 1; None for those of the set.
    clip_backups
        Whether backups are clipped, and Q from below.
    regressed
        Whether rewards are estimated as well.
    rare
        Whether a plan is kept until a determinant has doubled.
    reference, played
        Laws on the actions, or ``(S, A)``, in the values and in the policies; uniform, and the same, if None.
    """

    eta: float = 0.05
    beta: float | tuple[float, ...] | None = None
    scale: float = 1.0
    delta: float = 0.05
    ridge: float = 1.0
    bonus: BonusForm = "linear"
    caps: tuple[float, ...] | None = None
    clip_backups: bool = True
    regressed: bool = False
    rare: bool = False
    reference: npt.ArrayLike | None = None
    played: npt.ArrayLike | None = None

    def caps_of(self, robust: RobustLinearMDP) -> FloatArray:
        """Return the clips in force, ``(H + 1,)``."""
        return robust.caps if self.caps is None else np.array(self.caps, dtype=np.float64)

    def betas_of(self, robust: RobustLinearMDP, episodes: int) -> FloatArray:
        """Return the multipliers in force, ``(H,)``."""
        H = robust.horizon
        if self.beta is None:
            betas = confidence_radii(robust, episodes, self.delta, self.ridge)
        elif isinstance(self.beta, tuple):
            betas = np.array(self.beta, dtype=np.float64)
        else:
            betas = np.append(np.full(H - 1, float(self.beta)), 0.0)
        if betas.shape != (H,) or not (betas >= 0.0).all():
            raise InvalidModelError(f"beta is {self.beta!r}: not {H} nonnegative numbers")
        return self.scale * betas


def dr_lsvi_ucb_code(horizon: int) -> Learner:
    """Return DR-LSVI-UCB with the settings of its public code; its dual is solved exactly here, which there it is not.

    There, Nelder and Mead's method starts from H / 2 and may stop at another local maximum.
    """
    caps = tuple(float(left) for left in range(horizon, -1, -1))
    return Learner(eta=0.0, beta=1.0, ridge=0.1, bonus="root", caps=caps, clip_backups=False)


def lsvi_ucb_code(horizon: int) -> Learner:
    """Return LSVI-UCB with the settings of the same public code, for use with `nominal_set`."""
    caps = (float(horizon),) * (horizon + 1)
    betas = (1.0,) * horizon
    return Learner(eta=0.0, beta=betas, ridge=0.1, bonus="elliptic", caps=caps, clip_backups=False, regressed=True)


def nominal_set(robust: RobustLinearMDP) -> RobustLinearMDP:
    """Return the set that holds the nominal model alone."""
    return RobustLinearMDP(robust.nominal, "tv_regularised", np.inf, robust.fail_state)


def confidence_radii(robust: RobustLinearMDP, episodes: int, delta: float, ridge: float = 1.0) -> FloatArray:
    """Return the explicit radii beta of the stages, ``(H,)``, zero at the last.

    Penalties that differ among the factors enter with the one that gives the largest radius.

    Raises
    ------
    InvalidModelError
        For a kind of set without an explicit radius.
    """
    require_probability("delta", delta)
    require_positive("episodes", episodes)
    radius = _compiled_radius(robust.kind)
    caps, H, d = robust.caps, robust.horizon, robust.nominal.n_factors
    betas = np.zeros(H)
    for h in reversed(range(H - 1)):
        width = 0.0 if h + 2 == H else caps[h + 2] + betas[h + 1] / np.sqrt(ridge)
        levels = np.unique(robust.levels[h]) if not robust.constrained else np.ones(1)
        finite = levels[np.isfinite(levels)]
        candidates = finite if finite.size else np.array([LARGE_PENALTY])
        betas[h] = max(
            radius(d, H, K=episodes, delta=delta, lam=ridge, b=caps[h + 1], L=width, s=s) for s in candidates
        )
    return betas


@cache
def _compiled_radius(kind: str) -> Callable[..., float]:
    if kind not in BETAS:
        raise InvalidModelError(f"no explicit radius for a set of kind {kind!r}")
    names = ("d", "H", "K", "delta", "lambda", "b", "L", "sigma")
    symbols = {symbol.name: symbol for symbol in BETAS[kind].free_symbols}
    ordered = [symbols.get(name, sp.Symbol(f"unused_{name}")) for name in names]
    function = sp.lambdify(ordered, BETAS[kind], modules=["math"])
    return lambda d, H, *, K, delta, lam, b, L, s: float(function(d, H, K, delta, lam, b, L, s))


@dataclass(frozen=True, eq=False)
class LearnedPlans:
    """What a learner planned at the recorded episodes, in all runs.

    Attributes
    ----------
    robust
        The set that it learned about.
    learner, betas, caps
        Its settings; multipliers ``(H,)`` and clips ``(H + 1,)`` in force.
    episodes
        The recorded ones, ``(R,)``; a plan rests on the episodes before.
    plan, backups, widths
        ``theta + nu + beta g``, ``nu`` and ``g``, each ``(runs, R, H, d)``.
    inverses
        Inverse covariances ``(runs, R, H, d, d)``; empty unless the bonus is elliptic.
    switches
        Number of plans that were made, ``(runs,)``.
    """

    robust: RobustLinearMDP
    learner: Learner
    betas: FloatArray
    caps: FloatArray
    episodes: IntArray
    plan: FloatArray
    backups: FloatArray
    widths: FloatArray
    inverses: FloatArray
    switches: IntArray

    def optimistic(self) -> RobustPlan:
        """Return the optimistic values, Q, and the policies that are played; leading axes ``(runs, R)``."""
        mdp, learner = self.robust.nominal, self.learner
        base = log_reference(mdp, learner.reference)
        played = base if learner.played is None else log_reference(mdp, learner.played)
        shape = (*self.plan.shape[:2], mdp.horizon, mdp.n_states, mdp.n_actions)
        q, log_policy = np.empty(shape), np.empty(shape)
        values = np.zeros((*shape[:2], mdp.horizon + 1, mdp.n_states))
        floor = 0.0 if learner.clip_backups else -np.inf
        for h in range(mdp.horizon):
            phi = mdp.staged_features[h]
            raw = np.einsum("sai,...i->...sa", phi, self.plan[:, :, h]) + self._rest_of_bonus(h)
            q[:, :, h] = np.clip(raw, floor, self.caps[h])
            if self.robust.fail_state is not None:
                q[:, :, h, self.robust.fail_state] = 0.0
            values[:, :, h], log_policy[:, :, h] = soft_maximum(q[:, :, h], base, learner.eta)
            if learner.played is not None:
                log_policy[:, :, h] = soft_maximum(q[:, :, h], played, learner.eta)[1]
        return RobustPlan(values, q, log_policy)

    def _rest_of_bonus(self, h: int) -> FloatArray:
        """Return the part of the bonus that is not linear in the features, ``(runs, R, S, A)``."""
        phi = self.robust.nominal.staged_features[h]
        if self.learner.bonus == "root":
            square = np.einsum("sai,...i->...sa", phi**2, self.widths[:, :, h] ** 2)
        elif self.learner.bonus == "elliptic":
            square = np.einsum("sai,...ij,saj->...sa", phi, self.inverses[:, :, h], phi)
        else:
            return np.zeros((*self.plan.shape[:2], *phi.shape[:2]))
        result: FloatArray = self.betas[h] * np.sqrt(np.maximum(square, 0.0))
        return result


def run(
    robust: RobustLinearMDP,
    learner: Learner,
    *,
    episodes: int,
    seeds: np.random.SeedSequence,
    runs: int = 1,
    record: int | None = 64,
) -> LearnedPlans:
    """Run a learner in the nominal model ``runs`` times, independently.

    Parameters
    ----------
    robust
        The set that the learner knows the shape of; total variation needs a fail state (or infinite penalties).
    episodes
        K.
    seeds
        Not consumed. Run i depends on ``seeds`` and i only.
    record
        Number of log-spaced episodes whose plans are kept; None for all.

    Raises
    ------
    ValueError
        For an argument outside its domain.
    """
    _require_setting(robust, learner)
    require_positive("runs", runs)
    points = np.arange(1, episodes + 1) if record is None else record_points(episodes, record)
    betas, caps = learner.betas_of(robust, episodes), learner.caps_of(robust)
    problem = _problem(robust, learner, betas, caps)
    H, d, R = robust.horizon, robust.nominal.n_factors, len(points)
    plan, backups, widths = (np.empty((runs, R, H, d)) for _ in range(3))
    kept = learner.bonus == "elliptic"
    rules = _rules(robust, learner, kept)
    inverses = np.empty((runs, R if kept else 0, H, d, d))
    switches = np.empty(runs, dtype=np.int64)
    state = seed_lanes(seeds, runs)
    for i in range(runs):
        trace = kernels.Trace(plan[i], backups[i], widths[i], inverses[i])
        memory = _new_memory(robust, learner.ridge)
        switches[i] = kernels.learn(points, state, i, problem, rules, memory, trace)
    return LearnedPlans(robust, learner, betas, caps, points, plan, backups, widths, inverses, switches)


def suboptimality(plans: LearnedPlans, judge: RobustLinearMDP | None = None) -> FloatArray:
    """Return the exact losses V* - V^pi of the recorded policies, robust and regularised, ``(runs, R)``.

    Parameters
    ----------
    judge
        The set that decides about the values; the learner's own if omitted.
    """
    robust = plans.robust if judge is None else judge
    eta, reference = plans.learner.eta, plans.learner.reference
    optimum = optimal_plan(robust, eta, reference).start(robust.nominal)
    achieved = evaluate(robust, plans.optimistic().log_policy, eta, reference).start(robust.nominal)
    loss: FloatArray = optimum - achieved
    return loss


def good_event(plans: LearnedPlans) -> npt.NDArray[np.bool_]:
    """Return whether all estimated backups are within their radii of the true ones, ``(runs, R)``."""
    return realised_radius(plans) <= 1.0


def realised_radius(plans: LearnedPlans) -> FloatArray:
    """Return the largest error of a backup relative to its radius beta g, ``(runs, R)``; a zero radius counts as such.

    Errors below `EVENT_TOLERANCE` are due to rounding and count as zero.
    """
    optimistic = plans.optimistic()
    worst = np.zeros(plans.plan.shape[:2])
    for h in range(plans.robust.horizon - 1):
        truth = factor_backups(plans.robust, h, optimistic.values[:, :, h + 1])
        errors = np.abs(plans.backups[:, :, h] - truth)
        radii = plans.betas[h] * plans.widths[:, :, h]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(errors <= EVENT_TOLERANCE, 0.0, errors / radii)
        worst = np.maximum(worst, ratios.max(axis=-1))
    return worst


def episode_bounds(plans: LearnedPlans) -> FloatArray:
    """Return twice the sum of the bonuses that the policies meet in their worst models, ``(runs, R)``.

    The worst model is that of the values of the recorded policy; the bonus in the fail state does not count.
    """
    robust, eta, reference = plans.robust, plans.learner.eta, plans.learner.reference
    log_policy = plans.optimistic().log_policy
    values = evaluate(robust, log_policy, eta, reference).values
    bounds = np.empty(plans.plan.shape[:2])
    for index in np.ndindex(*bounds.shape):
        model = worst_model(robust, values[index])
        visits = occupancies(model, log_policy[index])
        if robust.fail_state is not None:
            visits[:, robust.fail_state] = 0.0
        bonus = np.einsum("hsai,hi->hsa", model.staged_features, plans.betas[:, None] * plans.widths[index])
        bounds[index] = 2.0 * (visits * bonus).sum()
    return bounds


def _require_setting(robust: RobustLinearMDP, learner: Learner) -> None:
    require_temperature(learner.eta)
    if robust.kind not in _KINDS:
        raise InvalidModelError(f"no empirical backup for a set of kind {robust.kind!r}")
    if robust.divergence == "tv" and robust.fail_state is None and not np.isinf(robust.levels).all():
        raise InvalidModelError("fail_state is None: total variation cannot be learned without one")
    if not 0.0 < learner.ridge < np.inf or not 0.0 <= learner.scale < np.inf:
        raise InvalidModelError(f"ridge is {learner.ridge!r} and scale {learner.scale!r}: not positive and finite")
    if learner.caps is not None and len(learner.caps) != robust.horizon + 1:
        raise InvalidModelError(f"caps has {len(learner.caps)} entries, not H + 1 = {robust.horizon + 1}")


def _problem(robust: RobustLinearMDP, learner: Learner, betas: FloatArray, caps: FloatArray) -> kernels.Problem:
    mdp = robust.nominal
    following = caps[1:, None]
    if not learner.clip_backups:
        ceilings = np.full(robust.levels.shape, np.inf)
    elif robust.kind == "tv_constrained":
        ceilings = (1.0 - robust.levels) * following
    else:
        ceilings = np.minimum(robust.levels if robust.divergence == "tv" else np.inf, following)
    base = np.exp(log_reference(mdp, learner.reference))
    return kernels.Problem(
        features=np.array(mdp.staged_features, order="C"),
        cdf=np.array(cumulative(mdp.transitions)),
        initial_cdf=np.array(cumulative(mdp.initial)),
        weights=mdp.weights.copy(),
        levels=robust.levels.copy(),
        ceilings=np.array(np.broadcast_to(ceilings, robust.levels.shape), order="C"),
        caps=caps[:-1].copy(),
        betas=betas.copy(),
        base=base,
        played=base if learner.played is None else np.exp(log_reference(mdp, learner.played)),
    )


def _rules(robust: RobustLinearMDP, learner: Learner, kept: bool) -> kernels.Rules:
    return kernels.Rules(
        kind=_KINDS[robust.kind],
        bonus=_BONUSES[learner.bonus],
        eta=float(learner.eta),
        ridge=float(learner.ridge),
        floor=0.0 if learner.clip_backups else -np.inf,
        fail=-1 if robust.fail_state is None else robust.fail_state,
        regressed=learner.regressed,
        rare=learner.rare,
        kept=kept,
    )


def _new_memory(robust: RobustLinearMDP, ridge: float) -> kernels.Memory:
    H, d, S = robust.horizon, robust.nominal.n_factors, robust.nominal.n_states
    identity = np.eye(d)
    return kernels.Memory(
        covariance=np.array([ridge * identity] * H),
        inverse=np.array([identity / ridge] * H),
        moments=np.zeros((H, d, S)),
        regression=np.zeros((H, d, S)),
        updates=np.zeros(H, dtype=np.int64),
        growth=np.zeros(H),
        reached=np.zeros((H, S), dtype=np.int64),
        counts=np.zeros(H, dtype=np.int64),
        known=np.zeros((H, S), dtype=np.int64),
        valued=np.zeros(H, dtype=np.int64),
        values=np.zeros((H, S)),
        plan=np.zeros((H, d)),
        backups=np.zeros((H, d)),
        widths=np.zeros((H, d)),
        frozen=np.zeros((H, d, d)),
    )
