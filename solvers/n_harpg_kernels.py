"""Layout of worlds, methods and scratch for the kernels of the momentum policy gradients, and their random numbers.

**Layout.** Several runs ("lanes") advance together, each with its own policy tables and its own generator: at each
stage a first loop draws for all lanes (vectorised), a second one gathers, a third one decides (vectorised). No lane
reads what another one writes, so that a run does not depend on its neighbours.
"""

from math import cos, log, pi, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mdps.jit import kernel

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
WordArray = npt.NDArray[np.uint64]
PairArray = npt.NDArray[np.uint16]

SOFTMAX, LOG_LINEAR, AFFINE, RING, LOCATION, ORACLE = range(6)
"""Kinds of worlds: four families of policies on finitely many actions, location families, noisy derivatives."""

NONE, HESSIAN, IMPORTANCE = range(3)
"""Corrections v."""

OUTER, CAUSAL, TRANSPOSED, NO_PRODUCT, WEIGHTED = range(5)
"""Hessian estimates: B, B-tilde, the transpose of B. Then a gradient alone, and two with importance weights."""

CAUCHY, GAUSSIAN, TRUNCATED = range(3)
"""Laws of the actions of a location family."""

QUADRATIC, CLIPPED, BUMP = range(3)
"""Rewards of a scalar system: -(q x^2 + R u^2), the same clipped to [-1, 0], s^2 / (s^2 + (u - a)^2)."""

LANES = 32
"""Runs advanced together."""


class Tables(NamedTuple):
    """A world, laid out for the kernels; sizes that do not apply are one."""

    kind: int
    n_actions: int
    features: FloatArray  # (S A, d)
    pairs: FloatArray  # (2, S A): rewards; probabilities that an affine family adds to
    cells: WordArray  # (S A + 1, S): alias tables of the next state, and of the first one
    powers: FloatArray  # (H,): factor of the reward of stage h, gamma^h
    later: float  # factor of w_{t + 1} in w_t: one
    numbers: FloatArray  # amplitude of the ring; constants of a scalar system (`roll_scalar`); noise of the oracle


class Recursion(NamedTuple):
    """The recursion of a method (see the module)."""

    correction: int
    product: int
    extrapolation: float
    normalised: bool
    score_factor: float  # of the term U psi
    curvature_factor: float  # of the term W Psi Delta
    point: float  # q, uniform if negative
    sampled_here: bool  # the trajectory of v comes from theta_t instead of the point where it is scored
    shared: bool  # one trajectory for g and v
    batch: int
    correction_batch: int
    period: int  # eta = 1 with a large batch in every period-th iteration; 0 for never
    restart_probability: float  # and at random
    restart_batch: int
    first_batch: int
    first_weight: float  # of the first estimate in d_0: one


class Work(NamedTuple):
    """Scratch of one thread."""

    state: WordArray  # (4, LANES): generators
    words: WordArray  # (5, LANES): two words, a cell, its content, a state
    tables: FloatArray  # (6, LANES, S A): two policies, distribution function, <psi, Delta>, W, U
    scores: FloatArray  # (2, LANES, S A, d)
    pairs: PairArray  # (H, LANES): s * A + a
    sums: FloatArray  # (3, LANES)
    steps: FloatArray  # (5, LANES, H): slope, action, reward, bend and dot of a scalar system; weighted rewards
    contexts: FloatArray  # (LANES, H, d): features of the states of a scalar system
    vectors: FloatArray  # (7, LANES, d): theta_t, theta_{t-1}, d, estimate, sampling point, scoring point, step


_ELEVEN, _TWO_TO_MINUS_53 = np.uint64(11), 2.0**-53


@kernel
def next_word(state: WordArray, lane: int) -> np.uint64:
    """`mdps.kernels.next_u64`, kept here so that the compiler sees both ends of the loops over the lanes."""
    x0, x1, x2, x3 = state[0, lane], state[1, lane], state[2, lane], state[3, lane]
    total = x0 + x3
    output = ((total << np.uint64(23)) | (total >> np.uint64(41))) + x0
    shifted = x1 << np.uint64(17)
    x2 ^= x0
    x3 ^= x1
    x1 ^= x2
    x0 ^= x3
    state[0, lane], state[1, lane] = x0, x1
    state[2, lane], state[3, lane] = x2 ^ shifted, (x3 << np.uint64(45)) | (x3 >> np.uint64(19))
    return output


@kernel
def next_uniform(state: WordArray, lane: int) -> float:
    """Return a number of [0, 1) with 53 random bits, and advance the lane."""
    return (next_word(state, lane) >> _ELEVEN) * _TWO_TO_MINUS_53


@kernel
def normal(state: WordArray, lane: int) -> float:
    """Return a standard normal number (Box and Muller)."""
    radius = sqrt(-2.0 * log(1.0 - next_uniform(state, lane)))
    return radius * cos(2.0 * pi * next_uniform(state, lane))
