"""Rows in batches of one shape, run by one thread or several; trials that find the fastest settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32s = NDArray[np.float32]

TAIL_ROWS = 1024
TRIAL_ROWS = 1 << 19
CLASSIFY_TRIAL_ROWS = 1 << 17
TRIALS = 3
TRIAL_SECONDS = 40.0
"""Time (s) after which no further settings are tried, so the most promising come first; less in the short form."""


class Batches:
    """A function of a batch of rows, applied to any number of rows.

    Parameters
    ----------
    run : callable
        Takes (n, 6), returns (n, width).
    batch : int
        Rows per batch.
    width : int
        Width of the output.
    workers : int
        Number of threads.
    fixed : bool
        Whether it takes full batches only; the remaining rows then go in padded pieces of `TAIL_ROWS`.
    """

    def __init__(
        self, run: Callable[[Float32s], Any], batch: int, width: int, workers: int = 1, *, fixed: bool = False
    ) -> None:
        self._run, self._batch, self._width, self._fixed = run, batch, width, fixed
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None

    def __call__(self, x: Float32s) -> Float32s:
        """Return the outputs (n, width) of rows (n, 6)."""
        out = np.empty((len(x), self._width), np.float32)
        starts = range(0, len(x), self._batch)
        if self._pool is None:
            for start in starts:
                self._one(x, out, start)
        else:
            list(self._pool.map(lambda start: self._one(x, out, start), starts))
        return out

    def _one(self, x: Float32s, out: Float32s, start: int) -> None:
        block = x[start : start + self._batch]
        if len(block) == self._batch or not self._fixed:
            out[start : start + len(block)] = self._run(block)
            return
        for at in range(0, len(block), TAIL_ROWS):
            piece = block[at : at + TAIL_ROWS]
            out[start + at : start + at + len(piece)] = self._run(padded(piece, TAIL_ROWS))[: len(piece)]


def padded(rows: Float32s, n: int) -> Float32s:
    """Append rows of ones, up to ``n`` rows."""
    return rows if len(rows) == n else np.concatenate([rows, np.ones((n - len(rows), rows.shape[1]), np.float32)])


def fastest(
    ways: Iterable[tuple[dict[str, Any], Callable[[], Callable[[Float32s], Any]]]],
    choice: dict[str, Any] | None = None,
    n_rows: int = TRIAL_ROWS,
) -> tuple[Any, dict[str, Any]]:
    """Build, warm up and time each way; return the fastest, its settings and the rate of each.

    Parameters
    ----------
    ways : iterable of (dict, callable)
        The settings of a way, and a function that builds it.
    choice : dict, optional
        Settings that an earlier trial found; that way is returned without trials.
    n_rows : int
        Rows per trial.
    """
    if choice is not None:
        return next((make(), choice) for what, make in ways if what.items() <= choice.items())
    x = np.abs(np.random.default_rng(0).normal(2, 1, (n_rows, 6))).astype(np.float32)
    best, best_seconds = None, np.inf
    found: dict[str, Any] = {}
    tried: list[dict[str, Any]] = []
    deadline = time.perf_counter() + TRIAL_SECONDS
    for what, make in ways:
        start = time.perf_counter()
        if tried and start > deadline:
            break
        way = make()
        way(x)
        warm_up = time.perf_counter() - start
        seconds = []
        for _ in range(TRIALS):
            start = time.perf_counter()
            way(x)
            seconds.append(time.perf_counter() - start)
            if seconds[-1] > 2 * best_seconds:  # too slow for noise to explain
                break
        tried.append({**what, "rows_per_s": n_rows / min(seconds), "warm_up_s": warm_up})
        if min(seconds) < best_seconds:
            best, best_seconds, found = way, min(seconds), what
    return best, {**found, "tried": tried}
