"""Lemmas of demonstration-regularised learning: coordinates of the proofs, known constants, worst visits."""

import functools
import itertools
import math

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from theory import demonstration_regularized_lemmas as theory
from theory.demonstration_regularized_lemmas import U, ell, k, mu, s, u, z

CLAIMS = {claim.id.split(".")[1]: claim for claim in theory.CLAIMS}


@functools.cache
def compiled(relation):
    symbols = sorted(relation.free_symbols, key=str)
    return [symbol.name for symbol in symbols], sp.lambdify(symbols, [relation.lhs, relation.rhs], "math")


def numbers(relation, **values):
    """Return both sides of a relation as floats."""
    names, function = compiled(relation)
    return function(*(values[name] for name in names))


def divergence(mass, other):
    return other if mass == 0 else mass * math.log(mass / other) - mass + other


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 5.0))
def test_coordinates_below_are_those_of_the_claim(count, log_ratio):
    mean = count * math.exp(-log_ratio)
    small, large = numbers(theory.psi_below(), k=count, l=log_ratio)
    assert small == pytest.approx(divergence(mean, count + 1), rel=1e-9, abs=1e-9 * count)
    assert large == pytest.approx(divergence(count, mean) + 1, rel=1e-9, abs=1e-9 * count)


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 5.0))
def test_coordinates_above_are_the_claim_over_the_count_with_a_tangent(count, log_ratio):
    mean = count * math.exp(log_ratio)
    small, large = numbers(theory.psi_above(), z=count / (count + 1), l=log_ratio)
    counted, at = divergence(count, mean), mean / (count + 1)
    tangent = counted * (1 + math.log(at)) - at
    scale = 1e-8 * max(1.0, mean)
    assert small * count == pytest.approx(divergence(mean, count + 1), rel=1e-8, abs=scale)
    assert large * count == pytest.approx(tangent + 1, rel=1e-8, abs=scale)
    assert tangent <= counted * math.log(counted) + scale


def test_symbols_of_the_proofs_are_those_of_the_relations():
    assert theory.psi_below().free_symbols == {k, ell}
    assert theory.psi_above().free_symbols == {z, ell}
    assert theory.psi_unvisited().free_symbols == {mu}
    assert theory.root_step().free_symbols == {s, u}
    assert theory.visits_least().free_symbols == {U}


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_smoothed_counts_obey_the_claim(count, mean):
    small, large = numbers(theory.psi_inequality(), k=count, mu=mean)
    # The sides are differences of numbers of this size, times a logarithm.
    size = (count + mean) * (1 + abs(math.log((count + 1) / mean)) + abs(math.log(count / mean)))
    assert small <= large + 1e-12 * size


def test_bound_of_the_claim_is_evaluated_from_its_expression():
    bound = CLAIMS["psi_inequality"].explicit_bound
    counted = divergence(1, 1000)
    assert bound.evaluate(k=1, mu=1000) == pytest.approx(counted * math.log(counted) + 1)
    assert CLAIMS["smoothing_link"].explicit_bound.evaluate(U=math.exp(2), A=3) == pytest.approx(2 * math.exp(2) + 3)
    assert CLAIMS["laplace_divergence"].explicit_bound.evaluate(n=100, A=3) == pytest.approx(math.log(103 / 101))


def test_weaker_forms_of_the_psi_inequality_fail_where_they_are_known_to():
    softer = theory.psi_inequality(sp.Rational("0.135"), sp.Rational("0.0102"), weight=lambda total: sp.log(1 + total))
    assert float(softer.rhs - softer.lhs) == pytest.approx(-0.0315, abs=1e-4)
    linear = theory.psi_inequality(0, 10**8, weight=theory.one)
    assert float(linear.rhs - linear.lhs) < -1e9
    assert theory.larger(sp.S.Zero) == theory.larger(sp.E) == 1
    assert theory.larger(sp.exp(3)) == 3


@pytest.mark.parametrize(("size", "mean"), [(0, 0.3), (1, 1.0), (9, 0.02)])
def test_mean_of_the_inverse_of_a_binomial_count(size, mean):
    direct = sum(math.comb(size, j) * mean**j * (1 - mean) ** (size - j) / (j + 1) for j in range(size + 1))
    assert float(theory.binomial_reciprocal(size, mean)) == pytest.approx(direct)


def sum_over_visits(visits, power):
    total, paid = 0.0, 0.0
    for visit in visits:
        paid += visit / max(1.0, total) ** power
        total += visit
    return paid, total


def test_two_whole_visits_are_the_worst_sequence():
    ratios = {}
    for visits in itertools.product((0.0, 0.3, 0.5, 0.8, 1.0), repeat=4):
        paid, total = sum_over_visits(visits, 1.0)
        if total > 0:
            ratios[visits] = paid / math.log(1 + total)
    worst = max(ratios.values())
    assert worst == pytest.approx(float(theory.LOG_BEST), rel=1e-12)
    assert ratios[(1.0, 1.0, 0.0, 0.0)] == pytest.approx(worst, rel=1e-12)


@pytest.mark.parametrize("rounds", [1, 2, 10, 10_000])
def test_roots_of_whole_visits_approach_the_constant(rounds):
    paid, total = sum_over_visits([1.0] * rounds, 0.5)
    g = 2 * math.sqrt(total - 0.5) + 1 - math.sqrt(2)
    assert paid <= g + 1e-9 <= 2 * math.sqrt(total) + 1e-9
    assert paid / math.sqrt(total) > 1 - 1e-12
    if rounds == 10_000:
        assert paid / math.sqrt(total) == pytest.approx(2.0, rel=0.01)


@given(st.floats(1.0, 50.0), st.floats(0.0, 1.0))
def test_steps_of_the_inductions_are_those_of_the_sums(visited, visit):
    def g(total):
        return 2 * (math.sqrt(total - 0.5) - math.sqrt(0.5)) + 1

    small, large = numbers(theory.root_step(), s=1 / (2 * visited), u=visit)
    if visit > 1e-6:
        gained = (g(visited + visit) - g(visited)) / (visit / math.sqrt(visited))
        assert gained == pytest.approx(large / small, rel=1e-6)
    small, large = numbers(theory.root_end(), s=1 / (2 * visited))
    assert small * math.sqrt(visited) == pytest.approx(g(visited))
    assert large == 2


@pytest.mark.parametrize("visited", [1.0, 1.25, 1.7, 2.0])
def test_crossing_steps_are_the_two_ends_of_a_visit(visited):
    constant = float(theory.LOG_BEST)
    small, large = numbers(theory.visits_crossing(), s=visited - 1)
    assert small / visited == pytest.approx(visited + 1 / visited)
    claimed = constant * math.log(2 + visited)
    assert large / visited == pytest.approx(claimed, rel=0.0 if visited in (1.0, 2.0) else 0.01)
    assert large / visited <= claimed + 1e-12
    small, large = numbers(theory.visits_least(), U=visited)
    assert small / visited == pytest.approx(visited + (2 - visited) / visited)
    assert large / visited == pytest.approx(2.0)


@pytest.mark.parametrize("visited", [2.0, 3.5, 40.0])
def test_step_after_two_visits(visited):
    small, large = numbers(theory.visits_after(), s=1 / (1 + visited))
    claimed = float(theory.LOG_BEST) * visited * math.log(1 + 1 / (1 + visited))
    assert small == 1 <= large <= claimed + 1e-12
    assert large == pytest.approx(claimed, rel=0.14)


@pytest.mark.parametrize("visited", [1.2, 1.7, 2.0])
def test_start_of_the_induction_with_roots(visited):
    step = math.sqrt(visited - 0.5) - math.sqrt(0.5)
    small, large = numbers(theory.root_start(), s=step)
    assert step < 13 / 25
    assert small * step == pytest.approx(visited - 1.0)
    assert large * step == pytest.approx(2.0 * step)


def test_bounds_of_visits_are_evaluated_from_their_claims():
    assert CLAIMS["fractional_visits"].explicit_bound.evaluate(U=2) == pytest.approx(2.0)
    assert CLAIMS["fractional_visits_root"].explicit_bound.evaluate(U=9) == pytest.approx(6.0)
