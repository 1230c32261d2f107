import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.evidence import Confidence
from proofs_check.methods import statistics

counts = st.integers(1, 400).flatmap(lambda runs: st.tuples(st.integers(0, runs), st.just(runs)))


@pytest.mark.parametrize("count", [(0, 10), (10, 10), (1, 400), (37, 250), (399, 400)])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_exact_limits_are_those_of_scipy(count, alpha):
    from scipy.stats import binomtest

    expected = binomtest(*count).proportion_ci(1 - 2 * alpha, method="exact")
    assert statistics.clopper_pearson(*count, alpha) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(counts, st.floats(0.01, 0.99))
def test_tail_probability_is_the_binomial_sum(count, p):
    violations, runs = count
    expected = math.fsum(math.comb(runs, v) * p**v * (1 - p) ** (runs - v) for v in range(violations, runs + 1))
    assert statistics.tail_probability(violations, runs, p) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize(
    ("alpha", "table"), [(0.01, {0.1: 44, 0.05: 90, 0.01: 459}), (0.001, {0.1: 66, 0.05: 135, 0.01: 688})]
)
def test_fewest_runs_without_a_violation(alpha, table):
    assert {delta: statistics.runs_needed(delta, alpha) for delta in table} == table


@given(st.floats(0.02, 0.5), st.sampled_from([0.05, 0.001]), st.integers(0, 20))
def test_runs_needed_are_the_fewest_that_certify(delta, alpha, violations):
    runs = statistics.runs_needed(delta, alpha, violations)
    assert statistics.clopper_pearson(violations, runs, alpha)[1] <= delta + 1e-9
    if runs - 1 > violations:
        assert statistics.clopper_pearson(violations, runs - 1, alpha)[1] > delta - 1e-9


def test_runs_needed_at_a_rate():
    runs = statistics.runs_needed_at_rate(0.05, 0.001, 0.02)
    assert statistics.clopper_pearson(math.ceil(0.02 * runs), runs, 0.001)[1] <= 0.05
    assert statistics.clopper_pearson(math.ceil(0.02 * (runs - 40)), runs - 40, 0.001)[1] > 0.05
    assert statistics.runs_needed_at_rate(0.05, 0.001, 0.05) is None


@pytest.mark.parametrize("p", [0.05, 0.5])
@pytest.mark.parametrize("alpha", [0.1, 0.02])
def test_proportion_sequence_covers_at_all_times_together(p, alpha):
    """Exact: the law of the number of violations among the paths on which the limits never failed."""
    alive = np.array([1.0])
    for runs in range(1, 61):
        alive = np.append(alive * (1 - p), 0.0) + np.append(0.0, alive * p)
        for violations in np.flatnonzero(alive):
            lower, upper = statistics.proportion_sequence(int(violations), runs, alpha)
            if not lower <= p <= upper:
                alive[violations] = 0.0
    missed = 1.0 - alive.sum()
    assert 0.0 < missed <= alpha


@given(counts)
def test_proportion_sequence_contains_the_estimate_and_is_wider_than_fixed_limits(count):
    violations, runs = count
    lower, upper = statistics.proportion_sequence(violations, runs, 0.01)
    fixed = statistics.clopper_pearson(violations, runs, 0.01)
    assert lower <= fixed[0] <= violations / runs <= fixed[1] <= upper


def laws(values, weights, length):
    for indices in itertools.product(range(len(values)), repeat=length):
        yield np.array([values[i] for i in indices]), math.prod(weights[i] for i in indices)


@pytest.mark.parametrize("horizon", [None, 6])
def test_wealth_is_a_martingale_at_the_true_mean(horizon):
    values, weights = (0.0, 0.5, 1.0), (0.5, 0.2, 0.3)
    mean = sum(v * w for v, w in zip(values, weights, strict=True))
    expected = 0.0
    for data, probability in laws(values, weights, 6):
        bets = statistics.plug_in_bets(data, 0.05, horizon)
        assert bets[0] == statistics.plug_in_bets(1.0 - data, 0.05, horizon)[0]
        expected += probability * math.exp(statistics.log_wealth(data, bets, mean)[-1])
    assert expected == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("weights", [(0.5, 0.2, 0.3), (0.9, 0.05, 0.05), (0.05, 0.0, 0.95)])
def test_mean_limits_cover_by_enumeration(weights):
    values, alpha = (0.0, 0.5, 1.0), 0.1
    mean = sum(v * w for v, w in zip(values, weights, strict=True))
    above = below = 0.0
    for data, probability in laws(values, weights, 6):
        excluded = statistics.mean_excluded(data, alpha, 0.0, 1.0, mean)
        above, below = above + probability * excluded[0], below + probability * excluded[1]
    assert above <= alpha
    assert below <= alpha


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95), st.sampled_from([0.1, 0.001]))
def test_mean_limits_are_where_exclusion_begins(seed, mean, alpha):
    data = np.random.default_rng(seed).beta(2.0 * mean, 2.0 * (1.0 - mean), 200)
    lower, upper = statistics.mean_sequence(data, alpha, 0.0, 1.0, horizon=200)
    for value in (lower - 1e-6, lower + 1e-6, upper - 1e-6, upper + 1e-6):
        if 0.0 < value < 1.0:
            assert statistics.mean_excluded(data, alpha, 0.0, 1.0, value) == (lower > value, upper < value)


def test_mean_limits_are_equivariant_and_shrink():
    data = np.random.default_rng(1).random(2_000)
    lower, upper = statistics.mean_sequence(data, 0.01, 0.0, 1.0)
    moved = statistics.mean_sequence(4.0 * data - 1.0, 0.01, -1.0, 3.0)
    assert moved == pytest.approx((4.0 * lower - 1.0, 4.0 * upper - 1.0), abs=1e-9)
    short = statistics.mean_sequence(data[:100], 0.01, 0.0, 1.0)
    assert upper - lower < 0.5 * (short[1] - short[0])
    assert lower < 0.5 < upper


def test_betting_is_about_as_tight_as_empirical_bernstein_or_better():
    data = np.random.default_rng(2).beta(1.0, 30.0, 500)
    betting = statistics.mean_sequence(data, 0.01, 0.0, 1.0)
    bernstein = statistics.bernstein_sequence(data, 0.01, 0.0, 1.0)
    for lower, upper in (betting, bernstein):
        assert lower < data.mean() < upper
    assert betting[1] - betting[0] < 1.1 * (bernstein[1] - bernstein[0])


def test_a_range_of_one_point_is_its_own_mean():
    assert statistics.mean_sequence(np.full(5, 2.0), 0.01, 2.0, 2.0) == (2.0, 2.0)
    assert statistics.mean_excluded(np.full(5, 2.0), 0.01, 2.0, 2.0, 1.0) == (True, False)


def test_observations_outside_their_range_are_named():
    with pytest.raises(ValueError, match=r"observation 1 is 1\.5, outside \[0, 1\]"):
        statistics.mean_sequence(np.array([0.5, 1.5]), 0.1, 0.0, 1.0)
    with pytest.raises(ValueError, match="observation 0 is nan"):
        statistics.mean_sequence(np.array([np.nan]), 0.1, 0.0, 1.0)
    with pytest.raises(ValueError, match="shape"):
        statistics.mean_sequence(np.zeros((2, 2)), 0.1, 0.0, 1.0)


def test_bootstrap_limits_agree_with_scipy():
    from scipy.stats import bootstrap

    data = np.random.default_rng(3).lognormal(0.0, 0.7, 60)
    rng = np.random.default_rng(4)
    replicates = np.log(data[rng.integers(0, data.size, (20_000, data.size))].mean(axis=1))
    influence = (data / data.mean() - 1.0) / data.size
    lower, upper = statistics.bca_limits(math.log(data.mean()), replicates, influence, 0.025)
    peer = bootstrap(
        (data,), lambda x, axis: np.log(np.mean(x, axis=axis)), n_resamples=20_000, method="BCa", rng=rng, batch=2_000
    ).confidence_interval
    width = peer.high - peer.low
    assert (lower, upper) == pytest.approx((peer.low, peer.high), abs=0.03 * width)


def test_bootstrap_refuses_what_it_cannot_resolve():
    with pytest.raises(ValueError, match="at least 10000"):
        statistics.bca_limits(0.0, np.zeros(999), np.ones(3), 0.001)
    assert statistics.bca_limits(0.3, np.full(1_000, 0.3), np.zeros(4), 0.05) == (0.3, 0.3)


def test_holm_adjusts_step_by_step():
    adjusted = statistics.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert adjusted == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})


def test_family_wise_adds_the_levels():
    confidences = {
        "one": Confidence(688, 0.001, 0.0, 0.01, 0.01, 0),
        "two": Confidence(100, 0.002, 0.4, 0.6, 0.7),
    }
    joint = statistics.family_wise(confidences)
    assert joint.alpha == pytest.approx(0.003)
    assert "1 - 0.003" in joint.sentence
    assert joint.adjusted == pytest.approx({"one": 0.99**688})
    assert "nothing holds" in statistics.family_wise({"x": Confidence(1, 1.0, 0, 1, 0.5)}).sentence
    assert statistics.family_wise({}).sentence == "No statement was sampled."


@pytest.mark.parametrize("seed", [7, [1, 2, 3]])
def test_seeds_survive_as_json(seed):
    child = np.random.SeedSequence(seed).spawn(3)[2]
    again = statistics.seed_from(statistics.seed_record(child))
    assert (again.generate_state(4) == child.generate_state(4)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: statistics.clopper_pearson(5, 4, 0.1), "5 violations in 4 runs"),
        (lambda: statistics.clopper_pearson(0, 0, 0.1), "0 violations in 0 runs"),
        (lambda: statistics.clopper_pearson(0, 4, 1.0), "alpha is 1.0"),
        (lambda: statistics.runs_needed(0.0, 0.1), "proportion is 0.0"),
        (lambda: statistics.proportion_sequence(0, 4, math.nan), "alpha is nan"),
    ],
)
def test_impossible_inputs_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
