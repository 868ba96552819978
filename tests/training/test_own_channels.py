"""The four commands of docs/own-channels.md, on real text files of a Geotek logger."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lithovae.export.c_library import CLibrary
from lithovae.export.cli import app as export_app
from lithovae.runtime import LithoModel
from lithovae.runtime.cli import app
from lithovae.runtime.features import FeatureSet
from lithovae.training.cli import app as train_app

LAKE = FeatureSet.named(["density", "MS", "Vp", "Res"])
PART_2, PART_3 = "EXPD_MSCL_20200626_part2.out", "EXPD_MSCL_20200627_part3.out"


def invoke(command: str) -> str:
    """Run a command line as the docs write it; the verbs of other packages by their own programs."""
    words = shlex.split(command)[1:]
    program, words = {"train": (train_app, words[1:]), "export": (export_app, words[1:])}.get(words[0], (app, words))
    done = CliRunner().invoke(program, words)
    assert done.exit_code == 0, f"{command}: {done.output}"
    return done.output


@pytest.fixture(scope="module")
def tables(root: Path) -> Path:
    found = root.parent / "shared" / "tables"
    if not found.is_dir():
        pytest.skip("../shared/tables is absent")
    return found


def test_four_commands_from_text_files_to_embeddings(
    root: Path, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (root / "docs" / "own-channels.md").read_text(encoding="utf-8")
    pack, fit, export, run = re.findall(r"^lithovae .*", page, re.MULTILINE)[:4]
    (calibration,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path("loop.toml").write_text(calibration.replace("   ", ""), encoding="utf-8")
    Path("sections.csv").write_text("Section,Top depth (m)\n1,0\n2,1.1\n3,2.2\n4,3.3\n5,4.4\n", encoding="utf-8")
    Path("cores").mkdir()
    shutil.copy(tables / PART_3, "core1.out")
    shutil.copy(tables / PART_2, "core2.out")
    assert "Electrical resistivity" in invoke(pack)
    invoke(pack.replace("core1", "core2").replace(" sections.csv", ""))
    said = invoke(f"{fit} --epochs 20")
    assert "features: density, MS, Vp, Res; missing: Vp 80.0%" in said  # P-wave is in one of the files only
    assert "2 holes" in said
    assert "parity passed" in invoke(export)
    assert "features    density, MS, Vp, Res" in invoke("lithovae models lake")
    invoke(run)
    with np.load("core1.npz") as result:
        assert result["features"].tolist() == list(LAKE.names)
        embeddings, missing = result["embeddings"], result["missing"]
    assert embeddings.shape == (1015, 10)
    assert (missing & 4 == 4).all()  # no P-wave in this core: imputed, and said
    assert json.loads(Path("lake/manifest.json").read_text(encoding="utf-8"))["features"] == LAKE.to_json()

    model = LithoModel.load("lake")
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(1.02, 0.1, 100), rng.normal(2, 3, 100), rng.normal(1100, 200, 100)])
    rows = np.column_stack([rows, rng.uniform(0, 0.1, 100)])
    rows = np.where(rng.random(rows.shape) < 0.2, np.nan, rows).astype(np.float32)
    if shutil.which("cc"):
        library = CLibrary(Path("lake.c").read_text(encoding="ascii"), LAKE, 10, tmp_path)
        found, bits = library.run(np.asarray(rows, np.float32))
        np.testing.assert_allclose(found, model.embed(rows), atol=1e-4)
        np.testing.assert_array_equal(bits, model.missing(rows))


def test_what_bins_writes_is_what_fit_reads(tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop.toml").write_text("[MS]\nunit='SI x 10^-5'\ngain=1\nsource='x'\n", encoding="utf-8")
    shutil.copy(tables / PART_2, "core.out")
    arguments = "--features density,MS,Vp,Res --calibration loop.toml"
    for suffix in (".csv", ".parquet"):
        invoke(f"lithovae bins core.out --bin 0.2 {arguments} --out core{suffix}")
    digests = set()
    for source, more in (("core.out", " --calibration loop.toml"), ("core.csv", ""), ("core.parquet", "")):
        checkpoint = Path(source).with_name(f"{Path(source).suffix[1:]}.pt")
        invoke(f"lithovae train fit {source} --features density,MS,Vp,Res{more} --epochs 1 --out {checkpoint}")
        digests.add(json.loads(checkpoint.with_suffix(".json").read_text(encoding="utf-8"))["data_digest"])
    assert len(digests) == 1  # the same holes, depths and values, to the bit
