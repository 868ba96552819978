"""Which column holds the depth of a table's samples."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import DEPTH, letters
from lithovae.runtime.formats.hdf5.attributes import first_text
from lithovae.runtime.formats.hdf5.column import Column

from .source import Source

SCALES = {
    "CCSF": ("ccsf", "mcd"),
    "CSF-A": ("csfa", "mbsf"),
    "CSF-B": ("csfb",),
    "vertical depth": ("tvd", "trueverticaldepth"),
}
"""Depth scales (IODP's; mcd and mbsf were the names before), and the letters that tell them, in this order."""
TRUE_VERTICAL = ("tvd", "tvdss", "ztvdss", "trueverticaldepth")


def choose_depth(
    path: Path,
    table: tuple[str, int, int | None],
    own: list[Column],
    above: list[Column],
    mapped: list[Column],
    notes: list[str],
) -> Source | None:
    """Choose the depth of a table.

    Parameters
    ----------
    path : Path
        The file, for messages.
    table : tuple
        The table, as `Column.table` gives it.
    own, above : list of Column
        Its columns, and those that may stand for it.
    mapped : list of Column
        Columns that the user has chosen as depths; each serves the tables of its length that are nearest to it.
    notes : list of str
        Takes what was assumed, or left out, and why.

    Returns
    -------
    Source or None
        None where no column is a depth in a known unit.

    Raises
    ------
    ScanError
        If two columns are equally well named, two mapped ones are equally near, or a netCDF file does not tell which
        of two is the coordinate.
    """
    if (column := _nearest(path, table, mapped)) is not None:
        source = _source(column, notes)
        if source is None:
            notes.append(f"{column.path} is taken as a depth in m, as mapped, though it says {_unit(column)!r}")
            return Source(column, _unit(column), Fraction(1), is_mapped=True)
        return replace(source, is_mapped=True)
    return _best(path, own, notes) or _best(path, above, notes)


def _nearest(path: Path, table: tuple[str, int, int | None], mapped: list[Column]) -> Column | None:
    home, length, _ = table
    fits = [(_shared(home, column.table[0]), column) for column in mapped if column.length == length]
    nearest = [column for shared, column in fits if shared == max(shared for shared, _ in fits)]
    if len(nearest) > 1:
        names = " and ".join(column.path for column in nearest[:2])
        raise ScanError(f"{path}: --map: {names} could both be the depth of {home or '/'}: name one", path)
    return nearest[0] if nearest else None


def _shared(one: str, other: str) -> int:
    names = list(zip(one.split("/"), other.split("/"), strict=False))
    return next((i for i, (a, b) in enumerate(names) if a != b), len(names))


def _best(path: Path, members: list[Column], notes: list[str]) -> Source | None:
    ranked = sorted(
        ((rank, column) for column in members if (rank := DEPTH.rank(column.name)) is not None and column.is_number),
        key=lambda candidate: candidate[0],
    )
    scales = [column for _, column in ranked if first_text(column.dataset, "class") == "DIMENSION_SCALE"]
    if len(scales) > 1 and scales[0].dimension is None:
        raise ScanError(
            f"{path}: {scales[0].path} and {scales[1].path} are coordinates of dimensions of the same length, and "
            f"which is whose cannot be told: --map depth=PATH names one",
            path,
        )
    for (rank, column), (other_rank, other) in pairwise(ranked):
        if rank == other_rank and column.identity != other.identity:
            raise ScanError(
                f"{path}: {column.path} and {other.path} could both be the depth: choose one, as with --map "
                f"'depth={column.path}'",
                path,
            )
    best: Source | None = None
    for rank, column in ranked:
        if best is None:
            best = _source(column, notes)
            if best is None:
                why_not = DEPTH.contradiction(column.name, column.unit)
                why_not = why_not or f"is a depth in {_unit(column)!r}, which is not a known unit of length"
                notes.append(f"{column.path} {why_not}: not used")
            elif DEPTH.names[rank] in TRUE_VERTICAL:
                notes.append(f"{column.path} is a vertical depth: samples at the same height share a bin")
        else:
            notes.append(
                f"{column.path} could be the depth too: {best.column.path} is taken (--map depth=PATH overrides)"
            )
    return best


def note_scales(depths: Iterable[Source], notes: list[str]) -> None:
    """Say where the depths of a scan's tables are on different scales, by their names or units."""
    scales: dict[str, Source] = {}
    for depth in depths:
        told = letters(f"{depth.column.name} {depth.unit or ''}")
        if scale := next((scale for scale, words in SCALES.items() if any(word in told for word in words)), None):
            scales.setdefault(scale, depth)
    if len(scales) > 1:
        named = ", ".join(f"{scale} in {depth.column.path}" for scale, depth in scales.items())
        notes.append(
            f"depths are on different scales ({named}), which can be metres apart: taken as they stand "
            "(--map depth=PATH names another)"
        )


def _unit(column: Column) -> str | None:
    return column.unit if column.unit is not None else DEPTH.unit_in(column.name)


def _unit_above(column: Column) -> str:
    """Find what the group of a depth, or the file, says of the unit of all depths."""
    groups = column.dataset.parent, column.dataset.file["/"]
    return next((text for group in groups if (text := first_text(group, "depthunits", "depthunit"))), "")


def _source(column: Column, notes: list[str]) -> Source | None:
    if DEPTH.contradiction(column.name, column.unit):
        return None
    unit = _unit(column) or None
    factor = DEPTH.factor(unit or "")
    if factor is None:
        return None
    if unit is None and (stated := _unit_above(column)):
        notes.append(f"{column.path} gives no unit, but its group or the file says that depths are in {stated!r}")
        return _source(replace(column, stated_unit=stated), notes)
    if unit is None:
        notes.append(f"{column.path} gives no unit: taken as metres")
    if first_text(column.dataset, "positive") == "up":  # CF: a height, of which the depth is the opposite
        notes.append(f"{column.path} counts upwards (positive = up): its sign is turned")
        factor = -factor
    return Source(column, unit, factor)
