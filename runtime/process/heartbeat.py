"""Limit on CPU time between two steps of a guarded run; the kernel ends a run that exceeds it.

The limit applies only to the child of `lithovae.runtime.process.guard`. In any other process nothing is limited.
"""

from __future__ import annotations

import time

CPU_SECONDS = 30
"""CPU time in seconds that a run may take between two steps. The slowest legitimate step, decompressing a storage chunk
of 128 MiB several times on a slow core, takes a few seconds."""

_is_bound = False


def bind() -> None:
    """Limit this process from now on."""
    global _is_bound
    _is_bound = True
    advanced()


def is_bound() -> bool:
    """Return whether this process is limited."""
    return _is_bound


def advanced() -> None:
    """Record a step forward: the next may again take `CPU_SECONDS` of CPU time. Any thread may call this."""
    if not _is_bound:
        return
    import resource

    limit(resource.RLIMIT_CPU, int(time.process_time()) + 1 + CPU_SECONDS)


def limit(kind: int, most: int) -> None:
    """Set the soft limit of a resource of this process, to at most its hard limit."""
    import resource

    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
