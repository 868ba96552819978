"""What the tests of the export's refusals share."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lithovae.export.cli import app


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """In a folder of its own, assert that an export fails as it should, in words that hold some; give the message."""
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
        assert "weights_only" not in done.stderr  # as torch advises, to read the file without care
        assert sorted(tmp_path.rglob("*")) == before  # no bundle, and nothing that an exploit left
        return done.stderr

    return check
