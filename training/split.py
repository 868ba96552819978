"""Split a table by site: rows of one hole are alike, and so are the holes of one site, which are metres apart.

A score on rows of a hole that was trained on, or of its neighbour, is too optimistic.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lithovae.runtime.errors import TableError

from .table import TrainingTable

SITE_AND_HOLE = re.compile(r"^(.+-.+)-[A-Z]{1,2}$")
BLOCKS_OF_DEPTH = "blocks of depth"
BLOCKS = 10
"""Blocks of depth that a single hole is cut into."""
LEAST_ROWS = 20
"""Rows that are enough to train on, or to score."""


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
    sites = _sites(table)
    n_sites = len(np.unique(sites))
    if n_sites < 2:
        raise TableError(f"a table of {n_sites} sites cannot be split by site: it needs at least two")
    return _split(table, sites, seed, test_share)


def hold_out(table: TrainingTable, seed: int, share: float) -> tuple[TrainingTable, TrainingTable]:
    """Split a table in two, and keep apart what is alike: whole sites, else whole holes, else blocks of depth.

    Parameters
    ----------
    table : TrainingTable
        Rows of any number of holes. Those of a single hole are cut into ten blocks of depth.
    seed : int
        The same seed splits the same rows in the same way.
    share : float
        Share of the rows to hold out, between 0 and 1; met as closely as whole sites, holes or blocks allow.

    Returns
    -------
    train, test : TrainingTable
        Rows in the table's order.

    Raises
    ------
    TableError
        If fewer than 20 rows would be held out or trained on.
    """
    parts = _split(table, parts_of(table)[1], seed, share)
    least = min(map(len, parts))
    if least < LEAST_ROWS:
        raise TableError(
            f"{len(table)} rows are too few to hold some out: of {len(parts[0])} to train on and {len(parts[1])} to "
            f"score, each needs {LEAST_ROWS}"
        )
    return parts


def parts_of(table: TrainingTable) -> tuple[str, NDArray[np.int64]]:
    """Divide a table into parts that are as unlike each other as it allows.

    Returns
    -------
    kind : str
        ``sites``; of a single site, ``holes``; of a single hole, ``blocks of depth``, which are ten.
    part : ndarray of shape (n,), int64
        Number of each row's part, from 0.
    """
    for kind, group in (("sites", _sites(table)), ("holes", table.hole)):
        names, part = np.unique(group, return_inverse=True)
        if len(names) > 1:
            return kind, part.astype(np.int64)
    rank = np.argsort(np.argsort(table.depth, kind="stable"))
    return BLOCKS_OF_DEPTH, rank * BLOCKS // max(1, len(table))


def _sites(table: TrainingTable) -> NDArray[np.str_]:
    """Return the site of each row's hole; shape (n,)."""
    holes, position = np.unique(table.hole, return_inverse=True)
    return np.array([SITE_AND_HOLE.sub(r"\1", str(hole)) for hole in holes])[position]


def _split(table: TrainingTable, group: NDArray[Any], seed: int, share: float) -> tuple[TrainingTable, TrainingTable]:
    """Split a table by whole groups of rows; the last group in random order is always trained on."""
    groups, counts = np.unique(group, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(groups))
    n_test = int(np.argmin(np.abs(np.cumsum(counts[order])[:-1] - share * len(table)))) + 1
    aside = np.isin(group, groups[order[:n_test]])
    return table.take(~aside), table.take(aside)
