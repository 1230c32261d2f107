r"""Lipschitz feedback policies from demonstrations, and a number for everything that is promised about them.

**Learning.** From states :math:`x_i` and inputs :math:`u_i = \pi^\star(x_i)` of an expert, the values V with the least
mean squared error under :math:`\| v_i - v_j \| \le \alpha \| x_i - x_j \|` are extended to an :math:`\alpha`-Lipschitz
policy: the central McShane extension for one input, Kirszbraun's for several.

**Recipe.** With :math:`L^\star`, the plant's :math:`L_x, L_u` and a certificate :math:`(M, \beta)` of the expert loop:

1. :math:`\epsilon = \sup \| \hat\pi - \pi^\star \|` on the domain, by branch and bound, or a priori
   :math:`(\alpha + L^\star) h + \max_i \| v_i - u_i \|`, :math:`\alpha h` for the central extension of exact data;
2. :math:`\omega = \epsilon + \alpha \zeta`; the state must stay in the domain, else there is no guarantee;
3. :math:`\| x_t - x_t^\star \| \le \Gamma\omega`, :math:`|J(\hat\pi) - J(\pi^\star)| \le \epsilon C_R / (1 - \gamma)`,
   :math:`|J(\hat\pi; \delta) - J(\pi^\star)| \le \omega C_R / (1 - \gamma)`, and for an expert that is optimal for a
   quadratic cost :math:`J(\hat\pi; \delta) - J^\star \le \| S \| \omega^2 / (1 - \gamma)`;
4. the loop is simulated, and every measured quantity divided by its bound.

States may be measured in :math:`\| x \|_P = (x^\top P x)^{1/2}`: then :math:`L^\star, \alpha, h, \zeta`, the radius of
the domain and all distances are those of P, M is one, and :math:`L_u = \| B \|_P`.

Parts: ``lipschitz_policies_regression``, ``_duality``, ``_extension`` and ``_covering`` (learning),
``_lmi``, ``_certificates``, ``_lyapunov`` and ``_exact`` (certificates), ``_simulation``, ``_tradeoff``.

References
----------
A. Al Makdah, V. Krishnan and F. Pasqualetti (2021). Learning Lipschitz Feedback Policies from Expert Demonstrations:
Closed-Loop Guarantees, Generalization and Robustness.
"""

from dataclasses import dataclass
from math import ceil, inf, log, sqrt

import numpy as np
import numpy.typing as npt

from mdps.control import (
    Cost,
    Demonstrations,
    EnvelopePolicy,
    LinearPlant,
    LinearPolicy,
    Pendulum,
    QuadraticCost,
    as_matrix,
    closed_loop,
    regulator,
    require_positive,
    require_symmetric,
)
from mdps.control_instances import ControlInstance
from mdps.control_policies import metric_root
from mdps.errors import InvalidModelError
from mdps.validation import FloatArray, require_shape
from solvers.lipschitz_policies_certificates import (
    Constants,
    InadmissibleError,
    deterioration_bound,
    expert_deterioration_bound,
    lqr_regret_bound,
    regret_constant,
    require_admissible,
    require_invariant,
)
from solvers.lipschitz_policies_covering import lipschitz_supremum, nearest_distances
from solvers.lipschitz_policies_duality import Regression, lipschitz_constant
from solvers.lipschitz_policies_extension import envelopes, kirszbraun, mcshane
from solvers.lipschitz_policies_lmi import NotCertifiedError, best_growth_certificate, certify_ellipsoid
from solvers.lipschitz_policies_lyapunov import decrease_certificate
from solvers.lipschitz_policies_regression import cone_regression, lipschitz_regression
from solvers.lipschitz_policies_simulation import KirszbraunPolicy, RollOuts, ascend, greedy, play, simulate, worst_case

__all__ = [
    "Constants",
    "InadmissibleError",
    "KirszbraunPolicy",
    "Learned",
    "Measured",
    "NotCertifiedError",
    "Promise",
    "Regression",
    "RollOuts",
    "ascend",
    "cone_regression",
    "decrease_certificate",
    "envelopes",
    "expert_lipschitz",
    "fill_radius",
    "greedy",
    "kirszbraun",
    "learn",
    "learning_error",
    "lipschitz_constant",
    "lipschitz_regression",
    "loop_constants",
    "mcshane",
    "measure",
    "prior_error",
    "promise",
    "simulate",
    "worst_case",
]

OPTIMAL = 1e-8
"""Largest difference of two gains, relative to the larger of one and the gain, that counts as rounding."""

ROUNDING = 1e-12
"""Measured quantities up to this count as zero against a bound of zero."""

TAIL = 1e-9
"""Discount factor to the power of the horizon at which a simulated cost is cut off."""


@dataclass(frozen=True, eq=False)
class Learned:
    """A learned policy.

    Parameters
    ----------
    policy
        alpha-Lipschitz in the metric.
    alpha
        The budget.
    residual
        Largest ``||v_i - u_i||``.
    regression
        The certified fit.
    metric
        P of the distances of states.
    """

    policy: EnvelopePolicy | KirszbraunPolicy
    alpha: float
    residual: float
    regression: Regression
    metric: FloatArray


def _metric(metric: npt.ArrayLike | None, size: int) -> FloatArray:
    matrix = as_matrix("metric", np.eye(size) if metric is None else metric)
    require_symmetric("metric", matrix, size, definite=True)
    return matrix


def learn(data: Demonstrations, alpha: float, metric: npt.ArrayLike | None = None) -> Learned:
    """Return the alpha-Lipschitz policy that fits the demonstrations best.

    Parameters
    ----------
    alpha
        Nonnegative; positive if there are several inputs.
    metric
        P ``(n, n)`` of the distances of states, for one input; Euclidean if omitted.

    Raises
    ------
    InvalidModelError
        Naming what does not fit.
    """
    require_positive("alpha", alpha, strict=False)
    n, m = data.states.shape[1], data.inputs.shape[1]
    P = _metric(metric, n)
    if m > 1 and not np.array_equal(P, np.eye(n)):
        raise InvalidModelError(f"a metric other than the Euclidean one is for one input, not {m}")
    fit = lipschitz_regression(data.states @ metric_root(P, n).T, data.inputs, alpha)
    residual = float(np.linalg.norm(fit.values - data.inputs, axis=1).max())
    policy: EnvelopePolicy | KirszbraunPolicy
    if m == 1:
        policy = EnvelopePolicy(data.states, fit.values[:, 0], alpha, "central", P)
    else:
        policy = KirszbraunPolicy(data.states, fit.values, alpha)
    return Learned(policy, float(alpha), residual, fit, P)


# Constants of the loop


def expert_lipschitz(expert: LinearPolicy, metric: npt.ArrayLike | None = None) -> float:
    """Return L* of a linear expert: the norm of K, from ||.||_P to the Euclidean norm."""
    root = metric_root(metric, expert.n_states)
    return float(np.linalg.norm(expert.gain @ np.linalg.inv(root), 2))


def loop_constants(instance: ControlInstance, rate: float | None = None) -> Constants:
    """Return certified (L*, L_u, M, beta) of an instance with a linear expert.

    Without a metric: Euclidean norms and the semidefinite certificate with the least M / (1 - beta) of a linear plant.
    With the instance's metric P: M = 1, L_u = ||B||_P, and ``rate`` is verified at the vertices of the Jacobians on the
    ellipsoid x'Px <= 1, in rational arithmetic.

    Raises
    ------
    InvalidModelError
        If the expert is not linear, or a plant without metric is not.
    NotCertifiedError
        If the loop is not shown to be stable.
    """
    gain = instance.gain
    if instance.metric is None:
        plant = instance.linear
        certificate = best_growth_certificate(plant, gain)
        lipschitz = float(np.linalg.norm(gain, 2))
        return Constants(lipschitz, plant.lipschitz()[1], certificate.growth, certificate.rate)
    P = instance.metric
    if rate is None:
        raise InvalidModelError("a rate is needed to verify the metric of the instance")
    domain = np.zeros_like(P)
    if isinstance(instance.plant, LinearPlant):
        loops, inputs = [closed_loop(instance.plant, gain)], instance.plant.B
    elif isinstance(instance.plant, Pendulum):
        inputs = instance.plant.linearisation().B
        loops = [jacobian - inputs @ gain for jacobian in instance.plant.jacobians(instance.radius)]
        domain[0, 0] = 1.0 / instance.radius**2
    else:
        raise InvalidModelError(f"the plant of {instance.name} has no polytope of Jacobians")
    certified = certify_ellipsoid(loops, inputs, P, rate, domain)
    if certified is None:
        raise NotCertifiedError(f"the metric of {instance.name} does not contract by {rate:.9g}")
    return Constants(expert_lipschitz(LinearPolicy(gain), P), certified.input_norm, 1.0, rate)


# Learning error


def _in_ball(states: FloatArray, radius: float) -> FloatArray:
    """Project on the ball of a radius: a 1-Lipschitz map, so that suprema over the ball are suprema over its box."""
    norms = np.linalg.norm(states, axis=1, keepdims=True)
    return np.where(norms > radius, states * (radius / np.maximum(norms, radius)), states)


def fill_radius(
    states: npt.ArrayLike, radius: float, metric: npt.ArrayLike | None = None, tolerance: float = 1e-3
) -> float:
    """Return an upper bound of the distance from any state with ``||x||_P <= radius`` to the nearest sample."""
    points = as_matrix("states", states)
    n = points.shape[1]
    root = metric_root(metric, n)
    coordinates = points @ root.T
    box = np.full(n, require_positive("radius", radius))
    found = lipschitz_supremum(
        lambda x: nearest_distances(coordinates, _in_ball(x, radius)), 1.0, -box, box, tolerance=tolerance
    )
    return found.upper


def learning_error(learned: Learned, expert: LinearPolicy, radius: float, tolerance: float = 1e-3) -> float:
    """Return an upper bound of ``||policy - expert||`` over ``||x||_P <= radius``, by branch and bound.

    The difference is Lipschitz with alpha + L* in the metric.
    """
    n = expert.n_states
    inverse = np.linalg.inv(metric_root(learned.metric, n))
    slope = learned.alpha + expert_lipschitz(expert, learned.metric)

    def error(x: FloatArray) -> FloatArray:
        states = _in_ball(x, radius) @ inverse.T
        norms: FloatArray = np.linalg.norm(play(learned.policy, states) - expert(states), axis=1)
        return norms

    box = np.full(n, require_positive("radius", radius))
    return lipschitz_supremum(error, slope, -box, box, tolerance=tolerance).upper


def prior_error(learned: Learned, expert: LinearPolicy, fill: float) -> float:
    """Return the error bound from the fill distance alone.

    It is ``(alpha + L*) fill + residual``; with the central policy of one input and alpha >= L* the expert lies between
    the envelopes, up to the residual, so that ``alpha fill + residual`` is enough.
    """
    lipschitz = expert_lipschitz(expert, learned.metric)
    central = isinstance(learned.policy, EnvelopePolicy) and learned.alpha >= lipschitz
    return (learned.alpha + (0.0 if central else lipschitz)) * fill + learned.residual


# Promise and measurement


@dataclass(frozen=True)
class Promise:
    """Bounds for a learned policy; infinite where a bound does not apply.

    Parameters
    ----------
    epsilon, omega
        Learning error, and error of the input under measurement errors.
    reach
        The state never leaves ``||x||_P <= reach``.
    deviation
        Of the state from the expert's.
    regret, disturbed_regret
        ``|J(policy) - J(expert)|`` without and with measurement errors.
    quadratic_regret
        ``J(policy; delta) - J(expert)`` for an optimal expert with quadratic cost.
    deterioration
        What the measurement errors may cost: the least of the bounds that apply.
    """

    epsilon: float
    omega: float
    reach: float
    deviation: float
    regret: float
    disturbed_regret: float
    quadratic_regret: float
    deterioration: float


def promise(
    instance: ControlInstance,
    learned: Learned,
    constants: Constants,
    epsilon: float,
    zeta: float,
    radius: float,
    start: float,
) -> Promise:
    """Return explicit bounds for a learned policy.

    Parameters
    ----------
    epsilon
        A bound of the learning error on ``||x||_P <= radius``.
    zeta
        Bound of the measurement errors, in the metric.
    start
        ``||x_0||_P`` at most.

    Raises
    ------
    InadmissibleError
        If the state may leave the domain.
    InvalidModelError
        If an argument is out of range.
    """
    require_positive("zeta", zeta, strict=False)
    omega = require_positive("epsilon", epsilon, strict=False) + learned.alpha * zeta
    if instance.metric is None:
        reach = require_admissible(constants, omega, radius, start)
    else:
        if start > radius:
            raise InadmissibleError(f"the start {start:.6g} is outside the domain of radius {radius:.6g}")
        require_invariant(constants.rate, constants.input_lipschitz, omega, radius)
        reach = radius
    deviation = constants.gain * omega
    if instance.cost is None or instance.cost.discount >= 1.0:
        return Promise(epsilon, omega, reach, deviation, inf, inf, inf, inf)
    cost, gamma = instance.cost, instance.cost.discount
    slopes = _cost_slopes(cost, learned.metric, constants, omega, reach)
    slope = regret_constant(constants, *slopes, gamma) / (1.0 - gamma)
    quadratic = _quadratic_bound(instance, omega)
    worst = min(
        expert_deterioration_bound(constants, slopes, gamma, epsilon, learned.alpha, zeta),
        quadratic,
        deterioration_bound(learned.alpha, zeta, gamma, _plant_slopes(instance), slopes),
    )
    return Promise(epsilon, omega, reach, deviation, epsilon * slope, omega * slope, quadratic, worst)


def _cost_slopes(
    cost: Cost, metric: FloatArray, constants: Constants, omega: float, reach: float
) -> tuple[float, float]:
    """Return Lipschitz constants of the stage cost on the visited set, from ||.||_P."""
    stretch = 1.0 / sqrt(float(np.linalg.eigvalsh(metric)[0]))
    state, inputs = cost.lipschitz(stretch * reach, constants.expert_lipschitz * reach + omega)
    return stretch * state, inputs


def _plant_slopes(instance: ControlInstance) -> tuple[float, float]:
    """Return (L_x, L_u) in the metric of the instance; infinite in a metric other than the Euclidean one."""
    return instance.plant.lipschitz(instance.radius) if instance.metric is None else (inf, inf)


def _quadratic_bound(instance: ControlInstance, omega: float) -> float:
    """Return ||S|| omega^2 / (1 - gamma) if the expert is the optimal regulator of the instance, else infinity."""
    if not (isinstance(instance.plant, LinearPlant) and isinstance(instance.cost, QuadraticCost)):
        return inf
    best = regulator(instance.plant, instance.cost)
    gain = instance.gain
    if np.abs(best.gain - gain).max() > OPTIMAL * max(1.0, float(np.abs(gain).max())):
        return inf
    return lqr_regret_bound(best.weight, omega, instance.cost.discount)


@dataclass(frozen=True)
class Measured:
    """What simulations from several starts show, in the units of `Promise`; costs where there is a cost."""

    reach: float
    deviation: float
    regret: float
    disturbed_regret: float
    deterioration: float

    def ratios(self, bounds: Promise) -> dict[str, float]:
        """Return measured / bound for the bounds that apply; at most one unless a bound is wrong.

        Against a bound of zero the ratio is zero up to rounding, else infinite.
        """
        pairs = {
            "reach": (self.reach, bounds.reach),
            "deviation": (self.deviation, bounds.deviation),
            "regret": (abs(self.regret), bounds.regret),
            "disturbed regret": (abs(self.disturbed_regret), bounds.disturbed_regret),
            "quadratic regret": (self.disturbed_regret, bounds.quadratic_regret),
            "deterioration": (self.deterioration, bounds.deterioration),
        }
        return {name: _ratio(value, bound) for name, (value, bound) in pairs.items() if bound < inf}


def _ratio(value: float, bound: float) -> float:
    if bound > 0.0:
        return value / bound
    return 0.0 if value <= ROUNDING else inf


def measure(
    instance: ControlInstance,
    learned: Learned,
    starts: npt.ArrayLike,
    zeta: float,
    steps: int | None = None,
) -> Measured:
    """Simulate expert and learned policy from the same starts, without and with a greedy adversary.

    Parameters
    ----------
    starts
        ``(R, n)``.
    zeta
        Bound of the measurement errors in the metric; the adversary uses the Euclidean ball inside.
    steps
        Horizon; until the discounted tail is negligible if omitted (which needs a discount below one).

    Raises
    ------
    InvalidModelError
        If there is neither a horizon nor a discount below one, or sizes do not fit.
    """
    x = as_matrix("starts", starts)
    require_shape("starts", x, (x.shape[0], instance.plant.n_states))
    expert = LinearPolicy(instance.gain)
    cost = instance.cost
    if steps is None:
        if cost is None or cost.discount >= 1.0:
            raise InvalidModelError("steps are needed without a discount below one")
        steps = max(1, ceil(log(TAIL) / log(cost.discount)))
    root = metric_root(learned.metric, instance.plant.n_states)
    reference = simulate(instance.plant, expert, x, steps, cost)
    nominal = simulate(instance.plant, learned.policy, x, steps, cost)
    stage: Cost = QuadraticCost(np.eye(x.shape[1]), np.eye(instance.plant.n_inputs)) if cost is None else cost
    inside = zeta / float(np.linalg.norm(root, 2))
    worst = greedy(instance.plant, stage, learned.policy, x, steps, inside, learned.metric)

    def norms(states: FloatArray) -> FloatArray:
        lengths: FloatArray = np.linalg.norm(states @ root.T, axis=-1)
        return lengths

    disturbed = worst.costs - reference.costs
    return Measured(
        float(max(norms(nominal.states).max(), norms(worst.states).max())),
        float(max(norms(run.states - reference.states).max() for run in (nominal, worst))),
        _largest(nominal.costs - reference.costs),
        _largest(disturbed),
        float((worst.costs - nominal.costs).max()),
    )


def _largest(values: FloatArray) -> float:
    """Return the entry of the largest modulus."""
    return float(values[np.argmax(np.abs(values))])
