"""Memory of a run: limited in a guarded child, and freed memory kept for reuse in command-line programs."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path

from . import heartbeat
from .cgroup import memory_limit

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
    heartbeat.limit(resource.RLIMIT_DATA, in_use + allowance())


def allowance() -> int:
    """Return how many bytes a guarded run may allocate after it starts to read."""
    return MEMORY + MEMORY_PER_PROCESSOR * (os.cpu_count() or 1)


def memory_bounds() -> dict[str, int]:
    """Return what bounds the memory of this process, in bytes, by what sets it; only what the system states.

    ``machine``: its memory; ``free``: what of it could be had now (Linux); ``cgroup``: the limit of a container or a
    job; ``RLIMIT_AS`` and ``RLIMIT_DATA``: the limits of ``ulimit``.
    """
    found = {}
    with suppress(AttributeError, ValueError, OSError):  # not on Windows
        found["machine"] = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(AttributeError, OSError):  # only on Windows
        status = _MemoryStatus(ctypes.sizeof(_MemoryStatus))
        if ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # type: ignore[attr-defined, unused-ignore]
            found |= {"machine": int(status.total), "free": int(status.available)}
    with suppress(OSError, ValueError, IndexError):
        (line,) = (line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable:"))
        found["free"] = int(line.split()[1]) * 1024
    if (limit := memory_limit()) is not None:
        found["cgroup"] = limit
    with suppress(ImportError):  # not on Windows
        import resource

        for name in ("RLIMIT_AS", "RLIMIT_DATA"):
            with suppress(AttributeError, ValueError, OSError):
                if (soft := resource.getrlimit(getattr(resource, name))[0]) != resource.RLIM_INFINITY:
                    found[name] = soft
    return found


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of ``<sysinfoapi.h>``."""

    _fields_ = (
        ("length", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("total", "available", "a", "b", "c", "d", "e")),
    )


def keep_freed() -> None:
    """Keep freed memory in this process for reuse. Meant for command-line programs, not for use inside a host program.

    By default glibc returns a freed array to the kernel, which then clears every page of the next one; this costs a
    tenth of a run's CPU time. Does nothing without glibc.
    """
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, KEPT)
        mallopt(_M_TRIM_THRESHOLD, 2 * KEPT)
