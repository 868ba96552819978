"""Measure every format of a result: bytes and time for each row, in turn with ``.npz``.

``make .venv/dev/ready``, then ``.venv/dev/bin/python -m benchmarks.formats``. Options of `lithovae run` may follow
``--``. The scan is written to ``build/`` (or ``$TMPDIR``) and deleted afterwards.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from lithovae.runtime.outputs.writer import FORMATS

from .line_scan import RUN, Cost, measure
from .machine import machine
from .scans import write_table

TEXT = (".csv", ".las")
"""Formats in text: so much slower that they are measured with an eighth of the rows."""
SAME = {".hdf5"}
"""Another name of a format."""


def main(
    options: Annotated[list[str] | None, typer.Argument(help="Options of `lithovae run`.")] = None,
    rows: Annotated[int, typer.Option(help="Number of rows.", min=8)] = 8_000_000,
    rounds: Annotated[int, typer.Option(help="Number of runs of each format, in turn.", min=1)] = 5,
) -> None:
    """Embed one scan into each format, in its own process, and print a table."""
    folder = Path(os.environ.get("TMPDIR", "build"))
    folder.mkdir(exist_ok=True)
    suffixes = [suffix for suffix, format in FORMATS.items() if format.whole and suffix not in SAME]
    with tempfile.TemporaryDirectory(dir=folder) as name:
        sizes = {suffix: rows // 8 if suffix in TEXT else rows for suffix in suffixes}
        scans = {n: write_table(Path(name) / f"scan{n}.h5", n) for n in set(sizes.values())}
        found: dict[str, list[Cost]] = {suffix: [] for suffix in suffixes}
        n_bytes: dict[str, int] = {}
        for _ in range(rounds):
            for suffix, costs in found.items():
                out = Path(name) / f"emb{suffix}"
                costs.append(measure([RUN, str(scans[sizes[suffix]]), "--out", str(out), *(options or [])]))
                n_bytes[suffix] = out.stat().st_size
                out.unlink()
    typer.echo(machine())
    typer.echo(f"\n{rows:,} rows ({rows // 8:,} as text), median of {rounds} runs (least to most)\n")
    typer.echo("| format | bytes a row | s per million rows | of .npz | CPU s per million rows | peak memory, MB |")
    typer.echo("|---|---|---|---|---|---|")
    for suffix, costs in found.items():
        n = sizes[suffix]
        seconds = [cost.seconds / n * 1e6 for cost in costs]
        shares = [one / (npz.seconds / sizes[".npz"] * 1e6) for one, npz in zip(seconds, found[".npz"], strict=True)]
        typer.echo(
            f"| `{suffix}` | {n_bytes[suffix] / n:.1f} | {median(seconds):.3f} ({min(seconds):.3f} to "
            f"{max(seconds):.3f}) | {median(shares):.1f} | {median(cost.cpu for cost in costs) / n * 1e6:.3f} | "
            f"{max(cost.peak for cost in costs) / 1e6:,.0f} |"
        )


if __name__ == "__main__":
    typer.run(main)
