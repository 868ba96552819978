"""Cells of a table in text: where they are in a block of bytes, and what numbers and texts they hold.

All of it is done for many rows at once in numpy, which lets other threads run meanwhile. A number with at most 15
digits is an integer divided by a power of ten, both exact in float64: one division, correctly rounded, so the bits are
those of ``float()``. Any other cell is read by ``float()`` itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]

QUOTE, SPACE, TAB, RETURN, NEWLINE, COMMENT = b'" \t\r\n#'
SPREADSHEET_ERRORS = (b"#N/A", b"#REF!", b"#DIV/0!", b"#VALUE!", b"#NUM!", b"#NAME?", b"#NULL!")
MISSING_WORDS = frozenset(
    [
        *("", "-", "--", "---", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "-nan", "null", "(null)", "\\n", "none"),
        *("nd", "n.d.", "nil", "missing", "inf", "-inf"),
        *("nan(ind)", "-nan(ind)", "1.#qnan", "-1.#qnan", "1.#ind", "-1.#ind", "1.#inf", "-1.#inf"),  # C on Windows
    ]
)
"""What stands in a column of numbers where there is no number, in lower case."""
MAX_FAST_DIGITS = 15
"""Decimal digits of an integer that float64 surely holds."""
_POWERS = 10.0 ** np.arange(23)
"""Powers of ten that float64 holds exactly."""
_FAST_LENGTH = 24
"""Characters of a number that is read with many others; a longer one is read by itself."""


@dataclass(frozen=True)
class Style:
    """How cells are written.

    Attributes
    ----------
    delimiter : int
        The byte between two cells; a blank stands for any run of blanks and tabs.
    decimal : int
        The byte before the decimals: a point or a comma.
    newline : int
        The byte that ends a row.
    encoding : str
        Of texts.
    """

    delimiter: int = ord(",")
    decimal: int = ord(".")
    newline: int = NEWLINE
    encoding: str = "utf-8"


class Lines:
    """The lines of a block of bytes.

    Parameters
    ----------
    data : ndarray of uint8
        Whole lines, the last with or without its end.
    style : Style
        How they are written. A line end within quotes ends no line.

    Attributes
    ----------
    starts, ends : ndarray of shape (lines,), int64
        Where each line begins, and where it ends (at its line end).
    open_quote : int
        The byte of a quote that is not closed within the block; -1 if there is none.
    wrong_quote : int
        The byte of a quote that is closed in another line, in the middle of a cell; -1 if there is none.
    """

    def __init__(self, data: Bytes, style: Style) -> None:
        self.data, self.style = data, style
        quotes, are_regular = _quotes(data, style)
        self.open_quote = int(quotes[-1]) if len(quotes) % 2 else -1
        self.wrong_quote = -1 if are_regular else _wrong_quote(data, quotes, style)
        self.outside = _outside(data, quotes)
        ends = np.flatnonzero(data == style.newline)
        if self.outside is not None:
            ends = ends[self.outside[ends]]
        if len(data) and (not len(ends) or ends[-1] != len(data) - 1):
            ends = np.append(ends, len(data))
        self.ends: Places = ends
        self.starts: Places = np.append(0, ends[:-1] + 1) if len(ends) else ends

    def __len__(self) -> int:
        return len(self.ends)

    def is_blank(self) -> NDArray[np.bool_]:
        """Tell which lines hold nothing but delimiters and blanks; shape (lines,)."""
        found = np.zeros(len(self), np.bool_)
        nothing = np.zeros(256, np.bool_)
        nothing[[self.style.delimiter, SPACE, TAB, RETURN, NEWLINE, self.style.newline, QUOTE]] = True
        candidates = np.flatnonzero(nothing[self.data[self.starts.clip(max=max(len(self.data) - 1, 0))]])
        for line in candidates.tolist():  # few lines begin with a blank cell
            found[line] = bool(nothing[self.data[self.starts[line] : self.ends[line]]].all())
        return found

    def are(self, text: bytes) -> NDArray[np.bool_]:
        """Tell which lines are a text, to the byte; shape (lines,)."""
        found = np.zeros(len(self), np.bool_)
        length = self.ends - self.starts
        alike = np.flatnonzero((length == len(text)) | (length == len(text) + 1))
        alike = alike[self.data[self.starts[alike]] == text[0]] if text else alike[:0]
        for line in alike.tolist():
            found[line] = self.data[self.starts[line] : self.ends[line]].tobytes().rstrip(b"\r") == text
        return found

    def are_comments(self) -> NDArray[np.bool_]:
        """Tell which lines begin with ``#``, but not with an error of a spreadsheet (``#N/A``); shape (lines,)."""
        found = np.zeros(len(self), np.bool_)
        candidates = np.flatnonzero(self.data[self.starts.clip(max=max(len(self.data) - 1, 0))] == COMMENT)
        for line in candidates.tolist():
            begin = self.data[self.starts[line] : self.starts[line] + 8].tobytes()
            found[line] = not begin.startswith(SPREADSHEET_ERRORS)
        return found


class Cells:
    """The cells of some lines.

    Parameters
    ----------
    lines : Lines
        The lines.
    rows : ndarray of bool, shape (lines,), or of int
        Which of them are rows.
    """

    def __init__(self, lines: Lines, rows: NDArray[Any]) -> None:
        self.data, self._style = lines.data, lines.style
        self._row_starts, self._row_ends = lines.starts[rows], lines.ends[rows]
        if self._style.delimiter == SPACE:
            self._between = self._before_words(lines)
        else:
            between = np.flatnonzero(self.data == self._style.delimiter)
            self._between = between if lines.outside is None else between[lines.outside[between]]
        self._first = np.searchsorted(self._between, self._row_starts)
        self._n_between = np.searchsorted(self._between, self._row_ends) - self._first

    def _before_words(self, lines: Lines) -> Places:
        """Find the delimiters where a run of blanks is one: the last blank before each word but the first of a line."""
        blank = np.zeros(256, np.bool_)
        blank[[SPACE, TAB, RETURN, NEWLINE, self._style.newline]] = True
        is_word = ~blank[self.data]
        if lines.outside is not None:
            is_word |= ~lines.outside
        begins = np.flatnonzero(is_word & np.append(True, ~is_word[:-1])[: len(is_word)])
        line = np.searchsorted(lines.starts, begins, side="right")
        return np.asarray(begins[np.append(True, line[1:] != line[:-1])[: len(line)] == 0] - 1)

    def __len__(self) -> int:
        return len(self._row_ends)

    @property
    def widths(self) -> Places:
        """Number of cells of each row; shape (rows,)."""
        return np.asarray(self._n_between + 1)

    def line(self, row: int) -> str:
        """Read a row as a whole."""
        return self.data[self._row_starts[row] : self._row_ends[row]].tobytes().decode(self._style.encoding, "replace")

    def filled(self, row: int) -> int:
        """Count the cells of a row up to its last one that holds something."""
        line = self.data[self._row_starts[row] : self._row_ends[row]].tobytes()
        blanks = bytes([self._style.delimiter]) + b" \t\r\n"
        return int(self.widths[row]) - line[len(line.rstrip(blanks)) :].count(self._style.delimiter)

    def bounds(self, column: int) -> tuple[Places, Places]:
        """Give where the cells of a column begin and end, without blanks and quotes; empty where a row is shorter."""
        if not len(self):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        is_there = column <= self._n_between
        is_last = column >= self._n_between
        most = max(len(self._between) - 1, 0)
        before = self._between[(self._first + column - 1).clip(0, most)] if column and len(self._between) else None
        after = self._between[(self._first + column).clip(0, most)] if len(self._between) else self._row_ends
        starts = self._row_starts if before is None else before + 1
        ends = np.where(is_last, self._row_ends, after)
        starts, ends = np.where(is_there, starts, self._row_ends), np.where(is_there, ends, self._row_ends)
        starts, ends = _trimmed(self.data, starts, ends, (SPACE, TAB, RETURN, NEWLINE))
        size = max(len(self.data) - 1, 0)
        quoted = (ends - starts >= 2) & (self.data[starts.clip(max=size)] == QUOTE) & (self.data[ends - 1] == QUOTE)
        if quoted.any():
            starts, ends = _trimmed(self.data, starts + quoted, ends - quoted, (SPACE, TAB, RETURN, NEWLINE))
        return starts, ends

    def numbers(self, column: int) -> tuple[NDArray[np.float64], int]:
        """Read a column of numbers.

        Returns
        -------
        tuple
            Values (rows,), NaN where a cell holds none; and the first row whose cell holds something else than a
            number, or one of `MISSING_WORDS`: -1 where there is none.
        """
        starts, ends = self.bounds(column)
        length = ends - starts
        values, is_read = _fast_numbers(self.data, starts, length, self._style.decimal)
        values[length == 0] = np.nan
        wrong = -1
        for row in np.flatnonzero(~is_read & (length > 0)).tolist():
            text = self._text(starts[row], ends[row])
            number = number_of(text, chr(self._style.decimal))
            values[row] = np.nan if number is None else number
            if number is None and wrong < 0:
                wrong = row
        return values, wrong

    def texts(self, column: int) -> NDArray[np.str_]:
        """Read a column of texts; shape (rows,)."""
        starts, ends = self.bounds(column)
        length = ends - starts
        longest = int(length.max(initial=0))
        if not longest:
            return np.zeros(len(self), "<U1")
        at = np.arange(longest)
        raw = self.data[(starts[:, None] + at).clip(max=len(self.data) - 1)]
        raw[at >= length[:, None]] = 0
        stored = np.ascontiguousarray(raw).view(f"S{longest}")[:, 0]
        if not (raw > 127).any() and not (raw == QUOTE).any():
            return stored.astype(np.str_)
        return np.array([self._clean(text) for text in stored.tolist()], np.str_)

    def text(self, row: int, column: int) -> str:
        """Read one cell."""
        starts, ends = self.bounds(column)
        return self._text(starts[row], ends[row])

    def _text(self, start: Any, end: Any) -> str:
        return self._clean(self.data[int(start) : int(end)].tobytes())

    def _clean(self, stored: bytes) -> str:
        return stored.decode(self._style.encoding, "replace").replace('""', '"').strip()


def number_of(text: str, decimal: str = ".") -> float | None:
    """Read a cell by itself: NaN for one of `MISSING_WORDS`, None for what is neither that nor a number."""
    if text.lower() in MISSING_WORDS:
        return float("nan")
    if "_" in text:  # which float() takes between digits
        return None
    if decimal != ".":
        if "." in text:  # with decimal commas, it would be a separator of thousands
            return None
        text = text.replace(decimal, ".")
    try:
        return float(text)
    except ValueError:
        return None


def _quotes(data: Bytes, style: Style) -> tuple[Places, bool]:
    """Find the quotes that open or close a quoted cell, in turns; tell whether each stands at an end of its cell.

    A quote within a cell, as in ``2" clast``, is a character like others.
    """
    quotes = np.flatnonzero(data == QUOTE)
    if not len(quotes):
        return quotes, True
    opens, closes = quotes[::2], quotes[1::2]
    ends = _ends_of_cells(style)
    before = ends[data[(opens - 1).clip(0)]] | (opens == 0)
    after = ends[data[(closes + 1).clip(max=len(data) - 1)]] | (closes == len(data) - 1)
    doubled = closes[: len(opens[1:])] + 1 == opens[1:]  # ``""`` in a quoted cell
    before[1:] |= doubled
    after[: len(doubled)] |= doubled
    if before.all() and after.all():  # nearly every block
        return quotes, True
    raw, found, is_open, escaped = data.tobytes(), [], False, -1
    begins = bytes((style.delimiter, NEWLINE, RETURN, style.newline))
    blanks = b" \t".replace(bytes([style.delimiter]), b"")
    for quote in quotes.tolist():
        if is_open and raw[quote + 1 : quote + 2] == b'"' and quote != escaped:
            escaped = quote + 1
        elif is_open and quote != escaped:
            found.append(quote)
            is_open = False
        elif not is_open:
            at = quote
            while at and raw[at - 1] in blanks:
                at -= 1
            if not at or raw[at - 1] in begins:
                found.append(quote)
                is_open = True
    return np.array(found, np.int64), False


def _ends_of_cells(style: Style) -> NDArray[np.bool_]:
    """Tell which bytes may stand beside a quoted cell."""
    ends = np.zeros(256, np.bool_)
    ends[[style.delimiter, style.newline, NEWLINE, RETURN]] = True
    if style.delimiter == SPACE:
        ends[TAB] = True
    return ends


def _wrong_quote(data: Bytes, quotes: Places, style: Style) -> int:
    """Return the first quote that another line closes within a cell; -1 if there is none."""
    opens, closes = quotes[::2], quotes[1::2]
    ends = _ends_of_cells(style)
    ends[[SPACE, TAB, QUOTE]] = True
    within = np.flatnonzero(~ends[data[(closes + 1).clip(max=len(data) - 1)]] & (closes < len(data) - 1))
    for i in within.tolist():
        if (data[opens[i] : closes[i]] == style.newline).any():
            return int(opens[i])
    return -1


def _outside(data: Bytes, quotes: Places) -> NDArray[np.bool_] | None:
    """Tell which bytes are outside quotes; None where there are no quotes."""
    if not len(quotes):
        return None
    turns = np.zeros(len(data), np.uint8)
    turns[quotes] = 1
    return np.asarray(np.bitwise_xor.accumulate(turns) == 0)


def _trimmed(data: Bytes, starts: Places, ends: Places, blanks: tuple[int, ...]) -> tuple[Places, Places]:
    """Move the ends of cells inwards over blanks."""
    is_blank = np.zeros(256, np.bool_)
    is_blank[list(blanks)] = True
    size = max(len(data) - 1, 0)
    while (move := (starts < ends) & is_blank[data[starts.clip(max=size)]]).any():
        starts = starts + move
    while (move := (starts < ends) & is_blank[data[(ends - 1).clip(0, size)]]).any():
        ends = ends - move
    return starts, ends


def _fast_numbers(
    data: Bytes, starts: Places, length: Places, decimal: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read cells of the form ``-123.456``; tell which are."""
    n = len(starts)
    mantissa, n_digits, n_decimals = np.zeros(n, np.int64), np.zeros(n, np.int8), np.zeros(n, np.int8)
    has_point, is_good = np.zeros(n, np.bool_), (length > 0) & (length <= _FAST_LENGTH)
    size = max(len(data) - 1, 0)
    first = data[starts.clip(max=size)] if n else np.zeros(0, np.uint8)
    is_negative = first == ord("-")
    is_signed = is_negative | (first == ord("+"))
    for i in range(int(length[is_good].max(initial=0))):
        inside = i < length
        byte = data[(starts + i).clip(max=size)]
        digit = byte - np.uint8(48)  # wraps around: above 9 for what is no digit
        is_digit = (digit <= 9) & inside
        is_point = (byte == decimal) & inside
        is_good &= ~inside | is_digit | (is_point & ~has_point) | (is_signed & (i == 0))
        np.multiply(mantissa, 10, out=mantissa, where=is_digit)
        np.add(mantissa, digit, out=mantissa, where=is_digit)
        n_digits += is_digit
        n_decimals += is_digit & has_point
        has_point |= is_point
    is_good &= (n_digits > 0) & (n_digits <= MAX_FAST_DIGITS)
    values = mantissa / _POWERS[n_decimals.clip(0, len(_POWERS) - 1)]
    return np.where(is_negative, -values, values), is_good
