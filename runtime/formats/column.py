"""A column: one value per sample, whatever format holds it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

TableKey = tuple[str, int, int | None]
"""What tells one table from another: its path, its number of rows, and its netCDF dimension where it has one."""


class Column:
    """One value per sample. A format derives its own class, which its `File` can read.

    A format has to define ``name``, ``layout``, ``length`` and ``unit``. What it states of its columns beyond that, it
    defines in place of the defaults here.

    Attributes
    ----------
    name : str
        Its own name; empty for a column of a matrix that does not name its columns.
    layout : str
        How the file holds it, in words.
    length : int
        Number of samples.
    unit : str or None
        Unit stated for this very column; None where none is, or a blank.
    label : str
        What tells it from the other columns of its array: its name, or its number; empty where it is the only one.
    number : tuple of int, or None
        Its position among the columns of its array, and how many there are; None where it is the only one.
    """

    name: str
    layout: str
    length: int
    unit: str | None
    label: str = ""
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
    def path(self) -> str:
        """Path in the file, as ``MST/Den``, ``A/GRA:Depth`` or ``data:3``: what ``--map`` takes."""
        return f"{self.location}:{self.label}" if self.label else self.location

    @property
    def paths(self) -> tuple[str, ...]:
        """All spellings of its path: a column of a matrix may be given by its number, too."""
        return (self.path,) if self.number is None else (self.path, f"{self.location}:{self.number[0]}")

    @property
    def group(self) -> str:
        """Path of the group that holds its array, with a leading slash; empty for the root."""
        return ""

    @property
    def table(self) -> TableKey:
        """The table that it belongs to: columns of one table share their rows."""
        return self.group, self.length, None

    @property
    def identity(self) -> Hashable:
        """Equal for two columns that are the same data under different names (links)."""
        return self.paths

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array that holds it."""
        return (self.length,)

    @property
    def is_text(self) -> bool:
        """Whether the values are text."""
        return bool(self.dtype.kind in "SUT")

    @property
    def is_number(self) -> bool:
        """Whether the values are integers or real floating-point numbers, not codes for texts."""
        return bool(self.dtype.kind in "iuf") and not self.is_text

    @property
    def is_label(self) -> bool:
        """Whether the values can say where a sample is from: numbers, or texts that are short enough."""
        return self.is_number or self.is_text

    @property
    def is_pixels(self) -> bool:
        """Whether a sample is the mean of a row of pixels."""
        return False

    @property
    def is_coordinate(self) -> bool:
        """Whether the file declares it as the coordinate of a dimension (netCDF)."""
        return False

    @property
    def table_unit(self) -> str | None:
        """The one unit that is stated for all columns of the array: it does not say of which."""
        return None

    @property
    def text_width(self) -> int | None:
        """Characters of the longest text that it can hold; None where its type does not tell."""
        return None

    @property
    def chunk_rows(self) -> int:
        """Rows that are stored, and so are read, together; 1 where rows are stored one after the other."""
        return 1

    @property
    def row_bytes(self) -> int:
        """Bytes that are read for one row, those of its neighbours in the array included."""
        return int(self.dtype.itemsize)

    @property
    def has_unwritten(self) -> bool:
        """Whether storage of some rows was set aside and never written."""
        return False

    def stated(self, *names: str) -> str:
        """Give what the file states of this column under one of some names, as ``positive``; empty if nothing."""
        return ""

    def stated_above(self, *names: str) -> str:
        """Give what the group that holds it, or the whole file, states under one of some names; empty if nothing."""
        return ""

    def require_readable(self) -> None:  # noqa: B027 (most formats have nothing to check)
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
