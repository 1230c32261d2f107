r"""Demonstrations: independent episodes of an expert, without rewards, as counts.

N episodes of a Markov policy :math:`\pi^E` are summed up in the counts :math:`N_h(s, a)`. Given the counts
:math:`N_h(s)` of the states of a stage, the actions are multinomial, and so are the next states given the counts of the
pairs:

.. math:: N_h(s, \cdot) \sim \mathrm{Mult}(N_h(s), \pi^E_h(s)), \qquad
          N_{h+1} \sim \sum_{s, a} \mathrm{Mult}(N_h(s, a), p_h(s, a)) ,

so that the counts of any number of episodes are drawn, from their exact law, in a time that does not depend on N.
"""

from dataclasses import dataclass

import numpy as np

from mdps.errors import InvalidModelError
from mdps.kernels import Policy, Seed, action_laws
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Demonstrations:
    """What N episodes of an expert did.

    Parameters
    ----------
    counts
        Visits to the pairs, ``(..., H, S, A)`` int64; leading axes are independent sets of demonstrations.

    Raises
    ------
    InvalidModelError
        Unless the counts are nonnegative integers of the same sum at every stage.
    """

    counts: IntArray

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts)
        if counts.dtype != np.int64 or counts.ndim < 3:
            raise InvalidModelError(
                f"counts has dtype {counts.dtype} and shape {counts.shape}, not int64 (..., H, S, A)"
            )
        if counts.min() < 0:
            raise InvalidModelError(f"counts has an entry {counts.min()}, below zero")
        totals = counts.sum(axis=(-2, -1))
        if (totals != totals.flat[0]).any():
            raise InvalidModelError(f"counts has from {totals.min()} to {totals.max()} episodes a stage")

    @property
    def size(self) -> int:
        """Number N of episodes in a set."""
        return int(self.counts.sum(axis=(-2, -1)).flat[0])

    @property
    def visits(self) -> IntArray:
        """Visits to the states, ``(..., H, S)``."""
        visits: IntArray = self.counts.sum(axis=-1)
        return visits


def sample_demonstrations(
    mdp: FiniteHorizonMDP, expert: Policy, size: int, seed: Seed, runs: int | None = None
) -> Demonstrations:
    """Draw the counts of ``size`` independent episodes.

    Parameters
    ----------
    expert
        A Markov policy, as in `mdps.kernels.action_laws`.
    size
        N, at least zero.
    runs
        Number of independent sets, a leading axis of the counts; a single set without that axis if omitted.

    Raises
    ------
    InvalidModelError
        If ``size`` is negative.
    InvalidPolicyError
        If the expert does not fit the model.
    """
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 0:
        raise InvalidModelError(f"size is {size!r}, not an integer of at least 0")
    generator = np.random.default_rng(seed)
    laws = action_laws(mdp, expert)
    counts = np.empty((1 if runs is None else runs, mdp.horizon, mdp.n_states, mdp.n_actions), dtype=np.int64)
    states = generator.multinomial(size, _rows(mdp.initial), size=counts.shape[0])
    for h in range(mdp.horizon):
        counts[:, h] = generator.multinomial(states, _rows(laws[min(h, laws.shape[0] - 1)]))
        if h + 1 < mdp.horizon:
            kernel = mdp.transitions[min(h, mdp.transitions.shape[0] - 1)]
            states = generator.multinomial(counts[:, h], _rows(kernel)).sum(axis=(1, 2))
    return Demonstrations(counts[0] if runs is None else counts)


def _rows(laws: FloatArray) -> FloatArray:
    """Return laws whose masses sum to one up to rounding, as numpy demands."""
    rows: FloatArray = laws / laws.sum(axis=-1, keepdims=True)
    return rows


def noisy(actions: IntArray, n_actions: int, noise: float) -> FloatArray:
    """Return the policy that plays ``actions (..., S)``, and a uniform action with probability ``noise``.

    Raises
    ------
    InvalidModelError
        If the noise is outside [0, 1].
    """
    if not 0.0 <= noise <= 1.0:
        raise InvalidModelError(f"noise is {noise!r}, outside [0, 1]")
    policy: FloatArray = (1.0 - noise) * np.eye(n_actions)[actions] + noise / n_actions
    return policy
