"""Adversarial MDPs: episodes a second, certified projections, and memory, ours against numpy, scipy and cvxpy.

Run ``python benchmarks/adversarial_ftrl.py [--json PATH] [--quick]``. Lines of one job are measured side by side in
this process: medians of seven CPU times, the first call (compilation) apart, and the ratio to ours. The numpy learner
is the same algorithm, vectorised over states and actions, episode by episode. The large simulation is measured in wall
time, with two threads; memory is the growth of the peak resident size from a short to a long run.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import resource
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from mdps.adversarial import AdversarialMDP
from mdps.adversarial_instances import linear_mdp, random_instance, random_mdp
from solvers.adversarial_ftrl import (
    LinearAlgorithm,
    PolicyOptimisation,
    project_occupancy,
    run_hedge,
    run_linear,
    run_oreps,
    run_policy_optimisation,
    run_soft_dp,
)
from solvers.adversarial_ftrl_linear import PLAIN, REDUCED
from solvers.adversarial_ftrl_parameters import hedge_rates, oreps_bandit_rate, oreps_rate, soft_rate
from solvers.adversarial_ftrl_simplex import ENTROPY, LOG_BARRIER

try:
    import cvxpy
except ImportError:
    cvxpy = None

REPEATS = 7


@dataclass
class Line:
    """One measured job: seconds a unit, first call, ratio to ours."""

    job: str
    who: str
    microseconds: float
    first_call: float
    ratio: float
    note: str = ""


def measure(call: Callable[[], Any], units: int) -> tuple[float, float, Any]:
    """Return the median CPU time a unit in microseconds, the wall time of the first call, and the result."""
    start = time.perf_counter()
    result = call()
    first = time.perf_counter() - start
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        call()
        times.append((time.process_time() - start) / units)
    return 1e6 * statistics.median(times), first, result


# Simulation


def numpy_policy_optimisation(mdp: AdversarialMDP, means: np.ndarray, episodes: int, p: PolicyOptimisation) -> float:
    """Run the same learner in numpy; return its cumulative loss."""
    rng, (H, S, A), total = np.random.default_rng(0), mdp.shape, 0.0
    fed, left = np.zeros(mdp.shape), np.arange(H, 0, -1.0)[:, None, None]
    P = np.broadcast_to(mdp.transitions, (H, S, A, S))
    for _ in range(episodes):
        policy = np.exp(-p.eta * (fed - fed.min(axis=2, keepdims=True)))
        policy /= policy.sum(axis=2, keepdims=True)
        mass = np.empty((H, S))
        mass[0] = mdp.initial
        for h in range(H - 1):
            mass[h + 1] = np.einsum("sa,sat->t", mass[h][:, None] * policy[h], P[h])
        q = mass[..., None] * policy
        bonus = ((p.kappa_q * p.eta * left**2 + p.gamma * left) * policy / (q + p.gamma)).sum(axis=2)
        ahead = np.zeros(S)
        losses = (rng.random(mdp.shape) < means).astype(float)
        total += float((q * losses).sum())
        for h in reversed(range(H)):
            dilated = bonus[h][:, None] + (1.0 + p.omega) * (P[h] @ ahead)
            ahead = (policy[h] * dilated).sum(axis=1)
            fed[h] -= dilated
        s, path = int(np.argmax(rng.random() < np.cumsum(mdp.initial))), []
        for h in range(H):
            a = int(np.argmax(rng.random() < np.cumsum(policy[h, s])))
            path.append((h, s, a))
            s = int(np.argmax(rng.random() < np.cumsum(P[h, s, a])))
        tail = 0.0
        for h, s, a in reversed(path):
            tail += losses[h, s, a]
            fed[h, s, a] += tail / (q[h, s, a] + p.gamma)
    return total


def simulation_lines(quick: bool) -> list[Line]:
    lines = []
    for shape in ((5, 4, 3), (3, 3, 3)):
        H, S, A = shape
        instance, episodes = random_instance(H, S, A, 0), 5000 if quick else 50_000
        p = PolicyOptimisation(ENTROPY, 1e-3, 3e-3, 1.0 / H, 0.72)
        arguments = (instance.mdp, instance.losses)
        ours, first, _ = measure(lambda a=arguments, p=p, n=episodes: run_policy_optimisation(*a, n, p), episodes)
        job = f"policy optimisation, episode, (H, S, A) = {shape}"
        lines.append(Line(job, "boundcheck", ours, first, 1.0, f"{H * S / ours:.2f}e6 state updates/s"))
        few, means = 300, instance.losses.table[0]
        peer, first, _ = measure(lambda m=instance.mdp, t=means, p=p: numpy_policy_optimisation(m, t, 300, p), few)
        lines.append(Line(job, "numpy", peer, first, peer / ours))
    return lines


def other_learner_lines(quick: bool) -> list[Line]:
    H, S, A = 5, 4, 3
    instance, episodes = random_instance(H, S, A, 0), 500 if quick else 5000
    a = (instance.mdp, instance.losses, episodes)
    linear = linear_mdp(3, 4, 3, 3, 0)
    b = (linear.mdp, linear.features, linear.losses, episodes)
    large = random_instance(5, 20, 4, 0)
    c = (large.mdp, large.losses, episodes)
    calls: dict[str, Callable[[], Any]] = {
        "Hedge per state (5, 4, 3)": lambda: run_hedge(*a, hedge_rates(H, A, episodes)),
        "soft dynamic programming (5, 4, 3)": lambda: run_soft_dp(*a, soft_rate(H, A, episodes)),
        "O-REPS full information (5, 4, 3)": lambda: run_oreps(*a, oreps_rate(H, 60, A, episodes), bandit=False),
        "O-REPS bandit (5, 4, 3)": lambda: run_oreps(*a, oreps_bandit_rate(H, 60, episodes), bandit=True),
        "O-REPS full information, XA = 400 (5, 20, 4)": lambda: run_oreps(
            *c, oreps_rate(H, 400, 4, episodes), bandit=False
        ),
        "O-REPS bandit, XA = 400 (5, 20, 4)": lambda: run_oreps(*c, oreps_bandit_rate(H, 400, episodes), bandit=True),
        "linear, log-barrier (3, 4, 3), d = 3": lambda: run_linear(
            *b, LinearAlgorithm(LOG_BARRIER, PLAIN, 0.01, 0.05, 0.01, 0.3)
        ),
        "linear, magnitude-reduced (3, 4, 3), d = 3": lambda: run_linear(
            *b, LinearAlgorithm(ENTROPY, REDUCED, 0.01, 0.05, 0.01, 0.3)
        ),
    }
    lines = []
    for job, call in calls.items():
        each, first, _ = measure(call, episodes)
        lines.append(Line(f"{job}, episode", "boundcheck", each, first, 1.0))
    return lines


# Projection


def scipy_projection(mdp: AdversarialMDP, exponent: np.ndarray) -> float:
    """Minimise minus the dual by L-BFGS; return the violation of the flow constraints."""
    H, S, _ = mdp.shape
    P = np.broadcast_to(mdp.transitions, (H, *mdp.transitions.shape[1:]))

    def negative(v: np.ndarray) -> tuple[float, np.ndarray]:
        v = v.reshape(H, S)
        tables = exponent - v[..., None]
        tables[:-1] += np.einsum("hsat,ht->hsa", P[:-1], v[1:])
        partition = logsumexp(tables, axis=(1, 2), keepdims=True)
        q = np.exp(tables - partition)
        gradient = q.sum(axis=2)
        gradient[0] -= mdp.initial
        gradient[1:] -= np.einsum("hsa,hsat->ht", q[:-1], P[:-1])
        return float(partition.sum() + mdp.initial @ v[0]), -gradient.ravel()

    found = minimize(negative, np.zeros(H * S), jac=True, method="L-BFGS-B", options={"gtol": 1e-8, "maxiter": 5000})
    return float(np.abs(found.jac).max())


def cvxpy_projection(mdp: AdversarialMDP, exponent: np.ndarray) -> float:
    """Solve the primal as a cone programme; return the violation of the flow constraints."""
    H, S, A = mdp.shape
    q = [cvxpy.Variable((S, A), nonneg=True) for _ in range(H)]
    cost = sum(-cvxpy.sum(cvxpy.entr(q[h])) - cvxpy.sum(cvxpy.multiply(exponent[h], q[h])) for h in range(H))
    rows = [mdp.transitions[min(h, len(mdp.transitions) - 1)].reshape(S * A, S) for h in range(H)]
    inflow = [mdp.initial, *(rows[h].T @ cvxpy.reshape(q[h], (S * A,), order="C") for h in range(H - 1))]
    constraints = [cvxpy.sum(q[h], axis=1) == inflow[h] for h in range(H)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an inaccurate solution shows in the violation
        cvxpy.Problem(cvxpy.Minimize(cost), constraints).solve(solver=cvxpy.CLARABEL)
    return max(float(np.abs(c.args[0].value - c.args[1].value).max()) for c in constraints)


def project_often(mdp: AdversarialMDP, exponent: np.ndarray) -> Any:
    """Project twenty times, for one call is short; return the last result."""
    return [project_occupancy(mdp, exponent) for _ in range(20)][-1]


def projection_lines() -> list[Line]:
    lines = []
    for shape in ((5, 20, 4), (20, 5, 4), (2, 50, 4)):
        mdp = random_mdp(*shape, seed=0, random_initial=True)
        exponent = -10.0 * np.random.default_rng(1).random(shape)
        job = f"O-REPS projection from scratch, XA = 400, (H, S, A) = {shape}"
        ours, first, found = measure(partial(project_often, mdp, exponent), 20)
        note = f"violation {found.violation:.0e}, duality gap {found.gap:.0e}"
        lines.append(Line(job, "boundcheck", ours, first, 1.0, note))
        peers: dict[str, Callable[[], float]] = {"scipy L-BFGS": lambda m=mdp, x=exponent: scipy_projection(m, x)}
        if cvxpy is not None:
            peers["cvxpy CLARABEL"] = lambda m=mdp, x=exponent: cvxpy_projection(m, x)
        for who, peer in peers.items():
            each, first, violation = measure(peer, 1)
            lines.append(Line(job, who, each, first, each / ours, f"violation {violation:.0e}"))
    if cvxpy is None:
        print("cvxpy left out: not installed")
    return lines


# Scale


def scale_lines(quick: bool) -> list[Line]:
    instance, p = random_instance(3, 3, 3, 0), PolicyOptimisation(ENTROPY, 1e-3, 3e-3, 1.0 / 3.0, 0.72)
    episodes = 2000 if quick else 100_000
    start = time.perf_counter()
    run_policy_optimisation(instance.mdp, instance.losses, episodes, p, runs=100, workers=2, record=5)
    seconds = time.perf_counter() - start
    job = f"100 seeds x {episodes} episodes, (3, 3, 3), two threads"
    lines = [Line(job, "boundcheck", 1e6 * seconds, 0.0, 1.0, f"{seconds:.1f} s of wall time")]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    long = 100_000 if quick else 1_000_000
    run_policy_optimisation(instance.mdp, instance.losses, long, p, record=5)
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return [*lines, Line(f"memory for K = {long}", "boundcheck", 0.0, 0.0, 1.0, f"peak grew by {growth} KiB")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the lines to this file")
    parser.add_argument("--quick", action="store_true", help="fewer episodes")
    arguments = parser.parse_args()
    lines = simulation_lines(arguments.quick) + other_learner_lines(arguments.quick)
    lines += projection_lines() + scale_lines(arguments.quick)
    print(f"{'job':62} {'who':15} {'us':>12} {'first s':>8} {'ratio':>8}  note")
    for line in lines:
        numbers = f"{line.microseconds:12.2f} {line.first_call:8.2f} {line.ratio:8.1f}"
        print(f"{line.job:62} {line.who:15} {numbers}  {line.note}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")


if __name__ == "__main__":
    main()
