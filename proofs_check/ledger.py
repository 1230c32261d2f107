"""The ledger: one SQLite file of results and evidence that survives a kill at any moment.

``units`` holds one row per unit of work, keyed by a hash of everything it depends on (claim, check, variant, unit,
tier, seed, package sources, versions): a killed run resumes and computes nothing twice. ``evidence`` holds the folded
evidence of each variant, for `recheck`. Every row carries a checksum; nothing is ever pickled. The coordinating process
is the only writer (write-ahead log, one transaction per row).
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from proofs_check.evidence import Json, dumps

SCHEMA = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS units (
    key TEXT PRIMARY KEY, claim TEXT NOT NULL, label TEXT NOT NULL, payload TEXT NOT NULL, checksum TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS evidence (
    claim TEXT NOT NULL, check_name TEXT NOT NULL, variant TEXT NOT NULL, tier TEXT NOT NULL, seed INTEGER NOT NULL,
    sources TEXT NOT NULL, payload TEXT NOT NULL, checksum TEXT NOT NULL,
    PRIMARY KEY (claim, check_name, variant, tier, seed));
"""


class LedgerError(RuntimeError):
    """The ledger cannot be trusted or opened; the message says what to do."""


@dataclass(frozen=True)
class StoredEvidence:
    """A row of the table ``evidence``; ``intact`` says whether its checksum matches."""

    claim: str
    check: str
    variant: str
    tier: str
    seed: int
    sources: str
    payload: str
    intact: bool

    @property
    def data(self) -> dict[str, Json]:
        """The evidence as plain data."""
        data: dict[str, Json] = json.loads(self.payload)
        return data


class Ledger:
    """An open ledger; use it as a context manager.

    Parameters
    ----------
    path
        File to open or create; None keeps the ledger in memory.

    Raises
    ------
    LedgerError
        If the file is damaged, is no ledger, or is of another version.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(":memory:" if path is None else path, isolation_level=None, timeout=30.0)
            self._open()
        except sqlite3.DatabaseError as error:
            raise LedgerError(f"ledger {path} is damaged ({error}); move it away and run again") from error

    def _open(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        problem = self._db.execute("PRAGMA quick_check").fetchone()[0]
        if problem != "ok":
            raise LedgerError(f"ledger {self.path} is damaged ({problem}); move it away and run again")
        self._db.executescript(_TABLES)
        self._db.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (str(SCHEMA),))
        version = self._db.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()[0]
        if version != str(SCHEMA):
            raise LedgerError(f"ledger {self.path} has schema {version}, not {SCHEMA}; move it away and run again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def unit(self, key: str) -> str | None:
        """Return the stored result of a unit of work as JSON text, or None.

        Raises
        ------
        LedgerError
            If the row was altered.
        """
        row = self._db.execute("SELECT payload, checksum, label FROM units WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        payload, stored, label = row
        if checksum(key, payload) != stored:
            raise LedgerError(
                f"ledger {self.path}: the result of {label} was altered; move the file away and run again"
            )
        return str(payload)

    def put_unit(self, key: str, claim: str, label: str, payload: str) -> None:
        """Store the result of a unit of work."""
        row = (key, claim, label, payload, checksum(key, payload))
        self._db.execute("INSERT OR REPLACE INTO units VALUES (?, ?, ?, ?, ?)", row)

    def put_evidence(
        self, claim: str, check: str, variant: str, tier: str, seed: int, sources: str, data: dict[str, Json]
    ) -> None:
        """Store the evidence of a variant, replacing what an earlier run found for the same inputs."""
        payload = dumps(data)
        digest = checksum(claim, check, variant, tier, str(seed), sources, payload)
        row = (claim, check, variant, tier, seed, sources, payload, digest)
        self._db.execute("INSERT OR REPLACE INTO evidence VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def evidence(self) -> Iterator[StoredEvidence]:
        """Return all stored evidence in a fixed order."""
        with closing(
            self._db.execute("SELECT * FROM evidence ORDER BY claim, check_name, variant, tier, seed")
        ) as rows:
            for claim, check, variant, tier, seed, sources, payload, stored in rows:
                intact = checksum(claim, check, variant, tier, str(seed), sources, payload) == stored
                yield StoredEvidence(claim, check, variant, tier, seed, sources, payload, intact)

    def n_units(self) -> int:
        """Return the number of stored unit results."""
        return int(self._db.execute("SELECT COUNT(*) FROM units").fetchone()[0])


def checksum(*parts: str) -> str:
    """Return a hash of the parts of a row."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
