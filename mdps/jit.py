"""Compilation of the kernels, with a cache that notices an edited callee.

Numba keys a cached kernel by its own file only: edit a function that the kernel calls from *another* file and the stale
machine code answers silently. Here the cache directory is named after a hash of every kernel source of the four
packages, so that any edit of any of them starts an empty cache. ``tests/mdps/test_jit.py`` edits a callee to prove it.

A kernel module is a file that imports this one. A kernel may use names from its own file, from other kernel modules,
from numpy and from the standard library only (tested): its constants are frozen at compile time, so whatever a caller
may want to change is an argument.
"""

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # an idle worker must not spin: it starves its neighbours

import numba

F = TypeVar("F", bound=Callable[..., object])

PACKAGES = ("theory", "mdps", "solvers", "proofs_check")
ROOT = Path(__file__).resolve().parent.parent
KEPT_SECONDS = 7 * 24 * 3600
"""Age after which the cache of sources that are no longer used is removed."""


def kernel_sources() -> list[Path]:
    """Return the kernel modules of the four packages, sorted."""
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return sorted(path for path in files if b"mdps.jit" in path.read_bytes() or path == Path(__file__).resolve())


def source_hash(paths: list[Path]) -> str:
    """Return a short hash of the names and contents of the given files."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(str(path).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def cache_root() -> Path:
    """Return the folder of all kernel caches (``BOUNDCHECK_CACHE``, else the user's cache folder)."""
    base = os.environ.get("BOUNDCHECK_CACHE")
    if base:
        return Path(base) / "kernels"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "boundcheck" / "kernels"


def _open_cache() -> Path:
    root = cache_root()
    current = root / source_hash(kernel_sources())
    current.mkdir(parents=True, exist_ok=True)
    os.utime(current)
    for folder in root.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another process may have removed it
            if folder.stat().st_mtime < time.time() - KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
    return current


CACHE_DIR = _open_cache()
numba.config.CACHE_DIR = str(CACHE_DIR)


def is_cold() -> bool:
    """Whether no kernel has been compiled from these sources yet."""
    return not any(CACHE_DIR.rglob("*.nbi"))


def kernel(function: F) -> F:
    """Compile ``function`` on first call: cached on disk, without the GIL, IEEE-exact (no fast-math)."""
    compiled: F = numba.njit(cache=True, nogil=True)(function)
    return compiled


def inlined_kernel(function: F) -> F:
    """As `kernel`, but always a part of its callers: for bodies that are shorter than a call with array arguments."""
    compiled: F = numba.njit(nogil=True, forceinline=True)(function)
    return compiled


def parallel_kernel(function: F) -> F:
    """As `kernel`, with ``numba.prange`` over independent runs (never inside one run)."""
    compiled: F = numba.njit(cache=True, nogil=True, parallel=True)(function)
    return compiled
