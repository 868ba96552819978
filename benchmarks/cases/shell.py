"""Whole processes from the shell: start-up, reading, embedding, writing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.bench import OURS, Bench
from benchmarks.contest import in_turn
from benchmarks.processes import run
from benchmarks.scans import write_table

PEERS = ("seed", "eager")


def command(bench: Bench, name: str, scan: Path, out: Path) -> list[str]:
    """Return the command with which a peer embeds a scan, with the settings that its trials found."""
    if name == OURS:
        return [str(Path(sys.executable).parent / "lithovae-run"), str(scan), "--out", str(out)]
    if name == "seed":
        return [sys.executable, "-m", "benchmarks.peers.seed", str(scan), str(out)]
    choice = bench.worker(name).ask("choice")
    choice = {"embed": {key: value for key, value in choice.get("embed", {}).items() if key != "tried"}}
    return [sys.executable, "-m", "benchmarks.peers", name, str(scan), str(out), json.dumps(choice)]


def measure(bench: Bench) -> dict[str, Any]:
    """Embed a contiguous float32 scan from the shell."""
    n_rows = 1_000_000 if bench.short else 8_000_000
    scan, out = write_table(bench.folder / "scan.h5", n_rows), bench.folder / "out.npz"

    def once(name: str) -> float:
        seconds = float(run(command(bench, name, scan, out), bench.folder)["seconds"])
        out.unlink()
        return seconds

    entries = {name: lambda name=name: once(name) for name in (OURS, *PEERS)}
    found = in_turn(entries, 1 if bench.short else 3, bench.seconds, warm_ups=0 if bench.short else 1)
    scan.unlink()
    return {"rows": n_rows, **found}
