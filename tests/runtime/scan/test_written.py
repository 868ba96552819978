"""Rows at the ends of a table that were set aside and never written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lithovae.runtime import LithoModel, ScanError
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.scan.scan import open_scan
from lithovae.runtime.settings import Settings

WriteScan = Callable[..., Path]
LEFT_OUT = "rows at the head or the tail of"


def padded(values: Any, head: int, tail: int, fill: float) -> Any:
    values = np.asarray(values, np.float64)
    return np.concatenate([np.full(head, fill), values, np.full(tail, fill)])


def found(path: Path) -> tuple[list[float], list[str]]:
    """Return the depths of the samples, and the notes on rows left out."""
    with open_scan(path) as scan:
        depths = [value for stretch in scan.tracks[0].stretches() for value in np.asarray(stretch.depth).tolist()]
        return depths, [note for note in scan.notes if LEFT_OUT in note]


@pytest.mark.parametrize("fill", [0.0, np.nan])
@pytest.mark.parametrize(("head", "tail"), [(0, 40), (7, 0), (3, 200), (2, 2)])
@pytest.mark.parametrize("names", [["density", "MS"], ["MS"], ["R", "G", "B"]])
def test_blank_ends_are_left_out_and_counted(
    write_scan: WriteScan, fill: float, head: int, tail: int, names: list[str]
) -> None:
    depth = np.arange(1, 51) * 0.02
    data = {name: padded(np.full(50, 2.0), head, tail, fill) for name in names}
    depths, notes = found(write_scan(data | {"depth": padded(depth, head, tail, fill)}))
    assert depths == depth.tolist()
    (note,) = notes
    assert note.startswith(f"{head + tail} {LEFT_OUT} {names[0]} left out: depth and all values are zero or missing")


@pytest.mark.parametrize(
    ("depth", "ms"),
    [
        ([0.0, 0.02, 0.04, 0.06], [0.0, 0.0, 1.0, 0.0]),  # a reading of 0 at the top
        ([0.06, 0.04, 0.02, 0.0], [1.0, 1.0, 0.0, 0.0]),  # logged upwards
        ([0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 0, 0, 0, 0, 3, 0, 2, 0]),  # whole metres
        ([2, 2, 2, 1, 1, 1, 0, 0, 0], [0, 0, 3, 0, 1, 0, 0, 0, 0]),
        ([0.0, 0.0, 0.02, 0.04], [0.0, 5.0, 0.0, 1.0]),
    ],
)
def test_zeros_that_were_measured_are_kept(write_scan: WriteScan, depth: list[float], ms: list[float]) -> None:
    assert found(write_scan({"MS": np.array(ms), "depth": np.array(depth)})) == (depth, [])


def test_a_coarse_depth_that_falls_back_to_zero_was_not_written(write_scan: WriteScan) -> None:
    depth = np.repeat(np.arange(6.0), 3)
    depths, notes = found(write_scan({"MS": padded(np.ones(18), 0, 5, 0), "depth": padded(depth, 0, 5, 0)}))
    assert depths == depth.tolist()
    assert len(notes) == 1


def test_a_row_that_names_its_core_was_written(write_scan: WriteScan) -> None:
    data = {"MS": padded(np.ones(9), 0, 3, 0), "depth": padded(np.arange(1, 10) * 0.1, 0, 3, 0)}
    depths, notes = found(write_scan(data | {"core": np.full(12, 3)}))
    assert (len(depths), notes) == (12, [])
    depths, _ = found(write_scan(data | {"core": padded(np.full(9, 3), 0, 3, 0).astype("i4")}))
    assert len(depths) == 9


def test_a_matrix_without_its_head(write_scan: WriteScan, tmp_path: Path, features: Any) -> None:
    model, rows = LithoModel.load("unsup_hybrid"), features[:50]
    depth = np.arange(1, 51) * 0.02
    for name, (head, tail) in {"whole": (0, 0), "part": (5, 9)}.items():
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["depth"] = padded(depth, head, tail, 0)
            file["data"] = np.concatenate([np.zeros((head, 6)), rows, np.zeros((tail, 6))])
            file["data"].attrs["columns"] = list(FEATURE_NAMES)
        embed_scan(tmp_path / f"{name}.h5", tmp_path / f"{name}.npz", model)
    with np.load(tmp_path / "whole.npz") as whole, np.load(tmp_path / "part.npz") as part:
        np.testing.assert_array_equal(part["embeddings"], whole["embeddings"])
        np.testing.assert_array_equal(part["depth"], depth)


def test_a_table_that_was_never_written(write_scan: WriteScan) -> None:
    data = {"a/MS": np.zeros(9), "a/depth": np.zeros(9), "b/R": np.ones(9), "b/depth": np.arange(9.0)}
    with open_scan(write_scan(data)) as scan:
        assert [track.length for track in scan.tracks] == [0, 9]
    with pytest.raises(ScanError, match="or only rows that were never written"):
        found(write_scan({"MS": np.zeros(9), "depth": np.zeros(9)}))


def test_field_case_h5(shared_field: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    settings = Settings(bin_width=0.2)
    summary = embed_scan(shared_field / "H5_zero_tail.h5", out, LithoModel.load("unsup_hybrid"), settings)
    with np.load(out) as arrays:
        assert len(arrays["depth"]) == 16
        assert arrays["samples"][0].tolist() == [0, 2, 2, 0, 0, 0]
    assert any(LEFT_OUT in note for note in summary.scan.notes)
