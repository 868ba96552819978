"""A column: one value per sample, whatever format holds it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

TableKey = tuple[str, int, int | None]
"""Identifies a table: its path, its number of rows, and its netCDF dimension (None if it has none)."""


class Column:
    """One value per sample. Each format has its own subclass, which its `File` can read.

    A subclass defines ``name``, ``layout``, ``length`` and ``unit``. It overrides the defaults below only where its
    format states more.

    Attributes
    ----------
    name : str
        Name of the column; empty for a column of a matrix that does not name its columns.
    layout : str
        Description of how the file stores it.
    length : int
        Number of samples.
    unit : str or None
        Unit stated for this column; None if none is stated, or a blank.
    label : str
        Distinguishes it from the other columns of its array: its name or its number; empty if it is the only one.
    is_namesake : bool
        Whether another column of its table has the same name.
    number : tuple of int, or None
        Its position among the columns of its array, and their count; None if it is the only one.
    """

    name: str
    layout: str
    length: int
    unit: str | None
    label: str = ""
    is_namesake: bool = False
    number: tuple[int, int] | None = None

    @property
    def dtype(self) -> Any:
        """NumPy type of a value as stored."""
        return np.dtype(np.float64)

    @property
    def location(self) -> str:
        """Path, in the file, of the array that holds it."""
        return self.name

    @property
    def array(self) -> str:
        """Identifies what is read as a whole where one of its columns is read."""
        return self.location

    @property
    def path(self) -> str:
        """Path in the file as ``--map`` takes it, such as ``MST/Den``, ``A/GRA:Depth`` or ``data:3``."""
        return f"{self.location}:{self.label}" if self.label else self.location

    @property
    def paths(self) -> tuple[str, ...]:
        """All spellings of its path: a column of a matrix may also be given by its number."""
        return (self.path,) if self.number is None else (self.path, f"{self.location}:{self.number[0]}")

    @property
    def group(self) -> str:
        """Path of the group that holds the array, with a leading slash; empty for the root."""
        return ""

    @property
    def table(self) -> TableKey:
        """The table that the column belongs to: columns of one table share their rows."""
        return self.group, self.length, None

    @property
    def identity(self) -> Hashable:
        """Key that is equal for two columns with the same data under different names (links)."""
        return self.paths

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that holds the column."""
        return (self.length,)

    @property
    def is_text(self) -> bool:
        """Whether the values are text."""
        return bool(self.dtype.kind in "SUT")

    @property
    def is_number(self) -> bool:
        """Whether the values are integers or real floating-point numbers, and not codes for text."""
        return bool(self.dtype.kind in "iuf") and not self.is_text

    @property
    def is_label(self) -> bool:
        """Whether the values can be part of a sample's address: numbers, or sufficiently short text."""
        return self.is_number or self.is_text

    @property
    def is_pixels(self) -> bool:
        """Whether each sample is the mean of a row of pixels."""
        return False

    @property
    def is_coordinate(self) -> bool:
        """Whether the file declares the column as the coordinate of a dimension (netCDF)."""
        return False

    @property
    def table_unit(self) -> str | None:
        """A single unit stated for the whole array, with no column named; None if there is none."""
        return None

    @property
    def text_width(self) -> int | None:
        """Length in characters of the longest text that the column can hold; None if its type does not limit it."""
        return None

    @property
    def chunk_rows(self) -> int:
        """Number of rows per storage chunk; 1 if storage is contiguous."""
        return 1

    @property
    def row_bytes(self) -> int:
        """Bytes read per row, including the other columns of the array."""
        return int(self.dtype.itemsize)

    @property
    def has_unwritten(self) -> bool:
        """Whether storage for some rows was allocated but never written."""
        return False

    def stated(self, *names: str) -> str:
        """Return what the file states about this column under one of these names (``positive``); empty if nothing."""
        return ""

    def stated_above(self, *names: str) -> str:
        """Return what the column's group, or the whole file, states under one of these names; empty if nothing."""
        return ""

    def require_readable(self) -> None:
        """Check that the column is within the limits and can be decompressed.

        Raises
        ------
        ScanError
            If the column cannot be read.
        """

    @property
    def without_names(self) -> str:
        """What is wrong and what to do where the columns of its array have no names."""
        return (
            f"{self.location} {self.shape} does not say what its columns are: name them in an attribute 'columns', or "
            f"map each one, as in --map 'density={self.path}'"
        )

    @property
    def kind(self) -> str:
        """Type of the values, for messages: ``text``, or the name of the dtype."""
        return "text" if self.is_text else str(self.dtype).lstrip("|<>=")
