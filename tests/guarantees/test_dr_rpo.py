"""Guarantees of DR-RPO on drawn models: optimism and losses on the event, values within their caps."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps import strategies
from solvers.dr_rpo import Learner, episode_bounds, good_event, run, suboptimality
from solvers.dr_rpo_exact import evaluate, optimal_plan

LEARNED = ("tv_constrained", "tv_regularised", "kl_regularised", "chi2_regularised")
MODELS = strategies.robust_mdps(LEARNED, max_states=2, max_actions=2, max_factors=2)
FEW = settings(max_examples=20)


@FEW
@given(MODELS, st.sampled_from([0.0, 0.1, 1.0]), st.sampled_from([0.03, 0.3, 1.0]), st.integers(0, 2**32))
def test_plans_are_optimistic_and_losses_bounded_on_the_event(robust, eta, scale, seed):
    learner = Learner(eta=eta, scale=scale, delta=1e-6)
    plans = run(robust, learner, episodes=60, seeds=np.random.SeedSequence(seed), record=5)
    good = good_event(plans)
    if scale == 1.0:
        assert good.all()
    assert (plans.optimistic().q_values[good] >= optimal_plan(robust, eta).q_values - 1e-9).all()
    loss = suboptimality(plans)
    assert (loss >= -1e-9).all()
    assert (loss[good] <= episode_bounds(plans)[good] + 1e-9).all()


@FEW
@given(MODELS, st.data())
def test_values_of_policies_are_below_the_optimum_and_the_caps(robust, data):
    log_policy = data.draw(strategies.log_policies(robust.nominal))
    values, best = evaluate(robust, log_policy).values, optimal_plan(robust).values
    assert (values <= best + 1e-12).all()
    assert (best <= robust.caps[:, None] + 1e-12).all()
    assert (values[:, -1] == 0.0).all()
