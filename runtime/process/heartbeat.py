"""Steps forward of a guarded run: the kernel ends it if it takes too much CPU time between two of them.

This binds the child of `lithovae.runtime.process.guard` alone. In any other process nothing is bounded.
"""

from __future__ import annotations

import time

CPU_SECONDS = 30
"""CPU time that a run may take between two steps forward. The slowest honest one, inflating a storage chunk of 128 MiB
several times over on a slow core, takes a few seconds."""

_is_bound = False


def bind() -> None:
    """Bound this process from here on."""
    global _is_bound
    _is_bound = True
    advanced()


def is_bound() -> bool:
    """Tell whether this process is bounded."""
    return _is_bound


def advanced() -> None:
    """Mark a step forward: the next may again take `CPU_SECONDS` of CPU time. Any thread may."""
    if not _is_bound:
        return
    import resource

    limit(resource.RLIMIT_CPU, int(time.process_time()) + 1 + CPU_SECONDS)


def limit(kind: int, most: int) -> None:
    """Set the soft limit of a resource of this process, at most to its hard limit."""
    import resource

    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
