"""Installed size of the packages in an environment, without pip and bytecode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.worker import ROOT

ENVIRONMENTS = {"runtime": ".venv/run", "torch": ".venv/torch"}
"""The runtime alone; torch, scikit-learn and h5py alone. ``make .venv/run/ready .venv/torch/ready`` creates them."""
TOOLS = ("pip", "setuptools", "_distutils_hack")


def measure(bench: Bench) -> dict[str, Any]:
    """Return the size in bytes of both environments."""
    found: dict[str, Any] = {"bytes": {}, "failed": {}}
    for name, place in ENVIRONMENTS.items():
        packages = sorted((ROOT / place).glob("lib/python3.*/site-packages"))
        if not (ROOT / place / "ready").exists() or not packages:
            found["failed"][name] = f"{place} does not exist: run `make {place}/ready`"
        else:
            found["bytes"][name] = size_of(packages[0])
    return found


def size_of(packages: Path) -> int:
    """Return the total size in bytes of the files in a site-packages folder."""
    return sum(
        path.stat().st_size
        for path in packages.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and not path.relative_to(packages).parts[0].startswith(TOOLS)
    )
