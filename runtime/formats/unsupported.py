"""File formats that are recognised but not supported."""

from __future__ import annotations

from pathlib import Path


def what_it_is(path: Path) -> str:
    """Return which format a file has, and how to convert it; empty if its first bytes are not known."""
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith((b"CDF\x01", b"CDF\x02", b"CDF\x05")):
        return "it is netCDF-3; convert it to netCDF-4 with nccopy -4"
    if start.startswith(b"MATLAB 5.0 MAT-f"):
        return "it is a MATLAB file older than v7.3; save it in MATLAB with save(..., '-v7.3'), which writes HDF5"
    return ""
