r"""Step sizes, confidence radii, switch counts and regret bounds of optimistic actor-critics, with explicit constants.

H stages, :math:`B_h = H - h + 1` the range of the values of stage h, S states, A actions, T episodes, d features or
Dirac eluder dimension, :math:`\delta` and :math:`\delta'` the failure probabilities of the critics' confidence sets and
of one martingale of Bellman errors. None of the constants is quoted from a paper: they are explicit versions of
published orders, by algorithm

* NORA-T, NORA-L, NORA-F: optimistic critic that targets :math:`Q^\star`, refreshed rarely, actor reset at each refresh;
  tabular with counts that double, linear with determinants that double, finite class with a threshold on the loss;
* DOUHUA-T: optimistic tabular critic that targets the actor, refreshed at each episode, no reset;
* NORA-H, NOAH: the same with offline data, with and without a bonus.

**Tracking.** Within an epoch the actor of episode j is :math:`\operatorname{softmax}(\eta j f)`, whose gap to the
greedy policy of f is at most :math:`W_A / (\eta j)` with the Lambert function :math:`W_A = W((A - 1)/e) \le \log A`.
Over N epochs of T episodes in all, this costs at most :math:`H (W_A / \eta) N (1 + \log(T / N))`.

**Water filling.** A pair that starts with a visits and gets x more costs
:math:`\sum_{m=a}^{a+x-1} m^{-1/2} \le 2 (\sqrt{a + x - 1/2} - \sqrt{a - 1/2})`; the largest sum over the pairs, with
:math:`\sum x = T`, is attained by :math:`x = (\nu - a + 1/2)_+`.
"""

from collections.abc import Callable, Sequence
from functools import cache
from math import exp, fsum, log, sqrt

import sympy as sp

from theory.symbols import A, H, S, T, beta, d, delta, eta, lam, n

DELTA_PRIME = sp.Symbol("delta_prime", positive=True)
"""Failure probability of the martingale."""

W = sp.Symbol("W_A", nonnegative=True)
"""W((A - 1) / e): see `lambert`."""

EPOCHS = sp.Symbol("N_T", positive=True)
"""Number of epochs, or a bound on it."""

OFFLINE = sp.Symbol("N_off", nonnegative=True)
"""Offline transitions a stage."""

PAIRS = sp.Symbol("F_2", positive=True)
"""Number of pairs of critics, sum over h of |F_h| |F_{h+1}|."""

D_FIRST = sp.Symbol("d_1", positive=True)
"""Dirac eluder dimension of the first stage; d is that of the others."""

RANGE = sp.Symbol("B", positive=True)
"""Range of the values."""

WATER = sp.Symbol("G", nonnegative=True)
"""Sum over h of (H - h) G_h: see `water_filling`."""

UNSEEN = sp.Symbol("Z", nonnegative=True)
"""Sum over h of (H - h) times the number of pairs without an offline visit."""

COVERAGE = sp.Symbol("C_off", nonnegative=True)
"""What the offline data leave open about the optimal policy: see `coverage`."""

IOTA = sp.Symbol("iota", positive=True)
"""Logarithm inside a confidence radius."""

NET = sp.Symbol("C_V", nonnegative=True)
"""Logarithm of the number of targets of a ridge regression."""

HALF = sp.Rational(1, 2)

SWITCH_THRESHOLD = 11
"""kappa of NORA-F."""

TRIVIAL = H * T
"""Regret that no policy can exceed with rewards in [0, 1]."""

# Tracking

LAST_ITERATE = W / (eta * n)
"""Largest gap of softmax(eta n f) to the greedy policy of f."""

FIXED_STATE_TRACKING = sp.log(A) / eta
"""Sum of the gaps of all episodes of an epoch in one state."""

EPOCH_TRACKING = W / eta * (1 + sp.log(n))
"""Sum of the mean gaps of an epoch of n episodes, for any laws of the state."""

TRACKING = H * W / eta * EPOCHS * (1 + sp.log(T / EPOCHS))
"""Tracking of N_T epochs of T episodes."""

MIRROR_ASCENT = sp.log(A) / eta + eta * RANGE**2 * n / 8
"""Regret of n steps of mirror ascent from the uniform law, for values of range B and a fixed law of the state."""

MIRROR_RATE = sp.sqrt(8 * sp.log(A) / (RANGE**2 * n))
"""Eta that is best in `MIRROR_ASCENT`."""

MIRROR_TUNED = RANGE * sp.sqrt(n * sp.log(A) / 2)
"""`MIRROR_ASCENT` at `MIRROR_RATE`."""

RATE_ONE_EPOCH = sp.sqrt(8 * sp.log(A) / (H**2 * T))
"""Eta of DOUHUA-T."""

RATE_EPOCHS = sp.sqrt(8 * EPOCHS * sp.log(A) / (H**2 * T))
"""Eta that is best for N_T epochs of equal length."""

RATE_FORGETFUL = sp.sqrt(sp.log(A) / (H**2 * T))
"""Eta of one epoch, constant dropped: it forgets the number of epochs."""

GENERIC_TRACKING = H**2 * sp.sqrt(EPOCHS * T * sp.log(A) / 2)
"""What mirror ascent gives for N_T epochs at `RATE_EPOCHS`."""

# Tabular


def _martingale(weight: sp.Expr) -> sp.Expr:
    """Return the deviation of the realised from the expected Bellman errors, of range ``weight`` an episode."""
    return weight * sp.sqrt(T * sp.log(1 / DELTA_PRIME) / 2)


_BELOW = H * (H - 1)

IOTA_TABULAR = S * sp.log(2) + sp.log(H * S * A * T / delta)
IOTA_HYBRID = S * sp.log(2) + sp.log(H * S * A * (T + OFFLINE) / delta)

EPOCHS_TABULAR = sp.Min(T, 1 + (H - 1) * S * A * (1 + sp.log(T) / sp.log(2)))

NORA_T_POTENTIAL = 2 * _BELOW * sp.sqrt(S * A * T * IOTA) + S * A * _BELOW / 2
"""Realised Bellman errors of NORA-T."""

NORA_T = NORA_T_POTENTIAL.subs(IOTA, IOTA_TABULAR) + _martingale(_BELOW / 2) + TRACKING.subs(EPOCHS, EPOCHS_TABULAR)

DOUHUA_T = (
    H**2 * sp.sqrt(T * sp.log(A) / 2)
    + sp.sqrt(2) * _BELOW * sp.sqrt(S * A * T * IOTA_TABULAR)
    + S * A * _BELOW / 2
    + _martingale(_BELOW / 2)
)
"""At `RATE_ONE_EPOCH`."""

# Linear

ACCURACY = H / (4 * sp.sqrt(T))
"""Accuracy of the net of targets."""

_LENGTH = H * sp.sqrt(T / lam)
"""Largest norm of a ridge solution."""

NET_STATES = S * sp.log(1 + H / (2 * ACCURACY))
"""Grid of all functions of S states."""

NET_WEIGHTS = d * sp.log(1 + 4 * _LENGTH / ACCURACY) + d * (d + 1) / 2 * sp.log(
    1 + 8 * sp.sqrt(d) * beta**2 / (lam * ACCURACY**2)
)
"""Ball of weights times matrices of the bonus."""

NET_WEIGHTS_PLAIN = d * sp.log(1 + 2 * _LENGTH / ACCURACY)
"""Ball of weights alone, where there is no bonus."""

BETA_LINEAR = (
    H / 2 * sp.sqrt(d * sp.log(1 + T / (d * lam)) + 2 * (NET + sp.log(H / delta)))
    + 2 * ACCURACY * sp.sqrt(T)
    + H * sp.sqrt(lam * d)
)
"""Radius of the ridge regressions, given the net."""

EPOCHS_LINEAR = sp.Min(T, 1 + d * H * sp.log(1 + T / (d * lam)) / sp.log(2))

NORA_L_POTENTIAL = 2 * sp.sqrt(2 / sp.log(2)) * beta * H * sp.sqrt(d * T * sp.log(1 + T / d))
"""Realised Bellman errors of NORA-L, ridge 1."""

NORA_L = NORA_L_POTENTIAL + _martingale(H * (H + 1) / 2) + TRACKING.subs(EPOCHS, EPOCHS_LINEAR.subs(lam, 1))

# Finite class

IOTA_FINITE = sp.log(2 * PAIRS / delta)


def finite_potential(factor: int) -> sp.Expr:
    """Return the realised Bellman errors, if those of the past are at most ``factor`` B_h^2 iota in sum of squares."""

    def stage(dimension: sp.Expr, reach: sp.Expr) -> sp.Expr:
        return 2 * reach * sp.sqrt(factor * dimension * IOTA * T) + dimension * reach + sp.sqrt(T)

    later = H * (H - 1) / 2
    rest = 2 * later * sp.sqrt(factor * d * IOTA * T) + d * later + (H - 1) * sp.sqrt(T)
    return stage(D_FIRST, H) + rest


EPOCHS_FINITE = sp.Min(T, 1 + H * HALF + (D_FIRST + (H - 1) * d) * (HALF + 12 * (1 + sp.log(T))))
"""Largest number of epochs of NORA-F at kappa = `SWITCH_THRESHOLD`."""

NORA_F = finite_potential(24).subs(IOTA, IOTA_FINITE) + _martingale(H * (H + 1)) + TRACKING.subs(EPOCHS, EPOCHS_FINITE)
"""At kappa = `SWITCH_THRESHOLD`."""

GOLF = finite_potential(4).subs(IOTA, IOTA_FINITE) + _martingale(H * (H + 1))
"""Greedy actor, critic refreshed at each episode."""

# Offline data

LINEAR_WATER = sp.Symbol("Gamma", nonnegative=True)
"""Sum over h of sqrt(Gamma_h), Gamma_h the growth of the log-determinant online: see `linear_water_filling`."""

NORA_H = 4 * sp.sqrt(IOTA_HYBRID) * WATER + UNSEEN + _martingale(_BELOW / 2) + TRACKING
NORA_H_LINEAR = 2 * sp.sqrt(2 / sp.log(2)) * beta * sp.sqrt(T) * LINEAR_WATER + _martingale(H * (H + 1) / 2) + TRACKING
NOAH_T = T * COVERAGE + 2 * sp.sqrt(IOTA_HYBRID) * WATER + UNSEEN + _martingale(_BELOW) + TRACKING

NOAH_LINEAR = (
    T * COVERAGE + sp.sqrt(2 / sp.log(2)) * beta * sp.sqrt(T) * LINEAR_WATER + _martingale(H * (H + 1)) + TRACKING
)
"""beta is that of plain targets; C_off is the sum over h of E_{d*} min(B_h, beta ||phi||) in the offline norm."""

CONCENTRABILITY = sp.Symbol("c_star", positive=True)
"""max d*_h / mu_h."""


# Numbers


def lambert(actions: int) -> float:
    """Return W_A = W((A - 1) / e), the solution w of w e^w = (A - 1) / e, by Newton's method."""
    target = (actions - 1) / exp(1.0)
    w = log(1.0 + target)  # W(x) <= log(1 + x), and Newton's method descends from there
    for _ in range(50):
        step = (w - target * exp(-w)) / (1.0 + w)
        w -= step
        if abs(step) <= 1e-16 * (1.0 + w):
            break
    return w


def evaluate(expression: sp.Expr, **values: float) -> float:
    """Return an expression of this module at the values of its symbols, by name; W_A is derived from A if missing.

    Raises
    ------
    ValueError
        Naming the first symbol without a value.
    """
    if "W_A" not in values and "A" in values:
        values["W_A"] = lambert(int(values["A"]))
    names, function = _compiled(expression)
    missing = [name for name in names if name not in values]
    if missing:
        raise ValueError(f"no value for {missing[0]}")
    return float(function(*(values[name] for name in names)))


@cache
def _compiled(expression: sp.Expr) -> tuple[tuple[str, ...], Callable[..., float]]:
    symbols = sorted(expression.free_symbols, key=str)
    return tuple(map(str, symbols)), sp.lambdify(symbols, expression, modules=["math"])


def linear_radius(
    d: int, S: int | None, H: int, T: int, delta: float, lam: float = 1.0, *, bonus: bool = True
) -> float:
    """Return the least radius beta of the ridge regressions that covers its own targets, a fixed point.

    Parameters
    ----------
    S
        Number of states, for the smaller of the two nets; None for the net of weights and matrices.
    bonus
        Whether targets carry a bonus; without one the net does not depend on beta (NOAH).

    Raises
    ------
    ArithmeticError
        If the iteration does not settle.
    """
    values: dict[str, float] = {"d": d, "H": H, "T": T, "delta": delta, "lambda": lam, "beta": float(H)}
    for _ in range(200):
        net = evaluate(NET_WEIGHTS if bonus else NET_WEIGHTS_PLAIN, **values)
        values["C_V"] = net if S is None else min(net, evaluate(NET_STATES, S=S, **values))
        radius = evaluate(BETA_LINEAR, **values)
        if abs(radius - values["beta"]) <= 1e-14 * radius:
            return radius
        values["beta"] = radius
    raise ArithmeticError("the radius did not settle")


def _level(starts: Sequence[float], total: float) -> float:
    """Return nu with sum of (nu - start)_+ equal to ``total``."""
    ordered = sorted(starts)
    filled = 0.0
    for count, start in enumerate(ordered, start=1):
        filled += start
        level = (total + filled) / count
        if count == len(ordered) or level <= ordered[count]:
            return level
    raise ValueError("nothing to fill")


def water_filling(visits: Sequence[float], total: float) -> float:
    r"""Return G = max sum of sqrt(a + x - 1/2) - sqrt(a - 1/2) over x >= 0 of sum ``total``, a = max(visits, 1)."""
    starts = [max(a, 1.0) - 0.5 for a in visits]
    level = _level(starts, total)
    return fsum(sqrt(level) - sqrt(start) for start in starts if start < level)


def linear_water_filling(eigenvalues: Sequence[float], total: float) -> float:
    r"""Return Gamma = max sum of log(1 + x_i / lambda_i) over x >= 0 of sum ``total``."""
    level = _level(eigenvalues, total)
    return fsum(log(level / value) for value in eigenvalues if value < level)


def hybrid_epochs(visits: Sequence[Sequence[float]], total: float) -> float:
    """Return the largest number of epochs of NORA-H; ``visits`` are those of the stages 1, ..., H - 1."""
    pairs = [a for stage in visits for a in stage]
    return 1.0 + fsum(log((a + total) / max(a, 1.0)) / log(2.0) + (a == 0.0) for a in pairs)


def hybrid_water(visits: Sequence[Sequence[float]], total: float) -> float:
    """Return the sum over h of (H - h) G_h; ``visits`` are those of all H stages."""
    left = len(visits) - 1
    return fsum((left - h) * water_filling(stage, total) for h, stage in enumerate(visits) if h < left)


def hybrid_unseen(visits: Sequence[Sequence[float]]) -> float:
    """Return the sum over h of (H - h) times the number of pairs without a visit."""
    left = len(visits) - 1
    return fsum((left - h) * sum(a == 0.0 for a in stage) for h, stage in enumerate(visits))


def coverage(occupancy: Sequence[Sequence[float]], visits: Sequence[Sequence[float]], iota: float) -> float:
    """Return C_off = sum of d*_h(s, a) (H - h) min(1, sqrt(iota / (2 n))), n = 0 counting as 1."""
    left = len(visits) - 1
    return fsum(
        mass * (left - h) * (min(1.0, sqrt(iota / (2.0 * a))) if a > 0 else 1.0)
        for h, (law, stage) in enumerate(zip(occupancy, visits, strict=True))
        for mass, a in zip(law, stage, strict=True)
    )
