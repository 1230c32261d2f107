r"""Checks of orders of regret on adversarial MDPs, and of lower bounds for every algorithm.

*Orders.* On two arms of a fixed gap, a learner whose rate is tuned to K pays for about as many episodes as it needs to
move its leader, which is the reciprocal of the rate: the regret shows the order of the bound that the parameters
minimise.

*Lower bounds.* Hidden actions are drawn anew in every run, and a run is charged the mean losses of its policies
(`solvers.adversarial_ftrl.AdversarialRun.mean_regret`), whose range is known. With full information the mean over all
coins is computed exactly.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy as sp

from mdps import adversarial as worlds
from mdps import adversarial_instances as instances
from mdps.rational import RationalMDP
from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.exact import Exact
from proofs_check.methods.montecarlo import Expectation, Sample
from proofs_check.methods.rates import Rates
from proofs_check.methods.symbolic import Identity, Symbolic
from solvers import adversarial_ftrl as algorithms
from solvers import adversarial_ftrl_parameters as parameters
from solvers import rational_planning as planning
from solvers.adversarial_ftrl_linear import PLAIN, REDUCED
from solvers.adversarial_ftrl_simplex import ENTROPY, LOG_BARRIER
from theory import adversarial_ftrl_parameters as formulas
from theory import adversarial_ftrl_regret as theory
from theory.symbols import A, H, K, X

CLAIMS = {claim.id.split(".")[1]: claim for claim in theory.CLAIMS}


# Orders


def oblique_regret(budget: int, seeds: np.random.SeedSequence, runs: int, *, variant: str, slow: float = 1.0) -> Any:
    """Regret after ``budget`` episodes on arms of features (1, 0) and (0.6, 0.8) that cost one and nothing."""
    features = np.array([[1.0, 0.0], [0.6, 0.8]])[None, None]
    losses = worlds.constant_losses(np.array([1.0, -0.75])[None, None], features)
    chosen, _ = parameters.tuned_linear(variant, 1, 2, 2, budget)
    barrier, reduced = variant == parameters.LINEAR_BARRIER, variant == parameters.LINEAR_REDUCED
    rule = algorithms.LinearAlgorithm(
        LOG_BARRIER if barrier else ENTROPY,
        REDUCED if reduced else PLAIN,
        slow * chosen.eta,
        chosen.beta,
        chosen.gamma,
        chosen.omega,
    )
    run = algorithms.run_linear(instances.bandit(2), features, losses, budget, rule, runs=runs, seed=seeds, record=1)
    regret: FloatArray = run.regret[:, -1]
    return regret


BUDGETS = (8_000, 16_000, 32_000, 64_000, 256_000)
SLOW = Mutant("frozen", "a ten-thousandth of the rate: the learner stays uniform, slope 1", {"slow": 1e-4})
OLD = Mutant(
    "plain", "plain estimates with the parameters that suit them, slope 2/3", {"variant": parameters.LINEAR_PLAIN}
)


def order_check(name: str, variant: str, slope: float, mutants: tuple[Mutant, ...], resolution: float = 0.05) -> Check:
    """Return the check of the order of one algorithm for linear action values; a logarithm of K is an exponent too."""
    return Check(
        f"adversarial_ftrl.{name}",
        Rates(slope, "most", Sizes(BUDGETS), Sizes(10), resolution=resolution),
        partial(oblique_regret, variant=variant),
        mutants,
        tier=Tier.FULL,
    )


LABELS = {
    parameters.LINEAR_BARRIER: ("log-barrier", 0.529),
    parameters.LINEAR_REDUCED: ("entropy, reduced estimates", 0.5),
    parameters.LINEAR_PLAIN: ("entropy, plain estimates", 0.666),
}
"""Name of a variant, and exponent of its optimised bound."""


def linear_figure(tier: Tier) -> Json:
    """Return the regret of the three algorithms against their bounds, and the slopes of both."""
    budgets = (500, 2_000, 8_000) if tier == Tier.QUICK else (500, 2_000, 8_000, 32_000, 128_000)
    curves = []
    for variant, (label, exponent) in LABELS.items():
        runs = [oblique_regret(k, np.random.SeedSequence(k), 6, variant=variant) for k in budgets]
        means = np.array([run.mean() for run in runs])
        curves.append(
            {
                "label": label,
                "x": budgets,
                "y": means,
                "low": [run.min() for run in runs],
                "high": [run.max() for run in runs],
                "bound": [parameters.tuned_linear(variant, 1, 2, 2, k)[1] for k in budgets],
                "slope": float(np.polyfit(np.log(budgets), np.log(means), 1)[0]),
                "claimed": exponent,
                "style": "points",
            }
        )
    return {
        "kind": "curves",
        "title": "Linear action values: regret and optimised bounds",
        "xlabel": "episodes K",
        "ylabel": "regret after K episodes",
        "caption": (
            "Parameters minimise the bound at each K; six runs, from the least to the largest regret. Claimed are "
            "the exponents of the bounds between 10^6 and 10^8 episodes."
        ),
        "curves": curves,
    }


def published_oreps(*, full: sp.Expr = 2 * sp.sqrt(2), bandit: sp.Expr = sp.sqrt(2)) -> dict[str, Identity]:
    """Return both published bounds as multiples of the explicit ones; the logarithm is a positive number."""
    log = sp.Symbol("L", positive=True)
    ours = [bound.subs(sp.log(X * A / H), log) for bound in (formulas.OREPS, formulas.OREPS_BANDIT)]
    return {
        "full information": Identity(2 * H * sp.sqrt(K * log), full * ours[0]),
        "bandit": Identity(2 * sp.sqrt(H * X * A * K * log), bandit * ours[1]),
    }


# Lower bounds


@dataclass(frozen=True)
class Hidden:
    """Sizes of an instance with hidden actions, and the learner that plays it."""

    learner: str
    horizon: int
    n_states: int
    n_actions: int
    episodes: int


def _regret_of(instance: Hidden, seed: np.random.SeedSequence) -> float:
    """Return the mean regret of one run, with hidden actions of its own."""
    H, S, A, K = instance.horizon, instance.n_states, instance.n_actions, instance.episodes
    world = instances.lower_bound_instance(H, S, A, K, int(seed.generate_state(1)[0]))
    if instance.learner == "O-REPS":
        eta = parameters.oreps_bandit_rate(H, H * S * A, K)
        run = algorithms.run_oreps(world.mdp, world.losses, K, eta, bandit=True, seed=seed, record=1)
    else:
        regulariser = LOG_BARRIER if instance.learner == "log-barrier" else ENTROPY
        rule = algorithms.PolicyOptimisation(regulariser, math.sqrt(math.log(A) / (S * A * K)) / H, 1e-9, 0.0, 0.0)
        run = algorithms.run_policy_optimisation(world.mdp, world.losses, K, rule, seed=seed, record=1)
    return float(run.mean_regret(world.losses.table[0])[0, -1])


def _confidence_bounds(instance: Hidden, gap: float, seed: np.random.SeedSequence, runs: int) -> FloatArray:
    """Return the mean regret of lower confidence bounds on one state and one stage."""
    rng, count, every = np.random.default_rng(seed), instance.n_actions, np.arange(runs)
    hidden = rng.integers(0, count, runs)
    totals, pulls, missed = np.zeros((runs, count)), np.zeros((runs, count)), np.zeros(runs)
    for t in range(instance.episodes):
        seen = np.maximum(pulls, 1.0)
        index = np.where(pulls > 0.0, totals / seen - np.sqrt(0.5 * math.log(t + 2.0) / seen), -np.inf)
        arms = index.argmin(axis=1)
        missed += arms != hidden
        pulls[every, arms] += 1.0
        totals[every, arms] += rng.random(runs) < 0.5 - gap * (arms == hidden)
    return gap * missed


def hidden_actions(
    instance: Hidden, seeds: np.random.SeedSequence, runs: int, *, scale: float = 1.0, known: bool = False
) -> Sample:
    """Mean regret of a learner against the lower bound; ``known``: of one that knows the hidden actions."""
    H, S, A, K = instance.horizon, instance.n_states, instance.n_actions, instance.episodes
    gap = instances.lower_bound_gap(S, A, K)
    if known:
        values = np.zeros(runs)
    elif instance.learner == "confidence bounds":
        values = _confidence_bounds(instance, gap, seeds, runs)
    else:
        values = np.array([_regret_of(instance, seed) for seed in seeds.spawn(runs)])
    rhs = scale * CLAIMS["bandit_lower_bound"].explicit_bound.evaluate(H=H, S=S, A=A, K=K)
    slack = 1e-9 * K * H
    return Sample(values, rhs, ">=", support=(-slack, gap * K * H + slack))


QUICK_HIDDEN = {
    "policy optimisation (2, 2, 3)": partial(Hidden, "policy optimisation", 2, 2, 3, 800),
    "O-REPS (2, 2, 2)": partial(Hidden, "O-REPS", 2, 2, 2, 200),
    "confidence bounds (1, 1, 2)": partial(Hidden, "confidence bounds", 1, 1, 2, 800),
}
FULL_HIDDEN = {
    **QUICK_HIDDEN,
    "policy optimisation (3, 3, 4)": partial(Hidden, "policy optimisation", 3, 3, 4, 20_000),
    "policy optimisation (2, 2, 10)": partial(Hidden, "policy optimisation", 2, 2, 10, 20_000),
    "log-barrier (1, 1, 8)": partial(Hidden, "log-barrier", 1, 1, 8, 5_000),
    "O-REPS (2, 3, 2)": partial(Hidden, "O-REPS", 2, 3, 2, 6_000),
}


def _at(tier: Tier) -> dict[str, Callable[[], Hidden]]:
    return dict(QUICK_HIDDEN if tier == Tier.QUICK else FULL_HIDDEN)


@dataclass(frozen=True)
class Coins:
    """Sizes of an instance of fair coins."""

    horizon: int
    n_states: int
    rounds: int


def fair_coins(instance: Coins, *, scale: Fraction = Fraction(1)) -> Comparison:
    """Mean regret over all sequences of coins of proportional play on action values, against (H/2) E|R_K|."""
    H, S, rounds = instance.horizon, instance.n_states, instance.rounds
    kernel = [[[Fraction(1, S)] * S] * 2] * S
    start = [Fraction(1, S)] * S
    total = Fraction(0)
    for bits in itertools.product((0, 1), repeat=rounds * H * S):
        coins = np.array(bits, dtype=object).reshape(rounds, H, S)
        losses = np.stack([coins, 1 - coins], axis=-1)
        fed, paid = np.full((H, S, 2), Fraction(0), dtype=object), Fraction(0)
        for loss in losses:
            policy = (1 + fed[..., ::-1]) / (2 + fed.sum(axis=-1, keepdims=True))
            mdp = RationalMDP(kernel, loss.tolist(), H, start)
            values = planning.evaluate(mdp, policy.tolist())
            paid += planning.policy_value(mdp, values)
            fed = fed + np.array(planning.q_values(mdp, values), dtype=object)
        best = planning.backward_induction(RationalMDP(kernel, (-losses.sum(axis=0)).tolist(), H, start))
        total += paid + planning.policy_value(mdp, best.values)
    walk = Fraction(rounds * math.comb(rounds - 1, (rounds - 1) // 2), 2 ** (rounds - 1))
    return Comparison(total / 2 ** (rounds * H * S), scale * H * walk / 2, "==")


COINS = {
    f"H={horizon}, S={n_states}, K={rounds}": partial(Coins, horizon, n_states, rounds)
    for horizon, n_states, rounds in ((1, 1, 1), (1, 1, 2), (1, 1, 5), (1, 2, 2), (2, 1, 2), (2, 2, 1))
}

CHECKS = (
    order_check("barrier_order", parameters.LINEAR_BARRIER, 0.5, (SLOW, OLD), resolution=0.08),
    order_check("reduced_order", parameters.LINEAR_REDUCED, 0.5, (SLOW, OLD)),
    order_check("plain_order", parameters.LINEAR_PLAIN, 2.0 / 3.0, (SLOW,)),
    Check(
        "adversarial_ftrl.published_oreps",
        Symbolic(),
        published_oreps,
        (
            Mutant("full", "2 instead of 2 sqrt(2)", {"full": sp.Integer(2)}),
            Mutant("bandit", "3/2 instead of sqrt(2)", {"bandit": sp.Rational(3, 2)}),
        ),
    ),
    Check(
        "adversarial_ftrl.bandit_lower_bound",
        Expectation(_at, Sizes(60, full=120), 0.01, block=Sizes(30, full=40)),
        hidden_actions,
        (
            Mutant("constant", "2.5 times the bound", {"scale": 2.5}),
            Mutant("known", "a learner that knows the hidden actions", {"known": True}),
        ),
    ),
    Check(
        "adversarial_ftrl.full_information_lower_bound",
        Exact(COINS, per_unit=len(COINS)),
        fair_coins,
        (Mutant("scale", "1.01 times the bound", {"scale": Fraction(101, 100)}),),
    ),
)
