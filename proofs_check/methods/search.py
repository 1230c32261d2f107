r"""Search for counter-examples to deterministic statements, and for the instances on which they are tightest.

Three searchers share one statement. *Corners* are named instances that are extreme on purpose. *Hypothesis* draws
instances from a strategy, guided towards large ratios, and shrinks what violates to a smallest example. A *maximiser*
climbs lhs/rhs over blocks of parameters :math:`u \in [0, 1]^m`: random starts (uniform, at vertices, near faces), a
compass search with moves to the ends of the coordinates, and a Nelder-Mead polish. Rows of a simplex are
:math:`u / \sum_i u_i`, so that vertices (deterministic transitions) are reached exactly.

*What it shows.* A violation, if one is found: it is rebuilt from its stored form and evaluated again, in exact
arithmetic where the statement offers that; a violation in floating point that disappears exactly decides nothing.
Otherwise, that none was found in so many evaluations, the largest ratio, and how it grew with their number.

*What it trusts.* The statement, for what it accepts; Hypothesis only for where to look.

*How it can be fooled.* By a strategy that never draws what matters (the growth of the ratio and the mutants show it),
by assumptions that reject almost everything (rejections are counted), by rounding (tolerances are part of a
comparison), and by sides that are not numbers (these decide nothing and are reported).
``tests/proofs_check/test_search.py`` tries each.

*Checking again.* The witness, or the tightest instance, is stored as data and evaluated again by `Search.recheck`.
"""

import functools
import importlib
import math
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from fractions import Fraction
from typing import Any, ClassVar, TypeAlias

import numpy as np

from mdps.validation import FloatArray
from proofs_check.evidence import Comparison, Evidence, Finding, Json, Tightness, plain
from proofs_check.methods.base import Context, Method, Sizes, Statement, Tier
from proofs_check.methods.exact import comparisons_of, digest
from proofs_check.methods.statistics import seed_from, seed_record

BINS = 20
"""Bins of the histogram of ratios over [0, 1]; larger ones fall into the last."""

EXAMPLES_PER_UNIT = 500
STARTS_PER_UNIT = 4

KEPT_REASONS = 5
"""So many reasons for a rejection are reported."""

NELDER_MEAD_DIMENSION = 40
"""Above so many parameters the polish is not worth its evaluations."""


# Instances as data


def encode(drawn: Any) -> Json:
    """Return an instance as JSON from which `decode` rebuilds it.

    Numbers, strings, fractions, arrays, lists, tuples, mappings with string keys, dataclasses and named tuples of such
    are known.

    Raises
    ------
    TypeError
        Naming a type that has no such form.
    """
    if drawn is None or isinstance(drawn, bool | str):
        return drawn
    if isinstance(drawn, np.ndarray):
        return {"array": plain(drawn.tolist()), "dtype": str(drawn.dtype), "shape": list(drawn.shape)}
    if isinstance(drawn, np.generic):
        return encode(drawn.item())
    if isinstance(drawn, int):
        return drawn
    if isinstance(drawn, float):
        return drawn if math.isfinite(drawn) else {"float": str(drawn)}
    if isinstance(drawn, Fraction):
        return {"fraction": f"{drawn.numerator}/{drawn.denominator}"}
    if type(drawn) in (list, tuple):
        return {type(drawn).__name__: [encode(item) for item in drawn]}
    if isinstance(drawn, Mapping) and all(isinstance(key, str) for key in drawn):
        return {"mapping": {key: encode(item) for key, item in drawn.items()}}
    names = _field_names(type(drawn))
    if names:
        return _encode_record(drawn, names)
    raise TypeError(f"a {type(drawn).__name__} cannot be stored: give Search a describe and a rebuild")


def _field_names(kind: type) -> tuple[str, ...]:
    """Return the fields of a dataclass or named tuple, nothing for other types."""
    if is_dataclass(kind):
        return tuple(item.name for item in fields(kind) if item.init)
    return tuple(getattr(kind, "_fields", ()))


def _encode_record(drawn: Any, names: tuple[str, ...]) -> Json:
    kind = type(drawn)
    if _loaded_class(kind.__module__, kind.__qualname__) is not kind:
        raise TypeError(f"{kind.__qualname__} is not at the top of its module: give Search a describe and a rebuild")
    values = {name: encode(getattr(drawn, name)) for name in names}
    return {"class": [kind.__module__, kind.__qualname__], "fields": values}


def _loaded_class(module: str, name: str) -> Any:
    return getattr(sys.modules.get(module), name, None)


def decode(data: Json) -> Any:
    """Rebuild an instance from `encode`.

    Only classes of modules that are already imported are built, through their own validation: data never decides what
    code is loaded.

    Raises
    ------
    ValueError
        Naming what cannot be rebuilt.
    """
    if not isinstance(data, dict):
        return data
    (kind, content), *_ = data.items()
    simple: dict[str, Callable[[Any], Any]] = {
        "fraction": Fraction,
        "float": float,
        "list": lambda items: [decode(item) for item in items],
        "tuple": lambda items: tuple(decode(item) for item in items),
        "mapping": lambda items: {key: decode(item) for key, item in items.items()},
    }
    if "array" in data:
        return np.array(data["array"], dtype=data["dtype"]).reshape(data["shape"])
    if "class" in data:
        found = _loaded_class(*data["class"])
        if not (isinstance(found, type) and _field_names(found)):
            raise ValueError(f"{'.'.join(data['class'])} is not a dataclass or named tuple of a loaded module")
        return found(**{name: decode(value) for name, value in data["fields"].items()})
    if kind not in simple:
        raise ValueError(f"stored instance of unknown kind {kind!r}")
    return simple[kind](content)


# Spaces of parameters


@dataclass(frozen=True)
class Box:
    """An array of numbers in [low, high], spaced evenly or by their logarithms; one number if ``shape`` is empty."""

    low: float
    high: float
    shape: tuple[int, ...] = ()
    log: bool = False

    @property
    def size(self) -> int:
        """Number of parameters."""
        return math.prod(self.shape)

    def decode(self, unit: FloatArray) -> Any:
        """Return the array at a point of the unit cube."""
        even = self.low * (1.0 - unit) + self.high * unit
        values = self.low * (self.high / self.low) ** unit if self.log else even
        return values.reshape(self.shape) if self.shape else float(values[0])


@dataclass(frozen=True)
class Stochastic:
    """A row-stochastic array ``(*rows, columns)``; vertices of the simplices are reached exactly."""

    rows: int | tuple[int, ...]
    columns: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return (*((self.rows,) if isinstance(self.rows, int) else self.rows), self.columns)

    @property
    def size(self) -> int:
        """Number of parameters."""
        return math.prod(self.shape)

    def decode(self, unit: FloatArray) -> Any:
        """Return the array at a point of the unit cube; a row of zeros becomes uniform."""
        weights = unit.reshape(self.shape)
        mass = weights.sum(axis=-1, keepdims=True)
        return np.where(mass > 0.0, weights, 1.0 / self.columns) / np.where(mass > 0.0, mass, 1.0)


@dataclass(frozen=True)
class Simplex:
    """One probability vector of length ``n``."""

    n: int

    @property
    def size(self) -> int:
        """Number of parameters."""
        return self.n

    def decode(self, unit: FloatArray) -> Any:
        """Return the vector at a point of the unit cube."""
        return Stochastic((), self.n).decode(unit)


@dataclass(frozen=True)
class Integers:
    """An array of integers in {low, ..., high}; one integer if ``shape`` is empty."""

    low: int
    high: int
    shape: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Number of parameters."""
        return math.prod(self.shape)

    def decode(self, unit: FloatArray) -> Any:
        """Return the array at a point of the unit cube."""
        values = np.minimum(self.low + np.floor(unit * (self.high - self.low + 1)), self.high).astype(np.int64)
        return values.reshape(self.shape) if self.shape else int(values[0])


Block: TypeAlias = Box | Simplex | Stochastic | Integers


@dataclass(frozen=True, init=False)
class Space:
    """Named blocks of parameters: ``Space(p=Simplex(3), v=Box(0, 1, (3,)))``."""

    blocks: Mapping[str, Block]

    def __init__(self, **blocks: Block) -> None:
        if not blocks:
            raise ValueError("a space needs at least one block")
        object.__setattr__(self, "blocks", blocks)

    @property
    def size(self) -> int:
        """Number of parameters of all blocks."""
        return sum(block.size for block in self.blocks.values())

    def decode(self, unit: FloatArray) -> dict[str, Any]:
        """Return the value of every block at a point of the unit cube."""
        values: dict[str, Any] = {}
        start = 0
        for name, block in self.blocks.items():
            values[name] = block.decode(unit[start : start + block.size])
            start += block.size
        return values


@dataclass(frozen=True)
class Maximiser:
    """Climb lhs/rhs over a space of parameters.

    Parameters
    ----------
    build
        Called with the values of the blocks as keywords; returns what the statement is called with.
    starts
        Number of independent climbs, by tier.
    evaluations
        Evaluations of the statement in each climb.
    """

    space: Space
    build: Callable[..., Any]
    starts: Sizes[int] = field(default_factory=lambda: Sizes(8, 32, 128))
    evaluations: Sizes[int] = field(default_factory=lambda: Sizes(400, 2_000))


# Evaluation of the statement


def pressure(comparison: Comparison) -> float:
    """Return how close a comparison is to being violated: lhs/rhs where that makes sense, at most one if it holds.

    Where it does not (a side of the other sign) the relative gap takes its place; two zeros count as zero, so that the
    trivial instance does not attract a maximiser. An equality is rated by its relative error.
    """
    if not comparison.finite:
        return -math.inf
    if comparison.ratio is not None:
        return comparison.ratio
    scale = max(1.0, abs(float(comparison.lhs)), abs(float(comparison.rhs)))
    if comparison.relation == "==":
        return float(comparison.excess) / scale
    if comparison.lhs == 0 and comparison.rhs == 0:
        return 0.0
    return 1.0 + float(comparison.excess) / scale


class _ViolationError(Exception):
    """Raised inside Hypothesis to say that an example violates."""


@dataclass
class _Tally:
    """What a unit of work has seen so far."""

    statement: Statement
    context: Context
    exact: Callable[..., Any] | None
    evaluations: int = 0
    rejected: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    rounding: dict[str, Json] | None = None
    undefined: str | None = None
    best: float = -math.inf
    tightest: tuple[Any, str, Comparison, int] | None = None
    violating: tuple[Any, str, Comparison, int] | None = None
    shrinking: bool = False
    growth: list[tuple[int, float]] = field(default_factory=list)
    histogram: list[int] = field(default_factory=lambda: [0] * BINS)

    def evaluate(self, drawn: Any, place: str) -> float | None:
        """Compare on one instance; return its pressure, or None if an assumption is not met."""
        reason = self.context.unmet(drawn)
        if reason is not None:
            self.rejected += 1
            self.reasons[reason] = self.reasons.pop(reason, 0) + 1
            return None
        self.evaluations += 1
        top = -math.inf
        for index, comparison in enumerate(comparisons_of(self.statement(drawn), place)):
            top = max(top, self._note(drawn, place, comparison, index))
        if top >= 0.0:
            self.histogram[int(min(top * BINS, BINS - 1))] += 1
        return top

    def _note(self, drawn: Any, place: str, comparison: Comparison, index: int) -> float:
        rated = pressure(comparison)
        if not comparison.finite:
            self.undefined = self.undefined or f"{place}: {comparison.lhs} {comparison.relation} {comparison.rhs}"
        elif not comparison.holds and self._wanted(rated) and self._confirmed(drawn, place, comparison):
            self.violating = (drawn, place, comparison, index)
        if rated > self.best:
            self.best = rated
            self.tightest = (drawn, place, comparison, index)
            self.growth.append((self.evaluations, rated))
        return rated

    def _wanted(self, rated: float) -> bool:
        """Return whether to keep this violation: a shrinker ends on the smallest one, the others keep the largest."""
        return self.shrinking or self.violating is None or rated > pressure(self.violating[2])

    def _confirmed(self, drawn: Any, place: str, comparison: Comparison) -> bool:
        """Return whether a violation survives exact arithmetic, where that is offered."""
        if self.exact is None or comparison.exact:
            return True
        if not all(exact.holds for exact in comparisons_of(self.exact(drawn), place)):
            return True
        self.rounding = self.rounding or {
            "where": place,
            "lhs": float(comparison.lhs),
            "relation": comparison.relation,
            "rhs": float(comparison.rhs),
        }
        return False


# The method


@dataclass(frozen=True)
class Search(Method):
    """Look for violations of a deterministic statement, and for its tightest instance.

    The statement is called with one drawn instance and returns a `Comparison` or several.

    Parameters
    ----------
    strategy
        Returns the Hypothesis strategy of instances (called late: Hypothesis is imported only then).
    examples
        Examples to draw, by tier.
    maximise
        Adversarial maximisation of lhs/rhs.
    corners
        Named constructors of extreme instances.
    exact
        Called like the statement, with its changes; returns the comparisons in exact arithmetic. An attribute
        ``exact`` of the statement does the same.
    describe, rebuild
        Turn an instance into JSON and back, if `encode` cannot.

    Raises
    ------
    ValueError
        If there is nothing to search in, or one of ``describe`` and ``rebuild`` is missing.
    """

    strategy: Callable[[], Any] | None = None
    examples: Sizes[int] = field(default_factory=lambda: Sizes(300, 3_000, 30_000))
    maximise: Maximiser | None = None
    corners: Mapping[str, Callable[[], Any]] = field(default_factory=dict)
    exact: Callable[..., Any] | None = None
    describe: Callable[[Any], Json] | None = None
    rebuild: Callable[[Json], Any] | None = None

    name: ClassVar[str] = "search"

    def __post_init__(self) -> None:
        if self.strategy is None and self.maximise is None and not self.corners:
            raise ValueError("a search needs a strategy, a maximiser or corners")
        if (self.describe is None) != (self.rebuild is None):
            raise ValueError("describe and rebuild come together")

    def units(self, tier: Tier) -> tuple[str, ...]:
        """Return the corners, blocks of examples and blocks of climbs."""
        keys = ["corners"] if self.corners else []
        if self.strategy is not None:
            keys += [f"examples {i}" for i in range(-(-self.examples.at(tier) // EXAMPLES_PER_UNIT))]
        if self.maximise is not None:
            keys += [f"climbs {i}" for i in range(-(-self.maximise.starts.at(tier) // STARTS_PER_UNIT))]
        return tuple(keys)

    def run(self, statement: Statement, unit: str, context: Context) -> Json:
        """Search in one way; return the tightest instance, the violation if there is one, and the counts."""
        tally = _Tally(statement, context, self._exact_form(statement))
        kind, _, number = unit.partition(" ")
        if kind == "corners":
            for name, corner in self.corners.items():
                if tally.evaluate(corner(), name) is None:
                    tally.skipped[name] = next(reversed(tally.reasons))
        elif kind == "examples":
            start = int(number) * EXAMPLES_PER_UNIT
            count = min(EXAMPLES_PER_UNIT, self.examples.at(context.tier) - start)
            self._draw(tally, unit, max(count, 1))
        else:
            start = int(number) * STARTS_PER_UNIT
            self._climb(tally, unit, min(STARTS_PER_UNIT, _required(self.maximise).starts.at(context.tier) - start))
        return self._result(tally, unit)

    def _exact_form(self, statement: Statement) -> Callable[..., Any] | None:
        """Return the exact form of a statement with the same changes applied."""
        plain_statement = statement.func if isinstance(statement, functools.partial) else statement
        changes = statement.keywords if isinstance(statement, functools.partial) else {}
        exact = self.exact or getattr(plain_statement, "exact", None)
        return None if exact is None else functools.partial(exact, **changes)

    def _draw(self, tally: _Tally, unit: str, count: int) -> None:
        seed = int.from_bytes(tally.context.seed.generate_state(4).tobytes(), "little")
        tally.shrinking = True
        draw_examples(_required(self.strategy)(), lambda drawn: _probe(tally, drawn, unit), seed, count)

    def _climb(self, tally: _Tally, unit: str, starts: int) -> None:
        maximiser = _required(self.maximise)
        evaluations = maximiser.evaluations.at(tally.context.tier)
        for seed in seed_from(seed_record(tally.context.seed)).spawn(starts):
            if tally.violating is not None:
                return

            def objective(unit_point: FloatArray) -> float:
                value = tally.evaluate(maximiser.build(**maximiser.space.decode(unit_point)), unit)
                return -math.inf if value is None else value

            climb(objective, maximiser.space.size, evaluations, np.random.default_rng(seed))

    def _result(self, tally: _Tally, unit: str) -> Json:
        used, skipped = [unit], tally.skipped
        if unit == "corners":
            used = [name for name in self.corners if name not in skipped]
        elif tally.rejected:
            reasons = sorted(tally.reasons.items(), key=lambda item: (-item[1], item[0]))[:KEPT_REASONS]
            skipped = {f"{tally.rejected} of {unit}": "; ".join(f"{reason} ({count})" for reason, count in reasons)}
        return plain(
            {
                "used": used,
                "skipped": skipped,
                "evaluations": tally.evaluations,
                "rejected": tally.rejected,
                "undefined": tally.undefined,
                "rounding": tally.rounding,
                "growth": tally.growth,
                "histogram": tally.histogram,
                "tightest": self._record(tally, tally.tightest),
                "witness": self._record(tally, tally.violating, exact=tally.exact),
            }
        )

    def _record(
        self,
        tally: _Tally,
        found: tuple[Any, str, Comparison, int] | None,
        exact: Callable[..., Any] | None = None,
    ) -> Json:
        """Return an instance as data, with both sides as they are when it is rebuilt from that data."""
        if found is None:
            return None
        drawn, place, comparison, index = found
        data = encode(drawn) if self.describe is None else plain(self.describe(drawn))
        record = {**_sides(comparison), "where": place, "index": index, "instance": data}
        again = self._evaluate_again(tally.statement, record)
        if _sides(again) != _sides(comparison):
            raise ValueError(f"{place}: the sides change when the instance is rebuilt; is the statement deterministic?")
        failing = None if exact is None else _first_failing(exact(self._rebuilt(record)), place)
        if exact is not None and failing is None and not comparison.exact:
            raise ValueError(f"{place}: the violation is not exact any more when the instance is rebuilt")
        return {**record, "part": comparison.where, "data": plain(comparison.witness), "exact": failing}

    def _rebuilt(self, record: Json) -> Any:
        return decode(record["instance"]) if self.rebuild is None else self.rebuild(record["instance"])

    def _evaluate_again(self, statement: Statement, record: Json) -> Comparison:
        comparisons = list(comparisons_of(statement(self._rebuilt(record)), record["where"]))
        return comparisons[record["index"]]

    def settles(self, result: Json) -> bool:
        """Return whether a violation was found."""
        return result["witness"] is not None

    def fold(self, results: Mapping[str, Json]) -> Evidence:
        """Return the violation, or the tightest instance and how hard was searched."""
        evaluations = sum(result["evaluations"] for result in results.values())
        rejected = sum(result["rejected"] for result in results.values())
        found = [result["tightest"] for result in results.values() if result["tightest"] is not None]
        tightest = max(found, key=_record_pressure, default=None)
        witness = next((result["witness"] for result in results.values() if result["witness"] is not None), None)
        finding, summary = self._conclusion(results, witness, tightest, evaluations, rejected)
        ratio = None if tightest is None else _comparison(tightest).ratio
        stored = {"tightest": tightest, "evaluations": evaluations, "rejected": rejected}
        return Evidence(
            self.name,
            finding,
            summary,
            instances=tuple(name for result in results.values() for name in result["used"]),
            skipped={name: reason for result in results.values() for name, reason in result["skipped"].items()},
            tightness=None if tightest is None or ratio is None else Tightness(ratio, _place(tightest)),
            witness=witness,
            certificate={**stored, "digest": digest([stored, witness])},
            plot=_ratio_plot(results),
        )

    def _conclusion(
        self, results: Mapping[str, Json], witness: Json, tightest: Json, evaluations: int, rejected: int
    ) -> tuple[Finding, str]:
        if witness is not None:
            sides = f"{witness['lhs']} {witness['relation']} {witness['rhs']}"
            return Finding.VIOLATION, f"{_place(witness)}: {sides} is false"
        undefined = next((result["undefined"] for result in results.values() if result["undefined"]), None)
        if undefined is not None:
            return Finding.UNDECIDED, f"a side is not a finite number on {undefined}"
        rounding = next((result["rounding"] for result in results.values() if result["rounding"]), None)
        if rounding is not None:
            sides = f"{rounding['lhs']} {rounding['relation']} {rounding['rhs']}"
            reason = "is false in floating point and true exactly: raise the tolerance or compare exactly"
            return Finding.UNDECIDED, f"{rounding['where']}: {sides} {reason}"
        if evaluations == 0:
            return Finding.UNDECIDED, f"all {rejected} instances were rejected by the assumptions"
        refused = f", {rejected} more did not meet the assumptions" if rejected else ""
        text = f"no violation in {evaluations} evaluations{refused}"
        ratio = None if tightest is None else _comparison(tightest).ratio
        return Finding.NO_VIOLATION, text + ("" if ratio is None else f"; largest ratio {ratio:.4g}")

    def recheck(self, statement: Statement, evidence: Evidence) -> str | None:
        """Evaluate the witness and the tightest instance again."""
        certificate = dict(evidence.certificate)
        if certificate.pop("digest") != digest([certificate, evidence.witness]):
            return "the stored evidence does not have the stored digest"
        if (evidence.witness is None) == (evidence.finding == Finding.VIOLATION):
            return f"the finding is {evidence.finding}, which does not fit the stored witness"
        for record in (evidence.witness, certificate["tightest"]):
            if record is not None:
                problem = self._record_problem(statement, record, violating=record is evidence.witness)
                if problem is not None:
                    return f"{_place(record)}: {problem}"
        tightest = certificate["tightest"]
        ratio = None if tightest is None else _comparison(tightest).ratio
        if ratio != (None if evidence.tightness is None else evidence.tightness.ratio):
            return f"the tightest instance has ratio {ratio}, not that of the evidence"
        return None

    def _record_problem(self, statement: Statement, record: Json, violating: bool) -> str | None:
        """Evaluate a stored instance again and compare with what is stored about it."""
        exact = self._exact_form(statement)
        try:
            again = self._evaluate_again(statement, record)
            failing = None
            if record["exact"] is not None and exact is not None:
                failing = _first_failing(exact(self._rebuilt(record)), record["where"])
        except (IndexError, KeyError, TypeError, ValueError) as error:
            return f"the stored instance cannot be evaluated: {type(error).__name__} {error}"
        if _sides(again) != {key: record[key] for key in ("lhs", "relation", "rhs")}:
            return f"computed {_sides(again)}, which is not what is stored"
        if violating and again.holds:
            return "the stored violation is none"
        if failing != record["exact"]:
            return f"computed {failing} exactly, which is not what is stored"
        return None


def _required(value: Any) -> Any:
    if value is None:
        raise ValueError("this unit of work is not part of the search")
    return value


def _probe(tally: _Tally, drawn: Any, unit: str) -> float | None:
    before = tally.violating
    value = tally.evaluate(drawn, unit)
    if tally.violating is not before:
        raise _ViolationError
    return value


def _first_failing(answer: Any, place: str) -> Json:
    """Return the sides of the first comparison that does not hold, or None."""
    return next((_sides(comparison) for comparison in comparisons_of(answer, place) if not comparison.holds), None)


def _sides(comparison: Comparison) -> dict[str, Json]:
    sides: dict[str, Json] = plain({"lhs": comparison.lhs, "relation": comparison.relation, "rhs": comparison.rhs})
    return sides


def _number(value: Json) -> Fraction | float | int:
    if isinstance(value, str):
        return Fraction(value) if "/" in value else float(value)
    return value


def _comparison(record: Json) -> Comparison:
    return Comparison(_number(record["lhs"]), _number(record["rhs"]), record["relation"])


def _record_pressure(record: Json) -> float:
    return pressure(_comparison(record))


def _place(record: Json) -> str:
    return f"{record['where']}, {record['part']}" if record["part"] else str(record["where"])


def _ratio_plot(results: Mapping[str, Json]) -> Json:
    """Return the growth of the largest ratio with the number of evaluations, and the histogram of all ratios."""
    growth: list[tuple[int, float]] = []
    before, best = 0, -math.inf
    for result in results.values():
        for evaluations, ratio in result["growth"]:
            if _number(ratio) > best:
                best = float(_number(ratio))
                growth.append((before + evaluations, best))
        before += result["evaluations"]
    counts = [sum(column) for column in zip(*(result["histogram"] for result in results.values()), strict=True)]
    finite = [point for point in growth if math.isfinite(point[1])]
    return plain({"kind": "ratios", "growth": finite, "evaluations": before, "histogram": counts, "bins": BINS})


# Searchers

_PROVIDER_LOCK = threading.RLock()


@contextmanager
def _steady_constants() -> Iterator[None]:
    """Keep Hypothesis from drawing constants of whatever source files happen to be imported.

    They would make the examples of a seed depend on the history of the process. Versions without this habit need
    nothing.
    """
    providers: Any = importlib.import_module("hypothesis.internal.conjecture.providers")
    usual = vars(providers.HypothesisProvider).get("_local_constants")
    if usual is None:
        yield
        return
    with _PROVIDER_LOCK:
        providers.HypothesisProvider._local_constants = property(lambda provider: providers.Constants())
        providers.CONSTANTS_CACHE.cache.clear()
        try:
            yield
        finally:
            providers.HypothesisProvider._local_constants = usual
            providers.CONSTANTS_CACHE.cache.clear()


def draw_examples(strategy: Any, probe: Callable[[Any], float | None], seed: int, count: int) -> None:
    """Call ``probe`` on examples of a strategy, the same ones for a seed in every process.

    ``probe`` returns the value to increase, None for an example that does not count, or raises to have the example
    shrunk; the last call is then the one on the smallest example found.
    """
    import hypothesis
    from hypothesis import HealthCheck, Phase, Verbosity

    settings = hypothesis.settings(
        backend="hypothesis",
        database=None,
        deadline=None,
        derandomize=False,
        max_examples=count,
        phases=(Phase.generate, Phase.target, Phase.shrink),
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )

    @hypothesis.seed(seed)
    @settings
    @hypothesis.given(strategy)
    def examine(drawn: Any) -> None:
        value = probe(drawn)
        hypothesis.assume(value is not None)
        if value is not None and math.isfinite(value):
            hypothesis.target(value)

    with _steady_constants():
        try:
            examine()
        except _ViolationError:
            return
        except hypothesis.errors.Unsatisfiable:
            return


def climb(
    objective: Callable[[FloatArray], float], dimension: int, evaluations: int, rng: np.random.Generator
) -> tuple[FloatArray, float]:
    """Maximise over the unit cube: random starts, compass search, Nelder-Mead.

    Parameters
    ----------
    evaluations
        Calls of the objective, at most.

    Returns
    -------
    point, value
        The best one seen.
    """
    starts = max(1, min(evaluations // 4, 4 * dimension + 10))
    points = [_random_point(dimension, rng, index) for index in range(starts)]
    values = [objective(point) for point in points]
    top = int(np.argmax(values))
    best, value = points[top], values[top]
    polish = (evaluations - starts) // 3 if 1 < dimension <= NELDER_MEAD_DIMENSION else 0
    best, value = _compass(objective, best, value, evaluations - starts - polish, rng)
    return _nelder_mead(objective, best, value, polish) if polish > dimension + 1 else (best, value)


def _random_point(dimension: int, rng: np.random.Generator, index: int) -> FloatArray:
    """Return a point inside, at a vertex, or on a random face of the cube, in turn."""
    inside, vertex = rng.random(dimension), rng.integers(0, 2, dimension).astype(np.float64)
    choice: FloatArray = (inside, vertex, np.where(rng.random(dimension) < 0.5, inside, vertex))[index % 3]
    return choice


def _compass(
    objective: Callable[[FloatArray], float], best: FloatArray, value: float, budget: int, rng: np.random.Generator
) -> tuple[FloatArray, float]:
    """Try moves of single and of several coordinates, and to the ends; steps grow on success and shrink on failure."""
    step = 0.25
    for _ in range(budget):
        trial = best.copy()
        kind = rng.random()
        if kind < 0.6:
            chosen = rng.integers(best.size)
            trial[chosen] += step * rng.standard_normal()
        elif kind < 0.8:
            trial += step * rng.standard_normal(best.size) / math.sqrt(best.size)
        else:
            trial[rng.integers(best.size)] = float(rng.integers(2))
        trial = np.clip(trial, 0.0, 1.0)
        reached = objective(trial)
        if reached > value:
            best, value, step = trial, reached, min(0.5, step * 1.5)
        elif kind < 0.8:
            step = max(1e-6, step * 0.95)
    return best, value


def _nelder_mead(
    objective: Callable[[FloatArray], float], best: FloatArray, value: float, budget: int
) -> tuple[FloatArray, float]:
    from scipy.optimize import minimize

    seen = [(value, best)]

    def negated(point: FloatArray) -> float:
        inside = np.clip(point, 0.0, 1.0)
        reached = objective(inside)
        if reached > seen[-1][0]:
            seen.append((reached, inside.copy()))
        return -reached if math.isfinite(reached) else 1e300

    options: Any = {"maxfev": budget, "xatol": 1e-10, "fatol": 1e-14, "adaptive": True}
    minimize(negated, best, method="Nelder-Mead", bounds=[(0.0, 1.0)] * best.size, options=options)
    reached, point = seen[-1]
    return point, reached


def explore(search: Search, statement: Statement, context: Context, keep_going: Callable[[], bool]) -> Evidence:
    """Search for as long as one wants: whole rounds of all searchers, each with fresh randomness.

    Parameters
    ----------
    keep_going
        Asked before every unit of work; the clock, if there is one, is the caller's.
    """
    results: dict[str, Json] = {}
    for round_seed in _endless(context.seed):
        units = search.units(context.tier)
        for unit, seed in zip(units, round_seed.spawn(len(units)), strict=True):
            if results and (not keep_going() or search.settles(results[next(reversed(results))])):
                return search.fold(results)
            repeated = unit == "corners" and bool(results)
            if not repeated:
                number = sum(key.split(" ")[0] == unit.split(" ")[0] for key in results)
                label = unit if unit == "corners" else f"{unit.split(' ')[0]} {number}"
                result = search.run(statement, unit, Context(context.tier, seed, context.assumptions))
                results[label] = result if unit == "corners" else {**result, "used": [label]}
    raise AssertionError("rounds never end")


def _endless(seed: np.random.SeedSequence) -> Iterator[np.random.SeedSequence]:
    while True:
        yield seed.spawn(1)[0]
