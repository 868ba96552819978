"""Short texts that describe other data: the column names of a matrix, the hole of a group."""

from __future__ import annotations

import math
from typing import Any

import h5py

from .attributes import as_text, decode, enum_name, first_text
from .filters import require_filters
from .limits import MAX_ATTRIBUTE_BYTES, MAX_LABEL_BYTES, MAX_NAMES


def read_names(dataset: Any) -> list[str]:
    """Read a 1-D dataset of texts; empty if it is something else, or too long for a list of names."""
    if (
        not is_text(dataset.dtype)
        or dataset.ndim != 1
        or not 0 < dataset.shape[0] <= MAX_NAMES
        or not _is_small(dataset)
    ):
        return []
    require_filters(dataset)
    return [(decode(value) if isinstance(value, bytes) else str(value)).strip() for value in dataset[:].tolist()]


def read_text(dataset: Any) -> str | None:
    """Read a dataset that is one text or one number, as HDF5 or MATLAB stores it; None if it is neither."""
    if first_text(dataset, "matlabclass") == "char":
        if dataset.dtype.kind != "u" or 1 not in dataset.shape or not 0 < dataset.size <= MAX_LABEL_BYTES:
            return None
        require_filters(dataset)
        return str(dataset[()].astype("<u2").tobytes().decode("utf-16-le", "replace")).strip()
    if dataset.size != 1 or not (is_text(dataset.dtype) or dataset.dtype.kind in "iuf") or not _is_small(dataset):
        return None
    require_filters(dataset)
    value = dataset[()]
    value = value.item() if hasattr(value, "item") else value
    return enum_name(dataset.dtype, value) if h5py.check_enum_dtype(dataset.dtype) else as_text(value)


def is_text(dtype: Any) -> bool:
    """Return whether values of a type are texts, of fixed or variable length."""
    return dtype.kind == "S" or h5py.check_string_dtype(dtype) is not None


def _is_small(dataset: Any) -> bool:
    """Return whether a dataset, and each of its storage chunks, is no larger than an attribute may be."""
    n_values = max(dataset.size, math.prod(dataset.chunks or (0,)))
    return bool(n_values * dataset.dtype.itemsize <= MAX_ATTRIBUTE_BYTES)
