"""Keep holes apart: rows of one hole are alike, so a score on rows of a hole that was trained on flatters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import TableError

from .table import TrainingTable


def split_holes(table: TrainingTable, seed: int, test_share: float = 0.2) -> tuple[TrainingTable, TrainingTable]:
    """Split a table in two by its holes.

    Parameters
    ----------
    table : TrainingTable
        Rows of at least two holes.
    seed : int
        The same seed splits the same holes alike, in whatever order the table holds them.
    test_share : float
        Share of the rows to put aside, between 0 and 1; whole holes come as near to it as their random order lets them.

    Returns
    -------
    train, test : TrainingTable
        Rows in the table's order. No hole is in both, and neither is empty.

    Raises
    ------
    ValueError
        If ``test_share`` is not between 0 and 1.
    TableError
        If the table has fewer than two holes.
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must be between 0 and 1, not {test_share}")
    holes, counts = np.unique(table.hole, return_counts=True)
    if len(holes) < 2:
        raise TableError(f"a table of {len(holes)} holes cannot be split by hole: it needs at least two")
    order = np.random.default_rng(seed).permutation(len(holes))
    rows = np.cumsum(counts[order])[:-1]  # without the last hole, which stays to train on
    n_test = int(np.argmin(np.abs(rows - test_share * len(table)))) + 1
    aside = np.isin(table.hole, holes[order[:n_test]])
    return _rows(table, ~aside), _rows(table, aside)


def _rows(table: TrainingTable, chosen: NDArray[np.bool_]) -> TrainingTable:
    return TrainingTable(table.hole[chosen], table.depth[chosen], table.features[chosen], table.lithology[chosen])
