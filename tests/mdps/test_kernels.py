"""Generators, sampling and roll-outs against plain-Python twins, dynamic programming and chi-square tests."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mdps import kernels
from mdps.errors import InvalidModelError, InvalidPolicyError
from mdps.instances import random_dense, river_swim
from mdps.strategies import distributions, finite_horizon_mdps, policies, reward_laws
from mdps.tabular import FiniteHorizonMDP

MASK = 2**64 - 1
LOW = 2**32 - 1
PUBLISHED = [
    41943041,
    58720359,
    3588806011781223,
    3591011842654386,
    9228616714210784205,
    9973669472204895162,
    14011001112246962877,
    12406186145184390807,
    15849039046786891736,
    10450023813501588000,
]
"""First outputs of xoshiro256++ from the state (1, 2, 3, 4)."""


def rotl(x, k):
    return ((x << k) | (x >> (64 - k))) & MASK


class Xoshiro:
    """The authors' C code in Python integers."""

    def __init__(self, words):
        self.s = [int(word) for word in words]

    def next(self):
        s = self.s
        output = (rotl((s[0] + s[3]) & MASK, 23) + s[0]) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 45)
        return output


def test_next_u64_reproduces_the_published_vector():
    state = np.array([[1], [2], [3], [4]], dtype=np.uint64)
    assert [int(kernels.next_u64(state, 0)) for _ in PUBLISHED] == PUBLISHED


@given(st.lists(st.integers(0, MASK), min_size=4, max_size=4).filter(any))
def test_next_u64_and_uniform_match_their_twin(words):
    state = np.array([words, words], dtype=np.uint64).T.copy()
    twin = Xoshiro(words)
    assert [int(kernels.next_u64(state, 1)) for _ in range(6)] == [twin.next() for _ in range(6)]
    assert state[:, 0].tolist() == words  # the other lane did not move
    u = kernels.uniform(state, 1)
    assert u == (twin.next() >> 11) / 2**53
    assert 0.0 <= u < 1.0
    assert state[:, 1].tolist() == twin.s


def test_uniform_stays_below_one():
    # The state is chosen so that the next output has 64 set bits: x0 = 0 and rotl(x3, 23) = 2^64 - 1.
    state = np.array([[0], [0], [0], [MASK]], dtype=np.uint64)
    assert kernels.uniform(state, 0) == 1.0 - 2.0**-53


def test_advance_moves_every_lane_once():
    state = kernels.seed_lanes(5, 7)
    twins = [Xoshiro(column) for column in state.T]
    words = np.empty(7, dtype=np.uint64)
    for _ in range(3):
        kernels.advance(state, words)
        assert words.tolist() == [twin.next() for twin in twins]


def test_uniform_is_uniform_and_lanes_are_uncorrelated():
    state = kernels.seed_lanes(0, 200)
    words = np.empty(200, dtype=np.uint64)
    draws = np.empty((500, 200))
    for row in draws:
        kernels.advance(state, words)
        row[:] = (words >> np.uint64(11)) * 2.0**-53
    assert stats.kstest(draws.ravel(), "uniform").pvalue > 1e-3
    correlations = np.corrcoef(draws.T)[np.triu_indices(200, 1)]
    assert np.abs(correlations).max() < 6 / np.sqrt(500)


def test_seed_lanes_depend_on_seed_and_lane_only():
    seed = np.random.SeedSequence(3, spawn_key=(1, 4))
    lanes = kernels.seed_lanes(seed, 6)
    assert lanes.shape == (4, 6)
    assert lanes.dtype == np.uint64
    np.testing.assert_array_equal(kernels.seed_lanes(seed, 3), lanes[:, :3])
    assert seed.n_children_spawned == 0
    assert len(np.unique(lanes)) == lanes.size
    children = np.stack([child.generate_state(4, np.uint64) for child in seed.spawn(6)], axis=1)
    assert not np.isin(lanes, children).any()
    np.testing.assert_array_equal(kernels.seed_lanes(9, 2), kernels.seed_lanes(np.random.SeedSequence(9), 2))
    assert not np.isin(kernels.seed_lanes(np.random.SeedSequence(3), 6), lanes).any()
    assert kernels.seed_lanes(1, 0).shape == (4, 0)


def test_an_all_zero_lane_is_repaired(monkeypatch):
    class Zero(np.random.SeedSequence):
        def generate_state(self, n_words, dtype=np.uint32):
            return np.zeros(n_words, dtype=dtype)

    monkeypatch.setattr(np.random, "SeedSequence", Zero)
    assert kernels.seed_lanes(0, 2).tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]]


@given(distributions(), st.floats(0, 1, exclude_max=True))
def test_draw_cdf_is_the_generalised_inverse(law, u):
    cdf = kernels.cumulative(law)
    for number in (u, 0.0, np.nextafter(1.0, 0.0)):
        point = kernels.draw_cdf(cdf, number)
        assert point == np.searchsorted(cdf, number, side="right")
        assert law[point] > 0.0


@given(distributions())
def test_draw_cdf_survives_a_sum_that_falls_short_of_one(law):
    short = np.cumsum(law) * (1 - 1e-12)
    assert kernels.draw_cdf(short, np.nextafter(1.0, 0.0)) == np.flatnonzero(law).max()


def test_cumulative_ends_at_one_from_the_last_positive_mass():
    law = np.full((2, 12), 0.1)
    law[:, 10:] = 0.0
    law[1, 9], law[1, 8] = 0.0, 0.2
    function = kernels.cumulative(law)
    np.testing.assert_array_equal(function[0, 9:], 1.0)
    np.testing.assert_array_equal(function[1, 8:], 1.0)
    np.testing.assert_allclose(function[0, :9], np.arange(1, 10) / 10)
    assert function[0, 8] < 1.0


def drawn_law(row):
    """Decode a packed row: the exact law of a uniform cell and a 32-bit coin."""
    n = len(row)
    law = [Fraction(0)] * n
    for cell, packed in enumerate(row.tolist()):
        own = Fraction(packed >> 32, 2**32)
        law[cell] += own / n
        law[packed & LOW] += (1 - own) / n
    return law


@given(distributions(max_size=12))
def test_alias_table_decodes_to_its_law(law):
    decoded = drawn_law(kernels.alias_table(law))
    assert sum(decoded) == 1
    for mass, exact in zip(law, decoded, strict=True):
        assert abs(float(exact) - mass) <= len(law) * 2.0**-32
        assert (mass == 0.0) == (exact == 0)


def test_alias_table_of_many_rows_equals_row_by_row():
    laws = np.random.default_rng(0).dirichlet(np.full(50, 0.05), size=(3, 4))
    laws[0, 0] = np.eye(50)[7]
    table = kernels.alias_table(laws)
    for index in np.ndindex(3, 4):
        np.testing.assert_array_equal(table[index], kernels.alias_table(laws[index]))
        decoded = np.array([float(mass) for mass in drawn_law(table[index])])
        np.testing.assert_allclose(decoded, laws[index], rtol=0, atol=50 * 2.0**-32)
    assert all(kernels.draw_alias(table[0, 0], np.uint64(w)) == 7 for w in (0, MASK, 2**63, LOW))


def test_alias_table_refuses_what_is_no_law():
    with pytest.raises(InvalidModelError, match=r"rows\[1\] sums to 0.9"):
        kernels.alias_table([[0.5, 0.5], [0.5, 0.4]])
    with pytest.raises(InvalidModelError, match="negative mass"):
        kernels.alias_table([1.5, -0.5])


def twin_draw_alias(row, word):
    cell = ((word >> 32) * len(row)) >> 32
    packed = int(row[cell])
    return cell if (word & LOW) < packed >> 32 else packed & LOW


@given(distributions(max_size=9), st.integers(0, MASK))
def test_draw_alias_matches_its_twin_and_avoids_zero_masses(law, word):
    row = kernels.alias_table(law)
    for w in (word, 0, MASK, MASK ^ LOW):
        point = kernels.draw_alias(row, np.uint64(w))
        assert point == twin_draw_alias(row, w)
        assert law[point] > 0.0


@pytest.mark.parametrize("method", ["alias", "cdf"])
def test_draws_have_the_right_frequencies(method):
    law = np.array([0.3, 0.0, 0.05, 0.25, 0.0, 0.4])
    row, cdf = kernels.alias_table(law), kernels.cumulative(law)
    state = kernels.seed_lanes(11, 1)
    if method == "alias":
        draws = [kernels.draw_alias(row, np.uint64(kernels.next_u64(state, 0))) for _ in range(20_000)]
    else:
        draws = [kernels.draw_cdf(cdf, kernels.uniform(state, 0)) for _ in range(20_000)]
    counts = np.bincount(draws, minlength=6)
    positive = law > 0
    assert counts[~positive].sum() == 0
    assert stats.chisquare(counts[positive], law[positive] * 20_000).pvalue > 1e-3


# Roll-outs


def twin_point(law, fraction, coin):
    """Point of the alias table of the support of a law, from a 32-bit fraction and a coin."""
    support = np.flatnonzero(law)
    row = kernels.alias_table(law[support])
    return int(support[twin_draw_alias(row, fraction << 32 | coin & LOW)])


def twin_returns(mdp, policy, n_episodes, seed, lanes):
    """`simulate_returns`, one episode after the other, in plain Python."""
    laws = kernels.action_laws(mdp, policy)
    deterministic = policy is not None and policy.dtype.kind == "i"
    initial = kernels.alias_table(mdp.initial)
    generators = [Xoshiro(column) for column in kernels.seed_lanes(seed, lanes).T]
    returns = []
    for episode in range(n_episodes):
        generator = generators[episode % lanes]
        state, total = twin_draw_alias(initial, generator.next()), 0.0
        for h in range(mdp.horizon):
            law = laws[min(h, len(laws) - 1), state]
            word = generator.next()
            scaled = (word >> 32) * (1 if deterministic else mdp.n_actions)
            if deterministic:
                action = int(law.argmax())
            elif policy is None:
                action = scaled >> 32
            else:
                action = twin_draw_alias(kernels.alias_table(law), word >> 32 << 32 | generator.next() & LOW)
            reward = mdp.rewards[min(h, len(mdp.rewards) - 1), state, action]
            state = twin_point(mdp.transitions[min(h, len(mdp.transitions) - 1), state, action], scaled & LOW, word)
            if mdp.reward_law == "bernoulli":
                reward = float((generator.next() >> 11) / 2**53 < reward)
            total += reward
        returns.append(total)
    return returns


@settings(max_examples=40)
@given(st.data(), finite_horizon_mdps(laws=reward_laws()), st.integers(0, 2**32))
def test_simulate_returns_matches_its_twin(data, mdp, seed):
    policy = data.draw(st.one_of(st.none(), policies(mdp)))
    lanes = data.draw(st.sampled_from([1, 3, 64]))
    returns = kernels.simulate_returns(mdp, policy, 9, seed, lanes)
    assert returns.tolist() == twin_returns(mdp, policy, 9, seed, lanes)


def expected_return(mdp, policy):
    """Dynamic programming, in numpy."""
    laws = kernels.action_laws(mdp, policy)
    value = np.zeros(mdp.n_states)
    for h in reversed(range(mdp.horizon)):
        r, p, pi = (array[min(h, len(array) - 1)] for array in (mdp.rewards, mdp.transitions, laws))
        value = np.einsum("sa,sa->s", pi, r + p @ value)
    return float(mdp.initial @ value)


def bernoulli_staged():
    rng = np.random.default_rng(2)
    return FiniteHorizonMDP(
        rng.dirichlet(np.ones(7), size=(9, 7, 3)),
        rng.random((9, 7, 3)),
        9,
        rng.dirichlet(np.ones(7)),
        "bernoulli",
    )


def policies_of(mdp):
    rng = np.random.default_rng(3)
    return {
        "uniform": None,
        "deterministic": rng.integers(0, mdp.n_actions, (mdp.horizon, mdp.n_states)),
        "stationary": rng.integers(0, mdp.n_actions, mdp.n_states),
        "stochastic": rng.dirichlet(np.ones(mdp.n_actions), size=(mdp.horizon, mdp.n_states)),
    }


@pytest.mark.parametrize("kind", ["uniform", "deterministic", "stationary", "stochastic"])
@pytest.mark.parametrize("make", [bernoulli_staged, random_dense, river_swim])
def test_mean_return_agrees_with_dynamic_programming(make, kind):
    mdp = make()
    policy = policies_of(mdp)[kind]
    exact = expected_return(mdp, policy)
    returns = kernels.simulate_returns(mdp, policy, 20_000, 17)
    error = returns.std() / np.sqrt(len(returns))
    assert abs(returns.mean() - exact) <= 4 * error + 1e-12
    slow = kernels.sample_trajectories(mdp, policy, 4000, 17).rewards.sum(axis=1)
    assert abs(slow.mean() - exact) <= 4 * slow.std() / np.sqrt(len(slow)) + 1e-12


def test_both_simulators_draw_from_the_same_law_of_returns():
    mdp = bernoulli_staged()
    fast = kernels.simulate_returns(mdp, None, 5000, 1)
    slow = kernels.sample_trajectories(mdp, None, 5000, 2).rewards.sum(axis=1)
    table = np.stack([np.bincount(returns.astype(int), minlength=10) for returns in (fast, slow)])
    assert stats.chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue > 1e-3


def test_returns_do_not_depend_on_what_runs_beside_them():
    mdp = bernoulli_staged()
    policy = policies_of(mdp)["stochastic"]
    returns = kernels.simulate_returns(mdp, policy, 640, 4)
    np.testing.assert_array_equal(kernels.simulate_returns(mdp, policy, 100, 4), returns[:100])
    np.testing.assert_array_equal(kernels.simulate_returns(mdp, policy, 640, np.random.SeedSequence(4)), returns)
    assert (kernels.simulate_returns(mdp, policy, 640, 5) != returns).any()
    alone = kernels.simulate_returns(mdp, policy, 10, 4, lanes=1)  # lane 0 by itself
    np.testing.assert_array_equal(alone, returns.reshape(10, 64)[:, 0])
    few = kernels.simulate_returns(mdp, policy, 50, 4, lanes=5)
    np.testing.assert_array_equal(few.reshape(10, 5), returns.reshape(10, 64)[:, :5])


def test_no_episode_no_return():
    assert kernels.simulate_returns(river_swim(), None, 0, 0).shape == (0,)
    assert kernels.sample_trajectories(river_swim(), None, 0, 0).states.shape == (0, 21)


def test_trajectories_follow_the_model():
    mdp = bernoulli_staged()
    deterministic = policies_of(mdp)["deterministic"]
    sample = kernels.sample_trajectories(mdp, deterministic, 3000, np.random.default_rng(8))
    assert sample.states.shape == (3000, 10)
    assert sample.actions.shape == sample.rewards.shape == (3000, 9)
    stage = np.arange(9)[None]
    np.testing.assert_array_equal(sample.actions, deterministic[stage, sample.states[:, :-1]])
    assert set(np.unique(sample.rewards)) == {0.0, 1.0}
    counts = np.bincount(sample.states[:, 0], minlength=7)
    assert stats.chisquare(counts, 3000 * mdp.initial).pvalue > 1e-3
    state = counts.argmax()
    nexts = sample.states[sample.states[:, 0] == state, 1]
    law = mdp.transitions[0, state, deterministic[0, state]]
    assert stats.chisquare(np.bincount(nexts, minlength=7), len(nexts) * law).pvalue > 1e-3


def test_deterministic_rewards_are_the_means():
    mdp = random_dense(n_states=3, n_actions=2, horizon=4)
    sample = kernels.sample_trajectories(mdp, None, 20, 0)
    np.testing.assert_array_equal(sample.rewards, mdp.rewards[0, sample.states[:, :-1], sample.actions])
    again = kernels.sample_trajectories(mdp, None, 20, np.random.SeedSequence(0))
    np.testing.assert_array_equal(again.states, sample.states)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (np.zeros(5, dtype=int), r"policy has shape \(5,\), not \(S,\) or \(H, S\)"),
        (np.zeros((3, 6), dtype=int), "policy has 3 stages, not 20"),
        (np.array([0, 0, 0, 2, 0, 0]), r"policy\[h=0, s=3\] is 2, not an action"),
        (np.array([0, -1, 0, 0, 0, 0]), r"policy\[h=0, s=1\] is -1, not an action"),
        (np.full((6, 3), 1 / 3), r"policy has shape \(6, 3\), not \(S, A\) or \(H, S, A\)"),
        (np.full((7, 6, 2), 0.5), "policy has 7 stages, not 20"),
        (np.full((6, 2), 0.4), r"policy\[h=0, s=0\] sums to 0.8, not 1"),
        (np.full((6, 2), np.nan), r"policy\[0, 0, 0\] is nan, not finite"),
        (np.array([[1.5, -0.5]] * 6), r"policy\[h=0, s=0, t=1\] is -0.5, a negative mass"),
        (np.full((6, 2), "a"), "dtype"),
    ],
)
def test_a_policy_that_does_not_fit_is_named(policy, message):
    for simulate in (kernels.simulate_returns, kernels.sample_trajectories):
        with pytest.raises(InvalidPolicyError, match=message):
            simulate(river_swim(), policy, 3, 0)
