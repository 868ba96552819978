"""Follow a logger that appends, is killed once and restarts: measure the output, its latency and its cost.

``make .venv/dev/ready``, then ``.venv/dev/bin/python -m benchmarks.follow``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Annotated

import numpy as np
import typer

from lithovae.runtime import LithoModel
from lithovae.runtime.bins import BIN_WIDTH
from lithovae.runtime.commands.one_scan import embed_scan

from .logger import INSTRUMENTS, SPEED
from .machine import machine

IDLE = 3.0
PAUSE = 1.0


def logger(path: Path, seconds: float, rate: int, swmr: bool) -> subprocess.Popen[str]:
    """Start the logger."""
    command = [sys.executable, "-m", "benchmarks.logger", str(path), f"--seconds={seconds}", f"--rate={rate}"]
    return subprocess.Popen([*command, "--swmr" if swmr else "--no-swmr"], stdout=subprocess.PIPE, text=True)


def collect(stream: IO[str], into: list[tuple[float, str]]) -> threading.Thread:
    """Record the time at which each line of a stream arrives."""

    def read() -> None:
        for line in stream:
            into.append((time.time(), line))

    thread = threading.Thread(target=read)
    thread.start()
    return thread


def peak_memory(pid: int) -> int:
    """Return the peak memory of a process and its children, in bytes."""
    found = 0
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (str(pid), *children):
            lines = Path(f"/proc/{one}/status").read_text().splitlines()
            found += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, ValueError):
        pass
    return found


def watch(path: Path, seconds: float, rate: int, swmr: bool) -> tuple[list[str], list[tuple[float, str]], str]:
    """Run logger and follower; return the logger's lines, the follower's lines with their times, and the cost."""
    started = time.time()
    command = [str(Path(sys.executable).parent / "lithovae"), "follow", str(path), f"--idle-timeout={IDLE}"]
    follower = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert follower.stdout is not None
    assert follower.stderr is not None
    lines: list[tuple[float, str]] = []
    said: list[tuple[float, str]] = []
    threads = [collect(follower.stdout, lines), collect(follower.stderr, said)]
    ticks: list[str] = []
    for part in (0, 1):
        process = logger(path, seconds, rate, swmr)
        assert process.stdout is not None
        for line in process.stdout:
            ticks.append(line)
            if not part and float(line.split()[1]) > seconds / 2:
                process.kill()
                break
        process.wait()
        process.stdout.close()
        if not part:
            time.sleep(PAUSE)
    peak = peak_memory(follower.pid)
    for thread in threads:
        thread.join()
    _, status, used = os.wait4(follower.pid, 0)
    follower.returncode = os.waitstatus_to_exitcode(status)
    if follower.returncode:
        raise SystemExit("".join(line for _, line in said))
    took = time.time() - started
    notes = [line.strip() for _, line in said if line.startswith("note")]
    for note in notes:
        typer.echo(f"    {note}", err=True)
    return ticks, lines, f"{(used.ru_utime + used.ru_stime) / took:.1%} of a core | {peak / 1e6:.0f} MB"


def judge(path: Path, rate: int, ticks: list[str], lines: list[tuple[float, str]]) -> str:
    """Compare the output with a batch run of the file, and with the times at which the samples were written."""
    out = path.with_suffix(".npz")
    embed_scan(path, out, LithoModel.load("semisup_hybrid"))
    with np.load(out) as arrays:
        batch = {name: arrays[name] for name in ("depth", "samples", "missing", "embeddings")}
    rows = [(when, json.loads(line)) for when, line in lines[1:]]
    rows = [(when, row) for when, row in rows if "about" not in row]
    by_depth = {row["depth"]: row for _, row in rows}
    equal = 0
    for i, depth in enumerate(batch["depth"].tolist()):
        row = by_depth.get(depth)
        if row and (row["samples"], row["missing"]) == (batch["samples"][i].tolist(), batch["missing"][i]):
            equal += np.array(row["embedding"], np.float32).tobytes() == batch["embeddings"][i].tobytes()
    times = np.array([line.split() for line in ticks], np.float64)
    # The first sample of the slowest instrument below a bin completes it; that is at most one step below its end.
    step = SPEED / rate * max(every for every, _ in INSTRUMENTS.values())
    latency = []
    for when, row in rows:
        written = times[times[:, 1] >= row["depth"] + BIN_WIDTH / 2 + step]
        if row["complete"] and len(written):
            latency.append(when - written[0, 0])
    p50, p99 = np.percentile(latency, [50, 99])
    missing = len(set(batch["depth"].tolist()) - set(by_depth))
    return (
        f"{len(batch['depth'])} | {len(rows)} | {len(rows) - len(by_depth)} | {missing} | {equal} "
        f"| {p50 * 1e3:.0f} / {p99 * 1e3:.0f} / {max(latency) * 1e3:.0f} ms"
    )


def main(
    seconds: Annotated[float, typer.Option(help="Seconds that the logger runs.", min=2)] = 60.0,
    rate: Annotated[int, typer.Option(help="Rows per second of the fastest instrument.", min=10)] = 1000,
) -> None:
    """Print one row for a logger in SWMR mode, and one for a logger that opens its file for each append."""
    typer.echo(f"{machine(threads=1)}; {seconds:g} s at {rate:,} rows per second, killed half-way and restarted.\n")
    typer.echo(
        "| logger | bins of a batch run | bins written | twice | never | bitwise equal "
        "| from the append that completes a bin to its line: p50 / p99 / max | CPU | peak memory |"
    )
    typer.echo("|---|---|---|---|---|---|---|---|---|")
    for swmr in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "live.h5"
            ticks, lines, cost = watch(path, seconds, rate, swmr)
            kind = "SWMR, restarts in a copy" if swmr else "opens, appends, closes"
            typer.echo(f"| {kind} | {judge(path, rate, ticks, lines)} | {cost} |")


if __name__ == "__main__":
    typer.run(main)
