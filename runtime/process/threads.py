"""Number of threads that this process may use."""

from __future__ import annotations

import os
from pathlib import Path

CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def granted_threads() -> int:
    """Return how many threads this process may use: ``SLURM_CPUS_PER_TASK``, else its cores, limited by its CPU quota.

    The cores are those of the affinity mask; the quota is that of a container (``cpu.max`` of Linux cgroups).

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
        quota, period = CPU_MAX.read_text().split()  # the container's own quota; "max" if there is none
        return max(1, min(cores, -(-int(quota) // int(period))))
    except (OSError, ValueError):
        return cores
