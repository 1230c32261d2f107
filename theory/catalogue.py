"""The catalogue: every claim by id and by paper, and the graph of what uses what.

Claims live in the modules of `theory` and of `theory.lemmas`; a module takes part by defining ``CLAIMS``. Adding a
paper adds a file and edits none.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

from theory.claim import Claim, Paper, TheoryError

LEMMAS = "lemmas"
"""Selector of all claims of the shared lemma library."""


@dataclass(frozen=True)
class Catalogue:
    """Validated collection of claims in topological order: what a proof uses comes before it.

    Raises
    ------
    TheoryError
        If an id occurs twice, a used id does not exist, or the uses are cyclic.
    """

    claims: dict[str, Claim]
    lemma_ids: frozenset[str] = field(default=frozenset())

    @classmethod
    def of(cls, claims: Iterable[Claim], lemma_ids: frozenset[str] = frozenset()) -> "Catalogue":
        """Validate and order the given claims."""
        by_id: dict[str, Claim] = {}
        for claim in claims:
            if claim.id in by_id:
                raise TheoryError(f"claim {claim.id} is defined twice")
            by_id[claim.id] = claim
        for claim in by_id.values():
            for used in claim.uses:
                if used not in by_id:
                    raise TheoryError(f"claim {claim.id} uses {used}, which does not exist")
        graph = {claim.id: sorted(claim.uses) for claim in sorted(by_id.values(), key=lambda c: c.id)}
        try:
            order = list(TopologicalSorter(graph).static_order())
        except CycleError as cycle:
            raise TheoryError(f"the uses of these claims are cyclic: {' -> '.join(cycle.args[1])}") from None
        return cls({name: by_id[name] for name in order}, lemma_ids)

    def __iter__(self) -> Iterator[Claim]:
        return iter(self.claims.values())

    def __len__(self) -> int:
        return len(self.claims)

    def __getitem__(self, claim_id: str) -> Claim:
        try:
            return self.claims[claim_id]
        except KeyError:
            raise TheoryError(f"no claim is called {claim_id}") from None

    def papers(self) -> dict[str, Paper]:
        """Return all cited papers by key."""
        papers: dict[str, Paper] = {}
        for claim in self:
            known = papers.setdefault(claim.source.paper.key, claim.source.paper)
            if known != claim.source.paper:
                raise TheoryError(f"paper {known.key} is cited in two different ways")
        return dict(sorted(papers.items()))

    def select(self, *selectors: str) -> list[Claim]:
        """Return the claims that any selector names (id, family, paper's key or ``lemmas``); all if none is given.

        Raises
        ------
        TheoryError
            Naming the first selector that matches nothing.
        """
        if not selectors:
            return list(self)
        chosen: set[str] = set()
        for selector in selectors:
            found = {claim.id for claim in self if self._matches(claim, selector)}
            if not found:
                raise TheoryError(f"no claim, family or paper is called {selector}")
            chosen |= found
        return [claim for claim in self if claim.id in chosen]

    def _matches(self, claim: Claim, selector: str) -> bool:
        if selector == LEMMAS:
            return claim.id in self.lemma_ids
        return selector in (claim.id, claim.family, claim.source.paper.key)


def module_claims(package: str) -> list[Claim]:
    """Return the ``CLAIMS`` of all modules directly inside a package."""
    claims: list[Claim] = []
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if not info.ispkg:
            claims += getattr(importlib.import_module(f"{package}.{info.name}"), "CLAIMS", ())
    return claims


def load(extra: Iterable[Claim] = ()) -> Catalogue:
    """Return the catalogue of all shipped claims and of the given ones."""
    lemmas = module_claims("theory.lemmas")
    return Catalogue.of([*lemmas, *module_claims("theory"), *extra], frozenset(claim.id for claim in lemmas))
