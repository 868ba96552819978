"""Limits on what an HDF5 file may declare: a damaged or hostile file must cost neither memory nor time without bound.

They leave room for several times what honest files hold; ``docs/hostile-files.md`` lists them. The limits of the
process itself, CPU time and memory, are in `lithovae.runtime.process`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lithovae.runtime.errors import ScanError

MAX_OBJECTS = 50_000
"""Links in all groups together, which take up to 9 kB each. A hole with a group for every section has some 10,000."""
MAX_NESTING = 32
"""Groups within groups. Honest files have up to 6; the path of the deepest object grows with every level."""
MAX_HOPS = 16
"""Soft links on the way to one object, as in libhdf5."""
MAX_COLUMNS = 100_000
"""Columns of all tables and matrices together."""
MAX_NAMELESS_COLUMNS = 64
"""Columns of a matrix, or elements of an array field, that are listed although they have no names."""
MAX_ATTRIBUTES = 4096
"""Attributes of one object: each look-up goes through all of them."""
MAX_ATTRIBUTE_BYTES = 1 << 20
"""Bytes of one attribute, of a list of names, or of a chunk that holds one: it is read as a whole."""
MAX_NAMES = 4096
"""Names in a dataset of names."""
MAX_CHUNK_BYTES = 128 << 20
"""Bytes of a storage chunk: it is inflated as a whole, up to four times in memory."""
MAX_CHUNKS = 10_000_000
"""Storage chunks of one dataset: each is asked whether it was written."""
MAX_ROW_BYTES = 32 << 20
"""Bytes of one row of a table, a matrix, or an image (as float64): the block in which it is read."""
MAX_LABEL_BYTES = 256
"""Bytes of a text that says which hole, core or section a row is from."""
MAX_EXPANSION = 40_000
"""Bytes of values for each byte stored. deflate can reach 1,032, Zstandard 32,768: no writer reaches more."""
FREE_ROWS = 1 << 24
"""Rows that a dataset may have however little of it is stored: they take some seconds."""
MAX_UNREAD = 20
"""Objects that cannot be read and get a note each; the others are counted."""


def require_bounded(column: Any) -> None:
    """Make sure that a column can be read in bounded memory and time, by what it declares and what is stored of it.

    Raises
    ------
    ScanError
        If it cannot.
    """
    dataset, row_bytes = column.dataset, column.row_bytes
    n_rows = dataset.shape[column.selection.axis]
    name = shown(dataset.name)
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
                "rewrite it in smaller ones (h5repack)"
            )
        if n_chunks > MAX_CHUNKS:
            raise ScanError(
                f"{name} is stored in {n_chunks:,} chunks, more than {MAX_CHUNKS:,}: "
                "rewrite it in larger ones (h5repack)"
            )


def shown(name: Any) -> str:
    """Give the path of an object for a message: without its leading slash, shortened."""
    return short(str(name).lstrip("/") or "/")


def short(text: str) -> str:
    """Shorten what a file calls something, for a message."""
    return text if len(text) <= 120 else f"{text[:80]} … {text[-30:]}"
