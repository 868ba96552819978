"""Number of threads that this process may use."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from .cgroup import cpu_quota

SLURM = "SLURM_CPUS_PER_TASK"


@dataclass(frozen=True)
class Grant:
    """What decides how many threads this process may use.

    Attributes
    ----------
    slurm : int or None
        Value of ``SLURM_CPUS_PER_TASK``; None if it is not set, or not a positive number.
    cores : int
        Processors of the affinity mask; of the machine, where the system has no such mask.
    quota : float or None
        Processors whose time a cgroup, such as a container, may use.
    """

    slurm: int | None
    cores: int
    quota: float | None

    @property
    def threads(self) -> int:
        """Number of threads, at least 1: what Slurm says, else the cores, limited by the quota."""
        if self.slurm is not None:
            return self.slurm
        return max(1, min(self.cores, self.cores if self.quota is None else math.ceil(self.quota)))

    @property
    def source(self) -> str:
        """What has decided the number of threads."""
        if self.slurm is not None:
            return SLURM
        return "cores" if self.threads == self.cores else "CPU quota of the cgroup"

    @classmethod
    def of_this_process(cls) -> Grant:
        """Read the environment, the affinity mask and the cgroups of this process."""
        slurm = os.environ.get(SLURM, "")
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return cls(int(slurm) if slurm.isdecimal() and int(slurm) > 0 else None, cores, cpu_quota())


def granted_threads() -> int:
    """Return how many threads this process may use: ``SLURM_CPUS_PER_TASK``, else its cores, limited by its CPU quota.

    The cores are those of the affinity mask; the quota is that of Linux cgroups (a container, a Slurm job).

    Returns
    -------
    int
        At least 1.
    """
    return Grant.of_this_process().threads
