import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdps.kernels import cumulative, seed_lanes, uniform
from mdps.tabular import FiniteHorizonMDP
from solvers.episodic import (
    add_weighted,
    by_pair,
    by_row,
    draw_row,
    evaluate_from,
    play,
    record_points,
    require_non_negative,
    require_positive,
    require_probability,
    require_unit_rewards,
    world,
)
from solvers.planning import evaluate, policy_value


def random_mdp(rng, S, A, H, stationary=True, sparse=False):
    shape = (S, A) if stationary else (H, S, A)
    kernel = rng.dirichlet(np.full(S, 0.3 if sparse else 1.0), size=shape)
    if sparse:
        kernel = np.where(kernel < 0.1, 0.0, kernel)
        kernel /= kernel.sum(axis=-1, keepdims=True)
    return FiniteHorizonMDP(kernel, rng.random((H, S, A)), H, initial=rng.dirichlet(np.ones(S)))


@given(st.integers(1, 10**7), st.integers(1, 100))
def test_record_points_increase_to_the_last_episode(episodes, n):
    points = record_points(episodes, n)
    assert points[-1] == episodes
    assert points[0] >= 1
    assert points.size <= n
    assert np.all(np.diff(points) > 0)
    if n > 1:
        assert points[0] == 1


def test_record_points_are_evenly_spaced_in_log():
    assert record_points(10**6, 7).tolist() == [1, 10, 100, 1000, 10**4, 10**5, 10**6]
    assert record_points(5, 1).tolist() == [5]


@pytest.mark.parametrize("value", [0, -1, 1.0, True, None])
def test_positive_integers_only(value):
    with pytest.raises(ValueError, match="not a positive integer"):
        require_positive("episodes", value)
    with pytest.raises(ValueError, match="episodes"):
        record_points(value, 3)
    with pytest.raises(ValueError, match="record"):
        record_points(3, value)


def test_ranges_of_numbers():
    for value in (0.0, 1.0, -0.1, float("nan")):
        with pytest.raises(ValueError, match=r"delta .* outside \(0, 1\)"):
            require_probability("delta", value)
    for value in (-1e-9, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="scale"):
            require_non_negative("scale", value)
    rewards = np.zeros((2, 3, 2))
    rewards[1, 2, 0] = 1.5
    model = FiniteHorizonMDP(np.full((3, 2, 3), 1 / 3), rewards, 2)
    with pytest.raises(ValueError, match=r"rewards\[h=1, s=2, a=0\] is 1.5"):
        require_unit_rewards(model)


def test_rows_and_pairs():
    table = np.arange(24.0).reshape(2, 4, 3)
    rows = by_row(table)
    assert rows[1, 2 * 4 + 3] == table[1, 3, 2]
    assert np.array_equal(by_pair(rows, 4), table)


@pytest.mark.parametrize("stationary", [True, False])
def test_world_holds_the_model(stationary):
    rng = np.random.default_rng(1)
    model = random_mdp(rng, 3, 2, 4, stationary)
    layout = world(model)
    G = 1 if stationary else 4
    rows = layout.transitions.reshape(G, 6, 3)
    for g, s, a in np.ndindex(G, 3, 2):
        assert np.array_equal(rows[g, a * 3 + s], model.transitions[g, s, a])
        assert np.array_equal(layout.next_cdf[g, a * 3 + s], cumulative(model.transitions[g, s, a]))
    assert np.array_equal(by_pair(layout.rewards, 3), model.rewards)


@pytest.mark.parametrize("n", [1, 2, 5, 8, 9, 20, 67])
def test_draw_row_inverts_the_distribution_function(n):
    rng = np.random.default_rng(n)
    mass = rng.dirichlet(np.full(n, 0.3))
    mass[rng.random(n) < 0.3] = 0.0
    mass = mass / mass.sum() if mass.sum() > 0 else np.eye(1, n)[0]
    cdf = cumulative(mass)[None, None]
    for u in [*rng.random(500), 0.0, np.nextafter(1.0, 0.0), *cdf[0, 0][cdf[0, 0] < 1.0]]:
        drawn = draw_row(cdf, 0, 0, float(u))
        assert drawn == np.searchsorted(cdf[0, 0], u, side="right")
        assert mass[drawn] > 0.0


@pytest.mark.parametrize("stationary", [True, False])
def test_play_draws_the_model(stationary):
    rng = np.random.default_rng(2)
    model = random_mdp(rng, 4, 3, 5, stationary)
    layout, policy = world(model), rng.integers(0, 3, (5, 4))
    state, twin = seed_lanes(np.random.SeedSequence(3), 2), seed_lanes(np.random.SeedSequence(3), 2)
    path = np.zeros((2, 6), dtype=np.int64)
    for _ in range(50):
        play(layout.initial_cdf, layout.next_cdf, policy, state, 1, path)
        s = np.searchsorted(cumulative(model.initial), uniform(twin, 1), side="right")
        for h in range(5):
            assert path[0, h] == s
            assert path[1, h] == policy[h, s] * 4 + s
            law = model.transitions[0 if stationary else h, s, policy[h, s]]
            s = np.searchsorted(cumulative(law), uniform(twin, 1), side="right")
        assert path[0, 5] == s
    assert np.array_equal(state, twin)


@given(st.integers(0, 2**32), st.integers(1, 9), st.integers(1, 3), st.integers(1, 5), st.booleans())
def test_evaluation_is_that_of_planning(seed, S, A, H, stationary):
    rng = np.random.default_rng(seed)
    model = random_mdp(rng, S, A, H, stationary)
    layout, policy, values = world(model), rng.integers(0, A, (H, S)), np.zeros((H + 1, S))
    for top in (H - 1, int(rng.integers(0, H)), 0):
        policy[: top + 1] = rng.integers(0, A, (top + 1, S))
        start = evaluate_from(layout.transitions, layout.rewards, layout.initial, policy, values, top)
        exact = evaluate(model, policy)
        assert np.allclose(values, exact, rtol=0, atol=1e-13)
        assert abs(start - policy_value(model, exact)) < 1e-13


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_terms", [1, 3, 4, 7, 20])
def test_weighted_sums_keep_the_order_of_terms(dtype, n_terms):
    rng = np.random.default_rng(n_terms)
    table = rng.integers(0, 1000, (2, n_terms, 11)).astype(dtype)
    weights, totals = rng.random((3, n_terms)), np.zeros(11)
    add_weighted(table, 1, weights, 2, totals)
    twin = np.zeros(11)
    for t in range(n_terms):
        twin = twin + weights[2, t] * table[1, t].astype(np.float64)
    assert np.array_equal(totals, twin)
