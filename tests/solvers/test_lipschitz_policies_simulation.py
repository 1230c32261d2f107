"""Closed loops against plain numpy, adversaries against enumeration, and the golden numbers of worst cases."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps import control, control_instances
from mdps.control import (
    EnvelopePolicy,
    InterpolatedPolicy,
    LinearPlant,
    LinearPolicy,
    MeasurementDisturbance,
    NormCost,
    Pendulum,
    PolynomialDecay,
    QuadraticCost,
    regulator,
)
from mdps.errors import InvalidModelError
from mdps.strategies import scalar_policies
from solvers import lipschitz_policies_simulation as simulation
from solvers import lipschitz_policies_simulation_kernels as kernels
from solvers.lipschitz_policies_certificates import (
    deterioration_bound,
    optimal_deterioration,
    policy_value,
    worst_direction,
)
from solvers.lipschitz_policies_extension import kirszbraun

SEEDS = st.integers(0, 10**6)
METRIC = np.array([[2.0, 0.3], [0.3, 1.0]])


def worlds(seed=0):
    """Return (plant, cost, policy), one per kind of each."""
    rng = np.random.default_rng(seed)
    points, values = rng.uniform(-1, 1, (7, 2)), 0.1 * rng.normal(size=7)
    linear = LinearPlant([[0.7, 0.2], [-0.1, 0.6]], [[0.1], [0.4]])
    quadratic = QuadraticCost(METRIC, 0.5, 0.9)
    yield linear, quadratic, LinearPolicy([[0.3, 0.4]], 0.6)
    yield linear, NormCost(1.0, 0.5, 0.95), EnvelopePolicy(points, values, 0.4, "central")
    yield Pendulum(), quadratic, EnvelopePolicy(points, values, 0.4, "upper", METRIC)
    yield Pendulum(), NormCost(0.0, 1.0), EnvelopePolicy(points, values, 0.4, "lower")
    yield PolynomialDecay(gain=0.3), QuadraticCost(1.0, 2.0), InterpolatedPolicy([-0.5, 0.1, 0.4], [0.3, 0.0, -0.2])
    rng = np.random.default_rng(seed)
    yield (
        LinearPlant([[0.5, 0.1], [0.0, 0.4]], np.eye(2)),
        QuadraticCost(METRIC, np.diag([1.0, 2.0]), 0.9),
        simulation.KirszbraunPolicy(points, 0.2 * points @ METRIC, 0.5),
    )


def evaluate(policy, x):
    if isinstance(policy, simulation.KirszbraunPolicy):
        return kirszbraun(policy.points, policy.values, policy.alpha, x.reshape(-1, x.shape[-1])).values.reshape(
            x.shape
        )
    return policy(x)


def twin(plant, cost, policy, start, errors):
    x, total, states, inputs = np.array(start), 0.0, [np.array(start)], []
    for t, error in enumerate(errors):
        u = evaluate(policy, x + error)
        total += cost.discount**t * cost.stage(x, u).item()
        x = plant.step(x, u)
        states.append(x)
        inputs.append(u)
    return np.array(states), np.array(inputs), total


# Kernels and their twins


def test_kinds_are_numbered_as_in_the_models():
    assert (kernels.LINEAR_PLANT, kernels.PENDULUM, kernels.QUADRATIC) == (
        control.LINEAR,
        control.PENDULUM,
        control.QUADRATIC,
    )


@pytest.mark.parametrize("index", range(6))
def test_roll_outs_equal_their_twins(index):
    plant, cost, policy = list(worlds())[index]
    rng, n = np.random.default_rng(index), plant.n_states
    starts, errors = 0.5 * rng.normal(size=(3, n)), 0.1 * rng.normal(size=(3, 9, n))
    runs = simulation.simulate(plant, policy, starts, 9, cost, errors)
    for r in range(3):
        states, inputs, total = twin(plant, cost, policy, starts[r], errors[r])
        np.testing.assert_allclose(runs.states[r], states, atol=1e-8)
        np.testing.assert_allclose(runs.inputs[r], inputs, atol=1e-8)
        assert runs.costs[r] == pytest.approx(total, abs=1e-8)
    grid = rng.normal(size=(4, 3, n))
    np.testing.assert_allclose(simulation.play(policy, grid), evaluate(policy, grid), atol=1e-8)
    np.testing.assert_allclose(policy(grid), evaluate(policy, grid), atol=1e-8)


@given(scalar_policies(), SEEDS)
def test_drawn_policies_are_played_as_they_are(policy, seed):
    x = np.random.default_rng(seed).uniform(-3, 3, (9, 1))
    np.testing.assert_allclose(simulation.play(policy, x), policy(x), atol=1e-13)


def test_runs_do_not_depend_on_each_other():
    plant, cost, policy = list(worlds())[5]
    starts = np.random.default_rng(0).uniform(-1, 1, (4, 2))
    together = simulation.simulate(plant, policy, starts, 12, cost)
    alone = [simulation.simulate(plant, policy, start, 12, cost).costs.item() for start in starts]
    assert together.costs.tolist() == alone


def test_one_disturbance_serves_all_runs():
    plant, cost, policy = next(worlds())
    disturbance = MeasurementDisturbance(0.1 * np.ones((4, 2)), 0.2)
    runs = simulation.simulate(plant, policy, np.eye(2), 4, cost, disturbance)
    np.testing.assert_array_equal(runs.errors, np.full((2, 4, 2), 0.1))


# Adversaries


@pytest.mark.parametrize("index", [0, 2, 5])
def test_the_greedy_adversary_takes_the_best_candidate(index):
    plant, cost, policy = list(worlds())[index]
    value, start = np.diag([1.0, 3.0]), [0.4, -0.2]
    runs = simulation.greedy(plant, cost, policy, start, 5, 0.1, value)
    for t in range(5):
        x = runs.states[0, t]
        candidates = x + simulation.axis_directions(0.1, 2)
        u = evaluate(policy, candidates)
        following = plant.step(np.repeat(x[None], 5, axis=0), u)
        scores = cost.stage(np.repeat(x[None], 5, axis=0), u) + cost.discount * ((following @ value) * following).sum(1)
        chosen = int(np.argmax(scores))
        np.testing.assert_array_equal(runs.errors[0, t], simulation.axis_directions(0.1, 2)[chosen])


@pytest.mark.parametrize("index", [0, 2, 4])
def test_the_gradient_of_the_errors_is_that_of_finite_differences(index):
    plant, cost, policy = list(worlds(4))[index]
    n = plant.n_states
    rng = np.random.default_rng(5)
    start, errors = 0.3 * rng.normal(size=(2, n)), 0.05 * rng.normal(size=(2, 6, n))
    gradient = simulation.sequence_gradient(
        plant, cost, policy, simulation.simulate(plant, policy, start, 6, cost, errors)
    )
    h = 1e-6
    for r, t, i in product(range(2), range(6), range(n)):
        ends = []
        for sign in (1.0, -1.0):
            moved = errors.copy()
            moved[r, t, i] += sign * h
            ends.append(simulation.simulate(plant, policy, start, 6, cost, moved).costs[r])
        assert gradient[r, t, i] == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=2e-5)


def test_ascent_finds_the_worst_sequence_of_signs():
    plant, cost, policy = LinearPlant(0.9, 1.0), QuadraticCost(1.0, 1.0, 0.95), LinearPolicy(0.3)
    every = [
        simulation.simulate(plant, policy, [0.2], 8, cost, 0.2 * np.array(signs)[:, None]).costs.item()
        for signs in product((-1.0, 1.0), repeat=8)
    ]
    found = simulation.ascend(plant, cost, policy, [0.2], 8, 0.2, seed=0, restarts=128)
    assert found.costs.item() == pytest.approx(max(every), rel=1e-9)
    assert simulation.ascend(plant, cost, policy, [0.2], 8, 0.2, seed=0, restarts=1).costs.item() < max(every)
    assert np.abs(found.errors).max() <= 0.2 * (1 + 1e-12)


def test_ascent_attains_the_exact_deterioration_of_an_optimal_expert():
    world = control_instances.rotation(0.9)
    best = regulator(world.linear, world.quadratic)
    quiet = simulation.simulate(world.plant, best.policy, [1.0, 0.0], 220, world.cost).costs.item()
    loud = simulation.ascend(world.plant, world.cost, best.policy, [1.0, 0.0], 220, 0.2, 1, restarts=2)
    assert loud.costs.item() - quiet == pytest.approx(optimal_deterioration(best, 0.2, 0.9), rel=1e-8)


@pytest.mark.parametrize(
    ("build", "golden"),
    [(control_instances.rotation, 0.8490878626), (control_instances.double_integrator, 0.9347995577)],
)
def test_random_signs_attain_the_exact_deterioration(build, golden):
    world = build(0.95)
    best = regulator(world.linear, world.quadratic)
    errors = simulation.random_signs(0.2, worst_direction(best), 4, 800, seed=7)
    starts = np.random.default_rng(1).normal(size=(4, 2))
    quiet = simulation.simulate(world.plant, best.policy, starts, 800, world.cost).costs
    loud = simulation.simulate(world.plant, best.policy, starts, 800, world.cost, errors).costs
    np.testing.assert_allclose(loud - quiet, golden, atol=1e-9)
    assert optimal_deterioration(best, 0.2, 0.95) == pytest.approx(golden, abs=5e-11)


# Worst cases on a grid


def worst_twin(grid, stage, following, discount, sweeps):
    values = np.zeros(len(grid))
    for _ in range(sweeps):
        values = (stage + discount * np.interp(following, grid, values)).max(axis=1)
    return values


@settings(max_examples=10)
@given(scalar_policies(max_slope=1), SEEDS)
def test_the_dynamic_programme_equals_its_twin(policy, seed):
    plant = LinearPlant(0.3, 0.2)
    cost = NormCost(1.0, np.random.default_rng(seed).uniform(), 0.6)
    found = simulation.worst_case(plant, cost, policy, 0.1, 4.0, 33, 5, tolerance=1e-12)
    x = np.repeat(found.grid[:, None], 5, axis=1)[..., None]
    u = policy(x + np.linspace(-0.1, 0.1, 5)[:, None])
    expected = worst_twin(found.grid, cost.stage(x, u), plant.step(x, u)[..., 0], 0.6, 80)
    np.testing.assert_allclose(found.values, expected, atol=1e-10)


GOLDEN = {
    0.9: (
        (0.3, 2.1304, 2.6588),
        (0.6, 1.6159, 2.1856),
        (0.9, 1.4771, 2.0182),
        (1.0, 1.4728, 2.0450),
        (1.1, 1.4840, 2.2617),
    ),
    1.2: ((0.4, 4.234, 10.244), (0.8, 2.014, 3.789), (1.0, 1.933, 3.410), (1.1, 1.961, 4.030)),
}


@pytest.mark.parametrize("drift", GOLDEN)
def test_golden_worst_cases(drift):
    world, cost = control_instances.scalar(drift), QuadraticCost(1.0, 1.0, 0.95)
    digits = 6e-5 if drift == 0.9 else 6e-4  # half a digit, and the error of the grids
    deterioration = []
    for scale, nominal, worst in GOLDEN[drift]:
        gain = scale * world.gain
        quiet = policy_value(world.linear, cost, gain).item()
        loud = simulation.worst_case(world.plant, cost, LinearPolicy(gain), 0.2, 1.5, 6001)(1.0)
        assert quiet == pytest.approx(nominal, abs=digits)
        assert loud == pytest.approx(worst, abs=digits)
        deterioration.append(loud - quiet)
    if drift == 0.9:
        np.testing.assert_allclose(deterioration, [0.5283, 0.5697, 0.5411, 0.5722, 0.7776], atol=6e-5)
        assert deterioration[1] > deterioration[2] < deterioration[3]


@pytest.mark.parametrize(("drift", "golden"), [(0.9, 0.528505), (1.2, 1.368829)])
def test_the_exact_deterioration_is_that_of_the_dynamic_programme(drift, golden):
    world = control_instances.scalar(drift, 0.95)
    best = regulator(world.linear, world.quadratic)
    exact = optimal_deterioration(best, 0.2, 0.95)
    assert exact == pytest.approx(golden, abs=5e-7)
    for start in (0.0, 1.0):
        loud = simulation.worst_case(world.plant, world.cost, best.policy, 0.2, 1.5, 6001)(start)
        assert loud - best.value.item() * start**2 == pytest.approx(exact, abs=5e-6)


@pytest.mark.parametrize(
    ("alpha", "golden"), [(0.05, 0.14356), (0.1, 0.31522), (0.2, 0.78378), (0.3, 1.55357), (0.4, 3.05263)]
)
def test_the_deterioration_bound_is_attained_by_the_wrong_sign(alpha, golden):
    plant, policy = control_instances.wrong_sign_policy(alpha)
    cost = NormCost(1.0, 1.0, 0.9)
    loud, quiet = (simulation.worst_case(plant, cost, policy, zeta, 2.0, 4001) for zeta in (0.1, 0.0))
    bound = deterioration_bound(alpha, 0.1, 0.9, (0.5, 1.0), (1.0, 1.0))
    assert bound == pytest.approx(golden, abs=5e-6)
    for start in (0.0, 1.0):
        assert loud(start) - quiet(start) == pytest.approx(bound, abs=2e-9)


@pytest.mark.parametrize(
    ("alpha", "at_zero", "at_one", "formula"),
    [
        (0.05, 0.1218, 0.0846, 0.1294),
        (0.1, 0.2266, 0.1619, 0.2547),
        (0.2, 0.3973, 0.2941, 0.4959),
        (0.3, 0.5975, 0.4790, 0.7280),
        (0.4, 0.8624, 0.7595, 0.9538),
        (0.5, 1.1750, None, 1.1750),
    ],
)
def test_the_right_sign_stays_below_the_formula_with_its_own_rate(alpha, at_zero, at_one, formula):
    plant, cost = LinearPlant(0.5, 1.0), NormCost(1.0, 1.0, 0.9)
    loud, quiet = (simulation.worst_case(plant, cost, LinearPolicy(alpha), zeta, 2.0, 4001) for zeta in (0.1, 0.0))
    assert loud(0.0) == pytest.approx(at_zero, abs=6e-5)
    if at_one is not None:
        assert loud(1.0) - quiet(1.0) == pytest.approx(at_one, abs=6e-5)
    bound = deterioration_bound(alpha, 0.1, 0.9, (0.5, 1.0), (1.0, 1.0), (1.0, 0.5 - alpha))
    assert bound == pytest.approx(formula, abs=6e-5)
    assert loud(0.0) <= bound + 1e-9


# Golden motions


def test_polynomial_decay_has_no_linear_gain():
    world = control_instances.polynomial_decay()
    for error, limit in ((0.1, 0.681), (0.01, 0.464), (0.001, 0.316)):
        end = simulation.simulate(world.plant, InterpolatedPolicy([0.0], [error]), [0.5], 100_000).states[0, -1].item()
        assert end == pytest.approx(limit, abs=5e-4)
        assert end == pytest.approx(error ** (1 / 6), abs=1e-6)
    decay = simulation.simulate(world.plant, world.expert, [1.0], 100_000).states[0, -1].item()
    assert decay == pytest.approx(0.09221, abs=5e-6)
    assert decay == pytest.approx((5 * 0.3 * 1e5) ** -0.2, rel=1e-5)


def test_exactness_at_the_samples_is_not_asymptotic_stability():
    world, learned = control_instances.flat_at_origin(0.2)
    end = simulation.simulate(world.plant, learned, [0.05], 300).states[0, -1].item()
    assert end == pytest.approx(0.13333, abs=5e-6)
    assert end == pytest.approx(0.4 / 3)


def test_exactness_on_a_domain_is_not_global_stability():
    world, learned = control_instances.saturated_expert()
    assert world.gain.item() / 0.2 == pytest.approx(3.97, abs=5e-3)
    ends = simulation.simulate(world.plant, learned, [[3.96], [3.98], [4.5]], 200).states[:, -1, 0]
    assert abs(ends[0]) < 1e-6
    assert (ends[1:] > 1e9).all()


# Failing inputs


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simulation.simulate(LinearPlant(1.0, 1.0), LinearPolicy([[1.0, 0.0]]), [1.0], 3), "maps dimension 2"),
        (lambda: simulation.simulate(LinearPlant(1.0, 1.0), LinearPolicy(1.0), [[1.0, 2.0]], 3), "starts has shape"),
        (lambda: simulation.simulate(LinearPlant(1.0, 1.0), LinearPolicy(1.0), [np.nan], 3), r"starts\[0\] is nan"),
        (lambda: simulation.simulate(LinearPlant(1.0, 1.0), LinearPolicy(1.0), [1.0], 0), "steps is 0"),
        (
            lambda: simulation.simulate(LinearPlant(1.0, 1.0), LinearPolicy(1.0), [1.0], 3, None, np.ones((2, 1))),
            "dist",
        ),
        (
            lambda: simulation.simulate(
                LinearPlant(1.0, 1.0), LinearPolicy(1.0), [1.0], 3, QuadraticCost(np.eye(2), 1.0)
            ),
            "Q has shape",
        ),
        (lambda: simulation.play(LinearPolicy(1.0), [[1.0, 2.0]]), "states have shape"),
        (lambda: simulation.feedback(lambda x: x), "cannot be compiled"),
        (lambda: simulation.random_signs(0.1, [0.0], 1, 1, 0), "direction"),
        (lambda: simulation.random_signs(-0.1, [1.0], 1, 1, 0), "bound is -0.1"),
        (
            lambda: simulation.greedy(
                LinearPlant(1.0, 1.0), NormCost(), LinearPolicy(1.0), [1.0], 3, 0.1, 1.0, directions=[[0.2]]
            ),
            r"norm 0\.2, above the bound 0\.1",
        ),
        (
            lambda: simulation.ascend(LinearPlant(1.0, 1.0), NormCost(), LinearPolicy(1.0), [[1], [2]], 3, 0.1, 0),
            "2 st",
        ),
        (lambda: simulation.KirszbraunPolicy([[0.0]], [[0.0, 1.0]], 0.0), r"alpha is 0\.0"),
        (lambda: simulation.worst_case(LinearPlant(1.0, 1.0), NormCost(), LinearPolicy(1.0), 0.1, 1.0), "discount"),
        (
            lambda: simulation.worst_case(LinearPlant(2.0, 1.0), NormCost(discount=0.9), LinearPolicy(0.0), 0.1, 1.0),
            "leaves",
        ),
        (
            lambda: simulation.worst_case(
                LinearPlant(0.5, 1.0), NormCost(discount=0.9), LinearPolicy(0.0), 0.1, 1.0, error_points=2
            ),
            "odd",
        ),
    ],
)
def test_failing_inputs_are_named(call, message):
    with pytest.raises(InvalidModelError, match=message):
        call()


def test_the_worst_case_is_known_on_its_grid_only():
    found = simulation.worst_case(LinearPlant(0.5, 1.0), NormCost(discount=0.9), LinearPolicy(0.0), 0.1, 1.0, 11)
    with pytest.raises(InvalidModelError, match="outside"):
        found(1.1)
