"""What every method of checking has in common.

A method splits its work into *units* of about 1 to 10 s, runs each of them on a statement, and folds the results into
evidence. Units are independent, take their randomness from their own seed sequence, and return plain JSON, so that
they can run anywhere, in any order, and be stored one by one. The statement is the callable of a check, with the
changes of a mutant already applied: claim and mutants take the same code path.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from proofs_check.evidence import Evidence, Json
from theory.claim import Assumption, Fails

Statement = Callable[..., Any]
V = TypeVar("V")


class Tier(StrEnum):
    """How much work to spend: seconds, minutes or hours for the whole catalogue."""

    QUICK = "quick"
    FULL = "full"
    SOAK = "soak"


@dataclass(frozen=True)
class Sizes(Generic[V]):
    """A budget for each tier; what is not given is that of the tier below."""

    quick: V
    full: V | None = None
    soak: V | None = None

    def at(self, tier: Tier) -> V:
        """Return the budget of a tier."""
        full = self.quick if self.full is None else self.full
        soak = full if self.soak is None else self.soak
        return {Tier.QUICK: self.quick, Tier.FULL: full, Tier.SOAK: soak}[tier]


@dataclass(frozen=True)
class Context:
    """What a unit may depend on besides its statement.

    Parameters
    ----------
    seed
        Spawned from (root seed, claim id, check name, unit index): the same for a claim and its mutants.
    assumptions
        Assumptions of the claim, less those that a mutant drops.
    """

    tier: Tier = Tier.QUICK
    seed: np.random.SeedSequence = field(default_factory=lambda: np.random.SeedSequence(0))
    assumptions: tuple[Assumption, ...] = ()

    def unmet(self, instance: object) -> str | None:
        """Return the first assumption that fails on an instance, with the reason, or None."""
        for assumption in self.assumptions:
            answer = assumption.test(instance)
            if isinstance(answer, Fails):
                return f"{assumption.key}: {answer.reason}"
        return None


class Method(ABC):
    """A way of checking a statement."""

    name: ClassVar[str]

    def units(self, tier: Tier) -> tuple[str, ...]:
        """Return the keys of the units of work at a tier, in their canonical order."""
        del tier
        return ("all",)

    @abstractmethod
    def run(self, statement: Statement, unit: str, context: Context) -> Json:
        """Do one unit of work and return its result as plain JSON."""

    @abstractmethod
    def fold(self, results: Mapping[str, Json]) -> Evidence:
        """Turn the results of the units, in their canonical order, into evidence."""

    def settles(self, result: Json) -> bool:
        """Return whether this result alone refutes the statement, so that further units are not needed."""
        del result
        return False

    @abstractmethod
    def recheck(self, statement: Statement, evidence: Evidence) -> str | None:
        """Verify stored evidence without the solver or search that found it.

        Returns
        -------
        str or None
            What is wrong with the evidence, or None if it stands.
        """
