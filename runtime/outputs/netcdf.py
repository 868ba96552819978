"""Writes a result as HDF5 or netCDF-4, which is HDF5: a profile by the CF conventions, and a scan that can be read."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import OutputError
from lithovae.runtime.log import FLAGS
from lithovae.runtime.result import SIMULATED, Columns, ResultColumn, ResultSchema

from .hdf5 import Hdf5Writer
from .one_value import has_one_value
from .stored import TEXTS, Stored, about_of, require_plausible_size
from .whole_file import whole_file

CONVENTIONS = "CF-1.11"
CHUNK_ROWS = 1 << 14
CHUNK_BYTES = 1 << 20
"""Most bytes of a chunk: HDF5 keeps as many of each dataset in memory until the chunk is full."""
ROW = "row"
"""Dimension of the rows, unless their depths increase from row to row: then it is ``depth``."""
BARE_DIMENSION = "This is a netCDF dimension but not a netCDF variable. %10d"
BITS = {"missing", "implausible"}
COMPRESSED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
"""For what costs little: depths, counts, bits, codes and texts. Of embeddings it would save a tenth, and take ten times
as long as writing."""


@contextmanager
def open_whole(
    path: Path, schema: ResultSchema, n_rows: int, *, fewer: bool, is_netcdf: bool = False
) -> Iterator[NetcdfWriter]:
    """Open an HDF5 file for the rows of a result; see `lithovae.runtime.outputs.writer.WholeFormat`.

    Parameters
    ----------
    path, schema, n_rows, fewer
        As of `WholeFormat`.
    is_netcdf : bool
        Whether texts are of variable length, as netCDF's are; else they have a fixed length, which is much faster.

    Raises
    ------
    OutputError
        If two columns would have the same name, or if the file cannot be written.
    """
    names = _dataset_names(path, schema)
    with whole_file(path) as file:
        try:
            opened = h5py.File(file.name, "w", locking=False, track_order=True)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error}", path) from error
        writer = NetcdfWriter(path, opened, schema, n_rows, names, fewer=fewer, is_netcdf=is_netcdf)
        try:
            yield writer
            writer.finish()
        finally:
            writer.close()


open_netcdf = partial(open_whole, is_netcdf=True)


def _dataset_names(path: Path, schema: ResultSchema) -> dict[str, str]:
    """Return the name of the dataset of each feature: its own, but for slashes, which would make groups."""
    names = {name: name.replace("/", "_").strip() for name in schema.features.names}
    others = [column.name for column in schema.columns] + [column.along for column in schema.columns if column.along]
    counts = Counter([*names.values(), *set(others), ROW])
    for name, dataset in names.items():
        if counts[dataset] > 1 or not dataset.strip("."):
            raise OutputError(
                f"{path}: a dataset cannot have the name of the feature {name}, which something else has: write .npz "
                "or .parquet",
                path,
            )
    return names


class NetcdfWriter(Hdf5Writer):
    """Writes blocks of rows to the datasets of an HDF5 file.

    Text that is the same in all rows becomes an attribute of the file.

    Parameters
    ----------
    path : Path
        The final name of the file, for errors.
    file : h5py.File
        The file.
    schema : ResultSchema
        The columns. ``values`` become a dataset for each feature.
    n_rows : int
        Number of rows.
    names : mapping of str to str
        Name of the dataset of each feature.
    fewer : bool
        Whether there may be fewer rows.
    is_netcdf : bool
        Whether texts are of variable length.
    """

    def __init__(
        self,
        path: Path,
        file: Any,
        schema: ResultSchema,
        n_rows: int,
        names: Mapping[str, str],
        *,
        fewer: bool,
        is_netcdf: bool,
    ) -> None:
        self.path, self._file, self._schema, self._names = path, file, schema, names
        self._n_rows, self._n, self._fewer, self._is_netcdf = n_rows, 0, fewer or not n_rows, is_netcdf
        self._datasets: dict[str, Any] = {}
        self._scales: list[Any] = []
        self._along: dict[str, str] = {}
        self._constants: dict[str, str | None] = {
            column.name: None for column in schema.columns if column.dtype.kind == "U" and column.width is None
        }
        self._last_depth, self._increases = -np.inf, True
        with self._errors_named():
            for column in schema.columns:
                if column.name == "values":
                    for feature in schema.features:
                        self._create(names[feature.name], column.dtype, None, feature.unit, feature.name)
                elif column.name not in self._constants:
                    self._describe(self._create_column(column), column)

    def _create_column(self, column: ResultColumn) -> Any:
        if column.along:
            self._along[column.name] = column.along
        return self._create(column.name, column.dtype, column.width, column.unit, column.meaning)

    def _create(self, name: str, dtype: np.dtype[Any], width: int | None, unit: str, meaning: str) -> Any:
        shape = (self._n_rows,) if width is None else (self._n_rows, width)
        stored: Any = dtype
        if dtype.kind == "U":
            stored = h5py.string_dtype("utf-8", None if self._is_netcdf else max(4, dtype.itemsize))
        most = max(1, min(CHUNK_ROWS, CHUNK_BYTES // max(1, dtype.itemsize * (width or 1))))
        chunk = -(-self._n_rows // max(1, -(-self._n_rows // most)))  # all of one length: the last is stored in full
        dataset = self._datasets[name] = self._file.create_dataset(
            name,
            shape,
            stored,
            maxshape=(None, *shape[1:]) if self._fewer else None,
            chunks=(max(1, chunk), *shape[1:]),
            track_times=False,
            **({} if dtype == np.float32 else COMPRESSED),
        )
        if unit:
            dataset.attrs["units"] = unit
        dataset.attrs["long_name"] = meaning
        if dtype == np.float32:
            dataset.attrs["_FillValue"] = np.float32(np.nan)
        return dataset

    def _describe(self, dataset: Any, column: ResultColumn) -> None:
        """Add what other programs know a column by."""
        attributes, features = dataset.attrs, self._schema.features.names
        if column.width is not None:
            attributes["columns"] = list(column.headings)
        if column.name == "depth":
            attributes.update({"standard_name": "depth", "positive": "down", "axis": "Z"})
        if column.categories:
            attributes["_FillValue"] = column.dtype.type(column.no_category)
            attributes["flag_values"] = np.arange(len(column.categories), dtype=column.dtype)
            attributes["flag_meanings"] = _words(column.categories)
            attributes["names"] = list(column.categories)
        elif column.name in BITS or column.name == "flags":
            meanings = features if column.name in BITS else FLAGS
            attributes["flag_masks"] = np.array([1 << i for i in range(len(meanings))], column.dtype)
            attributes["flag_meanings"] = _words(meanings)

    def pack(self, blocks: Columns) -> dict[str, NDArray[Any]]:
        """Prepare a block of rows for writing. Any thread may call this, in any order."""
        packed: dict[str, NDArray[Any]] = {}
        for column in self._schema.columns:
            values = blocks[column.name]
            if column.name == "values":
                packed |= zip(self._names.values(), np.ascontiguousarray(values.T, np.float32), strict=True)
            elif column.name in self._constants and has_one_value(values):
                packed[column.name] = np.broadcast_to(values[0], len(values))
            else:
                packed[column.name] = np.ascontiguousarray(values, column.dtype)
        return packed

    def write(self, packed: Mapping[str, NDArray[Any]]) -> None:
        """Append a prepared block."""
        n = len(next(iter(packed.values())))
        if not n:
            return
        rows = slice(self._n, self._n + n)
        with self._errors_named():
            for name, values in packed.items():
                if name not in self._constants:
                    self._datasets[name][rows] = values
                elif not self._is_constant(name, values):
                    dataset = self._datasets[name]
                    dataset[rows] = self._encoded(values, dataset.dtype)
            if (depth := packed.get("depth")) is not None and self._increases:
                increases = depth[0] > self._last_depth and np.all(depth[1:] > depth[:-1])
                self._increases, self._last_depth = bool(increases), depth[-1]
        self._n += n

    def _is_constant(self, name: str, texts: NDArray[Any]) -> bool:
        """Return whether a text column has had one value so far; if not, it has a dataset from here on."""
        if name in self._datasets:
            return False
        constant = self._constants[name]
        if has_one_value(texts) and constant in (None, texts[0]):
            self._constants[name] = str(texts[0])
            return True
        dataset = self._create_column(next(column for column in self._schema.columns if column.name == name))
        for start in range(0, self._n if constant is not None else 0, CHUNK_ROWS):
            stop = min(start + CHUNK_ROWS, self._n)
            dataset[start:stop] = self._encoded(np.broadcast_to(np.array(constant), stop - start), dataset.dtype)
        return False

    def _encoded(self, texts: NDArray[Any], dtype: Any) -> NDArray[Any]:
        """Return texts as h5py writes them: each run of equal ones is encoded once."""
        starts = np.flatnonzero(np.append(True, texts[1:] != texts[:-1])) if texts.strides[0] else np.zeros(1, np.intp)
        found = [text if self._is_netcdf else text.encode() for text in texts[starts].tolist()]
        return np.repeat(np.array(found, dtype), np.diff(starts, append=len(texts)))

    def state(self, about: Mapping[str, Any]) -> None:
        """Set the provenance of the result."""
        with self._errors_named():
            self._file.attrs["about"] = json.dumps(about, ensure_ascii=False)
            if about.get("simulated"):
                self._file.attrs[SIMULATED] = about["simulated"]

    def finish(self) -> None:
        """Add what is known now that all rows are there: texts that did not vary, and the dimensions."""
        with self._errors_named():
            for name in self._constants.keys() - self._datasets.keys() if self._n == 0 else ():
                self._create_column(next(column for column in self._schema.columns if column.name == name))
            if self._n < self._n_rows:
                for dataset in self._datasets.values():
                    dataset.resize(self._n, axis=0)
            attributes = self._file.attrs
            attributes["Conventions"] = CONVENTIONS
            attributes["features"] = list(self._schema.features.names)
            for name, text in self._constants.items():
                if name not in self._datasets and text is not None:
                    attributes[name] = text
            if warning := self._constants.get("lithology_warning"):
                for name in self._datasets.keys() & {"lithologies", "group"}:
                    self._datasets[name].attrs["comment"] = warning
            self._add_dimensions()

    def _add_dimensions(self) -> None:
        depth = self._datasets.get("depth") if self._increases and self._n else None
        sizes = {along: self._datasets[name].shape[1] for name, along in self._along.items() if along}
        scales: dict[str, Any] = {"depth": depth} if depth is not None else {ROW: self._bare(ROW, self._n)}
        for along, size in sizes.items():
            labels = self._schema.features.names if along == "feature" else None
            if labels is None:
                scales[along] = self._bare(along, size)
            else:
                scales[along] = self._file.create_dataset(along, data=list(labels), dtype=h5py.string_dtype())
                self._scales.append(scales[along])
        for number, (name, scale) in enumerate(scales.items()):
            if "NAME" not in scale.attrs:
                scale.make_scale(name)
            scale.attrs["_Netcdf4Dimid"] = np.int32(number)
        beside = [name for name in ("depth", *self._constants) if name in self._datasets and name not in scales]
        numbers = {name: number for number, name in enumerate(scales)}
        for name, dataset in self._datasets.items():
            if name in scales:
                continue
            dimensions = [next(iter(scales)), *([self._along[name]] if name in self._along else [])]
            for axis, dimension in enumerate(dimensions):
                dataset.dims[axis].attach_scale(scales[dimension])
            dataset.attrs["_Netcdf4Coordinates"] = np.array([numbers[each] for each in dimensions], np.int32)
            if beside and name not in beside:
                dataset.attrs["coordinates"] = " ".join(beside)

    def _bare(self, name: str, size: int) -> Any:
        """Create a dimension without values."""
        scale = self._file.create_dataset(
            name, (size,), ">f4", maxshape=(None,) if self._fewer and name == ROW else None, track_times=False,
            chunks=(CHUNK_ROWS,) if self._fewer and name == ROW else None,
        )  # fmt: skip
        self._scales.append(scale)
        scale.make_scale(BARE_DIMENSION % size)
        return scale

    def close(self) -> None:
        """Close the file. Raises `OutputError`."""
        if self._file is not None:
            with self._errors_named():
                self._file.close()


def _words(names: Sequence[str]) -> str:
    """Return names as CF lists them: one word each, of letters, digits and a few signs."""
    return " ".join(re.sub(r"[^\w.+@-]+", "_", name).strip("_") or "_" for name in names)


def read(path: Path) -> Stored:
    """Return what an HDF5 file of `open_whole`, or of `lithovae follow`, holds; columns are read when they are used."""
    with _opened(path) as file:
        if "features" not in file.attrs:
            raise ValueError("it has no attribute 'features'")
        features = tuple(map(str, file.attrs["features"]))
        found = {
            name: file[name]
            for name in file
            if isinstance(file.get(name, getlink=True), h5py.HardLink) and isinstance(file[name], h5py.Dataset)
        }
        rows = {name: each for name, each in found.items() if each.ndim in (1, 2) and not _is_dimension(name, each)}
        for dataset in rows.values():
            if dataset.is_virtual or dataset.external:
                raise ValueError(f"{dataset.name} is kept in other files")
            require_plausible_size(path, dataset.size * dataset.dtype.itemsize)
        n_rows = min((len(dataset) for dataset in rows.values()), default=0)  # a killed run leaves different lengths
        constants = {name: str(file.attrs[name]) for name in sorted(TEXTS) if name in file.attrs and name not in rows}
        categories = {
            name: tuple(map(str, each.attrs["names"])) for name, each in rows.items() if "names" in each.attrs
        }
        about = about_of(str(file.attrs["about"])) if "about" in file.attrs else {}
    parts = [name.replace("/", "_").strip() for name in features]
    has_values = bool(parts) and rows.keys() >= set(parts)

    def load(name: str) -> NDArray[Any]:
        with _opened(path) as file:
            dataset = file[name]
            values = dataset[:n_rows] if dataset.dtype.kind not in "SO" else dataset.asstr()[:n_rows].astype(np.str_)
            return np.asarray(values)

    def load_values() -> NDArray[Any]:
        return np.stack([load(part) for part in parts], axis=1)

    columns: dict[str, Callable[[], NDArray[Any]]] = {
        name: partial(load, name) for name in rows if not (has_values and name in parts)
    }
    columns |= {"values": load_values} if has_values else {}
    columns |= {name: partial(np.array, text) for name, text in constants.items()}
    return Stored(n_rows, columns, features, categories, about)


def _is_dimension(name: str, dataset: Any) -> bool:
    return name != "depth" and dataset.attrs.get("CLASS", b"") in (b"DIMENSION_SCALE", "DIMENSION_SCALE")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file for reading, also one that is growing."""
    try:
        file = h5py.File(path, "r", locking=False)
    except OSError:
        file = h5py.File(path, "r", swmr=True, locking=False)
    with file:
        yield file
