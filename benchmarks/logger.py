"""A simulated logger, started by `benchmarks.follow`: a process that appends the samples of four instruments to a file.

Restarted after it was killed, it continues where its file ends.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import typer
from numpy.typing import NDArray

INSTRUMENTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "GRA": (4, ("Bulk density (GRA)",)),
    "MS": (5, ("Magnetic susceptibility (instr. units)",)),
    "NGR": (10, ("NGR total counts (cps)",)),
    "RGB": (1, ("R", "G", "B")),
}
"""For each instrument, one row per this many rows of the fastest instrument, and its columns."""
SPEED = 1.0
"""Metres of core per second."""
TICK = 0.1
"""Seconds between appends."""


def measure(name: str, rows: NDArray[np.int64], step: float) -> dict[str, NDArray[Any]]:
    """Return the samples of some rows of an instrument; the same rows always have the same samples."""
    depth = rows * step
    columns: dict[str, NDArray[Any]] = {"depth": depth}
    for i, column in enumerate(INSTRUMENTS[name][1]):
        columns[column] = 1.7 + np.sin(depth * 3 + i) * 0.3 if name == "GRA" else 60 + 40 * np.sin(depth * 2 + i)
    return columns


def make(file: Any) -> None:
    """Create the datasets."""
    for name, (_, columns) in INSTRUMENTS.items():
        for column in ("depth", *columns):
            file.create_dataset(f"{name}/{column}", (0,), "f8", maxshape=(None,), chunks=(4096,))
        file[name]["depth"].attrs["units"] = "m"


def recover(path: Path, swmr: bool) -> None:
    """Cut a file whose writer was killed to complete rows: in place or, in SWMR mode, in a copy that replaces it."""
    if not swmr:
        with h5py.File(path, "a") as file:
            for name, (_, columns) in INSTRUMENTS.items():
                whole = min(len(file[name][column]) for column in ("depth", *columns))
                for column in ("depth", *columns):
                    file[name][column].resize(whole, axis=0)
        return
    copy = path.with_name(f"{path.name}.copy")
    with h5py.File(path, "r", swmr=True) as old, h5py.File(copy, "w", libver="latest") as new:
        make(new)
        for name, (_, columns) in INSTRUMENTS.items():
            whole = min(len(old[name][column]) for column in ("depth", *columns))
            for column in ("depth", *columns):
                new[name][column].resize(whole, axis=0)
                new[name][column][:] = old[name][column][:whole]
    os.replace(copy, path)


def append(file: Any, depth: float, rate: int) -> None:
    """Append each instrument's samples down to a depth (m)."""
    for name, (every, columns) in INSTRUMENTS.items():
        step = SPEED / rate * every
        group = file[name]
        start, stop = len(group["depth"]), int(depth / step)
        if stop > start:
            samples = measure(name, np.arange(start, stop), step)
            for column in (*columns, "depth"):
                group[column].resize(stop, axis=0)
                group[column][start:] = samples[column]


def main(
    path: Path,
    seconds: Annotated[float, typer.Option(help="Length of the core, in seconds of logging.")],
    rate: Annotated[int, typer.Option(help="Rows per second of the fastest instrument.")],
    swmr: Annotated[bool, typer.Option(help="Keep the file open in SWMR mode instead of opening it for each append.")],
) -> None:
    """Append until the end of the core; print the time of each append and the depth that it reached."""
    libver = "latest" if swmr else "earliest"
    if path.exists():
        recover(path, swmr)
    else:
        with h5py.File(path, "w", libver=libver) as file:
            make(file)
    with h5py.File(path, "r") as file:
        done = len(file["RGB/depth"]) / rate
    held = h5py.File(path, "a", libver=libver) if swmr else None
    if held:
        held.swmr_mode = True
    begun = time.monotonic() - done
    while done < seconds:
        time.sleep(max(0.0, done + TICK - (time.monotonic() - begun)))
        done = min(time.monotonic() - begun, seconds)
        if held:
            append(held, done * SPEED, rate)
            held.flush()
        else:
            with h5py.File(path, "a") as file:  # with HDF5's file locking: fails if a reader holds a lock
                append(file, done * SPEED, rate)
        print(time.time(), done * SPEED, flush=True)
    if held:
        held.close()


if __name__ == "__main__":
    typer.run(main)
