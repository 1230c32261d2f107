"""Lemmas of demonstration-regularised learning: shown, re-checked, their mutants rejected; known witnesses."""

import functools
import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.engine import CheckOutcome, MutantOutcome, judge
from proofs_check.evidence import Evidence, Finding, dumps
from proofs_check.methods.base import Context, Tier
from proofs_check.papers import demonstration_regularized_lemmas as smoothing
from proofs_check.papers import demonstration_regularized_measures as measures
from proofs_check.papers import demonstration_regularized_scalars as scalars
from theory import demonstration_regularized_lemmas as theory
from theory.claim import Level

CHECKS = (*smoothing.CHECKS, *scalars.CHECKS, *measures.CHECKS)


def find(method, statement):
    results = {unit: json.loads(dumps(method.run(statement, unit, Context()))) for unit in method.units(Tier.QUICK)}
    return Evidence.from_json(json.loads(dumps(method.fold(results).to_json())))


@functools.cache
def outcome(name, claim):
    check = next(check for check in CHECKS if (check.name, check.claim) == (name, claim))
    evidence = find(check.method, check.statement)
    assert check.method.recheck(check.statement, evidence) is None
    mutants = []
    for mutant in check.mutants:
        found = find(check.method, check.statement_of(mutant))
        assert check.method.recheck(check.statement_of(mutant), found) is None
        mutants.append(MutantOutcome.of(mutant, found))
    return CheckOutcome(check.name, evidence, tuple(mutants), check.part)


@pytest.mark.parametrize("claim", theory.CLAIMS, ids=lambda claim: claim.id.split(".")[1])
def test_every_claim_is_proved_and_its_mutants_are_rejected(claim):
    outcomes = [outcome(check.name, check.claim) for check in CHECKS if check.claim == claim.id]
    verdict = judge(claim, outcomes, Tier.QUICK, 0)
    assert verdict.level == Level.PROVED, verdict.reason
    assert [mutant.name for mutant in verdict.mutants if not mutant.killed] == []


def test_a_part_that_is_not_shown_leaves_the_psi_inequality_open():
    claim = next(claim for claim in theory.CLAIMS if claim.id.endswith("psi_inequality"))
    below, above, points = (outcome(check.name, check.claim) for check in smoothing.PSI_CHECKS)
    lost = Evidence("interval", Finding.UNDECIDED, "out of boxes")
    missing = CheckOutcome(above.check, lost, (), above.part)
    assert judge(claim, [below, missing, points], Tier.QUICK, 0).level == Level.INCONCLUSIVE


def laplace(counts):
    return [(count + 1) / (sum(counts) + len(counts)) for count in counts]


def relative_entropy(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


@pytest.mark.parametrize(
    ("law", "size"), [((0.2, 0.8), 4), ((0.1, 0.3, 0.6), 3), ((0.5, 0.0, 0.5), 2), ((1.0, 0.0), 3)]
)
def test_expected_divergence_against_all_samples(law, size):
    total = 0.0
    for sample in itertools.product(range(len(law)), repeat=size):
        counts = [sample.count(action) for action in range(len(law))]
        total += math.prod(law[action] for action in sample) * relative_entropy(law, laplace(counts))
    exact = tuple(Fraction(mass).limit_denominator(10) for mass in law)
    assert float(smoothing.expected_divergence(exact, size)) == pytest.approx(total, rel=1e-12)


@given(
    st.lists(st.integers(0, 200), min_size=2, max_size=5).filter(any),
    st.lists(st.integers(1, 1000), min_size=5, max_size=5),
)
def test_smoothing_link_on_any_counts_and_laws(counts, weights):
    law = [weight / sum(weights[: len(counts)]) for weight in weights[: len(counts)]]
    size = sum(counts)
    total = size * relative_entropy([count / size for count in counts], law)
    bound = float(theory.smoothing_bound(max(total, 0.0), len(counts)))
    assert size * relative_entropy(law, laplace(counts)) <= bound + 1e-9 * size


def test_sides_of_the_smoothing_link_are_those_of_the_claim():
    case = smoothing.Counted((3, 0, 5), (Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)))
    comparison = smoothing.smoothing_link(case)
    law = [float(mass) for mass in case.law]
    total = 8 * relative_entropy([3 / 8, 0.0, 5 / 8], law)
    assert float(comparison.lhs) == pytest.approx(8 * relative_entropy(law, laplace(case.counts)))
    assert float(comparison.rhs) == pytest.approx(total * max(1.0, math.log(total)) + 3)


def test_point_mass_refutes_half_of_the_bound():
    law = (Fraction(1), Fraction(0), Fraction(0))
    value = float(smoothing.expected_divergence(law, 100))
    assert value == pytest.approx(math.log(103 / 101), rel=1e-12)
    assert value == pytest.approx(0.0196, abs=5e-5)
    assert float(smoothing.half_asymptotic(100, 3)) == pytest.approx(0.01)


def test_gap_of_a_small_error_is_close_to_its_bound():
    square, width = scalars.gap_points((Fraction(1, 10), Fraction(1)))
    assert float(square.lhs) == pytest.approx(0.99875 * 0.1**2 / 8, rel=1e-5)
    assert float(square.lhs) > 0.1**2 / 9
    assert (float(square.rhs), float(width.rhs)) == pytest.approx((0.1**2 / 8, 0.1))


def test_curvature_of_two_close_comparisons():
    case = (Fraction(3), Fraction(299, 100), Fraction(3))
    angle, curvature = scalars.logistic_points(case)
    assert float(angle.rhs) == pytest.approx(1.1345e-6, rel=1e-4)
    assert float(angle.lhs) == float(curvature.rhs) == pytest.approx(1.1345e-6, rel=1e-4)
    assert float(curvature.lhs) == pytest.approx(1.1294e-6, rel=1e-4)
    _, doubled = scalars.logistic_points(case, constant=Fraction(2))
    assert float(doubled.lhs) == pytest.approx(2.26e-6, rel=1e-3)


def test_sums_of_visits():
    visits = (Fraction(1), Fraction(1, 2), Fraction(1))
    plain, root = scalars.visit_sums(visits), scalars.visit_sums(visits, root=True)
    assert float(plain.lhs) == pytest.approx(1 + 0.5 + 1 / 1.5)
    assert float(plain.rhs) == pytest.approx(2 / math.log(3) * math.log(3.5))
    assert float(root.lhs) == pytest.approx(1.5 + 1 / math.sqrt(1.5))
    assert float(root.rhs) == pytest.approx(2 * math.sqrt(2.5))


def test_angle_between_the_vectors_of_roots():
    rest, square = theory.sine_squared()
    x, y = 1.3, -0.4
    point = {theory.first: math.exp(x / 2), theory.second: math.exp(y / 2)}
    sine = math.sinh((x - y) / 4) ** 2 / (math.cosh(x / 2) * math.cosh(y / 2))
    assert float(rest.subs(point)) == pytest.approx(sine)
    assert float(square.subs(point)) == pytest.approx(sine)


def test_ratio_of_entropy_and_hellinger_terms_increases_through_two():
    roots = np.concatenate([np.linspace(0.01, 0.95, 40), np.linspace(1.05, 30.0, 60)])
    values = np.array([float(theory.hellinger_ratio(root)) for root in roots])
    assert np.all(np.diff(values) > 0)
    assert values[39] < 2 < values[40]
    assert np.all(values <= 2 + np.maximum(0.0, 2 * np.log(roots)))


def test_sides_of_the_changes_of_measure_are_those_of_the_claims():
    p, q = 0.25, 0.5
    x = relative_entropy([p, 1 - p], [q, 1 - q])
    case = measures.RareEvent(Fraction(1, 4), Fraction(1, 2))
    assert float(case.divergence()) == pytest.approx(x)
    span = measures.span_points(case)
    assert (float(span.lhs), float(span.rhs)) == pytest.approx((q - p, math.sqrt(x / 2)))
    spread = measures.variance_points(case)
    assert float(spread.lhs) == p - q
    assert float(spread.rhs) == pytest.approx(math.sqrt(2 * q * (1 - q) * x) + (1 - q) * x / 3)
    true, empirical = measures.mean_points(case)
    inverse = (math.sqrt(x / 2) + math.sqrt(x / 2 + p)) ** 2
    assert (float(true.lhs), float(true.rhs)) == pytest.approx((q, inverse))
    assert (float(empirical.lhs), float(empirical.rhs)) == pytest.approx((p, q + math.sqrt(2 * x * q) + x / 3))
    trip = measures.round_trip_points(case, horizon=2)
    assert (float(trip.lhs), float(trip.rhs)) == pytest.approx((inverse, 9 / 4 * q + 17 / 4 * x))


def test_figure_of_the_psi_inequality_is_plain_data_between_zero_and_one():
    figure = json.loads(dumps(smoothing.psi_figure(Tier.QUICK)))
    values = [y for curve in figure["curves"] for y in curve["y"]]
    assert 0 <= min(values) <= max(values) <= 1
    assert max(values) > 0.99
