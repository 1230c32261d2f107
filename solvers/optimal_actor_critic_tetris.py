r"""Optimistic actor-critics on scaled-down Tetris: tabular, and with 60 features.

**Tabular.** A state is a board with a piece, 33360 in all, and each stage has a critic of its own. Nearly all pairs are
never visited, and an unvisited one has :math:`Q = r + m`, :math:`m = H - h`, in closed form (:math:`Q = r` without
optimism). Hence only visited pairs are stored and planned: the learner is that of `solvers.optimal_actor_critic`,
setting by setting, at a cost that grows with the visits, not with the 667200 pairs a stage. Its policies are evaluated
exactly over all boards that a stage can reach. Rewards are mapped to [0, 1]; gaps are in that unit. With so many pairs,
first visits double some count in nearly every episode: critics are not rare, an actor that is reset stays at
softmax(eta Q), and only a large eta makes up for it.

**Features.** A ridge critic with one covariance for all stages, whose weights are made backwards by
`solvers.optimal_actor_critic_listed`. The model is not linear in the features: no bound applies, and gaps stay far from
zero. Rewards are reported in the game's own unit, minus the rows lost.
"""

from dataclasses import dataclass, replace
from math import inf, sqrt

import numpy as np

from mdps.kernels import Seed
from mdps.tetris import ACTIONS, PIECES, Tetris, TetrisFeatures, blocks, optimal_values
from mdps.validation import FloatArray, IntArray
from solvers.episodic import record_points, require_positive
from solvers.optimal_actor_critic import TabularLearner
from solvers.optimal_actor_critic_linear import LinearLearner
from solvers.optimal_actor_critic_listed import FeatureTable, ListedCritic, Steps, covariance, listed_critic, norms
from theory import optimal_actor_critic_parameters as parameters

N_PIECES = len(PIECES)


@dataclass(frozen=True, eq=False)
class TetrisRun:
    """One run of a tabular learner.

    Attributes
    ----------
    episodes
        Those whose policies were evaluated, ``(R,)``.
    gaps
        V* - V^pi of these policies, ``(R,)``, exact; rewards in [0, 1].
    regret
        Sum of all gaps up to these episodes, ``(R,)``; None unless every episode was evaluated.
    returns
        Sum of the rewards of each episode, ``(T,)``, in [0, 1] a step.
    switches
        Number of critics.
    """

    episodes: IntArray
    gaps: FloatArray
    regret: FloatArray | None
    returns: FloatArray
    switches: int


def softmax(scores: FloatArray, eta: float) -> FloatArray:
    """Return softmax of ``eta * scores`` over the last axis; the first maximum if eta is infinite."""
    if eta == inf:
        return np.eye(scores.shape[-1])[scores.argmax(axis=-1)]
    mass = np.exp(eta * (scores - scores.max(axis=-1, keepdims=True)))
    law: FloatArray = mass / mass.sum(axis=-1, keepdims=True)
    return law


class _Stage:
    """Visited pairs and states of one stage, in the order of their first visits."""

    def __init__(self, model: Tetris, capacity: int) -> None:
        self.rewards = model.unit_rewards.reshape(-1, ACTIONS)
        self.number = np.full((model.n_boards * N_PIECES, ACTIONS), -1, dtype=np.int64)
        self.place = np.full(model.n_boards * N_PIECES, -1, dtype=np.int64)
        self.pairs, self.states = 0, 0
        self.pair_place, self.pair_action = (np.zeros(capacity, dtype=np.int64) for _ in range(2))
        self.following, self.visits, self.planned = (np.zeros(capacity, dtype=np.int64) for _ in range(3))
        self.pieces = np.zeros((capacity, N_PIECES))
        self.state = np.zeros(capacity, dtype=np.int64)
        self.q, self.past = np.zeros((capacity, ACTIONS)), np.zeros((capacity, ACTIONS))
        self.values = np.zeros(capacity)

    def visit(self, state: int, action: int, board: int, piece: int, weight: float, rest: float) -> bool:
        """Count a step and return whether the visits of its pair have doubled since the last critic.

        A state that is new has had ``weight`` critics ``r + rest``.
        """
        if self.place[state] < 0:
            self.place[state] = self.states
            self.state[self.states] = state
            self.q[self.states] = self.rewards[state] + rest
            self.past[self.states] = weight * self.q[self.states]
            self.states += 1
        row = self.number[state, action]
        if row < 0:
            row = self.number[state, action] = self.pairs
            self.pair_place[row], self.pair_action[row] = self.place[state], action
            self.following[row] = board
            self.pairs += 1
        self.visits[row] += 1
        self.pieces[row, piece] += 1.0
        return bool(self.visits[row] >= max(1, 2 * self.planned[row]))


class _Player:
    """A tabular learner at work."""

    def __init__(self, model: Tetris, learner: TabularLearner, horizon: int, episodes: int, offline: int) -> None:
        self.model, self.learner, self.horizon = model, learner, horizon
        self.stages = [_Stage(model, episodes + offline) for _ in range(horizon)]
        self.rewards = model.unit_rewards.reshape(-1, ACTIONS)
        n_states = model.n_boards * N_PIECES
        self.iota = learner.iota_scale * parameters.evaluate(
            parameters.IOTA_HYBRID, S=n_states, A=ACTIONS, H=horizon, T=episodes, N_off=offline, delta=learner.delta
        )
        self.layers = model.reachable(horizon)
        self.earlier, self.played, self.switches, self.due = 0, 0, 0, True

    def left(self, h: int) -> float:
        """Return the most that can follow stage h."""
        return float(self.horizon - 1 - h)

    def rest(self, h: int) -> float:
        """Return what an unvisited pair is worth besides its reward."""
        return self.left(h) if self.learner.optimistic else 0.0

    def refresh(self) -> None:
        """Make a critic, backwards."""
        if not self.learner.reset:
            for stage in self.stages:
                stage.past[: stage.states] += self.played * stage.q[: stage.states]
            self.earlier += self.played
        self.played, self.due = 0, self.learner.refresh == "episode"
        self.switches += 1
        for h in reversed(range(self.horizon)):
            self._plan(h)

    def _plan(self, h: int) -> None:
        stage, left = self.stages[h], self.left(h)
        pairs, states = slice(0, stage.pairs), slice(0, stage.states)
        n = stage.visits[pairs]
        stage.planned[pairs] = n
        worth = np.zeros(stage.pairs)
        if h + 1 < self.horizon:
            worth = (stage.pieces[pairs] * self._ahead(h + 1, stage.following[pairs])).sum(axis=1) / n
            if self.learner.optimistic:
                worth += self.learner.bonus_scale * left * np.sqrt(self.iota / (2.0 * n))
            worth = np.minimum(worth, left)
        rewards = stage.rewards[stage.state[states]]
        stage.q[states] = rewards + self.rest(h)
        places, actions = stage.pair_place[pairs], stage.pair_action[pairs]
        stage.q[places, actions] = rewards[places, actions] + worth
        stage.values[states] = self._targets(stage.q[states], stage.past[states])

    def _targets(self, q: FloatArray, past: FloatArray) -> FloatArray:
        if self.learner.target == "optimum":
            best: FloatArray = q.max(axis=-1)
            return best
        mean: FloatArray = (softmax(past, self.learner.eta) * q).sum(axis=-1)
        return mean

    def _ahead(self, h: int, boards: IntArray) -> FloatArray:
        """Return the values of stage h at some boards with each piece, ``(n, 12)``."""
        stage, states = self.stages[h], boards[:, None] * N_PIECES + np.arange(N_PIECES)
        rewards = self.rewards[states]
        default = self._targets(rewards + self.rest(h), self.earlier * rewards)
        places = stage.place[states]
        return np.where(places >= 0, stage.values[places], default)

    @property
    def count(self) -> int:
        """Multiple of the critic in the policy of the episode."""
        return self.played - 1 if self.learner.late else self.played

    def laws(self, h: int, states: IntArray) -> FloatArray:
        """Return the actor's laws at states of stage h, any leading axes."""
        stage, places = self.stages[h], self.stages[h].place[states]
        scores = (self.earlier + self.count) * self.rewards[states] if self.learner.eta < inf else self.rewards[states]
        known = places >= 0
        q, past = stage.q[places[known]], stage.past[places[known]]
        scores[known] = past + self.count * q if self.learner.eta < inf else q
        return softmax(scores, self.learner.eta)

    def value(self) -> float:
        """Return the exact value of the actor, by dynamic programming over the boards that a stage can reach."""
        ahead = np.zeros(self.model.n_boards)
        for h in reversed(range(self.horizon)):
            boards = self.layers[h]
            law = self.laws(h, boards[:, None] * N_PIECES + np.arange(N_PIECES))
            q = self.model.unit_rewards[boards] + ahead[self.model.following[boards]]
            ahead = np.zeros(self.model.n_boards)
            ahead[boards] = (law * q).sum(axis=2).mean(axis=1)
        return float(ahead[0])

    def play(self, random: np.random.Generator, *, uniform: bool = False) -> float:
        """Play one episode, of the actor or uniformly, learn from it, and return the sum of its rewards."""
        board, piece, total = 0, int(random.integers(N_PIECES)), 0.0
        for h, stage in enumerate(self.stages):
            state = board * N_PIECES + piece
            if uniform:
                action = int(random.integers(ACTIONS))
            else:
                law = self.laws(h, np.array([state]))[0]
                action = min(int(np.searchsorted(np.cumsum(law), random.random(), side="right")), ACTIONS - 1)
            total += float(self.rewards[state, action])
            board, piece = int(self.model.following[board, piece, action]), int(random.integers(N_PIECES))
            doubled = stage.visit(state, action, board, piece, self.earlier, self.rest(h))
            self.due = self.due or (doubled and h + 1 < self.horizon)
        return total


def tabular_learners(horizon: int, episodes: int) -> dict[str, tuple[TabularLearner, int]]:
    """Return learners to compare on Tetris, with their numbers of offline episodes."""
    step = parameters.evaluate(parameters.RATE_ONE_EPOCH, A=ACTIONS, H=horizon, T=episodes)
    actor = TabularLearner(eta=step, target="actor", refresh="episode", reset=False, late=True, bonus_scale=0.01)
    bonus_free = TabularLearner(eta=1.0, optimistic=False)
    return {
        "NORA-T, bonus x 1": (TabularLearner(), 0),
        "NORA-T, bonus x 0.1": (TabularLearner(bonus_scale=0.1), 0),
        "NORA-T, bonus x 0.01": (TabularLearner(bonus_scale=0.01), 0),
        "greedy, each episode, bonus x 0.01": (TabularLearner(eta=inf, refresh="episode", bonus_scale=0.01), 0),
        "DOUHUA-T, bonus x 0.01": (actor, 0),
        "NOAH": (bonus_free, 0),
        "NOAH, 200 offline": (bonus_free, 200),
        "NOAH, 2000 offline": (bonus_free, 2000),
        "greedy, no bonus, 200 offline": (TabularLearner(eta=inf, refresh="episode", optimistic=False), 200),
    }


def feature_learners(
    dimension: int = 60, horizon: int = 40, ridge: float = 0.01, offline: int = 200
) -> dict[str, tuple[LinearLearner, int]]:
    r"""Return learners to compare on Tetris with features, with their numbers of offline episodes.

    The factor of the bonus is that of earlier public code, :math:`(\sqrt{d/H} + \sqrt d) / 100`, chosen by hand.
    """
    beta = 0.01 * (sqrt(dimension / horizon) + sqrt(dimension))
    greedy, soft = LinearLearner(eta=inf, beta=beta, ridge=ridge), LinearLearner(eta=1.0, beta=beta, ridge=ridge)
    return {
        "LSVI-UCB": (replace(greedy, rare=False, cap="horizon"), 0),
        "LSVI-UCB, hybrid": (replace(greedy, rare=False, cap="horizon"), offline),
        "rare LSVI-UCB": (greedy, 0),
        "rare LSVI-UCB, hybrid": (greedy, offline),
        "NORA-L": (soft, 0),
        "NORA-L, hybrid": (soft, offline),
        "NOAH-L": (LinearLearner(eta=1.0, bonus=False, ridge=ridge), 0),
        "NOAH-L, hybrid": (LinearLearner(eta=1.0, bonus=False, ridge=ridge), offline),
    }


def run_tabular_tetris(
    model: Tetris,
    learner: TabularLearner,
    *,
    horizon: int,
    episodes: int,
    seed: Seed,
    record: int | None = 8,
    offline: int = 0,
) -> TetrisRun:
    """Run a tabular learner on Tetris.

    Parameters
    ----------
    record
        Number of log-spaced episodes whose policies are evaluated; None for all, and the exact regret.
    offline
        Number of uniformly random episodes that are known from the start.

    Raises
    ------
    ValueError
        For a setting outside its domain; a critic that is never refreshed is none.
    """
    require_positive("horizon", horizon)
    require_positive("episodes", episodes)
    points = np.arange(1, episodes + 1) if record is None else record_points(episodes, record)
    learner.require_sound()
    if learner.refresh == "never":
        raise ValueError("refresh is 'never': the tabular learner of Tetris refreshes its critic")
    random = np.random.default_rng(seed)
    player = _Player(model, learner, horizon, episodes, offline)
    for _ in range(offline):
        player.play(random, uniform=True)
    player.due = True
    best = horizon + optimal_values(model, horizon)[0, 0] / 2.0
    gaps: list[float] = []
    returns = np.empty(episodes)
    for episode in range(1, episodes + 1):
        if player.due:
            player.refresh()
        player.played += 1
        if episode == points[len(gaps)]:
            gaps.append(best - player.value())
        returns[episode - 1] = player.play(random)
    return TetrisRun(
        points, np.array(gaps), np.cumsum(gaps) if len(points) == episodes else None, returns, player.switches
    )


@dataclass(frozen=True, eq=False)
class FeatureRun:
    """One run of a learner with features.

    Attributes
    ----------
    rewards
        Mean reward a step of each episode, ``(T,)``, in the game's unit: 0, -1 or -2.
    switches
        Number of critics.
    value
        Exact value of the last policy, in the game's unit; None unless asked for.
    """

    rewards: FloatArray
    switches: int
    value: float | None


def run_feature_tetris(
    model: Tetris,
    features: TetrisFeatures,
    learner: LinearLearner,
    *,
    horizon: int = 40,
    episodes: int = 100,
    offline: int = 0,
    seed: Seed,
    evaluated: bool = False,
) -> FeatureRun:
    """Run a learner with features on Tetris; one covariance serves all stages.

    Parameters
    ----------
    learner
        Its ``beta`` is needed, as there is no radius for a model that is not linear.
    offline
        Number of uniformly random episodes that are known from the start.
    evaluated
        Whether the last policy is evaluated exactly.

    Raises
    ------
    ValueError
        For a setting that this path does not have.
    """
    require_positive("horizon", horizon)
    require_positive("episodes", episodes)
    _require_listed(learner)
    random = np.random.default_rng(seed)
    table = _feature_table(features)
    record = _Record(horizon * (episodes + offline))
    caps = np.full(horizon, float(horizon)) if learner.cap == "horizon" else np.arange(float(horizon), 0.0, -1.0)
    beta = learner.scale * (learner.beta or 0.0) if learner.bonus else 0.0
    for _ in range(offline):
        _play(model, features, table, None, 0.0, horizon, record, random)
    critic: ListedCritic | None = None
    rewards, switches, played, log_det = np.empty(episodes), 0, 0, -inf
    for episode in range(episodes):
        current = np.linalg.slogdet(covariance(table.features[record.steps.rows], learner.ridge))[1]
        if critic is None or not learner.rare or current - log_det > np.log(learner.doubling):
            critic = listed_critic(table, [record.steps], caps, beta, learner.ridge)
            log_det, played = current, 0
            switches += 1
        played += 1
        eta = learner.eta * (played - learner.late) if learner.eta < inf else inf
        total = _play(model, features, table, critic, eta, horizon, record, random)
        rewards[episode] = 2.0 * (total / horizon - 1.0)
    value = None
    if evaluated and critic is not None:
        value = 2.0 * (_feature_value(model, features, critic, eta, horizon) - horizon)
    return FeatureRun(rewards, switches, value)


class _Record:
    """Steps so far, in arrays of the final length."""

    def __init__(self, capacity: int) -> None:
        self.size = 0
        self.rows, self.following = (np.zeros(capacity, dtype=np.int64) for _ in range(2))
        self.rewards = np.zeros(capacity)

    def add(self, row: int, reward: float, following: int) -> None:
        """Append a step."""
        self.rows[self.size], self.rewards[self.size], self.following[self.size] = row, reward, following
        self.size += 1

    @property
    def steps(self) -> Steps:
        """The steps so far."""
        return Steps(self.rows[: self.size], self.rewards[: self.size], self.following[: self.size])


def _require_listed(learner: LinearLearner) -> None:
    if learner.bonus and learner.beta is None:
        raise ValueError("beta is None: there is no radius for a model that is not linear")
    if not learner.reset or learner.target != "optimum":
        raise ValueError("a learner from lists resets its actor and targets the optimum")


def _feature_table(features: TetrisFeatures) -> FeatureTable:
    """Return the features by observation ``12 * class + piece``."""
    n_classes, n_blocks, d = features.table.shape
    index = np.arange(n_classes)[:, None, None] * n_blocks + blocks()
    return FeatureTable(features.table.reshape(-1, d), index.reshape(-1, ACTIONS))


def _play(
    model: Tetris,
    features: TetrisFeatures,
    table: FeatureTable,
    critic: ListedCritic | None,
    eta: float,
    horizon: int,
    record: _Record,
    random: np.random.Generator,
) -> float:
    """Play one episode of the softmax of a critic, or uniformly; record it and return the sum of its unit rewards."""
    board, piece, total = 0, int(random.integers(N_PIECES)), 0.0
    for h in range(horizon):
        rows = table.index[features.classes[board] * N_PIECES + piece]
        if critic is None:
            action = int(random.integers(ACTIONS))
        else:
            law = softmax(critic.action_values(h, rows), eta)
            action = min(int(np.searchsorted(np.cumsum(law), random.random(), side="right")), ACTIONS - 1)
        reward = 1.0 + model.rewards[board, piece, action] / 2.0
        board, piece = int(model.following[board, piece, action]), int(random.integers(N_PIECES))
        record.add(rows[action], reward, features.classes[board] * N_PIECES + piece)
        total += reward
    return total


def _feature_value(model: Tetris, features: TetrisFeatures, critic: ListedCritic, eta: float, horizon: int) -> float:
    """Return the exact value of a softmax policy, in [0, 1] a step."""
    ahead, table = np.zeros(model.n_boards), critic.table
    bonus = critic.beta * norms(table.features, critic.inverses[0])
    for h in reversed(range(horizon)):
        q = np.clip(table.features @ critic.weights[h] + bonus, 0.0, critic.caps[h])
        law = softmax(q[table.index], eta).reshape(-1, N_PIECES, ACTIONS)[features.classes]
        ahead = (law * (model.unit_rewards + ahead[model.following])).sum(axis=2).mean(axis=1)
    return float(ahead[0])
