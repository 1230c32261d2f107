"""The map over worker processes: forks, joblib, and what both promise."""

import contextlib
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import joblib
import pytest

from proofs_check import workers
from proofs_check.workers import Pool


def square(number):
    if number < 0:
        raise ValueError("negative")
    return number * number, os.getpid()


@pytest.fixture(params=["forked", "joblib"])
def way(request, monkeypatch):
    monkeypatch.setattr(workers, "_may_fork", lambda: request.param == "forked")


@pytest.mark.usefixtures("way")
def test_every_item_is_mapped_once_in_other_processes():
    with contextlib.closing(Pool(2)) as pool:
        for start in (0, 100):
            results = list(pool.unordered(square, range(start, start + 20)))
            assert sorted(value for value, _ in results) == [n * n for n in range(start, start + 20)]
            assert os.getpid() not in {place for _, place in results}


@pytest.mark.usefixtures("way")
def test_an_error_reaches_the_caller():
    with contextlib.closing(Pool(2)) as pool, pytest.raises(ValueError, match="negative"):
        list(pool.unordered(square, [1, -1, 2]))


def test_items_are_taken_as_they_are_needed(monkeypatch):
    monkeypatch.setattr(workers, "_may_fork", lambda: True)
    taken = []

    def items():
        for number in itertools.count():
            taken.append(number)
            yield number

    with contextlib.closing(Pool(2)) as pool:
        results = pool.unordered(square, items())
        for _ in range(3):
            next(results)
        assert 3 <= len(taken) <= 3 + 2 * workers.AHEAD * 2


def test_one_job_stays_in_this_process():
    assert list(Pool(1).unordered(square, [3])) == [(9, os.getpid())]


def test_a_backend_that_the_caller_chose_does_the_work():
    with joblib.parallel_config(backend="threading"), contextlib.closing(Pool(2)) as pool:
        assert {place for _, place in pool.unordered(square, range(4))} == {os.getpid()}


def test_no_fork_after_kernels_have_started_threads(monkeypatch):
    monkeypatch.setattr(workers.numba, "threading_layer", lambda: "omp")
    assert not workers._may_fork()


class Growing:
    """Items that may be added to while they are read."""

    def __init__(self, *items):
        self.items = list(items)

    def __iter__(self):
        return self

    def __next__(self):
        if not self.items:
            raise StopIteration
        return self.items.pop()


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_may_add_items(jobs, monkeypatch):
    monkeypatch.setattr(workers, "_may_fork", lambda: True)
    items = Growing(1, 2)
    seen = []
    with contextlib.closing(Pool(jobs)) as pool:
        for value, _ in pool.unordered(square, items):
            seen.append(value)
            items.items += [10 + len(seen)] * (len(seen) <= 8)
    assert len(seen) == 10


SLEEPERS = """
import os, time
from proofs_check.workers import Pool

def sleep(_):
    print(os.getpid(), flush=True)
    time.sleep(600)

list(Pool(2).unordered(sleep, range(2)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no forks here")
def test_no_worker_outlives_a_killed_verifier():
    with subprocess.Popen([sys.executable, "-c", SLEEPERS], stdout=subprocess.PIPE, text=True) as verifier:
        pids = {int(verifier.stdout.readline()) for _ in range(2)}
        verifier.kill()
    deadline = time.monotonic() + 60.0
    while pids := {pid for pid in pids if Path(f"/proc/{pid}").exists()}:
        assert time.monotonic() < deadline, "a worker is left"
        time.sleep(0.05)
