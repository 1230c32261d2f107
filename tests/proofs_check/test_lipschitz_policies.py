"""Lipschitz policies: verdicts of the claims, golden numbers of the counter-examples, figures, unmet assumptions."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from tests_support import verify

from proofs_check.engine import CheckOutcome, Control, MutantOutcome, judge
from proofs_check.evidence import Finding, dumps
from proofs_check.methods.base import Tier
from proofs_check.papers import lipschitz_policies as learning
from proofs_check.papers import lipschitz_policies_certificates as certificates
from proofs_check.papers import lipschitz_policies_covering as covering
from proofs_check.papers import lipschitz_policies_learned as learned
from proofs_check.papers import lipschitz_policies_loops as loops
from proofs_check.papers import lipschitz_policies_networks as networks
from proofs_check.papers import lipschitz_policies_regret as regret
from proofs_check.papers import lipschitz_policies_samples as samples
from proofs_check.papers import lipschitz_policies_tradeoff as tradeoff
from solvers.lipschitz_policies_duality import lipschitz_constant
from solvers.lipschitz_policies_regression import lipschitz_regression
from theory import lipschitz_policies as theory

MODULES = (learning, covering, loops, samples, certificates, regret, tradeoff, networks, learned)
CHECKS = tuple(check for module in MODULES for check in module.CHECKS)
CLAIMS = {claim.id: claim for claim in theory.CLAIMS}
QUICK = sorted({check.claim for check in CHECKS if check.tier == Tier.QUICK})


@pytest.mark.parametrize("claim_id", QUICK)
def test_every_claim_is_shown_as_expected_and_its_mutants_are_rejected(claim_id):
    claim, outcomes = CLAIMS[claim_id], []
    for check in CHECKS:
        if check.claim != claim_id or check.tier != Tier.QUICK:
            continue
        evidence = verify(check.method, check.statement, claim.assumptions)
        assert check.method.recheck(check.statement, evidence) is None
        mutants = []
        for mutant in check.mutants_at(Tier.QUICK):
            kept = tuple(a for a in claim.assumptions if a.key not in mutant.drop)
            found = verify(check.method, check.statement_of(mutant), kept)
            mutants.append(MutantOutcome.of(mutant, found))
            assert mutants[-1].killed, f"{mutant.name}: {found.summary}"
            assert isinstance(mutant, Control) or found.witness is not None
        outcomes.append(CheckOutcome(check.name, evidence, tuple(mutants)))
    verdict = judge(claim, outcomes, Tier.QUICK, 0)
    assert verdict.ok, verdict.reason


def test_every_claim_has_a_check_and_every_check_a_mutant():
    assert {check.claim for check in CHECKS} == set(CLAIMS)
    assert all(check.mutants for check in CHECKS)


@pytest.mark.parametrize("check", [check for check in CHECKS if check.figure], ids=lambda check: check.claim)
def test_figures_are_plain_and_finite(check):
    data = json.loads(dumps(check.figure(Tier.QUICK)))
    assert data["kind"] == "curves"
    assert len(data["curves"]) <= 6
    for curve in data["curves"]:
        assert len(curve["x"]) == len(curve["y"])
        assert all(isinstance(value, float | int) for key in ("x", "y") for value in curve[key])


def test_an_assumption_that_fails_is_reported_and_not_counted():
    check = next(check for check in CHECKS if check.claim == "lipschitz_policies.deterioration")
    evidence = verify(check.method, check.statement, (theory.CONTRACTING,))
    assert evidence.finding == Finding.CERTIFICATE
    assert "1.17" in evidence.skipped["not contracting"]


# Golden numbers of the counter-examples


def test_best_values_for_each_query_by_itself_are_steep():
    case = learned.near_queries()
    assert case.alpha == pytest.approx(1.484, abs=5e-4)
    first, second = (learned.pointwise(case, query) for query in case.queries)
    slope = np.linalg.norm(second - first) / np.linalg.norm(case.queries[1] - case.queries[0])
    assert slope / case.alpha == pytest.approx(2.77, abs=5e-3)


def test_a_thin_triangle_is_steeper_inside_than_along_its_edges():
    case = learned.triangle_fit()
    policy = learned.extend(case, case.targets, "triangle")
    assert (policy[5] - policy[3]) / 0.1 / case.alpha == pytest.approx(10.05, abs=5e-3)


def test_neighbours_on_an_arc_leave_a_large_slope():
    case = learned.arc_fit()
    assert case.solved.upper == pytest.approx(0.804, abs=5e-4)
    loose = lipschitz_regression(case.path, case.targets, case.alpha)
    assert loose.upper == pytest.approx(6e-5, abs=1e-6)
    assert lipschitz_constant(case.points, loose.values) == pytest.approx(19.05, abs=0.02)


@pytest.mark.parametrize("name", list(certificates.SECTORS))
def test_the_rational_peak_of_a_loop_is_its_largest_gain(name):
    case = certificates.SECTORS[name]
    loop = np.array([[float(entry) for entry in row] for row in case.matrix])
    column = np.array([float(entry) for entry in case.inputs])
    points = np.exp(1j * np.linspace(0.0, np.pi, 20_001))
    gains = [np.linalg.norm(np.linalg.solve(z * np.eye(len(loop)) - loop, column)) for z in points]
    assert float(case.square) == pytest.approx(max(gains) ** 2, rel=1e-6)


def test_three_inputs_on_a_triangle_need_the_circumradius():
    ((name, claimed),) = {"triangle": learning.bias_program(Fraction(0), vectors=True)}.items()
    from proofs_check.methods.convex import certify

    found = certify(claimed.problem)
    assert float(str(found.lower.p)) / float(str(found.lower.q)) == pytest.approx(1 / math.sqrt(3), abs=1e-4), name


def test_a_policy_exact_at_its_samples_ends_off_the_origin():
    case = loops.Flat(Fraction(1, 5), Fraction(3, 20))
    state = case.start
    for _ in range(60):
        state = case.step(state)
    assert float(state) == pytest.approx(0.13333, abs=5e-6)


@pytest.mark.parametrize(("error", "rest"), [(0.1, 0.681), (0.01, 0.464), (0.001, 0.316)])
def test_a_loop_without_a_rate_has_no_finite_gain(error, rest):
    case = loops.Nonlinear("slow", np.ones((1, 1)), 0.99, error, np.zeros(1), 0)
    x = np.zeros(1)
    for _ in range(5000):
        x = case.step(x, np.array([error]))
    assert x[0] == pytest.approx(rest, abs=6e-4)
    assert x[0] / error == pytest.approx(error ** (-5 / 6), rel=2e-3)


def test_the_slope_of_the_unsound_network():
    step = Fraction(1, 1000)
    assert (networks.forward(1 + step) - networks.forward(Fraction(1))) / step == Fraction(143, 100)


def test_the_exact_mean_distance_on_a_line():
    size = 20
    exact = (size + 3) / (2 * (size + 1) * (size + 2))
    found = covering.error_rate(size, np.random.SeedSequence(1), 4000, dimension=1)
    assert found.mean() == pytest.approx(exact, rel=0.02)
    assert exact <= CLAIMS["lipschitz_policies.nearest_distance"].explicit_bound.evaluate(
        a=1.0, n=1, N=size, alpha=1.0, L=0.0
    )


@pytest.mark.parametrize("seed", range(5))
def test_distances_by_a_tree_and_by_all_pairs_agree(seed):
    rng = np.random.default_rng(seed)
    points, queries = rng.random((150, 2)), rng.random((40, 2))
    direct = np.linalg.norm(queries[:, None] - points[None], axis=2).min(axis=1)
    assert covering.nearest(points, queries) == pytest.approx(direct, abs=1e-12)
    few = covering.nearest(points[:50], queries)
    assert few == pytest.approx(np.linalg.norm(queries[:, None] - points[None, :50], axis=2).min(axis=1), abs=1e-12)


def test_without_the_logarithm_some_cell_is_empty():
    assert float(covering.empty_cells((1, 200, Fraction(1, 20)), rule="none").lhs) > 1 - 1e-12


def test_the_certificate_of_the_rotation_holds_for_the_discounted_gain_too():
    growth, rate = learned.Chain("rotation", 40).stability
    assert growth <= math.sqrt(3.589)
    assert rate < 0.78


def test_majorant_of_a_staircase_is_almost_twice_the_modulus():
    expert = tradeoff.staircase(2, 7)
    ratios = [expert.majorant(expert.step * k) / omega for k, omega in enumerate(expert.modulus) if omega]
    assert 1.8 < max(ratios) <= 2


def test_moduli_agree_with_the_solver():
    from mdps.control import InterpolatedPolicy
    from solvers.lipschitz_policies_tradeoff import best_budget, bias

    expert = tradeoff.EXPERTS["random 1"]()
    knots = np.linspace(0.0, 1.0, len(expert.values))
    policy = InterpolatedPolicy(knots, np.array([float(value) for value in expert.values]))
    for k in (1, 3, 5):
        s = expert.step * k / 2
        assert best_budget(policy, float(s)).error == pytest.approx(float(expert.majorant(2 * s)) / 2)
    for alpha in (Fraction(1, 2), Fraction(2), Fraction(5)):
        assert bias(policy, float(alpha)) == pytest.approx(float(expert.bias(alpha)))


def test_plain_roll_outs_equal_compiled_ones():
    from mdps.control import EnvelopePolicy, LinearPolicy, NormCost
    from solvers.lipschitz_policies_simulation import simulate

    instance = learned.Chain("rotation", 6).instance
    points = learned.demonstrations(2, 6)
    expert = LinearPolicy(instance.gain)
    policy = EnvelopePolicy(points, expert(points)[:, 0], 2.0 * expert.lipschitz, "upper")
    first = learned.starts(2, 0.25)
    path, played, paid = learned.roll_out(instance, policy, first, 30)
    runs = simulate(instance.plant, policy, first, 30, NormCost(1.0, 1.0, learned.DISCOUNT))
    assert path.swapaxes(0, 1) == pytest.approx(runs.states, abs=1e-12)
    assert pytest.approx(runs.inputs[..., 0], abs=1e-12) == played.T
    assert paid == pytest.approx(runs.costs, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "any_size", "central_size"),
    [
        ("stable scalar", 33, 18),
        ("unstable scalar", 57, 25),
        ("rotation", 15_489, 3_627),
        ("double integrator", 208_680, 47_946),
    ],
)
def test_the_chain_becomes_non_vacuous_where_it_should(name, any_size, central_size):
    assert samples.Chain(name, False).samples == any_size
    assert samples.Chain(name, True).samples == central_size


def test_regret_instances_reproduce_the_attained_values():
    case = regret.LINEAR["both costs"]()
    assert float(case.shifted(Fraction(1, 10))) == pytest.approx(5.891891892, abs=5e-10)
    case = regret.LINEAR["state cost only"]()
    assert float(case.shifted(Fraction(1, 10))) == pytest.approx(4.418604651, abs=5e-10)
    assert float(regret.STABLE["dead-beat"]().alternating()) == pytest.approx(1.175)
    for alpha, value in (("1/20", 0.14356), ("1/10", 0.31522), ("2/5", 3.05263)):
        assert float(regret.wrong_sign(alpha).pushed()) == pytest.approx(value, abs=6e-6)


def test_infinite_sums_are_limits_of_finite_ones():
    case = regret.wrong_sign("1/5")
    assert float(case.sampled([1] * 400, Fraction(0))) == pytest.approx(float(case.pushed()), rel=1e-12)
    linear = regret.LINEAR["both costs"]()
    finite = linear.sampled([Fraction(1, 10)] * 300, Fraction(5))
    assert float(finite) == pytest.approx(float(linear.shifted(Fraction(1, 10))), rel=1e-11)


def test_linear_quadratic_instances_solve_the_riccati_equation():
    for name, build in regret.REGULATED.items():
        case = build()
        state_cost = np.array([[float(entry) for entry in row] for row in case.state_cost])
        assert np.linalg.eigvalsh(state_cost).min() >= 0.0, name
