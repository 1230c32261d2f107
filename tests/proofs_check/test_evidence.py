"""Comparisons and plain data."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.evidence import Comparison, Confidence, Evidence, Finding, Tightness, dumps, plain


def test_fractions_are_compared_without_any_tolerance():
    tiny = Fraction(1, 10**40)
    assert Comparison(Fraction(1, 3), Fraction(1, 3) + tiny).holds
    assert not Comparison(Fraction(1, 3) + tiny, Fraction(1, 3)).holds
    assert not Comparison(Fraction(1, 3) + tiny, Fraction(1, 3), "==").holds


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1.0))
def test_rounding_is_allowed_for_and_nothing_more(value, gap):
    allowance = Comparison(value, value).allowance
    assert Comparison(value + 0.5 * allowance, value).holds
    assert Comparison(value - gap, value).holds
    assert not Comparison(value + 3.0 * allowance + gap, value).holds
    assert Comparison(value + gap + 3.0 * allowance, value, ">=").holds


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("relation", ["<=", "==", ">="])
def test_sides_that_are_no_numbers_never_hold(bad, relation):
    assert not Comparison(bad, 1.0, relation).holds
    assert not Comparison(1.0, bad, relation).holds
    assert not Comparison(bad, bad, relation).holds


def test_the_ratio_says_how_much_of_the_bound_is_used():
    assert Comparison(1.0, 4.0).ratio == 0.25
    assert Comparison(4.0, 1.0, ">=").ratio == 0.25
    assert Comparison(1.0, 0.0).ratio is None
    assert Comparison(1.0, 1.0, "==").ratio is None


def test_evidence_survives_the_round_trip():
    evidence = Evidence(
        "m",
        Finding.NO_VIOLATION,
        "s",
        ("a", "b"),
        {"c": "why"},
        Tightness(0.5, "a"),
        {"x": [1, "1/3"]},
        Confidence(10, 0.01, 0.0, 0.3, 0.1, 0),
        {"a": 5, "b": None},
        {"boxes": "abc"},
    )
    assert Evidence.from_json(json.loads(dumps(evidence.to_json()))) == evidence


def test_plain_data_keeps_numbers_exactly():
    data = {"f": Fraction(1, 3), "a": np.arange(3.0), "i": np.int64(7), "n": math.nan, "t": (0.1, True)}
    assert plain(data) == {"f": "1/3", "a": [0.0, 1.0, 2.0], "i": 7, "n": "nan", "t": [0.1, True]}
    assert json.loads(dumps(data)) == plain(data)


def test_what_has_no_json_form_is_refused():
    with pytest.raises(TypeError, match="cannot hold a object"):
        plain(object())
