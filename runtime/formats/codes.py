"""Decoding of stored numbers: fills, valid range, signedness, packing (NetCDF users' guide and CF conventions)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.missing import NEVER_VALUES, UNDEFINED, without_sentinels

with np.errstate(over="ignore"):
    _AS_FLOAT16 = tuple(np.array(NEVER_VALUES, np.float16).tolist())
_STORED_FILLS = (-9999.0, -99999.0, -999999.0)
"""Stored integers that mean "no value" before they are unpacked, if no other fill is declared."""


@dataclass(frozen=True)
class Coding:
    """Conversion of stored numbers to values.

    Attributes
    ----------
    fills : tuple of float
        Stored numbers that mean "no value".
    valid : tuple of float, or None
        Smallest and largest valid number; None if no range is declared.
    valid_of_values : bool
        Whether the valid range applies to unpacked values rather than to stored numbers.
    unsigned : bool
        Whether signed integers are to be read as unsigned.
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
        """Convert stored numbers, of any shape, to values: missing ones become NaN, integers become float64."""
        fills, valid, sentinels = self.fills, self.valid, NEVER_VALUES
        if stored.dtype.kind == "f" and stored.dtype.itemsize == 2:  # float16 rounds -999.99 to -1000
            sentinels = (*NEVER_VALUES, *_AS_FLOAT16)
        if self.unsigned and stored.dtype.kind == "i":
            span = float(2 ** (8 * stored.dtype.itemsize))
            fills = tuple(fill + span if fill < 0 else fill for fill in fills)
            if valid and not self.valid_of_values:
                valid = tuple(bound + span if -np.inf < bound < 0 else bound for bound in valid)
            stored = stored.view(stored.dtype.str.replace("i", "u"))
        if not np.isfinite(fills).any() and stored.dtype.kind in "iu" and stored.dtype.itemsize > 1:
            info = np.iinfo(stored.dtype)  # unpacked, its extremes are ordinary values
            packed_fills = (*_STORED_FILLS, float(info.max), *([float(info.min)] if info.min else []))
        else:
            packed_fills = fills
        if stored.dtype.kind != "f":
            stored = stored.astype(np.float64)
        elif not stored.dtype.isnative or stored.dtype.itemsize == 2:
            stored = stored.astype(np.float32 if stored.dtype.itemsize < 8 else np.float64)
        is_packed = (self.factor, self.offset) != (1.0, 0.0)
        if not is_packed:
            values = without_sentinels(stored, fills, sentinels)
        else:  # declared fills are stored numbers, sentinels are unpacked values
            values = without_sentinels(stored.astype(np.float64), packed_fills, sentinels=())
        if valid and not self.valid_of_values:
            values = _within(values, valid)
        if is_packed:
            values = without_sentinels(values * self.factor + self.offset, sentinels=NEVER_VALUES)
        if valid and self.valid_of_values:
            values = _within(values, valid)
        return _within(values, (-UNDEFINED, UNDEFINED))


def _within(values: NDArray[Any], valid: tuple[float, ...]) -> NDArray[Any]:
    bad = (values < valid[0]) | (values > valid[1])
    return np.where(bad, values.dtype.type(np.nan), values) if bad.any() else values


def number_labels(values: NDArray[Any]) -> NDArray[np.str_]:
    """Return numbers as text, for labels: whole numbers without decimals, NaN blank."""
    numbers = (float(value) for value in values.tolist())
    return np.array(
        ["" if value != value else str(int(value)) if value.is_integer() else repr(value) for value in numbers], np.str_
    )
