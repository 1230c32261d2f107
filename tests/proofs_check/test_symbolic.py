"""Attempts to fool the symbolic method, and the exact arithmetic below it."""

import json
import re
import time
from dataclasses import replace
from fractions import Fraction

import pytest
import sympy as sp
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.evidence import Evidence, Finding, dumps
from proofs_check.expressions import (
    DomainError,
    UndefinedValueError,
    UnsupportedError,
    domain_of,
    evaluate,
    is_zero,
    points,
    prove_sign,
    sign_at,
    truth,
    undefined_part,
)
from proofs_check.methods.base import Context
from proofs_check.methods.symbolic import Identity, Induction, Inequality, Minimiser, Order, Symbolic, telescoping
from theory.symbols import H, K, T, delta, eta, gamma, i, n, x, y

a, b, D = sp.symbols("a b D", positive=True)
p = sp.Symbol("p", nonnegative=True)
QUARTER = sp.Rational(1, 4)


def check(obligation):
    """Run, store as JSON, load and re-check, as the engine does."""
    method = Symbolic()
    result = json.loads(dumps(method.run(lambda: obligation, "all", Context())))
    evidence = Evidence.from_json(json.loads(dumps(method.fold({"all": result}).to_json())))
    assert method.settles(result) == (evidence.finding == Finding.VIOLATION)
    assert method.recheck(lambda: obligation, evidence) is None
    return evidence


TRUE = {
    "geometric sum": Identity(sp.Sum(gamma**i, (i, 0, n - 1)), (1 - gamma**n) / (1 - gamma)),
    "horizon": Identity(1 / (1 - gamma), 1 + gamma / (1 - gamma)),
    "radicals": Identity((sp.sqrt(a) + sp.sqrt(b)) * (sp.sqrt(a) - sp.sqrt(b)), a - b),
    "denominators of radicals": Identity(1 / (sp.sqrt(2) + 1), sp.sqrt(2) - 1),
    "exponentials": Identity(sp.exp(x + y) / sp.exp(y), sp.exp(x)),
    "powers": Identity(4**n * gamma ** (n + 1), gamma * 2 ** (2 * n) * gamma**n),
    "trigonometric": Identity(sp.sin(x) ** 2 + sp.cos(x) ** 2, sp.Integer(1)),
    "removed pole": Identity((x**2 - 1) / (x - 1), x + 1, where=(sp.Ne(x, 1),)),
    "telescoping": telescoping(1 / (i * (i + 1)), i, n / (n + 1), n),
    "sum of step sizes": Induction(2 * sp.sqrt(n), sp.Integer(1), p + 1 / sp.sqrt(n + 1), p, n, relation="<="),
    "moving range": Induction(
        2 * n, sp.Integer(1), p + 1, p, n, relation="<=", where=(sp.Le(p, 3 * n, evaluate=False),)
    ),
    "bounded recursion": Induction(H / (1 - gamma), sp.Integer(0), gamma * p + H, p, n, relation="<="),
    "recursion from below": Induction(n, sp.Integer(1), p + 1, p, n, relation=">="),
    "step size of mirror descent": Minimiser(
        D / eta + eta * T * H**2 / 2, eta, sp.sqrt(2 * D / (T * H**2)), value=H * sp.sqrt(2 * D * T)
    ),
    "unimodal, not convex": Minimiser(-x / (1 + x**2), x, sp.Integer(1), where=(x >= 0,)),
    "arithmetic and geometric mean": Inequality(sp.sqrt(a * b), (a + b) / 2),
    "touching": Inequality(gamma * (1 - gamma), QUARTER),
    "strict": Inequality(sp.Integer(0), 1 - gamma, relation="<"),
    "step size condition": Inequality(eta * a, sp.Integer(1), where=(eta <= 1 / a,)),
    "between symbols": Inequality(sp.Integer(0), (b - a) * a, where=(a <= b, b <= 3)),
    "little o": Order(sp.sqrt(n) * sp.log(n), n, n, "o"),
    "constant": Order(3 * n**2 + n, n**2, n, "~", sp.Integer(3)),
    "theta with a parameter": Order(a * n + 1, n, n, "Theta"),
    "big O": Order(n + sp.log(n), n, n, "O"),
}

FALSE = {
    "almost an integer": Identity(sp.exp(sp.pi * sp.sqrt(163)), sp.Integer(640320**3 + 744)),
    "true to 1e-15": Identity(x + sp.Rational(1, 10**15), x),
    "sign lost": Identity(sp.sqrt(x**2), x),
    "one point only": Identity(sp.Piecewise((0, sp.Eq(x, 5)), (x, True)), x),
    "rounding": Identity(sp.floor(2 * a), 2 * sp.floor(a)),
    "wrong base": telescoping(1 / (i * (i + 1)), i, n / (n + 2), n),
    "wrong step": Induction(n**2, sp.Integer(1), p + 2 * n, p, n),
    "constant too small": Induction(H / (1 - gamma) - 1, sp.Integer(0), gamma * p + H, p, n, relation="<="),
    "decreasing step": Induction(sp.Integer(5), sp.Integer(1), 6 - p, p, n, relation="<=", where=(p <= 6,)),
    "half the step size": Minimiser(D / eta + eta * T / 2, eta, sp.sqrt(D / T)),
    "a maximum": Minimiser(-(x**2), x, sp.Integer(0)),
    "a saddle": Minimiser(x**3, x, sp.Integer(0)),
    "a local minimum": Minimiser(x**4 - 4 * x**3 + 2 * x**2, x, sp.Integer(0)),
    "outside": Minimiser((x + 1) ** 2, x, sp.Integer(-1), where=(x >= 0,)),
    "slack 1e-12": Inequality(gamma * (1 - gamma), QUARTER - sp.Rational(1, 10**12)),
    "strict at the touching point": Inequality(gamma * (1 - gamma), QUARTER, relation="<"),
    "closed end": Inequality(x, sp.Integer(1), where=(x >= 0, x <= 1), relation="<"),
    "logarithm dropped": Order(sp.sqrt(n) * sp.log(n), sp.sqrt(n), n, "O"),
    "wrong constant": Order(3 * n**2 + n, n**2, n, "~", sp.Integer(4)),
    "no theta": Order(sp.sqrt(n), n, n, "Theta"),
}

OPEN = {
    "undefined at one point": (Identity((x**2 - 1) / (x - 1), x + 1), "undefined|not shown"),
    "undefined at zero": (Identity(sp.log(gamma) - sp.log(gamma**2) / 2, sp.Integer(0)), "undefined|not shown"),
    "nan": (Identity(sp.nan, x), "nan"),
    "infinite": (Identity(x + sp.zoo, x), "zoo"),
    "floating point": (Identity(0.1 * x, x / 10), "floating-point number 0.1"),
    "unknown function": (Identity(sp.Function("f")(x), sp.Function("f")(x) + 0), "f"),
    "empty domain": (Identity(x, x + 1, where=(x >= 2, x <= 1)), "domain may be empty"),
    "false domain": (Identity(x, x + 1, where=(sp.false,)), "empty"),
    "undeclared symbol": (Identity(sp.Symbol("z"), sp.Symbol("z")), "symbol z has no declared domain"),
    "two symbols of one name": (Identity(x, x + 0 * y + sp.Symbol("x", positive=True)), "two symbols are called x"),
    "transcendental sign": (Inequality(sp.log(1 + a), a), "not decided"),
    "recursion that starts too early": (Induction(n, sp.Integer(0), p + 1, p, n, start=0), "must include n = 0"),
    "kinks": (Induction(n, sp.Integer(1), sp.Max(p, 1) + 1, p, n, relation="<="), "kinks"),
    "step undefined for some values": (
        Induction(sp.Integer(9), sp.Integer(1), 3 - 1 / (p - 2), p, n, relation="<="),
        "undefined|defined|not decided",
    ),
    "values leave a moving range": (
        Induction(2 * n, sp.Integer(1), p + 1, p, n, relation="<=", where=(sp.Ne(p, 7),)),
        "not shown to be an interval",
    ),
    "oscillation": (Order(sp.sin(n), sp.Integer(1), n, "O"), "no limit"),
}


@pytest.mark.parametrize("name", TRUE)
def test_true_statements_are_proved(name):
    assert check(TRUE[name]).finding == Finding.PROOF


@pytest.mark.parametrize("name", FALSE)
def test_false_statements_are_refuted_with_a_witness(name):
    evidence = check(FALSE[name])
    assert evidence.finding == Finding.VIOLATION
    assert evidence.witness["goal"]


@pytest.mark.parametrize("name", OPEN)
def test_what_cannot_be_decided_is_said(name):
    obligation, reason = OPEN[name]
    evidence = check(obligation)
    assert evidence.finding == Finding.UNDECIDED
    assert re.search(reason, evidence.summary)


def test_one_violated_obligation_refutes_several():
    evidence = check({"right": TRUE["horizon"], "wrong": FALSE["sign lost"]})
    assert evidence.finding == Finding.VIOLATION
    assert evidence.witness["goal"] == "wrong: identity"


def test_one_open_obligation_leaves_all_open():
    assert check({"right": TRUE["horizon"], "open": OPEN["nan"][0]}).finding == Finding.UNDECIDED


@pytest.mark.parametrize("returned", [{}, 3, {"a": "x = x"}])
def test_other_statements_are_errors(returned):
    with pytest.raises((TypeError, ValueError), match="obligation"):
        Symbolic().run(lambda: returned, "all", Context())


def test_constant_belongs_to_its_kind():
    with pytest.raises(ValueError, match="constant"):
        Order(n, n, n, "O", sp.Integer(1))


def edited(evidence, change):
    data = json.loads(dumps(evidence.to_json()))
    change(data)
    return Evidence.from_json(data)


TAMPERED = {
    "sampled side": lambda d: d["certificate"]["attempts"][0]["samples"][0].update(lhs="7/3"),
    "text of the goal": lambda d: d["certificate"]["attempts"][0].update(text="x == x"),
    "digest": lambda d: d["certificate"]["attempts"][0].update(digest="0" * 16),
    "goal removed": lambda d: d["certificate"]["attempts"].pop(),
    "goal open": lambda d: d["certificate"]["attempts"][0].update(finding="undecided"),
    "route": lambda d: d["certificate"]["attempts"][0].update(route="belief"),
}


@pytest.mark.parametrize("name", TAMPERED)
@pytest.mark.parametrize("claim", ["telescoping", "touching"])
def test_tampered_proofs_are_detected(name, claim):
    evidence = edited(check(TRUE[claim]), TAMPERED[name])
    assert Symbolic().recheck(lambda: TRUE[claim], evidence) is not None


@pytest.mark.parametrize("name", FALSE)
def test_a_violation_relabelled_as_proof_is_detected(name):
    def relabel(data):
        data["finding"] = "proof"
        for attempt in data["certificate"]["attempts"]:
            attempt.update(finding="proof", route="simplify", witness=None)

    evidence = edited(check(FALSE[name]), relabel)
    assert Symbolic().recheck(lambda: FALSE[name], evidence) is not None


def test_tampered_witnesses_are_detected():
    evidence = check(FALSE["sign lost"])
    for point, lhs in (({"x": "3"}, "3"), ({"x": "-1/2"}, "1/3"), ({"y": "1"}, "1"), ({"x": "__import__"}, "1")):
        forged = replace(evidence, witness={**evidence.witness, "point": point, "lhs": lhs})
        assert Symbolic().recheck(lambda: FALSE["sign lost"], forged) is not None
    outside = check(FALSE["slack 1e-12"])
    forged = replace(outside, witness={**outside.witness, "point": {"gamma": "3/2"}})
    assert "outside" in Symbolic().recheck(lambda: FALSE["slack 1e-12"], forged)


def test_evidence_of_another_statement_is_detected():
    evidence = check(TRUE["horizon"])
    assert Symbolic().recheck(lambda: Identity(1 / (1 - gamma), 1 + gamma), evidence) is not None
    twin = sp.Symbol("eta", real=True)
    same_text = check(Identity(eta + 1, 1 + eta))
    assert Symbolic().recheck(lambda: Identity(twin + 1, 1 + twin), same_text) is not None


def test_rechecking_a_simplification_is_fast():
    method, obligation = Symbolic(), TRUE["trigonometric"]

    def seconds(function):
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    evidence = check(obligation)
    sp.core.cache.clear_cache()
    finding = seconds(lambda: method.run(lambda: obligation, "all", Context()))
    sp.core.cache.clear_cache()
    assert seconds(lambda: method.recheck(lambda: obligation, evidence)) < finding


def test_results_do_not_depend_on_anything_but_the_seed():
    runs = [dumps(Symbolic().run(lambda: TRUE["telescoping"], "all", Context())) for _ in range(2)]
    assert runs[0] == runs[1]


# ------------------------------------------------------------------------------------------------ exact expressions

EXPRESSIONS = st.recursive(
    st.sampled_from([x, y])
    | st.fractions(-3, 3, max_denominator=4).map(lambda q: sp.Rational(q.numerator, q.denominator)),
    lambda inner: (
        st.tuples(inner, inner).map(lambda pair: pair[0] + pair[1])
        | st.tuples(inner, inner).map(lambda pair: pair[0] * pair[1])
        | inner.map(lambda e: e**2)
    ),
    max_leaves=6,
)


@given(EXPRESSIONS, st.fractions(-5, 5, max_denominator=7), st.fractions(-5, 5, max_denominator=7))
@settings(max_examples=30)
def test_values_agree_with_sympy(expr, first, second):
    value = evaluate(expr, {x: fmpq(first.numerator, first.denominator), y: fmpq(second.numerator, second.denominator)})
    expected = expr.subs({x: sp.Rational(first), y: sp.Rational(second)})
    assert Fraction(int(value.p), int(value.q)) == Fraction(int(expected.p), int(expected.q))


@given(EXPRESSIONS)
@settings(max_examples=25)
def test_normal_form_knows_equal_polynomials(expr):
    assert is_zero(sp.expand(expr) - sp.Mul(expr, 1, evaluate=False))
    assert is_zero(expr + x**7 * y - sp.expand(expr)) is None


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=5), st.integers(-2, 2), st.integers(0, 3), st.booleans())
@settings(max_examples=40)
def test_proved_signs_are_signs(coefficients, low, width, strict):
    polynomial = sum(c * x**k for k, c in enumerate(coefficients)) + sp.Integer(0)
    domain = domain_of({x}, (x >= low, x <= low + width))
    minimum = min(
        [polynomial.subs(x, low), polynomial.subs(x, low + width)]
        + [
            polynomial.subs(x, root)
            for root in (sp.Poly(sp.diff(polynomial, x), x).real_roots() if sp.diff(polynomial, x).has(x) else [])
            if low <= root <= low + width
        ],
        key=lambda value: sp.N(value, 30),
    )
    holds = sp.N(minimum, 30) > 1e-20 if strict else sp.N(minimum, 30) > -1e-20
    assert bool(prove_sign(polynomial, domain, strict=strict)) == holds


@pytest.mark.parametrize(
    ("expr", "where", "strict"),
    [
        (1 - gamma, (), True),
        (1 / (1 - gamma), (), True),
        (sp.log(1 / delta), (), True),
        (x**2 + 1, (), True),
        (K - i, (i <= K,), False),
        (1 - eta * a, (eta < 1 / a,), True),
        (a + b - 2 * sp.sqrt(a) * sp.sqrt(b), (), False),
        (2 * (sp.sqrt(n + 1) - sp.sqrt(n)) - 1 / sp.sqrt(n + 1), (), True),
    ],
)
def test_signs(expr, where, strict):
    domain = domain_of(expr.free_symbols, where)
    assert prove_sign(expr, domain)
    assert bool(prove_sign(expr, domain, strict=True)) == strict
    assert prove_sign(-expr - sp.Rational(1, 10**9), domain) is None


def test_ranges_come_from_the_declared_domains():
    assert str(domain_of({delta, gamma, H})) == "H in [1, oo) integer, delta in (0, 1), gamma in [0, 1)"
    assert str(domain_of({x}, (x > 0, x >= -1, x <= 2, x < 2))) == "x in (0, 2)"
    narrowed = domain_of({gamma, a}, (gamma <= a,))
    assert all(point[gamma] <= point[a] and point[gamma] < 1 for point in points(narrowed, 50, 1))


def test_integers_beyond_fractional_bounds_are_not_skipped():
    above = domain_of({n}, (n > sp.Rational(3, 2),))
    assert str(above) == "n in [2, oo) integer"
    assert prove_sign(n - 2, above)
    assert prove_sign(n - sp.Rational(5, 2), above) is None
    symbolic = domain_of({n, a}, (n > a,))
    assert prove_sign(n - a, symbolic, strict=True)
    assert prove_sign(n - a - 1, symbolic) is None
    both = domain_of({n, i}, (n > i,))
    assert str(both) == "n in [2, oo) integer, i in [1, n - 1] integer"
    assert prove_sign(n - 1 - i, both)
    assert prove_sign(n - 2 - i, both) is None
    assert str(domain_of({a, b}, (a >= b, a < 3))) == "a in (0, 3), b in (0, a]"


def test_sampled_points_lie_in_the_domain():
    domain = domain_of({a, b, n}, (a <= b, b < 3, sp.Ne(a, 1), n <= 5))
    drawn = list(points(domain, 40, 3))
    assert len(drawn) == 40
    assert all(0 < q[a] <= q[b] < 3 and q[a] != 1 and 1 <= q[n] <= 5 and q[n].q == 1 for q in drawn)


def test_values_that_do_not_exist():
    for expr in (1 / x, sp.log(x), x ** sp.Rational(-1, 2), sp.factorial(x - 1), 1 / (sp.exp(x) - 1)):
        with pytest.raises(UndefinedValueError):
            evaluate(expr, {x: fmpq(0)})
    with pytest.raises(UnsupportedError, match="y"):
        evaluate(x + y, {x: fmpq(0)})
    with pytest.raises(DomainError, match="q"):
        domain_of({sp.Symbol("q")})


def test_values_of_functions():
    point = {x: fmpq(3, 2), n: fmpq(4)}
    for expr in (sp.Max(x, 2), sp.floor(x), sp.binomial(n, 2), sp.harmonic(n), sp.sign(-x), sp.Abs(-x)):
        assert evaluate(expr, point) == fmpq(*map(int, sp.fraction(expr.subs({x: sp.Rational(3, 2), n: 4}))))
    for expr in (sp.exp(x), sp.log(x), sp.erf(x), sp.tanh(x), sp.atan(x), x**x, sp.pi + sp.EulerGamma):
        assert abs(float(evaluate(expr, point).mid()) - float(expr.subs(x, 1.5))) < 1e-14


def test_truth_is_three_valued():
    same = sp.Eq(sp.sqrt(a) ** 2 + sp.sin(1) ** 2 + sp.cos(1) ** 2, 1 + a, evaluate=False)
    assert truth(same, {a: fmpq(2)}) is None
    assert sign_at(sp.sin(1) ** 2 + sp.cos(1) ** 2 - 1, {}) is None
    assert truth(sp.And(x < 1, sp.Ne(x, 0)), {x: fmpq(0)}) is False
    assert truth(sp.Or(x < 1, x > 2), {x: fmpq(3)}) is True


@pytest.mark.parametrize(
    ("expr", "defined"),
    [
        (1 / (1 - gamma), True),
        (1 / gamma, False),
        (sp.log(1 / delta), True),
        (1 / (a**2 - b**2), False),
        (1 / (x**2 + 1), True),
        (sp.Sum(1 / i, (i, 1, n)), True),
        (sp.Sum(1 / (i - 3), (i, 1, n)), False),
        (sp.binomial(n, 2), True),
        (sp.tan(x), False),
        (sp.sqrt(x), False),
        (sp.sqrt(1 - gamma**2), True),
    ],
)
def test_definedness(expr, defined):
    symbols = {s for s in expr.free_symbols if s != i}
    assert (undefined_part(expr, domain_of(symbols)) is None) == defined
