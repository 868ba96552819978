"""Depths of samples that are given by their section and their offset in it, from a table of sections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import ScanError
from lithovae.runtime.findings import Findings
from lithovae.runtime.formats.column import Column
from lithovae.runtime.formats.file import File

from .address import HOLE_PARTS, AddressCodes, Texts, run_starts, several_places, split_hole
from .blocks import BLOCK_ROWS, spans
from .restart import DepthRanges, Key, Restart, Span
from .sections import OFFSET, SectionTable, find_quantity, name_of, spelt
from .source import Source

END = 0.02
"""Reach (m) of a reading beyond the ends of its section."""

UNKNOWN = np.nan, np.nan


class Lost(NamedTuple):
    """Samples that have no depth because the table of sections does not give it.

    Attributes
    ----------
    n_unknown, n_beyond : int
        Samples of sections that the table lacks, and beyond the ends of their section.
    sections : frozenset of tuple of str
        The sections that the table lacks, as it spells them.
    names : frozenset of str
        The same, for people.
    table : str
        Path of the table's column of top depths.
    """

    n_unknown: int = 0
    n_beyond: int = 0
    sections: frozenset[Key] = frozenset()
    names: frozenset[str] = frozenset()
    table: str = ""

    def plus(self, other: Lost) -> Lost:
        """Give those of both."""
        return Lost(
            self.n_unknown + other.n_unknown,
            self.n_beyond + other.n_beyond,
            self.sections | other.sections,
            self.names | other.names,
            self.table or other.table,
        )

    @property
    def notes(self) -> Iterator[str]:
        """What a user should know of them."""
        if self.n_unknown:
            some = ", ".join(sorted(self.names)[:4])
            yield f"no depth for {_samples(self.n_unknown)} of sections that {self.table} lacks ({some})"
        if self.n_beyond:
            yield f"no depth for {_samples(self.n_beyond)} beyond the ends of their sections"


NOTHING_LOST = Lost()


def _samples(n: int) -> str:
    return f"{n:,} sample{'s' * (n != 1)}"


class SectionDepths:
    """Gives samples of one track, which say their section and their offset in it, their depth. Threads may share it.

    Parameters
    ----------
    table : SectionTable
        Top depths.
    parts : iterable of str
        The parts of the samples' address that the track has.
    constants : dict of str to str
        Parts of the address that hold for the whole track.

    Raises
    ------
    ScanError
        If the samples do not say enough of where they are from.
    """

    def __init__(self, table: SectionTable, parts: tuple[str, ...], constants: dict[str, str]) -> None:
        self.table = table
        self._constants = {part: text for part, text in constants.items() if part not in parts}
        self._parts = tuple(part for part in table.parts if part in parts or part in self._constants)
        lacking = [part for part in ("core", "section") if part in table.parts and part not in self._parts]
        if lacking:
            raise ScanError(
                f"samples have an offset in their section, but no {' and '.join(lacking)} to look up in {table.name}: "
                "add that column beside them"
            )
        self._rows = table.only(self._parts)
        self._single = tuple(part for part in (*HOLE_PARTS, "core") if part in parts and part not in table.parts)
        self._require_single({part: np.array([text]) for part, text in self._constants.items()}, self._constants)
        self._lock = Lock()
        self._codes = AddressCodes()
        self._places = np.empty((0, 2))  # top and length of the section of each code

    def of(self, address: Texts, offset: NDArray[np.float64]) -> tuple[NDArray[np.float64], Lost]:
        """Give the depth (m) of samples by their address and offset (m); NaN where it is not known; shape (n,).

        Raises
        ------
        ScanError
            If they are from several holes, or cores, which the table does not tell apart.
        """
        n = len(offset)
        starts = run_starts(list(address.values()), n)
        runs = {part: column[starts] for part, column in address.items()}
        constant = {part: np.full(len(starts), text) for part, text in self._constants.items()}
        with self._lock:
            self._require_single(runs, self._single)
            codes = self._codes.encode([(constant | runs)[part] for part in self._parts], len(starts))
            keys = self._codes.keys()
            new = [self._row(spelt(key)) for key in keys[len(self._places) :]]
            self._places = places = np.concatenate([self._places, np.reshape(new, (-1, 2))])
        top, length = np.repeat(places[codes], np.diff(starts, append=n), axis=0).T
        unknown = np.isnan(top)
        beyond = (offset < -END) | (offset > length + END)  # False where length is not known
        n_unknown, n_beyond = int(np.count_nonzero(unknown)), int(np.count_nonzero(beyond & ~unknown))
        lost = Lost(n_unknown, n_beyond, table=self.table.name)
        if lost.n_unknown:
            sections = [keys[code] for code in np.unique(codes[np.isnan(places[codes, 0])]).tolist()]
            names = frozenset(name_of(self._parts, key) for key in sections)
            lost = lost._replace(sections=frozenset(map(spelt, sections)), names=names)
        return np.where(beyond, np.nan, top + offset), lost

    def knows(self, sections: Iterable[Key]) -> bool:
        """Tell whether the table has one of some sections, spelt as it spells them."""
        return not self._rows.keys().isdisjoint(sections)

    def _row(self, key: Key) -> Span:
        """Find the top and the length of a section, NaN where it is not known; U1482A is A of the table's U1482."""
        if key in self._rows or "hole" not in self._parts:
            return self._rows.get(key, UNKNOWN)
        at = self._parts.index("hole")
        site, hole = split_hole(key[at])
        if not site:
            return UNKNOWN
        if "site" in self.table.parts:
            rows = self.table.only(tuple(dict.fromkeys(("site", *self._parts))))
            places = dict(zip(self._parts, key, strict=True)) | {"site": site, "hole": hole}
            return rows.get(tuple(places[part] for part in dict.fromkeys(("site", *self._parts))), UNKNOWN)
        self._require_single({"site": np.array([site])}, ["site"])
        return self._rows.get((*key[:at], hole, *key[at + 1 :]), UNKNOWN)

    def _require_single(self, texts: Texts, parts: Iterable[str]) -> None:
        """Make sure that all samples, of other tracks too, are from the one place that the table is of."""
        for part in parts:
            if part not in self.table.places:
                continue
            if names := several_places(self.table.places[part], texts[part]):
                raise ScanError(
                    f"samples are from several places ({part} {names}), but {self.table.name} has no {part} beside it: "
                    "add that column to the table of sections"
                )

    def __str__(self) -> str:
        return f"placed by {self.table.name}"


class Unplaced(NamedTuple):
    """A table whose samples may have to be placed: its features, its depth, its address (columns and constants)."""

    features: frozenset[int]
    depth: Source | None
    parts: dict[str, Column]
    constants: dict[str, str]

    @property
    def says_section(self) -> bool:
        """Whether its samples say which core or section they are from."""
        return not {"core", "section"}.isdisjoint({*self.parts, *self.constants})


def find_restarts(file: File, tables: Iterable[Unplaced]) -> dict[frozenset[int], Restart]:
    """Find out whose depths start again with each section, by the features that they are the depths of.

    Tables of the same features, a group per section say, are looked at together.
    """
    ranges: dict[frozenset[int], DepthRanges] = {}
    for table in tables:
        if table.depth is None or table.depth.is_mapped or not table.says_section:
            continue
        n = min(column.length for column in (table.depth.column, *table.parts.values()))
        for start, stop in spans(n, BLOCK_ROWS):
            (numbers,) = file.read_numbers([table.depth.column], start, stop)
            texts = dict(zip(table.parts, file.read_texts(list(table.parts.values()), start, stop), strict=True))
            starts = run_starts(list(texts.values()), stop - start)
            runs = {part: np.full(len(starts), text) for part, text in table.constants.items()}
            runs |= {part: column[starts] for part, column in texts.items()}
            depth = np.asarray(table.depth.scaled(numbers), np.float64)
            ranges.setdefault(table.features, DepthRanges()).add(runs, starts, depth)
    found = {features: known.restart() for features, known in ranges.items()}
    return {features: restart for features, restart in found.items() if restart and restart.level == "section"}


def choose_section_depths(
    table: SectionTable, restart: Restart | None, unplaced: Unplaced, members: list[Column], findings: Findings
) -> tuple[Source | None, SectionDepths | None]:
    """Decide whether a table of sections gives the depths of an instrument's samples.

    It does where they have an offset and no depth, or a depth that starts again with each section.

    Returns
    -------
    tuple
        The column of their depths or offsets, and what turns offsets into depths; None where there is none.

    Raises
    ------
    ScanError
        If the samples do not say enough of where they are from.
    """
    depth = unplaced.depth
    if not unplaced.says_section:
        return depth, None
    if depth is None:
        depth = find_quantity(OFFSET, members, findings)
        if depth is None:
            return None, None
    elif restart is None or depth.is_mapped:
        return depth, None
    else:
        findings.note(f"{depth.column.path}: {restart}: taken as the offset in it")
    return depth, SectionDepths(table, tuple(unplaced.parts), unplaced.constants)
