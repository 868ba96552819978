"""Number of rows per block and number of blocks in flight, which bound the memory of a run."""

from __future__ import annotations

from collections.abc import Iterator

BLOCK_ROWS = 65_536
MAX_BLOCK_ROWS = 1 << 20
MAX_BLOCK_BYTES = 1 << 25
ROWS_IN_FLIGHT = 1 << 21
"""Rows in memory at once, for any number of threads; each takes about 100 bytes."""
BYTES_IN_FLIGHT = 1 << 27
"""Bytes read at once, for any number of threads. Decompressing, unshuffling and transposing them takes up to five times
as much memory, which has to stay below `lithovae.runtime.process.memory.MEMORY`."""


def blocks_in_flight(threads: int, rows: int, n_bytes: int = 1) -> int:
    """Return how many blocks of ``rows`` rows and ``n_bytes`` bytes may be in flight.

    Three more than threads, if memory allows. With one thread it is one: no worker thread is used then.
    """
    return 1 if threads == 1 else max(1, min(threads + 3, ROWS_IN_FLIGHT // rows, BYTES_IN_FLIGHT // n_bytes))


def spans(length: int, rows: int) -> Iterator[tuple[int, int]]:
    """Divide a length into spans ``(start, stop)`` of ``rows`` rows each; the last may be shorter."""
    return ((start, min(start + rows, length)) for start in range(0, length, rows))
