"""A column of an HDF5 file: a dataset, or a part of it, with one value per sample, and its metadata."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import letters
from lithovae.runtime.formats.codes import Coding
from lithovae.runtime.formats.column import Column, TableKey

from .attributes import as_text, as_texts, find_attributes, first_text, named_attributes
from .declared import coding_of
from .filters import require_filters
from .legend import Legend
from .limits import MAX_LABEL_BYTES, require_bounded
from .links import identity
from .selection import ACROSS, Selection
from .short_texts import is_text

UNIT_ATTRIBUTES = ("units", "unit")
PLAIN = "1-D datasets"


@dataclass(frozen=True, eq=False)
class Hdf5Column(Column):
    """One value per sample, wherever a dialect stores it.

    Attributes
    ----------
    dataset : h5py.Dataset
        The dataset that holds the column.
    name, label, number, layout
        See `lithovae.runtime.formats.column.Column`.
    selection : Selection
        The part of the dataset that is the column.
    home : str or None
        Path of the group or dataset whose columns of the same length form a table; None for the dataset's group.
    dimension : int or None
        Identifier of the netCDF dimension of its rows: columns along different dimensions do not form a table.
    stated_unit : str or None
        Unit that the dialect states outside the dataset's own attributes.
    rows : int or None
        Number of rows that are used; None for all.
    categories : ndarray, or None
        What the stored numbers stand for, as codes from 0: texts or float64.
    held : ndarray, or None
        The values, where the dataset is not an array of them: texts, or a type without values if they cannot be read.
    unreadable : str
        What the column holds, for messages, if it cannot be read.
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
    categories: NDArray[Any] | None = None
    held: NDArray[Any] | None = None
    unreadable: str = ""
    _path: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_path", str(self.dataset.name))  # a closed file has no names

    @property
    def location(self) -> str:
        """Path of the dataset, without the leading slash."""
        return self._path.lstrip("/")

    @property
    def group(self) -> str:
        """Path of the group that holds the dataset."""
        return self._path.rpartition("/")[0]

    @property
    def table(self) -> TableKey:
        """The home, the length and the dimension."""
        return self.group if self.home is None else self.home, self.length, self.dimension

    @property
    def identity(self) -> Hashable:
        """Key that is equal for two columns with the same data under different names (links)."""
        return *identity(self.dataset), self.selection

    @property
    def length(self) -> int:  # type: ignore[override]  # asked of the file: a growing one has more later
        """Number of samples."""
        if self.held is not None:
            return len(self.held)
        return int(self.dataset.shape[self.selection.axis]) if self.rows is None else self.rows

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the dataset."""
        return tuple(self.dataset.shape)

    @cached_property
    def stored_dtype(self) -> Any:
        """Type of a value as stored: of its code, if it has a legend."""
        dtype = self.dataset.dtype
        for name in self.selection.field:
            dtype = dtype[name]
        return dtype.base

    @cached_property
    def legend(self) -> Legend | None:
        """What the stored codes stand for; None if the column stores its values."""
        if self.held is not None:
            return None
        if self.categories is not None:
            return Legend.of_categories(self.categories)
        if (legend := Legend.of_enum(self.dataset, self.stored_dtype)) is not None:
            return legend
        is_whole = self.number is None and self.stored_dtype.kind in "iu"
        return Legend.of_flags(self.dataset) if is_whole else None

    @cached_property
    def dtype(self) -> Any:
        """Type of a value: as stored, or as the legend gives it."""
        if self.held is not None:
            return self.held.dtype
        return self.legend.values.dtype if self.legend else self.stored_dtype

    @property
    def is_number(self) -> bool:
        """Whether the values are integers or real floating-point numbers, and not codes for text."""
        return self.dtype.kind in "iuf" and not self.is_text

    @cached_property
    def is_text(self) -> bool:
        """Whether the values are text, of fixed or variable length."""
        if self.dtype.kind == "U":
            return True
        if self.dtype.kind in "iu":  # MATLAB stores characters as integers
            return self.dtype.itemsize == 2 and "char" in map(as_text, find_attributes(self.dataset, "matlabclass"))
        return is_text(self.dtype)

    @property
    def is_label(self) -> bool:
        """Whether the values can be part of a sample's address: numbers, or text of at most `MAX_LABEL_BYTES`."""
        n_bytes = self.dtype.itemsize // (4 if self.dtype.kind == "U" else 1)
        return (self.is_text or self.is_number) and bool(n_bytes <= MAX_LABEL_BYTES)

    @property
    def kind(self) -> str:
        """Type of the values, for messages."""
        if self.unreadable:
            return self.unreadable
        if self.is_text and not self.is_label:
            return f"texts of {self.dtype.itemsize:,} bytes"
        return "labels" if self.legend and self.is_text else super().kind

    @property
    def is_pixels(self) -> bool:
        """Whether each value comes from a row of an image, or from a line of characters."""
        return self.selection.is_line

    @property
    def is_coordinate(self) -> bool:
        """Whether the dataset is a netCDF coordinate variable."""
        return first_text(self.dataset, "class") == "DIMENSION_SCALE"

    @cached_property
    def unit(self) -> str | None:  # type: ignore[override]  # read when it is asked for
        """Unit stated for this column; None if none is stated or it is blank (the name may still contain one)."""
        if self.stated_unit:
            return self.stated_unit
        own: list[str] = []
        if self.number is not None:  # depth_units, or FIELD_0_UNITS like FIELD_0_NAME of PyTables
            starts = [start for start in (letters(self.name), f"field{self.number[0]}") if start]
            own = [start + end for start in starts for end in UNIT_ATTRIBUTES]
        stated = named_attributes(self.dataset, (*own, *UNIT_ATTRIBUTES))
        for name, value in stated:
            if name in own and (text := as_text(value)):
                return text
        for name, value in stated:
            if name not in UNIT_ATTRIBUTES:
                continue
            texts = [as_text(value)] if self.number is None else as_texts(value)
            if len(texts) == (1 if self.number is None else self.number[1]):
                return texts[self.number[0] if self.number else 0] or None
        return None

    @cached_property
    def table_unit(self) -> str | None:
        """A single unit stated for a whole compound or 2-D dataset, without saying which column it applies to."""
        values = find_attributes(self.dataset, *UNIT_ATTRIBUTES) if self.number is not None else []
        return next((text for value in values if (text := as_text(value))), None)

    @cached_property
    def coding(self) -> Coding:
        """Conversion of stored numbers to values.

        Raises
        ------
        ScanError
            If the file declares something that is not a number.
        """
        return coding_of(self.dataset, self.selection.field, self.path)

    @property
    def text_width(self) -> int | None:
        """Length in characters of the longest text that the column can hold; None if its type does not limit it."""
        if self.dtype.kind == "U":
            return max(1, int(self.dtype.itemsize) // 4)
        if self.dtype.kind == "S" and not self.selection.is_line:
            return max(1, int(self.dtype.itemsize))
        if self.is_number and self.dtype.kind in "iu":
            info = np.iinfo(self.dtype)
            return max(len(str(int(info.min))), len(str(int(info.max))))
        return None

    @property
    def chunk_rows(self) -> int:
        """Number of rows per storage chunk; 1 if the dataset is contiguous."""
        return int(self.dataset.chunks[self.selection.axis]) if self.dataset.chunks and self.held is None else 1

    @property
    def row_bytes(self) -> int:
        """Bytes per row of the dataset; for a row of several values (pixels), at least 8 bytes per value (float64)."""
        if self.held is not None:
            return max(1, int(self.held.itemsize))
        others = [n for i, n in enumerate(self.dataset.shape) if i != self.selection.axis]
        size = max(int(self.dataset.dtype.itemsize), 8 * self.selection.is_line)
        return max(1, int(math.prod(others)) * size)

    @property
    def has_unwritten(self) -> bool:
        """Whether some storage chunks were never written."""
        return bool(self.unwritten.any())

    @cached_property
    def unwritten(self) -> NDArray[np.bool_]:
        """Which storage chunks, along the rows, were never written: they read as zeros that were not measured.

        A single element, for all rows, if the dataset is contiguous.
        """
        dataset = self.dataset
        if not self.length or self.held is not None:
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
        chunk_index = tuple(
            at // size if isinstance(at, int) else slice(None)
            for at, size in zip(self.selection.index, dataset.chunks, strict=False)
        )
        of_rows: NDArray[np.bool_] = np.asarray(written[chunk_index])
        if self.selection.is_line:
            of_rows = np.asarray(of_rows.all(axis=1 if self.selection.index.index(ACROSS) > axis else 0))
        return np.asarray(~of_rows)

    def closed(self, what: str, length: int | None = None) -> Hdf5Column:
        """Return a column of which only the name is known, because what it holds cannot be read.

        It is kept because its name may say that rows are from different places.
        """
        held = np.broadcast_to(np.void(b"\0"), self.length if length is None else length)
        return replace(self, held=held, unreadable=what)

    def stated(self, *names: str) -> str:
        """Return the first text among the dataset's attributes with these names; empty if there is none."""
        return first_text(self.dataset, *names)

    def stated_above(self, *names: str) -> str:
        """Return the first such text among the attributes of the group, then of the file; empty if there is none."""
        groups = self.dataset.parent, self.dataset.file["/"]
        return next((text for group in groups if (text := first_text(group, *names))), "")

    def require_readable(self) -> None:
        """Check that the column is within the limits and can be decompressed.

        Raises
        ------
        ScanError
            If it is beyond a limit, or compressed with a filter that is not available.
        """
        if self.held is not None:
            return
        require_bounded(self)
        require_filters(self.dataset)
