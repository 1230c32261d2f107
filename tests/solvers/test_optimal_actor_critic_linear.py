"""Linear actor-critics against a plain-numpy twin that keeps lists, golden numbers, and failing input."""

import tracemalloc
from dataclasses import replace
from math import inf, log

import numpy as np
import pytest

from mdps.actor_critic_instances import two_state_lock
from mdps.errors import InvalidModelError
from mdps.kernels import cumulative, seed_lanes, uniform
from mdps.linear import one_hot
from mdps.linear_instances import random_simplex
from mdps.offline import OfflineData, offline_draws, offline_trajectories
from mdps.tabular import FiniteHorizonMDP
from mdps.tetris import Tetris, optimal_values, projected_features, tetris
from solvers import optimal_actor_critic_linear_kernels as kernels
from solvers.optimal_actor_critic import TabularLearner
from solvers.optimal_actor_critic import run as run_tabular
from solvers.optimal_actor_critic_linear import (
    LinearLearner,
    douhua,
    jin_radius,
    lsvi_ucb,
    noah,
    rare_lsvi_ucb,
    run_linear,
)
from solvers.optimal_actor_critic_listed import FeatureTable, Steps, listed_critic
from solvers.optimal_actor_critic_tetris import (
    _Player,
    feature_learners,
    run_feature_tetris,
    run_tabular_tetris,
    softmax,
    tabular_learners,
)
from solvers.planning import backward_induction, evaluate, policy_value

SEED = np.random.SeedSequence(11)
SMALL = random_simplex(1, n_factors=3, n_states=5, n_actions=3, horizon=3)
SETTINGS = {
    "nora": LinearLearner(scale=0.1),
    "soft": LinearLearner(eta=0.2, beta=0.7, ridge=0.5, doubling=3.0),
    "rare greedy": rare_lsvi_ucb(0.05),
    "each episode": lsvi_ucb(0.1),
    "noah": noah(),
    "douhua": douhua(SMALL, 40, 0.1),
    "no reset": LinearLearner(eta=0.3, scale=0.1, reset=False),
    "late": LinearLearner(eta=0.3, scale=0.1, late=True),
}


class Twin:
    """The same learner, slowly: lists of steps, inverses and determinants from scratch, policies as tables."""

    def __init__(self, mdp, learner, beta, offline):
        self.mdp, self.learner, self.beta = mdp, learner, beta
        H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
        self.steps = [[] for _ in range(H)]
        if offline is not None:
            for (h, s, a, t), n in np.ndenumerate(offline.transitions):
                self.steps[h] += [(s, a, t)] * n
        self.q, self.past, self.played, self.switches = np.zeros((H, S, A)), np.zeros((H, S, A)), 0, 0
        self.at_critic, self.growth, self.potential = None, np.zeros(H), np.zeros((2, H))
        self.staleness, self.optimism, self.low, self.high = 0.0, inf, inf, -inf
        self.optimum = backward_induction(mdp.to_tabular(), keep_q_values=True)

    def covariance(self, h):
        phi = self.mdp.staged_features[h]
        rows = np.array([phi[s, a] for s, a, _ in self.steps[h]]).reshape(-1, self.mdp.n_factors)
        return self.learner.ridge * np.eye(self.mdp.n_factors) + rows.T @ rows, rows

    def policy(self, multiple):
        return softmax(self.past + multiple * self.q, self.learner.eta)

    def critic(self):
        mdp, learner = self.mdp, self.learner
        if not learner.reset:
            self.past += self.played * self.q
        value, target = np.zeros(mdp.n_states), self.policy(0)
        self.at_critic = []
        for h in reversed(range(mdp.horizon)):
            phi, (covariance, rows) = mdp.staged_features[h], self.covariance(h)
            inverse = np.linalg.inv(covariance)
            self.at_critic.insert(0, inverse)
            aims = np.array([mdp.rewards[h, s, a] + value[t] for s, a, t in self.steps[h]])
            norm = np.sqrt(np.einsum("sai,ij,saj->sa", phi, inverse, phi))
            cap = mdp.horizon - h if learner.cap == "stage" else mdp.horizon
            self.q[h] = np.clip(phi @ (inverse @ (rows.T @ aims)) + self.beta * norm, 0.0, cap)
            error = self.q[h] - mdp.rewards[h] - np.einsum("sat,t->sa", mdp.transitions[h], value)
            value = self.q[h].max(axis=1) if learner.target == "optimum" else (target[h] * self.q[h]).sum(axis=1)
            self.low = min(self.low, error.min())
            self.high = max(self.high, (error - np.minimum(2.0 * self.beta * norm, cap)).max())
            self.optimism = min(self.optimism, (self.q[h] - self.optimum.q_values[h]).min())
        self.played, self.switches = 0, self.switches + 1
        self.errors = self.bellman_errors(target)

    def bellman_errors(self, target):
        errors, value = np.empty_like(self.q), np.zeros(self.mdp.n_states)
        for h in reversed(range(self.mdp.horizon)):
            errors[h] = self.q[h] - self.mdp.rewards[h] - self.mdp.transitions[h] @ value
            value = self.q[h].max(axis=1) if self.learner.target == "optimum" else (target[h] * self.q[h]).sum(axis=1)
        return errors

    def due(self):
        if self.at_critic is None or not self.learner.rare:
            return True
        grown = [
            np.linalg.slogdet(self.covariance(h)[0])[1] + np.linalg.slogdet(self.at_critic[h])[1]
            for h in range(self.mdp.horizon)
        ]
        return max(grown) > log(self.learner.doubling)

    def visit(self, h, s, a, t):
        phi = self.mdp.staged_features[h, s, a]
        now = phi @ np.linalg.inv(self.covariance(h)[0]) @ phi
        stale = phi @ self.at_critic[h] @ phi
        self.potential[:, h] += now, stale
        self.growth[h] += np.log1p(now)
        self.staleness = max(self.staleness, stale / now)
        self.steps[h].append((s, a, t))
        return self.errors[h, s, a]


def slow_run(mdp, learner, beta, episodes, lane, offline=None):
    """Return the twin after some episodes, its cumulative regret, tracking and Bellman errors."""
    twin, state, table = Twin(mdp, learner, beta, offline), seed_lanes(SEED, lane + 1), mdp.to_tabular()
    cdf, regret, tracking, bellman = cumulative(mdp.transitions), [], [], []
    for _ in range(episodes):
        if twin.due():
            twin.critic()
        twin.played += 1
        policy = twin.policy(twin.played - learner.late)
        regret.append(policy_value(table, twin.optimum.values - evaluate(table, policy)))
        omega = twin.q.max(axis=2) - (policy * twin.q).sum(axis=2)
        ahead = np.zeros(mdp.n_states)
        for h in reversed(range(mdp.horizon)):
            ahead = omega[h] + np.einsum("sa,sat,t->s", policy[h], mdp.transitions[h], ahead)
        tracking.append(mdp.initial @ ahead)
        s = int(np.searchsorted(cumulative(mdp.initial), uniform(state, lane), side="right"))
        met = 0.0
        for h in range(mdp.horizon):
            rest, a = uniform(state, lane), 0
            while a < mdp.n_actions - 1 and rest >= policy[h, s, a]:
                rest, a = rest - policy[h, s, a], a + 1
            t = int(np.searchsorted(cdf[h, s, a], uniform(state, lane), side="right"))
            met += twin.visit(h, s, a, t)
            s = t
        bellman.append(met)
    return twin, np.cumsum(regret), np.cumsum(tracking), np.cumsum(bellman)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("hybrid", [False, True])
def test_runs_are_those_of_the_twin(name, hybrid):
    learner, episodes = SETTINGS[name], 40
    measure = np.full((3, 5, 3), 1.0 / 15.0)
    offline = offline_draws(SMALL.to_tabular(), measure, 30, 2) if hybrid else None
    mine = run_linear(SMALL, learner, episodes=episodes, seeds=SEED, runs=2, record=None, offline=offline)
    assert mine.beta == learner.beta_of(SMALL, episodes + (30 if hybrid else 0))
    twin, regret, tracking, bellman = slow_run(SMALL, learner, mine.beta, episodes, 1, offline)
    assert mine.switches[1, -1] == twin.switches
    np.testing.assert_allclose(mine.regret[1], regret, atol=1e-9)
    np.testing.assert_allclose(mine.tracking[1], tracking, atol=1e-9)
    np.testing.assert_allclose(mine.bellman[1], bellman, atol=1e-9)
    np.testing.assert_allclose(mine.gaps[1], np.diff(regret, prepend=0.0), atol=1e-9)
    np.testing.assert_allclose(mine.q_values[1], twin.q, atol=1e-9)
    np.testing.assert_allclose(np.array([mine.potential[1], mine.stale_potential[1]]), twin.potential, atol=1e-9)
    np.testing.assert_allclose(mine.growth[1], twin.growth, atol=1e-9)
    reported = [mine.optimism[1], mine.low[1], mine.high[1], mine.staleness[1]]
    np.testing.assert_allclose(reported, [twin.optimism, twin.low, twin.high, twin.staleness], atol=1e-9)


@pytest.mark.parametrize("d", [1, 3, 4, 17, 33])
def test_algebra_of_the_kernels(d):
    random = np.random.default_rng(d)
    rows, n_pairs = random.normal(size=(1, 9, d)), 9
    features = np.ascontiguousarray(rows.swapaxes(1, 2))
    covariance = np.array([np.eye(d) + (x.T @ x) for x in random.normal(size=(2, 6, d))])
    lower, back, inverse = np.full((d, d), np.nan), np.full((d, d), np.nan), np.full((2, d, d), np.nan)
    kernels.invert(covariance, 1, lower, back, inverse)
    np.testing.assert_allclose(inverse[1], np.linalg.inv(covariance[1]), atol=1e-10)
    norms = np.empty(n_pairs)
    kernels.fill_norms(features, 0, inverse[1], np.empty(n_pairs), norms)
    np.testing.assert_allclose(norms, np.einsum("pi,ij,pj->p", rows[0], inverse[1], rows[0]), atol=1e-10)
    moments, phi = np.zeros((2, 4, d)), rows[0, 5]
    x = kernels.observe(rows, 5 * d, inverse, moments, 1, 2, np.empty(d))
    assert x == pytest.approx(norms[5], abs=1e-10)
    np.testing.assert_allclose(inverse[1], np.linalg.inv(covariance[1] + np.outer(phi, phi)), atol=1e-10)
    np.testing.assert_array_equal(moments[1, 2], phi)
    assert not moments[0].any()
    fresh, rewards, responses = np.zeros((2, n_pairs)), random.random((2, n_pairs)), np.zeros((2, d))
    fresh[1, 5], fresh[1, 7] = 2.0, 1.0
    expected = covariance[1] + 2.0 * np.outer(phi, phi) + np.outer(rows[0, 7], rows[0, 7])
    kernels.collect(rows, rewards, 1, fresh, covariance, responses)
    np.testing.assert_allclose(np.tril(covariance[1]), np.tril(expected), atol=1e-12)
    np.testing.assert_allclose(responses[1], 2.0 * rewards[1, 5] * phi + rewards[1, 7] * rows[0, 7], atol=1e-12)
    assert not fresh.any()


def steps_of(mdp, transitions):
    """Return the counted transitions as lists, one a stage; the feature of (s, a) is row s A + a."""
    steps = []
    for h in range(mdp.horizon):
        index = np.argwhere(transitions[h] > 0)
        index = np.repeat(index, transitions[h][tuple(index.T)], axis=0)
        rows = index[:, 0] * mdp.n_actions + index[:, 1]
        steps.append(Steps(rows, mdp.rewards[h].ravel()[rows], index[:, 2]))
    return steps


@pytest.mark.parametrize(("d", "size"), [(5, 0), (5, 40), (20, 700)])
def test_lists_and_tables_make_the_same_critic(d, size):
    mdp = random_simplex(4, n_factors=d, n_states=12, n_actions=3, horizon=4)
    S, A = 12, 3
    data = offline_draws(mdp.to_tabular(), np.full((4, S, A), 1.0 / (S * A)), size, 3)
    mine = run_linear(mdp, LinearLearner(beta=0.4, ridge=0.7), episodes=1, seeds=SEED, offline=data)
    table = FeatureTable(mdp.features[0].reshape(S * A, d), np.arange(S * A).reshape(S, A))
    listed = listed_critic(table, steps_of(mdp, data.transitions), np.arange(4.0, 0.0, -1.0), 0.4, 0.7)
    for h in range(4):
        np.testing.assert_allclose(listed.action_values(h, table.index), mine.q_values[0, h], rtol=0.0, atol=1e-10)


def test_one_list_serves_all_stages():
    mdp = random_simplex(4, n_factors=4, n_states=6, n_actions=2, horizon=3)
    steps = steps_of(mdp, offline_draws(mdp.to_tabular(), np.full((3, 6, 2), 1.0 / 12.0), 50, 3).transitions)[0]
    table = FeatureTable(mdp.features[0].reshape(12, 4), np.arange(12).reshape(6, 2))
    caps = np.array([3.0, 2.0, 1.0])
    one, three = listed_critic(table, [steps], caps, 0.3), listed_critic(table, [steps] * 3, caps, 0.3)
    np.testing.assert_allclose(one.weights, three.weights, atol=1e-12)
    with pytest.raises(ValueError, match="steps has 2 lists, neither 1 nor H = 3"):
        listed_critic(table, [steps] * 2, caps, 0.3)


def test_features_may_differ_between_stages():
    tabular = SMALL.to_tabular()
    staged = one_hot(tabular)
    wide = np.stack([staged.features[0]] * 3)
    one = run_linear(staged, LinearLearner(beta=0.5), episodes=60, seeds=SEED)
    other = run_linear(
        type(staged)(wide, staged.measures, staged.weights), LinearLearner(beta=0.5), episodes=60, seeds=SEED
    )
    np.testing.assert_array_equal(one.regret, other.regret)
    np.testing.assert_array_equal(one.q_values, other.q_values)


@pytest.mark.parametrize(
    ("learner", "regret", "error"),
    [(LinearLearner(scale=0.05), 117.0, 4.0), (LinearLearner(eta=0.156, scale=0.05), 372.0, 19.0)],
)
def test_mean_regret_of_the_reference_runs(learner, regret, error):
    """Ten random models of size (4, 10, 3, 3), T = 5000: 117 +- 4 and 372 +- 19, 36 epochs."""
    runs = [run_linear(random_simplex(i), learner, episodes=5000, seeds=SEED, record=1) for i in range(10)]
    final = np.array([run.regret[0, -1] for run in runs])
    assert abs(final.mean() - regret) < 4.0 * np.hypot(error, final.std(ddof=1) / np.sqrt(10))
    assert 30 < np.mean([run.switches[0, -1] for run in runs]) < 40


def test_the_radius_of_the_theory_suffices():
    for seed in range(5):
        mdp = random_simplex(seed)
        run = run_linear(mdp, LinearLearner(), episodes=2000, seeds=SEED, runs=2, record=2)
        assert (run.low >= 0.0).all()
        assert (run.high <= 1e-9).all()
        assert (run.optimism >= -1e-9).all()
        small = run_linear(mdp, LinearLearner(scale=0.02), episodes=2000, seeds=SEED, record=2)
        assert small.low[0] < 0.0


def test_switches_staleness_and_potential():
    run = run_linear(SMALL, LinearLearner(), episodes=4000, seeds=SEED, runs=3, record=2)
    d, H, T = 3, 3, 4000
    assert (run.switches[:, -1] <= 1 + d * H * np.log2(1.0 + T / d)).all()
    assert (run.staleness <= 2.0 + 1e-9).all()
    assert (run.staleness > 1.5).any()
    assert (run.growth <= d * np.log(1.0 + T / d)).all()
    assert (run.potential <= run.growth / log(2.0)).all()
    assert (run.potential > run.growth).all()
    loose = run_linear(SMALL, LinearLearner(doubling=4.0), episodes=4000, seeds=SEED, runs=3, record=2)
    assert (loose.staleness > 2.0).any()
    assert (loose.switches[:, -1] < run.switches[:, -1]).all()


def test_offline_data_replace_the_bonus():
    mdp = one_hot(two_state_lock(4, 3))
    known = offline_trajectories(mdp.to_tabular(), None, 2000, 3)
    with_data = run_linear(mdp, noah(10.0), episodes=300, seeds=SEED, runs=3, record=1, offline=known)
    without = run_linear(mdp, noah(10.0), episodes=300, seeds=SEED, runs=3, record=1)
    assert (with_data.regret[:, -1] < 0.3 * without.regret[:, -1]).all()


def test_without_evaluation_only_the_sums_are_left_out():
    full = run_linear(SMALL, LinearLearner(), episodes=200, seeds=SEED, record=5)
    fast = run_linear(SMALL, LinearLearner(), episodes=200, seeds=SEED, record=5, evaluated=False)
    np.testing.assert_array_equal(full.gaps, fast.gaps)
    np.testing.assert_array_equal(full.bellman, fast.bellman)
    assert fast.regret.shape == fast.tracking.shape == (1, 0)


def test_runs_do_not_depend_on_their_number():
    one = run_linear(SMALL, LinearLearner(scale=0.05), episodes=50, seeds=SEED, runs=1)
    three = run_linear(SMALL, LinearLearner(scale=0.05), episodes=50, seeds=SEED, runs=3)
    np.testing.assert_array_equal(one.regret[0], three.regret[0])
    assert not np.array_equal(three.regret[0], three.regret[1])


def test_memory_does_not_depend_on_the_number_of_episodes():
    peaks = []
    for episodes in (100, 100, 20_000):
        tracemalloc.start()
        run_linear(SMALL, LinearLearner(), episodes=episodes, seeds=SEED, record=2)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.1 * peaks[1]


def test_published_factor():
    assert jin_radius(4, 3, 100, 0.05, 2.0) == pytest.approx(24.0 * np.sqrt(np.log(8 * 300 / 0.05)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"eta": 0.0}, r"eta is 0\.0, not positive"),
        ({"ridge": 0.0}, r"ridge is 0\.0"),
        ({"doubling": 0.5}, r"doubling is 0\.5"),
        ({"scale": -1.0}, r"scale is -1\.0"),
        ({"delta": 1.0}, r"delta is 1\.0"),
        ({"beta": inf}, "beta is inf"),
        ({"eta": inf, "late": True}, "a greedy actor is its last critic's"),
    ],
)
def test_bad_settings_are_named(fields, message):
    with pytest.raises(ValueError, match=message):
        LinearLearner(**fields)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="runs is 0"):
        run_linear(SMALL, LinearLearner(), episodes=5, seeds=SEED, runs=0)
    with pytest.raises(ValueError, match="episodes is 0"):
        run_linear(SMALL, LinearLearner(), episodes=0, seeds=SEED, record=None)
    other = offline_draws(random_simplex(0).to_tabular(), np.full((3, 10, 3), 1.0 / 30.0), 5, 0)
    with pytest.raises(InvalidModelError, match="offline transitions have shape"):
        run_linear(SMALL, LinearLearner(), episodes=5, seeds=SEED, offline=other)
    high = type(SMALL)(SMALL.features, SMALL.measures, 2.0 + SMALL.weights)
    with pytest.raises(ValueError, match="rewards of the model leave"):
        run_linear(high, LinearLearner(), episodes=5, seeds=SEED)
    with pytest.raises(InvalidModelError, match="n_states is 0"):
        random_simplex(0, n_states=0)
    with pytest.raises(InvalidModelError, match="spread is 0"):
        random_simplex(0, spread=0.0)


def test_tetris_learners_improve_on_uniform_play():
    horizon, episodes = 3, 40
    learners = tabular_learners(horizon, episodes)
    runs = {
        name: run_tabular_tetris(tetris(), learner, horizon=horizon, episodes=episodes, seed=3, record=2, offline=n)
        for name, (learner, n) in learners.items()
        if n <= 200
    }
    assert runs["greedy, each episode, bonus x 0.01"].gaps[-1] < runs["NOAH"].gaps[-1]
    actor = runs["DOUHUA-T, bonus x 0.01"].gaps
    assert actor[-1] < actor[0]
    assert runs["NORA-T, bonus x 1"].switches == episodes
    assert all(run.gaps.min() >= -1e-12 for run in runs.values())


def toy_tetris(seed):
    """Return a game of three boards with Tetris's pieces and actions, and the same as a table of 36 states."""
    random = np.random.default_rng(seed)
    game = Tetris(
        np.arange(3), random.integers(3, size=(3, 12, 20)), -random.integers(3, size=(3, 12, 20)).astype(float)
    )
    kernel = np.zeros((3, 12, 20, 3, 12))
    for board in range(3):
        kernel[..., board, :] = (game.following == board)[..., None] / 12.0
    initial = np.zeros((3, 12))
    initial[0] = 1.0 / 12.0
    rewards = game.unit_rewards.reshape(36, 20)
    return game, FiniteHorizonMDP(kernel.reshape(36, 20, 36), rewards, 3, initial.ravel())


@pytest.mark.parametrize(
    "learner",
    [
        TabularLearner(eta=3.0, iota_scale=0.001),
        TabularLearner(eta=0.5, optimistic=False),
        TabularLearner(eta=inf, refresh="episode", bonus_scale=0.01),
        TabularLearner(eta=0.5, target="actor", refresh="episode", reset=False, late=True, iota_scale=0.01),
    ],
)
def test_sparse_critics_are_those_of_a_table(learner):
    game, table = toy_tetris(2)
    player = _Player(game, learner, horizon=3, episodes=10, offline=400)
    random = np.random.default_rng(1)
    for _ in range(400):
        player.play(random, uniform=True)
    player.refresh()
    player.played = 1
    counts, critic = np.zeros((3, 36, 20, 36), dtype=np.int64), np.empty((3, 36, 20))
    for h, stage in enumerate(player.stages):
        critic[h] = table.rewards[0] + player.rest(h)
        critic[h, stage.state[: stage.states]] = stage.q[: stage.states]
        for row in range(stage.pairs):
            state, board = stage.state[stage.pair_place[row]], stage.following[row]
            counts[h, state, stage.pair_action[row], 12 * board : 12 * board + 12] = stage.pieces[row]
    expected = run_tabular(table, learner, episodes=10, seeds=SEED, record=None, offline=OfflineData(counts), keep=1)
    np.testing.assert_allclose(critic, expected.critics[0, 0], atol=1e-9)
    best = backward_induction(table).values
    gap = policy_value(table, best) - player.value()
    assert gap == pytest.approx(expected.regret[0, 0], abs=1e-9)


def test_regret_of_tetris_is_the_sum_of_all_gaps():
    run = run_tabular_tetris(tetris(), TabularLearner(), horizon=2, episodes=5, seed=4, record=None)
    np.testing.assert_allclose(run.regret, np.cumsum(run.gaps))
    assert run_tabular_tetris(tetris(), TabularLearner(), horizon=2, episodes=5, seed=4, record=2).regret is None


def test_feature_learners_play_tetris():
    model = tetris()
    features, learners = projected_features(model), feature_learners(60, 4, offline=10)
    for name in ("rare LSVI-UCB", "LSVI-UCB, hybrid", "NORA-L", "NOAH-L, hybrid"):
        learner, n = learners[name]
        last = name.startswith("NOAH")
        run = run_feature_tetris(model, features, learner, horizon=4, episodes=6, offline=n, seed=2, evaluated=last)
        assert ((run.rewards <= 0.0) & (run.rewards >= -2.0)).all()
        assert run.switches == 6 if not learner.rare else run.switches <= 6
        assert (run.value is not None) == last
    best, worst = optimal_values(model, 4)[0, 0], -8.0
    assert worst < run.value < best
    with pytest.raises(ValueError, match="beta is None"):
        run_feature_tetris(model, features, LinearLearner(), episodes=3, seed=0)
    with pytest.raises(ValueError, match="resets its actor"):
        run_feature_tetris(model, features, replace(learner, reset=False), episodes=3, seed=0)


def test_bad_settings_of_tetris_are_named():
    with pytest.raises(ValueError, match="refresh is 'never'"):
        run_tabular_tetris(tetris(), TabularLearner(refresh="never"), horizon=2, episodes=2, seed=0)
