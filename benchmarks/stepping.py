"""Stepping against peers: CPU time per transition under the uniform policy.

Run ``python benchmarks/stepping.py [--json PATH] [--quick]``. Every line is the median of five runs in this process,
divided by the number of transitions of a run; the first call (compilation, allocation) is apart. Gymnasium, envpool
and jax are left out where they cannot be imported. Peers that batch do so over 1000 environments, ours over 64.
Tabular environments restart at the end of an episode; in our model a transition that ends one leads to the law of the
first state.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mdps import kernels
from mdps.gymnasium import from_gymnasium
from mdps.instances import random_dense
from mdps.tabular import FiniteHorizonMDP

try:
    import gymnasium
except ImportError:
    gymnasium = None
try:
    import envpool
except (ImportError, OSError):  # some of its wheels lack data files
    envpool = None
try:
    import jax
    import jax.numpy as jnp
except ImportError:
    jax = None

REPEATS = 5
BATCH = 1000


@dataclass
class Line:
    """One measured simulator: nanoseconds per transition, and how often it is slower than ours on the same job."""

    job: str
    who: str
    nanoseconds: float
    first_call: float
    ratio: float


def measure(run: Callable[[], Any], transitions: int) -> tuple[float, float]:
    """Return the median CPU time per transition, in nanoseconds, and the wall time of the first call, in seconds."""
    start = time.perf_counter()
    run()
    first = time.perf_counter() - start
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return 1e9 * statistics.median(times) / transitions, first


def ours(mdp: FiniteHorizonMDP, rounds: int) -> tuple[Callable[[], Any], int]:
    """Return roll-outs of prepared tables, in 64 lanes."""
    prepared, state = kernels.simulator(mdp, None), kernels.seed_lanes(0, kernels.LANES)
    return lambda: prepared.run(state, rounds), rounds * kernels.LANES * mdp.horizon


def numpy_batch(mdp: FiniteHorizonMDP, episodes: int) -> tuple[Callable[[], Any], int]:
    """Return the same simulation with numpy: inverse distribution functions for 1000 episodes together."""
    cdf, rewards = kernels.cumulative(mdp.transitions[0]), mdp.rewards[0]
    first = kernels.cumulative(mdp.initial)
    rng = np.random.default_rng(0)

    def run() -> None:
        for _ in range(episodes):
            states = np.searchsorted(first, rng.random(BATCH), side="right")
            total = np.zeros(BATCH)
            for _ in range(mdp.horizon):
                actions = rng.integers(0, mdp.n_actions, BATCH)
                total += rewards[states, actions]
                states = (rng.random((BATCH, 1)) < cdf[states, actions]).argmax(axis=1)

    return run, episodes * BATCH * mdp.horizon


def jax_vmap(mdp: FiniteHorizonMDP, episodes: int) -> tuple[Callable[[], Any], int]:
    """Return the same simulation with jax, float32: a compiled scan over the stages of 1000 episodes together."""
    cdf, rewards = jnp.asarray(kernels.cumulative(mdp.transitions[0])), jnp.asarray(mdp.rewards[0])
    first = jnp.asarray(kernels.cumulative(mdp.initial))

    def step(carry: Any, key: Any) -> Any:
        states, total = carry
        which, where = jax.random.split(key)
        actions = jax.random.randint(which, (BATCH,), 0, mdp.n_actions)
        below = jax.random.uniform(where, (BATCH, 1)) < cdf[states, actions]
        return (below.argmax(axis=1), total + rewards[states, actions]), None

    @jax.jit
    def episode(key: Any) -> Any:
        start, stages = jax.random.split(key)
        states = jnp.searchsorted(first, jax.random.uniform(start, (BATCH,)), side="right").astype(int)
        return jax.lax.scan(step, (states, jnp.zeros(BATCH)), jax.random.split(stages, mdp.horizon))[0][1]

    keys = jax.random.split(jax.random.key(0), episodes)

    def run() -> None:
        for key in keys:
            episode(key).block_until_ready()

    return run, episodes * BATCH * mdp.horizon


def gymnasium_step(name: str, kwargs: dict[str, Any], steps: int) -> tuple[Callable[[], Any], int]:
    """Return Gymnasium's own steps, one at a time, with actions drawn beforehand."""
    environment = gymnasium.make(name, **kwargs)
    actions = np.random.default_rng(0).integers(0, environment.action_space.n, steps).tolist()
    environment.reset(seed=0)

    def run() -> None:
        for action in actions:
            _, _, terminated, truncated, _ = environment.step(action)
            if terminated or truncated:
                environment.reset()

    return run, steps


def envpool_step(name: str, kwargs: dict[str, Any], steps: int) -> tuple[Callable[[], Any], int]:
    """Return envpool's batched steps of 1000 environments in one thread, with actions drawn beforehand."""
    pool = envpool.make(name, env_type="gymnasium", num_envs=BATCH, num_threads=1, **kwargs)
    actions = np.random.default_rng(0).integers(0, pool.action_space.n, (steps, BATCH)).astype(np.int32)
    pool.reset()

    def run() -> None:
        for row in actions:
            pool.step(row)

    return run, steps * BATCH


def restarting(mdp: FiniteHorizonMDP, horizon: int) -> FiniteHorizonMDP:
    """Return the model without its absorbing state: what leads there leads to the law of the first state."""
    kernel = mdp.transitions[0, :-1, :, :-1] + mdp.transitions[0, :-1, :, -1:] * mdp.initial[:-1]
    return FiniteHorizonMDP(kernel, mdp.rewards[0, :-1], horizon, mdp.initial[:-1])


def compare(job: str, runs: list[tuple[str, Callable[[], tuple[Callable[[], Any], int]]]]) -> Iterator[Line]:
    """Measure all simulators of a job; the first is ours."""
    base = None
    for who, make in runs:
        nanoseconds, first = measure(*make())
        base = nanoseconds if base is None else base
        yield Line(job, who, nanoseconds, first, nanoseconds / base)


def jobs(quick: bool) -> Iterator[Line]:
    """Measure all jobs; ``quick`` leaves out the large model."""
    sizes = [(20, 4, 20, 2000, 20)] + ([] if quick else [(1000, 10, 100, 60, 1)])
    for n_states, n_actions, horizon, rounds, episodes in sizes:
        mdp = random_dense(n_states, n_actions, horizon)
        job = f"random dense S={n_states} A={n_actions} H={horizon}"
        runs = [
            ("boundcheck", lambda m=mdp, n=rounds: ours(m, n)),
            ("numpy, batch of 1000", lambda m=mdp, n=episodes: numpy_batch(m, n)),
        ]
        if jax:
            runs.append(("jax, batch of 1000", lambda m=mdp, n=episodes: jax_vmap(m, n)))
        yield from compare(job, runs)
    if not gymnasium:
        return
    taxi = max(name for name in gymnasium.registry if name.startswith("Taxi-v"))
    for name, kwargs in (("FrozenLake-v1", {"map_name": "8x8"}), (taxi, {})):
        mdp = restarting(from_gymnasium(name, 1, **kwargs), 100)
        runs = [
            ("boundcheck", lambda m=mdp: ours(m, 200)),
            ("gymnasium", lambda n=name, k=kwargs: gymnasium_step(n, k, 5000)),
        ]
        if envpool:
            peer = (name, {"size": 8}) if name.startswith("Frozen") else ("Taxi-v3", {})
            runs.append(("envpool, batch of 1000", lambda p=peer: envpool_step(*p, 50)))
        yield from compare(f"{name} {kwargs.get('map_name', '')}, restarting", runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", type=Path, help="also write the lines to this file")
    parser.add_argument("--quick", action="store_true", help="leave out the large model")
    arguments = parser.parse_args()
    absent = [name for name, found in (("gymnasium", gymnasium), ("envpool", envpool), ("jax", jax)) if found is None]
    print(f"left out, not importable: {', '.join(absent) or 'none'}")
    print(f"{'job':<46}{'who':<42}{'ns/transition':>14}{'x ours':>10}{'first call s':>14}")
    lines = []
    for line in jobs(arguments.quick):
        lines.append(line)
        print(
            f"{line.job:<46}{line.who:<42}{line.nanoseconds:>14.2f}{line.ratio:>10.1f}{line.first_call:>14.2f}",
            flush=True,
        )
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(line) for line in lines], indent=1))


if __name__ == "__main__":
    main()
