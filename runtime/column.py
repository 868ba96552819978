"""Columns of an HDF5 file: every place that could hold one value per sample, and how to read a stretch of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .errors import ScanError
from .missing import without_sentinels

MAX_NAMELESS_COLUMNS = 64
_NAME_ATTRIBUTES = ("columns", "column_names", "feature_names", "features", "names", "fields", "channels", "labels")
_UNIT_ATTRIBUTES = ("units", "unit")
_FILL_ATTRIBUTES = ("missing_value", "_FillValue")


@dataclass(frozen=True)
class Column:
    """One value per sample: a 1-D dataset, a field of a compound dataset, or a column of a 2-D one.

    Attributes
    ----------
    dataset : h5py.Dataset
        Where it lives.
    field : str, int or None
        Field of a compound dataset, column of a 2-D one, None of a 1-D one.
    name : str
        Its own name; empty for a column of a 2-D dataset that does not name its columns.
    """

    dataset: Any
    field: str | int | None
    name: str

    @property
    def path(self) -> str:
        """Path in the file, as ``MST/Den``, ``A/GRA:Depth`` or ``data:3``: what ``--map`` takes."""
        place = str(self.dataset.name).lstrip("/")
        return place if self.field is None else f"{place}:{self.name or self.field}"

    @property
    def group(self) -> str:
        """Path of the group that holds the dataset."""
        return str(self.dataset.name).rpartition("/")[0]

    @property
    def length(self) -> int:
        """Number of samples."""
        return int(self.dataset.shape[0])

    @cached_property
    def dtype(self) -> Any:
        """Type of the values as stored."""
        return self.dataset.dtype[self.field] if isinstance(self.field, str) else self.dataset.dtype

    @property
    def is_number(self) -> bool:
        """Whether the values are integers or real floating-point numbers."""
        return self.dtype.kind in "iuf" and self.dtype.shape == ()

    @property
    def is_text(self) -> bool:
        """Whether the values are text, of fixed or variable length."""
        return self.dtype.kind == "S" or h5py.check_string_dtype(self.dtype) is not None

    @cached_property
    def unit(self) -> str | None:
        """Unit that an attribute states for this very column, None where none does."""
        for attribute in _UNIT_ATTRIBUTES:
            value = self.dataset.attrs.get(attribute)
            if self.field is None:
                if isinstance(value, (str, bytes)):
                    return _text(value).strip()
            else:
                texts, fields = _texts(value), list(self.dataset.dtype.names or range(self.dataset.shape[1]))
                if len(texts) == len(fields):
                    return texts[fields.index(self.field)]
        return None

    @cached_property
    def table_unit(self) -> str | None:
        """The one unit that a compound or 2-D dataset states: of which of its columns, it does not say."""
        values = [self.dataset.attrs.get(attribute) for attribute in _UNIT_ATTRIBUTES if self.field is not None]
        return next((_text(value).strip() for value in values if isinstance(value, (str, bytes))), None)

    @cached_property
    def fills(self) -> tuple[float, ...]:
        """Fill values that the dataset declares."""
        found = [self.dataset.attrs.get(attribute) for attribute in _FILL_ATTRIBUTES]
        if self.dataset.id.get_create_plist().fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED:
            fill = self.dataset.fillvalue
            found.append(fill[self.field] if isinstance(self.field, str) else fill)
        numbers = [value for value in found if np.issubdtype(np.asarray(value).dtype, np.number)]
        return tuple(float(value) for value in numbers if np.size(value) == 1)

    @cached_property
    def packing(self) -> tuple[float, float]:
        """``scale_factor`` and ``add_offset`` of the CF conventions: value = stored * scale_factor + add_offset."""
        attributes = self.dataset.attrs
        return float(np.ravel(attributes.get("scale_factor", 1))[0]), float(
            np.ravel(attributes.get("add_offset", 0))[0]
        )

    @property
    def chunk_rows(self) -> int:
        """Rows of a storage chunk; 1 where the dataset is contiguous."""
        return int(self.dataset.chunks[0]) if self.dataset.chunks else 1


def find_columns(file: Any) -> list[Column]:
    """List every column of an open file; links to elsewhere are not followed."""
    found: list[Column] = []

    def visit(_: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found.extend(_columns_of(node))

    file.visititems(visit)
    return found


def _columns_of(dataset: Any) -> Iterable[Column]:
    if dataset.shape is None:
        return
    if dataset.dtype.names and dataset.ndim == 1:
        for field in dataset.dtype.names:
            yield Column(dataset, field, field)
    elif dataset.ndim == 1:
        yield Column(dataset, None, str(dataset.name).rpartition("/")[2])
    elif dataset.ndim == 2:
        names = _column_names(dataset)
        if names or dataset.shape[1] <= MAX_NAMELESS_COLUMNS:
            for i in range(dataset.shape[1]):
                yield Column(dataset, i, names[i] if names else "")


def _column_names(dataset: Any) -> list[str]:
    for attribute in _NAME_ATTRIBUTES:
        names = _texts(dataset.attrs.get(attribute))
        if len(names) == dataset.shape[1]:
            return names
    return []


def read_numbers(columns: Sequence[Column], start: int, stop: int) -> list[NDArray[Any]]:
    """Read a stretch of several columns, each dataset once; missing values become NaN, integers float64.

    Raises
    ------
    ScanError
        If the file is damaged there.
    """
    blocks = _read_datasets(columns, start, stop)
    found = []
    for column in columns:
        values = _take(blocks[column.dataset.name], column)
        if values.dtype.kind != "f":
            values = values.astype(np.float64)
        elif not values.dtype.isnative or values.dtype.itemsize == 2:
            values = values.astype(np.float32 if values.dtype.itemsize < 8 else np.float64)
        values = without_sentinels(values, column.fills)
        factor, offset = column.packing
        if (factor, offset) != (1.0, 0.0):
            values = values.astype(np.float64) * factor + offset
        found.append(values)
    return found


def read_texts(columns: Sequence[Column], start: int, stop: int) -> list[NDArray[np.str_]]:
    """Read a stretch of several columns as text: numbers as they are written, bytes as UTF-8.

    Raises
    ------
    ScanError
        If the file is damaged there.
    """
    blocks = _read_datasets(columns, start, stop)
    return [_as_text(_take(blocks[column.dataset.name], column)) for column in columns]


def _read_datasets(columns: Sequence[Column], start: int, stop: int) -> dict[str, Any]:
    blocks: dict[str, Any] = {}
    for column in columns:
        dataset, name = column.dataset, column.dataset.name
        if name in blocks:
            continue
        fields = [other.field for other in columns if other.dataset.name == name]
        try:
            blocks[name] = dataset.fields(fields)[start:stop] if isinstance(column.field, str) else dataset[start:stop]
        except (OSError, RuntimeError, ValueError) as error:
            raise ScanError(
                f"{dataset.file.filename}: rows {start} to {stop} of {name} cannot be read, the file is damaged there: "
                f"{error}",
                dataset.file.filename,
            ) from error
    return blocks


def _take(block: Any, column: Column) -> NDArray[Any]:
    if column.field is None:
        return np.asarray(block)
    return np.asarray(block[:, column.field] if isinstance(column.field, int) else block[column.field])


def _as_text(values: NDArray[Any]) -> NDArray[np.str_]:
    if values.dtype.kind == "f":  # a core number that a notebook has left as 1.0
        return np.array([f"{value:g}" for value in values], np.str_)
    if values.dtype.kind == "S":
        values = values.astype(object)
    if values.dtype.kind == "O":
        return np.array([_text(value) for value in values], np.str_)
    return values.astype(np.str_)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _texts(value: Any) -> list[str]:
    """Give an attribute's value as a list of texts: an array of strings, or one string with commas."""
    if isinstance(value, (str, bytes)):
        return [part.strip() for part in _text(value).split(",")]
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "SUO":
        return [_text(item).strip() for item in value]
    return []
