"""Golden numbers of the explicit constants, and fixed points."""

from math import comb, log

import pytest

from theory import demonstration_regularized_parameters as parameters
from theory.claim import TheoryError

CHAIN = {"S": 4, "A": 2, "H": 5, "delta": 0.1}


def test_bonus_of_linear_models():
    bonus = parameters.linear_bonus(2, 3, 300, 0.1)
    assert bonus == pytest.approx(28.6, abs=0.05)
    assert parameters.linear_bonus(2, 3, 300, 0.1, iterations=200) == pytest.approx(bonus, rel=1e-12)


@pytest.mark.parametrize(
    ("size", "golden"),
    [((2, 2, 2, 1, 0.1), 3.2e6), ((3, 2, 3, 1, 0.1), 3.3e8), ((4, 2, 5, 1, 0.05), 5.3e10), ((10, 4, 10, 1, 0.1), 3e13)],
)
def test_number_of_episodes(size, golden):
    values = dict(zip(("S", "A", "H", "lambda", "epsilon"), size, strict=True)) | {"delta": 0.1}
    found = parameters.largest_fixed_point(parameters.SAMPLE_COMPLEXITY, values)
    assert found == pytest.approx(golden, rel=0.02)
    assert parameters.evaluate(parameters.SAMPLE_COMPLEXITY, {**values, "T": found}) == pytest.approx(found)
    assert parameters.evaluate(parameters.SAMPLE_COMPLEXITY, {**values, "T": 1.01 * found}) < 1.01 * found


def test_cloning_bounds_become_informative():
    high, recalled = parameters.CLONING_HIGH_PROBABILITY, parameters.CLONING_RECALLED_FINITE
    assert parameters.evaluate(high, {**CHAIN, "N": 2720}) > 1.0 > parameters.evaluate(high, {**CHAIN, "N": 2721})
    assert parameters.evaluate(recalled, {**CHAIN, "N": 116_954}) > 1.0
    assert parameters.evaluate(recalled, {**CHAIN, "N": 116_955}) < 1.0
    expected = parameters.CLONING_EXPECTATION
    assert parameters.evaluate(expected, {**CHAIN, "N": 19}) == 1.0 > parameters.evaluate(expected, {**CHAIN, "N": 20})


@pytest.mark.parametrize(
    ("d", "H", "T", "level"), [(2, 2, 8.91e4, 2), (4, 3, 6.60e6, 3), (6, 5, 2.98e8, 5), (2, 2, 2.64e6, 0.1)]
)
def test_linear_bound_becomes_informative(d, H, T, level):
    values = {"d": d, "H": H, "T": T, "lambda": 1.0, "delta": 0.1, "bonus": parameters.linear_bonus(d, H, int(T), 0.1)}
    assert parameters.evaluate(parameters.LINEAR_GAP, values) == pytest.approx(level, rel=5e-3)


def test_radius():
    expected = (log(2 * 4 * 2 * 5 / 0.1) + log(comb(20, 3))) / 17
    assert parameters.evaluate(parameters.RADIUS, {**CHAIN, "n": 17}) == pytest.approx(expected)
    assert parameters.evaluate(parameters.RADIUS, {**CHAIN, "S": 1, "n": 17}) == pytest.approx(log(200) / 17)


def test_demonstrations_are_the_regularised_problem_with_other_arguments():
    values = {**CHAIN, "epsilon": 0.5, "kbar": 0.2, "T": 1e6}
    found = parameters.evaluate(parameters.DEMONSTRATION_SAMPLE_COMPLEXITY, values)
    other = {**CHAIN, "epsilon": 0.125, "lambda": 0.625, "delta": 0.05, "T": 1e6}
    assert found == pytest.approx(parameters.evaluate(parameters.SAMPLE_COMPLEXITY, other), rel=1e-12)
    assert parameters.evaluate(parameters.DEMONSTRATION_REGULARISATION, values) == 0.625


def test_missing_value():
    with pytest.raises(TheoryError, match="no value for H"):
        parameters.evaluate(parameters.NO_EXPLORATION, {"epsilon": 0.1})
