"""Demonstration-regularised learning: every cheap claim is shown and its mutants rejected; known witnesses; figures."""

import itertools
import json
import math
from fractions import Fraction

import flint
import numpy as np
import pytest
from tests_support import verify

from mdps import demonstration_instances as instances
from mdps.demonstrations import Demonstrations
from mdps.rational import RationalMDP
from proofs_check.cases import random_case
from proofs_check.engine import CheckOutcome, MutantOutcome, judge
from proofs_check.evidence import plain
from proofs_check.methods.base import Tier
from proofs_check.methods.exact import trajectories
from proofs_check.papers import demonstration_regularized as main
from proofs_check.papers import demonstration_regularized_cloning as cloning
from proofs_check.papers import demonstration_regularized_demonstrations as taught
from proofs_check.papers import demonstration_regularized_exploration as exploration
from proofs_check.papers import demonstration_regularized_linear as linear
from proofs_check.papers import demonstration_regularized_preferences as preferences
from solvers import demonstration_regularized_cloning as solver
from solvers.demonstration_regularized import FAST, identify
from theory import demonstration_regularized as theory
from theory import demonstration_regularized_preferences as theory_of_preferences
from theory.claim import Level

CLAIMS = {claim.id: claim for claim in (*theory.CLAIMS, *theory_of_preferences.CLAIMS)}
CHECKS = tuple(check for part in (main, cloning, exploration, taught, preferences, linear) for check in part.CHECKS)
DEAR = ("advantage", "accuracy_rate", "unregularised_complexity")
CHEAP = [check for check in CHECKS if check.tier == Tier.QUICK and check.claim.split(".")[1] not in DEAR]


@pytest.mark.parametrize("check", CHEAP, ids=lambda check: f"{check.claim.split('.')[1]}-{check.name}")
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
    expected = Level.SUPPORTED if check.name == "sampled" else claim.expected
    assert verdict.level.meets(expected), verdict.reason


def test_every_claim_has_a_check():
    assert {check.claim for check in CHECKS} == set(CLAIMS)


# Exact sums against other ways to compute them


def test_mean_divergence_is_that_over_all_sets_of_demonstrations():
    case = random_case(5, 2, 2, 2)
    size = 2
    paths = list(trajectories(case.mdp, case.policy))
    total = 0.0
    for chosen in itertools.product(paths, repeat=size):
        counts = np.zeros((2, 2, 2), dtype=np.int64)
        for path in chosen:
            for h, (s, a) in enumerate(zip(path.states, path.actions, strict=True)):
                counts[h, s, a] += 1
        clone = solver.laplace(Demonstrations(counts))
        mass = math.prod(float(path.probability) for path in chosen)
        expert = np.array(case.policy, dtype=np.float64)
        total += mass * float(solver.trajectory_divergence(case.mdp.to_float(), expert, clone))
    found = cloning.mean_divergence(cloning.in_model(case.mdp, case.policy, size))
    assert float(found.mid()) == pytest.approx(total, rel=1e-12)


def test_mean_divergence_against_solver_on_free_states():
    expected = solver.expectation_bound(np.full((5, 5), 0.2), 4, 200)
    law = (Fraction(1, 4),) * 4
    states = tuple((Fraction(1, 5), law) for _ in range(25))
    found = float(cloning.mean_divergence(cloning.Demonstrated(200, 5, states)).mid())
    assert solver.minimax_bound(np.full((5, 5), 0.2), 4, 200) < found < expected


def test_bayes_risks_agree():
    bound = cloning.BOUNDS["cloning_lower_bound"]
    for actions, size in ((2, 6), (4, 9)):
        risk = solver.bayes_risk(actions, size)[size]
        assert bound.evaluate(A=actions, H=1, N=size) == pytest.approx(risk, rel=1e-10)


@pytest.mark.parametrize("name", ["two states, N=20, delta=1/2", "fair, N=60, delta=1/10"])
def test_law_of_counts_sums_to_one(name):
    with flint.ctx.workprec(128):
        total = sum((mass for mass, _ in cloning.all_counts(cloning.DEVIATING[name]())), flint.arb(0))
    assert abs(total - 1) < 1e-30


def test_divergence_of_counts_is_the_solver_s():
    case = cloning.FreeStates(14, Fraction(1, 20), (Fraction(1, 5), Fraction(2, 5)), cloning.SPLIT)
    counts = ((3, 1), (11, 4))
    table = np.array([[[n - k, k] for n, k in counts]], dtype=np.int64)
    expert = np.array([[[0.8, 0.2], [0.6, 0.4]]])
    mdp = RationalMDP([[[1, 0]] * 2, [[0, 1]] * 2], [[0, 0]] * 2, 1, [Fraction(1, 10), Fraction(9, 10)]).to_float()
    expected = solver.trajectory_divergence(mdp, expert, solver.laplace(Demonstrations(table)))
    assert float(cloning.clone_divergence(case, counts).mid()) == pytest.approx(float(expected), rel=1e-12)
    clone = solver.laplace(Demonstrations(table))
    backwards = 0.1 * (clone[0, 0] @ np.log(clone[0, 0] / expert[0, 0]))
    backwards += 0.9 * (clone[0, 1] @ np.log(clone[0, 1] / expert[0, 1]))
    assert float(cloning.clone_divergence(case, counts, reverse=True).mid()) == pytest.approx(backwards, rel=1e-12)


def test_computable_bound_is_the_solver_s():
    counts = np.array([[[2, 1], [11, 0]]], dtype=np.int64)
    shared = {"S": 2, "A": 2, "H": 1, "N": 14, "delta": Fraction(1, 20)}
    parts = [cloning.bound_of(cloning.parameters.CLONING_STATE, n=n, **shared) for n in (3, 11)]
    expected = solver.high_probability_bound(Demonstrations(counts), 0.05)
    cap = math.log(16)
    assert min(float(sum(parts, flint.arb(0)).mid()), cap) == pytest.approx(float(expected), rel=1e-9)


def test_quantile_drops_at_most_delta():
    law = [(flint.arb(x) / 10, flint.arb(v)) for x, v in ((1, 5), (2, 3), (7, 1))]
    values = [float(cloning.quantile(law, Fraction(p, 100)).mid()) for p in (5, 11, 29, 31)]
    assert values == [5.0, 3.0, 3.0, 1.0]
    with pytest.raises(ValueError, match="at least one"):
        cloning.quantile(law, Fraction(2))


def test_unseen_rate_leaves_a_little_more_than_delta():
    rate = cloning.unseen_rate(50, Fraction(1, 10), 3)
    missed = 1.0 - (1.0 - float(1 - rate) ** 50) ** 3
    assert 0.1 < missed < 0.1002


def test_rare_events_of_comparisons():
    up, down = flint.arb(3) / 10, flint.arb(1) / 5
    found = preferences.rarely(7, up, down, flint.arb(3) / 2)
    expected = sum(
        math.comb(7, u) * math.comb(7 - u, w) * 0.3**u * 0.2**w * 0.5 ** (7 - u - w)
        for u, w in itertools.product(range(8), range(8))
        if u + w <= 7 and 2 * u <= 3 * w
    )
    assert float(found.mid()) == pytest.approx(expected, rel=1e-10)


# Known witnesses and measurements


def test_quadratic_gap_of_two_arms():
    """The witness against 1/9: errors of 0.1 cost 0.99875 of (0.1)^2 / 8."""
    mdp = instances.bandit([0.0, 0.0])
    policy = np.exp([0.1, 0.0]) / np.exp([0.1, 0.0]).sum()
    gap = float(solver.regularised_gap(mdp, policy[None, None], np.full((1, 1, 2), 0.5), 1.0))
    assert gap == pytest.approx(0.99875 * 0.01 / 8.0, rel=1e-5)
    assert gap > 0.01 / 9.0


def test_half_of_the_divergence_is_not_enough():
    mdp = instances.bandit([1.0, 0.0])
    reference = np.array([[[1e-6, 1.0 - 1e-6]]])
    lam = 1.2 / np.log(1e6)
    gap = float(solver.policy_gap(mdp, solver.regularised_optimum(mdp, reference, lam).policy))
    assert gap == pytest.approx(0.909, abs=1e-3)
    assert 0.5 * lam * np.log(1e6) < gap < lam * np.log(1e6)


def test_wrong_arm_without_strong_regularisation():
    weak, strong = preferences.overestimated(0.005), preferences.overestimated(4.0 / 3.0)
    for case, gap, bound in ((weak, 0.898, 2.0e-4), (strong, 9.7e-7, 4.2e-6)):
        terms = preferences.loss_terms(case, case.policy)
        assert float(solver.policy_gap(case.mdp, case.policy)) == pytest.approx(gap, rel=0.01)
        assert preferences.BOUNDS["preferences"].evaluate(**terms) == pytest.approx(bound, rel=0.02)


@pytest.mark.parametrize(("lam", "golden"), [(0.3, (37_931, 88_706)), (1.0, (3489, 9123))])
def test_stopping_times_on_the_chain(lam, golden):
    mdp = instances.reflecting_chain()
    for epsilon, expected in zip((0.2, 0.1), golden, strict=True):
        found = identify(mdp, exploration.uniform(mdp), lam, epsilon, seeds=1, runs=3, settings=FAST)
        assert found.episodes.mean() == pytest.approx(expected, rel=0.05)


def test_doors_are_as_wrong_as_their_certificate_says():
    case = exploration.blind_doors(3.0)
    plan = case.plan()
    assert plan.gap[0, 0] == pytest.approx(1.0 / 24.0)
    gap = float(solver.regularised_gap(case.mdp, plan.policy, case.reference, 3.0))
    assert gap == pytest.approx(3.0 * math.log(math.cosh(1.0 / 6.0)), rel=1e-9)


def test_expert_lacks_half_of_epsilon():
    mdp = instances.reflecting_chain(3, 3)
    assert float(solver.policy_gap(mdp, taught.half_as_good(mdp, 0.2))) == pytest.approx(0.1, rel=1e-9)


def test_linear_bound_bites_where_it_is_said_to():
    first = linear.linear_bites(instances.random_features(0, 2, 4, 2, 2), 1.0)
    assert 1.8e6 < first < linear.long_run().episodes


# Figures


@pytest.mark.parametrize(
    "figure",
    [
        main.cloning_figure,
        taught.episodes_figure,
        taught.demonstrations_figure,
        preferences.guarantee_figure,
    ],
)
def test_figures_are_plain_data(figure):
    data = json.loads(json.dumps(plain(figure(Tier.QUICK))))
    assert data["kind"] == "curves"
    assert all(len(curve["x"]) == len(curve["y"]) > 0 for curve in data["curves"])
    assert len(data["curves"]) <= 6


def test_demonstrations_save_episodes_as_their_inverse_number():
    data = taught.demonstrations_figure(Tier.QUICK)
    curves = {curve["label"]: curve for curve in data["curves"]}
    x, y = (np.array(curves["Markov's inequality"][key]) for key in ("x", "y"))
    slope = np.polyfit(np.log(x), np.log(y), 1)[0]
    assert -1.5 < slope < -1.0
    assert y[-1] < curves["no demonstrations"]["y"][0] / 20.0 < y[0]


def test_guarantee_has_a_cliff():
    data = preferences.guarantee_figure(Tier.QUICK)
    x, learned, formula = np.array([data["curves"][0]["x"], data["curves"][0]["y"], data["curves"][1]["y"]])
    assert (learned[x >= 4.0 / 3.0] <= formula[x >= 4.0 / 3.0]).all()
    assert learned[0] > 100.0 * formula[0]
