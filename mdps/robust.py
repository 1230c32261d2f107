r"""Robust linear MDPs: an adversary changes every factor of every stage, independently of the others.

Around a nominal linear MDP with factors :math:`\mu^0_{h,i}` and for a divergence D, the *d-rectangular* set of models
is :math:`\{ p_h = \sum_i \phi_i \mu_i : D(\mu_i, \mu^0_{h,i}) \le \rho_{h,i} \}`; in its regularised twin the adversary
pays :math:`\sigma_{h,i}\, \phi_i\, D(\mu_i, \mu^0_{h,i})` instead. With one factor a pair of state and action this is
the *(s, a)-rectangular* set. The kinds are named as in ``solvers.robust_planning.FactorSet``.

**Fail state.** A known state :math:`s_f` that nothing leaves and where nothing is paid. For total variation the worst
law then moves mass to it, and the *caps* of values of all policies are smaller than the number of stages that are left:

.. math:: B_{H+1} = 0, \qquad B_h = 1 + \max_i (1 - \rho_{h,i})\, B_{h+1} \;\;(\text{a radius}), \qquad
          B_h = 1 + \min\{\max_i \sigma_{h,i}, B_{h+1}\} \;\;(\text{a penalty}),

the maxima over the factors that are not the point mass on :math:`s_f`; otherwise :math:`B_h = H - h + 1`.

References
----------
Z. Liu and P. Xu (2024). Distributionally robust off-dynamics reinforcement learning: provable efficiency with linear
function approximation. AISTATS. X. Ma et al. (2022). Distributionally robust offline reinforcement learning with linear
function approximation. arXiv:2209.06620.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError
from mdps.linear import LinearMDP, one_hot
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, entry, first_index

SetKind = Literal[
    "tv_constrained", "tv_regularised", "kl_constrained", "kl_regularised", "chi2_constrained", "chi2_regularised"
]
"""A divergence, as a constraint or as a penalty."""


@dataclass(frozen=True, eq=False)
class RobustLinearMDP:
    """A linear MDP and what an adversary may do to its factors.

    Parameters
    ----------
    nominal
        The model that the learner interacts with.
    kind
        A divergence, constrained or regularised; see `SetKind`.
    levels
        Radii or penalties in [0, oo], one for all or ``(H, d)``. A radius 0 and an infinite penalty leave the factor
        alone; a radius of total variation is at most 1. Stored as ``(H, d)``, read-only.
    fail_state
        A state that nothing leaves and where nothing is paid, or None.

    Raises
    ------
    InvalidModelError
        Naming the first offending entry.
    """

    nominal: LinearMDP
    kind: SetKind
    levels: FloatArray
    fail_state: int | None

    def __init__(self, nominal: LinearMDP, kind: SetKind, levels: npt.ArrayLike, fail_state: int | None = None) -> None:
        if kind not in get_args(SetKind):
            raise InvalidModelError(f"kind is {kind!r}, not one of {', '.join(get_args(SetKind))}")
        shape = (nominal.horizon, nominal.n_factors)
        table = np.asarray(levels, dtype=np.float64)
        if table.shape not in ((), shape):
            raise InvalidModelError(f"levels has shape {table.shape}, neither () nor {shape}")
        table = np.array(np.broadcast_to(table, shape))
        wrong = ~(table >= 0.0) | ((table > 1.0) & (kind == "tv_constrained"))
        if wrong.any():
            index = first_index(wrong)
            top = "1]" if kind == "tv_constrained" else "oo]"
            raise InvalidModelError(f"{entry('levels', index, 'hi')} is {table[index]}, outside [0, {top}")
        table.setflags(write=False)
        if fail_state is not None:
            _require_fail_state(nominal, fail_state)
        object.__setattr__(self, "nominal", nominal)
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "levels", table)
        object.__setattr__(self, "fail_state", None if fail_state is None else int(fail_state))

    @property
    def divergence(self) -> str:
        """``"tv"``, ``"kl"`` or ``"chi2"``."""
        return self.kind.split("_")[0]

    @property
    def constrained(self) -> bool:
        """Whether the levels are radii rather than penalties."""
        return self.kind.endswith("constrained")

    @property
    def horizon(self) -> int:
        """Number of stages H."""
        return self.nominal.horizon

    @property
    def unit_rewards(self) -> bool:
        """Whether all rewards lie in [0, 1]."""
        return self.nominal.unit_rewards

    @property
    def one_hot(self) -> bool:
        """Whether every pair is one factor alone, and every factor but the fail state's belongs to one pair."""
        phi = self.nominal.features
        owners = (phi > 0.0).sum(axis=(1, 2))
        alone = [
            i for i in range(self.nominal.n_factors) if self.fail_state is None or not self.fail_factors[:, i].all()
        ]
        return bool(np.isin(phi, (0.0, 1.0)).all() and (owners[:, alone] <= 1).all())

    @property
    def fail_factors(self) -> npt.NDArray[np.bool_]:
        """Whether a factor is the point mass on the fail state, ``(H, d)``; false without one."""
        if self.fail_state is None:
            return np.zeros(self.levels.shape, dtype=np.bool_)
        result: npt.NDArray[np.bool_] = self.nominal.measures[:, :, self.fail_state] == 1.0
        return result

    @property
    def caps(self) -> FloatArray:
        """Bounds B of the values of all policies without their costs, ``(H + 1,)``, for rewards in [0, 1]."""
        H = self.horizon
        caps = np.zeros(H + 1)
        for h in reversed(range(H)):
            nominal = self.divergence != "tv" or self.fail_state is None
            free = np.ones(1) if nominal else self.levels[h][~self.fail_factors[h]]
            if nominal:
                caps[h] = 1.0 + caps[h + 1]
            elif self.constrained:
                caps[h] = 1.0 + np.max(1.0 - free, initial=0.0) * caps[h + 1]
            else:
                caps[h] = 1.0 + min(np.max(free, initial=0.0), caps[h + 1])
        return caps

    def with_levels(self, levels: npt.ArrayLike, kind: SetKind | None = None) -> "RobustLinearMDP":
        """Return the same nominal model with another set around it."""
        return RobustLinearMDP(self.nominal, kind or self.kind, levels, self.fail_state)


def rectangular(mdp: FiniteHorizonMDP, kind: SetKind, level: float, fail_state: int | None = None) -> RobustLinearMDP:
    """Return the (s, a)-rectangular set around a tabular model, one radius or penalty for all pairs."""
    return RobustLinearMDP(one_hot(mdp, fail_state), kind, level, fail_state)


def _require_fail_state(nominal: LinearMDP, state: int) -> None:
    if isinstance(state, bool) or not isinstance(state, int | np.integer) or not 0 <= state < nominal.n_states:
        raise InvalidModelError(f"fail_state is {state!r}, not one of {nominal.n_states} states")
    for name, excess in (
        ("rewards", nominal.rewards[:, state] != 0.0),
        ("transitions", nominal.transitions[:, state, :, state] < 1.0 - 1e-12),
    ):
        if excess.any():
            h, a = first_index(excess)
            what = "a reward in" if name == "rewards" else "a way out of"
            raise InvalidModelError(f"{name}[h={h}, s={state}, a={a}] is {what} the fail state")
