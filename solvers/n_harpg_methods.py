r"""Momentum policy-gradient methods and their schedules, as records.

All directions have the form

.. math:: d_t = (1 - \eta_t) (d_{t-1} + v_t) + \eta_t \, g(\tau_t, \tilde\theta_t),

and methods differ in the correction :math:`v_t`, in the sampling point :math:`\tilde\theta_t`, and in whether a step
has length :math:`\gamma_t` or :math:`\gamma_t \| d_t \|`. STORM-PG, whose direction is usually written
:math:`g(\tau_t, \theta_t) + (1 - \eta_t)(d_{t-1} - \omega g(\tau_t, \theta_{t-1}))`, is the case of an
importance-weighted correction on the *same* trajectory. The recursive methods with epochs have
:math:`\eta_t \in \{0, 1\}`.

Sources
-------
I. Fatkhullin, A. Barakat, A. Kireeva and N. He (2023). Stochastic policy gradient methods: improved sample complexity
for Fisher-non-degenerate policies. ICML, arXiv 2302.01734.
"""

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from mdps.validation import FloatArray, as_float_array
from solvers.episodic import require_positive
from solvers.n_harpg_kernels import CAUSAL, HESSIAN, IMPORTANCE, NONE, OUTER, TRANSPOSED

UNIFORM_POINT = -1.0
"""``Method.point`` for a q that is drawn uniformly from [0, 1)."""


@dataclass(frozen=True)
class Method:
    r"""A momentum policy-gradient method, and all that can be wrong with it.

    Attributes
    ----------
    correction
        ``NONE``, ``HESSIAN`` (a Hessian-vector product) or ``IMPORTANCE`` (finite worlds only).
    product
        Estimate of the Hessian: ``OUTER`` (B), ``TRANSPOSED`` (its transpose) or ``CAUSAL`` (of lower variance).
    normalised
        Whether a step has length gamma_t.
    extrapolation
        Multiplies (1 - eta) / eta (theta_t - theta_{t-1}) in the sampling point of g: one for N-PG-IGT.
    score_factor, curvature_factor
        Of the two terms of B Delta; ones are right.
    point
        q; ``UNIFORM_POINT`` is right, one is theta_t, one half the midpoint.
    sampled_here
        The trajectory of the correction is sampled at theta_t though scored at theta^_t (wrong unless q = 1).
    shared
        One trajectory serves g and the correction: right for STORM-PG, wrong for HARPG.
    relative_weights
        Rewards-to-go are discounted from t on, gamma^{h-t}, instead of from the start (wrong).
    batch, correction_batch
        Trajectories per iteration for g and for the correction.
    period, restart_probability, restart_batch
        A batch of g replaces d every ``period`` iterations (0: never), or at random.
    """

    name: str
    correction: int = NONE
    product: int = OUTER
    normalised: bool = True
    extrapolation: float = 0.0
    score_factor: float = 1.0
    curvature_factor: float = 1.0
    point: float = UNIFORM_POINT
    sampled_here: bool = False
    shared: bool = False
    relative_weights: bool = False
    batch: int = 1
    correction_batch: int = 1
    period: int = 0
    restart_probability: float = 0.0
    restart_batch: int = 1

    def __post_init__(self) -> None:
        for name in ("batch", "correction_batch", "restart_batch"):
            require_positive(name, getattr(self, name))
        if self.correction not in (NONE, HESSIAN, IMPORTANCE):
            raise ValueError(f"correction is {self.correction!r}, not NONE, HESSIAN or IMPORTANCE")
        if self.product not in (OUTER, TRANSPOSED, CAUSAL):
            raise ValueError(f"product is {self.product!r}, not OUTER, TRANSPOSED or CAUSAL")
        if self.point > 1.0 or np.isnan(self.point):
            raise ValueError(f"point is {self.point!r}, above one")
        if not 0.0 <= self.restart_probability <= 1.0:
            raise ValueError(f"restart_probability is {self.restart_probability!r}, outside [0, 1]")
        if self.period and self.restart_probability:
            raise ValueError(f"period is {self.period} and restart_probability {self.restart_probability}: choose one")
        if self.shared and self.batch != 1:
            raise ValueError(f"batch is {self.batch}: a shared trajectory is one")


PG = Method("PG", normalised=False)
N_PG_M = Method("N-PG-M")
N_PG_IGT = Method("N-PG-IGT", extrapolation=1.0)
HARPG = Method("HARPG", correction=HESSIAN, normalised=False)
N_HARPG = Method("N-HARPG", correction=HESSIAN)
N_HARPG_CAUSAL = replace(N_HARPG, name="N-HARPG, causal", product=CAUSAL)

# Baselines. The schedule of the last three has eta = 0 between the large batches: `constant_schedule(T, 0.0, step)`

STORM_PG = Method("STORM-PG", correction=IMPORTANCE, shared=True, normalised=False)


def srvr_pg(period: int, batch: int, restart_batch: int) -> Method:
    """Return SRVR-PG: a large batch every ``period`` iterations, importance-weighted differences in between."""
    return _epochs("SRVR-PG", IMPORTANCE, batch, restart_batch, period=period)


def page_pg(probability: float, batch: int, restart_batch: int) -> Method:
    """Return PAGE-PG: as SRVR-PG, with a large batch of a given probability in every iteration."""
    return _epochs("PAGE-PG", IMPORTANCE, batch, restart_batch, restart_probability=probability)


def hapg(period: int, batch: int, restart_batch: int) -> Method:
    """Return HAPG: as SRVR-PG, with Hessian-vector products in place of importance weights."""
    return _epochs("HAPG", HESSIAN, batch, restart_batch, period=period)


def hspga(batch: int = 1) -> Method:
    """Return HSPGA, d = (1 - eta) (d + importance-weighted difference) + eta g(another trajectory)."""
    return Method("HSPGA", correction=IMPORTANCE, normalised=False, batch=batch, correction_batch=batch)


def _epochs(name: str, correction: int, batch: int, restart_batch: int, **more: float) -> Method:
    plain = Method(name, correction, normalised=False, correction_batch=batch, restart_batch=restart_batch)
    return replace(plain, **cast(dict[str, Any], more))


@dataclass(frozen=True, eq=False)
class Schedule:
    """Momentum and step sizes, by iteration.

    Parameters
    ----------
    eta
        eta_t for t = 0, ..., T at least, in [0, 1]; eta_0 is not used (see ``first_weight``).
    steps
        gamma_t for t = 0, ..., T - 1 at least, non-negative, units of theta (normalised methods).
    first_batch
        B_0: trajectories of d_0.
    first_weight
        d_0 is this multiple of their mean estimate. One is right; eta_0 stands for the wrong start d_{-1} = 0.

    Raises
    ------
    ValueError
        Naming the first bad entry.
    """

    eta: FloatArray
    steps: FloatArray
    first_batch: int = 1
    first_weight: float = 1.0

    def __post_init__(self) -> None:
        require_positive("first_batch", self.first_batch)
        if not np.isfinite(self.first_weight):
            raise ValueError(f"first_weight is {self.first_weight!r}, not finite")
        for name, high in (("eta", 1.0), ("steps", np.inf)):
            array = as_float_array(name, getattr(self, name))
            if array.ndim != 1 or array.size == 0:
                raise ValueError(f"{name} has shape {array.shape}, not (T,)")
            outside = (array < 0.0) | (array > high)
            if outside.any():
                t = int(np.argmax(outside))
                raise ValueError(f"{name}[t={t}] is {array[t]}, outside [0, {high:g}]")
            object.__setattr__(self, name, array)


def power_schedule(
    iterations: int,
    step: float,
    step_power: float,
    eta_power: float,
    *,
    offset: float = 2.0,
    first_batch: int = 1,
) -> Schedule:
    r"""Return :math:`\gamma_t = \gamma_0 (2 / (t + \tau_0))^p` and :math:`\eta_t = (2 / (t + \tau_0))^q`.

    Parameters
    ----------
    iterations
        T; entries for t = 0, ..., T.
    step, step_power, eta_power
        gamma_0, p and q. The methods' powers (p, q): PG (2/3, 0), N-PG-M (1, 2/3), N-PG-IGT (1, 4/5), HARPG (1/2, 1),
        N-HARPG (1, 1).
    offset
        tau_0 >= 2.
    first_batch
        B_0.
    """
    require_positive("iterations", iterations)
    if not offset >= 2.0:
        raise ValueError(f"offset is {offset!r}, below 2")
    ratio = 2.0 / (np.arange(iterations + 1) + offset)
    eta, steps = np.power(ratio, eta_power), step * np.power(ratio, step_power)
    return Schedule(np.asarray(eta, dtype=np.float64), np.asarray(steps, dtype=np.float64), first_batch)


def constant_schedule(iterations: int, eta: float, step: float, *, first_batch: int = 1) -> Schedule:
    """Return the same momentum and step size for t = 0, ..., T."""
    require_positive("iterations", iterations)
    ones = np.ones(iterations + 1)
    return Schedule(eta * ones, step * ones, first_batch)
