"""Stores of ``DataFrame.to_hdf``, in *fixed* and *table* format, read with h5py alone and without unpickling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import DAMAGE
from lithovae.runtime.formats.hdf5.attributes import (
    as_numbers,
    as_text,
    decode,
    find_attributes,
    first_text,
    has_attribute,
    raw_attribute,
)
from lithovae.runtime.formats.hdf5.column import Hdf5Column
from lithovae.runtime.formats.hdf5.filters import require_filters
from lithovae.runtime.formats.hdf5.limits import MAX_ATTRIBUTE_BYTES, MAX_LABEL_BYTES
from lithovae.runtime.formats.hdf5.links import stored_elsewhere, why_not_followed
from lithovae.runtime.formats.hdf5.plain_pickle import literal, literal_texts, object_array
from lithovae.runtime.formats.hdf5.selection import ROWS, Selection
from lithovae.runtime.formats.hdf5.short_texts import read_names
from lithovae.runtime.formats.hdf5.walk import Node

FIXED, TABLE = "pandas fixed store", "pandas table store"
MAX_CATEGORY_BYTES = 1 << 24
"""Bytes of the categories of a column: they are read as a whole."""


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
        yield from _index(node, "axis1", node.path)
    else:
        index = node.beside.get("axis1_label0")
        yield from _levels(node)
    for name, values in node.beside.items():
        items = node.beside.get(f"{name.removesuffix('_values')}_items")
        if not name.endswith("_values") or not isinstance(values, h5py.Dataset):
            continue
        if not isinstance(items, h5py.Dataset):
            findings.note(f"the column names of {node.location}/{name} have several levels: not read")
            continue
        names = read_names(items)
        if _is_pickled(values):
            n_rows = int(index.shape[0]) if isinstance(index, h5py.Dataset) and index.ndim == 1 else 0
            yield from _pickled(node, values, names, n_rows)
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


def _pickled(node: Node, dataset: Any, names: list[str], n_rows: int) -> Iterator[Hdf5Column]:
    """List columns of texts that PyTables has pickled as one array; those that are not texts cannot be read."""
    lines: list[list[Any]] | None = None
    if (raw := _one_pickle(dataset)) is not None:
        try:
            lines = _lines(*object_array(raw), len(names), n_rows)
        except ValueError:
            lines = None
    for i, name in enumerate(names):
        texts = None if lines is None else _texts(lines[i])
        if texts is None:
            node.note(
                f"{name}: pickled Python objects: not read (to_hdf(..., format='table') writes them as text)"
                if name
                else "holds pickled Python objects: not read"
            )
        column = Hdf5Column(dataset, name, Selection(), name, (i, len(names)), FIXED, node.path)
        yield column.closed("pickled Python objects", n_rows) if texts is None else replace(column, held=texts)


def _one_pickle(dataset: Any) -> bytes | None:
    """Return the bytes of a dataset that holds one pickle; None if it is something else, or too large."""
    if dataset.shape != (1,) or h5py.check_vlen_dtype(dataset.dtype) != np.uint8:
        return None
    if dataset.id.get_storage_size() > MAX_ATTRIBUTE_BYTES:  # of the reference to it
        return None
    try:
        require_filters(dataset)
        return np.asarray(dataset[0], np.uint8).tobytes()
    except DAMAGE:
        return None


def _lines(shape: tuple[int, ...], values: list[Any], n_columns: int, n_rows: int) -> list[list[Any]] | None:
    """Divide the values of an array, row by row, into the columns of the frame; None if that cannot be told."""
    if shape not in ((n_rows,), (n_columns, n_rows), (n_rows, n_columns)) or (n_columns == n_rows > 1):
        return None
    if shape == (n_rows,) and n_columns != 1:
        return None
    if shape[0] == n_columns:
        return [values[i * n_rows : (i + 1) * n_rows] for i in range(n_columns)]
    return [values[i::n_columns] for i in range(n_columns)]


def _texts(values: list[Any]) -> NDArray[np.str_] | None:
    """Return values as texts, blank where one is missing; None if they are neither texts nor numbers (1, 2, CC)."""
    known = (str, int, float)
    if not all(value is None or (isinstance(value, known) and not isinstance(value, bool)) for value in values):
        return None
    texts = ["" if value is None else as_text(value) for value in values]
    if any(texts) and not any(isinstance(value, str) for value in values):
        return None  # numbers alone are values, not labels
    return np.array(texts, np.str_)


def _fixed_series(node: Node) -> Iterator[Hdf5Column]:
    home, values, index = node.path, node.beside.get("values"), node.beside.get("index")
    name = _plain(first_text(node.item, "name")) or home.rpartition("/")[2]
    if isinstance(values, h5py.Dataset) and _is_pickled(values):
        n_rows = int(index.shape[0]) if isinstance(index, h5py.Dataset) and index.ndim == 1 else 0
        yield from _pickled(node, values, [name], n_rows)
    elif isinstance(values, h5py.Dataset) and values.ndim == 1 and not has_attribute(values, "shape"):
        yield Hdf5Column(values, name, layout=FIXED, home=home)
    if isinstance(index, h5py.Dataset):
        yield from _index(node, "index", home)


def _index(node: Node, key: str, home: str) -> Iterator[Hdf5Column]:
    dataset = node.beside[key]
    name = _plain(first_text(dataset, "name")) or "index"
    if dataset.ndim != 1 or has_attribute(dataset, "shape"):
        return
    if first_text(dataset, "kind") != "category":
        yield Hdf5Column(dataset, name, layout=FIXED, home=home)
        return
    values = node.beside.get(f"{key}_categories")
    categories = _values(values) if isinstance(values, h5py.Dataset) else None
    yield _of_codes(Hdf5Column(dataset, name, layout=FIXED, home=home), categories)


def _levels(node: Node) -> Iterator[Hdf5Column]:
    """List the levels of an index: each has codes, and the values that they stand for."""
    for key, codes in node.beside.items():
        values = node.beside.get(f"axis1_level{key.removeprefix('axis1_label')}")
        if key.startswith("axis1_label") and isinstance(codes, h5py.Dataset) and isinstance(values, h5py.Dataset):
            name = _plain(first_text(values, "name")) or key
            yield _of_codes(Hdf5Column(codes, name, layout=FIXED, home=node.path), _values(values))


def _table(node: Node) -> Iterator[Hdf5Column]:
    home, table, group = node.path, node.beside["table"], node.item
    names = table.dtype.names or ()
    for number, field in enumerate(names):
        dtype = table.dtype[field]
        columns = literal_texts(raw_attribute(table, f"{field}_kind"))
        found: list[Hdf5Column] = []
        if dtype.shape and len(columns) != dtype.shape[0]:
            node.walk.findings.note(f"the column names of {field} in {node.location} cannot be read: not used")
        elif dtype.shape:
            for i, column in enumerate(columns):
                selection = Selection((ROWS, i), (field,))
                found.append(Hdf5Column(table, column, selection, column, (number, len(names)), TABLE, home))
        else:
            name = _index_name(group) if field == "index" else columns[0] if len(columns) == 1 else field
            if name == "values":  # a series
                name = _plain(first_text(group, "name")) or home.rpartition("/")[2] or name
            found = [Hdf5Column(table, name, Selection((ROWS,), (field,)), name, (number, len(names)), TABLE, home)]
        if raw_attribute(table, f"{field}_meta") == b"category":
            categories = _categories(group, field)
            found = [_of_codes(column, categories) for column in found]
        yield from found


def _of_codes(column: Hdf5Column, categories: NDArray[Any] | None) -> Hdf5Column:
    """Return a column of codes with what they stand for; it cannot be read if that is not known."""
    if categories is not None:
        return replace(column, categories=categories)
    return column.closed("codes of categories that the store does not list")


def _categories(group: Any, field: str) -> NDArray[Any] | None:
    """Return the categories of a table's field from the store's metadata; None if they are not there."""
    table: Any = group
    for name in ("meta", field, "meta", "table"):
        if not isinstance(table, h5py.Group) or name not in table or why_not_followed(table, name):
            return None
        table = table[name]
    if not isinstance(table, h5py.Dataset) or "values" not in (table.dtype.names or ()) or stored_elsewhere(table):
        return None
    return _values(table, "values")


def _values(dataset: Any, field: str = "") -> NDArray[Any] | None:
    """Read categories: texts, or numbers as float64; None if they are something else, or too many."""
    dtype = dataset.dtype[field] if field else dataset.dtype
    if dtype.shape or dataset.ndim != 1 or dtype.kind not in "Siuf" or h5py.check_enum_dtype(dtype) is not None:
        return None
    if dataset.shape[0] * dataset.dtype.itemsize > MAX_CATEGORY_BYTES or dtype.itemsize > MAX_LABEL_BYTES:
        return None
    require_filters(dataset)
    stored = dataset[field] if field else dataset[:]
    if dtype.kind == "S":
        return np.array([decode(value).strip() for value in stored.tolist()], np.str_)
    return np.asarray(stored, np.float64)


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
