"""Policies of finite models: their checks, and a random one.

A deterministic policy is an array of integers, ``(S,)`` or ``(H, S)``; a stochastic one is an array of floats,
``(S, A)`` or ``(H, S, A)``, whose rows are laws on the actions.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidPolicyError
from mdps.tabular import DiscountedMDP, FiniteHorizonMDP
from mdps.validation import MASS_TOLERANCE, FloatArray, entry
from solvers import planning_kernels as kernels

PolicyArray = npt.NDArray[Any]
"""int64 (deterministic) or float64 (stochastic)."""


def random_policy(mdp: FiniteHorizonMDP | DiscountedMDP, rng: np.random.Generator) -> FloatArray:
    """Draw a stochastic policy, rows uniform on the simplex: ``(H, S, A)``, or ``(S, A)`` if discounted."""
    stages = (mdp.horizon,) if isinstance(mdp, FiniteHorizonMDP) else ()
    return rng.dirichlet(np.ones(mdp.n_actions), size=(*stages, mdp.n_states))


def as_policy(policy: npt.ArrayLike, n_states: int, n_actions: int, horizon: int) -> PolicyArray:
    """Validate a policy; return int64 ``(1 or H, S)`` or float64 ``(1 or H, S, A)``, C-contiguous.

    Raises
    ------
    InvalidPolicyError
        Naming the first offending entry.
    """
    array = np.asarray(policy)
    kind = array.dtype.kind
    if kind not in "iuf" or (kind == "f" and array.dtype != np.float64):
        raise InvalidPolicyError(f"policy has dtype {array.dtype}, not an integer type or float64")
    deterministic = kind != "f"
    tail = (n_states,) if deterministic else (n_states, n_actions)
    if array.shape == tail:
        array = array[None]
    elif array.shape != (horizon, *tail):
        raise InvalidPolicyError(f"policy has shape {array.shape}, not {tail} or {(horizon, *tail)}")
    if not array.flags.writeable or not array.flags.c_contiguous:
        array = array.copy(order="C")  # one compiled signature, whoever made the policy
    if deterministic:
        array = array.astype(np.int64, copy=False)
        bad = kernels.first_bad_action(array, n_actions)
    else:
        bad = kernels.first_bad_law(array, MASS_TOLERANCE)
    if bad >= 0:
        _raise_bad_entry(array, divmod(bad, n_states), n_actions)
    return array


def _raise_bad_entry(array: PolicyArray, index: tuple[int, int], n_actions: int) -> None:
    name = entry("policy", index, "hs")
    if array.ndim == 2:
        raise InvalidPolicyError(f"{name} is {array[index]}, not an action 0 .. {n_actions - 1}")
    row = array[index]
    for a, mass in enumerate(row):
        if not mass >= 0.0:
            raise InvalidPolicyError(f"{entry('policy', (*index, a), 'hsa')} is {mass}, not a probability")
    raise InvalidPolicyError(f"{name} sums to {float(row.sum()):.12g}, not 1")
