"""Paired, repeated measurements, of whole processes and of functions."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from lithovae.runtime.model import granted_threads

# A child's peak memory counts from the fork on, when it still is its parent: so a small process starts it.
_STARTER = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([time.perf_counter() - start, peak * 1024]))
"""


@dataclass(frozen=True)
class Pair:
    """Two peers, measured in turn.

    Attributes
    ----------
    ours, theirs : list of float
        Seconds of each run.
    our_peak, their_peak : int
        Largest peak memory of a run, in bytes; 0 where it was not measured.
    """

    ours: list[float]
    theirs: list[float]
    our_peak: int = 0
    their_peak: int = 0

    @property
    def ratios(self) -> list[float]:
        """How many times as long the other took, pair by pair."""
        return [theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    def row(self, what: str, peer: str, rows: int) -> str:
        """Give a row of the table: medians, and the spread of the ratio."""
        peaks = f"{self.our_peak / 1e6:.0f} / {self.their_peak / 1e6:.0f}" if self.our_peak else ""
        return (
            f"| {what} | {peer} | {rows / median(self.ours) / 1e6:.2f} | {rows / median(self.theirs) / 1e6:.2f} "
            f"| **{median(self.ratios):.1f}×** ({min(self.ratios):.1f} to {max(self.ratios):.1f}) | {peaks} |"
        )


def pair_processes(ours: Sequence[str], theirs: Sequence[str], runs: int) -> Pair:
    """Run two commands in turn, after a warm-up of each."""
    found: tuple[list[float], list[float]] = ([], [])
    peaks = [0, 0]
    for run in range(runs + 1):
        for i, command in enumerate((ours, theirs)):
            seconds, peak = _run(command)
            peaks[i] = max(peaks[i], peak)
            if run:
                found[i].append(seconds)
    return Pair(*found, *peaks)


def pair_functions(ours: Callable[[], object], theirs: Callable[[], object], runs: int) -> Pair:
    """Call two functions in turn, after a warm-up of each."""
    found: tuple[list[float], list[float]] = ([], [])
    for run in range(runs + 1):
        for i, function in enumerate((ours, theirs)):
            start = time.perf_counter()
            function()
            if run:
                found[i].append(time.perf_counter() - start)
    return Pair(*found)


def peak_memory(command: Sequence[str]) -> int:
    """Give the peak memory of a command's process, in bytes."""
    return _run(command)[1]


def machine(threads: int | None = None) -> str:
    """Say what this was measured on, and with how many threads; with all that are granted, unless said."""
    n = threads or granted_threads()
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    packages = ", ".join(f"{name} {version(name)}" for name in ("lithovae", "onnxruntime", "torch", "numpy", "h5py"))
    return (
        f"{cpu}, {os.cpu_count()} cores, {n} thread{'s' * (n > 1)} for every peer; "
        f"Python {platform.python_version()}, {packages}"
    )


def _run(command: Sequence[str]) -> tuple[float, int]:
    done = subprocess.run([sys.executable, "-c", _STARTER, *command], check=True, capture_output=True, text=True)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return float(seconds), int(peak)
