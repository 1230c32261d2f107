r"""Any PyTorch policy as a model of the policy gradient solvers: weighted scores and Hessian-vector products.

A policy is a module that maps states to a distribution over actions, discrete or continuous. With its parameters in one
flat vector :math:`\theta`, and for a batch of states, actions and weights,

.. math::
    \Phi(\theta) = \sum_n w_n \log \pi_\theta(a_n \mid s_n), \qquad
    \nabla \Phi(\theta), \qquad
    \nabla^2 \Phi(\theta)\, v = \nabla_\theta \langle \nabla \Phi(\theta), v \rangle, \qquad
    \langle \nabla \log \pi_\theta(a_n \mid s_n), v \rangle
        = \frac{\partial}{\partial w_n} \langle \nabla \Phi(\theta), v \rangle,

the last two by differentiating backwards twice, at the cost of a few gradients: no Hessian is formed.
Actions are drawn by inverse transforms of uniform numbers from an explicit generator, so that no global seed is read
or set, and equal seeds give equal actions on a CPU.
"""

import copy
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import distributions

from mdps.errors import InvalidPolicyError
from mdps.validation import FloatArray, as_float_array

SMALLEST, LARGEST = 2.0**-54, 1.0 - 2.0**-53
"""Ends of the uniform numbers: inverse distribution functions are finite there."""


class DeviceError(RuntimeError):
    """The device that was asked for is not there."""


def as_device(name: str) -> Any:
    """Return the device ``cpu``, ``cuda`` or ``cuda:k``.

    Raises
    ------
    DeviceError
        If it is unknown, or no such CUDA device is present.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"device is {name!r}: {str(error).splitlines()[0]}") from error
    if device.type == "cuda" and not (torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()):
        raise DeviceError(f"device is {name!r}, but {torch.cuda.device_count()} CUDA devices are present")
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(f"device is {name!r}, not 'cpu' or 'cuda'")
    return device


def draw(law: Any, generator: Any) -> Any:
    """Draw one action per row of a ``torch.distributions`` law, with the given generator only.

    Raises
    ------
    InvalidPolicyError
        If the law is neither discrete nor has an inverse distribution function.
    """
    if isinstance(law, distributions.Independent):
        return draw(law.base_dist, generator)
    if isinstance(law, distributions.TransformedDistribution):
        action = draw(law.base_dist, generator)
        for transform in law.transforms:
            action = transform(action)
        return action
    if isinstance(law, distributions.Categorical):
        cumulative = law.probs.cumsum(-1)
        uniform = _uniform((*law.batch_shape, 1), law.probs, generator)
        return (cumulative < uniform * cumulative[..., -1:]).sum(-1)
    if isinstance(law, distributions.Bernoulli):
        return (_uniform(law.batch_shape, law.probs, generator) < law.probs).to(law.probs.dtype)
    shape = (*law.batch_shape, *law.event_shape)
    try:
        return law.icdf(_uniform(shape, torch.empty(0, dtype=torch.float64, device=generator.device), generator))
    except NotImplementedError as error:
        raise InvalidPolicyError(f"{type(law).__name__} has no inverse distribution function to draw with") from error


def _uniform(shape: tuple[int, ...], like: Any, generator: Any) -> Any:
    return torch.rand(shape, dtype=like.dtype, device=like.device, generator=generator).clamp(SMALLEST, LARGEST)


class TorchPolicy:
    """A policy module with flat parameters, in float64.

    Parameters
    ----------
    module
        Maps states (N, ...) to a ``torch.distributions.Distribution`` whose log-probabilities have shape (N,); a
        continuous action of several components needs ``torch.distributions.Independent``. It is copied.
    device
        ``cpu`` (default), ``cuda`` or ``cuda:k``.

    Raises
    ------
    DeviceError
        If the device is not there.
    InvalidPolicyError
        If the module has no parameters.
    """

    def __init__(self, module: Any, device: str = "cpu") -> None:
        self.device = as_device(device)
        self.module = copy.deepcopy(module).to(device=self.device, dtype=torch.float64)
        self._names = [name for name, _ in self.module.named_parameters()]
        self._shapes = [tuple(values.shape) for _, values in self.module.named_parameters()]
        self._sizes = [int(np.prod(shape)) for shape in self._shapes]
        if not self._names:
            raise InvalidPolicyError("the module has no parameters")

    @property
    def dimension(self) -> int:
        """Number of parameters d."""
        return sum(self._sizes)

    def parameters(self) -> FloatArray:
        """Return the parameters of the module as it was given, flat (d,)."""
        rows = [values.detach().reshape(-1) for _, values in self.module.named_parameters()]
        return np.asarray(torch.cat(rows).cpu().numpy().astype(np.float64))

    def generator(self, seed: int) -> Any:
        """Return a random generator on the device of the policy."""
        return torch.Generator(device=self.device).manual_seed(seed)

    def sample(self, theta: npt.ArrayLike, states: FloatArray, generator: Any) -> npt.NDArray[Any]:
        """Draw an action for each state; integers for discrete laws."""
        with torch.no_grad():
            return np.asarray(draw(self._law(self._flat(theta), self._tensor(states)), generator).cpu().numpy())

    def log_probabilities(self, theta: npt.ArrayLike, states: FloatArray, actions: npt.ArrayLike) -> FloatArray:
        """Return log pi(a_n | s_n), shape (N,)."""
        with torch.no_grad():
            return _array(self._log_probabilities(states, actions)(self._flat(theta)))

    def score(
        self, theta: npt.ArrayLike, states: FloatArray, actions: npt.ArrayLike, weights: npt.ArrayLike
    ) -> FloatArray:
        """Return the gradient (d,) of sum_n w_n log pi(a_n | s_n)."""
        return _array(torch.func.grad(self._objective(states, actions, weights))(self._flat(theta)))

    def hvp(
        self,
        theta: npt.ArrayLike,
        states: FloatArray,
        actions: npt.ArrayLike,
        weights: npt.ArrayLike,
        vector: npt.ArrayLike,
    ) -> FloatArray:
        """Return the Hessian of sum_n w_n log pi(a_n | s_n) times a vector (d,)."""
        gradient = torch.func.grad(self._objective(states, actions, weights))
        direction = self._flat(vector, "vector")
        return _array(torch.func.grad(lambda flat: torch.dot(gradient(flat), direction))(self._flat(theta)))

    def slopes(
        self, theta: npt.ArrayLike, states: FloatArray, actions: npt.ArrayLike, vector: npt.ArrayLike
    ) -> FloatArray:
        """Return the derivative of each log pi(a_n | s_n) in the direction of a vector (d,); shape (N,)."""
        function, flat = self._log_probabilities(states, actions), self._flat(theta)
        direction = self._flat(vector, "vector")

        def along(weights: Any) -> Any:
            return torch.dot(torch.func.grad(lambda point: torch.dot(weights, function(point)))(flat), direction)

        return _array(torch.func.grad(along)(torch.ones(len(states), dtype=torch.float64, device=self.device)))

    def _flat(self, values: npt.ArrayLike, name: str = "theta") -> Any:
        array = as_float_array(name, values)
        if array.shape != (self.dimension,):
            raise InvalidPolicyError(f"{name} has shape {array.shape}, not ({self.dimension},)")
        return self._tensor(array)

    def _tensor(self, values: npt.ArrayLike) -> Any:
        return torch.tensor(np.asarray(values), device=self.device)

    def _law(self, flat: Any, states: Any) -> Any:
        pieces = torch.split(flat, self._sizes)
        named = {n: p.reshape(s) for n, p, s in zip(self._names, pieces, self._shapes, strict=True)}
        return torch.func.functional_call(self.module, named, (states,))

    def _log_probabilities(self, states: FloatArray, actions: npt.ArrayLike) -> Callable[[Any], Any]:
        inputs, chosen = self._tensor(states), self._tensor(actions)

        def function(flat: Any) -> Any:
            values = self._law(flat, inputs).log_prob(chosen)
            if tuple(values.shape) != (len(inputs),):
                raise InvalidPolicyError(f"log-probabilities have shape {tuple(values.shape)}, not ({len(inputs)},)")
            return values

        return function

    def _objective(self, states: FloatArray, actions: npt.ArrayLike, weights: npt.ArrayLike) -> Callable[[Any], Any]:
        function, factors = self._log_probabilities(states, actions), self._tensor(as_float_array("weights", weights))
        if tuple(factors.shape) != (len(states),):
            raise InvalidPolicyError(f"weights has shape {tuple(factors.shape)}, not ({len(states)},)")
        return lambda flat: torch.dot(factors, function(flat))


def _array(values: Any) -> FloatArray:
    return np.asarray(values.detach().cpu().numpy(), dtype=np.float64)


# ---------------------------------------------------------------------------------------------------- policies


class SoftmaxPolicy(torch.nn.Module):
    """Softmax of the outputs of a network."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, states: Any) -> Any:
        """Return the law of the actions 0, ..., A - 1."""
        return distributions.Categorical(logits=self.network(states), validate_args=False)


class GaussianPolicy(torch.nn.Module):
    """Independent Gaussian actions with means from a network and a fixed standard deviation."""

    def __init__(self, network: Any, deviation: float) -> None:
        super().__init__()
        if not deviation > 0.0:
            raise InvalidPolicyError(f"deviation is {deviation!r}, not positive")
        self.network, self.deviation = network, deviation

    def forward(self, states: Any) -> Any:
        """Return the law of the actions (N, m)."""
        means = self.network(states)
        law = distributions.Normal(means, torch.full_like(means, self.deviation), validate_args=False)
        return distributions.Independent(law, 1, validate_args=False)


class TabularLogits(torch.nn.Module):
    """One logit per state and action, all zero at first; states are integers."""

    def __init__(self, n_states: int, n_actions: int) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.zeros((n_states, n_actions), dtype=torch.float64))

    def forward(self, states: Any) -> Any:
        """Return the rows of the table (N, A)."""
        return self.logits[states]


def perceptron(widths: tuple[int, ...], seed: int) -> Any:
    """Return a tanh network with weights from N(0, 1 / inputs) and zero biases, drawn with its own generator."""
    if len(widths) < 2 or min(widths) < 1:
        raise InvalidPolicyError(f"widths {widths} make no network")
    generator = torch.Generator().manual_seed(seed)
    layers: list[Any] = []
    for before, after in pairwise(widths):
        layer = torch.nn.utils.skip_init(torch.nn.Linear, before, after, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.randn((after, before), dtype=torch.float64, generator=generator) / before**0.5)
            layer.bias.zero_()
        layers += [layer, torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])
