r"""Neural policies on two control tasks: the five methods side by side.

Tasks are Gymnasium's ``CartPole-v1`` (two actions, reward 1 a step until the pole falls; softmax policy) and
``Pendulum-v1`` (a torque; rewards divided by their largest size, so that they lie in [-1, 0]; Gaussian policy of fixed
deviation). Policies are small tanh networks, returns are estimated without baseline, and every method may use the same
number of trajectories: HARPG and N-HARPG take two batches an iteration and so make half as many steps.

What can be read off: that each estimator works with automatic differentiation of a network, and how runs spread over
seeds. No theorem orders the returns of the methods, and neither does this experiment.

Run it as ``python -m solvers.torch_bridge.neural --help``; the result is JSON.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mdps.errors import InvalidModelError, InvalidPolicyError
from mdps.validation import FloatArray
from solvers.n_harpg_kernels import CAUSAL, HESSIAN
from solvers.torch_bridge.policies import DeviceError, GaussianPolicy, SoftmaxPolicy, TorchPolicy, perceptron
from solvers.torch_bridge.returns import METHODS, Ascent, Trajectories, ascend, schedule

LARGEST_SEED = 2**31 - 1


@dataclass(frozen=True)
class Task:
    """A Gymnasium environment and how it is learned.

    Attributes
    ----------
    environment
        Its Gymnasium id.
    horizon
        Steps H of a trajectory.
    discount
        gamma.
    reward_scale
        Factor of the rewards.
    deviation
        Standard deviation of a Gaussian policy; none for discrete actions.
    steps
        Step scale by method.
    """

    environment: str
    horizon: int
    discount: float
    reward_scale: float
    deviation: float | None
    steps: Mapping[str, float]

    def policy(self, hidden: tuple[int, ...], seed: int, device: str = "cpu") -> TorchPolicy:
        """Return a policy network that fits the environment."""
        import gymnasium

        environment = gymnasium.make(self.environment)
        space, size = environment.action_space, int(np.prod(environment.observation_space.shape or ()))
        environment.close()
        if self.deviation is None:
            return TorchPolicy(SoftmaxPolicy(perceptron((size, *hidden, int(space.n)), seed)), device)
        outputs = int(np.prod(space.shape))
        return TorchPolicy(GaussianPolicy(perceptron((size, *hidden, outputs), seed), self.deviation), device)


NORMALISED, PLAIN = ("n_pg_m", "n_pg_igt", "n_harpg"), ("pg", "harpg")
TASKS: Mapping[str, Task] = {
    "cartpole": Task(
        "CartPole-v1", 200, 0.99, 1.0, None, {**dict.fromkeys(NORMALISED, 1.0), **dict.fromkeys(PLAIN, 0.01)}
    ),
    "pendulum": Task(
        "Pendulum-v1",
        100,
        0.95,
        1.0 / 16.2736044,
        0.5,
        {**dict.fromkeys(NORMALISED, 1.0), **dict.fromkeys(PLAIN, 0.03)},
    ),
}
"""Tasks by name; steps were chosen by hand so that no method diverges, not tuned."""


class GymnasiumSimulator:
    """Trajectories of a Gymnasium environment; several copies advance together.

    Parameters
    ----------
    task
        Environment, horizon and scale of the rewards.
    copies
        Number of environments kept.
    """

    def __init__(self, task: Task, copies: int) -> None:
        import gymnasium

        if copies < 1:
            raise InvalidModelError(f"copies is {copies}, not positive")
        self.task = task
        self.environments = [gymnasium.make(task.environment).unwrapped for _ in range(copies)]

    def __call__(
        self, policy: TorchPolicy, theta: FloatArray, count: int, generator: Any, rng: np.random.Generator
    ) -> Trajectories:
        """Return ``count`` trajectories, at most as many as there are copies; see `returns.Simulator`."""
        if count > len(self.environments):
            raise InvalidModelError(f"count is {count}, but there are {len(self.environments)} environments")
        running = self.environments[:count]
        seeds = rng.integers(LARGEST_SEED, size=count)
        first = [environment.reset(seed=int(s))[0] for environment, s in zip(running, seeds, strict=True)]
        current = np.array(first, dtype=np.float64)
        shape = (count, self.task.horizon)
        states, rewards, alive = np.zeros((*shape, current.shape[1])), np.zeros(shape), np.zeros(shape, dtype=bool)
        actions: Any = None
        going = np.ones(count, dtype=bool)
        for h in range(self.task.horizon):
            chosen = policy.sample(theta, current, generator)
            if actions is None:
                actions = np.zeros((*shape, *chosen.shape[1:]), dtype=chosen.dtype)
            states[:, h], actions[:, h], alive[:, h] = current, chosen, going
            for i in np.flatnonzero(going):
                observation, reward, ended, _, _ = running[i].step(chosen[i])
                current[i], rewards[i, h] = observation, self.task.reward_scale * float(reward)
                going[i] = not ended
            if not going.any():
                break
        return Trajectories(states, actions, rewards, alive)


@dataclass(frozen=True)
class Curve:
    """Returns of one method over seeds, by trajectories used.

    Attributes
    ----------
    trajectories
        Trajectories used after each iteration.
    mean, low, high
        Mean, 10 % and 90 % quantile over seeds of the average return (in units of the environment) of the batch.
    """

    task: str
    method: str
    step: float
    seeds: int
    trajectories: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]


def curve(name: str, method: str, step: float, scale: float, runs: Sequence[Ascent]) -> Curve:
    """Summarise the runs of one method."""
    returns = np.array([run.returns for run in runs]) / scale
    low, high = np.quantile(returns, [0.1, 0.9], axis=0)
    used = runs[0].trajectories.tolist()
    return Curve(name, method, step, len(runs), used, returns.mean(axis=0).tolist(), low.tolist(), high.tolist())


def experiment(
    name: str,
    *,
    methods: Sequence[str] = tuple(METHODS),
    trajectories: int = 80,
    batch: int = 4,
    seeds: int = 3,
    hidden: tuple[int, ...] = (16,),
    device: str = "cpu",
) -> list[Curve]:
    """Run methods on a task with equal numbers of trajectories.

    Parameters
    ----------
    name
        A key of `TASKS`.
    trajectories
        Budget of a run, at least two batches.

    Raises
    ------
    InvalidPolicyError
        Naming the argument that is out of range.
    ImportError
        If Gymnasium is not installed.
    """
    if name not in TASKS:
        raise InvalidPolicyError(f"task is {name!r}, not one of {', '.join(TASKS)}")
    for label, value, least in (("batch", batch, 1), ("seeds", seeds, 1), ("trajectories", trajectories, 2 * batch)):
        if value < least:
            raise InvalidPolicyError(f"{label} is {value}, less than {least}")
    for method in methods:
        if method not in METHODS:
            raise InvalidPolicyError(f"method is {method!r}, not one of {', '.join(METHODS)}")
    task = TASKS[name]
    simulator = GymnasiumSimulator(task, batch)
    curves = []
    for method in methods:
        rule = replace(METHODS[method], product=CAUSAL, batch=batch, correction_batch=batch)
        per_iteration = 2 if rule.correction == HESSIAN else 1
        plan = schedule(method, task.steps[method], 1 + (trajectories // batch - 1) // per_iteration, batch)
        runs = [
            ascend(rule, plan, task.policy(hidden, seed, device), simulator, discount=task.discount, seed=seed)
            for seed in range(seeds)
        ]
        curves.append(curve(name, method, task.steps[method], task.reward_scale, runs))
    return curves


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m solvers.torch_bridge.neural", description=__doc__.split("\n")[0])
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--trajectories", type=int, default=80, help="budget of a run (default: 80)")
    parser.add_argument("--batch", type=int, default=4, help="trajectories per estimate (default: 4)")
    parser.add_argument("--seeds", type=int, default=3, help="runs per method (default: 3)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:k (default: cpu)")
    parser.add_argument("--output", type=Path, help="file of the result (default: standard output)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # tensors are tiny: more threads only wait for each other
    try:
        curves = [
            asdict(found)
            for name in options.tasks
            for found in experiment(
                name,
                methods=options.methods,
                trajectories=options.trajectories,
                batch=options.batch,
                seeds=options.seeds,
                device=options.device,
            )
        ]
        text = json.dumps({"curves": curves}, indent=1)
        if options.output is None:
            print(text)
        else:
            options.output.write_text(text + "\n")
    except (DeviceError, InvalidPolicyError, ImportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
