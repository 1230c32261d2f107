"""The rules of the house: imports go downwards, the packages are typed, nothing large or foreign is in the tree."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("theory", "mdps", "solvers", "proofs_check")
BIN = Path(sys.executable).parent


def run(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", [("lint-imports",), ("ruff", "check", "."), ("ruff", "format", "--check", ".")])
def test_linters_are_content(command):
    if not (BIN / command[0]).exists():
        pytest.skip(f"{command[0]} is not installed")
    done = run(str(BIN / command[0]), *command[1:])
    assert done.returncode == 0, done.stdout + done.stderr


def test_packages_are_marked_as_typed_and_shipped_together():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == list(PACKAGES)
    for package in PACKAGES:
        assert (ROOT / package / "py.typed").exists()


def test_data_of_the_report_is_inside_its_package():
    report = ROOT / "proofs_check" / "report"
    assert {path.name for path in report.iterdir()} >= {"template.html.j2", "style.css", "script.js"}


def code_lines(function):
    """Return the number of lines of a function without its docstring."""
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    return function.end_lineno - function.lineno + 1 - (first.end_lineno - first.lineno + 1 if documented else 0)


def test_functions_are_short():
    long = []
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
            long += [f"{path.name}: {node.name}" for node in functions if code_lines(node) > 60]
    assert not long
