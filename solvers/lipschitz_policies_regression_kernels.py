r"""Kernels of Lipschitz regression: pair scans, dual sweeps, forests, lines, and the dynamics on a graph.

**Pairs.** A pair e = (i, j) carries a limit :math:`c_e = \alpha \|x_i - x_j\|` and a dual vector :math:`y_e`; with
:math:`(By)_i = \sum_{e = (i, \cdot)} y_e - \sum_{e = (\cdot, i)} y_e` the dual of
:math:`\min \tfrac12 \sum_i w_i \|v_i - u_i\|^2` subject to :math:`\|v_i - v_j\| \le c_e` is to maximise
:math:`\sum_i \langle u_i, (By)_i \rangle - \tfrac12 \|(By)_i\|^2 / w_i - \sum_e c_e \|y_e\|`, and
:math:`v_i = u_i - (By)_i / w_i`. A *sweep* maximises over one :math:`y_e` after the other (soft thresholding).

**Faces** (scalar values). Let y be supported on a forest. Fixing its signs, the dual is maximised in closed form: along
a tree v is a potential with steps :math:`\pm c_e`, its level the weighted mean of the residuals, and the multipliers
follow from :math:`By = w (u - v)` by leaf elimination. If a sign changes on the way there, the step ends where the
first multiplier of that tree vanishes (ratio test), the tree is cut, and the parts go on. A cycle in the support is
cancelled first: pushing flow around it leaves By alone, and in one direction does not increase :math:`\sum c |y|`.

**Line.** With one-dimensional states only neighbours matter: the cost-to-go
:math:`f_k(v) = \tfrac12 w_k (v - u_k)^2 + \min_{|v' - v| \le c_k} f_{k-1}(v')` has a piecewise linear derivative, kept
as two stacks of knots around its zero; the inner minimum shifts one stack to the left and the other to the right.
"""

import numpy as np

from mdps.jit import inlined_kernel, kernel
from mdps.validation import FloatArray, IntArray

BLOCK = 8
"""Columns that a scan of pairs bounds together."""


# Pairs


@kernel
def _blocks(points: FloatArray, values: FloatArray, alpha: float, rows: FloatArray, boxes: FloatArray) -> None:
    """Write values and scaled points block by block, ``(blocks, m + n, BLOCK)``, and centres and half sides of boxes.

    ``boxes`` is ``(2, m + n, blocks)``. Columns that fill the last block are not numbers.
    """
    m, size = values.shape
    for k in range(m + points.shape[0]):
        for b in range(rows.shape[0]):
            low, high = np.inf, -np.inf
            for place in range(rows.shape[2]):
                j = b * BLOCK + place
                entry = np.nan
                if j < size:
                    entry = values[k, j] if k < m else alpha * points[k - m, j]
                    low, high = min(low, entry), max(high, entry)
                rows[b, k, place] = entry
            boxes[0, k, b], boxes[1, k, b] = 0.5 * (low + high), 0.5 * (high - low)


@inlined_kernel
def _bounds(row: FloatArray, boxes: FloatArray, m: int, stop: int, bounds: FloatArray) -> None:
    """Write upper bounds of ``|v_i - v_j|^2 - alpha^2 d^2`` for a point and the first blocks.

    ``row``: values and scaled coordinates of the point, ``(m + n,)``.
    """
    for b in range(stop):
        bounds[b] = 0.0
    for k in range(row.shape[0]):
        here = row[k]
        if k < m:
            for b in range(stop):
                gap = abs(here - boxes[0, k, b]) + boxes[1, k, b]
                bounds[b] += gap * gap
        else:
            for b in range(stop):
                gap = abs(here - boxes[0, k, b]) - boxes[1, k, b]
                gap = gap if gap > 0.0 else 0.0
                bounds[b] -= gap * gap


@kernel
def _keep_worst(
    found: IntArray, excess: FloatArray, first: int, count: int, most: int, j: int, i: int, violation: float
) -> int:
    """Put a pair among the ``most`` worst ones of its point, which start at ``first``, sorted; return the new count."""
    place = count
    if count - first == most:
        if excess[count - 1] >= violation:
            return count
        place = count - 1
    else:
        count += 1
    while place > first and excess[place - 1] < violation:
        found[place, 0], found[place, 1], excess[place] = found[place - 1, 0], i, excess[place - 1]
        place -= 1
    found[place, 0], found[place, 1], excess[place] = j, i, violation
    return count


@kernel
def _list_block(
    row: FloatArray,
    block: FloatArray,
    m: int,
    surplus: FloatArray,
    bar: float,
    i: int,
    start: int,
    tolerance: float,
    found: IntArray,
    excess: FloatArray,
    first: int,
    count: int,
    most: int,
) -> int:
    """Put the pairs of point i and a block whose surplus exceeds the bar among its worst ones; return the new count."""
    for place in range(block.shape[1]):
        if surplus[place] > bar and start + place < i:
            gap, limit = 0.0, 0.0
            for k in range(m):
                gap += (block[k, place] - row[k]) ** 2
            for k in range(m, row.shape[0]):
                limit += (block[k, place] - row[k]) ** 2
            violation = np.sqrt(gap) - np.sqrt(limit)
            if violation > tolerance:
                count = _keep_worst(found, excess, first, count, most, start + place, i, violation)
    return count


@inlined_kernel
def _scan_block(row: FloatArray, block: FloatArray, m: int, bar: float, surplus: FloatArray) -> int:
    """Write ``|v_i - v_j|^2 - alpha^2 d^2`` for a point and a block; return how many exceed the bar."""
    here = row[0]
    for place in range(BLOCK):
        step = block[0, place] - here
        surplus[place] = step * step
    for k in range(1, m):
        here = row[k]
        for place in range(BLOCK):
            step = block[k, place] - here
            surplus[place] += step * step
    for k in range(m, row.shape[0]):
        here = row[k]
        for place in range(BLOCK):
            step = block[k, place] - here
            surplus[place] -= step * step
    hits = 0
    for place in range(BLOCK):
        hits += 1 if surplus[place] > bar else 0
    return hits


@kernel
def worst_partners(
    points: FloatArray, values: FloatArray, alpha: float, tolerance: float, found: IntArray, excess: FloatArray
) -> int:
    """List the worst violated partners j < i of every point i; return how many there are.

    Blocks of neighbouring columns whose boxes exclude a violation are skipped, so points that are close should be close
    in the order. The square root of ``|v_i - v_j|^2 - alpha^2 d^2`` is an upper bound of the violation.

    Parameters
    ----------
    points, values
        ``(n, N)`` and ``(m, N)``, coordinates first.
    found, excess
        Written: ``(N k, 2)`` pairs (j, i) and ``(N k,)`` violations ``|v_i - v_j| - alpha d``, at most k a point.
    """
    (n, size), m = points.shape, values.shape[0]
    blocks, most = (size + BLOCK - 1) // BLOCK, found.shape[0] // size
    rows, boxes, bounds = np.empty((blocks, m + n, BLOCK)), np.empty((2, m + n, blocks)), np.empty(blocks)
    _blocks(points, values, alpha, rows, boxes)
    row, surplus, count = np.empty(m + n), np.empty(BLOCK), 0
    for i in range(1, size):
        for k in range(m + n):
            row[k] = rows[i // BLOCK, k, i % BLOCK]
        _bounds(row, boxes, m, i // BLOCK + 1, bounds)
        first, bar = count, 0.0
        for b in range(i // BLOCK + 1):
            if bounds[b] > bar and _scan_block(row, rows[b], m, bar, surplus) > 0:
                count = _list_block(
                    row, rows[b], m, surplus, bar, i, b * BLOCK, tolerance, found, excess, first, count, most
                )
                if count - first == most:
                    bar = excess[count - 1] ** 2
    return count


@kernel
def pair_extremes(points: FloatArray, values: FloatArray, alpha: float) -> tuple[float, int, int, float, int, int]:
    """Return the largest ``|v_i - v_j| / d`` and the largest ``|v_i - v_j| - alpha d``, each with its pair.

    ``points``: ``(n, N)``; ``values``: ``(m, N)``. Coinciding points with equal values have ratio zero.
    """
    (n, size), m = points.shape, values.shape[0]
    ratio, i_ratio, j_ratio, excess, i_excess, j_excess = 0.0, 0, 0, -np.inf, 0, 0
    for i in range(1, size):
        for j in range(i):
            distance, gap = 0.0, 0.0
            for k in range(n):
                distance += (points[k, j] - points[k, i]) ** 2
            for k in range(m):
                gap += (values[k, j] - values[k, i]) ** 2
            if gap > ratio * ratio * distance:
                ratio = np.sqrt(gap / distance) if distance > 0.0 else np.inf
                i_ratio, j_ratio = j, i
            surplus = np.sqrt(gap) - alpha * np.sqrt(distance)
            if surplus > excess:
                excess, i_excess, j_excess = surplus, j, i
    return ratio, i_ratio, j_ratio, excess, i_excess, j_excess


# Dual sweeps


@kernel
def scalar_sweeps(
    pairs: IntArray,
    limits: FloatArray,
    inverse: FloatArray,
    dual: FloatArray,
    values: FloatArray,
    relaxation: float,
    sweeps: int,
) -> None:
    """Over-relaxed dual coordinate ascent for scalar values; ``dual`` ``(P,)`` and ``values`` ``(N,)`` are updated.

    ``inverse`` holds 1 / w. A multiplier stops at zero before it changes its sign.
    """
    for _ in range(sweeps):
        for e in range(pairs.shape[0]):
            i, j = pairs[e, 0], pairs[e, 1]
            gap, old = values[i] - values[j], dual[e]
            rate = relaxation / (inverse[i] + inverse[j])
            if old > 0.0:
                new = max(old + rate * (gap - limits[e]), 0.0)
            elif old < 0.0:
                new = min(old + rate * (gap + limits[e]), 0.0)
            else:
                new = max(rate * (gap - limits[e]), 0.0) + min(rate * (gap + limits[e]), 0.0)
            if new != old:
                dual[e] = new
                values[i] -= inverse[i] * (new - old)
                values[j] += inverse[j] * (new - old)


@kernel
def vector_sweeps(
    pairs: IntArray,
    limits: FloatArray,
    inverse: FloatArray,
    dual: FloatArray,
    values: FloatArray,
    relaxation: float,
    sweeps: int,
) -> None:
    """Dual block-coordinate ascent; ``dual`` ``(P, m)`` and ``values`` ``(N, m)`` are updated.

    The block maximiser is a soft threshold of ``y + (v_i - v_j) / (1/w_i + 1/w_j)``; a block that does not vanish is
    over-relaxed.
    """
    m = values.shape[1]
    for _ in range(sweeps):
        for e in range(pairs.shape[0]):
            i, j = pairs[e, 0], pairs[e, 1]
            total = inverse[i] + inverse[j]
            square = 0.0
            for k in range(m):
                square += (total * dual[e, k] + values[i, k] - values[j, k]) ** 2
            norm = np.sqrt(square)
            shrink = 1.0 - limits[e] / norm if norm > limits[e] else 0.0
            factor = relaxation if shrink > 0.0 else 1.0
            for k in range(m):
                old = dual[e, k]
                change = factor * (shrink * (old + (values[i, k] - values[j, k]) / total) - old)
                dual[e, k] = old + change
                values[i, k] -= inverse[i] * change
                values[j, k] += inverse[j] * change


# Forests


@kernel
def _cut(parent: IntArray, link: IntArray, node: int) -> None:
    parent[node] = -1
    link[node] = -1


@kernel
def _reroot(parent: IntArray, link: IntArray, node: int) -> None:
    """Turn the pointers on the way from a node to its root."""
    above, edge = parent[node], link[node]
    _cut(parent, link, node)
    while above >= 0:
        next_above, next_edge = parent[above], link[above]
        parent[above], link[above] = node, edge
        node, above, edge = above, next_above, next_edge


@kernel
def _cycle(
    pairs: IntArray, parent: IntArray, link: IntArray, e: int, mark: IntArray, nodes: IntArray, signs: FloatArray
) -> int:
    """List the tree edges (by lower node) that close a cycle with pair e, and their signs along it; return how many.

    Minus one if its ends lie in different trees.
    """
    i, j = pairs[e, 0], pairs[e, 1]
    node = i
    while node >= 0:
        mark[node] = e
        node = parent[node]
    count, node = 0, j
    while node >= 0 and mark[node] != e:
        nodes[count] = node
        signs[count] = 1.0 if pairs[link[node], 0] == node else -1.0
        count += 1
        node = parent[node]
    if node < 0:
        return -1
    meeting, node = node, i
    while node != meeting:
        nodes[count] = node
        signs[count] = -1.0 if pairs[link[node], 0] == node else 1.0
        count += 1
        node = parent[node]
    return count


@kernel
def span_forest(pairs: IntArray, limits: FloatArray, dual: FloatArray, parent: IntArray, link: IntArray) -> None:
    """Cancel the cycles of the support of a scalar dual and write the forest that is left.

    ``parent`` and ``link``, ``(N,)``: the node above and the pair that leads there, -1 at roots. ``By`` is unchanged
    and ``sum(limits * abs(dual))`` does not grow.
    """
    size = parent.shape[0]
    mark, nodes, signs = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size)
    for node in range(size):
        mark[node], parent[node], link[node] = -1, -1, -1
    for e in range(pairs.shape[0]):
        if dual[e] == 0.0:
            continue
        count = _cycle(pairs, parent, link, e, mark, nodes, signs)
        if count >= 0:
            slope = limits[e] if dual[e] > 0.0 else -limits[e]
            for k in range(count):
                f = link[nodes[k]]
                slope += signs[k] * (limits[f] if dual[f] > 0.0 else -limits[f])
            direction = -1.0 if slope > 0.0 else 1.0
            push = abs(dual[e]) if dual[e] * direction < 0.0 else np.inf
            for k in range(count):
                y = dual[link[nodes[k]]]
                if y * signs[k] * direction < 0.0:
                    push = min(push, abs(y))
            dual[e] = 0.0 if abs(dual[e]) == push and dual[e] * direction < 0.0 else dual[e] + direction * push
            for k in range(count):
                f, way = link[nodes[k]], signs[k] * direction
                if abs(dual[f]) == push and dual[f] * way < 0.0:
                    dual[f] = 0.0
                    _cut(parent, link, nodes[k])
                else:
                    dual[f] += way * push
        if dual[e] != 0.0:
            _reroot(parent, link, pairs[e, 0])
            parent[pairs[e, 0]], link[pairs[e, 0]] = pairs[e, 1], e


@kernel
def _leaves_first(parent: IntArray, children: IntArray, order: IntArray) -> None:
    """Write an order of the nodes in which every node precedes its parent."""
    size, head, tail = parent.shape[0], 0, 0
    for node in range(size):
        children[node] = 0
    for node in range(size):
        if parent[node] >= 0:
            children[parent[node]] += 1
    for node in range(size):
        if children[node] == 0:
            order[tail] = node
            tail += 1
    while head < tail:
        above = parent[order[head]]
        head += 1
        if above >= 0:
            children[above] -= 1
            if children[above] == 0:
                order[tail] = above
                tail += 1


@kernel
def _face_optimum(
    pairs: IntArray,
    limits: FloatArray,
    weights: FloatArray,
    targets: FloatArray,
    dual: FloatArray,
    parent: IntArray,
    link: IntArray,
    order: IntArray,
    root: IntArray,
    values: FloatArray,
    flow: FloatArray,
    mass: FloatArray,
    level: FloatArray,
) -> None:
    """Write the values and the flows to the parents that are optimal for the signs of the dual on a forest."""
    size = parent.shape[0]
    for x in range(size):
        mass[x], level[x] = 0.0, 0.0
    for k in range(size - 1, -1, -1):
        x = order[k]
        q = parent[x]
        if q < 0:
            root[x], values[x] = x, targets[x]
        else:
            e = link[x]
            upwards = (dual[e] > 0.0) == (pairs[e, 0] == x)
            root[x] = root[q]
            values[x] = values[q] + (limits[e] if upwards else -limits[e])
        mass[root[x]] += weights[x]
        level[root[x]] += weights[x] * (targets[x] - values[x])
    for x in range(size):
        values[x] += level[root[x]] / mass[root[x]]
        flow[x] = weights[x] * (targets[x] - values[x])
    for k in range(size):
        x = order[k]
        if parent[x] >= 0:
            flow[parent[x]] += flow[x]


@kernel
def face_step(
    pairs: IntArray,
    limits: FloatArray,
    weights: FloatArray,
    targets: FloatArray,
    dual: FloatArray,
    parent: IntArray,
    link: IntArray,
    values: FloatArray,
) -> int:
    """Climb from a dual on a forest to the optimum of a face; return the number of passes.

    ``dual`` ``(P,)``, ``values`` ``(N,)`` and the forest (see ``span_forest``) are updated: at the end every multiplier
    has kept its sign and ``weights * (targets - values)`` is ``By``. The dual value never falls.
    """
    size, passes = parent.shape[0], 0
    order, root, worst = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    flow, mass, level = np.empty(size), np.empty(size), np.empty(size)
    while True:
        passes += 1
        _leaves_first(parent, root, order)
        _face_optimum(pairs, limits, weights, targets, dual, parent, link, order, root, values, flow, mass, level)
        step, cuts = mass, 0
        for x in range(size):
            step[x], worst[x] = 1.0, -1
        for x in range(size):
            e = link[x]
            if e >= 0:
                goal = flow[x] if pairs[e, 0] == x else -flow[x]
                if goal * dual[e] <= 0.0:
                    length = dual[e] / (dual[e] - goal)
                    if worst[root[x]] < 0 or length < step[root[x]]:
                        step[root[x]], worst[root[x]] = length, x
        for x in range(size):
            e = link[x]
            if e >= 0:
                goal = flow[x] if pairs[e, 0] == x else -flow[x]
                new = goal if worst[root[x]] < 0 else dual[e] + step[root[x]] * (goal - dual[e])
                if worst[root[x]] == x or new * dual[e] <= 0.0:
                    dual[e] = 0.0
                    _cut(parent, link, x)
                    cuts += 1
                else:
                    dual[e] = new
        if cuts == 0:
            return passes


# Line


@kernel
def chain_regression(targets: FloatArray, weights: FloatArray, limits: FloatArray, values: FloatArray) -> None:
    """Minimise ``sum w (v - u)^2`` subject to ``|v[k+1] - v[k]| <= limits[k]``; write the minimiser to ``values``."""
    size = targets.shape[0]
    knots, jumps = np.empty((2, 2 * size)), np.empty((2, 2 * size))
    depth, offset, best = np.zeros(2, np.int64), np.zeros(2), np.empty(size)
    best[0] = targets[0]
    inner = weights[0]
    for k in range(1, size):
        for side in range(2):
            knots[side, depth[side]] = best[k - 1] - offset[side]
            jumps[side, depth[side]] = inner
            depth[side] += 1
        offset[0] -= limits[k - 1]
        offset[1] += limits[k - 1]
        inner = weights[k]
        low, high = knots[0, depth[0] - 1] + offset[0], knots[1, depth[1] - 1] + offset[1]
        here = min(max(targets[k], low), high)
        slope_here = weights[k] * (here - targets[k])
        side = 0 if targets[k] < low else 1
        while slope_here != 0.0:
            # the zero lies beyond the top knot of this side: cross it, and look in the next piece
            top = depth[side] - 1
            inner += jumps[side, top]
            depth[side] = top
            knots[1 - side, depth[1 - side]] = here - offset[1 - side]
            jumps[1 - side, depth[1 - side]] = -jumps[side, top]
            depth[1 - side] += 1
            zero = here - slope_here / inner
            if top == 0:
                here = zero
                break
            reach = knots[side, top - 1] + offset[side]
            if (side == 0 and zero >= reach) or (side == 1 and zero <= reach):
                here = zero
                break
            slope_here += inner * (reach - here)
            here = reach
        best[k] = here
    values[size - 1] = best[size - 1]
    for k in range(size - 2, -1, -1):
        values[k] = min(max(best[k], values[k + 1] - limits[k]), values[k + 1] + limits[k])


# Graph dynamics


@kernel
def _saddle_step(
    pairs: IntArray,
    limits: FloatArray,
    targets: FloatArray,
    values: FloatArray,
    multipliers: FloatArray,
    step: float,
    dual_step: float,
    slope: FloatArray,
    new_values: FloatArray,
    new_multipliers: FloatArray,
) -> None:
    """Add to the new values and multipliers a step along the flow at the given ones."""
    size, m = targets.shape
    for i in range(size):
        for k in range(m):
            slope[i, k] = (values[i, k] - targets[i, k]) / size
    for e in range(pairs.shape[0]):
        i, j = pairs[e, 0], pairs[e, 1]
        square = 0.0
        for k in range(m):
            gap = values[i, k] - values[j, k]
            square += gap * gap
            slope[i, k] += multipliers[e] * gap
            slope[j, k] -= multipliers[e] * gap
        new_multipliers[e] = max(new_multipliers[e] + dual_step * (np.sqrt(square) - limits[e]), 0.0)
    for i in range(size):
        for k in range(m):
            new_values[i, k] -= step * slope[i, k]


@kernel
def graph_dynamics(
    pairs: IntArray,
    limits: FloatArray,
    targets: FloatArray,
    step: float,
    dual_step: float,
    iterations: int,
    extragradient: bool,
    values: FloatArray,
    multipliers: FloatArray,
) -> None:
    """Descend in values and ascend in edge multipliers, in place: ``values`` ``(N, m)``, ``multipliers`` ``(P,)``."""
    (size, m), count = targets.shape, pairs.shape[0]
    slope, at, weights = np.empty((size, m)), np.empty((size, m)), np.empty(count)
    for _ in range(iterations):
        for i in range(size):
            for k in range(m):
                at[i, k] = values[i, k]
        for e in range(count):
            weights[e] = multipliers[e]
        if extragradient:
            _saddle_step(pairs, limits, targets, values, multipliers, step, dual_step, slope, at, weights)
        _saddle_step(pairs, limits, targets, at, weights, step, dual_step, slope, values, multipliers)
