from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from lithovae.training.logger import INSTRUMENTS, simulate_scan


def test_the_shipped_example_is_what_the_simulator_makes(root: Path, tmp_path: Path) -> None:
    simulate_scan(tmp_path / "scan.h5", seed=42, length=30.0)
    with h5py.File(tmp_path / "scan.h5") as made, h5py.File(root / "examples" / "scan.h5") as shipped:
        assert sorted(made) == sorted(shipped) == ["GRA", "MS", "NGR", "RGB"]
        for group in made:
            assert sorted(made[group]) == sorted(shipped[group])
            for name in made[group]:
                np.testing.assert_allclose(made[group][name][()], shipped[group][name][()], rtol=1e-5)
        assert "no measured core" in shipped.attrs["source"]


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
