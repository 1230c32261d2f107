"""Learning, promises and measurements end to end: what is measured stays below what is promised."""

from dataclasses import replace
from math import inf, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps import control_instances
from mdps.control import Demonstrations, LinearPolicy, NormCost, demonstrate, unit_vectors
from mdps.errors import InvalidModelError
from solvers import lipschitz_policies as policies
from solvers.lipschitz_policies_certificates import covering_grid
from solvers.lipschitz_policies_lmi import NotCertifiedError

SEEDS = st.integers(0, 10**6)
PENDULUM_RATE = 0.89


def grid(cells, dimension=2, radius=1.0):
    axis = radius * ((2 * np.arange(cells) + 1) / cells - 1)
    return np.stack(np.meshgrid(*[axis] * dimension), axis=-1).reshape(-1, dimension)


def sphere(seed, size, dimension, radius):
    return radius * unit_vectors(np.random.default_rng(seed).normal(size=(size, dimension)))


def expert(world):
    return LinearPolicy(world.gain)


@pytest.mark.parametrize(
    ("build", "cells", "ratio"),
    [
        (control_instances.scalar_stable, 12, 1.0),
        (control_instances.scalar_unstable, 16, 1.3),
        (control_instances.rotation, 30, 1.2),
        (control_instances.double_integrator, 34, 1.0),
    ],
)
def test_what_is_measured_is_below_what_is_promised(build, cells, ratio):
    world = build(0.9)
    constants, n = policies.loop_constants(world), world.plant.n_states
    data = demonstrate(world.expert, grid(cells, n))
    learned = policies.learn(data, ratio * constants.expert_lipschitz * (1 + 1e-12))
    epsilon = policies.learning_error(learned, expert(world), 1.0)
    starts = sphere(0, 12, n, 0.25)
    for cost in (world.cost, NormCost(1.0, 0.5, 0.9)):
        for zeta in (0.0, 0.01):
            instance = replace(world, cost=cost)
            promise = policies.promise(instance, learned, constants, epsilon, zeta, 1.0, 0.25)
            measured = policies.measure(instance, learned, starts, zeta)
            ratios = measured.ratios(promise)
            assert ratios["deviation"] > 0.0
            assert all(ratio <= 1.0 + 1e-9 for ratio in ratios.values()), ratios
            assert promise.omega == pytest.approx(epsilon + learned.alpha * zeta)
            assert (promise.quadratic_regret < inf) == (cost is world.cost)
            assert promise.regret <= promise.disturbed_regret
            assert promise.deterioration < inf


def test_a_wrong_bound_shows_in_the_ratios():
    measured = policies.Measured(0.3, 0.1, -0.2, 0.2, 0.1)
    bounds = policies.Promise(0.1, 0.1, 0.5, 0.05, 0.4, inf, inf, 0.0)
    ratios = measured.ratios(bounds)
    assert ratios == {"reach": 0.6, "deviation": 2.0, "regret": 0.5, "deterioration": inf}
    assert replace(measured, deterioration=1e-15).ratios(bounds)["deterioration"] == 0.0


def test_the_bound_of_an_optimal_expert_is_quadratic_in_the_error():
    world = control_instances.rotation(0.9)
    constants = policies.loop_constants(world)
    learned = policies.learn(demonstrate(world.expert, grid(8)), 1.2 * constants.expert_lipschitz)
    small, large = (policies.promise(world, learned, constants, e, 0.0, 1.0, 0.25) for e in (0.001, 0.002))
    assert large.quadratic_regret == pytest.approx(4 * small.quadratic_regret)
    assert large.deviation == pytest.approx(2 * small.deviation)
    undiscounted = control_instances.rotation()
    assert policies.promise(undiscounted, learned, constants, 0.001, 0.0, 1.0, 0.25).regret == inf
    suboptimal = replace(world, expert=LinearPolicy(0.9 * world.gain))
    assert policies.promise(suboptimal, learned, constants, 0.001, 0.0, 1.0, 0.25).quadratic_regret == inf


@pytest.mark.parametrize(("factor", "size"), [(2.0, 169), (1.0, 45)])
def test_the_pendulum_in_its_own_metric(factor, size):
    world = control_instances.pendulum(0.9)
    constants = policies.loop_constants(world, PENDULUM_RATE)
    assert constants.expert_lipschitz == pytest.approx(0.99143, abs=5e-6)
    assert constants.input_lipschitz == pytest.approx(0.51502, abs=5e-6)
    admissible = (1 - PENDULUM_RATE) / constants.input_lipschitz
    assert admissible == pytest.approx(0.21358, abs=5e-6)
    root = np.linalg.cholesky(world.metric).T
    fill = admissible / (factor * constants.expert_lipschitz)
    points = covering_grid(2, 1.0, fill) @ np.linalg.inv(root).T
    assert len(points) == size
    data = demonstrate(world.expert, points)
    learned = policies.learn(data, constants.expert_lipschitz * (1 + 1e-9), world.metric)
    assert learned.residual <= 1e-12
    distance = policies.fill_radius(points, 1.0, world.metric)
    assert distance <= fill + 2e-3
    epsilon = policies.learning_error(learned, expert(world), 1.0)
    assert epsilon <= learned.alpha * distance + 2e-3
    promise = policies.promise(world, learned, constants, epsilon, 0.0, 1.0, 1.0)
    starts = sphere(1, 20, 2, 1.0) @ np.linalg.inv(root).T
    measured = policies.measure(world, learned, starts, 0.0, steps=150)
    assert measured.deviation > 1e-3
    assert all(ratio <= 1.0 + 1e-9 for ratio in measured.ratios(promise).values())
    with pytest.raises(policies.InadmissibleError, match="ellipsoid"):
        policies.promise(world, learned, constants, epsilon, 0.3, 1.0, 1.0)
    with pytest.raises(policies.InadmissibleError, match="start"):
        policies.promise(world, learned, constants, epsilon, 0.0, 1.0, 1.1)


@settings(max_examples=15)
@given(SEEDS)
def test_learning_errors_are_upper_bounds(seed):
    rng = np.random.default_rng(seed)
    world = control_instances.rotation()
    data = demonstrate(world.expert, rng.uniform(-1, 1, (20, 2)))
    learned = policies.learn(data, 0.7)
    bound = policies.learning_error(learned, expert(world), 1.0, tolerance=0.02)
    x = sphere(seed, 60, 2, 1.0) * np.sqrt(rng.uniform(size=(60, 1)))
    assert np.linalg.norm(learned.policy(x) - world.expert(x), axis=1).max() <= bound
    fill = policies.fill_radius(data.states, 1.0, tolerance=0.02)
    assert np.linalg.norm(x[:, None] - data.states, axis=2).min(axis=1).max() <= fill
    assert bound <= policies.prior_error(learned, expert(world), fill) + 0.02


def test_the_prior_error_knows_the_central_policy():
    world = control_instances.scalar_stable()
    k, data = world.gain.item(), demonstrate(world.expert, grid(4, 1))
    exact = policies.learn(data, 1.5 * k)
    assert exact.residual == pytest.approx(0.0, abs=1e-12)
    assert policies.prior_error(exact, expert(world), 0.25) == pytest.approx(1.5 * k * 0.25)
    biased = policies.learn(data, 0.5 * k)
    assert biased.residual > 0.0
    assert policies.prior_error(biased, expert(world), 0.25) == pytest.approx(1.5 * k * 0.25 + biased.residual)


def test_several_inputs_are_extended_together():
    world, data = control_instances.many_inputs()
    singular = np.linalg.svd(world.gain, compute_uv=False)
    alpha = singular.mean()
    learned = policies.learn(data, alpha)
    clipped = expert(world).clipped(alpha)
    np.testing.assert_allclose(learned.regression.values, clipped(data.states), atol=2e-5)
    x = sphere(0, 20, 4, 0.5)
    u = learned.policy(x)
    gaps = np.linalg.norm(u[:, None] - u, axis=2)
    assert (gaps <= alpha * np.linalg.norm(x[:, None] - x, axis=2) + 1e-6).all()
    with pytest.raises(InvalidModelError, match="one input"):
        policies.learn(data, alpha, 2.0 * np.eye(4))


def test_samples_of_the_rotation_reproduce_the_order_of_its_reference():
    world = control_instances.rotation(0.95)
    constants = policies.loop_constants(world)
    states = np.random.default_rng(0).uniform(-1, 1, (1600, 2))
    learned = policies.learn(demonstrate(world.expert, states), 1.5 * constants.expert_lipschitz)
    epsilon = policies.learning_error(learned, expert(world), 1.0, tolerance=2e-3)
    assert 0.03 < epsilon < 0.08
    promise = policies.promise(world, learned, constants, epsilon, 0.0, 1.0, 0.25)
    measured = policies.measure(world, learned, sphere(0, 10, 2, 0.25), 0.0, steps=200)
    ratios = measured.ratios(promise)
    assert 0.005 < ratios["quadratic regret"] < 0.2
    assert 0.01 < ratios["deviation"] < 0.3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: policies.learn(Demonstrations([[0.0]], [[0.0]]), -0.1), r"alpha is -0\.1"),
        (lambda: policies.learn(Demonstrations([[0.0]], [[0.0]]), 1.0, [[-1.0]]), "metric has the eigenvalue"),
        (lambda: policies.learn(Demonstrations([[np.nan]], [[0.0]]), 1.0), r"states\[0, 0\] is nan"),
        (lambda: policies.loop_constants(control_instances.pendulum()), "a rate is needed"),
        (lambda: policies.measure(control_instances.rotation(), None, np.eye(2), 0.0), "steps"),
        (lambda: policies.measure(control_instances.rotation(), None, np.eye(3), 0.0), "starts has shape"),
        (lambda: policies.fill_radius([[0.0]], -1.0), "radius"),
    ],
)
def test_failing_inputs_are_named(call, message):
    with pytest.raises(InvalidModelError, match=message):
        call()


def test_promises_need_admissible_errors():
    world = control_instances.rotation(0.9)
    constants = policies.loop_constants(world)
    learned = policies.learn(demonstrate(world.expert, grid(4)), constants.expert_lipschitz)
    with pytest.raises(policies.InadmissibleError, match="beyond the radius"):
        policies.promise(world, learned, constants, 0.2, 0.0, 1.0, 0.25)
    with pytest.raises(InvalidModelError, match="zeta"):
        policies.promise(world, learned, constants, 0.01, -1.0, 1.0, 0.25)
    with pytest.raises(NotCertifiedError, match="does not contract"):
        policies.loop_constants(control_instances.pendulum(), 0.85)


def test_a_linear_plant_in_a_metric():
    world = control_instances.rotation()
    metric = np.array([[2.2748, 1.2931], [1.2931, 2.3137]])
    world = replace(world, metric=metric, cost=world.quadratic.discounted(0.9))
    constants = policies.loop_constants(world, 0.78)
    assert constants.input_lipschitz == pytest.approx(sqrt(0.25 * 2.3137))
    assert constants.growth == 1.0
    root = np.linalg.cholesky(metric).T
    points = covering_grid(2, 1.0, 0.1) @ np.linalg.inv(root).T
    learned = policies.learn(demonstrate(world.expert, points), constants.expert_lipschitz * 1.01, metric)
    epsilon = policies.learning_error(learned, expert(world), 1.0)
    promise = policies.promise(world, learned, constants, epsilon, 0.01, 1.0, 0.5)
    starts = sphere(2, 10, 2, 0.5) @ np.linalg.inv(root).T
    measured = policies.measure(world, learned, starts, 0.01)
    assert all(ratio <= 1.0 + 1e-9 for ratio in measured.ratios(promise).values())
