r"""Finite classes of critics, and what regret theorems ask of them.

A critic is :math:`f = (f_0, \dots, f_{H-1})` with :math:`f_h \in \mathcal F_h`, a finite set of functions of a state
and an action, and :math:`f_H = 0`. With the optimality backup

.. math:: (\mathcal T_h g)(s, a) = r_h(s, a) + \sum_t p_h(t \mid s, a) \max_{b} g(t, b)

the class is *realizable* if :math:`Q^\star_h \in \mathcal F_h`, and *complete* if
:math:`\mathcal T_h g \in \mathcal F_h` for all :math:`g \in \mathcal F_{h+1}`; the Bellman errors of the pairs are
:math:`f - \mathcal T_h g`. A class with both properties is built backwards (`complete_class`) from any finite sets
:math:`D_h` of distractors,

.. math:: \mathcal F_{H-1} = \{r_{H-1}\} \cup D_{H-1}, \qquad
          \mathcal F_h = \{\mathcal T_h g : g \in \mathcal F_{h+1}\} \cup D_h .

**Dirac eluder dimension.** A point x is :math:`\varepsilon`-independent of a set P if some function of the class has
:math:`\sum_{p \in P} \varphi(p)^2 \le \varepsilon^2` and :math:`|\varphi(x)| > \varepsilon`. The dimension at
:math:`\varepsilon` is the length of the longest sequence of points, each :math:`\varepsilon'`-independent of those
before it, for one :math:`\varepsilon' \ge \varepsilon`. No point occurs twice, so that it is at most the number of
points.

References
----------
C. Jin, Q. Liu and S. Miryoosefi (2021). Bellman eluder dimension: new rich classes of RL problems, and sample-efficient
algorithms. NeurIPS.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray, as_float_array, require_shape

MATCH = 1e-12
"""Functions at most this far apart count as the same."""

MAX_POINTS = 8
"""Largest number of points of an exhaustive search."""


@dataclass(frozen=True, eq=False)
class FiniteCritics:
    """A finite class of critics, one set of functions a stage.

    Parameters
    ----------
    functions
        One array ``(F_h, S, A)`` for each stage; the order of the functions matters where ties are broken.

    Raises
    ------
    InvalidModelError
        Naming the first stage that does not fit.
    """

    functions: tuple[FloatArray, ...]

    def __init__(self, functions: Sequence[npt.ArrayLike]) -> None:
        if not functions:
            raise InvalidModelError("critics have no stage")
        stages = tuple(as_float_array(f"critics of stage {h}", stage) for h, stage in enumerate(functions))
        for h, stage in enumerate(stages):
            if stage.ndim != 3 or stage.size == 0:
                raise InvalidModelError(f"critics of stage {h} have shape {stage.shape}, not (F, S, A)")
            require_shape(f"critics of stage {h}", stage, (stage.shape[0], *stages[0].shape[1:]))
        object.__setattr__(self, "functions", stages)

    @property
    def horizon(self) -> int:
        """Number of stages H."""
        return len(self.functions)

    @property
    def sizes(self) -> IntArray:
        """Number of functions of each stage, ``(H,)``."""
        return np.array([len(stage) for stage in self.functions], dtype=np.int64)

    @property
    def pairs(self) -> int:
        """Number of pairs of functions of successive stages, the zero function being alone at the end."""
        sizes = np.append(self.sizes, 1)
        return int(sizes[:-1] @ sizes[1:])

    def values(self, h: int) -> FloatArray:
        """Return the maxima over the actions of the functions of stage h, ``(F_h, S)``; of zero alone for h = H."""
        if h == self.horizon:
            return np.zeros((1, self.functions[0].shape[1]))
        return self.functions[h].max(axis=2)


def stage_kernel(mdp: FiniteHorizonMDP, h: int) -> FloatArray:
    """Return the kernel ``(S, A, S)`` of a stage."""
    return mdp.transitions[min(h, len(mdp.transitions) - 1)]


def stage_rewards(mdp: FiniteHorizonMDP, h: int) -> FloatArray:
    """Return the mean rewards ``(S, A)`` of a stage."""
    return mdp.rewards[min(h, len(mdp.rewards) - 1)]


def backup(mdp: FiniteHorizonMDP, h: int, values: FloatArray) -> FloatArray:
    """Return r_h + P_h V of functions V of the next state: ``(..., S)`` to ``(..., S, A)``."""
    means: FloatArray = np.einsum("sat,...t->...sa", stage_kernel(mdp, h), values)
    return stage_rewards(mdp, h) + means


def optimal_q(mdp: FiniteHorizonMDP) -> FloatArray:
    """Return the optimal action values ``(H, S, A)``, the fixed point of `backup`."""
    q = np.zeros((mdp.horizon + 1, mdp.n_states, mdp.n_actions))
    for h in reversed(range(mdp.horizon)):
        q[h] = backup(mdp, h, q[h + 1].max(axis=1))
    return q[:-1]


def complete_class(mdp: FiniteHorizonMDP, distractors: int = 10, seed: int = 0) -> FiniteCritics:
    """Return a realizable and complete class with ``distractors`` uniform functions a stage; Q* comes first.

    The distractors of stage h take values in [0, H - h]; there are H - h times as many functions as distractors, plus
    one.

    Raises
    ------
    InvalidModelError
        If ``distractors`` is negative.
    """
    if distractors < 0:
        raise InvalidModelError(f"distractors is {distractors!r}, not a number of functions")
    rng = np.random.default_rng(seed)
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    stages: list[FloatArray] = []
    values = np.zeros((1, S))
    for h in reversed(range(H)):
        drawn = rng.random((distractors, S, A)) * (H - h)
        stages.insert(0, np.concatenate([backup(mdp, h, values), drawn]))
        values = stages[0].max(axis=2)
    return FiniteCritics(stages)


def bellman_errors(mdp: FiniteHorizonMDP, critics: FiniteCritics) -> list[FloatArray]:
    """Return the errors f - T_h g of all pairs, for each stage ``(F_h, F_{h+1}, S, A)``."""
    _require_fit(mdp, critics)
    stages = enumerate(critics.functions)
    return [stage[:, None] - backup(mdp, h, critics.values(h + 1))[None] for h, stage in stages]


def realizability_gap(mdp: FiniteHorizonMDP, critics: FiniteCritics) -> float:
    """Return the largest distance, in supremum norm, of a Q*_h from its set; zero iff the class is realizable."""
    _require_fit(mdp, critics)
    return max(_distances(f, q[None])[0] for f, q in zip(critics.functions, optimal_q(mdp), strict=True))


def completeness_gap(mdp: FiniteHorizonMDP, critics: FiniteCritics) -> float:
    """Return the largest distance of a backup T_h g from the set of stage h; zero iff the class is complete."""
    _require_fit(mdp, critics)
    return max(
        float(_distances(f, backup(mdp, h, critics.values(h + 1))).max()) for h, f in enumerate(critics.functions)
    )


def policy_completeness_gap(mdp: FiniteHorizonMDP, critics: FiniteCritics, policy: npt.ArrayLike) -> float:
    """Return the same for the backups under a policy ``(H, S, A)``, with means over its actions for maxima."""
    _require_fit(mdp, critics)
    laws = as_float_array("policy", policy)
    require_shape("policy", laws, (mdp.horizon, mdp.n_states, mdp.n_actions))
    worst = 0.0
    for h in range(mdp.horizon - 1):
        values = np.einsum("nsa,sa->ns", critics.functions[h + 1], laws[h + 1])
        worst = max(worst, float(_distances(critics.functions[h], backup(mdp, h, values)).max()))
    last = backup(mdp, mdp.horizon - 1, critics.values(mdp.horizon))
    return max(worst, float(_distances(critics.functions[-1], last).max()))


def within_range(critics: FiniteCritics) -> bool:
    """Whether the functions of stage h take values in [0, H - h] (up to rounding)."""
    left = range(critics.horizon, 0, -1)
    return all(f.min() >= -MATCH and f.max() <= b + MATCH for f, b in zip(critics.functions, left, strict=True))


def optimal_indices(mdp: FiniteHorizonMDP, critics: FiniteCritics) -> IntArray:
    """Return the first index of Q*_h in each stage, ``(H,)``, -1 where it is absent."""
    _require_fit(mdp, critics)
    found = []
    for f, q in zip(critics.functions, optimal_q(mdp), strict=True):
        same = np.abs(f - q).max(axis=(1, 2)) <= MATCH
        found.append(int(np.argmax(same)) if same.any() else -1)
    return np.array(found, dtype=np.int64)


def reachable_pairs(mdp: FiniteHorizonMDP) -> IntArray:
    """Return the number of pairs that some policy visits at each stage, ``(H,)``."""
    here = mdp.initial > 0.0
    numbers = []
    for h in range(mdp.horizon):
        numbers.append(int(here.sum()) * mdp.n_actions)
        here = np.any(stage_kernel(mdp, h)[here] > 0.0, axis=(0, 1))
    return np.array(numbers, dtype=np.int64)


def eluder_dimension(functions: npt.ArrayLike, epsilon: float) -> int:
    """Return the Dirac eluder dimension of a class, by exhaustion over the sets of points.

    Parameters
    ----------
    functions
        Values ``(n, points)``.
    epsilon
        Scale, positive.

    Raises
    ------
    InvalidModelError
        For more than `MAX_POINTS` points, or a scale that is not positive.
    """
    table = np.abs(as_float_array("functions", functions))
    if table.ndim != 2 or not 1 <= table.shape[1] <= MAX_POINTS:
        raise InvalidModelError(f"functions has shape {table.shape}, not (n, points) with 1 to {MAX_POINTS} points")
    if not epsilon > 0.0:
        raise InvalidModelError(f"epsilon is {epsilon!r}, not positive")
    points = table.shape[1]
    members = (np.arange(2**points)[:, None] >> np.arange(points)) & 1
    norms = np.sqrt(table**2 @ members.T)
    # Independence holds for scales of an interval [norm, |phi(x)|): the least scale that serves a whole sequence is
    # one of the norms, or epsilon itself.
    scales = np.unique(np.append(norms[(norms > epsilon) & (norms < table.max())], epsilon))
    reached = np.zeros((2**points, scales.size), dtype=bool)
    reached[0] = True
    longest = 0
    for subset in range(2**points):
        if not reached[subset].any():
            continue
        longest = max(longest, int(members[subset].sum()))
        for x in range(points):
            if not members[subset, x]:
                between = (norms[:, subset, None] <= scales) & (table[:, x, None] > scales)
                reached[subset | 1 << x] |= reached[subset] & between.any(axis=0)
    return longest


def _distances(functions: FloatArray, targets: FloatArray) -> FloatArray:
    """Return the distance of each target ``(n, S, A)`` from the nearest function, in supremum norm."""
    apart: FloatArray = np.abs(functions[None] - targets[:, None]).max(axis=(2, 3)).min(axis=1)
    return apart


def _require_fit(mdp: FiniteHorizonMDP, critics: FiniteCritics) -> None:
    shape, expected = critics.functions[0].shape[1:], (mdp.n_states, mdp.n_actions)
    if critics.horizon != mdp.horizon or shape != expected:
        raise InvalidModelError(
            f"critics have {critics.horizon} stages of shape {shape}, the model {mdp.horizon} of {expected}"
        )
