import numpy as np
import pytest
from scipy import stats

from mdps.kernels import cumulative, seed_lanes, uniform
from mdps.tabular import FiniteHorizonMDP
from solvers.baselines import (
    draw_kernels,
    evaluate_mixed,
    optimise,
    run_psrl,
    run_q_learning,
    run_uniform,
    standard_gamma,
    standard_normal,
)
from solvers.episodic import by_pair, by_row, world
from solvers.planning import backward_induction, evaluate, policy_value
from solvers.ucbvi import KNOWN, Q


def random_mdp(seed, S, A, H, stationary=True, law="deterministic"):
    rng = np.random.default_rng(seed)
    kernel = rng.dirichlet(np.ones(S), size=(S, A) if stationary else (H, S, A))
    rewards = rng.random((H, S, A))
    return FiniteHorizonMDP(kernel, rewards, H, initial=rng.dirichlet(np.ones(S)), reward_law=law)


def optimum(model):
    return policy_value(model, backward_induction(model).values)


def draw(law, state, lane):
    return int(np.searchsorted(cumulative(law), uniform(state, lane), side="right"))


def test_uniform_policy():
    model = random_mdp(0, 3, 2, 4)
    curve = run_uniform(model, episodes=1000, runs=2, record=4)
    value = policy_value(model, evaluate(model, np.full((3, 2), 0.5)))
    assert np.allclose(curve.regret, np.tile((optimum(model) - value) * curve.episodes, (2, 1)), rtol=1e-14)
    assert curve.policy_changes.tolist() == [0, 0]


def mixed(greedy, epsilon, A):
    return (1 - epsilon) * np.eye(A)[greedy] + epsilon / A


@pytest.mark.parametrize("stationary", [True, False])
def test_value_of_the_mixed_policy(stationary):
    model = random_mdp(1, 5, 3, 4, stationary)
    rng, layout, values = np.random.default_rng(2), world(model), np.zeros((5, 5))
    greedy = rng.integers(0, 3, (4, 5))
    start = evaluate_mixed(layout.transitions, layout.rewards, layout.initial, greedy, 0.3, values, 3)
    exact = evaluate(model, mixed(greedy, 0.3, 3))
    assert np.allclose(values, exact, rtol=0, atol=1e-13)
    assert start == pytest.approx(policy_value(model, exact), abs=1e-13)


def q_learning_twin(model, K, epsilon, initial_q, seed):
    H, S, A = model.horizon, model.n_states, model.n_actions
    state, q, n = seed_lanes(seed, 1), np.full((H, S, A), initial_q), np.zeros((H, S, A))
    gaps = []
    for _ in range(K):
        greedy = q.argmax(axis=2)
        gaps.append(optimum(model) - policy_value(model, evaluate(model, mixed(greedy, epsilon, A))))
        s = draw(model.initial, state, 0)
        for h in range(H):
            coin = uniform(state, 0)
            a = int(coin / epsilon * A) if coin < epsilon else greedy[h, s]
            reward = model.rewards[h, s, a]
            if model.reward_law == "bernoulli":
                reward = float(uniform(state, 0) < reward)
            t = draw(model.transitions[h % model.transitions.shape[0], s, a], state, 0)
            n[h, s, a] += 1
            alpha = (H + 1) / (H + n[h, s, a])
            following = q[h + 1, t].max() if h + 1 < H else 0.0
            q[h, s, a] += alpha * (reward + following - q[h, s, a])
            s = t
    return np.cumsum(gaps)


@pytest.mark.parametrize("law", ["deterministic", "bernoulli"])
@pytest.mark.parametrize("stationary", [True, False])
@pytest.mark.parametrize(("epsilon", "initial_q"), [(0.1, 0.0), (0.5, 3.0), (0.0, 4.0), (1.0, 0.0)])
def test_q_learning_equals_its_twin(law, stationary, epsilon, initial_q):
    model, seeds = random_mdp(3, 4, 3, 3, stationary, law), np.random.SeedSequence(4)
    curve = run_q_learning(model, episodes=200, seeds=seeds, epsilon=epsilon, initial_q=initial_q, record=200)
    regret = q_learning_twin(model, 200, epsilon, initial_q, seeds)
    assert np.allclose(curve.regret[0], regret[curve.episodes - 1], rtol=0, atol=1e-9)


def test_always_exploring_is_the_uniform_policy():
    model = random_mdp(5, 3, 3, 3)
    curve = run_q_learning(model, episodes=100, seeds=np.random.SeedSequence(0), epsilon=1.0, record=9)
    assert np.allclose(curve.regret, run_uniform(model, episodes=100, record=9).regret, rtol=1e-12)


@pytest.mark.parametrize("shape", [0.2, 0.9, 1.0, 1.5, 17.0, 1000.0])
def test_gamma_variables(shape):
    state = seed_lanes(np.random.SeedSequence(6), 2)
    sample = np.array([standard_gamma(shape, state, 1) for _ in range(20_000)])
    assert stats.kstest(sample, stats.gamma(shape).cdf).pvalue > 1e-3
    assert abs(sample.mean() - shape) < 5 * np.sqrt(shape / sample.size)


def test_normal_variables():
    state = seed_lanes(np.random.SeedSequence(7), 1)
    sample = np.array([standard_normal(state, 0) for _ in range(20_000)])
    assert stats.kstest(sample, stats.norm.cdf).pvalue > 1e-3


def test_posterior_draws_have_beta_marginals():
    posterior = np.array([[[1.0, 0.5], [3.0, 0.5], [7.0, 20.0]]])  # (G, S, rows): two rows of three next states
    state, sample = seed_lanes(np.random.SeedSequence(8), 1), np.empty((1, 3, 2))
    draws = []
    for _ in range(5000):
        draw_kernels(posterior, state, 0, sample)
        draws.append(sample[0].copy())
    draws = np.array(draws)
    assert np.allclose(draws.sum(axis=1), 1.0, rtol=0, atol=1e-14)
    for t, row in np.ndindex(3, 2):
        own, rest = posterior[0, t, row], posterior[0, :, row].sum() - posterior[0, t, row]
        assert stats.kstest(draws[:, t, row], stats.beta(own, rest).cdf).pvalue > 1e-3
    total = posterior[0, :, 0].sum()
    expected = -posterior[0, 0, 0] * posterior[0, 1, 0] / (total**2 * (total + 1))
    assert np.cov(draws[:, 0, 0], draws[:, 1, 0])[0, 1] == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("stationary", [True, False])
def test_sampled_kernels_are_solved(stationary):
    model = random_mdp(9, 5, 3, 4, stationary)
    tables, values, policy = np.zeros((3, 4, 15)), np.zeros((5, 5)), np.zeros((4, 5), dtype=np.int64)
    tables[KNOWN] = by_row(model.rewards)
    sample = np.stack([by_row(stage.transpose(2, 0, 1)) for stage in model.transitions])
    scratch = np.empty(15), np.empty(5), np.empty(5, dtype=np.int64)
    top = optimise(sample, tables, values, policy, *scratch)
    plan = backward_induction(model, keep_q_values=True)
    assert np.allclose(by_pair(tables[Q], 5), plan.q_values, rtol=0, atol=1e-13)
    assert np.allclose(values, plan.values, rtol=0, atol=1e-13)
    assert np.array_equal(policy, plan.policy)
    assert top == np.flatnonzero(plan.policy.any(axis=1)).max()
    assert optimise(sample, tables, values, policy, *scratch) == -1


def psrl_twin(model, K, prior, seed):
    H, S, A = model.horizon, model.n_states, model.n_actions
    state, G = seed_lanes(seed, 1), model.transitions.shape[0]
    posterior, sample, gaps = np.full((G, S, S * A), prior), np.empty((G, S, S * A)), []
    for _ in range(K):
        draw_kernels(posterior, state, 0, sample)
        drawn = np.stack([by_pair(rows, S) for rows in sample])  # (G, t, s, a)
        policy = backward_induction(FiniteHorizonMDP(np.moveaxis(drawn, 1, 3), model.rewards, H)).policy
        gaps.append(optimum(model) - policy_value(model, evaluate(model, policy)))
        s = draw(model.initial, state, 0)
        for h in range(H):
            t = draw(model.transitions[h % G, s, policy[h, s]], state, 0)
            posterior[h % G, t, policy[h, s] * S + s] += 1
            s = t
    return np.cumsum(gaps)


@pytest.mark.parametrize("stationary", [True, False])
def test_psrl_equals_its_twin(stationary):
    model, seeds = random_mdp(10, 4, 2, 3, stationary), np.random.SeedSequence(11)
    curve = run_psrl(model, episodes=150, seeds=seeds, prior=0.7, record=150)
    regret = psrl_twin(model, 150, 0.7, seeds)
    assert np.allclose(curve.regret[0], regret[curve.episodes - 1], rtol=0, atol=1e-10)


def test_psrl_learns():
    model = random_mdp(12, 5, 3, 4)
    curve = run_psrl(model, episodes=4000, seeds=np.random.SeedSequence(0), runs=3, record=50)
    assert np.diff(curve.regret, axis=1, prepend=0.0).min() > -1e-10
    assert curve.regret[:, -1].max() < 0.02 * run_uniform(model, episodes=4000).regret[0, -1]


@pytest.mark.parametrize("learner", [run_q_learning, run_psrl])
def test_runs_depend_on_their_seed_only(learner):
    model, seeds = random_mdp(13, 6, 4, 4), np.random.SeedSequence(14)
    many, few = (learner(model, episodes=100, seeds=seeds, runs=runs) for runs in (4, 2))
    assert np.array_equal(many.regret[:2], few.regret)
    assert np.array_equal(many.policy_changes[:2], few.policy_changes)
    assert np.unique(many.regret[:, -1]).size == 4


@pytest.mark.parametrize(
    ("learner", "changes", "message"),
    [
        (run_q_learning, {"episodes": 0}, "episodes is 0"),
        (run_q_learning, {"runs": 0}, "runs is 0"),
        (run_q_learning, {"epsilon": 1.1}, r"epsilon is 1.1, outside \[0, 1\]"),
        (run_q_learning, {"epsilon": float("nan")}, "epsilon is nan"),
        (run_q_learning, {"initial_q": float("inf")}, "initial_q is inf"),
        (run_psrl, {"record": 0}, "record is 0"),
        (run_psrl, {"prior": 0.0}, "prior is 0.0, not a positive number"),
        (run_psrl, {"prior": float("nan")}, "prior is nan"),
    ],
)
def test_bad_input(learner, changes, message):
    setting = {"mdp": random_mdp(0, 2, 2, 2), "episodes": 5, "seeds": np.random.SeedSequence(0)}
    with pytest.raises(ValueError, match=message):
        learner(**(setting | changes))
