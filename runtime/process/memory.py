"""Memory of a run: limited in a guarded child, and freed memory kept for reuse in command-line programs."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

from . import heartbeat

MEMORY = 1 << 30
"""Bytes that a run may allocate after it starts to read; an ordinary scan takes a tenth of this."""
MEMORY_PER_PROCESSOR = 16 << 20
"""Bytes added per processor, because thread stacks count towards the limit."""
KEPT = 1 << 25
"""Bytes up to which arrays are allocated on the heap rather than mapped; twice as much freed memory is kept."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # <malloc.h>
_is_memory_bound = False


def bound_memory() -> None:
    """Limit data memory (heap, private mappings, stacks). No effect except on Linux, which states its size."""
    global _is_memory_bound
    if not heartbeat.is_bound() or _is_memory_bound:
        return
    import resource

    _is_memory_bound = True
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # pyarrow's own would reserve 1 GiB at once
    try:
        in_use = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    except OSError:
        return
    heartbeat.limit(resource.RLIMIT_DATA, in_use + MEMORY + MEMORY_PER_PROCESSOR * (os.cpu_count() or 1))


def keep_freed() -> None:
    """Keep freed memory in this process for reuse. Meant for command-line programs, not for use inside a host program.

    By default glibc returns a freed array to the kernel, which then clears every page of the next one; this costs a
    tenth of a run's CPU time. Does nothing without glibc.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, KEPT)
        mallopt(_M_TRIM_THRESHOLD, 2 * KEPT)
