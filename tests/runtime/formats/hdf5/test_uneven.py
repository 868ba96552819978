"""Instruments whose columns differ in length."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from lithovae.runtime import ScanError
from lithovae.runtime.scan.scan import open_scan


def write(path: Path, lengths: dict[str, int], *, resizable: bool = True) -> Path:
    with h5py.File(path, "w") as file:
        for name, n in lengths.items():
            maxshape = (None,) if resizable else None
            file.create_dataset(
                name, data=np.arange(n) / 10 + 1, maxshape=maxshape, chunks=(64,) if resizable else None
            )
            if name.endswith("depth"):
                file[name].attrs["units"] = "m"
    return path


def lengths_of(path: Path) -> tuple[list[int], list[str]]:
    with open_scan(path) as scan:
        assert all(track.depth for track in scan.tracks)
        return sorted(track.length for track in scan.tracks), scan.notes


@pytest.mark.parametrize("density", [0, 1, 99, 120])
def test_the_shortest_column_of_an_instrument_counts_and_others_are_whole(tmp_path: Path, density: int) -> None:
    lengths = {"gra/depth": 100, "gra/density": density, "ms/depth": 50, "ms/MS": 50}
    found, notes = lengths_of(write(tmp_path / "scan.h5", lengths))
    assert found == sorted([min(density, 100), 50])
    assert any(
        "columns of /gra differ in length (" in note and f"first {min(density, 100)} rows" in note for note in notes
    )


def test_features_of_one_table_stay_together(tmp_path: Path) -> None:
    lengths = {"depth": 101, "density": 100, "R": 100, "G": 100, "B": 99, "events": 5}
    found, notes = lengths_of(write(tmp_path / "scan.h5", lengths))
    assert found == [99]
    assert "events" not in "".join(notes)


@pytest.mark.parametrize(
    ("lengths", "resizable"),
    [
        ({"depth": 100, "density": 100, "MS": 95}, False),  # arrays that were written at once: another grid
        ({"depth": 20_000, "density": 20_000, "MS": 95}, True),
    ],
)
def test_columns_that_have_nothing_to_do_with_each_other_are_not_paired(
    tmp_path: Path, lengths: dict[str, int], resizable: bool
) -> None:
    with pytest.raises(ScanError, match=r"MS \(95 samples\) has no depth"):
        lengths_of(write(tmp_path / "scan.h5", lengths, resizable=resizable))
