"""The rows of a scan that grows: each is returned once, as soon as it is finished."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.bins import split_keys
from lithovae.runtime.process.heartbeat import advanced
from lithovae.runtime.rows.binning import Binning
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.rows import own_block
from lithovae.runtime.scan.address import ADDRESS, HOLE_PARTS, run_starts
from lithovae.runtime.scan.scan import Scan
from lithovae.runtime.scan.track import Stretch

from .instruments import Instruments
from .row_sample import Rows, RowSample

MAX_ROWS = 1 << 16
"""Largest number of rows in a block."""
EMPTY_RANGE = float("inf"), float("-inf")
QUIET = 60.0
"""Seconds for which bins may be held back without a note."""


@dataclass
class Written:
    """What has been written, so that nothing is written twice when a file is read again from its first row.

    Attributes
    ----------
    bins : dict
        Features (bytes) and number of samples of each bin, by its number and hole.
    ranges : dict
        Shallowest and deepest own row of each section, in metres, by the section's address.
    sample : RowSample
        Some of the own rows.
    n_again : int
        Number of rows that were read again and not written again.
    file : int
        Number of files of this name before this one that held another core.
    """

    bins: dict[Hashable, tuple[bytes, int]] = field(default_factory=dict)
    ranges: dict[Hashable, tuple[float, float]] = field(default_factory=dict)
    sample: RowSample = field(default_factory=RowSample)
    n_again: int = 0
    file: int = 0


class FinishedRows(Protocol):
    """Takes stretches and returns finished rows.

    Attributes
    ----------
    late : list of float
        Depths (m) of bins that got samples after they were written.
    """

    late: list[float]

    def add(self, stretch: Stretch, now: float) -> None:
        """Add new samples, read at the time ``now`` in seconds."""

    def finished(self, now: float) -> Iterator[Block]:
        """Yield the rows that are finished and have not been written."""

    def remaining(self) -> Iterator[Block]:
        """Yield all rows that are left, finished or not."""

    def waiting(self, now: float) -> str:
        """Return a note on the bins that are held back, and by which features; empty if there are none for long."""

    def changed(self) -> str:
        """Return a note on the written rows that differ from those of the scan as it is now; empty if none do."""


class GrowingBins:
    """Depth bins of a growing scan; a bin is finished when all `Instruments` have passed it.

    Parameters
    ----------
    scan : Scan
        The open scan.
    width : float
        Width of a bin in metres.
    written : Written
        What has been written so far.
    now : float
        Time in seconds.
    patience : float
        Seconds without new samples after which a feature no longer holds bins back.
    """

    def __init__(self, scan: Scan, width: float, written: Written, now: float, patience: float) -> None:
        self._binning, self._written, self._features = Binning(scan, width), written, scan.feature_set
        self._instruments = Instruments(scan.sources, now, patience)
        self._pending = np.empty(0, np.int64)
        self._done: set[int] = set()
        self._oldest = now
        self._is_doubtful = bool(written.bins)  # whether this may be another core
        self.late: list[float] = []

    def add(self, stretch: Stretch, now: float) -> None:
        """Add new samples, read at the time ``now`` in seconds."""
        holes, numbers = self._binning.places(stretch)
        keys = self._binning.add(stretch)
        self._instruments.move(stretch.features, holes, numbers, now)
        late = [key for key in keys.tolist() if key in self._done]
        if late:
            self.late += (split_keys(np.array(late))[1] * self._binning.bins.width).tolist()
            keys = np.setdiff1d(keys, late, assume_unique=True)
        self._pending = np.union1d(self._pending, keys)

    def finished(self, now: float) -> Iterator[Block]:
        """Yield the rows that are finished and have not been written."""
        passed = self._instruments.passed(*split_keys(self._pending), now)
        if passed.any() and not self._waits_for_evidence(passed):
            self._oldest = now
            yield from self._take_out(passed)
        if not len(self._pending):
            self._oldest = now

    def remaining(self) -> Iterator[Block]:
        """Yield all rows that are left, finished or not."""
        self._waits_for_evidence(np.ones(len(self._pending), np.bool_), at_end=True)
        yield from self._take_out(np.ones(len(self._pending), np.bool_))

    def _waits_for_evidence(self, some: NDArray[np.bool_], at_end: bool = False) -> bool:
        """Return whether more bins are needed to tell a second core from the one whose bins were written.

        Bins at the same depths are those of another core if most of them differ in every feature. The first one alone
        says nothing: where a file was cut off, it lacks samples.
        """
        if not self._is_doubtful or not some.any():
            return False
        contents = list(self._contents(self._binning.block(self._binning.bins.rows(self._pending[some]))))
        known = [(self._written.bins[key][0], new[0]) for key, new in contents if key in self._written.bins]
        if len(known) == len(contents) < 2 and not at_end:
            return True
        self._is_doubtful = False
        is_alone = len(known) < 2 and not at_end
        if known and not is_alone and 2 * sum(map(_differ, *zip(*known, strict=True))) > len(known):
            self._written.bins.clear()
            self._written.file += 1
        return False

    def _take_out(self, some: NDArray[np.bool_]) -> Iterator[Block]:
        self._binning.require_rows()
        keys, self._pending = self._pending[some], self._pending[~some]
        self._done.update(keys.tolist())
        for start in range(0, len(keys), MAX_ROWS):
            block = self._binning.block(self._binning.bins.rows(keys[start : start + MAX_ROWS]))
            is_new = np.ones(len(block), np.bool_)
            for i, (identity, content) in enumerate(self._contents(block)):
                is_new[i] = self._written.bins.setdefault(identity, content) is content
            self._written.n_again += int(np.count_nonzero(~is_new))
            if is_new.any():
                yield block.take(is_new)

    def _contents(self, block: Block) -> Iterator[tuple[Hashable, tuple[bytes, int]]]:
        """Yield the identity of each bin, and its features and number of samples, by which changes are detected."""
        assert block.depth is not None
        assert block.samples is not None
        numbers = self._binning.bins.numbers(block.depth).tolist()
        texts = [block.address[part].tolist() for part in HOLE_PARTS if part in block.address]
        sizes = block.samples.sum(axis=1).tolist()
        for i, number in enumerate(numbers):
            content = block.features[i].tobytes(), sizes[i]
            yield (number, *(column[i] for column in texts)), content

    def waiting(self, now: float) -> str:
        """Return a note on the bins that are held back, and by which features; empty if there are none for long."""
        if now - self._oldest < QUIET or not len(self._pending):
            return ""
        holes, numbers = split_keys(self._pending)
        laggards = self._instruments.laggards(holes, numbers)
        if len(laggards) == len(self._instruments.positions):  # the first of these bins is still being filled
            return ""
        names = ", ".join(self._features[i].name for i in laggards)
        depth = numbers[0] * self._binning.bins.width
        return f"{len(self._pending):,} bins from {depth:.2f} m on wait for {names}"

    def changed(self) -> str:
        """Return a note on the written rows that differ from those of the scan as it is now; empty if none do."""
        found, more, bins = [], 0, self._binning.bins
        for start in range(0, len(bins), MAX_ROWS):
            advanced()
            block = self._binning.block(slice(start, start + MAX_ROWS))
            assert block.depth is not None
            for depth, (identity, content) in zip(block.depth.tolist(), self._contents(block), strict=True):
                known = self._written.bins.get(identity, content)
                if known != content:
                    found.append(depth)
                    more += abs(content[1] - known[1])
        if not found:
            return ""
        depths = ", ".join(f"{depth:.2f}" for depth in found[:5]) + (", …" if len(found) > 5 else "")
        return f"{len(found):,} bins changed after they were written ({depths} m, {more:,} samples)"


class GrowingRows:
    """A scan's own rows: each is finished as soon as it is read, unless a table of sections may still give its depth.

    When the file is read again from its first row, rows between the shallowest and the deepest written row of their
    section count as written, unless a sample of the written rows shows that they are of another core. If there is no
    depth, all rows count as new.

    Parameters
    ----------
    scan : Scan
        The open scan.
    written : Written
        What has been written so far.
    again : bool
        Whether the file is read again from its first row.
    """

    def __init__(self, scan: Scan, written: Written, again: bool) -> None:
        self._written, self._blocks, self._unplaced = written, list[Block](), list[Block]()
        self._known = dict(written.ranges) if again else {}
        self._is_doubtful = bool(self._known)  # whether this may be another core
        parts = {part for track in scan.tracks for part in track.parts} | set(scan.address)
        self._constant = {part: scan.address.get(part, "") for part in ADDRESS if part in parts}
        self._has_depth = any(track.depth is not None for track in scan.tracks)
        self.late: list[float] = []

    def add(self, stretch: Stretch, now: float) -> None:
        """Add new samples, read at the time ``now`` in seconds."""
        block = own_block(stretch, self._constant, self._has_depth)
        if stretch.track.section_depths and block.depth is not None and (is_lost := np.isnan(block.depth)).any():
            self._unplaced.append(block.take(is_lost))
            block = block.take(~is_lost)
        self._blocks.append(block)

    def finished(self, now: float) -> Iterator[Block]:
        """Yield the rows that are finished and have not been written."""
        if self._waits_for_evidence():
            return
        blocks, self._blocks = self._blocks, []
        for block in blocks:
            is_new = self._is_new(block)
            self._written.n_again += int(np.count_nonzero(~is_new))
            if is_new.any():
                yield block.take(is_new)

    def _waits_for_evidence(self, at_end: bool = False) -> bool:
        """Return whether more rows are needed to tell a second core from the one whose rows were written."""
        if not self._is_doubtful or not self._blocks:
            return False
        sections: dict[Hashable, list[Rows]] = {}
        for block in self._blocks:
            if block.depth is not None:
                for section, rows in self._sections(block):
                    sections.setdefault(section, []).append((block.depth[rows], block.features[rows]))
        is_other = self._written.sample.is_of_another_core(sections)
        is_within = bool(sections) and all(self._within(*section) for section in sections.items())
        if is_other is None and is_within and not at_end:
            return True
        self._is_doubtful = False
        if is_other:
            self._known.clear()
            self._written.ranges.clear()
            self._written.sample = RowSample()
            self._written.file += 1
        return False

    def _within(self, section: Hashable, blocks: list[Rows]) -> bool:
        """Return whether all rows of a section lie between those that were written."""
        low, high = self._known.get(section, EMPTY_RANGE)
        return all(bool(((depth >= low) & (depth <= high)).all()) for depth, _ in blocks)

    def _sections(self, block: Block) -> Iterator[tuple[Hashable, slice]]:
        """Yield the address of each run of rows of one section, and its rows."""
        texts = [block.address[part] for part in self._constant]
        starts = run_starts(texts, len(block)).tolist()
        for start, stop in zip(starts, [*starts[1:], len(block)], strict=True):
            yield tuple(str(column[start]) for column in texts), slice(start, stop)

    def _is_new(self, block: Block) -> NDArray[np.bool_]:
        is_new = np.ones(len(block), np.bool_)
        if block.depth is None or not len(block):
            return is_new
        for section, rows in self._sections(block):
            depth = block.depth[rows]
            low, high = self._known.get(section, EMPTY_RANGE)
            is_new[rows] = ~((depth >= low) & (depth <= high))
            self._written.sample.add(section, depth[is_new[rows]], block.features[rows][is_new[rows]])
            low, high = self._written.ranges.get(section, EMPTY_RANGE)
            self._written.ranges[section] = (
                float(np.fmin.reduce(depth, initial=low)),
                float(np.fmax.reduce(depth, initial=high)),
            )
        return is_new

    def remaining(self) -> Iterator[Block]:
        """Yield all rows that are left, finished or not."""
        self._blocks += self._unplaced
        self._waits_for_evidence(at_end=True)
        self._is_doubtful = False
        return self.finished(0.0)

    def waiting(self, now: float) -> str:
        """Return an empty string: own rows wait for the table of sections only, never for an instrument."""
        return ""

    def changed(self) -> str:
        """Return an empty string: own rows are not compared."""
        return ""


def _differ(one: bytes, other: bytes) -> bool:
    """Return whether two bins have no feature in common, given as the bytes of their float32 features."""
    a, b = np.frombuffer(one, np.float32), np.frombuffer(other, np.float32)
    return not (a == b).any()
