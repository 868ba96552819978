"""Description of the machine that was measured."""

from __future__ import annotations

import os
import platform
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lithovae.runtime.process.threads import granted_threads

PACKAGES = ("lithovae", "numpy", "h5py", "onnxruntime", "isal", "torch", "scikit-learn", "pandas", "openvino", "onnx")


def describe() -> dict[str, Any]:
    """Return the machine, package versions and date."""
    return {
        "date": datetime.now().astimezone().isoformat(timespec="minutes"),
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "threads": granted_threads(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "load_before": os.getloadavg()[0],
    }


def machine(threads: int | None = None) -> str:
    """Return one line on the machine; ``threads`` are by default all that are granted."""
    return sentence(describe() | ({"threads": threads} if threads else {}))


def sentence(found: dict[str, Any]) -> str:
    """Format a description as one line."""
    packages = ", ".join(f"{name} {number}" for name, number in found["packages"].items())
    return (
        f"{found['cpu']}, {found['cores']} cores, {found['memory_bytes'] / 2**30:.0f} GiB, "
        f"{found['threads']} thread{'s' * (found['threads'] > 1)} per peer; "
        f"{found['system']}, Python {found['python']}, {packages}"
    )


def cpu() -> str:
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if "model name" in line:
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def available_memory() -> int:
    """Return the bytes available without swapping; a very large number where the system does not report them."""
    info = Path("/proc/meminfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("MemAvailable"):
                return int(line.split()[1]) * 1024
    return 1 << 62


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
