"""Where a sample comes from: expedition, site, hole, core, section."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .attributes import as_text, find_attributes
from .column import Column
from .errors import ScanError
from .features import letters
from .limits import MAX_TEXT_BYTES

ADDRESS: Mapping[str, tuple[str, ...]] = {
    "expedition": ("expedition", "exp", "leg", "cruise"),
    "site": ("site",),
    "hole": ("hole", "well", "boreholeid"),
    "core": ("core",),
    "type": ("type", "coretype"),
    "section": ("section", "sect"),
}
"""The parts of a sample's address, from the widest to the narrowest, and the names they go by."""
HOLE_PARTS = ("expedition", "site", "hole")
"""The parts of an address that tell one hole from another."""
HOLE_NAME = re.compile(r"(?<![0-9A-Z])(?:\d{3}-)?[UCM]?\d{3,4}-?[A-Z](?![0-9A-Za-z])")
"""A group named like a hole: U1482A, 926B, 162-984-A, 346-U1422-A."""

Texts = Mapping[str, NDArray[np.str_]]
"""Parts of an address, an array of shape (n,) for each."""


def address_part(name: str) -> str | None:
    """Tell which part of an address a column's name denotes, if any."""
    return next((part for part, names in ADDRESS.items() if letters(name) in names), None)


def address_columns(members: list[Column]) -> dict[str, Column]:
    """Find the columns of a table that are parts of an address."""
    found: dict[str, Column] = {}
    for column in members:
        part = address_part(column.name)
        if part and (column.is_text or column.is_number) and column.dtype.itemsize <= MAX_TEXT_BYTES:
            found.setdefault(part, column)
    return {part: found[part] for part in ADDRESS if part in found}


def address_attributes(path: Path, file: Any, columns: list[Column], notes: list[str]) -> dict[str, str]:
    """Collect address attributes from the root and from the groups above the columns.

    Contradictions are left out, and noted; but columns of different holes are never brought together.

    Raises
    ------
    ScanError
        If the attributes name different holes.
    """
    places = {"/"}
    for column in columns:
        parts = str(column.dataset.name).split("/")[1:]
        places |= {"/" + "/".join(parts[:n]) for n in range(1, len(parts) + 1)}
    found: dict[str, set[str]] = {}
    for place in places:
        for part, aliases in ADDRESS.items():
            texts = [as_text(value) for value in find_attributes(file[place], *aliases)]
            found.setdefault(part, set()).update(text for text in texts if text)
    named = {match[0] for place in places for match in HOLE_NAME.finditer(place)}
    if len(named) > 1:
        found["hole"] = named
    for part, values in found.items():
        if len(values) > 1 and part in HOLE_PARTS:
            names = ", ".join(sorted(values))
            raise ScanError(f"{path}: the features are spread over several holes ({part} {names}): --map one's", path)
        if len(values) > 1:
            notes.append(f"the file's attributes disagree on the {part} ({', '.join(sorted(values))}): left out")
    return {part: found[part].pop() for part in ADDRESS if len(found.get(part, ())) == 1}


def run_starts(columns: Sequence[NDArray[Any]], n: int) -> NDArray[np.intp]:
    """Give where, in ``n`` rows of some columns, a run of equal rows starts."""
    change = np.zeros(max(n - 1, 0), np.bool_)
    for column in columns:
        change |= column[1:] != column[:-1]
    return np.flatnonzero(np.append(True, change)[:n])


class Codes:
    """Gives each distinct text, or combination of texts, a number in order of appearance."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, ...], int] = {}

    def encode(self, columns: Sequence[NDArray[np.str_]], n: int) -> NDArray[np.int64]:
        """Give the code of each of ``n`` rows of some columns; without columns, all rows are alike."""
        if not columns:
            return np.zeros(n, np.int64)
        found, position = np.unique(np.rec.fromarrays(columns), return_inverse=True)
        codes = [self._codes.setdefault(tuple(map(str, key)), len(self._codes)) for key in found.tolist()]
        return np.array(codes, np.int64)[position]

    def texts(self) -> list[str]:
        """List the texts by their code, where single texts were encoded."""
        return [text for (text,) in self._codes]

    def keys(self) -> list[tuple[str, ...]]:
        """List the combinations of texts by their code."""
        return list(self._codes)

    def __len__(self) -> int:
        return len(self._codes)
