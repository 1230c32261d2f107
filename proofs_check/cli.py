"""The command line: ``boundcheck verify | list | show | report | recheck | search | new | doctor | bench``.

Exit status: 0 if every verdict is at least as strong as expected, 1 if one is weaker, 2 for unusable input (one line on
stderr). Everything heavy is imported inside the commands, so that ``boundcheck --help`` answers at once.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from proofs_check import threads

if TYPE_CHECKING:
    from rich.console import Console

    from proofs_check.engine import Verdict
    from proofs_check.runner import Settings

app = typer.Typer(
    name="boundcheck",
    help="Checks published bounds of reinforcement-learning theory, and must reject false versions of them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

DEFAULT_LEDGER = Path(".boundcheck/ledger.sqlite")
DEFAULT_REPORT = Path("report/index.html")

Selectors = Annotated[
    list[str] | None, typer.Argument(help="Claim ids, families, papers, or 'lemmas'.", show_default="all claims")
]
TierOption = Annotated[str, typer.Option(help="quick (seconds), full (minutes) or soak (hours).")]
SeedOption = Annotated[int, typer.Option(help="Root seed; the same seed gives the same bits.", min=0)]
JobsOption = Annotated[int, typer.Option(help="Worker processes; 0 means one per core.", min=0)]
ModuleOption = Annotated[
    list[str] | None, typer.Option("--module", help="Python file with further CLAIMS and CHECKS.", show_default=False)
]
LedgerOption = Annotated[Path, typer.Option(help="File that keeps results and evidence.")]


class InputError(Exception):
    """Something the user gave cannot be used."""


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn unusable input into one line on stderr and exit status 2."""
    from mdps.errors import InvalidModelError, InvalidPolicyError
    from proofs_check.ledger import LedgerError
    from proofs_check.registry import ModuleError
    from proofs_check.runner import CheckError
    from theory.claim import TheoryError

    known = (InputError, InvalidModelError, InvalidPolicyError, LedgerError, ModuleError, CheckError, TheoryError)
    try:
        yield
    except known as error:
        typer.echo(f"boundcheck: {' '.join(str(error).split())}", err=True)
        raise typer.Exit(2) from None


def _settings(tier: str, seed: int, jobs: int, modules: list[str] | None, budget: float | None = None) -> "Settings":
    from proofs_check.methods.base import Tier
    from proofs_check.runner import Settings

    if tier not in list(Tier):
        raise InputError(f"tier is {tier!r}, not one of {', '.join(Tier)}")
    if budget is not None and budget <= 0.0:
        raise InputError(f"budget is {budget:g} seconds, not positive")
    return Settings(Tier(tier), seed, jobs or os.cpu_count() or 1, tuple(modules or ()), budget)


@app.command()
def verify(
    selectors: Selectors = None,
    tier: TierOption = "quick",
    jobs: JobsOption = 0,
    seed: SeedOption = 0,
    budget: Annotated[float | None, typer.Option(help="Seconds after which no new work is started.")] = None,
    module: ModuleOption = None,
    ledger: LedgerOption = DEFAULT_LEDGER,
    report: Annotated[Path | None, typer.Option(help="Write the HTML report to this file too.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write one JSON object to stdout instead of a table.")
    ] = False,
) -> None:
    """Check claims and their mutants; exit 0 exactly when every verdict is at least as strong as expected."""
    with _one_line_errors():
        settings = _settings(tier, seed, jobs, module, budget)
        verdicts = _run(selectors or [], settings, ledger, quiet=as_json)
        if report is not None:
            _write_report(report, verdicts, settings)
        if as_json:
            from proofs_check import evidence, render

            typer.echo(evidence.dumps(render.json_report(verdicts, settings)))
        else:
            _print_table(verdicts, report)
    raise typer.Exit(0 if all(verdict.ok for verdict in verdicts) else 1)


def _run(selectors: list[str], settings: "Settings", ledger: Path, *, quiet: bool) -> "list[Verdict]":
    """Verify with a progress bar on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from proofs_check import registry
    from proofs_check.ledger import Ledger
    from proofs_check.runner import Run, Task

    claims = registry.load(settings.modules).catalogue.select(*selectors)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        line = bar.add_task("verifying", total=None)

        def show(task: Task, done: int, total: int) -> None:
            bar.update(line, completed=done, total=total, description=f"{task.claim:<48.48}")

        with Ledger(ledger) as store:
            run = Run(claims, settings, store, show)
            verdicts = run.verdicts()
    if not quiet:
        counts = run.counts
        typer.echo(f"{counts.computed} units of work computed, {counts.reused} taken from {ledger}", err=True)
    return verdicts


PIPE_WIDTH = 150
"""Columns of a table that is not written to a terminal."""


def _console() -> "Console":
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)


def _print_table(verdicts: "list[Verdict]", report: Path | None) -> None:
    from proofs_check import render

    console = _console()
    console.print(render.table(verdicts))
    for verdict in verdicts:
        if not verdict.ok:
            console.print(
                f"[bold red]FAIL[/] {verdict.claim.id}: {verdict.level}, expected {verdict.expected}.", end=" "
            )
            console.print(verdict.reason, markup=False, highlight=False)
    console.print(render.summary_line(verdicts), highlight=False)
    if report is not None:
        console.print(f"report: {report}", highlight=False)


def _write_report(path: Path, verdicts: "list[Verdict]", settings: "Settings") -> None:
    from proofs_check import report

    report.write(path, verdicts, settings)


@app.command("list")
def list_claims(selectors: Selectors = None, module: ModuleOption = None) -> None:
    """List claims: id, kind, expected verdict, title."""
    from rich.table import Table

    from proofs_check import registry

    with _one_line_errors():
        claims = registry.load(tuple(module or ())).catalogue.select(*(selectors or []))
    table = Table(header_style="bold")
    for header in ("claim", "kind", "expected", "title"):
        table.add_column(header, overflow="fold")
    for claim in sorted(claims, key=lambda claim: claim.id):
        table.add_row(claim.id, str(claim.kind), str(claim.expected), claim.title)
    _console().print(table)


@app.command()
def show(
    claim: Annotated[str, typer.Argument(help="Id of a claim.")],
    tier: TierOption = "quick",
    jobs: JobsOption = 0,
    seed: SeedOption = 0,
    module: ModuleOption = None,
    ledger: LedgerOption = DEFAULT_LEDGER,
) -> None:
    """Show one claim with its statement, verdict and mutants (from the ledger where it is known)."""
    with _one_line_errors():
        settings = _settings(tier, seed, jobs, module)
        for verdict in _run([claim], settings, ledger, quiet=True):
            console = _console()
            console.print(verdict.claim.statement, markup=False, highlight=False)
            console.print(verdict)


@app.command()
def report(
    selectors: Selectors = None,
    output: Annotated[Path, typer.Option(help="File to write.")] = DEFAULT_REPORT,
    tier: TierOption = "quick",
    jobs: JobsOption = 0,
    seed: SeedOption = 0,
    module: ModuleOption = None,
    ledger: LedgerOption = DEFAULT_LEDGER,
) -> None:
    """Write the HTML report (verifying what the ledger does not hold yet)."""
    with _one_line_errors():
        settings = _settings(tier, seed, jobs, module)
        _write_report(output, _run(selectors or [], settings, ledger, quiet=False), settings)
    typer.echo(str(output))


@app.command()
def recheck(
    ledger: Annotated[Path, typer.Argument(help="Ledger to verify again.")] = DEFAULT_LEDGER,
    module: ModuleOption = None,
    kernel: Annotated[
        bool, typer.Option(help="Let Coq check the exported scalar claims, where coqc is found.")
    ] = False,
) -> None:
    """Verify all stored evidence independently of the solvers and searches that found it; exit 1 if any fails."""
    from proofs_check import api

    with _one_line_errors():
        if not ledger.is_file():
            raise InputError(f"{ledger}: no such ledger; run `boundcheck verify` first")
        results = api.recheck(ledger, tuple(module or ()))
    failures = [(label, problem) for label, problem in results if problem is not None]
    for label, problem in failures:
        typer.echo(f"FAIL {label}: {problem}")
    typer.echo(f"{len(results) - len(failures)} of {len(results)} pieces of evidence stand")
    failed = bool(failures)
    if kernel:
        failed |= not _kernel_check()
    raise typer.Exit(1 if failed else 0)


def _kernel_check() -> bool:
    from proofs_check.methods import coq

    outcome = coq.check_all()
    typer.echo(outcome.summary)
    return outcome.ok


@app.command()
def search(
    claim: Annotated[str, typer.Argument(help="Id of a claim with a search check.")],
    budget: Annotated[float, typer.Option(help="Seconds to search for.")] = 10.0,
    seed: SeedOption = 0,
    module: ModuleOption = None,
) -> None:
    """Look for a counter-example, or else for the tightest instance; exit 1 if a counter-example is found."""
    import time

    import numpy as np

    from proofs_check import evidence, registry
    from proofs_check.methods.base import Context, Tier
    from proofs_check.methods.search import Search, explore

    with _one_line_errors():
        loaded = registry.load(tuple(module or ()))
        chosen = loaded.catalogue[claim]
        found = [(check.statement, check.method) for check in loaded.checks[claim] if isinstance(check.method, Search)]
        if not found:
            raise InputError(f"{claim} has no search check; its methods do not look for counter-examples")
        context = Context(Tier.QUICK, np.random.SeedSequence(seed), chosen.assumptions)
        end = time.monotonic() + budget
        statement, method = found[0]
        outcome = explore(method, statement, context, lambda: time.monotonic() < end)
    typer.echo(outcome.summary)
    if outcome.tightness is not None:
        typer.echo(f"largest ratio {outcome.tightness.ratio:.9g} at {outcome.tightness.where}")
    if outcome.witness is not None:
        typer.echo(evidence.dumps(outcome.witness))
    raise typer.Exit(1 if outcome.finding == evidence.Finding.VIOLATION else 0)


@app.command()
def new(name: Annotated[str, typer.Argument(help="Name of the paper, such as my_paper.")]) -> None:
    """Write NAME.py: a working claim with a check and a mutant, to be changed into yours."""
    from proofs_check import template

    path = Path(f"{name}.py")
    with _one_line_errors():
        if not name.isidentifier() or not name.islower():
            raise InputError(f"{name!r} is not a lower-case Python name")
        if path.exists():
            raise InputError(f"{path} exists already")
        path.write_text(template.render(name))
    typer.echo(f"{path} written; check it with: boundcheck verify {name} --module {path}")


@app.command()
def doctor() -> None:
    """Print where the packages are, versions, solvers and threads; exit 1 if they do not belong together."""
    from proofs_check import diagnosis

    lines, healthy = diagnosis.examine()
    for line in lines:
        typer.echo(line)
    raise typer.Exit(0 if healthy else 1)


@app.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Benchmarks to run.", show_default="all")] = None,
) -> None:
    """Run the benchmarks of a source checkout against their peers."""
    import subprocess

    folder = Path(__file__).resolve().parent.parent / "benchmarks"
    with _one_line_errors():
        known = {path.stem: path for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")}
        if not known:
            raise InputError(f"{folder}: no benchmarks here; they come with a source checkout only")
        unknown = [name for name in names or [] if name not in known]
        if unknown:
            raise InputError(f"no benchmark is called {unknown[0]}; there are {', '.join(known)}")
    status = 0
    for name in names or list(known):
        typer.echo(f"== {name}")
        status |= subprocess.run([sys.executable, str(known[name])], check=False).returncode
    raise typer.Exit(1 if status else 0)


def main() -> None:
    """Run the command line."""
    threads.limit()
    run: Callable[[], Any] = app
    run()


if __name__ == "__main__":
    main()
