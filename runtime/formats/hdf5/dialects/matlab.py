"""What MATLAB's ``save -v7.3`` writes: arrays with their dimensions in reverse order, structs as groups."""

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
    """Tell whether MATLAB wrote a dataset, or keeps in a group what its cells and objects refer to."""
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
        node.note(f"is {what}: not read; what it leads to is read where it is a dataset of its own")
    elif kind in ("char", "logical", *_NUMBERS):
        yield from (replace(column, layout=LAYOUT) for column in shapes.columns_of(node.turned()))
    else:
        node.note(
            f"is a MATLAB {kind}, which only MATLAB can read: save the columns of a table as a struct, "
            f"as table2struct(T, 'ToScalar', true) makes it"
        )
