from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from lithovae.runtime import ScanError
from lithovae.runtime.cli import app
from lithovae.runtime.features import FEATURE_NAMES, LILY
from lithovae.runtime.rows.inspection import MAX_STEPS, DepthSteps, inspect_scan
from lithovae.runtime.rows.missing_policy import MissingPolicy
from lithovae.runtime.settings import Settings


def inspected(path: Path, bundle: str, missing: str) -> dict[str, Any]:
    return inspect_scan(path, Settings(bundle), MissingPolicy(missing, LILY))


KEYS = ["scan", "layout", "address", "found", "rows", "bundle", "features", "tracks", "notes", "unused"]


@pytest.fixture
def holes(tmp_path: Path) -> Path:
    """Two holes, each with density in kg/m3 (a tenth missing) and a camera in a table of its own; no gamma."""
    path = tmp_path / "holes.h5"
    with h5py.File(path, "w") as file:
        for hole in ("U1482A", "U1482B"):
            file[f"{hole}/GRA/density"] = np.where(np.arange(100) % 10, 1500.0, np.nan)
            file[f"{hole}/GRA/density"].attrs["units"] = "kg/m3"
            file[f"{hole}/GRA/depth_cm"], file[f"{hole}/GRA/core"] = np.arange(100) * 2.5, np.arange(100) // 50
            for name in "RGB":
                file[f"{hole}/camera/{name}"] = np.full(250, 80, "u1")
            file[f"{hole}/camera/depth"] = np.arange(250) * 0.01
        file["U1482A/camera/temperature"] = np.ones(250)
    return path


def test_a_plan_has_its_keys_and_figures(holes: Path) -> None:
    plan = inspected(holes, "semisup", "nan")
    assert list(plan) == KEYS
    assert plan["layout"] == ["1-D datasets", "a group per hole"]
    assert plan["found"]["holes"] == {"n": 2, "first": ["U1482A", "U1482B"]}
    assert plan["found"]["cores"] == {"n": 4, "first": ["U1482A 0", "U1482A 1", "U1482B 0", "U1482B 1"]}
    density, ms = plan["features"][:2]
    assert density["sources"][1] == {
        "path": "U1482B/GRA/density",
        "layout": "1-D datasets",
        "unit": "kg/m3",
        "factor": "1/1000",
        "mapped": False,
    }
    assert ms["sources"] == []
    assert (ms["rows_with_value"], ms["coverage"], ms["where_missing"]) == (0, 0.0, "no embedding")
    assert plan["rows"]["n"] == 2 * 13
    assert plan["rows"]["depth_m"] == pytest.approx([0, 2.4])
    gra = plan["tracks"][0]
    assert gra["values"] == {"Bulk density (GRA)": 90}
    assert gra["address"] == {"hole": "U1482A"}
    assert gra["address_columns"] == {"core": "U1482A/GRA/core"}
    assert gra["depth"]["range_m"] == [0, 2.475]
    assert gra["depth"]["median_step_m"] == pytest.approx(0.025)
    assert plan["unused"] == ["U1482A/camera/temperature"]


def test_inspect_shows_the_plan_and_writes_nothing(holes: Path) -> None:
    run = CliRunner()
    done = run.invoke(app, ["inspect", str(holes), "--model", "semisup"])
    assert done.exit_code == 0, done.output
    for line in (
        "layout   1-D datasets; a group per hole",
        "found    2 holes (U1482A, U1482B)",
        "model    semisup; where a row lacks a feature: no embedding",
        "density  U1482A/GRA/density and 1 more  kg/m3 / 1000",
        "NGR      not in this scan",
        "none: no embedding",
        "100      density 90%  U1482A/GRA/depth_cm (cm / 100)",
        "unused   U1482A/camera/temperature",
    ):
        assert line in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 100
    assert sorted(holes.parent.iterdir()) == [holes]
    as_json = run.invoke(app, ["inspect", str(holes), "--json", "--map", "MS=*/camera/temperature"])
    assert json.loads(as_json.stdout)["features"][1]["sources"][0]["mapped"]


def test_inspect_of_a_table_in_text_names_its_hole_and_what_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "core.out"
    path.write_text("Hole\tSB DEPTH\tDen1\tMS1\n\tm\tg/cc\tSI x 10^-5\nB\t0.1\t1.5\t20\nB\t0.2\t1.6\t21\n")
    done = CliRunner().invoke(app, ["inspect", str(path)])
    assert done.exit_code == 0, done.output
    for line in (
        "layout   text table, separated by tabs; all in one table",
        "found    1 hole (B)",
        "density  Den1                     g/cc  2 (100%)",
        "MS       left out: see the notes        none: imputed",
        "'SI x 10^-5' is not instr. units: left out (--map takes it unchanged); --calibration declares a conversion",
    ):
        assert line in done.stdout


def test_inspect_fails_where_a_run_would(holes: Path) -> None:
    with h5py.File(holes, "a") as file:
        file["U1482A/run2/density"] = np.ones(100)
    done = CliRunner().invoke(app, ["inspect", str(holes)])
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert "could be any of U1482A/GRA/density, U1482A/run2/density" in done.stderr
    with h5py.File(holes, "a") as file:
        del file["U1482A/run2"], file["U1482B/GRA/depth_cm"]
    with pytest.raises(ScanError, match=r"U1482B/GRA/density \(100 samples\) has no depth"):
        inspected(holes, "semisup", "nan")


@pytest.mark.parametrize("option", ["--inspect", "--json", "--follow", "--verify"])
def test_run_embeds_and_does_nothing_else(holes: Path, option: str) -> None:
    done = CliRunner().invoke(app, ["run", str(holes), "--out", "x.npz", option], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert f"No such option: {option}" in done.stderr


def test_inspect_of_a_run_that_gaps_would_stop(flat_scan: Path) -> None:
    arguments = ["inspect", str(flat_scan), "--missing", "error"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    with h5py.File(flat_scan, "a") as file:
        file["R"][3] = np.nan
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {flat_scan}: row 3 lacks R: --missing error stops the run there")


def test_the_median_step_needs_no_more_memory_for_a_longer_track() -> None:
    steps = DepthSteps()
    for start in range(0, 8 * MAX_STEPS, MAX_STEPS):
        steps.add((start + np.arange(MAX_STEPS, dtype=np.float64)) * 0.5)
    steps.add(np.array([np.nan]))
    assert len(steps._steps) <= MAX_STEPS
    assert steps.median() == 0.5
    assert steps.range == [0.0, 0.5 * (8 * MAX_STEPS - 1)]


def test_a_scan_without_depth_has_a_plan(flat_scan: Path) -> None:
    plan = inspected(flat_scan, "unsup", "nan")
    assert plan["rows"] == {
        "kind": "own",
        "bin_width_m": None,
        "n": 1000,
        "depth_m": None,
        "samples_without_depth": 0,
        "implausible_samples": dict.fromkeys(FEATURE_NAMES, 0),
    }
    assert plan["tracks"][0]["depth"] is None


def test_a_plan_has_the_notes_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "sections.h5"
    with h5py.File(path, "w") as file:
        file["MS"], file["depth"], file["section"] = np.ones(30), np.tile(np.arange(15) * 0.1, 2), np.repeat([1, 2], 15)
    notes = inspected(path, "semisup", "nan")["notes"]
    start = "depths start again near 0 with each section (2 of 2): rows with equal"
    assert any(note.startswith(start) for note in notes)


def test_a_plan_fails_where_missing_error_stops_a_run(holes: Path) -> None:
    message = r"row 0 \(0\.00 m\) lacks Magnetic susceptibility .*: --missing error stops the run there"
    with pytest.raises(ScanError, match=message):
        inspected(holes, "semisup", "error")


def test_a_plan_says_that_a_model_was_not_trained_to_impute(holes: Path) -> None:
    done = CliRunner().invoke(app, ["inspect", str(holes), "--model", "unsup", "--missing", "impute"])
    assert "note     unsup was not trained with missing features; --missing impute imputes them anyway" in done.stdout


def test_a_file_that_changes_while_it_is_inspected_is_an_error(holes: Path) -> None:
    def meddling(items: Any, *_: object) -> Any:
        yield from items
        holes.write_bytes(holes.read_bytes() + b"more")

    with pytest.raises(ScanError, match=r"holes\.h5 changed from .* bytes while it was read"):
        inspect_scan(holes, Settings("semisup"), MissingPolicy("nan", LILY), progress=meddling)
