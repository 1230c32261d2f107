r"""Learners to compare with: the uniform policy, epsilon-greedy Q-learning, posterior sampling.

All of them are measured as every learner is, by exact regret (see `solvers.episodic`); none carries a bound here.

**Q-learning.** With n visits of (h, s, a), this one included, :math:`\alpha_n = (H + 1) / (H + n)` and
:math:`V_h(s) = \max_a Q_h(s, a)`,

.. math:: Q_h(s, a) \leftarrow (1 - \alpha_n) Q_h(s, a) + \alpha_n \big( r + V_{h+1}(s') \big),

the step size of Jin et al. The action is uniform with probability epsilon and greedy otherwise, ties to the lowest. The
regret is that of the policy that is *played*, its uniform part included: it grows linearly unless epsilon is zero.

**Posterior sampling** (PSRL). Rewards are known, every kernel row has the prior Dirichlet(c, ..., c). Before each
episode one kernel is drawn from the posterior, row by row as normalised gamma variables of shape c + n(s, a, t), and
the policy that is optimal for it is played. Rows of a stationary model are shared by all stages, in the posterior and
in the draw.

**Gamma variables.** Shape a > 1 by Marsaglia and Tsang: with :math:`d = a - 1/3`, :math:`x` normal and
:math:`v = (1 + x / \sqrt{9 d})^3`, accept :math:`d v` when :math:`\log u < x^2 / 2 + d - d v + d \log v`; shape a < 1
as a variable of shape a + 1 times :math:`u^{1/a}`; shape 1 as :math:`-\log(1 - u)`.

References
----------
C. Jin, Z. Allen-Zhu, S. Bubeck and M. I. Jordan (2018). Is Q-learning provably efficient? NeurIPS.
I. Osband, D. Russo and B. Van Roy (2013). (More) efficient reinforcement learning via posterior sampling. NeurIPS.
G. Marsaglia and W. W. Tsang (2000). A simple method for generating gamma variables. ACM TOMS 26(3), 363-372.
"""

import numpy as np

from mdps.jit import kernel
from mdps.kernels import WordArray, seed_lanes, uniform
from mdps.tabular import FiniteHorizonMDP
from mdps.validation import FloatArray, IntArray
from solvers.episodic import (
    RegretCurve,
    World,
    add_weighted,
    draw_row,
    evaluate_from,
    play,
    record_points,
    require_positive,
    world,
)
from solvers.planning import backward_induction, evaluate, policy_value
from solvers.planning_kernels import dot
from solvers.ucbvi import KNOWN, Q, greedy_stage, greedy_state


def run_uniform(mdp: FiniteHorizonMDP, *, episodes: int, runs: int = 1, record: int = 64) -> RegretCurve:
    """Return the exact regret of the policy that plays every action alike; all runs are the same.

    Raises
    ------
    ValueError
        If ``episodes``, ``runs`` or ``record`` is no positive integer.
    """
    points = record_points(episodes, record)
    require_positive("runs", runs)
    law = np.full((mdp.n_states, mdp.n_actions), 1.0 / mdp.n_actions)
    gap = policy_value(mdp, backward_induction(mdp).values) - policy_value(mdp, evaluate(mdp, law))
    return RegretCurve(points, np.tile(gap * points, (runs, 1)), np.zeros(runs, dtype=np.int64))


def run_q_learning(
    mdp: FiniteHorizonMDP,
    *,
    episodes: int,
    seeds: np.random.SeedSequence,
    epsilon: float = 0.1,
    initial_q: float = 0.0,
    runs: int = 1,
    record: int = 64,
) -> RegretCurve:
    """Run epsilon-greedy Q-learning; return the exact regret of the epsilon-greedy policies that it played.

    Parameters
    ----------
    epsilon
        Probability of a uniform action, in [0, 1].
    initial_q
        Q of all pairs before the first visit, in units of reward.
    seeds
        Not consumed. Run i depends on ``seeds`` and i only.

    Raises
    ------
    ValueError
        For an argument outside its domain.
    """
    points = record_points(episodes, record)
    require_positive("runs", runs)
    if not 0.0 <= epsilon <= 1.0:
        raise ValueError(f"epsilon is {epsilon!r}, outside [0, 1]")
    if not np.isfinite(initial_q):
        raise ValueError(f"initial_q is {initial_q!r}, not finite")
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    layout, state = world(mdp), seed_lanes(seeds, runs)
    optimal = policy_value(mdp, backward_induction(mdp).values)
    regret, changes = np.empty((runs, points.size)), np.empty(runs, dtype=np.int64)
    for run in range(runs):
        tables = np.zeros((3, H, S * A))
        tables[Q] = initial_q
        values = np.zeros((H + 1, S))
        values[:H] = initial_q
        work = (tables, values, np.zeros((H, S), dtype=np.int64), np.zeros((H + 1, S)))
        bernoulli = mdp.reward_law == "bernoulli"
        changes[run] = q_learn(points, state, run, layout, epsilon, bernoulli, *work, optimal, regret[run])
    return RegretCurve(points, regret, changes)


def run_psrl(
    mdp: FiniteHorizonMDP,
    *,
    episodes: int,
    seeds: np.random.SeedSequence,
    prior: float = 1.0,
    runs: int = 1,
    record: int = 64,
) -> RegretCurve:
    """Run posterior sampling with known mean rewards and Dirichlet priors; return its exact regret.

    Parameters
    ----------
    prior
        Weight of each next state in the prior, positive.
    seeds
        Not consumed. Run i depends on ``seeds`` and i only.

    Raises
    ------
    ValueError
        For an argument outside its domain.
    """
    points = record_points(episodes, record)
    require_positive("runs", runs)
    if not (np.isfinite(prior) and prior > 0.0):
        raise ValueError(f"prior is {prior!r}, not a positive number")
    H, S, A = mdp.horizon, mdp.n_states, mdp.n_actions
    groups, rows = 1 if mdp.stationary else H, S * A
    layout, state = world(mdp), seed_lanes(seeds, runs)
    optimal = policy_value(mdp, backward_induction(mdp).values)
    tables = np.zeros((3, H, rows))
    tables[KNOWN] = layout.rewards
    regret, changes = np.empty((runs, points.size)), np.empty(runs, dtype=np.int64)
    for run in range(runs):
        posterior = np.full((groups, S, rows), float(prior))
        work = (np.zeros((groups, S, rows)), tables, np.zeros((H + 1, S)), np.zeros((H, S), dtype=np.int64))
        changes[run] = posterior_sampling(points, state, run, layout, posterior, *work, optimal, regret[run])
    return RegretCurve(points, regret, changes)


@kernel
def q_learn(
    points: IntArray,
    state: WordArray,
    lane: int,
    world: World,
    epsilon: float,
    bernoulli: bool,
    tables: FloatArray,
    values: FloatArray,
    policy: IntArray,
    truth: FloatArray,
    optimal: float,
    regret: FloatArray,
) -> int:
    """One run of Q-learning; ``tables[KNOWN]`` counts the visits. Return the number of changes of the greedy policy."""
    initial, initial_cdf, next_cdf, transitions, rewards = world
    n_stages, n_states = policy.shape
    gap = optimal - evaluate_mixed(transitions, rewards, initial, policy, epsilon, truth, n_stages - 1)
    total, since, changes, record = 0.0, 0, 0, 0
    for k in range(1, points[-1] + 1):
        top = -1
        s = draw_row(initial_cdf, 0, 0, uniform(state, lane))
        for h in range(n_stages):
            coin = uniform(state, lane)
            action = policy[h, s]
            if coin < epsilon:
                action = min(int(coin / epsilon * (rewards.shape[1] // n_states)), rewards.shape[1] // n_states - 1)
            row = action * n_states + s
            reward = rewards[h, row]
            if bernoulli:
                reward = 1.0 if uniform(state, lane) < reward else 0.0
            following = draw_row(next_cdf, h if next_cdf.shape[0] > 1 else 0, row, uniform(state, lane))
            tables[KNOWN, h, row] += 1.0
            alpha = (n_stages + 1.0) / (n_stages + tables[KNOWN, h, row])
            tables[Q, h, row] += alpha * (reward + values[h + 1, following] - tables[Q, h, row])
            top = h if greedy_state(tables, h, s, values, policy)[1] else top
            s = following
        if k == points[record]:
            regret[record] = total + gap * (k - since)
            record += 1
        if top >= 0 and k < points[-1]:
            total += gap * (k - since)
            since = k
            changes += 1
            gap = optimal - evaluate_mixed(transitions, rewards, initial, policy, epsilon, truth, top)
    return changes


@kernel
def evaluate_mixed(
    transitions: FloatArray,
    rewards: FloatArray,
    initial: FloatArray,
    policy: IntArray,
    epsilon: float,
    values: FloatArray,
    top: int,
) -> float:
    """As `solvers.episodic.evaluate_from`, for the policy that is uniform with probability ``epsilon``."""
    n_states, n_rows = policy.shape[1], rewards.shape[1]
    n_actions = n_rows // n_states
    stationary = transitions.size == n_rows * n_states
    flat_values = values.reshape(values.size)
    for h in range(top, -1, -1):
        first = 0 if stationary else h * n_rows
        for s in range(n_states):
            value = 0.0
            for a in range(n_actions):
                weight = epsilon / n_actions + (1.0 - epsilon if a == policy[h, s] else 0.0)
                row = a * n_states + s
                mean = dot(transitions, (first + row) * n_states, flat_values, (h + 1) * n_states, n_states)
                value += weight * (rewards[h, row] + mean)
            values[h, s] = value
    start = 0.0
    for s in range(n_states):
        start += initial[s] * values[0, s]
    return start


@kernel
def posterior_sampling(
    points: IntArray,
    state: WordArray,
    lane: int,
    world: World,
    posterior: FloatArray,
    sample: FloatArray,
    tables: FloatArray,
    values: FloatArray,
    policy: IntArray,
    optimal: float,
    regret: FloatArray,
) -> int:
    """One run of posterior sampling from the prior ``posterior (G, S, S * A)``; return the number of policy changes."""
    initial, initial_cdf, next_cdf, transitions, rewards = world
    n_stages, n_states = policy.shape
    truth, path = np.zeros((n_stages + 1, n_states)), np.empty((2, n_stages + 1), dtype=np.int64)
    means, best, actions = np.empty(rewards.shape[1]), np.empty(n_states), np.empty(n_states, dtype=np.int64)
    gap, total, since, changes, record = 0.0, 0.0, 0, 0, 0
    for k in range(1, points[-1] + 1):
        draw_kernels(posterior, state, lane, sample)
        top = optimise(sample, tables, values, policy, means, best, actions)
        if k == 1 or top >= 0:
            total += gap * (k - 1 - since)
            since = k - 1
            changes += 1 if k > 1 else 0
            top = n_stages - 1 if k == 1 else top
            gap = optimal - evaluate_from(transitions, rewards, initial, policy, truth, top)
        play(initial_cdf, next_cdf, policy, state, lane, path)
        for h in range(n_stages):
            posterior[h if posterior.shape[0] > 1 else 0, path[0, h + 1], path[1, h]] += 1.0
        if k == points[record]:
            regret[record] = total + gap * (k - since)
            record += 1
    return changes


@kernel
def optimise(
    sample: FloatArray,
    tables: FloatArray,
    values: FloatArray,
    policy: IntArray,
    means: FloatArray,
    best: FloatArray,
    actions: IntArray,
) -> int:
    """Plan for the kernels ``sample (G, S, S * A)`` and the rewards ``tables[KNOWN]``.

    Returns
    -------
    The last stage at which the policy changed, -1 if none.
    """
    top = -1
    for h in range(policy.shape[0] - 1, -1, -1):
        for i in range(means.size):
            means[i] = 0.0
        add_weighted(sample, h if sample.shape[0] > 1 else 0, values, h + 1, means)
        for i in range(means.size):
            tables[Q, h, i] = tables[KNOWN, h, i] + means[i]
        switched = greedy_stage(tables, h, values, policy, best, actions)[1]
        top = h if switched and top < 0 else top
    return top


@kernel
def draw_kernels(posterior: FloatArray, state: WordArray, lane: int, sample: FloatArray) -> None:
    """Draw every row of ``sample (G, S, S * A)``, next state first, from its Dirichlet law."""
    n_groups, n_states, n_rows = posterior.shape
    for g in range(n_groups):
        for row in range(n_rows):
            total = 0.0
            for t in range(n_states):
                sample[g, t, row] = standard_gamma(posterior[g, t, row], state, lane)
                total += sample[g, t, row]
            for t in range(n_states):
                sample[g, t, row] /= total


@kernel
def standard_normal(state: WordArray, lane: int) -> float:
    """Return a standard normal variable (Marsaglia's polar method), and advance the lane."""
    while True:
        x = 2.0 * uniform(state, lane) - 1.0
        y = 2.0 * uniform(state, lane) - 1.0
        radius = x * x + y * y
        if 0.0 < radius < 1.0:
            return float(x * np.sqrt(-2.0 * np.log(radius) / radius))


@kernel
def standard_gamma(shape: float, state: WordArray, lane: int) -> float:
    """Return a gamma variable of the given positive shape and scale one, and advance the lane."""
    if shape == 1.0:
        return float(-np.log1p(-uniform(state, lane)))
    boost = 1.0
    if shape < 1.0:
        boost = (1.0 - uniform(state, lane)) ** (1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / np.sqrt(9.0 * d)
    while True:
        x = standard_normal(state, lane)
        v = (1.0 + c * x) ** 3
        if v > 0.0 and np.log1p(-uniform(state, lane)) < 0.5 * x * x + d - d * v + d * np.log(v):
            return float(boost * d * v)
