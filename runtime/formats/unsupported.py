"""Files of formats that are not read: what they are, and what to do."""

from __future__ import annotations

from pathlib import Path


def what_it_is(path: Path) -> str:
    """Say what format a file is in, and what to do; empty where its first bytes do not tell."""
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith((b"CDF\x01", b"CDF\x02", b"CDF\x05")):
        return "it is netCDF-3, which nccopy -4 turns into netCDF-4"
    if start.startswith(b"MATLAB 5.0 MAT-f"):
        return "it is a MATLAB file before v7.3; in MATLAB, save(..., '-v7.3') writes HDF5"
    if start.startswith((b"~V", b"~v")):
        return "it is a LAS file; write its curves as one dataset each"
    return ""
