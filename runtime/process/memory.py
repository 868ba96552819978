"""Memory of a run: bounded where it is guarded, and kept rather than returned where it is wanted again at once."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

from . import heartbeat

MEMORY = 1 << 30
"""Bytes that a run may take beyond what the program holds when it starts to read; an honest scan takes a tenth."""
MEMORY_PER_PROCESSOR = 16 << 20
"""What is added for each processor: the stacks of its threads count as memory taken."""
KEPT = 1 << 25
"""Bytes of the largest array that is cut from the heap, not mapped by itself, and of what the heap keeps when freed."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # <malloc.h>
_is_memory_bound = False


def bound_memory() -> None:
    """Bound what counts as data (heap, private mappings, stacks). Only Linux says how much of it there is by now."""
    global _is_memory_bound
    if not heartbeat.is_bound() or _is_memory_bound:
        return
    import resource

    _is_memory_bound = True
    try:
        held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    except OSError:
        return
    heartbeat.limit(resource.RLIMIT_DATA, held + MEMORY + MEMORY_PER_PROCESSOR * (os.cpu_count() or 1))


def keep_freed() -> None:
    """Let this process keep the memory that it frees; for a program of its own, not for a guest in another's.

    By default glibc hands a freed array back to the kernel, which clears every page of the next: a tenth of a run's
    CPU time. Elsewhere than under glibc nothing is done.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, KEPT)
        mallopt(_M_TRIM_THRESHOLD, 2 * KEPT)
