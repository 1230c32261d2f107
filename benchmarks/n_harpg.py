"""Policy gradients: nanoseconds an environment step of N-HARPG, and estimates of a batch against torch and numpy.

Run ``python benchmarks/n_harpg.py [--json PATH] [--quick]``. The simulation is the whole algorithm on two states and
two actions: both trajectories of every iteration, the gradient, the Hessian-vector product and the step. The batch is
the tabular softmax with S = 20, A = 4, H = 50 on trajectories that exist already: torch differentiates the surrogate
loss (and differentiates twice for the product), numpy uses the closed forms. Lines of one job are measured in turns in
one process: medians of the CPU times of seven rounds, the first call apart, and the ratio to ours.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mdps.instances import random_dense_discounted
from mdps.tabular import DiscountedMDP
from solvers.n_harpg import N_HARPG, N_HARPG_CAUSAL, N_PG_IGT, BatchEstimator, power_schedule, run_policy_gradient
from solvers.n_harpg_exact import FiniteWorld
from solvers.n_harpg_policies import softmax_policy

try:
    import torch
except ImportError:
    torch = None

ROUNDS = 7


@dataclass
class Line:
    """One measured job."""

    job: str
    who: str
    nanoseconds: float
    first_call: float
    ratio: float = 1.0


def in_turns(job: str, calls: dict[str, Callable[[], object]], repeats: dict[str, int], units: int) -> list[Line]:
    """Return one line per call, the first one being ours: nanoseconds a unit."""
    first, times = {}, {who: [] for who in calls}
    for who, call in calls.items():
        start = time.perf_counter()
        call()
        first[who] = time.perf_counter() - start
    for _ in range(ROUNDS):
        for who, call in calls.items():
            start = time.process_time()
            for _ in range(repeats[who]):
                call()
            times[who].append((time.process_time() - start) / repeats[who])
    medians = {who: 1e9 * statistics.median(series) / units for who, series in times.items()}
    ours = next(iter(medians.values()))
    return [Line(job, who, median, first[who], median / ours) for who, median in medians.items()]


def small_world() -> FiniteWorld:
    """Two states, two actions."""
    transitions = [[[3 / 4, 1 / 4], [1 / 5, 4 / 5]], [[1 / 2, 1 / 2], [2 / 3, 1 / 3]]]
    mdp = DiscountedMDP(transitions, [[0.0, 1.0], [-0.5, 0.6]], 0.9, [2 / 3, 1 / 3])
    return FiniteWorld(mdp, softmax_policy(2, 2))


def simulation_lines(quick: bool) -> list[Line]:
    world, horizon, runs, iterations = small_world(), 60, 40, 200 if quick else 1000
    lines = []
    for method, trajectories in ((N_HARPG, 2), (N_HARPG_CAUSAL, 2), (N_PG_IGT, 1)):
        schedule = power_schedule(iterations, 0.5, 1.0, 1.0)

        def call(method=method, schedule=schedule) -> object:
            return run_policy_gradient(world, method, schedule, horizon, iterations, runs, 0)

        steps = runs * iterations * trajectories * horizon
        lines += in_turns(f"{method.name}, environment step", {"boundcheck": call}, {"boundcheck": 1}, steps)
    return lines


# Estimates of a batch


def numpy_estimates(world: FiniteWorld, theta: np.ndarray, pairs: np.ndarray, delta: np.ndarray | None) -> np.ndarray:
    """Closed forms, vectorised over trajectories."""
    S, A = world.mdp.rewards.shape
    powers = world.mdp.discount ** np.arange(pairs.shape[0])
    logits = theta.reshape(S, A)
    policy = np.exp(logits - logits.max(axis=1, keepdims=True))
    policy /= policy.sum(axis=1, keepdims=True)
    to_go = np.cumsum((powers[:, None] * world.mdp.rewards.ravel()[pairs])[::-1], axis=0)[::-1]
    flat = pairs.ravel()
    weights = np.bincount(flat, to_go.ravel(), S * A).reshape(S, A) / pairs.shape[1]
    if delta is None:
        return (weights - policy * weights.sum(axis=1, keepdims=True)).ravel()
    step = delta.reshape(S, A)
    along = step - (policy * step).sum(axis=1, keepdims=True)
    dots = along.ravel()[pairs].sum(axis=0)
    products = np.bincount(flat, (to_go * dots).ravel(), S * A).reshape(S, A) / pairs.shape[1]
    out = products - policy * products.sum(axis=1, keepdims=True)
    return (out - weights.sum(axis=1, keepdims=True) * policy * along).ravel()


def torch_calls(world: FiniteWorld, theta: np.ndarray, pairs: np.ndarray, delta: np.ndarray):
    """Return the gradient and the product by automatic differentiation; weights are computed once, outside."""
    torch.set_num_threads(1)
    S, A = world.mdp.rewards.shape
    powers = world.mdp.discount ** np.arange(pairs.shape[0])
    to_go = np.cumsum((powers[:, None] * world.mdp.rewards.ravel()[pairs])[::-1], axis=0)[::-1].copy()
    index, weights = torch.from_numpy(pairs.astype(np.int64)), torch.from_numpy(to_go)
    step = torch.from_numpy(delta)

    def gradient():
        leaf = torch.from_numpy(theta).requires_grad_(True)
        logs = torch.log_softmax(leaf.reshape(S, A), dim=1).reshape(-1)[index]
        return torch.autograd.grad((weights * logs).sum() / pairs.shape[1], leaf)[0]

    def product():
        """Return B Delta, trajectory by trajectory, by differentiating twice."""
        leaf = torch.from_numpy(theta).requires_grad_(True)
        table = torch.log_softmax(leaf.reshape(S, A), dim=1).reshape(-1)
        logs = table[index]
        phi = (weights * logs).sum(dim=0)
        ones = torch.ones_like(logs, requires_grad=True)
        (slope,) = torch.autograd.grad((ones * logs).sum(), leaf, create_graph=True)
        (along,) = torch.autograd.grad((slope * step).sum(), ones, retain_graph=True)
        (first,) = torch.autograd.grad((phi * along.sum(dim=0)).mean(), leaf, retain_graph=True)
        (gradient,) = torch.autograd.grad(phi.mean(), leaf, create_graph=True)
        (second,) = torch.autograd.grad((gradient * step).sum(), leaf)
        return first + second

    return gradient, product


def batch_lines(quick: bool) -> list[Line]:
    S, A, H = 20, 4, 50
    world = FiniteWorld(random_dense_discounted(S, A, 0.99, seed=0), softmax_policy(S, A))
    rng, lines = np.random.default_rng(0), []
    theta, delta = rng.normal(size=S * A), rng.normal(size=S * A)
    for batch in (1, 10, 100):
        pairs = rng.integers(0, S * A, (H, batch)).astype(np.uint16)
        estimator = BatchEstimator(world, H, batch)
        fast, slow = (2000, 20) if quick else (10_000, 200)
        for job, step in (("gradient", None), ("gradient and Hessian-vector product", delta)):
            calls = {"boundcheck": lambda e=estimator, p=pairs, v=step: e(theta, p, v)}
            calls["numpy"] = lambda p=pairs, v=step: numpy_estimates(world, theta, p, v)
            ours = np.array(estimator(theta, pairs, step)[0 if step is None else 1])
            others = {"numpy": calls["numpy"]()}
            if torch is not None:
                calls["torch"] = torch_calls(world, theta, pairs, delta)[0 if step is None else 1]
                others["torch"] = calls["torch"]().numpy()
            for who, other in others.items():
                np.testing.assert_allclose(ours, other, rtol=1e-9, atol=1e-9, err_msg=who)
            repeats = {who: fast if who == "boundcheck" else slow for who in calls}
            lines += in_turns(f"{job}, S=20 A=4 H=50 B={batch}", calls, repeats, 1)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    if torch is None:
        print("torch cannot be imported: left out")
    lines = simulation_lines(arguments.quick) + batch_lines(arguments.quick)
    for line in lines:
        print(f"{line.job:58s} {line.who:11s} {line.nanoseconds:12.1f} ns  {line.ratio:8.2f}x")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in lines], indent=1))


if __name__ == "__main__":
    main()
