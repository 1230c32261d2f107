r"""Checks of DR-RPO's policy steps, robust value differences and regularisation.

Robust values, worst models and visits are exact (`solvers.dr_rpo_exact`); searches draw small robust linear models with
a fail state, policies of full support and temperatures. Every policy of full support is the softmax of some table
:math:`\hat Q = \eta \log(\pi / \tilde\pi)`, up to a constant a state, so that drawing policies draws such tables.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from mdps import robust_instances
from mdps.linear import LinearMDP
from mdps.robust import RobustLinearMDP, SetKind
from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes
from proofs_check.methods.convex import Convex, Optimum
from proofs_check.methods.search import Search
from proofs_check.methods.symbolic import Identity, Inequality, Symbolic
from solvers.dr_rpo_exact import (
    divergence_cost,
    evaluate,
    log_reference,
    occupancies,
    optimal_plan,
    worst_model,
)
from theory import dr_rpo as theory
from theory.symbols import eta, lam

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

KINDS: tuple[SetKind, ...] = (
    "tv_constrained",
    "tv_regularised",
    "kl_constrained",
    "kl_regularised",
    "chi2_constrained",
    "chi2_regularised",
)

PENALTY_TOLERANCE = 1e-8
"""Room for the root search behind the worst laws of relative entropy."""

EXAMPLES = Sizes(25, full=1_500)

FIXED, GROWING = (False,), (True,)
"""The two step sizes of the online regret."""

BOUNDS = {claim.id: claim.explicit_bound for claim in theory.CLAIMS if claim.bound is not None}


# Identities


def three_point(*, total: str = "both", excess: sp.Expr = sp.S.Zero) -> Identity:
    """Return the identity of the terms of one action; the mean over actions under pi is the claim, as pi sums to one.

    The maximum is ``c log z``, the maximiser ``exp((Q + eta log reference + log before / alpha) / c) / z``.
    """
    law, reference, before, z, rate = sp.symbols("p r b z rate", positive=True)
    value = sp.Symbol("q", real=True)
    c = eta + rate if total == "both" else rate
    exponent = (value + eta * sp.log(reference) + rate * sp.log(before)) / c
    objective = value - eta * (sp.log(law) - sp.log(reference)) - rate * (sp.log(law) - sp.log(before))
    divergence = sp.log(law) - (exponent - sp.log(z))
    return Identity(objective, c * sp.log(z) - (c + excess) * divergence)


def repeated_feature(*, part: sp.Expr = sp.Rational(1, 4)) -> dict[str, Identity | Inequality]:
    """Return the entry of the inverse of a 2 x 2 matrix, and that it stays above one half of 1 / lambda."""
    count = sp.Symbol("k", nonnegative=True)
    entry = (lam + count / 4) / ((lam + count / 4) ** 2 - (count / 4) ** 2)
    closed = (1 - part * count / (lam + count / 2)) / lam
    return {"inverse": Identity(entry, closed), "above": Inequality(1 / (2 * lam), closed, relation="<")}


def linear_programme(robust: RobustLinearMDP, *, radius: float = 1.0, least: bool = True) -> Optimum:
    """Return the programme of a policy's robust value under total variation, and the value of dynamic programming."""
    import cvxpy as cp

    mdp = robust.nominal
    H, d, S = mdp.measures.shape
    law = np.random.default_rng(0).dirichlet(np.ones(mdp.n_actions), (H, S))
    value = evaluate(robust, np.log(law)).values[0, 0]
    values = [cp.Variable(S) for _ in range(H)]
    constraints = []
    for h in range(H):
        mixed = np.einsum("sa,sai->si", law[h], mdp.staged_features[h])
        if h + 1 == H:
            constraints.append(values[h] <= mixed @ mdp.weights[h])
            continue
        nu, alpha, lowered, low = cp.Variable(d), cp.Variable(d), cp.Variable((d, S)), cp.Variable()
        constraints += [values[h] <= mixed @ (mdp.weights[h] + nu), low <= values[h + 1], alpha >= low]
        for i in range(d):
            floor = low if least else 0.0
            spent = radius * robust.levels[h, i] * (alpha[i] - floor)
            constraints += [nu[i] <= mdp.measures[h, i] @ lowered[i] - spent]
            constraints += [lowered[i] <= values[h + 1], lowered[i] <= alpha[i]]
    return Optimum(cp.Problem(cp.Maximize(values[0][0]), constraints), Fraction(float(value)))


def _without_fail_state(seed: int) -> RobustLinearMDP:
    """Two stages, two states, two factors, rewards of at least 1/4: the least value is not zero."""
    random = np.random.default_rng(seed)
    measures, features = random.dirichlet(np.ones(2), (2, 2)), random.dirichlet(np.ones(2), (2, 2))
    weights = 0.25 + 0.75 * random.random((2, 2))
    return RobustLinearMDP(LinearMDP(features, measures, weights), "tv_constrained", 0.25)


# Draws


@dataclass(frozen=True, eq=False)
class Draw:
    """A robust model, a policy by its logarithms, ``(H, S, A)``, and a temperature."""

    robust: RobustLinearMDP
    log_policy: FloatArray
    eta: float

    @property
    def fail_state(self) -> int | None:
        """The fail state of the model."""
        return self.robust.fail_state

    @property
    def unit_rewards(self) -> bool:
        """Whether all rewards lie in [0, 1]."""
        return self.robust.unit_rewards


def draws(*kinds: SetKind) -> "Callable[[], SearchStrategy[Draw]]":
    """Return the strategy of draws with sets of the given kinds, as `Search` takes it."""

    def strategy() -> "SearchStrategy[Draw]":
        from hypothesis import strategies as st

        from mdps import strategies

        def with_policy(robust: RobustLinearMDP) -> "SearchStrategy[Draw]":
            temperatures = st.integers(1, 8).map(lambda k: k / 8.0)
            return st.builds(Draw, st.just(robust), strategies.log_policies(robust.nominal), temperatures)

        sizes = {"max_states": 2, "max_actions": 2, "max_factors": 2}
        return strategies.robust_mdps(kinds, **sizes).flatmap(with_policy)

    return strategy


def corner(robust: RobustLinearMDP, temperature: float, lowest: float = 0.02) -> Draw:
    """Return a draw whose policy plays the last action, and every other one with probability ``lowest``."""
    mdp = robust.nominal
    law = np.full((mdp.horizon, mdp.n_states, mdp.n_actions), lowest)
    law[:, :, -1] = 1.0 - lowest * (mdp.n_actions - 1)
    return Draw(robust, np.log(law), temperature)


def two_arms(horizon: int = 3, radius: float = 0.125) -> RobustLinearMDP:
    """One state that nothing nominally leaves, and two actions, of which one pays 1 and the other nothing."""
    measures = np.array([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]] * horizon)
    features = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]] * 2])
    model = LinearMDP(features, measures, [[1.0, 0.0, 0.0]] * horizon)
    return RobustLinearMDP(model, "tv_constrained", radius, 1)


CORNERS: Mapping[str, Callable[[], Draw]] = {
    "two arms": lambda: corner(two_arms(), 0.1),
    "stuck": lambda: corner(robust_instances.stuck(), 0.2),
    "simulated, ball everywhere": lambda: corner(robust_instances.simulated_robust(0.3, everywhere=True), 0.1),
    "simulated, relative entropy": lambda: corner(
        robust_instances.simulated_robust(0.2, kind="kl_regularised", everywhere=True), 0.1
    ),
}

GAPS: Mapping[str, Callable[[], Draw]] = {
    "uniform policy, hot": lambda: corner(two_arms(1), 4.0, 0.5),
    "wrong arm, cold": lambda: corner(two_arms(1), 0.001, 0.001),
}
"""One stage on which a term of the quadratic gap is nearly attained: the square, and the span."""


# Policies


def performance_sandwich(draw: Draw, *, scale: float = 1.0, swapped: bool = False) -> Iterator[Comparison]:
    """Compare the loss of a policy with its divergence from the optimum, under the two worst models."""
    robust, mdp = draw.robust, draw.robust.nominal
    best, own = optimal_plan(robust, draw.eta), evaluate(robust, draw.log_policy, draw.eta)
    loss = float((best.values[0] - own.values[0]) @ mdp.initial)
    divergences = scale * divergence_cost(draw.log_policy, best.log_policy, draw.eta)
    costs = [
        float((occupancies(worst_model(robust, plan.values), draw.log_policy).sum(axis=-1) * divergences).sum())
        for plan in ((own, best) if swapped else (best, own))
    ]
    yield Comparison(costs[0], loss, where="below", tolerance=PENALTY_TOLERANCE)
    yield Comparison(loss, costs[1], where="above", tolerance=PENALTY_TOLERANCE)


def quadratic_gap(draw: Draw, *, constant: float = 0.125, linear: float = 1.0) -> Comparison:
    """Compare the loss of a softmax policy with the squared spans of its errors, in its own worst model."""
    robust, mdp = draw.robust, draw.robust.nominal
    table = draw.eta * (draw.log_policy - log_reference(mdp))
    best, own = optimal_plan(robust, draw.eta), evaluate(robust, draw.log_policy, draw.eta)
    spans = np.ptp(table - best.q_values, axis=-1)
    visits = occupancies(worst_model(robust, own.values), draw.log_policy).sum(axis=-1)
    bound = (visits * np.minimum(constant * spans**2 / draw.eta, linear * spans)).sum()
    return Comparison(float((best.values[0] - own.values[0]) @ mdp.initial), float(bound), tolerance=PENALTY_TOLERANCE)


def price_of_regularisation(draw: Draw, *, scale: float = 1.0, stages: int | None = None) -> Iterator[Comparison]:
    """Compare the optimal values with and without regularisation, at the state where they differ most."""
    robust = draw.robust
    gaps = optimal_plan(robust).values[0] - optimal_plan(robust, draw.eta).values[0]
    price = BOUNDS["dr_rpo.price_of_regularisation"].evaluate(
        eta=draw.eta,
        pi_min=1.0 / robust.nominal.n_actions,
        rho=float(robust.levels[0, 0]),
        H=robust.horizon if stages is None else stages,
    )
    yield Comparison(0.0, float(gaps.min()), where="nonnegative")
    yield Comparison(float(gaps.max()), scale * price, where="price")


def softmax_coverage(draw: Draw, *, exponent: float = 1.0) -> Comparison:
    """Compare expected outer products of the features; the least eigenvalue of the difference must not be negative."""
    mdp = draw.robust.nominal
    base = np.broadcast_to(log_reference(mdp), draw.log_policy.shape)
    ranges = np.ptp(draw.log_policy - base, axis=-1).max(axis=-1)  # B_h / eta, of the table that the policy comes from
    kept = np.exp(-exponent * np.cumsum(ranges))
    mine, theirs = (
        np.einsum("hsa,hsai,hsaj->hij", occupancies(mdp, policy), mdp.staged_features, mdp.staged_features)
        for policy in (draw.log_policy, np.array(base))
    )
    least = float(np.linalg.eigvalsh(mine - kept[:, None, None] * theirs).min())
    return Comparison(0.0, least)


@dataclass(frozen=True, eq=False)
class Rounds:
    """Tables ``(K, A)`` in [0, 1] of one state, a comparator ``(A,)``, a temperature and a step."""

    tables: FloatArray
    comparator: FloatArray
    eta: float
    step: float


def rounds() -> "SearchStrategy[Rounds]":
    """Return the strategy of rounds with two or three actions."""
    from hypothesis import strategies as st

    from mdps import strategies

    def of_size(n_actions: int) -> "SearchStrategy[Rounds]":
        tables = st.lists(strategies.value_vectors(n_actions), min_size=1, max_size=12).map(np.array)
        numbers = st.integers(1, 16).map(lambda k: k / 8.0)
        return st.builds(Rounds, tables, strategies.distributions(n_actions), numbers, numbers)

    return st.integers(2, 3).flatmap(of_size)


def alternating(episodes: int, temperature: float, step: float) -> Rounds:
    """Return rounds that punish the action that the learner has come to prefer, and the reference to compare with."""
    tables = np.zeros((episodes, 2))
    tables[np.arange(episodes), np.arange(episodes) % 2] = 1.0
    return Rounds(tables, np.array([0.5, 0.5]), temperature, step)


def online_regret(
    rounds: Rounds, *, start: float = 1.0, stability: float = 0.5, branches: tuple[bool, ...] = (False, True)
) -> Iterator[Comparison]:
    """Compare the regularised regret of the proximal step with its bound, for a constant and a growing 1 / alpha."""
    A = rounds.tables.shape[1]
    base = np.full(A, -np.log(A))
    comparator = rounds.comparator
    positive = comparator > 0.0
    distance = float((comparator[positive] * (np.log(comparator[positive]) - base[positive])).sum())
    for growing in branches:
        log_policy, regret, spread = base, 0.0, 0.0
        for k, table in enumerate(rounds.tables, start=1):
            rate = rounds.eta * k if growing else 1.0 / rounds.step
            policy = np.exp(log_policy)
            regret += float(comparator @ table - rounds.eta * distance)
            regret -= float(policy @ table - rounds.eta * (policy @ (log_policy - base)))
            spread += 1.0 / (rounds.eta + rate)
            exponent = (table + rounds.eta * base + rate * log_policy) / (rounds.eta + rate)
            log_policy = exponent - np.log(np.exp(exponent).sum())
        first = rounds.eta if growing else 1.0 / rounds.step
        yield Comparison(regret, start * first * distance + stability * spread, where="growing" if growing else "fixed")


PROGRAMMES: Mapping[str, Any] = {f"random {seed}": _without_fail_state(seed) for seed in range(2)}

CHECKS = (
    Check(
        "dr_rpo.three_point",
        Symbolic(),
        three_point,
        (
            Mutant("no_regulariser", "the maximiser with c = 1 / alpha, the reference forgotten", {"total": "step"}),
            Mutant("more_curvature", "c + 1/100 times the divergence", {"excess": sp.Rational(1, 100)}),
        ),
    ),
    Check(
        "dr_rpo.repeated_feature",
        Symbolic(),
        repeated_feature,
        (Mutant("whole", "k / 2 instead of k / 4: the bonus would tend to zero", {"part": sp.Rational(1, 2)}),),
    ),
    Check(
        "dr_rpo.linear_programme",
        Convex(PROGRAMMES),
        linear_programme,
        (
            Mutant("no_half", "the L1 norm instead of total variation: twice the radius", {"radius": 2.0}),
            Mutant("no_least_value", "the dual without its least value", {"least": False}),
        ),
    ),
    Check(
        "dr_rpo.performance_sandwich",
        Search(draws(*KINDS), EXAMPLES, corners=CORNERS),
        performance_sandwich,
        (
            Mutant("swapped", "the two worst models exchanged", {"swapped": True}),
            Mutant("less", "99/100 of the divergence", {"scale": 0.99}),
            Mutant("more", "101/100 of the divergence", {"scale": 1.01}),
        ),
    ),
    Check(
        "dr_rpo.quadratic_gap",
        Search(draws(*KINDS), EXAMPLES, corners={**CORNERS, **GAPS}),
        quadratic_gap,
        (
            Mutant("smaller", "0.12 instead of 1/8", {"constant": 0.12}),
            Mutant("part_of_span", "98/100 of the span where it is the smaller term", {"linear": 0.98}),
        ),
    ),
    Check(
        "dr_rpo.price_of_regularisation",
        Search(draws("tv_constrained"), EXAMPLES, corners={"two arms": CORNERS["two arms"]}),
        price_of_regularisation,
        (
            Mutant("less", "99/100 of the price", {"scale": 0.99}),
            Mutant("one_stage", "the price of one stage only", {"stages": 1}),
        ),
    ),
    Check(
        "dr_rpo.online_regret",
        Search(
            rounds,
            EXAMPLES,
            corners={
                "alternating": lambda: alternating(40, 8.0, 4.0),
                "steady": lambda: Rounds(np.array([[1.0, 0.0]] * 400), np.array([1.0, 0.0]), 2.0**-9, 0.01),
            },
        ),
        online_regret,
        (
            Mutant("fixed", "a constant step, 3/5 of the terms of the steps", {"stability": 0.3, "branches": FIXED}),
            Mutant("growing", "growing 1/alpha, 7/25 of those terms", {"stability": 0.14, "branches": GROWING}),
            Mutant("start", "a constant step, 9/10 of the distance", {"start": 0.9, "branches": FIXED}),
        ),
    ),
    Check(
        "dr_rpo.softmax_coverage",
        Search(draws("tv_constrained"), EXAMPLES, corners=CORNERS),
        softmax_coverage,
        (Mutant("half_exponent", "half of the exponent", {"exponent": 0.5}),),
    ),
)
