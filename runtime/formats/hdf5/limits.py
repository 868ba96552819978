"""Limits on what an HDF5 file may declare, so that a damaged or hostile file cannot use unbounded memory or time.

They are several times what real files need; ``docs/hostile-files.md`` lists them. The limits of the process itself, CPU
time and memory, are in `lithovae.runtime.process`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lithovae.runtime.errors import ScanError

MAX_OBJECTS = 50_000
"""Links in all groups together; each takes up to 9 kB. A hole with a group for every section has some 10,000."""
MAX_NESTING = 32
"""Levels of nested groups. Real files have up to 6; the path of the deepest object grows with every level."""
MAX_HOPS = 16
"""Soft links followed to reach one object, as in libhdf5."""
MAX_COLUMNS = 100_000
"""Columns of all tables and matrices together."""
MAX_NAMELESS_COLUMNS = 64
"""Unnamed columns of a matrix, or elements of an array field, up to which they are listed."""
MAX_ATTRIBUTES = 4096
"""Attributes of one object: every look-up scans all of them."""
MAX_ATTRIBUTE_BYTES = 1 << 20
"""Bytes of one attribute, of a list of names, or of a chunk that holds such a list: each is read as a whole."""
MAX_NAMES = 4096
"""Names in a dataset of names."""
MAX_CHUNK_BYTES = 128 << 20
"""Bytes of a storage chunk: it is decompressed as a whole, with up to four copies in memory."""
MAX_CHUNKS = 10_000_000
"""Storage chunks of one dataset: each is checked for having been written."""
MAX_ROW_BYTES = 32 << 20
"""Bytes of one row of a table, a matrix, or an image (as float64): the block in which it is read."""
MAX_LABEL_BYTES = 256
"""Bytes of a text that names the hole, core or section of a row."""
MAX_EXPANSION = 40_000
"""Bytes of values per byte stored. deflate can reach 1,032, Zstandard 32,768; no writer exceeds this."""
FREE_ROWS = 1 << 24
"""Rows that a dataset may have, however little of it is stored: reading them takes a few seconds."""
MAX_UNREAD = 20
"""Unreadable objects that get a note each; any more are only counted."""


def require_bounded(column: Any) -> None:
    """Check that a column can be read in bounded memory and time, from what it declares and how much of it is stored.

    Raises
    ------
    ScanError
        If a limit is exceeded.
    """
    dataset, row_bytes = column.dataset, column.row_bytes
    n_rows = dataset.shape[column.selection.axis]
    name = display_path(dataset.name)
    stored = min(dataset.id.get_storage_size(), Path(dataset.file.filename).stat().st_size)
    if row_bytes > MAX_ROW_BYTES:
        raise ScanError(f"a row of {name} has {row_bytes:,} bytes, more than {MAX_ROW_BYTES:,}")
    if n_rows > FREE_ROWS and n_rows * row_bytes > stored * MAX_EXPANSION:
        raise ScanError(f"{name} declares {n_rows:,} rows, but stores only {stored:,} bytes: most were never written")
    if dataset.chunks:
        chunk_bytes = dataset.dtype.itemsize * math.prod(dataset.chunks)
        n_chunks = math.prod(-(-n // size) for n, size in zip(dataset.shape, dataset.chunks, strict=True))
        if chunk_bytes > MAX_CHUNK_BYTES:
            raise ScanError(
                f"{name} is stored in chunks of {chunk_bytes:,} bytes, more than {MAX_CHUNK_BYTES:,}: "
                "rewrite it with smaller chunks (h5repack)"
            )
        if n_chunks > MAX_CHUNKS:
            raise ScanError(
                f"{name} is stored in {n_chunks:,} chunks, more than {MAX_CHUNKS:,}: "
                "rewrite it with larger chunks (h5repack)"
            )


def display_path(name: Any) -> str:
    """Return the path of an object for a message: without its leading slash, and shortened."""
    return shortened(str(name).lstrip("/") or "/")


def shortened(text: str) -> str:
    """Shorten a name from a file to about 120 characters, for a message."""
    return text if len(text) <= 120 else f"{text[:80]} … {text[-30:]}"
