"""The examples of CONTRIBUTING.md do what it says: one new file and one line of a table."""

from __future__ import annotations

import csv
import re
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from lithovae.runtime import LithoModel
from lithovae.runtime.cli import VERBS, Verb, app
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.formats import open as formats
from lithovae.runtime.outputs import writer
from lithovae.runtime.scan.scan import open_scan


@pytest.fixture
def example(root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make a module of the example that defines something, as if it were a file beside a module of the runtime."""
    page = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")

    def make(defines: str, beside: str) -> types.ModuleType:
        (code,) = (code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if defines in code)
        name = f"{beside.rpartition('.')[0]}.example"
        module = types.ModuleType(name)
        module.__package__ = beside.rpartition(".")[0]
        monkeypatch.setitem(sys.modules, name, module)
        exec(code, module.__dict__)
        return module

    return make


def test_a_file_format_is_a_file_and_a_line(example: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = example("class PairFile", "lithovae.runtime.formats.open")
    monkeypatch.setattr(formats, "FORMATS", (pairs.__name__, *formats.FORMATS))
    (tmp_path / "core.pairs").write_text("#pairs\n0.1 5\n0.2 -7\n")
    with open_scan(tmp_path / "core.pairs") as scan:
        (stretch,) = scan.tracks[0].stretches()
        assert stretch.depth is not None
        assert (stretch.depth.tolist(), stretch.features[1].tolist()) == ([0.1, 0.2], [5, -7])
    summary = embed_scan(tmp_path / "core.pairs", tmp_path / "out.npz", LithoModel.load("semisup_hybrid"))
    assert summary.n_missing.tolist() == [2, 0, 2, 2, 2, 2]


def test_an_output_format_is_a_file_and_a_line(
    example: Any, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = example("class TsvWriter", "lithovae.runtime.outputs.writer")
    monkeypatch.setattr(writer, "FORMATS", {**writer.FORMATS, ".tsv": writer.Format(whole=rows.open_whole)})
    model, scan = LithoModel.load("semisup_hybrid"), root / "examples" / "scan.h5"
    for out in ("out.tsv", "out.npz"):
        embed_scan(scan, tmp_path / out, model)
    with np.load(tmp_path / "out.npz") as arrays, open(tmp_path / "out.tsv", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file, dialect="excel-tab"))
        assert [float(row["embeddings_9"]) for row in table] == arrays["embeddings"][:, 9].tolist()
        assert [float(row["depth"]) for row in table] == arrays["depth"].tolist()


def test_a_command_is_a_file_and_a_line(example: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = example("def columns(scan", "lithovae.runtime.commands.run")
    monkeypatch.setitem(VERBS, "columns", Verb(columns.__name__))
    assert re.search(r"\bcolumns +List the columns", CliRunner().invoke(app, ["--help"]).output)
    done = CliRunner().invoke(app, ["columns", str(root / "examples" / "scan.h5")])
    assert done.exit_code == 0
    assert "RGB/depth  cm\n" in done.output
