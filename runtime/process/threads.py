"""How many threads a process may use."""

from __future__ import annotations

import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def granted_threads() -> int:
    """Tell how many threads this process may use: ``SLURM_CPUS_PER_TASK``, else its cores and its share of them.

    The cores are those of the affinity mask; the share is a container's quota (``cpu.max`` of Linux's cgroups).

    Returns
    -------
    int
        At least 1.
    """
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if slurm.isdigit() and int(slurm) > 0:
        return int(slurm)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = CPU_MAX.read_text().split()  # in a container its own; "max" where there is none
        return max(1, min(cores, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return cores
