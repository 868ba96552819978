from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from lithovae.runtime.commands import one_scan as pipeline
from lithovae.runtime.commands.run import app
from lithovae.runtime.console import run_guarded
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.outputs.whole_file import whole_file
from lithovae.runtime.process import guard


def run(*arguments: str | Path) -> tuple[int, list[str], list[str]]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.stdout.splitlines(), done.stderr.splitlines()


@pytest.fixture
def scans(tmp_path: Path, features: NDArray[np.float64]) -> list[Path]:
    found = []
    for number in range(3):
        found.append(tmp_path / f"core{number}.h5")
        with h5py.File(found[-1], "w") as file:
            for i, name in enumerate(FEATURE_NAMES):
                file[name] = features[number : 10 + number, i]
    return found


def test_each_scan_gives_what_a_run_of_its_own_gives(scans: list[Path], tmp_path: Path) -> None:
    with h5py.File(scans[1], "a") as file:
        file["R"][:4] = np.nan
    folder = tmp_path / "new" / "folder"
    status, said, complained = run(*scans, "--out", folder)
    assert (status, complained) == (0, [])
    assert [line.removeprefix(f"wrote  {folder}/") for line in said] == [
        "core0.npz: 10 rows",
        "core1.npz: 10 rows; missing: R 4",
        "core2.npz: 10 rows",
    ]
    for scan in scans:
        run(scan, "--out", tmp_path / "alone.npz")
        assert (folder / f"{scan.stem}.npz").read_bytes() == (tmp_path / "alone.npz").read_bytes()


def test_a_scan_that_fails_is_one_line_and_the_others_go_on(scans: list[Path], tmp_path: Path) -> None:
    scans[1].write_text("depth,density")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "core0.npz").write_bytes(b"yesterday's")
    status, said, complained = run(*scans, "--out", folder)
    assert status == 1
    assert len(said) == 2
    assert complained == [
        f"error: {scans[1]}: the file is text, but not a table of numbers in columns",
        f"error: 1 of 3 scans could not be embedded; the others are in {folder}",
    ]
    assert sorted(path.name for path in folder.iterdir()) == ["core0.npz", "core2.npz"]
    assert np.load(folder / "core0.npz")["embeddings"].shape == (10, 10)


def test_results_with_the_same_name_are_refused_before_any_is_written(scans: list[Path], tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    twin = Path(shutil.copy(scans[0], tmp_path / "b" / "core0.hdf5"))
    status, said, (complained,) = run(*scans, twin, "--out", tmp_path / "out")
    assert (status, said) == (1, [])
    assert f"{scans[0]} and {twin} would both be written to {tmp_path / 'out' / 'core0.npz'}" in complained
    assert not (tmp_path / "out").exists()


def test_one_scan_into_an_existing_folder(scans: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert run(scans[0], "--out", tmp_path / "out")[0] == 0
    assert (tmp_path / "out" / "core0.npz").exists()


def test_out_is_what_its_name_says(scans: list[Path], tmp_path: Path) -> None:
    for some, out in ((scans, "emb.npz"), (scans[:1], "emb.txt")):
        assert run(*some, "--out", tmp_path / out)[:2] == (2, [])
        assert not (tmp_path / out).exists()


def test_the_line_has_what_is_missing_implausible_and_left_out(scans: list[Path], tmp_path: Path) -> None:
    with h5py.File(scans[0], "a") as file:
        file["R"][:4] = np.nan
        file["Bulk density (GRA)"][5] = 1700
        file["depth"] = np.append(np.arange(9.0), np.nan)
    (said,) = run(scans[0], "--out", tmp_path, "--bin", "0.5", "--missing", "drop")[1]
    assert said.endswith(
        "core0.npz: 4 bins of 0.5 m; implausible: density 1; left out: 5 rows; left out: 1 sample without a depth"
    )
    (said,) = run(scans[0], "--out", tmp_path, "--bin", "none")[1]
    assert said.endswith("core0.npz: 10 rows; missing: R 4; implausible: density 1")


def test_a_single_scan_that_fails_prints_one_error(scans: list[Path], tmp_path: Path) -> None:
    scans[0].write_text("depth,density")
    assert run(scans[0], "--out", tmp_path) == (
        1,
        [],
        [f"error: {scans[0]}: the file is text, but not a table of numbers in columns"],
    )


def test_several_scans_need_a_folder(scans: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"a file")
    status, _, (complained,) = run(*scans, "--out", tmp_path / "out")
    assert status == 1
    assert complained == f"error: cannot create the folder {tmp_path / 'out'}: File exists"


@pytest.mark.parametrize("threads", ["1", "3"])
def test_threads_change_no_result(scans: list[Path], tmp_path: Path, threads: str) -> None:
    assert run(scans[0], "--out", tmp_path / "a.npz", "--threads", threads)[0] == 0
    assert run(scans[0], "--out", tmp_path / "b.npz")[0] == 0
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert run(scans[0], "--out", tmp_path / "a.npz", "--threads", "0")[0] == 2


@pytest.mark.parametrize("error", [MemoryError("Unable to allocate 8 TiB"), OSError("no"), KeyError("a bug of ours")])
def test_no_error_of_a_scan_ends_the_others(
    scans: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real = pipeline.embed_scan

    def embed_scan(scan: Path, out: Path, **settings: Any) -> Any:
        if scan == scans[1]:
            raise error
        return real(scan, out, **settings)

    monkeypatch.setattr(pipeline, "embed_scan", embed_scan)
    status, said, complained = run(*scans, "--out", tmp_path / "out")
    assert (status, len(said), len(complained)) == (1, 2, 2)
    assert str(error) in complained[0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_scan_that_failed_before_a_crash_is_reported_and_counted_once(
    scans: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    real, absent = pipeline.embed_scan, tmp_path / "absent.h5"

    def embed_scan(scan: Path, out: Path, **settings: Any) -> Any:
        if scan in scans[1:]:
            os.kill(os.getpid(), signal.SIGSEGV)
        return real(scan, out, **settings)

    monkeypatch.setattr(pipeline, "embed_scan", embed_scan)
    arguments = [str(path) for path in (scans[0], absent, *scans[1:])] + ["--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as end:
        run_guarded(lambda: app(arguments))
    assert end.value.code == 1
    complained = capfd.readouterr().err.splitlines()
    assert [line.split(":")[1].strip() for line in complained[:-1]] == ["no such file", *map(str, scans[1:])]
    assert complained[-1] == f"error: 3 of 4 scans could not be embedded; the others are in {tmp_path / 'out'}"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_scan_that_kills_the_process_is_one_line_and_the_others_go_on(
    scans: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    real = pipeline.embed_scan

    def embed_scan(scan: Path, out: Path, **settings: Any) -> Any:
        if scan == scans[1]:
            with whole_file(out):
                guard.reading(scan)
                os.kill(os.getpid(), signal.SIGSEGV)
        return real(scan, out, **settings)

    monkeypatch.setattr(pipeline, "embed_scan", embed_scan)
    folder = tmp_path / "out"
    arguments = [*map(str, scans), "--out", str(folder)]
    with pytest.raises(SystemExit) as end:
        run_guarded(lambda: app(arguments))
    assert end.value.code == 1
    said, complained = capfd.readouterr()
    assert [line.split(":")[0] for line in said.splitlines()] == [f"wrote  {folder}/core{i}.npz" for i in (0, 2)]
    crash, conclusion = complained.splitlines()
    assert crash.startswith(f"error: {scans[1]}: the run crashed (SIGSEGV) on this file")
    assert conclusion == f"error: 1 of 3 scans could not be embedded; the others are in {folder}"
    assert sorted(path.name for path in folder.iterdir()) == ["core0.npz", "core2.npz"]
