"""A dataset that is one column: 1-D, ``(n, 1)``, ``(1, n)``, or a line of characters per row."""

from __future__ import annotations

from collections.abc import Iterator

from lithovae.runtime.formats.hdf5.attributes import first_text
from lithovae.runtime.formats.hdf5.column import Hdf5Column
from lithovae.runtime.formats.hdf5.selection import ACROSS, ROWS
from lithovae.runtime.formats.hdf5.walk import Node


def is_mine(node: Node) -> bool:
    """Return whether a dataset is one column."""
    return bool(node.line) or is_characters(node)


def columns_of(node: Node) -> Iterator[Hdf5Column]:
    """Yield the column."""
    line = (ROWS, ACROSS) if is_characters(node) else node.line
    yield Hdf5Column(node.item, node.own_name, node.select(*line), home=node.home)


def is_characters(node: Node) -> bool:
    """Return whether a dataset holds a line of characters per row, one character per element."""
    if len(node.shape) != 2:
        return False
    dtype = node.item.dtype
    return (dtype.kind == "S" and dtype.itemsize == 1) or first_text(node.item, "matlabclass") == "char"
