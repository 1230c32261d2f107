"""All checks by claim, shipped and from users' modules.

A module takes part by defining ``CHECKS``; a user's module may define ``CLAIMS`` too. Loading is deterministic, so
that a unit of work can be named by (claim, check, variant, unit) and found again in another process.
"""

import functools
import hashlib
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from proofs_check.engine import Check
from theory import catalogue
from theory.catalogue import Catalogue
from theory.claim import Claim, TheoryError


@dataclass(frozen=True)
class Registry:
    """The catalogue and the checks of each of its claims."""

    catalogue: Catalogue
    checks: dict[str, tuple[Check, ...]]

    def check(self, claim_id: str, name: str) -> Check:
        """Return a check by claim and name."""
        return next(check for check in self.checks[claim_id] if check.name == name)


class ModuleError(ValueError):
    """A user's module cannot be loaded; the message is one line."""


def load(modules: tuple[str, ...] = ()) -> Registry:
    """Return all shipped claims and checks and those of the given user files; a file that was edited is loaded again.

    Raises
    ------
    ModuleError, TheoryError
        If a file cannot be loaded, or claims and checks do not fit together.
    """
    paths = tuple(Path(module).resolve() for module in modules)
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise ModuleError(f"{missing[0]}: no such file")
    return _load(paths, tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in paths))


@functools.cache
def _load(paths: tuple[Path, ...], contents: tuple[str, ...]) -> Registry:
    del contents  # part of the key: the cache must notice an edit
    user = [load_module(path) for path in paths]
    extra: list[Claim] = [claim for module in user for claim in getattr(module, "CLAIMS", ())]
    claims = catalogue.load(extra)
    checks: dict[str, list[Check]] = {claim.id: [] for claim in claims}
    for check in [*_shipped_checks(), *(check for module in user for check in getattr(module, "CHECKS", ()))]:
        if check.claim not in checks:
            raise TheoryError(f"a check refers to claim {check.claim}, which does not exist")
        if any(other.name == check.name for other in checks[check.claim]):
            raise TheoryError(f"claim {check.claim} has two checks called {check.name}")
        checks[check.claim].append(check)
    return Registry(claims, {claim_id: tuple(found) for claim_id, found in checks.items()})


def _shipped_checks() -> list[Check]:
    papers = importlib.import_module("proofs_check.papers")
    checks: list[Check] = []
    for info in pkgutil.iter_modules(papers.__path__):
        checks += getattr(importlib.import_module(f"proofs_check.papers.{info.name}"), "CHECKS", ())
    return checks


def load_module(path: Path) -> ModuleType:
    """Import a user's file under a name derived from its path.

    Raises
    ------
    ModuleError
        One line: what is wrong, with the line number in the user's file where there is one.
    """
    name = f"boundcheck_user_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ModuleError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        message = " ".join(str(error).split())
        raise ModuleError(f"{path}{_line_in(error, path)}: {type(error).__name__}: {message}") from error
    return module


def _line_in(error: BaseException, path: Path) -> str:
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f":{line}" if line else ""


PRESENTATION = ("report/*", "cli.py", "diagnosis.py", "render.py", "template.py", "threads.py")
"""Files of `proofs_check` that show verdicts and do not make them."""


def source_files(modules: Sequence[str] = ()) -> list[Path]:
    """Return all Python files that a verdict may depend on."""
    here = Path(__file__).resolve().parent
    packages = ("theory", "mdps", "solvers", "proofs_check")
    shown = {path for pattern in PRESENTATION for path in here.glob(pattern)}
    shipped = sorted({path for package in packages for path in (here.parent / package).rglob("*.py")} - shown)
    return [*shipped, *(Path(module).resolve() for module in modules)]


def source_digest(modules: Sequence[str] = ()) -> str:
    """Return a hash of the contents of all source files."""
    digest = hashlib.sha256()
    for path in source_files(modules):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
