"""Peak memory as the scan grows: whole processes, the largest one and the sum over the process tree."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.bench import OURS, Bench
from benchmarks.machine import available_memory
from benchmarks.peers import LABELS, UnavailableError
from benchmarks.processes import run
from benchmarks.scans import write_table

from .scans import BYTES_PER_ROW
from .shell import command

GROWS_TO = {OURS: 16, "eager": 16, "seed": 1, "straight": 1, "openvino": 1, "compiled": 1, "by_hand": 1}
"""Largest multiple of the 8 M-row scan for each peer; those that hold the whole scan would not fit the next."""


def measure(bench: Bench) -> dict[str, Any]:
    """Embed a contiguous float32 scan at 1, 4 and 16 times its size; LithoVAE three times each."""
    base = 250_000 if bench.short else 8_000_000
    found: dict[str, Any] = {"peaks": {}, "failed": {}}
    for times in (1, 4, 16):
        n_rows = base * times
        bench.say(f"writing {n_rows:,} rows")
        scan, out = write_table(bench.folder / "scan.h5", n_rows), bench.folder / "out.npz"
        for name in LABELS:
            if GROWS_TO[name] < times or (bench.short and name not in (OURS, "seed")):
                continue
            try:
                if BYTES_PER_ROW.get(name, 0) * n_rows > available_memory():
                    raise UnavailableError("holds the whole scan: not enough memory")
                repeats = 3 if name == OURS else 1
                runs = [run(command(bench, name, scan, out), bench.folder, memory=True) for _ in range(repeats)]
            except UnavailableError as reason:
                found["failed"][name] = str(reason)
                continue
            out.unlink()
            peak = {what: median(one[what] for one in runs) for what in ("largest", "tree")}
            found["peaks"].setdefault(name, []).append({"rows": n_rows, **peak})
        scan.unlink()
    return found
