r"""Checks of the regret theorems on adversarial MDPs, end to end, with exact regret.

*Full information.* The theorems hold for every adversary, so every run is compared. Binary losses that are worst for
exponential weights come from a dynamic programme over their difference; a bandit plays them, and a tree whose first
action decides the losses of all later stages multiplies them by H.

*Bandit feedback.* The theorems bound an expectation. Losses that are constant over blocks of episodes have an exact
range of the regret, from the best and the worst policy of each block; with gaps of the order of the bound that range is
of the same order, so that some dozens of runs decide. A bound above the largest regret that the instance allows counts
as vacuous on it.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from mdps import adversarial as worlds
from mdps import adversarial_instances as instances
from mdps.adversarial import AdversarialMDP, LossProcess
from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.montecarlo import Expectation, Sample
from proofs_check.methods.search import Box, Maximiser, Search, Space
from solvers import adversarial_ftrl as algorithms
from solvers import adversarial_ftrl_parameters as parameters
from solvers.adversarial_ftrl_linear import PLAIN, REDUCED
from solvers.adversarial_ftrl_simplex import ENTROPY, LOG_BARRIER
from theory import adversarial_ftrl_regret as theory
from theory.adversarial_ftrl_parameters import TRIVIAL
from theory.claim import Claim

CLAIMS = {claim.id.split(".")[1]: claim for claim in theory.CLAIMS}

RECORD = 30
"""Log-spaced records of the regret for the figures."""


# Full information


def worst_bits(rounds: int, rate: float) -> FloatArray:
    """Return the binary losses ``(K,)`` of action 0 (those of action 1 are the complements) worst for Hedge."""
    difference = np.arange(-rounds, rounds + 1, dtype=float)
    value = -(rounds - np.abs(difference)) / 2.0
    first = 1.0 / (1.0 + np.exp(rate * difference))
    choices = np.zeros((rounds, 2 * rounds + 1), dtype=bool)
    for k in range(rounds - 1, -1, -1):
        up, down = value[2:] + first[1:-1], value[:-2] + (1.0 - first[1:-1])
        choices[k, 1:-1] = up >= down
        value[1:-1] = np.maximum(up, down)
    bits, place = np.zeros(rounds), rounds
    for k in range(rounds):
        bits[k] = float(choices[k, place])
        place += 1 if choices[k, place] else -1
    return bits


def deciding_tree(horizon: int, bits: FloatArray) -> tuple[AdversarialMDP, LossProcess]:
    """Return a tree of two actions whose first action decides the losses of all stages: H times the bandit's."""
    kept = np.broadcast_to(np.eye(2)[:, None, :], (2, 2, 2))
    chosen = np.broadcast_to(np.eye(2), (2, 2, 2))
    mdp = AdversarialMDP(np.stack([chosen, *([kept] * (horizon - 1))]), horizon)
    losses = np.zeros((len(bits), horizon, 2, 2))
    rows = np.stack([bits, 1.0 - bits], axis=1)
    losses[:, 0] = rows[:, None, :]
    losses[:, 1:] = rows[:, None, :, None]
    return mdp, worlds.explicit_losses(losses)


@dataclass(frozen=True, eq=False)
class Duel:
    """An adversary by name, the sizes of its model, and the losses of an explicit one."""

    adversary: str
    horizon: int
    n_states: int
    n_actions: int
    episodes: int
    seed: int = 0
    tensor: FloatArray | None = None

    @cached_property
    def parts(self) -> tuple[AdversarialMDP, LossProcess]:
        """Model and losses."""
        if self.adversary == "worst bits":
            return deciding_tree(
                self.horizon, worst_bits(self.episodes, math.sqrt(8.0 * math.log(2.0) / self.episodes))
            )
        mdp = instances.random_mdp(self.horizon, self.n_states, self.n_actions, self.seed)
        if self.tensor is not None:
            return mdp, worlds.explicit_losses(self.tensor)
        steady = np.zeros(mdp.shape)
        steady[..., 0] = 1.0
        made: dict[str, Callable[[], LossProcess]] = {
            "stochastic": lambda: worlds.stochastic_losses(mdp, self.seed),
            "switching": lambda: worlds.switching_losses(mdp, self.episodes, self.seed),
            "sinusoidal": lambda: worlds.sinusoidal_losses(mdp, self.episodes, self.seed),
            "greedy": lambda: worlds.greedy_losses(mdp),
            "steady": lambda: worlds.constant_losses(steady),
        }
        return mdp, made[self.adversary]()

    @property
    def span(self) -> tuple[float, float]:
        """Range of the losses."""
        return self.parts[1].span


def duel(horizon: int, n_states: int, n_actions: int, episodes: int, **losses: FloatArray) -> Duel:
    """Return explicit losses ``(K, H, S, A)``."""
    return Duel("explicit", horizon, n_states, n_actions, episodes, tensor=losses["losses"])


def _run_full(
    name: str, mdp: AdversarialMDP, losses: LossProcess, episodes: int, slow: float
) -> algorithms.AdversarialRun:
    """Run a full-information learner with its rate times ``slow``."""
    horizon, _, n_actions = mdp.shape
    pairs = int(mdp.layer_sizes().sum()) * n_actions
    if name in ("hedge", "hedge_single_rate"):
        rates = parameters.hedge_rates(horizon, n_actions, episodes, per_stage=name == "hedge")
        return algorithms.run_hedge(mdp, losses, episodes, slow * rates, record=1)
    if name == "soft":
        rate = parameters.soft_rate(horizon, n_actions, episodes)
        return algorithms.run_soft_dp(mdp, losses, episodes, slow * rate, record=1)
    uniform = name == "oreps_from_uniform"
    rate = parameters.oreps_rate(horizon, pairs, n_actions, episodes, from_uniform=uniform)
    return algorithms.run_oreps(
        mdp, losses, episodes, slow * rate, bandit=False, from_uniform=uniform, certify=slow == 1.0, record=1
    )


def full_information(
    instance: Duel, *, name: str, scale: float = 1.0, power: int = 0, slow: float = 1.0
) -> Iterator[Comparison]:
    """Regret of one run against the bound, times ``scale`` and H to the ``power``."""
    mdp, losses = instance.parts
    horizon, _, n_actions = mdp.shape
    run = _run_full(name, mdp, losses, instance.episodes, slow)
    states = int(mdp.layer_sizes().sum())
    bound = CLAIMS[name].explicit_bound.evaluate(H=horizon, A=n_actions, K=instance.episodes, X=states)
    yield Comparison(float(run.regret[0, -1]), scale * horizon**power * bound, "<=", "regret")
    if run.projections is not None:
        yield Comparison(float(run.projections.stability[0]), 1.0, "<=", "stability of a step")


FULL_CORNERS = {
    "worst bits, H=1": partial(Duel, "worst bits", 1, 2, 2, 400),
    "worst bits, H=3": partial(Duel, "worst bits", 3, 2, 2, 400),
    **{
        f"{adversary} (3, 3, 3)": partial(Duel, adversary, 3, 3, 3, 1_000, 11)
        for adversary in ("stochastic", "switching", "sinusoidal", "greedy", "steady")
    },
}


def full_check(name: str, least: float) -> Check:
    """Return the check of a full-information theorem; ``least`` is a factor below what worst bits attain."""
    search = Search(
        maximise=Maximiser(
            Space(losses=Box(0.0, 1.0, (8, 2, 2, 2))), partial(duel, 2, 2, 2, 8), Sizes(1, 8, 32), Sizes(60, 1_000)
        ),
        corners=FULL_CORNERS,
    )
    return Check(
        f"adversarial_ftrl.{name}",
        search,
        partial(full_information, name=name),
        (
            Mutant("constant", f"{least:g} times the bound: too little for the worst binary losses", {"scale": least}),
            Mutant("horizon", "one factor H less", {"power": -1}),
            Mutant("frozen", "a thousandth of the rate: the learner stays uniform", {"slow": 1e-3}),
        ),
    )


# Bandit feedback


@dataclass(frozen=True, eq=False)
class Setting:
    """A model, losses that are constant over blocks of episodes, and the learner's parameters."""

    mdp: AdversarialMDP
    losses: LossProcess
    episodes: int
    chosen: Any = None
    features: FloatArray | None = None

    @property
    def span(self) -> tuple[float, float]:
        """Range of the losses."""
        return self.losses.span

    @property
    def inadmissible(self) -> str | None:
        """Why the bound does not apply to the parameters, or None."""
        if isinstance(self.chosen, parameters.TabularParameters):
            return parameters.inadmissible_tabular(self.chosen, self.mdp.horizon)
        if self.chosen.variant == parameters.LINEAR_DRAWN and self.features is not None:
            missing = parameters.missing_draws(self.chosen, self.mdp.horizon, self.features.shape[3], self.episodes)
            if missing is not None:
                return missing
        return parameters.inadmissible_linear(self.chosen, self.mdp.horizon)

    @property
    def linear_defect(self) -> tuple[float, float, float]:
        """Largest residual and norm of a regression of action values on the features, and the norm allowed."""
        if self.features is None:
            return math.inf, math.inf, 0.0
        residual, norm = instances.linear_q_defect(self.mdp, self.features, seed=0, policies=3)
        return residual, norm, math.sqrt(self.features.shape[3]) * self.mdp.horizon

    @cached_property
    def regret_range(self) -> tuple[float, float]:
        """Least and largest regret of any sequence of policies; against a fixed policy if losses are adaptive."""
        if self.losses.adaptive:
            return -float(self.episodes * self.mdp.horizon), float(self.episodes * self.mdp.horizon)
        tables = self.losses.table
        if self.losses.features is not None:
            tables = np.einsum("hsad,mhd->mhsa", self.losses.features, tables[:, :, 0])
        ends = np.minimum(self.losses.ends, self.episodes)
        counts = np.diff(ends, prepend=0)
        least = worlds.hindsight_values(self.mdp, tables)
        largest = -worlds.hindsight_values(self.mdp, -tables)
        best = float(worlds.hindsight_values(self.mdp, np.einsum("m,mhsa->hsa", counts.astype(float), tables)))
        slack = 1e-9 * self.episodes * self.mdp.horizon
        return float(counts @ least) - best - slack, float(counts @ largest) - best + slack

    @property
    def sizes(self) -> dict[str, float]:
        """Values of the symbols of a bound."""
        horizon, n_states, n_actions = self.mdp.shape
        values: dict[str, float] = {"H": horizon, "S": n_states, "A": n_actions, "K": self.episodes}
        values["X"] = int(self.mdp.layer_sizes().sum())
        if self.features is not None:
            values["d"] = self.features.shape[3]
        names = ("eta", "gamma", "omega", "alpha", "beta", "delta")
        if isinstance(self.chosen, parameters.TabularParameters):
            values["kappa"] = self.chosen.kappa_q
        return values | {name: float(getattr(self.chosen, name)) for name in names if hasattr(self.chosen, name)}


def first_actions(mdp: AdversarialMDP) -> FloatArray:
    """Return the policy that always plays action 0."""
    policy = np.zeros(mdp.shape)
    policy[..., 0] = 1.0
    return policy


Runner = Callable[[Setting, np.random.SeedSequence, int], algorithms.AdversarialRun]


def bandit_regret(
    setting: Setting,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    name: str,
    learner: Runner,
    plot: bool = False,
    power: float = 0.0,
    scale: float = 1.0,
) -> Sample:
    """Exact regret of independent runs against the bound of a claim, times ``scale`` and K to the ``power``."""
    run = learner(setting, seeds, runs)
    bound = CLAIMS[name].explicit_bound
    sizes = setting.sizes
    rhs = scale * setting.episodes**power * bound.evaluate(**sizes)
    closed = not {"eta", "gamma", "omega", "alpha", "beta"} & set(bound.variables)
    paid = run.regret_against(first_actions(setting.mdp)) if setting.losses.adaptive else run.regret
    first = bound.nonvacuous_from("K", TRIVIAL, sizes) if closed else None
    low, high = setting.regret_range
    return Sample(
        paid[:, -1],
        rhs,
        vacuous=rhs >= high,
        nonvacuous_from=first,
        support=(low, high),
        plot=_figure(run, CLAIMS[name], setting, first) if plot else None,
    )


def _figure(run: algorithms.AdversarialRun, claim: Claim, setting: Setting, first: int | None) -> dict[str, Any]:
    quantiles = np.quantile(run.regret, [0.1, 0.5, 0.9], axis=0)
    bounds = [claim.explicit_bound.evaluate(**{**setting.sizes, "K": int(k)}) for k in run.episodes]
    return {
        "kind": "regret",
        "episodes": run.episodes,
        "low": quantiles[0],
        "median": quantiles[1],
        "high": quantiles[2],
        "bound": bounds,
        "trivial": setting.mdp.horizon * run.episodes,
        "nonvacuous_from": first,
    }


def run_oreps(
    setting: Setting, seeds: np.random.SeedSequence, runs: int, *, by_policy: bool = False, slow: float = 1.0
) -> algorithms.AdversarialRun:
    """Run O-REPS with bandit feedback; ``by_policy`` divides by the policy in place of the occupancy."""
    sizes = setting.sizes
    eta = parameters.oreps_bandit_rate(setting.mdp.horizon, int(sizes["X"] * sizes["A"]), setting.episodes)
    return algorithms.run_oreps(
        setting.mdp,
        setting.losses,
        setting.episodes,
        slow * eta,
        bandit=True,
        weight_by_policy=by_policy,
        certify=not by_policy,
        runs=runs,
        seed=seeds,
        record=1,
    )


def run_bonus(
    setting: Setting,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    slow: float = 1.0,
    record: int = 1,
) -> algorithms.AdversarialRun:
    """Run policy optimisation with the variant and the parameters of the setting."""
    p: parameters.TabularParameters = setting.chosen
    entropy = p.variant in (parameters.ENTROPY_SQUARE, parameters.ENTROPY_MIXED)
    rule = algorithms.PolicyOptimisation(
        ENTROPY if entropy else LOG_BARRIER,
        slow * p.eta,
        p.gamma,
        p.omega,
        p.kappa_q,
        local=p.variant == parameters.BARRIER_LOCAL,
    )
    return algorithms.run_policy_optimisation(
        setting.mdp, setting.losses, setting.episodes, rule, runs=runs, seed=seeds, record=record
    )


def run_greedy_chain(setting: Setting, seeds: np.random.SeedSequence, runs: int) -> algorithms.AdversarialRun:
    """Run exponential weights without bonus and exploration at the usual rate sqrt(log K / (4 K))."""
    eta = math.sqrt(math.log(setting.episodes) / (4.0 * setting.episodes))
    rule = algorithms.PolicyOptimisation(ENTROPY, eta, 1e-9, 0.0, 0.0, bonus_scale=0.0)
    return algorithms.run_policy_optimisation(
        setting.mdp, setting.losses, setting.episodes, rule, runs=runs, seed=seeds, record=RECORD
    )


@dataclass(frozen=True)
class BanditRate:
    """Eta of the bandit of both signs, with one regulariser."""

    eta: float


def run_signed(
    setting: Setting, seeds: np.random.SeedSequence, runs: int, *, entropy: bool = False
) -> algorithms.AdversarialRun:
    """Run the leader on importance-weighted losses; exponential weights at their own rate if ``entropy``."""
    eta = setting.chosen.eta
    if entropy:
        eta = math.sqrt(math.log(2.0) / (2.0 * (math.e - 2.0) * setting.episodes))
    rule = algorithms.PolicyOptimisation(ENTROPY if entropy else LOG_BARRIER, eta, 0.0, 0.0, 0.0)
    return algorithms.run_policy_optimisation(
        setting.mdp, setting.losses, setting.episodes, rule, runs=runs, seed=seeds, record=1
    )


def run_linear(
    setting: Setting, seeds: np.random.SeedSequence, runs: int, *, slow: float = 1.0
) -> algorithms.AdversarialRun:
    """Run the algorithm that the parameters belong to."""
    p: parameters.LinearParameters = setting.chosen
    if setting.features is None:
        raise RuntimeError("the setting has no features")
    regulariser = LOG_BARRIER if p.variant in (parameters.LINEAR_BARRIER, parameters.LINEAR_DRAWN) else ENTROPY
    estimator = REDUCED if p.variant == parameters.LINEAR_REDUCED else PLAIN
    rule = algorithms.LinearAlgorithm(regulariser, estimator, slow * p.eta, p.beta, p.gamma, p.omega, p.draws)
    return algorithms.run_linear(
        setting.mdp,
        setting.features,
        setting.losses,
        setting.episodes,
        rule,
        runs=runs,
        seed=seeds,
        record=RECORD,
    )


# Instances of bandit feedback


def blocks_of(tables: FloatArray, episodes: int, features: FloatArray | None = None) -> LossProcess:
    """Return losses (or theta) that change from one block of episodes to the next, blocks of equal length."""
    count = len(tables)
    ends = np.arange(1, count + 1) * episodes // count
    return LossProcess(worlds.BLOCKS, tables, ends=ends, features=features)


def steady_bandit(episodes: int, gap: float, n_actions: int = 2) -> tuple[AdversarialMDP, LossProcess]:
    """Return a bandit whose arms all cost 1/2 + gap/2 but the last one, 1/2 - gap/2."""
    mdp = instances.bandit(n_actions)
    table = np.full((1, 1, 1, n_actions), 0.5 + gap / 2.0)
    table[..., -1] -= gap
    return mdp, blocks_of(table, episodes)


def random_blocks(
    horizon: int, n_states: int, n_actions: int, episodes: int, seed: int
) -> tuple[AdversarialMDP, LossProcess]:
    """Return a random model: in every (h, s) one action costs nothing, the others 1; it changes after four fifths."""
    mdp = instances.random_mdp(horizon, n_states, n_actions, seed)
    free = np.random.default_rng(seed).integers(0, n_actions, (horizon, n_states))
    tables = np.stack([1.0 - np.eye(n_actions)[free], 1.0 - np.eye(n_actions)[(free + 1) % n_actions]])
    return mdp, LossProcess(worlds.BLOCKS, tables, ends=[4 * episodes // 5, episodes])


def near_and_far(episodes: int) -> tuple[AdversarialMDP, LossProcess]:
    """Return the instance on which weights by the policy mislead."""
    world = instances.near_and_far()
    return world.mdp, world.losses


def greedy_world(episodes: int) -> tuple[AdversarialMDP, LossProcess]:
    """Return a random model whose adversary charges the most probable action, whatever it is."""
    del episodes
    mdp = instances.random_mdp(3, 3, 3, 11)
    return mdp, worlds.greedy_losses(mdp)


def chain(episodes: int) -> tuple[AdversarialMDP, LossProcess]:
    """Return the deceptive chain of twelve stages."""
    world = instances.deceptive_chain(12, episodes)
    return world.mdp, world.losses


def oreps_setting(world: Callable[[int], tuple[AdversarialMDP, LossProcess]], episodes: int) -> Setting:
    """Return a setting of O-REPS, which needs no parameters but its rate."""
    mdp, losses = world(episodes)
    return Setting(mdp, losses, episodes)


def tabular_setting(
    world: Callable[[int], tuple[AdversarialMDP, LossProcess]], episodes: int, variant: str, closed: bool = False
) -> Setting:
    """Return a setting with the parameters that minimise the bound, or with those of the closed form."""
    mdp, losses = world(episodes)
    horizon, n_states, n_actions = mdp.shape
    if closed:
        chosen, _ = parameters.tabular_corollary(horizon, n_states, n_actions, episodes)
    else:
        chosen, _ = parameters.tuned_tabular(variant, [n_states] * horizon, n_actions, episodes)
    return Setting(mdp, losses, episodes, chosen)


def signed_setting(episodes: int) -> Setting:
    """Return the bandit of both signs with the rate of the bound."""
    world = instances.signed_bandit(episodes)
    return Setting(world.mdp, world.losses, episodes, BanditRate(math.sqrt(2.0 * math.log(episodes) / episodes)))


def oblique_bandit(episodes: int, gap: float) -> tuple[AdversarialMDP, LossProcess, FloatArray]:
    """Return two arms of features (1, 0) and (0.6, 0.8) and losses 1/2 + gap/2 and 1/2 - gap/2."""
    mdp = instances.bandit(2)
    features = np.array([[1.0, 0.0], [0.6, 0.8]])[None, None]
    high, low = 0.5 + gap / 2.0, 0.5 - gap / 2.0
    theta = np.array([high, (low - 0.6 * high) / 0.8])[None, None, None]
    return mdp, blocks_of(theta, episodes, features), features


def random_linear(
    episodes: int, sizes: tuple[int, int, int, int], seed: int
) -> tuple[AdversarialMDP, LossProcess, FloatArray]:
    """Return a linear MDP of sizes (H, S, A, d) with constant theta, from 1 (first feature) to 0 (last)."""
    world = instances.linear_mdp(*sizes, seed)
    features = world.features
    if features is None:
        raise RuntimeError("the instance has no features")
    horizon, _, _, d = sizes
    theta = np.broadcast_to(np.linspace(1.0, 0.0, d), (1, horizon, 1, d))
    return world.mdp, blocks_of(theta, episodes, features), features


def linear_setting(
    world: Callable[[int], tuple[AdversarialMDP, LossProcess, FloatArray]],
    episodes: int,
    variant: str,
    closed: bool = False,
) -> Setting:
    """Return a setting with the parameters that minimise the bound, or with those of the closed form."""
    mdp, losses, features = world(episodes)
    horizon, _, n_actions = mdp.shape
    tune = parameters.linear_corollary if closed else parameters.tuned_linear
    chosen, _ = tune(variant, horizon, n_actions, features.shape[3], episodes)
    return Setting(mdp, losses, episodes, chosen, features)


def chain_figure(tier: Tier) -> Json:
    """Return the regret on the long chain with and without bonuses, and the bound of the former."""
    del tier
    setting = tabular_setting(chain, 1_024_000, parameters.ENTROPY_MIXED)
    seeds, claim = np.random.SeedSequence(1), CLAIMS["entropy_bonus_mixed"]
    tuned, greedy = (learner(setting, seeds, 2) for learner in (partial(run_bonus, record=RECORD), run_greedy_chain))
    bounds = [claim.explicit_bound.evaluate(**{**setting.sizes, "K": int(k)}) for k in tuned.episodes]
    return {
        "kind": "curves",
        "title": "What the bonus is for: a chain of twelve stages",
        "xlabel": "episodes",
        "ylabel": "regret",
        "caption": "Without its bonus policy optimisation exceeds the bound that it obeys with it.",
        "curves": [
            {"label": "with bonus", "x": tuned.episodes, "y": tuned.regret.mean(axis=0), "bound": bounds},
            {"label": "without", "x": greedy.episodes, "y": greedy.regret.mean(axis=0)},
        ],
    }


ALPHA = 0.01


def expectation_check(
    name: str,
    quick: Mapping[str, Callable[[], Setting]],
    full: Mapping[str, Callable[[], Setting]],
    learner: Runner,
    mutants: tuple[Mutant, ...],
    runs: Sizes[int],
    plot: bool = False,
) -> Check:
    """Return the check of a theorem on an expectation."""

    def at(tier: Tier) -> Mapping[str, Callable[[], Setting]]:
        return quick if tier == Tier.QUICK else {**quick, **full}

    return Check(
        f"adversarial_ftrl.{name}",
        Expectation(at, runs, ALPHA, block=Sizes(runs.quick // 2)),
        partial(bandit_regret, name=name, learner=learner, plot=plot),
        mutants,
    )


def changed(learner: Callable[..., algorithms.AdversarialRun], name: str, why: str, **changes: Any) -> Mutant:
    """Return a mutant of the learner."""
    return Mutant(name, why, {"learner": partial(learner, **changes)})


EXPONENT = Mutant("exponent", "the bound times K^(-1/4): a regret of order K^(1/4)", {"power": -0.25})
FACTOR = Mutant("factor", "0.4 times the bound", {"scale": 0.4})
SHARPER = (EXPONENT, FACTOR)
FROZEN = "a ten-thousandth of the rate: the learner stays uniform"
GAP = partial(steady_bandit, gap=0.4)


def tabular_check(
    name: str, variant: str, quick: str, closed: bool = False, sharper: tuple[Mutant, ...] = (EXPONENT,)
) -> Check:
    """Return the check of one variant of policy optimisation; ``quick`` names the instance of the quick tier."""
    make = partial(tabular_setting, variant=variant, closed=closed)
    settings = {
        "bandit of gap 0.4": partial(make, GAP, 2_000),
        "two stages, two blocks": partial(make, partial(random_blocks, 2, 2, 2, seed=3), 2_000),
        "three stages, two blocks": partial(make, partial(random_blocks, 3, 3, 3, seed=5), 10_000),
        "greedy adversary, three stages": partial(make, greedy_world, 4_000),
    }
    return expectation_check(
        name,
        {quick: settings[quick]},
        settings,
        run_bonus,
        (changed(run_bonus, "frozen", FROZEN, slow=1e-4), *sharper),
        Sizes(128, full=192),
    )


def drawn_setting(episodes: int, draws: int) -> Setting:
    """Return the oblique bandit of gap 1 with parameters for covariances of so many draws."""
    mdp, losses, features = oblique_bandit(episodes, 1.0)
    chosen, _ = parameters.drawn_parameters(1, 2, 2, episodes, draws)
    return Setting(mdp, losses, episodes, chosen, features)


def linear_check(
    name: str,
    variant: str,
    gap: float,
    first: int = 2_000,
    episodes: int | None = None,
    closed: bool = False,
    sharper: tuple[Mutant, ...] = (EXPONENT,),
) -> Check:
    """Return the check of one algorithm for linear action values.

    ``first`` is the number of episodes of the quick tier, ``episodes`` that of the instance of two stages, if any.
    """
    make = partial(linear_setting, variant=variant, closed=closed)
    one, two = (partial(random_linear, sizes=(h, 3, 2, 2), seed=seed) for h, seed in ((1, 4), (2, 8)))
    full = {"one stage, (S, A, d) = (3, 2, 2)": partial(make, one, 20_000)}
    if episodes is not None:
        full["two stages, (S, A, d) = (3, 2, 2)"] = partial(make, two, episodes)
    return expectation_check(
        name,
        {"oblique bandit": partial(make, partial(oblique_bandit, gap=gap), first)},
        full,
        run_linear,
        (changed(run_linear, "frozen", FROZEN, slow=1e-4), *sharper),
        Sizes(64, full=192),
        plot=not closed,
    )


CHECKS = (
    full_check("hedge", 0.95),
    full_check("hedge_single_rate", 0.95),
    full_check("soft", 0.95),
    full_check("oreps", 0.95),
    full_check("oreps_from_uniform", 0.95),
    expectation_check(
        "oreps_bandit",
        {"near and far": partial(oreps_setting, near_and_far, 2_500)},
        {
            "bandit of gap 1/2": partial(oreps_setting, partial(steady_bandit, gap=0.5), 1_000),
            "three stages, two blocks": partial(oreps_setting, partial(random_blocks, 3, 3, 3, seed=5), 6_000),
        },
        run_oreps,
        (
            changed(run_oreps, "by_policy", "losses divided by the policy in place of the occupancy", by_policy=True),
            changed(run_oreps, "frozen", FROZEN, slow=1e-4),
        ),
        Sizes(80, full=280),
    ),
    tabular_check("entropy_bonus", parameters.ENTROPY_SQUARE, "two stages, two blocks", sharper=SHARPER),
    tabular_check("entropy_bonus_closed", parameters.ENTROPY_SQUARE, "bandit of gap 0.4", closed=True, sharper=SHARPER),
    tabular_check("barrier_bonus", parameters.BARRIER, "two stages, two blocks"),
    tabular_check("barrier_bonus_local", parameters.BARRIER_LOCAL, "bandit of gap 0.4"),
    Check(
        "adversarial_ftrl.entropy_bonus_mixed",
        Expectation(
            {"deceptive chain, H=12": partial(tabular_setting, chain, 1_024_000, parameters.ENTROPY_MIXED)},
            Sizes(24),
            0.02,
            block=Sizes(12),
        ),
        partial(bandit_regret, name="entropy_bonus_mixed", learner=run_bonus),
        (changed(run_greedy_chain, "no_bonus", "the bonus is dropped: regret 0.35 K, above the bound"),),
        tier=Tier.FULL,
        figure=chain_figure,
    ),
    expectation_check(
        "barrier_bandit",
        {"losses of both signs": partial(signed_setting, 4_000)},
        {"losses of both signs, K=16000": partial(signed_setting, 16_000)},
        run_signed,
        (changed(run_signed, "entropy", "exponential weights in place of the barrier: linear regret", entropy=True),),
        Sizes(160, full=320),
    ),
    linear_check("barrier_linear", parameters.LINEAR_BARRIER, 1.0, episodes=40_000),
    linear_check("barrier_linear_closed", parameters.LINEAR_BARRIER, 1.0, 4_000, closed=True),
    linear_check("reduced_linear", parameters.LINEAR_REDUCED, 0.5, episodes=20_000, sharper=SHARPER),
    linear_check("reduced_linear_closed", parameters.LINEAR_REDUCED, 0.7, closed=True, sharper=SHARPER),
    linear_check("plain_linear", parameters.LINEAR_PLAIN, 1.0, episodes=40_000),
    Check(
        "adversarial_ftrl.drawn_linear",
        Expectation({"oblique bandit": partial(drawn_setting, 2_000, 100_000)}, Sizes(24), ALPHA, block=Sizes(8)),
        partial(bandit_regret, name="drawn_linear", learner=run_linear),
        (Mutant("bounded", "the bound times K^(-1/2): a regret that does not grow", {"power": -0.5}),),
        tier=Tier.FULL,
    ),
)
