"""Converts what callers pass as raw features: arrays, masked arrays, data frames, lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lithovae.runtime.errors import InputError
from lithovae.runtime.features import FeatureSet, Quantity

Float32s = NDArray[np.float32]


def as_rows(x: ArrayLike, features: FeatureSet) -> Float32s:
    """Return features as C-contiguous rows of shape (n, n_features), float32.

    Masked values, None and ``pandas.NA`` become NaN.

    The columns of a data frame are taken by name, unless they are only numbered.

    Raises
    ------
    InputError
        If they are not numbers of shape ``(n, n_features)``, or if a data frame has not one column for each feature.
    """
    if hasattr(x, "columns"):
        x = _by_name(x, features)
    elif isinstance(x, (list, tuple)) and any(map(_is_labelled_or_masked, x)):
        return np.array([as_row(row, features) for row in x])
    try:
        values = x if isinstance(x, np.ma.MaskedArray) else np.asarray(x)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"features must be numbers of shape (n, {len(features)}): {error}") from error
    if values.ndim != 2 or values.shape[1] != len(features):
        raise InputError(
            f"features must have shape (n, {len(features)}), not {values.shape}; "
            f"the columns are {', '.join(features.names)}"
        )
    if values.dtype.kind not in "iufO":
        raise InputError(f"features must be numbers of shape (n, {len(features)}), not {values.dtype}")
    try:
        with np.errstate(over="ignore"):  # a number beyond float32 becomes infinite, and so missing
            if values.dtype.kind == "O":
                values = _NUMBERS(np.where(np.ma.getmaskarray(values), np.nan, np.ma.getdata(values)))
            unmasked = np.ma.filled(values.astype(np.float64), np.nan) if np.ma.isMA(values) else values
            return np.ascontiguousarray(unmasked, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"features must be numbers of shape (n, {len(features)}): {error}") from error


def _by_name(frame: Any, features: FeatureSet) -> Any:
    """Return the columns of a data frame in the features' order; all of its columns if these are only numbered."""
    if hasattr(frame, "column_names"):  # pyarrow: its attribute `columns` holds the values
        return np.column_stack([np.asarray(frame.column(name)) for name in _in_order(frame.column_names, features)])
    names = list(frame.columns)
    if all(isinstance(name, (int, np.integer)) for name in names):
        return frame
    return frame[_in_order(names, features)]


def _in_order(names: Sequence[Any], features: FeatureSet) -> list[Any]:
    """Return the names of the features' columns in the features' order."""
    chosen: dict[str, Any] = {}
    for feature in features:
        claims = [name for name in names if feature.rank(str(name)) is not None]
        if len(claims) > 1:
            both = " and ".join(repr(str(name)) for name in claims)
            raise InputError(f"the columns {both} of the data frame can both be {feature.name}: drop or rename one")
        if claims:
            chosen[feature.name] = claims[0]
            _require_unit(feature, str(claims[0]))
    if lacking := [name for name in features.names if name not in chosen]:
        unknown = [str(name) for name in names if name not in chosen.values()][:8]
        raise InputError(
            f"the data frame lacks the columns {lacking}{f'; unknown columns: {unknown}' if unknown else ''}. Rename "
            "columns, add one of NaN for what was not measured, or pass an array in the order of the features"
        )
    return list(chosen.values())


def _require_unit(feature: Quantity, name: str) -> None:
    unit = feature.unit_in(name)
    if unit is None and feature.needs_unit(name):
        raise InputError(
            f"column {name!r} of the data frame states no unit, and columns with this name are rarely in "
            f"{feature.unit}: rename it to {feature.name!r} if its values are"
        )
    if feature.factor(unit or "") != 1:
        raise InputError(f"column {name!r} of the data frame is in {unit}: convert it to {feature.unit} and rename it")


def _is_labelled_or_masked(row: Any) -> bool:
    """Return whether a row has names or masked values, which numpy would lose."""
    if hasattr(row, "_fields"):
        return True
    if isinstance(row, (list, tuple)):
        return any(value is np.ma.masked for value in row)
    return isinstance(row, np.ma.MaskedArray) or hasattr(row, "to_frame")


def _number(value: Any) -> Any:
    if (
        value is None or value is np.ma.masked or type(value).__name__ == "NAType"
    ):  # pandas.NA, without importing pandas
        return np.nan
    if isinstance(value, (str, bytes, bool, np.bool_)):
        raise TypeError(f"{value!r} is not a number")
    return value


_NUMBERS = np.frompyfunc(_number, 1, 1)


def as_row(row: Any, features: FeatureSet) -> Any:
    """Return one row as an array of shape (n_features,), float32.

    It may be a list, a tuple, an array, a masked array or a pandas series. A series is taken by name, unless its index
    only numbers its values; a named tuple is, if it has the name of a feature.

    Raises
    ------
    InputError
        If the row is not a number for each feature.
    """
    if hasattr(row, "to_frame"):  # a pandas series, such as a row of a data frame
        return as_rows(row.to_frame().T.infer_objects(), features)[0]
    fields = getattr(row, "_fields", ())
    if any(feature.rank(name) is not None for feature in features for name in fields):
        row = [getattr(row, name) for name in _in_order(fields, features)]
    is_ordered = isinstance(row, Sequence) or getattr(row, "ndim", 0) == 1  # a set, for example, has no order
    if not is_ordered or isinstance(row, (str, bytes)) or len(row) != len(features):
        raise InputError(f"a row must be {len(features)} numbers: {', '.join(features.names)}")
    if not isinstance(row, np.ndarray):
        row = [None if value is np.ma.masked else value for value in row]
    return as_rows(row[np.newaxis] if isinstance(row, np.ndarray) else [row], features)[0]
