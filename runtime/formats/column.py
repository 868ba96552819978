"""A column: one value per sample, independent of the file format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Any

TableKey = tuple[str, int, int | None]
"""Identifies a table: its path, its number of rows, and its netCDF dimension (None if it has none)."""


class Column(ABC):
    """One value per sample. Each format has its own subclass, which its `File` can read.

    Attributes
    ----------
    name : str
        Name of the column; empty for a column of a matrix that does not name its columns.
    location : str
        Path, within the file, of the array that holds the column.
    label : str
        Distinguishes it from the other columns of that array: its name or its number; empty if it is the only one.
    number : tuple of int, or None
        Its position among the columns of the array, and their count; None if it is the only one.
    layout : str
        Description of how the file stores it.
    """

    name: str
    location: str
    label: str
    number: tuple[int, int] | None
    layout: str

    @property
    def path(self) -> str:
        """Path in the file as ``--map`` takes it, such as ``MST/Den``, ``A/GRA:Depth`` or ``data:3``."""
        return f"{self.location}:{self.label}" if self.label else self.location

    @property
    def paths(self) -> tuple[str, ...]:
        """All spellings of its path: a column of a matrix may also be given by its number."""
        return (self.path,) if self.number is None else (self.path, f"{self.location}:{self.number[0]}")

    @property
    @abstractmethod
    def group(self) -> str:
        """Path of the group that holds the array, with a leading slash; empty for the root."""

    @property
    @abstractmethod
    def table(self) -> TableKey:
        """The table that the column belongs to: columns of one table share their rows."""

    @property
    @abstractmethod
    def identity(self) -> Hashable:
        """Key that is equal for two columns with the same data under different names (links)."""

    @property
    @abstractmethod
    def length(self) -> int:
        """Number of samples."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that holds the column."""

    @property
    @abstractmethod
    def dtype(self) -> Any:
        """NumPy type of a value as stored."""

    @property
    @abstractmethod
    def is_number(self) -> bool:
        """Whether the values are integers or real floating-point numbers, and not codes for text."""

    @property
    @abstractmethod
    def is_text(self) -> bool:
        """Whether the values are text."""

    @property
    @abstractmethod
    def is_label(self) -> bool:
        """Whether the values can be part of a sample's address: numbers, or sufficiently short text."""

    @property
    @abstractmethod
    def is_pixels(self) -> bool:
        """Whether each sample is the mean of a row of pixels."""

    @property
    @abstractmethod
    def is_coordinate(self) -> bool:
        """Whether the file declares the column as the coordinate of a dimension (netCDF)."""

    @property
    @abstractmethod
    def unit(self) -> str | None:
        """Unit stated for this column; None if none is stated or it is blank."""

    @property
    @abstractmethod
    def table_unit(self) -> str | None:
        """A single unit stated for the whole array, with no column named; None if there is none."""

    @property
    @abstractmethod
    def text_width(self) -> int | None:
        """Length in characters of the longest text that the column can hold; None if its type does not limit it."""

    @property
    @abstractmethod
    def chunk_rows(self) -> int:
        """Number of rows per storage chunk; 1 if storage is contiguous."""

    @property
    @abstractmethod
    def row_bytes(self) -> int:
        """Bytes read per row, including the other columns of the array."""

    @property
    @abstractmethod
    def has_unwritten(self) -> bool:
        """Whether storage for some rows was allocated but never written."""

    @abstractmethod
    def stated(self, *names: str) -> str:
        """Return what the file states about this column under one of these names (``positive``); empty if nothing."""

    @abstractmethod
    def stated_above(self, *names: str) -> str:
        """Return what the column's group, or the whole file, states under one of these names; empty if nothing."""

    @abstractmethod
    def require_readable(self) -> None:
        """Check that the column is within the limits and can be decompressed.

        Raises
        ------
        ScanError
            If the column cannot be read.
        """

    @property
    def kind(self) -> str:
        """Type of the values, for messages: ``text``, or the name of the dtype."""
        return "text" if self.is_text else str(self.dtype).lstrip("|<>=")
