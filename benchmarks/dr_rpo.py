"""Time of an episode of DR-RPO, and of DR-LSVI-UCB as its public code has it, re-implemented.

That code keeps all transitions, inverts the covariance for every Q and solves the dual of every factor and next state
by Nelder and Mead's method; here it is the same in plain numpy and scipy, timed at episode 100.

    python benchmarks/dr_rpo.py
"""

import time

import numpy as np
from scipy.optimize import minimize

from mdps.robust_instances import simulated_robust
from solvers.dr_rpo import Learner, dr_lsvi_ucb_code, run

SEED = np.random.SeedSequence(0)


def microseconds(robust, learner, episodes=30_000, repeats=3):
    """Return the least time of an episode, of CPU."""
    run(robust, learner, episodes=2, seeds=SEED)
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run(robust, learner, episodes=episodes, seeds=SEED, record=2)
        times.append(time.process_time() - start)
    return min(times) / episodes * 1e6


def slow_episode(robust, episode=100, seed=0):
    """Return the time in microseconds of the planning of one episode the slow way."""
    mdp, random = robust.nominal, np.random.default_rng(seed)
    H, S, A, d = mdp.horizon, mdp.n_states, mdp.n_actions, mdp.n_factors
    phi, kernel = mdp.staged_features, mdp.transitions
    history = [[] for _ in range(H)]
    for _ in range(episode):
        s = 0
        for h in range(H):
            a = random.integers(A)
            t = random.choice(S, p=kernel[h, s, a])
            history[h].append((phi[h, s, a], t))
            s = t
    start = time.process_time()
    value = np.zeros(S)
    for h in reversed(range(H)):
        features = np.array([step[0] for step in history[h]])
        following = [step[1] for step in history[h]]
        inverse = np.linalg.inv(0.1 * np.eye(d) + features.T @ features)
        next_values = value[following]

        def loss(alpha, i, inverse=inverse, features=features, next_values=next_values, h=h):
            empirical = inverse[i] @ (features.T @ np.minimum(next_values, alpha[0]))
            return -(empirical - robust.levels[h, i] * alpha[0])

        nu = [-minimize(loss, [H / 2], (i,), method="Nelder-Mead", bounds=[(0.0, H)]).fun for i in range(d)]
        bonus = np.sqrt((phi[h] ** 2) @ np.diag(inverse))
        value = np.minimum(phi[h] @ (mdp.weights[h] + nu) + bonus, H - h).max(axis=1)
        value[robust.fail_state] = 0.0
    return (time.process_time() - start) * 1e6


def main():
    """Print the table."""
    sets = {
        kind: simulated_robust(level, kind=kind, everywhere=True)
        for kind, level in (
            ("tv_constrained", 0.3),
            ("tv_regularised", 0.5),
            ("kl_regularised", 1.0),
            ("chi2_regularised", 1.0),
        )
    }
    for kind, robust in sets.items():
        print(f"DR-RPO, {kind}: {microseconds(robust, Learner(beta=1.0)):.2f} us an episode")
    fast = microseconds(simulated_robust(0.3), dr_lsvi_ucb_code(3))
    slow = min(slow_episode(simulated_robust(0.3)) for _ in range(3))
    print(f"DR-LSVI-UCB: {fast:.2f} us an episode; the slow way {slow:.0f} us, {slow / fast:.0f} times as long")


if __name__ == "__main__":
    main()
