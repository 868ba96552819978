"""Measures the page of a report: its size, its first paint, and frames while panning, in headless Chromium.

``make .venv/dev/ready``, then ``.venv/dev/bin/python -m benchmarks.log_page [ROWS]``, with the browser in the variable
CHROMIUM, after a run of the browser tests, which install what drives it into ``build/hosts``. CPU time is that of all
processes of the browser, without a GPU.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lithovae.runtime.report.page import write_page
from tests.runtime.report.material import simulated_log

ROOT = Path(__file__).parents[1]


def main(rows: int = 50_000) -> None:
    """Print a table for a simulated log of so many rows."""
    log = simulated_log(rows)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "log.html"
        began = time.perf_counter()
        with page.open("wb") as file:
            write_page(file, log)
        seconds = time.perf_counter() - began
        print(f"{rows:,} rows: {page.stat().st_size / 1e6:.2f} MB, written in {seconds:.2f} s")
        script = Path(__file__).with_name("log_page.mjs")
        modules = ROOT / "build" / "hosts" / "node_modules"
        command = ["node", str(script), str(modules), os.environ.get("CHROMIUM", "chromium"), page.as_uri(), folder]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    print("| device pixels | share in view | first paint (ms) | tracks (ms) | frames/s | CPU (ms/frame) |")
    print("|---|---|---|---|---|---|")
    for one in json.loads(done.stdout):
        print("| " + " | ".join(f"{one[key]:g}" for key in ("ratio", "share", "paint", "ready", "fps", "cpu")) + " |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
