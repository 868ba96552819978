"""A follower that is started again goes on after the last complete row of its output."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lithovae.runtime import LithoModel, OutputError
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.follow import new_rows
from lithovae.runtime.follow.follower import Follower, follow_until_idle
from lithovae.runtime.outputs.earlier import require_same
from lithovae.runtime.outputs.whole_file import MAX_NAME_BYTES
from lithovae.runtime.outputs.writer import growing_format
from lithovae.runtime.settings import Calibration, Settings
from tests.runtime.follow.test_follower import core, rows_of_file, same_as_batch
from tests.runtime.logger import Batch, append


@pytest.fixture(scope="module")
def model() -> LithoModel:
    return LithoModel.load("semisup_hybrid", threads=1)


@pytest.fixture(autouse=True)
def no_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait before other columns are believed."""
    monkeypatch.setattr(new_rows, "DOUBT", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.h5"


@pytest.fixture(params=["emb.jsonl", "emb.h5"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def follow(path: Path, out: Path, model: LithoModel, **options: Any) -> list[str]:
    """Follow a file to its end; give what was said."""
    said: list[str] = []
    follower = Follower(path, model, growing_format(out)(out), Settings(**options), say=said.append)
    follow_until_idle(follower, idle_timeout=0.05)
    return said


def rows_of(out: Path) -> list[dict[str, Any]]:
    if out.suffix == ".h5":
        return rows_of_file(out)
    return [row for line in out.read_text().splitlines() if "about" not in (row := json.loads(line))]


def own_rows(start: int, stop: int) -> Batch:
    """Rows of one table, several at the same depth; each is another."""
    table: Batch = {name: (np.arange(start, stop) % 97 + i + 1.0).tolist() for i, name in enumerate(FEATURE_NAMES)}
    return table | {"depth": (np.arange(start, stop) // 3 / 10).tolist()}


@pytest.mark.skipif(os.name == "nt", reason="needs permissions as modes")
def test_a_file_that_is_continued_keeps_its_permissions_and_may_have_a_long_name(
    path: Path, out: Path, model: LithoModel
) -> None:
    out = out.with_name("x" * (MAX_NAME_BYTES - len(out.suffix)) + out.suffix)
    append(path, own_rows(0, 10))
    follow(path, out, model)
    out.chmod(0o604)
    append(path, own_rows(10, 30))
    follow(path, out, model)
    assert stat.S_IMODE(out.stat().st_mode) == 0o604
    same_as_batch(rows_of(out), path, model)


@pytest.mark.parametrize("make", [core, own_rows])
def test_a_run_that_is_started_again_goes_on(path: Path, out: Path, model: LithoModel, make: Any) -> None:
    append(path, make(0, 10))
    follow(path, out, model)
    before = rows_of(out)
    append(path, make(10, 30))
    said = follow(path, out, model)
    n_complete = sum(map(bool, (row["complete"] for row in before)))
    assert any(line.startswith(f"resume after {n_complete} complete rows") for line in said)
    assert rows_of(out)[:n_complete] == before[:n_complete]
    same_as_batch(rows_of(out), path, model)


@pytest.mark.parametrize("make", [core, own_rows])
def test_json_lines_that_are_cut_anywhere_are_continued(
    path: Path,
    tmp_path: Path,
    model: LithoModel,
    make: Any,
) -> None:
    out = tmp_path / "emb.jsonl"
    append(path, make(0, 8))
    follow(path, out, model)
    whole = out.read_bytes()
    for cut in np.random.default_rng(3).integers(0, len(whole), 6).tolist():
        out.write_bytes(whole[:cut])
        follow(path, out, model)
        same_as_batch(rows_of(out), path, model)


def test_a_growing_file_with_columns_of_other_lengths_is_continued(
    path: Path,
    tmp_path: Path,
    model: LithoModel,
) -> None:
    out = tmp_path / "emb.h5"
    append(path, core(0, 8))
    follow(path, out, model)
    with h5py.File(out, "r+") as file:
        for i, name in enumerate(file):
            file[name].resize(len(file[name]) - i, axis=0)
    follow(path, out, model)
    same_as_batch(rows_of(out), path, model)
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bin_width": 0.5}, r"with another value for --bin \(0.2; now 0.5\)"),
        ({"mapping": {"MS": "ms/MS"}}, "with another value for --map"),
        ({"missing": "nan"}, r"with another value for --missing \(.impute.; now .nan.\)"),
        ({"top": 2}, r"with another value for --classify and --top \(0; now 2\)"),
        ({"quality": True}, r"with another value for --quality \(false; now true\)"),
    ],
)
def test_a_result_of_other_settings_is_left_alone(
    path: Path,
    out: Path,
    model: LithoModel,
    options: Any,
    message: str,
) -> None:
    append(path, core(0, 2))
    follow(path, out, model)
    before = out.read_bytes()
    with pytest.raises(OutputError, match=message):
        follow(path, out, model, **options)
    assert out.read_bytes() == before


def test_a_result_with_another_number_of_lithologies_is_left_alone(path: Path, out: Path, model: LithoModel) -> None:
    append(path, core(0, 2))
    follow(path, out, model, top=3)
    before = out.read_bytes()
    with pytest.raises(OutputError, match=r"--classify and --top \(3; now 5\)"):
        follow(path, out, model, top=5)
    with pytest.raises(OutputError, match=r"--top all \(false; now true\)"):
        follow(path, out, model, top=3, all_probabilities=True)
    with pytest.raises(OutputError, match=r"--classify and --top \(3; now 0\)"):
        follow(path, out, model)
    assert out.read_bytes() == before


def test_a_result_of_another_calibration_is_left_alone(path: Path, out: Path, model: LithoModel) -> None:
    calibration = {FEATURE_NAMES[1]: Calibration("instr. units", 2.0, 0.0, "a test")}
    append(path, own_rows(0, 30))
    follow(path, out, model)
    with pytest.raises(OutputError, match="with another value for --calibration"):
        follow(path, out, model, calibrations=calibration)


def test_lithologies_of_another_bundle_of_the_model_are_left_alone(
    path: Path, out: Path, model: LithoModel, tmp_path: Path
) -> None:
    append(path, core(0, 2))
    follow(path, out, model, top=3)
    about = {"bundle_sha256": model.bundle.sha256, "options": {"top": 3}}
    with pytest.raises(OutputError, match="with another value for the model's bundle"):
        require_same(out, about, about | {"bundle_sha256": "another"})
    require_same(out, about | {"options": {}}, about | {"options": {}, "bundle_sha256": "another"})


def test_answers_are_continued_after_a_kill(path: Path, out: Path, model: LithoModel) -> None:
    append(path, own_rows(0, 40))
    follow(path, out, model, top=3, quality=True)
    append(path, own_rows(40, 90))
    follow(path, out, model, top=3, quality=True)
    whole = out.with_stem("whole")
    follow(path, whole, model, top=3, quality=True)
    for row, expected in zip(rows_of(out), rows_of(whole), strict=True):
        assert repr({**row, "complete": 0}) == repr({**expected, "complete": 0})  # NaN is not equal to itself


def test_a_result_of_another_model_is_left_alone(path: Path, out: Path, model: LithoModel) -> None:
    append(path, core(0, 2))
    follow(path, out, model)
    before = out.read_bytes()
    with pytest.raises(OutputError, match=r"with another value for --model \(.semisup_hybrid.; now .unsup.\)"):
        follow(path, out, LithoModel.load("unsup", threads=1), missing="impute")
    assert out.read_bytes() == before


@pytest.mark.parametrize("shift", [0.0, 40.0])
def test_a_result_of_another_scan_of_the_same_name_is_left_alone(
    path: Path,
    out: Path,
    model: LithoModel,
    shift: float,
) -> None:
    append(path, core(0, 2))
    follow(path, out, model)
    before = out.read_bytes()
    other = {
        name: [v + shift if name.endswith("depth") else 0.7 * v for v in values] for name, values in core(0, 4).items()
    }
    append(path, other, mode="w")
    with pytest.raises(OutputError, match="was written from another scan; choose another name"):
        follow(path, out, model)
    assert out.read_bytes() == before


@pytest.mark.parametrize("content", [b"notes\n", b'{"depth": 1}\n', b"\x89HDF\r\n\x1a\n" + bytes(90)])
def test_a_file_that_is_something_else_is_left_alone(out: Path, content: bytes) -> None:
    out.write_bytes(content)
    with pytest.raises(OutputError, match="was not written by lithovae follow"):
        growing_format(out)(out)
    assert out.read_bytes() == content


def test_two_runs_do_not_write_one_file(
    path: Path,
    out: Path,
    model: LithoModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lithovae.runtime.outputs.earlier.LOCK_SECONDS", 0.2)
    append(path, core(0, 2))
    first = Follower(path, model, growing_format(out)(out))
    while not first.n_rows:
        first.poll()
    with pytest.raises(OutputError, match="is open in another program"):
        growing_format(out)(out)
    first.abandon()
    follow(path, out, model)
    same_as_batch(rows_of(out), path, model)
