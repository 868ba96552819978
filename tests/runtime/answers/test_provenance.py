from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from lithovae.runtime import LithoModel, Settings
from lithovae.runtime.answers.provenance import about
from lithovae.runtime.commands.table import write_table
from lithovae.runtime.description import ScanDescription
from lithovae.runtime.formats.unchanged import identity_of
from lithovae.runtime.outputs.writer import FORMATS
from lithovae.runtime.reading import read
from lithovae.runtime.scan.scan import open_scan
from tests.runtime.outputs import material


@pytest.fixture
def described(root: Path) -> ScanDescription:
    with open_scan(root / "examples" / "scan.h5") as scan:
        return scan.describe()


def test_provenance_says_what_was_run_on_what(described: ScanDescription, root: Path) -> None:
    bundle = LithoModel.load("semisup_hybrid").bundle
    settings = Settings(bin_width=0.5, missing="nan", top=3)
    identity = identity_of(root / "examples" / "scan.h5")
    found = about(
        described, bundle, bin_width=0.5, missing="nan", notes=["a note"], settings=settings, identity=identity
    )
    assert json.loads(json.dumps(found)) == found
    assert found["versions"] == {name: version(name) for name in ("lithovae", "numpy", "onnxruntime")}
    assert (found["bundle"], found["trained_on"]) == ("semisup_hybrid", bundle.trained_on)
    assert found["bundle_sha256"] == hashlib.sha256((bundle.path / "manifest.json").read_bytes()).hexdigest()
    assert (found["scan"], found["scan_file"]) == ("scan.h5", identity)
    assert found["options"]["bin"] == 0.5
    assert (found["options"]["top"], found["options"]["map"]) == (3, {})
    assert found["notes"][-1] == "a note"


def test_a_scan_that_grows_has_no_digest(described: ScanDescription) -> None:
    bundle = LithoModel.load("unsup").bundle
    found = about(described, bundle, bin_width=None, missing="nan", notes=[])
    assert not {"scan_file", "options", "simulated"} & found.keys()


@pytest.mark.parametrize("suffix", [name for name, format in FORMATS.items() if format.whole and name != ".csv"])
def test_every_format_but_csv_keeps_provenance_as_it_is(
    described: ScanDescription, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    bundle = LithoModel.load("unsup").bundle
    found = about(described, bundle, bin_width=None, missing="nan", notes=["µ: colon"], settings=Settings())
    monkeypatch.setattr(material, "ABOUT", found)
    schema = material.schema_of()
    path = material.write(tmp_path / f"emb{suffix}", schema, material.rows_of(schema, 5))
    assert read(path).about == found


def test_a_result_of_simulated_rows_is_a_scan_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(material, "ABOUT", {"simulated": "seed 42"})
    schema = material.schema_of()
    for suffix in (".h5", ".nc", ".las"):
        path = material.write(tmp_path / f"emb{suffix}", schema, material.rows_of(schema, 5))
        write_table(path, tmp_path / "table.csv")
        assert "seed 42" in (tmp_path / "table.csv").read_text().splitlines()[1]


def test_a_small_file_is_hashed_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "scan").write_bytes(b"content")
    assert identity_of(tmp_path / "scan") == {"bytes": 7, "sha256": hashlib.sha256(b"content").hexdigest()}


def test_a_large_file_is_hashed_by_the_recipe_of_the_docs(tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(8_000_001)
    (tmp_path / "scan").write_bytes(content)
    blocks = [content[start : start + 64_000] for start in (i * (len(content) - 64_000) // 63 for i in range(64))]
    expected = hashlib.sha256(b"8000001" + b"".join(blocks)).hexdigest()
    key = "sha256_of_size_and_64_blocks_of_64000_bytes"
    assert identity_of(tmp_path / "scan") == {"bytes": 8_000_001, key: expected}
    (tmp_path / "scan").write_bytes(content[:-1] + b"?")
    assert identity_of(tmp_path / "scan")[key] != expected
