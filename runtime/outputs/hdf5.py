"""Writes a result to an HDF5 file that can be read while it grows."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import DAMAGE, OutputError
from lithovae.runtime.process import guard
from lithovae.runtime.result import Columns, ResultColumn, ResultSchema

from .earlier import Lock, foreign, require_same
from .whole_file import beside, mode_of, require_writable

TEXT_BYTES = 64
"""Size in bytes (UTF-8) of a text of unknown length: in SWMR mode, HDF5 cannot write text of variable length."""
CHUNK_ROWS = 1024
MEMBERS = {"depth", "embeddings", "complete", "file"}
"""Datasets that every growing file has."""
COPIED_ROWS = 64 * CHUNK_ROWS
"""Rows of an earlier run that are read at once."""
LIBVER = ("v110", "v110")
"""The oldest format with SWMR mode."""
BROKEN: list[Any] = []
"""Files that could not be written. libhdf5 crashes when they, or their datasets, are closed, so they stay open."""


class Hdf5Writer:
    """What writers of HDF5 have in common: what becomes of their errors.

    Attributes
    ----------
    path : Path
        The final name of the file.
    """

    path: Path
    _file: Any

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        """Turn the errors of a failed write into an `OutputError` with the file's path."""
        try:
            yield
        except (OSError, RuntimeError) as error:  # h5py raises either if the disk is full
            BROKEN.append(vars(self).copy())
            self._file = None
            raise OutputError(f"cannot write {self.path}: {error}", self.path) from error


class GrowingFile(Hdf5Writer):
    """An HDF5 file with a dataset for each column of the result; readers in SWMR mode see it grow.

    It has its final name from the start. Its attribute ``complete`` is 0 until the result is complete. A file that an
    earlier run began is continued: its complete rows are copied, and the copy takes its place. A file that was left
    open in SWMR mode can only be read, and may be damaged where a reader does not look.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    OutputError
        If the file exists and holds something else, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = require_writable(path)
        self._file: Any = None
        self._members: dict[str, Any] = {}
        self._begun: tuple[Mapping[str, Any], ResultSchema] | None = None
        self._lock: Lock | None = None
        self._n_earlier = 0
        if self.path.exists():
            try:
                self._lock = Lock(self.path)
            except OSError as error:
                raise OutputError(f"cannot write {self.path}: {error.strerror}", self.path) from error
            with self._existing() as file:
                self._n_earlier = _n_complete(file)

    @contextmanager
    def _existing(self) -> Iterator[Any]:
        """Open the file of an earlier run for reading."""
        if not self.path.stat().st_size:
            raise foreign(self.path, "it is empty")
        try:
            with h5py.File(self.path, "r", swmr=True, locking=False) as file:
                if not {"about", "complete", "features"} <= set(file.attrs) or not set(file) >= MEMBERS:
                    raise foreign(self.path, "it lacks the provenance of a result")
                yield file
        except DAMAGE as error:
            raise foreign(self.path, f"it cannot be read: {error}") from error

    def earlier(self) -> Iterator[Columns]:
        """Yield the complete rows of an earlier run, as columns.

        Raises
        ------
        OutputError
            If they cannot be read.
        """
        if not self._n_earlier:
            return
        with self._existing() as file:
            for start in range(0, self._n_earlier, COPIED_ROWS):
                rows = slice(start, min(start + COPIED_ROWS, self._n_earlier))
                yield {
                    name: dataset.asstr()[rows] if dataset.dtype.kind == "S" else dataset[rows]
                    for name, dataset in file.items()
                }

    def begin(self, about: Mapping[str, Any], schema: ResultSchema) -> None:
        """Create the file on the first call; later calls change nothing.

        Raises
        ------
        OutputError
            If the file was written from another scan, or with another model or other settings.
        """
        if self._begun is not None:
            return
        self._begun = about, schema
        if self._lock is None:
            self._create()
            return
        with self._existing() as file:  # changed when there is a row for it
            stated = {**json.loads(file.attrs["about"]), "features": list(map(str, file.attrs["features"]))}
            require_same(self.path, stated, {**about, "features": schema.features.names})
            if set(file) != {column.name for column in schema.columns}:
                raise OutputError(
                    f"{self.path} has other columns ({', '.join(file)}) than the scan has now: it will not be "
                    "continued or overwritten; choose another name",
                    self.path,
                )

    def _create(self) -> None:
        """Create the file, with the complete rows of an earlier run, under another name, and rename it."""
        assert self._begun is not None
        about, schema = self._begun
        partial = beside(self.path, f".{zlib.crc32(os.fsencode(self.path.name)):08x}.partial")
        guard.writing(partial)
        try:
            self._file = h5py.File(partial, "w", libver=LIBVER, locking=False)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error}", self.path) from error
        with self._errors_named():
            for column in schema.columns:
                self._members[column.name] = self._dataset(column)
            self._file.attrs["features"] = list(schema.features.names)
            self._file.attrs["about"] = json.dumps(about, ensure_ascii=False)
            self._file.attrs["complete"] = np.uint8(0)
            for rows in self.earlier():
                self._append(rows)
            self._file.swmr_mode = True
            self._file.flush()
            self._rename(partial)

    def _rename(self, partial: Path) -> None:
        old, self._lock = self._lock, Lock(partial)
        guard.keeping(self.path)
        try:
            if old is None and self.path.exists():
                raise foreign(self.path, "it appeared a moment ago")
            if old is not None and (mode := mode_of(self.path)) is not None:
                os.chmod(partial, mode)
            os.replace(partial, self.path)
        except PermissionError:  # Windows renames no open file
            self._file.close()
            os.replace(partial, self.path)
            self._file = h5py.File(self.path, "r+", libver=LIBVER, locking=False)
            self._members = {name: self._file[name] for name in self._members}
            self._file.swmr_mode = True
        if old is not None:
            old.release()

    def _dataset(self, column: ResultColumn) -> Any:
        is_text = column.dtype.kind == "U"
        dtype = h5py.string_dtype("utf-8", column.dtype.itemsize or TEXT_BYTES) if is_text else column.dtype
        width = () if column.width is None else (column.width,)
        dataset = self._file.create_dataset(
            column.name, (0, *width), dtype, maxshape=(None, *width), chunks=(CHUNK_ROWS, *width), track_times=False
        )
        if column.unit:
            dataset.attrs["units"] = column.unit
        if column.categories:
            dataset.attrs["names"] = list(column.categories)
        return dataset

    def write(self, rows: Columns) -> None:
        """Append rows and flush them. A column that they lack is filled with NaN, 0 or blank text."""
        if self._file is None:
            self._create()
        with self._errors_named():
            self._append(rows)
            self._file.flush()

    def _append(self, rows: Columns) -> None:
        n = len(next(iter(rows.values())))
        for name, dataset in self._members.items():
            start = len(dataset)
            dataset.resize(start + n, axis=0)
            if (values := rows.get(name)) is not None:
                dataset[start:] = _utf8(values, dataset.dtype) if values.dtype.kind in "UO" else values
            elif dataset.dtype.kind == "f":
                dataset[start:] = np.nan
            elif "names" in dataset.attrs:  # codes: the largest number stands for none
                dataset[start:] = np.iinfo(dataset.dtype).max

    def close(self, complete: bool) -> None:
        """Close the file. From then on, it can also be read without SWMR mode."""
        if self._file:  # it is None if nothing was written, and false once it is closed
            with self._errors_named():
                self._file.attrs.modify("complete", np.uint8(complete))
                self._file.close()
        if self._lock is not None:
            self._lock.release()


def _n_complete(file: Any) -> int:
    """Return the number of rows before the first that is not complete: those are written again when they are.

    A run that was killed while it appended leaves datasets of different lengths.
    """
    n = min(len(dataset) for dataset in file.values())
    for start in range(0, n, COPIED_ROWS):
        if not (complete := file["complete"][start : min(start + COPIED_ROWS, n)]).all():
            return start + int(np.argmin(complete))
    return n


def _utf8(texts: NDArray[Any], dtype: Any) -> NDArray[np.bytes_]:
    cut = [text.encode()[: dtype.itemsize].decode(errors="ignore").encode() for text in texts.tolist()]
    return np.array(cut, dtype)
