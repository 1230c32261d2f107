"""UCBVI-Ent+ against plain-numpy twins of its kernels, golden numbers, and failing input."""

import dataclasses

import numpy as np
import pytest

from mdps.demonstration_instances import bandit, dirichlet_policy, random_model, reflecting_chain, tilted_reference
from mdps.demonstrations import noisy
from mdps.errors import InvalidModelError, InvalidPolicyError
from mdps.kernels import draw_cdf, seed_lanes, uniform
from mdps.tabular import FiniteHorizonMDP
from solvers import demonstration_regularized_kernels as kernels
from solvers.demonstration_regularized import (
    CERTIFIED,
    CONVENTIONAL,
    FAST,
    Memory,
    Settings,
    confidence_radii,
    demonstration_identify,
    divergence_bound,
    empirical_laws,
    exploring_policies,
    identify,
    plan,
)
from solvers.demonstration_regularized_cloning import (
    laplace,
    policy_gap,
    regularised_gap,
    regularised_optimum,
    regularised_values,
    start_values,
    trajectory_divergence,
)
from solvers.episodic import by_row, world
from solvers.planning import backward_induction
from theory import demonstration_regularized_parameters as parameters

SEED = np.random.SeedSequence(1)
CHAIN = reflecting_chain()
UNIFORM = tilted_reference(CHAIN, 0.5)
VARIANTS = (
    CERTIFIED,
    CONVENTIONAL,
    Settings(propagation="additive", stopping="values"),
    Settings(propagation="additive_fixed", scale=0.3),
)


def soft(values, reference, lam):
    """Return the soft maximum over the last axis."""
    top = values.max(axis=-1, keepdims=True)
    total = (reference * np.exp((values - top) / lam)).sum(axis=-1)
    return top[..., 0] + lam * np.log(total)


def twin_plan(rewards, empirical, radii, reference, lam, settings):
    """Return upper and lower values, W, w and the policy, as the pseudo-code has them."""
    H, S, A = rewards.shape
    upper, lower, gap = (np.zeros((H + 1, S)) for _ in range(3))
    local, policy = np.zeros((H, S)), np.zeros((H, S, A))
    top, bottom = rewards.copy(), rewards.copy()
    for h in reversed(range(H)):
        later = np.zeros((S, A))
        if h < H - 1:
            x = radii[h]
            s, scaled = np.minimum(1.0, np.sqrt(x / 2)), np.minimum(1.0, settings.scale * np.sqrt(x / 2))
            spread = [np.ptp(v[h + 1]) if settings.mode == "span" else H - h - 1 for v in (upper, lower)]
            ahead = rewards[h] + empirical[h] @ upper[h + 1] + spread[0] * scaled
            top[h] = np.minimum(np.minimum(ahead, rewards[h] + upper[h + 1].max()), H - h)
            behind = rewards[h] + empirical[h] @ lower[h + 1] - spread[1] * scaled
            bottom[h] = np.maximum(np.maximum(behind, rewards[h] + lower[h + 1].min()), 0.0)
            largest, mean = gap[h + 1].max(), empirical[h] @ gap[h + 1]
            if settings.propagation == "inverse":
                seen = np.where(np.isfinite(x), x, 0.0) * largest / 2
                later = np.minimum(largest, (np.sqrt(seen) + np.sqrt(seen + mean)) ** 2)
                later = np.where(np.isfinite(x), later, largest)
            elif settings.propagation == "additive":
                later = np.minimum(largest, mean + largest * s)
            else:
                later = mean + H * s
        upper[h], lower[h] = soft(top[h], reference[h], lam), soft(bottom[h], reference[h], lam)
        policy[h] = reference[h] * np.exp((top[h] - upper[h][:, None]) / lam)
        width = (top[h] - bottom[h]).max(axis=-1)
        local[h] = np.minimum(width**2 / (settings.constant * lam), width)
        gap[h] = local[h] + (policy[h] * later).sum(axis=-1)
    return top, bottom, upper, lower, gap, local, policy


def estimates(model, seed, visits=20):
    """Return counts, empirical laws and radii of a few random visits, none for some pairs."""
    random = np.random.default_rng(seed)
    H, S, A = model.horizon, model.n_states, model.n_actions
    n = random.integers(0, visits, (H, S, A))
    kernel = np.broadcast_to(model.transitions, (H, S, A, S))
    moves = random.multinomial(n, kernel / kernel.sum(axis=-1, keepdims=True)).astype(float)
    return moves, empirical_laws(moves), confidence_radii(n.astype(float), 0.1)


@pytest.mark.parametrize("settings", VARIANTS)
@pytest.mark.parametrize("seed", range(4))
def test_plan_is_that_of_the_pseudo_code(seed, settings):
    model = random_model(seed, 3, 3, 4)
    _, laws, radii = estimates(model, seed)
    reference, lam = dirichlet_policy(model, seed), (0.01, 0.3, 1.0, 50.0)[seed]
    found = plan(model, laws, radii, reference, lam, settings)
    expected = twin_plan(model.rewards, laws, radii, reference, lam, settings)
    for name, value in zip(("upper_q", "lower_q", "upper", "lower", "gap", "local", "policy"), expected, strict=True):
        np.testing.assert_allclose(getattr(found, name), value, atol=1e-11, err_msg=name)
    widths = expected[0] - expected[1]  # ties are broken by rounding
    chosen = np.take_along_axis(widths, found.widest[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(chosen, widths.max(axis=-1), atol=1e-11)


def test_estimates_are_the_radii_of_the_theory():
    moves, laws, radii = estimates(CHAIN, 0, visits=3000)
    memory = Memory.empty(CHAIN)
    memory.laws[kernels.MOVES] = moves.swapaxes(1, 2).reshape(5, 8, 4)
    memory.pairs[kernels.VISITS] = memory.laws[kernels.MOVES].sum(axis=-1)
    kernels.estimate(memory.pairs, memory.laws, np.log(2 * 4 * 2 * 5 / 0.1))
    np.testing.assert_allclose(memory.pairs[kernels.RADIUS, :4], by_row(radii)[:4], rtol=1e-12)
    np.testing.assert_allclose(memory.laws[kernels.EMPIRICAL, :4], laws.swapaxes(1, 2).reshape(5, 8, 4)[:4])
    assert np.isinf(memory.pairs[kernels.RADIUS, 4]).all()
    np.testing.assert_array_equal(memory.visits, moves.sum(axis=-1))
    np.testing.assert_array_equal(memory.moves, moves)


@pytest.mark.parametrize(("count", "points"), [(0.0, 4), (7.0, 1), (5.0, 3), (1e6, 60)])
def test_log_types(count, points):
    from math import lgamma

    expected = lgamma(count + points) - lgamma(count + 1) - lgamma(points)
    assert kernels.log_types(count, points) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("stationary", [True, False])
def test_episodes_are_those_of_a_plain_loop(stationary):
    model = CHAIN if stationary else random_model(3, 4, 2, 5)
    memory = Memory.empty(model)
    random = np.random.default_rng(0)
    policy = random.dirichlet([1.0, 1.0], (5, 4))
    memory.policy[kernels.CDF] = np.where(np.arange(2) == 1, np.inf, policy[..., :1])
    memory.widest[...] = random.integers(0, 2, (5, 4))
    laid = world(model)
    kernels.play(
        laid.initial_cdf, laid.next_cdf, memory.policy, memory.widest, True, 50, seed_lanes(SEED, 1), 0,
        memory.pairs, memory.laws,
    )  # fmt: skip
    state, expected = seed_lanes(SEED, 1), np.zeros((5, 4, 2, 4))
    for _ in range(50):
        explored = int(uniform(state, 0) * 5)
        s = draw_cdf(laid.initial_cdf[0, 0], uniform(state, 0))
        for h in range(4):
            a = memory.widest[h, s] if explored == h + 1 else int(uniform(state, 0) >= policy[h, s, 0])
            t = draw_cdf(laid.next_cdf[0 if stationary else h, a * 4 + s], uniform(state, 0))
            expected[h, s, a, t] += 1
            s = t
    np.testing.assert_array_equal(memory.moves, expected)


def test_comparison_with_the_truth():
    model = random_model(5, 3, 2, 4)
    _, laws, radii = estimates(model, 1)
    reference, lam = dirichlet_policy(model, 1), 0.4
    memory, optimum = Memory.empty(model), regularised_optimum(model, reference, lam)
    found = plan(model, laws, radii / 50, reference, lam)
    memory.pairs[kernels.TOP], memory.pairs[kernels.BOTTOM] = by_row(found.upper_q), by_row(found.lower_q)
    memory.states[kernels.UPPER] = found.upper
    memory.policy[kernels.LAW] = found.policy
    laid = world(model)
    worst, start = kernels.compare(
        laid.transitions, laid.rewards, laid.initial, by_row(optimum.q), memory.pairs, memory.states, memory.policy,
        np.zeros((5, 3)),
    )  # fmt: skip
    assert worst == pytest.approx(np.maximum(optimum.q - found.upper_q, found.lower_q - optimum.q).max())
    assert start == pytest.approx(start_values(model, regularised_values(model, found.policy, reference, lam)))


def test_exploring_policies():
    found = plan(CHAIN, *estimates(CHAIN, 2)[1:], UNIFORM, 0.5)
    policies = exploring_policies(found.policy, found.widest)
    assert policies.shape == (5, 5, 4, 2)
    np.testing.assert_array_equal(policies[0], found.policy)
    np.testing.assert_array_equal(policies[2, 1], np.eye(2)[found.widest[1]])
    np.testing.assert_array_equal(np.delete(policies[2], 1, axis=0), np.delete(found.policy, 1, axis=0))


# Runs


@pytest.mark.parametrize(
    ("lam", "epsilon", "settings", "golden"),
    [
        (0.3, 0.2, FAST, 37_931),
        (0.3, 0.05, FAST, 199_547),
        (1.0, 0.2, FAST, 3_489),
        (1.0, 0.1, FAST, 9_123),
        (1.0, 0.025, FAST, 49_371),
        (1.0, 0.2, dataclasses.replace(CONVENTIONAL, growth=1.005), 91_702),
        (1.0, 0.2, dataclasses.replace(FAST, stopping="values"), 107_020),
    ],
)
def test_golden_numbers_of_episodes(lam, epsilon, settings, golden):
    found = identify(CHAIN, UNIFORM, lam, epsilon, seeds=SEED, runs=3, settings=settings)
    assert found.stopped.all()
    assert found.episodes.mean() == pytest.approx(golden, rel=0.04)


def test_without_exploration_the_certificate_waits():
    reference = tilted_reference(CHAIN, 0.1)
    slow = dataclasses.replace(FAST, exploration=False)
    with_it = identify(CHAIN, reference, 0.3, 0.05, seeds=SEED, settings=FAST)
    without = identify(CHAIN, reference, 0.3, 0.05, seeds=SEED, settings=slow)
    assert with_it.episodes[0] == pytest.approx(297_338, rel=0.02)
    assert without.episodes[0] == pytest.approx(4_902_808, rel=0.03)


def test_outcome_agrees_with_dynamic_programming():
    found = identify(CHAIN, UNIFORM, 1.0, 0.2, seeds=SEED, runs=5, settings=FAST, check=True, keep_moves=True)
    assert (found.certificate <= 0.2).all()
    gaps = regularised_gap(CHAIN, found.policy, UNIFORM, 1.0)
    assert (gaps >= 0.0).all()
    assert (gaps <= found.certificate).all()
    assert (found.excess >= gaps - found.certificate - 1e-12).all()
    assert (found.excess <= 0.0).all()
    assert (found.largest_violation == 0.0).all()
    assert (found.first_violation == -1).all()
    np.testing.assert_array_equal(found.moves.sum(axis=-1), found.visits)
    np.testing.assert_array_equal(found.visits.sum(axis=(2, 3))[:, :4], np.repeat(found.episodes[:, None], 4, axis=1))
    again = plan(CHAIN, empirical_laws(found.moves[2]), confidence_radii(found.visits[2], 0.1), UNIFORM, 1.0)
    np.testing.assert_allclose(again.policy, found.policy[2], rtol=1e-9)
    assert again.gap[0, 0] == pytest.approx(found.certificate[2], rel=1e-9)


def test_small_bonuses_are_not_optimistic():
    found = identify(
        CHAIN, UNIFORM, 1.0, 1e-9, seeds=SEED, runs=3, settings=Settings(scale=0.02), limit=300, check=True
    )
    assert (found.first_violation > 0).any()
    assert (found.first_violation >= 0).all()
    assert (found.largest_violation > 1e-3).all()
    assert not found.stopped.any()
    assert (found.episodes == 300).all()


def test_replanning_every_episode():
    found = identify(CHAIN, UNIFORM, 1.0, 0.5, seeds=SEED, settings=CERTIFIED)
    assert found.plans[0] == found.episodes[0] + 1
    values = {"S": 4, "A": 2, "H": 5, "lambda": 1.0, "epsilon": 0.5, "delta": 0.1}
    assert found.episodes[0] <= parameters.largest_fixed_point(parameters.SAMPLE_COMPLEXITY, values)


def test_no_exploration_past_the_threshold():
    values = {"H": 5, "epsilon": 0.1}
    lam = parameters.evaluate(parameters.NO_EXPLORATION, values)
    found = identify(CHAIN, UNIFORM, [0.2 * lam, lam], 0.1, seeds=SEED, runs=2, settings=FAST)
    assert found.episodes[0] > 0
    assert found.episodes[1] == 0


def test_runs_do_not_depend_on_their_number():
    one = identify(CHAIN, UNIFORM, 1.0, 0.5, seeds=SEED, runs=1, settings=FAST)
    three = identify(CHAIN, np.stack([UNIFORM] * 3), 1.0, 0.5, seeds=SEED, runs=3, settings=FAST)
    assert one.episodes[0] == three.episodes[0]
    np.testing.assert_array_equal(one.policy[0], three.policy[0])


def test_other_rewards():
    rewards = np.zeros((5, 4, 2))
    rewards[4, 0, 0] = 1.0
    found = identify(CHAIN, UNIFORM, 0.5, 0.3, seeds=SEED, settings=FAST, rewards=rewards)
    changed = FiniteHorizonMDP(CHAIN.transitions, rewards, 5)
    assert regularised_gap(changed, found.policy[0], UNIFORM, 0.5) <= 0.3
    assert found.policy[0, 3, 0, 0] > found.policy[0, 3, 0, 1]


def test_bandit_needs_no_episode():
    found = identify(bandit([0.2, 0.9]), np.array([[[0.5, 0.5]]]), 0.1, 0.0, seeds=SEED, check=True)
    assert found.episodes.tolist() == [0]
    weights = np.exp(np.array([2.0, 9.0]))
    np.testing.assert_allclose(found.policy[0, 0, 0], weights / weights.sum())


def test_large_and_small_regularisation():
    for lam in (1e-4, 1e6):
        found = identify(CHAIN, UNIFORM, lam, 1e-9, seeds=SEED, limit=50, check=True)
        assert np.isfinite(found.certificate).all()
        np.testing.assert_allclose(found.policy.sum(axis=-1), 1.0)
        assert found.largest_violation[0] == 0.0


def test_initial_law_and_changing_kernels():
    model = random_model(4, 3, 2, 3)
    model = FiniteHorizonMDP(model.transitions, model.rewards, 3, [0.2, 0.5, 0.3])
    reference = dirichlet_policy(model, 0)
    found = identify(model, reference, 0.3, 0.1, seeds=SEED, runs=4, settings=FAST, check=True)
    assert (regularised_gap(model, found.policy, reference, 0.3) <= found.certificate).all()
    assert (found.excess <= 0.0).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"lam": 0.0}, ValueError, "lam is 0.0"),
        ({"epsilon": -1.0}, ValueError, "epsilon is -1.0"),
        ({"delta": 1.0}, ValueError, "delta is 1.0"),
        ({"epsilon": np.nan}, ValueError, "epsilon is nan"),
        ({"epsilon": [0.1, 0.2]}, ValueError, r"epsilon has leading axes \(2,\), neither none nor 1 runs"),
        ({"reference": np.full((2, 5, 4, 2), 0.5)}, ValueError, "reference has leading axes"),
        ({"runs": 0}, ValueError, "runs is 0"),
        ({"limit": 0}, ValueError, "limit is 0"),
        ({"reference": np.full((5, 4, 3), 1 / 3)}, InvalidPolicyError, "reference has shape"),
        ({"reference": noisy(np.zeros((5, 4), int), 2, 0.0)}, InvalidPolicyError, r"h=0, s=0, a=1\] is 0.0"),
        ({"reference": np.full((5, 4, 2), 0.4)}, InvalidPolicyError, r"h=0, s=0\] sums to 0.8"),
        ({"rewards": np.full((5, 4, 2), 2.0)}, InvalidModelError, r"rewards\[h=0, s=0, a=0\] is 2.0"),
        ({"mdp": FiniteHorizonMDP(CHAIN.transitions, 2 * CHAIN.rewards, 5)}, ValueError, "outside"),
    ],
)
def test_bad_arguments(change, error, message):
    arguments = {"mdp": CHAIN, "reference": UNIFORM, "lam": 1.0, "epsilon": 0.5, "seeds": SEED, **change}
    with pytest.raises(error, match=message):
        identify(**arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "width"}, "mode 'width'"),
        ({"propagation": "none"}, "propagation is 'none'"),
        ({"growth": 0.9}, "growth is 0.9"),
        ({"constant": 0.0}, "constant 0.0"),
        ({"scale": -1.0}, "scale is -1.0"),
    ],
)
def test_bad_settings(change, message):
    with pytest.raises(ValueError, match=message):
        Settings(**change)


# Demonstrations

EXPERT = noisy(backward_induction(CHAIN).policy, 2, 0.02)


@pytest.mark.parametrize(
    ("bound", "size", "golden"),
    [("expectation", 100, 50_749), ("expectation", 300, 12_643), ("high_probability", 3000, 200_192)],
)
def test_golden_runs_with_demonstrations(bound, size, golden):
    found = demonstration_identify(CHAIN, EXPERT, size, 0.5, seeds=SEED, runs=5, bound=bound)
    assert found.identification.episodes.mean() == pytest.approx(golden, rel=0.12)  # the clones vary


def test_run_with_demonstrations():
    found = demonstration_identify(CHAIN, EXPERT, 10_000, 0.5, seeds=SEED, runs=3, check=True)
    np.testing.assert_array_equal(found.reference, laplace(found.demonstrations))
    np.testing.assert_allclose(found.divergence, trajectory_divergence(CHAIN, EXPERT, found.reference))
    assert (found.divergence <= found.kbar).all()
    np.testing.assert_allclose(found.lam, 0.5 / (4 * found.kbar))
    np.testing.assert_allclose(found.gap, policy_gap(CHAIN, found.identification.policy))
    assert (found.gap <= 0.5).all()
    bound = 0.0510241737 + found.lam * found.divergence
    own = regularised_gap(CHAIN, found.identification.policy, found.reference, found.lam)
    assert (found.gap <= bound + own + 1e-9).all()


def test_divergence_bounds():
    found = demonstration_identify(CHAIN, EXPERT, 400, 0.5, seeds=SEED, runs=2, bound="oracle")
    np.testing.assert_array_equal(found.kbar, found.divergence)
    np.testing.assert_allclose(divergence_bound(found.demonstrations, 0.1, "expectation"), 20 / 401)
    np.testing.assert_allclose(divergence_bound(found.demonstrations, 0.1, "markov"), 200 / 401)
    with pytest.raises(ValueError, match="bound is 'guess'"):
        demonstration_identify(CHAIN, EXPERT, 400, 0.5, seeds=SEED, bound="guess")
