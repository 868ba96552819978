"""How a dataset's stored numbers stand for values: fills, valid range, signs, packing (NetCDF users' guide and CF)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import ScanError
from lithovae.runtime.missing import SENTINELS, without_sentinels

from .attributes import as_numbers, as_text, find_attributes, has_attribute

UNDEFINED = 9.9e29
"""Numbers beyond stand for "no value" in well software (ZMAP's 1e30, the 1e33 of RMS and xtgeo)."""
FILL_ATTRIBUTES = ("missingvalue", "fillvalue", "nodata", "nodatavalue", "nullvalue")


@dataclass(frozen=True)
class Coding:
    """What turns stored numbers into values.

    Attributes
    ----------
    fills : tuple of float
        Stored numbers that stand for "no value".
    valid : tuple of float, or None
        Least and largest number that is a value.
    valid_of_values : bool
        Whether the valid range speaks of unpacked values, not of stored numbers.
    unsigned : bool
        Whether signed integers are to be read as unsigned ones.
    factor, offset : float
        Value = stored number * factor + offset.
    """

    fills: tuple[float, ...] = ()
    valid: tuple[float, ...] | None = None
    valid_of_values: bool = False
    unsigned: bool = False
    factor: float = 1.0
    offset: float = 0.0

    def values(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Turn stored numbers of any shape into values: missing ones NaN, integers as float64."""
        fills, valid, sentinels = self.fills, self.valid, SENTINELS
        if stored.dtype.kind == "f" and stored.dtype.itemsize == 2:  # which holds -999.99 as -1000
            sentinels = (*SENTINELS, *np.array(SENTINELS, np.float16).tolist())
        if self.unsigned and stored.dtype.kind == "i":
            span = float(2 ** (8 * stored.dtype.itemsize))
            fills = tuple(fill + span if fill < 0 else fill for fill in fills)
            if valid and not self.valid_of_values:
                valid = tuple(bound + span if -np.inf < bound < 0 else bound for bound in valid)
            stored = stored.view(stored.dtype.str.replace("i", "u"))
        if stored.dtype.kind != "f":
            stored = stored.astype(np.float64)
        elif not stored.dtype.isnative or stored.dtype.itemsize == 2:
            stored = stored.astype(np.float32 if stored.dtype.itemsize < 8 else np.float64)
        is_packed = (self.factor, self.offset) != (1.0, 0.0)
        if not is_packed:
            values = without_sentinels(stored, fills, sentinels)
        else:  # a declared fill is a stored number, a sentinel an unpacked one
            values = without_sentinels(stored.astype(np.float64), fills, sentinels=())
        if valid and not self.valid_of_values:
            values = _within(values, valid)
        if is_packed:
            values = without_sentinels(values * self.factor + self.offset)
        if valid and self.valid_of_values:
            values = _within(values, valid)
        return _within(values, (-np.inf, UNDEFINED))


def _within(values: NDArray[Any], valid: tuple[float, ...]) -> NDArray[Any]:
    bad = (values < valid[0]) | (values > valid[1])
    return np.where(bad, values.dtype.type(np.nan), values) if bad.any() else values


def coding_of(dataset: Any, field: tuple[str, ...], path: str) -> Coding:
    """Read what a dataset declares of its stored numbers.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset.
    field : tuple of str
        Field of a compound dataset.
    path : str
        How messages call the column.

    Raises
    ------
    ScanError
        If the file declares something that is not a number.
    """
    dtype = dataset.dtype
    for name in field:
        dtype = dtype[name]
    fills = [number for value in find_attributes(dataset, *FILL_ATTRIBUTES) for number in as_numbers(value)]
    declared = has_attribute(dataset, "fillvalue")
    is_netcdf = has_attribute(dataset, "netcdf4coordinates", "netcdf4dimid")
    # netCDF sets its default fill in every dataset; of single bytes, all of which are in use, it means none by it.
    if not (is_netcdf and dtype.base.itemsize == 1 and not declared):
        fills += _property_fill(dataset, field)
    factor, offset = (_one_number(dataset, name, path) for name in ("scalefactor", "addoffset"))
    valid, valid_of_values = _valid_range(dataset, dtype.base, path, is_packed=(factor, offset) != (None, None))
    return Coding(
        fills=tuple(fills),
        valid=valid,
        valid_of_values=valid_of_values,
        unsigned=any(as_text(value) in ("true", "True", "1") for value in find_attributes(dataset, "unsigned")),
        factor=1.0 if factor is None else factor,
        offset=offset or 0.0,
    )


def _property_fill(dataset: Any, field: tuple[str, ...]) -> tuple[float, ...]:
    if dataset.id.get_create_plist().fill_value_defined() != h5py.h5d.FILL_VALUE_USER_DEFINED:
        return ()
    fill = dataset.fillvalue
    for name in field:
        fill = fill[name]
    return as_numbers(fill)


def _valid_range(dataset: Any, dtype: Any, path: str, *, is_packed: bool) -> tuple[tuple[float, float] | None, bool]:
    (low, low_type), (high, high_type) = _bound(dataset, "validmin", path), _bound(dataset, "validmax", path)
    for value in find_attributes(dataset, "validrange"):
        numbers = as_numbers(value)
        if len(numbers) != 2:
            raise _not_a_number(dataset, path, "valid_range", value)
        low, high = numbers
        low_type = high_type = np.asarray(value).dtype
    if low is None and high is None:
        return None, False
    # The users' guide: a range of the stored type speaks of stored numbers, one of the unpacked type of values.
    of_values = is_packed and dtype.kind in "iu" and all(t.kind == "f" for t in (low_type, high_type) if t is not None)
    return (-np.inf if low is None else low, np.inf if high is None else high), of_values


def _bound(dataset: Any, name: str, path: str) -> tuple[float | None, Any]:
    for value in find_attributes(dataset, name):
        numbers = as_numbers(value)
        if len(numbers) != 1:
            raise _not_a_number(dataset, path, name, value)
        return numbers[0], np.asarray(value).dtype
    return None, None


def _one_number(dataset: Any, name: str, path: str) -> float | None:
    for value in find_attributes(dataset, name):
        numbers = as_numbers(value)
        if len(numbers) != 1:
            file = dataset.file.filename
            raise ScanError(f"{file}: {path} is packed by {name} {value!r}, which is not a number", file)
        return numbers[0]
    return None


def _not_a_number(dataset: Any, path: str, name: str, value: Any) -> ScanError:
    file = dataset.file.filename
    return ScanError(f"{file}: {path} declares {name} {value!r}, which is not a number", file)
