"""Certified constants of small networks: known networks, the order of the bounds, exact confirmation, bad input."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdps.errors import InvalidModelError, InvalidPolicyError
from solvers.lipschitz_policies_layers import (
    almost_orthogonal,
    cayley,
    flint_matrix,
    gram_bounds,
    is_positive_semidefinite,
    norm_bound,
    power_iteration,
    residual_layer,
    residual_scaling,
)
from solvers.lipschitz_policies_networks import (
    LipSDP,
    Network,
    ResidualNetwork,
    feasible_pattern_bound,
    half_bound,
    lipsdp,
    pattern_bound,
    product_bound,
    verify_lipsdp,
)

COUPLED = Network([[[0.5], [1.0], [1.2]], [[-0.5, -1.6, 1.4]]], [[0.3, -1.8, -0.7], [0.0]])
"""A network whose slope is underestimated when multipliers couple neurons."""


def random_network(seed, *widths, activation="relu"):
    rng = np.random.default_rng(seed)
    shapes = list(pairwise(widths))
    return Network(
        [rng.normal(size=(after, before)) for before, after in shapes],
        [rng.normal(size=after) for _, after in shapes],
        activation,
    )


def sampled_slope(network, seed, count=400):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(count, network.weights[0].shape[1])) * rng.choice([0.1, 1.0, 3.0], size=(count, 1))
    return max(np.linalg.norm(network.jacobian(x), 2) for x in points)


def test_coupled_multipliers_are_unsound():
    slope = (COUPLED(np.array([1.001])) - COUPLED(np.array([0.999])))[0] / 0.002
    assert slope == pytest.approx(1.43)
    assert feasible_pattern_bound(COUPLED).bound == pytest.approx(1.43)
    assert feasible_pattern_bound(COUPLED).pattern == (1, 0, 1)
    assert pattern_bound(COUPLED).bound == pytest.approx(1.85)
    assert lipsdp(COUPLED).bound == pytest.approx(1.85, abs=1e-5)
    assert lipsdp(COUPLED, "network").bound == pytest.approx(0.45, abs=1e-5)  # less than the slope above


def test_a_stored_solution_is_decided_exactly():
    multipliers = tuple(Fraction(text) for text in ("1.851", "2.961", "2.159"))
    assert verify_lipsdp(COUPLED, LipSDP(Fraction(7, 2), multipliers))
    assert not verify_lipsdp(COUPLED, LipSDP(Fraction(342, 100), multipliers))  # 1.85^2 = 3.4225
    assert not verify_lipsdp(COUPLED, LipSDP(Fraction(7, 2), multipliers[:2]))
    assert not verify_lipsdp(COUPLED, LipSDP(Fraction(7, 2), (*multipliers[:2], Fraction(-1))))
    solution = lipsdp(COUPLED)
    assert verify_lipsdp(COUPLED, solution)
    assert not verify_lipsdp(COUPLED, LipSDP(solution.rho * Fraction(999, 1000), solution.multipliers))


@pytest.mark.parametrize("seed", range(1, 4))
def test_bounds_are_ordered(seed):
    network = random_network(seed, 3, 8, 2)
    feasible = feasible_pattern_bound(network)
    neuron, layer = lipsdp(network).bound, lipsdp(network, "layer").bound
    chain = (feasible.bound, pattern_bound(network).bound, neuron, layer, product_bound(network))
    for smaller, larger in pairwise(chain):
        assert smaller <= larger * (1 + 1e-6)
    assert layer <= half_bound(network) * (1 + 1e-6)
    assert half_bound(network) <= product_bound(network)
    assert np.linalg.norm(network.jacobian(np.array(feasible.point)), 2) == pytest.approx(feasible.bound)
    assert sampled_slope(network, seed) <= feasible.bound * (1 + 1e-9)


def test_bounds_of_one_network_to_four_digits():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(8, 3)), rng.normal(size=(2, 8))]
    network = Network(weights, [rng.normal(size=8), rng.normal(size=2)])
    found = (
        feasible_pattern_bound(network).bound,
        pattern_bound(network).bound,
        lipsdp(network).bound,
        lipsdp(network, "layer").bound,
        product_bound(network),
        half_bound(network),
    )
    assert found == pytest.approx((4.534, 4.534, 4.534, 5.555, 7.990, 6.105), abs=6e-4)


@pytest.mark.parametrize("activation", ["relu", "tanh", "softplus", "leaky_relu"])
def test_two_hidden_layers(activation):
    network = random_network(5, 2, 6, 6, 1, activation=activation)
    neuron, layer = lipsdp(network).bound, lipsdp(network, "layer").bound
    assert sampled_slope(network, 1) <= neuron <= layer * (1 + 1e-6) <= product_bound(network) * (1 + 2e-6)
    assert verify_lipsdp(network, lipsdp(network))


def test_smallest_slope_sharpens_the_bound():
    relu, leaky = random_network(5, 2, 6, 1), random_network(5, 2, 6, 1, activation="leaky_relu")
    assert lipsdp(leaky).bound < lipsdp(relu).bound


@pytest.mark.parametrize("activation", ["relu", "tanh", "softplus", "leaky_relu"])
def test_jacobian_is_the_derivative(activation):
    network, point, step = random_network(3, 3, 5, 4, 2, activation=activation), np.array([0.3, -0.7, 1.1]), 1e-6
    columns = [(network(point + step * e) - network(point - step * e)) / (2 * step) for e in np.eye(3)]
    np.testing.assert_allclose(network.jacobian(point), np.array(columns).T, atol=1e-8)


def test_scaling_scales_the_constant():
    network = random_network(2, 2, 5, 1)
    assert product_bound(network.scaled(0.5)) == pytest.approx(0.5 * product_bound(network))
    np.testing.assert_allclose(network.scaled(0.5)(np.ones(2)), 0.5 * network(np.ones(2)))


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 6))
def test_norm_bound_is_above_and_close(seed, rows, columns):
    matrix = np.random.default_rng(seed).normal(size=(rows, columns))
    size = np.linalg.norm(matrix, 2)
    assert size * (1 - 1e-12) <= norm_bound(matrix) <= size * (1 + 1e-9)


def test_norm_bound_of_exact_norms():
    assert norm_bound([[3.0, 0.0], [0.0, 2.0]]) == pytest.approx(3.0, rel=1e-14)
    assert norm_bound([[0.0, 0.0]]) == 0.0


def test_power_iteration_certifies_nothing():
    matrix = np.diag([1.0, 2.0])
    assert power_iteration(matrix, [1.0, 1e-9], 5) == pytest.approx(1.0)
    assert min(gram_bounds(matrix, 8)) >= 2.0


@given(st.integers(0, 10_000))
def test_gram_bounds_decrease_to_the_norm(seed):
    matrix = np.random.default_rng(seed).normal(size=(6, 9))
    found, size = gram_bounds(matrix, 9), np.linalg.norm(matrix, 2)
    assert all(later <= earlier * (1 + 1e-12) for earlier, later in pairwise(found))
    assert size * (1 - 1e-12) <= found[-1] <= 1.01 * size
    assert found[1] == pytest.approx(np.linalg.norm(np.linalg.matrix_power(matrix.T @ matrix, 2)) ** 0.25)


def test_gram_bounds_do_not_overflow():
    assert gram_bounds(1e150 * np.eye(2), 6)[-1] == pytest.approx(1e150, rel=0.02)
    assert gram_bounds(np.zeros((2, 2)), 3) == (0.0, 0.0, 0.0)


def test_definiteness_is_exact():
    assert is_positive_semidefinite(flint_matrix([[1.0, 1.0], [1.0, 1.0]]))
    assert not is_positive_semidefinite(flint_matrix([[1.0, 1.0], [1.0, np.nextafter(1.0, 0.0)]]))
    assert not is_positive_semidefinite(flint_matrix([[0.0, 1.0], [1.0, 5.0]]))
    assert is_positive_semidefinite(flint_matrix([[0.0, 0.0], [0.0, 5.0]]))


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 5))
def test_layers_of_norm_at_most_one(seed, rows, columns):
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(rows, columns)) * 3.0
    assert norm_bound(almost_orthogonal(weights)) <= 1 + 1e-12
    orthogonal = cayley(rng.normal(size=(rows, rows)))
    np.testing.assert_allclose(orthogonal.T @ orthogonal, np.eye(rows), atol=1e-12)
    scaling = rng.uniform(0.2, 3.0, size=columns)
    x, y, bias = rng.normal(size=rows), rng.normal(size=rows), rng.normal(size=columns)
    for activation in ("relu", "tanh"):
        moved = residual_layer(np.stack([x, y]), weights, bias, scaling, activation)
        assert np.linalg.norm(moved[0] - moved[1]) <= np.linalg.norm(x - y) * (1 + 1e-12)


def test_residual_layer_attains_one():
    weights, bias, scaling = np.array([[1.0], [0.0]]), np.zeros(1), np.ones(1)
    moved = residual_layer(np.array([[2.0, 0.0], [1.0, 0.0]]), weights, bias, scaling)
    assert np.linalg.norm(moved[0] - moved[1]) == 1.0  # a reflection
    assert residual_scaling(np.zeros((2, 1)), scaling).tolist() == [1.0]


def test_residual_layer_needs_its_scaling():
    """Half of T in place of T: a reflection becomes an expansion by three."""
    weights = np.array([[1.0], [0.0]])
    x = np.array([2.0, 0.0])
    moved = x - 2.0 * np.maximum(x @ weights, 0.0) / (0.5 * residual_scaling(weights, np.ones(1))) @ weights.T
    assert np.linalg.norm(moved) == 3.0 * np.linalg.norm(x)


def test_residual_network():
    rng = np.random.default_rng(4)
    block = (rng.normal(size=(4, 3)), rng.normal(size=3), rng.uniform(0.5, 2.0, size=3))
    network = ResidualNetwork(
        (rng.normal(size=(4, 2)), np.zeros(4)), (block, block), (rng.normal(size=(1, 4)), np.zeros(1))
    )
    points = rng.normal(size=(50, 2))
    values, bound = network(points), product_bound(network)
    slopes = np.abs(values[:-1] - values[1:])[:, 0] / np.linalg.norm(points[:-1] - points[1:], axis=1)
    assert slopes.max() <= bound


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: Network([], []), InvalidPolicyError, "at least one"),
        (lambda: Network([[[1.0]]], [[0.0]], "gelu"), InvalidPolicyError, "activation is 'gelu'"),
        (lambda: Network([[[1.0]], [[1.0, 2.0]]], [[0.0], [0.0]]), InvalidPolicyError, r"weights\[1\] has 2 inputs"),
        (lambda: Network([[[1.0]]], [[0.0, 1.0]]), InvalidPolicyError, r"biases\[0\] has shape"),
        (lambda: Network([[1.0]], [[0.0]]), InvalidPolicyError, r"weights\[0\] has shape"),
        (lambda: Network([[[np.nan]]], [[0.0]]), InvalidModelError, r"weights\[0\]"),
        (lambda: lipsdp(Network([[[1.0]]], [[0.0]])), InvalidPolicyError, "no hidden layer"),
        (lambda: lipsdp(COUPLED, "pairs"), InvalidPolicyError, "mode is 'pairs'"),
        (lambda: half_bound(random_network(0, 1, 2, 2, 1)), InvalidPolicyError, "2 hidden layers"),
        (lambda: pattern_bound(random_network(0, 1, 13, 1)), InvalidPolicyError, "13 hidden units"),
        (lambda: pattern_bound(random_network(0, 1, 2, 1, activation="tanh")), InvalidPolicyError, "'tanh'"),
        (
            lambda: ResidualNetwork((np.ones((2, 1)), np.zeros(2)), (), (np.ones((1, 3)), np.zeros(1))),
            InvalidPolicyError,
            "output has shape",
        ),
        (
            lambda: ResidualNetwork(
                (np.ones((2, 1)), np.zeros(2)),
                ((np.ones((2, 1)), np.zeros(1), np.zeros(1)),),
                (np.ones((1, 2)), np.zeros(1)),
            ),
            InvalidPolicyError,
            "not positive",
        ),
    ],
)
def test_bad_input_is_named(build, error, message):
    with pytest.raises(error, match=message):
        build()
