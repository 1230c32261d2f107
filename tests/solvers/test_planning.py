"""Finite-horizon planning against plain numpy, exhaustive enumeration and exact rationals."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps.errors import InvalidPolicyError
from mdps.strategies import finite_horizon_mdps, policies, rational_mdps
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import MASS_TOLERANCE
from solvers import planning, planning_kernels, rational_planning

EPS = np.finfo(float).eps


def random_mdp(S, A, H, seed=0, *, stages=1, reward_stages=1, concentration=1.0):
    rng = np.random.default_rng(seed)
    kernel = rng.dirichlet(np.full(S, concentration), size=(stages, S, A))
    return FiniteHorizonMDP(kernel, rng.normal(size=(reward_stages, S, A)), H, rng.dirichlet(np.ones(S)))


def dot_twin(row, vector):
    """The order of summation that the kernels document, in plain numpy."""
    n = row.size
    lanes = np.zeros((4, 4))
    wholes, fours = n - n % 16, n - n % 4
    for k in range(0, wholes, 16):
        lanes += (row[k : k + 16] * vector[k : k + 16]).reshape(4, 4)
    folded = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
    for k in range(wholes, fours, 4):
        folded = folded + row[k : k + 4] * vector[k : k + 4]
    total = (folded[0] + folded[1]) + (folded[2] + folded[3])
    for k in range(fours, n):
        total = total + row[k] * vector[k]
    return total


def backward_twin(mdp):
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    values, q = np.zeros((H + 1, S)), np.zeros((H, S, A))
    for h in reversed(range(H)):
        p = mdp.transitions[h % len(mdp.transitions)]
        r = mdp.rewards[h % len(mdp.rewards)]
        for s, a in product(range(S), range(A)):
            q[h, s, a] = r[s, a] + dot_twin(p[s, a], values[h + 1])
        values[h] = q[h].max(axis=1)
    return values, q, q.argmax(axis=2)


def as_laws(mdp, policy):
    """A policy as (H, S, A) probabilities."""
    laws = np.asarray(policy)
    if laws.dtype.kind == "i":
        laws = np.eye(mdp.n_actions)[laws]
    return np.broadcast_to(laws, (mdp.horizon, mdp.n_states, mdp.n_actions))


def trajectory_measure(mdp, policy):
    """Probability of every (stage, state, action), and the mean return, by enumeration of all trajectories."""
    laws = as_laws(mdp, policy)
    measure = np.zeros(laws.shape)
    mean = 0.0
    pairs = list(product(range(mdp.n_states), range(mdp.n_actions)))
    for path in product(pairs, repeat=mdp.horizon):
        mass, total = 1.0, 0.0
        for h, (s, a) in enumerate(path):
            kernel = mdp.transitions[(h - 1) % len(mdp.transitions)]
            mass *= (mdp.initial[s] if h == 0 else kernel[(*path[h - 1], s)]) * laws[h, s, a]
            total += mdp.rewards[h % len(mdp.rewards)][s, a]
        for h, (s, a) in enumerate(path):
            measure[h, s, a] += mass
        mean += mass * total
    return measure, mean


@pytest.mark.parametrize("n", [*range(1, 37), 100, 129])
def test_dot_product_sums_in_the_documented_order(n):
    rng = np.random.default_rng(n)
    values = np.zeros((2, n))
    values[1] = rng.normal(size=n) * 10.0 ** rng.integers(-8, 8, size=n)
    rows = rng.normal(size=(1, n, 1, n))
    q = np.empty((1, n, 1))
    planning_kernels.action_values(rows, np.zeros((1, n, 1)), values, q)
    assert [dot_twin(row, values[1]) for row in rows[0, :, 0]] == q[0, :, 0].tolist()


@pytest.mark.parametrize("n", [3, 16, 50, 1000])
def test_dot_product_is_within_the_stated_rounding_error(n):
    rng = np.random.default_rng(n)
    row, vector = rng.normal(size=n), rng.normal(size=n)
    exact = sum((Fraction(x) * Fraction(y) for x, y in zip(row, vector, strict=True)), Fraction(0))
    scale = float(np.abs(row * vector).sum())
    assert abs(float(Fraction(dot_twin(row, vector)) - exact)) <= (n // 16 + 12) * EPS / 2 * scale * (1 + 1e-9)


@pytest.mark.parametrize("stages", [1, 6])
@pytest.mark.parametrize("reward_stages", [1, 6])
@pytest.mark.parametrize(("S", "A"), [(1, 1), (2, 3), (7, 4), (33, 2)])
def test_backward_induction_is_its_twin_bit_for_bit(S, A, stages, reward_stages):
    mdp = random_mdp(S, A, 6, stages=stages, reward_stages=reward_stages)
    values, q, policy = backward_twin(mdp)
    plan = planning.backward_induction(mdp)
    np.testing.assert_array_equal(plan.values, values)
    np.testing.assert_array_equal(plan.policy, policy)
    assert plan.q_values is None
    full = planning.backward_induction(mdp, keep_q_values=True)
    np.testing.assert_array_equal(full.values, values)
    np.testing.assert_array_equal(full.policy, policy)
    np.testing.assert_array_equal(full.q_values, q)
    np.testing.assert_array_equal(planning.q_values(mdp, values), q)


@given(finite_horizon_mdps(max_states=5, max_actions=4, max_horizon=6, unit_rewards=False))
def test_elimination_changes_no_bit(mdp):
    plan, full = planning.backward_induction(mdp), planning.backward_induction(mdp, keep_q_values=True)
    np.testing.assert_array_equal(plan.values, full.values)
    np.testing.assert_array_equal(plan.policy, full.policy)


@pytest.mark.parametrize("seed", range(20))
def test_elimination_changes_no_bit_where_actions_nearly_tie(seed):
    """Rows that miss unit mass by the tolerance, rewards equal up to rounding: the bounds must be inflated."""
    rng = np.random.default_rng(seed)
    S, A, H = 6, 4, 40
    kernel = np.repeat(rng.dirichlet(np.ones(S), size=(S, 1)), A, axis=1)
    kernel *= 1.0 + 0.999 * MASS_TOLERANCE * rng.choice([-1.0, 1.0], size=(S, A, 1))
    rewards = np.repeat(rng.normal(size=(S, 1)), A, axis=1) + EPS * rng.integers(-4, 5, size=(S, A))
    mdp = FiniteHorizonMDP(kernel, rewards + 1000.0 * (seed % 2), H)
    plan, full = planning.backward_induction(mdp), planning.backward_induction(mdp, keep_q_values=True)
    np.testing.assert_array_equal(plan.policy, full.policy)
    np.testing.assert_array_equal(plan.values, full.values)


def test_elimination_needs_its_slack():
    """An action whose row has more than unit mass overtakes slowly; a bound that is not inflated never sees it."""
    mdp = FiniteHorizonMDP([[[1.0], [1.0 + 0.9 * MASS_TOLERANCE]]], [[9.0, 9.0 - 5e-8]], 40)
    full = planning.backward_induction(mdp, keep_q_values=True)
    assert set(full.policy.ravel()) == {0, 1}
    values, policy = np.empty((41, 1)), np.empty((40, 1), np.int64)
    for tolerance in (0.0, 2.0 * MASS_TOLERANCE):
        work = np.empty((1, 2)), np.empty(1)
        planning_kernels.backward_induction(mdp.transitions, mdp.rewards, values, policy, *work, tolerance, 0.0)
        assert np.array_equal(values, full.values) == (tolerance > 0.0)


def test_elimination_reads_few_rows():
    """A row that is never read may hold anything: most of the actions are decided by their bounds."""
    S, A, H = 60, 8, 40
    mdp = random_mdp(S, A, H)
    plan = planning.backward_induction(mdp)
    poisoned = mdp.transitions.copy()
    unused = np.ones((S, A), bool)
    unused[np.arange(S), plan.policy] = False
    q = planning.q_values(mdp, plan.values)
    unused &= (plan.values[:-1, :, None] - q).min(axis=0) > 2.0
    assert unused.mean() > 0.2
    poisoned[0, unused] = np.nan
    poisoned.setflags(write=False)
    values, policy = np.empty_like(plan.values), np.empty_like(plan.policy)
    work = np.empty((S, A)), np.empty(S)
    planning_kernels.backward_induction(poisoned, mdp.rewards, values, policy, *work, 2e-9, 1e-13)
    np.testing.assert_array_equal(values, plan.values)


@settings(max_examples=25)
@given(finite_horizon_mdps(max_states=2, max_actions=2, max_horizon=3))
def test_optimal_among_all_deterministic_policies(mdp):
    plan = planning.backward_induction(mdp)
    best = max(
        trajectory_measure(mdp, np.reshape(actions, (mdp.horizon, mdp.n_states)))[1]
        for actions in product(range(mdp.n_actions), repeat=mdp.horizon * mdp.n_states)
    )
    assert planning.policy_value(mdp, plan.values) == pytest.approx(best, abs=1e-12)


@settings(max_examples=60)
@given(st.data(), finite_horizon_mdps(max_states=3, max_actions=2, max_horizon=3))
def test_evaluation_and_occupancy_match_enumerated_trajectories(data, mdp):
    policy = data.draw(policies(mdp))
    measure, mean = trajectory_measure(mdp, policy)
    values = planning.evaluate(mdp, policy)
    assert planning.policy_value(mdp, values) == pytest.approx(mean, abs=1e-12)
    np.testing.assert_allclose(planning.occupancy(mdp, policy), measure, atol=1e-14)


@given(rational_mdps(max_states=4, max_horizon=5, unit_rewards=False))
def test_values_are_within_rounding_of_the_exact_ones(exact):
    mdp = exact.to_float()
    plan = rational_planning.backward_induction(exact)
    found = planning.backward_induction(mdp, keep_q_values=True)
    np.testing.assert_allclose(found.values, np.array(plan.values, float), atol=1e-13)
    np.testing.assert_allclose(found.q_values, np.array(plan.q_values, float), atol=1e-13)


@pytest.mark.parametrize("stages", [1, 5])
def test_stationary_policies_are_policies_of_every_stage(stages):
    mdp = random_mdp(4, 3, 5, stages=stages, reward_stages=stages)
    rng = np.random.default_rng(1)
    actions, laws = rng.integers(0, 3, size=4), rng.dirichlet(np.ones(3), size=4)
    for policy in (actions, laws):
        staged = np.broadcast_to(policy, (5, *policy.shape))
        for function in (planning.evaluate, planning.occupancy):
            np.testing.assert_array_equal(function(mdp, policy), function(mdp, staged))
    one_hot = np.eye(3)[actions]
    np.testing.assert_array_equal(planning.evaluate(mdp, actions), planning.evaluate(mdp, one_hot))
    np.testing.assert_array_equal(planning.occupancy(mdp, actions), planning.occupancy(mdp, one_hot))


@pytest.mark.parametrize("stages", [1, 5])
def test_duality_of_values_and_occupancy_at_size(stages):
    mdp = random_mdp(40, 5, 5, stages=stages, reward_stages=stages)
    policy = planning.random_policy(mdp, np.random.default_rng(0))
    measure = planning.occupancy(mdp, policy)
    np.testing.assert_allclose(measure.sum(axis=(1, 2)), 1.0, rtol=1e-12)
    gain = float((measure * mdp.rewards).sum())
    assert gain == pytest.approx(planning.policy_value(mdp, planning.evaluate(mdp, policy)), abs=1e-12)


def test_random_policy_is_reproducible_and_valid():
    mdp = random_mdp(3, 2, 4)
    first, second = (planning.random_policy(mdp, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert first.shape == (4, 3, 2)
    planning.evaluate(mdp, first)


def test_integer_policies_of_any_width_and_read_only_ones():
    mdp = random_mdp(3, 2, 4)
    policy = np.array([0, 1, 1])
    expected = planning.evaluate(mdp, policy)
    frozen = policy.astype(np.uint8)
    frozen.setflags(write=False)
    np.testing.assert_array_equal(planning.evaluate(mdp, frozen), expected)
    np.testing.assert_array_equal(planning.evaluate(mdp, [0, 1, 1]), expected)


def bad_law(h, s, a, mass):
    laws = np.full((4, 3, 2), 0.5)
    laws[h, s, a] = mass
    return laws


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ([0, 1, 2], r"policy\[h=0, s=2\] is 2, not an action 0 \.\. 1"),
        (np.array([[0, 0, 0], [0, -1, 0], [0, 0, 0], [0, 0, 0]]), r"policy\[h=1, s=1\] is -1"),
        (np.zeros(2, int), r"policy has shape \(2,\), not \(3,\) or \(4, 3\)"),
        (np.zeros((3, 3), int), r"policy has shape \(3, 3\)"),
        (np.full((3, 3), 1 / 3), r"policy has shape \(3, 3\), not \(3, 2\) or \(4, 3, 2\)"),
        (np.full((3, 2), 0.5, np.float32), "dtype float32"),
        (np.zeros((3, 2), bool), "dtype bool"),
        (bad_law(2, 1, 0, 0.6), r"policy\[h=2, s=1\] sums to 1\.1, not 1"),
        (bad_law(3, 2, 1, -0.5), r"policy\[h=3, s=2, a=1\] is -0\.5, not a probability"),
        (bad_law(1, 0, 0, np.nan), r"policy\[h=1, s=0, a=0\] is nan"),
        (bad_law(1, 0, 0, np.inf), r"policy\[h=1, s=0\] sums to inf"),
    ],
)
def test_bad_policies_are_named(policy, message):
    mdp = random_mdp(3, 2, 4)
    for function in (planning.evaluate, planning.occupancy):
        with pytest.raises(InvalidPolicyError, match=message):
            function(mdp, policy)


def test_q_values_refuses_the_wrong_shape():
    with pytest.raises(ValueError, match=r"values has shape \(4, 3\), not \(5, 3\)"):
        planning.q_values(random_mdp(3, 2, 4), np.zeros((4, 3)))
