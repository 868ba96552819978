"""Which values are missing or implausible, and the bits that mark them row by row."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .features import FeatureSet, Quantity

Bits = NDArray[np.unsignedinteger[Any]]
"""A bit for each feature of each row, in the type `FeatureSet.bits`."""

SENTINELS = (-999.0, -999.25, -999.99, -9999.0)
"""Numbers that mean "no value" in core logs and well logs (-999.25 is that of LAS). A bundle's graphs know these."""

NEVER_VALUES = (
    *SENTINELS,
    *(-999.9, -999.999),  # spreadsheets and loggers that write -999 with their number of decimals
    *(-9999.25, -9999.9, -9999.99, -9999.999, -99999.0, -99999.9, -99999.99, -999999.0),  # the same, with more nines
    *(-32768.0, -(2.0**31)),  # smallest int16 and int32: R's NA_integer_, pandas' and Fortran's "no value"
    *(-32767.0, -(2.0**31) + 1),  # NC_FILL_SHORT and NC_FILL_INT of netCDF
)
"""Numbers that a scan's reader takes as "no value" in every column. None is a plausible value of any quantity, but for
-999.9 and -999.999, which are as far from a susceptibility (the lowest published one is -471) as the sentinels are."""

BY_QUANTITY = (
    *(-99.0, -99.25, -99.9, -99.99, -99.999),
    *(999.0, 999.25, 999.9, 999.99, 999.999),
    *(9999.0, 9999.25, 9999.9, 9999.99, 9999.999, 99999.0, 99999.9, 99999.99, 999999.0),
    *(32767.0, 65535.0, 2.0**31 - 1, 2.0**32 - 1),  # largest int16, uint16, int32 and uint32
)
"""Numbers that mean "no value" in some files, and are values of some quantities (-99.9 is a plausible susceptibility,
9999 a depth in cm): `lithovae.runtime.scan.markers` decides for each column. 127, 255 and -128 are not among them: they
are ordinary colours, counts and susceptibilities."""

UNDEFINED = 9.2e18
"""Numbers beyond this, or below its negative, mean "no value": 2**63 (the extremes of int64), 2**64 - 1, 1e20 (climate
models), 1e30 (ZMAP), 1e33 (RMS and xtgeo), 9.97e36 (netCDF)."""


def without_sentinels(
    values: NDArray[Any], declared: tuple[float, ...] = (), sentinels: tuple[float, ...] = SENTINELS
) -> NDArray[Any]:
    """Replace sentinels, and the fill values that a dataset declares, with NaN.

    Parameters
    ----------
    values : ndarray, float
        The values. Not modified; returned itself if it contains neither.
    declared : tuple of float
        Fill values that the dataset of the values declares.
    sentinels : tuple of float
        The sentinels.

    Returns
    -------
    ndarray
        The values, with NaN in place of sentinels and fill values; same shape and dtype.
    """
    low = values <= max(sentinels, default=-np.inf)  # comparing is many times as fast as fmin, and False for NaN, too
    if not declared and not low.any():
        return values  # nearly every block
    bad = equals_any(values, low, sentinels)
    with np.errstate(over="ignore"):
        for fill in declared:
            bad |= values == values.dtype.type(fill)
    return np.where(bad, values.dtype.type(np.nan), values) if bad.any() else values


def equals_any(values: NDArray[Any], candidates: NDArray[np.bool_], marks: tuple[float, ...]) -> NDArray[np.bool_]:
    """Return which of the candidates equal one of some numbers, also as float32 rounds them.

    Parameters
    ----------
    values : ndarray, float
        The values.
    candidates : ndarray of bool
        Which of them to look at; the fewer, the faster. Same shape.
    marks : tuple of float
        The numbers.
    """
    found = np.zeros(values.shape, np.bool_)
    if marks:
        few, known = values[candidates], _sorted_marks(marks, values.dtype)
        found[candidates] = known[np.searchsorted(known, few).clip(max=len(known) - 1)] == few
    return found


@lru_cache(64)
def _sorted_marks(marks: tuple[float, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    rounded = np.array(marks, np.float32).tolist()  # float64 data may contain the rounded value
    return np.array(sorted({*marks, *rounded}), dtype)


def measurable(values: NDArray[Any], feature: Quantity) -> NDArray[Any]:
    """Replace values that cannot be measurements with NaN: infinity, and -1 or less where log1p is undefined (colours).

    Parameters
    ----------
    values : ndarray of shape (n,), float
        Samples of one feature. Not modified; returned itself if it contains no such value.
    feature : Quantity
        The feature.
    """
    bad = np.isinf(values)
    if feature.transform == "log1p":
        bad |= values <= -1
    return np.where(bad, values.dtype.type(np.nan), values) if bad.any() else values


def outside_plausible(values: NDArray[Any], feature: Quantity) -> NDArray[np.bool_] | None:
    """Return which samples of a feature are outside its plausible range, shape (n,); None if none is. NaN is not."""
    low, high = feature.plausible
    if len(values) and values.min() >= low and values.max() <= high:
        return None  # nearly always, and faster than a mask
    outside = (values < low) | (values > high)
    return outside if outside.any() else None


class Extremes(NamedTuple):
    """Lowest and highest value of each column of an array, ignoring NaN; and whether the array contains a NaN."""

    lowest: NDArray[Any]
    highest: NDArray[Any]
    has_nan: bool


def missing_bits(rows: NDArray[np.float32], features: FeatureSet, known: Extremes | None = None) -> Bits:
    """Return which features of each row are missing.

    Parameters
    ----------
    rows : ndarray of shape (n, n_features), float32
        Raw features, without sentinels. NaN and infinity are missing, and so are -1 and less where the scaler's log1p
        is undefined (colours).
    features : FeatureSet
        The features.
    known : Extremes, optional
        The `extremes` of ``rows``, if they are already known.

    Returns
    -------
    ndarray of shape (n,), of the type `FeatureSet.bits`
        Bit ``i`` (value ``2**i``) is set where feature ``i`` is missing.
    """
    bits = np.zeros(len(rows), features.bits)
    lowest, highest, has_nan = known or extremes(rows)
    if not has_nan and np.isfinite([lowest, highest]).all() and (lowest[features.is_log1p] > -1).all():
        return bits  # nearly every block: two passes in storage order suffice, instead of one for each feature
    for i, is_log1p in enumerate(features.is_log1p.tolist()):
        values = np.ascontiguousarray(rows[:, i])
        missing = ~np.isfinite(values)
        if is_log1p:
            missing |= values <= -1
        bits |= missing.astype(features.bits) << features.bits.type(i)
    return bits


def implausible_bits(rows: NDArray[np.float32], features: FeatureSet, known: Extremes | None = None) -> Bits:
    """Return which features of each row are present but outside their plausible range, as bits like `missing_bits`."""
    bits = np.zeros(len(rows), features.bits)
    lowest, highest, _ = known = known or extremes(rows)
    low, high = features.plausible
    for i in np.flatnonzero((lowest < low) | (highest > high)).tolist():
        values = np.ascontiguousarray(rows[:, i])
        bits |= ((values < low[i]) | (values > high[i])).astype(features.bits) << features.bits.type(i)
    return bits & ~missing_bits(rows, features, known) if bits.any() else bits


def unpacked(bits: Bits, n_features: int) -> NDArray[np.bool_]:
    """Return the bits of each row as a mask, shape (n, n_features)."""
    octets = bits.astype(bits.dtype.newbyteorder("<")).view(np.uint8).reshape(len(bits), bits.dtype.itemsize)
    return np.unpackbits(octets, axis=1, count=n_features, bitorder="little").astype(np.bool_)


def extremes(rows: NDArray[Any]) -> Extremes:
    """Return the lowest and the highest value of each column of (n, k) rows; both are NaN in a column of NaN only.

    In a C-contiguous array many rows are compared at once, which is twelve times as fast as column by column.
    """
    lowest, highest = _reduced(np.minimum, rows), _reduced(np.maximum, rows)
    has_nan = bool(np.isnan(lowest).any())
    if has_nan:  # fmin ignores NaN, but is slower
        lowest, highest = _reduced(np.fmin, rows), _reduced(np.fmax, rows)
    return Extremes(lowest, highest, has_nan)


def _reduced(smaller: np.ufunc, rows: NDArray[Any]) -> NDArray[Any]:
    n, width = rows.shape
    if not n:
        return np.full(width, np.nan, rows.dtype)
    whole = n - n % 128
    parts = [rows[whole:]]
    if whole:
        parts.append(smaller.reduce(rows[:whole].reshape(-1, 128 * width), axis=0).reshape(-1, width))
    return np.asarray(smaller.reduce(np.concatenate(parts), axis=0))


def bit_counts(bits: Bits, n_features: int) -> NDArray[np.int64]:
    """Count the rows in which the bit of each feature is set; shape (n_features,), int64."""
    if not bits.any():
        return np.zeros(n_features, np.int64)
    return np.array([np.count_nonzero(bits & bits.dtype.type(1 << i)) for i in range(n_features)])
