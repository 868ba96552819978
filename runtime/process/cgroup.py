"""Limits that Linux cgroups set on this process. Containers, Slurm and systemd set them; both versions are read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
"""Where the hierarchies are mounted: one (version 2), or one for each controller (version 1)."""
OWN = Path("/proc/self/cgroup")
"""States the group of this process in each hierarchy."""
NO_LIMIT = 1 << 60
"""Bytes from which version 1 means that there is no limit."""


def cpu_quota() -> float | None:
    """Return how many processors' time this process may use; None if there is no limit, or no cgroup."""
    quotas = []
    for folder in _folders("cpu"):
        stated = _words(folder / "cpu.max") or [
            *_words(folder / "cpu.cfs_quota_us"),
            *_words(folder / "cpu.cfs_period_us"),
        ]
        if len(stated) == 2 and all(word.isdecimal() for word in stated) and int(stated[1]):  # "max" and -1: no limit
            quotas.append(int(stated[0]) / int(stated[1]))
    return min(quotas, default=None)


def memory_limit() -> int | None:
    """Return how many bytes of memory this process and its siblings may use; None if there is no limit."""
    limits = []
    for folder in _folders("memory"):
        for word in (_words(folder / "memory.max") or _words(folder / "memory.limit_in_bytes"))[:1]:
            if word.isdecimal() and int(word) < NO_LIMIT:
                limits.append(int(word))
    return min(limits, default=None)


def _folders(controller: str) -> Iterator[Path]:
    """Yield the folders whose limits hold for this process: its group, and all groups around that.

    In a container the group may be stated as the host names it. Then only the mount itself is there, and it holds the
    limits of the container.
    """
    groups = {ROOT: Path("/")}
    for line in _lines(OWN):
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0" and not controllers:
            groups[ROOT] = Path(group)
        elif controller in controllers.split(","):
            groups |= {ROOT / controllers: Path(group), ROOT / controller: Path(group)}
    for mount, stated in groups.items():
        below = Path(str(stated).lstrip("/"))
        yield from (mount / part for part in (below, *below.parents))


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
