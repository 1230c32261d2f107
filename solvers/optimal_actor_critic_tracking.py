r"""How far a softmax actor lags behind its critic, under its own occupancy: exact sums.

For a fixed critic f the actor of step j is :math:`\pi_j = \operatorname{softmax}(\eta j f)`, and its gap in a state is
:math:`\omega_j = \max f - \langle f, \pi_j \rangle`. In one state the gaps decrease in j and add up to at most
:math:`\log A / \eta`; under the law of the state, which moves with the actor, they need not.
"""

import numpy as np
import numpy.typing as npt

from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, as_float_array, require_shape
from solvers.episodic import require_positive


def softmax(logits: npt.ArrayLike) -> FloatArray:
    """Return the law proportional to exp(logits), along the last axis."""
    values = np.asarray(logits, dtype=np.float64)
    masses = np.exp(values - values.max(axis=-1, keepdims=True))
    laws: FloatArray = masses / masses.sum(axis=-1, keepdims=True)
    return laws


def on_policy_tracking(
    mdp: FiniteHorizonMDP, critic: npt.ArrayLike, eta: float, steps: int, *, late: bool = False
) -> FloatArray:
    """Return the mean gaps of the actor under its own occupancy, ``(steps, H)``, for j = 1, ..., ``steps``.

    Parameters
    ----------
    critic
        f, ``(H, S, A)``, the same in all steps.
    late
        Whether j starts from zero.
    """
    require_positive("steps", steps)
    f = as_float_array("critic", critic)
    shape = (mdp.horizon, mdp.n_states, mdp.n_actions)
    require_shape("critic", f, shape)
    behind = f.max(axis=2, keepdims=True) - f
    kernel = np.broadcast_to(mdp.transitions, (*shape, mdp.n_states))
    j = np.arange(steps) + (0.0 if late else 1.0)
    law = np.broadcast_to(mdp.initial, (steps, mdp.n_states))
    sums = np.empty((steps, mdp.horizon))
    for h in range(mdp.horizon):
        policy = softmax(-eta * j[:, None, None] * behind[h])
        sums[:, h] = np.einsum("js,jsa,sa->j", law, policy, behind[h])
        law = np.einsum("js,jsa,sat->jt", law, policy, kernel[h])
    return sums
