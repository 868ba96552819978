"""Columns chosen by the user with ``--map``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lithovae.runtime.errors import ScanError
from lithovae.runtime.features import DEPTH, FeatureSet
from lithovae.runtime.formats.column import Column

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


def _find(columns: Sequence[Column], path: str) -> list[Column]:
    spelled = path.lstrip("/"), path.strip().lstrip("/")  # a name may end in a blank
    found = [column for wanted in spelled for column in columns if wanted in column.paths][:1]
    wanted = spelled[1]
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
    if not found:
        near = ", ".join(column.path for column in columns[:8])
        raise ScanError(f"--map: no column {path!r}; the file has {near}{' …' * (len(columns) > 8)}")
    for column in found:
        if not column.is_number:
            raise ScanError(f"--map: {column.path} holds {column.kind}, not numbers")
    return found
