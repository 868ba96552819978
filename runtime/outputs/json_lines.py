"""Writes a result as JSON lines, each as soon as its row is finished."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.result import Columns, ResultColumn, ResultSchema


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

    def begin(self, about: Mapping[str, Any], schema: ResultSchema) -> None:
        """Write the line with the provenance of the rows."""
        self._schema = schema
        self._stream.write(json.dumps({"about": {**about, "features": schema.features}}) + "\n")
        self._stream.flush()

    def write(self, rows: Columns) -> None:
        """Write a line for each row."""
        present = [column for column in self._schema.columns if column.name in rows]
        values = {column.name_in_row: _plain(rows[column.name], column) for column in present}
        for row in zip(*values.values(), strict=True):
            self._stream.write(json.dumps(dict(zip(values, row, strict=True)), allow_nan=False) + "\n")
        self._stream.flush()

    def close(self, complete: bool) -> None:
        """Do nothing; the stream stays open."""


def _plain(values: NDArray[Any], column: ResultColumn) -> list[Any]:
    """Return values that JSON can hold; None for a missing number or row of numbers."""
    if values.dtype.kind != "f":
        return [bool(value) for value in values] if column.name == "complete" else values.tolist()
    if column.width is None:
        return [float(value) if np.isfinite(value) else None for value in values]
    # as few digits as distinguish a float32 from its neighbours
    return [None if np.isnan(row).any() else [float(str(value)) for value in row] for row in values]
