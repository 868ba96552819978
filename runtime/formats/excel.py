"""Spreadsheets: Excel's .xlsx, .xlsb and .xls, and OpenDocument's .ods (extra ``tables``: python-calamine).

The rows of each sheet are written as text, whose layout (preambles, headings, units) is then found as in any text.
"""

from __future__ import annotations

import datetime
import re
import tempfile
import zipfile
from collections.abc import Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import ScanError, reason_of
from lithovae.runtime.findings import Findings
from lithovae.runtime.process.heartbeat import advanced

from .column import Column
from .file import File
from .text.column import TextColumn
from .text.file import TextFile

MAX_EXPANDED = 1 << 30
"""Bytes that the parts of a file may unpack to: a sheet is read at once."""
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def is_mine(path: Path) -> bool:
    """Return whether a file is a workbook: an OLE file, or a zip file with a workbook in it."""
    with path.open("rb") as file:
        head = file.read(8)
    if not head.startswith(_ZIP):
        return head == _OLE
    try:
        with zipfile.ZipFile(path) as packed:
            names = set(packed.namelist())
            if not names.isdisjoint(("xl/workbook.xml", "xl/workbook.bin")):
                return True
            return "mimetype" in names and b"opendocument.spreadsheet" in packed.open("mimetype").read(100)
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile):
        return False


@contextmanager
def open_file(
    path: Path, findings: Findings, *, swmr: bool = False, locking: bool | None = None
) -> Iterator[SheetsFile]:
    """Open a workbook. ``swmr`` and ``locking`` are HDF5's.

    Raises
    ------
    ScanError
        If python-calamine is not installed, or the file is damaged or holds no table of numbers.
    """
    try:
        import python_calamine
    except ModuleNotFoundError as error:
        raise ScanError("it is a spreadsheet, which needs python-calamine: pip install 'lithovae[tables]'") from error
    _require_small(path)
    with ExitStack() as stack:
        tables: dict[str, TextFile] = {}
        why_not: dict[str, ScanError] = {}
        try:
            workbook = stack.enter_context(python_calamine.CalamineWorkbook.from_path(str(path)))
            for name in workbook.sheet_names:
                sheet = workbook.get_sheet_by_name(name)
                text = stack.enter_context(tempfile.TemporaryFile())
                for row in sheet.iter_rows():
                    advanced()
                    text.write(("\t".join(map(_cell, row)) + "\n").encode())
                text.flush()
                try:
                    tables[name] = TextFile(text, findings)
                except ScanError as error:
                    why_not[name] = error
        except (OSError, ValueError, python_calamine.CalamineError) as error:
            raise ScanError(f"the spreadsheet cannot be read: {reason_of(error)}") from error
        if not tables:
            raise next(iter(why_not.values()), ScanError("the spreadsheet has no sheets"))
        for name, reason in why_not.items():
            findings.note(f"sheet {name}: {reason}: left out")
        yield SheetsFile(tables, findings)


def _require_small(path: Path) -> None:
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            size = sum(part.file_size for part in packed.infolist())
    if size > MAX_EXPANDED:
        raise ScanError(f"the spreadsheet unpacks to more than {MAX_EXPANDED >> 20} MiB: save the sheet as CSV")


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return re.sub(r"\s+", " ", str(value)).replace('"', "'").strip()


@dataclass(frozen=True, eq=False)
class SheetColumn(TextColumn):
    """A column of a sheet.

    Attributes
    ----------
    sheet : str
        Name of the sheet; empty if it is the only one with a table.
    """

    sheet: str = ""

    @property
    def location(self) -> str:
        """Sheet and name."""
        return f"{self.sheet}/{super().location}" if self.sheet else super().location

    @property
    def group(self) -> str:
        """The sheet: its columns are one table."""
        return f"/{self.sheet}" if self.sheet else ""

    @property
    def paths(self) -> tuple[str, ...]:
        """All spellings of its path: with its name, and with its number."""
        number = f"{self.sheet}/{self.position}" if self.sheet else str(self.position)
        return self.path, number, *([self.location] if self.is_namesake else [])


class SheetsFile(File):
    """An open workbook: a table a sheet.

    Parameters
    ----------
    tables : dict of str to TextFile
        The tables, by name of the sheet.
    findings : Findings
        Receives notes on what is not read.
    """

    def __init__(self, tables: dict[str, TextFile], findings: Findings) -> None:
        self.findings = findings
        several = len(tables) > 1
        self._tables = {name.replace("/", "_") if several else "": table for name, table in tables.items()}
        self._columns = [
            SheetColumn(**({**_fields(column), "layout": "spreadsheet"}), sheet=name)
            for name, table in self._tables.items()
            for column in table.columns
        ]

    @property
    def columns(self) -> Sequence[Column]:
        """The columns of all sheets."""
        return self._columns

    def stated(self, path: str, names: Container[str]) -> list[tuple[str, str]]:
        """List what the rows above a sheet's table state."""
        table = self._tables.get(path.strip("/"))
        return table.stated("/", names) if table else []

    def read_numbers(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[Any]]:
        """Read rows of several columns; missing values become NaN."""
        return [self._table(column).read_numbers([column], start, stop)[0] for column in columns]

    def read_texts(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[np.str_]]:
        """Read rows of several columns as text."""
        return [self._table(column).read_texts([column], start, stop)[0] for column in columns]

    def _table(self, column: Column) -> TextFile:
        return self._tables[cast("SheetColumn", column).sheet]


def _fields(column: Column) -> dict[str, Any]:
    return {field.name: getattr(column, field.name) for field in fields(cast("TextColumn", column))}
