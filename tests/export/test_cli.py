from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lithovae.export.cli import app
from lithovae.models.checkpoint import Checkpoint
from lithovae.runtime import LithoModel


def test_exports_and_prints_the_parity_table(checkpoints: dict[str, Checkpoint], tmp_path: Path) -> None:
    checkpoints["semisup_hybrid"].save(tmp_path / "mine.pt")
    done = CliRunner().invoke(app, [str(tmp_path / "mine.pt"), "--out", str(tmp_path / "bundle")])
    assert done.exit_code == 0, done.output
    for output in ("encoder.mu", "encoder.logvar", "decoder.R", "classifier.probabilities"):
        assert output in done.output
    assert "parity passed" in done.output
    assert LithoModel.load(tmp_path / "bundle").imputes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such checkpoint"),
        (pickle.dumps({"a": 1}), "not a torch checkpoint"),
        (b"\x89HDF", "not a torch checkpoint"),
    ],
)
def test_one_clear_line_and_nothing_written(tmp_path: Path, content: bytes | None, message: str) -> None:
    checkpoint = tmp_path / "bad.pt"
    if content is not None:
        checkpoint.write_bytes(content)
    done = CliRunner().invoke(app, [str(checkpoint), "--out", str(tmp_path / "bundle")])
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "bundle").exists()
