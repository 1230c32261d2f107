"""Checks shared by the model classes; every failure names the first offending entry."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MASS_TOLERANCE = 1e-9
"""Largest admitted deviation of a probability row from total mass one."""


def as_float_array(name: str, values: npt.ArrayLike) -> FloatArray:
    """Return ``values`` as a C-contiguous, read-only float64 array that nobody else can write to.

    Raises
    ------
    InvalidModelError
        If the values are not real numbers, are of a narrower floating type, or are not finite.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iuf" or (array.dtype.kind == "f" and array.dtype != np.float64):
        raise InvalidModelError(f"{name} has dtype {array.dtype}, not float64")
    array = np.array(array, dtype=np.float64, order="C")
    bad = ~np.isfinite(array)
    if bad.any():
        index = first_index(bad)
        raise InvalidModelError(f"{entry(name, index)} is {array[index]}, not finite")
    array.setflags(write=False)
    return array


def first_index(mask: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    """Return the first index, in C order, at which ``mask`` is true."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), mask.shape))


def entry(name: str, index: Sequence[int], axes: str = "") -> str:
    """Spell an array entry: ``entry("P", (0, 3), "hs")`` is ``P[h=0, s=3]``."""
    labels = axes or " " * len(index)
    parts = [f"{axis}={i}" if axis != " " else str(i) for axis, i in zip(labels, index, strict=False)]
    return f"{name}[{', '.join(parts)}]" if parts else name


def require_shape(name: str, array: FloatArray, shape: tuple[int, ...]) -> None:
    """Raise unless ``array`` has exactly the given shape."""
    if array.shape != shape:
        raise InvalidModelError(f"{name} has shape {array.shape}, not {shape}")


def require_distributions(name: str, rows: FloatArray, axes: str) -> None:
    """Raise unless the last axis of ``rows`` holds probability distributions.

    Parameters
    ----------
    axes
        One letter per leading axis, used to name the offending row.
    """
    negative = rows < 0.0
    if negative.any():
        index = first_index(negative)
        raise InvalidModelError(f"{entry(name, index, axes + 't')} is {rows[index]}, a negative mass")
    mass = rows.sum(axis=-1)
    wrong = np.abs(mass - 1.0) > MASS_TOLERANCE
    if np.any(wrong):
        index = first_index(np.atleast_1d(wrong)) if rows.ndim > 1 else ()
        total = mass[index] if index else mass
        raise InvalidModelError(f"{entry(name, index, axes)} sums to {float(total):.12g}, not 1")


def require_range(name: str, array: FloatArray, low: float, high: float, axes: str) -> None:
    """Raise unless every entry lies in ``[low, high]``."""
    outside = (array < low) | (array > high)
    if outside.any():
        index = first_index(outside)
        raise InvalidModelError(f"{entry(name, index, axes)} is {array[index]}, outside [{low:g}, {high:g}]")
