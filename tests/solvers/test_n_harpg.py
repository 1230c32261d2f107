"""The momentum policy gradients: compiled runs against a plain re-implementation, exact laws and equivalences."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mdps.continuous import CauchyBandit, ClippedControl, LogisticOracle, ScalarLQR
from mdps.errors import InvalidModelError
from mdps.instances import random_dense_discounted
from mdps.kernels import alias_table, next_u64, seed_lanes
from mdps.tabular import DiscountedMDP
from solvers.n_harpg import (
    CAUSAL,
    HARPG,
    HESSIAN,
    IMPORTANCE,
    N_HARPG,
    N_HARPG_CAUSAL,
    N_PG_IGT,
    N_PG_M,
    PG,
    STORM_PG,
    TRANSPOSED,
    BatchEstimator,
    Method,
    Schedule,
    constant_schedule,
    hapg,
    hspga,
    make_tables,
    make_work,
    page_pg,
    power_schedule,
    run_policy_gradient,
    srvr_pg,
)
from solvers.n_harpg_estimators import gradient_estimates, hessian_estimates
from solvers.n_harpg_exact import FiniteWorld
from solvers.n_harpg_kernels import CAUCHY, GAUSSIAN, TRUNCATED, next_word
from solvers.n_harpg_natural import natural_gradient, sampled_natural_gradient
from solvers.n_harpg_policies import affine_policy, log_linear_policy, ring_policy, sigmoid_policy, softmax_policy
from solvers.n_harpg_scalar import location_derivatives, roll_scalar, truncated_normal

TRANSITIONS = [[[3 / 4, 1 / 4], [1 / 5, 4 / 5]], [[1 / 2, 1 / 2], [2 / 3, 1 / 3]]]
TWO_STATES = DiscountedMDP(TRANSITIONS, [[0.0, 1.0], [-0.5, 0.6]], 0.9, [2 / 3, 1 / 3])
WORLD = FiniteWorld(TWO_STATES, softmax_policy(2, 2))
MODEL = random_dense_discounted(3, 3, 0.9, 1)
WORLDS = {
    "softmax": FiniteWorld(MODEL, softmax_policy(3, 3)),
    "log-linear": FiniteWorld(MODEL, log_linear_policy(np.random.default_rng(0).normal(size=(3, 3, 2)))),
    "ring": FiniteWorld(MODEL, ring_policy(3)),
    "sigmoid": FiniteWorld(TWO_STATES, sigmoid_policy(2)),
    "affine": FiniteWorld(TWO_STATES, affine_policy(np.full((2, 2), 0.5), [[[0.1], [-0.1]], [[-0.05], [0.05]]])),
}


# A plain re-implementation


class Lane:
    """Words of one generator, and trajectories drawn with them."""

    def __init__(self, seed, lane, world, horizon):
        self.state = seed_lanes(seed, lane + 1)[:, lane:].copy()
        self.world, self.horizon = world, horizon
        self.cells, self.initial = alias_table(world.kernel), alias_table(world.mdp.initial)

    def word(self):
        return int(next_u64(self.state, 0))

    def uniform(self):
        return (self.word() >> 11) * 2.0**-53

    @staticmethod
    def alias(row, word):
        cell = ((word >> 32) * len(row)) >> 32
        return cell if (word & 0xFFFFFFFF) < (int(row[cell]) >> 32) else int(row[cell]) & 0xFFFFFFFF

    def trajectory(self, theta):
        policy = self.world.policy.probabilities(theta)
        state, states, actions = self.alias(self.initial, self.word()), [], []
        for _ in range(self.horizon):
            action = int(np.sum(self.uniform() >= np.cumsum(policy[state])[:-1]))
            states.append(state)
            actions.append(action)
            state = self.alias(self.cells[state, action], self.word())
        return np.array([states]), np.array([actions])


def weighted_gradient(world, sampled, scored, states, actions):
    """The gradient estimate at ``scored`` with the importance weights of the prefixes."""
    ratio = (world.policy.probabilities(scored) / world.policy.probabilities(sampled))[states, actions].cumprod(axis=1)
    powers = world.mdp.discount ** np.arange(states.shape[1])
    rewards = (powers * world.mdp.rewards[states, actions] * ratio)[0]
    to_go = np.cumsum(rewards[::-1])[::-1]
    return to_go @ world.policy.scores(scored)[states, actions][0]


class Plain:
    """One run, word for word as the kernels."""

    def __init__(self, world, method, draw, theta):
        self.world, self.method, self.draw, self.last = world, method, draw, None
        self.theta, self.before, self.d = theta, theta.copy(), np.zeros_like(theta)

    def gradient(self, point, batch):
        total = np.zeros_like(self.theta)
        for _ in range(batch):
            self.last = self.draw.trajectory(point)
            total += gradient_estimates(
                self.world, point, *self.last, relative_weights=self.method.relative_weights
            )[0]  # fmt: skip
        return total / batch

    def hessian_product(self, middle, states, actions):
        b = hessian_estimates(
            self.world, middle, states, actions, causal=self.method.product == CAUSAL,
            score_factor=self.method.score_factor, curvature_factor=self.method.curvature_factor,
            relative_weights=self.method.relative_weights,
        )[0]  # fmt: skip
        return (b.T if self.method.product == TRANSPOSED else b) @ (self.theta - self.before)

    def correction(self):
        method, total = self.method, np.zeros_like(self.theta)
        importance = method.correction == IMPORTANCE
        q = method.point if importance or method.point >= 0.0 else self.draw.uniform()
        middle = q * self.theta + (1.0 - q) * self.before
        trials = 1 if method.shared else method.correction_batch
        for _ in range(trials):
            point = self.theta if importance or method.sampled_here else middle
            states, actions = self.last if method.shared else self.draw.trajectory(point)
            if importance:
                total += gradient_estimates(self.world, self.theta, states, actions)[0]
                total -= weighted_gradient(self.world, self.theta, self.before, states, actions)
            else:
                total += self.hessian_product(middle, states, actions)
        return total / trials

    def direct(self, t, schedule):
        method = self.method
        keep, add, batch = 1.0 - schedule.eta[t], schedule.eta[t], method.batch
        restart = method.period > 0 and t % method.period == 0
        if t > 0 and method.restart_probability > 0.0:
            restart = self.draw.uniform() < method.restart_probability
        if restart:
            keep, add, batch = 0.0, 1.0, method.restart_batch
        if t == 0:
            keep, add, batch = 0.0, schedule.first_weight, schedule.first_batch
        g, v = np.zeros_like(self.theta), np.zeros_like(self.theta)
        if add > 0.0 or method.shared:
            ahead = method.extrapolation * keep / add if add > 0.0 else 0.0
            g = self.gradient(self.theta + ahead * (self.theta - self.before), batch)
        if keep > 0.0 and method.correction in (HESSIAN, IMPORTANCE):
            v = self.correction()
        self.d = keep * (self.d + v) + add * g


def plain_run(world, method, schedule, horizon, iterations, seed, lane, start, path=None):
    """Return theta_T and d_T of one run."""
    run = Plain(world, method, Lane(seed, lane, world, horizon), np.array(start if path is None else path[0], float))
    for t in range(iterations):
        run.direct(t, schedule)
        norm = np.linalg.norm(run.d) if method.normalised else 1.0
        run.before = run.theta
        step = (schedule.steps[t] / norm if norm > 0.0 else 0.0) * run.d
        run.theta = run.theta + step if path is None else path[t + 1]
    run.direct(iterations, schedule)
    return run.theta, run.d


METHODS = {
    "PG": PG,
    "N-PG-M": N_PG_M,
    "N-PG-IGT": N_PG_IGT,
    "HARPG": HARPG,
    "N-HARPG": N_HARPG,
    "causal": N_HARPG_CAUSAL,
    "transposed": replace(N_HARPG, product=TRANSPOSED),
    "batches": replace(N_HARPG, batch=3, correction_batch=2),
    "wrong sign of the score term": replace(N_HARPG, score_factor=-1.0),
    "no score term": replace(N_HARPG, score_factor=0.0),
    "wrong sign": replace(N_HARPG, score_factor=-1.0, curvature_factor=-1.0),
    "q = 1": replace(N_HARPG, point=1.0),
    "q = 1/2": replace(N_HARPG, point=0.5),
    "sampled at theta_t": replace(N_HARPG, sampled_here=True),
    "one trajectory": replace(N_HARPG, shared=True),
    "relative weights": replace(N_HARPG, relative_weights=True),
    "STORM-PG": STORM_PG,
    "HSPGA": hspga(2),
    "SRVR-PG": srvr_pg(3, 2, 4),
    "PAGE-PG": page_pg(0.4, 2, 4),
    "HAPG": hapg(3, 2, 4),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("where", WORLDS)
def test_runs_agree_word_for_word_with_a_plain_implementation(name, where):
    world, method, horizon, iterations = WORLDS[where], METHODS[name], 4, 7
    start = np.linspace(-0.4, 0.5, world.dimension)
    epochs = method.period > 0 or method.restart_probability > 0.0
    schedule = power_schedule(iterations, 0.3, 1.0, 0.8, first_batch=2)
    if epochs:
        schedule = constant_schedule(iterations, 0.0, 0.05, first_batch=3)
    run = run_policy_gradient(world, method, schedule, horizon, iterations, 3, 11, start=start)
    for lane in (0, 2):
        theta, d = plain_run(world, method, schedule, horizon, iterations, 11, lane, start)
        np.testing.assert_allclose(run.parameters[lane, -1], theta, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(run.directions[lane, -1], d, rtol=1e-9, atol=1e-11)


def test_open_loop_and_a_wrong_start_agree_with_the_plain_implementation():
    path = np.random.default_rng(0).normal(size=(6, 4))
    schedule = replace(power_schedule(5, 1.0, 1.0, 1.0), first_weight=0.4)
    run = run_policy_gradient(WORLD, N_HARPG, schedule, 4, 5, 1, 2, path=path)
    theta, d = plain_run(WORLD, N_HARPG, schedule, 4, 5, 2, 0, None, path=path)
    np.testing.assert_array_equal(theta, path[-1])
    np.testing.assert_allclose(run.directions[0, -1], d, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(run.parameters[0], path[run.iterations])


def test_words_are_those_of_the_common_generator():
    ours, theirs = seed_lanes(5, 2), seed_lanes(5, 2)
    assert [int(next_word(ours, 1)) for _ in range(20)] == [int(next_u64(theirs, 1)) for _ in range(20)]


# Laws


def test_errors_have_the_exact_second_moments():
    path = np.zeros((31, 4))
    for t in range(30):
        path[t + 1] = path[t] + 2.0 / (t + 2) * np.cos(t) * np.array([0.5, -0.5, 0.5, -0.5])
    schedule = power_schedule(30, 1.0, 1.0, 1.0)
    run = run_policy_gradient(WORLD, N_HARPG, schedule, 3, 30, 12_000, 1, path=path, record=[0, 1, 2, 5, 10])
    golden = (0.83488486, 0.47380189, 0.26372585, 0.21037116, 0.12505249, 0.05041733)
    squares = run.errors**2
    z = (squares.mean(axis=0) - golden) / (squares.std(axis=0) / np.sqrt(squares.shape[0]))
    assert np.abs(z).max() < 4.5
    shared = run_policy_gradient(
        WORLD, replace(N_HARPG, shared=True), schedule, 3, 30, 12_000, 1, path=path, record=[5]
    )  # fmt: skip
    assert abs((shared.errors[:, 0] ** 2).mean() - golden[3]) > 0.01
    np.testing.assert_array_equal(run.trajectories[0], [1, 3, 5, 11, 21, 61])
    np.testing.assert_array_equal(shared.trajectories[0], [6, 31])


@pytest.mark.parametrize("method", [N_HARPG, N_HARPG_CAUSAL, STORM_PG, hspga(), replace(N_HARPG, product=TRANSPOSED)])
def test_all_corrections_are_unbiased(method):
    path = np.array([[0.3, -0.2, 0.1, 0.4], [0.8, -0.5, -0.3, 0.6]])
    schedule = Schedule(np.array([1.0, 0.0]), np.zeros(2), first_batch=40)
    batch = 1 if method.shared else 40
    method = replace(method, normalised=False, batch=batch, correction_batch=batch)
    run = run_policy_gradient(WORLD, method, schedule, 5, 1, 1500, 3, path=path)
    d = run.directions[:, -1]
    z = (d.mean(axis=0) - WORLD.gradient(path[1], 5)) / (d.std(axis=0) / np.sqrt(len(d)))
    assert np.abs(z).max() < 4.5


@pytest.mark.parametrize(
    ("method", "eta_power", "error"),
    [(N_PG_M, 2 / 3, 0.0149), (N_PG_IGT, 0.8, 0.0074), (HARPG, 1.0, 0.0039), (N_HARPG, 1.0, 0.0051)],
)
def test_errors_on_the_cauchy_bandit(method, eta_power, error):
    schedule = power_schedule(10_000, 0.5, 1.0 if method.normalised else 0.5, eta_power)
    run = run_policy_gradient(CauchyBandit(), method, schedule, 1, 10_000, 150, 4, start=[0.5], record=1)
    assert run.errors[:, -1].mean() == pytest.approx(error, rel=0.2)
    assert run.gaps.min() >= 0.0


def test_extrapolation_matters_in_the_open_loop():
    T = 5000
    path = np.full((T + 1, 1), 0.5)
    for t in range(T):
        path[t + 1] = path[t] + 2.0 / (t + 2) * np.cos(2.0 * np.log(t + 2))
    ratios = {}
    for name, method in (("with", N_PG_IGT), ("without", replace(N_PG_IGT, extrapolation=0.0))):
        schedule = power_schedule(T, 1.0, 1.0, 0.8)
        run = run_policy_gradient(CauchyBandit(), method, schedule, 1, T, 100, 0, path=path, record=60)
        late = run.iterations > 500
        bound = np.sqrt(0.163398) * schedule.eta[run.iterations] ** 0.5
        bound += 0.535 * 0.29178 * (2.0 / (run.iterations + 2)) ** 0.4
        ratios[name] = (run.errors.mean(axis=0) / bound)[late].max()
    assert ratios["with"] < 0.75
    assert ratios["without"] > 1.5


@pytest.mark.parametrize("product", [N_HARPG.product, CAUSAL, TRANSPOSED])
@pytest.mark.parametrize("where", ["regulator", "bandit"])
def test_scalar_systems_have_unbiased_estimates(where, product):
    world, horizon, path = {
        "regulator": (ScalarLQR(), 4, [[0.4], [0.7]]),
        "bandit": (CauchyBandit(0.7, 1.3, 0.2), 1, [[0.5], [1.4]]),
    }[where]
    method, schedule = replace(HARPG, product=product, correction_batch=50), Schedule([1.0, 0.0], [0.0], 50)
    run = run_policy_gradient(world, method, schedule, horizon, 1, 2000, 5, path=path, record=[0])
    exact = world.gradient(np.array(path), horizon)[..., 0]
    d = run.directions[:, :, 0]
    z = (d.mean(axis=0) - exact) / (d.std(axis=0) / np.sqrt(len(d)))
    assert np.abs(z).max() < 4.5


@pytest.mark.parametrize("law", ["cauchy", "truncated", "gaussian"])
def test_clipped_control_corrections_have_the_mean_of_the_difference(law):
    world, path = ClippedControl(law=law, intercept=True), np.array([[-0.4, 0.1], [-0.8, -0.2]])
    schedule, method = Schedule([1.0, 0.0], [0.0], 50), replace(HARPG, correction_batch=50)
    run = run_policy_gradient(world, method, schedule, 4, 1, 1200, 6, path=path, record=[0])
    again = run_policy_gradient(world, replace(PG, batch=50), Schedule([1.0, 1.0], [0.0]), 4, 1, 1200, 7, path=path)
    moved, fresh = run.directions[:, -1], again.directions[:, -1]
    spread = np.sqrt((moved.var(axis=0) + fresh.var(axis=0)) / len(moved))
    assert np.abs((moved.mean(axis=0) - fresh.mean(axis=0)) / spread).max() < 4.5
    with pytest.raises(InvalidModelError, match="no closed form"):
        _ = run.gaps


@pytest.mark.parametrize("law", ["cauchy", "truncated", "gaussian"])
def test_clipped_control_is_the_same_world_in_numpy(law):
    world, theta = ClippedControl(law=law, intercept=True), np.array([-0.9, 0.2])
    tables = make_tables(world, 6)
    work, state = make_work(tables, 2, 1), seed_lanes(3, 1)
    work.vectors[4, 0] = theta
    found = np.empty(4000)
    for i in range(found.size):
        roll_scalar(tables.numbers, work.vectors, state, 0, work.contexts, work.steps)
        found[i] = work.steps[2, 0] @ tables.powers
    expected = world.sample_returns(theta, 6, 20_000, 1)
    spread = np.sqrt(found.var() / found.size + expected.var() / expected.size)
    assert abs(found.mean() - expected.mean()) < 4.5 * spread
    assert stats.ks_2samp(found, expected).pvalue > 1e-4


@pytest.mark.parametrize(
    ("low", "high"), [(-3.0, 2.0), (-0.5, 0.7), (0.5, 4.0), (-9.0, -6.0), (2.0, 2.1), (1e-12, 0.2)]
)
def test_truncated_normal_numbers_have_their_law(low, high):
    state = seed_lanes(8, 1)
    draws = np.array([truncated_normal(low, high, state, 0) for _ in range(4000)])
    assert stats.kstest(draws, stats.truncnorm(low, high).cdf).pvalue > 1e-4


@pytest.mark.parametrize("mean", [-3.0, -0.4, 0.0, 0.9, 2.5])
@pytest.mark.parametrize(
    ("law", "density"),
    [
        (CAUCHY, lambda a, m: stats.cauchy.logpdf(a, m, 0.5)),
        (GAUSSIAN, lambda a, m: stats.norm.logpdf(a, m, 0.5)),
        (TRUNCATED, lambda a, m: stats.truncnorm.logpdf(a, (-2 - m) / 0.5, (2 - m) / 0.5, m, 0.5)),
    ],
)
def test_location_derivatives_are_those_of_the_log_density(law, density, mean):
    for action in (-1.7, 0.3, 1.2):
        slope, bend = location_derivatives(law, 0.5, 2.0, mean, action)
        e = 1e-3
        values = [density(action, mean + k * e) for k in (-1, 0, 1)]
        assert slope == pytest.approx((values[2] - values[0]) / (2 * e), rel=1e-4, abs=1e-4)
        assert bend == pytest.approx((values[2] - 2 * values[1] + values[0]) / e**2, rel=1e-3, abs=1e-3)


# Equivalences


@pytest.mark.parametrize("method", [N_HARPG, N_PG_IGT, N_PG_M])
def test_without_momentum_every_normalised_method_is_normalised_gradient(method):
    schedule, start = constant_schedule(20, 1.0, 0.1), [0.3, 0.1, -0.2, 0.4]
    runs = [
        run_policy_gradient(WORLD, m, schedule, 6, 20, 4, 9, start=start)
        for m in (method, replace(PG, normalised=True))
    ]
    np.testing.assert_array_equal(runs[0].parameters, runs[1].parameters)


def test_exact_differences_without_noise_are_gradient_ascent():
    oracle = LogisticOracle(0.0, 0.0, exact_difference=True)
    run = run_policy_gradient(oracle, HARPG, power_schedule(50, 0.7, 0.5, 1.0), 1, 50, 1, 0, start=[-1.0], record=[10])
    theta = np.array([-1.0])
    for t in range(50):
        theta = theta + 0.7 * (2.0 / (t + 2)) ** 0.5 * oracle.gradient(theta)
    np.testing.assert_allclose(run.parameters[0, -1], theta, rtol=1e-12)
    assert run.errors.max() < 1e-14


def test_oracle_noise_has_the_stated_size():
    oracle = LogisticOracle(0.5, 2.0)
    path = np.array([[0.2], [0.5]])
    run = run_policy_gradient(oracle, HARPG, Schedule([1.0, 0.0], [0.0]), 1, 1, 40_000, 0, path=path, record=[0])
    first, moved = run.directions[:, 0, 0], run.directions[:, 1, 0]
    assert first.std() == pytest.approx(0.5, rel=0.02)
    assert (moved - first).std() == pytest.approx(2.0 * 0.3, rel=0.02)
    assert (moved - first).mean() == pytest.approx(
        float((oracle.gradient([0.5]) - oracle.gradient([0.2]))[0]), abs=0.015
    )


@pytest.mark.parametrize("method", [N_HARPG, page_pg(0.3, 2, 5)])
def test_a_run_depends_on_its_lane_alone(method):
    schedule = constant_schedule(15, 0.2, 0.1)
    runs = [
        run_policy_gradient(WORLD, method, schedule, 5, 15, n, 3, workers=workers)
        for n, workers in ((70, 1), (70, 3), (5, 2))
    ]
    np.testing.assert_array_equal(runs[0].parameters, runs[1].parameters)
    np.testing.assert_array_equal(runs[0].parameters[:5], runs[2].parameters)
    assert np.unique(runs[0].parameters[:, -1, 0]).size == 70


def test_a_zero_direction_moves_nothing_and_reach_is_the_path():
    still = FiniteWorld(DiscountedMDP(TRANSITIONS, np.zeros((2, 2)), 0.9), softmax_policy(2, 2))
    run = run_policy_gradient(still, N_HARPG, power_schedule(10, 1.0, 1.0, 1.0), 4, 10, 2, 0)
    assert not run.parameters.any()
    assert not run.reach.any()
    moving = run_policy_gradient(WORLD, N_PG_IGT, power_schedule(10, 1.0, 1.0, 0.8), 4, 10, 3, 0, record=range(11))
    distances = np.linalg.norm(moving.parameters - moving.parameters[:, :1], axis=2)
    np.testing.assert_allclose(moving.reach[:, :, 0], np.maximum.accumulate(distances, axis=1), rtol=1e-12)
    assert np.all(moving.reach[:, 2:, 1] > moving.reach[:, 2:, 0])
    np.testing.assert_allclose(moving.gaps, WORLD.optimum() - moving.values)


# Batches and the natural gradient


@pytest.mark.parametrize("where", WORLDS)
def test_batches_agree_with_the_plain_estimates(where):
    world, rng = WORLDS[where], np.random.default_rng(0)
    n_states, n_actions = world.mdp.rewards.shape
    theta, delta = rng.uniform(-0.5, 0.5, (2, world.dimension))
    states, actions = rng.integers(0, n_states, (7, 5)), rng.integers(0, n_actions, (7, 5))
    pairs = np.ascontiguousarray((states * n_actions + actions).T.astype(np.uint16))
    for product in (N_HARPG.product, CAUSAL):
        g, v = BatchEstimator(world, 5, 7, product)(theta, pairs, delta)
        hessians = hessian_estimates(world, theta, states, actions, causal=product == CAUSAL)
        np.testing.assert_allclose(g, gradient_estimates(world, theta, states, actions).mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(v, (hessians @ delta).mean(axis=0), atol=1e-12)
    only, _ = BatchEstimator(world, 5, 7)(theta, pairs)
    np.testing.assert_array_equal(only, g)


def test_the_natural_gradient_climbs_and_its_sampled_version_follows():
    exact = natural_gradient(WORLD, 0.1, 60, np.zeros(4))
    values = WORLD.value(exact)
    assert np.all(np.diff(values[:20]) > 0.0)
    assert WORLD.optimum() - values[-1] < 1e-6
    sampled = sampled_natural_gradient(WORLD, 0.1, 3, np.zeros(4), inner_steps=4000, inner_rate=0.1, seed=1)
    np.testing.assert_allclose(sampled, exact[:4], atol=0.25)


# Bad input


def test_bad_input_is_named():
    schedule = power_schedule(10, 1.0, 1.0, 1.0)
    bad = [
        (lambda: run_policy_gradient(WORLD, PG, schedule, 0, 10, 1, 0), "horizon"),
        (lambda: run_policy_gradient(WORLD, PG, schedule, 3, 11, 1, 0), "schedule has 11 values of eta"),
        (lambda: run_policy_gradient(WORLD, PG, schedule, 3, 10, 1, 0, start=[0.0]), r"start has shape \(1,\)"),
        (lambda: run_policy_gradient(WORLD, PG, schedule, 3, 10, 1, 0, path=np.zeros((3, 4))), "path has shape"),
        (lambda: run_policy_gradient(WORLD, PG, schedule, 3, 10, 1, 0, record=[3, 2]), "record must be increasing"),
        (lambda: run_policy_gradient(CauchyBandit(), PG, schedule, 2, 10, 1, 0), "horizon is 2, not 1"),
        (lambda: run_policy_gradient(CauchyBandit(), STORM_PG, schedule, 1, 10, 1, 0), "importance weights"),
        (
            lambda: run_policy_gradient(WORLD, N_PG_IGT, constant_schedule(10, 0.0, 1.0), 3, 10, 1, 0),
            "eta is zero somewhere",
        ),
        (lambda: Schedule([1.0, 1.5], [1.0]), r"eta\[t=1\] is 1.5"),
        (lambda: Schedule([1.0], [-1.0]), r"steps\[t=0\] is -1.0"),
        (lambda: Schedule([1.0], [1.0], first_weight=np.inf), "first_weight is inf"),
        (lambda: power_schedule(5, 1.0, 1.0, 1.0, offset=1.0), "offset is 1.0"),
        (lambda: Method("x", correction=7), "correction is 7"),
        (lambda: Method("x", product=9), "product is 9"),
        (lambda: Method("x", point=1.5), "point is 1.5"),
        (lambda: Method("x", shared=True, batch=2), "a shared trajectory is one"),
        (lambda: Method("x", restart_probability=2.0), "restart_probability is 2.0"),
        (lambda: BatchEstimator(WORLD, 3, 2, TRANSPOSED), "not OUTER or CAUSAL"),
        (lambda: BatchEstimator(WORLD, 3, 2)(np.zeros(4), np.zeros((2, 2), np.uint16)), "pairs has shape"),
    ]
    for make, message in bad:
        with pytest.raises(ValueError, match=message):
            make()
