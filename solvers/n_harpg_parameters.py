r"""Schedules, horizons and constants of the theory, as numbers.

Formulas are those of `theory.n_harpg`, which says what they mean; here they are evaluated, so that what runs and what
is claimed is the same expression.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy as sp

from solvers.episodic import require_positive
from solvers.n_harpg_exact import FiniteWorld
from solvers.n_harpg_methods import Schedule
from solvers.n_harpg_policies import Regularity
from theory import n_harpg as theory
from theory.symbols import H, T, gamma

METHOD_NAMES: Sequence[str] = tuple(theory.SCHEDULES)
"""Names of the schedules: "pg", "n_pg_m", "n_pg_igt", "harpg", "n_harpg", and "shifted" for N-HARPG."""


def schedule_of(name: str, iterations: int, *, first_batch: int = 1, **values: float) -> Schedule:
    """Return the schedule under which a method's bound holds, for t = 0, ..., T.

    Parameters
    ----------
    name
        One of `METHOD_NAMES`.
    first_batch
        B_0.
    values
        Numbers for the symbols of the step: ``scale`` for the normalised methods, ``gamma_0`` for PG and HARPG,
        ``c``, ``kappa`` and ``tau_0`` for the shifted schedule.

    Raises
    ------
    ValueError
        If the name is unknown, or a symbol has no number.
    """
    require_positive("iterations", iterations)
    if name not in theory.SCHEDULES:
        raise ValueError(f"schedule is {name!r}, not one of {', '.join(METHOD_NAMES)}")
    expressions, arrays = theory.SCHEDULES[name], []
    for expression in (expressions.momentum, expressions.step):
        symbols = sorted(expression.free_symbols - {theory.t}, key=lambda symbol: symbol.name)
        missing = [symbol.name for symbol in symbols if symbol.name not in values]
        if missing:
            raise ValueError(f"schedule {name!r} needs {', '.join(missing)}")
        function = sp.lambdify((theory.t, *symbols), expression, modules=["numpy"])
        found = function(np.arange(iterations + 1.0), *(float(values[symbol.name]) for symbol in symbols))
        arrays.append(np.array(np.broadcast_to(found, iterations + 1), dtype=np.float64))
    return Schedule(arrays[0], arrays[1], first_batch)


def paper_scale(score_bound: float, fisher: float) -> float:
    """Return the step scale of the paper, 3 M_g / mu_F: steps 6 M_g / (mu_F (t + 2))."""
    return float(theory.PAPER_SCALE.subs({theory.M_g: score_bound, theory.mu: fisher}))


def horizon_of(iterations: int, discount: float) -> int:
    """Return the least H with H >= log(T + 1) / (1 - gamma), for which gamma^H <= 1 / (T + 1)."""
    require_positive("iterations", iterations)
    return max(1, math.ceil(float(theory.HORIZON.subs({T: iterations, gamma: discount}))))


@dataclass(frozen=True)
class WorldConstants:
    """Bounds that hold for every parameter.

    ``gradient_square`` bounds E|g|^2 and |grad J|^2 (sigma_g^2); ``hessian_square`` E||B||^2 (sigma_h^2) and
    ``causal_square`` E||B-tilde||^2; ``smoothness`` the Hessian (L_g) and ``hessian_lipschitz`` its slope (L_h);
    ``gradient_tail`` and ``hessian_tail`` times gamma^H what H stages miss of the gradient and the Hessian.
    """

    gradient_square: float
    hessian_square: float
    causal_square: float
    smoothness: float
    hessian_lipschitz: float
    gradient_tail: float
    hessian_tail: float


def constants_of(world: FiniteWorld, horizon: int, regularity: Regularity | None = None) -> WorldConstants:
    """Return the constants of a world for trajectories of ``horizon`` stages.

    Parameters
    ----------
    regularity
        Bounds of the policies; those of their class if omitted.
    """
    bounds = world.policy.regularity if regularity is None else regularity
    values = {
        theory.M_g: bounds.score,
        theory.M_h: bounds.hessian,
        theory.l_2: bounds.third,
        theory.r_max: world.largest_reward,
        gamma: world.mdp.discount,
        H: horizon,
    }
    return WorldConstants(
        *(
            float(expression.subs(values))
            for expression in (
                theory.GRADIENT_MOMENT,
                theory.HESSIAN_MOMENT,
                theory.CAUSAL_MOMENT,
                theory.SMOOTHNESS,
                theory.HESSIAN_LIPSCHITZ,
                theory.GRADIENT_TAIL,
                theory.HESSIAN_TAIL,
            )
        )
    )
