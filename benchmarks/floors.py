"""Lower bounds on the time of any embedder: reading alone, writing alone, bare ``session.run`` on a cached block."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from lithovae.runtime.model.bundle import Bundle
from lithovae.runtime.model.session import make_session

from .peers.peer import MODEL
from .scans import CHUNK_ROWS, plausible_rows

BLOCKS = (512, 1024, 2048, 4096)
WRITE_BYTES = 1 << 20


class Floors:
    """The floors, in seconds."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        bundle = Bundle.read(MODEL)
        self._embedder, self._classifier = (
            make_session(bundle.graphs[graph], Path(graph)) for graph in ("embedder", "classifier")
        )
        rows = plausible_rows(max(BLOCKS), np.random.default_rng(0))
        self._best = {}
        for what in ("embed", "classify"):
            rates = {}
            for block in BLOCKS:
                run = self._bare(what, rows[:block])
                _repeat(run, 100)
                rates[block] = block / min(_repeat(run, 200) for _ in range(5))
            self._best[what] = rows[: max(rates, key=lambda block: rates[block])]

    def choice(self) -> dict[str, Any]:
        """Return the fastest block sizes."""
        return {what: {"batch": len(block)} for what, block in self._best.items()}

    def _bare(self, what: str, block: Any) -> Callable[[], Any]:
        if what == "embed":
            return lambda: self._embedder.run(["mu"], {"features": block})
        return lambda: self._classifier.run(
            ["probabilities"], {"z": self._embedder.run(["mu"], {"features": block})[0]}
        )

    def bare(self, n_rows: int, what: str = "embed") -> float:
        """Return one core's time for a number of rows, one cached block at a time."""
        block = self._best[what]
        return _repeat(self._bare(what, block), n_rows // len(block)) * n_rows / (n_rows // len(block) * len(block))

    def bare_on_all(self, n_rows: int, what: str = "embed") -> float:
        """Return all cores' time for a number of rows; each core has its own cached block."""
        block, share = self._best[what], n_rows // self._threads
        runs = [self._bare(what, block.copy()) for _ in range(self._threads)]
        start = time.perf_counter()
        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(lambda run: _repeat(run, share // len(block)), runs))
        return (time.perf_counter() - start) * share / (share // len(block) * len(block))

    def read(self, scan: str) -> float:
        """Read every dataset with h5py, block by block, each into one buffer."""
        start = time.perf_counter()
        _read(scan)
        return time.perf_counter() - start

    def read_all(self, folder: str) -> float:
        """Read every dataset of every scan in a folder with h5py."""
        scans = sorted(Path(folder).glob("*.h5"))
        start = time.perf_counter()
        for scan in scans:
            _read(scan)
        return time.perf_counter() - start

    def write(self, out: str, n_bytes: int) -> float:
        """Write a number of bytes to a partial file, and rename it."""
        block = np.random.default_rng(0).bytes(WRITE_BYTES)
        start = time.perf_counter()
        with open(f"{out}.partial", "wb") as file:
            for at in range(0, n_bytes, WRITE_BYTES):
                file.write(block[: n_bytes - at])
        os.replace(f"{out}.partial", out)
        seconds = time.perf_counter() - start
        os.remove(out)
        return seconds

    def live(self, calls: int) -> list[int]:
        """Return the nanoseconds of each bare run of one row."""
        run = self._bare("embed", plausible_rows(1, np.random.default_rng(5)))
        return nanoseconds(run, calls)


def nanoseconds(run: Callable[[], object], calls: int) -> list[int]:
    """Return the nanoseconds of each of a number of calls."""
    found = []
    for _ in range(calls):
        start = time.perf_counter_ns()
        run()
        found.append(time.perf_counter_ns() - start)
    return found


def _read(scan: str | Path) -> None:
    with h5py.File(scan) as file:
        datasets: list[Any] = []
        file.visititems(lambda _, item: datasets.append(item) if isinstance(item, h5py.Dataset) else None)
        for data in datasets:
            buffer = np.empty((CHUNK_ROWS, *data.shape[1:]), data.dtype)
            for at in range(0, len(data), CHUNK_ROWS):
                n = min(CHUNK_ROWS, len(data) - at)
                data.read_direct(buffer, np.s_[at : at + n], np.s_[:n])


def _repeat(run: Callable[[], object], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        run()
    return time.perf_counter() - start
