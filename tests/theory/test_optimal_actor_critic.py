"""Bounds of the optimistic actor-critics: closed forms written out again, known integers, and honest sources."""

from math import exp, log, log2, sqrt

import pytest

from theory import optimal_actor_critic as theory
from theory import optimal_actor_critic_offline as offline
from theory import optimal_actor_critic_parameters as parameters
from theory import optimal_actor_critic_tables as tables
from theory.assumptions import KNOWN_REWARDS
from theory.claim import Fails, Level, Origin

CLAIMS = {claim.id.split(".")[1]: claim for module in (theory, offline, tables) for claim in module.CLAIMS}
DELTAS = {"delta": 0.05, "delta_prime": 0.05}


def bound(name, **values):
    return CLAIMS[name].explicit_bound.evaluate(**DELTAS, **values)


def tracking(S_epochs, T, H, A, eta):
    return H * parameters.lambert(A) / eta * S_epochs * (1 + log(T / S_epochs))


@pytest.mark.parametrize(("S", "A", "H", "T", "eta"), [(2, 2, 2, 300, 10.0), (4, 3, 5, 10_000, 0.5), (1, 2, 2, 5, 1.0)])
def test_tabular_bounds_written_out(S, A, H, T, eta):
    iota = S * log(2) + log(H * S * A * T / 0.05)
    epochs = min(T, 1 + (H - 1) * S * A * (1 + log2(T)))
    martingale = H * (H - 1) / 2 * sqrt(T * log(20) / 2)
    first = S * A * H * (H - 1) / 2
    nora = 2 * H * (H - 1) * sqrt(S * A * T * iota) + first + martingale + tracking(epochs, T, H, A, eta)
    values = {"S": S, "A": A, "H": H, "T": T, "eta": eta, "W_A": parameters.lambert(A)}
    assert bound("nora_tabular_regret", **values) == pytest.approx(nora, rel=1e-12)
    douhua = H**2 * sqrt(T * log(A) / 2) + sqrt(2) * H * (H - 1) * sqrt(S * A * T * iota) + first + martingale
    assert bound("douhua_tabular_regret", **values) == pytest.approx(douhua, rel=1e-12)
    assert bound("nora_tabular_switches", **values) == pytest.approx(epochs, rel=1e-12)
    parts = bound("nora_tabular_potential", **values) + bound("nora_tabular_tracking", **values)
    assert parts + martingale == pytest.approx(nora, rel=1e-12)


def test_linear_bound_written_out():
    d, A, H, T, eta, beta = 3, 2, 4, 5_000, 2.0, 17.0
    epochs = 1 + d * H * log2(1 + T / d)
    potential = 2 * sqrt(2 / log(2)) * beta * H * sqrt(d * T * log(1 + T / d))
    assert 2 * sqrt(2 / log(2)) == pytest.approx(3.3973, abs=5e-5)
    martingale = H * (H + 1) / 2 * sqrt(T * log(20) / 2)
    values = {"d": d, "A": A, "H": H, "T": T, "eta": eta, "beta": beta, "W_A": parameters.lambert(A)}
    expected = potential + martingale + tracking(epochs, T, H, A, eta)
    assert bound("nora_linear_regret", **values) == pytest.approx(expected, rel=1e-12)


def test_finite_bounds_written_out():
    A, H, T, eta, pairs, dimensions = 2, 3, 20_000, 10.0, 3_000, (2, 6, 6)
    iota = log(2 * pairs / 0.05)
    ranges = (3, 2, 1)

    def errors(factor):
        stages = zip(dimensions, ranges, strict=True)
        sums = sum(2 * sqrt(factor * d * b**2 * iota * T) + d * b + sqrt(T) for d, b in stages)
        return sums + H * (H + 1) * sqrt(T * log(20) / 2)

    epochs = 1 + sum(0.5 + d * (0.5 + 12 * (1 + log(T))) for d in dimensions)
    values = {"A": A, "H": H, "T": T, "eta": eta, "F_2": pairs, "d": 6, "d_1": 2, "W_A": parameters.lambert(A)}
    expected = errors(24) + tracking(epochs, T, H, A, eta)
    assert bound("nora_finite_regret", **values) == pytest.approx(expected, rel=1e-12)
    assert bound("golf_regret", **values) == pytest.approx(errors(4), rel=1e-12)


def test_the_bounds_with_offline_data_are_those_without_if_there_are_none():
    S, A, H, T = 2, 3, 3, 4_000
    visits = [[0.0] * (S * A)] * H
    values = {"S": S, "A": A, "H": H, "T": T, "eta": 1.0, "W_A": parameters.lambert(A), "N_off": 0}
    water, unseen = parameters.hybrid_water(visits, T), parameters.hybrid_unseen(visits)
    hybrid = bound("hybrid_tabular_potential", **values, G=water, Z=unseen)
    alone = bound("nora_tabular_potential", **values)
    assert unseen == S * A * H * (H - 1) / 2
    assert hybrid <= alone
    assert hybrid == pytest.approx(alone, rel=0.05)


@pytest.mark.parametrize(("episodes", "rest"), [(20_000, 56_722), (200_000, 189_197), (400_000, 271_437)])
def test_the_bound_of_noah_without_its_slope(episodes, rest):
    visits = [[0.0] * 8] * 6
    values = {
        "S": 2,
        "A": 4,
        "H": 6,
        "T": episodes,
        "eta": 10.0,
        "N_off": 0,
        "W_A": parameters.lambert(4),
        "G": parameters.hybrid_water(visits, episodes),
        "Z": parameters.hybrid_unseen(visits),
        "N_T": parameters.hybrid_epochs(visits[:-1], episodes),
    }
    found = bound("noah_tabular_regret", **values, C_off=0.0)
    assert found == pytest.approx(rest, abs=0.5)
    assert bound("noah_tabular_regret", **values, C_off=15.0) == pytest.approx(found + 15.0 * episodes)


@pytest.mark.parametrize("row", tables.TABULAR, ids=str)
def test_first_episodes_of_the_tabular_table(row):
    values = {"S": row.S, "A": row.A, "H": row.H, "W_A": parameters.lambert(row.A), **DELTAS}
    nora, douhua = (CLAIMS[name].explicit_bound for name in ("nora_tabular_regret", "douhua_tabular_regret"))
    for eta, first in zip((10.0, 1.0), row.nora[:2], strict=True):
        assert nora.nonvacuous_from("T", parameters.TRIVIAL, {**values, "eta": eta}) == first
    assert douhua.nonvacuous_from("T", parameters.TRIVIAL, values) == row.douhua < row.nora[0]


def test_sample_sizes_drift_upwards_from_the_inverse_square():
    sizes = tables.PAC[0].episodes
    accuracies = (2.0, 1.0, 0.5, 0.25, 0.1)
    products = [T * epsilon**2 for T, epsilon in zip(sizes, accuracies, strict=True)]
    assert products == sorted(products)
    assert (round(products[0]), round(products[-1])) == (868, 1258)


@pytest.mark.parametrize(("actions", "constant"), [(2, 0.278465), (3, 0.463056), (4, 0.603546), (100, 2.628650)])
def test_the_tracking_constant(actions, constant):
    w = parameters.lambert(actions)
    assert w == pytest.approx(constant, abs=5e-7)
    assert w * exp(w) == pytest.approx((actions - 1) / exp(1.0), rel=1e-12)
    assert w <= log(actions)


def test_nothing_is_attributed_to_the_paper_by_number():
    assert {claim.source.origin for claim in CLAIMS.values()} == {Origin.EXPLICIT, Origin.DERIVED}
    assert all(claim.source.paper.key == "tan_2025" for claim in CLAIMS.values())
    certified = {name for name, claim in CLAIMS.items() if claim.expected == Level.CERTIFIED}
    assert certified == {name for name in CLAIMS if name.startswith(("nonvacuous", "pac", "tetris"))}


def test_theorems_rest_on_the_lemmas():
    for name in ("nora_tabular_regret", "nora_linear_regret", "nora_finite_regret"):
        assert "optimal_actor_critic.optimism_gap" in CLAIMS[name].uses
        assert "optimal_actor_critic.azuma" in CLAIMS[name].uses
    assert "ucbvi.chernoff_hoeffding_regret" in CLAIMS["nonvacuous_baseline"].uses


class Class:
    realizability_gap = 0.0
    completeness_gap = 0.25
    reward_law = "deterministic"


def test_assumptions_name_what_is_missing():
    assert theory.COMPLETE.test(Class()) == Fails("a backup is off the class by 0.25")
    assert not isinstance(theory.REALIZABLE.test(Class()), Fails)
    assert not isinstance(KNOWN_REWARDS.test(Class()), Fails)
