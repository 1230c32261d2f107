"""Worlds with real actions: closed forms against quadrature, differences, recursions and the published numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdps.continuous import CauchyBandit, ClippedControl, LogisticOracle, RandomWalk, ScalarLQR
from mdps.errors import InvalidModelError

BANDIT = CauchyBandit()
POSITIVE = st.floats(0.2, 3.0)


def central(function, x, step=1e-5):
    return (function(np.array([x + step])) - function(np.array([x - step]))) / (2 * step)


def test_golden_numbers_of_the_cauchy_bandit():
    grid = np.linspace(-5.0, 5.0, 100_001)[:, None]
    np.testing.assert_allclose(BANDIT.value(grid), 2.0 / (4.0 + grid[:, 0] ** 2), rtol=1e-15)
    assert BANDIT.optimum() == 0.5
    assert np.abs(BANDIT.hessian(grid)).max() == pytest.approx(0.25)
    third = np.abs(BANDIT.third_derivative(grid))
    assert third.max() == pytest.approx(0.29178, abs=1e-5)
    assert abs(grid[third.argmax(), 0]) == pytest.approx(0.65, abs=5e-3)
    assert BANDIT.moments(0.0).gradient_variance == pytest.approx(5 / 32)
    assert BANDIT.moments(0.0).hessian_square == pytest.approx(21 / 32)
    scan = [BANDIT.moments(x) for x in np.linspace(0.0, 2.0, 201)]
    assert max(m.gradient_variance for m in scan) == pytest.approx(0.163398, abs=1e-6)
    assert max(m.gradient_square for m in scan) == pytest.approx(0.182468, abs=1e-6)
    assert max(m.hessian_square for m in scan) == pytest.approx(21 / 32)
    assert BANDIT.moments(0.6).covariance == pytest.approx(-0.0577, abs=5e-5)
    assert [BANDIT.domination(radius) for radius in (2.0, 1.5, 1.2, 1.0)] == pytest.approx(
        [0.5, 0.853, 1.225, 1.6], abs=5e-4
    )
    assert BANDIT.fisher == 0.5
    assert float(BANDIT.bias([1e5])) == pytest.approx(3 / 8, abs=1e-4)
    assert np.all(BANDIT.signed_bias(np.linspace(-1.25, 1.25, 101)[:, None]) <= 1e-15)
    assert BANDIT.signed_bias([1.35]) > 0.0


@given(POSITIVE, POSITIVE, st.floats(-2.0, 2.0), st.floats(-4.0, 4.0))
def test_cauchy_bandit_agrees_with_quadrature_and_differences(width, scale, target, theta):
    bandit = CauchyBandit(width, scale, target)
    actions, weight = bandit._nodes(theta)
    assert bandit.value([theta]) == pytest.approx(float(bandit.reward(actions).sum() * weight), rel=1e-9)
    assert bandit.moments(theta).gradient == pytest.approx(float(bandit.gradient([theta])[0]), abs=1e-9)
    assert bandit.moments(theta).hessian == pytest.approx(float(bandit.hessian([theta])[0, 0]), abs=1e-9)
    assert central(bandit.value, theta) == pytest.approx(bandit.gradient([theta])[0], abs=1e-7)
    assert central(lambda x: bandit.gradient(x)[..., 0], theta) == pytest.approx(
        bandit.hessian([theta])[0, 0], abs=1e-6
    )
    assert central(lambda x: bandit.hessian(x)[..., 0, 0], theta) == pytest.approx(
        float(bandit.third_derivative([theta])), abs=1e-5
    )
    assert bandit.fisher == pytest.approx(float((bandit.score(actions, theta) ** 2).sum() * weight), rel=1e-9)


@given(POSITIVE, st.floats(-3.0, 3.0))
def test_signed_bias_is_the_mean_residual_and_below_the_root_of_the_bias(scale, theta):
    bandit = CauchyBandit(scale=scale)
    actions, weight = bandit._nodes(0.0)
    slope = bandit.gradient([theta])[0] / bandit.fisher
    residual = bandit.reward(actions) - bandit.value([theta]) - slope * bandit.score(actions, theta)
    assert float(bandit.signed_bias([theta])) == pytest.approx(residual.sum() * weight, abs=1e-9)
    assert abs(bandit.signed_bias([theta])) <= np.sqrt(bandit.bias([theta])) + 1e-12


@given(
    st.floats(0.1, 1.2), st.floats(-1.0, 1.0).filter(lambda b: abs(b) > 0.1), st.floats(0.1, 2.0), st.floats(-0.9, 0.9)
)
def test_regulator_agrees_with_its_recursion_and_the_gap_identity(drift, control, cost, closed):
    world = ScalarLQR(drift, control, 1.0, cost, 0.9, 0.5, 0.3, 1.0)
    gain = np.array([(drift - closed) / control])
    assert world.stable(gain)
    assert world.value(gain, 300) == pytest.approx(float(world.value(gain)), rel=1e-10)
    assert world.gradient(gain, 300)[0] == pytest.approx(float(world.gradient(gain)[0]), rel=1e-8, abs=1e-10)
    assert central(world.value, gain[0]) == pytest.approx(world.gradient(gain)[0], rel=1e-4, abs=1e-4)
    assert central(lambda k: world.value(k, 7), gain[0]) == pytest.approx(
        world.gradient(gain, 7)[0], rel=1e-5, abs=1e-5
    )
    linear, bias = world.gap_terms(gain)
    gap = world.optimum() - world.value(gain)
    assert gap == pytest.approx(float(linear + bias / (1.0 - world.discount)), rel=1e-9, abs=1e-9)
    assert gap >= -1e-9
    assert bias <= 0.0
    star, own = world.second_moment([world.optimal_gain]), world.second_moment(gain)
    slope, bend = world.gradient(gain)[0], cost + world.discount * control**2 * world.riccati(gain)
    assert gap <= (1.0 - world.discount) * star * slope**2 / (4.0 * own**2 * bend) * (1 + 1e-9) + 1e-9
    assert gap <= abs(slope) * abs(gain[0] - world.optimal_gain) * star / own * (1 + 1e-9) + 1e-9


def test_an_unstable_gain_has_no_value():
    world = ScalarLQR()
    assert world.value([9.0]) == -np.inf
    assert np.isnan(world.gradient([9.0])).all()
    assert world.gradient([world.optimal_gain])[0] == pytest.approx(0.0, abs=1e-12)
    assert np.isfinite(world.value([9.0], 3))
    assert world.fisher([0.5]) == pytest.approx(world.second_moment([0.5]) / 0.25)


def test_random_walk_numbers():
    assert RandomWalk(0.9).gradient(2000) == pytest.approx(11.47, abs=5e-3)
    assert RandomWalk(0.99).gradient(4000) == pytest.approx(354.4, abs=0.05)
    assert RandomWalk(0.99).gradient(4000, 200) == pytest.approx(91.5, abs=0.05)
    assert RandomWalk(0.99).hessian(4000) == pytest.approx(2415, abs=1.0)


def test_oracle_is_minus_softplus():
    oracle = LogisticOracle()
    theta = np.linspace(-40.0, 40.0, 9)[:, None]
    np.testing.assert_allclose(oracle.value(theta), -np.logaddexp(0.0, -theta[:, 0]))
    assert central(oracle.value, 0.3) == pytest.approx(oracle.gradient([0.3])[0], abs=1e-9)
    assert oracle.optimum() == 0.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CauchyBandit(width=0.0), "width is 0.0"),
        (lambda: CauchyBandit(target=np.nan), "target is nan"),
        (lambda: CauchyBandit().value([0.0], 2), "horizon is 2"),
        (lambda: CauchyBandit().value(0.0), r"theta has shape \(\)"),
        (lambda: ScalarLQR(control=0.0), "control is 0.0"),
        (lambda: ScalarLQR(discount=1.0), "discount is 1.0"),
        (lambda: ClippedControl(law="laplace"), "law is 'laplace'"),
        (lambda: ClippedControl(scale=-1.0), "scale is -1.0"),
        (lambda: ClippedControl().sample_returns([0.0, 1.0], 2, 3, 0), r"theta has shape \(2,\), not \(1,\)"),
        (lambda: LogisticOracle(gradient_noise=-1.0), "gradient_noise is -1.0"),
        (lambda: RandomWalk(1.0), "discount is 1.0"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(InvalidModelError, match=message):
        make()
