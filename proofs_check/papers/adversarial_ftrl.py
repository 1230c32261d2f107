r"""Checks of the lemmas on adversarial MDPs: dilated bonuses, leaders, runs, constants.

Identities are compared exactly on rational models, or enclosed by balls. Losses take the place of the rewards of
`mdps.rational.RationalMDP`. The estimators have a module of their own.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import sympy as sp

from mdps import adversarial_instances as instances
from mdps.adversarial import AdversarialMDP, dynamics, occupancy
from mdps.validation import FloatArray
from proofs_check.cases import CASES, Case
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.exact import Exact
from proofs_check.methods.interval import Inequality as IntervalInequality
from proofs_check.methods.interval import Interval
from proofs_check.methods.operators import OperatorIdentity, operators
from proofs_check.methods.search import Box, Search, Simplex, Stochastic
from proofs_check.methods.symbolic import Identity, Induction, Symbolic
from proofs_check.papers import adversarial_ftrl_orders as orders
from proofs_check.papers.adversarial_ftrl_estimators import ZERO, Instance, maximiser
from proofs_check.rigorous import separated
from solvers import adversarial_ftrl as algorithms
from solvers import adversarial_ftrl_parameters as parameters
from solvers import rational_planning as planning
from solvers.adversarial_ftrl_linear import PLAIN, REDUCED
from solvers.adversarial_ftrl_simplex import ENTROPY
from solvers.adversarial_ftrl_tabular import soft_backward
from theory.symbols import A, H, K, d, n, omega

# Dilated bonuses


def dilated(case: Case, rate: Fraction) -> list[list[list[Fraction]]]:
    """Return B ``[h][s][a]`` of the policy for the bonuses |guess|."""
    mdp = case.mdp
    ahead = [ZERO] * mdp.n_states
    table: list[list[list[Fraction]]] = []
    for h in reversed(range(mdp.horizon)):
        kernel = mdp.transitions[h % len(mdp.transitions)]
        rows = [
            [
                abs(b) + (1 + rate) * sum((p * w for p, w in zip(kernel[s][a], ahead, strict=True)), ZERO)
                for a, b in enumerate(row)
            ]
            for s, row in enumerate(case.guess[h])
        ]
        ahead = [
            sum((p * b for p, b in zip(law, row, strict=True)), ZERO)
            for law, row in zip(case.policy[h], rows, strict=True)
        ]
        table.append(rows)
    return table[::-1]


def dilated_identity(
    case: Case, *, rate: Fraction = Fraction(1, 3), exponent: int = 0, weights: str = "comparator"
) -> Comparison:
    """Both sides of the dilated identity, with the bonuses |guess|."""
    mdp, policies = case.mdp, {"policy": case.policy, "comparator": case.comparator}
    table = dilated(case, rate)
    star, own = planning.occupancy(mdp, policies[weights]), planning.occupancy(mdp, case.policy)
    left, right = ZERO, ZERO
    for h, s in itertools.product(range(mdp.horizon), range(mdp.n_states)):
        mass = sum(star[h][s], ZERO)
        for a, (p, c) in enumerate(zip(case.policy[h][s], case.comparator[h][s], strict=True)):
            b = abs(case.guess[h][s][a])
            left += mass * ((p - c) * table[h][s][a] + c * b + rate * p * table[h][s][a])
            right += (1 + rate) ** (h + 1 + exponent) * own[h][s][a] * b
    return Comparison(left, right, "==")


VISITS, OWN_VISITS, MEAN, OTHER_MEAN, KERNEL = operators("d* d Pi Pi* P")
BONUS, AHEAD = operators("b W_next")
SHAPES = {
    VISITS: ("1", "S"),
    OWN_VISITS: ("1", "S"),
    MEAN: ("S", "SA"),
    OTHER_MEAN: ("S", "SA"),
    KERNEL: ("SA", "S"),
    BONUS: ("SA", "1"),
    AHEAD: ("S", "1"),
}
"""Occupancies, policies and kernel of a stage, its bonuses, and the mean dilated bonuses of the next stage."""


def dilated_step(*, exponent: int = 0, weights: str = "comparator") -> dict[str, OperatorIdentity]:
    """Return two telescopes: left terms are (1 + omega) (d* W - d*' W'), right ones d W - (1 + omega) d' W'.

    At the first stage both occupancies are rho, so that both sides sum to (1 + omega) rho W_1.
    """
    table = BONUS + (1 + omega) * KERNEL * AHEAD
    left = VISITS * ((1 + omega) * MEAN - OTHER_MEAN) * table + VISITS * OTHER_MEAN * BONUS
    follow = OTHER_MEAN if weights == "comparator" else MEAN
    later = VISITS * follow * KERNEL * AHEAD
    own = OWN_VISITS * MEAN * table
    return {
        "left": OperatorIdentity(
            sp.expand(left), sp.expand((1 + omega) ** (1 + exponent) * (VISITS * MEAN * table - later)), SHAPES
        ),
        "right": OperatorIdentity(
            sp.expand(OWN_VISITS * MEAN * BONUS),
            sp.expand(own - (1 + omega) * OWN_VISITS * MEAN * KERNEL * AHEAD),
            SHAPES,
        ),
    }


# Leaders


@dataclass(frozen=True)
class Replay:
    """Rational losses of two arms, of both signs, and a rate."""

    losses: tuple[tuple[Fraction, Fraction], ...]
    eta: Fraction = Fraction(1, 10)


def replay(rounds: int, size: int, seed: int) -> Replay:
    """Return random losses in [-size, size]."""
    numbers = np.random.default_rng(seed).integers(-10 * size, 10 * size + 1, (rounds, 2))
    return Replay(tuple((Fraction(int(a), 10), Fraction(int(b), 10)) for a, b in numbers))


def soft_instance(kernel: FloatArray, policy: FloatArray, losses: FloatArray, initial: FloatArray) -> Instance:
    """Return a model, a policy, and cumulative losses times eta."""
    return {"mdp": AdversarialMDP(kernel, len(losses), initial), "policy": policy, "losses": losses}


def soft_optimality(instance: Instance, *, follow: bool = True, hard: bool = False) -> Comparison:
    """Both sides of the identity; the soft policy is the one of the solver."""
    mdp, policy, losses = instance["mdp"], instance["policy"], instance["losses"]
    soft, leader = np.empty((mdp.horizon + 1, mdp.n_states)), np.empty(mdp.shape)
    soft_backward(dynamics(mdp), losses, 1.0, soft, leader)
    mass = occupancy(mdp, policy)
    log_policy = np.log(np.where(policy > 0.0, policy, 1.0))
    left = float(np.einsum("hs,hsa->", mass, policy * (losses + log_policy)))
    distance = float(np.einsum("hs,hsa->", mass, policy * (log_policy - np.log(leader))))
    start = mdp.initial if follow else np.full(mdp.n_states, 1.0 / mdp.n_states)
    top = soft[0] if not hard else -np.min(losses[0], axis=-1)
    return Comparison(left, distance - float(start @ top), "==")


def _arb(value: Fraction) -> Any:
    from flint import arb

    return arb(value.numerator) / arb(value.denominator)


def _two_arms(eta: Fraction, first: Fraction, second: Fraction) -> tuple[Any, Any]:
    """Return the leader of the logarithmic barrier as balls: the worse arm has 2 / (g + 2 + sqrt(g^2 + 4))."""
    gap = _arb(abs(eta * (first - second)))
    worse = 2 / (gap + 2 + (gap * gap + 4).sqrt())
    return (worse, 1 - worse) if first > second else (1 - worse, worse)


def barrier_identity(case: Replay, *, following: bool = True, reverse: bool = False) -> Iterator[Comparison]:
    """Distance of the two sides along a run with u = (1/3, 2/3), against 1e-50."""

    def value(x: tuple[Any, Any]) -> Any:
        return -x[0].log() - x[1].log()

    def distance(y: tuple[Any, Any], x: tuple[Any, Any]) -> Any:
        one, other = (x, y) if reverse else (y, x)
        return sum((p / q - 1 - (p / q).log() for p, q in zip(one, other, strict=True)), _arb(ZERO))

    def sides() -> tuple[Any, Any]:
        u = _arb(Fraction(1, 3)), _arb(Fraction(2, 3))
        total, regret, paid = [ZERO, ZERO], _arb(ZERO), _arb(ZERO)
        start = x = _two_arms(case.eta, *total)
        for loss in case.losses:
            total = [total[0] + loss[0], total[1] + loss[1]]
            ahead = _two_arms(case.eta, *total)
            scaled = [_arb(case.eta * part) for part in loss]
            regret += sum(((x[i] - u[i]) * scaled[i] for i in range(2)), _arb(ZERO))
            paid += sum(((x[i] - ahead[i]) * scaled[i] for i in range(2)), _arb(ZERO)) - distance(ahead, x)
            x = ahead
        last = distance(u, x) if following else _arb(ZERO)
        return abs(regret - (value(u) - value(start) - last + paid)), _arb(Fraction(1, 10**50))

    yield separated(sides)


REPLAYS: Mapping[str, Callable[[], Replay]] = {
    f"{rounds} losses of size {size}": partial(replay, rounds, size, rounds)
    for rounds, size in ((4, 1), (20, 3), (40, 100))
}


def projection_instance(horizon: int, n_states: int, n_actions: int, scale: float, seed: int) -> Instance:
    """Return a random model and an exponent."""
    mdp = instances.random_mdp(horizon, n_states, n_actions, seed, random_initial=True)
    return {"mdp": mdp, "exponent": scale * np.random.default_rng(seed).standard_normal(mdp.shape)}


def oreps_projection(instance: Instance, *, kept: float = 1.0, projected: bool = True) -> Iterator[Comparison]:
    """Duality gap and flow of a projection, from the policy and the dual variables that it returns."""
    mdp, x = instance["mdp"], instance["exponent"]
    found = algorithms.project_occupancy(mdp, x)
    v = np.concatenate([kept * found.dual, np.zeros((1, mdp.n_states))])
    ahead = np.stack([mdp.transitions[h % len(mdp.transitions)] @ v[h + 1] for h in range(mdp.horizon)])
    logits = (x - v[:-1, :, None] + ahead).reshape(mdp.horizon, -1)
    top = logits.max(axis=1, keepdims=True)
    partitions = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
    q = found.occupancy
    if not projected:
        q = np.exp(x) / np.exp(x).sum(axis=(1, 2), keepdims=True)
    primal = float((q * (np.log(np.where(q > 0.0, q, 1.0)) - x)).sum())
    dual = -float(partitions.sum()) - float(mdp.initial @ v[0])
    yield Comparison(abs(primal - dual), 1e-8, "<=", "duality gap", tolerance=1e-10)
    kernels = [mdp.transitions[h % len(mdp.transitions)] for h in range(mdp.horizon)]
    arriving = [np.einsum("sa,sat->t", q[h], kernels[h]) for h in range(mdp.horizon - 1)]
    inflow = [mdp.initial, *arriving]
    violation = max(float(np.abs(q[h].sum(axis=1) - inflow[h]).max()) for h in range(mdp.horizon))
    yield Comparison(violation, 1e-12, "<=", "flow", tolerance=1e-13)


PROJECTIONS = {
    "H=5 S=20 A=4": partial(projection_instance, 5, 20, 4, 1.0, 1),
    "H=3 S=3 A=3, large losses": partial(projection_instance, 3, 3, 3, 20.0, 2),
    "H=2 S=2 A=2": partial(projection_instance, 2, 2, 2, 0.1, 3),
}


def certified_run(horizon: int, n_states: int, n_actions: int, episodes: int, seed: int) -> Instance:
    """Return the sizes of a run."""
    return {"sizes": (horizon, n_states, n_actions), "episodes": episodes, "seed": seed}


def run_certificate(
    instance: Instance, *, dilation: float = 1.0, scale: float = 1.0, martingale: bool = True
) -> Iterator[Comparison]:
    """The parts of the regret of one run against the policy that is best for the mean losses."""
    (horizon, n_states, n_actions), episodes = instance["sizes"], instance["episodes"]
    world = instances.random_instance(horizon, n_states, n_actions, instance["seed"])
    chosen, _ = parameters.tabular_corollary(horizon, n_states, n_actions, episodes)
    rates = algorithms.PolicyOptimisation(ENTROPY, chosen.eta, chosen.gamma, dilation * chosen.omega, chosen.kappa_q)
    best = np.zeros(world.mdp.shape)
    best[..., 0] = 1.0
    run = algorithms.run_policy_optimisation(
        world.mdp, world.losses, episodes, rates, comparator=best, seed=instance["seed"], record=1
    )
    parts = run.certificate
    if parts is None:
        raise RuntimeError("the run kept no certificate")
    eta, second = chosen.eta, math.e - 2.0
    total = parts.leader + parts.bonus + parts.bias + (parts.martingale if martingale else 0.0)
    regret = float(run.regret_against(best)[0, -1])
    yield Comparison(float(total[0]), regret, "==", "regret", tolerance=1e-8)
    paid = float((parts.bonus + parts.comparator_bonus + parts.spread_bonus)[0])
    yield Comparison(paid, float(parts.dilated_bonus[0]), "==", "dilated identity", tolerance=1e-8)
    squares = float((parts.estimate_squares + parts.bonus_squares)[0])
    bound = scale * (horizon * math.log(n_actions) / eta + second * eta * squares)
    yield Comparison(float(parts.leader[0]), bound, "<=", "leader")
    own = second * eta * float(parts.bonus_squares[0])
    yield Comparison(own, float(parts.spread_bonus[0]), "<=", "bonuses pay for their variance")
    deviation = 4.0 * math.sqrt(float(parts.quadratic_variation[0]))
    yield Comparison(abs(float(parts.martingale[0])), deviation, "<=", "martingale")


RUNS = {
    "H=2 S=2 A=2": partial(certified_run, 2, 2, 2, 20_000, 4),
    "H=3 S=3 A=3": partial(certified_run, 3, 3, 3, 20_000, 5),
    "H=5 S=4 A=3": partial(certified_run, 5, 4, 3, 10_000, 6),
}


@dataclass(frozen=True)
class Exponent:
    """Runs of linear algorithms whose exponents are recorded; every attribute is what assumptions ask for."""

    world: str
    episodes: int

    @property
    def span(self) -> tuple[float, float]:
        """Range of the losses."""
        return (0.0, 1.0)

    @property
    def inadmissible(self) -> str | None:
        """Why the parameters are not admissible, or None."""
        return parameters.inadmissible_linear(self.chosen, 1)

    @property
    def chosen(self) -> parameters.LinearParameters:
        """Parameters of the closed form, three actions and three features."""
        return parameters.linear_corollary(parameters.LINEAR_REDUCED, 1, 3, 3, self.episodes)[0]


def exponent_floor(instance: Exponent, *, estimator: int = REDUCED, ridge: float | None = None) -> Iterator[Comparison]:
    """Minus the least exponent of a run on correlated arms; ``ridge`` sets gamma = ridge eta^2, without a bonus."""
    world, chosen = instances.correlated_bandit(), instance.chosen
    eta, beta, gamma = chosen.eta, chosen.beta, chosen.gamma
    if ridge is not None:
        eta = math.sqrt(math.log(3.0) / (3.0 * (math.e - 2.0) * instance.episodes))
        beta, gamma = 0.0, ridge * eta**2
    features = world.features
    if features is None:
        raise RuntimeError("the instance has no features")
    rule = algorithms.LinearAlgorithm(ENTROPY, estimator, eta, beta, gamma, chosen.omega)
    run = algorithms.run_linear(world.mdp, features, world.losses, instance.episodes, rule, runs=2, seed=7, record=1)
    if run.least_exponent is None:
        raise RuntimeError("the run kept no exponents")
    least = -float(run.least_exponent.min())
    largest = eta * parameters.largest_linear_bonus(1, beta, gamma, chosen.omega)
    yield Comparison(least, eta / (2.0 * math.sqrt(gamma)) + largest, "<=", "floor")
    yield Comparison(least, 1.0, "<=", "one")


# Constants


def dilation_induction(*, shift: int = 1) -> Induction:
    """Return the sum of n powers of 1 + 1/H."""
    ratio = 1 + 1 / H
    return Induction(
        claim=(H + shift) * (ratio**n - 1),
        initial=ratio,
        step=sp.Symbol("previous", real=True) + ratio ** (n + 1),
        previous=sp.Symbol("previous", real=True),
        n=n,
    )


def dilation_limit(*, scale: sp.Expr = sp.S.One) -> IntervalInequality:
    """Return log(1 + x) <= x, x = 1/H: H log(1 + 1/H) <= 1."""
    x = sp.Symbol("x", real=True)
    return IntervalInequality(sp.Le(sp.log(1 + x), scale * x, evaluate=False), ((x, 0, sp.oo),))


def closed_constants(
    horizon: int, *, tabular: str = "371/100", barrier: str = "572/100", reduced: str = "969/100"
) -> Iterator[Comparison]:
    """Enclose the three constants at one H by balls."""
    from flint import arb

    def ball(text: str) -> Any:
        value = Fraction(text)
        return arb(value.numerator) / arb(value.denominator)

    def tabular_sides() -> tuple[Any, Any]:
        e, ratio, total = arb(1).exp(), 1 + arb(1) / horizon, arb(0)
        for h in range(1, horizon + 1):
            left = horizon - h + 1
            total += ratio**h * ((e - 2) * left**2 + horizon * left)
        return 2 * (total / horizon**3).sqrt(), ball(tabular)

    def barrier_sides() -> tuple[Any, Any]:
        growth = arb(3) / 4 * horizon**5 + 2 * horizon**2 * (horizon + 1)
        return 2 * (horizon * (arb(1).exp() - 1) * growth).sqrt(), ball(barrier) * horizon**3

    def reduced_sides() -> tuple[Any, Any]:
        e, growth = arb(1).exp(), arb(3 * horizon**5 + 8 * horizon**2 * (horizon + 1))
        return 2 * (horizon * (e - 1) * (e - 2) * growth).sqrt(), ball(reduced) * horizon**3

    yield separated(tabular_sides, where="policy optimisation")
    yield separated(barrier_sides, where="barrier")
    yield separated(reduced_sides, where="reduced")


HORIZONS: Mapping[str, Callable[[], int]] = {f"H={horizon}": partial(int, horizon) for horizon in range(1, 61)}

EXPONENTS = {
    parameters.LINEAR_BARRIER: 0.529,
    parameters.LINEAR_REDUCED: 0.5,
    parameters.LINEAR_PLAIN: 0.666,
}


@functools.cache
def tuned_bound(variant: str, episodes: int) -> float:
    """Return the optimised bound for H = 1, A = d = 2."""
    return parameters.tuned_linear(variant, 1, 2, 2, episodes)[1]


def optimised_exponents(variant: str, *, plain: float | None = None) -> Comparison:
    """Exponent of the optimised bound between 10^6 and 10^8 episodes, for H = 1, A = d = 2."""
    bounds = [tuned_bound(variant, 10**power) for power in (6, 8)]
    claimed = plain if plain is not None and variant == parameters.LINEAR_PLAIN else EXPONENTS[variant]
    return Comparison(math.log(bounds[1] / bounds[0]) / math.log(100.0), claimed, "==", variant, tolerance=0.002)


def simulator_free_vacuity(*, power: int = 11) -> Identity:
    """Return the ninth power of (H K) / (A^(1/9) d^(2/3) H^(20/9) K^(8/9)) as K over the threshold."""
    return Identity((H * K) ** 9 / (A * d**6 * H**20 * K**8), K / (A * d**6 * H**power))


def barrier_worst_case(instance: Instance, *, barrier: bool = True) -> Comparison:
    """Exact largest regret of the barrier over binary losses against the bound with the best alpha."""
    from solvers.adversarial_ftrl_simplex import LOG_BARRIER, worst_case_regret

    rounds = instance["rounds"]
    eta = math.sqrt(16.0 * math.log(rounds) / rounds)
    smoothing = parameters.best_smoothing(2, eta * rounds / 2.0)
    penalty = parameters.barrier_penalty(2, smoothing) / eta + smoothing * rounds / 2.0
    rhs = (penalty if barrier else math.log(2.0) / eta) + eta * rounds / 16.0
    return Comparison(worst_case_regret(LOG_BARRIER, eta, rounds), rhs)


BONUS_CHECKS = (
    Check(
        "adversarial_ftrl.dilated_identity",
        Symbolic(),
        dilated_step,
        (
            Mutant("exponent", "powers h - 1 of 1 + omega", {"exponent": -1}),
            Mutant("learner_weights", "occupancy of the learner in place of the comparator", {"weights": "policy"}),
        ),
    ),
    Check(
        "adversarial_ftrl.dilated_identity",
        Exact(CASES, per_unit=4),
        dilated_identity,
        (
            Mutant("exponent", "powers h - 1 of 1 + omega: short by a part omega / (1 + omega)", {"exponent": -1}),
            Mutant("learner_weights", "occupancy of the learner in place of the comparator", {"weights": "policy"}),
        ),
    ),
)

LEADER_CHECKS = (
    Check(
        "adversarial_ftrl.exponent_floor",
        Search(corners={"correlated arms": partial(Exponent, "correlated", 16_000)}),
        exponent_floor,
        (
            Mutant(
                "plain", "plain estimates with gamma = eta^2: exponents below -30", {"estimator": PLAIN, "ridge": 1.0}
            ),
        ),
    ),
    Check(
        "adversarial_ftrl.soft_optimality",
        Search(
            maximise=maximiser(
                soft_instance,
                kernel=Stochastic((3, 2, 2), 2),
                policy=Stochastic((3, 2), 2),
                losses=Box(-3.0, 3.0, (3, 2, 2)),
                initial=Simplex(2),
            )
        ),
        soft_optimality,
        (
            Mutant("start", "a uniform first state", {"follow": False}),
            Mutant("hard", "the least loss of the first stage in place of W", {"hard": True}),
        ),
    ),
    Check(
        "adversarial_ftrl.barrier_identity",
        Exact(REPLAYS, per_unit=len(REPLAYS)),
        barrier_identity,
        (
            Mutant("following", "the divergence to the last iterate is left out", {"following": False}),
            Mutant("reverse", "divergences with their arguments exchanged", {"reverse": True}),
        ),
    ),
    Check(
        "adversarial_ftrl.oreps_projection",
        Search(corners=PROJECTIONS),
        oreps_projection,
        (
            Mutant("dual", "dual variables that are off by a half", {"kept": 0.5}),
            Mutant("layers", "layers normalised one by one, without the flow constraints", {"projected": False}),
        ),
    ),
    Check(
        "adversarial_ftrl.run_certificate",
        Search(corners=RUNS),
        run_certificate,
        (
            Mutant("no_dilation", "omega = 0: nothing pays for the variance of the bonuses", {"dilation": 0.0}),
            Mutant("scale", "a fifth of the bound of the leader", {"scale": 0.2}),
            Mutant("martingale", "the martingale is left out", {"martingale": False}),
        ),
    ),
)

CONSTANT_CHECKS = (
    Check(
        "adversarial_ftrl.dilation_sum",
        Symbolic(),
        dilation_induction,
        (Mutant("shift", "H instead of H + 1", {"shift": 0}),),
    ),
    Check(
        "adversarial_ftrl.dilation_sum",
        Interval(),
        dilation_limit,
        (Mutant("scale", "(1 + 1/H)^H <= e^0.99", {"scale": sp.Rational(99, 100)}),),
    ),
    Check(
        "adversarial_ftrl.closed_constants",
        Exact(HORIZONS, per_unit=30),
        closed_constants,
        (
            Mutant("tabular", "3.70 instead of 3.71", {"tabular": "370/100"}),
            Mutant("barrier", "5.71 instead of 5.72", {"barrier": "571/100"}),
            Mutant("reduced", "9.68 instead of 9.69", {"reduced": "968/100"}),
        ),
    ),
    Check(
        "adversarial_ftrl.optimised_exponents",
        Search(corners={variant: partial(str, variant) for variant in EXPONENTS}),
        optimised_exponents,
        (Mutant("root", "exponent 1/2 for plain estimates", {"plain": 0.5}),),
        figure=orders.linear_figure,
    ),
    Check(
        "adversarial_ftrl.simulator_free_vacuity",
        Symbolic(),
        simulator_free_vacuity,
        (Mutant("power", "H^10 instead of H^11", {"power": 10}),),
    ),
    Check(
        "adversarial_ftrl.barrier_worst_case",
        Search(corners={f"{rounds} rounds": partial(dict, rounds=rounds) for rounds in (100, 1_000, 4_000)}),
        barrier_worst_case,
        (Mutant("vertex", "the penalty log(2) / eta of the entropy", {"barrier": False}),),
    ),
)

CHECKS = (*BONUS_CHECKS, *LEADER_CHECKS, *CONSTANT_CHECKS)
