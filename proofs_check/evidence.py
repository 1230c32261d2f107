r"""What a method hands back: comparisons, findings and the data that another person needs to check them again.

Everything here is plain data that survives a round trip through JSON (`to_json`, `from_json`): evidence is stored,
shown and re-verified long after the objects that produced it are gone. Exact rationals travel as strings ``"p/q"``.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from fractions import Fraction
from typing import Any, Literal

from theory.claim import Level

Json = Any
"""Value that `json` can write: None, bool, int, float, str, list or dict with string keys."""

Relation = Literal["<=", "==", ">="]
Number = float | int | Fraction

DEFAULT_TOLERANCE = 1e-9
"""Rounding allowance of a floating-point comparison, relative to the larger side (or to one)."""


class Finding(StrEnum):
    """What a method found for one statement; the engine turns it into a verdict."""

    PROOF = "proof"
    CERTIFICATE = "certificate"
    NO_VIOLATION = "no violation"
    UNDECIDED = "undecided"
    VIOLATION = "violation"

    @property
    def level(self) -> Level:
        """Level that a claim reaches when this is found for it."""
        return {
            Finding.PROOF: Level.PROVED,
            Finding.CERTIFICATE: Level.CERTIFIED,
            Finding.NO_VIOLATION: Level.SUPPORTED,
            Finding.UNDECIDED: Level.INCONCLUSIVE,
            Finding.VIOLATION: Level.REFUTED,
        }[self]


@dataclass(frozen=True)
class Comparison:
    """Two sides of a relation on one instance.

    Parameters
    ----------
    lhs, rhs
        Compared exactly if both are integers or fractions, else in floating point with ``tolerance``.
    where
        Name of the instance, or of the part of it (``stage 2``).
    witness
        JSON from which the comparison can be computed again.
    """

    lhs: Number
    rhs: Number
    relation: Relation = "<="
    where: str = ""
    witness: Json = None
    tolerance: float = DEFAULT_TOLERANCE

    @property
    def exact(self) -> bool:
        """Whether no rounding is involved."""
        return isinstance(self.lhs, int | Fraction) and isinstance(self.rhs, int | Fraction)

    @property
    def finite(self) -> bool:
        """Whether both sides are numbers at all."""
        return self.exact or (math.isfinite(self.lhs) and math.isfinite(self.rhs))

    @property
    def allowance(self) -> float:
        """Largest excess that is put down to rounding."""
        return 0.0 if self.exact else self.tolerance * max(1.0, abs(float(self.lhs)), abs(float(self.rhs)))

    @property
    def excess(self) -> Number:
        """By how much the relation is violated; at most zero if it holds without rounding."""
        gap: Number = self.lhs - self.rhs
        signed: dict[Relation, Number] = {"<=": gap, ">=": -gap, "==": max(gap, -gap)}
        return signed[self.relation]

    @property
    def holds(self) -> bool:
        """Whether the relation holds; sides that are not finite never do."""
        return self.finite and bool(self.excess <= self.allowance)

    @property
    def ratio(self) -> float | None:
        """How much of the bound is used, in [0, 1] when an inequality between positive sides holds."""
        small, large = (self.lhs, self.rhs) if self.relation == "<=" else (self.rhs, self.lhs)
        if self.relation == "==" or not self.finite or large <= 0 or small < 0:
            return None
        return float(Fraction(small) / Fraction(large)) if self.exact else float(small / large)


@dataclass(frozen=True)
class Tightness:
    """Largest ratio lhs/rhs seen, and where."""

    ratio: float
    where: str


@dataclass(frozen=True)
class Confidence:
    """Statistics behind a sampled finding.

    ``upper`` and ``lower`` are one-sided confidence limits of the tested quantity (a violation probability, a mean, a
    slope), each at level ``alpha``.
    """

    runs: int
    alpha: float
    lower: float
    upper: float
    claimed: float
    violations: int | None = None


@dataclass(frozen=True)
class Evidence:
    """Outcome of a method on one statement (a claim or one of its mutants).

    Parameters
    ----------
    summary
        One sentence: what was shown, on what, and no more.
    instances
        Names of the instances that were used.
    skipped
        Instances that were not used, with the reason (an assumption that fails, a vacuous bound).
    witness
        For a violation: the instance, point or sample that violates, and both sides.
    nonvacuous_from
        Instance -> first value of the leading parameter at which the bound says something (None: not seen).
    certificate
        What `recheck` needs: boxes, dual variables, residuals.
    plot
        Data of a figure, ``{"kind": "regret" | "rate" | "ratios" | "curves", ...}``.
    """

    method: str
    finding: Finding
    summary: str
    instances: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    tightness: Tightness | None = None
    witness: Json = None
    confidence: Confidence | None = None
    nonvacuous_from: Mapping[str, int | None] = field(default_factory=dict)
    certificate: Json = None
    plot: Json = None

    def to_json(self) -> dict[str, Json]:
        """Return plain data; `from_json` inverts it."""
        data = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        for name in ("tightness", "confidence"):
            data[name] = None if data[name] is None else asdict(data[name])
        return {name: plain(value) for name, value in data.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> "Evidence":
        """Rebuild evidence from `to_json`."""
        entries = dict(data)
        entries["finding"] = Finding(entries["finding"])
        entries["instances"] = tuple(entries["instances"])
        if entries["tightness"] is not None:
            entries["tightness"] = Tightness(**entries["tightness"])
        if entries["confidence"] is not None:
            entries["confidence"] = Confidence(**entries["confidence"])
        return cls(**entries)


def plain(value: Any) -> Json:
    """Return ``value`` as JSON data: arrays become lists, fractions ``"p/q"``, non-finite floats strings.

    Raises
    ------
    TypeError
        Naming the type that has no JSON form; nothing is ever pickled.
    """
    if value is None or type(value) in (str, bool, int):  # nearly all of it
        return value
    if isinstance(value, str):
        return str(value) if isinstance(value, StrEnum) else value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, int):
        return int(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    raise TypeError(f"evidence cannot hold a {type(value).__name__}")


def dumps(value: Any) -> str:
    """Write canonical JSON: sorted keys, shortest round-trip floats, no spaces."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
