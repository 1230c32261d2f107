import functools
import json
import math

import numpy as np
import pytest

from proofs_check.evidence import Evidence, Finding, dumps
from proofs_check.methods import rates
from proofs_check.methods.base import Context, Sizes, Tier
from proofs_check.methods.montecarlo import Sample, SampleError
from proofs_check.methods.rates import Outcomes, Rates
from theory.claim import Assumption, Fails, Holds

BUDGETS = (100, 300, 1_000, 3_000, 10_000)


def verify(method, statement, seed=0, tier=Tier.QUICK, assumptions=()):
    results = {}
    for index, unit in enumerate(method.units(tier)):
        context = Context(tier, np.random.SeedSequence(seed, spawn_key=(index,)), assumptions)
        results[unit] = json.loads(dumps(method.run(statement, unit, context)))
    return Evidence.from_json(json.loads(dumps(method.fold(results).to_json())))


def noisy(budget, seed, runs, mean=math.sqrt, spread=0.2):
    return mean(budget) * np.random.default_rng(seed).lognormal(0.0, spread, runs)


def power(exponent):
    return functools.partial(noisy, mean=lambda budget: 3.0 * budget**exponent)


UPPER = Rates(0.5, "most", Sizes(BUDGETS), Sizes(32))
LOWER = Rates(0.5, "least", Sizes(BUDGETS), Sizes(32))


@pytest.mark.parametrize(
    ("exponent", "upper", "lower"),
    [
        (0.40, Finding.NO_VIOLATION, Finding.VIOLATION),
        (0.50, Finding.NO_VIOLATION, Finding.NO_VIOLATION),
        (0.55, Finding.UNDECIDED, Finding.NO_VIOLATION),
        (2 / 3, Finding.VIOLATION, Finding.NO_VIOLATION),
        (1.00, Finding.VIOLATION, Finding.NO_VIOLATION),
    ],
)
def test_exponents_are_compared_with_the_claimed_one(exponent, upper, lower):
    for method, finding in ((UPPER, upper), (LOWER, lower)):
        evidence = verify(method, power(exponent))
        assert evidence.finding == finding
        assert evidence.confidence.lower < exponent < evidence.confidence.upper
        assert method.recheck(power(exponent), evidence) is None
        assert (evidence.witness is not None) == (finding == Finding.VIOLATION)


def test_plot_and_summary_say_what_was_measured():
    evidence = verify(UPPER, power(0.5))
    assert evidence.plot["kind"] == "rate"
    assert evidence.plot["x"] == list(BUDGETS)
    assert evidence.plot["interval"] == [evidence.confidence.lower, evidence.confidence.upper]
    assert len(evidence.plot["local_slopes"]) == 4
    for low, mean, high in zip(*(evidence.plot[key] for key in ("low", "y", "high")), strict=True):
        assert low < mean < high
    assert "resolution 0.05" in evidence.summary
    assert "K = 100 to 10000" in evidence.summary


def test_a_deterministic_curve_has_its_own_slope():
    evidence = verify(UPPER, functools.partial(noisy, spread=0.0))
    assert evidence.confidence.lower == evidence.confidence.upper == pytest.approx(0.5)


def test_least_squares_slope_and_curvature():
    x = np.log(np.array(BUDGETS, dtype=float))
    y = np.random.default_rng(0).normal(size=5)
    assert rates.slope_weights(BUDGETS) @ y == pytest.approx(np.polyfit(x, y, 1)[0])
    assert rates.curvature_weights(BUDGETS) @ y == pytest.approx(np.polyfit(x, y, 2)[0])


def test_limits_cover_a_known_slope():
    missed_low = missed_high = 0
    for trial in range(200):
        rng = np.random.default_rng(trial)
        values = tuple(math.sqrt(budget) * rng.lognormal(0.0, 0.5, 32) for budget in BUDGETS)
        outcomes = Outcomes(BUDGETS, values)
        means = rates.bootstrap_means(outcomes, 1_000)
        fit = rates.fit(outcomes, means, rates.slope_weights(BUDGETS), 0.05)
        missed_low += fit.lower > 0.5
        missed_high += fit.upper < 0.5
    # nominally 10 of 200 on each side; the bootstrap of 32 runs is a little too narrow
    assert missed_low <= 24
    assert missed_high <= 24


def test_burn_in_is_left_out_and_said():
    budgets = (10, 30, 100, 300, 1_000, 3_000, 10_000)
    method = Rates(0.5, "most", Sizes(budgets), Sizes(32))
    evidence = verify(method, functools.partial(noisy, mean=lambda k: min(k, 10 * math.sqrt(k)), spread=0.05))
    assert evidence.finding == Finding.NO_VIOLATION
    assert "after a burn-in until K = " in evidence.summary
    assert evidence.plot["from"] >= 30


def test_a_burn_in_too_long_for_the_range_decides_nothing():
    evidence = verify(UPPER, functools.partial(noisy, mean=lambda k: min(k, 60 * math.sqrt(k)), spread=0.05))
    assert evidence.finding == Finding.UNDECIDED
    assert "still bends towards the claim" in evidence.summary


def test_growth_that_sets_in_at_the_end_is_not_supported():
    evidence = verify(UPPER, functools.partial(noisy, mean=lambda k: max(40.0, 0.02 * k), spread=0.02))
    assert evidence.finding != Finding.NO_VIOLATION


def test_logarithmic_factors_are_within_a_stated_resolution():
    def mean(k):
        return math.sqrt(k * math.log(k))

    statement = functools.partial(noisy, mean=mean, spread=0.01)
    evidence = verify(UPPER, statement)
    assert evidence.finding == Finding.UNDECIDED
    assert "still bends towards the claim" in evidence.summary
    wide = Rates(0.5, "most", Sizes(BUDGETS), Sizes(32), resolution=0.12)
    assert verify(wide, statement).finding == Finding.NO_VIOLATION


def test_few_decades_decide_nothing():
    method = Rates(0.5, "most", Sizes((100, 200, 400, 800)), Sizes(16))
    evidence = verify(method, power(0.5))
    assert evidence.finding == Finding.UNDECIDED
    assert "span 0.90 decades" in evidence.summary


def test_vacuous_budgets_do_not_count():
    def statement(budget, seed, runs, until=1_000):
        return Sample(noisy(budget, seed, runs), 0.0, vacuous=budget < until, nonvacuous_from=until)

    evidence = verify(UPPER, statement)
    assert evidence.finding == Finding.UNDECIDED
    assert "only 3 budgets count" in evidence.summary
    assert "K=100: the bound is vacuous until K = 1000" in evidence.summary
    assert evidence.nonvacuous_from == {"K": 1_000}
    assert UPPER.recheck(statement, evidence) is None
    later = functools.partial(statement, until=200)
    evidence = verify(UPPER, later)
    assert evidence.finding == Finding.NO_VIOLATION
    assert list(evidence.skipped) == ["K=100"]
    assert UPPER.recheck(later, evidence) is None


def test_budgets_must_meet_the_assumptions():
    large = Assumption("large", "K is large", lambda k: Holds() if k >= 300 else Fails("K is small"))
    evidence = verify(UPPER, power(0.5), assumptions=(large,))
    assert evidence.skipped == {"K=100": "large: K is small"}


def test_a_mean_without_a_logarithm_is_named():
    evidence = verify(UPPER, functools.partial(noisy, mean=lambda k: -1.0 if k == 1_000 else 1.0))
    assert evidence.finding == Finding.UNDECIDED
    assert "the mean at K = 1000 is -" in evidence.summary


def test_runs_that_are_sometimes_negative_do_not_break_the_bootstrap():
    def statement(budget, seed, runs):
        return math.sqrt(budget) * np.random.default_rng(seed).normal(0.3, 1.0, runs)

    evidence = verify(UPPER, statement, seed=2)
    assert evidence.finding == Finding.UNDECIDED


def edited(evidence, change):
    data = json.loads(dumps(evidence.to_json()))
    change(data)
    return Evidence.from_json(data)


def forge(data, keep_digest):
    from proofs_check.methods.exact import digest

    stored = data["certificate"]["outcomes"]
    for record in stored.values():
        record["values"] = [value * 1.001 for value in record["values"]]
    if not keep_digest:
        data["certificate"]["digest"] = digest(stored)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (functools.partial(forge, keep_digest=True), "digest"),
        (functools.partial(forge, keep_digest=False), "stored outcomes show|drawn from the stored seed"),
        (lambda data: data["confidence"].update(upper=0.4), "the stored outcomes show"),
        (lambda data: data.update(finding="violation"), "the stored outcomes show"),
    ],
)
def test_edited_evidence_is_detected(change, message):
    evidence = verify(UPPER, power(0.5))
    problem = UPPER.recheck(power(0.5), edited(evidence, change))
    assert any(part in problem for part in message.split("|"))


def test_recheck_draws_the_cheapest_budgets_only():
    drawn = []

    def counting(budget, seed, runs):
        drawn.append(budget)
        return noisy(budget, seed, runs)

    evidence = verify(UPPER, counting)
    drawn.clear()
    assert UPPER.recheck(counting, evidence) is None
    assert drawn
    assert sum(drawn) <= sum(BUDGETS) / 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"at": "about"}, "at is 'about'"),
        ({"alpha": 1e-4}, "do not resolve"),
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"budgets": Sizes((1, 10, 100))}, "not 4 or more increasing"),
        ({"budgets": Sizes((1, 10, 10, 100))}, "not 4 or more increasing"),
        ({"runs": Sizes(7)}, "7 runs at tier quick are fewer than 8"),
    ],
)
def test_impossible_settings_are_refused(arguments, message):
    usual = {"claimed_slope": 0.5, "at": "most", "budgets": Sizes(BUDGETS), "runs": Sizes(16)}
    with pytest.raises(ValueError, match=message):
        Rates(**{**usual, **arguments})


def test_outcomes_that_do_not_fit_are_named():
    with pytest.raises(SampleError, match=r"K=100: lhs has shape \(3,\), not \(32,\)"):
        UPPER.run(lambda *_: np.ones(3), "K=100", Context())
    with pytest.raises(SampleError, match="K=100: lhs of run 0 is nan"):
        UPPER.run(lambda k, seed, runs: np.full(runs, np.nan), "K=100", Context())
