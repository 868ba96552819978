from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from lithovae.runtime import InputError, LithoModel, ScanError
from lithovae.runtime.cli import app
from lithovae.runtime.follow.follower import Follower
from lithovae.runtime.outputs.hdf5 import GrowingFile
from lithovae.runtime.scan.calibration import read_calibrations
from lithovae.runtime.scan.scan import open_scan
from lithovae.runtime.settings import Calibration, Settings

WriteScan = Callable[..., Path]
LOOP = '[MS]\nunit = "SI x 10^-5"\ngain = 1.25\noffset = -0.5\nsource = "loop MS2C, sheet of 2020"\n'
MS = "Magnetic susceptibility (instr. units)"


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    path = tmp_path / "loop.toml"
    path.write_text(LOOP, encoding="utf-8")
    return path


@pytest.fixture
def geotek(write_scan: WriteScan) -> Path:
    return write_scan({"SB DEPTH": [0.1, 0.2, 0.3], "MS1": [2.0, np.nan, -4.0]}, units={"MS1": "SIx10-5"})


def invoke(*arguments: object) -> str:
    done = CliRunner().invoke(app, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.stdout


def test_it_applies_to_the_stated_unit_in_every_spelling(write_scan: WriteScan, loop: Path) -> None:
    for unit in ("SI x 10^-5", "SIx10-5", "10⁻⁵ SI", "SI × 10⁻⁵", "x10-5 SI", "1e-5 SI"):
        scan_file = write_scan({"MS1": [2.0, np.nan, -4.0]}, units={"MS1": unit})
        with open_scan(scan_file, calibrations=read_calibrations(loop)) as scan:
            (stretch,) = scan.tracks[0].stretches()
            assert stretch.features[1].tolist() == pytest.approx([2.0, np.nan, -5.5], nan_ok=True), unit


@pytest.mark.parametrize("unit", ["SI", "SI x 10^-6", "", "10-8 m3/kg"])
def test_an_undeclared_conversion_is_refused(write_scan: WriteScan, loop: Path, unit: str) -> None:
    scan_file = write_scan({"MS": [2.0, 4.0], "density": [1.5, 1.6]}, units={"MS": unit} if unit else {})
    with open_scan(scan_file, calibrations=read_calibrations(loop)) as scan:
        assert not any(source.calibration for sources in scan.sources.values() for source in sources)
        assert (1 in scan.sources) == (unit == "")  # what states no unit is taken unchanged, as before
        assert any("is not used: no column of it states the unit 'SI x 10^-5'" in note for note in scan.notes)
    with pytest.raises(ScanError, match="left out"), open_scan(write_scan({"MS": [2.0]}, units={"MS": "SI"})):
        pass


def test_six_columns_of_one_dataset_are_calibrated_too(write_scan: WriteScan, tmp_path: Path) -> None:
    (tmp_path / "gra.toml").write_text('[density]\nunit = "g/cm3"\ngain = 2\nsource = "a test"\n')
    names = ["Bulk density (GRA)", MS, "NGR total counts (cps)", "R", "G", "B"]
    scan_file = write_scan({"data": np.ones((4, 6), np.float32)}, attrs={"data@columns": names})
    with h5py.File(scan_file, "a") as file:
        file["data"].attrs["units"] = ["g/cc", "", "cps", "", "", ""]
    invoke("run", scan_file, "--out", tmp_path / "plain.npz")
    (tmp_path / "gra.toml").write_text('[density]\nunit = "g/cc"\ngain = 2\nsource = "a test"\n')
    invoke("run", scan_file, "--out", tmp_path / "doubled.npz", "--calibration", tmp_path / "gra.toml")
    with np.load(tmp_path / "plain.npz") as plain, np.load(tmp_path / "doubled.npz") as doubled:
        assert not np.array_equal(plain["embeddings"], doubled["embeddings"])


def test_run_records_it_and_inspect_shows_it(geotek: Path, loop: Path, tmp_path: Path) -> None:
    stated = {"unit": "SI x 10^-5", "gain": 1.25, "offset": -0.5, "source": "loop MS2C, sheet of 2020"}
    said = invoke("run", geotek, "--out", tmp_path / "emb.npz", "--calibration", loop)
    assert "MS1 (SIx10-5, calibrated)" in said
    with np.load(tmp_path / "emb.npz") as result:
        assert json.loads(str(result["about"]))["calibrations"] == {MS: stated}
    assert "SIx10-5 x 1.25 -0.5 (loop MS2C, sheet of 2020)" in invoke("inspect", geotek, "--calibration", loop)
    found = json.loads(invoke("inspect", geotek, "--calibration", loop, "--json"))
    assert found["features"][1]["sources"][0]["calibration"] == stated


def test_follow_gives_what_run_gives(geotek: Path, loop: Path, tmp_path: Path) -> None:
    invoke("run", geotek, "--out", tmp_path / "emb.npz", "--calibration", loop)
    settings = Settings(calibrations=read_calibrations(loop))
    follower = Follower(geotek, LithoModel.load("semisup_hybrid"), GrowingFile(tmp_path / "emb.h5"), settings)
    while not follower.n_rows:
        follower.poll()
    follower.finish()
    with np.load(tmp_path / "emb.npz") as batch, h5py.File(tmp_path / "emb.h5") as live:
        assert np.array_equal(batch["embeddings"], live["embeddings"][:], equal_nan=True)
        assert MS in json.loads(live.attrs["about"])["calibrations"]


def test_pack_stores_calibrated_values_once(geotek: Path, loop: Path, tmp_path: Path) -> None:
    invoke("pack", geotek, "--out", tmp_path / "packed.h5", "--calibration", loop)
    with h5py.File(tmp_path / "packed.h5") as file:
        assert file[f"MS/{MS}"][:].tolist() == pytest.approx([2.0, np.nan, -5.5], nan_ok=True)
        assert json.loads(file.attrs["about"])["calibrations"][MS]["gain"] == 1.25
    with open_scan(tmp_path / "packed.h5", calibrations=read_calibrations(loop)) as scan:
        (stretch,) = scan.tracks[0].stretches()
        assert stretch.features[1][0] == 2.0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[MS", "is not TOML"),
        ("", "holds no table"),
        ("MS = 1.0", r"\[MS\] is not a table"),
        ("[temperature]\nunit='C'\ngain=1\nsource='x'", r"\[temperature\] is not a feature; known are density, MS"),
        (
            LOOP.replace("source", "origin"),
            r"\[MS\] has the unknown key 'origin'; known are unit, gain, offset",
        ),
        (LOOP.replace('source = "loop MS2C, sheet of 2020"', ""), r"\[MS\] needs source, a text"),
        (LOOP.replace('"SI x 10^-5"', '" "'), r"\[MS\] needs unit, a text"),
        (LOOP.replace("gain = 1.25", ""), r"\[MS\] needs gain, a number"),
        (LOOP.replace("1.25", "'1.25'"), r"\[MS\] gain is '1.25', not a finite number"),
        (LOOP.replace("1.25", "true"), r"\[MS\] gain is True"),
        (LOOP.replace("1.25", "inf"), r"\[MS\] gain is inf"),
        (LOOP.replace("1.25", "0.0"), r"\[MS\] gain is 0"),
        (LOOP.replace("-0.5", "nan"), r"\[MS\] offset is nan"),
        (LOOP + LOOP.replace("[MS]", "[susceptibility]"), ".*has two tables; the second is .susceptibility."),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "loop.toml").write_text(content)
    with pytest.raises(InputError, match=f"--calibration: .*loop.toml:? {message}"):
        read_calibrations(tmp_path / "loop.toml")
    with pytest.raises(InputError, match="cannot be read"):
        read_calibrations(tmp_path / "absent.toml")


def test_offset_is_optional(tmp_path: Path) -> None:
    (tmp_path / "loop.toml").write_text(LOOP.replace("offset = -0.5", ""))
    assert read_calibrations(tmp_path / "loop.toml") == {
        MS: Calibration("SI x 10^-5", 1.25, 0.0, "loop MS2C, sheet of 2020")
    }
