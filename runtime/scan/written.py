"""Rows at the head or the tail of a table that were set aside and never written: they read as zeros, or as the fill.

Only the ends are looked at, and of these only the depth of a few rows, unless the outermost of them are blank.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.findings import Findings

from .track import Stretch, Track

NEIGHBOURS = 64
"""Written rows beside a blank run from which the usual step of the depth is taken."""
SHORT = 4096
"""Length of tracks whose depth is read once, not at each end."""
JUMP = 1.5
"""A depth jumps if it changes by more than so many of the largest steps nearby."""
BLANK_TEXTS = ("", "0")


def without_blank_ends(tracks: Sequence[Track], findings: Findings) -> list[Track]:
    """Leave out the rows at both ends of each track that were never written, and add a note that counts them.

    A row is blank if its depth, all its features and its address are zero or missing. A run of at least two such rows
    was never written if one of these holds:

    - it contains no zero, or zero is impossible for one of its features (density);
    - the depth jumps between the run and the row beside it;
    - in the rows beside it, no depth repeats. (Where depths are coarse, several rows are at 0 m, and all their
      susceptibilities may be 0.)

    A single row needs the jump and the impossible zero. A track without a depth is kept as it is.
    """
    kept, left_out, names = [], 0, []
    for track in tracks:
        written = _written(track)
        if written.length < track.length:
            left_out += track.length - written.length
            names.append(next(iter(track.features.values())).column.path)
        kept.append(written)
    if left_out:
        more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
        findings.note(
            f"{left_out:,} row{'s' * (left_out != 1)} at the head or the tail of {', '.join(names[:3])}{more} left out"
            ": depth and all values are zero or missing there, as in storage that was never written"
        )
    return kept


def _written(track: Track) -> Track:
    if track.depth is None or not track.length:
        return track
    stored = replace(track, section_depths=None) if track.section_depths else track  # an offset of 0, not its depth
    if track.length <= SHORT:
        depth = stored.read_depth((0, track.length))
        if not (_may_begin_blank(depth[: 1 + NEIGHBOURS]) or _may_begin_blank(depth[-1 - NEIGHBOURS :][::-1])):
            return track
    head = _Run.of(stored, from_end=False)
    if head.length == track.length:
        return replace(track, length=0) if head.length > 1 else track
    tail = _Run.of(stored, from_end=True)
    between = head.length, track.length - tail.length
    first = head.length if head.was_never_written(stored, between) else 0
    stop = track.length - (tail.length if tail.was_never_written(stored, between) else 0)
    if stop - first == track.length:
        return track
    return replace(track, first=track.first + first, length=stop - first)


@dataclass(frozen=True)
class _Run:
    """The blank rows at one end of a track."""

    from_end: bool
    length: int
    has_zero: bool

    @classmethod
    def of(cls, track: Track, *, from_end: bool) -> _Run:
        length, has_zero = 0, False
        n = min(1 + NEIGHBOURS, track.length)
        depth = track.read_depth((track.length - n, track.length) if from_end else (0, n))[:: -1 if from_end else 1]
        if not _may_begin_blank(depth):
            return cls(from_end, 0, False)
        for span in _spans_inwards(track, from_end):
            stretch = track.read(span)
            blank = _blank_rows(stretch)[:: -1 if from_end else 1]
            n = len(blank) if blank.all() else int(np.argmin(blank))
            rows = slice(len(blank) - n, None) if from_end else slice(n)
            has_zero |= any(bool((values[rows] == 0).any()) for values in stretch.features.values())
            length += n
            if n < len(blank):
                break
        return cls(from_end, length, has_zero)

    def was_never_written(self, track: Track, between: tuple[int, int]) -> bool:
        """Compare the run with the rows beside it; ``between`` are the first row and the end of those not blank."""
        if not self.length:
            return False
        start, stop = between
        near = (max(stop - NEIGHBOURS, start), stop) if self.from_end else (start, min(start + NEIGHBOURS, stop))
        depth = track.read_depth(near)[:: -1 if self.from_end else 1]
        depth = depth[~np.isnan(depth)]
        steps, jumps = np.abs(np.diff(depth)), _jumps(depth)
        impossible = self.has_zero and any(track.feature_set[i].is_never_0 for i in track.features)
        if self.length == 1:
            return jumps and impossible
        return bool(jumps or impossible or not self.has_zero or (steps > 0).all())


def _may_begin_blank(depth: NDArray[np.float64]) -> bool:
    """Return whether rows from an end on may begin with blank ones, by their depths: hardly ever, also at 0 m."""
    blank = is_blank_number(depth[:2])
    return bool(blank[0]) and (len(depth) == 1 or bool(blank[1]) or _jumps(depth[1:]))


def _jumps(depth: NDArray[np.float64]) -> bool:
    """Return whether depth jumps between a blank run and the rows beside it, whose depths are given from it on."""
    depth = depth[~np.isnan(depth)]
    return len(depth) > 1 and bool(abs(depth[0]) > JUMP * np.abs(np.diff(depth)).max())


def _spans_inwards(track: Track, from_end: bool) -> Iterator[tuple[int, int]]:
    """Divide a track into spans from one of its ends: of one row, then of twice as many, up to those of a block."""
    at, rows = 0, 1
    while at < track.length:
        stop = min(at + rows, track.length)
        yield (track.length - stop, track.length - at) if from_end else (at, stop)
        at, rows = stop, min(2 * rows, track.block_rows)


def _blank_rows(stretch: Stretch) -> NDArray[np.bool_]:
    blank = np.ones(stretch.length, np.bool_)
    for values in (stretch.depth, *stretch.features.values()):
        blank &= is_blank_number(values)
    for part in stretch.track.address:
        blank &= np.isin(stretch.address[part], BLANK_TEXTS)
    return blank


def is_blank_number(values: NDArray[np.float64] | None) -> NDArray[np.bool_]:
    """Return which numbers are 0 or missing; shape (n,)."""
    assert values is not None
    return np.asarray((values == 0) | np.isnan(values))
