r"""Checks of DR-RPO's adversaries and bonuses: worst models, caps, unreachable states, widths and sums.

Robust values, worst models and visits are exact (`solvers.dr_rpo_exact`); instances are those of
`proofs_check.papers.dr_rpo`.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from mdps import robust_instances
from mdps.linear import LinearMDP
from mdps.robust import RobustLinearMDP, SetKind
from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.search import Search
from proofs_check.papers.dr_rpo import BOUNDS, EXAMPLES, KINDS, PENALTY_TOLERANCE, Draw, corner, draws, two_arms
from solvers.dr_rpo_exact import (
    divergence_cost,
    evaluate,
    evaluate_under,
    log_reference,
    occupancies,
    optimal_plan,
    worst_model,
)
from solvers.robust_planning import divergence

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# Adversaries


def simplified_values(draw: Draw) -> FloatArray:
    """Return a policy's values ``(H + 1, S)`` by the dual that takes 0 for the least value: right for V >= 0."""
    robust, mdp = draw.robust, draw.robust.nominal
    values, law = np.zeros((mdp.horizon + 1, mdp.n_states)), np.exp(draw.log_policy)
    costs = divergence_cost(draw.log_policy, log_reference(mdp), draw.eta)
    for h in reversed(range(mdp.horizon)):
        levels = np.append(np.maximum(values[h + 1], 0.0), 0.0)
        duals = mdp.measures[h] @ np.minimum(values[h + 1][:, None], levels) - robust.levels[h][:, None] * levels
        q = mdp.staged_features[h] @ (mdp.weights[h] + duals.max(axis=1))
        values[h] = (law[h] * q).sum(axis=-1) - costs[h]
    return values


def moved(robust: RobustLinearMDP, state: int) -> LinearMDP:
    """Return the member of a ball whose factors moved towards one state as far as convexity says that they may.

    A law ``(1 - t) p + t e`` is at most ``t D(e, p)`` from p, and at ``t^2 D(e, p)`` for chi2.
    """
    nominal = robust.nominal.measures
    point = np.eye(robust.nominal.n_states)[state]
    apart = divergence(robust.divergence, point, nominal)
    shares = np.zeros(apart.shape)
    reachable = np.isfinite(apart)
    shares[reachable] = np.minimum(robust.levels[reachable] / np.maximum(apart[reachable], 1e-300), 1.0)
    shares = (np.sqrt(shares) if robust.divergence == "chi2" else shares)[..., None]
    return robust.nominal.with_measures((1.0 - shares) * nominal + shares * point)


def adversary(draw: Draw, *, simplified: bool = False, factor: float = 1.0) -> Iterator[Comparison]:
    """Compare a policy's robust value with those in its worst model, a member of the ball, and in extreme ones.

    A mutant takes ``factor`` times the radii for the value and the worst model.
    """
    robust, mdp = draw.robust, draw.robust.nominal
    top = 1.0 if robust.divergence == "tv" else np.inf
    taken = robust.with_levels(np.minimum(factor * robust.levels, top), robust.kind)
    exact = evaluate(taken, draw.log_policy, draw.eta).values
    value = float((simplified_values(draw) if simplified else exact)[0] @ mdp.initial)
    worst = worst_model(taken, exact)
    attained = evaluate_under(worst, draw.log_policy, draw.eta)[0] @ mdp.initial
    yield Comparison(value, float(attained), "==", where="attained", tolerance=PENALTY_TOLERANCE)
    excess = np.maximum(divergence(robust.divergence, worst.measures, mdp.measures) - robust.levels, 0.0)
    yield Comparison(float(excess.max()), 0.0, where="in the set", tolerance=PENALTY_TOLERANCE)
    for state in range(mdp.n_states):
        other = float(evaluate_under(moved(robust, state), draw.log_policy, draw.eta)[0] @ mdp.initial)
        yield Comparison(value, other, where=f"mass moved to state {state}", tolerance=PENALTY_TOLERANCE)


def caps(draw: Draw, *, radius: float | None = None, scale: float = 1.0) -> Iterator[Comparison]:
    """Compare optimal values with the caps; a mutant takes those of a ball of total variation whatever the set."""
    robust = draw.robust
    limits = robust.caps if radius is None else robust.with_levels(radius, "tv_constrained").caps
    tops = optimal_plan(robust).values.max(axis=1)
    for h in range(robust.horizon):
        yield Comparison(float(tops[h]), scale * float(limits[h]), where=f"stage {h + 1}")


def worst_occupancy(draw: Draw, *, kind: SetKind | None = None) -> Comparison:
    """Compare visits outside the fail state in the worst and the nominal model; among ties mass goes to that state."""
    robust = draw.robust if kind is None else draw.robust.with_levels(draw.robust.levels, kind)
    fail = draw.robust.nominal.n_states - 1 if draw.fail_state is None else draw.fail_state
    others = np.arange(robust.nominal.n_states) != fail
    values = evaluate(robust, draw.log_policy).values + 1e-9 * others
    worst, nominal = (
        occupancies(model, draw.log_policy).sum(axis=-1) for model in (worst_model(robust, values), robust.nominal)
    )
    return Comparison(float((worst - nominal)[:, others].max()), 0.0)


@dataclass(frozen=True)
class Shift:
    """A radius, and the probability of action 0 in the state that only the adversary reaches."""

    radius: float
    first: float


def shifts() -> "SearchStrategy[Shift]":
    """Return the strategy of shifts."""
    from hypothesis import strategies as st

    return st.builds(Shift, st.integers(0, 8).map(lambda k: k / 8.0), st.floats(0.01, 0.99))


def support_shift(shift: Shift, *, kind: SetKind = "tv_constrained", scale: float = 1.0) -> Iterator[Comparison]:
    """Compare the mean loss of one policy over the two models, and the visits that could tell them apart."""
    rho, losses = shift.radius, []
    law = np.full((3, 2, 2), 0.5)
    law[1, 1] = shift.first, 1.0 - shift.first
    for right, chance in ((0, shift.first), (1, 1.0 - shift.first)):
        robust = robust_instances.support_shift(rho, right).with_levels(rho, kind)
        value = float(evaluate(robust, np.log(law)).values[0, 0])
        losses.append(float(optimal_plan(robust).values[0, 0]) - value)
        yield Comparison(value, (1.0 - rho) ** 2 + rho * (1.0 - rho) * chance, "==", where=f"value {right}")
        visits = occupancies(robust.nominal, np.log(law))[:, 1]
        yield Comparison(float(visits.max()), 0.0, "==", where="visits")
    bound = scale * BOUNDS["dr_rpo.support_shift"].evaluate(K=1, rho=rho)
    yield Comparison(sum(losses) / 2.0, bound, "==", where="mean loss")
    yield Comparison(max(losses), bound, ">=", where="larger loss")


# Bonuses


@dataclass(frozen=True, eq=False)
class Design:
    """Features seen, ``(n, d)``, a feature asked for, ``(d,)``, and a ridge."""

    seen: FloatArray
    feature: FloatArray
    ridge: float

    def inverse(self) -> FloatArray:
        """Return the inverse covariance."""
        d = len(self.feature)
        result: FloatArray = np.linalg.inv(self.ridge * np.eye(d) + self.seen.T @ self.seen).astype(np.float64)
        return result


def designs() -> "SearchStrategy[Design]":
    """Return the strategy of designs in one to three dimensions."""
    from hypothesis import strategies as st

    from mdps import strategies

    def of_dimension(d: int) -> "SearchStrategy[Design]":
        rows = st.lists(strategies.distributions(d), min_size=1, max_size=8).map(np.array)
        ridges = st.integers(1, 16).map(lambda k: k / 8.0)
        return st.builds(Design, rows, strategies.distributions(d), ridges)

    return st.integers(1, 3).flatmap(of_dimension)


def bonus_order(design: Design, *, power: float = -0.5, scale: float = 1.0) -> Iterator[Comparison]:
    """Compare the elliptic norm, the bonus of the factors and the least eigenvalue."""
    inverse, phi = design.inverse(), design.feature
    bonus = scale * float(phi @ np.sqrt(np.diag(inverse)))
    yield Comparison(float(np.sqrt(phi @ inverse @ phi)), bonus, where="elliptic")
    yield Comparison(bonus, float((1.0 / np.linalg.eigvalsh(inverse).max()) ** power), where="eigenvalue")


def aligned_errors(design: Design, *, root: bool = False) -> Comparison:
    """Compare the largest error over all signs of the errors of the factors with the bonus."""
    phi, widths = design.feature, np.sqrt(np.diag(design.inverse()))
    signs = np.array(list(product((-1.0, 1.0), repeat=len(phi))))
    bonus = float(np.linalg.norm(phi * widths)) if root else float(phi @ widths)
    return Comparison(float((signs @ (phi * widths)).max()), bonus)


@dataclass(frozen=True)
class Growth:
    """Ridge, coverage and number of episodes."""

    ridge: float
    coverage: float
    episodes: int


def growths() -> "SearchStrategy[Growth]":
    """Return the strategy of growths."""
    from hypothesis import strategies as st

    return st.builds(Growth, st.floats(0.125, 8.0), st.floats(1e-3, 1.0), st.integers(1, 5_000))


def coverage_sums(growth: Growth, *, root: float = 8.0, harmonic: float = 2.0) -> Iterator[Comparison]:
    """Compare the sums of the losses under coverage, but for their factors, with the closed forms."""
    K, ridge, coverage = growth.episodes, growth.ridge, growth.coverage
    sizes = ridge + coverage * np.arange(K) / 2.0
    yield Comparison(float((sizes**-0.5).sum()), ridge**-0.5 + math.sqrt(root * K / coverage), where="root")
    closed = 1.0 / ridge + harmonic / coverage * math.log1p(coverage * K / (2.0 * ridge))
    yield Comparison(float((1.0 / sizes).sum()), closed, where="harmonic")


def _rewarding(kind: SetKind, level: float) -> Draw:
    model = robust_instances.random_tabular(0, reward=1.0)
    return corner(RobustLinearMDP(model, kind, level, 2), 0.1)


def _chain(kind: SetKind, level: float) -> Draw:
    return corner(RobustLinearMDP(robust_instances.leaking_chain(4), kind, level, 1), 0.1)


CAPPED: Mapping[str, Callable[[], Draw]] = {
    "all rewards 1": lambda: _rewarding("kl_regularised", 2.0),
    "chain, ball": lambda: _chain("tv_constrained", 0.25),
    "chain, penalty": lambda: _chain("tv_regularised", 0.6),
}
"""Large values; those of the chains are equal to their caps."""


def _random_ball() -> Draw:
    return corner(RobustLinearMDP(robust_instances.random_linear(0), "tv_constrained", 0.03, 5), 0.1)


CHECKS = (
    Check(
        "dr_rpo.adversary",
        Search(
            draws("tv_constrained", "kl_constrained", "chi2_constrained"),
            EXAMPLES,
            corners={"costly policy": lambda: corner(two_arms(), 2.0, 0.001)},
        ),
        adversary,
        (
            Mutant(
                "simplified_dual",
                "the dual of nonnegative values for a policy whose divergence makes its values negative",
                {"simplified": True},
            ),
            Mutant("wide", "twice the radii: the worst model is outside the set", {"factor": 2.0}),
            Mutant("narrow", "half of the radii: the value is not the least", {"factor": 0.5}),
        ),
    ),
    Check(
        "dr_rpo.caps",
        Search(draws(*KINDS), EXAMPLES, corners=CAPPED),
        caps,
        (
            Mutant("tv_caps", "the caps of total variation with radius 1/2 for every set", {"radius": 0.5}),
            Mutant("less", "99/100 of the caps", {"scale": 0.99}),
        ),
    ),
    Check(
        "dr_rpo.worst_occupancy",
        Search(draws("tv_constrained", "tv_regularised"), EXAMPLES, corners={"random": _random_ball}),
        worst_occupancy,
        (Mutant("relative_entropy", "a ball of relative entropy instead", {"kind": "kl_constrained"}),),
    ),
    Check(
        "dr_rpo.support_shift",
        Search(shifts, EXAMPLES),
        support_shift,
        (
            Mutant("on_the_support", "an adversary kept on the support", {"kind": "kl_constrained"}),
            Mutant("more", "1.01 times the bound", {"scale": 1.01}),
        ),
    ),
    Check(
        "dr_rpo.bonus_order",
        Search(designs, EXAMPLES),
        bonus_order,
        (
            Mutant("inverse", "the inverse of the eigenvalue, without the root", {"power": -1.0}),
            Mutant("smaller", "99/100 of the bonus", {"scale": 0.99}),
        ),
    ),
    Check(
        "dr_rpo.coverage_sums",
        Search(growths, EXAMPLES, corners={"many episodes": lambda: Growth(1.0, 1.0, 10**6)}),
        coverage_sums,
        (
            Mutant("smaller_root", "7.8 instead of 8", {"root": 7.8}),
            Mutant("smaller_factor", "1.9 instead of 2 in front of the logarithm", {"harmonic": 1.9}),
        ),
    ),
    Check(
        "dr_rpo.aligned_errors",
        Search(designs, EXAMPLES),
        aligned_errors,
        (Mutant("root", "the root of the sum of squares, as in public code", {"root": True}),),
    ),
)
