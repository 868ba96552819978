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
    "top": ("top", "topdepth", "depthtop", "from", "start", "upper", "topmbsf", "topdepthcsfa", "depthfrom"),
    "bottom": ("bottom", "base", "bottomdepth", "basedepth", "depthbottom", "depthbase", "to", "end", "lower",
               "bottommbsf", "bottomdepthcsfa", "depthto"),
    "name": (*LITHOLOGY_NAMES, "name", "label", "class", "facies", "unit"),
    "hole": ADDRESS["hole"],
}  # fmt: skip
"""Names of the columns, reduced to their `letters`, in order of preference."""


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
    """

    path: Path
    top: NDArray[np.float64]
    bottom: NDArray[np.float64]
    name: NDArray[np.str_]
    hole: NDArray[np.str_] | None

    @classmethod
    def read(cls, path: Path) -> Intervals:
        """Read intervals from a table in any format that the runtime reads.

        Raises
        ------
        TableError
            If the file cannot be read, lacks a column, states a unit that is no length, or an interval lacks its
            depths or its name or has its bottom above its top.
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
                    for part in ("name", "hole")
                ]  # fmt: skip
        except (ScanError, *DAMAGE) as error:
            raise unreadable(path, "intervals", error) from error
        (top, bottom), (name, hole) = depths, texts
        assert name is not None
        for bad, what in (
            (np.isnan(top) | np.isnan(bottom), "has no top or no bottom"),
            (bottom <= top, "ends above its top"),
            (np.isin(name, NO_LABEL), "has no name"),
            (np.zeros(len(name), bool) if hole is None else hole == "", "has no hole"),
        ):
            if bad.any():
                i = int(np.flatnonzero(bad)[0])
                raise TableError(f"{path}: interval {i + 1} ({top[i]:g} to {bottom[i]:g} m) {what}", path)
        return cls(path, top, bottom, name, hole)

    def label(self, table: TrainingTable) -> tuple[TrainingTable, int]:
        """Give each row the lithology of the interval that its bin's centre lies in: from its top to above its bottom.

        Returns
        -------
        TrainingTable
            The table, with these lithologies alone.
        int
            Number of intervals without a row.

        Raises
        ------
        TableError
            If no row lies in an interval, a row lies in two with different names, or the holes do not match.
        """
        lithology, interval = np.full(len(table), "", object), np.full(len(table), -1)
        labelled = 0
        for hole, which in self._by_hole(table):
            rows = np.flatnonzero(table.hole == hole)
            for i in which:
                depth = table.depth[rows] + 1e-9  # a bin's centre is a multiple of its width, to rounding
                inside = rows[(depth >= self.top[i]) & (depth < self.bottom[i])]
                labelled += bool(len(inside))
                other = (j for j in interval[inside].tolist() if j >= 0 and self.name[j] != self.name[i])
                if (j := next(other, None)) is not None:
                    raise TableError(
                        f"{self.path}: intervals {j + 1} and {i + 1} of {hole} overlap: {self.top[j]:g} to "
                        f"{self.bottom[j]:g} m is {self.name[j]!r}, {self.top[i]:g} to {self.bottom[i]:g} m is "
                        f"{self.name[i]!r}",
                        self.path,
                    )
                interval[inside], lithology[inside] = i, self.name[i]
        if not labelled:
            raise TableError(
                f"{self.path}: no row lies in any of the {len(self.top)} intervals ({self.top.min():g} to "
                f"{self.bottom.max():g} m; the rows lie at {table.depth.min():g} to {table.depth.max():g} m): are the "
                "depths in another unit? State it in the heading, as in top_cm",
                self.path,
            )
        return replace(table, lithology=lithology.astype(np.str_)), len(self.top) - labelled

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
