"""One row at a time, in bursts: the median and the 99th percentile of the time of a call."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.bench import Bench
from benchmarks.contest import in_turn


def measure(bench: Bench) -> dict[str, Any]:
    """Time calls of one row, in seconds; one burst per peer and round."""
    calls, rounds = (500, 5) if bench.short else (2000, 15)
    entries = bench.ask_all("live", calls=calls) | {"bare": bench.ask("floors", "live", calls=calls)}
    found = in_turn(entries, rounds, bench.seconds)
    for name, bursts in found["measured"].items():
        found["measured"][name] = [float(np.median(burst)) / 1e9 for burst in bursts]
        found.setdefault("p99", {})[name] = [float(np.quantile(burst, 0.99)) / 1e9 for burst in bursts]
    return {"calls": calls, **found}
