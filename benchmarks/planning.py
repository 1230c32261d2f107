"""Exact dynamic programming against peers: backward induction, policy evaluation, discounted planning.

Run ``python benchmarks/planning.py [--json PATH] [--quick]``. Every line is the median CPU time of one call in this
process, the first call (compilation) apart, and its ratio to ours. Our discounted lines include the certificate; a peer
that misses the error that was asked for is marked with the error that it has. One BLAS thread for all.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import contextlib
import io
import json
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from mdps.tabular import DiscountedMDP, FiniteHorizonMDP
from solvers import planning, planning_kernels

try:
    import quantecon.markov as quantecon
except ImportError:
    quantecon = None
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mdptoolbox.mdp as toolbox
except ImportError:
    toolbox = None
try:
    import gymnasium
except ImportError:
    gymnasium = None

REPEATS = 7
DISCOUNT = 0.99
TOLERANCE = 1e-6


@dataclass
class Line:
    """One measured call: seconds, and how often it is slower than ours on the same job."""

    job: str
    who: str
    seconds: float
    first_call: float
    ratio: float
    note: str = ""


def median_time(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return the median CPU time, the wall time of the first call, and the result."""
    start = time.perf_counter()
    result = call()
    first = time.perf_counter() - start
    start = time.process_time()
    call()
    loops = max(1, int(0.02 / max(time.process_time() - start, 1e-7)))
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        for _ in range(loops):
            call()
        times.append((time.process_time() - start) / loops)
    return statistics.median(times), first, result


def compare(job: str, calls: dict[str, Callable[[], Any]], check: Callable[[Any], str]) -> Iterator[Line]:
    """Measure the calls of one job, the first of which is ours."""
    ours = 0.0
    for who, call in calls.items():
        try:
            seconds, first, result = median_time(call)
        except Exception as error:  # a peer that fails is left out, said aloud
            if who.startswith("boundcheck"):
                raise
            print(f"{job}: {who} left out ({type(error).__name__}: {error})")
            continue
        ours = ours or seconds
        yield Line(job, who, seconds, first, seconds / ours, check(result))


def random_model(S: int, A: int, H: int) -> FiniteHorizonMDP:
    rng = np.random.default_rng(S)
    return FiniteHorizonMDP(rng.dirichlet(np.ones(S), size=(S, A)), rng.random((S, A)), H)


def numpy_backward_induction(P: np.ndarray, r: np.ndarray, H: int) -> tuple[np.ndarray, np.ndarray]:
    values = np.zeros((H + 1, len(r)))
    policy = np.empty((H, len(r)), np.int64)
    for h in range(H - 1, -1, -1):
        q = r + P @ values[h + 1]
        policy[h] = q.argmax(axis=1)
        values[h] = q.max(axis=1)
    return values, policy


def numpy_evaluation(P: np.ndarray, r: np.ndarray, policy: np.ndarray) -> np.ndarray:
    states = np.arange(len(r))
    values = np.zeros((len(policy) + 1, len(r)))
    for h in range(len(policy) - 1, -1, -1):
        values[h] = r[states, policy[h]] + P[states, policy[h]] @ values[h + 1]
    return values


def quantecon_evaluation(ddp: Any, policy: np.ndarray) -> np.ndarray:
    values = np.zeros((len(policy) + 1, ddp.num_states))
    for h in range(len(policy) - 1, -1, -1):
        reward, kernel = ddp.RQ_sigma(policy[h])
        values[h] = reward + kernel @ values[h + 1]
    return values


def first_values(result: Any) -> np.ndarray:
    """Return the values that a finite-horizon planner found, whatever it returns."""
    if isinstance(result, planning.Plan):
        return result.values
    if isinstance(result, tuple):
        return np.asarray(result[0])
    return np.asarray(result)


def kernel_backward_induction(mdp: FiniteHorizonMDP, values: np.ndarray, *work: np.ndarray) -> np.ndarray:
    planning_kernels.backward_induction(mdp.transitions, mdp.rewards, values, *work, 2e-9, 1e-12)
    return values


def kernel_evaluation(mdp: FiniteHorizonMDP, policy: np.ndarray, values: np.ndarray) -> np.ndarray:
    planning_kernels.evaluate_deterministic(mdp.transitions, mdp.rewards, policy, values)
    return values


def finite_check(exact: np.ndarray, result: Any) -> str:
    error = float(np.abs(first_values(result)[0] - exact[0]).max())
    return "" if error < 1e-9 else f"off by {error:.1e}"


def toolbox_backward_induction(model: Any) -> np.ndarray:
    model.run()
    return model.V.T


def finite_jobs(sizes: list[tuple[int, int, int]]) -> Iterator[Line]:
    for S, A, H in sizes:
        mdp = random_model(S, A, H)
        P, r = mdp.transitions[0], mdp.rewards[0]
        plan = planning.backward_induction(mdp)
        work = np.empty_like(plan.values), np.empty_like(plan.policy), np.empty((S, A)), np.empty(S)
        calls: dict[str, Callable[[], Any]] = {
            "boundcheck": partial(planning.backward_induction, mdp),
            "boundcheck kernel alone": partial(kernel_backward_induction, mdp, *work),
            "boundcheck without elimination": partial(planning.backward_induction, mdp, keep_q_values=True),
            "numpy matmul": partial(numpy_backward_induction, P, r, H),
        }
        evaluations: dict[str, Callable[[], Any]] = {
            "boundcheck": partial(planning.evaluate, mdp, plan.policy),
            "boundcheck kernel alone": partial(kernel_evaluation, mdp, plan.policy, np.empty_like(plan.values)),
            "numpy": partial(numpy_evaluation, P, r, plan.policy),
        }
        if quantecon:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ddp = quantecon.DiscreteDP(np.array(r), np.array(P), 1.0)
            calls["quantecon"] = partial(quantecon.backward_induction, ddp, H)
            evaluations["quantecon"] = partial(quantecon_evaluation, ddp, plan.policy)
        if toolbox and S <= 100:
            by_action = np.array(np.moveaxis(P, 1, 0))
            with contextlib.redirect_stdout(io.StringIO()):  # warns that the discount is one
                model = toolbox.FiniteHorizon(by_action, r, 1.0, H)
            calls["pymdptoolbox"] = partial(toolbox_backward_induction, model)
        check = partial(finite_check, plan.values)
        yield from compare(f"backward induction {S, A, H}", calls, check)
        yield from compare(f"policy evaluation {S, A, H}", evaluations, check)


def gym_model(name: str) -> tuple[sparse.csr_array, np.ndarray]:
    """Return the kernel and rewards of a toy-text environment, terminal states absorbing without reward."""
    environment = gymnasium.make(name).unwrapped
    S, A = int(environment.observation_space.n), int(environment.action_space.n)
    P, r = np.zeros((S, A, S)), np.zeros((S, A))
    terminal = {t for s in range(S) for a in range(A) for _, t, _, done in environment.P[s][a] if done}
    for s in range(S):
        for a in range(A):
            if s in terminal:
                P[s, a, s] = 1.0
                continue
            for p, t, reward, _ in environment.P[s][a]:
                P[s, a, t] += p
                r[s, a] += p * reward
    return sparse.csr_array(P.reshape(S * A, S)), r


def forest(S: int) -> tuple[sparse.csr_array, np.ndarray]:
    """Return the forest-management example (wait or cut, fire with probability 0.1)."""
    P, r = np.zeros((S, 2, S)), np.zeros((S, 2))
    states = np.arange(S)
    P[states, 0, np.minimum(states + 1, S - 1)] = 0.9
    P[:, 0, 0] += 0.1
    P[:, 1, 0] = 1.0
    r[-1, 0], r[1:, 1], r[-1, 1] = 4.0, 1.0, 2.0
    return sparse.csr_array(P.reshape(2 * S, S)), r


def random_sparse(S: int, A: int, per_row: int) -> tuple[sparse.csr_array, np.ndarray]:
    rng = np.random.default_rng(0)
    data = rng.dirichlet(np.ones(per_row), size=S * A).ravel()
    targets = rng.integers(0, S, size=S * A * per_row)
    pointers = np.arange(0, S * A * per_row + 1, per_row)
    return sparse.csr_array((data, targets, pointers), shape=(S * A, S)), rng.random((S, A))


def our_values(mdp: DiscountedMDP, method: str) -> np.ndarray:
    return planning.solve(mdp, TOLERANCE, method).values


def quantecon_values(ddp: Any, method: str) -> np.ndarray:
    limit = 100_000 if method == "vi" else None  # policy iteration may cycle between ties for ever
    return ddp.solve(method=method, epsilon=TOLERANCE, max_iter=limit).v


def toolbox_values(name: str, by_action: np.ndarray, r: np.ndarray) -> np.ndarray:
    extra = {"epsilon": TOLERANCE} if name.endswith("Modified") else {}
    model = getattr(toolbox, name)(by_action, r, DISCOUNT, **extra)
    model.run()
    return np.asarray(model.V)


def discounted_calls(mdp: DiscountedMDP) -> dict[str, Callable[[], Any]]:
    S, A = mdp.n_states, mdp.n_actions
    large = S > 10_000
    ours = ["auto", "value_iteration", "modified_policy_iteration", "inexact_policy_iteration"]
    ours += [] if large else ["gauss_seidel"]
    calls: dict[str, Callable[[], Any]] = {f"boundcheck {m}": partial(our_values, mdp, m) for m in ours}
    dense = None if large else mdp.transitions.toarray().reshape(S, A, S)
    if quantecon:
        states, actions = np.repeat(np.arange(S), A), np.tile(np.arange(A), S)
        kernel = sparse.csr_matrix(mdp.transitions)
        models = {"sparse": quantecon.DiscreteDP(mdp.rewards.ravel(), kernel, DISCOUNT, states, actions)}
        if S < 100:
            models["dense"] = quantecon.DiscreteDP(np.array(mdp.rewards), dense, DISCOUNT)
        for kind, ddp in models.items():
            for method in ("mpi",) if large else ("vi", "pi", "mpi"):
                calls[f"quantecon {kind} {method}"] = partial(quantecon_values, ddp, method)
    if toolbox and dense is not None:
        by_action = np.array(np.moveaxis(dense, 1, 0))
        for name in ("PolicyIteration", "PolicyIterationModified"):
            calls[f"pymdptoolbox {name}"] = partial(toolbox_values, name, by_action, mdp.rewards)
    return calls


def discounted_check(exact: np.ndarray, values: Any) -> str:
    error = float(np.abs(np.asarray(values) - exact).max())
    return "" if error <= 1.01 * TOLERANCE else f"MISSES: off by {error:.1e}"


def discounted_jobs(quick: bool) -> Iterator[Line]:
    models: dict[str, Callable[[], tuple[sparse.csr_array, np.ndarray]]] = {"forest-1000": partial(forest, 1000)}
    if gymnasium:
        models["FrozenLake8x8"] = partial(gym_model, "FrozenLake8x8-v1")
        models["Taxi"] = partial(gym_model, "Taxi-v4")
    if not quick:
        models["random sparse 1e5"] = partial(random_sparse, 100_000, 4, 10)
    for name, build in models.items():
        mdp = DiscountedMDP(*build(), DISCOUNT)
        exact = planning.solve(mdp, 1e-9).values
        yield from compare(name, discounted_calls(mdp), partial(discounted_check, exact))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="leave the largest models out")
    arguments = parser.parse_args()
    for name, module in (("quantecon", quantecon), ("pymdptoolbox", toolbox), ("gymnasium", gymnasium)):
        if module is None:
            print(f"{name} is not installed: left out")
    sizes = [(20, 4, 20), (100, 10, 50)] + ([] if arguments.quick else [(1000, 10, 100)])
    lines = []
    for line in chain(finite_jobs(sizes), discounted_jobs(arguments.quick)):
        print(
            f"{line.job:34s} {line.who:36s} {line.seconds * 1e6:12.1f} us {line.ratio:9.2f} x"
            f"   first {line.first_call:6.2f} s   {line.note}",
            flush=True,
        )
        lines.append(line)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in lines], indent=1))


if __name__ == "__main__":
    main()
