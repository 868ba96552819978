"""The columns of an open HDF5 file, by whatever links they are reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py

from .attributes import as_texts, find_attributes
from .column import Column
from .limits import Walk
from .nodes import children, identity

MAX_NAMELESS_COLUMNS = 64
NAME_ATTRIBUTES = ("columns", "columnnames", "featurenames", "features", "names", "fields", "channels", "labels")


def find_columns(file: Any, notes: list[str]) -> list[Column]:
    """List every column of an open file. Links within it are followed; what is not is said in ``notes``."""
    found: list[Column] = []
    seen: set[Any] = set()
    groups = [file["/"]]
    walk = Walk(file, notes)
    while groups:
        group = groups.pop()
        if identity(group) in seen or not walk.enter(group):
            continue
        seen.add(identity(group))
        inner = []
        for node in children(group, walk).values():
            if isinstance(node, h5py.Group):
                inner.append(node)
            else:
                found.extend(_columns_of(walk, node))
        groups += reversed(inner)
    walk.conclude()
    return found


def _columns_of(walk: Walk, dataset: Any) -> Iterator[Column]:
    if dataset.shape is None:
        return
    if dataset.dtype.names and dataset.ndim == 1:
        walk.take_columns(dataset, len(dataset.dtype.names))
        for field in dataset.dtype.names:
            yield Column(dataset, field, field, field)
    elif dataset.ndim == 1:
        yield Column(dataset, None, str(dataset.name).rpartition("/")[2])
    elif dataset.ndim == 2:
        names = _column_names(dataset)
        if names or dataset.shape[1] <= MAX_NAMELESS_COLUMNS:
            walk.take_columns(dataset, dataset.shape[1])
            for i in range(dataset.shape[1]):
                name = names[i] if names else ""
                yield Column(dataset, i, name, name if names.count(name) == 1 else str(i))


def _column_names(dataset: Any) -> list[str]:
    for value in find_attributes(dataset, *NAME_ATTRIBUTES):
        names = as_texts(value)
        if len(names) == dataset.shape[1]:
            return names
    return []
