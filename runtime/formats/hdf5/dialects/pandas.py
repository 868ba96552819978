"""Stores of ``DataFrame.to_hdf``, in *fixed* and *table* format, read with h5py alone and without unpickling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py

from lithovae.runtime.formats.hdf5.attributes import (
    as_numbers,
    find_attributes,
    first_text,
    has_attribute,
    raw_attribute,
)
from lithovae.runtime.formats.hdf5.column import Hdf5Column
from lithovae.runtime.formats.hdf5.plain_pickle import literal, literal_texts
from lithovae.runtime.formats.hdf5.selection import ROWS, Selection
from lithovae.runtime.formats.hdf5.short_texts import read_names
from lithovae.runtime.formats.hdf5.walk import Node

FIXED, TABLE = "pandas fixed store", "pandas table store"


def is_mine(node: Node) -> bool:
    """Return whether pandas wrote a group."""
    return node.is_group and has_attribute(node.item, "pandastype")


def columns_of(node: Node) -> Iterator[Hdf5Column]:
    """List the columns of a store."""
    kind = first_text(node.item, "pandastype")
    if kind == "frame":
        yield from _fixed_frame(node)
    elif kind == "series":
        yield from _fixed_series(node)
    elif kind in ("frame_table", "series_table") and isinstance(node.beside.get("table"), h5py.Dataset):
        yield from _table(node)
    else:
        node.note(f"is a pandas store of type {kind!r}, which is not supported: write it with format='table'")


def _fixed_frame(node: Node) -> Iterator[Hdf5Column]:
    findings = node.walk.findings
    if isinstance(index := node.beside.get("axis1"), h5py.Dataset):
        yield from _index(index, node.path)
    else:
        findings.note(
            f"the index of {node.location} has several levels: not read (reset_index() before to_hdf() keeps them)"
        )
    for name, values in node.beside.items():
        items = node.beside.get(f"{name.removesuffix('_values')}_items")
        if not name.endswith("_values") or not isinstance(values, h5py.Dataset):
            continue
        if not isinstance(items, h5py.Dataset):
            findings.note(f"the column names of {node.location}/{name} have several levels: not read")
            continue
        names = read_names(items)
        if _is_pickled(values):
            findings.note(
                f"{', '.join(names[:8])} of {node.location} are pickled Python objects: not read "
                f"(to_hdf(..., format='table') writes them as text)"
            )
        elif values.ndim == 2 and not has_attribute(
            values, "shape"
        ):  # only empty arrays have it, and are stored as a placeholder
            columns = int((1.0,) in map(as_numbers, find_attributes(values, "transposed")))
            if len(names) == values.shape[columns]:
                for i, column in enumerate(names):
                    index_of = (ROWS, i) if columns else (i, ROWS)
                    label = column if names.count(column) == 1 else str(i)
                    yield Hdf5Column(values, column, Selection(index_of), label, (i, len(names)), FIXED, node.path)


def _is_pickled(dataset: Any) -> bool:
    return h5py.check_vlen_dtype(dataset.dtype) is not None or first_text(dataset, "pseudoatom") == "object"


def _fixed_series(node: Node) -> Iterator[Hdf5Column]:
    home, values, index = node.path, node.beside.get("values"), node.beside.get("index")
    name = first_text(node.item, "name")
    if isinstance(values, h5py.Dataset) and values.ndim == 1 and not has_attribute(values, "shape"):
        yield Hdf5Column(values, _plain(name) or home.rpartition("/")[2], layout=FIXED, home=home)
    if isinstance(index, h5py.Dataset):
        yield from _index(index, home)


def _index(dataset: Any, home: str) -> Iterator[Hdf5Column]:
    name = first_text(dataset, "name")
    if dataset.ndim == 1 and not has_attribute(dataset, "shape"):
        yield Hdf5Column(dataset, _plain(name) or "index", layout=FIXED, home=home)


def _table(node: Node) -> Iterator[Hdf5Column]:
    home, table, group = node.path, node.beside["table"], node.item
    names = table.dtype.names or ()
    for number, field in enumerate(names):
        dtype = table.dtype[field]
        columns = literal_texts(raw_attribute(table, f"{field}_kind"))
        if dtype.shape and len(columns) != dtype.shape[0]:
            node.walk.findings.note(f"the column names of {field} in {node.location} cannot be read: not used")
        elif dtype.shape:
            for i, column in enumerate(columns):
                yield Hdf5Column(
                    table, column, Selection((ROWS, i), (field,)), column, (number, len(names)), TABLE, home
                )
        else:
            name = _index_name(group) if field == "index" else columns[0] if len(columns) == 1 else field
            if name == "values":  # a series
                name = _plain(first_text(group, "name")) or name
            yield Hdf5Column(table, name, Selection((ROWS,), (field,)), name, (number, len(names)), TABLE, home)


def _index_name(group: Any) -> str:
    """Return the name of a table's index from its pickled metadata, ``{"index": {"index_name": ...}}``."""
    try:
        name = literal(raw_attribute(group, "info"))["index"]["index_name"]
    except (ValueError, KeyError, TypeError, IndexError):
        return "index"
    return name if isinstance(name, str) else "index"


def _plain(name: str) -> str:
    """Return a name, or blank for None, which PyTables pickles as ``N.``."""
    return "" if name == "N." else name
