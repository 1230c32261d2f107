r"""A scaled-down Tetris: two rows of width six, pieces of two by two cells, and its exact solution.

A board is an integer of 12 bits, bits 0 to 5 the bottom row. The next piece has low bits in {1, 2, 3} and high bits in
{0, 1, 2, 3}, uniform over the 12 combinations and independent of everything. An action is a position 0, ..., 4 and a
number of rotations 0, ..., 3, numbered ``4 * position + rotations``. A rotation moves the low bit 0 to the low bit 1,
that to the high bit 1, that to the high bit 0, and that to the low bit 0. A piece whose low row is then empty moves
down one row, and is shifted to its position. It is raised from the bottom, row by row, while it overlaps the board or
would do so one row higher. A full second row is deleted, then a full bottom row; while anything is above two rows, the
bottom row is deleted, at a loss of one. The reward is minus the loss, 0, -1 or -2; an episode starts from the empty
board.

The next board is a function of (board, piece, action) and the next piece is independent of it. With
:math:`U_h(b) = \frac 1{12} \sum_p V_h(b, p)`,

.. math:: V_h(b, p) = \max_a \{ r(b, p, a) + U_{h+1}(b'(b, p, a)) \}

is exact dynamic programming over boards. Rewards mapped to [0, 1] as :math:`1 + r / 2` have the values
:math:`(H - h) + V_h / 2`.

**Features.** Eight numbers of a board (`board_features`) are placed in the block of the rotated piece and the position,
16 patterns times 5 positions: 640 numbers, of which 8 are not zero. They are projected on the leading right-singular
vectors of a data set of uniformly random play. As the second moments of the data are block-diagonal, each such vector
lives in one block; the leading 60 are one for each of the 60 blocks that occur. The model is not linear in them.

References
----------
K. Tan and Z. Xu (2024); K. Tan, W. Fan and Y. Wei (2024): dynamics and features, re-implemented. The exact values and
the definition of a well are our own.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError
from mdps.validation import FloatArray, IntArray

WIDTH = 6
ROW = (1 << WIDTH) - 1
"""A full row."""

BOARDS = 1 << (2 * WIDTH)
PIECES = tuple((low, high) for low in (1, 2, 3) for high in range(4))
POSITIONS, ROTATIONS = 5, 4
ACTIONS = POSITIONS * ROTATIONS
BOARD_FEATURES = 8
BLOCKS = 16 * POSITIONS
WORST_REWARD = -2.0


def rotate(low: int, high: int, times: int) -> tuple[int, int]:
    """Return the rows of a piece after some rotations, moved down if the low one is empty."""
    for _ in range(times):
        low, high = (high & 1) | ((low & 1) << 1), (high >> 1) | (low & 2)
    return (high, 0) if low == 0 else (low, high)


def placed(piece: int, action: int) -> int:
    """Return the cells of a piece on the bottom rows, as an action rotates and shifts it."""
    position, rotations = divmod(action, ROTATIONS)
    low, high = rotate(*PIECES[piece], rotations)
    return (low | (high << WIDTH)) << position


def drop(boards: IntArray, cells: int) -> tuple[IntArray, IntArray]:
    """Return the boards after a piece was dropped on each of ``boards``, and the losses."""
    piece = np.full_like(boards, cells)
    for _ in range(2):
        piece = np.where((piece & boards) | ((piece << WIDTH) & boards), piece << WIDTH, piece)
    merged = boards | piece
    for row in (1, 0):
        below = (1 << (WIDTH * row)) - 1
        shorter = (merged & below) | ((merged >> WIDTH) & ~below)
        merged = np.where((merged >> (WIDTH * row)) & ROW == ROW, shorter, merged)
    losses = np.zeros_like(boards)
    for _ in range(2):
        over = merged >= BOARDS
        merged = np.where(over, merged >> WIDTH, merged)
        losses += over
    return merged, losses


@cache
def moves() -> tuple[IntArray, IntArray]:
    """Return the next board and the loss of every board, reachable or not, piece and action: ``(4096, 12, 20)``."""
    boards = np.arange(BOARDS, dtype=np.int64)
    following = np.empty((BOARDS, len(PIECES), ACTIONS), dtype=np.int64)
    losses = np.empty_like(following)
    for piece in range(len(PIECES)):
        for action in range(ACTIONS):
            following[:, piece, action], losses[:, piece, action] = drop(boards, placed(piece, action))
    for table in (following, losses):
        table.setflags(write=False)
    return following, losses


@dataclass(frozen=True, eq=False)
class Tetris:
    """The boards that play reaches from the empty one, which has index 0.

    Attributes
    ----------
    boards
        Their bits, ``(B,)``, in ascending order.
    following
        Index of the next board, ``(B, 12, 20)``.
    rewards
        0, -1 or -2, ``(B, 12, 20)``.
    """

    boards: IntArray
    following: IntArray
    rewards: FloatArray

    @property
    def n_boards(self) -> int:
        """Number of boards B."""
        return len(self.boards)

    @property
    def unit_rewards(self) -> FloatArray:
        """Rewards mapped to [0, 1], ``1 + r / 2``."""
        return 1.0 - self.rewards / WORST_REWARD

    def reachable(self, horizon: int) -> list[IntArray]:
        """Return the indices of the boards that can occur at the stages 0, ..., horizon - 1."""
        layers = [np.zeros(1, dtype=np.int64)]
        for _ in range(horizon - 1):
            layers.append(np.unique(self.following[layers[-1]]))
        return layers


@cache
def tetris() -> Tetris:
    """Return the model on its 2780 reachable boards."""
    following, losses = moves()
    boards = np.zeros(1, dtype=np.int64)
    while True:
        wider = np.union1d(boards, following[boards])
        if len(wider) == len(boards):
            break
        boards = wider
    return Tetris(boards, np.searchsorted(boards, following[boards]), -losses[boards].astype(np.float64))


def optimal_values(model: Tetris, horizon: int) -> FloatArray:
    """Return U* of the stages, the mean over the piece of the optimal values in units of loss, ``(H + 1, B)``."""
    return _induction(model, horizon, optimal=True)


def uniform_values(model: Tetris, horizon: int) -> FloatArray:
    """Return U of the policy that draws its actions uniformly, in units of loss, ``(H + 1, B)``."""
    return _induction(model, horizon, optimal=False)


def _induction(model: Tetris, horizon: int, *, optimal: bool) -> FloatArray:
    if horizon < 1:
        raise InvalidModelError(f"horizon is {horizon!r}, not a positive integer")
    values = np.zeros((horizon + 1, model.n_boards))
    for h in reversed(range(horizon)):
        q = model.rewards + values[h + 1][model.following]
        values[h] = (q.max(axis=2) if optimal else q.mean(axis=2)).mean(axis=1)
    return values


def board_features(boards: npt.ArrayLike) -> FloatArray:
    """Return eight numbers of each board, ``(n, 8)``.

    The largest height; holes, that is, columns filled in the second row only; wells, that is, columns lower than their
    neighbours on both sides, the walls being high; and the five differences of the heights of neighbours.
    """
    bits = (np.asarray(boards, dtype=np.int64)[:, None] >> np.arange(2 * WIDTH)) & 1
    low, high = bits[:, :WIDTH], bits[:, WIDTH:]
    heights = np.where(high == 1, 2, low)
    walled = np.pad(heights, ((0, 0), (1, 1)), constant_values=3)
    wells = (walled[:, 1:-1] < walled[:, :-2]) & (walled[:, 1:-1] < walled[:, 2:])
    columns = (heights.max(axis=1), ((high == 1) & (low == 0)).sum(axis=1), wells.sum(axis=1))
    return np.column_stack([*columns, np.diff(heights, axis=1)]).astype(np.float64)


@cache
def blocks() -> IntArray:
    """Return the block of each piece and action, ``16 * position + pattern``, ``(12, 20)``."""
    table = np.empty((len(PIECES), ACTIONS), dtype=np.int64)
    for p, (low, high) in enumerate(PIECES):
        for a in range(ACTIONS):
            position, rotations = divmod(a, ROTATIONS)
            first, second = rotate(low, high, rotations)
            table[p, a] = 16 * position + (first | (second << 2))
    table.setflags(write=False)
    return table


@dataclass(frozen=True, eq=False)
class TetrisFeatures:
    r"""Projected features :math:`\phi(b, p, a) \propto P_k f(b)`, k the block of (p, a), of norm at most one.

    Attributes
    ----------
    classes
        Number of the board features of each board, ``(B,)``: boards of one class have the same features.
    table
        Features of each class and block, ``(classes, 80, d)``.
    """

    classes: IntArray
    table: FloatArray

    @property
    def dimension(self) -> int:
        """Number of features d."""
        return self.table.shape[2]


def projected_features(
    model: Tetris, dimension: int = 60, *, episodes: int = 200, horizon: int = 40, seed: int = 0
) -> TetrisFeatures:
    """Return the features projected on the leading singular vectors of uniformly random play.

    Raises
    ------
    InvalidModelError
        If there are not so many singular vectors.
    """
    if not 1 <= dimension <= BOARD_FEATURES * BLOCKS:
        raise InvalidModelError(f"dimension is {dimension!r}, not one of 1, ..., {BOARD_FEATURES * BLOCKS}")
    visited, used = uniform_play(model, episodes, horizon, seed)
    values = board_features(model.boards)
    moments = np.zeros((BLOCKS, BOARD_FEATURES, BOARD_FEATURES))
    np.add.at(moments, used, values[visited][:, :, None] * values[visited][:, None, :])
    strengths, vectors = np.linalg.eigh(moments)
    leading = np.argsort(-strengths.ravel(), kind="stable")[:dimension]
    projection = np.zeros((BLOCKS, BOARD_FEATURES, dimension))
    for i, (block, index) in enumerate(zip(*np.divmod(leading, BOARD_FEATURES), strict=True)):
        projection[block, :, i] = vectors[block, :, index]
    distinct, classes = np.unique(values, axis=0, return_inverse=True)
    table = np.einsum("cf,kfi->cki", distinct, projection)
    return TetrisFeatures(classes.ravel(), table / np.linalg.norm(table, axis=2).max())


def uniform_play(model: Tetris, episodes: int, horizon: int, seed: int) -> tuple[IntArray, IntArray]:
    """Return the boards, and the blocks of the moves, of uniformly random episodes, ``(episodes * horizon,)`` each."""
    random = np.random.default_rng(seed)
    board = np.zeros(episodes, dtype=np.int64)
    visited, used = [], []
    for _ in range(horizon):
        piece, action = random.integers(len(PIECES), size=episodes), random.integers(ACTIONS, size=episodes)
        visited.append(board)
        used.append(blocks()[piece, action])
        board = model.following[board, piece, action]
    return np.concatenate(visited), np.concatenate(used)
