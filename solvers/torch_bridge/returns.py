r"""Estimates of the gradient and the Hessian of the return of a PyTorch policy, and the methods that use them.

A trajectory :math:`\tau` of H steps has reward-to-go weights in *absolute* time,
:math:`w_t = \sum_{h \ge t} \gamma^h r_h`. With the weights held fixed, :math:`\psi = \nabla \log \pi_\theta` and
:math:`\Psi = \nabla^2 \log \pi_\theta`,

.. math::
    g(\tau, \theta) = \sum_t w_t \psi_t, \qquad
    B(\tau, \theta) \Delta = g \sum_t \langle \psi_t, \Delta \rangle + \sum_t w_t \Psi_t \Delta, \qquad
    \tilde B(\tau, \theta) \Delta = \sum_h \gamma^h r_h \Big( S_h \langle S_h, \Delta \rangle
        + \sum_{k \le h} \Psi_k \Delta \Big),

:math:`S_h = \sum_{k \le h} \psi_k`, are unbiased for the gradient and the Hessian (times :math:`\Delta`) of
:math:`J_H(\theta) = \mathbb E \sum_{h < H} \gamma^h r_h`. A batch averages the *products* of each trajectory; a product
of averages would be biased. Both products are one score with other weights and one Hessian-vector product: with
:math:`c_t = \langle \psi_t, \Delta \rangle`,

.. math::
    B \Delta = \sum_t u_t \psi_t + \sum_t w_t \Psi_t \Delta, \qquad
    u_t = w_t \sum_k c_k \ \text{ (B)}, \qquad u_t = \sum_{h \ge t} \gamma^h r_h \sum_{k \le h} c_k \ (\tilde B) .

The methods are those of `solvers.n_harpg`, with the schedules of `theory.n_harpg`:

.. math::
    d_t = (1 - \eta_t)(d_{t-1} + v_t) + \eta_t\, g(\tau_t, \tilde\theta_t), \qquad
    \theta_{t+1} = \theta_t + \gamma_t d_t \ \text{ or } \ \theta_t + \gamma_t d_t / \| d_t \| ,

where :math:`v_t = B(\hat\tau_t, \hat\theta_t)(\theta_t - \theta_{t-1})`, at a uniform point :math:`\hat\theta_t` of the
last step and for a second trajectory that is sampled there, in HARPG and N-HARPG, and nothing else; and
:math:`\tilde\theta_t = \theta_t`, but extrapolated by :math:`\frac{1 - \eta_t}{\eta_t} (\theta_t - \theta_{t-1})` in
N-PG-IGT.

References
----------
I. Fatkhullin, A. Barakat, A. Kireeva, N. He (2023). Stochastic policy gradient methods: improved sample complexity for
Fisher-non-degenerate policies. ICML.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError, InvalidPolicyError
from mdps.validation import FloatArray, entry, first_index
from solvers.n_harpg_kernels import CAUSAL, HESSIAN, IMPORTANCE, TRANSPOSED
from solvers.n_harpg_methods import HARPG, N_HARPG, N_PG_IGT, N_PG_M, PG, Method, Schedule
from solvers.n_harpg_parameters import schedule_of
from solvers.torch_bridge.policies import TorchPolicy


@dataclass(frozen=True)
class Trajectories:
    """A batch of m trajectories of at most H steps.

    Attributes
    ----------
    states
        ``(m, H, ...)``.
    actions
        ``(m, H)`` integers or ``(m, H, k)``.
    rewards
        ``(m, H)``; zero after the end of an episode.
    alive
        ``(m, H)``: whether the step was taken before the end of the episode; a prefix of each row.

    Raises
    ------
    InvalidModelError
        If the shapes differ, a reward is not finite, or one comes after the end.
    """

    states: npt.NDArray[Any]
    actions: npt.NDArray[Any]
    rewards: FloatArray
    alive: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Check the shapes and the rewards."""
        shape = self.alive.shape
        if len(shape) != 2 or 0 in shape:
            raise InvalidModelError(f"alive has shape {shape}, not (m, H)")
        for name, array in (("states", self.states), ("actions", self.actions), ("rewards", self.rewards)):
            if array.shape[:2] != shape:
                raise InvalidModelError(f"{name} has shape {array.shape}, not {(*shape, '...')}")
        bad = ~np.isfinite(self.rewards) | ((self.rewards != 0.0) & ~self.alive)
        if bad.any():
            index = first_index(bad)
            raise InvalidModelError(f"{entry('rewards', index)} is {self.rewards[index]}: not finite, or after the end")
        if np.any(self.alive[:, 1:] & ~self.alive[:, :-1]):
            raise InvalidModelError("alive must be a prefix of each row")

    def steps(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the entries of ``(m, H, ...)`` at the steps that were taken, ``(N, ...)``."""
        return values[self.alive]

    def discounted(self, discount: float) -> FloatArray:
        """Return gamma^h r_h, ``(m, H)``."""
        if not 0.0 <= discount <= 1.0:
            raise InvalidModelError(f"discount is {discount!r}, outside [0, 1]")
        return discount ** np.arange(self.rewards.shape[1]) * self.rewards

    def returns(self, discount: float) -> FloatArray:
        """Return the discounted return of each trajectory, ``(m,)``."""
        return np.asarray(self.discounted(discount).sum(axis=1))


def to_go(values: FloatArray) -> FloatArray:
    """Return the sums of ``(m, H)`` over this and all later steps."""
    return np.ascontiguousarray(np.cumsum(values[:, ::-1], axis=1)[:, ::-1])


def gradient(policy: TorchPolicy, theta: npt.ArrayLike, batch: Trajectories, discount: float) -> FloatArray:
    """Return the average of g(tau, theta) over a batch that was sampled at ``theta``; ``(d,)``."""
    weights = to_go(batch.discounted(discount)) / len(batch.alive)
    return policy.score(theta, batch.steps(batch.states), batch.steps(batch.actions), batch.steps(weights))


def hessian_product(
    policy: TorchPolicy,
    theta: npt.ArrayLike,
    batch: Trajectories,
    discount: float,
    delta: npt.ArrayLike,
    *,
    causal: bool = False,
) -> FloatArray:
    """Return the average of B(tau, theta) delta over a batch that was sampled at ``theta``; ``(d,)``.

    Parameters
    ----------
    causal
        Use the estimate of lower variance instead (the second moment of which does not grow with H).
    """
    states, actions, rewards = batch.steps(batch.states), batch.steps(batch.actions), batch.discounted(discount)
    slopes = np.zeros(batch.alive.shape)
    slopes[batch.alive] = policy.slopes(theta, states, actions, delta)
    weights = to_go(rewards)
    outer = to_go(rewards * np.cumsum(slopes, axis=1)) if causal else weights * slopes.sum(axis=1, keepdims=True)
    count = len(batch.alive)
    product = policy.score(theta, states, actions, batch.steps(outer) / count)
    return product + policy.hvp(theta, states, actions, batch.steps(weights) / count, delta)


# ------------------------------------------------------------------------------------------------------ methods


class Simulator(Protocol):
    """Samples trajectories of a policy."""

    def __call__(
        self, policy: TorchPolicy, theta: FloatArray, count: int, generator: Any, rng: np.random.Generator
    ) -> Trajectories:
        """Return ``count`` independent trajectories; actions are drawn with ``generator``, all else with ``rng``."""
        ...


METHODS: Mapping[str, Method] = {
    "pg": PG,
    "n_pg_m": N_PG_M,
    "n_pg_igt": N_PG_IGT,
    "harpg": HARPG,
    "n_harpg": N_HARPG,
}
"""Methods by the names of their schedules in `theory.n_harpg`."""


@dataclass(frozen=True)
class Ascent:
    """A run: after each iteration, trajectories used so far and what was seen.

    Attributes
    ----------
    theta
        Last iterate, ``(d,)``.
    trajectories
        ``(T,)``: trajectories used up to and including the iteration.
    returns, lengths
        ``(T,)``: average undiscounted return and number of steps of the batch for the gradient.
    norms
        ``(T,)``: norm of the direction.
    """

    theta: FloatArray
    trajectories: npt.NDArray[np.int64]
    returns: FloatArray
    lengths: FloatArray
    norms: FloatArray


def schedule(name: str, step: float, iterations: int, first_batch: int = 1) -> Schedule:
    """Return the schedule of a method: ``step`` stands for the step scale or gamma_0, ``name`` is a key of `METHODS`.

    Raises
    ------
    InvalidPolicyError
        Naming the argument that is out of range.
    """
    if name not in METHODS:
        raise InvalidPolicyError(f"method is {name!r}, not one of {', '.join(METHODS)}")
    for label, value in (("step", step), ("iterations", iterations)):
        if not value > 0:
            raise InvalidPolicyError(f"{label} is {value!r}, not positive")
    found = schedule_of(name, iterations, first_batch=first_batch, scale=step, gamma_0=step)
    return replace(found, steps=found.steps[:-1])


def _require_supported(method: Method) -> None:
    plain = Method("", method.correction, method.product, method.normalised, method.extrapolation)
    for field in fields(Method):
        name, value = field.name, getattr(method, field.name)
        if name not in ("name", "batch", "correction_batch") and value != getattr(plain, name):
            raise InvalidPolicyError(f"{name} is {value!r}: not supported for PyTorch policies")
    if method.correction == IMPORTANCE or method.product == TRANSPOSED:
        raise InvalidPolicyError(f"{method.name} has importance weights or a transposed product: not supported here")


def ascend(
    method: Method, rule: Schedule, policy: TorchPolicy, simulate: Simulator, *, discount: float, seed: int
) -> Ascent:
    """Run a method from the parameters of the policy as it was given, for as many iterations as there are steps.

    Parameters
    ----------
    method
        A method of `solvers.n_harpg` with a Hessian-vector product or none; its batches are those of the estimates.
    rule
        Momentum and steps, see `schedule`.
    seed
        Of the actions, of the environment and of the points at which products are taken.

    Raises
    ------
    InvalidPolicyError
        Naming a part of the method that is not supported here.
    """
    _require_supported(method)
    rng, generator = np.random.default_rng(np.random.SeedSequence(seed)), policy.generator(seed)
    theta, seen = policy.parameters(), np.zeros((4, rule.steps.size))
    previous, direction, used = theta, np.zeros_like(theta), 0
    for t, step in enumerate(rule.steps):
        place, move, eta = theta, theta - previous, float(rule.eta[t])
        count = method.batch if t else rule.first_batch
        if t and method.extrapolation != 0.0:
            place = theta + method.extrapolation * (1.0 - eta) / eta * move
        if t and method.correction == HESSIAN:
            between = previous + rng.random() * move
            second = simulate(policy, between, method.correction_batch, generator, rng)
            causal = method.product == CAUSAL
            direction = direction + hessian_product(policy, between, second, discount, move, causal=causal)
            used += method.correction_batch
        first = simulate(policy, place, count, generator, rng)
        estimate = gradient(policy, place, first, discount)
        direction = (1.0 - eta) * direction + eta * estimate if t else rule.first_weight * estimate
        norm = float(np.linalg.norm(direction))
        used += count
        seen[:, t] = used, first.returns(1.0).mean(), first.alive.sum(axis=1).mean(), norm
        unit = direction / norm if method.normalised and norm > 0.0 else direction
        previous, theta = theta, theta + step * unit
    return Ascent(theta, seen[0].astype(np.int64), seen[1], seen[2], seen[3])
