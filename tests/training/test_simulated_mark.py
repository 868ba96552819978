"""The mark of simulated data goes with the rows through every command, to the model."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime.cli import app
from lithovae.training.cli import app as train_app
from lithovae.training.logger import simulate_scan
from lithovae.training.simulate import simulate_table


@pytest.mark.parametrize("way", ["scan", "packed", "bins.csv", "bins.parquet"])
def test_a_model_of_simulated_rows_says_so(tmp_path: Path, way: str) -> None:
    rows = tmp_path / "scan.h5"
    simulate_scan(rows, simulate_table(seed=3, share=0.01), seed=3, length=12.0)
    run = CliRunner()
    if way == "packed":
        packed = run.invoke(app, ["pack", str(rows), "--out", str(tmp_path / "packed.h5")])
        assert packed.exit_code == 0, packed.output
        rows = tmp_path / "packed.h5"
    elif way != "scan":
        written = run.invoke(app, ["bins", str(rows), "--out", str(tmp_path / way)])
        assert written.exit_code == 0, written.output
        rows = tmp_path / way
    trained = run.invoke(train_app, ["fit", str(rows), "--epochs", "1", "--out", str(tmp_path / "model.pt")])
    assert trained.exit_code == 0, trained.output
    said = Checkpoint.load(tmp_path / "model.pt").trained_on
    assert said.startswith("Simulated data")
    assert "seed 3" in said
