"""Installed size: the packages of an environment as `pip` made it, without pip's own and without bytecode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.worker import ROOT

ENVIRONMENTS = {"runtime": ".venv/run", "torch": ".venv/torch"}
"""``make .venv/run/ready .venv/torch/ready`` makes them: the runtime alone; torch, scikit-learn and h5py alone."""
TOOLS = ("pip", "setuptools", "_distutils_hack")


def measure(bench: Bench) -> dict[str, Any]:
    """Add up the files of both environments."""
    found: dict[str, Any] = {"bytes": {}, "failed": {}}
    for name, place in ENVIRONMENTS.items():
        packages = sorted((ROOT / place).glob("lib/python3.*/site-packages"))
        if not (ROOT / place / "ready").exists() or not packages:
            found["failed"][name] = f"{place} is not there: `make {place}/ready`"
        else:
            found["bytes"][name] = size_of(packages[0])
    return found


def size_of(packages: Path) -> int:
    """Add up the files under site-packages."""
    return sum(
        path.stat().st_size
        for path in packages.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and not path.relative_to(packages).parts[0].startswith(TOOLS)
    )
