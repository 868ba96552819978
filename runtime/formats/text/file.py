"""A table in text: CSV and its relatives, as instruments and repositories write it."""

from __future__ import annotations

import gzip
import os
import tempfile
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
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

from .cells import SPACE, Cells, Lines, number_of
from .column import TextColumn
from .layout import HEAD_BYTES, is_text, layout_of

BLOCK_ROWS = 65_536
BLOCK_BYTES = 16 << 20
"""Rows, and bytes, that are read at once."""
PIECE = 4 << 20
"""Bytes of the file that are looked at together where rows are counted."""
TAIL_BYTES = 1 << 16
"""Bytes at the end of the file that are searched for remarks below the table."""
MAX_LINE_BYTES = 1 << 20
"""Bytes of a row."""
MAX_EXPANDED = 64 << 30
"""Bytes that a compressed file may expand to."""
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31
"""What zlib calls the gzip format."""


def is_mine(path: Path) -> bool:
    """Tell whether a file is text, compressed by gzip or not."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(_GZIP):
        try:
            head = zlib.decompressobj(_GZIP_WINDOW).decompress(head, 4096)
        except zlib.error:  # `open_file` says so
            return True
    return is_text(head) and not what_it_is(path)


@contextmanager
def open_file(path: Path, findings: Findings, *, swmr: bool = False, locking: bool | None = None) -> Iterator[TextFile]:
    """Open a table in text. ``swmr`` and ``locking`` are HDF5's: such a file is being written.

    Raises
    ------
    ScanError
        If it is no table of numbers, damaged, or being written: its last line may be half a row.
    """
    if swmr or locking is not None:
        raise ScanError(
            "a table in text cannot be followed: its last line may be half a row; let the logger write HDF5"
        )
    with path.open("rb") as file:
        if file.read(2) != _GZIP:
            yield TextFile(file, findings)
            return
    with tempfile.TemporaryFile() as unpacked:
        try:
            with gzip.open(path) as packed:
                _copy(packed, unpacked)
        except (OSError, EOFError, zlib.error) as error:
            raise ScanError(f"the file cannot be unpacked: {error}") from error
        unpacked.seek(0)
        if unpacked.read(2).upper() == b"~V":
            raise ScanError("it is a LAS file that gzip has compressed: unpack it")
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
        for note in self._layout.notes:
            findings.note(note)
        mean = max(1, len(head) // max(1, head.count(self._layout.style.newline)))
        self._block_rows = max(1, min(BLOCK_ROWS, BLOCK_BYTES // mean))
        self._end = self._end_of_rows()
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
        count = Counter(layout.names)
        row_bytes = max(1, (self._end - layout.start) // max(1, self._n_rows))
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
                    is_namesake=bool(layout.names[i]) and count[layout.names[i]] > 1,
                    word=layout.words_in[i],
                )

    def _bytes(self, start: int, end: int) -> bytes:
        try:
            content = self._read(start, end)
        except OSError as error:
            raise ScanError(f"the file cannot be read: {error.strerror or error}") from error
        if len(content) < end - start:
            raise ScanError("the file became shorter while it was read")
        return content

    def _read(self, start: int, end: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), end - start, start)
        with _SEEK:
            self._file.seek(start)
            return self._file.read(end - start)

    def _find_blocks(self) -> None:
        """Go through the file once: count the rows, and note where every so many of them begin."""
        newline = bytes([self._layout.style.newline])
        at, line, rest, n_comments = self._layout.start, self._layout.first_line, b"", 0
        while at < self._end:
            advanced()
            piece = rest + self._bytes(at, min(at + PIECE, self._end))
            offset, at = at - len(rest), min(at + PIECE, self._end)
            lines = Lines(np.frombuffer(piece, np.uint8), self._layout.style)
            n_whole, end = len(lines), len(piece)
            if at < self._end and lines.ends[-1] == end:  # the last line goes on
                n_whole, end = n_whole - 1, int(lines.starts[-1])
            if len(piece) - end > MAX_LINE_BYTES:
                raise ScanError(f"line {line:,} has more than {MAX_LINE_BYTES:,} bytes: not a table of numbers")
            quote = lines.wrong_quote if lines.wrong_quote >= 0 or at < self._end else lines.open_quote
            if 0 <= quote < end:
                raise ScanError(
                    f"line {line + piece.count(newline, 0, quote):,} opens a quote that its cell does not close: close "
                    "it, or leave it out"
                )
            are_rows, comments = self._are_rows(lines)
            rows = np.flatnonzero(are_rows[:n_whole])
            n_comments += int(np.count_nonzero(comments[:n_whole]))
            begins = lines.starts[rows[-self._n_rows % self._block_rows :: self._block_rows]]
            self._starts += (begins + offset).tolist()
            self._lines += [line + piece.count(newline, 0, begin) for begin in begins.tolist()]
            self._n_rows += len(rows)
            line += piece.count(newline, 0, end)
            rest = piece[end:]
        if n_comments:
            lines_begin = (
                "1 line of the table begins" if n_comments == 1 else f"{n_comments:,} lines of the table begin"
            )
            self.findings.note(f"{lines_begin} with #: left out as {'a comment' if n_comments == 1 else 'comments'}")

    def _are_rows(self, lines: Lines) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Tell which lines are rows, and which are comments: the others are blank, or headings that come again."""
        are_rows = ~lines.is_blank()
        for heading in self._layout.headings:
            are_rows &= ~lines.are(heading)
        comments = lines.are_comments() & are_rows if self._layout.has_comments else np.zeros_like(are_rows)
        return are_rows & ~comments, comments

    def _end_of_rows(self) -> int:
        """Return the byte at which the rows end: before remarks at the end of the file, and before half a row."""
        begin, newline = max(self._layout.start, self._size - TAIL_BYTES), bytes([self._layout.style.newline])
        piece = self._bytes(begin, self._size)
        if begin > self._layout.start:
            begin, piece = begin + (cut := piece.find(newline) + 1), piece[cut:]
        lines = Lines(np.frombuffer(piece, np.uint8), self._layout.style)
        rows = np.flatnonzero(self._are_rows(lines)[0])
        if len(rows) < 2 or lines.wrong_quote >= 0 or lines.open_quote >= 0:
            return self._size
        cells = Cells(lines, rows)
        last = n = len(rows)
        while last and self._is_remark(cells, last - 1):
            last -= 1
        if not last:
            return self._size
        end = begin + int(lines.starts[rows[last]]) if last < n else self._size
        if last < n:
            first = cells.line(last)[:60]
            self.findings.note(
                f"the last {'line' if n - last == 1 else f'{n - last:,} lines'} ({first!r}) "
                f"hold{'s' * (n - last == 1)} no numbers: left out"
            )
        elif not piece.endswith((b"\n", b"\r")) and cells.widths[-1] < cells.widths[:-1].min():
            end = begin + int(lines.starts[rows[-1]])
            self.findings.note(
                f"the last line has {cells.widths[-1]:,} cells, fewer than any other, and no line end: the file may be "
                "cut off there; left out"
            )
        return end

    def _is_remark(self, cells: Cells, row: int) -> bool:
        """Return whether a line is words alone, in few cells: not a row."""
        style, n = self._layout.style, len(self._layout.names)
        texts = [text for j in range(min(int(cells.widths[row]), n)) if (text := cells.text(row, j))]
        if style.delimiter != SPACE and len(texts) > max(1, n // 4):
            return False
        return all(text.isprintable() and number_of(text, chr(style.decimal)) is None for text in texts)

    def _cells(self, block: int) -> tuple[Cells, Callable[[int], int]]:
        """Give the cells of a block, and what tells the line of a row; each thread keeps its last ones."""
        known = getattr(self._last, "known", None)
        if known is not None and known[0] == block:
            return cast("tuple[Cells, Callable[[int], int]]", known[1])
        advanced()
        end = self._starts[block + 1] if block + 1 < len(self._starts) else self._end
        lines = Lines(np.frombuffer(self._bytes(self._starts[block], end), np.uint8), self._layout.style)
        rows = np.flatnonzero(self._are_rows(lines)[0])
        if len(rows) != min(self._block_rows, self._n_rows - block * self._block_rows):
            raise ScanError("the file changed while it was read")

        def line_of(row: int) -> int:
            before = lines.data[: lines.starts[rows[row]]]
            return self._lines[block] + int(np.count_nonzero(before == self._layout.style.newline))

        cells, n = Cells(lines, rows), len(self._layout.names)
        is_run_of_blanks = self._layout.style.delimiter == SPACE
        for row in np.flatnonzero(cells.widths != n if is_run_of_blanks else cells.widths > n).tolist():
            n_cells = cells.filled(row)
            if n_cells > n:
                raise ScanError(
                    f"line {line_of(row):,} has {n_cells:,} cells, but the heading has {n:,}: put a cell that holds "
                    "the delimiter in quotes, and give each column a heading"
                )
            if is_run_of_blanks:
                raise ScanError(
                    f"line {line_of(row):,} has {n_cells:,} cells, but the table has {n:,} columns, which blanks "
                    "separate: write NaN where there is no reading, and put texts that hold blanks in quotes"
                )
        self._last.known = block, (cells, line_of)
        return cells, line_of

    def _spans(self, start: int, stop: int) -> Iterator[tuple[int, slice]]:
        """Give the blocks that hold some rows, and which of their rows these are."""
        for block in range(start // self._block_rows, -(-stop // self._block_rows)):
            begin = block * self._block_rows
            yield block, slice(max(start - begin, 0), min(stop - begin, self._block_rows))

    def read_numbers(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[Any]]:
        """Read rows of several columns; missing values become NaN."""
        found: list[list[NDArray[np.float64]]] = [[] for _ in columns]
        for block, rows in self._spans(start, stop):
            cells, line_of = self._cells(block)
            for into, column in zip(found, cast("Sequence[TextColumn]", columns), strict=True):
                values, wrong = cells.numbers(column.position)
                if wrong >= 0:
                    text = cells.text(wrong, column.position)
                    raise ScanError(
                        f"line {line_of(wrong):,}: column {column.path} holds {text[:40]!r}, not a number: correct it, "
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


def _joined(parts: list[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, dtype), *parts])
