"""The report of a log, in the format that its name's extension says."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from lithovae.runtime.errors import OutputError
from lithovae.runtime.log import Log

from .page import write_page
from .strip_log import FORMATS, require_matplotlib, write_strip_log

SUFFIXES = (".html", *(f".{name}" for name in FORMATS))
"""Extensions of a report: a page, or a picture."""


def require_report(path: Path) -> None:
    """Check, before anything is computed, that a report with this name can be written.

    Raises
    ------
    OutputError
        If the extension is not one of `SUFFIXES`, or if matplotlib is needed and not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(f"{path}: a report must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if path.suffix.lower() != ".html":
        require_matplotlib()


def write_report(file: BinaryIO, log: Log, path: Path) -> None:
    """Write a report to an open file, in the format that the extension of its name says.

    Parameters
    ----------
    file : binary file
        Where it is written.
    log : Log
        The log.
    path : Path
        Name of the report.

    Raises
    ------
    OutputError
        As of `require_report`.
    """
    require_report(path)
    for name in FORMATS:
        if path.suffix.lower() == f".{name}":
            return write_strip_log(file, log, name)
    write_page(file, log)
