"""The catalogue: order, selection, and the shipped claims as a whole."""

import pytest
from tests_support import derived_claim as claim

from theory import TheoryError, catalogue
from theory.catalogue import Catalogue
from theory.claim import Origin


def test_what_a_proof_uses_comes_first():
    order = [c.id for c in Catalogue.of([claim("p.theorem", uses=("p.lemma",)), claim("p.lemma")])]
    assert order == ["p.lemma", "p.theorem"]


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ([("p.a", ()), ("p.a", ())], "p.a is defined twice"),
        ([("p.a", ("p.b",))], "p.a uses p.b, which does not exist"),
        ([("p.a", ("p.b",)), ("p.b", ("p.a",))], "cyclic: p.[ab] -> p.[ab] -> p.[ab]"),
    ],
)
def test_inconsistent_catalogues_are_refused(claims, message):
    with pytest.raises(TheoryError, match=message):
        Catalogue.of([claim(name, uses=uses) for name, uses in claims])


def test_selection_by_id_family_paper_and_library():
    found = Catalogue.of([claim("p.a"), claim("p.b"), claim("q.a")], frozenset({"q.a"}))
    assert [c.id for c in found.select("p.b")] == ["p.b"]
    assert [c.id for c in found.select("p")] == ["p.a", "p.b"]
    assert [c.id for c in found.select("lemmas")] == ["q.a"]
    assert len(found.select()) == 3
    assert [c.id for c in found.select("q", "p.a")] == ["p.a", "q.a"]
    with pytest.raises(TheoryError, match="called nothing"):
        found.select("nothing")


@pytest.fixture(scope="module")
def shipped():
    return catalogue.load()


def test_the_shipped_catalogue_is_consistent(shipped):
    assert len(shipped) >= 20
    assert shipped.papers()


def test_shipped_claims_do_not_attribute_to_a_paper_what_is_ours(shipped):
    for c in shipped:
        label = c.source.label
        assert ("Theorem" in label or "Lemma" in label) <= (c.source.origin in (Origin.STATED, Origin.FOLKLORE)), c.id


def test_shipped_bounds_have_latex_and_known_symbols(shipped):
    from theory.symbols import QUANTITIES

    for c in shipped:
        if c.bound is not None:
            assert c.bound.latex()
        if c.bound is not None and c.id not in shipped.lemma_ids:  # scalar lemmas have variables of their own
            for symbol in c.bound.relation.free_symbols:
                known = QUANTITIES.get(symbol.name)
                assert known is None or known.symbol == symbol, f"{c.id}: another {symbol} than that of theory.symbols"
