"""How stored numbers stand for values: fills, valid range, signs, packing (NetCDF users' guide and CF)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.missing import SENTINELS, without_sentinels

UNDEFINED = 9.9e29
"""Numbers beyond this stand for "no value" in well software (ZMAP's 1e30, the 1e33 of RMS and xtgeo)."""


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
