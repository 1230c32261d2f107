r"""Checks of what solvers learn: fits, extensions, closed loops, rates, and bounds for networks.

Fits come with a dual point, so that both ends of the optimum are known. Policies are compared at random states; the
loops of the learned policies are simulated, and every bound is evaluated with the constants of the claims that it
rests on.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from mdps.control import EnvelopePolicy, LinearPolicy, NormCost, demonstrate
from mdps.control_instances import (
    ControlInstance,
    arc_data,
    reflected_states,
    rotation,
    scalar_stable,
    scalar_unstable,
    thin_triangle,
)
from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.base import Sizes, Tier
from proofs_check.methods.convex import Cones, ConicProgram, propose
from proofs_check.methods.rates import Rates
from proofs_check.methods.search import Box, Maximiser, Search, Space
from proofs_check.papers.lipschitz_policies_certificates import CONTRACTION
from solvers import lipschitz_policies_networks as networks
from solvers.lipschitz_policies_duality import Regression, lipschitz_constant
from solvers.lipschitz_policies_extension import componentwise, kirszbraun, kirszbraun_error, mcshane
from solvers.lipschitz_policies_regression import (
    clipped_loss,
    graph_stretch,
    lipschitz_regression,
    saddle_point_dynamics,
)
from solvers.lipschitz_policies_simulation import simulate
from theory import lipschitz_policies as theory

CLAIMS = {claim.id.split(".")[1]: claim for claim in theory.CLAIMS}
DISCOUNT = 0.95


def cheap(build: Callable[..., object], space: Space) -> Maximiser:
    """Return a climb that is cheap at the quick tier."""
    return Maximiser(space, build, Sizes(2, 8), Sizes(40, 400))


# Fits


@dataclass(frozen=True, eq=False)
class Fit:
    """States ``(N, n)``, inputs ``(N,)``, a slope, further states ``(Q, n)``, and other inputs ``(N,)``."""

    points: FloatArray
    targets: FloatArray
    alpha: float
    queries: FloatArray
    others: FloatArray

    @cached_property
    def solved(self) -> Regression:
        """The best fit."""
        return lipschitz_regression(self.points, self.targets, self.alpha)

    @cached_property
    def path(self) -> FloatArray:
        """Positions of the samples along the path through them, ``(N,)``."""
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])


def scattered(points: FloatArray, targets: FloatArray, alpha: float, queries: FloatArray, others: FloatArray) -> Fit:
    """Return a fit with samples that are moved apart, so that no two of them coincide."""
    return Fit(points + 0.3 * np.arange(len(points))[:, None] * [1.0, 0.0], targets, alpha, queries, others)


FIT_SPACE = Space(
    points=Box(-1.0, 1.0, (8, 2)),
    targets=Box(-1.0, 1.0, (8,)),
    alpha=Box(0.05, 2.0),
    queries=Box(-1.5, 1.5, (6, 2)),
    others=Box(-1.0, 1.0, (8,)),
)


def arc_fit() -> Fit:
    """Return samples on an arc whose ends are close, with inputs that rise along it."""
    data = arc_data()
    ends = data.states[[0, -1]]
    return Fit(data.states, data.inputs[:, 0], 1.0, ends, data.inputs[::-1, 0].copy())


def triangle_fit() -> Fit:
    """Return a thin triangle with a constant that its data meet, and states inside."""
    data = thin_triangle()
    alpha = lipschitz_constant(data.states, data.inputs)
    queries = np.array([[0.0, 0.0], [0.0, 0.05], [0.0, 0.1]])
    return Fit(data.states, data.inputs[:, 0], alpha, queries, np.zeros(3))


FITS = {"arc": arc_fit, "thin triangle": triangle_fit}


def extend(case: Fit, values: FloatArray, rule: str) -> FloatArray:
    """Return a policy at the samples and the queries, ``(N + Q,)``.

    ``central``: mean of the envelopes; ``nearest``: the value of the nearest sample; ``triangle``: linear on the
    triangle of the first three samples, elsewhere central.
    """
    states = np.concatenate([case.points, case.queries])
    if rule == "nearest":
        gaps = np.linalg.norm(states[:, None] - case.points[None], axis=2)
        return values[gaps.argmin(axis=1)]
    if rule == "triangle" and len(case.points) == 3:
        corners = np.concatenate([case.points.T, np.ones((1, 3))])
        weights = np.linalg.solve(corners, np.concatenate([states.T, np.ones((1, len(states)))]))
        return np.asarray(values @ weights)
    return mcshane(case.points, values, case.alpha, states)[:, 0]


def erm_reduction(case: Fit, *, rule: str = "central", neighbours: bool = False) -> Iterator[Comparison]:
    """Slopes and loss of the extended fit, and losses of other Lipschitz policies, against both ends of the optimum.

    ``neighbours``: the fit with constraints along the path through the samples only.
    """
    solved = lipschitz_regression(case.path, case.targets, case.alpha) if neighbours else case.solved
    policy = extend(case, solved.values[:, 0], rule)
    states = np.concatenate([case.points, case.queries])
    size = len(case.points)
    loss = float(((policy[:size] - case.targets) ** 2).sum()) / (2 * size)
    yield Comparison(loss, solved.upper, "==", where="loss of the extension", tolerance=1e-8)
    for i, j in itertools.combinations(range(len(states)), 2):
        gap = case.alpha * float(np.linalg.norm(states[i] - states[j]))
        yield Comparison(abs(float(policy[i] - policy[j])), gap, where=f"slope {i} {j}", tolerance=1e-8)
    other = lipschitz_regression(case.points, case.others, case.alpha).values[:, 0]
    rival = float(((other - case.targets) ** 2).sum()) / (2 * size)
    yield Comparison(solved.lower, rival, where="another policy")
    yield Comparison(solved.upper, solved.lower, where="duality gap", tolerance=1e-8)


def training_loss(case: Fit, *, slope: float = 1.0) -> Iterator[Comparison]:
    """Tangents of the loss at alpha against its values elsewhere, and the difference quotient."""
    here = case.solved
    for factor in (0.5, 0.99, 1.01, 2.0):
        there = lipschitz_regression(case.points, case.targets, factor * case.alpha)
        tangent = here.lower + slope * here.slope * (factor - 1.0) * case.alpha
        yield Comparison(tangent, there.upper, where=f"tangent against {factor} alpha", tolerance=1e-8)


def noise_projection(case: Fit, *, factor: float = 1.0) -> Iterator[Comparison]:
    """Distance of the fits to two sets of inputs against their inner product with the inputs."""
    first = case.solved.values[:, 0]
    second = lipschitz_regression(case.points, case.others, case.alpha).values[:, 0]
    moved = first - second
    inner = float((case.targets - case.others) @ moved)
    yield Comparison(float(moved @ moved), factor * inner, where="two fits", tolerance=1e-7)


def spanner(case: Fit, *, stretched: bool = True) -> Iterator[Comparison]:
    """Loss with the constraints of the path, at alpha and at alpha over its stretch."""
    pairs = np.stack([np.arange(len(case.points) - 1), np.arange(1, len(case.points))], axis=1)
    stretch = graph_stretch(case.points, pairs) if stretched else 1.0
    loose = lipschitz_regression(case.path, case.targets, case.alpha)
    tight = lipschitz_regression(case.path, case.targets, case.alpha / stretch)
    yield Comparison(loose.lower, case.solved.upper, where="path against all pairs")
    yield Comparison(case.solved.lower, tight.upper, where="all pairs against the path at alpha / stretch")


def random_fit(seed: int) -> Fit:
    """Return twenty samples in the plane."""
    rng = np.random.default_rng(seed)
    points, targets = rng.normal(size=(20, 2)), rng.normal(size=20)
    return Fit(points, targets, 0.7, np.zeros((0, 2)), targets)


def saddle_point(case: Fit, *, extragradient: bool = True) -> Comparison:
    """Distance of the iterate from the best fit."""
    values, _ = saddle_point_dynamics(
        case.points, case.targets, case.alpha, iterations=1000, step=0.5, extragradient=extragradient
    )
    return Comparison(float(np.abs(values - case.solved.values).max()), 1e-6, tolerance=0.0)


def loss_figure(tier: Tier) -> Json:
    """Training loss against alpha on mirrored data: solved, and in closed form."""
    del tier
    rng = np.random.default_rng(7)
    curves = []
    for label, gain in (
        ("n = 2, m = 1", np.array([[1.5, 0.5]])),
        ("n = 2, m = 2", np.array([[1.6, 0.4], [-0.2, 0.9]])),
    ):
        points = reflected_states(gain, rng.normal(size=(3, 2)))
        grid = np.linspace(0.0, 2.0, 13)
        solved = [lipschitz_regression(points, points @ gain.T, float(alpha)).upper for alpha in grid]
        exact = [clipped_loss(points, gain, float(alpha)) for alpha in grid]
        curves.append({"label": label, "x": grid, "y": solved, "bound": exact, "style": "points"})
    return {
        "kind": "curves",
        "title": "Training loss against the Lipschitz constant",
        "xlabel": "alpha",
        "ylabel": "training loss",
        "xscale": "linear",
        "yscale": "linear",
        "caption": "Linear experts on mirrored data: cone programmes (points) and clipped singular values (dashed).",
        "curves": curves,
    }


# Extensions of vectors


@dataclass(frozen=True, eq=False)
class Vectors:
    """States ``(N, 2)``, values ``(N, 2)`` and queries ``(Q, 2)``; the constant is that of the data."""

    points: FloatArray
    values: FloatArray
    queries: FloatArray

    @property
    def alpha(self) -> float:
        """Largest slope between samples, at least 1e-6."""
        return max(lipschitz_constant(self.points, self.values), 1e-6)


def apart(points: FloatArray, values: FloatArray, queries: FloatArray) -> Vectors:
    """Return samples that are moved apart, so that no two of them coincide."""
    return Vectors(points + 0.3 * np.arange(len(points))[:, None] * [1.0, 0.0], values, queries)


def near_queries() -> Vectors:
    """Return five samples with two queries between which the pointwise best values jump."""
    points = np.array([[0.01, 0.99], [1.34, 0.08], [2.51, 0.38], [0.08, -0.87], [-0.40, 0.32]])
    values = np.array([[0.04, 0.20], [0.30, -1.41], [-0.84, -0.45], [-0.60, -1.40], [-0.15, -0.95]])
    first = np.array([0.0, 0.15])
    return Vectors(points, values, np.stack([first, first + 0.02 * np.array([-0.5, 0.866])]))


def turned() -> Vectors:
    """Return two samples at which componentwise envelopes are as steep as they can be."""
    points, values = np.array([[0.0, 0.0], [4.0, 0.0]]), np.array([[0.0, 0.0], [1.0, 1.0]])
    return Vectors(points, values, np.array([[0.0, -1.0], [0.0, -2.0], [-1.0, 0.0]]))


VECTORS: Mapping[str, Callable[[], Vectors]] = {"near queries": near_queries, "two samples": turned}


def pointwise(case: Vectors, query: FloatArray) -> FloatArray:
    """Return the value v that minimises the largest ``|v - v_i| / |x - x_i|`` at one query x."""
    rows, right = [], []
    for point, value in zip(case.points, case.values, strict=True):
        rows += [[0.0, 0.0, -float(np.linalg.norm(query - point))], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]
        right += [0.0, *(-value)]
    program = ConicProgram.of([0, 0, 1], rows, right, Cones(soc=(3,) * len(case.points)))
    found: FloatArray = np.asarray(propose(program).x, dtype=np.float64)[:2]
    return found


def explicit_extension(case: Vectors, *, rule: str = "kirszbraun") -> Iterator[Comparison]:
    """Interpolation at the samples, and slopes between all states, less the certified errors of the computed values."""
    states = np.concatenate([case.points, case.queries])
    alpha, off = case.alpha, np.zeros(len(states))
    if rule == "kirszbraun":
        found = kirszbraun(case.points, case.values, alpha, states)
        policy, off = found.values, kirszbraun_error(found, alpha)
    elif rule == "componentwise":
        policy = componentwise(case.points, case.values, alpha, states, "upper")
    else:
        policy = np.concatenate([case.values, [pointwise(case, query) for query in case.queries]])
    for i, value in enumerate(case.values):
        distance = float(np.linalg.norm(policy[i] - value))
        yield Comparison(max(distance - float(off[i]), 0.0), 0.0, "==", where=f"sample {i}", tolerance=1e-7)
    for i, j in itertools.combinations(range(len(states)), 2):
        gap = alpha * float(np.linalg.norm(states[i] - states[j]))
        moved = float(np.linalg.norm(policy[i] - policy[j]) - off[i] - off[j])
        yield Comparison(max(moved, 0.0), gap, where=f"slope {i} {j}", tolerance=1e-9)


# Learned loops


@dataclass(frozen=True)
class Chain:
    """An instance with its regulator, constants (M, beta), and a grid of demonstrations on the cube."""

    name: str
    side: int
    start: float = 0.25

    @property
    def instance(self) -> ControlInstance:
        """Plant, expert and cost."""
        made = {"stable": scalar_stable, "unstable": scalar_unstable, "rotation": rotation}
        return made[self.name](DISCOUNT)

    @property
    def stability(self) -> tuple[float, float]:
        """(M, beta), for the rotation in the norm of the form that certifies the undiscounted loop."""
        instance = self.instance
        loop = instance.linear.A - instance.linear.B @ instance.gain
        if self.name != "rotation":
            return 1.0, abs(float(loop[0, 0]))
        form = np.array([[float(entry) for entry in row] for row in CONTRACTION])
        rate = math.sqrt(float(np.linalg.eigvals(np.linalg.solve(form, loop.T @ form @ loop)).real.max()))
        return math.sqrt(float(np.linalg.cond(form))), rate


def loop_values(chain: Chain, alpha: float, error: float) -> dict[str, float]:
    """Return the values of the symbols of the bounds."""
    instance, (growth, rate) = chain.instance, chain.stability
    expert = LinearPolicy(instance.gain)
    weight = instance.quadratic.R + DISCOUNT * instance.linear.B.T @ riccati(instance) @ instance.linear.B
    return {
        "alpha": alpha,
        "L": expert.lipschitz,
        "L_u": float(np.linalg.norm(instance.linear.B, 2)),
        "M": growth,
        "beta": rate,
        "epsilon": error,
        "omega": error,
        "gamma": DISCOUNT,
        "l_x": 1.0,
        "l_u": 1.0,
        "Lambda": float(weight[0, 0]),
        "t": 1e6,
    }


def riccati(instance: ControlInstance) -> FloatArray:
    """Return P of the discounted regulator."""
    from mdps.control import regulator

    return regulator(instance.linear, instance.quadratic).value


def demonstrations(dimension: int, side: int) -> FloatArray:
    """Return the centres of the cells of a grid of [-1, 1]^n."""
    axis = (2.0 * np.arange(side) + 1.0) / side - 1.0
    return np.stack(np.meshgrid(*[axis] * dimension), axis=-1).reshape(-1, dimension)


def lattice(dimension: int, side: int) -> FloatArray:
    """Return equally spaced states of [-1, 1]^n, its faces included."""
    return np.stack(np.meshgrid(*[np.linspace(-1.0, 1.0, side)] * dimension), axis=-1).reshape(-1, dimension)


def starts(dimension: int, radius: float) -> FloatArray:
    """Return states of the given norm."""
    if dimension == 1:
        return np.array([[radius], [-radius]])
    angles = 2.0 * np.pi * np.arange(8) / 8.0
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def roll_out(
    instance: ControlInstance, policy: Callable[[FloatArray], FloatArray], first: FloatArray, steps: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return states ``(T + 1, R, n)``, inputs ``(T, R)`` and costs ``(R,)`` with unit slopes, all starts at once."""
    states, inputs = [first], []
    for _ in range(steps):
        inputs.append(np.asarray(policy(states[-1])))
        states.append(instance.plant.step(states[-1], inputs[-1]))
    path, played = np.stack(states), np.stack(inputs)[..., 0]
    stages = np.linalg.norm(path[:-1], axis=2) + np.abs(played)
    return path, played, DISCOUNT ** np.arange(steps) @ stages


def quadratic_excess(instance: ControlInstance, path: FloatArray, played: FloatArray) -> FloatArray:
    """Return the linear-quadratic regret ``(R,)``: costs of the stages, the value of the last state, less the best."""
    value, cost = riccati(instance), instance.quadratic

    def form(states: FloatArray, weight: FloatArray) -> FloatArray:
        found: FloatArray = np.einsum("...i,ij,...j->...", states, weight, states)
        return found

    stages = form(path[:-1], cost.Q) + float(cost.R[0, 0]) * played**2
    last = DISCOUNT ** len(stages) * form(path[-1], value)
    total: FloatArray = DISCOUNT ** np.arange(len(stages)) @ stages + last - form(path[0], value)
    return total


@functools.cache
def sizes(chain: Chain, alpha: float) -> dict[str, float]:
    """Return the learning error, the largest state and deviation, and both regrets of an upper envelope."""
    instance = chain.instance
    dimension = instance.plant.n_states
    expert = LinearPolicy(instance.gain)
    data = demonstrate(expert, demonstrations(dimension, chain.side))
    policy = EnvelopePolicy(data.states, data.inputs[:, 0], alpha, "upper")
    grid = lattice(dimension, 21)
    first, steps = starts(dimension, chain.start), 200
    mine, played, paid = roll_out(instance, policy, first, steps)
    theirs, _, optimal = roll_out(instance, expert, first, steps)
    return {
        "interpolation_error": float(np.abs(policy(grid) - expert(grid)).max()),
        "invariance": float(np.linalg.norm(mine, axis=2).max()),
        "deviation": float(np.linalg.norm(mine - theirs, axis=2).max()),
        "regret": float(np.abs(paid - optimal).max()),
        "lqr_regret": float(quadratic_excess(instance, mine, played).max()),
    }


def learned_loop(chain: Chain, *, part: str = "", share: float = 1.0) -> Iterator[Comparison]:
    """Learning error, largest state and deviation, and both regrets against the bounds of the claims that they rest on.

    A mutant takes ``share`` of the bound of one ``part``.
    """
    slope = LinearPolicy(chain.instance.gain).lipschitz
    alpha, fill = 2.0 * slope, math.sqrt(chain.instance.plant.n_states) / chain.side
    found = sizes(chain, alpha)
    bounds = {name: CLAIMS[name].explicit_bound for name in found}
    error = bounds["interpolation_error"].evaluate(alpha=alpha, L=slope, h=fill)
    values = {**loop_values(chain, alpha, error), "h": fill, "r_0": chain.start}
    yield Comparison(bounds["invariance"].evaluate(**values), 1.0, where="certified to stay")
    for name, seen in found.items():
        limit = (share if name == part else 1.0) * bounds[name].evaluate(**values)
        yield Comparison(seen, limit, where=name)


CHAINS: Mapping[str, Callable[[], Chain]] = {
    "stable, 4 demonstrations": lambda: Chain("stable", 4),
    "unstable, 6 demonstrations": lambda: Chain("unstable", 6),
    "rotation, 1600 demonstrations": lambda: Chain("rotation", 40),
}


def learning_rates(
    size: int, seeds: np.random.SeedSequence, runs: int, *, quantity: str, extra: float = 0.0
) -> FloatArray:
    """Return errors or regrets of central policies of uniform samples for the rotation, over (ln N)^(p / 2).

    p is 1 for the error and the regret with a Lipschitz cost, 2 for the linear-quadratic regret; N to the ``extra``
    is a factor.
    """
    rng = np.random.default_rng(seeds)
    instance = rotation(DISCOUNT)
    expert = LinearPolicy(instance.gain)
    first, grid = starts(2, 0.25), lattice(2, 41)
    weight = loop_values(Chain("rotation", 20), 1.0, 0.0)["Lambda"]
    found = []
    for _ in range(runs):
        states = rng.uniform(-1.0, 1.0, (size, 2))
        policy = EnvelopePolicy(states, expert(states)[:, 0], 1.5 * expert.lipschitz)
        if quantity == "error":
            found.append(float(np.abs(policy(grid) - expert(grid)).max()))
            continue
        cost = NormCost(1.0, 1.0, DISCOUNT)
        mine = simulate(instance.plant, policy, first, 150, cost)
        if quantity == "regret":
            theirs = simulate(instance.plant, expert, first, 150, cost)
            found.append(float(np.abs(mine.costs - theirs.costs).max()))
        else:
            off = (mine.inputs - np.asarray(expert(mine.states[:, :-1])))[..., 0]
            found.append(weight * float((off**2 @ DISCOUNT ** np.arange(150)).max()))
    power = 1.0 if quantity == "quadratic" else 0.5
    return np.array(found) * size**extra / math.log(size) ** power


def rates(quantity: str, exponent: float) -> Check:
    """Return the check of one exponent."""
    return Check(
        "lipschitz_policies.learning_rates",
        Rates(
            claimed_slope=exponent,
            at="most",
            budgets=Sizes((100, 200, 400, 800, 1600, 3200)),
            runs=Sizes(24),
        ),
        partial(learning_rates, quantity=quantity),
        (Mutant("twice_as_fast", "twice the exponent", {"extra": -exponent}),),
        name=f"slope of the {quantity}",
        tier=Tier.FULL,
    )


# Networks


@dataclass(frozen=True, eq=False)
class Layers:
    """Weights ``(h, n)`` and ``(m, h)`` and biases ``(h,)`` of a network with one hidden layer."""

    inner: FloatArray
    outer: FloatArray
    biases: FloatArray

    @cached_property
    def network(self) -> networks.Network:
        """The network with rectified linear units."""
        return networks.Network((self.inner, self.outer), (self.biases, np.zeros(len(self.outer))))


def three_units() -> Layers:
    """Return the network on which multipliers for pairs fail."""
    return Layers(np.array([[0.5], [1.0], [1.2]]), np.array([[-0.5, -1.6, 1.4]]), np.array([0.3, -1.8, -0.7]))


def random_layers(seed: int, n: int, hidden: int, m: int) -> Layers:
    """Return normal weights."""
    rng = np.random.default_rng(seed)
    return Layers(rng.normal(size=(hidden, n)), rng.normal(size=(m, hidden)), rng.normal(size=hidden))


LAYERS: Mapping[str, Callable[[], Layers]] = {
    "1-3-1": three_units,
    "3-8-2": partial(random_layers, 1, 3, 8, 2),
    "2-5-1": partial(random_layers, 2, 2, 5, 1),
}


def network_order(
    case: Layers, *, pairs: bool = False, half: float = 0.5, part: str = "", share: float = 1.0
) -> Iterator[Comparison]:
    """All bounds in their order; a mutant takes ``share`` of one ``part``, where it is the larger one."""
    network = case.network
    neuron = networks.lipsdp(network, "network" if pairs else "neuron")
    layer = networks.lipsdp(network, "layer")
    chain = {
        "active patterns": networks.feasible_pattern_bound(network).bound,
        "all patterns": networks.pattern_bound(network).bound,
        "neuron": math.sqrt(neuron.rho),
        "layer": math.sqrt(layer.rho),
        "product": networks.product_bound(network),
    }
    for (low, smaller), (high, larger) in itertools.pairwise(chain.items()):
        limit = (share if high == part else 1.0) * larger
        yield Comparison(smaller, limit, where=f"{low} against {high}", tolerance=1e-4)
    norms = np.linalg.norm(case.outer @ case.inner, 2) + chain["product"]
    yield Comparison(chain["all patterns"], half * float(norms), where="half bound")


FIT_CHECKS = (
    Check(
        "lipschitz_policies.erm_reduction",
        Search(maximise=cheap(scattered, FIT_SPACE), corners=FITS),
        erm_reduction,
        (
            Mutant("nearest", "the value of the nearest sample", {"rule": "nearest"}),
            Mutant("triangle", "linear on a triangle whose edges meet the constraint", {"rule": "triangle"}),
            Mutant("neighbours", "constraints between neighbours only", {"neighbours": True}),
        ),
    ),
    Check(
        "lipschitz_policies.training_loss",
        Search(maximise=cheap(scattered, FIT_SPACE), corners={"arc": arc_fit}),
        training_loss,
        (
            Mutant("flatter", "0.99 of the sum of the multipliers", {"slope": 0.99}),
            Mutant("steeper", "1.01 of it", {"slope": 1.01}),
        ),
        figure=loss_figure,
    ),
    Check(
        "lipschitz_policies.noise_projection",
        Search(maximise=cheap(scattered, FIT_SPACE), corners={"arc": arc_fit}),
        noise_projection,
        (Mutant("factor", "0.99 times the inner product", {"factor": 0.99}),),
    ),
    Check(
        "lipschitz_policies.spanner",
        Search(maximise=cheap(scattered, FIT_SPACE), corners={"arc": arc_fit}),
        spanner,
        (Mutant("unstretched", "constraints between neighbours are enough", {"stretched": False}),),
    ),
    Check(
        "lipschitz_policies.saddle_point",
        Search(corners={f"seed {seed}": partial(random_fit, seed) for seed in (1, 2, 3)}),
        saddle_point,
        (Mutant("euler", "plain Euler steps of the same length", {"extragradient": False}),),
    ),
    Check(
        "lipschitz_policies.explicit_extension",
        Search(
            maximise=cheap(
                apart,
                Space(points=Box(-1.0, 1.0, (5, 2)), values=Box(-1.0, 1.0, (5, 2)), queries=Box(-1.5, 1.5, (4, 2))),
            ),
            corners=VECTORS,
        ),
        explicit_extension,
        (
            Mutant("pointwise", "the best value for each query by itself", {"rule": "pointwise"}),
            Mutant("componentwise", "envelopes of the components", {"rule": "componentwise"}),
        ),
    ),
)

LOOP_CHECKS = (
    Check(
        "lipschitz_policies.learned_loop",
        Search(corners=CHAINS),
        learned_loop,
        (
            Mutant("error", "0.99 of the learning error", {"part": "interpolation_error", "share": 0.99}),
            Mutant("deviation", "0.42 of the deviation", {"part": "deviation", "share": 0.42}),
            Mutant("regret", "a fifth of the regret", {"part": "regret", "share": 0.2}),
            Mutant("quadratic", "0.18 of the linear-quadratic regret", {"part": "lqr_regret", "share": 0.18}),
        ),
    ),
    rates("error", -0.5),
    rates("regret", -0.5),
    rates("quadratic", -1.0),
    Check(
        "lipschitz_policies.network_order",
        Search(corners=LAYERS),
        network_order,
        (
            Mutant("pairs", "multipliers for pairs of neurons", {"pairs": True}),
            Mutant("half", "0.49 in the place of one half", {"half": 0.49}),
            Mutant("neuron", "0.99 of the bound by neurons", {"part": "neuron", "share": 0.99}),
            Mutant("layer", "0.98 of the bound by layers", {"part": "layer", "share": 0.98}),
        ),
        tier=Tier.FULL,
    ),
)

CHECKS = FIT_CHECKS + LOOP_CHECKS
