"""UCBVI against a plain-numpy twin that plans all of it in every episode, its bonuses written from the formulas."""

from dataclasses import replace
from itertools import pairwise
from math import e, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps.kernels import cumulative, seed_lanes, uniform
from mdps.tabular import FiniteHorizonMDP
from solvers.episodic import by_pair, record_points, world
from solvers.planning import backward_induction, evaluate, policy_value
from solvers.ucbvi import (
    BERNSTEIN_FREEDMAN,
    BONUSES,
    CHERNOFF_HOEFFDING,
    HEURISTIC,
    HOEFFDING,
    Q,
    bonus_numbers,
    forget,
    learn,
    new_memory,
    run_ucbvi,
    unvisited_values,
)

# The twin: numpy, Python loops, one bonus function a variant. ``following`` are the values of the next stage, h counts
# from 0 and ``remaining`` is H - h of the papers, which count from 1.


def hoeffding_bonus(H, S, A, K, delta, h, n, law, following, arrivals):
    remaining = H - 1 - h
    return remaining * min(1.0, sqrt(log(6 * S * A * H * K / delta) / (2 * n)))


def chernoff_hoeffding_bonus(H, S, A, K, delta, h, n, law, following, arrivals):
    return 7 * H * log(5 * S * A * (K * H) / delta) / sqrt(n)


def bernstein_freedman_bonus(H, S, A, K, delta, h, n, law, following, arrivals, mistake=False):
    L = log(5 * H * S * A * (K * H) / delta)
    mean = law @ following
    variance = np.std(law * following) ** 2 if mistake else law @ (following - mean) ** 2
    with np.errstate(divide="ignore"):
        weight = np.minimum(100**2 * H**3 * S**2 * A * L**2 / arrivals[h + 1], H**2)
    return sqrt(8 * L * variance / n) + 14 * H * L / (3 * n) + sqrt(8 / n * (law @ weight))


def mistaken_bonus(*arguments):
    return bernstein_freedman_bonus(*arguments, mistake=True)


def heuristic_bonus(H, S, A, K, delta, h, n, law, following, arrivals):
    return 1 / sqrt(n) + (H - h) / n


MISTAKEN = replace(BERNSTEIN_FREEDMAN, variance_formula="product_std")
TWINS = {
    "hoeffding": (HOEFFDING, hoeffding_bonus),
    "chernoff": (CHERNOFF_HOEFFDING, chernoff_hoeffding_bonus),
    "bernstein": (BERNSTEIN_FREEDMAN, bernstein_freedman_bonus),
    "mistaken": (MISTAKEN, mistaken_bonus),
    "heuristic": (HEURISTIC, heuristic_bonus),
    "no-log": (
        replace(HOEFFDING, hoeffding_log_power=0.0),
        lambda H, S, A, K, d, h, n, *_: (H - 1 - h) * min(1.0, sqrt(1 / (2 * n))),
    ),
    "no-horizon": (
        replace(CHERNOFF_HOEFFDING, hoeffding_range="one"),
        lambda H, S, A, K, d, h, n, *_: 7 * log(5 * S * A * K * H / d) / sqrt(n),
    ),
    "staged-bernstein": (replace(BERNSTEIN_FREEDMAN, pooled=False, monotone=False), bernstein_freedman_bonus),
    "wide-clip": (replace(HOEFFDING, clip="horizon"), hoeffding_bonus),
    "clipped-start": (replace(HOEFFDING, unvisited="clip"), hoeffding_bonus),
    "plain-start": (replace(HOEFFDING, unvisited="reward only"), hoeffding_bonus),
    "monotone": (replace(HOEFFDING, monotone=True), hoeffding_bonus),
}


def twin(model, spec, bonus, K, delta, scale, seed, run=0):
    """Return the gap of every episode, the visits, the number of policy changes, Q of every episode."""
    H, S, A = model.horizon, model.n_states, model.n_actions
    state = seed_lanes(seed, run + 1)
    rewards = np.broadcast_to(model.rewards, (H, S, A))
    moves, arrivals = np.zeros((H, S, A, S)), np.zeros((H + 1, S))
    ceiling = [H - h if spec.clip == "stage" else H for h in range(H)]
    start = [
        {"reward": r + float(H - 1 - h), "clip": 0 * r + ceiling[h], "reward only": r}[spec.unvisited]
        for h, r in enumerate(rewards)
    ]
    before = np.array(start, dtype=float)
    best = policy_value(model, backward_induction(model).values)
    gaps, plans, policies = [], [], []
    for _ in range(K):
        q, following = np.array(start, dtype=float), np.zeros(S)
        for h in reversed(range(H)):
            seen = moves.sum(axis=0) if spec.pooled else moves[h]
            for s, a in np.ndindex(S, A):
                n = seen[s, a].sum()
                if n > 0:
                    law = seen[s, a] / n
                    b = scale * bonus(H, S, A, K, delta, h, n, law, following, arrivals)
                    q[h, s, a] = min(ceiling[h], rewards[h, s, a] + law @ following + b)
                    if spec.monotone:
                        q[h, s, a] = min(q[h, s, a], before[h, s, a])
            following = q[h].max(axis=1)
        before = q
        policy = q.argmax(axis=2)
        plans.append(q)
        policies.append(policy)
        gaps.append(best - policy_value(model, evaluate(model, policy)))
        s = np.searchsorted(cumulative(model.initial), uniform(state, run), side="right")
        arrivals[0, s] += 1
        for h in range(H):
            law = model.transitions[h % model.transitions.shape[0], s, policy[h, s]]
            t = np.searchsorted(cumulative(law), uniform(state, run), side="right")
            moves[h, s, policy[h, s], t] += 1
            arrivals[h + 1, t] += 1
            s = t
    visits = moves.sum(axis=3)
    changes = sum(not np.array_equal(p, q) for p, q in pairwise(policies))
    return np.array(gaps), visits.sum(axis=0)[None] if spec.pooled else visits, changes, np.array(plans)


def random_mdp(seed, S, A, H, stationary=True, concentration=1.0):
    rng = np.random.default_rng(seed)
    shape = (S, A) if stationary else (H, S, A)
    kernel = rng.dirichlet(np.full(S, concentration), size=shape)
    return FiniteHorizonMDP(kernel, rng.random((H, S, A)), H, initial=rng.dirichlet(np.ones(S)))


def tiny(**changes):
    setting = {"mdp": random_mdp(0, 2, 2, 2), "episodes": 5, "seeds": np.random.SeedSequence(0)}
    return run_ucbvi(**(setting | changes))


def assert_equals_twin(model, spec, bonus, K, scale, seed):
    seeds = np.random.SeedSequence(seed)
    curve = run_ucbvi(
        model,
        episodes=K,
        seeds=seeds,
        bonus=spec,
        scale=scale,
        record=K,
        keep_visits=True,
        check_optimism=True,
    )
    gaps, visits, changes, plans = twin(model, spec, bonus, K, 0.1, scale, seeds)
    assert np.allclose(curve.regret[0], np.cumsum(gaps)[curve.episodes - 1], rtol=0, atol=1e-9)
    assert np.array_equal(curve.visits[0], visits)
    assert curve.policy_changes[0] == changes
    lacks = (backward_induction(model, keep_q_values=True).q_values - plans).max(axis=(1, 2, 3))
    assert curve.optimism.largest_violation[0] == pytest.approx(lacks.max(), abs=1e-10)
    assert curve.optimism.first_violation[0] == (np.argmax(lacks > 1e-9) + 1 if lacks.max() > 1e-9 else 0)


@pytest.mark.parametrize("scale", [1.0, 0.03])
@pytest.mark.parametrize("name", TWINS)
def test_equals_the_twin(name, scale):
    spec, bonus = TWINS[name]
    assert_equals_twin(random_mdp(3, 3, 2, 3), spec, bonus, 150, scale, seed=4)
    if not spec.pooled:
        assert_equals_twin(random_mdp(5, 5, 3, 4, stationary=False), spec, bonus, 100, scale, seed=6)


@settings(max_examples=25)
@given(
    st.integers(0, 2**32),
    st.sampled_from(sorted(TWINS)),
    st.integers(1, 10),
    st.integers(1, 3),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.01, 0.1, 1.0, 2.0]),
)
def test_equals_the_twin_everywhere(seed, name, S, A, H, scale):
    assert_equals_twin(random_mdp(seed, S, A, H, concentration=0.4), *TWINS[name], 30, scale, seed)


@pytest.mark.parametrize("scale", [1.0, 0.05, 0.01])
@pytest.mark.parametrize("episodes", [400, 2**24 + 1])  # counts in float32, and in float64
def test_partial_planning_is_full_planning_bit_for_bit(scale, episodes):
    model, K = random_mdp(7, 9, 3, 5, stationary=False), 400
    H, S, A = 5, 9, 3
    memory = new_memory(H, S, A, episodes, pooled=False)
    assert memory.moves.dtype == (np.float32 if episodes == K else np.float64)
    forget(memory, unvisited_values(HOEFFDING, model), float(H**2))
    numbers = bonus_numbers(HOEFFDING, model, K, 0.1, scale)
    state, empty = seed_lanes(np.random.SeedSequence(1), 1), np.empty((0, S * A))
    learn(record_points(K, 1), state, 0, world(model), numbers, memory, empty, 0.0, np.empty(1))
    # What was planned last did not see the last episode yet: take it back.
    moves, path = memory.moves.astype(np.float64), memory.path
    for h in range(H):
        moves[h, path[0, h + 1], path[1, h]] -= 1.0
    n, following = moves.sum(axis=1), np.zeros(S)
    inverse = np.divide(1.0, n, out=np.zeros_like(n), where=n > 0)
    for h in reversed(range(H)):
        width = np.minimum(H - 1.0 - h, numbers.stages[0, h] * np.sqrt(inverse[h]))
        total = np.zeros(S * A)
        for t in range(S):
            total = total + following[t] * moves[h, t]
        rewards = model.rewards[h].T.reshape(-1)
        q = np.minimum(H - h, (rewards + scale * width) + total * inverse[h])
        q = np.where(n[h] > 0, q, rewards + float(H - 1 - h))
        assert np.array_equal(memory.tables[Q, h], q)
        following = q.reshape(A, S).max(axis=0)
        assert np.array_equal(memory.values[h], following)
        assert np.array_equal(memory.policy[h], q.reshape(A, S).argmax(axis=0))
    assert np.array_equal(by_pair(memory.visits[0], S).sum(axis=(1, 2)), np.full(H, K))


@pytest.mark.parametrize("name", BONUSES)
def test_runs_depend_on_their_seed_only(name):
    model, seeds = random_mdp(8, 4, 2, 3), np.random.SeedSequence(9)
    setting = {"episodes": 300, "seeds": seeds, "bonus": name, "scale": 0.05, "check_optimism": True}
    many, few = run_ucbvi(model, runs=4, **setting), run_ucbvi(model, runs=2, **setting)
    assert np.array_equal(many.regret[:2], few.regret)
    assert np.array_equal(many.policy_changes[:2], few.policy_changes)
    assert np.array_equal(many.optimism.largest_violation[:2], few.optimism.largest_violation)
    assert np.unique(many.regret[:, -1]).size == 4
    assert seeds.n_children_spawned == 0
    other = run_ucbvi(model, runs=2, **(setting | {"seeds": np.random.SeedSequence(10)}))
    assert not np.array_equal(other.regret, few.regret)


@pytest.mark.parametrize("name", BONUSES)
def test_regret_never_decreases(name):
    curve = run_ucbvi(
        random_mdp(11, 5, 3, 4), episodes=2000, seeds=np.random.SeedSequence(1), bonus=name, runs=5, record=2000
    )
    assert np.diff(curve.regret, axis=1, prepend=0.0).min() > -1e-12
    assert curve.regret[:, -1].max() <= 4 * 2000


def test_a_known_bandit_costs_nothing_only_if_unvisited_pairs_have_their_reward():
    rewards = np.array([[0.1, 0.2, 0.9]])
    model = FiniteHorizonMDP(np.ones((1, 3, 1)), rewards, 1)
    for K in (1, 100):
        curve = run_ucbvi(model, episodes=K, seeds=np.random.SeedSequence(0))
        assert curve.regret[0, -1] == 0.0  # as the bound, whose every term has a factor H - 1
    clipped = run_ucbvi(
        model, episodes=100, seeds=np.random.SeedSequence(0), bonus=replace(HOEFFDING, unvisited="clip")
    )
    assert clipped.regret[0, -1] == pytest.approx(0.8 + 0.7, abs=1e-12)


def test_optimism_holds_with_the_bonus_and_fails_without():
    failures = {}
    for scale in (1.0, 0.3, 0.0):
        failures[scale] = 0
        for seed in range(20):
            curve = run_ucbvi(
                random_mdp(seed, 3, 2, 3, stationary=False),
                episodes=2000,
                seeds=np.random.SeedSequence(seed),
                scale=scale,
                record=1,
                check_optimism=True,
            )
            report = curve.optimism
            assert (report.first_violation[0] > 0) == (report.largest_violation[0] > 1e-9)
            failures[scale] += int(report.first_violation[0] > 0)
    assert failures[1.0] == 0
    assert failures[0.0] >= 15
    assert failures[0.0] > failures[0.3]


def hoeffding_regret_bound(S, A, H, K, delta):
    L = log(6 * S * A * H * K / delta)
    beta = log(3 * S * A * H / delta) + sum(log(1 + K / i) for i in range(1, S))
    leading = 8 * sqrt(2) * H * (H - 1) * sqrt(S * A * K * L)
    return e * (leading + 16 * (H**2 / 2 + H / 3) * (H - 1) * S * A * beta * log(1 + K))


@pytest.mark.parametrize(("S", "A", "H", "expected"), [(2, 2, 2, 1.49e5), (3, 2, 3, 1.21e6), (4, 2, 5, 8.17e6)])
def test_first_episodes_at_which_the_bound_says_something(S, A, H, expected):
    low, high = 1, 10**9
    while high - low > 1:
        middle = (low + high) // 2
        if hoeffding_regret_bound(S, A, H, middle, 0.1) < middle * H:
            high = middle
        else:
            low = middle
    assert high == pytest.approx(expected, rel=0.005)


def test_the_bound_holds_where_it_is_not_vacuous():
    K, model = 160_000, random_mdp(12, 2, 2, 2, stationary=False)
    bound = hoeffding_regret_bound(2, 2, 2, K, 0.1)
    assert bound < 2 * K
    curve = run_ucbvi(model, episodes=K, seeds=np.random.SeedSequence(13), runs=4, check_optimism=True)
    assert curve.regret[:, -1].max() <= bound
    assert not curve.optimism.first_violation.any()


def test_log_terms_of_the_variants():
    model = random_mdp(0, 4, 3, 5)
    for spec, inside in (
        (HOEFFDING, 6 * 60 * 100),
        (CHERNOFF_HOEFFDING, 5 * 60 * 100),
        (BERNSTEIN_FREEDMAN, 30000 * 5),
    ):
        assert spec.log_term(model, 100, 0.05) == pytest.approx(log(inside / 0.05), rel=1e-14)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"episodes": 0}, "episodes is 0"),
        ({"episodes": 2.5}, "episodes is 2.5"),
        ({"runs": 0}, "runs is 0"),
        ({"record": 0}, "record is 0"),
        ({"delta": 0.0}, r"delta is 0.0, outside \(0, 1\)"),
        ({"delta": 1.0}, "delta is 1.0"),
        ({"delta": float("nan")}, "delta is nan"),
        ({"scale": -1.0}, "scale is -1.0"),
        ({"scale": float("inf")}, "scale is inf"),
        ({"bonus": "hoefding"}, "'hoefding', not a BonusSpec nor one of hoeffding, "),
        ({"mdp": FiniteHorizonMDP(np.ones((1, 2, 1)), np.array([[0.0, 1.1]]), 2)}, r"rewards\[h=0, s=0, a=1\] is 1.1"),
        ({"mdp": random_mdp(0, 2, 2, 3, stationary=False), "bonus": "chernoff-hoeffding"}, "has 3 transition kernels"),
    ],
)
def test_bad_input(changes, message):
    with pytest.raises(ValueError, match=message):
        tiny(**changes)


def test_nothing_is_returned_that_was_not_asked_for():
    curve = tiny()
    assert curve.visits is None
    assert curve.optimism is None
    assert curve.regret.shape == (1, curve.episodes.size)
