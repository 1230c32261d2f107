"""Instances for actor-critics: their optima, by planning and by hand."""

import numpy as np
import pytest

from mdps.actor_critic_instances import (
    flat,
    lock_solution,
    minimax,
    random_tabular,
    tracking_counterexample,
    tracking_tree,
    two_state_lock,
    wide_tracking_counterexample,
)
from mdps.errors import InvalidModelError
from solvers.planning import backward_induction, evaluate, policy_value


@pytest.mark.parametrize(("horizon", "n_actions"), [(1, 2), (4, 3), (6, 4)])
def test_a_lock_pays_one_for_its_code_and_the_trap_for_anything_else(horizon, n_actions):
    lock = two_state_lock(horizon, n_actions, seed=7)
    plan = backward_induction(lock)
    assert policy_value(lock, plan.values) == 1.0
    code = lock_solution(lock)
    assert (plan.policy[:, 0] == code).all()
    for h in range(horizon):
        wrong = np.stack([code, code], axis=1)
        wrong[h, 0] = (code[h] + 1) % n_actions
        assert policy_value(lock, evaluate(lock, wrong)) == pytest.approx(0.1)
    assert lock.unit_rewards


def test_the_minimax_gap_shrinks_with_the_number_of_episodes():
    for episodes, gap in ((100, 0.25), (10_000, 2.0 * np.sqrt(2 / 10_000))):
        mdp = minimax(episodes)
        assert policy_value(mdp, backward_induction(mdp).values) == pytest.approx(0.5 + gap)


def test_random_models_have_a_kernel_a_stage():
    mdp = random_tabular(4, 2, 3, seed=1)
    assert mdp.transitions.shape == (3, 4, 2, 4)
    assert mdp.rewards.shape == (3, 4, 2)
    assert mdp.unit_rewards


def test_flat_has_nothing_to_gain():
    mdp = flat(3, 2, 4)
    assert not backward_induction(mdp).values.any()
    assert mdp.initial == pytest.approx(1 / 3)


def test_trees_lead_each_action_to_its_leaf():
    tree = wide_tracking_counterexample()
    assert (tree.mdp.transitions[0, 0, np.arange(8), 1 + np.arange(8)] == 1.0).all()
    assert tree.critic[1, 1:, 0].tolist() == [0.08836] + [0.9074] * 7
    assert tree.critic[0, 0].tolist() == [0.4355] + [0.0] * 7
    assert tracking_counterexample().critic[0, 0].tolist() == [0.38, 0.5]


def test_bad_input_is_named():
    with pytest.raises(InvalidModelError, match="lock of 0 stages"):
        two_state_lock(0)
    with pytest.raises(InvalidModelError, match="trap is 1"):
        two_state_lock(trap=1.0)
    with pytest.raises(InvalidModelError, match="first has shape"):
        tracking_tree((1.0, 0.0), ((1.0, 0.0),))
