"""Bin and embed a line scan of 10⁸ samples (0.1 mm steps over 10 km): wall time and peak memory.

``make .venv/dev/ready``, then ``.venv/dev/bin/python -m benchmarks.line_scan``. The scan is written to ``build/`` (or
``$TMPDIR``) and deleted afterwards.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import h5py
import numpy as np
import typer

from lithovae.runtime.features import FEATURE_NAMES

STEP = 1e-4
BLOCK = 1 << 20
CHUNK = 1 << 16
RUN = str(Path(sys.executable).parent / "lithovae-run")
LIMIT = 250e6
"""Largest peak memory that the run may reach, in bytes."""

# The least that any reader does: read every dataset once, block by block, into one buffer.
_FLOOR = f"""
import sys, h5py, numpy as np
with h5py.File(sys.argv[1]) as file:
    for group in file.values():
        for dataset in group.values():
            block = np.empty({CHUNK}, dataset.dtype)
            for start in range(0, len(dataset), len(block)):
                n = min(len(block), len(dataset) - start)
                dataset.read_direct(block, np.s_[start:start + n], np.s_[:n])
"""


def write_scan(path: Path, n_rows: int, storage: dict[str, Any]) -> None:
    """Write a camera's R, G, B (uint8) and depth (float64) at 0.1 mm, in blocks, and a density logger's columns."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        camera, logger = file.create_group("linescan"), file.create_group("MST")
        columns = {name: camera.create_dataset(name, (n_rows,), "u1", **storage) for name in ("R", "G", "B")}
        depth = camera.create_dataset("depth", (n_rows,), "f8", **storage)
        for start in range(0, n_rows, BLOCK):
            n = min(BLOCK, n_rows - start)
            shade = 100 + 40 * np.sin(np.arange(start, start + n) * 1e-5)  # layers some tens of metres thick
            for column in columns.values():
                column[start : start + n] = np.clip(shade + rng.integers(-9, 10, n, np.int8), 0, 255).astype(np.uint8)
            depth[start : start + n] = np.arange(start, start + n) * STEP
        logger["depth"] = np.arange(0, n_rows * STEP, 0.025)
        logger[FEATURE_NAMES[0]] = rng.normal(1.7, 0.2, len(logger["depth"])).astype(np.float32)
        camera["depth"].attrs["units"] = logger["depth"].attrs["units"] = "m"


class Cost(NamedTuple):
    """Cost of a command: wall and CPU time (s), and the peak memory of all its processes (bytes)."""

    seconds: float
    cpu: float
    peak: int

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.cpu:.1f} s of CPU time"


def measure(command: list[str]) -> Cost:
    """Run a command to its end and return its cost."""
    start, before, peak = time.perf_counter(), _cpu(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, sum(_peak(pid) for pid in _tree(process.pid)))
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with status {process.returncode}")
    return Cost(time.perf_counter() - start, _cpu() - before, peak)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _tree(pid: int) -> list[int]:
    try:
        texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:  # the process has just ended
        return []
    return [pid, *(below for text in texts for child in text.split() for below in _tree(int(child)))]


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def main(
    rows: Annotated[int, typer.Option(help="Number of samples.")] = 100_000_000,
    contiguous: Annotated[bool, typer.Option(help="Store the scan without chunks and gzip.")] = False,
) -> None:
    """Write the scan, run ``lithovae-run`` on it in its own process, and print the cost."""
    folder = Path(os.environ.get("TMPDIR", "build"))
    folder.mkdir(exist_ok=True)
    storage = {} if contiguous else {"chunks": (CHUNK,), "compression": "gzip", "compression_opts": 4, "shuffle": True}
    with tempfile.TemporaryDirectory(dir=folder) as name:
        scan, out = Path(name) / "scan.h5", Path(name) / "out.npz"
        write_scan(scan, rows, storage)
        kind = "contiguous" if contiguous else "gzip with shuffle, chunks of 64k"
        typer.echo(f"{rows:,} samples of R, G, B and depth; {kind}; {scan.stat().st_size / 1e6:,.0f} MB")
        floor = measure([sys.executable, "-c", _FLOOR, str(scan)])
        run = measure([RUN, str(scan), "--out", str(out)])
        with np.load(out) as arrays:
            n_bins, n_samples = len(arrays["embeddings"]), int(arrays["samples"][:, 3].sum())
        if n_samples != rows:
            raise SystemExit(f"{n_samples:,} of {rows:,} samples were binned")
    typer.echo(f"reading every dataset once with h5py: {floor}")
    typer.echo(f"lithovae-run: {run}; {n_bins:,} bins, {rows / run.seconds / 1e6:.1f} M samples/s")
    verdict = "below" if run.peak < LIMIT else "ABOVE"
    typer.echo(f"peak memory of all its processes: {run.peak / 1e6:.0f} MB ({verdict} 250 MB)")


if __name__ == "__main__":
    typer.run(main)
