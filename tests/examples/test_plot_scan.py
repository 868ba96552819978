from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def plot_scan(root: Path, *arguments: str, flags: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *flags, "examples/plot_scan.py", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def test_it_draws_the_example(root: Path, tmp_path: Path) -> None:
    done = plot_scan(root, "examples/scan.h5", str(tmp_path / "picture.png"))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_missing_packages_are_one_line_with_the_command_to_run(root: Path) -> None:
    done = plot_scan(root, "examples/scan.h5", "a b.png", flags=("-S",))  # the standard library alone
    assert done.returncode == 1
    assert done.stderr == (
        "examples/plot_scan.py needs lithovae and matplotlib: run `make .venv/dev/ready`, then "
        "`.venv/dev/bin/python examples/plot_scan.py examples/scan.h5 'a b.png'`\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "usage: python examples/plot_scan.py SCAN PICTURE [BUNDLE]"),
        (("absent.h5", "picture.png"), "absent.h5"),
    ],
)
def test_wrong_arguments_are_one_line(root: Path, arguments: tuple[str, ...], message: str) -> None:
    done = plot_scan(root, *arguments)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert message in done.stderr
