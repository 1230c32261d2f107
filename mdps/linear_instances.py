"""Named linear models."""

import numpy as np

from mdps.errors import InvalidModelError
from mdps.linear import LinearMDP


def random_simplex(
    seed: int,
    n_factors: int = 4,
    n_states: int = 10,
    n_actions: int = 3,
    horizon: int = 3,
    spread: float = 0.3,
    concentration: float = 0.5,
) -> LinearMDP:
    r"""Random features on the simplex, the same at all stages; the start is state 0.

    Easy: no structure. :math:`\phi(s, a)` is Dirichlet(``spread``), the factors are Dirichlet(``concentration``) and
    :math:`\theta_h` is uniform on :math:`[0, 1]^d`: :math:`\|\phi\|_2 \le 1`, :math:`\|\theta_h\|_2 \le \sqrt d`, and
    rewards lie in [0, 1].

    Raises
    ------
    InvalidModelError
        If a size is no positive integer, or a concentration is not positive.

    Source: folklore; the same for the same seed.
    """
    sizes = {"n_factors": n_factors, "n_states": n_states, "n_actions": n_actions, "horizon": horizon}
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise InvalidModelError(f"{name} is {size!r}, not a positive integer")
    for name, value in {"spread": spread, "concentration": concentration}.items():
        if not 0.0 < value < np.inf:
            raise InvalidModelError(f"{name} is {value!r}, not positive and finite")
    random = np.random.default_rng(seed)
    features = random.dirichlet(np.full(n_factors, spread), (n_states, n_actions))
    measures = random.dirichlet(np.full(n_states, concentration), (horizon, n_factors))
    return LinearMDP(features, measures, random.random((horizon, n_factors)))
