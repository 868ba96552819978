from __future__ import annotations

import numpy as np
import pytest

from lithovae.runtime.errors import TableError
from lithovae.training.split import hold_out, split_holes
from lithovae.training.table import TrainingTable


def holes_of(sizes: list[int]) -> TrainingTable:
    hole = np.repeat([f"hole {i}" for i in range(len(sizes))], sizes)
    n = len(hole)
    return TrainingTable(hole, np.arange(n, dtype=np.float64), np.arange(n * 6.0).reshape(n, 6), np.full(n, "clay"))


@pytest.mark.parametrize("seed", range(5))
def test_no_hole_and_no_row_is_in_both(table: TrainingTable, seed: int) -> None:
    train, test = split_holes(table, seed)
    assert set(train.hole) | set(test.hole) == set(table.hole)
    assert set(train.hole).isdisjoint(test.hole)
    assert len(train) + len(test) == len(table)
    assert len(test) == pytest.approx(0.2 * len(table), rel=0.4)
    for part in (train, test):
        rows = np.isin(table.hole, part.hole)
        np.testing.assert_array_equal(part.features, table.features[rows])
        np.testing.assert_array_equal(part.lithology, table.lithology[rows])
        np.testing.assert_array_equal(part.depth, table.depth[rows])


def test_holes_of_a_site_stay_together(table: TrainingTable) -> None:
    train, test = split_holes(table, 0)
    sites = [{hole.rpartition("-")[0] for hole in part.hole.tolist()} for part in (train, test)]
    assert sites[0].isdisjoint(sites[1])
    siblings = np.array(["1-U1-A", "1-U1-B", "1-U1-C"])
    with pytest.raises(TableError, match="a table of 1 sites cannot be split"):
        split_holes(TrainingTable(siblings, np.zeros(3), np.zeros((3, 6)), np.full(3, "clay")), 0)


def test_the_seed_decides_and_the_order_of_rows_does_not(table: TrainingTable) -> None:
    backwards = TrainingTable(table.hole[::-1], table.depth[::-1], table.features[::-1], table.lithology[::-1])
    first, again, other = split_holes(table, 3), split_holes(backwards, 3), split_holes(table, 4)
    assert set(first[1].hole) == set(again[1].hole) != set(other[1].hole)
    assert first[1].digest() == split_holes(table, 3)[1].digest()


@pytest.mark.parametrize("sizes", [[1, 1], [1, 1000], [1000, 1], [5, 5, 5]])
@pytest.mark.parametrize("test_share", [0.001, 0.5, 0.999])
def test_neither_part_is_empty(sizes: list[int], test_share: float) -> None:
    for seed in range(8):
        assert all(map(len, split_holes(holes_of(sizes), seed, test_share)))


def test_refuses_what_cannot_be_split() -> None:
    with pytest.raises(TableError, match="at least two"):
        split_holes(holes_of([9]), 0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        split_holes(holes_of([9, 9]), 0, 1.0)


def test_what_is_held_out_is_of_other_sites_or_holes(table: TrainingTable) -> None:
    assert hold_out(table, 0, 0.2)[1].digest() == split_holes(table, 0, 0.2)[1].digest()
    hole = np.repeat(["1-U1-A", "1-U1-B", "1-U1-C"], 50)
    n = len(hole)
    site = TrainingTable(hole, np.arange(n, dtype=np.float64), np.ones((n, 6)), np.full(n, "clay"))
    train, test = hold_out(site, 0, 0.3)
    assert (len(set(train.hole)), len(set(test.hole))) == (2, 1)
    assert set(train.hole).isdisjoint(test.hole)


def test_a_single_hole_is_held_out_in_blocks_of_depth() -> None:
    n = 300
    depth = np.random.default_rng(0).permutation(n).astype(np.float64)
    train, test = hold_out(TrainingTable(np.full(n, "A"), depth, np.ones((n, 6)), np.full(n, "")), 0, 0.2)
    assert (len(train), len(test)) == (240, 60)
    assert np.count_nonzero(np.diff(np.sort(test.depth)) > 1) <= 1  # two blocks


def test_too_few_rows_to_hold_out() -> None:
    with pytest.raises(TableError, match="30 rows are too few to hold some out"):
        hold_out(holes_of([30]), 0, 0.2)
