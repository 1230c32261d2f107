"""Plants, costs, policies and instances of deterministic control against closed forms and finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps import control_instances as instances
from mdps.control import (
    LinearPlant,
    NormCost,
    NotStabilisableError,
    Pendulum,
    PolynomialDecay,
    QuadraticCost,
    closed_loop,
    regulator,
    require_stabilisable,
)
from mdps.control_policies import (
    Demonstrations,
    EnvelopePolicy,
    InterpolatedPolicy,
    LinearPolicy,
    MeasurementDisturbance,
    demonstrate,
    unit_vectors,
)
from mdps.errors import InvalidModelError
from mdps.strategies import linear_plants, measurement_errors, scalar_policies

SEEDS = st.integers(0, 10**6)


def random_plant(seed, n=3, m=2):
    rng = np.random.default_rng(seed)
    return LinearPlant(rng.normal(size=(n, n)), rng.normal(size=(n, m)))


# Construction


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LinearPlant([[1.0, np.nan], [0.0, 1.0]], [[0.0], [1.0]]), r"A\[0, 1\] is nan, not finite"),
        (lambda: LinearPlant([[1.0, 0.0]], [[1.0]]), "A has shape"),
        (lambda: LinearPlant(np.eye(2), [[1.0]]), "B has shape"),
        (lambda: LinearPlant([1.0], [1.0]), "not a matrix"),
        (lambda: Pendulum(inertia=0.0), "inertia is 0.0, not positive"),
        (lambda: Pendulum(friction=-1.0), "friction"),
        (lambda: PolynomialDecay(eta=1.5), "eta is 1.5, above 1"),
        (lambda: PolynomialDecay(power=0.5), "power is 0.5, below 1"),
        (lambda: PolynomialDecay(gain=np.inf), "gain is inf"),
        (lambda: QuadraticCost(np.diag([1.0, -1.0]), 1.0), "Q has the eigenvalue -1, not positive semidefinite"),
        (lambda: QuadraticCost(1.0, 0.0), "R has the eigenvalue 0, not positive definite"),
        (lambda: QuadraticCost([[1.0, 2.0], [0.0, 1.0]], 1.0), r"Q\[0, 1\] is 2.0"),
        (lambda: QuadraticCost(1.0, 1.0, 1.5), "discount is 1.5"),
        (lambda: NormCost(-1.0), "state is -1.0"),
        (lambda: NormCost(discount=0.0), "discount is 0.0"),
        (lambda: LinearPolicy([[np.inf]]), r"gain\[0, 0\] is inf"),
        (lambda: LinearPolicy(1.0, saturation=0.0), "saturation"),
        (lambda: LinearPolicy(1.0).clipped(-0.1), "alpha is -0.1"),
        (lambda: InterpolatedPolicy([0.0, 0.0], [1.0, 2.0]), r"knots\[1\] is 0.0"),
        (lambda: InterpolatedPolicy([0.0, 1.0], [1.0]), "values has shape"),
        (lambda: EnvelopePolicy([[0.0]], [0.0], -1.0), "alpha is -1.0"),
        (lambda: EnvelopePolicy([[0.0]], [0.0], 1.0, "middle"), "side is 'middle'"),
        (lambda: EnvelopePolicy([[0.0, 0.0]], [0.0], 1.0, metric=np.diag([1.0, 0.0])), "metric has the eigenvalue 0"),
        (lambda: Demonstrations([[0.0], [1.0]], [[0.0]]), "inputs has shape"),
        (lambda: MeasurementDisturbance([[0.0], [0.3]], 0.2), r"sequence\[t=1\] has norm 0.3, above the bound 0.2"),
        (lambda: MeasurementDisturbance([[0.0]], -1.0), "bound is -1.0"),
        (lambda: instances.ControlInstance("x", LinearPlant(1.0, 1.0), LinearPolicy([[1, 1]]), None, 1, ""), "expert"),
        (lambda: instances.scalar_drift(1.0), "beta is 1.0"),
        (lambda: instances.steep_segment(slope=0.1), "slopes"),
        (lambda: instances.arc_data(1), "size is 1"),
        (lambda: instances.piecewise_expert(0, 0), "pieces is 0"),
        (lambda: instances.pendulum().linear, "not linear"),
        (lambda: instances.non_normal().quadratic, "not quadratic"),
    ],
)
def test_the_first_offending_entry_is_named(build, message):
    with pytest.raises(InvalidModelError, match=message):
        build()


def test_arrays_cannot_be_written_to():
    plant, policy = instances.rotation().linear, instances.rotation().expert
    for array in (plant.A, plant.B, policy.gain):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1.0


# Plants and costs


@pytest.mark.parametrize("plant", [random_plant(0), Pendulum(), PolynomialDecay(gain=0.4)])
def test_derivatives_of_plants_are_those_of_finite_differences(plant):
    rng = np.random.default_rng(1)
    x, u = rng.normal(size=(4, plant.n_states)), rng.normal(size=(4, plant.n_inputs))
    by_state, by_input = plant.derivatives(x, u)
    h = 1e-6
    for j in range(plant.n_states):
        e = h * np.eye(plant.n_states)[j]
        expected = (plant.step(x + e, u) - plant.step(x - e, u)) / (2 * h)
        np.testing.assert_allclose(by_state[..., j], expected, atol=1e-8)
    for j in range(plant.n_inputs):
        e = h * np.eye(plant.n_inputs)[j]
        expected = (plant.step(x, u + e) - plant.step(x, u - e)) / (2 * h)
        np.testing.assert_allclose(by_input[..., j], expected, atol=1e-8)


@pytest.mark.parametrize("cost", [QuadraticCost(np.diag([1.0, 2.0]), 3.0), NormCost(1.0, 2.0)])
def test_gradients_of_costs_are_those_of_finite_differences(cost):
    rng = np.random.default_rng(2)
    x, u, h = rng.normal(size=(5, 2)), rng.normal(size=(5, 1)), 1e-6
    by_state, by_input = cost.gradients(x, u)
    for j in range(2):
        e = h * np.eye(2)[j]
        np.testing.assert_allclose(by_state[:, j], (cost.stage(x + e, u) - cost.stage(x - e, u)) / (2 * h), atol=1e-7)
    np.testing.assert_allclose(by_input[:, 0], (cost.stage(x, u + h) - cost.stage(x, u - h)) / (2 * h), atol=1e-7)
    assert NormCost().gradients(np.zeros((1, 2)), np.zeros((1, 1)))[0].tolist() == [[0.0, 0.0]]


@given(SEEDS)
def test_lipschitz_constants_of_plants_hold(seed):
    rng = np.random.default_rng(seed)
    for plant, radius in ((random_plant(seed), 5.0), (Pendulum(), 0.5), (PolynomialDecay(gain=0.3), 5.0)):
        state, inputs = plant.lipschitz(radius)
        x, y = rng.uniform(-radius, radius, (2, 8, plant.n_states))
        u, v = rng.normal(size=(2, 8, plant.n_inputs))
        change = np.linalg.norm(plant.step(x, u) - plant.step(x, v), axis=1)
        assert (change <= inputs * np.linalg.norm(u - v, axis=1) * (1 + 1e-12)).all()
        if isinstance(plant, PolynomialDecay):
            state, u, v = plant.loop_lipschitz, -0.3 * x, -0.3 * y
        else:
            v = u
        change = np.linalg.norm(plant.step(x, u) - plant.step(y, v), axis=1)
        assert (change <= state * np.linalg.norm(x - y, axis=1) * (1 + 1e-12)).all()


@given(SEEDS)
def test_lipschitz_constants_of_costs_hold(seed):
    rng = np.random.default_rng(seed)
    x, y = 2.0 * unit_vectors(rng.normal(size=(2, 8, 2))) * rng.uniform(size=(2, 8, 1))
    u, v = 0.7 * unit_vectors(rng.normal(size=(2, 8, 1))) * rng.uniform(size=(2, 8, 1))
    for cost in (QuadraticCost([[2.0, 1.0], [1.0, 3.0]], 2.0), NormCost(1.5, 0.3)):
        state, inputs = cost.lipschitz(2.0, 0.7)
        slack = 1e-12
        assert (abs(cost.stage(x, u) - cost.stage(y, u)) <= state * np.linalg.norm(x - y, axis=1) + slack).all()
        assert (abs(cost.stage(x, u) - cost.stage(x, v)) <= inputs * np.linalg.norm(u - v, axis=1) + slack).all()
    assert cost.discounted(0.5).discount == 0.5


def test_the_polynomial_loop_has_its_steepest_slope_where_it_should():
    plant = PolynomialDecay(eta=1.0, power=20.0)
    x = np.linspace(-3, 3, 40001)[:, None]
    slopes = np.diff(plant.step(x, np.zeros_like(x))[:, 0]) / np.diff(x[:, 0])
    assert max(abs(slopes)) == pytest.approx(plant.loop_lipschitz, rel=1e-3)
    assert plant.loop_lipschitz == 21.0**2 / 80.0 - 1.0
    assert PolynomialDecay().loop_lipschitz == 1.0
    assert plant.lipschitz() == (np.inf, 1.0)


def test_jacobians_of_the_pendulum_enclose_those_on_the_domain():
    low, high = Pendulum().jacobians(0.5)
    assert low[1, 0] < high[1, 0]
    for angle in np.linspace(-0.5, 0.5, 11):
        middle = Pendulum().derivatives(np.array([angle, 0.3]), np.zeros(1))[0]
        share = (middle[1, 0] - low[1, 0]) / (high[1, 0] - low[1, 0])
        assert -1e-12 <= share <= 1.0
        np.testing.assert_allclose(low + share * (high - low), middle, atol=1e-14)
    assert Pendulum().jacobians(4.0)[0][1, 0] == -high[1, 0]


# The regulator


@pytest.mark.parametrize(
    ("instance", "gain"),
    [
        (instances.scalar_stable(), [[0.53766656]]),
        (instances.scalar_unstable(), [[0.79352812]]),
        (instances.rotation(), [[-0.01290485, 0.85922773]]),
        (instances.double_integrator(), [[2.76234997, 2.50754016]]),
    ],
)
def test_golden_gains(instance, gain):
    np.testing.assert_allclose(instance.gain, gain, atol=5e-9)


def test_golden_loops():
    assert closed_loop(instances.scalar_stable().linear, instances.scalar_stable().gain)[0, 0] == pytest.approx(
        0.36233344, abs=5e-9
    )
    assert closed_loop(instances.scalar_unstable().linear, instances.scalar_unstable().gain)[0, 0] == pytest.approx(
        0.40647188, abs=5e-9
    )
    for instance, radius in ((instances.rotation(), 0.71513), (instances.double_integrator(), 0.87353)):
        loop = closed_loop(instance.linear, instance.gain)
        assert abs(np.linalg.eigvals(loop)).max() == pytest.approx(radius, abs=5e-6)
    assert np.linalg.norm(instances.double_integrator().gain) == pytest.approx(3.7307, abs=5e-5)


def test_the_expert_of_the_pendulum_is_nearly_its_linearised_regulator():
    world = instances.pendulum()
    best = regulator(world.plant.linearisation(), world.quadratic)
    np.testing.assert_allclose(best.gain, world.gain, atol=1e-4)
    assert np.linalg.norm(world.gain) == pytest.approx(1.708, abs=5e-4)


@settings(max_examples=30)
@given(SEEDS, st.sampled_from([1.0, 0.95, 0.5]))
def test_the_regulator_completes_the_square(seed, discount):
    plant, rng = random_plant(seed), np.random.default_rng(seed)
    cost = QuadraticCost(np.eye(3), np.diag([1.0, 2.0]), discount)
    best = regulator(plant, cost)
    x, u = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))

    def form(y):
        return np.einsum("ri,ij,rj->r", y, best.value, y)

    slack = u + x @ best.gain.T
    left = cost.stage(x, u) + discount * form(plant.step(x, u)) - form(x)
    right = np.einsum("ri,ij,rj->r", slack, best.weight, slack)
    np.testing.assert_allclose(left, right, rtol=1e-8, atol=1e-8 * max(1.0, best.value.max()))


def test_the_undiscounted_gain_is_not_optimal_when_discounted():
    plain, discounted = instances.scalar_stable().gain, instances.scalar_stable(0.95).gain
    assert abs(plain - discounted).item() > 0.01


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_pairs_that_cannot_be_stabilised_are_named(discount):
    plant = LinearPlant([[1.2, 0.0], [0.0, 0.5]], [[0.0], [1.0]])
    with pytest.raises(NotStabilisableError, match=r"reaches the mode 1\.2"):
        regulator(plant, QuadraticCost(np.eye(2), 1.0, discount))
    require_stabilisable(plant, 0.5)
    with pytest.raises(NotStabilisableError):
        require_stabilisable(LinearPlant([[0.0, -1.0], [1.0, 0.0]], [[0.0], [0.0]]))


def test_mismatched_costs_and_gains_are_refused():
    plant = instances.rotation().linear
    with pytest.raises(InvalidModelError, match="Q has shape"):
        regulator(plant, QuadraticCost(1.0, 1.0))
    with pytest.raises(InvalidModelError, match="R has shape"):
        regulator(plant, QuadraticCost(np.eye(2), np.eye(2)))
    with pytest.raises(InvalidModelError, match="gain has shape"):
        closed_loop(plant, [[1.0]])


def test_a_riccati_equation_without_stabilising_solution_is_refused():
    with pytest.raises(InvalidModelError, match="Riccati"):
        regulator(LinearPlant(1.0, 1.0), QuadraticCost(0.0, 1.0))


# Policies and data


@given(SEEDS, st.floats(0.0, 3.0))
def test_clipping_caps_the_singular_values(seed, alpha):
    policy = LinearPolicy(np.random.default_rng(seed).normal(size=(2, 3)))
    before = np.linalg.svd(policy.gain, compute_uv=False)
    after = np.linalg.svd(policy.clipped(alpha).gain, compute_uv=False)
    np.testing.assert_allclose(after, np.minimum(before, alpha), atol=1e-12)
    np.testing.assert_allclose(policy.scaled(0.5).gain, policy.gain / 2)


@given(scalar_policies(), SEEDS)
def test_scalar_policies_are_lipschitz_and_interpolate(policy, seed):
    x = np.random.default_rng(seed).uniform(-3.0, 3.0, (12, 1))
    u = policy(x)
    assert (abs(u - u.T) <= policy.lipschitz * abs(x - x.T) + 1e-12).all()
    np.testing.assert_allclose(policy(policy.points)[:, 0], policy.values, atol=1e-12)


@given(linear_plants(), linear_plants(stable=True))
def test_drawn_plants_are_as_asked(plant, stable):
    assert plant.step(np.zeros(plant.n_states), np.zeros(plant.n_inputs)).shape == (plant.n_states,)
    assert stable.lipschitz()[0] <= 0.75 + 1e-12


@given(measurement_errors(3, 0.2))
def test_drawn_errors_respect_their_bound(disturbance):
    assert np.linalg.norm(disturbance.sequence, axis=1).max() <= 0.2 * (1 + 1e-12)


def test_an_envelope_in_a_metric_is_one_in_transformed_coordinates():
    rng, metric = np.random.default_rng(3), np.array([[2.0, 0.5], [0.5, 1.0]])
    points, x = rng.normal(size=(6, 2)), rng.normal(size=(9, 2))
    policy = EnvelopePolicy(points, rng.normal(size=6), 2.0, "central", metric)
    plain = EnvelopePolicy(policy.coordinates, policy.values, 2.0)
    np.testing.assert_allclose(policy(x), plain(x @ policy.transform.T), atol=1e-12)
    steps = x[0] - points
    np.testing.assert_allclose(
        np.linalg.norm(steps @ policy.transform.T, axis=1), np.sqrt(np.einsum("ri,ij,rj->r", steps, metric, steps))
    )


def test_saturated_and_interpolated_policies():
    assert LinearPolicy(2.0, 1.0)([[-3.0], [0.5], [3.0]]).ravel().tolist() == [2.0, -1.0, -2.0]
    policy = InterpolatedPolicy([-1.0, 0.0, 2.0], [1.0, 0.0, 1.0])
    assert policy([[-5.0], [-0.5], [1.0], [9.0]]).ravel().tolist() == [1.0, 0.5, 0.5, 1.0]
    assert policy.lipschitz == 1.0
    assert InterpolatedPolicy([0.0], [1.0]).lipschitz == 0.0


# Instances


def test_instances_are_what_they_are_hard_for():
    world, learned = instances.flat_at_origin()
    samples = np.array([[-0.2], [0.0], [0.2]])
    np.testing.assert_allclose(learned(samples), world.expert(samples), atol=1e-15)
    assert learned.lipschitz == pytest.approx(2.0)
    world, learned = instances.saturated_expert()
    x = np.linspace(-1, 1, 7)[:, None]
    np.testing.assert_array_equal(learned(x), world.expert(x))
    up, low = instances.distance_experts([[0.0, 0.0], [1.0, 0.0]], 0.5)
    assert up([[0.5, 0.0]]).item() == -low([[0.5, 0.0]]).item() == 0.25
    expert, wrong, data = instances.wrong_sign_extension()
    assert wrong([[0.0]]).item() == data.inputs.item() == 0.0
    assert abs(wrong([[0.3]]) - expert([[0.3]])).item() == pytest.approx(0.6)
    assert instances.steep_segment().lipschitz == pytest.approx(5.0)
    arc = instances.arc_data()
    assert np.linalg.norm(arc.states[0] - arc.states[-1]) < 0.4
    assert arc.inputs[-1].item() == 6.0
    assert instances.thin_triangle(0.1).states[2].tolist() == [0.0, 0.1]
    assert instances.piecewise_expert(3).knots[[0, -1]].tolist() == [-1.0, 1.0]


def test_demonstrations_of_many_inputs_are_mirrored():
    world, data = instances.many_inputs()
    assert data.states.shape == (48, 4)
    _, _, basis = np.linalg.svd(world.gain)
    coordinates = np.round(data.states @ basis.T, 9)
    for k in range(4):
        flipped = coordinates * np.where(np.arange(4) == k, -1.0, 1.0)
        assert {tuple(row) for row in flipped + 0.0} == {tuple(row) for row in coordinates + 0.0}
    again = demonstrate(world.expert, data.states)
    np.testing.assert_array_equal(again.inputs, data.inputs)
    assert again.size == 48
