"""Writes a result as Parquet (extra ``tables``: pyarrow): one column a value, null where it is missing."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import OutputError
from lithovae.runtime.process.heartbeat import advanced
from lithovae.runtime.result import Columns, ResultColumn, ResultSchema

from .one_value import has_one_value
from .stored import TEXTS, Stored, about_of, column_of, feature_of, require_plausible_size, type_of
from .whole_file import whole_file

GROUP_ROWS = 1 << 17
"""Least number of rows of a row group, but for the last."""
PAGE_BYTES = 4 * GROUP_ROWS
"""A page has the numbers of one type of a row group. Byte-stream-split puts the bytes of equal weight together; with
pages of this size, each such stream fills a block of Zstandard, and has codes of its own."""


def require_arrow(path: Path) -> None:
    """Check that pyarrow is installed, without importing it: it takes memory, which a run limits first.

    Raises
    ------
    OutputError
        If it is not installed.
    """
    if find_spec("pyarrow") is None:
        raise OutputError(
            f"{path}: Parquet needs pyarrow: pip install 'lithovae[tables]', or choose a name that ends in .csv", path
        )


@contextmanager
def open_whole(path: Path, schema: ResultSchema, n_rows: int, *, fewer: bool) -> Iterator[ParquetWriter]:
    """Open a Parquet file for the rows of a result; see `lithovae.runtime.outputs.writer.WholeFormat`.

    Raises
    ------
    OutputError
        If pyarrow is not installed.
    """
    require_arrow(path)
    import pyarrow.parquet

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
        coded = [column for column in schema.columns if column.categories]
        self._categories = {column.name: arrow.array(column.categories, arrow.string()) for column in coded}
        fields = [(heading, self._type(column)) for column in schema.columns for heading in column.headings]
        stated = {"features": schema.features.names, "categories": {column.name: column.categories for column in coded}}
        self._schema = arrow.schema(
            fields, {key: json.dumps(value, ensure_ascii=False) for key, value in stated.items()}
        )
        is_float = {heading: column.dtype.kind == "f" for column in schema.columns for heading in column.headings}
        options: dict[str, Any] = {"max_rows_per_page": GROUP_ROWS}
        if "max_rows_per_page" not in inspect.signature(arrow.parquet.ParquetWriter.__init__).parameters:
            options = {}  # older versions have no limit to raise
        self._writer = arrow.parquet.ParquetWriter(
            file,
            self._schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[heading for heading, yes in is_float.items() if not yes],
            column_encoding={heading: "BYTE_STREAM_SPLIT" for heading, yes in is_float.items() if yes},
            write_statistics=[
                heading for column in schema.columns if column.width is None for heading in column.headings
            ],
            data_page_size=PAGE_BYTES,
            **options,
        )
        self._waiting: list[Any] = []

    def _type(self, column: ResultColumn) -> Any:
        arrow = self._arrow
        if column.categories:
            code = arrow.int32() if column.no_category > 255 else arrow.int16()  # pandas takes no unsigned codes
            return arrow.dictionary(code, arrow.string())
        return arrow.string() if column.dtype.kind == "U" else arrow.from_numpy_dtype(column.dtype)

    def pack(self, blocks: Columns) -> Any:
        """Convert a block of rows. Any thread may call this, in any order."""
        arrays = [array for column in self._columns for array in self._arrays(blocks[column.name], column)]
        return self._arrow.record_batch(arrays, schema=self._schema)

    def _arrays(self, values: NDArray[Any], column: ResultColumn) -> Iterator[Any]:
        arrow, has_all = self._arrow, values.dtype.kind == "f" and bool(np.isfinite(values).all())
        for part in [values] if values.ndim == 1 else values.T:
            if column.dtype.kind == "U":
                yield self._texts(part)
            elif column.categories:
                codes = arrow.array(part, self._type(column).index_type, mask=part == column.no_category)
                yield arrow.DictionaryArray.from_arrays(codes, self._categories[column.name])
            else:
                contiguous = np.ascontiguousarray(part, column.dtype)
                mask = None if has_all or part.dtype.kind != "f" else ~np.isfinite(contiguous)
                yield arrow.array(contiguous, arrow.from_numpy_dtype(column.dtype), mask=mask)

    def _texts(self, texts: NDArray[Any]) -> Any:
        """Convert texts, each run of equal ones at once."""
        arrow, n = self._arrow, len(texts)
        starts = np.zeros(min(n, 1), np.intp)
        if not has_one_value(texts) and n:
            starts = np.flatnonzero(np.append(True, texts[1:] != texts[:-1]))
        found = texts[starts]
        runs = np.repeat(np.arange(len(starts), dtype=np.int32), np.diff(starts, append=n))
        return arrow.array(found.tolist(), arrow.string(), mask=found == "").take(arrow.array(runs))

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


def read(path: Path) -> Stored:
    """Return what a Parquet file holds; its columns are read when they are used.

    Raises
    ------
    OutputError
        If pyarrow is not installed.
    """
    require_arrow(path)
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            schema, n_rows, stated = file.schema_arrow, file.metadata.num_rows, file.metadata.metadata or {}
            groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    except pyarrow.ArrowException as error:
        raise ValueError(str(error)) from error
    require_plausible_size(path, sum(group.total_byte_size for group in groups))
    features = tuple(json.loads(stated.get(b"features", b"[]")))
    categories = {name: tuple(names) for name, names in json.loads(stated.get(b"categories", b"{}")).items()}
    places: dict[str, list[str]] = {}
    for heading in schema.names:
        places.setdefault(column_of(heading, features), []).append(heading)

    def load(name: str) -> NDArray[Any]:
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                table = file.read(places[name])
            parts = [_numpy(table[heading].combine_chunks(), name, categories) for heading in places[name]]
        except pyarrow.ArrowException as error:
            raise ValueError(str(error)) from error
        is_1d = name == "depth" or places[name] == [name]
        return parts[0] if is_1d else np.stack(parts, axis=1)

    def _numpy(values: Any, name: str, categories: Mapping[str, tuple[str, ...]]) -> NDArray[Any]:
        if name in TEXTS:
            return np.array(values.cast(pyarrow.string()).fill_null("").to_pylist(), np.str_)
        if name not in categories:
            found = values.to_numpy(zero_copy_only=False)
            return np.asarray(found if found.dtype.kind == "f" else found.astype(type_of(name, len(features))))
        dtype = np.min_scalar_type(len(categories[name]))
        codes = values.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        code_of = {text: code for code, text in enumerate(categories[name])}
        own = np.array([*(code_of[text] for text in values.dictionary.to_pylist()), np.iinfo(dtype).max], dtype)
        return np.asarray(own[codes])

    return Stored(
        n_rows,
        {name: partial(load, name) for name in places},
        features or tuple(map(feature_of, places.get("values", ()))),
        categories,
        about_of(stated[b"about"].decode()) if b"about" in stated else {},
    )
