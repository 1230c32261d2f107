"""Schedules and constants of the theory as numbers: against plain formulas, and against exact derivatives."""

import numpy as np
import pytest

from mdps.instances import random_dense_discounted
from solvers.n_harpg import power_schedule
from solvers.n_harpg_estimators import moments
from solvers.n_harpg_exact import FiniteWorld
from solvers.n_harpg_parameters import constants_of, horizon_of, paper_scale, schedule_of
from solvers.n_harpg_policies import Regularity, softmax_policy


@pytest.mark.parametrize(
    ("name", "step_power", "eta_power", "values"),
    [
        ("pg", 2 / 3, 0.0, {"gamma_0": 0.7}),
        ("n_pg_m", 1.0, 2 / 3, {"scale": 0.7}),
        ("n_pg_igt", 1.0, 4 / 5, {"scale": 0.7}),
        ("harpg", 1 / 2, 1.0, {"gamma_0": 0.7}),
        ("n_harpg", 1.0, 1.0, {"scale": 0.7}),
    ],
)
def test_schedules_are_the_powers_of_the_methods(name, step_power, eta_power, values):
    theirs, ours = power_schedule(50, 0.7, step_power, eta_power), schedule_of(name, 50, **values)
    np.testing.assert_allclose(ours.eta, theirs.eta, rtol=1e-14)
    np.testing.assert_allclose(ours.steps, theirs.steps, rtol=1e-14)


def test_shifted_schedule_scale_and_horizon():
    shifted = schedule_of("shifted", 20, first_batch=30, c=0.5, kappa=2.0, tau_0=10.0)
    np.testing.assert_allclose(shifted.steps, 2.0 / (np.arange(21) + 10.0), rtol=1e-14)
    np.testing.assert_allclose(shifted.eta, 2.0 / (np.arange(21) + 10.0), rtol=1e-14)
    assert shifted.first_batch == 30
    steps = schedule_of("n_harpg", 5, scale=paper_scale(2.0, 0.3)).steps
    np.testing.assert_allclose(steps, 6.0 * 2.0 / (0.3 * (np.arange(6) + 2.0)), rtol=1e-14)
    for iterations in (1, 99, 10**4):
        horizon = horizon_of(iterations, 0.9)
        assert 0.9**horizon <= 1.0 / (iterations + 1)
        assert horizon - 1 < np.log(iterations + 1) / 0.1


@pytest.mark.parametrize("seed", range(4))
def test_constants_hold_for_exact_derivatives_and_moments(seed):
    world, rng = (
        FiniteWorld(random_dense_discounted(2, 2, 0.6, seed), softmax_policy(2, 2)),
        np.random.default_rng(seed),
    )
    theta, other, horizon = rng.normal(size=4), rng.normal(size=4), 4
    bound = constants_of(world, horizon)
    hessian = world.hessian(theta)
    slope = np.linalg.norm(hessian - world.hessian(other), ord=2) / np.linalg.norm(theta - other)
    tail = np.linalg.norm(world.gradient(theta) - world.gradient(theta, horizon))
    second = np.linalg.norm(hessian - world.hessian(theta, horizon), ord=2)
    plain, causal = moments(world, theta, horizon), moments(world, theta, horizon, causal=True)
    assert np.linalg.norm(hessian, ord=2) <= bound.smoothness
    assert slope <= bound.hessian_lipschitz
    assert tail <= bound.gradient_tail * 0.6**horizon
    assert second <= bound.hessian_tail * 0.6**horizon
    assert plain.gradient_square <= bound.gradient_square
    assert plain.hessian_square <= bound.hessian_square
    assert causal.hessian_square <= bound.causal_square
    assert constants_of(world, 4, Regularity(1.0, 0.25, 0.1)).smoothness < bound.smoothness


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="schedule is 'adam', not one of pg, n_pg_m"):
        schedule_of("adam", 5)
    with pytest.raises(ValueError, match="schedule 'n_harpg' needs scale"):
        schedule_of("n_harpg", 5)
    with pytest.raises(ValueError, match="iterations"):
        horizon_of(0, 0.9)
