"""Robust models: caps, named instances with their golden values, and failing input."""

import numpy as np
import pytest
from hypothesis import given

from mdps import strategies
from mdps.errors import InvalidModelError
from mdps.linear import LinearMDP, one_hot
from mdps.robust import RobustLinearMDP, rectangular
from mdps.robust_instances import (
    ROBUST_INSTANCES,
    american_put,
    frozen_lake,
    leaking_chain,
    off_dynamics,
    random_linear,
    random_tabular,
    robust_put,
    simulated,
    simulated_robust,
    stuck,
    support_shift,
)
from solvers.dr_rpo_exact import evaluate_under, optimal_plan


def start_value(robust, eta=0.0):
    return float(optimal_plan(robust, eta).start(robust.nominal))


GOLDEN = [
    (simulated_robust(0.0), (1.423232, 1.251688, 1.190294)),
    (simulated_robust(0.3), (1.183232, 1.048756, 1.003806)),
    (simulated_robust(0.5), (1.030976, 0.922606, 0.881963)),
    (simulated_robust(0.6), (0.990976, 0.862496, 0.821791)),
    (simulated_robust(0.1, everywhere=True), (1.210325, 1.059250, 1.009640)),
    (simulated_robust(0.3, everywhere=True), (0.831551, 0.720174, 0.689802)),
    (simulated_robust(0.01, kind="kl_constrained", everywhere=True), (1.417741, 1.246606, 1.185197)),
    (simulated_robust(0.05, kind="chi2_constrained", everywhere=True), (1.417814, 1.246673, 1.185264)),
    (simulated_robust(1.5, kind="tv_regularised", everywhere=True), (1.223232, 1.081489, 1.034578)),
    (simulated_robust(0.2, kind="kl_regularised", everywhere=True), (1.403722, 1.241540, 1.182299)),
    (simulated_robust(0.1, kind="chi2_regularised", everywhere=True), (1.421469, 1.250297, 1.189001)),
    (simulated_robust(0.0, reach=0.3), (1.775328, 1.581590, 1.349500)),
    (simulated_robust(0.5, reach=0.3), (1.438320, 1.189060, 0.993527)),
]


@pytest.mark.parametrize(("robust", "values"), GOLDEN)
def test_golden_values_of_the_simulated_model(robust, values):
    assert [round(start_value(robust, eta), 6) for eta in (0.0, 0.05, 0.2)] == list(values)


def test_first_step_decides_the_off_dynamics_return():
    """With first chance p and p' = .4 later, V(q) = 2 p (1 - q) + (1 - p) V_2(x2), lines that cross at 1 - V_2 / 2."""
    later = 2 * 0.4 + 0.999 * 0.6 * 0.4
    greedy = optimal_plan(RobustLinearMDP(simulated(), "tv_constrained", 0.0, 3)).log_policy
    for q, best, worst in [(0.0, 1.4239, 1.2318), (0.4, 1.1039, 1.0718), (1.0, 0.6239, 0.8318)]:
        value = evaluate_under(off_dynamics(q), greedy)[0, 0]
        assert value == pytest.approx(2 * 0.4 * (1 - q) + 0.6 * later, abs=1e-12)
        assert value == pytest.approx(best, abs=5e-5)
        cautious = greedy.copy()
        cautious[0, 0] = np.where(np.arange(16) == 0, 0.0, -np.inf)
        assert evaluate_under(off_dynamics(q), cautious)[0, 0] == pytest.approx(worst, abs=5e-5)


@pytest.mark.parametrize(
    ("horizon", "radius", "price", "value"),
    [
        (10, 0.0, 95.0, 5.6377),
        (10, 0.0, 100.0, 2.4596),
        (10, 0.0, 105.0, 0.7558),
        (10, 0.01, 100.0, 2.2297),
        (10, 0.05, 100.0, 1.6092),
        (10, 0.1, 100.0, 1.1522),
        (10, 0.2, 100.0, 0.7351),
        (10, 0.5, 100.0, 0.0),
        (20, 0.0, 100.0, 3.5197),
        (20, 0.01, 100.0, 2.9561),
        (20, 0.05, 100.0, 1.8037),
        (20, 0.1, 100.0, 1.2122),
        (20, 0.2, 100.0, 0.7391),
    ],
)
def test_golden_values_of_the_put(horizon, radius, price, value):
    assert start_value(robust_put(radius, horizon, price)) == pytest.approx(value, abs=5e-5)


@pytest.mark.parametrize(
    ("radius", "returns"),
    [
        (0.05, (3.881, 3.582, 2.999, 2.205, 1.373, 0.688, 0.251)),
        (0.1, (3.813, 3.474, 2.901, 2.155, 1.371, 0.705, 0.262)),
        (0.2, (1.997, 1.938, 1.785, 1.526, 1.190, 0.830, 0.499)),
    ],
)
def test_robust_put_policies_under_other_chances(radius, returns):
    policy = optimal_plan(robust_put(radius)).log_policy
    for up, value in zip(np.arange(0.2, 0.81, 0.1), returns, strict=True):
        assert evaluate_under(one_hot(american_put(up=up), 11), policy)[0, 0] == pytest.approx(value, abs=6e-4)


def test_stuck_has_the_stated_optimum():
    q = optimal_plan(stuck(0.2)).q_values[0, 0]
    np.testing.assert_allclose(q, [0.01 + 0.6 * 0.8, 0.8], rtol=0, atol=1e-15)


@pytest.mark.parametrize("radius", [0.25, 0.5, 0.75])
def test_support_shift_costs_what_it_should(radius):
    """V_1(g) = (1 - rho)^2 + rho (1 - rho) x, with x the probability of the right action at b."""
    robust = support_shift(radius)
    assert start_value(robust) == pytest.approx((1 - radius) ** 2 + radius * (1 - radius), abs=1e-15)


def test_caps():
    np.testing.assert_allclose(stuck(0.2).caps, [1.8, 1.0, 0.0])
    np.testing.assert_allclose(simulated_robust(0.5).caps, [3.0, 2.0, 1.0, 0.0])
    uniform = RobustLinearMDP(leaking_chain(40), "tv_constrained", 0.25, 1)
    np.testing.assert_allclose(uniform.caps[0], (1 - 0.75**40) / 0.25)
    np.testing.assert_allclose(uniform.with_levels(0.5, "tv_regularised").caps[:-1], [1.5] * 39 + [1.0])
    np.testing.assert_allclose(uniform.with_levels(0.5, "kl_regularised").caps, np.arange(40, -1, -1))
    np.testing.assert_allclose(RobustLinearMDP(leaking_chain(3), "tv_constrained", 0.25).caps, [3, 2, 1, 0])


def test_caps_are_attained_by_a_chain_without_a_leak():
    chain = RobustLinearMDP(leaking_chain(12), "tv_constrained", 0.2, 1)
    assert start_value(chain) == pytest.approx(chain.caps[0], abs=1e-12)
    penalty = chain.with_levels(0.6, "tv_regularised")
    assert start_value(penalty) == pytest.approx(penalty.caps[0], abs=1e-12)


@given(strategies.robust_mdps(kinds=("tv_constrained", "tv_regularised", "kl_regularised", "chi2_constrained")))
def test_caps_bound_optimal_values(robust):
    values = optimal_plan(robust).values
    assert (values <= robust.caps[:, None] + 1e-12).all()


def test_radius_zero_and_infinite_penalty_are_the_nominal_model():
    mdp = random_linear(3)
    nominal = start_value(RobustLinearMDP(mdp, "tv_constrained", 0.0))
    for kind in ("kl_constrained", "chi2_constrained"):
        assert start_value(RobustLinearMDP(mdp, kind, 0.0)) == pytest.approx(nominal, abs=1e-13)
    for kind in ("tv_regularised", "kl_regularised", "chi2_regularised"):
        assert start_value(RobustLinearMDP(mdp, kind, np.inf)) == pytest.approx(nominal, abs=1e-13)


def test_one_hot_is_recognised():
    assert RobustLinearMDP(random_tabular(0), "tv_constrained", 0.1, 2).one_hot
    assert robust_put(0.1).one_hot
    assert not stuck().one_hot
    assert not RobustLinearMDP(random_linear(0), "tv_constrained", 0.1, 5).one_hot


def test_lake_is_worth_less_under_an_adversary():
    lake = frozen_lake(0.1)
    assert 0.0 < start_value(lake) < start_value(lake.with_levels(0.0))


@pytest.mark.parametrize("name", ROBUST_INSTANCES)
def test_registry_makes_the_same_model_twice(name):
    first, second = ROBUST_INSTANCES[name](), ROBUST_INSTANCES[name]()
    np.testing.assert_array_equal(first.nominal.measures, second.nominal.measures)
    np.testing.assert_array_equal(first.levels, second.levels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tv", 0.1), "kind is 'tv', not one of tv_constrained"),
        (("tv_constrained", -0.1), r"levels\[h=0, i=0\] is -0.1, outside \[0, 1\]"),
        (("tv_constrained", 1.5), r"levels\[h=0, i=0\] is 1.5, outside \[0, 1\]"),
        (("kl_constrained", np.nan), r"levels\[h=0, i=0\] is nan, outside \[0, oo\]"),
        (("kl_constrained", [0.1]), r"levels has shape \(1,\), neither"),
        (("tv_constrained", 0.1, 9), "fail_state is 9, not one of 5 states"),
        (("tv_constrained", 0.1, 0), r"rewards\[h=1, s=0, a=0\] is a reward in the fail state"),
        (("tv_constrained", 0.1, 4), r"rewards\[h=1, s=4, a=0\] is a reward in the fail state"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(InvalidModelError, match=message):
        RobustLinearMDP(simulated(), *arguments)


def test_a_way_out_of_the_fail_state_is_named():
    unpaid = LinearMDP(simulated().features, simulated().measures, np.zeros((3, 4)))
    with pytest.raises(InvalidModelError, match=r"transitions\[h=0, s=0, a=0\] is a way out of the fail state"):
        RobustLinearMDP(unpaid, "tv_constrained", 0.1, 0)


def test_bad_parameters_of_instances_are_named():
    with pytest.raises(InvalidModelError, match=r"reach is 0\.4"):
        simulated(0.4)
    with pytest.raises(InvalidModelError, match="perturbation is 2"):
        off_dynamics(2.0)
    with pytest.raises(InvalidModelError, match="up is -1"):
        american_put(up=-1.0)
    assert rectangular(american_put(), "tv_constrained", 0.1, 11).unit_rewards is False
