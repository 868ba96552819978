"""The commands in surroundings that are not the usual ones: closed streams, other encodings, odd names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

LITHOVAE = str(Path(sys.executable).parent / "lithovae")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")


@pytest.fixture
def scan(root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(root / "examples" / "scan.h5", tmp_path / "scan.h5"))


def shell(line: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell in which ``lithovae`` is the command."""
    line = f'lithovae() {{ "{LITHOVAE}" "$@"; }}; {line}'
    return subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, env=os.environ | environment)


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_nothing_of_the_result(scan: Path, tmp_path: Path, closed: str) -> None:
    usual = shell("lithovae run scan.h5 --out usual.npz", tmp_path)
    done = shell(f"lithovae run scan.h5 --out out.npz {closed}", tmp_path)
    assert (usual.returncode, done.returncode) == (0, 0)
    assert (tmp_path / "out.npz").read_bytes() == (tmp_path / "usual.npz").read_bytes()
    assert done.stderr == b""
    assert done.stdout in (b"", usual.stdout.replace(b"usual", b"out"))
    failed = shell(f"lithovae run absent.h5 --out out2.npz {closed}", tmp_path)
    assert failed.returncode == 1
    assert failed.stdout + failed.stderr in (b"", b"error: no such file: absent.h5\n")


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}],
    ids=str,
)
@pytest.mark.parametrize(
    "verb", ["run πέτρα.h5 --out πέτρα.npz", "inspect πέτρα.h5", "follow πέτρα.h5 --idle-timeout 0"]
)
def test_an_encoding_that_lacks_a_letter_is_no_error(
    scan: Path, tmp_path: Path, environment: dict[str, str], verb: str
) -> None:
    scan.rename(tmp_path / "πέτρα.h5")
    done = shell(f"lithovae {verb}", tmp_path, PYTHONCOERCECLOCALE="0", **environment)
    assert done.returncode == 0, done.stderr
    assert b"Error" not in done.stderr
    if verb.startswith("run"):
        about = json.loads(str(np.load(tmp_path / "πέτρα.npz")["about"]))
        assert about["scan"] == "πέτρα.h5"


def test_rows_are_not_written_to_a_standard_output_that_is_closed(scan: Path, tmp_path: Path) -> None:
    done = shell("lithovae follow scan.h5 --idle-timeout 0 >&-", tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        b"error: standard output is closed, and rows would be lost: choose a file with --out"
    ]
    done = shell("lithovae follow scan.h5 --idle-timeout 0 --out out.jsonl >&-", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.jsonl").stat().st_size > 0


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are not text")
@pytest.mark.parametrize("verb", ["run", "follow"])
def test_a_name_that_is_not_utf_8_is_escaped(scan: Path, tmp_path: Path, verb: str) -> None:
    os.rename(scan, os.fsencode(tmp_path) + b"/b\xff.h5")
    line = {
        "run": r"""lithovae run "$(printf 'b\377.h5')" --out "$(printf 'b\377.npz')" && mv b*.npz out.npz""",
        "follow": r"""lithovae follow "$(printf 'b\377.h5')" --idle-timeout 0 --out out.h5""",
    }[verb]
    done = shell(line, tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"b\\udcff.h5" in done.stdout + done.stderr
    if verb == "run":
        about = json.loads(str(np.load(tmp_path / "out.npz")["about"]))
        assert about["scan"] == "b\\xff.h5"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("run scan.h5 --out ''", b"the path is empty"),
        ("run '' --out out.npz", b"the path is empty"),
        ("run scan.h5 other.h5 --out ''", b"the path is empty"),
        ("inspect ''", b"the path is empty"),
        ("follow scan.h5 --out ''", b"the path is empty"),
        ("follow scan.h5 --idle-timeout nan", b"nan is not a number of seconds"),
        ("follow scan.h5 --track-timeout nan", b"nan is not a number of seconds"),
        ("follow scan.h5 --idle-timeout -1", b"-1.0 is not in the range"),
    ],
)
def test_an_empty_path_or_no_number_is_an_error_of_usage(
    scan: Path, tmp_path: Path, arguments: str, message: bytes
) -> None:
    done = shell(f"lithovae {arguments}", tmp_path)
    assert done.returncode == 2
    assert message in b" ".join(done.stderr.replace("│".encode(), b" ").split())
    assert list(tmp_path.iterdir()) == [scan]
