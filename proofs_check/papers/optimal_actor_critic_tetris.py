r"""Checks of the small Tetris: its exact values, in integers, and the experiment with features as a figure.

Values are computed in units of :math:`2^{-40}`: with L of the next stage, the rounded-down mean of the best (or of all)
:math:`2^{40} r + L` is a lower bound of the exact value, and falls short of it by less than one unit a stage. Both ends
of the interval are compared with the printed digits, as fractions.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from mdps import tetris as world
from mdps.validation import FloatArray
from proofs_check.engine import Check, Mutant
from proofs_check.evidence import Comparison, Json
from proofs_check.methods.base import Tier
from proofs_check.methods.exact import Exact
from theory import optimal_actor_critic as theory
from theory import optimal_actor_critic_tables as tables

UNIT = 2**40


def lower_values(*, optimal: bool) -> Iterator[int]:
    """Yield lower bounds of the values of the empty board with 1, 2, ... stages left, in units.

    The exact values exceed them by less than one unit a stage. Of the 240 pairs of a piece and an action only 52 place
    different cells.
    """
    model, n_pieces = world.tetris(), len(world.PIECES)
    cells = [[world.placed(piece, action) for action in range(world.ACTIONS)] for piece in range(n_pieces)]
    _, first, options, counts = np.unique(cells, return_index=True, return_inverse=True, return_counts=True)
    pairs = (model.n_boards, n_pieces * world.ACTIONS)
    following = np.ascontiguousarray(model.following.reshape(pairs)[:, first].T)
    rewards = UNIT * np.ascontiguousarray(model.rewards.reshape(pairs)[:, first].T).astype(np.int64)
    values = np.zeros(model.n_boards, dtype=np.int64)
    while True:
        q = rewards + values.take(following)
        if optimal:
            best = [q[np.unique(row)].max(axis=0) for row in options.reshape(n_pieces, world.ACTIONS)]
            values = np.sum(best, axis=0) // n_pieces
        else:
            values = (counts @ q) // pairs[1]
        yield int(values[0])


def table(horizon: int, *, shift: int = 0, stages: int = 0) -> Iterator[Comparison]:
    """Compare the numbers of boards and losses, and the values up to a horizon, with the table.

    Parameters
    ----------
    shift
        Added to the last printed digit.
    stages
        Added to the horizon of the values.
    """
    model, (_, losses) = world.tetris(), world.moves()
    yield Comparison(model.n_boards, tables.BOARDS, "==", "reachable boards")
    for lost, count in enumerate(tables.LOSSES):
        yield Comparison(int((losses == lost).sum()), count, "==", f"triples that lose {lost}")
    for name, optimal in (("optimal", True), ("uniform", False)):
        values = lower_values(optimal=optimal)
        for left in range(1, horizon + 1 + stages):
            at = next(values)
            if left - stages not in tables.TETRIS:
                continue
            text = tables.TETRIS[left - stages][0 if optimal else 1]
            last_digit = Fraction(1, 10 ** len(text.split(".")[1]))
            value, place = Fraction(text) + shift * last_digit, f"{name}, {left} stages"
            yield Comparison(Fraction(at, UNIT), value - last_digit / 2, ">=", f"{place}, from below")
            yield Comparison(Fraction(at + left, UNIT), value + last_digit / 2, "<=", f"{place}, from above")


def exact_values(horizon: int, **changes: int) -> Iterator[Comparison]:
    """Yield the comparisons of `table` up to the first one that fails."""
    for comparison in table(horizon, **changes):
        yield comparison
        if not comparison.holds:
            return


# Figure


def feature_figure(tier: Tier) -> Json:
    """Return the reward a step of learners with features, online and with offline data, and of two exact policies."""
    from solvers import optimal_actor_critic_tetris as experiment

    horizon, episodes, offline, runs = (6, 8, 10, 1) if tier == Tier.QUICK else (40, 60, 200, 2)
    model = world.tetris()
    features = world.projected_features(model, episodes=20 if tier == Tier.QUICK else 200)
    learners = experiment.feature_learners(horizon=horizon, offline=offline)
    names = ["rare LSVI-UCB", "NORA-L", "rare LSVI-UCB, hybrid", "NORA-L, hybrid"]
    curves: list[dict[str, Any]] = []
    blocks = np.array_split(np.arange(episodes), 8)
    middle = [float(block.mean()) + 1.0 for block in blocks]
    for name in names:
        learner, known = learners[name]
        rewards: FloatArray = np.mean(
            [
                experiment.run_feature_tetris(
                    model, features, learner, horizon=horizon, episodes=episodes, offline=known, seed=seed
                ).rewards
                for seed in range(runs)
            ],
            axis=0,
        )
        curves.append({"label": name, "x": middle, "y": [float(rewards[block].mean()) for block in blocks]})
    for name, values in (("optimal", world.optimal_values), ("uniform", world.uniform_values)):
        level = float(values(model, horizon)[0, 0]) / horizon
        curves.append({"label": f"{name} policy, exact", "x": [1, episodes], "y": [level] * 2, "muted": True})
    return {
        "kind": "curves",
        "title": f"Small Tetris with 60 features, {horizon} stages",
        "xlabel": "episode",
        "ylabel": "reward a step",
        "xscale": "linear",
        "yscale": "linear",
        "caption": f"No bound applies: the model is not linear in its features. Hybrid: {offline} offline episodes.",
        "curves": curves,
    }


CHECKS = (
    Check(
        f"{theory.FAMILY}.tetris_values",
        Exact({"100 stages": lambda: 100}),
        exact_values,
        (
            Mutant("last_digit", "one more in the last digit", {"shift": 1}),
            Mutant("one_stage", "one stage more", {"stages": 1}),
        ),
        figure=feature_figure,
    ),
)
