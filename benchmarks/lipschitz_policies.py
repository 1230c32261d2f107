"""Lipschitz regression and extension: exact solvers against cutting planes, cvxpy and dense quadratic programmes.

Run ``python benchmarks/lipschitz_policies.py [--json PATH] [--quick]``. Lines of one job are measured side by side in
this process: medians of five CPU times (of what takes over two seconds, one), the first call (compilation) apart, and
the ratio to ours. Scalar data are a smooth function of slope at most two plus noise of 0.3, the budget is one. The
cutting planes start from four neighbours and add the three worst violated partners of each sample, which was the best
of the rules tried; Clarabel solves.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import clarabel
import cvxpy
import numpy as np
from scipy import sparse

from solvers.lipschitz_policies_duality import (
    all_pairs,
    dual_value,
    feasible_values,
    neighbour_pairs,
    pair_distances,
    primal_value,
)
from solvers.lipschitz_policies_extension import envelopes, kirszbraun
from solvers.lipschitz_policies_regression import lipschitz_regression
from solvers.lipschitz_policies_regression_kernels import worst_partners

REPEATS, PATIENCE, COMPILATION = 5, 2.0, 20.0


@dataclass
class Line:
    """One measured job: CPU milliseconds a unit, first call, ratio to ours, and how good the result is."""

    job: str
    who: str
    milliseconds: float
    first_call: float
    ratio: float
    note: str = ""


def measure(call: Callable[[], Any], units: int = 1) -> tuple[float, float, Any]:
    """Return the median CPU time a unit in milliseconds, the wall time of the first call, and the result."""
    start, cpu = time.perf_counter(), time.process_time()
    result = call()
    first, times = time.perf_counter() - start, [time.process_time() - cpu]
    if times[0] < COMPILATION:
        times = []
        while len(times) < REPEATS and (not times or times[0] < PATIENCE):
            cpu = time.process_time()
            call()
            times.append(time.process_time() - cpu)
    return 1e3 * statistics.median(times) / units, first, result


def scalar_data(size: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    points = rng.uniform(-1.0, 1.0, (size, n))
    return points, (np.sin(2.0 * points.sum(axis=1) / np.sqrt(n)) + 0.3 * rng.normal(size=size))[:, None]


def vector_data(size: int, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    points = rng.uniform(-1.0, 1.0, (size, n))
    return points, np.sin(2.0 * points @ rng.normal(size=(n, m))) + 0.3 * rng.normal(size=(size, m))


# Peers


def cone_solution(
    points: np.ndarray, targets: np.ndarray, alpha: float, pairs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Solve on the given pairs with Clarabel; return values and dual."""
    (size, m), count = targets.shape, len(pairs)
    scalar = m == 1
    rows = np.arange(count)[:, None] * (m + 1) + np.arange(1, m + 1)
    columns, ones = pairs[:, :, None] * m + np.arange(m), np.ones(count * m)
    limits, b = alpha * pair_distances(points, pairs), np.zeros((count, m + 1))
    if scalar:  # v_i - v_j <= c and v_j - v_i <= c
        entries, rows = np.concatenate([ones, -ones, -ones, ones]), [2 * np.arange(count)] * 2
        rows = np.concatenate([*rows, 2 * np.arange(count) + 1, 2 * np.arange(count) + 1])
        places, b = np.concatenate([columns[:, 0, 0], columns[:, 1, 0]] * 2), np.repeat(limits[:, None], 2, axis=1)
        cones = [clarabel.NonnegativeConeT(2 * count)]
    else:
        entries, rows = np.concatenate([-ones, ones]), np.concatenate([rows.ravel()] * 2)
        places, cones = np.concatenate([columns[:, 0].ravel(), columns[:, 1].ravel()]), []
        b[:, 0], cones = limits, [clarabel.SecondOrderConeT(m + 1)] * count
    A = sparse.csc_matrix((entries, (rows, places)), shape=(count * (m + 1), size * m))
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    P = sparse.eye(size * m, format="csc") / size
    found = clarabel.DefaultSolver(P, -targets.ravel() / size, A, b.ravel(), cones, settings).solve()
    z = np.array(found.z).reshape(count, m + 1)
    return np.array(found.x).reshape(size, m), z[:, :1] - z[:, 1:] if scalar else -z[:, 1:]


def cutting_planes(points: np.ndarray, targets: np.ndarray, alpha: float) -> tuple[float, int]:
    """Add the most violated pairs until none is; return the certified gap and the rounds."""
    size = len(points)
    pairs, columns = neighbour_pairs(points, 4), points.T.copy()
    found, excess = np.empty((size * 3, 2), np.int64), np.empty(size * 3)
    rounds, count = 0, 1
    while count:
        rounds, solved = rounds + 1, pairs
        values, dual = cone_solution(points, targets, alpha, pairs)
        count = worst_partners(columns, values.T.copy(), alpha, 1e-6, found, excess)
        pairs = np.unique(np.concatenate([pairs, found[:count]]), axis=0)
    upper = primal_value(targets, feasible_values(points, values, alpha))
    return upper - dual_value(points, targets, alpha, solved, dual), rounds


def cvxpy_all_pairs(points: np.ndarray, targets: np.ndarray, alpha: float) -> float:
    """Solve with all pairs, vectorised; return the loss."""
    pairs = all_pairs(len(points))
    V = cvxpy.Variable(targets.shape[0])
    constraint = cvxpy.abs(V[pairs[:, 0]] - V[pairs[:, 1]]) <= alpha * pair_distances(points, pairs)
    objective = cvxpy.Minimize(cvxpy.sum_squares(V - targets[:, 0]) / (2 * len(points)))
    return float(cvxpy.Problem(objective, [constraint]).solve(solver="CLARABEL"))


def dense_programmes(points: np.ndarray, values: np.ndarray, alpha: float, queries: np.ndarray) -> np.ndarray:
    """Extend by one dense interior-point solution a query."""
    size = len(points)
    P = sparse.csc_matrix(np.triu(0.5 * alpha * points @ points.T + values @ values.T / (2.0 * alpha)))
    linear = np.sum(values**2, axis=1) / (4.0 * alpha) - alpha * np.sum(points**2, axis=1) / 4.0
    A = sparse.vstack([sparse.csc_matrix(np.ones((1, size))), -sparse.eye(size)], format="csc")
    b = np.concatenate([[1.0], np.zeros(size)])
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(size)]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    found = np.empty((len(queries), values.shape[1]))
    for q, x in enumerate(queries):
        solution = clarabel.DefaultSolver(P, -alpha * points @ x - linear, A, b, cones, settings)
        found[q] = values.T @ np.array(solution.solve().x)
    return found


# Jobs


def regression_lines(quick: bool) -> list[Line]:
    lines = []
    for size in (300, 1000) if quick else (300, 1000, 3000):
        for n in (2, 3, 4):
            points, targets = scalar_data(size, n)
            job = f"regression, scalar, N = {size}, n = {n}"
            ours, first, found = measure(lambda x=points, u=targets: lipschitz_regression(x, u, 1.0))
            lines.append(Line(job, "boundcheck", ours, first, 1.0, f"gap {found.gap:.0e}, {found.rounds} rounds"))
            each, first, (gap, rounds) = measure(lambda x=points, u=targets: cutting_planes(x, u, 1.0))
            lines.append(Line(job, "cutting planes", each, first, each / ours, f"gap {gap:.0e}, {rounds} rounds"))
            if size == 300:
                each, first, loss = measure(lambda x=points, u=targets: cvxpy_all_pairs(x, u, 1.0))
                note = f"loss off by {abs(loss - found.upper):.0e}"
                lines.append(Line(job, "cvxpy, all pairs", each, first, each / ours, note))
    points, targets = scalar_data(3000, 1)
    ours, first, found = measure(lambda: lipschitz_regression(points, targets, 1.0))
    lines.append(Line("regression, scalar, N = 3000, n = 1", "boundcheck", ours, first, 1.0, f"gap {found.gap:.0e}"))
    return lines


def vector_lines(quick: bool) -> list[Line]:
    lines = []
    for size in (200,) if quick else (200, 600):
        points, targets = vector_data(size, 3, 2)
        job = f"regression, m = 2, N = {size}, n = 3"
        ours, first, found = measure(lambda x=points, u=targets: lipschitz_regression(x, u, 1.0, tolerance=1e-9))
        lines.append(Line(job, "boundcheck", ours, first, 1.0, f"gap {found.gap:.0e}, {found.rounds} rounds"))
        each, first, (gap, rounds) = measure(lambda x=points, u=targets: cutting_planes(x, u, 1.0))
        lines.append(Line(job, "cutting planes", each, first, each / ours, f"gap {gap:.0e}, {rounds} rounds"))
    return lines


def extension_lines() -> list[Line]:
    points, targets = vector_data(200, 2, 2)
    values = lipschitz_regression(points, targets, 1.0).values
    angle = np.linspace(0.0, 6.0, 2000)
    queries, few = 0.7 * np.stack([np.cos(angle), np.sin(angle)], axis=1), 40
    job = "extension, m = 2, N = 200, query on a trajectory"
    ours, first, found = measure(lambda: kirszbraun(points, values, 1.0, queries), len(queries))
    lines = [Line(job, "boundcheck", ours, first, 1.0, f"gap {found.gaps.max():.0e}")]
    each, first, dense = measure(lambda: dense_programmes(points, values, 1.0, queries[:few]), few)
    note = f"off by {np.abs(dense - found.values[:few]).max():.0e}"
    lines.append(Line(job, "Clarabel, dense", each, first, each / ours, note))
    ours, first, both = measure(lambda: envelopes(points, values[:, :1], 1.0, queries), len(queries))
    job = "extension, m = 1, N = 200, both envelopes"
    lines.append(Line(job, "boundcheck", ours, first, 1.0))

    def broadcast() -> np.ndarray:
        distances = np.sqrt(((queries[:, None] - points) ** 2).sum(axis=2))
        return np.stack([(values[:, 0] - distances).max(axis=1), (values[:, 0] + distances).min(axis=1)], axis=1)

    each, first, peer = measure(broadcast, len(queries))
    lines.append(Line(job, "numpy, vectorised", each, first, each / ours, f"off by {np.abs(peer - both).max():.0e}"))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the lines to this file")
    parser.add_argument("--quick", action="store_true", help="smaller instances")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=UserWarning)
    print("left out: PIQP (not a dependency), and OSQP and SCS with all pairs (they do not reach the gap)")
    lines = extension_lines() + vector_lines(arguments.quick) + regression_lines(arguments.quick)
    print(f"{'job':50} {'who':18} {'ms':>12} {'first s':>8} {'ratio':>8}  note")
    for line in lines:
        numbers = f"{line.milliseconds:12.4f} {line.first_call:8.2f} {line.ratio:8.1f}"
        print(f"{line.job:50} {line.who:18} {numbers}  {line.note}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")


if __name__ == "__main__":
    main()
