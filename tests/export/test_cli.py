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


ROWS = "Bulk density (GRA),MS,NGR,R,G,B\n20,20,20,20,20,20\n1.7,-999.25,20,100,,88\n"


def test_rows_of_ones_own_are_held_to_the_gate_and_labels_compared(root: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(ROWS)
    command = [str(root / "models" / "semisup.pt"), "--out", str(tmp_path / "b"), "--rows", str(tmp_path / "rows.csv")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    lines = [line for line in done.stdout.splitlines() if line.startswith("yours")]
    assert len(lines) == 14  # every output of every graph
    assert any("classifier.probabilities" in line and line.endswith("100.00% agree") for line in lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "rows.csv is not a table of the features: no such file"),
        ("", "none of its columns is named 'Bulk density (GRA)'"),
        (ROWS.splitlines()[0], "it has no rows"),
        (ROWS.replace("G,", "H,", 1), "none of its columns is named"),
        (ROWS + "1.7,high,1,1,1,1\n", "row 4: could not convert string to float: 'high'"),
        (ROWS + "1.7,1\n", "row 4 ends after 2 columns"),
    ],
)
def test_a_table_of_rows_that_is_none_is_refused(root: Path, tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "rows.csv").write_text(text)
    command = [str(root / "models" / "unsup.pt"), "--out", str(tmp_path / "b"), "--rows", str(tmp_path / "rows.csv")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1
    assert message in done.stderr
    assert not (tmp_path / "b").exists()
