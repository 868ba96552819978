"""How a table in text is laid out: its delimiter, its decimal sign, its headings and units, where its rows begin."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import CATALOGUE, DEPTH, letters, unit_key

from .cells import NEWLINE, QUOTE, RETURN, SPACE, TAB, Cells, Lines, Style, number_of

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
_KNOWN_UNITS = frozenset(unit for quantity in (*CATALOGUE, DEPTH) for unit in quantity.units if len(unit) > 1)


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
    words_in : tuple of str
        The first cell of each column that is neither a number nor stands for none; blank where there is none.
    has_comments : bool
        Whether a line that begins with ``#`` is a comment: not where most lines do.
    notes : tuple of str
        What was assumed.
    """

    style: Style
    names: tuple[str, ...]
    units: tuple[str | None, ...]
    is_number: tuple[bool, ...]
    start: int
    first_line: int
    headings: tuple[bytes, ...]
    stated: dict[str, str]
    words_in: tuple[str, ...]
    has_comments: bool
    notes: tuple[str, ...] = ()

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
    newline = RETURN if text.count(b"\r") - text.count(b"\r\n") > text.count(b"\n") else NEWLINE
    if not is_whole:
        end = text.rfind(bytes([newline])) + 1
        if not end:
            raise ScanError(f"the first line has more than {HEAD_BYTES:,} bytes: not a table of numbers in text")
        text = text[:end]
    data = np.frombuffer(text, np.uint8)
    tables = [
        _Table(data, Style(delimiter, ord(decimal), newline, encoding_of(text))) for delimiter, decimal in _STYLES
    ]
    best = max(tables, key=lambda table: table.score)
    if best.score <= 0:
        raise ScanError(NO_TABLE)
    return best.layout(begin)


def encoding_of(text: bytes) -> str:
    """Return the encoding of a text: UTF-8, or else Latin-1."""
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
        self.score = 0.0
        if not len(every):
            return
        filled, comments = ~every.is_blank(), every.are_comments()
        above = int(np.argmax(filled & ~comments))  # lines that may state the headings, as a comment
        comments[:above] = False
        self.has_comments = bool(np.count_nonzero(comments) <= np.count_nonzero(filled[above:]) / 2)
        self._lines = np.flatnonzero(filled & ~comments if self.has_comments else filled)[:MAX_LINES]
        self._starts, self._ends = every.starts[self._lines], every.ends[self._lines]
        cells = Cells(every, self._lines)
        self._data, self._cells = data, cells
        widths = cells.widths
        n = len(self._lines)
        self._body = n // 2
        if not n or int(widths.max()) > MAX_COLUMNS:
            return
        body = widths[self._body :]
        width, share = Counter(body.tolist()).most_common(1)[0]
        self._width = int(max(width, np.quantile(body, 0.9)))
        if self._width < 2:
            return
        self._rows = [[self._text(i, j) for j in range(min(self._width, int(widths[i])))] for i in range(n)]
        self._decimal = chr(style.decimal)
        self._with_numbers = [
            row
            for row in range(self._body, n)
            if any(text and number_of(text, self._decimal) is not None for text in self._rows[row])
        ]
        self._is_number = [self._holds_numbers(j) for j in range(self._width)]
        texts = [text for row in self._rows[self._body :] for text in row if text]
        numbers = sum(number_of(text, self._decimal) is not None for text in texts)
        if any(self._is_number) and self._values():
            self.score = share / len(body) * (numbers / max(1, len(texts))) * (1 + min(self._width, 20) / 1000)

    def _text(self, row: int, column: int) -> str:
        if not hasattr(self, "_bounds"):
            self._bounds = [self._cells.bounds(j) for j in range(self._width)]
        starts, ends = self._bounds[column] if column < self._width else self._cells.bounds(column)
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
        above = [row for row in range(first) if self._may_be_heading(row)]
        names, units, used, notes = self._headings(above)
        stated = _statements([self._rows[row] for row in range(first) if row not in used])
        start = int(self._starts[first]) if first < len(self._rows) else len(self._data)
        headings = tuple(
            self._data[self._starts[row] : self._ends[row]].tobytes().rstrip(b"\r") for row in sorted(used)
        )
        line = 1 + int(np.count_nonzero(self._data[:start] == self._style.newline))
        numbers = tuple(self._holds_numbers(j) for j in range(len(names)))
        if self._style.decimal == ord(","):
            self._require_decimals(first, numbers)
        words = tuple(self._first_word(j, first) for j in range(len(names)))
        return Layout(
            *(self._style, tuple(names), tuple(units), numbers, begin + start, line, headings, stated),
            *(words, self.has_comments, tuple(notes)),
        )

    def _first_word(self, column: int, first: int) -> str:
        texts = (self._cell(row, column) for row in range(first, len(self._rows)))
        return next((text for text in texts if text and number_of(text, self._decimal) is None), "")

    def _require_decimals(self, first: int, are_numbers: Sequence[bool]) -> None:
        """Check that the commas in numbers are not separators of thousands: 1,500 may be either."""
        with_comma = [
            text
            for row in self._rows[first:]
            for text, is_number in zip(row, are_numbers, strict=False)
            if is_number and "," in text and number_of(text, ",") is not None
        ]
        if with_comma and all(re.fullmatch(r"[+-]?[1-9]\d{0,2},\d{3}", text) for text in with_comma):
            text = with_comma[0]
            raise ScanError(
                f"{text!r} may be {text.replace(',', '.')} or {text.replace(',', '')}: each comma in the numbers has "
                "three digits after it; write them with a decimal point and without separators of thousands"
            )

    def _may_be_heading(self, row: int) -> bool:
        """Return whether a line above the rows has several cells, or units alone: only one column may have a unit."""
        filled = [text for text in self._rows[row] if text]
        return len(filled) >= 2 or (self._style.delimiter != SPACE and bool(filled) and _is_unit(filled[0]))

    def _headings(self, above: list[int]) -> tuple[list[str], list[str | None], set[int], list[str]]:
        """Give the names and the units of the columns, the lines that state them, and what was assumed."""
        blank: list[str | None] = [None] * self._width
        if not above:
            return [""] * self._width, blank, set(), []
        last = self._heading(above[-1])
        names, lower, used = last, [""], above[-1:]
        if len(above) > 1:
            before = self._heading(above[-2])
            if _are_units(last) or any(
                _is_unit(unit) and _is_known(name) for name, unit in zip(before, last, strict=False)
            ):
                names, lower, used = before, last, above[-2:]
            elif _n_names(before) > _n_names(last) and sum(map(bool, before)) == sum(map(bool, last)):
                names, lower, used = before, [], above[-2:]  # the last line describes the names, or states types
            elif sum(map(bool, before)) > 1 and all(_is_unit(text) for text in before if text):  # units come first
                lower, used = before, above[-2:]
        n = max(len(names), len(lower))
        has_row_names = self._has_row_names(n)
        if self._style.delimiter == SPACE and not has_row_names:
            self._require_whole(used)
        names = [*names, *[""] * (n - len(names))]
        units: list[str | None] = [None] * n
        for j, text in enumerate(lower):
            is_unknown_unit = _is_known(names[j]) and not _is_quantity(text)
            if text and names[j] and (_is_unit(text) or is_unknown_unit):
                units[j] = _bare(text)
            elif text:  # the lower of two levels of names
                names[j] = text
        if has_row_names:
            note = (
                "the first cell of each row is quoted and has no heading: taken as the name of the row, as R writes it"
            )
            return ["", *names], [None, *units], set(used), [note]
        return names, units, set(used), []

    def _heading(self, row: int) -> list[str]:
        """Read a line of headings: all of its cells, as many as the rows have if there is a way to read it so."""
        texts = [self._text(row, j) for j in range(int(self._cells.widths[row]))]
        bare = re.sub(r"[#%]+\s*(?=\S)|#+$", "", texts[0], count=1) if texts[0][:1] in ("#", "%") else texts[0]
        if self._style.delimiter != SPACE:
            return [bare, *texts[1:]]
        if bare in ("", "%"):
            texts = texts[1:]
        else:
            texts[0] = bare
        line = self._data[self._starts[row] : self._ends[row]].tobytes().decode(self._style.encoding, "replace")
        apart = [text.strip('"') for text in re.split(r"\s{2,}|\t", line.strip(" \t\r#%"))]
        return next((way for way in (texts, _glued(texts), apart) if len(way) == self._width), texts)

    def _require_whole(self, rows: Sequence[int]) -> None:
        """Check that headings between blanks have as many words as there are columns; others would name the wrong ones.

        Raises
        ------
        ScanError
            If they do not.
        """
        for row in rows:
            if (n := len(self._heading(row))) != self._width:
                raise ScanError(
                    f"the heading has {n:,} words, but the table has {self._width:,} columns, which blanks separate: "
                    "put names that hold blanks in quotes, or leave two blanks between names"
                )

    def _has_row_names(self, n_names: int) -> bool:
        """Return whether rows have one cell more than the heading, and begin with a quoted one: R's names of rows."""
        if n_names + 1 != self._width or not len(self._with_numbers):
            return False
        starts, ends = self._bounds[0]
        rows = [row for row in range(self._body, len(self._rows)) if ends[row] > starts[row]]
        return bool(rows) and all(starts[row] and self._data[starts[row] - 1] == QUOTE for row in rows)


def _glued(texts: Sequence[str]) -> list[str]:
    """Join words in parentheses or brackets to the word before them: ``Depth (m)`` is one name."""
    found: list[str] = []
    for text in texts:
        is_inside = bool(found) and found[-1].count("(") + found[-1].count("[") > found[-1].count(")") + found[
            -1
        ].count("]")
        if found and (is_inside or text.startswith(("(", "["))):
            found[-1] += f" {text}"
        else:
            found.append(text)
    return found


def _n_names(texts: Sequence[str]) -> int:
    return sum(map(_is_quantity, texts))


def _is_known(name: str) -> bool:
    return any(quantity.rank(name) is not None for quantity in (*CATALOGUE, DEPTH))


def _is_quantity(text: str) -> bool:
    """Return whether a text is the name of a quantity, and no unit: ``ms`` may be milliseconds."""
    return _is_known(text) and not _is_unit(text)


def _bare(unit: str) -> str:
    """Return a unit without the brackets around it: ``(g/cm3)`` is ``g/cm3``."""
    match = re.fullmatch(r"[(\[](.*)[)\]]", unit.strip())
    return match[1].strip() if match else unit


def _is_unit(text: str) -> bool:
    text = text.strip("()[] ")
    return unit_key(text) in _KNOWN_UNITS or _UNIT.fullmatch(text) is not None


def _are_units(texts: Sequence[str]) -> bool:
    """Tell whether a line states units: some of its cells are, and none is the name of a quantity."""
    filled = [text for text in texts if text]
    return not any(map(_is_quantity, filled)) and any(map(_is_unit, filled))


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
