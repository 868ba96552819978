"""Writes a result to an HDF5 file that can be read while it grows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import OutputError
from lithovae.runtime.process import guard
from lithovae.runtime.result import Columns, ResultColumn, ResultSchema

from .whole_file import require_writable

TEXT_BYTES = 64
"""Size in bytes (UTF-8) of a part of an address: in SWMR mode, HDF5 cannot write text of variable length."""
CHUNK_ROWS = 1024
BROKEN: list[Any] = []
"""Files that could not be written. libhdf5 crashes when they, or their datasets, are closed, so they stay open."""


class GrowingFile:
    """An HDF5 file with a dataset for each column of the result; readers in SWMR mode see it grow.

    It has its final name from the start. Its attribute ``complete`` is 0 until the result is complete.

    Parameters
    ----------
    path : Path
        The file; it must not exist.

    Raises
    ------
    OutputError
        If the file exists or cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.path = require_writable(path)
        if self.path.exists():
            raise OutputError(f"{self.path} already exists; it will not be overwritten: choose another name", self.path)
        self._file: Any = None
        self._members: dict[str, Any] = {}

    def begin(self, about: Mapping[str, Any], schema: ResultSchema) -> None:
        """Create the file on the first call; later calls change nothing."""
        if self._file is not None:
            return
        guard.keeping(self.path)
        try:
            self._file = h5py.File(self.path, "x", libver=("v110", "v110"))
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error}", self.path) from error
        with self._errors_named():
            for column in schema.columns:
                self._members[column.name] = self._dataset(column)
            self._file.attrs["features"] = list(schema.features)
            self._file.attrs["about"] = json.dumps(about, ensure_ascii=False)
            self._file.attrs["complete"] = np.uint8(0)
            self._file.swmr_mode = True

    def _dataset(self, column: ResultColumn) -> Any:
        dtype = h5py.string_dtype("utf-8", TEXT_BYTES) if column.dtype.kind == "U" else column.dtype
        width = () if column.width is None else (column.width,)
        dataset = self._file.create_dataset(
            column.name, (0, *width), dtype, maxshape=(None, *width), chunks=(CHUNK_ROWS, *width), track_times=False
        )
        if column.unit:
            dataset.attrs["units"] = column.unit
        return dataset

    def write(self, rows: Columns) -> None:
        """Append rows and flush them. A column that they lack is filled with NaN, 0 or blank text."""
        n = len(next(iter(rows.values())))
        with self._errors_named():
            for name, dataset in self._members.items():
                start = len(dataset)
                dataset.resize(start + n, axis=0)
                if (values := rows.get(name)) is not None:
                    dataset[start:] = _utf8(values) if values.dtype.kind == "U" else values
                elif dataset.dtype.kind == "f":
                    dataset[start:] = np.nan
            self._file.flush()

    def close(self, complete: bool) -> None:
        """Close the file. From then on, it can also be read without SWMR mode."""
        if self._file:  # it is None if nothing was written, and false once it is closed
            with self._errors_named():
                self._file.attrs.modify("complete", np.uint8(complete))
                self._file.close()

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        """Turn the errors of a failed write into an `OutputError` with the file's path."""
        try:
            yield
        except (OSError, RuntimeError) as error:  # h5py raises either if the disk is full
            BROKEN.append((self._file, self._members))
            self._file = None
            raise OutputError(f"cannot write {self.path}: {error}", self.path) from error


def _utf8(texts: NDArray[np.str_]) -> NDArray[np.bytes_]:
    cut = [text.encode()[:TEXT_BYTES].decode(errors="ignore").encode() for text in texts.tolist()]
    return np.array(cut, h5py.string_dtype("utf-8", TEXT_BYTES))
