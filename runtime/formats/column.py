"""A column: one value per sample, whatever format holds it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Any

TableKey = tuple[str, int, int | None]
"""What tells one table from another: its path, its number of rows, and its netCDF dimension where it has one."""


class Column(ABC):
    """One value per sample. A format derives its own class, which its `File` can read.

    Attributes
    ----------
    name : str
        Its own name; empty for a column of a matrix that does not name its columns.
    location : str
        Path, in the file, of the array that holds it.
    label : str
        What tells it from the other columns of that array: its name, or its number; empty where it is the only one.
    number : tuple of int, or None
        Its position among the columns of the array, and how many there are; None where it is the only one.
    layout : str
        How the file holds it, in words.
    """

    name: str
    location: str
    label: str
    number: tuple[int, int] | None
    layout: str

    @property
    def path(self) -> str:
        """Path in the file, as ``MST/Den``, ``A/GRA:Depth`` or ``data:3``: what ``--map`` takes."""
        return f"{self.location}:{self.label}" if self.label else self.location

    @property
    def paths(self) -> tuple[str, ...]:
        """All spellings of its path: a column of a matrix may be given by its number, too."""
        return (self.path,) if self.number is None else (self.path, f"{self.location}:{self.number[0]}")

    @property
    @abstractmethod
    def group(self) -> str:
        """Path of the group that holds the array, with a leading slash; empty for the root."""

    @property
    @abstractmethod
    def table(self) -> TableKey:
        """The table that it belongs to: columns of one table share their rows."""

    @property
    @abstractmethod
    def identity(self) -> Hashable:
        """Equal for two columns that are the same data under different names (links)."""

    @property
    @abstractmethod
    def length(self) -> int:
        """Number of samples."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that holds it."""

    @property
    @abstractmethod
    def dtype(self) -> Any:
        """NumPy type of a value as stored."""

    @property
    @abstractmethod
    def is_number(self) -> bool:
        """Whether the values are integers or real floating-point numbers, not codes for texts."""

    @property
    @abstractmethod
    def is_text(self) -> bool:
        """Whether the values are text."""

    @property
    @abstractmethod
    def is_label(self) -> bool:
        """Whether the values can say where a sample is from: numbers, or texts that are short enough."""

    @property
    @abstractmethod
    def is_pixels(self) -> bool:
        """Whether a sample is the mean of a row of pixels."""

    @property
    @abstractmethod
    def is_coordinate(self) -> bool:
        """Whether the file declares it as the coordinate of a dimension (netCDF)."""

    @property
    @abstractmethod
    def unit(self) -> str | None:
        """Unit stated for this very column; None where none is, or a blank."""

    @property
    @abstractmethod
    def table_unit(self) -> str | None:
        """The one unit that is stated for all columns of the array: it does not say of which."""

    @property
    @abstractmethod
    def text_width(self) -> int | None:
        """Characters of the longest text that it can hold; None where its type does not tell."""

    @property
    @abstractmethod
    def chunk_rows(self) -> int:
        """Rows of a storage chunk; 1 where rows are stored one after the other."""

    @property
    @abstractmethod
    def row_bytes(self) -> int:
        """Bytes that are read for one row, those of its neighbours in the array included."""

    @property
    @abstractmethod
    def has_unwritten(self) -> bool:
        """Whether storage of some rows was set aside and never written."""

    @abstractmethod
    def stated(self, *names: str) -> str:
        """Give what the file states of this column under one of some names, as ``positive``; empty if nothing."""

    @abstractmethod
    def stated_above(self, *names: str) -> str:
        """Give what the group that holds it, or the whole file, states under one of some names; empty if nothing."""

    @abstractmethod
    def require_readable(self) -> None:
        """Make sure that it can be read: within the limits, and decompressed.

        Raises
        ------
        ScanError
            If it cannot.
        """

    @property
    def kind(self) -> str:
        """What its values are, for messages: ``text``, or the name of their type."""
        return "text" if self.is_text else str(self.dtype).lstrip("|<>=")
