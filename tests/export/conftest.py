"""Fixtures for the tests of what the export refuses."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lithovae.export.cli import app


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Assert, in a folder of its own, that an export fails cleanly with certain words; return the message."""
    monkeypatch.chdir(tmp_path)

    def check(words: str, *arguments: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        done = CliRunner().invoke(app, [*arguments, "--out", "bundle"])
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 2**19  # half a GiB, in KiB
        assert done.exit_code == 1, done.output
        assert isinstance(done.exception, SystemExit)
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        assert words in done.stderr
        assert "weights_only" not in done.stderr  # torch's advice, to read the file unsafely
        assert sorted(tmp_path.rglob("*")) == before  # no bundle, and no file written by an exploit
        return done.stderr

    return check
