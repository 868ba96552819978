from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime import LithoModel
from lithovae.training.cli import app
from lithovae.training.table import TrainingTable


@pytest.fixture
def run() -> CliRunner:
    return CliRunner()


def test_from_nothing_to_a_checkpoint(run: CliRunner, tmp_path: Path) -> None:
    table, checkpoint = tmp_path / "lily.csv", tmp_path / "mine.pt"
    made = run.invoke(app, ["simulate", "--out", str(table), "--share", "0.005", "--seed", "3"])
    assert made.exit_code == 0, made.output
    arguments = ["fit", str(table), "--out", str(checkpoint), "--model", "semisup", "--epochs", "1"]
    trained = run.invoke(app, [*arguments, "--simulated-seed", "3"])
    assert trained.exit_code == 0, trained.output
    loaded = Checkpoint.load(checkpoint)
    rows = TrainingTable.read(table)
    assert loaded.data_digest == rows.digest()
    assert loaded.classes == rows.classes
    assert loaded.trained_on == (
        f"Simulated data: {len(rows)} rows drawn from the published statistics of the LILY table (IODP), seed 3; "
        "no measured core."
    )


def test_a_table_of_ones_own_is_named(run: CliRunner, table: TrainingTable, tmp_path: Path) -> None:
    table.write(tmp_path / "ours.csv")
    arguments = ["fit", str(tmp_path / "ours.csv"), "--out", str(tmp_path / "m.pt"), "--epochs", "1"]
    assert run.invoke(app, arguments).exit_code == 0
    assert Checkpoint.load(tmp_path / "m.pt").trained_on == f"ours.csv: {len(table)} rows."


def test_embeddings_of_a_table(run: CliRunner, table: TrainingTable, tmp_path: Path) -> None:
    table.write(tmp_path / "lily.csv")
    out = tmp_path / "embeddings.npz"
    done = run.invoke(app, ["embed", str(tmp_path / "lily.csv"), "--out", str(out)])
    assert done.exit_code == 0, done.output
    with np.load(out, allow_pickle=False) as arrays:
        assert arrays["unsup"].shape == arrays["semisup"].shape == (len(table), 10)
        np.testing.assert_array_equal(arrays["y"], table.labels)
        np.testing.assert_array_equal(arrays["classes"], table.classes)
        np.testing.assert_array_equal(arrays["semisup"], LithoModel.load("semisup_hybrid").embed(table.features))
        assert np.isfinite(arrays["unsup"]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.csv", "--out", "m.pt"], "no such training table"),
        (["absent.csv", "--out", "m.pt", "--model", "magic"], "no model 'magic'"),
        (["absent.csv", "--out", "nowhere/m.pt"], "/nowhere"),
    ],
)
def test_mistakes_are_said_before_anything_is_done(
    run: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    failed = run.invoke(app, ["fit", *arguments])
    assert failed.exit_code in (1, 2)
    assert message in failed.output.replace("\n", " ").replace("│", "")
    assert list(tmp_path.iterdir()) == []
