"""Stretches of columns as arrays: numbers with what is missing as NaN, and texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .address import run_starts
from .attributes import decode, number_text
from .chunks import read_window
from .column import Column
from .errors import DAMAGE, ScanError
from .guard import advanced
from .missing import without_sentinels


def read_numbers(columns: Sequence[Column], start: int, stop: int) -> list[NDArray[Any]]:
    """Read a stretch of several columns, each dataset once; missing values become NaN, integers float64.

    Raises
    ------
    ScanError
        If the file is damaged there.
    """
    return [_numbers(column, values, start) for column, values in _read(columns, start, stop)]


def _numbers(column: Column, values: NDArray[Any], start: int) -> NDArray[Any]:
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    elif not values.dtype.isnative or values.dtype.itemsize == 2:
        values = values.astype(np.float32 if values.dtype.itemsize < 8 else np.float64)
    factor, offset = column.packing
    if (factor, offset) == (1.0, 0.0):
        values = without_sentinels(values, column.fills)
    else:  # a declared fill is a stored number, a sentinel an unpacked one
        values = without_sentinels(values.astype(np.float64), column.fills, sentinels=())
        values = without_sentinels(values * factor + offset)
    if column.unwritten.any():
        chunk = np.arange(start, start + len(values)) // column.chunk_rows if column.dataset.chunks else 0
        values = np.where(column.unwritten[chunk], values.dtype.type(np.nan), values)
    return values


def read_texts(columns: Sequence[Column], start: int, stop: int) -> list[NDArray[np.str_]]:
    """Read a stretch of several columns as text: numbers as a person writes them, bytes as UTF-8 or Latin-1.

    Raises
    ------
    ScanError
        If the file is damaged there.
    """
    return [_as_text(values) for _, values in _read(columns, start, stop)]


def _read(columns: Sequence[Column], start: int, stop: int) -> Iterator[tuple[Column, NDArray[Any]]]:
    blocks: dict[str, tuple[Any, int]] = {}
    for column in columns:
        dataset, name = column.dataset, column.dataset.name
        if name not in blocks:
            fields = [other.field for other in columns if other.dataset.name == name]
            advanced()
            try:
                blocks[name] = _read_fields(dataset, fields, start, stop)
            except DAMAGE as error:
                file = dataset.file.filename
                raise ScanError(
                    f"{file}: rows {start} to {stop} of {name} cannot be read, the file is damaged there: {error}", file
                ) from error
        block, first = blocks[name]
        if isinstance(column.field, int):
            block = block[:, column.field - first]
        yield column, np.asarray(block if not isinstance(column.field, str) else block[column.field])


def _read_fields(dataset: Any, fields: list[Any], start: int, stop: int) -> tuple[Any, int]:
    """Read what lies between the outermost of some fields; with it, the number of the first column read."""
    if isinstance(fields[0], str):
        return dataset.fields(fields)[start:stop], 0
    if isinstance(fields[0], int):
        block = read_window(dataset, (slice(start, stop), slice(min(fields), max(fields) + 1)))
        return np.asfortranarray(block), min(fields)  # what follows goes column by column
    return read_window(dataset, (slice(start, stop),)), 0


def _as_text(values: NDArray[Any]) -> NDArray[np.str_]:
    starts = run_starts([values], len(values))  # a section's name stands there a thousand times
    return np.repeat(_texts(values[starts]), np.diff(starts, append=len(values)))


def _texts(values: NDArray[Any]) -> NDArray[np.str_]:
    if values.dtype.kind == "f":
        texts = [number_text(float(value)) for value in values]
    elif values.dtype.kind in "iu":
        return values.astype(np.str_)
    else:
        texts = [(decode(value) if isinstance(value, bytes) else str(value)).strip() for value in values.tolist()]
    return np.array(texts, np.str_)
