"""Stretches of columns as arrays: numbers with what is missing as NaN, and texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import DAMAGE, ScanError
from lithovae.runtime.missing import FIRST_COLOUR, SENTINELS, measurable
from lithovae.runtime.process.heartbeat import advanced
from lithovae.runtime.scan.address import run_starts

from .attributes import decode, number_text
from .chunks import Order, read_window
from .column import Column
from .selection import window_of

NOTHING = ("nan", "NaN", "None")
"""What becomes of a missing text where a table is written as text."""


def load(dataset: Any, window: tuple[slice, ...], fields: list[str], *, order: Order | None = None) -> NDArray[Any]:
    """Read a window of a dataset: the one place where a scan's values leave the file.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset.
    window : tuple of slice
        What of it is read, a slice for each dimension.
    fields : list of str
        Fields of a compound dataset; empty for any other.
    order : {"C", "F"}, optional
        How the values lie in memory.

    Raises
    ------
    ScanError
        If the file is damaged there.
    """
    advanced()
    try:
        return np.asarray(dataset.fields(fields)[window]) if fields else read_window(dataset, window, order)
    except DAMAGE as error:
        file, name, rows = dataset.file.filename, dataset.name, max(window, key=lambda part: part.stop or 0)
        why = "it takes more memory than a run may" if isinstance(error, MemoryError) else "the file is damaged there"
        message = f"{file}: rows {rows.start} to {rows.stop} of {name} cannot be read, {why}: {error}"
        raise ScanError(message.removesuffix(": "), file) from error


def read_numbers(columns: Sequence[Column], start: int, stop: int) -> list[NDArray[Any]]:
    """Read a stretch of several columns, each dataset once; missing values become NaN, integers float64.

    Raises
    ------
    ScanError
        If the file is damaged there.
    """
    return [_numbers(column, stored, start) for column, stored in _read(columns, start, stop)]


def _numbers(column: Column, stored: NDArray[Any], start: int) -> NDArray[Any]:
    values = column.coding.values(stored)
    if column.selection.is_line:
        values = _line_means(values)
    if (unwritten := _unwritten(column, start, len(values))) is not None:
        values = np.where(unwritten, values.dtype.type(np.nan), values)
    return values


def _unwritten(column: Column, start: int, n: int) -> Any:
    """Tell which rows were never written, by a mask that fits ``n`` of them; None where all were."""
    if column.ends is not None or not column.unwritten.any():
        return None
    return column.unwritten[np.arange(start, start + n) // column.chunk_rows if column.dataset.chunks else 0]


def _line_means(values: NDArray[Any]) -> NDArray[np.float64]:
    """Average the pixels of each row that hold a colour, in float64; NaN where none does."""
    pixels = measurable(values, FIRST_COLOUR)
    present = ~np.isnan(pixels)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sum(pixels, axis=1, where=present, dtype=np.float64) / present.sum(axis=1))


def read_texts(columns: Sequence[Column], start: int, stop: int) -> list[NDArray[np.str_]]:
    """Read a stretch of several columns as text: numbers as a person writes them, bytes as UTF-8 or Latin-1.

    Raises
    ------
    ScanError
        If the file is damaged there.
    """
    return [_as_text(column, stored, start) for column, stored in _read(columns, start, stop)]


def _read(columns: Sequence[Column], start: int, stop: int) -> Iterator[tuple[Column, NDArray[Any]]]:
    blocks: dict[str, tuple[NDArray[Any], tuple[slice, ...]]] = {}
    for column in columns:
        dataset, selection = column.dataset, column.selection
        if column.ends is not None:
            which = np.searchsorted(column.ends, np.arange(start, stop), side="right")
            first, last = (int(which[0]), int(which[-1]) + 1) if len(which) else (0, 0)
            window = window_of([selection], dataset.ndim, first, last)
            yield column, selection.of(load(dataset, window, list(selection.field[:1])), window)[which - first]
            continue
        if dataset.name not in blocks:
            beside = [other.selection for other in columns if other.dataset.name == dataset.name and other.ends is None]
            window = window_of(beside, dataset.ndim, start, stop)
            fields = list(dict.fromkeys(other.field[0] for other in beside if other.field))
            blocks[dataset.name] = load(dataset, window, fields), window
        yield column, selection.of(*blocks[dataset.name])


def _as_text(column: Column, stored: NDArray[Any], start: int) -> NDArray[np.str_]:
    if stored.ndim == 2:
        stored = _joined(stored)
    elif stored.dtype.kind in "iu" and column.is_text:
        stored = _joined(stored[:, None])
    starts = run_starts([stored], len(stored))  # a section's name stands there a thousand times
    blanks = (*SENTINELS, *column.coding.fills) if column.is_number else ()
    texts = np.repeat(_texts(stored[starts], blanks), np.diff(starts, append=len(stored)))
    if (unwritten := _unwritten(column, start, len(texts))) is not None:
        texts = np.where(unwritten, "", texts)
    return texts


def _texts(stored: NDArray[Any], blanks: tuple[float, ...]) -> NDArray[np.str_]:
    if stored.dtype.kind in "iuf":
        write = number_text if stored.dtype.kind == "f" else str
        texts = ["" if value in blanks else write(value) for value in stored.tolist()]
    else:
        texts = [(decode(value) if isinstance(value, bytes) else str(value)).strip() for value in stored.tolist()]
        texts = ["" if text in NOTHING else text for text in texts]
    return np.array(texts, np.str_)


def _joined(characters: NDArray[Any]) -> NDArray[Any]:
    """Join the characters of each row: bytes, or MATLAB's UTF-16."""
    if characters.dtype.kind == "S":
        lines = np.ascontiguousarray(characters)
        return lines.view(f"S{lines.shape[1]}")[:, 0] if lines.size else np.zeros(len(lines), "S1")
    codes = np.ascontiguousarray(characters, "<u2")
    return np.array([row.tobytes().decode("utf-16-le", "replace").rstrip("\0") for row in codes], object)
