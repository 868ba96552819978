"""Files of MATLAB's ``save -v7.3``: arrays with their dimensions in reverse order, structs as groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import h5py

from lithovae.runtime.formats.hdf5.attributes import as_numbers, find_attributes, first_text
from lithovae.runtime.formats.hdf5.column import Hdf5Column
from lithovae.runtime.formats.hdf5.walk import Node

from . import shapes

LAYOUT = "MATLAB v7.3"
_NUMBERS = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def is_mine(node: Node) -> bool:
    """Return whether MATLAB wrote a dataset, or whether a group holds the targets of its references."""
    if node.is_group:
        return node.path in ("/#refs#", "/#subsystem#")
    return bool(first_text(node.item, "matlabclass"))


def columns_of(node: Node) -> Iterator[Hdf5Column]:
    """List the columns of a dataset of numbers or characters."""
    if node.is_group or any(as_numbers(value) == (1.0,) for value in find_attributes(node.item, "matlabempty")):
        return
    kind = first_text(node.item, "matlabclass")
    if h5py.check_ref_dtype(node.item.dtype) is not None:
        what = "a MATLAB cell array" if kind == "cell" else f"a MATLAB {kind}"
        node.note(
            f"is {what} of references: not read; their targets are read only if they also have a path of their own"
        )
        yield from shapes.closed(node.transposed(), what)
    elif kind in ("char", "logical", *_NUMBERS):
        yield from (replace(column, layout=LAYOUT) for column in shapes.columns_of(node.transposed()))
    else:
        node.note(
            f"is a MATLAB {kind}, which only MATLAB can read: convert a table to a struct before saving it, "
            f"with table2struct(T, 'ToScalar', true)"
        )
