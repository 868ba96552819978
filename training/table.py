"""The training table: one row per 20 cm bin of a hole, six features and a principal lithology."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lithovae.runtime.errors import TableError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.missing import without_sentinels
from lithovae.runtime.outputs.whole_file import whole_file

HOLE, DEPTH, LITHOLOGY = "Borehole_ID", "Depth_Bin", "Principal"
COLUMNS = (HOLE, DEPTH, FEATURE_NAMES[0], LITHOLOGY, *FEATURE_NAMES[1:])
"""The nine columns of the published table, in its order."""
HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf")


@dataclass(frozen=True)
class TrainingTable:
    """Core measurements at common depths, with their lithology.

    Attributes
    ----------
    hole : ndarray of shape (n,), str
        Hole, such as ``346-U1422-A``.
    depth : ndarray of shape (n,), float64
        Depth CSF-A of the bin in metres.
    features : ndarray of shape (n, 6), float64
        Raw features in physical units; NaN where one is missing.
    lithology : ndarray of shape (n,), str
        Principal lithology.
    """

    hole: NDArray[np.str_]
    depth: NDArray[np.float64]
    features: NDArray[np.float64]
    lithology: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.depth)

    @property
    def classes(self) -> tuple[str, ...]:
        """The lithologies that occur, sorted: the order of a classifier's outputs."""
        return tuple(np.unique(self.lithology).tolist())

    @property
    def labels(self) -> NDArray[np.int64]:
        """Position of each row's lithology in `classes`; shape (n,)."""
        return np.searchsorted(np.array(self.classes), self.lithology).astype(np.int64)

    def digest(self) -> str:
        """SHA-256 of the content: the same rows in the same order give the same digest, from whatever file."""
        sha = hashlib.sha256()
        for text in (self.hole, self.lithology):
            sha.update("\n".join(text.tolist()).encode())
        for numbers in (self.depth, self.features):
            sha.update(np.ascontiguousarray(numbers, "<f8").tobytes())
        return sha.hexdigest()

    @classmethod
    def read(cls, path: str | Path) -> TrainingTable:
        """Read a table from CSV, or from HDF5 with one dataset per column at its root.

        Raises
        ------
        TableError
            If the file is absent or unreadable, a column is missing or does not hold numbers, a row lacks its hole,
            depth or lithology, or there is no row.
        """
        path = Path(path)
        if not path.is_file():
            raise TableError(f"no such training table: {path}", path)
        try:
            columns = _read_hdf5(path) if path.suffix.lower() in HDF5_SUFFIXES else _read_csv(path)
        except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise TableError(f"{path} cannot be read as a table: {error}", path) from error
        absent = [name for name in COLUMNS if name not in columns]
        if absent:
            raise TableError(f"{path} lacks the column {', '.join(map(repr, absent))}; it needs {list(COLUMNS)}", path)
        lengths = {name: len(columns[name]) for name in COLUMNS}
        if len(set(lengths.values())) > 1:
            raise TableError(f"{path}: the columns differ in length: {lengths}", path)
        numbers: dict[str, NDArray[np.float64]] = {}
        for name in (DEPTH, *FEATURE_NAMES):
            try:
                if columns[name].dtype.kind not in "iufO":
                    raise ValueError(f"its type is {columns[name].dtype}")
                numbers[name] = without_sentinels(np.asarray(columns[name], np.float64))
            except ValueError as error:
                raise TableError(f"{path}: column {name!r} does not hold numbers: {error}", path) from error
        table = cls(
            hole=np.asarray(columns[HOLE], np.str_),
            depth=numbers[DEPTH],
            features=np.stack([numbers[name] for name in FEATURE_NAMES], axis=1),
            lithology=np.asarray(columns[LITHOLOGY], np.str_),
        )
        if not len(table):
            raise TableError(f"{path} has no rows", path)
        homeless = _count_blank(table.hole)
        if homeless or np.isnan(table.depth).any():
            raise TableError(
                f"{path}: {homeless} rows have no {HOLE!r}, {np.isnan(table.depth).sum()} no {DEPTH!r}", path
            )
        unnamed = _count_blank(table.lithology)
        if unnamed:
            raise TableError(f"{path}: {unnamed} rows have no {LITHOLOGY!r}; remove them or fill it in", path)
        return table

    def write(self, path: str | Path) -> None:
        """Write the table as CSV or HDF5, by the suffix; the file appears when it is complete.

        Raises
        ------
        TableError
            If the suffix is of neither format.
        """
        path = Path(path)
        if path.suffix.lower() not in (".csv", *HDF5_SUFFIXES):
            raise TableError(f"{path}: the name of a table must end in .csv, {', '.join(HDF5_SUFFIXES)}", path)
        columns: dict[str, NDArray[np.generic]] = {
            HOLE: self.hole,
            DEPTH: self.depth,
            FEATURE_NAMES[0]: self.features[:, 0],
            LITHOLOGY: self.lithology,
        } | {name: self.features[:, i] for i, name in enumerate(FEATURE_NAMES) if i}
        with whole_file(path) as whole:
            if path.suffix.lower() not in HDF5_SUFFIXES:
                pd.DataFrame(columns).to_csv(whole, index=False)
                return
            with h5py.File(whole, "w") as file:
                for name, values in columns.items():
                    file[name] = values.astype(object) if values.dtype.kind == "U" else values


def _count_blank(texts: NDArray[np.str_]) -> int:
    return int(np.isin(texts, ["", "nan", "None"]).sum())


def _read_csv(path: Path) -> dict[str, NDArray[np.generic]]:
    text = dict.fromkeys((HOLE, LITHOLOGY), str)
    frame = pd.read_csv(path, dtype=text)
    return {str(name): frame[name].to_numpy() for name in frame}


def _read_hdf5(path: Path) -> dict[str, NDArray[np.generic]]:
    with h5py.File(path) as file:
        columns = {name: file[name] for name in COLUMNS if name in file}
        odd = [name for name, node in columns.items() if not isinstance(node, h5py.Dataset) or node.ndim != 1]
        if odd:
            raise TableError(f"{path}: {odd[0]!r} is not a 1-D dataset", path)
        return {
            name: dataset.asstr()[()] if h5py.check_string_dtype(dataset.dtype) else dataset[()]
            for name, dataset in columns.items()
        }
