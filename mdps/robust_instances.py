r"""Named robust models: off-dynamics benchmarks, an instance that defeats greedy optimism, and puts.

Stages are numbered from one in the text and from zero in the code.
"""

from collections.abc import Callable, Mapping
from itertools import product
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError
from mdps.linear import LinearMDP
from mdps.robust import RobustLinearMDP, SetKind, rectangular
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray

LEAK = 0.001
"""Mass that two nominal factors of the simulated model lose to the fail state."""


def simulated(reach: float = 0.1, base: float = 0.3) -> LinearMDP:
    r"""Three stages, states x1 to x5, 16 actions: how much to rely on a transition that may fail.

    Hard for a learner that trusts the nominal model: action :math:`a \in \{-1, 1\}^4` goes to the good state x5 with
    probability :math:`p(a) = \delta + \xi^\top a`, which is best nominally and worst if that factor is perturbed. x1 is
    the start, x4 the fail state (index 3), x5 absorbing; x2 and x3 offer further chances. Features are
    :math:`(1-p) e_j + p e_4` at :math:`x_j`, j = 1, 2, 3.

    Parameters
    ----------
    reach
        :math:`\|\xi\|_1`, with :math:`\xi` proportional to (1, 1, 1, 1).
    base
        :math:`\delta`.

    Source: Z. Liu and P. Xu (2024), Distributionally robust off-dynamics reinforcement learning, AISTATS.
    """
    if not 0.0 <= reach <= min(base, 1.0 - base):
        raise InvalidModelError(f"reach is {reach!r}: base +- reach leaves [0, 1]")
    chances = base + reach / 4.0 * np.array(list(product((-1.0, 1.0), repeat=4))).sum(axis=1)
    features = np.zeros((5, 16, 4))
    for state in range(3):
        features[state, :, state] = 1.0 - chances
        features[state, :, 3] = chances
    features[3, :, 2], features[4, :, 3] = 1.0, 1.0
    to_fail, to_good = np.eye(5)[3], np.eye(5)[4]
    measures = np.array([[to_fail, to_fail, to_fail, to_good]] * 3)
    measures[0, 0] = (1.0 - LEAK) * np.eye(5)[1] + LEAK * to_fail
    measures[1:, 1] = (1.0 - LEAK) * np.eye(5)[2] + LEAK * to_fail
    weights = np.array([[0.0] * 4, [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
    return LinearMDP(features, measures, weights)


def off_dynamics(perturbation: float, reach: float = 0.1, base: float = 0.3) -> LinearMDP:
    """`simulated` as it is met later: at stage one the good state fails with probability ``perturbation``, no leak."""
    if not 0.0 <= perturbation <= 1.0:
        raise InvalidModelError(f"perturbation is {perturbation!r}, outside [0, 1]")
    nominal = simulated(reach, base)
    measures = nominal.measures.copy()
    measures[0, 0] = np.eye(5)[1]
    measures[0, 3] = (1.0 - perturbation) * np.eye(5)[4] + perturbation * np.eye(5)[3]
    return nominal.with_measures(measures)


def simulated_robust(
    radius: float = 0.3, reach: float = 0.1, kind: SetKind = "tv_constrained", *, everywhere: bool = False
) -> RobustLinearMDP:
    """`simulated` with a set around its factors: the fourth one of stage one only, or ``everywhere``."""
    nominal = simulated(reach)
    if everywhere:
        return RobustLinearMDP(nominal, kind, radius, 3)
    levels = np.zeros((3, 4)) if kind.endswith("constrained") else np.full((3, 4), np.inf)
    levels[0, 3] = radius
    return RobustLinearMDP(nominal, kind, levels, 3)


def stuck(radius: float = 0.2) -> RobustLinearMDP:
    r"""Two stages, states s1, G, N and the fail state, two actions: the better one is never tried.

    Hard for greedy optimism with one bonus a factor: action 1 mixes the two factors that action 2 tells apart. While
    only action 1 was played the two estimates and the two bonuses agree, so that the known reward .01 decides for it:
    regret :math:`K (.4 (1 - \rho) - .01)` on every path, whatever the bonus, for radii :math:`\rho < 39/40`; from
    there on action 1 is the better one.

    Source: derived for this package, in the setting of Liu and Xu (2024).
    """
    features = np.zeros((4, 2, 3))
    features[0] = [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]
    features[1, :, 0], features[2, :, 1], features[3, :, 2] = 1.0, 1.0, 1.0
    staged = np.stack([features, features])
    staged[1, 0] = [0.0, 1.0, 0.0]
    levels = np.full((2, 3), radius)
    levels[:, 2] = 0.0
    nominal = LinearMDP(staged, np.array([np.eye(4)[1:]] * 2), [[0.0, 0.02, 0.0], [1.0, 0.2, 0.0]])
    return RobustLinearMDP(nominal, "tv_constrained", levels, 3)


def support_shift(radius: float = 0.5, right: int = 0) -> RobustLinearMDP:
    """Three stages, states g and b, two actions: the adversary reaches b, the learner never does.

    Hard for every learner: nominally nothing leaves g, so that it never learns which action leads back from b at stage
    two, and half of the guesses cost ``radius (1 - radius)``. There is no fail state.

    Source: derived after M. Lu, H. Zhong, T. Zhang and J. Blanchet (2024), arXiv:2404.03578.
    """
    transitions = np.zeros((3, 2, 2, 2))
    transitions[:, 0, :, 0] = 1.0
    transitions[:, 1, :, 1] = 1.0
    transitions[1, 1, right] = [1.0, 0.0]
    rewards = np.zeros((3, 2, 2))
    rewards[2, 0] = 1.0
    return rectangular(FiniteHorizonMDP(transitions, rewards, 3), "tv_constrained", radius)


def random_linear(
    seed: int,
    n_states: int = 6,
    n_actions: int = 3,
    n_factors: int = 3,
    horizon: int = 3,
    leak: float = 0.03,
    concentration: float = 0.5,
) -> LinearMDP:
    """Random features and factors, each losing ``leak`` to the fail state, the last one; the last factor is its own.

    Easy: no structure. The features are Dirichlet on the first ``n_factors`` factors, rewards uniform in [0, 1].

    Source: folklore; the same for the same seed.
    """
    random = np.random.default_rng(seed)
    fail = np.eye(n_states)[-1]
    features = np.zeros((n_states, n_actions, n_factors + 1))
    features[:-1, :, :-1] = random.dirichlet(np.full(n_factors, concentration), (n_states - 1, n_actions))
    features[-1, :, -1] = 1.0
    drawn = random.dirichlet(np.full(n_states, concentration), (horizon, n_factors))
    measures = np.empty((horizon, n_factors + 1, n_states))
    measures[:, :-1] = (1.0 - leak) * drawn + leak * fail
    measures[:, -1] = fail
    weights = np.zeros((horizon, n_factors + 1))
    weights[:, :-1] = random.random((horizon, n_factors))
    return LinearMDP(features, measures, weights)


def random_tabular(
    seed: int, n_states: int = 3, n_actions: int = 2, horizon: int = 3, leak: float = 0.03, reward: float | None = None
) -> LinearMDP:
    """Random tabular model with one factor a pair and a fail state, the last one; ``n_states`` includes it.

    Easy: no structure. Each law loses ``leak`` to the fail state; rewards are uniform in [0, 1] or all ``reward``.

    Source: folklore; the same for the same seed.
    """
    random = np.random.default_rng(seed)
    pairs = (n_states - 1) * n_actions
    features = np.zeros((n_states, n_actions, pairs + 1))
    features[:-1, :, :-1] = np.eye(pairs).reshape(n_states - 1, n_actions, pairs)
    features[-1, :, -1] = 1.0
    measures = np.empty((horizon, pairs + 1, n_states))
    measures[:, :-1] = (1.0 - leak) * random.dirichlet(np.ones(n_states), (horizon, pairs))
    measures[:, :-1, -1] += leak
    measures[:, -1] = np.eye(n_states)[-1]
    weights = np.zeros((horizon, pairs + 1))
    weights[:, :-1] = random.random((horizon, pairs)) if reward is None else reward
    return LinearMDP(features, measures, weights)


def leaking_chain(horizon: int = 5, leak: float = 0.0) -> LinearMDP:
    """One state that pays 1 and one action that keeps it but for ``leak``: values are as large as caps allow.

    Easy; it shows that the caps of total variation are attained. Source: folklore.
    """
    measures = np.array([[[1.0 - leak, leak], [0.0, 1.0]]] * horizon)
    return LinearMDP(np.eye(2)[:, None, :], measures, [[1.0, 0.0]] * horizon)


def american_put(
    horizon: int = 10, initial_price: float = 100.0, up: float = 0.5, strike: float = 100.0
) -> FiniteHorizonMDP:
    """Sell at the strike or wait: a binomial tree of prices that rise or fall by 2 %.

    Hard for a robust learner: how long to wait depends on the chance ``up`` of a rise. State j counts the rises so far,
    state ``horizon + 1`` is the exit, a fail state; action 0 waits and pays nothing, action 1 exercises and pays
    ``max(0, strike - price)``, which is not in [0, 1]. What was not exercised after ``horizon`` decisions is lost.

    Source: A. Tamar, S. Mannor and H. Xu (2014), Scaling up robust MDPs using function approximation, ICML, in the
    version of Liu and Xu (2024).
    """
    if not 0.0 <= up <= 1.0:
        raise InvalidModelError(f"up is {up!r}, outside [0, 1]")
    H, n = horizon, horizon + 2
    transitions = np.zeros((n, 2, n))
    transitions[:, 1, -1] = 1.0
    rises = np.arange(H)
    transitions[rises, 0, rises + 1] = up
    transitions[rises, 0, rises] += 1.0 - up
    transitions[H:, 0, -1] = 1.0
    rewards = np.zeros((H, n, 2))
    rewards[:, : H + 1, 1] = np.maximum(strike - put_prices(H, initial_price), 0.0)
    return FiniteHorizonMDP(transitions, rewards, H)


def put_prices(horizon: int, initial_price: float = 100.0) -> FloatArray:
    """Return the prices ``(H, H + 1)`` at stage h after j rises; infinite where j > h, which is not reached."""
    stages, rises = np.arange(horizon)[:, None], np.arange(horizon + 1)
    falls = stages - rises
    reached = initial_price * 1.02 ** np.minimum(rises, stages) * 0.98 ** np.maximum(falls, 0)
    return np.where(falls >= 0, reached, np.inf)


def robust_put(radius: float, horizon: int = 10, initial_price: float = 100.0) -> RobustLinearMDP:
    """`american_put` with a ball of total variation around every law."""
    return rectangular(american_put(horizon, initial_price), "tv_constrained", radius, horizon + 1)


def frozen_lake(radius: float = 0.1, horizon: int = 20) -> RobustLinearMDP:
    """Gymnasium's slippery lake, 4 x 4, with a ball of total variation; the end of the game is the fail state.

    Hard for a robust planner: the adversary may end the game at every step. Needs the extra ``gym``.

    Source: M. Towers et al. (2024), Gymnasium, arXiv:2407.17032.
    """
    from mdps.gymnasium import from_gymnasium

    lake = from_gymnasium("FrozenLake-v1", horizon, map_name="4x4")
    return rectangular(lake, "tv_constrained", radius, lake.n_states - 1)


ROBUST_INSTANCES: Mapping[str, Callable[[], RobustLinearMDP]] = MappingProxyType(
    {
        "simulated_robust": simulated_robust,
        "stuck": stuck,
        "support_shift": support_shift,
        "robust_put": lambda: robust_put(0.1),
    }
)
"""Robust models by name, that need no extra."""


def perturbations(count: int = 21) -> npt.NDArray[np.float64]:
    """Return the perturbations at which off-dynamics returns are shown: ``count`` numbers from 0 to 1."""
    return np.linspace(0.0, 1.0, count)
