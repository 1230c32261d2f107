r"""Stability of a loop closed with a *learned* policy, proved cell by cell.

For a known plant, a policy :math:`\hat\pi` of Lipschitz constant :math:`\alpha` and :math:`V(x) = (x^\top P x)^{1/2}`,
the decrease :math:`D(x) = V(f(x, \hat\pi(x))) - V(x)` is Lipschitz with :math:`\sqrt{\lambda_{\max}(P)}\,
(L_x + L_u \alpha + 1)`. A cube with centre c and half diagonal :math:`\rho` is certified if

.. math:: D(c) + \| B \|_P\, \alpha \zeta + \sqrt{\lambda_{\max}(P)}\, (L_x + L_u \alpha + 1)\, \rho < 0,

else it is halved in every direction, down to a smallest size. If every cube that is left over lies in
:math:`V \le v_{in}`, then V decreases on :math:`v_{in} < V \le v_{out}`: the set :math:`V \le v_{out}` is
invariant, and every trajectory from it ends in :math:`V \le \max(v_{in}, \beta v_{in} + \| B \|_P\, \omega)`.

Where the states have different scales the cubes are better drawn in coordinates in which V is the Euclidean norm
(`metric_decrease_certificate`). Cells are treated generation by generation: the policy is compiled, the rest is a
handful of array operations.
"""

from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mdps.control import LinearPlant, Pendulum, Plant, as_matrix, require_positive, require_symmetric
from mdps.errors import InvalidModelError
from mdps.validation import FloatArray
from solvers.lipschitz_policies_simulation import CompiledPolicy, play

CHUNK = 1 << 14
"""Cells treated together: their arrays stay in the second-level cache."""

ROUNDING = 1e-12
"""Decrease required beyond zero, relative to V: float64 rounding of its evaluation is far smaller."""


@dataclass(frozen=True)
class DecreaseCertificate:
    """Where V decreases along the learned loop (see the module).

    Parameters
    ----------
    cells
        Number of cells looked at.
    left_over
        Number of smallest cells without certificate.
    inner
        v_in: an upper bound of V on them.
    outer
        v_out: cells outside of it were not looked at.
    """

    cells: int
    left_over: int
    inner: float
    outer: float

    @property
    def holds(self) -> bool:
        """Whether the decrease is proved anywhere: v_in < v_out."""
        return self.inner < self.outer

    def ultimate(self, rate: float, input_norm: float, omega: float) -> float:
        """Return the level that every trajectory ends below, given the expert's contraction and the input error."""
        return max(self.inner, rate * self.inner + input_norm * omega)


def decrease_certificate(
    plant: Plant,
    policy: CompiledPolicy,
    metric: npt.ArrayLike,
    alpha: float,
    outer: float,
    radius: float,
    smallest: float = 0.004,
    disturbance: float = 0.0,
    lipschitz: tuple[float, float] | None = None,
    cells_per_axis: int = 1,
) -> DecreaseCertificate:
    """Prove that V decreases on as much as possible of V <= outer.

    Parameters
    ----------
    metric
        P ``(n, n)``, positive definite.
    alpha
        A Euclidean Lipschitz constant of the policy on the cube.
    outer
        v_out: the set V <= v_out must lie in the cube.
    radius
        Half side of the cube of first cells, around the origin.
    smallest
        Half width at which cells are no longer halved.
    disturbance
        ``||B||_P alpha zeta``, what errors of the measurement add to V.
    lipschitz
        (L_x, L_u) on the cube, finite; those of the plant if omitted.
    cells_per_axis
        First cells along each axis.

    Raises
    ------
    InvalidModelError
        If the set V <= v_out is not inside the cube, or an argument is out of range.
    """
    n = plant.n_states
    P = _checked(metric, n, alpha, outer=outer, radius=radius, smallest=smallest)
    reach = outer * sqrt(float(np.linalg.inv(P).diagonal().max()))
    if reach > radius * (1.0 + 1e-9):
        raise InvalidModelError(f"V <= {outer:g} reaches {reach:.6g} along an axis, beyond the radius {radius:g}")
    state, inputs = plant.lipschitz(radius) if lipschitz is None else lipschitz
    require_positive("lipschitz", state + inputs)
    steep = sqrt(float(np.linalg.eigvalsh(P)[-1])) * (1.0 + ROUNDING)
    slope = steep * (state + inputs * alpha + 1.0)
    cells = _Cells(plant, policy, P, np.eye(n), steep, slope, outer, disturbance)
    return cells.search(radius, smallest, cells_per_axis)


def metric_decrease_certificate(
    plant: LinearPlant | Pendulum,
    policy: CompiledPolicy,
    metric: npt.ArrayLike,
    alpha: float,
    outer: float,
    smallest: float = 0.004,
    disturbance: float = 0.0,
    cells_per_axis: int = 1,
) -> DecreaseCertificate:
    """Prove the same with cells that are cubes in coordinates z = T x, T'T = P, in which V is the Euclidean norm.

    There D is Lipschitz with ``L_x + L_u alpha + 1``, the constants taken in the metric: L_x at the vertices of the
    plant's Jacobians. Far fewer cells than `decrease_certificate` where the states have different scales.

    Parameters
    ----------
    alpha
        A Lipschitz constant of the policy in the metric.
    outer
        v_out.
    smallest
        Half width, in the coordinates z, at which cells are no longer halved.
    disturbance, cells_per_axis
        As for `decrease_certificate`.

    Raises
    ------
    InvalidModelError
        If an argument is out of range.
    """
    n = plant.n_states
    P = _checked(metric, n, alpha, outer=outer, smallest=smallest)
    root = np.linalg.cholesky(P).T
    frame = np.linalg.inv(root)
    widest = outer * float(np.abs(frame[0]).sum())  # of the first state, on the cube of all cells
    inputs = plant.B if isinstance(plant, LinearPlant) else plant.linearisation().B
    state = max(float(np.linalg.norm(root @ jacobian @ frame, 2)) for jacobian in plant.jacobians(widest))
    slope = (state + float(np.linalg.norm(root @ inputs, 2)) * alpha + 1.0) * (1.0 + ROUNDING)
    cells = _Cells(plant, policy, P, frame, 1.0 + ROUNDING, slope, outer, disturbance)
    return cells.search(outer, smallest, cells_per_axis)


def _checked(metric: npt.ArrayLike, size: int, alpha: float, **positive: float) -> FloatArray:
    P = as_matrix("metric", metric)
    require_symmetric("metric", P, size, definite=True)
    require_positive("alpha", alpha, strict=False)
    for name, value in positive.items():
        require_positive(name, value)
    return P


class _Cells(NamedTuple):
    """What the search knows: x = ``frame`` z; V and D are Lipschitz in z with ``steep`` and ``slope``."""

    plant: Plant
    policy: CompiledPolicy
    metric: FloatArray
    frame: FloatArray
    steep: float
    slope: float
    outer: float
    disturbance: float

    def search(self, radius: float, smallest: float, per_axis: int) -> DecreaseCertificate:
        """Halve the cells of the cube of half side ``radius`` until they are certified or small."""
        n, half = self.metric.shape[0], radius / per_axis
        axis = (2.0 * np.arange(per_axis) + 1.0 - per_axis) * half
        centres = np.stack(np.meshgrid(*[axis] * n, indexing="ij"), axis=-1).reshape(-1, n)
        corners = np.stack(np.meshgrid(*[[-0.5, 0.5]] * n, indexing="ij"), axis=-1).reshape(-1, n)
        count, left_over, inner = 0, 0, 0.0
        while centres.size:
            distance, open_cells = half * sqrt(n), []
            for start in range(0, len(centres), CHUNK):
                seen, kept, values = self._uncertified(centres[start : start + CHUNK], distance)
                count += seen
                if half > smallest:
                    open_cells.append((kept[:, None, :] + half * corners).reshape(-1, n))
                elif len(kept):
                    left_over += len(kept)
                    inner = max(inner, float(values.max()) + self.steep * distance)
            centres = np.concatenate(open_cells) if open_cells else np.empty((0, n))
            half /= 2.0
        return DecreaseCertificate(count, left_over, inner, float(self.outer))

    def _uncertified(self, centres: FloatArray, distance: float) -> tuple[int, FloatArray, FloatArray]:
        """Return the number of cells that meet V <= outer, and centres and V of those without certificate."""
        states = centres @ self.frame.T
        here = _norms(states, self.metric)
        near = here - self.steep * distance <= self.outer
        centres, states, here = centres[near], states[near], here[near]
        following = self.plant.step(states, play(self.policy, states))
        decrease = _norms(following, self.metric) - here + self.disturbance + self.slope * distance
        still = decrease >= -ROUNDING * here
        return len(here), centres[still], here[still]


def _norms(states: FloatArray, metric: FloatArray) -> FloatArray:
    """Return sqrt(x' P x) for states ``(C, n)``."""
    norms: FloatArray = np.sqrt(np.einsum("ci,ci->c", states @ metric, states))
    return norms
