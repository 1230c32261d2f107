"""Time of an episode of DR-RPO, and of DR-LSVI-UCB as its public code has it, re-implemented.

Run ``python benchmarks/dr_rpo.py [--json PATH] [--quick]``. That code keeps all transitions, inverts the covariance for
every Q and solves the dual of every factor and next state by Nelder and Mead's method; here it is the same in plain
numpy and scipy, timed at episode 100. Medians of five CPU times in one process, the first call (compilation) apart, and
the ratio to our DR-LSVI-UCB. Memory is the growth of the peak resident size from a short to a long run.
"""

import argparse
import json
import resource
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from mdps.robust_instances import simulated_robust
from solvers.dr_rpo import Learner, dr_lsvi_ucb_code, lsvi_ucb_code, nominal_set, run

SEED = np.random.SeedSequence(0)
ROUNDS = 5


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    job: str
    who: str
    microseconds: float
    first_call: float
    ratio: float


def microseconds(robust, learner, episodes):
    """Return the median time of an episode and the time of the first call in seconds."""
    start = time.process_time()
    run(robust, learner, episodes=2, seeds=SEED)
    first = time.process_time() - start
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run(robust, learner, episodes=episodes, seeds=SEED, record=2)
        times.append(time.process_time() - start)
    return statistics.median(times) / episodes * 1e6, first


def slow_episode(robust, episode=100, seed=0):
    """Return the time in microseconds of the planning of one episode the slow way."""
    mdp, random = robust.nominal, np.random.default_rng(seed)
    H, S, A, d = mdp.horizon, mdp.n_states, mdp.n_actions, mdp.n_factors
    phi, kernel = mdp.staged_features, mdp.transitions
    history = [[] for _ in range(H)]
    for _ in range(episode):
        s = 0
        for h in range(H):
            a = random.integers(A)
            t = random.choice(S, p=kernel[h, s, a])
            history[h].append((phi[h, s, a], t))
            s = t
    start = time.process_time()
    value = np.zeros(S)
    for h in reversed(range(H)):
        features = np.array([step[0] for step in history[h]])
        following = [step[1] for step in history[h]]
        inverse = np.linalg.inv(0.1 * np.eye(d) + features.T @ features)
        next_values = value[following]

        def loss(alpha, i, inverse=inverse, features=features, next_values=next_values, h=h):
            empirical = inverse[i] @ (features.T @ np.minimum(next_values, alpha[0]))
            return -(empirical - robust.levels[h, i] * alpha[0])

        nu = [-minimize(loss, [H / 2], (i,), method="Nelder-Mead", bounds=[(0.0, H)]).fun for i in range(d)]
        bonus = np.sqrt((phi[h] ** 2) @ np.diag(inverse))
        value = np.minimum(phi[h] @ (mdp.weights[h] + nu) + bonus, H - h).max(axis=1)
        value[robust.fail_state] = 0.0
    return (time.process_time() - start) * 1e6


def lines(quick):
    """Return the rows of the table."""
    episodes = 10_000 if quick else 50_000
    levels = {"tv_constrained": 0.3, "tv_regularised": 0.5, "kl_regularised": 1.0, "chi2_regularised": 1.0}
    job = "simulated linear MDP, H=3, S=5, A=16, d=4"
    found = []
    fast, first = microseconds(simulated_robust(0.3), dr_lsvi_ucb_code(3), episodes)
    found.append(Line(job, "DR-LSVI-UCB", fast, first, 1.0))
    slow = statistics.median(slow_episode(simulated_robust(0.3)) for _ in range(ROUNDS))
    found.append(Line(job, "DR-LSVI-UCB, Nelder-Mead", slow, 0.0, slow / fast))
    time_of, first = microseconds(nominal_set(simulated_robust(0.3)), lsvi_ucb_code(3), episodes)
    found.append(Line(job, "LSVI-UCB", time_of, first, time_of / fast))
    for kind, level in levels.items():
        robust = simulated_robust(level, kind=kind, everywhere=True)
        time_of, first = microseconds(robust, Learner(beta=1.0), episodes)
        found.append(Line(job, f"DR-RPO, {kind}", time_of, first, time_of / fast))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(simulated_robust(0.3), Learner(beta=1.0), episodes=10 * episodes, seeds=SEED, record=2)
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return [*found, Line(f"memory for K = {10 * episodes}: peak grew by {growth} KiB", "DR-RPO", 0.0, 0.0, 0.0)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the lines to this file")
    parser.add_argument("--quick", action="store_true", help="fewer episodes")
    arguments = parser.parse_args()
    found = lines(arguments.quick)
    print(f"{'job':45} {'who':26} {'us':>10} {'first s':>8} {'ratio':>8}")
    for line in found:
        print(f"{line.job:45} {line.who:26} {line.microseconds:10.2f} {line.first_call:8.2f} {line.ratio:8.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
