"""Finite-class actor-critics against a twin that enumerates the confidence set, golden numbers, and failing input."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps.actor_critic_instances import incomplete, random_tabular
from mdps.critics import bellman_errors, complete_class
from mdps.errors import InvalidModelError
from mdps.kernels import seed_lanes, uniform
from mdps.offline import no_data, offline_trajectories
from solvers.optimal_actor_critic_finite import FiniteLearner, golf, noah, nora, pair_losses, run
from solvers.planning import backward_induction, evaluate, policy_value

SEEDS = np.random.SeedSequence(23)


def draw(law, u):
    """Return the least point whose cumulative mass exceeds u."""
    return min(int(np.searchsorted(np.cumsum(law), u, side="right")), int(np.flatnonzero(law)[-1]))


def softmax(logits, eta):
    """Return the laws of the actions, greedy for an infinite eta."""
    if eta == np.inf:
        return np.eye(logits.shape[-1])[logits.argmax(axis=-1)]
    masses = np.exp(eta * (logits - logits.max(axis=-1, keepdims=True)))
    return masses / masses.sum(axis=-1, keepdims=True)


def losses_twin(critics, history):
    """Return the losses of all pairs, from the transitions themselves."""
    H = critics.horizon
    tables = []
    for h in range(H):
        size, after = len(critics.functions[h]), 1 if h + 1 == H else len(critics.functions[h + 1])
        table = np.zeros((size, after))
        for s, a, r, t in history[h]:
            for f, g in product(range(size), range(after)):
                table[f, g] += (critics.functions[h][f, s, a] - r - critics.values(h + 1)[g, t]) ** 2
        tables.append(table)
    return tables


def choose_twin(mdp, critics, learner, losses, betas):
    """Return the indices of the critic, by enumeration of all members of the class."""
    H = critics.horizon
    if not learner.optimistic:
        g, chosen = 0, []
        for h in reversed(range(H)):
            g = int(losses[h][:, g].argmin())
            chosen.insert(0, g)
        return chosen
    best, winner = -np.inf, None
    for member in product(*(range(n) for n in critics.sizes)):
        ends = (*member, 0)
        excess = [losses[h][ends[h], ends[h + 1]] - losses[h][:, ends[h + 1]].min() for h in range(H)]
        value = mdp.initial @ critics.values(0)[member[0]]
        if (np.array(excess) <= betas).all() and value > best:
            best, winner = value, list(member)
    return winner


def twin(mdp, critics, learner, episodes, betas, data):
    """Play by the pseudo-code, in numpy; return regret, epochs and critics."""
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    state, j, q = seed_lanes(SEEDS, 1), 0, np.zeros((H, S, A))
    base, chosen, epochs, regret, kept = np.zeros((H, S, A)), [], 0, 0.0, []
    history = [[] for _ in range(H)]
    for h, s, a, t in np.argwhere(data.transitions):
        history[h] += [(s, a, mdp.rewards[h, s, a], t)] * data.transitions[h, s, a, t]
    optimum = policy_value(mdp, backward_induction(mdp).values)
    for episode in range(episodes):
        losses = losses_twin(critics, history)
        due = episode == 0 or learner.refresh == "episode"
        if not due and learner.refresh == "rarely":
            ends = (*chosen, 0)
            excess = [losses[h][ends[h], ends[h + 1]] - losses[h][:, ends[h + 1]].min() for h in range(H)]
            due = (np.array(excess) > learner.kappa * betas).any()
        if due:
            base = np.zeros_like(base) if learner.reset else base + j * q
            chosen, j, epochs = choose_twin(mdp, critics, learner, losses, betas), 0, epochs + 1
            q = np.stack([critics.functions[h][chosen[h]] for h in range(H)])
            kept.append(q)
        j += 1
        policy = softmax(base + (j - learner.late) * q, learner.eta)
        regret += optimum - policy_value(mdp, evaluate(mdp, policy))
        s = draw(mdp.initial, uniform(state, 0))
        for h in range(H):
            a = draw(policy[h, s], uniform(state, 0))
            t = draw(mdp.transitions[h, s, a], uniform(state, 0))
            history[h].append((s, a, mdp.rewards[h, s, a], t))
            s = t
    return regret, epochs, kept


LEARNERS = {
    "nora": replace(nora(2.0), beta_scale=0.02, kappa=3.0),
    "golf": replace(golf(), beta_scale=0.01),
    "no reset": replace(nora(0.5), beta_scale=0.01, kappa=2.0, reset=False),
    "late": replace(nora(2.0), beta_scale=0.02, kappa=2.0, late=True),
    "never": replace(nora(1.0), refresh="never"),
    "noah": replace(noah(1.0), beta_scale=0.01, kappa=1.0),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_a_run_agrees_with_its_twin(name):
    learner, mdp = LEARNERS[name], random_tabular(3, 2, 3, seed=3)
    critics = complete_class(mdp, 2, seed=3)
    data = offline_trajectories(mdp, None, 4, 1) if name == "noah" else no_data(mdp)
    result = run(mdp, critics, learner, episodes=40, seeds=SEEDS, record=None, offline=data, keep=40)
    regret, epochs, kept = twin(mdp, critics, learner, 40, result.betas, data)
    assert result.regret[0, -1] == pytest.approx(regret, abs=1e-9)
    assert result.epochs[0, -1] == epochs
    assert (result.critics[0, :epochs] == np.stack(kept)).all()


def test_the_twins_do_switch():
    mdp = random_tabular(3, 2, 3, seed=3)
    critics = complete_class(mdp, 2, seed=3)
    for name in ("nora", "golf", "no reset", "late"):
        assert run(mdp, critics, LEARNERS[name], episodes=40, seeds=SEEDS).epochs[0, -1] > 1


def test_losses_of_data_are_sums_over_their_transitions():
    mdp = random_tabular(3, 2, 2, seed=4)
    critics = complete_class(mdp, 3, seed=4)
    data = offline_trajectories(mdp, None, 6, 2)
    history = [[] for _ in range(2)]
    for h, s, a, t in np.argwhere(data.transitions):
        history[h] += [(s, a, mdp.rewards[h, s, a], t)] * data.transitions[h, s, a, t]
    for ours, expected in zip(pair_losses(mdp, critics, data), losses_twin(critics, history), strict=True):
        assert ours == pytest.approx(expected, abs=1e-12)


@settings(max_examples=30)
@given(st.integers(0, 300))
def test_identity_and_sandwich(seed):
    mdp = random_tabular(3, 2, 3, seed)
    critics = complete_class(mdp, 10, seed)
    result = run(mdp, critics, nora(1.0), episodes=400, seeds=np.random.SeedSequence(seed), record=None)
    left = result.regret + result.optimism
    assert left == pytest.approx((result.tracking + result.bellman).sum(axis=-1), abs=1e-8)
    assert result.initial_gap[0] >= -1e-9
    assert result.optimum_excess[0] <= 1.0
    assert result.at_refresh[0] <= 1.0
    assert result.at_all_times[0] <= 1.0
    assert result.trigger[0] >= 2.0


def test_sums_of_squared_errors_by_hand():
    mdp = random_tabular(2, 2, 2, seed=1)
    critics = complete_class(mdp, 4, seed=1)
    result = run(mdp, critics, replace(nora(1.0), refresh="never"), episodes=30, seeds=SEEDS, keep=1)
    errors = bellman_errors(mdp, critics)
    q = result.critics[0, 0]
    f, g = (int(np.flatnonzero((stage == q[h]).all(axis=(1, 2)))[0]) for h, stage in enumerate(critics.functions))
    # The last sum is that at the start of the last episode: one episode less than the final counts.
    sums = np.array(
        [(result.counts[0, 0] * errors[0][f, g] ** 2).sum(), (result.counts[0, 1] * errors[1][g, 0] ** 2).sum()]
    )
    most = np.array([np.max(errors[0][f, g] ** 2), np.max(errors[1][g, 0] ** 2)])
    assert result.at_all_times[0] <= (sums / (24 * result.betas)).max() + 1e-12
    assert result.at_all_times[0] >= ((sums - most) / (24 * result.betas)).max() - 1e-12


def test_incompleteness_costs_eight_tenths_an_episode_golden():
    for eta, golden in ((5.0, [399.6, 799.6, 1599.6]), (1.0, [397.4, 797.4, 1597.4])):
        result = run(*incomplete(), nora(eta), episodes=2000, seeds=SEEDS, record=None)
        assert result.regret[0, [499, 999, 1999]] == pytest.approx(golden, abs=0.05)
        assert result.optimum_excess[0] == 0.0
    for eta, golden in ((5.0, 301.2), (1.0, 299.5)):
        result = run(*incomplete(completed=True), nora(eta), episodes=2000, seeds=SEEDS, record=None)
        assert result.regret[0, [499, 999, 1999]] == pytest.approx([golden] * 3, abs=0.05)


def test_never_switching_can_be_linear():
    mdp = random_tabular(3, 2, 3, seed=6)
    critics = complete_class(mdp, 20, seed=6)
    rare, never = (
        run(mdp, critics, FiniteLearner(eta=1.0, refresh=refresh), episodes=6000, seeds=SEEDS, record=None).regret[0]
        for refresh in ("rarely", "never")
    )
    assert never[-1] - never[2999] > 0.9 * never[2999]
    assert rare[-1] - rare[2999] < 0.1 * rare[2999]


def test_the_smallest_set_holds_the_critic_of_least_loss():
    mdp = random_tabular(3, 2, 3, seed=3)
    critics = complete_class(mdp, 2, seed=3)
    tiny = run(mdp, critics, replace(golf(), beta_scale=1e-12), episodes=60, seeds=SEEDS, keep=60)
    fitted = run(mdp, critics, replace(golf(), optimistic=False), episodes=60, seeds=SEEDS, keep=60)
    assert (tiny.critics[0, 1:] == fitted.critics[0, 1:]).mean() > 0.5
    assert np.isfinite(tiny.critics).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eta": -1.0}, "eta is -1.0"),
        ({"kappa": -0.5}, "kappa is -0.5"),
        ({"beta_scale": 0.0}, "beta_scale is 0.0"),
        ({"refresh": "often"}, "refresh is 'often'"),
    ],
)
def test_bad_settings_are_named(change, message):
    mdp = random_tabular(2, 2, 2)
    with pytest.raises(ValueError, match=message):
        run(mdp, complete_class(mdp, 1), replace(nora(), **change), episodes=2, seeds=SEEDS)


def test_critics_that_do_not_fit_are_named():
    with pytest.raises(InvalidModelError, match="critics have 2 stages"):
        run(random_tabular(2, 2, 3), complete_class(random_tabular(2, 2, 2), 1), nora(), episodes=2, seeds=SEEDS)
