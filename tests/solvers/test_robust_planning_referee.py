"""The six factor backups against an independent solver of the primal problem, degenerate cases included.

``BOUNDCHECK_REFEREED=1000`` compares a thousand laws of each kind; the suite compares a few.
"""

import os

import numpy as np
import pytest

from solvers.robust_planning import FactorSet, backup, divergence, worst_laws

REFEREED = int(os.environ.get("BOUNDCHECK_REFEREED", "12"))
RADII = (0.0, 1e-3, 0.05, 0.3, 1.0, 3.0)
PENALTIES = (1e-3, 0.05, 0.5, 2.0, 50.0)


def draw(rng, kind):
    """Return a law, values and a level: masses may be zero, values tied, and levels at their ends."""
    n = int(rng.integers(1, 7))
    law = rng.dirichlet(np.full(n, 0.7))
    if n > 1 and rng.random() < 0.3:
        law[rng.integers(n)] = 0.0
        law /= law.sum()
    values = rng.normal(size=n) if rng.random() < 0.6 else rng.integers(0, 3, n).astype(float)
    level = float(rng.choice(RADII if kind.constrained else PENALTIES))
    if kind.divergence == "tv" and kind.constrained:
        level = min(level, 1.0)
    return law, values, level


def referee(kind, law, values, level):
    """Solve the primal problem over laws on the states that the adversary may use."""
    if kind.constrained and level == 0.0:
        return law @ values  # the only admissible law; a solver's tolerance of the radius is worth its square root here
    import cvxpy as cp

    states = law > 0.0 if kind.absolutely_continuous else np.ones(law.size, dtype=bool)
    p, v = law[states], values[states]
    q = cp.Variable(p.size, nonneg=True)
    distance = {
        "tv": lambda: cp.norm1(q - p) / 2,
        "kl": lambda: cp.sum(cp.kl_div(q, p)),
        "chi2": lambda: cp.sum_squares(cp.multiply(1.0 / np.sqrt(p), q - p)),
    }[kind.divergence]()
    constraints = [cp.sum(q) == 1]
    objective = v @ q
    if kind.constrained:
        constraints.append(distance <= level)
    else:
        objective = objective + level * distance
    problem = cp.Problem(cp.Minimize(objective), constraints)
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    return problem.value


@pytest.mark.parametrize("kind", list(FactorSet))
@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
def test_equals_the_primal_solver_and_is_attained(kind):
    rng = np.random.default_rng(list(FactorSet).index(kind))
    for _ in range(REFEREED):
        law, values, level = draw(rng, kind)
        found = float(backup(kind, law, values, level))
        assert found == pytest.approx(referee(kind, law, values, level), abs=1e-7), (law, values, level)
        worst = worst_laws(kind, law, values, level)
        distance = float(divergence(kind.divergence, worst, law))
        penalty = 0.0 if kind.constrained else level * distance
        assert float(worst @ values) + penalty == pytest.approx(found, abs=1e-10)
        assert not kind.constrained or distance <= level * (1.0 + 1e-9) + 1e-12
