"""The Python interface: one claim in, one verdict out."""

from collections.abc import Sequence
from pathlib import Path

from proofs_check import registry
from proofs_check.engine import Verdict
from proofs_check.evidence import Evidence
from proofs_check.ledger import Ledger
from proofs_check.methods.base import Tier
from proofs_check.runner import STATEMENT, Progress, Run, Settings


def verify(claim: str, *, tier: str = "quick", seed: int = 0, jobs: int = 1, modules: Sequence[str] = ()) -> Verdict:
    """Check one claim and all its mutants.

    Parameters
    ----------
    claim
        Id, such as ``"value_difference.performance_difference"``.
    tier
        ``"quick"``, ``"full"`` or ``"soak"``.
    modules
        Files with further claims and checks.

    Raises
    ------
    TheoryError
        If no claim has this id.
    """
    settings = Settings(Tier(tier), seed, jobs, tuple(modules))
    chosen = registry.load(settings.modules).catalogue[claim]
    with Ledger() as ledger:
        return Run([chosen], settings, ledger, None).verdicts()[0]


def verify_all(
    *selectors: str,
    settings: Settings | None = None,
    ledger: Path | None = None,
    progress: Progress | None = None,
) -> list[Verdict]:
    """Check all selected claims (ids, families, papers' keys, ``lemmas``; all if none is given), in catalogue order."""
    settings = settings or Settings()
    claims = registry.load(settings.modules).catalogue.select(*selectors)
    with Ledger(ledger) as store:
        return Run(claims, settings, store, progress).verdicts()


def recheck(ledger: Path, modules: Sequence[str] = ()) -> list[tuple[str, str | None]]:
    """Verify all evidence in a ledger again, without the solvers and searches that found it.

    Returns
    -------
    list of (label, problem)
        The problem is None where the evidence stands.
    """
    loaded = registry.load(tuple(modules))
    sources = registry.source_digest(modules)
    results: list[tuple[str, str | None]] = []
    with Ledger(ledger) as store:
        for row in store.evidence():
            label = f"{row.claim} / {row.check}" + (f" / {row.variant}" if row.variant != STATEMENT else "")
            if not row.intact:
                results.append((label, "the stored evidence was altered"))
                continue
            if row.sources != sources:
                results.append((label, "the sources have changed since this evidence was found; verify again"))
                continue
            check = loaded.check(row.claim, row.check)
            mutant = next((mutant for mutant in check.mutants if mutant.name == row.variant), None)
            evidence = Evidence.from_json(row.data)
            results.append((label, check.method.recheck(check.statement_of(mutant), evidence)))
    return results
