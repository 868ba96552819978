"""Limits on what a scan may declare, so that a damaged or hostile file costs neither memory nor time without bound.

The numbers leave room for several times what honest files hold; ``docs/hostile-files.md`` lists them.
"""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import h5py

from lithovae.runtime.errors import ScanError
from lithovae.runtime.process.heartbeat import advanced

MAX_OBJECTS = 50_000
"""Links in all groups together, which take up to 9 kB each. A hole with a group for every section has some 10,000."""
MAX_NESTING = 32
"""Groups within groups. Honest files have up to 6; the path of the deepest object grows with every level."""
MAX_WIDTH = 100_000
"""Columns of all tables and matrices together."""
MAX_ATTRIBUTES = 4096
"""Attributes of one object: each look-up goes through all of them."""
MAX_ATTRIBUTE_BYTES = 1 << 20
"""Bytes of one attribute: 100,000 column names fit, and it is read as a whole."""
MAX_CHUNK_BYTES = 128 << 20
"""Bytes of a storage chunk: it is inflated as a whole, up to four times in memory."""
MAX_CHUNKS = 10_000_000
"""Storage chunks of one dataset, each of which is asked whether it was written."""
MAX_ROW_BYTES = 32 << 20
"""Bytes of one row of a table or matrix: the block in which it is read."""
MAX_TEXT_BYTES = 256
"""Bytes of a text that says which hole, core or section a row is from."""
MAX_EXPANSION = 40_000
"""Bytes of values for each byte stored. deflate can reach 1,032, Zstandard 32,768: more was never written."""
FREE_ROWS = 1 << 24
"""Rows that a dataset may have however little of it is stored: they take some seconds."""
MAX_NOTES = 20
"""Notes on objects of a file that cannot be read; the others are counted."""


_NAMES: WeakKeyDictionary[Any, list[str]] = WeakKeyDictionary()  # they are asked for some twenty times of each object


def require_file(path: str | Path) -> Path:
    """Make sure that a path leads to a file that may be read: no folder, and nothing that could keep a reader waiting.

    Raises
    ------
    ScanError
        If it does not.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ScanError(f"{path} is a folder, not an HDF5 file", path)
        if not stat.S_ISREG(mode):
            raise ScanError(f"{path} is a device, a pipe or a socket, not a file: save it as a file first", path)
        os.close(os.open(path, os.O_RDONLY))
    except FileNotFoundError as error:
        raise ScanError(f"no such file: {path}", path) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ScanError(f"{path} cannot be opened: {reason}", path) from error
    return path


class Walk:
    """Counts what is met on the way through a file's groups.

    Parameters
    ----------
    file : h5py.File
        The file.
    notes : list of str
        Takes what is left out, and why; `MAX_NOTES` at most, and then how many more there are.
    """

    def __init__(self, file: Any, notes: list[str]) -> None:
        self._path = Path(file.filename)
        self._notes = notes
        self._n_links = self._n_columns = self._n_left_out = 0

    def enter(self, group: Any) -> bool:
        """Tell whether a group is to be listed: one that is nested too deeply is not.

        Raises
        ------
        ScanError
            If the file then has more than `MAX_OBJECTS` links.
        """
        advanced()
        if str(group.name).count("/") > MAX_NESTING:
            self.leave_out(f"{place(group.name)} is nested more than {MAX_NESTING} groups deep: not read")
            return False
        self._n_links += len(group)
        if self._n_links > MAX_OBJECTS:
            raise ScanError(
                f"{self._path} has more than {MAX_OBJECTS:,} objects: not a core scan, or damaged", self._path
            )
        return True

    def take_column(self, dataset: Any) -> None:
        """Count a column of a dataset.

        Raises
        ------
        ScanError
            If the file then has more than `MAX_WIDTH`.
        """
        self._n_columns += 1
        if self._n_columns > MAX_WIDTH:
            raise ScanError(
                f"{self._path} has more than {MAX_WIDTH:,} columns, the last in {place(dataset.name)}: "
                f"not a core scan, or damaged",
                self._path,
            )

    def leave_out(self, note: str) -> None:
        """Note an object that is not read."""
        self._n_left_out += 1
        if self._n_left_out <= MAX_NOTES:
            self._notes.append(note)

    def conclude(self) -> None:
        """Note how many more were left out."""
        if self._n_left_out > MAX_NOTES:
            self._notes.append(f"{self._n_left_out - MAX_NOTES:,} more objects are not read")


def kept_elsewhere(dataset: Any) -> str | None:
    """Tell why a dataset's values are not its own to give; None where they are.

    To be asked before its shape is: that alone opens the source files of a virtual dataset that may grow.
    """
    plist = dataset.id.get_create_plist()
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        return "is assembled from other datasets (virtual): not read; write its values out into a plain dataset"
    if plist.get_external_count():
        return f"keeps its values in another file, {short(os.fsdecode(plist.get_external(0)[0]))}: not read"
    return None


def require_bounded(column: Any) -> None:
    """Make sure that a column can be read in bounded memory and time, by what it declares and what is stored of it.

    Raises
    ------
    ScanError
        If it cannot.
    """
    dataset, row_bytes = column.dataset, column.row_bytes
    n_rows = dataset.shape[column.selection.axis]
    path, name = Path(dataset.file.filename), place(dataset.name)
    stored = min(dataset.id.get_storage_size(), path.stat().st_size)
    if row_bytes > MAX_ROW_BYTES:
        raise ScanError(f"{path}: a row of {name} has {row_bytes:,} bytes, more than {MAX_ROW_BYTES:,}", path)
    if n_rows > FREE_ROWS and n_rows * row_bytes > stored * MAX_EXPANSION:
        raise ScanError(
            f"{path}: {name} declares {n_rows:,} rows, but stores only {stored:,} bytes: most were never written", path
        )
    if dataset.chunks:
        chunk_bytes = dataset.dtype.itemsize * math.prod(dataset.chunks)
        n_chunks = math.prod(-(-n // size) for n, size in zip(dataset.shape, dataset.chunks, strict=True))
        if chunk_bytes > MAX_CHUNK_BYTES:
            raise ScanError(
                f"{path}: {name} is stored in chunks of {chunk_bytes:,} bytes, more than {MAX_CHUNK_BYTES:,}: "
                "rewrite it in smaller ones (h5repack)",
                path,
            )
        if n_chunks > MAX_CHUNKS:
            raise ScanError(
                f"{path}: {name} is stored in {n_chunks:,} chunks, more than {MAX_CHUNKS:,}: "
                "rewrite it in larger ones (h5repack)",
                path,
            )


def attribute_names(node: Any) -> list[str]:
    """List the names of an object's attributes; one that is not UTF-8 is none that we know.

    Raises
    ------
    ScanError
        If there are more than `MAX_ATTRIBUTES`.
    """
    if (names := _NAMES.get(node)) is not None:
        return names
    n = h5py.h5a.get_num_attrs(node.id)
    if n > MAX_ATTRIBUTES:
        path = Path(node.file.filename)
        raise ScanError(
            f"{path}: {place(node.name)} has {n:,} attributes, more than {MAX_ATTRIBUTES:,}: "
            "not a core scan, or damaged",
            path,
        )
    names = _NAMES[node] = [name for name in (node.attrs if n else ()) if isinstance(name, str)]
    return names


def require_small(node: Any, name: str) -> None:
    """Make sure that an attribute is small enough to be read.

    Raises
    ------
    ValueError
        If it is not.
    """
    attribute = node.attrs.get_id(name)
    n_values, value_bytes = attribute.get_space().get_simple_extent_npoints(), attribute.get_type().get_size()
    if n_values * value_bytes > MAX_ATTRIBUTE_BYTES:
        raise ValueError(f"it has {n_values * value_bytes:,} bytes, more than {MAX_ATTRIBUTE_BYTES:,}")


def place(name: Any) -> str:
    """Give the path of an object for a message."""
    return short(str(name).lstrip("/") or "/")


def short(text: str) -> str:
    """Shorten what a file calls something, for a message."""
    return text if len(text) <= 120 else f"{text[:80]} … {text[-30:]}"
