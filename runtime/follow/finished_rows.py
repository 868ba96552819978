"""The rows of a scan that grows: each is taken once, as soon as it is finished."""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.bins import split_keys
from lithovae.runtime.features import FEATURES
from lithovae.runtime.process.heartbeat import advanced
from lithovae.runtime.rows.binning import Binning
from lithovae.runtime.rows.block import Block
from lithovae.runtime.rows.rows import own_block
from lithovae.runtime.scan.address import ADDRESS, HOLE_PARTS, run_starts
from lithovae.runtime.scan.scan import Scan
from lithovae.runtime.scan.track import Stretch

from .instruments import Instruments

MAX_ROWS = 1 << 16
"""Rows of a block that is given to the model."""
NOWHERE = float("inf"), float("-inf")
HELD = 60.0
"""Seconds for which bins are held back without a word."""


@dataclass
class Written:
    """What has been written, so that it is not written again when a file has to be read from its first row once more.

    Attributes
    ----------
    bins : dict
        Checksum and number of samples of each bin, by its hole and number.
    ranges : dict
        Shallowest and deepest of the own rows of each section.
    n_again : int
        Rows that came again, and were left out.
    """

    bins: dict[Hashable, tuple[int, int]] = field(default_factory=dict)
    ranges: dict[Hashable, tuple[float, float]] = field(default_factory=dict)
    n_again: int = 0


class FinishedRows(Protocol):
    """Takes stretches, gives rows; ``late`` has the depths of samples that came after their row was written."""

    late: list[float]

    def add(self, stretch: Stretch, now: float) -> None:
        """Take new samples, at a time in seconds."""

    def finished(self, now: float) -> Iterator[Block]:
        """Give the rows that are finished and have not been written."""

    def rest(self) -> Iterator[Block]:
        """Give all that is left."""

    def held(self, now: float) -> str:
        """Tell how much is held back, and by what; empty where little is, or for a short time only."""

    def changed(self) -> str:
        """Tell which of the rows that were written are not those of the scan as it is now; empty where none."""


class GrowingBins:
    """Depth bins that fill; one is finished when all `Instruments` have passed it.

    Parameters
    ----------
    scan : Scan
        What was understood of the file.
    width : float
        Width of a bin in metres.
    written : Written
        What has been written.
    now : float
        The time in seconds.
    patience : float
        Seconds after which a feature without new samples is not waited for any more.
    """

    def __init__(self, scan: Scan, width: float, written: Written, now: float, patience: float) -> None:
        self._binning, self._written = Binning(scan, width), written
        self._instruments = Instruments(scan.sources, now, patience)
        self._pending = np.empty(0, np.int64)
        self._done: set[int] = set()
        self._oldest = now
        self.late: list[float] = []

    def add(self, stretch: Stretch, now: float) -> None:
        """Take new samples, at a time in seconds."""
        holes, numbers = self._binning.places(stretch)
        keys = self._binning.add(stretch)
        self._instruments.move(stretch.features, holes, numbers, now)
        late = [key for key in keys.tolist() if key in self._done]
        if late:
            self.late += (split_keys(np.array(late))[1] * self._binning.bins.width).tolist()
            keys = np.setdiff1d(keys, late, assume_unique=True)
        self._pending = np.union1d(self._pending, keys)

    def finished(self, now: float) -> Iterator[Block]:
        """Give the rows that are finished and have not been written."""
        passed = self._instruments.passed(*split_keys(self._pending), now)
        if passed.any():
            self._oldest = now
            yield from self._give(passed)
        if not len(self._pending):
            self._oldest = now

    def rest(self) -> Iterator[Block]:
        """Give all that is left."""
        yield from self._give(np.ones(len(self._pending), np.bool_))

    def _give(self, some: NDArray[np.bool_]) -> Iterator[Block]:
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

    def _contents(self, block: Block) -> Iterator[tuple[Hashable, tuple[int, int]]]:
        """Give the identity of each of some bins, and what tells whether it has changed."""
        assert block.depth is not None
        assert block.samples is not None
        numbers = self._binning.bins.numbers(block.depth).tolist()
        texts = [block.address[part].tolist() for part in HOLE_PARTS if part in block.address]
        sizes = block.samples.sum(axis=1).tolist()
        for i, number in enumerate(numbers):
            content = zlib.crc32(block.samples[i].tobytes(), zlib.crc32(block.features[i].tobytes())), sizes[i]
            yield (number, *(column[i] for column in texts)), content

    def held(self, now: float) -> str:
        """Tell how much is held back, and by what; empty where little is, or for a short time only."""
        if now - self._oldest < HELD or not len(self._pending):
            return ""
        holes, numbers = split_keys(self._pending)
        laggards = self._instruments.laggards(holes, numbers)
        if len(laggards) == len(self._instruments.positions):  # the first of them is still being filled
            return ""
        names = ", ".join(FEATURES[i].name for i in laggards)
        depth = numbers[0] * self._binning.bins.width
        return f"{len(self._pending):,} bins from {depth:.2f} m on wait for {names}"

    def changed(self) -> str:
        """Tell which of the rows that were written are not those of the scan as it is now; empty where none."""
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
    """A scan's own rows: each is finished as it is there, but for those that a table of sections may still place.

    When the file is read from its first row again, rows of a section between the shallowest and the deepest that were
    written are taken for these; where there is no depth, all rows are new.

    Parameters
    ----------
    scan : Scan
        What was understood of the file.
    written : Written
        What has been written.
    again : bool
        Whether the file is read from its first row again.
    """

    def __init__(self, scan: Scan, written: Written, again: bool) -> None:
        self._written, self._blocks, self._unplaced = written, list[Block](), list[Block]()
        self._known = dict(written.ranges) if again else {}
        parts = {part for track in scan.tracks for part in track.parts} | set(scan.address)
        self._constant = {part: scan.address.get(part, "") for part in ADDRESS if part in parts}
        self._has_depth = any(track.depth is not None for track in scan.tracks)
        self.late: list[float] = []

    def add(self, stretch: Stretch, now: float) -> None:
        """Take new samples, at a time in seconds."""
        block = own_block(stretch, self._constant, self._has_depth)
        if stretch.track.section_depths and block.depth is not None and (is_lost := np.isnan(block.depth)).any():
            self._unplaced.append(block.take(is_lost))
            block = block.take(~is_lost)
        self._blocks.append(block)

    def finished(self, now: float) -> Iterator[Block]:
        """Give the rows that are finished and have not been written."""
        blocks, self._blocks = self._blocks, []
        for block in blocks:
            is_new = self._is_new(block)
            self._written.n_again += int(np.count_nonzero(~is_new))
            if is_new.any():
                yield block.take(is_new)

    def _is_new(self, block: Block) -> NDArray[np.bool_]:
        is_new = np.ones(len(block), np.bool_)
        if block.depth is None or not len(block):
            return is_new
        texts = [block.address[part] for part in self._constant]
        starts = run_starts(texts, len(block))
        for start, stop in zip(starts, [*starts[1:], len(block)], strict=True):
            section, depth = tuple(str(column[start]) for column in texts), block.depth[start:stop]
            low, high = self._known.get(section, NOWHERE)
            is_new[start:stop] = ~((depth >= low) & (depth <= high))
            low, high = self._written.ranges.get(section, NOWHERE)
            self._written.ranges[section] = (
                float(np.fmin.reduce(depth, initial=low)),
                float(np.fmax.reduce(depth, initial=high)),
            )
        return is_new

    def rest(self) -> Iterator[Block]:
        """Give all that is left."""
        self._blocks += self._unplaced
        return self.finished(0.0)

    def held(self, now: float) -> str:
        """Give nothing: it is the table of sections that lacks something, not an instrument."""
        return ""

    def changed(self) -> str:
        """Rows are not compared."""
        return ""
