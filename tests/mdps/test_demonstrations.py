"""Counts of demonstrations against occupancies and against episodes, and the instances."""

import numpy as np
import pytest

from mdps.demonstration_instances import (
    bandit,
    dirichlet_policy,
    free_occupancies,
    random_features,
    random_model,
    rare_arm,
    reflecting_chain,
    reward_class,
    tilted_reference,
    walled_grid,
)
from mdps.demonstrations import Demonstrations, noisy, sample_demonstrations
from mdps.errors import InvalidModelError, InvalidPolicyError
from mdps.kernels import sample_trajectories
from solvers.planning import backward_induction, occupancy

CHAIN = reflecting_chain()


def test_mean_counts_are_occupancies():
    expert = dirichlet_policy(CHAIN, 3)
    counts = sample_demonstrations(CHAIN, expert, 50, 0, runs=4000).counts
    np.testing.assert_allclose(counts.mean(axis=0) / 50, occupancy(CHAIN, expert), atol=5e-3)


def test_counts_have_the_covariance_of_episodes():
    model = random_model(1, 2, 2, 3)
    expert = dirichlet_policy(model, 0)
    counts = sample_demonstrations(model, expert, 1, 0, runs=20_000).counts.reshape(20_000, -1)
    episodes = sample_trajectories(model, expert, 20_000, 1)
    indicators = np.zeros((20_000, 3, 2, 2))
    for h in range(3):
        indicators[np.arange(20_000), h, episodes.states[:, h], episodes.actions[:, h]] = 1.0
    np.testing.assert_allclose(np.cov(counts.T), np.cov(indicators.reshape(20_000, -1).T), atol=1e-2)


def test_deterministic_counts():
    plan = backward_induction(bandit([0.1, 0.7, 0.2]))
    assert sample_demonstrations(bandit([0.1, 0.7, 0.2]), plan.policy, 9, 0).counts.tolist() == [[[0, 9, 0]]]


def test_sizes_and_visits():
    drawn = sample_demonstrations(CHAIN, None, 10**9, 0)
    assert drawn.size == 10**9
    assert drawn.visits.sum(axis=-1).tolist() == [10**9] * 5
    assert sample_demonstrations(CHAIN, None, 0, 0, runs=2).counts.max() == 0


def test_same_seed_same_counts():
    first, second = (sample_demonstrations(CHAIN, None, 20, 5, runs=3).counts for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.ones((1, 1, 2)), "dtype float64"),
        (np.ones((1, 2), dtype=np.int64), r"shape \(1, 2\)"),
        (np.array([[[-1, 2]]]), "below zero"),
        (np.array([[[1, 2]], [[1, 1]]]), "from 2 to 3 episodes"),
    ],
)
def test_bad_counts(counts, message):
    with pytest.raises(InvalidModelError, match=message):
        Demonstrations(counts)


def test_bad_arguments():
    with pytest.raises(InvalidModelError, match="size is -1"):
        sample_demonstrations(CHAIN, None, -1, 0)
    with pytest.raises(InvalidPolicyError, match="policy"):
        sample_demonstrations(CHAIN, np.full((4, 3), 1 / 3), 1, 0)
    with pytest.raises(InvalidModelError, match=r"noise is 1\.5"):
        noisy(np.zeros((1, 1), dtype=np.int64), 2, 1.5)
    with pytest.raises(InvalidModelError, match=r"first is 1\.0"):
        tilted_reference(CHAIN, 1.0)


def test_noisy_policy():
    np.testing.assert_allclose(noisy(np.array([[1, 0]]), 2, 0.2), [[[0.1, 0.9], [0.9, 0.1]]])


# Instances


def test_chain_golden():
    assert backward_induction(CHAIN).values[0, 0] == pytest.approx(1.4765, abs=1e-12)
    np.testing.assert_allclose(CHAIN.transitions[0, 0], [[0.9, 0.1, 0, 0], [0.1, 0.9, 0, 0]])


def test_grid():
    grid = walled_grid()
    assert grid.n_states == 23
    np.testing.assert_array_equal(grid.transitions[0, 0, 0], np.eye(23)[0])  # the wall on the left: no slip
    down = grid.transitions[0, 0, 2]
    assert sorted(down[down > 0.0].tolist()) == pytest.approx([0.1, 0.9])
    values = backward_induction(grid).values[0]
    assert values[0] == pytest.approx(1.19377395)
    assert values.argmax() == 22


def test_free_occupancies():
    model = free_occupancies(5, 4, 5)
    for seed in range(3):
        np.testing.assert_allclose(occupancy(model, dirichlet_policy(model, seed)).sum(axis=2), 0.2)


def test_references_and_rewards():
    assert tilted_reference(CHAIN, 0.1)[2, 3].tolist() == [0.1, 0.9]
    assert dirichlet_policy(CHAIN, 0, runs=6).shape == (6, 5, 4, 2)
    rewards = reward_class(CHAIN, 0, 7)
    assert rewards.shape == (7, 5, 4, 2)
    np.testing.assert_array_equal(rewards[0, 3], CHAIN.rewards[0])
    arm = rare_arm()
    assert (arm.learned - arm.mdp.rewards).ravel().tolist() == [0.0, 1.0]
    assert random_features(0, 3).unit_rewards
