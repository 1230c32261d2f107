"""OPPO: its radius, optimism, a first episode by hand, and learning."""

import numpy as np
import pytest

from mdps.linear_mixture import LinearMixture, random_mixture
from solvers.optimal_actor_critic_mixture import oppo_radius, oppo_rate, run_oppo
from solvers.planning import backward_induction, evaluate, policy_value


def test_settings():
    assert oppo_rate(3, 4, 100) == pytest.approx(np.sqrt(2.0 * np.log(3.0) / 1600.0))
    inside = 2.0 * np.log(1.0 + 900.0) + 2.0 * np.log(3.0 / 0.1)
    assert oppo_radius(2, 3, 100, 0.1) == pytest.approx(1.5 * np.sqrt(inside) + 1.0)


def test_first_policy_is_uniform_and_regret_adds_up():
    model = random_mixture(1)
    table = model.to_tabular()
    uniform = np.full((3, 5, 3), 1.0 / 3.0)
    gap = policy_value(table, backward_induction(table).values - evaluate(table, uniform))
    run = run_oppo(model, episodes=30, seed=0, record=30)
    assert run.regret[0] == pytest.approx(gap, abs=1e-12)
    assert (np.diff(run.regret) > 0.0).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_radius_covers_and_a_small_one_does_not(seed):
    model = random_mixture(seed)
    sound = run_oppo(model, episodes=300, seed=1, record=2)
    assert sound.low >= 0.0
    assert sound.errors < 1.0
    unsound = run_oppo(model, episodes=300, seed=1, record=2, scale=0.002)
    assert unsound.errors > 1.0
    assert unsound.low < 0.0


def test_a_larger_step_learns():
    model = random_mixture(0)
    run = run_oppo(model, episodes=300, seed=2, record=30, scale=0.05, rate=1.0)
    first, last = run.regret[0], (run.regret[-1] - run.regret[-2]) / (run.episodes[-1] - run.episodes[-2])
    assert last < 0.1 * first


def test_known_dynamics_leave_only_mirror_ascent():
    """With one kernel its weight is found in one step, and mirror ascent costs at most H^2 sqrt(K log A / 2)."""
    model, episodes = random_mixture(5, n_factors=1), 400
    rate = np.sqrt(8.0 * np.log(3.0) / (9.0 * episodes))
    run = run_oppo(model, episodes=episodes, seed=2, record=2, rate=rate, scale=0.0, ridge=1e-9)
    bound = 9.0 * np.sqrt(episodes * np.log(3.0) / 2.0)
    assert 0.3 * bound < run.regret[-1] <= bound + 3.0


def test_bad_input_is_named():
    model = random_mixture(0)
    with pytest.raises(ValueError, match="episodes is 0"):
        run_oppo(model, episodes=0, seed=0)
    with pytest.raises(ValueError, match="delta is 0"):
        run_oppo(model, episodes=3, seed=0, delta=0.0)
    with pytest.raises(ValueError, match="outside"):
        run_oppo(LinearMixture(model.kernels, model.weights, 2.0 * model.rewards), episodes=3, seed=0)
