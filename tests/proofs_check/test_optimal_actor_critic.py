"""Optimistic actor-critics: every cheap claim is shown and its mutants rejected; known numbers of runs; figures."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, fmpq
from tests_support import verify

from mdps.actor_critic_instances import incomplete, random_tabular, two_state_lock
from proofs_check.engine import CheckOutcome, MutantOutcome, judge
from proofs_check.evidence import plain
from proofs_check.expressions import UndefinedValueError
from proofs_check.methods.base import Tier
from proofs_check.papers import optimal_actor_critic as papers
from proofs_check.papers import optimal_actor_critic_finite as finite
from proofs_check.papers import optimal_actor_critic_hybrid as hybrid
from proofs_check.papers import optimal_actor_critic_linear as linear
from proofs_check.papers import optimal_actor_critic_regret as tabular
from proofs_check.papers import optimal_actor_critic_tetris as tetris
from solvers import optimal_actor_critic as algorithms
from solvers import optimal_actor_critic_finite as finite_algorithms
from theory import optimal_actor_critic as theory
from theory import optimal_actor_critic_offline as offline_theory
from theory import optimal_actor_critic_parameters as parameters
from theory import optimal_actor_critic_tables as tables
from theory.symbols import T, beta

CLAIMS = {claim.id: claim for module in (theory, offline_theory, tables) for claim in module.CLAIMS}
CHECKS = [check for module in (papers, finite, hybrid, linear, tabular, tetris) for check in module.CHECKS]
CHEAP = [check for check in CHECKS if check.tier == Tier.QUICK]


@pytest.mark.parametrize("check", CHEAP, ids=lambda check: check.claim.split(".")[1])
def test_every_claim_is_shown_as_expected_and_its_mutants_are_rejected(check):
    claim = CLAIMS[check.claim]
    evidence = verify(check.method, check.statement, claim.assumptions)
    assert check.method.recheck(check.statement, evidence) is None
    outcomes = []
    for mutant in check.mutants_at(Tier.QUICK):
        kept = tuple(assumption for assumption in claim.assumptions if assumption.key not in mutant.drop)
        found = verify(check.method, check.statement_of(mutant), kept)
        assert found.witness is not None, f"mutant {mutant.name} survives: {found.summary}"
        outcomes.append(MutantOutcome.of(mutant, found))
    verdict = judge(claim, [CheckOutcome(check.name, evidence, tuple(outcomes))], Tier.QUICK, 0)
    assert verdict.ok, verdict.reason


def test_every_claim_has_one_check():
    assert sorted(check.claim for check in CHECKS) == sorted(CLAIMS)


# Tables


def test_an_interval_of_episodes_holds_the_bounds_inside():
    row = papers.tabular_rows()["NORA (2, 2, 3), eta = 10"]()
    inside, _ = row.at(500, 600)
    for episodes in (500, 531, 600):
        assert inside.contains(row.at(episodes, episodes)[0])


def test_a_wrong_first_episode_is_found_on_either_side():
    row = papers.tabular_rows()["DOUHUA (2, 2, 2)"]()
    for shift in (-1, 1):
        last = list(papers.crossing(replace(row, first=row.first + shift)))[-1]
        assert not last.lhs <= last.rhs
    assert all(side.lhs <= side.rhs for side in papers.crossing(row))


@pytest.mark.parametrize("net", ["functions", "weights"])
def test_the_enclosed_radius_is_that_of_the_solver(net):
    values = papers.sizes(3, 3, S=10, d=4)
    ball = papers.radius_ball(arb(5_000), values, net)[beta]
    states = 10 if net == "functions" else None
    radius = parameters.linear_radius(4, states, 3, 5_000, 0.05)
    assert abs(float(ball.mid()) - radius) <= 1e-9 * radius
    wide = papers.radius_ball(arb(4_000).union(arb(6_000)), values, net)[beta]
    assert wide.contains(ball)


def test_a_radius_that_is_not_enclosed_is_an_error(monkeypatch):
    monkeypatch.setattr(papers, "_iterates", lambda episodes, values, net, point, moved_by: arb(1))
    with pytest.raises(UndefinedValueError, match="not enclosed"):
        papers.radius_ball(arb(5_000), papers.sizes(3, 3, S=10, d=4), "weights")


def test_rows_hold_the_bounds_of_the_claims():
    row = papers.pac_rows()["(2, 2, 2), epsilon = 1/10"]()
    assert row.value == fmpq(1, 10)
    assert row.bound.has(T)
    values = {"S": 2, "A": 2, "H": 2, "T": 5_000, "eta": 10.0, "W_A": parameters.lambert(2)}
    claimed = CLAIMS["optimal_actor_critic.nora_tabular_regret"].explicit_bound
    expected = claimed.evaluate(**values, delta=0.05, delta_prime=0.05)
    assert float(row.at(5_000, 5_000)[0].mid()) == pytest.approx(expected, rel=1e-12)


# Runs


def test_errors_next_to_zero_mean_that_optimism_on_average_would_not_do():
    """With a fifth of iota runs fail at single pairs; values at the start, averaged over episodes, do not show it."""
    setting = tabular.Setting(tabular.coins(16), 400, 1.0)
    run = setting.run(np.random.SeedSequence(3), 60, {"iota_scale": 0.2})
    failing = run.least_error < -1e-9
    assert 5 <= failing.sum() <= 50
    assert (run.optimism[failing, -1] > 0.0).all()
    sample = tabular.event(setting, np.random.SeedSequence(3), 60, iota_scale=0.2)
    assert ((np.asarray(sample.lhs) > 1e-9) >= failing).all()


def test_regret_without_data_and_with_fifty_demonstrations():
    lock = two_state_lock(6, 4)
    lonely = algorithms.run(
        lock, algorithms.noah(10.0), episodes=2_000, seeds=np.random.SeedSequence(0), runs=3, record=None
    )
    np.testing.assert_allclose(lonely.regret[:, [499, 999, 1_999]], [[450, 900, 1_800]] * 3, atol=0.01)
    taught = algorithms.run(
        lock,
        algorithms.noah(1.0),
        episodes=2_000,
        seeds=np.random.SeedSequence(0),
        runs=3,
        record=1,
        offline=hybrid.demonstrations(lock, 50),
    )
    assert (taught.regret < 60.0).all()


@pytest.mark.parametrize(("eta", "loss"), [(1.0, 2.5759), (5.0, 0.3713)])
def test_regret_of_an_incomplete_class(eta, loss):
    for episodes in (500, 1_000, 2_000):
        run = finite_algorithms.run(
            *incomplete(), finite_algorithms.nora(eta), episodes=episodes, seeds=np.random.SeedSequence(0), record=1
        )
        assert run.regret[0, -1] == pytest.approx(0.8 * episodes - loss, abs=1e-4)


def test_one_critic_an_episode_costs_what_rare_switching_saves():
    model = random_tabular(4, 2, 3, 0)
    regrets = []
    for refresh in ("rarely", "episode"):
        learner = replace(algorithms.nora(0.1), refresh=refresh, bonus_scale=0.05**0.5)
        run = algorithms.run(model, learner, episodes=5_000, seeds=np.random.SeedSequence(0), record=1)
        regrets.append(run.regret[0, -1])
    assert regrets[1] > 10.0 * regrets[0]


def test_the_bound_of_noah_with_a_thousand_uniform_episodes():
    """A known value is 6432 of 15000, on a random model that was not recorded; others of the same law are as large."""
    found = []
    for seed in range(4):
        model = random_tabular(3, 2, 3, seed)
        data = hybrid.offline_trajectories(model, np.full((3, 3, 2), 0.5), 1_000, seed)
        setting = hybrid.Hybrid(model, data, 5_000, 1.0)
        run = setting.run(algorithms.noah(1.0), np.random.SeedSequence(0), 1)
        values = setting.values(algorithms.coverage_term(run))
        found.append(hybrid.CLAIMS["noah_tabular_regret"].explicit_bound.evaluate(**values))
        assert run.regret[0, -1] < 20.0
    assert 6_300.0 < min(found) < 6_432.0 < max(found) < 6_900.0


def test_misleading_data_hold_only_actions_that_end_the_lock():
    lock = two_state_lock(2, 2)
    counts = hybrid.misleading(lock, 7).counts
    assert (counts[:, 1] == 7).all()
    assert sorted(counts[0, 0].tolist()) == [0, 7]


def test_equal_visits_attain_the_bound_of_noah_samples():
    sides = hybrid.noah_samples(hybrid.even_coverage(5, 4, 0.25, 50_000))
    assert sides.lhs == pytest.approx(sides.rhs, rel=1e-12)


def test_settings_of_the_linear_bounds():
    setting = linear.needle(3_000, 0, 1_000)
    values = setting.offline_values(False)
    assert values["C_off"] == pytest.approx(values["beta"] / np.sqrt(1_001.0))
    assert linear.needle(3_000).offline.size == 0
    assert linear.first_biting(lambda t: 100.0 * t**0.5, 2.0) == 2_501


# Tetris


def test_integer_values_enclose_those_in_floating_point():
    model = tetris.world.tetris()
    for optimal, values in ((True, tetris.world.optimal_values), (False, tetris.world.uniform_values)):
        lower = tetris.lower_values(optimal=optimal)
        found = [next(lower) for _ in range(6)]
        for left in (1, 3, 6):
            exact = float(values(model, left)[0, 0])
            assert found[left - 1] / tetris.UNIT <= exact + 1e-13
            assert exact - 1e-13 <= (found[left - 1] + left) / tetris.UNIT


def test_the_first_wrong_number_of_tetris_ends_the_comparison():
    sides = list(tetris.exact_values(5, shift=1))
    assert [side.holds for side in sides] == [True] * (len(sides) - 1) + [False]
    assert isinstance(sides[-1].lhs, Fraction)


FIGURES = [
    hybrid.gain_figure,
    linear.bounds_figure,
    linear.learners_figure,
    tabular.bounds_figure,
    tetris.feature_figure,
]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.__module__.split(".")[-1])
def test_figures_are_plain_data(figure):
    data = json.loads(json.dumps(plain(figure(Tier.QUICK))))
    assert data["kind"] == "curves"
    assert 1 <= len(data["curves"]) <= 6
    assert all(len(curve["x"]) == len(curve["y"]) for curve in data["curves"])
