"""A column of an HDF5 file: a place in a dataset that could hold one value per sample, and what the file says of it."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import letters
from lithovae.runtime.formats.codes import Coding
from lithovae.runtime.formats.column import Column, TableKey

from .attributes import as_text, as_texts, find_attributes, first_text
from .declared import coding_of
from .filters import require_filters
from .limits import MAX_LABEL_BYTES, require_bounded
from .links import identity
from .selection import ACROSS, Selection
from .short_texts import is_text

UNIT_ATTRIBUTES = ("units", "unit")
PLAIN = "1-D datasets"


@dataclass(frozen=True, eq=False)
class Hdf5Column(Column):
    """One value per sample, wherever a dialect keeps it.

    Attributes
    ----------
    dataset : h5py.Dataset
        Where it lives.
    name, label, number, layout
        As of `lithovae.runtime.formats.column.Column`.
    selection : Selection
        Which part of the dataset it is.
    home : str or None
        Path of the group or dataset whose columns of the same length make a table; None for the dataset's group.
    dimension : int or None
        Identifier of the netCDF dimension along which its rows lie: columns along different ones make no table.
    stated_unit : str or None
        Unit that the dialect states elsewhere than in the dataset's own attributes.
    rows : int or None
        Number of rows that are used; None for all.
    location : str
        Path of the dataset, without the leading slash.
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
    rows: int | None = None
    location: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "location", str(self.dataset.name).lstrip("/"))  # a closed file does not know it

    @property
    def group(self) -> str:
        """Path of the group that holds the dataset."""
        return str(self.dataset.name).rpartition("/")[0]

    @property
    def table(self) -> TableKey:
        """The home, the length and the dimension."""
        return self.group if self.home is None else self.home, self.length, self.dimension

    @property
    def identity(self) -> Hashable:
        """Equal for two columns that are the same data under different names (links)."""
        return *identity(self.dataset), self.selection

    @property
    def length(self) -> int:
        """Number of samples."""
        return int(self.dataset.shape[self.selection.axis]) if self.rows is None else self.rows

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the dataset."""
        return tuple(self.dataset.shape)

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
        return is_text(self.dtype)

    @property
    def is_label(self) -> bool:
        """Whether the values can say where a sample is from: numbers, or texts that are short enough."""
        return (self.is_text or self.is_number) and bool(self.dtype.itemsize <= MAX_LABEL_BYTES)

    @property
    def is_pixels(self) -> bool:
        """Whether a row of an image, or a line of characters, makes a value."""
        return self.selection.is_line

    @property
    def is_coordinate(self) -> bool:
        """Whether the dataset is a netCDF coordinate variable."""
        return first_text(self.dataset, "class") == "DIMENSION_SCALE"

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
    def text_width(self) -> int | None:
        """Characters of the longest text that it can hold; None where its type does not tell."""
        if self.dtype.kind == "S" and not self.selection.is_line:
            return max(1, int(self.dtype.itemsize))
        if self.is_number and self.dtype.kind in "iu":
            info = np.iinfo(self.dtype)
            return max(len(str(int(info.min))), len(str(int(info.max))))
        return None

    @property
    def chunk_rows(self) -> int:
        """Rows of a storage chunk; 1 where the dataset is contiguous."""
        return int(self.dataset.chunks[self.selection.axis]) if self.dataset.chunks else 1

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of the dataset; of a row of several values, once they are numbers."""
        others = [n for i, n in enumerate(self.dataset.shape) if i != self.selection.axis]
        size = max(int(self.dataset.dtype.itemsize), 8 * self.selection.is_line)
        return max(1, int(math.prod(others)) * size)

    @property
    def has_unwritten(self) -> bool:
        """Whether some storage chunks were never written."""
        return bool(self.unwritten.any())

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

    def stated(self, *names: str) -> str:
        """Give the first text among the dataset's attributes of some names; empty where there is none."""
        return first_text(self.dataset, *names)

    def stated_above(self, *names: str) -> str:
        """Give the first text among the attributes of the group, and of the file; empty where there is none."""
        groups = self.dataset.parent, self.dataset.file["/"]
        return next((text for group in groups if (text := first_text(group, *names))), "")

    def require_readable(self) -> None:
        """Make sure that it is within the limits, and can be decompressed.

        Raises
        ------
        ScanError
            If it is not, or cannot.
        """
        require_bounded(self)
        require_filters(self.dataset)
