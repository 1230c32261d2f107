"""Attempts to fool sums of squares and the use of z3."""

import json
import re
import time
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check.evidence import Evidence, Finding, dumps
from proofs_check.methods import polynomial
from proofs_check.methods.base import Context, Sizes
from proofs_check.methods.polynomial import Polynomial, certificate, newton, problem_of, verify
from proofs_check.methods.symbolic import Goal, Identity, Inequality
from theory.symbols import eta, gamma, n, x, y

a, b, c = sp.symbols("a b c", real=True)
p, q = sp.symbols("p q", nonnegative=True)
w = sp.Symbol("w", positive=True)
TINY = sp.Rational(1, 10**12)
MOTZKIN = a**4 * b**2 + a**2 * b**4 - 3 * a**2 * b**2 + 1
CHOI_LAM = a**4 * b**2 + b**4 * c**2 + c**4 * a**2 - 3 * a**2 * b**2 * c**2
FEW = Sizes(quick=100)


def check(obligation, **options):
    """Run, store as JSON, load and re-check, as the engine does."""
    method = Polynomial(**options)
    result = json.loads(dumps(method.run(lambda: obligation, "all", Context())))
    evidence = Evidence.from_json(json.loads(dumps(method.fold({"all": result}).to_json())))
    assert method.settles(result) == (evidence.finding == Finding.VIOLATION)
    assert method.recheck(lambda: obligation, evidence) is None
    return evidence


def route(evidence):
    return evidence.certificate["attempts"][0]["route"]


SQUARES = {
    "touching on a line": Inequality(2 * a * b, a**2 + b**2),
    "three squares": Inequality(a * b + b * c + a * c, a**2 + b**2 + c**2),
    "Cauchy and Schwarz": Inequality((a * b + c * x) ** 2, (a**2 + c**2) * (b**2 + x**2)),
    "Motzkin, with a multiplier": Inequality(sp.Integer(0), MOTZKIN),
    "Choi and Lam, a form": Inequality(sp.Integer(0), CHOI_LAM),
    "strict": Inequality(2 * a * b - 1, a**2 + b**2, relation="<"),
    "greater": Inequality(a**2 + 1, 2 * a, relation=">="),
    "interval": Inequality(a * (1 - a), sp.Rational(1, 4), where=(a >= 0, a <= 1)),
    "box": Inequality(p * q, sp.Integer(1), where=(p <= 1, q <= 1)),
    "three means": Inequality(3 * p * q * w, p**3 + q**3 + w**3),
    "simplex": Inequality(p**2 + q**2, sp.Integer(1), where=(sp.Eq(p + q, 1),)),
    "circle": Inequality(a * b, sp.Rational(1, 2), where=(sp.Eq(a**2 + b**2, 1),)),
    "rational function": Inequality(1 / (1 - gamma), 1 + gamma / (1 - gamma) ** 2),
    "step size": Inequality(eta * w - eta**2 * w**2 / 2, sp.Rational(1, 2)),
    "step size condition": Inequality(sp.Integer(0), 2 * eta - eta**2 * w, where=(eta * w <= 2,)),
    "integers": Inequality(n, n**2),
    "large numbers": Inequality(200 * a * b, 10**4 * a**2 + b**2),
}

VIOLATED = {
    "slack 1e-12": Inequality(2 * a * b + TINY, a**2 + b**2),
    "Motzkin less 1e-12": Inequality(TINY, MOTZKIN),
    "strict at a touching line": Inequality(2 * a * b, a**2 + b**2, relation="<"),
    "off the grid": Inequality(sp.Integer(0), (a - sp.Rational(355, 113)) ** 2 - TINY),
    "narrow in the plane": Inequality(sp.Integer(0), (a - 3 * b**2) ** 2 + (b - sp.Rational(17, 29)) ** 2 - TINY),
    "irrational minimum": Inequality(sp.Integer(0), (a**2 - 2) ** 2 - TINY),
    "integers": Inequality(n**2, 40 * n - sp.Rational(3999, 10)),
    "constraint dropped": Inequality(sp.Integer(0), 2 * eta - eta**2 * w),
    "closed end": Inequality(a, sp.Integer(1), where=(a >= 0, a <= 1), relation="<"),
}

UNDECIDED = {
    "pole at zero": (Inequality(sp.Integer(0), 1 / a**2), {}, "undefined|denominator"),
    "pole off the grid": (
        Inequality(sp.Integer(0), (a - sp.Rational(355, 113)) ** 2 / (a - sp.Rational(355, 113)) ** 4),
        {},
        "denominator",
    ),
    "irrational counter-example": (
        Inequality(a, sp.Rational(7, 5), where=(sp.Eq(a**2, 2),)),
        {},
        "none at a rational point",
    ),
    "empty domain": (Inequality(a, a - 1, where=(a >= 2, a <= 1)), {}, "may be empty"),
    "empty over the reals": (Inequality(a, a - 1, where=(sp.Eq(a**2, -1),)), {}, "may be empty|empty"),
    "square root": (Inequality(sp.Integer(0), sp.sqrt(w)), {}, "not a polynomial"),
    "logarithm": (Inequality(sp.log(w), w), {}, "not a polynomial"),
    "irrational coefficient": (Inequality(sp.Integer(0), sp.pi * a**2), {}, "pi is not rational"),
    "floating point": (Inequality(sp.Integer(0), 0.5 * a**2), {}, "not rational|floating-point"),
    "identity": (Identity(a, a), {}, "not an inequality"),
    "resources": (
        Inequality(sp.Integer(0), CHOI_LAM + TINY),
        {"squares": False, "resources": FEW},
        "z3 stopped after 100 resource units",
    ),
}


@pytest.mark.parametrize("name", SQUARES)
def test_true_inequalities_have_rational_certificates(name):
    evidence = check(SQUARES[name])
    assert evidence.finding == Finding.PROOF
    assert route(evidence) == "sums of squares"


def test_motzkin_is_no_sum_of_squares_without_a_multiplier(monkeypatch):
    first = polynomial.relaxations
    monkeypatch.setattr(polynomial, "relaxations", lambda problem: list(first(problem))[:1])
    goal = Goal(sp.Integer(0), "<=", MOTZKIN)
    assert certificate(problem_of(goal)) is None
    evidence = check(Inequality(sp.Integer(0), MOTZKIN))
    assert evidence.finding == Finding.PROOF
    assert "z3, which is trusted" in evidence.summary


def test_badly_scaled_squares_are_left_to_z3():
    evidence = check(Inequality(2 * 10**9 * a * b, 10**18 * a**2 + b**2))
    assert evidence.finding == Finding.PROOF
    assert route(evidence).startswith("z3")


def test_strictness_that_only_comes_from_the_domain_is_left_to_z3():
    evidence = check(Inequality(sp.Integer(0), w, relation="<"))
    assert evidence.finding == Finding.PROOF
    assert route(evidence).startswith("z3")


@pytest.mark.parametrize("squares", [True, False])
@pytest.mark.parametrize("name", VIOLATED)
def test_false_inequalities_are_refuted_at_rational_points(name, squares):
    evidence = check(VIOLATED[name], squares=squares)
    assert evidence.finding == Finding.VIOLATION
    point = {key: Fraction(value) for key, value in evidence.witness["point"].items()}
    sides = [
        side.subs({s: sp.Rational(point[s.name]) for s in side.free_symbols})
        for side in (VIOLATED[name].lhs, VIOLATED[name].rhs)
    ]
    assert not (sides[0] < sides[1] if VIOLATED[name].relation == "<" else sides[0] <= sides[1])


@pytest.mark.parametrize("name", UNDECIDED)
def test_what_cannot_be_decided_is_said(name):
    obligation, options, reason = UNDECIDED[name]
    evidence = check(obligation, **options)
    assert evidence.finding == Finding.UNDECIDED
    assert re.search(reason, evidence.summary)


def test_z3_is_limited_by_resources_and_repeatable():
    runs = [
        dumps(Polynomial(Sizes(quick=20_000), squares=False).run(lambda: SQUARES["three means"], "all", Context()))
        for _ in range(2)
    ]
    assert runs[0] == runs[1]


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_random_sums_of_squares_are_recognised_and_lowered_ones_are_not(seed):
    rng = np.random.default_rng(seed)
    monomials = [sp.Integer(1), x, y]
    parts = [sum((int(k) * m for k, m in zip(rng.integers(-3, 4, 3), monomials, strict=True)), sp.S.Zero) for _ in "12"]
    square = sp.expand(sum(part**2 for part in parts))
    goal = Goal(sp.Integer(0), "<=", square)
    problem = problem_of(goal)
    found = certificate(problem)
    assert found is not None
    assert verify(problem, json.loads(dumps(found))) is None
    common = sp.linsolve(parts, [x, y])
    if common:  # both squares vanish at a common point, so that any lower value is taken
        lowered = problem_of(Goal(TINY, "<=", square))
        assert certificate(lowered) is None
        assert verify(lowered, found) is not None


def test_newton_polytope_keeps_what_squares_need():
    target = problem_of(Goal(sp.Integer(0), "<=", MOTZKIN)).objective
    kept = newton(target, [(i, j) for i in range(4) for j in range(4) if i + j <= 3])
    assert set(kept) == {(0, 0), (1, 1), (2, 1), (1, 2)}


# ------------------------------------------------------------------------------------------------------- tampering


def perturb_gram(stored):
    block = max(stored["blocks"], key=lambda block: len(block["gram"]))
    block["gram"][0][0] = str(Fraction(block["gram"][0][0]) + Fraction(1, 10**9))


def break_symmetry(stored):
    block = max(stored["blocks"], key=lambda block: len(block["gram"]))
    block["gram"][0][-1] = str(Fraction(block["gram"][0][-1]) + 1)


def make_indefinite(stored):
    # Move weight from the constant to itself: the identity still holds, but one matrix is negative.
    stored["blocks"] += [
        {"factors": [], "basis": [[[[0, 0], "1"]]], "gram": [["-1"]]},
        {"factors": [], "basis": [[[[0, 0], "1"]]], "gram": [["1"]]},
    ]


TAMPERED = {
    "one Gram entry by 1e-9": perturb_gram,
    "symmetry": break_symmetry,
    "negative square": make_indefinite,
    "basis": lambda s: s["blocks"][0]["basis"].reverse() or s["blocks"][0]["basis"].pop(),
    "block removed": lambda s: s["blocks"].pop(0),
    "unknown constraint": lambda s: s["blocks"][0].update(factors=[7]),
    "power": lambda s: s.update(power=s["power"] + 1),
    "blocks missing": lambda s: s.pop("blocks"),
    "no number": lambda s: s["blocks"][0]["gram"][0].__setitem__(0, "nan"),
    "zero denominator": lambda s: s["blocks"][0]["gram"][0].__setitem__(0, "1/0"),
}


@pytest.mark.parametrize("claim", ["touching on a line", "Motzkin, with a multiplier", "box"])
@pytest.mark.parametrize("name", TAMPERED)
def test_tampered_certificates_are_detected(claim, name):
    evidence = check(SQUARES[claim])
    TAMPERED[name](evidence.certificate["attempts"][0]["certificate"])
    assert Polynomial().recheck(lambda: SQUARES[claim], evidence) is not None


def test_certificates_do_not_transfer_to_other_statements():
    evidence = check(SQUARES["touching on a line"])
    lower = Inequality(2 * a * b + TINY, a**2 + b**2)
    stored = evidence.certificate["attempts"][0]
    assert Polynomial().recheck(lambda: lower, evidence) is not None
    forged = check(lower)
    attempt = forged.certificate["attempts"][0]
    attempt.update(finding="proof", route="sums of squares", certificate=stored["certificate"], witness=None)
    data = forged.to_json() | {"finding": "proof"}
    assert Polynomial().recheck(lambda: lower, Evidence.from_json(data)) is not None


def test_a_claimed_proof_by_z3_is_run_again():
    false = VIOLATED["off the grid"]
    data = check(false).to_json() | {"finding": "proof"}
    data["certificate"]["attempts"][0].update(
        finding="proof", route="z3, which is trusted here", certificate={"resources": 10**6}, witness=None
    )
    assert "sat" in Polynomial().recheck(lambda: false, Evidence.from_json(data))


def test_a_nonstrict_certificate_does_not_prove_a_strict_inequality():
    problem = problem_of(Goal(2 * a * b, "<=", a**2 + b**2))
    strict = problem_of(Goal(2 * a * b, "<", a**2 + b**2))
    found = certificate(problem)
    assert verify(problem, found) is None
    assert verify(strict, found) == "the certificate has no positive constant"


def test_rechecks_need_no_solver_and_are_fast(monkeypatch):
    obligation = SQUARES["three means"]

    def seconds(function):
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    evidence = check(obligation)
    finding = min(seconds(lambda: Polynomial().run(lambda: obligation, "all", Context())) for _ in range(3))
    monkeypatch.setattr(polynomial, "clarabel", None)
    monkeypatch.setattr(polynomial, "ask_z3", None)
    rechecking = min(seconds(lambda: Polynomial().recheck(lambda: obligation, evidence)) for _ in range(3))
    assert rechecking < finding / 2
