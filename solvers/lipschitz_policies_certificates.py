r"""Closed-loop guarantees of a learned policy, and the exact quantities that they bound.

:math:`\epsilon` is the learning error on the domain, :math:`\zeta` the bound of the measurement errors, and
:math:`\omega = \epsilon + \alpha\zeta` the error of the input. The expert loop is incrementally exponentially stable,
:math:`\| F^t(x) - F^t(y) \| \le M \beta^t \| x - y \|`, and :math:`\Gamma = M L_u / (1 - \beta)`.

* **Deviation**: :math:`\| x_t - x_t^\star \| \le M L_u \omega (1 - \beta^t) / (1 - \beta) \le \Gamma\omega`, as long as
  the state stays in the domain: :math:`M r_0 + \Gamma\omega \le r`, or :math:`\beta s + \| B \|_P\, \omega \le s`.
* **Regret**: :math:`|J(\hat\pi; \delta) - J(\pi^\star)| \le \omega C_R / (1 - \gamma)`,
  :math:`C_R = \ell_u + \gamma (\ell_x + \ell_u L^\star) M L_u / (1 - \gamma\beta)`.
* **Regret of an optimal expert** (linear-quadratic): :math:`J(\hat\pi; \delta) - J^\star \le \| S \| \omega^2 /
  (1 - \gamma)`, with :math:`S = R + \gamma B^\top P B`.
* **Deterioration**: :math:`\sup_\delta J(\hat\pi; \delta) - J(\hat\pi; 0) \le \frac{\alpha\zeta}{1 - \gamma} \big[
  \ell_u + \gamma L_u (\ell_x + \ell_u\alpha) / (1 - \gamma (L_x + L_u\alpha)) \big]`. For the optimal expert itself it
  *equals* :math:`\zeta^2 \lambda_{\max}(K^\top S K) / (1 - \gamma)`.

All constants are explicit versions, derived here, of what the paper announces.

References
----------
A. Al Makdah, V. Krishnan and F. Pasqualetti (2021). Learning Lipschitz Feedback Policies from Expert Demonstrations.
"""

from dataclasses import dataclass
from math import ceil, inf, isfinite, log, sqrt

import numpy as np
import numpy.typing as npt

from mdps.control import LinearPlant, QuadraticCost, Regulator, as_matrix, closed_loop, require_positive
from mdps.errors import InvalidModelError
from mdps.validation import FloatArray, require_shape
from solvers.lipschitz_policies_lmi import spectral_radius

TAIL = 1e-17
"""Relative size below which the powers of a stable loop are dropped: below the rounding of their sum."""

MAX_RESPONSES = 1_000_000
"""Largest number of powers that are kept."""


class InadmissibleError(InvalidModelError):
    """The input error is too large for the state to be kept in the domain."""


@dataclass(frozen=True)
class Constants:
    """The constants of a loop, in one norm.

    Parameters
    ----------
    expert_lipschitz
        L*.
    input_lipschitz
        L_u.
    growth, rate
        M >= 1 and 0 <= beta < 1.

    Raises
    ------
    InvalidModelError
        Naming a constant that is out of range.
    """

    expert_lipschitz: float
    input_lipschitz: float
    growth: float
    rate: float

    def __post_init__(self) -> None:
        """Check the ranges."""
        require_positive("expert_lipschitz", self.expert_lipschitz, strict=False)
        require_positive("input_lipschitz", self.input_lipschitz)
        if not (isfinite(self.growth) and self.growth >= 1.0):
            raise InvalidModelError(f"growth is {self.growth!r}, not at least 1")
        if not 0.0 <= self.rate < 1.0:
            raise InvalidModelError(f"rate is {self.rate!r}, outside [0, 1)")

    @property
    def gain(self) -> float:
        """Gamma = M L_u / (1 - beta)."""
        return self.growth * self.input_lipschitz / (1.0 - self.rate)


# Deviation and invariance


def deviation_bound(constants: Constants, omega: float, steps: npt.ArrayLike = inf) -> FloatArray:
    """Return the bounds on ``||x_t - x*_t||`` under input errors up to omega; Gamma omega if no step is given."""
    horizon = np.asarray(steps, dtype=np.float64)
    bound: FloatArray = constants.gain * omega * (1.0 - constants.rate**horizon)
    return bound


def relative_rate(constants: Constants, kappa: float) -> float:
    """Return beta + M L_u kappa: below one, input errors up to kappa ||x|| leave the loop exponentially stable."""
    return constants.rate + constants.growth * constants.input_lipschitz * kappa


def lyapunov_deviation(
    lower: float, upper: float, rate: float, slope: float, disturbance: float, start: float, steps: npt.ArrayLike = inf
) -> FloatArray:
    """Return the bounds on ``||x_t||`` from a Lyapunov function.

    Parameters
    ----------
    lower, upper, rate, slope
        c1 ||x|| <= V(x) <= c2 ||x||, V(F(x)) <= lambda V(x), and V is c4-Lipschitz.
    disturbance
        Bound of the additive disturbance of the state, L_u omega.
    start
        ||x_0||.
    """
    power = rate ** np.asarray(steps, dtype=np.float64)
    bound: FloatArray = (upper * power * start + slope * disturbance * (1.0 - power) / (1.0 - rate)) / lower
    return bound


@dataclass(frozen=True)
class ConverseLyapunov:
    """V(x) = sum of ||F^k(x)||, k < terms: ||x|| <= V <= upper ||x||, V(F(x)) <= rate V(x), V is slope-Lipschitz."""

    terms: int
    upper: float
    rate: float
    slope: float


def converse_lyapunov(growth: float, rate: float, loop_lipschitz: float) -> ConverseLyapunov:
    """Return the Lyapunov function of an exponentially stable loop with the Lipschitz constant ``loop_lipschitz``.

    V(F(x)) - V(x) <= -(1 - M beta^T) ||x||, which is at least half of ||x||.
    """
    terms = max(1, ceil(log(2.0 * growth) / log(1.0 / rate))) if rate > 0.0 else 1
    upper = growth * (1.0 - rate**terms) / (1.0 - rate)
    slope = float(sum(loop_lipschitz**k for k in range(terms)))
    return ConverseLyapunov(terms, upper, 1.0 - (1.0 - growth * rate**terms) / upper, slope)


def tube_bound(constants: Constants, alpha: float, on_trajectory: float, steps: int | None = None) -> float:
    """Return a bound on ``||x_t - x*_t||`` from the error on the expert's trajectory only.

    Parameters
    ----------
    alpha
        Lipschitz constant of the learned policy.
    on_trajectory
        Largest error of the learned policy at states of the expert's trajectory.
    steps
        Number of steps; for ever if omitted, which needs Gamma (alpha + L*) < 1, else the bound is infinite.
    """
    push = constants.growth * constants.input_lipschitz
    feedback = push * (alpha + constants.expert_lipschitz)
    if steps is not None:
        rate = constants.rate + feedback
        return push * on_trajectory * (float(steps) if rate == 1.0 else (rate**steps - 1.0) / (rate - 1.0))
    slack = (1.0 - constants.rate) - feedback
    return push * on_trajectory / slack if slack > 0.0 else inf


def require_admissible(constants: Constants, omega: float, radius: float, start: float) -> float:
    """Return ``M start + Gamma omega``, the radius that the state never leaves.

    Raises
    ------
    InadmissibleError
        If that is more than ``radius``.
    """
    reach = constants.growth * start + constants.gain * omega
    if not reach <= radius:
        largest = (radius - constants.growth * start) / constants.gain
        raise InadmissibleError(
            f"the input error {omega:.6g} may drive the state to {reach:.6g}, beyond the radius {radius:.6g}: "
            + (f"at most {largest:.6g} is admissible" if largest > 0.0 else "no error is admissible from this start")
        )
    return reach


def require_invariant(rate: float, input_norm: float, omega: float, level: float = 1.0) -> float:
    """Return ``beta s + ||B||_P omega``, where the next state lies if this one has ``||x||_P <= s = level``.

    Raises
    ------
    InadmissibleError
        If that is more than ``level``.
    """
    reach = rate * level + input_norm * omega
    if not reach <= level:
        raise InadmissibleError(
            f"the input error {omega:.6g} may drive the state out of the ellipsoid of level {level:.6g}: at most "
            f"{(1.0 - rate) * level / input_norm:.6g} is admissible"
        )
    return reach


# Samples


def grid_samples(dimension: int, radius: float, slope: float, admissible: float) -> int:
    """Return the size k^n of the coarsest grid of cell centres of a cube that meets ``slope * h <= admissible``.

    Parameters
    ----------
    radius
        Half side of the cube; the fill distance is h = radius sqrt(n) / k.
    slope
        alpha + L* for any interpolant, alpha for the central one.
    """
    require_positive("admissible", admissible)
    cells = max(1, ceil(slope * radius * sqrt(dimension) / admissible * (1.0 - 1e-12)))
    return int(cells) ** dimension


def covering_grid(dimension: int, radius: float, fill: float, offset: float = 0.0) -> FloatArray:
    """Return the centres ``(N, n)`` of the cells of a cubic grid that meet a ball: no state of it is further than fill.

    Parameters
    ----------
    radius, fill
        Of the ball around the origin, and the distance to the nearest centre that is allowed.
    offset
        Position of the origin in its cell, in units of the cell's side: zero puts a centre there.
    """
    side = 2.0 * require_positive("fill", fill) / sqrt(dimension)
    most = ceil(require_positive("radius", radius) / side + abs(offset)) + 1
    axis = (np.arange(-most, most + 1) + offset) * side
    centres = np.stack(np.meshgrid(*[axis] * dimension, indexing="ij"), axis=-1).reshape(-1, dimension)
    nearest = np.maximum(np.abs(centres) - side / 2.0, 0.0)
    kept: FloatArray = centres[(nearest**2).sum(axis=1) < radius**2]
    return kept


def random_samples(dimension: int, radius: float, slope: float, admissible: float, delta: float) -> int:
    """Return the least number of uniform samples whose fill distance is certified to meet ``slope * h <= admissible``.

    With probability 1 - delta, h <= 2 radius sqrt(n) / k, k the integer part of (N / ln(N / delta))^(1/n).
    """
    require_positive("admissible", admissible)
    if not 0.0 < delta < 1.0:
        raise InvalidModelError(f"delta is {delta!r}, outside (0, 1)")
    cells = max(1, ceil(2.0 * slope * radius * sqrt(dimension) / admissible * (1.0 - 1e-12)))
    needed = float(cells**dimension)
    low, high = 2, 4  # N / ln(N / delta) increases from N = e delta on
    while high / log(high / delta) < needed:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        if middle / log(middle / delta) >= needed:
            high = middle
        else:
            low = middle + 1
    return low


# Costs


def regret_constant(constants: Constants, cost_state: float, cost_input: float, discount: float) -> float:
    """Return C_R: regret and deterioration are at most (error of the input) * C_R / (1 - gamma).

    Parameters
    ----------
    cost_state, cost_input
        Lipschitz constants of the stage cost on the visited set.
    """
    value_slope = (cost_state + cost_input * constants.expert_lipschitz) * constants.growth
    return cost_input + discount * value_slope * constants.input_lipschitz / (1.0 - discount * constants.rate)


def lqr_regret_bound(weight: npt.ArrayLike, omega: float, discount: float) -> float:
    """Return ||S|| omega^2 / (1 - gamma); the average per step for gamma = 1."""
    per_step = float(np.linalg.norm(as_matrix("weight", weight), 2)) * omega**2
    return per_step if discount == 1.0 else per_step / (1.0 - discount)


def lqr_relative_regret_bound(weight: npt.ArrayLike, constants: Constants, kappa: float, start: float) -> float:
    """Return the bound on the undiscounted regret under input errors up to kappa ||x||; infinite if unstable."""
    rate = relative_rate(constants, kappa)
    if rate >= 1.0:
        return inf
    norm = float(np.linalg.norm(as_matrix("weight", weight), 2))
    return norm * (kappa * constants.growth * start) ** 2 / (1.0 - rate**2)


def deterioration_bound(
    alpha: float,
    zeta: float,
    discount: float,
    lipschitz: tuple[float, float],
    cost_lipschitz: tuple[float, float],
    stability: tuple[float, float] | None = None,
) -> float:
    """Return the bound on what measurement errors up to zeta cost; infinite where it does not apply.

    Parameters
    ----------
    lipschitz
        (L_x, L_u) of the plant.
    cost_lipschitz
        (l_x, l_u) of the stage cost.
    stability
        (M, beta) of the *learned* loop; without it the bound needs gamma (L_x + L_u alpha) < 1.
    """
    state, inputs = lipschitz
    growth, rate = (1.0, state + inputs * alpha) if stability is None else stability
    if not (discount * rate < 1.0 and discount < 1.0):
        return inf
    cost_state, cost_input = cost_lipschitz
    through = discount * inputs * (cost_state + cost_input * alpha) * growth / (1.0 - discount * rate)
    return alpha * zeta / (1.0 - discount) * (cost_input + through)


def expert_deterioration_bound(
    constants: Constants,
    cost_lipschitz: tuple[float, float],
    discount: float,
    epsilon: float,
    alpha: float,
    zeta: float,
) -> float:
    """Return C_R (2 epsilon + alpha zeta) / (1 - gamma), which needs no stability of the learned loop."""
    return regret_constant(constants, *cost_lipschitz, discount) * (2.0 * epsilon + alpha * zeta) / (1.0 - discount)


def optimal_deterioration(expert: Regulator, zeta: float, discount: float) -> float:
    """Return what the worst measurement errors up to zeta cost the discounted optimal policy: an equality.

    zeta^2 lambda_max(K'SK) / (1 - gamma), whatever the initial state; see `worst_direction`.
    """
    form = expert.gain.T @ expert.weight @ expert.gain
    return zeta**2 * float(np.linalg.eigvalsh(form)[-1]) / (1.0 - discount)


def worst_direction(expert: Regulator) -> FloatArray:
    """Return the unit vector along which measurement errors, with any signs, attain `optimal_deterioration`."""
    direction: FloatArray = np.linalg.eigh(expert.gain.T @ expert.weight @ expert.gain)[1][:, -1]
    return direction


# Linear policies


def policy_value(plant: LinearPlant, cost: QuadraticCost, gain: npt.ArrayLike) -> FloatArray:
    """Return P_K: the cost of u = -K x from x is x' P_K x.

    Raises
    ------
    InvalidModelError
        If the (discounted) loop is not stable, so that the cost is infinite.
    """
    loop, feedback = closed_loop(plant, gain), as_matrix("gain", gain)
    require_shape("Q", cost.Q, loop.shape)
    root = sqrt(cost.discount)
    radius = root * spectral_radius(loop)
    if radius >= 1.0:
        raise InvalidModelError(f"the cost is infinite: sqrt(discount) times the spectral radius is {radius:.6g}")
    stage = cost.Q + feedback.T @ cost.R @ feedback
    n = loop.shape[0]
    system = np.eye(n * n) - cost.discount * np.kron(loop.T, loop.T)
    value = np.linalg.solve(system, stage.ravel()).reshape(n, n)
    symmetric: FloatArray = (value + value.T) / 2.0
    return symmetric


def sphere_cost(plant: LinearPlant, cost: QuadraticCost, gain: npt.ArrayLike) -> float:
    """Return the cost of u = -K x averaged over initial states uniform on the unit sphere: trace(P_K) / n."""
    value = policy_value(plant, cost, gain)
    return float(np.trace(value)) / value.shape[0]


def scalar_gain_regret(
    plant: tuple[float, float], weight: float, optimal: float, gain: float, discount: float = 1.0, start: float = 1.0
) -> float:
    """Return the exact regret ``S (k* - k)^2 x0^2 / (1 - gamma (a - b k)^2)`` of a scalar gain; infinite if unstable.

    Parameters
    ----------
    plant
        (a, b).
    weight
        S = r + gamma b^2 p.
    optimal
        k*.
    """
    decay = discount * (plant[0] - plant[1] * gain) ** 2
    return weight * (optimal - gain) ** 2 * start**2 / (1.0 - decay) if decay < 1.0 else inf


def impulse_responses(loop: npt.ArrayLike, inputs: npt.ArrayLike) -> FloatArray:
    """Return F^t B, ``(T, n, m)``, until they are smaller than `TAIL` times the largest of them.

    Raises
    ------
    InvalidModelError
        If the loop is not stable, or decays too slowly.
    """
    F, B = as_matrix("loop", loop), as_matrix("inputs", inputs)
    radius = spectral_radius(F)
    if radius >= 1.0:
        raise InvalidModelError(f"the loop is not stable: its spectral radius is {radius:.6g}")
    responses: list[FloatArray] = []
    power, largest = B.copy(), 0.0
    while True:
        size = float(np.abs(power).max())
        largest = max(largest, size)
        if size <= TAIL * largest:
            return np.array(responses) if responses else np.zeros((1, *B.shape))
        if len(responses) == MAX_RESPONSES:
            raise InvalidModelError(f"the loop decays too slowly: its spectral radius is {radius:.12g}")
        responses.append(power)
        power = F @ power


def peak_gain(loop: npt.ArrayLike, inputs: npt.ArrayLike) -> float:
    r"""Return the exact peak gain :math:`\max_{\|c\| = 1} \sum_t | c^\top F^t B |` from a scalar input to the state.

    The reachable set of inputs in [-1, 1] is a sum of segments :math:`[-F^t B, F^t B]`: an interval for n = 1, and for
    n = 2 a polygon, whose vertices follow from the order of the angles. The gain is its largest radius.

    Raises
    ------
    InvalidModelError
        If the loop is not stable, the input is not scalar, or n > 2, where the maximum is not computed exactly.
    """
    responses = impulse_responses(loop, inputs)
    _, n, m = responses.shape
    if m != 1 or n > 2:
        raise InvalidModelError(f"the peak gain is exact for m = 1 and n <= 2, not m = {m}, n = {n}")
    segments = responses[:, :, 0]
    if n == 1:
        return float(np.abs(segments).sum())
    upward = np.where((segments[:, 1] < 0.0) | ((segments[:, 1] == 0.0) & (segments[:, 0] < 0.0)), -1.0, 1.0)
    segments = segments * upward[:, None]
    segments = segments[np.argsort(np.arctan2(segments[:, 1], segments[:, 0]))]
    vertices = segments.sum(axis=0) - 2.0 * np.cumsum(segments, axis=0)
    return float(np.linalg.norm(vertices, axis=1).max())


def measurement_gain(plant: LinearPlant, gain: npt.ArrayLike) -> float:
    """Return the exact peak gain from the measurement error to the state under u = -K y (m = 1, n <= 2)."""
    K = as_matrix("gain", gain)
    return peak_gain(closed_loop(plant, K), plant.B) * float(np.linalg.norm(K, 2))


def norm_sum_gain(loop: npt.ArrayLike, inputs: npt.ArrayLike) -> float:
    """Return the sum of ``||F^t B||``: an upper bound of the peak gain in any dimension."""
    return float(np.linalg.norm(impulse_responses(loop, inputs), 2, axis=(1, 2)).sum())


def smallest_growth(loop: npt.ArrayLike, rate: float, steps: int = 10_000) -> float:
    """Return the largest ``||F^t|| / rate^t`` over t < ``steps``, the smallest valid M if the maximum is inside.

    Raises
    ------
    InvalidModelError
        If the rate is not above the spectral radius, so that no M is valid.
    """
    F = as_matrix("loop", loop)
    radius = spectral_radius(F)
    if not radius < rate:
        raise InvalidModelError(f"the rate {rate:.6g} is not above the spectral radius {radius:.6g}")
    power, growth, scaled = np.eye(F.shape[0]), 1.0, F / rate
    for _ in range(steps):
        power = power @ scaled
        size = float(np.linalg.norm(power, 2))
        growth = max(growth, size)
        if size <= TAIL * growth:
            break
    return growth


def worst_sequence(responses: FloatArray, direction: npt.ArrayLike) -> FloatArray:
    """Return inputs in {-1, 1}, ``(T,)``, that drive the state furthest along a direction after T steps."""
    c = np.asarray(direction, dtype=np.float64)
    signs: FloatArray = np.where(responses[:, :, 0] @ c < 0.0, -1.0, 1.0)[::-1]
    return signs


# What it takes


@dataclass(frozen=True)
class SampleTable:
    """Samples from which on the guarantees are not vacuous: grids and random designs, any and the central policy."""

    admissible: float
    grid_any: int
    grid_central: int
    random_any: int
    random_central: int


def sample_table(
    dimension: int, expert_lipschitz: float, admissible: float, radius: float = 1.0, delta: float = 0.05
) -> SampleTable:
    """Return the sample sizes at which the error of a policy with alpha = L* is certified to be admissible."""
    one, two = expert_lipschitz, 2.0 * expert_lipschitz
    return SampleTable(
        admissible,
        grid_samples(dimension, radius, two, admissible),
        grid_samples(dimension, radius, one, admissible),
        random_samples(dimension, radius, two, admissible, delta),
        random_samples(dimension, radius, one, admissible, delta),
    )
