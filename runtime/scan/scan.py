"""A core scan: which column of a file is which feature, on which depths, from which core."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py

from lithovae.runtime.errors import DAMAGE, ScanError
from lithovae.runtime.formats.hdf5.column import Column
from lithovae.runtime.formats.hdf5.contents import find_contents
from lithovae.runtime.formats.hdf5.filters import require_readable
from lithovae.runtime.formats.hdf5.limits import require_file
from lithovae.runtime.formats.unsupported import foreign_file, foreign_layout
from lithovae.runtime.process.guard import reading

from .address import ADDRESS, HOLE_PARTS, Addresses, address_columns, constant_addresses
from .depth import choose_depth, note_scales
from .mapping import MAPPED_DEPTH, mapped_columns
from .section_depths import Unplaced, find_restarts, place
from .sections import SectionTable
from .source import Source, choose_sources
from .tables import Neighbours, TableKey
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
        Parts of the address that hold for the whole scan.
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
    def sources(self) -> dict[int, list[Source]]:
        """Sources of each feature that the scan has, by position in `FEATURES`: one for each track that has it."""
        found: dict[int, list[Source]] = {}
        for track in self.tracks:
            for i, source in track.features.items():
                found.setdefault(i, []).append(source)
        return dict(sorted(found.items()))


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
        Columns to take, by feature (its name or an alias) or for the depth: a path in the file, with ``:field`` or
        ``:column`` for a column of a compound or 2-D dataset; ``*`` stands for any part of a group's name, so that
        ``*/GRA/den`` is one column in each of several groups. A column is taken as it stands where its unit is not
        known.
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
            raise ScanError(f"{path} is not an HDF5 file{foreign_file(path)}", path) from error
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
    if not mapping and (foreign := foreign_layout(file)):
        raise ScanError(f"{path} {foreign}", path)
    notes: list[str] = []
    contents = find_contents(file, notes)
    columns, addresses = contents.columns, Addresses(file, contents.addresses)
    chosen = choose_sources(path, columns, mapping, addresses, notes)
    mapped_depths = mapped_columns(path, columns, mapping).get(MAPPED_DEPTH, [])
    tables = _tables(path, chosen)
    constants = constant_addresses(addresses, [(key[0], _datasets(features)) for key, features in tables], notes)
    homes = {key for key, _ in tables}
    sections = SectionTable.find(path, [column for column in columns if column.table not in homes], addresses, notes)
    alike = len({frozenset(features) for _, features in tables}) == 1
    neighbours = Neighbours(columns)
    unplaced = []
    for (key, features), constant in zip(tables, constants, strict=True):
        own, above = neighbours.of(key)
        depth = choose_depth(path, key, own, above, mapped_depths, notes)
        unplaced.append(Unplaced(frozenset(features), depth, address_columns(own + above), constant))
    restarts = find_restarts(unplaced) if sections else {}
    tracks = []
    for (key, features), table in zip(tables, unplaced, strict=True):
        depth, placement = table.depth, None
        if sections:
            own, above = neighbours.of(key)
            depth, placement = place(sections, restarts.get(table.features), table, own + above, notes)
        length = next(iter(features.values())).column.length
        if depth is None and not alike:
            names = ", ".join(source.column.path for source in features.values())
            raise ScanError(
                f"{path}: {names} ({length} samples) has no depth in m, cm, mm or ft beside it, "
                "so it cannot be brought together with the other instruments; known names are depth, Depth CSF-A, "
                "mbsf, or offset where there is a table of sections (--map depth=PATH names another)",
                path,
            )
        parts = table.parts
        told = {part: text for part, text in table.constants.items() if part not in parts}  # a column has the last word
        track = Track(features, depth, parts, length, told, placement)
        _require_readable(track, notes)
        tracks.append(track)
    tracks = _together(tracks)
    if not any(track.length for track in tracks):
        raise ScanError(f"{path}: the features are there, but have no rows", path)
    note_scales([track.depth for track in tracks if track.depth and not track.placement], notes)
    tracks, address = _share_address(tracks)
    used = {column.path for track in tracks for column in track.columns}
    if sections and any(track.placement for track in tracks):
        used |= sections.columns
    return Scan(
        path=path,
        tracks=tracks,
        address=address,
        notes=list(dict.fromkeys(notes)),
        unused=_unused(columns, used),
    )


def _unused(columns: list[Column], used: set[str]) -> list[str]:
    """List the columns that are not used; a matrix without names once, if nothing of it is."""
    places = {column.place for column in columns if column.path in used}
    unused = (column.path if column.name else column.place for column in columns if column.path not in used)
    return [path for path in dict.fromkeys(unused) if path not in places]


def _tables(path: Path, chosen: dict[int, list[Source]]) -> list[tuple[TableKey, dict[int, Source]]]:
    """Put the sources that share their rows together."""
    tables: dict[TableKey, dict[int, Source]] = {}
    for i, sources in chosen.items():
        for source in sources:
            features = tables.setdefault(source.column.table, {})
            if i in features:
                raise ScanError(
                    f"{path}: --map: {features[i].column.path} and {source.column.path} cannot both be the same "
                    f"feature of one table: name one",
                    path,
                )
            features[i] = source
    return list(tables.items())


def _datasets(features: dict[int, Source]) -> list[str]:
    return list(dict.fromkeys(str(source.column.dataset.name) for source in features.values()))


def _require_readable(track: Track, notes: list[str]) -> None:
    checked: set[tuple[str, int]] = set()
    for column in track.columns:
        if (asked := (column.place, column.selection.axis)) not in checked:
            checked.add(asked)
            require_readable(column)
    for source in track.features.values():
        if source.column.unwritten.any():
            notes.append(f"parts of {source.column.path} were never written: missing there")


def _together(tracks: list[Track]) -> list[Track]:
    """Bring together the tracks of different features that share one depth column, and so their rows."""
    found: dict[Any, Track] = {}
    for i, track in enumerate(tracks):
        key: Any = i
        if track.depth and not track.placement:
            columns = [(part, column.identity) for part, column in track.address.items()]
            key = track.depth.column.identity, track.length, *columns, *track.constants.items()
        known = found.setdefault(key, track)
        if known is not track and known.features.keys().isdisjoint(track.features):
            found[key] = replace(known, features=dict(sorted({**known.features, **track.features}.items())))
        elif known is not track:
            found[i] = track
    return list(found.values())


def _share_address(tracks: list[Track]) -> tuple[list[Track], dict[str, str]]:
    """Take out of the tracks the constant parts of the address that hold for the whole scan.

    A hole that a column names in one track and one attribute or group in the others is such a part, too: whether it is
    the same hole is seen when the columns are read.
    """
    shared: dict[str, str] = {}
    for part in ADDRESS:
        texts = {track.constants.get(part) for track in tracks if part not in track.address}
        known = texts - {None}
        is_column = any(part in track.address for track in tracks)
        if len(known) == 1 and (texts == known or part in HOLE_PARTS) and (part in HOLE_PARTS or not is_column):
            shared[part] = str(known.pop())
    kept = [
        replace(track, constants={part: text for part, text in track.constants.items() if part not in shared})
        for track in tracks
    ]
    return kept, shared
