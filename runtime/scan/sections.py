"""A table of sections, which gives the depths of samples that are located by section and offset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import DEPTH, Quantity
from lithovae.runtime.findings import Findings
from lithovae.runtime.formats.column import Column, TableKey
from lithovae.runtime.formats.file import File

from .address import ADDRESS, HOLE_PARTS, hole_parts, normal_label, split_core
from .blocks import BLOCK_ROWS, spans
from .group_address import GroupAddresses, address_columns
from .restart import Key, Span
from .source import Source, best_of, candidates, unit_of

_LENGTHS = {unit: factor for unit, factor in DEPTH.units.items() if unit}
TOP = Quantity(
    "Top depth CSF-A (m)",
    "m",
    ("topdepthcsfa", "topcsfa", "csfatop", "topdepthmbsf", "topmbsf", "mbsftop", "topdepth", "depthtop", "sectiontop",
     "top"),
    DEPTH.units,
    DEPTH.plausible,
)  # fmt: skip
BOTTOM = Quantity(
    "Bottom depth CSF-A (m)",
    "m",
    ("bottomdepthcsfa", "bottomcsfa", "csfabottom", "bottomdepthmbsf", "bottommbsf", "mbsfbottom", "bottomdepth",
     "depthbottom", "sectionbottom", "bottom"),
    DEPTH.units,
    DEPTH.plausible,
)  # fmt: skip
LENGTH = Quantity(
    "Curated length (m)", "m", ("curatedlength", "sectionlength", "recoveredlength", "length"), _LENGTHS, (0, 20)
)
OFFSET = Quantity(
    "Offset (cm)", "m", ("offset", "sectionoffset", "offsetinsection", "topoffset", "depthinsection"), _LENGTHS, (0, 20)
)  # its unit must be stated: cm in IODP tables, m elsewhere
MAX_SECTIONS = 1_000_000


def find_quantity(quantity: Quantity, members: list[Column], findings: Findings) -> Source | None:
    """Return the best-named column for a quantity whose unit is known; None if there is none."""

    def take(column: Column) -> Source | str:
        unit = unit_of(quantity, column)
        factor = quantity.factor(unit or "")
        if factor is None:
            why_not = f"is in {unit!r}, which is not a known unit of length" if unit else "states no unit (cm or m)"
            return f"{why_not}: not used"
        return Source(column, unit, factor, assumed=() if unit else (f"{column.path} states no unit: taken as metres",))

    return best_of(candidates(quantity, members, take, findings), quantity.name, findings)


class TopsTable(NamedTuple):
    """A table with the top depth of each section or core: that column, those of the address, and all columns."""

    top: Source
    address: dict[str, Column]
    members: list[Column]


def tables_of_tops(file: File, columns: Iterable[Column], part: str) -> list[TopsTable]:
    """List the tables that give the top depths of sections, or of another ``part`` of an address.

    A table that also has offsets in the sections is a table of samples.
    """
    tables: dict[TableKey, list[Column]] = {}
    for column in columns:
        tables.setdefault(column.table, []).append(column)
    found = []
    for members in tables.values():
        address, findings = address_columns(members), Findings(file.findings.path)
        address = {part: column for part, column in address.items() if column.is_label}
        is_of_samples = any(OFFSET.rank(column.name) is not None for column in members)
        if part in address and not is_of_samples and (top := find_quantity(TOP, members, findings)):
            found.append(TopsTable(top, address, members))
            for note in findings.notes:
                file.findings.note(note)
    return found


@dataclass(frozen=True)
class SectionTable:
    """Top depths of sections.

    Attributes
    ----------
    name : str
        Path of the column of top depths.
    parts : tuple of str
        The parts of an address that identify its rows.
    rows : dict
        Top depth and length (m; NaN if not stated) of each section, by its address.
    columns : frozenset of str
        Paths of all columns of the table.
    places : dict of str to set of str
        By part of the address (hole, core, ...) for which it has no column: the texts stated for the table, and those
        of the samples located by it so far.
    """

    name: str
    parts: tuple[str, ...]
    rows: dict[Key, Span]
    columns: frozenset[str]
    places: dict[str, set[str]]
    _only: dict[tuple[str, ...], dict[Key, Span]] = field(default_factory=dict, repr=False)

    @classmethod
    def find(cls, file: File, columns: list[Column], addresses: GroupAddresses) -> SectionTable | None:
        """Find the one table that gives the top depths of sections, among columns outside the tables of features.

        A table that also has offsets in the sections is a table of samples. ``addresses`` holds what the file states
        about the addresses of its groups.

        Raises
        ------
        ScanError
            If there are several, or it contradicts itself.
        """
        found = tables_of_tops(file, columns, "section")
        if len(found) > 1:
            names = ", ".join(top.column.path for top, _, _ in found[:4])
            raise ScanError(f"{names} could all be the top depths of sections: keep only one table of sections")
        return cls._read(file, *found[0], addresses) if found else None

    @classmethod
    def _read(
        cls, file: File, top: Source, address: dict[str, Column], members: list[Column], addresses: GroupAddresses
    ) -> SectionTable:
        n = top.column.length
        if n > MAX_SECTIONS:
            raise ScanError(f"{top.column.path} has {n:,} rows, too many for a table of sections")
        length, bottom = (find_quantity(quantity, members, file.findings) for quantity in (LENGTH, BOTTOM))
        sources = [source for source in (top, length or bottom) if source]
        found: list[tuple[dict[str, str], Span]] = []
        for span in spans(n, BLOCK_ROWS):
            numbers = file.read_numbers([source.column for source in sources], *span)
            tops, *ends = (source.scaled(block) for source, block in zip(sources, numbers, strict=True))
            lengths = np.full(len(tops), np.nan) if not ends else ends[0] if length else ends[0] - tops
            texts = [text.tolist() for text in file.read_texts(list(address.values()), *span)]
            for *key, top_depth, extent in zip(*texts, tops.tolist(), lengths.tolist(), strict=True):
                if np.isfinite(top_depth):
                    found.append((normalized(dict(zip(address, key, strict=True))), (top_depth, extent)))
        known = {part for key, _ in found for part in key} | set(address)
        parts = tuple(part for part in ADDRESS if part in known)
        rows: dict[Key, Span] = {}
        for texts_of_row, span_of_row in found:
            _add_row(rows, tuple(texts_of_row.get(part, "") for part in parts), span_of_row, parts)
        home = top.column.table[0]
        stated = addresses.named(home) | addresses.stated(home)
        places = {
            part: {stated[part]} if part in stated else set[str]()
            for part in (*HOLE_PARTS, "core")
            if part not in parts
        }
        return cls(top.column.path, parts, rows, frozenset(column.path for column in members), places)

    def only(self, parts: tuple[str, ...]) -> dict[Key, Span]:
        """Return the rows by some parts of the address only.

        Raises
        ------
        ScanError
            If these parts do not distinguish rows with different top depths.
        """
        if parts not in self._only:
            rows: dict[Key, Span] = {}
            for key, row in self.rows.items():
                _add_row(rows, tuple(key[self.parts.index(part)] for part in parts), row, parts)
            self._only[parts] = rows
        return self._only[parts]


def _add_row(rows: dict[Key, Span], key: Key, row: Span, parts: tuple[str, ...]) -> None:
    if rows.setdefault(key, row)[0] != row[0]:
        raise ScanError(
            f"the table of sections gives {section_name(parts, key)} two top depths, {rows[key][0]:g} m and "
            f"{row[0]:g} m: correct it, or add the columns that distinguish them (hole, core, section) to it and to "
            "the samples"
        )


def normalized(address: Mapping[str, str]) -> dict[str, str]:
    """Return an address in its normal form: full names are divided, so that U1482A has a site, and 3H has a type."""
    known = {part: normal_label(part, text).upper() for part, text in address.items()}
    if "hole" in known:
        known |= {part: text for part, text in hole_parts(known).items() if part != "expedition"}
    if "core" in known:
        known["core"], core_type = split_core(known["core"])
        known |= {"type": core_type} if core_type else {}
    return known


def section_name(parts: tuple[str, ...], key: Key) -> str:
    """Return the name of a section for messages."""
    return " ".join(f"{part} {text}" for part, text in zip(parts, key, strict=True))
