"""Indexes of PyTables, which are skipped. The tables themselves are compound datasets."""

from __future__ import annotations

from collections.abc import Iterator

from lithovae.runtime.formats.hdf5.attributes import first_text
from lithovae.runtime.formats.hdf5.column import Hdf5Column
from lithovae.runtime.formats.hdf5.walk import Node


def is_mine(node: Node) -> bool:
    """Return whether a group is the index of a table."""
    return node.is_group and first_text(node.item, "class") == "TINDEX"


def columns_of(node: Node) -> Iterator[Hdf5Column]:
    """Return no columns: an index repeats the values of the table in another order."""
    return iter(())
