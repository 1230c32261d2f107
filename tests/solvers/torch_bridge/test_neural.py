"""The neural experiment: shapes, repetition, gradients on real trajectories, equal budgets, one-line errors."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("gymnasium")

from mdps.errors import InvalidModelError, InvalidPolicyError
from solvers.torch_bridge.neural import TASKS, GymnasiumSimulator, experiment, main
from solvers.torch_bridge.returns import METHODS, gradient, hessian_product, to_go


def sampled(name, count=3, seed=0):
    task = TASKS[name]
    policy = task.policy((6,), seed)
    simulator = GymnasiumSimulator(task, count)
    theta = policy.parameters()
    return task, policy, theta, simulator(policy, theta, count, policy.generator(seed), np.random.default_rng(seed))


@pytest.mark.parametrize(("name", "size", "action"), [("cartpole", 4, ()), ("pendulum", 3, (1,))])
def test_trajectories_have_their_shapes(name, size, action):
    task, _, _, batch = sampled(name)
    assert batch.states.shape == (3, task.horizon, size)
    assert batch.actions.shape == (3, task.horizon, *action)
    assert batch.states.dtype == np.float64
    assert np.all(np.abs(batch.rewards) <= 1.0)
    lengths = batch.alive.sum(axis=1)
    if name == "cartpole":
        np.testing.assert_array_equal(batch.rewards.sum(axis=1), lengths)
        assert np.all(lengths < 200)
    else:
        np.testing.assert_array_equal(lengths, task.horizon)


@pytest.mark.parametrize("name", list(TASKS))
def test_trajectories_repeat(name):
    first, again, other = (sampled(name, seed=seed)[3] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.states, again.states)
    np.testing.assert_array_equal(first.actions, again.actions)
    assert not np.array_equal(first.states, other.states)


@pytest.mark.parametrize("name", list(TASKS))
def test_estimates_match_finite_differences(name):
    task, policy, theta, batch = sampled(name)
    weights = batch.steps(to_go(batch.discounted(task.discount))) / 3
    states, actions, step = batch.steps(batch.states), batch.steps(batch.actions), 1e-5
    delta = np.random.default_rng(1).normal(size=theta.size)

    def objective(point):
        return weights @ policy.log_probabilities(point, states, actions)

    found = gradient(policy, theta, batch, task.discount)
    expected = (objective(theta + step * delta) - objective(theta - step * delta)) / (2 * step)
    assert found @ delta == pytest.approx(expected, rel=1e-6)
    ahead, behind = (policy.score(theta + s * step * delta, states, actions, weights) for s in (1, -1))
    bent = (ahead - behind) / (2 * step)
    outer = np.zeros_like(theta)
    for i in range(3):
        inside = batch.alive[i]
        w = to_go(batch.discounted(task.discount))[i, inside]
        ones = np.ones(inside.sum())
        total = policy.score(theta, batch.states[i, inside], batch.actions[i, inside], ones) @ delta
        outer += policy.score(theta, batch.states[i, inside], batch.actions[i, inside], w) * total / 3
    product = hessian_product(policy, theta, batch, task.discount, delta)
    np.testing.assert_allclose(product, outer + bent, rtol=1e-5, atol=1e-6 * np.abs(product).max())


def test_methods_use_equal_numbers_of_trajectories():
    curves = experiment("cartpole", trajectories=10, batch=2, seeds=2, hidden=(4,))
    assert [curve.method for curve in curves] == list(METHODS)
    for curve in curves:
        assert curve.trajectories[-1] == 10
        assert len(curve.trajectories) == (3 if "harpg" in curve.method else 5)
        assert len(curve.mean) == len(curve.low) == len(curve.high) == len(curve.trajectories)
        assert np.all(np.array(curve.low) <= np.array(curve.high))
        assert np.all(np.isfinite(curve.mean))


def test_the_command_writes_the_same_json_twice(tmp_path):
    arguments = ["--tasks", "pendulum", "--methods", "n_harpg", "--trajectories", "4", "--batch", "1", "--seeds", "1"]
    texts = []
    for name in ("first.json", "again.json"):
        assert main([*arguments, "--output", str(tmp_path / name)]) == 0
        texts.append((tmp_path / name).read_text())
    assert texts[0] == texts[1]
    (curve,) = json.loads(texts[0])["curves"]
    assert curve["task"] == "pendulum"
    assert min(curve["mean"]) >= -16.2736044 * 100


def test_errors_are_one_line(capsys):
    assert main(["--trajectories", "1"]) == 2
    assert capsys.readouterr().err == "error: trajectories is 1, less than 8\n"
    if not torch.cuda.is_available():
        assert main(["--device", "cuda"]) == 2
        assert capsys.readouterr().err == "error: device is 'cuda', but 0 CUDA devices are present\n"


def test_bad_arguments_are_named():
    with pytest.raises(InvalidPolicyError, match="task is 'walker'"):
        experiment("walker")
    with pytest.raises(InvalidPolicyError, match="method is 'npg'"):
        experiment("cartpole", methods=("npg",))
    with pytest.raises(InvalidPolicyError, match="seeds is 0"):
        experiment("cartpole", seeds=0)
    task = TASKS["cartpole"]
    with pytest.raises(InvalidModelError, match="copies is 0"):
        GymnasiumSimulator(task, 0)
    policy = task.policy((4,), 0)
    with pytest.raises(InvalidModelError, match="count is 2"):
        GymnasiumSimulator(task, 1)(policy, policy.parameters(), 2, policy.generator(0), np.random.default_rng(0))
