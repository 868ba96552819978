"""A core scan: which column of a file is which feature, on which depths, from which core."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py

from .address import address_attributes, address_columns
from .column import Column
from .contents import find_columns
from .errors import DAMAGE, ScanError
from .features import DEPTH
from .guard import reading
from .limits import require_bounded, require_file
from .placement import place_track
from .sections import SectionTable, find_quantity
from .source import Source, choose_sources
from .track import Track


@dataclass(frozen=True)
class Scan:
    """What was understood of a file.

    Attributes
    ----------
    path : Path
        The file.
    tracks : list of Track
        One where all features share their rows; several that are brought together in depth bins otherwise.
    address : dict of str to str
        Parts of the address that hold for the whole scan (from attributes).
    notes : list of str
        What was left out, or assumed, and why.
    unused : list of str
        Columns that are none of the features.
    """

    path: Path
    tracks: list[Track]
    address: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    @property
    def sources(self) -> dict[int, Source]:
        """Source of each feature that the scan has, by position in `FEATURES`."""
        return {i: source for track in self.tracks for i, source in sorted(track.features.items())}


@contextmanager
def open_scan(
    path: str | Path, mapping: Mapping[str, str] | None = None, *, swmr: bool = False, locking: bool | None = None
) -> Iterator[Scan]:
    """Open a scan and find its features.

    Parameters
    ----------
    path : path-like
        An HDF5 file.
    mapping : mapping of str to str, optional
        Columns to take, by feature (its name or an alias): a path in the file, with ``:field`` or ``:column`` for a
        column of a compound or 2-D dataset. The column is taken as it stands where its unit is not known.
    swmr, locking : optional
        As `h5py.File` takes them: for a file that is being written.

    Raises
    ------
    ScanError
        If the file cannot be read, holds none of the features, or leaves open what only its owner can decide.
    """
    path = require_file(path)
    reading(path)
    try:
        file = h5py.File(path, "r", swmr=swmr, locking=locking)
    except OSError as error:
        if not h5py.is_hdf5(path):
            raise ScanError(f"{path} is not an HDF5 file", path) from error
        raise ScanError(
            f"{path} cannot be opened, it is cut off, damaged or still being written: {error}", path
        ) from error
    with file:
        try:
            scan = _understand(path, file, mapping or {})
        except DAMAGE as error:
            raise ScanError(f"{path}: its contents cannot be made out, the file is damaged: {error}", path) from error
        yield scan


def _understand(path: Path, file: Any, mapping: Mapping[str, str]) -> Scan:
    notes: list[str] = []
    columns = find_columns(file, notes)
    chosen = choose_sources(path, columns, mapping, notes)
    tables: dict[tuple[str, int], dict[int, Source]] = {}
    for i, source in chosen.items():
        tables.setdefault(source.column.table, {})[i] = source
        require_bounded(source.column)
        if source.column.unwritten.any():
            notes.append(f"parts of {source.column.path} were never written: missing there")
    address = address_attributes(path, file, [source.column for source in chosen.values()], notes)
    sections = SectionTable.find(path, [column for column in columns if column.table not in tables], notes)
    alike = len({frozenset(features) for features in tables.values()}) == 1
    tracks = []
    for key, features in tables.items():
        own, above = _members(columns, key)
        parts = address_columns(own + above)
        depth = find_quantity(DEPTH, own, notes) or find_quantity(DEPTH, above, notes)
        depth, placement = place_track(sections, depth, own + above, parts, address, notes)
        length = next(iter(features.values())).column.length
        if depth is None and not alike:
            names = ", ".join(source.column.path for source in features.values())
            raise ScanError(
                f"{path}: {names} ({length} samples) has no depth in m, cm, mm or ft beside it, "
                "so it cannot be brought together with the other instruments; known names are depth, Depth CSF-A, "
                "mbsf, or offset where there is a table of sections",
                path,
            )
        tracks.append(Track(features, depth, parts, length, placement))
    for track in tracks:
        for column in [*([track.depth.column] if track.depth else []), *track.address.values()]:
            require_bounded(column)
    used = {source.column.path for source in chosen.values()}
    for track in tracks:
        used |= {column.path for column in track.address.values()}
        used |= {track.depth.column.path} if track.depth else set()
    if sections and any(track.placement for track in tracks):
        used |= sections.columns
    if not any(track.length for track in tracks):
        raise ScanError(f"{path}: the features are there, but have no rows", path)
    return Scan(
        path=path,
        tracks=tracks,
        address=address,
        notes=notes,
        unused=[column.path for column in columns if column.name and column.path not in used],
    )


def _members(columns: list[Column], table: tuple[str, int]) -> tuple[list[Column], list[Column]]:
    """List the columns of a table, and those of the same length in the group above it."""
    place, length = table
    same_length = [column for column in columns if column.length == length]
    own = [column for column in same_length if column.table == table]
    above = [column for column in same_length if column.field is None and column.group == place.rpartition("/")[0]]
    return own, above if place else []
