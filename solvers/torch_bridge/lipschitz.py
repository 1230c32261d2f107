r"""Training of small networks with a certified Lipschitz constant, by full-batch descent.

The network n-16-16-m learns states and inputs of an expert by the empirical loss of `solvers.lipschitz_policies`,
:math:`\frac{1}{2N} \sum_i \| f(x_i) - u_i \|^2`. Either every layer has norm at most one and :math:`\alpha` is a factor
of the last,

* *spectral*: :math:`W / \max(1, \sigma_{\max}(W))`, with the singular values themselves;
* *cayley*: rows or columns of the orthogonal :math:`(I - S)(I + S)^{-1}`, S skew;
* *almost_orthogonal*: :math:`W \operatorname{diag}(\sum_j |W^\top W|_{ij})^{-1/2}`;
* *residual*: :math:`x - 2 W T^{-1} \varphi(W^\top x + b)` between two almost orthogonal layers;

or the network is trained freely and its last layer then multiplied by :math:`\min(1, \alpha / L)`, with L a certified
constant (*free*). In every case the weights are exported as arrays, and the constant is certified from them
(`solvers.lipschitz_policies_networks`): differentiation never vouches for a norm. As the trained networks are among the
:math:`\alpha`-Lipschitz policies, their loss is at least the optimum of the convex problem over all of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from mdps.control import Demonstrations, Policy
from mdps.control_instances import ControlInstance
from mdps.errors import InvalidPolicyError
from mdps.validation import FloatArray, as_float_array
from solvers.lipschitz_policies import learn
from solvers.lipschitz_policies_networks import Network, ResidualNetwork, lipsdp, product_bound
from solvers.torch_bridge.policies import as_device

ACTIVATIONS: Mapping[str, Callable[[Any], Any]] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "softplus": torch.nn.functional.softplus,
}

Parameters = list[Any]
"""Tensors that are trained."""


def _spectral(weights: Any) -> Any:
    return weights / torch.linalg.matrix_norm(weights, ord=2).clamp(min=1.0)


def _cayley(weights: Any) -> Any:
    """Return a corner (outputs, inputs) of the Cayley transform of a square matrix of the larger size."""
    rows, columns = weights.shape
    size = max(rows, columns)
    square = torch.nn.functional.pad(weights, (0, size - columns, 0, size - rows))
    skew, identity = square - square.T, torch.eye(size, dtype=weights.dtype, device=weights.device)
    return torch.linalg.solve(identity + skew, identity - skew)[:rows, :columns]


def _almost_orthogonal(weights: Any) -> Any:
    sums = (weights.T @ weights).abs().sum(1)
    return weights / sums.clamp(min=1e-300).sqrt()


def _free(weights: Any) -> Any:
    return weights


LAYERS: Mapping[str, Callable[[Any], Any]] = {
    "spectral": _spectral,
    "cayley": _cayley,
    "almost_orthogonal": _almost_orthogonal,
    "residual": _almost_orthogonal,
    "free": _free,
}
"""What is made of the weights of a layer, by parametrisation."""


@dataclass(frozen=True)
class Training:
    """How a network is trained.

    Attributes
    ----------
    hidden
        Widths of the hidden layers; all equal for *residual*.
    activation
        ``relu``, ``tanh`` or ``softplus``.
    adam_steps, adam_rate
        First, with the full batch.
    newton_steps
        Then iterations of L-BFGS with line search.
    """

    hidden: tuple[int, ...] = (16, 16)
    activation: str = "tanh"
    adam_steps: int = 300
    adam_rate: float = 0.02
    newton_steps: int = 100


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with its loss and a certified Lipschitz constant, which is at most alpha up to rounding."""

    network: Network | ResidualNetwork
    loss: float
    constant: float


def empirical_loss(network: Network | ResidualNetwork, states: FloatArray, inputs: FloatArray) -> float:
    r"""Return :math:`\frac{1}{2N} \sum_i \| f(x_i) - u_i \|^2`."""
    return float(0.5 * np.mean(np.sum((network(states) - inputs) ** 2, axis=1)))


def train_lipschitz(
    states: npt.ArrayLike,
    inputs: npt.ArrayLike,
    alpha: float,
    parametrisation: str = "spectral",
    *,
    training: Training | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> TrainedNetwork:
    """Train a network of Lipschitz constant at most ``alpha`` on demonstrations.

    Parameters
    ----------
    states, inputs
        ``(N, n)`` and ``(N, m)``.
    alpha
        Certified constant, positive.
    parametrisation
        A key of `LAYERS`.
    seed
        Of the first weights; no global state is touched.
    device
        ``cpu`` (default), ``cuda`` or ``cuda:k``.

    Raises
    ------
    InvalidPolicyError
        Naming the argument that does not fit.
    DeviceError
        If the device is not there.
    """
    plan = training or Training()
    x, u = as_float_array("states", states), as_float_array("inputs", inputs)
    _require_fit(x, u, alpha, parametrisation, plan)
    place, generator = as_device(device), torch.Generator().manual_seed(seed)
    widths = (x.shape[1], *plan.hidden, u.shape[1])
    parameters = [tensor.to(place).requires_grad_() for tensor in _first_weights(widths, parametrisation, generator)]
    samples, targets = (torch.tensor(array, device=place) for array in (x, u))

    def loss() -> Any:
        outputs = _forward(samples, parameters, alpha, parametrisation, plan.activation)
        return 0.5 * ((outputs - targets) ** 2).sum(1).mean()

    _descend(loss, parameters, plan)
    with torch.no_grad():
        network = _export(parameters, alpha, parametrisation, plan.activation)
    if isinstance(network, Network) and parametrisation == "free":
        network = network.scaled(min(1.0, alpha / lipsdp(network).bound))
        constant = lipsdp(network).bound
    else:
        constant = product_bound(network)
    return TrainedNetwork(network, empirical_loss(network, x, u), constant)


def _require_fit(states: FloatArray, inputs: FloatArray, alpha: float, parametrisation: str, plan: Training) -> None:
    if states.ndim != 2 or 0 in states.shape:
        raise InvalidPolicyError(f"states has shape {states.shape}, not (N, n)")
    if inputs.ndim != 2 or inputs.shape[0] != states.shape[0] or 0 in inputs.shape:
        raise InvalidPolicyError(f"inputs has shape {inputs.shape}, not ({states.shape[0]}, m)")
    if not 0.0 < alpha < float("inf"):
        raise InvalidPolicyError(f"alpha is {alpha!r}, not positive and finite")
    if parametrisation not in LAYERS:
        raise InvalidPolicyError(f"parametrisation is {parametrisation!r}, not one of {', '.join(LAYERS)}")
    if plan.activation not in ACTIVATIONS:
        raise InvalidPolicyError(f"activation is {plan.activation!r}, not one of {', '.join(ACTIVATIONS)}")
    if not plan.hidden or min(plan.hidden) < 1:
        raise InvalidPolicyError(f"hidden is {plan.hidden}: at least one layer of at least one unit")
    if parametrisation == "residual" and len(set(plan.hidden)) > 1:
        raise InvalidPolicyError(f"hidden is {plan.hidden}: residual layers have one width")


def _first_weights(widths: tuple[int, ...], parametrisation: str, generator: Any) -> Parameters:
    """Return weights and biases layer by layer; residual: lift, blocks of (W, b, log q), output."""

    def normal(rows: int, columns: int) -> Any:
        return torch.randn((rows, columns), dtype=torch.float64, generator=generator) / columns**0.5

    def zeros(size: int) -> Any:
        return torch.zeros(size, dtype=torch.float64)

    if parametrisation != "residual":
        return [part for n, m in pairwise(widths) for part in (normal(m, n), zeros(m))]
    width, blocks = widths[1], []
    for _ in widths[1:-1]:
        blocks += [normal(width, width), zeros(width), zeros(width)]
    return [normal(width, widths[0]), zeros(width), *blocks, normal(widths[-1], width), zeros(widths[-1])]


def _forward(points: Any, parameters: Parameters, alpha: float, parametrisation: str, activation: str) -> Any:
    layer, phi = LAYERS[parametrisation], ACTIVATIONS[activation]
    factor = 1.0 if parametrisation == "free" else alpha
    if parametrisation == "residual":
        lift, bias, *blocks, last, shift = parameters
        state = points @ layer(lift).T + bias
        for weights, offset, log_q in zip(*(blocks[k::3] for k in range(3)), strict=True):
            state = state - 2.0 * (phi(state @ weights + offset) / _scaling(weights, log_q)) @ weights.T
    else:
        *hidden, last, shift = parameters
        state = points
        for weights, bias in zip(hidden[::2], hidden[1::2], strict=True):
            state = phi(state @ layer(weights).T + bias)
    return factor * (state @ layer(last).T) + shift


def _scaling(weights: Any, log_q: Any) -> Any:
    q = log_q.exp()
    return ((weights.T @ weights).abs() @ q / q).clamp(min=1e-300)


def _descend(loss: Callable[[], Any], parameters: Parameters, plan: Training) -> None:
    """Run Adam, then L-BFGS, on the full batch."""
    adam = torch.optim.Adam(parameters, lr=plan.adam_rate)
    for _ in range(plan.adam_steps):
        adam.zero_grad()
        loss().backward()
        adam.step()
    newton = torch.optim.LBFGS(parameters, max_iter=plan.newton_steps, line_search_fn="strong_wolfe")

    def closure() -> Any:
        newton.zero_grad()
        value = loss()
        value.backward()
        return value

    if plan.newton_steps:
        newton.step(closure)


def _export(parameters: Parameters, alpha: float, parametrisation: str, activation: str) -> Network | ResidualNetwork:
    def array(tensor: Any) -> FloatArray:
        return np.asarray(tensor.detach().cpu().numpy(), dtype=np.float64)

    layer = LAYERS[parametrisation]
    factor = 1.0 if parametrisation == "free" else alpha
    if parametrisation == "residual":
        lift, bias, *blocks, last, shift = parameters
        return ResidualNetwork(
            (array(layer(lift)), array(bias)),
            tuple(
                (array(w), array(b), array(q.exp())) for w, b, q in zip(*(blocks[k::3] for k in range(3)), strict=True)
            ),
            (factor * array(layer(last)), array(shift)),
            activation,
        )
    weights, biases = [array(layer(w)) for w in parameters[::2]], [array(b) for b in parameters[1::2]]
    return Network([*weights[:-1], factor * weights[-1]], biases, activation)


# --------------------------------------------------------------------------------------------------- comparison


@dataclass(frozen=True)
class Comparison:
    """A learned policy in numbers: training loss, certified constant, and closed-loop cost (mean over the starts)."""

    name: str
    loss: float
    constant: float
    cost: float


def loop_cost(instance: ControlInstance, policy: Policy, starts: npt.ArrayLike, steps: int) -> float:
    """Return the discounted cost of ``steps`` steps without disturbance, averaged over starts ``(R, n)``."""
    cost = instance.quadratic
    states, total = as_float_array("starts", starts), 0.0
    for t in range(steps):
        inputs = policy(states)
        total += cost.discount**t * float(np.mean(cost.stage(states, inputs)))
        states = instance.plant.step(states, inputs)
    return total


def compare_with_optimum(
    instance: ControlInstance,
    data: Demonstrations,
    alpha: float,
    starts: npt.ArrayLike,
    *,
    steps: int = 60,
    training: Training | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> tuple[Comparison, ...]:
    """Compare the expert, the optimum of the convex problem, and the networks, at one Lipschitz constant.

    Returns
    -------
    tuple
        ``expert``, ``convex optimum`` (its loss is the lower end of the certified interval), then the keys of `LAYERS`.
    """
    learned, expert = learn(data, alpha), instance.expert
    rows = [
        Comparison("expert", 0.0, float(np.linalg.norm(instance.gain, 2)), loop_cost(instance, expert, starts, steps)),
        Comparison(
            "convex optimum", learned.regression.lower, alpha, loop_cost(instance, learned.policy, starts, steps)
        ),
    ]
    for name in LAYERS:
        found = train_lipschitz(data.states, data.inputs, alpha, name, training=training, seed=seed, device=device)
        rows.append(Comparison(name, found.loss, found.constant, loop_cost(instance, found.network, starts, steps)))
    return tuple(rows)
