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
        step = np.abs(np.diff(depth, prepend=self._last))
        starts = np.flatnonzero(~(step == 0) & ~np.isnan(depth))
        present = int(np.count_nonzero(~np.isnan(depth)))
        self._n += present
        self._n_depths += len(starts)
        self._n_wide += int(np.count_nonzero(step > self._width * (1 + 1e-6)))
        if len(depth):
            self._last = float(depth[-1])

    def note(self, name: str) -> str:
        """Return a note on the depths of a track; empty if they are fine enough, or no samples share one."""
        if self._n < 2 * self._n_depths or 2 * self._n_wide < self._n_depths - 1 or self._n_depths < 2:
            return ""
        return (
            f"depths of {name} are coarser than the bins of {self._width:g} m: {self._n:,} samples share "
            f"{self._n_depths:,} depths, {self._n / self._n_depths:.0f} each on average"
        )
