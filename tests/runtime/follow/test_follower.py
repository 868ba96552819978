from __future__ import annotations

import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from lithovae.runtime import LithoModel, OutputError, ScanError
from lithovae.runtime.answers.faults import Checks
from lithovae.runtime.commands.one_scan import embed_scan
from lithovae.runtime.features import FEATURE_NAMES, LILY
from lithovae.runtime.follow import new_rows as new_rows_module
from lithovae.runtime.follow.follower import Follower, follow_until_idle
from lithovae.runtime.log import Fault
from lithovae.runtime.outputs.hdf5 import GrowingFile
from lithovae.runtime.outputs.json_lines import JsonLines
from lithovae.runtime.outputs.writer import growing_format
from lithovae.runtime.settings import Settings
from tests.runtime.logger import Batch, Writer, append, settle

LITHOVAE = str(Path(sys.executable).parent / "lithovae")
STEPS = {"gra": (0.03, ("density",)), "ms": (0.05, ("MS",)), "camera": (0.01, ("R", "G", "B"))}


@pytest.fixture(scope="module")
def model() -> LithoModel:
    return LithoModel.load("semisup_hybrid", threads=1)


@pytest.fixture(autouse=True)
def no_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accept a changed layout without waiting."""
    monkeypatch.setattr(new_rows_module, "DOUBT", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "live.h5"


Write = Callable[..., Writer]


@pytest.fixture
def write() -> Iterator[Write]:
    """Start writers that are ended with the test."""
    started: list[Writer] = []

    def start(*arguments: Any, **options: Any) -> Writer:
        started.append(Writer(*arguments, **options))
        return started[-1]

    yield start
    for writer in started:
        writer.kill()


def core(start: float, stop: float, *, only: tuple[str, ...] = tuple(STEPS), hole: str = "") -> Batch:
    """Return what instruments with different depth grids measure between two depths (m)."""
    batch: Batch = {}
    for name in only:
        step, columns = STEPS[name]
        depth = np.arange(round(start / step), round(stop / step)) * step
        batch[f"{name}/depth"] = depth.tolist()
        for i, column in enumerate(columns):
            batch[f"{name}/{column}"] = (1.5 + np.sin(depth * (7 + i)) ** 2 * (100 if name == "camera" else 1)).tolist()
        if hole:
            batch[f"{name}/hole"] = [hole] * len(depth)
    return batch


class Lines:
    """A follower that writes JSON lines, and what it has printed."""

    def __init__(self, path: Path, model: LithoModel, **options: Any) -> None:
        self.path, self.model, self.said, self.now = path, model, list[str](), 0.0
        self._text = io.StringIO()
        patience = options.pop("track_timeout", None)
        self.follower = Follower(
            path,
            model,
            JsonLines(self._text),
            Settings(**options),
            track_timeout=patience,
            say=self.said.append,
            clock=lambda: self.now,
        )

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows so far."""
        return [row for line in self._text.getvalue().splitlines() if "about" not in (row := json.loads(line))]

    def poll(self) -> list[float]:
        """Poll until there is nothing new; return the depths of all rows so far, in the order of writing."""
        quiet = 0
        while quiet < 3:  # a changed layout is accepted at the second check
            quiet = 0 if self.follower.poll() or self.follower.is_behind else quiet + 1
        return [row["depth"] for row in self.rows]

    def finish(self) -> None:
        """Finish, and compare the rows with a batch run of the file."""
        self.poll()
        self.follower.finish()
        same_as_batch(self.rows, self.path, self.model)


def same_as_batch(rows: list[dict[str, Any]], path: Path, model: LithoModel, **options: Any) -> None:
    """Compare rows with a batch run of the file, bit for bit."""
    out = path.with_suffix(".npz")
    embed_scan(path, out, model, Settings(**options))
    with np.load(out) as arrays:
        batch = {name: arrays[name] for name in arrays.files if name not in ("features", "about")}
    parts = [part for part in ("hole", "core", "section") if part in batch]
    if "samples" in batch:
        rows = sorted(rows, key=lambda row: (*(row[part] for part in parts if part == "hole"), row["depth"]))
    assert len(rows) == len(batch["depth"])
    for name in ("depth", "samples", "missing", "implausible", *parts):
        if name in batch:
            values = batch[name] if batch[name].ndim else np.full(len(rows), batch[name])  # the same in all rows
            assert [row[name] for row in rows] == values.tolist(), name
    given = np.array([row["embedding"] or [np.nan] * model.latent_dim for row in rows], np.float32)
    np.testing.assert_array_equal(given.view(np.uint32)[~np.isnan(given)], _bits(batch["embeddings"]))


def _bits(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    return values.view(np.uint32)[~np.isnan(values)]


def test_each_bin_is_out_when_every_instrument_has_passed_it(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    assert lines.poll() == []
    append(path, core(0.0, 1.0))
    assert lines.poll() == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
    append(path, core(1.0, 2.0, only=("gra", "ms")))
    assert len(lines.poll()) == 5  # the camera is behind
    append(path, core(1.0, 1.5, only=("camera",)))
    assert lines.poll() == pytest.approx(np.arange(7) * 0.2)
    append(path, core(1.5, 2.0, only=("camera",)))
    lines.finish()
    assert [row["complete"] for row in lines.rows] == [True] * 10 + [False]


def test_many_small_reads_give_what_a_whole_file_gives(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    for i in range(40):
        append(path, core(i * 0.13, (i + 1) * 0.13))
        lines.poll()
    assert len(lines.rows) > 20
    lines.finish()


def test_a_long_file_is_read_in_several_checks(path: Path, model: LithoModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_rows_module, "LOOK_ROWS", 50)
    append(path, core(0.0, 20.0))
    lines = Lines(path, model)
    for _ in range(2):
        lines.follower.poll()
    assert lines.follower.is_behind
    lines.finish()


def test_a_writer_in_swmr_mode(path: Path, model: LithoModel, write: Write) -> None:
    writer = write(path, core(0.0, 0.5))
    lines = Lines(path, model)
    assert lines.poll() == [0.0, 0.2]
    for i in range(1, 10):
        writer.tell(core(i * 0.5, (i + 1) * 0.5))
        assert len(lines.poll()) == pytest.approx(2.5 * (i + 1) - 1, abs=1)
    writer.close()
    settle(path)
    lines.finish()


def test_a_swmr_writer_that_is_killed_and_goes_on_in_another_file(path: Path, model: LithoModel, write: Write) -> None:
    writer = write(path, core(0.0, 1.0))
    lines = Lines(path, model)
    n_before = len(lines.poll())
    assert n_before
    writer.kill()
    assert len(lines.poll()) == n_before
    copy = path.with_name("copy.h5")
    with h5py.File(path, "r", swmr=True, locking=False) as old, h5py.File(copy, "w", libver="latest") as new:
        for name in core(0.0, 1.0):
            new.create_dataset(name, data=old[name], maxshape=(None,), chunks=(64,))
            new[name].attrs.update(old[name].attrs)
    os.replace(copy, path)
    settle(path)
    writer = write(path, core(1.0, 2.0), mode="a")
    assert len(lines.poll()) > n_before
    assert "read again" not in "".join(lines.said)  # its last rows are those of the old file: it continues
    writer.close()
    settle(path)
    lines.finish()


def test_a_writer_that_truncates(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    append(path, core(0.0, 2.1))
    before = lines.poll()
    assert len(before) == 10
    append(path, core(1.45, 2.5), mode="w")
    assert lines.poll() == pytest.approx([*before, 2.0, 2.2])
    assert "has fewer rows than before: read again" in "".join(lines.said)
    lines.follower.finish()
    said = "".join(lines.said)
    assert "3 rows seen again after a re-read; each was written once" in said
    assert "1 bins changed after they were written (1.40 m" in said  # half of its samples are not there any more


def test_a_file_that_is_replaced_by_another(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    append(path, core(0.0, 1.1, hole="A"))
    assert len(lines.poll()) == 5
    other = path.with_name("other.h5")
    append(other, core(0.0, 1.3, hole="B"))
    os.replace(other, path)
    assert len(lines.poll()) == 11
    assert "was replaced by another file: read again" in "".join(lines.said)
    assert [row["hole"] for row in lines.rows] == ["A"] * 5 + ["B"] * 6


@pytest.mark.parametrize("way", ["replaced", "truncated"])
@pytest.mark.parametrize("piece", [0.3, 2.1])
def test_a_second_core_in_a_new_file_is_not_swallowed(path: Path, model: LithoModel, way: str, piece: float) -> None:
    lines = Lines(path, model)
    append(path, core(0.0, 2.1))
    assert len(lines.poll()) == 10
    second = {name: [v if "depth" in name else 0.9 * v for v in values] for name, values in core(0.0, 2.1).items()}
    other = path.with_name("other.h5")
    for stop in np.arange(piece, 2.1 + piece / 2, piece):
        part = {name: values[: round(len(values) * stop / 2.1)] for name, values in second.items()}
        append(other if way == "replaced" else path, part, mode="w")
        if way == "replaced":
            os.replace(other, path)
        lines.poll()
    lines.follower.finish()
    assert [row["file"] for row in lines.rows] == [0] * 10 + [1] * 11
    assert len({(row["file"], row["depth"]) for row in lines.rows}) == 21
    same_as_batch(lines.rows[10:], path, model)


@pytest.mark.parametrize("way", ["replaced", "truncated"])
@pytest.mark.parametrize("piece", [1, 7, 40])
@pytest.mark.parametrize("shift", [0.0, 0.013])
def test_a_second_core_in_its_own_rows_is_not_swallowed(
    path: Path, model: LithoModel, way: str, piece: int, shift: float
) -> None:
    lines = Lines(path, model)
    first, second = (
        {name: np.random.default_rng(seed).uniform(1, 3, 40).tolist() for name in FEATURE_NAMES} for seed in (1, 2)
    )
    first["depth"] = (np.arange(40) / 10).tolist()
    second["depth"] = (np.arange(40) / 10 + shift).tolist()
    append(path, first)
    assert len(lines.poll()) == 40
    other = path.with_name("other.h5")
    append(other if way == "replaced" else path, {name: v[:piece] for name, v in second.items()}, mode="w")
    if way == "replaced":
        os.replace(other, path)
    lines.poll()
    for start in range(piece, 40, 13):
        append(path, {name: values[start : start + 13] for name, values in second.items()})
        lines.poll()
    lines.follower.finish()
    assert [row["file"] for row in lines.rows] == [0] * 40 + [1] * 40
    assert "holds another core now" in "".join(lines.said)
    same_as_batch(lines.rows[40:], path, model)


def test_own_rows_that_are_read_again_are_the_same_core(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    rows = {name: np.random.default_rng(1).uniform(1, 3, 3000).tolist() for name in FEATURE_NAMES}
    rows["depth"] = (np.arange(3000) / 100).tolist()
    append(path, {name: values[:2900] for name, values in rows.items()})
    assert len(lines.poll()) == 2900
    for start in (0, 1000, 2800):  # from its first row, or where an earlier part is not there any more
        append(path, {name: values[start:] for name, values in rows.items()}, mode="w")
        assert len(lines.poll()) == 3000
    assert {row["file"] for row in lines.rows} == {0}


def test_rows_that_were_read_and_then_rewritten(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    append(path, core(0.0, 1.1))
    lines.poll()
    append(path, core(0.0, 3.1) | {"ms/MS": [7.0] * len(core(0.0, 3.1, only=("ms",))["ms/MS"])}, mode="w")
    lines.poll()
    assert "has changed rows that were read before: read again" in "".join(lines.said)
    assert len(lines.rows) == len({row["depth"] for row in lines.rows}) == 15


def test_an_instrument_that_begins_later(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    append(path, core(0.0, 1.1, only=("gra", "ms")))
    assert len(lines.poll()) == 5
    append(path, core(1.1, 2.1) | core(1.1, 2.1, only=("gra", "ms")))
    rows = lines.poll()
    assert "has other columns than before: read again" in "".join(lines.said)
    assert rows == pytest.approx(np.arange(10) * 0.2)
    assert [row["missing"] for row in lines.rows] == [0b111100] * 6 + [0b000100] * 4


def test_a_new_hole_finishes_the_old_one(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    append(path, core(0.0, 1.1, hole="A"))
    assert len(lines.poll()) == 5
    append(path, core(0.0, 0.5, hole="B"))
    assert [(row["hole"], round(row["depth"], 1)) for row in lines.rows[5:]] == []
    lines.poll()
    assert [(row["hole"], round(row["depth"], 1)) for row in lines.rows[5:]] == [("A", 1.0), ("B", 0.0), ("B", 0.2)]
    lines.finish()


def test_late_samples_are_reported(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    append(path, core(0.0, 1.1))
    lines.poll()
    append(path, core(0.3, 0.5, only=("ms",)))
    assert len(lines.poll()) == 5
    assert "late samples for bins already written (first at 0.40 m" in "".join(lines.said)
    lines.follower.finish()
    assert "1 bins changed after they were written (0.40 m, 4 samples); a batch run would now differ" in "".join(
        lines.said
    )
    assert len(lines.rows) == 6


def test_an_instrument_that_holds_bins_back_is_reported_and_then_abandoned(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model, track_timeout=300.0)
    append(path, core(0.0, 1.1, only=("camera",)) | core(0.0, 5.1, only=("gra", "ms")))
    assert len(lines.poll()) == 5
    lines.now = 100.0
    append(path, core(5.1, 6.1, only=("gra", "ms")))
    assert len(lines.poll()) == 5
    assert "26 bins from 1.00 m on wait for R, G, B" in "".join(lines.said)
    lines.now = 301.0
    assert len(lines.poll()) == 30


def test_a_wrong_unit_in_all_rows_is_said_as_a_batch_run_says_it(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    for i in range(3):
        batch = core(i * 3.0, i * 3.0 + 3.0)
        append(path, batch | {"gra/density": [1700.0 + 10 * i] * len(batch["gra/density"])})
        lines.poll()
    said = [line for line in lines.said if "is it in another unit?" in line]
    assert len(said) == 1
    assert "Bulk density (GRA) is outside" in said[0]
    assert "in all " in said[0]
    lines.follower.finish()
    assert len([line for line in lines.said if "is it in another unit?" in line]) == 1
    noted = [line for line in lines.said if "the models need g/cm3" in line]
    assert len(noted) == 1
    (of_all_rows,) = embed_scan(path, path.with_suffix(".npz"), model).other_units
    assert of_all_rows.replace("1,720", "1,700") == noted[0].removeprefix("note   ")


def stuck_rows(start: int, stop: int) -> Batch:
    """Return rows in which the gamma sensor repeats a value from row 40 on."""
    rng = np.random.default_rng(start)
    rows = np.array([1.7, 4.0, 18.0, 105.0, 104.0, 88.0]) * rng.normal(1, 0.02, (stop - start, 6))
    rows[np.arange(start, stop) >= 40, 2] = 18.25
    table: Batch = {name: values.tolist() for name, values in zip(FEATURE_NAMES, rows.T, strict=True)}
    return table | {"depth": (np.arange(start, stop) / 10).tolist()}


def test_a_fault_is_said_once_while_the_scan_grows(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model, quality=True)
    for i in range(8):
        append(path, stuck_rows(20 * i, 20 * i + 20))
        lines.now = 60.0 * i
        lines.poll()
    (said,) = (line for line in lines.said if line.startswith("fault"))
    assert "NGR total counts (cps) is 18.25" in said
    lines.follower.finish()
    assert len([line for line in lines.said if line.startswith("fault")]) == 1
    batch = embed_scan(path, path.with_suffix(".npz"), model, Settings(quality=True))
    assert [(fault.kind, fault.what) for fault in batch.faults] == [("stuck", "NGR total counts (cps)")]
    with np.load(path.with_suffix(".npz")) as arrays:
        assert [row["flags"] for row in lines.rows] == arrays["flags"].tolist()


def test_faults_are_looked_for_now_and_then_only(
    path: Path, model: LithoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def faults(self: Checks) -> list[Fault]:
        looks.append(1)
        return []

    monkeypatch.setattr(Checks, "faults", property(faults))
    lines = Lines(path, model, quality=True)
    for i in range(10):
        append(path, stuck_rows(20 * i, 20 * i + 20))
        lines.now = i + 5.0
        lines.poll()
    assert len(looks) == 1
    lines.now = 100.0
    lines.poll()
    lines.poll()
    assert len(looks) == 2
    lines.now = 200.0
    lines.poll()
    assert len(looks) == 2  # there is nothing new


def test_what_quality_lacks_and_what_lithologies_are_worth_is_said_first(
    path: Path, model: LithoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checks, "notes", ["this bundle has no reference"])
    lines = Lines(path, model, quality=True, top=2)
    append(path, stuck_rows(0, 20))
    lines.poll()
    assert [line for line in lines.said if line.startswith("note")] == [
        f"note   {model.bundle.warning}",
        "note   this bundle has no reference",
    ]


def test_a_note_is_said_once_whatever_numbers_it_holds(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    for i in range(4):
        append(path, core(0.0, 3.1 - i / 2), mode="w")
        lines.poll()
    assert len([line for line in lines.said if "has fewer rows than before" in line]) == 1


def test_a_slow_log_is_not_reported_as_waiting(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    append(path, core(0.0, 1.1))
    lines.poll()
    lines.now = 1000.0
    lines.poll()
    assert "wait for" not in "".join(lines.said)


def test_own_rows_are_written_at_once(path: Path, model: LithoModel) -> None:
    rng = np.random.default_rng(2)
    lines = Lines(path, model)
    for i in range(5):
        table = {name: rng.uniform(1, 3, 7).tolist() for name in FEATURE_NAMES}
        append(path, table | {"depth": (i + np.arange(7) / 10).tolist(), "core": [str(i // 2)] * 7})
        assert len(lines.poll()) == 7 * (i + 1)
    with h5py.File(path) as file:
        longer = {name: [*file[name][10:].astype(str).tolist()][:0] or file[name][10:].tolist() for name in file}
    longer["core"] = [text.decode() for text in longer["core"]]
    longer["depth"][-1] += 1  # the first ten rows are lost, the last lies deeper
    append(path, longer, mode="w")
    assert len(lines.poll()) == 36
    lines.follower.finish()
    assert "24 rows seen again after a re-read" in "".join(lines.said)


def test_own_rows_are_those_of_a_batch_run(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    for i in range(4):
        table = {name: (np.arange(5.0) + i + 1).tolist() for name in FEATURE_NAMES[:5]}
        append(path, table | {"depth": (i + np.arange(5) / 10).tolist()})
        lines.poll()
    lines.finish()


def test_bins_of_a_width_that_is_asked_for(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model, bin_width=0.5)
    append(path, {name: [1.0] * 30 for name in FEATURE_NAMES} | {"depth": (np.arange(30) / 10).tolist()})
    assert lines.poll() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    lines.follower.finish()
    same_as_batch(lines.rows, path, model, bin_width=0.5)


def test_a_writer_that_has_the_file_open_without_swmr_is_waited_for(
    path: Path, model: LithoModel, write: Write
) -> None:
    for libver in ("earliest", "latest"):
        path.unlink(missing_ok=True)
        writer = write(path, core(0.0, 1.1), swmr=False, libver=libver)
        settle(path)
        lines = Lines(path, model)
        assert lines.poll() == []
        lines.now = 10.0
        assert lines.poll() == []
        if libver == "latest" or Path("/proc/locks").exists():
            assert "is open for writing, but not in SWMR mode" in "".join(lines.said)
        writer.close()
        settle(path)
        assert len(lines.poll()) == 5
        lines.finish()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize(("make", "kind"), [(os.mkdir, "is a folder"), (getattr(os, "mkfifo", None), "is a device, a")])
def test_what_is_no_file_is_not_waited_for(path: Path, model: LithoModel, make: Any, kind: str) -> None:
    make(path)
    follower = Lines(path, model).follower
    follower.poll()
    with pytest.raises(ScanError, match=rf"live\.h5 {kind}"):
        follower.finish()


def test_no_writer_is_blocked(path: Path, write: Write) -> None:
    append(path, core(0.0, 1.0))
    new_rows = new_rows_module.NewRows(path, {}, {}, LILY)
    with new_rows.look():
        pass
    with new_rows.look() as news:
        assert news is not None
        writer = write(path, core(1.0, 2.0), mode="a", swmr=False)  # with HDF5's own locks on
        writer.close()


def test_a_file_that_is_changed_while_it_is_read_is_read_again(
    path: Path, model: LithoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, core(0.0, 1.1))
    lines = Lines(path, model)
    read_on = new_rows_module.NewRows._read_on

    def disturbed(*arguments: Any) -> Any:
        found = read_on(*arguments)
        os.utime(path)
        return found

    monkeypatch.setattr(new_rows_module.NewRows, "_read_on", disturbed)
    assert lines.poll() == []
    monkeypatch.setattr(new_rows_module.NewRows, "_read_on", read_on)
    settle(path)
    assert len(lines.poll()) == 5


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(50)])
def test_a_file_that_cannot_be_read_is_waited_for_and_reported(path: Path, model: LithoModel, content: bytes) -> None:
    lines = Lines(path, model)
    path.write_bytes(content)
    settle(path)
    for lines.now in (0.0, 5.0):
        assert lines.poll() == []
    assert len(lines.said) == 1
    assert lines.said[0].startswith("wait")
    append(path, core(0.0, 1.1), mode="w")
    assert len(lines.poll()) == 5
    path.write_bytes(content)
    settle(path)
    assert len(lines.poll()) == 5
    lines.follower.finish()
    assert len(lines.rows) == 6
    assert any("there may be rows that were not read: " in line for line in lines.said)


def test_depths_that_start_again_with_each_section_stop_the_run(path: Path, model: LithoModel) -> None:
    for section in range(4):
        batch = core(0.0, 1.5)
        append(path, batch | {f"{name}/section": [str(section)] * len(batch[f"{name}/depth"]) for name in STEPS})
    with pytest.raises(ScanError, match="depths start again near 0 with each section"):
        Lines(path, model).poll()


def test_a_row_that_comes_in_the_same_tick_of_the_clock_is_seen(
    path: Path, model: LithoModel, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = write(path, core(0.0, 0.5))
    lines = Lines(path, model)
    state = (*new_rows_module._state(path)[:3], time.time_ns() + 60_000_000_000)
    monkeypatch.setattr(new_rows_module, "_state", lambda path: state)
    monkeypatch.setattr(time, "time", lambda: state[3] / 1e9)
    for _ in range(2):
        lines.follower.poll()
    assert len(lines.rows) == 2
    writer.tell(core(0.5, 1.0))
    lines.follower.poll()
    assert len(lines.rows) > 2


def placed(section: int, *, with_table: bool = True, only: tuple[str, ...] = tuple(STEPS)) -> Batch:
    """Return what instruments measure in a section of 1 m, and the section's top; sections follow each other."""
    batch = {name.replace("depth", "offset"): values for name, values in core(0.0, 1.0, only=only).items()}
    for name in only:
        batch[f"{name}/section"] = [str(section)] * len(batch[f"{name}/offset"])
    return batch | ({"table/section": [str(section)], "table/top depth": [float(section)]} if with_table else {})


def test_sections_that_are_entered_in_their_table_after_their_samples(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    append(path, placed(0) | {"table/section": ["0"]})
    with h5py.File(path, "a") as file:
        for name in STEPS:
            file[f"{name}/offset"].attrs["units"] = "m"
        file["table/top depth"].attrs["units"] = "m"
    settle(path)
    before = len(lines.poll())
    assert before
    append(path, placed(1, with_table=False))
    assert len(lines.poll()) == before
    append(path, {"table/section": ["1"], "table/top depth": [1.0]})
    lines.poll()
    assert "has new sections in its table, of samples read before: read again" in "".join(lines.said)
    append(path, placed(2))
    assert len(lines.poll()) > 2 * before
    lines.finish()


def test_rows_without_a_depth_are_written_once_it_is_known(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    table = {name: [1.0, 2.0] for name in FEATURE_NAMES}
    append(path, table | {"offset": [0.1, 0.2], "section": ["1"] * 2} | {"t/section": ["1"], "t/top depth": [10.0]})
    with h5py.File(path, "a") as file:
        file["offset"].attrs["units"] = file["t/top depth"].attrs["units"] = "m"
    settle(path)
    assert lines.poll() == pytest.approx([10.1, 10.2])
    append(path, table | {"offset": [0.3, 0.4], "section": ["2"] * 2})
    assert lines.poll() == pytest.approx([10.1, 10.2])
    append(path, {"t/section": ["2"], "t/top depth": [20.0]})
    assert lines.poll() == pytest.approx([10.1, 10.2, 20.3, 20.4])
    append(path, table | {"offset": [0.5, 0.6], "section": ["3"] * 2})
    assert len(lines.poll()) == 4
    lines.follower.finish()
    assert [row["depth"] for row in lines.rows[4:]] == [None, None]


def test_a_refused_row_is_named_by_its_depth_and_ends_the_run(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model, missing="error")
    append(path, core(0.0, 1.1))
    message = r"live\.h5: a row \(0\.00 m\) lacks NGR .*: --missing error stops the run there"
    with pytest.raises(ScanError, match=message):
        lines.poll()


def test_nothing_ever_came(path: Path, model: LithoModel) -> None:
    lines = Lines(path, model)
    lines.poll()
    with pytest.raises(ScanError, match="does not exist yet"):
        lines.follower.finish()


def test_the_shortest_decimals_give_back_the_same_float32() -> None:
    values = np.random.default_rng(0).integers(0, 2**32, 20_000, np.uint32).view(np.float32)
    values = values[np.isfinite(values)]
    back = np.array(json.loads(json.dumps([float(str(value)) for value in values])), np.float32)
    np.testing.assert_array_equal(back.view(np.uint32), values.view(np.uint32))


@pytest.fixture
def growing(path: Path, model: LithoModel, tmp_path: Path) -> tuple[Follower, Path]:
    out = tmp_path / "emb.h5"
    return Follower(path, model, GrowingFile(out)), out


def test_a_growing_file_can_be_read_while_it_grows(growing: tuple[Follower, Path], path: Path) -> None:
    follower, out = growing
    read = (
        "import h5py, sys; file = h5py.File(sys.argv[1], 'r', swmr=True); "
        "print(len(file['embeddings']), file['depth'][:].round(1).tolist(), int(file.attrs['complete']))"
    )

    def reader() -> str:
        return subprocess.run([sys.executable, "-c", read, out], check=True, capture_output=True, text=True).stdout

    append(path, core(0.0, 0.7, hole="A"))
    assert [follower.poll() for _ in range(2)] == [True, False]  # a changed layout is accepted at the second check
    assert reader() == "3 [0.0, 0.2, 0.4] 0\n"
    append(path, core(0.7, 1.1, hole="A"))
    assert follower.poll()
    assert reader() == "5 [0.0, 0.2, 0.4, 0.6, 0.8] 0\n"
    follower.finish()
    same_as_batch(rows_of_file(out), path, LithoModel.load("semisup_hybrid"))
    with h5py.File(out) as file:
        assert file.attrs["complete"] == 1
        assert file["complete"][:].tolist() == [1] * 5 + [0]
        assert file["hole"].asstr()[:].tolist() == ["A"] * 6
        assert json.loads(file.attrs["about"])["scan"] == "live.h5"


def rows_of_file(out: Path) -> list[dict[str, Any]]:
    """Return the rows of a growing file in the form of JSON lines."""
    with h5py.File(out) as file:
        columns = {name: file[name].asstr()[:] if file[name].dtype.kind == "S" else file[name][:] for name in file}
    columns["embedding"] = columns.pop("embeddings")
    return [{name: values[i].tolist() if hasattr(values[i], "tolist") else values[i] for name, values in
             columns.items()} for i in range(len(columns["depth"]))]  # fmt: skip


def test_a_growing_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "emb.h5").write_bytes(b"yesterday's result")
    with pytest.raises(OutputError, match="already exists and was not written by lithovae follow"):
        GrowingFile(tmp_path / "emb.h5")
    with pytest.raises(OutputError, match=r"emb\.npz must end in \.h5, \.hdf5 or \.jsonl: only such a file can grow"):
        growing_format(tmp_path / "emb.npz")


def test_an_interrupted_run_does_not_mark_its_file_complete(growing: tuple[Follower, Path], path: Path) -> None:
    follower, out = growing
    append(path, core(0.0, 0.7))
    for _ in range(2):
        follower.poll()
    follower.finish(complete=False)
    with h5py.File(out) as file:
        assert (len(file["depth"]), file.attrs["complete"]) == (4, 0)


def test_a_file_that_cannot_be_read_for_being_written_is_not_idle(path: Path, model: LithoModel) -> None:
    append(path, core(0.0, 1.1))
    lines = Lines(path, model)
    lines.poll()
    for _ in range(3):
        os.utime(path)
        assert lines.follower.poll()
        assert lines.follower.is_disturbed


def test_it_ends_when_the_file_has_not_grown(path: Path, model: LithoModel) -> None:
    append(path, core(0.0, 1.1))
    lines = Lines(path, model)
    follow_until_idle(lines.follower, idle_timeout=0.0)
    same_as_batch(lines.rows, path, model)


Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def command(path: Path) -> Iterator[Command]:
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [LITHOVAE, "follow", str(path), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(
                signal.SIGINT, signal.SIG_DFL
            ),  # tests in the background inherit it ignored
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def read_lines(process: subprocess.Popen[str], n: int) -> list[dict[str, Any]]:
    assert process.stdout is not None
    return [json.loads(process.stdout.readline()) for _ in range(n)]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_with_what_is_left(
    command: Command, path: Path, model: LithoModel, number: int, status: int
) -> None:
    process = command()
    append(path, core(0.0, 1.1))
    rows = read_lines(process, 6)[1:]  # they come at once, through a pipe
    assert [row["complete"] for row in rows] == [True] * 5
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in stderr
    rest = [json.loads(line) for line in stdout.splitlines()]
    assert [row["complete"] for row in rest] == [False]
    same_as_batch(rows + rest, path, model)


def test_no_writer_is_blocked_whatever_the_environment_says(
    command: Command, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HDF5_USE_FILE_LOCKING", "TRUE")
    append(path, core(0.0, 0.5))
    process = command()
    read_lines(process, 1)
    for i in range(1, 20):
        append(path, core(i * 0.5, (i + 1) * 0.5))  # with HDF5's own lock: fails if a reader holds one
    assert len(read_lines(process, 50)) == 50


def test_a_reader_that_leaves_ends_it_quietly(command: Command, path: Path) -> None:
    process = command()
    append(path, core(0.0, 1.1))
    read_lines(process, 1)
    assert process.stdout is not None
    process.stdout.close()
    append(path, core(1.1, 9.1))
    assert process.wait(timeout=60) == 1
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()


def test_the_command_ends_by_itself(command: Command, path: Path, tmp_path: Path) -> None:
    append(path, core(0.0, 1.1))
    stdout, stderr = command("--idle-timeout", "0.2", "--out", tmp_path / "emb.h5").communicate(timeout=60)
    assert stdout == ""
    assert "camera/R (no unit given)" in stderr
    assert "wrote  6 rows" in stderr
    with h5py.File(tmp_path / "emb.h5") as file:
        assert file["embeddings"].shape == (6, 10)


def test_a_full_disk_is_one_clear_line(path: Path, tmp_path: Path) -> None:
    append(path, core(0.0, 400.0))
    done = subprocess.run(
        [LITHOVAE, "follow", str(path), "--idle-timeout", "0", "--out", str(tmp_path / "emb.h5")],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
    )
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if not line.startswith(("follow", "note", "wait", " "))]
    assert len(errors) == 1, done.stderr
    assert errors[0].startswith(f"error: cannot write {tmp_path / 'emb.h5'}: ")


def test_options_that_do_not_go_together(command: Command, path: Path) -> None:
    done = subprocess.run([LITHOVAE, "run", str(path), "--idle-timeout", "1", "--out", "x.npz"], capture_output=True)
    assert done.returncode == 2
    _, stderr = command("--idle-timeout", "0").communicate(timeout=60)
    assert stderr.startswith("error: ")
    assert "does not exist yet" in stderr


def test_errors_name_the_file_whenever_they_are_raised(path: Path, model: LithoModel) -> None:
    restarting = {"section": [b"1"] * 20 + [b"2"] * 20, "depth": np.tile(np.arange(20) * 0.1, 2), "R": np.ones(40)}
    with h5py.File(path, "w") as file:
        for name, values in restarting.items():
            file[name] = values
    settle(path)
    lines = Lines(path, model, bin_width=0.2)
    with pytest.raises(ScanError, match=r"live\.h5: depths start again near 0 with each section"):
        lines.finish()


def test_damage_in_a_followed_file_names_the_file(path: Path, model: LithoModel) -> None:
    with h5py.File(path, "w") as file:
        data = file.create_dataset("MS", data=np.random.default_rng(0).normal(size=1000), chunks=(500,), compression=4)
        place = data.id.get_chunk_info(0).byte_offset
    with path.open("r+b") as raw:
        raw.seek(place + 20)
        raw.write(bytes(64))
    settle(path)
    lines = Lines(path, model)
    lines.poll()
    with pytest.raises(ScanError, match=r"live\.h5: rows 0 to 1000 of /MS cannot be read"):
        lines.follower.finish()
