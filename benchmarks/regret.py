"""Regret simulation against peers: CPU time per episode of UCBVI, and of the baselines.

Run ``python benchmarks/regret.py [--json PATH] [--quick]``. Every line is the median of at least five runs in this
process, divided by the number of episodes of a run; the first call (compilation) is apart. Our lines and the numpy line
include the exact regret of every episode. rlberry-scool computes none, and is measured without it: as shipped, and with
its planner compiled by numba, which it is not as shipped. It is left out where it cannot be imported.
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

import numba
import numpy as np

from mdps.instances import random_dense
from mdps.tabular import FiniteHorizonMDP
from solvers.baselines import run_psrl, run_q_learning
from solvers.ucbvi import BONUSES, run_ucbvi

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from rlberry.envs.finite_mdp import FiniteMDP
        from rlberry_scool.agents.ucbvi import ucbvi as scool
except ImportError:
    scool = None

REPEATS = 5
SEEDS = np.random.SeedSequence(0)


@dataclass
class Line:
    """One measured learner: microseconds per episode, and how often it is slower than ours on the same job."""

    job: str
    who: str
    microseconds: float
    first_call: float
    ratio: float


def measure(run: Callable[[], Any], episodes: int) -> tuple[float, float]:
    """Return the median CPU time per episode, in microseconds, and the wall time of the first call, in seconds."""
    start = time.perf_counter()
    run()
    first = time.perf_counter() - start
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        run()
        times.append((time.process_time() - start) / episodes * 1e6)
    return statistics.median(times), first


def numpy_ucbvi(model: FiniteHorizonMDP, episodes: int, seed: int = 0) -> float:
    """UCBVI with one kernel a stage and the bonus 1 / sqrt(n) + (H - h) / n, vectorised; return the exact regret."""
    H, S, A = model.horizon, model.n_states, model.n_actions
    P, r, rng = model.transitions[0], model.rewards[0], np.random.default_rng(seed)
    cdf, states = P.cumsum(axis=2), np.arange(S)
    counts, visits = np.zeros((H, S, A, S)), np.zeros((H, S, A))
    width = np.broadcast_to(np.arange(H, 0.0, -1.0)[:, None, None], (H, S, A)).copy()
    policy, regret, ceiling = np.zeros((H, S), dtype=np.int64), 0.0, np.arange(H, 0.0, -1.0)
    best = np.zeros(S)
    for _ in range(H):
        best = (r + P @ best).max(axis=1)
    for _ in range(episodes):
        upper, value = np.zeros(S), np.zeros(S)
        for h in range(H - 1, -1, -1):
            means = counts[h] @ upper / np.maximum(visits[h], 1.0)
            q = np.minimum(ceiling[h], r + means + width[h])
            policy[h], upper = q.argmax(axis=1), q.max(axis=1)
        for h in range(H - 1, -1, -1):
            value = r[states, policy[h]] + P[states, policy[h]] @ value
        regret += best[0] - value[0]
        s = 0
        for h in range(H):
            a = policy[h, s]
            t = int(np.searchsorted(cdf[s, a, :-1], rng.random(), side="right"))
            counts[h, s, a, t] += 1.0
            visits[h, s, a] += 1.0
            width[h, s, a] = 1.0 / np.sqrt(visits[h, s, a]) + (H - h) / visits[h, s, a]
            s = t
    return regret


def scool_ucbvi(model: FiniteHorizonMDP, episodes: int, planner: Callable[..., None]) -> None:
    """UCBVI as rlberry-scool ships it, with one kernel a stage: simplified Bernstein bonus, no regret."""
    scool.backward_induction_sd = planner
    env = FiniteMDP(model.rewards[0].copy(), model.transitions[0].copy())
    env.reward_range = (0.0, 1.0)
    agent = scool.UCBVIAgent(env, horizon=model.horizon, stage_dependent=True)
    for _ in range(episodes):
        agent._run_episode()


def learners(model: FiniteHorizonMDP, episodes: int, few: int) -> Iterator[tuple[str, Callable[[], Any], int]]:
    """Yield name, run and episodes of a run; the first is ours with the bonus that the peers have."""
    shared = {"episodes": episodes, "seeds": SEEDS, "record": 16}
    yield "boundcheck, heuristic bonus", partial(run_ucbvi, model, bonus="heuristic", **shared), episodes
    yield "numpy, vectorised", partial(numpy_ucbvi, model, few), few
    if scool is None:
        print("rlberry-scool is left out: not importable")
    else:
        shipped = scool.backward_induction_sd
        compiled = numba.njit(shipped)
        yield "rlberry-scool, planner compiled, no regret", partial(scool_ucbvi, model, few, compiled), few
        rare = max(2, few // 20)
        yield "rlberry-scool as shipped, no regret", partial(scool_ucbvi, model, rare, shipped), rare
    for name in BONUSES:
        if name != "heuristic":
            yield f"boundcheck, {name} bonus", partial(run_ucbvi, model, bonus=name, **shared), episodes
    yield (
        "boundcheck, hoeffding, optimism checked",
        partial(run_ucbvi, model, check_optimism=True, **shared),
        episodes,
    )
    yield "boundcheck, hoeffding x 0.05", partial(run_ucbvi, model, scale=0.05, **shared), episodes
    yield "boundcheck, Q-learning", partial(run_q_learning, model, **shared), episodes
    yield "boundcheck, PSRL", partial(run_psrl, model, episodes=few, seeds=SEEDS), few


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the table to this file")
    parser.add_argument("--quick", action="store_true", help="a tenth of the episodes")
    arguments = parser.parse_args()
    shrink = 10 if arguments.quick else 1
    lines = []
    for S, A, H, episodes, few in ((20, 4, 20, 1000, 200), (4, 2, 5, 20_000, 400), (2, 2, 2, 150_000, 1000)):
        job = f"UCBVI S={S} A={A} H={H} K={episodes // shrink}"
        ours = 0.0
        for who, run, played in learners(random_dense(S, A, H), episodes // shrink, few // shrink):
            microseconds, first = measure(run, played)
            ours = ours or microseconds
            lines.append(Line(job, who, microseconds, first, microseconds / ours))
            print(f"{job:32s} {who:44s} {microseconds:12.3f} us {lines[-1].ratio:9.1f} x   first call {first:6.2f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n")


if __name__ == "__main__":
    main()
