"""Rewards learned from preferences against enumeration and golden numbers."""

import itertools

import numpy as np
import pytest

from mdps.demonstration_instances import bandit, dirichlet_policy, random_model, rare_arm, reward_class
from mdps.demonstrations import noisy
from mdps.preferences import sample_comparisons, staged_rewards
from solvers.demonstration_regularized_cloning import policy_gap, regularised_optimum
from solvers.demonstration_regularized_preferences import (
    concentrability,
    finite_mle,
    log_likelihood,
    logistic_mle,
    mean_return,
    preference_identify,
    return_variance,
    reward_error,
    sample_finite_mle,
)
from solvers.planning import NotConvergedError, backward_induction, evaluate, policy_value
from theory import demonstration_regularized_parameters as parameters

SEED = np.random.SeedSequence(3)
MODEL = random_model(1, 3, 2, 3)
CLASS = reward_class(MODEL, 5)
SAMPLER = dirichlet_policy(MODEL, 0)


def returns_by_enumeration(model, policy, rewards):
    """Return the probabilities and the returns of all episodes."""
    chances, totals = [], []
    for states in itertools.product(range(3), repeat=3):
        for actions in itertools.product(range(2), repeat=3):
            chance, total = model.initial[states[0]], 0.0
            for h in range(3):
                chance *= policy[h, states[h], actions[h]]
                total += rewards[h, states[h], actions[h]]
                if h < 2:
                    chance *= model.transitions[h, states[h], actions[h], states[h + 1]]
            chances.append(chance)
            totals.append(total)
    return np.array(chances), np.array(totals)


def test_log_likelihood():
    x, labels = np.array([0.3, -2.0, 900.0]), np.array([1, 0, 0])
    found = log_likelihood(x, labels)
    assert found == pytest.approx(-np.log(1 + np.exp(-0.3)) - np.log(1 + np.exp(-2.0)) - 900.0)


def test_reward_error_by_enumeration():
    difference = CLASS[0] - CLASS[3]
    chances, totals = returns_by_enumeration(MODEL, SAMPLER, difference)
    pairs = chances[:, None] * chances * (totals[:, None] - totals) ** 2
    assert reward_error(MODEL, SAMPLER, difference) == pytest.approx(pairs.sum(), rel=1e-12)
    both = reward_error(MODEL, SAMPLER, np.stack([difference, 2.0 * difference]))
    np.testing.assert_allclose(both, pairs.sum() * np.array([1.0, 4.0]))


def test_variance_is_zero_where_nothing_is_random():
    assert return_variance(bandit([0.3, 0.9]), np.array([[[0.0, 1.0]]]), np.array([[[0.1, 0.7]]])) == 0.0
    assert reward_error(MODEL, SAMPLER, np.full((3, 3, 2), 0.25)) == pytest.approx(0.0, abs=1e-30)


def test_mean_return_is_the_value():
    assert mean_return(MODEL, SAMPLER, CLASS[0]) == pytest.approx(policy_value(MODEL, evaluate(MODEL, SAMPLER)))


def test_finite_mle():
    drawn = sample_comparisons(MODEL, SAMPLER, 20_000, 0)
    chosen = finite_mle(drawn, CLASS)
    assert chosen == 0
    likelihoods = [log_likelihood(drawn.differences(r), drawn.labels) for r in CLASS]
    assert chosen == int(np.argmax(likelihoods))
    assert finite_mle(drawn, np.stack([CLASS[0]] * 3)) == 0


def test_error_of_the_finite_mle_is_within_its_bound():
    chosen = sample_finite_mle(MODEL, SAMPLER, CLASS, 200, 1, runs=60)
    errors = reward_error(MODEL, SAMPLER, CLASS[0] - CLASS[chosen])
    values = {"H": 3, "N_RM": 200, "delta": 0.1, "log_class": np.log(30)}
    assert 0.0 < errors.max() <= parameters.evaluate(parameters.REWARD_ERROR, values)


def test_logistic_mle_beats_a_class_and_certifies_itself():
    drawn = sample_comparisons(MODEL, SAMPLER, 1000, 2)
    fit = logistic_mle(drawn, 3, 2)
    best = log_likelihood(drawn.differences(fit.rewards), drawn.labels)
    others = log_likelihood(drawn.differences(np.random.default_rng(0).random((200, 3, 3, 2))), drawn.labels)
    assert best + fit.lack >= max(others.max(), log_likelihood(drawn.differences(CLASS[0]), drawn.labels))
    assert 0.0 <= fit.lack <= 1e-4
    assert (fit.rewards >= 0.0).all()
    assert (fit.rewards <= 1.0).all()
    with pytest.raises(NotConvergedError, match="log-likelihood"):
        logistic_mle(drawn, 3, 2, iterations=1)


def test_logistic_mle_with_one_difference():
    drawn = sample_comparisons(bandit([0.2, 0.7]), None, 4000, 0)
    fit = logistic_mle(drawn, 1, 2)
    told = drawn.differences(staged_rewards(bandit([0.2, 0.7])))
    chance = drawn.labels[told > 0].sum() + (1 - drawn.labels[told < 0]).sum()
    chance = chance / (told != 0).sum()
    assert fit.rewards[0, 0, 1] - fit.rewards[0, 0, 0] == pytest.approx(np.log(chance / (1 - chance)), abs=1e-3)


def test_concentrability():
    expert = noisy(backward_induction(MODEL).policy, 2, 0.05)
    found = concentrability(MODEL, expert, SAMPLER, CLASS, CLASS[0])
    expected = 0.0
    for reward in CLASS[1:]:
        g = CLASS[0] - reward
        ahead = mean_return(MODEL, expert, g) - mean_return(MODEL, SAMPLER, g)
        expected = max(expected, ahead / np.sqrt(reward_error(MODEL, SAMPLER, g)))
    assert found == pytest.approx(expected)
    assert concentrability(MODEL, SAMPLER, SAMPLER, CLASS, CLASS[0]) == pytest.approx(0.0, abs=1e-12)
    unseen = np.array([[[1.0, 0.0]]])
    rewards = np.array([[[[0.5, 0.5]]], [[[0.0, 0.5]]]])
    assert concentrability(bandit([0.5, 0.5]), unseen, unseen[..., ::-1], rewards, rewards[0]) == np.inf


def test_rare_arm():
    arm = rare_arm()
    error = reward_error(arm.mdp, arm.reference, staged_rewards(arm.mdp) - arm.learned)
    assert error == pytest.approx(2e-6, rel=1e-5)
    gaps = [
        float(policy_gap(arm.mdp, regularised_optimum(arm.mdp, arm.reference, lam, arm.learned).policy))
        for lam in (0.005, 4 / 3)
    ]
    assert gaps == pytest.approx([0.898, 9.7e-7], rel=1e-3)
    known = {"H": 1, "expert_gap": 0.0, "epsilon": 0.0, "kbar": 1e-6, "reward_deviation": np.sqrt(error)}
    bounds = [parameters.evaluate(parameters.PREFERENCE_GAP_FREE, {**known, "lambda": lam}) for lam in (0.005, 4 / 3)]
    assert bounds[0] < gaps[0]
    assert bounds[1] == pytest.approx(4.2e-6, rel=0.02)
    assert parameters.evaluate(parameters.PREFERENCE_REGULARISATION, {"H": 1}) == pytest.approx(4 / 3)


def test_run_with_preferences():
    expert = noisy(backward_induction(MODEL).policy, 2, 0.05)
    found = preference_identify(MODEL, expert, 100, 150, CLASS, 4.0, 0.05, seeds=SEED, runs=6)
    expected = reward_error(MODEL, SAMPLER, CLASS[0] - CLASS[found.chosen])
    for run in range(6):
        own = reward_error(MODEL, found.reference[run], CLASS[0] - CLASS[found.chosen[run]])
        assert found.squared_error[run] == pytest.approx(float(own))
    assert expected.shape == (6,)
    values = {"H": 3, "epsilon": 0.05, "lambda": 4.0, "expert_gap": float(policy_gap(MODEL, expert))}
    for run in range(6):
        known = {"kbar": found.divergence[run], "reward_deviation": np.sqrt(found.squared_error[run])}
        assert found.gap[run] <= parameters.evaluate(parameters.PREFERENCE_GAP_FREE, {**values, **known})
    again = preference_identify(MODEL, expert, 100, 150, CLASS, 4.0, 0.05, seeds=SEED, runs=6)
    np.testing.assert_array_equal(again.gap, found.gap)
