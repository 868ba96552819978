"""Packs the files of a hole, or of several, into one scan in the recommended layout, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import DAMAGE, InputError, OutputError, ScanError
from lithovae.runtime.features import CATALOGUE, DEPTH, Quantity
from lithovae.runtime.findings import findings_of, naming
from lithovae.runtime.formats.column import Column
from lithovae.runtime.formats.file import File
from lithovae.runtime.formats.open import open_file
from lithovae.runtime.formats.unchanged import unchanged
from lithovae.runtime.outputs.scan_file import ScanWriter, open_scan_file
from lithovae.runtime.outputs.whole_file import require_writable
from lithovae.runtime.process import guard
from lithovae.runtime.process.progress import Progress, silent
from lithovae.runtime.scan.address import ADDRESS, HOLE_PARTS, run_starts, split_hole
from lithovae.runtime.scan.blocks import BLOCK_ROWS, spans
from lithovae.runtime.scan.choose import is_optional
from lithovae.runtime.scan.depth import scale_of
from lithovae.runtime.scan.group_address import GroupAddresses
from lithovae.runtime.scan.mapping import has_column
from lithovae.runtime.scan.scan import Scan, open_scan, understand
from lithovae.runtime.scan.sections import BOTTOM, LENGTH, OFFSET, TOP, TopsTable, find_quantity, tables_of_tops
from lithovae.runtime.scan.simulated import simulated_seed
from lithovae.runtime.scan.source import Source
from lithovae.runtime.scan.tables import Tables
from lithovae.runtime.scan.track import Track
from lithovae.runtime.settings import Calibration

OFFSET_NAME = "Offset"
EXTENSIONS = (".h5", ".hdf5")

Hole = tuple[str, str, str]
"""Expedition, site and letter of a hole; each is blank if the file does not state it."""


@dataclass(frozen=True)
class Piece:
    """A table of a file, which becomes rows of one group.

    Attributes
    ----------
    path : Path
        The file.
    file : File
        The open file.
    kind : str
        ``samples``, ``sections`` or ``cores``.
    numbers : dict of str to (Source, str)
        Columns of numbers and the unit that they are converted to (empty if the file states none), by their name in
        the packed scan.
    address : dict of str to Column
        Columns of the address.
    constants : dict of str to str
        Parts of the address that hold for all rows.
    length : int
        Number of rows.
    """

    path: Path
    file: File
    kind: str
    numbers: dict[str, tuple[Source, str]]
    address: dict[str, Column]
    constants: dict[str, str]
    length: int

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of an address that it has, in order."""
        return tuple(part for part in ADDRESS if part in self.address or part in self.constants)

    @property
    def features(self) -> list[int]:
        """Positions of its features in `CATALOGUE`."""
        return [i for i, feature in enumerate(CATALOGUE) if feature.name in self.numbers]

    @property
    def located_by(self) -> str:
        """What gives the depths of its rows: a name in ``numbers``, or nothing."""
        return next((name for name in self.numbers if name == OFFSET_NAME or DEPTH.rank(name) is not None), "nothing")

    def blocks(self) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
        """Read the columns block by block: first row, and values by name; text as UTF-8 bytes.

        Raises
        ------
        ScanError
            If the file is damaged.
        """
        sources = [source for source, _ in self.numbers.values()]
        for start, stop in spans(self.length, BLOCK_ROWS):
            with naming(self.path):
                numbers = self.file.read_numbers([source.column for source in sources], start, stop)
                values = [source.scaled(block) for source, block in zip(sources, numbers, strict=True)]
                texts = self.texts(start, stop)
            yield start, {**dict(zip(self.numbers, values, strict=True)), **texts}

    def texts(self, start: int, stop: int) -> dict[str, NDArray[np.bytes_]]:
        """Read rows of the address, as UTF-8 bytes."""
        runs, lengths = self.runs(start, stop)
        return {part: np.repeat(texts, lengths) for part, texts in runs.items()}

    def runs(self, start: int, stop: int) -> tuple[dict[str, NDArray[np.bytes_]], NDArray[np.intp]]:
        """Read the address of each run of rows with the same one, as UTF-8 bytes; and the lengths of the runs."""
        read = self.file.read_texts(list(self.address.values()), start, stop)
        starts = run_starts(read, stop - start)
        runs = {part: np.full(len(starts), text) for part, text in self.constants.items()}
        runs |= {part: texts[starts] for part, texts in zip(self.address, read, strict=True)}
        return {part: np.char.encode(runs[part], "utf-8") for part in self.parts}, np.diff(starts, append=stop - start)


@dataclass
class Group:
    """A group of the packed scan: the pieces of one instrument, or of the table of sections.

    Attributes
    ----------
    name : str
        Name of the group.
    pieces : list of Piece
        The pieces whose rows follow each other.
    """

    name: str
    pieces: list[Piece] = field(default_factory=list)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return sum(piece.length for piece in self.pieces)

    @property
    def columns(self) -> list[str]:
        """Names of its columns."""
        numbers = dict.fromkeys(name for piece in self.pieces for name in piece.numbers)
        return [*numbers, *(part for part in ADDRESS if any(part in piece.parts for piece in self.pieces))]


class Packed(NamedTuple):
    """What was packed: the groups in words (name, columns, rows, files), and notes on what was left out or assumed."""

    groups: list[tuple[str, list[str], int, list[str]]]
    notes: list[str]


class _Survey(NamedTuple):
    """What a pass over a piece's address found: its holes, and the bytes of the longest text of each part."""

    holes: set[Hole]
    widths: dict[str, int]


def pack_scans(
    paths: Sequence[Path],
    out: Path,
    calibrations: Mapping[str, Calibration] | None = None,
    mapping: Sequence[tuple[str, str]] = (),
    *,
    progress: Progress = silent,
) -> Packed:
    """Pack files into one scan.

    Parameters
    ----------
    paths : sequence of Path
        Files with features, and files with the top depths of sections or cores.
    out : Path
        The HDF5 file to write; ``docs/scan-format.md`` documents its layout.
    calibrations : mapping of str to Calibration, optional
        Declared conversions, by feature.
    mapping : sequence of (str, str)
        Columns to use for a feature or the depth: a path, which counts in each file that has it, or ``FILE:PATH``.
    progress : callable, optional
        Wraps iterables to show progress; see `lithovae.runtime.console.progress`.

    Raises
    ------
    ScanError
        If a file cannot be read, or the files do not belong in one scan: the same feature twice for one hole, or
        samples of several holes that nothing tells apart; or if one of them changes while it is read.
    OutputError
        If the file cannot be written. An existing file is then unchanged.
    InputError
        If a file is given twice, or no file has a mapped column.
    """
    _require_new(paths, out)
    _require_files(mapping, paths)
    with ExitStack() as stack:
        pieces, notes, still_unchanged, seeds = [], [], [], set[str]()
        used = set[tuple[str, str]]()
        for path in paths:
            guard.reading(path)
            still_unchanged.append(stack.enter_context(unchanged(path)))
            findings = stack.enter_context(findings_of(path))
            try:
                file = stack.enter_context(open_file(path, findings))
                with naming(path):
                    mapped = _mapping_of(path, file, mapping, paths)
                    used |= set(mapped)
                    taken = {feature: column for (feature, _), column in mapped.items()}
                    found, said = _pieces_of(path, file, taken, calibrations or {})
            except DAMAGE as error:
                raise ScanError(f"{path} is damaged and its contents cannot be read: {error}", path) from error
            pieces += found
            seeds.add(simulated_seed(file))
            notes += [f"{path.name}: {note}" for note in said]
        if unused := [entry for entry in mapping if entry not in used]:
            raise InputError(f"--map: no file has the column {unused[0][1]!r}, mapped to {unused[0][0]}")
        surveyed = [(piece, _survey(piece)) for piece in pieces]
        rivals = _leave_out_rivals(surveyed)
        notes += rivals
        surveyed = [(piece, survey) for piece, survey in surveyed if piece.kind != "samples" or piece.features]
        if rivals and not any(piece.features for piece, _ in surveyed):
            raise ScanError(f"nothing is left to pack: {'; '.join(rivals)}")
        groups = _groups([piece for piece, _ in surveyed])
        surveys = {id(piece): survey for piece, survey in surveyed}
        _require_one_place_each(groups, {key: survey.holes for key, survey in surveys.items()})
        with open_scan_file(out) as (writer, partial):
            for group in groups:
                _write(writer, group, surveys, progress)
            applied = {
                name: asdict(source.calibration)
                for piece in pieces
                for name, (source, _) in piece.numbers.items()
                if source.calibration
            }
            files = [path.name for path in paths]
            writer.state({"packed_from": files, "calibrations": applied, "notes": notes}, sorted(seeds - {""}))
            writer.close()
            _require_readable(partial, out)
            for require_unchanged in still_unchanged:
                require_unchanged()
    described = [
        (group.name, group.columns, group.n_rows, list(dict.fromkeys(piece.path.name for piece in group.pieces)))
        for group in groups
    ]
    return Packed(described, notes)


def _require_new(paths: Sequence[Path], out: Path) -> None:
    if out.suffix.lower() not in EXTENSIONS:
        raise OutputError(f"{out} must end in {' or '.join(EXTENSIONS)}", out)
    require_writable(out)
    known: dict[Path, Path] = {}
    for path in paths:
        if path.resolve() in known:
            raise InputError(f"{path} is given twice")
        known[path.resolve()] = path
        if out.exists() and path.exists() and out.samefile(path):
            raise OutputError(f"the packed scan would replace {path}: choose another name", out)


def _require_files(mapping: Sequence[tuple[str, str]], paths: Sequence[Path]) -> None:
    """Check that a column that is mapped by its number is that of one file: every table has a column 3."""
    for feature, column in mapping:
        if column.isdecimal() and len(paths) > 1:
            raise InputError(f"--map: {feature}={column} needs a file, as in --map {feature}={paths[0].name}:{column}")


def _mapping_of(
    path: Path, file: File, mapping: Sequence[tuple[str, str]], paths: Sequence[Path]
) -> dict[tuple[str, str], str]:
    """Return the entries of a mapping that count in a file, with the column of each."""
    found = {}
    for feature, column in mapping:
        name, _, rest = column.partition(":")
        if rest and name in (other.name for other in paths):
            if name == path.name:
                found[feature, column] = rest
        elif has_column(file.columns, column):
            found[feature, column] = column
    return found


def _pieces_of(
    path: Path, file: File, mapping: Mapping[str, str], calibrations: Mapping[str, Calibration]
) -> tuple[list[Piece], list[str]]:
    """Find what a file holds: tables of samples, and tables of the tops of sections or cores."""
    columns, addresses = file.columns, GroupAddresses(file)
    pieces, used = [], set[str]()
    has_features = any(feature.rank(column.name) is not None for feature in CATALOGUE for column in columns)
    tops = [*tables_of_tops(file, columns, "section")]
    sections = {id(column) for table in tops for column in table.members}
    cores = tables_of_tops(file, [column for column in columns if id(column) not in sections], "core")
    samples: list[Piece] = []
    notes_of_scan: list[str] = []
    if has_features or mapping or not (tops or cores):
        scan = understand(file, mapping, calibrations, CATALOGUE, is_alone=False)
        samples = [_samples(path, scan, track) for track in scan.tracks]
        notes_of_scan = _unstated(scan)
    homes = {source.column.table for piece in samples for source, _ in piece.numbers.values()}
    for kind, tables in (("sections", tops), ("cores", cores)):
        for table in tables:
            if table.members[0].table not in homes:
                pieces.append(_tops(path, file, kind, table, addresses))
    pieces = samples + pieces
    for piece in pieces:
        used |= {source.column.path for source, _ in piece.numbers.values()}
        used |= {column.path for column in piece.address.values()}
    notes = [*file.findings.notes, *notes_of_scan]
    if left := [column.path for column in columns if column.path not in used]:
        notes.append(f"left out: {', '.join(dict.fromkeys(left))}")
    return pieces, notes


def _unstated(scan: Scan) -> list[str]:
    """Note the features without a unit: their new name states one."""
    return [
        f"{source.column.path} states no unit: taken as {CATALOGUE[i].unit}"
        for i, sources in scan.sources.items()
        for source in sources
        if source.unit is None and CATALOGUE[i].unit != "0-255"
    ]


def _samples(path: Path, scan: Scan, track: Track) -> Piece:
    numbers = {CATALOGUE[i].name: (source, CATALOGUE[i].unit) for i, source in track.features.items()}
    depth = track.depth
    if depth is None:
        own, above = Tables(track.file.columns).of(next(iter(track.features.values())).column.table)
        depth = find_quantity(OFFSET, own + above, track.file.findings)
    if depth is not None:
        numbers[_depth_name(depth)] = depth, "m"
    constants = {part: text for part, text in scan.address.items() if part not in track.address}
    return Piece(path, track.file, "samples", numbers, track.address, constants | track.constants, track.length)


def _depth_name(depth: Source) -> str:
    if OFFSET.rank(depth.column.name) is not None and DEPTH.rank(depth.column.name) is None:
        return OFFSET_NAME
    names = {"": "depth", "vertical depth": "TVD (m)"}
    return names.get(scale := scale_of(depth), f"Depth {scale} (m)")


def _tops(path: Path, file: File, kind: str, table: TopsTable, addresses: GroupAddresses) -> Piece:
    quantities: dict[str, Quantity] = {quantity.name: quantity for quantity in (LENGTH, BOTTOM)}
    numbers = {TOP.name: (table.top, "m")}
    for name, quantity in quantities.items():
        if source := find_quantity(quantity, table.members, file.findings):
            numbers[name] = source, "m"
    home = table.top.column.table[0]
    stated = addresses.named(home) | addresses.stated(home)
    constants = {part: text for part, text in stated.items() if part not in table.address}
    return Piece(path, file, kind, numbers, table.address, constants, table.top.column.length)


def _groups(pieces: Sequence[Piece]) -> list[Group]:
    """Put pieces that share a feature, and those of sections and of cores, in a group each."""
    found: list[list[Piece]] = []
    for piece in pieces:
        keys = _keys(piece)
        alike = [group for group in found if any(not keys.isdisjoint(_keys(other)) for other in group)]
        found = [group for group in found if group not in alike]
        found.append([*(other for group in alike for other in group), piece])
    groups = []
    for members in found:
        kind = members[0].kind
        features = sorted({i for piece in members for i in piece.features})
        name = _group_name([CATALOGUE[i] for i in features]) if features else kind
        groups.append((min(features, default=len(CATALOGUE)), Group(name, sorted(members, key=pieces.index))))
    return [group for _, group in sorted(groups, key=lambda each: each[0])]


def _group_name(features: Sequence[Quantity]) -> str:
    """Return the name of the group of some features: ``GRA_MS``, ``RGB``, ``Vp_Res``, ``XRF``."""
    tags = (each.instrument if each.instrument == "XRF" else each.short or each.name for each in features)
    names = dict.fromkeys(tag.replace("density", "GRA").replace("*", "") for tag in tags)
    return "_".join(names).replace("R_G_B", "RGB").replace("L_a_b", "Lab")


def _keys(piece: Piece) -> set[object]:
    return set(piece.features) or {piece.kind}


def _survey(piece: Piece) -> _Survey:
    """Read the address of a piece once."""
    holes: set[Hole] = set()
    widths = dict.fromkeys(piece.parts, 1)
    for span in spans(piece.length, BLOCK_ROWS):
        with naming(piece.path):
            texts, lengths = piece.runs(*span)
        for part, values in texts.items():
            widths[part] = max(widths[part], values.dtype.itemsize)
        blank = np.full(len(lengths), b"")
        names = [texts.get(part, blank).tolist() for part in HOLE_PARTS]
        holes |= {_hole(*(text.decode() for text in key)) for key in set(zip(*names, strict=True))}
    return _Survey(holes, widths)


def _hole(expedition: str, site: str, hole: str) -> Hole:
    named, letter = split_hole(hole.strip().upper())
    return expedition.strip().upper(), (named or site.strip().upper()).lstrip("UCM"), letter


def _same(one: Hole, other: Hole) -> bool:
    return all(a == b or not a or not b for a, b in zip(one, other, strict=True))


def _leave_out_rivals(surveyed: Sequence[tuple[Piece, _Survey]]) -> list[str]:
    """Leave out the quantities that nobody asked for where two pieces have them that cannot be rows of one group.

    A piece keeps one that is mapped.

    Returns
    -------
    list of str
        Notes on what is left out.
    """
    rivals: dict[int, dict[int, Piece]] = {}
    for (one, of_one), (other, of_other) in combinations(surveyed, 2):
        shared = set(one.features) & set(other.features)
        if any(not is_optional(CATALOGUE, CATALOGUE[i]) for i in shared):
            continue  # refused later
        if shared and _why_not_together(one, other, of_one.holes, of_other.holes):
            for i in shared:
                rivals.setdefault(i, {}).update({id(one): one, id(other): other})
    notes = []
    for i, found in sorted(rivals.items()):
        name = CATALOGUE[i].name
        columns = [f"{piece.path.name}:{piece.numbers[name][0].column.path}" for piece in found.values()]
        notes.append(
            f"{name} is in {', '.join(columns)}, which cannot be one column: left out unless mapped, as with "
            f"--map '{CATALOGUE.short_names[name]}={columns[0]}'"
        )
        for piece in found.values():
            if not piece.numbers[name][0].is_mapped:
                del piece.numbers[name]
    return notes


def _why_not_together(one: Piece, other: Piece, holes: set[Hole], other_holes: set[Hole]) -> str:
    """Return why two pieces cannot be rows of one group; empty if they can."""
    if one.located_by != other.located_by and one.kind == "samples":
        return (
            f"{one.path} and {other.path} hold the same feature, but the samples of one are located by "
            f"{one.located_by}, those of the other by {other.located_by}: pack them separately"
        )
    if lacking := {"core", "section"} & (set(one.parts) ^ set(other.parts)):
        return (
            f"{one.path} and {other.path} are of one kind, but only one of them has a column "
            f"{' and '.join(sorted(lacking))}: pack them separately"
        )
    if one.path == other.path:  # its groups have addresses of their own
        return ""
    both = next(((a, b) for a in holes for b in other_holes if _same(a, b)), None)
    if both is None:
        return ""
    shared = [CATALOGUE[i].name for i in one.features if i in other.features]
    what = ", ".join(shared) or (f"top depths of {one.kind}" if one.kind != "samples" else "samples")
    where = " ".join(filter(None, both[0])) or " ".join(filter(None, both[1]))
    return (
        f"{one.path} and {other.path} both hold {what} of "
        f"{f'hole {where}' if where else 'a hole that neither names'}: leave one out or, if they are from "
        "different holes, name the hole in a column of each"
    )


def _require_one_place_each(groups: Sequence[Group], holes: Mapping[int, set[Hole]]) -> None:
    """Check that no two pieces of a group are from the same hole, and that all tell their holes if there are several.

    Raises
    ------
    ScanError
        If they do not.
    """
    for group in groups:
        for one, other in combinations(group.pieces, 2):
            if why_not := _why_not_together(one, other, holes[id(one)], holes[id(other)]):
                raise ScanError(why_not, one.path)
    known = {hole for found in holes.values() for hole in found if hole[2]}
    distinct = [one for one in known if not any(_same(one, other) and one < other for other in known)]
    if len(distinct) < 2:
        return
    for group in groups:
        for piece in group.pieces:
            if any(not hole[2] for hole in holes[id(piece)]):
                some = ", ".join(sorted(" ".join(filter(None, hole)) for hole in distinct)[:4])
                raise ScanError(
                    f"{piece.path} does not say which hole its rows are from, and the files are of several ({some}): "
                    "add a column hole to it",
                    piece.path,
                )


def _write(writer: ScanWriter, group: Group, surveys: Mapping[int, _Survey], progress: Progress) -> None:
    """Write the columns of a group; a piece that lacks one has NaN or blank text there."""
    types: dict[str, np.dtype[Any]] = {}
    for name in group.columns:
        holders = [piece for piece in group.pieces if name in piece.numbers or name in piece.parts]
        if name in ADDRESS:
            types[name] = np.dtype(f"S{max(surveys[id(piece)].widths[name] for piece in holders)}")
            sources = [_text_source(piece, name) for piece in holders]
            unit = ""
        else:
            types[name] = np.result_type(*(_type_of(piece.numbers[name][0], piece.file) for piece in holders))
            sources = [_number_source(piece, name) for piece in holders]
            unit = holders[0].numbers[name][1]
        writer.create(f"{group.name}/{name}", group.n_rows, types[name], unit, list(dict.fromkeys(sources)))
    before = 0
    for piece in group.pieces:
        blocks = progress(piece.blocks(), f"packing {group.name}", piece.length, lambda block: len(_first(block[1])))
        for start, values in blocks:
            n = len(_first(values))
            for name, dtype in types.items():
                blank = np.full(n, np.nan, dtype) if dtype.kind == "f" else np.zeros(n, dtype)
                writer.write(f"{group.name}/{name}", before + start, values.get(name, blank))
        before += piece.length


def _first(values: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    return next(iter(values.values()))


def _number_source(piece: Piece, name: str) -> str:
    source, _ = piece.numbers[name]
    return f"{piece.path.name}: {source}{', as mapped' if source.is_mapped else ''}"


def _text_source(piece: Piece, part: str) -> str:
    column = piece.address.get(part)
    return f"{piece.path.name}: {column.path if column else f'{part} {piece.constants[part]}'}"


def _type_of(source: Source, file: File) -> np.dtype[Any]:
    (values,) = file.read_numbers([source.column], 0, min(1, source.column.length))
    return np.asarray(source.scaled(values)).dtype


def _require_readable(partial: Path, out: Path) -> None:
    """Check that the packed scan can be read.

    Raises
    ------
    ScanError
        If the files do not make a scan together.
    """
    try:
        with open_scan(partial, features=CATALOGUE, locking=False):
            pass
    except ScanError as error:
        message = str(error).replace(str(partial), str(out))
        raise ScanError(f"the files together do not make a scan: {message}", out) from error
