"""Policy gradients, Lipschitz maps, regularised values: verdicts, golden numbers, attempts to fool the methods."""

import importlib
import json
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check import exact_gradients as gradients
from proofs_check.engine import CheckOutcome, MutantOutcome, judge
from proofs_check.evidence import Evidence, Finding, dumps
from proofs_check.logarithms import LogSum, NotALogarithmError, SoftPlan, divergence, equal, soft_case
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.base import Context, Tier
from proofs_check.methods.exact import EmptyStatementError, InexactError
from proofs_check.methods.operators import OperatorError, OperatorIdentity, operators, words
from proofs_check.methods.symbolic import Symbolic
from proofs_check.papers import lipschitz, policy_gradient, regularised_values
from theory.claim import Level

FAMILIES = ("policy_gradient", "lipschitz", "regularised_values", "value_difference")


def verify(method, statement, assumptions=()):
    context = Context(Tier.QUICK, np.random.SeedSequence(0), assumptions)
    results = {}
    for unit in method.units(Tier.QUICK):
        results[unit] = json.loads(dumps(method.run(statement, unit, context)))
        if method.settles(results[unit]):
            break
    return Evidence.from_json(json.loads(dumps(method.fold(results).to_json())))


def claims_with_checks():
    for family in FAMILIES:
        checks = importlib.import_module(f"proofs_check.papers.{family}").CHECKS
        for claim in importlib.import_module(f"theory.lemmas.{family}").CLAIMS:
            yield pytest.param(claim, [check for check in checks if check.claim == claim.id], id=claim.id)


@pytest.mark.parametrize(("claim", "checks"), list(claims_with_checks()))
def test_every_claim_is_shown_as_expected_and_its_mutants_are_rejected(claim, checks):
    outcomes = []
    for check in checks:
        evidence = verify(check.method, check.statement, claim.assumptions)
        assert check.method.recheck(check.statement, evidence) is None
        mutants = []
        for mutant in check.mutants:
            found = verify(check.method, check.statement_of(mutant), claim.assumptions)
            assert found.witness is not None, f"mutant {mutant.name} survives: {found.summary}"
            mutants.append(MutantOutcome.of(mutant, found))
        outcomes.append(CheckOutcome(check.name, evidence, tuple(mutants)))
    verdict = judge(claim, outcomes, Tier.QUICK, 0)
    assert verdict.level == claim.expected, verdict.reason
    if claim.expected == Level.SUPPORTED:
        assert verdict.tightness.ratio > 0.99


def test_identities_between_values_are_proved_for_all_models():
    proved = {check.claim for check in importlib.import_module("proofs_check.papers.value_difference").PROOFS}
    assert len(proved) == 6


# Policy gradients


def test_the_hessian_vector_correction_has_its_golden_value():
    case = gradients.two_state_case(4)
    ends = gradients.gradient(case, case.theta), gradients.gradient(case, case.before)
    difference = [u - v for u, v in zip(*ends, strict=True)]
    assert difference == [
        Fraction(353677168373, 5556600000000),
        Fraction(110835093101, 8890560000000),
    ]
    assert [comparison.lhs for comparison in policy_gradient.hessian_vector(case)] == difference


@pytest.mark.parametrize(("horizon", "seen"), [(3, False), (4, True), (5, True)])
def test_the_midpoint_is_told_from_a_uniform_point_only_from_horizon_four_on(horizon, seen):
    comparisons = policy_gradient.hessian_vector(gradients.two_state_case(horizon), rule="midpoint")
    assert seen != all(comparison.holds for comparison in comparisons)


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=6))
def test_derivative_weights_are_exact_on_polynomials(coefficients):
    weights = gradients.derivative_weights(len(coefficients))
    values = [sum(c * node**k for k, c in enumerate(coefficients)) for node in range(len(coefficients))]
    slope = coefficients[1] if len(coefficients) > 1 else 0
    assert sum(w * v for w, v in zip(weights, values, strict=True)) == slope


def test_gradient_and_hessian_agree_with_finite_differences():
    case = gradients.two_state_case(3)

    def value(theta):
        policy = np.array([[[1.0 - p, p] for p in theta]])[0]
        mdp = case.mdp
        values = np.zeros(mdp.n_states)
        for h in reversed(range(mdp.horizon)):
            q = np.array(mdp.rewards[h], dtype=float) + np.array(mdp.transitions[0], dtype=float) @ values
            values = (policy * q).sum(axis=1)
        return float(np.array(mdp.initial, dtype=float) @ values)

    theta = np.array(case.theta, dtype=float)
    units = np.eye(2) * 1e-4
    gradient = [(value(theta + u) - value(theta - u)) / 2e-4 for u in units]
    hessian = [
        (value(theta + u + v) - value(theta + u - v) - value(theta - u + v) + value(theta - u - v)) / 4e-8
        for u in units
        for v in units
    ]
    assert gradients.gradient(case, case.theta) == pytest.approx(gradient, rel=1e-7)
    assert [float(entry) for entry in gradients.hessian_matrix(case, case.theta)] == pytest.approx(hessian, abs=1e-5)


def test_the_random_walk_has_the_gradient_of_its_mean_distance():
    case = gradients.walk_case(6, Fraction(9, 10))
    mean_distance = [sum(Fraction(math.comb(n, k), 2**n) * abs(2 * k - n) for k in range(n + 1)) for n in range(1, 7)]
    expected = sum(Fraction(9, 10) ** t * m for t, m in enumerate(mean_distance)) / 2
    assert gradients.gradient(case, case.theta) == [expected]


# Logarithms

rationals = st.fractions(min_value=Fraction(1, 60), max_value=60, max_denominator=60)


@given(rationals, rationals)
def test_logarithms_of_products_and_quotients(x, y):
    assert LogSum.log(x * y) == LogSum.log(x) + LogSum.log(y)
    assert LogSum.log(x / y) == LogSum.log(x) - LogSum.log(y)
    assert LogSum.log(x).exp() == x
    assert float(LogSum.log(x).ball().mid()) == pytest.approx(math.log(x), abs=1e-12)
    assert all(comparison.holds for comparison in equal(LogSum.log(x), LogSum.log(y))) == (x == y)


@pytest.mark.parametrize("value", [0, -1, Fraction(-1, 2)])
def test_only_positive_numbers_have_logarithms(value):
    with pytest.raises(NotALogarithmError, match="has no logarithm"):
        LogSum.log(value)


def test_irrational_exponentials_are_refused():
    with pytest.raises(NotALogarithmError, match=r"exp\(1/2 log 2\) is irrational"):
        (LogSum.log(2) * Fraction(1, 2)).exp()


def test_a_difference_in_the_last_place_is_seen():
    almost = LogSum.log(2) * (1 + Fraction(1, 10**40))
    assert not all(comparison.holds for comparison in equal(LogSum.log(2), almost))


@pytest.mark.parametrize("seed", range(3))
def test_soft_dynamic_programming_finds_the_policy_that_the_model_was_made_for(seed):
    case = soft_case(seed, 3, 2, 3, Fraction(3, 10))
    plan = SoftPlan.of(case)
    assert plan.policy == case.optimal
    scale = float(case.temperature)
    values = np.zeros(3)
    for h in reversed(range(3)):
        rewards = np.array([[float(r.ball().mid()) for r in row] for row in case.rewards[h]])
        q = rewards + np.array(case.transitions[h], dtype=float) @ values
        values = scale * np.log((np.array(case.reference[h], dtype=float) * np.exp(q / scale)).sum(axis=1))
    assert [float(v.ball().mid()) for v in plan.values[0]] == pytest.approx(values, abs=1e-12)


def test_divergence_of_a_law_that_misses_an_action():
    assert divergence((Fraction(1), Fraction(0)), (Fraction(1, 2), Fraction(1, 2))) == LogSum.log(2)


# Balls

ONE = {"one": lambda: 1}


def log_two(instance):
    """log 2 < 0.7 and log 3 > 1."""
    yield BallComparison(arb(2).log(), arb(7) / 10, where="two")
    yield BallComparison(arb(3).log(), arb(1), ">=", where="three")


def test_balls_certify_inequalities():
    evidence = verify(Balls(ONE), log_two)
    assert evidence.finding == Finding.CERTIFICATE
    assert evidence.tightness.ratio == pytest.approx(math.log(2) / 0.7)
    assert Balls(ONE).recheck(log_two, evidence) is None


def test_balls_refute_and_the_witness_is_found_again():
    def false(instance):
        return BallComparison(arb(2).log(), arb("0.6931471805599453094"))

    evidence = verify(Balls(ONE), false)
    assert evidence.finding == Finding.VIOLATION
    assert Balls(ONE).recheck(false, evidence) is None
    assert Balls(ONE).recheck(log_two, evidence) is not None


@pytest.mark.parametrize(
    ("sides", "finding"),
    [
        (lambda: BallComparison(arb(6).log(), arb(2).log() + arb(3).log(), "=="), Finding.NO_VIOLATION),
        (lambda: BallComparison(arb(6).log(), arb(2).log() + arb(3).log()), Finding.UNDECIDED),
        (lambda: BallComparison(arb(6).log(), arb(6).log() + arb(10) ** -60), Finding.UNDECIDED),
        (lambda: BallComparison(arb(6).log(), arb(6).log() + arb(10) ** -20, "=="), Finding.VIOLATION),
        (lambda: BallComparison(arb("nan"), arb(1)), Finding.UNDECIDED),
        (lambda: BallComparison(arb(0).log(), arb(1)), Finding.UNDECIDED),
        (lambda: BallComparison(1, 1), Finding.CERTIFICATE),
    ],
)
def test_balls_never_say_more_than_they_know(sides, finding):
    assert verify(Balls(ONE), lambda instance: sides()).finding == finding


def test_balls_refuse_floats_and_empty_statements():
    with pytest.raises(InexactError, match=r"lhs is 0\.5, a float"):
        verify(Balls(ONE), lambda instance: BallComparison(0.5, arb(1)))
    with pytest.raises(EmptyStatementError):
        verify(Balls(ONE), lambda instance: [])


def test_edited_balls_are_detected():
    evidence = verify(Balls(ONE), log_two)
    sides = json.loads(dumps(evidence.certificate["sides"]))
    sides["one"][0]["lhs"] = "[0.5 +/- 1e-30]"
    edited = replace(evidence, certificate={**evidence.certificate, "sides": sides})
    assert "digest" in Balls(ONE).recheck(log_two, edited)
    assert "not to the evidence" in Balls(ONE).recheck(log_two, replace(evidence, finding=Finding.NO_VIOLATION))
    assert "cannot be read" in Balls(ONE).recheck(log_two, replace(evidence, certificate={}))


# Operators

A, B, C = operators("A B C")
SQUARE = {A: ("n", "n"), B: ("n", "n"), C: ("n", "n")}


@given(st.integers(0, 10**6))
@settings(max_examples=6)
def test_words_agree_with_an_expansion_by_sympy(seed):
    rng = np.random.default_rng(seed)
    x = sp.Symbol("x", real=True)

    def polynomial():
        terms = [int(rng.integers(-3, 4)) * x ** int(rng.integers(0, 3)) * symbol for symbol in (A, B, C)]
        return sum(terms, int(rng.integers(-2, 3)) * A * B)

    product = polynomial() ** 2 - polynomial() * C
    total = sum((c * sp.Mul(*word) for word, c in words(product).items()), sp.S.Zero)
    assert sp.expand(product - total) == 0


def shown(lhs, rhs, shapes=SQUARE, transposes=None):
    def statement():
        return OperatorIdentity(lhs, rhs, shapes, transposes or {})

    evidence = verify(Symbolic(), statement)
    assert Symbolic().recheck(statement, evidence) is None
    return evidence


def test_products_of_operators_do_not_commute():
    assert shown(A * B, B * A).finding == Finding.VIOLATION
    assert shown((A + B) ** 2, A**2 + 2 * A * B + B**2).finding == Finding.VIOLATION
    assert shown((A + B) ** 2, A**2 + A * B + B * A + B**2).finding == Finding.PROOF


def test_a_tiny_coefficient_is_enough_to_refute():
    assert shown(A * B, (1 + sp.Rational(1, 10**40)) * A * B).finding == Finding.VIOLATION


def test_transposes_are_independent_symbols_in_a_proof_and_true_ones_in_a_spot():
    transposed = sp.Symbol("A'", commutative=False)
    assert shown(transposed, A, transposes={transposed: A}).finding == Finding.VIOLATION
    wide = {A: ("m", "n")}
    gram = (A + A) * transposed * A - 2 * A * transposed * A
    assert shown(gram, sp.S.Zero, wide, {transposed: A}).finding == Finding.PROOF
    assert shown(A * transposed * A, sp.S.Zero, wide, {transposed: A}).finding == Finding.VIOLATION


@pytest.mark.parametrize(
    ("expr", "shapes", "message"),
    [
        (A * B, {A: ("m", "n"), B: ("m", "n")}, "n columns meet m rows"),
        (A + B, {A: ("m", "n"), B: ("n", "m")}, "terms of different shapes"),
        (A + 1, {A: ("n", "n")}, "a scalar is added"),
        (A * C, {A: ("n", "n")}, "C has no shape"),
        (sp.exp(A), {A: ("n", "n")}, "not a polynomial in operators"),
    ],
)
def test_expressions_that_are_no_operators_are_named(expr, shapes, message):
    with pytest.raises(OperatorError, match=message):
        OperatorIdentity(expr, A, shapes).goals()
    assert verify(Symbolic(), lambda: OperatorIdentity(expr, A, shapes)).finding == Finding.UNDECIDED


def test_edited_operator_witnesses_are_detected():
    evidence = shown(A * B, B * A)
    edited = replace(evidence, witness={**evidence.witness, "lhs": "17"})
    assert "the sides agree" in Symbolic().recheck(lambda: OperatorIdentity(A * B, B * A, SQUARE), edited)
    other = Symbolic().recheck(lambda: OperatorIdentity(A * B, A * B, SQUARE), evidence)
    assert other is not None


# Matrices and extensions


@given(st.integers(0, 10**6))
@settings(max_examples=40)
def test_pivots_have_the_signs_of_the_eigenvalues(seed):
    rng = np.random.default_rng(seed)
    root = rng.integers(-3, 4, (3, int(rng.integers(1, 4))))
    matrix = root @ root.T - int(rng.integers(0, 2)) * np.diag(rng.integers(0, 3, 3))
    found = lipschitz.pivots([[Fraction(int(x)) for x in row] for row in matrix])
    least = np.linalg.eigvalsh(matrix.astype(float)).min()
    assert (min(found) >= 0) == (least > -1e-9)


def test_multipliers_for_pairs_certify_a_bound_below_the_true_slope():
    network = lipschitz.relu_network(pairs=True)
    assert min(lipschitz.pivots(network.certificate(pairs=True))) >= 0
    failing = [c.where for c in lipschitz.slope_lmi("relu", pairs=True) if not c.holds]
    assert failing
    assert all(where.startswith("active") for where in failing)


def test_the_gain_bound_for_a_small_error_is_almost_attained():
    case = regularised_values.GAP_CASES["two arms, small error"]()
    spans, errors = regularised_values.quadratic_gap(case)
    for comparison in (spans, errors):
        assert 0.9999 < float((comparison.lhs / comparison.rhs).mid()) < 1.0
