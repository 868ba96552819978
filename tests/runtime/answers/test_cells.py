"""Rows averaged in cells of 20 cm: what is kept, and what is refused."""

from typing import Any

import numpy as np
import pytest

from lithovae.runtime.answers import cells as cells_module
from lithovae.runtime.answers.cells import CellBuilder, Cells, Core
from lithovae.runtime.errors import ScanError

BITS = np.uint8


def collect(depth: Any, block: int = 1000, hole: str = "") -> CellBuilder:
    """Take rows with embeddings (row, 1), block by block."""
    builder = CellBuilder()
    for start in range(0, len(depth), block):
        part = depth[start : start + block]
        rows = np.arange(start, start + len(part), dtype=np.float32)
        embeddings = np.column_stack([rows, np.ones(len(part), np.float32)])
        builder.add(part, np.broadcast_to(np.array(hole), len(part)), embeddings, np.zeros(len(part), BITS))
    return builder


def finished(builder: CellBuilder) -> Cells:
    cells = builder.finish()
    assert cells is not None
    return cells


def test_a_cell_has_the_mean_of_its_rows() -> None:
    cells = finished(collect(np.array([0.0, 0.05, 0.15, 0.2, 0.45])))
    assert cells.number.tolist() == [0, 1, 2]
    assert cells.n_rows.tolist() == [2, 2, 1]
    assert cells.means.tolist() == [[0.5, 1], [2.5, 1], [4, 1]]
    assert cells.low.tolist() == [0, 0.15, 0.45]
    assert cells.high.tolist() == [0.05, 0.2, 0.45]


@pytest.mark.parametrize("first", [0.0, 0.1, 0.05])
def test_each_row_on_the_grid_of_the_training_table_has_a_cell_of_its_own(first: float) -> None:
    cells = finished(collect(first + np.arange(5000) * 0.2))
    assert len(cells) == 5000
    assert np.array_equal(np.diff(cells.number), np.ones(4999))


def test_what_is_kept_grows_with_depth_and_not_with_rows() -> None:
    sizes = {}
    for step in (0.01, 0.001):
        builder = collect(np.arange(0, 100, step), 4096)
        assert builder._held is not None
        assert len(builder._held.depth) <= 0.2 / step + 1
        sizes[step] = len(finished(builder))
    assert sizes[0.01] == sizes[0.001] == 501


def test_many_rows_of_one_depth_are_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells_module, "MOST_HELD", 300)
    builder = collect(np.full(5000, 7.0), 100)
    assert builder._held is None or len(builder._held.depth) < 300
    cells = finished(builder)
    assert cells.n_rows.sum() == 5000
    assert set(cells.number.tolist()) == {35}
    assert Core.of(cells, None).chains == [(0, len(cells))]


def test_very_many_rows_in_no_order_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells_module, "MAX_CELLS", 2000)
    depth = np.random.default_rng(0).uniform(0, 300, 4000)
    with pytest.raises(ScanError, match=r"depths are in no order\. Sort the rows of each hole by depth"):
        collect(depth)
    assert len(finished(collect(np.sort(depth)))) <= 1501


def test_one_missing_row_among_many_is_no_gap() -> None:
    depth = np.arange(0, 10, 0.05)
    assert len(Core.of(finished(collect(np.delete(depth, 77))), None).chains) == 1
    assert len(Core.of(finished(collect(np.delete(depth, slice(77, 83)))), None).chains) == 2


def test_one_missing_bin_is_a_gap() -> None:
    depth = np.arange(50) * 0.2
    core = Core.of(finished(collect(np.delete(depth, 20))), 0.2)
    assert core.chains == [(0, 20), (20, 49)]
    assert core.edges(0, 20)[-1] == pytest.approx(3.9)
    assert core.edges(20, 49)[0] == pytest.approx(4.1)
