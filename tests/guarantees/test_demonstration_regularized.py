"""Guarantees of demonstration-regularised learning on drawn models: clones, plans, stopping, learned rewards."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps import strategies
from mdps.demonstrations import sample_demonstrations
from mdps.preferences import staged_rewards
from solvers.demonstration_regularized import identify
from solvers.demonstration_regularized_cloning import (
    high_probability_bound,
    laplace,
    policy_gap,
    regularised_gap,
    regularised_optimum,
    trajectory_divergence,
)
from solvers.demonstration_regularized_preferences import reward_error
from theory import demonstration_regularized as theory
from theory import demonstration_regularized_preferences as preferences

BOUNDS = {
    claim.id.split(".")[1]: claim.explicit_bound for claim in (*theory.CLAIMS, *preferences.CLAIMS) if claim.bound
}
MODELS = strategies.finite_horizon_mdps(max_states=3, max_actions=3, max_horizon=3)
FEW = settings(max_examples=12)
LEVELS = st.sampled_from([0.05, 0.3, 2.0])


def policies(mdp, full=True):
    laws = strategies.stochastic_policies(mdp)
    return laws.map(lambda law: 0.9 * law + 0.1 / mdp.n_actions) if full else laws


@FEW
@given(MODELS, st.data(), st.integers(1, 300), st.integers(0, 2**32))
def test_clones_are_within_their_bound(mdp, data, size, seed):
    expert = data.draw(policies(mdp, full=False))
    demonstrations = sample_demonstrations(mdp, expert, size, seed)
    found = trajectory_divergence(mdp, expert, laplace(demonstrations))
    assert 0.0 <= found <= high_probability_bound(demonstrations, 1e-9) + 1e-12


@FEW
@given(MODELS, st.data(), LEVELS)
def test_solutions_lose_at_most_the_price_of_the_demonstrations(mdp, data, lam):
    expert, reference = data.draw(policies(mdp, full=False)), data.draw(policies(mdp))
    solution = regularised_optimum(mdp, reference, lam).policy
    price = lam * float(trajectory_divergence(mdp, expert, reference))
    lost = float(policy_gap(mdp, expert))
    assert float(policy_gap(mdp, solution)) <= lost + price + 1e-9
    for other in (expert, reference):
        accuracy = max(price, float(regularised_gap(mdp, other, reference, lam)))
        bound = BOUNDS["demonstrations"].evaluate(expert_gap=lost, epsilon=accuracy)
        assert float(policy_gap(mdp, other)) <= bound + 1e-9


@FEW
@given(MODELS, st.data(), LEVELS, st.integers(0, 2**32))
def test_certificates_bound_the_gap_whenever_a_run_is_stopped(mdp, data, lam, seed):
    reference = data.draw(policies(mdp))
    found = identify(mdp, reference, lam, 0.3, seeds=seed, delta=1e-6, limit=2000, check=True)
    gap = float(regularised_gap(mdp, found.policy[0], reference, lam))
    assert -1e-9 <= gap <= found.certificate[0] + 1e-9
    assert found.excess[0] <= 1e-9
    assert found.largest_violation[0] <= 1e-9
    assert not found.stopped[0] or gap <= BOUNDS["pac"].evaluate(epsilon=0.3)


@FEW
@given(MODELS, st.data(), st.sampled_from([0.05, 0.5]))
def test_strong_regularisation_needs_no_episode(mdp, data, accuracy):
    reference = data.draw(policies(mdp))
    lam = max(BOUNDS["no_exploration"].evaluate(H=mdp.horizon, epsilon=accuracy), 1e-3)
    found = identify(mdp, reference, lam, accuracy * (1.0 + 1e-9), seeds=0)
    assert found.stopped[0]
    assert found.episodes[0] == 0


@FEW
@given(MODELS, st.data(), st.sampled_from([1.0, 3.0]), st.integers(0, 2**16))
def test_learned_rewards_need_no_pessimism(mdp, data, strength, seed):
    expert, reference = data.draw(policies(mdp, full=False)), data.draw(policies(mdp))
    truth = staged_rewards(mdp)
    learned = np.random.default_rng(seed).random(truth.shape)
    lam = strength * 4.0 * mdp.horizon / 3.0
    policy = regularised_optimum(mdp, reference, lam, learned).policy
    bound = BOUNDS["preferences"].evaluate(
        **{
            "H": mdp.horizon,
            "lambda": lam,
            "expert_gap": float(policy_gap(mdp, expert)),
            "epsilon": 0.0,
            "kbar": float(trajectory_divergence(mdp, expert, reference)),
            "reward_deviation": float(np.sqrt(max(reward_error(mdp, reference, truth - learned), 0.0))),
        }
    )
    assert float(policy_gap(mdp, policy)) <= bound + 1e-9
