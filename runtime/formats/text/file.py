"""A table in text: CSV and its relatives, as instruments and repositories write it."""

from __future__ import annotations

import gzip
import os
import tempfile
import threading
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import letters
from lithovae.runtime.findings import Findings
from lithovae.runtime.formats.codes import Coding
from lithovae.runtime.formats.column import Column
from lithovae.runtime.formats.file import File
from lithovae.runtime.formats.unsupported import what_it_is
from lithovae.runtime.process.heartbeat import advanced

from .cells import Cells, Lines
from .column import TextColumn
from .layout import HEAD_BYTES, is_text, layout_of

BLOCK_ROWS = 65_536
BLOCK_BYTES = 16 << 20
"""Rows, and bytes, that are read at once."""
PIECE = 4 << 20
"""Bytes of the file that are looked at together where rows are counted."""
MAX_LINE_BYTES = 1 << 20
"""Bytes of a row."""
MAX_EXPANDED = 64 << 30
"""Bytes that a compressed file may expand to."""
_GZIP = b"\x1f\x8b"


def is_mine(path: Path) -> bool:
    """Tell whether a file is text, compressed by gzip or not."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(_GZIP):
        try:
            with gzip.open(path) as unpacked:
                head = unpacked.read(4096)
        except (OSError, EOFError):
            return False
    return is_text(head) and not what_it_is(path)


@contextmanager
def open_file(path: Path, findings: Findings, *, swmr: bool = False, locking: bool | None = None) -> Iterator[TextFile]:
    """Open a table in text. ``swmr`` and ``locking`` are HDF5's.

    Raises
    ------
    ScanError
        If it is no table of numbers, or damaged.
    """
    with path.open("rb") as file:
        if file.read(2) != _GZIP:
            yield TextFile(file, findings)
            return
    with tempfile.TemporaryFile() as unpacked:
        try:
            with gzip.open(path) as packed:
                _copy(packed, unpacked)
        except (OSError, EOFError) as error:
            raise ScanError(f"the file cannot be unpacked: {error}") from error
        yield TextFile(unpacked, findings)


def _copy(packed: gzip.GzipFile, unpacked: IO[bytes]) -> None:
    size = 0
    while piece := packed.read(PIECE):
        advanced()
        size += len(piece)
        if size > MAX_EXPANDED:
            raise ScanError(f"the file unpacks to more than {MAX_EXPANDED >> 30} GiB")
        unpacked.write(piece)
    unpacked.flush()


class TextFile(File):
    """An open table in text.

    Parameters
    ----------
    file : file
        The file.
    findings : Findings
        Takes what is not read, and why.

    Raises
    ------
    ScanError
        If it is no table of numbers.
    """

    def __init__(self, file: IO[bytes], findings: Findings) -> None:
        self.findings = findings
        self._file, self._size = file, os.fstat(file.fileno()).st_size
        head = self._bytes(0, min(HEAD_BYTES, self._size))
        self._layout = layout_of(head, is_whole=len(head) == self._size)
        mean = max(1, len(head) // max(1, head.count(self._layout.style.newline)))
        self._block_rows = max(1, min(BLOCK_ROWS, BLOCK_BYTES // mean))
        self._n_rows = 0
        self._starts: list[int] = []
        self._lines: list[int] = []
        self._find_blocks()
        self._last = threading.local()
        self._columns = list(self._make_columns())

    @property
    def columns(self) -> Sequence[Column]:
        """The columns of the table."""
        return self._columns

    def _make_columns(self) -> Iterator[TextColumn]:
        layout, n = self._layout, len(self._layout.names)
        row_bytes = max(1, (self._size - layout.start) // max(1, self._n_rows))
        for i in range(n):
            if layout.names[i] or not any(layout.names):
                yield TextColumn(
                    name=layout.names[i],
                    layout=layout.words,
                    length=self._n_rows,
                    unit=layout.units[i],
                    holds_numbers=layout.is_number[i],
                    block_rows=self._block_rows,
                    mean_bytes=row_bytes,
                    number=(i, n),
                )

    def _bytes(self, start: int, end: int) -> bytes:
        content = os.pread(self._file.fileno(), end - start, start) if hasattr(os, "pread") else self._seek(start, end)
        if len(content) < end - start:
            raise ScanError("the file became shorter while it was read")
        return content

    def _seek(self, start: int, end: int) -> bytes:
        with _SEEK:
            self._file.seek(start)
            return self._file.read(end - start)

    def _find_blocks(self) -> None:
        """Go through the file once: count the rows, and note where every so many of them begin."""
        at, line, rest = self._layout.start, self._layout.first_line, b""
        while at < self._size:
            advanced()
            piece = rest + self._bytes(at, min(at + PIECE, self._size))
            offset, at = at - len(rest), min(at + PIECE, self._size)
            end = len(piece) if at == self._size else _end_of_lines(piece, self._layout.style.newline)
            if len(piece) - end > MAX_LINE_BYTES:
                raise ScanError(f"line {line:,} has more than {MAX_LINE_BYTES:,} bytes: not a table of numbers")
            rest = piece[end:]
            lines = Lines(np.frombuffer(piece[:end], np.uint8), self._layout.style)
            rows = np.flatnonzero(self._are_rows(lines))
            begins = rows[-self._n_rows % self._block_rows :: self._block_rows]
            self._starts += (lines.starts[begins] + offset).tolist()
            self._lines += (begins + line).tolist()
            self._n_rows += len(rows)
            line += len(lines)

    def _are_rows(self, lines: Lines) -> NDArray[np.bool_]:
        """Tell which lines are rows: not blank ones, nor headings that come again."""
        are_rows = ~lines.is_blank()
        for heading in self._layout.headings:
            are_rows &= ~lines.are(heading)
        return are_rows

    def _cells(self, block: int) -> tuple[Cells, NDArray[np.intp]]:
        """Give the cells of a block, and the number of the line of each row; each thread keeps its last ones."""
        known = getattr(self._last, "known", None)
        if known is not None and known[0] == block:
            return cast("tuple[Cells, NDArray[np.intp]]", known[1])
        advanced()
        end = self._starts[block + 1] if block + 1 < len(self._starts) else self._size
        lines = Lines(np.frombuffer(self._bytes(self._starts[block], end), np.uint8), self._layout.style)
        rows = np.flatnonzero(self._are_rows(lines))
        if len(rows) != min(self._block_rows, self._n_rows - block * self._block_rows):
            raise ScanError("the file changed while it was read")
        self._last.known = block, (Cells(lines, rows), rows + self._lines[block])
        return cast("tuple[Cells, NDArray[np.intp]]", self._last.known[1])

    def _spans(self, start: int, stop: int) -> Iterator[tuple[int, slice]]:
        """Give the blocks that hold some rows, and which of their rows these are."""
        for block in range(start // self._block_rows, -(-stop // self._block_rows)):
            begin = block * self._block_rows
            yield block, slice(max(start - begin, 0), min(stop - begin, self._block_rows))

    def read_numbers(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[Any]]:
        """Read rows of several columns; missing values become NaN."""
        found: list[list[NDArray[np.float64]]] = [[] for _ in columns]
        for block, rows in self._spans(start, stop):
            cells, lines = self._cells(block)
            for into, column in zip(found, cast("Sequence[TextColumn]", columns), strict=True):
                values, wrong = cells.numbers(column.position)
                if wrong >= 0:
                    text = cells.text(wrong, column.position)
                    raise ScanError(
                        f"line {lines[wrong]:,}: column {column.path} holds {text[:40]!r}, not a number: correct it, "
                        "or leave it blank where there is no reading"
                    )
                into.append(Coding().values(values[rows]))
        return [_joined(parts, np.float64) for parts in found]

    def read_texts(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[np.str_]]:
        """Read rows of several columns as text."""
        found: list[list[NDArray[np.str_]]] = [[] for _ in columns]
        for block, rows in self._spans(start, stop):
            cells, _ = self._cells(block)
            for into, column in zip(found, cast("Sequence[TextColumn]", columns), strict=True):
                into.append(cells.texts(column.position)[rows])
        return [_joined(parts, np.str_) for parts in found]

    def stated(self, path: str, names: Container[str]) -> list[tuple[str, str]]:
        """List what the lines above the table state."""
        if path not in ("", "/"):
            return []
        return [(name, text) for name, text in self._layout.stated.items() if letters(name) in names]


_SEEK = threading.Lock()


def _end_of_lines(piece: bytes, newline: int) -> int:
    """Give where the last whole line of a piece ends; 0 where it holds none."""
    end = piece.rfind(bytes([newline])) + 1
    while end and piece.count(b'"', 0, end) % 2:  # within quotes
        end = piece.rfind(bytes([newline]), 0, end - 1) + 1
    return end


def _joined(parts: list[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, dtype), *parts])
