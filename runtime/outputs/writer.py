"""Chooses the writer of a result by the extension of its file name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from lithovae.runtime.errors import OutputError
from lithovae.runtime.result import Columns, ResultSchema

from . import csv, hdf5, json_lines, las, netcdf, npz, parquet
from .stored import Stored


class WholeWriter(Protocol):
    """Writes the rows of a result, in order; the file gets its name when all have been written."""

    def pack(self, blocks: Columns) -> Any:
        """Prepare a block of rows for writing. Any thread may call this, in any order."""

    def write(self, packed: Any) -> None:
        """Append a prepared block."""

    def state(self, about: Mapping[str, Any]) -> None:
        """Set the provenance of the result, after all rows have been written."""


class GrowingWriter(Protocol):
    """Writes the rows of a scan that grows, each as soon as it is finished."""

    def earlier(self) -> Iterable[Columns]:
        """Yield the complete rows of an earlier run that this one continues; called once, before `begin`."""

    def begin(self, about: Mapping[str, Any], schema: ResultSchema) -> None:
        """Set the provenance and the schema of the rows that follow; called again when the scan's columns change."""

    def write(self, rows: Columns) -> None:
        """Write some rows."""

    def close(self, complete: bool) -> None:
        """Finish; ``complete`` says whether the scan was followed to its end."""


class WholeFormat(Protocol):
    """Opens a file for a result with ``n_rows`` rows, or at most as many if ``fewer`` is true."""

    def __call__(
        self, path: Path, schema: ResultSchema, n_rows: int, *, fewer: bool
    ) -> AbstractContextManager[WholeWriter]:
        """Return a context manager with the writer; the file appears when the block ends without an error."""


class GrowingFormat(Protocol):
    """Opens a file for a result that grows."""

    def __call__(self, path: Path) -> GrowingWriter:
        """Return the writer.

        Raises
        ------
        OutputError
            If the file cannot be created.
        """


class Format(NamedTuple):
    """What a format can store: a result with a known number of rows, one that grows, or both; and how it is read.

    Attributes
    ----------
    read : callable, optional
        Returns what a file of this format holds; whatever it raises tells what is wrong with the file.
    whole, growing : callable, optional
        Open a file for either.
    require : callable, optional
        Checks that the library that a format needs is installed; raises `OutputError` if it is not.
    needs_values : bool
        Whether a whole result of this format is of little use without the values of the features: it is a scan, or a
        log.
    """

    read: Callable[[Path], Stored] | None = None
    whole: WholeFormat | None = None
    growing: GrowingFormat | None = None
    require: Callable[[Path], Any] | None = None
    needs_values: bool = False


_HDF5 = Format(netcdf.read, whole=netcdf.open_whole, growing=hdf5.GrowingFile, needs_values=True)
FORMATS: Mapping[str, Format] = {
    ".npz": Format(npz.read, whole=npz.open_whole),
    ".h5": _HDF5,
    ".hdf5": _HDF5,
    ".nc": Format(netcdf.read, whole=netcdf.open_netcdf, needs_values=True),
    ".parquet": Format(parquet.read, whole=parquet.open_whole, require=parquet.require_arrow),
    ".csv": Format(csv.read, whole=csv.open_whole),
    ".las": Format(las.read, whole=las.open_whole, needs_values=True),
    ".jsonl": Format(json_lines.read, growing=json_lines.JsonLinesFile),
}
"""Format by extension."""
TABLES = (".csv", ".parquet")
"""Extensions of a table of the rows themselves."""
DEFAULT_EXTENSION = ".npz"
"""Extension of the results of many scans."""


def extensions(kind: str) -> str:
    """Return, for a message, the extensions of the formats with ``whole``, ``growing`` or ``read``."""
    *first, last = (extension for extension, format in FORMATS.items() if getattr(format, kind))
    return f"{', '.join(first)} or {last}"


def format_of(path: Path) -> Format:
    """Return the format for a file name; for an unknown extension, one that can store nothing."""
    return FORMATS.get(path.suffix.lower(), Format())


def whole_format(path: Path) -> WholeFormat:
    """Return the format for a result with a known number of rows.

    Raises
    ------
    OutputError
        If the extension is not that of such a format, or if the library that it needs is not installed.
    """
    format = format_of(path)
    if format.whole is None:
        raise OutputError(f"{path} must end in {extensions('whole')}", path)
    if format.require is not None:
        format.require(path)  # before an hour of binning, not after it
    return format.whole


def table_format(path: Path) -> WholeFormat:
    """Return the format for a table of the rows themselves.

    Raises
    ------
    OutputError
        If the extension is not that of such a format.
    """
    if path.suffix.lower() not in TABLES:
        raise OutputError(f"{path} must end in {' or '.join(TABLES)}", path)
    return whole_format(path)


def growing_format(path: Path) -> GrowingFormat:
    """Return the format for a result that grows.

    Raises
    ------
    OutputError
        If the extension is not that of such a format.
    """
    if (growing := format_of(path).growing) is None:
        raise OutputError(f"{path} must end in {extensions('growing')}: only such a file can grow", path)
    return growing
