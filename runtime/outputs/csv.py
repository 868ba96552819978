"""Writes a result as CSV: UTF-8, commas, one heading a column, an empty cell where a value is missing."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.process.heartbeat import advanced
from lithovae.runtime.result import Columns, ResultColumn, ResultSchema

from .stored import Stored, stored_cells
from .whole_file import whole_file

PIECE_ROWS = 4096
"""Rows whose cells are in memory as text at once."""


@contextmanager
def open_whole(path: Path, schema: ResultSchema, n_rows: int, *, fewer: bool) -> Iterator[CsvWriter]:
    """Open a CSV for the rows of a result; see `lithovae.runtime.outputs.writer.WholeFormat`."""
    with whole_file(path) as file:
        yield CsvWriter(file, schema)


class CsvWriter:
    """Writes blocks of rows as lines.

    Parameters
    ----------
    file : file
        Receives the lines.
    schema : ResultSchema
        The columns.
    """

    def __init__(self, file: IO[bytes], schema: ResultSchema) -> None:
        self._file, self._columns = file, schema.columns
        headings = [heading for column in schema.columns for heading in column.headings]
        self._file.write(_lines([[_quoted(heading)] for heading in headings]))

    def pack(self, blocks: Columns) -> bytes:
        """Format a block of rows. Any thread may call this, in any order."""
        n, pieces = len(blocks[self._columns[0].name]), []
        for start in range(0, n, PIECE_ROWS):
            advanced()
            rows = slice(start, start + PIECE_ROWS)
            pieces.append(_lines([cells for each in self._columns for cells in _cells(blocks[each.name][rows], each)]))
        return b"".join(pieces)

    def write(self, packed: bytes) -> None:
        """Append a prepared block."""
        self._file.write(packed)

    def state(self, about: Mapping[str, Any]) -> None:
        """Do nothing: a CSV with lines that are no rows is not one that other programs read."""


def _lines(columns: Sequence[Sequence[str]]) -> bytes:
    rows = (",".join(cells) for cells in zip(*columns, strict=True))
    return "".join(f"{row}\n" if row.strip(",") else f"{row}NaN\n" for row in rows).encode()  # none is a blank line


def _cells(values: NDArray[Any], described: ResultColumn) -> Iterator[list[str]]:
    """Yield the cells of each column of values, shape (n,) or (n, k)."""
    names = {code: _quoted(name) for code, name in enumerate(described.categories)}
    for column in [values] if values.ndim == 1 else values.T:
        if names:
            yield [names.get(code, "") for code in column.tolist()]
        elif column.dtype.kind == "f":
            is_there = np.isfinite(column).tolist()
            yield [text if there else "" for text, there in zip(shortest(column), is_there, strict=True)]
        elif column.dtype.kind == "U":
            found = column.tolist()
            quoted = {text: _quoted(text) for text in set(found)}
            yield [quoted[text] for text in found]
        else:
            yield list(map(str, column.tolist()))


def shortest(numbers: NDArray[Any]) -> list[str]:
    """Return each number with as few digits as distinguish it from its neighbours of the same type."""
    return [text.removesuffix(".0") for text in numbers.astype(np.str_).tolist()]


def _quoted(text: str) -> str:
    """Return a cell: in quotes if it holds a delimiter, a quote or a line end, or could be taken for a comment."""
    is_plain = not any(sign in text for sign in ',"\r\n') and not text.startswith("#")
    return text if is_plain else '"' + text.replace('"', '""') + '"'


def read(path: Path) -> Stored:
    """Return what a CSV holds. It has no provenance; the order of its lithologies is that of their names."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file)
        headings = next(lines, [])
        if len(set(headings)) < max(1, len(headings)):
            raise ValueError("its first line has no headings, or one of them twice")
        columns: list[list[str]] = [[] for _ in headings]
        while rows := list(islice(lines, PIECE_ROWS)):
            advanced()
            for column, cells in zip(columns, zip(*rows, strict=True), strict=True):
                column += cells
    return stored_cells(headings, columns, blank="")
