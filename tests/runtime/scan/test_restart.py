"""Depths that fall back and rise again stop the binning, unless a name explains them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lithovae.runtime import ScanError
from lithovae.runtime.rows.rows import rows_of
from lithovae.runtime.scan import track as track_module
from lithovae.runtime.scan.scan import open_scan

WriteScan = Callable[..., Path]
Floats = NDArray[np.float64]


def hole(first: float, last: float, step: float = 0.1) -> dict[str, Any]:
    """A hole of cores of 9.5 m, in sections of 1.5 m."""
    depth = np.arange(first, last, step)
    core = (depth // 9.5).astype(int) + 1
    return {"depth": depth, "core": core, "section": ((depth - (core - 1) * 9.5) // 1.5).astype(int) + 1}


def joined(*parts: dict[str, Any], names: tuple[str, ...] = ("core", "section")) -> dict[str, Any]:
    data = {name: np.concatenate([part[name] for part in parts]) for name in ("depth", *names)}
    return data | {"R": np.ones(len(data["depth"]))}


def n_bins(path: Path) -> int:
    with open_scan(path) as scan:
        return rows_of(scan, lambda items, label, total, size: items, 0.2).n


def reverse(part: dict[str, Any]) -> dict[str, Any]:
    return {name: values[::-1] for name, values in part.items()}


A = hole(0, 30)
TWO_PLACES = {
    "two holes": [A, hole(0, 30)],
    "the second hole starts below 0.5 m": [A, hole(1.5, 31)],
    "the second hole is short": [A, hole(1.5, 8)],
    "the first hole is short": [hole(2.0, 8), A],
    "holes of one core": [hole(0, 9), hole(1.5, 9.4)],
    "holes of one section": [hole(0, 1.4), hole(0, 1.3)],
    "short cores": [hole(0, 0.9, 0.05), hole(0, 0.8, 0.05)],
    "coarse": [hole(0, 30, 0.5), hole(2, 30, 0.5)],
    "logged upwards": [reverse(A), reverse(hole(1.5, 31))],
    "logged upwards, coarse": [reverse(hole(0, 30, 0.5)), reverse(hole(1.5, 31, 0.5))],
    "core by core": [part for i in range(3) for part in (hole(i * 9.5, i * 9.5 + 9.4), hole(i * 9.5 + 1, i * 9.5 + 9))],
    "a core comes back": [A, hole(9.5, 18.9)],
    "a section comes back": [A, hole(9.5, 10.9, 0.05)],
}  # fmt: skip
ONE_PLACE = {
    "a section measured twice": [hole(0, 3.0), hole(1.5, 3.0), hole(3.0, 30)],
    "the last section measured twice": [hole(0, 8.9), hole(7.5, 8.9)],
    "cores from the deepest to the shallowest": [hole(19, 28.4), hole(9.5, 18.9), hole(0, 9.4)],
    "half a hole first": [hole(15, 30), hole(0, 15)],
    "the start measured again": [hole(0, 0.4), A],
}


@pytest.mark.parametrize("names", [(), ("core",), ("core", "section")], ids=str)
@pytest.mark.parametrize("parts", TWO_PLACES.values(), ids=TWO_PLACES)
def test_two_places_are_not_averaged_whatever_names_they_share(
    write_scan: WriteScan, parts: list[dict[str, Any]], names: tuple[str, ...]
) -> None:
    data = joined(*parts, names=names)
    with pytest.raises(ScanError, match="samples from different places would be averaged"):
        n_bins(write_scan(data))
    holes = np.repeat(np.arange(len(parts)) % 2, [len(part["depth"]) for part in parts])
    if len(parts) == 2 or "core" in names:
        assert n_bins(write_scan(data | {"hole": np.where(holes == 0, "A", "B").astype("S1")})) > 5


@pytest.mark.parametrize("parts", ONE_PLACE.values(), ids=ONE_PLACE)
def test_one_place_in_any_order_is_taken(write_scan: WriteScan, parts: list[dict[str, Any]]) -> None:
    data = joined(*parts)
    assert n_bins(write_scan(data)) == len(np.unique(np.rint(data["depth"] / 0.2)))


@pytest.mark.parametrize("block_rows", [7, 65_536])
def test_a_restart_is_found_across_blocks(
    write_scan: WriteScan, monkeypatch: pytest.MonkeyPatch, block_rows: int
) -> None:
    monkeypatch.setattr(track_module, "BLOCK_ROWS", block_rows)
    with pytest.raises(ScanError, match=r"depths of depth .* fall back to 1\.50 m and rise again 2 times"):
        n_bins(write_scan(joined(A, hole(1.5, 31))))


def test_instruments_over_the_same_section_do_not_start_again(write_scan: WriteScan) -> None:
    data = {"a/R": np.ones(14), "a/depth": np.arange(14) * 0.1, "a/core": np.ones(14, int), "a/section": np.ones(14)}
    data |= {"b/MS": np.ones(7), "b/depth": np.arange(7) * 0.2, "b/core": np.ones(7, int), "b/section": np.ones(7)}
    data |= {"b/type": np.full(7, b"H")}
    assert n_bins(write_scan(data)) == 7
