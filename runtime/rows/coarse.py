"""Detects depths that are coarser than the bins: whole metres, or numbers of too few bits."""

from __future__ import annotations

import numpy as np

from lithovae.runtime.scan.depths import Depths


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

    def add(self, depths: Depths) -> None:
        """Add depths in file order."""
        if not len(depths):
            return
        depth, wide = depths.values, self._width * (1 + 1e-6)
        first, self._last = abs(float(depth[0]) - self._last), float(depth[-1])
        if 0 < first <= wide and depths.least_step > 0 and depths.most_step <= wide:  # most blocks
            self._n += len(depth)
            self._n_depths += len(depth)
            return
        step = np.append(first, np.abs(depths.steps))
        is_new = step != 0  # also where one of the two is NaN
        n = len(depth)
        is_missing = np.isnan(depth)
        if is_missing.any():
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
