"""Choice of the column that holds the depth of a table's samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import DEPTH, letters, split_suffix, split_unit
from lithovae.runtime.findings import Findings
from lithovae.runtime.formats.column import Column, TableKey

from .source import Source, best_of, candidates, unit_of

SCALES = {
    "CCSF": ("ccsf", "mcd"),
    "CSF-A": ("csfa", "mbsf"),
    "CSF-B": ("csfb",),
    "WMSF": ("wmsf",),
    "vertical depth": ("tvd", "trueverticaldepth"),
}
"""Depth scales of IODP (formerly called mcd and mbsf), and the words that identify them, in this order."""
TRUE_VERTICAL = ("tvd", "tvdss", "ztvdss", "trueverticaldepth")


def choose_depth(
    table: TableKey, own: Sequence[Column], above: Sequence[Column], mapped: Sequence[Column], findings: Findings
) -> Source | None:
    """Choose the depth of a table.

    Parameters
    ----------
    table : tuple
        The table, as in `Column.table`.
    own, above : sequence of Column
        Columns of the table, and columns above it that may be used instead.
    mapped : sequence of Column
        Columns chosen by the user as depths; each applies to the nearest tables of its length.
    findings : Findings
        Receives notes on what was assumed or left out, and why.

    Returns
    -------
    Source or None
        None if no column is a depth in a known unit.

    Raises
    ------
    ScanError
        If two columns fit equally well, two mapped ones are equally near, or a netCDF file does not say which of two
        is the coordinate.
    """
    if (column := _nearest(table, mapped)) is not None:
        source = _take(column)
        if isinstance(source, str):
            unit = unit_of(DEPTH, column)
            findings.note(f"{column.path} is taken as a depth in m, as mapped, although its unit is {unit!r}")
            return Source(column, unit, Fraction(1), is_mapped=True)
        for note in source.assumed:
            findings.note(note)
        return replace(source, is_mapped=True)
    return _best(own, findings) or _best(above, findings)


def _nearest(table: TableKey, mapped: Sequence[Column]) -> Column | None:
    home, length, _ = table
    fits = [(_shared(home, column.table[0]), column) for column in mapped if column.length == length]
    nearest = [column for shared, column in fits if shared == max(shared for shared, _ in fits)]
    if len(nearest) > 1:
        names = " and ".join(column.path for column in nearest[:2])
        raise ScanError(f"--map: {names} could both be the depth of {home or '/'}: map only one")
    return nearest[0] if nearest else None


def _shared(one: str, other: str) -> int:
    names = list(zip(one.split("/"), other.split("/"), strict=False))
    return next((i for i, (a, b) in enumerate(names) if a != b), len(names))


def _best(members: Sequence[Column], findings: Findings) -> Source | None:
    named = [column for column in members if DEPTH.rank(column.name) is not None and column.is_number]
    scales = sorted((column for column in named if column.is_coordinate), key=lambda one: DEPTH.rank(one.name) or 0)
    if len(scales) > 1 and scales[0].table[2] is None:
        raise ScanError(
            f"{scales[0].path} and {scales[1].path} are coordinates of dimensions of the same length, and the file "
            "does not say which belongs to which variable: choose one with --map depth=PATH"
        )
    ranked = candidates(DEPTH, named, _take, findings)
    for (rank, source), (other_rank, other) in pairwise(ranked):
        if rank == other_rank and source.column.identity != other.column.identity:
            raise ScanError(
                f"{source.column.path} and {other.column.path} could both be the depth: choose one, as with --map "
                f"'depth={source.column.path}'"
            )
    return best_of(ranked, "the depth", findings, " (--map depth=PATH overrides)")


def _take(column: Column) -> Source | str:
    """Return the source for a column named as a depth, or the reason why it is not used."""
    if contradiction := DEPTH.contradiction(column.name, column.unit):
        return f"{contradiction}: not used"
    unit = unit_of(DEPTH, column) or None
    assumed = []
    if unit is None and (unit := column.stated_above("depthunits", "depthunit") or None):
        assumed.append(f"{column.path} states no unit, but its group or the file states that depths are in {unit!r}")
    factor = DEPTH.factor(unit or "")
    if factor is None:
        return f"is a depth in {unit!r}, which is not a known unit of length: not used"
    if unit is None:
        assumed.append(f"{column.path} states no unit: taken as metres")
    if column.stated("positive") == "up":  # CF: a height, so the depth is its negative
        assumed.append(f"{column.path} increases upwards (positive = up): its sign is reversed")
        factor = -factor
    if DEPTH.names[DEPTH.rank(column.name) or 0] in TRUE_VERTICAL:
        assumed.append(f"{column.path} is a vertical depth: samples at the same vertical depth share a bin")
    return Source(column, unit, factor, assumed=tuple(assumed))


def note_lengths(members: Iterable[Column], findings: Findings) -> None:
    """Note the columns of a table without a depth that state a unit of length: one may be the depth by another name."""
    found = []
    for column in members:
        units = [unit for unit in (column.unit, split_unit(column.name)[1], split_suffix(column.name)[1]) if unit]
        if column.is_number and DEPTH.rank(column.name) is None and any(map(DEPTH.factor, units)):
            found.append(column.path)
    if found:
        findings.note(
            f"no depth is found by its name; {', '.join(found[:4])} {'states' if len(found) == 1 else 'state'} a unit "
            f"of length: is it one, as with --map 'depth={found[0]}'?"
        )


def scale_of(depth: Source) -> str:
    """Return the scale of a depth, one of `SCALES`, by its name and unit; empty if they do not tell."""
    text = letters(f"{depth.column.name} {depth.unit or ''}")
    return next((scale for scale, words in SCALES.items() if any(word in text for word in words)), "")


def note_scales(depths: Iterable[Source], findings: Findings) -> None:
    """Add a note if the depths of a scan's tables are on different scales, by their names or units."""
    scales: dict[str, Source] = {}
    for depth in depths:
        if scale := scale_of(depth):
            scales.setdefault(scale, depth)
    if len(scales) > 1:
        named = ", ".join(f"{scale} in {depth.column.path}" for scale, depth in scales.items())
        findings.note(
            f"depths are on different scales ({named}), which can be metres apart: taken unchanged "
            "(--map depth=PATH chooses another)"
        )
