"""Checks, mutants and verdicts.

A check runs a method on the statement of a claim, and with the same code path on deliberately false *mutants* of it.
The verdict of the claim is what the method found, provided that every mutant was rejected: a check that accepts a false
statement shows nothing about a true one, and its claim is POWERLESS.

A claim that is known to be false (``expected = REFUTED``) is checked the other way round: its check has *controls*,
true statements next to the false one, and must accept each of them. A check that rejects everything has no power
either.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proofs_check.evidence import Confidence, Evidence, Finding, Json, Tightness, plain
from proofs_check.methods.base import Method, Statement, Tier
from theory.claim import TIERS, Claim, Level, TheoryError


@dataclass(frozen=True)
class Mutant:
    """A deliberately false version of a claim.

    Parameters
    ----------
    why
        What is false about it: a constant too small, an assumption dropped, a step removed, a published mistake.
    changes
        Keyword arguments that turn the statement of the check into the false one.
    drop
        Keys of assumptions that are not demanded of the instances any more.
    tier
        The least tier with enough work to refuse it. A check that has no mutant at a tier must not show anything there.
    """

    name: str
    why: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    tier: Tier = Tier.QUICK


@dataclass(frozen=True)
class Control(Mutant):
    """A true statement next to a claim that is expected to be refuted; the check must accept it."""


@dataclass(frozen=True)
class Check:
    """A method applied to a statement of one claim.

    Parameters
    ----------
    statement
        Called by the method as its documentation says; everything that a mutant changes is a keyword argument.
    name
        Tells several checks of one claim apart.
    tier
        The least tier at which the check runs.
    part
        The check shows a part of the claim only (a base case, one of two inequalities): unless every part is shown,
        the claim is INCONCLUSIVE, whatever the other checks find.
    figure
        Returns the data of the figure in place of the method's own, as `proofs_check.report.figures` says; it is run
        once, as a unit of work of the claim and never of a mutant, and shows nothing that counts for the verdict.
    """

    claim: str
    method: Method
    statement: Statement
    mutants: tuple[Mutant, ...] = ()
    name: str = ""
    tier: Tier = Tier.QUICK
    part: bool = False
    figure: Callable[[Tier], Json] | None = None

    def __post_init__(self) -> None:
        names = [mutant.name for mutant in self.mutants]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise TheoryError(f"check of {self.claim}: two mutants are called {twice[0]}")
        if not self.name:
            object.__setattr__(self, "name", self.method.name)

    def mutants_at(self, tier: Tier) -> tuple[Mutant, ...]:
        """Return the mutants that are run at a tier."""
        return tuple(mutant for mutant in self.mutants if TIERS.index(mutant.tier) <= TIERS.index(tier))

    def variants(self, tier: Tier) -> tuple[Mutant | None, ...]:
        """Return the statement itself (None), then its mutants at a tier."""
        return (None, *self.mutants_at(tier))

    def statement_of(self, mutant: Mutant | None) -> Statement:
        """Return the statement with the changes of a mutant applied."""
        return self.statement if mutant is None else functools.partial(self.statement, **mutant.changes)


@dataclass(frozen=True)
class MutantOutcome:
    """How a mutant fared."""

    name: str
    why: str
    killed: bool
    control: bool
    summary: str
    witness: Json

    @classmethod
    def of(cls, mutant: Mutant, evidence: Evidence) -> "MutantOutcome":
        """Judge a mutant by the evidence that the check found on it."""
        control = isinstance(mutant, Control)
        accepted = evidence.finding in (Finding.PROOF, Finding.CERTIFICATE, Finding.NO_VIOLATION)
        killed = accepted if control else evidence.finding == Finding.VIOLATION
        return cls(mutant.name, mutant.why, killed, control, evidence.summary, evidence.witness)


@dataclass(frozen=True)
class CheckOutcome:
    """Evidence of one check on the claim, and the outcomes of its mutants."""

    check: str
    evidence: Evidence
    mutants: tuple[MutantOutcome, ...]
    part: bool = False


@dataclass(frozen=True, repr=False)
class Verdict:
    """What was shown about a claim, and how.

    Prints as a line (``str``), as a panel in a terminal (``rich``) and as a table in a notebook.
    """

    claim: Claim
    level: Level
    expected: Level
    reason: str
    outcomes: tuple[CheckOutcome, ...]
    tier: Tier
    seed: int

    @property
    def ok(self) -> bool:
        """Whether the verdict is at least as strong as expected."""
        return self.level.meets(self.expected)

    @property
    def deciding(self) -> Evidence | None:
        """Evidence that the level rests on: the first one found at that level."""
        for outcome in self.outcomes:
            if outcome.evidence.finding.level == self.level:
                return outcome.evidence
        return self.outcomes[0].evidence if self.outcomes else None

    @property
    def mutants(self) -> tuple[MutantOutcome, ...]:
        """Outcomes of the mutants of all checks."""
        return tuple(mutant for outcome in self.outcomes for mutant in outcome.mutants)

    @property
    def tightness(self) -> Tightness | None:
        """Largest ratio over all checks."""
        seen = [outcome.evidence.tightness for outcome in self.outcomes if outcome.evidence.tightness is not None]
        return max(seen, key=lambda tightness: tightness.ratio, default=None)

    @property
    def confidence(self) -> Confidence | None:
        """Statistics of the deciding evidence, if it was sampled."""
        return self.deciding.confidence if self.deciding else None

    @property
    def nonvacuous_from(self) -> dict[str, int | None]:
        """Instance -> first value of the leading parameter at which the bound says something."""
        merged: dict[str, int | None] = {}
        for outcome in self.outcomes:
            merged.update(outcome.evidence.nonvacuous_from)
        return merged

    def to_json(self) -> dict[str, Json]:
        """Return the documented object of ``boundcheck verify --json`` (schema 1)."""
        deciding = self.deciding
        data: dict[str, Json] = plain(
            {
                "claim": self.claim.id,
                "title": self.claim.title,
                "paper": self.claim.source.paper.key,
                "origin": self.claim.source.origin,
                "source": self.claim.source.label,
                "kind": self.claim.kind,
                "verdict": self.level,
                "expected": self.expected,
                "ok": self.ok,
                "reason": self.reason,
                "method": deciding.method if deciding else None,
                "checks": [outcome.check for outcome in self.outcomes],
                "tightness": _fields(self.tightness),
                "mutants": {
                    "killed": sum(mutant.killed for mutant in self.mutants),
                    "total": len(self.mutants),
                    "outcomes": [_fields(mutant) for mutant in self.mutants],
                },
                "instances": [name for outcome in self.outcomes for name in outcome.evidence.instances],
                "skipped": {k: v for outcome in self.outcomes for k, v in outcome.evidence.skipped.items()},
                "witness": deciding.witness if deciding else None,
                "confidence": _fields(self.confidence),
                "nonvacuous_from": self.nonvacuous_from,
                "uses": list(self.claim.uses),
            }
        )
        return data

    def __str__(self) -> str:
        killed = sum(mutant.killed for mutant in self.mutants)
        return f"{self.claim.id}: {self.level}, mutants killed {killed}/{len(self.mutants)}. {self.reason}"

    __repr__ = __str__

    def __rich__(self) -> Any:
        from proofs_check import render

        return render.verdict_panel(self)

    def _repr_html_(self) -> str:
        from proofs_check import render

        return render.verdict_html(self)


def _fields(record: object) -> Json:
    return None if record is None else vars(record)


def judge(claim: Claim, outcomes: Sequence[CheckOutcome], tier: Tier, seed: int, unfinished: str = "") -> Verdict:
    """Fold the outcomes of all checks of a claim into its verdict.

    The strongest finding counts, except that one refutation outweighs everything else, that a part that is not shown
    leaves the claim INCONCLUSIVE, and that a surviving mutant, or a check that shows something without mutants, makes
    the claim POWERLESS.

    Parameters
    ----------
    unfinished
        Why some units of work were not done; the verdict is then INCONCLUSIVE.
    """
    level, reason = _level_and_reason(claim, outcomes, unfinished)
    return Verdict(claim, level, claim.expected_at(tier), reason, tuple(outcomes), tier, seed)


def _level_and_reason(claim: Claim, outcomes: Sequence[CheckOutcome], unfinished: str) -> tuple[Level, str]:
    findings = [outcome.evidence for outcome in outcomes]
    survivors = [mutant for outcome in outcomes for mutant in outcome.mutants if not mutant.killed]
    refuting = [evidence for evidence in findings if evidence.finding == Finding.VIOLATION]
    rejected = [mutant for mutant in survivors if mutant.control]
    if rejected:
        return Level.POWERLESS, f"the true statement {rejected[0].name} was not accepted: {rejected[0].summary}"
    if refuting and claim.expected == Level.REFUTED and not any(m.control for o in outcomes for m in o.mutants):
        return Level.POWERLESS, "no control: nothing shows that the check can accept a true statement"
    if refuting:
        return Level.REFUTED, refuting[0].summary
    if unfinished:
        return Level.INCONCLUSIVE, unfinished
    if not outcomes:
        return Level.INCONCLUSIVE, "no check of this claim runs at this tier"
    missing = [outcome for outcome in outcomes if outcome.part and outcome.evidence.finding == Finding.UNDECIDED]
    if missing:
        return Level.INCONCLUSIVE, f"part {missing[0].check} is not shown: {missing[0].evidence.summary}"
    shown = [outcome for outcome in outcomes if outcome.evidence.finding != Finding.UNDECIDED]
    powerless = [outcome for outcome in shown if not outcome.mutants]
    if powerless:
        return Level.POWERLESS, f"check {powerless[0].check} has no mutant: nothing shows that it can fail"
    ranked = sorted(findings, key=lambda evidence: _STRENGTH.index(evidence.finding))
    if survivors and ranked[0].finding != Finding.UNDECIDED:
        return Level.POWERLESS, f"mutant {survivors[0].name} survived ({survivors[0].why}): {survivors[0].summary}"
    return ranked[0].finding.level, ranked[0].summary


_STRENGTH = (Finding.PROOF, Finding.CERTIFICATE, Finding.NO_VIOLATION, Finding.UNDECIDED)
