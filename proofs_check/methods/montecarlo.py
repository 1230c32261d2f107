r"""Sampled checks: high-probability bounds and bounds on expectations, from independent runs.

*What `MonteCarlo` shows.* For a claim :math:`P(\mathrm{lhs} > \mathrm{rhs}) \le \delta`, violations are counted in a
number of runs that is fixed in advance. On each of the :math:`m` instances the exact binomial limits (see
`proofs_check.methods.statistics`) are taken at level :math:`\alpha / m`: no violation of the claim is reported if every
upper limit is at most :math:`\delta`, which errs with probability at most :math:`\alpha` over all instances together.
The claim is refuted if a lower limit is above :math:`\delta`; there half of :math:`\alpha` goes to the pooled runs of
the instances and half to the single blocks of runs, so that a block may refute alone and stop the others. If blocks are
missing, the limits that are reported hold at any stopping time, and support nothing.

*What `Expectation` shows.* For :math:`\mathbb E[\mathrm{lhs}] \le \mathrm{rhs}` with a left side in a stated range,
confidence limits of the mean by betting, valid at any number of runs, with the same division of :math:`\alpha`.

*What they trust.* That runs are independent and drawn from the law that the claim speaks of, ``numpy.random``, the
incomplete beta function of scipy, and the range that is stated for the left side (each observation is checked against
it).

*How they can be fooled.* By a bound so loose that no violation could ever be seen: tightness is reported, an instance
on which the bound is vacuous does not count, and mutants must be rejected. By many looks at the data: the numbers of
runs and blocks are fixed before. ``tests/proofs_check/test_montecarlo.py`` runs both on laws whose violation
probability is just above and just below the claimed one, and with every level of vacuity.

*Checking again.* `recheck` recomputes the limits from the stored counts and draws a sixth of the blocks anew from their
seeds, chosen by a digest of what is stored; a violation always includes the block of its witness.
"""

import base64
import hashlib
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt

from mdps.validation import FloatArray
from proofs_check.evidence import (
    DEFAULT_TOLERANCE,
    Comparison,
    Confidence,
    Evidence,
    Finding,
    Json,
    Relation,
    Tightness,
    plain,
)
from proofs_check.methods import statistics
from proofs_check.methods.base import Context, Method, Sizes, Statement, Tier
from proofs_check.methods.exact import RECHECKED_PART, Instances, digest, find_instance, hashed_order, instances_at

DEFAULT_ALPHA = 1e-3
"""Probability of a wrong verdict on one sampled claim."""

DEFAULT_BLOCKS = 8
"""Blocks that the runs on an instance are split into: parallel, and each one cheap to draw again."""


class SampleError(ValueError):
    """A statement returned a sample that does not fit; the message names the instance."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Both sides of a claim in independent runs on one instance.

    Parameters
    ----------
    lhs, rhs
        ``(runs,)`` each; the right side may be one number.
    where
        What was compared, if the name of the instance does not say it.
    vacuous
        Whether the bound says nothing on this instance, being weaker than what holds anyway.
    nonvacuous_from
        First value of the leading parameter at which the bound says something; None if there is none.
    support
        Range of the left side, for `Expectation`.
    plot
        Data of a figure.
    """

    lhs: npt.ArrayLike
    rhs: npt.ArrayLike
    relation: Relation = "<="
    where: str = ""
    vacuous: bool = False
    nonvacuous_from: int | None = None
    support: tuple[float, float] | None = None
    tolerance: float = DEFAULT_TOLERANCE
    plot: Json = None

    @classmethod
    def of(cls, answer: "Sample | Sequence[Comparison]", runs: int, place: str) -> "Sample":
        """Return the sample of what a statement returned, checked.

        Raises
        ------
        SampleError
            If the number of runs is another, or a side is not a finite number.
        """
        sample = answer if isinstance(answer, Sample) else _of_comparisons(answer, place)
        checked: dict[str, FloatArray] = {}
        for side in ("lhs", "rhs"):
            values = np.asarray(getattr(sample, side), dtype=np.float64)
            allowed = [(runs,)] if side == "lhs" else [(runs,), ()]
            if values.shape not in allowed:
                raise SampleError(f"{place}: {side} has shape {values.shape}, not ({runs},)")
            if not np.isfinite(values).all():
                first = int(np.argmax(~np.isfinite(np.atleast_1d(values))))
                raise SampleError(f"{place}: {side} of run {first} is {np.atleast_1d(values)[first]}, not finite")
            checked[side] = values
        return replace(sample, **cast(Any, checked))

    @property
    def sides(self) -> tuple[FloatArray, FloatArray]:
        """Both sides as arrays of one length."""
        lhs = np.asarray(self.lhs, dtype=np.float64)
        return lhs, np.broadcast_to(np.asarray(self.rhs, dtype=np.float64), lhs.shape)

    @property
    def violated(self) -> npt.NDArray[np.bool_]:
        """In which runs the relation fails, beyond what rounding explains."""
        lhs, rhs = self.sides
        gap = {"<=": lhs - rhs, ">=": rhs - lhs, "==": np.abs(lhs - rhs)}[self.relation]
        allowance = self.tolerance * np.maximum(1.0, np.maximum(np.abs(lhs), np.abs(rhs)))
        failing: npt.NDArray[np.bool_] = gap > allowance
        return failing

    def comparison(self, run: int, where: str) -> Comparison:
        """Return the comparison of one run."""
        lhs, rhs = self.sides
        return Comparison(float(lhs[run]), float(rhs[run]), self.relation, where, tolerance=self.tolerance)

    def ratio(self, quantile: float = 1.0) -> float | None:
        """Part of the bound that the runs use, at a quantile of them, if the larger side is positive throughout."""
        lhs, rhs = self.sides
        small, large = (rhs, lhs) if self.relation == ">=" else (lhs, rhs)
        if self.relation == "==" or (large <= 0).any():
            return None
        ratio = float(np.quantile(small / large, quantile, method="lower"))
        return ratio if ratio >= 0.0 else None

    @property
    def digest(self) -> str:
        """Hash of both sides, bit by bit."""
        return hashlib.sha256(b"".join(np.ascontiguousarray(side).tobytes() for side in self.sides)).hexdigest()


def _of_comparisons(answer: Iterable[Comparison], place: str) -> Sample:
    comparisons = list(answer)
    for comparison in comparisons:
        if not isinstance(comparison, Comparison):
            raise SampleError(f"{place}: the statement returned a {type(comparison).__name__}, not a comparison")
    relations = {comparison.relation for comparison in comparisons}
    if len(relations) != 1:
        raise SampleError(f"{place}: {len(relations)} different relations in one sample")
    lhs = [float(comparison.lhs) for comparison in comparisons]
    rhs = [float(comparison.rhs) for comparison in comparisons]
    return Sample(lhs, rhs, relations.pop(), comparisons[0].where, tolerance=comparisons[0].tolerance)


@dataclass(frozen=True)
class _Sampled(Method):
    """Runs on instances, in blocks; what the two methods of this module have in common.

    The statement is called with an instance, a ``numpy.random.SeedSequence`` and a number of runs, and returns a
    `Sample` (or one `Comparison` a run).
    """

    instances: Instances
    runs: Sizes[int]
    alpha: float = DEFAULT_ALPHA
    block: Sizes[int] | None = None

    def __post_init__(self) -> None:
        statistics.require_level("alpha", self.alpha)
        for tier in Tier:
            if self.runs.at(tier) < 1 or (self.block is not None and self.block.at(tier) < 1):
                raise ValueError(f"runs and block must be positive at tier {tier}")

    def units(self, tier: Tier) -> tuple[str, ...]:
        """Return one key for each block of runs: the first blocks of all instances, then the second ones."""
        return tuple(self._blocks(tier))

    def _blocks(self, tier: Tier) -> dict[str, tuple[str, int]]:
        """Return unit -> (instance, number of runs)."""
        total = self.runs.at(tier)
        size = -(-total // DEFAULT_BLOCKS) if self.block is None else self.block.at(tier)
        sizes = [min(size, total - start) for start in range(0, total, size)]
        names = list(instances_at(self.instances, tier))
        return {f"{name} #{index}": (name, runs) for index, runs in enumerate(sizes) for name in names}

    def run(self, statement: Statement, unit: str, context: Context) -> Json:
        """Draw a block of runs and return its counts, seed and digest."""
        blocks = self._blocks(context.tier)
        name, runs = blocks[unit]
        constructors = instances_at(self.instances, context.tier)
        instance = constructors[name]()
        plan = {"instance": name, "planned": self.runs.at(context.tier), "m": len(constructors), "units": len(blocks)}
        reason = context.unmet(instance)
        if reason is not None:
            return {**plan, "skipped": reason}
        seed = statistics.seed_record(context.seed)
        sample = Sample.of(statement(instance, statistics.seed_from(seed), runs), runs, unit)
        return {**plan, "runs": runs, "seed": seed, **self._record(sample, unit)}

    def _record(self, sample: Sample, unit: str) -> dict[str, Json]:
        violated = sample.violated
        first = int(np.argmax(violated)) if violated.any() else None
        return {
            "digest": sample.digest,
            "violations": int(violated.sum()),
            "ratio": sample.ratio(),
            "where": sample.where,
            "vacuous": sample.vacuous,
            "nonvacuous_from": sample.nonvacuous_from,
            "witness": None if first is None else _run_witness(sample, first, unit),
            "plot": plain(sample.plot),
        }

    @abstractmethod
    def _judge(self, blocks: Mapping[str, Json], complete: bool) -> "_Judgement":
        """Judge the blocks of one instance."""

    def fold(self, results: Mapping[str, Json]) -> Evidence:
        """Return what the runs show about all instances together, whatever the order of the units."""
        by_instance: dict[str, dict[str, Json]] = {}
        for unit, result in sorted(results.items()):
            by_instance.setdefault(result["instance"], {})[unit] = result
        skipped: dict[str, str] = {}
        judged: dict[str, _Judgement] = {}
        nonvacuous: dict[str, int | None] = {}
        for name, blocks in by_instance.items():
            first = next(iter(blocks.values()))
            if "skipped" in first:
                skipped[name] = first["skipped"]
                continue
            runs = sum(block["runs"] for block in blocks.values())
            judgement = self._judge(blocks, runs == first["planned"])
            vacuous = any(block["vacuous"] for block in blocks.values())
            if vacuous or first["nonvacuous_from"] is not None:
                nonvacuous[name] = first["nonvacuous_from"]
            if vacuous and judgement.finding != Finding.VIOLATION:
                skipped[name] = _vacuous_text(first["nonvacuous_from"])
                continue
            judged[name] = judgement
        return self._evidence(results, judged, skipped, nonvacuous)

    def _evidence(
        self,
        results: Mapping[str, Json],
        judged: "Mapping[str, _Judgement]",
        skipped: Mapping[str, str],
        nonvacuous: Mapping[str, int | None],
    ) -> Evidence:
        order = (Finding.VIOLATION, Finding.UNDECIDED, Finding.NO_VIOLATION)
        worst = min(judged, key=lambda name: (order.index(judged[name].finding), -judged[name].pressure), default=None)
        used = {unit: result for unit, result in results.items() if result["instance"] in judged}
        stored = {unit: {k: v for k, v in block.items() if k != "plot"} for unit, block in used.items()}
        rated = [(block["ratio"], unit) for unit, block in used.items() if block["ratio"] is not None]
        finding, summary = Finding.UNDECIDED, f"no instance counts: {_reasons(skipped)}"
        if worst is not None:
            finding = judged[worst].finding
            summary = self._summary(judged, worst)
        return Evidence(
            self.name,
            finding,
            summary,
            instances=tuple(judged),
            skipped=skipped,
            tightness=Tightness(*max(rated)) if rated else None,
            witness=judged[worst].witness if worst is not None and finding == Finding.VIOLATION else None,
            confidence=judged[worst].confidence if worst is not None else None,
            nonvacuous_from=nonvacuous,
            certificate={"blocks": stored, "digest": digest(stored)},
            plot=next((block["plot"] for block in used.values() if block["plot"] is not None), None),
        )

    def _summary(self, judged: "Mapping[str, _Judgement]", worst: str) -> str:
        judgement = judged[worst]
        if judgement.finding != Finding.NO_VIOLATION or len(judged) == 1:
            return f"{worst}: {judgement.text}"
        return f"on {len(judged)} instances together at level {self.alpha:g}; least clear on {worst}: {judgement.text}"

    def recheck(self, statement: Statement, evidence: Evidence) -> str | None:
        """Judge the stored counts again and draw a part of the blocks again from their seeds."""
        blocks = evidence.certificate["blocks"]
        if digest(blocks) != evidence.certificate["digest"]:
            return "the stored blocks do not have the stored digest"
        if not blocks:
            return None if evidence.finding == Finding.UNDECIDED else f"{evidence.finding} without any block of runs"
        again = self.fold({unit: {**block, "plot": None} for unit, block in blocks.items()})
        compared = ("finding", "confidence", "witness", "tightness")
        if any(getattr(again, key) != getattr(evidence, key) for key in compared):
            return f"the stored counts show: {again.finding} ({again.summary})"
        order = hashed_order(blocks, evidence.certificate["digest"])
        chosen = order[: max(1, len(order) // RECHECKED_PART)]
        if evidence.witness is not None:
            chosen = [evidence.witness["unit"], *chosen[1:]]
        problems = (self._redraw(statement, unit, blocks[unit]) for unit in chosen)
        return next((problem for problem in problems if problem is not None), None)

    def _redraw(self, statement: Statement, unit: str, block: Json) -> str | None:
        constructor = find_instance(self.instances, block["instance"])
        if constructor is None:
            return f"instance {block['instance']} is not listed"
        seed = statistics.seed_from(block["seed"])
        sample = Sample.of(statement(constructor(), seed, block["runs"]), block["runs"], unit)
        fresh = plain(self._record(sample, unit))
        differing = [key for key, value in fresh.items() if key != "plot" and value != block[key]]
        return f"block {unit}: {differing[0]} is not the stored one" if differing else None


@dataclass(frozen=True)
class _Judgement:
    """Finding on one instance; ``pressure`` ranks instances of the same finding, the least clear one highest."""

    finding: Finding
    text: str
    pressure: float
    confidence: Confidence
    witness: Json = field(default=None)


@dataclass(frozen=True)
class MonteCarlo(_Sampled):
    r"""Test :math:`P(\mathrm{lhs} > \mathrm{rhs}) \le \delta` on every listed instance.

    The statement is called with an instance, a ``numpy.random.SeedSequence`` and a number of runs, and returns a
    `Sample` (or one `Comparison` a run). It takes all its randomness from the seed sequence.

    Parameters
    ----------
    instances
        Names -> constructors, or a function of the tier that returns them.
    runs
        Runs on each instance, by tier; `statistics.runs_needed` says how many support a claim.
    alpha
        Probability of a wrong verdict on the claim, over all instances together.
    block
        Runs in one unit of work; an eighth of the runs if omitted.
    delta
        Claimed failure probability.
    """

    delta: float = field(kw_only=True)

    name: ClassVar[str] = "montecarlo"

    def __post_init__(self) -> None:
        super().__post_init__()
        statistics.require_level("delta", self.delta)

    def _record(self, sample: Sample, unit: str) -> dict[str, Json]:
        """Return the record of a block; its tightness is the quantile 1 - delta, the one that the claim speaks of."""
        return {**super()._record(sample, unit), "ratio": sample.ratio(1.0 - self.delta)}

    def settles(self, result: Json) -> bool:
        """Return whether a block refutes the claim at its share of the level."""
        return "skipped" not in result and self._refutes(result)

    def _refutes(self, block: Json) -> bool:
        level = self.alpha / (2 * block["units"])
        return statistics.tail_probability(block["violations"], block["runs"], self.delta) <= level

    def _judge(self, blocks: Mapping[str, Json], complete: bool) -> _Judgement:
        count = next(iter(blocks.values()))["m"]
        level = self.alpha / count
        runs = sum(block["runs"] for block in blocks.values())
        violations = sum(block["violations"] for block in blocks.values())
        interval = statistics.clopper_pearson if complete else statistics.proportion_sequence
        lower, upper = interval(violations, runs, level)
        confidence = Confidence(runs, level, lower, upper, self.delta, violations)
        text = f"{violations} violations in {runs} runs"
        pooled = complete and statistics.tail_probability(violations, runs, self.delta) <= level / 2
        single = next((block for block in blocks.values() if self._refutes(block)), None)
        if pooled or single is not None:
            block = single or next(block for block in blocks.values() if block["violations"])
            text += f": the probability of a violation is above {self.delta:g}, at level {self.alpha / 2:g}"
            return _Judgement(Finding.VIOLATION, text, lower, confidence, block["witness"])
        if complete and upper <= self.delta:
            text += f": its probability is at most {upper:.3g} <= {self.delta:g}, at level {level:.3g}"
            return _Judgement(Finding.NO_VIOLATION, text, upper, confidence)
        text += (
            f", probability in [{lower:.3g}, {upper:.3g}], not told from {self.delta:g}; {self._wanted(blocks, level)}"
        )
        return _Judgement(Finding.UNDECIDED, text, upper, confidence)

    def _wanted(self, blocks: Mapping[str, Json], level: float) -> str:
        runs = sum(block["runs"] for block in blocks.values())
        violations = sum(block["violations"] for block in blocks.values())
        needed = statistics.runs_needed_at_rate(self.delta, level, violations / runs)
        if needed is None:
            return "at this rate no number of runs would support the claim"
        return f"about {max(needed - runs, 1)} more runs would decide it at this rate"


@dataclass(frozen=True)
class Expectation(_Sampled):
    r"""Test :math:`\mathbb E[\mathrm{lhs}] \le \mathrm{rhs}` (or :math:`\ge`, :math:`=`) on every listed instance.

    The statement is called as that of `MonteCarlo` and returns a `Sample` with its ``support``. A right side that
    differs between runs is compared through the difference of both sides, of which ``support`` is then the range.

    Parameters
    ----------
    instances, runs, alpha, block
        As for `MonteCarlo`.
    resolution
        For ``==``: the largest distance of the limits from the right side at which the claim counts as supported.
    """

    resolution: float | None = None

    name: ClassVar[str] = "expectation"

    def _record(self, sample: Sample, unit: str) -> dict[str, Json]:
        lhs, rhs = sample.sides
        if sample.support is None:
            raise SampleError(f"{unit}: an expectation needs the range of the left side (support)")
        if sample.relation == "==" and self.resolution is None:
            raise SampleError(f"{unit}: an equality of expectations needs a resolution")
        constant = bool((rhs == rhs[0]).all())
        values, target = (lhs, float(rhs[0])) if constant else (lhs - rhs, 0.0)
        low, high = sample.support
        outside = (values < low) | (values > high)
        if outside.any():
            first = int(np.argmax(outside))
            raise SampleError(f"{unit}: run {first} gives {values[first]}, outside the support [{low:g}, {high:g}]")
        mean = float(values.mean())
        record = super()._record(sample, unit)
        witness = {**_run_witness(sample, 0, unit), "lhs": mean, "rhs": target, "runs": len(values)}
        return {
            **record,
            "ratio": Comparison(mean, target, sample.relation).ratio,
            "witness": witness,
            "values": base64.b64encode(values.tobytes()).decode(),
            "relation": sample.relation,
            "target": target,
            "support": [float(low), float(high)],
        }

    def settles(self, result: Json) -> bool:
        """Return whether a block refutes the claim at its share of the level."""
        return "skipped" not in result and self._refutes(result)

    def _refutes(self, block: Json) -> bool:
        return self._excluded([block], self.alpha / (2 * block["units"]))

    def _excluded(self, blocks: Sequence[Json], level: float) -> bool:
        """Return whether the blocks, all that were planned of them, show the relation to be false at a level."""
        relation, (low, high) = blocks[0]["relation"], blocks[0]["support"]
        each = level / 2 if relation == "==" else level
        above, below = statistics.mean_excluded(_values(blocks), each, low, high, blocks[0]["target"])
        return (above and relation != ">=") or (below and relation != "<=")

    def _limits(self, blocks: Sequence[Json], level: float, horizon: int) -> tuple[float, float]:
        values = _values(blocks)
        low, high = blocks[0]["support"]
        each = level / 2 if blocks[0]["relation"] == "==" else level
        return statistics.mean_sequence(values, each, low, high, horizon)

    def _judge(self, blocks: Mapping[str, Json], complete: bool) -> _Judgement:
        stored = list(blocks.values())
        first = stored[0]
        for key in ("target", "support", "relation"):
            if any(block[key] != first[key] for block in stored):
                raise SampleError(f"{first['instance']}: {key} differs between blocks")
        level = self.alpha / first["m"]
        lower, upper = self._limits(stored, level, first["planned"])
        target, relation = first["target"], cast(Relation, first["relation"])
        runs = sum(block["runs"] for block in stored)
        confidence = Confidence(runs, level, lower, upper, target)
        text = (
            f"mean of {runs} runs in [{lower:.6g}, {upper:.6g}] at level {level:.3g}, claimed {relation} {target:.6g}"
        )
        single = next((block for block in stored if self._refutes(block)), None)
        width = upper - lower
        if single is not None or (complete and self._excluded(stored, level / 2)):
            witness = (single or max(stored, key=_mean_excess))["witness"]
            return _Judgement(Finding.VIOLATION, f"{text}: refuted", width, confidence, witness)
        if complete and self._supported(lower, upper, target, relation):
            return _Judgement(Finding.NO_VIOLATION, text, width, confidence)
        mean = float(np.mean([block["witness"]["lhs"] for block in stored]))
        return _Judgement(Finding.UNDECIDED, f"{text}: {_more_runs(runs, mean, width, target)}", width, confidence)

    def _supported(self, lower: float, upper: float, target: float, relation: Relation) -> bool:
        if relation == "==":
            resolution = self.resolution or 0.0
            return target - resolution <= lower and upper <= target + resolution
        return upper <= target if relation == "<=" else lower >= target


def _values(blocks: Sequence[Json]) -> FloatArray:
    return np.concatenate([np.frombuffer(base64.b64decode(block["values"])) for block in blocks])


def _mean_excess(block: Json) -> float:
    gap = block["witness"]["lhs"] - block["target"]
    return {"<=": gap, ">=": -gap, "==": abs(gap)}[block["relation"]]


def _more_runs(runs: int, mean: float, width: float, target: float) -> str:
    """Say how many runs would tell the mean from the target if the limits shrink with the root of their number."""
    distance = abs(mean - target)
    if distance == 0.0:
        return "undecided, and the mean is at the claimed value: no number of runs would tell"
    return f"undecided; about {max(int(runs * (width / (2 * distance)) ** 2) - runs, runs)} more runs are needed"


def _run_witness(sample: Sample, run: int, unit: str) -> Json:
    comparison = sample.comparison(run, sample.where)
    return {
        "unit": unit,
        "run": run,
        "where": sample.where,
        "lhs": comparison.lhs,
        "relation": comparison.relation,
        "rhs": comparison.rhs,
    }


def _vacuous_text(first: int | None) -> str:
    return "the bound is vacuous" + (f" until {first}" if first is not None else ", wherever it was looked at")


def _reasons(skipped: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
