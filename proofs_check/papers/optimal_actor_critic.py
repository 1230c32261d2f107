r"""Checks of the tables of the optimistic actor-critics: where bounds begin to say something, and sample sizes.

*First T.* The bound of a claim is evaluated in ball arithmetic: at the first T it lies below H T, and the integers
before are covered by intervals on which it lies above. An interval is a ball of values of T, so that all of its
integers are decided at once; intervals that are too wide for the balls to be told apart are halved. No monotonicity is
assumed.

*The radius of the linear bound* is the smallest root above H of a map F that increases in beta. Iterates of F from H
are below the root; a point that F does not move up is above it. Both are computed at the ends of an interval of T, in
which F increases too, and enclose the radius at every T in between.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any

import sympy as sp
from flint import arb, fmpq

from proofs_check.engine import Check, Mutant
from proofs_check.expressions import UndefinedValueError, evaluate
from proofs_check.methods.balls import BallComparison, Balls
from proofs_check.methods.base import Tier
from proofs_check.methods.symbolic import Identity, Order, Symbolic
from theory import optimal_actor_critic as theory
from theory import optimal_actor_critic_parameters as parameters
from theory import optimal_actor_critic_tables as tables
from theory import ucbvi
from theory.claim import Claim
from theory.symbols import A, H, K, S, T, beta, d, delta, epsilon, eta, lam

CLAIMS: Mapping[str, Claim] = {claim.id.split(".")[1]: claim for claim in theory.CLAIMS}

PRECISION = 128
"""Bits of the balls."""

HALF_PERCENT = fmpq(201, 200)

FAILURE = fmpq(1, 20)
"""delta and delta'."""


@dataclass(frozen=True)
class Crossing:
    """The first T at which a bound is at most T times a value of one episode.

    Parameters
    ----------
    radius
        Returns balls of further symbols for a ball of T.
    """

    bound: sp.Expr
    values: Mapping[sp.Symbol, Any]
    value: Any
    first: int
    radius: "Callable[[Any], Mapping[sp.Symbol, Any]]" = field(default=lambda episodes: {})

    def at(self, low: int, high: int) -> tuple[Any, Any]:
        """Return balls that hold both sides for every T from ``low`` to ``high``."""
        episodes = arb(low).union(arb(high)) if low < high else arb(low)
        point = {**self.values, **self.radius(episodes), T: episodes}
        return evaluate(self.bound, point, PRECISION), self.value * episodes


def crossing(row: Crossing, *, shift: int = 0, scale: Any = 1) -> Iterator[BallComparison]:
    """Compare bound and trivial value at the first T, and on intervals that cover all integers before it, downwards.

    On an interval the largest trivial value is compared with the smallest value of the bound. Intervals double in
    length while the two can be told apart.
    """
    first = row.first + shift
    bound, trivial = row.at(first, first)
    at_first = BallComparison(scale * bound, trivial, "<=", f"T = {first}")
    yield at_first
    high, length, decided = first - 1, 1, bool(at_first.lhs <= at_first.rhs)
    while high >= 1 and decided:
        low = max(1, high - length + 1)
        try:
            bound, trivial = row.at(low, high)
            decided = bool(scale * bound > trivial)
        except UndefinedValueError:
            if low == high:
                raise
            decided = False
        if decided or low == high:
            where = f"T from {low} to {high}"
            yield BallComparison(_exact(trivial.upper()), _exact((scale * bound).lower()), "<=", where)
            high, length = low - 1, 2 * length
        else:
            length, decided = max(1, (high - low + 1) // 2), True


def _exact(ball: Any) -> Any:
    return arb(ball.mid())


def lambert_ball(n_actions: int) -> Any:
    """Return the tracking constant W((A - 1) / e)."""
    return (arb(n_actions - 1) / arb.const_e()).lambertw()


def sizes(n_actions: int, horizon: int, **more: int) -> dict[sp.Symbol, Any]:
    """Return the values of the symbols that all bounds share."""
    shared = {A: n_actions, H: horizon, **{{"S": S, "d": d}[name]: size for name, size in more.items()}}
    exact = {symbol: fmpq(size) for symbol, size in shared.items()}
    return {**exact, delta: FAILURE, parameters.DELTA_PRIME: FAILURE, parameters.W: lambert_ball(n_actions)}


TUNED = parameters.RATE_EPOCHS.subs(parameters.EPOCHS, parameters.EPOCHS_TABULAR)

RATES: Mapping[str, sp.Expr] = {
    "eta = 10": sp.Integer(10),
    "eta = 1": sp.Integer(1),
    "eta for its epochs": TUNED,
    "eta for one epoch": parameters.RATE_ONE_EPOCH,
}


def bound_of(name: str) -> sp.Expr:
    """Return the right side of the bound of a claim."""
    return CLAIMS[name].explicit_bound.rhs


def tabular_rows() -> dict[str, Callable[[], Crossing]]:
    """Return the rows of the tabular table."""
    rows: dict[str, Callable[[], Crossing]] = {}
    for row in tables.TABULAR:
        values, place = sizes(row.A, row.H, S=row.S), f"({row.S}, {row.A}, {row.H})"
        for (label, rate), first in zip(RATES.items(), row.nora, strict=True):
            nora = bound_of("nora_tabular_regret").subs(eta, rate)
            rows[f"NORA {place}, {label}"] = partial(Crossing, nora, values, row.H, first)
        douhua = bound_of("douhua_tabular_regret")
        rows[f"DOUHUA {place}"] = partial(Crossing, douhua, values, row.H, row.douhua)
    return rows


def pac_rows() -> dict[str, Callable[[], Crossing]]:
    """Return the rows of the table of sample sizes."""
    nora = bound_of("nora_tabular_regret").subs(eta, 10)
    return {
        f"({row.S}, {row.A}, {row.H}), epsilon = {accuracy}": partial(
            Crossing,
            nora,
            sizes(row.A, row.H, S=row.S),
            fmpq(Fraction(accuracy).numerator, Fraction(accuracy).denominator),
            first,
        )
        for row in tables.PAC
        for accuracy, first in zip(tables.ACCURACIES, row.episodes, strict=True)
    }


# The linear bound


RADII: Mapping[str, sp.Expr] = {
    "functions": parameters.BETA_LINEAR.subs(parameters.NET, parameters.NET_STATES).subs(lam, 1),
    "weights": parameters.BETA_LINEAR.subs(parameters.NET, parameters.NET_WEIGHTS).subs(lam, 1),
}
"""F(beta) for both nets of targets."""

MOVED = arb(2) ** -40
"""Iterates that rise by less, relatively, have arrived; on an interval of T, by less than a part of its width."""

PART = 2**10
"""That part: the radius moves by less than the interval, relatively, and its ends need not be much closer."""


def radius_ball(episodes: Any, values: Mapping[sp.Symbol, Any], net: str) -> dict[sp.Symbol, Any]:
    """Return a ball that holds the radius at every T of a ball.

    Raises
    ------
    UndefinedValueError
        If F moves a point slightly above the iterates up: they have not come close enough to the root.
    """
    first, last = _exact(episodes.lower()), _exact(episodes.upper())
    width = _exact((last - first) / (PART * last))
    moved_by = width if width > MOVED else MOVED
    lowest = _iterates(first, values, net, arb(values[H]), moved_by)
    highest = _iterates(last, values, net, lowest, moved_by)
    above = _exact(highest * (1 + 64 * moved_by))
    moved = evaluate(RADII[net], {**values, T: last, beta: above}, PRECISION)
    if not moved <= above:
        raise UndefinedValueError(f"the radius of the net of {net} is not enclosed")
    return {beta: lowest.union(above)}


def _iterates(episodes: Any, values: Mapping[sp.Symbol, Any], net: str, point: Any, moved_by: Any) -> Any:
    """Return F applied to a point below the root until it hardly moves, rounded down at each step: below the root."""
    moves = True
    while moves:
        following = _exact(evaluate(RADII[net], {**values, T: episodes, beta: point}, PRECISION).lower())
        moves = bool(following > point * (1 + moved_by))
        point = following
    return point


def linear_rows() -> dict[str, Callable[[], Crossing]]:
    """Return the rows of the linear table."""
    nora = bound_of("nora_linear_regret").subs(eta, 10)
    rows: dict[str, Callable[[], Crossing]] = {}
    for row in tables.LINEAR:
        values = sizes(row.A, row.H, S=row.S, d=row.d)
        for net, first in (("functions", row.functions), ("weights", row.weights)):
            radius = partial(radius_ball, values=values, net=net)
            rows[f"({row.d}, {row.S}, {row.A}, {row.H}), net of {net}"] = partial(
                Crossing, nora, values, row.H, first, radius
            )
    return rows


# Finite classes and UCBVI-CH


def finite_rows() -> dict[str, Callable[[], Crossing]]:
    """Return the rows of the table of finite classes."""
    rows: dict[str, Callable[[], Crossing]] = {}
    for row in tables.FINITE:
        horizon, pairs = len(row.sizes), row.S * row.A
        coupled = sum(left * right for left, right in zip(row.sizes, (*row.sizes[1:], 1), strict=True))
        for position, (label, first) in enumerate((("every stage", pairs), ("the first stage", row.A))):
            values = {
                **sizes(row.A, horizon),
                parameters.PAIRS: fmpq(coupled),
                parameters.D_FIRST: fmpq(first),
                d: fmpq(pairs),
            }
            for name, numbers in (("nora_finite_regret", row.nora), ("golf_regret", row.golf)):
                place = f"{name.split('_')[0]} {row.sizes}, dimension {first} at {label}"
                bound = bound_of(name).subs(eta, 10)
                rows[place] = partial(Crossing, bound, values, horizon, numbers[position])
    return rows


def baseline_rows() -> dict[str, Callable[[], Crossing]]:
    """Return the rows of UCBVI-CH."""
    bound = ucbvi.CHERNOFF_HOEFFDING_REGRET.subs(K, T)
    return {
        f"UCBVI-CH ({row.S}, {row.A}, {row.H})": partial(Crossing, bound, sizes(row.A, row.H, S=row.S), row.H, first)
        for row, first in zip(tables.TABULAR, tables.CHERNOFF_HOEFFDING, strict=False)
    }


def sample_size(*, factor: sp.Expr = sp.Integer(24)) -> Identity:
    """Return that the square of the main term is T epsilon^2 times the stated number of trajectories, for every T.

    Divided by T that is the equivalence, for both sides of "main term <= epsilon T" are positive.
    """
    iota = parameters.IOTA
    episodes = factor * d * H**4 * (1 + 1 / H) ** 2 * iota / epsilon**2
    main = H * (H + 1) / 2 * 2 * sp.sqrt(24 * d * iota * T)
    return Identity(main**2, T * epsilon**2 * episodes)


def scalings(*, factor: sp.Expr = sp.S.One, lag: sp.Expr = sp.S.One) -> dict[str, Order]:
    """Return the three limits, for T beyond the number of epochs.

    Parameters
    ----------
    factor, lag
        Of the constants of the critic's part, and of that of tracking.
    """
    potential = parameters.NORA_T_POTENTIAL.subs(parameters.IOTA, parameters.IOTA_TABULAR)
    epochs = next(part for part in parameters.EPOCHS_TABULAR.args if part != T)
    tracked = parameters.TRACKING.subs(parameters.EPOCHS, epochs)
    many_states = factor * 2 * H * (H - 1) * sp.sqrt(A * T * sp.log(2)) + A * H * (H - 1) / 2
    orders = {
        "episodes": Order(potential, sp.sqrt(T * sp.log(T)), T, "~", factor * 2 * H * (H - 1) * sp.sqrt(S * A)),
        "states": Order(potential, S, S, "~", many_states),
        "tracking": Order(tracked, sp.log(T) ** 2, T, "~", lag * H * parameters.W / eta * (H - 1) * S * A / sp.log(2)),
    }
    small = {A: 2, H: 3, S: 2, T: 1_000, delta: sp.Rational(1, 20), eta: 1, parameters.W: 1}
    return orders | {f"{name}, small": _at(order, small) for name, order in orders.items()}


def _at(order: Order, values: Mapping[sp.Symbol, Any]) -> Order:
    """Return an order with numbers for all symbols but the one that grows: a false constant is then refuted."""
    others = {symbol: value for symbol, value in values.items() if symbol != order.symbol}
    constant = None if order.constant is None else order.constant.subs(others)
    return Order(order.expr.subs(others), order.other.subs(others), order.symbol, order.kind, constant)


CROSSINGS = (
    Mutant("later", "the first T is one later", {"shift": 1}),
    Mutant("earlier", "the first T is one earlier", {"shift": -1}),
    Mutant("half_percent_more", "a bound that is half a percent larger bites later", {"scale": HALF_PERCENT}),
)


def _table(name: str, rows: Mapping[str, Callable[[], Crossing]]) -> Check:
    return Check(f"{theory.FAMILY}.{name}", Balls(rows), crossing, CROSSINGS)


CHECKS = (
    _table("nonvacuous_tabular", tabular_rows()),
    _table("nonvacuous_linear", linear_rows()),
    _table("nonvacuous_finite", finite_rows()),
    _table("nonvacuous_baseline", baseline_rows()),
    _table("pac_episodes", pac_rows()),
    Check(
        f"{theory.FAMILY}.finite_sample_size",
        Symbolic(),
        sample_size,
        (Mutant("less", "23 instead of 24", {"factor": sp.Integer(23)}),),
    ),
    Check(
        f"{theory.FAMILY}.nora_tabular_scalings",
        Symbolic(),
        scalings,
        (
            Mutant("less", "99/100 of the constants", {"factor": sp.Rational(99, 100)}),
            Mutant("less_tracking", "99/100 of the constant of tracking", {"lag": sp.Rational(99, 100)}),
        ),
        tier=Tier.FULL,
    ),
)
