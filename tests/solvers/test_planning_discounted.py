"""Discounted planning: certified errors against exact rationals, methods against each other, sparse against dense."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from mdps.errors import InvalidPolicyError
from mdps.rational import RationalDiscountedMDP
from mdps.strategies import discounted_mdps, policies
from mdps.tabular import DiscountedMDP
from mdps.validation import MASS_TOLERANCE
from solvers import planning, rational_planning
from solvers import planning_discounted_kernels as kernels
from solvers.planning_discounted import as_rows, contraction

METHODS = (
    "auto",
    "value_iteration",
    "gauss_seidel",
    "policy_iteration",
    "modified_policy_iteration",
    "inexact_policy_iteration",
    "linear_programme",
)
ITERATIVE = (planning.value_iteration, planning.modified_policy_iteration, planning.inexact_policy_iteration)


def random_mdp(S, A, discount=0.9, seed=0, concentration=1.0):
    rng = np.random.default_rng(seed)
    kernel = rng.dirichlet(np.full(S, concentration), size=(S, A))
    return DiscountedMDP(kernel, rng.normal(size=(S, A)), discount, rng.dirichlet(np.ones(S)))


def as_sparse(mdp):
    rows = np.asarray(mdp.transitions).reshape(-1, mdp.n_states)
    return DiscountedMDP(sparse.csr_array(rows), mdp.rewards, mdp.discount, mdp.initial)


def dyadic_pair(rng, discount):
    """A float model whose every entry is exact, and the same model in rationals."""
    S, A = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    support = rng.integers(1, S + 1)
    weights = np.zeros((S, A, S), int)
    for s, a in product(range(S), range(A)):
        targets = rng.permutation(S)[:support]
        weights[s, a, targets] = rng.multinomial(16, np.ones(support) / support)
    rewards = rng.integers(-8, 9, size=(S, A))
    exact = RationalDiscountedMDP(
        [[[Fraction(int(w), 16) for w in row] for row in actions] for actions in weights],
        [[Fraction(int(r), 8) for r in row] for row in rewards],
        Fraction(discount),
    )
    return DiscountedMDP(weights / 16, rewards / 8, discount), exact


def exact_distance(values, exact):
    return max(abs(Fraction(float(v)) - w) for v, w in zip(values, exact, strict=True))


def numpy_optimum(mdp):
    """Optimal values by numpy's value iteration."""
    kernel = mdp.transitions.toarray() if mdp.is_sparse else mdp.transitions
    kernel = np.reshape(kernel, (mdp.n_states, mdp.n_actions, -1))
    values = np.zeros(mdp.n_states)
    for _ in range(int(40 / (1 - mdp.discount))):
        values = (mdp.rewards + mdp.discount * kernel @ values).max(axis=1)
    return values


def test_certified_errors_hold_on_a_thousand_models():
    """error_bound and policy_error_bound against exact rational policy iteration, discounts up to 0.999."""
    rng = np.random.default_rng(2024)
    methods = [m for m in METHODS if m not in ("linear_programme", "gauss_seidel", "auto")]
    for i in range(1000):
        discount = (0.0, 0.5, 0.9, 0.99, 0.999)[i % 5]
        mdp, exact = dyadic_pair(rng, discount)
        optimum = rational_planning.policy_iteration(exact).values
        tolerance = 10.0 ** -int(rng.integers(2, 8))
        chosen = methods[(i // 5) % len(methods)]
        model = as_sparse(mdp) if i % 2 else mdp
        solution = planning.solve(model, tolerance, chosen)
        assert solution.converged
        assert solution.error_bound <= tolerance
        assert exact_distance(solution.values, optimum) <= Fraction(solution.error_bound)
        achieved = rational_planning.evaluate_discounted(exact, solution.policy.tolist())
        loss = max(v - w for v, w in zip(optimum, achieved, strict=True))
        assert 0 <= loss <= Fraction(solution.policy_error_bound)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-5])
def test_the_residual_rule_and_gauss_seidel_are_certified(tolerance):
    rng = np.random.default_rng(5)
    for _ in range(40):
        mdp, exact = dyadic_pair(rng, 0.95)
        optimum = rational_planning.policy_iteration(exact).values
        for options in ({"stopping": "residual"}, {"variant": "gauss_seidel"}):
            solution = planning.value_iteration(mdp, tolerance, **options)
            assert exact_distance(solution.values, optimum) <= Fraction(solution.error_bound) <= Fraction(tolerance)


def test_certificates_hold_for_arbitrary_values():
    rng = np.random.default_rng(3)
    for i in range(200):
        mdp, exact = dyadic_pair(rng, (0.5, 0.9, 0.999)[i % 3])
        optimum = rational_planning.policy_iteration(exact).values
        values = np.array(optimum, float) + rng.normal(size=mdp.n_states) * 10.0 ** -int(rng.integers(0, 17))
        certificate = planning.certify(mdp, values)
        assert exact_distance(values, optimum) <= Fraction(certificate.error_bound)
        achieved = rational_planning.evaluate_discounted(exact, certificate.policy.tolist())
        loss = max(v - w for v, w in zip(optimum, achieved, strict=True))
        assert loss <= Fraction(certificate.policy_error_bound)


def test_the_certificate_includes_rounding():
    """At the correctly rounded optimum the computed residual can be zero: the true distance is not, nor the bound."""
    rng = np.random.default_rng(8)
    needed = 0
    for _ in range(200):
        mdp, exact = dyadic_pair(rng, 0.999)
        optimum = rational_planning.policy_iteration(exact).values
        values = np.array(optimum, float)
        residual = np.abs(planning.bellman_optimality(mdp, values) - values).max() / (1 - mdp.discount)
        distance = exact_distance(values, optimum)
        needed += distance > Fraction(float(residual))
        assert distance <= Fraction(planning.certify(mdp, values).error_bound)
    assert needed > 0


@pytest.mark.parametrize("sparse_model", [False, True])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("S", "A", "discount"), [(1, 1, 0.5), (5, 3, 0.0), (30, 4, 0.95), (17, 2, 0.99)])
def test_methods_agree(method, sparse_model, S, A, discount):
    mdp = random_mdp(S, A, discount, concentration=0.3)
    reference = planning.policy_iteration(mdp, 1e-8)
    solution = planning.solve(as_sparse(mdp) if sparse_model else mdp, 1e-7, method)
    assert solution.method == (method if method != "auto" else "inexact_policy_iteration")
    np.testing.assert_allclose(solution.values, reference.values, atol=2e-7)
    np.testing.assert_allclose(solution.values, numpy_optimum(mdp), atol=2e-7)
    np.testing.assert_array_equal(solution.policy, reference.policy)


@given(discounted_mdps(max_states=4, max_actions=3, unit_rewards=False))
def test_small_models_by_every_method(mdp):
    optimum = numpy_optimum(mdp)
    for method in METHODS[:-1]:
        solution = planning.solve(mdp, 1e-6, method)
        assert np.abs(solution.values - optimum).max() <= solution.error_bound + 1e-10


@settings(max_examples=30)
@given(discounted_mdps(max_states=3, max_actions=2))
def test_optimal_among_all_deterministic_policies(mdp):
    solution = planning.policy_iteration(mdp)
    best = np.max(
        [
            planning.evaluate_discounted(mdp, np.array(policy))
            for policy in product(range(mdp.n_actions), repeat=mdp.n_states)
        ],
        axis=0,
    )
    np.testing.assert_allclose(solution.values, best, atol=1e-9)


@settings(max_examples=60)
@given(st.data(), discounted_mdps(max_states=4, max_actions=3))
def test_policy_evaluation_occupancy_and_their_duality(data, mdp):
    policy = data.draw(policies(mdp))
    laws = np.eye(mdp.n_actions)[policy] if policy.dtype.kind == "i" else policy
    chain = np.einsum("sa,sat->st", laws, mdp.transitions)
    rewards = (laws * mdp.rewards).sum(axis=1)
    expected = sum(mdp.discount**t * np.linalg.matrix_power(chain, t) @ rewards for t in range(800))
    for model in (mdp, as_sparse(mdp)):
        values = planning.evaluate_discounted(model, policy)
        np.testing.assert_allclose(values, expected, atol=1e-9)
        np.testing.assert_allclose(planning.bellman_policy(model, policy, values), values, atol=1e-9)
        measure = planning.discounted_occupancy(model, policy)
        assert measure.min() >= 0.0
        assert measure.sum() == pytest.approx(1.0)
        gain = (measure * mdp.rewards).sum() / (1 - mdp.discount)
        assert gain == pytest.approx(float(mdp.initial @ values), abs=1e-8)
        np.testing.assert_allclose(measure, measure.sum(axis=1, keepdims=True) * laws, atol=1e-12)


@pytest.mark.parametrize("sparse_model", [False, True])
def test_sweep_is_its_twin(sparse_model):
    mdp = random_mdp(23, 5)
    model = as_sparse(mdp) if sparse_model else mdp
    values = np.random.default_rng(1).normal(size=23)
    q = mdp.rewards + mdp.discount * mdp.transitions @ values
    np.testing.assert_allclose(planning.bellman_optimality(model, values), q.max(axis=1), rtol=1e-13)
    out, policy = np.empty(23), np.zeros(23, np.int64)
    low, high, scale, changed = kernels.optimality_sweep(
        *as_rows(model.transitions)[:3], mdp.rewards, mdp.discount, values, out, policy
    )
    np.testing.assert_array_equal(policy, q.argmax(axis=1))
    assert (low, high) == ((out - values).min(), (out - values).max())
    assert changed == np.count_nonzero(policy)
    assert scale == np.abs(mdp.rewards).max() + mdp.discount * np.abs(values).max()


@pytest.mark.parametrize("sparse_model", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_elimination_changes_no_bit_of_value_iteration(seed, sparse_model):
    """Value iteration with elimination against plain sweeps, from an arbitrary start."""
    mdp = random_mdp(12, 6, 0.9, seed, concentration=0.2)
    model = as_sparse(mdp) if sparse_model else mdp
    rows = as_rows(model.transitions)[:3]
    start = np.random.default_rng(seed).normal(size=12) * 10
    plain, out, policy = start.copy(), np.empty(12), np.empty(12, np.int64)
    for n in range(1, 40):
        kernels.optimality_sweep(*rows, mdp.rewards, mdp.discount, plain, out, policy)
        plain, out = out, plain
        found, work = start.copy(), (np.empty(12), np.empty(12, np.int64), np.empty((12, 6)), np.empty(12))
        kernels.value_iteration(*rows, mdp.rewards, mdp.discount, found, *work, 0.0, False, 2e-9, 1e-14, n)
        np.testing.assert_array_equal(found, plain)


def test_auto_falls_back_to_policy_iteration_on_large_models():
    rng = np.random.default_rng(0)
    fast = DiscountedMDP(rng.dirichlet(np.ones(160), size=(160, 4)), rng.random((160, 4)), 0.99)
    assert planning.solve(fast).method == "value_iteration"
    cycle = np.zeros((160, 4, 160))
    cycle[np.arange(160), :, (np.arange(160) + 1) % 160] = 0.95
    cycle[np.arange(160), :, np.arange(160)] = 0.05
    rewards = np.zeros((160, 4))
    rewards[0, 2] = 1.0
    slow = DiscountedMDP(cycle, rewards, 0.999)
    solution = planning.solve(slow)
    assert solution.method == "inexact_policy_iteration"
    np.testing.assert_allclose(solution.values, planning.policy_iteration(slow).values, atol=2e-6)


def test_macqueen_bounds_stop_earlier_than_the_sup_norm():
    mdp = random_mdp(30, 3, 0.99)
    span = planning.value_iteration(mdp, 1e-6)
    residual = planning.value_iteration(mdp, 1e-6, stopping="residual")
    assert span.iterations * 20 < residual.iterations


def test_bicgstab_solves_and_reports_its_true_residual():
    mdp = random_mdp(40, 1, 0.99, concentration=0.1)
    chain, right = mdp.transitions[:, 0], mdp.rewards[:, 0].copy()
    for model in (mdp, as_sparse(mdp)):
        x, work = np.zeros(40), np.empty((5, 40))
        rows = as_rows(model.transitions)[:3]
        achieved = kernels.bicgstab(*rows, np.arange(40), 0.99, right, x, work, 1e-10, 200)
        assert achieved <= 1e-10
        assert achieved == pytest.approx(np.abs(right - x + 0.99 * chain @ x).max(), abs=1e-12)
        np.testing.assert_allclose(x, np.linalg.solve(np.eye(40) - 0.99 * chain, right), atol=1e-8)


def test_breakdown_of_bicgstab_is_repaired():
    """On a cycle the shadow residual can be orthogonal at once; planning must get through all the same."""
    S = 6
    kernel = np.zeros((S, 2, S))
    kernel[np.arange(S), 0, (np.arange(S) + 1) % S] = 1.0
    kernel[np.arange(S), 1, (np.arange(S) + 2) % S] = 1.0
    rewards = np.zeros((S, 2))
    rewards[0, 0] = 1.0
    mdp = DiscountedMDP(kernel, rewards, 0.99)
    solution = planning.inexact_policy_iteration(mdp, 1e-6, max_inner=1, n_sweeps=3)
    np.testing.assert_allclose(solution.values, planning.policy_iteration(mdp).values, atol=2e-6)
    values = planning.evaluate_discounted(as_sparse(mdp), np.zeros(S, int))
    np.testing.assert_allclose(values, planning.evaluate_discounted(mdp, np.zeros(S, int)), atol=1e-9)


def test_linear_programme_and_its_dual():
    mdp = random_mdp(12, 3, 0.9)
    for model in (mdp, as_sparse(mdp)):
        found = planning.linear_programme(model)
        assert found.flow_residual < 1e-9
        assert abs(found.duality_gap) < 1e-7
        assert found.occupancy.sum() == pytest.approx(1.0)
        np.testing.assert_array_equal(found.start, mdp.initial)
        policy = planning.policy_iteration(mdp).policy
        np.testing.assert_allclose(found.occupancy, planning.discounted_occupancy(mdp, policy), atol=1e-8)


def test_linear_programme_weighs_unreachable_states():
    mdp = DiscountedMDP(np.tile(np.eye(3)[:, None], (1, 2, 1)), np.arange(6.0).reshape(3, 2), 0.5, [1.0, 0.0, 0.0])
    found = planning.linear_programme(mdp)
    np.testing.assert_allclose(found.solution.values, [2.0, 6.0, 10.0], atol=1e-8)
    np.testing.assert_array_equal(found.start, np.full(3, 1 / 3))


@pytest.mark.parametrize("solver", [*ITERATIVE, planning.policy_iteration])
def test_not_converging_is_said(solver):
    mdp = random_mdp(20, 3, 0.999, concentration=0.02)
    with pytest.raises(planning.NotConvergedError, match=r"certified error of .* after 1 iterations, not 1e-06"):
        solver(mdp, 1e-6, max_iterations=1)
    solution = solver(mdp, 1e-6, max_iterations=1, allow_unconverged=True)
    assert not solution.converged
    assert solution.error_bound > 1e-6
    optimum = planning.policy_iteration(mdp).values
    assert np.abs(solution.values - optimum).max() <= solution.error_bound + 1e-8


@pytest.mark.parametrize("method", [m for m in METHODS if m != "linear_programme"])
def test_a_tolerance_below_rounding_ends_with_an_error(method):
    mdp = random_mdp(20, 3, 0.999)
    with pytest.raises(planning.NotConvergedError, match="not 1e-14"):
        planning.solve(mdp, 1e-14, method)
    bound = planning.solve(mdp, 1e-14, method, allow_unconverged=True).error_bound
    assert bound < 1e-5


def test_starts_are_used():
    mdp = random_mdp(20, 3, 0.99, concentration=0.1)
    optimum = planning.policy_iteration(mdp)
    for solver in ITERATIVE:
        assert solver(mdp, initial_values=optimum.values).iterations == 1
    assert planning.policy_iteration(mdp, initial_policy=optimum.policy).iterations == 1
    assert planning.value_iteration(mdp, variant="gauss_seidel", initial_values=optimum.values).iterations == 1


def test_contraction_counts_excess_mass():
    heavy = 1.0 + 0.9 * MASS_TOLERANCE
    mild = DiscountedMDP([[[heavy]]], [[1.0]], 0.999)
    assert 0.999 * heavy <= contraction(mild) < 1.0
    optimum = 1.0 / (1.0 - 0.999 * heavy)
    assert abs(planning.value_iteration(mild).values[0] - optimum) <= 1e-6
    near = DiscountedMDP([[[1.0]]], [[1.0]], 1.0 - 1e-9)
    assert contraction(near) < 1.0
    with pytest.raises(ValueError, match="no certified contraction"):
        contraction(DiscountedMDP([[[heavy]]], [[1.0]], 1.0 - 1e-12))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: planning.solve(m, 0.0), "tolerance is 0.0"),
        (lambda m: planning.solve(m, np.nan), "tolerance is nan"),
        (lambda m: planning.solve(m, method="magic"), "method is 'magic', not one of auto, value_iteration"),
        (lambda m: planning.value_iteration(m, variant="x"), "variant is 'x'"),
        (lambda m: planning.value_iteration(m, stopping="x"), "stopping is 'x'"),
        (lambda m: planning.value_iteration(m, max_iterations=0), "max_iterations is 0"),
        (lambda m: planning.policy_iteration(m, max_iterations=0), "max_iterations is 0"),
        (lambda m: planning.value_iteration(m, initial_values=[1.0]), r"values has shape \(1,\), not \(3,\)"),
        (lambda m: planning.certify(m, [0.0, np.inf, 0.0]), r"values\[1\] is not finite"),
        (lambda m: planning.bellman_optimality(m, np.zeros((3, 1))), r"values has shape \(3, 1\)"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(random_mdp(3, 2))


@pytest.mark.parametrize("policy", [[0, 1, 2], np.full((3, 2), 0.6), np.zeros((2, 3), int)])
def test_bad_policies_are_named(policy):
    mdp = random_mdp(3, 2)
    for call in (planning.evaluate_discounted, planning.discounted_occupancy):
        with pytest.raises(InvalidPolicyError, match="policy"):
            call(mdp, policy)
    with pytest.raises(InvalidPolicyError, match="policy"):
        planning.bellman_policy(mdp, policy, np.zeros(3))


@pytest.mark.parametrize("sparse_model", [False, True])
def test_an_evaluation_that_misses_its_tolerance_is_an_error(sparse_model):
    mdp = random_mdp(30, 1, 0.999)
    model = as_sparse(mdp) if sparse_model else mdp
    with pytest.raises(planning.NotConvergedError, match="policy evaluation"):
        planning.evaluate_discounted(model, np.zeros(30, int), 1e-15)
    with pytest.raises(planning.NotConvergedError, match="occupancy"):
        planning.discounted_occupancy(model, np.zeros(30, int), 1e-15)
