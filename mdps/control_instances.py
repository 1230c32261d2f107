r"""Named control instances, easy to worst case; each says what it is hard for.

None of them is from a paper, but for the form of `polynomial_decay`. A random instance takes a seed and is the same
for the same seed.
"""

from dataclasses import dataclass
from itertools import product
from math import isfinite

import numpy as np
import numpy.typing as npt

from mdps.control import Cost, LinearPlant, Pendulum, Plant, PolynomialDecay, QuadraticCost, regulator
from mdps.control_policies import (
    Demonstrations,
    EnvelopePolicy,
    InterpolatedPolicy,
    LinearPolicy,
    Policy,
    as_matrix,
    demonstrate,
    require_positive,
)
from mdps.errors import InvalidModelError
from mdps.validation import FloatArray, as_float_array


@dataclass(frozen=True, eq=False)
class ControlInstance:
    """A plant, its expert and a stage cost.

    Parameters
    ----------
    name
        As in tables.
    plant, expert
        They agree in their dimensions.
    cost
        None where only the motion matters.
    radius
        Half side of the cube of states on which the expert demonstrates.
    metric
        P ``(n, n)`` of the norm ``sqrt(x' P x)`` in which the loop contracts; None for the Euclidean norm.
    hard_for
        What goes wrong here.
    """

    name: str
    plant: Plant
    expert: Policy
    cost: Cost | None
    radius: float
    hard_for: str
    metric: FloatArray | None = None

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        if (self.plant.n_states, self.plant.n_inputs) != (self.expert.n_states, self.expert.n_inputs):
            raise InvalidModelError(
                f"the expert maps dimension {self.expert.n_states} to {self.expert.n_inputs}, "
                f"the plant has n = {self.plant.n_states}, m = {self.plant.n_inputs}"
            )
        require_positive("radius", self.radius)

    @property
    def linear(self) -> LinearPlant:
        """The plant, if it is linear; raises `InvalidModelError` otherwise."""
        if not isinstance(self.plant, LinearPlant):
            raise InvalidModelError(f"the plant of {self.name} is not linear")
        return self.plant

    @property
    def quadratic(self) -> QuadraticCost:
        """The cost, if it is quadratic; raises `InvalidModelError` otherwise."""
        if not isinstance(self.cost, QuadraticCost):
            raise InvalidModelError(f"the cost of {self.name} is not quadratic")
        return self.cost

    @property
    def gain(self) -> FloatArray:
        """K of an expert ``u = -K x``; raises `InvalidModelError` for other experts."""
        if not isinstance(self.expert, LinearPolicy):
            raise InvalidModelError(f"the expert of {self.name} is not linear")
        return self.expert.gain


def _linear_quadratic(
    name: str, plant: LinearPlant, cost: QuadraticCost, hard_for: str, radius: float = 1.0
) -> ControlInstance:
    return ControlInstance(name, plant, regulator(plant, cost).policy, cost, radius, hard_for)


def scalar_stable(discount: float = 1.0) -> ControlInstance:
    """Return x' = 0.9 x + u, Q = R = 1: the easiest loop; robustness worsens with the gain (open loop stable)."""
    return scalar(0.9, discount, "nothing: the plant is stable without a controller")


def scalar_unstable(discount: float = 1.0) -> ControlInstance:
    """Return x' = 1.2 x + u, Q = R = 1: the open loop is unstable, and smaller gains are less robust."""
    return scalar(1.2, discount, "a monotone trade-off between the Lipschitz budget and robustness")


def scalar(drift: float, discount: float = 1.0, hard_for: str = "") -> ControlInstance:
    """Return x' = ``drift`` x + u with Q = R = 1."""
    name = f"scalar {drift:g}"
    return _linear_quadratic(name, LinearPlant(drift, 1.0), QuadraticCost(1.0, 1.0, discount), hard_for)


def rotation(discount: float = 1.0) -> ControlInstance:
    """Return a slowly decaying rotation with one input: a non-normal loop, whose certificate needs M > 1."""
    plant = LinearPlant([[0.9, 0.3], [-0.3, 0.9]], [[0.0], [0.5]])
    cost = QuadraticCost(np.eye(2), 1.0, discount)
    return _linear_quadratic("rotation", plant, cost, "certificates that take M = 1")


def double_integrator(discount: float = 1.0) -> ControlInstance:
    """Return a double integrator, steps of 0.1 s: a large gain, few samples are never enough for small errors."""
    plant = LinearPlant([[1.0, 0.1], [0.0, 1.0]], [[0.005], [0.1]])
    cost = QuadraticCost(np.diag([1.0, 0.1]), 0.1, discount)
    return _linear_quadratic("double integrator", plant, cost, "monotone robustness: the peak gain has a minimum")


PENDULUM_METRIC = ((8.753, 0.842), (0.842, 0.1492))
"""P in which the pendulum's loop contracts by 0.89 on the ellipsoid x'Px <= 1."""


def pendulum(discount: float = 1.0) -> ControlInstance:
    """Return the inverted pendulum: nonlinear, with very different scales of angle and rate."""
    cost = QuadraticCost(np.diag([1.0, 0.1]), 1.0, discount)
    metric = as_float_array("metric", PENDULUM_METRIC)
    return ControlInstance(
        "pendulum", Pendulum(), LinearPolicy([[1.667, 0.3734]]), cost, 0.5, "Euclidean distances of states", metric
    )


def polynomial_decay(eta: float = 0.3, power: float = 5.0, gain: float = 0.0) -> ControlInstance:
    """Return a loop that is stable but not exponentially: no linear gain bounds the effect of an error.

    Source: the form of the loop is one of the test systems of D. Pfrommer, T. Zhang, S. Tu and N. Matni (2022), TaSIL:
    Taylor Series Imitation Learning.
    """
    plant = PolynomialDecay(eta, power, gain)
    return ControlInstance("polynomial decay", plant, LinearPolicy(gain), None, 1.0, "bounds by a linear gain")


def flat_at_origin(spacing: float = 0.2) -> tuple[ControlInstance, InterpolatedPolicy]:
    """Return x' = 1.5 x + u with the expert -x, and a learned policy that is exact at the samples 0, +-spacing.

    The policy is zero up to half the spacing, then has slope -2: hard for the belief that exactness at the samples,
    the origin included, makes the loop asymptotically stable. It converges to two thirds of the spacing.
    """
    h = require_positive("spacing", spacing)
    world = ControlInstance(
        "flat at the origin", LinearPlant(1.5, 1.0), LinearPolicy(1.0), None, 1.0, "asymptotic stability from samples"
    )
    return world, InterpolatedPolicy([-h, -h / 2, h / 2, h], [h, 0.0, 0.0, -h])


def saturated_expert(drift: float = 1.2) -> tuple[ControlInstance, LinearPolicy]:
    """Return a scalar regulator and a copy that is exact on [-1, 1] and saturates outside.

    Hard for claims of global stability from data on a domain: from beyond k / (drift - 1) the copy diverges.
    """
    world = scalar(drift, hard_for="global stability from data on a domain")
    return world, LinearPolicy(world.gain, saturation=1.0)


def non_normal() -> ControlInstance:
    """Return a stable loop with a transient growth by a factor of twenty: hard for gains without M."""
    plant = LinearPlant([[0.5, 5.0], [0.0, 0.5]], [[0.0], [1.0]])
    return ControlInstance("non-normal", plant, LinearPolicy([[0.0, 0.0]]), None, 1.0, "the gain L_u / (1 - beta)")


def steep_segment(slope: float = 5.0, width: float = 0.1, shallow: float = 0.5) -> InterpolatedPolicy:
    """Return a scalar expert on [-1, 1] with one steep segment around zero.

    The modulus of continuity is strictly concave, so that the best Lipschitz budget against measurement errors is an
    interior one: hard for the belief that copying the expert's constant is best.
    """
    w = require_positive("width", width)
    if not (w < 2.0 and slope > shallow >= 0.0):
        raise InvalidModelError(
            f"width {width!r}, slopes {slope!r} and {shallow!r}: not width < 2, slope > shallow >= 0"
        )
    rise, outer = slope * w / 2.0, shallow * (1.0 - w / 2.0)
    return InterpolatedPolicy([-1.0, -w / 2.0, w / 2.0, 1.0], [rise + outer, rise, -rise, -rise - outer])


def piecewise_expert(seed: int, pieces: int = 6) -> InterpolatedPolicy:
    """Return a random piecewise-linear scalar expert on [-1, 1] with ``pieces`` segments and normal slopes."""
    if pieces < 1:
        raise InvalidModelError(f"pieces is {pieces!r}, not a positive integer")
    rng = np.random.default_rng(seed)
    lengths = rng.dirichlet(np.full(pieces, 2.0)) + 1e-3
    knots = np.concatenate([[-1.0], -1.0 + 2.0 * np.cumsum(lengths) / lengths.sum()])
    knots[-1] = 1.0
    return InterpolatedPolicy(knots, np.concatenate([[0.0], np.cumsum(rng.normal(size=pieces) * np.diff(knots))]))


def arc_data(size: int = 40, angle: float = 1.9, rise: float = 6.0) -> Demonstrations:
    """Return ``size`` states on an arc of ``angle`` times pi of the unit circle, with inputs from 0 to ``rise``.

    Hard for constraints on neighbours only: the ends of the arc are close to each other.
    """
    if size < 2:
        raise InvalidModelError(f"size is {size!r}, below 2")
    turns = np.linspace(0.0, angle * np.pi, size)
    return Demonstrations(np.stack([np.cos(turns), np.sin(turns)], axis=1), np.linspace(0.0, rise, size)[:, None])


def thin_triangle(height: float = 0.1) -> Demonstrations:
    """Return the triangle (-1, 0), (1, 0), (0, height) with inputs 0, 0, height.

    Hard for piecewise-linear interpolation: its gradient is 1 / height times steeper than the samples show.
    """
    eta = require_positive("height", height)
    return Demonstrations([[-1.0, 0.0], [1.0, 0.0], [0.0, eta]], [[0.0], [0.0], [eta]])


def distance_experts(points: npt.ArrayLike, slope: float) -> tuple[EnvelopePolicy, EnvelopePolicy]:
    """Return the two ``slope``-Lipschitz experts +-slope * (distance to the points), which agree on the points.

    Worst case for every estimator: the data are zero for both.
    """
    x = as_matrix("points", points)
    zeros = np.zeros(x.shape[0])
    return EnvelopePolicy(x, zeros, slope, "upper"), EnvelopePolicy(x, zeros, slope, "lower")


def wrong_sign_extension(slope: float = 1.0) -> tuple[LinearPolicy, LinearPolicy, Demonstrations]:
    """Return the expert -slope x, an interpolant +slope x of its single sample at the origin, and that sample.

    The error is twice the slope times the distance to the sample: worst case among Lipschitz interpolants.
    """
    expert = LinearPolicy(require_positive("slope", slope))
    return expert, LinearPolicy(-slope), demonstrate(expert, [[0.0]])


def wrong_sign_policy(alpha: float) -> tuple[LinearPlant, LinearPolicy]:
    """Return x' = 0.5 x + u and the policy u = +alpha x, for which the bound on the deterioration is attained."""
    return LinearPlant(0.5, 1.0), LinearPolicy(-require_positive("alpha", alpha, strict=False))


def scalar_drift(beta: float = 0.6) -> ControlInstance:
    """Return x' = beta x + u with the expert zero: constant input errors attain the bound on the regret."""
    if not (isfinite(beta) and 0.0 <= beta < 1.0):
        raise InvalidModelError(f"beta is {beta!r}, outside [0, 1)")
    return ControlInstance("scalar drift", LinearPlant(beta, 1.0), LinearPolicy(0.0), None, 1.0, "slack in the regret")


def reflected_states(gain: npt.ArrayLike, base: npt.ArrayLike) -> FloatArray:
    """Return base states ``(b, n)`` reflected in all orthants of the right-singular basis of a gain, ``(b 2^n, n)``."""
    _, _, basis = np.linalg.svd(as_matrix("gain", gain), full_matrices=True)
    coordinates = as_matrix("base", base) @ basis.T
    signs = np.array(list(product([1.0, -1.0], repeat=basis.shape[0])))
    points: FloatArray = (coordinates[:, None, :] * signs).reshape(-1, basis.shape[0]) @ basis
    return points


def many_inputs(
    seed: int = 0, n_states: int = 4, n_inputs: int = 2, base: int = 3
) -> tuple[ControlInstance, Demonstrations]:
    """Return a random regulator with several inputs, and demonstrations that are symmetric in its singular basis.

    Vector-valued and of dimension four, hard for componentwise methods and for covering; the symmetry makes the exact
    solution of the learning problem known: the gain with clipped singular values.
    """
    rng = np.random.default_rng(seed)
    drift = rng.normal(size=(n_states, n_states))
    plant = LinearPlant(drift / max(abs(np.linalg.eigvals(drift))), rng.normal(size=(n_states, n_inputs)))
    cost = QuadraticCost(np.eye(n_states), np.eye(n_inputs))
    world = _linear_quadratic("many inputs", plant, cost, "componentwise extension, covering in high dimension")
    return world, demonstrate(world.expert, reflected_states(world.gain, rng.uniform(-1.0, 1.0, (base, n_states))))


LINEAR_QUADRATIC = (scalar_stable, scalar_unstable, rotation, double_integrator)
"""The four linear-quadratic instances, easy to hard."""
