"""Threads: the verifier runs one process per core, so libraries inside a process get one thread each."""

import os

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def limit() -> None:
    """Ask for one thread per library, before any of them is imported; what the user has set is kept."""
    for variable in VARIABLES:
        os.environ.setdefault(variable, "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
