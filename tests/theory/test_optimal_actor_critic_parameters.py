"""Parameters of optimistic actor-critics: golden numbers, fixed points, water filling against its definition."""

from math import e, log, sqrt

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from theory import optimal_actor_critic_parameters as parameters
from theory.optimal_actor_critic_parameters import (
    coverage,
    evaluate,
    hybrid_epochs,
    hybrid_unseen,
    hybrid_water,
    lambert,
    linear_radius,
    linear_water_filling,
    water_filling,
)


@pytest.mark.parametrize(
    ("actions", "value"), [(2, 0.278465), (3, 0.463056), (4, 0.603546), (10, 1.101003), (100, 2.628650)]
)
def test_lambert_golden(actions, value):
    w = lambert(actions)
    assert w == pytest.approx(value, abs=5e-7)
    assert w * e**w == pytest.approx((actions - 1) / e, rel=1e-14)


def test_lambert_agrees_with_that_of_sympy():
    assert float(sp.LambertW(6 / sp.E)) == pytest.approx(lambert(7), rel=1e-14)


def test_the_radius_covers_its_own_targets():
    for S in (10, None):
        beta = linear_radius(4, S, 3, 5000, 0.05)
        values = {"d": 4, "S": 10, "H": 3, "T": 5000, "delta": 0.05, "lambda": 1.0, "beta": beta}
        net = evaluate(parameters.NET_WEIGHTS, **values)
        if S is not None:
            net = min(net, evaluate(parameters.NET_STATES, **values))
        assert evaluate(parameters.BETA_LINEAR, C_V=net, **values) == pytest.approx(beta, rel=1e-12)


def test_the_radius_without_a_bonus_is_of_smaller_order():
    assert linear_radius(60, None, 5, 1000, 0.05, bonus=False) < 0.5 * linear_radius(60, None, 5, 1000, 0.05)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=5), st.integers(1, 200))
def test_water_filling_beats_all_other_fillings(visits, total):
    best = water_filling(visits, total)
    rng = np.random.default_rng(len(visits) * 1000 + total)
    starts = np.maximum(visits, 1) - 0.5
    spread = rng.dirichlet(np.ones(len(visits)), 200) * total
    assert (np.sqrt(starts + spread) - np.sqrt(starts)).sum(axis=1).max() <= best + 1e-9


@given(st.lists(st.floats(0.5, 50.0), min_size=1, max_size=5), st.floats(0.1, 200.0))
def test_linear_water_filling_beats_all_other_fillings(eigenvalues, total):
    best = linear_water_filling(eigenvalues, total)
    rng = np.random.default_rng(len(eigenvalues))
    spread = rng.dirichlet(np.ones(len(eigenvalues)), 200) * total
    assert np.log1p(spread / eigenvalues).sum(axis=1).max() <= best + 1e-9


def test_water_filling_without_data_is_the_online_rate():
    assert water_filling([0.0] * 4, 100.0) == pytest.approx(4 * (sqrt(25.5) - sqrt(0.5)))


def test_hybrid_terms_by_hand():
    visits = [[0.0, 4.0], [1.0, 1.0]]
    assert hybrid_unseen(visits) == 1.0
    assert hybrid_water(visits, 10.0) == water_filling(visits[0], 10.0)
    assert hybrid_epochs(visits[:1], 12.0) == pytest.approx(1 + log(12, 2) + 1 + log(4, 2))
    assert coverage([[0.5, 0.5], [1.0, 0.0]], visits, 2.0) == pytest.approx(0.5 + 0.5 * 0.5)


def test_a_missing_value_is_named():
    with pytest.raises(ValueError, match="no value for delta"):
        evaluate(parameters.IOTA_TABULAR, S=2, A=2, H=2, T=5)
