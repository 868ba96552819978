"""Instruments whose columns differ in length: a logger writes one after the other, and may be stopped between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lithovae.runtime.features import CATALOGUE, DEPTH, letters
from lithovae.runtime.findings import Findings

from .column import Hdf5Column

LABELS = ("expedition", "exp", "site", "hole", "core", "type", "section", "sect")
MAX_ROWS, MAX_SHARE = 1024, 0.1
"""Rows, or share of all, by which the columns of one instrument may differ: what is appended at once."""


def evened(columns: Sequence[Hdf5Column], findings: Findings) -> list[Hdf5Column]:
    """Shorten the columns of an instrument to the shortest of them, with a note.

    An instrument is a group with one depth. Its features, its depth and its address have to be resizable: arrays of
    fixed size are written at once, and differ in length only if they have nothing to do with each other.

    Parameters
    ----------
    columns : sequence of Hdf5Column
        All columns of a file.
    findings : Findings
        Takes the notes.
    """
    groups: dict[str, list[int]] = {}
    for i, column in enumerate(columns):
        home, _, dimension = column.table
        if home == column.group and dimension is None and column.number is None and len(column.shape) == 1:
            groups.setdefault(home, []).append(i)
    found = list(columns)
    for group, members in groups.items():
        if len({columns[i].length for i in members}) == 1:
            continue
        of_instrument = _instrument([columns[i] for i in members])
        lengths = {column.name: column.length for column in of_instrument}
        if len(set(lengths.values())) < 2:
            continue
        shortest = min(lengths.values())
        known = set(lengths)
        for i in members:
            if columns[i].name in known:
                found[i] = replace(columns[i], rows=shortest)
        told = ", ".join(f"{name} {length:,}" for name, length in list(lengths.items())[:8])
        findings.note(
            f"the columns of {group or '/'} differ in length ({told}): the first {shortest:,} rows of each are used"
        )
    return found


def _instrument(members: Sequence[Hdf5Column]) -> list[Hdf5Column]:
    """Return the columns that belong together; none if this is not plain."""
    depths = [column for column in members if column.is_number and DEPTH.rank(column.name) is not None]
    values = [
        column
        for column in members
        if column.is_number and any(feature.rank(column.name) is not None for feature in CATALOGUE)
    ]
    if len(depths) != 1 or not values:
        return []
    labels = [column for column in members if column.is_label and letters(column.name) in LABELS]
    found = list(dict.fromkeys([*depths, *values, *labels]))
    lengths = [column.length for column in found]
    is_near = max(lengths) - min(lengths) <= max(MAX_ROWS, MAX_SHARE * max(lengths))
    return found if is_near and all(column.dataset.maxshape[0] is None for column in found) else []
