"""Wells written by xtgeo: a group ``Well`` with one dataset per log in ``column``, and metadata as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import h5py

from lithovae.runtime.formats.hdf5.attributes import first_text
from lithovae.runtime.formats.hdf5.column import Hdf5Column
from lithovae.runtime.formats.hdf5.limits import MAX_ATTRIBUTE_BYTES
from lithovae.runtime.formats.hdf5.walk import Node, children

LAYOUT = "xtgeo well"


def is_mine(node: Node) -> bool:
    """Return whether a group is a well of xtgeo, by its attributes and members."""
    if not node.is_group or first_text(node.item, "provider") != "xtgeo":
        return False
    return isinstance(node.beside.get("column"), h5py.Group)


def columns_of(node: Node) -> Iterator[Hdf5Column]:
    """List the logs of a well, and record the hole that its metadata state."""
    try:
        text = first_text(node.item, "metadata")
        stated = json.loads(text)["_required_"] if len(text) <= MAX_ATTRIBUTE_BYTES else {}
        logs = stated["wlogs"] if isinstance(stated["wlogs"], dict) else {}
    except (ValueError, KeyError, TypeError, RecursionError):
        node.walk.findings.note(f"the metadata of {node.path} cannot be read: the units of its logs are unknown")
        stated, logs = {}, {}
    if isinstance(hole := stated.get("name"), str) and hole:
        node.walk.statements.setdefault(node.path, []).append(("hole", hole))
    for name, dataset in children(node.beside["column"], node.walk).items():
        if isinstance(dataset, h5py.Dataset) and dataset.ndim == 1:
            unit = _unit(logs.get(name))
            yield Hdf5Column(dataset, name, layout=LAYOUT, home=node.path, stated_unit=unit)


def _unit(log: Any) -> str | None:
    """Return the unit of a continuous log such as ``["CONT", ["G/C3", "lin"]]``; None if it is blank or unknown."""
    try:
        kind, (unit, _) = log
    except (TypeError, ValueError):
        return None
    return unit.strip() or None if kind == "CONT" and isinstance(unit, str) and unit.strip() != "UNK" else None
