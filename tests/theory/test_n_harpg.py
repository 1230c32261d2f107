"""Schedules and constants of N-HARPG and its relatives: closed forms, known values, and what they must agree with."""

import math

import pytest
import sympy as sp

from theory import n_harpg as theory
from theory import n_harpg_regularity as regularity
from theory.claim import Level, Origin
from theory.symbols import H, T, gamma

CLAIMS = {claim.id.split(".")[1]: claim for claim in (*theory.CLAIMS, *regularity.CLAIMS)}


def value(expression, **symbols):
    names = {symbol.name: symbol for symbol in expression.free_symbols}
    return float(expression.subs({names[name]: number for name, number in symbols.items() if name in names}))


@pytest.mark.parametrize("name", theory.SCHEDULES)
def test_the_first_momentum_weight_is_one(name):
    momentum = theory.SCHEDULES[name].momentum
    assert value(momentum, t=0, tau_0=2.0) == 1.0
    assert name == "pg" or value(momentum, t=1, tau_0=2.0) < 1.0


def test_steps_of_the_paper():
    step = theory.NORMALISED_STEP.subs(theory.scale, theory.PAPER_SCALE)
    assert sp.simplify(step - 6 * theory.M_g / (theory.mu * (theory.t + 2))) == 0
    shifted = theory.SCHEDULES["shifted"]
    assert value(shifted.step, t=8, tau_0=2.0, c=1.0, kappa=0.5) == pytest.approx(0.4)
    assert value(theory.SCHEDULES["harpg"].step, t=6, gamma_0=0.3) == pytest.approx(0.15)
    assert value(theory.SCHEDULES["n_pg_igt"].momentum, t=62) == pytest.approx(2.0**-4)


def test_the_first_step_of_harpg():
    sizes = {"L_g": 1.0, "sigma_h": 1.0, "D_h": 2.0, "gamma": 0.5, "H": 1, "M_g": 1.0, "sigma_g": 1.0, "mu_F": 0.5}
    assert value(theory.HARPG_FIRST_STEP, **sizes) == pytest.approx(1.0 / (24.0 * math.sqrt(6.0)))
    late = value(theory.HARPG_FIRST_STEP, **{**sizes, "mu_F": 100.0})
    assert late == pytest.approx(math.sqrt(2.0 / 3.0) / 100.0)


def test_constants_of_regularity():
    sizes = {"M_g": 1.0, "M_h": 0.25, "l_2": 0.1, "r_max": 1.0, "gamma": 0.99, "H": 200}
    assert math.sqrt(value(theory.GRADIENT_MOMENT, **sizes)) == pytest.approx(1000.0)
    assert value(theory.SMOOTHNESS, **sizes) == pytest.approx(12_500.0)
    assert value(theory.GRADIENT_TAIL * gamma**H, **sizes) == pytest.approx(13.398 * math.sqrt(300.0), rel=1e-4)
    assert value(theory.HESSIAN_MOMENT, **sizes) > value(theory.HESSIAN_MOMENT_PRINTED, **sizes)
    assert sp.simplify(theory.HESSIAN_MOMENT.subs(H, 1) - theory.SMOOTHNESS**2) == 0


def test_constants_of_the_policy_classes():
    softmax, cauchy = theory.POLICY_CLASSES["softmax"], theory.POLICY_CLASSES["cauchy"]
    assert float(softmax.third) == pytest.approx(0.27217, abs=5e-6)
    assert float(theory.POLICY_CLASSES["sigmoid"].third) == pytest.approx(0.09623, abs=5e-6)
    assert float(cauchy.third) == pytest.approx(2.9142, abs=5e-5)
    assert float(theory.POLICY_CLASSES["ring"].score) == pytest.approx(2.06474, abs=1e-4)


def test_the_closed_form_of_the_error_is_the_recursion():
    sizes = {"sigma_g": 1.3, "scale": 0.7, "B_2": 2.0}
    variance = 1.3**2
    for t in range(1, 40):
        eta = 2.0 / (t + 2.0)
        variance = (1 - eta) ** 2 * (variance + 2.0 * (0.7 * 2.0 / (t + 1.0)) ** 2) + eta**2 * 1.3**2
        assert value(theory.HARPG_ERROR_EXACT, t=t, **sizes) == pytest.approx(variance, rel=1e-12)
        assert variance <= value(theory.HARPG_ERROR, t=t, **sizes)


def test_the_constant_of_the_error_is_attained():
    sizes = {"sigma_g": 1.0, "scale": 1.0, "B_2": 3.0, "t": 100_000}
    assert value(theory.HARPG_ERROR_EXACT, **sizes) * 100_001 / 4.0 == pytest.approx(1.33330, abs=1e-5)


@pytest.mark.parametrize(("scale", "factor", "constant"), [(1.0, 2.0, 3.079), (3.0, 8.0 / 3.0, 12.32)])
def test_leading_constants_of_n_harpg(scale, factor, constant):
    sizes = {"sigma_g": 1.0, "B_2": 0.0, "kappa": 1.0, "C_2": factor, "scale": scale}
    leading = theory.HARPG_GAP_LEADING * sp.sqrt(T + 1)
    assert value(leading, T=10**12, **sizes) == pytest.approx(constant, abs=6e-3)


def test_the_best_first_step_of_the_plain_gradient():
    inner = theory.PG_GAP.subs({theory.kappa: 2, theory.L_g: 3, theory.sigma_g: sp.Rational(1, 2), T: 7})
    best = theory.PG_FIRST_STEP.subs({theory.kappa: 2, theory.L_g: 3, theory.sigma_g: sp.Rational(1, 2)})
    assert float(sp.diff(inner, theory.gamma_0).subs(theory.gamma_0, best).evalf()) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("constants", "paper", "best"),
    [
        ({"sigma_g": 1.0, "B_2": 18.0, "L_g": 3.0}, 1.6e6, 1.1e4),
        ({"sigma_g": math.sqrt(0.163398), "B_2": 21 / 32, "L_g": 0.25}, 5.8e4, 436),
    ],
)
def test_when_the_global_bound_of_the_cauchy_bandit_would_say_something(constants, paper, best):
    """Against the range 1/2 of J, with kappa = mu_F / M_g = 1/2."""
    bound = CLAIMS["n_harpg"].explicit_bound
    for scale, factor, first in ((3.0, 8.0 / 3.0, paper), (1.0, 2.0, best)):
        sizes = {**constants, "scale": 2.0 * scale, "C_2": factor, "b": 0.0, "D": 0.0}
        found = bound.nonvacuous_from("T", sp.Rational(1, 2), sizes)
        assert found == pytest.approx(first, rel=0.05)


def test_origins_are_honest():
    stated = {name for name, claim in CLAIMS.items() if claim.source.origin == Origin.STATED}
    assert stated == {
        "smoothness",
        "gradient_tail",
        "hessian_tail",
        "printed_hessian_moment",
        "relaxed_domination",
        "ascent_printed",
    }
    refuted = {name for name, claim in CLAIMS.items() if claim.expected == Level.REFUTED}
    assert refuted == {"printed_hessian_moment", "large_steps"}
