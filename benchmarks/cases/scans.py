"""A scan to an ``.npz``: every peer in a warm process, and the floors: reading, computing, writing alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench import OURS, Bench
from benchmarks.contest import in_turn
from benchmarks.machine import available_memory
from benchmarks.peers import UnavailableError
from benchmarks.peers.streamed import binned
from benchmarks.scans import GZIP, write_instruments, write_table

from .agreement import TOLERANCE, reference

CHECKED_ROWS = 4096
BYTES_PER_ROW = {"seed": 700}
"""Memory of the original research script, which holds every step of the whole scan; it is skipped if less is free."""


def table_f4(bench: Bench) -> dict[str, Any]:
    """Contiguous float32."""
    return _table(bench, 1_000_000 if bench.short else 8_000_000, 2 if bench.short else 5, "f4")


def table_f8(bench: Bench) -> dict[str, Any]:
    """Contiguous float64."""
    return _table(bench, 500_000 if bench.short else 4_000_000, 2 if bench.short else 3, "f8")


def gzip_f4(bench: Bench) -> dict[str, Any]:
    """Chunks of 65,536 rows, gzip with shuffle, float32."""
    return _table(bench, 500_000 if bench.short else 4_000_000, 2 if bench.short else 3, "f4", **GZIP)


def gzip_f8(bench: Bench) -> dict[str, Any]:
    """Chunks of 65,536 rows, gzip with shuffle, float64."""
    return _table(bench, 500_000 if bench.short else 4_000_000, 2 if bench.short else 5, "f8", **GZIP)


def instruments(bench: Bench) -> dict[str, Any]:
    """Embed a camera and three loggers on different depth grids, averaged in bins."""
    import h5py

    n_lines = 500_000 if bench.short else 3_000_000
    scan = write_instruments(bench.folder / "scan.h5", n_lines)
    with h5py.File(scan) as file:
        features = binned(file)[1]
    found = _measure(bench, scan, 3 if bench.short else 5, features, np.arange(len(features)), len(features))
    return {"rows": n_lines, "bins": len(features), **found}


def _table(bench: Bench, n_rows: int, rounds: int, dtype: str, **filters: Any) -> dict[str, Any]:
    import h5py

    scan = write_table(bench.folder / "scan.h5", n_rows, dtype, **filters)
    with h5py.File(scan) as file:
        data = file["data"]
        ends = np.concatenate([data[:CHECKED_ROWS], data[-CHECKED_ROWS:]]).astype(np.float32)
    where = np.r_[:CHECKED_ROWS, n_rows - CHECKED_ROWS : n_rows]
    return {"rows": n_rows, **_measure(bench, scan, rounds, ends, where, n_rows)}


def _measure(bench: Bench, scan: Path, rounds: int, features: Any, where: Any, n_rows: int) -> dict[str, Any]:
    expected = reference(features)[0]
    out = bench.folder / "out.npz"
    sizes: dict[str, int] = {}

    def embed(name: str) -> Callable[[], float]:
        ask = bench.ask(name, "scan", scan=str(scan), out=str(out))

        def run() -> float:
            wanted = BYTES_PER_ROW.get(name, 0) * n_rows
            if wanted > available_memory():
                raise UnavailableError(f"holds the whole scan: {wanted / 1e9:.0f} GB, more than is free")
            seconds = float(ask())
            if name not in sizes:  # check the first result
                sizes[name] = out.stat().st_size
                with np.load(out) as arrays:
                    found = arrays["embeddings"][where]
                if not np.abs(found - expected).max() <= TOLERANCE:
                    raise UnavailableError("its embeddings differ from torch in float64")
            out.unlink()  # so that each writes a new file, and does not wait for another's to reach the disk
            return seconds

        return run

    one_core = bench.ask("floors", "bare", n_rows=max(4096, n_rows // bench.threads // 4))
    entries: dict[str, Any] = {name: embed(name) for name in bench.ask_all("scan")}
    floors = {
        "read": bench.ask("floors", "read", scan=str(scan)),
        "compute": lambda: one_core() * (n_rows / bench.threads / max(4096, n_rows // bench.threads // 4)),
        "write": lambda: bench.worker("floors").ask("write", out=str(out), n_bytes=sizes[OURS]),
    }
    found = in_turn(entries | floors, rounds, bench.seconds)
    found["where"] = bench.worker(OURS).ask("profile", scan=str(scan), out=str(out))
    size = scan.stat().st_size
    scan.unlink()
    return {**found, "bytes_in": size, "bytes_out": sizes.get(OURS)}
