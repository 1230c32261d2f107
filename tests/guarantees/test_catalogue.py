"""Rules that every shipped claim and check obeys."""

import numpy as np
import pytest

from proofs_check import registry
from proofs_check.engine import Control
from proofs_check.evidence import Finding
from proofs_check.methods.base import Context, Tier
from theory import Level

REGISTRY = registry.load()
CLAIMS = list(REGISTRY.catalogue)

UNJUDGED = {(f"ucbvi.{name}_regret", "environments") for name in ("hoeffding", "chernoff_hoeffding", "bernstein")}
"""Checks on instances where the bound is vacuous: they show its regret and where it would begin to say something."""


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_every_claim_has_a_check_that_can_fail(claim):
    checks = REGISTRY.checks[claim.id]
    assert checks, "no check"
    assert any(check.mutants for check in checks), "no mutant"
    for check in checks:
        assert check.mutants or (claim.id, check.name) in UNJUDGED, f"check {check.name} has no mutant"
        controls = [mutant for mutant in check.mutants if isinstance(mutant, Control)]
        assert bool(controls) <= (claim.expected == Level.REFUTED), "a control belongs to an expected refutation"
        assert controls or claim.expected != Level.REFUTED, "an expected refutation needs a control"
        for mutant in check.mutants:
            assert mutant.changes or mutant.drop, f"mutant {mutant.name} changes nothing"
            assert mutant.why


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_units_are_named_apart_and_exist_at_every_tier(claim):
    for check in REGISTRY.checks[claim.id]:
        for tier in Tier:
            units = check.method.units(tier)
            assert units
            assert len(set(units)) == len(units)


def test_a_check_runs_at_the_quick_tier_unless_more_is_expected_later():
    for claim in CLAIMS:
        quick = [check for check in REGISTRY.checks[claim.id] if check.tier == Tier.QUICK]
        assert quick or claim.from_tier != "quick", claim.id


@pytest.mark.parametrize(("claim", "name"), sorted(UNJUDGED))
def test_what_has_no_mutant_shows_nothing(claim, name):
    check = REGISTRY.check(claim, name)
    units = check.method.units(Tier.QUICK)
    first = [unit for unit in units if unit.startswith("RiverSwim")]
    assert first
    results = {unit: check.method.run(check.statement, unit, Context(seed=np.random.SeedSequence(1))) for unit in first}
    evidence = check.method.fold(results)
    assert evidence.finding == Finding.UNDECIDED
    assert "vacuous until" in evidence.summary
