"""Scheduling, the ledger and its resumption, and independence of workers."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import user_module

from proofs_check import api, registry, runner
from proofs_check.evidence import dumps
from proofs_check.ledger import Ledger, LedgerError
from proofs_check.render import json_report
from proofs_check.runner import CheckError, Run, Settings, Task, seed_of

USER = str(Path(user_module.__file__))
SETTINGS = Settings(modules=(USER,))


def run(ledger, settings=SETTINGS, selectors=("user",)):
    claims = registry.load(settings.modules).catalogue.select(*selectors)
    with Ledger(ledger) as store:
        this = Run(claims, settings, store, None)
        return this.verdicts(), this.counts


def test_every_fate_of_a_claim(tmp_path):
    verdicts, _ = run(tmp_path / "l.sqlite")
    assert {v.claim.id: str(v.level) for v in verdicts} == {
        "user.true": "CERTIFIED",
        "user.false": "REFUTED",
        "user.powerless": "POWERLESS",
    }


def test_a_second_run_computes_nothing(tmp_path):
    first, counts = run(tmp_path / "l.sqlite")
    again, recounts = run(tmp_path / "l.sqlite")
    assert counts.computed > 0
    assert recounts.computed == 0
    assert recounts.reused == counts.computed
    assert [v.to_json() for v in first] == [v.to_json() for v in again]


def test_a_figure_is_one_more_unit_of_the_claim_and_of_no_mutant(tmp_path):
    text = (
        Path(USER)
        .read_text()
        .replace("square, (MUTANT,)),", "square, (MUTANT,), figure=lambda tier: {'kind': 'curves', 'tier': tier}),", 1)
    )
    module = tmp_path / "illustrated.py"
    module.write_text(text)
    bare, plain = run(tmp_path / "plain.sqlite", selectors=("user.true",))
    verdicts, counts = run(tmp_path / "l.sqlite", Settings(modules=(str(module),)), ("user.true",))
    assert counts.computed == plain.computed + 1
    assert verdicts[0].outcomes[0].evidence.plot == {"kind": "curves", "tier": "quick"}
    assert bare[0].outcomes[0].evidence.plot is None
    assert verdicts[0].to_json() == bare[0].to_json()


def test_workers_and_their_order_do_not_matter():
    reports = []
    for jobs in (1, 2):
        settings = Settings(modules=(USER,), jobs=jobs)
        reports.append(dumps(json_report(api.verify_all("user", settings=settings), SETTINGS)))
    assert reports[0] == reports[1]


def test_cold_workers_get_a_family_each_and_no_task_is_lost(monkeypatch):
    tasks = [
        Task(f"{family}.{claim}", "exact", variant, "all", index)
        for family in ("small", "large")
        for claim in ("first", "second")[: 1 + (family == "large")]
        for variant in ("", "mutant")
        for index in range(2)
    ]
    batches = runner._by_family(tasks)
    assert [{task.claim.split(".")[0] for task in batch} for batch in batches[:2]] == [{"large"}, {"small"}]
    assert sorted(map(str, tasks)) == sorted(str(task) for batch in batches for task in batch)
    warm = api.verify_all("user", settings=Settings(modules=(USER,), jobs=2))
    monkeypatch.setattr("mdps.jit.is_cold", lambda: True)
    cold = api.verify_all("user", settings=Settings(modules=(USER,), jobs=2))
    assert dumps(json_report(warm, SETTINGS)) == dumps(json_report(cold, SETTINGS))


def test_another_seed_or_tier_is_another_row(tmp_path):
    _, first = run(tmp_path / "l.sqlite")
    _, other = run(tmp_path / "l.sqlite", Settings(modules=(USER,), seed=1))
    assert other.computed == first.computed


def test_seeds_differ_between_units_and_checks_and_not_between_mutants():

    def state(*key):
        return tuple(seed_of(*key).generate_state(4))

    assert state(0, "p.c", "m", 0) == state(0, "p.c", "m", 0)
    different = {state(0, "p.c", "m", 0), state(1, "p.c", "m", 0), state(0, "p.d", "m", 0), state(0, "p.c", "m", 1)}
    assert len(different) == 4


def test_a_budget_that_is_spent_leaves_claims_inconclusive():
    verdicts = api.verify_all("user", settings=Settings(modules=(USER,), budget=1e-9))
    assert {str(v.level) for v in verdicts} == {"INCONCLUSIVE"}
    assert "budget" in verdicts[0].reason


def test_damage_is_detected_and_said(tmp_path):
    path = tmp_path / "l.sqlite"
    run(path)
    content = path.read_bytes()
    path.write_bytes(b"garbage" + content[7:])
    with pytest.raises(LedgerError, match="damaged"):
        Ledger(path)


def test_an_altered_result_is_detected(tmp_path):
    path = tmp_path / "l.sqlite"
    run(path)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE units SET payload = replace(payload, '1', '2')")
    with pytest.raises(LedgerError, match="was altered"):
        run(path)


def test_altered_evidence_and_changed_sources_are_flagged(tmp_path):
    path = tmp_path / "l.sqlite"
    run(path)
    assert all(problem is None for _, problem in api.recheck(path, (USER,)))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE evidence SET payload = replace(payload, 'CERT', 'CERT ') WHERE claim = 'user.true'")
        db.execute("UPDATE evidence SET payload = replace(payload, 'x', 'y') WHERE claim = 'user.true'")
    problems = [problem for label, problem in api.recheck(path, (USER,)) if label.startswith("user.true")]
    assert problems
    assert all("altered" in problem for problem in problems)
    moved = tmp_path / "user_module.py"
    moved.write_text(Path(USER).read_text() + "\n# another line\n")
    problems = [problem for label, problem in api.recheck(path, (str(moved),)) if label.startswith("user.false")]
    assert all("sources have changed" in problem for problem in problems)


def test_a_check_that_breaks_is_named_and_nothing_is_lost(tmp_path):
    module = tmp_path / "broken.py"
    module.write_text(
        Path(USER).read_text()
        + textwrap.dedent(
            """
            CLAIMS = (*CLAIMS, claim("zz_breaks"))
            CHECKS = (*CHECKS, Check("user.zz_breaks", Exact(INSTANCES), lambda x: 1 / 0, (MUTANT,)))
            """
        )
    )
    with pytest.raises(CheckError, match=r"user\.zz_breaks / exact / x=-3/7: ZeroDivisionError"):
        run(tmp_path / "l.sqlite", Settings(modules=(str(module),)))
    with Ledger(tmp_path / "l.sqlite") as store:
        assert store.n_units() > 0


SLOW = """
import time

CLAIMS = (claim("slow"),)


def slow(x, least=0):
    with open({log!r}, "a") as log:
        log.write(f"{{x}} {{least}}\\n")
    time.sleep(0.25)
    return square(x, least)


CHECKS = (Check("user.slow", Exact(INSTANCES), slow, (MUTANT,)),)
"""


def test_a_killed_run_resumes_and_computes_nothing_twice(tmp_path):
    module, log, ledger = tmp_path / "slow.py", tmp_path / "log", tmp_path / "l.sqlite"
    module.write_text(Path(USER).read_text() + SLOW.format(log=str(log)))
    command = [sys.executable, "-m", "proofs_check.cli", "verify", "user.slow", "--jobs", "1"]
    command += ["--module", str(module), "--ledger", str(ledger)]
    env = dict(os.environ, PYTHONPATH=str(Path(user_module.__file__).parent))
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (log.exists() and len(log.read_text().splitlines()) >= 3) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with Ledger(ledger) as store:
        stored = store.n_units()
    assert stored >= 2
    started = len(log.read_text().splitlines())
    assert subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0
    lines = [line for line in log.read_text().splitlines() if line.endswith(" 0")]  # a violation is evaluated twice
    assert len(lines) - len(set(lines)) == started - stored <= 1
