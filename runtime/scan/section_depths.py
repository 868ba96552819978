"""Depths of samples that are located by section and offset in the section, from a table of sections."""

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

from .address import HOLE_PARTS, AddressCodes, Texts, normal_labels, run_starts, several_places
from .blocks import BLOCK_ROWS, spans
from .depths import Depths
from .restart import DepthRanges, Key, Restart, Span
from .sections import OFFSET, SectionTable, find_quantity, normalized, section_name
from .source import Source

END = 0.02
"""Distance (m) that a sample may lie beyond the ends of its section."""

UNKNOWN = np.nan, np.nan


class Lost(NamedTuple):
    """Samples that have no depth because the table of sections does not provide it.

    Attributes
    ----------
    n_unknown, n_beyond : int
        Number of samples whose section is not in the table, and of samples beyond the ends of their section.
    sections : frozenset of tuple of str
        Addresses of the sections that are not in the table.
    names : frozenset of str
        The same sections, for messages.
    table : str
        Path of the table's column of top depths.
    """

    n_unknown: int = 0
    n_beyond: int = 0
    sections: frozenset[Key] = frozenset()
    names: frozenset[str] = frozenset()
    table: str = ""

    def plus(self, other: Lost) -> Lost:
        """Return the sum of both."""
        return Lost(
            self.n_unknown + other.n_unknown,
            self.n_beyond + other.n_beyond,
            self.sections | other.sections,
            self.names | other.names,
            self.table or other.table,
        )

    @property
    def notes(self) -> Iterator[str]:
        """Notes for the user on these samples."""
        if self.n_unknown:
            some = ", ".join(sorted(self.names)[:4])
            yield f"no depth for {_samples(self.n_unknown)} of sections that are not in {self.table} ({some})"
        if self.n_beyond:
            yield f"no depth for {_samples(self.n_beyond)} beyond the ends of their sections"


NOTHING_LOST = Lost()


def _samples(n: int) -> str:
    return f"{n:,} sample{'s' * (n != 1)}"


class SectionDepths:
    """Computes the depths of a track's samples from their section and offset. Threads may share it.

    Parameters
    ----------
    table : SectionTable
        Top depths.
    parts : iterable of str
        Parts of the address for which the track has columns.
    constants : dict of str to str
        Parts of the address that apply to the whole track.

    Raises
    ------
    ScanError
        If the addresses of the samples are incomplete.
    """

    def __init__(self, table: SectionTable, parts: tuple[str, ...], constants: dict[str, str]) -> None:
        self.table = table
        self._constants = {part: text for part, text in constants.items() if part not in parts}
        self._parts = tuple(part for part in table.parts if part in parts or part in self._constants)
        lacking = [part for part in ("core", "section") if part in table.parts and part not in self._parts]
        if lacking:
            raise ScanError(
                f"samples have an offset in their section, but no {' and '.join(lacking)} to look up in {table.name}: "
                "add that column to their table"
            )
        self._single = tuple(part for part in (*HOLE_PARTS, "core") if part in parts and part not in table.parts)
        self._require_single({part: np.array([text]) for part, text in self._constants.items()}, self._constants)
        self._lock = Lock()
        self._codes = AddressCodes()
        self._spans = np.empty((0, 2))  # top and length (m) of the section of each code

    def of(self, address: Texts, offset: NDArray[np.float64]) -> tuple[NDArray[np.float64], Lost]:
        """Return the depths (m) of samples from their addresses and offsets (m), and a count of those without one.

        The depths have shape (n,), float64, and are NaN where unknown.

        Raises
        ------
        ScanError
            If they are from several holes or cores, which the table does not distinguish.
        """
        n = len(offset)
        starts = run_starts(list(address.values()), n)
        runs = {part: column[starts] for part, column in address.items()}
        constant = {part: np.full(len(starts), text) for part, text in self._constants.items()}
        with self._lock:
            self._require_single(runs, self._single)
            codes = self._codes.encode([(constant | runs)[part] for part in self._parts], len(starts))
            keys = self._codes.keys()
            new = [self._row(key) for key in keys[len(self._spans) :]]
            self._spans = found = np.concatenate([self._spans, np.reshape(new, (-1, 2))])
        top, length = np.repeat(found[codes], np.diff(starts, append=n), axis=0).T
        unknown = np.isnan(top)
        beyond = (offset < -END) | (offset > length + END)  # False where the length is unknown
        n_unknown, n_beyond = int(np.count_nonzero(unknown)), int(np.count_nonzero(beyond & ~unknown))
        lost = Lost(n_unknown, n_beyond, table=self.table.name)
        if lost.n_unknown:
            sections = [keys[code] for code in np.unique(codes[np.isnan(found[codes, 0])]).tolist()]
            names = frozenset(section_name(self._parts, key) for key in sections)
            lost = lost._replace(sections=frozenset(sections), names=names)
        return np.where(beyond, np.nan, top + offset), lost

    def knows(self, sections: Iterable[Key]) -> bool:
        """Return whether the table has any of these sections, given by their addresses."""
        return any(np.isfinite(self._row(key)[0]) for key in sections)

    def _row(self, key: Key) -> Span:
        """Return the top and length (m) of a section, NaN where unknown; U1482A matches hole A of site U1482."""
        known = normalized(dict(zip(self._parts, key, strict=True)))
        if "site" in known and "site" not in self.table.parts:
            self._require_single({"site": np.array([known["site"]])}, ["site"])
        parts = tuple(part for part in self.table.parts if part in known)
        return self.table.only(parts).get(tuple(known[part] for part in parts), UNKNOWN)

    def _require_single(self, texts: Texts, parts: Iterable[str]) -> None:
        """Check that all samples, also those of other tracks, are from the one hole, core, ... of the table."""
        for part in parts:
            if part not in self.table.places:
                continue
            if names := several_places(self.table.places[part], texts[part]):
                raise ScanError(
                    f"samples are from several {part}s ({names}), but {self.table.name} has no {part} column "
                    "beside it: add one to the table of sections"
                )

    def __str__(self) -> str:
        return f"added to {self.table.name}"


class TableOfSamples(NamedTuple):
    """A table whose samples may need section depths: its features, depth, and address (columns and constants).

    ``unreadable`` says which columns of its address cannot be read.
    """

    features: frozenset[int]
    depth: Source | None
    parts: dict[str, Column]
    constants: dict[str, str]
    unreadable: str = ""

    @property
    def has_section(self) -> bool:
        """Whether the core or section of its samples is known."""
        return not {"core", "section"}.isdisjoint({*self.parts, *self.constants})


def find_restarts(file: File, tables: Iterable[TableOfSamples]) -> dict[frozenset[int], Restart]:
    """Return the restarts of tables whose depths start again with each section, by the features of the table.

    Tables of the same features, for example one group per section, are examined together.
    """
    ranges: dict[frozenset[int], DepthRanges] = {}
    for table in tables:
        if table.depth is None or table.depth.is_mapped or not table.has_section:
            continue
        n = min(column.length for column in (table.depth.column, *table.parts.values()))
        for start, stop in spans(n, BLOCK_ROWS):
            (numbers,) = file.read_numbers([table.depth.column], start, stop)
            found = zip(table.parts, file.read_texts(list(table.parts.values()), start, stop), strict=True)
            texts = {part: normal_labels(part, column) for part, column in found}
            starts = run_starts(list(texts.values()), stop - start)
            runs = {part: np.full(len(starts), text) for part, text in table.constants.items()}
            runs |= {part: column[starts] for part, column in texts.items()}
            depth = np.asarray(table.depth.scaled(numbers), np.float64)
            ranges.setdefault(table.features, DepthRanges()).add(runs, starts, Depths(depth))
    restarts = {features: known.restart() for features, known in ranges.items()}
    return {features: restart for features, restart in restarts.items() if restart and restart.level == "section"}


def choose_section_depths(
    table: SectionTable, restart: Restart | None, samples: TableOfSamples, members: list[Column], findings: Findings
) -> tuple[Source | None, SectionDepths | None]:
    """Decide whether a table of sections gives the depths of an instrument's samples.

    It does if they have an offset and no depth, or a depth that starts again with each section.

    Returns
    -------
    tuple
        The column of their depths or offsets, and the `SectionDepths` that convert offsets to depths; each may be None.

    Raises
    ------
    ScanError
        If the addresses of the samples are incomplete.
    """
    depth = samples.depth
    if not samples.has_section:
        return depth, None
    if depth is None:
        depth = find_quantity(OFFSET, members, findings)
        if depth is None:
            return None, None
    elif restart is None or depth.is_mapped:
        return depth, None
    else:
        findings.note(f"{depth.column.path}: {restart}: taken as offsets in the section")
    if samples.unreadable:
        raise ScanError(f"{samples.unreadable}: their sections cannot be looked up in {table.name}; write it as text")
    return depth, SectionDepths(table, tuple(samples.parts), samples.constants)
