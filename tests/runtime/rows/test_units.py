from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from lithovae.runtime import LithoModel
from lithovae.runtime.cli import app
from lithovae.runtime.follow.follower import Follower
from lithovae.runtime.outputs.hdf5 import GrowingFile
from lithovae.runtime.rows.units import DepthCheck, is_round_in_feet, steps_of
from lithovae.runtime.scan.scan import open_scan

WriteScan = Callable[..., Path]
N = 200
STEADY = np.linspace(0, 1, N)
FINE = np.arange(N) * 0.05
"""Ten metres of core."""
SECTIONS = np.repeat(np.arange(1, 9), N // 8).astype(str).astype("S")


def in_another_unit() -> dict[str, tuple[dict[str, Any], str]]:
    return {
        "susceptibility in SI": (
            {"depth": FINE, "MS": STEADY * 9e-4},
            "Magnetic susceptibility (instr. units): no value is above 0.001; the models need instrument units",
        ),
        "colours to 1": (
            {"depth": FINE, **{f"{channel} (0-255)": STEADY for channel in "RGB"}},
            "R, G, B: no value is above 1; the models need 0 to 255",
        ),
        "colours of 16 bits": (
            {"depth": FINE, **{f"camera/{channel}": np.round(257 * (2 + STEADY)) for channel in "RGB"}},
            "R, G, B: all values are from 514 to 771; the models need 0 to 255",
        ),
        "density in kg/m3": (
            {"depth": FINE, "density": 1700 + 90 * STEADY},
            "Bulk density (GRA): all values are from 1,700 to 1,790; the models need g/cm3",
        ),
        "gamma in counts": (
            {"depth": FINE, "NGR": 1500 + 9000 * STEADY},
            "NGR total counts (cps): all values are from 1,500 to 10,500; the models need cps",
        ),
        "depth in cm": ({"depth": FINE * 100, "MS": STEADY}, "depths without a unit seem not to be metres"),
        "depth in mm": ({"depth": FINE * 5000, "MS": STEADY}, "depths are deeper than any borehole"),
        "sections in cm": (
            {"depth": FINE * 100, "MS": STEADY, "section": SECTIONS},
            "the sections are longer than 20 m, by their depths",
        ),
    }


@pytest.mark.parametrize("case", in_another_unit())
@pytest.mark.parametrize("bins", ["auto", "0.2"])
def test_run_inspect_and_follow_say_the_same(write_scan: WriteScan, tmp_path: Path, case: str, bins: str) -> None:
    datasets, note = in_another_unit()[case]
    scan = write_scan(datasets)
    arguments = [str(scan), "--bin", bins]
    ran = CliRunner().invoke(app, ["run", *arguments, "--out", str(tmp_path / "emb.npz")])
    inspected = CliRunner().invoke(app, ["inspect", *arguments])
    said: list[str] = []
    follower = Follower(scan, LithoModel.load("semisup_hybrid"), GrowingFile(tmp_path / "emb.h5"), say=said.append)
    while not follower.n_rows:
        follower.poll()
    follower.finish()
    for lines in (ran.stdout.splitlines(), inspected.stdout.splitlines(), said):
        assert sum(note in line for line in lines) == 1, lines
    with np.load(tmp_path / "emb.npz") as result:
        assert any(note in each for each in json.loads(str(result["about"]))["notes"])
    if case == "density in kg/m3":
        assert any("is outside 0.3 to 4 g/cm3 in all 200 rows" in line for line in said)


def test_what_may_be_right_is_not_doubted(write_scan: WriteScan, tmp_path: Path) -> None:
    fine = {
        "depth": FINE * 15,  # a hole of 150 m in sections of 18 m
        "MS": STEADY * -3.0,
        "density": 1 + STEADY,
        "R (0-255)": STEADY * 2,
        "G (0-255)": STEADY,
        "B (0-255)": STEADY,
        "section": SECTIONS,
    }
    scan = write_scan(fine, units={"depth": "m"})
    done = CliRunner().invoke(app, ["run", str(scan), "--out", str(tmp_path / "emb.npz")])
    assert done.exit_code == 0, done.output
    assert "the models need" not in done.stdout
    assert "another unit" not in done.stdout
    assert "cm or mm" not in done.stdout
    nothing = {"depth": FINE, "MS": STEADY * 0, **dict.fromkeys("RGB", np.round(STEADY))}  # 0, and shades of black
    assert "the models need" not in CliRunner().invoke(app, ["inspect", str(write_scan(nothing))]).stdout


def test_samples_left_out_of_the_means_count_too(write_scan: WriteScan, tmp_path: Path) -> None:
    mixed = np.where(np.arange(N) % 8 == 0, 1700, 1.7)  # some samples in g/cm3: the others are faults
    scan = write_scan({"depth": FINE, "density": mixed})
    done = CliRunner().invoke(app, ["run", str(scan), "--bin", "0.2", "--out", str(tmp_path / "emb.npz")])
    assert "were left out of the means" in done.stdout
    assert "kg/m3" not in done.stdout


def test_a_run_of_several_scans_names_those_in_another_unit(tmp_path: Path, write_scan: WriteScan) -> None:
    si = write_scan({"depth": FINE, "MS": STEADY * 9e-4}).rename(tmp_path / "si.h5")
    scan = write_scan({"depth": FINE, "MS": STEADY * 9})
    done = CliRunner().invoke(app, ["run", str(si), str(scan), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    noted = [line for line in done.stdout.splitlines() if line.startswith("note")]
    assert [line.startswith(f"note   {si}: Magnetic susceptibility") for line in noted] == [True]


@pytest.mark.parametrize("step", [0.01, 0.025, 0.1, 0.5])
def test_a_step_that_is_round_in_feet_only(step: float) -> None:
    assert is_round_in_feet(step / 0.3048)
    assert not is_round_in_feet(step)
    assert not is_round_in_feet(step * 0.3048)  # a log in feet whose depths were converted


@pytest.mark.parametrize(("metres", "decimals"), [(1.0, 9), (0.3048, 9), (0.3048, 2)])
def test_the_steps_of_each_instrument_tell_depths_in_feet(write_scan: WriteScan, metres: float, decimals: int) -> None:
    depth = np.delete(np.arange(2000) * 0.025, slice(300, 340))  # with a gap
    scan = write_scan(
        {"a/depth": np.round(depth / metres, decimals), "a/MS": depth, "b/depth": FINE, "b/density": FINE}
    )
    with open_scan(scan) as opened:
        steps = steps_of(opened.tracks)
        assert len(steps) == 2
        notes = DepthCheck(has_depth_unit=False, steps=steps).notes
    assert [("in feet" in note and "0.025 m if these are feet" in note) for note in notes] == [True] * (metres != 1)


def test_irregular_depths_tell_nothing(write_scan: WriteScan) -> None:
    depth = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.3, 500))
    with open_scan(write_scan({"depth": depth, "MS": depth})) as scan:
        assert steps_of(scan.tracks) == []
    with open_scan(write_scan({"MS": depth})) as scan:
        assert steps_of(scan.tracks) == []
