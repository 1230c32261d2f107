"""Numbers, witnesses and statistics in words, and what the words of the report mean."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence

from proofs_check.engine import MutantOutcome, Verdict
from proofs_check.evidence import Confidence, Json, dumps
from theory.claim import Level, Origin

MEANINGS: Mapping[Level, str] = {
    Level.PROVED: "For all values in the stated domain, by a symbolic identity, a decision procedure or an interval "
    "proof. The proof object is kept and can be checked again.",
    Level.CERTIFIED: "On every instance listed, in exact arithmetic or with a verified certificate. "
    "Says nothing about other instances.",
    Level.SUPPORTED: "No violation where violations were searched for or sampled, with the confidence that is stated. "
    "Not a proof.",
    Level.INCONCLUSIVE: "Nothing was shown: too small a budget, a bound that is vacuous on all instances, or no "
    "instance that meets the assumptions.",
    Level.POWERLESS: "The check also accepted a false version of the claim, so its answer carries no weight.",
    Level.REFUTED: "A counter-example was found, evaluated again and stored.",
}

ORIGINS: Mapping[Origin, str] = {
    Origin.STATED: "Printed in the paper, under the number given.",
    Origin.EXPLICIT: "A version with explicit constants of what the paper claims; not printed there.",
    Origin.DERIVED: "Not in the paper; derived in its setting.",
    Origin.FOLKLORE: "Textbook knowledge; the reference states it.",
}

SHORT = 140
"""Characters of a witness that are shown at once."""

LONG = 4000
"""Characters of a witness above which it is left out on paper."""

COLUMNS = 100
"""Width of the full witness."""


def number(value: Json, digits: int = 4) -> str:
    """Return a number for reading; what is none (``"inf"``) is returned as it is."""
    return f"{value:.{digits}g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def shortened(value: Json) -> str:
    """Return a witness in one line, cut where it is too long to read."""
    text = value if isinstance(value, str) else dumps(value)
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"


def is_short(value: Json) -> bool:
    """Return whether `shortened` leaves nothing out."""
    return not shortened(value).endswith("…")


def is_long(value: Json) -> bool:
    """Return whether a witness would cover pages."""
    return len(dumps(value)) > LONG


def full(value: Json, indent: str = "") -> str:
    """Return JSON on as few lines as can be read: what fits stays on one, the rest breaks at its outermost level."""
    line = json.dumps(value, sort_keys=True, ensure_ascii=False)
    scalars = isinstance(value, list) and not any(isinstance(item, list | dict) for item in value)
    if len(indent) + len(line) <= COLUMNS or scalars or not isinstance(value, list | dict):
        return line
    inner = indent + "  "
    if isinstance(value, list):
        parts = [full(item, inner) for item in value]
        opening, closing = "[]"
    else:
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {full(value[key], inner)}" for key in sorted(value)]
        opening, closing = "{}"
    body = ",\n".join(inner + part for part in parts)
    return f"{opening}\n{body}\n{indent}{closing}"


def statistics(confidence: Confidence) -> str:
    """Return what was sampled, with the limits and their level."""
    counted = "" if confidence.violations is None else f", {confidence.violations:,} violations"
    limits = f"limits [{number(confidence.lower)}, {number(confidence.upper)}]"
    return (
        f"{confidence.runs:,} runs{counted}; {limits}, each one-sided at level {number(confidence.alpha)}; "
        f"claimed {number(confidence.claimed)}"
    )


def familywise(verdicts: Sequence[Verdict]) -> str:
    """Return the statement about the errors of all sampled checks together; empty if nothing was sampled."""
    evidence = [outcome.evidence for verdict in verdicts for outcome in verdict.outcomes]
    alphas = [found.confidence.alpha for found in evidence if found.confidence is not None]
    if not alphas:
        return ""
    total = sum(alphas)
    checks = "1 check rests" if len(alphas) == 1 else f"{len(alphas)} checks rest"
    if total >= 1.0:
        return (
            f"{checks} on sampling. The levels add up to {number(total)}, so that the union bound says nothing about "
            "all of them together."
        )
    return (
        f"{checks} on sampling. By the union bound (Bonferroni) the probability that any of the confidence limits that "
        f"they were judged by is wrong is at most {number(total)}, the sum of their levels."
    )


def unsampled_support(verdicts: Sequence[Verdict]) -> int:
    """Return how many claims are SUPPORTED by search alone, which carries no error probability."""
    return sum(verdict.level == Level.SUPPORTED and verdict.confidence is None for verdict in verdicts)


def fate(mutant: MutantOutcome) -> str:
    """Return how a mutant (or a control, which must be accepted) fared."""
    if mutant.control:
        return "accepted" if mutant.killed else "not accepted"
    return "rejected" if mutant.killed else "survived"


def counts(verdicts: Sequence[Verdict]) -> dict[Level, int]:
    """Return how many claims reached each level."""
    found = Counter(verdict.level for verdict in verdicts)
    return {level: found[level] for level in Level}


def first_nonvacuous(verdict: Verdict) -> str:
    """Return the first value at which the bound says something on any instance, in short."""
    known = verdict.nonvacuous_from
    values = [value for value in known.values() if value is not None]
    return number(min(values)) if values else "not seen" if known else ""
