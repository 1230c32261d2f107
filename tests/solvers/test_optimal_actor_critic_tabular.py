"""Tabular actor-critics against a twin in plain numpy, golden numbers, identities, and failing input."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps.actor_critic_instances import flat, random_tabular, two_state_lock
from mdps.errors import InvalidModelError
from mdps.kernels import seed_lanes, uniform
from mdps.offline import mixture, no_data, offline_counts, offline_trajectories
from mdps.tabular import FiniteHorizonMDP
from solvers import optimal_actor_critic_kernels as kernels
from solvers.optimal_actor_critic import TabularLearner, coverage_term, douhua, noah, nora, run, tabular_iota
from solvers.planning import backward_induction, evaluate, occupancy, policy_value
from theory import optimal_actor_critic_parameters as parameters

SEEDS = np.random.SeedSequence(11)


def draw(law, u):
    """Return the least point whose cumulative mass exceeds u."""
    return min(int(np.searchsorted(np.cumsum(law), u, side="right")), int(np.flatnonzero(law)[-1]))


def softmax(logits, eta):
    """Return the laws of the actions, greedy for an infinite eta."""
    if eta == np.inf:
        return np.eye(logits.shape[-1])[logits.argmax(axis=-1)]
    masses = np.exp(eta * (logits - logits.max(axis=-1, keepdims=True)))
    return masses / masses.sum(axis=-1, keepdims=True)


def critic_twin(mdp, learner, counts, moves, policy, iota):
    """Return the tabular critic of the definition."""
    H, S, A = counts.shape
    q, following = np.empty((H, S, A)), np.zeros(S)
    for h in reversed(range(H)):
        left = H - 1 - h
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = (moves[h] / counts[h][..., None]) @ following
            bonus = learner.bonus_scale * left * np.sqrt(learner.iota_scale * iota / (2 * counts[h]))
        later = np.minimum(left, mean + bonus) if learner.optimistic else mean
        later[counts[h] == 0] = left if learner.optimistic else 0.0
        q[h] = mdp.rewards[h] + later
        following = (policy[h] * q[h]).sum(axis=1) if learner.target == "actor" else q[h].max(axis=1)
    return q


def twin(mdp, learner, episodes, lane, data):
    """Play by the pseudo-code, in numpy; return totals of regret, tracking, Bellman errors, and the epochs."""
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    state = seed_lanes(SEEDS, lane + 1)
    counts, moves = data.counts.astype(float), data.transitions.astype(float)
    frozen, base, j, epochs = counts.copy(), np.zeros((H, S, A)), 0, 0
    q, iota = np.zeros((H, S, A)), tabular_iota(mdp, episodes, learner.delta, data.size)
    optimum = policy_value(mdp, backward_induction(mdp).values)
    regret, tracking, bellman, realised = 0.0, np.zeros(H), np.zeros(H), np.zeros(H)
    for episode in range(episodes):
        full = (counts[:-1] >= np.maximum(1, 2 * frozen[:-1])).any() and learner.refresh == "rarely"
        if episode == 0 or full or learner.refresh == "episode":
            base = np.zeros_like(base) if learner.reset else base + j * q
            frozen, j, epochs = counts.copy(), 0, epochs + 1
            q = critic_twin(mdp, learner, counts, moves, softmax(base, learner.eta), iota)
            values = np.vstack([q.max(axis=2), np.zeros(S)])
            errors = np.stack([q[h] - mdp.rewards[h] - mdp.transitions[h] @ values[h + 1] for h in range(H)])
        j += 1
        policy = softmax(base + (j - learner.late) * q, learner.eta)
        law = occupancy(mdp, policy)
        regret += optimum - policy_value(mdp, evaluate(mdp, policy))
        tracking += (law * (values[:-1, :, None] - q)).sum(axis=(1, 2))
        bellman += (law * errors).sum(axis=(1, 2))
        s = draw(mdp.initial, uniform(state, lane))
        for h in range(H):
            a = draw(policy[h, s], uniform(state, lane))
            t = draw(mdp.transitions[h, s, a], uniform(state, lane))
            realised[h] += errors[h, s, a]
            counts[h, s, a] += 1
            moves[h, s, a, t] += 1
            s = t
    return regret, tracking, bellman, realised, epochs, counts


LEARNERS = {
    "nora": nora(2.0),
    "greedy": nora(np.inf),
    "late": replace(nora(2.0), late=True),
    "no reset": replace(nora(0.3), reset=False),
    "each episode": replace(nora(1.0), refresh="episode"),
    "never": replace(nora(1.0), refresh="never"),
    "small radius": replace(nora(1.0), iota_scale=0.01, bonus_scale=0.5),
    "douhua": TabularLearner(eta=0.2, target="actor", refresh="episode", reset=False, late=True),
    "noah": noah(1.0),
}


@pytest.mark.parametrize("name", LEARNERS)
def test_a_run_agrees_with_its_twin(name):
    learner, mdp = LEARNERS[name], random_tabular(3, 2, 3, seed=2)
    data = no_data(mdp) if name != "noah" else offline_trajectories(mdp, None, 5, 3)
    result = run(mdp, learner, episodes=60, seeds=SEEDS, runs=2, record=1, offline=data)
    for lane in range(2):
        regret, tracking, bellman, realised, epochs, counts = twin(mdp, learner, 60, lane, data)
        assert result.regret[lane, -1] == pytest.approx(regret, abs=1e-9)
        assert result.tracking[lane, -1] == pytest.approx(tracking, abs=1e-9)
        assert result.bellman[lane, -1] == pytest.approx(bellman, abs=1e-9)
        assert result.realised[lane, -1] == pytest.approx(realised, abs=1e-9)
        assert result.epochs[lane, -1] == epochs
        assert (result.counts[lane] == counts).all()


@settings(max_examples=30)
@given(st.integers(0, 1000), st.sampled_from(sorted(LEARNERS)))
def test_the_value_difference_identity_holds_for_all_settings(seed, name):
    mdp = random_tabular(3, 3, 3, seed)
    result = run(mdp, LEARNERS[name], episodes=40, seeds=np.random.SeedSequence(seed), record=None)
    left = result.regret + result.optimism
    assert left == pytest.approx((result.tracking + result.bellman).sum(axis=-1), abs=1e-9)
    assert np.diff(result.regret).min() >= -1e-12
    assert np.diff(result.tracking, axis=1).min() >= -1e-12


def test_kept_critics_are_those_of_the_counts_they_rest_on():
    mdp, learner = random_tabular(3, 2, 3, seed=5), nora(1.0)
    result = run(mdp, learner, episodes=300, seeds=SEEDS, runs=2, record=None, keep=50)
    for i in (1, 0):
        epochs = result.epochs[i, -1]
        assert (result.starts[i, :epochs] > 0).all()
        assert not result.starts[i, epochs:].any()
        changes = np.flatnonzero(np.diff(result.epochs[i], prepend=0)) + 1
        assert (result.starts[i, :epochs] == changes).all()
    for counts, q in zip(result.frozen[0, :epochs], result.critics[0, :epochs], strict=True):
        unseen = counts[1] == 0
        assert (q[1][unseen] == mdp.rewards[1][unseen] + 1.0).all()
        assert (q[2] == mdp.rewards[2]).all()
    assert result.iota == parameters.evaluate(parameters.IOTA_TABULAR, S=3, A=2, H=3, T=300, delta=0.05)


def test_reported_extremes_are_those_of_the_kept_critics():
    mdp = random_tabular(3, 2, 3, seed=6)
    result = run(mdp, replace(nora(1.0), iota_scale=1e-3), episodes=200, seeds=SEEDS, keep=60)
    n = result.epochs[0, -1]
    q_star = backward_induction(mdp, keep_q_values=True).q_values
    critics = result.critics[0, :n]
    values = np.concatenate([critics.max(axis=3), np.zeros((n, 1, 3))], axis=1)
    errors = critics - mdp.rewards - np.einsum("hsat,kht->khsa", mdp.transitions, values[:, 1:])
    assert result.least_gap[0] == pytest.approx((critics - q_star).min(), abs=1e-12)
    assert result.least_error[0] == pytest.approx(errors.min(), abs=1e-12)
    assert result.least_error[0] < -0.01
    left = np.arange(2, -1, -1)[None, :, None, None]
    n_frozen = result.frozen[0, :n]
    width = 2 * left * np.sqrt(1e-3 * result.iota / (2 * np.maximum(n_frozen, 1)))
    bound = np.where(n_frozen == 0, left, np.minimum(left, width))
    assert result.largest_excess[0] == pytest.approx((errors - bound).max(), abs=1e-12)


def test_theory_bonuses_are_optimistic_and_small_ones_are_not():
    optimistic, broken = 0, 0
    for seed in range(30):
        mdp = random_tabular(3, 2, 3, seed)
        results = [run(mdp, TabularLearner(1.0, iota_scale=c), episodes=300, seeds=SEEDS) for c in (1.0, 0.003)]
        optimistic += results[0].least_error[0] >= -1e-12 and results[0].largest_excess[0] <= 1e-12
        broken += results[1].least_error[0] < -1e-12
    assert optimistic == 30
    assert broken >= 15


def test_without_optimism_a_lock_is_hardly_ever_opened():
    lock = two_state_lock(6, 4)
    result = run(lock, noah(10.0), episodes=20_000, seeds=SEEDS, runs=5, record=None)
    median = np.median(result.regret[:, [4999, 9999, 19_999]], axis=0)
    assert median == pytest.approx([4500, 9000, 18_000], rel=1e-3)
    assert coverage_term(result) == 15.0
    half = mixture(lock, [backward_induction(lock).policy, None])
    data = offline_trajectories(lock, half, 50, 1)
    assert run(lock, noah(1.0), episodes=20_000, seeds=SEEDS, offline=data).regret[0, -1] < 100.0


def test_the_remaining_bound_of_noah_golden():
    lock = two_state_lock(6, 4)
    visits = no_data(lock).counts.reshape(6, -1).tolist()
    for episodes, golden in ((20_000, 56_722), (200_000, 189_197), (400_000, 271_437)):
        bound = parameters.evaluate(
            parameters.NOAH_T,
            S=2,
            A=4,
            H=6,
            T=episodes,
            eta=10.0,
            delta=0.05,
            delta_prime=0.05,
            N_off=0,
            C_off=0.0,
            G=parameters.hybrid_water(visits, episodes),
            Z=parameters.hybrid_unseen(visits),
            N_T=parameters.hybrid_epochs(visits[:-1], episodes),
        )
        assert round(bound) == golden


def test_bellman_errors_are_large_where_there_is_nothing_to_gain():
    result = run(flat(), nora(1.0), episodes=2000, seeds=SEEDS, runs=3)
    iota = tabular_iota(flat(), 2000, 0.05)
    bound = parameters.evaluate(parameters.NORA_T_POTENTIAL, S=2, A=2, H=2, T=2000, iota=iota)
    ratio = result.realised[:, -1].sum(axis=1) / bound
    assert ((ratio > 0.3) & (ratio < 1.0)).all()
    assert np.abs(result.regret).max() == 0.0


def test_rare_refreshes_are_few_and_needed():
    mdp = random_tabular(4, 2, 3, seed=0)
    rare, each = (
        run(mdp, TabularLearner(0.1, refresh=refresh, iota_scale=0.05), episodes=20_000, seeds=SEEDS)
        for refresh in ("rarely", "episode")
    )
    assert rare.regret[0, -1] < 0.05 * each.regret[0, -1]
    assert rare.epochs[0, -1] <= parameters.evaluate(parameters.EPOCHS_TABULAR, S=4, A=2, H=3, T=20_000)


def test_offline_data_count_as_visits():
    mdp = random_tabular(3, 2, 3, seed=8)
    data = offline_counts(mdp, np.full((3, 3, 2), 1000), 1)
    online, hybrid = (run(mdp, nora(), episodes=500, seeds=SEEDS, offline=d) for d in (None, data))
    assert hybrid.regret[0, -1] < online.regret[0, -1]
    assert hybrid.counts[0].sum() == online.counts[0].sum() + 18_000
    assert hybrid.iota > online.iota
    assert (hybrid.offline.counts == 1000).all()


def test_runs_do_not_depend_on_how_many_there_are():
    mdp = random_tabular(3, 2, 3, seed=9)
    one, three = (run(mdp, nora(), episodes=100, seeds=SEEDS, runs=n) for n in (1, 3))
    assert (one.regret[0] == three.regret[0]).all()
    assert (three.regret[0] != three.regret[1]).any()


def test_an_integer_step_size_compiles_nothing_new():
    mdp = random_tabular(2, 2, 2)
    exact = run(mdp, nora(1.0), episodes=20, seeds=SEEDS)
    known = len(kernels.learn_table.signatures)
    assert (run(mdp, nora(1), episodes=20, seeds=SEEDS).regret == exact.regret).all()
    assert len(kernels.learn_table.signatures) == known


def test_douhua_takes_the_step_size_of_its_theorem():
    lock = two_state_lock(4, 3)
    assert douhua(lock, 1000).eta == pytest.approx(np.sqrt(8 * np.log(3) / (16 * 1000)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eta": 0.0}, "eta is 0.0, not positive"),
        ({"eta": np.nan}, "eta is nan"),
        ({"delta": 1.0}, "delta is 1.0"),
        ({"refresh": "sometimes"}, "refresh is 'sometimes'"),
        ({"target": "nothing"}, "target is 'nothing'"),
        ({"bonus_scale": -1.0}, "bonus_scale is -1.0"),
        ({"iota_scale": np.inf}, "iota_scale is inf"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        run(random_tabular(2, 2, 2), replace(nora(), **change), episodes=2, seeds=SEEDS)


def test_bad_questions_are_named():
    mdp = random_tabular(2, 2, 2)
    with pytest.raises(ValueError, match="episodes is 0"):
        run(mdp, nora(), episodes=0, seeds=SEEDS, record=None)
    with pytest.raises(ValueError, match="runs is 0"):
        run(mdp, nora(), episodes=2, seeds=SEEDS, runs=0)
    with pytest.raises(InvalidModelError, match="offline transitions have shape"):
        run(mdp, nora(), episodes=2, seeds=SEEDS, offline=no_data(random_tabular(2, 2, 3)))
    with pytest.raises(ValueError, match="outside \\[0, 1\\]"):
        run(FiniteHorizonMDP(mdp.transitions, mdp.rewards + 1.0, 2), nora(), episodes=2, seeds=SEEDS)
