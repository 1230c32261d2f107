"""The strategies draw valid models of all kinds and shrink to the smallest one."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from mdps import strategies
from mdps.errors import InvalidModelError
from mdps.rational import RationalMDP
from mdps.tabular import DiscountedMDP, FiniteHorizonMDP

SHRINK = settings(max_examples=1000, database=None, derandomize=True, phases=[Phase.generate, Phase.shrink])

FIND = settings(SHRINK, phases=[Phase.generate])
FEW = settings(max_examples=30)


def smallest(strategy, condition):
    return find(strategy, condition, settings=SHRINK)


def test_the_simplest_models_have_one_state_one_action_one_stage():
    exact = smallest(strategies.rational_mdps(), lambda mdp: True)
    assert exact == RationalMDP([[[1]]], [[0]], 1)
    rounded = smallest(strategies.finite_horizon_mdps(laws=strategies.reward_laws()), lambda mdp: True)
    assert (rounded.n_states, rounded.n_actions, rounded.horizon) == (1, 1, 1)
    assert rounded.reward_law == "deterministic"
    discounted = smallest(strategies.discounted_mdps(), lambda mdp: True)
    assert (discounted.n_states, discounted.n_actions, discounted.discount) == (1, 1, 0.0)


@pytest.mark.parametrize(
    ("condition", "sizes"),
    [
        (lambda mdp: mdp.rewards.max() > 0.3, (1, 1, 1)),
        (lambda mdp: mdp.horizon >= 3, (1, 1, 3)),
        (lambda mdp: mdp.n_actions >= 2, (1, 2, 1)),
        (lambda mdp: ((mdp.transitions > 0) & (mdp.transitions < 1)).any(), (2, 1, 1)),
        (lambda mdp: not mdp.stationary, (1, 1, 2)),
        (lambda mdp: mdp.n_states >= 2 and mdp.initial[-1] == 1, (2, 1, 1)),
        (lambda mdp: np.ptp(mdp.rewards[0].max(axis=0)) > 0, (1, 2, 1)),
    ],
)
def test_counter_examples_shrink_to_the_smallest_sizes(condition, sizes):
    mdp = smallest(strategies.finite_horizon_mdps(), condition)
    assert (mdp.n_states, mdp.n_actions, mdp.horizon) == sizes


def test_a_false_theorem_is_refuted_by_the_smallest_model():
    # "The best action of the first stage is the one of the larger reward" needs two states and two stages to fail.
    def greedy_is_wrong(mdp):
        value = np.zeros(mdp.n_states)
        for h in reversed(range(mdp.horizon)):
            action_value = (
                mdp.rewards[min(h, len(mdp.rewards) - 1)] + mdp.transitions[min(h, len(mdp.transitions) - 1)] @ value
            )
            value = action_value.max(axis=1)
        best = mdp.rewards[0].argmax(axis=1)
        return (action_value[np.arange(mdp.n_states), best] < value).any()

    mdp = smallest(strategies.finite_horizon_mdps(stationary=True, max_states=3, max_actions=2), greedy_is_wrong)
    assert (mdp.n_states, mdp.n_actions, mdp.horizon) == (2, 2, 2)


@FEW
@given(
    strategies.finite_horizon_mdps(
        min_states=2, max_states=3, min_actions=2, max_actions=2, max_horizon=5, stationary=True
    )
)
def test_bounds_are_kept_by_stationary_models(mdp):
    assert isinstance(mdp, FiniteHorizonMDP)
    assert 2 <= mdp.n_states <= 3
    assert mdp.n_actions == 2
    assert 1 <= mdp.horizon <= 5
    assert mdp.stationary
    assert mdp.unit_rewards


@FEW
@given(strategies.rational_mdps(stationary=False, unit_rewards=False))
def test_staged_models_store_every_stage(mdp):
    assert len(mdp.transitions) == len(mdp.rewards) == mdp.horizon
    assert all(sum(law) == 1 for stage in mdp.transitions for state in stage for law in state)
    assert all(-2 <= reward <= 2 for stage in mdp.rewards for state in stage for reward in state)


@FEW
@given(strategies.discounted_mdps(max_discount=Fraction(1, 2), min_states=2))
def test_discounted_models(mdp):
    assert isinstance(mdp, DiscountedMDP)
    assert 0 <= mdp.discount <= 0.5
    assert mdp.n_states >= 2


@pytest.mark.parametrize(
    "condition",
    [
        lambda mdp: mdp.n_states == 4 and mdp.n_actions == 3,
        lambda mdp: mdp.horizon == 4 and not mdp.stationary,
        lambda mdp: (mdp.transitions.max(axis=-1) == 1).all() and mdp.n_states > 1,
        lambda mdp: (mdp.initial > 0).sum() >= 2,
        lambda mdp: ((mdp.transitions > 0).sum(axis=-1) >= 3).any(),
        lambda mdp: mdp.rewards.min() == 0 and mdp.rewards.max() == 1,
        lambda mdp: mdp.reward_law == "bernoulli",
    ],
)
def test_the_variety_includes(condition):
    find(strategies.finite_horizon_mdps(laws=strategies.reward_laws()), condition, settings=FIND)


@FEW
@given(st.data())
def test_policies_fit_their_model(data):
    mdp = data.draw(st.one_of(strategies.finite_horizon_mdps(), strategies.discounted_mdps()))
    shape = (mdp.horizon, mdp.n_states) if isinstance(mdp, FiniteHorizonMDP) else (mdp.n_states,)
    actions = data.draw(strategies.deterministic_policies(mdp))
    assert actions.shape == shape
    assert actions.dtype == np.int64
    assert ((actions >= 0) & (actions < mdp.n_actions)).all()
    laws = data.draw(strategies.stochastic_policies(mdp))
    assert laws.shape == (*shape, mdp.n_actions)
    np.testing.assert_allclose(laws.sum(axis=-1), 1.0)
    either = data.draw(strategies.policies(mdp))
    assert either.shape in (shape, (*shape, mdp.n_actions))
    exact = data.draw(strategies.rational_policies(mdp))
    assert len(exact) == mdp.n_states
    assert all(sum(law) == 1 and len(law) == mdp.n_actions for law in exact)


def test_policies_shrink_to_the_first_action():
    mdp = FiniteHorizonMDP(np.full((2, 3, 2), 0.5), np.zeros((2, 3)), 2)
    assert (smallest(strategies.policies(mdp), lambda policy: True) == 0).all()
    laws = smallest(strategies.stochastic_policies(mdp), lambda policy: True)
    assert (laws[..., 0] == 1.0).all()


@FEW
@given(st.data())
def test_laws_and_values(data):
    law = data.draw(strategies.distributions(max_size=4))
    assert 1 <= len(law) <= 4
    assert abs(law.sum() - 1) < 1e-12
    assert data.draw(strategies.distributions(5)).shape == (5,)
    exact = data.draw(strategies.rational_distributions())
    assert sum(exact) == 1
    assert len(data.draw(strategies.rational_distributions(3))) == 3
    values = data.draw(strategies.value_vectors(3, -2.0, 5.0))
    assert values.shape == (3,)
    assert values.min() >= -2.0
    assert values.max() <= 5.0
    rational = data.draw(strategies.rational_values(2, -1, 1))
    assert all(isinstance(value, Fraction) and -1 <= value <= 1 for value in rational)


def test_laws_reach_the_whole_support():
    find(strategies.distributions(3), lambda law: (law > 0).all(), settings=FIND)
    assert smallest(strategies.distributions(3), lambda law: True).tolist() == [1.0, 0.0, 0.0]


def test_bounds_out_of_order_are_refused():
    with pytest.raises(InvalidModelError, match="bounds of states are 3 and 2"):
        strategies.finite_horizon_mdps(min_states=3, max_states=2)
    with pytest.raises(InvalidModelError, match="bounds of horizon are 1 and 0"):
        strategies.rational_mdps(max_horizon=0)
