"""Every instance is what its docstring says: sizes, optimal values, hardness, reproducibility."""

import inspect

import numpy as np
import pytest
from scipy import sparse

from mdps import instances
from mdps.errors import InvalidModelError
from mdps.tabular import DiscountedMDP, FiniteHorizonMDP


def optimal_values(mdp):
    """Backward induction: values of the stages ``(H + 1, S)``."""
    values = np.zeros((mdp.horizon + 1, mdp.n_states))
    for h in reversed(range(mdp.horizon)):
        r, p = (array[min(h, len(array) - 1)] for array in (mdp.rewards, mdp.transitions))
        values[h] = (r + p @ values[h + 1]).max(axis=1)
    return values


def optimal_return(mdp):
    return float(mdp.initial @ optimal_values(mdp)[0])


def uniform_return(mdp):
    value = np.zeros(mdp.n_states)
    for h in reversed(range(mdp.horizon)):
        r, p = (array[min(h, len(array) - 1)] for array in (mdp.rewards, mdp.transitions))
        value = (r + p @ value).mean(axis=1)
    return float(mdp.initial @ value)


def dense(mdp):
    kernel = mdp.transitions
    return kernel.toarray().reshape(mdp.n_states, mdp.n_actions, -1) if sparse.issparse(kernel) else kernel


@pytest.mark.parametrize("name", instances.INSTANCES)
def test_registry_makes_the_same_model_twice(name):
    first, second = instances.INSTANCES[name](), instances.INSTANCES[name]()
    assert isinstance(first, DiscountedMDP if "discount" in name or "sparse" in name else FiniteHorizonMDP)
    np.testing.assert_array_equal(dense(first), dense(second))
    np.testing.assert_array_equal(first.rewards, second.rewards)
    function = getattr(instances, name)
    text = function.__doc__.lower()
    assert "hard for" in text or "easy" in text or "without an end" in text
    assert "source:" in text or "folklore" in text or "without an end" in text


def test_registry_lists_every_public_instance():
    public = {
        name
        for name, value in vars(instances).items()
        if inspect.isfunction(value) and value.__module__ == instances.__name__ and not name.startswith("_")
    }
    assert public == set(instances.INSTANCES)
    with pytest.raises(TypeError):
        instances.INSTANCES["mine"] = None


def test_river_swim_entries():
    mdp = instances.river_swim(4, 9)
    expected = [[0.4, 0.6, 0, 0], [0.05, 0.6, 0.35, 0], [0, 0.05, 0.6, 0.35], [0, 0, 0.4, 0.6]]
    np.testing.assert_allclose(mdp.transitions[0, :, 1], expected, atol=1e-15)
    np.testing.assert_array_equal(mdp.transitions[0, :, 0].argmax(axis=1), [0, 0, 1, 2])
    assert mdp.rewards[0].tolist() == [[0.005, 0], [0, 0], [0, 0], [0, 1]]
    greedy = optimal_values(instances.river_swim(6, 40))
    assert greedy[0, 0] > 40 * 0.005  # swimming is worth it


@pytest.mark.parametrize("seed", [None, 3])
def test_deep_sea_pays_only_the_diver(seed):
    mdp = instances.deep_sea(6, seed=seed)
    assert (mdp.n_states, mdp.horizon) == (36, 6)
    assert optimal_return(mdp) == pytest.approx(0.99)
    free = instances.deep_sea(6, move_cost=0.0, seed=seed)
    assert free.unit_rewards
    assert optimal_return(free) == 1.0
    assert uniform_return(free) == pytest.approx(2.0**-6)
    if seed is not None:
        assert (mdp.rewards[0].argmin(axis=1) == 0).any()  # some cells are mirrored


def test_combination_lock_needs_the_code():
    mdp = instances.combination_lock(5, 3, seed=1)
    assert optimal_return(mdp) == 1.0
    assert uniform_return(mdp) == pytest.approx(3.0**-5)
    other = instances.combination_lock(5, 3, seed=2)
    assert (mdp.transitions != other.transitions).any()


def test_chain_slips():
    mdp = instances.chain(5, 1, slip=0.2)
    assert mdp.rewards[0, :, 0].tolist() == pytest.approx([0.04] * 4 + [0.84])
    assert mdp.rewards[0, :, 1].tolist() == pytest.approx([0.16] * 4 + [0.36])
    np.testing.assert_allclose(mdp.transitions[0, 2], [[0.2, 0, 0, 0.8, 0], [0.8, 0, 0, 0.2, 0]])
    np.testing.assert_allclose(mdp.transitions[0, 4], [[0.2, 0, 0, 0, 0.8], [0.8, 0, 0, 0, 0.2]])


@pytest.mark.parametrize(("bandits", "actions", "horizon"), [(1, 2, 2), (3, 4, 7)])
def test_two_armed_hard_is_tuned(bandits, actions, horizon):
    mdp = instances.two_armed_hard(10_000, horizon, bandits, actions, scale=0.5)
    gap = 0.5 * np.sqrt(bandits * actions / 10_000)
    assert mdp.n_states == bandits + 2
    assert optimal_return(mdp) == pytest.approx((horizon - 1) * (0.5 + gap))
    assert uniform_return(mdp) == pytest.approx((horizon - 1) * (0.5 + gap / actions))
    untold = mdp.transitions[0, :bandits].copy()
    assert (untold[:, :-1].max(axis=-1) == 0.5).all()
    assert (mdp.rewards[0, :bandits] == 0).all()  # known rewards give nothing away
    coarse = instances.two_armed_hard(1, horizon, bandits, actions)
    assert optimal_return(coarse) == pytest.approx(0.75 * (horizon - 1))


@pytest.mark.parametrize(
    ("actions", "depth", "horizon", "hidden"),
    [(2, 2, 8, (1, 0, 1)), (3, 3, 10, (2, 5, 0)), (2, 1, 3, (0, 0, 1)), (2, 4, 13, (3, 7, 1))],
)
def test_tabular_lower_bound_hides_one_triple(actions, depth, horizon, hidden):
    gap, waiting = 0.2, horizon // 3
    mdp = instances.tabular_lower_bound(actions, depth, horizon, gap, hidden)
    assert mdp.n_states == 3 + (actions**depth - 1) // (actions - 1)
    paying = horizon - waiting - depth
    assert optimal_return(mdp) == pytest.approx(paying * (0.5 + gap))
    blind = instances.tabular_lower_bound(actions, depth, horizon, gap, None)
    assert optimal_return(blind) == pytest.approx(paying * 0.5)
    assert (mdp.transitions != blind.transitions).sum() == 2  # one row, two entries
    assert mdp.unit_rewards
    moved = instances.tabular_lower_bound(actions, depth, horizon, gap, (0, 0, 0))
    assert optimal_return(moved) == pytest.approx(paying * (0.5 + gap))


def test_waiting_costs_nothing_up_to_the_last_exit():
    blind = instances.tabular_lower_bound(2, 2, 9, 0.2, None)
    values = optimal_values(blind)[:, 0]
    np.testing.assert_allclose(values[: 9 // 3], values[0])
    assert values[9 // 3] < values[0]


def test_random_models_depend_on_their_seed():
    for make in (instances.random_dense, instances.garnet):
        assert (make(seed=0).transitions != make(seed=1).transitions).any()
    staged = instances.random_dense(3, 2, 4, stationary=False, reward_law="bernoulli")
    assert staged.transitions.shape == (4, 3, 2, 3)
    assert staged.rewards.shape == (4, 3, 2)
    assert staged.reward_law == "bernoulli"
    spiked = instances.random_dense(30, 2, 2, concentration=0.01)
    assert spiked.transitions.max(axis=-1).mean() > 0.7
    pair = instances.random_dense_discounted(5, 2, 0.5, seed=4)
    np.testing.assert_array_equal(pair.transitions, instances.random_dense(5, 2, 1, seed=4).transitions[0])


@pytest.mark.parametrize("branching", [1, 3, 20])
def test_garnet_branches(branching):
    mdp = instances.garnet(branching=branching)
    assert ((mdp.transitions > 0).sum(axis=-1) == branching).all()
    pair = instances.garnet_discounted(branching=branching)
    np.testing.assert_array_equal(pair.transitions, mdp.transitions[0])


def test_grid_world_moves():
    mdp = instances.grid_world(2, 3, 10, slip=0.2)
    np.testing.assert_allclose(mdp.transitions[0, 0, 1], [0.1, 0.8, 0, 0.1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(mdp.transitions[0, 4, 0], [0, 0.8, 0, 0.1, 0, 0.1], atol=1e-15)
    assert (mdp.transitions[0, 5, :, 5] == 1).all()
    assert optimal_return(instances.grid_world(2, 3, 10, slip=0.0)) == 7  # three steps, then one a stage


def test_forest_matches_its_recursion():
    mdp = instances.forest_management(4, 5, fire=0.25)
    np.testing.assert_array_equal(mdp.rewards[0], [[0, 0], [0, 1], [0, 1], [4, 2]])
    for state in range(4):
        row = np.zeros(4)
        row[min(state + 1, 3)] += 0.75
        row[0] += 0.25
        np.testing.assert_array_equal(mdp.transitions[0, state], [row, [1, 0, 0, 0]])
    compressed = instances.forest_management_discounted(4, fire=0.25, is_sparse=True)
    assert compressed.is_sparse
    np.testing.assert_array_equal(dense(compressed), mdp.transitions[0])
    assert not instances.forest_management_discounted(4).is_sparse


def test_random_sparse_is_sparse():
    mdp = instances.random_sparse(300, 3, 5)
    assert mdp.is_sparse
    assert mdp.transitions.shape == (900, 300)
    assert mdp.transitions.nnz <= 900 * 5
    np.testing.assert_allclose(mdp.transitions.sum(axis=1), 1.0)
    assert mdp.transitions.has_canonical_format


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: instances.river_swim(1), "n_states is 1, not an integer of at least 2"),
        (lambda: instances.river_swim(6, 0), "horizon is 0"),
        (lambda: instances.river_swim(small=2.0), r"small is 2.0, outside \[0, 1\]"),
        (lambda: instances.deep_sea(0), "depth is 0"),
        (lambda: instances.deep_sea(2.5), "depth is 2.5, not an integer"),
        (lambda: instances.combination_lock(n_actions=1), "n_actions is 1"),
        (lambda: instances.chain(slip=1.5), r"slip is 1.5, outside \[0, 1\]"),
        (lambda: instances.two_armed_hard(0), "n_episodes is 0"),
        (lambda: instances.two_armed_hard(10, horizon=1), "horizon is 1"),
        (lambda: instances.two_armed_hard(10, scale=float("nan")), "scale is nan"),
        (lambda: instances.tabular_lower_bound(2, 2, 5), "horizon is 5, not an integer of at least 6"),
        (lambda: instances.tabular_lower_bound(gap=0.6), r"gap is 0.6, outside \[0, 0.5\]"),
        (lambda: instances.tabular_lower_bound(hidden=(2, 0, 0)), r"hidden exit is 2, outside \[0, 1\]"),
        (lambda: instances.tabular_lower_bound(hidden=(0, 2, 0)), r"hidden leaf is 2, outside \[0, 1\]"),
        (lambda: instances.tabular_lower_bound(hidden=(0, 0, -1)), r"hidden action is -1, outside \[0, 1\]"),
        (lambda: instances.garnet(3, 2, 4), r"branching is 4, outside \[1, 3\]"),
        (lambda: instances.random_dense(concentration=0.0), "concentration is 0.0"),
        (lambda: instances.random_sparse(branching=0), "branching is 0"),
        (lambda: instances.grid_world(rows=True), "rows is True"),
        (lambda: instances.forest_management_discounted(discount=1.0), "discount is 1.0"),
        (lambda: instances.forest_management(fire=-0.1), r"fire is -0.1, outside \[0, 1\]"),
    ],
)
def test_bad_parameters_are_named(make, message):
    with pytest.raises(InvalidModelError, match=message):
        make()
