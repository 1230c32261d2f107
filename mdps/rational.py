r"""Finite Markov decision processes with rational entries, for exact dynamic programming.

An identity such as :math:`V_h^\pi = r_h^\pi + P_h^\pi V_{h+1}^\pi`, or a counter-example to an inequality, is settled
on these models without a rounding error: all entries are `fractions.Fraction`, rows sum to one exactly, and sums and
products of them are exact. The layout is that of `mdps.tabular`, in nested tuples: a stationary kernel is stored once,
under a leading axis of length one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational
from typing import Any, TypeAlias

import numpy as np

from mdps.errors import InvalidModelError
from mdps.tabular import DiscountedMDP, FiniteHorizonMDP
from mdps.validation import entry

Law: TypeAlias = tuple[Fraction, ...]
Means: TypeAlias = tuple[tuple[Fraction, ...], ...]
"""Mean rewards, ``[s][a]``."""
Kernel: TypeAlias = tuple[tuple[Law, ...], ...]
"""Transition probabilities, ``[s][a][t]``."""
Nested: TypeAlias = Sequence[Any]
"""Nested sequences of integers and fractions."""


@dataclass(frozen=True)
class RationalMDP:
    """An episodic MDP with rational entries.

    Parameters
    ----------
    transitions
        ``[s][a][t]`` for a stationary kernel or ``[h][s][a][t]``; rows sum to one exactly. Stored as ``[g][s][a][t]``
        with one stage (stationary) or H.
    rewards
        Mean rewards ``[s][a]`` or ``[h][s][a]``; stored as ``[r][s][a]``.
    horizon
        Number of stages H, at least one.
    initial
        Law of the first state ``[s]``; state 0 if omitted.

    Raises
    ------
    InvalidModelError
        Naming the first offending entry.

    Notes
    -----
    Models are compared and hashed by value.
    """

    transitions: tuple[Kernel, ...]
    rewards: tuple[Means, ...]
    horizon: int
    initial: Law

    def __init__(self, transitions: Nested, rewards: Nested, horizon: int, initial: Nested | None = None) -> None:
        if isinstance(horizon, bool) or not isinstance(horizon, int | np.integer) or horizon < 1:
            raise InvalidModelError(f"horizon is {horizon!r}, not a positive integer")
        kernel = _staged("transitions", transitions, 4, int(horizon))
        shape = _shape(kernel[0])
        if 0 in shape:
            raise InvalidModelError(f"transitions has shape {(len(kernel), *shape)}: no states or no actions")
        n_states, n_actions, n_next = shape
        if n_next != n_states:
            raise InvalidModelError(f"transitions has {n_next} next states, not {n_states}")
        frozen_kernel = _freeze("transitions", kernel, (len(kernel), *shape), "hsat")
        _require_laws("transitions", frozen_kernel, "hsa")
        means = _staged("rewards", rewards, 3, int(horizon))
        frozen_means = _freeze("rewards", means, (len(means), n_states, n_actions), "hsa")
        law = [1] + [0] * (n_states - 1) if initial is None else initial
        frozen_law = _freeze("initial", law, (n_states,), "s")
        _require_laws("initial", frozen_law, "")
        object.__setattr__(self, "transitions", frozen_kernel)
        object.__setattr__(self, "rewards", frozen_means)
        object.__setattr__(self, "horizon", int(horizon))
        object.__setattr__(self, "initial", frozen_law)

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return len(self.initial)

    @property
    def n_actions(self) -> int:
        """Number of actions A."""
        return len(self.rewards[0][0])

    @property
    def stationary(self) -> bool:
        """Whether one kernel serves all stages."""
        return len(self.transitions) == 1

    @property
    def unit_rewards(self) -> bool:
        """Whether all mean rewards lie in [0, 1]."""
        return all(0 <= mean <= 1 for stage in self.rewards for row in stage for mean in row)

    @classmethod
    def from_weights(
        cls, weights: Nested, rewards: Nested, horizon: int, initial: Nested | None = None
    ) -> "RationalMDP":
        """Return the MDP whose rows are non-negative integer (or rational) weights divided by their sums.

        Parameters
        ----------
        weights
            ``[s][a][t]`` or ``[h][s][a][t]``; the numbers of states and actions are those of the lists.
        rewards, horizon
            As for the class.
        initial
            Weights ``[s]``, or None for state 0.

        Raises
        ------
        InvalidModelError
            If a weight is negative, or a row has no positive weight; the message names it.
        """
        laws = _normalise("transitions", weights, "hsa" if _depth(weights) == 4 else "sa")
        return cls(laws, rewards, horizon, None if initial is None else _normalise("initial", initial, ""))

    def to_float(self) -> FiniteHorizonMDP:
        """Return the model rounded to float64, entry by entry."""
        return FiniteHorizonMDP(_floats(self.transitions), _floats(self.rewards), self.horizon, _floats(self.initial))


@dataclass(frozen=True)
class RationalDiscountedMDP:
    """A discounted MDP with rational entries.

    Parameters
    ----------
    transitions
        ``[s][a][t]``; rows sum to one exactly.
    rewards
        Mean rewards ``[s][a]``.
    discount
        gamma in [0, 1), rational.
    initial
        Law of the first state ``[s]``; uniform if omitted.

    Raises
    ------
    InvalidModelError
        Naming the first offending entry.
    """

    transitions: Kernel
    rewards: Means
    discount: Fraction
    initial: Law

    def __init__(
        self,
        transitions: Nested,
        rewards: Nested,
        discount: Fraction | int,
        initial: Nested | None = None,
    ) -> None:
        gamma = _fraction("discount", discount)
        if not 0 <= gamma < 1:
            raise InvalidModelError(f"discount is {gamma}, outside [0, 1)")
        for name, values, ndim in (("transitions", transitions, 3), ("rewards", rewards, 2)):
            if _depth(values) != ndim:
                raise InvalidModelError(f"{name} has {_depth(values)} axes, not {ndim}")
        n_states = len(transitions)
        uniform = [Fraction(1, max(n_states, 1))] * n_states
        model = RationalMDP(transitions, rewards, 1, uniform if initial is None else initial)
        object.__setattr__(self, "transitions", model.transitions[0])
        object.__setattr__(self, "rewards", model.rewards[0])
        object.__setattr__(self, "discount", gamma)
        object.__setattr__(self, "initial", model.initial)

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return len(self.initial)

    @property
    def n_actions(self) -> int:
        """Number of actions A."""
        return len(self.rewards[0])

    @classmethod
    def from_weights(
        cls, weights: Nested, rewards: Nested, discount: Fraction | int, initial: Nested | None = None
    ) -> "RationalDiscountedMDP":
        """Return the MDP whose rows are weights divided by their sums (see `RationalMDP.from_weights`)."""
        laws = _normalise("transitions", weights, "sa")
        return cls(laws, rewards, discount, None if initial is None else _normalise("initial", initial, ""))

    def to_float(self) -> DiscountedMDP:
        """Return the model rounded to float64, entry by entry."""
        return DiscountedMDP(
            _floats(self.transitions), _floats(self.rewards), float(self.discount), _floats(self.initial)
        )


def _fraction(name: str, value: object) -> Fraction:
    """Return an integer or a fraction as a `Fraction`; a float is refused, for it hides a rounding."""
    if isinstance(value, np.integer):
        return Fraction(int(value))
    if isinstance(value, bool) or not isinstance(value, Rational):
        raise InvalidModelError(f"{name} is {value!r}, a {type(value).__name__}, not a rational number")
    return Fraction(value)


def _depth(values: object) -> int:
    """Return the number of axes, read off the first entries."""
    depth = 0
    while isinstance(values, Sequence):
        depth += 1
        if not values:
            break
        values = values[0]
    return depth


def _shape(values: object) -> tuple[int, int, int]:
    """Return the shape of a kernel ``[s][a][t]``, read off the first entries."""
    sizes = []
    while isinstance(values, Sequence):
        sizes.append(len(values))
        values = values[0] if values else None
    first, second, third = (*sizes, 0, 0)[:3] if sizes else (0, 0, 0)
    return first, second, third


def _staged(name: str, values: Nested, ndim: int, horizon: int) -> Nested:
    """Give stationary entries a leading axis of length one; leave staged ones as they are."""
    depth = _depth(values)
    if not values or depth not in (ndim - 1, ndim):
        raise InvalidModelError(f"{name} has {depth} axes, not {ndim - 1} (stationary) or {ndim}")
    staged = values if depth == ndim else [values]
    if len(staged) not in (1, horizon):
        raise InvalidModelError(f"{name} has {len(staged)} stages, not {horizon}")
    return staged


def _freeze(name: str, values: Any, shape: tuple[int, ...], axes: str, index: tuple[int, ...] = ()) -> Any:
    """Return nested tuples of fractions of exactly the given shape."""
    depth = len(index)
    if depth == len(shape):
        return values if type(values) is Fraction else _fraction(entry(name, index, axes), values)
    if not isinstance(values, Sequence) or len(values) != shape[depth]:
        size = len(values) if isinstance(values, Sequence) else "no"
        raise InvalidModelError(f"{entry(name, index, axes)} has {size} entries, not {shape[depth]}")
    return tuple(_freeze(name, value, shape, axes, (*index, i)) for i, value in enumerate(values))


def _rows(values: Any, ndim: int, index: tuple[int, ...] = ()) -> list[tuple[tuple[int, ...], Any]]:
    """Return the rows below ``ndim`` leading axes with their indices, in order."""
    if len(index) == ndim:
        return [(index, values)]
    return [row for i, value in enumerate(values) for row in _rows(value, ndim, (*index, i))]


def _require_laws(name: str, values: Any, axes: str) -> None:
    """Raise unless the last axis holds probability distributions, exactly."""
    for index, row in _rows(values, len(axes)):
        for target, mass in enumerate(row):
            if mass < 0:
                raise InvalidModelError(f"{entry(name, (*index, target), axes + 't')} is {mass}, a negative mass")
        if sum(row) != 1:
            raise InvalidModelError(f"{entry(name, index, axes)} sums to {sum(row)}, not 1")


def _normalise(name: str, values: Any, axes: str, index: tuple[int, ...] = ()) -> Any:
    """Divide the rows below the named axes by their sums."""
    if not isinstance(values, Sequence):
        raise InvalidModelError(f"{entry(name, index, axes)} is {values!r}, not a list of weights")
    if len(index) < len(axes):
        return [_normalise(name, value, axes, (*index, i)) for i, value in enumerate(values)]
    row = [_fraction(entry(name, (*index, target), axes + "t"), weight) for target, weight in enumerate(values)]
    for target, weight in enumerate(row):
        if weight < 0:
            raise InvalidModelError(f"{entry(name, (*index, target), axes + 't')} is {weight}, a negative weight")
    total = sum(row)
    if total == 0:
        raise InvalidModelError(f"{entry(name, index, axes)} has no positive weight")
    return [weight / total for weight in row]


def _floats(values: Any) -> Any:
    """Return nested lists of floats."""
    return [_floats(value) for value in values] if isinstance(values, tuple) else float(values)
