"""N-HARPG: verdicts of the cheap claims, golden numbers, and simulated against computed errors."""

import json
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from tests_support import verify

from proofs_check import exact_gradients as gradients
from proofs_check.engine import CheckOutcome, MutantOutcome, judge
from proofs_check.evidence import dumps
from proofs_check.methods.base import Tier
from proofs_check.papers import n_harpg as proofs
from proofs_check.papers import n_harpg_domination as domination
from proofs_check.papers import n_harpg_errors as errors
from proofs_check.papers import n_harpg_regularity as regularity
from proofs_check.papers import n_harpg_runs as runs
from solvers import n_harpg as algorithms
from solvers.n_harpg_exact import compatible_fit
from theory import n_harpg, n_harpg_regularity
from theory.claim import Level

CLAIMS = {claim.id: claim for claim in (*n_harpg.CLAIMS, *n_harpg_regularity.CLAIMS)}
CHECKS = (*proofs.CHECKS, *errors.CHECKS, *regularity.CHECKS, *domination.CHECKS, *runs.CHECKS)
SLOW = {"weighted_tails", "cauchy_constants", "stated_orders"}
CHEAP = sorted(
    claim_id
    for claim_id, claim in CLAIMS.items()
    if claim_id.split(".")[1] not in SLOW and not claim_id.split(".")[1].startswith("rate_")
)


@pytest.mark.parametrize("claim_id", CHEAP)
def test_every_claim_is_shown_as_expected_and_its_mutants_are_rejected(claim_id):
    claim, outcomes = CLAIMS[claim_id], []
    for check in CHECKS:
        if check.claim != claim_id or check.tier != Tier.QUICK:
            continue
        evidence = verify(check.method, check.statement, claim.assumptions)
        assert check.method.recheck(check.statement, evidence) is None
        mutants = [
            MutantOutcome.of(mutant, verify(check.method, check.statement_of(mutant), claim.assumptions))
            for mutant in check.mutants_at(Tier.QUICK)
        ]
        outcomes.append(CheckOutcome(check.name, evidence, tuple(mutants)))
    verdict = judge(claim, outcomes, Tier.QUICK, 0)
    assert verdict.ok, verdict.reason
    assert verdict.level == claim.expected


def test_every_claim_has_a_check_and_every_check_a_mutant():
    assert {check.claim for check in CHECKS} == set(CLAIMS)
    assert all(check.mutants for check in CHECKS)


def test_figures_are_plain_data_with_few_curves():
    for check in CHECKS:
        if check.figure is not None:
            data = json.loads(dumps(check.figure(Tier.QUICK)))
            assert data["kind"] == "curves"
            assert len(data["curves"]) <= 6
            for curve in data["curves"]:
                assert len(curve["x"]) == len(curve["y"])
                assert min(curve["y"]) > 0.0


# Golden numbers


def test_the_random_walk_is_nearly_worst():
    walk = regularity.Walk(0.99)
    assert walk.size("gradient_norm", 200) == pytest.approx(354.4, abs=0.05)
    assert walk.size("gradient_tail", 200) == pytest.approx(91.5, abs=0.05)
    assert walk.size("smoothness", 200) == pytest.approx(2415.0, abs=0.5)
    assert regularity.Walk(0.9).size("gradient_norm", 20) == pytest.approx(11.47, abs=0.005)


def test_two_waves_have_the_constants_that_are_claimed():
    """The policy of the counter-example by finite differences, at many parameters."""
    curve = regularity.wave()
    ends = [float(end) for end in curve.ends]
    pieces = np.array([[float(number) for number in row] for row in curve.coefficients])

    def phi(x):
        k = np.searchsorted(ends, x % ends[-1], side="right") - 1
        k = np.minimum(k, 4)
        s = x % ends[-1] - np.array(ends)[k]
        f, m, a, b = pieces[k].T
        return f + s * (m + s * (a / 2 + s * b / 6))

    lead = float(2 * regularity.QUARTER + 2 * regularity.CORNER)
    grid, step = np.linspace(0.0, ends[-1], 4001), 1e-4

    def logs(x):
        first = np.array([np.exp(phi(x)), np.exp(phi(x + lead))]) * float(regularity.OTHERS) / 2
        return np.log(np.vstack([first, 1.0 - first.sum(axis=0)]))

    up, here, down = logs(grid + step), logs(grid), logs(grid - step)
    score, curvature = (up - down) / (2 * step), (up - 2 * here + down) / step**2
    assert np.abs(score).max() == pytest.approx(float(regularity.SLOPE), abs=1e-4)
    assert np.abs(curvature).max() == pytest.approx(1.0, abs=1e-4)
    moment = (np.exp(here) * (score**2 + curvature) ** 2).sum(axis=0).max()
    assert moment == pytest.approx(1.3272, abs=1e-2)
    assert moment > float(regularity.SLOPE**4 + 1)


@pytest.mark.parametrize(
    ("horizon", "difference"),
    [
        (3, (Fraction(117273433, 2646000000), Fraction(4254869, 352800000))),
        (4, (Fraction(353677168373, 5556600000000), Fraction(110835093101, 8890560000000))),
    ],
)
def test_differences_of_gradients(horizon, difference):
    case = gradients.two_state_case(horizon)
    ends = (gradients.gradient(case, case.theta), gradients.gradient(case, case.before))
    assert tuple(u - v for u, v in zip(*ends, strict=True)) == difference
    step = errors.difference(case)

    def mean(**changes):
        recursion = errors.Recursion(**changes)
        total = [Fraction(0)] * 2
        for q, weight in errors.RULES[recursion.rule]:
            point = errors.between(case, q)
            found = gradients.mean(
                case,
                lambda path: errors.product(path, step, recursion, None),
                point,
                case.theta if recursion.sampled == "end" else point,
            )
            total = [entry + weight * term for entry, term in zip(total, found, strict=True)]
        return [float(entry - exact) for entry, exact in zip(total, difference, strict=True)]

    assert mean() == [0.0, 0.0]
    if horizon == 3:
        assert mean(rule="midpoint") == [0.0, 0.0]
        assert mean(rule="end") == pytest.approx([-1.78e-3, -9.6e-4], rel=1e-2)
        assert mean(score_term=0) == pytest.approx([-0.393, -0.231], abs=1e-3)
        assert mean(score_term=-1) == pytest.approx([-0.787, -0.463], abs=1e-3)
        assert mean(sampled="end") == pytest.approx([0.134, 0.109], abs=1e-3)
    else:
        assert mean(rule="midpoint") == pytest.approx([-3.76e-5, -1.76e-5], rel=1e-2)


@pytest.mark.parametrize(
    ("estimator", "name", "ratio", "slope"),
    [
        (errors.HARPG, "n_harpg_error", 0.834, -0.5),
        (replace(errors.HARPG, score_factor=0.0, curvature_factor=0.0), "n_harpg_error", 32.6, 0.08),
        (replace(errors.HARPG, score_factor=0.0), "n_harpg_error", 51.6, None),
        (replace(errors.HARPG, score_factor=-1.0), "n_harpg_error", 103.0, None),
        (replace(errors.HARPG, score_factor=-1.0, curvature_factor=-1.0), "n_harpg_error", 65.0, None),
        (errors.IGT, "igt_error", 0.65, -0.405),
        (replace(errors.IGT, extrapolation=0.0), "igt_error", 3.3, -0.21),
        (errors.MOMENTUM, "momentum_error", 0.565, -0.33),
    ],
)
def test_errors_along_the_path(estimator, name, ratio, slope):
    mean, variance = errors.open_loop(estimator, 100_000)
    at = errors.checkpoints(100_000)
    rms = np.sqrt(mean**2 + variance)[at]
    assert (rms / errors.bounds_of(name, at)).max() == pytest.approx(ratio, rel=0.02)
    if slope is not None:
        late = at >= 1_000
        assert np.polyfit(np.log(at[late]), np.log(rms[late]), 1)[0] == pytest.approx(slope, abs=0.05)


def test_moments_of_the_bandit_are_the_closed_forms():
    theta = np.linspace(-2.5, 2.5, 11)
    found, z = errors.moments(theta), theta**2
    np.testing.assert_allclose(found.score + found.curvature, 16 * z / (4 + z) ** 3 - 4 / (4 + z) ** 2, atol=1e-12)
    square = found.score_score + 2 * found.score_curvature + found.curvature_curvature
    closed = (2688 + 480 * z + 1416 * z**2 + 50 * z**3 + z**4) / (4 + z) ** 6
    np.testing.assert_allclose(square, closed, atol=1e-12)
    angle = 2 * np.pi * (np.arange(512) + 0.5) / 512 - np.pi
    u = np.tan(angle / 2)
    g = 2 * u / (1 + u**2) / (1 + (theta[:, None] + u) ** 2)
    np.testing.assert_allclose(g.mean(axis=1), errors.gradient(theta), atol=1e-12)
    np.testing.assert_allclose(g.var(axis=1), errors.noise(theta), atol=1e-12)


@pytest.mark.parametrize("factor", [1.0, -1.0])
def test_simulated_errors_have_the_computed_moments(factor):
    """Mean and mean square of the error of the compiled estimator along the path, within five standard errors."""
    iterations, count = 60, 4_000
    method = replace(algorithms.N_HARPG, score_factor=factor)
    schedule = algorithms.power_schedule(iterations, 1.0, 1.0, 1.0)
    path = errors.prescribed_path(iterations)
    run = algorithms.run_policy_gradient(
        runs.BANDIT, method, schedule, 1, iterations, count, 3, path=path[:, None], record=[0, 1, 2, 7, 20, 60]
    )
    mean, variance = errors.open_loop(replace(errors.HARPG, score_factor=factor), iterations)
    for k, t in enumerate(run.iterations):
        error = run.directions[:, k, 0] - errors.gradient(path[t])
        assert abs(error.mean() - mean[t]) <= 5 * error.std() / math.sqrt(count)
        assert abs((error**2).mean() - mean[t] ** 2 - variance[t]) <= 5 * (error**2).std() / math.sqrt(count)


@pytest.mark.parametrize(
    ("ball", "factor", "iterations", "bound"),
    [
        (runs.Ball(1.2, 1e4), None, 4_443, 0.0248),
        (runs.Ball(1.2, 1e5), None, None, 0.0214),
        (runs.Ball(2.0, 1e5), None, None, 0.0277),
        (runs.Ball(2.0, 1e4), None, None, 0.0432),
        (runs.Ball(1.2, 1e5, ascent=1.0 / 3.0), 8.0 / 3.0, None, 0.0366),
    ],
)
def test_the_local_bound(ball, factor, iterations, bound):
    assert iterations is None or ball.iterations == iterations
    assert ball.first_gap == pytest.approx(0.0413, abs=5e-5)
    assert ball.bound(factor) == pytest.approx(bound, abs=6e-5)


@pytest.mark.parametrize(("power", "value", "where"), [(8 / 5, 1.3951, 3), (6 / 5, 1.1767, 2), (1.0, 1.0845, 1)])
def test_suprema_of_the_weighted_tails(power, value, where):
    total, ratios = 0.0, []
    for t in range(2_000):
        base, after = 2.0 / (t + 2.0), 2.0 / (t + 3.0)
        total = (1.0 - base**0.8) * total + base**power
        ratios.append(total / (after**power / after**0.8))
    assert max(ratios) == pytest.approx(value, abs=2e-4)
    assert int(np.argmax(ratios)) + 1 == where


def test_the_largest_bias_of_the_transported_estimator():
    total, ratios = 0.0, []
    for t in range(1, 3_000):
        eta = (2.0 / (t + 2.0)) ** 0.8
        total = (1.0 - eta) * (total + 0.5 / eta * (2.0 / (t + 1.0)) ** 2)
        ratios.append(total / (2.0 / (t + 2.0)) ** 0.4)
    assert max(ratios) == pytest.approx(0.53475, abs=5e-6)
    assert int(np.argmax(ratios)) + 1 == 131


def test_the_bias_covers_all_gaps():
    """Largest roots of the bias: the ring with comparators action 0 and theta = 0, and the Cauchy bandit far away."""
    world = runs.one_action_pays().world
    grid = np.linspace(-np.pi, np.pi, 361)[:, None]
    for comparator, bias, gap in (
        (np.array([0]), 0.96667, 0.96667),
        (world.policy.probabilities(np.zeros(1)), 0.7696, 0.6),
    ):
        fits = [compatible_fit(world, theta, comparator) for theta in grid]
        assert math.sqrt(max(fit.bias for fit in fits)) == pytest.approx(bias, abs=6e-5)
        assert max(fit.gap for fit in fits) == pytest.approx(gap, abs=6e-5)
    far = math.sqrt(float(runs.BANDIT.bias(np.array([1e4]))))
    assert far == pytest.approx(math.sqrt(3.0 / 8.0), abs=1e-3)
    near = np.linspace(-1.25, 1.25, 101)[:, None]
    assert np.asarray(runs.BANDIT.signed_bias(near)).max() <= 1e-12


def test_a_vacuous_local_bound_supports_nothing():
    sample = runs.local_gap(runs.Ball(1.2, 50.0), np.random.SeedSequence(0), 4)
    assert sample.vacuous
    check = next(check for check in CHECKS if check.claim == "n_harpg.local_gap")
    method = replace(check.method, instances={"small offset": lambda: runs.Ball(1.2, 50.0)})
    assert verify(method, check.statement).finding.level == Level.INCONCLUSIVE
