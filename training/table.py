"""The training table: one row per 20 cm bin of a hole, its features and a principal lithology."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lithovae.runtime.errors import DAMAGE, ScanError, TableError, reason_of
from lithovae.runtime.features import FEATURE_NAMES, LILY, FeatureSet
from lithovae.runtime.findings import Findings
from lithovae.runtime.formats.column import Column
from lithovae.runtime.formats.file import File
from lithovae.runtime.formats.open import open_file
from lithovae.runtime.missing import without_sentinels
from lithovae.runtime.outputs.whole_file import whole_file
from lithovae.runtime.result import SIMULATED
from lithovae.runtime.scan.simulated import simulated_seed

HOLE, DEPTH, LITHOLOGY = "Borehole_ID", "Depth_Bin", "Principal"
COLUMNS = (HOLE, DEPTH, FEATURE_NAMES[0], LITHOLOGY, *FEATURE_NAMES[1:])
"""The nine columns of the published table, in its order."""
HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf")
NO_LABEL = ("", "nan", "None")
"""Texts that stand for no lithology."""


@dataclass(frozen=True)
class TrainingTable:
    """Core measurements at common depths, with their lithology.

    Attributes
    ----------
    hole : ndarray of shape (n,), str
        Hole, such as ``346-U1422-A``.
    depth : ndarray of shape (n,), float64
        Depth CSF-A of the bin in metres.
    features : ndarray of shape (n, k), float64
        Raw features in physical units; NaN where one is missing.
    lithology : ndarray of shape (n,), str
        Principal lithology; empty for a row without one.
    feature_set : FeatureSet
        What the features are.
    simulated : str
        The simulator's seed, such as ``seed 42``; empty for measured rows.
    """

    hole: NDArray[np.str_]
    depth: NDArray[np.float64]
    features: NDArray[np.float64]
    lithology: NDArray[np.str_]
    feature_set: FeatureSet = LILY
    simulated: str = ""

    def __len__(self) -> int:
        return len(self.depth)

    @property
    def classes(self) -> tuple[str, ...]:
        """The lithologies that occur, sorted: the order of a classifier's outputs."""
        return tuple(name for name in np.unique(self.lithology).tolist() if name)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Position of each row's lithology in `classes`, -1 for a row without one; shape (n,)."""
        return self.labels_in(self.classes)

    def labels_in(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the position of each row's lithology in some classes, -1 for a row without one; shape (n,)."""
        number = {"": -1} | {name: i for i, name in enumerate(classes)}
        names, rows = np.unique(self.lithology, return_inverse=True)
        return np.array([number[name] for name in names.tolist()], np.int64)[rows]

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Which values were measured and are in the domain of the scaler's transform; shape (n, k)."""
        with np.errstate(over="ignore"):
            finite = np.isfinite(self.features.astype(np.float32))
        return np.asarray(finite & ~(self.feature_set.is_log1p & (self.features <= -1)))

    def implausible(self) -> dict[str, str]:
        """Return, by feature, what is wrong where the median is outside the plausible range: it is in another unit."""
        found = {}
        for feature, values, measured in zip(self.feature_set, self.features.T, self.measured.T, strict=True):
            low, high = feature.plausible
            if measured.any() and not low <= (median := float(np.median(values[measured]))) <= high:
                what = f"the median of {feature.name} is {median:g}"
                found[feature.name] = f"{what}, outside {low:g} to {high:g} {feature.unit}"
        return found

    def digest(self) -> str:
        """SHA-256 of the content: the same rows in the same order give the same digest, from whatever file."""
        sha = hashlib.sha256()
        if self.feature_set != LILY:
            sha.update(repr([(feature.name, feature.unit) for feature in self.feature_set]).encode())
        for text in (self.hole, self.lithology):
            sha.update("\n".join(text.tolist()).encode())
        for numbers in (self.depth, self.features):
            sha.update(np.ascontiguousarray(numbers, "<f8").tobytes())
        return sha.hexdigest()

    def take(self, rows: NDArray[np.bool_]) -> TrainingTable:
        """Return the rows where a mask of shape (n,) is true."""
        return replace(
            self,
            hole=self.hole[rows],
            depth=self.depth[rows],
            features=self.features[rows],
            lithology=self.lithology[rows],
        )

    def select(self, feature_set: FeatureSet) -> TrainingTable:
        """Return the table with other features; one that it lacks is missing in all rows."""
        if feature_set == self.feature_set:
            return self
        known = self.feature_set.names
        features = np.full((len(self), len(feature_set)), np.nan)
        for i, name in enumerate(feature_set.names):
            if name in known:
                features[:, i] = self.features[:, known.index(name)]
        return replace(self, features=features, feature_set=feature_set)

    @classmethod
    def read(cls, path: str | Path) -> TrainingTable:
        """Read a table with the columns of the published one, from text or from HDF5 with a dataset per column.

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
            with open_file(path, Findings(path)) as file:
                table = cls.of(file, path, with_lithology=True)
        except (ScanError, *DAMAGE) as error:
            raise unreadable(path, "a table", error) from error
        if unnamed := int(np.count_nonzero(table.lithology == "")):
            raise TableError(f"{path}: {unnamed} rows have no {LITHOLOGY!r}; remove them or fill it in", path)
        return table

    @classmethod
    def of(cls, file: File, path: Path, *, with_lithology: bool = False) -> TrainingTable:
        """Read a table with the columns of the published one from an open file; rows may lack the lithology.

        The column of lithologies may be absent unless ``with_lithology``.

        Raises
        ------
        ScanError, TableError
            As `read`.
        """
        columns = {column.path: column for column in file.columns}
        needed = [name for name in COLUMNS if with_lithology or name in columns or name != LITHOLOGY]
        if absent := [name for name in needed if name not in columns]:
            raise TableError(f"{path} lacks the column {', '.join(map(repr, absent))}; it needs {list(COLUMNS)}", path)
        lengths = {name: columns[name].length for name in needed}
        if len(set(lengths.values())) > 1:
            raise TableError(f"{path}: the columns differ in length: {lengths}", path)
        n = lengths[HOLE]
        if not n:
            raise TableError(f"{path} has no rows", path)
        numbers = {}
        for name in (DEPTH, *FEATURE_NAMES):
            column = columns[name]
            if not column.is_number and not _is_blank(file, column):
                raise TableError(f"{path}: column {name!r} does not hold numbers, but {column.kind}", path)
            numbers[name] = column
        texts = [columns[name] for name in (HOLE, LITHOLOGY) if name in needed]
        if odd := next((column for column in texts if not column.is_label), None):
            raise TableError(f"{path}: column {odd.path!r} does not hold text, but {odd.kind}", path)
        with_numbers = [name for name, column in numbers.items() if column.is_number]
        read = file.read_numbers([columns[name] for name in with_numbers], 0, n)
        values = {
            name: without_sentinels(np.asarray(v, np.float64)) for name, v in zip(with_numbers, read, strict=True)
        }
        blank = np.full(n, np.nan)
        hole, *named = (np.char.strip(each) for each in file.read_texts(texts, 0, n))
        lithology = named[0] if named else np.full(n, "")
        table = cls(
            hole=np.where(np.isin(hole, NO_LABEL), "", hole),
            depth=values.get(DEPTH, blank),
            features=np.stack([values.get(name, blank) for name in FEATURE_NAMES], axis=1),
            lithology=np.where(np.isin(lithology, NO_LABEL), "", lithology),
            simulated=simulated_seed(file),
        )
        homeless, without_depth = np.count_nonzero(table.hole == ""), np.count_nonzero(np.isnan(table.depth))
        if homeless or without_depth:
            raise TableError(f"{path}: {homeless} rows have no {HOLE!r}, {without_depth} no {DEPTH!r}", path)
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
            self.feature_set.names[0]: self.features[:, 0],
            LITHOLOGY: self.lithology,
        } | {name: self.features[:, i] for i, name in enumerate(self.feature_set.names) if i}
        if self.simulated:
            columns[SIMULATED] = np.full(len(self), self.simulated)
        with whole_file(path) as whole:
            if path.suffix.lower() not in HDF5_SUFFIXES:
                pd.DataFrame(columns).to_csv(whole, index=False)
                return
            with h5py.File(whole, "w") as file:
                for name, values in columns.items():
                    file[name] = values.astype(object) if values.dtype.kind == "U" else values


def unreadable(path: Path, what: str, error: Exception) -> TableError:
    """Return the error that a file cannot be read as a table, or as intervals, with the reason of another error."""
    reason = reason_of(error).removeprefix(f"{path} ").removeprefix(f"{path}: ")
    return TableError(f"{path} cannot be read as {what}: {reason}", path)


def _is_blank(file: File, column: Column) -> bool:
    """Return whether a column of text has no text."""
    return column.is_text and bool(np.isin(file.read_texts([column], 0, column.length)[0], NO_LABEL).all())
