"""What `lithovae run` and `follow` say beside embeddings: lithologies, intervals, quality, a report."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from lithovae.runtime import LithoModel, Settings, embed_scan
from lithovae.runtime.answers.answers import Answers
from lithovae.runtime.commands import follow, run
from lithovae.runtime.errors import BundleError, OutputError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.log import bit_of
from tests.runtime.answers.known_rows import with_reference

CLAY = [1.6, 20.0, 38.0, 42.0, 41.0, 38.0]
OOZE = [1.7, 4.0, 18.0, 105.0, 104.0, 88.0]


@pytest.fixture
def core(tmp_path: Path) -> Path:
    """A core of 20 m: 8 m of clay above ooze, with a gap of 2 m in the ooze."""
    rng = np.random.default_rng(3)
    depth = np.concatenate([np.arange(0.1, 14, 0.2), np.arange(16.1, 20, 0.2)])
    rows = np.where(depth[:, None] < 8, CLAY, OOZE) * rng.normal(1, 0.02, (len(depth), 6))
    path = tmp_path / "core.h5"
    with h5py.File(path, "w") as file:
        for name, values in zip(FEATURE_NAMES, rows.T, strict=True):
            file[name] = values
        file["depth"] = depth
        file["depth"].attrs["units"] = "m"
    return path


def invoke(*arguments: str | Path) -> Any:
    return CliRunner().invoke(run.app, [str(argument) for argument in arguments])


def columns_of(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path) as file:
        return dict(file)


def test_lithologies_are_those_of_the_model(core: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    done = invoke(core, "--out", out, "--classify", "--top", "2", "--values")
    assert done.exit_code == 0, done.output
    found, model = columns_of(out), LithoModel.load("semisup_hybrid")
    expected = model.classify(found["values"])
    np.testing.assert_array_equal(found["lithologies"][:, 0], expected.argmax(axis=1))
    np.testing.assert_allclose(found["probabilities"][:, 0], expected.max(axis=1), atol=1e-6)
    np.testing.assert_allclose(found["probabilities"][:, 1], np.sort(expected, axis=1)[:, -2], atol=1e-6)
    entropy = -(expected * np.log(np.maximum(expected, 1e-30))).sum(axis=1)
    np.testing.assert_allclose(found["entropy"], entropy, atol=1e-4)
    assert "class_probabilities" not in found


def test_all_probabilities_are_written_on_request(core: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    assert invoke(core, "--out", out, "--classify", "--top", "all", "--values").exit_code == 0
    found, model = columns_of(out), LithoModel.load("semisup_hybrid")
    np.testing.assert_allclose(found["class_probabilities"], model.classify(found["values"]), atol=1e-6)
    assert found["lithologies"].shape[1] == 3


def test_a_simulated_model_carries_its_warning(core: Path, tmp_path: Path) -> None:
    out, beds, page = tmp_path / "out.npz", tmp_path / "beds.csv", tmp_path / "log.html"
    done = invoke(core, "--out", out, "--classify", "--intervals", beds, "--report", page)
    warning = LithoModel.load("semisup_hybrid").bundle.warning
    assert "simulated" in warning
    assert warning in done.stdout
    found = columns_of(out)
    assert str(found["lithology_warning"]) == warning
    assert json.loads(str(found["about"]))["warning"] == warning
    assert warning in beds.read_text(encoding="utf-8")
    assert warning in page.read_text(encoding="utf-8")


def test_without_an_answer_nothing_changes(core: Path, tmp_path: Path) -> None:
    assert invoke(core, "--out", tmp_path / "plain.npz").exit_code == 0
    beside: list[str | Path] = ["--intervals", tmp_path / "beds.csv", "--report", tmp_path / "log.html"]
    assert invoke(core, "--out", tmp_path / "more.npz", *beside).exit_code == 0
    plain, more = columns_of(tmp_path / "plain.npz"), columns_of(tmp_path / "more.npz")
    assert plain.keys() == more.keys()
    for name in plain.keys() - {"about"}:
        np.testing.assert_array_equal(plain[name], more[name])


def test_intervals_find_the_boundary_and_keep_out_of_the_gap(core: Path, tmp_path: Path) -> None:
    done = invoke(core, "--out", tmp_path / "out.npz", "--intervals", tmp_path / "beds.csv", "--min-thickness", "1")
    assert done.exit_code == 0, done.output
    with (tmp_path / "beds.csv").open(encoding="utf-8", newline="") as file:
        beds = [(float(row["top"]), float(row["base"])) for row in csv.DictReader(file)]
    assert min(abs(top - 8) for top, _ in beds) <= 0.2
    assert not any(top < 15 < base for top, base in beds)  # nothing was measured there
    assert all(base - top >= 1 for top, base in beds)


def test_intervals_need_depths(write_scan: Callable[..., Path], tmp_path: Path) -> None:
    scan, out, beds = write_scan({name: [1.0, 2.0] for name in FEATURE_NAMES}), tmp_path / "o.npz", tmp_path / "b.csv"
    done = invoke(scan, "--out", out, "--intervals", beds)
    assert done.exit_code == 1
    assert "--intervals needs depths" in done.stderr
    assert not out.exists()
    assert not beds.exists()


@pytest.mark.parametrize("options", [["--classify"], ["--intervals", "beds.csv"]])
def test_an_unsupervised_model_has_no_lithologies(core: Path, tmp_path: Path, options: list[str]) -> None:
    options = [str(tmp_path / option) if option.endswith(".csv") else option for option in options]
    done = invoke(core, "--out", tmp_path / "out.npz", "--model", "unsup_hybrid", *options)
    assert done.exit_code == 1
    assert "unsupervised" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize("top", ["0", "-1", "some"])
def test_a_wrong_number_of_lithologies_is_refused(core: Path, tmp_path: Path, top: str) -> None:
    done = invoke(core, "--out", tmp_path / "out.npz", "--classify", "--top", top)
    assert done.exit_code in (1, 2)
    assert "lithologies" in done.stderr
    assert not (tmp_path / "out.npz").exists()


def test_there_are_at_most_as_many_lithologies_as_the_model_knows(core: Path, tmp_path: Path) -> None:
    done = invoke(core, "--out", tmp_path / "out.npz", "--classify", "--top", "500")
    assert done.exit_code == 0, done.output
    found, n = columns_of(tmp_path / "out.npz"), len(LithoModel.load("semisup_hybrid").classes)
    assert found["lithologies"].shape[1] == found["probabilities"].shape[1] == n
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1, atol=1e-5)


def test_quality_marks_what_was_imputed_and_what_is_out_of_range(core: Path, tmp_path: Path) -> None:
    with h5py.File(core, "a") as file:
        file[FEATURE_NAMES[2]][3] = np.nan
        file[FEATURE_NAMES[3]][5] = 400.0
    assert invoke(core, "--out", tmp_path / "out.npz", "--quality").exit_code == 0
    found = columns_of(tmp_path / "out.npz")
    assert np.flatnonzero(found["flags"] & bit_of("imputed")).tolist() == [3]
    assert np.flatnonzero(found["flags"] & bit_of("out_of_range")).tolist() == [5]
    assert np.isnan(found["residuals"]).sum() == 1
    assert ((found["novelty_p"] >= 0) & (found["novelty_p"] <= 1)).all()


def test_that_most_of_a_scan_is_imputed_is_said_first(core: Path, tmp_path: Path) -> None:
    with h5py.File(core, "a") as file:
        for name in FEATURE_NAMES[2:]:
            del file[name]
    said = invoke(core, "--out", tmp_path / "out.npz").stdout.splitlines()
    notes = [line for line in said if line.startswith("note")]
    assert notes[0] == "note   most of this scan is imputed: 67% of the values that the model takes"


def test_a_density_in_other_units_is_a_fault(core: Path, tmp_path: Path) -> None:
    with h5py.File(core, "a") as file:
        file[FEATURE_NAMES[0]][:] = file[FEATURE_NAMES[0]][:] * 1000
    done = invoke(core, "--out", tmp_path / "out.npz", "--quality")
    said = [line[7:] for line in done.stdout.splitlines() if "all values are from" in line]
    assert len(said) == 1, done.stdout
    assert f"fault  {said[0]}" in done.stdout
    about = json.loads(str(columns_of(tmp_path / "out.npz")["about"]))
    assert "ensity" in about["faults"][0]["what"]
    assert len(about["drift"]) == 6
    done = invoke(core, "--out", tmp_path, "--quality")
    assert done.stdout.count("all values are from") == 1, done.stdout


def test_several_scans_have_their_own_intervals_and_pages(core: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.h5"
    other.write_bytes(core.read_bytes())
    folders = [tmp_path / name for name in ("out", "beds", "pages")]
    done = invoke(core, other, "--out", folders[0], "--intervals", folders[1], "--report", folders[2])
    assert done.exit_code == 0, done.output
    found = [sorted(path.name for path in folder.iterdir()) for folder in folders]
    assert found == [["core.npz", "other.npz"], ["core.csv", "other.csv"], ["core.html", "other.html"]]


def test_a_report_that_cannot_be_written_fails_before_the_run(core: Path, tmp_path: Path) -> None:
    done = invoke(core, "--out", tmp_path / "out.npz", "--report", tmp_path / "log.xyz")
    assert done.exit_code == 1
    assert "log.xyz" in done.stderr
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize(
    ("writer", "written", "not_written"),
    [
        ("lithovae.runtime.outputs.intervals.whole_file", ["out.npz"], ["beds.csv", "log.html"]),
        ("lithovae.runtime.commands.one_scan.whole_file", ["out.npz", "beds.csv"], ["log.html"]),
    ],
)
def test_a_full_disk_at_the_end_says_what_had_been_written(
    core: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer: str, written: list[str], not_written: list[str]
) -> None:
    def full(path: Path) -> Any:
        raise OutputError(f"cannot write {path}: No space left on device", path)

    monkeypatch.setattr(writer, full)
    out, beds, page = (tmp_path / name for name in ("out.npz", "beds.csv", "log.html"))
    done = invoke(core, "--out", out, "--intervals", beds, "--report", page)
    assert done.exit_code == 1
    assert "No space left on device; " + " and ".join(str(tmp_path / name) for name in written) in done.stderr
    assert "written before" in done.stderr
    assert all((tmp_path / name).exists() for name in written)
    assert not any((tmp_path / name).exists() for name in not_written)


def test_the_same_answers_in_a_program(core: Path, tmp_path: Path) -> None:
    model = LithoModel.load("semisup_hybrid")
    settings = Settings(top=1, quality=True)
    summary = embed_scan(core, tmp_path / "out.npz", model, settings, intervals=tmp_path / "beds.csv")
    assert sum(summary.lithologies.values()) == summary.n_rows
    assert summary.intervals[0].top == pytest.approx(0.0)
    assert len(summary.drift) == 6
    assert summary.faults == []


def test_intervals_alone_carry_the_warning_of_a_simulated_model(core: Path, tmp_path: Path) -> None:
    model = LithoModel.load("semisup_hybrid")
    assert model.bundle.warning
    summary = embed_scan(core, tmp_path / "out.npz", model, intervals=tmp_path / "beds.csv")
    assert summary.warning == model.bundle.warning
    assert embed_scan(core, tmp_path / "out.npz", model).warning == ""


def test_a_damaged_decoder_fails_before_the_run(core: Path, tmp_path: Path) -> None:
    bundle = LithoModel.load("semisup_hybrid").bundle
    damaged = replace(bundle, graphs={**bundle.graphs, "decoder": bundle.graphs["embedder"]})
    with pytest.raises(BundleError, match=r"decoder\.onnx"):
        Answers(LithoModel(damaged), Settings(quality=True))
    damaged = replace(bundle, graphs={**bundle.graphs, "classifier": bundle.graphs["embedder"]})
    with pytest.raises(BundleError, match=r"classifier\.onnx"):
        Answers(LithoModel(damaged), Settings(), intervals="wanted")


def test_provenance_is_strict_json_if_the_training_range_is_not_known(core: Path, tmp_path: Path) -> None:
    model = LithoModel.load("semisup_hybrid")
    with_reference(model.bundle, None)
    embed_scan(core, tmp_path / "out.npz", model, Settings(quality=True))
    about = json.loads(str(columns_of(tmp_path / "out.npz")["about"]), parse_constant=pytest.fail)
    assert [each["beyond"] for each in about["drift"]] == [None] * 6


def test_a_followed_scan_has_the_same_answers(core: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    options = ["--classify", "--top", "1", "--quality", "--idle-timeout", "0"]
    done = CliRunner().invoke(follow.app, [str(core), "--out", str(out), *options])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    rows = [line for line in lines if "embedding" in line]
    assert invoke(core, "--out", tmp_path / "out.npz", "--classify", "--top", "1", "--quality").exit_code == 0
    found, classes = columns_of(tmp_path / "out.npz"), LithoModel.load("semisup_hybrid").classes
    assert [row["lithologies"] for row in rows] == [[classes[i]] for i in found["lithologies"][:, 0]]
    np.testing.assert_allclose([row["novelty_p"] for row in rows], found["novelty_p"], atol=1e-6)
    assert [row["flags"] for row in rows] == found["flags"].tolist()


def test_a_followed_scan_may_be_beyond_all_numbers(core: Path, tmp_path: Path) -> None:
    with h5py.File(core, "a") as file:
        file[FEATURE_NAMES[0]][:] = file[FEATURE_NAMES[0]][:] * 1000  # what the model restores of it is infinite
    out = tmp_path / "rows.jsonl"
    done = CliRunner().invoke(follow.app, [str(core), "--out", str(out), "--quality", "--idle-timeout", "0"])
    assert done.exit_code == 0, done.output
    assert any(None in json.loads(line).get("residuals", []) for line in out.read_text(encoding="utf-8").splitlines())


def test_a_report_needs_no_depths(write_scan: Callable[..., Path], tmp_path: Path) -> None:
    scan, out, page = write_scan({name: [1.0, 2.0] for name in FEATURE_NAMES}), tmp_path / "o.npz", tmp_path / "p.html"
    done = invoke(scan, "--out", out, "--report", page)
    assert done.exit_code == 0, done.output
    assert page.exists()


def test_a_report_needs_no_embeddings(core: Path, tmp_path: Path) -> None:
    with h5py.File(core, "a") as file:
        file[FEATURE_NAMES[0]][:] = np.nan
    out, page, beds = tmp_path / "o.npz", tmp_path / "p.html", tmp_path / "b.csv"
    done = invoke(core, "--out", out, "--report", page, "--missing", "nan")
    assert done.exit_code == 0, done.output
    assert page.exists()
    out.unlink()
    done = invoke(core, "--out", out, "--intervals", beds, "--missing", "nan")
    assert "no row has both" in done.stderr
    assert not out.exists()


def test_a_single_bin_is_as_thick_as_its_width(write_scan: Callable[..., Path], tmp_path: Path) -> None:
    scan = write_scan({name: [1.0] for name in FEATURE_NAMES} | {"depth": [3.1]})
    beds = tmp_path / "beds.csv"
    assert invoke(scan, "--out", tmp_path / "o.npz", "--intervals", beds, "--bin", "0.5").exit_code == 0
    with beds.open(encoding="utf-8", newline="") as file:
        (bed,) = csv.DictReader(file)
    assert float(bed["thickness"]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("out", "beside", "message"),
    [
        ("a.csv", ["--intervals", "A.csv"], "name of two results"),
        ("a.npz", ["--intervals", "a.html", "--report", "a.html"], "must end in .csv"),
        ("a.npz", ["--intervals", "core.h5"], "would replace the scan"),
        ("a.npz", ["--report", "core.h5"], "would replace the scan"),
        ("a.npz", ["--intervals", "a.txt"], "must end in .csv"),
        ("a.npz", ["--intervals", "nowhere/a.csv"], "no such folder"),
        ("folder", ["--intervals", "a.csv"], "a.csv must be a folder"),
        ("folder", ["--report", "a.html"], "a.html must be a folder"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_the_run(
    core: Path, tmp_path: Path, out: str, beside: list[str], message: str
) -> None:
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    options = [option if option.startswith("--") else str(tmp_path / option) for option in beside]
    done = invoke(core, "--out", tmp_path / out, *options)
    assert done.exit_code == 1
    assert message in done.stderr
    assert not done.stdout
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.name == "nt", reason="needs permissions as modes")
@pytest.mark.parametrize("option", ["--intervals", "--report"])
def test_a_folder_that_cannot_be_written_is_refused_before_the_run(core: Path, tmp_path: Path, option: str) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("root writes everywhere")
    done = invoke(
        core, "--out", tmp_path / "o.npz", option, folder / ("a.csv" if option == "--intervals" else "a.html")
    )
    assert "cannot write in" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("option", ["--top", "--min-thickness"])
def test_an_option_that_would_do_nothing_is_refused(core: Path, tmp_path: Path, option: str) -> None:
    done = invoke(core, "--out", tmp_path / "out.npz", option, "2")
    assert done.exit_code == 2
    assert option in done.stderr
    assert "needs" in done.stderr
    assert not (tmp_path / "out.npz").exists()
