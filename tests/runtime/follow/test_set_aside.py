"""Datasets of fixed shape that are filled in place (field case H11), and growth that leaves no trace."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lithovae.runtime import LithoModel
from lithovae.runtime.features import FEATURE_NAMES
from lithovae.runtime.follow import blank_tail, new_rows
from tests.runtime.follow.test_follower import Lines, core, same_as_batch
from tests.runtime.logger import append, settle

N, FILLED, STEP = 600, 400, 40
LOGGER = """
import sys, time
import h5py, numpy as np
path, fill, names = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
with h5py.File(path, "w", libver="latest") as file:
    for name in names:
        file.create_dataset(name, (600,), "f8", chunks=(64,), fillvalue=fill)
    file["depth"].attrs["units"] = "m"
    file.swmr_mode = True
    for start in range(0, 400, 40):
        rows = np.arange(start, start + 40)
        for i, name in enumerate(names):
            file[name][start:start + 40] = 0.2 + rows / 100 if name == "depth" else rows % 97 + i
        file.flush()
        print(start, flush=True)
        sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def model() -> LithoModel:
    return LithoModel.load("semisup_hybrid", threads=1)


@pytest.fixture(autouse=True)
def no_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_rows, "DOUBT", 0.0)


@pytest.mark.parametrize("fill", [0.0, np.nan])
@pytest.mark.parametrize("bin_width", [None, 0.2])
def test_storage_that_is_filled_in_place(tmp_path: Path, model: LithoModel, fill: float, bin_width: Any) -> None:
    path = tmp_path / "live.h5"
    names = ["depth", *FEATURE_NAMES]
    logger = subprocess.Popen(
        [sys.executable, "-c", LOGGER, str(path), str(fill), *names],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert logger.stdin is not None
    assert logger.stdout is not None
    lines = Lines(path, model, bin_width=bin_width)
    for start in range(0, FILLED, STEP):
        assert logger.stdout.readline() == f"{start}\n"
        depths = lines.poll()
        assert len(depths) == (start + STEP if bin_width is None else round((start + STEP - 1) / 100 / 0.2))
        logger.stdin.write("\n")
        logger.stdin.flush()
    logger.communicate()
    settle(path)
    lines.poll()
    lines.follower.finish()
    closed = tmp_path / "closed.h5"
    with h5py.File(path) as file, h5py.File(closed, "w") as measured:
        for name in names:
            measured.create_dataset(name, data=file[name][:FILLED], fillvalue=fill)
            measured[name].attrs.update(file[name].attrs)
    same_as_batch(lines.rows, closed, model, bin_width=bin_width)


def set_aside(path: Path, n_rows: dict[str, int]) -> None:
    with h5py.File(path, "a") as file:
        for i, name in enumerate(["depth", *FEATURE_NAMES]):
            if name not in file:
                file.create_dataset(name, (100,), "f8", chunks=(10,)).attrs["units"] = "m" if name == "depth" else ""
            dataset = file[name]
            n = n_rows.get(name, n_rows["all"])
            dataset[:n] = np.arange(n) / 10 + 1 + i
    settle(path)


def test_a_row_that_only_some_columns_hold_waits_for_the_others(
    tmp_path: Path, model: LithoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "live.h5"
    lines = Lines(path, model)
    set_aside(path, {"all": 20, "depth": 30, "R": 12})
    assert len(lines.poll()) == 12
    set_aside(path, {"all": 25, "depth": 30})
    assert len(lines.poll()) == 25
    set_aside(path, {"all": 25, "depth": 40, "R": 40})
    assert len(lines.poll()) == 25
    monkeypatch.setattr(blank_tail, "HOLD", 0.0)  # a sensor that has failed holds nothing back for long
    set_aside(path, {"all": 25, "depth": 41, "R": 41})
    assert len(lines.poll()) == 41


def test_what_is_filled_from_its_end_is_refused(
    tmp_path: Path, model: LithoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "live.h5"
    monkeypatch.setattr(blank_tail, "HOLD", 0.0)
    with h5py.File(path, "w") as file:
        for name in ["depth", *FEATURE_NAMES]:
            file[name] = np.append(np.zeros(80), np.arange(20) + 1.0)
            file[name].attrs["units"] = "m" if name == "depth" else ""
    settle(path)
    monkeypatch.setattr(new_rows, "RELOOK", 0.0)
    lines = Lines(path, model)
    for _ in range(2):
        lines.follower.poll()
        settle(path)
    with pytest.raises(blank_tail.UnfollowableError, match="cannot be followed; embed it with lithovae run"):
        lines.follower.poll()
    assert lines.rows == []


@pytest.mark.parametrize("fill", [0.0, np.nan, -9999.0])
def test_blocks_that_are_filled_in_another_order_are_waited_for_or_refused(
    tmp_path: Path, model: LithoModel, monkeypatch: pytest.MonkeyPatch, fill: float
) -> None:
    path = tmp_path / "live.h5"
    monkeypatch.setattr(new_rows, "RELOOK", 0.0)
    columns = ["depth", *FEATURE_NAMES]
    with h5py.File(path, "w") as file:
        for name in columns:
            file.create_dataset(name, data=np.full(200, fill)).attrs["units"] = "m" if name == "depth" else ""

    def write(start: int, stop: int) -> int:
        with h5py.File(path, "r+") as file:
            for i, name in enumerate(columns):
                file[name][start:stop] = np.arange(start, stop) / 10 + 1 + i
        settle(path)
        return len(lines.poll())

    lines = Lines(path, model)
    assert write(0, 40) == 40
    assert write(80, 120) == 40  # the rows between may come in a moment
    assert write(40, 80) == 120
    assert write(140, 160) == 120
    monkeypatch.setattr(blank_tail, "HOLD", 0.0)
    with pytest.raises(blank_tail.UnfollowableError, match=r"10 rows of depth .* are blank, but not later ones"):
        write(160, 170)
    assert len(lines.rows) == 120


def test_growth_without_a_change_of_size_or_time_is_seen(
    tmp_path: Path, model: LithoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "live.h5"
    lines = Lines(path, model)
    set_aside(path, {"all": 95})
    set_aside(path, {"all": 100})
    with h5py.File(path, "a") as file:
        for name in file:
            file[name][20:] = 0
    settle(path)
    assert len(lines.poll()) == 20
    before = path.stat()
    set_aside(path, {"all": 30})
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    monkeypatch.setattr(new_rows, "RELOOK", 0.0)
    assert lines.follower.poll()
    assert len(lines.rows) == 30


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="needs Linux's list of locks")
def test_a_lock_of_a_file_with_the_same_number_on_another_device_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "live.h5"
    append(path, core(0, 1))
    state = new_rows._state(path)
    assert not new_rows._is_write_locked(path, state)
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert new_rows._is_write_locked(path, state)
        monkeypatch.setattr(new_rows, "_device", lambda path, state: "fe:dc")
        assert not new_rows._is_write_locked(path, state)
