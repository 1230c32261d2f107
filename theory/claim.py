r"""Claims: numbered, cited, machine-readable statements with explicit constants.

A claim is a relation :math:`\mathrm{lhs} \le \mathrm{rhs}` (or :math:`=`, :math:`\ge`) between SymPy expressions in
named symbols, together with its assumptions, the claims that its proof uses, and an honest origin. What a check of the
claim has *shown* is not said here: that is a verdict, and belongs to the verifier.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import sympy as sp

TIERS = ("quick", "full", "soak")
"""How much work a verification spends: seconds, minutes or hours for the whole catalogue."""

MAX_SEARCH = 10**18
"""Largest parameter value at which `Bound.nonvacuous_from` still looks."""


class TheoryError(ValueError):
    """A paper, a claim or a bound is not well formed; the message names the entry."""


class Kind(StrEnum):
    """What sort of statement a claim is."""

    IDENTITY = "identity"
    INEQUALITY = "inequality"
    EXPECTATION = "expectation"
    HIGH_PROBABILITY = "high probability"
    RATE = "rate"
    LOWER_BOUND = "lower bound"
    EQUIVALENCE = "equivalence"
    COUNTEREXAMPLE = "counter-example"


class Origin(StrEnum):
    """Where a statement is from."""

    STATED = "stated"  # in the paper, with its number
    EXPLICIT = "explicit"  # our explicit-constant version of what the paper claims
    DERIVED = "derived"  # ours
    FOLKLORE = "folklore"  # textbook, with reference


class Level(StrEnum):
    """How much is known about a claim; see `Level.meets` for the order."""

    PROVED = "PROVED"
    CERTIFIED = "CERTIFIED"
    SUPPORTED = "SUPPORTED"
    INCONCLUSIVE = "INCONCLUSIVE"
    POWERLESS = "POWERLESS"
    REFUTED = "REFUTED"

    def meets(self, expected: "Level") -> bool:
        """Return whether this level is at least as strong as ``expected``.

        The order is PROVED > CERTIFIED > SUPPORTED > INCONCLUSIVE. POWERLESS meets nothing; REFUTED meets itself only.
        """
        if Level.REFUTED in (self, expected):
            return self == expected
        order = (Level.POWERLESS, Level.INCONCLUSIVE, Level.SUPPORTED, Level.CERTIFIED, Level.PROVED)
        return self != Level.POWERLESS and order.index(self) >= order.index(expected)


@dataclass(frozen=True)
class Paper:
    """A publication, cited by arXiv identifier or DOI."""

    key: str
    title: str
    authors: tuple[str, ...]
    year: int
    venue: str
    arxiv: str | None = None
    doi: str | None = None

    def __post_init__(self) -> None:
        if not (self.arxiv or self.doi):
            raise TheoryError(f"paper {self.key}: no arXiv identifier and no DOI")
        if self.arxiv and not re.fullmatch(r"\d{4}\.\d{4,5}", self.arxiv):
            raise TheoryError(f"paper {self.key}: {self.arxiv!r} is not an arXiv identifier")
        if self.doi and not re.fullmatch(r"10\.\d{4,9}/\S+", self.doi):
            raise TheoryError(f"paper {self.key}: {self.doi!r} is not a DOI")

    @property
    def short(self) -> str:
        """Authors and year: ``Azar, Osband, Munos (2017)``."""
        names = self.authors if len(self.authors) <= 3 else (f"{self.authors[0]} et al.",)
        return f"{', '.join(names)} ({self.year})"

    @property
    def link(self) -> str:
        """Permanent address of the paper."""
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else f"https://doi.org/{self.doi}"


@dataclass(frozen=True)
class Source:
    """Origin of a claim; only what a paper states is given a number in it.

    Parameters
    ----------
    where
        Number in the paper (``Theorem 2``); required for STATED and FOLKLORE, forbidden otherwise.
    note
        What differs from the paper, and how sure we are of the wording.
    """

    origin: Origin
    paper: Paper
    where: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        numbered = self.origin in (Origin.STATED, Origin.FOLKLORE)
        if numbered and not self.where:
            raise TheoryError(f"source in {self.paper.key}: {self.origin} needs its place in the reference")
        if not numbered and self.where:
            raise TheoryError(f"source in {self.paper.key}: {self.where!r} is not stated there ({self.origin})")

    @property
    def label(self) -> str:
        """One line that attributes no more than is due."""
        prefix = {
            Origin.STATED: f"{self.where} of ",
            Origin.EXPLICIT: "explicit constants by boundcheck, after ",
            Origin.DERIVED: "derived by boundcheck, in the setting of ",
            Origin.FOLKLORE: f"textbook: {self.where} of ",
        }[self.origin]
        return prefix + self.paper.short


@dataclass(frozen=True)
class Holds:
    """An assumption is met."""


@dataclass(frozen=True)
class Fails:
    """An assumption is not met, and why."""

    reason: str


@dataclass(frozen=True)
class Assumption:
    """A hypothesis of a claim as a predicate on an instance."""

    key: str
    statement: str
    test: Callable[[Any], Holds | Fails]


@dataclass(frozen=True)
class Bound:
    """A SymPy relation ``lhs <= rhs``, ``lhs >= rhs`` or ``lhs == rhs`` in named symbols.

    Raises
    ------
    TheoryError
        If the relation is of another kind, or two of its symbols share a name.
    """

    relation: sp.Rel

    def __post_init__(self) -> None:
        if not isinstance(self.relation, sp.Le | sp.Ge | sp.Eq | sp.Lt | sp.Gt):
            raise TheoryError(f"{self.relation!r} is not a relation between two expressions")
        names = [symbol.name for symbol in self.relation.free_symbols]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise TheoryError(f"two symbols named {twice[0]} with different domains: take them from theory.symbols")

    @property
    def lhs(self) -> sp.Expr:
        """Left side."""
        return self.relation.lhs

    @property
    def rhs(self) -> sp.Expr:
        """Right side: the bound proper."""
        return self.relation.rhs

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Names of the symbols of the right side, sorted."""
        return tuple(sorted(symbol.name for symbol in self.rhs.free_symbols))

    @cached_property
    def _compiled(self) -> Callable[..., float]:
        symbols = sorted(self.rhs.free_symbols, key=lambda symbol: symbol.name)
        function: Callable[..., float] = sp.lambdify(symbols, self.rhs, modules=["math"])
        return function

    def evaluate(self, **values: float) -> float:
        """Return the right side at the given values; values of symbols that do not occur are ignored.

        Raises
        ------
        TheoryError
            Naming the first missing symbol.
        """
        missing = [name for name in self.variables if name not in values]
        if missing:
            raise TheoryError(f"no value for {missing[0]} in {self.rhs}")
        return float(self._compiled(*(values[name] for name in self.variables)))

    def latex(self) -> str:
        """Return the relation in LaTeX; names of several letters are set upright, as words."""
        symbols = self.relation.atoms(sp.Symbol)
        words = {s: rf"\mathrm{{{s.name}}}" for s in symbols if len(s.name) > 2 and sp.latex(s) == s.name}
        text: str = sp.latex(self.relation, symbol_names=words)
        return text

    def nonvacuous_from(
        self, symbol: str, trivial: sp.Expr, values: Mapping[str, float] | None = None, start: int = 1
    ) -> int | None:
        """Return the first integer value of ``symbol`` from which the bound says something.

        The bound bites where its right side is below ``trivial``, a bound that holds for free (such as ``K * H`` for a
        regret). Doubling finds a value at which it bites, bisection the first one; this presumes a single crossing,
        which is the shape of sublinear bounds.

        Returns
        -------
        int or None
            None if the bound is still vacuous at ``MAX_SEARCH``.
        """
        gap = Bound(sp.Le(self.lhs, self.rhs - trivial, evaluate=False))

        def bites(value: int) -> bool:
            return gap.evaluate(**{**(values or {}), symbol: value}) < 0.0

        high = start
        while not bites(high):
            high *= 2
            if high > MAX_SEARCH:
                return None
        low = high // 2 if high > start else start - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if bites(middle) else (middle, high)
        return high


@dataclass(frozen=True)
class Claim:
    """One statement that checks can be run on.

    Parameters
    ----------
    id
        ``family.snake_case``; the family is the stem of the paper's or the lemma library's module.
    statement
        LaTeX, readable without the code.
    bound
        The relation with explicit constants, or None with ``no_bound`` saying why there is none.
    uses
        Ids of the claims that the proof rests on.
    expected
        The level that we stand behind; REFUTED (with an ``erratum``) for a statement known to be false as printed.
    from_tier
        The least tier (``quick``, ``full`` or ``soak``) with enough work to show that; below it INCONCLUSIVE is enough.
    """

    id: str
    title: str
    statement: str
    kind: Kind
    source: Source
    expected: Level
    bound: Bound | None = None
    no_bound: str = ""
    assumptions: tuple[Assumption, ...] = ()
    uses: tuple[str, ...] = ()
    erratum: str = ""
    from_tier: str = TIERS[0]

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z0-9][a-z0-9_]*", self.id):
            raise TheoryError(f"claim id {self.id!r} is not of the form family.snake_case")
        if (self.bound is None) == (not self.no_bound):
            raise TheoryError(f"claim {self.id}: give either a bound or the reason why there is none")
        if self.from_tier not in TIERS:
            raise TheoryError(f"claim {self.id}: {self.from_tier!r} is no tier")
        if self.expected == Level.POWERLESS:
            raise TheoryError(f"claim {self.id}: nobody can stand behind a powerless check")
        if (self.expected == Level.REFUTED) != bool(self.erratum):
            raise TheoryError(f"claim {self.id}: an expected refutation, and only that, carries an erratum")

    @property
    def family(self) -> str:
        """First part of the id."""
        return self.id.split(".")[0]

    @property
    def explicit_bound(self) -> Bound:
        """The bound of a claim that has one.

        Raises
        ------
        TheoryError
            With the reason why there is none.
        """
        if self.bound is None:
            raise TheoryError(f"claim {self.id} has no bound: {self.no_bound}")
        return self.bound

    def expected_at(self, tier: str) -> Level:
        """Return the level to be met at a tier."""
        return self.expected if TIERS.index(tier) >= TIERS.index(self.from_tier) else Level.INCONCLUSIVE
