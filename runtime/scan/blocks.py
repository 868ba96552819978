"""How many rows are read at once, and how many blocks of them are in flight: what bounds the memory of a run."""

from __future__ import annotations

from collections.abc import Iterator

BLOCK_ROWS = 65_536
MAX_BLOCK_ROWS = 1 << 20
MAX_BLOCK_BYTES = 1 << 25
ROWS_IN_FLIGHT = 1 << 21
"""Rows that are in memory at once, however many threads there are: at 100 bytes or so each."""
BYTES_IN_FLIGHT = 1 << 27
"""Bytes that are read at once, however many threads there are. To inflate them, undo the shuffle and turn a table on
its side takes up to five times as much, which has to stay below `lithovae.runtime.process.memory.MEMORY`."""


def blocks_in_flight(threads: int, rows: int, n_bytes: int = 1) -> int:
    """Tell how many blocks of so many rows, and bytes, may be begun but not done with.

    Three more than threads, memory allowing. With one thread it is one: then the caller's is the only thread.
    """
    return 1 if threads == 1 else max(1, min(threads + 3, ROWS_IN_FLIGHT // rows, BYTES_IN_FLIGHT // n_bytes))


def spans(length: int, rows: int) -> Iterator[tuple[int, int]]:
    """Part a length into spans of so many rows, the last of what is left."""
    return ((start, min(start + rows, length)) for start in range(0, length, rows))
