"""From selected claims to verdicts: schedule the units of work, store every result, fold, judge.

Every missing unit of the claims themselves is queued at once, and of each mutant the next unit that is still needed: a
mutant stops at the first unit that refutes it. Which units count therefore never depends on the number of workers or
on their order.
"""

import contextlib
import functools
import gc
import hashlib
import itertools
import json
import platform
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import metadata

import numpy as np

from mdps import jit
from proofs_check import registry
from proofs_check.engine import Check, CheckOutcome, Mutant, MutantOutcome, Verdict, judge
from proofs_check.evidence import Evidence, Json, dumps
from proofs_check.ledger import Ledger
from proofs_check.methods.base import Context, Tier
from proofs_check.workers import Pool
from theory.claim import Claim

VERSIONED = (
    "numpy",
    "scipy",
    "numba",
    "sympy",
    "python-flint",
    "cvxpy",
    "clarabel",
    "highspy",
    "z3-solver",
    "hypothesis",
)
"""Distributions that a result may depend on."""

STATEMENT = ""
"""Name of the variant that is the claim itself."""

FIGURE = "(figure)"
"""Name of the unit that makes the figure of a check."""


class CheckError(RuntimeError):
    """A check failed to run (as opposed to finding something); the message is one line."""


@dataclass(frozen=True)
class Settings:
    """What a run of the verifier depends on besides the sources."""

    tier: Tier = Tier.QUICK
    seed: int = 0
    jobs: int = 1
    modules: tuple[str, ...] = ()
    budget: float | None = None


@dataclass(frozen=True)
class Task:
    """Name of one unit of work; enough to find and run it in another process."""

    claim: str
    check: str
    variant: str
    unit: str
    index: int

    @property
    def label(self) -> str:
        """Readable name."""
        mutant = f" / {self.variant}" if self.variant else ""
        return f"{self.claim} / {self.check}{mutant} / {self.unit}"


@dataclass
class Counts:
    """How many units a run needed, and where they came from."""

    computed: int = 0
    reused: int = 0


Progress = Callable[[Task, int, int], None]
"""Called after each unit with the task, the units done and the units known to be needed."""


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a result may depend on."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in VERSIONED}}


def seed_of(root: int, claim: str, check: str, index: int) -> np.random.SeedSequence:
    """Return the seed sequence of a unit: the same for a claim and its mutants, independent across units."""
    digest = hashlib.sha256(f"{claim}\0{check}".encode()).digest()
    words = [int.from_bytes(digest[i : i + 4], "little") for i in range(0, 16, 4)]
    return np.random.SeedSequence([root, *words], spawn_key=(index,))


def run_task(task: Task, settings: Settings) -> tuple[Task, str | None, str]:
    """Run one unit of work; return its result as JSON text, or None and a one-line error."""
    loaded = _loaded(settings.modules)
    check = loaded.check(task.claim, task.check)
    mutant = _mutant(check, task.variant)
    claim = loaded.catalogue[task.claim]
    dropped = () if mutant is None else mutant.drop
    context = Context(
        settings.tier,
        seed_of(settings.seed, task.claim, task.check, task.index),
        tuple(assumption for assumption in claim.assumptions if assumption.key not in dropped),
    )
    try:
        if task.unit == FIGURE and check.figure is not None:
            return task, dumps(check.figure(settings.tier)), ""
        return task, dumps(check.method.run(check.statement_of(mutant), task.unit, context)), ""
    except Exception as error:
        message = " ".join(str(error).split())
        return task, None, f"{task.label}: {type(error).__name__}: {message}"


def _loaded(modules: tuple[str, ...]) -> registry.Registry:
    loaded = registry.load(modules)
    _exempt_imports()
    return loaded


@functools.cache
def _exempt_imports() -> None:
    """Exempt all that was imported from garbage collection, which would look at it in vain."""
    gc.collect()
    gc.freeze()


def _mutant(check: Check, variant: str) -> Mutant | None:
    return next((mutant for mutant in check.mutants if mutant.name == variant), None)


class Run:
    """One run of the verifier over the checks of some claims."""

    def __init__(self, claims: Sequence[Claim], settings: Settings, ledger: Ledger, progress: Progress | None) -> None:
        self.claims = claims
        self.settings = settings
        self.ledger = ledger
        self.progress = progress
        self.counts = Counts()
        self.sources = registry.source_digest(settings.modules)
        self._versions = versions()
        self._loaded = registry.load(settings.modules)
        self._results: dict[Task, Json] = {}
        self._deadline = None if settings.budget is None else time.monotonic() + settings.budget

    def verdicts(self) -> list[Verdict]:
        """Do the work and judge every claim.

        Raises
        ------
        CheckError
            If a unit failed to run; the results of the others are in the ledger.
        """
        _exempt_imports()
        with contextlib.closing(Pool(self.settings.jobs)) as pool:
            self._work(pool)
        return [self._judge(claim) for claim in self.claims]

    def _work(self, pool: Pool) -> None:
        """Do what is missing; the next unit of a mutant joins the queue when the one before has not refuted it."""
        run = functools.partial(_run_tasks, settings=self.settings)
        while pending := self._recall(self._needed()):
            queue = _Queue(deque(self._batches(pending)), self._out_of_time)
            unfinished = len(pending)
            for task, payload, error in itertools.chain.from_iterable(pool.unordered(run, queue)):
                if payload is None:
                    raise CheckError(error)
                self.ledger.put_unit(self._key(task), task.claim, task.label, payload)
                self._results[task] = json.loads(payload)
                self.counts.computed += 1
                following = self._following(task)
                queue.batches.extend([task] for task in following)
                unfinished += len(following) - 1
                if self.progress is not None:
                    self.progress(task, len(self._results), len(self._results) + unfinished)
            if self._out_of_time():
                break

    def _batches(self, tasks: list[Task]) -> list[list[Task]]:
        cold = self.settings.jobs > 1 and self.settings.budget is None and jit.is_cold()
        return _by_family(tasks) if cold else [[task] for task in tasks]

    def _following(self, task: Task) -> list[Task]:
        """Return the unit that must follow one of a mutant."""
        check = self._loaded.check(task.claim, task.check)
        mutant = _mutant(check, task.variant)
        if mutant is None:
            return []
        while (missing := self._missing(check, mutant)) and self._take(missing[0]):
            pass
        return missing[:1]

    def _checks(self, claim: Claim) -> list[Check]:
        tiers = list(Tier)
        reach = tiers.index(self.settings.tier)
        return [check for check in self._loaded.checks[claim.id] if tiers.index(check.tier) <= reach]

    def _tasks(self, check: Check, mutant: Mutant | None) -> list[Task]:
        variant = STATEMENT if mutant is None else mutant.name
        units = check.method.units(self.settings.tier)
        if mutant is None and check.figure is not None:
            units += (FIGURE,)
        return [Task(check.claim, check.name, variant, unit, index) for index, unit in enumerate(units)]

    def _needed(self) -> list[Task]:
        """Return the missing units of this round."""
        needed: list[Task] = []
        for claim in self.claims:
            for check in self._checks(claim):
                for mutant in check.variants(self.settings.tier):
                    missing = self._missing(check, mutant)
                    needed += missing if mutant is None else missing[:1]
        return _interleaved(needed)

    def _missing(self, check: Check, mutant: Mutant | None) -> list[Task]:
        tasks = self._tasks(check, mutant)
        if mutant is not None and any(
            task in self._results and check.method.settles(self._results[task]) for task in tasks
        ):
            return []
        return [task for task in tasks if task not in self._results]

    def _recall(self, tasks: list[Task]) -> list[Task]:
        """Take what the ledger has; return the rest, or what follows if nothing is left."""
        pending = [task for task in tasks if not self._take(task)]
        return pending if pending or not tasks else self._recall(self._needed())

    def _take(self, task: Task) -> bool:
        """Take the result of a unit from the ledger, if it is there."""
        payload = self.ledger.unit(self._key(task))
        if payload is None:
            return False
        self._results[task] = json.loads(payload)
        self.counts.reused += 1
        return True

    def _key(self, task: Task) -> str:
        inputs = [task.claim, task.check, task.variant, task.unit, task.index]
        settings = [self.settings.tier, self.settings.seed]
        return hashlib.sha256(dumps([inputs, settings, self.sources, self._versions]).encode()).hexdigest()

    def _out_of_time(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def _judge(self, claim: Claim) -> Verdict:
        outcomes: list[CheckOutcome] = []
        missing = 0
        for check in self._checks(claim):
            variants = check.variants(self.settings.tier)
            missing += sum(len(self._missing(check, mutant)) for mutant in variants)
            if not any(self._missing(check, mutant) for mutant in variants):
                evidence = self._fold(check, None)
                refused = check.mutants_at(self.settings.tier)
                mutants = tuple(MutantOutcome.of(mutant, self._fold(check, mutant)) for mutant in refused)
                outcomes.append(CheckOutcome(check.name, evidence, mutants, check.part))
        unfinished = f"{missing} units of work did not fit into the budget" if missing else ""
        return judge(claim, outcomes, self.settings.tier, self.settings.seed, unfinished)

    def _fold(self, check: Check, mutant: Mutant | None) -> Evidence:
        """Fold the results of a variant, up to the first one that settles it if it is a mutant."""
        results: dict[str, Json] = {}
        for task in self._tasks(check, mutant):
            results[task.unit] = self._results[task]
            if mutant is not None and check.method.settles(self._results[task]):
                break
        figure = results.pop(FIGURE, None)
        evidence = check.method.fold(results)
        if figure is not None:
            evidence = replace(evidence, plot=figure)
        variant = STATEMENT if mutant is None else mutant.name
        settings = self.settings
        self.ledger.put_evidence(
            check.claim, check.name, variant, settings.tier, settings.seed, self.sources, evidence.to_json()
        )
        return evidence


def _interleaved(tasks: Sequence[Task]) -> list[Task]:
    """Take turns between families and then between checks, so that workers seldom compile the same kernel at once."""
    families: dict[str, list[Task]] = {}
    for task in sorted(tasks, key=lambda task: task.index):
        families.setdefault(task.claim.split(".")[0], []).append(task)
    return [task for turn in itertools.zip_longest(*families.values()) for task in turn if task is not None]


@dataclass
class _Queue(Iterator[list[Task]]):
    """Batches of tasks that can be added to while it is read; it ends when it is empty or when time is out."""

    batches: deque[list[Task]]
    stopped: Callable[[], bool]

    def __next__(self) -> list[Task]:
        if not self.batches or self.stopped():
            raise StopIteration
        return self.batches.popleft()


def _run_tasks(tasks: Sequence[Task], settings: Settings) -> list[tuple[Task, str | None, str]]:
    return [run_task(task, settings) for task in tasks]


def _by_family(tasks: Sequence[Task]) -> list[list[Task]]:
    """Return one batch a family with the first unit of each check, the largest first, and then all others one by one.

    Without compiled kernels two workers that meet in a family often compile the same ones at the same time.
    """
    first: dict[str, list[Task]] = {}
    for task in tasks:
        if task.index == 0 and task.variant == STATEMENT:
            first.setdefault(task.claim.split(".")[0], []).append(task)
    batches = sorted(first.values(), key=len, reverse=True)
    done = {task for batch in batches for task in batch}
    return [*batches, *([task] for task in tasks if task not in done)]
