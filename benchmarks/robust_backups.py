"""Worst-case expectations against peers: one batch of (law, values) pairs with n states, per pair.

Run ``python benchmarks/robust_backups.py [--json PATH] [--quick]``. Every line is the median CPU time per pair in this
process, the first call (compilation) apart, and the largest error against our values, which the tests hold against an
oracle in 40 digits. Peers: the same formulas vectorised in NumPy; SciPy's Nelder-Mead on the scalar dual from half of
the horizon, as public code of robust linear MDPs does; CVXPY with a parametrised problem. The C++ library craam2 would
be the natural peer; it isn't on PyPI, hence left out.
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from mdps.jit import kernel
from solvers.planning_kernels import dot
from solvers.robust_planning import FactorSet, backup

try:
    import cvxpy
except ImportError:
    cvxpy = None

REPEATS = 7
STATES = 20
LEVELS = {FactorSet.TV_CONSTRAINED: 0.1, FactorSet.KL_CONSTRAINED: 0.1, FactorSet.CHI2_CONSTRAINED: 0.1} | {
    FactorSet.TV_REGULARISED: 0.3,
    FactorSet.KL_REGULARISED: 0.3,
    FactorSet.CHI2_REGULARISED: 0.3,
}


@dataclass
class Line:
    """One measured way: nanoseconds per pair, how often it is slower than ours, its largest error."""

    set: str
    who: str
    nanoseconds: float
    ratio: float
    error: float
    first_call_seconds: float


def median_time(call: Callable[[], Any], pairs: int) -> tuple[float, float, Any]:
    """Return the median CPU time per pair in nanoseconds, the wall time of the first call, and the result."""
    start = time.perf_counter()
    result = call()
    first = time.perf_counter() - start
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        call()
        times.append((time.process_time() - start) / pairs)
    return 1e9 * statistics.median(times), first, result


@kernel
def expectations(laws: np.ndarray, values: np.ndarray, out: np.ndarray) -> None:
    """The floor: E_p v of every law."""
    for i in range(len(laws)):
        out[i] = dot(laws, i * laws.shape[1], values, 0, laws.shape[1])


# NumPy, one batch at a time


def numpy_tv(laws: np.ndarray, values: np.ndarray, rho: float) -> np.ndarray:
    order = np.argsort(values)
    tails = np.cumsum(laws[:, order[::-1]], axis=1)[:, -2::-1]
    return values.min() + np.maximum(tails - rho, 0.0) @ np.diff(values[order])


def numpy_tv_penalty(laws: np.ndarray, values: np.ndarray, sigma: float) -> np.ndarray:
    return laws @ np.minimum(values, values.min() + sigma)


def numpy_kl(laws: np.ndarray, values: np.ndarray, rho: float) -> np.ndarray:
    """Newton's method for the square root of the divergence, all laws at once."""
    w = values - values.min()
    mean = laws @ w
    t = np.sqrt(2.0 * rho / (laws @ w**2 - mean**2))
    for _ in range(8):
        e = np.exp(-t[:, None] * w) * laws
        total = e.sum(axis=1)
        mean = e @ w / total
        variance = e @ w**2 / total - mean**2
        kl = -t * mean - np.log(total)
        t = t + 2.0 * (np.sqrt(rho) - np.sqrt(kl)) * np.sqrt(kl) / (t * variance)
    return values.min() - (np.log((laws * np.exp(-t[:, None] * w)).sum(axis=1)) + rho) / t


def numpy_kl_penalty(laws: np.ndarray, values: np.ndarray, sigma: float) -> np.ndarray:
    return values.min() - sigma * np.log(laws @ np.exp((values.min() - values) / sigma))


def _prefix_moments(laws: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, ...]:
    order = np.argsort(values)
    p, v = laws[:, order], values[order] - values.min()
    return v, np.cumsum(p, axis=1), np.cumsum(p * v, axis=1), np.cumsum(p * v * v, axis=1)


def numpy_chi2(laws: np.ndarray, values: np.ndarray, rho: float) -> np.ndarray:
    v, c0, c1, c2 = _prefix_moments(laws, values)
    excess = (1.0 + rho) * c0 - 1.0
    spread = np.maximum(c2 / c0 - (c1 / c0) ** 2, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        eta = c1 / c0 + np.sqrt(spread / excess)
    fits = (excess > 0.0) & (eta <= np.append(v[1:], np.inf))
    first, rows = fits.argmax(axis=1), np.arange(len(laws))
    value = c1 / c0 - np.sqrt(spread * np.maximum(excess, 0.0))
    return values.min() + value[rows, first]


def numpy_chi2_penalty(laws: np.ndarray, values: np.ndarray, sigma: float) -> np.ndarray:
    v, c0, c1, c2 = _prefix_moments(laws, values)
    eta = (2.0 * sigma + c1) / c0
    first, rows = (eta <= np.append(v[1:], np.inf)).argmax(axis=1), np.arange(len(laws))
    value = eta - sigma - (c0 * eta**2 - 2.0 * eta * c1 + c2) / (4.0 * sigma)
    return values.min() + value[rows, first]


NUMPY = {
    FactorSet.TV_CONSTRAINED: numpy_tv,
    FactorSet.TV_REGULARISED: numpy_tv_penalty,
    FactorSet.KL_CONSTRAINED: numpy_kl,
    FactorSet.KL_REGULARISED: numpy_kl_penalty,
    FactorSet.CHI2_CONSTRAINED: numpy_chi2,
    FactorSet.CHI2_REGULARISED: numpy_chi2_penalty,
}


# One pair at a time


def scipy_dual(kind: FactorSet, law: np.ndarray, values: np.ndarray, rho: float) -> float:
    """Maximise the scalar dual of a ball by Nelder-Mead from half of the largest value."""

    def loss(point: np.ndarray) -> float:
        x = float(point[0])
        if kind == FactorSet.TV_CONSTRAINED:
            return -float(law @ np.minimum(values, x)) + rho * (x - values.min())
        if kind == FactorSet.KL_CONSTRAINED:
            return x * float(np.log(law @ np.exp(-(values - values.min()) / x))) + x * rho - values.min()
        return -x + float(np.sqrt((1.0 + rho) * (law @ np.maximum(x - values, 0.0) ** 2)))

    low, high = (1e-6, 10.0) if kind == FactorSet.KL_CONSTRAINED else (values.min(), values.max())
    high = 10.0 if kind == FactorSet.CHI2_CONSTRAINED else high
    return -float(minimize(loss, x0=[0.5 * values.max()], method="Nelder-Mead", bounds=[(low, high)]).fun)


def cvxpy_solver(kind: FactorSet, level: float, values: np.ndarray) -> Callable[[np.ndarray], float]:
    """Return a function of the law that solves the adversary's problem, compiled once."""
    q, p, root = cvxpy.Variable(STATES, nonneg=True), cvxpy.Parameter(STATES, nonneg=True), cvxpy.Parameter(STATES)
    if kind.divergence == "tv":
        distance = 0.5 * cvxpy.norm1(q - p)
    elif kind.divergence == "kl":
        distance = cvxpy.sum(cvxpy.rel_entr(q, p))
    else:
        distance = cvxpy.sum_squares(cvxpy.multiply(root, q)) - 1.0
    base = [cvxpy.sum(q) == 1.0]
    problem = (
        cvxpy.Problem(cvxpy.Minimize(values @ q), [*base, distance <= level])
        if kind.constrained
        else cvxpy.Problem(cvxpy.Minimize(values @ q + level * distance), base)
    )

    def solve(law: np.ndarray) -> float:
        p.value, root.value = law, 1.0 / np.sqrt(law)
        return float(problem.solve(solver="CLARABEL"))

    return solve


def peers(
    kind: FactorSet, laws: np.ndarray, values: np.ndarray, few: int
) -> Iterator[tuple[str, Callable[[], Any], int]]:
    """Yield (who, call, pairs) of the ways to compare, ours first; calls return the values of the first pairs."""
    level, count = LEVELS[kind], len(laws)
    places = np.random.default_rng(1).permuted(np.broadcast_to(np.arange(STATES), laws.shape), axis=1)
    own_laws, own_values = np.take_along_axis(laws, places, axis=1), values[places]
    yield "boundcheck, shared values", partial(backup, kind, laws, values, level, check=False), count
    yield "boundcheck, shared, validated", partial(backup, kind, laws, values, level), count
    yield "boundcheck, own values", partial(backup, kind, own_laws, own_values, level, check=False), count
    yield "numpy, vectorised", partial(NUMPY[kind], laws, values, level), count
    if kind.constrained:
        yield "scipy, Nelder-Mead", lambda: np.array([scipy_dual(kind, p, values, level) for p in laws[:few]]), few
    if cvxpy is not None:
        solve = cvxpy_solver(kind, level, values)
        yield "cvxpy, Clarabel", lambda: np.array([solve(p) for p in laws[: few // 5]]), few // 5


def run(pairs: int, few: int) -> Iterator[Line]:
    rng = np.random.default_rng(0)
    laws, values = rng.dirichlet(np.ones(STATES), size=pairs), rng.random(STATES)
    out = np.empty(pairs)
    nanoseconds, first, _ = median_time(lambda: expectations(laws, values, out), pairs)
    yield Line("E_p v", "floor", nanoseconds, 1.0, 0.0, first)
    for kind in FactorSet:
        exact = backup(kind, laws, values, LEVELS[kind])
        ours = 0.0
        for who, call, count in peers(kind, laws, values, few):
            nanoseconds, first, result = median_time(call, count)
            ours = ours or nanoseconds
            error = float(np.abs(result - exact[:count]).max())
            yield Line(kind, who, nanoseconds, nanoseconds / ours, error, first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="fewer pairs")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    if cvxpy is None:
        print("cvxpy is not installed: left out")
    print("craam2 is not on PyPI: left out")
    lines = []
    print(f"{'set':<18}{'who':<32}{'per pair':>12}{'ours x':>10}{'error':>10}{'first call':>12}")
    for line in run(*((5_000, 20) if arguments.quick else (50_000, 100))):
        scale, unit = (1.0, "ns") if line.nanoseconds < 1e4 else (1e-3, "us")
        print(
            f"{line.set:<18}{line.who:<32}{line.nanoseconds * scale:>9.1f} {unit}{line.ratio:>10.1f}{line.error:>10.1e}"
            f"{line.first_call_seconds:>10.2f} s"
        )
        lines.append(asdict(line))
    if arguments.json:
        arguments.json.write_text(json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    main()
