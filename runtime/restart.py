"""Depths that start again with each section or core: noticed before samples from different places are averaged."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .address import ADDRESS, HOLE_PARTS, Codes, Texts
from .bins import MAX_DEPTH

NEAR_ZERO = 0.5
"""Depth (m) above which a section starts near 0."""
Key = tuple[str, ...]


class Restart(NamedTuple):
    """What starts again: the ``level``, core or section, and a sentence that says so."""

    level: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence


class DepthRanges:
    """The ranges of depth that each section's samples span: they follow each other, or start again near 0.

    Memory grows with the sections.
    """

    def __init__(self) -> None:
        self._codes = Codes()
        self._low = self._high = np.empty(0)

    def add(self, address: Texts, starts: NDArray[np.intp], depth: NDArray[np.float64]) -> None:
        """Add samples: the address of each of their `run_starts`, and their depths (m), some of them NaN."""
        if not {"core", "section"} & set(address):
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
            holes: dict[Key, dict[Key, tuple[float, float]]] = {}
            for key, low, high in zip(self._codes.keys(), self._low.tolist(), self._high.tolist(), strict=True):
                if key[last - 1] and low == low:
                    ranges = holes.setdefault(key[: len(HOLE_PARTS)], {})
                    known = ranges.get(key[:last], (low, high))
                    ranges[key[:last]] = (min(low, known[0]), max(high, known[1]))
            for ranges in holes.values():
                near = sorted(span for span in ranges.values() if span[0] < NEAR_ZERO)
                over = sum(_overlap(*pair) for pair in pairwise(near))
                if over and 2 * (over + 1) > len(ranges):
                    return Restart(level, f"depths start again near 0 with each {level} ({over + 1} of {len(ranges)})")
        return None


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared >= 0.5 * min(one[1] - one[0], other[1] - other[0])
