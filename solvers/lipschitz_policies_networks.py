r"""Certified Lipschitz constants of small feedforward networks.

A network :math:`x^0 = x,\ x^{k+1} = \varphi(W_k x^k + b_k)\ (k < \ell),\ f(x) = W_\ell x^\ell + b_\ell` has an
activation of slopes in [a, b] (in [0, 1] unless said). Bounds of its Lipschitz constant for Euclidean norms, from sharp
to crude:

* ReLU and one hidden layer: the largest :math:`\| W_1 \operatorname{diag}(s) W_0 \|` over the patterns s of zeros and
  ones that some input shows (the constant itself), or over all patterns;
* LipSDP: with :math:`A = [\operatorname{blkdiag}(W_0, \dots, W_{\ell-1}), 0]`, :math:`B = [0, I]`, a diagonal
  :math:`T \ge 0` and :math:`E_k` that selects :math:`x^k`, the constant is at most :math:`\sqrt\rho` if

  .. math:: (a + b)(A^\top T B + B^\top T A) - 2 a b\, A^\top T A - 2 B^\top T B
            - \rho E_0^\top E_0 + E_\ell^\top W_\ell^\top W_\ell E_\ell \preceq 0 ,

  as :math:`2 \sum_i \lambda_i (b \Delta z_i - \Delta\varphi_i)(\Delta\varphi_i - a \Delta z_i) \ge 0`; one multiplier a
  neuron (mode *neuron*) or a layer (mode *layer*);
* one hidden layer: :math:`\tfrac12 (\| W_1 W_0 \| + \| W_1 \| \| W_0 \|)`, since :math:`2 \varphi - \mathrm{id}` is
  nonexpansive;
* the product of the norms of the layers.

A semidefinite programme only proposes :math:`\rho` and T: the matrix inequality is decided in rational arithmetic, for
the stored floating-point weights taken as exact numbers, and so is every upper bound of a norm. Multipliers that couple
neurons, :math:`(e_i - e_j)(e_i - e_j)^\top` (mode *network*), are *unsound* and kept to show it: activations at
different operating points have different slopes.

References
----------
M. Fazlyab, A. Robey, H. Hassani, M. Morari, G. Pappas (2019). Efficient and accurate estimation of Lipschitz constants
for deep neural networks. NeurIPS 32.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from flint import fmpq, fmpq_mat

from mdps.errors import InvalidPolicyError
from mdps.validation import FloatArray, as_float_array
from solvers.lipschitz_policies_layers import (
    ACTIVATIONS,
    RESIDUAL_SLACK,
    exact_norm_bound,
    flint_matrix,
    is_positive_semidefinite,
    norm_bound,
    require_nonexpansive,
    residual_layer,
)

Mode: TypeAlias = Literal["neuron", "layer", "network"]

MAX_PATTERN_UNITS = 12
"""Largest hidden layer whose activation patterns are enumerated."""

CELL_MARGIN = 1e-9
"""A pattern counts as shown by some input if all pre-activations, scaled to unit rows, can exceed this at once."""

MARGINS = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5)
"""Tried distances of the matrix inequality from its boundary, so that it survives the rounding of the multipliers."""

MULTIPLIER_BITS = 40
"""Multipliers are rounded to multiples of 2^-40."""


@dataclass(frozen=True)
class Network:
    r"""A feedforward network with weights as plain arrays.

    Parameters
    ----------
    weights
        :math:`W_0, \dots, W_\ell`, each (outputs, inputs); at least one.
    biases
        :math:`b_0, \dots, b_\ell`, each (outputs,).
    activation
        A key of `ACTIVATIONS`; applied after every layer but the last.

    Raises
    ------
    InvalidModelError, InvalidPolicyError
        Naming the first array that is not finite or does not fit.
    """

    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]
    activation: str = "relu"

    def __init__(
        self, weights: Sequence[npt.ArrayLike], biases: Sequence[npt.ArrayLike], activation: str = "relu"
    ) -> None:
        if activation not in ACTIVATIONS:
            raise InvalidPolicyError(f"activation is {activation!r}, not one of {', '.join(ACTIVATIONS)}")
        if not weights or len(weights) != len(biases):
            raise InvalidPolicyError(f"{len(weights)} weights and {len(biases)} biases: as many of each, at least one")
        layers = tuple(as_float_array(f"weights[{k}]", w) for k, w in enumerate(weights))
        shifts = tuple(as_float_array(f"biases[{k}]", b) for k, b in enumerate(biases))
        for k, (layer, shift) in enumerate(zip(layers, shifts, strict=True)):
            if layer.ndim != 2 or 0 in layer.shape:
                raise InvalidPolicyError(f"weights[{k}] has shape {layer.shape}, not (outputs, inputs)")
            if k and layer.shape[1] != layers[k - 1].shape[0]:
                raise InvalidPolicyError(f"weights[{k}] has {layer.shape[1]} inputs, not {layers[k - 1].shape[0]}")
            if shift.shape != layer.shape[:1]:
                raise InvalidPolicyError(f"biases[{k}] has shape {shift.shape}, not {layer.shape[:1]}")
        object.__setattr__(self, "weights", layers)
        object.__setattr__(self, "biases", shifts)
        object.__setattr__(self, "activation", activation)

    @property
    def hidden(self) -> tuple[int, ...]:
        """Widths of the hidden layers."""
        return tuple(layer.shape[0] for layer in self.weights[:-1])

    @property
    def n_states(self) -> int:
        """Number of inputs n of the network, as a policy: dimension of the state."""
        return self.weights[0].shape[1]

    @property
    def n_inputs(self) -> int:
        """Number of outputs m of the network, as a policy: dimension of the plant's input."""
        return self.weights[-1].shape[0]

    def __call__(self, states: npt.ArrayLike) -> FloatArray:
        """Return the outputs at ``states`` (..., n), of shape (..., m)."""
        phi = ACTIVATIONS[self.activation].function
        state = np.asarray(states, dtype=np.float64)
        for layer, shift in zip(self.weights[:-1], self.biases[:-1], strict=True):
            state = phi(state @ layer.T + shift)
        return state @ self.weights[-1].T + self.biases[-1]

    def jacobian(self, point: FloatArray) -> FloatArray:
        """Return the Jacobian (m, n) at one point (n,); its norm is a lower bound of the Lipschitz constant."""
        activation = ACTIVATIONS[self.activation]
        state = np.asarray(point, dtype=np.float64)
        jacobian = np.eye(state.size)
        for layer, shift in zip(self.weights[:-1], self.biases[:-1], strict=True):
            before = layer @ state + shift
            jacobian = activation.derivative(before)[:, None] * (layer @ jacobian)
            state = activation.function(before)
        return self.weights[-1] @ jacobian

    def scaled(self, factor: float) -> "Network":
        """Return the network times a factor: its last layer, weights and bias, is multiplied."""
        return Network(
            (*self.weights[:-1], factor * self.weights[-1]),
            (*self.biases[:-1], factor * self.biases[-1]),
            self.activation,
        )


@dataclass(frozen=True)
class ResidualNetwork:
    """A linear layer, nonexpansive residual layers, and a linear layer.

    Parameters
    ----------
    lift, output
        Weights (w, n) and bias (w,); weights (m, w) and bias (m,).
    blocks
        Triples (W, b, q): weights (w, k), bias (k,), positive scaling (k,); see `residual_layer`.
    activation
        A key of `ACTIVATIONS`.
    """

    lift: tuple[FloatArray, FloatArray]
    blocks: tuple[tuple[FloatArray, FloatArray, FloatArray], ...]
    output: tuple[FloatArray, FloatArray]
    activation: str = "relu"

    def __post_init__(self) -> None:
        """Raise `InvalidPolicyError` naming the first array that does not fit."""
        width = self.lift[0].shape[0]
        expected = {"lift": (self.lift[1].shape, (width,)), "output": (self.output[0].shape[1:], (width,))}
        expected["output bias"] = (self.output[1].shape, self.output[0].shape[:1])
        for k, (weights, bias, scaling) in enumerate(self.blocks):
            expected[f"blocks[{k}] weights"] = (weights.shape[:1], (width,))
            expected[f"blocks[{k}] bias"] = (bias.shape, weights.shape[1:])
            expected[f"blocks[{k}] scaling"] = (scaling.shape, weights.shape[1:])
            if not np.all(scaling > 0.0):
                raise InvalidPolicyError(f"blocks[{k}] scaling has an entry that is not positive")
        for name, (found, wanted) in expected.items():
            if found != wanted:
                raise InvalidPolicyError(f"{name} has shape {found}, not {wanted}")

    @property
    def n_states(self) -> int:
        """Number of inputs n."""
        return self.lift[0].shape[1]

    @property
    def n_inputs(self) -> int:
        """Number of outputs m."""
        return self.output[0].shape[0]

    def __call__(self, states: npt.ArrayLike) -> FloatArray:
        """Return the outputs at ``states`` (..., n), of shape (..., m)."""
        state = np.asarray(states, dtype=np.float64) @ self.lift[0].T + self.lift[1]
        for weights, bias, scaling in self.blocks:
            state = residual_layer(state, weights, bias, scaling, self.activation)
        return state @ self.output[0].T + self.output[1]


# ------------------------------------------------------------------------------------- bounds of whole networks


def _up(value: float) -> float:
    return math.nextafter(value, math.inf)


def product_bound(network: Network | ResidualNetwork) -> float:
    """Return the product of the norms of the layers; residual layers count as one (see `residual_scaling`)."""
    if isinstance(network, ResidualNetwork):
        for weights, _, scaling in network.blocks:
            require_nonexpansive(weights, scaling)
        layers: tuple[FloatArray, ...] = (network.lift[0], network.output[0])
        bound = (1.0 + RESIDUAL_SLACK) ** len(network.blocks)
    else:
        layers, bound = network.weights, 1.0
    for layer in layers:
        bound = _up(bound * norm_bound(layer))
    return bound


def half_bound(network: Network) -> float:
    r"""Return :math:`\tfrac12 (\| W_1 W_0 \| + \| W_1 \| \| W_0 \|)`; one hidden layer, slopes in [0, 1].

    Raises
    ------
    InvalidPolicyError
        If the network has more or fewer hidden layers.
    """
    first, last = _one_hidden(network)
    straight = exact_norm_bound(flint_matrix(last) * flint_matrix(first))
    return _up(0.5 * _up(straight + _up(norm_bound(last) * norm_bound(first))))


def _one_hidden(network: Network) -> tuple[FloatArray, FloatArray]:
    if len(network.weights) != 2:
        raise InvalidPolicyError(f"the network has {len(network.hidden)} hidden layers, not one")
    return network.weights[0], network.weights[1]


def _few_relu_units(network: Network) -> tuple[FloatArray, FloatArray]:
    first, last = _one_hidden(network)
    if network.activation != "relu":
        raise InvalidPolicyError(f"activation is {network.activation!r}: only that of 'relu' has patterns")
    if first.shape[0] > MAX_PATTERN_UNITS:
        raise InvalidPolicyError(f"{first.shape[0]} hidden units: patterns are enumerated up to {MAX_PATTERN_UNITS}")
    return first, last


@dataclass(frozen=True)
class PatternBound:
    """A largest slope over activation patterns, to rounding; ``point`` shows the pattern, where one was asked for."""

    bound: float
    pattern: tuple[int, ...]
    point: tuple[float, ...] | None = None


def _largest_slope(network: Network, patterns: npt.NDArray[np.int64]) -> tuple[float, int]:
    first, last = _few_relu_units(network)
    slopes = np.linalg.norm((last[None] * patterns[:, None, :]) @ first, 2, axis=(1, 2))
    best = int(np.argmax(slopes))
    return float(slopes[best]), best


def pattern_bound(network: Network) -> PatternBound:
    r"""Return :math:`\max_{s \in \{0, 1\}^k} \| W_1 \operatorname{diag}(s) W_0 \|`: ReLU, one hidden layer, k <= 12.

    Raises
    ------
    InvalidPolicyError
        If the network is another one.
    """
    units = _few_relu_units(network)[0].shape[0]
    patterns = (np.arange(2**units)[:, None] >> np.arange(units)) & 1
    bound, best = _largest_slope(network, patterns)
    return PatternBound(bound, tuple(int(s) for s in patterns[best]))


def feasible_pattern_bound(network: Network) -> PatternBound:
    r"""Return the largest slope over the patterns of full-dimensional cells: the Lipschitz constant of the network.

    Patterns grow unit by unit; those that no input shows are cut off by a linear programme (HiGHS) that maximises the
    margin of all signs. The slope is attained at ``point``. A cell thinner than `CELL_MARGIN` is left out.

    Raises
    ------
    InvalidPolicyError
        As `pattern_bound`.
    """
    first, _ = _few_relu_units(network)
    sizes = np.linalg.norm(first, axis=1)
    scale = np.where(sizes > 0.0, sizes, 1.0)
    rows, shifts = first / scale[:, None], network.biases[0] / scale
    cells: list[tuple[tuple[int, ...], FloatArray]] = [((), np.zeros(first.shape[1]))]
    for unit in range(first.shape[0]):
        grown = [
            (pattern, _inner_point(rows[: unit + 1], shifts[: unit + 1], pattern))
            for old, _ in cells
            for pattern in ((*old, 0), (*old, 1))
        ]
        cells = [(pattern, point) for pattern, point in grown if point is not None]
    bound, best = _largest_slope(network, np.array([pattern for pattern, _ in cells]))
    return PatternBound(bound, cells[best][0], tuple(float(x) for x in cells[best][1]))


def _inner_point(rows: FloatArray, shifts: FloatArray, pattern: tuple[int, ...]) -> FloatArray | None:
    """Return a point at which every unit has the sign of the pattern with the largest common margin, or None."""
    from scipy.optimize import linprog

    signs = np.where(np.array(pattern) == 1, 1.0, -1.0)
    constraints = np.hstack([-signs[:, None] * rows, np.ones((len(pattern), 1))])
    size = rows.shape[1]
    found = linprog(
        np.append(np.zeros(size), -1.0),
        A_ub=constraints,
        b_ub=signs * shifts,
        bounds=[(None, None)] * size + [(None, 1.0)],
        method="highs",
    )
    if found.status != 0:
        raise ArithmeticError(f"linear programme of pattern {pattern}: {found.message}")
    solution = np.asarray(found.x)
    return solution[:-1] if solution[-1] > CELL_MARGIN else None


# -------------------------------------------------------------------------------------------------------- LipSDP


@dataclass(frozen=True)
class LipSDP:
    """A solution of the matrix inequality that rational arithmetic confirms.

    Attributes
    ----------
    rho
        Squared bound.
    multipliers
        Diagonal of T, one entry a hidden neuron.
    couplings
        In mode *network*: (i, j, weight) of the coupled pairs; such a solution bounds nothing.
    """

    rho: Fraction
    multipliers: tuple[Fraction, ...]
    mode: Mode = "neuron"
    couplings: tuple[tuple[int, int, Fraction], ...] = ()

    @property
    def bound(self) -> float:
        """Square root of rho, rounded upwards."""
        return _up(math.sqrt(_up(float(self.rho))))


def lipsdp(network: Network, mode: Mode = "neuron") -> LipSDP:
    """Solve the semidefinite programme (Clarabel) and return a rational solution that satisfies it exactly.

    Parameters
    ----------
    mode
        ``neuron``: one multiplier a neuron; ``layer``: one a hidden layer, a larger bound; ``network``: neurons are
        coupled in pairs, which is unsound.

    Raises
    ------
    InvalidPolicyError
        If the network has no hidden layer or the mode is unknown.
    ArithmeticError
        If no proposal of the solver can be confirmed.
    """
    if mode not in ("neuron", "layer", "network"):
        raise InvalidPolicyError(f"mode is {mode!r}, not 'neuron', 'layer' or 'network'")
    if not network.hidden:
        raise InvalidPolicyError("the network has no hidden layer: its constant is the norm of its weights")
    for margin in MARGINS:
        proposal = _propose(network, mode, margin)
        for slack in (0.0, 1e-9, 1e-8, 1e-7):
            if proposal is not None:
                solution = LipSDP(proposal.rho * (1 + Fraction(slack)), proposal.multipliers, mode, proposal.couplings)
                if verify_lipsdp(network, solution):
                    return solution
    raise ArithmeticError(f"no solution in mode {mode!r} could be confirmed in rational arithmetic")


def _blocks(network: Network) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return A, B, E_0 and W_l E_l as matrices of zeros and weights."""
    inputs, hidden, count = network.weights[0].shape[1], network.hidden, sum(network.hidden)
    before = np.zeros((count, inputs + count))
    row, column = 0, 0
    for layer in network.weights[:-1]:
        before[row : row + layer.shape[0], column : column + layer.shape[1]] = layer
        row, column = row + layer.shape[0], column + layer.shape[1]
    after = np.hstack([np.zeros((count, inputs)), np.eye(count)])
    last = np.zeros((network.weights[-1].shape[0], inputs + count))
    last[:, inputs + count - hidden[-1] :] = network.weights[-1]
    return before, after, np.eye(inputs, inputs + count), last


def _propose(network: Network, mode: Mode, margin: float) -> LipSDP | None:
    """Solve the programme with the inequality moved inwards by ``margin`` relative to its size; round the solution."""
    import cvxpy

    before, after, first, last = _blocks(network)
    size = float(np.linalg.norm(last, 2)) or 1.0
    last = last / size
    activation, count = ACTIVATIONS[network.activation], sum(network.hidden)
    groups = np.repeat(np.eye(len(network.hidden)), network.hidden, axis=0) if mode == "layer" else np.eye(count)
    weights, rho = cvxpy.Variable(groups.shape[1], nonneg=True), cvxpy.Variable(nonneg=True)
    pairs = [(i, j) for i in range(count) for j in range(i)] if mode == "network" else []
    differences = np.array([np.eye(count)[i] - np.eye(count)[j] for i, j in pairs]).reshape(len(pairs), count)
    coupled = cvxpy.Variable(len(pairs), nonneg=True) if pairs else None
    middle = cvxpy.diag(groups @ weights)
    if coupled is not None:
        middle = middle + differences.T @ cvxpy.diag(coupled) @ differences
    cross = before.T @ middle @ after
    form = (activation.low + activation.high) * (cross + cross.T) - 2.0 * after.T @ middle @ after
    form = form - 2.0 * activation.low * activation.high * before.T @ middle @ before
    form = form - rho * first.T @ first + last.T @ last + margin * np.eye(before.shape[1])
    problem = cvxpy.Problem(cvxpy.Minimize(rho), [0.5 * (form + form.T) << 0])
    try:
        problem.solve(solver=cvxpy.CLARABEL)
    except cvxpy.SolverError:
        return None
    found = weights.value
    if rho.value is None or found is None:
        return None
    square = Fraction(size) ** 2
    diagonal = tuple(square * _rounded(value) for value in groups @ found)
    values = [] if coupled is None else coupled.value
    couplings = tuple((i, j, square * _rounded(value)) for (i, j), value in zip(pairs, values, strict=True))
    return LipSDP(square * _rounded(float(rho.value)), diagonal, mode, couplings)


def _rounded(value: float) -> Fraction:
    return Fraction(max(0, round(float(value) * 2**MULTIPLIER_BITS)), 2**MULTIPLIER_BITS)


def verify_lipsdp(network: Network, solution: LipSDP) -> bool:
    """Decide in rational arithmetic whether a solution satisfies the matrix inequality of its mode."""
    if solution.rho < 0 or any(weight < 0 for weight in solution.multipliers):
        return False
    if any(weight < 0 for _, _, weight in solution.couplings):
        return False
    if len(solution.multipliers) != sum(network.hidden):
        return False
    before, after, first, last = map(flint_matrix, _blocks(network))
    middle, activation = _exact_multiplier(solution), ACTIVATIONS[network.activation]
    low, high = (fmpq(*slope.as_integer_ratio()) for slope in (activation.low, activation.high))
    cross = before.transpose() * middle * after
    slack = (after.transpose() * middle * after) * fmpq(2) - (cross + cross.transpose()) * (low + high)
    slack = slack + (before.transpose() * middle * before) * (2 * low * high)
    slack = slack + (first.transpose() * first) * _fmpq(solution.rho) - last.transpose() * last
    return is_positive_semidefinite(slack)


def _exact_multiplier(solution: LipSDP) -> fmpq_mat:
    count = len(solution.multipliers)
    middle = fmpq_mat(count, count)
    for i, weight in enumerate(solution.multipliers):
        middle[i, i] = _fmpq(weight)
    for i, j, weight in solution.couplings:
        for row, column, sign in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
            middle[row, column] += sign * _fmpq(weight)
    return middle


def _fmpq(value: Fraction) -> fmpq:
    return fmpq(value.numerator, value.denominator)
