"""How a table in text is laid out: its delimiter, its decimal sign, its headings and units, where its rows begin."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import DEPTH, FEATURES, letters, unit_key

from .cells import NEWLINE, RETURN, SPACE, TAB, Cells, Lines, Style, number_of

HEAD_BYTES = 1 << 18
"""Bytes from which the layout is told."""
NO_TABLE = "the file is text, but not a table of numbers in columns"
MAX_LINES = 2000
"""Lines from which the layout is told."""
MAX_COLUMNS = 10_000
"""Columns of a table."""
_BOM = b"\xef\xbb\xbf"
_STYLES = tuple(
    (delimiter, decimal)
    for delimiter, decimal in product((TAB, ord(";"), ord(","), ord("|"), SPACE), ".,")
    if delimiter != ord(decimal)
)
_NAMES = {TAB: "tabs", ord(";"): "semicolons", ord(","): "commas", ord("|"): "bars", SPACE: "blanks"}
_UNIT = re.compile(
    r"[%°]|[kcmµun]?m(/s|bsf|2|3|-1)?|f(ee)?t|in|k?g|g/?(cc|cm\^?3)|kg/?m\^?3|si(\s*x?\s*10\^?-?\d)?|10\^?-?\d\s*si"
    r"|ohm[. -]?m|cps|counts?|m?s|k?hz|m?v|ppm|wt\.?\s*%|vol\.?\s*%|deg\.?\s*[cf]?|°\s*[cf]|g?api|nm|k?yr|ka|bp"
    r"|a\.?u\.?|us/ft|us/m|mpa|bar|unitless|none",
    re.IGNORECASE,
)
_KNOWN_UNITS = frozenset(unit for quantity in (*FEATURES, DEPTH) for unit in quantity.units if unit)


@dataclass(frozen=True)
class Layout:
    """The layout of a table.

    Attributes
    ----------
    style : Style
        How cells are written.
    names : tuple of str
        Headings of the columns; blank where there are none.
    units : tuple of str or None
        Unit of each column, where a row of units states it.
    is_number : tuple of bool
        Which columns hold numbers.
    start : int
        The byte at which the rows begin.
    first_line : int
        Number of the line, from 1, in which the first row stands.
    headings : tuple of bytes
        The lines of names and units, which may come again where files were joined.
    stated : dict of str to str
        What lines above the table state, as ``Hole: A``, by the letters of the name.
    """

    style: Style
    names: tuple[str, ...]
    units: tuple[str | None, ...]
    is_number: tuple[bool, ...]
    start: int
    first_line: int
    headings: tuple[bytes, ...]
    stated: dict[str, str]

    @property
    def words(self) -> str:
        """The layout for people."""
        comma = ", decimal commas" if self.style.decimal == ord(",") else ""
        return f"text table, separated by {_NAMES[self.style.delimiter]}{comma}"


def is_text(head: bytes) -> bool:
    """Tell whether a file begins as text does."""
    control = bytes(i for i in range(32) if i not in (TAB, NEWLINE, RETURN, 12))
    return bool(head) and not any(byte in control for byte in set(head))


def layout_of(head: bytes, *, is_whole: bool) -> Layout:
    """Tell the layout of a table from the beginning of its file.

    Parameters
    ----------
    head : bytes
        The first `HEAD_BYTES` of the file, or all of it.
    is_whole : bool
        Whether it is all of it.

    Raises
    ------
    ScanError
        If it is no table of numbers.
    """
    begin = len(_BOM) if head.startswith(_BOM) else 0
    text = head[begin:]
    newline = NEWLINE if b"\n" in text or b"\r" not in text else RETURN
    if not is_whole:
        end = text.rfind(bytes([newline])) + 1
        if not end:
            raise ScanError(f"the first line has more than {HEAD_BYTES:,} bytes: not a table of numbers in text")
        text = text[:end]
    data = np.frombuffer(text, np.uint8)
    tables = [_Table(data, Style(delimiter, ord(decimal), newline, _encoding(text))) for delimiter, decimal in _STYLES]
    best = max(tables, key=lambda table: table.score)
    if best.score <= 0:
        raise ScanError(NO_TABLE)
    return best.layout(begin)


def _encoding(text: bytes) -> str:
    try:
        text[: text.rfind(b"\n") + 1 or len(text)].decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


class _Table:
    """The beginning of a file, read in one style."""

    def __init__(self, data: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], style: Style) -> None:
        self._style = style
        every = Lines(data, style)
        self._lines = np.flatnonzero(~every.is_blank())[:MAX_LINES]
        self._starts, self._ends = every.starts[self._lines], every.ends[self._lines]
        cells = Cells(every, self._lines)
        self._data = data
        widths = cells.widths
        n = len(self._lines)
        self._body = n // 2
        self.score = 0.0
        if not n or int(widths.max()) > MAX_COLUMNS:
            return
        body = widths[self._body :]
        width, share = Counter(body.tolist()).most_common(1)[0]
        self._width = int(max(width, np.quantile(body, 0.9)))
        if self._width < 2:
            return
        self._rows = [[self._text(cells, i, j) for j in range(min(self._width, int(widths[i])))] for i in range(n)]
        self._decimal = chr(style.decimal)
        self._with_numbers = [
            row
            for row in range(self._body, n)
            if any(text and number_of(text, self._decimal) is not None for text in self._rows[row])
        ]
        self._is_number = [self._holds_numbers(j) for j in range(self._width)]
        filled = [text for row in self._rows[self._body :] for text in row if text]
        numbers = sum(number_of(text, self._decimal) is not None for text in filled)
        if any(self._is_number) and self._values():
            self.score = share / len(body) * (numbers / max(1, len(filled))) * (1 + min(self._width, 20) / 1000)

    def _text(self, cells: Cells, row: int, column: int) -> str:
        if not hasattr(self, "_bounds"):
            self._bounds = [cells.bounds(j) for j in range(self._width)]
        starts, ends = self._bounds[column]
        return self._data[starts[row] : ends[row]].tobytes().decode(self._style.encoding, "replace").replace('""', '"')

    def _cell(self, row: int, column: int) -> str:
        return self._rows[row][column] if column < len(self._rows[row]) else ""

    def _holds_numbers(self, column: int) -> bool:
        texts = [text for row in self._with_numbers if (text := self._cell(row, column))]
        return sum(number_of(text, self._decimal) is not None for text in texts) >= 0.8 * len(texts)

    def _values(self) -> bool:
        """Tell whether the body holds a number at all."""
        return any(
            (number := number_of(self._cell(row, column), self._decimal)) is not None and number == number
            for row in range(self._body, len(self._rows))
            for column in range(self._width)
            if self._is_number[column]
        )

    def _n_filled(self, row: int) -> int:
        return sum(map(bool, self._rows[row]))

    def _is_row(self, row: int) -> bool:
        """Tell whether a line is a row of the table, be it with a wrong cell, not a heading.

        The first cell of a column of numbers tells: a line of units may hold wavelengths, but not at its beginning.
        """
        texts = [text for j in range(self._width) if self._is_number[j] and (text := self._cell(row, j))]
        are_numbers = [number_of(text, self._decimal) is not None for text in texts]
        return bool(texts) and are_numbers[0] and sum(are_numbers) >= len(texts) / 2

    def _is_below_headings(self, row: int) -> bool:
        """Tell whether the line above has a heading for each column: a row there may be sparse."""
        above = self._rows[row - 1] if row else []
        return len(list(filter(None, above))) == self._width and all(
            number_of(text, self._decimal) is None for text in above
        )

    def layout(self, begin: int) -> Layout:
        """Find headings and units above the rows."""
        usual = float(np.median([self._n_filled(row) for row in range(self._body, len(self._rows))]))
        are_rows = [self._is_row(row) for row in range(len(self._rows))]
        begins = (
            row
            for row in range(len(are_rows))
            if are_rows[row]
            and (self._n_filled(row) >= usual / 2 or self._is_below_headings(row))
            and np.mean(are_rows[row : row + 6]) >= 0.5
        )
        if (first := next(begins, None)) is None:
            raise ScanError(NO_TABLE)
        above = [row for row in range(first) if sum(map(bool, self._rows[row])) >= min(2, self._width)]
        names, units, used = self._headings(above)
        stated = _statements([self._rows[row] for row in range(first) if row not in used])
        start = int(self._starts[first]) if first < len(self._rows) else len(self._data)
        headings = tuple(
            self._data[self._starts[row] : self._ends[row]].tobytes().rstrip(b"\r") for row in sorted(used)
        )
        line = int(self._lines[first]) + 1 if first < len(self._lines) else 0
        numbers = tuple(self._is_number)
        return Layout(self._style, tuple(names), tuple(units), numbers, begin + start, line, headings, stated)

    def _headings(self, above: list[int]) -> tuple[list[str], list[str | None], set[int]]:
        """Give the names and the units of the columns, and the lines that state them."""
        blank: list[str | None] = [None] * self._width
        if not above:
            return [""] * self._width, blank, set()
        last = [self._cell(above[-1], j) for j in range(self._width)]
        if len(above) == 1 or not _are_units(last):
            return last, blank, {above[-1]}
        names = [self._cell(above[-2], j) for j in range(self._width)]
        units = blank[:]
        for j, text in enumerate(last):
            if text and _is_unit(text):
                units[j] = text
            elif text:  # the lower of two levels of names
                names[j] = text
        return names, units, set(above[-2:])


def _is_unit(text: str) -> bool:
    text = text.strip("()[] ")
    return unit_key(text) in _KNOWN_UNITS or _UNIT.fullmatch(text) is not None


def _are_units(texts: Sequence[str]) -> bool:
    """Tell whether a line states units: some of its cells are, and none is the name of a quantity."""
    filled = [text for text in texts if text]
    if any(
        quantity.rank(text) is not None and not _is_unit(text) for text in filled for quantity in (*FEATURES, DEPTH)
    ):
        return False
    return any(map(_is_unit, filled))


def _statements(rows: Sequence[Sequence[str]]) -> dict[str, str]:
    """Collect what lines such as ``Core ID:,X`` or ``# hole = A`` state."""
    found: dict[str, str] = {}
    for row in rows:
        texts = [text for text in row if text]
        if len(texts) == 2 and texts[0].endswith(":"):
            found[letters(texts[0])] = texts[1]
        elif len(texts) == 1 and (match := re.fullmatch(r"[#%/*\s]*([\w ]{1,40}?)\s*[:=]\s*(\S.*)", texts[0])):
            found[letters(match[1])] = match[2].strip()
    return found
