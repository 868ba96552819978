"""Rows of a scan that are kept for a report: all of them or, if there are very many, one in two, four or eight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.rows.block import Block

MAX_ROWS = 1 << 17
"""Largest number of rows that are kept: more than a picture can show, and about 30 MB with six features."""
NAMES = (
    "values",
    "missing",
    "implausible",
    "embeddings",
    "lithologies",
    "probabilities",
    "residuals",
    "novelty_p",
    "flags",
)
"""Columns of a result that are kept."""


class KeptRows:
    """Keeps rows, at most `MAX_ROWS` of them.

    Attributes
    ----------
    n : int
        Number of rows that were taken.
    step : int
        One row in so many is kept.
    """

    def __init__(self) -> None:
        self.n, self.step = 0, 1
        self._parts: list[dict[str, NDArray[Any]]] = []
        self._n_kept = 0

    def take(self, block: Block, columns: Mapping[str, NDArray[Any]]) -> None:
        """Take a block of rows with the columns of the result, in order."""
        n = len(block)
        depth = np.arange(self.n, self.n + n, dtype=np.float64) if block.depth is None else block.depth
        part = {name: columns[name] for name in NAMES if name in columns}
        self._keep(part | {"depth": depth, "hole": block.hole}, self.n)
        self.n += n
        while self._n_kept > MAX_ROWS:
            self.step *= 2
            whole, self._parts, self._n_kept = self.columns(), [], 0
            self._keep({name: values[::2] for name, values in whole.items()}, 0, step=1)

    def _keep(self, part: dict[str, NDArray[Any]], first: int, step: int | None = None) -> None:
        step = step or self.step
        rows = slice(-first % step, None, step)
        self._parts.append({name: values[rows].copy() for name, values in part.items()})
        self._n_kept += len(self._parts[-1]["depth"])

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns of the rows that were kept, by name, with ``depth`` and ``hole``."""
        if not self._parts:
            return {}
        return {name: np.concatenate([part[name] for part in self._parts]) for name in self._parts[0]}
