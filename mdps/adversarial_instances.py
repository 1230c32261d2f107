r"""Named adversarial instances, easy to worst case; each says what it is hard for.

Where a source is named the construction is from it; the others are built here. A random instance takes a seed and is
the same for the same seed.

**Linear action values.** `linear_mdp` draws features :math:`\phi_h(s, a)` and measures :math:`\nu_{h,i}` from
simplices, so that :math:`p_h = \phi_h^\top \nu_h` are distributions and, for :math:`\theta \in [0, 1]^d`, every
:math:`Q^\pi_h = \phi_h^\top (\theta_h + \nu_h V_{h+1})` has parameters of norm at most :math:`\sqrt d\,(H - h + 1)`.
`linear_q_defect` tests that on any model.
"""

from math import log, sqrt

import numpy as np

from mdps.adversarial import (
    BERNOULLI,
    BLOCKS,
    MIXTURE,
    AdversarialInstance,
    AdversarialMDP,
    LossProcess,
    action_values,
    constant_losses,
    fair_losses,
    require_features,
    stochastic_losses,
)
from mdps.errors import InvalidModelError
from mdps.validation import FloatArray


def _sizes(**values: int) -> None:
    for name, size in values.items():
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise InvalidModelError(f"{name} is {size!r}, not a positive integer")


def bandit(n_actions: int) -> AdversarialMDP:
    """One stage, one state: a multi-armed bandit."""
    _sizes(n_actions=n_actions)
    return AdversarialMDP(np.ones((1, n_actions, 1)), 1)


def random_mdp(horizon: int, n_states: int, n_actions: int, seed: int, random_initial: bool = False) -> AdversarialMDP:
    """Transitions uniform on the simplex; starts in state 0, or from a law uniform on the simplex."""
    _sizes(horizon=horizon, n_states=n_states, n_actions=n_actions)
    rng = np.random.default_rng(seed)
    transitions = rng.dirichlet(np.ones(n_states), (horizon, n_states, n_actions))
    return AdversarialMDP(transitions, horizon, rng.dirichlet(np.ones(n_states)) if random_initial else None)


def random_instance(horizon: int, n_states: int, n_actions: int, seed: int) -> AdversarialInstance:
    """`random_mdp` with stochastic losses: easy, and a regret that grows, unlike with losses that only drift."""
    mdp = random_mdp(horizon, n_states, n_actions, seed)
    return AdversarialInstance("random", mdp, stochastic_losses(mdp, seed + 1))


def signed_bandit(episodes: int) -> AdversarialInstance:
    """Two arms with losses (-1/2, -1), from half of the episodes on (-1, 0).

    Hard for exponential weights fed with importance-weighted *signed* losses: their exponents are unbounded above.
    """
    rows = np.array([[-0.5, -1.0], [-1.0, 0.0]])[:, None, None]
    return AdversarialInstance("signed bandit", bandit(2), LossProcess(BLOCKS, rows, ends=[episodes // 2, episodes]))


def lower_bound_gap(n_states: int, n_actions: int, episodes: int) -> float:
    r"""Return the gap of `lower_bound_instance`, :math:`c \sqrt{AS/K}`.

    :math:`c = (1 - 1/A) / (2 \sqrt{4 \ln(4/3) (1 + S/K)})`; an argument with hidden best actions needs it to be at most
    one quarter.
    """
    c = (1.0 - 1.0 / n_actions) / (2.0 * sqrt(4.0 * log(4.0 / 3.0) * (1.0 + n_states / episodes)))
    return c * sqrt(n_actions * n_states / episodes)


def lower_bound_instance(horizon: int, n_states: int, n_actions: int, episodes: int, seed: int) -> AdversarialInstance:
    """Uniform transitions whatever the action; fair coins, but one hidden action per (h, s) is slightly better.

    Hard for every algorithm with bandit feedback: nothing but the order of sqrt(K) visits tells the actions apart.
    """
    _sizes(horizon=horizon, n_states=n_states, n_actions=n_actions, episodes=episodes)
    gap = lower_bound_gap(n_states, n_actions, episodes)
    if gap > 0.25:
        raise InvalidModelError(f"{episodes} episodes are too few: the gap {gap:.3g} exceeds 1/4")
    uniform = np.full((n_states, n_actions, n_states), 1.0 / n_states)
    mdp = AdversarialMDP(uniform, horizon, np.full(n_states, 1.0 / n_states))
    hidden = np.random.default_rng(seed).integers(0, n_actions, (horizon, n_states))
    means = np.full(mdp.shape, 0.5)
    np.put_along_axis(means, hidden[..., None], 0.5 - gap, axis=2)
    return AdversarialInstance("lower bound", mdp, LossProcess(BERNOULLI, means[None]))


def full_information_lower_bound(horizon: int, n_states: int) -> AdversarialInstance:
    """Two actions of fair-coin losses (1, 0) or (0, 1): hard even when all losses are shown."""
    _sizes(horizon=horizon, n_states=n_states)
    uniform = np.full((n_states, 2, n_states), 1.0 / n_states)
    mdp = AdversarialMDP(uniform, horizon, np.full(n_states, 1.0 / n_states))
    return AdversarialInstance("full-information lower bound", mdp, fair_losses(mdp))


def linear_mdp(
    horizon: int, n_states: int, n_actions: int, n_features: int, seed: int, concentration: float = 0.4
) -> AdversarialInstance:
    """Draw a linear MDP with features Dirichlet(concentration), measures uniform on the simplex; coins for theta.

    Source: the linear MDP of C. Jin, Z. Yang, Z. Wang and M. Jordan (2020), Provably Efficient Reinforcement Learning
    with Linear Function Approximation, COLT; the draws are chosen here.
    """
    _sizes(horizon=horizon, n_states=n_states, n_actions=n_actions, n_features=n_features)
    rng = np.random.default_rng(seed)
    features = rng.dirichlet(np.full(n_features, concentration), (horizon, n_states, n_actions))
    measures = rng.dirichlet(np.ones(n_states), (horizon, n_features))
    mdp = AdversarialMDP(np.einsum("hsai,hit->hsat", features, measures), horizon)
    losses = stochastic_losses(mdp, seed + 1, features=features)
    return AdversarialInstance("linear MDP", mdp, losses, features)


def one_hot_features(mdp: AdversarialMDP) -> FloatArray:
    """Return features ``(H, S, A, S * A)`` that tell all pairs apart: a tabular model as a linear one."""
    H, S, A = mdp.shape
    return np.broadcast_to(np.eye(S * A).reshape(S, A, S * A), (H, S, A, S * A)).copy()


def correlated_bandit() -> AdversarialInstance:
    r"""Three arms with losses 1/4, B and 1 - B, B a fair coin, and features that correlate the last two.

    :math:`\phi = (1,0,0), (0,c,s), (0,c,-s)` with c = 0.32, :math:`\theta = (1/4, 1/(2c), \pm 1/(2s))`. Hard for
    exponential weights with a small regularisation gamma: linear estimators of losses in [0, 1] become very negative.
    """
    c = 0.32
    s = sqrt(1.0 - c**2)
    features = np.array([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, c, -s]])[None, None]
    rows = np.array([[0.25, 0.5 / c, 0.5 / s], [0.25, 0.5 / c, -0.5 / s]])[:, None, None]
    return AdversarialInstance("correlated bandit", bandit(3), LossProcess(MIXTURE, rows, features=features), features)


def signed_correlated_bandit() -> AdversarialInstance:
    """Three arms of losses -1/2, B and -B, B = 1 or -1 by a fair coin: signed losses break magnitude reduction."""
    features = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])[None, None]
    rows = np.array([[-0.5, 1.0], [-0.5, -1.0]])[:, None, None]
    return AdversarialInstance(
        "signed correlated bandit", bandit(3), LossProcess(MIXTURE, rows, features=features), features
    )


def deceptive_chain(horizon: int, episodes: int, signed: bool = False) -> AdversarialInstance:
    """Stay alive (action 0) or leave for the sink (action 1); staying pays off only at the end, and not at first.

    Alive: staying costs 1, leaving 0.6; at the last stage action 0 costs 1 in the first quarter of the episodes and 0
    afterwards, action 1 costs 1. The sink costs 1. Hard for policy optimisation without a bonus: after the first
    quarter the end of the chain is hardly visited any more, so that nothing teaches that it has become cheap.

    Parameters
    ----------
    signed
        Whether to subtract 1 from all losses.
    """
    _sizes(horizon=horizon, episodes=episodes)
    if episodes < 4:
        raise InvalidModelError(f"episodes is {episodes}, fewer than 4")
    transitions = np.zeros((2, 2, 2))
    transitions[0, 0, 0] = transitions[0, 1, 1] = transitions[1, :, 1] = 1.0
    rows = np.ones((2, horizon, 2, 2))
    rows[:, : horizon - 1, 0, 1] = 0.6
    rows[1, horizon - 1, 0, 0] = 0.0
    losses = LossProcess(BLOCKS, rows - 1.0 if signed else rows, ends=[episodes // 4, episodes])
    return AdversarialInstance("deceptive chain", AdversarialMDP(transitions, horizon), losses)


def near_and_far() -> AdversarialInstance:
    """Two stages: action 0 leads to a state of loss 0.9, action 1 to one of loss 0.3; the first stage costs nothing.

    Hard for estimators weighted by the policy where the occupancy is due: they miss how rarely a state is visited.
    """
    transitions = np.zeros((2, 2, 2))
    transitions[:, 0, 0] = transitions[:, 1, 1] = 1.0
    losses = np.zeros((2, 2, 2))
    losses[1, 0], losses[1, 1] = 0.9, 0.3
    return AdversarialInstance("near and far", AdversarialMDP(transitions, 2), constant_losses(losses))


def tree(n_actions: int, horizon: int, seed: int) -> AdversarialInstance:
    """Let the first action choose one of A states for good: the number of pairs XA is large against A.

    Hard for bounds with the logarithm of XA where that of A would do.
    """
    _sizes(n_actions=n_actions, horizon=horizon)
    chosen = np.broadcast_to(np.eye(n_actions), (n_actions, n_actions, n_actions))
    kept = np.broadcast_to(np.eye(n_actions)[:, None, :], (n_actions, n_actions, n_actions))
    transitions = np.stack([chosen, *([kept] * (horizon - 1))])
    mdp = AdversarialMDP(transitions, horizon)
    return AdversarialInstance("tree", mdp, stochastic_losses(mdp, seed))


def linear_q_defect(mdp: AdversarialMDP, features: FloatArray, seed: int, policies: int = 50) -> tuple[float, float]:
    r"""Return how far a model is from linear action values: the largest residual and the largest norm.

    For random policies and for the losses :math:`\phi^\top e_i` of one stage, and of all of :math:`\theta = 1`, the
    action values of each stage are regressed on the features. Linear action values have a residual of rounding size;
    theorems also ask that the minimum-norm parameters have norm at most :math:`\sqrt d\, H`.
    """
    require_features(mdp, features)
    H, _, _ = mdp.shape
    d = features.shape[3]
    thetas = np.concatenate([np.eye(H * d).reshape(-1, H, d), np.ones((1, H, d))])
    rng = np.random.default_rng(seed)
    residual, norm = 0.0, 0.0
    for _ in range(policies):
        policy = rng.dirichlet(np.ones(mdp.n_actions), (H, mdp.n_states))
        for theta in thetas:
            losses = np.einsum("hsai,hi->hsa", features, theta)
            _, table = action_values(mdp, policy, losses)
            for h in range(H):
                rows, target = features[h].reshape(-1, d), table[h].ravel()
                solution = np.linalg.lstsq(rows, target, rcond=None)[0]
                residual = max(residual, float(np.abs(rows @ solution - target).max()))
                norm = max(norm, float(np.sqrt(solution @ solution)))
    return residual, norm
