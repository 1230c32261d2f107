"""Interval proofs: soundness of the enclosures, the rules against false claims, and evidence that was tampered with."""

import copy
import json
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from flint import arb, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.evidence import Evidence, Finding
from proofs_check.methods.base import Context, Sizes, Tier
from proofs_check.methods.enclosures import FUNCTIONS, Boxes, SmoothSpan, Span, UndefinedError, compile_program
from proofs_check.methods.interval import Inequality, Interval, IntervalError, Slope, Taylor, Terms, violates
from proofs_check.methods.proof_rules import (
    SPLIT,
    Certifier,
    Goal,
    Region,
    RejectedError,
    _axis,
    pack,
    unpack,
    verify,
    verify_tree,
)
from proofs_check.papers.scalar import CHECKS

x, y, p, q = sp.symbols("x y p q", real=True)
R = sp.Rational
METHOD = Interval()


def evidence_of(*items, method=METHOD):
    unit = method.units(Tier.QUICK)[0]
    result = json.loads(json.dumps(method.run(lambda: items, unit, Context())))
    return method.fold({unit: result})


def proved(relation, *where, hints=()):
    item = Inequality(relation, where, hints)
    evidence = evidence_of(item)
    if evidence.finding == Finding.PROOF:
        assert METHOD.recheck(lambda: item, Evidence.from_json(evidence.to_json())) is None
    return evidence.finding


# ------------------------------------------------------------------------------------------------------- enclosures

rationals = st.builds(Fraction, st.integers(-40, 40), st.integers(1, 12))


@st.composite
def span_and_point(draw, *, positive=False):
    """A span, open or closed, finite or not, and a rational in it."""
    point = draw(rationals)
    if positive:
        point = abs(point) + Fraction(1, 100)
    below, above = draw(st.sampled_from([0, Fraction(1, 7), None])), draw(st.sampled_from([0, Fraction(3, 2), None]))
    lo = None if below is None else point - below
    hi = None if above is None else point + above
    if positive and (lo is None or lo < 0):
        lo = Fraction(0)
    ends = [None if end is None else fmpq(end.numerator, end.denominator) for end in (lo, hi)]
    span = Span.between(*ends, lo is not None and lo < point, hi is not None and hi > point)
    return span, fmpq(point.numerator, point.denominator)


def lies_in(value, span):
    below, above = value < span.lo, value > span.hi
    return not below and not above


@given(span_and_point(), span_and_point())
def test_span_arithmetic_contains_all_values(first, second):
    (a, s), (b, t) = first, second
    assert lies_in(arb(s) + arb(t), a + b)
    assert lies_in(arb(s) - arb(t), a - b)
    assert lies_in(arb(s) * arb(t), a * b)
    for exponent in (2, 3, 4):
        assert lies_in(arb(s) ** exponent, a**exponent)
    assert lies_in(abs(arb(s)), abs(a))
    assert lies_in(arb(max(s, t)), a.max(b))
    assert lies_in(arb(min(s, t)), a.min(b))
    try:
        quotient = a / b
    except UndefinedError:
        assert not b.positive
        assert not b.negative
    else:
        assert lies_in(arb(s) / arb(t), quotient)


@given(span_and_point())
def test_span_functions_contain_all_values(pair):
    span, point = pair
    for name in ("exp", "sinh", "cosh", "tanh", "atan", "erf", "sin", "cos"):
        assert lies_in(getattr(arb(point), name)(), getattr(span, name)())


@given(span_and_point(positive=True))
def test_span_functions_of_positive_values(pair):
    span, point = pair
    assert lies_in(arb(point).sqrt(), span.sqrt())
    assert lies_in(arb(point).lambertw(), span.lambertw())
    assert lies_in(arb(point) * arb(point).log(), span.xlogx())
    if span.positive:
        assert lies_in(arb(point).log(), span.log())


def test_every_function_has_all_three_arithmetics():
    for name in FUNCTIONS.values():
        assert hasattr(Span, name)
        assert hasattr(Boxes, name)
        assert name == "xlogx" or hasattr(arb, name)


def test_open_ends_decide_signs():
    unit = Span.between(fmpq(0), fmpq(1), True, True)
    one = Span.between(fmpq(1), fmpq(1))
    assert (one - unit).positive
    assert (unit * (one - unit)).positive
    assert not Span.between(fmpq(0), fmpq(1)).positive
    assert (Span.between(None, None) ** 2).nonnegative
    with pytest.raises(UndefinedError, match="zero"):
        one / Span.between(fmpq(0), fmpq(1))


def test_smooth_spans_refuse_kinks_and_squares_do_not():
    around_zero = SmoothSpan.between(fmpq(-1), fmpq(1))
    for kink in (abs, lambda s: s.max(s), lambda s: SmoothSpan.between(fmpq(0), fmpq(1)).sqrt()):
        with pytest.raises(UndefinedError):
            kink(around_zero)
    assert (around_zero**2).nonnegative


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(1, 9))
def test_programs_agree_with_sympy(numerator, denominator):
    value = R(numerator, denominator)
    f = x * sp.log(x) + sp.exp(-x) / sp.sqrt(1 + x) + sp.Max(x, 1) ** R(1, 3) + 2**x - sp.LambertW(x) * sp.pi
    expected = sp.N(f.subs(x, value), 30)
    ball = compile_program([f], (x,), "arb")(arb(fmpq(numerator, denominator)))[0]
    assert abs(float(ball) - float(expected)) < 1e-12
    span = compile_program([f], (x,), "span")(Span.between(*[fmpq(numerator, denominator)] * 2))[0]
    assert lies_in(ball, span)
    assert float(span.hi - span.lo) < 1e-10
    column = np.array([float(value)])
    boxes = compile_program([f], (x,), "boxes")(Boxes(column, column))[0]
    assert boxes.lo[0] == pytest.approx(float(expected), rel=1e-12)


@settings(max_examples=40)
@given(st.integers(0, 12), st.data())
def test_balls_contain_their_boxes(level, data):
    """Corners of unit boxes, mapped exactly, lie in the balls that are certified, for dyadic and other ends."""
    index = data.draw(st.integers(0, 2**level - 1))
    for lo, hi in ((R(0), R(1)), (R(-1, 3), R(22, 7)), (R(1, 10), R(10**6))):
        region = Region((_axis((x, lo, hi)),))
        low = np.array([[index / 2**level]])
        high = np.array([[(index + 1) / 2**level]])
        centre, radius = Certifier(Goal(x, region), 0)._balls(low, high, level)
        ball = arb(float(centre[0, 0]), float(radius[0, 0]))
        for corner in (low, high):
            exact = region.axes[0].at(fmpq(*float(corner[0, 0]).as_integer_ratio()))
            assert ball.overlaps(arb(exact))
            assert fmpq(*float(centre[0, 0]).as_integer_ratio()) - exact <= fmpq(
                *float(radius[0, 0]).as_integer_ratio()
            )


# ------------------------------------------------------------------------------------------------------- true claims


@pytest.mark.parametrize(
    ("relation", "where"),
    [
        (sp.exp(x) <= 1 + x + x**2, (x, -1, 1)),
        (sp.exp(x) <= 1 + x + x**2, (x, -sp.oo, R(179, 100))),
        (sp.cos(x) >= 1 - x**2 / 2, (x, -sp.oo, sp.oo)),
        (sp.erf(x) < 1, (x, -sp.oo, sp.oo)),
        (sp.log(x) < sp.sqrt(x), (x, sp.Interval.open(0, sp.oo))),
        (x * sp.log(x) >= -sp.exp(-1) - R(1, 10**6), (x, 0, sp.oo)),
        (sp.atan(x) <= x, (x, 0, sp.oo)),
        (sp.sqrt(x) - sp.sqrt(x - 1) >= 1 / (2 * sp.sqrt(x)), (x, 1, sp.oo)),
        (sp.log(1 + x) >= x / (1 + x), (x, sp.Interval.open(-1, sp.oo))),
    ],
)
def test_true_inequalities_of_one_variable(relation, where):
    assert proved(relation, where) == Finding.PROOF


def test_boxes_in_two_variables():
    f = sp.exp(x * y) + sp.sin(3 * x) * sp.cosh(y) / 4
    item = Inequality(f >= R(1, 20), ((x, -1, 1), (y, -1, 1)))
    evidence = evidence_of(item)
    assert evidence.finding == Finding.PROOF
    assert evidence.certificate[0]["proof"]["rule"] == "boxes"
    grid = np.linspace(-1, 1, 301)
    a, b = np.meshgrid(grid, grid)
    assert (np.exp(a * b) + np.sin(3 * a) * np.cosh(b) / 4).min() > 1 / 20
    assert METHOD.recheck(lambda: item, evidence) is None


def test_curves_of_equality_need_their_hint():
    f = sp.exp(x - y) - 1 - (x - y)
    where = ((x, -1, 1), (y, -1, 1))
    assert proved(f >= 0, *where, hints=(Taylor(x, y, 2),)) == Finding.PROOF
    method = Interval(Sizes(2000))
    item = Inequality(f >= 0, where)
    unit = method.units(Tier.QUICK)[0]
    assert method.fold({unit: method.run(lambda: item, unit, Context())}).finding == Finding.UNDECIDED


def test_terms_and_slopes_are_checked():
    relation = sp.Ge(x**2 + y**2 - 2 * x * y, 0, evaluate=False)
    where = ((x, -1, 1), (y, -1, 1))
    assert proved(relation, *where, hints=(Terms(((x - y) ** 2,)),)) == Finding.PROOF
    goal = Inequality(relation, where).goal
    with pytest.raises(RejectedError, match="not the sum"):
        verify(goal, {"rule": "terms", "hint": 0, "parts": []}, (Terms((x**2, y**2)),))
    with pytest.raises(RejectedError, match="times"):
        verify(goal, {"rule": "slope", "hint": 0, "parts": []}, (Slope(x, y, sp.Integer(3)),))
    with pytest.raises(RejectedError, match="not zero at"):
        verify(goal, {"rule": "slope", "hint": 0, "parts": []}, (Slope(x, y / 2),))
    with pytest.raises(RejectedError, match="inside"):
        verify(goal, {"rule": "taylor", "hint": 0, "parts": []}, (Taylor(x, 2 * y, 2),))


# ------------------------------------------------------------------------------------------------------ false claims


@pytest.mark.parametrize(
    ("relation", "where"),
    [
        (sp.exp(x) <= 1 + x + x**2, ((x, -1, R(9, 5)),)),
        (sp.exp(x) >= 1 + x + R(1, 10**6), ((x, -1, 1),)),
        (sp.log(1 + x) >= x - R(4999, 10000) * x**2, ((x, 0, 1),)),
        (x - sp.log(1 + x) > 0, ((x, 0, 1),)),
        (x * y <= 1, ((x, 0, sp.oo), (y, 0, sp.oo))),
        (sp.exp(-x) * x >= R(1, 100), ((x, 1, sp.oo),)),
    ],
)
def test_false_inequalities_are_never_proved(relation, where):
    item = Inequality(relation, where)
    evidence = evidence_of(item)
    if evidence.finding == Finding.VIOLATION:
        assert METHOD.recheck(lambda: item, evidence) is None
        point = {s: float(Fraction(evidence.witness["point"][s.name])) for s in item.region.symbols}
        assert not bool(relation.subs(point)) or math.isclose(*(float(side.subs(point)) for side in relation.args))
    assert evidence.finding != Finding.PROOF


def test_most_false_inequalities_are_refuted_by_a_simple_point():
    evidence = evidence_of(Inequality(sp.exp(x) <= 1 + x + x**2, ((x, -1, 2),)))
    assert evidence.finding == Finding.VIOLATION
    assert evidence.witness["point"] == {"x": "2"}
    strict = evidence_of(Inequality(x - sp.log(1 + x) > 0, ((x, 0, 1),)))
    assert strict.witness["point"] == {"x": "0"}


@pytest.mark.parametrize(
    ("relation", "where"),
    [
        (sp.log(x) <= 1, (x, -1, 1)),
        (1 / x**2 > 0, (x, -1, 1)),
        (sp.sqrt(x) >= 0, (x, -1, 1)),
        (sp.log(x**2 - x + R(1, 4)) <= 10, (x, 0, 1)),
    ],
)
def test_undefined_sides_are_undecided(relation, where):
    evidence = evidence_of(Inequality(relation, (where,)))
    assert evidence.finding == Finding.UNDECIDED
    assert "undefined" in evidence.summary


def test_a_small_budget_names_the_box():
    method = Interval(Sizes(4))
    unit = method.units(Tier.QUICK)[0]
    item = Inequality(x * sp.sin(20 * x) <= R(199, 100), ((x, -2, 2),))
    evidence = method.fold({unit: method.run(lambda: item, unit, Context())})
    assert evidence.finding == Finding.UNDECIDED
    assert "x in [" in evidence.summary


# ------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Inequality(sp.exp(x) <= 1.5 * x, ((x, 0, 1),)), r"1\.5.* is a float; write Rational\(3, 2\)"),
        (lambda: Inequality(x * y <= 1, ((x, 0, 1),)), "no range is given for y"),
        (lambda: Inequality(sp.exp(x) >= 1, ((x, 0, sp.sqrt(2)),)), "not rational"),
        (lambda: Inequality(sp.exp(x) >= 1, ((x, 0, 0.5),)), "float"),
        (lambda: Inequality(sp.exp(x) >= 1, ((x, 1, 0),)), "lo < hi"),
        (lambda: Inequality(sp.true, ((x, 0, 1),)), "not an inequality"),
        (lambda: Inequality(sp.gamma(x) >= 0, ((x, 1, 2),)).goal and evidence_of(
            Inequality(sp.gamma(x) >= 0, ((x, 1, 2),))), "no enclosure of gamma"),
    ],
)  # fmt: skip
def test_errors_name_the_entry(make, message):
    with pytest.raises(IntervalError, match=message):
        make()


def test_assumptions_of_symbols_must_fit_their_range():
    positive, integer = sp.Symbol("s", positive=True), sp.Symbol("n", integer=True)
    with pytest.raises(IntervalError, match="one sign"):
        assert Inequality(sp.exp(positive) <= 3, ((positive, -1, 1),)) is None
    with pytest.raises(IntervalError, match="integer"):
        assert Inequality(sp.exp(integer) <= 3, ((integer, 0, 1),)) is None


def test_statements_must_return_inequalities():
    with pytest.raises(IntervalError, match="Inequality"):
        METHOD.run(lambda: sp.exp(x) >= 1, METHOD.units(Tier.QUICK)[0], Context())


# ------------------------------------------------------------------------------------------------------- tampering


@pytest.fixture(scope="module")
def exponential():
    item = Inequality(sp.exp(x) <= 1 + x + x**2, ((x, -1, 1),))
    return item, evidence_of(item)


def with_certificate(evidence, certificate):
    return Evidence.from_json({**evidence.to_json(), "certificate": certificate})


def nodes(node):
    yield node
    for part in node["parts"]:
        yield from nodes(part)


def test_evidence_of_another_statement_is_rejected(exponential):
    item, evidence = exponential
    for other in (
        Inequality(sp.exp(x) <= 1 + x + R(99, 100) * x**2, item.where),
        Inequality(item.relation, ((x, -1, R(101, 100)),)),
        Inequality(item.relation, ((x, sp.Interval.open(-1, 1)),)),
    ):
        assert METHOD.recheck(lambda other=other: other, evidence) == "the evidence belongs to another statement"


def test_a_transplanted_proof_is_rejected(exponential):
    item, evidence = exponential
    wider = Inequality(item.relation, ((x, -1, R(9, 5)),))
    certificate = [{**evidence.certificate[0], "digest": wider.digest}]
    assert METHOD.recheck(lambda: wider, with_certificate(evidence, certificate)) is not None


def test_every_altered_step_is_rejected(exponential):
    item, evidence = exponential
    count = sum(1 for _ in nodes(evidence.certificate[0]["proof"]))
    assert count > 3
    for index in range(count):
        for change in ({"rule": "zero"}, {"rule": "span", "form": 0}, {"rule": "nonsense"}, {"parts": []}, {"at": "2"}):
            certificate = copy.deepcopy(evidence.certificate)
            node = list(nodes(certificate[0]["proof"]))[index]
            altered = {**node, **change}
            if "rule" in change:
                altered["parts"] = []
            if altered == node or ("at" in change and "at" not in node):
                continue
            node.clear()
            node.update(altered)
            assert METHOD.recheck(lambda: item, with_certificate(evidence, certificate)) is not None


@pytest.fixture(scope="module")
def tree():
    goal = Inequality(sp.exp(x) * sp.cosh(y) + sp.sin(x + y) > -R(86, 100), ((x, -2, 2), (y, -2, 2))).goal
    proof = evidence_of(Inequality(sp.Gt(goal.f, 0), ((x, -2, 2), (y, -2, 2)))).certificate[0]["proof"]
    assert proof["rule"] == "boxes"
    return goal, proof["form"], unpack(proof["tree"])


def test_trees_must_cover_the_domain(tree):
    goal, form, codes = tree
    assert codes.size > 8
    verify_tree(goal, form, pack([codes]))
    with pytest.raises(RejectedError, match="does not cover"):
        verify_tree(goal, form, pack([codes[:-1]]))
    with pytest.raises(RejectedError, match="more entries"):
        verify_tree(goal, form, pack([np.append(codes, np.uint8(0))]))
    with pytest.raises(RejectedError, match="does not exist"):
        verify_tree(goal, form, pack([np.append(np.uint8(SPLIT + 2), codes[1:])]))
    with pytest.raises(RejectedError, match="cannot be read"):
        verify_tree(goal, form, "not a tree")


def test_a_tree_with_one_leaf_too_large_is_rejected(tree):
    goal, form, _ = tree
    for code in range(SPLIT):
        with pytest.raises(RejectedError, match="not shown"):
            verify_tree(goal, form, pack([np.array([code], dtype=np.uint8)]))


def test_a_moved_counter_example_is_rejected():
    item = Inequality(sp.exp(x) <= 1 + x + x**2, ((x, -1, 2),))
    evidence = evidence_of(item)
    for point in ({"x": "1"}, {"x": "3"}, {"y": "2"}, {}):
        moved = Evidence.from_json({**evidence.to_json(), "witness": {**evidence.witness, "point": point}})
        assert "does not fail" in METHOD.recheck(lambda: item, moved)
    assert not violates(item.goal, {x: fmpq(3)})


# -------------------------------------------------------------------------------------------------- the catalogue

REPRESENTATIVE = {"exp_quadratic", "log_lower", "hoeffding_core", "pinsker", "barrier_young", "root_step", "lambert"}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.claim)
def test_mutants_of_scalar_claims_die_at_exact_points(check):
    for mutant in check.mutants:
        item = check.statement_of(mutant)()
        evidence = evidence_of(item)
        assert evidence.finding == Finding.VIOLATION, mutant.name
        assert METHOD.recheck(lambda item=item: item, evidence) is None


@pytest.mark.parametrize("name", sorted(REPRESENTATIVE))
def test_scalar_claims_are_proved_on_their_whole_domain(name):
    check = next(check for check in CHECKS if check.claim == f"scalar.{name}")
    item = check.statement()
    evidence = evidence_of(item)
    assert evidence.finding == Finding.PROOF
    assert METHOD.recheck(lambda: item, evidence) is None
