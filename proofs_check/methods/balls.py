r"""Comparisons of real numbers in ball arithmetic, on every listed instance.

For quantities with logarithms or roots, which have no rational form. The statement is called with an instance, at a
working precision of FLINT's context, and returns `BallComparison` objects whose sides are balls (`flint.arb`).

*What it shows.* An inequality between disjoint balls holds, or fails, without doubt: if all inequalities hold on all
instances, a certificate; if one fails, a counter-example. Balls cannot confirm an equation: where one occurs the
finding is at most that there is no violation, to the stated digits. Balls that still touch at the highest precision
decide nothing.

*What it trusts.* Arb, and that the statement computes enclosures of the two sides of the claim. A side that is a float
is an error; a float that was put into a ball before counts as the exact number that it is.

*How it can be fooled.* As `proofs_check.methods.exact`: by sides that share a mistake, and by instances that are too
special. ``tests/proofs_check/test_lemmas_b.py`` tries equal sides, sides closer than any precision, sides that are not
numbers, and edited evidence.

*Checking again.* Both sides are stored as decimal balls. `Balls.recheck` verifies all stored relations, and computes
one instance in six again, chosen by a digest of the evidence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import flint
from flint import arb

from proofs_check.evidence import Evidence, Finding, Json, Relation, Tightness
from proofs_check.methods.base import Context, Method, Statement
from proofs_check.methods.exact import (
    EmptyStatementError,
    InexactError,
    Instances,
    digest,
    find_instance,
    hashed_order,
    instances_at,
)

PRECISIONS = (128, 512)
"""Bits at which a statement is evaluated; the second if balls touch at the first."""

DIGITS = 30
"""Digits of a stored ball."""

RECHECKED_PART = 6
"""One instance in this many is computed again."""


@dataclass(frozen=True)
class BallComparison:
    """Two enclosed sides of a relation."""

    lhs: Any
    rhs: Any
    relation: Relation = "<="
    where: str = ""


def _stored(comparison: BallComparison) -> Json:
    sides = {}
    for key in ("lhs", "rhs"):
        value = getattr(comparison, key)
        if isinstance(value, float):
            raise InexactError(f"{comparison.where or 'a comparison'}: {key} is {value!r}, a float")
        ball = value if isinstance(value, arb) else arb(value)
        sides[key] = ball.str(DIGITS)
    return {**sides, "relation": comparison.relation, "where": comparison.where}


def _judge(record: Json) -> Finding:
    """Judge by the stored balls alone, so that whoever reads them comes to the same result."""
    with flint.ctx.workprec(PRECISIONS[-1]):
        lhs, rhs, relation = arb(record["lhs"]), arb(record["rhs"]), record["relation"]
        if not (lhs.is_finite() and rhs.is_finite()):
            return Finding.UNDECIDED
        if relation == "==":
            return Finding.VIOLATION if bool(lhs != rhs) else Finding.NO_VIOLATION
        small, large = (lhs, rhs) if relation == "<=" else (rhs, lhs)
        return (
            Finding.CERTIFICATE
            if bool(small <= large)
            else Finding.VIOLATION
            if bool(small > large)
            else Finding.UNDECIDED
        )


def _ratio(record: Json) -> float | None:
    if record["relation"] == "==":
        return None
    lhs, rhs = float(arb(record["lhs"]).mid()), float(arb(record["rhs"]).mid())
    small, large = (lhs, rhs) if record["relation"] == "<=" else (rhs, lhs)
    return small / large if small >= 0.0 and large > 0.0 else None


def _evaluate(statement: Statement, instance: Any) -> list[Json]:
    records: list[Json] = []
    for precision in PRECISIONS:
        with flint.ctx.workprec(precision):
            found: BallComparison | Iterable[BallComparison] = statement(instance)
            records = [_stored(c) for c in ((found,) if isinstance(found, BallComparison) else found)]
        if all(_judge(record) != Finding.UNDECIDED for record in records):
            break
    if not records:
        raise EmptyStatementError("the statement compared nothing")
    return records


@dataclass(frozen=True)
class Balls(Method):
    """Compare enclosures of both sides on every listed instance.

    Parameters
    ----------
    instances
        Names -> constructors, or a function of the tier that returns them.
    """

    instances: Instances

    name: ClassVar[str] = "balls"

    def run(self, statement: Statement, unit: str, context: Context) -> Json:
        """Return the sides on each instance, or why it was skipped."""
        del unit
        result: dict[str, Json] = {}
        for name, constructor in instances_at(self.instances, context.tier).items():
            instance = constructor()
            reason = context.unmet(instance)
            result[name] = {"skipped": reason} if reason else {"sides": _evaluate(statement, instance)}
        return result

    def settles(self, result: Json) -> bool:
        """Return whether an instance violates the statement."""
        return any(_judge(side) == Finding.VIOLATION for record in result.values() for side in record.get("sides", ()))

    def fold(self, results: Mapping[str, Json]) -> Evidence:
        """Return the weakest finding over all comparisons."""
        records = {name: record for result in results.values() for name, record in result.items()}
        skipped = {name: record["skipped"] for name, record in records.items() if "skipped" in record}
        sides = {name: record["sides"] for name, record in records.items() if "sides" in record}
        finding, summary, witness = _weakest(sides)
        return Evidence(
            self.name,
            finding,
            summary,
            instances=tuple(sides),
            skipped=skipped,
            tightness=_tightest(sides),
            witness=witness,
            certificate={"sides": sides, "digest": digest([sides, skipped, witness])},
        )

    def recheck(self, statement: Statement, evidence: Evidence) -> str | None:
        """Verify all stored relations, and compute a part of the instances again."""
        try:
            sides, mark = evidence.certificate["sides"], evidence.certificate["digest"]
            if digest([sides, evidence.skipped, evidence.witness]) != mark:
                return "the stored evidence does not have the stored digest"
            finding, _, witness = _weakest(sides)
            if (finding, witness, _tightest(sides)) != (evidence.finding, evidence.witness, evidence.tightness):
                return f"the stored sides amount to {finding}, not to the evidence"
        except (KeyError, TypeError, ValueError) as error:
            return f"the stored sides cannot be read: {type(error).__name__} {error}"
        names = [witness["instance"]] if finding == Finding.VIOLATION else hashed_order(sides, mark)
        for name in names[: max(1, len(names) // RECHECKED_PART)]:
            constructor = find_instance(self.instances, name)
            if constructor is None:
                return f"instance {name} is not listed"
            if _evaluate(statement, constructor()) != sides[name]:
                return f"instance {name}: the stored sides are not found again"
        return None


def _weakest(sides: Mapping[str, list[Json]]) -> tuple[Finding, str, Json]:
    judged = [(_judge(record), name, record) for name, records in sorted(sides.items()) for record in records]
    if not judged:
        return Finding.UNDECIDED, "no instance meets the assumptions", None
    order = (Finding.VIOLATION, Finding.UNDECIDED, Finding.NO_VIOLATION, Finding.CERTIFICATE)
    finding, name, record = min(judged, key=lambda entry: order.index(entry[0]))
    place = f"{name}, {record['where']}" if record["where"] else name
    text = f"{record['lhs']} {record['relation']} {record['rhs']}"
    if finding == Finding.VIOLATION:
        return finding, f"fails on {place}: {text} is false", {"instance": name, **record}
    if finding == Finding.UNDECIDED:
        return finding, f"the balls touch on {place}: {text}", None
    count = f"{len(judged)} comparisons on {len(sides)} instances"
    if finding == Finding.NO_VIOLATION:
        return finding, f"{count} agree to {DIGITS} digits", None
    return finding, f"{count} hold in ball arithmetic", None


def _tightest(sides: Mapping[str, list[Json]]) -> Tightness | None:
    rated = [
        (ratio, f"{name}, {record['where']}" if record["where"] else name)
        for name, records in sides.items()
        for record in records
        if (ratio := _ratio(record)) is not None
    ]
    return Tightness(*max(rated, key=lambda pair: pair[0])) if rated else None
