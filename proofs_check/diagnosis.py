"""Examination of an installation for ``boundcheck doctor``: is it in one piece."""

import importlib
import os
import shutil
import sys
from importlib import metadata
from pathlib import Path

from proofs_check import threads
from proofs_check.runner import versions

PACKAGES = ("theory", "mdps", "solvers", "proofs_check")
SOLVERS = ("HIGHS", "CLARABEL")
OPTIONAL = {"gymnasium": "gym", "torch": "torch", "distributed": "dask"}


def package_folders() -> dict[str, Path]:
    """Return the folder that each of the four packages was imported from."""
    folders = {}
    for name in PACKAGES:
        file = importlib.import_module(name).__file__
        folders[name] = Path(str(file)).resolve().parent
    return folders


def examine() -> tuple[list[str], bool]:
    """Return a readable report and whether everything needed is there and belongs together."""
    folders = package_folders()
    lines = [f"{name:<13} {folder}" for name, folder in folders.items()]
    problems = []
    if len({folder.parent for folder in folders.values()}) > 1:
        problems.append("the four packages do not share a parent: another package of the same name shadows one")
    lines += [f"{name:<13} {version}" for name, version in versions().items()]
    lines += [_optional(name, extra) for name, extra in OPTIONAL.items()]
    missing = [solver for solver in SOLVERS if solver not in _installed_solvers()]
    lines.append(f"solvers       {', '.join(s for s in SOLVERS if s not in missing)}; {_coq()}")
    problems += [f"solver {solver} is missing" for solver in missing]
    cores = os.cpu_count() or 1
    setting = ", ".join(f"{name}={os.environ.get(name, 'unset')}" for name in threads.VARIABLES)
    lines.append(f"threads       {cores} cores; {setting}")
    lines.append(f"kernels       {_cache_folder()}")
    lines += [f"PROBLEM       {problem}" for problem in problems]
    lines.append("all is well" if not problems else f"{len(problems)} problems; python is {sys.executable}")
    return lines, not problems


def _optional(name: str, extra: str) -> str:
    try:
        return f"{name:<13} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"{name:<13} not installed (extra: pip install 'boundcheck[{extra}]')"


def _installed_solvers() -> list[str]:
    import cvxpy

    return list(cvxpy.installed_solvers())


def _coq() -> str:
    return "coqc found" if shutil.which("coqc") else "no coqc (optional, for recheck --kernel)"


def _cache_folder() -> str:
    from mdps import jit

    return str(jit.CACHE_DIR)
