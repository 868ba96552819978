"""The rows of a hole on lines of pixels: of the many rows in a line, the least, the greatest or the mean is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .tracks import Hole

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Lines:
    """Lines of pixels, from one depth to another.

    Attributes
    ----------
    edges : ndarray of shape (height + 1,), float64
        Depths at which lines begin and end.
    first : ndarray of shape (height + 1,), int64
        Rows whose depths are in line ``i`` are ``first[i]`` to ``first[i + 1]``, not included.
    cover : ndarray of shape (height,), int64
        For a line, the row that it shows: the first one in it, or the one whose cell covers it; -1 in a gap.
    """

    edges: NDArray[np.float64]
    first: NDArray[np.int64]
    cover: NDArray[np.int64]

    @classmethod
    def of(cls, depth: NDArray[np.float64], hole: Hole, low: float, high: float, height: int) -> Lines:
        """Lay the rows of a hole on lines.

        Parameters
        ----------
        depth : ndarray of shape (n,), float64
            Depth of each row of the log.
        hole : Hole
            The hole.
        low, high : float
            Depths of the upper and the lower end.
        height : int
            Number of lines.
        """
        own = depth[hole.start : hole.stop]
        edges = np.linspace(low, high, height + 1)
        first = np.searchsorted(own, edges)
        top, base = cells(own, hole)
        middle = (edges[:-1] + edges[1:]) / 2
        above, below = (first[:-1] - 1).clip(0), first[:-1].clip(max=len(own) - 1)
        cover = np.where((base[above] > middle) & (top[above] <= middle), above, -1)
        cover = np.where((top[below] <= middle) & (base[below] > middle), below, cover)
        cover = np.where(first[1:] > first[:-1], first[:-1], cover)
        return cls(edges, first + hole.start, np.where(cover < 0, -1, cover + hole.start))

    def picked(self, values: NDArray[Any], otherwise: Any) -> NDArray[Any]:
        """Return the value of each line's row, or another value in a gap."""
        if not len(values):
            return np.full((len(self.cover), *values.shape[1:]), otherwise)
        found = values[self.cover]
        found[self.cover < 0] = otherwise
        return np.asarray(found)

    def reduced(self, values: Floats, reduce: np.ufunc) -> NDArray[np.float64]:
        """Return `numpy.fmin` or `numpy.fmax` of the rows of each line; NaN in a gap."""
        found = self.picked(values.astype(np.float64), np.nan)
        begins = np.flatnonzero(self.first[1:] > self.first[:-1])
        if len(begins):
            found[begins] = reduce.reduceat(values[: self.first[-1]], self.first[begins], axis=0)
        return found

    def mean(self, values: Floats) -> NDArray[np.float64]:
        """Return the mean of the rows of each line, without NaN; NaN in a gap."""
        found = self.picked(values.astype(np.float64), np.nan)
        begins = np.flatnonzero(self.first[1:] > self.first[:-1])
        if len(begins):
            used = values[: self.first[-1]].astype(np.float64)
            sums = np.add.reduceat(np.nan_to_num(used), self.first[begins], axis=0)
            counts = np.add.reduceat(np.isfinite(used).astype(np.float64), self.first[begins], axis=0)
            found[begins] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
        return found

    def share(self, is_so: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the share of the rows of each line for which something holds; 0 in a gap."""
        return np.nan_to_num(self.mean(is_so.astype(np.float64)))


def cells(depth: NDArray[np.float64], hole: Hole) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where the cell of each row begins and ends: half-way to the next row, or half a step beside a gap."""
    steps = np.diff(depth)
    half = np.where(steps <= hole.gap, steps, hole.step) / 2
    return depth - np.concatenate([[hole.step / 2], half]), depth + np.concatenate([half, [hole.step / 2]])


def runs(is_so: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return the first line, and the one after the last, of each run for which something holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_so, [False]]).astype(np.int8)))
    return [(int(begin), int(end)) for begin, end in edges.reshape(-1, 2)]
