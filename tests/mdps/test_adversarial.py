"""The adversarial worlds against plain numpy, enumeration and closed forms."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdps import adversarial as adv
from mdps import adversarial_instances as instances
from mdps.errors import InvalidModelError, InvalidPolicyError
from mdps.kernels import seed_lanes


def random_policy(mdp, seed):
    return np.random.default_rng(seed).dirichlet(np.ones(mdp.n_actions), mdp.shape[:2])


def staged(mdp, h):
    return mdp.transitions[min(h, mdp.transitions.shape[0] - 1)]


def twin_values(mdp, policy, losses):
    v, q = np.zeros((mdp.horizon + 1, mdp.n_states)), np.empty(mdp.shape)
    for h in reversed(range(mdp.horizon)):
        q[h] = losses[h] + staged(mdp, h) @ v[h + 1]
        v[h] = (policy[h] * q[h]).sum(axis=1)
    return v, q


def twin_occupancy(mdp, policy):
    mass = np.empty(mdp.shape[:2])
    mass[0] = mdp.initial
    for h in range(mdp.horizon - 1):
        mass[h + 1] = np.einsum("s,sa,sat->t", mass[h], policy[h], staged(mdp, h))
    return mass


def stage_dependent(seed=0, shape=(3, 3, 2)):
    H, S, A = shape
    rng = np.random.default_rng(seed)
    return adv.AdversarialMDP(rng.dirichlet(np.ones(S), (H, S, A)), H, rng.dirichlet(np.ones(S)))


def one(losses, k, policy=None, seed=0):
    """Losses of episode k (from zero) alone."""
    table, out = adv.loss_table(losses), np.empty(losses.shape)
    theta = np.empty((losses.shape[0], 1, losses.table.shape[3]))
    adv.fill_losses(table, k, out if policy is None else policy, seed_lanes(seed, 1), 0, theta, out)
    return out


# Models


def test_models_name_the_first_offending_entry():
    rows = np.full((2, 2, 2), 0.5)
    rows[1, 0] = [0.5, 0.498]
    with pytest.raises(InvalidModelError, match=r"transitions\[h=0, s=1, a=0\] sums to 0.998"):
        adv.AdversarialMDP(rows, 3)
    rows[1, 0] = [1.5, -0.5]
    with pytest.raises(InvalidModelError, match="negative mass"):
        adv.AdversarialMDP(rows, 3)
    rows[1, 0] = np.nan
    with pytest.raises(InvalidModelError, match="not finite"):
        adv.AdversarialMDP(rows, 3)
    good = np.full((2, 2, 2), 0.5)
    for horizon in (0, -1, 1.5, True):
        with pytest.raises(InvalidModelError, match="horizon"):
            adv.AdversarialMDP(good, horizon)
    with pytest.raises(InvalidModelError, match="shape"):
        adv.AdversarialMDP(np.full((4, 2, 2, 2), 0.5), 3)
    with pytest.raises(InvalidModelError, match="initial"):
        adv.AdversarialMDP(good, 3, [0.5, 0.4])


def test_models_cannot_be_written_to():
    mdp = stage_dependent()
    with pytest.raises(ValueError, match="read-only"):
        mdp.transitions[0, 0, 0, 0] = 1.0
    with pytest.raises(AttributeError):
        mdp.horizon = 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((9, np.zeros((1, 1, 1, 2))), "kind"),
        ((adv.BLOCKS, np.zeros((1, 1, 2))), "shape"),
        ((adv.BLOCKS, np.zeros((2, 1, 1, 2))), "no ends"),
        ((adv.BLOCKS, np.zeros((2, 1, 1, 2)), [5, 5]), "increasing"),
        ((adv.BERNOULLI, np.full((1, 1, 1, 2), 1.5)), "mean of a coin"),
        ((adv.FAIR, np.zeros((1, 1, 1, 3))), "needs 2"),
        ((adv.SINUSOIDAL, np.zeros((1, 1, 1, 2))), "frequencies"),
        ((adv.CYCLE, np.zeros((1, 1, 1, 2)), None, 3.0), "even"),
        ((adv.ONE_STEP, np.zeros((1, 1, 1, 2)), None, 0.0), "eta"),
        ((adv.BLOCKS, np.zeros((1, 1, 1, 2)), None, 0.0, np.zeros((1, 1, 2, 3))), "features"),
        ((adv.GREEDY, np.zeros((1, 1, 1, 2)), None, 0.0, np.zeros((1, 1, 2, 2))), "no linear form"),
        ((adv.BLOCKS, np.full((1, 1, 1, 2), np.inf)), "not finite"),
    ],
)
def test_adversaries_are_validated(arguments, message):
    with pytest.raises(InvalidModelError, match=message):
        adv.LossProcess(*arguments)


def test_an_instance_must_fit_together():
    mdp = stage_dependent()
    with pytest.raises(InvalidModelError, match="shape"):
        adv.AdversarialInstance("x", mdp, adv.constant_losses(np.zeros((1, 1, 2))))
    with pytest.raises(InvalidModelError, match="norm"):
        adv.AdversarialInstance("x", mdp, adv.greedy_losses(mdp), np.full((*mdp.shape, 3), 0.6))


# Dynamic programming


@given(st.integers(0, 10**6), st.booleans())
def test_values_and_occupancies_equal_their_twins(seed, stationary):
    mdp = instances.random_mdp(3, 3, 2, seed, random_initial=True) if stationary else stage_dependent(seed)
    policy, losses = random_policy(mdp, seed), np.random.default_rng(seed).normal(size=mdp.shape)
    values, table = adv.action_values(mdp, policy, losses)
    expected_values, expected_table = twin_values(mdp, policy, losses)
    np.testing.assert_allclose(values, expected_values, atol=1e-13)
    np.testing.assert_allclose(table, expected_table, atol=1e-13)
    mass = adv.occupancy(mdp, policy)
    np.testing.assert_allclose(mass, twin_occupancy(mdp, policy), atol=1e-14)
    assert adv.value(mdp, policy, losses) == pytest.approx(np.einsum("hs,hsa,hsa->", mass, policy, losses), abs=1e-12)


@given(st.integers(0, 10**6))
def test_best_fixed_policy_is_the_best_of_all_deterministic_ones(seed):
    mdp = stage_dependent(seed, (2, 2, 2))
    losses = np.random.default_rng(seed).normal(size=mdp.shape)
    least, actions = adv.best_fixed_policy(mdp, losses)
    everyone = [adv.value(mdp, np.eye(2)[np.reshape(choice, (2, 2))], losses) for choice in product(range(2), repeat=4)]
    assert least == pytest.approx(min(everyone), abs=1e-12)
    assert adv.value(mdp, np.eye(2)[actions], losses) == pytest.approx(least, abs=1e-12)
    np.testing.assert_allclose(adv.hindsight_values(mdp, np.stack([losses, -losses])[:, None])[0, 0], least, atol=1e-12)


def test_policies_are_validated():
    mdp = stage_dependent()
    with pytest.raises(InvalidPolicyError, match="shape"):
        adv.occupancy(mdp, np.full((3, 2), 0.5))
    policy = random_policy(mdp, 0)
    policy[1, 2] = [0.5, 0.6]
    with pytest.raises(InvalidPolicyError, match=r"policy\[h=1, s=2\] sums to 1.1"):
        adv.occupancy(mdp, policy)
    with pytest.raises(InvalidModelError, match="losses"):
        adv.best_fixed_policy(mdp, np.zeros((2, 2, 2)))


def test_episodes_follow_the_occupancy():
    mdp = stage_dependent(3)
    policy, world, lanes = random_policy(mdp, 4), adv.dynamics(mdp), seed_lanes(5, 1)
    n = 40_000
    counts = np.zeros(mdp.shape)
    states, actions = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
    for _ in range(n):
        adv.play(world, policy, lanes, 0, states, actions)
        counts[np.arange(3), states, actions] += 1
    q = adv.occupancy(mdp, policy)[..., None] * policy
    assert np.abs((counts - n * q) / np.sqrt(n * q * (1 - q))).max() < 4.5


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6).filter(lambda x: sum(x) > 0.01), st.floats(0.0, 1.0))
def test_draws_have_positive_mass(weights, u):
    law = np.array(weights) / np.sum(weights)
    point = adv.draw_law(law, min(u, 1.0 - 2.0**-53))
    assert law[point] > 0.0
    assert law[: point + 1].sum() >= u - 1e-12


def test_reachable_states_are_those_with_mass_under_some_policy():
    mdp = instances.near_and_far().mdp
    assert mdp.reachable().tolist() == [[True, False], [True, True]]
    assert mdp.layer_sizes().tolist() == [1, 2]


# Adversaries


def test_blocks_switch_after_their_last_episode():
    losses = adv.LossProcess(adv.BLOCKS, np.arange(3.0)[:, None, None, None], ends=[2, 5, 6])
    sequence = adv.loss_sequence(losses, 8, seed_lanes(0, 1), 0)[:, 0, 0, 0]
    assert sequence.tolist() == [0, 0, 1, 1, 1, 2, 2, 2]
    tensor = np.random.default_rng(0).random((5, 2, 3, 2))
    explicit = adv.loss_sequence(adv.explicit_losses(tensor), 5, seed_lanes(0, 1), 0)
    np.testing.assert_array_equal(explicit, tensor)


def test_coins_have_their_means():
    mdp = stage_dependent()
    losses = adv.stochastic_losses(mdp, 1)
    means = losses.table[0]
    assert means.min() >= 0.3
    assert means.max() <= 0.7
    n = 4000
    sequence = adv.loss_sequence(losses, n, seed_lanes(2, 1), 0)
    assert set(np.unique(sequence)) == {0.0, 1.0}
    assert np.abs((sequence.mean(axis=0) - means) / np.sqrt(means * (1 - means) / n)).max() < 4.5


def test_switching_and_sinusoidal_losses():
    mdp = stage_dependent()
    switching = adv.loss_sequence(adv.switching_losses(mdp, 100, 3), 100, seed_lanes(0, 1), 0)
    changes = np.flatnonzero(np.abs(np.diff(switching, axis=0)).sum(axis=(1, 2, 3))) + 1
    assert changes.tolist() == list(range(10, 100, 10))
    process = adv.sinusoidal_losses(mdp, 100, 3)
    sequence = adv.loss_sequence(process, 100, seed_lanes(0, 1), 0)
    k = np.arange(1, 101)[:, None, None, None]
    np.testing.assert_allclose(sequence, 0.5 + 0.5 * np.sin(process.table[0] * k + process.table[1]), atol=1e-12)
    periods = 2 * np.pi / process.table[0]
    assert periods.min() >= 5.0
    assert periods.max() <= 50.0
    with pytest.raises(InvalidModelError, match="blocks"):
        adv.switching_losses(mdp, 5, 0)


def test_fair_losses_cost_one_for_exactly_one_action():
    mdp = instances.full_information_lower_bound(2, 2).mdp
    sequence = adv.loss_sequence(adv.fair_losses(mdp), 2000, seed_lanes(1, 1), 0)
    assert (sequence.sum(axis=-1) == 1.0).all()
    assert np.abs(sequence.mean(axis=0) - 0.5).max() < 4.5 * 0.5 / np.sqrt(2000)


def test_greedy_losses_follow_the_policy_and_ties_go_to_the_lowest_action():
    mdp = stage_dependent()
    policy = random_policy(mdp, 0)
    losses = one(adv.greedy_losses(mdp), 3, policy)
    np.testing.assert_array_equal(losses, np.eye(2)[policy.argmax(axis=-1)])
    np.testing.assert_array_equal(one(adv.greedy_losses(mdp), 3, np.full(mdp.shape, 0.5))[..., 0], 1.0)
    with pytest.raises(InvalidModelError, match="adaptive"):
        adv.loss_sequence(adv.greedy_losses(mdp), 1, seed_lanes(0, 1), 0)


@given(st.floats(1e-6, 1 - 1e-6))
def test_one_step_losses_are_the_equality_case(p):
    x, g, y, common = adv.equality_case(p)
    mdp = instances.bandit(2)
    losses = one(adv.one_step_losses(mdp, 0.5), 1, x.reshape(1, 1, 2))
    np.testing.assert_allclose(0.5 * losses[0, 0], g, rtol=1e-7, atol=1e-12)
    assert x @ g == pytest.approx(0.0, abs=1e-6)
    assert ((y - x) ** 2 / x).sum() == pytest.approx(common, rel=1e-6)
    assert (y / x - 1 - np.log(y / x)).sum() == pytest.approx(common, rel=1e-6, abs=1e-12)
    with pytest.raises(InvalidModelError, match="outside"):
        adv.equality_case(1.0)


def test_cycle_losses():
    sequence = adv.loss_sequence(adv.cycle_losses(4), 2 + 2 * 5, seed_lanes(0, 1), 0)[:, 0, 0]
    assert sequence[:, 0].tolist() == [1, 1, -4, 1, 1, 1, 1, -4, 1, 1, 1, 1]
    assert (sequence[:, 1] == 0.0).all()


def test_linear_losses_are_products_with_theta():
    instance = instances.linear_mdp(2, 3, 2, 3, 0)
    table, lanes = adv.loss_table(instance.losses), seed_lanes(0, 1)
    theta, out = np.empty((2, 1, 3)), np.empty((2, 3, 2))
    adv.fill_losses(table, 0, out, lanes, 0, theta, out)
    np.testing.assert_allclose(out, np.einsum("hsad,hd->hsa", instance.features, theta[:, 0]), atol=1e-14)
    assert set(np.unique(theta)) <= {0.0, 1.0}


@pytest.mark.parametrize("name", ["stochastic", "switching", "sinusoidal", "linear", "cycle", "mixture"])
def test_losses_stay_in_their_span(name):
    mdp = stage_dependent()
    losses = {
        "stochastic": adv.stochastic_losses(mdp, 0),
        "switching": adv.switching_losses(mdp, 50, 0),
        "sinusoidal": adv.sinusoidal_losses(mdp, 50, 0),
        "linear": instances.linear_mdp(2, 3, 2, 3, 0).losses,
        "cycle": adv.cycle_losses(4),
        "mixture": instances.correlated_bandit().losses,
    }[name]
    low, high = losses.span
    sequence = adv.loss_sequence(losses, 50, seed_lanes(0, 1), 0)
    assert sequence.min() >= low - 1e-12
    assert sequence.max() <= high + 1e-12
    assert losses.unit_losses == (name != "cycle")


def test_worst_case_search_finds_the_maximum_of_a_small_problem():
    weights = np.random.default_rng(0).normal(size=(3, 1, 1, 2))
    found, losses = adv.worst_case_losses(lambda x: float((weights * x).sum()), weights.shape, seed=1)
    assert found == pytest.approx(weights.clip(0.0).sum())
    np.testing.assert_array_equal(losses, (weights > 0).astype(float))


# Instances


def test_linear_instances_have_linear_action_values_and_random_features_do_not():
    instance = instances.linear_mdp(2, 4, 2, 3, 0)
    residual, norm = instances.linear_q_defect(instance.mdp, instance.features, 0, policies=10)
    assert residual < 1e-12
    assert norm <= np.sqrt(3) * 2 * (1 + 1e-12)
    mdp = instances.random_mdp(2, 3, 2, 0)
    residual, norm = instances.linear_q_defect(mdp, instances.one_hot_features(mdp), 0, policies=5)
    assert residual < 1e-12
    assert norm <= np.sqrt(6) * 2 * (1 + 1e-12)
    wrong = np.random.default_rng(99).dirichlet(np.ones(3), mdp.shape)
    assert instances.linear_q_defect(mdp, wrong, 0, policies=5)[0] > 1e-3


def test_lower_bound_instance_has_the_stated_gap():
    instance = instances.lower_bound_instance(2, 3, 4, 10_000, seed=0)
    gap = instances.lower_bound_gap(3, 4, 10_000)
    means = instance.losses.table[0]
    assert (np.sort(means, axis=-1)[..., 0] == 0.5 - gap).all()
    assert (np.sort(means, axis=-1)[..., 1:] == 0.5).all()
    with pytest.raises(InvalidModelError, match="too few"):
        instances.lower_bound_instance(2, 3, 4, 20, seed=0)


def test_deceptive_chain_makes_leaving_at_once_cost_as_stated():
    horizon, episodes = 6, 400
    instance = instances.deceptive_chain(horizon, episodes)
    total = adv.loss_sequence(instance.losses, episodes, seed_lanes(0, 1), 0).sum(axis=0)
    best, actions = adv.best_fixed_policy(instance.mdp, total)
    assert actions[:, 0].tolist() == [0] * horizon
    leave = np.zeros(instance.mdp.shape)
    leave[..., 1] = 1.0
    assert adv.value(instance.mdp, leave, total) - best == pytest.approx(0.35 * episodes)
    signed = instances.deceptive_chain(horizon, episodes, signed=True).losses
    np.testing.assert_array_equal(signed.table, instance.losses.table - 1.0)


def test_bandit_instances():
    sequence = adv.loss_sequence(instances.correlated_bandit().losses, 200, seed_lanes(0, 1), 0)[:, 0, 0]
    np.testing.assert_allclose(sequence[:, 0], 0.25)
    np.testing.assert_allclose(sequence[:, 1] + sequence[:, 2], 1.0, atol=1e-12)
    assert 60 < np.rint(sequence[:, 1]).sum() < 140
    signed = instances.signed_bandit(10).losses
    assert adv.loss_sequence(signed, 10, seed_lanes(0, 1), 0)[[4, 5], 0, 0].tolist() == [[-0.5, -1.0], [-1.0, 0.0]]
    assert not signed.unit_losses
    assert not instances.signed_correlated_bandit().losses.unit_losses


def test_tree_keeps_the_state_that_the_first_action_chose():
    instance = instances.tree(4, 3, 0)
    policy = np.zeros(instance.mdp.shape)
    policy[..., 2] = 1.0
    np.testing.assert_array_equal(adv.occupancy(instance.mdp, policy)[1:], np.eye(4)[[2, 2]])
    assert instance.mdp.layer_sizes().tolist() == [1, 4, 4]


@pytest.mark.parametrize("call", [lambda: instances.bandit(0), lambda: instances.deceptive_chain(3, 2)])
def test_instances_refuse_impossible_sizes(call):
    with pytest.raises(InvalidModelError):
        call()
