"""Comparisons by the model of Bradley and Terry."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import binomtest

from mdps.demonstration_instances import bandit, random_model, reward_class
from mdps.errors import InvalidModelError
from mdps.kernels import Trajectories, sample_trajectories
from mdps.preferences import Comparisons, logistic, returns, sample_comparisons, staged_rewards, visits

MODEL = random_model(2, 3, 2, 4)


def test_logistic():
    x = np.array([-800.0, -3.0, 0.0, 0.5, 800.0])
    np.testing.assert_allclose(logistic(x)[1:4], 1.0 / (1.0 + np.exp(-x[1:4])), rtol=1e-14)
    assert logistic(x)[[0, 2, 4]].tolist() == [0.0, 0.5, 1.0]


def test_returns_are_sums_along_episodes():
    rewards = reward_class(MODEL, 0, 5)
    episodes = sample_trajectories(MODEL, None, 40, 0)
    expected = np.zeros((5, 40))
    for k in range(40):
        for h in range(4):
            expected[:, k] += rewards[:, h, episodes.states[k, h], episodes.actions[k, h]]
    np.testing.assert_allclose(returns(episodes, rewards), expected)
    np.testing.assert_allclose(returns(episodes, rewards[0]), episodes.rewards.sum(axis=1))
    np.testing.assert_allclose(np.einsum("nhsa,hsa->n", visits(episodes, 3, 2), rewards[3]), expected[3])


def test_differences_and_designs_agree():
    drawn = sample_comparisons(MODEL, None, 30, 0)
    rewards = reward_class(MODEL, 1, 3)
    designs = drawn.designs(3, 2)
    np.testing.assert_allclose(np.einsum("nhsa,ghsa->gn", designs, rewards), drawn.differences(rewards), atol=1e-12)
    assert drawn.size == 30


def test_labels_follow_the_logistic_law():
    model = bandit([0.0, 1.0])
    drawn = sample_comparisons(model, None, 20_000, 0)
    for difference in (-1.0, 0.0, 1.0):
        labels = drawn.labels[drawn.differences(staged_rewards(model)) == difference]
        chance = 1.0 / (1.0 + np.exp(-difference))
        assert binomtest(int(labels.sum()), len(labels), chance).pvalue > 1e-3


def test_labels_follow_other_rewards():
    steep = 40.0 * staged_rewards(bandit([0.0, 1.0]))
    drawn = sample_comparisons(bandit([0.0, 1.0]), None, 1000, 0, steep)
    told_apart = drawn.differences(steep) != 0.0
    np.testing.assert_array_equal(drawn.labels[told_apart], drawn.differences(steep)[told_apart] > 0.0)


def test_bad_comparisons():
    drawn = sample_comparisons(MODEL, None, 5, 0)
    with pytest.raises(InvalidModelError, match="neither 0 nor 1"):
        dataclasses.replace(drawn, labels=np.full(5, 2))
    with pytest.raises(InvalidModelError, match="5 first and 5 second episodes and 4 labels"):
        Comparisons(drawn.first, drawn.second, drawn.labels[:4])
    assert isinstance(drawn.first, Trajectories)
    with pytest.raises(InvalidModelError, match=r"rewards has shape \(5, 3, 2\), not \(4, 3, 2\)"):
        sample_comparisons(MODEL, None, 5, 0, np.zeros((5, 3, 2)))
