"""Writes intervals of lithology as CSV: what striplog reads (``Striplog.from_csv``), and more about each."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from lithovae.runtime.log import Interval

from .whole_file import whole_file

COLUMNS = (
    "top", "base", "component lithology", "component group", "thickness", "probability", "rows", "note"
)  # fmt: skip
"""Columns of the file. Those that begin with ``component`` are what striplog tells and draws intervals by."""


def write_intervals(path: Path, intervals: Sequence[Interval], *, has_hole: bool, warning: str) -> None:
    """Write intervals, a line each.

    Parameters
    ----------
    path : Path
        The ``.csv`` to write.
    intervals : sequence of Interval
        The intervals, in order.
    has_hole : bool
        Whether a column ``hole`` tells them apart.
    warning : str
        Warning that stands beside each lithology, in a column of its own; without it, the file has no such column.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    headings = [*["hole"] * has_hole, *COLUMNS, *["warning"] * bool(warning)]
    with whole_file(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(headings)
        for each in intervals:
            top, base = f"{each.top:.3f}", f"{each.base:.3f}"
            cells = [
                top,
                base,
                each.lithology,
                each.group,
                f"{float(base) - float(top):.3f}",
                f"{each.probability:.4f}",
                str(each.n_rows),
                each.note,
            ]
            lines.writerow([*[each.hole] * has_hole, *cells, *[warning] * bool(warning)])
        text.detach()
