"""Bin and embed a colour log of 10⁷ rows in a CSV file, beside the same numbers read by pandas: wall time and memory.

``make .venv/dev/ready``, then ``.venv/dev/bin/python -m benchmarks.text_table``. The file is written to ``build/`` (or
``$TMPDIR``) and deleted afterwards.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from .line_scan import RUN, measure

STEP = 1e-4
BLOCK = 500_000
LIMIT = 200e6
"""Largest peak memory that the run may reach, in bytes."""

# What a notebook does: hold the table, and average in bins.
_PANDAS = """
import sys, numpy as np, pandas as pd
table = pd.read_csv(sys.argv[1])
table.groupby(np.rint(table["depth (m)"] / 0.2)).mean()
"""


def write_table(path: Path, n_rows: int) -> None:
    """Write depth (m, 4 decimals), R, G and B (0-255)."""
    rng = np.random.default_rng(0)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("depth (m),R,G,B\n")
        for start in range(0, n_rows, BLOCK):
            n = min(BLOCK, n_rows - start)
            depth, colours = (np.arange(start, start + n) * STEP).tolist(), rng.integers(0, 256, (n, 3)).tolist()
            file.write("".join(f"{at:.4f},{r},{g},{b}\n" for at, (r, g, b) in zip(depth, colours, strict=True)))


def main(
    rows: Annotated[int, typer.Option(help="Number of rows.")] = 10_000_000,
    rounds: Annotated[int, typer.Option(help="Number of runs of each peer, in turn.")] = 5,
) -> None:
    """Write the table, run ``lithovae-run`` and pandas on it in turn, each in its own process, and print the costs."""
    folder = Path(os.environ.get("TMPDIR", "build"))
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        table, out = Path(name) / "camera.csv", Path(name) / "out.npz"
        write_table(table, rows)
        typer.echo(f"{rows:,} rows of depth, R, G and B; {table.stat().st_size / 1e6:,.0f} MB")
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(measure([RUN, str(table), "--out", str(out), "--bin", "0.2"]))
            theirs.append(measure([sys.executable, "-c", _PANDAS, str(table)]))
        with np.load(out) as arrays:
            n_samples = int(arrays["samples"][:, 3].sum())
        if n_samples != rows:
            raise SystemExit(f"{n_samples:,} of {rows:,} rows were binned")
    for label, costs in (("lithovae-run", ours), ("pandas, binning alone", theirs)):
        seconds = statistics.median(cost.seconds for cost in costs)
        peak = max(cost.peak for cost in costs)
        typer.echo(f"{label}: {seconds:.1f} s, {rows / seconds / 1e6:.2f} M rows/s, at most {peak / 1e6:.0f} MB")
    ratio = statistics.median(b.seconds / a.seconds for a, b in zip(ours, theirs, strict=True))
    verdict = "below" if max(cost.peak for cost in ours) < LIMIT else "ABOVE"
    typer.echo(f"{ratio:.2f} times as fast as pandas (median of {rounds} pairs); memory {verdict} 200 MB")


if __name__ == "__main__":
    typer.run(main)
