"""Where a sample comes from: expedition, site, hole, core, section."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import letters

ADDRESS: Mapping[str, tuple[str, ...]] = {
    "expedition": ("expedition", "exp", "leg", "cruise"),
    "site": ("site",),
    "hole": ("hole", "well", "boreholeid", "borehole", "wellname"),
    "core": ("core",),
    "type": ("type", "coretype"),
    "section": ("section", "sect", "sectnum"),
}
"""The parts of a sample's address, from the widest to the narrowest, and the names they go by."""
HOLE_PARTS = ("expedition", "site", "hole")
"""The parts of an address that tell one hole from another."""
_SITE = r"(?:[UCM]\d{4}|\d{3,4})"
HOLE_NAME = rf"(?:\d{{3}}-)?{_SITE}-?[A-Z]"
"""A hole's name: U1482A, 926B, 162-984-A, 346-U1422-A."""
_HOLE = re.compile(HOLE_NAME)
_HOLE_SPLIT = re.compile(rf"(?:\d{{3}}-)?(?P<site>{_SITE})-?(?P<letter>[A-Z])")
_HOLE_WITHIN = re.compile(rf"(?<![0-9A-Z]){HOLE_NAME}(?![0-9A-Za-z])")
_SECTION = re.compile(
    rf"(?P<hole>{HOLE_NAME})[-_](?P<core>\d{{1,3}})(?P<type>[A-Z])(?:[-_](?P<section>\d{{1,2}}|CC)(?:[-_][AW])?)?"
)
"""A core's or a section's name as IODP writes it: U1482A-3H, 363-U1482A-3H-2-A."""
_CORE = re.compile(r"(?P<core>\d{1,2})(?P<type>[FGHMNPRSWX])")
"""A core's name: its number and how it was cut, with the letters of IODP's coring tools (1D to 3D are none)."""
_WORDED = re.compile(r"(?P<word>[A-Za-z]+)[\s_.:#-]*(?P<value>[A-Za-z]?\d[\w.-]*|[A-Z]|CC)")


Texts = Mapping[str, NDArray[np.str_]]
"""Parts of an address, an array of shape (n,) for each."""


PART_OF = {name: part for part, names in ADDRESS.items() for name in names}


def address_part(name: str) -> str | None:
    """Tell which part of an address a column's name denotes, if any."""
    return PART_OF.get(letters(name))


def stated_part(name: str, text: str) -> dict[str, str]:
    """Give the part of an address that a text of some name states; a ``type`` may be anything's, a core's is H."""
    part = address_part(name)
    is_other_type = letters(name) == "type" and not re.fullmatch("[A-Z]", text)
    return {part: text} if part and text and not is_other_type else {}


def distinct_holes(names: Iterable[str]) -> set[str]:
    """Leave out of the names of holes blanks, and those that are short for another, as A is for U1482A."""
    known = set(names) - {""}
    return {name for name in known if not any(is_short_for(name, other) for other in known)}


def several_places(known: set[str], texts: NDArray[np.str_]) -> str:
    """Add texts to those ``known`` of one part of an address; name the first where they are now of several places."""
    known.update(np.unique(texts).tolist())
    distinct = distinct_holes(known)
    return ", ".join(sorted(distinct)[:4]) if len(distinct) > 1 else ""


def is_short_for(name: str, full: str) -> bool:
    """Tell whether a hole's name is another one without the site, or the expedition."""
    site, letter = split_hole(full)
    return bool(site) and (name == letter or (len(name) < len(full) and split_hole(name) == (site, letter)))


def split_hole(name: str) -> tuple[str, str]:
    """Split a hole's full name into the site and its letter: 363-U1482A is A of U1482; the site is empty if it is not.

    Where there is an expedition, it is left out.
    """
    match = _HOLE_SPLIT.fullmatch(name)
    return (match["site"], match["letter"]) if match else ("", name)


def address_of_name(name: str, above: str = "") -> dict[str, str]:
    """Read the address in a group's name.

    Parameters
    ----------
    name : str
        As ``U1482A``, ``363-U1482A-3H-2``, ``3H``, ``core_3``, ``Section 2``, ``Hole A``.
    above : str, optional
        Name of the group above: below one called ``cores``, a bare ``3`` is a core.

    Returns
    -------
    dict of str to str
        Parts of the address; empty where the name is none.
    """
    if match := _SECTION.fullmatch(name):
        return {part: text for part, text in match.groupdict().items() if text}
    if _HOLE.fullmatch(name):
        return {"hole": name}
    if match := _CORE.fullmatch(name):
        return match.groupdict()
    if match := _WORDED.fullmatch(name):
        part, value = address_part(match["word"]), match["value"]
        if part == "expedition" and not re.fullmatch(r"\d{3}[A-Z]?", value):
            part = None  # exp1 and exp2 are experiments
        if part and part != "type":
            inner = _CORE.fullmatch(value) if part == "core" else None
            return inner.groupdict() if inner else {part: value}
    if match := _HOLE_WITHIN.search(name):  # GRA_U1482A
        return {"hole": match[0]}
    part = address_part(above.rstrip("s"))
    return {part: name} if part and part != "type" and re.fullmatch(r"\d+|[A-Z]|CC", name) else {}


def run_starts(columns: Sequence[NDArray[Any]], n: int) -> NDArray[np.intp]:
    """Give where, in ``n`` rows of some columns, a run of equal rows starts."""
    change = np.zeros(max(n - 1, 0), np.bool_)
    for column in columns:
        change |= column[1:] != column[:-1]
    return np.flatnonzero(np.append(True, change)[:n])


class AddressCodes:
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
