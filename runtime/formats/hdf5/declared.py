"""What a dataset declares about its stored numbers: fills, valid range, signedness, packing."""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import letters
from lithovae.runtime.formats.codes import Coding

from .attributes import as_numbers, as_text, has_attribute, named_attributes

FILL_ATTRIBUTES = (
    "missingvalue", "missingvalues", "fillvalue", "fillvalues", "nodata", "nodatavalue", "null", "nullvalue", "navalue",
)  # fmt: skip
DECLARED = (*FILL_ATTRIBUTES, "validmin", "validmax", "validrange", "unsigned", "scalefactor", "addoffset")
Stated = dict[str, list[Any]]
"""Values of a dataset's attributes, by reduced name."""


def coding_of(dataset: Any, field: tuple[str, ...], path: str) -> Coding:
    """Read what a dataset declares about its stored numbers.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset.
    field : tuple of str
        Path of the field in a compound dataset; empty for other datasets.
    path : str
        Path of the column, for messages.

    Raises
    ------
    ScanError
        If a declared packing or valid range is not numeric.
    """
    dtype = dataset.dtype
    for name in field:
        dtype = dtype[name]
    stated: Stated = {}
    for plain, value in named_attributes(dataset, DECLARED):
        stated.setdefault(plain, []).append(value)
    fills = [number for name in FILL_ATTRIBUTES for value in stated.get(name, []) for number in as_numbers(value)]
    # netCDF sets its default fill in every dataset, but does not treat it as missing in variables of single bytes.
    is_byte = dtype.base.itemsize == 1 and has_attribute(dataset, "netcdf4coordinates", "netcdf4dimid")
    if not is_byte or has_attribute(dataset, "fillvalue"):
        fills += _property_fill(dataset, field)
    factor, offset = (_number(stated, name, path)[0] for name in ("scale_factor", "add_offset"))
    if factor == 0 or not all(map(math.isfinite, (factor or 1.0, offset or 0.0))):
        raise ScanError(f"attribute scale_factor of {path} is {factor}, add_offset {offset}: the values would be lost")
    valid, valid_of_values = _valid_range(stated, dtype.base, path, is_packed=(factor, offset) != (None, None))
    return Coding(
        fills=tuple(fills),
        valid=valid,
        valid_of_values=valid_of_values,
        unsigned=any(as_text(value) in ("true", "True", "1") for value in stated.get("unsigned", [])),
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


def _valid_range(stated: Stated, dtype: Any, path: str, *, is_packed: bool) -> tuple[tuple[float, float] | None, bool]:
    (low, low_type), (high, high_type) = _number(stated, "valid_min", path), _number(stated, "valid_max", path)
    for value in stated.get("validrange", []):
        numbers = as_numbers(value)
        if len(numbers) != 2:
            raise ScanError(f"attribute valid_range of {path} is {value!r}, not two numbers")
        low, high = numbers
        low_type = high_type = np.asarray(value).dtype
    if low is None and high is None:
        return None, False
    # NetCDF users' guide: a range of the stored type applies to stored numbers, one of the unpacked type to values.
    of_values = is_packed and dtype.kind in "iu" and all(t.kind == "f" for t in (low_type, high_type) if t is not None)
    return (-np.inf if low is None else low, np.inf if high is None else high), of_values


def _number(stated: Stated, name: str, path: str) -> tuple[float | None, Any]:
    """Return the number that an attribute states, and its type; None for both if there is no such attribute."""
    for value in stated.get(letters(name), []):
        numbers = as_numbers(value)
        if len(numbers) != 1:
            raise ScanError(f"attribute {name} of {path} is {value!r}, not a number")
        return numbers[0], np.asarray(value).dtype
    return None, None
