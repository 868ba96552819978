"""The rows to train on, from scans, folders of scans, and tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from lithovae.runtime.errors import DAMAGE, ScanError, TableError
from lithovae.runtime.features import CATALOGUE, LILY, FeatureSet, Quantity
from lithovae.runtime.findings import Findings
from lithovae.runtime.formats import excel
from lithovae.runtime.formats.open import open_file
from lithovae.runtime.process.progress import Progress
from lithovae.runtime.settings import Settings

from .intervals import Intervals
from .lily import Coverage, is_download, read_lily
from .scans import ScanRows, read_scan
from .table import COLUMNS, LITHOLOGY, TrainingTable

Warn = Callable[[str], None]

PACKED = {
    "zip": (0, b"PK"),
    "xz": (0, b"\xfd7zXZ\x00"),
    "zst": (0, b"\x28\xb5\x2f\xfd"),
    "bz2": (0, b"BZh"),
    "7z": (0, b"7z\xbc\xaf"),
    "rar": (0, b"Rar!"),
    "tar": (257, b"ustar"),
}
"""Where, and with what, packed files begin. gzip is read."""


@dataclass(frozen=True)
class _Read:
    """What was read from one file."""

    path: Path
    rows: ScanRows

    @cached_property
    def with_values(self) -> frozenset[str]:
        """Names of the features that have a value."""
        table = self.rows.table
        some = np.asarray(table.measured.any(axis=0)).tolist()
        return frozenset(name for name, has in zip(table.feature_set.names, some, strict=True) if has)


def read_inputs(
    paths: Sequence[Path],
    *,
    features: FeatureSet | None = None,
    all_features: bool = True,
    intervals: Path | None = None,
    settings: Settings | None = None,
    warn: Warn = lambda message: None,
    report: Callable[[Coverage], object] = lambda coverage: None,
    progress: Progress = lambda items, label, total, size: items,
) -> TrainingTable:
    """Read the rows to train on.

    A table with the nine columns of the published one is taken as it is, and the folder of a LILY download is built
    into that table by the published rules. Any other file is read and binned as the runtime does it.

    Parameters
    ----------
    paths : sequence of Path
        Scans, folders of scans, and tables.
    features : FeatureSet, optional
        The features of the table; by default those of the catalogue that have a value in any of the files, in the
        catalogue's order, or the six of the published table if all of these have.
    all_features : bool
        Whether each of these must have a value in some file.
    intervals : Path, optional
        File of described intervals, which then are the only source of lithologies; see `Intervals`.
    settings : Settings, optional
        Mapping and calibrations for the scans, as of `read_scan`.
    warn : callable, optional
        Called with a note on what was left out or assumed.
    report, progress
        As of `read_lily`.

    Returns
    -------
    TrainingTable
        The rows of all files in their order, each with at least one value.

    Raises
    ------
    TableError, ScanError
        If a path cannot be read; if a feature has no value in any file, or most of its samples are implausible; if
        simulated and measured files are mixed; if the intervals do not fit; or if no row is left.
    """
    described = None if intervals is None else Intervals.read(intervals)
    read = list(_read_all(paths, features, settings, warn, report, progress))
    _require_one_kind(read)
    chosen = features or _features_of(read, warn)
    _require_values(read, chosen, all_features=all_features)
    for each in read:
        for note in each.rows.notes:
            warn(f"{each.path.name}: {note}")
    _note_shared_holes(read, chosen, warn)
    tables = [each.rows.table.select(chosen) for each in read]
    table = replace(
        tables[0],
        hole=np.concatenate([table.hole for table in tables]),
        depth=np.concatenate([table.depth for table in tables]),
        features=np.concatenate([table.features for table in tables]),
        lithology=np.concatenate([table.lithology for table in tables]),
        simulated=", ".join(sorted({table.simulated for table in tables})),
    )
    kept = np.asarray(table.measured.any(axis=1))
    if not kept.all():
        warn(f"{np.count_nonzero(~kept):,} of {len(table):,} rows have no value of these features: left out")
        table = table.take(kept)
    if not len(table):
        raise TableError(f"no row has a value of {', '.join(chosen.names)}")
    if described is not None:
        table, notes = described.label(table)
        for note in (*described.notes, *notes):
            warn(f"{described.path.name}: {note}")
    return table


def _read_all(
    paths: Sequence[Path],
    features: FeatureSet | None,
    settings: Settings | None,
    warn: Warn,
    report: Callable[[Coverage], object],
    progress: Progress,
) -> Iterator[_Read]:
    files = [(path, folder) for given in paths for path, folder in _files(given)]
    places = [path.resolve() for path, _ in files]
    if twice := next((path for i, path in enumerate(places) if path in places[:i]), None):
        raise TableError(f"{twice} is given twice: its rows would count twice", twice)
    stems = [path.stem for path, _ in files]
    n_read = dict.fromkeys((folder for _, folder in files), 0)
    for (path, folder), place in zip(files, places, strict=True):
        name = path.stem if stems.count(path.stem) == 1 else str(place.with_suffix(""))
        try:
            if path.is_dir():
                rows = ScanRows(read_lily(path, report=report, progress=progress))
            else:
                _require_unpacked(path)
                rows = _read(path, features, settings, name)
        except (ScanError, TableError) as error:
            if folder is None:
                raise
            warn(f"skipped {error}")
            continue
        n_read[folder] += 1
        yield _Read(path, rows)
    if empty := next((folder for folder, n in n_read.items() if folder is not None and not n), None):
        raise TableError(f"{empty} has no file that can be read as a scan or a table", empty)


def _files(path: Path) -> list[tuple[Path, Path | None]]:
    """Return the files of a folder, and the folder; a file, or the folder of a download, is returned alone."""
    if not path.is_dir() or is_download(path):
        return [(path, None)]
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise TableError(f"{path} has no file", path)
    return [(file, path) for file in files]


def _require_unpacked(path: Path) -> None:
    """Check that a path exists, and is no archive."""
    if not path.exists():
        raise TableError(f"no such training table: {path}", path)
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(512)
        kind = next((kind for kind, (at, mark) in PACKED.items() if head.startswith(mark, at)), "")
        if kind and not (kind == "zip" and excel.is_mine(path)):
            raise TableError(f"{path} is a {kind} file: unpack it, and give what is in it", path)


def _read(path: Path, features: FeatureSet | None, settings: Settings | None, name: str) -> ScanRows:
    if (features is None or {*features.names} <= {*LILY.names}) and (table := _published(path)) is not None:
        return ScanRows(table, implausible=table.implausible())
    return read_scan(path, features or CATALOGUE, settings, name=name)


def _published(path: Path) -> TrainingTable | None:
    """Read a file with the columns of the published table, unchanged; None if it has others."""
    try:
        with open_file(path, Findings(path)) as file:
            names = {column.path for column in file.columns}
            return TrainingTable.of(file, path) if {*COLUMNS} - {LITHOLOGY} <= names else None
    except (ScanError, *DAMAGE):  # `read_scan` says what is wrong
        return None


def _features_of(read: Sequence[_Read], warn: Warn) -> FeatureSet:
    found: list[Quantity] = []
    for feature in CATALOGUE:
        if any(feature.name in {*each.rows.implausible, *each.with_values} for each in read):
            found.append(feature)
    if not found:
        raise TableError("no file has a value of any known quantity")
    if {*LILY.names} <= {feature.name for feature in found}:
        if others := [CATALOGUE.short_names[feature.name] for feature in found if feature.name not in LILY.names]:
            warn(f"training on the six features of the published table; --features would also take {', '.join(others)}")
        return LILY
    return FeatureSet(found)


def _require_values(read: Sequence[_Read], features: FeatureSet, *, all_features: bool) -> None:
    for feature in features:
        for each in read:
            if what := each.rows.implausible.get(feature.name):
                raise TableError(
                    f"{each.path}: {what}: is it in another unit? State the unit in the heading, or name the features "
                    "to train on with --features",
                    each.path,
                )
        if all_features and not any(feature.name in each.with_values for each in read):
            has = frozenset[str]().union(*(each.with_values for each in read))
            known = [CATALOGUE.short_names[other.name] for other in CATALOGUE if other.name in has]
            raise TableError(
                f"no file has a value of {feature.name}; those that were looked for and found: "
                f"{', '.join(known) or 'none'}"
            )


def _require_one_kind(read: Sequence[_Read]) -> None:
    simulated = [each.path.name for each in read if each.rows.table.simulated]
    measured = [each.path.name for each in read if not each.rows.table.simulated]
    if simulated and measured:
        raise TableError(
            f"{simulated[0]} is simulated and {measured[0]} is not: a model is trained on one or the other"
        )


def _note_shared_holes(read: Sequence[_Read], features: FeatureSet, warn: Warn) -> None:
    """Say which holes come from several files with different features: their rows stay apart."""
    files: dict[str, list[_Read]] = {}
    for each in read:
        for hole in np.unique(each.rows.table.hole).tolist():
            files.setdefault(hole, []).append(each)
    for hole, several in files.items():
        if len({each.with_values & {*features.names} for each in several}) > 1:
            names = ", ".join(each.path.name for each in several[:4])
            warn(f"hole {hole} is in {names}, which have different features: `lithovae pack` makes common rows of them")
            return
