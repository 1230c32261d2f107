"""Exact models of Gymnasium's environments, and the exactness of the reductions."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps import gymnasium as adapter
from mdps.errors import InvalidModelError
from mdps.instances import INSTANCES, garnet_discounted, random_sparse
from mdps.strategies import discounted_mdps, finite_horizon_mdps
from mdps.tabular import DiscountedMDP, FiniteHorizonMDP

gym = pytest.importorskip("gymnasium")
TAXI = max(name for name in gym.registry if name.startswith("Taxi-v"))
ENVIRONMENTS = [
    ("FrozenLake-v1", {"map_name": "4x4"}),
    ("FrozenLake-v1", {"map_name": "8x8"}),
    ("FrozenLake-v1", {"is_slippery": False}),
    (TAXI, {}),
    ("CliffWalking-v1", {}),
]


def optimal_values(mdp):
    value = np.zeros(mdp.n_states)
    for h in reversed(range(mdp.horizon)):
        r, p = (array[min(h, len(array) - 1)] for array in (mdp.rewards, mdp.transitions))
        value = (r + p @ value).max(axis=1)
    return value


def values_of_table(table, horizon):
    """Backward induction on the environment's own table, ending at termination."""
    value = dict.fromkeys(table, 0.0)
    for _ in range(horizon):
        value = {
            s: max(sum(p * (r + (0.0 if end else value[int(t)])) for p, t, r, end in rows) for rows in actions.values())
            for s, actions in table.items()
        }
    return value


@pytest.mark.parametrize(("name", "kwargs"), ENVIRONMENTS)
def test_optimal_values_are_those_of_the_table(name, kwargs):
    environment = gym.make(name, **kwargs)
    table = environment.unwrapped.P
    mdp = adapter.from_gymnasium(name, 15, **kwargs)
    expected = values_of_table(table, 15)
    values = optimal_values(mdp)
    np.testing.assert_allclose(values[: len(table)], [expected[s] for s in range(len(table))], atol=1e-12)
    np.testing.assert_array_equal(values[len(table) :], 0.0)
    np.testing.assert_array_equal(mdp.initial[: len(table)], environment.unwrapped.initial_state_distrib)
    environment.close()


@pytest.mark.parametrize(("name", "kwargs"), ENVIRONMENTS)
def test_the_model_steps_as_the_environment(name, kwargs):
    environment = gym.make(name, **kwargs)
    mdp = adapter.from_gymnasium(name, 5, **kwargs)
    rng = np.random.default_rng(0)
    seed = 0
    state = environment.reset(seed=seed)[0]
    for _ in range(300):
        action = int(rng.integers(mdp.n_actions))
        target, reward, terminated, truncated, _ = environment.step(action)
        modelled = mdp.n_states - 1 if terminated else target
        assert mdp.transitions[0, state, action, modelled] > 0.0
        if mdp.transitions[0, state, action, modelled] == 1.0:
            assert mdp.rewards[0, state, action] == reward
        state = target
        if terminated or truncated:
            seed += 1
            state = environment.reset(seed=seed)[0]
    environment.close()


@pytest.mark.parametrize(("name", "kwargs"), ENVIRONMENTS)
def test_unit_rewards_are_the_documented_affine_map(name, kwargs):
    plain = adapter.from_gymnasium(name, 12, **kwargs)
    unit = adapter.from_gymnasium(name, 12, unit_rewards=True, **kwargs)
    assert unit.unit_rewards
    assert (unit.rewards.min(), unit.rewards.max()) == (0.0, 1.0)
    low, high = plain.rewards.min(), plain.rewards.max()
    expected = (optimal_values(plain) - 12 * low) / (high - low)
    np.testing.assert_allclose(optimal_values(unit), expected, atol=1e-10)


def test_discounted_models():
    mdp = adapter.discounted_from_gymnasium("FrozenLake-v1", 0.9, map_name="8x8")
    episodic = adapter.from_gymnasium("FrozenLake-v1", 3, map_name="8x8")
    assert isinstance(mdp, DiscountedMDP)
    np.testing.assert_array_equal(mdp.transitions, episodic.transitions[0])
    assert mdp.initial[0] == 1.0
    unit = adapter.discounted_from_gymnasium("CliffWalking-v1", 0.9, unit_rewards=True)
    assert (unit.rewards.min(), unit.rewards.max()) == (0.0, 1.0)


def test_tables_without_an_end_have_no_absorbing_state():
    table = {
        0: {0: [(0.5, 0, 1.0, False), (0.25, 1, 2.0, False), (0.25, 1, 4.0, False)]},
        1: {0: [(1.0, 0, 0, False)]},
    }
    transitions, rewards, initial = adapter.tables_of(table, [0.0, 1.0])
    assert transitions.tolist() == [[[0.5, 0.5]], [[1.0, 0.0]]]
    assert rewards.tolist() == [[2.0], [0.0]]
    assert initial.tolist() == [0.0, 1.0]


def test_constant_rewards_become_zero():
    assert adapter._to_unit_interval(np.full((2, 2), 3.0)).tolist() == [[0.0, 0.0]] * 2


def test_an_environment_without_a_table_is_refused():
    with pytest.raises(InvalidModelError, match="Blackjack-v1 has no P"):
        adapter.from_gymnasium("Blackjack-v1", 5)


def test_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ImportError, match="extra 'gym'"):
        adapter.from_gymnasium("FrozenLake-v1", 5)


# Reductions


@pytest.mark.parametrize(("name", "kwargs"), ENVIRONMENTS)
def test_reductions_keep_the_values(name, kwargs):
    mdp = adapter.from_gymnasium(name, 10, **kwargs)
    values = optimal_values(mdp)
    reachable, kept = adapter.restrict_to_reachable(mdp)
    np.testing.assert_allclose(optimal_values(reachable), values[kept], atol=1e-12)
    assert reachable.n_states < mdp.n_states
    quotient, classes = adapter.aggregate(mdp)
    np.testing.assert_allclose(optimal_values(quotient)[classes], values, atol=1e-12)
    assert quotient.initial @ optimal_values(quotient) == pytest.approx(mdp.initial @ values)


def reachable_twin(mdp):
    kernel = mdp.transitions if mdp.transitions.ndim == 4 else mdp.transitions[None]
    found = set(np.flatnonzero(mdp.initial).tolist())
    frontier = list(found)
    while frontier:
        state = frontier.pop()
        for target in np.flatnonzero(kernel[:, state].sum(axis=(0, 1))).tolist():
            if target not in found:
                found.add(target)
                frontier.append(target)
    return sorted(found)


@settings(max_examples=60)
@given(st.one_of(finite_horizon_mdps(max_states=6), discounted_mdps(max_states=6)))
def test_reachable_states_match_a_search(mdp):
    reduced, kept = adapter.restrict_to_reachable(mdp)
    assert kept.tolist() == reachable_twin(mdp)
    np.testing.assert_array_equal(reduced.transitions, mdp.transitions[..., kept, :, :][..., kept])
    np.testing.assert_array_equal(reduced.rewards, mdp.rewards[..., kept, :])
    np.testing.assert_array_equal(reduced.initial, mdp.initial[kept])
    again, all_kept = adapter.restrict_to_reachable(reduced)
    assert all_kept.tolist() == list(range(again.n_states))


def doubled(mdp, share):
    """Split every state s into s and s + S, which behave alike: mass q on s becomes q w and q (1 - w)."""
    kernel = mdp.transitions
    split = np.concatenate([kernel * share, kernel * (1 - share)], axis=-1)
    split = np.concatenate([split, split], axis=-3)
    rewards = np.concatenate([mdp.rewards, mdp.rewards], axis=-2)
    initial = np.concatenate([mdp.initial * 0.5, mdp.initial * 0.5])
    return FiniteHorizonMDP(split, rewards, mdp.horizon, initial, mdp.reward_law)


@settings(max_examples=60)
@given(finite_horizon_mdps(max_states=5), st.sampled_from([0.0, 0.5, 1.0]))
def test_split_states_are_merged_again(mdp, share):
    base, base_classes = adapter.aggregate(mdp)
    quotient, classes = adapter.aggregate(doubled(mdp, share))
    assert quotient.n_states == base.n_states
    np.testing.assert_array_equal(classes, np.concatenate([base_classes, base_classes]))
    np.testing.assert_allclose(quotient.transitions, base.transitions, atol=1e-15)
    np.testing.assert_allclose(quotient.initial, base.initial, atol=1e-15)
    twice, identity = adapter.aggregate(base)
    assert twice.n_states == base.n_states
    assert identity.tolist() == list(range(base.n_states))


@settings(max_examples=60)
@given(st.one_of(finite_horizon_mdps(max_states=5), discounted_mdps(max_states=5)))
def test_classes_are_bisimilar_and_values_agree(mdp):
    quotient, classes = adapter.aggregate(mdp)
    member = np.eye(quotient.n_states)[classes]
    masses = mdp.transitions @ member
    for s in range(mdp.n_states):
        first = int(np.flatnonzero(classes == classes[s])[0])
        np.testing.assert_array_equal(mdp.rewards[..., s, :], mdp.rewards[..., first, :])
        np.testing.assert_allclose(masses[..., s, :, :], masses[..., first, :, :], atol=1e-15)
    assert np.unique(classes, return_index=True)[1].tolist() == sorted(set(np.unique(classes, return_index=True)[1]))
    if isinstance(mdp, FiniteHorizonMDP):
        np.testing.assert_allclose(optimal_values(quotient)[classes], optimal_values(mdp), atol=1e-12)


def test_nearly_equal_states_are_kept_apart():
    tiny = np.nextafter(0.5, 1.0)
    kernel = np.array([[[0.5, 0.0, 0.5]], [[tiny, 0.0, 1.0 - tiny]], [[0.0, 0.0, 1.0]]])
    reward = np.array([[0.0], [0.0], [1.0]])
    assert adapter.aggregate(DiscountedMDP(kernel, reward, 0.9))[0].n_states == 3
    kernel[1] = kernel[0]
    assert adapter.aggregate(DiscountedMDP(kernel, reward, 0.9))[0].n_states == 2


def test_sums_are_exact_whatever_their_order():
    # 0.1 + 0.2 + 0.3 + 0.4 rounds differently from 0.4 + 0.3 + 0.2 + 0.1; as fractions they are equal.
    masses = [0.1, 0.2, 0.3, 0.4]
    kernel = np.zeros((6, 1, 6))
    kernel[0, 0, 2:] = masses
    kernel[1, 0, 2:] = masses[::-1]
    kernel[2:, 0, 2:] = np.eye(4)
    reward = np.array([[0.0], [0.0], [1.0], [1.0], [1.0], [1.0]])
    quotient, classes = adapter.aggregate(DiscountedMDP(kernel, reward, 0.9))
    assert classes.tolist() == [0, 0, 1, 1, 1, 1]
    assert quotient.transitions[0, 0].tolist() == [0.0, 1.0]


def test_sparse_and_dense_reductions_agree():
    compressed = random_sparse(60, 2, 1, seed=5)
    start = np.eye(60)[0]
    compressed = DiscountedMDP(compressed.transitions, np.round(compressed.rewards), 0.9, start)
    full = DiscountedMDP(compressed.transitions.toarray().reshape(60, 2, 60), compressed.rewards, 0.9, start)
    for reduce in (adapter.restrict_to_reachable, adapter.aggregate):
        (small, first), (large, second) = reduce(compressed), reduce(full)
        assert small.is_sparse
        assert not large.is_sparse
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(small.transitions.toarray().reshape(large.transitions.shape), large.transitions)
        assert small.n_states < 60
    assert adapter.aggregate(garnet_discounted())[0].n_states == 20


def test_reductions_of_named_instances():
    lock, _ = adapter.restrict_to_reachable(INSTANCES["deep_sea"]())
    assert lock.n_states == 8 * 9 // 2  # the triangle below the diagonal
    merged, classes = adapter.aggregate(INSTANCES["tabular_lower_bound"]())
    assert merged.n_states == classes.max() + 1
