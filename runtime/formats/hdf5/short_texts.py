"""Short texts that say something of other things: the names of a matrix's columns, the hole of a group."""

from __future__ import annotations

import math
from typing import Any

import h5py

from .attributes import as_text, decode, first_text
from .filters import require_filters
from .limits import MAX_ATTRIBUTE_BYTES, MAX_LABEL_BYTES, MAX_NAMES


def read_names(dataset: Any) -> list[str]:
    """Read a 1-D dataset of texts; empty where it is none, or too long to be names."""
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
    """Read a dataset that is one text or one number, as HDF5 or MATLAB writes it; None where it is neither."""
    if first_text(dataset, "matlabclass") == "char":
        if dataset.dtype.kind != "u" or 1 not in dataset.shape or not 0 < dataset.size <= MAX_LABEL_BYTES:
            return None
        require_filters(dataset)
        return str(dataset[()].astype("<u2").tobytes().decode("utf-16-le", "replace")).strip()
    if dataset.size != 1 or not (is_text(dataset.dtype) or dataset.dtype.kind in "iuf") or not _is_small(dataset):
        return None
    require_filters(dataset)
    value = dataset[()]
    return as_text(value.item() if hasattr(value, "item") else value)


def is_text(dtype: Any) -> bool:
    """Tell whether values of a type are texts, of fixed or variable length."""
    return dtype.kind == "S" or h5py.check_string_dtype(dtype) is not None


def _is_small(dataset: Any) -> bool:
    """Tell whether a dataset, and each storage chunk of it, is no larger than an attribute may be."""
    held = max(dataset.size, math.prod(dataset.chunks or (0,)))
    return bool(held * dataset.dtype.itemsize <= MAX_ATTRIBUTE_BYTES)
