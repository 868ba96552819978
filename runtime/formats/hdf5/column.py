"""A column: a place in an HDF5 file that could hold one value per sample, and what the file says of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import letters

from .attributes import as_text, as_texts, find_attributes
from .coding import Coding, coding_of
from .selection import ACROSS, Selection

UNIT_ATTRIBUTES = ("units", "unit")
PLAIN = "1-D datasets"


@dataclass(frozen=True, eq=False)
class Column:
    """One value per sample, wherever a layout keeps it.

    Attributes
    ----------
    dataset : h5py.Dataset
        Where it lives.
    name : str
        Its own name; empty for a column of a matrix that does not name its columns.
    selection : Selection
        Which part of the dataset it is.
    label : str
        What tells it from the dataset's other columns: its name, or its number where the names do not; empty where
        the dataset is one column.
    number : tuple of int, or None
        It is number so and so of how many columns of the dataset; None where the dataset is one column.
    layout : str
        The layout, in words.
    home : str or None
        Path of the group or dataset whose columns of the same length make a table; None for the dataset's group.
    dimension : int or None
        Identifier of the netCDF dimension along which its rows lie: columns along different ones make no table.
    stated_unit : str or None
        Unit that the layout states elsewhere than in the dataset's own attributes.
    ends : ndarray of shape (n,), int64, or None
        Where each value stands for several samples: the sample before which its turn ends.
    place : str
        Path of the dataset, as messages give it.
    """

    dataset: Any
    name: str
    selection: Selection = field(default_factory=Selection)
    label: str = ""
    number: tuple[int, int] | None = None
    layout: str = PLAIN
    home: str | None = None
    dimension: int | None = None
    stated_unit: str | None = None
    ends: NDArray[np.int64] | None = None
    place: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "place", str(self.dataset.name).lstrip("/"))  # a closed file does not know it

    @property
    def path(self) -> str:
        """Path in the file, as ``MST/Den``, ``A/GRA:Depth`` or ``data:3``: what ``--map`` takes."""
        return f"{self.place}:{self.label}" if self.label else self.place

    @property
    def paths(self) -> tuple[str, ...]:
        """All spellings of its path: a column of a matrix may be given by its number, too."""
        return (self.path,) if self.number is None else (self.path, f"{self.place}:{self.number[0]}")

    @property
    def group(self) -> str:
        """Path of the group that holds the dataset."""
        return str(self.dataset.name).rpartition("/")[0]

    @property
    def table(self) -> tuple[str, int, int | None]:
        """What tells its table from others: the home, the length and the dimension of its columns."""
        return self.group if self.home is None else self.home, self.length, self.dimension

    @property
    def identity(self) -> tuple[Any, ...]:
        """Equal for two columns that are the same data under different names (links)."""
        info = h5py.h5o.get_info(self.dataset.id)
        return info.fileno, info.addr, self.selection

    @property
    def length(self) -> int:
        """Number of samples."""
        if self.ends is not None:
            return int(self.ends[-1]) if len(self.ends) else 0
        return int(self.dataset.shape[self.selection.axis])

    @cached_property
    def dtype(self) -> Any:
        """Type of a value as stored."""
        dtype = self.dataset.dtype
        for name in self.selection.field:
            dtype = dtype[name]
        return dtype.base

    @property
    def is_number(self) -> bool:
        """Whether the values are integers or real floating-point numbers (and no codes for texts)."""
        return self.dtype.kind in "iuf" and h5py.check_enum_dtype(self.dtype) is None and not self.is_text

    @cached_property
    def is_text(self) -> bool:
        """Whether the values are text, of fixed or variable length."""
        if self.dtype.kind in "iu":  # MATLAB's characters
            return self.dtype.itemsize == 2 and "char" in map(as_text, find_attributes(self.dataset, "matlabclass"))
        return self.dtype.kind == "S" or h5py.check_string_dtype(self.dtype) is not None

    @cached_property
    def unit(self) -> str | None:
        """Unit that is stated for this very column, None where none is: a blank one says nothing, its name may."""
        if self.stated_unit:
            return self.stated_unit
        if self.number is not None:  # depth_units, and FIELD_0_UNITS beside PyTables' FIELD_0_NAME
            starts = [start for start in (letters(self.name), f"field{self.number[0]}") if start]
            for value in find_attributes(self.dataset, *(start + end for start in starts for end in UNIT_ATTRIBUTES)):
                if text := as_text(value):
                    return text
        for value in find_attributes(self.dataset, *UNIT_ATTRIBUTES):
            texts = [as_text(value)] if self.number is None else as_texts(value)
            if len(texts) == (1 if self.number is None else self.number[1]):
                return texts[self.number[0] if self.number else 0] or None
        return None

    @cached_property
    def table_unit(self) -> str | None:
        """The one unit that a compound or 2-D dataset states: of which of its columns, it does not say."""
        values = find_attributes(self.dataset, *UNIT_ATTRIBUTES) if self.number is not None else []
        return next((text for value in values if (text := as_text(value))), None)

    @cached_property
    def coding(self) -> Coding:
        """What turns stored numbers into values.

        Raises
        ------
        ScanError
            If the file declares something that is not a number.
        """
        return coding_of(self.dataset, self.selection.field, self.path)

    @property
    def chunk_rows(self) -> int:
        """Rows of a storage chunk; 1 where the dataset is contiguous."""
        return int(self.dataset.chunks[self.selection.axis]) if self.dataset.chunks and self.ends is None else 1

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of the dataset; of a row of several values, once they are numbers."""
        others = [n for i, n in enumerate(self.dataset.shape) if i != self.selection.axis]
        size = max(int(self.dataset.dtype.itemsize), 8 * self.selection.is_line)
        return max(1, int(math.prod(others)) * size)

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
        axis = self.selection.axis
        if dataset.id.get_num_chunks() == np.prod(grid):
            return np.zeros(grid[axis], np.bool_)
        written = np.zeros(grid, np.bool_)

        def mark(chunk: Any) -> None:
            written[tuple(o // size for o, size in zip(chunk.chunk_offset, dataset.chunks, strict=True))] = True

        dataset.id.chunk_iter(mark)
        places = tuple(
            at // size if isinstance(at, int) else slice(None)
            for at, size in zip(self.selection.index, dataset.chunks, strict=False)
        )
        of_rows: NDArray[np.bool_] = np.asarray(written[places])
        if self.selection.is_line:
            of_rows = np.asarray(of_rows.all(axis=1 if self.selection.index.index(ACROSS) > axis else 0))
        return np.asarray(~of_rows)
