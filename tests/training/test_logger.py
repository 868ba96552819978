from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from lithovae.runtime.bins import DepthBins
from lithovae.runtime.errors import TableError
from lithovae.runtime.scan.scan import open_scan
from lithovae.training.logger import INSTRUMENTS, simulate_scan
from lithovae.training.table import TrainingTable


def test_the_shipped_example_is_what_the_simulator_makes(root: Path, full_table: TrainingTable, tmp_path: Path) -> None:
    simulate_scan(tmp_path / "scan.h5", full_table, seed=42, length=30.0)
    with h5py.File(tmp_path / "scan.h5") as made, h5py.File(root / "examples" / "scan.h5") as shipped:
        assert sorted(made) == sorted(shipped) == ["GRA", "MS", "NGR", "RGB"]
        for group in made:
            assert sorted(made[group]) == sorted(shipped[group])
            for name in made[group]:
                np.testing.assert_allclose(made[group][name][()], shipped[group][name][()], rtol=1e-5)
        assert "no measured core" in shipped.attrs["source"]


@pytest.mark.parametrize("colour_step", [0.01, 0.0005])
def test_the_table_follows_from_the_scan_by_binning(
    full_table: TrainingTable, tmp_path: Path, colour_step: float
) -> None:
    hole = "346-U1422-A"
    simulate_scan(tmp_path / "scan.h5", full_table, length=40.0, hole=hole, colour_step=colour_step)
    rows = (full_table.hole == hole) & (full_table.depth <= 40.0)
    bins = DepthBins(6)
    with open_scan(tmp_path / "scan.h5") as scan:
        assert len(scan.tracks) == 4
        for track in scan.tracks:
            for stretch in track.stretches():
                assert stretch.depth is not None
                bins.add(stretch.depth, stretch.features)
    np.testing.assert_allclose(bins.depth, full_table.depth[rows])
    np.testing.assert_allclose(bins.mean(), full_table.features[rows], rtol=1e-5, atol=1e-5)
    assert 0.9 < bins.count.max() * colour_step / 0.2 <= 1


def test_an_unknown_hole_is_said(table: TrainingTable, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no hole 'X'"):
        simulate_scan(tmp_path / "scan.h5", table, hole="X")
    assert list(tmp_path.iterdir()) == []


def test_instruments_have_grids_and_habits_of_their_own(root: Path) -> None:
    with h5py.File(root / "examples" / "scan.h5") as scan:
        for instrument in INSTRUMENTS:
            group = scan[instrument.group]
            depth = group["depth"][()] * (0.01 if group["depth"].attrs["units"] == "cm" else 1.0)
            steps = np.diff(depth)
            assert np.median(steps) == pytest.approx(instrument.step)
        assert (scan["GRA/Bulk density (GRA)"][()] == -999.25).any()
        assert np.isnan(scan["RGB/R"][()]).any()
        assert scan["RGB/depth"].attrs["units"] == "cm"
        assert np.diff(scan["RGB/depth"][()]).max() > 10  # a gap where the core was lost
