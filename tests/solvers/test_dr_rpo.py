"""Learners against plain-numpy plans from the same statistics, golden numbers, and failing input."""

import numpy as np
import pytest

from mdps.errors import InvalidModelError
from mdps.kernels import seed_lanes
from mdps.robust import RobustLinearMDP, rectangular
from mdps.robust_instances import (
    american_put,
    frozen_lake,
    off_dynamics,
    random_linear,
    random_tabular,
    simulated_robust,
    stuck,
)
from solvers import dr_rpo
from solvers import dr_rpo_kernels as kernels
from solvers.dr_rpo import (
    Learner,
    confidence_radii,
    dr_lsvi_ucb_code,
    episode_bounds,
    good_event,
    lsvi_ucb_code,
    nominal_set,
    realised_radius,
    run,
    suboptimality,
)
from solvers.dr_rpo_exact import evaluate_under, optimal_plan

SEED = np.random.SeedSequence(7)
LEARNED = (("tv_constrained", 0.3), ("tv_regularised", 0.5), ("kl_regularised", 0.4), ("chi2_regularised", 0.3))


def trained(robust, learner, episodes):
    """Play by the kernels, and return the problem, the rules and the memory, planned once more."""
    betas, caps = learner.betas_of(robust, episodes), learner.caps_of(robust)
    problem, rules = dr_rpo._problem(robust, learner, betas, caps), dr_rpo._rules(robust, learner, True)
    memory = dr_rpo._new_memory(robust, learner.ridge)
    H, d = robust.horizon, robust.nominal.n_factors
    trace = kernels.Trace(*(np.empty((1, H, d)) for _ in range(3)), np.empty((1, H, d, d)))
    kernels.learn(np.array([episodes]), seed_lanes(SEED, 1), 0, problem, rules, memory, trace)
    kernels.plan_stages(problem, rules, memory, np.empty(robust.nominal.n_actions))
    return problem, rules, memory


def oracle_backup(kind, row, values, level, cap):
    """Return the empirical backup by brute force over thresholds."""
    grid = np.unique(np.concatenate([[0.0], values, np.linspace(0.0, values.max(), 4001)]))
    lowered = np.minimum(values, grid[:, None])
    if kind == "tv_constrained":
        return np.clip((lowered @ row - level * grid).max(), 0.0, (1.0 - level) * cap)
    if kind == "tv_regularised":
        return np.clip(row @ np.minimum(values, level), 0.0, min(level, cap))
    if kind == "kl_regularised":
        return -level * np.log(np.clip(1.0 + row @ (np.exp(-values / level) - 1.0), np.exp(-cap / level), 1.0))
    one, two = np.clip(lowered @ row, 0.0, cap), np.clip(lowered**2 @ row, 0.0, cap**2)
    return np.clip((one - (two - one**2) / (4.0 * level)).max(), 0.0, cap)


@pytest.mark.parametrize(("kind", "level"), LEARNED)
@pytest.mark.parametrize("episodes", [3, 40, 1500])
def test_plan_is_that_of_the_pseudo_code(kind, level, episodes):
    mdp = random_linear(3, n_states=5, n_factors=3)
    robust = RobustLinearMDP(mdp, kind, level, 4)
    eta, beta = 0.1, 0.3
    learner = Learner(eta=eta, beta=beta, ridge=0.5)
    _, _, memory = trained(robust, learner, episodes)
    caps, value = robust.caps, np.zeros(5)
    for h in reversed(range(3)):
        inverse = np.linalg.inv(memory.covariance[h])
        weights = inverse @ memory.moments[h]
        nu = np.zeros(4)
        if h < 2:
            nu = np.array([oracle_backup(kind, weights[i], value, level, caps[h + 1]) for i in range(4)])
            np.testing.assert_allclose(memory.regression[h], weights, atol=1e-9)
        tolerance = 1e-5 if kind == "chi2_regularised" else 1e-9
        np.testing.assert_allclose(memory.backups[h], nu, atol=tolerance)
        plan = mdp.weights[h] + memory.backups[h] + (beta if h < 2 else 0.0) * np.sqrt(np.diag(inverse))
        np.testing.assert_allclose(memory.plan[h], plan, atol=1e-9)
        q = np.clip(mdp.features[0] @ memory.plan[h], 0.0, caps[h])
        q[4] = 0.0
        value = eta * np.log(np.exp(q / eta).mean(axis=1))


def test_statistics_count_the_steps():
    _, _, memory = trained(simulated_robust(0.3), Learner(), 500)
    np.testing.assert_allclose(memory.moments[:2].sum(axis=(1, 2)), 500.0)
    for h in range(2):
        np.testing.assert_allclose(memory.inverse[h] @ memory.covariance[h], np.eye(4), atol=1e-9)
    assert memory.updates.tolist() == [500, 500, 0]


def test_inverse_is_refreshed():
    _, _, memory = trained(simulated_robust(0.3), Learner(), 3 * kernels.REFRESH)
    np.testing.assert_allclose(memory.regression[0], memory.inverse[0] @ memory.moments[0], atol=1e-12)


def test_cholesky_inverse():
    matrix = np.cov(np.random.default_rng(0).normal(size=(6, 50)))
    inverse = np.empty((6, 6))
    kernels.cholesky_inverse(matrix, inverse)
    np.testing.assert_allclose(inverse @ matrix, np.eye(6), atol=1e-12)


def test_explicit_radii():
    robust = simulated_robust(0.3, everywhere=True)
    for (kind, level), radii in zip(
        (("tv_constrained", 0.3), ("tv_regularised", 0.5), ("kl_regularised", 1.0), ("chi2_regularised", 1.0)),
        ((13.78, 6.54, 0.0), (3.91, 3.07, 0.0), (50.64, 10.55, 0.0), (42.06, 11.78, 0.0)),
        strict=True,
    ):
        computed = confidence_radii(robust.with_levels(level, kind), 10_000, 0.05)
        np.testing.assert_allclose(computed, radii, atol=5.1e-3)


@pytest.mark.parametrize("beta", [0.0, 0.1, 0.5, 2.0, None])
@pytest.mark.parametrize("ridge", [0.1, 1.0])
@pytest.mark.parametrize("radius", [0.2, 0.5])
def test_stuck_has_linear_regret_for_every_bonus(beta, ridge, radius):
    plans = run(stuck(radius), Learner(eta=0.0, beta=beta, ridge=ridge), episodes=300, seeds=SEED, runs=2, record=None)
    regret = suboptimality(plans).sum(axis=1)
    np.testing.assert_allclose(regret, 300 * (0.4 * (1.0 - radius) - 0.01), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("eta", "beta", "most"), [(0.05, 2.0, 6e-3), (0.2, 2.0, 4e-3), (0.05, 0.5, 6e-4), (0.2, 0.5, 4e-4)]
)
def test_softmax_policies_cure_it(eta, beta, most):
    plans = run(stuck(), Learner(eta=eta, beta=beta), episodes=2000, seeds=SEED, runs=4, record=2)
    assert (suboptimality(plans)[:, -1] < most).all()


def test_without_a_bonus_a_greedy_learner_stays_at_the_wrong_action():
    learner = Learner(eta=0.0, beta=0.0, ridge=0.1)
    plans = run(simulated_robust(0.3), learner, episodes=2000, seeds=SEED, runs=2, record=20)
    np.testing.assert_allclose(suboptimality(plans)[:, -5:], 0.0723, rtol=0, atol=5e-5)


def test_an_elliptic_bonus_finds_the_better_action():
    learner = Learner(eta=0.0, beta=0.5, bonus="elliptic")
    plans = run(nominal_set(stuck()), learner, episodes=500, seeds=SEED, record=None)
    assert (plans.optimistic().log_policy[0, :, 0, 0, 1] == 0.0).all()


@pytest.mark.parametrize(
    ("reach", "ridge", "returns"),
    [
        (0.1, 0.1, (1.276, 1.152, 1.029, 0.905, 0.782, 0.658)),
        (0.3, 0.1, (1.526, 1.449, 1.373, 1.296, 1.219, 1.143)),
        (0.1, 1.0, (1.224, 1.120, 1.016, 0.913, 0.809, 0.705)),
        (0.3, 1.0, (1.424, 1.412, 1.400, 1.389, 1.377, 1.366)),
    ],
)
def test_off_dynamics_returns_after_a_hundred_episodes(reach, ridge, returns):
    learner = Learner(eta=0.05, beta=1.0, ridge=ridge)
    plans = run(simulated_robust(0.5, reach), learner, episodes=100, seeds=SEED, runs=60, record=1)
    policies = plans.optimistic().log_policy[:, -1]
    for q, golden in zip(np.linspace(0.0, 1.0, 6), returns, strict=True):
        mine = evaluate_under(off_dynamics(q, reach), policies)[:, 0, 0]
        error = np.hypot(mine.std() / np.sqrt(60), 0.004)
        assert abs(mine.mean() - golden) < 4.0 * error


@pytest.mark.parametrize(
    ("reach", "returns"),
    [
        (0.1, (1.275, 1.152, 1.030, 0.908, 0.786, 0.663)),
        (0.2, (1.432, 1.317, 1.202, 1.087, 0.971, 0.856)),
        (0.3, (1.531, 1.454, 1.377, 1.301, 1.224, 1.147)),
    ],
)
def test_off_dynamics_returns_of_the_optimum(reach, returns):
    policy = optimal_plan(simulated_robust(0.5, reach), 0.05).log_policy
    for q, golden in zip(np.linspace(0.0, 1.0, 6), returns, strict=True):
        assert evaluate_under(off_dynamics(q, reach), policy)[0, 0] == pytest.approx(golden, abs=6e-4)


def test_greedy_relatives_end_on_one_of_two_lines():
    """After 100 episodes the first chance is the largest or the least one; LSVI-UCB nearly always the largest."""
    for robust, learner, share in (
        (nominal_set(simulated_robust(0.3)), lsvi_ucb_code(3), (0.0, 0.15)),
        (simulated_robust(0.3), dr_lsvi_ucb_code(3), (0.05, 0.4)),
        (simulated_robust(0.6), dr_lsvi_ucb_code(3), (0.75, 1.0)),
    ):
        plans = run(robust, learner, episodes=100, seeds=SEED, runs=100, record=1)
        returns = evaluate_under(off_dynamics(0.0), plans.optimistic().log_policy[:, -1])[:, 0, 0]
        high, low = np.isclose(returns, 1.4239, atol=1e-4), np.isclose(returns, 1.2318, atol=1e-4)
        assert (high | low).all()
        assert share[0] <= low.mean() <= share[1]


@pytest.mark.parametrize(("kind", "level"), LEARNED)
@pytest.mark.parametrize("scale", [0.05, 1.0])
def test_bounds_hold_on_the_event(kind, level, scale):
    robust = RobustLinearMDP(random_linear(5), kind, level, 5)
    plans = run(robust, Learner(eta=0.1, scale=scale), episodes=400, seeds=SEED, runs=2, record=20)
    optimistic = plans.optimistic()
    good = good_event(plans)
    assert good.any()
    optimum = optimal_plan(robust, 0.1)
    assert (optimistic.q_values[good] >= optimum.q_values - 1e-9).all()
    assert (suboptimality(plans)[good] <= episode_bounds(plans)[good] + 1e-9).all()
    if scale == 1.0:
        assert good.all()
        assert realised_radius(plans).max() < 0.6


def test_rare_plans_are_few_and_sound():
    robust = RobustLinearMDP(random_tabular(1), "tv_constrained", 0.2, 2)
    always = run(robust, Learner(eta=0.1), episodes=2000, seeds=SEED, record=4)
    rare = run(robust, Learner(eta=0.1, rare=True), episodes=2000, seeds=SEED, record=4)
    d, H = robust.nominal.n_factors, robust.horizon
    assert always.switches[0] == 2000
    assert rare.switches[0] <= 1 + H * d * np.log2(1.0 + 2000 / d)
    assert good_event(rare).all()


def test_a_tabular_learner_learns():
    robust = RobustLinearMDP(random_tabular(2), "tv_constrained", 0.2, 2)
    loss = suboptimality(run(robust, Learner(eta=0.0, beta=0.3), episodes=3000, seeds=SEED, runs=3, record=2))
    assert (loss[:, -1] <= 0.02).all()


def test_plans_on_the_lake_are_optimistic():
    lake = frozen_lake(0.1, horizon=5)
    plans = run(lake, Learner(eta=0.1, scale=0.2), episodes=200, seeds=SEED, record=4)
    assert good_event(plans).all()
    assert (plans.optimistic().q_values >= optimal_plan(lake, 0.1).q_values - 1e-9).all()


def test_runs_do_not_depend_on_their_number():
    one = run(simulated_robust(0.3), Learner(), episodes=50, seeds=SEED, runs=1, record=3)
    three = run(simulated_robust(0.3), Learner(), episodes=50, seeds=SEED, runs=3, record=3)
    np.testing.assert_array_equal(one.plan[0], three.plan[0])
    assert not np.array_equal(three.plan[0], three.plan[1])


@pytest.mark.parametrize(
    ("robust", "learner", "message"),
    [
        (simulated_robust(0.1, kind="kl_constrained"), Learner(), "no empirical backup for a set of kind 'kl_constr"),
        (RobustLinearMDP(random_linear(0), "tv_constrained", 0.1), Learner(), "cannot be learned without one"),
        (stuck(), Learner(eta=-1.0), r"eta is -1\.0"),
        (stuck(), Learner(ridge=0.0), r"ridge is 0\.0"),
        (stuck(), Learner(beta=(1.0,)), "beta is"),
        (stuck(), Learner(beta=-1.0), "not 2 nonnegative numbers"),
        (stuck(), Learner(caps=(1.0,)), r"caps has 1 entries, not H \+ 1 = 3"),
        (stuck(), Learner(reference=[0.0, 1.0]), "probability zero"),
        (stuck(), Learner(delta=2.0), "delta"),
    ],
)
def test_bad_input_is_named(robust, learner, message):
    with pytest.raises(ValueError, match=message):
        run(robust, learner, episodes=5, seeds=SEED)


def test_no_radius_for_constrained_relative_entropy():
    with pytest.raises(InvalidModelError, match="no explicit radius"):
        confidence_radii(rectangular(american_put(), "kl_constrained", 0.1), 10, 0.05)
