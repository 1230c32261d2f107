r"""How well samples cover a box, and how far two Lipschitz maps lie apart on it: rigorous suprema.

**Branch and bound** (Piyavskii). If f is Lipschitz with constant L on a box, then on a cell with centre c and half
diagonal :math:`\eta` it lies below :math:`f(c) + L \eta`. Values at centres are lower bounds of the supremum; a cell
whose upper bound does not exceed the best of them by more than the tolerance is set aside, the others are halved along
every side. What is returned encloses the supremum, whenever the search ends:

.. math:: \max_c f(c) \;\le\; \sup f \;\le\; \max_{\text{cells}} \big( f(c) + L \eta \big) .

The guarantee is as good as the constant and, up to rounding, the evaluations.

**Fill distance** :math:`h = \sup_x \min_i \|x - x_i\|`: the distance to the samples has the constant one.

**Error of a policy**: :math:`\|\hat\pi - \pi^*\|` has the constant :math:`\alpha + L^*`. A priori it is at most
:math:`(\alpha + L^*) d(x) + \max_i \|v_i - u_i\|`, and :math:`\alpha d(x)` for the central extension of exact scalar
data with :math:`\alpha \ge L^*`.

**Mean distance.** For N uniform samples in a cube of side a, :math:`E\, d(x)` is estimated with a standard error by
drawing samples and one query each (``mean_distance``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError
from mdps.validation import FloatArray, as_float_array
from solvers import lipschitz_policies_kernels as kernels

MAX_CELLS = 4_000_000
"""Cells after which a search ends with the enclosure that it has."""


@dataclass(frozen=True)
class Supremum:
    """Enclosure of a supremum.

    Attributes
    ----------
    lower, upper
        The supremum lies between.
    witness
        ``(n,)``; the value there is ``lower``.
    evaluations
        Number of values computed.
    converged
        Whether ``upper - lower`` is within the tolerance.
    """

    lower: float
    upper: float
    witness: FloatArray
    evaluations: int
    converged: bool


def _box(low: npt.ArrayLike, high: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    bottom, top = np.atleast_1d(as_float_array("low", low)), np.atleast_1d(as_float_array("high", high))
    if bottom.shape != top.shape or bottom.ndim != 1:
        raise InvalidModelError(f"low has shape {bottom.shape}, high {top.shape}, not both (n,)")
    if (bottom > top).any():
        k = int(np.argmax(bottom > top))
        raise InvalidModelError(f"low[{k}] is {bottom[k]}, above high[{k}], {top[k]}")
    return bottom, top


def lipschitz_supremum(
    function: Callable[[FloatArray], FloatArray],
    constant: float,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    tolerance: float = 1e-3,
    max_cells: int = MAX_CELLS,
) -> Supremum:
    """Enclose the supremum over a box of a function with a known Lipschitz constant.

    Parameters
    ----------
    function
        From ``(Q, n)`` points to ``(Q,)`` values.
    constant
        A Lipschitz constant in the Euclidean norm.
    low, high
        ``(n,)`` corners of the box.
    tolerance
        Width at which the search ends.
    max_cells
        Evaluations after which it ends anyway, with ``converged`` false.

    Raises
    ------
    InvalidModelError
        If the box is empty, the constant negative or the tolerance not positive.
    """
    bottom, top = _box(low, high)
    if not (constant >= 0.0 and tolerance > 0.0):
        raise InvalidModelError(f"the constant is {constant}, the tolerance {tolerance}")
    centres, halves = ((bottom + top) / 2.0)[None], ((top - bottom) / 2.0)[None]
    signs = np.array(list(product((-1.0, 1.0), repeat=len(bottom))))
    best, witness, settled, evaluations = -np.inf, centres[0], -np.inf, 0
    while True:
        values = function(centres)
        evaluations += len(centres)
        top_cell = int(np.argmax(values))
        if values[top_cell] > best:
            best, witness = float(values[top_cell]), centres[top_cell].copy()
        bounds = values + constant * np.sqrt(np.sum(halves**2, axis=1))
        open_cells = bounds > best + tolerance
        settled = max(settled, float(bounds[~open_cells].max(initial=-np.inf)))
        if not open_cells.any() or evaluations + open_cells.sum() * len(signs) > max_cells:
            upper = max(settled, float(bounds.max(initial=-np.inf, where=open_cells)))
            return Supremum(best, upper, witness, evaluations, not open_cells.any())
        halves = np.repeat(halves[open_cells] / 2.0, len(signs), axis=0)
        centres = np.repeat(centres[open_cells], len(signs), axis=0) + np.tile(signs, (open_cells.sum(), 1)) * halves


def nearest_distances(points: npt.ArrayLike, queries: npt.ArrayLike) -> FloatArray:
    """Return the distance of every query ``(Q, n)`` to the nearest of the points ``(N, n)``."""
    states, x = as_float_array("points", points), as_float_array("queries", queries)
    out = np.empty((len(x), 2))
    kernels.envelopes(states, np.zeros(len(states)), 1.0, x, out)
    return out[:, 1].copy()


def fill_distance(
    points: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike, *, tolerance: float = 1e-3
) -> Supremum:
    """Enclose the largest distance of a point of the box from the samples ``(N, n)``."""
    states = as_float_array("points", points)
    return lipschitz_supremum(lambda x: nearest_distances(states, x), 1.0, low, high, tolerance=tolerance)


def policy_error(
    policy: Callable[[FloatArray], FloatArray],
    expert: Callable[[FloatArray], FloatArray],
    constant: float,
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    *,
    tolerance: float = 1e-3,
    max_cells: int = MAX_CELLS,
) -> Supremum:
    """Enclose the largest distance of two policies over a box.

    Parameters
    ----------
    policy, expert
        From states ``(Q, n)`` to inputs ``(Q, m)``.
    constant
        Sum of their Lipschitz constants.
    """

    def distance(x: FloatArray) -> FloatArray:
        norms: FloatArray = np.sqrt(np.sum((policy(x) - expert(x)) ** 2, axis=1))
        return norms

    return lipschitz_supremum(distance, constant, low, high, tolerance=tolerance, max_cells=max_cells)


def mean_distance(
    samples: int, dimension: int, *, side: float = 1.0, repetitions: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the mean distance of a uniform query from N uniform samples in a cube, and its standard error."""
    if samples < 1 or dimension < 1 or repetitions < 2:
        raise InvalidModelError(f"samples {samples}, dimension {dimension}, repetitions {repetitions}")
    rng = np.random.default_rng(seed)
    distances = np.empty(repetitions)
    for k in range(repetitions):
        points, query = rng.random((samples, dimension)), rng.random((1, dimension))
        distances[k] = np.sqrt(np.min(np.sum((points - query) ** 2, axis=1)))
    return side * float(distances.mean()), side * float(distances.std(ddof=1) / np.sqrt(repetitions))
