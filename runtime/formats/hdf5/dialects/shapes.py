"""The dialects that tell a dataset's columns by its type and shape alone, in the order in which they are asked."""

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
        node.note("is an array of references: not read; what it leads to is read where it is a dataset of its own")
    elif dtype.shape:
        node.note("holds an array in each place: not read")
    elif dialect := next((dialect for dialect in SHAPES if dialect.is_mine(node)), None):
        yield from dialect.columns_of(node)
