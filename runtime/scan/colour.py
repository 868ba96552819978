"""Checks whether a column named R, G or B is a colour from 0 to 255."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import RED, letters
from lithovae.runtime.formats.column import Column
from lithovae.runtime.formats.file import File
from lithovae.runtime.missing import measurable

COLOUR_WORDS = ("rgb", "colour", "color", "camera", "image", "linescan", "photo")
"""Words in a path that say that its columns are colour."""
PEEK_VALUES = 4096
"""Number of values read at a column's start, middle and end."""


def has_fractions_only(file: File, column: Column) -> bool:
    """Return whether a colour seems to range from 0 to 1: no value exceeds 1, and not all are whole numbers."""
    if column.dtype.kind != "f" or not column.length:
        return False
    has_fraction = False
    for values in _some_values(file, column):
        if (values > 1).any():
            return False  # nearly always: the middle and the end are not read
        has_fraction |= bool(((values != np.rint(values)) & ~np.isnan(values)).any())
    return has_fraction


def _some_values(file: File, column: Column) -> Iterator[NDArray[Any]]:
    """Read some values at the start, the middle and the end of a column; missing values are NaN."""
    column.require_readable()
    rows = max(1, min(PEEK_VALUES, (PEEK_VALUES << 8) // max(column.row_bytes, 1)))
    for start in sorted({0, max(0, column.length // 2 - rows // 2), max(0, column.length - rows)}):
        yield measurable(file.read_numbers([column], start, min(start + rows, column.length))[0], RED)


def says_colour(file: File, column: Column) -> bool:
    """Return whether anything but the letter R, G or B says that a column is colour: R alone may be resistivity.

    This is a longer name, a path that names a camera or colour, a unit, or a range: declared to 255, or of values that
    are whole numbers from 0 to 255.
    """
    if letters(column.name) not in ("r", "g", "b") or column.unit or column.is_pixels:
        return True
    if any(word in letters(column.location) for word in COLOUR_WORDS):
        return True
    ends = re.findall(r"\d+", column.stated("validrange", "validmax"))
    if ends and ends[-1] == "255":
        return True
    return all(
        bool((np.isnan(values) | ((values >= 0) & (values <= 255) & (values == np.rint(values)))).all())
        for values in _some_values(file, column)
    )


def is_wide_integer(column: Column) -> bool:
    """Return whether an image is stored in integers of more than 8 bits, so that its range is unknown."""
    return column.is_pixels and column.dtype.kind in "iu" and column.dtype.itemsize > 1


def is_lab_colour(column: Column, beside: set[str]) -> bool:
    """Return whether a column is the b of L*a*b* colour, by the names of the columns in its table."""
    if letters(column.name) != "b" or "a" not in map(letters, beside):
        return False
    return "r" not in map(letters, beside) or (column.name.strip() == "b" and {"a", "B"} <= beside)
