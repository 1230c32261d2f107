"""Trained networks: certified constants, losses above the convex optimum, layers equal to their numpy twins."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mdps.control import demonstrate, regulator
from mdps.control_instances import rotation
from mdps.errors import InvalidPolicyError
from solvers.lipschitz_policies_layers import almost_orthogonal, cayley, residual_layer
from solvers.lipschitz_policies_networks import Network, lipsdp, product_bound, verify_lipsdp
from solvers.lipschitz_policies_regression import lipschitz_regression
from solvers.torch_bridge.lipschitz import (
    LAYERS,
    Training,
    _scaling,
    compare_with_optimum,
    empirical_loss,
    train_lipschitz,
)
from solvers.torch_bridge.policies import DeviceError

GAIN = np.array([[-0.01290485, 0.85922773]])
"""Gain of the linear-quadratic expert of the rotation plant."""

SHORT = Training(adam_steps=120, newton_steps=40)


def demonstrations(count=30, seed=0):
    states = np.random.default_rng(seed).uniform(-1.0, 1.0, size=(count, 2))
    return states, -states @ GAIN.T


def slopes(network, count=300):
    points = np.random.default_rng(5).uniform(-2.0, 2.0, size=(count, 2))
    values = network(points)
    return np.linalg.norm(values[1:] - values[:-1], axis=1) / np.linalg.norm(points[1:] - points[:-1], axis=1)


@pytest.mark.parametrize("parametrisation", list(LAYERS))
def test_loss_is_at_least_the_convex_optimum_at_the_certified_constant(parametrisation):
    states, inputs = demonstrations()
    trained = train_lipschitz(states, inputs, 0.5, parametrisation, training=SHORT)
    assert trained.constant <= 0.5 * (1 + 1e-10)
    assert slopes(trained.network).max() <= trained.constant * (1 + 1e-12)
    optimum = lipschitz_regression(states, inputs, trained.constant)
    assert optimum.lower <= trained.loss
    if parametrisation != "free":
        assert trained.loss <= 1.5 * optimum.upper  # and it has learned something


def test_a_rescaled_free_network_carries_its_certificate():
    trained = train_lipschitz(*demonstrations(), 0.5, "free", training=SHORT)
    assert isinstance(trained.network, Network)
    assert verify_lipsdp(trained.network, lipsdp(trained.network))
    assert trained.constant < product_bound(trained.network)


def test_without_the_constraint_the_budget_is_exceeded():
    """The same training with a budget above the slope of the expert exceeds the smaller one."""
    trained = train_lipschitz(*demonstrations(), 2.0, "spectral", training=SHORT)
    assert trained.loss < 1e-3
    assert slopes(trained.network).max() > 0.5


def test_training_depends_on_the_seed_only():
    before = torch.random.get_rng_state()
    first, again, other = (
        train_lipschitz(*demonstrations(), 0.5, training=Training(adam_steps=5, newton_steps=0), seed=seed)
        for seed in (0, 0, 1)
    )
    assert first.loss == again.loss != other.loss
    assert torch.equal(before, torch.random.get_rng_state())


def test_layers_equal_their_numpy_twins():
    rng = np.random.default_rng(2)
    square, tall, log_q = rng.normal(size=(4, 4)), rng.normal(size=(5, 3)), rng.normal(size=3)
    np.testing.assert_allclose(LAYERS["cayley"](torch.tensor(square)).numpy(), cayley(2.0 * square), atol=1e-12)
    np.testing.assert_allclose(
        LAYERS["almost_orthogonal"](torch.tensor(tall)).numpy(), almost_orthogonal(tall), atol=1e-12
    )
    weights, points, bias = torch.tensor(tall), torch.tensor(rng.normal(size=(7, 5))), torch.tensor(rng.normal(size=3))
    scaling = _scaling(weights, torch.tensor(log_q))
    ours = points - 2.0 * (torch.tanh(points @ weights + bias) / scaling) @ weights.T
    twin = residual_layer(points.numpy(), tall, bias.numpy(), np.exp(log_q), "tanh")
    np.testing.assert_allclose(ours.numpy(), twin, atol=1e-12)


@pytest.mark.parametrize("parametrisation", ["spectral", "cayley", "almost_orthogonal"])
@pytest.mark.parametrize("shape", [(2, 5), (5, 2), (4, 4)])
def test_layers_have_norm_at_most_one(parametrisation, shape):
    weights = 3.0 * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.linalg.matrix_norm(LAYERS[parametrisation](weights), ord=2) <= 1 + 1e-12


def test_exported_loss_is_that_of_the_export():
    states, inputs = demonstrations()
    trained = train_lipschitz(states, inputs, 0.5, "residual", training=Training(adam_steps=3, newton_steps=0))
    assert trained.loss == empirical_loss(trained.network, states, inputs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 0.0}, r"alpha is 0\.0"),
        ({"parametrisation": "power"}, "parametrisation is 'power'"),
        ({"inputs": np.zeros((3, 1))}, r"inputs has shape \(3, 1\), not \(30, m\)"),
        ({"states": np.zeros(30)}, r"states has shape \(30,\)"),
        ({"training": Training(activation="gelu")}, "activation is 'gelu'"),
        ({"training": Training(hidden=())}, "hidden is"),
        ({"training": Training(hidden=(4, 5)), "parametrisation": "residual"}, "one width"),
    ],
)
def test_bad_input_is_named(change, message):
    states, inputs = demonstrations()
    with pytest.raises(InvalidPolicyError, match=message):
        train_lipschitz(**{"states": states, "inputs": inputs, "alpha": 0.5, **change})


def test_networks_against_the_convex_optimum_in_the_loop():
    instance, rng = rotation(), np.random.default_rng(1)
    data = demonstrate(instance.expert, rng.uniform(-1.0, 1.0, size=(25, 2)))
    starts = rng.uniform(-0.5, 0.5, size=(6, 2))
    rows = compare_with_optimum(instance, data, 0.5, starts, training=SHORT)
    assert [row.name for row in rows] == ["expert", "convex optimum", *LAYERS]
    expert, optimum, *networks = rows
    for row in networks:
        assert optimum.loss <= row.loss
        assert row.constant <= 0.5 * (1 + 1e-10)
    assert all(expert.cost < row.cost for row in rows[1:])
    assert expert.cost == pytest.approx(
        np.mean(np.sum((starts @ regulator_value(instance)) * starts, axis=1)), rel=1e-6
    )


def regulator_value(instance):
    """Value matrix of the optimal expert: its cost from x is x' P x."""
    return regulator(instance.linear, instance.quadratic).value


def test_no_cuda_is_named():
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="0 CUDA devices"):
            train_lipschitz(*demonstrations(), 0.5, device="cuda")
