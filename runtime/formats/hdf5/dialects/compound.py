"""A table of records: one column per field, including nested fields and the elements of small array fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lithovae.runtime.formats.hdf5.column import Hdf5Column
from lithovae.runtime.formats.hdf5.limits import MAX_NAMELESS_COLUMNS
from lithovae.runtime.formats.hdf5.selection import Selection
from lithovae.runtime.formats.hdf5.walk import Node

from .images import colour_order

LAYOUT = "compound tables"


def is_mine(node: Node) -> bool:
    """Return whether a dataset holds records."""
    return bool(node.item.dtype.names)


def columns_of(node: Node) -> Iterator[Hdf5Column]:
    """List the fields of a dataset that is one-dimensional, or has a single row or column."""
    if not node.line:
        return
    dataset, base, names = node.item, node.select(*node.line), node.item.dtype.names

    def walk(dtype: Any, field: tuple[str, ...], number: int) -> Iterator[Hdf5Column]:
        label = ".".join(field)
        if dtype.names and not dtype.shape:
            for name in dtype.names:
                yield from walk(dtype[name], (*field, name), number)
        elif not dtype.shape:
            selection = Selection(base.index, field)
            yield Hdf5Column(dataset, field[-1], selection, label, (number, len(names)), LAYOUT, node.path)
        else:
            is_short = len(dtype.shape) == 1 and dtype.shape[0] <= MAX_NAMELESS_COLUMNS
            elements = is_short and (colour_order(field[-1], dtype.shape[0]) or [field[-1]] * (dtype.shape[0] == 1))
            for i in range(dtype.shape[0] if is_short else 0):
                selection = Selection((*base.index, i), field)
                name = elements[i] if elements else ""
                yield Hdf5Column(dataset, name, selection, f"{label}.{i}", (number, len(names)), LAYOUT, node.path)
            if not elements:
                whole = Selection(base.index, field)
                column = Hdf5Column(dataset, field[-1], whole, label, (number, len(names)), LAYOUT, node.path)
                yield column.closed("an array in each row")

    for number, name in enumerate(names):
        yield from walk(dataset.dtype[name], (name,), number)
