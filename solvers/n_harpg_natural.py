r"""Natural policy gradient, the baseline that solves for the direction in every iteration.

.. math:: \theta_{t+1} = \theta_t + \alpha \hat w_t, \qquad
          \hat w_t \approx F_\rho(\theta_t)^\dagger \nabla J(\theta_t)
          = \frac{1}{1 - \gamma} \arg\min_u E_{d_\rho, \pi} \big[ (A^{\pi} - u^\top \psi)^2 \big] .

Either the direction is exact, or it is the average of N steps of stochastic gradient descent on the least-squares
problem, with pairs drawn from the exact occupancy and their exact advantages: the noise of sampling alone.
"""

import numpy as np
import numpy.typing as npt

from mdps.kernels import Seed
from mdps.validation import FloatArray
from solvers.episodic import require_positive
from solvers.n_harpg_exact import FiniteWorld, advantage, compatible_fit, occupancy


def natural_gradient(world: FiniteWorld, step: float, iterations: int, start: npt.ArrayLike) -> FloatArray:
    """Return the parameters ``(T + 1, d)`` of ascent along the exact natural gradient.

    Raises
    ------
    InvalidPolicyError
        If the start does not fit.
    """
    require_positive("iterations", iterations)
    path = [world.policy.require_parameters(start)]
    for _ in range(iterations):
        path.append(path[-1] + step * compatible_fit(world, path[-1]).weights)
    return np.array(path)


def sampled_natural_gradient(
    world: FiniteWorld,
    step: float,
    iterations: int,
    start: npt.ArrayLike,
    *,
    inner_steps: int,
    inner_rate: float,
    seed: Seed = 0,
) -> FloatArray:
    """Return the parameters ``(T + 1, d)`` of one run with N averaged steps of stochastic gradient descent.

    Parameters
    ----------
    inner_steps, inner_rate
        N and the constant rate of the inner problem; below 1 / (4 M_g^2) it is stable.
    """
    require_positive("iterations", iterations)
    require_positive("inner_steps", inner_steps)
    rng = np.random.default_rng(seed)
    path = [world.policy.require_parameters(start)]
    for _ in range(iterations):
        theta = path[-1]
        law = (occupancy(world, theta)[:, None] * world.policy.probabilities(theta)).ravel()
        pairs = rng.choice(law.size, size=inner_steps, p=law / law.sum())
        scores = world.policy.scores(theta).reshape(law.size, -1)[pairs]
        targets = advantage(world, theta).ravel()[pairs]
        fit, total = np.zeros(world.dimension), np.zeros(world.dimension)
        for score, target in zip(scores, targets, strict=True):
            fit = fit + inner_rate * 2.0 * (target - fit @ score) * score
            total += fit
        path.append(theta + step * total / (inner_steps * (1.0 - world.mdp.discount)))
    return np.array(path)
