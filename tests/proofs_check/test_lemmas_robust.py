"""The robust-duality lemmas: verdicts as expected, every mutant killed, evidence that stands and cannot be edited."""

import dataclasses
import math
from fractions import Fraction

import numpy as np
import pytest

from proofs_check.engine import Control, MutantOutcome
from proofs_check.evidence import Evidence, Finding
from proofs_check.methods.base import Context, Tier
from proofs_check.methods.convex import certify, exact
from proofs_check.papers import robust_duality as duality
from proofs_check.papers import robust_duality_search as search
from solvers.robust_planning import FactorSet, backup, divergence, worst_laws
from theory.lemmas import robust_duality as theory

CHECKS = [check for check in (*duality.CHECKS, *search.CHECKS) if check.tier == Tier.QUICK]
CLAIMS = {claim.id: claim for claim in theory.CLAIMS}


def find(check, mutant=None):
    statement, results = check.statement_of(mutant), {}
    for unit in check.method.units(Tier.QUICK):
        results[unit] = check.method.run(statement, unit, Context())
        if check.method.settles(results[unit]):
            break
    return statement, check.method.fold(results)


def number(value):
    return int(value.p) / int(value.q)


def name(check):
    return check.claim.split(".")[1]


def test_every_claim_has_its_check():
    assert {check.claim for check in CHECKS} == set(CLAIMS)
    assert len(CLAIMS) == 30
    assert all(len(check.mutants) for check in CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_the_claim_is_found_as_expected_and_the_evidence_stands(check):
    statement, evidence = find(check)
    assert evidence.finding.level == CLAIMS[check.claim].expected
    stored = Evidence.from_json(evidence.to_json())
    assert check.method.recheck(statement, stored) is None


@pytest.mark.parametrize("check", CHECKS, ids=name)
def test_every_mutant_is_killed(check):
    for mutant in check.mutants:
        statement, evidence = find(check, mutant)
        assert MutantOutcome.of(mutant, evidence).killed, mutant.name
        if not isinstance(mutant, Control):
            assert check.method.recheck(statement, evidence) is None


def check_of(claim):
    return next(check for check in CHECKS if check.claim == f"robust_duality.{claim}")


@pytest.mark.parametrize("kind", list(FactorSet))
def test_a_multiplier_that_is_off_by_a_little_is_noticed(kind):
    check = check_of(kind)
    statement, evidence = find(check)
    data = evidence.to_json()
    record = data["certificate"]["claims"][0]
    record["z"][0] = str(Fraction(record["z"][0]) + Fraction(1, 10**9))
    assert "bound" in check.method.recheck(statement, Evidence.from_json(data))


def test_evidence_of_one_divergence_does_not_pass_for_another():
    _, evidence = find(check_of("kl_constrained"))
    other = check_of("chi2_constrained")
    assert other.method.recheck(other.statement, evidence) is not None
    shifted = dataclasses.replace(evidence, finding=Finding.VIOLATION)
    assert check_of("kl_constrained").method.recheck(check_of("kl_constrained").statement, shifted) is not None


@pytest.mark.parametrize("kind", list(FactorSet))
def test_the_programmes_agree_with_the_ones_of_cvxpy(kind):
    case = duality.PAIRS["zero mass at the least value"]
    enclosure = certify(duality.duality(case, kind=kind, tolerance=duality.CONE_TOLERANCE, modelled=True).program)
    ours = certify(duality.program(kind, case))
    for certificate in (enclosure, ours):
        assert 0 <= number(certificate.gap) < 1e-7
    assert number(enclosure.lower) == pytest.approx(number(ours.lower), abs=1e-7)


def test_the_programme_of_a_law_is_the_adversarys_problem():
    """The solver's worst law, with its shares of the divergence, is a feasible point whose objective is the value."""
    case = duality.PAIRS["ties"]
    law, values = duality.arrays(case)
    for kind in FactorSet:
        level = float(case.level(kind))
        worst = worst_laws(kind, law, values, level)
        programme = duality.program(kind, case)
        shares = {
            "tv": np.abs(worst - law),
            "kl": np.where(worst > 0, worst * np.log(np.where(worst > 0, worst, 1) / law), 0.0),
            "chi2": worst**2 / law,
        }[kind.divergence]
        costs = np.array([number(c) for c in programme.c])
        value = costs @ np.concatenate([worst, shares]) + number(programme.constant)
        assert value == pytest.approx(float(backup(kind, law, values, level)), abs=1e-12)
        slack = programme.slack([exact(float(x)) for x in np.concatenate([worst, shares])])
        assert all(number(s) > -1e-12 for s in slack[1 : 1 + programme.cones.nonneg])


def test_exact_laws_are_those_of_the_solver():
    for case in duality.MORE_PAIRS.values():
        law, values = duality.arrays(case)
        np.testing.assert_allclose(
            worst_laws("tv_constrained", law, values, float(case.radius)),
            [float(q) for q in duality.strip(case)],
            atol=1e-15,
        )
        np.testing.assert_allclose(
            worst_laws("chi2_regularised", law, values, float(case.penalty)),
            [float(q) for q in duality.truncate(case)[0]],
            atol=1e-14,
        )


def test_the_kept_mass_of_saturation_is_an_infimum():
    """The constants of the saturation check, by scanning the mass of the least of two values."""
    lowest = {"tv": math.inf, "kl": math.inf, "chi2": math.inf}
    for mass in np.concatenate([np.linspace(0.001, 0.999, 333), 1 - np.logspace(-3, -7, 20)]):
        law = np.array([mass, 1 - mass])
        thresholds = {"tv": 1 - mass, "kl": -math.log(mass), "chi2": 1 / mass - 1}
        for key, radius in thresholds.items():
            kept = float(backup(f"{key}_constrained", law, [0.0, 1.0], 0.5 * radius)) / (1 - mass)
            lowest[key] = min(lowest[key], kept)
    for key, bound in search.KEPT_AT_HALF.items():
        assert bound - 1e-9 <= lowest[key] <= bound + 0.007
    assert divergence("kl", [1.0, 0.0], [0.5, 0.5]) == pytest.approx(math.log(2))


@pytest.mark.parametrize("check", [check for check in duality.CHECKS if check.tier == Tier.FULL], ids=name)
def test_the_problems_as_modelled_are_certified_too(check):
    results = {unit: check.method.run(check.statement, unit, Context()) for unit in check.method.units(Tier.FULL)}
    assert check.method.fold(results).finding == Finding.CERTIFICATE
    for mutant in check.mutants:
        statement = check.statement_of(mutant)
        killed = (check.method.run(statement, unit, Context()) for unit in check.method.units(Tier.FULL))
        assert any(check.method.settles(result) for result in killed), mutant.name
