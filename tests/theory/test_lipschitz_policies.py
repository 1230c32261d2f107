"""Lipschitz policies: values of the bounds, honest origins, and the ways between the claims."""

import math

import pytest

from theory import catalogue
from theory import lipschitz_policies as theory
from theory.claim import Level, Origin

CLAIMS = {claim.id.split(".")[1]: claim for claim in theory.CLAIMS}
STABLE = {"a": 0.9, "k": 0.53766656, "beta": 0.36233344}
UNSTABLE = {"a": 1.2, "k": 0.79352812, "beta": 0.40647188}


def bound(name, **values):
    return CLAIMS[name].explicit_bound.evaluate(**values)


def test_nothing_is_attributed_to_the_paper_as_stated():
    for claim in theory.CLAIMS:
        assert claim.source.origin in (Origin.EXPLICIT, Origin.DERIVED), claim.id
        explicit = claim.source.origin == Origin.EXPLICIT and claim.source.paper is theory.AL_MAKDAH_2021
        assert explicit <= any(word in claim.source.note for word in ("xplicit", "universal reading")), claim.id


def test_what_is_false_says_why():
    refuted = {claim.id for claim in theory.CLAIMS if claim.expected == Level.REFUTED}
    assert refuted == {"lipschitz_policies.monotone_tradeoff", "lipschitz_policies.pair_multipliers"}


def test_the_guarantees_rest_on_the_lemma_library():
    shipped = catalogue.load()
    used = {name for claim in theory.CLAIMS for name in claim.uses}
    assert all(shipped[name] for name in used)
    library = {name for name in used if name.startswith("lipschitz.")}
    assert {"lipschitz.extension", "lipschitz.kirszbraun", "lipschitz.gronwall", "lipschitz.reflection"} <= library


@pytest.mark.parametrize(
    ("size", "dimension", "value", "least"), [(1000, 2, 0.0396, 0.0119), (100, 1, 0.01, 0.0025), (10, 1, 0.1, 0.025)]
)
def test_both_ends_of_the_mean_learning_error(size, dimension, value, least):
    values = {"a": 1.0, "n": dimension, "N": size}
    assert bound("nearest_distance", **values, alpha=1.0, L=0.0) == pytest.approx(value, abs=6e-5)
    assert bound("lower_bound", **values, L=1.0) == pytest.approx(least, abs=6e-5)


def test_the_fill_distance_with_high_probability():
    assert bound("fill_distance", a=1.0, n=2, N=5000, delta=0.1) == pytest.approx(0.0673, abs=5e-5)


def test_the_transport_bound_is_loose():
    assert 2 * bound("wasserstein_rate", a=1.0, n=3, N=700) == pytest.approx(3.44, abs=0.01)


@pytest.mark.parametrize(("plant", "gain"), [(STABLE, 1.56821773), (UNSTABLE, 1.68484014)])
def test_the_gain_of_the_scalar_regulators(plant, gain):
    values = {"M": 1.0, "L_u": 1.0, "beta": plant["beta"], "omega": 1.0}
    assert bound("deviation", **values, t=400) == pytest.approx(gain, abs=2e-8)
    assert bound("practical_stability", **values, t=400, r_0=1.0) == pytest.approx(gain, abs=2e-8)


@pytest.mark.parametrize(
    ("alpha", "value"), [(0.05, 0.14356), (0.1, 0.31522), (0.2, 0.78378), (0.3, 1.55357), (0.4, 3.05263)]
)
def test_the_deterioration_of_the_wrong_sign(alpha, value):
    values = {"alpha": alpha, "zeta": 0.1, "gamma": 0.9, "L_x": 0.5, "L_u": 1.0, "l_x": 1.0, "l_u": 1.0}
    assert bound("deterioration", **values) == pytest.approx(value, abs=6e-6)


@pytest.mark.parametrize(
    ("alpha", "value"), [(0.05, 0.1294), (0.1, 0.2547), (0.2, 0.4959), (0.3, 0.7280), (0.4, 0.9538), (0.5, 1.1750)]
)
def test_the_deterioration_of_the_right_sign(alpha, value):
    values = {"alpha": alpha, "zeta": 0.1, "gamma": 0.9, "L_u": 1.0, "l_x": 1.0, "l_u": 1.0, "M": 1.0}
    assert bound("deterioration_stable", **values, beta=0.5 - alpha) == pytest.approx(value, abs=6e-5)


def test_the_regret_bounds_where_they_are_attained():
    values = {"M": 1.0, "L_u": 1.0, "omega": 0.1, "l_x": 1.0}
    first = bound("regret", **values, beta=0.6, gamma=0.95, l_u=0.0, L=0.0)
    assert first == pytest.approx(4.418604651, abs=5e-10)
    second = bound("regret", **values, beta=0.7, gamma=0.9, l_u=2.0, L=0.3)
    assert second == pytest.approx(5.891891892, abs=5e-10)
    values = {"M": 1.0, "L_u": 1.0, "l_x": 1.0, "beta": 0.7, "gamma": 0.9, "l_u": 2.0, "L": 0.3}
    third = bound("deterioration_expert", **values, epsilon=0.1, alpha=0.0, zeta=1.0)
    assert third == pytest.approx(0.9 * 2.0 * second)
    fourth = bound("deterioration_expert", **values, epsilon=0.0, alpha=0.2, zeta=0.5)
    assert fourth == pytest.approx(second)


@pytest.mark.parametrize(("plant", "value"), [(STABLE, 0.528505), (UNSTABLE, 1.368829)])
def test_the_exact_deterioration_of_an_optimal_expert(plant, value):
    a, discount = plant["a"], 0.95
    p = 1.0
    for _ in range(400):
        p = 1.0 + discount * a**2 * p - (discount * a * p) ** 2 / (1.0 + discount * p)
    gain, weight = discount * a * p / (1.0 + discount * p), 1.0 + discount * p
    found = bound("optimal_deterioration", Lambda=weight * gain**2, zeta=0.2, gamma=discount)
    assert found == pytest.approx(value, abs=2e-6)


@pytest.mark.parametrize(
    ("plant", "shares"), [(STABLE, {0.3: 0.6173, 1.0: 0.8432}), (UNSTABLE, {0.6: 1.7243, 1.0: 1.3370, 1.2: 1.2659})]
)
def test_peak_gains_of_scalar_loops(plant, shares):
    for share, value in shares.items():
        assert bound("peak_gain", a=plant["a"], b=1.0, k=share * plant["k"]) == pytest.approx(value, abs=6e-5)


@pytest.mark.parametrize(
    ("plant", "any_size", "central_size"), [(STABLE, (3, 33), (2, 18)), (UNSTABLE, (4, 57), (2, 25))]
)
def test_where_the_chain_becomes_non_vacuous(plant, any_size, central_size):
    values = {"a": 2.0, "n": 1, "r": 1.0, "r_0": 0.25, "M": 1.0, "L_u": 1.0, "zeta": 0.0, "beta": plant["beta"]}
    for (grid, random), other in ((any_size, plant["k"]), (central_size, 0.0)):
        cells = bound("sample_size", **values, alpha=plant["k"], L=other)
        size = 1
        while size / math.log(size / 0.05) < cells:
            size += 1
        assert size == random
        margin = 0.75 * (1.0 - plant["beta"])
        assert math.ceil((plant["k"] + other) / margin) == grid


@pytest.mark.parametrize("name", ["contracting", "exponential", "mirrored", "stays", "optimal"])
def test_assumptions_say_what_fails(name):
    class Model:
        stability_defect = 0.5
        without_mirror = "(1, 2)"
        excursion = 0.25
        discount, loop_slope = 0.9, 1.2
        optimality_residual = 0.125

    assumption = getattr(theory, name.upper())
    assert assumption.key == name
    answer = assumption.test(Model())
    assert any(text in answer.reason for text in ("1.5", "(1, 2)", "0.25", "1.08", "0.125"))
