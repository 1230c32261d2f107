"""Small exact models that the identities of finite MDPs are certified on.

A case bundles what a statement about one episodic model may need: a second model on the same states, two policies and a
guess of the values, all rational. The named ones are extreme on purpose; the seeded ones have no structure at all.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from mdps.rational import RationalDiscountedMDP, RationalMDP
from mdps.tabular import FiniteHorizonMDP

Table = tuple[tuple[Fraction, ...], ...]
"""A stationary stochastic policy ``[s][a]``, or values ``[h][s]``."""


class OnModel:
    """An instance that meets the assumptions which its model ``mdp`` meets."""

    mdp: FiniteHorizonMDP

    @property
    def unit_rewards(self) -> bool:
        """Whether mean rewards lie in [0, 1]."""
        return self.mdp.unit_rewards

    @property
    def stationary(self) -> bool:
        """Whether one kernel serves all stages."""
        return self.mdp.stationary

    @property
    def reward_law(self) -> str:
        """Law of the rewards around their means."""
        return self.mdp.reward_law


@dataclass(frozen=True)
class Case:
    """An episodic model, a second one, two stochastic policies ``[h][s][a]`` and a guess of Q ``[h][s][a]``."""

    mdp: RationalMDP
    other: RationalMDP
    policy: tuple[Table, ...]
    comparator: tuple[Table, ...]
    guess: tuple[Table, ...]

    @property
    def unit_rewards(self) -> bool:
        """Whether the mean rewards of both models lie in [0, 1]."""
        return self.mdp.unit_rewards and self.other.unit_rewards


@dataclass(frozen=True)
class DiscountedCase:
    """A discounted model, two stationary stochastic policies ``[s][a]`` and a value vector ``[s]``."""

    mdp: RationalDiscountedMDP
    policy: Table
    comparator: Table
    values: tuple[Fraction, ...]


def _law(rng: random.Random, size: int, sparsity: float) -> list[int]:
    weights = [0 if rng.random() < sparsity else rng.randint(1, 7) for _ in range(size)]
    return weights if any(weights) else [1] * size


def _policy(rng: random.Random, n_states: int, n_actions: int) -> Table:
    rows = []
    for _ in range(n_states):
        weights = _law(rng, n_actions, 0.3)
        rows.append(tuple(Fraction(weight, sum(weights)) for weight in weights))
    return tuple(rows)


def _numbers(rng: random.Random, n_states: int, n_actions: int, low: int) -> Table:
    return tuple(tuple(Fraction(rng.randint(low, 9), 9) for _ in range(n_actions)) for _ in range(n_states))


def random_case(seed: int, n_states: int, n_actions: int, horizon: int, *, staged: bool = True) -> Case:
    """Return a case without structure; rewards are multiples of 1/9 in [0, 1], guesses in [-1, 1]."""
    rng = random.Random(seed)
    stages = horizon if staged else 1

    def model() -> RationalMDP:
        kernel = [
            [[_law(rng, n_states, 0.4) for _ in range(n_actions)] for _ in range(n_states)] for _ in range(stages)
        ]
        rewards = [_numbers(rng, n_states, n_actions, 0) for _ in range(horizon)]
        return RationalMDP.from_weights(kernel if staged else kernel[0], rewards, horizon, _law(rng, n_states, 0.3))

    mdp = model()
    other = model()
    other = RationalMDP(other.transitions, other.rewards, horizon, mdp.initial)
    policies = [tuple(_policy(rng, n_states, n_actions) for _ in range(horizon)) for _ in range(2)]
    guess = tuple(_numbers(rng, n_states, n_actions, -9) for _ in range(horizon))
    return Case(mdp, other, policies[0], policies[1], guess)


def extreme_case(horizon: int = 3) -> Case:
    """Return two states, two actions, everything deterministic: the two models and the two policies differ everywhere.

    From the start, action 0 leads to the state that pays 1 a stage in one model and to the one that pays nothing in the
    other; both states are absorbing afterwards. Statements about spans and total variations are tight here.
    """
    split = [[0, 1, 0], [0, 0, 1]]
    first = [split, [[0, 1, 0], [0, 1, 0]], [[0, 0, 1], [0, 0, 1]]]
    second = [split[::-1], *first[1:]]
    rewards = [[0, 0], [1, 1], [0, 0]]
    left = tuple(tuple((Fraction(1), Fraction(0)) for _ in range(3)) for _ in range(horizon))
    right = tuple(tuple((Fraction(0), Fraction(1)) for _ in range(3)) for _ in range(horizon))
    guess = tuple(tuple((Fraction(h), Fraction(-1)) for _ in range(3)) for h in range(horizon))
    return Case(
        RationalMDP.from_weights(first, rewards, horizon),
        RationalMDP.from_weights(second, rewards, horizon),
        left,
        right,
        guess,
    )


def random_discounted_case(seed: int, n_states: int, n_actions: int, discount: Fraction) -> DiscountedCase:
    """Return a discounted case without structure; rewards and values are multiples of 1/9."""
    rng = random.Random(seed)
    kernel = [[_law(rng, n_states, 0.4) for _ in range(n_actions)] for _ in range(n_states)]
    rewards = _numbers(rng, n_states, n_actions, 0)
    mdp = RationalDiscountedMDP.from_weights(kernel, rewards, discount, _law(rng, n_states, 0.3))
    values = tuple(Fraction(rng.randint(-18, 18), 9) for _ in range(n_states))
    return DiscountedCase(mdp, _policy(rng, n_states, n_actions), _policy(rng, n_states, n_actions), values)


def constant_gap_case(discount: Fraction) -> DiscountedCase:
    """Return one state that pays 1 for ever: value iteration contracts at exactly the rate gamma from V = 0."""
    mdp = RationalDiscountedMDP.from_weights([[[1]]], [[1]], discount)
    return DiscountedCase(mdp, ((Fraction(1),),), ((Fraction(1),),), (Fraction(0),))


def greedy_trap_case(discount: Fraction) -> DiscountedCase:
    """Return the example on which the loss of the greedy policy is attained.

    State 0 may stay, paying -2 gamma, or leave for state 1, where nothing is paid for ever: V* = 0. With V = (1, -1),
    at distance one from V*, both look the same, and the tie goes to staying, which loses 2 gamma / (1 - gamma).

    Source: D. Bertsekas and J. Tsitsiklis (1996), Neuro-Dynamic Programming, Section 6.1.1.
    """
    one, zero = Fraction(1), Fraction(0)
    kernel = [[[1, 0], [0, 1]], [[0, 1], [0, 1]]]
    mdp = RationalDiscountedMDP.from_weights(kernel, [[-2 * discount, 0], [0, 0]], discount, [1, 0])
    staying, leaving = ((one, zero), (one, zero)), ((zero, one), (one, zero))
    return DiscountedCase(mdp, staying, leaving, (one, -one))


CASES: Mapping[str, Callable[[], Case]] = {
    "one of everything": partial(random_case, 0, 1, 1, 1),
    "extreme": extreme_case,
    **{
        f"random S={s} A={a} H={h} #{seed}": partial(random_case, seed, s, a, h, staged=seed % 2 == 0)
        for seed, (s, a, h) in enumerate([(2, 2, 2), (3, 2, 3), (2, 3, 4), (4, 2, 3), (3, 3, 3), (5, 2, 4)], start=1)
    },
}
"""Episodic cases by name."""

DISCOUNTS = (Fraction(0), Fraction(1, 2), Fraction(9, 10), Fraction(99, 100))

DISCOUNTED_CASES: Mapping[str, Callable[[], DiscountedCase]] = {
    **{f"one state, gamma={gamma}": partial(constant_gap_case, gamma) for gamma in DISCOUNTS},
    **{f"greedy trap, gamma={gamma}": partial(greedy_trap_case, gamma) for gamma in DISCOUNTS[1:]},
    **{
        f"random S={s} A={a} gamma={gamma} #{seed}": partial(random_discounted_case, seed, s, a, gamma)
        for seed, (s, a, gamma) in enumerate(
            [
                (2, 2, DISCOUNTS[1]),
                (3, 2, DISCOUNTS[2]),
                (4, 3, DISCOUNTS[2]),
                (3, 3, DISCOUNTS[3]),
                (5, 2, DISCOUNTS[3]),
            ],
            start=1,
        )
    },
}
"""Discounted cases by name."""
