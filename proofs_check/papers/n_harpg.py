r"""Proofs behind the bounds of N-HARPG, N-PG-IGT and their relatives: recursions, sums, orders, and vacuity.

Inductions are proved through their steps, for all real values of the iteration. Fractional powers of :math:`T + 2` are
removed by a substitution that makes them integer, and a touching point at infinity becomes one at zero.
"""

import functools
from collections.abc import Iterator
from functools import partial
from typing import Any

import sympy as sp
from flint import arb

from proofs_check.engine import Check, Mutant
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.base import Tier
from proofs_check.methods.interval import Inequality as RealInequality
from proofs_check.methods.interval import Interval, Taylor
from proofs_check.methods.polynomial import Polynomial
from proofs_check.methods.symbolic import Identity, Inequality, Obligation, Order, Symbolic
from proofs_check.papers.policy_gradient import LENGTHS, variance_recursion
from theory import n_harpg as theory
from theory.symbols import T

R = sp.Rational
ONE, TWO, HALF, THIRD, SIXTH = sp.S.One, sp.Integer(2), R(1, 2), R(1, 3), R(1, 6)
PRINTED_ERROR, LONGER = R(8, 3), R(6, 5)
"""Factor of the error in the printed ascent lemma, and of the horizon of N-PG-IGT."""
x, y = sp.symbols("x y", real=True)
SLACK = sp.Symbol("slack", nonnegative=True)


def below(lhs: sp.Expr, rhs: sp.Expr) -> Any:
    """Return lhs <= rhs, unevaluated."""
    return sp.Le(lhs, rhs, evaluate=False)


# Momentum with a bias


def positive(polynomial: sp.Expr, symbol: sp.Symbol, power: int, last: sp.Expr) -> RealInequality:
    """Return that a polynomial with the factor symbol^power is nonnegative on [0, last]."""
    return RealInequality(below(0, sp.expand(sp.expand(polynomial) / symbol**power)), ((symbol, 0, last),))


def igt_bias(*, constant: sp.Expr = theory.IGT_BIAS, half: sp.Expr = HALF) -> tuple[RealInequality, ...]:
    """Return the step of the induction, in y = (T + 2)^(-1/5) and z = y^5, for T >= 1.

    With eta = (2 / (T + 2))^(4/5) and rho = (T + 2) / (T + 1) = 1 / (1 - z) it reads
    (1 - eta) (C rho^(2/5) + eta rho^2 / 2) <= C. A polynomial whose fifth power is at most (1 - z)^2 bounds rho^(2/5);
    with it, both sides are rational, and their difference has the factor y^4.
    """
    z, eta = y**5, 2 ** R(4, 5) * y**4
    root = 1 - R(2, 5) * x - R(3, 25) * x**2 - R(1, 10) * x**3
    lower, square = root.subs(x, z), (1 - z) ** 2
    top = constant * lower * square - (1 - eta) * (constant * square + half * eta * lower)
    return positive((1 - x) ** 2 - root**5, x, 3, THIRD), positive(top, y, 4, R(81, 100))


def momentum_bias(*, constant: sp.Expr = theory.MOMENTUM_BIAS) -> tuple[RealInequality, ...]:
    """Return the step of the induction, in y = (T + 2)^(-1/3) and z = y^3, for T >= 1, as in `igt_bias`.

    With eta = (2 / (T + 2))^(2/3) it reads (1 - eta) (C rho^(1/3) + rho eta) <= C; the factor is y^2.
    """
    z, eta = y**3, 2 ** R(2, 3) * y**2
    root = 1 - R(1, 3) * x - R(1, 9) * x**2 - R(1, 8) * x**3
    lower = root.subs(x, z)
    top = constant * lower * (1 - z) - (1 - eta) * (constant * (1 - z) + eta * lower)
    return positive(1 - x - root**3, x, 3, THIRD), positive(top, y, 2, R(694, 1000))


def transport(*, extrapolation: sp.Expr = ONE, sign: int = -1, lagged: bool = False) -> dict[str, Obligation]:
    """Return the bias of the transported error for quadratic and for cubic J, along a line.

    The gradient is a + b x, or a + b x + L x^2 / 2. ``lagged``: the extrapolation uses the last iteration's weight;
    ``sign`` is that of the Hessian term in the remainder of Taylor's formula.
    """
    a, b, lipschitz, point, move = sp.symbols("a b L theta Delta", real=True)
    eta, last = sp.symbols("eta last", positive=True)
    weight = last if lagged else eta
    ahead = point + extrapolation * (1 - weight) / weight * move

    def slope(at: sp.Expr, third: sp.Expr) -> sp.Expr:
        return a + b * at + third * at**2 / 2

    def bias(third: sp.Expr) -> sp.Expr:
        here = slope(point, third)
        return (1 - eta) * (slope(point - move, third) - here) + eta * (slope(ahead, third) - here)

    remainder = slope(point + move, lipschitz) - slope(point, lipschitz) + sign * (b + lipschitz * point) * move
    return {
        "linear part": Identity(bias(sp.S.Zero), sp.S.Zero),
        "quadratic part": Identity(bias(lipschitz), lipschitz / 2 * move**2 * (1 - eta) / eta),
        "remainder": Identity(remainder, lipschitz * move**2 / 2),
    }


# Sums


def power_sums(*, increment: sp.Expr = ONE, extra: sp.Expr = TWO) -> dict[str, Inequality]:
    """Return that a term is at most the increment of the right side, in b and b + v, roots of n and n + 1.

    For q = 3/5 they are fifth roots: (8/5) b^3 (a^5 - b^5) <= a^8 - b^8, a^5 - b^5 being 1; for q = 2/3 third roots.
    For square roots, 1 = v (2 b + v) is put in so that both sides can be compared term by term; b = 1 + s.
    """
    b, v, s = sp.symbols("b v s", nonnegative=True)
    a, one = b + v, v * (2 * b + v)
    roots = one * (b + 1 / b), R(2, 3) * (a**3 - b**3) + extra * v
    first, second = (side.subs(b, 1 + s) for side in roots)
    return {
        "q = 3/5": Inequality(increment * R(8, 5) * b**3 * (a**5 - b**5), a**8 - b**8),
        "q = 2/3": Inequality(increment * R(5, 3) * b**2 * (a**3 - b**3), a**5 - b**5),
        "square roots": Inequality(first, second),
    }


TAILS = {"8/5": (R(8, 5), R(1396, 1000), 3), "6/5": (R(6, 5), R(1177, 1000), 1), "1": (ONE, R(1085, 1000), 1)}
"""p -> p, constant C(p, 4/5) and first iteration of the induction."""


def weighted_tails(*, excess: sp.Expr = ONE, first: int | None = None) -> tuple[RealInequality, ...]:
    """Return the steps R_{T+1} = (1 - eta_T) R_T + gamma_T <= C gamma_{T+1} / eta_{T+1}, in y = (T + 3)^(-1/5).

    Divided by C gamma_T / eta_T: 1 - (1 - 1 / C) eta_T <= ((T + 2) / (T + 3))^(p - 4/5), with eta_T =
    (2 y^5 / (1 - y^5))^(4/5). ``excess`` multiplies C - 1.
    """
    found = []
    for power, constant, start in TAILS.values():
        eta = 2 ** R(4, 5) * y**4 / (1 - y**5) ** R(4, 5)
        gain = 1 - 1 / (1 + excess * (constant - 1))
        last = {1: R(757859, 10**6), 3: R(698828, 10**6)}[start if first is None else first]
        relation = below(1 - gain * eta, (1 - y**5) ** (power - R(4, 5)))
        found.append(RealInequality(relation, ((y, 0, last),), (Taylor(y, 0, 4, 0, R(1, 25)),)))
    return tuple(found)


def first_tails(case: str, *, excess: sp.Expr = ONE) -> Iterator[BallComparison]:
    """Compare the sum with its bound for T = 1, ..., 40."""
    power, constant, _ = TAILS[case]
    top = arb(1) + arb(str(excess)) * (arb(constant.p) / arb(constant.q) - 1)
    p, q, total = arb(power.p) / arb(power.q), arb(4) / 5, arb(0)
    for step in range(40):
        base = arb(2) / (step + 2)
        total = (1 - base**q) * total + base**p
        after = arb(2) / (step + 3)
        yield BallComparison(total, top * after**p / after**q, "<=", f"T={step + 1}")


def horizon(*, factor: sp.Expr = ONE) -> RealInequality:
    """Return factor * log(gamma) <= gamma - 1, so that gamma^H <= exp(-(1 - gamma) H / factor)."""
    g = sp.Symbol("g", real=True)
    where = ((g, sp.Interval.open(0, 1)),)
    return RealInequality(below(factor * sp.log(g), g - 1), where, (Taylor(g, 1, 2),))


def igt_horizon(*, power: sp.Expr = LONGER) -> Order:
    """Return the order of gamma^H / eta_T for gamma^H = (T + 1)^(-power)."""
    return Order((T + 1) ** -power * ((T + 2) / 2) ** R(4, 5), T ** -R(2, 5), T, "O")


def harpg_step(*, limit: sp.Expr = theory.HARPG_STEP_LIMIT) -> Inequality:
    """Return 4 a^2 + a <= 1."""
    a = sp.Symbol("a", nonnegative=True)
    return Inequality(4 * a**2 + a, ONE, (sp.Le(a, limit),))


# The gap


def ascent_printed(*, error: sp.Expr = PRINTED_ERROR, gain: sp.Expr = THIRD) -> dict[str, Inequality]:
    """Return -<g, d> <= |d| (-gain |g| + error |d - g|) for the lengths of a triangle, and with 3/2 for the error."""
    g, d, e = LENGTHS
    triangle = (sp.Le(g, d + e), sp.Le(d, g + e), sp.Le(e, g + d))
    left = -(g**2 + d**2 - e**2) / 2
    return {
        "printed": Inequality(left, d * (-gain * g + error * e), triangle),
        "smaller": Inequality(left, d * (-THIRD * g + R(3, 2) * e), triangle),
    }


def gap_recursion(
    *,
    biased: bool = True,
    error: sp.Expr = ONE,
    curvature: sp.Expr = HALF,
    tail: sp.Expr = 1 + theory.c,
    slack: sp.Expr = SLACK,
) -> Inequality:
    """Return the recursion, from ascent, from kappa delta <= G + eps', and from G <= G_H + D.

    G is the mean norm of the gradient, G_H that of J_H. Ascent gains c times the latter, less 1 + c times the error and
    less D, which makes (1 + c) D (``tail``) of both. What the three inequalities leave is ``slack``, in all.
    """
    delta, step, noise, cut, bias, smooth = sp.symbols("delta gamma_t e D eps L", nonnegative=True)
    c, kappa = theory.c, theory.kappa
    short = kappa * delta - bias - cut
    after = delta - step * (c * short - (1 + c) * noise - cut) + smooth * step**2 / 2 - slack
    right = (1 - c * kappa * step) * delta + error * (1 + c) * step * noise + tail * step * cut
    right += curvature * smooth * step**2
    return Inequality(after, right + (c * bias * step if biased else 0))


ORDERS = {
    "N-HARPG": (theory.N_HARPG_GAP - theory.FLOOR, R(1, 2)),
    "HARPG": (theory.HARPG_GAP, R(1, 2)),
    "N-PG-IGT": (theory.N_PG_IGT_GAP - theory.FLOOR, R(2, 5)),
    "PG": (theory.PG_GAP, R(1, 3)),
    "N-PG-M": (theory.N_PG_M_GAP - theory.FLOOR, R(1, 3)),
}
"""Explicit bounds beyond bias and truncation, with the exponents that are claimed."""


def stated_orders(*, faster: sp.Expr = sp.S.Zero, leading: sp.Expr = ONE) -> dict[str, Obligation]:
    """Return the orders, and the leading constants of N-HARPG for the best and for the printed ascent lemma."""
    found: dict[str, Obligation] = {}
    numbers = {symbol: R(k + 2, 3) for k, symbol in enumerate((theory.gamma_0, theory.kappa, theory.sigma_g))}
    numbers |= {theory.B_2: R(7), theory.L_g: R(2), theory.L_h: R(3), theory.scale: R(3, 2), theory.C_2: TWO}
    numbers |= {theory.LYAPUNOV_START: R(5)}
    for name, (bound, power) in ORDERS.items():
        found[name] = Order(sp.expand_power_base(bound.subs(numbers)), T ** (-power - faster), T, "Theta")
    root = sp.sqrt(theory.NOISE)
    shares = {"c = 1": (TWO, R(16, 3)), "printed": (R(8, 3), R(64, 9))}
    for name, (factor, constant) in shares.items():
        part = theory.HARPG_GAP_LEADING.subs(theory.C_2, factor) / (theory.scale * root)
        found[name] = Order(part, 1 / sp.sqrt(T), T, "~", leading * constant / sp.sqrt(3))
    return found


# Vacuity


def growth(*, sixth: sp.Expr = SIXTH) -> RealInequality:
    """Return 1 + x^3 / 6 <= exp(x) for x >= 0."""
    return RealInequality(below(1 + sixth * x**3, sp.exp(x)), ((x, 0, sp.oo),), (Taylor(x, 0, 4),))


def escape_length(*, share: sp.Expr = ONE) -> Inequality:
    """Return G s + L s^2 / 2 <= A s^3 at s = L / (2 A) + (G / A)^(1/2), with A = a kappa^3 / 6 and G = A w^2.

    Then a exp(kappa s) > a + A s^3 >= a + G s + L s^2 / 2, which no function with these slopes can reach.
    """
    rate, lipschitz, w = (
        sp.Symbol("A", positive=True),
        sp.Symbol("L", nonnegative=True),
        sp.Symbol("w", nonnegative=True),
    )
    s = share * lipschitz / (2 * rate) + w
    return Inequality(rate * w**2 + lipschitz * s / 2, rate * s**2)


# The local theorem


def shifted_error(*, shift: int = 2, momentum: sp.Expr = ONE) -> Identity:
    """Return W_t for the recursion with constant variances, against W_{t-1} and what is added.

    u = t + tau_0, eta_t = 2 / u, and the step before is 2 scale / (u - 1).
    """
    u, last = sp.Symbol("u", positive=True), sp.Symbol("V", nonnegative=True)
    eta = 2 * momentum / u
    now = (1 - eta) ** 2 * last + eta**2 * theory.sigma_g**2
    now += (1 - eta) ** 2 * theory.B_2 * (2 * theory.scale / (u - 1)) ** 2
    before = (u - 2) ** 2 * (u - 1) ** 2 * last
    after = 4 * (u - 1) ** 2 * theory.sigma_g**2 + 4 * theory.scale**2 * theory.B_2 * (u - shift) ** 2
    return Identity((u - 1) ** 2 * u**2 * now, before + after, (sp.Gt(u, 2),))


def path_length(*, factor: sp.Expr = ONE) -> RealInequality:
    """Return 1 / n <= factor log(n / (n - 1)), with x = 1 / n."""
    return RealInequality(below(x, -factor * sp.log(1 - x)), ((x, sp.Interval.Ropen(0, 1)),), (Taylor(x, 0, 2),))


def cauchy_domination(*, constant: sp.Expr = ONE) -> Inequality:
    """Return 1/2 - J <= |J'| / kappa(R) for 0 <= theta <= R = theta + something; both sides are even."""
    z, beyond = sp.symbols("z beyond", nonnegative=True)
    left = R(1, 2) - theory.CAUCHY_VALUE.subs(theory.theta, z)
    slope = -theory.CAUCHY_GRADIENT.subs(theory.theta, z)
    kappa = theory.CAUCHY_DOMINATION.subs(theory.radius, z + beyond)
    return Inequality(constant * left, slope / kappa)


@functools.cache
def cauchy_mean(numerator: sp.Expr, own: int, paid: int, *, sign: int = 1) -> sp.Expr:
    """Return the mean of numerator / ((1 + u^2)^(own - 1) (1 + (u + theta)^2)^paid), u = a - theta, for a Cauchy law.

    It is 2 i times the residues of numerator / ((1 + u^2)^own (1 + (u + theta)^2)^paid) at i and at i - theta; the
    field is that of rational functions of theta over the Gaussian rationals. ``sign`` is that of theta.
    """
    field = sp.QQ_I.frac_field(theory.theta)
    i, shift = field.from_sympy(sp.I), field.from_sympy(sign * theory.theta)
    entries = [field.from_sympy(entry) for entry in sp.Poly(numerator, x).all_coeffs()]
    factors = ((i, own), (i - shift, paid), (-i, own), (-i - shift, paid))
    total = field.zero
    for k, (pole, order) in enumerate(factors[:2]):
        series = [field.zero] * order
        for entry in entries:
            series = [pole * low + before for low, before in zip(series, [entry, *series[:-1]], strict=True)]
        for other, power in (*factors[:k], *factors[k + 1 :]):
            far = pole - other
            terms = [field.from_sympy(sp.binomial(-power, n)) / far ** (power + n) for n in range(order)]
            series = [sum((series[m] * terms[n - m] for m in range(n + 1)), field.zero) for n in range(order)]
        total += series[-1]
    return field.to_sympy(2 * i * total)


def cauchy_moments(*, curvature: sp.Expr = ONE, sign: int = 1) -> dict[str, Obligation]:
    """Return the means of r, g = r psi and B = r (psi^2 + Psi), and of the squares of g and B, in x = a - theta."""
    law, mean = 1 + x**2, partial(cauchy_mean, sign=sign)
    score = sp.diff(sp.log(law), x)
    top = 6 * x**2 - 2
    return {
        "estimator": Identity(score**2 - curvature * sp.diff(score, x), top / law**2),
        "slope": Identity(sp.diff(theory.CAUCHY_VALUE, theory.theta), theory.CAUCHY_GRADIENT),
        "E r": Identity(mean(ONE, 1, 1), theory.CAUCHY_VALUE),
        "E g": Identity(mean(2 * x, 2, 1), theory.CAUCHY_GRADIENT),
        "E B": Identity(mean(top, 3, 1), sp.diff(theory.CAUCHY_GRADIENT, theory.theta)),
        "E g^2": Identity(mean(4 * x**2, 3, 2), theory.CAUCHY_G_SQUARED),
        "E B^2": Identity(mean(top**2, 5, 2), theory.CAUCHY_B_SQUARED),
    }


def cauchy_constants(*, scale: sp.Expr = ONE) -> tuple[RealInequality, ...]:
    """Return the bounds in x = theta^2, that of J''' for the squares."""
    z, at = theory.theta, sp.Symbol("x", positive=True)
    curvature = sp.factor(sp.diff(theory.CAUCHY_GRADIENT, z))
    noise = sp.factor(theory.CAUCHY_G_SQUARED - theory.CAUCHY_GRADIENT**2)
    third = sp.factor(sp.diff(curvature, z) ** 2)
    pairs = (
        (curvature, theory.CAUCHY_SMOOTHNESS),
        (-curvature, theory.CAUCHY_SMOOTHNESS),
        (third, theory.CAUCHY_HESSIAN_LIPSCHITZ**2),
        (noise, theory.CAUCHY_NOISE),
        (theory.CAUCHY_G_SQUARED, theory.CAUCHY_SECOND_MOMENT),
        (theory.CAUCHY_B_SQUARED, theory.CAUCHY_HESSIAN_MOMENT),
    )
    return tuple(
        RealInequality(below(left.subs(z, sp.sqrt(at)).subs(at, x), scale * right), ((x, 0, sp.oo),))
        for left, right in pairs
    )


BIAS_CHECKS = (
    Check(
        "n_harpg.n_harpg_error",
        Symbolic(),
        variance_recursion,
        (Mutant("constant", "1.2 instead of 4/3", {"constant": R(6, 5)}),),
    ),
    Check(
        "n_harpg.transport",
        Symbolic(),
        transport,
        (
            Mutant("no_extrapolation", "the trajectory is sampled at theta_t itself", {"extrapolation": sp.S.Zero}),
            Mutant(
                "lagged", "the weight of the last iteration in the extrapolation, as in public code", {"lagged": True}
            ),
            Mutant("sign", "plus the Hessian term in the remainder, as once printed", {"sign": 1}),
        ),
    ),
    Check(
        "n_harpg.igt_bias",
        Interval(),
        igt_bias,
        (
            Mutant("constant", "0.534 instead of 0.535", {"constant": R(534, 1000)}),
            Mutant("whole", "L_h instead of L_h / 2 in the remainder", {"half": ONE}),
        ),
    ),
    Check(
        "n_harpg.momentum_bias",
        Interval(),
        momentum_bias,
        (Mutant("constant", "1.006 instead of 1.008", {"constant": R(1006, 1000)}),),
    ),
)

SUM_CHECKS = (
    Check(
        "n_harpg.power_sums",
        Symbolic(),
        power_sums,
        (
            Mutant("increment", "1.01 times the terms", {"increment": R(101, 100)}),
            Mutant("extra", "without the second root", {"extra": sp.S.Zero}),
        ),
    ),
    Check(
        "n_harpg.weighted_tails",
        Interval(),
        weighted_tails,
        (
            Mutant("one", "the constant 1", {"excess": sp.S.Zero}),
            Mutant("early", "the induction of the first constant from T = 1", {"first": 1}),
        ),
        name="steps",
        tier=Tier.FULL,
        part=True,
    ),
    Check(
        "n_harpg.weighted_tails",
        Balls({name: partial(str, name) for name in TAILS}),
        first_tails,
        (Mutant("constant", "0.99 times the excess over 1", {"excess": R(99, 100)}),),
        name="values",
        part=True,
    ),
    Check("n_harpg.horizon", Interval(), horizon, (Mutant("half", "half of the horizon", {"factor": R(1, 2)}),)),
    Check(
        "n_harpg.igt_horizon",
        Symbolic(),
        igt_horizon,
        (Mutant("one", "gamma^H = 1 / (T + 1), as for the other methods", {"power": ONE}),),
    ),
    Check(
        "n_harpg.harpg_step",
        Symbolic(),
        harpg_step,
        (Mutant("larger", "0.391", {"limit": R(391, 1000)}),),
    ),
)

TIGHT: dict[str, Any] = {"slack": sp.S.Zero}
"""Equality in what a recursion comes from."""

GAP_CHECKS = (
    Check(
        "n_harpg.ascent_printed",
        Polynomial(squares=False),
        ascent_printed,
        (
            Mutant("error", "1.3 |d - g|; 4/3 is the best constant", {"error": R(13, 10)}),
            Mutant(
                "best", "1.9 |d - g| with the whole gain |g|; 2 is the best constant", {"error": R(19, 10), "gain": ONE}
            ),
        ),
    ),
    Check(
        "n_harpg.gap_recursion",
        Symbolic(),
        gap_recursion,
        (
            Mutant("no_bias", "without eps'", {"biased": False, **TIGHT}),
            Mutant("error", "0.99 times the error", {"error": R(99, 100), **TIGHT}),
            Mutant("curvature", "0.49 L_g gamma^2", {"curvature": R(49, 100), **TIGHT}),
            Mutant("tail", "c D instead of (1 + c) D", {"tail": theory.c, **TIGHT}),
        ),
    ),
    Check(
        "n_harpg.stated_orders",
        Symbolic(),
        stated_orders,
        (
            Mutant("faster", "exponents larger by 1/10", {"faster": R(1, 10)}),
            Mutant("leading", "0.99 times the leading constants", {"leading": R(99, 100)}),
        ),
    ),
)

VACUITY_CHECKS = (
    Check(
        "n_harpg.vacuity",
        Interval(),
        growth,
        (Mutant("sixth", "3 x^3 / 4", {"sixth": R(3, 4)}),),
        name="growth",
        part=True,
    ),
    Check(
        "n_harpg.vacuity",
        Polynomial(),
        escape_length,
        (Mutant("shorter", "nine tenths of the first part of the length", {"share": R(9, 10)}),),
        name="length",
        part=True,
    ),
)

LOCAL_CHECKS = (
    Check(
        "n_harpg.shifted_error",
        Symbolic(),
        shifted_error,
        (
            Mutant("shift", "(t + tau_0 - 3)^2", {"shift": 3}),
            Mutant("momentum", "eta_t = 1.9 / (t + tau_0)", {"momentum": R(19, 20)}),
        ),
    ),
    Check(
        "n_harpg.path_length",
        Interval(),
        path_length,
        (Mutant("factor", "0.99 times the bound", {"factor": R(99, 100)}),),
    ),
    Check(
        "n_harpg.cauchy_domination",
        Symbolic(),
        cauchy_domination,
        (Mutant("constant", "1.01 times the constant", {"constant": R(101, 100)}),),
    ),
    Check(
        "n_harpg.cauchy_constants",
        Interval(),
        cauchy_constants,
        (Mutant("scale", "0.9999 times the constants", {"scale": R(9999, 10000)}),),
        name="maxima",
        part=True,
    ),
    Check(
        "n_harpg.cauchy_constants",
        Symbolic(),
        cauchy_moments,
        (
            Mutant("sign", "the reward has its poles at theta + i and theta - i", {"sign": -1}),
            Mutant("curvature", "B = r (psi^2 + Psi / 2)", {"curvature": HALF}),
        ),
        name="moments",
        part=True,
    ),
)

CHECKS = (*BIAS_CHECKS, *SUM_CHECKS, *GAP_CHECKS, *VACUITY_CHECKS, *LOCAL_CHECKS)
