r"""Kernels of closed loops: policies, roll-outs with a greedy adversary of the measurement, worst cases on a grid.

A `World` is a plant with a stage cost, a `Feedback` a policy, laid out as arrays. Runs are independent: row r of every
array belongs to run r.
"""

from typing import NamedTuple

import numpy as np

from mdps.jit import kernel
from mdps.validation import FloatArray, IntArray
from solvers.lipschitz_policies_kernels import envelope_at, kirszbraun_at

LINEAR, INTERPOLATED, UPPER, LOWER, CENTRAL, KIRSZBRAUN = range(6)
"""Kinds of policies."""

LINEAR_PLANT, PENDULUM, QUADRATIC = 0, 1, 0
"""Kinds of plants and costs that are told apart from the others, numbered as in ``mdps.control``."""


class World(NamedTuple):
    """A plant and a stage cost (kinds and parameters as in ``mdps.control``)."""

    plant: int
    dynamics: FloatArray
    cost: int
    weights: FloatArray
    discount: float


class Feedback(NamedTuple):
    """A policy, and scratch memory.

    ``points`` ``(N, n)``, ``values`` ``(N, m)``: samples or knots; the gain K ``(m, n)`` is in ``points`` of a linear
    policy, whose saturation is ``alpha``. ``transform`` ``(n, n)`` is applied to states before distances are taken.
    """

    kind: int
    alpha: float
    points: FloatArray
    values: FloatArray
    scalars: FloatArray  # (N,): values of scalar policies
    transform: FloatArray
    place: FloatArray  # (n,)
    support: IntArray  # (n + m + 3,)
    shares: FloatArray  # (n + m + 2,)


@kernel
def interpolate(knots: FloatArray, values: FloatArray, y: float) -> float:
    """Return the piecewise-linear interpolant through ``knots (k, 1)``, constant beyond the outer ones."""
    low, high = 0, knots.shape[0] - 1
    if y <= knots[low, 0]:
        return values[low]
    if y >= knots[high, 0]:
        return values[high]
    while high - low > 1:
        middle = (low + high) // 2
        if knots[middle, 0] <= y:
            low = middle
        else:
            high = middle
    share = (y - knots[low, 0]) / (knots[high, 0] - knots[low, 0])
    return values[low] + share * (values[high] - values[low])


@kernel
def play(feedback: Feedback, y: FloatArray, u: FloatArray) -> None:
    """Write the input ``(m,)`` at a measured state ``(n,)``."""
    n = y.shape[0]
    if feedback.kind == LINEAR:
        for i in range(u.shape[0]):
            total = 0.0
            for j in range(n):
                total -= feedback.points[i, j] * min(max(y[j], -feedback.alpha), feedback.alpha)
            u[i] = total
        return
    if feedback.kind == INTERPOLATED:
        u[0] = interpolate(feedback.points, feedback.scalars, y[0])
        return
    place = feedback.place
    for i in range(n):
        place[i] = 0.0
        for j in range(n):
            place[i] += feedback.transform[i, j] * y[j]
    if feedback.kind == KIRSZBRAUN:
        kirszbraun_at(feedback.points, feedback.values, feedback.alpha, place, feedback.support, feedback.shares, u)
        return
    lower, upper = envelope_at(feedback.points, feedback.scalars, feedback.alpha, place)
    if feedback.kind == UPPER:
        u[0] = upper
    elif feedback.kind == LOWER:
        u[0] = lower
    else:
        u[0] = 0.5 * (lower + upper)


@kernel
def play_all(feedback: Feedback, states: FloatArray, inputs: FloatArray) -> None:
    """Write the inputs ``(Q, m)`` at measured states ``(Q, n)``."""
    for q in range(states.shape[0]):
        play(feedback, states[q], inputs[q])


@kernel
def advance(world: World, x: FloatArray, u: FloatArray, following: FloatArray) -> None:
    """Write the next state ``(n,)``; ``following`` must not be ``x``."""
    n, m, p = x.shape[0], u.shape[0], world.dynamics
    if world.plant == LINEAR_PLANT:
        for i in range(n):
            total = 0.0
            for j in range(n):
                total += p[i * n + j] * x[j]
            for j in range(m):
                total += p[n * n + i * m + j] * u[j]
            following[i] = total
    elif world.plant == PENDULUM:
        following[0] = x[0] + p[0] * x[1]
        following[1] = p[2] * x[1] + p[1] * np.sin(x[0]) + p[3] * u[0]
    else:
        size = abs(x[0]) ** p[1]
        following[0] = x[0] - p[0] * (x[0] * size - u[0] - p[2] * x[0]) / (1.0 + size)


@kernel
def stage_cost(world: World, x: FloatArray, u: FloatArray) -> float:
    """Return c(x, u)."""
    n, m, w = x.shape[0], u.shape[0], world.weights
    if world.cost == QUADRATIC:
        total = 0.0
        for i in range(n):
            for j in range(n):
                total += w[i * n + j] * x[i] * x[j]
        for i in range(m):
            for j in range(m):
                total += w[n * n + i * m + j] * u[i] * u[j]
        return total
    square_x, square_u = 0.0, 0.0
    for i in range(n):
        square_x += x[i] * x[i]
    for i in range(m):
        square_u += u[i] * u[i]
    return w[0] * np.sqrt(square_x) + w[1] * np.sqrt(square_u)


@kernel
def _form(matrix: FloatArray, x: FloatArray) -> float:
    total = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[0]):
            total += matrix[i, j] * x[i] * x[j]
    return total


@kernel
def roll_outs(
    world: World,
    feedback: Feedback,
    directions: FloatArray,
    value: FloatArray,
    errors: FloatArray,
    states: FloatArray,
    inputs: FloatArray,
    costs: FloatArray,
) -> None:
    """Close the loop in every run.

    Parameters
    ----------
    directions
        ``(D, n)``: candidates of a one-step greedy adversary, who maximises ``c(x, u) + discount V(x')``; its choices
        are written to ``errors``. With D = 0 the errors are read.
    value
        V(x) = x' ``value`` x, ``(n, n)``.
    errors
        ``(R, T, n)``.
    states
        ``(R, T + 1, n)``; the first states are read, the others written.
    inputs, costs
        Written: ``(R, T, m)`` and discounted sums ``(R,)``.
    """
    runs, steps, n = errors.shape
    y, following = np.empty(n), np.empty(n)
    for r in range(runs):
        feedback.support[0] = 0
        costs[r], weight = 0.0, 1.0
        for t in range(steps):
            x, u = states[r, t], inputs[r, t]
            best = -np.inf
            for d in range(directions.shape[0]):
                for i in range(n):
                    y[i] = x[i] + directions[d, i]
                play(feedback, y, u)
                advance(world, x, u, following)
                score = stage_cost(world, x, u) + world.discount * _form(value, following)
                if score > best:
                    best = score
                    for i in range(n):
                        errors[r, t, i] = directions[d, i]
            for i in range(n):
                y[i] = x[i] + errors[r, t, i]
            play(feedback, y, u)
            costs[r] += weight * stage_cost(world, x, u)
            weight *= world.discount
            advance(world, x, u, states[r, t + 1])


# Worst case on a grid


@kernel
def worst_case_sweeps(
    stage: FloatArray,
    cells: IntArray,
    shares: FloatArray,
    discount: float,
    tolerance: float,
    sweeps: int,
    values: FloatArray,
) -> float:
    """Iterate ``V(g) = max_e stage[g, e] + discount V(next)`` with interpolated V; return the last change.

    ``stage``, ``cells`` and ``shares`` are ``(G, E)``: the next state lies in a cell, at a share of its width.
    """
    change = np.inf
    updated = np.empty(values.shape[0])
    for _ in range(sweeps):
        change = 0.0
        for g in range(stage.shape[0]):
            best = -np.inf
            for e in range(stage.shape[1]):
                cell, share = cells[g, e], shares[g, e]
                score = stage[g, e] + discount * (values[cell] + share * (values[cell + 1] - values[cell]))
                best = max(best, score)
            updated[g] = best
            change = max(change, abs(best - values[g]))
        for g in range(values.shape[0]):
            values[g] = updated[g]
        if change <= tolerance:
            break
    return change
