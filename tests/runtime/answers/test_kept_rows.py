"""Rows that are kept for a report: every second, fourth, … of all, in order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lithovae.runtime.answers import kept_rows
from lithovae.runtime.answers.kept_rows import KeptRows
from lithovae.runtime.rows.block import Block


def block_of(start: int, n: int, *, has_depth: bool = True) -> Block:
    rows = np.arange(start, start + n, dtype=np.float32)
    holes = np.array([f"H{i // 50}" for i in range(start, start + n)], np.str_)
    depth = rows.astype(np.float64) / 10 if has_depth else None
    return Block(features=np.tile(rows[:, None], (1, 6)), depth=depth, address={"hole": holes})


@given(st.lists(st.integers(0, 70), max_size=30), st.integers(1, 40))
@settings(deadline=None)
def test_every_so_many_rows_are_kept_whatever_the_blocks(sizes: list[int], most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_rows, "MAX_ROWS", most)
        kept, n = KeptRows(), 0
        for size in sizes:
            block = block_of(n, size)
            kept.take(block, {"values": block.features, "entropy": block.features[:, 0]})
            n += size
    assert kept.n == n
    columns = kept.columns()
    if not sizes:
        assert columns == {}
        return
    expected = np.arange(0, n, kept.step)
    np.testing.assert_array_equal(columns["values"][:, 0], expected)
    np.testing.assert_array_equal(columns["depth"], (expected.astype(np.float32).astype(np.float64)) / 10)
    assert columns["hole"].tolist() == [f"H{i // 50}" for i in expected]
    assert "entropy" not in columns
    assert len(expected) <= most
    assert kept.step == 1 or len(np.arange(0, n, kept.step // 2)) > most  # no more are left out than must be


def test_rows_without_depths_are_placed_by_their_number() -> None:
    kept = KeptRows()
    kept.take(block_of(0, 3, has_depth=False), {})
    kept.take(block_of(3, 2, has_depth=False), {})
    assert kept.columns()["depth"].tolist() == [0, 1, 2, 3, 4]
