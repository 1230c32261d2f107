"""The verifier: checks of claims, mutants that must fail, and verdicts that can be checked again.

>>> from proofs_check import verify
>>> verify("value_difference.performance_difference")  # doctest: +SKIP

Names are imported on first use, so that the command line starts fast.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proofs_check.api import recheck, verify, verify_all
    from proofs_check.engine import Check, Control, Mutant, Verdict
    from proofs_check.evidence import Comparison, Evidence
    from proofs_check.methods.base import Method, Sizes, Tier
    from proofs_check.methods.prove import prove

_HOMES = {
    "Check": "engine",
    "Comparison": "evidence",
    "Control": "engine",
    "Evidence": "evidence",
    "Method": "methods.base",
    "Mutant": "engine",
    "Sizes": "methods.base",
    "Tier": "methods.base",
    "Verdict": "engine",
    "prove": "methods.prove",
    "recheck": "api",
    "verify": "api",
    "verify_all": "api",
}

__all__ = [
    "Check",
    "Comparison",
    "Control",
    "Evidence",
    "Method",
    "Mutant",
    "Sizes",
    "Tier",
    "Verdict",
    "prove",
    "recheck",
    "verify",
    "verify_all",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"proofs_check.{_HOMES[name]}"), name)
