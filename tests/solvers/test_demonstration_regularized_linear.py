"""LSVI-UCB-Ent against a run in plain numpy, its statistics, and failing input."""

import numpy as np
import pytest

from mdps.demonstration_instances import dirichlet_policy, random_features
from mdps.errors import InvalidPolicyError
from mdps.kernels import draw_cdf, seed_lanes, uniform
from mdps.linear import LinearMDP
from solvers import demonstration_regularized_linear as linear
from solvers.demonstration_regularized_cloning import (
    regularised_gap,
    regularised_optimum,
    state_occupancy,
)
from solvers.demonstration_regularized_linear import run_lsvi_entropy
from solvers.episodic import world
from theory import demonstration_regularized_parameters as parameters

SEED = np.random.SeedSequence(2)
MODEL = random_features(1, 3, 4, 2, 3)
TABLE = MODEL.to_tabular()
REFERENCE = dirichlet_policy(TABLE, 0)


def soft(values, reference, lam):
    """Return the soft maximum over the last axis and the law that attains it."""
    weights = reference * np.exp((values - values.max(axis=-1, keepdims=True)) / lam)
    total = weights.sum(axis=-1, keepdims=True)
    return values.max(axis=-1) + lam * np.log(total[..., 0]), weights / total


def twin(model, reference, lam, episodes, scale):
    """Run the learner from its definition: all transitions are kept, and every regression is solved anew."""
    table = model.to_tabular()
    H, S, A, d = model.horizon, model.n_states, model.n_actions, model.n_factors
    phi, rewards = model.staged_features, table.rewards
    bonus = scale * parameters.linear_bonus(d, H, episodes, 0.1)
    laid, state, history = world(table), seed_lanes(SEED, 1), [[] for _ in range(H)]
    gaps, visited, violations = [], np.zeros((H, S, A)), 0
    q_star = regularised_optimum(table, reference, lam).q
    for _ in range(episodes):
        upper, lower = np.zeros((H + 1, S)), np.zeros((H + 1, S))
        top, bottom, policy = np.empty((H, S, A)), np.empty((H, S, A)), np.empty((H, S, A))
        for h in reversed(range(H)):
            matrix, targets = np.eye(d), np.zeros((2, d))
            for features, following in history[h]:
                matrix += np.outer(features, features)
                targets += np.outer([upper[h + 1, following], lower[h + 1, following]], features)
            inverse = np.linalg.inv(matrix)
            width = bonus * np.sqrt(np.einsum("sai,ij,saj->sa", phi[h], inverse, phi[h])) * (h < H - 1)
            top[h] = np.clip(rewards[h] + phi[h] @ inverse @ targets[0] + width, 0.0, H - h)
            bottom[h] = np.clip(rewards[h] + phi[h] @ inverse @ targets[1] - width, 0.0, H - h)
            upper[h], policy[h] = soft(top[h], reference[h], lam)
            lower[h] = soft(bottom[h], reference[h], lam)[0]
        gaps.append(regularised_gap(table, policy, reference, lam))
        visited += state_occupancy(table, policy)[..., None] * policy
        violations += (np.maximum(q_star - top, bottom - q_star) > 1e-9).any()
        explored = int(uniform(state, 0) * H)
        s = draw_cdf(laid.initial_cdf[0, 0], uniform(state, 0))
        for h in range(H - 1):
            a = int(np.argmax(top[h, s] - bottom[h, s]))
            if explored != h + 1:
                a = int(uniform(state, 0) >= policy[h, s, 0])
            t = draw_cdf(laid.next_cdf[h, a * S + s], uniform(state, 0))
            history[h].append((phi[h, s, a], t))
            s = t
    return np.mean(gaps), visited, violations, top, bottom


@pytest.mark.parametrize("scale", [1.0, 0.02])
def test_run_is_that_of_the_definition(scale):
    found = run_lsvi_entropy(MODEL, REFERENCE, 0.7, 40, seeds=SEED, scale=scale)
    gap, visited, violations, top, bottom = twin(MODEL, REFERENCE, 0.7, 40, scale)
    assert found.mean_gap[0] == pytest.approx(gap, rel=1e-8)
    reached = visited.sum(axis=-1, keepdims=True)
    expected = np.where(reached > 0.0, visited / np.where(reached > 0.0, reached, 1.0), REFERENCE)
    np.testing.assert_allclose(found.mixture[0], expected, atol=1e-10)
    assert found.violations[0] == violations
    np.testing.assert_allclose(found.upper_q[0], top, atol=1e-9)
    np.testing.assert_allclose(found.lower_q[0], bottom, atol=1e-9)


def test_gaps_and_bounds():
    found = run_lsvi_entropy(MODEL, REFERENCE, 1.0, 300, seeds=SEED, runs=4)
    np.testing.assert_allclose(found.mixture_gap, regularised_gap(TABLE, found.mixture, REFERENCE, 1.0), atol=1e-14)
    assert (found.mixture_gap <= found.mean_gap + 1e-12).all()
    assert (found.violations == 0).all()
    values = {"d": 3, "H": 3, "T": 300, "lambda": 1.0, "delta": 0.1, "bonus": found.bonus}
    assert (found.mean_gap <= parameters.evaluate(parameters.LINEAR_GAP, values)).all()


def test_small_bonus_is_not_optimistic():
    found = run_lsvi_entropy(random_features(0), np.full((3, 4, 2), 0.5), 1.0, 300, seeds=SEED, runs=5, scale=0.02)
    assert ((found.violations >= 4) & (found.violations <= 40)).all()


def test_the_gap_falls():
    model = random_features(0, 2, 4, 2, 2)
    short, long = (
        run_lsvi_entropy(model, np.full((2, 4, 2), 0.5), 1.0, n, seeds=SEED, scale=0.1).mean_gap[0]
        for n in (500, 20_000)
    )
    assert long < short / 3


def test_statistics_are_refreshed():
    statistics, regressions = np.zeros((2, 1, 2, 2)), np.zeros((2, 1, 2, 3))
    statistics[:, 0] = np.eye(2)
    random = np.random.default_rng(0)
    phis, nexts = random.dirichlet(np.ones(2), 50), random.integers(0, 3, 50)
    for phi, following in zip(phis, nexts, strict=True):
        linear.observe(phi, following, 0, statistics, regressions)
    matrix, moments = np.eye(2) + phis.T @ phis, phis.T @ np.eye(3)[nexts]
    for _ in range(2):
        np.testing.assert_allclose(statistics[0, 0], matrix)
        np.testing.assert_allclose(statistics[1, 0], np.linalg.inv(matrix), atol=1e-12)
        np.testing.assert_allclose(regressions[1, 0], np.linalg.solve(matrix, moments), atol=1e-12)
        linear.refresh(statistics, regressions)


def test_runs_do_not_depend_on_their_number():
    one, two = (run_lsvi_entropy(MODEL, REFERENCE, 1.0, 50, seeds=SEED, runs=n) for n in (1, 2))
    assert one.mean_gap[0] == two.mean_gap[0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"episodes": 0}, ValueError, "episodes is 0"),
        ({"delta": 0.0}, ValueError, "delta is 0.0"),
        ({"scale": -1.0}, ValueError, "scale is -1.0"),
        ({"ridge": 0.0}, ValueError, "ridge is 0.0"),
        ({"lam": -2.0}, ValueError, "lam is -2.0"),
        ({"reference": np.full((3, 4, 3), 1 / 3)}, InvalidPolicyError, "reference has shape"),
        ({"mdp": LinearMDP(MODEL.features, MODEL.measures, 3.0 + MODEL.weights)}, ValueError, "outside"),
    ],
)
def test_bad_arguments(change, error, message):
    arguments = {"mdp": MODEL, "reference": REFERENCE, "lam": 1.0, "episodes": 10, "seeds": SEED, **change}
    with pytest.raises(error, match=message):
        run_lsvi_entropy(**arguments)
