"""A map over worker processes that yields results as they come.

Where it is safe, workers are forks of this process, so that what is imported here is not imported again: on Linux, as
long as this process has started no threads for kernels and no backend of joblib has been configured. They start with
the first item and stay until the pool is closed. Otherwise joblib does the work: with its own processes, or, inside
``joblib.parallel_config``, with the backend that was chosen, such as dask on several machines.
"""

import itertools
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any, TypeVar

import numba

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 2
"""Items handed out per worker before their results are asked for: an iterable of items is consumed lazily."""


class Pool:
    """Worker processes.

    Parameters
    ----------
    jobs
        Number of processes; with one, everything is done in this one.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._executor: ProcessPoolExecutor | None = None

    def close(self) -> None:
        """End the workers; what was handed out and is not yet begun is dropped."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None

    def unordered(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield ``function(item)`` for all items, in the order in which the work is done.

        Forks, and one process, go on if a result makes ``items`` yield more; joblib may leave these to another call.
        """
        if self.jobs == 1:
            return map(function, items)
        if self._executor is None and _may_fork():
            forked = multiprocessing.get_context("fork")
            self._executor = ProcessPoolExecutor(self.jobs, mp_context=forked, initializer=_prepare)
        if self._executor is None:
            return _by_joblib(function, items, self.jobs)
        return _by_executor(self._executor, function, iter(items), AHEAD * self.jobs)


def _by_executor(
    executor: ProcessPoolExecutor, function: Callable[[Item], Result], items: Iterator[Item], ahead: int
) -> Iterator[Result]:
    def hand_out(count: int) -> set[Future[Result]]:
        return {executor.submit(function, item) for item in itertools.islice(items, count)}

    pending = hand_out(ahead)
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)
        pending |= hand_out(ahead - len(pending))


def _by_joblib(function: Callable[[Item], Result], items: Iterable[Item], jobs: int) -> Iterator[Result]:
    import joblib

    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
    results: Iterator[Result] = parallel(joblib.delayed(function)(item) for item in items)
    return results


def _may_fork() -> bool:
    if sys.platform != "linux" or _is_configured():
        return False
    try:
        numba.threading_layer()  # threads of kernels, which a fork would lose
    except ValueError:
        return True
    return False


def _is_configured() -> bool:
    """Whether the caller has chosen a backend of joblib."""
    joblib: Any = sys.modules.get("joblib")
    if joblib is None:
        return False
    backend, _ = joblib.parallel.get_active_backend()
    return not isinstance(backend, joblib.parallel.BACKENDS[joblib.parallel.DEFAULT_BACKEND])


def _prepare() -> None:
    """Let an interrupt end a worker without a trace, and let no worker outlive the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
