import itertools
import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps.rational import RationalMDP
from proofs_check.evidence import Comparison, Evidence, Finding, dumps
from proofs_check.methods import exact
from proofs_check.methods.base import Context, Sizes, Tier
from proofs_check.methods.exact import EmptyStatementError, Exact, InexactError
from theory.claim import Assumption, Fails, Holds

NUMBERS = {f"n={n}": (lambda n=n: n) for n in range(1, 13)}


def verify(method, statement, tier=Tier.QUICK, assumptions=()):
    context = Context(tier, np.random.SeedSequence(0), assumptions)
    results = {unit: json.loads(dumps(method.run(statement, unit, context))) for unit in method.units(tier)}
    return Evidence.from_json(json.loads(dumps(method.fold(results).to_json())))


def harmonic(n, slack=0):
    """H_k <= 1 + k/2 - slack for k up to n."""
    for k in range(1, n + 1):
        yield Comparison(sum(Fraction(1, j) for j in range(1, k + 1)), 1 + Fraction(k, 2) - slack, where=f"k={k}")


def test_all_comparisons_hold_exactly():
    method = Exact(NUMBERS)
    evidence = verify(method, harmonic)
    assert evidence.finding == Finding.CERTIFICATE
    assert evidence.summary == "78 comparisons on 12 instances hold in exact arithmetic"
    assert evidence.tightness.ratio == 0.75
    assert evidence.tightness.where == "n=2, k=2"
    assert method.recheck(harmonic, evidence) is None


def test_a_violation_is_kept_with_both_sides():
    method = Exact(NUMBERS)

    def false(n):
        return harmonic(n, slack=Fraction(1, 2) + Fraction(1, 10**30))

    evidence = verify(method, false)
    assert evidence.finding == Finding.VIOLATION
    assert evidence.witness["instance"] == "n=1"
    assert evidence.witness["where"] == "k=1"
    assert evidence.witness["lhs"] == "1/1"
    assert Fraction(evidence.witness["rhs"]) == 1 - Fraction(1, 10**30)
    assert method.recheck(false, evidence) is None
    assert "not found again" in method.recheck(harmonic, evidence)
    assert method.settles(method.run(false, "n=2", Context()))
    assert not method.settles(method.run(harmonic, "n=2", Context()))


def test_instances_may_depend_on_the_tier_and_share_a_unit():
    method = Exact(lambda tier: dict(itertools.islice(NUMBERS.items(), Sizes(3, 12).at(tier))), per_unit=2)
    assert method.units(Tier.QUICK) == ("n=1 .. n=2", "n=3")
    assert len(verify(method, harmonic).instances) == 3
    full = verify(method, harmonic, Tier.FULL)
    assert len(full.instances) == 12
    assert method.recheck(harmonic, full) is None


def test_instances_must_meet_the_assumptions():
    even = Assumption("even", "n is even", lambda n: Holds() if n % 2 == 0 else Fails(f"{n} is odd"))
    evidence = verify(Exact(NUMBERS), harmonic, assumptions=(even,))
    assert evidence.finding == Finding.CERTIFICATE
    assert len(evidence.instances) == 6
    assert evidence.skipped["n=1"] == "even: 1 is odd"
    alone = Exact({"n=1": NUMBERS["n=1"]})
    evidence = verify(alone, harmonic, assumptions=(even,))
    assert evidence.finding == Finding.UNDECIDED
    assert "n=1: even: 1 is odd" in evidence.summary
    assert alone.recheck(harmonic, evidence) is None


@pytest.mark.parametrize("side", [0.5, np.float64(0.5), np.int64(3), Fraction(1, 2) + 0.0])
def test_whatever_may_be_rounded_is_refused(side):
    with pytest.raises(InexactError, match=r"instance n=1, here: lhs is .*, a (float|float64|int64)"):
        Exact(NUMBERS).run(lambda n: Comparison(side, 1, where="here"), "n=1", Context())


def test_statements_that_show_nothing_are_refused():
    with pytest.raises(EmptyStatementError, match="instance n=1: the statement compared nothing"):
        Exact(NUMBERS).run(lambda n: [], "n=1", Context())
    with pytest.raises(TypeError, match="returned a bool"):
        Exact(NUMBERS).run(lambda n: [True], "n=1", Context())
    with pytest.raises(ValueError, match="no instance is listed"):
        Exact({}).units(Tier.QUICK)


def test_a_violation_must_be_reproducible():
    counter = itertools.count(2)
    with pytest.raises(ValueError, match="different answers on equal instances"):
        Exact(NUMBERS).run(lambda n: Comparison(next(counter), 1), "n=1", Context())


def edited(evidence, change):
    data = json.loads(dumps(evidence.to_json()))
    change(data)
    return Evidence.from_json(data)


def resigned(data):
    data["certificate"]["digest"] = exact.digest([data["certificate"]["sides"], data["skipped"], data["witness"]])


def forge_side(data):
    data["certificate"]["sides"]["n=3"] = data["certificate"]["sides"]["n=3"].replace("3/2 <= 2/1", "3/2 <= 5/2")


def forge_everything(data):
    sides = data["certificate"]["sides"]
    for name in sides:
        sides[name] = sides[name].replace("1/1 <= 3/2", "9/10 <= 3/2")
    resigned(data)


def garble(data):
    data["certificate"]["sides"]["n=3"] = "1 is less than 2"
    resigned(data)


def drop_instance(data):
    del data["certificate"]["sides"]["n=3"]
    resigned(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (forge_side, "digest"),
        (forge_everything, "computed 1/1 <= 3/2, stored 9/10 <= 3/2"),
        (garble, "cannot be read: ValueError"),
        (drop_instance, "not those of the listed instances"),
        (lambda data: data.update(finding="violation"), "the stored sides show: certificate"),
        (lambda data: data["tightness"].update(ratio=0.7), "largest stored ratio is 0.75"),
        (lambda data: data["skipped"].update(other="no reason"), "digest"),
    ],
)
def test_edited_evidence_is_detected(change, message):
    method = Exact(NUMBERS)
    assert message in method.recheck(harmonic, edited(verify(method, harmonic), change))


def test_recheck_computes_a_small_part_even_of_one_instance():
    computed = []

    def counting(n):
        for comparison in harmonic(n):
            computed.append(comparison)
            yield comparison

    for method in (Exact({"n=60": lambda: 60}), Exact({f"n={n}": (lambda n=n: n) for n in range(20, 50)})):
        computed.clear()
        evidence = verify(method, counting)
        total = len(computed)
        computed.clear()
        assert method.recheck(counting, evidence) is None
        assert 0 < len(computed) <= total / 5


def test_long_evidence_is_compressed():
    text = "\n".join(f"{k}/1 <= {k + 1}/1" for k in range(1_000))
    assert exact.unpack(exact.pack(text)) == text
    assert len(dumps(exact.pack(text))) < len(text) / 2
    assert exact.pack("short") == "short"


# What exact statements are made of

fractions = st.integers(0, 4)


@st.composite
def models(draw):
    horizon, n_states, n_actions = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))

    def law(n):
        weights = draw(st.lists(fractions, min_size=n, max_size=n).filter(any))
        return [Fraction(weight, sum(weights)) for weight in weights]

    kernel = [[[law(n_states) for _ in range(n_actions)] for _ in range(n_states)] for _ in range(horizon)]
    rewards = [
        [[Fraction(draw(fractions), 3) for _ in range(n_actions)] for _ in range(n_states)] for _ in range(horizon)
    ]
    policy = [
        [
            [(Fraction(weight) + 1) / (sum(weights) + n_actions) for weight in weights]
            for weights in draw(
                st.lists(
                    st.lists(fractions, min_size=n_actions, max_size=n_actions), min_size=n_states, max_size=n_states
                )
            )
        ]
        for _ in range(draw(st.sampled_from([1, horizon])))
    ]
    return RationalMDP(kernel, rewards, horizon, law(n_states)), policy


def stage(values, h):
    return values[h] if len(values) > 1 else values[0]


def value_tables(mdp, policy):
    """Backward induction, written out: V_0, ..., V_H and Q_0, ..., Q_{H-1}."""
    values, tables = [[Fraction(0)] * mdp.n_states], []
    for h in reversed(range(mdp.horizon)):
        table = [
            [
                stage(mdp.rewards, h)[s][a]
                + sum(p * v for p, v in zip(stage(mdp.transitions, h)[s][a], values[0], strict=True))
                for a in range(mdp.n_actions)
            ]
            for s in range(mdp.n_states)
        ]
        tables.insert(0, table)
        values.insert(
            0, [sum(w * q for w, q in zip(stage(policy, h)[s], table[s], strict=True)) for s in range(mdp.n_states)]
        )
    return values, tables


def objective(mdp, policy):
    return sum(mass * value for mass, value in zip(mdp.initial, value_tables(mdp, policy)[0][0], strict=True))


@settings(max_examples=30)
@given(models())
def test_trajectories_make_a_law_with_the_value_of_dynamic_programming(model):
    mdp, policy = model
    assert sum(path.probability for path in exact.trajectories(mdp, policy)) == 1
    assert exact.expectation(mdp, policy, lambda path: path.total) == objective(mdp, policy)


@settings(max_examples=30)
@given(models())
def test_scores_have_mean_zero_and_gradients_are_those_of_dynamic_programming(model):
    mdp, policy = model
    softmax, direct = exact.softmax_score(policy), exact.direct_score(policy)
    size = len(policy) * mdp.n_states * mdp.n_actions
    for entry in range(size):
        mean = exact.expectation(mdp, policy, lambda path, entry=entry: exact.trajectory_score(path, softmax)[entry])
        assert mean == 0
    # J is affine in each entry of a staged policy: a difference quotient is the exact derivative.
    if len(policy) == mdp.horizon:
        gradient = exact.policy_gradient(mdp, policy, direct)
        for index, (h, s, a) in enumerate(np.ndindex(mdp.horizon, mdp.n_states, mdp.n_actions)):
            moved = [[list(law) for law in rows] for rows in policy]
            moved[h][s][a] += 1
            assert gradient[index] == objective(mdp, moved) - objective(mdp, policy)


@settings(max_examples=30)
@given(models())
def test_softmax_gradient_is_the_direct_one_through_the_chain_rule(model):
    mdp, policy = model
    direct = exact.policy_gradient(mdp, policy, exact.direct_score(policy))
    softmax = exact.policy_gradient(mdp, policy, exact.softmax_score(policy))
    for block, law in enumerate(itertools.chain(*policy)):
        part = direct[block * len(law) : (block + 1) * len(law)]
        mean = sum(p * g for p, g in zip(law, part, strict=True))
        for a, p in enumerate(law):
            assert softmax[block * len(law) + a] == p * (part[a] - mean)


@settings(max_examples=30)
@given(models())
def test_fisher_matrix_is_the_sum_over_stages(model):
    """Scores of different stages are uncorrelated, so the outer product of the sum is the sum of outer products."""
    mdp, policy = model
    score = exact.softmax_score(policy)
    size = len(policy) * mdp.n_states * mdp.n_actions
    expected = [[Fraction(0)] * size for _ in range(size)]
    for path in exact.trajectories(mdp, policy):
        for h, (s, a) in enumerate(zip(path.states, path.actions, strict=True)):
            g = score(h, s, a)
            for i, j in itertools.product(range(size), repeat=2):
                expected[i][j] += path.probability * g[i] * g[j]
    assert exact.fisher(mdp, policy, score) == expected


def test_policies_must_fit():
    mdp = RationalMDP([[[1]]], [[1]], 3)
    with pytest.raises(ValueError, match="policy has 2 stages, not 1 or 3"):
        list(exact.trajectories(mdp, [[[Fraction(1)]]] * 2))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=5).filter(lambda w: sum(w) > 0.01), st.sampled_from([None, 97]))
def test_float_laws_become_exact_laws(weights, bound):
    law = np.array(weights) / np.sum(weights)
    result = exact.exact_laws(np.stack([law, law]), bound)
    for row in result:
        assert sum(row) == 1
        assert [float(p) for p in row] == pytest.approx(law, abs=1e-12 if bound is None else 0.06)


def test_float_witnesses_become_exact():
    witness = {"p": [0.1, 0.5], "n": 3, "name": "x", "deep": (np.array([0.25]),)}
    result = exact.float_witness_to_exact(witness, 1_000)
    assert result == {"p": [Fraction(1, 10), Fraction(1, 2)], "n": 3, "name": "x", "deep": [[Fraction(1, 4)]]}
    assert exact.float_witness_to_exact(0.1) == Fraction(0.1)
    with pytest.raises(ValueError, match="nan has no exact form"):
        exact.float_witness_to_exact([float("nan")])
