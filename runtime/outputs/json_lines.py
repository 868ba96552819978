"""Writes a result as JSON lines, each as soon as its row is finished."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import OutputError
from lithovae.runtime.process import guard
from lithovae.runtime.result import ADDRESS_MEANINGS, Columns, ResultColumn, ResultSchema

from .earlier import Lock, foreign, require_same
from .stored import TEXTS, Stored, type_of
from .whole_file import require_writable

BLOCK_LINES = 4096
"""Number of lines of an existing file that are parsed at once."""
_BEGINNING = b'{"about": {'


class JsonLines:
    """JSON lines: first ``{"about": …}``, then an object for each row.

    Parameters
    ----------
    stream : text file
        Receives the lines; flushed after each block.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._schema: ResultSchema

    def earlier(self) -> Iterator[Columns]:
        """Yield nothing: a stream holds no rows of an earlier run."""
        return iter(())

    def begin(self, about: Mapping[str, Any], schema: ResultSchema) -> None:
        """Write the line with the provenance of the rows."""
        self._schema = schema
        self._write(_about_line(about, schema))

    def write(self, rows: Columns) -> None:
        """Write a line for each row."""
        present = [column for column in self._schema.columns if column.name in rows]
        values = {column.name_in_row: _plain(rows[column.name], column) for column in present}
        dicts = (dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))
        self._write("".join(json.dumps(row, allow_nan=False) + "\n" for row in dicts))

    def _write(self, lines: str) -> None:
        self._stream.write(lines)
        self._stream.flush()

    def close(self, complete: bool) -> None:
        """Do nothing; the stream stays open."""


class JsonLinesFile(JsonLines):
    """A file of JSON lines. One that an earlier run began is continued after its last complete row.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    OutputError
        If it exists and holds something else, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = require_writable(path)
        self._about: dict[str, Any] = {}  # of the latest rows in the file
        self._end = 0  # byte after the last complete row
        self._pending = ""
        self._file: IO[str] | None = None
        self._lock: Lock | None = None
        if self.path.exists():
            with self._errors_named():
                self._lock = Lock(self.path)
                with self.path.open("rb") as file:
                    head = file.read(len(_BEGINNING))
            if head != _BEGINNING[: len(head)]:
                raise foreign(self.path, "its first line is not the provenance of a result")

    def earlier(self) -> Iterator[Columns]:
        """Yield the complete rows of an earlier run, as columns.

        Raises
        ------
        OutputError
            If a line is not a row of a result.
        """
        if not self.path.exists():
            return
        rows: list[dict[str, Any]] = []
        with self._errors_named(), self.path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):  # the run was killed while it wrote this line
                    break
                try:
                    record = json.loads(line)
                    if "about" in record:
                        self._about = dict(record["about"])
                    elif not record["complete"]:  # these are written again when they are complete
                        break
                    else:
                        rows.append(record)
                    if rows and (len(rows) == BLOCK_LINES or "about" in record):
                        yield _columns(rows)
                        rows = []
                except (ValueError, TypeError, KeyError) as error:
                    raise foreign(self.path, f"line {number} is not a row of a result") from error
                self._end += len(line)
        if rows:
            yield _columns(rows)

    def begin(self, about: Mapping[str, Any], schema: ResultSchema) -> None:
        """Take the provenance of the rows that follow.

        Raises
        ------
        OutputError
            If the file was written from another scan, or with another model or other settings.
        """
        self._schema = schema
        line = _about_line(about, schema)
        stated = json.loads(line)["about"]
        if self._about and self._file is None:
            require_same(self.path, self._about, stated)
        if stated != self._about:
            self._pending, self._about = line, stated
        if not self._end:  # a new file; one of an earlier run is changed when there is a row for it
            self._write("")

    def _write(self, lines: str) -> None:
        with self._errors_named():
            if self._file is None:
                guard.keeping(self.path)
                self._file = self.path.open("r+" if self.path.exists() else "x", encoding="utf-8", newline="\n")
                self._file.truncate(self._end)
                self._file.seek(self._end)
                self._lock = self._lock or Lock(self.path)
            self._file.write(self._pending + lines)
            self._file.flush()
            self._pending = ""

    def close(self, complete: bool) -> None:
        """Close the file."""
        if self._file is not None:
            with self._errors_named():
                self._file.close()
        if self._lock is not None:
            self._lock.release()

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self._file is not None:
                with suppress(OSError):
                    self._file.close()
            raise OutputError(f"cannot write {self.path}: {error.strerror or error}", self.path) from error


def _about_line(about: Mapping[str, Any], schema: ResultSchema) -> str:
    stated = {**about, "features": schema.features.names}
    if categories := {column.name: column.categories for column in schema.columns if column.categories}:
        stated["categories"] = categories
    return json.dumps({"about": stated}) + "\n"


def _columns(rows: list[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    """Return what tells the rows of a block apart."""
    columns: dict[str, NDArray[Any]] = {
        part: np.array([str(row.get(part, "")) for row in rows], np.str_) for part in ADDRESS_MEANINGS
    }
    columns["depth"] = np.array([np.nan if row["depth"] is None else row["depth"] for row in rows], np.float64)
    columns["file"] = np.array([row["file"] for row in rows], np.uint32)
    firsts = [np.nan if row["embedding"] is None else row["embedding"][0] for row in rows]
    columns["embeddings"] = np.array(firsts, np.float32)[:, None]
    return columns


def _plain(values: NDArray[Any], column: ResultColumn) -> list[Any]:
    """Return values that JSON can hold, names for codes; None for what is missing: a number, a name, all of a row."""
    if column.categories:
        names = np.array([*column.categories, None], object)
        return list(names[np.minimum(values, len(column.categories))].tolist())
    if values.dtype.kind != "f":
        return [bool(value) for value in values] if column.name == "complete" else values.tolist()
    if column.width is None:
        return [float(value) if np.isfinite(value) else None for value in values]
    # as few digits as distinguish a float32 from its neighbours
    return [
        None if np.isnan(row).all() else [float(str(value)) if np.isfinite(value) else None for value in row]
        for row in values
    ]


def read(path: Path) -> Stored:
    """Return what JSON lines hold, up to the last whole line."""
    about: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):  # the run was killed while it wrote this line
                break
            record = json.loads(line)
            if not isinstance(record, dict) or (number == 1 and "about" not in record):
                raise ValueError(f"line {number} is not a row of a result")
            if "about" in record:
                about |= dict(record["about"])
            else:
                rows.append(record)
    features = tuple(map(str, about.pop("features", ())))
    categories = {name: tuple(map(str, each)) for name, each in dict(about.pop("categories", {})).items()}
    names = dict.fromkeys(name for row in rows for name in row)
    columns: dict[str, Callable[[], NDArray[Any]]] = {}
    for name in names:
        values = _column([row.get(name) for row in rows], name, features, categories.get(name))
        columns[{"embedding": "embeddings"}.get(name, name)] = partial(np.asarray, values)
    return Stored(len(rows), columns, features, categories, about)


def _column(
    values: list[Any], name: str, features: tuple[str, ...], categories: tuple[str, ...] | None
) -> NDArray[Any]:
    """Return the values of a column; None stands for a missing number or name, or a row of them."""
    if name in TEXTS:
        return np.array(["" if value is None else str(value) for value in values], np.str_)
    dtype = type_of(name, len(features)) if categories is None else np.min_scalar_type(len(categories))
    code_of = {text: code for code, text in enumerate(categories or ())}
    blank = np.nan if dtype.kind == "f" else 0 if categories is None else np.iinfo(dtype).max

    def plain(value: Any) -> Any:
        return blank if value is None else value if categories is None else code_of[value]

    width = next((len(value) for value in values if isinstance(value, list)), None)
    if width is None:
        return np.array([plain(value) for value in values], dtype)
    found = [[blank] * width if value is None else [plain(each) for each in value] for value in values]
    return np.array(found, dtype).reshape(-1, width)
