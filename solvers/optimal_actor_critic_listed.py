r"""Ridge critics from lists of transitions, for features that are no table over few states.

A `FeatureTable` names the feature of each (observation, action): ``features[index[o, a]]``. Rows may be shared by many
observations; without sharing there is one row a pair. From the steps :math:`(\phi_t, r_t, o'_t)` of a stage,

.. math:: w_h = \Lambda_h^{-1} \sum_t \phi_t (r_t + V_{h+1}(o'_t)), \qquad
          Q_h = \operatorname{clip}(\phi^\top w_h + \beta \|\phi\|_{\Lambda_h^{-1}}, 0, B_h), \qquad
          V_h = \max_a Q_h(\cdot, a) ,

as in `solvers.optimal_actor_critic_linear_kernels`, at a cost that grows with the number of steps. One list of steps
may serve all stages where the model is the same at all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mdps.validation import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features ``(R, d)`` and the row of each observation and action, ``index (O, A)``."""

    features: FloatArray
    index: IntArray


@dataclass(frozen=True, eq=False)
class Steps:
    """Transitions of a stage: rows of their features, rewards, and next observations, ``(n,)`` each."""

    rows: IntArray
    rewards: FloatArray
    following: IntArray


@dataclass(frozen=True, eq=False)
class ListedCritic:
    """A critic by feature rows.

    Attributes
    ----------
    weights
        ``(H, d)``.
    inverses
        Of the covariances, ``(G, d, d)`` with G = 1 (all stages share their steps) or H.
    """

    table: FeatureTable
    weights: FloatArray
    inverses: FloatArray
    beta: float
    caps: FloatArray

    def action_values(self, h: int, rows: IntArray) -> FloatArray:
        """Return Q of stage h at rows of the feature table."""
        phi = self.table.features[rows]
        inverse = self.inverses[h % len(self.inverses)]
        return _clipped(phi @ self.weights[h], self.beta * norms(phi, inverse), self.caps[h])


def norms(features: FloatArray, inverse: FloatArray) -> FloatArray:
    """Return the norms of features, any leading axes, in the inverse of a covariance."""
    squares: FloatArray = np.einsum("...i,...i->...", features @ inverse, features)
    return np.sqrt(np.maximum(squares, 0.0))


def covariance(features: FloatArray, ridge: float) -> FloatArray:
    """Return ridge I plus the sum of the outer products of the rows."""
    product: FloatArray = features.T @ features
    return product + ridge * np.eye(features.shape[1])


def listed_critic(
    table: FeatureTable, steps: Sequence[Steps], caps: FloatArray, beta: float, ridge: float = 1.0
) -> ListedCritic:
    """Return the critic of lists of steps.

    Parameters
    ----------
    steps
        One list for all stages or one a stage.
    caps
        Upper clips of Q, ``(H,)``.

    Raises
    ------
    ValueError
        If the number of lists is neither one nor H.
    """
    H, d = len(caps), table.features.shape[1]
    if len(steps) not in (1, H):
        raise ValueError(f"steps has {len(steps)} lists, neither 1 nor H = {H}")
    lists = [_prepare(table, stage, ridge) for stage in steps]
    shared = beta * norms(lists[0].ahead, lists[0].inverse) if len(lists) == 1 else None
    weights, values = np.empty((H, d)), np.zeros(len(steps[-1].rows))
    for h in reversed(range(H)):
        current = lists[h % len(lists)]
        if h + 1 < H:
            bonus = beta * norms(current.ahead, lists[h + 1].inverse) if shared is None else shared
            q = _clipped(current.ahead @ weights[h + 1], bonus, caps[h + 1])
            values = q[current.lookup].max(axis=1)[current.spread]
        weights[h] = current.inverse @ (current.features.T @ (steps[h % len(lists)].rewards + values))
    return ListedCritic(table, weights, np.array([current.inverse for current in lists]), beta, caps)


@dataclass(frozen=True, eq=False)
class _Prepared:
    """What does not change with the values: the distinct next observations are looked up once."""

    features: FloatArray  # (n, d)
    inverse: FloatArray  # (d, d)
    ahead: FloatArray  # (R', d): features that occur at the next observations
    lookup: IntArray  # (u, A): their rows, by distinct next observation
    spread: IntArray  # (n,): the distinct next observation of each step


def _prepare(table: FeatureTable, steps: Steps, ridge: float) -> _Prepared:
    features = table.features[steps.rows]
    distinct, spread = np.unique(steps.following, return_inverse=True)
    rows, lookup = np.unique(table.index[distinct], return_inverse=True)
    inverse: FloatArray = np.linalg.inv(covariance(features, ridge)).astype(np.float64)
    shape = (len(distinct), table.index.shape[1])
    return _Prepared(features, inverse, table.features[rows], lookup.reshape(shape), spread.ravel())


def _clipped(mean: FloatArray, bonus: FloatArray, cap: float) -> FloatArray:
    return np.clip(mean + bonus, 0.0, cap)
