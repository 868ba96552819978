from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.peers import UnavailableError
from benchmarks.processes import run

PARENT_OF_TWO = """
import subprocess, sys
held = "b = bytearray(100_000_000); import time; time.sleep(1)"
children = [subprocess.Popen([sys.executable, "-c", held]) for _ in "ab"]
[child.wait() for child in children]
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process tree is read from /proc")
def test_memory_counts_all_processes(tmp_path: Path) -> None:
    found = run([sys.executable, "-c", PARENT_OF_TWO], tmp_path, memory=True)
    assert 100e6 < found["largest"] < 200e6
    assert found["tree"] > 200e6


def test_a_process_that_fails_says_its_last_line(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"failed with status 3 out of cheese"):
        run([sys.executable, "-c", "import sys; print('out of cheese', file=sys.stderr); sys.exit(3)"], tmp_path)
