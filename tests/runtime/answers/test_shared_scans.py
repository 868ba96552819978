"""Real cores and tables: no fault is found that is no real oddity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.faults import check_scan
from lithovae.runtime import LithoModel
from lithovae.runtime.answers.quality import Quality
from lithovae.runtime.log import FLAGS

SCANS = ("iodp-u1482c", "m9907-11pc", "m9907-23pc", "odp-926a", "odp-984a")
TABLES = ("883A_GRAPE_WBD", "883B_GRAPE_WBD", "883C_GRAPE_WBD", "883A_magsus", "883B_magsus", "KITE_GEOTEK_MSCL_0.5cm")


@pytest.fixture(scope="module")
def shipped() -> LithoModel:
    return LithoModel.load("semisup_hybrid", threads=1)


def flagged(path: Path, model: LithoModel) -> tuple[list[tuple[str, str]], dict[str, float]]:
    """Return the faults of a scan, and the share of its rows with each flag."""
    found = check_scan(path, model, Quality(model))
    return [(fault.kind, fault.what) for fault in found.faults], dict(zip(FLAGS, found.flagged.tolist(), strict=True))


@pytest.mark.parametrize("name", SCANS)
def test_real_scans_raise_no_alarm(shared_scans: Path, shipped: LithoModel, name: str) -> None:
    faults, flags = flagged(shared_scans / f"{name}.h5", shipped)
    assert faults == []
    assert flags["stuck_sensor"] == flags["unit_suspect"] == flags["out_of_range"] == 0
    assert flags["novel"] < 0.02


@pytest.mark.parametrize("name", TABLES)
def test_real_tables_raise_no_alarm(shared_tables: Path, shipped: LithoModel, name: str) -> None:
    faults, flags = flagged(shared_tables / f"{name}.csv", shipped)
    assert faults == []
    assert flags["stuck_sensor"] == flags["unit_suspect"] == 0


def test_a_density_of_water_is_odd(shared_tables: Path, shipped: LithoModel) -> None:
    faults, flags = flagged(shared_tables / "EXPD_MSCL_20200627_part3.out", shipped)
    assert faults == [("offset", "Bulk density (GRA)")]
    assert np.isclose(flags["out_of_range"], 15 / 1015)
