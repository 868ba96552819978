"""Lithologies from a file of described intervals: top, bottom, name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import DAMAGE, ScanError, TableError
from lithovae.runtime.features import DEPTH, spellings, split_suffix, split_unit
from lithovae.runtime.findings import Findings
from lithovae.runtime.formats.column import Column
from lithovae.runtime.formats.open import open_file
from lithovae.runtime.scan.address import ADDRESS, is_short_for, normal_label

from .scans import LITHOLOGY_NAMES
from .table import NO_LABEL, TrainingTable, unreadable

NAMES = {
    "top": ("topdepth", "depthtop", "topmbsf", "topdepthcsfa", "depthfrom", "top", "from", "start", "upper"),
    "bottom": ("bottomdepth", "basedepth", "depthbottom", "depthbase", "bottommbsf", "bottomdepthcsfa", "depthto",
               "bottom", "base", "to", "end", "lower"),
    "name": (*LITHOLOGY_NAMES, "name", "label", "class", "facies", "unit"),
    "hole": ADDRESS["hole"],
    "section": ADDRESS["section"],
}  # fmt: skip
"""Names of the columns, reduced to their `letters`, in order of preference: beside a depth, a top is an offset."""
SECTION_LENGTH = 2.0
"""Length in metres that no section of a core exceeds."""


@dataclass(frozen=True)
class Intervals:
    """Described intervals.

    Attributes
    ----------
    path : Path
        Their file.
    top, bottom : ndarray of shape (n,), float64
        Depths in metres.
    name : ndarray of shape (n,), str
        Lithologies.
    hole : ndarray of shape (n,), str, or None
        Holes; None if the file has no such column.
    notes : tuple of str
        Notes on what was left out or assumed.
    """

    path: Path
    top: NDArray[np.float64]
    bottom: NDArray[np.float64]
    name: NDArray[np.str_]
    hole: NDArray[np.str_] | None
    notes: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Intervals:
        """Read intervals from a table in any format that the runtime reads.

        Those without a name or without thickness are left out. Of names that differ only in case or blanks, all
        intervals take the most common.

        Raises
        ------
        TableError
            If the file cannot be read, lacks a column, states a unit that is no length, has offsets within sections in
            place of depths, or an interval lacks its depths or has its bottom above its top; or if none is left.
        """
        try:
            with open_file(path, Findings(path)) as file:
                columns = {part: _column(file.columns, names) for part, names in NAMES.items()}
                has = ", ".join(column.path for column in file.columns)
                if absent := [part for part in ("top", "bottom", "name") if columns[part] is None]:
                    raise TableError(
                        f"{path} has no column {' and '.join(absent)}: intervals need top, bottom (or base) and name "
                        f"(or lithology); it has {has}",
                        path,
                    )
                depths = []
                for part in ("top", "bottom"):
                    column = columns[part]
                    assert column is not None
                    if not column.is_number:
                        raise TableError(f"{path}: column {column.path} does not hold numbers", path)
                    (values,) = file.read_numbers([column], 0, column.length)
                    depths.append(np.asarray(values, np.float64) * _metres(column, path))
                texts = [
                    None if (column := columns[part]) is None else
                    np.char.strip(file.read_texts([column], 0, column.length)[0])
                    for part in ("name", "hole", "section")
                ]  # fmt: skip
        except (ScanError, *DAMAGE) as error:
            raise unreadable(path, "intervals", error) from error
        (top, bottom), (name, hole, section) = depths, texts
        assert name is not None
        for bad, what in (
            (np.isnan(top) | np.isnan(bottom), "has no top or no bottom"),
            (bottom < top, "ends above its top"),
            (np.zeros(len(name), bool) if hole is None else hole == "", "has no hole"),
        ):
            if bad.any():
                i = int(np.flatnonzero(bad)[0])
                raise TableError(f"{path}: interval {i + 1} ({top[i]:g} to {bottom[i]:g} m) {what}", path)
        if section is not None and len(np.unique(section)) > 1 and bottom.max() <= SECTION_LENGTH:
            raise TableError(
                f"{path}: no interval is deeper than {bottom.max():g} m, but they are of several sections: these are "
                "offsets within a section. Add columns with the depths, such as top depth and bottom depth",
                path,
            )
        notes, keep = [], np.ones(len(name), bool)
        for without, what in ((np.isin(name, NO_LABEL), "no name"), (bottom == top, "no thickness")):
            if without.any():
                i, n = int(np.flatnonzero(without)[0]), np.count_nonzero(without)
                first = f"first interval {i + 1}, {top[i]:g} to {bottom[i]:g} m"
                notes.append(f"{n:,} of {len(name):,} intervals have {what} ({first}): left out")
                keep &= ~without
        if not keep.any():
            raise TableError(f"{path}: no interval has both a name and a thickness", path)
        names, spelling_notes = _one_spelling(name[keep])
        return cls(
            path, top[keep], bottom[keep], names, None if hole is None else hole[keep], (*notes, *spelling_notes)
        )

    def label(self, table: TrainingTable) -> tuple[TrainingTable, list[str]]:
        """Give each row the lithology of the interval that its bin's centre lies in: from its top to above its bottom.

        A row in intervals with different names has no lithology.

        Returns
        -------
        TrainingTable
            The table, with these lithologies alone.
        list of str
            Notes on intervals without a row, and on rows in several intervals.

        Raises
        ------
        TableError
            If no row lies in an interval, most of those that do lie in several with different names, or the holes do
            not match.
        """
        lithology, interval = np.full(len(table), "", object), np.full(len(table), -1)
        torn, first = np.zeros(len(table), bool), ""
        labelled = 0
        for hole, which in self._by_hole(table):
            rows = np.flatnonzero(table.hole == hole)
            rows = rows[np.argsort(table.depth[rows], kind="stable")]
            depth = table.depth[rows] + 1e-9  # a bin's centre is a multiple of its width, to rounding
            starts, ends = np.searchsorted(depth, self.top), np.searchsorted(depth, self.bottom)
            for i in which:
                inside = rows[starts[i] : ends[i]]
                labelled += bool(len(inside))
                other = inside[(interval[inside] >= 0) & (lithology[inside] != self.name[i])]
                if len(other) and not first:
                    j = int(interval[other[0]])
                    first = (
                        f"{self.top[j]:g} to {self.bottom[j]:g} m is {str(self.name[j])!r}, {self.top[i]:g} to "
                        f"{self.bottom[i]:g} m is {str(self.name[i])!r}"
                    )
                torn[other] = True
                interval[inside], lithology[inside] = i, self.name[i]
        if not labelled:
            raise TableError(
                f"{self.path}: no row lies in any of the {len(self.top)} intervals ({self.top.min():g} to "
                f"{self.bottom.max():g} m; the rows lie at {table.depth.min():g} to {table.depth.max():g} m): are the "
                "depths in another unit? State it in the heading, as in top_cm",
                self.path,
            )
        n_torn, n_inside = np.count_nonzero(torn), np.count_nonzero(interval >= 0)
        what = f"{n_torn:,} of {n_inside:,} rows lie in overlapping intervals of different lithologies ({first})"
        if 2 * n_torn > n_inside:
            raise TableError(f"{self.path}: {what}: give each depth one lithology", self.path)
        lithology[torn] = ""
        notes = [f"{what}: they have none"] if n_torn else []
        if without := len(self.top) - labelled:
            n = f"{without:,} of {len(self.top):,} intervals"
            notes.append(f"{n} have no row, because no bin's centre lies in them")
        return replace(table, lithology=lithology.astype(np.str_)), notes

    def _by_hole(self, table: TrainingTable) -> list[tuple[str, NDArray[np.intp]]]:
        """Return the intervals of each hole of a table."""
        holes = np.unique(table.hole).tolist()
        if self.hole is None:
            if len(holes) > 1:
                raise TableError(
                    f"{self.path} has no column hole, but the rows come from {len(holes)} holes "
                    f"({', '.join(holes[:4])}): add it",
                    self.path,
                )
            return [(holes[0], np.arange(len(self.top)))]
        found: dict[str, list[NDArray[np.intp]]] = {}
        for name in np.unique(self.hole).tolist():
            fits = [hole for hole in holes if _is_hole(name, hole)]
            if len(fits) != 1:
                why = f"fits {', '.join(fits[:4])}: give its full name" if fits else "has no row"
                raise TableError(
                    f"{self.path}: hole {name!r} {why}; the rows are from {', '.join(holes[:6])}", self.path
                )
            found.setdefault(fits[0], []).append(np.flatnonzero(self.hole == name))
        return [(hole, np.concatenate(which)) for hole, which in found.items()]


def _one_spelling(names: NDArray[np.str_]) -> tuple[NDArray[np.str_], list[str]]:
    """Return names of which none differs from another only in case or blanks, and a note on those that did."""
    spelt, place, counts = np.unique(names, return_inverse=True, return_counts=True)
    chosen: dict[str, str] = {}
    for i in np.argsort(-counts, kind="stable").tolist():
        chosen.setdefault(" ".join(str(spelt[i]).casefold().split()), str(spelt[i]))
    new = [chosen[" ".join(name.casefold().split())] for name in spelt.tolist()]
    changed = [f"{old!r} as {one!r}" for old, one in zip(spelt.tolist(), new, strict=True) if old != one]
    more = f" and {len(changed) - 4} more" if len(changed) > 4 else ""
    notes = [f"names that differ only in case or blanks are one: {', '.join(changed[:4])}{more}"] if changed else []
    return np.array(new)[place], notes


def _is_hole(name: str, hole: str) -> bool:
    label = normal_label("hole", name)
    return label in (hole, hole.replace("-", "")) or is_short_for(label, hole) or hole.endswith(f"-{label}")


def _column(columns: Sequence[Column], names: tuple[str, ...]) -> Column | None:
    found = []
    for i, column in enumerate(columns):
        ranks = [names.index(name) for name in spellings(column.name) if name in names]
        if ranks:
            found.append((min(ranks), i, column))
    return min(found)[2] if found else None


def _metres(column: Column, path: Path) -> float:
    """Return the factor to metres that a column's heading or unit states; 1 if it states none."""
    unit = column.unit or split_unit(column.name)[1] or split_suffix(column.name)[1]
    factor = DEPTH.factor(unit)
    if factor is None:
        raise TableError(f"{path}: column {column.path} is in {unit!r}, which is no unit of depth", path)
    return float(factor)
