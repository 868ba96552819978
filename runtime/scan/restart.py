"""Depths that start again with each section or core: noticed before samples from different places are averaged."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.bins import MAX_DEPTH

from .address import ADDRESS, HOLE_PARTS, AddressCodes, Texts

NEAR_ZERO = 0.5
"""Depth (m) above which a section starts near 0."""
Key = tuple[str, ...]
Span = tuple[float, float]


class Restart(NamedTuple):
    """What starts again: the ``level``, core, section or run (of rows), and a sentence that says so."""

    level: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence


class DepthRanges:
    """The ranges of depth that each section's samples span: they follow each other, or start again near 0.

    Where samples do not say their section or core, the runs of rows in which depth does not fall stand for these.
    Memory grows with the sections.
    """

    def __init__(self) -> None:
        self._codes = AddressCodes()
        self._low = self._high = np.empty(0)
        self._runs: dict[Key, _Runs] = {}

    def add(self, address: Texts, starts: NDArray[np.intp], depth: NDArray[np.float64], track: str = "") -> None:
        """Add samples of a track: the address of each of their `run_starts`, and their depths (m), some of them NaN."""
        if not {"core", "section"} & set(address):
            for start, stop, *hole in zip(starts, [*starts[1:], len(depth)], *address.values(), strict=True):
                self._runs.setdefault((track, *map(str, hole)), _Runs()).add(depth[start:stop])
            return
        depth = np.where(np.abs(depth) <= MAX_DEPTH, depth, np.nan)
        blank = np.full(len(starts), "")
        codes = self._codes.encode([address.get(part, blank) for part in ADDRESS], len(starts))
        more = np.full(len(self._codes) - len(self._low), np.nan)
        self._low, self._high = np.append(self._low, more), np.append(self._high, more)
        np.fmin.at(self._low, codes, np.fmin.reduceat(depth, starts))
        np.fmax.at(self._high, codes, np.fmax.reduceat(depth, starts))

    def restart(self) -> Restart | None:
        """Tell whether depths start again with each section, or core.

        They do if more than half of a hole's sections (two at least) start above `NEAR_ZERO` and lie over one another.
        Depths below sea floor do not, unsorted or overlapping as they may be.
        """
        for level in ("section", "core"):
            last = list(ADDRESS).index(level) + 1
            holes: dict[Key, dict[Key, Span]] = {}
            for key, low, high in zip(self._codes.keys(), self._low.tolist(), self._high.tolist(), strict=True):
                if key[last - 1] and low == low:
                    ranges = holes.setdefault(key[: len(HOLE_PARTS)], {})
                    known = ranges.get(key[:last], (low, high))
                    ranges[key[:last]] = (min(low, known[0]), max(high, known[1]))
            for ranges in holes.values():
                if n := _piled_up(list(ranges.values())):
                    return Restart(level, f"depths start again near 0 with each {level} ({n} of {len(ranges)})")
        for (track, *_), runs in self._runs.items():
            if n := _piled_up(runs.spans):
                of = f" of {track}" if track else ""
                return Restart("run", f"depths{of} fall back to near 0 and rise again {n} times")
        return None


class _Runs:
    """The runs of a track's rows in which depth does not fall; none where it falls elsewhere than to near 0."""

    JITTER = 0.1
    """A fall (m) that is none."""
    SHORTEST = 1.0
    """Length (m) of a run that could be a section."""
    MOST = 10_000

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._last = np.nan
        self._in_order = True

    def add(self, depth: NDArray[np.float64]) -> None:
        if not self._in_order or len(self._spans) > self.MOST:
            return
        is_depth = np.abs(depth) <= MAX_DEPTH
        depth = depth if is_depth.all() else depth[is_depth]
        if not len(depth):
            return
        falls = 1 + np.flatnonzero(depth[1:] < depth[:-1] - self.JITTER)
        if depth[0] < self._last - self.JITTER:
            falls = np.append(0, falls)
        self._last = depth[-1]
        if (depth[falls] > NEAR_ZERO).any():
            self._in_order, self._spans = False, []
            return
        starts = np.union1d(falls, [0])
        low, high = np.minimum.reduceat(depth, starts), np.maximum.reduceat(depth, starts)
        found = list(zip(low.tolist(), high.tolist(), strict=True))
        if self._spans and not (len(falls) and falls[0] == 0):
            open_low, open_high = self._spans.pop()
            found[0] = (min(open_low, found[0][0]), max(open_high, found[0][1]))
        self._spans += found

    @property
    def spans(self) -> list[Span]:
        """Shallowest and deepest depth of each run that could be a section."""
        return [(low, high) for low, high in self._spans if high - low >= self.SHORTEST]


def _piled_up(spans: list[Span]) -> int:
    """Count the spans that start near 0 and lie over one another; 0 unless they are more than half of all."""
    near = sorted(span for span in spans if span[0] < NEAR_ZERO)
    over = sum(_overlap(*pair) for pair in pairwise(near))
    return over + 1 if over and 2 * (over + 1) > len(spans) else 0


def _overlap(one: Span, other: Span) -> bool:
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared >= 0.5 * min(one[1] - one[0], other[1] - other[0])
