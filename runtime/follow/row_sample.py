"""A sample of the rows that were written: it tells a second core from a file that is read again."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

MOST = 1024
"""Largest number of rows that are kept, at regular distances."""
FIRST = 16
"""First rows that are kept in any case: a file that is read again begins with them."""
ENOUGH = 2
"""Rows that tell one core from another; fewer may have been written again for another reason."""

Rows = tuple[NDArray[np.float64], NDArray[np.float32]]
"""Depths (m) of shape (n,), and features of shape (n, n_features)."""


class RowSample:
    """Some of the rows that were written, by section. Memory does not grow with the rows."""

    def __init__(self) -> None:
        self._n, self._step = 0, 1
        self._rows: list[tuple[int, Hashable, float, NDArray[np.float32]]] = []

    def add(self, section: Hashable, depth: NDArray[np.float64], features: NDArray[np.float32]) -> None:
        """Keep some rows of a section: their depths (m), shape (n,), and their features, shape (n, n_features)."""
        number = self._n + np.arange(len(depth))
        for i in np.flatnonzero((number < FIRST) | (number % self._step == 0)).tolist():
            self._rows.append((int(number[i]), section, float(depth[i]), features[i].copy()))
        self._n += len(depth)
        while len(self._rows) > MOST:
            self._step *= 2
            self._rows = [row for row in self._rows if row[0] < FIRST or row[0] % self._step == 0]

    def is_of_another_core(self, sections: Mapping[Hashable, Sequence[Rows]]) -> bool | None:
        """Return whether rows of the same sections are of another core; None if there are too few to tell.

        They are if most of the rows kept that lie between them are not among them, or differ in every feature.
        """
        n = n_other = 0
        for section, blocks in sections.items():
            depth = np.concatenate([depth for depth, _ in blocks])
            features = np.concatenate([features for _, features in blocks])
            order = np.argsort(depth, kind="stable")[: np.count_nonzero(~np.isnan(depth))]
            depth, features = depth[order], features[order]
            for _, of, known, values in self._rows:
                if of == section and len(depth) and depth[0] <= known <= depth[-1]:
                    here = slice(*(int(np.searchsorted(depth, known, side)) for side in ("left", "right")))
                    n, n_other = n + 1, n_other + (not (features[here] == values).any())
        return None if n < ENOUGH else 2 * n_other > n
