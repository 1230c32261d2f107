r"""Deterministic control: plants, stage costs, feedback policies, and the linear-quadratic expert.

A plant moves by :math:`x_{t+1} = f(x_t, u_t)`, :math:`x \in R^n`, :math:`u \in R^m`, with the equilibrium
:math:`f(0, 0) = 0`. A policy sees :math:`y_t = x_t + \delta_t` and plays :math:`u_t = \pi(y_t)`; its cost is
:math:`\sum_t \gamma^t c(x_t, u_t)`.

**Linear-quadratic regulator.** For :math:`f(x, u) = A x + B u`, :math:`c(x, u) = x^\top Q x + u^\top R u` and
:math:`0 < \gamma \le 1` the optimal policy is :math:`u = -K x` with

.. math::
    P = Q + \gamma A^\top P A - \gamma^2 A^\top P B S^{-1} B^\top P A, \qquad
    S = R + \gamma B^\top P B, \qquad K = \gamma S^{-1} B^\top P A,

that is the undiscounted regulator of :math:`(\sqrt\gamma A, \sqrt\gamma B)`. The gain of :math:`\gamma = 1` is *not*
optimal for :math:`\gamma < 1`.

Every array is checked on construction and cannot be written to afterwards.
"""

from dataclasses import dataclass
from math import cos, inf, isfinite
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mdps.control_policies import (
    Demonstrations,
    EnvelopePolicy,
    InterpolatedPolicy,
    LinearPolicy,
    MeasurementDisturbance,
    Policy,
    as_matrix,
    demonstrate,
    require_positive,
    require_symmetric,
    unit_vectors,
)
from mdps.errors import InvalidModelError
from mdps.validation import FloatArray, as_float_array, require_shape

__all__ = [
    "LINEAR",
    "NORM",
    "PENDULUM",
    "POLYNOMIAL",
    "QUADRATIC",
    "Cost",
    "Demonstrations",
    "EnvelopePolicy",
    "InterpolatedPolicy",
    "LinearPlant",
    "LinearPolicy",
    "MeasurementDisturbance",
    "NormCost",
    "NotStabilisableError",
    "Pendulum",
    "Plant",
    "Policy",
    "PolynomialDecay",
    "QuadraticCost",
    "Regulator",
    "as_matrix",
    "closed_loop",
    "demonstrate",
    "regulator",
    "require_positive",
    "require_stabilisable",
    "require_symmetric",
    "riccati_residual",
    "unit_vectors",
]

LINEAR, PENDULUM, POLYNOMIAL = range(3)
"""Kinds of plants."""

QUADRATIC, NORM = range(2)
"""Kinds of stage costs."""

RICCATI_TOLERANCE = 1e-10
"""Largest admitted residual of the Riccati equation, relative to the largest entry of its solution (at least one)."""

RANK_TOLERANCE = 1e-9
"""Singular values of (A - z I, B) below this, relative to the largest one, mean a mode that no input reaches."""


class NotStabilisableError(InvalidModelError):
    """No feedback makes the (discounted) plant stable; the message names a mode."""


# Plants


@dataclass(frozen=True, eq=False)
class LinearPlant:
    r""":math:`f(x, u) = A x + B u` with ``A (n, n)``, ``B (n, m)``; numbers stand for scalar plants.

    Raises
    ------
    InvalidModelError
        Naming the entry or shape that does not fit.
    """

    A: FloatArray
    B: FloatArray

    def __init__(self, A: npt.ArrayLike, B: npt.ArrayLike) -> None:
        drift, inputs = as_matrix("A", A), as_matrix("B", B)
        require_shape("A", drift, (drift.shape[0], drift.shape[0]))
        require_shape("B", inputs, (drift.shape[0], inputs.shape[1]))
        object.__setattr__(self, "A", drift)
        object.__setattr__(self, "B", inputs)

    @property
    def n_states(self) -> int:
        """Dimension n of the state."""
        return self.A.shape[0]

    @property
    def n_inputs(self) -> int:
        """Dimension m of the input."""
        return self.B.shape[1]

    @property
    def code(self) -> tuple[int, FloatArray]:
        """Kind and parameters, for compiled simulation: A then B, row by row."""
        return LINEAR, np.concatenate([self.A.ravel(), self.B.ravel()])

    def step(self, states: npt.ArrayLike, inputs: npt.ArrayLike) -> FloatArray:
        """Return the next states ``(..., n)`` of states ``(..., n)`` under inputs ``(..., m)``."""
        following: FloatArray = np.asarray(states) @ self.A.T + np.asarray(inputs) @ self.B.T
        return following

    def derivatives(self, states: FloatArray, inputs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return f_x ``(..., n, n)`` and f_u ``(..., n, m)``."""
        del inputs
        shape = states.shape[:-1]
        return np.broadcast_to(self.A, (*shape, *self.A.shape)), np.broadcast_to(self.B, (*shape, *self.B.shape))

    def lipschitz(self, radius: float = inf) -> tuple[float, float]:
        """Return Lipschitz constants (L_x, L_u) of f in the state and in the input; they hold everywhere."""
        del radius
        return float(np.linalg.norm(self.A, 2)), float(np.linalg.norm(self.B, 2))

    def jacobians(self, radius: float = inf) -> list[FloatArray]:
        """Return matrices whose convex hull holds the state Jacobians: here A."""
        del radius
        return [self.A]


@dataclass(frozen=True)
class Pendulum:
    r"""Inverted pendulum, Euler steps of ``step_size`` seconds.

    State (angle theta in rad, rate omega in rad/s), input a torque u in N m:

    .. math:: \theta' = \theta + h \omega, \qquad
              \omega' = \omega + h \Big( \frac g l \sin\theta - \frac c I \omega + \frac u I \Big).

    Parameters
    ----------
    step_size, gravity_over_length, inertia, friction
        h, g / l, I and c: positive (friction may be zero).
    """

    step_size: float = 0.05
    gravity_over_length: float = 19.62
    inertia: float = 0.0375
    friction: float = 0.05

    def __post_init__(self) -> None:
        """Check the parameters."""
        require_positive("step_size", self.step_size)
        require_positive("gravity_over_length", self.gravity_over_length)
        require_positive("inertia", self.inertia)
        require_positive("friction", self.friction, strict=False)

    n_states = 2
    n_inputs = 1

    @property
    def code(self) -> tuple[int, FloatArray]:
        """Kind and parameters (h, h g / l, 1 - h c / I, h / I), for compiled simulation."""
        h = self.step_size
        damping = 1.0 - h * self.friction / self.inertia
        return PENDULUM, np.array([h, h * self.gravity_over_length, damping, h / self.inertia])

    def step(self, states: npt.ArrayLike, inputs: npt.ArrayLike) -> FloatArray:
        """Return the next states ``(..., 2)`` of states ``(..., 2)`` under torques ``(..., 1)``."""
        x, torque = np.asarray(states, dtype=np.float64), np.asarray(inputs, dtype=np.float64)[..., 0]
        h, swing, damping, lever = self.code[1]
        angle, rate = x[..., 0], x[..., 1]
        return np.stack([angle + h * rate, damping * rate + swing * np.sin(angle) + lever * torque], axis=-1)

    def derivatives(self, states: FloatArray, inputs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return f_x ``(..., 2, 2)`` and f_u ``(..., 2, 1)``."""
        del inputs
        h, swing, damping, lever = self.code[1]
        state, control = np.zeros((*states.shape, 2)), np.zeros((*states.shape, 1))
        state[..., 0, 0], state[..., 0, 1], state[..., 1, 1] = 1.0, h, damping
        state[..., 1, 0], control[..., 1, 0] = swing * np.cos(states[..., 0]), lever
        return state, control

    def linearisation(self, cosine: float = 1.0) -> LinearPlant:
        """Return (A, B) at an angle with the given cosine; 1 is the upright position."""
        h, swing, damping, lever = self.code[1]
        return LinearPlant([[1.0, h], [swing * cosine, damping]], [[0.0], [lever]])

    def jacobians(self, radius: float) -> list[FloatArray]:
        """Return the two matrices whose segment holds the state Jacobians for angles up to ``radius``."""
        lowest = cos(radius) if radius <= np.pi else -1.0
        return [self.linearisation(lowest).A, self.linearisation(1.0).A]

    def lipschitz(self, radius: float) -> tuple[float, float]:
        """Return Lipschitz constants (L_x, L_u) on angles up to ``radius`` (rad).

        A norm is convex, so that its maximum over the segment of Jacobians is at an end.
        """
        state = max(float(np.linalg.norm(matrix, 2)) for matrix in self.jacobians(radius))
        return state, float(self.code[1][3])


@dataclass(frozen=True)
class PolynomialDecay:
    r"""A scalar loop that is asymptotically but not exponentially stable under its expert :math:`\pi^\star(x) = -kx`.

    .. math:: f(x, u) = x - \eta \frac{x |x|^p}{1 + |x|^p} + \eta \frac{u + k x}{1 + |x|^p}.

    Under the expert :math:`x_t \approx (p \eta t)^{-1/p}`; a constant error :math:`\epsilon` of the input moves the
    equilibrium to :math:`\epsilon^{1/(p+1)}`, so that no linear gain bounds the deviation.

    Parameters
    ----------
    eta
        Step size in (0, 1].
    power
        p, at least one.
    gain
        k of the expert.
    """

    eta: float = 0.3
    power: float = 5.0
    gain: float = 0.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        require_positive("eta", self.eta)
        if self.eta > 1.0:
            raise InvalidModelError(f"eta is {self.eta!r}, above 1")
        require_positive("power", self.power)
        if self.power < 1.0:
            raise InvalidModelError(f"power is {self.power!r}, below 1")
        if not isfinite(self.gain):
            raise InvalidModelError(f"gain is {self.gain!r}, not finite")

    n_states = 1
    n_inputs = 1

    @property
    def code(self) -> tuple[int, FloatArray]:
        """Kind and parameters (eta, p, k), for compiled simulation."""
        return POLYNOMIAL, np.array([self.eta, self.power, self.gain])

    def step(self, states: npt.ArrayLike, inputs: npt.ArrayLike) -> FloatArray:
        """Return the next states ``(..., 1)`` of states ``(..., 1)`` under inputs ``(..., 1)``."""
        x, u = np.asarray(states, dtype=np.float64), np.asarray(inputs, dtype=np.float64)
        size = np.abs(x) ** self.power
        return x - self.eta * (x * size - u - self.gain * x) / (1.0 + size)

    def derivatives(self, states: FloatArray, inputs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return f_x ``(..., 1, 1)`` and f_u ``(..., 1, 1)``."""
        size = np.abs(states) ** self.power
        growth = self.power * np.abs(states) ** (self.power - 1.0) * np.sign(states)
        inner = states * size - inputs - self.gain * states
        slope = ((self.power + 1.0) * size - self.gain) / (1.0 + size) - inner * growth / (1.0 + size) ** 2
        return (1.0 - self.eta * slope)[..., None], (self.eta / (1.0 + size))[..., None]

    @property
    def loop_lipschitz(self) -> float:
        r"""The least Lipschitz constant of the expert's loop.

        Its slope is :math:`1 - \eta s` with :math:`0 \le s \le (p + 1)^2 / (4 p)`, one at the origin: the loop is
        nonexpansive while :math:`\eta s \le 2`.
        """
        return max(1.0, self.eta * (self.power + 1.0) ** 2 / (4.0 * self.power) - 1.0)

    def lipschitz(self, radius: float = inf) -> tuple[float, float]:
        """Return (L_x, L_u): L_x is infinite, for the slope in the state grows with the input; L_u holds everywhere."""
        del radius
        return inf, self.eta


Plant: TypeAlias = LinearPlant | Pendulum | PolynomialDecay


# Stage costs


def _require_discount(discount: float) -> float:
    if not 0.0 < discount <= 1.0:
        raise InvalidModelError(f"discount is {discount!r}, outside (0, 1]")
    return float(discount)


@dataclass(frozen=True, eq=False)
class QuadraticCost:
    r""":math:`c(x, u) = x^\top Q x + u^\top R u`, ``Q (n, n)`` semidefinite, ``R (m, m)`` definite; discount in (0, 1].

    Raises
    ------
    InvalidModelError
        Naming the entry or shape that does not fit.
    """

    Q: FloatArray
    R: FloatArray
    discount: float

    def __init__(self, Q: npt.ArrayLike, R: npt.ArrayLike, discount: float = 1.0) -> None:
        state, inputs = as_matrix("Q", Q), as_matrix("R", R)
        require_symmetric("Q", state, state.shape[0], definite=False)
        require_symmetric("R", inputs, inputs.shape[0], definite=True)
        object.__setattr__(self, "Q", state)
        object.__setattr__(self, "R", inputs)
        object.__setattr__(self, "discount", _require_discount(discount))

    @property
    def code(self) -> tuple[int, FloatArray]:
        """Kind and parameters, for compiled simulation: Q then R, row by row."""
        return QUADRATIC, np.concatenate([self.Q.ravel(), self.R.ravel()])

    def stage(self, states: npt.ArrayLike, inputs: npt.ArrayLike) -> FloatArray:
        """Return the costs ``(...)`` of states ``(..., n)`` and inputs ``(..., m)``."""
        x, u = np.asarray(states), np.asarray(inputs)
        costs: FloatArray = ((x @ self.Q) * x).sum(axis=-1) + ((u @ self.R) * u).sum(axis=-1)
        return costs

    def gradients(self, states: FloatArray, inputs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return c_x ``(..., n)`` and c_u ``(..., m)``."""
        return 2.0 * states @ self.Q, 2.0 * inputs @ self.R

    def lipschitz(self, state_radius: float, input_radius: float) -> tuple[float, float]:
        """Return (l_x, l_u) on states and inputs of at most these norms: 2 r ||Q|| and 2 r_u ||R||."""
        return (
            2.0 * state_radius * float(np.linalg.norm(self.Q, 2)),
            2.0 * input_radius * float(np.linalg.norm(self.R, 2)),
        )

    def discounted(self, discount: float) -> "QuadraticCost":
        """Return the same stage cost with another discount."""
        return QuadraticCost(self.Q, self.R, discount)


@dataclass(frozen=True)
class NormCost:
    r""":math:`c(x, u) = \ell_x \| x \| + \ell_u \| u \|`; the weights are its Lipschitz constants; discount in (0, 1].

    Raises
    ------
    InvalidModelError
        If a weight is negative or not finite, or the discount is outside (0, 1].
    """

    state: float = 1.0
    input: float = 0.0
    discount: float = 1.0

    def __post_init__(self) -> None:
        """Check the weights."""
        require_positive("state", self.state, strict=False)
        require_positive("input", self.input, strict=False)
        _require_discount(self.discount)

    @property
    def code(self) -> tuple[int, FloatArray]:
        """Kind and parameters (l_x, l_u), for compiled simulation."""
        return NORM, np.array([self.state, self.input])

    def stage(self, states: npt.ArrayLike, inputs: npt.ArrayLike) -> FloatArray:
        """Return the costs ``(...)`` of states ``(..., n)`` and inputs ``(..., m)``."""
        costs: FloatArray = self.state * np.linalg.norm(states, axis=-1) + self.input * np.linalg.norm(inputs, axis=-1)
        return costs

    def gradients(self, states: FloatArray, inputs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return c_x ``(..., n)`` and c_u ``(..., m)``; zero, a subgradient, at the origin."""
        return self.state * unit_vectors(states), self.input * unit_vectors(inputs)

    def lipschitz(self, state_radius: float = inf, input_radius: float = inf) -> tuple[float, float]:
        """Return (l_x, l_u); they hold everywhere."""
        del state_radius, input_radius
        return self.state, self.input

    def discounted(self, discount: float) -> "NormCost":
        """Return the same stage cost with another discount."""
        return NormCost(self.state, self.input, discount)


Cost: TypeAlias = QuadraticCost | NormCost


# The linear-quadratic expert


@dataclass(frozen=True, eq=False)
class Regulator:
    """The optimal linear-quadratic policy (see the module).

    Parameters
    ----------
    policy
        ``u = -K x``.
    value
        P ``(n, n)``: the optimal cost from x is ``x' P x``.
    weight
        S ``(m, m)``.
    residual
        Largest entry of the Riccati equation's residual.
    """

    policy: LinearPolicy
    value: FloatArray
    weight: FloatArray
    residual: float

    @property
    def gain(self) -> FloatArray:
        """K, ``(m, n)``."""
        return self.policy.gain


def riccati_residual(plant: LinearPlant, cost: QuadraticCost, value: FloatArray) -> float:
    """Return the largest entry of ``Q + g A'PA - g^2 A'PB S^-1 B'PA - P`` for a symmetric ``value`` P."""
    A, B, discount = plant.A, plant.B, cost.discount
    weight = cost.R + discount * B.T @ value @ B
    cross = discount * B.T @ value @ A
    update = cost.Q + discount * A.T @ value @ A - cross.T @ np.linalg.solve(weight, cross)
    return float(np.abs(update - value).max())


def require_stabilisable(plant: LinearPlant, discount: float = 1.0) -> None:
    """Raise unless an input reaches every unstable mode of ``sqrt(discount) A`` (test of Popov, Belevitch, Hautus).

    Raises
    ------
    NotStabilisableError
        Naming an unreachable mode.
    """
    n = plant.n_states
    for mode in np.linalg.eigvals(plant.A):
        if discount * abs(mode) ** 2 < 1.0:
            continue
        values = np.linalg.svd(np.hstack([plant.A - mode * np.eye(n), plant.B]), compute_uv=False)
        if values[n - 1] <= RANK_TOLERANCE * values[0]:
            shown = f"{mode.real:.6g}" if mode.imag == 0.0 else f"{mode:.6g}"
            raise NotStabilisableError(f"(A, B) is not stabilisable: no input reaches the mode {shown}")


def regulator(plant: LinearPlant, cost: QuadraticCost) -> Regulator:
    """Return the optimal policy of a linear plant with quadratic, possibly discounted, cost.

    Raises
    ------
    InvalidModelError
        If the shapes do not fit, or the Riccati equation is not solved to `RICCATI_TOLERANCE`.
    NotStabilisableError
        If no policy has a finite cost from every state.
    """
    from scipy.linalg import solve_discrete_are  # slow to import

    require_shape("Q", cost.Q, (plant.n_states, plant.n_states))
    require_shape("R", cost.R, (plant.n_inputs, plant.n_inputs))
    require_stabilisable(plant, cost.discount)
    root = np.sqrt(cost.discount)
    try:
        solution = solve_discrete_are(root * plant.A, root * plant.B, cost.Q, cost.R)
    except (np.linalg.LinAlgError, ValueError) as error:
        raise InvalidModelError(f"the Riccati equation has no stabilising solution: {error}") from None
    value = (solution + solution.T) / 2.0
    residual = riccati_residual(plant, cost, value)
    if not residual <= RICCATI_TOLERANCE * max(1.0, float(np.abs(value).max())):
        raise InvalidModelError(f"the Riccati equation is solved to {residual:.3g} only")
    weight = cost.R + cost.discount * plant.B.T @ value @ plant.B
    gain = np.linalg.solve(weight, cost.discount * plant.B.T @ value @ plant.A)
    radius = root * float(np.abs(np.linalg.eigvals(plant.A - plant.B @ gain)).max())
    if not radius < 1.0:
        raise InvalidModelError(f"the Riccati equation has no stabilising solution: the loop has modulus {radius:.6g}")
    return Regulator(LinearPolicy(gain), as_float_array("value", value), as_float_array("weight", weight), residual)


def closed_loop(plant: LinearPlant, gain: npt.ArrayLike) -> FloatArray:
    """Return ``A - B K`` for a gain K ``(m, n)``.

    Raises
    ------
    InvalidModelError
        If the gain has the wrong shape.
    """
    matrix = as_matrix("gain", gain)
    require_shape("gain", matrix, (plant.n_inputs, plant.n_states))
    loop: FloatArray = plant.A - plant.B @ matrix
    return loop
