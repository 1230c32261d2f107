"""Attempts to fool the certificates of cone programmes."""

import itertools
import json
import time
from dataclasses import replace
from fractions import Fraction

import cvxpy as cp
import numpy as np
import pytest
import sympy as sp
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from mdps.errors import InvalidModelError
from proofs_check.evidence import Evidence, Finding, dumps
from proofs_check.methods import convex
from proofs_check.methods.base import Context, Sizes, Tier
from proofs_check.methods.convex import (
    AtLeast,
    AtMost,
    Certificate,
    Cones,
    ConicProgram,
    Convex,
    Optimum,
    certify,
    enclosure,
    exact,
    from_cvxpy,
    is_semidefinite,
)
from theory.claim import Assumption, Fails, Holds

P = np.array([0.1, 0.2, 0.3, 0.4])
V = np.array([1.0, -0.5, 2.0, 0.25])


def kl_dual(p, v, radius):
    """Minimum of q v over KL(q || p) <= radius by its scalar dual, the maximum of -beta log E exp(-v/beta) - beta r."""
    from scipy.optimize import minimize_scalar

    def negative(log_beta):
        beta = np.exp(log_beta)
        low = v.min()
        return beta * radius - low + beta * np.log(p @ np.exp(-(v - low) / beta))

    return -minimize_scalar(negative, bounds=(-8, 8), method="bounded", options={"xatol": 1e-12}).fun


def robust(kind, radius=0.1):
    q = cp.Variable(4)
    simplex = [q >= 0, cp.sum(q) == 1]
    distance = {
        "tv": lambda: cp.norm1(q - P) <= 2 * radius,
        "l2": lambda: cp.norm2(q - P) <= radius,
        "kl": lambda: cp.sum(cp.rel_entr(q, P)) <= radius,
        "chi2": lambda: cp.sum(cp.multiply(1 / P, cp.square(q - P))) <= radius,
    }[kind]()
    return cp.Problem(cp.Minimize(q @ V), [*simplex, distance])


def expected(kind, radius=0.1):
    if kind == "tv":  # move mass from the largest values to the smallest one
        return 0.1 * 1.0 + 0.3 * -0.5 + 0.2 * 2.0 + 0.4 * 0.25
    if kind == "l2":  # no entry becomes negative at this radius
        return P @ V - radius * np.linalg.norm(V - V.mean())
    if kind == "chi2":
        return P @ V - np.sqrt(radius * (P @ V**2 - (P @ V) ** 2))
    return kl_dual(P, V, radius)


def check(statement, instances=None):
    """Run, store as JSON, load and re-check, as the engine does."""
    method = Convex(instances or {"only": None})
    results = {unit: json.loads(dumps(method.run(statement, unit, Context()))) for unit in method.units(Tier.QUICK)}
    evidence = Evidence.from_json(json.loads(dumps(method.fold(results).to_json())))
    assert any(method.settles(result) for result in results.values()) == (evidence.finding == Finding.VIOLATION)
    assert method.recheck(statement, evidence) is None
    return evidence


@pytest.mark.parametrize("kind", ["tv", "l2", "kl", "chi2"])
def test_robust_duals_are_certified_and_wrong_ones_refuted(kind):
    value = float(expected(kind))
    assert check(lambda _: Optimum(robust(kind), value)).finding == Finding.CERTIFICATE
    for claim in (Optimum, AtMost):
        assert check(lambda _, claim=claim: claim(robust(kind), value - 3e-7)).finding == Finding.VIOLATION
    assert check(lambda _: AtLeast(robust(kind), value + 3e-7)).finding == Finding.VIOLATION
    assert check(lambda _: AtMost(robust(kind), value + 0.1)).finding == Finding.CERTIFICATE


def test_maxima_are_enclosed_in_their_own_sense():
    q = cp.Variable(4)
    problem = cp.Problem(cp.Maximize(q @ V + cp.sum(cp.entr(q)) + 3), [cp.sum(q) == 1])
    value = float(np.log(np.exp(V).sum())) + 3
    assert check(lambda _: Optimum(problem, value)).finding == Finding.CERTIFICATE
    assert check(lambda _: AtMost(problem, value - 1e-6)).finding == Finding.VIOLATION
    assert check(lambda _: AtLeast(problem, value + 1e-6)).finding == Finding.VIOLATION


def test_smallest_eigenvalue_by_a_semidefinite_programme():
    matrix = np.array([[2.0, -1.0, 0.5], [-1.0, 1.0, 0.25], [0.5, 0.25, -1.0]])
    X = cp.Variable((3, 3), symmetric=True)
    problem = cp.Problem(cp.Minimize(cp.trace(matrix @ X)), [X >> 0, cp.trace(X) == 1])
    value = float(np.linalg.eigvalsh(matrix)[0])
    assert check(lambda _: Optimum(problem, value)).finding == Finding.CERTIFICATE
    assert check(lambda _: Optimum(problem, value + 1e-6)).finding == Finding.VIOLATION


def test_quadratic_programme():
    x = cp.Variable(4)
    problem = cp.Problem(cp.Minimize(cp.sum_squares(x - P)), [x >= 0.25])
    value = float(np.sum(np.maximum(0.25 - P, 0) ** 2))
    assert check(lambda _: Optimum(problem, value)).finding == Finding.CERTIFICATE


def discounted(gamma=Fraction(9, 10)):
    """The linear programme of a two-state MDP with exact data; its optimum is known in closed form."""
    # State 0: stay (reward 0) or move (reward 1) to state 1; state 1: back to 0, reward 0.
    rows = [[gamma - 1, 0], [-1, gamma], [gamma, -1]]
    return ConicProgram.of([1, 1], rows, [0, -1, 0], Cones(nonneg=3)), (1 + gamma) / (1 - gamma**2)


def test_linear_programmes_are_solved_exactly():
    program, value = discounted()
    certificate = certify(program)
    assert certificate.gap == 0
    assert certificate.lower == exact(value)
    assert check(lambda _: Optimum(program, value, tolerance=0)).finding == Finding.CERTIFICATE
    wrong = value - Fraction(1, 10**12)
    assert check(lambda _: AtMost(program, wrong, tolerance=0)).finding == Finding.VIOLATION
    assert check(lambda _: Optimum(program, wrong, tolerance=0)).finding == Finding.VIOLATION


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=8)
def test_small_linear_programmes_against_enumeration_of_vertices(seed):
    rng = np.random.default_rng(seed)
    rows = np.vstack([rng.integers(-3, 4, (4, 2)), np.eye(2), -np.eye(2)]).astype(int)
    right = np.concatenate([rng.integers(1, 6, 4), [5, 5, 5, 5]])
    cost = rng.integers(-5, 6, 2)
    best = None
    for i, j in itertools.combinations(range(len(rows)), 2):
        a, b, c, d = (Fraction(int(v)) for v in (*rows[i], *rows[j]))
        if a * d != b * c:
            e, f = Fraction(int(right[i])), Fraction(int(right[j]))
            x = ((e * d - b * f) / (a * d - b * c), (a * f - e * c) / (a * d - b * c))
            if all(int(r[0]) * x[0] + int(r[1]) * x[1] <= int(t) for r, t in zip(rows, right, strict=True)):
                value = int(cost[0]) * x[0] + int(cost[1]) * x[1]
                best = value if best is None else min(best, value)
    certificate = certify(ConicProgram.of(cost.tolist(), rows.tolist(), right.tolist(), Cones(nonneg=8)))
    assert certificate.lower == certificate.upper == exact(best)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=6)
def test_enclosures_of_random_projections_contain_the_truth(seed):
    rng = np.random.default_rng(seed)
    target = rng.normal(size=3)
    x = cp.Variable(3)
    program = from_cvxpy(cp.Problem(cp.Minimize(cp.norm2(x - target)), [cp.norm2(x) <= 0.5]))
    certificate = certify(program)
    truth = max(0.0, float(np.linalg.norm(target)) - 0.5)
    assert float(certificate.lower.p) / float(certificate.lower.q) <= truth + 1e-12
    assert float(certificate.upper.p) / float(certificate.upper.q) >= truth - 1e-12
    assert certificate.gap < fmpq(1, 10**7)


# ------------------------------------------------------------------------------------------------------- failures


def test_infeasible_and_unbounded_programmes_are_undecided():
    x = cp.Variable()
    for constraints in ([x >= 1, x <= 0], [x <= 0], [cp.exp(x) <= 0.5, x >= 0], [cp.exp(x) <= 5]):
        problem = cp.Problem(cp.Minimize(x), constraints)
        evidence = check(lambda _, problem=problem: Optimum(problem, 0))
        assert evidence.finding == Finding.UNDECIDED
        assert "no certified bound" in evidence.summary


def test_without_an_interior_only_one_side_is_certified():
    y = cp.Variable(2)
    problem = cp.Problem(cp.Minimize(y[1]), [cp.square(y[0]) <= 0, y[1] >= y[0]])
    assert check(lambda _: Optimum(problem, 0)).finding == Finding.UNDECIDED
    assert check(lambda _: AtLeast(problem, 0)).finding == Finding.CERTIFICATE
    assert check(lambda _: AtMost(problem, 0)).finding == Finding.UNDECIDED


def test_a_solver_is_not_believed(monkeypatch):
    program, value = discounted()
    lies = {
        "infeasible point": (np.array([5.0, 5.0]), np.array([1.0, 0.0, 1.0])),
        "nan": (np.array([np.nan, 1.0]), np.array([0.0, np.nan, 1.0])),
        "nothing": (None, None),
    }
    monkeypatch.setattr(convex, "MARGINS", (0.0,))
    for x, z in lies.values():
        monkeypatch.setattr(convex, "propose", lambda _, x=x, z=z: convex.Proposal(x, z, "optimal"))
        result = Convex({"only": None}).run(lambda _: Optimum(program, value), "only", Context())
        assert result["claims"][0]["finding"] == Finding.UNDECIDED


def test_stated_bounds_absorb_a_residual():
    # min x subject to x >= 0 with a multiplier 1 - 1e-9: useless without |x| <= 2, off by 2e-9 with it.
    free = ConicProgram.of([1], [[-1]], [0], Cones(nonneg=1))
    z = [1 - Fraction(1, 10**9)]
    assert free.dual_value([exact(v) for v in z]) == (None, "equation 0 of the dual is violated by 1e-09")
    bounded = replace(free, bounds=(fmpq(2),))
    assert bounded.dual_value([exact(v) for v in z])[0] == fmpq(-2, 10**9)


@pytest.mark.parametrize(
    ("cones", "inside", "outside"),
    [
        (Cones(zero=1), [0], [Fraction(1, 10**12)]),
        (Cones(nonneg=2), [0, 1], [1, Fraction(-1, 10**12)]),
        (Cones(soc=(3,)), [5, 3, 4], [5 - Fraction(1, 10**12), 3, 4]),
        (Cones(soc=(2,)), [0, 0], [-5, 5]),
        (Cones(psd=(2,)), [1, 2, 4], [1, 2, 4 - Fraction(1, 10**12)]),
        (Cones(psd=(2,)), [0, 0, 1], [0, Fraction(1, 10**12), 1]),
        (Cones(exp=1), [0, 1, 1], [0, 1, 1 - Fraction(1, 10**12)]),
        (Cones(exp=1), [-1, 0, 0], [1, 0, 5]),
        (Cones(exp=1), [1, 1, Fraction(271828182846, 10**11)], [1, 1, Fraction(271828182845, 10**11)]),
    ],
)
def test_membership_is_exact(cones, inside, outside):
    assert cones.gap([exact(v) for v in inside]) is None
    assert cones.gap([exact(v) for v in outside]) is not None


def test_dual_exponential_cone():
    cones = Cones(exp=1)
    e = Fraction(271828182845904523536, 10**20)
    for u, v, w in [(-1, 1, 1 / e**2 + Fraction(1, 10**15)), (0, 1, 1), (-2, -3, 2 * e)]:
        assert cones.gap([exact(value) for value in (u, v, w)], dual=True) is None
    for u, v, w in [(-1, 1, 1 / e**2 - Fraction(1, 10**15)), (0, -1, 1), (1, 1, 1), (-1, 0, 0)]:
        assert cones.gap([exact(value) for value in (u, v, w)], dual=True) is not None


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_pairing_of_cone_and_dual_is_nonnegative(seed):
    rng = np.random.default_rng(seed)
    for cones in (Cones(exp=1), Cones(soc=(3,)), Cones(psd=(2,))):
        s = [exact(Fraction(int(v), 4)) for v in rng.integers(-9, 10, 3)]
        z = [exact(Fraction(int(v), 4)) for v in rng.integers(-9, 10, 3)]
        if cones.gap(s) is None and cones.gap(z, dual=True) is None:
            assert sum((w * a * b for w, a, b in zip(cones.weights(), s, z, strict=True)), fmpq(0)) >= 0


@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_semidefiniteness_agrees_with_all_principal_minors(order, seed):
    rng = np.random.default_rng(seed)
    factor = rng.integers(-2, 3, (order, max(1, order - 1)))
    matrix = sp.Matrix((factor @ factor.T).tolist())
    if seed % 2:
        matrix[0, 0] -= sp.Rational(1, 10**12)
    minors = (
        matrix.extract(list(k), list(k)).det()
        for n in range(1, order + 1)
        for k in itertools.combinations(range(order), n)
    )
    assert is_semidefinite([[exact(v) for v in row] for row in matrix.tolist()]) == all(m >= 0 for m in minors)


# ------------------------------------------------------------------------------------------------------- tampering


def records(evidence):
    return evidence.certificate["claims"]


def nudge(key, index=0, by=Fraction(1, 10**9)):
    def change(record):
        record[key][index] = str(Fraction(record[key][index]) + by)

    return change


TAMPERED = {
    "primal by 1e-9": nudge("x"),
    "dual by 1e-9": nudge("z"),
    "last dual by -1e-9": nudge("z", -1, Fraction(-1, 10**9)),
    "lower bound": lambda r: r.update(lower=str(Fraction(r["lower"]) + Fraction(1, 10**9))),
    "upper bound": lambda r: r.update(upper=str(Fraction(r["upper"]) - Fraction(1, 10**9))),
    "claimed value": lambda r: r.update(value="1/3"),
    "tolerance": lambda r: r.update(tolerance="1"),
    "programme": lambda r: r.update(digest="0" * 16),
    "dual point removed": lambda r: r.update(z=None),
    "dual point shortened": lambda r: r["z"].pop(),
    "no number": lambda r: r["x"].__setitem__(0, "nan"),
    "finding": lambda r: r.update(finding="undecided"),
    "name": lambda r: r.update(name="other"),
    "instance": lambda r: r.update(instance="other"),
}


@pytest.mark.parametrize("kind", ["tv", "kl"])
@pytest.mark.parametrize("name", TAMPERED)
def test_tampered_certificates_are_detected(kind, name):
    value = float(expected(kind))

    def statement(_):
        return Optimum(robust(kind), value)

    evidence = check(statement)
    TAMPERED[name](records(evidence)[0])
    assert Convex({"only": None}).recheck(statement, evidence) is not None


def test_relabelled_findings_are_detected():
    program, value = discounted()
    for claimed in (value, value + 1):
        evidence = check(lambda _, claimed=claimed: Optimum(program, claimed))
        for finding in (Finding.CERTIFICATE, Finding.VIOLATION, Finding.UNDECIDED, Finding.PROOF):
            if finding != evidence.finding:
                forged = replace(evidence, finding=finding)
                assert Convex({"only": None}).recheck(lambda _, c=claimed: Optimum(program, c), forged) is not None


def test_evidence_of_another_programme_is_detected():
    program, value = discounted()
    other, _ = discounted(Fraction(8, 10))
    evidence = check(lambda _: AtMost(program, value))
    assert "another programme" in Convex({"only": None}).recheck(lambda _: AtMost(other, value), evidence)


def test_recheck_needs_no_solver_and_is_fast(monkeypatch):
    rng = np.random.default_rng(0)
    target = rng.normal(size=12).round(3)
    x = cp.Variable(12)
    program = from_cvxpy(cp.Problem(cp.Minimize(cp.norm2(x - target)), [cp.norm2(x) <= 0.5, cp.sum(x) == 0.25]))

    def statement(_):
        return AtLeast(program, 0)

    def seconds(function):
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    evidence = check(statement)
    method = Convex({"only": None})
    finding = min(seconds(lambda: method.run(statement, "only", Context())) for _ in range(3))
    monkeypatch.setattr(convex, "clarabel", None)
    monkeypatch.setattr(convex, "propose", None)
    assert min(seconds(lambda: method.recheck(statement, evidence)) for _ in range(3)) < finding / 5


# ------------------------------------------------------------------------------------------------- several instances


def test_all_instances_must_be_certified_and_assumptions_skip():
    def statement(radius, shift=0.0):
        return {"l2": Optimum(robust("l2", radius), float(expected("l2", radius)) + shift * (radius > 0.1))}

    instances = {"near": 0.05, "far": 0.15}
    evidence = check(statement, instances)
    assert evidence.finding == Finding.CERTIFICATE
    assert evidence.instances == ("near", "far")
    wrong = check(lambda radius: statement(radius, shift=1e-5), instances)
    assert wrong.finding == Finding.VIOLATION
    assert wrong.witness["instance"] == "far"
    small = Assumption("small", "radius at most 0.1", lambda r: Holds() if r <= 0.1 else Fails(f"radius is {r}"))
    method = Convex(instances)
    results = {u: method.run(statement, u, Context(assumptions=(small,))) for u in method.units(Tier.QUICK)}
    skipped = method.fold(results)
    assert skipped.skipped == {"far": "small: radius is 0.15"}
    assert method.recheck(statement, skipped) is None
    nothing = method.fold({"far": results["far"]})
    assert nothing.finding == Finding.UNDECIDED


def test_tightness_is_the_used_part_of_the_bound():
    program, value = discounted()
    evidence = check(lambda _: AtMost(program, 2 * value))
    assert evidence.tightness.ratio == 0.5


def test_tiers_have_their_own_instances():
    method = Convex(Sizes({"a": 1}, {"a": 1, "b": 2}))
    assert method.units(Tier.QUICK) == ("a",)
    assert method.units(Tier.SOAK) == ("a", "b")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConicProgram.of([1], [[1, 2]], [0], Cones(nonneg=1)), "row 0 of A has 2 entries"),
        (lambda: ConicProgram.of([1], [[1]], [0], Cones(nonneg=2)), "the cones 2"),
        (lambda: ConicProgram.of([1], [[float("nan")]], [0], Cones(nonneg=1)), "nan is not a finite number"),
        (lambda: ConicProgram.of([1], [[1]], [float("inf")], Cones(nonneg=1)), "inf is not a finite number"),
        (lambda: ConicProgram.of([1], [[1]], [0], Cones(nonneg=1), bounds=[1, 2]), "2 bounds for 1 variables"),
        (lambda: Optimum(discounted()[0], float("nan")).judge(Certificate(None, None, None, None, "")), "nan"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(InvalidModelError, match=message):
        make()


@pytest.mark.parametrize("returned", [{}, 3.0, {"a": True}])
def test_statements_must_return_claims(returned):
    with pytest.raises((TypeError, ValueError), match="claim"):
        Convex({"only": None}).run(lambda _: returned, "only", Context())


def test_an_empty_set_of_instances_is_an_error():
    with pytest.raises(ValueError, match="no instances"):
        Convex({})


def test_points_alone_make_the_enclosure():
    program, _ = discounted()
    certificate = certify(program)
    again = enclosure(program, certificate.x, certificate.z)
    assert (again.lower, again.upper) == (certificate.lower, certificate.upper)
    assert enclosure(program, None, certificate.z).upper is None
