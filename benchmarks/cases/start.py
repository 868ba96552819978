"""Cold start: a scan of 1,000 rows from the shell, and the imports alone."""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.bench import OURS, Bench
from benchmarks.contest import in_turn
from benchmarks.processes import run
from benchmarks.scans import write_table

from .shell import command

N_ROWS = 1000


def measure(bench: Bench) -> dict[str, Any]:
    """Time whole processes."""
    scan, out = write_table(bench.folder / "scan.h5", N_ROWS), bench.folder / "out.npz"
    ours = command(bench, OURS, scan, out)
    commands = {
        OURS: ours,
        "seed": command(bench, "seed", scan, out),
        "imports": [sys.executable, "-c", "import numpy, h5py, onnxruntime"],
        "help": [ours[0], "--help"],
        "python": [sys.executable, "-c", "pass"],
    }
    entries = {name: lambda name=name: float(run(commands[name], bench.folder)["seconds"]) for name in commands}
    found = in_turn(entries, 2 if bench.short else 15, bench.seconds)
    scan.unlink()
    return {"rows": N_ROWS, **found}
