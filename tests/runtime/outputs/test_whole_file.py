from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lithovae.runtime.outputs import whole_file as module
from lithovae.runtime.outputs.whole_file import MAX_NAME_BYTES, whole_file

WRITER = """
import sys, time
from lithovae.runtime.outputs.whole_file import whole_file

with whole_file(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    sys.stdin.read()
"""

Start = Callable[[Path], subprocess.Popen[str]]


@pytest.fixture
def start() -> Start:
    """Start a process that has written half of a file, and waits."""

    def started(path: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        assert process.stdout.readline() == "writing\n"
        return process

    return started


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_what_a_killed_process_left_is_removed_by_the_next_but_not_what_is_being_written(
    start: Start, tmp_path: Path
) -> None:
    alive, killed = start(tmp_path / "alive"), start(tmp_path / "killed")
    killed.kill()
    killed.communicate()
    elsewhere = tmp_path / f".killed.{'0' * 8}-{'1' * 8}.partial"  # of another machine, perhaps alive there
    mine = tmp_path / ".notes.partial"
    for path in (elsewhere, mine):
        path.write_text("content")
    assert len(names(tmp_path)) == 4
    with whole_file(tmp_path / "next") as file:
        file.write(b"whole")
    alive.communicate("go on")
    assert alive.returncode == 0
    assert names(tmp_path) == sorted(["alive", "next", elsewhere.name, mine.name])
    assert (tmp_path / "alive").read_bytes() == b"half"


def test_a_file_that_has_just_been_created_is_not_taken_for_an_abandoned_one(tmp_path: Path) -> None:
    new, old = module._partial(tmp_path / "a"), module._partial(tmp_path / "b")
    for path in (new, old):
        path.touch()
    os.utime(old, (0, 0))
    with whole_file(tmp_path / "result"):
        pass
    assert names(tmp_path) == sorted([new.name, "result"])


@pytest.mark.skipif(os.name == "nt", reason="needs flock")
def test_a_file_is_locked_until_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def replace(partial: Path, path: Path) -> None:
        assert not module._is_abandoned(str(partial))
        real(partial, path)

    real = os.replace
    monkeypatch.setattr(os, "replace", replace)
    with whole_file(tmp_path / "result") as file:
        file.write(b"whole")
    assert names(tmp_path) == ["result"]


@pytest.mark.parametrize("letter", ["n", "é", "岩"])
def test_a_name_may_be_as_long_as_the_file_system_allows(letter: str, tmp_path: Path) -> None:
    path = tmp_path / (letter * (250 // len(letter.encode())) + ".npz")
    assert MAX_NAME_BYTES - 5 <= len(path.name.encode()) <= MAX_NAME_BYTES
    with whole_file(path) as file:
        file.write(b"whole")
        (partial,) = names(tmp_path)
        assert len(partial.encode()) <= MAX_NAME_BYTES
    assert names(tmp_path) == [path.name]


@pytest.mark.skipif(os.name == "nt", reason="needs permissions as modes")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_a_replaced_file_keeps_its_permissions_also_while_it_is_written(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "result"
    path.touch()
    path.chmod(mode)
    with whole_file(path) as file:
        file.write(b"whole")
        (partial,) = tmp_path.glob("*.partial")
        assert stat.S_IMODE(partial.stat().st_mode) == mode | 0o600
    assert path.read_bytes() == b"whole"
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(os.name == "nt", reason="needs permissions as modes")
def test_a_new_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").touch()
    with whole_file(tmp_path / "result"):
        pass
    assert (tmp_path / "result").stat().st_mode == (tmp_path / "usual").stat().st_mode
