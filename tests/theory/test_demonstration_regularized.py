"""Claims of demonstration-regularised learning: golden numbers of their bounds, where they bite, and what they use."""

from math import log
from types import SimpleNamespace

import pytest
import sympy as sp

from theory import catalogue
from theory import demonstration_regularized as theory
from theory import demonstration_regularized_preferences as preferences
from theory.claim import Fails, Holds, Kind, Level, Origin

CLAIMS = {claim.id.split(".")[1]: claim for claim in (*theory.CLAIMS, *preferences.CLAIMS)}
CHAIN = {"S": 4, "A": 2, "H": 5, "delta": 0.1}


def evaluate(name, **values):
    return CLAIMS[name].explicit_bound.evaluate(**values)


@pytest.mark.parametrize(
    ("size", "golden"), [((5, 4, 5, 200), 0.3731), ((5, 4, 5, 2000), 0.03748), ((3, 2, 2, 50), 0.1176)]
)
def test_mean_divergence_of_the_clone(size, golden):
    values = dict(zip("SAHN", size, strict=True))
    assert evaluate("cloning_expectation", **values) == pytest.approx(golden, rel=1e-3)
    assert evaluate("cloning_markov", **values, delta=0.1) == pytest.approx(10.0 * golden, rel=1e-3)


def test_bounds_of_the_clone_bite_from_the_known_number_of_demonstrations():
    known = {key: value for key, value in CHAIN.items() if key != "N"}
    first = {
        name: CLAIMS[name].explicit_bound.nonvacuous_from("N", sp.Integer(1), known)
        for name in ("cloning_expectation", "cloning_deviation", "cloning_markov")
    }
    assert first == {"cloning_expectation": 20, "cloning_deviation": 2721, "cloning_markov": 200}
    longer = CLAIMS["cloning_shorter"].explicit_bound
    assert 50.0 / 7.0 * longer.evaluate(**CHAIN, N=116_954) > 1.0 > 50.0 / 7.0 * longer.evaluate(**CHAIN, N=116_955)


def test_bayes_risk_of_two_actions():
    n = 2
    masses = [(1, 1 / 3), (2, 1 / 3), (3, 1 / 3)]  # counts of two draws are uniform under the prior
    expected = -0.5 - 2.0 * sum(mass * k / (n + 2) * log(k / (n + 2)) for k, mass in masses)
    assert evaluate("cloning_lower_bound", A=2, H=1, N=n) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("actions", [2, 3, 5])
def test_lower_bound_is_half_of_the_upper_one_in_the_limit(actions):
    ratios = [
        evaluate("cloning_lower_bound", A=actions, H=1, N=N) / evaluate("cloning_expectation", S=1, A=actions, H=1, N=N)
        for N in (100, 1000)
    ]
    assert 0.4 < ratios[0] < ratios[1] < 0.5


@pytest.mark.parametrize(
    ("size", "golden"), [((2, 2, 2, 1, 0.1), 3.2e6), ((3, 2, 3, 1, 0.1), 3.3e8), ((4, 2, 5, 1, 0.05), 5.3e10)]
)
def test_number_of_episodes_is_a_fixed_point_near_the_known_one(size, golden):
    values = dict(zip(("S", "A", "H", "lambda", "epsilon"), size, strict=True)) | {"delta": 0.1}
    assert evaluate("sample_complexity", **values, T=1.02 * golden) < 1.02 * golden
    assert evaluate("sample_complexity", **values, T=0.95 * golden) > 0.95 * golden


def test_episodes_with_demonstrations_are_the_regularised_ones_at_other_arguments():
    values = {"S": 4, "A": 2, "H": 5, "T": 1e6}
    taught = evaluate("demonstration_complexity", **values, epsilon=0.5, kbar=0.2, delta=0.1)
    plain = evaluate("sample_complexity", **values, **{"lambda": 0.625}, epsilon=0.125, delta=0.05)
    assert taught == pytest.approx(plain, rel=1e-12)


def test_threshold_of_no_exploration():
    assert evaluate("no_exploration", H=2, epsilon=0.1) == pytest.approx(1.25)
    assert evaluate("no_exploration", H=1, epsilon=0.1) == 0.0


def test_guarantees_for_learned_rewards_are_those_of_true_ones_without_errors():
    values = {"H": 3, "lambda": 4.0, "expert_gap": 0.1, "epsilon": 0.2, "kbar": 0.05, "reward_deviation": 0.0}
    assert evaluate("preferences", **values) == pytest.approx(0.3 + (4.0 + 2.0) * 0.05)
    assert evaluate("preferences_concentrability", **values, concentrability=7.0) == pytest.approx(0.3 + 0.2)


def test_strong_regularisation_is_an_assumption():
    test = preferences.STRONG_REGULARISATION.test
    assert test(SimpleNamespace(lam=4.0, horizon=3)) == Holds()
    assert test(SimpleNamespace(lam=3.99, horizon=3)) == Fails("lambda is below 4 H / 3")


def test_nothing_is_said_to_be_stated_in_the_paper():
    assert {claim.source.origin for claim in CLAIMS.values()} == {Origin.EXPLICIT, Origin.DERIVED}
    assert all(claim.expected != Level.PROVED for claim in CLAIMS.values())


def test_proofs_rest_on_known_claims_and_high_probability_has_a_delta():
    everything = catalogue.load()
    for claim in CLAIMS.values():
        assert claim.uses or claim.id.endswith(("bayes_risk", "cloning_shorter", "hidden_action"))
        assert all(used in everything.claims for used in claim.uses)
        if claim.kind == Kind.HIGH_PROBABILITY:
            assert r"\delta" in claim.statement
