"""Traversal of the groups of an HDF5 file: objects are counted, and a note says what is not read."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import h5py

from lithovae.runtime.errors import DAMAGE, ScanError
from lithovae.runtime.findings import Findings
from lithovae.runtime.process.heartbeat import advanced

from .limits import MAX_COLUMNS, MAX_NESTING, MAX_OBJECTS, MAX_UNREAD, display_path
from .links import stored_elsewhere, why_not_followed
from .records import records_of
from .selection import ROWS, Axis, Selection


class Walk:
    """Counts the objects of a file during traversal.

    Parameters
    ----------
    findings : Findings
        Receives at most `MAX_UNREAD` notes on what is not read, and why, and then the number of further objects.

    Attributes
    ----------
    statements : dict of str to list of (str, str)
        By path of a group: names and texts that its metadata state.
    """

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.statements: dict[str, list[tuple[str, str]]] = {}
        self._n_links = self._n_columns = self._n_unread = 0

    def enter(self, group: Any) -> bool:
        """Count the links of a group, and return whether to list them: not if it is nested too deeply.

        Raises
        ------
        ScanError
            If the file then has more than `MAX_OBJECTS` links.
        """
        advanced()
        if str(group.name).count("/") > MAX_NESTING:
            self.leave_out(f"{display_path(group.name)} is nested more than {MAX_NESTING} groups deep: not read")
            return False
        self._n_links += len(group)
        if self._n_links > MAX_OBJECTS:
            raise ScanError(f"the file has more than {MAX_OBJECTS:,} objects: not a core scan, or damaged")
        return True

    def count_column(self, dataset: Any) -> None:
        """Count a column of a dataset.

        Raises
        ------
        ScanError
            If the file then has more than `MAX_COLUMNS`.
        """
        self._n_columns += 1
        if self._n_columns > MAX_COLUMNS:
            raise ScanError(
                f"the file has more than {MAX_COLUMNS:,} columns, the last in {display_path(dataset.name)}: "
                "not a core scan, or damaged"
            )

    def leave_out(self, note: str) -> None:
        """Note an object that is not read."""
        self._n_unread += 1
        if self._n_unread <= MAX_UNREAD:
            self.findings.note(note)

    def conclude(self) -> None:
        """Note how many more objects were left out."""
        if self._n_unread > MAX_UNREAD:
            self.findings.note(f"{self._n_unread - MAX_UNREAD:,} more objects were not read")


class Node:
    """A group or a dataset with its neighbours, as it is passed to the dialects.

    Parameters
    ----------
    item : h5py.Group or h5py.Dataset
        The object.
    walk : Walk
        The traversal in which it was found.
    siblings : dict of str to h5py.Group or h5py.Dataset, optional
        Groups and datasets in the group of a dataset.
    is_transposed : bool
        Whether the dimensions of a dataset are in the reverse of its writer's order (MATLAB).

    Attributes
    ----------
    path, location : str
        Path of the object, with and without the leading slash.
    home, own_name : str
        Path of its group, and its name in it: ``density (g/cm3)`` is one name, although HDF5 splits it at the slash.
    shape : tuple of int
        Shape of a dataset, in its writer's order.
    """

    def __init__(
        self, item: Any, walk: Walk, siblings: dict[str, Any] | None = None, *, is_transposed: bool = False
    ) -> None:
        self.item, self.walk, self._siblings, self._is_transposed = item, walk, siblings, is_transposed
        self.path = str(item.name)
        self.location = self.path.lstrip("/")
        self.home, self.own_name = _home_and_name(self.path)
        self.is_group = isinstance(item, h5py.Group)
        self.shape: tuple[int, ...] = () if self.is_group or item.shape is None else tuple(item.shape)
        if is_transposed:
            self.shape = self.shape[::-1]

    @cached_property
    def beside(self) -> dict[str, Any]:
        """Groups and datasets in a group, or in the group of a dataset. Links within the file are followed."""
        if self._siblings is not None:
            return self._siblings
        return children(self.item, self.walk) if self.walk.enter(self.item) else {}

    @property
    def line(self) -> tuple[int | Axis, ...]:
        """Index of the values if the shape is ``(n,)``, ``(n, 1)`` or ``(1, n)``, a single column; else empty."""
        if len(self.shape) == 2 and 1 in self.shape:
            return (ROWS, 0) if self.shape[1] == 1 else (0, ROWS)
        return (ROWS,) if len(self.shape) == 1 else ()

    def select(self, *index: int | Axis, field: tuple[str, ...] = ()) -> Selection:
        """Select a part of the dataset by an index in its writer's order of dimensions."""
        n = len(self.shape)
        return Selection((index[:n][::-1] if self._is_transposed else index[:n]) + index[n:], field)

    def transposed(self) -> Node:
        """Return the dataset with its dimensions in reverse order."""
        return Node(self.item, self.walk, self._siblings, is_transposed=True)

    def note(self, text: str) -> None:
        """Add a note on the object; its location is put before the text."""
        self.walk.findings.note(f"{self.location} {text}")


def _home_and_name(path: str) -> tuple[str, str]:
    above, _, name = path.rpartition("/")
    home, _, start = above.rpartition("/")
    if start.rfind("(") > start.rfind(")") and ")" in name and "(" not in name:
        return home, f"{start}/{name}"
    return above, name


def children(group: Any, walk: Walk) -> dict[str, Any]:
    """Open the groups and datasets of a group. Links within the file are followed; a note mentions any others."""
    opened = {name: _open(group, name, walk) for name in group}
    return {name: node for name, node in opened.items() if isinstance(node, (h5py.Group, h5py.Dataset))}


def _readable(dataset: Any, walk: Walk) -> Any:
    """Return a dataset, of records without the fields that h5py cannot read; raise if it can read nothing."""
    try:
        _ = dataset.shape, dataset.dtype  # raises here if h5py does not know the type
    except TypeError:
        records = records_of(dataset)
        if records is None:
            raise
        names = ", ".join(records.unreadable[:4])
        walk.leave_out(f"{display_path(dataset.name)}: {names} holds times, or another type that is not read: left out")
        return records
    return dataset


def _open(group: Any, name: str, walk: Walk) -> Any:
    where = display_path(f"{group.name}/{name}")
    try:
        if reason := why_not_followed(group, name):
            walk.leave_out(f"{where} {reason}")
            return None
        node = group[name]
        if isinstance(node, h5py.Dataset):
            if reason := stored_elsewhere(node):
                walk.leave_out(f"{where} {reason}")
                return None
            return _readable(node, walk)
        return node
    except DAMAGE as error:
        walk.leave_out(f"{where} cannot be read: {error}")
        return None
