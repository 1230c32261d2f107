"""The command line as a user meets it: exit status, one-line errors, JSON, and the template of a new claim."""

import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import user_module
from typer.testing import CliRunner

from proofs_check import cli

USER = str(Path(user_module.__file__))


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def boundcheck(*arguments, cwd):
    """Run a command in this process, as `main` does, from another folder."""
    with contextlib.chdir(cwd):
        result = CliRunner().invoke(cli.app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


def verify(*arguments, cwd):
    return boundcheck("verify", *arguments, "--jobs", "1", cwd=cwd)


def test_a_false_claim_is_refuted_with_a_witness(tmp_path):
    done = verify("user.false", "--module", USER, "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    (verdict,) = json.loads(done.stdout)["verdicts"]
    assert verdict["verdict"] == "REFUTED"
    assert verdict["witness"]["instance"] == "x=0/7"


SEARCHED = """
import hypothesis.strategies as st

from proofs_check import Check, Comparison, Mutant
from proofs_check.methods.search import Search
from theory import Claim, Kind, Level, Origin, Paper, Source

PAPER = Paper("user_2026", "A user's paper", ("User",), 2026, "preprint", arxiv="2601.00001")
CLAIMS = (
    Claim("user.searched", "t", "x", Kind.INEQUALITY, Source(Origin.DERIVED, PAPER), Level.SUPPORTED, no_bound="-"),
)
CHECKS = (
    Check(
        "user.searched",
        Search(lambda: st.integers(0, 10_000)),
        lambda x, limit=99: Comparison(x, limit),
        (Mutant("smaller", "50 instead of 99", {"limit": 50}),),
    ),
)
"""


def test_the_witness_of_a_search_is_shrunk(tmp_path):
    (tmp_path / "searched.py").write_text(SEARCHED)
    done = verify("user", "--module", "searched.py", "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    (verdict,) = json.loads(done.stdout)["verdicts"]
    assert verdict["verdict"] == "REFUTED"
    assert verdict["witness"]["lhs"] == 100


def test_a_check_that_cannot_fail_is_powerless(tmp_path):
    done = verify("user.powerless", "--module", USER, cwd=tmp_path)
    assert done.returncode == 1
    assert "POWERLESS" in done.stdout
    assert "positive survived" in done.stdout


def test_a_true_claim_passes_and_prints_a_table(tmp_path):
    done = verify("user.true", "--module", USER, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "CERTIFIED" in done.stdout
    assert "Mutants killed: 1/1. all as expected." in done.stdout


BAD_MODEL = """
from mdps.tabular import FiniteHorizonMDP

MODEL = FiniteHorizonMDP([[[0.5, 0.498]], [[1.0, 0.0]]], [[0.0], [0.0]], 3)
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("verify", "nothing.here"), "no claim, family or paper is called nothing.here"),
        (("verify", "--tier", "slow"), "tier is 'slow', not one of quick, full, soak"),
        (("verify", "--budget", "-1"), "budget is -1 seconds, not positive"),
        (("verify", "--module", "missing.py"), "missing.py: no such file"),
        (
            ("verify", "--module", "bad.py"),
            "bad.py:4: InvalidModelError: transitions[h=0, s=0, a=0] sums to 0.998, not 1",
        ),
        (("recheck",), ".boundcheck/ledger.sqlite: no such ledger; run `boundcheck verify` first"),
        (("search", "value_difference.extended"), "value_difference.extended has no search check"),
        (("new", "My-Paper"), "'My-Paper' is not a lower-case Python name"),
        (("bench", "nothing"), "no benchmark is called nothing"),
    ],
)
def test_unusable_input_is_one_line_and_status_two(arguments, message, tmp_path):
    (tmp_path / "bad.py").write_text(BAD_MODEL)
    done = boundcheck(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert message in line


def test_a_damaged_ledger_is_said(tmp_path):
    ledger = tmp_path / "l.sqlite"
    ledger.write_bytes(b"not a database at all, but long enough to have a header" * 20)
    done = verify("user.true", "--module", USER, "--ledger", str(ledger), cwd=tmp_path)
    assert done.returncode == 2
    assert "is damaged" in done.stderr


def test_a_new_claim_works_as_written_and_is_short(tmp_path):
    done = boundcheck("new", "my_paper", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "my_paper.py").read_text().splitlines()) <= 40
    done = verify("my_paper", "--module", "my_paper.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUPPORTED" in done.stdout
    assert boundcheck("new", "my_paper", cwd=tmp_path).returncode == 2


def test_json_is_the_documented_object_and_byte_identical(tmp_path):
    runs = [
        boundcheck(
            "verify", "user", "--module", USER, "--json", "--jobs", jobs, "--ledger", ledger, cwd=tmp_path
        ).stdout
        for jobs, ledger in (("1", "a.sqlite"), ("2", "b.sqlite"), ("1", "b.sqlite"))
    ]
    assert runs[0] == runs[1] == runs[2]
    report = json.loads(runs[0])
    assert report["schema"] == 1
    assert set(report["summary"]) == {"claims", "levels", "mutants", "failed", "ok"}
    expected = {
        "claim",
        "paper",
        "verdict",
        "expected",
        "ok",
        "method",
        "tightness",
        "mutants",
        "nonvacuous_from",
        "origin",
    }
    for verdict in report["verdicts"]:
        assert expected <= set(verdict)
        assert verdict["mutants"]["total"] == len(verdict["mutants"]["outcomes"])


def test_search_finds_the_counter_example(tmp_path):
    (tmp_path / "searched.py").write_text(SEARCHED)
    done = boundcheck("search", "user.searched", "--module", "searched.py", "--budget", "5", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert '"lhs":100' in done.stdout


def test_doctor_and_list_and_show(tmp_path):
    done = boundcheck("doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "all is well" in done.stdout
    assert "HIGHS, CLARABEL" in done.stdout
    assert "user.true" in boundcheck("list", "user", "--module", USER, cwd=tmp_path).stdout
    shown = boundcheck("show", "user.true", "--module", USER, "--jobs", "1", cwd=tmp_path)
    assert shown.returncode == 0
    assert "killed" in shown.stdout


def test_recheck_verifies_what_was_stored(tmp_path):
    verify("user", "--module", USER, cwd=tmp_path)
    done = boundcheck("recheck", "--module", USER, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "5 of 5 pieces of evidence stand" in done.stdout


def test_packages_that_do_not_share_a_parent_are_unhealthy(monkeypatch):
    from proofs_check import diagnosis

    folders = diagnosis.package_folders()
    assert len({folder.parent for folder in folders.values()}) == 1
    monkeypatch.setattr(diagnosis, "package_folders", lambda: {**folders, "mdps": Path("/elsewhere/mdps")})
    lines, healthy = diagnosis.examine()
    assert not healthy
    assert any("do not share a parent" in line for line in lines)


def test_help_imports_nothing_heavy(tmp_path):
    code = (
        "import sys; from typer.testing import CliRunner; from proofs_check import cli; "
        "assert CliRunner().invoke(cli.app, ['--help']).exit_code == 0; "
        "heavy = {'numpy', 'sympy', 'numba', 'scipy', 'cvxpy', 'matplotlib', 'hypothesis'} & set(sys.modules); "
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
