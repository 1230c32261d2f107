"""Kernels of the tabular and finite-class actor-critics: episodes, refreshes, and exact expectations.

Arrays are indexed [h, s, a]; t names a next state. An episode is played by the actor softmax(eta (base + j f)), where f
is the critic of the epoch, j counts its episodes and ``base`` is the sum of earlier critics (zero after a reset).
Tables that belong together share an array: passing fewer arrays, the kernels compile in a fraction of the time.
"""

import math
from typing import NamedTuple

from mdps.adversarial import draw_law
from mdps.jit import kernel
from mdps.kernels import WordArray, uniform
from mdps.validation import FloatArray, IntArray

RARELY, EACH_EPISODE, ONCE = range(3)
"""When a critic is computed anew."""

REWARD, OPTIMUM = range(2)
"""Tables of `Problem`."""

CRITIC, BASE, POLICY, ERROR = range(4)
"""Tables of `Actor`: f, the sum of earlier critics, the laws of the actions, f - T f."""

NOW, FROZEN = range(2)
"""Tables of `Counts`: visits, and visits at the last refresh."""

EPOCHS, REGRET, OPTIMISM, STAGES = range(4)
"""Columns of `Trace.totals`; from the last on, H each of tracking gaps, mean and realised Bellman errors."""

SIZE, STAR, CHOSEN = range(3)
"""Rows of `Search.names`: number of functions, index of Q* (-1 if unknown), index of the critic in force."""

FEASIBLE, FOLLOWING = range(2)
"""Tables of `Search.links`: whether a function can be completed, and by which one of the next stage."""

BETA, PAST, EPOCH = range(3)
"""Rows of `Search.stages`: radius, squared Bellman errors of the critic in force on all data, and in its epoch."""


class Problem(NamedTuple):
    """The true model, and its optimum."""

    transitions: FloatArray  # (H, S, A, S)
    tables: FloatArray  # (2, H, S, A)
    initial: FloatArray  # (S,)
    optimum: float


class Rules(NamedTuple):
    """Settings of an actor, and when its critic is refreshed."""

    eta: float
    refresh: int
    reset: bool
    late: bool
    optimistic: bool


class Actor(NamedTuple):
    """The critic of the epoch, the actor, and what follows from them."""

    tables: FloatArray  # (4, H, S, A)
    values: FloatArray  # (H + 1, S): max_a f, zero at H
    law: FloatArray  # (2, S): of the state, at this stage and at the next
    path: IntArray  # (3, H): states, actions and next states of the last episode


class Counts(NamedTuple):
    """Visits so far."""

    visits: FloatArray  # (2, H, S, A)
    moves: FloatArray  # (H, S, A, S)


class Trace(NamedTuple):
    """Running totals and what the refreshes showed."""

    totals: FloatArray  # (R + 1, 3 + 3 H): the current ones, then the records
    extremes: FloatArray  # (3,) or (5,): see the algorithms
    critics: FloatArray  # (2, keep, H, S, A): the first critics, and the visits that they rest on
    starts: IntArray  # (keep,): their first episodes


class Search(NamedTuple):
    """A finite class, its losses, and scratch for the search in the confidence set."""

    table: FloatArray  # (H, S, A, F): functions, the last axis padded
    tops: FloatArray  # (H + 1, S, F): their maxima over the actions
    losses: FloatArray  # (H, F, F): sums of squares of pairs
    names: IntArray  # (3, H + 1)
    links: IntArray  # (2, H + 1, F)
    stages: FloatArray  # (3, H)
    kappa: float


@kernel
def improve(eta: float, tables: FloatArray, weight: float) -> None:
    """Let the actor be softmax(eta (base + weight f)); greedy, ties to the lowest action, for an infinite eta."""
    for h in range(tables.shape[1]):
        for s in range(tables.shape[2]):
            top, best, total = -math.inf, 0, 0.0
            for a in range(tables.shape[3]):
                logit = tables[BASE, h, s, a] + weight * tables[CRITIC, h, s, a]
                tables[POLICY, h, s, a] = logit
                if logit > top:
                    top, best = logit, a
            for a in range(tables.shape[3]):
                behind = top - tables[POLICY, h, s, a]
                mass = (1.0 if a == best else 0.0) if eta == math.inf else math.exp(-eta * behind)
                tables[POLICY, h, s, a] = mass
                total += mass
            for a in range(tables.shape[3]):
                tables[POLICY, h, s, a] /= total


@kernel
def bellman_errors(problem: Problem, actor: Actor) -> float:
    """Fill the maxima and the Bellman errors of the critic, and return its value at the start."""
    tables, values = actor.tables, actor.values
    H, S, A = tables.shape[1:]
    start = 0.0
    for h in range(H - 1, -1, -1):
        for s in range(S):
            top = tables[CRITIC, h, s, 0]
            for a in range(A):
                error = tables[CRITIC, h, s, a] - problem.tables[REWARD, h, s, a]
                for t in range(S):
                    error -= problem.transitions[h, s, a, t] * values[h + 1, t]
                tables[ERROR, h, s, a] = error
                top = max(top, tables[CRITIC, h, s, a])
            values[h, s] = top
    for s in range(S):
        start += problem.initial[s] * values[0, s]
    return start


@kernel
def expect(problem: Problem, actor: Actor, totals: FloatArray) -> None:
    """Add the exact regret, tracking gaps and Bellman errors of the actor to the totals, by a forward pass."""
    tables, law = actor.tables, actor.law
    H, S, A = tables.shape[1:]
    start, achieved = 0.0, 0.0
    for s in range(S):
        law[0, s] = problem.initial[s]
        start += problem.initial[s] * actor.values[0, s]
    for h in range(H):
        here, after = h % 2, 1 - h % 2
        for s in range(S):
            law[after, s] = 0.0
        for s in range(S):
            for a in range(A):
                mass = law[here, s] * tables[POLICY, h, s, a]
                totals[0, STAGES + h] += mass * (actor.values[h, s] - tables[CRITIC, h, s, a])
                totals[0, STAGES + H + h] += mass * tables[ERROR, h, s, a]
                achieved += mass * problem.tables[REWARD, h, s, a]
                for t in range(S):
                    law[after, t] += mass * problem.transitions[h, s, a, t]
    totals[0, REGRET] += problem.optimum - achieved
    totals[0, OPTIMISM] += start - problem.optimum


@kernel
def play(problem: Problem, actor: Actor, counts: Counts, totals: FloatArray, state: WordArray, lane: int) -> None:
    """Play one episode, count its transitions and add its Bellman errors to the totals."""
    H = actor.tables.shape[1]
    s = draw_law(problem.initial, uniform(state, lane))
    for h in range(H):
        a = draw_law(actor.tables[POLICY, h, s], uniform(state, lane))
        t = draw_law(problem.transitions[h, s, a], uniform(state, lane))
        totals[0, STAGES + 2 * H + h] += actor.tables[ERROR, h, s, a]
        counts.visits[NOW, h, s, a] += 1.0
        counts.moves[h, s, a, t] += 1.0
        actor.path[0, h], actor.path[1, h], actor.path[2, h] = s, a, t
        s = t


@kernel
def settle(reset: bool, tables: FloatArray, visits: FloatArray, length: float) -> None:
    """Close an epoch of ``length`` episodes: keep or reset the sum of critics, freeze the counts."""
    for h in range(tables.shape[1]):
        for s in range(tables.shape[2]):
            for a in range(tables.shape[3]):
                visits[FROZEN, h, s, a] = visits[NOW, h, s, a]
                total = tables[BASE, h, s, a] + length * tables[CRITIC, h, s, a]
                tables[BASE, h, s, a] = 0.0 if reset else total


@kernel
def keep(tables: FloatArray, visits: FloatArray, critics: FloatArray, starts: IntArray, episode: int) -> None:
    """Keep the critic of a new epoch if there is room."""
    place = 0
    while place < starts.shape[0] and starts[place] > 0:
        place += 1
    if place < starts.shape[0]:
        starts[place] = episode
        for h in range(tables.shape[1]):
            for s in range(tables.shape[2]):
                for a in range(tables.shape[3]):
                    critics[0, place, h, s, a] = tables[CRITIC, h, s, a]
                    critics[1, place, h, s, a] = visits[FROZEN, h, s, a]


@kernel
def plan_table(problem: Problem, actor: Actor, counts: Counts, ahead: bool, to_actor: bool, width: float) -> None:
    """Fill the tabular critic r + min(H - h, P^ V + (H - h) width / sqrt(n)), V its maximum or actor mean.

    ``ahead``: unvisited pairs are worth r + H - h, else r.
    """
    tables, following = actor.tables, actor.law
    H, S, A = tables.shape[1:]
    for s in range(S):
        following[0, s] = 0.0
    for h in range(H - 1, -1, -1):
        left = float(H - 1 - h)
        for s in range(S):
            top, mean = -math.inf, 0.0
            for a in range(A):
                n = counts.visits[FROZEN, h, s, a]
                later = left if ahead else 0.0
                if n > 0.0:
                    later = left * width * math.sqrt(n)
                    for t in range(S):
                        later += counts.moves[h, s, a, t] * following[0, t]
                    later = min(left, later / n)
                value = problem.tables[REWARD, h, s, a] + later
                tables[CRITIC, h, s, a] = value
                top = max(top, value)
                mean += tables[POLICY, h, s, a] * value
            following[1, s] = mean if to_actor else top
        for s in range(S):
            following[0, s] = following[1, s]


@kernel
def inspect_table(
    optimum: FloatArray, tables: FloatArray, visits: FloatArray, optimistic: bool, widths: float, extremes: FloatArray
) -> None:
    """Update least Q - Q*, least Bellman error, and the largest excess of the errors over their bound.

    The bound is min(H - h, (H - h) widths / sqrt(n)), on absolute values for a critic that is not optimistic.
    """
    for h in range(tables.shape[1]):
        left = float(tables.shape[1] - 1 - h)
        for s in range(tables.shape[2]):
            for a in range(tables.shape[3]):
                error, n = tables[ERROR, h, s, a], visits[FROZEN, h, s, a]
                limit = left * min(1.0, widths / math.sqrt(n)) if n > 0.0 else left
                size = error if optimistic else abs(error)
                extremes[0] = min(extremes[0], tables[CRITIC, h, s, a] - optimum[OPTIMUM, h, s, a])
                extremes[1] = min(extremes[1], error)
                extremes[2] = max(extremes[2], size - limit)


@kernel
def doubled(path: IntArray, visits: FloatArray) -> bool:
    """Whether the last episode doubled the visits of a pair before the last stage."""
    due = False
    for h in range(path.shape[1] - 1):
        s, a = path[0, h], path[1, h]
        due = due or visits[NOW, h, s, a] >= max(1.0, 2.0 * visits[FROZEN, h, s, a])
    return due


@kernel
def learn_table(
    points: IntArray,
    state: WordArray,
    lane: int,
    problem: Problem,
    rules: Rules,
    to_actor: bool,
    radius: float,
    bonus: float,
    actor: Actor,
    counts: Counts,
    trace: Trace,
) -> None:
    """Run one tabular actor-critic.

    Extremes: least Q - Q*; least Bellman error; largest excess of the errors over their bound.
    """
    tables, totals = actor.tables, trace.totals
    length, record = 0.0, 0
    for episode in range(1, points[-1] + 1):
        due = rules.refresh == EACH_EPISODE or (rules.refresh == RARELY and doubled(actor.path, counts.visits))
        if episode == 1 or due:
            settle(rules.reset, tables, counts.visits, length)
            length = 0.0
            if to_actor:
                improve(rules.eta, tables, 0.0)
            width = bonus * radius if rules.optimistic else 0.0
            plan_table(problem, actor, counts, rules.optimistic, to_actor, width)
            bellman_errors(problem, actor)
            inspect_table(problem.tables, tables, counts.visits, rules.optimistic, radius + width, trace.extremes)
            keep(tables, counts.visits, trace.critics, trace.starts, episode)
            totals[0, EPOCHS] += 1.0
        length += 1.0
        improve(rules.eta, tables, length - 1.0 if rules.late else length)
        expect(problem, actor, totals)
        play(problem, actor, counts, totals, state, lane)
        if episode == points[record]:
            record += 1
            for i in range(totals.shape[1]):
                totals[record, i] = totals[0, i]


@kernel
def least_loss(losses: FloatArray, size: int, h: int, g: int) -> float:
    """Return the least loss of stage h over its functions, for the function g of the next stage."""
    least = losses[h, 0, g]
    for f in range(1, size):
        least = min(least, losses[h, f, g])
    return least


@kernel
def optimistic_critic(
    initial: FloatArray, tops: FloatArray, losses: FloatArray, names: IntArray, links: IntArray, stages: FloatArray
) -> None:
    """Choose the critic of the confidence set with the largest value at the start, ties to the lowest indices.

    The set is never empty: that of least loss, stage by stage from the end, belongs to it.
    """
    H = losses.shape[0]
    for h in range(H + 1):
        for f in range(links.shape[2]):
            links[FEASIBLE, h, f] = 1 if h == H else 0
    for h in range(H - 1, -1, -1):
        for g in range(names[SIZE, h + 1] - 1, -1, -1):  # downwards, so that the lowest successor stays
            limit = least_loss(losses, names[SIZE, h], h, g) + stages[BETA, h]
            for f in range(names[SIZE, h]):
                if links[FEASIBLE, h + 1, g] == 1 and losses[h, f, g] <= limit:
                    links[FEASIBLE, h, f] = 1
                    links[FOLLOWING, h, f] = g
    best = -math.inf
    for f in range(names[SIZE, 0]):
        value = 0.0
        for s in range(initial.shape[0]):
            value += initial[s] * tops[0, s, f]
        if links[FEASIBLE, 0, f] == 1 and value > best:
            best = value
            names[CHOSEN, 0] = f
    for h in range(H):
        names[CHOSEN, h + 1] = links[FOLLOWING, h, names[CHOSEN, h]]


@kernel
def fitted_critic(losses: FloatArray, names: IntArray) -> None:
    """Choose the critic of least loss, stage by stage from the end, ties to the lowest index."""
    for h in range(losses.shape[0] - 1, -1, -1):
        g, least = names[CHOSEN, h + 1], math.inf
        for f in range(names[SIZE, h]):
            if losses[h, f, g] < least:
                least = losses[h, f, g]
                names[CHOSEN, h] = f


@kernel
def adopt(tables: FloatArray, functions: FloatArray, names: IntArray) -> None:
    """Take the chosen functions as critic."""
    for h in range(tables.shape[1]):
        for s in range(tables.shape[2]):
            for a in range(tables.shape[3]):
                tables[CRITIC, h, s, a] = functions[h, s, a, names[CHOSEN, h]]


@kernel
def past_errors(tables: FloatArray, visits: FloatArray, stages: FloatArray) -> None:
    """Sum the squared Bellman errors of a new critic over the data."""
    for h in range(tables.shape[1]):
        stages[PAST, h], stages[EPOCH, h] = 0.0, 0.0
        for s in range(tables.shape[2]):
            for a in range(tables.shape[3]):
                stages[PAST, h] += visits[NOW, h, s, a] * tables[ERROR, h, s, a] ** 2


@kernel
def add_losses(rewards: FloatArray, actor: Actor, search: Search) -> None:
    """Add the last episode to the losses of all pairs of functions, and to the sums of squared Bellman errors."""
    names = search.names
    for h in range(actor.path.shape[1]):
        s, a, t = actor.path[0, h], actor.path[1, h], actor.path[2, h]
        for f in range(names[SIZE, h]):
            rest = search.table[h, s, a, f] - rewards[REWARD, h, s, a]
            for g in range(names[SIZE, h + 1]):
                residual = rest - search.tops[h + 1, t, g]
                search.losses[h, f, g] += residual * residual
        square = actor.tables[ERROR, h, s, a] ** 2
        search.stages[PAST, h] += square
        search.stages[EPOCH, h] += square


@kernel
def excess(losses: FloatArray, size: int, names: IntArray, h: int) -> float:
    """Return E_h of the functions with the given indices ``(H + 1,)``; -inf if one is -1."""
    f, g = names[h], names[h + 1]
    if f < 0 or g < 0:
        return -math.inf
    return float(losses[h, f, g] - least_loss(losses, size, h, g))


@kernel
def learn_finite(
    points: IntArray,
    state: WordArray,
    lane: int,
    problem: Problem,
    rules: Rules,
    actor: Actor,
    counts: Counts,
    search: Search,
    trace: Trace,
) -> None:
    """Run one actor-critic with a finite class.

    Extremes: least V^f - V* at the start; largest loss of Q* in excess, over beta; largest sums of squared errors at a
    refresh over 4 beta, and at any time over 2 (kappa + 1) beta; least sum over beta in an epoch that triggered a
    switch.
    """
    tables, totals, extremes = actor.tables, trace.totals, trace.extremes
    names, stages = search.names, search.stages
    H = tables.shape[1]
    length, record = 0.0, 0
    for episode in range(1, points[-1] + 1):
        due = rules.refresh == EACH_EPISODE or episode == 1
        watched = rules.refresh == RARELY and episode > 1
        for h in range(H):
            size, beta = names[SIZE, h], stages[BETA, h]
            extremes[1] = max(extremes[1], excess(search.losses, size, names[STAR], h) / beta)
            if watched and excess(search.losses, size, names[CHOSEN], h) > search.kappa * beta:
                due = True
                extremes[4] = min(extremes[4], stages[EPOCH, h] / beta)
        if due:
            settle(rules.reset, tables, counts.visits, length)
            length = 0.0
            if rules.optimistic:
                optimistic_critic(problem.initial, search.tops, search.losses, names, search.links, stages)
            else:
                fitted_critic(search.losses, names)
            adopt(tables, search.table, names)
            extremes[0] = min(extremes[0], bellman_errors(problem, actor) - problem.optimum)
            past_errors(tables, counts.visits, stages)
            keep(tables, counts.visits, trace.critics, trace.starts, episode)
            totals[0, EPOCHS] += 1.0
        for h in range(H):
            past = stages[PAST, h] / stages[BETA, h]
            extremes[2] = max(extremes[2], past / 4.0) if due else extremes[2]
            extremes[3] = max(extremes[3], past / (2.0 * (search.kappa + 1.0)))
        length += 1.0
        improve(rules.eta, tables, length - 1.0 if rules.late else length)
        expect(problem, actor, totals)
        play(problem, actor, counts, totals, state, lane)
        add_losses(problem.tables, actor, search)
        if episode == points[record]:
            record += 1
            for i in range(totals.shape[1]):
                totals[record, i] = totals[0, i]
