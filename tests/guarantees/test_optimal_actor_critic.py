"""Guarantees of the optimistic actor-critics on drawn models: optimism, switches, tracking, what regret adds up to."""

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mdps import strategies
from mdps.actor_critic_instances import random_tabular
from mdps.critics import complete_class
from mdps.offline import offline_counts
from solvers import optimal_actor_critic as tabular
from solvers import optimal_actor_critic_finite as finite
from theory import optimal_actor_critic as theory
from theory import optimal_actor_critic_parameters as parameters

FEW = settings(max_examples=20)
BOUNDS = {claim.id.split(".")[1]: claim.bound for claim in theory.CLAIMS}
ETAS = st.sampled_from([0.1, 1.0, 10.0])


def sizes(mdp, episodes, eta):
    symbols = {"S": mdp.n_states, "A": mdp.n_actions, "H": mdp.horizon, "T": episodes, "eta": eta, "delta": 1e-6}
    return {**symbols, "W_A": parameters.lambert(mdp.n_actions)}


@FEW
@given(strategies.finite_horizon_mdps(), ETAS, st.integers(1, 200), st.integers(0, 2**32))
def test_nora_is_optimistic_switches_rarely_and_tracks(mdp, eta, episodes, seed):
    assume(mdp.unit_rewards)
    learner = tabular.TabularLearner(eta=eta, delta=1e-6)
    run = tabular.run(mdp, learner, episodes=episodes, seeds=np.random.SeedSequence(seed), record=1)
    values = sizes(mdp, episodes, eta)
    assert run.least_gap[0] >= -1e-9
    assert run.least_error[0] >= -1e-9
    assert run.largest_excess[0] <= 1e-9
    assert run.epochs[0, -1] <= BOUNDS["nora_tabular_switches"].evaluate(**values) + 1e-9
    tracked = run.tracking[0, -1].sum()
    assert tracked <= BOUNDS["nora_tabular_tracking"].evaluate(**values) + 1e-9
    assert run.realised[0, -1].sum() <= BOUNDS["nora_tabular_potential"].evaluate(**values) + 1e-9
    assert run.regret[0, -1] >= -1e-9
    assert run.regret[0, -1] <= tracked + run.bellman[0, -1].sum() + 1e-9 * episodes


@FEW
@given(st.integers(0, 2**16), st.lists(st.integers(0, 50), min_size=8, max_size=8), ETAS)
def test_offline_data_keep_the_critic_optimistic_and_add_up(model, counts, eta):
    mdp = random_tabular(2, 2, 2, model)
    data = offline_counts(mdp, np.array(counts).reshape(2, 2, 2), model)
    learner = tabular.TabularLearner(eta=eta, delta=1e-6)
    run = tabular.run(mdp, learner, episodes=100, seeds=np.random.SeedSequence(model), record=1, offline=data)
    assert run.least_gap[0] >= -1e-9
    assert (run.counts[0].sum(axis=(1, 2)) == data.counts.sum(axis=(1, 2)) + 100).all()
    assert run.epochs[0, -1] <= parameters.hybrid_epochs(data.counts[:1].reshape(1, -1).tolist(), 100)


@FEW
@given(st.integers(0, 2**16), st.integers(1, 6), ETAS)
def test_complete_classes_keep_the_optimum_and_small_errors(model, distractors, eta):
    mdp = random_tabular(2, 2, 2, model)
    critics = complete_class(mdp, distractors, model)
    learner = finite.FiniteLearner(eta=eta, delta=1e-6)
    run = finite.run(mdp, critics, learner, episodes=200, seeds=np.random.SeedSequence(model), record=1)
    assert run.initial_gap[0] >= -1e-9
    assert run.optimum_excess[0] <= 1.0
    assert run.at_refresh[0] <= 1.0
    assert run.at_all_times[0] <= 1.0
    assert run.trigger[0] >= 2.0
