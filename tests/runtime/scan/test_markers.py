"""Numbers that mean "no reading" in one column and are values in another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lithovae.runtime import LithoModel
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.missing import BY_QUANTITY, NEVER_VALUES
from lithovae.runtime.scan.scan import open_scan
from lithovae.runtime.settings import Settings

WriteScan = Callable[..., Path]


def values_of(path: Path) -> list[Any]:
    """Return the values of the only feature."""
    with open_scan(path) as scan:
        (stretch,) = scan.tracks[0].stretches()
        (values,) = stretch.features.values()
        found: list[Any] = np.asarray(values, np.float64).tolist()
        return found


@pytest.mark.parametrize("name", ["density", "MS", "NGR", "R"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_numbers_that_are_never_values_are_missing_in_every_column(
    write_scan: WriteScan, name: str, dtype: str
) -> None:
    odd = [*NEVER_VALUES, 2.0**63, -(2.0**63), 2.0**64, 1e20, -1e20, 1e30]
    values = np.array([1.0, 2.0, *odd], dtype)
    assert np.isnan(values_of(write_scan({name: values}))).tolist() == [False, False, *[True] * len(odd)]


@pytest.mark.parametrize("dtype", ["i2", "u2", "i4", "u4", "i8", "u8"])
def test_the_extremes_of_integers_are_missing(write_scan: WriteScan, dtype: str) -> None:
    info = np.iinfo(dtype)
    values = np.array([15, info.max, 17, *([info.min] if info.min else [])], dtype)
    assert np.isnan(values_of(write_scan({"MS": values}))).tolist() == [False, True, False, True][: len(values)]


def test_a_marker_outside_the_plausible_range_is_missing_even_once(write_scan: WriteScan) -> None:
    for i, mark in enumerate(BY_QUANTITY):
        assert np.isnan(values_of(write_scan({"density": np.array([1.7, mark, 1.8])}))).tolist() == [False, True, False]
        kg = write_scan({f"density{i}": np.array([1700.0, mark, 1800.0])}, {f"density{i}": "kg/m3"})
        with open_scan(kg, {"density": f"density{i}"}) as scan:
            (stretch,) = scan.tracks[0].stretches()
            inside = 300 <= mark <= 4000  # kg/m3: 999 is a density
            assert np.isnan(stretch.features[0]).tolist() == [False, not inside, False], mark


@pytest.mark.parametrize(
    ("values", "mark", "is_missing"),
    [
        ([5.0, -99.9, 12.0, -99.9, 300.0], -99.9, True),
        ([5.0, -99.9, 12.0, 13.0, 300.0], -99.9, False),  # once: a value
        ([5.0, -99.9, -97.2, -99.9, -60.0], -99.9, False),  # it has neighbours
        ([5.0, -99.9, 12.0, -99.9, 4000.0], -99.9, True),
        ([5.0, 9999.99, 12.0, 9999.99, 300.0], 9999.99, True),
        ([5.0, 9999.99, 8000.0, 9999.99, 300.0], 9999.99, False),
        ([998.0, 999.0, 999.0, 1000.0, 1001.0], 999.0, False),
        ([5.0, -99.0, 12.0, -99.0, 9999.0, 9999.0], -99.0, True),
        ([-99.9, -99.9, -99.9], -99.9, True),
        ([-99.9, *range(20)], -99.9, True),
        ([-99.9, *range(19)], -99.9, False),
        ([-99.9, *range(-9, 20)], -99.9, True),
        ([-99.9, *range(-10, 20)], -99.9, False),  # not far from all others
        ([-99.0, *range(20)], -99.0, False),  # may be a count
        ([999.9, *range(20)], 999.9, False),  # strong susceptibility is ordinary
    ],
)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_a_plausible_marker_is_missing_if_it_repeats_and_lies_apart(
    write_scan: WriteScan, values: list[float], mark: float, is_missing: bool, dtype: str
) -> None:
    stored = np.array(values, dtype)
    found = np.isnan(values_of(write_scan({"MS": stored})))
    assert found[stored == np.array(mark, dtype)].all() == is_missing
    assert not found[np.abs(stored) < 90].any()


@pytest.mark.parametrize(("dtype", "mark"), [("i1", -128), ("i1", -127), ("i1", 127), ("u1", 255)])
def test_extremes_of_bytes_are_missing_if_they_lie_apart_but_never_in_colours(
    write_scan: WriteScan, dtype: str, mark: int
) -> None:
    values = np.array([5, mark, 12, mark, 30], dtype)
    assert np.isnan(values_of(write_scan({"MS": values}))).tolist() == [False, True, False, True, False]
    near = np.array([5, mark, 12, mark, mark - mark // 8], dtype)
    assert not np.isnan(values_of(write_scan({"MS": near}))).any()
    if mark > 0:
        assert not np.isnan(values_of(write_scan({"red": values}))).any()


def test_the_whole_column_decides_and_a_note_says_it(
    write_scan: WriteScan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lithovae.runtime.scan.track.BLOCK_ROWS", 4)
    ms = np.full(40, 12.0)
    ms[[3, 30]] = -99.9
    path = write_scan({"MS": ms, "depth": np.arange(40) * 0.1})
    summary = embed_scan(path, tmp_path / "out.npz", LithoModel.load("unsup_hybrid", threads=2))
    assert summary.n_missing[1] == 2
    assert "MS holds -99.9 more than once, and no other value near: taken as missing" in summary.notes
    ms[20] = -101.0
    with h5py.File(path, "a") as file:
        file["MS"][...] = ms
    summary = embed_scan(path, tmp_path / "out.npz", LithoModel.load("unsup_hybrid", threads=2))
    assert summary.n_missing[1] == 0
    assert summary.notes == []


def test_markers_in_a_depth(write_scan: WriteScan) -> None:
    depth = np.array([0.0, 0.2, 65535.0, -99.9, 0.8, -99.9, 1.2])
    with open_scan(write_scan({"MS": np.ones(7), "depth": depth})) as scan:
        (stretch,) = scan.tracks[0].stretches()
        assert np.isnan(np.asarray(stretch.depth)).tolist() == [False, False, True, True, False, True, False]
    depth = np.array([9997.0, 9998.0, 9999.0, 9999.0, 10_000.0])  # cm
    with open_scan(write_scan({"MS": np.ones(5), "depth": depth}, {"depth": "cm"})) as scan:
        (stretch,) = scan.tracks[0].stretches()
        np.testing.assert_array_equal(np.asarray(stretch.depth), depth / 100)


def test_field_case_h6(shared_field: Path, tmp_path: Path) -> None:
    with h5py.File(shared_field / "H6_int_na.h5") as file:
        expected = [
            np.count_nonzero(np.isin(file[name][:], [-(2**31), -32768, 65535, 2**31 - 1, -9999, -999.25]))
            for name in (
                "Bulk density (GRA)",
                "Magnetic susceptibility (instr. units)",
                "NGR total counts (cps)",
                *"RGB",
            )
        ]
    out = tmp_path / "out.npz"
    summary = embed_scan(shared_field / "H6_int_na.h5", out, LithoModel.load("unsup_hybrid"), Settings(bin_width=None))
    assert summary.n_missing.tolist() == expected
    assert sum(expected) > 0
    assert summary.n_implausible.tolist() == [0] * 6
