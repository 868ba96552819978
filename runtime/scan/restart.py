"""Detection of depths that start again with each section or core, before samples from different ones are averaged."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.bins import MAX_DEPTH

from .address import ADDRESS, HOLE_PARTS, AddressCodes, Texts

NEAR_ZERO = 0.5
"""Depth (m) below which the start of a section counts as near 0."""
Key = tuple[str, ...]
Span = tuple[float, float]


class Restart(NamedTuple):
    """A detected restart: its ``level`` (``core``, ``section``, or ``run`` of rows) and a ``sentence`` for messages."""

    level: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence


class DepthRanges:
    """Depth ranges of sections, which show whether sections follow one another or each start again near 0.

    If samples do not state their section or core, runs of rows in which depth does not decrease are used instead.
    Memory grows with the number of sections.
    """

    def __init__(self) -> None:
        self._codes = AddressCodes()
        self._low = self._high = np.empty(0)
        self._runs: dict[Key, _Runs] = {}

    def add(self, address: Texts, starts: NDArray[np.intp], depth: NDArray[np.float64], track: str = "") -> None:
        """Add samples of a track: the address at each of their `run_starts`, and their depths (m; may contain NaN)."""
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
        """Return how depths start again with each section or core; None if they do not.

        They do if more than half of a hole's sections (at least two) start above `NEAR_ZERO` and overlap one another.
        Depths below sea floor do not, even if they are unsorted or overlap.
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
                if n := _n_restarts(list(ranges.values())):
                    return Restart(level, f"depths start again near 0 with each {level} ({n} of {len(ranges)})")
        for (track, *_), runs in self._runs.items():
            if n := _n_restarts(runs.spans):
                of = f" of {track}" if track else ""
                return Restart("run", f"depths{of} fall back to near 0 and rise again {n} times")
        return None


class _Runs:
    """Runs of a track's rows in which depth does not decrease; none if it decreases to anything but near 0."""

    JITTER = 0.1
    """Decrease (m) that is ignored."""
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


def _n_restarts(spans: list[Span]) -> int:
    """Count the spans that start near 0 and overlap; 0 unless they are more than half of all."""
    near = sorted(span for span in spans if span[0] < NEAR_ZERO)
    over = sum(_overlap(*pair) for pair in pairwise(near))
    return over + 1 if over and 2 * (over + 1) > len(spans) else 0


def _overlap(one: Span, other: Span) -> bool:
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared >= 0.5 * min(one[1] - one[0], other[1] - other[0])
