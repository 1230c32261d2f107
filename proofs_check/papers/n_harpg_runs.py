r"""Checks of the explicit bounds: the recursions that they solve, and runs with exact values and gradients.

*Recursions.* The bounds of the optimality gap are compared with the worst case of the recursions that they come from,
for any constants. No run is asked to confirm them: on the whole space they are vacuous (`n_harpg.vacuity`).

*Runs.* What a run can test is local: the bound for N-HARPG started near an optimum, with the constants of a ball that
it cannot leave; and exponents, on the Cauchy bandit, whose noise persists at the optimum.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import sympy as sp

from mdps.continuous import CauchyBandit, LogisticOracle
from mdps.tabular import DiscountedMDP
from mdps.validation import FloatArray
from proofs_check.engine import Check, Control, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.montecarlo import Expectation, MonteCarlo, Sample
from proofs_check.methods.rates import Rates
from proofs_check.methods.search import Box, Maximiser, Search, Space, Stochastic
from proofs_check.papers.n_harpg_errors import CLAIMS, prescribed_path
from solvers import n_harpg as algorithms
from solvers.n_harpg_exact import FiniteWorld, compatible_fit
from solvers.n_harpg_parameters import schedule_of
from solvers.n_harpg_policies import ring_policy, softmax_policy
from theory import n_harpg as theory
from theory.symbols import T

BANDIT = CauchyBandit()


# Recursions


@dataclass(frozen=True)
class Constants:
    """Constants of a recursion and the number of its steps."""

    values: Mapping[str, float]
    iterations: int
    levels: tuple[float, ...] = ()

    def bound(self, name: str, **changes: float) -> float:
        """Return the bound of a claim."""
        values = {**self.values, "C_2": 1.0 + self.values["c"], **changes}
        return CLAIMS[name].explicit_bound.evaluate(**values, T=self.iterations)


def constants(iterations: Any, levels: FloatArray | None = None, **values: Any) -> Constants:
    """Return drawn constants."""
    found = {**DEFAULTS, **{name: float(value) for name, value in values.items()}}
    found["scale"] = 1.0 / (found["c"] * found["kappa"])
    return Constants(found, int(iterations), () if levels is None else tuple(float(level) for level in levels))


@functools.cache
def compiled(expression: sp.Expr) -> tuple[tuple[str, ...], Callable[..., FloatArray]]:
    """Return the names of the constants of an expression in t, and its values for given t and constants."""
    symbols = sorted(expression.free_symbols - {theory.t}, key=lambda symbol: symbol.name)
    return tuple(symbol.name for symbol in symbols), sp.lambdify((theory.t, *symbols), expression, modules=["numpy"])


def along(expression: sp.Expr, t: FloatArray, values: Mapping[str, float]) -> FloatArray:
    """Return the values of an expression of the theory at iterations t."""
    names, function = compiled(expression)
    return np.asarray(np.broadcast_to(function(t, *(values[name] for name in names)), t.shape), dtype=np.float64)


ERRORS = {
    "n_harpg": sp.sqrt(theory.HARPG_ERROR),
    "n_pg_igt": theory.IGT_ERROR,
    "n_pg_m": theory.MOMENTUM_ERROR,
}
"""Bounds of E||e_t|| that the recursions of the gaps use."""


def normalised_gap(
    instance: Constants, *, name: str, factor: float = 1.0, less: str = "", step_term: float = 1.0
) -> Comparison:
    """Solution of the recursion of the gap against its bound.

    A mutant takes ``factor`` times the bound, the bound at 0.99 of the constant ``less``, or ``step_term`` times its
    last term.
    """
    v, count = instance.values, instance.iterations
    t = np.arange(count, dtype=float)
    step = along(theory.SCHEDULES[name].step, t, v)
    added = (1.0 + v["c"]) * step * (along(ERRORS[name], t, v) + v["D"]) + 0.5 * v["L_g"] * step**2
    added += v["c"] * v["kappa"] * v["b"] * step
    gap = 0.0
    for keep, more in zip((1.0 - v["c"] * v["kappa"] * step).tolist(), added.tolist(), strict=True):
        gap = keep * gap + more
    bound = instance.bound(name, **({less: 0.99 * v[less]} if less else {}))
    if step_term != 1.0:
        last = theory.STEP_TERM.subs({theory.L_g: v["L_g"], theory.scale: v["scale"], T: count})
        bound -= (1.0 - step_term) * float(last)
    return Comparison(gap, factor * bound, where=f"T={count}")


def plain_gap(instance: Constants, *, factor: float = 1.0) -> Comparison:
    """Largest gap that the recursion of the plain gradient allows, from infinity, against its bound."""
    v, count = instance.values, instance.iterations
    gap = math.inf
    for step in along(theory.SCHEDULES["pg"].step, np.arange(count, dtype=float), v).tolist():
        rate = step * v["kappa"] ** 2
        at = min(gap, 0.5 / rate)
        gap = at - rate * at * at + 0.5 * v["L_g"] * (step * v["sigma_g"]) ** 2
    return Comparison(gap, factor * instance.bound("pg"), where=f"T={count}")


def harpg_gap(instance: Constants, *, factor: float = 1.0) -> Comparison:
    """Gap and error of HARPG against an adversary that chooses ||d_t||^2, from t = 1, against the bound.

    gamma_0 = 0.39 / B_2^(1/2) and L_g = B_2^(1/2), the largest that is possible; the levels are those of the
    adversary, in parts of what keeps the gap nonnegative, over equal parts of log t.
    """
    v, count = dict(instance.values), instance.iterations + 1
    first = float(theory.HARPG_STEP_LIMIT) / math.sqrt(v["B_2"])
    smooth, noise, square = math.sqrt(v["B_2"]), v["sigma_g"] ** 2, v["kappa"] ** 2
    gap, error = v["delta_0"], v["V_0"]
    start = gap + 2.0 * first * math.sqrt(3.0 / 2.0) * error
    times = np.arange(1.0, count + 1.0)
    schedule, weights = theory.SCHEDULES["harpg"], along(theory.SCHEDULES["harpg"].momentum, times, v).tolist()
    steps = along(schedule.step, times, {"gamma_0": first}).tolist()
    for t, step, after in zip(range(1, count), steps, weights[1:], strict=False):
        at = min(gap, 1.0 / (step * square))
        free = at - 0.5 * step * square * at * at + step * error
        part = instance.levels[min(int(len(instance.levels) * math.log(t) / math.log(count)), len(instance.levels) - 1)]
        cost = 0.5 * step * (1.0 - smooth * step)
        length = part * free / cost
        gap = free - cost * length
        error = (1.0 - after) ** 2 * (error + v["B_2"] * step**2 * length) + after**2 * noise
    values = {**v, "gamma_0": first, "Lambda_1": start}
    return Comparison(
        gap, factor * replace(instance, values=values, iterations=count).bound("harpg"), where=f"T={count}"
    )


POSITIVE = Box(0.05, 20.0, log=True)
COMMON: dict[str, Any] = {"iterations": Box(1.0, 3_000.0, log=True), "kappa": POSITIVE, "sigma_g": POSITIVE}
FREE: dict[str, Any] = {"c": Box(0.1, 1.0), "b": Box(0.0, 2.0), "D": Box(0.0, 2.0)}
DEFAULTS: dict[str, float] = {"c": 1.0, "b": 0.0, "D": 0.0}
LONG: dict[str, float] = {**DEFAULTS, "kappa": 1.0, "scale": 1.0, "sigma_g": 1.0, "L_g": 1e-6, "L_h": 0.0, "B_2": 1.0}


def gap_check(
    name: str, statement: Callable[..., Comparison], corner: Constants, least: float, *mutants: Mutant, **blocks: Any
) -> Check:
    """Return the check of a closed form; ``least`` is a factor that is too small for the corner."""
    space = Space(**{**COMMON, **blocks})
    corners = {
        "many steps": lambda: corner,
        "no noise": lambda: Constants({**corner.values, "sigma_g": 0.0, "B_2": 0.0, "L_g": 1.0}, 2_000),
        "floor": lambda: Constants({**corner.values, "sigma_g": 0.0, "B_2": 0.0, "L_g": 0.0, "b": 1.0, "D": 1.0}, 50),
    }
    return Check(
        f"n_harpg.{name}",
        Search(
            maximise=Maximiser(space, constants, Sizes(2, 16, 64), Sizes(60, 600)),
            corners=corners if mutants else {"many steps": lambda: corner},
        ),
        statement,
        (Mutant("constant", f"{least:g} times the bound", {"factor": least}), *mutants),
        name="recursion",
    )


FLOOR = (
    Mutant("truncation", "0.99 of what the finite horizon cuts off", {"less": "D"}),
    Mutant("bias", "0.99 of the bias", {"less": "b"}),
)
STEP_TERM = Mutant("step_term", "0.99 of the last term", {"step_term": 0.99})


# Vacuity


@dataclass(frozen=True, eq=False)
class Ring:
    """A model with three actions and a ring policy, the same in all of its states."""

    transitions: FloatArray
    rewards: FloatArray
    discount: float

    @property
    def world(self) -> FiniteWorld:
        """The model with its family."""
        return FiniteWorld(DiscountedMDP(self.transitions, self.rewards, self.discount), ring_policy(len(self.rewards)))


def ring(transitions: FloatArray, rewards: FloatArray, discount: Any) -> Ring:
    """Return a drawn model."""
    return Ring(transitions, rewards, float(discount))


def one_action_pays() -> Ring:
    """Return the bandit on which the bias is exactly what it must be."""
    return Ring(np.ones((1, 3, 1)), np.array([[1.0, 0.0, 0.0]]), 0.0)


def least_value(world: FiniteWorld) -> FloatArray:
    """Return the parameter of least value, ``(1,)``: a grid, then Newton's method."""
    grid = np.linspace(-np.pi, np.pi, 721)[:, None]
    theta = grid[int(np.argmin(world.value(grid)))]
    for _ in range(8):
        curvature = float(world.hessian(theta)[0, 0])
        if curvature > 1e-9:
            theta = theta - world.gradient(theta) / curvature
    return theta


def ring_bias(instance: Ring, *, factor: float = 1.0, own: bool = False) -> Comparison:
    """Largest gap against the largest root of the bias over a few parameters, that of least value among them.

    The comparator is an optimal policy; a gap that is only rounding counts as none. ``own``: the error of the fit under
    the policy itself, which is not enough.
    """
    world, gamma = instance.world, instance.discount
    least = least_value(world)
    fits = [compatible_fit(world, least + turn) for turn in (0.0, 1.0, 2.5, 4.0)]
    largest = math.sqrt(max(fit.fitting_error if own else fit.bias for fit in fits))
    if fits[0].gap < 1e-7:
        return Comparison(0.0, factor * largest)
    return Comparison(fits[0].gap, factor * largest / (1.0 - gamma), tolerance=1e-9)


# The local theorem


@dataclass(frozen=True)
class Ball:
    """N-HARPG on the Cauchy bandit from 0.6, with the constants of |theta| <= R, offset tau_0 = B_0 and c = ascent."""

    radius: float
    offset: float
    first: float = 0.6
    ascent: float = 1.0

    @property
    def kappa(self) -> float:
        """Domination constant of the ball."""
        return float(theory.CAUCHY_DOMINATION.subs(theory.radius, self.radius))

    @property
    def iterations(self) -> int:
        """Largest T at which no run can have left the ball."""
        return int(self.offset * (math.exp(0.5 * self.ascent * self.kappa * (self.radius - self.first)) - 1.0))

    @property
    def first_gap(self) -> float:
        """delta_0."""
        return 0.5 - 2.0 / (4.0 + self.first**2)

    @property
    def largest_gap(self) -> float:
        """Gap at the border of the ball, which no run leaves."""
        return 0.5 - 2.0 / (4.0 + self.radius**2)

    def bound(self, factor: float | None = None) -> float:
        """Return the bound of the gap after T steps, with 1 + c (or ``factor``) times the error."""
        scale, weight = 1.0 / (self.ascent * self.kappa), 1.0 + self.ascent if factor is None else factor
        noise, square = float(theory.CAUCHY_NOISE), float(theory.CAUCHY_HESSIAN_MOMENT)
        u = np.arange(self.iterations) + self.offset
        added = np.where(
            np.arange(len(u)) > 0, 4.0 * (u - 1.0) ** 2 * noise + 4.0 * scale**2 * square * (u - 2.0) ** 2, 0.0
        )
        weighted = (u[0] - 1.0) ** 2 * u[0] ** 2 * noise / self.offset + np.cumsum(added)
        error = np.sqrt(weighted) / ((u - 1.0) * u)
        step = 2.0 * scale / u
        losses = u**2 * step * (weight * error + 0.5 * float(theory.CAUCHY_SMOOTHNESS) * step)
        values = {"b": 0.0, "T": self.iterations, "tau_0": self.offset, "delta_0": self.first_gap}
        return CLAIMS["local_gap"].explicit_bound.evaluate(**values, losses=float(losses.sum()))


def local_gap(ball: Ball, seeds: np.random.SeedSequence, runs: int, *, first: float = 1.0, pace: float = 1.0) -> Sample:
    """Exact gaps of independent runs against the bound; vacuous unless it is below the first gap."""
    values = {"c": ball.ascent, "kappa": ball.kappa, "tau_0": ball.offset}
    schedule = schedule_of("shifted", ball.iterations, first_batch=int(ball.offset), **values)
    run = algorithms.run_policy_gradient(
        BANDIT,
        algorithms.N_HARPG,
        replace(schedule, steps=pace * schedule.steps, first_weight=first),
        1,
        ball.iterations,
        runs,
        seeds,
        start=[ball.first],
        record=1,
    )
    rhs = ball.bound()
    return Sample(run.gaps[:, -1], rhs, vacuous=rhs >= ball.first_gap, support=(0.0, ball.largest_gap))


# Rates along a prescribed path, and in closed loop


def path_errors(
    iterations: int,
    seeds: np.random.SeedSequence,
    runs: int,
    *,
    method: algorithms.Method = algorithms.N_HARPG,
    powers: str = "n_harpg",
    eta_power: float | None = None,
) -> FloatArray:
    """Mean error of the simulated direction over the last period of the path, which is one in the logarithm of t.

    The weights have the powers of the named schedule, unless a mutant has another power.
    """
    path = prescribed_path(iterations)[:, None]
    record = np.unique(np.geomspace(iterations * math.exp(-math.pi), iterations, 24).astype(np.int64))
    schedule = schedule_of(powers, iterations, scale=1.0)
    if eta_power is not None:
        schedule = algorithms.power_schedule(iterations, 1.0, 1.0, eta_power)
    run = algorithms.run_policy_gradient(
        BANDIT, method, schedule, 1, iterations, runs, seeds, path=path, record=record.tolist()
    )
    return run.errors.mean(axis=1)


def path_rate(name: str, claimed: float, tier: Tier, *mutants: Mutant, **changes: Any) -> Check:
    """Return the check of the exponent of the error along the path."""
    budgets: Sizes[tuple[int, ...]] = Sizes((200, 640, 2_000, 6_400), (3_000, 10_000, 30_000, 100_000))
    return Check(
        f"n_harpg.{name}",
        Rates(claimed, "most", budgets, Sizes(40, 100)),
        partial(path_errors, **changes),
        mutants,
        name="simulated path",
        tier=tier,
    )


def mistaken(base: algorithms.Method, name: str, why: str, tier: Tier = Tier.FULL, **fields: Any) -> Mutant:
    """Return a mutant of a method."""
    return Mutant(name, why, {"method": replace(base, **fields)}, tier=tier)


PATH_CHECKS = (
    path_rate(
        "n_harpg_error",
        -1.0 / 2.0,
        Tier.QUICK,
        mistaken(
            algorithms.N_HARPG,
            "score_sign",
            "the score term is subtracted, as in public code",
            Tier.QUICK,
            score_factor=-1.0,
        ),
        mistaken(algorithms.N_HARPG, "dropped", "no correction", correction=algorithms.PG.correction),
        mistaken(algorithms.N_HARPG, "no_score", "the score term is dropped", score_factor=0.0),
        mistaken(
            algorithms.N_HARPG, "sign", "the whole correction is subtracted", score_factor=-1.0, curvature_factor=-1.0
        ),
    ),
    path_rate(
        "igt_error",
        -2.0 / 5.0,
        Tier.FULL,
        mistaken(algorithms.N_PG_IGT, "no_extrapolation", "the trajectory is sampled at theta_t", extrapolation=0.0),
        method=algorithms.N_PG_IGT,
        powers="n_pg_igt",
    ),
    path_rate(
        "momentum_error",
        -1.0 / 3.0,
        Tier.FULL,
        Mutant("slow", "weights (2 / (t + 2))^(9/10): the direction lags behind", {"eta_power": 0.9}),
        method=algorithms.N_PG_M,
        powers="n_pg_m",
    ),
)
"""The errors of the compiled estimators, where a mistake cannot hide; see `proofs_check.papers.n_harpg_errors`."""


@dataclass(frozen=True)
class Setting:
    """A method with the name of its schedule and the exponent of its claim; mutants have other powers."""

    method: algorithms.Method
    name: str
    claimed: float
    step_power: float | None = None
    eta_power: float | None = None

    def run(
        self, iterations: int, runs: int, seeds: np.random.SeedSequence | int, record: int = 1
    ) -> algorithms.PolicyGradientRun:
        """Run the method on the Cauchy bandit from 1/2 with first step 1/2."""
        schedule = schedule_of(self.name, iterations, scale=0.5, gamma_0=0.5)
        if self.step_power is not None:
            schedule = replace(schedule, steps=algorithms.power_schedule(iterations, 0.5, self.step_power, 0.0).steps)
        if self.eta_power is not None:
            schedule = replace(schedule, eta=algorithms.power_schedule(iterations, 0.5, 0.0, self.eta_power).eta)
        return algorithms.run_policy_gradient(
            BANDIT, self.method, schedule, 1, iterations, runs, seeds, start=[0.5], record=record
        )


SETTINGS: Mapping[str, Setting] = {
    "pg": Setting(algorithms.PG, "pg", -1.0 / 3.0),
    "n_pg_m": Setting(algorithms.N_PG_M, "n_pg_m", -1.0 / 3.0),
    "n_pg_igt": Setting(algorithms.N_PG_IGT, "n_pg_igt", -2.0 / 5.0),
    "harpg": Setting(algorithms.HARPG, "harpg", -1.0 / 2.0),
    "n_harpg": Setting(algorithms.N_HARPG, "n_harpg", -1.0 / 2.0),
}


def final_error(
    iterations: int, seeds: np.random.SeedSequence, runs: int, *, setting: Setting, gap: bool = False
) -> FloatArray:
    """Distance of the last direction from the gradient (or the last gap) of independent runs."""
    run = setting.run(iterations, runs, seeds)
    return (run.gaps if gap else run.errors)[:, -1]


def rate_check(
    name: str, *mutants: Mutant, gap: bool = False, tier: Tier = Tier.FULL, figure: Callable[[Tier], Json] | None = None
) -> Check:
    """Return the check of the exponent of one method."""
    setting = SETTINGS[name]
    budgets: Sizes[tuple[int, ...]] = Sizes((300, 1_000, 3_000, 10_000), (1_000, 3_200, 10_000, 32_000, 100_000))
    return Check(
        f"n_harpg.rate_{name}",
        Rates(setting.claimed, "most", budgets, Sizes(40, 600), resolution=0.04),
        partial(final_error, setting=setting, gap=gap),
        mutants,
        tier=tier,
        figure=figure,
    )


def instead(name: str, why: str) -> Mutant:
    """Return a mutant that runs a slower method."""
    return Mutant(name, why, {"setting": SETTINGS[name]}, tier=Tier.FULL)


LABELS = {"pg": "PG", "n_pg_m": "N-PG-M", "n_pg_igt": "N-PG-IGT", "harpg": "HARPG", "n_harpg": "N-HARPG"}


def slope_of(x: FloatArray, values: FloatArray) -> tuple[float, tuple[float, float]]:
    """Return the log-log slope of the means over runs on the last decade, with its jackknife interval (95 %)."""
    late = x >= x[-1] / 10.0
    weights = np.log(x[late]) - np.log(x[late]).mean()
    weights /= (weights**2).sum()
    means = values[:, late].mean(axis=0)
    slope = float(weights @ np.log(means))
    influence = ((values[:, late] - means) / means) @ weights
    width = 1.96 * float(influence.std()) / math.sqrt(len(values))
    return slope, (slope - width, slope + width)


def rate_figure(tier: Tier) -> Json:
    """Return mean gaps against trajectories, with slopes."""
    iterations, runs = (2_000, 30) if tier == Tier.QUICK else (30_000, 100)
    curves = []
    for name, setting in SETTINGS.items():
        run = setting.run(iterations, runs, 17, record=24)
        late = run.iterations >= 10
        x, gaps = run.trajectories[0, late].astype(float), run.gaps[:, late]
        slope, interval = slope_of(x, gaps)
        low, high = np.quantile(gaps, [0.1, 0.9], axis=0)
        curves.append(
            {
                "label": LABELS[name],
                "x": x,
                "y": gaps.mean(axis=0),
                "low": low,
                "high": high,
                "slope": slope,
                "interval": list(interval),
                "claimed": setting.claimed,
            }
        )
    return {
        "kind": "curves",
        "title": "Optimality gap against trajectories",
        "xlabel": "trajectories",
        "ylabel": "J* - E J(theta)",
        "xscale": "log",
        "yscale": "log",
        "caption": (
            f"Cauchy bandit from 1/2, first step 1/2, {runs} runs; slopes over the last decade with 95 % intervals. "
            "The gap is locally about the squared error of the direction, hence twice the exponent of the theorem."
        ),
        "curves": curves,
    }


# Without a Fisher-non-degenerate policy


def two_states() -> FiniteWorld:
    """Return two states and two actions, gamma = 9/10, with the tabular softmax."""
    kernel = [[[3 / 4, 1 / 4], [1 / 5, 4 / 5]], [[1 / 2, 1 / 2], [2 / 3, 1 / 3]]]
    mdp = DiscountedMDP(kernel, [[0.0, 1.0], [-0.5, 0.6]], 0.9, [2 / 3, 1 / 3])
    return FiniteWorld(mdp, softmax_policy(2, 2))


def stuck(name: str, seeds: np.random.SeedSequence, runs: int, *, step: float = 2.0, iterations: int = 1_000) -> Sample:
    """Gaps of a method with steps 2 step / (t + 2) from the uniform policy, H = 60, against two."""
    method, schedule = SETTINGS[name].method, schedule_of(name, iterations, scale=step)
    run = algorithms.run_policy_gradient(two_states(), method, schedule, 60, iterations, runs, seeds, record=1)
    return Sample(run.gaps[:, -1], 2.0)


STUCK = {LABELS[name]: partial(str, name) for name in ("n_harpg", "n_pg_igt")}


# Equivalences


def plain(method: algorithms.Method, name: str, eta_power: float, **changes: Any) -> tuple[FloatArray, FloatArray]:
    """Return parameters and directions of a method on the Cauchy bandit (or the noiseless oracle, for HARPG)."""
    exact = LogisticOracle(0.0, 0.0, exact_difference=True)
    world = exact if name == "oracle" else BANDIT
    schedule = algorithms.power_schedule(50, 0.5, 1.0, eta_power)
    run = algorithms.run_policy_gradient(
        world, replace(method, **changes), schedule, 1, 50, 2, 5, start=[0.5], record=range(51)
    )
    return run.parameters[..., 0], run.directions[..., 0]


def ascent(normalised: bool) -> tuple[FloatArray, FloatArray]:
    """Return parameters and gradients of exact gradient ascent on the logistic objective, with steps 1 / (t + 2)."""
    theta, found = 0.5, []
    for t in range(51):
        slope = 1.0 / (1.0 + math.exp(theta))
        found.append((theta, slope))
        theta += (1.0 if normalised else slope) / (t + 2.0)
    parameters, slopes = np.array(found).T
    return np.tile(parameters, (2, 1)), np.tile(slopes, (2, 1))


PAIRS: Mapping[str, tuple[str, algorithms.Method, Callable[[], tuple[FloatArray, FloatArray]]]] = {
    "N-PG-M": ("bandit", algorithms.N_PG_M, lambda: plain(algorithms.PG, "bandit", 0.0, normalised=True)),
    "N-PG-IGT": ("bandit", algorithms.N_PG_IGT, lambda: plain(algorithms.PG, "bandit", 0.0, normalised=True)),
    "N-HARPG": ("oracle", algorithms.N_HARPG, partial(ascent, True)),
}
"""Methods without momentum, their world, and what they are the same as."""


def equivalences(pair: str, *, momentum: float = 0.0, differences: bool = True) -> list[Comparison]:
    """Largest distance between two methods with eta = (2 / (t + 2))^momentum; HARPG keeps its own weights."""
    world, method, other = PAIRS[pair]
    sides = [(plain(method, world, momentum), other())]
    if world == "oracle":
        correction = algorithms.HARPG.correction if differences else algorithms.PG.correction
        sides.append((plain(algorithms.HARPG, world, 1.0, correction=correction), ascent(False)))
    gaps = [float(np.abs(left[k] - right[k]).max()) for left, right in sides for k in (0, 1)]
    return [Comparison(gap, 0.0, "==", tolerance=1e-12) for gap in gaps]


STALLED = replace(SETTINGS["n_harpg"], method=replace(algorithms.N_HARPG, score_factor=-1.0, curvature_factor=-1.0))

RATE_CHECKS = (
    rate_check(
        "pg",
        Mutant("long", "steps (2 / (t + 2))^(1/5) / 2", {"setting": replace(SETTINGS["pg"], step_power=0.2)}),
        gap=True,
    ),
    rate_check(
        "n_pg_m",
        instead("pg", "no momentum"),
        Mutant("heavy", "eta = (2 / (t + 2))^(1/5)", {"setting": replace(SETTINGS["n_pg_m"], eta_power=0.2)}),
    ),
    rate_check("n_pg_igt", instead("n_pg_m", "N-PG-M, whose rate is 1/3")),
    rate_check("harpg", instead("n_pg_igt", "N-PG-IGT, whose rate is 2/5")),
    rate_check(
        "n_harpg",
        instead("n_pg_igt", "N-PG-IGT, whose rate is 2/5"),
        Mutant("sign", "the whole correction is subtracted", {"setting": STALLED}),
        tier=Tier.QUICK,
        figure=rate_figure,
    ),
)

GAP_CHECKS = (
    gap_check(
        "n_harpg",
        partial(normalised_gap, name="n_harpg"),
        Constants(LONG, 20_000),
        0.99,
        *FLOOR,
        STEP_TERM,
        L_g=POSITIVE,
        B_2=POSITIVE,
        **FREE,
    ),
    gap_check(
        "n_pg_igt",
        partial(normalised_gap, name="n_pg_igt"),
        Constants(LONG, 20_000),
        0.99,
        *FLOOR,
        STEP_TERM,
        L_g=POSITIVE,
        L_h=POSITIVE,
        **FREE,
    ),
    gap_check(
        "n_pg_m",
        partial(normalised_gap, name="n_pg_m"),
        Constants(LONG, 20_000),
        0.99,
        *FLOOR,
        L_g=POSITIVE,
        **FREE,
    ),
    gap_check(
        "pg",
        plain_gap,
        Constants({**LONG, "L_g": 1.0, "gamma_0": 4.0 ** (-1.0 / 3.0)}, 20_000),
        0.97,
        L_g=POSITIVE,
        gamma_0=POSITIVE,
    ),
    gap_check(
        "harpg",
        harpg_gap,
        Constants({**LONG, "sigma_g": 1e-3, "delta_0": 2.0, "V_0": 0.0}, 10_000, (0.0,)),
        0.95,
        B_2=POSITIVE,
        delta_0=POSITIVE,
        V_0=POSITIVE,
        levels=Box(1e-4, 1.0, (4,), log=True),
    ),
)

CHECKS = (
    *GAP_CHECKS,
    Check(
        "n_harpg.vacuity_on_rings",
        Search(
            maximise=Maximiser(
                Space(transitions=Stochastic((2, 3), 2), rewards=Box(-1.0, 1.0, (2, 3)), discount=Box(0.0, 0.95)),
                ring,
                Sizes(1, 8, 64),
                Sizes(25, 150),
            ),
            corners={"one action pays": one_action_pays},
        ),
        ring_bias,
        (
            Mutant("factor", "0.99 times the bias", {"factor": 0.99}),
            Mutant("own", "the error of the fit under the policy itself", {"own": True}),
        ),
    ),
    Check(
        "n_harpg.local_gap",
        Expectation(
            lambda tier: {
                "R = 1.2, tau_0 = 10^4": partial(Ball, 1.2, 1e4),
                **({} if tier == Tier.QUICK else {"R = 2, tau_0 = 10^5": partial(Ball, 2.0, 1e5)}),
            },
            Sizes(80, 400),
            0.01,
            block=Sizes(40, 100),
        ),
        local_gap,
        (
            Mutant("frozen", "steps of a thousandth: the run stays where it is", {"pace": 1e-3}),
            Mutant("first_sign", "the first direction points the other way", {"first": -1.0}),
        ),
    ),
    *PATH_CHECKS,
    *RATE_CHECKS,
    Check(
        "n_harpg.large_steps",
        MonteCarlo(STUCK, Sizes(64, 240), 0.01, block=Sizes(64, 60), delta=0.2),
        stuck,
        (
            Control("small", "steps 1 / (t + 2)", {"step": 0.5}),
            Control(
                "small_and_long", "the same after 10000 steps", {"step": 0.5, "iterations": 10_000}, tier=Tier.FULL
            ),
        ),
    ),
    Check(
        "n_harpg.equivalences",
        Search(corners={name: partial(str, name) for name in PAIRS}),
        equivalences,
        (
            Mutant("momentum", "eta = (2 / (t + 2))^(1/2)", {"momentum": 0.5}),
            Mutant("no_differences", "HARPG without its correction", {"differences": False}),
        ),
    ),
)
