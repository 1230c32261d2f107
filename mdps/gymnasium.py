r"""Gymnasium's tabular environments as exact models, and two exact reductions of models.

An environment such as ``FrozenLake-v1`` publishes its table ``P[s][a] = [(probability, next state, reward, terminated),
...]``. From it, with no sampling,

.. math:: p(t \mid s, a) = \sum_i p_i 1\{t_i = t\}, \qquad r(s, a) = \sum_i p_i r_i .

*Terminated.* A transition marked as terminated leads to one further, absorbing state (the last one, with zero
reward for ever), wherever the table says it goes; the returns of the model are those of the environment. The state
is added only if some transition terminates. *Truncated.* The environment's own limit on the length of an episode is
not used: the horizon of the model is the one asked for.

*Rewards in [0, 1].* With ``unit_rewards=True`` every mean reward r becomes :math:`(r - l) / (u - l)`, where l and u
are the least and the largest mean reward of the model, absorbing state included (all zero if l = u). The absorbing
state's reward becomes :math:`-l / (u - l)`, so that the map is one and the same for all policies, :math:`J' = (J -
H l) / (u - l)` over H stages and :math:`J' = (J - l / (1 - \gamma)) / (u - l)` with a discount, and keeps their
order.

*Reductions.* `restrict_to_reachable` drops the states that no policy can reach from the first one. `aggregate`
merges bisimilar states (R. Givan, T. Dean and M. Greig (2003), Equivalence notions and model minimization in Markov
decision processes, Artif. Intell. 147): the coarsest partition, refined from equal rewards, in which two states of
a class have equal masses on every class under every action. Masses are summed as fractions: no tolerance is
involved, and :math:`V^*(s) = V^*(\text{class of } s)` but for the rounding of the sums to float64.
"""

from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction
from types import ModuleType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mdps.errors import InvalidModelError
from mdps.tabular import DiscountedMDP, FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray

Model = TypeVar("Model", FiniteHorizonMDP, DiscountedMDP)
Table = Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]]


def from_gymnasium(env_id: str, horizon: int, *, unit_rewards: bool = False, **kwargs: Any) -> FiniteHorizonMDP:
    """Return the episodic model of a tabular environment.

    Parameters
    ----------
    env_id
        Name in Gymnasium's registry, such as ``"FrozenLake-v1"``.
    horizon
        Number of stages.
    unit_rewards
        Whether to map the rewards affinely into [0, 1] (see the head of the module).
    **kwargs
        Passed to ``gymnasium.make``, such as ``map_name="8x8"``.

    Raises
    ------
    ImportError
        If Gymnasium, an optional extra, is not installed.
    InvalidModelError
        If the environment publishes no transition table.
    """
    transitions, rewards, initial = _exact_model(env_id, kwargs)
    if unit_rewards:
        rewards = _to_unit_interval(rewards)
    return FiniteHorizonMDP(transitions, rewards, horizon, initial)


def discounted_from_gymnasium(
    env_id: str, discount: float, *, unit_rewards: bool = False, **kwargs: Any
) -> DiscountedMDP:
    """Return the discounted model of a tabular environment (see `from_gymnasium`)."""
    transitions, rewards, initial = _exact_model(env_id, kwargs)
    if unit_rewards:
        rewards = _to_unit_interval(rewards)
    return DiscountedMDP(transitions, rewards, discount, initial)


def _import_gymnasium() -> ModuleType:
    try:
        import gymnasium
    except ImportError as error:
        raise ImportError(
            "Gymnasium is not installed: it comes with the extra 'gym' (pip install 'boundcheck[gym]')"
        ) from error
    module: ModuleType = gymnasium
    return module


def _exact_model(env_id: str, kwargs: dict[str, Any]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return transitions ``(S, A, S)``, mean rewards ``(S, A)`` and the law of the first state."""
    environment = _import_gymnasium().make(env_id, **kwargs)
    try:
        bare = environment.unwrapped
        for attribute in ("P", "initial_state_distrib"):
            if not hasattr(bare, attribute):
                raise InvalidModelError(f"{env_id} has no {attribute}: it publishes no transition table")
        return tables_of(bare.P, bare.initial_state_distrib)
    finally:
        environment.close()


def tables_of(table: Table, initial: npt.ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return transitions ``(S, A, S)``, mean rewards ``(S, A)`` and first law of a Gymnasium table.

    Parameters
    ----------
    table
        ``table[s][a]`` lists ``(probability, next state, reward, terminated)``; states and actions count from zero.
    initial
        Law of the first state, without the absorbing one.
    """
    n_states, n_actions = len(table), len(table[0])
    ends = any(row[3] for actions in table.values() for rows in actions.values() for row in rows)
    size = n_states + 1 if ends else n_states
    transitions, rewards = np.zeros((size, n_actions, size)), np.zeros((size, n_actions))
    transitions[n_states:, :, n_states:] = 1.0
    for state, actions in table.items():
        for action, rows in actions.items():
            for mass, target, reward, terminated in rows:
                transitions[state, action, n_states if terminated else target] += mass
                rewards[state, action] += mass * reward
    law = np.concatenate([np.asarray(initial, dtype=np.float64), np.zeros(size - n_states)])
    return transitions, rewards, law


def _to_unit_interval(rewards: FloatArray) -> FloatArray:
    low, high = rewards.min(), rewards.max()
    return (rewards - low) / (high - low) if high > low else np.zeros_like(rewards)


# Reductions


def restrict_to_reachable(mdp: Model) -> tuple[Model, IntArray]:
    """Return the model without the states that cannot be reached, and the states kept, in order.

    A state is kept if some actions, at some stages, lead to it from the support of the first law in any number of
    steps; a policy's values on the kept states are those of the full model.
    """
    stages = _stages(mdp)
    edges = [matrix.tocoo() for matrix in stages]
    positive = [edge.data > 0.0 for edge in edges]
    sources = np.concatenate([e.coords[0][p] // mdp.n_actions for e, p in zip(edges, positive, strict=True)])
    targets = np.concatenate([e.coords[1][p] for e, p in zip(edges, positive, strict=True)])
    reached = mdp.initial > 0.0
    n_reached = 0
    while reached.sum() > n_reached:
        n_reached = reached.sum()
        reached[targets[reached[sources]]] = True
    kept = np.flatnonzero(reached)
    rows = np.flatnonzero(np.repeat(reached, mdp.n_actions))
    restricted = [matrix[rows][:, kept] for matrix in stages]
    return _rebuild(mdp, restricted, mdp.rewards[..., kept, :], mdp.initial[kept]), kept


def aggregate(mdp: Model) -> tuple[Model, IntArray]:
    """Return the quotient of the model by bisimilarity, and the class of every state, ``(S,)``.

    Classes are numbered in the order of their first states; for a stage-dependent model one partition serves all
    stages. ``values[classes]`` turns state values of the quotient into state values of the model.
    """
    stages = _stages(mdp)
    by_state = np.moveaxis(mdp.rewards, -2, 0).reshape(mdp.n_states, -1)
    classes = _number([tuple(row) for row in by_state.tolist()])
    n_classes = 0
    while classes.max() + 1 > n_classes:
        n_classes = int(classes.max()) + 1
        classes = _number([_signature(stages, mdp.n_actions, state, classes) for state in range(mdp.n_states)])
    first = np.unique(classes, return_index=True)[1]
    quotient = []
    for matrix in stages:
        reduced = sparse.lil_array((n_classes * mdp.n_actions, n_classes))
        for row, source in enumerate((first[:, None] * mdp.n_actions + np.arange(mdp.n_actions)).ravel()):
            for target, mass in _class_masses(matrix, int(source), classes).items():
                reduced[row, target] = float(mass)
        quotient.append(sparse.csr_array(reduced))
    initial = [float(sum(map(Fraction, mdp.initial[classes == c].tolist()))) for c in range(n_classes)]
    return _rebuild(mdp, quotient, mdp.rewards[..., first, :], np.array(initial)), classes


def _signature(stages: list[sparse.csr_array], n_actions: int, state: int, classes: IntArray) -> tuple[Hashable, ...]:
    """Return the class of a state and, for every stage and action, its exact masses on the classes."""
    rows = range(state * n_actions, (state + 1) * n_actions)
    laws = (frozenset(_class_masses(matrix, row, classes).items()) for matrix in stages for row in rows)
    return int(classes[state]), *laws


def _class_masses(matrix: sparse.csr_array, row: int, classes: IntArray) -> dict[int, float | Fraction]:
    """Return the positive masses of a row on the classes; sums are exact (a float equals its fraction)."""
    masses: dict[int, float | Fraction] = {}
    entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
    for target, mass in zip(classes[matrix.indices[entries]].tolist(), matrix.data[entries].tolist(), strict=True):
        if mass > 0.0:
            masses[target] = Fraction(masses[target]) + Fraction(mass) if target in masses else mass
    return masses


def _number(signatures: Sequence[Hashable]) -> IntArray:
    """Give equal signatures equal numbers, in the order of their first occurrence."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(signature, len(numbers)) for signature in signatures], dtype=np.int64)


def _stages(mdp: FiniteHorizonMDP | DiscountedMDP) -> list[sparse.csr_array]:
    """Return one matrix ``(S * A, S)`` for each stored stage."""
    kernel = mdp.transitions
    if isinstance(kernel, sparse.csr_array):
        return [kernel]
    return [sparse.csr_array(stage) for stage in kernel.reshape(-1, mdp.n_states * mdp.n_actions, mdp.n_states)]


def _rebuild(
    mdp: FiniteHorizonMDP | DiscountedMDP, stages: list[sparse.csr_array], rewards: FloatArray, initial: FloatArray
) -> Any:
    """Return a model of the same kind with other states."""
    n_states = len(initial)
    if isinstance(mdp, DiscountedMDP):
        kernel = stages[0] if mdp.is_sparse else stages[0].toarray().reshape(n_states, -1, n_states)
        return DiscountedMDP(kernel, rewards, mdp.discount, initial, mdp.reward_law)
    dense = np.stack([stage.toarray().reshape(n_states, -1, n_states) for stage in stages])
    return FiniteHorizonMDP(dense, rewards, mdp.horizon, initial, mdp.reward_law)
