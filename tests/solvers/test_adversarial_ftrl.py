"""The algorithms against plain-numpy twins that draw the same random numbers, enumeration and cone programmes."""

from dataclasses import replace
from itertools import product
from math import e, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps import adversarial as adv
from mdps import adversarial_instances as instances
from mdps.errors import InvalidModelError, InvalidPolicyError
from mdps.kernels import cumulative, seed_lanes, uniform
from solvers import adversarial_ftrl as ftrl
from solvers import adversarial_ftrl_identities as identities
from solvers import adversarial_ftrl_parameters as par
from solvers import adversarial_ftrl_tabular as tabular
from solvers.adversarial_ftrl_linear import PLAIN, REDUCED, UNCENTRED
from solvers.adversarial_ftrl_simplex import ENTROPY, LOG_BARRIER, divergence, leader

ALGORITHM = ftrl.PolicyOptimisation(ENTROPY, 0.05, 0.03, 0.4, 0.7)


def random_policy(mdp, seed, concentration=1.0):
    return np.random.default_rng(seed).dirichlet(np.full(mdp.n_actions, concentration), mdp.shape[:2])


def staged(mdp, h):
    return mdp.transitions[min(h, mdp.transitions.shape[0] - 1)]


def leaders(fed, eta, regulariser):
    return np.array([[leader(row, eta, regulariser) for row in stage] for stage in fed])


def twin_play(mdp, policy, state, lane):
    """Inverse distribution functions, with the kernels' random numbers in the kernels' order."""
    s = int(np.searchsorted(cumulative(mdp.initial), uniform(state, lane), side="right"))
    states, actions = [], []
    for h in range(mdp.horizon):
        a = int(np.argmax(uniform(state, lane) < np.cumsum(policy[h, s])))
        states.append(s)
        actions.append(a)
        if h + 1 < mdp.horizon:
            s = int(np.searchsorted(cumulative(staged(mdp, h)[s, a]), uniform(state, lane), side="right"))
    return states, actions


def trajectories(mdp, policy):
    """All trajectories (states, actions) and their probabilities."""
    H, S, A = mdp.shape
    for states in product(range(S), repeat=H):
        for actions in product(range(A), repeat=H):
            p = mdp.initial[states[0]]
            for h in range(H):
                p *= policy[h, states[h], actions[h]]
                if h + 1 < H:
                    p *= staged(mdp, h)[states[h], actions[h], states[h + 1]]
            if p > 0.0:
                yield states, actions, p


def tails(losses, states, actions):
    steps = np.array([losses[h, s, a] for h, (s, a) in enumerate(zip(states, actions, strict=True))])
    return np.cumsum(steps[::-1])[::-1]


@pytest.fixture(scope="module")
def small():
    return instances.random_instance(3, 3, 2, 0)


# Full information


@pytest.mark.parametrize("regulariser", [ENTROPY, LOG_BARRIER])
def test_hedge_equals_its_twin(small, regulariser):
    mdp, episodes = small.mdp, 40
    rates = np.array([0.3, 0.5, 0.9])
    run = ftrl.run_hedge(mdp, small.losses, episodes, rates, regulariser=regulariser, runs=2, seed=3)
    losses = adv.loss_sequence(small.losses, episodes, seed_lanes(3, 6), 4)
    fed, total = np.zeros(mdp.shape), []
    for k in range(episodes):
        policy = np.stack([leaders(fed[h : h + 1], rates[h], regulariser)[0] for h in range(3)])
        values, table = adv.action_values(mdp, policy, losses[k])
        total.append(mdp.initial @ values[0])
        fed += table
    np.testing.assert_allclose(run.learner_losses[1], np.cumsum(total)[run.episodes - 1], rtol=1e-12)
    np.testing.assert_array_equal(run.loss_sums[1], np.cumsum(losses, axis=0)[run.episodes - 1])
    least = [adv.best_fixed_policy(mdp, losses[:k].sum(axis=0))[0] for k in run.episodes]
    np.testing.assert_allclose(run.regret[1], run.learner_losses[1] - least, atol=1e-10)


def test_sums_of_occupancies_give_the_regret_for_mean_losses(small):
    mdp, means = small.mdp, np.random.default_rng(0).random(small.mdp.shape)
    steady = adv.constant_losses(means)
    learners = {
        "hedge": lambda losses: ftrl.run_hedge(mdp, losses, 30, 0.3, runs=2, seed=1),
        "soft": lambda losses: ftrl.run_soft_dp(mdp, losses, 30, 0.3, runs=2, seed=1),
        "oreps": lambda losses: ftrl.run_oreps(mdp, losses, 30, 0.1, bandit=True, runs=2, seed=1),
        "policy optimisation": lambda losses: ftrl.run_policy_optimisation(mdp, losses, 30, ALGORITHM, runs=2, seed=1),
    }
    for learner in learners.values():
        run = learner(steady)
        mass = run.occupancy_sums.sum(axis=(3, 4))
        np.testing.assert_allclose(mass, np.broadcast_to(run.episodes[:, None], mass.shape))
        np.testing.assert_allclose(run.mean_regret(means), run.regret, atol=1e-9)
        coins = learner(small.losses)
        value = np.einsum("nrhsa,hsa->nr", coins.occupancy_sums, means)
        least = adv.best_fixed_policy(mdp, means)[0]
        np.testing.assert_allclose(coins.mean_regret(means), value - coins.episodes * least, atol=1e-9)
    with pytest.raises(InvalidModelError, match="means"):
        run.mean_regret(np.zeros((1, 2, 2)))


def test_soft_dynamic_programming_equals_its_twin(small):
    mdp, episodes, eta = small.mdp, 30, 0.4
    run = ftrl.run_soft_dp(mdp, small.losses, episodes, eta, seed=1)
    losses = adv.loss_sequence(small.losses, episodes, seed_lanes(1, 3), 1)
    total, sums = [], np.zeros(mdp.shape)
    for k in range(episodes):
        policy, soft = np.empty(mdp.shape), np.zeros(3)
        for h in reversed(range(3)):
            weights = np.exp(-eta * sums[h] + (staged(mdp, h) @ soft if h < 2 else 0.0))
            policy[h], soft = weights / weights.sum(axis=1, keepdims=True), np.log(weights.sum(axis=1))
        total.append(adv.value(mdp, policy, losses[k]))
        sums += losses[k]
    np.testing.assert_allclose(run.learner_losses[0], np.cumsum(total)[run.episodes - 1], rtol=1e-12)


def test_soft_dynamic_programming_is_the_leader_for_the_entropy_of_trajectories():
    cp = pytest.importorskip("cvxpy")
    mdp = instances.random_mdp(2, 2, 2, 1, random_initial=True)
    exponent = np.random.default_rng(0).normal(size=mdp.shape)
    q = [cp.Variable((2, 2), nonneg=True) for _ in range(2)]
    ones = np.ones((1, 2))
    objective = sum(
        cp.sum(cp.rel_entr(q[h], cp.sum(q[h], axis=1, keepdims=True) @ ones)) - cp.sum(cp.multiply(exponent[h], q[h]))
        for h in range(2)
    )
    inflow = sum(q[0][s, a] * staged(mdp, 0)[s, a] for s in range(2) for a in range(2))
    constraints = [cp.sum(q[0], axis=1) == mdp.initial, cp.sum(q[1], axis=1) == inflow]
    cp.Problem(cp.Minimize(objective), constraints).solve(solver=cp.CLARABEL)
    policy, soft = np.empty(mdp.shape), np.empty((3, 2))
    tabular.soft_backward(adv.dynamics(mdp), exponent, -1.0, soft, policy)
    expected = adv.occupancy(mdp, policy)[..., None] * policy
    np.testing.assert_allclose([x.value for x in q], expected, atol=1e-5)


# O-REPS


def test_projection_equals_that_of_a_cone_programme():
    cp = pytest.importorskip("cvxpy")
    mdp = instances.random_mdp(2, 2, 2, 1, random_initial=True)
    exponent = 2.0 * np.random.default_rng(0).normal(size=mdp.shape)
    q = [cp.Variable((2, 2), nonneg=True) for _ in range(2)]
    objective = sum(-cp.sum(cp.entr(q[h])) - cp.sum(cp.multiply(exponent[h], q[h])) for h in range(2))
    inflow = sum(q[0][s, a] * staged(mdp, 0)[s, a] for s in range(2) for a in range(2))
    constraints = [cp.sum(q[0], axis=1) == mdp.initial, cp.sum(q[1], axis=1) == inflow]
    problem = cp.Problem(cp.Minimize(objective), constraints)
    problem.solve(solver=cp.CLARABEL)
    found = ftrl.project_occupancy(mdp, exponent)
    value = np.sum(found.occupancy * (np.log(found.occupancy) - exponent))
    assert value == pytest.approx(problem.value, abs=1e-7)
    np.testing.assert_allclose([x.value for x in q], found.occupancy, atol=1e-5)


@settings(max_examples=40)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 4), st.integers(0, 10**6), st.floats(-2.0, 3.5))
def test_projections_are_certified_whatever_the_losses(horizon, n_states, n_actions, seed, magnitude):
    mdp = instances.random_mdp(horizon, n_states, n_actions, seed)
    exponent = np.random.default_rng(seed).normal(size=mdp.shape) * 10.0**magnitude
    found = ftrl.project_occupancy(mdp, exponent)
    assert 0.0 <= found.gap <= 1e-8
    q = found.occupancy
    np.testing.assert_allclose(q.sum(axis=(1, 2)), 1.0, atol=1e-12)
    np.testing.assert_allclose(q[0].sum(axis=1), mdp.initial, atol=1e-12)
    for h in range(horizon - 1):
        np.testing.assert_allclose(q[h + 1].sum(axis=1), np.einsum("sa,sat->t", q[h], staged(mdp, h)), atol=1e-12)
    mine = np.sum(np.where(q > 0, q * (np.log(np.where(q > 0, q, 1.0)) - exponent), 0.0))
    for other in range(5):
        policy = random_policy(mdp, seed + other)
        p = adv.occupancy(mdp, policy)[..., None] * policy
        value = np.sum(np.where(p > 0, p * (np.log(np.where(p > 0, p, 1.0)) - exponent), 0.0))
        assert value >= mine - 1e-7 * max(1.0, abs(mine))


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_projections_do_not_depend_on_where_they_start(seed):
    mdp = instances.random_mdp(3, 4, 2, seed, random_initial=True)
    rng = np.random.default_rng(seed)
    exponent, dual = rng.normal(size=mdp.shape) * 5.0, rng.normal(size=mdp.shape[:2])
    near, far = ftrl.project_occupancy(mdp, exponent), ftrl.project_occupancy(mdp, exponent, dual)
    np.testing.assert_allclose(near.occupancy, far.occupancy, atol=1e-8)
    assert near.iterations <= far.iterations + 2


def test_projections_leave_out_states_that_nothing_reaches():
    instance = instances.near_and_far()
    found = ftrl.project_occupancy(instance.mdp, -5.0 * instance.losses.table[0])
    assert found.occupancy[0, 1].sum() == 0.0
    # the way with probability p has entropy terms p ln p twice: p is proportional to exp(-5 loss / 2)
    ways = np.exp(-2.5 * np.array([0.9, 0.3]))
    np.testing.assert_allclose(found.occupancy[1].sum(axis=1), ways / ways.sum(), rtol=1e-8)
    assert found.gap <= 1e-8


def test_an_inaccurate_projection_is_an_error(small):
    exponent = np.random.default_rng(0).normal(size=small.mdp.shape) * 5.0
    with pytest.raises(ftrl.ProjectionError, match="flow violated"):
        ftrl.project_occupancy(small.mdp, exponent, iterations=1)
    with pytest.raises(ftrl.ProjectionError, match="flow violated"):
        ftrl.run_oreps(small.mdp, small.losses, 50, 2.0, bandit=True, iterations=0)
    run = ftrl.run_oreps(small.mdp, small.losses, 50, 2.0, bandit=True, iterations=0, certify=False)
    assert run.projections.violation[0] > 1e-8


@pytest.mark.parametrize(("bandit", "from_uniform"), [(False, False), (False, True), (True, False)])
def test_oreps_equals_its_twin(small, bandit, from_uniform):
    mdp, episodes, eta = small.mdp, 25, 0.2
    run = ftrl.run_oreps(mdp, small.losses, episodes, eta, bandit=bandit, from_uniform=from_uniform, seed=2)
    losses = adv.loss_sequence(small.losses, episodes, seed_lanes(2, 3), 1)
    state, exponent, total = seed_lanes(2, 3), np.zeros(mdp.shape), []
    if from_uniform:
        flat = np.full(mdp.shape, 1.0 / mdp.n_actions)
        q = adv.occupancy(mdp, flat)[..., None] * flat
        exponent = np.log(np.where(q > 0, q, 1.0))
    for k in range(episodes):
        found = ftrl.project_occupancy(mdp, exponent)
        total.append(np.sum(found.occupancy * losses[k]))
        if bandit:
            states, actions = twin_play(mdp, found.policy, state, 0)
            for h, (s, a) in enumerate(zip(states, actions, strict=True)):
                exponent[h, s, a] -= eta * losses[k, h, s, a] / found.occupancy[h, s, a]
        else:
            exponent -= eta * losses[k]
    np.testing.assert_allclose(run.learner_losses[0], np.cumsum(total)[run.episodes - 1], rtol=1e-8)
    assert run.projections.violation[0] <= 1e-10
    assert run.projections.gap[0] <= 1e-8
    assert 0.0 < run.projections.stability[0] <= 1.0


def test_weighing_by_the_policy_makes_regret_linear():
    instance, episodes = instances.near_and_far(), 4000
    eta = par.oreps_bandit_rate(2, 8, episodes)
    arguments = (instance.mdp, instance.losses, episodes, eta)
    right = ftrl.run_oreps(*arguments, bandit=True, runs=6, record=1).regret.mean()
    wrong = ftrl.run_oreps(*arguments, bandit=True, runs=6, record=1, weight_by_policy=True).regret.mean()
    assert right <= par.oreps_bandit_bound(2, 6, episodes) < par.oreps_bandit_bound(2, 8, episodes) < wrong


# Policy optimisation


@pytest.mark.parametrize(
    "algorithm",
    [
        ALGORITHM,
        replace(ALGORITHM, regulariser=LOG_BARRIER, local=True),
        replace(ALGORITHM, bonus_scale=0.0, weight_by_policy=True),
    ],
)
def test_policy_optimisation_equals_its_twin(small, algorithm):
    mdp, episodes, p = small.mdp, 40, algorithm
    star = random_policy(mdp, 9)
    run = ftrl.run_policy_optimisation(mdp, small.losses, episodes, p, comparator=star, seed=4)
    losses = adv.loss_sequence(small.losses, episodes, seed_lanes(4, 3), 1)
    state, fed, total, least, largest = seed_lanes(4, 3), np.zeros(mdp.shape), [], 0.0, 0.0
    left = np.arange(3, 0, -1.0)[:, None, None]
    for k in range(episodes):
        policy = leaders(fed, p.eta, p.regulariser)
        mass = adv.occupancy(mdp, policy)[..., None]
        q = mass * policy
        squares = p.kappa_q * p.eta * left**2 * (policy if p.local else 1.0) + p.gamma * left
        b = p.bonus_scale * np.sum(policy * squares / (q + p.gamma), axis=2, keepdims=True) * np.ones(2)
        B = np.empty(mdp.shape)
        for h in reversed(range(3)):
            ahead = staged(mdp, h) @ (policy[h + 1] * B[h + 1]).sum(axis=1) if h < 2 else 0.0
            B[h] = b[h] + (1.0 + p.omega) * ahead
        total.append(adv.value(mdp, policy, losses[k]))
        states, actions = twin_play(mdp, policy, state, 0)
        estimate = np.zeros(mdp.shape)
        weights = policy if p.weight_by_policy else q
        for h, tail in enumerate(tails(losses[k], states, actions)):
            estimate[h, states[h], actions[h]] = tail / (weights[h, states[h], actions[h]] + p.gamma)
        fed += estimate - B
        least, largest = min(least, (estimate - B).min()), max(largest, B.max())
    np.testing.assert_allclose(run.learner_losses[0], np.cumsum(total)[run.episodes - 1], rtol=1e-10)
    assert run.least_exponent[0] == pytest.approx(p.eta * least, rel=1e-9, abs=1e-15)
    assert run.largest_bonus[0] == pytest.approx(p.eta * largest, rel=1e-9)
    parts = run.certificate
    np.testing.assert_allclose(parts.regret, run.regret_against(star)[:, -1], rtol=1e-9)
    np.testing.assert_allclose(
        parts.bonus + parts.comparator_bonus + parts.spread_bonus, parts.dilated_bonus, rtol=1e-9, atol=1e-12
    )


def test_the_leaders_part_of_a_certificate_obeys_the_deterministic_bound():
    instance, episodes = instances.random_instance(3, 3, 2, 5), 3000
    parameters, _ = par.tuned_tabular(par.ENTROPY_MIXED, [3] * 3, 2, episodes)
    p = ftrl.PolicyOptimisation(ENTROPY, parameters.eta, parameters.gamma, parameters.omega, parameters.kappa_q)
    first = ftrl.run_policy_optimisation(instance.mdp, instance.losses, episodes, p, runs=8)
    star = first.best_policy()
    run = ftrl.run_policy_optimisation(instance.mdp, instance.losses, episodes, p, comparator=star, runs=8)
    np.testing.assert_array_equal(run.learner_losses, first.learner_losses)
    parts = run.certificate
    y = parameters.eta * par.largest_bonus(3, p.eta, p.gamma, p.omega, p.kappa_q)
    second = 0.5 * np.exp(y) * parts.estimate_squares + par.kappa(y) * parts.bonus_squares
    assert (parts.leader <= 3 * log(2) / p.eta + p.eta * second).all()
    assert (run.largest_bonus <= y).all()
    assert (np.abs(parts.martingale) <= 4.0 * np.sqrt(parts.quadratic_variation)).all()
    assert parts.martingale.std() > 0.2 * np.sqrt(parts.quadratic_variation.mean())


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_the_variance_of_a_functional_equals_enumeration(seed):
    mdp = instances.random_mdp(3, 2, 2, seed, random_initial=True)
    rng = np.random.default_rng(seed)
    policy, losses, weights = random_policy(mdp, seed), rng.random(mdp.shape), rng.normal(size=mdp.shape)
    first = second = 0.0
    for states, actions, p in trajectories(mdp, policy):
        chosen = [weights[h, s, a] for h, (s, a) in enumerate(zip(states, actions, strict=True))]
        value = chosen @ tails(losses, states, actions)
        first, second = first + p * value, second + p * value**2
    found = tabular.functional_variance(adv.dynamics(mdp), policy, losses, weights, np.empty((2, 5, 2)))
    assert found == pytest.approx(second - first**2, abs=1e-10)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.01, 0.3]))
def test_estimator_moments_equal_enumeration(seed, gamma):
    mdp = instances.random_mdp(3, 2, 2, seed, random_initial=True)
    policy, losses = random_policy(mdp, seed), np.random.default_rng(seed).random(mdp.shape)
    q = adv.occupancy(mdp, policy)[..., None] * policy
    mean, second = np.zeros(mdp.shape), np.zeros(mdp.shape)
    for states, actions, p in trajectories(mdp, policy):
        for h, tail in enumerate(tails(losses, states, actions)):
            s, a = states[h], actions[h]
            mean[h, s, a] += p * tail / (q[h, s, a] + gamma)
            second[h, s, a] += p * (tail / (q[h, s, a] + gamma)) ** 2
    found = identities.estimator_moments(mdp, policy, losses, gamma)
    np.testing.assert_allclose(found.mean, mean, atol=1e-11)
    np.testing.assert_allclose(found.second, second, rtol=1e-9, atol=1e-11)
    table = adv.action_values(mdp, policy, losses)[1]
    assert (found.mean <= table + 1e-12).all()
    left = np.arange(3, 0, -1.0)[:, None, None]
    assert (found.second <= left**2 / (q + gamma) + 1e-9).all()


def test_signed_losses_break_exponential_weights_and_not_the_log_barrier():
    episodes = 4000
    instance = instances.signed_bandit(episodes)
    weights = ftrl.PolicyOptimisation(ENTROPY, sqrt(log(2) / (2 * (e - 2) * episodes)), 0.0, 0.0, 0.0)
    barrier = ftrl.PolicyOptimisation(LOG_BARRIER, sqrt(2 * log(episodes) / episodes), 0.0, 0.0, 0.0)
    runs = [
        ftrl.run_policy_optimisation(instance.mdp, instance.losses, episodes, p, runs=40, record=1)
        for p in (weights, barrier)
    ]
    assert runs[0].least_exponent.min() < -5.0
    assert runs[0].regret.mean() > 4 * 126.2
    bound = par.barrier_bandit_bound(2, episodes, barrier.eta)
    assert bound == pytest.approx(259.6, abs=0.1)
    assert runs[1].regret.mean() <= bound


def test_without_bonus_the_deceptive_chain_costs_a_constant_per_episode():
    episodes = 16_000
    instance = instances.deceptive_chain(12, episodes)
    mutant = ftrl.PolicyOptimisation(ENTROPY, sqrt(log(episodes) / (4 * episodes)), 1e-9, 0.0, 0.0, bonus_scale=0.0)
    run = ftrl.run_policy_optimisation(instance.mdp, instance.losses, episodes, mutant, runs=3, record=1)
    np.testing.assert_allclose(run.regret[:, 0], 0.35 * episodes, rtol=0.01)
    assert run.largest_bonus.max() == 0.0


def test_without_gamma_states_that_nothing_reaches_cost_nothing():
    instance = instances.near_and_far()
    p = ftrl.PolicyOptimisation(ENTROPY, 0.01, 0.0, 0.5, 0.7)
    run = ftrl.run_policy_optimisation(instance.mdp, instance.losses, 100, p)
    assert np.isfinite(run.regret).all()


# Adaptive adversaries, layout of the runs


def test_pseudo_regret_is_below_the_mean_of_the_regret():
    mdp = instances.random_mdp(2, 2, 2, 0, random_initial=True)
    run = ftrl.run_policy_optimisation(mdp, adv.greedy_losses(mdp), 500, ALGORITHM, runs=6)
    assert (run.pseudo_regret <= run.regret.mean(axis=0) + 1e-9).all()
    policies = [np.eye(2)[np.reshape(choice, (2, 2))] for choice in product(range(2), repeat=4)]
    largest = max(run.regret_against(policy)[:, -1].mean() for policy in policies)
    assert run.pseudo_regret[-1] == pytest.approx(largest, abs=1e-9)


def test_hedge_meets_its_bound_against_adaptive_and_searched_adversaries(small):
    mdp = small.mdp
    run = ftrl.run_hedge(mdp, adv.greedy_losses(mdp), 2000, par.hedge_rates(3, 2, 2000))
    assert run.regret[0, -1] <= par.hedge_bound(3, 2, 2000)
    bandit, episodes = instances.bandit(2), 20
    rates = par.hedge_rates(1, 2, episodes)

    def regret(losses):
        return ftrl.run_hedge(bandit, adv.explicit_losses(losses), episodes, rates, record=1).regret[0, 0]

    worst, losses = adv.worst_case_losses(regret, (episodes, 1, 1, 2), seed=0, restarts=2)
    assert regret(losses) == worst
    assert 0.7 < worst / par.hedge_bound(1, 2, episodes) <= 1.0


@pytest.mark.parametrize("name", ["hedge", "soft", "oreps", "policy", "linear"])
def test_threads_and_the_number_of_runs_change_no_bit(name):
    instance = instances.linear_mdp(2, 3, 2, 3, 0)

    def simulate(**options):
        arguments = (instance.mdp, instance.losses, 60)
        if name == "hedge":
            return ftrl.run_hedge(*arguments, 0.2, **options)
        if name == "soft":
            return ftrl.run_soft_dp(*arguments, 0.2, **options)
        if name == "oreps":
            return ftrl.run_oreps(*arguments, 0.1, bandit=True, **options)
        if name == "policy":
            return ftrl.run_policy_optimisation(*arguments, ALGORITHM, **options)
        algorithm = ftrl.LinearAlgorithm(ENTROPY, REDUCED, 0.05, 0.1, 0.1, 0.3, draws=5)
        return ftrl.run_linear(instance.mdp, instance.features, instance.losses, 60, algorithm, **options)

    reference = simulate(runs=5, seed=7)
    for other in (simulate(runs=5, seed=7, workers=3), simulate(runs=2, seed=7)):
        n = other.learner_losses.shape[0]
        np.testing.assert_array_equal(other.learner_losses, reference.learner_losses[:n])
        np.testing.assert_array_equal(other.loss_sums, reference.loss_sums[:n])
    assert len(np.unique(reference.learner_losses[:, -1])) == 5
    assert reference.episodes[-1] == 60


# Linear action values


def twin_linear(instance, algorithm, episodes, seed):
    mdp, phi, p = instance.mdp, instance.features, algorithm
    H = mdp.horizon
    losses = adv.loss_sequence(instance.losses, episodes, seed_lanes(seed, 3), 1)
    state, fed, total, least = seed_lanes(seed, 3), np.zeros(mdp.shape), [], 0.0
    for k in range(episodes):
        policy = leaders(fed, p.eta, p.regulariser)
        q = adv.occupancy(mdp, policy)[..., None] * policy
        inverse = np.linalg.inv(p.gamma * np.eye(phi.shape[3]) + np.einsum("hsa,hsai,hsaj->hij", q, phi, phi))
        norms = np.einsum("hsai,hij,hsaj->hsa", phi, inverse, phi)
        b = p.beta * (norms + (policy * norms).sum(axis=2, keepdims=True))
        B = identities.dilated_bonus(mdp, policy, b, p.omega)
        total.append(adv.value(mdp, policy, losses[k]))
        states, actions = twin_play(mdp, policy, state, 0)
        estimate = np.empty(mdp.shape)
        for h, tail in enumerate(tails(losses[k], states, actions)):
            z = phi[h] @ inverse[h] @ phi[h, states[h], actions[h]]
            estimate[h] = z * tail
            if p.estimator != PLAIN:
                estimate[h] -= (H - h) * np.minimum(z, 0.0)
            if p.estimator == REDUCED:
                products = np.einsum("sai,ij,tbj->satb", phi[h], inverse[h], phi[h])
                estimate[h] += (H - h) * np.einsum("tb,satb->sa", q[h], np.minimum(products, 0.0))
        fed += estimate - B
        least = min(least, estimate.min())
    return np.cumsum(total), least


@pytest.mark.parametrize(("regulariser", "estimator"), [(LOG_BARRIER, PLAIN), (ENTROPY, REDUCED), (ENTROPY, UNCENTRED)])
def test_linear_algorithms_equal_their_twin(regulariser, estimator):
    instance = instances.linear_mdp(2, 3, 3, 4, 1)
    algorithm = ftrl.LinearAlgorithm(regulariser, estimator, 0.05, 0.1, 0.02, 0.5)
    run = ftrl.run_linear(instance.mdp, instance.features, instance.losses, 40, algorithm, seed=6)
    total, least = twin_linear(instance, algorithm, 40, 6)
    np.testing.assert_allclose(run.learner_losses[0], total[run.episodes - 1], rtol=1e-9)
    assert run.least_estimate[0] == pytest.approx(algorithm.eta * least, rel=1e-8)


def test_one_hot_features_give_the_tabular_estimates():
    instance = instances.random_instance(2, 3, 2, 3)
    features = instances.one_hot_features(instance.mdp)
    eta, gamma = 0.05, 0.03
    one = ftrl.run_linear(
        instance.mdp, features, instance.losses, 200, ftrl.LinearAlgorithm(ENTROPY, PLAIN, eta, 0.0, gamma, 0.0)
    )
    two = ftrl.run_policy_optimisation(
        instance.mdp, instance.losses, 200, ftrl.PolicyOptimisation(ENTROPY, eta, gamma, 0.0, 0.0, bonus_scale=0.0)
    )
    np.testing.assert_allclose(one.learner_losses, two.learner_losses, rtol=1e-9)


@settings(max_examples=50)
@given(st.integers(0, 10**6), st.sampled_from([1e-3, 0.01, 0.1]))
def test_magnitude_reduction_is_unbiased_bounded_below_and_no_noisier(seed, gamma):
    rng = np.random.default_rng(seed)
    n, d, stages = 6, 3, 4.0
    phi = rng.normal(size=(n, d))
    phi /= np.maximum(np.linalg.norm(phi, axis=1, keepdims=True), 1.0)
    q, L = rng.dirichlet(np.full(n, 0.4)), rng.uniform(0.0, stages, n)
    inverse = np.linalg.inv(gamma * np.eye(d) + phi.T @ (q[:, None] * phi))
    for i in range(n):
        z = phi @ inverse @ phi[i]
        reduced = identities.reduced_estimates(z, q, L, stages)
        assert q @ reduced == pytest.approx(q @ (z * L), abs=1e-9)
        assert reduced[q > 0].min() >= -stages / (2 * sqrt(gamma)) * (1 + 1e-12)
        assert q @ reduced**2 <= stages**2 * (q @ z**2) * (1 + 1e-9) + 1e-12


def test_leaving_out_the_mean_biases_magnitude_reduction():
    phi, q = np.array([[0.6, 0.8], [0.6, -0.8], [1.0, 0.0]]), np.array([0.05, 0.05, 0.9])
    inverse = np.linalg.inv(0.01 * np.eye(2) + phi.T @ (q[:, None] * phi))
    biases = [q @ -np.minimum(phi @ inverse @ phi[i], 0.0) for i in range(3)]
    assert max(biases) == pytest.approx(0.413, abs=1e-3)


def test_signed_losses_break_the_floor_of_magnitude_reduction():
    phi, q, gamma = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), np.array([0.001, 0.9985, 0.0005]), 1e-4
    z = phi @ np.linalg.inv(gamma * np.eye(2) + phi.T @ (q[:, None] * phi)) @ phi[0]
    floor = -1.0 / (2.0 * sqrt(gamma))
    assert floor == pytest.approx(-50.0)
    signed = identities.reduced_estimates(z, q, np.array([-0.5, 1.0, -1.0]), 1.0)
    assert signed[0] == pytest.approx(-454.5, abs=0.1)
    assert signed[0] < floor
    assert identities.reduced_estimates(z, q, np.array([0.5, 1.0, 0.0]), 1.0).min() >= floor


def test_a_small_gamma_needs_magnitude_reduction_or_the_log_barrier():
    instance, episodes = instances.correlated_bandit(), 16_000
    eta = sqrt(log(3) / (3 * (e - 2) * episodes))
    plain = ftrl.LinearAlgorithm(ENTROPY, PLAIN, eta, 0.0, 1.0 / episodes, 0.0)
    reduced = replace(plain, estimator=REDUCED, gamma=eta**2)
    runs = [
        ftrl.run_linear(instance.mdp, instance.features, instance.losses, episodes, p, runs=20, record=1)
        for p in (plain, reduced)
    ]
    assert runs[0].least_estimate.min() < -5.0
    assert runs[1].least_estimate.min() >= -0.5


def test_sampled_covariances_approach_exact_ones():
    instance = instances.linear_mdp(2, 3, 2, 3, 0)
    algorithm = ftrl.LinearAlgorithm(LOG_BARRIER, PLAIN, 0.05, 0.1, 0.1, 0.3)
    arguments = (instance.mdp, instance.features, instance.losses, 200)
    exact = ftrl.run_linear(*arguments, algorithm, seed=1).learner_losses[0, -1]
    few, many = (
        ftrl.run_linear(*arguments, replace(algorithm, draws=n), seed=1).learner_losses[0, -1] for n in (2, 4000)
    )
    assert abs(many - exact) < min(0.5, abs(few - exact) + 0.5)
    assert many != exact


# Estimators of an inverse covariance


def test_geometric_resampling_has_its_mean():
    phi, law, gamma = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, -0.5]]), np.array([0.5, 0.3, 0.2]), 0.1
    sigma = phi.T @ (law[:, None] * phi)
    expected = identities.resampling_mean(sigma, gamma, 60)
    estimates = [identities.geometric_resampling(phi, law, gamma, 60, 300, seed) for seed in range(30)]
    spread = np.std(estimates, axis=0, ddof=1) / sqrt(30)
    assert (np.abs(np.mean(estimates, axis=0) - expected) <= 5 * spread + 1e-12).all()
    truth = np.linalg.inv(gamma * np.eye(2) + sigma)
    least = gamma + np.linalg.eigvalsh(sigma)[0]
    bias = np.linalg.norm(identities.resampling_mean(sigma, gamma, 60) - truth, 2)
    assert bias == pytest.approx((1 - 0.5 * least) ** 61 / least, rel=1e-9)
    depth = par.resampling_depth(gamma, 0.01)
    assert np.linalg.norm(identities.resampling_mean(sigma, gamma, depth) - truth, 2) <= 0.01
    exploding = identities.resampling_mean(np.eye(1), 0.1, 200, c=2.1)
    assert abs(exploding[0, 0]) == pytest.approx(3e23, rel=0.2)
    norms = [np.linalg.norm(estimate, 2) for estimate in estimates]
    assert max(norms) <= (1 - (1 - 0.5 * gamma) ** 61) / gamma


def test_resampling_only_where_the_action_matches_inverts_the_conditional_covariance():
    contexts, match = np.array([[1.0, 0.0], [0.6, 0.8]]), 0.3
    phi = np.concatenate([contexts, np.zeros((2, 2))])
    law, matched = np.array([0.15, 0.15, 0.35, 0.35]), np.array([True, True, False, False])
    sigma = phi.T @ (law[:, None] * phi)
    np.testing.assert_allclose(identities.matched_resampling_mean(sigma, match, 4000), [[2, -1.5], [-1.5, 4.25]])
    np.testing.assert_allclose(identities.resampling_mean(sigma, 0.0, 4000), [[20 / 3, -5], [-5, 85 / 6]])
    for flags, expected in (
        (matched, identities.matched_resampling_mean(sigma, match, 100)),
        (None, identities.resampling_mean(sigma, 0.0, 100)),
    ):
        estimates = [
            identities.geometric_resampling(phi, law, 0.0, 100, 300, seed, matched=flags) for seed in range(20)
        ]
        spread = np.std(estimates, axis=0, ddof=1) / sqrt(20)
        assert (np.abs(np.mean(estimates, axis=0) - expected) <= 5 * spread).all()


def test_direct_covariances_concentrate_with_enough_draws_and_not_with_few():
    law, gamma = np.array([0.97, 0.01, 0.01, 0.01]), 0.01
    regular = np.diag(law) + gamma * np.eye(4)
    half = np.linalg.inv(np.linalg.cholesky(regular))

    def failures(draws, repetitions):
        count = 0
        for seed in range(repetitions):
            sample = gamma * np.eye(4) + identities.sampled_covariance(np.eye(4), law, draws, seed)
            spectrum = np.linalg.eigvalsh(half @ sample @ half.T)
            count += bool(spectrum[0] < 0.5 or spectrum[-1] > 1.5)
        return count

    assert par.direct_draws(gamma, 4, 0.1) == 4091
    assert failures(4091, 60) == 0
    assert 40 <= failures(100, 300) <= 100


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(0.0, 1.0))
def test_exploration_weights_give_the_mixture_of_covariances(seed, probability):
    instance = instances.linear_mdp(3, 3, 2, 3, seed)
    mdp, phi = instance.mdp, instance.features
    policy, cover = random_policy(mdp, seed), random_policy(mdp, seed + 1, 0.2)
    mixture = (1 - probability) * identities.state_covariances(mdp, policy, phi)
    mixture += probability * identities.state_covariances(mdp, cover, phi)
    found = identities.exploration_covariance(mdp, policy, cover, phi, probability)
    np.testing.assert_allclose(found, mixture, atol=1e-13)
    wrong = identities.exploration_covariance(mdp, policy, cover, phi, 1.0, include_switch=False)
    right = identities.exploration_covariance(mdp, policy, cover, phi, 1.0)
    assert np.abs(wrong - right).max() > 1e-6


# Identities


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 3.0]))
def test_performance_difference_and_dilated_identity(seed, omega):
    mdp = instances.random_mdp(3, 3, 2, seed, random_initial=True)
    policy, star = random_policy(mdp, seed), random_policy(mdp, seed + 1)
    rng = np.random.default_rng(seed)
    sides = identities.performance_difference(mdp, policy, star, rng.normal(size=mdp.shape))
    assert sides.gap == pytest.approx(0.0, abs=1e-12)
    bonus = rng.random(mdp.shape)
    sides = identities.dilated_identity(mdp, policy, star, bonus, omega)
    assert sides.gap == pytest.approx(0.0, abs=1e-10)
    mutant = identities.dilated_identity(mdp, policy, star, bonus, omega, exponent_offset=-1)
    assert mutant.gap == pytest.approx(-omega / (1 + omega) * sides.right, abs=1e-10)


def test_the_wrong_occupancy_breaks_the_performance_difference():
    gaps = []
    for seed in range(50):
        mdp = instances.random_mdp(3, 3, 2, seed)
        sides = identities.performance_difference(
            mdp,
            random_policy(mdp, seed),
            random_policy(mdp, seed + 1),
            np.random.default_rng(seed).random(mdp.shape),
            weights="policy",
        )
        gaps.append(abs(sides.gap))
    assert np.median(gaps) > 1e-3


# Bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eta": 0.0}, "eta"),
        ({"eta": np.inf}, "eta"),
        ({"gamma": -1.0}, "gamma"),
        ({"omega": np.nan}, "omega"),
        ({"regulariser": 2}, "regulariser"),
    ],
)
def test_bad_parameters_are_refused(small, changes, message):
    with pytest.raises(ValueError, match=message):
        ftrl.run_policy_optimisation(small.mdp, small.losses, 10, replace(ALGORITHM, **changes))


def test_bad_arguments_are_refused(small):
    mdp, losses = small.mdp, small.losses
    for episodes, options in ((0, {}), (10, {"runs": 0}), (10, {"workers": 0}), (10, {"record": 0})):
        with pytest.raises(ValueError, match="positive integer"):
            ftrl.run_hedge(mdp, losses, episodes, 0.1, **options)
    with pytest.raises(ValueError, match="rates"):
        ftrl.run_hedge(mdp, losses, 10, [0.1, -0.1, 0.1])
    with pytest.raises(InvalidModelError, match="losses have shape"):
        ftrl.run_soft_dp(mdp, adv.cycle_losses(2), 10, 0.1)
    with pytest.raises(InvalidPolicyError):
        ftrl.run_policy_optimisation(mdp, losses, 10, ALGORITHM, comparator=np.zeros(mdp.shape))
    linear = ftrl.LinearAlgorithm(ENTROPY, PLAIN, 0.1, 0.1, 0.1, 0.1)
    with pytest.raises(InvalidModelError, match="norm"):
        ftrl.run_linear(mdp, np.ones((*mdp.shape, 2)), losses, 10, linear)
    with pytest.raises(ValueError, match="estimator"):
        ftrl.run_linear(mdp, np.zeros((*mdp.shape, 2)), losses, 10, replace(linear, estimator=5))
    with pytest.raises(ValueError, match="gamma"):
        ftrl.run_linear(mdp, np.zeros((*mdp.shape, 2)), losses, 10, replace(linear, gamma=0.0))


def test_the_divergence_of_a_point_from_itself_is_zero():
    x = np.array([0.2, 0.3, 0.5])
    for regulariser in range(3):
        assert divergence(x, x, regulariser) == pytest.approx(0.0, abs=1e-15)
