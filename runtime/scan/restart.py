"""Detection of depths that start again with each section or core, before samples from different ones are averaged."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.bins import MAX_DEPTH

from .address import ADDRESS, HOLE_PARTS, AddressCodes, Texts
from .depths import Depths

NEAR_ZERO = 0.5
"""Depth (m) below which the start of a section counts as near 0."""
Key = tuple[str, ...]
Span = tuple[float, float]
_IsInside = Callable[[NDArray[np.intp]], NDArray[np.bool_]]


class Restart(NamedTuple):
    """A detected restart: its ``level`` (``core``, ``section``, or ``run`` of rows) and a ``sentence`` for messages."""

    level: str
    sentence: str

    def __str__(self) -> str:
        return self.sentence


class DepthRanges:
    """Depth ranges of sections, which show whether sections follow one another or each start again near 0.

    Runs of rows in which depth increases show whether it falls back and rises again, whatever names the rows have:
    two holes that nothing distinguishes may have the same cores. Memory grows with the number of sections.
    """

    def __init__(self) -> None:
        self._codes, self._holes = AddressCodes(), AddressCodes()
        self._low = self._high = np.empty(0)
        self._runs: dict[tuple[str, int], _Order] = {}

    def add(self, address: Texts, starts: NDArray[np.intp], depths: Depths, track: str = "") -> None:
        """Add samples of a track: the address at each of their `run_starts`, and their depths."""
        if not len(depths):
            return
        low, high = depths.ends
        is_whole = low >= -MAX_DEPTH and high <= MAX_DEPTH
        present = None if is_whole else np.abs(depths.values) <= MAX_DEPTH
        if present is not None:
            depths = Depths(np.where(present, depths.values, np.nan))
        n, blank = len(starts), np.full(len(starts), "")
        codes = self._codes.encode([address.get(part, blank) for part in ADDRESS], n)
        if more := len(self._codes) - len(self._low):
            self._low, self._high = (np.append(known, np.full(more, np.nan)) for known in (self._low, self._high))
        lows, highs = ([low], [high]) if is_whole and n == 1 else _ranges(depths.values, starts)
        np.fmin.at(self._low, codes, lows)
        np.fmax.at(self._high, codes, highs)
        holes = self._holes.encode([address.get(part, blank) for part in HOLE_PARTS], n)
        sections = np.where(address.get("section", blank) == "", -1, codes)
        distinct = sorted(set(holes.tolist()))
        for hole in distinct:
            runs = self._runs.setdefault((track, hole), _Order())
            if present is None and len(distinct) == 1:
                runs.add(depths, starts, sections)
                continue
            of_hole = holes == hole
            rows = np.repeat(of_hole, np.diff(starts, append=len(depths)))
            rows = rows if present is None else rows & present
            before = np.concatenate([[0], np.cumsum(rows)])[starts]  # where each run starts among these rows
            runs.add(Depths(depths.values[rows]), before[of_hole], sections[of_hole])

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
        holes_of: dict[int, list[tuple[str, _Order]]] = {}
        for (track, hole), order in self._runs.items():
            holes_of.setdefault(hole, []).append((track, order))
        for orders in holes_of.values():  # tables of the same features, too, may be of different places
            if again := _Order.joined([order for _, order in orders]).again():
                of = f" of {orders[0][0]}" if orders[0][0] else ""
                depth = -max(again.spans[0]) if again.is_upwards else min(again.spans[0])
                where = "near 0" if abs(depth) < NEAR_ZERO else f"{depth:.2f} m"
                words = ("jump back", "fall again") if again.is_upwards else ("fall back", "rise again")
                return Restart("run", f"depths{of} {words[0]} to {where} and {words[1]} {again.n} times")
        return None


def _ranges(depth: NDArray[np.float64], starts: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and the greatest depth from each of some rows on to the next; NaN only where all are."""
    if len(starts) == 1:  # many times faster
        return np.fmin.reduce(depth, keepdims=True), np.fmax.reduce(depth, keepdims=True)
    return np.fmin.reduceat(depth, starts), np.fmax.reduceat(depth, starts)


class Run(NamedTuple):
    """Rows in which depth increases: their range (m), their number, and whether they begin within a section."""

    low: float
    high: float
    n: int
    is_inside: bool

    @property
    def length(self) -> float:
        """Length in metres."""
        return self.high - self.low


class Again(NamedTuple):
    """Runs that go over depths of other runs: their number, with those, their ranges, and the direction of all."""

    n: int
    spans: list[Span]
    is_upwards: bool = False


class _Order:
    """The order of a track's depths, downwards and upwards: a core may be logged either way."""

    def __init__(self) -> None:
        self._down, self._up = _Runs(), _Runs()
        self._last, self._last_section = np.nan, -1
        self._n_down = self._n_up = 0

    def add(self, depths: Depths, starts: NDArray[np.intp], sections: NDArray[np.int64]) -> None:
        """Add rows: their depths (no NaN), and a code of the section from each of some rows on, -1 if unnamed."""
        if not len(depths):
            return
        depth = depths.values
        before = float(depth[0] - self._last)
        before = 0.0 if before != before else before
        least, most = min(before, depths.least_step), max(before, depths.most_step)
        if least >= 0 and most <= _Runs.JITTER:  # most blocks: depth increases slowly
            n_steps = len(depth) - 1 if least > 0 else int(np.count_nonzero(depths.steps))
            self._n_down += n_steps + (before > 0)
            low, high = depths.ends
            self._down.go_on(len(depth), low, high)
            self._up.go_on(len(depth), -high, -low)
            self._last, self._last_section = high, int(sections[-1])
            return
        step = np.append(before, depths.steps)
        self._n_down += int(np.count_nonzero(step > 0))
        self._n_up += int(np.count_nonzero(step < 0))

        def is_inside(rows: NDArray[np.intp]) -> NDArray[np.bool_]:
            now = sections[np.searchsorted(starts, rows, side="right") - 1]
            earlier = sections[np.searchsorted(starts, rows - 1, side="right") - 1]
            return np.asarray((now >= 0) & (now == np.where(rows == 0, self._last_section, earlier)))

        for runs, falls, values in (
            (self._down, np.flatnonzero(step < -_Runs.JITTER), depth),
            (self._up, np.flatnonzero(step > _Runs.JITTER), -depth),
        ):
            runs.add(values, falls, is_inside)
        self._last, self._last_section = float(depth[-1]), int(sections[-1])

    @classmethod
    def joined(cls, orders: list[_Order]) -> _Order:
        """Return the order of several tables."""
        if len(orders) == 1:
            return orders[0]
        found = cls()
        for order in orders:
            found._n_down, found._n_up = found._n_down + order._n_down, found._n_up + order._n_up
            found._down.join(order._down)
            found._up.join(order._up)
        return found

    def again(self) -> Again | None:
        """Return the runs that go over the depths of others; None if depths are in any other order."""
        is_upwards = self._n_up > self._n_down
        found = (self._up if is_upwards else self._down).again()
        return found and found._replace(is_upwards=is_upwards)


class _Runs:
    """Runs of a track's rows in which depth does not decrease."""

    JITTER = 0.1
    """Decrease (m) that is ignored."""
    SHORTEST = 1.0
    """Length (m) of a run that could be a hole, a core or a section; half of the longest run if that is shorter."""
    FEWEST = 5
    """Samples of such a run, so that shuffled rows have hardly any; any number if depth falls back to near 0 only."""
    MOST = 10_000

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._n = 0
        self._only_near_zero = True

    def add(self, depth: NDArray[np.float64], falls: NDArray[np.intp], is_inside_at: _IsInside) -> None:
        """Add rows: their depths (m; no NaN), before which of them it falls, and what says if one is in a section."""
        self._n += len(depth)
        if len(self._runs) > self.MOST:
            return
        self._only_near_zero &= not (np.abs(depth[falls]) > NEAR_ZERO).any()
        goes_on = not len(falls) or falls[0] > 0
        starts = np.append(0, falls) if goes_on else falls
        low, high = _ranges(depth, starts)
        is_inside = is_inside_at(falls)
        inside = np.append(False, is_inside) if goes_on else is_inside
        counts = np.diff(starts, append=len(depth))
        found = [Run(*run) for run in zip(*(x.tolist() for x in (low, high, counts, inside)), strict=True)]
        if self._runs and goes_on:
            known, first = self._runs.pop(), found[0]
            found[0] = Run(min(known.low, first.low), max(known.high, first.high), known.n + first.n, known.is_inside)
        self._runs += found

    def go_on(self, n: int, low: float, high: float) -> None:
        """Add ``n`` rows before which, and among which, depth does not fall: their least and greatest depth (m)."""
        self._n += n
        if len(self._runs) > self.MOST:
            return
        known = self._runs.pop() if self._runs else Run(low, high, 0, False)
        self._runs.append(Run(min(known.low, low), max(known.high, high), known.n + n, known.is_inside))

    def join(self, other: _Runs) -> None:
        """Add the runs of another table."""
        self._runs += other._runs
        self._n += other._n
        starts = [run.low for run in other._runs]
        self._only_near_zero &= other._only_near_zero and all(abs(low) <= NEAR_ZERO for low in starts)

    def again(self) -> Again | None:
        """Return the runs that go over the depths of others; None if depths are in any other order.

        A section that was measured twice, one time after the other, is no such run unless that is most of the rows.
        """
        if len(self._runs) < 2 or len(self._runs) > self.MOST:
            return None
        shortest = min(self.SHORTEST, max(run.length for run in self._runs) / 2)
        fewest = 2 if self._only_near_zero else self.FEWEST
        runs = sorted(run for run in self._runs if run.length >= shortest and run.n >= fewest)
        if 2 * sum(run.n for run in runs) < self._n:
            return None
        over: list[Run] = []
        spans: list[Span] = []
        deepest: Run | None = None
        for run in runs:
            if deepest and _overlap(deepest[:2], run[:2]):
                later = run if run.is_inside or not deepest.is_inside else deepest
                over.append(later)
                spans.append(run[:2])
            if deepest is None or run.high > deepest.high:
                deepest = run
        twice = sum(run.length for run in over if run.is_inside)
        once = sum(run.length for run in runs if not run.is_inside)
        if not over or (all(run.is_inside for run in over) and 2 * twice <= once):
            return None
        return Again(len(over) + 1, spans)


def _n_restarts(spans: list[Span]) -> int:
    """Count the spans that start near 0 and overlap; 0 unless they are more than half of all."""
    near = sorted(span for span in spans if span[0] < NEAR_ZERO)
    over = sum(_overlap(*pair) for pair in pairwise(near))
    return over + 1 if over and 2 * (over + 1) > len(spans) else 0


def _overlap(one: Span, other: Span) -> bool:
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared >= 0.5 * min(one[1] - one[0], other[1] - other[0])
