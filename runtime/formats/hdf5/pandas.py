"""What ``DataFrame.to_hdf`` leaves, read with h5py alone: the *fixed* and the *table* format, never unpickled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import h5py

from .attributes import as_numbers, find_attributes, first_text, has_attribute, raw_attribute
from .column import Column
from .plain_pickle import literal, literal_texts
from .selection import ROWS, Selection
from .texts import read_names

FIXED, TABLE = "pandas fixed store", "pandas table store"


def is_pandas_store(group: Any) -> bool:
    """Tell whether a group is what pandas wrote."""
    return has_attribute(group, "pandastype")


def pandas_columns(group: Any, nodes: Mapping[str, Any], notes: list[str]) -> list[Column]:
    """List the columns of a store from its nodes; what of it cannot be read is said in ``notes``."""
    kind = first_text(group, "pandastype")
    place = str(group.name).lstrip("/")
    if kind == "frame":
        return list(_fixed_frame(group, nodes, notes))
    if kind == "series":
        return list(_fixed_series(group, nodes))
    if kind in ("frame_table", "series_table") and isinstance(nodes.get("table"), h5py.Dataset):
        return list(_table(group, nodes["table"], notes))
    notes.append(f"{place} is a pandas store of the kind {kind!r}, which is not read: write it with format='table'")
    return []


def _fixed_frame(group: Any, nodes: Mapping[str, Any], notes: list[str]) -> Iterator[Column]:
    home, place = str(group.name), str(group.name).lstrip("/")
    if isinstance(index := nodes.get("axis1"), h5py.Dataset):
        yield from _index(index, home)
    else:
        notes.append(f"the index of {place} has several levels: not read, reset_index() before to_hdf() keeps them")
    for name, values in nodes.items():
        items = nodes.get(f"{name.removesuffix('_values')}_items")
        if not name.endswith("_values") or not isinstance(values, h5py.Dataset):
            continue
        if not isinstance(items, h5py.Dataset):
            notes.append(f"the columns of {place}/{name} have names of several levels: not read")
            continue
        names = read_names(items)
        if _is_pickled(values):
            notes.append(
                f"{', '.join(names[:8])} of {place} are pickled Python objects: not read; "
                f"format='table' writes them as text"
            )
        elif values.ndim == 2 and not has_attribute(values, "shape"):  # that of an empty one, which stands for it
            columns = int((1.0,) in map(as_numbers, find_attributes(values, "transposed")))
            if len(names) == values.shape[columns]:
                for i, column in enumerate(names):
                    index_of = (ROWS, i) if columns else (i, ROWS)
                    label = column if names.count(column) == 1 else str(i)
                    yield Column(values, column, Selection(index_of), label, (i, len(names)), FIXED, home)


def _is_pickled(dataset: Any) -> bool:
    return h5py.check_vlen_dtype(dataset.dtype) is not None or first_text(dataset, "pseudoatom") == "object"


def _fixed_series(group: Any, nodes: Mapping[str, Any]) -> Iterator[Column]:
    home, values, index = str(group.name), nodes.get("values"), nodes.get("index")
    name = first_text(group, "name")
    if isinstance(values, h5py.Dataset) and values.ndim == 1 and not has_attribute(values, "shape"):
        yield Column(values, _plain(name) or home.rpartition("/")[2], layout=FIXED, home=home)
    if isinstance(index, h5py.Dataset):
        yield from _index(index, home)


def _index(dataset: Any, home: str) -> Iterator[Column]:
    name = first_text(dataset, "name")
    if dataset.ndim == 1 and not has_attribute(dataset, "shape"):
        yield Column(dataset, _plain(name) or "index", layout=FIXED, home=home)


def _table(group: Any, table: Any, notes: list[str]) -> Iterator[Column]:
    home = str(group.name)
    names = table.dtype.names or ()
    for number, field in enumerate(names):
        dtype = table.dtype[field]
        columns = literal_texts(raw_attribute(table, f"{field}_kind"))
        if dtype.shape and len(columns) != dtype.shape[0]:
            notes.append(f"{home.lstrip('/')}: the names of {field} cannot be read: not used")
        elif dtype.shape:
            for i, column in enumerate(columns):
                yield Column(table, column, Selection((ROWS, i), (field,)), column, (number, len(names)), TABLE, home)
        else:
            name = _index_name(group) if field == "index" else columns[0] if len(columns) == 1 else field
            if name == "values":  # a series
                name = _plain(first_text(group, "name")) or name
            yield Column(table, name, Selection((ROWS,), (field,)), name, (number, len(names)), TABLE, home)


def _index_name(group: Any) -> str:
    """Find the name of a table's index in the pickled dictionary that says so: ``{"index": {"index_name": ...}}``."""
    try:
        name = literal(raw_attribute(group, "info"))["index"]["index_name"]
    except (ValueError, KeyError, TypeError, IndexError):
        return "index"
    return name if isinstance(name, str) else "index"


def _plain(name: str) -> str:
    """PyTables pickles what is not text: None becomes ``N.``."""
    return "" if name == "N." else name
