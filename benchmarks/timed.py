"""A peer that is timed: the commands that a worker carries out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from .floors import nanoseconds
from .peers.peer import Float32s, Peer
from .sampler import sampled
from .scans import plausible_rows


class Timed:
    """A peer's operations, in seconds."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._rows = np.empty((0, 6), np.float32)
        self._row = plausible_rows(1, np.random.default_rng(5))
        self._live: Any = None

    def choice(self) -> dict[str, Any]:
        """Return the settings that the peer's trials found fastest."""
        return self._peer.choice

    def embed(self, n_rows: int) -> float:
        """Embed rows in memory."""
        return _seconds(self._peer.embed, self._drawn(n_rows))

    def classify(self, n_rows: int) -> float:
        """Classify rows in memory."""
        return _seconds(self._peer.classify, self._drawn(n_rows))

    def scan(self, scan: str, out: str) -> float:
        """Embed a scan."""
        return _seconds(self._peer.embed_scan, Path(scan), Path(out))

    def scans(self, folder: str, out: str) -> float:
        """Embed all scans in a folder."""
        Path(out).mkdir(exist_ok=True)
        return _seconds(self._peer.embed_scans, sorted(Path(folder).glob("*.h5")), Path(out))

    def profile(self, scan: str, out: str) -> dict[str, float]:
        """Embed a scan and return where the threads spent their time."""
        return sampled(lambda: self._peer.embed_scan(Path(scan), Path(out)))

    def live(self, calls: int) -> list[int]:
        """Return the nanoseconds of each embedding of one row."""
        self._live = self._live or self._peer.live(self._row)
        return nanoseconds(self._live, calls)

    def outputs(self, n_rows: int, place: str) -> None:
        """Save the embeddings and probabilities of drawn rows, and one row's live embedding, to be compared."""
        x = self._drawn(n_rows)
        self._live = self._live or self._peer.live(self._row)
        self._row[:] = x[:1]
        row = np.array(self._live(), np.float32, copy=True).reshape(1, -1)
        np.savez(place, embed=self._peer.embed(x), classify=self._peer.classify(x), live=row)

    def _drawn(self, n_rows: int) -> Float32s:
        if len(self._rows) != n_rows:
            self._rows = plausible_rows(n_rows, np.random.default_rng(1))
        return self._rows


def _seconds(function: Any, *arguments: Any) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start
