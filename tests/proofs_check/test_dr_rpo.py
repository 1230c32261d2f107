"""DR-RPO: every cheap claim is shown and its mutants rejected; golden numbers of the bounds; figures are plain data."""

import json

import numpy as np
import pytest
from tests_support import verify

from mdps.linear import LinearMDP
from mdps.robust import RobustLinearMDP
from mdps.robust_instances import leaking_chain, random_tabular
from proofs_check.engine import CheckOutcome, MutantOutcome, judge
from proofs_check.evidence import plain
from proofs_check.methods.base import Context, Tier
from proofs_check.papers import dr_rpo as policies
from proofs_check.papers import dr_rpo_adversaries as adversaries
from proofs_check.papers import dr_rpo_regret as regret
from solvers.dr_rpo import Learner, confidence_radii, run, suboptimality
from theory import dr_rpo as theory

CLAIMS = {claim.id: claim for claim in theory.CLAIMS}
CHECKS = (*policies.CHECKS, *adversaries.CHECKS, *regret.CHECKS)
CHEAP = [check for check in CHECKS if check.tier == Tier.QUICK and check.claim != "dr_rpo.tabular_regret"]


@pytest.mark.parametrize("check", CHEAP, ids=lambda check: check.claim)
def test_every_claim_is_shown_as_expected_and_its_mutants_are_rejected(check):
    claim = CLAIMS[check.claim]
    evidence = verify(check.method, check.statement, claim.assumptions)
    assert check.method.recheck(check.statement, evidence) is None
    outcomes = []
    for mutant in check.mutants:
        kept = tuple(assumption for assumption in claim.assumptions if assumption.key not in mutant.drop)
        found = verify(check.method, check.statement_of(mutant), kept)
        assert found.witness is not None, f"mutant {mutant.name} survives: {found.summary}"
        outcomes.append(MutantOutcome.of(mutant, found))
    verdict = judge(claim, [CheckOutcome(check.name, evidence, tuple(outcomes))], Tier.QUICK, 0)
    assert verdict.ok, verdict.reason


def test_every_claim_has_one_check():
    assert sorted(check.claim for check in CHECKS) == sorted(CLAIMS)


@pytest.mark.parametrize(
    ("states", "actions", "horizon", "radius", "first"),
    [
        (1, 2, 2, 0.2, 723),
        (2, 2, 2, 0.2, 1638),
        (2, 2, 3, 0.2, 10_979),
        (3, 2, 3, 0.2, 19_734),
        (5, 4, 5, 0.1, 698_297),
    ],
)
def test_tabular_bound_bites_from_the_known_number_of_episodes(states, actions, horizon, radius, first):
    robust = RobustLinearMDP(random_tabular(0, states + 1, actions, horizon), "tv_constrained", radius, states)
    found = regret.first_biting(lambda k: regret.tabular_bound(robust, k, 0.05), float(robust.caps[0]))
    assert found == pytest.approx(first, rel=1e-3)


@pytest.mark.parametrize(("eta", "kappa"), [(2.0, 0.06498), (1.0, 0.03400), (0.5, 0.006604), (0.3, 0.0006178)])
def test_coverage_of_the_instance(eta, kappa):
    assert regret.stuck_coverage(eta) == pytest.approx(kappa, rel=2e-4)


@pytest.mark.parametrize(
    ("eta", "coverage", "logarithmic"),
    [(2.0, 4.6e3, 2.6e3), (1.0, 9.1e3, 5.5e3), (0.5, 5.2e4, 3.4e4), (0.3, 6.3e5, 4.6e5)],
)
def test_summed_losses_bite_from_the_known_number_of_episodes(eta, coverage, logarithmic):
    robust = regret.robust_instances.stuck()
    kappa = regret.stuck_coverage(eta)

    def regret_bound(episodes, which):
        betas = confidence_radii(robust, episodes, 0.025)
        first = regret.burn_in(kappa, 3, 2, episodes, 0.05)
        k = np.arange(first, episodes + 1)
        loss = {
            "coverage": 2.0 * betas.sum() / np.sqrt(1.0 + kappa * (k - 1) / 2.0),
            "logarithmic": betas[0] ** 2 / (2.0 * eta * (1.0 + kappa * (k - 1) / 2.0)),
        }[which]
        return robust.caps.sum() * min(first - 1, episodes) + loss.sum()

    if eta == 2.0:
        assert regret_bound(10**6, "coverage") / 1e6 == pytest.approx(0.148, abs=1e-3)
        assert regret_bound(10**6, "logarithmic") / 1e6 == pytest.approx(0.0087, abs=1e-4)
    for which, first in (("coverage", coverage), ("logarithmic", logarithmic)):
        found = regret.first_biting(lambda k, which=which: regret_bound(k, which), float(robust.caps[0]))
        assert found == pytest.approx(first, rel=0.03)


def test_bounds_of_the_loss_are_those_of_the_claims():
    episodes = np.array([1, 100])
    bounds = regret.coverage_bounds(episodes, np.array([3.0, 0.0]), 0.05, 2.0)
    np.testing.assert_allclose(bounds["coverage"], 6.0 / np.sqrt(1.0 + 0.05 * (episodes - 1) / 2.0))
    np.testing.assert_allclose(bounds["logarithmic"], 9.0 / (4.0 * (1.0 + 0.05 * (episodes - 1) / 2.0)))


def test_assumptions_name_what_is_missing():
    model = RobustLinearMDP(leaking_chain(2), "tv_constrained", 0.1)
    assert Context(assumptions=(theory.FAIL_STATE,)).unmet(model) == "fail_state: there is no fail state"
    mixed = LinearMDP([[[0.5, 0.5]], [[0.0, 1.0]]], [np.eye(2)] * 2, np.zeros((2, 2)))
    unmet = Context(assumptions=(theory.ONE_HOT,)).unmet(RobustLinearMDP(mixed, "tv_constrained", 0.1))
    assert unmet == "one_hot: a pair mixes factors"


@pytest.mark.parametrize("figure", [regret.loss_figure, regret.off_dynamics_figure])
def test_figures_are_plain_data(figure):
    data = json.loads(json.dumps(plain(figure(Tier.QUICK))))
    assert data["kind"] == "curves"
    assert all(len(curve["x"]) == len(curve["y"]) for curve in data["curves"])


def test_off_dynamics_figure_has_the_published_shape():
    """LSVI-UCB is best nominally and worst at the end; DR-RPO is flatter, and they cross where the optima do."""
    curves = {curve["label"]: np.array(curve["y"]) for curve in regret.off_dynamics_figure(Tier.QUICK)["curves"]}
    robust, nominal = curves["DR-RPO, eta = 0.05"], curves["LSVI-UCB"]
    assert nominal[0] > robust[0] + 0.1
    assert nominal[-1] < robust[-1]
    crossing = np.argmax(nominal < robust) / 10.0
    assert 0.7 <= crossing <= 0.9


@pytest.mark.parametrize("eta", [0.5, 1.0])
def test_losses_of_regularised_policies_fall_as_the_inverse_of_the_episode(eta):
    learner, seeds = Learner(eta=eta, beta=2.0), np.random.SeedSequence(3)
    plans = run(regret.robust_instances.stuck(), learner, episodes=20_000, seeds=seeds, runs=4, record=40)
    late = plans.episodes >= 1000
    slope = np.polyfit(np.log(plans.episodes[late]), np.log(suboptimality(plans).mean(axis=0)[late]), 1)[0]
    assert -1.1 <= slope <= -0.9
