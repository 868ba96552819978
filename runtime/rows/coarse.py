"""Detects depths that are coarser than the bins: whole metres, or numbers of too few bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class CoarseDepths:
    """The steps between the depths of a track, block by block.

    Parameters
    ----------
    width : float
        Width of a bin in metres.
    """

    def __init__(self, width: float) -> None:
        self._width = width
        self._last = np.nan
        self._n = self._n_depths = self._n_wide = 0

    def add(self, depth: NDArray[np.float64]) -> None:
        """Add depths (m) in file order; NaN where missing."""
        if not len(depth):
            return
        step = np.empty(len(depth))
        step[0] = depth[0] - self._last
        np.subtract(depth[1:], depth[:-1], out=step[1:])
        np.abs(step, out=step)
        self._last = float(depth[-1])
        widest, wide = step.max(), self._width * (1 + 1e-6)
        if widest <= wide and step.min() > 0:  # most blocks
            self._n += len(depth)
            self._n_depths += len(depth)
            return
        is_new = step != 0  # also where one of the two is NaN
        n = len(depth)
        if np.isnan(widest):
            is_missing = np.isnan(depth)
            n -= int(np.count_nonzero(is_missing))
            is_new &= ~is_missing
        self._n += n
        self._n_depths += int(np.count_nonzero(is_new))
        self._n_wide += int(np.count_nonzero(step > wide))

    def note(self, name: str) -> str:
        """Return a note on the depths of a track; empty if they are fine enough, or no samples share one."""
        if self._n < 2 * self._n_depths or 2 * self._n_wide < self._n_depths - 1 or self._n_depths < 2:
            return ""
        return (
            f"depths of {name} are coarser than the bins of {self._width:g} m: {self._n:,} samples share "
            f"{self._n_depths:,} depths, {self._n / self._n_depths:.0f} each on average"
        )
