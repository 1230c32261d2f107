"""Robust backups against oracles in many digits, against each other, and at the ends of their ranges."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps import strategies
from mdps.errors import InvalidModelError
from solvers import robust_kernels as kernels
from solvers.robust_planning import FactorSet, backup, divergence, ranks, worst_laws

KINDS = list(FactorSet)
BALLS = [kind for kind in KINDS if kind.constrained]
PENALTIES = [kind for kind in KINDS if not kind.constrained]

# Oracles: the scalar duals of the module's first page, maximised in 40 digits over the points where they can be maximal


def oracle(kind, law, values, level):
    with mp.workdps(40):
        p, v, level = [mp.mpf(float(x)) for x in law], [mp.mpf(float(x)) for x in values], mp.mpf(float(level))
        total = mp.fsum(p)
        return ORACLES[FactorSet(kind)]([mass / total for mass in p], v, level)


def mean(p, v):
    return mp.fsum(x * y for x, y in zip(p, v, strict=True))


def tv_ball(p, v, rho):
    return max(mean(p, [min(x, alpha) for x in v]) - rho * (alpha - min(v)) for alpha in v)


def tv_penalty(p, v, sigma):
    return mean(p, [min(x, min(v) + sigma) for x in v])


def supported(p, v):
    kept = [(x, y) for x, y in zip(p, v, strict=True) if x > 0]
    least = min(y for _, y in kept)
    return [x for x, _ in kept], [y for _, y in kept], least, mp.fsum(x for x, y in kept if y == least)


def kl_penalty(p, v, sigma):
    p, v, least, _ = supported(p, v)
    return least if sigma == 0 else least - sigma * mp.log(mean(p, [mp.exp((least - x) / sigma) for x in v]))


def kl_ball(p, v, rho):
    p, v, least, mass = supported(p, v)
    if rho == 0:
        return mean(p, v)
    if rho >= -mp.log(mass):
        return least

    def partition_and_divergence(t):
        e = [x * mp.exp(t * (least - y)) for x, y in zip(p, v, strict=True)]
        total = mp.fsum(e)
        return mp.log(total), -t * mean(e, [y - least for y in v]) / total - mp.log(total)

    low = high = mp.mpf(1) / (max(v) - least)
    while partition_and_divergence(low)[1] > rho:
        low /= 16
    while partition_and_divergence(high)[1] < rho:
        high *= 16
    for _ in range(60):  # the dual is flat at its maximum: an error of 1e-18 in log t is more than enough
        middle = mp.sqrt(low * high)
        low, high = (middle, high) if partition_and_divergence(middle)[1] < rho else (low, middle)
    return least - (partition_and_divergence(low)[0] + rho) / low


def chi2_ball(p, v, rho):
    p, v, best, _ = supported(p, v)
    order = sorted(range(len(p)), key=lambda j: v[j])
    for count in range(1, len(p) + 1):
        kept = order[:count]
        c = mp.fsum(p[j] for j in kept)
        m = mp.fsum(p[j] * v[j] for j in kept) / c
        variance = mp.fsum(p[j] * (v[j] - m) ** 2 for j in kept) / c
        excess = (1 + rho) * c - 1
        if rho == 0:
            return mean(p, v)
        if excess > 0:
            eta = m + mp.sqrt(variance / excess)
            best = max(best, eta - mp.sqrt((1 + rho) * mean(p, [max(eta - x, 0) ** 2 for x in v])))
    return best


def chi2_penalty(p, v, sigma):
    p, v, least, _ = supported(p, v)
    if sigma == 0:
        return least
    best = None
    order = sorted(range(len(p)), key=lambda j: v[j])
    for count in range(1, len(p) + 1):
        kept = order[:count]
        eta = (2 * sigma + mp.fsum(p[j] * v[j] for j in kept)) / mp.fsum(p[j] for j in kept)
        dual = eta - sigma - mean(p, [max(eta - x, 0) ** 2 for x in v]) / (4 * sigma)
        best = dual if best is None else max(best, dual)
    return best


ORACLES = {
    FactorSet.TV_CONSTRAINED: tv_ball,
    FactorSet.TV_REGULARISED: tv_penalty,
    FactorSet.KL_CONSTRAINED: kl_ball,
    FactorSet.KL_REGULARISED: kl_penalty,
    FactorSet.CHI2_CONSTRAINED: chi2_ball,
    FactorSet.CHI2_REGULARISED: chi2_penalty,
}


def saturation(kind, law, values):
    states = law > 0 if kind.absolutely_continuous else np.ones(len(law), bool)
    mass = law[states & (values == values[states].min())].sum()
    return {"tv": 1 - mass, "kl": -np.log(mass) if mass else np.inf, "chi2": 1 / mass - 1 if mass else np.inf}[
        kind.divergence
    ]


def instances(count, seed=0):
    """Yield laws from even to almost degenerate, values with ties, on many scales or far from zero."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        n = int(rng.integers(1, 9))
        law = rng.dirichlet(np.full(n, [0.1, 1.0, 10.0][index % 3]))
        values = rng.random(n)
        match index % 7:
            case 1:
                law[rng.integers(n)] = 0.0
            case 2:
                law = np.where(rng.random(n) < 0.4, 10.0 ** -rng.uniform(5, 16, n), law)
            case 3:
                values = np.round(values * 3) / 3
            case 4:
                values = 10.0 ** -rng.uniform(0, 14, n)
            case 5:
                values = values + 100.0
        law = law / law.sum() if law.sum() > 0 else np.eye(n)[0]
        yield law, values, [0.0, 1e-9, 1e-4, 0.01, 0.1, 0.5, 1.0, 3.0, 30.0][index % 9]


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_exact(kind):
    for law, values, level in instances(63):
        exact = oracle(kind, law, values, level)
        error = abs(float(mp.mpf(float(backup(kind, law, values, level))) - exact))
        assert error <= 1e-13 * max(np.ptp(values), 1e-2 * abs(values).max())


@pytest.mark.parametrize("kind", BALLS)
@pytest.mark.parametrize("below", [1e-12, 1e-6, 1e-2])
def test_values_are_exact_just_below_saturation(kind, below):
    for law, values, _ in instances(14, seed=1):
        radius = saturation(kind, law, values)
        if np.isfinite(radius):
            level = max(radius, 0.0) * (1 - below)
            error = abs(float(mp.mpf(float(backup(kind, law, values, level))) - oracle(kind, law, values, level)))
            assert error <= 1e-13 * max(np.ptp(values), 1e-2 * abs(values).max())


@pytest.mark.parametrize("kind", KINDS)
def test_worst_laws_are_admissible_and_attain_the_value(kind):
    for law, values, level in instances(126, seed=2):
        worst = worst_laws(kind, law, values, level)
        assert worst.min() >= 0.0
        assert worst.sum() == pytest.approx(1.0, abs=1e-14)
        distance = divergence(kind.divergence, worst, law)
        attained = worst @ values
        if kind.constrained:
            assert distance <= level * (1 + 1e-12) + 1e-14
        elif level:
            attained += level * distance
        assert attained == pytest.approx(float(backup(kind, law, values, level)), abs=1e-12 * max(1, np.ptp(values)))


@pytest.mark.parametrize("kind", KINDS)
def test_no_law_does_worse(kind):
    rng = np.random.default_rng(3)
    for law, values, level in instances(40, seed=4):
        value = float(backup(kind, law, values, level))
        mixtures = rng.random((200, 1)) ** 3
        others = (1 - mixtures) * law + mixtures * rng.dirichlet(np.ones(len(law)), 200)
        if kind.absolutely_continuous:
            others = others * (law > 0)
            others /= others.sum(axis=1, keepdims=True)
        distances = divergence(kind.divergence, others, law)
        attained = others @ values + (0.0 if kind.constrained else level) * distances
        attained = attained[distances <= level] if kind.constrained else attained
        assert (attained >= value - 1e-13 * max(1.0, abs(value))).all()


# Batches


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_a_batch_is_its_rows(kind, n):
    rng = np.random.default_rng(n)
    laws, values, own = rng.dirichlet(np.ones(n), size=(3, 5)), rng.random(n), rng.random((3, 5, n))
    levels = rng.random((3, 5))
    shared = backup(kind, laws, values, levels)
    assert shared.shape == (3, 5)
    repeated = backup(kind, laws, np.broadcast_to(values, laws.shape), levels)
    np.testing.assert_allclose(shared, repeated, rtol=0, atol=1e-15)
    rows = backup(kind, laws, own, levels)
    tilted = worst_laws(kind, laws, own, levels)
    assert tilted.shape == laws.shape
    for i, j in np.ndindex(3, 5):
        assert rows[i, j] == pytest.approx(float(backup(kind, laws[i, j], own[i, j], levels[i, j])), abs=1e-15)
        assert shared[i, j] == pytest.approx(float(backup(kind, laws[i, j], values, levels[i, j])), abs=1e-15)
        np.testing.assert_array_equal(tilted[i, j], worst_laws(kind, laws[i, j], own[i, j], levels[i, j]))


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_stay_as_they_are_and_may_be_read_only(kind):
    law, values = np.array([0.2, 0.3, 0.5]), np.array([3, 1, 2])
    expected = backup(kind, law, values, 0.1)
    for array in (law, values):
        array.setflags(write=False)
    assert backup(kind, law, values, 0.1, check=False) == expected
    assert backup(str(kind), law[::-1], values[::-1], 0.1) == pytest.approx(float(expected), abs=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_unlike_laws(kind):
    """Ties, missing masses and changing levels next to each other, with shared and with own values."""
    laws = np.array(
        [[0.0, 0.5, 0.5], [0.2, 0.3, 0.5], [0.0, 1.0, 0.0], [0.2, 0.3, 0.5], [0.5, 0.0, 0.5], [0.2, 0.8, 0.0]]
    )
    levels = np.array([0.1, 0.1, 0.1, 0.1, 0.4, 0.0])
    for values in (np.array([0.0, 1.0, 3.0]), np.array([1.0, 0.0, 1.0]), np.array([2.0, 1.0, 1.0])):
        expected = [float(oracle(kind, law, values, level)) for law, level in zip(laws, levels, strict=True)]
        np.testing.assert_allclose(backup(kind, laws, values, levels), expected, rtol=0, atol=1e-15)
        own = np.ascontiguousarray(np.broadcast_to(values, laws.shape))
        np.testing.assert_allclose(backup(kind, laws, own, levels), expected, rtol=0, atol=1e-15)


# Ends of the ranges


@pytest.mark.parametrize("kind", BALLS)
def test_a_ball_of_radius_zero_is_the_mean_and_a_large_one_the_least_value(kind):
    law, values = np.array([0.0, 0.25, 0.25, 0.5]), np.array([-1.0, 1.0, 2.0, 4.0])
    least = 1.0 if kind.absolutely_continuous else -1.0
    assert backup(kind, law, values, 0.0) == pytest.approx(2.75, abs=1e-15)
    np.testing.assert_array_equal(worst_laws(kind, law, values, 0.0), law)
    threshold = saturation(kind, law, values)
    for radius in (threshold * (1 + 1e-12), threshold + 1, np.inf):
        assert backup(kind, law, values, radius) == least
        assert worst_laws(kind, law, values, radius) @ values == pytest.approx(least, abs=1e-12)
    assert backup(kind, law, values, 0.9 * threshold) > least


@pytest.mark.parametrize("kind", PENALTIES)
def test_a_penalty_of_zero_leaves_the_least_value_and_an_infinite_one_the_mean(kind):
    law, values = np.array([0.0, 0.25, 0.25, 0.5]), np.array([-1.0, 1.0, 2.0, 4.0])
    least = 1.0 if kind.absolutely_continuous else -1.0
    assert backup(kind, law, values, 0.0) == least
    assert backup(kind, law, values, 1e-300) == pytest.approx(least, abs=1e-15)
    assert worst_laws(kind, law, values, 0.0) @ values == least
    for penalty in (1e300, np.inf):
        assert backup(kind, law, values, penalty) == pytest.approx(2.75, abs=1e-15)
        np.testing.assert_allclose(worst_laws(kind, law, values, penalty), law, rtol=0, atol=1e-15)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_values_and_single_states(kind):
    for level in (0.0, 0.3, 5.0, np.inf):
        assert backup(kind, [0.5, 0.2, 0.3], [7.0, 7.0, 7.0], level) == pytest.approx(7.0, abs=1e-14)
        assert backup(kind, [1.0], [-2.0], level) == -2.0
        np.testing.assert_array_equal(worst_laws(kind, [1.0], [-2.0], level), [1.0])
    law = worst_laws(kind, [0.5, 0.2, 0.3], [7.0, 7.0, 7.0], 0.3)
    assert law.sum() == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exponent", [-900, -400, 400, 900])
def test_values_of_any_scale(kind, exponent):
    law, values, scale = np.array([0.2, 0.3, 0.5]), np.array([0.0, 1.0, 3.0]), np.ldexp(1.0, exponent)
    level = 0.2
    expected = backup(kind, law, values, level)
    scaled = level if kind.constrained else level * scale
    assert backup(kind, law, values * scale, scaled) == expected * scale
    np.testing.assert_array_equal(worst_laws(kind, law, values * scale, scaled), worst_laws(kind, law, values, level))


@pytest.mark.parametrize("kind", KINDS)
def test_values_that_are_almost_tied(kind):
    law, close, tied = np.array([0.5, 0.25, 0.25]), np.array([0.0, 1e-170, 1.0]), np.array([0.0, 0.0, 1.0])
    for level in (1e-3, 0.1, 0.6, 2.0):
        assert backup(kind, law, close, level) == pytest.approx(float(backup(kind, law, tied, level)), abs=1e-15)


def test_known_values():
    coin = np.array([0.5, 0.5])
    assert backup("tv_constrained", coin, [1.0, 2.0], 0.25) == 1.25
    assert backup("tv_regularised", coin, [1.0, 2.0], 0.25) == 1.125
    assert backup("chi2_regularised", [0.3, 0.3, 0.4], [0.5, 1.0, 2.0], 1.0) == pytest.approx(1.146875, abs=1e-15)
    assert backup("kl_regularised", coin, [0.0, 1.0], 1.0) == pytest.approx(-np.log((1 + np.exp(-1)) / 2), abs=1e-15)
    assert backup("chi2_constrained", coin, [0.0, 1.0], 0.04) == pytest.approx(0.4, abs=1e-15)
    radius = 0.2 * np.log(0.4) + 0.8 * np.log(1.6)
    assert backup("kl_constrained", coin, [0.0, 1.0], radius) == pytest.approx(0.2, abs=1e-15)


# Properties


@settings(max_examples=60)
@given(st.data())
def test_order_level_and_translation(data):
    law = data.draw(strategies.distributions())
    values = data.draw(strategies.value_vectors(len(law), -2.0, 2.0))
    level, step = data.draw(st.floats(1e-3, 3.0)), data.draw(st.floats(0.0, 1.0))
    for kind in KINDS:
        value = float(backup(kind, law, values, level))
        later = float(backup(kind, law, values, level + step))
        assert (later - value) * (1 if kind.constrained else -1) <= 1e-13
        least = values[law > 0].min() if kind.absolutely_continuous else values.min()
        assert least <= value <= law @ values + 1e-13
        assert backup(kind, law, values + 1.0, level) == pytest.approx(value + 1.0, abs=1e-12)
        bump = np.maximum(values, np.median(values))
        assert backup(kind, law, bump, level) >= value - 1e-13


# Pieces


def test_laws_are_recognised():
    good = np.array([[0.5, 0.5], [1.0, 0.0]])
    assert kernels.are_laws(good, 1e-9)
    for entry in (-1e-3, 0.6, np.nan, np.inf):
        bad = good.copy()
        bad[1, 1] = entry
        assert not kernels.are_laws(bad, 1e-9)


def test_exponentials_are_accurate():
    w = np.concatenate([np.zeros(1), np.logspace(-20, 2.84, 4001), np.linspace(0, 700, 4001)])
    scale, e, less = np.empty(len(w)), np.empty(len(w)), np.empty(len(w))
    kernels.exponentials(w, 1.0, scale, scale.view(np.int64), e, less)
    np.testing.assert_allclose(e, np.exp(-w), rtol=5e-16)
    np.testing.assert_allclose(less, np.expm1(-w), rtol=5e-16)
    kernels.exponentials(w, 1e6, scale, scale.view(np.int64), e, less)
    assert np.isfinite(e).all()
    assert e.min() > 0.0
    assert less.min() == -1.0


@pytest.mark.parametrize("n", [1, 2, 20, 32, 33, 100])
def test_ranks_are_stable(n):
    values = np.random.default_rng(n).integers(0, 5, (6, n)).astype(float)
    values.setflags(write=False)
    np.testing.assert_array_equal(ranks(values), np.argsort(values, axis=1, kind="stable"))


def test_divergences():
    q, p = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5])
    assert divergence("tv", q, p) == 0.5
    assert divergence("kl", q, p) == pytest.approx(np.log(2))
    assert divergence("chi2", q, p) == pytest.approx(1.0)
    assert divergence("kl", p, q) == divergence("chi2", p, q) == np.inf
    assert divergence("tv", [p, q], p).tolist() == [0.0, 0.5]
    close = p + 1e-5 * np.array([1, -1, 0])
    assert divergence("kl", close, p) == pytest.approx(4e-10, rel=1e-5, abs=0.0)
    with pytest.raises(InvalidModelError, match="'hellinger'"):
        divergence("hellinger", q, p)


def test_factor_sets():
    assert [kind.divergence for kind in KINDS] == ["tv", "tv", "kl", "kl", "chi2", "chi2"]
    assert len(BALLS) == 3
    assert not FactorSet.TV_REGULARISED.absolutely_continuous


@pytest.mark.parametrize("function", [backup, worst_laws])
@pytest.mark.parametrize(
    ("law", "values", "level", "message"),
    [
        ([0.5, 0.6], [0, 1], 0.1, "sums to 1.1"),
        ([[0.5, 0.5], [-0.5, 1.5]], [0, 1], 0.1, r"laws\[1, t=0\] is -0.5"),
        ([0.5, 0.5], [0, np.nan], 0.1, r"values\[1\] is nan"),
        ([0.5, 0.5], [-1e308, 1e308], 0.1, "too far apart"),
        ([0.5, 0.5], [0, 1], -0.1, r"level is -0.1, not in \[0, oo\]"),
        ([[0.5, 0.5]] * 2, [0, 1], [0.1, np.nan], r"level\[1\] is nan"),
        ([0.5, 0.5], [0, 1, 2], 0.1, r"values has shape \(3,\)"),
        ([0.5, 0.5], [0, 1], [0.1, 0.2], r"level has shape \(2,\)"),
        (0.5, [0, 1], 0.1, r"laws has shape \(\)"),
        (np.zeros((3, 0)), [], 0.1, r"laws has shape \(3, 0\)"),
        (["a", "b"], [0, 1], 0.1, "dtype"),
    ],
)
def test_bad_input_is_named(function, law, values, level, message):
    with pytest.raises(InvalidModelError, match=message):
        function("kl_constrained", law, values, level)


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="wasserstein"):
        backup("wasserstein", [1.0], [0.0], 0.1)
