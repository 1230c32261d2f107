r"""Dynamic programming: operators, stopping rules, greedy policies, occupancies and the linear programmes.

:math:`(\mathcal T V)(s) = \max_a \{ r(s, a) + \gamma\, p V(s, a) \}` is the optimality operator of a discounted MDP
with fixed point :math:`V^\star`; :math:`V_{n+1} = \mathcal T V_n` is value iteration. All norms are supremum norms;
the span is :math:`\mathrm{sp}(v) = \max v - \min v`.
"""

import sympy as sp

from theory.claim import Bound, Claim, Kind, Level, Origin, Source
from theory.references import PUTERMAN_1994, SINGH_1994
from theory.symbols import error, gamma, residual

MONOTONE = Claim(
    id="dynamic_programming.monotone",
    title="The optimality operator is monotone",
    statement=r"V \le W \implies \mathcal T V \le \mathcal T W",
    kind=Kind.INEQUALITY,
    source=Source(Origin.FOLKLORE, PUTERMAN_1994, "Section 6.2"),
    expected=Level.SUPPORTED,
    no_bound="a statement about all states at once",
)

CONTRACTION = Claim(
    id="dynamic_programming.contraction",
    title="The optimality operator is a contraction with modulus gamma",
    statement=r"\| \mathcal T V - \mathcal T W \| \le \gamma \| V - W \|",
    kind=Kind.INEQUALITY,
    source=Source(Origin.FOLKLORE, PUTERMAN_1994, "Proposition 6.2.4"),
    expected=Level.SUPPORTED,
    bound=Bound(sp.Le(error, gamma * residual)),
)

STOPPING = Claim(
    id="dynamic_programming.stopping",
    title="Stopping rule of value iteration",
    statement=r"\| V_{n+1} - V^\star \| \le \tfrac{\gamma}{1 - \gamma} \| V_{n+1} - V_n \|",
    kind=Kind.INEQUALITY,
    source=Source(Origin.FOLKLORE, PUTERMAN_1994, "Theorem 6.3.1"),
    expected=Level.CERTIFIED,
    bound=Bound(sp.Le(error, gamma / (1 - gamma) * residual)),
    uses=("dynamic_programming.contraction",),
)

SPAN_STOPPING = Claim(
    id="dynamic_programming.span_stopping",
    title="MacQueen bounds: value iteration stopped by the span",
    statement=(
        r"V_{n+1} + \tfrac{\gamma}{1-\gamma} \min(V_{n+1} - V_n) \le V^\star "
        r"\le V_{n+1} + \tfrac{\gamma}{1-\gamma} \max(V_{n+1} - V_n)"
    ),
    kind=Kind.INEQUALITY,
    source=Source(Origin.FOLKLORE, PUTERMAN_1994, "Section 6.6"),
    expected=Level.CERTIFIED,
    no_bound="two inequalities between vectors",
    uses=("dynamic_programming.monotone",),
)

GREEDY = Claim(
    id="dynamic_programming.greedy_loss",
    title="Loss of the greedy policy of an approximate value",
    statement=r"V^\star - V^{\mathrm{greedy}(V)} \le \tfrac{2\gamma}{1-\gamma} \| V - V^\star \|",
    kind=Kind.INEQUALITY,
    source=Source(Origin.FOLKLORE, SINGH_1994, "main bound"),
    expected=Level.CERTIFIED,
    bound=Bound(sp.Le(error, 2 * gamma / (1 - gamma) * residual)),
    uses=("dynamic_programming.contraction",),
)

IMPROVEMENT = Claim(
    id="dynamic_programming.policy_improvement",
    title="A greedy step never makes a policy worse",
    statement=r"\pi' = \mathrm{greedy}(V^\pi) \implies V^{\pi'} \ge V^\pi",
    kind=Kind.INEQUALITY,
    source=Source(Origin.FOLKLORE, PUTERMAN_1994, "Proposition 6.4.1"),
    expected=Level.CERTIFIED,
    no_bound="a statement about all states at once",
    uses=("dynamic_programming.monotone",),
)

FLOW = Claim(
    id="dynamic_programming.flow",
    title="Occupancy measures are the flows of the model",
    statement=(
        r"\sum_a d_{h+1}(s', a) = \sum_{s, a} d_h(s, a)\, p_h(s' \mid s, a),\quad \sum_a d_0(s, a) = \rho(s),\quad "
        r"J(\pi) = \sum_h \langle d_h, r_h \rangle"
    ),
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, PUTERMAN_1994, "Section 6.9", note="There for the discounted case."),
    expected=Level.CERTIFIED,
    no_bound="a system of equations",
)

DUALITY = Claim(
    id="dynamic_programming.linear_programme",
    title="Strong duality of the linear programmes of a discounted MDP",
    statement=(
        r"\min\{ \rho^\top V : V(s) \ge r(s,a) + \gamma\, p V(s,a) \} = \rho^\top V^\star = "
        r"\max\{ \langle d, r \rangle : d \ge 0,\ "
        r"\textstyle\sum_a d(s', a) = \rho(s') + \gamma \sum_{s,a} d(s,a) p(s'|s,a) \}"
    ),
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, PUTERMAN_1994, "Section 6.9"),
    expected=Level.CERTIFIED,
    no_bound="an equality of two optima",
    uses=("dynamic_programming.monotone",),
)

CLAIMS = (MONOTONE, CONTRACTION, STOPPING, SPAN_STOPPING, GREEDY, IMPROVEMENT, FLOW, DUALITY)
