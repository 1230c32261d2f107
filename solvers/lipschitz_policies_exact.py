r"""Matrix inequalities decided in rational arithmetic.

A symmetric rational matrix is positive definite exactly when all pivots of its :math:`L D L^\top` decomposition without
pivoting are positive (Sylvester). A float64 number *is* a rational number, so that a matrix that a numerical solver
proposes can be verified as it is: nothing is rounded here. What is certified is the statement about the numbers given,
be they floats or fractions.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError
from mdps.validation import entry

Matrix: TypeAlias = tuple[tuple[Fraction, ...], ...]
"""A rational matrix, row by row."""

Entries: TypeAlias = npt.ArrayLike | Sequence[Sequence[Fraction | float | int | str]]
"""What `exact_matrix` reads."""


def exact_matrix(name: str, values: Entries) -> Matrix:
    """Return a matrix with the same entries as fractions.

    Parameters
    ----------
    values
        Rows of integers, fractions, finite floats (taken as they are) or decimal strings.

    Raises
    ------
    InvalidModelError
        Naming an entry that is no finite number, or rows that differ in length.
    """
    rows = np.asarray(values, dtype=object)
    if rows.ndim != 2 or rows.size == 0:
        raise InvalidModelError(f"{name} has shape {rows.shape}, not a matrix")
    return tuple(tuple(_fraction(name, (i, j), value) for j, value in enumerate(row)) for i, row in enumerate(rows))


def _fraction(name: str, index: tuple[int, int], value: object) -> Fraction:
    number: Any = value.item() if isinstance(value, np.generic) else value
    try:
        return Fraction(number)
    except (OverflowError, TypeError, ValueError):
        raise InvalidModelError(f"{entry(name, index)} is {value!r}, not a finite number") from None


def identity(size: int, scale: Fraction | int = 1) -> Matrix:
    """Return ``scale`` times the identity."""
    return tuple(tuple(Fraction(scale) if i == j else Fraction(0) for j in range(size)) for i in range(size))


def transpose(matrix: Matrix) -> Matrix:
    """Return the transposed matrix."""
    return tuple(zip(*matrix, strict=True))


def multiply(*factors: Matrix) -> Matrix:
    """Return the product of matrices, left to right."""
    product = factors[0]
    for factor in factors[1:]:
        columns = transpose(factor)
        product = tuple(
            tuple(sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0)) for column in columns)
            for row in product
        )
    return product


def combine(*terms: tuple[Fraction | int, Matrix]) -> Matrix:
    """Return the sum of scaled matrices of one shape."""
    rows, columns = len(terms[0][1]), len(terms[0][1][0])
    return tuple(
        tuple(sum((scale * matrix[i][j] for scale, matrix in terms), Fraction(0)) for j in range(columns))
        for i in range(rows)
    )


def block(rows: Sequence[Sequence[Matrix]]) -> Matrix:
    """Return a matrix put together from blocks."""
    return tuple(tuple(value for part in parts for value in part[i]) for parts in rows for i in range(len(parts[0])))


def pivots(matrix: Matrix) -> tuple[Fraction, ...]:
    """Return the pivots of ``L D L'``, up to and including the first one that is not positive.

    Raises
    ------
    InvalidModelError
        If the matrix is not symmetric.
    """
    if matrix != transpose(matrix):
        raise InvalidModelError("the matrix is not symmetric")
    rows = [list(row) for row in matrix]
    found: list[Fraction] = []
    for k in range(len(rows)):
        pivot = rows[k][k]
        found.append(pivot)
        if pivot <= 0:
            break
        for i in range(k + 1, len(rows)):
            factor = rows[i][k] / pivot
            for j in range(k + 1, len(rows)):
                rows[i][j] -= factor * rows[k][j]
    return tuple(found)


def is_definite(matrix: Matrix) -> bool:
    """Whether a symmetric matrix is positive definite, decided exactly."""
    return all(pivot > 0 for pivot in pivots(matrix))


def exact_loop(A: Entries, B: Entries, gain: Entries) -> Matrix:
    """Return ``A - B K`` without rounding."""
    return combine((1, exact_matrix("A", A)), (-1, multiply(exact_matrix("B", B), exact_matrix("gain", gain))))


def contracts(loop: Matrix, metric: Matrix, rate: Fraction) -> bool:
    """Whether ``F'PF < rate^2 P`` strictly, with P positive definite."""
    decrease = combine((rate * rate, metric), (-1, multiply(transpose(loop), metric, loop)))
    return is_definite(metric) and is_definite(decrease)


def between(lower: Matrix, metric: Matrix, upper: Matrix) -> bool:
    """Whether ``lower < metric < upper`` strictly."""
    return is_definite(combine((1, metric), (-1, lower))) and is_definite(combine((1, upper), (-1, metric)))


def vertices_contract(loops: Sequence[Matrix], metric: Matrix, rate: Fraction) -> bool:
    """Whether every loop of a polytope contracts, decided at its vertices.

    ``J -> J'PJ`` is convex in the order of symmetric matrices for P >= 0, so that the vertices suffice.
    """
    return all(contracts(loop, metric, rate) for loop in loops)
