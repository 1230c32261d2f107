r"""Where the bounds of the optimistic actor-critics begin to say something, and exact values of a small Tetris.

A regret bound is *vacuous* at T if it exceeds H T, which holds for free. All of the first T at which the bounds are
not are integers of laptop scale; they are claims, because a bound whose constants are explicit can be held to them.
Throughout :math:`\delta = \delta' = 0.05`. The uniform mixture of the played policies is :math:`\mathrm{Reg}(T) / T`
from optimal, so that the first T at which the bound falls below :math:`\varepsilon T` is a number of trajectories that
suffices for accuracy :math:`\varepsilon`.
"""

from dataclasses import dataclass

from theory.claim import Kind, Level, Origin
from theory.optimal_actor_critic import claim

NUMBERS = "a table of numbers"


@dataclass(frozen=True)
class TabularRow:
    """First non-vacuous T on S states, A actions and H stages.

    Parameters
    ----------
    nora
        With step size 10, 1, the best one for its epochs, and the best one for a single epoch.
    """

    S: int
    A: int
    H: int
    nora: tuple[int, int, int, int]
    douhua: int


@dataclass(frozen=True)
class LinearRow:
    """First non-vacuous T with d features, for the net of functions and that of weights, at step size 10."""

    d: int
    S: int
    A: int
    H: int
    functions: int
    weights: int


@dataclass(frozen=True)
class FiniteRow:
    """First non-vacuous T with classes of the given sizes, at step size 10, for NORA and for GOLF.

    Each with eluder dimension S A at every stage, then with dimension A at the first one.
    """

    sizes: tuple[int, ...]
    S: int
    A: int
    nora: tuple[int, int]
    golf: tuple[int, int]


@dataclass(frozen=True)
class PacRow:
    """Trajectories of the tabular NORA that suffice for the accuracies `ACCURACIES`, at step size 10."""

    S: int
    A: int
    H: int
    episodes: tuple[int, ...]


TABULAR = (
    TabularRow(2, 2, 2, (217, 273, 388, 10_354), 133),
    TabularRow(2, 2, 3, (979, 1_144, 2_126, 236_158), 563),
    TabularRow(4, 2, 3, (2_305, 2_669, 4_902, 1_427_177), 1_246),
    TabularRow(5, 3, 5, (21_010, 24_349, 79_823, 332_874_047), 10_945),
)

LINEAR = (
    LinearRow(2, 3, 2, 2, 31_151, 83_826),
    LinearRow(3, 5, 3, 3, 194_299, 604_281),
    LinearRow(4, 10, 3, 3, 443_137, 1_305_270),
    LinearRow(5, 20, 4, 4, 1_894_090, 4_620_052),
)

FINITE = (
    FiniteRow((21, 11), 2, 2, (8_970, 5_957), (1_696, 1_160)),
    FiniteRow((61, 41, 21), 3, 2, (29_702, 18_856), (5_391, 3_500)),
)

ACCURACIES = ("2", "1", "1/2", "1/4", "1/10")

PAC = (
    PacRow(2, 2, 2, (217, 954, 4_175, 18_162, 125_773)),
    PacRow(4, 2, 3, (5_417, 23_267, 99_563, 424_559, 2_873_225)),
)

CHERNOFF_HOEFFDING = (4_620_084, 7_501_467)
"""First non-vacuous T of UCBVI-CH on (S, A, H) = (2, 2, 2) and (2, 2, 3)."""

BOARDS = 2_780
"""Reachable boards of the small Tetris."""

LOSSES = (220_250, 370_300, 392_490)
"""Triples of one of the 2^12 boards, a piece and an action that lose nothing, one row, two rows."""

TETRIS = {
    5: ("-0.0359", "-3.073"),
    10: ("-0.1198", "-7.442"),
    20: ("-0.2635", "-16.182"),
    40: ("-0.5502", "-33.660"),
    100: ("-1.4102", "-86.097"),
}
"""Horizon -> value of the empty board under the optimal and the uniform policy, to the printed digits."""


def _table(rows: tuple[TabularRow | PacRow, ...]) -> str:
    lines = []
    for row in rows:
        numbers = (*row.nora, row.douhua) if isinstance(row, TabularRow) else row.episodes
        lines.append(f"({row.S}, {row.A}, {row.H}): " + r",\ ".join(str(number) for number in numbers))
    return r";\quad ".join(lines)


CLAIMS = (
    claim(
        "nonvacuous_tabular",
        "First episode number at which the tabular bounds say something",
        (
            r"\min\{ T : \mathrm{bound}(T) \le HT \} \text{ of NORA } (\eta = 10,\ 1,\ \sqrt{8 N_T \log A / (H^2 T)},\ "
            r"\sqrt{8 \log A / (H^2 T)}) \text{ and DOUHUA, at } (S, A, H):\quad " + _table(TABULAR)
        ),
        Kind.IDENTITY,
        Level.CERTIFIED,
        origin=Origin.DERIVED,
        note="NORA pays for rare switching: on tabular classes DOUHUA's bound is the smaller one.",
        no_bound=NUMBERS,
        uses=("nora_tabular_regret", "douhua_tabular_regret"),
    ),
    claim(
        "nonvacuous_linear",
        "First episode number at which the linear bound says something",
        (
            r"\eta = 10;\ (d, S, A, H):\ T \text{ for the net of functions} / \text{of weights}:\quad "
            + r";\quad ".join(f"({r.d}, {r.S}, {r.A}, {r.H}): {r.functions} / {r.weights}" for r in LINEAR)
        ),
        Kind.IDENTITY,
        Level.CERTIFIED,
        origin=Origin.DERIVED,
        note="The net of functions needs finitely many states. Radius: the smallest fixed point above H.",
        no_bound=NUMBERS,
        uses=("nora_linear_regret",),
    ),
    claim(
        "nonvacuous_finite",
        "First episode number at which the bounds of finite classes say something",
        (
            r"\eta = 10,\ \kappa = 11;\ (|\mathcal F_h|)_h:\ \text{NORA, GOLF}:\quad "
            + r";\quad ".join(f"{r.sizes}: {r.nora[0]},\\ {r.golf[0]}" for r in FINITE)
            + r";\quad d_1 = A:\ "
            + r";\quad ".join(f"{r.nora[1]},\\ {r.golf[1]}" for r in FINITE)
        ),
        Kind.IDENTITY,
        Level.CERTIFIED,
        origin=Origin.DERIVED,
        note="Eluder dimension S A at every stage; A at the first one suffices, as the first state is fixed.",
        no_bound=NUMBERS,
        uses=("nora_finite_regret", "golf_regret"),
    ),
    claim(
        "pac_episodes",
        "Trajectories that suffice for an accuracy",
        (
            r"\min\{ T : \mathrm{bound}(T) \le \varepsilon T \},\ \varepsilon = 2, 1, \tfrac12, \tfrac14, "
            r"\tfrac1{10},\ \eta = 10, \text{ at } (S, A, H):\quad " + _table(PAC)
        ),
        Kind.IDENTITY,
        Level.CERTIFIED,
        origin=Origin.DERIVED,
        note="On the first model T epsilon^2 grows from 868 to 1258: iota contains log T.",
        no_bound=NUMBERS,
        uses=("nora_tabular_regret", "regret_to_pac"),
    ),
    claim(
        "nonvacuous_baseline",
        "The bound of UCBVI-CH says nothing for millions of episodes on the smallest models",
        (
            r"L = \log(5 H S A T / \delta):\ \min\{ T : 20 H^{3/2} L \sqrt{SAT} + 250 H^2 S^2 A L^2 \le HT \}"
            rf" = {CHERNOFF_HOEFFDING[0]},\ {CHERNOFF_HOEFFDING[1]} \text{{ at }} (2, 2, 2),\ (2, 2, 3)"
        ),
        Kind.IDENTITY,
        Level.CERTIFIED,
        origin=Origin.DERIVED,
        note="Against 217 and 979 of NORA at step size 10. One kernel for all stages there, one a stage here.",
        no_bound=NUMBERS,
        uses=("ucbvi.chernoff_hoeffding_regret",),
    ),
    claim(
        "tetris_values",
        "Exact values of the small Tetris",
        (
            r"2780 \text{ reachable boards};\ V_1(\emptyset) \text{ of the optimal and the uniform policy at } H:\quad "
            + r";\quad ".join(rf"{horizon}: {best},\ {uniform}" for horizon, (best, uniform) in TETRIS.items())
        ),
        Kind.IDENTITY,
        Level.CERTIFIED,
        origin=Origin.DERIVED,
        note=(
            "Two rows of width six, twelve pieces, twenty actions, as in public code of the first author. Values a "
            "step that older code calls optimal, about -0.49, are far from these."
        ),
        no_bound=NUMBERS,
    ),
)
