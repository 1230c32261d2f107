"""Guarantees of the algorithms for adversarial MDPs on drawn models, losses and rates."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps import adversarial as worlds
from mdps import adversarial_instances as instances
from solvers import adversarial_ftrl as algorithms
from solvers import adversarial_ftrl_identities as identities
from solvers import adversarial_ftrl_parameters as par
from solvers.adversarial_ftrl_linear import REDUCED
from solvers.adversarial_ftrl_simplex import ENTROPY, LOG_BARRIER, iterates, stability, variance
from theory import adversarial_ftrl_regret as theory

CLAIMS = {claim.id.split(".")[1]: claim for claim in theory.CLAIMS}
SIZES = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(2, 3))
SEEDS = st.integers(0, 2**32 - 1)


def drawn(sizes, seed, episodes):
    """Random model and losses, extreme (0 or 1) in half of the cases."""
    mdp = instances.random_mdp(*sizes, seed % 1000, random_initial=True)
    rng = np.random.default_rng(seed)
    losses = rng.uniform(size=(episodes, *mdp.shape))
    return mdp, worlds.explicit_losses(np.round(losses) if seed % 2 else losses)


def bound(name, mdp, episodes):
    H, S, A = mdp.shape
    return CLAIMS[name].explicit_bound.evaluate(H=H, S=S, A=A, K=episodes, X=int(mdp.layer_sizes().sum()))


@settings(max_examples=40)
@given(SIZES, SEEDS, st.integers(1, 60))
def test_full_information_bounds_hold_for_every_losses(sizes, seed, episodes):
    mdp, losses = drawn(sizes, seed, episodes)
    H, _, A = mdp.shape
    pairs = int(mdp.layer_sizes().sum()) * A
    runs = {
        "hedge": algorithms.run_hedge(mdp, losses, episodes, par.hedge_rates(H, A, episodes)),
        "hedge_single_rate": algorithms.run_hedge(mdp, losses, episodes, par.hedge_rates(H, A, episodes, False)),
        "soft": algorithms.run_soft_dp(mdp, losses, episodes, par.soft_rate(H, A, episodes)),
        "oreps": algorithms.run_oreps(mdp, losses, episodes, par.oreps_rate(H, pairs, A, episodes), bandit=False),
        "oreps_from_uniform": algorithms.run_oreps(
            mdp, losses, episodes, par.oreps_rate(H, pairs, A, episodes, True), bandit=False, from_uniform=True
        ),
    }
    for name, run in runs.items():
        assert run.regret[0, -1] <= bound(name, mdp, episodes) + 1e-9


@settings(max_examples=30)
@given(SIZES, SEEDS, st.floats(0.0, 2.0))
def test_dilated_bonuses_and_performance_differences_are_identities(sizes, seed, omega):
    mdp, _ = drawn(sizes, seed, 1)
    rng = np.random.default_rng(seed)
    policy, comparator = (rng.dirichlet(np.ones(sizes[2]), mdp.shape[:2]) for _ in range(2))
    bonus = rng.uniform(size=mdp.shape)
    sides = identities.dilated_identity(mdp, policy, comparator, bonus, omega)
    assert sides.left == pytest.approx(sides.right, rel=1e-11)
    short = identities.dilated_identity(mdp, policy, comparator, bonus, omega, exponent_offset=-1)
    assert sides.left - short.right == pytest.approx(omega / (1.0 + omega) * sides.right, abs=1e-9)
    sides = identities.performance_difference(mdp, policy, comparator, bonus)
    assert sides.left == pytest.approx(sides.right, abs=1e-11)


@settings(max_examples=25)
@given(SIZES, SEEDS, st.floats(1e-3, 0.5), st.floats(1e-3, 0.5))
def test_the_parts_of_a_run_sum_to_its_regret(sizes, seed, eta, gamma):
    mdp, losses = drawn(sizes, seed, 40)
    rule = algorithms.PolicyOptimisation(ENTROPY, eta, gamma, 1.0 / sizes[0], math.e - 2.0)
    comparator = np.random.default_rng(seed).dirichlet(np.ones(sizes[2]), mdp.shape[:2])
    run = algorithms.run_policy_optimisation(mdp, losses, 40, rule, comparator=comparator, seed=seed)
    parts = run.certificate
    assert parts.regret[0] == pytest.approx(run.regret_against(comparator)[0, -1], abs=1e-8)
    paid = parts.bonus + parts.comparator_bonus + parts.spread_bonus
    assert paid[0] == pytest.approx(parts.dilated_bonus[0], rel=1e-9, abs=1e-9)


@settings(max_examples=60)
@given(st.integers(2, 5), SEEDS, st.floats(-3.0, 4.0))
def test_one_quarter_of_the_variance_pays_for_the_barrier(n_actions, seed, size):
    rng = np.random.default_rng(seed)
    x = rng.dirichlet(np.full(n_actions, 0.3)) * (1 - 1e-6) + 1e-6 / n_actions
    losses = 10.0**size * rng.standard_cauchy(n_actions).clip(-1e6, 1e6)
    found = stability(x / x.sum(), losses, LOG_BARRIER)
    assert found.upper <= 0.25 * variance(x / x.sum(), losses) * (1 + 1e-9) + 1e-12


@settings(max_examples=40)
@given(st.integers(2, 4), SEEDS, st.floats(1e-3, 1.0))
def test_the_barrier_meets_its_bound_on_losses_of_any_sign(n_actions, seed, eta):
    rng = np.random.default_rng(seed)
    losses = 5.0 * rng.standard_t(1.5, (60, n_actions)).clip(-1e3, 1e3)
    points = iterates(losses, eta, LOG_BARRIER)[:-1]
    j = int(np.argmin(losses.sum(axis=0)))
    regret = float((points * losses).sum() - losses[:, j].sum())
    spread = eta / 4.0 * float(variance(points, losses).sum())
    total = losses.sum(axis=0)
    penalties = [
        par.barrier_penalty(n_actions, alpha) / eta + alpha * float(total.mean() - total.min())
        for alpha in np.logspace(-6, -0.01, 60)
    ]
    assert regret <= min(penalties) + spread + 1e-9


@settings(max_examples=15)
@given(st.integers(1, 3), SEEDS)
def test_reduced_estimates_stay_above_their_floor_along_runs(horizon, seed):
    world = instances.linear_mdp(horizon, 3, 2, 2, seed % 1000)
    episodes = 400
    chosen, _ = par.linear_corollary(par.LINEAR_REDUCED, horizon, 2, 2, episodes)
    rule = algorithms.LinearAlgorithm(ENTROPY, REDUCED, chosen.eta, chosen.beta, chosen.gamma, chosen.omega)
    run = algorithms.run_linear(world.mdp, world.features, world.losses, episodes, rule, seed=seed)
    assert run.least_estimate[0] >= -chosen.eta * horizon / (2.0 * math.sqrt(chosen.gamma)) - 1e-12
    assert run.largest_bonus[0] <= chosen.eta * par.largest_linear_bonus(
        horizon, chosen.beta, chosen.gamma, chosen.omega
    ) * (1 + 1e-9)


@settings(max_examples=15)
@given(SIZES, SEEDS)
def test_bonuses_stay_below_their_ceiling_along_runs(sizes, seed):
    mdp, losses = drawn(sizes, seed, 200)
    H, S, A = sizes
    chosen, _ = par.tabular_corollary(H, S, A, 10**6)
    rule = algorithms.PolicyOptimisation(ENTROPY, chosen.eta, chosen.gamma, chosen.omega, chosen.kappa_q)
    run = algorithms.run_policy_optimisation(mdp, losses, 200, rule, seed=seed)
    ceiling = chosen.eta * par.largest_bonus(H, chosen.eta, chosen.gamma, chosen.omega, chosen.kappa_q)
    assert run.largest_bonus[0] <= ceiling * (1 + 1e-9)
    assert (math.e - 2.0) * ceiling <= chosen.omega
