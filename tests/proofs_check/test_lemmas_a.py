"""Golden numbers of the lemmas on mirror descent, elliptical potentials, divergences and concentration."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs_check import registry, rigorous
from proofs_check.papers import concentration, divergences, elliptical_potential, mirror_descent
from theory.lemmas import divergences as divergence_theory

FAMILIES = ("mirror_descent", "elliptical_potential", "divergences", "concentration")


def masses(size):
    return st.lists(st.integers(1, 1000), min_size=size, max_size=size).map(lambda w: np.array(w) / sum(w))


# Exact numbers


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 10**6))
def test_logarithms_of_products_are_sums(a, b, c):
    whole = rigorous.Logs.of(Fraction(a * b, c))
    parts = rigorous.Logs.of(a) + rigorous.Logs.of(b) - rigorous.Logs.of(c)
    assert all(comparison.holds for comparison in whole.equal(parts))
    value = sum(float(k) * math.log(p) for p, k in whole.coefficients.items())
    assert value == pytest.approx(math.log(a * b / c), abs=1e-9)


def test_different_logarithms_are_told_apart():
    assert not all(c.holds for c in rigorous.Logs.of(3).equal(rigorous.Logs.of(2) * Fraction(158496, 100000)))
    assert not all(c.holds for c in rigorous.Logs.of(2).equal(rigorous.Logs.rational(Fraction(69314718056, 10**11))))


def test_separated_numbers_and_equal_ones():
    close = rigorous.separated(lambda: (arb(2).sqrt(), arb(2).sqrt() + arb(1) / 2**200))
    assert close.holds
    assert close.exact
    assert not rigorous.separated(lambda: (arb(3).sqrt(), arb(2).sqrt())).holds
    with pytest.raises(ArithmeticError, match="not told apart"):
        rigorous.separated(lambda: (arb(2).sqrt() ** 2, arb(2)))


@pytest.mark.parametrize(
    ("size", "mean", "least"),
    [(400, Fraction(1, 3), 150), (5_000, Fraction(1, 2), 2_600), (10**6, Fraction(1, 1000), 1_100)],
)
def test_binomial_tails_contain_the_exact_one(size, mean, least):
    from scipy.stats import binom

    with ctx.workprec(128):
        tail = rigorous.log_binomial_tail(size, mean, least)
    exact = float(binom.logsf(least - 1, size, float(mean)))
    assert float(tail.lower()) - 1e-6 <= exact <= float(tail.upper()) + 1e-6


# Mirror descent


@pytest.mark.parametrize(("rounds", "value"), [(100, 5.550906), (1000, 18.150138)])
def test_worst_case_of_exponential_weights(rounds, value):
    assert mirror_descent.hedge_worst_case(rounds) == pytest.approx(value, abs=2e-6)


def test_worst_case_is_the_largest_regret_over_all_binary_losses():
    rounds = 7
    rate = math.sqrt(8 * math.log(2) / rounds)
    losses = [np.array([(b, 1 - b) for b in bits], dtype=float) for bits in product((0, 1), repeat=rounds)]
    regrets = [mirror_descent.regret_of(mirror_descent.exponential_weights(c, rate), c) for c in losses]
    assert mirror_descent.hedge_worst_case(rounds) == pytest.approx(max(regrets), abs=1e-12)


@pytest.mark.parametrize(
    ("eta", "period", "barrier", "bound", "entropy", "claimed"),
    [(0.1, 200, 4139.88, 4156.87, 5031.7, 374.9), (0.05, 400, 8259.06, 8276.05, 10038.2, 387.5)],
)
def test_cycles_of_large_gains(eta, period, barrier, bound, entropy, claimed):
    instance = {"eta": eta, "period": period, "cycles": 50}
    found = mirror_descent.barrier_regret(instance)
    assert found.lhs == pytest.approx(barrier, abs=0.01)
    assert found.rhs == pytest.approx(bound, abs=0.05)
    broken = mirror_descent.exponential_weights_any_loss(instance)
    assert broken.lhs == pytest.approx(entropy, abs=0.1)
    assert broken.rhs == pytest.approx(claimed, abs=0.1)


@pytest.mark.parametrize(("mass", "loss", "ratio"), [(1e-2, 9.19, 5.39), (1e-4, 18.4, 271), (1e-6, 27.6, 18096)])
def test_no_constant_works_for_the_entropy(mass, loss, ratio):
    comparison = mirror_descent.entropy_any_loss(mirror_descent.rare(-loss, mass), kappa=1.0)
    assert comparison.lhs / comparison.rhs == pytest.approx(ratio, rel=2e-3)


@pytest.mark.parametrize(("mass", "loss", "ratio"), [(1e-2, 18.0, 2.75), (1e-4, 198.0, 25.2), (1e-6, 2001.0, 250)])
def test_no_constant_works_for_tsallis_entropy(mass, loss, ratio):
    best = 0.0
    for rest in np.logspace(-9, -0.4, 4000):
        instance = mirror_descent.rare(-loss, mass, y=np.array([1 - rest, rest]))
        comparison = mirror_descent.tsallis_any_loss(instance, kappa=1.0)
        best = max(best, comparison.lhs / comparison.rhs)
    assert best == pytest.approx(ratio, rel=5e-3)


def test_barrier_is_tight_where_two_masses_are_exchanged():
    instance = mirror_descent._swap(1 / 11, 0.25)
    assert instance["c"] == pytest.approx([-18.0, 1.8])
    for statement in (mirror_descent.barrier_stability, mirror_descent.itakura_saito):
        comparison = statement(instance)
        assert comparison.lhs == pytest.approx(8.1)
        assert comparison.rhs == pytest.approx(8.1)


@given(st.floats(0.0, 1e6))
def test_barrier_solver_for_two_actions(gap):
    point = 1.0 / mirror_descent.barrier_dual_point(np.array([gap, 0.0]))
    closed = 0.5 if gap == 0 else 2.0 / (gap + 2 + math.sqrt((gap + 2) ** 2 - 4 * gap))
    assert point[0] == pytest.approx(closed, rel=1e-12)
    assert point.sum() == pytest.approx(1.0, abs=1e-14)


@given(masses(4), st.lists(st.floats(-30, 30), min_size=4, max_size=4))
def test_barrier_stability_is_the_supremum(law, losses):
    """The dual value is attained by a law y: the gain of moving there less its divergence."""
    losses = np.array(losses)
    y = 1.0 / mirror_descent.barrier_dual_point(1.0 / law + losses)
    change = y / law - 1.0
    gain = (law - y) @ losses - (change - np.log1p(change)).sum()
    assert mirror_descent.barrier_stability_value(law, losses) == pytest.approx(gain, rel=1e-7, abs=1e-9)


@given(masses(3), st.lists(st.floats(-5, 5), min_size=3, max_size=3))
def test_entropy_stability_against_the_plain_formula(law, losses):
    losses = np.array(losses)
    plain = np.log(law @ np.exp(-(losses - law @ losses)))
    assert mirror_descent.entropy_stability(law, losses) == pytest.approx(plain, abs=1e-12)


@given(st.lists(st.fractions(-3, 3, max_denominator=20), min_size=2, max_size=5))
def test_projection_onto_the_simplex(point):
    image = mirror_descent.project(point)
    assert sum(image) == 1
    assert min(image) >= 0
    # Optimality: the gap point - image is largest exactly where the image is positive.
    gaps = [p - x for p, x in zip(point, image, strict=True)]
    assert all(gap == max(gaps) for gap, x in zip(gaps, image, strict=True) if x > 0)


@pytest.mark.parametrize(("n_actions", "value"), [(2, 0.278465), (3, 0.463056), (4, 0.603546), (10, 1.101003)])
def test_constant_of_the_last_iterate(n_actions, value):
    assert mirror_descent.lambert(n_actions) == pytest.approx(value, abs=1e-6)
    comparison = mirror_descent.last_iterate(mirror_descent._equal_gaps(n_actions))
    assert comparison.lhs == pytest.approx(comparison.rhs, rel=1e-12)


@pytest.mark.parametrize(("rounds", "value"), [(200, 0.8607), (2000, 0.8787)])
def test_tracking_along_the_actor(rounds, value):
    comparison = mirror_descent.tracking_on_policy(rounds)
    assert float(comparison.lhs) == pytest.approx(value, abs=1e-4)
    assert not comparison.holds
    assert mirror_descent.tracking_on_policy(rounds, moving=False).holds


# Elliptical potentials


def test_constants_of_the_pigeonholes():
    two = elliptical_potential.pigeonhole_log({"u": np.ones(2)}, constant=1.0)
    assert two.lhs / two.rhs == pytest.approx(1.8205, abs=1e-4)
    assert 1 / math.log(1.5) == pytest.approx(2.4663, abs=1e-4)
    total, _ = elliptical_potential.eluder_pigeonhole(elliptical_potential._round_robin(4, 100_000))
    assert total.lhs == pytest.approx(1263.06, abs=0.01)
    assert total.rhs == pytest.approx(1268.91, abs=0.01)


@pytest.mark.parametrize(("d", "rounds", "count"), [(1, 15, 4), (2, 60, 8)])
def test_number_of_doublings(d, rounds, count):
    *_, last = elliptical_potential.switches(elliptical_potential._blocks(d, rounds))
    assert last.lhs == Fraction(2) ** (25 * count)


def test_played_widths_against_exact_inverses():
    case = elliptical_potential._scattered(3, 6)
    exact = [elliptical_potential.form(m.inv(), phi) for m, phi in zip(case.matrices(), case.vectors, strict=False)]
    features = np.array([[float(value) for value in phi] for phi in case.vectors])
    seen = elliptical_potential.played({"features": features, "ridge": 1.0})
    assert seen.widths == pytest.approx([float(width) for width in exact])
    *_, last = case.matrices()
    assert seen.growth == pytest.approx(math.log(elliptical_potential.fraction(last.det())))


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, -1), (1, -1, 1)])
def test_perturbations_are_relative(signs):
    *_, matrix = elliptical_potential._scattered(3, 8).matrices()
    wrong = elliptical_potential.perturbed(matrix, Fraction(1, 10), signs)
    for gap in (
        matrix * elliptical_potential.rational(Fraction(11, 10)) - wrong,
        wrong - matrix * elliptical_potential.rational(Fraction(9, 10)),
    ):
        assert all(minor >= 0 for _, minor in elliptical_potential.minors(gap))
    assert any(minor != 0 for _, minor in elliptical_potential.minors(wrong - matrix))


def test_rational_features_have_norm_one():
    for vector in elliptical_potential._scattered(6, 5).vectors:
        assert sum(value * value for value in vector) == 1


# Divergences


@settings(max_examples=50)
@given(masses(4), masses(4), st.floats(0.0, 1.0))
def test_relative_entropy_of_far_and_close_laws(p, q, part):
    from scipy.special import rel_entr

    mixed = part * p + (1 - part) * q
    assert divergences.kl(mixed, q) == pytest.approx(float(rel_entr(mixed, q).sum()), rel=1e-6, abs=1e-14)


def test_equality_cases_of_the_divergences():
    point = divergences.coins(0.0, 0.25)
    p, q = point["p"], point["q"]
    assert divergences.kl(p, q) == pytest.approx(math.log(4 / 3))
    assert math.log1p(divergences.chi_square(p, q)) == pytest.approx(math.log(4 / 3))
    assert -2 * math.log1p(-divergences.hellinger(p, q) / 2) == pytest.approx(math.log(4 / 3))
    near = divergences.coins(0.5, 0.48)
    assert divergences.kl(near["p"], near["q"]) == pytest.approx(8.006e-4, rel=1e-3)
    assert divergences.hellinger_upper(near).rhs == pytest.approx(8.17e-4, rel=1e-3)
    assert not divergences.hellinger_upper(near, constant=1.0).holds


def test_constant_of_the_round_trip():
    assert divergence_theory.round_trip_constant(2) == pytest.approx(4.25)


# Concentration


def test_crossing_probabilities_against_all_paths():
    tree = concentration.Tree(concentration._until_down, 8, Fraction(3), Fraction(100))
    crossed = Fraction(0)
    for moves in product((-1, 1), repeat=8):
        total, reached = 0, False
        for move in moves:
            if total > -2 and not reached:
                total += move
                reached = total >= 3
        crossed += Fraction(int(reached), 2**8)
    assert tree.crossing()[0] == crossed


def test_probability_of_too_few_visits():
    case = concentration.Visits(Fraction(1, 2), Fraction(1, 2), 0, 200)
    assert float(concentration.visit_counts(case, factor="1").lhs) == pytest.approx(0.73, abs=0.03)
    assert concentration.visit_counts(case).holds


def test_binomial_coefficient_of_the_mixture_is_needed():
    case = concentration.Watched((Fraction(1, 2), Fraction(1, 2)), 60)
    assert float(concentration.categorical_kl(case).lhs) < 0.03
    assert not concentration.categorical_kl(case, paths=False).holds


def test_mixtures_do_not_depend_on_the_order():
    law = (Fraction(1, 5), Fraction(4, 5))
    value = concentration.mixture((2, 1), law, Fraction(1))
    # Laplace: 2! 1! / 4! over the probability of a path.
    assert value == Fraction(2, 24) / (law[0] ** 2 * law[1])


def test_number_of_samples_for_a_covariance():
    case = concentration.COVARIANCES["three rare axes"]()
    assert math.ceil(concentration.samples_needed(case)) == 4091


def test_every_claim_has_a_check_with_mutants():
    loaded = registry.load()
    claims = [claim for claim in loaded.catalogue if claim.family in FAMILIES]
    assert len(claims) >= 35
    for claim in claims:
        assert loaded.checks[claim.id], claim.id
        assert all(check.mutants for check in loaded.checks[claim.id]), claim.id
