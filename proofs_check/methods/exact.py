r"""Exact checks: every relation of a claim compared in rational arithmetic on every listed instance.

*What it shows.* If all comparisons hold on all instances that meet the assumptions, a certificate: no rounding, no
sampling, but no more than these instances. One comparison that fails is a counter-example, and is computed twice.

*What it trusts.* Python's integers and `fractions.Fraction`, and that the statement computes the two sides of the
claim rather than one side twice. A float anywhere in a comparison is an error, for it hides a rounding; so is a
statement that compares nothing.

*How it can be fooled.* By a statement whose sides share a mistake (mutants are there to show this), or by instances too
special to tell the claim from a false one. ``tests/proofs_check/test_exact.py`` tries floats, empty statements, skipped
instances, statements that change their mind, and edited evidence.

*Checking again.* Both sides of every comparison are stored. `Exact.recheck` verifies their relations and computes a
sixth of the work anew, at least one comparison. The sample is drawn from a digest of everything stored, so that whoever
edits the evidence cannot choose what is looked at. A statement that *yields* its comparisons one by one keeps this
cheap when there are few instances.

The second half of the module has what exact statements are made of: enumeration of the trajectories of a
`mdps.rational.RationalMDP`,

.. math:: P(\tau) = \rho(s_0) \prod_{h} \pi_h(a_h \mid s_h) \, p_h(s_{h+1} \mid s_h, a_h),

expectations over them, and with the scores :math:`g_h = \nabla \log \pi_h(a_h \mid s_h)` policy gradients
:math:`\nabla J = \mathbb E[ \sum_h g_h \sum_{j \ge h} r_j ]` and Fisher matrices
:math:`F = \mathbb E[ g(\tau) g(\tau)^\top ]`, :math:`g(\tau) = \sum_h g_h`. The scores of the direct parametrisation,
:math:`e_{sa} / \pi(a \mid s)`, and of the tabular softmax, :math:`e_{sa} - \sum_b \pi(b \mid s) e_{sb}`, are rational
whenever the policy is.
"""

import base64
import hashlib
import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, TypeAlias

from mdps.rational import RationalMDP
from proofs_check.evidence import Comparison, Evidence, Finding, Json, Number, Tightness, dumps, plain
from proofs_check.methods.base import Context, Method, Statement, Tier

Instances: TypeAlias = Mapping[str, Callable[[], Any]] | Callable[[Tier], Mapping[str, Callable[[], Any]]]
"""Named constructors of instances, the same for all tiers or by tier."""

PACKED_FROM = 2_000
"""Texts of more characters than this are stored compressed."""

RECHECKED_PART = 6
"""One part in this many of the work is computed again by `Exact.recheck`."""


class InexactError(TypeError):
    """A comparison that should be exact involves a float; the message names it."""


class EmptyStatementError(ValueError):
    """A statement compared nothing on an instance; the message names it."""


def instances_at(instances: Instances, tier: Tier) -> Mapping[str, Callable[[], Any]]:
    """Return the named constructors of a tier.

    Raises
    ------
    ValueError
        If there are none.
    """
    found = instances(tier) if callable(instances) else instances
    if not found:
        raise ValueError(f"no instance is listed for tier {tier}")
    return found


def find_instance(instances: Instances, name: str) -> Callable[[], Any] | None:
    """Return the constructor of an instance of any tier, or None."""
    for tier in Tier:
        constructor = instances_at(instances, tier).get(name)
        if constructor is not None:
            return constructor
    return None


def comparisons_of(answer: Comparison | Iterable[Comparison], instance: str) -> Iterator[Comparison]:
    """Yield the comparisons that a statement returned.

    Raises
    ------
    TypeError
        Naming what is not a comparison.
    EmptyStatementError
        If there is none at all.
    """
    found = False
    for comparison in (answer,) if isinstance(answer, Comparison) else answer:
        if not isinstance(comparison, Comparison):
            raise TypeError(f"instance {instance}: the statement returned a {type(comparison).__name__}")
        found = True
        yield comparison
    if not found:
        raise EmptyStatementError(f"instance {instance}: the statement compared nothing")


def _exact(comparisons: Iterable[Comparison], instance: str) -> Iterator[Comparison]:
    for index, comparison in enumerate(comparisons):
        for side, value in (("lhs", comparison.lhs), ("rhs", comparison.rhs)):
            if not isinstance(value, int | Fraction):
                place = comparison.where or f"comparison {index}"
                raise InexactError(f"instance {instance}, {place}: {side} is {value!r}, a {type(value).__name__}")
        yield comparison


def rational_text(value: Number) -> str:
    """Return ``p/q`` in lowest terms."""
    ratio = Fraction(value)
    return f"{ratio.numerator}/{ratio.denominator}"


def _line(comparison: Comparison) -> str:
    return f"{rational_text(comparison.lhs)} {comparison.relation} {rational_text(comparison.rhs)}"


def _stored(line: str) -> tuple[bool, float | None]:
    """Return whether a stored relation holds, and its ratio: as `Comparison` says, without reducing fractions."""
    lhs, relation, rhs = line.split(" ")
    p, q = map(int, lhs.split("/"))
    r, s = map(int, rhs.split("/"))
    if q <= 0 or s <= 0:
        raise ValueError(f"{line!r} has a denominator that is not positive")
    left, right = p * s, r * q
    holds = {"<=": left <= right, ">=": left >= right, "==": left == right}[relation]
    small, large = (right, left) if relation == ">=" else (left, right)
    return holds, None if relation == "==" or large <= 0 or small < 0 else small / large


def pack(text: str) -> Json:
    """Return a text as JSON, compressed if it is long."""
    if len(text) <= PACKED_FROM:
        return text
    return {"zlib": base64.b64encode(zlib.compress(text.encode(), 9)).decode()}


def unpack(data: Json) -> str:
    """Invert `pack`."""
    return data if isinstance(data, str) else zlib.decompress(base64.b64decode(data["zlib"])).decode()


def digest(value: Json) -> str:
    """Return the hash of the canonical form of some JSON."""
    return hashlib.sha256(dumps(value).encode()).hexdigest()


def hashed_order(names: Iterable[str], salt: str) -> list[str]:
    """Return names in an order that depends on all of the salted evidence and that nobody can choose."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{salt}\0{name}".encode()).digest())


@dataclass(frozen=True)
class Exact(Method):
    """Compare both sides exactly on every listed instance.

    The statement is called with an instance and returns one `Comparison` or an iterable of them.

    Parameters
    ----------
    instances
        Names -> constructors, or a function of the tier that returns them.
    per_unit
        Instances in one unit of work; more than one if they take milliseconds.
    """

    instances: Instances
    per_unit: int = 1

    name: ClassVar[str] = "exact"

    def units(self, tier: Tier) -> tuple[str, ...]:
        """Return one key for each group of instances."""
        return tuple(self._groups(tier))

    def _groups(self, tier: Tier) -> dict[str, tuple[str, ...]]:
        names = tuple(instances_at(self.instances, tier))
        groups = [names[start : start + self.per_unit] for start in range(0, len(names), self.per_unit)]
        return {group[0] if len(group) == 1 else f"{group[0]} .. {group[-1]}": group for group in groups}

    def run(self, statement: Statement, unit: str, context: Context) -> Json:
        """Return, for each instance of the group, both sides of all comparisons or why it was skipped."""
        constructors = instances_at(self.instances, context.tier)
        return {
            name: _examine(statement, name, constructors[name], context) for name in self._groups(context.tier)[unit]
        }

    def settles(self, result: Json) -> bool:
        """Return whether an instance of the group violates the statement."""
        return any(record.get("witness") is not None for record in result.values())

    def fold(self, results: Mapping[str, Json]) -> Evidence:
        """Return a certificate, a violation, or that no instance meets the assumptions."""
        records = {name: record for result in results.values() for name, record in result.items()}
        skipped = {name: record["skipped"] for name, record in records.items() if "skipped" in record}
        used = {name: record for name, record in records.items() if name not in skipped}
        sides = {name: record["sides"] for name, record in used.items()}
        count = sum(record["count"] for record in used.values())
        finding, summary, witness = Finding.CERTIFICATE, _count_text(count, len(used)), None
        violating = next((name for name, record in used.items() if record["witness"] is not None), None)
        if violating is not None:
            finding, witness = Finding.VIOLATION, used[violating]["witness"]
            summary = f"fails exactly on {violating}{_at(witness['where'])}: {_relation_text(witness)} is false"
        elif not used:
            finding = Finding.UNDECIDED
            summary = f"no instance meets the assumptions: {'; '.join(f'{k}: {v}' for k, v in skipped.items())}"
        return Evidence(
            self.name,
            finding,
            summary,
            instances=tuple(used),
            skipped=skipped,
            tightness=_tightest(used),
            witness=witness,
            certificate={"sides": sides, "digest": digest([sides, skipped, witness])},
        )

    def recheck(self, statement: Statement, evidence: Evidence) -> str | None:
        """Verify all stored relations, and compute a part of them again."""
        try:
            problem = _stored_problem(evidence)
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            return f"the stored sides cannot be read: {type(error).__name__} {error}"
        if problem or evidence.finding == Finding.UNDECIDED:
            return problem
        sides = evidence.certificate["sides"]
        if evidence.finding == Finding.VIOLATION:
            return self._recheck_witness(statement, evidence.witness)
        texts = {name: unpack(packed).split("\n") for name, packed in sides.items()}
        weights = {name: sum(map(len, lines)) for name, lines in texts.items()}
        budget = sum(weights.values()) / RECHECKED_PART
        first, *others = hashed_order(texts, evidence.certificate["digest"])
        part = min(1.0, budget / weights[first])
        problem = self._recompute(statement, first, texts[first], max(1, int(part * len(texts[first]))))
        budget -= weights[first]
        for name in others:
            if problem is None and weights[name] <= budget:
                problem = self._recompute(statement, name, texts[name], len(texts[name]))
                budget -= weights[name]
        return problem

    def _recompute(self, statement: Statement, name: str, lines: Sequence[str], first: int) -> str | None:
        """Compute the first comparisons on an instance again."""
        constructor = find_instance(self.instances, name)
        if constructor is None:
            return f"instance {name} is not listed"
        fresh = _exact(comparisons_of(statement(constructor()), name), name)
        index = -1
        for index, comparison in enumerate(itertools.islice(fresh, first)):
            if _line(comparison) != lines[index]:
                return f"instance {name}, comparison {index}: computed {_line(comparison)}, stored {lines[index]}"
        return None if index + 1 == first else f"instance {name}: {index + 1} comparisons, {len(lines)} are stored"

    def _recheck_witness(self, statement: Statement, witness: Json) -> str | None:
        name = witness["instance"]
        constructor = find_instance(self.instances, name)
        if constructor is None:
            return f"instance {name} is not listed"
        fresh = _exact(comparisons_of(statement(constructor()), name), name)
        comparison = next(itertools.islice(fresh, witness["index"], None), None)
        if comparison is None or comparison.holds or _witness(name, witness["index"], comparison) != witness:
            return f"instance {name}{_at(witness['where'])}: the stored violation is not found again"
        return None


def _examine(statement: Statement, name: str, constructor: Callable[[], Any], context: Context) -> Json:
    """Compare on one instance; a violation is computed a second time on a fresh copy."""
    instance = constructor()
    reason = context.unmet(instance)
    if reason is not None:
        return {"skipped": reason}
    comparisons = list(_exact(comparisons_of(statement(instance), name), name))
    failing = next((index for index, comparison in enumerate(comparisons) if not comparison.holds), None)
    witness = None
    if failing is not None:
        again = list(_exact(comparisons_of(statement(constructor()), name), name))
        if [_line(comparison) for comparison in again] != [_line(comparison) for comparison in comparisons]:
            raise ValueError(f"instance {name}: the statement gives different answers on equal instances")
        witness = _witness(name, failing, comparisons[failing])
    rated = [(comparison.ratio, comparison.where) for comparison in comparisons if comparison.ratio is not None]
    return {
        "sides": pack("\n".join(_line(comparison) for comparison in comparisons)),
        "count": len(comparisons),
        "tightest": max(rated, key=lambda pair: pair[0], default=None),
        "witness": witness,
    }


def _witness(name: str, index: int, comparison: Comparison) -> Json:
    return {
        "instance": name,
        "where": comparison.where,
        "index": index,
        "lhs": rational_text(comparison.lhs),
        "relation": comparison.relation,
        "rhs": rational_text(comparison.rhs),
        "data": plain(comparison.witness),
    }


def _stored_problem(evidence: Evidence) -> str | None:
    """Verify that stored sides, digest, finding, witness and tightness agree."""
    sides = evidence.certificate["sides"]
    if digest([sides, evidence.skipped, evidence.witness]) != evidence.certificate["digest"]:
        return "the stored evidence does not have the stored digest"
    if sorted(sides) != sorted(evidence.instances):
        return "the stored sides are not those of the listed instances"
    stored = {name: [_stored(line) for line in unpack(packed).split("\n")] for name, packed in sides.items()}
    failing = [name for name, relations in stored.items() if not all(holds for holds, _ in relations)]
    expected = Finding.UNDECIDED if not sides else Finding.VIOLATION if failing else Finding.CERTIFICATE
    if evidence.finding != expected:
        return f"the finding is {evidence.finding}, but the stored sides show: {expected}"
    ratios = [ratio for relations in stored.values() for _, ratio in relations if ratio is not None]
    largest = max(ratios, default=None)
    if largest != (evidence.tightness.ratio if evidence.tightness else None):
        return f"the largest stored ratio is {largest}, not that of the evidence"
    return None


def _tightest(records: Mapping[str, Json]) -> Tightness | None:
    rated = [(record["tightest"], name) for name, record in records.items() if record["tightest"] is not None]
    if not rated:
        return None
    (ratio, where), name = max(rated, key=lambda pair: pair[0][0])
    return Tightness(ratio, f"{name}{_at(where)}")


def _at(where: str) -> str:
    return f", {where}" if where else ""


def _relation_text(witness: Json) -> str:
    return f"{_short(witness['lhs'])} {witness['relation']} {_short(witness['rhs'])}"


def _short(text: str) -> str:
    return (text.removesuffix("/1")) if len(text) <= 40 else f"{float(Fraction(text)):.6g} (exactly: see witness)"


def _count_text(count: int, instances: int) -> str:
    return (
        f"{count} comparison{'s' if count != 1 else ''} on {instances} instance{'s' if instances != 1 else ''} "
        f"hold{'s' if count == 1 else ''} in exact arithmetic"
    )


# What exact statements are made of

RationalPolicy: TypeAlias = Sequence[Sequence[Sequence[Fraction]]]
"""Action probabilities ``[h][s][a]``, with one stage (stationary) or H."""

Score: TypeAlias = Callable[[int, int, int], Sequence[Fraction]]
"""Gradient of log pi_h(a | s) in the parameters, as a function of (h, s, a)."""


@dataclass(frozen=True)
class Trajectory:
    """States, actions and mean rewards of an episode, and its probability."""

    states: tuple[int, ...]
    actions: tuple[int, ...]
    rewards: tuple[Fraction, ...]
    probability: Fraction

    @property
    def total(self) -> Fraction:
        """Sum of the rewards."""
        return sum(self.rewards, Fraction(0))


def _stage(values: Sequence[Any], h: int) -> Any:
    return values[0] if len(values) == 1 else values[h]


def trajectories(mdp: RationalMDP, policy: RationalPolicy) -> Iterator[Trajectory]:
    """Yield every episode of positive probability; the probabilities sum to one.

    Raises
    ------
    ValueError
        If the policy has neither one stage nor H.
    """
    if len(policy) not in (1, mdp.horizon):
        raise ValueError(f"policy has {len(policy)} stages, not 1 or {mdp.horizon}")
    starts = [((state,), (), (), mass) for state, mass in enumerate(mdp.initial) if mass]
    yield from (Trajectory(*path) for start in starts for path in _paths(mdp, policy, *start))


Path: TypeAlias = tuple[tuple[int, ...], tuple[int, ...], tuple[Fraction, ...], Fraction]


def _paths(
    mdp: RationalMDP,
    policy: RationalPolicy,
    states: tuple[int, ...],
    actions: tuple[int, ...],
    rewards: tuple[Fraction, ...],
    mass: Fraction,
) -> Iterator[Path]:
    h, state = len(actions), states[-1]
    for action, weight in enumerate(_stage(policy, h)[state]):
        if not weight:
            continue
        played, earned = (*actions, action), (*rewards, _stage(mdp.rewards, h)[state][action])
        if h + 1 == mdp.horizon:
            yield states, played, earned, mass * weight
            continue
        for target, chance in enumerate(_stage(mdp.transitions, h)[state][action]):
            if chance:
                yield from _paths(mdp, policy, (*states, target), played, earned, mass * weight * chance)


def expectation(mdp: RationalMDP, policy: RationalPolicy, function: Callable[[Trajectory], Number]) -> Fraction:
    """Return the exact mean of a function of the trajectory."""
    terms = (path.probability * Fraction(function(path)) for path in trajectories(mdp, policy))
    return sum(terms, Fraction(0))


def direct_score(policy: RationalPolicy) -> Score:
    """Return the score of the direct parametrisation, theta = pi; parameters are numbered ``[h][s][a]`` in C order."""
    return _tabular_score(policy, lambda law, action: [Fraction(b == action) / law[action] for b in range(len(law))])


def softmax_score(policy: RationalPolicy) -> Score:
    """Return the score of the tabular softmax with this policy; parameters are numbered ``[h][s][a]`` in C order."""
    return _tabular_score(policy, lambda law, action: [Fraction(b == action) - law[b] for b in range(len(law))])


def _tabular_score(policy: RationalPolicy, local: Callable[[Sequence[Fraction], int], list[Fraction]]) -> Score:
    n_states, n_actions = len(policy[0]), len(policy[0][0])

    def score(h: int, s: int, a: int) -> list[Fraction]:
        block = (h if len(policy) > 1 else 0) * n_states + s
        blocks = len(policy) * n_states
        before, after = block * n_actions, (blocks - block - 1) * n_actions
        return [Fraction(0)] * before + local(_stage(policy, h)[s], a) + [Fraction(0)] * after

    return score


def trajectory_score(path: Trajectory, score: Score) -> list[Fraction]:
    """Return the sum of the scores along a trajectory."""
    steps = [score(h, s, a) for h, (s, a) in enumerate(zip(path.states, path.actions, strict=True))]
    return [sum(entries, Fraction(0)) for entries in zip(*steps, strict=True)]


def policy_gradient(mdp: RationalMDP, policy: RationalPolicy, score: Score) -> list[Fraction]:
    """Return the gradient of J as the exact mean of the scores, each times the reward from its stage on.

    Rewards before a stage are left out: they cancel for scores of mean zero (softmax), and would be wrong for the
    direct parametrisation, whose entries are differentiated one by one.
    """
    gradient = [Fraction(0)] * len(score(0, 0, 0))
    for path in trajectories(mdp, policy):
        to_go = path.probability * path.total
        for h, (s, a) in enumerate(zip(path.states, path.actions, strict=True)):
            for index, entry in enumerate(score(h, s, a)):
                gradient[index] += to_go * entry
            to_go -= path.probability * path.rewards[h]
    return gradient


def fisher(mdp: RationalMDP, policy: RationalPolicy, score: Score) -> list[list[Fraction]]:
    """Return the Fisher matrix of the law of the trajectory: the exact mean of the outer product of its score."""
    size = len(score(0, 0, 0))
    matrix = [[Fraction(0)] * size for _ in range(size)]
    for path in trajectories(mdp, policy):
        total = trajectory_score(path, score)
        support = [index for index, entry in enumerate(total) if entry]
        for row, column in itertools.product(support, repeat=2):
            matrix[row][column] += path.probability * total[row] * total[column]
    return matrix


def float_witness_to_exact(value: Any, max_denominator: int | None = None) -> Any:
    """Return JSON, arrays or nested sequences with every float turned into a fraction; sequences become lists.

    Parameters
    ----------
    max_denominator
        None keeps the exact binary values; else the nearest fractions of bounded denominator.

    Raises
    ------
    ValueError
        If a float is not finite.
    """
    if isinstance(value, Mapping):
        return {key: float_witness_to_exact(item, max_denominator) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [float_witness_to_exact(item, max_denominator) for item in value]
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError(f"{value} has no exact form")
        return Fraction(value) if max_denominator is None else Fraction(value).limit_denominator(max_denominator)
    return value


def exact_laws(rows: Any, max_denominator: int | None = None) -> Any:
    """Return nested float distributions as fractions whose innermost lists sum to one exactly.

    The largest entry of a row takes up what rounding left over.
    """
    exact = float_witness_to_exact(rows, max_denominator)
    return _balanced(exact)


def _balanced(rows: list[Any]) -> list[Any]:
    if isinstance(rows[0], list):
        return [_balanced(row) for row in rows]
    largest = max(range(len(rows)), key=lambda index: Fraction(rows[index]))
    rest = sum((Fraction(entry) for index, entry in enumerate(rows) if index != largest), Fraction(0))
    return [1 - rest if index == largest else Fraction(entry) for index, entry in enumerate(rows)]
