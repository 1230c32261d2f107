"""Boxes per second of the interval method, and the time of whole proofs, against a plain interval library.

The inequality is exp(x) <= 1 + x + x^2 on [-1, 1] without a neighbourhood of its touching point 0. *Natural* bisects
with the natural extension alone (the same boxes for all rows); *certify* is the rigorous part by itself; *method* is
the branch and bound as it is used, whose mean-value form needs far fewer boxes.

Run ``python benchmarks/interval.py [--json PATH]``. Every line is the median CPU time of seven calls in this process.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp
from flint import arb

from proofs_check.methods.base import Context, Tier
from proofs_check.methods.interval import Inequality, Interval, Search
from proofs_check.methods.proof_rules import MEAN, NATURAL, Certifier, Goal, unpack, verify_tree

X = sp.Symbol("x", real=True)
F = 1 + X + X**2 - sp.exp(X)
GAP = 2.0**-13
REGIONS = ((-1.0, -GAP), (GAP, 1.0))
REPEATS = 7


def timed(function: Callable[[], object]) -> float:
    """Return the median CPU time of a call; the first call is apart."""
    function()
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return statistics.median(times)


def natural_goals() -> list[Goal]:
    relation = sp.Ge(F, 0, evaluate=False)
    return [Inequality(relation, ((X, *map(sp.Rational, ends)),)).goal for ends in REGIONS]


def natural_search(goal: Goal) -> Search:
    """Return a search that does not use derivatives."""
    search = Search(goal, 0)
    search.__dict__["gradient"] = None
    return search


def plain_flint() -> int:
    """Bisect with python-flint, box by box."""
    boxes, stack = 0, list(REGIONS)
    while stack:
        low, high = stack.pop()
        boxes += 1
        x = arb((low + high) / 2, (high - low) / 2)
        if not 1 + x + x * x - x.exp() >= 0:
            middle = (low + high) / 2
            stack += [(low, middle), (middle, high)]
    return boxes


def plain_mpmath() -> int:
    """Bisect with mpmath's intervals, box by box."""
    from mpmath import iv

    boxes, stack = 0, list(REGIONS)
    while stack:
        low, high = stack.pop()
        boxes += 1
        x = iv.mpf([low, high])
        if not (1 + x + x**2 - iv.exp(x)).a >= 0:
            middle = (low + high) / 2
            stack += [(low, middle), (middle, high)]
    return boxes


def rates() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []

    def row(name: str, boxes: int, seconds: float) -> None:
        rows.append({"what": name, "boxes": boxes, "seconds": seconds, "boxes_per_second": boxes / seconds})

    goals = natural_goals()
    searches = [natural_search(goal) for goal in goals]
    trees = [search.run(10**7) for search in searches]
    boxes = sum(search.boxes for search in searches)
    row(
        "natural: ours, search + certificate", boxes, timed(lambda: [natural_search(goal).run(10**7) for goal in goals])
    )
    row(
        "natural: ours, recheck",
        boxes,
        timed(lambda: [verify_tree(*item) for item in zip(goals, (0, 0), trees, strict=True)]),
    )
    row("natural: python-flint loop", plain_flint(), timed(plain_flint))
    row("natural: mpmath.iv loop", plain_mpmath(), timed(plain_mpmath))
    low = np.linspace(0.0, 1.0, 100_001)[None, :-1]
    high = low + 1e-5
    for name, code in (("certify: natural extension", NATURAL), ("certify: mean-value form", MEAN)):
        certifier = Certifier(goals[1], 0)
        row(name, low.size, timed(lambda c=certifier, k=code: c.certify(k, low, high, 17)))
    run = [Search(goal, 0) for goal in goals]
    count = sum(unpack(search.run(10**7)).size for search in run)
    row("method: same inequality", count, timed(lambda: [Search(goal, 0).run(10**7) for goal in goals]))
    return rows


def proofs() -> list[dict[str, Any]]:
    """Time whole proofs of the catalogue, and their rechecks, in one process (caches of SymPy are warm)."""
    from proofs_check.papers.scalar import CHECKS

    rows: list[dict[str, Any]] = []
    for check in CHECKS:
        method, statement = Interval(), check.statement
        unit = method.units(Tier.QUICK)[0]
        evidence = method.fold({unit: method.run(statement, unit, Context())})
        found = timed(lambda m=method, s=statement, u=unit: m.run(s, u, Context()))
        again = timed(lambda m=method, s=statement, e=evidence: m.recheck(s, e))
        rows.append({"what": check.claim, "finding": evidence.finding, "prove": found, "recheck": again})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    table = rates()
    for row in table:
        rate = f"{row['seconds'] * 1e3:10.1f} ms {row['boxes_per_second']:>12,.0f} /s"
        print(f"{row['what']:40s}{row['boxes']:>10,} boxes {rate}")
    whole = proofs()
    for row in whole:
        ratio = row["recheck"] / row["prove"]
        times = f"{row['prove'] * 1e3:8.0f} ms, recheck {row['recheck'] * 1e3:6.1f} ms ({ratio:.2f})"
        print(f"{row['what']:40s}{row['finding']:>12s} {times}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"rates": table, "proofs": whole}, indent=1))


if __name__ == "__main__":
    main()
