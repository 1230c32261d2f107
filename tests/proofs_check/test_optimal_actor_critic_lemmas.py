"""Lemmas of optimistic actor-critics: every claim as expected, golden numbers, and oracles by plain enumeration."""

import itertools
import math
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from flint import ctx
from hypothesis import given
from hypothesis import strategies as st
from tests_support import verify

from mdps.actor_critic_instances import tracking_counterexample, wide_tracking_counterexample
from mdps.critics import eluder_dimension
from proofs_check.engine import CheckOutcome, MutantOutcome, judge
from proofs_check.methods.base import Tier
from proofs_check.papers import optimal_actor_critic_confidence as confidence
from proofs_check.papers import optimal_actor_critic_eluder as eluder
from proofs_check.papers import optimal_actor_critic_lemmas as lemmas
from proofs_check.papers import optimal_actor_critic_mirror as mirror
from proofs_check.papers import optimal_actor_critic_scalars as scalars
from proofs_check.papers import optimal_actor_critic_tracking as tracking
from proofs_check.papers import optimal_actor_critic_water_filling as water
from theory import optimal_actor_critic_lemmas, optimal_actor_critic_tracking
from theory.optimal_actor_critic_parameters import lambert, water_filling

CLAIMS = {claim.id: claim for claim in (*optimal_actor_critic_tracking.CLAIMS, *optimal_actor_critic_lemmas.CLAIMS)}
CHECKS = defaultdict(list)
for one in (check for part in (tracking, mirror, lemmas, confidence, scalars, water, eluder) for check in part.CHECKS):
    CHECKS[one.claim].append(one)


def middle(ball):
    return float(ball.mid())


@pytest.mark.parametrize("claim_id", CLAIMS)
def test_every_claim_is_shown_as_expected_and_its_mutants_are_rejected(claim_id):
    outcomes = []
    for check in CHECKS[claim_id]:
        evidence = verify(check.method, check.statement)
        assert check.method.recheck(check.statement, evidence) is None
        mutants = [MutantOutcome.of(m, verify(check.method, check.statement_of(m))) for m in check.mutants]
        assert all(mutant.killed for mutant in mutants if not mutant.control), mutants
        outcomes.append(CheckOutcome(check.name, evidence, tuple(mutants), part=check.part))
    verdict = judge(CLAIMS[claim_id], outcomes, Tier.QUICK, 0)
    assert verdict.ok, verdict.reason


# Tracking


@pytest.mark.parametrize(
    ("n_actions", "value"), [(2, 0.278465), (3, 0.463056), (4, 0.603546), (10, 1.101003), (100, 2.628650)]
)
def test_lambert_constants(n_actions, value):
    assert lambert(n_actions) == pytest.approx(value, abs=5e-7)
    assert middle(tracking.lambert_ball(n_actions)) == pytest.approx(lambert(n_actions), rel=1e-14)


def softmax(scores):
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def second_stage(tree, rounds):
    """Sum of the gaps of the second stage along the actor, from the kernel of the model."""
    first, second = tree.critic
    total = 0.0
    for j in range(1, rounds + 1):
        arrival = softmax(j * first)[0] @ tree.mdp.transitions[0][0]
        gaps = second.max(axis=1) - (softmax(j * second) * second).sum(axis=1)
        total += float(arrival @ gaps)
    return total


@pytest.mark.parametrize(("rounds", "value"), [(200, 0.8607), (2_000, 0.8787)])
def test_the_naive_lemma_fails_with_two_actions(rounds, value):
    assert second_stage(tracking_counterexample(), rounds) == pytest.approx(value, abs=5e-5)
    assert value > math.log(2)


def test_the_naive_lemma_fails_with_eight_actions():
    tree = wide_tracking_counterexample()
    assert math.log(8) < second_stage(tree, 50) == pytest.approx(2.8618, abs=5e-5)
    assert second_stage(wide_tracking_counterexample(0.4, 0.1, 0.9), 50) == pytest.approx(2.8469, abs=5e-5)


def test_balls_of_the_counter_examples_are_those_of_the_models():
    with ctx.workprec(128):
        for name, case in tracking.two_stages(Tier.QUICK).items():
            tree = tracking_counterexample() if name.startswith("two") else wide_tracking_counterexample()
            assert middle(case().lost()) == pytest.approx(second_stage(tree, case().rounds), rel=1e-12)


def test_tracking_without_a_reset():
    run = tracking.EXCHANGED()
    lazy, reset, bound = (
        run.epoch(1, reset=False),
        run.epoch(1),
        tracking.bound_ball(tracking.CLAIMS["lazy_tracking"], **run.values),
    )
    assert [middle(lazy), middle(reset), middle(bound)] == pytest.approx([292.8, 6.68, 18.7], abs=0.05)


def test_a_tenth_less_than_the_constant_is_violated_by_a_ninth():
    found = tracking.tracking(
        tracking.SINGLE["2 actions, equal gaps"](), claimed="tracking_last_iterate", factor=Fraction(9, 10)
    )
    assert middle(found.lhs) / middle(found.rhs) == pytest.approx(1 / 0.9, rel=1e-9)


@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=9), st.floats(0.01, 50.0))
def test_no_softmax_has_a_larger_gap(gaps, scale):
    scores = -np.array([0.0, *gaps])
    gap = -float(softmax(scale * scores) @ scores)
    assert scale * gap <= lambert(len(scores)) * (1 + 1e-12) + 1e-12


@given(st.lists(st.floats(0.0, 5.0), min_size=1, max_size=6), st.floats(0.01, 3.0), st.integers(1, 40))
def test_gaps_of_one_state_add_up_to_at_most_the_logarithm(gaps, rate, rounds):
    scores = -np.array([0.0, *gaps])
    plays = softmax(rate * np.arange(1, rounds + 1)[:, None] * scores)
    lost = -(plays @ scores)
    assert np.all(np.diff(lost) <= 1e-12)
    assert rate * lost.sum() <= math.log(len(scores)) + 1e-9


# Probabilities


def test_the_worst_adversary_of_a_squared_loss_by_trees():
    game = confidence.Game(Fraction(1, 4), (Fraction(1, 2), Fraction(1)), 4, Fraction(36, 100))

    def worst(left, total):
        if total > game.iota:
            return Fraction(1)
        if left == 0:
            return Fraction(0)
        chances = []
        for step in game.steps:
            outcomes = ((game.up, 1 - game.up), (1 - game.up, -game.up))
            chances.append(sum(p * worst(left - 1, total + 2 * step * xi - step**2 / 2) for p, xi in outcomes))
        return max(chances)

    assert middle(confidence.golf_concentration(game).lhs) == pytest.approx(float(worst(4, Fraction(0))), rel=1e-14)


def test_rare_visits_by_all_paths():
    case = confidence.Visits(Fraction(1, 4), 10, Fraction(1, 2))
    failed = 0.0
    for path in itertools.product((0, 1), repeat=case.rounds):
        visits = np.cumsum(path)
        expected = 0.25 * np.arange(1, case.rounds + 1)
        if np.any((1 - 1 / math.e) * expected > visits + 0.5):
            failed += 0.25 ** visits[-1] * 0.75 ** (case.rounds - visits[-1])
    assert middle(confidence.multiplicative_martingale(case).lhs) == pytest.approx(failed, rel=1e-12)


def test_chosen_laws_by_trees():
    case = confidence.Chooser(((6, 2, 0), (4, 2, 2)), 4, Fraction(1, 2))

    def worst(left, short):
        if short > 0.5:
            return 1.0
        if left == 0:
            return 0.0
        chances = []
        for law in case.laws:
            mean = (law[1] / 2 + law[2]) / 8
            after = (short + (1 - 1 / math.e) * mean - x / 2 for x in range(3))
            chances.append(sum(w / 8 * worst(left - 1, s) for w, s in zip(law, after, strict=True)))
        return max(chances)

    assert middle(confidence.multiplicative_martingale(case).lhs) == pytest.approx(worst(4, 0.0), rel=1e-12)


def test_mirror_ascent_by_multiplicative_weights():
    case = mirror._units((0, 1, 1, 2, 0), 3, 2)
    law, earned = np.full(3, 1 / 3), 0.0
    for scores in np.array(case.rounds, dtype=float):
        earned += law @ scores
        law = law * np.exp(0.3 * scores)
        law /= law.sum()
    assert middle(case.regret(tracking.ball(Fraction(3, 10)))) == pytest.approx(2 * (4 - earned), rel=1e-12)


def test_a_gambler_with_one_kind_of_coin_is_binomial():
    gambler = confidence.Gambler((Fraction(1, 2),), 12, Fraction(3))
    coins = confidence.Coins(12, Fraction(3))
    assert middle(gambler.log_chance()) == pytest.approx(middle(coins.log_chance()), rel=1e-14)


# Water filling and potentials


@pytest.mark.parametrize("name", water.PAIRS)
def test_water_filling_of_the_bounds_is_exact(name):
    case = water.PAIRS[name]()
    gain = middle(case.gain(water.filled(case.starts, Fraction(case.total))))
    assert water_filling(case.visits, case.total) == pytest.approx(gain, rel=1e-12)


def test_nothing_to_fill_is_an_error():
    with pytest.raises(ValueError, match="nothing to fill"):
        water.water_level([], Fraction(1))


def test_one_cell_nearly_attains_the_sum_of_bonuses():
    found = scalars.count_potential(scalars._one_cell(2**12))
    assert found.holds
    assert found.ratio > 0.83


def test_the_pigeonhole_sequence():
    with ctx.workprec(128):
        values, _ = eluder.Extremal(4, 100_000).sums()
        assert middle(values) == pytest.approx(1263.06, abs=5e-3)
        (found, _) = eluder.eluder_pigeonhole(eluder.Extremal(4, 100_000))
        assert middle(found.rhs) == pytest.approx(1268.91, abs=5e-3)


# Eluder dimensions and classes


@given(st.integers(2, 4).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, 3)] * n), min_size=1, max_size=4)))
def test_eluder_dimensions_of_sequences_and_of_sets(functions):
    case = eluder.FunctionClass(tuple(functions))
    assert eluder.dimension(case, 0) == eluder_dimension(functions, 0.5)
    assert eluder.dimension(case, 1) == eluder_dimension(functions, 1.0)


def test_indicators_of_pairs_have_as_many_dimensions_as_pairs():
    assert eluder.dimension(eluder.indicators(6, 1, 2), 0) == 6
    assert eluder.dimension(eluder.indicators(6, 2, 2), 2) == 0


def test_large_values_by_all_sequences():
    case = eluder.FunctionClass(((2, 1), (1, 2), (0, 2)))
    most = 0
    for points in itertools.product(range(2), repeat=5):
        visits, times = [0, 0], 0
        for point in points:
            allowed = [f for f in case.functions if eluder.past(f, tuple(visits)) <= 6]
            if not any(abs(f[point]) > 1 for f in allowed):
                break
            times += 1
            visits[point] += 1
        most = max(most, times)
    assert most == eluder.most_often_large(case, 6, 1) < 5


def test_numbers_of_actors():
    scores = ((0, 2, 3), (0, 5, 7), (0, 11, 2))
    cases = [eluder.Critics(scores, t) for t in range(1, 7)]
    assert [case.sums() for case in cases] == [3, 6, 10, 15, 21, 28]
    assert [case.resets() for case in cases] == [3, 6, 9, 12, 15, 18]


def test_critics_in_a_line_make_fewer_actors():
    assert eluder.Critics(((0, 1), (0, 2), (0, 3)), 4).sums() == 9 < math.comb(6, 4)


def test_the_spectrum_is_bounded_from_above():
    for build in eluder.COVERED.values():
        case = build()
        above, _ = case.spectrum()
        features = np.array(case.features, dtype=float)
        optimal, offline = (
            np.einsum("x,xi,xj->ij", np.array(law, dtype=float), features, features)
            for law in (case.optimal, case.offline)
        )
        largest = np.linalg.eigvals(np.linalg.solve(offline, optimal)).real.max()
        assert largest <= float(above) <= largest + 3e-6
        assert largest <= float(case.density) + 1e-12
