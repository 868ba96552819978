"""Files that are known, but are no core scan that can be read as it is: what they are, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py

from .hdf5.attributes import first_text


def foreign_layout(file: Any) -> str | None:
    """Recognise an HDF5 file of another trade; None where it is none."""
    geoscience = _group(file, "GEOSCIENCE")
    if geoscience is not None and first_text(geoscience, "version", "distanceunit"):
        return (
            "is a GEOH5 workspace (Geoscience ANALYST), whose names and depths lie in objects, types and data: "
            "export the drillhole's logs (with geoh5py, say) as one dataset per column beside a depth"
        )
    if _group(file, "RESQML") is not None:
        return (
            "is the HDF5 part of a RESQML model, whose names and units are in the .epc file beside it: "
            "export the well's logs as one dataset per column beside a depth"
        )
    return None


def _group(file: Any, name: str) -> Any:
    node = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
    return node if isinstance(node, h5py.Group) else None


def foreign_file(path: Path) -> str:
    """Say what a file that is not HDF5 is, and what to do; empty where its first bytes do not tell."""
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith((b"CDF\x01", b"CDF\x02", b"CDF\x05")):
        return ": it is netCDF-3, which nccopy -4 turns into netCDF-4"
    if start.startswith(b"MATLAB 5.0 MAT-f"):
        return ": it is a MATLAB file before v7.3; in MATLAB, save(..., '-v7.3') writes HDF5"
    if start.startswith((b"~V", b"~v")):
        return ": it is a LAS file; write its curves as one dataset each"
    return ""
