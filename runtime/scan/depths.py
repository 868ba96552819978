"""Depths of consecutive samples, with the steps between them: they are taken once for all that look at them."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

PIECE = 8192
"""Number of steps that are taken at once: they fit in a core's cache, and their array is used again."""


class Depths:
    """Depths of some consecutive samples.

    Parameters
    ----------
    values : ndarray of shape (n,), float64
        The depths in metres; NaN where missing.
    """

    def __init__(self, values: NDArray[np.float64]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def steps(self) -> NDArray[np.float64]:
        """Difference of each depth, but the first, to the one before it; shape (n - 1,)."""
        return self.values[1:] - self.values[:-1]

    @property
    def least_step(self) -> float:
        """Least of the steps; NaN if a depth is, infinity if there are no steps."""
        return self._extreme_steps[0]

    @property
    def most_step(self) -> float:
        """Greatest of the steps; NaN if a depth is, negative infinity if there are no steps."""
        return self._extreme_steps[1]

    @cached_property
    def _extreme_steps(self) -> tuple[float, float]:
        least, most, n = np.inf, -np.inf, max(0, len(self) - 1)
        piece = np.empty(min(n, PIECE))
        for start in range(0, n, PIECE):
            stop = min(start + PIECE, n)
            steps = np.subtract(self.values[start + 1 : stop + 1], self.values[start:stop], out=piece[: stop - start])
            least, most = np.minimum(least, steps.min()), np.maximum(most, steps.max())  # NaN stays NaN
        return float(least), float(most)

    @cached_property
    def ends(self) -> tuple[float, float]:
        """Least and greatest depth of at least one sample; NaN if a depth is."""
        if self.least_step >= 0:  # nearly every block
            return float(self.values[0]), float(self.values[-1])
        return float(self.values.min()), float(self.values.max())

    @cached_property
    def range(self) -> tuple[float, float] | None:
        """Least and greatest depth, but for NaN; None if there are no others."""
        if not len(self):
            return None
        low, high = self.ends
        if low != low:  # slower, but only where depths are missing
            low, high = float(np.fmin.reduce(self.values)), float(np.fmax.reduce(self.values))
        return (low, high) if low <= high else None
