"""Sensors that repeat one value for longer than is natural for their channel.

How long is natural, the scan itself tells: a channel whose values differ from row to row never repeats one eight times,
while whole numbers, or readings that are copied onto a finer grid, repeat all the time. The rows before a run of equal
values give the probability that a value is repeated, and so a length that chance does not reach. Later rows do not
change the flags of earlier ones, so that a scan that is followed has the same flags.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.features import GAMMA, FeatureSet, Quantity

WINDOW = 64
"""Number of values before a run by which the repetitions in its surroundings are counted."""
CHANCE = 1e-9
"""A run is too long if its length has at most this probability."""
PRIOR, WEIGHT = 0.9, 1.0
"""Before anything is known, nine of ten values count as repeated; this has the weight of so many values."""
MAX_RUNS = 1000
"""Largest number of runs that are kept for each feature; all are counted."""


@dataclass
class Run:
    """A stretch of rows in which a sensor repeats a value.

    Attributes
    ----------
    value : float
        The value.
    n : int
        Number of rows.
    top, base : float
        Depths in metres of the first and the last row; NaN without one.
    """

    value: float
    n: int
    top: float
    base: float


class StuckSensors:
    """Flags the rows of sensors that repeat one value, block by block.

    Parameters
    ----------
    features : FeatureSet
        The features.

    Attributes
    ----------
    runs : list of list of Run
        The runs of each feature that are too long.
    n_runs : list of int
        Their number.
    """

    def __init__(self, features: FeatureSet) -> None:
        self._channels = [_Channel(feature) for feature in features]

    def take(
        self, values: NDArray[np.float32], depth: NDArray[np.float64] | None, starts: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        """Take the next rows.

        Parameters
        ----------
        values : ndarray of shape (n, n_features), float32
            The values; NaN where missing, which neither ends a run nor belongs to it.
        depth : ndarray of shape (n,), float64, or None
            Depths in metres.
        starts : ndarray of int
            First row of each core: no run goes on there.

        Returns
        -------
        ndarray of shape (n,), bool
            Which rows have a value that a sensor has repeated for too long by then.
        """
        flags = np.zeros(len(values), np.bool_)
        depth = np.full(len(values), np.nan) if depth is None else depth
        for channel, column in zip(self._channels, values.T, strict=True):
            channel.take(column, depth, starts, flags)
        return flags

    @property
    def runs(self) -> list[list[Run]]:
        """The runs of each feature that are too long, in order; also one at the very start, which later rows tell."""
        return [[*channel.opening, *channel.runs] for channel in self._channels]

    @property
    def n_runs(self) -> list[int]:
        """Number of runs of each feature that are too long."""
        return [len(channel.opening) + channel.n_runs for channel in self._channels]

    @property
    def constant(self) -> list[Run | None]:
        """For each feature, the only value that it has in the whole scan; None if it has several, or a natural one."""
        return [channel.only for channel in self._channels]


class _Channel:
    """The runs of one feature."""

    def __init__(self, feature: Quantity) -> None:
        self._natural = natural_repeats(feature)
        self._last, self._length = np.float32(np.nan), 0
        self._top = np.nan
        self._opening, self._is_opening = Run(np.nan, 0, np.nan, np.nan), True
        self._allowed = 0.0  # length of the present run that chance reaches
        self._recent = np.empty(0, np.bool_)  # which of the latest values were repeated
        self._n = self._n_repeated = 0
        self._is_long = False
        self.runs: list[Run] = []
        self.n_runs = 0

    @property
    def only(self) -> Run | None:
        """The only value; None if there are several, or none, or it is a natural one."""
        return self._opening if self._opening.n == self._n > 0 and self._opening.value not in self._natural else None

    @property
    def opening(self) -> list[Run]:
        """The first run, if the values after it show that it is too long."""
        first, n_after = self._opening, self._n - self._opening.n
        is_known = bool(self.runs) and (self.runs[0].value, self.runs[0].n) == (first.value, first.n)
        if is_known or first.value in self._natural or n_after < WINDOW:
            return []
        share = (PRIOR * WEIGHT + self._n_repeated - (first.n - 1)) / (WEIGHT + n_after)
        return [first] if first.n > _allowed(share) else []

    def take(
        self,
        column: NDArray[np.float32],
        depth: NDArray[np.float64],
        starts: NDArray[np.intp],
        flags: NDArray[np.bool_],
    ) -> None:
        rows = np.flatnonzero(column == column)
        if not len(rows):
            return
        values = column[rows]
        same = np.empty(len(values), np.bool_)
        same[0], same[1:] = values[0] == self._last, values[1:] == values[:-1]
        same[np.searchsorted(rows, starts[starts <= rows[-1]])] = False
        began = np.flatnonzero(~same)  # the first value of each run that begins here
        if len(began) == len(same):  # most blocks of continuous values
            self._begin(values, began, same)
            self._top = float(depth[rows[-1]])
        else:
            self._measure(values, rows, depth, same, began, flags)
        if self._is_opening:
            self._open(values, rows, depth, began)
        self._n += len(values)
        self._n_repeated += int(np.count_nonzero(same))
        self._recent = np.concatenate([self._recent, same])[-WINDOW:]
        self._last = values[-1]

    def _begin(self, values: NDArray[np.float32], began: NDArray[np.intp], same: NDArray[np.bool_]) -> None:
        """Remember the last run that begins in a block."""
        self._length, self._is_long = len(same) - int(began[-1]), False
        self._allowed = float(self._allowance(began[-1:], same)[0])

    def _open(
        self,
        values: NDArray[np.float32],
        rows: NDArray[np.intp],
        depth: NDArray[np.float64],
        began: NDArray[np.intp],
    ) -> None:
        """Follow the first run of the scan."""
        first = self._opening
        ends = began[began > 0] if not first.n else began
        n = int(ends[0]) if len(ends) else len(values)
        self._is_opening = not len(ends)
        if n:
            top = first.top if first.n else float(depth[rows[0]])
            base = float(depth[rows[n - 1]])
            self._opening = Run(float(values[0]), first.n + n, top, base)

    def _allowance(self, began: NDArray[np.intp], same: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the length that chance reaches, for runs that begin at some values of a block."""
        n_recent = len(self._recent)
        total = np.concatenate([[0], np.cumsum(np.concatenate([self._recent, same]))])
        end = n_recent + began
        start = np.maximum(0, end - WINDOW)
        local = (PRIOR * WEIGHT + total[end] - total[start]) / (WEIGHT + end - start)
        before = total[end] - total[n_recent]
        overall = (PRIOR * WEIGHT + self._n_repeated + before) / (WEIGHT + self._n + began)
        return np.asarray(_allowed(np.maximum(local, overall)))

    def _measure(
        self,
        values: NDArray[np.float32],
        rows: NDArray[np.intp],
        depth: NDArray[np.float64],
        same: NDArray[np.bool_],
        began: NDArray[np.intp],
        flags: NDArray[np.bool_],
    ) -> None:
        """Flag the values of runs that have become too long."""
        lengths = np.diff(np.concatenate([[0], began, [len(same)]]))
        carried = int(lengths[0])  # values that belong to the run of the block before
        allowed = self._allowance(began, same)
        run_starts, totals = began, lengths[1:]
        if carried:
            run_starts = np.concatenate([[0], began])
            totals, allowed = lengths.copy(), np.concatenate([[self._allowed], allowed])
            totals[0] += self._length
        for j in np.flatnonzero(totals > allowed).tolist():
            first, last = int(run_starts[j]), int(run_starts[j + 1] if j + 1 < len(run_starts) else len(same)) - 1
            if float(values[first]) in self._natural:
                continue
            goes_on = carried and j == 0
            before = self._length if goes_on else 0
            flags[rows[first + max(0, int(allowed[j]) - before) : last + 1]] = True
            base = float(depth[rows[last]])
            if goes_on and self._is_long:
                if self.n_runs <= MAX_RUNS:
                    self.runs[-1] = Run(self.runs[-1].value, int(totals[j]), self.runs[-1].top, base)
            else:
                top = self._top if goes_on else float(depth[rows[first]])
                self.n_runs += 1
                if self.n_runs <= MAX_RUNS:
                    self.runs.append(Run(float(values[first]), int(totals[j]), top, base))
        is_last_long = bool(totals[-1] > allowed[-1]) and float(values[-1]) not in self._natural
        if len(began):
            self._top = float(depth[rows[began[-1]]])
        self._length, self._allowed, self._is_long = int(totals[-1]), float(allowed[-1]), is_last_long


def _allowed(share: Any) -> Any:
    """Return the length of a run that chance reaches, by the share of values that are repeated."""
    return np.ceil(np.log(CHANCE) / np.log(np.minimum(share, 1 - 1e-9)))


def natural_repeats(feature: Quantity) -> set[float]:
    """Return the values that a working sensor may repeat for metres: the ends of its scale, and a reading of nothing.

    A carbonate has no susceptibility, and a gap in a core is black; but there is always some gamma radiation.
    """
    low, high = feature.plausible
    zero = {0.0} if low <= 0 <= high and feature.name != GAMMA.name else set()
    return {low, high} | zero
