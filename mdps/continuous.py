r"""Small worlds with real actions, and an oracle, for policy-gradient methods.

**Cauchy bandit.** One state and one action a of the Cauchy law with location :math:`\theta` and scale :math:`\sigma`,
rewarded by :math:`r(a) = s^2 / (s^2 + (a - a^*)^2) \in (0, 1]`. A convolution of Cauchy laws is one: with
:math:`c = s + \sigma` and :math:`x = \theta - a^*`,

.. math:: J = \frac{s c}{c^2 + x^2}, \qquad F = \frac{1}{2 \sigma^2}, \qquad
          E_{a \sim \theta'} [\psi_\theta] = - \frac{2 (\theta - \theta')}{4 \sigma^2 + (\theta - \theta')^2} .

All constants of a gradient method are explicit, the noise of its estimates persists at the optimum, and the score is
bounded: the best place to see rates.

**Scalar linear-quadratic regulator.** :math:`x' = a x + b u + w`, cost :math:`q x^2 + R u^2`, discount
:math:`\gamma`, and :math:`u = -K x + \sigma \xi` with Gaussian exploration; w has variance :math:`\sigma_w^2`. Where
:math:`\gamma (a - b K)^2 < 1`,

.. math::

   P_K &= \frac{q + R K^2}{1 - \gamma (a - bK)^2}, \qquad
   m_K = \frac{(1 - \gamma) E x_0^2 + \gamma (b^2 \sigma^2 + \sigma_w^2)}{1 - \gamma (a - bK)^2}, \\
   J &= - \Big[ P_K E x_0^2 + \frac{R \sigma^2 + \gamma P_K (b^2 \sigma^2 + \sigma_w^2)}{1 - \gamma} \Big], \qquad
   J' = - \frac{2 m_K h_K}{1 - \gamma}, \quad h_K = R K - \gamma b P_K (a - b K),

the Fisher information is :math:`m_K / \sigma^2`, and the gap is known exactly:
:math:`(1 - \gamma) (J^* - J) = 2 h_K (K - K^*) m_* - (R + \gamma b^2 P_K) (K - K^*)^2 m_*`. Score and rewards are
unbounded: a stress test, no instance of a theorem that assumes the contrary.

**Clipped control.** :math:`x' = \operatorname{clip}(a x + b u + w)`, rewards
:math:`- \min(1, q x^2 + R u^2)`, a location family around :math:`\theta^\top \phi(x)` with clipped features: every
constant is explicit, the value is not.

**Logistic oracle.** :math:`J = - \log (1 + e^{-\theta})`, whose gradients and Hessian-vector products are handed out
with additive Gaussian noise: a method without a world.
"""

from dataclasses import dataclass
from math import inf, isfinite, pi, sqrt
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from mdps.errors import InvalidModelError
from mdps.kernels import Seed
from mdps.validation import FloatArray

ActionLaw = Literal["cauchy", "gaussian", "truncated"]
"""Location family of the actions; "truncated" is the Gaussian conditioned on an interval."""

QUADRATURE_NODES = 4096
"""Nodes of the midpoint rule in the angle of a Cauchy variable: periodic integrands, errors far below rounding."""


def _require(conditions: dict[str, tuple[float, bool]]) -> None:
    for name, (value, fits) in conditions.items():
        if not fits:
            raise InvalidModelError(f"{name} is {value!r}")


def _column(theta: npt.ArrayLike) -> FloatArray:
    """Return the only entry of parameters ``(..., 1)``."""
    array = np.asarray(theta, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != 1:
        raise InvalidModelError(f"theta has shape {array.shape}, not (..., 1)")
    return array[..., 0]


@dataclass(frozen=True)
class CauchyBandit:
    """A Cauchy policy rewarded around a target: ``width`` s, ``scale`` sigma, ``target`` a*.

    Parameters have shape ``(..., 1)``. There is one stage: a horizon other than None or one is refused.

    Raises
    ------
    InvalidModelError
        If width or scale is not a positive finite number, or the target is not finite.
    """

    width: float = 1.0
    scale: float = 1.0
    target: float = 0.0

    def __post_init__(self) -> None:
        _require(
            {
                "width": (self.width, isfinite(self.width) and self.width > 0.0),
                "scale": (self.scale, isfinite(self.scale) and self.scale > 0.0),
                "target": (self.target, isfinite(self.target)),
            }
        )

    @property
    def dimension(self) -> int:
        """One."""
        return 1

    @property
    def largest_reward(self) -> float:
        """One."""
        return 1.0

    @property
    def spread(self) -> float:
        """Half-width of J around the target: s + sigma."""
        return self.width + self.scale

    def optimum(self) -> float:
        """Return the best value in the class, s / c."""
        return self.width / self.spread

    def _offset(self, theta: npt.ArrayLike, horizon: int | None) -> FloatArray:
        if horizon not in (None, 1):
            raise InvalidModelError(f"horizon is {horizon!r}: a bandit has one stage")
        return _column(theta) - self.target

    def value(self, theta: npt.ArrayLike, horizon: int | None = None) -> FloatArray:
        """Return J ``(...)``."""
        return np.asarray(self.width * self.spread / (self.spread**2 + self._offset(theta, horizon) ** 2))

    def gradient(self, theta: npt.ArrayLike, horizon: int | None = None) -> FloatArray:
        """Return J' ``(..., 1)``."""
        x = self._offset(theta, horizon)
        return (-2.0 * self.width * self.spread * x / (self.spread**2 + x**2) ** 2)[..., None]

    def hessian(self, theta: npt.ArrayLike, horizon: int | None = None) -> FloatArray:
        """Return J'' ``(..., 1, 1)``."""
        x, c = self._offset(theta, horizon), self.spread
        return (2.0 * self.width * c * (3.0 * x**2 - c**2) / (c**2 + x**2) ** 3)[..., None, None]

    def third_derivative(self, theta: npt.ArrayLike) -> FloatArray:
        """Return J''' ``(...)``."""
        x, c = self._offset(theta, None), self.spread
        return np.asarray(24.0 * self.width * c * x * (c**2 - x**2) / (c**2 + x**2) ** 4)

    @property
    def fisher(self) -> float:
        """Fisher information, the same everywhere."""
        return 1.0 / (2.0 * self.scale**2)

    def domination(self, radius: float) -> float:
        """Return the infimum of |J'| / (J* - J) over ``|theta - a*| <= radius``: 2 c^2 / (radius (c^2 + radius^2))."""
        return 2.0 * self.spread**2 / (radius * (self.spread**2 + radius**2))

    def signed_bias(self, theta: npt.ArrayLike, comparator: float | None = None) -> FloatArray:
        """Return b ``(...)``: mean residual of the compatible fit under the comparator (the target if omitted)."""
        x = _column(theta)
        star = self.target if comparator is None else comparator
        slope = self.gradient(theta)[..., 0] / self.fisher
        gap = self.value(np.array([star])) - self.value(theta)
        return np.asarray(gap + slope * 2.0 * (x - star) / (4.0 * self.scale**2 + (x - star) ** 2))

    def bias(self, theta: npt.ArrayLike, comparator: float | None = None) -> FloatArray:
        """Return eps_bias ``(...)``: second moment of that residual, by quadrature."""
        x = _column(theta)[..., None]
        star = self.target if comparator is None else comparator
        actions, weight = self._nodes(star)
        residual = self.reward(actions) - self.value(theta)[..., None]
        residual = residual - self.gradient(theta) / self.fisher * self.score(actions, x)
        return np.asarray((residual**2).sum(axis=-1) * weight)

    def _nodes(self, location: float) -> tuple[FloatArray, float]:
        angles = (np.arange(QUADRATURE_NODES) + 0.5) * (pi / QUADRATURE_NODES) - 0.5 * pi
        return location + self.scale * np.tan(angles), 1.0 / QUADRATURE_NODES

    def reward(self, actions: npt.ArrayLike) -> FloatArray:
        """Return r(a)."""
        return np.asarray(self.width**2 / (self.width**2 + (np.asarray(actions) - self.target) ** 2))

    def score(self, actions: npt.ArrayLike, theta: npt.ArrayLike) -> FloatArray:
        """Return the score of actions at a location, 2 u / (sigma^2 + u^2) with u = a - theta."""
        u = np.asarray(actions) - np.asarray(theta)
        return np.asarray(2.0 * u / (self.scale**2 + u**2))

    def moments(self, theta: float) -> "BanditMoments":
        """Return the moments of the two estimators at a location, by quadrature."""
        actions, weight = self._nodes(theta)
        u, rewards = actions - theta, self.reward(actions)
        gradients = rewards * self.score(actions, theta)
        hessians = rewards * (6.0 * u**2 - 2.0 * self.scale**2) / (self.scale**2 + u**2) ** 2
        mean, curvature = float(gradients.sum() * weight), float(hessians.sum() * weight)
        return BanditMoments(
            gradient=mean,
            hessian=curvature,
            gradient_square=float((gradients**2).sum() * weight),
            hessian_square=float((hessians**2).sum() * weight),
            product=float((gradients * hessians).sum() * weight),
        )


@dataclass(frozen=True)
class BanditMoments:
    """Means, second moments and mean product of the estimators g and B of one action."""

    gradient: float
    hessian: float
    gradient_square: float
    hessian_square: float
    product: float

    @property
    def gradient_variance(self) -> float:
        """Var g."""
        return self.gradient_square - self.gradient**2

    @property
    def hessian_variance(self) -> float:
        """Var B."""
        return self.hessian_square - self.hessian**2

    @property
    def covariance(self) -> float:
        """Cov(g, B): what one trajectory for both brings in."""
        return self.product - self.gradient * self.hessian


@dataclass(frozen=True)
class ScalarLQR:
    """A scalar regulator with Gaussian exploration; the parameter ``(..., 1)`` is the gain K of u = -K x + sigma xi.

    Parameters
    ----------
    drift, control
        a and b.
    state_cost, control_cost
        q >= 0 and R > 0.
    discount
        gamma in (0, 1).
    exploration, noise
        Standard deviations sigma > 0 and sigma_w >= 0.
    initial
        Standard deviation of the (centred, Gaussian) first state.

    Raises
    ------
    InvalidModelError
        If a number is outside its range.
    """

    drift: float = 0.9
    control: float = 0.5
    state_cost: float = 1.0
    control_cost: float = 0.5
    discount: float = 0.9
    exploration: float = 0.5
    noise: float = 0.3
    initial: float = 1.0

    def __post_init__(self) -> None:
        _require(
            {
                "drift": (self.drift, isfinite(self.drift)),
                "control": (self.control, isfinite(self.control) and self.control != 0.0),
                "state_cost": (self.state_cost, 0.0 <= self.state_cost < inf),
                "control_cost": (self.control_cost, 0.0 < self.control_cost < inf),
                "discount": (self.discount, 0.0 < self.discount < 1.0),
                "exploration": (self.exploration, 0.0 < self.exploration < inf),
                "noise": (self.noise, 0.0 <= self.noise < inf),
                "initial": (self.initial, 0.0 <= self.initial < inf),
            }
        )

    @property
    def dimension(self) -> int:
        """One."""
        return 1

    @property
    def input_variance(self) -> float:
        """Variance that exploration and noise add to the state: b^2 sigma^2 + sigma_w^2."""
        return self.control**2 * self.exploration**2 + self.noise**2

    def stable(self, theta: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Return whether the value is finite, gamma (a - b K)^2 < 1."""
        return np.asarray(self.discount * (self.drift - self.control * _column(theta)) ** 2 < 1.0)

    def _resolvent(self, theta: npt.ArrayLike) -> FloatArray:
        """Return 1 / (1 - gamma (a - b K)^2), infinite outside the stabilising set."""
        left = 1.0 - self.discount * (self.drift - self.control * _column(theta)) ** 2
        return np.divide(1.0, left, out=np.full_like(left, inf), where=left > 0.0)

    def riccati(self, theta: npt.ArrayLike) -> FloatArray:
        """Return P_K ``(...)``."""
        return (self.state_cost + self.control_cost * _column(theta) ** 2) * self._resolvent(theta)

    def second_moment(self, theta: npt.ArrayLike) -> FloatArray:
        """Return m_K ``(...)``, the second moment of the state under the normalised discounted occupancy."""
        source = (1.0 - self.discount) * self.initial**2 + self.discount * self.input_variance
        return source * self._resolvent(theta)

    def value(self, theta: npt.ArrayLike, horizon: int | None = None) -> FloatArray:
        """Return J ``(...)``, minus infinity outside the stabilising set, or J_H."""
        if horizon is not None:
            return self._finite(theta, horizon)[0]
        cost = self.riccati(theta)
        more = self.control_cost * self.exploration**2 + self.discount * cost * self.input_variance
        return -(cost * self.initial**2 + more / (1.0 - self.discount))

    def advantage_slope(self, theta: npt.ArrayLike) -> FloatArray:
        """Return h_K ``(...)``."""
        k = _column(theta)
        pull = self.discount * self.control * self.riccati(theta) * (self.drift - self.control * k)
        return self.control_cost * k - pull

    def gradient(self, theta: npt.ArrayLike, horizon: int | None = None) -> FloatArray:
        """Return J' ``(..., 1)`` (NaN outside the stabilising set), or that of J_H."""
        if horizon is not None:
            return self._finite(theta, horizon)[1][..., None]
        slope = -2.0 * self.second_moment(theta) * self.advantage_slope(theta) / (1.0 - self.discount)
        return np.where(self.stable(theta), slope, np.nan)[..., None]

    def _finite(self, theta: npt.ArrayLike, horizon: int) -> tuple[FloatArray, FloatArray]:
        """Return J_H and its derivative, along the recursion of E x_t^2."""
        k = _column(theta)
        closed = self.drift - self.control * k
        moment, slope = np.full_like(k, self.initial**2), np.zeros_like(k)
        value, derivative = np.zeros_like(k), np.zeros_like(k)
        weight = self.state_cost + self.control_cost * k**2
        for t in range(horizon):
            discount = self.discount**t
            value -= discount * (weight * moment + self.control_cost * self.exploration**2)
            derivative -= discount * (2.0 * self.control_cost * k * moment + weight * slope)
            slope = closed**2 * slope - 2.0 * self.control * closed * moment
            moment = closed**2 * moment + self.input_variance
        return value, derivative

    def fisher(self, theta: npt.ArrayLike) -> FloatArray:
        """Return the Fisher information m_K / sigma^2."""
        return self.second_moment(theta) / self.exploration**2

    @property
    def optimal_gain(self) -> float:
        """K*, from the positive root of the scalar Riccati equation."""
        g, b2, r, q = self.discount, self.control**2, self.control_cost, self.state_cost
        middle = r - q * g * b2 - g * self.drift**2 * r
        cost = (-middle + sqrt(middle**2 + 4.0 * g * b2 * q * r)) / (2.0 * g * b2)
        return g * self.drift * self.control * cost / (r + g * b2 * cost)

    def optimum(self) -> float:
        """Return the value of the optimal gain."""
        return float(self.value(np.array([self.optimal_gain])))

    def gap_terms(self, theta: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return the linear part of J* - J, ``(...)``, and the signed bias b(K), which enters with 1 / (1 - gamma)."""
        distance = _column(theta) - self.optimal_gain
        star = self.second_moment(np.array([self.optimal_gain]))
        linear = 2.0 * self.advantage_slope(theta) * distance * star / (1.0 - self.discount)
        curvature = self.control_cost + self.discount * self.control**2 * self.riccati(theta)
        return linear, -curvature * distance**2 * star


@dataclass(frozen=True)
class ClippedControl:
    """A scalar linear system with clipped state, clipped rewards in [-1, 0] and a location family of actions.

    The location is ``theta[0] * clip(x, -1, 1)``, plus ``theta[1]`` with an intercept; features then have norm at most
    sqrt 2.

    Parameters
    ----------
    law, scale, cut
        Family of the actions, its scale, and half the interval of the truncated Gaussian.
    bound
        Largest absolute state.
    discount
        Of the objective.

    Raises
    ------
    InvalidModelError
        If a number is outside its range or the law is unknown.
    """

    law: ActionLaw = "cauchy"
    scale: float = 0.5
    cut: float = 2.0
    intercept: bool = False
    drift: float = 0.9
    control: float = 0.5
    noise: float = 0.1
    state_cost: float = 1.0
    control_cost: float = 0.1
    bound: float = 3.0
    initial: float = 1.0
    discount: float = 0.9

    def __post_init__(self) -> None:
        if self.law not in ("cauchy", "gaussian", "truncated"):
            raise InvalidModelError(f"law is {self.law!r}, not 'cauchy', 'gaussian' or 'truncated'")
        _require(
            {
                "scale": (self.scale, 0.0 < self.scale < inf),
                "cut": (self.cut, 0.0 < self.cut < inf),
                "drift": (self.drift, isfinite(self.drift)),
                "control": (self.control, isfinite(self.control)),
                "noise": (self.noise, 0.0 <= self.noise < inf),
                "state_cost": (self.state_cost, 0.0 <= self.state_cost < inf),
                "control_cost": (self.control_cost, 0.0 <= self.control_cost < inf),
                "bound": (self.bound, 0.0 < self.bound < inf),
                "initial": (self.initial, 0.0 <= self.initial < inf),
                "discount": (self.discount, 0.0 < self.discount < 1.0),
            }
        )

    @property
    def dimension(self) -> int:
        """One, or two with an intercept."""
        return 2 if self.intercept else 1

    @property
    def feature_bound(self) -> float:
        """Largest norm of the features."""
        return sqrt(2.0) if self.intercept else 1.0

    @property
    def largest_reward(self) -> float:
        """One."""
        return 1.0

    def sample_returns(self, theta: npt.ArrayLike, horizon: int, n: int, rng: np.random.Generator | Seed) -> FloatArray:
        """Return the discounted returns ``(n,)`` of independent trajectories at one parameter ``(d,)``.

        Raises
        ------
        InvalidModelError
            If the parameter does not fit.
        """
        parameters = np.asarray(theta, dtype=np.float64)
        if parameters.shape != (self.dimension,):
            raise InvalidModelError(f"theta has shape {parameters.shape}, not ({self.dimension},)")
        generator = np.random.default_rng(rng)
        x, total = self.initial * generator.standard_normal(n), np.zeros(n)
        for h in range(horizon):
            means = parameters[0] * np.clip(x, -1.0, 1.0) + (parameters[1] if self.intercept else 0.0)
            actions = self._actions(means, generator)
            total -= self.discount**h * np.minimum(self.state_cost * x**2 + self.control_cost * actions**2, 1.0)
            x = self.drift * x + self.control * actions + self.noise * generator.standard_normal(n)
            x = np.clip(x, -self.bound, self.bound)
        return total

    def _actions(self, means: FloatArray, generator: np.random.Generator) -> FloatArray:
        if self.law == "cauchy":
            return means + self.scale * generator.standard_cauchy(means.size)
        if self.law == "gaussian":
            return means + self.scale * generator.standard_normal(means.size)
        low, high = ndtr((-self.cut - means) / self.scale), ndtr((self.cut - means) / self.scale)
        return np.asarray(means + self.scale * ndtri(low + generator.random(means.size) * (high - low)))


@dataclass(frozen=True)
class LogisticOracle:
    """J = -log(1 + exp(-theta)) with noisy derivatives.

    Parameters
    ----------
    gradient_noise, hessian_noise
        Standard deviations of the noise of a gradient, and of a Hessian (per unit of the step).
    exact_difference
        Whether the correction is the difference of the two gradients (plus noise) instead of a Hessian-vector product.
    """

    gradient_noise: float = 1.0
    hessian_noise: float = 1.0
    exact_difference: bool = False

    def __post_init__(self) -> None:
        _require(
            {
                "gradient_noise": (self.gradient_noise, 0.0 <= self.gradient_noise < inf),
                "hessian_noise": (self.hessian_noise, 0.0 <= self.hessian_noise < inf),
            }
        )

    @property
    def dimension(self) -> int:
        """One."""
        return 1

    def optimum(self) -> float:
        """Return zero, the supremum."""
        return 0.0

    def value(self, theta: npt.ArrayLike, horizon: int | None = None) -> FloatArray:
        """Return J ``(...)``; a horizon has no meaning here and changes nothing."""
        return -np.logaddexp(0.0, -_column(theta))

    def gradient(self, theta: npt.ArrayLike, horizon: int | None = None) -> FloatArray:
        """Return J' ``(..., 1)``."""
        return np.exp(-np.logaddexp(0.0, _column(theta)))[..., None]


# A random walk that makes gradients large


@dataclass(frozen=True)
class RandomWalk:
    r"""Steps :math:`\pm 1` with one logit shared by all stages, at equal chances; rewards are signs.

    ``gradient`` is the derivative of :math:`E \sum_t \gamma^t \operatorname{sign} X_{t+1}`, half of
    :math:`\sum_t \gamma^t E |X_{t+1}|`; ``hessian`` that of the second order for the reward
    :math:`\operatorname{sign}(X_{t+1}^2 - (t + 1))`, a quarter of
    :math:`\sum_t \gamma^t E |X_{t+1}^2 - (t+1)|`. Scores are :math:`\pm 1/2`.
    """

    discount: float

    def __post_init__(self) -> None:
        _require({"discount": (self.discount, 0.0 <= self.discount < 1.0)})

    def _moments(self, horizon: int) -> tuple[FloatArray, FloatArray]:
        """Return E |X_n| and E |X_n^2 - n| for n = 1, ..., horizon."""
        first, second = np.empty(horizon), np.empty(horizon)
        law = np.array([1.0])
        for n in range(1, horizon + 1):
            law = 0.5 * (np.append(law, 0.0) + np.append(0.0, law))
            places = np.arange(-n, n + 1, 2)
            first[n - 1] = law @ np.abs(places)
            second[n - 1] = law @ np.abs(places**2 - n)
        return first, second

    def gradient(self, horizon: int, start: int = 0) -> float:
        """Return the part of the gradient that stages ``start``, ..., ``horizon - 1`` contribute."""
        weights = self.discount ** np.arange(horizon)
        return float(0.5 * (weights * self._moments(horizon)[0])[start:].sum())

    def hessian(self, horizon: int) -> float:
        """Return the second derivative of the objective of that many stages."""
        weights = self.discount ** np.arange(horizon)
        return float(0.25 * (weights * self._moments(horizon)[1]).sum())
