"""Reading of rows as arrays: numbers, with missing values as NaN, and texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import DAMAGE, ScanError
from lithovae.runtime.features import RED
from lithovae.runtime.formats.codes import Coding
from lithovae.runtime.formats.file import ReadMatrix
from lithovae.runtime.missing import NEVER_VALUES, measurable
from lithovae.runtime.process.heartbeat import advanced

from .attributes import decode, number_text
from .chunks import Order, read_window
from .column import Hdf5Column
from .selection import ROWS, window_of

MISSING_TEXTS = ("nan", "NaN", "None")
"""How missing values appear when a table is written as text."""


def load(dataset: Any, window: tuple[slice, ...], fields: list[str], *, order: Order | None = None) -> NDArray[Any]:
    """Read a window of a dataset. All values of a scan are read by this function.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset.
    window : tuple of slice
        The part to read: a slice for each dimension.
    fields : list of str
        Fields of a compound dataset; empty for any other.
    order : {"C", "F"}, optional
        Memory order of the result.

    Raises
    ------
    ScanError
        If the file is damaged in these rows.
    """
    advanced()
    try:
        return np.asarray(dataset.fields(fields)[window]) if fields else read_window(dataset, window, order)
    except DAMAGE as error:
        rows = max(window, key=lambda part: part.stop or 0)
        why = "out of memory" if isinstance(error, MemoryError) else "damaged file"
        message = f"rows {rows.start} to {rows.stop} of {dataset.name} cannot be read ({why}): {error}"
        raise ScanError(message.removesuffix(": ")) from error


def read_numbers(columns: Sequence[Hdf5Column], start: int, stop: int) -> list[NDArray[Any]]:
    """Read rows of several columns, each dataset once; missing values become NaN, integers become float64.

    Raises
    ------
    ScanError
        If the file is damaged in these rows.
    """
    return [_numbers(column, stored, start) for column, stored in _read(columns, start, stop)]


def _numbers(column: Hdf5Column, stored: NDArray[Any], start: int) -> NDArray[Any]:
    values = column.legend.numbers(stored) if column.legend else column.coding.values(stored)
    if column.selection.is_line:
        values = _line_means(values)
    if (unwritten := _unwritten(column, start, len(values))) is not None:
        values = np.where(unwritten, values.dtype.type(np.nan), values)
    return values


def _unwritten(column: Hdf5Column, start: int, n: int) -> Any:
    """Return a mask, shape (n,) or scalar, of the rows that were never written; None if all were written."""
    if not column.has_unwritten:
        return None
    return column.unwritten[np.arange(start, start + n) // column.chunk_rows if column.dataset.chunks else 0]


def _line_means(values: NDArray[Any]) -> NDArray[np.float64]:
    """Average the valid pixels of each row in float64; NaN if a row has none."""
    pixels = measurable(values, RED)
    present = ~np.isnan(pixels)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.sum(pixels, axis=1, where=present, dtype=np.float64) / present.sum(axis=1))


def read_texts(columns: Sequence[Hdf5Column], start: int, stop: int) -> list[NDArray[np.str_]]:
    """Read rows of several columns as text: whole numbers without decimals, bytes as UTF-8 or Latin-1.

    Raises
    ------
    ScanError
        If the file is damaged in these rows.
    """
    return [_as_text(column, stored, start) for column, stored in _read(columns, start, stop)]


def _read(columns: Sequence[Hdf5Column], start: int, stop: int) -> Iterator[tuple[Hdf5Column, NDArray[Any]]]:
    blocks: dict[str, tuple[NDArray[Any], tuple[slice, ...]]] = {}
    for column in columns:
        if column.held is not None:
            yield column, column.held[start:stop]
            continue
        array = column.array  # asking the file for the dataset's name is slow
        if array not in blocks:
            beside = [other.selection for other in columns if other.array == array]
            window = window_of(beside, column.dataset.ndim, start, stop)
            fields = list(dict.fromkeys(other.field[0] for other in beside if other.field))
            blocks[array] = load(column.dataset, window, fields), window
        yield column, column.selection.of(*blocks[array])


def _as_text(column: Hdf5Column, stored: NDArray[Any], start: int) -> NDArray[np.str_]:
    if column.legend:
        pass  # codes, one for each row
    elif stored.ndim == 2:
        stored = _joined(stored)
    elif stored.dtype.kind in "iu" and column.is_text:
        stored = _joined(stored[:, None])
    changes = np.asarray(stored[1:] != stored[:-1], np.bool_)  # the same section name repeats in many rows
    starts = np.append(0, 1 + np.flatnonzero(changes)) if len(stored) else np.empty(0, np.intp)
    if column.legend:
        written = np.array(column.legend.texts(stored[starts]), np.str_)
    else:
        blanks = (*NEVER_VALUES, *column.coding.fills) if column.is_number else ()
        written = _texts(stored[starts], blanks)
    texts = np.repeat(written, np.diff(starts, append=len(stored)))
    if (unwritten := _unwritten(column, start, len(texts))) is not None:
        texts = np.where(unwritten, "", texts)
    return texts


def _texts(stored: NDArray[Any], blanks: tuple[float, ...]) -> NDArray[np.str_]:
    if stored.dtype.kind in "iuf":
        write = number_text if stored.dtype.kind == "f" else str
        texts = ["" if value in blanks else write(value) for value in stored.tolist()]
    else:
        texts = [(decode(value) if isinstance(value, bytes) else str(value)).strip() for value in stored.tolist()]
        texts = ["" if text in MISSING_TEXTS else text for text in texts]
    return np.array(texts, np.str_)


def _joined(characters: NDArray[Any]) -> NDArray[Any]:
    """Join the characters of each row: bytes, or MATLAB's UTF-16."""
    if characters.dtype.kind == "S":
        lines = np.ascontiguousarray(characters)
        return lines.view(f"S{lines.shape[1]}")[:, 0] if lines.size else np.zeros(len(lines), "S1")
    codes = np.ascontiguousarray(characters, "<u2")
    return np.array([row.tobytes().decode("utf-16-le", "replace").rstrip("\0") for row in codes], object)


def matrix_of(columns: Sequence[Hdf5Column], beside: Sequence[Hdf5Column]) -> ReadMatrix | None:
    """Return a function that reads columns as one array; see `lithovae.runtime.formats.file.File.matrix`."""
    dataset, first = columns[0].dataset, columns[0].selection.index[-1]
    if not isinstance(first, int):
        return None
    are_neighbours = (
        dataset.dtype.kind == "f"
        and dataset.dtype.itemsize in (4, 8)
        and all(column.dataset == dataset for column in columns)
        and [column.selection.index for column in columns] == [(ROWS, first + i) for i in range(len(columns))]
        and columns[0].coding == Coding()  # it is the dataset's, and so that of all
        and not any(column.has_unwritten for column in columns)
    )
    if not are_neighbours or any(column.dataset == dataset for column in beside):  # chunks would be decompressed twice
        return None
    fields = slice(first, first + len(columns))
    return lambda start, stop: load(dataset, (slice(start, stop), fields), [], order="C")
