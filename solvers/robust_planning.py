r"""Worst-case expectations over laws near a nominal one: the six factor backups of robust dynamic programming.

For a nominal law p on n states, values v and a divergence D, either *constrained* by a radius :math:`\rho` or
*regularised* by a penalty :math:`\sigma`,

.. math:: C(\rho) = \inf \{ E_q v : D(q, p) \le \rho \}, \qquad R(\sigma) = \inf_q \{ E_q v + \sigma D(q, p) \},

with D the total variation :math:`\tfrac12 \sum |q - p|` (q may put mass where p has none), the relative entropy
:math:`\mathrm{KL}(q \| p) = \sum q \log(q / p)`, or :math:`\chi^2(q \| p) = \sum (q - p)^2 / p` (both keep q on the
support of p). Each is a concave maximisation in one variable, and has a closed form or one root. Write
:math:`v_\circ = \min v`, over all states for total variation and over the support of p otherwise:

* TV: :math:`C = \max_\alpha \{ E_p \min(v, \alpha) - \rho (\alpha - v_\circ) \}`, the mass :math:`\rho` moved from the
  largest values to the least; :math:`R = E_p \min(v, v_\circ + \sigma)`.
* KL: :math:`C = \max_{\beta \ge 0} \{ -\beta \log E_p e^{-v/\beta} - \beta \rho \}`,
  :math:`R = -\sigma \log E_p e^{-v/\sigma}`; the worst law is :math:`q \propto p\, e^{-v/\beta}`.
* chi2: :math:`C = \max_\eta \{ \eta - \sqrt{(1 + \rho)\, E_p (\eta - v)_+^2} \}`,
  :math:`R = \max_\eta \{ \eta - \sigma - E_p (\eta - v)_+^2 / (4 \sigma) \}`; the worst law is
  :math:`q \propto p\, (\eta - v)_+`. With mass c, mean m and standard deviation s of the values below the optimal
  threshold, :math:`C = m - s \sqrt{(1 + \rho) c - 1}` and :math:`R = m + \sigma (1/c - 1) - c s^2 / (4 \sigma)`.

The dual of the constrained relative entropy is that of Nilim and El Ghaoui (2005) and Iyengar (2005); all six forms as
used here are derived, and certified, in ``theory.lemmas.robust_duality``. Values are exact to some 1e-14 of the spread
of v. Ties, laws without full support, radii 0 or infinite and penalties 0 or infinite are admitted; a penalty of 0
gives :math:`v_\circ`, an infinite one :math:`E_p v`.
"""

from collections.abc import Callable
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from mdps.errors import InvalidModelError
from mdps.validation import (
    MASS_TOLERANCE,
    FloatArray,
    IntArray,
    as_float_array,
    entry,
    first_index,
    require_distributions,
)
from solvers import robust_kernels as kernels

PRECISION = 1e-16
"""Error at which the root search of the relative entropy stops, relative to the spread of the values."""

TAME = (1e-100, 1e100)
"""Spreads of the values whose squares are far from under- and overflow; others are scaled by a power of two."""

SHORT = 32
"""Rows up to this length are sorted by insertion, or searched instead of sorted."""


class FactorSet(StrEnum):
    """Laws that an adversary may choose: a divergence, as a constraint or as a penalty."""

    TV_CONSTRAINED = "tv_constrained"
    TV_REGULARISED = "tv_regularised"
    KL_CONSTRAINED = "kl_constrained"
    KL_REGULARISED = "kl_regularised"
    CHI2_CONSTRAINED = "chi2_constrained"
    CHI2_REGULARISED = "chi2_regularised"

    @property
    def divergence(self) -> str:
        """``"tv"``, ``"kl"`` or ``"chi2"``."""
        return self.value.split("_")[0]

    @property
    def constrained(self) -> bool:
        """Whether the level is a radius rather than a penalty."""
        return self.value.endswith("constrained")

    @property
    def absolutely_continuous(self) -> bool:
        """Whether the adversary must stay on the support of the nominal law."""
        return self.divergence != "tv"


def divergence(name: str, laws: npt.ArrayLike, nominal: npt.ArrayLike) -> FloatArray:
    """Return D(q, p) along the last axis; infinite where q has mass and p has none (``"kl"``, ``"chi2"``).

    Parameters
    ----------
    name
        ``"tv"``, ``"kl"`` or ``"chi2"``.
    laws, nominal
        q and p, ``(..., n)``.
    """
    q, p = np.broadcast_arrays(np.asarray(laws, dtype=float), np.asarray(nominal, dtype=float))
    if name == "tv":
        total: FloatArray = 0.5 * np.abs(q - p).sum(axis=-1)
        return total
    safe = np.where(p > 0.0, p, 1.0)
    if name == "kl":
        ratio = np.where((q > 0.0) & (p > 0.0), q / safe, 1.0)
        terms = q * np.log(ratio) - q + p  # each nonnegative, unlike those without the masses
    elif name == "chi2":
        terms = (q - p) ** 2 / safe
    else:
        raise InvalidModelError(f"divergence is {name!r}, not 'tv', 'kl' or 'chi2'")
    outside = ((q > 0.0) & (p <= 0.0)).any(axis=-1)
    result: FloatArray = np.where(outside, np.inf, np.maximum(terms.sum(axis=-1), 0.0))
    return result


def backup(
    kind: FactorSet | str, laws: npt.ArrayLike, values: npt.ArrayLike, level: npt.ArrayLike, *, check: bool = True
) -> FloatArray:
    """Return the worst-case expectations of ``values``.

    Parameters
    ----------
    kind
        Divergence, and whether it is constrained or regularised.
    laws
        Nominal laws, ``(..., n)``.
    values
        ``(n,)`` shared by all laws (sorted once), or ``(..., n)``, one row a law.
    level
        Radius or penalty, in [0, oo]; a number or ``(...)``, one a law.
    check
        Whether to validate the input, and to scale values whose squares would under- or overflow; without it a batch
        takes the time of its kernel.

    Returns
    -------
    FloatArray
        ``(...)``, in the unit of the values.

    Raises
    ------
    InvalidModelError
        Naming the first entry that is not valid.
    """
    kind = FactorSet(kind)
    table, rows, levels, exponents = _batch(kind, laws, values, level, check)
    out = np.empty(len(table))
    _EVALUATE[kind](table, rows, levels, out)
    result: FloatArray = (out if exponents is None else np.ldexp(out, exponents)).reshape(np.shape(laws)[:-1])
    return result


def worst_laws(
    kind: FactorSet | str, laws: npt.ArrayLike, values: npt.ArrayLike, level: npt.ArrayLike, *, check: bool = True
) -> FloatArray:
    """Return laws that attain `backup`, ``(..., n)``; parameters and errors as there.

    Where several laws are worst, mass goes to the first state of least value (total variation), or stays in proportion
    to the nominal law.
    """
    kind = FactorSet(kind)
    table, rows, levels, _ = _batch(kind, laws, values, level, check)
    out = np.empty(table.shape)
    _WORST[kind](table, rows, levels, out)
    return out.reshape(np.shape(laws))


Batch = Callable[[FloatArray, FloatArray, FloatArray, FloatArray], None]


def _tv_ball(laws: FloatArray, values: FloatArray, radii: FloatArray, out: FloatArray) -> None:
    if len(values) > 1 and values.shape[1] <= SHORT:
        kernels.tv_ball_unsorted(laws, values, radii, out)
    else:
        kernels.tv_ball(laws, values, ranks(values), radii, out)


def _kl_ball(laws: FloatArray, values: FloatArray, radii: FloatArray, out: FloatArray) -> None:
    both = np.empty((len(laws), 2))
    kernels.kl_ball(laws, values, radii, PRECISION, both)
    out[:] = both[:, 0]


def _kl_ball_laws(laws: FloatArray, values: FloatArray, radii: FloatArray, out: FloatArray) -> None:
    both = np.empty((len(laws), 2))
    kernels.kl_ball(laws, values, radii, 0.0, both)
    kernels.kl_tilted_laws(laws, values, _frozen(both[:, 1]), out)


def _kl_penalty_laws(laws: FloatArray, values: FloatArray, penalties: FloatArray, out: FloatArray) -> None:
    with np.errstate(divide="ignore", over="ignore"):
        kernels.kl_tilted_laws(laws, values, _frozen(1.0 / penalties), out)


_EVALUATE: dict[FactorSet, Batch] = {
    FactorSet.TV_CONSTRAINED: _tv_ball,
    FactorSet.TV_REGULARISED: kernels.tv_penalty,
    FactorSet.KL_CONSTRAINED: _kl_ball,
    FactorSet.KL_REGULARISED: kernels.kl_penalty,
    FactorSet.CHI2_CONSTRAINED: lambda p, v, level, out: kernels.chi2_ball(p, v, ranks(v), level, out),
    FactorSet.CHI2_REGULARISED: lambda p, v, level, out: kernels.chi2_penalty(p, v, ranks(v), level, out),
}

_WORST: dict[FactorSet, Batch] = {
    FactorSet.TV_CONSTRAINED: lambda p, v, level, out: kernels.tv_ball_laws(p, ranks(v), level, out),
    FactorSet.TV_REGULARISED: kernels.tv_penalty_laws,
    FactorSet.KL_CONSTRAINED: _kl_ball_laws,
    FactorSet.KL_REGULARISED: _kl_penalty_laws,
    FactorSet.CHI2_CONSTRAINED: lambda p, v, level, out: kernels.chi2_laws(p, v, ranks(v), level, True, out),
    FactorSet.CHI2_REGULARISED: lambda p, v, level, out: kernels.chi2_laws(p, v, ranks(v), level, False, out),
}


def ranks(values: FloatArray) -> IntArray:
    """Return the indices that sort each row of ``values (M, n)`` ascending, ties in their order; read-only."""
    if values.shape[1] > SHORT:
        order = np.ascontiguousarray(np.argsort(values, axis=1, kind="stable"))
    else:
        order = np.empty(values.shape, dtype=np.int64)
        kernels.sort_short_rows(values, order)
    order.setflags(write=False)
    return order


def _frozen(array: npt.ArrayLike) -> FloatArray:
    """Return a C-contiguous, read-only float64 view or copy: one type, hence one compilation, for all callers."""
    view = np.ascontiguousarray(array, dtype=np.float64).view()
    view.setflags(write=False)
    return view


def _batch(
    kind: FactorSet, laws: npt.ArrayLike, values: npt.ArrayLike, level: npt.ArrayLike, check: bool
) -> tuple[FloatArray, FloatArray, FloatArray, IntArray | None]:
    """Return laws ``(N, n)``, values ``(1, n)`` or ``(N, n)``, levels ``(N,)``, and the powers of two taken out."""
    table, rows, levels = np.asarray(laws), np.asarray(values), np.asarray(level, dtype=float)
    if table.ndim == 0 or table.size == 0:
        raise InvalidModelError(f"laws has shape {table.shape}, not (..., n) with n >= 1")
    if rows.shape not in (table.shape, table.shape[-1:]):
        raise InvalidModelError(f"values has shape {rows.shape}, neither {table.shape[-1:]} nor {table.shape}")
    shape, n = table.shape[:-1], table.shape[-1]
    if levels.shape not in ((), shape):
        raise InvalidModelError(f"level has shape {levels.shape}, neither () nor {shape}")
    exponents = None
    if check:
        _validate_laws(table)
        _validate_levels(levels)
        rows, exponents = _tamed(as_float_array("values", rows).reshape(-1, n))
    levels = np.broadcast_to(levels, shape).reshape(-1)
    if exponents is not None and not kind.constrained:
        levels = np.ldexp(levels, -exponents)
    return _frozen(table.reshape(-1, n)), _frozen(rows.reshape(-1, n)), _frozen(levels), exponents


def _tamed(rows: FloatArray) -> tuple[FloatArray, IntArray | None]:
    """Return the rows, scaled by powers of two where squares of their spreads would under- or overflow."""
    with np.errstate(over="ignore"):
        spreads = rows.max(axis=1) - rows.min(axis=1)
    if not np.isfinite(spreads).all():
        raise InvalidModelError("values are too far apart: their spread is not finite")
    if not ((spreads != 0.0) & ((spreads < TAME[0]) | (spreads > TAME[1]))).any():
        return rows, None
    exponents = np.frexp(spreads)[1].astype(np.int64)
    return np.ldexp(rows, -exponents[:, None]), exponents


def _validate_laws(laws: FloatArray) -> None:
    if laws.dtype != np.float64 or not kernels.are_laws(_frozen(laws.reshape(-1, laws.shape[-1])), MASS_TOLERANCE):
        require_distributions("laws", as_float_array("laws", laws), " " * (laws.ndim - 1))


def _validate_levels(levels: FloatArray) -> None:
    wrong = ~(levels >= 0.0)
    if wrong.any():
        index = first_index(wrong) if levels.ndim else ()
        raise InvalidModelError(f"{entry('level', index)} is {levels[index]}, not in [0, oo]")
