"""Whole processes: their time, and the peak memory of them and their children."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .peers import UnavailableError
from .worker import ROOT, environment_of

# A child's peak memory includes its parent's memory at the fork, so a small process starts it. `largest` is the peak of
# the largest process, from the kernel; `tree` adds up the high-water marks of all processes alive at the same time, so
# memory that they share counts once per process.
_STARTER = """
import json, os, resource, subprocess, sys, threading, time

def family(pid):
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            for child in file.read().split():
                found += family(int(child))
    return found

def high_water(pid):
    with open(f"/proc/{pid}/status") as file:
        marks = [line.split()[1] for line in file if line.startswith("VmHWM")]
    return int(marks[0]) if marks else 0

tree = 0
watch = sys.argv[1] == "memory"
start = time.perf_counter()
child = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
def watcher():
    global tree
    while child.returncode is None:
        try:
            tree = max(tree, sum(map(high_water, family(child.pid))))
        except OSError:
            pass
        time.sleep(0.02)
if watch:
    threading.Thread(target=watcher, daemon=True).start()
errors = child.stderr.read()
status = child.wait()
seconds = time.perf_counter() - start
largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
last = errors.decode(errors="replace").strip().splitlines()[-1:] if status else []
print(json.dumps({"seconds": seconds, "largest": largest * 1024, "tree": max(tree, largest) * 1024,
                  "status": status, "last": last}))
"""


def run(command: Sequence[str], folder: Path, *, memory: bool = False) -> dict[str, Any]:
    """Run a command to its end; return ``seconds`` and, in bytes, ``largest`` and ``tree`` (if memory is watched).

    Watching takes a little time, so leave it off when measuring time.

    Raises
    ------
    UnavailableError
        If it fails; the message ends with its last line of output on standard error.
    """
    done = subprocess.run(
        [sys.executable, "-c", _STARTER, "memory" if memory else "time", *command],
        cwd=ROOT,
        env=environment_of("", folder),
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if found["status"]:
        raise UnavailableError(f"failed with status {found['status']} {' '.join(found['last'])[:200]}".strip())
    return found
