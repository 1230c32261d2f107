"""Identification without demonstrations: plans against plain numpy, golden numbers, failing input."""

import numpy as np
import pytest

from mdps.demonstration_instances import bandit, random_model, reflecting_chain
from solvers import demonstration_regularized_baselines as baselines
from solvers import demonstration_regularized_kernels as kernels
from solvers.demonstration_regularized import Memory, confidence_radii
from solvers.demonstration_regularized_baselines import bpi_kl, bpi_ucbvi, rf_express
from solvers.demonstration_regularized_cloning import policy_gap
from solvers.episodic import by_row
from theory import demonstration_regularized_parameters as parameters

SEED = np.random.SeedSequence(1)
CHAIN = reflecting_chain()
LOG = np.log(3 * 3 * 2 * 3 / 0.1)


def visited(model, seed):
    """Return a memory of random visits, with counts, laws and radii ``(H, S, A, ...)``."""
    random = np.random.default_rng(seed)
    n = random.integers(0, 10**6, (3, 3, 2)) * random.integers(0, 2, (3, 3, 2))
    n[-1] = 0
    moves = random.multinomial(n, model.transitions / model.transitions.sum(axis=-1, keepdims=True))
    memory = Memory.empty(model)
    memory.laws[kernels.MOVES] = moves.swapaxes(1, 2).reshape(3, 6, 3)
    memory.pairs[kernels.VISITS] = by_row(n.astype(float))
    kernels.estimate(memory.pairs, memory.laws, np.log(2 * 3 * 2 * 3 / 0.1))
    laws = memory.laws[kernels.EMPIRICAL].reshape(3, 2, 3, 3).swapaxes(1, 2)
    return memory, n, laws, confidence_radii(n.astype(float), 0.1)


@pytest.mark.parametrize("seed", range(5))
def test_plan_of_bpi_kl(seed):
    model = random_model(seed)
    memory, _, laws, radii = visited(model, seed)
    baselines.plan_kullback(by_row(model.rewards), memory.pairs, memory.laws, memory.states, memory.policy)
    value, gap = np.zeros(3), np.zeros(3)
    for h in (2, 1, 0):
        s = np.minimum(1.0, np.sqrt(radii[h] / 2)) * (h < 2)
        bonus = np.ptp(value) * s
        q = np.minimum(np.minimum(model.rewards[h] + laws[h] @ value + bonus, model.rewards[h] + value.max()), 3 - h)
        u = np.minimum(2 * bonus + laws[h] @ gap + np.ptp(gap) * s, np.ptp(value) + gap.max())
        action = q.argmax(axis=1)
        value, gap = q.max(axis=1), np.minimum(u, 3 - h)[np.arange(3), action]
        np.testing.assert_allclose(memory.states[kernels.UPPER, h], value)
        np.testing.assert_allclose(memory.states[kernels.GAP, h], gap)
        np.testing.assert_array_equal(memory.policy[kernels.LAW, h], np.eye(2)[action])


@pytest.mark.parametrize("seed", range(5))
def test_plan_of_bpi_ucbvi(seed):
    model = random_model(seed)
    memory, n, laws, _ = visited(model, seed)
    baselines.plan_variance(by_row(model.rewards), LOG, memory.pairs, memory.laws, memory.states, memory.policy)
    upper, lower, gap = np.zeros(3), np.zeros(3), np.zeros(3)
    for h in (2, 1, 0):
        with np.errstate(divide="ignore"):
            rate = np.where(n[h] > 0, 1.0 / n[h], 1e300) * (h < 2)
        growth = np.log(8 * np.e * (n[h] + 1))
        deviation = np.sqrt(np.maximum(laws[h] @ upper**2 - (laws[h] @ upper) ** 2, 0.0))
        root, linear = deviation * np.sqrt(rate * (LOG + growth)), 9 * rate * (LOG + 3 * growth)
        width = 3 * root + 14 * linear + laws[h] @ (upper - lower) / 3
        top = np.clip(model.rewards[h] + laws[h] @ upper + width, 0.0, 3.0)
        bottom = np.clip(model.rewards[h] + laws[h] @ lower - width, 0.0, 3.0)
        action = top.argmax(axis=1)
        g = np.minimum(3.0, 6 * root + 36 * linear + 2 * (laws[h] @ gap))
        upper, lower, gap = top.max(axis=1), bottom.max(axis=1), g[np.arange(3), action]
        np.testing.assert_allclose(memory.states[:3, h], [upper, lower, gap], atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_plan_of_rf_express(seed):
    model = random_model(seed)
    memory, n, laws, _ = visited(model, seed)
    baselines.plan_reward_free(LOG, memory.pairs, memory.laws, memory.states, memory.policy)
    w = np.zeros(3)
    for h in (2, 1, 0):
        growth = np.log(8 * np.e * (n[h] + 1))
        table = (15 * 9 * (LOG + 3 * growth) / np.maximum(n[h], 1) + 4 / 3 * (laws[h] @ w)) * (h < 2)
        w = np.minimum(3.0, table.max(axis=1))
        np.testing.assert_allclose(memory.states[kernels.GAP, h], w)
        np.testing.assert_array_equal(memory.policy[kernels.LAW, h], np.eye(2)[table.argmax(axis=1)])


@pytest.mark.parametrize(("epsilon", "golden"), [(1.0, 11_098), (0.5, 55_452), (0.25, 258_597)])
def test_golden_numbers_of_episodes(epsilon, golden):
    found = bpi_kl(CHAIN, epsilon, seeds=SEED, runs=2)
    assert found.stopped.all()
    assert found.episodes.mean() == pytest.approx(golden, rel=0.02)
    assert (policy_gap(CHAIN, found.policy) <= found.certificate).all()
    values = {"S": 4, "A": 2, "H": 5, "epsilon": epsilon, "delta": 0.1}
    bound = parameters.largest_fixed_point(parameters.UNREGULARISED_SAMPLE_COMPLEXITY, values)
    assert (found.episodes <= bound).all()


def test_others_stop_with_good_policies():
    model = random_model(0, 2, 2, 2)
    for found in (bpi_ucbvi(model, 0.7, seeds=SEED, growth=1.02), rf_express(model, 2.0, seeds=SEED, growth=1.02)):
        assert found.stopped.all()
        assert found.episodes[0] > 1000
        assert (policy_gap(model, found.policy) <= 0.7).all()
        np.testing.assert_allclose(found.visits[:, 0].sum(axis=(1, 2)), found.episodes)


def test_limits():
    found = bpi_kl(CHAIN, 1e-3, seeds=SEED, runs=2, limit=77)
    assert found.episodes.tolist() == [77, 77]
    assert not found.stopped.any()
    assert bpi_kl(bandit([0.1, 0.4]), 0.0, seeds=SEED).episodes.tolist() == [0]


def test_reward_free_statistic():
    assert baselines._reward_free_statistic(0.04) == pytest.approx(2 * (3 * np.e * 0.2 + 0.04))


@pytest.mark.parametrize("algorithm", [bpi_kl, bpi_ucbvi, rf_express])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilon": -1.0}, "epsilon"),
        ({"delta": 1.2}, r"delta is 1\.2"),
        ({"runs": 0}, "runs"),
        ({"limit": 0}, "limit"),
        ({"growth": 0.5}, r"growth is 0\.5"),
    ],
)
def test_bad_arguments(algorithm, change, message):
    with pytest.raises(ValueError, match=message):
        algorithm(**{"mdp": CHAIN, "epsilon": 1.0, "seeds": SEED, **change})
