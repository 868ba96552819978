"""Bounds that the kernel keeps for a guarded run: processor time between two steps forward, and memory.

They bind the child of `lithovae.runtime.process.guard` alone. In a process of somebody else's nothing is bounded.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

CPU_SECONDS = 30
"""Processor time that a run may take between two steps forward. The slowest honest one, inflating a storage chunk of
128 MiB several times over on a slow core, takes a few seconds."""
MEMORY = 1 << 30
"""Bytes that a run may take beyond what the program holds when it starts to read; an honest scan takes a tenth."""
MEMORY_PER_PROCESSOR = 16 << 20
"""What is added for each processor: the stacks of its threads count as memory taken."""

_is_bound = False
_is_memory_bound = False


def bind() -> None:
    """Bound this process from here on."""
    global _is_bound
    _is_bound = True
    advanced()


def advanced() -> None:
    """Mark a step forward: the next may again take `CPU_SECONDS` of processor time. Any thread may."""
    if not _is_bound:
        return
    import resource

    _limit(resource.RLIMIT_CPU, int(time.process_time()) + 1 + CPU_SECONDS)


def bound_memory() -> None:
    """Bound what counts as data (heap, private mappings, stacks). Only Linux says how much of it there is by now."""
    global _is_memory_bound
    if not _is_bound or _is_memory_bound:
        return
    import resource

    _is_memory_bound = True
    try:
        held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    except OSError:
        return
    _limit(resource.RLIMIT_DATA, held + MEMORY + MEMORY_PER_PROCESSOR * (os.cpu_count() or 1))


def _limit(kind: int, most: int) -> None:
    import resource

    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
