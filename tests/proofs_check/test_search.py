import functools
import importlib
import json
import subprocess
import sys
from collections import namedtuple
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mdps.rational import RationalMDP
from mdps.tabular import FiniteHorizonMDP
from proofs_check.evidence import Comparison, Evidence, Finding, dumps
from proofs_check.methods import search as searching
from proofs_check.methods.base import Context, Sizes, Tier
from proofs_check.methods.exact import exact_laws, float_witness_to_exact
from proofs_check.methods.search import Box, Integers, Maximiser, Search, Simplex, Space, Stochastic
from theory.claim import Assumption, Fails, Holds


def verify(method, statement, seed=0, tier=Tier.QUICK, assumptions=(), stop=False):
    results = {}
    for index, unit in enumerate(method.units(tier)):
        context = Context(tier, np.random.SeedSequence(seed, spawn_key=(index,)), assumptions)
        results[unit] = json.loads(dumps(method.run(statement, unit, context)))
        if stop and method.settles(results[unit]):
            break
    return Evidence.from_json(json.loads(dumps(method.fold(results).to_json())))


def square(x, bound=1.0):
    """x^2 <= bound for x in [-1, 1]."""
    return Comparison(x * x, bound, where="square")


def unit_floats():
    return st.floats(-1.0, 1.0)


def integers():
    return st.integers(0, 10_000)


def variance(drawn, constant=0.25):
    """Popoviciu: a variable in [0, 1] has variance at most 1/4."""
    p, v = drawn
    return Comparison(float(p @ (v - p @ v) ** 2), constant)


POPOVICIU = Search(
    maximise=Maximiser(
        Space(p=Simplex(3), v=Box(0.0, 1.0, (3,))), lambda p, v: (p, v), starts=Sizes(4), evaluations=Sizes(600)
    )
)


def test_no_violation_is_reported_with_the_largest_ratio():
    method = Search(unit_floats, examples=Sizes(60), corners={"one": lambda: 1.0, "zero": lambda: 0.0})
    evidence = verify(method, square)
    assert evidence.finding == Finding.NO_VIOLATION
    assert evidence.instances == ("one", "zero", "examples 0")
    assert evidence.tightness.ratio == 1.0
    assert evidence.tightness.where == "one, square"
    assert method.recheck(square, evidence) is None
    growth = evidence.plot["growth"]
    assert [ratio for _, ratio in growth] == sorted(ratio for _, ratio in growth)
    assert sum(evidence.plot["histogram"]) == evidence.plot["evaluations"]


def test_violations_are_shrunk():
    method = Search(integers, examples=Sizes(200))

    def false(n):
        return Comparison(n, 777)

    evidence = verify(method, false)
    assert evidence.finding == Finding.VIOLATION
    assert evidence.witness["instance"] == 778
    assert (evidence.witness["lhs"], evidence.witness["rhs"]) == (778, 777)
    assert method.recheck(false, evidence) is None


def test_a_violation_stops_the_search():
    method = Search(unit_floats, corners={"one": lambda: 1.0}, maximise=POPOVICIU.maximise)
    evidence = verify(method, functools.partial(square, bound=0.5), stop=True)
    assert evidence.finding == Finding.VIOLATION
    assert evidence.witness["where"] == "one"
    assert evidence.instances == ("one",)


def test_the_maximiser_finds_sharp_constants_and_rejects_smaller_ones():
    evidence = verify(POPOVICIU, variance)
    assert evidence.finding == Finding.NO_VIOLATION
    assert evidence.tightness.ratio == pytest.approx(1.0, abs=1e-6)
    false = functools.partial(variance, constant=0.2499)
    evidence = verify(POPOVICIU, false)
    assert evidence.finding == Finding.VIOLATION
    assert POPOVICIU.recheck(false, evidence) is None


def test_the_maximiser_reaches_deterministic_transitions():
    """The distance of two rows is at most 2, with equality at disjoint vertices only."""

    def distance(kernel):
        return Comparison(float(np.abs(kernel[0] - kernel[1]).sum()), 2.0)

    space = Space(kernel=Stochastic(2, 5))
    method = Search(maximise=Maximiser(space, lambda kernel: kernel, starts=Sizes(4), evaluations=Sizes(800)))
    assert verify(method, distance).tightness.ratio == pytest.approx(1.0, abs=1e-15)


def test_two_zeros_do_not_attract_the_maximiser():
    def statement(x):
        return Comparison(0.9 * x * x, x if x > 1e-3 else 0.0 * x)

    method = Search(maximise=Maximiser(Space(x=Box(0.0, 1.0)), lambda x: x, Sizes(4), Sizes(200)))

    evidence = verify(method, lambda x: Comparison(0.9 * x * x, x))
    assert evidence.tightness.ratio == pytest.approx(0.9, abs=1e-6)
    assert searching.pressure(statement(0.0)) == 0.0


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (Comparison(1.0, 2.0), 0.5),
        (Comparison(4.0, 2.0, ">="), 0.5),
        (Comparison(-2.0, -1.0), 0.5),
        (Comparison(0.5, -0.5), 2.0),
        (Comparison(3.0, 2.0, "=="), 1 / 3),
        (Comparison(float("nan"), 1.0), -float("inf")),
    ],
)
def test_pressure_is_above_one_exactly_for_violated_inequalities(comparison, expected):
    assert searching.pressure(comparison) == pytest.approx(expected)


def test_results_depend_on_the_seed_alone():
    method = Search(unit_floats, Sizes(40), maximise=Maximiser(Space(x=Box(-1, 1)), lambda x: x, Sizes(2), Sizes(50)))
    first = verify(method, functools.partial(square, bound=2.0))
    assert first == verify(method, functools.partial(square, bound=2.0))
    assert first != verify(method, functools.partial(square, bound=2.0), seed=1)


SCRIPT = """
import hashlib
from hypothesis import strategies as st
from proofs_check.methods.search import draw_examples
seen = []
draw_examples(st.tuples(st.floats(), st.integers()), lambda x: seen.append(repr(x)) or 1.0, 11, 150)
digest = hashlib.sha256("".join(seen).encode()).hexdigest()
print(digest)
"""


def test_examples_do_not_depend_on_the_history_of_the_process(tmp_path, monkeypatch):
    """Hypothesis draws constants from imported source files, unless it is told not to."""
    constants = ", ".join(str(1_000_003 * k + part) for k in range(300) for part in (0, 0.125))
    (tmp_path / "local_module.py").write_text(f"VALUES = [{constants}]\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("local_module")
    here = {}
    exec(SCRIPT, here)
    fresh = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert fresh.stdout.strip() == here["digest"]


def test_rejected_instances_are_counted():
    positive = Assumption("positive", "x > 0", lambda x: Holds() if x > 0 else Fails("x is not positive"))
    method = Search(unit_floats, Sizes(50), corners={"bad": lambda: -1.0, "good": lambda: 0.5})
    evidence = verify(method, square, assumptions=(positive,))
    assert evidence.finding == Finding.NO_VIOLATION
    assert evidence.skipped["bad"] == "positive: x is not positive"
    (counted,) = [reason for key, reason in evidence.skipped.items() if key.endswith("of examples 0")]
    assert counted.startswith("positive: x is not positive (")
    assert "more did not meet the assumptions" in evidence.summary


def test_when_everything_is_rejected_nothing_is_decided():
    never = Assumption("never", "false", lambda x: Fails("it never holds"))
    method = Search(unit_floats, Sizes(20), maximise=Maximiser(Space(x=Box(0, 1)), lambda x: x, Sizes(1), Sizes(10)))
    evidence = verify(method, square, assumptions=(never,))
    assert evidence.finding == Finding.UNDECIDED
    assert "were rejected by the assumptions" in evidence.summary
    assert method.recheck(square, evidence) is None


def test_sides_that_are_no_numbers_decide_nothing():
    evidence = verify(Search(corners={"x": lambda: 1.0}), lambda x: Comparison(float("nan"), x))
    assert evidence.finding == Finding.UNDECIDED
    assert "not a finite number on x: nan <= 1.0" in evidence.summary


def tenths(n, shift=0.0):
    """0.1 n <= n / 10: true, but not in floating point."""
    total = 0.0
    for _ in range(n):
        total += 0.1
    return Comparison(total, n / 10 - shift, tolerance=0.0)


def exact_tenths(n, shift=0.0):
    return Comparison(Fraction(n, 10), Fraction(n, 10) - Fraction(shift))


def test_rounding_is_not_a_violation():
    method = Search(integers, Sizes(30), corners={"three": lambda: 3}, exact=exact_tenths)
    evidence = verify(Search(corners={"three": lambda: 3}), tenths)
    assert evidence.finding == Finding.VIOLATION
    evidence = verify(Search(corners={"three": lambda: 3}, exact=exact_tenths), tenths)
    assert evidence.finding == Finding.UNDECIDED
    assert "true exactly" in evidence.summary
    false = functools.partial(tenths, shift=0.25)
    evidence = verify(method, false)
    assert evidence.finding == Finding.VIOLATION
    assert evidence.witness["exact"] == {"lhs": "3/10", "relation": "<=", "rhs": "1/20"}
    assert method.recheck(false, evidence) is None


def test_a_statement_may_carry_its_exact_form():
    def statement(n, shift=0.0):
        return tenths(n, shift)

    statement.exact = exact_tenths
    method = Search(corners={"three": lambda: 3})
    assert verify(method, statement).finding == Finding.UNDECIDED
    assert verify(method, functools.partial(statement, shift=1.0)).finding == Finding.VIOLATION


def edited(evidence, change):
    data = json.loads(dumps(evidence.to_json()))
    change(data)
    return Evidence.from_json(data)


def forge_tightest(data):
    data["certificate"]["tightest"]["lhs"] = 0.5
    stored = {key: value for key, value in data["certificate"].items() if key != "digest"}
    data["certificate"]["digest"] = searching.digest([stored, data["witness"]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data["certificate"]["tightest"].update(instance=0.1), "digest"),
        (forge_tightest, "which is not what is stored"),
        (lambda data: data.update(finding="violation"), "does not fit the stored witness"),
        (lambda data: data["tightness"].update(ratio=0.5), "not that of the evidence"),
    ],
)
def test_edited_evidence_is_detected(change, message):
    method = Search(corners={"one": lambda: 1.0})
    assert message in method.recheck(square, edited(verify(method, square), change))


def test_exploring_goes_on_until_told_to_stop():
    left = iter([True] * 5 + [False])
    method = Search(unit_floats, Sizes(20), corners={"one": lambda: 1.0})
    evidence = searching.explore(method, square, Context(), lambda: next(left))
    assert evidence.finding == Finding.NO_VIOLATION
    assert evidence.instances[0] == "one"
    assert len(evidence.instances) >= 4
    assert len(set(evidence.instances)) == len(evidence.instances)
    found = searching.explore(method, functools.partial(square, bound=0.3), Context(), lambda: True)
    assert found.finding == Finding.VIOLATION


# Instances as data

Pair = namedtuple("Pair", ["left", "right"])


@dataclass(frozen=True)
class Shape:
    sides: tuple[int, ...]
    name: str


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False) | st.fractions(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=50)
@given(trees)
def test_plain_instances_survive_as_json(tree):
    assert searching.decode(json.loads(dumps(searching.encode(tree)))) == tree


@settings(max_examples=30)
@given(hnp.arrays(hnp.floating_dtypes(sizes=64) | hnp.integer_dtypes(), hnp.array_shapes(min_dims=0, min_side=0)))
def test_arrays_survive_as_json(array):
    again = searching.decode(json.loads(dumps(searching.encode(array))))
    assert again.dtype == array.dtype
    np.testing.assert_array_equal(again, array)


def test_models_survive_as_json():
    model = FiniteHorizonMDP([[[0.25, 0.75]], [[1.0, 0.0]]], [[0.5], [1.0]], 3, reward_law="bernoulli")
    again = searching.decode(json.loads(dumps(searching.encode(model))))
    np.testing.assert_array_equal(again.transitions, model.transitions)
    assert (again.horizon, again.reward_law) == (3, "bernoulli")
    exact = RationalMDP([[[1]]], [[Fraction(1, 3)]], 2)
    assert searching.decode(json.loads(dumps(searching.encode((exact,))))) == (exact,)
    if sys.modules.get(__name__) is not None:
        assert searching.decode(searching.encode(Shape((1, 2), "x"))) == Shape((1, 2), "x")
        assert searching.decode(searching.encode(Pair(1, (2,)))) == Pair(1, (2,))


def test_data_never_decides_what_is_loaded():
    with pytest.raises(ValueError, match="not a dataclass or named tuple"):
        searching.decode({"class": ["os", "system"], "fields": {}})
    with pytest.raises(ValueError, match="not a dataclass or named tuple"):
        searching.decode({"class": ["not_a_module", "X"], "fields": {}})
    with pytest.raises(ValueError, match="unknown kind 'other'"):
        searching.decode({"other": 1})


def test_instances_without_a_form_are_named():
    with pytest.raises(TypeError, match="a set cannot be stored: give Search a describe and a rebuild"):
        verify(Search(corners={"set": lambda: {1}}), lambda drawn: Comparison(len(drawn), 1))
    method = Search(corners={"set": lambda: {1}}, describe=sorted, rebuild=set)
    evidence = verify(method, lambda drawn: Comparison(len(drawn), 1))
    assert evidence.certificate["tightest"]["instance"] == [1]


def test_statements_must_be_deterministic():
    calls = iter(range(10))
    with pytest.raises(ValueError, match="is the statement deterministic"):
        verify(Search(corners={"x": lambda: 1}), lambda x: Comparison(next(calls), 100))


def test_a_search_needs_somewhere_to_look():
    with pytest.raises(ValueError, match="needs a strategy"):
        Search()
    with pytest.raises(ValueError, match="come together"):
        Search(unit_floats, describe=repr)
    with pytest.raises(ValueError, match="at least one block"):
        Space()


# Spaces of parameters

points = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed))


@given(points, st.sampled_from([0.0, 0.5, 1.0]))
def test_blocks_take_values_in_their_domains(rng, end):
    space = Space(
        p=Simplex(3),
        kernel=Stochastic((2, 2), 4),
        x=Box(-1.0, 2.0),
        scale=Box(1e-3, 1e3, (2,), log=True),
        n=Integers(2, 5),
    )
    unit = np.where(rng.random(space.size) < 0.3, end, rng.random(space.size))
    values = space.decode(unit)
    assert values["p"].shape == (3,)
    assert values["kernel"].shape == (2, 2, 4)
    for law in (values["p"], values["kernel"]):
        assert (law >= 0.0).all()
        np.testing.assert_allclose(law.sum(axis=-1), 1.0, atol=1e-12)
    assert -1.0 <= values["x"] <= 2.0
    assert (values["scale"] >= 0.999e-3).all()
    assert (values["scale"] <= 1.001e3).all()
    assert values["n"] in (2, 3, 4, 5)


def test_vertices_and_ends_are_exact():
    assert Stochastic(1, 3).decode(np.array([0.0, 0.3, 0.0])).tolist() == [[0.0, 1.0, 0.0]]
    assert Simplex(4).decode(np.zeros(4)).tolist() == [0.25] * 4
    assert (Box(-0.1, 0.3).decode(np.zeros(1)), Box(-0.1, 0.3).decode(np.ones(1))) == (-0.1, 0.3)
    assert Integers(0, 3).decode(np.ones(1)) == 3


def test_exact_helpers_fit_the_maximiser():
    """A drawn law can be made exact and compared in fractions."""

    def exact_variance(drawn, constant=0.25):
        p, v = exact_laws(drawn[0]), float_witness_to_exact(drawn[1])
        mean = sum(a * b for a, b in zip(p, v, strict=True))
        return Comparison(sum(a * (b - mean) ** 2 for a, b in zip(p, v, strict=True)), Fraction(constant))

    method = Search(maximise=POPOVICIU.maximise, exact=exact_variance)
    false = functools.partial(variance, constant=0.24)
    evidence = verify(method, false, stop=True)
    assert evidence.finding == Finding.VIOLATION
    assert Fraction(evidence.witness["exact"]["lhs"]) > Fraction(0.24)
    assert method.recheck(false, evidence) is None


@settings(max_examples=30)
@given(st.integers(0, 1_000))
def test_climbing_keeps_its_budget_and_returns_the_best(seed):
    values = []

    def objective(point):
        assert ((point >= 0.0) & (point <= 1.0)).all()
        values.append(-float(np.sum((point - 0.3) ** 2)))
        return values[-1]

    point, value = searching.climb(objective, 3, 120, np.random.default_rng(seed))
    assert len(values) <= 120
    assert value == max(values)
    assert value == -float(np.sum((point - 0.3) ** 2))
    assert value > -1e-2


def test_a_stored_instance_that_cannot_be_evaluated_is_reported():
    method = Search(corners={"one": lambda: 1.0})

    def break_it(data):
        data["certificate"]["tightest"]["index"] = 7
        stored = {key: value for key, value in data["certificate"].items() if key != "digest"}
        data["certificate"]["digest"] = searching.digest([stored, data["witness"]])

    assert "cannot be evaluated: IndexError" in method.recheck(square, edited(verify(method, square), break_it))
