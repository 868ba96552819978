"""The columns of an open HDF5 file, by whatever links they are reached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from .attributes import as_texts, find_attributes
from .column import Column
from .errors import ScanError

MAX_NAMELESS_COLUMNS = 64
NAME_ATTRIBUTES = ("columns", "columnnames", "featurenames", "features", "names", "fields", "channels", "labels")


def find_columns(file: Any, notes: list[str]) -> list[Column]:
    """List every column of an open file. Links within it are followed; what is not is said in ``notes``."""
    found: list[Column] = []
    seen: set[Any] = set()
    groups = [file["/"]]
    while groups:
        group = groups.pop()
        identity = (h5py.h5o.get_info(group.id).fileno, h5py.h5o.get_info(group.id).addr)
        if identity in seen:
            continue
        seen.add(identity)
        inner = []
        for name in group:
            node = _open(file, group, name, notes)
            if isinstance(node, h5py.Group):
                inner.append(node)
            elif isinstance(node, h5py.Dataset):
                found.extend(_columns_of(node))
        groups += reversed(inner)
    return found


def _open(file: Any, group: Any, name: str, notes: list[str]) -> Any:
    place = f"{group.name}/{name}".lstrip("/")
    try:
        if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
            notes.append(f"{place} is a link to another file: not followed")
            return None
        node = group[name]
        if node.file.id != file.id:
            notes.append(f"{place} leads into another file: not followed")
            return None
        if isinstance(node, h5py.Dataset):
            _ = node.shape, node.dtype  # so that a dataset of a type that h5py does not know is found out here
        return node
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        notes.append(f"{place} cannot be read: {error}")
        return None


def _columns_of(dataset: Any) -> Iterator[Column]:
    if dataset.shape is None:
        return
    if dataset.dtype.names and dataset.ndim == 1:
        for field in dataset.dtype.names:
            yield Column(dataset, field, field, field)
    elif dataset.ndim == 1:
        yield Column(dataset, None, str(dataset.name).rpartition("/")[2])
    elif dataset.ndim == 2:
        names = _column_names(dataset)
        if names or dataset.shape[1] <= MAX_NAMELESS_COLUMNS:
            for i in range(dataset.shape[1]):
                name = names[i] if names else ""
                yield Column(dataset, i, name, name if names.count(name) == 1 else str(i))


def _column_names(dataset: Any) -> list[str]:
    for value in find_attributes(dataset, *NAME_ATTRIBUTES):
        names = as_texts(value)
        if len(names) == dataset.shape[1]:
            return names
    return []


def require_sources(column: Column) -> None:
    """Make sure that a virtual dataset's source files are there: what is not would read as zeros.

    Raises
    ------
    ScanError
        If one is not.
    """
    if not column.dataset.is_virtual:
        return
    file = column.dataset.file.filename
    for source in column.dataset.virtual_sources():
        if source.file_name != "." and not (Path(file).parent / source.file_name).is_file():
            raise ScanError(f"{file}: {column.path} is assembled from {source.file_name}, which is not there", file)
