"""The layouts that are recognised by type and shape alone, in the order in which they are tried."""

from __future__ import annotations

from collections.abc import Iterator

import h5py

from lithovae.runtime.formats.hdf5.column import Hdf5Column
from lithovae.runtime.formats.hdf5.walk import Node

from . import compound, images, matrix, plain

SHAPES = (compound, images, matrix, plain)


def columns_of(node: Node) -> Iterator[Hdf5Column]:
    """List the columns of a dataset."""
    dtype = node.item.dtype
    if h5py.check_ref_dtype(dtype) is not None:
        node.note(
            "is an array of references: not read; their targets are read only if they also have a path of their own"
        )
        yield from closed(node, "references")
    elif dtype.shape:
        node.note("holds an array in each element: not read")
        yield from closed(node, "arrays")
    elif dialect := next((dialect for dialect in SHAPES if dialect.is_mine(node)), None):
        yield from dialect.columns_of(node)


def closed(node: Node, what: str) -> Iterator[Hdf5Column]:
    """Yield the column of a dataset whose elements cannot be read, if it is one column."""
    if node.line:
        yield Hdf5Column(node.item, node.own_name, node.select(*node.line), home=node.home).closed(what)
