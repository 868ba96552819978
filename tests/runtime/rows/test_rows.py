from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from lithovae.runtime import InputError, LithoModel, ScanError
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.rows.rows import Rows, rows_of
from lithovae.runtime.scan import track as track_module
from lithovae.runtime.scan.scan import Scan, open_scan
from lithovae.runtime.settings import BinWidth, Settings, parse_bin_width

Floats = NDArray[np.float64]
WriteScan = Callable[..., Path]


def quiet(items: Any, label: str, total: int, size: Any) -> Any:
    return items


def rows(scan: Scan, bin_width: BinWidth = "auto") -> Rows:
    return rows_of(scan, quiet, bin_width)


def test_auto_keeps_the_rows_of_one_table_and_a_width_bins_them(write_scan: WriteScan, features: Floats) -> None:
    depth = np.random.default_rng(0).permutation(np.arange(1000) * 0.01)
    path = write_scan({name: features[:, i] for i, name in enumerate(FEATURE_NAMES)} | {"depth": depth})
    with open_scan(path) as scan:
        assert (rows(scan).n, rows(scan).bin_width) == (1000, None)
        binned = rows(scan, 0.5)
        (block,) = (read() for read in binned.blocks)
    assert binned.bin_width == 0.5
    keys = np.rint(depth / 0.5)
    assert block.samples is not None
    for number, row, samples in zip(np.unique(keys), block.features, block.samples, strict=True):
        np.testing.assert_allclose(row, features[keys == number].mean(axis=0), rtol=1e-6)
        assert set(samples.tolist()) == {np.count_nonzero(keys == number)}
    assert block.depth is not None
    np.testing.assert_array_equal(block.depth, np.unique(keys) * 0.5)


@pytest.mark.parametrize("as_matrix", [True, False])
@pytest.mark.parametrize("some", [slice(300, 340), slice(500, 501)])
def test_rows_of_zeros_among_measured_ones_are_missing(
    write_scan: WriteScan, features: Floats, as_matrix: bool, some: slice
) -> None:
    depth = 1 + np.arange(1000) * 0.01
    features[some], depth[some] = 0, 0
    columns: dict[str, Any] = {name: features[:, i] for i, name in enumerate(FEATURE_NAMES)}
    data = {"data": features} if as_matrix else columns
    path = write_scan(data | {"depth": depth})
    if as_matrix:
        with h5py.File(path, "a") as file:
            file["data"].attrs["columns"] = list(FEATURE_NAMES)
    n = len(range(*some.indices(1000)))
    with open_scan(path) as scan:
        for width in (None, 0.2):
            found = rows(scan, width)
            blocks = [read() for read in found.blocks]
            depths = np.concatenate([np.asarray(block.depth) for block in blocks])
            values = np.concatenate([block.features for block in blocks])
            assert np.count_nonzero(np.isnan(depths)) == (0 if width else n)
            assert np.nanmin(depths) == 1.0
            assert np.isnan(values[np.isnan(depths)]).all()
            assert (values[~np.isnan(depths), 0] > 0).all()
            assert any(note.startswith(f"{n:,} row") and "at depth 0" in note for note in found.notes)


def test_zeros_at_the_sea_floor_that_may_be_measured_are_kept(write_scan: WriteScan) -> None:
    path = write_scan({"MS": np.zeros(5), "NGR": np.ones(5), "density": np.ones(5), "depth": np.arange(5.0)})
    with open_scan(path) as scan:
        (block,) = (read() for read in rows(scan).blocks)
    assert block.features[0, :3].tolist() == [1, 0, 1]


def test_own_rows_are_refused_if_features_have_different_depth_grids(write_scan: WriteScan) -> None:
    data = {"a/density": np.ones(2), "a/depth": np.zeros(2), "b/R": np.ones(3), "b/depth": np.zeros(3)}
    with open_scan(write_scan(data)) as scan:
        assert rows(scan).bin_width == 0.2
        with pytest.raises(ScanError, match=r"needs one depth grid; .*\(Bulk density \(GRA\); R\)\. Try `--bin 0\.2`"):
            rows(scan, None)


def test_tables_that_hold_the_same_features_are_rows_one_after_the_other(write_scan: WriteScan) -> None:
    path = write_scan(
        {
            **{"a/R": np.arange(3.0), "a/depth": np.arange(3.0), "a/section": np.array([b"1", b"1", b"2"])},
            **{"b/R": np.arange(3.0, 5), "b/core": np.array([11, 12], "i4")},
        }
    )
    with open_scan(path, {"R": "a/R"}) as first, open_scan(path, {"R": "b/R"}) as second:
        both = replace(first, tracks=[*first.tracks, *second.tracks])
        found = rows(both)
        blocks = [read() for read in found.blocks]
    assert (found.n, found.bin_width) == (5, None)
    np.testing.assert_array_equal(np.concatenate([block.features[:, 3] for block in blocks]), np.arange(5))
    np.testing.assert_array_equal(
        np.concatenate([block.depth for block in blocks if block.depth is not None]), [0, 1, 2, np.nan, np.nan]
    )
    assert [text for block in blocks for text in block.address["section"].tolist()] == ["1", "1", "2", "", ""]
    assert [text for block in blocks for text in block.address["core"].tolist()] == ["", "", "", "11", "12"]
    assert all(found.address_types[part].itemsize >= block.address[part].dtype.itemsize for block in blocks
               for part in block.address)  # fmt: skip


@pytest.mark.parametrize("width", [0.0, -0.2, float("nan"), float("inf"), 1001.0, 0.00009])
def test_invalid_widths_are_refused(flat_scan: Path, width: float) -> None:
    with open_scan(flat_scan) as scan, pytest.raises(InputError, match=r"bins must be 0.0001 to 1000 m wide"):
        rows(scan, width)
    with pytest.raises(InputError, match=r"--bin takes auto, none or a width in metres such as 0\.2, not 'wide'"):
        parse_bin_width("wide")
    with pytest.raises(InputError, match=r"bins must be 0.0001 to 1000 m wide, not 1e-05 m"):
        Settings(bin_width=parse_bin_width("0.00001"))


@pytest.mark.parametrize(("width", "n"), [("none", 3), ("0.2", 1)])
def test_widths_of_the_command_line(write_scan: WriteScan, width: Any, n: int) -> None:
    with open_scan(write_scan({"R": np.ones(3), "depth": np.zeros(3)})) as scan:
        assert rows(scan, parse_bin_width(width)).n == n


def test_a_width_needs_a_depth(flat_scan: Path) -> None:
    with (
        open_scan(flat_scan) as scan,
        pytest.raises(ScanError, match=r"no depth for Bulk .*, B: the samples cannot be put in bins; choose a column"),
    ):
        rows(scan, 0.2)


def test_depths_at_the_ends_of_what_is_possible(write_scan: WriteScan) -> None:
    out = [np.nan, np.inf, -np.inf, -999.0, -999.25, -999.99, -9999.0, 20_000.2, -20_000.2, 1e300]
    depth = np.array([20_000.0, -20_000.0, -0.05, -0.0, 0.05, -3.0, *out])
    with open_scan(write_scan({"R": np.ones(len(depth)), "depth": depth})) as scan:
        found = rows(scan, 0.2)
        (block,) = (read() for read in found.blocks)
    assert found.n_left_out == len(out)
    assert found.left_out.tolist() == [0, 0, 0, len(out), 0, 0]
    assert block.depth is not None
    np.testing.assert_allclose(block.depth, [-20_000, -3, 0, 20_000])
    assert block.samples is not None
    assert block.samples[:, 3].tolist() == [1, 1, 3, 1]


def test_means_beyond_float32_are_missing(write_scan: WriteScan, tmp_path: Path) -> None:
    path = write_scan({"MS": np.array([1e308, 1e308, 5.0]), "depth": np.array([0.0, 0.0, 1.0])})
    summary = embed_scan(path, tmp_path / "out.npz", LithoModel.load("unsup_hybrid"), Settings(bin_width=0.2))
    assert summary.n_missing.tolist() == [1, 0, 1, 1, 1, 1]
    assert summary.n_implausible.tolist() == [0] * 6


def test_memory_is_that_of_the_bins_however_many_samples(tmp_path: Path) -> None:
    def peak(n: int) -> int:
        with h5py.File(tmp_path / f"{n}.h5", "w") as file:
            file["depth"] = np.linspace(0, 100, n)
            file["R"] = np.ones(n, np.uint8)
        with open_scan(tmp_path / f"{n}.h5") as scan:
            tracemalloc.start()
            try:
                assert rows(scan, 0.2).n == 501
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    assert peak(4_000_000) < 1.1 * peak(200_000)


@pytest.mark.parametrize("level", ["section", "core"])
def test_depths_that_start_again_are_not_averaged(write_scan: WriteScan, level: str) -> None:
    depth, label = np.tile(np.arange(0, 1.5, 0.1), 4), np.repeat(np.arange(4), 15)
    data = {"a/R": np.ones(60), "a/depth": depth, f"a/{level}": label, "b/MS": np.ones(3), "b/depth": np.arange(3.0)}
    with open_scan(write_scan(data)) as scan, pytest.raises(ScanError, match=f"again near 0 with each {level} .4 of 4"):
        rows(scan)
    four_holes = write_scan(data | {"a/hole": label, "b/hole": np.zeros(3, int)})
    with open_scan(four_holes) as scan:
        assert rows(scan).n == 4 * 8 + 1  # 0 to 1.4 m, and 2 m in the first


def test_own_rows_may_start_again_with_a_note(write_scan: WriteScan, tmp_path: Path) -> None:
    data = {"R": np.full(30, 100.0), "depth": np.tile(np.arange(15) * 0.1, 2), "section": np.repeat([1, 2], 15)}
    summary = embed_scan(write_scan(data), tmp_path / "out.npz", LithoModel.load("unsup_hybrid"))
    said = "depths start again near 0 with each section (2 of 2): rows with equal depths are from different places"
    assert summary.notes == [said]
    with np.load(tmp_path / "out.npz") as arrays:
        assert json.loads(str(arrays["about"]))["notes"][-1] == summary.notes[0]


def cores(depth_of_top: Callable[[int, int], float]) -> dict[str, Any]:
    """Five cores of six sections and a core catcher, in steps of 0.1 m."""
    parts = [(core, name, depth_of_top(core, i) + np.arange(15 if name != "CC" else 2) * 0.1)
             for core in range(1, 6) for i, name in enumerate(["1", "2", "3", "4", "5", "6", "CC"])]  # fmt: skip
    return {
        "depth": np.concatenate([depth for _, _, depth in parts]),
        "core": np.concatenate([np.full(len(depth), core) for core, _, depth in parts]),
        "section": np.concatenate([np.full(len(depth), name) for _, name, depth in parts]).astype("S2"),
    }


@pytest.mark.parametrize(
    "top",
    [
        lambda core, i: (core - 1) * 9.5 + i * 1.5,
        lambda core, i: (core - 1) * 8.0 + i * 1.5,  # recovery above 100 %: cores overlap by more than a section
        lambda core, i: (5 - core) * 9.5 + i * 1.5,  # logged upwards
    ],
)
def test_depths_below_sea_floor_are_taken_in_any_order(write_scan: WriteScan, top: Callable[[int, int], float]) -> None:
    data = cores(top)
    order = np.random.default_rng(0).permutation(len(data["depth"]))
    for some in (slice(None), order):
        shuffled = {name: values[some] for name, values in data.items()} | {"R": np.ones(len(order))}
        with open_scan(write_scan(shuffled)) as scan:
            assert rows(scan, 0.2).n == len(np.unique(np.rint(data["depth"] / 0.2)))


@pytest.mark.parametrize("block_rows", [7, 65_536])
def test_depths_that_fall_back_are_noticed_without_labels_too(
    write_scan: WriteScan, monkeypatch: pytest.MonkeyPatch, block_rows: int
) -> None:
    monkeypatch.setattr(track_module, "BLOCK_ROWS", block_rows)
    two_holes = np.concatenate([np.arange(0.1, 30, 0.1), [np.nan], np.arange(0, 25, 0.1)])
    n = len(two_holes)
    with open_scan(write_scan({"R": np.ones(n), "depth": two_holes})) as scan:
        with pytest.raises(ScanError, match=r"depths of depth .* fall back to near 0 and rise again 2 times"):
            rows(scan, 0.2)
    hole = np.where(np.arange(n) < 300, "A", "B").astype("S1")
    with open_scan(write_scan({"R": np.ones(n), "depth": two_holes, "hole": hole})) as scan:
        assert rows(scan, 0.2).n > 250


@pytest.mark.parametrize(
    "depth",
    [
        np.random.default_rng(0).permutation(np.arange(0, 9, 0.01)),
        np.arange(9, 0, -0.01),
        np.concatenate([np.arange(0, 0.4, 0.01), np.arange(0, 9, 0.01)]),  # a false start
        np.arange(0, 9, 0.01) + np.random.default_rng(0).normal(0, 0.01, 900),  # an encoder's jitter
        np.concatenate([np.arange(0, 9, 0.02), np.arange(8, 17, 0.02), np.arange(16, 25, 0.02)]),  # cores that overlap
        np.concatenate([np.arange(20, 30, 0.02), np.arange(0, 20, 0.02)]),
    ],
)
def test_depths_that_are_out_of_order_are_taken(write_scan: WriteScan, depth: Floats) -> None:
    with open_scan(write_scan({"R": np.ones(len(depth)), "depth": depth})) as scan:
        assert rows(scan, 0.2).n == len(np.unique(np.rint(depth / 0.2)))


@pytest.mark.parametrize("block_rows", [7, 65_536])
def test_depths_coarser_than_the_bins_are_noted(
    write_scan: WriteScan, monkeypatch: pytest.MonkeyPatch, block_rows: int
) -> None:
    monkeypatch.setattr(track_module, "BLOCK_ROWS", block_rows)
    fine = np.arange(0, 40, 0.05)

    def notes(depth: Floats) -> list[str]:
        with open_scan(write_scan({"MS": np.ones(len(depth)), "depth": depth})) as scan:
            return rows(scan, 0.2).notes

    said = "depths of depth (no unit given) beside MS are coarser than the bins of 0.2 m: 800 samples share "
    assert notes(np.floor(fine)) == [said + "40 depths, 20 each on average"]
    assert notes((fine + 4000).astype("f2")) == [said + "21 depths, 38 each on average"]
    assert notes(fine) == notes(np.round(fine, 1)) == notes(np.arange(40.0)) == notes(fine.astype("f4")) == []


@pytest.mark.parametrize("spike", [1e6, -9.99, 9.999, 4.5, 0.0])
def test_a_spike_among_good_samples_is_not_in_the_mean(write_scan: WriteScan, tmp_path: Path, spike: float) -> None:
    density = np.full(40, 1.7)
    density[[3, 25, 26]] = spike
    path = write_scan({"density": density, "MS": np.full(40, 30.0), "depth": np.repeat([1.0, 2.0], 20)})
    with open_scan(path) as scan:
        found = rows(scan, 0.2)
        (block,) = (read() for read in found.blocks)
    np.testing.assert_allclose(block.features[:, 0], 1.7, rtol=1e-6)
    assert block.samples is not None
    assert block.samples[:, :2].tolist() == [[19, 20], [18, 20]]
    assert found.n_implausible.tolist() == [3, 0, 0, 0, 0, 0]
    summary = embed_scan(path, tmp_path / "out.npz", LithoModel.load("unsup_hybrid"), Settings(bin_width=0.2))
    assert (summary.n_implausible.tolist(), summary.n_missing.tolist()[:2]) == ([2, 0, 0, 0, 0, 0], [0, 0])
    summary = embed_scan(path, tmp_path / "own.npz", LithoModel.load("unsup_hybrid"))
    assert (summary.n_rows, summary.n_implausible.tolist()[0]) == (40, 3)  # own rows are embedded as they are


def test_a_bin_of_implausible_samples_only_is_missing_and_marked(write_scan: WriteScan, tmp_path: Path) -> None:
    data = {"density": np.array([1.7, 1.7, 1700.0, 1700.0]), "depth": np.array([0.0, 0.0, 1.0, 1.0])}
    embed_scan(write_scan(data), tmp_path / "out.npz", LithoModel.load("unsup_hybrid"), Settings(bin_width=0.2))
    with np.load(tmp_path / "out.npz") as arrays:
        assert arrays["depth"].tolist() == [0, 1]
        assert (arrays["missing"] & 1).tolist() == [0, 1]
        assert arrays["implausible"].tolist() == [0, 1]
        assert arrays["samples"][:, 0].tolist() == [2, 0]
        assert np.isnan(arrays["embeddings"]).all(axis=1).tolist() == [False, True]
