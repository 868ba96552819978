"""A 2-D dataset whose columns, or rows, have names; without names, a column a number for ``--map``."""

from __future__ import annotations

from collections.abc import Iterator

from lithovae.runtime.features import FEATURES
from lithovae.runtime.formats.hdf5.column import Hdf5Column
from lithovae.runtime.formats.hdf5.limits import MAX_NAMELESS_COLUMNS
from lithovae.runtime.formats.hdf5.selection import ROWS
from lithovae.runtime.formats.hdf5.walk import Node

from . import plain
from .images import colour_order
from .names import names_for, texts_beside

COLUMNS, LYING = "a matrix with named columns", "a matrix with named rows"


def is_mine(node: Node) -> bool:
    """Tell whether a dataset is a matrix of values."""
    return len(node.shape) == 2 and not plain.is_characters(node)


def columns_of(node: Node) -> Iterator[Hdf5Column]:
    """List the columns, which are the rows where these have the names."""
    shape = node.shape
    candidates = names_for(node)
    given = next((names for names in candidates if len(names) in shape), None)
    if given and shape[0] == shape[1] == len(given) > 1:
        node.note(
            f"{shape} has as many rows as columns, so its names may be those of either: not used "
            f"(--map {node.location}:0 takes a column)"
        )
        given = None
    elif given is None and node.line:
        yield from plain.columns_of(node)
        return
    lies = bool(given) and len(given or ()) != shape[1]
    names = given or colour_order(node.own_name, shape[1])
    n = shape[0] if lies else shape[1]
    if not names and not node.line and (lists := [len(texts) for texts in candidates if len(texts) > 1]):
        node.note(f"{shape} has {lists[0]} names, but neither as many columns nor as many rows: names not used")
    if not names and any(quantity.rank(node.own_name) is not None for quantity in FEATURES):
        node.note(f"{shape} has several values in a row, which have no names: not used")
    if not names and n > MAX_NAMELESS_COLUMNS:
        return
    units = next((units for units in texts_beside(node, ("units",)) if len(units) == n), [])
    layout = LYING if lies else COLUMNS
    for i in range(n):
        name = names[i] if names else ""
        label = name if names and names.count(name) == 1 else str(i)
        selection = node.select(i, ROWS) if lies else node.select(ROWS, i)
        unit = units[i] if units else None
        yield Hdf5Column(node.item, name, selection, label, (i, n), layout, node.path, stated_unit=unit)
