"""Verdicts from findings: every way in which a claim can fail to be shown."""

from dataclasses import replace

import pytest
from tests_support import derived_claim

from proofs_check.engine import Check, CheckOutcome, Control, Mutant, MutantOutcome, judge
from proofs_check.evidence import Evidence, Finding
from proofs_check.methods.base import Context, Method, Tier
from theory import Level, TheoryError
from theory.claim import Assumption, Fails, Holds

CLAIM = derived_claim("p.c")
FALSE_CLAIM = derived_claim("p.f", expected=Level.REFUTED, erratum="wrong constant")


class Nothing(Method):
    name = "nothing"

    def run(self, statement, unit, context):
        raise NotImplementedError

    fold = recheck = run


def outcome(finding, *mutants, check="c"):
    return CheckOutcome(check, Evidence("m", finding, f"found {finding}"), tuple(mutants))


def mutant(finding, kind=Mutant):
    return MutantOutcome.of(kind("m", "why"), Evidence("m", finding, "s", witness={"x": 1}))


KILLED = mutant(Finding.VIOLATION)
SURVIVED = mutant(Finding.NO_VIOLATION)


@pytest.mark.parametrize(
    ("finding", "level"),
    [
        (Finding.PROOF, Level.PROVED),
        (Finding.CERTIFICATE, Level.CERTIFIED),
        (Finding.NO_VIOLATION, Level.SUPPORTED),
        (Finding.UNDECIDED, Level.INCONCLUSIVE),
        (Finding.VIOLATION, Level.REFUTED),
    ],
)
def test_a_finding_becomes_a_level_if_the_mutants_die(finding, level):
    verdict = judge(CLAIM, [outcome(finding, KILLED)], Tier.QUICK, 0)
    assert verdict.level == level
    assert verdict.deciding.finding == finding


@pytest.mark.parametrize("finding", [Finding.PROOF, Finding.CERTIFICATE, Finding.NO_VIOLATION])
@pytest.mark.parametrize("survivor", [Finding.PROOF, Finding.CERTIFICATE, Finding.NO_VIOLATION, Finding.UNDECIDED])
def test_a_surviving_mutant_takes_all_power(finding, survivor):
    verdict = judge(CLAIM, [outcome(finding, KILLED, mutant(survivor))], Tier.QUICK, 0)
    assert verdict.level == Level.POWERLESS
    assert not verdict.ok


def test_one_powerless_check_is_not_hidden_by_a_strong_one():
    verdict = judge(CLAIM, [outcome(Finding.PROOF, KILLED), outcome(Finding.NO_VIOLATION, SURVIVED)], Tier.QUICK, 0)
    assert verdict.level == Level.POWERLESS


def test_a_check_without_mutants_has_no_power():
    assert judge(CLAIM, [outcome(Finding.PROOF)], Tier.QUICK, 0).level == Level.POWERLESS


def test_a_check_that_shows_nothing_yet_needs_no_mutant_yet():
    check = Check("p.c", Nothing(), max, (Mutant("m", "w"), Mutant("late", "w", tier=Tier.FULL)))
    assert [mutant.name for mutant in check.mutants_at(Tier.QUICK)] == ["m"]
    assert [mutant.name for mutant in check.mutants_at(Tier.SOAK)] == ["m", "late"]
    assert judge(CLAIM, [outcome(Finding.UNDECIDED)], Tier.QUICK, 0).level == Level.INCONCLUSIVE
    assert judge(CLAIM, [outcome(Finding.NO_VIOLATION)], Tier.QUICK, 0).level == Level.POWERLESS


def test_the_strongest_finding_counts_but_one_refutation_outweighs_it():
    both = [outcome(Finding.NO_VIOLATION, KILLED), outcome(Finding.PROOF, KILLED)]
    assert judge(CLAIM, both, Tier.QUICK, 0).level == Level.PROVED
    assert judge(CLAIM, [*both, outcome(Finding.VIOLATION, KILLED)], Tier.QUICK, 0).level == Level.REFUTED


def test_every_part_must_be_shown():
    proof = outcome(Finding.PROOF, KILLED, check="step")
    base = replace(outcome(Finding.UNDECIDED, KILLED, check="base"), part=True)
    verdict = judge(CLAIM, [proof, base], Tier.QUICK, 0)
    assert verdict.level == Level.INCONCLUSIVE
    assert "part base" in verdict.reason
    certified = replace(base, evidence=replace(base.evidence, finding=Finding.CERTIFICATE))
    assert judge(CLAIM, [proof, certified], Tier.QUICK, 0).level == Level.PROVED
    refuted = replace(base, evidence=replace(base.evidence, finding=Finding.VIOLATION))
    assert judge(CLAIM, [proof, refuted], Tier.QUICK, 0).level == Level.REFUTED


def test_unfinished_work_is_inconclusive_but_a_refutation_stands():
    assert judge(CLAIM, [], Tier.QUICK, 0, "3 units missing").level == Level.INCONCLUSIVE
    refuted = judge(CLAIM, [outcome(Finding.VIOLATION, KILLED)], Tier.QUICK, 0, "3 units missing")
    assert refuted.level == Level.REFUTED


def test_an_expected_refutation_needs_an_accepted_control():
    accepted = mutant(Finding.NO_VIOLATION, Control)
    rejected = mutant(Finding.VIOLATION, Control)
    good = judge(FALSE_CLAIM, [outcome(Finding.VIOLATION, accepted)], Tier.QUICK, 0)
    assert good.level == Level.REFUTED
    assert good.ok
    assert judge(FALSE_CLAIM, [outcome(Finding.VIOLATION, rejected)], Tier.QUICK, 0).level == Level.POWERLESS
    assert not judge(FALSE_CLAIM, [outcome(Finding.PROOF, accepted)], Tier.QUICK, 0).ok


def test_a_refutation_that_nobody_controls_has_no_power():
    assert judge(FALSE_CLAIM, [outcome(Finding.VIOLATION)], Tier.QUICK, 0).level == Level.POWERLESS


def test_changes_of_a_mutant_reach_the_statement():
    check = Check("p.c", Nothing(), lambda x, constant=1: constant * x, (Mutant("m", "w", {"constant": 3}),))
    assert check.statement_of(None)(2) == 2
    assert check.statement_of(check.mutants[0])(2) == 6


def test_mutants_of_one_name_are_refused():
    with pytest.raises(TheoryError, match="two mutants are called m"):
        Check("p.c", Nothing(), max, (Mutant("m", "a"), Mutant("m", "b")))


def test_an_unmet_assumption_is_named_with_its_reason():
    positive = Assumption("positive", "x > 0", lambda x: Holds() if x > 0 else Fails(f"x is {x}"))
    assert Context(assumptions=(positive,)).unmet(1) is None
    assert Context(assumptions=(positive,)).unmet(-1) == "positive: x is -1"


def test_a_verdict_prints_escaped_in_a_notebook():
    claim = derived_claim("p.h")
    verdict = judge(claim, [CheckOutcome("c", Evidence("m", Finding.PROOF, "<script>"), (KILLED,))], Tier.QUICK, 0)
    assert "<script>" not in verdict._repr_html_()
    assert "&lt;script&gt;" in verdict._repr_html_()
    assert "PROVED" in str(verdict)
