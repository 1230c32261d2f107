"""CPU time of an episode of linear actor-critics, against a vectorised numpy LSVI-UCB and rlberry's.

Run ``python benchmarks/optimal_actor_critic.py [--json PATH] [--quick]``. A random linear model with d = 20, H = 10,
S = 50, A = 4. Ours: NORA-L, with the losses of the recorded policies only and with the exact regret of every episode,
and LSVI-UCB. The numpy learner keeps the same statistics, vectorised over all pairs. rlberry's agent keeps all steps
and loops over them, so that its episodes get slower; it is measured on a few, and left out where it cannot be imported.
Medians of five CPU times in one process, the first call (compilation) apart; ratios are to NORA-L in its longest run,
as new critics get rarer with T. Memory is the growth of the peak resident size from a short to a long run. Last, the
agreement with critics that are made from lists of transitions.
"""

import argparse
import json
import resource
import statistics
import time
import warnings
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from mdps.kernels import cumulative
from mdps.linear_instances import random_simplex
from mdps.offline import offline_draws
from solvers.optimal_actor_critic_linear import LinearLearner, lsvi_ucb, run_linear
from solvers.optimal_actor_critic_listed import FeatureTable, Steps, listed_critic

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from rlberry.envs.finite_mdp import FiniteMDP
        from rlberry_scool.agents.features import FeatureMap
        from rlberry_scool.agents.linear.lsvi_ucb import LSVIUCBAgent
except ImportError:
    LSVIUCBAgent = None

SEED = np.random.SeedSequence(0)
ROUNDS = 5
FACTORS, STATES, ACTIONS, HORIZON = 20, 50, 4, 10
SCALE = 0.05


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    job: str
    who: str
    microseconds: float
    first_call: float
    ratio: float


def measure(call, episodes, rounds=ROUNDS):
    """Return the median time of an episode in microseconds, and the wall time of the first call in seconds."""
    start = time.perf_counter()
    call()
    first = time.perf_counter() - start
    times = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return statistics.median(times) / episodes * 1e6, first


def numpy_lsvi_ucb(mdp, episodes, beta, seed=0):
    """LSVI-UCB with rank-one inverses, a new critic each episode, and no regret."""
    H, S, A, d = mdp.horizon, mdp.n_states, mdp.n_actions, mdp.n_factors
    phi, rewards, random = mdp.features[0].reshape(S * A, d), mdp.rewards.reshape(H, S * A), np.random.default_rng(seed)
    cdf = cumulative(mdp.transitions).reshape(H, S * A, S)
    inverse, moments, responses = np.array([np.eye(d)] * H), np.zeros((H, S, d)), np.zeros((H, d))
    q = np.empty((H, S, A))
    for _ in range(episodes):
        value = np.zeros(S)
        for h in reversed(range(H)):
            weights = inverse[h] @ (responses[h] + value @ moments[h])
            bonus = np.sqrt(np.einsum("pi,pi->p", phi @ inverse[h], phi))
            q[h] = np.clip(phi @ weights + beta * bonus, 0.0, H).reshape(S, A)
            value = q[h].max(axis=1)
        s = 0
        for h in range(H):
            pair = s * A + int(q[h, s].argmax())
            s = int(np.searchsorted(cdf[h, pair], random.random(), side="right"))
            g = inverse[h] @ phi[pair]
            inverse[h] -= np.outer(g, g) / (1.0 + phi[pair] @ g)
            moments[h, s] += phi[pair]
            responses[h] += rewards[h, pair] * phi[pair]


def rlberry_lsvi_ucb(mdp, episodes):
    """LSVI-UCB as rlberry ships it, on the first stage's model at all stages."""
    features = mdp.features[0]

    class Features(FeatureMap):
        def __init__(self):
            super().__init__()
            self.shape = (mdp.n_factors,)

        def map(self, observation, action):
            return features[observation, action]

    env = FiniteMDP(mdp.rewards[0].copy(), mdp.transitions[0].copy())
    env.reward_range = (0.0, 1.0)
    agent = LSVIUCBAgent(env, horizon=mdp.horizon, feature_map_fn=lambda _: Features(), gamma=1.0, reg_factor=1.0)
    agent.fit(budget=episodes)


def disagreement(mdp):
    """Return the largest difference of Q between statistics and lists, on 1000 steps a stage."""
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    data = offline_draws(mdp.to_tabular(), np.full((H, S, A), 1.0 / (S * A)), 1000, 0)
    ours = run_linear(mdp, LinearLearner(beta=1.0), episodes=1, seeds=SEED, offline=data).q_values[0]
    table = FeatureTable(mdp.features[0].reshape(S * A, -1), np.arange(S * A).reshape(S, A))
    steps = []
    for h in range(H):
        index = np.argwhere(data.transitions[h] > 0)
        index = np.repeat(index, data.transitions[h][tuple(index.T)], axis=0)
        rows = index[:, 0] * A + index[:, 1]
        steps.append(Steps(rows, mdp.rewards[h].ravel()[rows], index[:, 2]))
    critic = listed_critic(table, steps, np.arange(float(H), 0.0, -1.0), 1.0)
    return max(np.abs(critic.action_values(h, table.index) - ours[h]).max() for h in range(H))


def lines(quick):
    """Return the rows of the table."""
    mdp = random_simplex(0, FACTORS, STATES, ACTIONS, HORIZON)
    job = f"random linear MDP, d={FACTORS}, H={HORIZON}, S={STATES}, A={ACTIONS}"
    few = 100 if quick else 1000
    found = []
    for episodes in (1000, 10_000) if quick else (1000, 10_000, 100_000):
        call = partial(run_linear, mdp, LinearLearner(scale=SCALE), episodes=episodes, seeds=SEED, record=8)
        cost, first = measure(partial(call, evaluated=False), episodes)
        found.append(Line(f"{job}, T={episodes}", "NORA-L", cost, first, 0.0))
    cost, first = measure(call, episodes, 1)
    found.append(Line(f"{job}, T={episodes}", "NORA-L, exact regret", cost, first, 0.0))
    call = partial(run_linear, mdp, lsvi_ucb(SCALE), episodes=few, seeds=SEED, record=8, evaluated=False)
    cost, first = measure(call, few)
    found.append(Line(f"{job}, T={few}", "LSVI-UCB", cost, first, 0.0))
    cost, first = measure(partial(numpy_lsvi_ucb, mdp, few, 1.0), few)
    found.append(Line(f"{job}, T={few}", "LSVI-UCB, numpy", cost, first, 0.0))
    if LSVIUCBAgent is None:
        print("rlberry-scool is left out: not importable")
    else:
        cost, first = measure(partial(rlberry_lsvi_ucb, mdp, 10), 10, 1 if quick else ROUNDS)
        found.append(Line(f"{job}, T=10", "LSVI-UCB, rlberry-scool", cost, first, 0.0))
    ours = found[1 if quick else 2].microseconds
    found = [replace(line, ratio=line.microseconds / ours) for line in found]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run_linear(mdp, LinearLearner(scale=SCALE), episodes=10 * episodes, seeds=SEED, record=8, evaluated=False)
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    found.append(Line(f"memory for T={10 * episodes}: peak grew by {growth} KiB", "NORA-L", 0.0, 0.0, 0.0))
    return [*found, Line(f"largest difference from lists {disagreement(mdp):.1e}", "NORA-L", 0.0, 0.0, 0.0)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the lines to this file")
    parser.add_argument("--quick", action="store_true", help="fewer episodes")
    arguments = parser.parse_args()
    found = lines(arguments.quick)
    print(f"{'job':58} {'who':24} {'us':>10} {'first s':>8} {'ratio':>9}")
    for line in found:
        print(f"{line.job:58} {line.who:24} {line.microseconds:10.2f} {line.first_call:8.2f} {line.ratio:9.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
