"""Certificates against closed forms, enumeration and simulation, and the golden numbers of the instances."""

from fractions import Fraction
from itertools import product
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps import control_instances
from mdps.control import (
    EnvelopePolicy,
    InterpolatedPolicy,
    LinearPlant,
    LinearPolicy,
    PolynomialDecay,
    QuadraticCost,
    closed_loop,
    regulator,
    unit_vectors,
)
from mdps.errors import InvalidModelError
from mdps.strategies import linear_plants
from solvers import lipschitz_policies_certificates as certificates
from solvers import lipschitz_policies_exact as exact
from solvers import lipschitz_policies_lmi as lmi
from solvers import lipschitz_policies_tradeoff as tradeoff
from solvers.lipschitz_policies_certificates import Constants, InadmissibleError
from solvers.lipschitz_policies_lmi import NotCertifiedError
from solvers.lipschitz_policies_lyapunov import decrease_certificate, metric_decrease_certificate
from solvers.lipschitz_policies_simulation import simulate, worst_case

SEEDS = st.integers(0, 10**6)
BUILDERS = {build.__name__: build for build in control_instances.LINEAR_QUADRATIC}
INSTANCES = {name: build() for name, build in BUILDERS.items()}


@pytest.fixture(params=INSTANCES, scope="module")
def instance(request):
    return INSTANCES[request.param]


def parts(world):
    return world.linear, world.gain, closed_loop(world.linear, world.gain)


# Rational linear algebra


def test_pivots_decide_definiteness():
    matrix = exact.exact_matrix("P", [["2", "1"], ["1", "0.5000000000000001"]])
    assert exact.is_definite(matrix)
    assert exact.pivots(matrix)[1] == Fraction(1, 10**16)
    assert not exact.is_definite(exact.exact_matrix("P", [[2, 1], [1, Fraction(1, 2)]]))
    assert not exact.is_definite(exact.exact_matrix("P", [[0, 1], [1, 0]]))
    with pytest.raises(InvalidModelError, match="not symmetric"):
        exact.pivots(exact.exact_matrix("P", [[1, 2], [3, 4]]))


@given(SEEDS)
def test_pivots_have_the_signs_of_the_eigenvalues(seed):
    rng = np.random.default_rng(seed)
    half = rng.integers(-4, 5, (3, 3))
    matrix = half + half.T + 4 * np.eye(3, dtype=int)
    eigenvalues = np.linalg.eigvalsh(matrix)
    if abs(eigenvalues).min() > 1e-9:
        assert exact.is_definite(exact.exact_matrix("P", matrix.tolist())) == (eigenvalues[0] > 0)


@given(SEEDS)
def test_products_and_blocks_are_those_of_numpy(seed):
    rng = np.random.default_rng(seed)
    a, b, c = (rng.integers(-5, 6, shape) for shape in ((2, 3), (3, 2), (2, 2)))
    left, right, third = (exact.exact_matrix("M", m) for m in (a, b, c))
    assert np.array_equal(np.array(exact.multiply(left, right, third), float), a @ b @ c)
    assert np.array_equal(np.array(exact.combine((2, third), (-1, third)), float), c)
    assert np.array_equal(np.array(exact.block([[third, left], [right, exact.identity(3)]]), float)[:2, 2:], a)


@pytest.mark.parametrize("bad", [[[np.nan]], [["x"]], [[1, None]], [1.0], [[1], [1, 2]]])
def test_only_numbers_become_fractions(bad):
    with pytest.raises((InvalidModelError, ValueError)):
        exact.exact_matrix("M", bad)


def test_golden_rational_certificate_of_the_rotation():
    loop = exact.exact_loop([["0.9", "0.3"], ["-0.3", "0.9"]], [["0"], ["0.5"]], [["-0.0129", "0.8592"]])
    metric = exact.exact_matrix("P", [["2.2748", "1.2931"], ["1.2931", "2.3137"]])
    assert exact.contracts(loop, metric, Fraction("0.78"))
    assert exact.between(exact.identity(2), metric, exact.identity(2, Fraction("3.589")))
    assert not exact.contracts(loop, metric, Fraction("0.77"))
    assert not exact.between(exact.identity(2), metric, exact.identity(2, Fraction("3.58")))


PENDULUM_METRIC = [["8.753", "0.842"], ["0.842", "0.1492"]]


def pendulum_loop(cosine):
    step, inertia = Fraction("0.05"), Fraction("0.0375")
    drift = [[1, step], [step * Fraction("19.62") * Fraction(cosine), 1 - step * Fraction("0.05") / inertia]]
    return exact.exact_loop(drift, [[0], [step / inertia]], [["1.667", "0.3734"]])


def test_golden_rational_certificate_of_the_pendulum():
    metric = exact.exact_matrix("P", PENDULUM_METRIC)
    loops = [pendulum_loop("1"), pendulum_loop("0.8775")]
    assert exact.vertices_contract(loops, metric, Fraction("0.89"))
    assert not exact.vertices_contract(loops, metric, Fraction("0.87"))
    assert exact.vertices_contract([pendulum_loop("0.95")], metric, Fraction("0.89"))
    inputs = [[0], [Fraction("0.05") / Fraction("0.0375")]]
    box = [[4, 0], [0, 0]]
    certified = lmi.certify_ellipsoid(loops, inputs, np.array(PENDULUM_METRIC, float), 0.89, box)
    assert certified is not None
    assert certified.input_norm == pytest.approx(0.51502, abs=5e-6)
    assert certified.admissible == pytest.approx(0.21358, abs=5e-6)
    assert lmi.certify_ellipsoid(loops, inputs, np.array(PENDULUM_METRIC, float), 0.87, box) is None
    assert lmi.certify_ellipsoid(loops, inputs, np.array(PENDULUM_METRIC, float), 0.89, 4 * np.eye(2)) is None
    assert lmi.certify_ellipsoid(loops, inputs, np.array(PENDULUM_METRIC, float), 0.89, box, 8 * np.eye(2)) is None


def test_the_pendulum_has_a_better_ellipsoid():
    world = control_instances.pendulum()
    loops = [jacobian - world.plant.linearisation().B @ world.gain for jacobian in world.plant.jacobians(0.5)]
    box = np.diag([4.0, 0.0])
    best = lmi.ellipsoid_certificate(loops, world.plant.linearisation().B, box)
    assert 0.2136 < best.admissible < 0.2187
    fixed = lmi.ellipsoid_certificate(loops, world.plant.linearisation().B, box, rate=0.89)
    assert 0.21358 < fixed.admissible <= best.admissible


# Semidefinite certificates


@pytest.mark.parametrize(
    ("name", "gamma", "spectral"),
    [
        ("scalar_stable", 1.56821773, None),
        ("scalar_unstable", 1.68484014, None),
        ("rotation", 4.207, 5.394),
        ("double_integrator", 2.562, 2.685),
    ],
)
def test_golden_gains_of_growth_certificates(name, gamma, spectral):
    plant, gain, loop = parts(INSTANCES[name])
    certificate = lmi.best_growth_certificate(plant, gain)
    found = certificate.gain(plant.lipschitz()[1])
    assert found == pytest.approx(gamma, rel=2e-4)
    if spectral is None:
        assert found == pytest.approx(gamma, rel=2e-7)
    else:
        metric = regulator(plant, INSTANCES[name].quadratic).value
        root = np.linalg.cholesky(metric).T
        rate = np.linalg.norm(root @ loop @ np.linalg.inv(root), 2)
        eigenvalues = np.linalg.eigvalsh(metric)
        by_value = np.sqrt(eigenvalues[-1] / eigenvalues[0]) * plant.lipschitz()[1] / (1 - rate)
        assert by_value == pytest.approx(spectral, abs=5e-4)
        assert found < by_value


@pytest.mark.parametrize(
    ("name", "rate", "growth"), [("rotation", 0.7735, 1.905), ("double_integrator", 0.8943, 2.705)]
)
def test_golden_growth_at_a_given_rate(name, rate, growth):
    certificate = lmi.growth_certificate(*parts(INSTANCES[name])[:2], rate)
    assert certificate.growth == pytest.approx(growth, abs=1e-3)


def test_growth_certificates_hold_exactly_and_in_motion(instance):
    plant, gain, loop = parts(instance)
    certificate = lmi.best_growth_certificate(plant, gain)
    metric = exact.exact_matrix("P", certificate.metric)
    assert exact.contracts(exact.exact_loop(plant.A, plant.B, gain), metric, Fraction(certificate.rate))
    eigenvalues = np.linalg.eigvalsh(certificate.metric)
    assert np.sqrt(eigenvalues[-1] / eigenvalues[0]) <= certificate.growth
    power = np.eye(plant.n_states)
    for t in range(200):
        assert np.linalg.norm(power, 2) <= certificate.growth * certificate.rate**t
        power = loop @ power


@pytest.mark.parametrize(
    ("name", "peak", "kappa"),
    [
        ("scalar_stable", 1.56821773, 0.637667),
        ("scalar_unstable", 1.68484014, 0.593528),
        ("rotation", 1.5688, 0.761659),
        ("double_integrator", 0.6806, 2.014158),
    ],
)
def test_golden_peak_and_small_gains(name, peak, kappa):
    plant, gain, loop = parts(INSTANCES[name])
    certificate = lmi.peak_certificate(plant, gain)
    assert certificate.gain == pytest.approx(peak, rel=1e-4)
    assert certificate.gain >= certificates.peak_gain(loop, plant.B) * (1 - 1e-9)
    small = lmi.small_gain_certificate(plant, gain)
    assert small.kappa == pytest.approx(kappa, abs=1e-6)
    assert small.kappa <= 1.0 / lmi.frequency_gain(plant, gain)
    assert small.kappa == pytest.approx(1.0 / lmi.frequency_gain(plant, gain), rel=1e-6)


def test_a_small_gain_leaves_the_loop_stable_and_a_larger_one_need_not():
    plant, gain, loop = parts(INSTANCES["rotation"])
    kappa, rate = lmi.small_gain_certificate(plant, gain, 0.9).kappa, 0.9
    rng = np.random.default_rng(0)
    for _ in range(200):
        push = kappa * unit_vectors(rng.normal(size=(1, 2)))
        assert lmi.spectral_radius(loop + plant.B @ push) <= rate + 1e-9
    plant, gain, loop = parts(INSTANCES["scalar_stable"])
    largest = lmi.small_gain_certificate(plant, gain).kappa
    assert lmi.spectral_radius(loop + 1.001 * largest) > 1.0
    assert largest > lmi.small_gain_certificate(plant, gain, 0.8).kappa


def test_loops_that_are_not_stable_have_no_certificate():
    plant = LinearPlant(1.2, 1.0)
    for call in (lmi.best_growth_certificate, lmi.peak_certificate, lmi.small_gain_certificate, lmi.frequency_gain):
        with pytest.raises(NotCertifiedError, match=r"1\.1"):
            call(plant, [[0.1]])
    with pytest.raises(NotCertifiedError, match="rate"):
        lmi.growth_certificate(plant, [[0.9]], 0.2)
    with pytest.raises(NotCertifiedError, match="not below"):
        lmi.small_gain_certificate(plant, [[0.9]], 0.2)
    with pytest.raises(InvalidModelError, match="gain has shape"):
        lmi.best_growth_certificate(plant, [[0.1, 0.2]])
    with pytest.raises(InvalidModelError, match="lower has shape"):
        lmi.ellipsoid_certificate([[[0.5]]], [[1.0]], np.eye(2))
    with pytest.raises(NotCertifiedError, match="ellipsoid"):
        lmi.ellipsoid_certificate([[[0.5]]], [[1.0]], [[1.0]], rate=0.4)


def test_a_line_search_without_a_feasible_point_says_so():
    with pytest.raises(NotCertifiedError, match="no rate"):
        lmi.line_search(lambda rate: inf, 0.5, 1.0)
    assert lmi.line_search(lambda rate: (rate - 0.7) ** 2, 0.0, 1.0) == pytest.approx(0.7, abs=1e-4)
    assert lmi.line_search(lambda rate: rate, 0.0, 1.0) < 1e-4


# What it takes


@pytest.mark.parametrize(
    ("name", "admissible", "grid", "random", "ellipsoid", "ellipsoid_grid", "ellipsoid_random"),
    [
        ("scalar_stable", 0.4778, (3, 2), (33, 18), 0.6370, (2, 1), (25, 11)),
        ("scalar_unstable", 0.4447, (4, 2), (57, 25), 0.5929, (3, 2), (41, 18)),
        ("rotation", 0.1396, (324, 81), (15489, 3627), 0.3041, (64, 16), (2799, 602)),
        ("double_integrator", 0.1811, (3481, 900), (208680, 47946), 0.6991, (256, 64), (11897, 2799)),
    ],
)
def test_golden_table_of_sample_sizes(name, admissible, grid, random, ellipsoid, ellipsoid_grid, ellipsoid_random):
    plant, gain, loop = parts(INSTANCES[name])
    n, lipschitz = plant.n_states, float(np.linalg.norm(gain, 2))
    growth = lmi.best_growth_certificate(plant, gain, lambda m, beta: (m * 0.25 - 1.0) * (1.0 - beta) / m)
    best = lmi.ellipsoid_certificate([loop], plant.B, np.eye(n), 16.0 * np.eye(n))
    for omega, printed, on_grid, at_random in (
        (growth.admissible(plant.lipschitz()[1], 1.0, 0.25), admissible, grid, random),
        (best.admissible, ellipsoid, ellipsoid_grid, ellipsoid_random),
    ):
        # scalar loops: the printed value stops the line search 0.1 % of 1 - rho short of the optimum
        assert omega == pytest.approx(printed, rel=2e-4 if n == 2 else 1.1e-3)
        assert omega >= printed * (1 - 2e-4)
        table = certificates.sample_table(n, lipschitz, omega)
        assert (table.grid_any, table.grid_central) == on_grid
        assert (table.random_any, table.random_central) == at_random


def test_golden_sample_sizes_of_the_pendulum():
    metric = np.array(PENDULUM_METRIC, float)
    gain = control_instances.pendulum().gain
    lipschitz = float(np.sqrt(gain @ np.linalg.inv(metric) @ gain.T).item())
    assert lipschitz == pytest.approx(0.99143, abs=5e-6)
    assert np.sqrt(np.linalg.inv(metric)[0, 0]) < 0.5  # the ellipsoid lies in the box of angles
    assert len(certificates.covering_grid(2, 1.0, 0.21358 / (2 * lipschitz))) == 169
    assert len(certificates.covering_grid(2, 1.0, 0.21358 / lipschitz)) == 45


@given(st.integers(1, 3), st.floats(0.2, 1.0), st.floats(0.0, 0.5), SEEDS)
def test_covering_grids_cover(dimension, fill, offset, seed):
    points = certificates.covering_grid(dimension, 1.0, fill, offset)
    x = unit_vectors(np.random.default_rng(seed).normal(size=(50, dimension)))
    x = x * np.random.default_rng(seed).uniform(size=(50, 1)) ** (1 / dimension)
    distances = np.linalg.norm(x[:, None] - points, axis=2).min(axis=1)
    assert distances.max() <= fill * (1 + 1e-12)


@given(st.integers(1, 3), st.floats(0.05, 2.0), st.floats(0.01, 0.5))
def test_sample_sizes_are_the_least_ones(dimension, slope, delta):
    count = certificates.random_samples(dimension, 1.0, slope, 0.5, delta)

    def fits(size):
        cells = np.floor((size / np.log(size / delta)) ** (1 / dimension) * (1 + 1e-12))
        return cells >= 1 and slope * 2 * np.sqrt(dimension) / cells <= 0.5 * (1 + 1e-9)

    assert fits(count)
    assert count == 2 or not fits(count - 1)
    k = round(certificates.grid_samples(dimension, 1.0, slope, 0.5) ** (1 / dimension))
    assert slope * np.sqrt(dimension) / k <= 0.5 * (1 + 1e-9)
    assert k == 1 or slope * np.sqrt(dimension) / (k - 1) > 0.5


def test_failing_sample_sizes():
    with pytest.raises(InvalidModelError, match="admissible"):
        certificates.grid_samples(1, 1.0, 1.0, -0.1)
    with pytest.raises(InvalidModelError, match="delta"):
        certificates.random_samples(1, 1.0, 1.0, 0.1, 1.0)


# Exact gains and costs


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        (
            "scalar_stable",
            [
                (0.3, 2.2583, 0.6173),
                (0.6, 1.6562, 0.7634),
                (0.8, 1.5208, 0.8114),
                (1, 1.4839, 0.8432),
                (1.2, 1.5146, 0.8658),
            ],
        ),
        (
            "scalar_unstable",
            [
                (0.3, 14.1515, 6.2551),
                (0.6, 2.5771, 1.7243),
                (0.8, 2.0615, 1.4600),
                (1, 1.9522, 1.3370),
                (1.2, 2.0315, 1.2659),
            ],
        ),
        ("rotation", [(0.3, 4.9441, 0.7421), (0.6, 3.8075, 0.9864), (1, 3.5024, 1.2010), (1.2, 3.5490, 1.3082)]),
        (
            "double_integrator",
            [(0.2, 18.04, 2.759), (0.4, 8.516, 2.193), (0.6, 6.620, 2.1675), (0.8, 6.047, 2.194), (1, 5.922, 2.236)],
        ),
    ],
)
def test_golden_costs_and_peak_gains(name, rows):
    world = INSTANCES[name]
    digits = 6e-4 if name == "double_integrator" else 6e-5
    for scale, cost, gain in rows:
        assert certificates.sphere_cost(world.linear, world.quadratic, scale * world.gain) == pytest.approx(
            cost, abs=10 * digits if cost > 10 and digits > 1e-4 else digits
        )
        assert certificates.measurement_gain(world.linear, scale * world.gain) == pytest.approx(gain, abs=digits)


def test_golden_peak_gains_of_the_experts():
    for name, golden in (("rotation", 1.3976), ("double_integrator", 0.5993), ("scalar_stable", 1.56821773)):
        plant, _, loop = parts(INSTANCES[name])
        assert certificates.peak_gain(loop, plant.B) == pytest.approx(golden, abs=5e-5 if golden < 1.5 else 5e-9)
    plant, gain, loop = parts(INSTANCES["rotation"])
    assert certificates.norm_sum_gain(loop, plant.B) * np.linalg.norm(gain, 2) == pytest.approx(1.6685, abs=5e-5)


def test_the_peak_gain_of_the_double_integrator_has_a_minimum_inside():
    world = INSTANCES["double_integrator"]
    gains = [certificates.measurement_gain(world.linear, s * world.gain) for s in (0.2, 0.4, 0.6, 0.8, 1.0)]
    assert gains[0] > gains[1] > gains[2] < gains[3] < gains[4]


def test_golden_non_normal_loop():
    world = control_instances.non_normal()
    loop, inputs = world.linear.A, world.linear.B
    assert certificates.peak_gain(loop, inputs) == pytest.approx(20.0998, abs=5e-5)
    growth = certificates.smallest_growth(loop, 0.6)
    assert growth == pytest.approx(20.1019, abs=5e-5)
    assert growth / 0.4 == pytest.approx(50.25, abs=6e-3)
    certified = lmi.growth_certificate(world.linear, world.gain, 0.6)
    assert certified.growth == pytest.approx(27.27, abs=5e-3)
    assert certified.gain(1.0) == pytest.approx(68.2, abs=5e-2)
    assert certificates.peak_gain(loop, inputs) > 1.0 / (1.0 - 0.6)  # without M the gain is exceeded


def test_smaller_budgets_can_be_less_robust():
    world = INSTANCES["scalar_unstable"]
    k = world.gain.item()
    small, large = (tradeoff.scalar_peak_gain(1.2, 1.0, gain) for gain in (0.6 * k, k))
    assert (round(small, 3), round(large, 3)) == (1.724, 1.337)
    assert 0.6 * k == pytest.approx(0.476, abs=5e-4)
    assert tradeoff.scalar_peak_gain(1.2, 1.0, 0.2) > 1e6 or tradeoff.scalar_peak_gain(1.2, 1.0, 0.2) == inf
    assert tradeoff.scalar_peak_gain(1.2, 1.0, 0.19) == inf


@given(SEEDS)
def test_the_peak_gain_is_that_of_the_worst_signs(seed):
    rng = np.random.default_rng(seed)
    loop = rng.normal(size=(2, 2))
    loop *= 0.3 / max(np.linalg.norm(loop, 2), 0.3)
    inputs = rng.normal(size=(2, 1))
    responses = certificates.impulse_responses(loop, inputs)[:7, :, 0]
    best = max(np.linalg.norm(np.array(signs) @ responses) for signs in product((-1, 1), repeat=len(responses)))
    gain = certificates.peak_gain(loop, inputs)
    rest = certificates.norm_sum_gain(loop, inputs) - np.linalg.norm(responses, axis=1).sum()
    assert best <= gain * (1 + 1e-12)
    assert gain <= best + rest + 1e-12
    assert gain <= certificates.norm_sum_gain(loop, inputs) * (1 + 1e-12)


def test_the_peak_gain_is_reached_by_simulation():
    plant, gain, loop = parts(INSTANCES["rotation"])
    responses = certificates.impulse_responses(loop, plant.B)
    reached = 0.0
    for angle in np.linspace(0, np.pi, 721):
        direction = [np.cos(angle), np.sin(angle)]
        signs = certificates.worst_sequence(responses, direction)
        errors = -signs[:, None] * unit_vectors(gain)
        end = simulate(plant, LinearPolicy(gain), [0.0, 0.0], len(signs), None, errors).states[0, -1]
        reached = max(reached, float(np.linalg.norm(end)))
    exactly = certificates.measurement_gain(plant, gain)
    assert reached <= exactly * (1 + 1e-12)
    assert reached == pytest.approx(exactly, rel=1e-4)


def test_gains_that_are_not_computed_are_refused():
    with pytest.raises(InvalidModelError, match="n = 3"):
        certificates.peak_gain(0.5 * np.eye(3), np.ones((3, 1)))
    with pytest.raises(InvalidModelError, match="m = 2"):
        certificates.peak_gain([[0.5]], [[1.0, 1.0]])
    for call in (certificates.peak_gain, certificates.norm_sum_gain):
        with pytest.raises(InvalidModelError, match="not stable"):
            call([[1.0]], [[1.0]])
    with pytest.raises(InvalidModelError, match="not above"):
        certificates.smallest_growth([[0.5]], 0.5)
    with pytest.raises(InvalidModelError, match="infinite"):
        certificates.policy_value(LinearPlant(1.2, 1.0), QuadraticCost(1.0, 1.0), [[0.1]])
    assert certificates.peak_gain([[0.0]], [[0.0]]) == 0.0


@settings(max_examples=40)
@given(linear_plants(max_inputs=1, stable=True), st.floats(0.1, 1.0))
def test_the_cost_of_a_gain_is_that_of_a_roll_out(plant, discount):
    n = plant.n_states
    cost = QuadraticCost(np.eye(n), 2.0, discount)
    gain = 0.05 * np.ones((1, n))
    value = certificates.policy_value(plant, cost, gain)
    starts = np.eye(n)
    runs = simulate(plant, LinearPolicy(gain), starts, 300, cost)
    np.testing.assert_allclose(runs.costs, value.diagonal(), rtol=1e-9, atol=1e-12)
    assert certificates.sphere_cost(plant, cost, gain) == pytest.approx(runs.costs.mean(), rel=1e-9)


def test_regret_of_a_clipped_gain():
    world = INSTANCES["scalar_stable"]
    best = regulator(world.linear, world.quadratic)
    for gain in (0.161, 0.3 * best.gain.item(), 1.1 * best.gain.item()):
        formula = certificates.scalar_gain_regret((0.9, 1.0), best.weight.item(), best.gain.item(), gain)
        direct = certificates.policy_value(world.linear, world.quadratic, [[gain]]).item() - best.value.item()
        assert formula == pytest.approx(direct, rel=1e-9)
    assert certificates.scalar_gain_regret((0.9, 1.0), best.weight.item(), best.gain.item(), 0.161) == pytest.approx(
        0.77644041, abs=5e-9
    )
    assert certificates.scalar_gain_regret((1.2, 1.0), 1.0, 0.8, 0.1) == inf


@settings(max_examples=25)
@given(SEEDS, st.sampled_from([1.0, 0.95]))
def test_regret_of_an_optimal_expert_is_a_sum_of_squares(seed, discount):
    rng = np.random.default_rng(seed)
    world = BUILDERS["rotation"](discount)
    best = regulator(world.linear, world.quadratic)
    policy = EnvelopePolicy(rng.uniform(-1, 1, (5, 2)), 0.3 * rng.normal(size=5), 0.7)
    errors = 0.1 * rng.normal(size=(25, 2))
    run = simulate(world.plant, policy, [0.5, -0.3], 25, world.cost, errors)
    weights = discount ** np.arange(25)
    slack = run.inputs[0] + run.states[0, :-1] @ best.gain.T
    squares = (weights * (slack @ best.weight * slack).sum(axis=1)).sum()
    end, start = run.states[0, -1], run.states[0, 0]
    total = run.costs.item() + discount**25 * end @ best.value @ end - start @ best.value @ start
    assert total == pytest.approx(squares, rel=1e-9, abs=1e-9)


def test_a_suboptimal_expert_has_linear_and_even_negative_regret():
    plant, cost = LinearPlant(0.9, 1.0), QuadraticCost(1.0, 1.0)
    expert = certificates.policy_value(plant, cost, [[0.3]])

    def regret(gain):
        return (certificates.policy_value(plant, cost, [[gain]]) - expert).item()

    assert regret(0.29) == pytest.approx(0.0234, abs=5e-5)
    assert regret(0.299) == pytest.approx(0.00226, abs=5e-6)
    assert regret(0.31) < 0 > regret(0.301)


# Bounds


def test_golden_bounds_of_the_regret():
    drift = Constants(0.0, 1.0, 1.0, 0.6)
    bound = certificates.regret_constant(drift, 1.0, 0.0, 0.95) * 0.1 / 0.05
    assert bound == pytest.approx(4.418604651, abs=5e-10)
    states = simulate(LinearPlant(0.6, 1.0), InterpolatedPolicy([0.0], [0.1]), [0.0], 800).states[0, :-1, 0]
    assert (0.95 ** np.arange(800) * abs(states)).sum() == pytest.approx(bound, rel=1e-12)
    with_inputs = Constants(0.3, 1.0, 1.0, 0.7)
    assert certificates.regret_constant(with_inputs, 1.0, 2.0, 0.9) == pytest.approx(5.891891892, abs=5e-10)


def test_the_regret_bound_with_input_costs_is_attained():
    plant, start = LinearPlant(0.4, 1.0), [1.0]
    weights = 0.9 ** np.arange(400)

    def cost(policy):
        run = simulate(plant, policy, start, 400)
        return (weights * (abs(run.states[0, :-1, 0]) + 2 * abs(run.inputs[0, :, 0]))).sum()

    expert = InterpolatedPolicy([-9.0, 9.0], [-2.7, 2.7])
    learned = InterpolatedPolicy([-9.0, 9.0], [-2.6, 2.8])
    assert cost(learned) - cost(expert) == pytest.approx(5.891891892, abs=1e-9)


@settings(max_examples=25)
@given(SEEDS)
def test_deviation_bounds_hold_against_aligned_errors(seed):
    rng = np.random.default_rng(seed)
    plant, gain, loop = parts(INSTANCES["rotation"])
    certificate = lmi.GrowthCertificate(1.919, 0.7719, np.eye(2))
    constants = Constants(float(np.linalg.norm(gain)), 0.5, certificate.growth, certificate.rate)
    x, y = np.zeros((2, 2)) + rng.normal(size=2)
    for t in range(1, 40):
        push = np.sign((x - y) @ loop.T @ plant.B + 1e-300)
        x = loop @ x + plant.B @ np.atleast_1d(0.1 * push)
        y = loop @ y
        assert np.linalg.norm(x - y) <= certificates.deviation_bound(constants, 0.1, t) * (1 + 1e-12)
    assert certificates.deviation_bound(constants, 0.1) == constants.gain * 0.1


def test_relative_errors_below_the_threshold_decay():
    constants = Constants(0.5, 1.0, 1.0, 0.36)
    assert certificates.relative_rate(constants, 0.5) == pytest.approx(0.86)
    assert certificates.lqr_relative_regret_bound([[2.0]], constants, 0.5, 1.0) == pytest.approx(
        2.0 * 0.25 / (1 - 0.86**2)
    )
    assert certificates.lqr_relative_regret_bound([[2.0]], constants, 0.7, 1.0) == inf
    best = regulator(INSTANCES["scalar_stable"].linear, INSTANCES["scalar_stable"].quadratic)
    k, rate = best.gain.item(), 0.9 - best.gain.item()
    exactly = certificates.scalar_gain_regret((0.9, 1.0), best.weight.item(), k, k - 0.2)
    bound = certificates.lqr_relative_regret_bound(best.weight, Constants(k, 1.0, 1.0, rate), 0.2, 1.0)
    assert exactly == pytest.approx(bound, rel=1e-12)  # attained by a smaller gain


def test_the_converse_lyapunov_function_of_the_rotation():
    plant, gain, loop = parts(INSTANCES["rotation"])
    certificate = lmi.growth_certificate(plant, gain, 0.7735)
    found = certificates.converse_lyapunov(certificate.growth, certificate.rate, float(np.linalg.norm(loop, 2)))
    assert found.terms == 6
    x = unit_vectors(np.random.default_rng(0).normal(size=(500, 2)))
    powers = [np.linalg.matrix_power(loop, k) for k in range(7)]

    def value(y):
        return sum(np.linalg.norm(y @ power.T, axis=-1) for power in powers[:6])

    assert (value(x) >= 1.0).all()
    assert (value(x) <= found.upper).all()
    decrease = value(x @ loop.T) - value(x)
    assert (decrease <= -0.5).all()
    assert (value(x @ loop.T) <= found.rate * value(x)).all()
    bound = certificates.lyapunov_deviation(1.0, found.upper, found.rate, found.slope, 0.1, 1.0, np.arange(60))
    state = np.array([1.0, 0.0])
    for t in range(60):
        assert np.linalg.norm(state) <= bound[t]
        state = loop @ state + 0.1 * unit_vectors((loop @ state)[None])[0]
    assert certificates.converse_lyapunov(1.0, 0.0, 0.0).terms == 1


@pytest.mark.parametrize(("alpha", "bound"), [(0.1, 0.5), (0.25, 2.0)])
def test_the_tube_bound_is_attained(alpha, bound):
    constants = Constants(0.1, 1.0, 1.0, 0.6)
    assert certificates.tube_bound(constants, alpha, 0.1) == pytest.approx(bound)
    deviation = 0.0
    for steps in range(400):
        assert certificates.tube_bound(constants, alpha, 0.1, steps) >= deviation * (1 - 1e-12)
        deviation = 0.6 * deviation + (alpha + 0.1) * deviation + 0.1
    assert deviation == pytest.approx(bound, rel=1e-6)
    assert certificates.tube_bound(constants, 0.4, 0.1) == inf
    assert certificates.tube_bound(constants, 0.3, 0.1, 7) == pytest.approx(0.7)


def test_inadmissible_errors_are_named():
    constants = Constants(0.5, 1.0, 2.0, 0.5)
    assert certificates.require_admissible(constants, 0.1, 1.0, 0.25) == pytest.approx(0.9)
    with pytest.raises(InadmissibleError, match=r"at most 0\.125 is admissible"):
        certificates.require_admissible(constants, 0.2, 1.0, 0.25)
    with pytest.raises(InadmissibleError, match="no error is admissible"):
        certificates.require_admissible(constants, 0.2, 1.0, 0.6)
    assert certificates.require_invariant(0.5, 1.0, 0.5) == 1.0
    with pytest.raises(InadmissibleError, match=r"at most 0\.5 is admissible"):
        certificates.require_invariant(0.5, 1.0, 0.6)
    for fields, message in (
        ((-1.0, 1.0, 1.0, 0.5), "expert_lipschitz"),
        ((1.0, 0.0, 1.0, 0.5), "input_lipschitz"),
        ((1.0, 1.0, 0.9, 0.5), "growth"),
        ((1.0, 1.0, 1.0, 1.0), "rate"),
    ):
        with pytest.raises(InvalidModelError, match=message):
            Constants(*fields)


def test_bounds_that_do_not_apply_are_infinite():
    assert certificates.deterioration_bound(0.6, 0.1, 0.9, (0.6, 1.0), (1.0, 1.0)) == inf
    assert certificates.deterioration_bound(0.0, 0.1, 0.9, (inf, inf), (1.0, 1.0)) == inf
    assert certificates.deterioration_bound(0.1, 0.1, 1.0, (0.1, 1.0), (1.0, 1.0)) == inf
    assert certificates.lqr_regret_bound([[2.0]], 0.1, 1.0) == pytest.approx(0.02)
    assert certificates.lqr_regret_bound([[2.0]], 0.1, 0.9) == pytest.approx(0.2)
    constants = Constants(0.5, 1.0, 1.0, 0.5)
    value = certificates.expert_deterioration_bound(constants, (1.0, 1.0), 0.9, 0.1, 0.5, 0.2)
    assert value == pytest.approx(certificates.regret_constant(constants, 1.0, 1.0, 0.9) * 0.3 / 0.1)


def test_the_deterioration_of_an_optimal_expert_does_not_depend_on_the_signs():
    world = control_instances.double_integrator(0.9)
    best = regulator(world.linear, world.quadratic)
    direction = certificates.worst_direction(best)
    quiet = simulate(world.plant, best.policy, [1.0, -1.0], 400, world.cost).costs.item()
    for signs in (np.ones(400), (-1.0) ** np.arange(400)):
        loud = simulate(world.plant, best.policy, [1.0, -1.0], 400, world.cost, 0.3 * signs[:, None] * direction)
        exactly = certificates.optimal_deterioration(best, 0.3, 0.9)
        assert loud.costs.item() - quiet == pytest.approx(exactly, rel=1e-9)


# Decrease of a Lyapunov function along a learned loop


def learned_rotation(alpha_ratio=1.2, cells=10):
    world = INSTANCES["rotation"]
    axis = (2 * np.arange(cells) + 1) / cells - 1
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    alpha = alpha_ratio * np.linalg.norm(world.gain)
    return world, EnvelopePolicy(points, world.expert(points)[:, 0], alpha), alpha


def test_decrease_is_proved_down_to_a_small_ellipsoid():
    world, policy, alpha = learned_rotation()
    metric = lmi.growth_certificate(world.linear, world.gain, 0.7735).metric
    found = decrease_certificate(world.plant, policy, metric, alpha, 1.2, 1.0)
    assert found.holds
    assert 3000 < found.cells < 4200
    assert found.inner < 0.13
    norm = np.sqrt(world.linear.B.T @ metric @ world.linear.B).item()
    epsilon = alpha * np.sqrt(2) / 10
    assert norm * epsilon / (1 - 0.7735) == pytest.approx(0.485, abs=8e-3)
    assert found.ultimate(0.7735, norm, epsilon) < 0.26
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (4000, 2))
    value = np.sqrt(((x @ metric) * x).sum(axis=1))
    x, value = x[(value > found.inner) & (value <= 1.2)], value[(value > found.inner) & (value <= 1.2)]
    following = world.plant.step(x, policy(x))
    assert (np.sqrt(((following @ metric) * following).sum(axis=1)) < value).all()
    ends = simulate(world.plant, policy, x[:200], 60).states[:, -1]
    assert (np.sqrt(((ends @ metric) * ends).sum(axis=1)) <= found.ultimate(0.7735, norm, epsilon)).all()


def test_finer_cells_prove_more_and_disturbances_less():
    world, policy, alpha = learned_rotation()
    metric = np.array([[2.2748, 1.2931], [1.2931, 2.3137]])
    coarse, fine = (
        decrease_certificate(world.plant, policy, metric, alpha, 1.2, 1.0, smallest=size) for size in (0.02, 0.001)
    )
    assert fine.inner < coarse.inner
    loud = decrease_certificate(world.plant, policy, metric, alpha, 1.2, 1.0, smallest=0.02, disturbance=0.05)
    assert loud.inner > coarse.inner
    split = decrease_certificate(world.plant, policy, metric, alpha, 1.2, 1.0, smallest=0.02, cells_per_axis=3)
    assert fine.inner < split.inner < coarse.inner  # its smallest cells have half width 1/96, not 1/64


def test_no_decrease_is_proved_for_a_loop_that_does_not_decrease():
    plant = LinearPlant(1.5, 1.0)
    world, flat = control_instances.flat_at_origin(0.2)
    found = decrease_certificate(world.plant, flat, [[1.0]], 2.0, 0.19, 0.2, smallest=1e-4)
    assert 0.2 * 2 / 3 <= found.inner <= 0.19 * 1.01
    idle = decrease_certificate(plant, LinearPolicy(0.0), [[1.0]], 0.0, 1.0, 1.0, smallest=0.01)
    assert not idle.holds
    with pytest.raises(InvalidModelError, match="beyond the radius"):
        decrease_certificate(plant, flat, [[1.0]], 2.0, 1.1, 1.0)
    with pytest.raises(InvalidModelError, match="smallest"):
        decrease_certificate(plant, flat, [[1.0]], 2.0, 1.0, 1.0, smallest=0.0)
    with pytest.raises(InvalidModelError, match="lipschitz is inf"):
        decrease_certificate(PolynomialDecay(), flat, [[1.0]], 2.0, 1.0, 1.0)


def test_decrease_of_the_pendulum_under_a_learned_policy():
    world = control_instances.pendulum()
    root = np.linalg.cholesky(world.metric).T
    points = certificates.covering_grid(2, 1.0, 0.1) @ np.linalg.inv(root).T
    policy = EnvelopePolicy(points, world.expert(points)[:, 0], 1.1 * 0.99143, "central", world.metric)
    found = metric_decrease_certificate(world.plant, policy, world.metric, policy.alpha, 1.0)
    assert found.holds
    assert found.inner < 0.4
    raw = decrease_certificate(
        world.plant, policy, world.metric, policy.alpha * np.linalg.norm(root, 2), 1.0, 3.83, smallest=0.03
    )
    assert not raw.holds  # Euclidean cells of the states waste their size on one scale
    x = unit_vectors(np.random.default_rng(0).normal(size=(100, 2))) @ np.linalg.inv(root).T
    values = np.linalg.norm(simulate(world.plant, policy, x, 120).states @ root.T, axis=2)
    outside = values[:, :-1] > found.inner
    assert (values[:, 1:][outside] < values[:, :-1][outside]).all()
    assert (values[:, -1] <= found.ultimate(0.89, 0.51502, 1.1 * 0.99143 * 0.1)).all()


def test_both_shapes_of_cells_agree_on_the_rotation():
    world, policy, _ = learned_rotation()
    metric = np.array([[2.2748, 1.2931], [1.2931, 2.3137]])
    root = np.linalg.cholesky(metric).T
    moved = EnvelopePolicy(policy.points, policy.values, policy.alpha)
    alpha = policy.alpha * np.linalg.norm(np.linalg.inv(root), 2)
    by_metric = metric_decrease_certificate(world.plant, moved, metric, alpha, 1.2)
    by_state = decrease_certificate(world.plant, policy, metric, policy.alpha, 1.2, 1.0)
    assert by_metric.holds
    assert by_metric.inner < by_state.inner


# Bias against disturbance


def sampled(expert, points=801):
    x = np.linspace(expert.knots[0], expert.knots[-1], points)
    u = expert(x[:, None])[:, 0]
    return abs(x[:, None] - x), abs(u[:, None] - u)


@settings(max_examples=40)
@given(SEEDS, st.floats(0.0, 1.0))
def test_the_modulus_is_that_of_a_fine_grid(seed, distance):
    expert = control_instances.piecewise_expert(seed % 50)
    gaps, changes = sampled(expert)
    exactly = tradeoff.modulus(expert, distance).item()
    on_grid = changes[gaps <= distance + 1e-12].max()
    assert on_grid <= exactly + 1e-12
    assert exactly <= on_grid + expert.lipschitz * 2 * 2.0 / 800


@settings(max_examples=40)
@given(SEEDS, st.floats(0.0, 0.9))
def test_the_least_certified_error_is_half_the_majorant(seed, disturbance):
    expert = control_instances.piecewise_expert(seed % 50)
    best = tradeoff.best_budget(expert, disturbance)
    assert tradeoff.certified_error(expert, best.alpha, disturbance) == pytest.approx(best.error, abs=1e-12)
    for alpha in np.linspace(0.0, expert.lipschitz, 23):
        assert tradeoff.certified_error(expert, alpha, disturbance) >= best.error - 1e-12
    unavoidable = tradeoff.unavoidable_error(expert, disturbance)
    assert unavoidable <= best.error + 1e-12 <= 2 * unavoidable + 1e-9


@given(SEEDS)
def test_the_majorant_is_concave_and_above(seed):
    expert = control_instances.piecewise_expert(seed % 50)
    majorant = tradeoff.concave_majorant(expert)
    s = np.linspace(0, 2, 401)
    values = majorant(s)
    assert (np.diff(values, 2) <= 1e-12).all()
    assert (np.diff(values) >= -1e-15).all()
    assert (tradeoff.modulus(expert, s) <= values + 1e-12).all()
    assert majorant.slope(2.5) == 0.0


def test_the_bias_is_that_of_the_sampled_formula():
    expert = control_instances.piecewise_expert(4)
    gaps, changes = sampled(expert)
    for alpha in (0.0, 0.3, 1.0, expert.lipschitz):
        assert tradeoff.bias(expert, alpha) == pytest.approx(
            max(0.0, (changes - alpha * gaps).max() / 2), abs=expert.lipschitz * 2.0 / 800
        )
    assert tradeoff.bias(expert, expert.lipschitz) == pytest.approx(0.0, abs=1e-15)
    linear = LinearPolicy([[0.6, 0.8]])
    assert tradeoff.linear_bias(linear, 0.4, 2.0) == pytest.approx(1.2)
    assert tradeoff.linear_bias(linear, 1.5, 2.0) == 0.0
    with pytest.raises(InvalidModelError, match="2 inputs"):
        tradeoff.linear_bias(LinearPolicy(np.eye(2)), 0.4, 1.0)
    with pytest.raises(InvalidModelError, match="alpha"):
        tradeoff.bias(expert, -1.0)
    with pytest.raises(InvalidModelError, match="distance"):
        tradeoff.modulus(expert, -1.0)


def test_a_steep_segment_has_an_interior_optimum():
    expert = control_instances.steep_segment(5.0, 0.1, 0.5)
    best = tradeoff.best_budget(expert, 0.1)
    assert 0.0 < best.alpha < expert.lipschitz
    assert best.error < tradeoff.certified_error(expert, expert.lipschitz, 0.1)
    assert best.error < tradeoff.certified_error(expert, 0.0, 0.1)


@given(st.integers(0, 20), st.integers(1, 8), st.integers(1, 32))
def test_the_slope_of_the_scalar_peak_gain(tenths, quarters, eighths):
    a, b, k, h = tenths / 10, quarters / 4, eighths / 8, 1e-6
    if not 0.01 < a - b * k < 0.98:
        return
    slope = tradeoff.scalar_peak_gain_slope(a, b, k)
    ends = [tradeoff.scalar_peak_gain(a, b, k + sign * h) for sign in (1, -1)]
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-3, abs=1e-6)
    assert np.sign(slope) == np.sign(1 - a)
    assert tradeoff.scalar_peak_gain(a, b, k) == pytest.approx(
        certificates.measurement_gain(LinearPlant(a, b), [[k]]), rel=1e-9
    )


def test_the_slope_is_refused_where_its_formula_does_not_hold():
    for arguments in ((0.5, 1.0, 0.6), (1.2, 1.0, 0.1), (0.5, -1.0, 0.1), (0.5, 1.0, -0.1)):
        with pytest.raises(InvalidModelError, match="a - b k"):
            tradeoff.scalar_peak_gain_slope(*arguments)


def test_the_disturbed_cost_of_a_stable_plant_grows_with_the_gain_and_of_an_unstable_one_falls():
    for drift, gains, sign in ((0.5, (0.1, 0.2, 0.4), 1), (1.2, (0.4, 0.6, 0.8), -1)):
        plant = LinearPlant(drift, 1.0)
        reached = [tradeoff.scalar_peak_gain(drift, 1.0, gain) for gain in gains]
        assert (sign * np.diff(reached) > 0).all()
        worst = worst_case(plant, QuadraticCost(1.0, 1.0, 0.5), LinearPolicy(gains[0]), 0.1, 1.0, 101)
        assert worst(0.0) > 0
