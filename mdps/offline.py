r"""Offline data: transitions that were collected before learning starts, and how well they cover a policy.

At each stage h the data hold :math:`n_h(s, a)` transitions from (s, a), whose next states are fresh draws from
:math:`p_h(\cdot \mid s, a)`, however the pairs were chosen. If the pairs of stage h come from a law :math:`\mu_h`, the
*single-policy concentrability* of an optimal policy with occupancy :math:`d^\star` is, with 0/0 = 0 and x/0 = infinity,

* in a table, :math:`\max_{h,s,a} d^\star_h(s, a) / \mu_h(s, a)`;
* for linear Bellman errors, :math:`\max_h \sup_w \mathbb E_{d^\star_h}(\phi^\top w)^2 /
  \mathbb E_{\mu_h} (\phi^\top w)^2`, the largest generalised eigenvalue of the two second moments;
* for a finite class, :math:`\max_h \max_{f, g} \mathbb E_{d^\star_h} (f - \mathcal T_h g)^2 /
  \mathbb E_{\mu_h} (f - \mathcal T_h g)^2`,

each at most the one above it where the errors are of the form that it speaks about.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdps.critics import FiniteCritics, bellman_errors, stage_kernel
from mdps.errors import InvalidModelError
from mdps.kernels import Policy, Seed, action_laws, sample_trajectories
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray, as_float_array, entry, first_index, require_distributions
from mdps.validation import require_shape as require_float_shape


@dataclass(frozen=True, eq=False)
class OfflineData:
    """Numbers of offline transitions.

    Parameters
    ----------
    transitions
        ``(H, S, A, S)`` integers: how often (s, a) at stage h was followed by t.

    Raises
    ------
    InvalidModelError
        Naming the first offending entry.
    """

    transitions: IntArray

    def __init__(self, transitions: npt.ArrayLike) -> None:
        array = np.array(transitions, order="C")
        if array.dtype.kind not in "iu":
            raise InvalidModelError(f"offline transitions have dtype {array.dtype}, not integers")
        if array.ndim != 4 or array.shape[1] != array.shape[3]:
            raise InvalidModelError(f"offline transitions have shape {array.shape}, not (H, S, A, S)")
        negative = array < 0
        if negative.any():
            index = first_index(negative)
            raise InvalidModelError(f"{entry('offline transitions', index, 'hsat')} is {array[index]}, negative")
        array = array.astype(np.int64)
        array.setflags(write=False)
        object.__setattr__(self, "transitions", array)

    @property
    def counts(self) -> IntArray:
        """Visits ``(H, S, A)``."""
        totals: IntArray = self.transitions.sum(axis=3)
        return totals

    @property
    def size(self) -> int:
        """N_off, the largest number of transitions of a stage."""
        return int(self.transitions.sum(axis=(1, 2, 3)).max())

    def require_fit(self, mdp: FiniteHorizonMDP) -> None:
        """Raise `InvalidModelError` unless the data have the shape of the model."""
        shape = (mdp.horizon, mdp.n_states, mdp.n_actions, mdp.n_states)
        if self.transitions.shape != shape:
            raise InvalidModelError(f"offline transitions have shape {self.transitions.shape}, not {shape}")


def no_data(mdp: FiniteHorizonMDP) -> OfflineData:
    """Return the empty data set of a model."""
    return offline_counts(mdp, np.zeros((mdp.horizon, mdp.n_states, mdp.n_actions), dtype=np.int64), 0)


def offline_trajectories(mdp: FiniteHorizonMDP, policy: Policy, n: int, seed: Seed) -> OfflineData:
    """Return the transitions of ``n`` episodes of a policy, which are independent draws of its occupancy a stage."""
    paths = sample_trajectories(mdp, policy, n, seed)
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    transitions = np.zeros((H, S, A, S), dtype=np.int64)
    stages = np.broadcast_to(np.arange(H), paths.actions.shape)
    np.add.at(transitions, (stages, paths.states[:, :-1], paths.actions, paths.states[:, 1:]), 1)
    return OfflineData(transitions)


def mixture(mdp: FiniteHorizonMDP, policies: Sequence[Policy]) -> FloatArray:
    """Return the policy ``(H, S, A)`` that draws each action from the mean of the laws of several policies."""
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    return np.mean([np.broadcast_to(action_laws(mdp, policy), shape) for policy in policies], axis=0)


def offline_draws(mdp: FiniteHorizonMDP, measure: npt.ArrayLike, n: int, seed: Seed) -> OfflineData:
    """Return ``n`` transitions a stage whose pairs are independent draws of ``measure``, ``(H, S, A)``.

    Raises
    ------
    InvalidModelError
        If a stage of the measure is no law.
    """
    laws = as_float_array("measure", measure)
    require_float_shape("measure", laws, (mdp.horizon, mdp.n_states, mdp.n_actions))
    flat = laws.reshape(mdp.horizon, -1)
    require_distributions("measure", flat, "h")
    rng = np.random.default_rng(seed)
    return _next_states(mdp, rng.multinomial(n, flat / flat.sum(axis=1, keepdims=True)).reshape(laws.shape), rng)


def offline_counts(mdp: FiniteHorizonMDP, counts: npt.ArrayLike, seed: Seed) -> OfflineData:
    """Return prescribed numbers of transitions, ``(H, S, A)`` integers, with fresh next states.

    Raises
    ------
    InvalidModelError
        If the counts are no such numbers.
    """
    array = np.asarray(counts)
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    if array.dtype.kind not in "iu" or array.shape != shape or (array < 0).any():
        raise InvalidModelError(f"counts are not nonnegative integers of shape {shape}")
    return _next_states(mdp, array, np.random.default_rng(seed))


def tabular_concentrability(optimal: FloatArray, measure: FloatArray) -> float:
    """Return the largest ratio of an occupancy to the law of the data, both ``(H, S, A)``."""
    return _largest_ratio(optimal, measure)


def class_concentrability(
    mdp: FiniteHorizonMDP, critics: FiniteCritics, optimal: FloatArray, measure: FloatArray
) -> float:
    """Return the largest ratio of mean squared Bellman errors of a finite class under the two laws, ``(H, S, A)``."""
    worst = 0.0
    for h, errors in enumerate(bellman_errors(mdp, critics)):
        squares = errors**2
        over, under = (np.einsum("fgsa,sa->fg", squares, law[h]) for law in (optimal, measure))
        worst = max(worst, _largest_ratio(over, under))
    return worst


def linear_concentrability(features: FloatArray, optimal: FloatArray, measure: FloatArray) -> float:
    """Return the largest ratio of the second moments of linear errors.

    Parameters
    ----------
    features
        ``(H, S, A, d)``.
    optimal, measure
        Laws ``(H, S, A)``.

    Returns
    -------
    Infinity if the data miss a direction that the optimal policy sees.
    """
    worst = 0.0
    for phi, law, data in zip(features, optimal, measure, strict=True):
        over, under = (np.einsum("sa,sai,saj->ij", w, phi, phi) for w in (law, data))
        values, vectors = np.linalg.eigh(under)
        seen = values > 1e-12 * max(values.max(), 1e-300)
        unseen = vectors[:, ~seen]
        if np.einsum("ik,ij,jk->", unseen, over, unseen) > 1e-12:
            return float("inf")
        whitened = vectors[:, seen] / np.sqrt(values[seen])
        worst = max(worst, float(np.linalg.eigvalsh(whitened.T @ over @ whitened).max()))
    return worst


def _largest_ratio(over: FloatArray, under: FloatArray) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(over == 0.0, 0.0, over / under).max())


def _next_states(mdp: FiniteHorizonMDP, counts: npt.NDArray[np.integer], rng: np.random.Generator) -> OfflineData:
    kernels = np.stack([stage_kernel(mdp, h) for h in range(mdp.horizon)])
    return OfflineData(rng.multinomial(counts, kernels / kernels.sum(axis=-1, keepdims=True)))
