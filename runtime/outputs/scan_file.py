"""Writes a scan in the recommended layout: a group per instrument, with a dataset per column (docs/scan-format.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import OutputError
from lithovae.runtime.result import SIMULATED

from .hdf5 import Hdf5Writer
from .whole_file import whole_file

CHUNK_ROWS = 1 << 16


class ScanWriter(Hdf5Writer):
    """Writes the columns of a scan, whose number of rows is known.

    Parameters
    ----------
    path : Path
        The final name of the file, for errors.
    file : h5py.File
        The file.
    """

    def __init__(self, path: Path, file: Any) -> None:
        self.path, self._file = path, file

    def create(self, name: str, n_rows: int, dtype: np.dtype[Any], unit: str, sources: Sequence[str]) -> None:
        """Create a column.

        Parameters
        ----------
        name : str
            Its path.
        n_rows : int
            Number of rows.
        dtype : dtype
            Type of a value; bytes for UTF-8 text.
        unit : str
            Unit; empty if it has none.
        sources : sequence of str
            File and column that it comes from, one or several.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        with self._errors_named():
            stored = h5py.string_dtype("utf-8", dtype.itemsize) if dtype.kind == "S" else dtype
            chunk = max(1, min(CHUNK_ROWS, n_rows))
            dataset = self._file.create_dataset(
                name, (n_rows,), stored, chunks=(chunk,), compression="gzip", shuffle=True, track_times=False
            )
            if unit:
                dataset.attrs["units"] = unit
            dataset.attrs["source"] = sources[0] if len(sources) == 1 else list(sources)

    def write(self, name: str, start: int, values: NDArray[Any]) -> None:
        """Write rows of a column, the first at row ``start``; text as UTF-8 bytes. Raises `OutputError`."""
        with self._errors_named():
            dataset = self._file[name]
            dataset[start : start + len(values)] = values.astype(dataset.dtype)

    def state(self, about: Mapping[str, Any], simulated: Sequence[str] = ()) -> None:
        """Set the provenance of the file, and the seeds of simulated rows that are among its own.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        with self._errors_named():
            if simulated:
                self._file.attrs[SIMULATED] = ", ".join(simulated)
            self._file.attrs["about"] = json.dumps(about, ensure_ascii=False)

    def close(self) -> None:
        """Close the file. Raises `OutputError`."""
        if self._file is not None:
            with self._errors_named():
                self._file.close()


@contextmanager
def open_scan_file(path: Path) -> Iterator[tuple[ScanWriter, Path]]:
    """Write a scan; the file appears when the block ends without an error.

    Yields the writer and the path at which the file is meanwhile, for reading it once the writer is closed.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with whole_file(path) as file:
        partial = Path(file.name)
        try:
            writer = ScanWriter(path, h5py.File(partial, "w", locking=False))
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error}", path) from error
        try:
            yield writer, partial
        finally:
            writer.close()
