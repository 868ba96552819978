"""Wells as xtgeo writes them: a group ``Well`` with a dataset per log in ``column``, and JSON that says the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import h5py

from .attributes import first_text
from .column import Column
from .limits import Walk
from .nodes import children

XTGEO = "xtgeo well"
MAX_METADATA = 1 << 20


def is_well(group: Any, nodes: Mapping[str, Any]) -> bool:
    """Tell whether a group, by its attributes and nodes, is a well of xtgeo."""
    return first_text(group, "provider") == "xtgeo" and isinstance(nodes.get("column"), h5py.Group)


def well_columns(
    group: Any, nodes: Mapping[str, Any], walk: Walk, notes: list[str]
) -> tuple[list[Column], dict[str, str]]:
    """List the logs of a well; with them, what its metadata says of the address: the hole."""
    try:
        text = first_text(group, "metadata")
        stated = json.loads(text)["_required_"] if len(text) <= MAX_METADATA else {}
        logs = stated["wlogs"] if isinstance(stated["wlogs"], dict) else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        notes.append(f"the metadata of {group.name} cannot be read: its logs' units are not known")
        stated, logs = {}, {}
    columns = []
    for name, dataset in children(nodes["column"], walk).items():
        if isinstance(dataset, h5py.Dataset) and dataset.ndim == 1:
            columns.append(Column(dataset, name, layout=XTGEO, home=str(group.name), stated_unit=_unit(logs.get(name))))
    hole = stated.get("name")
    return columns, {"hole": hole} if isinstance(hole, str) and hole else {}


def _unit(log: Any) -> str | None:
    """Take the unit of a continuous log, ``["CONT", ["G/C3", "lin"]]``; where it is not known, xtgeo leaves a blank."""
    try:
        kind, (unit, _) = log
    except (TypeError, ValueError):
        return None
    return unit.strip() or None if kind == "CONT" and isinstance(unit, str) and unit.strip() != "UNK" else None
