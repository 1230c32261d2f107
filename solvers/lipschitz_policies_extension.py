r"""From values on the samples to a policy on the whole space.

Given states :math:`x_i`, values :math:`v_i` with :math:`\|v_i - v_j\| \le \alpha \|x_i - x_j\|` and a query x:

**Envelopes** (m = 1, any metric; McShane, Whitney). :math:`\pi_-(x) = \max_i (v_i - \alpha \|x - x_i\|)` and
:math:`\pi_+(x) = \min_i (v_i + \alpha \|x - x_i\|)` interpolate, are :math:`\alpha`-Lipschitz, and lie on either
side of every such map; the *central* policy is their mean.

**Kirszbraun** (any m, Euclidean norms; the formula of Azagra, Le Gruyer and Mudarra).
:math:`\pi(x) = \sum_i \lambda_i v_i` with :math:`\lambda` minimising over the simplex

.. math:: \alpha \big\| x - \tfrac12 \textstyle\sum \lambda_i x_i \big\|^2
          + \tfrac1{4\alpha} \big\| \sum \lambda_i v_i \big\|^2
          - \sum \lambda_i \Big( \tfrac{\|v_i\|^2}{4 \alpha} - \tfrac{\alpha \|x_i\|^2}{4} \Big) .

With :math:`e_i = x_i - x` four times the objective is, up to a constant, :math:`\alpha (\|\bar e\|^2 +
\sum \lambda_i \|e_i\|^2)` minus :math:`1/\alpha` times the variance of v under :math:`\lambda`: nothing depends on the
origins, and at a sample the vertex :math:`\lambda_i = 1` is optimal exactly because the data are Lipschitz. The
policy is :math:`\alpha`-Lipschitz, interpolates, and stays in the convex hull of the values. The kernel is an
active-set method that starts from the solution of the query before; it returns the duality gap of the simplex
programme, and the value is within :math:`\sqrt{\alpha \cdot \text{gap}}` of the exact one (``kirszbraun_error``).

**Componentwise** envelopes (m >= 2) are Lipschitz with :math:`\sqrt m\, \alpha` only, and that is attained.

**Pointwise min-max**, :math:`\arg\min_v \max_i \|v - v_i\| / \|x - x_i\|`, has no slope to a *sample* that exceeds the
constant of the data, but is not Lipschitz with it between queries when m >= 2: it is here to be refuted.

References
----------
E. J. McShane (1934). Extension of range of functions. Bulletin of the AMS 40.
D. Azagra, E. Le Gruyer, C. Mudarra (2018). Explicit formulas for C^{1,1} and C^{1,omega}_conv extensions of 1-jets.
arXiv 1810.10288.
"""

import warnings
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError
from mdps.validation import FloatArray, as_float_array
from solvers import lipschitz_policies_kernels as kernels
from solvers.lipschitz_policies_duality import check_data

Envelope = Literal["lower", "central", "upper"]


class Extension(NamedTuple):
    """Values at queries, ``(Q, m)``, and the duality gaps of their programmes, rounding included, ``(Q,)``."""

    values: FloatArray
    gaps: FloatArray


def _queries(queries: npt.ArrayLike, dimension: int) -> FloatArray:
    x = as_float_array("queries", queries)
    x = x.reshape(-1, 1) if x.ndim == 1 and dimension == 1 else np.atleast_2d(x)
    if x.ndim != 2 or x.shape[1] != dimension:
        raise InvalidModelError(f"queries have shape {x.shape}, not (Q, {dimension})")
    return x


def envelopes(points: npt.ArrayLike, values: npt.ArrayLike, alpha: float, queries: npt.ArrayLike) -> FloatArray:
    """Return the lower and upper envelopes of scalar values at the queries, ``(Q, 2)``.

    Parameters
    ----------
    points, values
        ``(N, n)`` and ``(N,)`` or ``(N, 1)``.
    queries
        ``(Q, n)``, or ``(Q,)`` if n = 1.
    """
    states, inputs = check_data(points, values, alpha)
    if inputs.shape[1] != 1:
        raise InvalidModelError(f"values have {inputs.shape[1]} components; envelopes are for one")
    x = _queries(queries, states.shape[1])
    out = np.empty((len(x), 2))
    kernels.envelopes(states, inputs[:, 0].copy(), alpha, x, out)
    return out


def mcshane(
    points: npt.ArrayLike,
    values: npt.ArrayLike,
    alpha: float,
    queries: npt.ArrayLike,
    kind: Envelope = "central",
) -> FloatArray:
    """Return the lower, central or upper extension of scalar values at the queries, ``(Q, 1)``."""
    both = envelopes(points, values, alpha, queries)
    column = {"lower": both[:, :1], "upper": both[:, 1:], "central": both.mean(axis=1, keepdims=True)}
    if kind not in column:
        raise InvalidModelError(f"kind is {kind!r}, not one of {', '.join(column)}")
    return column[kind]


def componentwise(
    points: npt.ArrayLike,
    values: npt.ArrayLike,
    alpha: float,
    queries: npt.ArrayLike,
    kind: Envelope = "central",
) -> FloatArray:
    """Extend every component by itself, ``(Q, m)``: Lipschitz with ``sqrt(m) alpha``, not with alpha."""
    states, inputs = check_data(points, values, alpha)
    return np.concatenate([mcshane(states, part, alpha, queries, kind) for part in inputs.T], axis=1)


def kirszbraun(points: npt.ArrayLike, values: npt.ArrayLike, alpha: float, queries: npt.ArrayLike) -> Extension:
    """Return the vector extension at the queries, each started from the solution of the one before.

    Parameters
    ----------
    points, values
        ``(N, n)`` and ``(N, m)``, alpha-Lipschitz data.
    queries
        ``(Q, n)``; neighbouring queries, as on a trajectory, are the fastest.

    Raises
    ------
    InvalidModelError
        Naming what is wrong with the data; alpha must be positive.
    """
    states, inputs = check_data(points, values, alpha)
    if alpha == 0.0:
        raise InvalidModelError("alpha is 0: the extension is a constant")
    x = _queries(queries, states.shape[1])
    out, gaps = np.empty((len(x), inputs.shape[1])), np.empty(len(x))
    kernels.kirszbraun(states, inputs, alpha, x, out, gaps)
    return Extension(out, gaps)


def kirszbraun_error(extension: Extension, alpha: float) -> FloatArray:
    """Return bounds of the distance of the computed values from the exact extension, ``(Q,)``."""
    bounds: FloatArray = np.sqrt(alpha * extension.gaps)
    return bounds


def one_point_extension(values: npt.ArrayLike, distances: npt.ArrayLike) -> tuple[FloatArray, float]:
    """Return the v that minimises ``max_i |v - v_i| / d_i``, ``(m,)``, and the minimum: the factor needed at one point.

    Parameters
    ----------
    values, distances
        ``(N, m)`` and ``(N,)``, the distances (in any metric) of the point from the samples, positive.
    """
    import cvxpy

    inputs, lengths = as_float_array("values", values), as_float_array("distances", distances)
    if inputs.ndim != 2 or lengths.shape != inputs.shape[:1] or not (lengths > 0.0).all():
        raise InvalidModelError(
            f"values have shape {inputs.shape}, distances {lengths.shape}; distances must be positive"
        )
    v = cvxpy.Variable((1, inputs.shape[1]))
    ratio = cvxpy.max(cvxpy.norm((inputs - np.ones((len(inputs), 1)) @ v) / lengths[:, None], 2, axis=1))
    problem = cvxpy.Problem(cvxpy.Minimize(ratio))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a last digit that is not reached
        least = problem.solve(solver="CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    return np.asarray(v.value, dtype=float)[0], float(least)


def pointwise_minmax(points: npt.ArrayLike, values: npt.ArrayLike, queries: npt.ArrayLike) -> FloatArray:
    """Return the minimiser of ``max_i |v - v_i| / |x - x_i|`` at every query by itself, ``(Q, m)``.

    This is not Lipschitz with the constant of the data when m >= 2.
    """
    states, inputs = check_data(points, values, 0.0)
    x = _queries(queries, states.shape[1])
    found = np.empty((len(x), inputs.shape[1]))
    for q, query in enumerate(x):
        distances = np.sqrt(np.sum((states - query) ** 2, axis=1))
        nearest = int(distances.argmin())
        found[q] = inputs[nearest] if distances[nearest] == 0.0 else one_point_extension(inputs, distances)[0]
    return found
