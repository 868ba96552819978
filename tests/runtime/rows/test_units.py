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

WriteScan = Callable[..., Path]
N = 200
STEADY = np.linspace(0, 1, N)
FINE = np.arange(N) * 0.05
"""Ten metres of core."""
SECTIONS = np.repeat(np.arange(1, 9), N // 8).astype(str).astype("S")


def in_another_unit() -> dict[str, tuple[dict[str, Any], str]]:
    return {
        "susceptibility in SI": ({"depth": FINE, "MS": STEADY * 9e-4}, "no susceptibility is above 0.001"),
        "colours to 1": ({"depth": FINE, **dict.fromkeys("RGB", np.round(STEADY))}, "no colour is above 1"),
        "density in kg/m3": ({"depth": FINE, "density": 1700 + 90 * STEADY}, "all densities are above 300"),
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
        "R": STEADY * 2,
        "G": STEADY,
        "B": STEADY,
        "section": SECTIONS,
    }
    scan = write_scan(fine, units={"depth": "m"})
    done = CliRunner().invoke(app, ["run", str(scan), "--out", str(tmp_path / "emb.npz")])
    assert "another unit" not in done.stdout
    assert "cm or mm" not in done.stdout
    empty = write_scan({"depth": FINE, "MS": STEADY * 0})
    assert "susceptibility is above" not in CliRunner().invoke(app, ["inspect", str(empty)]).stdout
