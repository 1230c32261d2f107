"""The kernel cache notices an edited callee; kernels use kernel modules, numpy and the standard library only."""

import ast
import builtins
import os
import shutil
import subprocess
import symtable
import sys
import textwrap
import time
from pathlib import Path

import pytest

from mdps import jit

CALLEE = """
from {decorator_module} import {decorator}

@{decorator}
def step(x):
    return x + {constant}
"""

CALLER = """
from {decorator_module} import {decorator}
from {callee} import step

@{decorator}
def twice(x):
    return step(step(x))
"""

# Numba's own way, cached beside a fixed folder: what the stale answer looks like.
PLAIN = """
import numba

def kernel(function):
    return numba.njit(cache=True)(function)
"""


def run(root, module, cache):
    """Answer of ``twice(1)``, and the numbers of kernels loaded from the cache and compiled."""
    code = (
        f"from {module} import twice; answer = twice(1); "
        "print(answer, sum(twice.stats.cache_hits.values()), sum(twice.stats.cache_misses.values()))"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(root),
        "PYTHONDONTWRITEBYTECODE": "1",  # else Python's own cache, keyed by seconds and size, may be stale
        "BOUNDCHECK_CACHE": str(cache),
        "NUMBA_CACHE_DIR": str(cache / "plain"),
    }
    output = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True, check=True
    )
    return tuple(map(int, output.stdout.split()))


def write(root, folder, decorator_module, constant):
    names = {"decorator_module": decorator_module, "decorator": "kernel", "callee": f"{folder}.zz_callee"}
    (root / folder / "zz_callee.py").write_text(CALLEE.format(constant=constant, **names))
    caller = root / folder / "zz_caller.py"
    if not caller.exists():
        caller.write_text(CALLER.format(**names))


def test_an_edited_callee_gives_the_new_answer(tmp_path):
    shutil.copytree(jit.ROOT / "mdps", tmp_path / "mdps", ignore=shutil.ignore_patterns("__pycache__"))
    cache = tmp_path / "cache"
    write(tmp_path, "mdps", "mdps.jit", 10)
    assert run(tmp_path, "mdps.zz_caller", cache) == (21, 0, 1)
    assert run(tmp_path, "mdps.zz_caller", cache) == (21, 1, 0)  # unedited: loaded from the cache
    write(tmp_path, "mdps", "mdps.jit", 50)
    assert run(tmp_path, "mdps.zz_caller", cache) == (101, 0, 1)


def test_the_trap_is_real_with_numba_alone(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "decorator.py").write_text(PLAIN)
    cache = tmp_path / "cache"
    write(tmp_path, "plain", "plain.decorator", 10)
    assert run(tmp_path, "plain.zz_caller", cache) == (21, 0, 1)
    write(tmp_path, "plain", "plain.decorator", 50)
    assert run(tmp_path, "plain.zz_caller", cache)[0] == 21  # stale: 101 is right


def test_old_caches_are_dropped_but_not_the_current_one(tmp_path, monkeypatch):
    monkeypatch.setenv("BOUNDCHECK_CACHE", str(tmp_path))
    now = time.time()
    for days in (1, 6, 8, 30):
        folder = tmp_path / "kernels" / f"{days} days old"
        folder.mkdir(parents=True)
        os.utime(folder, (now - days * 86_400, now - days * 86_400))
    current = jit._open_cache()
    kept = {path.name for path in (tmp_path / "kernels").iterdir()}
    assert kept == {current.name, "1 days old", "6 days old"}


def test_the_hash_depends_on_names_and_contents(tmp_path):
    first, second = tmp_path / "a.py", tmp_path / "b.py"
    first.write_text("x = 1")
    second.write_text("x = 1")
    assert jit.source_hash([first]) != jit.source_hash([second])
    before = jit.source_hash([first, second])
    second.write_text("x = 2")
    assert jit.source_hash([first, second]) != before


# What a kernel may refer to

KERNEL = {"kernel", "inlined_kernel", "parallel_kernel"}
CALLABLE = KERNEL | {"intrinsic"}  # numba's hook for LLVM code: part of the file that defines it, as a kernel is
KERNEL_FILES = [path for path in jit.kernel_sources() if path != Path(jit.__file__).resolve()]


def module_name(path):
    return ".".join(path.relative_to(jit.ROOT).with_suffix("").parts)


def allowed_modules():
    return {module_name(path) for path in KERNEL_FILES} | {"numpy", "numba"}


def is_allowed(module, allowed):
    return module in allowed or module.split(".")[0] in sys.stdlib_module_names | {"numpy", "numba"}


def decorated(function, by):
    decorators = (d.func if isinstance(d, ast.Call) else d for d in function.decorator_list)
    return any((d.attr if isinstance(d, ast.Attribute) else getattr(d, "id", None)) in by for d in decorators)


def global_names(table):
    names = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global() and symbol.is_referenced()}
    return names.union(*(global_names(child) for child in table.get_children()))


def definitions(tree):
    """What every module-level name is bound to: a function, an expression, or the modules it may come from."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.split(".")[0]] = [alias.name]
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = [f"{node.module}.{alias.name}", node.module]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                for leaf in ast.walk(target):
                    if isinstance(leaf, ast.Name):
                        found[leaf.id] = node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            found[node.target.id] = node.value
    return found


def fault(name, found, allowed):
    """Return why a kernel may not use a global name, or None."""
    origin = found.get(name)
    if origin is None:
        return None if hasattr(builtins, name) else f"{name} is not defined at the head of the module"
    if isinstance(origin, list):
        return None if any(is_allowed(m, allowed) for m in origin) else f"{name} comes from {origin[-1]}"
    if isinstance(origin, ast.FunctionDef):
        return None if decorated(origin, CALLABLE) else f"{name} is a function but no kernel"
    if isinstance(origin, ast.ClassDef):
        return f"{name} is a class"
    used = {leaf.id for leaf in ast.walk(origin) if isinstance(leaf, ast.Name)} - {name}
    return next((reason for reason in (fault(other, found, allowed) for other in sorted(used)) if reason), None)


def kernel_faults(source, allowed):
    tree = ast.parse(source)
    found = definitions(tree)
    kernels = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and decorated(node, KERNEL)}
    faults = []
    for table in symtable.symtable(source, "kernel", "exec").get_children():
        if table.get_name() in kernels:
            reasons = (fault(name, found, allowed) for name in sorted(global_names(table)))
            faults += [f"{table.get_name()}: {reason}" for reason in reasons if reason]
    return kernels, faults


@pytest.mark.parametrize("path", KERNEL_FILES, ids=module_name)
def test_kernels_use_names_of_kernel_modules_only(path):
    kernels, faults = kernel_faults(path.read_text(), allowed_modules())
    assert faults == []
    if path == jit.ROOT / "mdps" / "kernels.py":
        assert {"next_u64", "draw_cdf", "roll_out"} <= kernels


def test_the_rule_can_fail():
    source = """
import math
import numpy as np
import scipy.special
from mdps import tabular
from mdps.jit import kernel
from mdps.kernels import uniform
from mdps.validation import MASS_TOLERANCE

GOOD = 2 * math.pi
DERIVED = 2 * MASS_TOLERANCE

def helper(x: tabular.RewardLaw):
    return tabular.entry(x)

@kernel
def right(x: tabular.RewardLaw, state):
    y = [np.exp(z) + GOOD for z in range(3)]
    return uniform(state, 0) + math.sin(len(y))

@kernel
def wrong(x):
    return [scipy.special.erf(z) + DERIVED + MASS_TOLERANCE + missing for z in helper(x)]
"""
    kernels, faults = kernel_faults(source, allowed_modules())
    assert kernels == {"right", "wrong"}
    assert faults == [
        "wrong: MASS_TOLERANCE comes from mdps.validation",  # through DERIVED
        "wrong: MASS_TOLERANCE comes from mdps.validation",
        "wrong: helper is a function but no kernel",
        "wrong: missing is not defined at the head of the module",
        "wrong: scipy comes from scipy.special",
    ]


def test_cold_until_the_first_kernel(tmp_path):
    script = textwrap.dedent(
        """
        import numpy as np

        from mdps import jit
        from mdps.kernels import draw_cdf

        cold = jit.is_cold()
        draw_cdf(np.array([0.5, 1.0]), 0.2)
        print(cold, jit.is_cold())
        """
    )
    environment = {**os.environ, "BOUNDCHECK_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
