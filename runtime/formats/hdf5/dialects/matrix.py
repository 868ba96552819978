"""A 2-D dataset with named columns or rows; without names, its columns have numbers for ``--map``."""

from __future__ import annotations

from collections.abc import Iterator

from lithovae.runtime.features import CATALOGUE
from lithovae.runtime.formats.hdf5.column import Hdf5Column
from lithovae.runtime.formats.hdf5.limits import MAX_NAMELESS_COLUMNS
from lithovae.runtime.formats.hdf5.selection import ROWS
from lithovae.runtime.formats.hdf5.walk import Node

from . import plain
from .images import colour_order
from .names import names_for, texts_beside

NAMED_COLUMNS, NAMED_ROWS = "a matrix with named columns", "a matrix with named rows"


def is_mine(node: Node) -> bool:
    """Return whether a dataset is a matrix of values."""
    return len(node.shape) == 2 and not plain.is_characters(node)


def columns_of(node: Node) -> Iterator[Hdf5Column]:
    """List the columns of the matrix, or its rows if the names are those of the rows."""
    shape = node.shape
    candidates = names_for(node)
    given = next((names for names in candidates if len(names) in shape), None)
    if given and shape[0] == shape[1] == len(given) > 1:
        node.note(
            f"{shape} has as many rows as columns, so its names could be those of either: not used "
            f"(--map takes a column, as in --map R={node.location}:0)"
        )
        given = None
    elif given is None and node.line:
        yield from plain.columns_of(node)
        return
    has_named_rows = bool(given) and len(given or ()) != shape[1]
    names = given or colour_order(node.own_name, shape[1])
    n = shape[0] if has_named_rows else shape[1]
    if not names and not node.line and (lists := [len(texts) for texts in candidates if len(texts) > 1]):
        node.note(f"{shape} has {lists[0]} names, but neither {lists[0]} columns nor {lists[0]} rows: names not used")
    if not names and any(quantity.rank(node.own_name) is not None for quantity in CATALOGUE):
        node.note(f"{shape} has several columns without names: not used")
    if not names and n > MAX_NAMELESS_COLUMNS:
        return
    units = next((units for units in texts_beside(node, ("units",)) if len(units) == n), [])
    layout = NAMED_ROWS if has_named_rows else NAMED_COLUMNS
    for i in range(n):
        name = names[i] if names else ""
        label = name if names and names.count(name) == 1 else str(i)
        selection = node.select(i, ROWS) if has_named_rows else node.select(ROWS, i)
        unit = units[i] if units else None
        yield Hdf5Column(node.item, name, selection, label, (i, n), layout, node.path, stated_unit=unit)
