"""``lithovae doctor``: what is in order, and what is broken, each in a line."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lithovae.runtime.cli import app
from lithovae.runtime.commands import diagnosis, probes
from lithovae.runtime.commands.diagnosis import Item, diagnose, is_within, probed
from lithovae.runtime.model.bundle import SHIPPED, find_bundle
from lithovae.runtime.process import memory
from lithovae.runtime.process.threads import Grant

LITHOVAE = str(Path(sys.executable).parent / "lithovae")


def doctor(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder, without the benchmark."""
    command = [LITHOVAE, "doctor", "--no-benchmark", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, env=os.environ | environment, encoding="utf-8", errors="replace"
    )


def items_of(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """The lines of ``--json``, by name."""
    return {item["name"]: item for item in json.loads(done.stdout)["items"]}


def lines(items: Any) -> dict[str, Item]:
    return {item.name: item for item in items}


def test_a_sound_installation_has_no_problem(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--json")
    assert done.stderr == ""
    found = items_of(done)
    assert [item for item in found.values() if item["status"] == "problem"] == []
    assert done.returncode == 0
    for name in ("lithovae", "numpy", "h5py", "onnxruntime", "typer"):
        assert found[name]["value"] == importlib.metadata.version(name)
    assert found["granted"]["value"] >= 1
    assert found["telemetry"]["value"] is True
    assert found["filters"]["value"]["gzip"]
    assert found[str(tmp_path.resolve())]["value"]["writable"]
    for name in SHIPPED:
        assert found[name]["value"]["share_of_tolerance"] <= 1
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_each_line_of_the_text_is_an_item_of_the_json(tmp_path: Path) -> None:
    said = doctor(tmp_path)
    assert said.returncode == 0
    written = [line.split()[0] for line in said.stdout.splitlines()[:-1] if line.startswith("  ") and "→" not in line]
    assert len(written) == len(json.loads(doctor(tmp_path, "--json").stdout)["items"])
    assert set(written) <= {"ok", "note", "problem"}
    assert said.stdout.splitlines()[-1].startswith("0 problems, ")


def test_no_private_data_but_paths(tmp_path: Path) -> None:
    done = doctor(tmp_path, SECRET_TOKEN="tell-nobody", HOSTNAME="rig-seven", HDF5_USE_FILE_LOCKING="BEST_EFFORT")
    assert "tell-nobody" not in done.stdout
    assert "rig-seven" not in done.stdout
    assert "HDF5_USE_FILE_LOCKING=BEST_EFFORT" in done.stdout


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("raise ImportError('DLL load failed', name='onnxruntime')", "onnxruntime cannot be imported: DLL load failed"),
        ("import os; os.abort()", "crashed ("),
        ("raise SystemExit(3)", "crashed (exit status 3)"),
        ("print('{\"a\": 1}'); print('hello'); 1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_broken_library_is_a_line(tmp_path: Path, fault: str, says: str) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "onnxruntime.py").write_text(fault, encoding="utf-8")
    done = doctor(tmp_path, "--json", PYTHONPATH=str(tmp_path / "broken"))
    assert done.returncode == 1
    problems = [item for item in json.loads(done.stdout)["items"] if item["status"] == "problem"]
    assert {item["area"] for item in problems} == {"models"}
    assert all(says in item["found"] for item in problems)
    assert all(item["advice"] for item in problems) or "ZeroDivision" in says
    assert items_of(done)["filters"]["status"] == "ok"  # the rest is looked at all the same


def test_a_module_in_the_current_folder_does_not_take_part(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError", encoding="utf-8")
    assert doctor(tmp_path).returncode == 0


def test_a_broken_bundle_is_a_line(tmp_path: Path) -> None:
    for name in ("changed", "bare"):
        shutil.copytree(find_bundle("unsup"), tmp_path / name)
    with (tmp_path / "changed" / "embedder.onnx").open("r+b") as file:
        file.write(b"xxxx")
    (tmp_path / "bare" / "manifest.json").write_text("[]", encoding="utf-8")
    done = doctor(tmp_path, "--json", "--model", "changed", "--model", "bare", "--model", "absent")
    assert done.returncode == 1
    found = items_of(done)
    assert "is not the file that the manifest pins" in found["changed"]["found"]
    assert "is not a JSON object" in found["bare"]["found"]
    assert "no bundle 'absent'" in found["absent"]["found"]
    assert json.loads(done.stdout)["problems"] == 3
    assert found["unsup"]["status"] == "ok"


def test_a_bundle_of_ones_own_is_verified(tmp_path: Path) -> None:
    shutil.copytree(find_bundle("unsup"), tmp_path / "ours")
    found = items_of(doctor(tmp_path, "--json", "--model", "ours"))["ours"]
    assert (found["status"], found["value"]["path"]) == ("ok", "ours")


def test_folders_that_cannot_be_used_are_lines(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "sound").mkdir()
    done = doctor(tmp_path, "--json", "absent", "file", "sound")
    assert done.returncode == 1
    found = items_of(done)
    assert (found["absent"]["status"], found["absent"]["found"]) == ("problem", "No such file or directory: absent")
    assert found[str(tmp_path.resolve() / "file")]["found"] == "is not a folder"
    assert found[str(tmp_path.resolve() / "sound")]["status"] == "ok"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody may write: /proc")
def test_a_folder_without_write_access_is_a_note(tmp_path: Path) -> None:
    found = items_of(doctor(tmp_path, "--json", "/proc"))["/proc"]
    assert found["status"] == "note"
    assert "not writable" in found["found"]


@pytest.mark.skipif(os.name == "nt", reason="there a current folder cannot be removed")
def test_a_current_folder_that_was_removed_is_a_line(tmp_path: Path) -> None:
    line = f'mkdir gone && cd gone && rmdir ../gone && "{LITHOVAE}" doctor --no-benchmark --json'
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert items_of(done)["."]["found"].startswith("No such file or directory")


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize("how", [">&-", "<&- 2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_error(tmp_path: Path, how: str) -> None:
    line = f'"{LITHOVAE}" doctor --no-benchmark {how}'
    assert subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True).returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="an environment without SystemRoot starts no Python there")
def test_without_home_path_or_locale_it_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [LITHOVAE, "doctor", "--no-benchmark", "--json"],
        cwd=tmp_path,
        env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = items_of(done)
    assert found["command"]["status"] == "note"
    assert found["standard output"]["status"] == "note"


def test_a_temporary_folder_that_is_absent_is_passed_over(tmp_path: Path) -> None:
    assert items_of(doctor(tmp_path, "--json", TMPDIR=str(tmp_path / "absent")))["temporary files"]["status"] == "ok"


def test_without_any_temporary_folder_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    (line,) = probes._temporary()
    assert line.status == "problem"
    assert "TMPDIR" in line.advice


@pytest.mark.parametrize(
    ("reasons", "status", "says"),
    [
        (("", "Unable to lock file"), "note", "do not run on a file while a program writes it"),
        (("Unable to lock file", "Unable to lock file"), "problem", "HDF5_USE_FILE_LOCKING=FALSE"),
    ],
)
def test_a_folder_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reasons: tuple[str, str], status: str, says: str
) -> None:
    monkeypatch.setattr(probes, "_locks", lambda path: reasons)
    (line,) = probes._folder(tmp_path)
    assert line.status == status
    assert "Unable to lock file" in line.found
    assert says in line.advice


def test_an_odd_value_of_the_locking_variable_is_noted(tmp_path: Path) -> None:
    found = items_of(doctor(tmp_path, "--json", HDF5_USE_FILE_LOCKING="no"))
    assert found["locking"]["status"] == "note"
    assert "TRUE, 1, FALSE, 0, BEST_EFFORT" in found["locking"]["advice"]


def test_a_probe_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*args: Any, **options: Any) -> Any:
        said = b'{"doing": "/slow"}\n'
        raise subprocess.TimeoutExpired("probe", options["timeout"], output=said)

    monkeypatch.setattr(subprocess, "run", hang)
    (line,) = probed("folders", "folder", "/slow")
    assert (line.name, line.status) == ("/slow", "problem")
    assert "more than 60 s" in line.found
    assert "network" in line.advice


def test_a_check_that_fails_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "probed", lambda *_: iter(()))
    monkeypatch.setattr(platform, "platform", lambda: 1 / 0)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    found = list(diagnose([], [], False))
    (broken,) = (line for line in found if line.status == "problem")
    assert broken.name == "versions"
    assert "ZeroDivisionError" in broken.found
    assert {line.area for line in found} == {"versions", "threads", "limits", "surroundings"}


def test_packages_that_are_absent_or_of_a_wrong_version(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = {
        "": {"numpy": ">=1.26", "onnxruntime": ">=1.18"},
        "fast": {"isal": ">=1.7"},
        "tables": {"a": ">=2", "b": ""},
    }
    there = {"numpy": "1.9.0", "onnxruntime-gpu": "1.20", "a": "1.0"}
    monkeypatch.setattr(diagnosis, "requirements", lambda: needs)
    monkeypatch.setattr(diagnosis, "installed", there.get)
    found = lines(diagnosis.versions())
    assert (found["numpy"].status, found["numpy"].advice) == ("problem", "pip install 'numpy>=1.26'")
    assert (found["onnxruntime"].status, found["onnxruntime"].found) == (
        "note",
        "not installed, but onnxruntime-gpu is",
    )
    assert found["[fast]"].status == "ok"
    assert "pip install 'lithovae[fast]'" in found["[fast]"].found
    assert (found["[tables]"].status, found["[tables]"].found) == ("note", "a 1.0, b not installed; needs a>=2")


def test_every_extra_that_is_not_for_development_has_a_purpose() -> None:
    assert {*diagnosis.requirements()} - {"", "dev", "bench"} <= {*diagnosis.PURPOSES}
    assert {"numpy", "h5py", "onnxruntime", "typer"} == {*diagnosis.requirements()[""]}


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("0.28.0", ">=0.12,<0.29", True),
        ("0.29", "<0.29,>=0.12", False),
        ("2.13.0+cpu", ">=2.10", True),
        ("1.9", ">=1.26", False),
        ("3", "", True),
        ("5.0rc1", ">=3", True),
    ],
)
def test_versions_are_compared_by_their_numbers(version: str, wanted: str, fits: bool) -> None:
    assert is_within(version, wanted) is fits


def test_slurm_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Grant, "of_this_process", classmethod(lambda cls: Grant(64, 2, None)))
    granted = lines(diagnosis.threads())["granted"]
    assert (granted.status, granted.value) == ("note", 64)
    assert "only 2 can run" in granted.found
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(Grant, "of_this_process", classmethod(lambda cls: Grant(None, 8, 1.5)))
    found = lines(diagnosis.threads())
    assert found["Slurm"].status == "note"
    assert found["granted"].found == "`lithovae run` will use 2: CPU quota of the cgroup"


def test_too_little_memory_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_bounds", lambda: {"machine": 8 << 30, "cgroup": 100 << 20})
    found = lines(diagnosis.limits())
    assert (found["memory"].status, found["memory limit of the cgroup"].status) == ("ok", "problem")


def test_the_benchmark_measures_both_and_the_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "BENCHMARK_SECONDS", 0)
    monkeypatch.setattr(probes, "BENCHMARK_ROWS", 100)
    found = lines(probes._benchmark())
    assert [*found] == ["embedding", "classification", "live, one row"]
    assert found["embedding"].value["1"] > 0
    assert found["live, one row"].value > 0


def test_the_benchmark_ends_in_ten_seconds() -> None:
    assert 5 * probes.BENCHMARK_SECONDS <= 7  # and the loading of a model, and the last round of each figure


def test_help_names_the_options() -> None:
    said = CliRunner().invoke(app, ["doctor", "--help"]).output
    for option in ("--model", "--no-benchmark", "--json"):
        assert option in said


@pytest.mark.skipif(os.name == "nt", reason="there a command is an .exe")
def test_the_command_that_the_shell_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lithovae").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "lithovae").chmod(0o755)
    for path, status in ((tmp_path, "note"), (Path(LITHOVAE).parent, "ok"), (tmp_path / "absent", "note")):
        monkeypatch.setenv("PATH", str(path))
        assert lines(diagnosis.surroundings())["command"].status == status
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "lithovae"), "doctor"])  # as after pip install --user
    assert lines(diagnosis.surroundings())["command"].status == "ok"
