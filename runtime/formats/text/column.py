"""A column of a table in text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lithovae.runtime.formats.column import Column


@dataclass(frozen=True, eq=False)
class TextColumn(Column):
    """One cell of each row.

    Attributes
    ----------
    name, layout, length, unit, number
        As of `lithovae.runtime.formats.column.Column`.
    holds_numbers : bool
        Whether its cells are numbers.
    block_rows, mean_bytes : int
        Rows that are read at once, and bytes of a row.
    is_namesake : bool
        Whether another column of the table has the same name.
    word : str
        A cell that is no number; blank if none has been seen.
    """

    name: str
    layout: str
    length: int
    unit: str | None
    holds_numbers: bool
    block_rows: int
    mean_bytes: int
    number: tuple[int, int] | None = None
    is_namesake: bool = False
    word: str = ""

    @property
    def location(self) -> str:
        """The name, or the number where there is none: what ``--map`` takes."""
        return self.name or str(self.position)

    @property
    def label(self) -> str:  # type: ignore[override]
        """The number of a column whose name others have too."""
        return str(self.position) if self.is_namesake else ""

    @property
    def position(self) -> int:
        """Number of the column in the table, from 0."""
        return self.number[0] if self.number else 0

    @property
    def array(self) -> str:
        """All columns are in the lines of the file."""
        return ""

    @property
    def paths(self) -> tuple[str, ...]:
        """All spellings of its path: its name, and its number."""
        return self.path, str(self.position), *([self.location] if self.is_namesake else [])

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns of the table."""
        return self.length, self.number[1] if self.number else 1

    @property
    def dtype(self) -> Any:
        """float64, or that of Python's texts."""
        return np.dtype(np.float64 if self.holds_numbers else np.str_)

    @property
    def is_text(self) -> bool:
        """Whether its cells are texts."""
        return not self.holds_numbers

    @property
    def kind(self) -> str:
        """Text, and an example of it."""
        return f"text ({self.word[:40]!r})" if self.is_text and self.word else super().kind

    @property
    def without_names(self) -> str:
        """What to do where a table has no headings."""
        return (
            "the table has no headings, so that it does not say what its columns are: write a line of names above its "
            "first row, or map columns by their number, from 0, as in --map depth=0 --map MS=1"
        )

    @property
    def chunk_rows(self) -> int:
        """Rows that are read at once."""
        return self.block_rows

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of the file."""
        return self.mean_bytes
