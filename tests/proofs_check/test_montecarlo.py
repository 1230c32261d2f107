import functools
import json

import numpy as np
import pytest

from proofs_check.evidence import Comparison, Evidence, Finding, dumps
from proofs_check.methods.base import Context, Sizes, Tier
from proofs_check.methods.montecarlo import Expectation, MonteCarlo, Sample, SampleError
from theory.claim import Assumption, Fails, Holds

COINS = {"fair": lambda: 1.0, "half": lambda: 0.5}


def verify(method, statement, seed=0, tier=Tier.QUICK, assumptions=(), stop=False):
    results = {}
    for index, unit in enumerate(method.units(tier)):
        context = Context(tier, np.random.SeedSequence(seed, spawn_key=(index,)), assumptions)
        results[unit] = json.loads(dumps(method.run(statement, unit, context)))
        if stop and method.settles(results[unit]):
            break
    return Evidence.from_json(json.loads(dumps(method.fold(results).to_json())))


def coin(instance, seed, runs, p=0.02, **more):
    """Violated with probability p times the instance."""
    return Sample(np.random.default_rng(seed).random(runs), 1.0 - p * instance, **more)


def uniform(instance, seed, runs, mean=0.6, relation="<="):
    return Sample(np.random.default_rng(seed).random(runs), mean, relation, support=(0.0, 1.0))


def test_fewest_runs_without_a_violation_support_a_claim():
    never = functools.partial(coin, p=-1.0)
    enough, short = (MonteCarlo({"one": lambda: 1.0}, Sizes(runs), delta=0.01) for runs in (688, 687))
    evidence = verify(enough, never)
    assert evidence.finding == Finding.NO_VIOLATION
    assert (evidence.confidence.violations, evidence.confidence.runs) == (0, 688)
    undecided = verify(short, never)
    assert undecided.finding == Finding.UNDECIDED
    assert "about 1 more runs" in undecided.summary


def test_instances_share_the_level():
    method = MonteCarlo(COINS, Sizes(700), delta=0.01)
    evidence = verify(method, functools.partial(coin, p=-1.0))
    assert evidence.finding == Finding.UNDECIDED
    assert evidence.confidence.alpha == pytest.approx(0.0005)


@pytest.mark.parametrize(
    ("p", "finding"), [(0.02, Finding.NO_VIOLATION), (0.05, Finding.UNDECIDED), (0.11, Finding.VIOLATION)]
)
def test_violations_are_counted_against_the_claimed_probability(p, finding):
    method = MonteCarlo({"fair": lambda: 1.0}, Sizes(1_000), delta=0.05)
    statement = functools.partial(coin, p=p)
    evidence = verify(method, statement)
    assert evidence.finding == finding
    assert method.recheck(statement, evidence) is None
    assert evidence == verify(method, statement)


def test_wrong_verdicts_are_as_rare_as_stated():
    """At the boundary, p = delta, both wrong supports and wrong refutations have probability at most alpha."""
    method = MonteCarlo({"fair": lambda: 1.0}, Sizes(120), alpha=0.1, delta=0.1)
    findings = [verify(method, functools.partial(coin, p=0.1), seed).finding for seed in range(150)]
    # P(Bin(150, 0.1) > 30) < 1e-4
    assert findings.count(Finding.NO_VIOLATION) <= 30
    assert findings.count(Finding.VIOLATION) <= 30


def test_one_block_may_refute_and_stop_the_others():
    method = MonteCarlo(COINS, Sizes(800), delta=0.05)
    evidence = verify(method, functools.partial(coin, p=0.6), stop=True)
    assert evidence.finding == Finding.VIOLATION
    assert evidence.confidence.runs == 100
    assert evidence.witness["lhs"] > evidence.witness["rhs"]
    assert method.recheck(functools.partial(coin, p=0.6), evidence) is None


def test_missing_blocks_never_support():
    method = MonteCarlo({"fair": lambda: 1.0}, Sizes(8_000), delta=0.05)
    context = Context(Tier.QUICK, np.random.SeedSequence(0))
    unit = method.units(Tier.QUICK)[0]
    evidence = method.fold({unit: method.run(functools.partial(coin, p=-1.0), unit, context)})
    assert evidence.finding == Finding.UNDECIDED
    assert evidence.confidence.upper < 0.05


def test_vacuous_instances_do_not_count():
    def statement(instance, seed, runs):
        return coin(instance, seed, runs, p=-1.0, vacuous=instance == 0.5, nonvacuous_from=70_000)

    method = MonteCarlo(COINS, Sizes(400), delta=0.05)
    evidence = verify(method, statement)
    assert evidence.finding == Finding.NO_VIOLATION
    assert evidence.instances == ("fair",)
    assert evidence.skipped == {"half": "the bound is vacuous until 70000"}
    alone = verify(MonteCarlo({"half": lambda: 0.5}, Sizes(400), delta=0.05), statement)
    assert alone.finding == Finding.UNDECIDED
    assert "half: the bound is vacuous until 70000" in alone.summary
    assert alone.nonvacuous_from == {"half": 70_000}
    assert method.recheck(statement, alone) is None


def test_a_violated_vacuous_bound_is_still_a_violation():
    evidence = verify(MonteCarlo(COINS, Sizes(100), delta=0.05), functools.partial(coin, p=1.0, vacuous=True))
    assert evidence.finding == Finding.VIOLATION


def test_instances_must_meet_the_assumptions():
    fair = Assumption("fair", "the coin is fair", lambda p: Holds() if p == 1.0 else Fails("it is not"))
    evidence = verify(MonteCarlo(COINS, Sizes(400), delta=0.05), coin, assumptions=(fair,))
    assert evidence.skipped == {"half": "fair: it is not"}
    evidence = verify(MonteCarlo({"half": COINS["half"]}, Sizes(400), delta=0.05), coin, assumptions=(fair,))
    assert evidence.finding == Finding.UNDECIDED


def test_comparisons_run_by_run_are_a_sample():
    def statement(instance, seed, runs):
        return [Comparison(float(x), 0.97, where="run") for x in np.random.default_rng(seed).random(runs)]

    method = MonteCarlo({"one": lambda: 1}, Sizes(600), delta=0.1)
    evidence = verify(method, statement)
    assert evidence.finding == Finding.NO_VIOLATION
    assert 0.85 < evidence.tightness.ratio * 0.97 < 0.97  # the quantile 0.9 of a block
    assert method.recheck(statement, evidence) is None


@pytest.mark.parametrize(
    ("relation", "mean", "finding"),
    [
        ("<=", 0.6, Finding.NO_VIOLATION),
        ("<=", 0.5, Finding.UNDECIDED),
        ("<=", 0.4, Finding.VIOLATION),
        (">=", 0.6, Finding.VIOLATION),
        (">=", 0.4, Finding.NO_VIOLATION),
        ("==", 0.5, Finding.NO_VIOLATION),
        ("==", 0.4, Finding.VIOLATION),
        ("==", 0.525, Finding.UNDECIDED),
    ],
)
def test_expectations_are_compared_with_their_bound(relation, mean, finding):
    method = Expectation(COINS, Sizes(2_000), resolution=0.05)
    statement = functools.partial(uniform, mean=mean, relation=relation)
    evidence = verify(method, statement)
    assert evidence.finding == finding
    assert method.recheck(statement, evidence) is None
    assert evidence.confidence.lower < 0.5 < evidence.confidence.upper


def test_expectation_stops_early_on_a_clear_violation():
    method = Expectation(COINS, Sizes(4_000))
    evidence = verify(method, functools.partial(uniform, mean=0.2), stop=True)
    assert evidence.finding == Finding.VIOLATION
    assert evidence.confidence.runs == 500
    assert evidence.witness["lhs"] == pytest.approx(0.5, abs=0.1)


def test_expectation_of_a_difference():
    def paired(instance, seed, runs):
        noise = np.random.default_rng(seed).random(runs)
        return Sample(noise, noise + 0.1 * noise, support=(-0.1, 0.0))

    assert verify(Expectation({"one": lambda: 1}, Sizes(500)), paired).finding == Finding.NO_VIOLATION


def altered(evidence, change):
    data = json.loads(dumps(evidence.to_json()))
    change(data)
    return Evidence.from_json(data)


def forge_counts(data):
    block = next(iter(data["certificate"]["blocks"].values()))
    block["violations"] = 0


def forge_all(data):
    from proofs_check.methods.exact import digest

    for block in data["certificate"]["blocks"].values():
        block["seed"]["entropy"] += 1
    data["certificate"]["digest"] = digest(data["certificate"]["blocks"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (forge_counts, "digest"),
        (forge_all, "is not the stored one"),
        (lambda data: data.update(finding="violation"), "the stored counts show: no violation"),
        (lambda data: data["confidence"].update(upper=0.001), "the stored counts show"),
        (lambda data: data["tightness"].update(ratio=0.5), "the stored counts show"),
    ],
)
def test_edited_evidence_is_detected(change, message):
    method = MonteCarlo({"fair": lambda: 1.0}, Sizes(1_000), delta=0.05)
    evidence = verify(method, coin)
    assert message in method.recheck(coin, altered(evidence, change))


def test_recheck_draws_a_small_part():
    drawn = []

    def counting(instance, seed, runs):
        drawn.append(runs)
        return coin(instance, seed, runs)

    method = MonteCarlo(COINS, Sizes(1_600), delta=0.05)
    evidence = verify(method, counting)
    total = sum(drawn)
    drawn.clear()
    assert method.recheck(counting, evidence) is None
    assert 0 < sum(drawn) < total / 5


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Sample(np.zeros(3), 1.0), r"fair #0: lhs has shape \(3,\), not \(13,\)"),
        (Sample(np.full(13, np.nan), 1.0), "lhs of run 0 is nan"),
        (Sample(np.zeros(13), np.inf), "rhs of run 0 is inf"),
        ([1.0] * 13, "returned a float, not a comparison"),
        ([Comparison(0.0, 1.0), Comparison(0.0, 1.0, "==")], "2 different relations"),
    ],
)
def test_samples_that_do_not_fit_are_named(answer, message):
    method = MonteCarlo({"fair": lambda: 1.0}, Sizes(100), delta=0.05)
    with pytest.raises(SampleError, match=message):
        method.run(lambda *_: answer, "fair #0", Context())


def test_expectation_needs_a_range_that_is_kept():
    method = Expectation({"fair": lambda: 1.0}, Sizes(8))
    with pytest.raises(SampleError, match="needs the range"):
        method.run(coin, "fair #0", Context())
    with pytest.raises(SampleError, match=r"outside the support \[0, 0\.1\]"):
        method.run(lambda *_: Sample(np.ones(1), 1.0, support=(0, 0.1)), "fair #0", Context())
    with pytest.raises(SampleError, match="needs a resolution"):
        method.run(lambda *_: Sample(np.ones(1), 1.0, "==", support=(0, 1)), "fair #0", Context())


@pytest.mark.parametrize("arguments", [{"delta": 0.0}, {"delta": 0.1, "alpha": 1.0}, {"delta": 0.1, "runs": Sizes(0)}])
def test_impossible_settings_are_refused(arguments):
    with pytest.raises(ValueError, match=r"outside|positive"):
        MonteCarlo(**{"instances": COINS, "runs": Sizes(10), **arguments})
    with pytest.raises(ValueError, match="no instance is listed"):
        MonteCarlo({}, Sizes(10), delta=0.1).units(Tier.QUICK)


def test_the_order_of_the_units_does_not_matter():
    method = MonteCarlo(
        {name: functools.partial(str, name) for name in ("b", "a")}, Sizes(24), delta=0.1, block=Sizes(2)
    )
    context = Context(seed=np.random.SeedSequence(3))
    results = {
        unit: method.run(lambda instance, seeds, runs: Sample(np.full(runs, 2.0), 1.0), unit, context)
        for unit in method.units(Tier.QUICK)
    }
    evidence = method.fold(results)
    assert len(results) > 20
    assert evidence.finding == Finding.VIOLATION
    for order in (sorted(results), sorted(results, reverse=True)):
        again = method.fold({unit: results[unit] for unit in order})
        assert (again.witness, again.tightness, again.summary) == (
            evidence.witness,
            evidence.tightness,
            evidence.summary,
        )
