"""The way through the groups of an HDF5 file: what is met is counted, what is not read is noted."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import h5py

from lithovae.runtime.errors import DAMAGE, ScanError
from lithovae.runtime.findings import Findings
from lithovae.runtime.process.heartbeat import advanced

from .limits import MAX_COLUMNS, MAX_NESTING, MAX_OBJECTS, MAX_UNREAD, shown
from .links import kept_elsewhere, leads_astray
from .selection import ROWS, Axis, Selection


class Walk:
    """Counts what is met on the way.

    Parameters
    ----------
    findings : Findings
        Takes what is not read, and why; `MAX_UNREAD` notes at most, and then how many more there are.

    Attributes
    ----------
    statements : dict of str to list of (str, str)
        By the path of a group: names and texts that its metadata state.
    """

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.statements: dict[str, list[tuple[str, str]]] = {}
        self._n_links = self._n_columns = self._n_unread = 0

    def enter(self, group: Any) -> bool:
        """Tell whether a group is to be listed: one that is nested too deeply is not.

        Raises
        ------
        ScanError
            If the file then has more than `MAX_OBJECTS` links.
        """
        advanced()
        if str(group.name).count("/") > MAX_NESTING:
            self.leave_out(f"{shown(group.name)} is nested more than {MAX_NESTING} groups deep: not read")
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
                f"the file has more than {MAX_COLUMNS:,} columns, the last in {shown(dataset.name)}: "
                "not a core scan, or damaged"
            )

    def leave_out(self, note: str) -> None:
        """Note an object that is not read."""
        self._n_unread += 1
        if self._n_unread <= MAX_UNREAD:
            self.findings.note(note)

    def conclude(self) -> None:
        """Note how many more were left out."""
        if self._n_unread > MAX_UNREAD:
            self.findings.note(f"{self._n_unread - MAX_UNREAD:,} more objects are not read")


class Node:
    """A group or a dataset, with what is beside it: what a dialect is asked about.

    Parameters
    ----------
    item : h5py.Group or h5py.Dataset
        The object.
    walk : Walk
        The way on which it was met.
    siblings : dict of str to h5py.Group or h5py.Dataset, optional
        What the group of a dataset holds.
    is_turned : bool
        Whether the dimensions of a dataset are in the reverse of the order in which its writer thinks (MATLAB).

    Attributes
    ----------
    path, location : str
        Its path, with and without the leading slash.
    home, own_name : str
        Path of its group, and its name in it: ``density (g/cm3)`` is one name, though HDF5 takes it for two.
    shape : tuple of int
        Shape of a dataset, as its writer thinks.
    """

    def __init__(
        self, item: Any, walk: Walk, siblings: dict[str, Any] | None = None, *, is_turned: bool = False
    ) -> None:
        self.item, self.walk, self._siblings, self._is_turned = item, walk, siblings, is_turned
        self.path = str(item.name)
        self.location = self.path.lstrip("/")
        self.home, self.own_name = _home_and_name(self.path)
        self.is_group = isinstance(item, h5py.Group)
        self.shape: tuple[int, ...] = () if self.is_group or item.shape is None else tuple(item.shape)
        if is_turned:
            self.shape = self.shape[::-1]

    @cached_property
    def beside(self) -> dict[str, Any]:
        """The groups and datasets in the group: in itself if it is one. Links within the file are followed."""
        if self._siblings is not None:
            return self._siblings
        return children(self.item, self.walk) if self.walk.enter(self.item) else {}

    @property
    def line(self) -> tuple[int | Axis, ...]:
        """Where the values lie if the dataset is one column: ``(n,)``, ``(n, 1)`` or ``(1, n)``; empty if it is not."""
        if len(self.shape) == 2 and 1 in self.shape:
            return (ROWS, 0) if self.shape[1] == 1 else (0, ROWS)
        return (ROWS,) if len(self.shape) == 1 else ()

    def select(self, *index: int | Axis, field: tuple[str, ...] = ()) -> Selection:
        """Select a part of the dataset, by an index in the order in which its writer thinks."""
        n = len(self.shape)
        return Selection((index[:n][::-1] if self._is_turned else index[:n]) + index[n:], field)

    def turned(self) -> Node:
        """Give the dataset with its dimensions in the reverse order."""
        return Node(self.item, self.walk, self._siblings, is_turned=True)

    def note(self, text: str) -> None:
        """Note what a user should know of it: its location is put before the text."""
        self.walk.findings.note(f"{self.location} {text}")


def _home_and_name(path: str) -> tuple[str, str]:
    above, _, name = path.rpartition("/")
    home, _, start = above.rpartition("/")
    if start.rfind("(") > start.rfind(")") and ")" in name and "(" not in name:
        return home, f"{start}/{name}"
    return above, name


def children(group: Any, walk: Walk) -> dict[str, Any]:
    """Open the groups and datasets of a group. Links within the file are followed; others are noted."""
    opened = {name: _open(group, name, walk) for name in group}
    return {name: node for name, node in opened.items() if isinstance(node, (h5py.Group, h5py.Dataset))}


def _open(group: Any, name: str, walk: Walk) -> Any:
    where = shown(f"{group.name}/{name}")
    try:
        if astray := leads_astray(group, name):
            walk.leave_out(f"{where} {astray}")
            return None
        node = group[name]
        if isinstance(node, h5py.Dataset):
            if elsewhere := kept_elsewhere(node):
                walk.leave_out(f"{where} {elsewhere}")
                return None
            _ = node.shape, node.dtype  # so that a dataset of a type that h5py does not know is found here
        return node
    except DAMAGE as error:
        walk.leave_out(f"{where} cannot be read: {error}")
        return None
