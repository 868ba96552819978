"""Which writer a result is written by: the extension of its name decides."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from lithovae.runtime.errors import OutputError
from lithovae.runtime.result import Columns, ResultSchema

from . import hdf5, npz


class WholeWriter(Protocol):
    """Takes the rows of a result in their order; the file gets its name when all are in."""

    def pack(self, blocks: Columns) -> Any:
        """Make a block of rows ready to be written. Any thread may do this, ahead of its turn."""

    def write(self, packed: Any) -> None:
        """Append a block."""

    def state(self, about: Mapping[str, Any]) -> None:
        """Take what the result states of its own origin, when all rows are in."""


class GrowingWriter(Protocol):
    """Takes the rows of a scan that grows, each as soon as it is finished."""

    def begin(self, about: Mapping[str, Any], schema: ResultSchema) -> None:
        """Take what the rows to come are made from; again when the scan has become another."""

    def write(self, rows: Columns) -> None:
        """Take some rows."""

    def close(self, complete: bool) -> None:
        """End; ``complete`` if the run came to its end."""


class WholeFormat(Protocol):
    """Opens a file for a result whose number of rows is known: ``n_rows``, or ``fewer``, in as many in each column."""

    def __call__(
        self, path: Path, schema: ResultSchema, n_rows: int, *, fewer: bool
    ) -> AbstractContextManager[WholeWriter]:
        """Give the writer; the file appears when the block ends well."""


class GrowingFormat(Protocol):
    """Opens a file for a result that grows."""

    def __call__(self, path: Path) -> GrowingWriter:
        """Give the writer.

        Raises
        ------
        OutputError
            If the file cannot be made.
        """


class Format(NamedTuple):
    """What a format can write: a result whose number of rows is known, one that grows, or both."""

    whole: WholeFormat | None = None
    growing: GrowingFormat | None = None


FORMATS: Mapping[str, Format] = {
    ".npz": Format(whole=npz.open_whole),
    ".h5": Format(growing=hdf5.GrowingFile),
    ".hdf5": Format(growing=hdf5.GrowingFile),
}
"""The format of each extension."""


def extensions(kind: str) -> str:
    """List the extensions of the formats that write a kind of result, ``whole`` or ``growing``, for a message."""
    return " or ".join(extension for extension, format in FORMATS.items() if getattr(format, kind))


def format_of(path: Path) -> Format:
    """Give the format of a result by the extension of its name; one that writes nothing where it has none."""
    return FORMATS.get(path.suffix.lower(), Format())


def whole_format(path: Path) -> WholeFormat:
    """Give what writes a result whose number of rows is known.

    Raises
    ------
    OutputError
        If no format of this extension does.
    """
    if (whole := format_of(path).whole) is None:
        raise OutputError(f"{path} must end in {extensions('whole')}", path)
    return whole


def growing_format(path: Path) -> GrowingFormat:
    """Give what writes a result that grows.

    Raises
    ------
    OutputError
        If no format of this extension does.
    """
    if (growing := format_of(path).growing) is None:
        raise OutputError(f"{path} must end in {extensions('growing')}: only such a file can grow", path)
    return growing
