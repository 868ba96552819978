"""A column: a place in an HDF5 file that could hold one value per sample, and what the file says of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .attributes import as_numbers, as_text, as_texts, find_attributes
from .errors import ScanError

UNIT_ATTRIBUTES = ("units", "unit")
FILL_ATTRIBUTES = ("missingvalue", "fillvalue")


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
    label : str
        What tells it from the dataset's other columns: its name, or its number where the names do not.
    """

    dataset: Any
    field: str | int | None
    name: str
    label: str = ""

    @property
    def path(self) -> str:
        """Path in the file, as ``MST/Den``, ``A/GRA:Depth`` or ``data:3``: what ``--map`` takes."""
        place = str(self.dataset.name).lstrip("/")
        return place if self.field is None else f"{place}:{self.label}"

    @property
    def group(self) -> str:
        """Path of the group that holds the dataset."""
        return str(self.dataset.name).rpartition("/")[0]

    @property
    def table(self) -> tuple[str, int]:
        """Name of the table that it belongs to: its group and length, or its dataset where that is a table itself."""
        return (self.group if self.field is None else str(self.dataset.name)), self.length

    @property
    def identity(self) -> tuple[Any, ...]:
        """Equal for two columns that are the same data under different names (links)."""
        info = h5py.h5o.get_info(self.dataset.id)
        return info.fileno, info.addr, self.field

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
        for value in find_attributes(self.dataset, *UNIT_ATTRIBUTES):
            if self.field is None:
                return as_text(value)
            texts, fields = as_texts(value), list(self.dataset.dtype.names or range(self.dataset.shape[1]))
            if len(texts) == len(fields):
                return texts[fields.index(self.field)]
        return None

    @cached_property
    def table_unit(self) -> str | None:
        """The one unit that a compound or 2-D dataset states: of which of its columns, it does not say."""
        values = find_attributes(self.dataset, *UNIT_ATTRIBUTES) if self.field is not None else []
        return next((text for value in values if (text := as_text(value)) is not None), None)

    @cached_property
    def fills(self) -> tuple[float, ...]:
        """Fill values that the dataset declares, as stored."""
        found = [number for value in find_attributes(self.dataset, *FILL_ATTRIBUTES) for number in as_numbers(value)]
        if self.dataset.id.get_create_plist().fill_value_defined() == h5py.h5d.FILL_VALUE_USER_DEFINED:
            fill = self.dataset.fillvalue
            found += as_numbers(fill[self.field] if isinstance(self.field, str) else fill)
        return tuple(found)

    @cached_property
    def packing(self) -> tuple[float, float]:
        """``scale_factor`` and ``add_offset`` of the CF conventions: value = stored * scale_factor + add_offset.

        Raises
        ------
        ScanError
            If either is there but is not a number.
        """
        return self._one_number("scalefactor", 1.0), self._one_number("addoffset", 0.0)

    def _one_number(self, name: str, default: float) -> float:
        for value in find_attributes(self.dataset, name):
            numbers = as_numbers(value)
            if len(numbers) != 1:
                file = self.dataset.file.filename
                raise ScanError(f"{file}: {self.path} is packed by {name} {value!r}, which is not a number", file)
            return numbers[0]
        return default

    @property
    def chunk_rows(self) -> int:
        """Rows of a storage chunk; 1 where the dataset is contiguous."""
        return int(self.dataset.chunks[0]) if self.dataset.chunks else 1

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of the dataset."""
        return int(self.dataset.dtype.itemsize) * (int(self.dataset.shape[1]) if self.dataset.ndim == 2 else 1)

    @cached_property
    def unwritten(self) -> NDArray[np.bool_]:
        """Which storage chunks (by row) were never written: they read as zeros that nobody measured.

        One element, for all rows, where the dataset is contiguous.
        """
        dataset = self.dataset
        if not self.length:
            return np.zeros(1, np.bool_)
        if not dataset.chunks:
            return np.array([dataset.id.get_storage_size() == 0])
        grid = [-(-n // size) for n, size in zip(dataset.shape, dataset.chunks, strict=True)]
        if dataset.id.get_num_chunks() == np.prod(grid):
            return np.zeros(grid[0], np.bool_)
        written = np.zeros(grid, np.bool_)

        def mark(chunk: Any) -> None:
            written[tuple(o // size for o, size in zip(chunk.chunk_offset, dataset.chunks, strict=True))] = True

        dataset.id.chunk_iter(mark)
        return ~(written[:, self.field // dataset.chunks[1]] if isinstance(self.field, int) else written)
