"""A core scan: the columns of a file that are features, with their depths and addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lithovae.runtime.description import FeatureDescription, ScanDescription
from lithovae.runtime.errors import DAMAGE, ScanError
from lithovae.runtime.features import LILY, FeatureSet
from lithovae.runtime.findings import Findings, findings_of
from lithovae.runtime.formats.column import Column, TableKey
from lithovae.runtime.formats.file import File
from lithovae.runtime.formats.open import open_file
from lithovae.runtime.process import guard
from lithovae.runtime.settings import Calibration

from .address import ADDRESS, HOLE_PARTS
from .choose import choose_sources, is_optional
from .depth import choose_depth, note_lengths, note_scales, scale_of
from .group_address import GroupAddresses, address_columns, constant_addresses
from .mapping import MAPPED_DEPTH, mapped_columns
from .section_depths import TableOfSamples, choose_section_depths, find_restarts
from .sections import SectionTable
from .source import Source
from .tables import Tables
from .track import Track
from .written import without_blank_ends


@dataclass(frozen=True)
class Scan:
    """The interpretation of a file.

    Attributes
    ----------
    path : Path
        The file.
    feature_set : FeatureSet
        The features that were looked for.
    tracks : list of Track
        One if all features share their rows; otherwise several, which are combined in depth bins.
    address : dict of str to str
        Parts of the address that apply to the whole scan.
    notes : list of str
        Notes on what was left out or assumed, and why.
    unused : list of str
        Columns that are not used.
    """

    path: Path
    feature_set: FeatureSet
    tracks: list[Track]
    address: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    @property
    def sources(self) -> dict[int, list[Source]]:
        """Sources of each feature that the scan has, by position in ``feature_set``: one for each track that has it."""
        found: dict[int, list[Source]] = {}
        for track in self.tracks:
            for i, source in track.features.items():
                found.setdefault(i, []).append(source)
        return dict(sorted(found.items()))

    def with_found(self) -> Scan:
        """Return the scan with a feature set of the features that it has: those looked for may be the catalogue."""
        found = {i: position for position, i in enumerate(self.sources)}
        features = FeatureSet(self.feature_set[i] for i in found)
        tracks = [
            replace(
                track, feature_set=features, features={found[i]: source for i, source in sorted(track.features.items())}
            )
            for track in self.tracks
        ]
        return replace(self, feature_set=features, tracks=tracks)

    @property
    def depth_scale(self) -> str:
        """Scale of all depths, as `lithovae.runtime.scan.depth.scale_of` names it; empty if they do not share one."""
        scales = {scale_of(track.depth) for track in self.tracks if track.depth and not track.section_depths}
        has_one = len(scales) == 1 and all(track.depth and not track.section_depths for track in self.tracks)
        return scales.pop() if has_one else ""

    def describe(self) -> ScanDescription:
        """Return the interpretation as plain values, which remain valid after the file is closed."""
        sources = self.sources
        return ScanDescription(
            path=str(self.path),
            layout=self._layout(),
            address=dict(self.address),
            features=[
                FeatureDescription(feature.name, feature.unit, [source.describe() for source in sources.get(i, [])])
                for i, feature in enumerate(self.feature_set)
            ],
            depths=[track.depth_text for track in self.tracks if track.depth],
            n_tables=len(self.tracks),
            notes=list(self.notes),
            unused=list(self.unused),
            has_depth_unit=all(track.depth.unit for track in self.tracks if track.depth),
        )

    def _layout(self) -> list[str]:
        """Describe the layout of the columns, and how the file arranges them."""
        kinds = dict.fromkeys(source.column.layout for sources in self.sources.values() for source in sources)
        several = {part for track in self.tracks for part in track.constants if part not in self.address}
        if len(self.tracks) == 1:
            arranged = "all in one table"
        elif several:
            parts = " and ".join(part for part in self.tracks[0].parts if part in several)
            arranged = f"a group per {parts or 'address'}"
        else:
            arranged = "a table per instrument, each with its own depth"
        return [*kinds, arranged]


@contextmanager
def open_scan(
    path: str | Path,
    mapping: Mapping[str, str] | None = None,
    calibrations: Mapping[str, Calibration] | None = None,
    features: FeatureSet = LILY,
    *,
    is_growing: bool = False,
    swmr: bool = False,
    locking: bool | None = None,
) -> Iterator[Scan]:
    """Open a scan and find its features.

    Parameters
    ----------
    path : path-like
        The file.
    mapping : mapping of str to str, optional
        Columns to use, by feature (its name or an alias) or for the depth: a path in the file, with ``:field`` or
        ``:column`` for a column of a compound or 2-D dataset; ``*`` stands for any part of a name, so that
        ``*/GRA/den`` is one column in each of several groups. A column is taken unchanged if its unit is not known.
    calibrations : mapping of str to Calibration, optional
        Declared conversions, by feature; each applies to the columns of the feature that state its unit.
    features : FeatureSet
        The features to look for: those of a model, or of the catalogue.
    is_growing : bool
        Whether rows are still written, also in storage that is blank now; otherwise blank ends of tables are left out.
    swmr, locking : optional
        Passed to `h5py.File`, for a file that is being written.

    Raises
    ------
    ScanError
        If the file cannot be read, holds none of the features, or is ambiguous in a way that only its owner can
        resolve. Reading rows while the file is open may also raise it. The message begins with the file's name.
    """
    path = Path(path)
    guard.reading(path)
    with findings_of(path) as findings, ExitStack() as stack:
        try:
            file = stack.enter_context(open_file(path, findings, swmr=swmr, locking=locking))
            scan = understand(file, mapping or {}, calibrations, features, is_growing=is_growing)
        except DAMAGE as error:
            raise ScanError(f"the file is damaged and its contents cannot be read: {error}") from error
        yield scan


def understand(
    file: File,
    mapping: Mapping[str, str],
    calibrations: Mapping[str, Calibration] | None,
    features: FeatureSet,
    *,
    is_alone: bool = True,
    is_growing: bool = False,
) -> Scan:
    """Find the features of an open file, their depths and addresses.

    If the file is not alone, its samples may lack a depth: another file may have the table of sections.

    Raises
    ------
    ScanError
        As `open_scan`.
    """
    findings = file.findings
    if not mapping and (why_not := file.why_unsupported()):
        raise ScanError(f"{findings.path} {why_not}", findings.path)
    columns, addresses = file.columns, GroupAddresses(file)
    chosen = choose_sources(file, mapping, addresses, features, calibrations)
    mapped_depths = mapped_columns(columns, mapping, features).get(MAPPED_DEPTH, [])
    found = _tables(chosen)
    constants = constant_addresses(addresses, [(key[0], _arrays(sources)) for key, sources in found], findings)
    homes = {key for key, _ in found}
    sections = SectionTable.find(file, [column for column in columns if column.table not in homes], addresses)
    alike = len({frozenset(sources) for _, sources in found}) == 1
    tables = Tables(columns)
    samples = []
    for (key, sources), constant in zip(found, constants, strict=True):
        own, above = tables.of(key)
        free, free_above = _without(own, sources), _without(above, sources)
        depth = choose_depth(key, free, free_above, mapped_depths, findings)
        parts = address_columns(own + above)
        unreadable = [column for column in parts.values() if not column.is_label]
        parts = {part: column for part, column in parts.items() if column.is_label}
        samples.append(TableOfSamples(frozenset(sources), depth, parts, constant, _nameless(unreadable)))
    restarts = find_restarts(file, samples) if sections else {}
    tracks = []
    for (key, sources), table in zip(found, samples, strict=True):
        depth, section_depths = table.depth, None
        if sections:
            own, above = tables.of(key)
            depth, section_depths = choose_section_depths(
                sections, restarts.get(table.features), table, own + above, findings
            )
        length = next(iter(sources.values())).column.length
        if depth is None and not alike and is_alone:
            names = ", ".join(source.column.path for source in sources.values())
            asked_for = any(source.is_mapped or not is_optional(features, features[i]) for i, source in sources.items())
            if not asked_for and any(other.depth or other.parts for other in samples):
                findings.note(f"{names} ({length} samples) has no depth in or above its group: left out")
                continue
            raise ScanError(
                f"{names} ({length} samples) has no depth (m, cm, mm or ft) in or above its group, so it cannot "
                "be combined with the other instruments; known names include depth, Depth CSF-A, mbsf, and offset if "
                "there is a table of sections (--map depth=PATH chooses a column)"
            )
        if depth is None:
            note_lengths(_without(tables.of(key)[0], sources), findings)
        parts = table.parts
        constant = {
            part: text for part, text in table.constants.items() if part not in parts
        }  # a column takes precedence
        track = Track(file, features, sources, depth, parts, length, constant, section_depths, table.unreadable)
        if table.unreadable:
            findings.note(f"{table.unreadable}: the rows do not say where they come from")
        _require_readable(track, findings)
        tracks.append(track)
    tracks = _joined(tracks)
    if not is_growing:
        tracks = without_blank_ends(tracks, findings)
    if not any(track.length for track in tracks):
        raise ScanError("the columns of the features have no rows, or only rows that were never written")
    note_scales([track.depth for track in tracks if track.depth and not track.section_depths], findings)
    tracks, address = _share_address(tracks)
    used = {column.path for track in tracks for column in track.columns}
    if sections and any(track.section_depths for track in tracks):
        used |= sections.columns
    return Scan(findings.path, features, tracks, address, notes=findings.notes, unused=_unused(columns, used))


def _without(columns: list[Column], features: dict[int, Source]) -> list[Column]:
    """Return the columns that are no feature: a column serves once."""
    taken = {source.column.identity for source in features.values() if source.is_mapped}
    return [column for column in columns if column.identity not in taken] if taken else columns


def _nameless(unreadable: Sequence[Column]) -> str:
    """Return which columns of an address cannot be read, and why; empty if there are none."""
    return "; ".join(f"{column.path} holds {column.kind}, which cannot be read as labels" for column in unreadable)


def _unused(columns: Sequence[Column], used: set[str]) -> list[str]:
    """List the columns that are not used; a matrix without names is listed once, if none of its columns is used."""
    used_locations = {column.location for column in columns if column.path in used}
    unused = (column.path if column.name else column.location for column in columns if column.path not in used)
    return [path for path in dict.fromkeys(unused) if path not in used_locations]


def _tables(chosen: dict[int, list[Source]]) -> list[tuple[TableKey, dict[int, Source]]]:
    """Group the sources that share their rows."""
    tables: dict[TableKey, dict[int, Source]] = {}
    for i, sources in chosen.items():
        for source in sources:
            features = tables.setdefault(source.column.table, {})
            if i in features:
                raise ScanError(
                    f"--map: {features[i].column.path} and {source.column.path} are mapped to the same feature of one "
                    "table: map only one"
                )
            features[i] = source
    return list(tables.items())


def _arrays(features: dict[int, Source]) -> list[str]:
    return list(dict.fromkeys(f"/{source.column.location}" for source in features.values()))


def _require_readable(track: Track, findings: Findings) -> None:
    for column in {column.location: column for column in track.columns}.values():
        column.require_readable()
    for source in track.features.values():
        if source.column.has_unwritten:
            findings.note(f"parts of {source.column.path} were never written: missing there")


def _joined(tracks: list[Track]) -> list[Track]:
    """Join tracks of different features that share one depth column, and therefore their rows."""
    found: dict[Any, Track] = {}
    for i, track in enumerate(tracks):
        key: Any = i
        if track.depth and not track.section_depths:
            columns = [(part, column.identity) for part, column in track.address.items()]
            key = track.depth.column.identity, track.length, track.unreadable, *columns, *track.constants.items()
        known = found.setdefault(key, track)
        if known is not track and known.features.keys().isdisjoint(track.features):
            found[key] = replace(known, features=dict(sorted({**known.features, **track.features}.items())))
        elif known is not track:
            found[i] = track
    return list(found.values())


def _share_address(tracks: list[Track]) -> tuple[list[Track], dict[str, str]]:
    """Move the constant parts of the address that apply to the whole scan from the tracks to the scan.

    This includes a hole that a column names in one track and an attribute or group in the others: whether it is the
    same hole is checked when the columns are read.
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
        if shared.keys() & track.constants.keys()
        else track
        for track in tracks
    ]
    return kept, shared
