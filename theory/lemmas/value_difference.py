r"""Differences of values, written as sums along one of the two processes.

All of them telescope. For two policies in one model, two models under one policy, or an arbitrary guess Q of the
values, the difference of the initial values is an expected sum, over the stages, of one-step differences. Which
process the expectation is over matters: the most common slip is to take the other one.
"""

from theory.assumptions import UNIT_REWARDS
from theory.claim import Claim, Kind, Level, Origin, Source
from theory.references import AGARWAL_2021, CAI_2020, KEARNS_2002

EXPLICIT_SUM = "both sides are sums over a model, not expressions in scalars"

PERFORMANCE_DIFFERENCE = Claim(
    id="value_difference.performance_difference",
    title="Performance difference lemma, finite horizon",
    statement=r"J(\pi) - J(\pi') = \sum_{h} \mathbb E_{d_h^{\pi}} \big[ A_h^{\pi'}(s_h, a_h) \big]",
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, AGARWAL_2021, "Lemma 2", note="Stated there for the discounted case."),
    expected=Level.PROVED,
    no_bound=EXPLICIT_SUM,
)

COMPARATOR_ORDER = Claim(
    id="value_difference.comparator_order",
    title="Performance difference under the comparator's occupancy",
    statement=(
        r"J(\pi) - J(\pi') = \sum_h \mathbb E_{s \sim d_h^{\pi'}} "
        r"\big\langle \pi_h(\cdot|s) - \pi'_h(\cdot|s),\, Q_h^{\pi}(s, \cdot) \big\rangle"
    ),
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, AGARWAL_2021, "Lemma 2", note="The same lemma with the two policies exchanged."),
    expected=Level.PROVED,
    no_bound=EXPLICIT_SUM,
)

DISCOUNTED = Claim(
    id="value_difference.discounted",
    title="Performance difference lemma, discounted",
    statement=r"J(\pi) - J(\pi') = \tfrac{1}{1-\gamma}\, \mathbb E_{(s,a) \sim d^{\pi}} \big[ A^{\pi'}(s, a) \big]",
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, AGARWAL_2021, "Lemma 2"),
    expected=Level.PROVED,
    no_bound=EXPLICIT_SUM,
)

GAPS = Claim(
    id="value_difference.regret_by_gaps",
    title="Regret is the expected sum of sub-optimality gaps",
    statement=(r"J^\star - J(\pi) = \sum_h \mathbb E_{d_h^\pi} \big[ V_h^\star(s_h) - Q_h^\star(s_h, a_h) \big]"),
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, AGARWAL_2021, "Lemma 2", note="With an optimal policy as the comparator."),
    expected=Level.PROVED,
    no_bound=EXPLICIT_SUM,
    uses=("value_difference.performance_difference",),
)

TELESCOPING = Claim(
    id="value_difference.telescoping",
    title="Value difference of two models",
    statement=(
        r"J_M(\pi) - J_{M'}(\pi) = \sum_h \mathbb E_{d_h^{\pi, M}} "
        r"\big[ (r_h - r'_h) + (p_h - p'_h) V_{h+1}^{\pi, M'} \big]"
    ),
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, KEARNS_2002, "Lemma 4", note="The identity behind the simulation lemma."),
    expected=Level.PROVED,
    no_bound=EXPLICIT_SUM,
)

EXTENDED = Claim(
    id="value_difference.extended",
    title="Extended value difference: any guess of the values, any two policies",
    statement=(
        r"\hat J - J(\pi) = \sum_h \mathbb E_{d_h^\pi} \langle \hat Q_h, \hat\pi_h - \pi_h \rangle "
        r"+ \sum_h \mathbb E_{d_h^\pi} \big[ \hat Q_h - r_h - p_h \hat V_{h+1} \big],\quad "
        r"\hat V_h = \langle \hat Q_h, \hat\pi_h \rangle"
    ),
    kind=Kind.IDENTITY,
    source=Source(Origin.FOLKLORE, CAI_2020, "Lemma 4.2"),
    expected=Level.PROVED,
    no_bound=EXPLICIT_SUM,
)

SIMULATION = Claim(
    id="value_difference.simulation",
    title="Simulation lemma with explicit constants",
    statement=(
        r"|J_M(\pi) - J_{M'}(\pi)| \le \sum_h \mathbb E_{d_h^{\pi, M}} "
        r"\big[ |r_h - r'_h| + \tfrac12 (H - h - 1) \| p_h - p'_h \|_1 \big],\quad h = 0, \dots, H-1"
    ),
    kind=Kind.INEQUALITY,
    source=Source(Origin.EXPLICIT, KEARNS_2002, note="Rewards in [0, 1]; the span of the next value is at most H-h-1."),
    expected=Level.CERTIFIED,
    no_bound=EXPLICIT_SUM,
    assumptions=(UNIT_REWARDS,),
    uses=("value_difference.telescoping",),
)

CLAIMS = (
    PERFORMANCE_DIFFERENCE,
    COMPARATOR_ORDER,
    DISCOUNTED,
    GAPS,
    TELESCOPING,
    EXTENDED,
    SIMULATION,
)
