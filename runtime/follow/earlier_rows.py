"""The rows that an earlier run wrote: none of them is written again."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.result import Columns
from lithovae.runtime.scan.address import run_starts

TEXT_BYTES = 64
"""Bytes (UTF-8) of an address by which rows are told apart: the growing ``.h5`` keeps as many."""
TOLERANCE = 1e-3
"""Largest difference between the embeddings of the same row, relative and absolute: they may come from two machines."""
_HASHES = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], np.uint64)


class EarlierRows:
    """The complete rows of an existing result, by depth and address.

    Rows with the same depth and address are taken in the order in which they were written. Memory: 24 bytes a row.

    Parameters
    ----------
    blocks : iterable of Columns
        The rows.
    parts : sequence of str
        The parts of the address that tell rows at the same depth apart.

    Attributes
    ----------
    file : int
        The ``file`` of the latest rows; those of other files are of other cores, and not kept.
    n, n_same, n_changed : int
        Number of rows, of those that the scan has with the same embedding, and of those it has with another one.
    """

    def __init__(self, blocks: Iterable[Columns], parts: Sequence[str]) -> None:
        self._parts = parts
        found: list[tuple[NDArray[np.uint64], NDArray[np.float32]]] = []
        self.file = 0
        for block in blocks:
            if len(block["file"]) and (latest := int(block["file"].max())) > self.file:
                self.file = latest
                found.clear()  # rows of another core
            some = block["file"] == self.file
            block = {name: values[some] for name, values in block.items()}
            found.append((_keys(block, parts), _values(block)))
        keys = np.concatenate([np.empty(0, np.uint64), *(keys for keys, _ in found)])
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._values = np.concatenate([np.empty(0, np.float32), *(values for _, values in found)])[order]
        self._taken = np.zeros(len(keys), np.int64)  # of the rows with the same key, at the first of them
        self.n, self.n_same, self.n_changed = len(keys), 0, 0

    @property
    def is_confirmed(self) -> bool:
        """Whether most of the rows are in the scan: it is the one that they were written from."""
        return 2 * self.n_same >= self.n

    def are_new(self, rows: Columns) -> NDArray[np.bool_]:
        """Return which rows of the scan were not written; shape (n,)."""
        keys = _keys(rows, self._parts) if self.n > self.n_same + self.n_changed else np.empty(0, np.uint64)
        if not len(keys):
            return np.ones(len(rows["embeddings"]), np.bool_)
        first, end = np.searchsorted(self._keys, keys, "left"), np.searchsorted(self._keys, keys, "right")
        places = first + _occurrence(keys)
        places += np.where(end > first, self._taken[np.minimum(first, self.n - 1)], 0)
        is_known = places < end
        np.add.at(self._taken, first[is_known], 1)
        ours, theirs = _values(rows)[is_known], self._values[places[is_known]]
        n_same = int(np.count_nonzero(np.isclose(ours, theirs, TOLERANCE, TOLERANCE, equal_nan=True)))
        self.n_same += n_same
        self.n_changed += int(np.count_nonzero(is_known)) - n_same
        return ~is_known


def _keys(rows: Columns, parts: Sequence[str]) -> NDArray[np.uint64]:
    """Return a hash of the depth and the address of each row."""
    depth = rows["depth"] + 0.0  # turns -0.0 into 0.0
    depth[np.isnan(depth)] = np.nan  # one of many
    mixed = depth.view(np.uint64)
    for factor in _HASHES[1:]:
        mixed = (mixed ^ (mixed >> np.uint64(31))) * factor
    n = len(depth)
    columns = [rows[part].astype(np.str_) for part in parts if part in rows]
    names = [part for part in parts if part in rows]
    starts = run_starts(columns, n)
    texts = [_text_hash(names, [column[start] for column in columns]) for start in starts]
    return np.asarray(mixed ^ np.repeat(np.array(texts, np.uint64), np.diff(starts, append=n)) * _HASHES[0])


def _text_hash(names: Sequence[str], texts: Sequence[Any]) -> int:
    code = 0
    for name, text in zip(names, texts, strict=True):
        cut = str(text).encode()[:TEXT_BYTES].decode(errors="ignore").rstrip("\0")
        code = zlib.crc32(f"{name}\0{cut}\0".encode(), code) if cut else code
    return code


def _values(rows: Columns) -> NDArray[np.float32]:
    """Return what is compared of each row: the first number of its embedding."""
    return np.array(rows["embeddings"][:, 0], np.float32)


def _occurrence(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return, for each key, how many equal ones come before it."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    counts = np.arange(len(keys)) - np.repeat(starts, np.diff(starts, append=len(keys)))
    found = np.empty(len(keys), np.int64)
    found[order] = counts
    return found
