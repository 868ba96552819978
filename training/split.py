"""Split a table by site: rows of one hole are alike, and so are the holes of one site, which are metres apart.

A score on rows of a hole that was trained on, or of its neighbour, is too optimistic.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import TableError

from .table import TrainingTable

SITE_AND_HOLE = re.compile(r"^(.+-.+)-[A-Z]{1,2}$")


def split_holes(table: TrainingTable, seed: int, test_share: float = 0.2) -> tuple[TrainingTable, TrainingTable]:
    """Split a table in two by its holes, with all holes of a site on one side.

    Parameters
    ----------
    table : TrainingTable
        Rows of at least two sites. The site of ``346-U1422-A`` is ``346-U1422``; a hole with another form of name is
        a site of its own.
    seed : int
        The same seed splits the same holes in the same way, whatever their order in the table.
    test_share : float
        Share of the rows to test on, between 0 and 1; met as closely as whole sites in random order allow.

    Returns
    -------
    train, test : TrainingTable
        Rows in the table's order. No hole or site is in both, and neither is empty.

    Raises
    ------
    ValueError
        If ``test_share`` is not between 0 and 1.
    TableError
        If the table has fewer than two sites.
    """
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must be between 0 and 1, not {test_share}")
    holes, position = np.unique(table.hole, return_inverse=True)
    site_of_row = np.array([SITE_AND_HOLE.sub(r"\1", str(hole)) for hole in holes])[position]
    sites, counts = np.unique(site_of_row, return_counts=True)
    if len(sites) < 2:
        raise TableError(f"a table of {len(sites)} sites cannot be split by site: it needs at least two")
    order = np.random.default_rng(seed).permutation(len(sites))
    rows = np.cumsum(counts[order])[:-1]  # without the last site, which is always trained on
    n_test = int(np.argmin(np.abs(rows - test_share * len(table)))) + 1
    aside = np.isin(site_of_row, sites[order[:n_test]])
    return _rows(table, ~aside), _rows(table, aside)


def _rows(table: TrainingTable, chosen: NDArray[np.bool_]) -> TrainingTable:
    return TrainingTable(table.hole[chosen], table.depth[chosen], table.features[chosen], table.lithology[chosen])
