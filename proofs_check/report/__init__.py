"""The report: one self-contained HTML file that says what was shown about each claim, and how.

No network, no fonts, no scripts but a short inline one (without which everything can still be read); a content
security policy in the page enforces this. All text is escaped. The same verdicts give the same bytes: there is no clock
and no path in the page.
"""

import base64
import contextlib
import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from proofs_check import runner
from proofs_check.engine import Verdict
from proofs_check.evidence import Json
from proofs_check.report import figures, formulas, graph, words
from proofs_check.report.figures import Figure
from proofs_check.runner import Settings
from proofs_check.workers import Pool
from theory.claim import Level, Paper

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).resolve().parent

PARALLEL_FROM = 16
"""Fewest figures that are worth the start of other processes."""

BATCH = 6
"""Figures that a process draws at a time."""


@dataclass(frozen=True)
class Section:
    """Verdicts on the claims of one paper."""

    anchor: str
    paper: Paper
    verdicts: tuple[Verdict, ...]


def build(verdicts: Sequence[Verdict], settings: Settings) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    verdicts
        In the order in which they are to appear; papers come in the order of their first claim.
    settings
        Tier and seed of the run.
    """
    script = (HERE / "script.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    altered = [mutant for verdict in verdicts for mutant in verdict.mutants]
    return _environment().get_template("template.html.j2").render(
        verdicts=verdicts,
        settings=settings,
        versions=runner.versions(),
        sections=sections(verdicts),
        known={verdict.claim.id for verdict in verdicts},
        used_by=used_by(verdicts),
        figures=draw_figures(verdicts, settings.jobs),
        graph=graph.draw(verdicts),
        levels=list(Level),
        counts=words.counts(verdicts),
        failed=[verdict for verdict in verdicts if not verdict.ok],
        mutants=[mutant for mutant in altered if not mutant.control],
        controls=[mutant for mutant in altered if mutant.control],
        style=Markup((HERE / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_digest=digest,
    )  # fmt: skip


def write(path: Path, verdicts: Sequence[Verdict], settings: Settings) -> None:
    """Write the report to a file, making its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(build(verdicts, settings), encoding="utf-8", newline="\n")


def sections(verdicts: Sequence[Verdict]) -> list[Section]:
    """Return the verdicts by paper."""
    by_paper: dict[Paper, list[Verdict]] = {}
    for verdict in verdicts:
        by_paper.setdefault(verdict.claim.source.paper, []).append(verdict)
    return [
        Section(f"paper-{place}", paper, tuple(found)) for place, (paper, found) in enumerate(by_paper.items(), start=1)
    ]


def used_by(verdicts: Sequence[Verdict]) -> dict[str, list[str]]:
    """Return, for each claim, the claims of the report whose proofs rest on it."""
    users: dict[str, list[str]] = {}
    for verdict in verdicts:
        for used in verdict.claim.uses:
            users.setdefault(used, []).append(verdict.claim.id)
    return users


def draw_figures(verdicts: Sequence[Verdict], jobs: int = 1) -> dict[tuple[str, str], Figure]:
    """Return the figures by claim and check, drawn by ``jobs`` processes."""
    plots = {
        (verdict.claim.id, outcome.check): outcome.evidence.plot
        for verdict in verdicts
        for outcome in verdict.outcomes
        if outcome.evidence.plot is not None
    }
    if jobs > 1 and len(plots) >= PARALLEL_FROM:
        figures.load()
    else:
        jobs = 1
    rest = iter(plots.items())
    batches = iter(lambda: list(itertools.islice(rest, BATCH)), [])
    with contextlib.closing(Pool(jobs)) as pool:
        drawn = dict(itertools.chain.from_iterable(pool.unordered(_drawn, batches)))
    return {key: figure for key in plots if (figure := drawn[key]) is not None}


def _drawn(plots: Sequence[tuple[tuple[str, str], Json]]) -> list[tuple[tuple[str, str], Figure | None]]:
    return [(key, figures.draw(plot, "/".join(key))) for key, plot in plots]


def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["words"] = words
    environment.filters.update(
        statement=formulas.statement,
        condition=formulas.condition,
        inline=formulas.inline,
        formula=formulas.formula,
        number=words.number,
    )
    return environment
