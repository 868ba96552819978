"""Converts what callers pass as raw features: arrays, masked arrays, data frames, lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lithovae.runtime.errors import InputError
from lithovae.runtime.features import FEATURE_NAMES

Float32s = NDArray[np.float32]


def as_rows(x: ArrayLike) -> Float32s:
    """Return features as C-contiguous rows of shape (n, 6), float32; masked values become NaN.

    Columns of a data frame that has the features' names are taken by name.

    Raises
    ------
    InputError
        If they are not numbers of shape ``(n, 6)``.
    """
    names = [str(name) for name in getattr(x, "columns", [])]
    if any(name in FEATURE_NAMES for name in names):  # a data frame: by name, not by position
        lacking = [name for name in FEATURE_NAMES if name not in names]
        if lacking:
            raise InputError(f"the data frame lacks the columns {lacking}; it has {names}")
        x = x[list(FEATURE_NAMES)]  # type: ignore[call-overload, index]
    try:
        values = x if isinstance(x, np.ma.MaskedArray) else np.asarray(x)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"features must be numbers of shape (n, {len(FEATURE_NAMES)}): {error}") from error
    if values.ndim != 2 or values.shape[1] != len(FEATURE_NAMES):
        raise InputError(
            f"features must have shape (n, {len(FEATURE_NAMES)}), not {values.shape}; "
            f"the columns are {', '.join(FEATURE_NAMES)}"
        )
    if values.dtype.kind not in "iufO":
        raise InputError(f"features must be numbers of shape (n, {len(FEATURE_NAMES)}), not {values.dtype}")
    try:
        with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, and so missing
            unmasked = np.ma.filled(values.astype(np.float64), np.nan) if np.ma.isMA(values) else values
            return np.ascontiguousarray(unmasked, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"features must be numbers of shape (n, {len(FEATURE_NAMES)}): {error}") from error


def as_row(row: Any) -> Any:
    """Return one row as an array of shape (6,), float32.

    It may be a list, a tuple, an array, a masked array or a pandas series. A series that has the features' names is
    taken by name.

    Raises
    ------
    InputError
        If the row is not six numbers.
    """
    if hasattr(row, "to_frame"):  # a pandas series, such as a row of a data frame: by name, if it has the names
        return as_rows(row.to_frame().T.infer_objects())[0]
    is_ordered = isinstance(row, Sequence) or getattr(row, "ndim", 0) == 1  # a set, for example, has no order
    if not is_ordered or isinstance(row, (str, bytes)) or len(row) != len(FEATURE_NAMES):
        raise InputError(f"a row must be {len(FEATURE_NAMES)} numbers: {', '.join(FEATURE_NAMES)}")
    return as_rows(row[np.newaxis] if isinstance(row, np.ndarray) else [list(row)])[0]
