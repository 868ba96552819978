"""What answers cost: runs with lithologies, intervals, quality and a report beside a run that only embeds.

``make .venv/dev/ready``, then ``.venv/dev/bin/python -m benchmarks.answers``. Each run is a command from the shell;
runs alternate, and a ratio is the median over the pairs.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from .machine import machine
from .processes import run
from .scans import write_table

CASES: dict[str, list[str]] = {
    "--classify (top 3)": ["--classify"],
    "--classify --intervals": ["--classify", "--intervals", "{folder}/intervals.csv"],
    "--classify --top all": ["--classify", "--top", "all"],
    "--quality": ["--quality"],
    "--report log.html": ["--report", "{folder}/log.html"],
    "all of these (top 3)": [
        *("--classify", "--quality", "--intervals", "{folder}/intervals.csv", "--report", "{folder}/log.html"),
    ],
}
"""Options of the runs."""
COMMAND = [sys.executable, "-c", "from lithovae.runtime.cli import run; run()"]


def main(
    rows: Annotated[int, typer.Option(help="Rows of the scan.")] = 8_000_000,
    rounds: Annotated[int, typer.Option(help="Pairs of runs of each case.")] = 5,
    threads: Annotated[int, typer.Option(help="Worker threads.")] = 2,
) -> None:
    """Print, for each case, its time, its speed beside embedding alone, and its peak memory."""
    print(machine(threads))
    print(f"{rows:,} rows in one HDF5 file (float32, not compressed), {threads} threads, {rounds} pairs; medians\n")
    print(f"{'case':26}{'seconds':>9}{'M rows/s':>10}{'of embedding alone':>20}{'range':>14}{'peak MB':>9}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scan = write_table(folder / "scan.h5", rows)
        plain = [*COMMAND, str(scan), "--out", str(folder / "out.npz"), "--threads", str(threads)]
        _line(
            "embedding alone", [run(plain, folder)["seconds"] for _ in range(rounds)], [1.0], rows, _peak(plain, folder)
        )
        for case, options in CASES.items():
            command = [*plain, *(option.format(folder=folder) for option in options)]
            seconds, ratios = [], []
            for i in range(rounds):
                pair = {}
                for which in ("plain", "case") if i % 2 == 0 else ("case", "plain"):
                    pair[which] = run(plain if which == "plain" else command, folder)["seconds"]
                seconds.append(pair["case"])
                ratios.append(pair["plain"] / pair["case"])
            _line(case, seconds, ratios, rows, _peak(command, folder))


def _peak(command: list[str], folder: Path) -> float:
    return float(run(command, folder, memory=True)["tree"]) / 1e6


def _line(case: str, seconds: list[float], ratios: list[float], rows: int, peak: float) -> None:
    took, ratio = statistics.median(seconds), statistics.median(ratios)
    span = f"{min(ratios):.2f}-{max(ratios):.2f}"
    print(f"{case:26}{took:9.2f}{rows / took / 1e6:10.2f}{ratio:20.2f}{span:>14}{peak:9.0f}", flush=True)


if __name__ == "__main__":
    typer.run(main)
