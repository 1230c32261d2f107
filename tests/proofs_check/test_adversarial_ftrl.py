"""Adversarial MDPs: verdicts of the lemmas, golden numbers, bounds against the solvers' own, unmet assumptions."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from tests_support import verify

from mdps import adversarial as worlds
from mdps import adversarial_instances as instances
from proofs_check.cases import CASES
from proofs_check.engine import CheckOutcome, MutantOutcome, judge
from proofs_check.evidence import Finding, dumps
from proofs_check.methods.base import Context, Tier
from proofs_check.methods.montecarlo import Expectation
from proofs_check.papers import adversarial_ftrl as lemmas
from proofs_check.papers import adversarial_ftrl_estimators as estimators
from proofs_check.papers import adversarial_ftrl_orders as orders
from proofs_check.papers import adversarial_ftrl_regret as regret
from solvers import adversarial_ftrl_parameters as par
from solvers.adversarial_ftrl_simplex import ENTROPY, worst_case_regret
from theory import adversarial_ftrl, adversarial_ftrl_regret

CLAIMS = {claim.id: claim for claim in (*adversarial_ftrl.CLAIMS, *adversarial_ftrl_regret.CLAIMS)}
LEMMA_CHECKS = (*lemmas.CHECKS, *estimators.CHECKS)
CHECKS = (*LEMMA_CHECKS, *regret.CHECKS, *orders.CHECKS)
CHEAP = sorted({check.claim for check in LEMMA_CHECKS if not check.claim.endswith("optimised_exponents")})


def bound(name, **values):
    return CLAIMS[f"adversarial_ftrl.{name}"].explicit_bound.evaluate(**values)


@pytest.mark.parametrize("claim_id", CHEAP)
def test_every_lemma_is_shown_as_expected_and_its_mutants_are_rejected(claim_id):
    claim, outcomes = CLAIMS[claim_id], []
    for check in LEMMA_CHECKS:
        if check.claim != claim_id:
            continue
        evidence = verify(check.method, check.statement, claim.assumptions)
        assert check.method.recheck(check.statement, evidence) is None
        mutants = []
        for mutant in check.mutants:
            found = verify(check.method, check.statement_of(mutant), claim.assumptions)
            assert found.witness is not None, f"mutant {mutant.name} survives: {found.summary}"
            mutants.append(MutantOutcome.of(mutant, found))
        outcomes.append(CheckOutcome(check.name, evidence, tuple(mutants)))
    verdict = judge(claim, outcomes, Tier.QUICK, 0)
    assert verdict.ok, verdict.reason


def test_every_claim_has_a_check_and_every_check_a_mutant():
    assert {check.claim for check in CHECKS} == set(CLAIMS)
    assert all(check.mutants for check in CHECKS)


# Golden numbers


@pytest.mark.parametrize(
    ("name", "values", "value"),
    [
        ("hedge", {"H": 3, "A": 3, "K": 50_000}, 994.4),
        ("hedge_single_rate", {"H": 3, "A": 3, "K": 50_000}, 1074.1),
        ("soft", {"H": 5, "A": 3, "K": 10_000}, 828.7),
        ("oreps", {"H": 5, "A": 3, "X": 20, "K": 10_000}, 557.3),
        ("oreps_bandit", {"H": 5, "A": 3, "X": 20, "K": 10_000}, 3861.4),
        ("oreps_from_uniform", {"H": 3, "A": 3, "K": 4_000}, 198.9),
        ("oreps_from_uniform", {"H": 5, "A": 2, "K": 4_000}, 322.4),
        ("bandit_lower_bound", {"H": 3, "S": 3, "A": 4, "K": 20_000}, 192.6),
        ("bandit_lower_bound", {"H": 2, "S": 2, "A": 10, "K": 20_000}, 238.7),
        ("bandit_lower_bound", {"H": 2, "S": 3, "A": 2, "K": 6_000}, 22.1),
    ],
)
def test_bounds_have_their_known_values(name, values, value):
    assert bound(name, **values) == pytest.approx(value, rel=2e-3)


@pytest.mark.parametrize(("horizon", "value"), [(1, 3.437), (2, 2.053), (3, 1.674), (5, 1.399), (10, 1.209)])
def test_the_constant_of_the_closed_form(horizon, value):
    closed = bound("entropy_bonus_closed", H=horizon, S=1, A=2, K=1)
    assert (closed / (2 * horizon**2 * math.sqrt(2 * math.log(2)))) ** 2 == pytest.approx(value, abs=6e-4)


def test_constants_of_the_linear_closed_forms_for_long_horizons():
    H = 10_000
    barrier = bound("barrier_linear_closed", H=H, A=2, d=1, K=10**60)
    assert barrier / (H**3 * math.sqrt(10**60 * math.log(10**60))) == pytest.approx(2.27, abs=0.01)
    reduced = bound("reduced_linear_closed", H=H, A=2, d=1, K=10**60)
    assert reduced / (H**3 * math.sqrt(10**60 * math.log(2))) == pytest.approx(3.85, abs=0.01)


@pytest.mark.parametrize(("rounds", "value"), [(100, 5.550906), (1_000, 18.150138)])
def test_the_worst_binary_losses_are_played_out(rounds, value):
    rate = math.sqrt(8 * math.log(2) / rounds)
    bits = regret.worst_bits(rounds, rate)
    total, paid = np.zeros(2), 0.0
    for bit in bits:
        law = np.exp(-rate * (total - total.min()))
        loss = np.array([bit, 1.0 - bit])
        paid += law @ loss / law.sum()
        total += loss
    assert paid - total.min() == pytest.approx(value, abs=1e-6)
    assert worst_case_regret(ENTROPY, rate, rounds) == pytest.approx(value, abs=1e-6)


def test_without_its_mean_the_reduced_estimate_is_biased():
    case = estimators.opposed("1/2", "1/4", "1")
    mean = next(iter(estimators.reduced_unbiased(case, centred=False)))
    assert float(mean.lhs - mean.rhs) == pytest.approx(0.413, abs=1e-3)


def test_signed_losses_break_the_floor_of_the_reduced_estimate():
    comparison = estimators.reduced_floor(estimators._rare_gain(), signed=True)
    assert comparison.lhs == pytest.approx(454.5, abs=0.1)
    assert comparison.rhs == pytest.approx(50.0)


def test_adding_only_matching_terms_inverts_the_conditional_covariance():
    ((a, b), (c, d)) = np.linalg.inv(np.array([[0.68, 0.24], [0.24, 0.32]]))
    assert [a, b, c, d] == pytest.approx([2.0, -1.5, -1.5, 4.25])
    found = {}
    for matched in (False, True):
        case = estimators.DRAWS["one arm of three tenths, gamma=0, N=4"]()
        found[matched] = [comparison.lhs for comparison in estimators.resampling_mean(case, matched_only=matched)]
    assert all(isinstance(entry, Fraction) for entries in found.values() for entry in entries)
    assert found[True] != found[False]


@pytest.mark.parametrize("name", list(CASES))
def test_the_wrong_exponent_loses_a_known_part(name):
    rate = Fraction(1, 3)
    right = lemmas.dilated_identity(CASES[name](), rate=rate)
    wrong = lemmas.dilated_identity(CASES[name](), rate=rate, exponent=-1)
    assert right.lhs - wrong.rhs == rate / (1 + rate) * right.rhs


def test_the_order_without_a_simulator_bites_late():
    assert 2 * 2**6 * 2**11 == 262_144
    order = 2 ** (1 / 9 + 2 / 3 + 20 / 9) * 262_144 ** (8 / 9)
    assert order == pytest.approx(2 * 262_144)


def test_fair_coins_cost_half_of_the_walk():
    for horizon, n_states, rounds in ((1, 1, 6), (2, 1, 2), (1, 2, 2)):
        comparison = orders.fair_coins(orders.Coins(horizon, n_states, rounds))
        claimed = bound("full_information_lower_bound", H=horizon, K=rounds)
        assert comparison.lhs == comparison.rhs
        assert float(comparison.lhs) == pytest.approx(claimed)
    assert bound("full_information_lower_bound", H=1, K=10_000) == pytest.approx(
        math.sqrt(10_000 / (2 * math.pi)), rel=1e-3
    )


# Bounds of the theory against those of the solvers


@pytest.mark.parametrize("variant", [par.ENTROPY_SQUARE, par.BARRIER, par.BARRIER_LOCAL])
@pytest.mark.parametrize("sizes", [(1, 1, 2), (2, 2, 2), (3, 3, 3)])
def test_bounds_of_policy_optimisation_agree(variant, sizes):
    H, S, A = sizes
    K = 20_000
    p = par.tabular_parameters(variant, H, A, K, 0.4 / math.sqrt(H * A * S * K), 0.4 / math.sqrt(A * S * K))
    name = {par.ENTROPY_SQUARE: "entropy_bonus", par.BARRIER: "barrier_bonus"}.get(variant, "barrier_bonus_local")
    values = {"H": H, "S": S, "A": A, "K": K, "eta": p.eta, "gamma": p.gamma, "omega": p.omega, "alpha": p.alpha}
    assert bound(name, **values) == pytest.approx(par.tabular_bound(p, [S] * H, A, K), rel=1e-12)


@pytest.mark.parametrize("variant", [par.LINEAR_BARRIER, par.LINEAR_REDUCED, par.LINEAR_PLAIN])
@pytest.mark.parametrize("sizes", [(1, 2, 2), (3, 2, 4)])
def test_bounds_for_linear_action_values_agree(variant, sizes):
    H, A, d = sizes
    K = 10**6
    p, value = par.tuned_linear(variant, H, A, d, K)
    name = variant.removeprefix("linear_") + "_linear"
    values = {"eta": p.eta, "beta": p.beta, "gamma": p.gamma, "omega": p.omega}
    assert bound(name, H=H, A=A, d=d, K=K, **values) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("variant", [par.LINEAR_BARRIER, par.LINEAR_REDUCED])
@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_closed_forms_are_admissible_and_above_the_bound_at_their_parameters(variant, horizon):
    p, closed = par.linear_corollary(variant, horizon, 2, 3, 10**6)
    assert par.inadmissible_linear(p, horizon) is None
    name = variant.removeprefix("linear_") + "_linear"
    values = {"H": horizon, "A": 2, "d": 3, "K": 10**6}
    assert bound(f"{name}_closed", **values) == pytest.approx(closed, rel=1e-12)
    exact = bound(name, **values, eta=p.eta, beta=p.beta, gamma=p.gamma, omega=p.omega)
    assert exact <= closed * (1 + 1e-12)


def test_rates_are_the_closed_forms_that_balance_penalty_and_stability():
    H, A, K, S, d = 3, 4, 5_000, 2, 6
    assert list(par.hedge_rates(H, A, K)) == pytest.approx([math.sqrt(8 * math.log(A) / K) / h for h in (3, 2, 1)])
    assert par.hedge_rates(H, A, K, False)[0] == pytest.approx(math.sqrt(48 * math.log(A) / (K * 4 * 7)))
    assert par.soft_rate(H, A, K) == pytest.approx(math.sqrt(8 * math.log(A) / (K * H)))
    assert par.oreps_rate(H, 20, A, K) == pytest.approx(math.sqrt(8 * math.log(20 / 3) / K))
    assert par.oreps_rate(H, 20, A, K, True) == pytest.approx(2 * math.sqrt(4 * math.log(A) / K))
    assert par.oreps_bandit_rate(H, 20, K) == pytest.approx(math.sqrt(2 * H * math.log(20 / 3) / (20 * K)))
    chosen, bound = par.tabular_corollary(H, S, A, K)
    assert (chosen.gamma, chosen.omega, chosen.kappa_q) == pytest.approx((H * chosen.eta, 1 / H, math.e - 2))
    assert 2 * H * math.log(A) / chosen.eta == pytest.approx(bound)
    chosen, _ = par.linear_corollary(par.LINEAR_REDUCED, H, A, d, K)
    e = math.e
    assert chosen.beta == pytest.approx(4 * (e - 2) * chosen.eta * H**2)
    assert chosen.gamma == pytest.approx(16 * (e - 2) ** 2 * (e - 1) * H**4 * chosen.eta**2)
    chosen, _ = par.linear_corollary(par.LINEAR_BARRIER, H, A, d, K)
    assert (chosen.beta, chosen.omega) == pytest.approx((chosen.eta * H**2, 1 / H))
    assert chosen.gamma == pytest.approx((e - 1) * H**4 * chosen.eta**2)


# Assumptions and ranges


def unmet(setting, name):
    return Context(assumptions=CLAIMS[f"adversarial_ftrl.{name}"].assumptions).unmet(setting)


def test_settings_outside_the_assumptions_are_named():
    good = regret.tabular_setting(regret.GAP, 1_000, par.ENTROPY_SQUARE)
    assert unmet(good, "entropy_bonus") is None
    signed = regret.Setting(good.mdp, worlds.constant_losses(np.full((1, 1, 2), -0.5)), 1_000, good.chosen)
    assert "unit_losses: losses in [-0.5, -0.5]" in unmet(signed, "entropy_bonus")
    greedy = par.TabularParameters(par.ENTROPY_SQUARE, 0.1, 1e-3, 0.01, math.e - 2)
    reckless = regret.Setting(good.mdp, good.losses, 1_000, greedy)
    assert "admissible" in unmet(reckless, "entropy_bonus")


def test_features_that_do_not_span_the_action_values_are_named():
    world = instances.random_instance(2, 3, 2, 1)
    features = np.random.default_rng(0).dirichlet(np.ones(2), (2, 3, 2))
    chosen, _ = par.linear_corollary(par.LINEAR_REDUCED, 2, 2, 2, 10**5)
    setting = regret.Setting(world.mdp, regret.random_blocks(2, 3, 2, 100, 1)[1], 100, chosen, features)
    assert "linear_values: action values are off the span" in unmet(setting, "reduced_linear")


def test_no_setting_is_used_where_its_assumptions_fail():
    check = next(check for check in regret.CHECKS if check.claim == "adversarial_ftrl.entropy_bonus_closed")
    good = regret.tabular_setting(regret.GAP, 1_000, "", closed=True)
    chosen = par.TabularParameters(par.ENTROPY_SQUARE, good.chosen.eta, good.chosen.gamma, 0.0, math.e - 2)
    undilated = {"undilated": lambda: regret.Setting(good.mdp, good.losses, 1_000, chosen)}
    evidence = verify(
        Expectation(undilated, check.method.runs),
        check.statement,
        CLAIMS["adversarial_ftrl.entropy_bonus_closed"].assumptions,
    )
    assert evidence.finding == Finding.UNDECIDED
    assert "exceeds omega" in evidence.skipped["undilated"]


def test_regrets_stay_in_the_stated_range():
    for world in (regret.near_and_far, lambda k: regret.random_blocks(3, 3, 3, k, 5)):
        setting = regret.oreps_setting(world, 300)
        low, high = setting.regret_range
        found = regret.run_oreps(setting, np.random.SeedSequence(1), 5).regret[:, -1]
        assert np.all((low <= found) & (found <= high))
        assert high <= 300 * setting.mdp.horizon + 1e-6


def test_a_bound_above_what_can_be_lost_is_vacuous():
    setting = regret.tabular_setting(lambda k: regret.steady_bandit(k, 0.01), 1_000, par.ENTROPY_SQUARE)
    sample = regret.bandit_regret(setting, np.random.SeedSequence(1), 2, name="entropy_bonus", learner=regret.run_bonus)
    assert sample.vacuous


def test_an_adaptive_adversary_is_met_with_a_fixed_comparator():
    setting = regret.tabular_setting(regret.greedy_world, 500, par.ENTROPY_SQUARE)
    assert setting.losses.adaptive
    assert setting.regret_range == (-1500.0, 1500.0)
    sample = regret.bandit_regret(setting, np.random.SeedSequence(2), 4, name="entropy_bonus", learner=regret.run_bonus)
    run = regret.run_bonus(setting, np.random.SeedSequence(2), 4)
    assert np.asarray(sample.lhs) == pytest.approx(run.regret_against(regret.first_actions(setting.mdp))[:, -1])
    assert (np.asarray(sample.lhs) <= run.regret[:, -1] + 1e-9).all()


def test_covariances_of_too_few_draws_are_no_setting_of_the_bound():
    setting = regret.drawn_setting(2_000, 100_000)
    assert unmet(setting, "drawn_linear") is None
    few = par.LinearParameters(**{**vars(setting.chosen), "draws": 90_000})
    assert "draws are fewer than" in unmet(
        regret.Setting(setting.mdp, setting.losses, 2_000, few, setting.features), "drawn_linear"
    )
    assert "outside (0, 1)" in par.missing_draws(par.LinearParameters(**{**vars(few), "delta": 0.0}), 1, 2, 2_000)


def test_the_bound_with_drawn_covariances_follows_from_the_exact_one():
    H, A, d, K = 2, 2, 3, 10_000
    p = par.LinearParameters(par.LINEAR_DRAWN, 1e-3, 0.02, 1e-3, 0.4, 1e-4, 10**6)
    exact = par.LinearParameters(par.LINEAR_BARRIER, 2e-3, 0.02, 1e-3, 0.4)
    base = {"H": H, "A": A, "d": d, "K": K, "beta": 0.02, "gamma": 1e-3, "omega": 0.4}
    fixed = H * (A - 1) * math.log(K) / 1e-3 + H * (
        H * (1 + 4 * math.sqrt(d)) + par.largest_linear_bonus(H, 0.02, 1e-3, 0.4)
    )
    bias = 4 * 1e-3 * d * H**3 * K * (1 / (4 * (0.02 - 1e-3 * H**2)) + 1 / 0.08)
    bonus = 4 * 0.02 * d * K * (1.4 + 1.4**2)
    assert par.linear_bound(p, H, A, d, K) == pytest.approx(fixed + bias + bonus + 1e-4 * H * K)
    assert bound("barrier_linear", **base, eta=2e-3) == pytest.approx(par.linear_bound(exact, H, A, d, K))


def test_hidden_actions_cost_what_the_lower_bound_says_and_no_more_than_the_gap():
    instance = orders.Hidden("policy optimisation", 2, 2, 2, 400)
    sample = orders.hidden_actions(instance, np.random.SeedSequence(3), 12)
    low, high = sample.support
    values = np.asarray(sample.lhs)
    assert ((low <= values) & (values <= high)).all()
    assert values.mean() > sample.rhs
    assert high == pytest.approx(instances.lower_bound_gap(2, 2, 400) * 800, rel=1e-6)


def test_the_identity_of_the_barrier_is_enclosed_to_fifty_digits():
    for case in lemmas.REPLAYS.values():
        assert next(iter(lemmas.barrier_identity(case()))).holds
    broken = next(iter(lemmas.barrier_identity(lemmas.replay(5, 1, 0), reverse=True)))
    assert float(broken.lhs) > 1e-6


def test_the_figure_of_the_linear_algorithms_is_plain_data_below_its_bounds():
    data = json.loads(dumps(orders.linear_figure(Tier.QUICK)))
    assert data["kind"] == "curves"
    for curve in data["curves"]:
        assert all(y < b for y, b in zip(curve["high"], curve["bound"], strict=True))
        assert abs(curve["slope"] - curve["claimed"]) < 0.12
