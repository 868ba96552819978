"""Columns chosen by the user with ``--map``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import DEPTH, FeatureSet
from lithovae.runtime.formats.column import Column
from lithovae.runtime.formats.file import File

from .blocks import BLOCK_ROWS, spans

MAPPED_DEPTH = -1
"""Key of the depth, beside the positions of the features."""


def mapped_columns(
    columns: Sequence[Column], mapping: Mapping[str, str], features: FeatureSet
) -> dict[int, list[Column]]:
    """Find the columns that are mapped.

    Parameters
    ----------
    columns : list of Column
        All columns of the file.
    mapping : mapping of str to str
        The column of each feature, and of the depth: a path, in which ``*`` stands for any part of a name.
    features : FeatureSet
        The features.

    Returns
    -------
    dict of int to list of Column
        By position in ``features``, or `MAPPED_DEPTH`; several if a path with ``*`` matches several.

    Raises
    ------
    ScanError
        If a feature or a column is unknown, a column does not hold numbers, or it is mapped twice.
    """
    found: dict[int, list[Column]] = {}
    for name, wanted in mapping.items():
        position = features.find(name)
        if position is None and DEPTH.rank(name) is not None:
            position = MAPPED_DEPTH
        if position is None:
            raise ScanError(f"--map: unknown feature {name!r}; known are {', '.join(features.names)} and depth")
        if position in found:
            raise ScanError(f"--map: {_name(features, position)} is mapped twice")
        found[position] = _find(columns, wanted)
    taken: dict[object, int] = {}
    for position, chosen in found.items():
        for column in chosen:
            other = taken.setdefault(column.identity, position)
            if other != position:
                names = " and ".join(_name(features, i) for i in (other, position))
                raise ScanError(f"--map: {column.path} is mapped to {names}: a column serves once")
    return found


def _name(features: FeatureSet, position: int) -> str:
    return DEPTH.name if position == MAPPED_DEPTH else features[position].name


def require_alike(file: File, mapping: Mapping[str, str]) -> None:
    """Check that columns of one name, if it is mapped, hold the same numbers; a note says that the first is taken.

    Raises
    ------
    ScanError
        If they do not: the message says how to choose one.
    """
    for name, wanted in mapping.items():
        found = [column for column in _spelled(file.columns, wanted) if column.is_number]
        if len(found) < 2:
            continue
        if not hold_the_same(file, found):
            names = ", ".join(column.path for column in found)
            own = next((path for path in found[-1].paths if path not in found[0].paths), found[-1].path)
            raise ScanError(
                f"--map: {wanted!r} could be any of {names}, whose values differ: choose one, as with "
                f"--map '{name}={own}'"
            )
        note_namesake(file, found[0], found[1])


def has_column(columns: Sequence[Column], path: str) -> bool:
    """Return whether a path of ``--map`` fits a column."""
    return bool(_fitting(columns, path))


def note_namesake(file: File, taken: Column, other: Column) -> None:
    """Note that another column has the name of the one that is taken, and its values."""
    file.findings.note(f"{taken.path} is taken: {other.path} has the same name and the same values")


def hold_the_same(file: File, columns: Sequence[Column]) -> bool:
    """Return whether columns of a table hold the same numbers; they are read for it."""
    for start, stop in spans(columns[0].length, BLOCK_ROWS):
        first, *rest = file.read_numbers(columns, start, stop)
        if not all(np.array_equal(first, values, equal_nan=True) for values in rest):
            return False
    return True


def _spelled(columns: Sequence[Column], path: str) -> list[Column]:
    """List the columns that have a path, with the blanks at its ends or else without: a name may end in a blank."""
    for wanted in (path.lstrip("/"), path.strip().lstrip("/")):
        if found := [column for column in columns if wanted in column.paths]:
            return found
    return []


def _fitting(columns: Sequence[Column], path: str) -> list[Column]:
    """List the columns that a path fits: one, or several if it has a ``*``."""
    found, wanted = _spelled(columns, path)[:1], path.strip().lstrip("/")
    if not found:
        found = [column for column in columns if any(wanted == spelling.strip() for spelling in column.paths)]
        if len(found) > 1:
            names = " and ".join(repr(column.path) for column in found[:2])
            raise ScanError(f"--map: {path!r} could be {names}: give the blanks too")
    if not found and "*" in wanted:
        pattern = re.compile("[^/]*".join(map(re.escape, wanted.split("*"))))
        found = [column for column in columns if any(pattern.fullmatch(spelling) for spelling in column.paths)]
        numbers = [column for column in found if column.is_number]
        found = numbers or found
    return found


def _find(columns: Sequence[Column], path: str) -> list[Column]:
    found = _fitting(columns, path)
    if not found:
        near = ", ".join(column.path for column in columns[:8])
        raise ScanError(f"--map: no column {path!r}; the file has {near}{' …' * (len(columns) > 8)}")
    for column in found:
        if not column.is_number:
            raise ScanError(f"--map: {column.path} holds {column.kind}, not numbers")
    return found
