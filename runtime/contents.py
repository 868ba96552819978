"""The columns of an open HDF5 file, by whatever links they are reached."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py

from .attributes import as_texts, find_attributes
from .column import Column
from .errors import DAMAGE
from .limits import Walk, kept_elsewhere, place
from .links import leads_astray

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
        identity = (h5py.h5o.get_info(group.id).fileno, h5py.h5o.get_info(group.id).addr)
        if identity in seen or not walk.enter(group):
            continue
        seen.add(identity)
        inner = []
        for name in group:
            node = _open(walk, group, name)
            if isinstance(node, h5py.Group):
                inner.append(node)
            elif isinstance(node, h5py.Dataset):
                found.extend(_columns_of(walk, node))
        groups += reversed(inner)
    walk.conclude()
    return found


def _open(walk: Walk, group: Any, name: str) -> Any:
    where = place(f"{group.name}/{name}")
    try:
        if astray := leads_astray(group, name):
            walk.leave_out(f"{where} {astray}")
            return None
        node = group[name]
        if isinstance(node, h5py.Dataset):
            if elsewhere := kept_elsewhere(node):
                walk.leave_out(f"{where} {elsewhere}")
                return None
            _ = node.shape, node.dtype  # so that a dataset of a type that h5py does not know is found out here
        return node
    except DAMAGE as error:
        walk.leave_out(f"{where} cannot be read: {error}")
        return None


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
