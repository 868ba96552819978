"""Many small scans in one process."""

from __future__ import annotations

import shutil
from typing import Any

from benchmarks.bench import Bench
from benchmarks.contest import in_turn
from benchmarks.scans import write_small

N_ROWS = 1000


def measure(bench: Bench) -> dict[str, Any]:
    """Embed 1,000 scans of 1,000 rows."""
    n_scans = 200 if bench.short else 1000
    folder, out = bench.folder / "small", bench.folder / "small-out"
    write_small(folder, n_scans, N_ROWS)
    entries = bench.ask_all("scans", folder=str(folder), out=str(out))
    floors = {"read": bench.ask("floors", "read_all", folder=str(folder))}
    found = in_turn(entries | floors, 2 if bench.short else 3, bench.seconds)
    for place in (folder, out):
        shutil.rmtree(place, ignore_errors=True)
    return {"scans": n_scans, "rows": n_scans * N_ROWS, **found}
