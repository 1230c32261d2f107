"""Verdicts for people: rich tables in a terminal, a small table in a notebook, one JSON object for programs."""

import html
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from proofs_check.engine import MutantOutcome, Verdict
from proofs_check.evidence import Json
from proofs_check.runner import Settings, versions
from theory.claim import Level

SCHEMA = 1
"""Version of the object that ``boundcheck verify --json`` writes."""

COLOURS = {
    Level.PROVED: "bold green",
    Level.CERTIFIED: "green",
    Level.SUPPORTED: "cyan",
    Level.INCONCLUSIVE: "yellow",
    Level.POWERLESS: "bold magenta",
    Level.REFUTED: "bold red",
}


def verdict_text(verdict: Verdict) -> Text:
    """Return the level, coloured; an expected refutation is no alarm."""
    if verdict.level == verdict.expected == Level.REFUTED:
        return Text("REFUTED (as expected)", style="green")
    return Text(str(verdict.level), style=COLOURS[verdict.level])


def table(verdicts: Sequence[Verdict]) -> Table:
    """Return the table of verdicts, one row a claim, failures marked."""
    result = Table(title="Verdicts", title_justify="left", header_style="bold")
    result.add_column("")
    result.add_column("claim", no_wrap=True)
    result.add_column("verdict", no_wrap=True)
    result.add_column("method", no_wrap=True)
    for header in ("tightness", "mutants"):
        result.add_column(header, justify="right")
    result.add_column("non-vacuous from", overflow="fold")
    for verdict in sorted(verdicts, key=lambda verdict: verdict.claim.id):
        method = verdict.deciding.method if verdict.deciding else "-"
        tight = f"{verdict.tightness.ratio:.4g}" if verdict.tightness else "-"
        mark = Text("ok", style="green") if verdict.ok else Text("FAIL", style="bold red")
        row = (mark, verdict.claim.id, verdict_text(verdict), method, tight, _killed(verdict), _nonvacuous(verdict))
        result.add_row(*row)
    return result


def summary_line(verdicts: Sequence[Verdict]) -> str:
    """Return the counts in one line."""
    levels = Counter(verdict.level for verdict in verdicts)
    counts = ", ".join(f"{levels[level]} {level}" for level in Level if levels[level])
    mutants = [mutant for verdict in verdicts for mutant in verdict.mutants]
    failed = sum(not verdict.ok for verdict in verdicts)
    outcome = "all as expected" if not failed else f"{failed} weaker than expected"
    return (
        f"{len(verdicts)} claims: {counts}. Mutants killed: {sum(m.killed for m in mutants)}/{len(mutants)}. {outcome}."
    )


def verdict_panel(verdict: Verdict) -> Panel:
    """Return everything about one verdict."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    for name, value in _facts(verdict):
        facts.add_row(name, value)
    parts: list[Any] = [facts]
    if verdict.mutants:
        parts += [Text(), _mutant_table(verdict.mutants)]
    return Panel(Group(*parts), title=verdict.claim.id, title_align="left", subtitle=verdict_text(verdict))


def _facts(verdict: Verdict) -> list[tuple[str, str]]:
    facts = [
        ("title", verdict.claim.title),
        ("source", verdict.claim.source.label),
        ("shown", verdict.reason),
        ("expected", str(verdict.expected)),
    ]
    deciding = verdict.deciding
    if deciding is not None and deciding.instances:
        facts.append(("instances", ", ".join(deciding.instances)))
    if deciding is not None and deciding.skipped:
        facts.append(("skipped", "; ".join(f"{name}: {why}" for name, why in deciding.skipped.items())))
    if verdict.tightness is not None:
        facts.append(("tightness", f"{verdict.tightness.ratio:.6g} at {verdict.tightness.where}"))
    if verdict.nonvacuous_from:
        facts.append(("bites from", _nonvacuous(verdict)))
    if verdict.confidence is not None:
        confidence = verdict.confidence
        facts.append(
            ("statistics", f"{confidence.runs} runs, level {confidence.alpha:g}, limit {confidence.upper:.4g}")
        )
    facts.append(("tier, seed", f"{verdict.tier}, {verdict.seed}"))
    return facts


def _mutant_table(mutants: Sequence[MutantOutcome]) -> Table:
    result = Table(header_style="bold", box=None)
    for header in ("mutant", "what is false about it", "outcome"):
        result.add_column(header, overflow="fold")
    for mutant in mutants:
        outcome = {True: "accepted", False: "REJECTED"} if mutant.control else {True: "killed", False: "SURVIVED"}
        style = "green" if mutant.killed else "bold magenta"
        result.add_row(mutant.name, mutant.why, Text(f"{outcome[mutant.killed]}: {mutant.summary}", style=style))
    return result


def _killed(verdict: Verdict) -> str:
    return f"{sum(mutant.killed for mutant in verdict.mutants)}/{len(verdict.mutants)}"


def _nonvacuous(verdict: Verdict) -> str:
    known = verdict.nonvacuous_from
    if not known:
        return "-"
    first = min((value for value in known.values() if value is not None), default=None)
    if len(known) == 1 or first is None:
        return "never seen" if first is None else f"{first:,}"
    return f"{first:,} (best of {len(known)})"


def verdict_html(verdict: Verdict) -> str:
    """Return a table for a notebook, all text escaped."""
    rows = [("verdict", str(verdict.level)), *_facts(verdict), ("mutants killed", _killed(verdict))]
    cells = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in rows)
    return f"<table><caption>{html.escape(verdict.claim.id)}</caption>{cells}</table>"


def json_report(verdicts: Sequence[Verdict], settings: Settings) -> dict[str, Json]:
    """Return the object of ``boundcheck verify --json``; it holds no clock and no path."""
    levels = Counter(str(verdict.level) for verdict in verdicts)
    mutants = [mutant for verdict in verdicts for mutant in verdict.mutants]
    return {
        "schema": SCHEMA,
        "tier": str(settings.tier),
        "seed": settings.seed,
        "software": versions(),
        "verdicts": [verdict.to_json() for verdict in verdicts],
        "summary": {
            "claims": len(verdicts),
            "levels": {str(level): levels[level] for level in Level},
            "mutants": {"killed": sum(mutant.killed for mutant in mutants), "total": len(mutants)},
            "failed": sorted(verdict.claim.id for verdict in verdicts if not verdict.ok),
            "ok": all(verdict.ok for verdict in verdicts),
        },
    }
