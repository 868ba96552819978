"""Parquet (extra ``tables``: pyarrow), read a row group at a time."""

from __future__ import annotations

import threading
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import ScanError, reason_of
from lithovae.runtime.features import letters
from lithovae.runtime.findings import Findings
from lithovae.runtime.process.heartbeat import advanced

from .codes import Coding, number_labels
from .column import Column
from .file import File

UNIT_KEYS = (b"units", b"unit")
"""Keys of a column's metadata that state its unit."""
_MAGIC = b"PAR1"


def is_mine(path: Path) -> bool:
    """Return whether a file begins with Parquet's mark."""
    with path.open("rb") as file:
        return file.read(4) == _MAGIC


@contextmanager
def open_file(
    path: Path, findings: Findings, *, swmr: bool = False, locking: bool | None = None
) -> Iterator[ParquetFile]:
    """Open a Parquet file. ``swmr`` and ``locking`` are HDF5's.

    Raises
    ------
    ScanError
        If pyarrow is not installed, or the file is damaged.
    """
    try:
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise ScanError("it is a Parquet file, which needs pyarrow: pip install 'lithovae[tables]'") from error
    with path.open("rb") as opened:
        try:
            file = pyarrow.parquet.ParquetFile(opened)
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            raise ScanError(f"the Parquet file cannot be read: {reason_of(error)}") from error
        yield ParquetFile(file, pyarrow, findings)


@dataclass(frozen=True, eq=False)
class ParquetColumn(Column):
    """A column of a Parquet file.

    Attributes
    ----------
    name, length, unit
        As in `lithovae.runtime.formats.column.Column`.
    type : dtype
        float64 or float32 for numbers, ``U`` for text, ``O`` for anything else.
    group_rows : int
        Rows of the largest row group.
    type_name : str
        Parquet's name of the type.
    """

    name: str
    length: int
    unit: str | None
    type: np.dtype[Any]
    group_rows: int
    type_name: str
    layout = "Parquet column"

    @property
    def dtype(self) -> Any:
        """Type of a value."""
        return self.type

    @property
    def kind(self) -> str:
        """``text``, or Parquet's name of the type."""
        return "text" if self.is_text else self.type_name

    @property
    def chunk_rows(self) -> int:
        """Rows of a row group, which is read at once."""
        return self.group_rows

    @property
    def row_bytes(self) -> int:
        """Bytes of a value."""
        return self.type.itemsize or 8


class ParquetFile(File):
    """An open Parquet file.

    Parameters
    ----------
    file : pyarrow.parquet.ParquetFile
        The file.
    arrow : module
        pyarrow.
    findings : Findings
        Receives notes on what is not read.
    """

    def __init__(self, file: Any, arrow: Any, findings: Findings) -> None:
        self.findings = findings
        self._file, self._arrow = file, arrow
        rows = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
        self._starts = np.cumsum([0, *rows]).tolist()
        schema = file.schema_arrow
        if len(set(schema.names)) < len(schema.names):
            raise ScanError("the Parquet file has two columns with the same name: rename one")
        self._columns = [
            ParquetColumn(
                *(field.name, self._starts[-1], _unit(field), self._type(field.type), max([1, *rows]), str(field.type))
            )
            for field in schema
        ]
        for column in self._columns:
            if column.type.kind == "O":
                findings.note(f"{column.name} holds {column.kind}, not numbers or text: not read")
        self._stated = [
            (letters(key.decode("utf-8", "replace")), value.decode("utf-8", "replace").strip())
            for key, value in (schema.metadata or {}).items()
        ]
        self._lock = threading.Lock()
        self._last: dict[str, tuple[int, Any]] = {}

    def _type(self, kind: Any) -> np.dtype[Any]:
        types = self._arrow.types
        if types.is_dictionary(kind):
            kind = kind.value_type
        if types.is_float32(kind) or types.is_float16(kind):
            return np.dtype(np.float32)
        if types.is_null(kind) or types.is_floating(kind) or types.is_integer(kind) or types.is_decimal(kind):
            return np.dtype(np.float64)
        is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
        return np.dtype(np.str_ if is_text else object)

    @property
    def columns(self) -> Sequence[Column]:
        """All columns; those that hold neither numbers nor text cannot be read."""
        return self._columns

    def stated(self, path: str, names: Container[str]) -> list[tuple[str, str]]:
        """List what the metadata of the file states."""
        return [(name, text) for name, text in self._stated if name in names] if path in ("", "/") else []

    def read_numbers(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[Any]]:
        """Read rows of several columns; missing values become NaN."""
        return [self._read(cast("ParquetColumn", column), start, stop) for column in columns]

    def read_texts(self, columns: Sequence[Column], start: int, stop: int) -> list[NDArray[np.str_]]:
        """Read rows of several columns as text."""
        return [
            np.char.strip(self._read(column, start, stop).astype(np.str_))
            if column.is_text
            else number_labels(self._read(column, start, stop))
            for column in cast("Sequence[ParquetColumn]", columns)
        ]

    def _read(self, column: ParquetColumn, start: int, stop: int) -> NDArray[Any]:
        parts = [np.zeros(0, column.type)]
        for i, (first, end) in enumerate(zip(self._starts, self._starts[1:], strict=False)):
            if first < stop and start < end:
                parts.append(self._group(column, i)[max(start - first, 0) : stop - first])
        return parts[1] if len(parts) == 2 else np.concatenate(parts)

    def _group(self, column: ParquetColumn, i: int) -> NDArray[Any]:
        """Read a column of a row group; the last one of each column is kept."""
        with self._lock:
            known = self._last.get(column.name)
            if known is not None and known[0] == i:
                return cast("NDArray[Any]", known[1])
            advanced()
            arrow = self._arrow
            try:
                (values,) = self._file.read_row_group(i, columns=[column.name]).columns
                if arrow.types.is_dictionary(values.type):
                    values = values.cast(values.type.value_type)
                if column.is_text:
                    found = values.cast(arrow.string()).fill_null("").to_numpy()
                    found = np.array(found.tolist(), np.str_)
                elif values.type == arrow.float16():
                    found = Coding().values(values.to_numpy().astype(np.float16))
                else:
                    kind = arrow.float32() if column.type == np.float32 else arrow.float64()
                    found = Coding().values(values.cast(kind, safe=False).to_numpy().astype(column.type, copy=False))
            except (OSError, ValueError, arrow.ArrowException) as error:
                raise ScanError(f"column {column.name} cannot be read: {reason_of(error)}") from error
            self._last[column.name] = i, found
            return found


def _unit(field: Any) -> str | None:
    texts = ((field.metadata or {}).get(key, b"").decode("utf-8", "replace").strip() for key in UNIT_KEYS)
    return next(filter(None, texts), None)
