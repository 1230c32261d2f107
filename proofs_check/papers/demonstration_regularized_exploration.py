r"""Checks of certified identification: bounds on the event, the stopping rule, episodes, and the rate in the accuracy.

On the event the true transitions are within the radii, :math:`\mathrm{KL}(\hat p \| p) \le x`; searches draw models,
estimates and the smallest such radii, and compare a plan with the truth. *Doors* is the instance on which a plan is
nearly as wrong as its certificate says: at the start one of two actions leads to the state that pays at the last stage,
and the estimate, still uniform, believes in both. Gaps of the output are exact.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mdps import demonstration_instances as instances
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray
from proofs_check.cases import OnModel
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.montecarlo import MonteCarlo, Sample
from proofs_check.methods.rates import Rates
from proofs_check.methods.search import Search
from proofs_check.methods.statistics import runs_needed
from proofs_check.papers.demonstration_regularized import ALPHA, DELTA
from proofs_check.papers.demonstration_regularized_cloning import BOUNDS
from solvers.demonstration_regularized import (
    CERTIFIED,
    EntropyPlan,
    Identification,
    Settings,
    exploring_policies,
    identify,
    plan,
)
from solvers.demonstration_regularized_cloning import (
    regularised_gap,
    regularised_optimum,
    state_occupancy,
)

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

RUNS = 200

LAZY = Settings(growth=1.02)
"""Plans again when the number of episodes has grown by 2 %: certified like the others."""

FEWER = runs_needed(DELTA, ALPHA)


def doors(n_states: int = 8, n_actions: int = 2, paying: int = 1, pay: float = 1.0) -> FiniteHorizonMDP:
    """Return two stages: action 0 leads to state 1 and every other one to state 0; one of them pays at the end."""
    kernel = np.zeros((n_states, n_actions, n_states))
    kernel[:, 0, 1] = 1.0
    kernel[:, 1:, 0] = 1.0
    rewards = np.zeros((2, n_states, n_actions))
    rewards[1, paying] = pay
    return FiniteHorizonMDP(kernel, rewards, 2)


def coins() -> FiniteHorizonMDP:
    """Return two stages: the actions lead to the state that pays with probabilities 0.6 and 0.4."""
    rewards = np.zeros((2, 2, 2))
    rewards[1, 1] = 1.0
    return FiniteHorizonMDP([[[0.4, 0.6], [0.6, 0.4]]] * 2, rewards, 2)


def uniform(mdp: FiniteHorizonMDP) -> FloatArray:
    """Return the uniform reference."""
    return np.full((mdp.horizon, mdp.n_states, mdp.n_actions), 1.0 / mdp.n_actions)


# Plans on the event


@dataclass(frozen=True, eq=False)
class Estimate(OnModel):
    """A model, estimated laws ``(H, S, A, S)`` (None: no data), a reference and a regularisation."""

    mdp: FiniteHorizonMDP
    laws: FloatArray | None
    reference: FloatArray
    lam: float

    @property
    def estimates(self) -> FloatArray:
        """The laws, uniform without data."""
        H, S, A = self.reference.shape
        return np.full((H, S, A, S), 1.0 / S) if self.laws is None else self.laws

    @property
    def radii(self) -> FloatArray:
        """Smallest radii that contain the true transitions, ``(H, S, A)``."""
        if self.laws is None:
            return np.full(self.reference.shape, np.inf)
        ratio = np.where(self.laws > 0.0, self.laws, 1.0) / np.where(self.laws > 0.0, kernels_of(self.mdp), 1.0)
        radii: FloatArray = np.maximum((self.laws * np.log(ratio)).sum(axis=-1), 0.0)
        return radii

    def plan(self, settings: Settings = CERTIFIED) -> EntropyPlan:
        """Return the plan for these estimates and radii."""
        return plan(self.mdp, self.estimates, self.radii, self.reference, self.lam, settings)


def kernels_of(mdp: FiniteHorizonMDP) -> FloatArray:
    """Return the transitions of every stage, ``(H, S, A, S)``."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions, mdp.n_states)
    return np.broadcast_to(mdp.transitions, shape)


def estimates() -> "SearchStrategy[Estimate]":
    """Return the strategy of estimates that are mixtures of the truth and of another law on its support."""
    from hypothesis import strategies as st

    def build(seed: int, shape: tuple[int, int, int], closeness: float, tilt: float, lam: float) -> Estimate:
        random = np.random.default_rng(seed)
        mdp = instances.random_model(seed, *shape)
        other = random.dirichlet(np.ones(shape[0]), (shape[2], shape[0], shape[1]))
        laws = closeness * kernels_of(mdp) + (1.0 - closeness) * other
        return Estimate(mdp, laws, instances.tilted_reference(mdp, tilt), lam)

    return st.builds(
        build,
        st.integers(0, 2**16),
        st.tuples(st.integers(2, 3), st.just(2), st.integers(2, 4)),
        st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.999]),
        st.sampled_from([0.5, 0.1, 0.99]),
        st.sampled_from([0.03, 0.3, 3.0]),
    )


def nearly_fair(shift: float, lam: float) -> Estimate:
    """Return two states, of which one pays at the last stage, reached by a fair coin that is estimated a little off."""
    kernel = np.full((2, 2, 2), 0.5)
    rewards = np.zeros((2, 2, 2))
    rewards[1, 1] = 1.0
    mdp = FiniteHorizonMDP(kernel, rewards, 2)
    laws = np.broadcast_to([0.5 + shift, 0.5 - shift], (2, 2, 2, 2)).copy()
    return Estimate(mdp, laws, uniform(mdp), lam)


def one_sided(shift: float, lam: float) -> Estimate:
    """Return `nearly_fair` with an error of one action only, which the reference hardly plays."""
    case = nearly_fair(shift, lam)
    laws = case.estimates.copy()
    laws[:, :, 1] = 0.5
    return replace(case, laws=laws, reference=instances.tilted_reference(case.mdp, 1e-3))


def two_sided(shift: float, lam: float) -> Estimate:
    """Return `nearly_fair` with errors of both actions, in opposite directions: one upper value is right."""
    case = nearly_fair(shift, lam)
    laws = case.estimates.copy()
    laws[:, :, 1] = laws[:, :, 0, ::-1]
    return replace(case, laws=laws)


def alternating(horizon: int, lam: float) -> Estimate:
    """Return one state that pays 1 at every stage and one that pays nothing, without data."""
    rewards = np.array([[0.0, 0.0], [1.0, 1.0]])
    mdp = FiniteHorizonMDP(np.full((2, 2, 2), 0.5), rewards, horizon)
    return Estimate(mdp, None, uniform(mdp), lam)


def blind_doors(lam: float) -> Estimate:
    """Return `doors` without data."""
    mdp = doors()
    return Estimate(mdp, None, uniform(mdp), lam)


CORNERS: Mapping[str, Callable[[], Estimate]] = {
    "fair coin": partial(nearly_fair, 0.01, 0.3),
    "fair coin, the other side": partial(nearly_fair, -0.01, 0.3),
    "one wrong action": partial(one_sided, 0.01, 0.3),
    "two wrong actions": partial(two_sided, 0.01, 0.3),
    "doors without data": partial(blind_doors, 3.0),
    "doors without data, weak regularisation": partial(blind_doors, 1e-3),
    "alternating without data": partial(alternating, 3, 0.3),
}


def optimism(case: Estimate, *, scale: float = 1.0) -> Iterator[Comparison]:
    """Compare the bounds with Q* where they are closest."""
    found = case.plan(replace(CERTIFIED, scale=scale))
    best = regularised_optimum(case.mdp, case.reference, case.lam).q
    yield Comparison(float((best - found.upper_q).max()), 0.0, where="above")
    yield Comparison(float((found.lower_q - best).max()), 0.0, where="below")


def certificate(case: Estimate, *, constant: float = 8.0, scale: float = 1.0) -> Iterator[Comparison]:
    """Compare the gap of a plan with the expected local terms, and these with its certificate."""
    mdp = case.mdp
    found = case.plan(replace(CERTIFIED, constant=constant, scale=scale))
    gap = float(regularised_gap(mdp, found.policy, case.reference, case.lam))
    expected = float((state_occupancy(mdp, found.policy) * found.local).sum())
    yield Comparison(gap, expected, where="local terms")
    yield Comparison(expected, float(mdp.initial @ found.gap[0]), where="certificate")


def certificate_by_radii(case: Estimate, *, scale: float = 1.0) -> Comparison:
    """Compare the certificate with the mean radius under the exploring policies."""
    mdp, H = case.mdp, case.mdp.horizon
    found = case.plan(replace(CERTIFIED, mode="range"))
    played = exploring_policies(found.policy, found.widest)
    visits = (state_occupancy(mdp, played)[..., None] * played).mean(axis=0)
    radius = float((visits * np.minimum(1.0, case.radii))[: H - 1].sum())
    bound = BOUNDS["certificate_by_radii"].evaluate(**{"H": H, "lambda": case.lam, "mean_radius": radius})
    return Comparison(float(mdp.initial @ found.gap[0]), scale * bound)


def no_exploration(case: Estimate, *, threshold: float = 1.0) -> Comparison:
    """Compare the certificate without data, at the regularisation of the claim, with the accuracy."""
    accuracy = 0.1
    lam = threshold * BOUNDS["no_exploration"].evaluate(H=case.mdp.horizon, epsilon=accuracy)
    found = replace(case, laws=None, lam=lam).plan()
    return Comparison(float(case.mdp.initial @ found.gap[0]), accuracy)


# Runs


@dataclass(frozen=True, eq=False)
class Problem(OnModel):
    """A model, a reference, a regularisation and an accuracy."""

    mdp: FiniteHorizonMDP
    reference: FloatArray
    lam: float
    epsilon: float

    @property
    def sizes(self) -> dict[str, float]:
        """Values of the symbols of the bounds."""
        known: dict[str, float] = {"S": self.mdp.n_states, "A": self.mdp.n_actions, "H": self.mdp.horizon}
        return {**known, "lambda": self.lam, "epsilon": self.epsilon, "delta": DELTA}

    def identify(self, seeds: np.random.SeedSequence, runs: int, settings: Settings) -> Identification:
        """Run UCBVI-Ent+."""
        return identify(
            self.mdp,
            self.reference,
            self.lam,
            self.epsilon,
            seeds=seeds,
            runs=runs,
            delta=DELTA,
            settings=settings,
        )


def with_uniform(mdp: FiniteHorizonMDP, lam: float, epsilon: float) -> Problem:
    """Return the problem with the uniform reference."""
    return Problem(mdp, uniform(mdp), lam, epsilon)


def problems(tier: Tier) -> Mapping[str, Callable[[], Problem]]:
    """Return the instances of the stopping rule."""
    known: dict[str, Callable[[], Problem]] = {
        "coins, lambda=0.05, epsilon=0.05": lambda: with_uniform(coins(), 0.05, 0.05),
        "doors, lambda=3, epsilon=0.0413": lambda: with_uniform(doors(), 3.0, 0.0413),
        "chain S=3 H=3, lambda=0.3, epsilon=0.1": lambda: with_uniform(instances.reflecting_chain(3, 3), 0.3, 0.1),
    }
    if tier != Tier.QUICK:
        chain = instances.reflecting_chain()
        known["chain, lambda=0.3, epsilon=0.1"] = lambda: with_uniform(chain, 0.3, 0.1)
        known["chain, hidden action"] = lambda: Problem(chain, instances.tilted_reference(chain, 0.1), 0.3, 0.1)
    return known


def stopping_rule(
    problem: Problem,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    scale: float = 1.0,
    constant: float = 8.0,
) -> Sample:
    """Return the exact regularised gaps of the outputs of independent runs."""
    found = problem.identify(seeds, runs, replace(LAZY, scale=scale, constant=constant))
    gaps = regularised_gap(problem.mdp, found.policy, problem.reference, problem.lam)
    return Sample(np.where(found.stopped, gaps, 0.0), BOUNDS["pac"].evaluate(epsilon=problem.epsilon))


def event(
    problem: Problem,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    scale: float = 1.0,
    constant: float = 8.0,
) -> Sample:
    """Return by how much the worst plan of a run misses an optimal action value, or its own gap."""
    found = identify(
        problem.mdp,
        problem.reference,
        problem.lam,
        problem.epsilon,
        seeds=seeds,
        runs=runs,
        delta=DELTA,
        settings=replace(LAZY, scale=scale, constant=constant),
        check=True,
    )
    return Sample(np.maximum(found.largest_violation, found.excess), 0.0)


def episodes(
    problem: Problem,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    factor: float = 1.0,
    settings: Settings = CERTIFIED,
) -> Sample:
    """Return the stopping times, and the right sides of their bound at these times."""
    times = problem.identify(seeds, runs, settings).episodes
    bound = BOUNDS["sample_complexity"]
    return Sample(times, [factor * bound.evaluate(**problem.sizes, T=float(max(T, 1))) for T in times])


EPISODES: Mapping[str, Callable[[], Problem]] = {
    "chain S=2 H=2, lambda=0.1, epsilon=0.05": lambda: with_uniform(instances.reflecting_chain(2, 2), 0.1, 0.05),
    "chain S=3 H=3, lambda=0.3, epsilon=0.4": lambda: with_uniform(instances.reflecting_chain(3, 3), 0.3, 0.4),
}


def accuracy_rate(
    budget: int,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    n_states: int,
    lam: float,
    settings: Settings = LAZY,
) -> FloatArray:
    """Return the stopping times on a chain for accuracy 1 / budget."""
    mdp = instances.reflecting_chain(n_states, n_states)
    problem = with_uniform(mdp, lam, 1.0 / budget)
    return problem.identify(seeds, runs, settings).episodes.astype(np.float64)


# A hidden action


def hidden_action(limit: int, seeds: np.random.SeedSequence, runs: int, *, explore: bool = True) -> Sample:
    """Return the stopping times on a chain whose reference hardly plays the action that the certificate needs."""
    mdp = instances.reflecting_chain(3, 3)
    settings = replace(LAZY, exploration=explore)
    found = identify(
        mdp,
        instances.tilted_reference(mdp, 0.001),
        0.3,
        0.05,
        seeds=seeds,
        runs=runs,
        delta=DELTA,
        settings=settings,
        limit=2 * limit,
    )
    return Sample(found.episodes, float(limit))


PLANS = Search(estimates, Sizes(20, full=600), corners=CORNERS)

PLAN_CHECKS = (
    Check(
        "demonstration_regularized.optimism",
        PLANS,
        optimism,
        (Mutant("smaller_bonus", "0.99 of the bonus", {"scale": 0.99}),),
    ),
    Check(
        "demonstration_regularized.certificate",
        PLANS,
        certificate,
        (
            Mutant("smaller", "1/(8.01 lambda) instead of 1/(8 lambda)", {"constant": 8.01}),
            Mutant("smaller_bonus", "0.99 of the bonus", {"scale": 0.99}),
        ),
    ),
    Check(
        "demonstration_regularized.certificate_by_radii",
        PLANS,
        certificate_by_radii,
        (Mutant("smaller", "0.0295 of the bound", {"scale": 0.0295}),),
    ),
    Check(
        "demonstration_regularized.no_exploration",
        PLANS,
        no_exploration,
        (Mutant("lower", "0.99 of the threshold", {"threshold": 0.99}),),
    ),
)

RUN_CHECKS = (
    Check(
        "demonstration_regularized.pac",
        MonteCarlo(problems, Sizes(RUNS), delta=DELTA, alpha=ALPHA),
        stopping_rule,
        (
            Mutant("smaller_bonus", "a tenth of the bonus", {"scale": 0.1}),
            Mutant("smaller_certificate", "1/(8.1 lambda) instead of 1/(8 lambda)", {"constant": 8.1}),
        ),
    ),
    Check(
        "demonstration_regularized.event",
        MonteCarlo(
            problems, Sizes(runs_needed(DELTA / 2.0, ALPHA / 3.0, 3), full=2 * RUNS), delta=DELTA / 2.0, alpha=ALPHA
        ),
        event,
        (
            Mutant("smaller_bonus", "half of the bonus", {"scale": 0.5}),
            Mutant("smaller_certificate", "1/(8.1 lambda) instead of 1/(8 lambda)", {"constant": 8.1}),
        ),
    ),
    Check(
        "demonstration_regularized.sample_complexity",
        MonteCarlo(EPISODES, Sizes(FEWER + 10), delta=DELTA, alpha=ALPHA),
        episodes,
        (Mutant("much_smaller", "4.5e-5 of the bound", {"factor": 4.5e-5}),),
    ),
    Check(
        "demonstration_regularized.hidden_action",
        MonteCarlo({"chain S=3 H=3": lambda: 10_000}, Sizes(FEWER), delta=DELTA, alpha=ALPHA),
        hidden_action,
        (Mutant("no_exploration", "episodes of the planned policy only", {"explore": False}),),
    ),
    Check(
        "demonstration_regularized.accuracy_rate",
        Rates(1.0, "most", Sizes((10, 32, 100, 320), full=(16, 50, 160, 512)), Sizes(8, full=20), resolution=0.3),
        partial(accuracy_rate, n_states=3, lam=0.3),
        (
            Mutant(
                "additive",
                "a certificate that adds its errors: right, but slow",
                {"settings": replace(LAZY, propagation="additive")},
            ),
        ),
    ),
    Check(
        "demonstration_regularized.accuracy_rate",
        Rates(1.0, "most", Sizes((10, 32, 100, 320)), Sizes(8), resolution=0.3),
        partial(accuracy_rate, n_states=2, lam=0.03),
        (
            Mutant(
                "difference_of_values",
                "stopping by the difference of both values: right, but slow",
                {"settings": replace(LAZY, stopping="values")},
            ),
        ),
        name="two states",
        tier=Tier.FULL,
    ),
)

CHECKS = (*PLAN_CHECKS, *RUN_CHECKS)
