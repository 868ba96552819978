"""Faults that the benchmark puts into simulated scans are found by way of the file, its bins and the checks."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks.faults import check_scan, faults_of, is_found
from lithovae.runtime import LithoModel
from lithovae.runtime.answers.quality import Quality, Scaling, drawn
from lithovae.runtime.log import FLAGS
from lithovae.training.logger import simulate_scan
from lithovae.training.table import TrainingTable
from tests.runtime.answers.known_rows import reference_of, with_reference

N = 150
MUST_FIND = (
    "density in kg/m³",
    "depth in cm, no unit",
    "depth in ft, no unit",
    "colour from 0 to 1",
    "susceptibility in SI",
    "gamma in gAPI (× 4)",
    "a stuck sensor (5 m)",
    "depth of colour alone in cm, no unit",
    "depth of density alone in ft, no unit",
    "depth in cm, stated as m",
    "depth in ft, stated as m",
)


@pytest.fixture(scope="module")
def model(table: TrainingTable) -> LithoModel:
    model = LithoModel.load("semisup_hybrid", threads=1)
    rows = table.features.astype(np.float32)
    with_reference(model.bundle, reference_of(rows, Scaling.of(model.bundle)))
    return model


@pytest.fixture(scope="module")
def hole(model: LithoModel) -> TrainingTable:
    """The first 30 m of a hole whose rows are like the training rows."""
    reference = model.bundle.reference
    assert reference
    assert reference.mixture
    rows = Scaling.of(model.bundle).raw(drawn(reference.mixture, N))
    rows[:, 3:] = rows[:, 3:].clip(1, 255)
    rows[:, 2] = np.abs(rows[:, 2]) + 5
    depth = np.round(np.arange(N) * 0.2, 1)
    return TrainingTable(np.full(N, "hole"), depth, rows.astype(np.float64), np.full(N, "clay"), simulated="seed 1")


@pytest.mark.parametrize("name", MUST_FIND)
def test_a_fault_is_found(model: LithoModel, hole: TrainingTable, tmp_path: Path, name: str) -> None:
    scan = tmp_path / "scan.h5"
    simulate_scan(scan, hole, seed=3)
    with h5py.File(scan, "a") as file:
        injected = faults_of(model)[name](file, np.random.default_rng(4))
    assert is_found(injected, check_scan(scan, model, Quality(model)))


def test_a_clean_scan_has_none(model: LithoModel, hole: TrainingTable, tmp_path: Path) -> None:
    simulate_scan(tmp_path / "scan.h5", hole, seed=3)
    checked = check_scan(tmp_path / "scan.h5", model, Quality(model))
    assert checked.faults == []
    assert checked.flagged[FLAGS.index("stuck_sensor")] == checked.flagged[FLAGS.index("unit_suspect")] == 0
