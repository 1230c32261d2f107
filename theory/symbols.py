"""One spelling for every quantity, with its domain and unit.

SymPy tells symbols apart by name *and* assumptions; taking all of them from here keeps ``K`` one symbol.
"""

from dataclasses import dataclass
from typing import Any

import sympy as sp


@dataclass(frozen=True)
class Quantity:
    """Meaning of a symbol."""

    symbol: sp.Symbol
    meaning: str
    domain: str
    unit: str


QUANTITIES: dict[str, Quantity] = {}
"""All declared quantities by name."""


def _declare(name: str, meaning: str, domain: str, unit: str = "1", **assumptions: Any) -> sp.Symbol:
    if name in QUANTITIES:
        raise ValueError(f"symbol {name} is declared twice")
    symbol = sp.Symbol(name, **assumptions)
    QUANTITIES[name] = Quantity(symbol, meaning, domain, unit)
    return symbol


def _count(name: str, meaning: str, unit: str) -> sp.Symbol:
    return _declare(name, meaning, "positive integers", unit, integer=True, positive=True)


S = _count("S", "number of states", "states")
A = _count("A", "number of actions", "actions")
X = _count("X", "number of states of all stages together", "states")
H = _count("H", "horizon: stages of an episode", "stages")
K = _count("K", "number of episodes", "episodes")
T = _count("T", "number of interactions or iterations", "steps")
N = _count("N", "number of samples, demonstrations or trajectories", "samples")
n = _count("n", "sample size of one estimate", "samples")
d = _count("d", "dimension of the features", "1")
i = _declare("i", "summation index", "positive integers", integer=True, positive=True)
t = _declare("t", "time index", "positive integers", integer=True, positive=True)

delta = _declare("delta", "failure probability", "(0, 1)", positive=True)
epsilon = _declare("epsilon", "accuracy", "(0, oo)", "reward", positive=True)
eta = _declare("eta", "learning rate", "(0, oo)", "1 / reward", positive=True)
gamma = _declare("gamma", "discount", "[0, 1)", nonnegative=True)
lam = _declare("lambda", "regularisation", "(0, oo)", "reward", positive=True)
alpha = _declare("alpha", "mixing weight", "[0, 1]", nonnegative=True)
beta = _declare("beta", "bonus or confidence radius", "(0, oo)", positive=True)
omega = _declare("omega", "rate of a dilated bonus", "[0, oo)", nonnegative=True)
rho = _declare("rho", "radius of an uncertainty set", "[0, oo)", nonnegative=True)
sigma = _declare("sigma", "regularisation of an uncertainty set", "(0, oo)", positive=True)

regret = _declare("Regret", "cumulative regret", "reals", "reward", real=True)
error = _declare("error", "left side of an error bound", "[0, oo)", "reward", nonnegative=True)
residual = _declare("residual", "Bellman residual in supremum norm", "[0, oo)", "reward", nonnegative=True)
deviation = _declare("deviation", "distance of an empirical from a true mean", "[0, oo)", nonnegative=True)
variance = _declare("variance", "variance of one observation", "[0, oo)", nonnegative=True)
x = _declare("x", "real variable", "reals", real=True)
y = _declare("y", "real variable", "reals", real=True)
