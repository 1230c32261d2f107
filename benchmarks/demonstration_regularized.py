"""Time of identification with certificates, and of the same algorithm in plain numpy.

Run ``python benchmarks/demonstration_regularized.py [--json PATH] [--quick]``. The chain has S=4, A=2, H=5; "geometric"
plans again when the number of episodes has grown by 0.5 %, as `FAST` does. The peer is the pseudo-code in numpy, an
episode and a plan at a time. Medians of five CPU times in one process, the first call (compilation) apart. Memory is
the growth of the peak resident size from a short to a long run.
"""

import argparse
import json
import resource
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mdps.demonstration_instances import random_features, reflecting_chain, tilted_reference
from mdps.demonstrations import noisy
from solvers.demonstration_regularized import CERTIFIED, FAST, demonstration_identify, identify
from solvers.demonstration_regularized_baselines import bpi_kl
from solvers.demonstration_regularized_linear import run_lsvi_entropy
from solvers.planning import backward_induction

SEED = np.random.SeedSequence(0)
ROUNDS = 5
CHAIN = reflecting_chain()
UNIFORM = tilted_reference(CHAIN, 0.5)


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    job: str
    who: str
    seconds: float
    episodes: int
    first_call: float

    @property
    def rate(self):
        """Episodes a second."""
        return self.episodes / self.seconds if self.seconds else 0.0


def timed(job, who, work):
    """Return the median time of ``work``, which returns the number of episodes that it played."""
    start = time.process_time()
    work()
    first = time.process_time() - start
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        episodes = int(work())
        times.append(time.process_time() - start)
    return Line(job, who, statistics.median(times), episodes, first)


def slow_episodes(episodes):
    """Run UCBVI-Ent+ in plain numpy, with a plan for every episode, and return the number of episodes."""
    H, S, A, lam = 5, 4, 2, 0.3
    random, log_confidence = np.random.default_rng(0), np.log(2 * S * A * H / 0.1)
    moves, rewards = np.zeros((H, S, A, S)), np.broadcast_to(CHAIN.rewards, (H, S, A))
    for _ in range(episodes):
        n = moves.sum(axis=-1)
        seen = np.maximum(n, 1.0)
        laws = np.where(n[..., None] > 0, moves / seen[..., None], 1.0 / S)
        x = (log_confidence + np.log(1.0 + n[..., None] / np.arange(1, S)).sum(axis=-1)) / seen
        s = np.where(n > 0, np.minimum(1.0, np.sqrt(x / 2)), 1.0)
        upper, lower, gap = np.zeros(S), np.zeros(S), np.zeros(S)
        policy, widest = np.empty((H, S, A)), np.empty((H, S), dtype=int)
        for h in reversed(range(H)):
            last, left = h == H - 1, H - h
            bonus = 0.0 if last else s[h]
            top = np.minimum(rewards[h] + laws[h] @ upper + np.ptp(upper) * bonus, rewards[h] + upper.max())
            bottom = np.maximum(rewards[h] + laws[h] @ lower - np.ptp(lower) * bonus, rewards[h] + lower.min())
            top, bottom = np.minimum(top, left), np.maximum(bottom, 0.0)
            weights = UNIFORM[h] * np.exp((top - top.max(axis=1, keepdims=True)) / lam)
            policy[h] = weights / weights.sum(axis=1, keepdims=True)
            upper = top.max(axis=1) + lam * np.log(weights.sum(axis=1))
            low = UNIFORM[h] * np.exp((bottom - bottom.max(axis=1, keepdims=True)) / lam)
            lower = bottom.max(axis=1) + lam * np.log(low.sum(axis=1))
            width = top - bottom
            widest[h] = width.argmax(axis=1)
            half = gap.max() * x[h] / 2
            later = np.minimum(gap.max(), (np.sqrt(half) + np.sqrt(half + laws[h] @ gap)) ** 2)
            later = np.where(n[h] > 0, later, gap.max())
            gap = np.minimum(width.max(axis=1) ** 2 / (8 * lam), width.max(axis=1)) + (policy[h] * later).sum(axis=1)
        explored, state = random.integers(H), 0
        for h in range(H - 1):
            action = widest[h, state] if explored == h + 1 else random.choice(A, p=policy[h, state])
            following = random.choice(S, p=CHAIN.transitions[0, state, action])
            moves[h, state, action, following] += 1
            state = following
    return episodes


def lines(quick):
    """Return the rows of the table."""
    budget = 30_000 if quick else 300_000
    expert = noisy(backward_induction(CHAIN).policy, 2, 0.02)
    linear = random_features(0)
    reference = np.full((3, 4, 2), 0.5)

    def bpi(settings, episodes):
        return lambda: identify(CHAIN, UNIFORM, 0.3, 0.0, seeds=SEED, settings=settings, limit=episodes).episodes.sum()

    job = f"chain, {budget} episodes"
    found = [
        timed(job, "UCBVI-Ent+, geometric", bpi(FAST, budget)),
        timed(f"chain, {budget // 10} episodes", "UCBVI-Ent+, a plan an episode", bpi(CERTIFIED, budget // 10)),
        timed("chain, 200 episodes", "the same in numpy", lambda: slow_episodes(200)),
        timed(job, "BPI-KL, geometric", lambda: bpi_kl(CHAIN, 0.0, seeds=SEED, limit=budget).episodes.sum()),
        timed(
            "chain, 200 runs until stopped",
            "UCBVI-Ent+, lambda=1, eps=0.2",
            lambda: identify(CHAIN, UNIFORM, 1.0, 0.2, seeds=SEED, runs=200, settings=FAST).episodes.sum(),
        ),
        timed(
            "chain, 1000 demonstrations, until stopped",
            "cloning and UCBVI-Ent+, eps=0.5",
            lambda: demonstration_identify(CHAIN, expert, 1000, 0.5, seeds=SEED).identification.episodes.sum(),
        ),
        timed(
            "linear, d=2, S=4, A=2, H=3",
            "LSVI-UCB-Ent, gaps included",
            lambda: len(run_lsvi_entropy(linear, reference, 1.0, budget // 10, seeds=SEED).violations) * budget // 10,
        ),
    ]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bpi(FAST, 10 * budget)()
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return [*found, Line(f"memory, {10 * budget} episodes: peak grew by {growth} KiB", "UCBVI-Ent+", 0.0, 0, 0.0)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the lines to this file")
    parser.add_argument("--quick", action="store_true", help="fewer episodes")
    arguments = parser.parse_args()
    found = lines(arguments.quick)
    print(f"{'job':46} {'who':32} {'s':>9} {'episodes/s':>12} {'first s':>8}")
    for line in found:
        print(f"{line.job:46} {line.who:32} {line.seconds:9.4f} {line.rate:12.3g} {line.first_call:8.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in found], indent=1) + "\n")


if __name__ == "__main__":
    main()
