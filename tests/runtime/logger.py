"""Simulated loggers for the tests of `lithovae follow`: what they write, and a process that writes on command."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import h5py
import numpy as np

Batch = dict[str, Any]
"""New values of some datasets, by path."""

_PROCESS = """
import json, sys
import h5py, numpy as np
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import logger
path, mode, libver, swmr = Path(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5] == "swmr"
first = json.loads(sys.stdin.readline())
with h5py.File(path, mode, libver=libver) as file:
    logger.append_to(file, first)
    if swmr:
        file.swmr_mode = True
    file.flush()
    print("ready", flush=True)
    for line in sys.stdin:
        logger.append_to(file, json.loads(line))
        file.flush()
        print("written", flush=True)
print("closed", flush=True)
"""


def append_to(file: h5py.File, batch: Batch) -> None:
    """Append to datasets, creating those that do not exist; depths are in metres."""
    for name, values in batch.items():
        given = np.array(values, "S8") if values and isinstance(values[0], str) else np.array(values, "f8")
        if name not in file:
            dataset = file.create_dataset(name, (0,), given.dtype, maxshape=(None,), chunks=(64,))
            if name.endswith("depth"):
                dataset.attrs["units"] = "m"
        dataset = file[name]
        dataset.resize(len(dataset) + len(given), axis=0)
        if len(given):
            dataset[-len(given) :] = given


def append(path: Path, batch: Batch, mode: str = "a") -> None:
    """Open, append and close, as careful loggers do; then `settle` the file."""
    with h5py.File(path, mode) as file:
        append_to(file, batch)
    settle(path)


def settle(path: Path) -> None:
    """Set a file's modification time back by a second, so that no test has to wait."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - 1_000_000_000))


class Writer:
    """Another process that keeps a file open and appends to it on command."""

    def __init__(self, path: Path, first: Batch, *, swmr: bool = True, mode: str = "w", libver: str = "latest") -> None:
        here = str(Path(__file__).parent)
        command = [sys.executable, "-c", _PROCESS, here, str(path), mode, libver, "swmr" if swmr else "plain"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.tell(first)

    def tell(self, batch: Batch) -> None:
        """Append rows and flush; return when this is done."""
        stdin, stdout = self._pipes()
        stdin.write(json.dumps(batch) + "\n")
        stdin.flush()
        assert stdout.readline().strip() in ("ready", "written")

    def close(self) -> None:
        """Close the file and end the process."""
        stdin, stdout = self._pipes()
        stdin.close()
        assert stdout.readline().strip() == "closed"
        self.process.wait(timeout=30)
        stdout.close()

    def kill(self) -> None:
        """Kill the process, as a power cut would."""
        self.process.kill()
        self.process.wait(timeout=30)
        for pipe in self._pipes():
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        return self.process.stdin, self.process.stdout
