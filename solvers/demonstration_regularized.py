r"""Best-policy identification with a certificate: UCBVI-Ent+, and its use with demonstrations.

**UCBVI-Ent+** solves the problem that is regularised by :math:`\lambda\, \mathrm{KL}(\pi \| \tilde\pi)`. With
:math:`F(x) = \lambda \log \sum_a \tilde\pi(a) e^{x_a / \lambda}`, the empirical laws :math:`\hat p` (uniform without a
visit), the radius :math:`x = [\log(2SAH/\delta) + \log\binom{n+S-1}{S-1}] / n` and :math:`s = \min\{1, \sqrt{x/2}\}`, a
plan is made backwards from :math:`\bar V_{H+1} = \underline V_{H+1} = W_{H+1} = 0`:

.. math::

    \bar Q_h &= \min\{ r_h + \hat p \bar V_{h+1} + \bar R\, s,\; r_h + \max \bar V_{h+1},\; H - h + 1 \}, \\
    \underline Q_h &= \max\{ r_h + \hat p \underline V_{h+1} - \underline R\, s,\; r_h + \min \underline V_{h+1},\; 0\},
    \\ \bar V_h &= F(\bar Q_h), \qquad \underline V_h = F(\underline Q_h), \qquad
    \bar\pi_h \propto \tilde\pi_h e^{\bar Q_h / \lambda}, \qquad D_h = \bar Q_h - \underline Q_h, \\
    W_h(s) &= \min\Big\{ \frac{\max_a D_h^2}{8 \lambda},\, \max_a D_h \Big\} + \sum_a \bar\pi_h(a|s) \min\Big\{ M,
        \Big( \sqrt{\tfrac{Mx}2} + \sqrt{\tfrac{Mx}2 + \hat p W_{h+1}} \Big)^2 \Big\}, \qquad M = \max W_{h+1},

with the spreads :math:`\bar R = \max \bar V_{h+1} - \min \bar V_{h+1}` and :math:`\underline R` likewise (``span``), or
:math:`H - h` for both (``range``). At stage H rewards are all there is: :math:`\bar Q = \underline Q = r`. The
certificate is W at the start, and a run stops when it is at most epsilon. An episode plays :math:`\bar\pi`, but with
probability :math:`(H-1)/H` one stage before the last, drawn uniformly, is played greedily in D.

With probability :math:`1 - \delta` (and even :math:`1 - \delta / 2`) all plans satisfy :math:`\underline Q \le
Q^\star_\lambda \le \bar Q` and :math:`V^\star_\lambda - V^{\bar\pi}_\lambda \le W`, whenever plans are made.

**Demonstrations.** With a clone of the expert as reference, :math:`\bar K` a bound on its divergence and
:math:`\lambda = \varepsilon / (4 \bar K)`, the output for accuracy :math:`\varepsilon / 4` is epsilon-optimal without
regularisation if the expert is :math:`\varepsilon / 2`-optimal.

References
----------
D. Tiapkin et al. (2024). Demonstration-Regularized RL. ICLR. The algorithm above has the ingredients of theirs; its
bonuses, threshold and stopping rule are derived, and not theirs.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mdps.demonstrations import Demonstrations, sample_demonstrations
from mdps.kernels import Policy, Seed, action_laws, seed_lanes
from mdps.preferences import staged_rewards
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray, require_range, require_shape
from solvers import demonstration_regularized_kernels as kernels
from solvers.demonstration_regularized_cloning import (
    SoftPlan,
    high_probability_bound,
    laplace,
    policy_gap,
    regularised_optimum,
    require_reference,
    require_regularisation,
    start_values,
    trajectory_divergence,
)
from solvers.episodic import (
    by_pair,
    by_row,
    require_non_negative,
    require_positive,
    require_probability,
    require_unit_rewards,
    world,
)
from theory import demonstration_regularized_parameters as parameters

Propagation = Literal["inverse", "additive", "additive_fixed"]
DivergenceBound = Literal["high_probability", "markov", "expectation", "oracle"]

_PROPAGATIONS = {
    "inverse": kernels.INVERSE,
    "additive": kernels.ADDITIVE,
    "additive_fixed": kernels.ADDITIVE_FIXED,
}

LIMIT = 10**7
"""Number of episodes after which a run gives up."""


@dataclass(frozen=True)
class Settings:
    r"""Variant of UCBVI-Ent+. The defaults are the certified algorithm; what theorems cover is said at each.

    Attributes
    ----------
    mode
        ``"span"``: a bonus multiplies the spread of the next values; ``"range"``: their range. Both are certified.
    constant
        8 of :math:`D^2 / (8 \lambda)`. Certified up to 8.
    growth
        Plan again when the number of episodes has grown by this factor; 1 is every episode. Certified, but the bound
        on the number of episodes is for 1.
    exploration
        Whether one stage is played greedily in D. Certified, but the bound on the number of episodes is for True.
    stopping
        ``"gap"``: stop by W; ``"values"``: by :math:`\bar V - \underline V` at the start, which is slow, and no
        certificate: the lower value bounds that of the policy of the lower action values, not of the output.
    propagation
        ``"inverse"``: as above; ``"additive"``: :math:`\hat p W + M s`, certified but slow; ``"additive_fixed"``: with
        H for M, slower still, and certified only where W does not exceed H.
    scale
        Factor of :math:`\sqrt{x/2}` in the bonuses of the action values. Certified from 1 on.
    """

    mode: Literal["span", "range"] = "span"
    constant: float = 8.0
    growth: float = 1.0
    exploration: bool = True
    stopping: Literal["gap", "values"] = "gap"
    propagation: Propagation = "inverse"
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.mode not in ("span", "range") or self.stopping not in ("gap", "values"):
            raise ValueError(f"mode {self.mode!r} or stopping {self.stopping!r} is unknown")
        if self.propagation not in _PROPAGATIONS:
            raise ValueError(f"propagation is {self.propagation!r}, not one of {', '.join(_PROPAGATIONS)}")
        if not (1.0 <= self.growth < np.inf and 0.0 < self.constant < np.inf):
            raise ValueError(f"growth is {self.growth!r} and constant {self.constant!r}: below 1, or not positive")
        require_non_negative("scale", self.scale)

    def rules(self, log_confidence: float, lam: float, epsilon: float, limit: int) -> kernels.Rules:
        """Return the rules of a run, as the kernels take them."""
        return kernels.Rules(
            self.mode == "span",
            float(self.constant),
            float(self.scale),
            _PROPAGATIONS[self.propagation],
            self.stopping == "values",
            self.exploration,
            float(self.growth),
            log_confidence,
            lam,
            epsilon,
            limit,
        )


CERTIFIED = Settings()
"""The algorithm whose bound on the number of episodes is proved."""

FAST = Settings(growth=1.005)
"""The same with plans that are made again when the number of episodes has grown by 0.5 %."""

CONVENTIONAL = Settings(mode="range", constant=2.0)
r"""The constant of smoothness in the supremum norm, :math:`D^2 / (2 \lambda)`, and bonuses with the range."""


@dataclass(frozen=True, eq=False)
class Identification:
    """Outcome of R independent runs.

    Attributes
    ----------
    episodes
        ``(R,)`` int64: number T of episodes.
    stopped
        ``(R,)``: whether the stopping rule held within the limit.
    certificate
        ``(R,)``: the statistic of the last plan.
    policy
        ``(R, H, S, A)``: the output.
    plans
        ``(R,)``: number of plans that were made.
    visits
        ``(R, H, S, A)``: final counts; none at the last stage.
    moves
        ``(R, H, S, A, S)``: the same by next state, if asked for.
    first_violation
        ``(R,)``: number of episodes before the first plan whose bounds miss an optimal action value; -1 if none.
    largest_violation
        ``(R,)``: by how much they missed, at most; zero if they never did, as the last stage is exact; NaN if not asked
        for.
    excess
        ``(R,)``: largest difference, over all plans, of the true gap of the policy and the certificate; NaN likewise.
    """

    episodes: IntArray
    stopped: npt.NDArray[np.bool_]
    certificate: FloatArray
    policy: FloatArray
    plans: IntArray
    visits: FloatArray
    moves: FloatArray | None
    first_violation: IntArray
    largest_violation: FloatArray
    excess: FloatArray


def identify(
    mdp: FiniteHorizonMDP,
    reference: FloatArray,
    lam: npt.ArrayLike,
    epsilon: npt.ArrayLike,
    *,
    seeds: Seed,
    runs: int = 1,
    delta: float = 0.1,
    settings: Settings = CERTIFIED,
    limit: int = LIMIT,
    rewards: FloatArray | None = None,
    check: bool = False,
    keep_moves: bool = False,
) -> Identification:
    """Run UCBVI-Ent+ ``runs`` times, independently.

    Parameters
    ----------
    mdp
        The true model, of which the runs see episodes; rewards in [0, 1].
    reference
        ``(H, S, A)`` or ``(R, H, S, A)``, positive.
    lam, epsilon
        Regularisation and accuracy, the same or one a run.
    seeds
        Not consumed. Run i depends on ``seeds`` and i only.
    rewards
        Rewards to plan with, ``(H, S, A)`` or ``(R, H, S, A)``, in [0, 1]; those of the model if omitted.
    check
        Whether to compare every plan with the true model (doubles the cost of a plan).

    Raises
    ------
    ValueError, InvalidPolicyError, InvalidModelError
        For an argument outside its domain; the message names it.
    """
    require_probability("delta", delta)
    require_positive("runs", runs)
    require_positive("limit", limit)
    base = np.log(require_reference(mdp, reference))
    means = _checked_rewards(mdp, rewards)
    for name, array in (("reference", base), ("rewards", means)):
        _require_runs(name, array.shape[:-3], runs)
    weights = _each_run("lam", require_regularisation(lam), runs)
    accuracies = _each_run("epsilon", np.asarray(epsilon, dtype=np.float64), runs)
    for accuracy in accuracies:
        require_non_negative("epsilon", accuracy)
    optimum = regularised_optimum(mdp, reference, lam, means) if check else None
    log_confidence = confidence(mdp, delta)
    rules = [settings.rules(log_confidence, w, e, limit) for w, e in zip(weights, accuracies, strict=True)]
    return _run(mdp, means, base, rules, optimum, seeds, keep_moves)


def _require_runs(name: str, leading: tuple[int, ...], runs: int) -> None:
    if leading not in ((), (runs,)):
        raise ValueError(f"{name} has leading axes {leading}, neither none nor {runs} runs")


def _each_run(name: str, values: FloatArray, runs: int) -> list[float]:
    _require_runs(name, values.shape, runs)
    numbers: list[float] = np.broadcast_to(values, (runs,)).tolist()
    return numbers


def _checked_rewards(mdp: FiniteHorizonMDP, rewards: FloatArray | None) -> FloatArray:
    if rewards is None:
        require_unit_rewards(mdp)
        return np.array(staged_rewards(mdp))
    array = np.array(rewards, dtype=np.float64)
    require_shape("rewards", array, (*array.shape[:-3], mdp.horizon, mdp.n_states, mdp.n_actions))
    require_range("rewards", array, 0.0, 1.0, " " * (array.ndim - 3) + "hsa")
    return array


def confidence(mdp: FiniteHorizonMDP, delta: float) -> float:
    """Return L = log(2 S A H / delta)."""
    known = {"S": mdp.n_states, "A": mdp.n_actions, "H": mdp.horizon, "delta": delta}
    return parameters.evaluate(parameters.LOG_CONFIDENCE, known)


def _run(
    mdp: FiniteHorizonMDP,
    rewards: FloatArray,
    base: FloatArray,
    rules: list[kernels.Rules],
    optimum: SoftPlan | None,
    seeds: Seed,
    keep_moves: bool,
) -> Identification:
    """Run once for each of the rules; rewards, base and optimum may have a leading axis of runs."""
    runs, H, S, A = len(rules), mdp.horizon, mdp.n_states, mdp.n_actions
    model, memory = world(mdp), Memory.empty(mdp)
    transitions = np.array(model.transitions)  # writable, whatever the model: one compiled signature
    state = seed_lanes(seeds, runs)
    policy, visits = np.empty((runs, H, S, A)), np.empty((runs, H, S, A))
    moves = np.empty((runs, H, S, A, S)) if keep_moves else None
    values, outcomes = np.zeros((H + 1, S)), []
    for run, rule in enumerate(rules):
        memory.forget()
        q_star, optimal = np.empty((0, S * A)), 0.0
        if optimum is not None:
            q_star = by_row(_of_run(optimum.q, run))
            optimal = float(start_values(mdp, optimum.values if optimum.q.ndim == 3 else optimum.values[run]))
        means, log_reference = by_row(_of_run(rewards, run)), np.ascontiguousarray(_of_run(base, run))
        outcomes.append(
            kernels.identify(
                state, run, *model[:3], transitions, means, log_reference, rule, q_star, optimal,
                memory.pairs, memory.laws, memory.states, memory.policy, memory.widest, values,
            )
        )  # fmt: skip
        policy[run] = memory.policy[kernels.LAW]
        visits[run] = memory.visits
        if moves is not None:
            moves[run] = memory.moves
    episodes, stopped, statistic, plans, first, worst, excess = (np.array(x) for x in zip(*outcomes, strict=True))
    unknown = np.full(runs, np.nan)
    compared = optimum is not None
    return Identification(
        episodes=episodes,
        stopped=stopped,
        certificate=statistic,
        policy=policy,
        plans=plans,
        visits=visits,
        moves=moves,
        first_violation=first,
        largest_violation=worst if compared else unknown,
        excess=excess if compared else unknown,
    )


def _of_run(array: FloatArray, run: int) -> FloatArray:
    part: FloatArray = array if array.ndim == 3 else array[run]
    return part


@dataclass(frozen=True, eq=False)
class Memory:
    """What a run has seen, and its plan: the arrays of `solvers.demonstration_regularized_kernels`."""

    pairs: FloatArray
    laws: FloatArray
    states: FloatArray
    policy: FloatArray
    widest: IntArray

    @classmethod
    def empty(cls, mdp: FiniteHorizonMDP) -> "Memory":
        """Allocate a memory without visits."""
        H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
        memory = cls(
            pairs=np.zeros((5, H, S * A)),
            laws=np.zeros((2, H, S * A, S)),
            states=np.zeros((4, H + 1, S)),
            policy=np.zeros((2, H, S, A)),
            widest=np.zeros((H, S), dtype=np.int64),
        )
        memory.forget()
        return memory

    def forget(self) -> None:
        """Forget all visits; what is left of a plan will be written over."""
        self.pairs[...] = self.laws[kernels.MOVES] = 0.0
        self.pairs[kernels.RADIUS] = np.inf
        self.laws[kernels.EMPIRICAL] = 1.0 / self.laws.shape[-1]

    @property
    def visits(self) -> FloatArray:
        """Visits ``(H, S, A)``."""
        return by_pair(self.pairs[kernels.VISITS], self.widest.shape[1])

    @property
    def moves(self) -> FloatArray:
        """Visits by next state, ``(H, S, A, S)``."""
        n_stages, n_states, n_actions = self.policy.shape[1:]
        return self.laws[kernels.MOVES].reshape(n_stages, n_actions, n_states, n_states).swapaxes(1, 2)


# One plan


@dataclass(frozen=True, eq=False)
class EntropyPlan:
    """A plan of UCBVI-Ent+.

    Attributes
    ----------
    upper_q, lower_q
        Bounds on the optimal action values, ``(H, S, A)``.
    upper, lower, gap
        Their soft maxima, and W, ``(H + 1, S)``.
    local
        w, the first term of W, ``(H, S)``.
    policy
        ``(H, S, A)``.
    widest
        Actions of the largest ``upper_q - lower_q``, ``(H, S)``; ties to the lowest.
    """

    upper_q: FloatArray
    lower_q: FloatArray
    upper: FloatArray
    lower: FloatArray
    gap: FloatArray
    local: FloatArray
    policy: FloatArray
    widest: IntArray


def plan(
    mdp: FiniteHorizonMDP,
    empirical: FloatArray,
    radii: FloatArray,
    reference: FloatArray,
    lam: float,
    settings: Settings = CERTIFIED,
) -> EntropyPlan:
    """Return the plan of UCBVI-Ent+ for given estimates.

    Parameters
    ----------
    mdp
        Its rewards and initial law are used, its transitions are not.
    empirical
        Estimated laws ``(H, S, A, S)``; those of the last stage are not used.
    radii
        x, ``(H, S, A)``, may be infinite.
    reference, lam
        ``(H, S, A)``, positive; regularisation.
    """
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    memory = Memory.empty(mdp)
    memory.laws[kernels.EMPIRICAL] = np.swapaxes(empirical, 1, 2).reshape(H, S * A, S)
    memory.pairs[kernels.RADIUS] = by_row(np.asarray(radii, dtype=np.float64))
    base = np.log(require_reference(mdp, reference))
    rules = settings.rules(0.0, float(require_regularisation(lam)), 0.0, 1)
    rewards = by_row(_checked_rewards(mdp, None))
    kernels.plan_entropy(
        mdp.initial.copy(), rewards, base, rules,
        memory.pairs, memory.laws, memory.states, memory.policy, memory.widest,
    )  # fmt: skip
    return EntropyPlan(
        upper_q=by_pair(memory.pairs[kernels.TOP], S),
        lower_q=by_pair(memory.pairs[kernels.BOTTOM], S),
        upper=memory.states[kernels.UPPER],
        lower=memory.states[kernels.LOWER],
        gap=memory.states[kernels.GAP],
        local=memory.states[kernels.LOCAL, :H],
        policy=memory.policy[kernels.LAW],
        widest=memory.widest,
    )


def confidence_radii(visits: FloatArray, delta: float) -> FloatArray:
    """Return x for counts ``(H, S, A)``: `theory.demonstration_regularized_parameters.RADIUS`; infinite at zero."""
    H, S, A = visits.shape
    known = {"S": S, "A": A, "H": H, "delta": delta}
    levels, where = np.unique(visits, return_inverse=True)
    values = [parameters.evaluate(parameters.RADIUS, {**known, "n": n}) if n > 0 else np.inf for n in levels.tolist()]
    return np.array(values)[where].reshape(visits.shape)


def empirical_laws(moves: FloatArray) -> FloatArray:
    """Return the frequencies of ``moves (..., S)``, uniform where there are none."""
    total = moves.sum(axis=-1, keepdims=True)
    laws: FloatArray = np.where(total > 0.0, moves / np.maximum(total, 1.0), 1.0 / moves.shape[-1])
    return laws


def exploring_policies(policy: FloatArray, widest: IntArray) -> FloatArray:
    """Return the H policies that an episode is played with, alike probable, ``(H, H, S, A)``.

    Number 0 is ``policy`` itself; number j plays the actions ``widest`` at the j-th stage (from one).
    """
    H = policy.shape[0]
    policies = np.repeat(policy[None], H, axis=0)
    for j in range(1, H):
        policies[j, j - 1] = np.eye(policy.shape[-1])[widest[j - 1]]
    return policies


# Demonstrations


def substream(seeds: np.random.SeedSequence, key: int) -> np.random.SeedSequence:
    """Return child number ``key``, without counting it as spawned."""
    return np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, key), pool_size=seeds.pool_size)


@dataclass(frozen=True, eq=False)
class DemonstrationRun:
    """Outcome of R runs with demonstrations; all but ``identification`` have a leading axis of runs.

    Attributes
    ----------
    identification
        What UCBVI-Ent+ returned.
    demonstrations
        What it started from.
    reference
        The clones, ``(R, H, S, A)``.
    kbar, divergence
        Bound on the divergence of the expert from the clone, and the divergence.
    lam
        Regularisation.
    gap, cloning_gap
        What the output and the clone lack of the optimal value, without regularisation.
    """

    identification: Identification
    demonstrations: Demonstrations
    reference: FloatArray
    kbar: FloatArray
    divergence: FloatArray
    lam: FloatArray
    gap: FloatArray
    cloning_gap: FloatArray


def demonstration_identify(
    mdp: FiniteHorizonMDP,
    expert: Policy,
    size: int,
    epsilon: float,
    *,
    seeds: np.random.SeedSequence,
    runs: int = 1,
    delta: float = 0.1,
    bound: DivergenceBound = "high_probability",
    settings: Settings = FAST,
    limit: int = LIMIT,
    check: bool = False,
) -> DemonstrationRun:
    """Clone an expert, and identify an epsilon-optimal policy with the clone as reference.

    Half of delta goes to the bound on the divergence, half to the identification, which is asked for epsilon / 4.

    Parameters
    ----------
    size
        Number N of demonstrations, a new set for each run.
    seeds
        Not consumed.
    bound
        ``"high_probability"``: from the counts; ``"markov"``: from the mean, by Markov's inequality; both are valid.
        ``"expectation"`` (the mean itself) and ``"oracle"`` (the divergence itself) show what could be gained, and
        come with no guarantee.

    Raises
    ------
    ValueError, InvalidPolicyError
        For an argument outside its domain.
    """
    require_probability("delta", delta)
    laws = np.array(np.broadcast_to(action_laws(mdp, expert), (mdp.horizon, mdp.n_states, mdp.n_actions)))
    demonstrations = sample_demonstrations(mdp, laws, size, substream(seeds, 0), runs)
    reference = laplace(demonstrations)
    divergence = trajectory_divergence(mdp, laws, reference)
    kbar = divergence_bound(demonstrations, delta / 2.0, bound) if bound != "oracle" else divergence
    known = {"epsilon": epsilon}
    accuracy = parameters.evaluate(parameters.DEMONSTRATION_ACCURACY, known)
    lam = np.array(
        [parameters.evaluate(parameters.DEMONSTRATION_REGULARISATION, {**known, "kbar": k}) for k in kbar.tolist()]
    )
    found = identify(
        mdp, reference, lam, accuracy,
        seeds=substream(seeds, 1),
        runs=runs, delta=delta / 2.0, settings=settings, limit=limit, check=check,
    )  # fmt: skip
    return DemonstrationRun(
        found,
        demonstrations,
        reference,
        kbar,
        divergence,
        lam,
        policy_gap(mdp, found.policy),
        policy_gap(mdp, reference),
    )


def divergence_bound(demonstrations: Demonstrations, delta: float, bound: DivergenceBound) -> FloatArray:
    """Return a bound on the divergence of the expert from Laplace's clone, one a set of demonstrations, ``(R,)``."""
    if bound == "high_probability":
        return high_probability_bound(demonstrations, delta)
    R, H, S, A = demonstrations.counts.shape
    expression = {"markov": parameters.CLONING_MARKOV, "expectation": parameters.CLONING_EXPECTATION}.get(bound)
    if expression is None:
        raise ValueError(f"bound is {bound!r}, not one that the counts give")
    known = {"S": S, "A": A, "H": H, "N": demonstrations.size, "delta": delta}
    return np.full(R, parameters.evaluate(expression, known))
