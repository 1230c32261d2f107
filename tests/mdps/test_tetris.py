"""Tetris against a cell-by-cell twin, the printed values, and its features."""

import numpy as np
import pytest

from mdps.errors import InvalidModelError
from mdps.tetris import (
    ACTIONS,
    PIECES,
    blocks,
    board_features,
    moves,
    optimal_values,
    placed,
    projected_features,
    rotate,
    tetris,
    uniform_play,
    uniform_values,
)


def dropped_by_cells(board, piece, action):
    """Play one move on a grid of booleans, rows from the bottom."""
    grid = np.zeros((6, 6), dtype=bool)
    grid[:2] = [[bool(board >> (6 * row + column) & 1) for column in range(6)] for row in range(2)]
    (low, high), (position, turns) = PIECES[piece], divmod(action, 4)
    square = np.array([[low & 1, low >> 1], [high & 1, high >> 1]], dtype=bool)
    for _ in range(turns):
        square = np.array([[square[1, 0], square[0, 0]], [square[1, 1], square[0, 1]]])
    if not square[0].any():
        square = square[::-1]
    height = 0

    def hits(row):
        return (grid[row : row + 2, position : position + 2] & square).any()

    while hits(height) or hits(height + 1):
        height += 1
    grid[height : height + 2, position : position + 2] |= square
    for row in (1, 0):
        if grid[row].all():
            grid[row:-1] = grid[row + 1 :].copy()
    loss = 0
    while grid[2:].any():
        grid[:-1] = grid[1:].copy()
        loss += 1
    return int((grid[:2].ravel() * (1 << np.arange(12))).sum()), loss


def test_moves_are_those_of_the_cells():
    following, losses = moves()
    random = np.random.default_rng(0)
    for board in (0, 4095, *random.integers(4096, size=60)):
        for piece in range(12):
            for action in random.integers(20, size=5):
                expected = dropped_by_cells(board, piece, action)
                assert (following[board, piece, action], losses[board, piece, action]) == expected


def test_printed_counts():
    assert tetris().n_boards == 2780
    assert np.bincount(moves()[1].ravel()).tolist() == [220250, 370300, 392490]


@pytest.mark.parametrize(
    ("horizon", "optimal", "uniform"),
    [(5, -0.0359, -3.073), (10, -0.1198, -7.442), (20, -0.2635, -16.182), (40, -0.5502, -33.660)],
)
def test_printed_values(horizon, optimal, uniform):
    assert round(optimal_values(tetris(), horizon)[0, 0], 4) == optimal
    assert round(uniform_values(tetris(), horizon)[0, 0], 3) == uniform


def test_printed_values_of_a_hundred_stages():
    assert round(optimal_values(tetris(), 100)[0, 0], 4) == -1.4102
    assert round(uniform_values(tetris(), 100)[0, 0], 3) == -86.097


def test_values_by_enumeration_of_two_stages():
    model = tetris()
    best = np.mean([max(_second(model, p, a) for a in range(20)) for p in range(12)])
    assert optimal_values(model, 2)[0, 0] == pytest.approx(best, abs=1e-12)


def _second(model, piece, action):
    board = model.following[0, piece, action]
    return model.rewards[0, piece, action] + model.rewards[board].max(axis=1).mean()


def test_values_match_play():
    model, random = tetris(), np.random.default_rng(5)
    board, total = np.zeros(20_000, dtype=np.int64), np.zeros(20_000)
    for _ in range(10):
        piece, action = random.integers(12, size=board.size), random.integers(20, size=board.size)
        total += model.rewards[board, piece, action]
        board = model.following[board, piece, action]
    error = total.std() / np.sqrt(total.size)
    assert abs(total.mean() - uniform_values(model, 10)[0, 0]) < 4.0 * error


def test_layers_hold_what_play_reaches():
    model = tetris()
    layers = model.reachable(6)
    assert [len(layer) for layer in layers[:4]] == [1, 52, 746, 2513]
    visited, _ = uniform_play(model, 300, 6, 1)
    for h, boards in enumerate(visited.reshape(6, 300)):
        assert set(boards) <= set(layers[h])


def test_rotations_have_period_four():
    assert rotate(1, 2, 4) == (1, 2)
    assert [rotate(1, 0, k) for k in range(4)] == [(1, 0), (2, 0), (2, 0), (1, 0)]
    assert placed(0, 4 * 3) == 1 << 3


def test_features_of_a_board():
    # columns: empty, low only, high only (a hole), both, empty, empty
    board = 0b001010 | (0b001100 << 6)
    np.testing.assert_array_equal(board_features([board])[0], [2, 1, 1, 1, 1, 0, -2, 0])
    np.testing.assert_array_equal(board_features([0])[0], 0.0)


def test_projection_is_that_of_the_singular_vectors():
    model = tetris()
    mine = projected_features(model, 30, episodes=50, horizon=20, seed=3)
    visited, used = uniform_play(model, 50, 20, 3)
    wide = np.zeros((len(visited), 640))
    for row, (board, block) in enumerate(zip(board_features(model.boards)[visited], used, strict=True)):
        wide[row, 8 * block : 8 * block + 8] = board
    right = np.linalg.svd(wide, full_matrices=False)[2][:30]
    inner = wide @ right.T
    phi = mine.table[mine.classes[visited], used]
    scale = np.sqrt((inner**2).sum() / (phi**2).sum())
    np.testing.assert_allclose(scale**2 * phi @ phi.T, inner @ inner.T, atol=1e-9)


def test_each_block_that_occurs_has_one_feature():
    features = projected_features(tetris())
    active = (np.abs(features.table).sum(axis=0) > 0.0).sum(axis=1)
    assert features.dimension == 60
    np.testing.assert_array_equal(np.flatnonzero(active == 1), np.unique(blocks()))
    assert np.linalg.norm(features.table, axis=2).max() == pytest.approx(1.0)
    assert blocks().shape == (12, ACTIONS)


def test_bad_input_is_named():
    with pytest.raises(InvalidModelError, match="dimension is 641"):
        projected_features(tetris(), 641)
    with pytest.raises(InvalidModelError, match="horizon is 0"):
        optimal_values(tetris(), 0)
