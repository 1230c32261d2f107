"""Hypothesis strategies for models, policies, laws and values.

A model is drawn as a list of states, a state as a list of actions, an action as a list of integer weights on next
states with a reward; all sizes are those of the lists. Hence Hypothesis can delete a state, an action or a next
state by deleting one element, and a counter-example shrinks to the smallest model that shows it, down to one state,
one action, one stage. Shorter lists than the model needs are repeated cyclically, so that no draw is rejected.
Probabilities are small integer weights divided by their sum: deterministic rows, ties and zero masses, the edge
cases of theorems, are frequent.

The strategies of exact models (`rational_mdps`, `rational_discounted_mdps`) draw the same models as those of
float64 models (`finite_horizon_mdps`, `discounted_mdps`), which are the former rounded.

Example
-------
>>> from hypothesis import given, strategies as st
>>> from mdps.strategies import finite_horizon_mdps, policies
>>> @given(st.data(), finite_horizon_mdps(max_states=3))
... def test_my_theorem(data, mdp):
...     policy = data.draw(policies(mdp))
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias, TypeVar

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from mdps.control import EnvelopePolicy, LinearPlant, MeasurementDisturbance
from mdps.errors import InvalidModelError
from mdps.linear import LinearMDP
from mdps.rational import RationalDiscountedMDP, RationalMDP
from mdps.robust import RobustLinearMDP, SetKind
from mdps.tabular import DiscountedMDP, FiniteHorizonMDP, RewardLaw
from mdps.validation import FloatArray, IntArray

AnyMDP: TypeAlias = FiniteHorizonMDP | DiscountedMDP | RationalMDP | RationalDiscountedMDP
Element = TypeVar("Element")

_Action: TypeAlias = tuple[list[tuple[int, int]], Fraction]
_State: TypeAlias = list[_Action]

MAX_WEIGHT = 4
"""Largest integer weight of one draw of a next state; weights of the same state add up."""

GRID = 4
"""Rewards are multiples of 1 / GRID."""


@dataclass(frozen=True)
class Sizes:
    """Bounds of the sizes of a model that a strategy draws."""

    min_states: int = 1
    max_states: int = 4
    min_actions: int = 1
    max_actions: int = 3
    max_horizon: int = 4

    def __post_init__(self) -> None:
        """Raise unless the bounds are in order."""
        for name, low, high in (
            ("states", self.min_states, self.max_states),
            ("actions", self.min_actions, self.max_actions),
            ("horizon", 1, self.max_horizon),
        ):
            if not 1 <= low <= high:
                raise InvalidModelError(f"bounds of {name} are {low} and {high}, not 1 <= min <= max")


# Models


def rational_mdps(
    *,
    min_states: int = 1,
    max_states: int = 4,
    min_actions: int = 1,
    max_actions: int = 3,
    max_horizon: int = 4,
    stationary: bool | None = None,
    unit_rewards: bool = True,
) -> SearchStrategy[RationalMDP]:
    """Exact episodic models.

    Parameters
    ----------
    min_states, max_states, min_actions, max_actions, max_horizon
        Bounds of S, A and H.
    stationary
        Whether one kernel and one reward serve all stages; None draws both kinds.
    unit_rewards
        Whether mean rewards lie in [0, 1]; else they lie in [-2, 2].
    """
    sizes = Sizes(min_states, max_states, min_actions, max_actions, max_horizon)
    states, initial = _state_lists(sizes, unit_rewards), _weighted_targets(max_states)
    once = st.builds(_episodic, st.lists(states, min_size=1, max_size=1), st.integers(1, max_horizon), initial)
    staged = st.builds(_staged, st.lists(states, min_size=1, max_size=max_horizon), initial)
    if stationary is None:
        return st.one_of(once, staged)
    return once if stationary else staged


def finite_horizon_mdps(
    *,
    min_states: int = 1,
    max_states: int = 4,
    min_actions: int = 1,
    max_actions: int = 3,
    max_horizon: int = 4,
    stationary: bool | None = None,
    unit_rewards: bool = True,
    laws: SearchStrategy[RewardLaw] | None = None,
) -> SearchStrategy[FiniteHorizonMDP]:
    """Episodic models (see `rational_mdps`).

    Parameters
    ----------
    laws
        Strategy of the reward law (Bernoulli needs ``unit_rewards``); deterministic rewards if omitted.
    """
    exact = rational_mdps(
        min_states=min_states,
        max_states=max_states,
        min_actions=min_actions,
        max_actions=max_actions,
        max_horizon=max_horizon,
        stationary=stationary,
        unit_rewards=unit_rewards,
    )
    return st.builds(_with_law, exact.map(RationalMDP.to_float), _deterministic() if laws is None else laws)


def rational_discounted_mdps(
    *,
    min_states: int = 1,
    max_states: int = 4,
    min_actions: int = 1,
    max_actions: int = 3,
    max_discount: Fraction = Fraction(19, 20),
    unit_rewards: bool = True,
) -> SearchStrategy[RationalDiscountedMDP]:
    """Exact discounted models, with a discount among the multiples of 1/20 up to ``max_discount``."""
    sizes = Sizes(min_states, max_states, min_actions, max_actions)
    discounts = st.integers(0, int(20 * max_discount)).map(lambda k: Fraction(k, 20))
    return st.builds(_discounted, _state_lists(sizes, unit_rewards), discounts, _weighted_targets(max_states))


def discounted_mdps(
    *,
    min_states: int = 1,
    max_states: int = 4,
    min_actions: int = 1,
    max_actions: int = 3,
    max_discount: Fraction = Fraction(19, 20),
    unit_rewards: bool = True,
) -> SearchStrategy[DiscountedMDP]:
    """Discounted models (see `rational_discounted_mdps`)."""
    return rational_discounted_mdps(
        min_states=min_states,
        max_states=max_states,
        min_actions=min_actions,
        max_actions=max_actions,
        max_discount=max_discount,
        unit_rewards=unit_rewards,
    ).map(RationalDiscountedMDP.to_float)


def reward_laws() -> SearchStrategy[RewardLaw]:
    """Reward laws: deterministic (the simpler one) or Bernoulli."""
    laws: tuple[RewardLaw, ...] = ("deterministic", "bernoulli")
    return st.sampled_from(laws)


# Policies


def deterministic_policies(mdp: AnyMDP) -> SearchStrategy[IntArray]:
    """Deterministic policies: actions ``(H, S)`` of an episodic model, ``(S,)`` of a discounted one."""
    shape = _policy_shape(mdp)
    size = int(np.prod(shape))
    actions = st.lists(st.integers(0, mdp.n_actions - 1), min_size=size, max_size=size)
    return actions.map(lambda flat: np.array(flat, dtype=np.int64).reshape(shape))


def stochastic_policies(mdp: AnyMDP) -> SearchStrategy[FloatArray]:
    """Stochastic policies: laws ``(H, S, A)`` of an episodic model, ``(S, A)`` of a discounted one."""
    shape = _policy_shape(mdp)
    size = int(np.prod(shape))
    laws = st.lists(distributions(mdp.n_actions), min_size=size, max_size=size)
    return laws.map(lambda rows: np.array(rows).reshape(*shape, mdp.n_actions))


def policies(mdp: AnyMDP) -> SearchStrategy[IntArray | FloatArray]:
    """Deterministic or stochastic policies."""
    return st.one_of(deterministic_policies(mdp), stochastic_policies(mdp))


def rational_policies(mdp: AnyMDP) -> SearchStrategy[tuple[tuple[Fraction, ...], ...]]:
    """Exact stationary stochastic policies, ``[s][a]``."""
    law = rational_distributions(mdp.n_actions)
    return st.lists(law, min_size=mdp.n_states, max_size=mdp.n_states).map(tuple)


# Laws and values


def rational_distributions(size: int | None = None, max_size: int = 6) -> SearchStrategy[tuple[Fraction, ...]]:
    """Exact laws on ``size`` points, or on up to ``max_size`` points; the simplest one is the point mass on 0."""
    if size is not None:
        return _weighted_targets(size).map(lambda pairs: _law(pairs, size))
    weights = st.lists(st.integers(0, MAX_WEIGHT), min_size=1, max_size=max_size)
    return weights.map(lambda row: _law(list(enumerate(row)), len(row)))


def distributions(size: int | None = None, max_size: int = 6) -> SearchStrategy[FloatArray]:
    """Laws on ``size`` points, or on up to ``max_size`` points, as float64 arrays."""
    return rational_distributions(size, max_size).map(lambda law: np.array([float(mass) for mass in law]))


def value_vectors(size: int, low: float = 0.0, high: float = 1.0) -> SearchStrategy[FloatArray]:
    """Vectors ``(size,)`` of numbers in ``[low, high]``, any float64 but subnormal ones."""
    numbers = st.floats(low, high, allow_subnormal=False)
    return st.lists(numbers, min_size=size, max_size=size).map(np.array)


def rational_values(size: int, low: int = 0, high: int = 1) -> SearchStrategy[tuple[Fraction, ...]]:
    """Vectors of ``size`` multiples of 1/8 in ``[low, high]``."""
    numbers = st.integers(8 * low, 8 * high).map(lambda k: Fraction(k, 8))
    return st.lists(numbers, min_size=size, max_size=size).map(tuple)


# How the drawn lists become models


def _weighted_targets(n: int) -> SearchStrategy[list[tuple[int, int]]]:
    """Draw pairs (next state, weight), one integer each; the empty list stands for the point mass on state 0."""
    codes = st.lists(st.integers(0, n * MAX_WEIGHT - 1), max_size=3)
    return codes.map(lambda drawn: [(code // MAX_WEIGHT, 1 + code % MAX_WEIGHT) for code in drawn])


def _state_lists(sizes: Sizes, unit_rewards: bool) -> SearchStrategy[list[_State]]:
    low, high = (0, GRID) if unit_rewards else (-2 * GRID, 2 * GRID)
    rewards = st.integers(low, high).map(lambda k: Fraction(k, GRID))
    actions = st.tuples(_weighted_targets(sizes.max_states), rewards)
    states = st.lists(actions, min_size=sizes.min_actions, max_size=sizes.max_actions)
    return st.lists(states, min_size=sizes.min_states, max_size=sizes.max_states)


def _law(pairs: Sequence[tuple[int, int]], n: int) -> tuple[Fraction, ...]:
    weights = [0] * n
    for target, weight in pairs:
        weights[min(target, n - 1)] += weight  # deleting a state leaves the last one the last
    total = sum(weights)
    return tuple(Fraction(w, total) if total else Fraction(int(t == 0)) for t, w in enumerate(weights))


def _cycle(items: Sequence[Element], n: int) -> list[Element]:
    """Return the first ``n`` of the items repeated for ever."""
    return [items[i % len(items)] for i in range(n)]


def _square(states: list[_State], n_states: int, n_actions: int) -> list[_State]:
    return [_cycle(actions, n_actions) for actions in _cycle(states, n_states)]


def _episodic(stages: list[list[_State]], horizon: int, initial: list[tuple[int, int]]) -> RationalMDP:
    n_states, n_actions = len(stages[0]), len(stages[0][0])
    models = [_square(states, n_states, n_actions) for states in stages]
    transitions = [[[_law(pairs, n_states) for pairs, _ in actions] for actions in states] for states in models]
    rewards = [[[reward for _, reward in actions] for actions in states] for states in models]
    return RationalMDP(transitions, rewards, horizon, _law(initial, n_states))


def _staged(stages: list[list[_State]], initial: list[tuple[int, int]]) -> RationalMDP:
    return _episodic(stages, len(stages), initial)


def _discounted(states: list[_State], discount: Fraction, initial: list[tuple[int, int]]) -> RationalDiscountedMDP:
    model = _episodic([states], 1, initial)
    return RationalDiscountedMDP(model.transitions[0], model.rewards[0], discount, model.initial)


def _deterministic() -> SearchStrategy[RewardLaw]:
    law: RewardLaw = "deterministic"
    return st.just(law)


def _with_law(mdp: FiniteHorizonMDP, law: RewardLaw) -> FiniteHorizonMDP:
    if law == mdp.reward_law:
        return mdp
    return FiniteHorizonMDP(mdp.transitions, mdp.rewards, mdp.horizon, mdp.initial, law)


def _policy_shape(mdp: AnyMDP) -> tuple[int, ...]:
    if isinstance(mdp, FiniteHorizonMDP | RationalMDP):
        return mdp.horizon, mdp.n_states
    return (mdp.n_states,)


# Control


def linear_plants(max_states: int = 3, max_inputs: int = 2, *, stable: bool = False) -> SearchStrategy[LinearPlant]:
    """Linear plants with entries among the multiples of 1/4 in [-1, 1]; if ``stable``, rescaled to norm at most 3/4.

    The simplest one is A = 0, B = 0.
    """
    sizes = st.tuples(st.integers(1, max_states), st.integers(1, max_inputs))

    def of_sizes(shape: tuple[int, int]) -> SearchStrategy[LinearPlant]:
        n, m = shape
        entries = st.lists(st.integers(-GRID, GRID), min_size=n * (n + m), max_size=n * (n + m))
        return entries.map(lambda flat: _plant(flat, n, stable))

    return sizes.flatmap(of_sizes)


def scalar_policies(max_points: int = 5, max_slope: int = 2) -> SearchStrategy[EnvelopePolicy]:
    """Scalar Lipschitz policies on the line: the central extension of up to ``max_points`` Lipschitz samples."""
    samples = st.lists(st.tuples(st.integers(-8, 8), st.integers(-8, 8)), min_size=1, max_size=max_points)
    return st.builds(_scalar_policy, samples, st.integers(1, 4 * max_slope).map(lambda k: k / 4.0))


def measurement_errors(dimension: int, bound: float, max_steps: int = 8) -> SearchStrategy[MeasurementDisturbance]:
    """Errors of the measurement of Euclidean norm at most ``bound``; the simplest one is no error in one step."""
    step = st.lists(st.integers(-GRID, GRID), min_size=dimension, max_size=dimension)
    scale = bound / (GRID * dimension**0.5)
    sequences = st.lists(step, min_size=1, max_size=max_steps)
    return sequences.map(lambda rows: MeasurementDisturbance(scale * np.array(rows, dtype=np.float64), bound))


def _plant(flat: list[int], n: int, stable: bool) -> LinearPlant:
    matrix = np.array(flat, dtype=np.float64).reshape(n, -1) / GRID
    drift = matrix[:, :n]
    size = float(np.linalg.norm(drift, 2))
    return LinearPlant(drift * (0.75 / size) if stable and size > 0.75 else drift, matrix[:, n:])


def _scalar_policy(samples: list[tuple[int, int]], slope: float) -> EnvelopePolicy:
    """Return the central extension of samples that are first lowered to the envelope of each other's cones."""
    points = np.array(sorted({place for place, _ in samples}), dtype=np.float64) / 8.0
    heights = {place / 8.0: value / 8.0 for place, value in samples}
    raw = np.array([heights[point] for point in points.tolist()])
    values = (raw + slope * np.abs(points[:, None] - points)).min(axis=1)
    return EnvelopePolicy(points[:, None], values, slope)


# Robust linear models


def linear_mdps(
    max_states: int = 3, max_actions: int = 3, max_factors: int = 3, max_horizon: int = 3
) -> SearchStrategy[LinearMDP]:
    """Linear models whose last state is a fail state with a factor of its own, the last one; rewards in [0, 1].

    ``max_states`` and ``max_factors`` do not count the fail state and its factor. Features are the same at all stages.
    """
    sizes = st.tuples(
        st.integers(1, max_states),
        st.integers(1, max_actions),
        st.integers(1, max_factors),
        st.integers(1, max_horizon),
    )
    return sizes.flatmap(lambda size: _linear_of_sizes(*size))


def robust_mdps(kinds: Sequence[SetKind] = ("tv_constrained",), **sizes: int) -> SearchStrategy[RobustLinearMDP]:
    """Robust linear models of the given kinds with a fail state; one level, a multiple of 1/8 in [1/8, 1], for all.

    ``sizes`` are passed to `linear_mdps`.
    """
    levels = st.integers(1, 8).map(lambda k: k / 8.0)

    def around(mdp: LinearMDP, kind: SetKind, level: float) -> RobustLinearMDP:
        return RobustLinearMDP(mdp, kind, level, mdp.n_states - 1)

    return st.builds(around, linear_mdps(**sizes), st.sampled_from(list(kinds)), levels)


def log_policies(mdp: LinearMDP) -> SearchStrategy[FloatArray]:
    """Stochastic policies of full support by their logarithms, ``(H, S, A)``; the simplest one is uniform."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    size = int(np.prod(shape))
    weights = st.lists(st.integers(1, MAX_WEIGHT), min_size=size, max_size=size)

    def normalised(flat: list[int]) -> FloatArray:
        table = np.array(flat, dtype=np.float64).reshape(shape)
        result: FloatArray = np.log(table / table.sum(axis=-1, keepdims=True))
        return result

    return weights.map(normalised)


def _linear_of_sizes(n_states: int, n_actions: int, n_factors: int, horizon: int) -> SearchStrategy[LinearMDP]:
    pairs, factors = n_states * n_actions, n_factors * horizon
    features = st.lists(distributions(n_factors + 1), min_size=pairs, max_size=pairs)
    measures = st.lists(distributions(n_states + 1), min_size=factors, max_size=factors)
    rewards = st.lists(st.integers(0, GRID), min_size=factors, max_size=factors)

    def model(phi: list[FloatArray], mu: list[FloatArray], theta: list[int]) -> LinearMDP:
        table = np.zeros((n_states + 1, n_actions, n_factors + 1))
        table[:-1] = np.array(phi).reshape(n_states, n_actions, n_factors + 1)
        table[-1, :, -1] = 1.0
        laws = np.zeros((horizon, n_factors + 1, n_states + 1))
        laws[:, :-1] = np.array(mu).reshape(horizon, n_factors, n_states + 1)
        laws[:, -1, -1] = 1.0
        weights = np.zeros((horizon, n_factors + 1))
        weights[:, :-1] = np.array(theta).reshape(horizon, n_factors) / GRID
        return LinearMDP(table, laws, weights)

    return st.builds(model, features, measures, rewards)
