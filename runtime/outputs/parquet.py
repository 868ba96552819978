"""Writes a result as Parquet (extra ``tables``: pyarrow): one column a value, null where it is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import OutputError
from lithovae.runtime.process.heartbeat import advanced
from lithovae.runtime.result import Columns, ResultSchema

from .whole_file import whole_file

GROUP_ROWS = 1 << 16
"""Least number of rows of a row group, but for the last."""


@contextmanager
def open_whole(path: Path, schema: ResultSchema, n_rows: int, *, fewer: bool) -> Iterator[ParquetWriter]:
    """Open a Parquet file for the rows of a result; see `lithovae.runtime.outputs.writer.WholeFormat`.

    Raises
    ------
    OutputError
        If pyarrow is not installed.
    """
    try:
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise OutputError(
            f"{path}: writing Parquet needs pyarrow: pip install 'lithovae[tables]', or choose a name that ends in "
            ".csv",
            path,
        ) from error
    with whole_file(path) as file:
        writer = ParquetWriter(file, schema, pyarrow)
        try:
            yield writer
        except BaseException:
            writer.abandon()
            raise
        writer.finish()


class ParquetWriter:
    """Writes blocks of rows as row groups.

    Parameters
    ----------
    file : file
        Receives the table.
    schema : ResultSchema
        The columns.
    arrow : module
        pyarrow.
    """

    def __init__(self, file: Any, schema: ResultSchema, arrow: Any) -> None:
        self._arrow, self._columns = arrow, schema.columns
        fields = [
            (heading, arrow.string() if column.dtype.kind == "U" else arrow.from_numpy_dtype(column.dtype))
            for column in schema.columns
            for heading in column.headings
        ]
        self._schema = arrow.schema(fields)
        self._writer = arrow.parquet.ParquetWriter(file, self._schema)
        self._waiting: list[Any] = []

    def pack(self, blocks: Columns) -> Any:
        """Convert a block of rows. Any thread may call this, in any order."""
        arrays = [
            self._arrow.array(part, field.type, mask=_is_missing(part))
            for part, field in zip(self._parts(blocks), self._schema, strict=True)
        ]
        return self._arrow.record_batch(arrays, schema=self._schema)

    def _parts(self, blocks: Columns) -> Iterator[NDArray[Any]]:
        for column in self._columns:
            values = blocks[column.name]
            yield from [values] if values.ndim == 1 else values.T

    def write(self, packed: Any) -> None:
        """Append a prepared block."""
        self._waiting.append(packed)
        if sum(len(batch) for batch in self._waiting) >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        advanced()
        self._writer.write_table(self._arrow.Table.from_batches(self._waiting, self._schema))
        self._waiting = []

    def state(self, about: Mapping[str, Any]) -> None:
        """Set the provenance: the metadata ``about`` of the file."""
        self._writer.add_key_value_metadata({"about": json.dumps(about, ensure_ascii=False)})

    def finish(self) -> None:
        """Write what is left, and the end of the file."""
        if self._waiting:
            self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Let go of the file, which must be open: pyarrow would write its end later."""
        with suppress(OSError, self._arrow.ArrowException):
            self._writer.close()


def _is_missing(values: NDArray[Any]) -> NDArray[np.bool_] | None:
    if values.dtype.kind == "f":
        return np.asarray(~np.isfinite(values))
    return np.asarray(values == "") if values.dtype.kind == "U" else None
