"""Open a file in any supported format, which is recognised by the file's content, not by its name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from lithovae.runtime.errors import ScanError
from lithovae.runtime.findings import Findings

from .file import File
from .unsupported import what_it_is, why_no_text

FORMATS = (
    "lithovae.runtime.formats.hdf5.file",
    "lithovae.runtime.formats.parquet",
    "lithovae.runtime.formats.excel",
    "lithovae.runtime.formats.las",
    "lithovae.runtime.formats.text.file",
)
"""Modules of the formats, in the order in which they are asked. Each has the functions ``is_mine(path)`` and
``open_file(path, findings, swmr=..., locking=...)``, a context manager that returns a `File`. A module is imported when
it is asked: no scan pays for the formats after its own."""


class Format(Protocol):
    """The module of a format."""

    def is_mine(self, path: Path) -> bool:
        """Return whether a file is in the format, by its content."""

    def open_file(
        self, path: Path, findings: Findings, *, swmr: bool, locking: bool | None
    ) -> AbstractContextManager[File]:
        """Open a file."""


@contextmanager
def open_file(path: Path, findings: Findings, *, swmr: bool = False, locking: bool | None = None) -> Iterator[File]:
    """Open a file in the format that its content has.

    Parameters
    ----------
    path : Path
        The file.
    findings : Findings
        Receives notes on what is not read, and why.
    swmr, locking : optional
        Passed to `h5py.File`, for an HDF5 file that is being written.

    Raises
    ------
    ScanError
        If the file does not exist, is not a regular file, cannot be opened, or has an unsupported format.
    """
    require_regular(path)
    formats: Iterator[Any] = map(import_module, FORMATS)
    chosen: Format | None = next((known for known in formats if known.is_mine(path)), None)
    if chosen is None:
        hint, why_not = what_it_is(path), why_no_text(path)
        otherwise = f", nor a table in text{f': {why_not}' if why_not else ''}"
        raise ScanError(f"{path} is not an HDF5 file{f': {hint}' if hint else otherwise}", path)
    with chosen.open_file(path, findings, swmr=swmr, locking=locking) as file:
        yield file


def require_regular(path: Path) -> None:
    """Check that a path is a regular file that can be opened: not a folder, nor a pipe or device that could block."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ScanError(f"{path} is a folder, not a scan: pass the files in it, such as {path / '*.h5'}", path)
        if not stat.S_ISREG(mode):
            raise ScanError(f"{path} is a device, a pipe or a socket, not a file: save the data to a file first", path)
        os.close(os.open(path, os.O_RDONLY))
    except FileNotFoundError as error:
        raise ScanError(f"no such file: {path}", path) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ScanError(f"{path} cannot be opened: {reason}", path) from error
