"""Tracking of critics by softmax actors under their own occupancy: counter-examples, and sums by other means."""

import numpy as np
import pytest

from mdps.actor_critic_instances import random_tabular, tracking_counterexample, wide_tracking_counterexample
from mdps.errors import InvalidModelError
from solvers.optimal_actor_critic import nora, run
from solvers.optimal_actor_critic_tracking import on_policy_tracking, softmax
from solvers.planning import occupancy


@pytest.mark.parametrize("late", [False, True])
def test_on_policy_tracking_policy_by_policy(late):
    mdp = random_tabular(3, 2, 3, seed=1)
    critic = np.random.default_rng(2).random((3, 3, 2))
    sums = on_policy_tracking(mdp, critic, 0.8, 6, late=late)
    for j in range(1, 7):
        policy = softmax(0.8 * (j - late) * critic)
        law = occupancy(mdp, policy)
        expected = (law * (critic.max(axis=2, keepdims=True) - critic)).sum(axis=(1, 2))
        assert sums[j - 1] == pytest.approx(expected, abs=1e-12)


def test_on_policy_tracking_is_that_of_a_run_with_one_critic():
    mdp = random_tabular(3, 2, 3, seed=4)
    result = run(mdp, nora(0.5), episodes=200, seeds=np.random.SeedSequence(1), record=None, keep=1)
    first = int((result.epochs[0] == 1).sum())
    sums = on_policy_tracking(mdp, result.critics[0, 0], 0.5, first)
    assert np.cumsum(sums, axis=0) == pytest.approx(result.tracking[0, :first], abs=1e-12)


def test_the_naive_lemma_is_false_golden():
    tree = tracking_counterexample()
    for n, golden in ((200, 0.8607), (2000, 0.8787)):
        assert on_policy_tracking(tree.mdp, tree.critic, 1.0, n).sum(axis=0)[1] == pytest.approx(golden, abs=5e-5)
    wide = wide_tracking_counterexample()
    assert on_policy_tracking(wide.mdp, wide.critic, 1.0, 50).sum(axis=0)[1] == pytest.approx(2.8618, abs=5e-5)
    plain = wide_tracking_counterexample(0.4, 0.1, 0.9)
    assert on_policy_tracking(plain.mdp, plain.critic, 1.0, 50).sum(axis=0)[1] == pytest.approx(2.8469, abs=5e-5)


def test_bad_input_is_named():
    mdp = random_tabular(2, 2, 2)
    with pytest.raises(ValueError, match="steps is 0"):
        on_policy_tracking(mdp, np.zeros((2, 2, 2)), 1.0, 0)
    with pytest.raises(InvalidModelError, match="critic has shape"):
        on_policy_tracking(mdp, np.zeros((2, 2)), 1.0, 5)
