"""The three-line interface: one relation in, one answer out."""

from fractions import Fraction

import pytest
import sympy as sp

from proofs_check import prove
from proofs_check.methods.enclosures import IntervalError
from theory.claim import Level

x, y, p, q, t = sp.symbols("x y p q t")
d, e = sp.symbols("d e")


def test_the_example_of_the_documentation():
    answer = prove(sp.exp(x) <= 1 + x + x**2, where=[(x, -1, 1)])
    assert answer
    assert answer.level == Level.PROVED
    assert str(answer).startswith("PROVED (interval): exp(x) <= x**2 + x + 1 for x in [-1, 1]")
    assert repr(answer) == str(answer)
    assert "<b" in answer._repr_html_()
    assert "&lt;=" in answer._repr_html_()


def test_a_refutation_has_an_exact_point():
    answer = prove(sp.exp(x) <= 1 + x + x**2, where=[(x, -1, 2)])
    assert answer.level == Level.REFUTED
    assert not answer
    assert answer.point == {"x": Fraction(2)}


def test_curves_of_equality_are_found():
    kl = p * sp.log(p / q) + (1 - p) * sp.log((1 - p) / (1 - q))
    assert prove(kl >= 2 * (p - q) ** 2, where=[(p, 0, 1), (q, 0, 1)])
    where = [(d, 0, sp.oo), (e, sp.Interval.Ropen(0, 1))]
    assert prove(d - sp.log(1 + d) - e - sp.log(1 - e) >= d * e, where)
    assert prove(sp.sqrt(x * y) <= (x + y) / 2, where=[(x, 0, sp.oo), (y, 0, sp.oo)])


def test_symbols_range_over_their_assumptions():
    n = sp.Symbol("n", positive=True)
    assert prove(sp.log(n) <= n - 1)
    assert prove(sp.exp(x) >= 1 + x)


def test_rational_relations_go_to_the_polynomial_method():
    assert prove(x**2 + y**2 >= 2 * x * y).method == "polynomial"
    answer = prove(x * y <= (x**2 + y**2) / 2 - sp.Rational(1, 1000), where=[(x, 0, 1), (y, 0, 1)])
    assert answer.level == Level.REFUTED
    assert answer.point is not None
    assert answer.point["x"] * answer.point["y"] > (answer.point["x"] ** 2 + answer.point["y"] ** 2) / 2 - Fraction(
        1, 1000
    )


def test_identities_go_to_the_symbolic_method():
    assert prove(sp.Eq(sp.sin(x) ** 2 + sp.cos(x) ** 2, 1)).method == "symbolic"


def test_relations_that_sympy_decides_say_so():
    assert prove(sp.Symbol("r", real=True) ** 2 >= 0).method == "SymPy"
    assert prove(x**2 >= 0).level == Level.PROVED
    assert prove(sp.Integer(1) >= 2).level == Level.REFUTED


def test_what_is_not_decided_says_what_is_missing():
    answer = prove(sp.log(x) <= 1, where=[(x, -1, 1)])
    assert answer.level == Level.INCONCLUSIVE
    assert "undefined" in answer.reason


@pytest.mark.parametrize(("relation", "message"), [(sp.exp(x) <= 0.1 + x, "float"), (sp.exp(x), "not a relation")])
def test_errors_name_the_entry(relation, message):
    with pytest.raises(IntervalError, match=message):
        prove(relation)
