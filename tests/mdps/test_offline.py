"""Offline data: fresh draws with the coverage that was asked for, and concentrability by its definitions."""

import numpy as np
import pytest

from mdps.actor_critic_instances import random_tabular
from mdps.critics import bellman_errors, complete_class
from mdps.errors import InvalidModelError
from mdps.offline import (
    OfflineData,
    class_concentrability,
    linear_concentrability,
    mixture,
    no_data,
    offline_counts,
    offline_draws,
    offline_trajectories,
    tabular_concentrability,
)
from solvers.planning import backward_induction, occupancy

MDP = random_tabular(3, 2, 3, seed=4)
BEST = backward_induction(MDP).policy


def test_no_data_is_empty():
    data = no_data(MDP)
    assert data.size == 0
    assert not data.counts.any()


def test_prescribed_counts_are_kept_and_next_states_follow_the_kernel():
    counts = np.full((3, 3, 2), 20_000)
    counts[0, 1, 1] = 0
    data = offline_counts(MDP, counts, 1)
    assert (data.counts == counts).all()
    assert data.size == 20_000 * 6
    frequencies = data.transitions[1, 2, 1] / 20_000
    assert np.allclose(frequencies, MDP.transitions[1, 2, 1], atol=5 * 0.5 / np.sqrt(20_000))


def test_draws_follow_the_measure():
    measure = np.random.default_rng(0).dirichlet(np.ones(6), 3).reshape(3, 3, 2)
    data = offline_draws(MDP, measure, 40_000, 2)
    assert data.counts.sum(axis=(1, 2)).tolist() == [40_000] * 3
    assert np.allclose(data.counts / 40_000, measure, atol=5 * 0.5 / np.sqrt(40_000))


def test_trajectories_have_the_occupancy_of_their_policy():
    policy = mixture(MDP, [BEST, None])
    assert np.allclose(policy.sum(axis=2), 1.0)
    assert policy[1, 0, BEST[1, 0]] == 0.75
    data = offline_trajectories(MDP, policy, 40_000, 3)
    assert np.allclose(data.counts / 40_000, occupancy(MDP, policy), atol=5 * 0.5 / np.sqrt(40_000))
    arrivals = data.transitions.sum(axis=(1, 2))[:-1]
    assert (arrivals == data.counts.sum(axis=2)[1:]).all()


def test_the_same_seed_gives_the_same_data():
    first, second = (offline_trajectories(MDP, None, 10, 5).transitions for _ in range(2))
    assert (first == second).all()


def test_concentrability_in_its_three_forms_is_ordered():
    rng = np.random.default_rng(6)
    optimal = occupancy(MDP, BEST)
    for _ in range(20):
        measure = rng.dirichlet(np.ones(6), 3).reshape(3, 3, 2)
        features = rng.dirichlet(np.ones(4), (3, 3, 2))
        tabular = tabular_concentrability(optimal, measure)
        assert linear_concentrability(features, optimal, measure) <= tabular + 1e-9
        assert class_concentrability(MDP, complete_class(MDP, 5), optimal, measure) <= tabular + 1e-9
        one_hot = np.broadcast_to(np.eye(6).reshape(3, 2, 6), (3, 3, 2, 6))
        assert linear_concentrability(one_hot, optimal, measure) == pytest.approx(tabular)


def test_linear_concentrability_is_a_supremum_over_directions():
    rng = np.random.default_rng(7)
    features, optimal = rng.normal(size=(1, 3, 2, 2)), np.full((1, 3, 2), 1 / 6)
    measure = rng.dirichlet(np.ones(6), 1).reshape(1, 3, 2)
    angles = np.linspace(0.0, np.pi, 20_001)
    directions = np.stack([np.cos(angles), np.sin(angles)])
    squares = np.einsum("sai,ik->sak", features[0], directions) ** 2
    ratios = np.einsum("sa,sak->k", optimal[0], squares) / np.einsum("sa,sak->k", measure[0], squares)
    assert linear_concentrability(features, optimal, measure) == pytest.approx(ratios.max(), rel=1e-6)


def test_class_concentrability_by_loops():
    optimal = occupancy(MDP, BEST)
    measure = np.full((3, 3, 2), 1 / 6)
    critics = complete_class(MDP, 2)
    worst = 0.0
    for h, errors in enumerate(bellman_errors(MDP, critics)):
        for pair in errors.reshape(-1, 3, 2):
            over, under = (optimal[h] * pair**2).sum(), (measure[h] * pair**2).sum()
            worst = max(worst, over / under if under > 0.0 else 0.0)
    assert class_concentrability(MDP, critics, optimal, measure) == pytest.approx(worst)


def test_missing_coverage_is_infinite_and_nothing_over_nothing_is_zero():
    optimal, measure = np.zeros((1, 2, 1)), np.zeros((1, 2, 1))
    optimal[0, 0] = measure[0, 0] = 1.0
    assert tabular_concentrability(optimal, measure) == 1.0
    measure[0, 0], measure[0, 1] = 0.0, 1.0
    assert tabular_concentrability(optimal, measure) == np.inf
    features = np.eye(2).reshape(1, 2, 1, 2)
    assert linear_concentrability(features, optimal, measure) == np.inf


def test_bad_input_is_named():
    with pytest.raises(InvalidModelError, match="not integers"):
        OfflineData(np.zeros((1, 1, 1, 1)))
    with pytest.raises(InvalidModelError, match="not \\(H, S, A, S\\)"):
        OfflineData(np.zeros((1, 2, 1, 1), dtype=int))
    with pytest.raises(InvalidModelError, match="is -1, negative"):
        OfflineData(np.full((1, 1, 1, 1), -1))
    with pytest.raises(InvalidModelError, match="counts are not"):
        offline_counts(MDP, np.zeros((3, 3, 2)), 0)
    with pytest.raises(InvalidModelError, match="sums to"):
        offline_draws(MDP, np.zeros((3, 3, 2)), 5, 0)
    with pytest.raises(InvalidModelError, match="not \\(2, 3, 2, 3\\)"):
        no_data(MDP).require_fit(random_tabular(3, 2, 2))
