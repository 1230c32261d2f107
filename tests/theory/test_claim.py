"""Claims, bounds and sources: evaluation against closed forms, and every rule that a constructor enforces."""

import dataclasses
import math

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from theory import Bound, Claim, Kind, Level, Origin, Paper, Source, TheoryError
from theory.symbols import QUANTITIES, A, H, K, S, delta, i, regret

PAPER = Paper("p", "Title", ("A", "B"), 2020, "Venue", arxiv="2001.00001")
SOURCE = Source(Origin.DERIVED, PAPER)
BOUND = Bound(sp.Le(regret, H * sp.sqrt(S * A * K * sp.log(S * A / delta))))


def claim(**changes):
    fields = {
        "id": "p.c",
        "title": "t",
        "statement": "s",
        "kind": Kind.INEQUALITY,
        "source": SOURCE,
        "expected": Level.SUPPORTED,
        "bound": BOUND,
    }
    return Claim(**{**fields, **changes})


@given(st.integers(1, 50), st.integers(1, 9), st.integers(1, 20), st.integers(1, 10**6), st.floats(0.01, 0.5))
def test_a_bound_evaluates_to_its_formula(n_states, n_actions, horizon, episodes, failure):
    expected = horizon * math.sqrt(n_states * n_actions * episodes * math.log(n_states * n_actions / failure))
    found = BOUND.evaluate(S=n_states, A=n_actions, H=horizon, K=episodes, delta=failure)
    assert found == pytest.approx(expected, rel=1e-12)


def test_sums_are_evaluated_to_their_last_term():
    bound = Bound(sp.Le(regret, sp.Sum(sp.log(1 + K / i), (i, 1, S - 1))))
    assert bound.evaluate(K=5, S=4) == pytest.approx(math.log(6) + math.log(3.5) + math.log(8 / 3))
    assert bound.evaluate(K=5, S=1) == 0.0


def test_a_missing_symbol_is_named():
    with pytest.raises(TheoryError, match="no value for delta"):
        BOUND.evaluate(S=1, A=1, H=1, K=1)


def test_latex_shows_the_constants():
    assert r"\sqrt" in BOUND.latex()
    assert "Regret" in BOUND.latex()


@pytest.mark.parametrize("constant", [1, 3, 100, 12345])
def test_nonvacuous_from_finds_the_exact_crossing(constant):
    bound = Bound(sp.Le(regret, constant * sp.sqrt(K)))
    first = bound.nonvacuous_from("K", K)
    assert constant * math.sqrt(first) < first
    assert constant * math.sqrt(first - 1) >= first - 1


def test_a_linear_bound_never_says_anything():
    assert Bound(sp.Le(regret, 2 * K)).nonvacuous_from("K", K) is None


def test_a_relation_of_another_kind_is_refused():
    with pytest.raises(TheoryError, match="not a relation"):
        Bound(sp.Ne(regret, K))


def test_two_symbols_of_one_name_are_refused():
    with pytest.raises(TheoryError, match="two symbols named K"):
        Bound(sp.Le(sp.Symbol("K"), K))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "nodot"}, "not of the form"),
        ({"id": "p.Upper"}, "not of the form"),
        ({"bound": None}, "either a bound or the reason"),
        ({"no_bound": "both given"}, "either a bound or the reason"),
        ({"expected": Level.POWERLESS}, "powerless"),
        ({"from_tier": "slow"}, "'slow' is no tier"),
        ({"expected": Level.REFUTED}, "erratum"),
        ({"erratum": "without a refutation"}, "erratum"),
    ],
)
def test_malformed_claims_are_refused(changes, message):
    with pytest.raises(TheoryError, match=message):
        claim(**changes)


def test_the_quick_tier_may_show_less():
    modest = claim(from_tier="full")
    assert modest.expected_at("quick") == Level.INCONCLUSIVE
    assert modest.expected_at("full") == modest.expected_at("soak") == Level.SUPPORTED
    assert claim().expected_at("quick") == Level.SUPPORTED


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arxiv": None}, "no arXiv identifier and no DOI"),
        ({"arxiv": "hep-th/1"}, "not an arXiv identifier"),
        ({"arxiv": None, "doi": "11.1/x"}, "not a DOI"),
    ],
)
def test_uncitable_papers_are_refused(changes, message):
    with pytest.raises(TheoryError, match=message):
        dataclasses.replace(PAPER, **changes)


def test_only_stated_claims_carry_a_number_of_the_paper():
    assert Source(Origin.STATED, PAPER, "Theorem 1").label == "Theorem 1 of A, B (2020)"
    assert "Theorem" not in SOURCE.label
    with pytest.raises(TheoryError, match="not stated there"):
        Source(Origin.EXPLICIT, PAPER, "Theorem 1")
    with pytest.raises(TheoryError, match="needs its place"):
        Source(Origin.STATED, PAPER)


def test_levels_are_ordered_and_refutation_stands_apart():
    strength = [Level.PROVED, Level.CERTIFIED, Level.SUPPORTED, Level.INCONCLUSIVE]
    for position, stronger in enumerate(strength):
        assert [stronger.meets(weaker) for weaker in strength] == [p >= position for p in range(4)]
        assert not stronger.meets(Level.REFUTED)
        assert not Level.REFUTED.meets(stronger)
        assert not Level.POWERLESS.meets(stronger)
    assert Level.REFUTED.meets(Level.REFUTED)


def test_every_symbol_has_a_meaning_and_is_its_own_key():
    for name, quantity in QUANTITIES.items():
        assert quantity.symbol.name == name
        assert quantity.meaning
        assert quantity.domain
