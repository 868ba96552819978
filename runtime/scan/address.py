"""Addresses of samples: expedition, site, hole, core, section."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import letters

ADDRESS: Mapping[str, tuple[str, ...]] = {
    "expedition": ("expedition", "exp", "leg", "cruise"),
    "site": ("site", "sitenumber"),
    "hole": ("hole", "hol", "holeid", "holename", "well", "boreholeid", "borehole", "wellname"),
    "core": ("core", "corenumber", "corenum", "coreno"),
    "type": ("type", "coretype"),
    "section": ("section", "sect", "sectnum", "scsec", "sectionnumber", "sectionnum", "sectionno"),
}
"""The parts of a sample's address, from the widest to the narrowest, and the column names of each."""
SHORT_HEADINGS: Mapping[str, tuple[str, int]] = {
    "cor": ("core", 1),
    "sc": ("section", 1),
    "sec": ("section", 1),
    "h": ("hole", 2),
    "t": ("type", 2),
}
"""Headings of Janus that mean a part of an address only beside so many other parts: T may be a temperature."""
HOLE_PARTS = ("expedition", "site", "hole")
"""The parts of an address that identify a hole."""
_SITE = r"(?:[UCM]\d{4}|\d{3,4})"
HOLE_NAME = rf"(?:\d{{3}}-)?{_SITE}-?[A-Z]"
"""Pattern of a hole's name: U1482A, 926B, 162-984-A, 346-U1422-A."""
_HOLE = re.compile(HOLE_NAME)
_HOLE_SPACED = re.compile(r"\d{3}_\d{3,4}_[A-Z]|[UCM]\d{4}_[A-Z]")
"""The same with underscores, where it cannot be a date or a number of something else: 162_984_A, U1482_A."""
_HOLE_SPLIT = re.compile(rf"(?:(?P<expedition>\d{{3}})-)?(?P<site>{_SITE})-?(?P<letter>[A-Z])")
_HOLE_WITHIN = re.compile(rf"(?<![0-9A-Z]){HOLE_NAME}(?![0-9A-Za-z])")
_SECTION = re.compile(
    rf"(?P<hole>{HOLE_NAME})[-_](?P<core>\d{{1,3}})(?P<type>[A-Z])(?:[-_](?P<section>\d{{1,2}}|CC)(?:[-_]?[AW])?)?"
)
"""Name of a core or section as IODP writes it: U1482A-3H, 363-U1482A-3H-2-A."""
_CORE = re.compile(r"0*(?P<core>\d{1,2})(?P<type>[FGHMNPRSWX])")
"""Name of a core: its number and the letter of an IODP coring tool (D is excluded: 1D to 3D are not cores)."""
_CORE_SECTION = re.compile(rf"{_CORE.pattern}[-_](?P<section>\d{{1,2}}|CC)(?:[-_]?[AW])?")
"""Name of a section without its hole: 1H-1, 1H-2A, 1H-CC-W."""
_ICDP = re.compile(r"C0*(?P<core>\d{1,3})[-_/]?S0*(?P<section>\d{1,2})", re.IGNORECASE)
"""A core and its section as some repositories write them, in one name or two: C001/S01. Alone, S1 may be a sensor."""
_WORDED = re.compile(r"(?P<word>[A-Za-z]+)[\s_.:#-]*(?P<value>[A-Za-z]?\d[\w.-]*|[A-Z]|CC|(?<=[\s_.:#-])[a-z])")
_WORDED_LABEL = re.compile(r"(?P<word>[A-Za-z]+)[\s_.:#-]+(?P<value>\S+)")


Texts = Mapping[str, NDArray[np.str_]]
"""Parts of an address, with an array of shape (n,) for each."""


PART_OF = {name: part for part, names in ADDRESS.items() for name in names}


def address_part(name: str) -> str | None:
    """Return which part of an address a column's name denotes; None if it denotes none."""
    return PART_OF.get(letters(name))


def stated_part(name: str, text: str) -> dict[str, str]:
    """Return the part of an address that a named text states; a ``type`` counts only if it is one capital letter."""
    part = address_part(name)
    is_other_type = letters(name) == "type" and not re.fullmatch("[A-Z]", text)
    return {part: normal_label(part, text)} if part and text and not is_other_type else {}


@lru_cache(1 << 14)
def normal_label(part: str, text: str) -> str:
    """Return the one form in which labels are compared: ``3`` for ``3.0``, ``03`` and ``b'3'``; ``CC`` for ``cc``."""
    text = text.strip()
    if match := re.fullmatch(r"b?(['\"])(.*)\1", text):
        text = match[2].strip()
    if (match := _WORDED_LABEL.fullmatch(text)) and address_part(match["word"]) == part:
        text = match["value"]  # hole_a, Core 3H
    if re.fullmatch(r"0*\d{1,18}(\.0*)?", text, re.ASCII):
        return str(int(text.partition(".")[0]))
    if part == "core" and (match := re.fullmatch(r"0*(\d{1,3})[ -]?([A-Za-z])", text, re.ASCII)):
        return f"{match[1]}{match[2].upper()}"
    if not text.isascii():
        return text
    upper = text.upper()
    if part == "section" and upper == "C/C":
        return "CC"
    if part == "hole" and _HOLE.fullmatch(joined := re.sub(r"[\s_]+", "-", upper)):
        return joined  # U1482_A
    is_short = len(text) <= 2 and part in ("hole", "type", "section")
    return upper if is_short or _HOLE.fullmatch(upper) or (part == "site" and re.fullmatch(_SITE, upper)) else text


def normal_labels(part: str, texts: NDArray[np.str_]) -> NDArray[np.str_]:
    """Return texts in their normal form; see `normal_label`."""
    starts = run_starts([texts], len(texts))
    found = texts[starts].tolist()
    normal = {text: normal_label(part, text) for text in set(found)}
    if all(text == same for text, same in normal.items()):
        return texts
    return np.repeat(np.array([normal[text] for text in found], np.str_), np.diff(starts, append=len(texts)))


def split_core(core: str) -> tuple[str, str]:
    """Split a core's name into its number and the letter of its type: ``3H`` into ``3`` and ``H``."""
    match = re.fullmatch(r"(\d{1,3})([A-Z])", core, re.ASCII)
    return (match[1], match[2]) if match else (core, "")


def hole_parts(address: Mapping[str, str]) -> dict[str, str]:
    """Return the expedition, the site and the letter of a hole, as far as its address or its full name has them."""
    known = {part: normal_label(part, text) for part, text in address.items() if part in HOLE_PARTS}
    if match := _HOLE_SPLIT.fullmatch(known.get("hole", "")):
        known |= {"site": match["site"], "hole": match["letter"]}
        if match["expedition"]:
            known.setdefault("expedition", match["expedition"])
    return known


def distinct_holes(names: Iterable[str]) -> set[str]:
    """Return the names of holes without blanks and short forms of another name (A is short for U1482A)."""
    known = set(names) - {""}
    return {name for name in known if not any(is_short_for(name, other) for other in known)}


def several_places(known: set[str], texts: NDArray[np.str_]) -> str:
    """Add texts of one part of an address to ``known``; return the first few if they now differ, else empty."""
    known.update(np.unique(texts).tolist())
    distinct = distinct_holes(known)
    return ", ".join(sorted(distinct)[:4]) if len(distinct) > 1 else ""


def is_short_for(name: str, full: str) -> bool:
    """Return whether a hole's name is another one without the site or the expedition."""
    site, letter = split_hole(full)
    return bool(site) and (name == letter or (len(name) < len(full) and split_hole(name) == (site, letter)))


def split_hole(name: str) -> tuple[str, str]:
    """Split a hole's full name into site and letter: 363-U1482A into U1482 and A. The expedition is dropped.

    If the name is not a full one, the site is empty and the name is returned unchanged.
    """
    match = _HOLE_SPLIT.fullmatch(name)
    return (match["site"], match["letter"]) if match else ("", name)


def address_of_name(name: str, above: str = "") -> dict[str, str]:
    """Parse the address in a group's name.

    Parameters
    ----------
    name : str
        Name of the group, such as ``U1482A``, ``363-U1482A-3H-2``, ``3H``, ``core_3``, ``Section 2``, ``Hole A``.
    above : str, optional
        Name of the group above: below one called ``cores``, a bare ``3`` is a core; below ``U1482``, ``A`` is a hole.

    Returns
    -------
    dict of str to str
        Parts of the address; empty if the name is not an address.
    """
    if match := _SECTION.fullmatch(name):
        return {part: text for part, text in match.groupdict().items() if text}
    if match := _CORE_SECTION.fullmatch(name) or _ICDP.fullmatch(name) or _ICDP.fullmatch(f"{above}/{name}"):
        return match.groupdict()
    if _HOLE.fullmatch(name) or _HOLE_SPACED.fullmatch(name):
        return {"hole": name}
    if match := _CORE.fullmatch(name):
        return ({"hole": above} if re.fullmatch("[A-Z]", above) else {}) | match.groupdict()
    if re.fullmatch("[A-Z]", name) and re.fullmatch(_SITE, above):
        return {"site": above, "hole": name}
    if re.fullmatch(r"\d{1,2}|CC", name) and (match := _CORE.fullmatch(above)):
        return match.groupdict() | {"section": name}
    if match := _WORDED.fullmatch(name):
        part, value = address_part(match["word"]), match["value"]
        if part == "expedition" and not re.fullmatch(r"\d{3}[A-Z]?", value):
            part = None  # exp1 and exp2 are experiments
        if value.islower() and part != "hole":
            part = None
        if part and part != "type":
            inner = address_of_name(value) if part in ("core", "section") else {}
            return inner if part in inner else {part: value}
    if match := _HOLE_WITHIN.search(name):  # GRA_U1482A
        return {"hole": match[0]}
    part = address_part(above.rstrip("s"))
    return {part: name} if part and part != "type" and re.fullmatch(r"\d+|[A-Z]|CC", name) else {}


def run_starts(columns: Sequence[NDArray[Any]], n: int) -> NDArray[np.intp]:
    """Return the first row of each run of equal rows, in ``n`` rows of several columns."""
    varying = [column for column in columns if column.strides[0]]  # the others are of one text, repeated
    if not varying:
        return np.zeros(min(n, 1), np.intp)
    change = np.zeros(max(n - 1, 0), np.bool_)
    for column in varying:
        change |= column[1:] != column[:-1]
    return np.flatnonzero(np.append(True, change)[:n])


class AddressCodes:
    """Assigns a number to each distinct text, or combination of texts, in order of appearance."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, ...], int] = {}

    def encode(self, columns: Sequence[NDArray[np.str_]], n: int) -> NDArray[np.int64]:
        """Return the code of each of ``n`` rows of several columns; without columns, all codes are 0."""
        if not columns:
            return np.zeros(n, np.int64)
        if n == 1:  # most blocks are of one place; many times faster
            return np.array([self._codes.setdefault(tuple(str(column[0]) for column in columns), len(self._codes))])
        found, position = np.unique(np.rec.fromarrays(columns), return_inverse=True)
        codes = [self._codes.setdefault(tuple(map(str, key)), len(self._codes)) for key in found.tolist()]
        return np.array(codes, np.int64)[position]

    def texts(self) -> list[str]:
        """List the texts in order of their codes, if single texts were encoded."""
        return [text for (text,) in self._codes]

    def keys(self) -> list[tuple[str, ...]]:
        """List the combinations of texts in order of their codes."""
        return list(self._codes)

    def __len__(self) -> int:
        return len(self._codes)
