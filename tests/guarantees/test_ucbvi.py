"""Guarantees of UCBVI on drawn models: optimism, and a regret between zero and what can be lost at all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps import strategies
from proofs_check.papers.ucbvi import noisy_doors
from solvers import planning
from solvers.ucbvi import run_ucbvi
from theory import ucbvi as theory

MODELS = strategies.finite_horizon_mdps(max_horizon=3)


@settings(max_examples=40)
@given(MODELS, st.integers(0, 2**32))
def test_plans_are_optimistic(mdp, seed):
    seeds = np.random.SeedSequence(seed)
    curve = run_ucbvi(mdp, episodes=200, seeds=seeds, delta=1e-6, check_optimism=True)
    assert curve.optimism.first_violation[0] == 0


@settings(max_examples=40)
@given(MODELS, st.integers(0, 2**32))
def test_plans_lie_between_the_optimal_values_and_what_is_left(mdp, seed):
    curve = run_ucbvi(mdp, episodes=50, seeds=np.random.SeedSequence(seed), delta=1e-6, runs=2, keep_plans=True)
    best = planning.backward_induction(mdp, keep_q_values=True).q_values
    left = np.arange(mdp.horizon, 0, -1)[:, None, None]
    assert np.all(curve.plans >= best - 1e-9)
    assert np.all(curve.plans <= left + 1e-12)


@settings(max_examples=40)
@given(MODELS, st.integers(0, 2**32))
def test_regret_is_exact_and_within_what_can_be_lost(mdp, seed):
    curve = run_ucbvi(mdp, episodes=100, seeds=np.random.SeedSequence(seed), runs=2)
    assert np.all(np.diff(curve.regret, axis=1, prepend=0.0) >= -1e-9)
    assert np.all(curve.regret[:, -1] <= 100 * mdp.horizon + 1e-9)


@pytest.mark.parametrize(
    ("bound", "sizes", "first"),
    [
        (theory.HOEFFDING, (2, 2, 2), 1.49e5),
        (theory.HOEFFDING, (3, 2, 3), 1.21e6),
        (theory.HOEFFDING, (4, 2, 5), 8.17e6),
        (theory.CHERNOFF_HOEFFDING, (2, 2, 2), 4.31e6),
        (theory.CHERNOFF_HOEFFDING, (3, 2, 3), 1.50e7),
        (theory.CHERNOFF_HOEFFDING, (4, 2, 5), 4.76e7),
        (theory.BERNSTEIN, (2, 2, 2), 3.11e7),
        (theory.BERNSTEIN, (3, 2, 3), 1.16e8),
        (theory.BERNSTEIN, (4, 2, 5), 3.85e8),
    ],
)
def test_bounds_bite_from_the_known_number_of_episodes(bound, sizes, first):
    n_states, n_actions, horizon = sizes
    values = {"S": n_states, "A": n_actions, "H": horizon, "delta": 0.1}
    assert bound.explicit_bound.nonvacuous_from("K", theory.TRIVIAL, values) == pytest.approx(first, rel=0.005)


def test_the_bound_holds_where_it_bites():
    episodes = 160_000
    curve = run_ucbvi(noisy_doors(), episodes=episodes, seeds=np.random.SeedSequence(5), runs=2)
    bound = theory.HOEFFDING.explicit_bound.evaluate(S=2, A=2, H=2, delta=0.1, K=episodes)
    assert bound < episodes * 2
    assert np.all(curve.regret[:, -1] <= bound)
